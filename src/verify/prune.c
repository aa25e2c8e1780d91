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
#include <string.h>
#include "verify/verify_int.h"

#define CHECKPOINTS_PER_OP 64
#define CHECKPOINTS_SPARSE 16384
#define MISSES_PER_HIT 32
#define DISTANCE_MIN 4 /* instructions */
#define IDS_MAX 128

struct ids {
	struct id_pair {
		uint32_t old, now;
		int32_t shift; /* of numbers: how much more is added in `now` */
	} pairs[IDS_MAX];
	unsigned count;
};

static struct id_pair *ids_find(struct ids *ids, uint32_t old)
{
	for (unsigned i = 0; i < ids->count; i++)
		if (ids->pairs[i].old == old)
			return &ids->pairs[i];
	return NULL;
}

static bool ids_add(struct ids *ids, uint32_t old, uint32_t now, int32_t shift)
{
	if (ids->count == IDS_MAX)
		return false;
	ids->pairs[ids->count++] = (struct id_pair){old, now, shift};
	return true;
}

/* Values that were the same in the older state must be the same in this one. */
static bool ids_match(struct ids *ids, uint32_t old, uint32_t now)
{
	const struct id_pair *pair;

	if (!old)
		return true;
	if (!now)
		return false;
	pair = ids_find(ids, old);
	return pair ? pair->now == now : ids_add(ids, old, now, 0);
}

/* Of numbers, that were a constant apart: one that is alone with its id is tied to nothing. */
static bool ids_match_sum(struct ids *ids, uint32_t old, int32_t old_add, uint32_t now, int32_t now_add)
{
	const struct id_pair *pair;

	if (!old)
		return true;
	if (old == ID_LENGTH && (now != ID_LENGTH || old_add != now_add))
		return false;
	pair = ids_find(ids, old);
	if (!pair)
		return ids_add(ids, old, now, now_add - old_add);
	return now && pair->now == now && pair->shift == now_add - old_add;
}

static bool relations_cover(struct ids *ids, const struct value *old, const struct value *now)
{
	if (old->id && old->add_half != now->add_half)
		return false;
	return ids_match_sum(ids, old->id, old->add, now->id, now->add) &&
	       ids_match_sum(ids, old->shifted, old->shifted_add, now->shifted, now->shifted_add);
}

static bool number_covers(const struct verify *v, const struct value *old, const struct value *now, bool exact,
                          struct ids *ids)
{
	bool needed = exact || !old->node || v->nodes[old->node].needed;

	if (now->kind != VALUE_NUMBER) /* where it may be known, an address is a number, too */
		return !needed && now->kind != VALUE_NONE && verify_leaks(v) && !now->ref;
	if (!needed)
		return true;
	if (!scalar_contains(&old->number, &now->number) || now->room < old->room)
		return false;
	if (!exact && old->origin && (old->origin != now->origin || old->delta != now->delta))
		return false;
	if (exact && old->origin && v->loop && old->origin <= v->loop->first_id &&
	    (old->origin != now->origin || old->delta != now->delta)) /* it counts an outer loop's turns */
		return false;
	return relations_cover(ids, old, now);
}

/* Did it decide something that the packet ends before? */
static bool beyond_matters(const struct verify *v, const struct value *pointer, bool exact)
{
	return pointer->room != ROOM_NONE && (exact || v->nodes[pointer->node].needed);
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
	if (beyond_matters(v, old, exact) && (now->room == ROOM_NONE || now->room > old->room))
		return false;
	if (!ids_match(ids, old->id, now->id))
		return false;
	if (!old->ref != !now->ref)
		return false;
	return ids_match(ids, old->ref, now->ref);
}

/* Of a dynptr or an iterator. */
static bool held_covers(struct verify *v, const struct value *old, const struct value *now, bool exact, struct ids *ids)
{
	if (old->kind != now->kind || old->flags != now->flags || old->object != now->object ||
	    old->offset != now->offset || old->range != now->range || !old->ref != !now->ref)
		return false;
	if (!ids_match(ids, old->ref, now->ref))
		return false;
	return old->kind == VALUE_NUMBER ? number_covers(v, old, now, exact, ids) : ids_match(ids, old->id, now->id);
}

static bool byte_is_number(const struct slot *s, unsigned i)
{
	return s->bytes[i] == BYTE_NUMBER || s->bytes[i] == BYTE_ZERO ||
	       (s->bytes[i] == BYTE_VALUE && s->value.kind == VALUE_NUMBER);
}

static bool byte_is_special(uint8_t byte)
{
	return byte == BYTE_DYNPTR || byte == BYTE_ITERATOR;
}

/* any_number: what number the slot held did not matter. */
static bool byte_covers(const struct slot *old, const struct slot *now, unsigned i, bool any_number)
{
	uint8_t a = old->bytes[i], b = now->bytes[i];

	if (a == BYTE_NONE)
		return !byte_is_special(b);
	if (a == BYTE_NUMBER || (a == BYTE_VALUE && any_number))
		return byte_is_number(now, i);
	return a == b;
}

static bool slot_is_unused(const struct slot *s)
{
	static const uint8_t unused[sizeof(s->bytes)] = {BYTE_NONE};

	return !memcmp(s->bytes, unused, sizeof(unused));
}

static bool slot_covers(struct verify *v, const struct slot *old, const struct slot *now, bool exact, struct ids *ids)
{
	bool unread = !exact && old->node && !v->nodes[old->node].needed, value = false, any_number;

	if (slot_is_unused(old) && slot_is_unused(now)) /* most are */
		return true;
	for (unsigned i = 0; i < 8; i++) {
		unread = unread && !byte_is_special(old->bytes[i]) && !byte_is_special(now->bytes[i]);
		value = value || old->bytes[i] == BYTE_VALUE;
	}
	if (unread)
		return true;
	if (byte_is_special(old->bytes[0]))
		return old->bytes[0] == now->bytes[0] && held_covers(v, &old->value, &now->value, exact, ids);
	any_number = !exact && old->value.kind == VALUE_NUMBER && old->value.node && !v->nodes[old->value.node].needed;
	for (unsigned i = 0; i < 8; i++)
		if (!byte_covers(old, now, i, any_number))
			return false;
	return !value || any_number || value_covers(v, &old->value, &now->value, exact, ids);
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

bool state_covers(struct verify *v, const struct state *old, const struct state *now, bool exact)
{
	struct ids ids = {.count = 0};

	if (old->frame_count != now->frame_count || old->reference_count != now->reference_count ||
	    !old->lock != !now->lock || old->lock_object != now->lock_object || old->rcu != now->rcu ||
	    old->preempt != now->preempt || old->length_min > now->length_min)
		return false;
	for (uint32_t i = 0; i < old->frame_count; i++)
		if (!frame_covers(v, old->frames[i], now->frames[i], verify_live(v, now, i), exact, &ids))
			return false;
	for (uint32_t i = 0; i < old->reference_count; i++)
		if (!ids_match(&ids, old->references[i].id, now->references[i].id))
			return false;
	return ids_match(&ids, old->lock, now->lock);
}

static void value_need_as(struct verify *v, const struct value *old, const struct value *now, bool exact)
{
	const struct scalar unknown = scalar_unknown();

	if (old->kind != VALUE_NUMBER) {
		if (beyond_matters(v, old, exact))
			node_need(v, now->node);
		return;
	}
	if (now->kind != VALUE_NUMBER)
		return;
	if (exact ? !scalar_equal(&old->number, &unknown) || old->room != ROOM_NONE || old->id
	          : !old->node || v->nodes[old->node].needed)
		node_need(v, now->node);
}

void state_need_as(struct verify *v, const struct state *old, const struct state *now, bool exact)
{
	for (uint32_t i = 0; i < old->frame_count; i++) {
		const struct frame *a = old->frames[i], *b = now->frames[i];
		uint16_t live = verify_live(v, now, i);
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

static void checkpoint_unlist(struct verify *v, struct checkpoint *c)
{
	struct checkpoint **link = &v->seen[c->state.op];

	if (!c->listed)
		return;
	while (*link != c)
		link = &(*link)->next;
	*link = c->next;
	c->listed = false;
}

static void checkpoint_free(struct verify *v, struct checkpoint *c)
{
	checkpoint_unlist(v, c);
	if (c->newer)
		c->newer->older = c->older;
	else
		v->newest = c->older;
	if (c->older)
		c->older->newer = c->newer;
	state_done(v, &c->state);
	verify_free(v, c, sizeof(*c));
	v->states--;
}

/* A path came to its end: checkpoints on its way that have no other are complete. */
void checkpoint_path_end(struct verify *v, struct checkpoint *c, uint64_t length)
{
	while (c) {
		struct checkpoint *parent = c->state.parent;
		c->bound = MAX(c->bound, length - c->state.length);
		if (--c->branches)
			return;
		length = c->state.length + c->bound;
		if (!c->listed)
			checkpoint_free(v, c);
		c = parent;
	}
}

void checkpoints_drop(struct verify *v, uint64_t sequence)
{
	while (v->newest && v->newest->sequence > sequence)
		checkpoint_free(v, v->newest);
}

void checkpoints_unlist(struct verify *v, uint64_t sequence)
{
	struct checkpoint *c = v->newest;

	while (c && c->sequence > sequence) {
		struct checkpoint *older = c->older;
		if (c->branches)
			checkpoint_unlist(v, c);
		else
			checkpoint_free(v, c);
		c = older;
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
	*c = (struct checkpoint){
	        .branches = 1, .listed = true, .sequence = ++v->sequence, .next = v->seen[s->op], .older = v->newest};
	state_copy_into(v, &c->state, s);
	if (v->newest)
		v->newest->newer = c;
	v->seen[s->op] = v->newest = c;
	s->parent = c;
	v->states++;
	v->verdict->states_seen++;
	v->verdict->states_peak = MAX(v->verdict->states_peak, v->states);
	return 0;
}

static bool is_ancestor(const struct checkpoint *c, const struct state *s)
{
	for (const struct checkpoint *p = s->parent; p && p->sequence >= c->sequence; p = p->state.parent)
		if (p == c)
			return true;
	return false;
}

/* The paths from c are at their end. */
static bool is_covered(struct verify *v, struct checkpoint *c)
{
	struct state *s = v->state;

	if (!state_covers(v, &c->state, s, false)) {
		if (++c->misses > MISSES_PER_HIT * (c->hits + 1))
			checkpoint_free(v, c);
		return false;
	}
	c->hits++;
	state_need_as(v, &c->state, s, false);
	verify_path_end(v, s->length + c->bound);
	return true;
}

/* Less and less is kept of a loop that is unrolled, and nothing soon after the last. */
static bool is_worth_keeping(const struct verify *v, const struct state *s)
{
	uint32_t arrivals = v->arrivals[s->op];

	if (arrivals % (arrivals / CHECKPOINTS_SPARSE + 1))
		return false;
	return !s->parent || v->places[s->op] & PLACE_HEAD || s->length - s->parent->state.length >= DISTANCE_MIN;
}

int verify_prune(struct verify *v, bool *ret_covered)
{
	struct state *s = v->state;
	struct checkpoint *next;
	unsigned count = 0;

	for (struct checkpoint *c = v->seen[s->op]; c && count < CHECKPOINTS_PER_OP; c = next, count++) {
		next = c->next;
		if (c->branches == 0) {
			*ret_covered = is_covered(v, c);
			if (*ret_covered)
				return 0;
			continue;
		}
		if (state_covers(v, &c->state, s, true) && state_covers(v, s, &c->state, true) && is_ancestor(c, s))
			return verify_reject(v, PICKET_REJECT_INFINITE_LOOP, NULL,
			                     "change something in each turn that the loop's condition depends on",
			                     "the loop comes back to where it was with nothing changed");
	}
	*ret_covered = false;
	v->arrivals[s->op]++;
	return is_worth_keeping(v, s) ? checkpoint_keep(v) : 0;
}
