/* SPDX-License-Identifier: Apache-2.0 */
#include "enrich/watch.h"

#include "base/map.h"
#include "enrich/rootfs.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/sysmacros.h>

#define WATCHES_MAX 8192

struct watch {
	struct watch *next_name, *next_file; /* of the same last component; that are the same file */
	uint32_t dev;
	uint64_t ino; /* 0: there is no such file */
	size_t length;
	char path[];
};

struct file_key {
	uint64_t ino;
	uint64_t dev; /* no holes: this is hashed */
};

struct watches {
	struct map by_path; /* owns */
	struct map by_name; /* last component: first of a chain */
	struct map by_file; /* struct file_key: first of a chain */
};

static struct str watch_path(const struct watch *w)
{
	return str_make(w->path, w->length);
}

static struct str last_component(struct str path)
{
	while (path.length > 1 && path.data[path.length - 1] == '/')
		path.length--;
	const char *slash = path.length ? memrchr(path.data, '/', path.length) : NULL;
	size_t at = slash ? (size_t)(slash - path.data) + 1 : 0;
	return str_make(path.data + at, path.length - at);
}

int watches_new(struct watches **ret_watches)
{
	struct watches *w = calloc(1, sizeof(*w));
	if (!w)
		return -ENOMEM;
	map_init(&w->by_path, WATCHES_MAX);
	map_init(&w->by_name, WATCHES_MAX);
	map_init(&w->by_file, WATCHES_MAX);
	*ret_watches = w;
	return 0;
}

void watches_clear(struct watches *w)
{
	size_t position = 0;
	struct str path;
	void *item;
	while (map_next(&w->by_path, &position, &path, &item))
		free(item);
	map_done(&w->by_path);
	map_done(&w->by_name);
	map_done(&w->by_file);
	map_init(&w->by_path, WATCHES_MAX);
	map_init(&w->by_name, WATCHES_MAX);
	map_init(&w->by_file, WATCHES_MAX);
}

void watches_free(struct watches *w)
{
	if (!w)
		return;
	watches_clear(w);
	free(w);
}

int watches_add(struct watches *w, struct str path)
{
	if (path.length < 2 || path.data[0] != '/' || path.length > EVENT_PATH_MAX || map_get(&w->by_path, path))
		return 0; /* nothing that could be looked at, or there already */
	struct watch *watch = calloc(1, sizeof(*watch) + path.length + 1);
	if (!watch)
		return -ENOMEM;
	memcpy(watch->path, path.data, path.length);
	watch->length = path.length;
	void *old = NULL;
	int r = map_put(&w->by_path, path, watch, NULL);
	if (r < 0) {
		free(watch);
		return r;
	}
	r = map_put(&w->by_name, last_component(path), watch, &old);
	if (r < 0) {
		free(map_remove(&w->by_path, path));
		return r;
	}
	watch->next_name = old;
	return 0;
}

/* ---- which file it is ---- */
static struct file_key file_key(uint32_t dev, uint64_t ino)
{
	return (struct file_key){.ino = ino, .dev = dev};
}

static struct str key_str(const struct file_key *key)
{
	return str_make((const char *)key, sizeof(*key));
}

static void leave_file(struct watches *w, struct watch *watch)
{
	struct file_key key = file_key(watch->dev, watch->ino);
	struct watch *first = watch->ino ? map_get(&w->by_file, key_str(&key)) : NULL;
	if (first == watch && watch->next_file) {
		if (map_put(&w->by_file, key_str(&key), watch->next_file, NULL) < 0)
			return; /* replacing takes no memory */
	} else if (first == watch) {
		map_remove(&w->by_file, key_str(&key));
	} else {
		while (first && first->next_file != watch)
			first = first->next_file;
		if (first)
			first->next_file = watch->next_file;
	}
	watch->next_file = NULL;
	watch->ino = 0;
}

/* True: it was another before. */
static bool set_file(struct watches *w, struct watch *watch, uint32_t dev, uint64_t ino)
{
	if (watch->ino == ino && (ino == 0 || watch->dev == dev))
		return false;
	leave_file(w, watch);
	if (ino) {
		struct file_key key = file_key(dev, ino);
		void *old = NULL;
		if (map_put(&w->by_file, key_str(&key), watch, &old) < 0)
			return true; /* no memory: as if there were no such file, until the next look */
		watch->next_file = old;
	}
	watch->dev = dev;
	watch->ino = ino;
	return true;
}

static void read_watch(struct watches *w, struct watch *watch, const struct watch_reader *reader)
{
	struct stat st;
	uint32_t dev = 0;
	uint64_t ino = 0;
	if (rootfs_stat(reader->root_fd, watch->path, ROOTFS_HOST, &st) == 0) {
		dev = major(st.st_dev) << 20 | minor(st.st_dev);
		ino = st.st_ino;
	}
	if (set_file(w, watch, dev, ino))
		reader->changed(reader->userdata, watch_path(watch), dev, ino);
}

void watches_read(struct watches *w, struct str path, const struct watch_reader *reader)
{
	struct watch *watch = map_get(&w->by_path, path);
	if (watch)
		read_watch(w, watch, reader);
}

void watches_read_all(struct watches *w, const struct watch_reader *reader)
{
	size_t position = 0;
	struct str path;
	void *watch;
	while (map_next(&w->by_path, &position, &path, &watch))
		read_watch(w, watch, reader);
}

static bool type_changes_names(enum event_type type)
{
	switch ((int)type) {
	case EVENT_rename:
	case EVENT_renameat:
	case EVENT_renameat2:
	case EVENT_link:
	case EVENT_linkat:
	case EVENT_symlink:
	case EVENT_symlinkat:
	case EVENT_unlink:
	case EVENT_unlinkat:
	case EVENT_mknod:
	case EVENT_mknodat:
	case EVENT_mkdir:
	case EVENT_mkdirat:
	case EVENT_rmdir:
		return true;
	default:
		return false;
	}
}

static bool changes_names(const struct event *e)
{
	const struct fd_info *fd = event_fd(e);
	return type_changes_names(e->header->type) || (fd && fd->flags & FD_F_CREATED);
}

static bool type_changes_mounts(enum event_type type)
{
	switch ((int)type) {
	case EVENT_mount:
	case EVENT_umount:
	case EVENT_umount2:
	case EVENT_move_mount:
	case EVENT_pivot_root:
		return true;
	default:
		return false;
	}
}

bool watches_follow(enum event_type type)
{
	return type_changes_names(type) || type_changes_mounts(type);
}

/* By the last component alone: which directory a relative path meant need not be known for looking again. */
bool watches_touch(struct watches *w, const struct event *e, const struct watch_reader *reader)
{
	if (e->header->result < 0 || w->by_path.count == 0)
		return false;
	if (type_changes_mounts(e->header->type))
		return true;
	if (!changes_names(e))
		return false;
	for (unsigned i = 0; i < e->info->arg_count; i++) {
		const struct arg_info *a = &e->info->args[i];
		struct str path;
		bool truncated;
		if (a->type != ARG_PATH || a->kind == ARG_DERIVED || !event_arg_slot(e, a, &path, &truncated))
			continue;
		for (struct watch *watch = map_get(&w->by_name, last_component(path)); watch; watch = watch->next_name)
			read_watch(w, watch, reader);
	}
	return false;
}

int watches_set(struct watches *w, struct str path, uint32_t dev, uint64_t ino)
{
	int r = watches_add(w, path);
	struct watch *watch = map_get(&w->by_path, path);
	if (r == 0 && watch)
		set_file(w, watch, dev, ino);
	return r;
}

bool watches_find(const struct watches *w, uint32_t dev, uint64_t ino, unsigned n, struct str *ret_path)
{
	struct file_key key = file_key(dev, ino);
	const struct watch *watch = w->by_file.count && ino ? map_get(&w->by_file, key_str(&key)) : NULL;
	while (watch && n--)
		watch = watch->next_file;
	if (!watch)
		return false;
	*ret_path = watch_path(watch);
	return true;
}

void watches_each(const struct watches *w, void (*call)(void *userdata, uint32_t dev, uint64_t ino), void *userdata)
{
	size_t position = 0;
	struct str path;
	void *item;
	while (map_next(&w->by_path, &position, &path, &item)) {
		const struct watch *watch = item;
		if (watch->ino)
			call(userdata, watch->dev, watch->ino);
	}
}

int watches_put_all(const struct watches *w, int (*put)(void *userdata, struct str path, uint32_t dev, uint64_t ino),
                    void *userdata)
{
	size_t position = 0;
	struct str path;
	void *item;
	while (map_next(&w->by_path, &position, &path, &item)) {
		const struct watch *watch = item;
		int r = watch->ino ? put(userdata, path, watch->dev, watch->ino) : 0;
		if (r < 0)
			return r;
	}
	return 0;
}
