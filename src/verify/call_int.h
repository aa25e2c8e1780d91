/* SPDX-License-Identifier: Apache-2.0
 *
 * Calls, inside: what argument.c asks of those who know one thing that is handed over. All read v->state; 0, or -EINVAL
 * after a rejection, or -ENOMEM.
 */
#ifndef PICKET_VERIFY_CALL_INT_H
#define PICKET_VERIFY_CALL_INT_H

#include "verify/table_int.h"
#include "verify/types_int.h"

/* An argument as it is checked: the arg-th (from 0) of a call of p. value: a copy of the register. */
struct argument {
	const struct verify_proto *p;
	unsigned arg;
	const struct value *value;
	struct call_facts *facts;
};
static inline const struct verify_arg *argument_row(const struct argument *a)
{
	return &a->p->args[a->arg];
}
/* wanted: "a map" ... Returns -EINVAL. */
int argument_reject(struct verify *v, const struct argument *a, const char *wanted);
int argument_not_null(struct verify *v, const struct argument *a) must_check;
bool proto_is_kfunc(const struct verify_proto *p);
bool value_is_zero(const struct value *value);
static inline struct value value_none(void)
{
	return (struct value){.kind = VALUE_NONE, .room = ROOM_NONE};
}
static inline struct value value_pointer(uint8_t kind, uint32_t object)
{
	return (struct value){.kind = kind, .object = object, .number = scalar_constant(0), .room = ROOM_NONE};
}

/* ---- object.c ---- */
int argument_object(struct verify *v, const struct argument *a) must_check;
/* Do so many lie in the object, at a constant place? What is behind it may be read by loads, not by helpers. */
bool object_has_bytes(const struct verify *v, const struct value *p, uint64_t size);
int argument_socket(struct verify *v, const struct argument *a) must_check;
int argument_percpu(struct verify *v, const struct argument *a) must_check;
/* RCU's read side ends: its objects may be gone. */
int objects_leave_rcu(struct verify *v) must_check;

/* ---- special.c: what is in a map's value ---- */
int argument_lock(struct verify *v, const struct argument *a) must_check;
int argument_timer(struct verify *v, const struct argument *a) must_check;
int argument_workqueue(struct verify *v, const struct argument *a) must_check;
int argument_kptr(struct verify *v, const struct argument *a) must_check;
/* A value of that map, not NULL. */
int special_map_value(struct verify *v, uint32_t map, struct value *ret_value) must_check;

/* ---- dynptr.c ---- */
int argument_dynptr(struct verify *v, const struct argument *a) must_check;
/* What the call does to the dynptr that it got, and what it gives of it: a slice. */
int dynptr_called(struct verify *v, const struct verify_proto *p, const struct call_facts *facts) must_check;
void dynptr_slice(const struct verify_proto *p, const struct call_facts *facts, struct value *slice);

/* A dynptr's slot is written to: it is none any more, or may not be. */
int dynptr_overwrite(struct verify *v, const struct slot *s, const struct value *culprit) must_check;

/* ---- iterator.c ---- */
int argument_iterator(struct verify *v, const struct argument *a) must_check;
/* Of a call of its next function: one path goes on with `result`, another one waits at its end. */
bool iterator_holds(const struct state *s, uint32_t ref); /* is it what an iterator gives back? */
int iterator_next(struct verify *v, const struct call_facts *facts, struct value *result) must_check;

/* ---- callback.c ---- */
int verify_callback(struct verify *v, const struct verify_proto *p, const struct call_facts *facts) must_check;
int callback_exit(struct verify *v, const struct value *result) must_check; /* from one; it may return that? */

#endif
