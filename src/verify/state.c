/* SPDX-License-Identifier: Apache-2.0
 *
 * States: frames and stacks are shared between copies and copied when one of them is written.
 */
#include <errno.h>
#include <stdlib.h>
#include "verify/verify_int.h"

static size_t stack_size(uint32_t count)
{
	return sizeof(struct stack) + count * sizeof(struct slot);
}

static void stack_unref(struct verify *v, struct stack *s)
{
	if (s && --s->refs == 0)
		verify_free(v, s, stack_size(s->count));
}

static void frame_unref(struct verify *v, struct frame *f)
{
	if (!f || --f->refs)
		return;
	stack_unref(v, f->stack);
	verify_free(v, f, sizeof(*f));
}

struct frame *frame_new(struct verify *v)
{
	struct frame *f = verify_alloc(v, sizeof(*f));

	if (!f)
		return NULL;
	*f = (struct frame){.refs = 1};
	f->registers[10] = (struct value){.number = scalar_constant(0), .kind = VALUE_STACK, .room = ROOM_NONE};
	return f;
}

struct frame *state_frame(struct verify *v, struct state *s, uint32_t index)
{
	struct frame *old = s->frames[index], *f;

	if (old->refs == 1)
		return old;
	f = verify_alloc(v, sizeof(*f));
	if (!f)
		return NULL;
	*f = *old;
	f->refs = 1;
	if (f->stack)
		f->stack->refs++;
	old->refs--;
	s->frames[index] = f;
	return f;
}

struct slot *frame_slot(struct verify *v, struct frame *f, uint32_t slot)
{
	struct stack *old = f->stack, *s;
	uint32_t count = old ? old->count : 0;

	if (old && old->refs == 1 && slot < count)
		return &old->slots[slot];
	if (slot >= count)
		count = MIN(STACK_SLOTS, MAX(slot + 1, count + 4));
	s = verify_alloc(v, stack_size(count));
	if (!s)
		return NULL;
	memset(s, 0, stack_size(count));
	s->refs = 1;
	s->count = count;
	if (old)
		memcpy(s->slots, old->slots, old->count * sizeof(struct slot));
	stack_unref(v, old);
	f->stack = s;
	return &s->slots[slot];
}

int state_copy_into(struct verify *v, struct state *to, const struct state *from)
{
	(void)v;
	*to = *from;
	for (uint32_t i = 0; i < to->frame_count; i++)
		to->frames[i]->refs++;
	return 0;
}

struct state *state_copy(struct verify *v, const struct state *s)
{
	struct state *copy;

	if (v->states >= v->options.states_max) {
		v->out_of_states = true;
		return NULL;
	}
	copy = verify_alloc(v, sizeof(*copy));
	if (!copy)
		return NULL;
	state_copy_into(v, copy, s);
	copy->next = NULL;
	v->states++;
	v->verdict->states_seen++;
	v->verdict->states_peak = MAX(v->verdict->states_peak, v->states);
	return copy;
}

void state_done(struct verify *v, struct state *s)
{
	for (uint32_t i = 0; i < s->frame_count; i++)
		frame_unref(v, s->frames[i]);
	s->frame_count = 0;
}

void state_free(struct verify *v, struct state *s)
{
	if (!s)
		return;
	state_done(v, s);
	verify_free(v, s, sizeof(*s));
	v->states--;
}

static bool nodes_grow(struct verify *v)
{
	size_t room = v->node_room ? 2 * v->node_room : 256;
	struct node *nodes = verify_resize(v, v->nodes, v->node_room * sizeof(*v->nodes), room * sizeof(*v->nodes));

	if (!nodes)
		return false; /* the walk stops at out_of_memory */
	if (!v->node_count)
		nodes[v->node_count++] = (struct node){.needed = true};
	v->nodes = nodes;
	v->node_room = room;
	return true;
}

uint32_t node_new(struct verify *v, uint32_t a, uint32_t b)
{
	if (v->node_count == v->node_room && !nodes_grow(v))
		return 0;
	v->nodes[v->node_count] = (struct node){.a = a, .b = b, .op = v->state ? v->state->op : 0};
	return (uint32_t)v->node_count++;
}

/* `needed` is a list's link while it is followed: one more than the next node. */
static uint32_t need_push(struct node *nodes, uint32_t node, uint32_t list)
{
	if (!node || nodes[node].needed)
		return list;
	nodes[node].needed = list + 1;
	return node;
}

void node_need(struct verify *v, uint32_t node)
{
	uint32_t list = need_push(v->nodes, node, 0);

	while (list) {
		struct node *n = &v->nodes[list];
		list = n->needed - 1;
		n->needed = 1;
		list = need_push(v->nodes, n->a, list);
		list = need_push(v->nodes, n->b, list);
	}
}

struct value value_number(struct verify *v, struct scalar number)
{
	return (struct value){.number = number, .kind = VALUE_NUMBER, .node = node_new(v, 0, 0), .room = ROOM_NONE};
}

struct value value_unknown(struct verify *v)
{
	return value_number(v, scalar_unknown());
}

int state_each_value(struct verify *v, struct state *s, int (*visit)(struct verify *v, struct value *value, void *user),
                     void *user)
{
	for (uint32_t i = 0; i < s->frame_count; i++) {
		struct frame *f = state_frame(v, s, i);
		struct slot *first;
		int r;

		if (!f)
			return -ENOMEM;
		for (unsigned reg = 0; reg < 10; reg++) {
			r = visit(v, &f->registers[reg], user);
			if (r)
				return r;
		}
		if (!f->stack)
			continue;
		first = frame_slot(v, f, 0);
		if (!first)
			return -ENOMEM;
		for (uint32_t slot = 0; slot < f->stack->count; slot++) {
			if (first[slot].value.kind == VALUE_NONE)
				continue;
			r = visit(v, &first[slot].value, user);
			if (r)
				return r;
		}
	}
	return 0;
}

int state_acquire(struct verify *v, struct state *s, uint32_t *ret_id)
{
	uint32_t id = verify_id(v);

	if (s->reference_count == REFERENCES_MAX)
		return verify_limit(v, "references held at once");
	s->references[s->reference_count].id = id;
	s->references[s->reference_count++].op = s->op;
	*ret_id = id;
	return 0;
}

static int forget_reference(struct verify *v, struct value *value, void *user)
{
	if (value->ref == *(const uint32_t *)user) {
		bool leaks = verify_leaks(v);
		*value = leaks ? value_unknown(v) : (struct value){.kind = VALUE_NONE, .room = ROOM_NONE};
		value->object = VALUE_WAS_RELEASED;
	}
	return 0;
}

/* All copies of what was released are gone, too. */
int state_release(struct verify *v, struct state *s, uint32_t ref)
{
	for (uint32_t i = 0; i < s->reference_count; i++)
		if (s->references[i].id == ref) {
			s->references[i] = s->references[--s->reference_count];
			return state_each_value(v, s, forget_reference, &ref);
		}
	return -ENOENT;
}

static int forget_packet(struct verify *v, struct value *value, void *user)
{
	(void)user;
	if (value->kind == VALUE_PACKET || value->kind == VALUE_PACKET_META || value->kind == VALUE_PACKET_END ||
	    value->flags & VALUE_SLICE) {
		*value = value_unknown(v);
		value->object = VALUE_WAS_PACKET;
	}
	return 0;
}

int verify_forget_packet(struct verify *v)
{
	v->changes_packet = true;
	return state_each_value(v, v->state, forget_packet, NULL);
}

/* What is not read any more need not be the same where paths meet. */
int state_drop_dead(struct verify *v)
{
	struct state *s = v->state;
	uint16_t dead = 0, live = verify_live(v, s, s->frame_count - 1);
	struct frame *f = state_top(s);

	for (unsigned reg = 0; reg < 10; reg++)
		if (f->registers[reg].kind != VALUE_NONE)
			dead |= (uint16_t)(1u << reg);
	dead &= (uint16_t)~live;
	/* to copy the frame for it pays only where a loop would have to learn what it need not know */
	if (!dead || (f->refs > 1 && !(v->places[s->op] & PLACE_HEAD)))
		return 0;
	f = state_frame(v, s, s->frame_count - 1);
	if (!f)
		return -ENOMEM;
	for (unsigned reg = 0; reg < 10; reg++)
		if (dead & 1u << reg)
			f->registers[reg] = (struct value){.kind = VALUE_NONE, .room = ROOM_NONE};
	return 0;
}
