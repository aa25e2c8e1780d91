/* SPDX-License-Identifier: Apache-2.0 */
#ifdef __aarch64__
#include "vm/jit_arm64_int.h"

/* ---- operands ---- */
unsigned vm_arm64_read(struct arm64 *j, unsigned bpf, unsigned scratch)
{
	if (bpf != BPF_FRAME)
		return arm64_register(bpf);
	a64_add_imm(&j->code, true, scratch, arm64_frame_base(j), PICKET_STACK_BYTES);
	return scratch;
}

static uint64_t random_key(struct arm64 *j)
{
	j->random ^= j->random << 13;
	j->random ^= j->random >> 7;
	j->random ^= j->random << 17;
	return j->random;
}

void vm_arm64_constant(struct arm64 *j, bool wide, unsigned rd, uint64_t value)
{
	uint64_t key;

	if (!j->blind) {
		a64_move_imm(&j->code, wide, rd, value);
		return;
	}
	key = random_key(j);
	a64_move_imm(&j->code, wide, rd, value ^ key);
	a64_move_imm(&j->code, wide, REG_KEY, key);
	a64_logic(&j->code, A64_XOR, wide, rd, rd, REG_KEY);
}

/* 64 bits wide? By the class in the opcode byte. */
static bool op_wide(const struct vm_op *op)
{
	return (vm_insns[op->op].code & 7) == 7;
}

static bool op_has_imm(const struct vm_op *op)
{
	return vm_insns[op->op].format == VM_FORMAT_DST_IMM;
}

/* May the op's constant become part of an instruction? */
static bool op_imm_fits(const struct arm64 *j)
{
	return op_has_imm(j->op) && !j->blind;
}

static unsigned source(struct arm64 *j, unsigned scratch)
{
	return j->op->src == j->op->dst ? j->first : vm_arm64_read(j, j->op->src, scratch);
}

/* The second operand's register: src, or a scratch register with the constant. */
static unsigned operand(struct arm64 *j)
{
	if (!op_has_imm(j->op))
		return source(j, REG_B);
	vm_arm64_constant(j, op_wide(j->op), REG_B, (uint64_t)j->op->imm);
	return REG_B;
}

/* The exponent, if the constant is a power of two; -1 otherwise. */
static int power_of_two(const struct arm64 *j)
{
	uint64_t value = op_wide(j->op) ? (uint64_t)j->op->imm : (uint32_t)j->op->imm;

	if (!op_imm_fits(j) || __builtin_popcountll(value) != 1)
		return -1;
	return __builtin_ctzll(value);
}

/* ---- arithmetic ---- */
void vm_arm64_add(struct arm64 *j, bool subtract)
{
	bool wide = op_wide(j->op);
	unsigned dst = arm64_register(j->op->dst);

	if (op_imm_fits(j) && a64_add_imm(&j->code, wide, dst, j->first, subtract ? -j->op->imm : j->op->imm))
		return;
	a64_arith(&j->code, subtract ? A64_SUB : A64_ADD, wide, dst, j->first, operand(j));
}

void vm_arm64_logic(struct arm64 *j, enum a64_logic logic)
{
	bool wide = op_wide(j->op);
	unsigned dst = arm64_register(j->op->dst);
	uint32_t field;

	if (op_imm_fits(j) && a64_bitmask((uint64_t)j->op->imm, wide, &field))
		a64_logic_imm(&j->code, logic, wide, dst, j->first, field);
	else
		a64_logic(&j->code, logic, wide, dst, j->first, operand(j));
}

void vm_arm64_multiply(struct arm64 *j)
{
	bool wide = op_wide(j->op);
	unsigned dst = arm64_register(j->op->dst);
	int exponent = power_of_two(j);

	if (exponent >= 0)
		a64_shift_imm(&j->code, A64_LSL, wide, dst, j->first, (unsigned)exponent);
	else
		a64_multiply_add(&j->code, wide, dst, j->first, operand(j), A64_ZERO);
}

/* The machine's division by 0 gives 0, and INT_MIN / -1 gives INT_MIN: as BPF has it. */
void vm_arm64_divide(struct arm64 *j, bool is_signed)
{
	bool wide = op_wide(j->op);
	unsigned dst = arm64_register(j->op->dst);
	int exponent = is_signed ? -1 : power_of_two(j);

	if (exponent >= 0)
		a64_shift_imm(&j->code, A64_LSR, wide, dst, j->first, (unsigned)exponent);
	else
		a64_two(&j->code, is_signed ? A64_SDIV : A64_UDIV, wide, dst, j->first, operand(j));
}

/* By 0: the quotient is 0, so the dividend stays; INT_MIN by -1: the quotient times -1 is INT_MIN again, so it is 0. */
void vm_arm64_modulo(struct arm64 *j, bool is_signed)
{
	bool wide = op_wide(j->op);
	unsigned dst = arm64_register(j->op->dst), divisor;
	int exponent = is_signed ? -1 : power_of_two(j);

	if (exponent == 0) {
		a64_move_imm(&j->code, wide, dst, 0);
		return;
	}
	if (exponent > 0) {
		a64_bitfield(&j->code, false, wide, dst, j->first, 0, (unsigned)exponent - 1);
		return;
	}
	divisor = operand(j);
	a64_two(&j->code, is_signed ? A64_SDIV : A64_UDIV, wide, REG_A, j->first, divisor);
	a64_multiply_sub(&j->code, wide, dst, REG_A, divisor, j->first);
}

/* The machine takes a shift's amount modulo the width, too. */
void vm_arm64_shift(struct arm64 *j, enum a64_two shift)
{
	bool wide = op_wide(j->op);
	unsigned dst = arm64_register(j->op->dst);

	if (op_imm_fits(j))
		a64_shift_imm(&j->code, shift, wide, dst, j->first, (unsigned)j->op->imm & (wide ? 63 : 31));
	else
		a64_two(&j->code, shift, wide, dst, j->first, operand(j));
}

void vm_arm64_negate(struct arm64 *j)
{
	a64_arith(&j->code, A64_SUB, op_wide(j->op), arm64_register(j->op->dst), A64_ZERO, j->first);
}

/* ---- moves ---- */
void vm_arm64_move(struct arm64 *j)
{
	bool wide = op_wide(j->op);
	unsigned dst = arm64_register(j->op->dst), src;

	if (op_has_imm(j->op)) {
		vm_arm64_constant(j, wide, dst, (uint64_t)j->op->imm);
		return;
	}
	src = source(j, dst);
	if (!wide || src != dst)
		a64_move(&j->code, wide, dst, src);
}

void vm_arm64_extend(struct arm64 *j, bool is_signed, bool wide, unsigned bits)
{
	unsigned src = is_signed ? source(j, REG_B) : j->first;

	a64_bitfield(&j->code, is_signed, wide, arm64_register(j->op->dst), src, 0, bits - 1);
}

void vm_arm64_swap(struct arm64 *j, unsigned bits)
{
	unsigned dst = arm64_register(j->op->dst);

	a64_reverse(&j->code, bits == 64, dst, j->first, bits == 16 ? 1 : bits == 32 ? 2 : 3);
	if (bits == 16)
		a64_bitfield(&j->code, false, false, dst, dst, 0, 15);
}

void vm_arm64_wide_constant(struct arm64 *j)
{
	unsigned dst = arm64_register(j->op->dst);

	if (j->op->op == VM_LDDW)
		vm_arm64_constant(j, true, dst, (uint64_t)j->op->imm);
	else if (j->op->op == VM_LDDW_FUNCTION)
		a64_move_imm(&j->code, true, dst, vm_function_value(j->op->target));
	else
		a64_move_imm(&j->code, true, dst, (uint64_t)j->op->imm);
}

void vm_arm64_lea(struct arm64 *j)
{
	const struct vm_op *op = j->op;
	unsigned dst = arm64_register(op->dst), base, index;

	if (op->op == VM_LEA_REG) {
		base = vm_arm64_read(j, op->src, REG_A);
		index = vm_arm64_read(j, op->index, REG_B);
		a64_arith(&j->code, A64_ADD, true, dst, base, index);
		return;
	}
	if (!j->blind && op->src == BPF_FRAME &&
	    a64_add_imm(&j->code, true, dst, arm64_frame_base(j), op->imm + PICKET_STACK_BYTES))
		return;
	base = vm_arm64_read(j, op->src, REG_A);
	if (!j->blind && a64_add_imm(&j->code, true, dst, base, op->imm))
		return;
	vm_arm64_constant(j, true, REG_B, (uint64_t)op->imm);
	a64_arith(&j->code, A64_ADD, true, dst, base, REG_B);
}
#endif
