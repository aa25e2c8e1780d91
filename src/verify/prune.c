/* SPDX-License-Identifier: Apache-2.0
 *
 * When does a path need not be walked on, because an earlier one was where it is and knew no more?
 *
 * At joins states are kept (checkpoints). One whose paths all came to their ends without a rejection covers a later state if
 * everything that those paths relied on holds in the later one. What they relied on is recorded as they walk: each value has
 * a node, made of the nodes of the values that it was computed from. When a number's bounds decide something (an access, a
 * branch that goes only one way, a size), its node and all that it was made of become needed. A number whose node is not
 * needed covers every other. So the need travels back along the very computation, through registers, stack and calls,
 * without the instructions being looked at again. Slots of the stack have nodes for another need, that of being read: what
 * was never read covers everything. When a state is covered, what the older one needed is needed of it, too, for it stands
 * for those paths in the checkpoints on its own way.
 */
#include <errno.h>
#include "verify/verify_int.h"

#define CHECKPOINTS_PER_OP 64
#define CHECKPOINTS_SPARSE 16384
#define IDS_MAX 128

struct ids {
	uint32_t old[IDS_MAX], now[IDS_MAX];
	unsigned count;
};

/* Values that were the same in the older state must be the same in this one. */
static bool ids_match(struct ids *ids, uint32_t old, uint32_t now)
{
	if (!old)
		return true;
	if (!now || (old == ID_LENGTH) != (now == ID_LENGTH))
		return false;
	for (unsigned i = 0; i < ids->count; i++)
		if (ids->old[i] == old)
			return ids->now[i] == now;
	if (ids->count == IDS_MAX)
		return false;
	ids->old[ids->count] = old;
	ids->now[ids->count++] = now;
	return true;
}

static bool number_covers(const struct verify *v, const struct value *old, const struct value *now, bool exact,
                          struct ids *ids)
{
	if (now->kind != VALUE_NUMBER)
		return false;
	if (!exact && old->node && !v->nodes[old->node].needed)
		return true;
	if (!scalar_contains(&old->number, &now->number) || now->room < old->room)
		return false;
	if (!exact && old->origin && (old->origin != now->origin || old->delta != now->delta))
		return false;
	if (exact && old->origin && v->loop && old->origin <= v->loop->first_id &&
	    (old->origin != now->origin || old->delta != now->delta)) /* it counts an outer loop's turns */
		return false;
	return !old->id || (ids_match(ids, old->id, now->id) && old->add == now->add);
}

static bool value_covers(struct verify *v, const struct value *old, const struct value *now, bool exact,
                         struct ids *ids)
{
	if (old->kind == VALUE_NONE)
		return true;
	if (old->kind == VALUE_NUMBER)
		return number_covers(v, old, now, exact, ids);
	if (old->kind != now->kind || old->flags != now->flags || old->frame != now->frame ||
	    old->offset != now->offset || old->object != now->object || old->range > now->range)
		return false;
	if (!scalar_contains(&old->number, &now->number))
		return false;
	if (!ids_match(ids, old->id, now->id))
		return false;
	if (!old->ref != !now->ref)
		return false;
	return ids_match(ids, old->ref, now->ref);
}

static bool slot_covers(struct verify *v, const struct slot *old, const struct slot *now, bool exact, struct ids *ids)
{
	bool value = false;

	if (!exact && old->node && !v->nodes[old->node].needed)
		for (unsigned i = 0; i < 8; i++)
			if (old->bytes[i] == BYTE_DYNPTR || old->bytes[i] == BYTE_ITERATOR ||
			    now->bytes[i] == BYTE_DYNPTR || now->bytes[i] == BYTE_ITERATOR)
				goto compare;
	if (!exact && old->node && !v->nodes[old->node].needed)
		return true;
compare:
	for (unsigned i = 0; i < 8; i++) {
		uint8_t a = old->bytes[i], b = now->bytes[i];
		if (a == BYTE_VALUE)
			value = true;
		if (a == BYTE_NONE ? b == BYTE_DYNPTR || b == BYTE_ITERATOR : a != b) {
			if (a != BYTE_NUMBER || (b != BYTE_ZERO && b != BYTE_VALUE))
				return false;
			if (b == BYTE_VALUE && now->value.kind != VALUE_NUMBER)
				return false;
		}
	}
	return !value || value_covers(v, &old->value, &now->value, exact, ids);
}

static bool frame_covers(struct verify *v, const struct frame *old, const struct frame *now, uint16_t live, bool exact,
                         struct ids *ids)
{
	static const struct slot none;
	uint32_t count = old->stack ? old->stack->count : 0;

	if (old->function != now->function || old->return_op != now->return_op || old->callback != now->callback)
		return false;
	for (unsigned i = 0; i < 10; i++)
		if (live & 1u << i && !value_covers(v, &old->registers[i], &now->registers[i], exact, ids))
			return false;
	for (uint32_t i = 0; i < count; i++) {
		const struct slot *slot = now->stack && i < now->stack->count ? &now->stack->slots[i] : &none;
		if (!slot_covers(v, &old->stack->slots[i], slot, exact, ids))
			return false;
	}
	if (now->stack)
		for (uint32_t i = count; i < now->stack->count; i++)
			if (!slot_covers(v, &none, &now->stack->slots[i], exact, ids))
				return false;
	return true;
}

/* Registers that are read at an op or after it; in a frame that called: after the call. */
static uint16_t live_at(const struct verify *v, const struct state *s, uint32_t frame)
{
	const struct vm_op *op;

	if (frame + 1 < s->frame_count)
		return v->code.live[s->frames[frame + 1]->return_op] |
		       0x3c0; /* a callback comes back to its arguments, too */
	op = &v->code.ops[s->op];
	return (uint16_t)((v->code.live[s->op] & (uint16_t)~vm_op_writes(op)) | vm_op_reads(op));
}

bool state_covers(struct verify *v, const struct state *old, const struct state *now, bool exact)
{
	struct ids ids = {.count = 0};

	if (old->frame_count != now->frame_count || old->reference_count != now->reference_count ||
	    !old->lock != !now->lock || old->rcu != now->rcu || old->preempt != now->preempt ||
	    old->length_min > now->length_min)
		return false;
	for (uint32_t i = 0; i < old->frame_count; i++)
		if (!frame_covers(v, old->frames[i], now->frames[i], live_at(v, now, i), exact, &ids))
			return false;
	for (uint32_t i = 0; i < old->reference_count; i++)
		if (!ids_match(&ids, old->references[i].id, now->references[i].id))
			return false;
	return ids_match(&ids, old->lock, now->lock);
}

static void value_need_as(struct verify *v, const struct value *old, const struct value *now, bool exact)
{
	const struct scalar unknown = scalar_unknown();

	if (old->kind != VALUE_NUMBER || now->kind != VALUE_NUMBER)
		return;
	if (exact ? !scalar_equal(&old->number, &unknown) || old->room != ROOM_NONE || old->id
	          : !old->node || v->nodes[old->node].needed)
		node_need(v, now->node);
}

void state_need_as(struct verify *v, const struct state *old, const struct state *now, bool exact)
{
	for (uint32_t i = 0; i < old->frame_count; i++) {
		const struct frame *a = old->frames[i], *b = now->frames[i];
		uint16_t live = live_at(v, now, i);
		for (unsigned reg = 0; reg < 10; reg++)
			if (live & 1u << reg)
				value_need_as(v, &a->registers[reg], &b->registers[reg], exact);
		for (uint32_t slot = 0; a->stack && b->stack && slot < MIN(a->stack->count, b->stack->count); slot++) {
			if (exact || v->nodes[a->stack->slots[slot].node].needed)
				node_need(v, b->stack->slots[slot].node);
			value_need_as(v, &a->stack->slots[slot].value, &b->stack->slots[slot].value, exact);
		}
	}
}

/* A path came to its end: checkpoints on its way that have no other are complete. */
void checkpoint_path_end(struct verify *v, struct checkpoint *c, uint64_t length)
{
	(void)v;
	for (; c; c = c->state.parent) {
		c->bound = MAX(c->bound, length - c->state.length);
		if (--c->branches)
			return;
		length = c->state.length + c->bound;
	}
}

void checkpoints_drop(struct verify *v, struct checkpoint *until)
{
	while (v->newest != until) {
		struct checkpoint *c = v->newest;
		struct checkpoint **link = &v->seen[c->state.op];
		while (*link != c)
			link = &(*link)->next;
		*link = c->next;
		v->newest = c->older;
		state_done(v, &c->state);
		verify_free(v, c, sizeof(*c));
		v->states--;
	}
}

static int checkpoint_keep(struct verify *v)
{
	struct state *s = v->state;
	struct checkpoint *c;

	if (v->states >= v->options.states_max)
		return verify_limit(v, "states held at once");
	c = verify_alloc(v, sizeof(*c));
	if (!c)
		return verify_limit(v, "memory");
	*c = (struct checkpoint){.branches = 1, .next = v->seen[s->op], .older = v->newest};
	state_copy_into(v, &c->state, s);
	v->seen[s->op] = v->newest = c;
	s->parent = c;
	v->states++;
	v->verdict->states_seen++;
	v->verdict->states_peak = MAX(v->verdict->states_peak, v->states);
	return 0;
}

static bool is_ancestor(const struct checkpoint *c, const struct state *s)
{
	for (const struct checkpoint *p = s->parent; p; p = p->state.parent)
		if (p == c)
			return true;
	return false;
}

int verify_prune(struct verify *v, bool *ret_covered)
{
	struct state *s = v->state;
	unsigned count = 0;

	for (struct checkpoint *c = v->seen[s->op]; c && count < CHECKPOINTS_PER_OP; c = c->next, count++) {
		if (c->branches == 0) {
			if (!state_covers(v, &c->state, s, false))
				continue;
			state_need_as(v, &c->state, s, false);
			verify_path_end(v, s->length + c->bound);
			*ret_covered = true;
			return 0;
		}
		if (v->code.ops[s->op].flags & VM_OP_LEADER && state_covers(v, &c->state, s, true) &&
		    state_covers(v, s, &c->state, true) && is_ancestor(c, s))
			return verify_reject(v, PICKET_REJECT_INFINITE_LOOP, NULL,
			                     "change something in each turn that the loop's condition depends on",
			                     "the loop comes back to where it was with nothing changed");
	}
	*ret_covered = false;
	/* of a loop that is unrolled, less and less is kept */
	v->arrivals[s->op]++;
	if (v->arrivals[s->op] % (v->arrivals[s->op] / CHECKPOINTS_SPARSE + 1))
		return 0;
	if (s->parent && s->length - s->parent->state.length < 8 && !v->loop_ends[s->op])
		return 0;
	return checkpoint_keep(v);
}
