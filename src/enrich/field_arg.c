/* SPDX-License-Identifier: Apache-2.0
 *
 * Arguments of an event as text. Each has a plain form (a number, the text that was given) and may have a meaning (the
 * name of an error, of flags, of a process, an absolute path); evt.args shows both, evt.arg the meaning if there is one.
 */
#include "enrich/field_int.h"

#include <fcntl.h>
#include <inttypes.h>

#include "base/clock.h"

/* On the wire, for all machines (schema/names.def). */
#define WIRE_O_CREAT 0x40
#define WIRE_O_TMPFILE 0x410000

enum load { LOAD_MISSING, LOAD_NUMBER, LOAD_TEXT };

struct loaded {
	enum load load;
	int64_t number; /* unsigned ones by their bits */
	struct str text;
	bool truncated;
};

/* ---- finding ---- */

/* The n-th of those that evt.args lists. */
static const struct arg_info *listed_arg(const struct event *e, uint32_t n)
{
	for (unsigned i = 0; i < e->info->arg_count; i++)
		if (e->info->args[i].kind != ARG_OWN && n-- == 0)
			return &e->info->args[i];
	return NULL;
}

const struct arg_info *field_find_arg(const struct field_query *q)
{
	return q->ref->has_index ? listed_arg(q->event, q->ref->index) : event_find_arg(q->event->info, q->ref->key);
}

/* ---- loading ---- */

static bool is_text(enum arg_type type)
{
	switch (type) {
	case ARG_STR:
	case ARG_BYTES:
	case ARG_ARGV:
	case ARG_SOCKADDR:
	case ARG_PATH:
	case ARG_TUPLE:
		return true;
	default:
		return false;
	}
}

/* What an open was told of a mode that it has no use for is not a mode. */
static bool mode_is_used(const struct event *e)
{
	uint64_t flags;
	if (e->header->type == EVENT_creat || !field_number_arg(e, "flags", &flags))
		return true;
	return flags & WIRE_O_CREAT || (flags & WIRE_O_TMPFILE) == WIRE_O_TMPFILE;
}

static struct loaded load_stored(const struct event *e, const struct arg_info *a)
{
	struct loaded l = {.load = LOAD_NUMBER};
	if (a->kind == ARG_RESULT) {
		l.number = e->header->result;
	} else if (!is_text(a->type)) {
		l.number = (int64_t)event_arg_number(e, a);
		if (a->type == ARG_OCT && !mode_is_used(e))
			l.number = 0;
	} else {
		l.load = event_arg_slot(e, a, &l.text, &l.truncated) ? LOAD_TEXT : LOAD_MISSING;
	}
	return l;
}

/* An exec's own argv and environment: of a start that failed the process has none. */
static bool load_exec_text(const struct event *e, const struct arg_info *a, struct loaded *ret_loaded)
{
	bool environment = strcmp(a->field, "proc.env") == 0;
	const struct arg_info *from = event_find_arg(e->info, environment ? STR("environ") : STR("argv"));
	struct loaded l = {.load = LOAD_TEXT};
	struct str first;

	if (!from || from->kind != ARG_OWN || !event_arg_slot(e, from, &l.text, &l.truncated))
		return false;
	if (strcmp(a->field, "proc.exe") == 0) {
		struct str rest = l.text;
		l.text = process_next_arg(&rest, &first) ? first : STR("");
	} else if (strcmp(a->field, "proc.args") == 0) {
		l.text = args_after_first(l.text);
	} else if (!environment) {
		return false;
	}
	*ret_loaded = l;
	return true;
}

static struct str process_strings(const struct process *p, const char *field)
{
	if (!process_state_known(p) || !p->image)
		return (struct str){0};
	return strcmp(field, "proc.env") == 0 ? p->image->environ_ : args_after_first(p->image->argv);
}

static bool load_capabilities(const struct field_query *q, const char *field, struct loaded *ret_loaded)
{
	static const struct str prefix = {"thread.cap_", sizeof("thread.cap_") - 1};
	if (!str_starts_with(str_from(field), prefix))
		return false;
	*ret_loaded = (struct loaded){.load = LOAD_MISSING};
	if (!process_state_known(q->process))
		return true;
	const struct task_state *s = &q->process->state;
	ret_loaded->load = LOAD_NUMBER;
	switch (field[prefix.length]) {
	case 'i':
		ret_loaded->number = (int64_t)s->cap_inheritable;
		break;
	case 'p':
		ret_loaded->number = (int64_t)s->cap_permitted;
		break;
	default:
		ret_loaded->number = (int64_t)s->cap_effective;
		break;
	}
	return true;
}

static struct loaded load_field(const struct field_query *q, const char *field)
{
	struct field_ref ref;
	struct value v;
	size_t length;
	struct loaded l = {.load = LOAD_NUMBER};

	if (field_parse_prefix(str_from(field), &ref, &length) < 0)
		return (struct loaded){.load = LOAD_MISSING};
	field_get_other(q, ref.id, &v);
	l.truncated = v.truncated;
	switch (v.kind) {
	case VALUE_S64:
		l.number = v.s64;
		break;
	case VALUE_U64:
		l.number = (int64_t)v.u64;
		break;
	case VALUE_BOOL:
		l.number = v.boolean;
		break;
	case VALUE_STR:
	case VALUE_BYTES:
		l.load = LOAD_TEXT;
		l.text = v.str;
		break;
	default:
		/* A file that was not reached has device and inode 0. */
		l.load = ref.id == FIELD_FD_DEV || ref.id == FIELD_FD_INO ? LOAD_NUMBER : LOAD_MISSING;
		break;
	}
	return l;
}

static struct loaded load_derived(const struct field_query *q, const struct arg_info *a)
{
	struct loaded l;
	if (load_exec_text(q->event, a, &l) || load_capabilities(q, a->field, &l))
		return l;
	if (a->type == ARG_ARGV) {
		l = (struct loaded){.load = LOAD_TEXT, .text = process_strings(q->process, a->field)};
		if (!process_state_known(q->process))
			l.load = LOAD_MISSING;
		return l;
	}
	l = load_field(q, a->field);
	if (a->type == ARG_TUPLE && l.text.length == 0)
		l.load = LOAD_MISSING;
	return l;
}

static struct loaded load(const struct field_query *q, const struct arg_info *a)
{
	return a->kind == ARG_DERIVED ? load_derived(q, a) : load_stored(q->event, a);
}

/* ---- the plain form ---- */

static void add_missing(const struct arg_info *a, struct buf *out)
{
	switch (a->type) {
	case ARG_BYTES:
	case ARG_ARGV:
	case ARG_SOCKADDR:
	case ARG_TUPLE:
		buf_add_text(out, "NULL");
		break;
	default:
		buf_add_text(out, "<NA>");
		break;
	}
}

static void add_number(const struct arg_info *a, int64_t n, struct buf *out)
{
	switch (a->type) {
	case ARG_HEX32:
		buf_printf(out, "%" PRIX32, (uint32_t)n);
		break;
	case ARG_HEX:
		if (a->kind == ARG_RESULT && n < 0)
			buf_printf(out, "%" PRId64, n);
		else
			buf_printf(out, "%" PRIX64, (uint64_t)n);
		break;
	case ARG_OCT:
	case ARG_MODE:
		buf_printf(out, "%#" PRIo32, (uint32_t)n);
		break;
	case ARG_FLAGS:
	case ARG_ENUM:
		buf_printf(out, "%" PRIu64, a->table < 0 ? (uint64_t)n : names_to_rule(a->table, (uint64_t)n));
		break;
	case ARG_BOOL:
		buf_add_text(out, n ? "true" : "false");
		break;
	case ARG_U64:
	case ARG_NS:
		buf_printf(out, "%" PRIu64, (uint64_t)n);
		break;
	case ARG_U32:
		buf_printf(out, "%" PRIu32, (uint32_t)n);
		break;
	case ARG_TIMESTAMP:
		clock_add_local_datetime(out, (uint64_t)n, true);
		break;
	case ARG_UID:
	case ARG_GID: /* 2^32-1 is -1: keep what is */
		buf_printf(out, "%" PRId64, (uint32_t)n == UINT32_MAX ? -1 : n);
		break;
	default:
		buf_printf(out, "%" PRId64, n);
		break;
	}
}

/* The bytes of argv and of environments are shown with a NUL after each string, the last one too. */
static void add_strings(struct str strings, struct buf *out)
{
	if (!strings.data)
		return;
	value_add_printable(strings, '.', out);
	buf_add_char(out, '.');
}

static void add_plain(const struct arg_info *a, const struct loaded *l, struct buf *out)
{
	if (l->load == LOAD_MISSING) {
		add_missing(a, out);
		return;
	}
	if (l->load == LOAD_NUMBER) {
		add_number(a, l->number, out);
		return;
	}
	switch (a->type) {
	case ARG_ARGV:
		add_strings(l->text, out);
		break;
	case ARG_BYTES:
		value_add_printable(l->text, '.', out);
		break;
	case ARG_SOCKADDR:
		event_add_sockaddr(l->text, out);
		break;
	default:
		buf_add_str(out, l->text);
		break;
	}
}

/* ---- the meaning ---- */

static void add_errno(int64_t n, struct buf *out)
{
	const char *name = n < 0 && n > -4096 ? errno_name((int)-n) : NULL;
	if (name)
		buf_add_text(out, name);
}

static char protocol_letter(const struct field_query *q)
{
	struct sock_ends ends;
	const char *name = field_sock_ends(q, &ends) ? sock_protocol_name(ends.protocol) : NULL;
	return name ? name[0] : '\0';
}

static void add_fd_of_event(const struct field_query *q, struct buf *out)
{
	struct value name = {.kind = VALUE_NULL};
	char kind = field_fd_letter(q)[0], protocol = kind == '4' || kind == '6' ? protocol_letter(q) : '\0';
	buf_add_char(out, '<');
	buf_add_char(out, kind);
	if (protocol)
		buf_add_char(out, protocol);
	buf_add_char(out, '>');
	field_get_fd_name(q, &name);
	if (name.kind == VALUE_STR)
		buf_add_str(out, name.str);
}

static bool is_fd_of_event(const struct field_query *q, const struct arg_info *a, int64_t n)
{
	const struct event *e = q->event;
	const struct fd_info *fd = field_fd(e);
	if (!fd)
		return false;
	if (fd->number == n)
		return a->kind == ARG_RESULT || e->info->fd_use != FD_CREATES || e->header->type == EVENT_dup2 ||
		       e->header->type == EVENT_dup3;
	/* a copy is of the same file */
	return strcmp(a->name, "oldfd") == 0;
}

/* The directory that a path is relative to, by the argument before that path. */
static void add_dirfd(const struct field_query *q, const struct arg_info *a, struct buf *out)
{
	const struct arg_info *path = a + 1;
	struct str text, base = {0};
	bool truncated;
	if (path >= q->event->info->args + q->event->info->arg_count || path->type != ARG_PATH ||
	    !event_arg_path(q->event, path, &text, &base, &truncated) || !base.data)
		return;
	buf_add_text(out, "<d>");
	buf_add_str(out, base);
}

static void add_fd(const struct field_query *q, const struct arg_info *a, int64_t n, struct buf *out)
{
	if (n == AT_FDCWD)
		buf_add_text(out, "AT_FDCWD");
	else if (n < 0)
		add_errno(n, out);
	else if (is_fd_of_event(q, a, n))
		add_fd_of_event(q, out);
	else if (a->kind == ARG_PLAIN)
		add_dirfd(q, a, out);
}

/* In a pid namespace of its own a process counts otherwise than the process table. */
static bool counts_as_host(const struct process *p)
{
	return !process_state_known(p) || p->state.vpid == 0 || p->state.vpid == p->pid;
}

static void add_process(const struct field_query *q, const struct arg_info *a, int64_t n, struct buf *out)
{
	const struct event_header *h = q->event->header;
	const struct process *p = NULL;
	bool of_host = a->kind == ARG_DERIVED || a->kind == ARG_OWN || counts_as_host(q->process);

	if (a->kind == ARG_RESULT && n < 0)
		add_errno(n, out);
	if (n <= 0 || n > INT32_MAX || !of_host)
		return;
	if (n == h->pid || n == h->tid)
		p = q->process;
	else
		p = process_find(q->view->enrich->processes, (uint32_t)n, 0);
	buf_add_str(out, process_name(p));
}

static void add_user(const struct field_query *q, const struct arg_info *a, int64_t n, struct buf *out)
{
	const struct enrich *e = q->view->enrich;
	uint32_t id = (uint32_t)n;
	if (id == UINT32_MAX)
		buf_add_text(out, "<NONE>");
	else
		buf_add_str(out, a->type == ARG_UID ? enrich_user_name(e, q->process, id)
		                                    : enrich_group_name(e, q->process, id));
}

static void add_number_meaning(const struct field_query *q, const struct arg_info *a, int64_t n, struct buf *out)
{
	const char *name;

	switch (a->type) {
	case ARG_ERRNO:
		add_errno(n, out);
		break;
	case ARG_FD:
		add_fd(q, a, n, out);
		break;
	case ARG_PID:
		add_process(q, a, n, out);
		break;
	case ARG_UID:
	case ARG_GID:
		add_user(q, a, n, out);
		break;
	case ARG_FLAGS:
	case ARG_MODE:
		if (a->table >= 0)
			names_add_flags(a->table, (uint64_t)n, out);
		break;
	case ARG_ENUM:
		if (a->table >= 0)
			names_add_enum(a->table, (uint64_t)n, out);
		break;
	case ARG_SIG:
		name = signal_name((int)n);
		if (n > 0 && name)
			buf_add_text(out, name);
		break;
	default:
		if (a->kind == ARG_RESULT)
			add_errno(n, out);
		break;
	}
}

/* A path is shown as it was given, and what it means if that differs. */
static void add_path_meaning(const struct field_query *q, const struct arg_info *a, struct buf *out)
{
	struct value v = {.kind = VALUE_NULL};
	if (a->kind == ARG_DERIVED)
		return;
	set_path(q, &v, names_arg(q->view, a, q->arena));
	if (v.kind == VALUE_STR)
		buf_add_str(out, v.str);
}

static void add_meaning(const struct field_query *q, const struct arg_info *a, const struct loaded *l, struct buf *out)
{
	if (l->load == LOAD_NUMBER)
		add_number_meaning(q, a, l->number, out);
	else if (l->load == LOAD_TEXT && a->type == ARG_PATH)
		add_path_meaning(q, a, out);
}

/* ---- fields ---- */

/* The bytes that a call moved are not recorded: an argument that is there, and unavailable. */
static bool has_payload(enum event_type type)
{
	switch (type) {
	case EVENT_sendto:
	case EVENT_sendmsg:
	case EVENT_sendmmsg:
	case EVENT_recvfrom:
	case EVENT_recvmsg:
	case EVENT_recvmmsg:
	case EVENT_process_vm_readv:
	case EVENT_process_vm_writev:
		return true;
	default:
		return false;
	}
}

void field_get_arg(const struct field_query *q, struct value *v)
{
	const struct arg_info *a = field_find_arg(q);
	if (!a) {
		if (!q->ref->has_index && str_equal(q->ref->key, STR("data")) && has_payload(q->event->header->type))
			set_str(v, STR("NULL"));
		return;
	}
	_cleanup_(buf_done) struct buf text;
	struct loaded l = load(q, a);
	field_buf_init(&text);
	add_meaning(q, a, &l, &text);
	if (text.length == 0)
		add_plain(a, &l, &text);
	set_buf(q, v, &text);
	v->truncated |= l.truncated;
}

void field_get_args(const struct field_query *q, struct value *v)
{
	const struct event_info *info = q->event->info;
	bool first = true;
	_cleanup_(buf_done) struct buf text, meaning;
	field_buf_init(&text);
	field_buf_init(&meaning);
	for (unsigned i = 0; i < info->arg_count; i++) {
		const struct arg_info *a = &info->args[i];
		if (a->kind == ARG_OWN)
			continue;
		struct loaded l = load(q, a);
		buf_printf(&text, "%s%s=", first ? "" : " ", a->name);
		size_t plain = text.length;
		add_plain(a, &l, &text);
		buf_clear(&meaning);
		add_meaning(q, a, &l, &meaning);
		if (meaning.length > 0 &&
		    !str_equal(buf_str(&meaning), str_make(text.data + plain, text.length - plain))) {
			buf_add_char(&text, '(');
			buf_add_str(&text, buf_str(&meaning));
			buf_add_char(&text, ')');
		}
		first = false;
		v->truncated |= l.truncated;
	}
	bool truncated = v->truncated;
	set_buf(q, v, &text);
	v->truncated |= truncated;
}

static void set_raw_number(const struct arg_info *a, int64_t n, struct value *v)
{
	switch (a->type) {
	case ARG_FLAGS:
	case ARG_ENUM:
		set_u64(v, a->table < 0 ? (uint64_t)n : names_to_rule(a->table, (uint64_t)n));
		break;
	case ARG_BOOL:
		set_bool(v, n != 0);
		break;
	case ARG_ERRNO:
	case ARG_FD:
	case ARG_PID:
	case ARG_S32:
	case ARG_S64:
	case ARG_SIG:
		set_s64(v, n);
		break;
	default:
		if (a->kind == ARG_RESULT) /* an address, or an error */
			set_s64(v, n);
		else
			set_u64(v, (uint64_t)n);
		break;
	}
}

void field_get_raw_arg(const struct field_query *q, struct value *v)
{
	const struct arg_info *a = field_find_arg(q);
	if (!a)
		return;
	struct loaded l = load(q, a);
	v->truncated = l.truncated;
	if (l.load == LOAD_MISSING)
		return;
	if (l.load == LOAD_NUMBER) {
		set_raw_number(a, l.number, v);
		return;
	}
	if (a->type == ARG_SOCKADDR) {
		_cleanup_(buf_done) struct buf text;
		field_buf_init(&text);
		event_add_sockaddr(l.text, &text);
		set_buf(q, v, &text);
		return;
	}
	(a->type == ARG_BYTES || a->type == ARG_ARGV ? set_bytes : set_str)(v, l.text);
}
