/* SPDX-License-Identifier: Apache-2.0 */
#include "enrich/links.h"

#include "base/map.h"
#include "enrich/names.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/mount.h>

#define LINKS_MAX 2048
#define LINK_BYTES_MAX 1024 /* of a key or target; longer ones are not remembered */

struct link {
	struct link *older, *newer;
	struct str key, target; /* behind the struct */
	char text[];
};

struct links {
	struct map by_key; /* borrows */
	struct link *oldest, *newest;
};

int links_new(struct links **ret_links)
{
	struct links *l = calloc(1, sizeof(*l));
	if (!l)
		return -ENOMEM;
	map_init(&l->by_key, LINKS_MAX);
	*ret_links = l;
	return 0;
}

static void forget(struct links *l, struct link *link)
{
	map_remove(&l->by_key, link->key);
	*(link->older ? &link->older->newer : &l->oldest) = link->newer;
	*(link->newer ? &link->newer->older : &l->newest) = link->older;
	free(link);
}

void links_free(struct links *l)
{
	if (!l)
		return;
	while (l->oldest)
		forget(l, l->oldest);
	map_done(&l->by_key);
	free(l);
}

/* ---- keys: the container's id, a NUL, the path ---- */
static struct str make_key(const struct enrich_view *view, struct str path, struct arena *arena)
{
	const struct container *c = view->process ? view->process->container : NULL;
	struct str owner = c ? str_from(c->id) : STR("");
	char *key = arena_alloc(arena, owner.length + 1 + path.length);
	if (!key)
		return (struct str){0};
	memcpy(key, owner.data, owner.length);
	memcpy(key + owner.length + 1, path.data, path.length);
	return str_make(key, owner.length + 1 + path.length);
}

static int remember(struct links *l, struct str key, struct str target)
{
	struct link *link = map_get(&l->by_key, key);
	if (link)
		forget(l, link);
	if (l->by_key.count == LINKS_MAX)
		forget(l, l->oldest);
	link = calloc(1, sizeof(*link) + key.length + target.length);
	if (!link)
		return -ENOMEM;
	memcpy(link->text, key.data, key.length);
	memcpy(link->text + key.length, target.data, target.length);
	link->key = str_make(link->text, key.length);
	link->target = str_make(link->text + key.length, target.length);
	int r = map_put(&l->by_key, link->key, link, NULL);
	if (r < 0) {
		free(link);
		return r;
	}
	link->older = l->newest;
	*(l->newest ? &l->newest->newer : &l->oldest) = link;
	l->newest = link;
	return 0;
}

/* ---- what events tell ---- */
/* That each name of the event's path leads to target. */
static int remember_all(struct links *l, const struct enrich_view *view, struct str target, struct arena *arena)
{
	if (target.length == 0 || target.length > LINK_BYTES_MAX)
		return 0;
	for (unsigned i = 0; i < view->name_count; i++) {
		struct str key = make_key(view, view->names[i], arena);
		if (!key.data)
			return -ENOMEM;
		int r = key.length <= LINK_BYTES_MAX ? remember(l, key, target) : 0;
		if (r < 0)
			return r;
	}
	return 0;
}

static int made(struct links *l, const struct enrich_view *view, struct arena *arena)
{
	const struct arg_info *a = event_find_arg(view->event.info, STR("target"));
	struct str target;
	bool truncated;
	if (!a || !event_arg_slot(&view->event, a, &target, &truncated) || truncated)
		return 0;
	return remember_all(l, view, target, arena);
}

/* A directory or file mounted at a second place. */
static int bound(struct links *l, const struct enrich_view *view, struct arena *arena)
{
	const struct arg_info *source = event_find_arg(view->event.info, STR("dev"));
	const struct arg_info *flags = event_find_arg(view->event.info, STR("flags"));
	struct str text;
	bool truncated;
	if (!source || !flags || (event_arg_number(&view->event, flags) & (MS_BIND | MS_REMOUNT)) != MS_BIND ||
	    !event_arg_slot(&view->event, source, &text, &truncated) || truncated || !view->process)
		return 0;
	return remember_all(l, view, names_join(arena, view->process->cwd, text), arena);
}

static struct link *find(const struct links *l, const struct enrich_view *view, struct str path, struct arena *arena)
{
	struct str key = path.data ? make_key(view, path, arena) : (struct str){0};
	return key.data ? map_get(&l->by_key, key) : NULL;
}

/* What stood at the new name is gone; a link at the old one now stands there. */
static int renamed(struct links *l, const struct enrich_view *view, struct arena *arena)
{
	const struct arg_info *a = event_find_arg(view->event.info, STR("newpath"));
	struct str path = a ? names_arg(view, a, arena) : (struct str){0};
	struct link *from = find(l, view, view->names[0], arena), *to = find(l, view, path, arena);
	int r = 0;
	if (to && to != from)
		forget(l, to);
	if (!from || !path.data || to == from)
		return 0;
	struct str key = make_key(view, path, arena), target = arena_str(arena, from->target);
	if (!key.data || !target.data)
		return -ENOMEM;
	if (key.length <= LINK_BYTES_MAX)
		r = remember(l, key, target);
	from = find(l, view, view->names[0], arena); /* it may have been the oldest */
	if (from)
		forget(l, from);
	return r;
}

static void removed(struct links *l, const struct enrich_view *view, struct arena *arena)
{
	struct link *link = find(l, view, view->names[0], arena);
	if (link)
		forget(l, link);
}

int links_event(struct links *l, const struct enrich_view *view)
{
	struct arena *arena = &view->enrich->arena;
	if (view->event.header->result < 0)
		return 0;
	switch ((int)view->event.header->type) {
	case EVENT_symlink:
	case EVENT_symlinkat:
		return made(l, view, arena);
	case EVENT_mount:
		return bound(l, view, arena);
	case EVENT_rename:
	case EVENT_renameat:
	case EVENT_renameat2:
		return l->oldest ? renamed(l, view, arena) : 0;
	case EVENT_unlink:
	case EVENT_unlinkat:
	case EVENT_umount:
	case EVENT_umount2:
		if (l->oldest)
			removed(l, view, arena);
		return 0;
	default:
		return 0;
	}
}

/* ---- following ---- */
/* The first link in the path that key ends with, or NULL. ret_length: of the key as far as the link's end. */
static const struct link *first_link(const struct links *l, struct str key, size_t path_at, bool whole,
                                     size_t *ret_length)
{
	for (size_t end = path_at + 2; end <= key.length; end++) {
		if (end < key.length ? key.data[end] != '/' : !whole)
			continue;
		const struct link *link = map_get(&l->by_key, str_make(key.data, end));
		if (!link)
			continue;
		*ret_length = end;
		return link;
	}
	return NULL;
}

struct str links_follow(const struct links *l, const struct enrich_view *view, struct str path, bool whole,
                        struct arena *arena)
{
	if (!l->oldest || path.length < 2 || path.data[0] != '/')
		return (struct str){0};
	struct str key = make_key(view, path, arena);
	size_t end, path_at = key.length - path.length;
	const struct link *link = key.data ? first_link(l, key, path_at, whole, &end) : NULL;
	if (!link || link->target.length + path.length > EVENT_PATH_MAX)
		return (struct str){0};
	size_t rest = key.length - end, directory = end - path_at;
	while (directory > 1 && path.data[directory - 1] != '/')
		directory--;
	char *text = arena_alloc(arena, link->target.length + rest);
	if (!text)
		return (struct str){0};
	memcpy(text, link->target.data, link->target.length);
	memcpy(text + link->target.length, key.data + end, rest);
	return names_join(arena, str_make(path.data, directory), str_make(text, link->target.length + rest));
}
