/* SPDX-License-Identifier: Apache-2.0 */
#include "event/print.h"

#include <inttypes.h>

#define ARG_TEXT_MAX (4 * EVENT_RECORD_MAX) /* printable forms are at most 3 times as long */

struct flag_name {
	unsigned flag;
	const char *name;
};

static const struct flag_name event_flags[] = {
        {EVENT_F_TRUNCATED, "truncated"}, {EVENT_F_MISSING, "missing"}, {EVENT_F_COMPAT, "compat"},
        {EVENT_F_URING, "uring"},         {EVENT_F_CONTEXT, "context"}, {EVENT_F_CHROOT, "chroot"},
        {EVENT_F_KTHREAD, "kthread"},
};

static const struct flag_name fd_flags[] = {
        {FD_F_UPPER, "upper"},     {FD_F_LOWER, "lower"},         {FD_F_DELETED, "deleted"},     {FD_F_BIND, "bind"},
        {FD_F_CREATED, "created"}, {FD_F_CONNECTED, "connected"}, {FD_F_LISTENING, "listening"},
};

static const char *const fd_kinds[] = {
        [FD_UNKNOWN] = "unknown", [FD_FILE] = "file",       [FD_DIRECTORY] = "directory",
        [FD_IPV4] = "ipv4",       [FD_IPV6] = "ipv6",       [FD_UNIX] = "unix",
        [FD_PIPE] = "pipe",       [FD_EVENT] = "event",     [FD_SIGNAL] = "signalfd",
        [FD_EPOLL] = "eventpoll", [FD_INOTIFY] = "inotify", [FD_TIMER] = "timerfd",
        [FD_NETLINK] = "netlink", [FD_BPF] = "bpf",         [FD_USERFAULT] = "userfaultfd",
        [FD_URING] = "io_uring",  [FD_MEMFD] = "memfd",     [FD_PIDFD] = "pidfd",
        [FD_PACKET] = "packet",   [FD_VSOCK] = "vsock",     [FD_SOCKET] = "socket",
};

static void add_flags(const char *key, unsigned flags, const struct flag_name *names, size_t count, struct json *out)
{
	json_key(out, key);
	json_begin_array(out);
	for (size_t i = 0; i < count; i++)
		if (flags & names[i].flag)
			json_text(out, names[i].name);
	json_end_array(out);
}

static void add_named_u64(const char *key, uint64_t n, struct json *out)
{
	json_key(out, key);
	json_u64(out, n);
}

static void add_named_s64(const char *key, int64_t n, struct json *out)
{
	json_key(out, key);
	json_s64(out, n);
}

static void add_slot(const char *key, const struct event *e, struct event_slot slot, struct json *out)
{
	struct str text;
	bool truncated;

	json_key(out, key);
	if (event_slot_str(e, slot, &text, &truncated))
		json_str(out, text);
	else
		json_null(out);
}

static void add_path(const struct event *e, const struct arg_info *a, struct json *out)
{
	struct str text, base;
	bool truncated;

	if (!event_arg_path(e, a, &text, &base, &truncated)) {
		json_null(out);
		return;
	}
	json_begin_object(out);
	json_key(out, "text");
	json_str(out, text);
	if (base.data) {
		json_key(out, "base");
		json_str(out, base);
	}
	json_end_object(out);
}

static void add_argv(struct str strings, struct json *out)
{
	struct str part;

	json_begin_array(out);
	if (strings.length > 0)
		while (str_next(&strings, '\0', &part))
			json_str(out, part);
	json_end_array(out);
}

static void add_buf(const struct buf *text, struct json *out)
{
	json_str(out, text->length > 0 ? buf_str(text) : STR(""));
}

static void add_names(const struct arg_info *a, uint64_t n, struct json *out)
{
	struct buf names;

	buf_init(&names, ARG_TEXT_MAX);
	if (a->type == ARG_ENUM)
		names_add_enum((enum name_table)a->table, n, &names);
	else
		names_add_flags((enum name_table)a->table, n, &names);
	json_begin_object(out);
	add_named_u64("value", n, out);
	json_key(out, "names");
	add_buf(&names, out);
	json_end_object(out);
	buf_done(&names);
}

static void add_task_state(const struct task_state *s, struct json *out)
{
	json_begin_object(out);
#define U(member) add_named_u64(#member, s->member, out)
	U(ruid), U(euid), U(suid), U(fsuid), U(rgid), U(egid), U(sgid), U(fsgid), U(loginuid), U(sessionid);
	U(cap_inheritable), U(cap_permitted), U(cap_effective), U(cap_bounding), U(cap_ambient);
	U(sid), U(pgid), U(vpid), U(vtid), U(vppid), U(vsid), U(vpgid), U(tty);
	U(ns_mnt), U(ns_pid), U(ns_net), U(ns_user), U(ns_ipc), U(ns_uts), U(ns_cgroup);
	U(fdlimit), U(pidns_start), U(cgroup_id), U(vm_size), U(vm_rss), U(vm_swap);
	U(faults_major), U(faults_minor), U(seccomp), U(no_new_privs);
#undef U
	json_end_object(out);
}

static void add_text(const struct event *e, const struct arg_info *a, struct json *out)
{
	struct buf text;
	struct str raw;
	bool truncated;

	if (!event_arg_slot(e, a, &raw, &truncated)) {
		json_null(out);
		return;
	}
	if (a->type == ARG_STR) {
		json_str(out, raw);
		return;
	}
	if (a->type == ARG_ARGV) {
		add_argv(raw, out);
		return;
	}
	buf_init(&text, ARG_TEXT_MAX);
	if (a->type == ARG_SOCKADDR)
		event_add_sockaddr(raw, &text);
	else
		value_add_printable(raw, '.', &text);
	add_buf(&text, out);
	buf_done(&text);
}

static void add_arg(const struct event *e, const struct arg_info *a, struct json *out)
{
	uint64_t n = event_arg_number(e, a);

	json_key(out, a->name);
	switch (a->type) {
	case ARG_STR:
	case ARG_ARGV:
	case ARG_SOCKADDR:
		add_text(e, a, out);
		return;
	case ARG_BYTES:
		if (strcmp(a->name, "creds") == 0 && event_task_state(e))
			add_task_state(event_task_state(e), out);
		else
			add_text(e, a, out);
		return;
	case ARG_PATH:
		add_path(e, a, out);
		return;
	case ARG_FLAGS:
	case ARG_ENUM:
	case ARG_MODE:
		add_names(a, n, out);
		return;
	case ARG_ERRNO:
	case ARG_FD:
	case ARG_PID:
	case ARG_S32:
	case ARG_S64:
	case ARG_SIG:
		json_s64(out, (int64_t)n);
		return;
	case ARG_BOOL:
		json_bool(out, n != 0);
		return;
	default:
		json_u64(out, n);
		return;
	}
}

static void add_args(const struct event *e, struct json *out)
{
	json_key(out, "args");
	json_begin_object(out);
	for (unsigned i = 0; i < e->info->arg_count; i++) {
		const struct arg_info *a = &e->info->args[i];

		if (a->kind == ARG_PLAIN || a->kind == ARG_OWN)
			add_arg(e, a, out);
	}
	json_end_object(out);
}

static void add_address(const char *key, const uint8_t bytes[16], uint16_t port, bool is_v4, struct json *out)
{
	struct ip ip = {.family = is_v4 ? 4 : 6, .prefix = is_v4 ? 32 : 128};
	struct buf text;

	memcpy(ip.bytes, bytes, is_v4 ? 4 : 16);
	buf_init(&text, 128);
	ip_add_text(&ip, &text);
	buf_printf(&text, ":%u", (unsigned)port);
	json_key(out, key);
	add_buf(&text, out);
	buf_done(&text);
}

static void add_sock(const struct event *e, const struct fd_info *fd, const struct sock_info *sock, struct json *out)
{
	json_key(out, "socket");
	json_begin_object(out);
	add_named_u64("family", sock->family, out);
	add_named_u64("type", sock->type, out);
	add_named_u64("protocol", sock->protocol, out);
	add_named_u64("state", sock->state, out);
	if (fd->kind == FD_IPV4 || fd->kind == FD_IPV6) {
		add_address("local", sock->local_addr, sock->local_port, fd->kind == FD_IPV4, out);
		add_address("remote", sock->remote_addr, sock->remote_port, fd->kind == FD_IPV4, out);
	}
	if (fd->kind == FD_UNIX) {
		add_slot("peer_path", e, sock->peer_path, out);
		add_named_u64("local_ptr", sock->local_ptr, out);
		add_named_u64("remote_ptr", sock->remote_ptr, out);
	}
	json_end_object(out);
}

static void add_fd(const struct event *e, struct json *out)
{
	const struct fd_info *fd = event_fd(e);
	const struct sock_info *sock = event_sock(e);

	json_key(out, "fd");
	if (!fd) {
		json_null(out);
		return;
	}
	json_begin_object(out);
	add_named_s64("number", fd->number, out);
	json_key(out, "kind");
	json_text(out, fd_kinds[fd->kind]);
	add_flags("flags", fd->flags, fd_flags, ARRAY_SIZE(fd_flags), out);
	add_named_u64("mode", fd->mode, out);
	add_named_u64("dev", fd->dev, out);
	add_named_u64("ino", fd->ino, out);
	add_named_u64("nlink", fd->nlink, out);
	add_named_u64("uid", fd->uid, out);
	add_named_u64("open_flags", fd->open_flags, out);
	add_slot("path", e, fd->path, out);
	if (fd->fspath.offset != 0)
		add_slot("fspath", e, fd->fspath, out);
	if (sock)
		add_sock(e, fd, sock, out);
	json_end_object(out);
}

void event_add_json(const struct event *e, struct json *out)
{
	const struct event_header *h = e->header;

	json_begin_object(out);
	json_key(out, "type");
	json_text(out, e->info->name);
	add_named_u64("time_ns", h->time_ns, out);
	add_named_u64("cpu", h->cpu, out);
	add_named_u64("pid", h->pid, out);
	add_named_u64("tid", h->tid, out);
	add_named_u64("ppid", h->ppid, out);
	add_named_u64("start_ns", h->start_ns, out);
	add_named_u64("uid", h->uid, out);
	add_named_u64("gid", h->gid, out);
	add_flags("flags", h->flags, event_flags, ARRAY_SIZE(event_flags), out);
	add_named_s64("result", h->result, out);
	add_args(e, out);
	add_fd(e, out);
	if (h->root.offset != 0)
		add_slot("root", e, h->root, out);
	json_end_object(out);
}
