/* SPDX-License-Identifier: Apache-2.0 */
#include "enrich/field_int.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <sys/stat.h>

/* ---- which descriptor ---- */

/* Commands of bpf(2) whose result is a descriptor. */
static bool command_makes_fd(uint64_t command)
{
	switch (command) {
	case 0:  /* MAP_CREATE */
	case 5:  /* PROG_LOAD */
	case 7:  /* OBJ_GET */
	case 13: /* PROG_GET_FD_BY_ID */
	case 14: /* MAP_GET_FD_BY_ID */
	case 17: /* RAW_TRACEPOINT_OPEN */
	case 18: /* BTF_LOAD */
	case 19: /* BTF_GET_FD_BY_ID */
	case 28: /* LINK_CREATE */
	case 30: /* LINK_GET_FD_BY_ID */
	case 32: /* ENABLE_STATS */
	case 33: /* ITER_CREATE */
	case 36: /* TOKEN_CREATE */
		return true;
	default:
		return false;
	}
}

bool field_bpf_makes_fd(const struct event *e)
{
	uint64_t command;
	return !field_number_arg(e, "cmd", &command) || command_makes_fd(command);
}

static bool is_dup(const struct event *e)
{
	return e->header->type == EVENT_dup || e->header->type == EVENT_dup2 || e->header->type == EVENT_dup3;
}

int32_t field_fd_number(const struct event *e)
{
	const struct fd_info *fd = field_fd(e);
	uint64_t number;

	if (fd)
		return fd->number;
	if (is_dup(e) && field_number_arg(e, "oldfd", &number))
		return (int32_t)number;
	if (e->info->fd_use == FD_CREATES)
		return e->header->result < 0 ? -1 : (int32_t)e->header->result;
	for (unsigned i = 0; i < e->info->arg_count; i++)
		if (e->info->args[i].type == ARG_FD && e->info->args[i].kind == ARG_PLAIN)
			return (int32_t)event_arg_number(e, &e->info->args[i]);
	return -1;
}

/* ---- what it refers to ---- */

static const struct kind_info {
	const char *name;
	const char *letter;
} kinds[] = {
        [FD_UNKNOWN] = {"<NA>", "o"},    [FD_FILE] = {"file", "f"},       [FD_DIRECTORY] = {"directory", "d"},
        [FD_IPV4] = {"ipv4", "4"},       [FD_IPV6] = {"ipv6", "6"},       [FD_UNIX] = {"unix", "u"},
        [FD_PIPE] = {"pipe", "p"},       [FD_EVENT] = {"event", "e"},     [FD_SIGNAL] = {"signalfd", "s"},
        [FD_EPOLL] = {"eventpoll", "l"}, [FD_INOTIFY] = {"inotify", "i"}, [FD_TIMER] = {"timerfd", "t"},
        [FD_NETLINK] = {"netlink", "n"}, [FD_BPF] = {"bpf", "b"},         [FD_USERFAULT] = {"userfaultfd", "u"},
        [FD_URING] = {"io_uring", "r"},  [FD_MEMFD] = {"memfd", "m"},     [FD_PIDFD] = {"pidfd", "P"},
        [FD_PACKET] = {"<NA>", "o"},     [FD_VSOCK] = {"<NA>", "o"},      [FD_SOCKET] = {"<NA>", "o"},
};

static const struct kind_info *kind_info(enum fd_kind kind)
{
	return &kinds[(unsigned)kind < ARRAY_SIZE(kinds) ? kind : FD_UNKNOWN];
}

enum fd_kind field_fd_kind(const struct field_query *q, const struct fd_info *fd)
{
	struct sock_ends ends;
	if (fd->kind == FD_PIPE && names_fd_has_path(fd))
		return FD_FILE; /* a named pipe is opened as a file is */
	if (fd->kind == FD_IPV6 && field_sock_ends(q, &ends) &&
	    (ends.remote.known ? ends.remote.ip.family : ends.local.ip.family) == 4)
		return FD_IPV4;
	return (enum fd_kind)fd->kind;
}

static const char *socket_letter(const struct event *e)
{
	uint64_t domain;
	if (!field_number_arg(e, "domain", &domain))
		return "4";
	switch (domain) {
	case AF_INET:
		return "4";
	case AF_INET6:
		return "6";
	case AF_UNIX:
		return "u";
	case AF_NETLINK:
		return "n";
	default:
		return "o";
	}
}

/* Of a descriptor that did not come about, or could not be looked at: what it would have been. */
static const char *letter_by_event(const struct event *e)
{
	switch (e->header->type) {
	case EVENT_open:
	case EVENT_openat:
	case EVENT_openat2:
	case EVENT_creat:
	case EVENT_open_by_handle_at:
		return "f";
	case EVENT_socket:
		return socket_letter(e);
	case EVENT_accept:
	case EVENT_accept4:
		return "4";
	default:
		return "o";
	}
}

const char *field_fd_letter(const struct field_query *q)
{
	const struct fd_info *fd = field_fd(q->event);
	return fd ? kind_info(field_fd_kind(q, fd))->letter : letter_by_event(q->event);
}

void field_get_fd_number(const struct field_query *q, struct value *v)
{
	if (q->event->info->fd_use != FD_NO)
		set_s64(v, field_fd_number(q->event));
}

void field_get_fd_letter(const struct field_query *q, struct value *v)
{
	if (q->event->info->fd_use != FD_NO)
		set_str(v, str_make(field_fd_letter(q), 1));
}

/* ---- names ---- */

static bool is_socket_kind(enum fd_kind kind)
{
	return kind == FD_IPV4 || kind == FD_IPV6 || kind == FD_UNIX;
}

static void get_memfd_name(const struct field_query *q, const struct fd_info *fd, struct value *v)
{
	struct str name, prefix = STR("memfd:");
	bool truncated = false;
	if (!event_slot_str(q->event, fd->path, &name, &truncated))
		name = STR("");
	if (str_starts_with(name, prefix))
		name = str_make(name.data + prefix.length, name.length - prefix.length);
	set_path(q, v, name);
}

static void get_pidfd_name(const struct field_query *q, struct value *v)
{
	uint64_t pid;
	set_str(v, STR(""));
	if (q->event->header->type != EVENT_pidfd_open || !field_number_arg(q->event, "pid", &pid))
		return;
	struct str name = arena_printf(q->arena, "/proc/%d", (int)pid);
	if (name.data)
		set_str(v, name);
}

static void get_sock_name(const struct field_query *q, struct value *v)
{
	_cleanup_(buf_done) struct buf text;
	field_buf_init(&text);
	field_sock_name(q, &text);
	set_buf(q, v, &text);
}

static void get_file_name(const struct field_query *q, const struct fd_info *fd, struct value *v)
{
	struct str path = STR("");
	bool truncated = false;
	if (fd)
		event_slot_str(q->event, fd->path, &path, &truncated);
	if (names_are_of_fd(q->event))
		path = q->view->names[q->view->name_index];
	set_path(q, v, path.data ? path : STR(""));
	v->truncated = truncated;
}

/* Apart, so that the way to a file's name is short. */
static void __attribute__((noinline))
get_other_name(const struct field_query *q, const struct fd_info *fd, struct value *v)
{
	if (fd && fd->kind == FD_MEMFD)
		get_memfd_name(q, fd, v);
	else if (fd && fd->kind == FD_PIDFD)
		get_pidfd_name(q, v);
	else if (!fd && names_main_arg(q->event) && names_are_of_fd(q->event))
		get_file_name(q, NULL, v);
	else if (!fd || is_socket_kind(fd->kind))
		get_sock_name(q, v);
	else
		set_str(v, STR(""));
}

void field_get_fd_name(const struct field_query *q, struct value *v)
{
	const struct fd_info *fd = field_fd(q->event);

	if (q->event->info->fd_use == FD_NO)
		return;
	if (fd && names_fd_has_path(fd))
		get_file_name(q, fd, v);
	else
		get_other_name(q, fd, v);
}

/* Of slashes that stand together, the first. */
static void get_single_slashes(const struct field_query *q, struct str path, struct value *v)
{
	_cleanup_(buf_done) struct buf out;
	field_buf_init(&out);
	for (size_t i = 0; i < path.length; i++)
		if (path.data[i] != '/' || i == 0 || path.data[i - 1] != '/')
			buf_add_char(&out, path.data[i]);
	struct value name = {.kind = VALUE_NULL};
	set_buf(q, &name, &out);
	if (name.kind == VALUE_STR)
		set_path(q, v, name.str);
}

/* As it was given, but for slashes that stand together. */
static void get_raw_name(const struct field_query *q, struct value *v)
{
	const struct arg_info *a = q->event->info->fd_use == FD_CREATES ? names_main_arg(q->event) : NULL;
	struct str text;
	bool truncated;
	if (!a || !event_arg_slot(q->event, a, &text, &truncated))
		set_str(v, STR(""));
	else if (str_has_double(text, '/'))
		get_single_slashes(q, text, v);
	else
		set_path(q, v, text);
}

static struct str directory_of(struct str path)
{
	size_t end = path.length;
	while (end > 0 && path.data[end - 1] != '/')
		end--;
	if (end <= 1)
		return STR("/");
	return str_make(path.data, end == path.length ? end : end - 1);
}

void field_get_fd_directory(const struct field_query *q, struct value *v)
{
	const struct fd_info *fd = field_fd(q->event);
	enum fd_kind kind = fd ? field_fd_kind(q, fd) : FD_FILE;

	if (kind != FD_FILE && kind != FD_DIRECTORY)
		return;
	field_get_fd_name(q, v);
	if (v->kind != VALUE_STR)
		return;
	if (kind == FD_FILE)
		v->str = directory_of(v->str);
	v->truncated = false;
}

static void get_filename(const struct field_query *q, struct value *v)
{
	const struct fd_info *fd = field_fd(q->event);
	struct value name = {.kind = VALUE_NULL};

	if (!fd || field_fd_kind(q, fd) != FD_FILE)
		return;
	field_get_fd_name(q, &name);
	if (name.kind != VALUE_STR)
		return;
	size_t begin = name.str.length;
	while (begin > 0 && name.str.data[begin - 1] != '/')
		begin--;
	if (begin == 0)
		set_str(v, STR("/"));
	else
		set_str(v, str_make(name.str.data + begin, name.str.length - begin));
}

static void get_names(const struct field_query *q, struct value *v)
{
	struct value *items = arena_array(q->arena, struct value, q->view->name_count);
	size_t count = 0;
	if (!items)
		return;
	for (unsigned i = 0; i < q->view->name_count; i++)
		if (q->view->names[i].length > 0)
			set_path(q, &items[count++], q->view->names[i]);
	set_list(v, items, count);
}

/* ---- ends ---- */

static void set_end_ip(struct value *v, const struct sock_end *end)
{
	if (end && end->known)
		set_ip(v, &end->ip);
}

static void set_end_port(struct value *v, const struct sock_end *end)
{
	if (end && end->known)
		set_u64(v, end->port);
}

static void set_end_text(const struct field_query *q, struct value *v, const struct sock_ends *ends,
                         const struct sock_end *end)
{
	if (ends->role == ROLE_BOUND)
		set_str(v, STR(""));
	else if (end && end->known)
		set_str_or_null(v, arena_printf(q->arena, "%u", end->port));
}

static void set_either(const struct field_query *q, struct value *v, const struct sock_ends *ends,
                       void (*set)(struct value *v, const struct sock_end *end))
{
	struct value *items = arena_array(q->arena, struct value, 2);
	size_t count = 0;
	if (!items)
		return;
	set(&items[count], sock_client(ends));
	count += items[count].kind != VALUE_NULL;
	set(&items[count], sock_server(ends));
	count += items[count].kind != VALUE_NULL;
	set_list(v, items, count);
}

static void get_ends(const struct field_query *q, struct value *v)
{
	struct sock_ends ends;
	if (!field_sock_ends(q, &ends) || ends.role == ROLE_NONE)
		return;
	const struct sock_end *client = sock_client(&ends), *server = sock_server(&ends);
	const struct sock_end *local = &ends.local, *remote = ends.role == ROLE_BOUND ? NULL : &ends.remote;

	switch (q->ref->id) {
	case FIELD_FD_CIP:
	case FIELD_FD_CNET:
		set_end_ip(v, client);
		break;
	case FIELD_FD_SIP:
	case FIELD_FD_SNET:
		set_end_ip(v, server);
		break;
	case FIELD_FD_LIP:
	case FIELD_FD_LNET:
		set_end_ip(v, local);
		break;
	case FIELD_FD_RIP:
	case FIELD_FD_RNET:
		set_end_ip(v, remote);
		break;
	case FIELD_FD_CPORT:
		set_end_port(v, client);
		break;
	case FIELD_FD_SPORT:
		set_end_port(v, server);
		break;
	case FIELD_FD_LPORT:
		set_end_port(v, local);
		break;
	case FIELD_FD_RPORT:
		set_end_port(v, remote);
		break;
	case FIELD_FD_CPROTO:
		set_end_text(q, v, &ends, client);
		break;
	case FIELD_FD_SPROTO:
		set_end_text(q, v, &ends, server);
		break;
	case FIELD_FD_LPROTO:
		set_end_text(q, v, &ends, local);
		break;
	case FIELD_FD_RPROTO:
		set_end_text(q, v, &ends, remote);
		break;
	case FIELD_FD_IP:
	case FIELD_FD_NET:
		set_either(q, v, &ends, set_end_ip);
		break;
	case FIELD_FD_PORT:
	case FIELD_FD_PROTO:
		set_either(q, v, &ends, set_end_port);
		break;
	default:
		break;
	}
}

static void get_protocol(const struct field_query *q, const struct fd_info *fd, struct value *v)
{
	struct sock_ends ends;
	const char *protocol = NULL;
	if (fd && field_sock_ends(q, &ends) && (ends.role != ROLE_NONE || ends.protocol == PROTOCOL_RAW))
		protocol = sock_protocol_name(ends.protocol);
	if (fd)
		set_str(v, str_from(protocol ? protocol : "<NA>"));
}

static void get_is_server(const struct field_query *q, struct value *v)
{
	struct sock_ends ends;
	set_bool(v, field_sock_ends(q, &ends) && (ends.role == ROLE_SERVER || ends.role == ROLE_BOUND));
}

static bool name_changed(const struct event *e)
{
	struct str addr;
	switch (e->header->type) {
	case EVENT_open:
	case EVENT_openat:
	case EVENT_openat2:
	case EVENT_creat:
	case EVENT_open_by_handle_at:
	case EVENT_accept:
	case EVENT_accept4:
	case EVENT_bind:
		return e->header->result >= 0;
	case EVENT_connect:
		return e->header->result >= 0 || e->header->result == -EINPROGRESS;
	case EVENT_sendto:
	case EVENT_sendmsg:
	case EVENT_sendmmsg:
	case EVENT_recvfrom:
	case EVENT_recvmsg:
	case EVENT_recvmmsg:
		/* a datagram with an address of its own: its peer may be another than before */
		return e->header->result >= 0 && event_sock(e) && event_sock(e)->type != SOCK_STREAM &&
		       field_sock_addr(e, &addr);
	default:
		return false;
	}
}

/* ---- the file ---- */

static void get_file_number(const struct field_query *q, const struct fd_info *fd, struct value *v)
{
	uint64_t dev = device_number(fd->dev);
	switch (q->ref->id) {
	case FIELD_FD_DEV:
		set_u64(v, dev);
		break;
	case FIELD_FD_DEV_MAJOR:
		set_u64(v, fd->dev >> 20);
		break;
	case FIELD_FD_DEV_MINOR:
		set_u64(v, fd->dev & 0xfffff);
		break;
	case FIELD_FD_INO:
		set_s64(v, (int64_t)fd->ino);
		break;
	case FIELD_FD_NLINK:
		set_u64(v, fd->nlink);
		break;
	case FIELD_FD_FILEUID:
		set_u64(v, fd->uid);
		break;
	default:
		break;
	}
}

static void get_mode(const struct field_query *q, const struct fd_info *fd, struct value *v)
{
	_cleanup_(buf_done) struct buf text;
	field_buf_init(&text);
	add_octal_mode(&text, fd->mode);
	set_buf(q, v, &text);
}

static void get_open_flags(const struct field_query *q, const struct fd_info *fd, struct value *v)
{
	_cleanup_(buf_done) struct buf text;
	field_buf_init(&text);
	names_add_flags(NAMES_open, fd->open_flags, &text);
	set_buf(q, v, &text);
}

static void get_slot_path(const struct field_query *q, struct event_slot slot, struct value *v)
{
	struct str path;
	bool truncated;
	if (!event_slot_str(q->event, slot, &path, &truncated) || path.length == 0)
		return;
	set_path(q, v, path);
	v->truncated = truncated;
}

/* Fields that say something of the open file itself: none if it could not be looked at. */
static void get_file(const struct field_query *q, const struct fd_info *fd, struct value *v)
{
	enum fd_kind kind = field_fd_kind(q, fd);

	switch (q->ref->id) {
	case FIELD_FD_TYPE:
		set_str(v, str_from(kind_info(kind)->name));
		break;
	case FIELD_FD_SOCKFAMILY:
		if (kind == FD_IPV4 || kind == FD_IPV6)
			set_str(v, STR("ip"));
		else if (kind == FD_UNIX)
			set_str(v, STR("unix"));
		break;
	case FIELD_FD_CONNECTED:
		set_bool(v, field_sock_connected(q, fd));
		break;
	case FIELD_FD_NAME_CHANGED:
		set_bool(v, name_changed(q->event));
		break;
	case FIELD_FD_IS_UPPER_LAYER:
		set_bool(v, fd->flags & FD_F_UPPER);
		break;
	case FIELD_FD_IS_LOWER_LAYER:
		set_bool(v, fd->flags & FD_F_LOWER);
		break;
	case FIELD_FD_REALPATH:
		if (names_fd_has_path(fd))
			get_slot_path(q, fd->path, v);
		break;
	case FIELD_FD_FSPATH:
		if (fd->flags & FD_F_BIND)
			get_slot_path(q, fd->fspath, v);
		break;
	case FIELD_FD_MODE:
		get_mode(q, fd, v);
		break;
	case FIELD_FD_FILEUSER:
		set_str_or_null(v, enrich_user_name(q->view->enrich, q->process, fd->uid));
		break;
	case FIELD_FD_IS_DELETED:
		set_bool(v, fd->flags & FD_F_DELETED);
		break;
	case FIELD_FD_IS_CREATED:
		set_bool(v, fd->flags & FD_F_CREATED);
		break;
	case FIELD_FD_IS_DEVICE:
		set_bool(v, S_ISBLK(fd->mode) || S_ISCHR(fd->mode));
		break;
	case FIELD_FD_IS_LISTENING:
		set_bool(v, fd->flags & FD_F_LISTENING);
		break;
	case FIELD_FD_FLAGS:
		get_open_flags(q, fd, v);
		break;
	default:
		get_file_number(q, fd, v);
		break;
	}
}

/* ---- all ---- */

static void get_uid(const struct field_query *q, struct value *v)
{
	set_str_or_null(v, arena_printf(q->arena, "%u%d", q->event->header->tid, field_fd_number(q->event)));
}

static void get_in_container(const struct field_query *q, void (*get)(const struct field_query *, struct value *),
                             struct value *v)
{
	struct value id, name = {.kind = VALUE_NULL};
	field_get_other(q, FIELD_CONTAINER_ID, &id);
	get(q, &name);
	if (id.kind == VALUE_STR && name.kind == VALUE_STR)
		set_str_or_null(v, arena_printf(q->arena, STR_FMT ":" STR_FMT, STR_ARG(id.str), STR_ARG(name.str)));
}

void field_get_fd(const struct field_query *q, struct value *v)
{
	const struct fd_info *fd = field_fd(q->event);

	if (q->ref->id == FIELD_FD_NAMES) { /* also of events on paths alone */
		get_names(q, v);
		return;
	}
	if (q->event->info->fd_use == FD_NO)
		return;
	switch (q->ref->id) {
	case FIELD_FD_NAMERAW:
		get_raw_name(q, v);
		break;
	case FIELD_FD_FILENAME:
		get_filename(q, v);
		break;
	case FIELD_FD_L4PROTO:
		get_protocol(q, fd, v);
		break;
	case FIELD_FD_IS_SERVER:
		if (fd)
			get_is_server(q, v);
		break;
	case FIELD_FD_UID:
		get_uid(q, v);
		break;
	case FIELD_FD_CONTAINERNAME:
		get_in_container(q, field_get_fd_name, v);
		break;
	case FIELD_FD_CONTAINERDIRECTORY:
		get_in_container(q, field_get_fd_directory, v);
		break;
	default:
		get_ends(q, v);
		if (v->kind == VALUE_NULL && fd)
			get_file(q, fd, v);
		break;
	}
}
