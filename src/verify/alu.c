/* SPDX-License-Identifier: Apache-2.0
 *
 * Arithmetic: on numbers as scalar.c has it, on pointers as far as it keeps them inside of something.
 */
#include <errno.h>
#include "verify/verify_int.h"

#define OFFSET_MAX (1 << 29)
#define VARIABLE_MAX ((int64_t)1 << 33) /* of what is added and not known: accesses ask for less */

struct alu {
	enum scalar_op op;
	bool wide;
};

/* The four forms of an operation stand together in insn.def: 64 imm, 64 reg, 32 imm, 32 reg. */
static bool alu_find(const struct vm_op *op, struct alu *ret_alu)
{
	static const struct {
		uint16_t first;
		enum scalar_op op;
	} forms[] = {
	        {VM_ADD64_IMM, SCALAR_ADD}, {VM_SUB64_IMM, SCALAR_SUB},   {VM_MUL64_IMM, SCALAR_MUL},
	        {VM_DIV64_IMM, SCALAR_DIV}, {VM_SDIV64_IMM, SCALAR_SDIV}, {VM_OR64_IMM, SCALAR_OR},
	        {VM_AND64_IMM, SCALAR_AND}, {VM_LSH64_IMM, SCALAR_LSH},   {VM_RSH64_IMM, SCALAR_RSH},
	        {VM_MOD64_IMM, SCALAR_MOD}, {VM_SMOD64_IMM, SCALAR_SMOD}, {VM_XOR64_IMM, SCALAR_XOR},
	        {VM_MOV64_IMM, SCALAR_MOV}, {VM_ARSH64_IMM, SCALAR_ARSH},
	};

	for (size_t i = 0; i < ARRAY_SIZE(forms); i++)
		if (op->op >= forms[i].first && op->op < forms[i].first + 4) {
			*ret_alu = (struct alu){.op = forms[i].op, .wide = op->op < forms[i].first + 2};
			return true;
		}
	return false;
}

static bool op_has_source(const struct vm_op *op)
{
	return vm_insns[op->op].format == VM_FORMAT_DST_SRC;
}

static int reject_arithmetic(struct verify *v, const struct vm_op *op, const struct value *pointer, const char *hint)
{
	return verify_reject(v, PICKET_REJECT_POINTER_ARITHMETIC, pointer, hint, "r%u is %s, which allows no \"%s\"",
	                     op->dst, value_kind_name(pointer->kind), vm_insns[op->op].mnemonic);
}

static bool kind_is_arithmetic(uint8_t kind)
{
	switch (kind) {
	case VALUE_STACK:
	case VALUE_CONTEXT:
	case VALUE_MAP_VALUE:
	case VALUE_MAP_KEY:
	case VALUE_PACKET:
	case VALUE_PACKET_META:
	case VALUE_BUFFER:
	case VALUE_MEMORY:
	case VALUE_RECORD:
	case VALUE_OBJECT:
	case VALUE_FLOW_KEYS:
		return true;
	default:
		return false;
	}
}

static bool kind_has_range(uint8_t kind)
{
	return kind == VALUE_PACKET || kind == VALUE_PACKET_META || kind == VALUE_BUFFER;
}

/* pointer +- a number that is known: only the constant part changes. */
static int pointer_add_constant(struct verify *v, const struct vm_op *op, struct value *p, int64_t by)
{
	if (by <= -OFFSET_MAX || by >= OFFSET_MAX || p->offset + by <= -OFFSET_MAX || p->offset + by >= OFFSET_MAX)
		return verify_reject(v, PICKET_REJECT_POINTER_ARITHMETIC, p, "pointers move by less than 2^29",
		                     "r%u moves by %lld: too far", op->dst, (long long)by);
	p->offset += (int32_t)by;
	return 0;
}

static int pointer_add(struct verify *v, const struct vm_op *op, struct value *p, const struct value *n, bool subtract)
{
	struct scalar moved = p->number;
	uint64_t constant;
	int64_t room, limit = VARIABLE_MAX;

	if (p->flags & VALUE_MAYBE_NULL)
		return verify_reject(v, PICKET_REJECT_NULL_POINTER, p,
		                     "compare it with NULL before you calculate with it",
		                     "r%u may be NULL, and arithmetic would hide that", op->dst);
	if (!kind_is_arithmetic(p->kind))
		return reject_arithmetic(v, op, p, "keep the pointer as it is");
	node_need(v, n->node);
	if (scalar_is_constant(&n->number, &constant))
		return pointer_add_constant(v, op, p, subtract ? (int64_t)-constant : (int64_t)constant);
	/* a number that is not greater than the buffer's length is bounded enough */
	if (p->kind == VALUE_BUFFER && n->room != ROOM_NONE && n->room >= 0 && n->number.wide.smin >= 0)
		limit = (int64_t)1 << 48;
	if (n->number.wide.smin <= -OFFSET_MAX || n->number.wide.smax >= limit)
		return verify_reject(v, PICKET_REJECT_OUT_OF_BOUNDS, n,
		                     "compare the number with its least and greatest allowed value, or mask it with &",
		                     "the number that is added to r%u, %s, may be anything from %lld to %lld", op->dst,
		                     value_kind_name(p->kind), (long long)n->number.wide.smin,
		                     (long long)n->number.wide.smax);
	scalar_alu(subtract ? SCALAR_SUB : SCALAR_ADD, true, &moved, &n->number);
	if (moved.wide.smin <= -OFFSET_MAX || moved.wide.smax >= limit)
		return verify_reject(v, PICKET_REJECT_OUT_OF_BOUNDS, n, "bound the number before it is added",
		                     "r%u may be moved too far", op->dst);
	/* what is known of the room behind the number is known of the pointer, if it was the buffer's first byte */
	room = !subtract && p->kind == VALUE_BUFFER && n->room != ROOM_NONE &&
	                       scalar_is_constant(&p->number, &constant) && constant == 0
	               ? n->room
	               : 0;
	p->number = moved;
	p->range = room > 0 ? (uint32_t)room : 0;
	p->room = ROOM_NONE;
	if (kind_has_range(p->kind))
		p->id = verify_id(v);
	return 0;
}

static bool is_length(const struct value *n)
{
	return n->kind == VALUE_NUMBER && n->id == ID_LENGTH && n->add == 0 && !n->add_half;
}

static int alu_add(struct verify *v, const struct vm_op *op, struct value *dst, const struct value *src)
{
	struct value result = value_is_pointer(dst) ? *dst : *src;
	const struct value *number = value_is_pointer(dst) ? src : dst;
	uint64_t constant;
	int r;

	if (result.kind == VALUE_BUFFER && is_length(number) && result.offset == 0 &&
	    scalar_is_constant(&result.number, &constant) && constant == 0) {
		node_need(v, number->node);
		*dst = (struct value){.number = scalar_constant(0), .kind = VALUE_BUFFER_END, .room = ROOM_NONE};
		return 0;
	}
	r = pointer_add(v, op, &result, number, false);
	if (r)
		return r;
	*dst = result;
	dst->node = node_new(v, dst->node, number->node);
	return 0;
}

/* The kernel subtracts nothing from the stack's address: its compilers for some machines might not be able to. */
static int alu_subtract(struct verify *v, const struct vm_op *op, struct value *dst, const struct value *src)
{
	struct value result = *dst;
	int r;

	if (dst->kind == VALUE_STACK && !(v->kind->flags & KIND_SANDBOX))
		return reject_arithmetic(v, op, dst, "add the negative number");
	r = pointer_add(v, op, &result, src, true);
	if (r)
		return r;
	*dst = result;
	dst->node = node_new(v, dst->node, src->node);
	return 0;
}

/* A pointer with an operation that keeps none: of a difference a number comes out, if that may be known. */
static int alu_on_pointers(struct verify *v, const struct vm_op *op, struct alu alu, struct value *dst,
                           const struct value *src)
{
	bool both = value_is_pointer(dst) && value_is_pointer(src);

	if (alu.wide && !both && alu.op == SCALAR_ADD)
		return alu_add(v, op, dst, src);
	if (alu.wide && !both && alu.op == SCALAR_SUB && value_is_pointer(dst))
		return alu_subtract(v, op, dst, src);
	if (alu.wide && alu.op == SCALAR_SUB && both && dst->kind == src->kind &&
	    (verify_leaks(v) || dst->kind == VALUE_BUFFER)) {
		*dst = value_unknown(v);
		return 0;
	}
	if (!verify_leaks(v))
		return reject_arithmetic(
		        v, op, value_is_pointer(dst) ? dst : src,
		        "here a program may not learn a pointer's value; add and subtract numbers only");
	if (alu.op != SCALAR_SUB)
		return reject_arithmetic(v, op, value_is_pointer(dst) ? dst : src,
		                         alu.wide || both || alu.op != SCALAR_ADD
		                                 ? "only numbers may be combined so"
		                                 : "use a 64-bit operation: this one cuts the pointer off");
	if (alu.wide && !both)
		return reject_arithmetic(v, op, src, "subtract from the pointer, not from a number");
	*dst = value_unknown(v);
	if (!alu.wide)
		scalar_zero_extend(&dst->number);
	return 0;
}

/* A loop's counter stays tied to its first value by additions that do not wrap. */
static void keep_origin(struct value *dst, const struct value *before, struct alu alu, int64_t by)
{
	uint64_t limit = alu.wide ? UINT64_MAX : UINT32_MAX;
	bool fits = alu.wide || before->number.wide.umax <= UINT32_MAX;

	dst->origin = 0;
	if (!before->origin || !fits || by <= -OFFSET_MAX || by >= OFFSET_MAX)
		return;
	if (by >= 0 ? before->number.wide.umax > limit - (uint64_t)by : before->number.wide.umin < (uint64_t)-by)
		return;
	if (before->delta + by <= -OFFSET_MAX || before->delta + by >= OFFSET_MAX)
		return;
	dst->origin = before->origin;
	dst->delta = before->delta + by;
}

static int32_t moved_room(const struct value *before, struct alu alu, int64_t by)
{
	if (before->room == ROOM_NONE || !alu.wide || by <= -OFFSET_MAX || by >= OFFSET_MAX)
		return ROOM_NONE;
	if (before->number.wide.smin < 0 || before->number.wide.smax > (int64_t)1 << 40 ||
	    (by < 0 && before->number.wide.umin < (uint64_t)-by))
		return ROOM_NONE;
	if (before->room - by <= -OFFSET_MAX || before->room - by >= OFFSET_MAX)
		return ROOM_NONE;
	return (int32_t)(before->room - by);
}

/* A number that is `by` more than another one with the same id. Where 32 bits were added, that holds of the lower half. */
static void keep_id(struct value *dst, const struct value *before, struct alu alu, int64_t by)
{
	int64_t more = before->add + by;

	if (!before->id || by <= -OFFSET_MAX || by >= OFFSET_MAX || more <= -OFFSET_MAX || more >= OFFSET_MAX)
		return;
	if (alu.wide && before->add_half && dst->number.wide.umax > UINT32_MAX)
		return;
	dst->id = before->id;
	dst->add = (int32_t)more;
	dst->add_half = !alu.wide || before->add_half;
}

static const struct value *find_copy(const struct frame *f, uint32_t id, int32_t add)
{
	for (unsigned i = 0; i < 10; i++)
		if (f->registers[i].kind == VALUE_NUMBER && f->registers[i].id == id && f->registers[i].add == add &&
		    !f->registers[i].add_half)
			return &f->registers[i];
	return NULL;
}

/* x << 32 >> 32 is how older instruction sets cut off the upper half: if x has none, x comes out, and stays a copy of it;
 * else a number comes out whose lower half is that of x. */
static void keep_shifted(struct verify *v, struct alu alu, struct value *dst, const struct value *before, uint64_t by)
{
	const struct value *copy;

	dst->shifted = 0;
	if (!alu.wide || by != 32)
		return;
	if (alu.op == SCALAR_LSH && before->id && !before->add_half) {
		dst->shifted = before->id;
		dst->shifted_add = before->add;
	} else if ((alu.op == SCALAR_RSH || alu.op == SCALAR_ARSH) && before->shifted) {
		copy = find_copy(state_top(v->state), before->shifted, before->shifted_add);
		if (copy && copy->number.wide.umax <= (alu.op == SCALAR_RSH ? UINT32_MAX : INT32_MAX)) {
			node_need(v, copy->node);
			node_need(v, before->node);
			*dst = *copy;
		} else if (alu.op == SCALAR_RSH) {
			dst->id = before->shifted;
			dst->add = before->shifted_add;
			dst->add_half = true;
		}
	}
}

static void alu_on_numbers(struct verify *v, struct alu alu, struct value *dst, const struct value *src)
{
	struct value before = *dst;
	uint64_t constant;

	scalar_alu(alu.op, alu.wide, &dst->number, &src->number);
	value_forget_relations(dst);
	dst->node = node_new(v, before.node, src->node);
	if (scalar_is_constant(&src->number, &constant))
		keep_shifted(v, alu, dst, &before, constant);
	else
		dst->shifted = 0;
	if ((alu.op == SCALAR_ADD || alu.op == SCALAR_SUB) && scalar_is_constant(&src->number, &constant)) {
		int64_t by = alu.wide ? (int64_t)constant : (int32_t)constant;
		if (by == INT64_MIN)
			return;
		by = alu.op == SCALAR_SUB ? -by : by;
		keep_origin(dst, &before, alu, by);
		dst->room = moved_room(&before, alu, by);
		keep_id(dst, &before, alu, by);
	}
}

static int alu_move(struct verify *v, const struct vm_op *op, bool wide, struct value *dst, struct value *src)
{
	uint64_t constant;

	if (!wide && value_is_pointer(src)) {
		if (!verify_leaks(v))
			return verify_reject(v, PICKET_REJECT_POINTER_LEAK, src, "move all 64 bits of it",
			                     "half of %s in r%u would become a number", value_kind_name(src->kind),
			                     op->src);
		*dst = value_unknown(v);
		scalar_zero_extend(&dst->number);
		return 0;
	}
	if (src->kind == VALUE_NUMBER && !src->id && !scalar_is_constant(&src->number, &constant))
		src->id = verify_id(v);
	*dst = *src;
	if (src->kind == VALUE_NUMBER) /* what needs the original does not need the copy */
		dst->node = node_new(v, src->node, 0);
	if (!wide && src->number.wide.umax > UINT32_MAX) {
		scalar_zero_extend(&dst->number);
		value_forget_relations(dst);
		dst->id = src->id;
		dst->add = src->add;
		dst->add_half = true;
	}
	return 0;
}

static int alu_sign_extend(struct verify *v, const struct vm_op *op, struct value *dst, const struct value *src)
{
	static const struct {
		bool wide;
		uint8_t bits;
	} forms[] = {{true, 8}, {true, 16}, {true, 32}, {false, 8}, {false, 16}};
	const unsigned form = (unsigned)(op->op - VM_MOVSX8_64);
	uint32_t node;

	if (value_is_pointer(src)) {
		if (!verify_leaks(v))
			return verify_reject(v, PICKET_REJECT_POINTER_LEAK, src, "move all 64 bits of it",
			                     "part of %s in r%u would become a number", value_kind_name(src->kind),
			                     op->src);
		*dst = value_unknown(v);
		scalar_sign_extend(forms[form].wide, forms[form].bits, &dst->number);
		return 0;
	}
	node = node_new(v, src->node, 0);
	*dst = (struct value){.number = src->number, .kind = VALUE_NUMBER, .node = node, .room = ROOM_NONE};
	scalar_sign_extend(forms[form].wide, forms[form].bits, &dst->number);
	return 0;
}

/* neg and changes of the byte order. */
static int alu_one(struct verify *v, const struct vm_op *op, struct value *dst)
{
	static const uint8_t widths[] = {16, 32, 64};

	if (value_is_pointer(dst)) {
		if (!verify_leaks(v))
			return reject_arithmetic(v, op, dst, "only numbers allow it");
		*dst = value_unknown(v);
	}
	if (op->op == VM_NEG64 || op->op == VM_NEG32)
		scalar_negate(op->op == VM_NEG64, &dst->number);
	else if (op->op <= VM_LE64)
		scalar_swap(widths[op->op - VM_LE16], false, &dst->number);
	else if (op->op <= VM_BE64)
		scalar_swap(widths[op->op - VM_BE16], true, &dst->number);
	else
		scalar_swap(widths[op->op - VM_BSWAP16], true, &dst->number);
	value_forget_relations(dst);
	dst->node = node_new(v, dst->node, 0);
	return 0;
}

/* Constants that the standard gives a meaning, and the kernel refuses: not every machine has that. */
static int check_constant(struct verify *v, const struct vm_op *op, struct alu alu)
{
	const unsigned bits = alu.wide ? 64 : 32;
	bool divides = alu.op == SCALAR_DIV || alu.op == SCALAR_SDIV || alu.op == SCALAR_MOD || alu.op == SCALAR_SMOD;
	bool shifts = alu.op == SCALAR_LSH || alu.op == SCALAR_RSH || alu.op == SCALAR_ARSH;

	if (v->kind->flags & KIND_SANDBOX || op_has_source(op))
		return 0;
	if (divides && op->imm == 0)
		return verify_reject(v, PICKET_REJECT_MALFORMED, NULL,
		                     "a division by 0 is undefined in C: leave it out, or divide by something else",
		                     "r%u is divided by the constant 0, which the kernel does not load", op->dst);
	if (shifts && (op->imm < 0 || op->imm >= (int)bits))
		return verify_reject(v, PICKET_REJECT_MALFORMED, NULL,
		                     "a shift by all bits or more is undefined in C: shift by fewer",
		                     "r%u is shifted by %lld, and has %u bits: the kernel does not load that", op->dst,
		                     (long long)op->imm, bits);
	return 0;
}

int verify_alu(struct verify *v, const struct vm_op *op)
{
	struct frame *f = state_frame(v, v->state, v->state->frame_count - 1);
	struct value immediate, *dst, *src = &immediate;
	struct alu alu = {.op = SCALAR_MOV, .wide = true};
	int r;

	if (!f)
		return -ENOMEM;
	dst = &f->registers[op->dst];
	immediate =
	        (struct value){.number = scalar_constant((uint64_t)op->imm), .kind = VALUE_NUMBER, .room = ROOM_NONE};
	if (op_has_source(op)) {
		r = verify_read(v, op->src, &src);
		if (r)
			return r;
	}
	if (op->op >= VM_MOVSX8_64 && op->op <= VM_MOVSX16_32)
		return alu_sign_extend(v, op, dst, src);
	if (alu_find(op, &alu) && alu.op == SCALAR_MOV) {
		if (src == &immediate) {
			*dst = value_number(v, immediate.number);
			if (!alu.wide)
				scalar_zero_extend(&dst->number);
			return 0;
		}
		return alu_move(v, op, alu.wide, dst, src);
	}
	r = verify_read(v, op->dst, &dst);
	if (r)
		return r;
	if (!alu_find(op, &alu))
		return alu_one(v, op, dst);
	r = check_constant(v, op, alu);
	if (r)
		return r;
	if (value_is_pointer(dst) || value_is_pointer(src)) {
		struct value operand = *src;
		return alu_on_pointers(v, op, alu, dst, &operand);
	}
	struct value operand = *src;
	alu_on_numbers(v, alu, dst, &operand);
	return 0;
}
