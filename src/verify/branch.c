/* SPDX-License-Identifier: Apache-2.0
 *
 * Jumps: which ways are possible, and what is known on each of them. What one comparison teaches of a value holds for all
 * copies of it, for numbers that are a constant away from it, and for all pointers with the same variable part.
 */
#include <errno.h>
#include "verify/verify_int.h"

#define PACKET_OFFSET_MAX 0xffff
#define ROOM_OFFSET_MAX (1 << 29)

struct comparison {
	enum scalar_test test;
	bool wide, immediate;
};

/* The four forms of a jump stand together in insn.def: 64 imm, 64 reg, 32 imm, 32 reg. */
static struct comparison comparison_of(const struct vm_op *op)
{
	static const struct {
		uint16_t first;
		enum scalar_test test;
	} forms[] = {
	        {VM_JEQ64_IMM, SCALAR_EQ},   {VM_JGT64_IMM, SCALAR_GT},   {VM_JGE64_IMM, SCALAR_GE},
	        {VM_JSET64_IMM, SCALAR_SET}, {VM_JNE64_IMM, SCALAR_NE},   {VM_JSGT64_IMM, SCALAR_SGT},
	        {VM_JSGE64_IMM, SCALAR_SGE}, {VM_JLT64_IMM, SCALAR_LT},   {VM_JLE64_IMM, SCALAR_LE},
	        {VM_JSLT64_IMM, SCALAR_SLT}, {VM_JSLE64_IMM, SCALAR_SLE},
	};
	struct comparison c = {SCALAR_EQ, true, true};

	for (size_t i = 0; i < ARRAY_SIZE(forms); i++)
		if (op->op >= forms[i].first && op->op < forms[i].first + 4) {
			c.test = forms[i].test;
			c.wide = op->op < forms[i].first + 2;
			c.immediate = (op->op - forms[i].first) % 2 == 0;
		}
	return c;
}

static enum scalar_test test_swapped(enum scalar_test test)
{
	static const uint8_t swapped[] = {
	        [SCALAR_EQ] = SCALAR_EQ,   [SCALAR_NE] = SCALAR_NE,   [SCALAR_GT] = SCALAR_LT,
	        [SCALAR_GE] = SCALAR_LE,   [SCALAR_LT] = SCALAR_GT,   [SCALAR_LE] = SCALAR_GE,
	        [SCALAR_SGT] = SCALAR_SLT, [SCALAR_SGE] = SCALAR_SLE, [SCALAR_SLT] = SCALAR_SGT,
	        [SCALAR_SLE] = SCALAR_SGE, [SCALAR_SET] = SCALAR_SET, [SCALAR_CLEAR] = SCALAR_CLEAR,
	};

	return (enum scalar_test)swapped[test];
}

/* ---- copies ---- */

static int32_t room_shifted(const struct value *from, const struct value *to)
{
	int64_t room;

	if (from->room == ROOM_NONE || from->add_half || to->add_half || to->number.wide.umax > (uint64_t)1 << 40 ||
	    from->number.wide.umax > (uint64_t)1 << 40)
		return ROOM_NONE;
	room = (int64_t)from->room - (to->add - from->add);
	return room <= -ROOM_OFFSET_MAX || room >= ROOM_OFFSET_MAX ? ROOM_NONE : (int32_t)room;
}

/* What `changed` says of a value with the same id. false: it cannot be. */
static bool share_number(struct value *value, const struct value *changed)
{
	struct scalar expected = changed->number, by = scalar_constant((uint64_t)((int64_t)value->add - changed->add));
	bool half = value->add_half || changed->add_half;
	bool whole = !half || value->number.wide.umax <= UINT32_MAX; /* else nothing is said of the upper half */

	if (value->add != changed->add || half)
		scalar_alu(SCALAR_ADD, !half, &expected, &by);
	return scalar_assume(SCALAR_EQ, whole, &value->number, &expected);
}

static int share_with(struct verify *v, struct value *value, void *user)
{
	const struct value *changed = user;
	int32_t room;

	if (value->kind != VALUE_NUMBER || value->id != changed->id)
		return 0;
	if (!share_number(value, changed))
		return -EAGAIN; /* no such value: this way is impossible */
	room = room_shifted(changed, value);
	value->room = MAX(value->room, room);
	if (value->node != changed->node)
		value->node = node_new(v, value->node, changed->node);
	return 0;
}

static void learn_length(struct verify *v, struct state *s, const struct value *changed)
{
	struct scalar length = changed->number, by = scalar_constant((uint64_t) - (int64_t)changed->add);

	if (changed->id != ID_LENGTH || changed->add_half)
		return;
	scalar_alu(SCALAR_ADD, true, &length, &by);
	if (length.wide.umin > s->length_min) {
		s->length_min = length.wide.umin;
		node_need(v, changed->node);
	}
}

/* What is learned of the copies depends on both. */
int verify_share(struct verify *v, struct state *s, const struct value *changed)
{
	struct value copy = *changed;

	if (!changed->id)
		return 0;
	learn_length(v, s, &copy);
	return state_each_value(v, s, share_with, &copy);
}

/* ---- NULL ---- */

struct null_check {
	uint32_t id;
	bool is_null;
};

static int learn_null(struct verify *v, struct value *value, void *user)
{
	const struct null_check *check = user;

	if (!(value->flags & VALUE_MAYBE_NULL) || value->id != check->id)
		return 0;
	if (check->is_null) {
		*value = value_number(v, scalar_constant(0));
		return 0;
	}
	value->flags &= (uint8_t)~VALUE_MAYBE_NULL;
	if (!(value->flags & VALUE_LOCKABLE))
		value->id = 0;
	return 0;
}

static int assume_null(struct verify *v, struct state *s, const struct value *p, bool is_null)
{
	struct null_check check = {.id = p->id, .is_null = is_null};

	if (is_null && p->ref && p->ref == p->id) /* what was acquired, not what was made of it */
		for (uint32_t i = 0; i < s->reference_count; i++)
			if (s->references[i].id == p->ref) {
				s->references[i] = s->references[--s->reference_count];
				break;
			}
	return state_each_value(v, s, learn_null, &check);
}

/* ---- ends of packets and buffers ---- */

struct range_check {
	uint8_t kind;
	uint32_t id;
	uint32_t range; /* so many bytes are there */
	int32_t beyond; /* and so many are not; ROOM_NONE: not known */
};

static int learn_range(struct verify *v, struct value *value, void *user)
{
	const struct range_check *check = user;

	(void)v;
	if (value->kind != check->kind || value->id != check->id)
		return 0;
	value->range = MAX(value->range, check->range);
	if (check->beyond != ROOM_NONE)
		value->room = value->room == ROOM_NONE ? check->beyond : MIN(value->room, check->beyond);
	return 0;
}

static bool is_first_byte(const struct value *p)
{
	uint64_t constant;

	return p->kind == VALUE_PACKET && p->offset == 0 && scalar_is_constant(&p->number, &constant) && constant == 0;
}

static bool is_end_of(const struct value *p, const struct value *end)
{
	switch (p->kind) {
	case VALUE_PACKET:
		return end->kind == VALUE_PACKET_END;
	case VALUE_PACKET_META:
		return is_first_byte(end);
	case VALUE_BUFFER:
		return end->kind == VALUE_BUFFER_END;
	default:
		return false;
	}
}

/* p `test` end holds: what is proven to exist, or not to? */
static int assume_range(struct verify *v, struct state *s, const struct value *p, enum scalar_test test)
{
	struct range_check check = {.kind = p->kind, .id = p->id, .beyond = ROOM_NONE};
	bool less = test == SCALAR_LT;
	uint64_t limit = p->kind == VALUE_BUFFER ? 1 << 30 : PACKET_OFFSET_MAX;

	if (test == SCALAR_GT || test == SCALAR_GE) {
		check.beyond = p->offset + (test == SCALAR_GE);
		return state_each_value(v, s, learn_range, &check);
	}
	if (!less && test != SCALAR_LE)
		return 0;
	if (p->offset < 0 || p->number.wide.smin < 0 || p->number.wide.umax + (uint64_t)p->offset > limit)
		return 0;
	check.range = (uint32_t)p->offset + less;
	if (p->kind == VALUE_BUFFER && p->number.wide.umin + check.range > s->length_min)
		s->length_min = p->number.wide.umin + check.range;
	return state_each_value(v, s, learn_range, &check);
}

/* The same pointer was compared with the end before: 1: `test` holds, 0: it does not, -1: not known. */
static int decide_range(struct verify *v, const struct value *p, enum scalar_test test)
{
	const int64_t offset = p->offset, range = p->range, beyond = p->room;
	const bool or_equal = test == SCALAR_LE || test == SCALAR_GT; /* p <= end, or its contrary */
	const bool wants_inside = test == SCALAR_LE || test == SCALAR_LT;

	if (!wants_inside && test != SCALAR_GT && test != SCALAR_GE)
		return -1;
	if (range && offset >= 0 && (or_equal ? offset <= range : offset < range))
		return wants_inside;
	if (beyond != ROOM_NONE && (or_equal ? offset >= beyond : offset >= beyond - 1)) {
		node_need(v, p->node);
		return !wants_inside;
	}
	return -1;
}

/* ---- numbers ---- */

/* a `test` b holds and b is the buffer's length, or a constant more or less. */
static void learn_room(const struct state *s, struct value *a, const struct value *b, enum scalar_test test)
{
	bool less = test == SCALAR_LT || test == SCALAR_SLT;
	bool is_signed = test == SCALAR_SLT || test == SCALAR_SLE;

	if (b->id != ID_LENGTH || b->add_half || a->id == ID_LENGTH ||
	    (!less && test != SCALAR_LE && test != SCALAR_SLE))
		return;
	if (b->add < 0 && s->length_min < (uint64_t) - (int64_t)b->add)
		return;
	if (is_signed && a->number.wide.smin < 0)
		return;
	a->room = MAX(a->room, less - b->add);
}

/* -EAGAIN: it cannot hold. */
static int assume_numbers(struct verify *v, struct state *s, const struct vm_op *op, struct comparison c,
                          enum scalar_test test)
{
	struct frame *f = state_frame(v, s, s->frame_count - 1);
	struct value immediate = {
	        .number = scalar_constant((uint64_t)op->imm), .kind = VALUE_NUMBER, .room = ROOM_NONE};
	struct value *a, *b;
	uint32_t node;
	int r;

	if (!f)
		return -ENOMEM;
	a = &f->registers[op->dst];
	b = c.immediate ? &immediate : &f->registers[op->src];
	if (a == b)
		return 0;
	if (!scalar_assume(test, c.wide, &a->number, &b->number))
		return -EAGAIN;
	if (c.wide) {
		learn_room(s, a, b, test);
		learn_room(s, b, a, test_swapped(test));
	}
	if (c.immediate) {
		learn_length(v, s, a);
		return verify_share(v, s, a);
	}
	node = node_new(v, a->node, b->node);
	a->node = b->node = node;
	r = verify_share(v, s, a);
	if (!r)
		r = verify_share(v, s, &f->registers[op->src]);
	return r;
}

/* ---- the jump ---- */

static bool never_null(const struct value *p)
{
	return !(p->flags & VALUE_MAYBE_NULL) && (p->kind != VALUE_OBJECT || p->flags & VALUE_TRUSTED);
}

static bool is_zero(const struct value *value)
{
	uint64_t constant;

	return value->kind == VALUE_NUMBER && scalar_is_constant(&value->number, &constant) && constant == 0;
}

/* 1: is taken, 0: is not, -1: either. What decided is needed. */
static int decide(struct verify *v, struct comparison c, const struct value *a, const struct value *b)
{
	int decision = -1;

	if (a->kind == VALUE_NUMBER && b->kind == VALUE_NUMBER)
		decision = scalar_decide(c.test, c.wide, &a->number, &b->number);
	else if (c.wide && is_end_of(a, b))
		return decide_range(v, a, c.test);
	else if (c.wide && is_end_of(b, a))
		return decide_range(v, b, test_swapped(c.test));
	else if (c.wide && value_is_pointer(a) && is_zero(b) && never_null(a) &&
	         (c.test == SCALAR_EQ || c.test == SCALAR_NE))
		decision = c.test == SCALAR_NE;
	if (decision >= 0) {
		node_need(v, a->node);
		node_need(v, b->node);
	}
	return decision;
}

/* May these be compared where pointers must not become known? */
static bool comparison_allowed(const struct verify *v, struct comparison c, const struct value *a,
                               const struct value *b)
{
	bool equality = c.test == SCALAR_EQ || c.test == SCALAR_NE;

	if (verify_leaks(v) || (!value_is_pointer(a) && !value_is_pointer(b)))
		return true;
	if (!c.wide)
		return false;
	if (equality && is_zero(b))
		return true;
	return is_end_of(a, b) || is_end_of(b, a) || (a->kind == b->kind && a->kind == VALUE_BUFFER);
}

/* Refines s, in which a and b are compared, to the case that the test holds. -EAGAIN: it cannot. */
static int assume(struct verify *v, struct state *s, const struct vm_op *op, struct comparison c, enum scalar_test test)
{
	const struct frame *f = state_top(s);
	struct value a = f->registers[op->dst],
	             b = {.number = scalar_constant((uint64_t)op->imm), .kind = VALUE_NUMBER};

	if (!c.immediate)
		b = f->registers[op->src];
	if (a.kind == VALUE_NUMBER && b.kind == VALUE_NUMBER)
		return assume_numbers(v, s, op, c, test);
	if (!c.wide)
		return 0;
	if (test == SCALAR_EQ || test == SCALAR_NE) {
		if (a.flags & VALUE_MAYBE_NULL && is_zero(&b)) {
			node_need(v, b.node);
			return assume_null(v, s, &a, test == SCALAR_EQ);
		}
		if (b.flags & VALUE_MAYBE_NULL && is_zero(&a)) {
			node_need(v, a.node);
			return assume_null(v, s, &b, test == SCALAR_EQ);
		}
		return 0;
	}
	if (is_end_of(&a, &b))
		return assume_range(v, s, &a, test);
	if (is_end_of(&b, &a))
		return assume_range(v, s, &b, test_swapped(test));
	return 0;
}

static int trails_grow(struct verify *v)
{
	size_t room = v->trail_room ? 2 * v->trail_room : 64;
	struct trail *trails =
	        verify_resize(v, v->trails, v->trail_room * sizeof(*v->trails), room * sizeof(*v->trails));

	if (!trails)
		return -ENOMEM;
	if (!v->trail_count)
		trails[v->trail_count++] = (struct trail){0};
	v->trails = trails;
	v->trail_room = room;
	return 0;
}

static int trail_push(struct verify *v, struct state *s, uint32_t op, bool taken, uint32_t a, uint32_t b)
{
	int r = v->trail_count == v->trail_room ? trails_grow(v) : 0;

	if (r)
		return r;
	v->trails[v->trail_count] = (struct trail){
	        .before = s->trail, .op = op, .taken = taken, .a = a, .b = b, .order = (uint32_t)v->node_count};
	s->trail = (uint32_t)v->trail_count++;
	return 0;
}

/* The other way waits, with what is known there; the current state goes straight on. */
static int split(struct verify *v, const struct vm_op *op, struct comparison c, uint32_t a, uint32_t b)
{
	struct state *s = v->state, *other = state_copy(v, s);
	int taken, straight;

	if (!other)
		return verify_limit(v, "memory");
	taken = trail_push(v, other, s->op, true, a, b);
	if (!taken)
		taken = trail_push(v, s, s->op, false, a, b);
	if (!taken)
		taken = assume(v, other, op, c, c.test);
	if (taken && taken != -EAGAIN) {
		state_free(v, other);
		return taken;
	}
	straight = assume(v, s, op, c, scalar_test_inverse(c.test));
	if (straight && straight != -EAGAIN) {
		state_free(v, other);
		return straight;
	}
	if (taken || straight) { /* what made a way impossible is needed */
		node_need(v, a);
		node_need(v, b);
	}
	other->op = op->target;
	if (straight) { /* at least one way is possible; if both were excluded, both are looked at as they are */
		if (taken) {
			state_free(v, other);
			s->op++;
			return 0;
		}
		state_done(v, s);
		state_copy_into(v, s, other);
		state_free(v, other);
		return 0;
	}
	s->op++;
	if (taken) {
		state_free(v, other);
		return 0;
	}
	if (other->parent)
		other->parent->branches++;
	other->next = v->waiting;
	v->waiting = other;
	return 0;
}

int verify_branch(struct verify *v, const struct vm_op *op)
{
	struct comparison c = comparison_of(op);
	struct value immediate = {
	        .number = scalar_constant((uint64_t)op->imm), .kind = VALUE_NUMBER, .room = ROOM_NONE};
	struct value *a, *b = &immediate;
	int decision, r;

	if (!state_frame(v, v->state, v->state->frame_count - 1))
		return -ENOMEM;
	r = verify_read(v, op->dst, &a);
	if (!r && !c.immediate)
		r = verify_read(v, op->src, &b);
	if (r)
		return r;
	if (!comparison_allowed(v, c, a, b))
		return verify_reject(v, PICKET_REJECT_POINTER_LEAK, value_is_pointer(a) ? a : b,
		                     "compare pointers only with NULL and with the end of their memory",
		                     "the comparison would tell the value of %s",
		                     value_kind_name((value_is_pointer(a) ? a : b)->kind));
	decision = decide(v, c, a, b);
	if (decision >= 0) {
		v->state->op = decision ? op->target : v->state->op + 1;
		return 0;
	}
	return split(v, op, c, a->node, b->node);
}
