/* SPDX-License-Identifier: Apache-2.0 */
#include "enrich/field_int.h"

#include <sys/socket.h>

#include "base/clock.h"

/* On the wire, for all machines (schema/names.def). */
#define WIRE_O_ACCMODE 3
#define WIRE_O_PATH 010000000
#define WIRE_O_WRONLY 1
#define WIRE_O_RDWR 2
#define WIRE_O_CREAT 0x40
#define WIRE_O_TMPFILE 0x410000
#define MODE_EXECUTE 0111

/* ---- time ---- */

static uint64_t real_ns(const struct field_query *q)
{
	return enrich_real_ns(q->view->enrich, q->event->header->time_ns);
}

static uint64_t since(uint64_t now, uint64_t then)
{
	return then && then <= now ? now - then : 0;
}

static void get_time_text(const struct field_query *q, struct value *v)
{
	_cleanup_(buf_done) struct buf text;
	field_buf_init(&text);
	switch (q->ref->id) {
	case FIELD_EVT_TIME:
		clock_add_local_time(&text, real_ns(q), true);
		break;
	case FIELD_EVT_TIME_S:
		clock_add_local_time(&text, real_ns(q), false);
		break;
	case FIELD_EVT_TIME_ISO8601:
		clock_add_offset(&text, real_ns(q));
		break;
	case FIELD_EVT_DATETIME:
		clock_add_local_datetime(&text, real_ns(q), true);
		break;
	default:
		clock_add_local_datetime(&text, real_ns(q), false);
		break;
	}
	set_buf(q, v, &text);
}

void field_get_time(const struct field_query *q, struct value *v)
{
	const struct enrich *e = q->view->enrich;
	uint64_t now = q->event->header->time_ns;

	switch (q->ref->id) {
	case FIELD_EVT_RAWTIME:
		set_u64(v, real_ns(q));
		break;
	case FIELD_EVT_RAWTIME_S:
		set_u64(v, real_ns(q) / NS_PER_S);
		break;
	case FIELD_EVT_RAWTIME_NS:
		set_u64(v, real_ns(q) % NS_PER_S);
		break;
	case FIELD_EVT_RELTIME:
		set_u64(v, since(now, e->first_ns));
		break;
	case FIELD_EVT_RELTIME_S:
		set_u64(v, since(now, e->first_ns) / NS_PER_S);
		break;
	case FIELD_EVT_RELTIME_NS:
		set_u64(v, since(now, e->first_ns) % NS_PER_S);
		break;
	case FIELD_EVT_DELTATIME:
		set_u64(v, since(now, e->previous_ns));
		break;
	case FIELD_EVT_DELTATIME_S:
		set_u64(v, since(now, e->previous_ns) / NS_PER_S);
		break;
	case FIELD_EVT_DELTATIME_NS:
		set_u64(v, since(now, e->previous_ns) % NS_PER_S);
		break;
	case FIELD_EVT_LATENCY:
	case FIELD_EVT_LATENCY_S:
	case FIELD_EVT_LATENCY_NS:
	case FIELD_EVT_LATENCY_QUANTIZED:
	case FIELD_EVT_WAIT_LATENCY:
		set_u64(v, 0);
		break;
	case FIELD_EVT_LATENCY_HUMAN:
		set_str(v, STR("0ns"));
		break;
	default:
		get_time_text(q, v);
		break;
	}
}

/* ---- kinds of events ---- */

static bool is_syscall(const struct event *e)
{
	return !e->info->own;
}

/* Not the kernel's, but made by picket in user space. */
static bool is_async(const struct event *e)
{
	switch (e->header->type) {
	case EVENT_container:
	case EVENT_userdb:
	case EVENT_loss:
	case EVENT_host:
		return true;
	default:
		return false;
	}
}

static bool is_read(const struct event *e)
{
	switch (e->header->type) {
	case EVENT_recvfrom:
	case EVENT_recvmsg:
	case EVENT_recvmmsg:
		return true;
	default:
		return false;
	}
}

static bool is_write(const struct event *e)
{
	switch (e->header->type) {
	case EVENT_sendto:
	case EVENT_sendmsg:
	case EVENT_sendmmsg:
		return true;
	default:
		return false;
	}
}

enum fd_class { CLASS_NONE, CLASS_FILE, CLASS_NET, CLASS_IPC, CLASS_OTHER };

static enum fd_class fd_class(const struct field_query *q)
{
	const struct fd_info *fd = field_fd(q->event);
	if (!fd)
		return CLASS_NONE;
	switch (field_fd_kind(q, fd)) {
	case FD_FILE:
	case FD_DIRECTORY:
		return CLASS_FILE;
	case FD_IPV4:
	case FD_IPV6:
		return CLASS_NET;
	case FD_UNIX:
	case FD_PIPE:
	case FD_EVENT:
	case FD_SIGNAL:
	case FD_EPOLL:
	case FD_INOTIFY:
	case FD_TIMER:
		return CLASS_IPC;
	default:
		return CLASS_OTHER;
	}
}

static const char *category(const struct field_query *q)
{
	const char *category = q->event->info->category;
	if (strncmp(category, "IO_", 3) != 0)
		return strcmp(category, "ipc") == 0 ? "IPC" : category;
	switch (fd_class(q)) {
	case CLASS_FILE:
		return "file";
	case CLASS_NET:
		return "net";
	case CLASS_IPC:
		return "ipc";
	default:
		return "unknown";
	}
}

/* ---- results ---- */

static bool has_result(const struct event *e)
{
	return is_syscall(e) && e->info->arg_count > 0 && e->info->args[0].kind == ARG_RESULT;
}

static void get_result(const struct field_query *q, struct value *v)
{
	int64_t result = q->event->header->result;
	const char *name = result < 0 && result > -4096 ? errno_name((int)-result) : NULL;
	if (result >= 0)
		set_str(v, STR("SUCCESS"));
	else if (name)
		set_str(v, str_from(name));
	else
		set_str_or_null(v, arena_printf(q->arena, "%lld", (long long)result));
}

static void count_failure(const struct field_query *q, enum field_id id, struct value *v)
{
	enum fd_class class = fd_class(q);
	const char *of_event = category(q);
	bool file = class == CLASS_FILE || (class == CLASS_NONE && strcmp(of_event, "file") == 0);
	bool net = class == CLASS_NET || (class == CLASS_NONE && strcmp(of_event, "net") == 0);
	bool memory = class == CLASS_NONE && strcmp(of_event, "memory") == 0;
	bool counted = id == FIELD_EVT_COUNT_ERROR_FILE     ? file
	               : id == FIELD_EVT_COUNT_ERROR_NET    ? net
	               : id == FIELD_EVT_COUNT_ERROR_MEMORY ? memory
	                                                    : !file && !net && !memory;
	if (counted)
		set_u64(v, q->event->header->result < 0);
}

void field_get_result(const struct field_query *q, struct value *v)
{
	int64_t result = q->event->header->result;

	if (!has_result(q->event))
		return;
	switch (q->ref->id) {
	case FIELD_EVT_RES:
		get_result(q, v);
		break;
	case FIELD_EVT_RAWRES:
		set_s64(v, result);
		break;
	case FIELD_EVT_FAILED:
		set_bool(v, result < 0);
		break;
	case FIELD_EVT_COUNT_ERROR:
		set_u64(v, result < 0);
		break;
	default:
		count_failure(q, q->ref->id, v);
		break;
	}
}

/* ---- input and output ---- */

static bool io_counts(const struct field_query *q)
{
	const struct event *e = q->event;
	bool reads = is_read(e), writes = is_write(e);

	switch (q->ref->id) {
	case FIELD_EVT_BUFLEN:
		return reads || writes;
	case FIELD_EVT_BUFLEN_IN:
		return reads;
	case FIELD_EVT_BUFLEN_OUT:
		return writes;
	case FIELD_EVT_BUFLEN_FILE:
		return (reads || writes) && fd_class(q) == CLASS_FILE;
	case FIELD_EVT_BUFLEN_FILE_IN:
		return reads && fd_class(q) == CLASS_FILE;
	case FIELD_EVT_BUFLEN_FILE_OUT:
		return writes && fd_class(q) == CLASS_FILE;
	case FIELD_EVT_BUFLEN_NET:
		return (reads || writes) && fd_class(q) == CLASS_NET;
	case FIELD_EVT_BUFLEN_NET_IN:
		return reads && fd_class(q) == CLASS_NET;
	case FIELD_EVT_BUFLEN_NET_OUT:
		return writes && fd_class(q) == CLASS_NET;
	default:
		return false;
	}
}

/* The messages of sendmmsg and recvmmsg: the call returns their number, of bytes only the first one's are known. */
static bool counts_messages(const struct event *e)
{
	return e->header->type == EVENT_sendmmsg || e->header->type == EVENT_recvmmsg;
}

static void get_length(const struct field_query *q, struct value *v)
{
	uint64_t size;
	if (q->event->header->result < 0 || !field_fd(q->event))
		return;
	if (!counts_messages(q->event))
		set_u64(v, (uint64_t)q->event->header->result);
	else if (field_number_arg(q->event, "size", &size))
		set_u64(v, size);
}

static void get_is_syslog(const struct field_query *q, struct value *v)
{
	struct value name = {.kind = VALUE_NULL};
	if (is_write(q->event))
		field_get_fd_name(q, &name);
	set_bool(v, name.kind == VALUE_STR && str_contains(name.str, STR("/dev/log")));
}

void field_get_io(const struct field_query *q, struct value *v)
{
	const struct event *e = q->event;

	switch (q->ref->id) {
	case FIELD_EVT_IS_IO:
		set_bool(v, is_read(e) || is_write(e));
		return;
	case FIELD_EVT_IS_IO_READ:
		set_bool(v, is_read(e));
		return;
	case FIELD_EVT_IS_IO_WRITE:
		set_bool(v, is_write(e));
		return;
	case FIELD_EVT_IO_DIR:
		if (is_read(e) || is_write(e))
			set_str(v, is_read(e) ? STR("read") : STR("write"));
		return;
	case FIELD_EVT_IS_WAIT: /* of the calls that wait, picket observes none */
		set_bool(v, false);
		return;
	case FIELD_EVT_IS_SYSLOG:
		get_is_syslog(q, v);
		return;
	default:
		if (io_counts(q))
			get_length(q, v);
		return;
	}
}

/* ---- opening ---- */

static bool is_creation(uint64_t flags)
{
	return flags & WIRE_O_CREAT || (flags & WIRE_O_TMPFILE) == WIRE_O_TMPFILE;
}

static bool creates_executable(const struct event *e, uint64_t flags)
{
	uint64_t mode;
	return is_creation(flags) && field_number_arg(e, "mode", &mode) && mode & MODE_EXECUTE;
}

static bool created(const struct event *e, uint64_t flags)
{
	const struct fd_info *fd = field_fd(e);
	if (e->header->result < 0)
		return false;
	return (fd && fd->flags & FD_F_CREATED) || (flags & WIRE_O_TMPFILE) == WIRE_O_TMPFILE;
}

void field_get_open(const struct field_query *q, struct value *v)
{
	const struct event *e = q->event;
	uint64_t flags = WIRE_O_CREAT | WIRE_O_WRONLY; /* what creat(2) means */
	bool opens = event_open_flags(e, &flags), creat = e->header->type == EVENT_creat;
	uint64_t access = flags & WIRE_O_ACCMODE;
	bool for_data = !(flags & WIRE_O_PATH); /* what O_PATH opens can neither be read nor written */
	switch (q->ref->id) {
	case FIELD_EVT_IS_OPEN_READ:
		set_bool(v, opens && for_data && (access == 0 || access == WIRE_O_RDWR));
		break;
	case FIELD_EVT_IS_OPEN_WRITE:
		set_bool(v, (opens || creat) && for_data && (access == WIRE_O_WRONLY || access == WIRE_O_RDWR));
		break;
	case FIELD_EVT_IS_OPEN_CREATE:
		set_bool(v, (opens || creat) && created(e, flags));
		break;
	case FIELD_EVT_IS_OPEN_EXEC:
		set_bool(v, (opens || creat) && creates_executable(e, flags));
		break;
	default:
		break;
	}
}

/* ---- paths ---- */

static const struct arg_info *second_path(const struct event *e, const struct arg_info *first)
{
	for (const struct arg_info *a = first + 1; a < e->info->args + e->info->arg_count; a++)
		if (a->type == ARG_PATH && a->kind == ARG_PLAIN)
			return a;
	return NULL;
}

static void get_absolute_path(const struct field_query *q, struct value *v)
{
	const struct event *e = q->event;
	const struct arg_info *a = names_main_arg(e), *second;
	if (strcmp(e->info->category, "file") != 0)
		return;
	if (!a) {
		if (e->header->type == EVENT_open_by_handle_at && e->header->result >= 0)
			field_get_fd_name(q, v);
		return;
	}
	second = second_path(e, a);
	if (q->ref->id == FIELD_EVT_ABSPATH_DST && second)
		a = second;
	struct str path = names_arg(q->view, a, q->arena);
	if (path.length > 0)
		set_path(q, v, path);
}

/* ---- addresses that a caller gave ---- */

static const char *family_name(struct str sockaddr)
{
	sa_family_t family;
	memcpy(&family, sockaddr.data, sizeof(family));
	switch (family) {
	case AF_INET:
		return "ipv4";
	case AF_INET6:
		return "ipv6";
	case AF_UNIX:
		return "unix";
	case AF_VSOCK:
		return "vsock";
	case AF_NETLINK:
		return "netlink";
	case AF_PACKET:
		return "packet";
	default:
		return NULL;
	}
}

static void get_address_path(const struct field_query *q, struct str sockaddr, struct value *v)
{
	struct str path;
	if (!sock_addr_path(sockaddr, &path) || path.length == 0)
		return;
	if (path.data[0] == '\0')
		path = arena_printf(q->arena, "@" STR_FMT, (int)path.length - 1, path.data + 1);
	set_path(q, v, path);
}

static void get_address_text(const struct field_query *q, struct str sockaddr, struct value *v)
{
	_cleanup_(buf_done) struct buf text;
	field_buf_init(&text);
	event_add_sockaddr(sockaddr, &text);
	set_buf(q, v, &text);
}

void field_get_address(const struct field_query *q, struct value *v)
{
	struct str sockaddr;
	struct sock_end end;

	if (!field_sock_addr(q->event, &sockaddr))
		return;
	if (q->ref->id == FIELD_EVT_ADDR)
		get_address_text(q, sockaddr, v);
	else if (q->ref->id == FIELD_EVT_ADDR_FAMILY)
		set_str_or_null(v, str_from(family_name(sockaddr)));
	else if (q->ref->id == FIELD_EVT_ADDR_PATH)
		get_address_path(q, sockaddr, v);
	else if (!sock_end_from_addr(sockaddr, &end))
		return;
	else if (q->ref->id == FIELD_EVT_ADDR_PORT)
		set_u64(v, end.port);
	else
		set_ip(v, &end.ip);
}

/* ---- arguments ---- */

void field_get_arguments(const struct field_query *q, struct value *v)
{
	switch (q->ref->id) {
	case FIELD_EVT_ARGS:
	case FIELD_EVT_INFO:
		field_get_args(q, v);
		break;
	case FIELD_EVT_ARG:
		field_get_arg(q, v);
		break;
	case FIELD_EVT_RAWARG:
		field_get_raw_arg(q, v);
		break;
	default:
		get_absolute_path(q, v);
		break;
	}
}

/* ---- the event itself ---- */

void field_get_evt(const struct field_query *q, struct value *v)
{
	const struct event *e = q->event;
	const struct host *host = &q->view->enrich->host;

	switch (q->ref->id) {
	case FIELD_EVT_NUM:
		set_u64(v, q->view->number);
		break;
	case FIELD_EVT_SOURCE:
		set_str(v, STR("syscall"));
		break;
	case FIELD_EVT_IS_ASYNC:
		set_bool(v, is_async(e));
		break;
	case FIELD_EVT_ASYNCTYPE:
		if (is_async(e))
			set_str(v, str_from(e->info->name));
		break;
	case FIELD_EVT_HOSTNAME:
		if (host->name && host->name[0])
			set_str(v, str_from(host->name));
		break;
	case FIELD_EVT_TYPE:
		set_str(v, str_from(e->info->name));
		break;
	case FIELD_EVT_TYPE_IS:
		set_u64(v, str_equals(q->ref->key, e->info->name));
		break;
	case FIELD_SYSCALL_TYPE:
		if (is_syscall(e))
			set_str(v, str_from(e->info->name));
		break;
	case FIELD_EVT_DIR:
		set_str(v, STR("<"));
		break;
	case FIELD_EVT_CATEGORY:
		set_str(v, str_from(category(q)));
		break;
	case FIELD_EVT_CPU:
		set_s64(v, e->header->cpu);
		break;
	case FIELD_EVT_COUNT:
	case FIELD_EVT_COUNT_EXIT:
		set_u64(v, 1);
		break;
	case FIELD_EVT_IS_URING:
		set_bool(v, e->header->flags & EVENT_F_URING);
		break;
	case FIELD_EVT_IS_COMPAT:
		set_bool(v, e->header->flags & EVENT_F_COMPAT);
		break;
	case FIELD_EVT_IS_KTHREAD:
		set_bool(v, e->header->flags & EVENT_F_KTHREAD);
		break;
	case FIELD_EVT_INCOMPLETE:
		set_bool(v, q->view->incomplete);
		break;
	default:
		break;
	}
}
