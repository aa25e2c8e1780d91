/* SPDX-License-Identifier: Apache-2.0
 *
 * Guards that outlive their process: BPF FILE SYSTEM/picket/INSTANCE/LOAD/ holds links and maps of one load. Links are pinned
 * last and removed first: so where there is a link, there are the maps by which it can be ended.
 */
#include "loader/guards_int.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <dirent.h>
#include <errno.h>
#include <mntent.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "loader/owner.h"

#define LINK_PREFIX "link_"

const char *const guards_map_names[GUARDS_MAPS] = {[GUARDS_OWNER] = OWNER_MAP,
                                                   [GUARDS_CONTROL] = "guard_control",
                                                   [GUARDS_POLICIES] = "guard_policies",
                                                   [GUARDS_STATES] = "guard_states",
                                                   [GUARDS_VERDICTS] = "guard_verdicts"};

static void close_directory(DIR **d)
{
	if (*d)
		closedir(*d);
}

bool pin_each_mount(bool (*call)(void *userdata, const char *mount), void *userdata)
{
	FILE *mounts = setmntent("/proc/self/mounts", "re");
	struct mntent entry;
	char buffer[4096];
	bool done = false;
	while (mounts && !done && getmntent_r(mounts, &entry, buffer, sizeof(buffer)))
		done = strcmp(entry.mnt_type, "bpf") == 0 && call(userdata, entry.mnt_dir);
	if (mounts)
		endmntent(mounts);
	return done;
}

/* A text of a fixed size, cut rather than overrun: such a path is then not found. */
struct path {
	char text[PIN_PATH_MAX];
};

static bool take_mount(void *userdata, const char *mount)
{
	struct path *p = userdata;
	return (size_t)snprintf(p->text, sizeof(p->text), "%s/" PIN_DIRECTORY, mount) < sizeof(p->text);
}

static struct path below(const char *directory, const char *name)
{
	struct path p;
	if ((size_t)snprintf(p.text, sizeof(p.text), "%s/%s", directory, name) >= sizeof(p.text))
		p.text[0] = '\0';
	return p;
}

/* Names in a BPF file system hold no dots, and a socket's path does. */
void pin_instance_name(const char *instance, char ret_name[PIN_INSTANCE_BYTES])
{
	snprintf(ret_name, PIN_INSTANCE_BYTES, "%016llx", (unsigned long long)base_hash(instance, strlen(instance)));
}

static int instance_path(const char *instance, struct path *ret_path)
{
	char name[PIN_INSTANCE_BYTES];
	struct path root;
	if (!instance || !pin_each_mount(take_mount, &root))
		return -EOPNOTSUPP;
	pin_instance_name(instance, name);
	*ret_path = below(root.text, name);
	return ret_path->text[0] ? 0 : -ENAMETOOLONG;
}

/* ---- pinning ---- */

static int make_directory(const char *path)
{
	return mkdir(path, 0700) < 0 && errno != EEXIST ? -errno : 0;
}

/* The time makes each load's directory another one, and puts them in order. */
static int make_directories(struct guards *g, const char *instance)
{
	struct path path, root;
	char load[32];
	int r = instance_path(instance, &path);
	if (r < 0)
		return r;
	root = path;
	*strrchr(root.text, '/') = '\0';
	snprintf(load, sizeof(load), "%016llx", (unsigned long long)clock_boot_ns());
	r = make_directory(root.text);
	if (r == 0)
		r = make_directory(path.text);
	path = below(path.text, load);
	if (r == 0)
		r = mkdir(path.text, 0700) < 0 ? -errno : 0;
	if (r == 0)
		memcpy(g->pins, path.text, sizeof(g->pins));
	return r;
}

static int pin_all(const struct guards *g)
{
	int r = 0;
	for (size_t i = 0; i < GUARDS_MAPS && r == 0; i++)
		r = bpf_obj_pin(g->maps[i], below(g->pins, guards_map_names[i]).text) ? -errno : 0;
	for (size_t i = 0; i < g->link_count && r == 0; i++) {
		char name[32];
		snprintf(name, sizeof(name), LINK_PREFIX "%zu", i);
		r = bpf_obj_pin(bpf_link__fd(g->links[i]), below(g->pins, name).text) ? -errno : 0;
	}
	return r;
}

int guards_pin(struct guards *g, const char *instance, struct loader_failure *reterr_failure)
{
	int r = make_directories(g, instance);
	if (r == 0)
		r = pin_all(g);
	if (r == 0)
		return 0;
	guards_unpin(g);
	snprintf(reterr_failure->what, sizeof(reterr_failure->what),
	         "a policy persists, and the guards cannot be pinned: %s", strerror(-r));
	if (r == -EOPNOTSUPP)
		snprintf(reterr_failure->hint, sizeof(reterr_failure->hint), "%s",
		         instance ? "no BPF file system is mounted: mount -t bpf bpf /sys/fs/bpf"
		                  : "without a status socket they could not be found again");
	return r;
}

/* ---- unpinning ---- */

static int remove_files(const char *directory, bool links)
{
	_cleanup_(close_directory) DIR *d = opendir(directory);
	int r = d ? 0 : -errno;
	for (struct dirent *e; d && (e = readdir(d));)
		if (e->d_type == DT_REG && str_starts_with(str_from(e->d_name), STR(LINK_PREFIX)) == links &&
		    unlinkat(dirfd(d), e->d_name, 0) < 0)
			r = -errno;
	return r;
}

/* With those above it that are empty then. */
static int remove_load(const char *directory)
{
	struct path above;
	int r = remove_files(directory, true);
	if (r == 0)
		r = remove_files(directory, false);
	if (r == 0 && rmdir(directory) < 0)
		r = -errno;
	snprintf(above.text, sizeof(above.text), "%s", directory);
	for (bool empty = r == 0; empty && !str_ends_with(str_from(above.text), STR("/" PIN_DIRECTORY));) {
		*strrchr(above.text, '/') = '\0';
		empty = rmdir(above.text) == 0;
	}
	return r;
}

void guards_unpin(struct guards *g)
{
	if (g->pins[0])
		(void)!remove_load(g->pins);
	g->pins[0] = '\0';
}

void guards_leave(struct guards *g)
{
	if (g)
		g->pins[0] = '\0';
	guards_free(g);
}

/* ---- finding them again ---- */

/* Calls with the directory of each load. */
static int each_load(const char *instance, int (*call)(void *userdata, const char *directory), void *userdata)
{
	_cleanup_(close_directory) DIR *d = NULL;
	struct path path;
	int r = instance_path(instance, &path);
	if (r < 0)
		return r == -EOPNOTSUPP ? 0 : r;
	d = opendir(path.text);
	for (struct dirent *e; r >= 0 && d && (e = readdir(d));)
		if (e->d_type == DT_DIR && e->d_name[0] != '.')
			r = call(userdata, below(path.text, e->d_name).text);
	return r;
}

struct unpinning {
	const struct guards *keep;
	int count;
};

static int unpin_load(void *userdata, const char *directory)
{
	struct unpinning *u = userdata;
	if (u->keep && strcmp(u->keep->pins, directory) == 0)
		return 0;
	u->count++;
	return remove_load(directory);
}

int guards_unpin_others(const char *instance, const struct guards *keep)
{
	struct unpinning u = {.keep = keep};
	int r = each_load(instance, unpin_load, &u);
	return r < 0 ? r : u.count;
}

static int take_newest(void *userdata, const char *directory)
{
	struct path *newest = userdata;
	if (strcmp(directory, newest->text) > 0)
		snprintf(newest->text, sizeof(newest->text), "%s", directory);
	return 0;
}

static bool map_fits(int map, uint32_t value_size)
{
	struct bpf_map_info info = {};
	uint32_t length = sizeof(info);
	return bpf_obj_get_info_by_fd(map, &info, &length) == 0 && info.value_size == value_size;
}

static int find_pin(const struct guards *g, const char *name)
{
	return bpf_obj_get(below(g->pins, name).text);
}

int guards_open_maps(struct guards *g, int (*find)(const struct guards *g, const char *name))
{
	struct picket_owner owner;
	struct bpf_map_info ring = {};
	uint32_t length = sizeof(ring);
	int missing = 0;
	for (size_t i = 0; i < GUARDS_MAPS; i++) {
		g->maps[i] = find(g, guards_map_names[i]);
		missing = g->maps[i] < 0 && missing == 0 ? -errno : missing;
	}
	if (missing < 0)
		return missing;
	if (owner_read(g->maps[GUARDS_OWNER], &owner) < 0 || strcmp(owner.version, PICKET_VERSION) != 0 ||
	    !map_fits(g->maps[GUARDS_CONTROL], sizeof(struct guard_control)) ||
	    !map_fits(g->maps[GUARDS_POLICIES], sizeof(struct guard_policy)) ||
	    !map_fits(g->maps[GUARDS_STATES], sizeof(struct guard_state)))
		return -ESTALE;
	if (bpf_obj_get_info_by_fd(g->maps[GUARDS_VERDICTS], &ring, &length))
		return -errno;
	return ring_open(&g->ring, g->maps[GUARDS_VERDICTS], ring.max_entries);
}

int guards_adopt(const char *instance, struct guards **ret_guards)
{
	struct path newest = {""};
	int r = each_load(instance, take_newest, &newest);
	if (r < 0 || !newest.text[0])
		return r < 0 ? r : -ENOENT;
	struct guards *g = guards_alloc();
	if (!g)
		return -ENOMEM;
	memcpy(g->pins, newest.text, sizeof(g->pins));
	r = guards_open_maps(g, find_pin);
	if (r < 0) {
		guards_leave(g);
		return r;
	}
	*ret_guards = g;
	return 0;
}
