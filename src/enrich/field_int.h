/* SPDX-License-Identifier: Apache-2.0
 *
 * Private to the room: how the values of fields are made. One file a subject; field.c has the table of who gets what.
 * Getters are called with *ret_value null and leave it so where there is no value. Text that they make lives in the
 * query's arena; other text is borrowed from the event, the process or the container.
 */
#ifndef PICKET_ENRICH_FIELD_INT_H
#define PICKET_ENRICH_FIELD_INT_H

#include "enrich/enrich_int.h"
#include "enrich/names.h"

struct field_query {
	const struct enrich_view *view;
	const struct event *event;     /* of view */
	const struct process *process; /* of view: NULL: not known */
	const struct field_ref *ref;
	struct arena *arena;
};

void field_get_evt(const struct field_query *q, struct value *ret_value); /* evt.* but for the next six; syscall.type */
void field_get_time(const struct field_query *q, struct value *ret_value);
void field_get_result(const struct field_query *q, struct value *ret_value);
void field_get_open(const struct field_query *q, struct value *ret_value);
void field_get_io(const struct field_query *q, struct value *ret_value);
void field_get_address(const struct field_query *q, struct value *ret_value);
void field_get_arguments(const struct field_query *q, struct value *ret_value);
void field_get_proc(const struct field_query *q, struct value *ret_value);
void field_get_thread(const struct field_query *q, struct value *ret_value);
void field_get_user(const struct field_query *q, struct value *ret_value); /* also group */
void field_get_fd(const struct field_query *q,
                  struct value *ret_value); /* but for the next four: most rules ask for them */
void field_get_fd_name(const struct field_query *q, struct value *ret_value);
void field_get_fd_directory(const struct field_query *q, struct value *ret_value);
void field_get_fd_number(const struct field_query *q, struct value *ret_value);
void field_get_fd_letter(const struct field_query *q, struct value *ret_value);
void field_get_fs(const struct field_query *q, struct value *ret_value);
void field_get_container(const struct field_query *q, struct value *ret_value); /* also k8s */

/* ---- values ---- */
static inline void set_str(struct value *v, struct str s)
{
	v->kind = VALUE_STR;
	v->str = s.data ? s : STR("");
}
static inline void set_bytes(struct value *v, struct str s)
{
	v->kind = VALUE_BYTES;
	v->str = s.data ? s : STR("");
}
static inline void set_s64(struct value *v, int64_t n)
{
	v->kind = VALUE_S64;
	v->s64 = n;
}
static inline void set_u64(struct value *v, uint64_t n)
{
	v->kind = VALUE_U64;
	v->u64 = n;
}
static inline void set_bool(struct value *v, bool b)
{
	v->kind = VALUE_BOOL;
	v->boolean = b;
}
static inline void set_ip(struct value *v, const struct ip *ip)
{
	v->kind = VALUE_IP;
	v->ip = *ip;
}
/* Null if s.data is NULL. */
static inline void set_str_or_null(struct value *v, struct str s)
{
	if (s.data)
		set_str(v, s);
}
/* A path as text: bytes that are not UTF-8 or not printable become U+FFFD. Null if path.data is NULL. */
void set_path(const struct field_query *q, struct value *v, struct str path);
void set_buf(const struct field_query *q, struct value *v, struct buf *text); /* a copy; null if text has failed */
void set_list(struct value *v, const struct value *items, size_t count);      /* null if there are none */
void field_buf_init(struct buf *text);                                        /* with the limit of a field's text */

/* The value of another field of the same event. */
void field_get_other(const struct field_query *q, enum field_id id, struct value *ret_value);

/* ---- processes (field_proc.c) ---- */
struct str process_name(const struct process *p); /* data NULL: not known, here and below */
struct str process_exe(const struct process *p);
/* Walks strings that a NUL ends; the last one's may be missing (it was cut). False at the end. data NULL: no strings. */
bool process_next_arg(struct str *rest, struct str *ret_arg);
struct str args_after_first(struct str argv);      /* argv[1..], in the same form; data NULL: none */
uint64_t device_number(uint32_t dev);              /* as fd_info has it → as stat() gives it */
bool process_state_known(const struct process *p); /* p may be NULL */
void add_octal_mode(struct buf *out, uint32_t mode);

/* ---- arguments (field_arg.c) ---- */
const struct arg_info *field_find_arg(const struct field_query *q);       /* that ref names or numbers; NULL: none */
void field_get_arg(const struct field_query *q, struct value *ret_value); /* evt.arg */
void field_get_raw_arg(const struct field_query *q, struct value *ret_value); /* evt.rawarg */
void field_get_args(const struct field_query *q, struct value *ret_value);    /* evt.args */
/* False: no such argument. Inline, so that the name's length is known. */
static inline bool field_number_arg(const struct event *e, const char *name, uint64_t *ret_number)
{
	const struct arg_info *a = event_find_arg(e->info, str_from(name));
	if (!a || a->kind == ARG_DERIVED)
		return false;
	*ret_number = event_arg_number(e, a);
	return true;
}

/* ---- descriptors (field_fd.c) ---- */
bool field_bpf_makes_fd(const struct event *e); /* of an event bpf */
/* The event's descriptor, NULL: none, or not known. */
static inline const struct fd_info *field_fd(const struct event *e)
{
	if (e->info->fd_use == FD_NO || (e->info->fd_use == FD_CREATES && e->header->result < 0))
		return NULL;
	if (e->header->type == EVENT_bpf && !field_bpf_makes_fd(e))
		return NULL; /* the result is a number of another kind */
	return event_fd(e);
}
enum fd_kind field_fd_kind(const struct field_query *q, const struct fd_info *fd); /* as the language counts it */
const char *field_fd_letter(const struct field_query *q); /* what kind it is, as a text of one character */
int32_t field_fd_number(const struct event *e);

/* ---- sockets (field_sock.c) ---- */
enum sock_protocol { PROTOCOL_OTHER, PROTOCOL_TCP, PROTOCOL_UDP, PROTOCOL_ICMP, PROTOCOL_RAW };
enum sock_role { ROLE_NONE, ROLE_CLIENT, ROLE_SERVER, ROLE_BOUND };
struct sock_end {
	bool known;
	struct ip ip;
	uint16_t port;
};
struct sock_ends {
	enum sock_role role; /* of the acting process; BOUND: no peer, waits for any */
	struct sock_end local, remote;
	enum sock_protocol protocol;
};
const char *sock_protocol_name(enum sock_protocol protocol); /* NULL: of none of these */
/* False: not an IP socket, or nothing is known; ends may have been written to nevertheless. */
bool field_sock_ends(const struct field_query *q, struct sock_ends *ends);
const struct sock_end *sock_client(const struct sock_ends *s); /* NULL: none */
const struct sock_end *sock_server(const struct sock_ends *s);
bool field_sock_addr(const struct event *e, struct str *ret_sockaddr);  /* that the caller gave */
bool sock_end_from_addr(struct str sockaddr, struct sock_end *ret_end); /* false: not an IP address */
bool sock_addr_path(struct str sockaddr, struct str *ret_path); /* of a unix socket; abstract: with its leading NUL */
bool field_sock_connected(const struct field_query *q, const struct fd_info *fd);
void field_sock_name(const struct field_query *q, struct buf *out); /* fd.name of an IP or unix socket */

#endif
