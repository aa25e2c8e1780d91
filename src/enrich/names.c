/* SPDX-License-Identifier: Apache-2.0 */
#include "enrich/names.h"

#include "enrich/links.h"

#include <errno.h>
#include <fcntl.h>

#define NAMES_MAX ARRAY_SIZE(((struct enrich_view *)NULL)->names)
#define ALIASES_MAX 2 /* watched paths that are one file */
#define LINKS_DEPTH_MAX 8

struct name_set {
	struct str names[NAMES_MAX];
	unsigned count;
};

static void name_set_add(struct name_set *s, struct str name)
{
	if (name.length == 0 || s->count == NAMES_MAX)
		return;
	for (unsigned i = 0; i < s->count; i++)
		if (str_equal(s->names[i], name))
			return;
	s->names[s->count++] = name;
}

/* ---- joining ---- */

struct path_builder {
	char *data;           /* ends with '/' but for a floor that does not */
	size_t length, floor; /* floor: ".." goes no higher */
};

static void path_begin(struct path_builder *b, struct str base)
{
	b->length = b->floor = base.length;
	if (base.length == 0)
		return;
	memcpy(b->data, base.data, base.length);
	if (base.data[0] != '/')
		return;
	b->floor = 1;
	if (b->data[b->length - 1] != '/')
		b->data[b->length++] = '/';
}

static void path_up(struct path_builder *b)
{
	if (b->length > b->floor)
		b->length--;
	while (b->length > b->floor && b->data[b->length - 1] != '/')
		b->length--;
}

static void path_down(struct path_builder *b, struct str component)
{
	if (component.length == 0 || str_equal(component, STR(".")))
		return;
	if (str_equal(component, STR(".."))) {
		path_up(b);
		return;
	}
	memcpy(b->data + b->length, component.data, component.length);
	b->length += component.length;
	b->data[b->length++] = '/';
}

static struct str path_end(struct path_builder *b)
{
	if (b->length > 1 && b->length > b->floor && b->data[b->length - 1] == '/')
		b->length--;
	return str_make(b->data, b->length);
}

static bool path_is_absolute(struct str path)
{
	return path.length > 0 && path.data[0] == '/';
}

/* Absolute, and without anything that would be resolved. That a name begins with a dot is taken for doubt. */
static bool path_is_normal(struct str path)
{
	if (!path_is_absolute(path) || (path.length > 1 && path.data[path.length - 1] == '/'))
		return false;
	for (size_t i = 1; i < path.length; i++)
		if (path.data[i - 1] == '/' && (path.data[i] == '/' || path.data[i] == '.'))
			return false;
	return true;
}

struct str names_join(struct arena *arena, struct str base, struct str path)
{
	struct str component;
	if (path.length == 0)
		return STR("");
	if (path_is_normal(path))
		return path;
	if (path_is_absolute(path))
		base = STR("/");
	struct path_builder b = {.data = arena_alloc(arena, base.length + path.length + 3)};
	if (!b.data)
		return (struct str){0};
	path_begin(&b, base);
	while (str_next(&path, '/', &component))
		path_down(&b, component);
	return path_end(&b);
}

/* ---- links of /proc that lead to a root or working directory ---- */

/* Takes the last component off path, which ends with '/'. */
static struct str path_pop(struct str *path)
{
	size_t end = path->length ? path->length - 1 : 0, begin = end;
	while (begin > 0 && path->data[begin - 1] != '/')
		begin--;
	struct str component = str_make(path->data + begin, end - begin);
	path->length = begin;
	return component;
}

static bool is_number(struct str s)
{
	uint64_t number;
	return s.length > 0 && s.data[0] >= '0' && s.data[0] <= '9' && str_to_u64(s, &number) == 0;
}

enum proc_link { PROC_LINK_NONE, PROC_LINK_ROOT, PROC_LINK_CWD };

/* Is path, which ends with '/', /proc/WHO/root/ or /proc/WHO/cwd/? Only there, since elsewhere a directory may just be
 * called proc; when the call succeeded, the kernel's own path tells the truth of every other place too. */
static enum proc_link path_proc_link(struct str path, struct str *ret_who)
{
	struct str what = path_pop(&path), who = path_pop(&path), above = path_pop(&path);
	enum proc_link link = str_equal(what, STR("root"))  ? PROC_LINK_ROOT
	                      : str_equal(what, STR("cwd")) ? PROC_LINK_CWD
	                                                    : PROC_LINK_NONE;
	if (link == PROC_LINK_NONE)
		return PROC_LINK_NONE;
	if (str_equal(above, STR("task")) && is_number(who)) {
		who = path_pop(&path);
		above = path_pop(&path);
	}
	if (!str_equal(above, STR("proc")) || !str_equal(path, STR("/")))
		return PROC_LINK_NONE;
	if (!is_number(who) && !str_equal(who, STR("self")) && !str_equal(who, STR("thread-self")))
		return PROC_LINK_NONE;
	*ret_who = who;
	return link;
}

static struct str proc_link_target(const struct enrich_view *view, enum proc_link link, struct str who)
{
	uint64_t pid;
	if (link == PROC_LINK_ROOT)
		return STR("/");
	if (str_to_u64(who, &pid) < 0)
		return view->process ? view->process->cwd : (struct str){0};
	const struct process *p = pid <= UINT32_MAX ? process_find(view->enrich->processes, (uint32_t)pid, 0) : NULL;
	return p ? p->cwd : (struct str){0};
}

/* As names_join(), but goes on from where a link of /proc leads to: "/proc/self/root/../etc" is "/etc". */
static struct str path_follow(const struct enrich_view *view, struct arena *arena, struct str base, struct str path)
{
	struct str component, who;
	if (path_is_absolute(path))
		base = STR("/");
	size_t room = MAX(base.length, EVENT_PATH_MAX) + path.length + 3;
	struct path_builder b = {.data = arena_alloc(arena, room)};
	if (!b.data)
		return (struct str){0};
	path_begin(&b, base);
	while (str_next(&path, '/', &component)) {
		path_down(&b, component);
		enum proc_link link = path_proc_link(str_make(b.data, b.length), &who);
		struct str target = link ? proc_link_target(view, link, who) : (struct str){0};
		if (target.length > 0 && target.length <= EVENT_PATH_MAX)
			path_begin(&b, target);
	}
	return path_end(&b);
}

/* ---- paths that a call named ---- */

const struct arg_info *names_main_arg(const struct event *e)
{
	for (unsigned i = 0; i < e->info->arg_count; i++)
		if (e->info->args[i].type == ARG_PATH && e->info->args[i].kind != ARG_DERIVED)
			return &e->info->args[i];
	return NULL;
}

const struct arg_info *names_dirfd(const struct event *e, const struct arg_info *a)
{
	if (a == e->info->args || a[-1].type != ARG_FD || a[-1].kind != ARG_PLAIN)
		return NULL;
	return a - 1;
}

struct str names_base(const struct enrich_view *view, const struct arg_info *a)
{
	struct str text, base = {0};
	bool truncated;
	if (event_arg_path(&view->event, a, &text, &base, &truncated) && base.data)
		return base;
	const struct arg_info *dirfd = names_dirfd(&view->event, a);
	bool at_cwd = !dirfd || (int32_t)event_arg_number(&view->event, dirfd) == AT_FDCWD;
	if (at_cwd && view->process && view->process->cwd.length > 0)
		return view->process->cwd;
	return STR(UNKNOWN_DIRECTORY);
}

/* An empty path means the descriptor itself if the call allows that, and else is nothing. */
static bool path_is_of_fd(const struct event *e)
{
	const struct arg_info *flags = event_find_arg(e->info, STR("flags"));
	if (e->header->result >= 0)
		return true;
	return flags && flags->kind == ARG_PLAIN && flags->table != NAMES_open &&
	       event_arg_number(e, flags) & AT_EMPTY_PATH;
}

static struct str path_inside(struct str path, struct str root)
{
	if (!str_starts_with(path, root) || (path.length > root.length && path.data[root.length] != '/'))
		return (struct str){0};
	return path.length == root.length ? STR("/") : str_make(path.data + root.length, path.length - root.length);
}

static struct str path_outside(struct arena *arena, struct str path, struct str root)
{
	struct path_builder b = {.data = arena_alloc(arena, root.length + path.length + 3)};
	if (!b.data)
		return (struct str){0};
	memcpy(b.data, root.data, root.length);
	memcpy(b.data + root.length, path.data, path.length);
	b.length = root.length + path.length;
	b.floor = 1;
	return path_end(&b);
}

struct asked {
	struct str text, base; /* an absolute path has no use for its base */
	struct str joined;
};

static bool path_asked(const struct enrich_view *view, const struct arg_info *a, struct arena *arena,
                       struct asked *ret_asked)
{
	struct asked asked;
	bool truncated;
	if (!event_arg_path(&view->event, a, &asked.text, &asked.base, &truncated))
		return false;
	if (!path_is_absolute(asked.text))
		asked.base = names_base(view, a);
	asked.joined = names_join(arena, asked.base, asked.text);
	if (asked.text.length == 0 && path_is_of_fd(&view->event) && path_is_absolute(asked.base))
		asked.joined = names_join(arena, STR("/"), asked.base);
	*ret_asked = asked;
	return asked.joined.data != NULL;
}

/* Does the call act on what a symbolic link at the end of its path leads to, and not on the link? */
static bool follows_last(const struct event *e)
{
	const struct arg_info *flags = event_find_arg(e->info, STR("flags"));
	switch ((int)e->header->type) {
	case EVENT_open:
	case EVENT_openat:
	case EVENT_openat2:
	case EVENT_creat:
	case EVENT_truncate:
	case EVENT_chmod:
	case EVENT_chown:
	case EVENT_setxattr:
	case EVENT_chdir:
	case EVENT_chroot:
		return true;
	case EVENT_fchmodat:
	case EVENT_fchmodat2:
	case EVENT_fchownat:
		return !flags || !(event_arg_number(e, flags) & AT_SYMLINK_NOFOLLOW);
	default:
		return false;
	}
}

static void names_add_followed(const struct enrich_view *view, const struct asked *asked, struct arena *arena,
                               struct name_set *set)
{
	const struct fd_info *fd = event_fd(&view->event);
	if (asked->text.length == 0 || (fd && names_are_of_fd(&view->event) && names_fd_has_path(fd)))
		return; /* the kernel told; it does not for a descriptor that only io_uring has */
	struct str path = asked->joined, found[LINKS_DEPTH_MAX];
	unsigned depth = 0;
	while (depth < LINKS_DEPTH_MAX) {
		path = links_follow(view->enrich->links, view, path, follows_last(&view->event), arena);
		if (!path.data)
			break;
		found[depth++] = path;
	}
	while (depth > 0) /* the end of a long chain tells more than its middle */
		name_set_add(set, found[--depth]);
}

/* Does it lead through a process's directory, whose links may go back to a root? A path that needed no resolving does so
 * from its beginning on, or not at all. */
static bool leads_through_proc(const struct asked *asked)
{
	if (asked->text.length == 0)
		return false;
	if (asked->joined.data == asked->text.data)
		return str_starts_with(asked->joined, STR("/proc/"));
	return str_contains(asked->joined, STR("/proc/"));
}

/* What the path asked for may also be called, without knowing which file was reached. */
static void names_add_rewritten(const struct enrich_view *view, const struct asked *asked, struct arena *arena,
                                struct name_set *set)
{
	struct str root = {0};
	bool truncated;
	if (leads_through_proc(asked))
		name_set_add(set, path_follow(view, arena, asked->base, asked->text));
	if (!(view->event.header->flags & EVENT_F_CHROOT) ||
	    !event_slot_str(&view->event, view->event.header->root, &root, &truncated) || root.length < 2)
		return;
	if (path_is_absolute(asked->text))
		name_set_add(set, path_outside(arena, asked->joined, root));
	else
		name_set_add(set, path_inside(asked->joined, root));
}

/* ---- the file that was reached ---- */

static void names_add_aliases(const struct enrich_view *view, uint32_t dev, uint64_t ino, struct name_set *set)
{
	struct str path;
	for (unsigned n = 0; n < ALIASES_MAX && enrich_watch_find(view->enrich, dev, ino, n, &path); n++)
		name_set_add(set, path);
}

/* A part of the host's root file system that is mounted at another place too: its name there. The root file system is
 * taken to be the one that holds the program of pid 1. */
static void names_add_bind(const struct enrich_view *view, const struct fd_info *fd, struct name_set *set)
{
	struct str path;
	bool truncated;
	if (!(fd->flags & FD_F_BIND) || !view->process)
		return;
	const struct process *init = process_find(view->enrich->processes, 1, 0);
	if (!init || !init->image || init->image->dev != fd->dev || init->state.ns_mnt != view->process->state.ns_mnt)
		return;
	if (event_slot_str(&view->event, fd->fspath, &path, &truncated) && path_is_absolute(path))
		name_set_add(set, path);
}

static void names_add_fd(const struct enrich_view *view, struct name_set *set)
{
	struct str path;
	bool truncated;
	const struct fd_info *fd = event_fd(&view->event);
	if (!fd || !names_are_of_fd(&view->event) || !names_fd_has_path(fd))
		return;
	if (event_slot_str(&view->event, fd->path, &path, &truncated))
		name_set_add(set, path);
	names_add_aliases(view, fd->dev, fd->ino, set);
	names_add_bind(view, fd, set);
}

/* The program that an exec reached by the name that was asked for; a script is not its interpreter. */
static void names_add_program(const struct enrich_view *view, struct name_set *set)
{
	const struct event *e = &view->event;
	if (e->header->type != EVENT_execve || e->header->result < 0 || !view->process || !view->process->image)
		return;
	const struct image *image = view->process->image;
	if (!path_is_absolute(image->exepath) || (image->interp.length && !str_equal(image->interp, image->filename)))
		return;
	name_set_add(set, image->exepath);
	names_add_aliases(view, image->dev, image->inode, set);
}

/* ---- all of them ---- */

static void names_add_arg(const struct enrich_view *view, const struct arg_info *a, struct arena *arena,
                          struct name_set *set)
{
	struct asked asked;
	bool is_main = a == names_main_arg(&view->event);
	if (!path_asked(view, a, arena, &asked)) {
		if (is_main)
			names_add_fd(view, set);
		return;
	}
	name_set_add(set, asked.joined);
	if (is_main) {
		names_add_fd(view, set);
		names_add_program(view, set);
	}
	names_add_followed(view, &asked, arena, set);
	names_add_rewritten(view, &asked, arena, set);
}

static bool arg_is_further_path(const struct arg_info *a, const struct arg_info *main_arg)
{
	return a != main_arg && a->type == ARG_PATH && a->kind != ARG_DERIVED;
}

static unsigned count_names(const struct enrich_view *view, const struct arg_info *a, struct arena *arena)
{
	struct name_set set = {0};
	names_add_arg(view, a, arena, &set);
	return set.count;
}

int names_fill(struct enrich_view *view)
{
	struct arena *arena = &view->enrich->arena;
	const struct event *e = &view->event;
	const struct arg_info *main_arg = names_main_arg(e);
	struct name_set set = {0};
	struct str text, base;
	bool truncated;
	unsigned most = 1;

	view->name_index = 0;
	if (!main_arg) {
		names_add_fd(view, &set);
	} else {
		names_add_arg(view, main_arg, arena, &set);
		if (set.count == 0 && event_arg_path(e, main_arg, &text, &base, &truncated) && text.length > 0)
			return -ENOMEM;
	}
	for (unsigned i = 0; main_arg && i < e->info->arg_count; i++) {
		const struct arg_info *a = &e->info->args[i];
		if (arg_is_further_path(a, main_arg))
			most = MAX(most, count_names(view, a, arena));
	}
	/* A name that only the other path of a call has is a name for both: this one is then as it was asked for. */
	view->name_count = MAX(most, set.count);
	for (unsigned i = 0; i < view->name_count; i++)
		view->names[i] = i < set.count ? set.names[i] : set.names[0];
	return 0;
}

struct str names_arg(const struct enrich_view *view, const struct arg_info *a, struct arena *arena)
{
	struct name_set set = {0};
	struct str text, base;
	bool truncated;
	if (!event_arg_path(&view->event, a, &text, &base, &truncated))
		return (struct str){0};
	if (a == names_main_arg(&view->event))
		return view->names[view->name_index].data ? view->names[view->name_index] : STR("");
	names_add_arg(view, a, arena, &set);
	if (set.count == 0)
		return STR("");
	return set.names[view->name_index < set.count ? view->name_index : 0];
}
