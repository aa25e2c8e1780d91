/* SPDX-License-Identifier: Apache-2.0
 *
 * fs.path.*: the paths of a call, whatever their arguments are called.
 */
#include "enrich/field_int.h"

/* Which arguments of an event are its paths; "" stands for the event's descriptor. */
static const struct path_args {
	enum event_type type;
	const char *name, *source, *target;
} path_args[] = {
        {EVENT_open, .name = "name"},
        {EVENT_openat, .name = "name"},
        {EVENT_openat2, .name = "name"},
        {EVENT_creat, .name = "name"},
        {EVENT_open_by_handle_at, .name = ""},
        {EVENT_mkdir, .name = "path"},
        {EVENT_mkdirat, .name = "path"},
        {EVENT_rmdir, .name = "path"},
        {EVENT_unlink, .name = "path"},
        {EVENT_unlinkat, .name = "name"},
        {EVENT_mknod, .name = "path"},
        {EVENT_mknodat, .name = "path"},
        {EVENT_truncate, .name = "path"},
        {EVENT_ftruncate, .name = ""},
        {EVENT_chmod, .name = "filename"},
        {EVENT_fchmod, .name = ""},
        {EVENT_fchmodat, .name = "filename"},
        {EVENT_fchmodat2, .name = "filename"},
        {EVENT_chown, .name = "path"},
        {EVENT_lchown, .name = "path"},
        {EVENT_fchown, .name = ""},
        {EVENT_fchownat, .name = "pathname"},
        {EVENT_setxattr, .name = "path"},
        {EVENT_lsetxattr, .name = "path"},
        {EVENT_fsetxattr, .name = ""},
        {EVENT_umount, .name = "name"},
        {EVENT_umount2, .name = "name"},
        {EVENT_rename, .source = "oldpath", .target = "newpath"},
        {EVENT_renameat, .source = "oldpath", .target = "newpath"},
        {EVENT_renameat2, .source = "oldpath", .target = "newpath"},
        {EVENT_link, .source = "newpath", .target = "oldpath"},
        {EVENT_linkat, .source = "newpath", .target = "oldpath"},
        {EVENT_symlink, .source = "linkpath", .target = "target"},
        {EVENT_symlinkat, .source = "linkpath", .target = "target"},
        {EVENT_mount, .source = "dev", .target = "dir"},
        {EVENT_move_mount, .source = "from_path", .target = "to_path"},
};

static const struct path_args *find_path_args(enum event_type type)
{
	for (size_t i = 0; i < ARRAY_SIZE(path_args); i++)
		if (path_args[i].type == type)
			return &path_args[i];
	return NULL;
}

/* An open that failed has its path as one that did not; of other calls only those that took effect. */
static bool is_told(const struct event *e)
{
	switch (e->header->type) {
	case EVENT_open:
	case EVENT_openat:
	case EVENT_openat2:
	case EVENT_creat:
		return true;
	default:
		return e->header->result >= 0;
	}
}

/* What a symbolic link points to, from where the link stands. */
static struct str link_target(const struct field_query *q, struct str text)
{
	const struct arg_info *link = event_find_arg(q->event->info, STR("linkpath"));
	struct str path = link ? names_arg(q->view, link, q->arena) : (struct str){0};
	while (path.length > 1 && path.data[path.length - 1] != '/')
		path.length--;
	return names_join(q->arena, path.length ? path : STR(UNKNOWN_DIRECTORY), text);
}

static struct str absolute(const struct field_query *q, const struct arg_info *a, struct str text)
{
	switch (q->event->header->type) {
	case EVENT_symlink:
	case EVENT_symlinkat:
		return link_target(q, text);
	default: /* what is mounted may be a word: "proc", "tmpfs" */
		if (a->type == ARG_STR && str_find_char(text, '/') < 0)
			return text;
		return names_join(q->arena, names_base(q->view, a), text);
	}
}

static void get_path(const struct field_query *q, const char *name, bool raw, struct value *v)
{
	const struct arg_info *a;
	struct str text;
	bool truncated;

	if (!name)
		return;
	if (name[0] == '\0') {
		if (field_fd(q->event) && names_fd_has_path(field_fd(q->event)))
			field_get_fd_name(q, v);
		return;
	}
	a = event_find_arg(q->event->info, str_from(name));
	if (!a || a->kind != ARG_PLAIN || !event_arg_slot(q->event, a, &text, &truncated))
		return;
	if (raw)
		set_str(v, text);
	else
		set_path(q, v, a->type == ARG_PATH ? names_arg(q->view, a, q->arena) : absolute(q, a, text));
	v->truncated = truncated;
}

void field_get_fs(const struct field_query *q, struct value *v)
{
	const struct path_args *args = find_path_args(q->event->header->type);
	if (!args || !is_told(q->event))
		return;
	switch (q->ref->id) {
	case FIELD_FS_PATH_NAME:
		get_path(q, args->name, false, v);
		break;
	case FIELD_FS_PATH_NAMERAW:
		get_path(q, args->name, true, v);
		break;
	case FIELD_FS_PATH_SOURCE:
		get_path(q, args->source, false, v);
		break;
	case FIELD_FS_PATH_SOURCERAW:
		get_path(q, args->source, true, v);
		break;
	case FIELD_FS_PATH_TARGET:
		get_path(q, args->target, false, v);
		break;
	case FIELD_FS_PATH_TARGETRAW:
		get_path(q, args->target, true, v);
		break;
	default:
		break;
	}
}
