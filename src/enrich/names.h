/* SPDX-License-Identifier: Apache-2.0
 *
 * Private to the room: the names of an event's file. A path that was asked for and the file that the kernel reached may
 * differ (links, bind mounts, other roots); rules are judged under each name. The first is always the one asked for,
 * joined with its directory and normalised; the others, in this order and as far as there is room:
 *	the kernel's path of the file reached,
 *	each watched path that is the same file (hard link, bind mount),
 *	its place in a file system that is also the host's root, if it was reached through a bind mount,
 *	if the kernel does not tell what was reached: the path asked for without the symbolic links that are known,
 *	the path asked for without what merely leads back to a root: /proc/self/root, /proc/PID/cwd,
 *	the path asked for as seen from outside of the caller's chroot, and from inside.
 *
 * They are the names of one argument, the event's main path (its first argument of type PATH), or if it has none of
 * the descriptor. A further path of the same call (rename, link) has names of its own, by the last three rules only.
 */
#ifndef PICKET_ENRICH_NAMES_H
#define PICKET_ENRICH_NAMES_H

#include "enrich/enrich_int.h"

#define UNKNOWN_DIRECTORY "<UNKNOWN>"

/* Fills view->names, name_count (at least 1) and name_index of a view that is otherwise complete. The texts live in the
 * arena of view->enrich or in the event. Returns 0, -ENOMEM. */
int names_fill(struct enrich_view *view) must_check;

/* path as seen from directory base, lexically: an absolute path has no use for base; "//", "." and ".." are resolved,
 * the last never above the root; no slash at the end. An empty path stays empty. A base that does not begin with a
 * slash is put before the path as it is. The path itself if there is nothing to do; data is NULL if there is no memory. */
struct str names_join(struct arena *arena, struct str base, struct str path) must_check;

const struct arg_info *names_main_arg(const struct event *e); /* NULL: the event has no path */
/* The names are also those of the event's descriptor. */
static inline bool names_are_of_fd(const struct event *e)
{
	return e->info->fd_use == FD_CREATES || (e->info->fd_use != FD_NO && !names_main_arg(e));
}
/* The event's argument a, of type PATH, under the view's name_index. data is NULL if it is missing. */
struct str names_arg(const struct enrich_view *view, const struct arg_info *a, struct arena *arena);
/* The directory that argument a is relative to: what the kernel said, else the working directory, else
 * UNKNOWN_DIRECTORY. */
struct str names_base(const struct enrich_view *view, const struct arg_info *a);
/* The descriptor that argument a is relative to: the argument before it. NULL: the working directory. */
const struct arg_info *names_dirfd(const struct event *e, const struct arg_info *a);
/* Is it in a tree of files, so that its path is a path? */
static inline bool names_fd_has_path(const struct fd_info *fd)
{
	return fd->kind == FD_FILE || fd->kind == FD_DIRECTORY || (fd->kind == FD_PIPE && fd->path.length > 0);
}

#endif
