/* SPDX-License-Identifier: Apache-2.0
 *
 * Abstract interpretation over basic blocks: for each register what it points to, and between what bounds it lies from
 * there. Blocks are gone through in order until nothing changes. What grows around a loop is first tried at the constants
 * that the program compares with, and then given up, so the number of rounds does not depend on the program.
 *
 * All of it holds for any run of the program, whatever the program does: registers are changed by its own instructions
 * only, the frame pointer and the context's address stay what they are, and an array's values stay where they are.
 */
#include <errno.h>
#include <linux/bpf.h>
#include <stdlib.h>
#include "vm/hint_int.h"
#include "vm/map_int.h"

#define REGISTERS 11
#define REGISTER_FRAME 10
#define BOUND (INT64_C(1) << 40) /* of what is followed: sums of two do not overflow */
#define NEED_MAX INT32_MAX
#define THRESHOLDS_MAX 8      /* of a register, and of all together */
#define BLOCKS_MAX (1u << 15) /* of a function; with more, each block is looked at by itself */
#define ROUNDS_MAX 64         /* then all is given up */
#define JOINS_EXACT 2         /* of a loop, before thresholds are tried */
#define JOINS_MAX 16          /* of a loop, before what still grows is given up */
#define HELPER_MAP_LOOKUP 1

enum kind {
	KIND_ANY,
	KIND_NUMBER,
	KIND_FRAME,         /* r10 + */
	KIND_CONTEXT,       /* run->data + */
	KIND_MAP,           /* the map itself */
	KIND_VALUE,         /* an element of an array + */
	KIND_VALUE_OR_NULL, /* + 0 */
};

/* low, low + stride, low + 2 * stride ... high. A constant has stride 0. */
struct value {
	int64_t low, high;
	uint32_t stride;
	uint32_t map;   /* the LDDW_MAP or LDDW_MAP_VALUE op, of the last three kinds and VALUE */
	uint8_t kind;   /* enum kind */
	uint8_t window; /* whatever the kind is: see struct vm_hint */
};

struct state {
	struct value registers[REGISTERS];
};

struct block {
	uint32_t first, end; /* ops */
	uint16_t live;       /* registers that it or what follows reads; the others are not kept */
	bool reached, dirty;
	uint8_t joins; /* from behind */
};

struct thresholds {
	uint8_t count;
	int32_t values[THRESHOLDS_MAX];
};

struct hinter {
	const struct picket_program *p;
	const struct vm_ops *ops;
	struct vm_hints *out;
	uint32_t *block_of; /* of each op that begins one */
	struct block *blocks;
	struct state *states; /* at the entry of each; only what is live there is kept up */
	struct state now;
	size_t block_count, block_capacity;
	struct thresholds thresholds[REGISTERS], all_thresholds; /* of the function */
	uint8_t next_window;
};

/* ---- values ---- */
static struct value any(uint8_t window)
{
	return (struct value){.kind = KIND_ANY, .window = window};
}

static struct value between(int64_t low, int64_t high)
{
	return (struct value){.kind = KIND_NUMBER, .low = low, .high = high, .stride = low != high};
}

static struct value constant(int64_t n)
{
	return n > -BOUND && n < BOUND ? between(n, n) : any(0);
}

static bool is_pointer(const struct value *v)
{
	return v->kind == KIND_FRAME || v->kind == KIND_CONTEXT || v->kind == KIND_VALUE;
}

static bool is_number(const struct value *v)
{
	return v->kind == KIND_NUMBER;
}

static bool is_within(const struct value *v, int64_t low, int64_t high)
{
	return is_number(v) && v->low >= low && v->high <= high;
}

static struct value checked_bounds(struct value v)
{
	return v.low > -BOUND && v.high < BOUND ? v : any(v.window);
}

static uint32_t common_divisor(uint32_t a, uint32_t b)
{
	while (b) {
		uint32_t rest = a % b;
		a = b;
		b = rest;
	}
	return a;
}

static struct value sum(const struct value *a, const struct value *b)
{
	struct value v;

	if (!is_number(b)) {
		const struct value *swap = a;
		a = b;
		b = swap;
	}
	if (!is_number(b) || (!is_number(a) && !is_pointer(a)))
		return any(a->window);
	v = *a;
	v.low += b->low;
	v.high += b->high;
	v.stride = common_divisor(a->stride, b->stride);
	return checked_bounds(v);
}

static struct value plus(const struct value *v, int64_t n)
{
	struct value c = constant(n);

	return sum(v, &c);
}

static struct value difference(const struct value *a, const struct value *b)
{
	struct value negative = *b;

	if (!is_number(b))
		return any(a->window);
	negative.low = -b->high;
	negative.high = -b->low;
	return sum(a, &negative);
}

/* v * n, of numbers that are not negative. */
static struct value product(const struct value *v, int64_t n)
{
	struct value result = *v;

	if (!is_within(v, 0, INT32_MAX) || n < 0 || n > BOUND / INT32_MAX)
		return any(v->window);
	result.low *= n;
	result.high *= n;
	result.stride =
	        n > UINT32_MAX / MAX(1, (int64_t)v->stride) ? (result.low != result.high) : v->stride * (uint32_t)n;
	return checked_bounds(result);
}

/* Cuts to [low, high]; false: nothing is left. */
static bool narrow(struct value *v, int64_t low, int64_t high)
{
	int64_t stride = MAX(1, (int64_t)v->stride);

	if (low > v->low)
		v->low += (low - v->low + stride - 1) / stride * stride;
	if (v->low > v->high || v->low > high)
		return false;
	if (high < v->high)
		v->high = v->low + (high - v->low) / stride * stride;
	if (v->low == v->high)
		v->stride = 0;
	return v->low <= v->high;
}

static bool holds(const struct value *v, int64_t n)
{
	return n >= v->low && n <= v->high && (v->stride ? (n - v->low) % v->stride == 0 : n == v->low);
}

/* ---- ops ---- */
static unsigned op_class(const struct vm_op *op)
{
	return vm_insns[op->op].code & 7;
}

static const struct picket_map *map_of(const struct hinter *h, uint32_t lddw)
{
	uint32_t slot = h->ops->ops[lddw].insn;

	return h->p->maps[(uint32_t)h->p->insns[slot].imm];
}

static struct value shifted_right(const struct value *v, unsigned count, bool wide)
{
	if (count && is_within(v, 0, wide ? BOUND : UINT32_MAX))
		return between(v->low >> count, v->high >> count);
	if (!wide)
		return between(0, UINT32_MAX >> count);
	return count >= 32 ? between(0, (int64_t)(UINT64_MAX >> count)) : any(v->window);
}

static struct value masked(const struct value *v, int64_t mask)
{
	if (mask < 0)
		return any(v->window);
	return between(0, is_within(v, 0, BOUND) ? MIN(v->high, mask) : mask);
}

/* 32-bit results are what 64-bit ones would be, as long as these fit. */
static struct value low_half(struct value v)
{
	return is_within(&v, 0, UINT32_MAX) ? v : between(0, UINT32_MAX);
}

static struct value loaded(struct hinter *h, const struct vm_op *op)
{
	switch (op->op) {
	case VM_LDXB:
	case VM_LDXB_INDEXED:
	case VM_LOAD_ACQUIRE8:
		return between(0, UINT8_MAX);
	case VM_LDXH:
	case VM_LDXH_INDEXED:
	case VM_LOAD_ACQUIRE16:
		return between(0, UINT16_MAX);
	case VM_LDXW:
	case VM_LDXW_INDEXED:
	case VM_LOAD_ACQUIRE32:
		return between(0, UINT32_MAX);
	case VM_LDXSB:
		return between(INT8_MIN, INT8_MAX);
	case VM_LDXSH:
		return between(INT16_MIN, INT16_MAX);
	case VM_LDXSW:
		return between(INT32_MIN, INT32_MAX);
	default:
		return any(h->next_window++ % VM_WINDOWS);
	}
}

static struct value map_value(const struct hinter *h, uint32_t i)
{
	uint32_t slot = h->ops->ops[i].insn;
	int64_t offset = (uint32_t)h->p->insns[slot + 1].imm;

	return checked_bounds((struct value){.kind = KIND_VALUE, .map = i, .low = offset, .high = offset});
}

static struct value arithmetic(const struct hinter *h, const struct state *s, uint32_t i)
{
	const struct vm_op *op = &h->ops->ops[i];
	const struct value *dst = &s->registers[op->dst], *src = &s->registers[op->src];
	bool wide = op_class(op) == 7;
	int64_t unsigned_imm = wide ? op->imm : (int64_t)(uint32_t)op->imm;

	switch ((enum vm_opcode)op->op) {
	case VM_MOV64_IMM:
	case VM_LDDW:
		return constant(op->imm);
	case VM_MOV32_IMM:
		return constant(unsigned_imm);
	case VM_MOV64_REG:
		return *src;
	case VM_MOV32_REG:
		return low_half(*src);
	case VM_ADD64_IMM:
		return plus(dst, op->imm);
	case VM_ADD64_REG:
		return sum(dst, src);
	case VM_SUB64_IMM:
		return plus(dst, -op->imm);
	case VM_SUB64_REG:
		return difference(dst, src);
	case VM_LEA_IMM:
		return plus(src, op->imm);
	case VM_LEA_REG:
		return sum(src, &s->registers[op->index]);
	case VM_ADD32_IMM:
		return low_half(is_number(dst) ? plus(dst, op->imm) : any(0));
	case VM_ADD32_REG:
		return low_half(is_number(dst) ? sum(dst, src) : any(0));
	case VM_SUB32_IMM:
		return low_half(is_number(dst) ? plus(dst, -op->imm) : any(0));
	case VM_SUB32_REG:
		return low_half(is_number(dst) ? difference(dst, src) : any(0));
	case VM_AND64_IMM:
	case VM_AND32_IMM:
		return masked(dst, unsigned_imm);
	case VM_RSH64_IMM:
	case VM_RSH32_IMM:
		return shifted_right(dst, (unsigned)op->imm & (wide ? 63 : 31), wide);
	case VM_LSH64_IMM:
		return product(dst, INT64_C(1) << MIN(op->imm & 63, 40));
	case VM_LSH32_IMM:
		return low_half(product(dst, INT64_C(1) << (op->imm & 31)));
	case VM_MUL64_IMM:
		return product(dst, op->imm);
	case VM_MUL32_IMM:
		return low_half(product(dst, op->imm));
	case VM_MOD64_IMM:
	case VM_MOD32_IMM:
		return unsigned_imm > 0 ? between(0, unsigned_imm - 1) : any(0);
	case VM_LE16:
	case VM_BE16:
	case VM_BSWAP16:
		return between(0, UINT16_MAX);
	case VM_LE64:
	case VM_BE64:
		return any(dst->window);
	case VM_LDDW_MAP:
		return (struct value){.kind = KIND_MAP, .map = i};
	case VM_LDDW_MAP_VALUE:
		return map_value(h, i);
	default:
		return op_class(op) == 4 ? between(0, UINT32_MAX) : any(dst->window);
	}
}

static bool is_array(const struct picket_map *m)
{
	return m->spec.type == BPF_MAP_TYPE_ARRAY;
}

/* ---- memory ---- */
static bool op_is_atomic(const struct vm_op *op)
{
	uint8_t code = vm_insns[op->op].code;

	return code == 0xc3 || code == 0xcb || code == 0xd3 || code == 0xdb;
}

/* false: it uses no memory by address. */
static bool memory_operand(const struct state *s, const struct vm_op *op, struct value *ret_address, uint32_t *ret_size,
                           bool *ret_write)
{
	static const uint8_t sizes[] = {4, 2, 1, 8};
	uint32_t size = sizes[vm_insns[op->op].code >> 3 & 3];
	struct value address;

	switch ((enum vm_format)vm_insns[op->op].format) {
	case VM_FORMAT_LOAD:
		address = s->registers[op->src];
		*ret_write = false;
		break;
	case VM_FORMAT_LOAD_INDEXED:
		address = sum(&s->registers[op->src], &s->registers[op->index]);
		size = op->op == VM_LDXB_INDEXED   ? 1
		       : op->op == VM_LDXH_INDEXED ? 2
		       : op->op == VM_LDXW_INDEXED ? 4
		                                   : 8;
		*ret_write = false;
		break;
	case VM_FORMAT_STORE_IMM:
	case VM_FORMAT_STORE_REG:
	case VM_FORMAT_ATOMIC_REG:
		address = s->registers[op->dst];
		*ret_write = true;
		break;
	default:
		return false;
	}
	*ret_address = plus(&address, op->offset);
	*ret_size = size;
	return true;
}

static bool is_aligned(const struct value *v, uint32_t size)
{
	return v->low % size == 0 && v->stride % size == 0;
}

static bool value_allows(const struct picket_map *m, bool write)
{
	return write ? !m->readonly : !m->writeonly;
}

static void hint_memory(struct hinter *h, const struct state *s, uint32_t i)
{
	const struct vm_op *op = &h->ops->ops[i];
	struct vm_hint *hint = &h->out->of[i];
	bool atomic = op_is_atomic(op), write;
	const struct picket_map *m;
	struct value v;
	uint32_t size;
	int64_t end;

	if (!memory_operand(s, op, &v, &size, &write))
		return;
	hint->check = VM_CHECK_MEMORY;
	hint->window = v.window;
	end = v.high + size;
	switch ((enum kind)v.kind) {
	case KIND_FRAME:
		if (v.low >= -PICKET_STACK_BYTES && end <= 0 && (!atomic || is_aligned(&v, size)))
			hint->check = VM_CHECK_NONE;
		return;
	case KIND_VALUE:
		m = map_of(h, v.map);
		if (v.low >= 0 && end <= m->spec.value_size && value_allows(m, write) &&
		    (!atomic || (is_aligned(&v, size) && (uintptr_t)m->values % 8 == 0)))
			hint->check = VM_CHECK_NONE;
		return;
	case KIND_CONTEXT:
		if (v.low < 0 || end > NEED_MAX)
			return;
		/* one that succeeded proves nothing for the next: the memory may have been a region behind the context */
		hint->check = VM_CHECK_CONTEXT;
		hint->need = (uint32_t)end;
		return;
	default:
		return;
	}
}

/* ---- calls ---- */
static void hint_helper(struct hinter *h, const struct state *s, uint32_t i)
{
	const struct value *map = &s->registers[1], *key = &s->registers[2];
	struct vm_hint *hint = &h->out->of[i];

	hint->map = map->kind == KIND_MAP ? map->map : UINT32_MAX;
	hint->check = key->kind == KIND_FRAME && key->low >= -PICKET_STACK_BYTES && key->high + 4 <= 0
	                      ? VM_CHECK_NONE
	                      : VM_CHECK_MEMORY;
}

static struct value helper_result(struct hinter *h, uint32_t i)
{
	uint32_t lddw = h->out->of[i].map;

	if (h->ops->ops[i].imm == HELPER_MAP_LOOKUP && lddw != UINT32_MAX && is_array(map_of(h, lddw)))
		return (struct value){.kind = KIND_VALUE_OR_NULL, .map = lddw};
	return any(h->next_window++ % VM_WINDOWS);
}

static void step_call(struct hinter *h, struct state *s, uint32_t i)
{
	bool helper = h->ops->ops[i].op == VM_CALL_HELPER;

	if (helper)
		hint_helper(h, s, i);
	s->registers[0] = helper ? helper_result(h, i) : any(h->next_window++ % VM_WINDOWS);
	for (unsigned reg = 1; reg <= 5; reg++)
		s->registers[reg] = any(0);
}

static void step(struct hinter *h, struct state *s, uint32_t i)
{
	const struct vm_op *op = &h->ops->ops[i];
	uint16_t writes;

	switch ((enum vm_format)vm_insns[op->op].format) {
	case VM_FORMAT_DST:
	case VM_FORMAT_DST_IMM:
	case VM_FORMAT_DST_SRC:
	case VM_FORMAT_WIDE:
	case VM_FORMAT_WIDE_MAP:
	case VM_FORMAT_WIDE_FUNCTION:
	case VM_FORMAT_LEA_IMM:
	case VM_FORMAT_LEA_REG:
		s->registers[op->dst] = arithmetic(h, s, i);
		return;
	case VM_FORMAT_LOAD:
	case VM_FORMAT_LOAD_INDEXED:
		hint_memory(h, s, i);
		s->registers[op->dst] = loaded(h, op);
		return;
	case VM_FORMAT_STORE_IMM:
	case VM_FORMAT_STORE_REG:
		hint_memory(h, s, i);
		return;
	case VM_FORMAT_JUMP:
	case VM_FORMAT_JUMP_LONG:
	case VM_FORMAT_JUMP_IMM:
	case VM_FORMAT_JUMP_REG:
		return;
	case VM_FORMAT_CALL_ID:
	case VM_FORMAT_CALL_FUNCTION:
	case VM_FORMAT_CALL_DST:
		step_call(h, s, i);
		return;
	default: /* atomic, packet, exit */
		hint_memory(h, s, i);
		writes = vm_op_writes(op);
		for (unsigned reg = 0; writes >> reg; reg++)
			if (writes & 1u << reg)
				s->registers[reg] = any(0);
		return;
	}
}

/* ---- conditional jumps ---- */
enum relation { EQUAL, NOT_EQUAL, BELOW, NOT_BELOW, ABOVE, NOT_ABOVE, NO_RELATION };

static enum relation op_relation(const struct vm_op *op, bool *ret_unsigned)
{
	*ret_unsigned = false;
	switch ((int)op->op) {
#define JUMP(id, relation, is_unsigned) \
	case VM_##id##64_IMM: \
	case VM_##id##64_REG: \
	case VM_##id##32_IMM: \
	case VM_##id##32_REG: \
		*ret_unsigned = is_unsigned; \
		return relation;
		JUMP(JEQ, EQUAL, false)
		JUMP(JNE, NOT_EQUAL, false)
		JUMP(JGT, ABOVE, true)
		JUMP(JGE, NOT_BELOW, true)
		JUMP(JLT, BELOW, true)
		JUMP(JLE, NOT_ABOVE, true)
		JUMP(JSGT, ABOVE, false)
		JUMP(JSGE, NOT_BELOW, false)
		JUMP(JSLT, BELOW, false)
		JUMP(JSLE, NOT_ABOVE, false)
#undef JUMP
	}
	return NO_RELATION;
}

static enum relation opposite(enum relation r)
{
	return r == NO_RELATION ? r : r ^ 1;
}

/* v stands in that relation to something in [low, high]. */
static bool narrow_by_relation(struct value *v, enum relation r, int64_t low, int64_t high)
{
	switch (r) {
	case EQUAL:
		if (low == high && !holds(v, low))
			return false;
		return narrow(v, low, high);
	case NOT_EQUAL:
		if (low != high)
			return true;
		if (v->low == low)
			return narrow(v, low + 1, v->high);
		return v->high != low || narrow(v, v->low, low - 1);
	case BELOW:
		return narrow(v, v->low, high - 1);
	case NOT_BELOW:
		return narrow(v, low, v->high);
	case ABOVE:
		return narrow(v, low + 1, v->high);
	case NOT_ABOVE:
		return narrow(v, v->low, high);
	case NO_RELATION:
		return true;
	}
	return true;
}

static bool same_base(const struct value *a, const struct value *b)
{
	return a->kind == b->kind && is_pointer(a) && (a->kind != KIND_VALUE);
}

/* What the branch tells of op's dst; false: it is never taken. Changes nothing else. */
static bool narrow_by_jump(struct state *s, const struct vm_op *op, bool taken)
{
	struct value *v = &s->registers[op->dst];
	bool wide = op_class(op) == 5, is_unsigned;
	enum relation relation = op_relation(op, &is_unsigned);
	struct value other = vm_insns[op->op].format == VM_FORMAT_JUMP_IMM ? constant(op->imm) : s->registers[op->src];

	if (!taken)
		relation = opposite(relation);
	if (v->kind == KIND_VALUE_OR_NULL && wide && is_within(&other, 0, 0)) {
		if (relation == EQUAL)
			*v = constant(0);
		else if (relation == NOT_EQUAL)
			v->kind = KIND_VALUE;
		return true;
	}
	if (wide && same_base(v, &other) && (relation == EQUAL || relation == NOT_EQUAL))
		return narrow_by_relation(v, relation, other.low, other.high);
	if (!is_number(v) || !is_number(&other))
		return true;
	/* the lower halves as either kind of number are the whole, then */
	if (!wide && (!is_within(v, 0, INT32_MAX) || !is_within(&other, 0, INT32_MAX)))
		return true;
	if (is_unsigned && (v->low < 0 || other.low < 0))
		return true;
	return narrow_by_relation(v, relation, other.low, other.high);
}

/* ---- joining ---- */
static bool thresholds_find(const struct thresholds *t, const struct value *v, int64_t high, int64_t *ret_high)
{
	int64_t stride = MAX(1, (int64_t)v->stride), best = INT64_MAX;

	for (unsigned i = 0; i < t->count; i++) {
		for (int64_t limit = (int64_t)t->values[i] - 1; limit <= t->values[i]; limit++) {
			int64_t at = v->low + (limit - v->low) / stride * stride;
			if (limit >= v->low && at >= high && at < best)
				best = at;
		}
	}
	*ret_high = best;
	return best != INT64_MAX;
}

/* v has grown out of old around a loop. Tries where it might end. */
static struct value widen(const struct hinter *h, unsigned reg, const struct value *old, struct value v)
{
	int64_t stride = MAX(1, (int64_t)v.stride);

	if (v.low < old->low) {
		int64_t low = v.high - (v.high - 1) / stride * stride; /* above 0 */
		if (v.low < 0)
			return any(v.window);
		v.low = v.low >= low && v.high > 0 ? low : v.low - v.low / stride * stride;
	}
	if (v.high > old->high) {
		int64_t high;
		if (!thresholds_find(&h->thresholds[reg], &v, v.high, &high) &&
		    !thresholds_find(&h->all_thresholds, &v, v.high, &high))
			return any(v.window);
		v.high = high;
	}
	return v;
}

static bool same_kind(const struct value *a, const struct value *b)
{
	return a->kind == b->kind && (a->kind == KIND_ANY || a->kind == KIND_NUMBER || a->kind == KIND_FRAME ||
	                              a->kind == KIND_CONTEXT || a->map == b->map);
}

/* The least that holds both; it has old's window. */
static struct value join(const struct value *old, const struct value *now)
{
	struct value v = *old;
	uint64_t apart = old->low < now->low ? (uint64_t)(now->low - old->low) : (uint64_t)(old->low - now->low);

	if (!same_kind(old, now))
		return any(old->window);
	v.low = MIN(old->low, now->low);
	v.high = MAX(old->high, now->high);
	v.stride = common_divisor(common_divisor(old->stride, now->stride), apart > UINT32_MAX ? 1 : (uint32_t)apart);
	return v;
}

static bool same_bounds(const struct value *a, const struct value *b)
{
	return a->kind == b->kind && a->low == b->low && a->high == b->high && a->stride == b->stride;
}

/* Returns whether old has changed. Only around a loop can it change without end: there `joins` is counted. */
static bool join_states(struct hinter *h, struct block *b, struct state *old, const struct state *now, bool backward)
{
	bool changed = false;

	for (uint16_t left = b->live; left; left &= left - 1) {
		unsigned reg = (unsigned)__builtin_ctz(left);
		struct value *was = &old->registers[reg], v;
		if (was->kind == KIND_ANY ||
		    (same_kind(was, &now->registers[reg]) && same_bounds(was, &now->registers[reg])))
			continue;
		v = join(was, &now->registers[reg]);
		if (same_bounds(was, &v))
			continue;
		if (backward && b->joins >= JOINS_MAX)
			v = any(v.window);
		else if (backward && b->joins >= JOINS_EXACT && v.kind != KIND_ANY)
			v = widen(h, reg, was, v);
		*was = v;
		changed = true;
	}
	b->joins += changed && backward && b->joins < JOINS_MAX;
	return changed;
}

static void copy_live(struct state *to, const struct state *from, uint16_t live)
{
	for (; live; live &= live - 1) {
		unsigned reg = (unsigned)__builtin_ctz(live);
		to->registers[reg] = from->registers[reg];
	}
}

static void enter_block(struct hinter *h, uint32_t op, const struct state *s, uint32_t from)
{
	uint32_t index = h->block_of[op];
	struct block *b = &h->blocks[index];

	if (!b->reached) {
		copy_live(&h->states[index], s, b->live);
		b->reached = b->dirty = true;
	} else {
		b->dirty |= join_states(h, b, &h->states[index], s, op <= from);
	}
}

/* ---- functions ---- */
static void add_threshold(struct thresholds *t, int64_t n)
{
	for (unsigned i = 0; i < t->count; i++)
		if (t->values[i] == n)
			return;
	if (n > 0 && n <= NEED_MAX && t->count < THRESHOLDS_MAX)
		t->values[t->count++] = (int32_t)n;
}

static void note_thresholds(struct hinter *h, const struct vm_op *op)
{
	switch (op->op) {
	case VM_ADD64_IMM:
	case VM_LEA_IMM: /* ends of what is gone through by pointers */
		if (op->imm >= 16)
			add_threshold(&h->all_thresholds, op->imm);
		return;
	default:
		if (vm_insns[op->op].format != VM_FORMAT_JUMP_IMM)
			return;
		add_threshold(&h->thresholds[op->dst], op->imm);
		add_threshold(&h->all_thresholds, op->imm);
	}
}

/* -ENOMEM: the function has too many blocks, or there is none. */
static int add_block(struct hinter *h, uint32_t op)
{
	if (h->block_count == h->block_capacity) {
		size_t capacity = h->block_capacity ? 2 * h->block_capacity : 64;
		struct block *blocks =
		        capacity > BLOCKS_MAX ? NULL : reallocarray(h->blocks, capacity, sizeof(*blocks));
		struct state *states;
		if (!blocks)
			return -ENOMEM;
		h->blocks = blocks;
		states = reallocarray(h->states, capacity, sizeof(*states));
		if (!states)
			return -ENOMEM;
		h->states = states;
		h->block_capacity = capacity;
	}
	h->block_of[op] = (uint32_t)h->block_count;
	h->blocks[h->block_count++] = (struct block){
	        .first = op,
	        .live = vm_op_reads(&h->ops->ops[op]) | (h->ops->live[op] & (uint16_t)~vm_op_writes(&h->ops->ops[op])),
	};
	return 0;
}

static int make_blocks(struct hinter *h, const struct vm_function *f)
{
	h->block_count = 0;
	memset(h->thresholds, 0, sizeof(h->thresholds));
	h->all_thresholds.count = 0;
	for (uint32_t i = f->first; i < f->end; i++) {
		const struct vm_op *op = &h->ops->ops[i];
		if (i == f->first || op->flags & VM_OP_LEADER || vm_op_ends_block(op - 1)) {
			int r = add_block(h, i);
			if (r)
				return r;
		}
		note_thresholds(h, op);
		h->blocks[h->block_count - 1].end = i + 1;
	}
	return 0;
}

static void go_through_block(struct hinter *h, const struct block *b)
{
	uint32_t last = b->end - 1;
	const struct vm_op *op = &h->ops->ops[last];
	struct state *s = &h->now;
	struct value before;

	copy_live(s, &h->states[b - h->blocks], b->live);
	for (uint32_t i = b->first; i <= last; i++)
		step(h, s, i);
	switch ((enum vm_format)vm_insns[op->op].format) {
	case VM_FORMAT_NOTHING:
		return;
	case VM_FORMAT_JUMP:
	case VM_FORMAT_JUMP_LONG:
		enter_block(h, op->target, s, last);
		return;
	case VM_FORMAT_JUMP_IMM:
	case VM_FORMAT_JUMP_REG:
		before = s->registers[op->dst];
		if (narrow_by_jump(s, op, true))
			enter_block(h, op->target, s, last);
		s->registers[op->dst] = before;
		if (narrow_by_jump(s, op, false))
			enter_block(h, last + 1, s, last);
		return;
	default:
		enter_block(h, last + 1, s, last);
	}
}

static void first_state(const struct hinter *h, const struct vm_function *f, struct state *ret)
{
	*ret = (struct state){0};
	for (unsigned reg = 0; reg < REGISTERS; reg++)
		ret->registers[reg] = any((uint8_t)(reg % VM_WINDOWS));
	ret->registers[REGISTER_FRAME].kind = KIND_FRAME;
	if (f == h->ops->functions && h->out->entry_only)
		ret->registers[1].kind = KIND_CONTEXT;
}

static void forget_hints(struct hinter *h, const struct vm_function *f)
{
	for (uint32_t i = f->first; i < f->end; i++)
		h->out->of[i] = (struct vm_hint){.map = UINT32_MAX};
}

/* A function that is too large: only what a block knows by itself. */
static void hint_blocks(struct hinter *h, const struct vm_function *f)
{
	struct state at_entry, s;

	first_state(h, f, &at_entry);
	at_entry.registers[1] = any(1 % VM_WINDOWS);
	for (uint32_t i = f->first; i < f->end; i++) {
		const struct vm_op *op = &h->ops->ops[i];
		if (i == f->first || op->flags & VM_OP_LEADER)
			s = at_entry;
		step(h, &s, i);
	}
}

static void hint_function(struct hinter *h, const struct vm_function *f)
{
	bool again = true;

	forget_hints(h, f);
	if (make_blocks(h, f)) {
		hint_blocks(h, f);
		return;
	}
	first_state(h, f, &h->states[0]);
	h->blocks[0].reached = h->blocks[0].dirty = true;
	for (unsigned round = 0; again; round++) {
		again = false;
		if (round == ROUNDS_MAX) {
			forget_hints(h, f);
			return;
		}
		for (size_t i = 0; i < h->block_count; i++) {
			if (!h->blocks[i].dirty)
				continue;
			h->blocks[i].dirty = false;
			again = true;
			go_through_block(h, &h->blocks[i]);
		}
	}
}

/* Could a function be called whose number only the run knows? */
static bool calls_any_function(const struct hinter *h, const struct vm_op *op)
{
	const struct picket_helper *helper;

	if (op->op == VM_CALL_REG)
		return true;
	if (op->op != VM_CALL_HELPER)
		return false;
	if (op->imm >= PICKET_HELPER_OWN)
		return true;
	helper = vm_helper_find((uint32_t)op->imm, h->p->helpers, h->p->helper_count);
	for (size_t i = 0; helper && i < ARRAY_SIZE(helper->args); i++)
		if (helper->args[i] == PICKET_ARG_FUNCTION)
			return true;
	return !helper;
}

static bool is_entered_only_from_outside(const struct hinter *h)
{
	for (size_t i = 0; i < h->ops->count; i++) {
		const struct vm_op *op = &h->ops->ops[i];
		if (calls_any_function(h, op) || (op->op == VM_CALL_LOCAL && op->target == 0))
			return false;
	}
	return true;
}

int vm_hint(const struct picket_program *p, const struct vm_ops *ops, struct vm_hints *ret_hints)
{
	struct vm_hints hints = {.of = malloc(ops->count * sizeof(*hints.of))};
	struct hinter h = {.p = p, .ops = ops, .out = &hints, .block_of = malloc(ops->count * sizeof(*h.block_of))};
	int r = -ENOMEM;

	if (!hints.of || !h.block_of)
		goto out;
	hints.entry_only = is_entered_only_from_outside(&h);
	for (size_t i = 0; i < ops->function_count; i++)
		hint_function(&h, &ops->functions[i]);
	for (size_t i = 0; i < ops->count; i++)
		if (hints.of[i].check == VM_CHECK_CONTEXT)
			hints.context_need = MAX(hints.context_need, hints.of[i].need);
	*ret_hints = hints;
	hints.of = NULL;
	r = 0;
out:
	free(h.block_of);
	free(h.blocks);
	free(h.states);
	free(hints.of);
	return r;
}

void vm_hints_done(struct vm_hints *h)
{
	free(h->of);
	*h = (struct vm_hints){0};
}
