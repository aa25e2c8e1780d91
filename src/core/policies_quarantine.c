/* SPDX-License-Identifier: Apache-2.0
 *
 * Quarantine: the control group of the process that matched loses the network, until an operator gives it back, the policy's
 * mode changes, its breaker trips, or picket ends.
 */
#include "core/policies_int.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "core/log.h"

#define GROUP_PIDS_BYTES (1u << 20)
#define GROUPS_BELOW_MAX 1000
#define GROUP_DEPTH_MAX 32

/* ---- may it be cut off? ---- */

struct looking {
	struct policies *p;
	size_t groups;
	uint32_t spared; /* a process in it that no policy touches */
	int error;
};

static void look_at_processes(struct looking *l, int directory)
{
	_cleanup_(buf_done) struct buf text;
	struct str rest, line;
	uint64_t pid;
	buf_init(&text, GROUP_PIDS_BYTES);
	int r = file_read_at(directory, "cgroup.procs", &text);
	if (r < 0) {
		l->error = r;
		return;
	}
	rest = buf_str(&text);
	while (!l->spared && str_next(&rest, '\n', &line))
		if (str_to_u64(line, &pid) == 0 && policies_spare(l->p, (uint32_t)pid))
			l->spared = (uint32_t)pid;
}

static void close_directory(DIR **directory)
{
	if (*directory)
		closedir(*directory);
}

/* Takes fd over. What cannot be looked at is not cut off. */
static void look_at_group(struct looking *l, int fd, unsigned depth)
{
	_cleanup_(close_directory) DIR *directory = fd < 0 ? NULL : fdopendir(fd);
	if (!directory || depth == GROUP_DEPTH_MAX || l->groups++ == GROUPS_BELOW_MAX) {
		l->error = directory ? -E2BIG : -errno;
		return;
	}
	look_at_processes(l, fd);
	for (const struct dirent *e; !l->error && !l->spared && (e = readdir(directory));)
		if (e->d_type == DT_DIR && e->d_name[0] != '.')
			look_at_group(l, openat(fd, e->d_name, O_RDONLY | O_DIRECTORY | O_CLOEXEC), depth + 1);
}

static bool may_cut(struct policies *p, const struct held *h, const char *path, uint64_t id)
{
	struct looking l = {.p = p};
	bool root = !path[strlen(p->root)] || strcmp(path + strlen(p->root), "/") == 0;
	if (!root)
		look_at_group(&l, open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC), 0);
	if (!root && !l.error && !l.spared)
		return true;
	if (p->spared_group == id) /* was told */
		return false;
	p->spared_group = id;
	if (root)
		log_warning("the policy %s does not cut off the root of all control groups", h->name);
	else if (l.spared)
		log_warning("the policy %s does not cut off the control group %s: its process %u is protected", h->name,
		            path, l.spared);
	else
		log_warning("the policy %s does not cut off the control group %s: %s", h->name, path,
		            strerror(-l.error));
	return false;
}

/* ---- cutting off, and giving back ---- */

static void remove_at(struct policies *p, size_t i)
{
	guard_cut_free(p->quarantines[i].cut);
	free(p->quarantines[i].path);
	p->quarantines[i] = p->quarantines[--p->quarantine_count];
}

static bool has(const struct policies *p, uint64_t id)
{
	for (size_t i = 0; i < p->quarantine_count; i++)
		if (p->quarantines[i].id == id)
			return true;
	return false;
}

static int add(struct policies *p, const struct held *h, const char *path, uint64_t id)
{
	struct quarantine *q = &p->quarantines[p->quarantine_count];
	char *copy = strdup(path);
	if (!copy)
		return -ENOMEM;
	*q = (struct quarantine){.id = id, .path = copy};
	snprintf(q->policy, sizeof(q->policy), "%s", h->name);
	int r = guards_cut(p->current.guards, path, &q->cut);
	if (r < 0) {
		free(copy);
		return r;
	}
	p->quarantine_count++;
	return 0;
}

uint32_t policies_quarantine(struct policies *p, uint32_t index, const struct enrich_actor *a)
{
	_cleanup_(buf_done) struct buf text;
	const struct held *h = &p->current.held[index];
	struct guard_reaction reaction = {.policy = index, .tgid = a->pid};
	char path[CGROUP_PATH_MAX];
	struct stat st;
	buf_init(&text, CGROUP_PATH_MAX * 4);
	struct str group = policies_cgroup_of(a, &text);
	if (!group.length || snprintf(path, sizeof(path), "%s" STR_FMT, p->root, STR_ARG(group)) >= (int)sizeof(path))
		return GUARD_ENDED;
	if (stat(path, &st) < 0 || (a->cgroup_id && st.st_ino != a->cgroup_id))
		return GUARD_ENDED;
	if (has(p, st.st_ino) || p->quarantine_count == QUARANTINES_MAX || !may_cut(p, h, path, st.st_ino))
		return GUARD_SPARED;
	reaction.executables[0] = reaction.executables[1] = (struct guard_file){.inode = a->inode, .device = a->device};
	int r = guards_react(p->current.guards, &reaction);
	if (r == 0 && reaction.verdict != GUARD_ACTED)
		return reaction.verdict;
	if (r == 0)
		r = add(p, h, path, st.st_ino);
	if (r == 0)
		return GUARD_ACTED;
	log_error("the control group %s cannot be cut off from the network: %s", path, strerror(-r));
	return GUARD_SPARED;
}

bool policies_release(struct policies *p, struct str cgroup)
{
	for (size_t i = 0; i < p->quarantine_count; i++) {
		const char *path = p->quarantines[i].path;
		if (!str_equals(cgroup, path) && !str_equals(cgroup, path + strlen(p->root)))
			continue;
		remove_at(p, i);
		return true;
	}
	return false;
}

void policies_release_of(struct policies *p, const char *policy)
{
	for (size_t i = p->quarantine_count; i > 0; i--)
		if (!policy || strcmp(p->quarantines[i - 1].policy, policy) == 0)
			remove_at(p, i - 1);
}

/* ---- over a reload, and over time ---- */

static bool goes_on(const struct policies *p, const struct quarantine *q)
{
	struct guard_state state;
	uint32_t index;
	const struct held *h = policies_find(p, str_from(q->policy), &index);
	return h && h->policy && h->policy->action == ACTION_QUARANTINE &&
	       guards_state(p->current.guards, index, &state) == 0 && state.mode == GUARD_ENFORCE && !state.tripped;
}

void policies_requarantine(struct policies *p)
{
	for (size_t i = p->quarantine_count; i > 0; i--) {
		struct quarantine *q = &p->quarantines[i - 1];
		struct guard_cut *cut = NULL;
		int r = p->current.guards && goes_on(p, q) ? guards_cut(p->current.guards, q->path, &cut) : -ENOENT;
		guard_cut_free(q->cut);
		q->cut = cut;
		if (r < 0)
			remove_at(p, i - 1);
	}
}

/* Those whose group has gone. */
void policies_check_quarantines(struct policies *p)
{
	struct stat st;
	for (size_t i = p->quarantine_count; i > 0; i--)
		if (stat(p->quarantines[i - 1].path, &st) < 0 || st.st_ino != p->quarantines[i - 1].id)
			remove_at(p, i - 1);
}

void policies_report_quarantines(const struct policies *p, struct json *out)
{
	json_key(out, "quarantined");
	json_begin_array(out);
	for (size_t i = 0; i < p->quarantine_count; i++) {
		json_begin_object(out);
		json_key(out, "cgroup");
		json_text(out, p->quarantines[i].path + strlen(p->root));
		json_key(out, "policy");
		json_text(out, p->quarantines[i].policy);
		json_end_object(out);
	}
	json_end_array(out);
}
