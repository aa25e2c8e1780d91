/* SPDX-License-Identifier: Apache-2.0
 *
 * Loops by induction, so that their cost does not grow with their count. At a loop's head the state is taken for one that
 * covers every turn's beginning, and one turn is walked. What comes back to the head and is not covered makes the state
 * wider, and the turn is walked again, until all that comes back is covered. Then a counter is looked for: a value that
 * every way back moves by a constant in the same direction without wrapping, and that is bounded when it comes back. Only
 * then is what left the loop walked on. If no such state or counter is found, nothing of it counts, and the loop is
 * unrolled. A callback that a helper calls is such a loop, too; the helper counts.
 */
#include <errno.h>
#include "verify/verify_int.h"

#define ATTEMPTS_MAX 8
#define NESTING_MAX 12
#define FAILURES_MAX 2
#define POINTER_RANGE_MAX (1ll << 48)

#define ANY_REGISTER 10

/* ---- widening ---- */

struct threshold {
	uint64_t from;
	uint64_t best;
	bool below; /* the greatest that is not above `from`; else the least that is not below it */
};

static void threshold_try(struct threshold *t, uint64_t candidate)
{
	if (t->below ? candidate <= t->from && candidate > t->best : candidate >= t->from && candidate < t->best)
		t->best = candidate;
}

/* What a compared register may at most be. */
static void threshold_try_register(const struct loop *l, struct threshold *t, unsigned reg)
{
	const struct value *value = &state_top(&l->head)->registers[reg];
	uint64_t most = value->number.wide.umax;

	if (value->kind != VALUE_NUMBER || most == 0 || most >= INT64_MAX)
		return;
	threshold_try(t, most - 1);
	threshold_try(t, most);
}

/* What the op compares with: `reg`, or ANY_REGISTER. */
static void threshold_try_jump(const struct loop *l, struct threshold *t, const struct vm_op *op, unsigned reg)
{
	bool any = reg == ANY_REGISTER;

	if (vm_insns[op->op].format == VM_FORMAT_JUMP_IMM && op->imm >= 0 && (any || op->dst == reg)) {
		threshold_try(t, (uint64_t)op->imm - (op->imm > 0));
		threshold_try(t, (uint64_t)op->imm);
		threshold_try(t, (uint64_t)op->imm + 1);
	}
	if (vm_insns[op->op].format == VM_FORMAT_JUMP_REG && !any && op->dst != op->src) {
		if (op->dst == reg)
			threshold_try_register(l, t, op->src);
		if (op->src == reg)
			threshold_try_register(l, t, op->dst);
	}
}

/* The nearest number of those that the loop compares with, or one beside them: with that register, or if there is none,
 * with any. */
static uint64_t threshold_find(const struct verify *v, const struct loop *l, uint64_t from, bool below, unsigned reg)
{
	const struct frame *f = state_top(&l->head);
	struct threshold t = {.from = from, .best = below ? 0 : INT64_MAX, .below = below};
	uint64_t none = t.best, constant;

	for (uint32_t i = v->loops[l->first].first; i < v->loops[l->first].end; i++)
		threshold_try_jump(l, &t, &v->code.ops[i], reg);
	if (reg != ANY_REGISTER)
		return t.best != none ? t.best : threshold_find(v, l, from, below, ANY_REGISTER);
	for (reg = 0; reg < 10; reg++)
		if (f->registers[reg].kind == VALUE_NUMBER &&
		    scalar_is_constant(&f->registers[reg].number, &constant) && constant > 0 && constant < INT64_MAX) {
			threshold_try(&t, constant - 1);
			threshold_try(&t, constant);
		}
	return t.best;
}

/* All numbers from low to high whose lowest bits are as certain as those of `like`: a step of 8 stays one. */
static struct scalar between_like(uint64_t low, uint64_t high, const struct scalar *like)
{
	struct scalar candidate = scalar_between(low, high);
	unsigned certain = like->bits.mask ? (unsigned)__builtin_ctzll(like->bits.mask) : 0;

	scalar_keep_low(&candidate, certain, like->bits.value);
	return candidate;
}

static struct scalar widen(const struct verify *v, const struct loop *l, const struct scalar *before,
                           const struct scalar *now, unsigned reg)
{
	struct scalar joined = scalar_join(before, now), candidate;
	uint64_t low = joined.wide.umin, high = joined.wide.umax;

	if (scalar_contains(before, now))
		return *before;
	if (low < before->wide.umin)
		low = threshold_find(v, l, low, true, reg);
	if (high > before->wide.umax)
		high = threshold_find(v, l, high, false, reg);
	if (joined.wide.smin >= 0 && low <= high && l->attempt < ATTEMPTS_MAX - 2) {
		candidate = between_like(low, high, &joined);
		if (scalar_contains(&candidate, &joined))
			return candidate;
	}
	return scalar_widen(before, &joined);
}

/* Not only covered, but the same, whatever was learned of it meanwhile? */
static bool same_number(const struct value *a, const struct value *b)
{
	return a->node == b->node || (a->id && a->id == b->id && a->add == b->add && a->add_half == b->add_half) ||
	       (a->origin && a->origin == b->origin && a->delta == b->delta);
}

static void grow_number(struct verify *v, struct loop *l, struct value *to, const struct value *now, unsigned reg)
{
	if (same_number(to, now) && scalar_contains(&to->number, &now->number))
		return;
	to->number = widen(v, l, &to->number, &now->number, reg);
	to->node = node_new(v, to->node, 0);
	value_forget_relations(to);
	to->origin = verify_id(v);
	to->delta = 0;
}

static bool same_pointer(const struct value *a, const struct value *b)
{
	return a->kind == b->kind && a->flags == b->flags && a->frame == b->frame && a->object == b->object &&
	       a->ref == b->ref;
}

static void grow_pointer(struct verify *v, struct loop *l, struct value *to, const struct value *now)
{
	struct scalar a = to->number, b = now->number, by;

	if (to->offset == now->offset && to->id == now->id && scalar_equal(&to->number, &now->number)) {
		to->range = MIN(to->range, now->range);
		to->room = to->room == ROOM_NONE || now->room == ROOM_NONE ? ROOM_NONE : MAX(to->room, now->room);
		return;
	}
	if (to->flags & VALUE_MAYBE_NULL || to->kind == VALUE_CONTEXT || to->kind == VALUE_OBJECT) {
		*to = (struct value){.kind = VALUE_NONE, .room = ROOM_NONE};
		return;
	}
	by = scalar_constant((uint64_t)(int64_t)(now->offset - to->offset));
	scalar_alu(SCALAR_ADD, true, &b, &by);
	to->number = widen(v, l, &a, &b, ANY_REGISTER);
	if (to->number.wide.smin < -POINTER_RANGE_MAX || to->number.wide.smax > POINTER_RANGE_MAX) {
		*to = (struct value){.kind = VALUE_NONE, .room = ROOM_NONE}; /* of no use any more */
		return;
	}
	to->id = verify_id(v);
	to->range = 0;
	to->room = ROOM_NONE;
}

/* reg: that holds it; or ANY_REGISTER. */
static void grow_value(struct verify *v, struct loop *l, struct value *to, const struct value *now, unsigned reg)
{
	if (to->kind == VALUE_NONE)
		return;
	if (to->kind == VALUE_NUMBER && now->kind == VALUE_NUMBER)
		grow_number(v, l, to, now, reg);
	else if (to->kind != VALUE_NUMBER && same_pointer(to, now))
		grow_pointer(v, l, to, now);
	else
		*to = (struct value){.kind = VALUE_NONE, .room = ROOM_NONE};
}

static bool byte_is_number(const struct slot *s, unsigned i)
{
	return s->bytes[i] == BYTE_NUMBER || s->bytes[i] == BYTE_ZERO ||
	       (s->bytes[i] == BYTE_VALUE && s->value.kind == VALUE_NUMBER);
}

static bool grow_slot(struct verify *v, struct loop *l, struct slot *to, const struct slot *now)
{
	bool same = memcmp(to->bytes, now->bytes, sizeof(to->bytes)) == 0;

	if (same && to->value.kind)
		grow_value(v, l, &to->value, &now->value, ANY_REGISTER);
	if (same && (!memchr(to->bytes, BYTE_VALUE, 8) || to->value.kind))
		return true;
	for (unsigned i = 0; i < 8; i++) {
		if (to->bytes[i] == BYTE_DYNPTR || to->bytes[i] == BYTE_ITERATOR || now->bytes[i] == BYTE_DYNPTR ||
		    now->bytes[i] == BYTE_ITERATOR)
			return false;
		if (to->bytes[i] != now->bytes[i] || to->bytes[i] == BYTE_VALUE)
			to->bytes[i] = byte_is_number(to, i) && byte_is_number(now, i) ? BYTE_NUMBER : BYTE_NONE;
	}
	to->value = (struct value){.kind = VALUE_NONE, .room = ROOM_NONE};
	return true;
}

/* l->next becomes wide enough for the current state. */
static bool grow(struct verify *v, struct loop *l)
{
	static const struct slot none;
	struct state *to = &l->next;
	const struct state *now = v->state;

	if (to->reference_count != now->reference_count || to->lock != now->lock || to->rcu != now->rcu ||
	    to->preempt != now->preempt)
		return false;
	for (uint32_t i = 0; i < to->reference_count; i++)
		if (to->references[i].id != now->references[i].id)
			return false;
	to->length_min = MIN(to->length_min, now->length_min);
	for (uint32_t i = 0; i < to->frame_count; i++) {
		const struct frame *from = now->frames[i];
		struct frame *f = state_frame(v, to, i);
		uint32_t count = MAX(from->stack ? from->stack->count : 0, f && f->stack ? f->stack->count : 0);
		if (!f)
			return false;
		for (unsigned reg = 0; reg < 10; reg++)
			grow_value(v, l, &f->registers[reg], &from->registers[reg], reg);
		for (uint32_t slot = 0; slot < count; slot++) {
			const struct slot *s =
			        from->stack && slot < from->stack->count ? &from->stack->slots[slot] : &none;
			struct slot *grown = frame_slot(v, f, slot);
			if (!grown || !grow_slot(v, l, grown, s))
				return false;
		}
	}
	return true;
}

/* ---- the counter ---- */

static void counters_find(struct loop *l, const struct state *before)
{
	const struct frame *f = state_top(&l->head), *old = state_top(before);

	l->counter_count = 0;
	for (unsigned reg = 0; reg < 10; reg++)
		if (f->registers[reg].kind == VALUE_NUMBER && f->registers[reg].origin &&
		    f->registers[reg].origin != old->registers[reg].origin)
			l->counters[l->counter_count++] = (struct loop_counter){.reg = (uint8_t)reg};
	for (uint32_t i = 0; f->stack && i < f->stack->count && l->counter_count < ARRAY_SIZE(l->counters); i++) {
		const struct value *value = &f->stack->slots[i].value;
		if (value->kind == VALUE_NUMBER && value->origin &&
		    (!old->stack || i >= old->stack->count || old->stack->slots[i].value.origin != value->origin))
			l->counters[l->counter_count++] = (struct loop_counter){.reg = 10, .slot = (uint16_t)i};
	}
}

static const struct value *counter_value(const struct loop_counter *c, const struct state *s)
{
	const struct frame *f = state_top(s);

	if (c->reg < 10)
		return &f->registers[c->reg];
	return f->stack && c->slot < f->stack->count ? &f->stack->slots[c->slot].value : NULL;
}

static void counter_back(struct verify *v, struct loop_counter *c, const struct value *head, const struct value *now)
{
	bool down;
	uint64_t step;

	if (!now || now->kind != VALUE_NUMBER || now->origin != head->origin || now->delta == 0) {
		c->failed = true;
		return;
	}
	down = now->delta < 0;
	step = (uint64_t)(down ? -now->delta : now->delta);
	if (c->moved && c->down != down)
		c->failed = true;
	c->step = c->moved ? MIN(c->step, step) : step;
	if (!c->moved)
		c->extreme = down ? now->number.wide.umin : now->number.wide.umax;
	else
		c->extreme = down ? MIN(c->extreme, now->number.wide.umin) : MAX(c->extreme, now->number.wide.umax);
	c->moved = true;
	c->down = down;
	node_need(v, now->node);
}

/* Turns at most; UINT64_MAX: no counter. */
static uint64_t loop_turns(const struct loop *l, bool came_back)
{
	uint64_t best = UINT64_MAX;

	if (!came_back)
		return 1;
	for (uint32_t i = 0; i < l->counter_count; i++) {
		const struct loop_counter *c = &l->counters[i];
		const struct value *head = counter_value(c, &l->head);
		uint64_t way;
		if (c->failed || !c->moved)
			continue;
		if (c->down)
			way = head->number.wide.umax - MIN(c->extreme, head->number.wide.umax);
		else
			way = c->extreme - MIN(head->number.wide.umin, c->extreme);
		way /= c->step;
		best = MIN(best, way < UINT64_MAX - 2 ? way + 2 : way);
	}
	return best;
}

/* ---- a turn ---- */

static void came_back(struct verify *v, struct loop *l)
{
	struct state *s = v->state;

	if (l->attempt && state_covers(v, &l->head, s, true)) {
		state_need_as(v, &l->head, s, true);
		for (uint32_t i = 0; i < l->counter_count; i++)
			counter_back(v, &l->counters[i], counter_value(&l->counters[i], &l->head),
			             counter_value(&l->counters[i], s));
		l->returned = true;
	} else {
		if (!l->next.frame_count)
			state_copy_into(v, &l->next, &l->head);
		if (!grow(v, l))
			l->hopeless = true;
	}
	verify_path_end(v, s->length);
}

static bool is_inside(const struct verify *v, const struct loop *l, const struct state *s)
{
	if (s->frame_count < l->head.frame_count)
		return false;
	if (l->callback || !(v->places[s->op] & PLACE_BLOCK))
		return true;
	return verify_in_loop(v, s->op, l->first);
}

bool loop_takes(struct verify *v, int *ret_error)
{
	struct loop *l = v->loop;
	struct state *s = v->state;

	*ret_error = 0;
	if (!l || v->starting || s->frame_count > l->head.frame_count)
		return false;
	if (!is_inside(v, l, s)) {
		s->next = l->exits;
		l->exits = s;
		v->state = NULL;
		return true;
	}
	if (s->op != l->first)
		return false;
	came_back(v, l);
	if (l->hopeless)
		*ret_error = -EAGAIN;
	return true;
}

static void states_free(struct verify *v, struct state **list)
{
	while (*list) {
		struct state *s = *list;
		*list = s->next;
		state_free(v, s);
	}
}

struct turn {
	struct state *waiting, *state;
	struct checkpoint *parent;
	uint32_t branches;
	uint64_t parent_bound, bound, sequence;
};

static void turn_forget(struct verify *v, struct loop *l, const struct turn *t)
{
	states_free(v, &l->exits);
	states_free(v, &v->waiting);
	state_free(v, v->state);
	v->state = NULL;
	checkpoints_drop(v, t->sequence);
	if (t->parent) {
		t->parent->branches = t->branches;
		t->parent->bound = t->parent_bound;
	}
	v->bound = t->bound;
}

/* Walks from the head once around. 0: all that came back was covered. -EAGAIN: not yet, or never (hopeless). */
static int loop_turn(struct verify *v, struct loop *l, int (*begin)(struct verify *v, void *user), void *user)
{
	int r;

	l->body = 0;
	l->returned = false;
	v->waiting = NULL;
	v->state = state_copy(v, &l->head);
	if (!v->state)
		return -ENOMEM;
	if (v->state->parent)
		v->state->parent->branches++;
	v->starting = true;
	r = begin ? begin(v, user) : 0;
	if (!r)
		r = verify_walk(v);
	v->starting = false;
	if (!r && l->next.frame_count)
		r = -EAGAIN;
	return r;
}

/* ret_turns untouched unless 0 comes back. */
static int loop_induce(struct verify *v, struct loop *l, int (*begin)(struct verify *v, void *user), void *user)
{
	const struct turn t = {.waiting = v->waiting,
	                       .state = v->state,
	                       .sequence = v->sequence,
	                       .parent = v->state->parent,
	                       .branches = v->state->parent ? v->state->parent->branches : 0,
	                       .parent_bound = v->state->parent ? v->state->parent->bound : 0,
	                       .bound = v->bound};
	int r = -EAGAIN;

	l->outer = v->loop;
	l->first_id = v->last_id;
	v->loop = l;
	state_copy_into(v, &l->head, v->state);
	for (l->attempt = 0; r == -EAGAIN && l->attempt < ATTEMPTS_MAX && !l->hopeless; l->attempt++) {
		counters_find(l, t.state);
		r = loop_turn(v, l, begin, user);
		if (r == 0 && !l->callback && loop_turns(l, l->returned) == UINT64_MAX)
			r = -EINVAL;
		if (r)
			turn_forget(v, l, &t);
		if (l->next.frame_count) {
			state_done(v, &l->head);
			l->head = l->next;
			l->next.frame_count = 0;
		}
	}
	/* Those inside are at their end when they are back at the head, and say nothing of what comes after. */
	if (!r)
		checkpoints_unlist(v, t.sequence);
	v->loop = l->outer;
	v->waiting = t.waiting;
	v->state = t.state;
	return r;
}

static uint64_t multiply(uint64_t a, uint64_t b)
{
	uint64_t product;

	return __builtin_mul_overflow(a, b, &product) ? UINT64_MAX : product;
}

static uint64_t add(uint64_t a, uint64_t b)
{
	return a > UINT64_MAX - b ? UINT64_MAX : a + b;
}

bool loop_may_try(const struct verify *v, uint32_t op)
{
	unsigned depth = 0;

	for (const struct loop *l = v->loop; l; l = l->outer)
		depth++;
	return !v->no_induction && depth < NESTING_MAX && v->loop_failures[op] < FAILURES_MAX;
}

int loop_prove(struct verify *v, bool *ret_proven)
{
	struct loop l = {.first = v->state->op};
	const uint32_t head = v->state->op;
	int r;

	*ret_proven = false;
	r = loop_induce(v, &l, NULL, NULL);
	if (!r) {
		uint64_t more = multiply(loop_turns(&l, l.returned), l.body);
		while (l.exits) {
			struct state *s = l.exits;
			l.exits = s->next;
			s->length = add(s->length, more);
			s->next = v->waiting;
			v->waiting = s;
		}
		v->induced = true;
		*ret_proven = true;
		verify_path_end(v, add(v->state->length, more));
	} else if (r == -EINVAL && v->verdict->category == PICKET_REJECT_LIMIT) {
		;
	} else if (r == -EINVAL || r == -EAGAIN) { /* to be unrolled */
		v->verdict->category = PICKET_ACCEPTED;
		v->loop_failures[head]++;
		r = 0;
	}
	state_done(v, &l.head);
	return r;
}

struct callback_begin {
	uint32_t function;
	int (*enter)(struct verify *v, const struct frame *caller, struct frame *callback);
};

static int callback_begin(struct verify *v, void *user)
{
	const struct callback_begin *c = user;
	struct state *s = v->state;
	struct frame *f = frame_new(v);
	int r;

	if (!f)
		return -ENOMEM;
	s->frames[s->frame_count++] = f;
	f->function = c->function;
	f->return_op = s->op;
	f->callback = CALLBACK_PLAIN;
	f->registers[10].frame = (uint8_t)(s->frame_count - 1);
	r = c->enter(v, s->frames[s->frame_count - 2], f);
	s->op = v->code.functions[c->function].first;
	v->starting = false;
	return r;
}

int loop_prove_callback(struct verify *v, uint32_t function, uint64_t turns,
                        int (*enter)(struct verify *v, const struct frame *caller, struct frame *callback))
{
	struct loop l = {.first = v->state->op, .callback = true};
	struct callback_begin c = {.function = function, .enter = enter};
	int r;

	if (v->state->frame_count == PICKET_FRAMES_MAX)
		return verify_reject(v, PICKET_REJECT_RECURSION, NULL, "flatten the calls",
		                     "more than 8 functions are active");
	r = loop_induce(v, &l, callback_begin, &c);
	if (r == -EAGAIN)
		r = verify_reject(v, PICKET_REJECT_INFINITE_LOOP, NULL,
		                  "keep what the callback changes simple: numbers in the variables that it is given",
		                  "the callback changes its caller's variables in ways that are not understood");
	if (!r) { /* any number of calls leaves what l.head covers */
		uint64_t length = add(v->state->length, multiply(turns, l.body));
		struct checkpoint *parent = v->state->parent;
		state_done(v, v->state);
		*v->state = l.head;
		v->state->parent = parent;
		v->state->length = length;
		return 0;
	}
	state_done(v, &l.head);
	return r;
}
