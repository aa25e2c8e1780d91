/* SPDX-License-Identifier: Apache-2.0
 *
 * Pointers to the kernel's objects: how much they may be trusted, what is read through them, who takes them.
 *
 *   VALUE_TRUSTED, or a reference   it is what it says, and stays so
 *   VALUE_RCU                       the same, until RCU's read side ends
 *   neither                         it was found by following pointers, or the hook does not vouch for it: helpers take it
 *   VALUE_UNTRUSTED                 reading through it is all that is safe: the machine's faults are caught
 */
#include <errno.h>
#include <linux/bpf.h>
#include <string.h>
#include "verify/call_int.h"

bool verify_program_sleeps(const struct verify *v)
{
	uint8_t callback = v->state->frames[0]->callback;

	if (callback == CALLBACK_TIMER || callback == CALLBACK_WORK)
		return callback == CALLBACK_WORK;
	return v->program->sleeps || v->kind->id == PICKET_KIND_SYSCALL;
}

bool verify_in_rcu(const struct verify *v)
{
	return v->state->rcu || !verify_program_sleeps(v);
}

static bool is_trusted(const struct value *value)
{
	return value->flags & VALUE_TRUSTED || value->ref;
}

static const char *object_name(const struct verify *v, const struct value *value)
{
	const char *name = verify_types_name(v->types, value->object);

	return *name ? name : "?";
}

/* ---- reading ---- */

/* What an algorithm of TCP's congestion control may change of its connection. */
static bool may_write(const struct verify *v, const struct value *p, int64_t at, uint64_t size)
{
	static const char *const fields[] = {"snd_cwnd",       "snd_cwnd_cnt",    "snd_cwnd_stamp", "snd_ssthresh",
	                                     "ecn_flags",      "app_limited",     "icsk_ca_priv",   "pending",
	                                     "sk_pacing_rate", "sk_pacing_status"};
	struct verify_type_field f;

	if (v->kind->id != PICKET_KIND_STRUCT_OPS || strncmp(v->program->hook, "tcp_congestion_ops.", 19) != 0 ||
	    strcmp(verify_types_name(v->types, p->object), "tcp_sock") != 0 || size > 8 || !is_trusted(p) ||
	    !scalar_is_constant(&p->number, NULL) ||
	    !verify_types_field(v->types, p->object, at + p->number.wide.smin, (unsigned)size, &f))
		return false;
	for (size_t i = 0; i < ARRAY_SIZE(fields); i++)
		if (!strcmp(fields[i], f.member))
			return true;
	return false;
}

int verify_object_access(struct verify *v, const struct value *p, const char *what, int64_t offset, uint64_t size,
                         unsigned access)
{
	int64_t at = p->offset + offset;
	uint32_t bytes = p->object ? verify_types_bytes(v->types, p->object) : 0;

	if (access & ACCESS_WRITE && !may_write(v, p, at, size))
		return verify_reject(v, PICKET_REJECT_READ_ONLY, p, "use a helper or a function of the kernel",
		                     "%s is a kernel object: it may only be read", what);
	if (p->flags & VALUE_PERCPU)
		return verify_reject(v, PICKET_REJECT_TYPE, p,
		                     "get this CPU's with bpf_this_cpu_ptr or bpf_per_cpu_ptr",
		                     "%s is the address of a variable that each CPU has of its own", what);
	if (!scalar_is_constant(&p->number, NULL))
		return verify_reject(v, PICKET_REJECT_TYPE, p, "use bpf_probe_read_kernel",
		                     "%s leads into a kernel object at an offset that is not a constant", what);
	at += p->number.wide.smin;
	if (at < 0)
		return verify_reject(v, PICKET_REJECT_TYPE, p, "stay inside of the object",
		                     "%s leads to %lld bytes before a struct %s", what, -(long long)at,
		                     object_name(v, p));
	/* an array without a length may follow */
	if (bytes && (uint64_t)at + size > bytes && (uint64_t)at < bytes)
		return verify_reject(v, PICKET_REJECT_TYPE, p, "stay inside of the object",
		                     "%s reaches byte %llu of a struct %s that has %u", what,
		                     (unsigned long long)((uint64_t)at + size - 1), object_name(v, p), bytes);
	return 0;
}

bool object_has_bytes(const struct verify *v, const struct value *p, uint64_t size)
{
	uint32_t bytes = p->object ? verify_types_bytes(v->types, p->object) : 0;
	int64_t at = p->offset + p->number.wide.smin;

	return !bytes || (at >= 0 && size <= bytes && (uint64_t)at <= bytes - size);
}

/* How far what `from` leads to may be trusted, if the types say that of the field. */
static uint8_t trust_of_field(const struct verify *v, const struct value *from, const struct verify_type_field *f)
{
	bool in_rcu = verify_in_rcu(v) && !(from->flags & VALUE_MAYBE_NULL);

	if (from->flags & VALUE_UNTRUSTED || f->untrusted)
		return VALUE_UNTRUSTED;
	if (!is_trusted(from) && !(from->flags & VALUE_RCU && verify_in_rcu(v)))
		return 0;
	if (f->trusted && is_trusted(from))
		return VALUE_TRUSTED | (f->maybe_null ? VALUE_MAYBE_NULL : 0);
	if (f->rcu && in_rcu)
		return VALUE_RCU | (f->maybe_null ? VALUE_MAYBE_NULL : 0);
	return 0;
}

int verify_object_load(struct verify *v, const struct value *p, int64_t offset, unsigned size, bool is_signed,
                       struct value *ret_value)
{
	int64_t at = p->offset + offset + p->number.wide.smin;
	struct verify_type_field f;

	*ret_value = value_number(v, scalar_loaded(size, is_signed));
	if (!p->object)
		return 0;
	if (!verify_types_field(v->types, p->object, at, size, &f))
		return verify_reject(
		        v, PICKET_REJECT_TYPE, p, "read whole fields, at their offsets (CO-RE keeps them right)",
		        "struct %s has no field of %u bytes at offset %lld", object_name(v, p), size, (long long)at);
	if (f.what != TYPE_FIELD_OBJECT)
		return 0;
	ret_value->kind = VALUE_OBJECT;
	ret_value->number = scalar_constant(0);
	ret_value->object = f.type;
	ret_value->flags = (uint8_t)(trust_of_field(v, p, &f) | (f.percpu ? VALUE_PERCPU : 0));
	ret_value->id = ret_value->flags & VALUE_MAYBE_NULL ? verify_id(v) : 0;
	return 0;
}

static int leave_rcu(struct verify *v, struct value *value, void *user)
{
	(void)v;
	(void)user;
	if (value->kind == VALUE_OBJECT && value->flags & VALUE_RCU) {
		value->flags = (uint8_t)((value->flags & ~(VALUE_RCU | VALUE_MAYBE_NULL)) | VALUE_UNTRUSTED);
		value->id = 0;
	}
	return 0;
}

int objects_leave_rcu(struct verify *v)
{
	return state_each_value(v, v->state, leave_rcu, NULL);
}

/* ---- as arguments ---- */

/* The kernel's type behind what programs see as a socket; NULL: it is none. */
static const char *socket_type(const struct value *value)
{
	switch (value->kind) {
	case VALUE_SOCKET:
		return "sock";
	case VALUE_SOCK_COMMON:
		return "sock_common";
	case VALUE_TCP_SOCK:
		return "tcp_sock";
	default:
		return NULL;
	}
}

static bool type_fits(const struct verify *v, const struct value *value, const char *wanted)
{
	const char *socket = socket_type(value);
	uint32_t type = value->object, to;

	if (!wanted || !verify_types_by_name(v->types, wanted, &to))
		return true;
	if (socket && !verify_types_by_name(v->types, socket, &type))
		return true;
	if (!type)
		return true;
	return verify_types_holds(v->types, type, value->offset + value->number.wide.smin, to);
}

static int reject_trust(struct verify *v, const struct argument *a, const char *why, const char *hint)
{
	return verify_reject(v, PICKET_REJECT_TYPE, a->value, hint, "%s does not take r%u: %s", a->p->name, a->arg + 1,
	                     why);
}

static int check_trust(struct verify *v, const struct argument *a)
{
	const struct value *value = a->value;

	if (value->flags & VALUE_PERCPU)
		return reject_trust(v, a, "it is the address of a variable that each CPU has of its own",
		                    "get this CPU's with bpf_this_cpu_ptr");
	if (value->flags & VALUE_UNTRUSTED)
		return reject_trust(v, a, "what it leads to may be gone, or may be something else",
		                    "read what it leads to with bpf_probe_read_kernel");
	if (!proto_is_kfunc(a->p) || is_trusted(value) || socket_type(value))
		return 0;
	if (a->p->flags & (KFUNC_RCU | KFUNC_RCU_ONLY) && value->flags & VALUE_RCU && verify_in_rcu(v))
		return 0;
	return reject_trust(v, a, "nothing vouches for it being there as long as it is used",
	                    value->flags & VALUE_RCU
	                            ? "acquire a reference first (bpf_task_acquire ...)"
	                            : "take it from the hook's arguments, or acquire a reference first");
}

int argument_object(struct verify *v, const struct argument *a)
{
	const struct verify_arg *row = argument_row(a);
	const char *wanted = row->type ? row->type : a->facts->kptr;
	const struct value *value = a->value;
	int r = argument_not_null(v, a);

	if (r)
		return r;
	if (value->kind != VALUE_OBJECT && !(socket_type(value) && proto_is_kfunc(a->p)))
		return argument_reject(v, a, "a kernel object");
	if (!scalar_is_constant(&value->number, NULL))
		return argument_reject(v, a, "a kernel object at a constant offset");
	if (!type_fits(v, value, wanted))
		return verify_reject(v, PICKET_REJECT_TYPE, value, "pass an object of the right type",
		                     "%s takes a struct %s, but r%u is a struct %s", a->p->name, wanted, a->arg + 1,
		                     object_name(v, value));
	if (row->flags & VERIFY_ARG_RELEASE && (value->offset || value->number.wide.smin))
		return argument_reject(v, a, "the object as it was acquired, at its first byte");
	return check_trust(v, a);
}

int argument_socket(struct verify *v, const struct argument *a)
{
	const struct verify_arg *row = argument_row(a);
	const struct value *value = a->value;
	int r = argument_not_null(v, a);

	if (r)
		return r;
	if (row->base == VERIFY_ARG_SOCKET)
		return value->kind == VALUE_SOCKET ? 0 : argument_reject(v, a, "a full socket");
	if (socket_type(value))
		return 0;
	if (value->kind != VALUE_OBJECT)
		return argument_reject(v, a, "a socket");
	if (!type_fits(v, value, "sock_common"))
		return verify_reject(v, PICKET_REJECT_TYPE, value, "pass a socket",
		                     "%s takes a socket, but r%u is a struct %s", a->p->name, a->arg + 1,
		                     object_name(v, value));
	return check_trust(v, a);
}

int argument_percpu(struct verify *v, const struct argument *a)
{
	if (a->value->kind != VALUE_OBJECT || !(a->value->flags & VALUE_PERCPU))
		return argument_reject(v, a, "the address of a variable that each CPU has of its own");
	a->facts->object = a->value->object;
	a->facts->variable_bytes = a->value->range;
	return argument_not_null(v, a);
}
