/* SPDX-License-Identifier: Apache-2.0
 *
 * Callbacks: functions of the program that the kernel calls. While a helper runs they are loops (loop.c); those that run
 * later, by a timer or a work queue, are walked on their own, once for each map whose values they belong to.
 */
#include <errno.h>
#include <linux/bpf.h>
#include <stdlib.h>
#include "verify/call_int.h"

#define LOOPS_MAX (1u << 23)      /* of bpf_loop */
#define SAMPLES_MAX (128u * 1024) /* of user_ringbuf_drain */
#define ASYNC_MAX 64

struct verify_async {
	uint32_t function, map;
	uint8_t kind; /* enum callback_kind */
};

/* ---- while a helper runs ---- */

static int enter_loop(struct verify *v, const struct frame *caller, struct frame *callback)
{
	callback->registers[1] = value_number(v, scalar_between(0, LOOPS_MAX - 1));
	callback->registers[2] = caller->registers[3];
	return 0;
}

static int enter_each(struct verify *v, const struct frame *caller, struct frame *callback)
{
	const uint32_t map = caller->registers[1].object;

	callback->registers[1] = caller->registers[1];
	callback->registers[2] = value_pointer(VALUE_MAP_KEY, map);
	callback->registers[4] = caller->registers[3];
	return special_map_value(v, map, &callback->registers[3]);
}

static int enter_drain(struct verify *v, const struct frame *caller, struct frame *callback)
{
	callback->registers[1] = value_pointer(VALUE_DYNPTR, 0);
	callback->registers[1].id = verify_id(v);
	callback->registers[2] = caller->registers[3];
	return 0;
}

static struct value trusted_object(const struct verify *v, const char *type)
{
	struct value value = value_pointer(VALUE_OBJECT, 0);

	value.flags = VALUE_TRUSTED;
	if (!verify_types_by_name(v->types, type, &value.object))
		value.object = 0;
	return value;
}

static int enter_vma(struct verify *v, const struct frame *caller, struct frame *callback)
{
	callback->registers[1] = caller->registers[1];
	callback->registers[2] = trusted_object(v, "vm_area_struct");
	callback->registers[3] = caller->registers[4];
	return 0;
}

/* ---- later ---- */

static int begin_async(struct verify *v, uint32_t function, struct frame *f)
{
	const struct verify_async *a = &v->async[v->async_now];

	f->function = function;
	f->callback = a->kind;
	f->registers[1] = value_pointer(VALUE_MAP, a->map);
	f->registers[2] = value_pointer(VALUE_MAP_KEY, a->map);
	return special_map_value(v, a->map, &f->registers[3]);
}

/* It may set itself again: what is being walked is not walked once more. */
static int prove_async(struct verify *v, uint32_t function, uint32_t map, enum callback_kind kind)
{
	const size_t before = v->async_now;
	uint64_t bound;
	int r;

	for (size_t i = 0; i < v->async_count; i++)
		if (v->async[i].function == function && v->async[i].map == map && v->async[i].kind == kind)
			return 0;
	if (v->async_count == ASYNC_MAX)
		return verify_limit(v, "callbacks of timers");
	if (!v->async)
		v->async = calloc(ASYNC_MAX, sizeof(*v->async));
	if (!v->async)
		return -ENOMEM;
	v->async_now = v->async_count++;
	v->async[v->async_now] = (struct verify_async){function, map, (uint8_t)kind};
	r = verify_function(v, function, begin_async, &bound);
	if (r) /* who set it may be walked again: then so is this */
		v->async_count = v->async_now;
	v->async_now = before;
	return r;
}

/* ---- both ---- */

int verify_callback(struct verify *v, const struct verify_proto *p, const struct call_facts *facts)
{
	const struct value *r1 = &state_top(v->state)->registers[1];

	switch (p->id) {
	case BPF_FUNC_loop:
		return loop_prove_callback(v, facts->function,
		                           r1->kind == VALUE_NUMBER ? MIN(r1->number.half.umax, LOOPS_MAX) : LOOPS_MAX,
		                           enter_loop);
	case BPF_FUNC_for_each_map_elem:
		return loop_prove_callback(v, facts->function, verify_map(v, facts->map)->max_entries, enter_each);
	case BPF_FUNC_user_ringbuf_drain:
		return loop_prove_callback(v, facts->function, SAMPLES_MAX, enter_drain);
	case BPF_FUNC_find_vma:
		return loop_prove_callback(v, facts->function, 1, enter_vma);
	case BPF_FUNC_timer_set_callback:
		return prove_async(v, facts->function, facts->owner, CALLBACK_TIMER);
	default:
		if (!strcmp(p->name, "bpf_wq_set_callback_impl"))
			return prove_async(v, facts->function, facts->owner, CALLBACK_WORK);
		return verify_reject(v, PICKET_REJECT_CALL, NULL, "use bpf_loop or for_each_map_elem",
		                     "callbacks of %s are not known", p->name);
	}
}

static int check_result(struct verify *v, const struct value *result, uint64_t most, const char *hint)
{
	if (result->kind == VALUE_NUMBER) {
		node_need(v, result->node);
		if (result->number.wide.umax <= most) /* callers look at all 64 bits */
			return 0;
	}
	return verify_reject(v, PICKET_REJECT_RETURN_VALUE, result, hint, "a callback may return %s only",
	                     most ? "0 or 1" : "0");
}

int callback_exit(struct verify *v, const struct value *result)
{
	const struct state *s = v->state;

	if (state_top(s)->callback == CALLBACK_PLAIN)
		return check_result(v, result, 1, "return 0 to go on, 1 to stop");
	if (s->lock || s->rcu || s->preempt)
		return verify_reject(v, PICKET_REJECT_LOCK, NULL, "unlock before each return",
		                     "the callback ends with a lock held");
	if (s->reference_count)
		return verify_reject(v, PICKET_REJECT_REFERENCE_LEAK, NULL, "release it on every path that leaves",
		                     "the callback ends without releasing what instruction %u acquired",
		                     v->code.ops[s->references[0].op].insn);
	return check_result(v, result, 0, "return 0");
}
