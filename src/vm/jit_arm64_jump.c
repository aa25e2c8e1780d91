/* SPDX-License-Identifier: Apache-2.0 */
#ifdef __aarch64__
#include "vm/jit_arm64_int.h"

/* What a conditional branch looks at: the flags, a register that is 0 or not, a bit of it. */
struct test {
	enum { TEST_FLAGS, TEST_ZERO, TEST_BIT } kind;
	enum a64_condition condition; /* TEST_ZERO and TEST_BIT: A64_NE for "is not 0", A64_EQ for "is 0" */
	bool wide;
	unsigned reg, bit;
};

static void emit_test(struct arm64 *j, const struct test *t)
{
	switch (t->kind) {
	case TEST_FLAGS:
		a64_branch_if(&j->code, t->condition);
		break;
	case TEST_ZERO:
		a64_branch_zero(&j->code, t->wide, t->reg, t->condition == A64_NE);
		break;
	case TEST_BIT:
		a64_branch_bit(&j->code, t->reg, t->bit, t->condition == A64_NE);
		break;
	}
}

static struct test opposite(struct test t)
{
	t.condition ^= 1;
	return t;
}

void vm_arm64_land(struct arm64 *j, size_t branch)
{
	a64_patch(&j->code, branch, j->code.count);
}

/* Will a branch from here to the op's target reach? Forwards that is only an estimate, on the safe side. */
static bool target_is_near(const struct arm64 *j, unsigned bits)
{
	uint32_t here = (uint32_t)(j->op - j->ops->ops), target = j->op->target;
	size_t reach = (size_t)1 << (bits - 1), distance;

	if (target <= here)
		distance = j->code.count + ARM64_OP_WORDS - j->places[target].at;
	else
		distance = (size_t)(target - here + 1) * ARM64_OP_WORDS + (size_t)ARM64_STUBS_MAX * ARM64_STUB_WORDS;
	return distance < reach;
}

/* The next word is a branch to the op's target. */
static void note_branch(struct arm64 *j)
{
	j->place->branch = (uint32_t)j->code.count;
}

/* ---- budget ---- */
void vm_arm64_charge(struct arm64 *j, uint32_t slots)
{
	if (slots <= 4095) {
		a64_arith_imm(&j->code, A64_SUB_FLAGS, true, REG_BUDGET, REG_BUDGET, slots, false);
	} else {
		a64_move_imm(&j->code, true, REG_A, slots);
		a64_arith(&j->code, A64_SUB_FLAGS, true, REG_BUDGET, REG_BUDGET, REG_A);
	}
}

static bool is_charged(const struct arm64 *j)
{
	return j->checked && j->op->flags & VM_OP_BACKWARD;
}

/* To the target, if the budget allows it. */
static void jump_charged(struct arm64 *j)
{
	uint32_t note = vm_arm64_note(j, PICKET_FAULT_BUDGET);
	size_t broke;

	vm_arm64_charge(j, vm_jump_slots(j->ops, j->op));
	if (target_is_near(j, 19)) {
		note_branch(j);
		a64_branch_if(&j->code, A64_PL);
		broke = j->code.count;
		a64_branch(&j->code);
	} else {
		broke = j->code.count;
		a64_branch_if(&j->code, A64_MI);
		note_branch(j);
		a64_branch(&j->code);
	}
	vm_arm64_add_stub(j, broke, 0, note, A64_ZERO, 0);
}

/* ---- jumps ---- */
void vm_arm64_jump(struct arm64 *j)
{
	if (is_charged(j)) {
		jump_charged(j);
		return;
	}
	if (j->op->target == (uint32_t)(j->op - j->ops->ops) + 1)
		return;
	note_branch(j);
	a64_branch(&j->code);
}

static void jump_if(struct arm64 *j, struct test t)
{
	bool charged = is_charged(j);
	size_t skip;

	if (!charged && target_is_near(j, t.kind == TEST_BIT ? 14 : 19)) {
		note_branch(j);
		emit_test(j, &t);
		return;
	}
	t = opposite(t);
	skip = j->code.count;
	emit_test(j, &t);
	if (charged) {
		jump_charged(j);
	} else {
		note_branch(j);
		a64_branch(&j->code);
	}
	vm_arm64_land(j, skip);
}

/* By the class in the opcode byte. */
static bool op_wide(const struct vm_op *op)
{
	return (vm_insns[op->op].code & 7) == 5;
}

/* Sets the flags for dst - imm, if the constant fits. */
static bool compare_imm(struct arm64 *j, unsigned dst)
{
	int64_t imm = j->op->imm;
	enum a64_arith op = imm < 0 ? A64_ADD_FLAGS : A64_SUB_FLAGS;
	uint64_t size = imm < 0 ? 0 - (uint64_t)imm : (uint64_t)imm;

	if (j->blind || (size > 4095 && (size & 0xfff || size >> 24)))
		return false;
	if (size <= 4095)
		a64_arith_imm(&j->code, op, op_wide(j->op), A64_ZERO, dst, (unsigned)size, false);
	else
		a64_arith_imm(&j->code, op, op_wide(j->op), A64_ZERO, dst, (unsigned)(size >> 12), true);
	return true;
}

static unsigned second_operand(struct arm64 *j)
{
	if (vm_insns[j->op->op].format == VM_FORMAT_JUMP_REG)
		return vm_arm64_read(j, j->op->src, REG_B);
	vm_arm64_constant(j, op_wide(j->op), REG_B, (uint64_t)j->op->imm);
	return REG_B;
}

/* Comparisons with 0 that a branch does by itself. */
static bool jump_if_zero(struct arm64 *j, unsigned dst, enum a64_condition condition)
{
	struct test t = {.reg = dst, .wide = op_wide(j->op)};

	if (condition == A64_EQ || condition == A64_NE || condition == A64_HI || condition == A64_LS) {
		t.kind = TEST_ZERO;
		t.condition = condition == A64_EQ || condition == A64_LS ? A64_EQ : A64_NE;
	} else if (condition == A64_LT || condition == A64_GE) {
		t.kind = TEST_BIT;
		t.bit = t.wide ? 63 : 31;
		t.condition = condition == A64_LT ? A64_NE : A64_EQ;
	} else {
		return false;
	}
	jump_if(j, t);
	return true;
}

void vm_arm64_jump_if(struct arm64 *j, enum a64_condition condition)
{
	bool imm = vm_insns[j->op->op].format == VM_FORMAT_JUMP_IMM;
	unsigned dst = vm_arm64_read(j, j->op->dst, REG_A);

	if (imm && j->op->imm == 0 && jump_if_zero(j, dst, condition))
		return;
	if (!imm || !compare_imm(j, dst))
		a64_arith(&j->code, A64_SUB_FLAGS, op_wide(j->op), A64_ZERO, dst, second_operand(j));
	jump_if(j, (struct test){.kind = TEST_FLAGS, .condition = condition});
}

void vm_arm64_jump_if_set(struct arm64 *j)
{
	bool wide = op_wide(j->op), imm = vm_insns[j->op->op].format == VM_FORMAT_JUMP_IMM && !j->blind;
	uint64_t mask = wide ? (uint64_t)j->op->imm : (uint32_t)j->op->imm;
	unsigned dst = vm_arm64_read(j, j->op->dst, REG_A);
	uint32_t field;

	if (imm && __builtin_popcountll(mask) == 1) {
		jump_if(j, (struct test){.kind = TEST_BIT,
		                         .condition = A64_NE,
		                         .reg = dst,
		                         .bit = (unsigned)__builtin_ctzll(mask)});
		return;
	}
	if (imm && a64_bitmask(mask, wide, &field))
		a64_logic_imm(&j->code, A64_AND_FLAGS, wide, A64_ZERO, dst, field);
	else
		a64_logic(&j->code, A64_AND_FLAGS, wide, A64_ZERO, dst, second_operand(j));
	jump_if(j, (struct test){.kind = TEST_FLAGS, .condition = A64_NE});
}

/* Leaving takes a branch to where the function has left before, unless that is no longer than the branch pays for. */
void vm_arm64_exit(struct arm64 *j)
{
	size_t here = j->code.count;

	if (j->exit && j->exit_words > 3) {
		a64_branch(&j->code);
		a64_patch(&j->code, here, j->exit);
		return;
	}
	vm_arm64_epilogue(j);
	a64_return(&j->code);
	j->exit = here;
	j->exit_words = j->code.count - here;
}
#endif
