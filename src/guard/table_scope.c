/* SPDX-License-Identifier: Apache-2.0
 *
 * Whom compiled policies are for, as the kernel numbers them.
 */
#include "guard/table_int.h"

#include <errno.h>
#include <linux/magic.h>
#include <limits.h>
#include <mntent.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "base/file.h"

#define PASSWD_BYTES 4096
#define UNITS "/system.slice/" /* where the services of systemd are, below the root of control groups */

bool guard_cgroup_root(char *ret_path, size_t size)
{
	FILE *mounts = setmntent("/proc/self/mounts", "re");
	bool found = false;
	struct mntent entry;
	char buffer[4096];
	while (mounts && !found && getmntent_r(mounts, &entry, buffer, sizeof(buffer)))
		found = strcmp(entry.mnt_type, "cgroup2") == 0 &&
		        (size_t)snprintf(ret_path, size, "%s", entry.mnt_dir) < size;
	if (mounts)
		endmntent(mounts);
	return found;
}

bool table_within(struct table_maker *m)
{
	char root[4096];
	m->root = m->options->root;
	if (!m->root && guard_cgroup_root(root, sizeof(root)))
		m->root = arena_str(&m->scratch, str_from(root)).data;
	if (!m->options->cgroup)
		return true;
	int r = guards_cgroup(m->options->cgroup, &m->within);
	if (r == 0)
		return true;
	m->failed = true;
	diag_add(m->diags, DIAG_ERROR, CODE_POLICY, NULL, 0, 0, "%s is no control group: %s", m->options->cgroup,
	         strerror(-r));
	return false;
}

/* The kernel's own number of a device. */
static void protect_as(enum guard_protected_what what, const char *path, struct guard_protected_key *keys,
                       size_t *count)
{
	struct file_identity id;
	if (*count < GUARD_PROTECTED_MAX && file_identify(path, &id) == 0)
		keys[(*count)++] = (struct guard_protected_key){.inode = id.inode, .device = id.device, .what = what};
}

static void protect(const char *path, struct guard_protected_key *keys, size_t *count)
{
	protect_as(GUARD_PROTECTED_PROGRAM, path, keys, count);
}

/* What is now where this program was started from. */
static void protect_successor(struct guard_protected_key *keys, size_t *count)
{
	char path[PATH_MAX];
	ssize_t length = readlink("/proc/self/exe", path, sizeof(path) - 1);
	struct str file = str_make(path, (size_t)MAX(length, 0)), gone = STR(" (deleted)");
	if (!str_ends_with(file, gone))
		return;
	path[file.length - gone.length] = '\0';
	protect(path, keys, count);
}

size_t guard_protected(struct guard_protected_key ret_keys[GUARD_PROTECTED_MAX])
{
	static const struct {
		const char *path;
		enum guard_protected_what what;
	} rows[] = {
#define POLICY_PROTECTED(path, what, why) {path, GUARD_PROTECTED_##what},
#include "schema/policy.def"
	};
	size_t count = 0;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		protect(rows[i].path, ret_keys, &count);
		if (rows[i].what == GUARD_PROTECTED_ENTRY)
			protect_as(GUARD_PROTECTED_ENTRY, rows[i].path, ret_keys, &count);
	}
	protect("/proc/self/exe", ret_keys, &count);
	protect_successor(ret_keys, &count);
	return count;
}

int guard_protect_named(const char *name, struct guard_protected_key *ret_key)
{
	char path[PATH_MAX], root[PATH_MAX] = "";
	struct guard_cgroup group;
	struct statfs system;
	size_t count = 0;
	if (name[0] != '/' && !guard_cgroup_root(root, sizeof(root)))
		return -ENOENT;
	if ((size_t)snprintf(path, sizeof(path), "%s%s%s", root, root[0] ? UNITS : "", name) >= sizeof(path))
		return -ENAMETOOLONG;
	int r = guards_cgroup(path, &group);
	if (r == 0 && (statfs(path, &system) < 0 || system.f_type != CGROUP2_SUPER_MAGIC))
		return -EINVAL;
	if (r == 0)
		*ret_key = (struct guard_protected_key){.inode = group.id, .what = GUARD_PROTECTED_GROUP};
	else if (r == -ENOTDIR && !root[0])
		protect(path, ret_key, &count);
	return r == -ENOTDIR && count == 1 ? 0 : r;
}

/* ---- the keys of a scope ---- */

static bool has_room(struct table_maker *m, uint32_t count, const char *what)
{
	if (count < GUARD_SCOPE_MAX)
		return true;
	table_error(m, "a guard's scope holds at most %d %s", GUARD_SCOPE_MAX, what);
	return false;
}

/* Is the group the one that all must act in, or below it? */
static bool is_within(struct table_maker *m, const char *path)
{
	char *real = m->within.id ? realpath(m->options->cgroup, NULL) : NULL;
	size_t length = real ? strlen(real) : 0;
	bool within = !m->within.id || (real && strncmp(path, real, length) == 0 && strchr("/", path[length]));
	free(real);
	return within;
}

static bool add_cgroup(struct table_maker *m, const char *value, struct guard_scope *s)
{
	char path[4096];
	if (!has_room(m, s->cgroups, "control groups"))
		return false;
	snprintf(path, sizeof(path), "%s%s", m->root ? m->root : "", value);
	int r = m->root ? guards_cgroup(path, &s->cgroup[s->cgroups]) : -ENOENT;
	if (r < 0)
		table_error(m, "the control group %.200s: %s", value, strerror(-r));
	else if (!is_within(m, path))
		table_error(m, "the control group %.200s does not lie in %.200s", value, m->options->cgroup);
	else
		s->cgroups++;
	return r == 0 && !m->failed;
}

static bool add_user(struct table_maker *m, const char *value, struct guard_scope *s)
{
	char buffer[PASSWD_BYTES];
	struct passwd entry, *found = NULL;
	uint64_t uid;
	if (!has_room(m, s->users, "users"))
		return false;
	if (str_to_u64(str_from(value), &uid) < 0) {
		if (getpwnam_r(value, &entry, buffer, sizeof(buffer), &found) || !found) {
			table_error(m, "there is no user %.100s on this host", value);
			return false;
		}
		uid = found->pw_uid;
	}
	s->uids[s->users++] = (uint32_t)uid;
	return true;
}

static bool add_executable(struct table_maker *m, const char *value, struct guard_scope *s)
{
	struct file_identity id;
	if (!has_room(m, s->executables, "executables"))
		return false;
	int r = file_identify(value, &id);
	if (r < 0) {
		table_error(m, "the program %.200s: %s", value, strerror(-r));
		return false;
	}
	s->executable[s->executables++] = (struct guard_file){.inode = id.inode, .device = id.device};
	return true;
}

/* Scopes that picket looks up: which control groups they are, it tells the guards while it runs. */
static bool is_looked_up(enum policy_scope_kind kind)
{
	return kind == SCOPE_UNIT || kind == SCOPE_CONTAINER || kind == SCOPE_IMAGE;
}

static bool add_looked_up(struct table_maker *m, enum policy_scope_kind kind, uint32_t index, struct guard_scope *s)
{
	if (!m->options->judged) {
		table_error(
		        m, "which control groups a scope '%s' is, picket finds out when it runs: picket run --policies",
		        policy_scope_name(kind));
		return false;
	}
	s->members = index + 1;
	return true;
}

static bool add_key(struct table_maker *m, enum policy_scope_kind kind, struct guard_scope *s)
{
	static bool (*const adders[SCOPE_COUNT])(struct table_maker * m, const char *value, struct guard_scope *s) = {
	        [SCOPE_CGROUP] = add_cgroup, [SCOPE_USER] = add_user, [SCOPE_EXECUTABLE] = add_executable};
	const struct policy_texts *texts = &m->policy->scope[kind];
	for (size_t k = 0; k < texts->count; k++)
		if (!adders[kind](m, texts->items[k], s))
			return false;
	return true;
}

bool table_scope(struct table_maker *m, uint32_t index, struct guard_scope *ret_scope)
{
	struct guard_scope s = {0};
	for (enum policy_scope_kind i = 0; i < SCOPE_COUNT; i++) {
		if (!m->policy->scope[i].count)
			continue;
		if (!(is_looked_up(i) ? add_looked_up(m, i, index, &s) : add_key(m, i, &s)))
			return false;
	}
	if (m->within.id && !s.cgroups)
		s.cgroup[s.cgroups++] = m->within;
	*ret_scope = s;
	return true;
}
