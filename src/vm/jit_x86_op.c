/* SPDX-License-Identifier: Apache-2.0
 *
 * One op after the other, as machine code.
 */
#if defined(__x86_64__)
#include "vm/jit_x86_int.h"

/* ---- constants ---- */
static uint64_t next_key(struct jit *j)
{
	j->blind ^= j->blind << 13;
	j->blind ^= j->blind >> 7;
	j->blind ^= j->blind << 17;
	return j->blind;
}

void jit_constant(struct jit *j, unsigned to, uint64_t value)
{
	struct x86 *x = &j->x;
	uint64_t key;

	if (!j->blind) {
		x86_constant(x, to, value, true);
		return;
	}
	key = next_key(j);
	if (value == (uint64_t)(int64_t)(int32_t)value) {
		int32_t short_key = (int32_t)key;
		x86_constant(x, to, value ^ (uint64_t)(int64_t)short_key, true);
		x86_ri(x, X86_XOR, true, to, short_key);
	} else {
		x86_constant(x, to, value ^ key, true);
		x86_constant(x, R10, key, true);
		x86_rr(x, x86_group1_opcode(X86_XOR) | OP_W, to, R10);
	}
}

/* ---- conditional jumps ---- */
enum x86_condition jit_jump_condition(const struct vm_op *op)
{
	switch ((int)op->op) {
#define JUMP(id, condition) \
	case VM_##id##64_IMM: \
	case VM_##id##64_REG: \
	case VM_##id##32_IMM: \
	case VM_##id##32_REG: \
		return condition;
		JUMP(JEQ, CC_EQUAL)
		JUMP(JNE, CC_NOT_EQUAL)
		JUMP(JGT, CC_ABOVE)
		JUMP(JGE, CC_ABOVE_EQUAL)
		JUMP(JLT, CC_BELOW)
		JUMP(JLE, CC_BELOW_EQUAL)
		JUMP(JSGT, CC_GREATER)
		JUMP(JSGE, CC_GREATER_EQUAL)
		JUMP(JSLT, CC_LESS)
		JUMP(JSLE, CC_LESS_EQUAL)
		JUMP(JSET, CC_NOT_EQUAL) /* after test */
#undef JUMP
	}
	return CC_EQUAL;
}

bool jit_jump_tests_bits(const struct vm_op *op)
{
	return (vm_insns[op->op].code & 0xf0) == 0x40;
}

void jit_test_immediate(struct jit *j, bool wide, unsigned reg, int32_t imm)
{
	if (imm >= 0 && imm <= INT8_MAX) {
		x86_rr(&j->x, 0xf6 | OP_BYTE, 0, reg);
		x86_u8(&j->x, (uint8_t)imm);
		return;
	}
	/* a bit that is sign-extended needs all 64; others do not */
	x86_rr(&j->x, 0xf7 | x86_width(wide && imm < 0), 0, reg);
	x86_u32(&j->x, (uint32_t)imm);
}

enum x86_condition jit_compare(struct jit *j, const struct vm_op *op)
{
	struct x86 *x = &j->x;
	bool wide = (vm_insns[op->op].code & 7) == 5, bits = jit_jump_tests_bits(op);
	unsigned left = jit_reg(op->dst), right = jit_reg(op->src);
	enum x86_condition cc = jit_jump_condition(op);
	int32_t imm = (int32_t)op->imm;

	if (vm_insns[op->op].format == VM_FORMAT_JUMP_IMM) {
		if (!imm && (cc == CC_EQUAL || cc == CC_NOT_EQUAL || cc >= CC_LESS) && !bits) {
			x86_rr(x, 0x85 | x86_width(wide), left, left);
			return cc;
		}
		if (!j->blind && !bits) {
			x86_ri(x, X86_CMP, wide, left, imm);
			return cc;
		}
		if (!j->blind) {
			jit_test_immediate(j, wide, left, imm);
			return cc;
		}
		jit_constant(j, R10, (uint64_t)(int64_t)imm);
		right = R10;
	}
	if (bits)
		x86_rr(x, 0x85 | x86_width(wide), right, left);
	else
		x86_rr(x, x86_group1_opcode(X86_CMP) | x86_width(wide), left, right);
	return cc;
}

static void take_from_budget(struct jit *j, uint32_t slots)
{
	x86_ri(&j->x, X86_SUB, true, REG_BUDGET, (int32_t)slots);
}

static void jump(struct jit *j, size_t i)
{
	const struct vm_op *op = &j->ops->ops[i];

	if (j->checked && op->flags & VM_OP_BACKWARD) {
		take_from_budget(j, vm_jump_slots(j->ops, op));
		x86_jump_if(&j->x, CC_SIGN, jit_stub(j, STUB_BUDGET, i)->label);
	}
	if (op->target != i + 1)
		x86_jump(&j->x, jit_label(j, op->target));
}

/* The budget is taken before it is known whether the jump is, and given back if not: that is less for loops, which jump nearly
 * always, than to take it on the way. */
static void jump_if(struct jit *j, size_t i)
{
	const struct vm_op *op = &j->ops->ops[i];
	struct x86 *x = &j->x;
	uint32_t slots;
	struct jit_stub *s;

	if (!j->checked || !(op->flags & VM_OP_BACKWARD)) {
		x86_jump_if(x, jit_compare(j, op), jit_label(j, op->target));
		return;
	}
	slots = vm_jump_slots(j->ops, op);
	take_from_budget(j, slots);
	s = jit_stub(j, STUB_BUDGET_UNLESS, i);
	x86_jump_if(x, CC_SIGN, s->label);
	x86_jump_if(x, jit_compare(j, op), jit_label(j, op->target));
	x86_place(x, s->back);
	x86_ri(x, X86_ADD, true, REG_BUDGET, (int32_t)slots);
}

/* ---- one op ---- */
#define ALU(id) \
	case VM_##id##64_IMM: \
	case VM_##id##64_REG: \
	case VM_##id##32_IMM: \
	case VM_##id##32_REG
#define BOTH(id) \
	case VM_##id##32: \
	case VM_##id##64
#define WIDTHS(id) \
	case VM_##id##B: \
	case VM_##id##H: \
	case VM_##id##W: \
	case VM_##id##DW

static void divide(struct jit *j, size_t i)
{
	const struct vm_op *op = &j->ops->ops[i];
	const struct vm_insn_info *info = &vm_insns[op->op];
	struct jit_division d = {
	        .to = op->dst,
	        .dividend = op->dst,
	        .divisor = op->src,
	        .wide = (info->code & 7) == 7,
	        .sign = info->value == 1,
	        .modulo = (info->code & 0xf0) == 0x90,
	        .by_constant = info->format == VM_FORMAT_DST_IMM,
	        .imm = (int32_t)op->imm,
	};

	jit_divide(j, i, &d);
}

static void extend(struct jit *j, const struct vm_op *op, unsigned opcode)
{
	x86_rr(&j->x, opcode, jit_reg(op->dst), jit_reg(op->src));
}

static void lea(struct jit *j, const struct vm_op *op)
{
	struct x86_memory m = {(uint8_t)jit_reg(op->src), NO_REGISTER, 0};

	if (op->op == VM_LEA_REG) {
		m.index = (uint8_t)jit_reg(op->index);
	} else if (j->blind) {
		jit_constant(j, R10, (uint64_t)op->imm);
		m.index = R10;
	} else {
		m.offset = (int32_t)op->imm;
	}
	x86_lea(&j->x, jit_reg(op->dst), m);
}

/* A missing row is a warning, and so an error: there is no default. */
void jit_emit_op(struct jit *j, size_t i)
{
	const struct vm_op *op = &j->ops->ops[i];
	struct x86 *x = &j->x;
	bool wide = (vm_insns[op->op].code & 7) == 7; /* arithmetic: 64 bits */
	unsigned dst = jit_reg(op->dst);

	switch ((enum vm_opcode)op->op) {
		ALU(ADD) : jit_alu(j, op, X86_ADD, wide);
		return;
		ALU(SUB) : jit_alu(j, op, X86_SUB, wide);
		return;
		ALU(OR) : jit_alu(j, op, X86_OR, wide);
		return;
		ALU(AND) : jit_alu(j, op, X86_AND, wide);
		return;
		ALU(XOR) : jit_alu(j, op, X86_XOR, wide);
		return;
		ALU(MUL) : jit_multiply(j, op, wide);
		return;
		ALU(DIV) : ALU(SDIV) : ALU(MOD) : ALU(SMOD) : divide(j, i);
		return;
		ALU(LSH) : jit_shift(j, op, X86_SHLX, wide);
		return;
		ALU(RSH) : jit_shift(j, op, X86_SHRX, wide);
		return;
		ALU(ARSH) : jit_shift(j, op, X86_SARX, wide);
		return;
		ALU(MOV) : jit_mov(j, op, wide);
		return;
		BOTH(NEG) : x86_rr(x, 0xf7 | x86_width(op->op == VM_NEG64), 3, dst);
		return;
	case VM_MOVSX8_64:
		extend(j, op, 0xbe | OP_0F | OP_W | OP_BYTE);
		return;
	case VM_MOVSX16_64:
		extend(j, op, 0xbf | OP_0F | OP_W);
		return;
	case VM_MOVSX32_64:
		extend(j, op, 0x63 | OP_W);
		return;
	case VM_MOVSX8_32:
		extend(j, op, 0xbe | OP_0F | OP_BYTE);
		return;
	case VM_MOVSX16_32:
		extend(j, op, 0xbf | OP_0F);
		return;
	case VM_LE16:
		x86_rr(x, 0xb7 | OP_0F, dst, dst);
		return;
	case VM_LE32:
		x86_mov(x, false, dst, dst);
		return;
	case VM_LE64:
		return;
	case VM_BE16:
	case VM_BSWAP16:
		jit_swap(j, dst, 16);
		return;
	case VM_BE32:
	case VM_BSWAP32:
		jit_swap(j, dst, 32);
		return;
	case VM_BE64:
	case VM_BSWAP64:
		jit_swap(j, dst, 64);
		return;
	case VM_LEA_IMM:
	case VM_LEA_REG:
		lea(j, op);
		return;
	case VM_LDDW:
	case VM_LDDW_MAP:
	case VM_LDDW_MAP_VALUE:
		jit_constant(j, dst, (uint64_t)op->imm);
		return;
	case VM_LDDW_FUNCTION:
		jit_constant(j, dst, vm_function_value(op->target));
		return;

	case VM_LDXB:
	case VM_LDXB_INDEXED:
	case VM_LOAD_ACQUIRE8:
		jit_load(j, i, 1, false);
		return;
	case VM_LDXH:
	case VM_LDXH_INDEXED:
	case VM_LOAD_ACQUIRE16:
		jit_load(j, i, 2, false);
		return;
	case VM_LDXW:
	case VM_LDXW_INDEXED:
	case VM_LOAD_ACQUIRE32:
		jit_load(j, i, 4, false);
		return;
	case VM_LDXDW:
	case VM_LDXDW_INDEXED:
	case VM_LOAD_ACQUIRE64:
		jit_load(j, i, 8, false);
		return;
	case VM_LDXSB:
		jit_load(j, i, 1, true);
		return;
	case VM_LDXSH:
		jit_load(j, i, 2, true);
		return;
	case VM_LDXSW:
		jit_load(j, i, 4, true);
		return;
	case VM_STB:
		jit_store(j, i, 1, true);
		return;
	case VM_STH:
		jit_store(j, i, 2, true);
		return;
	case VM_STW:
		jit_store(j, i, 4, true);
		return;
	case VM_STDW:
		jit_store(j, i, 8, true);
		return;
	case VM_STXB:
	case VM_STORE_RELEASE8:
		jit_store(j, i, 1, false);
		return;
	case VM_STXH:
	case VM_STORE_RELEASE16:
		jit_store(j, i, 2, false);
		return;
	case VM_STXW:
	case VM_STORE_RELEASE32:
		jit_store(j, i, 4, false);
		return;
	case VM_STXDW:
	case VM_STORE_RELEASE64:
		jit_store(j, i, 8, false);
		return;
		BOTH(ATOMIC_ADD)
		    : BOTH(ATOMIC_OR)
		    : BOTH(ATOMIC_AND)
		    : BOTH(ATOMIC_XOR)
		    : BOTH(FETCH_ADD)
		    : BOTH(FETCH_OR)
		    : BOTH(FETCH_AND)
		    : BOTH(FETCH_XOR) : BOTH(XCHG) : BOTH(CMPXCHG) : jit_atomic(j, i, vm_insns[op->op].code == 0xdb);
		return;
	case VM_LDABSB:
	case VM_LDINDB:
		jit_packet(j, i, 1);
		return;
	case VM_LDABSH:
	case VM_LDINDH:
		jit_packet(j, i, 2);
		return;
	case VM_LDABSW:
	case VM_LDINDW:
		jit_packet(j, i, 4);
		return;

	case VM_JA:
	case VM_JA32:
		jump(j, i);
		return;
		ALU(JEQ)
		    : ALU(JNE)
		    : ALU(JSET)
		    : ALU(JGT)
		    : ALU(JGE) : ALU(JLT) : ALU(JLE) : ALU(JSGT) : ALU(JSGE) : ALU(JSLT) : ALU(JSLE) : jump_if(j, i);
		return;
	case VM_CALL_HELPER:
		jit_call_helper(j, i);
		return;
	case VM_CALL_LOCAL:
		jit_call_local(j, i);
		return;
	case VM_CALL_REG:
		jit_call_register(j, i);
		return;
	case VM_EXIT:
		jit_leave_frame(j);
		x86_ret(x);
		return;
	case VM_OPCODES:
		return;
	}
}
#endif
