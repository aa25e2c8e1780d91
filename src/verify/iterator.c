/* SPDX-License-Identifier: Apache-2.0
 *
 * Open-coded iterators: new, next until it gives NULL, destroy. One is a few slots of stack; the first holds a hidden
 * number, how often next was called, so that a loop by it is one that counts (loop.c), and in that number's fields:
 *   ref     what destroy gives back
 *   object  whose iterator it is, as verify_kfunc_iterator() says
 *   range   how often next gives something, at most
 *   offset  0: active, 1: at its end
 * The others hold a number of the same ref, with its place in offset, counted from 2.
 */
#include <errno.h>
#include "verify/call_int.h"

#define NUMBERS_MAX (1u << 23) /* that bpf_iter_num gives */
#define OBJECTS_MAX UINT32_MAX /* that a kernel may have of anything */

static bool slot_is_iterator(const struct slot *s)
{
	return s->bytes[0] == BYTE_ITERATOR;
}

/* The slot of its lowest byte; those with its other bytes have lower indexes. */
static int find_slot(struct verify *v, const struct argument *a, uint32_t *ret_slot)
{
	const struct value *value = a->value;
	const uint16_t size = argument_row(a)->size;
	int64_t low, high;
	struct frame *f;
	int r;

	if (value->kind != VALUE_STACK)
		return argument_reject(v, a, "an iterator on the stack");
	r = stack_check(v, value, verify_register_name(a->arg + 1), 0, size, &low, &high);
	if (r)
		return r;
	if (low != high || low & 7)
		return argument_reject(v, a, "an iterator at a known place, a multiple of 8");
	*ret_slot = (uint32_t)(-low - 1) / 8;
	f = state_frame(v, v->state, value->frame);
	return f && frame_slot(v, f, *ret_slot) ? 0 : -ENOMEM;
}

static struct slot *slots_of(const struct verify *v, const struct argument *a, uint32_t slot)
{
	return &v->state->frames[a->value->frame]->stack->slots[slot];
}

/* How often its next function can give something. */
static uint32_t turns_max(const struct verify *v, const struct verify_proto *p)
{
	const struct value *registers = state_top(v->state)->registers;
	uint64_t from, to;

	if (strcmp(p->name, "bpf_iter_num_new") != 0)
		return strcmp(p->name, "bpf_iter_bits_new") ? OBJECTS_MAX : NUMBERS_MAX;
	if (scalar_is_constant(&registers[2].number, &from) && scalar_is_constant(&registers[3].number, &to))
		return (uint32_t)MIN(MAX((int64_t)(int32_t)to - (int32_t)from, 0), (int64_t)NUMBERS_MAX);
	return NUMBERS_MAX;
}

static int iterator_begin(struct verify *v, const struct argument *a)
{
	const unsigned count = (argument_row(a)->size + 7u) / 8;
	uint32_t first, ref;
	struct slot *top;
	int r = find_slot(v, a, &first);

	if (r)
		return r;
	top = slots_of(v, a, first);
	for (unsigned i = 0; i < count; i++) {
		if (slot_is_iterator(top - i))
			return verify_reject(v, PICKET_REJECT_ITERATOR, a->value,
			                     "destroy it first, or use another variable",
			                     "%s begins an iterator where there is one already", a->p->name);
		if ((top - i)->bytes[0] == BYTE_DYNPTR)
			return verify_reject(v, PICKET_REJECT_DYNPTR, a->value, "use another variable",
			                     "a dynptr on the stack would be overwritten by an iterator");
	}
	r = state_acquire(v, v->state, &ref);
	if (r)
		return r;
	for (unsigned i = 0; i < count; i++) {
		struct slot *s = top - i;
		*s = (struct slot){.node = node_new(v, 0, 0)};
		memset(s->bytes, BYTE_ITERATOR, sizeof(s->bytes));
		s->value = value_number(v, scalar_constant(0));
		s->value.ref = ref;
		s->value.object = verify_kfunc_iterator(a->p);
		s->value.offset = i ? (int32_t)i + 1 : 0;
	}
	if (a->p->flags & KFUNC_RCU_ONLY)
		top->value.flags = VALUE_RCU;
	top->value.range = turns_max(v, a->p);
	return 0;
}

static bool is_iterator(const struct verify *v, const struct argument *a, uint32_t first)
{
	const unsigned count = (argument_row(a)->size + 7u) / 8;
	const struct slot *top = slots_of(v, a, first);

	for (unsigned i = 0; i < count; i++) {
		const struct slot *s = top - i;
		if (!slot_is_iterator(s) || s->value.ref != top->value.ref ||
		    (i ? s->value.offset != (int32_t)i + 1 : s->value.offset > 1) ||
		    s->value.object != verify_kfunc_iterator(a->p))
			return false;
	}
	return true;
}

static void iterator_clear(struct verify *v, const struct argument *a, uint32_t first)
{
	const unsigned count = (argument_row(a)->size + 7u) / 8;
	struct slot *top = slots_of(v, a, first);

	for (unsigned i = 0; i < count; i++)
		*(top - i) = (struct slot){.node = node_new(v, 0, 0), .value = value_none()};
}

int argument_iterator(struct verify *v, const struct argument *a)
{
	const struct slot *top;
	uint32_t first;
	int r;

	if (argument_row(a)->flags & VERIFY_ARG_OUT)
		return iterator_begin(v, a);
	r = find_slot(v, a, &first);
	if (r)
		return r;
	top = slots_of(v, a, first);
	if (!is_iterator(v, a, first))
		return verify_reject(v, PICKET_REJECT_ITERATOR, a->value,
		                     "begin it with its _new function, on every path",
		                     "argument %u of %s is no such iterator, or no more", a->arg + 1, a->p->name);
	if (top->value.flags & VALUE_RCU && !verify_in_rcu(v))
		return verify_reject(v, PICKET_REJECT_ITERATOR, a->value,
		                     "keep the section until the iterator is destroyed",
		                     "%s is called outside of the section of RCU that its iterator needs", a->p->name);
	a->facts->iterator_frame = a->value->frame;
	a->facts->iterator = first;
	if (argument_row(a)->flags & VERIFY_ARG_RELEASE) {
		a->facts->released = top->value.ref;
		iterator_clear(v, a, first);
	}
	return 0;
}

bool iterator_holds(const struct state *s, uint32_t ref)
{
	for (uint32_t i = 0; i < s->frame_count; i++) {
		const struct stack *stack = s->frames[i]->stack;
		for (uint32_t k = 0; stack && k < stack->count; k++)
			if (slot_is_iterator(&stack->slots[k]) && stack->slots[k].value.ref == ref)
				return true;
	}
	return false;
}

/* ---- next ---- */

static struct slot *iterator_slot(struct verify *v, struct state *s, const struct call_facts *facts)
{
	struct frame *f = state_frame(v, s, facts->iterator_frame);

	return f ? frame_slot(v, f, facts->iterator) : NULL;
}

/* On the way where it gives something. false: it has given all. */
static bool count_turn(struct verify *v, struct slot *s)
{
	struct value *counter = &s->value;
	struct scalar limit = scalar_constant(counter->range), one = scalar_constant(1);

	if (!scalar_assume(SCALAR_LT, true, &counter->number, &limit))
		return false;
	scalar_alu(SCALAR_ADD, true, &counter->number, &one);
	counter->delta++;
	counter->node = node_new(v, counter->node, 0);
	s->node = node_new(v, s->node, 0);
	return true;
}

static int end_path(struct verify *v, struct state *s, const struct call_facts *facts)
{
	struct frame *f = state_frame(v, s, s->frame_count - 1);
	struct slot *slot = iterator_slot(v, s, facts);

	if (!f || !slot)
		return -ENOMEM;
	slot->value.offset = 1;
	for (unsigned i = 1; i <= 5; i++)
		f->registers[i] = value_none();
	f->registers[0] = value_number(v, scalar_constant(0));
	s->op++;
	return 0;
}

int iterator_next(struct verify *v, const struct call_facts *facts, struct value *result)
{
	struct state *s = v->state, *other;
	struct slot *slot = iterator_slot(v, s, facts);
	int r;

	if (!slot)
		return -ENOMEM;
	node_need(v, slot->node);
	if (slot->value.offset == 1) {
		*result = value_number(v, scalar_constant(0));
		return 0;
	}
	other = state_copy(v, s);
	if (!other)
		return verify_limit(v, "memory");
	r = end_path(v, other, facts);
	if (r) {
		state_free(v, other);
		return r;
	}
	slot = iterator_slot(v, s, facts);
	if (!slot || !count_turn(v, slot)) { /* only the end is left */
		state_done(v, s);
		state_copy_into(v, s, other);
		state_free(v, other);
		s->op--;
		*result = value_number(v, scalar_constant(0));
		return slot ? 0 : -ENOMEM;
	}
	if (other->parent)
		other->parent->branches++;
	other->next = v->waiting;
	v->waiting = other;
	result->flags &= (uint8_t)~VALUE_MAYBE_NULL;
	result->id = 0;
	if (slot->value.flags & VALUE_RCU && result->kind == VALUE_OBJECT)
		result->flags = VALUE_RCU;
	else
		result->ref = slot->value.ref;
	return 0;
}
