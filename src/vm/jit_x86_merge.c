/* SPDX-License-Identifier: Apache-2.0
 *
 * Several ops by one instruction, and ops that need none. All of it rests on jit_live(): a value that nobody looks at need
 * not be made. Ops are merged only within a basic block.
 */
#if defined(__x86_64__)
#include "vm/jit_x86_int.h"

static bool is_leader(const struct vm_op *op)
{
	return op->flags & VM_OP_LEADER;
}

static enum vm_format format_of(const struct vm_op *op)
{
	return vm_insns[op->op].format;
}

/* The op behind another in its block, or NULL. */
static const struct vm_op *op_behind(const struct jit *j, size_t i)
{
	return i + 1 < j->function->end && !is_leader(&j->ops->ops[i + 1]) ? &j->ops->ops[i + 1] : NULL;
}

/* ---- ops whose result is not needed ---- */
static bool is_pure(const struct jit *j, size_t i)
{
	switch (format_of(&j->ops->ops[i])) {
	case VM_FORMAT_DST:
	case VM_FORMAT_DST_IMM:
	case VM_FORMAT_DST_SRC:
	case VM_FORMAT_WIDE:
	case VM_FORMAT_WIDE_MAP:
	case VM_FORMAT_WIDE_FUNCTION:
	case VM_FORMAT_LEA_IMM:
	case VM_FORMAT_LEA_REG:
	case VM_FORMAT_LOAD:
	case VM_FORMAT_LOAD_INDEXED:
		return !jit_may_fault(j, i);
	default:
		return false;
	}
}

/* ---- registers that are only addresses ---- */
#define FOLD_REACH 12 /* ops that are looked at, at most */
#define FOLD_OFFSET_MAX (1 << 30)

static bool fold_begin(const struct jit *j, const struct vm_op *op, struct jit_fold *ret)
{
	*ret = (struct jit_fold){.active = true, .base = op->src, .index = NO_REGISTER};
	switch ((enum vm_opcode)op->op) {
	case VM_MOV64_REG:
		return true;
	case VM_LEA_IMM:
		ret->offset = (int32_t)op->imm;
		return !j->blind && op->imm > -FOLD_OFFSET_MAX && op->imm < FOLD_OFFSET_MAX;
	case VM_LEA_REG:
		ret->index = op->index;
		return true;
	case VM_ADD64_REG:
		ret->base = op->dst;
		ret->index = op->src;
		return true;
	default:
		return false;
	}
}

/* op changes what fold is made of; can fold follow? */
static bool fold_follow(const struct jit *j, struct jit_fold *fold, const struct vm_op *op)
{
	uint16_t writes = vm_op_writes(op);
	bool base = writes >> fold->base & 1, index = fold->index != NO_REGISTER && writes >> fold->index & 1;
	int64_t offset = fold->offset;

	if (!base && !index)
		return true;
	if (op->op != VM_ADD64_IMM || j->blind)
		return false;
	offset -= (base + index) * op->imm;
	if (offset <= -FOLD_OFFSET_MAX || offset >= FOLD_OFFSET_MAX)
		return false;
	fold->offset = (int32_t)offset;
	return true;
}

static bool is_memory_base(const struct vm_op *op, unsigned reg)
{
	switch (format_of(op)) {
	case VM_FORMAT_LOAD:
		return op->src == reg;
	case VM_FORMAT_STORE_IMM:
		return op->dst == reg;
	case VM_FORMAT_STORE_REG:
		return op->dst == reg && op->src != reg;
	default:
		return false;
	}
}

static uint16_t live_before(const struct jit *j, size_t i)
{
	const struct vm_op *op = &j->ops->ops[i];

	return j->flow ? j->flow[i].before : vm_op_reads(op) | (j->ops->live[i] & (uint16_t)~vm_op_writes(op));
}

static bool is_conditional_jump(const struct vm_op *op)
{
	return format_of(op) == VM_FORMAT_JUMP_IMM || format_of(op) == VM_FORMAT_JUMP_REG;
}

static bool is_call(const struct vm_op *op)
{
	switch (format_of(op)) {
	case VM_FORMAT_CALL_ID:
	case VM_FORMAT_CALL_FUNCTION:
	case VM_FORMAT_CALL_DST:
		return true;
	default:
		return false;
	}
}

/* Until its register is written or forgotten, is it used for addresses only, and do these stay what they are? Where a fault
 * shows it, the fault's stub makes it. */
static bool fold_holds(const struct jit *j, size_t i, struct jit_fold fold)
{
	unsigned reg = j->ops->ops[i].dst;
	bool of_itself = fold.base == reg || fold.index == reg; /* a stub that goes on could not make it */

	for (size_t k = i + 1; k < j->function->end && k <= i + FOLD_REACH; k++) {
		const struct vm_op *op = &j->ops->ops[k];
		if (is_leader(op) || is_call(op) || (of_itself && jit_may_fault(j, k)))
			return false;
		if (vm_op_reads(op) >> reg & 1 && !is_memory_base(op, reg))
			return false;
		if (vm_op_writes(op) >> reg & 1 || !jit_is_live(j, k, reg))
			return true;
		if (!fold_follow(j, &fold, op) || format_of(op) == VM_FORMAT_JUMP ||
		    format_of(op) == VM_FORMAT_JUMP_LONG)
			return false;
		if (is_conditional_jump(op) && live_before(j, op->target) >> reg & 1)
			return false;
	}
	return false;
}

static bool fold(struct jit *j, size_t i)
{
	const struct vm_op *op = &j->ops->ops[i];
	struct jit_fold f;

	if (!fold_begin(j, op, &f) || !fold_holds(j, i, f))
		return false;
	f.op = (uint32_t)i;
	j->folds[op->dst] = f;
	j->any_fold = true;
	return true;
}

/* For a stub: remembers what stands for what. */
void jit_keep_folds(struct jit *j, struct jit_stub *s)
{
	s->folds = (uint32_t)j->kept_count;
	for (unsigned reg = 0; j->any_fold && reg < ARRAY_SIZE(j->folds); reg++) {
		if (!j->folds[reg].active)
			continue;
		if (j->kept_count == j->kept_capacity && !jit_grow(j, &j->kept, &j->kept_capacity, sizeof(*j->kept)))
			j->kept_count = s->folds = 0;
		j->kept[j->kept_count++] = (struct jit_kept_fold){(uint8_t)reg, j->folds[reg]};
		s->fold_count++;
	}
}

/* In a stub: makes them. */
void jit_unfold(struct jit *j, const struct jit_stub *s)
{
	for (unsigned i = 0; i < s->fold_count; i++) {
		const struct jit_kept_fold *k = &j->kept[s->folds + i];
		unsigned index = k->fold.index == NO_REGISTER ? NO_REGISTER : jit_reg(k->fold.index);
		x86_lea(&j->x, jit_reg(k->reg),
		        (struct x86_memory){(uint8_t)jit_reg(k->fold.base), (uint8_t)index, k->fold.offset});
	}
}

/* Brings folds behind op i. */
void jit_follow_folds(struct jit *j, size_t i)
{
	const struct vm_op *op = &j->ops->ops[i];
	bool any = false;

	for (unsigned reg = 0; reg < ARRAY_SIZE(j->folds); reg++) {
		struct jit_fold *f = &j->folds[reg];
		if (!f->active)
			continue;
		if (f->op != i)
			f->active = !(vm_op_writes(op) >> reg & 1) && jit_is_live(j, i, reg) && fold_follow(j, f, op);
		any |= f->active;
	}
	j->any_fold = any;
}

/* ---- loads ---- */
/* Bytes that are loaded and extended with 0; 0: no such load. */
static unsigned plain_load_bytes(const struct vm_op *op)
{
	switch ((enum vm_opcode)op->op) {
	case VM_LDXB:
	case VM_LDXB_INDEXED:
		return 1;
	case VM_LDXH:
	case VM_LDXH_INDEXED:
		return 2;
	case VM_LDXW:
	case VM_LDXW_INDEXED:
		return 4;
	case VM_LDXDW:
	case VM_LDXDW_INDEXED:
		return 8;
	default:
		return 0;
	}
}

static bool jump_is_wide(const struct vm_op *op)
{
	return (vm_insns[op->op].code & 7) == 5;
}

static bool jump_charges(const struct jit *j, const struct vm_op *op)
{
	return j->checked && op->flags & VM_OP_BACKWARD;
}

/* Where neither side is negative, signed and unsigned order are the same; in fewer bytes only the latter is. */
static enum x86_condition unsigned_condition(enum x86_condition cc)
{
	switch (cc) {
	case CC_LESS:
		return CC_BELOW;
	case CC_LESS_EQUAL:
		return CC_BELOW_EQUAL;
	case CC_GREATER:
		return CC_ABOVE;
	case CC_GREATER_EQUAL:
		return CC_ABOVE_EQUAL;
	default:
		return cc;
	}
}

/* A register that was loaded by the op before is that much, and no more. */
static bool is_loaded_before(const struct jit *j, size_t i, unsigned reg, unsigned bytes)
{
	const struct vm_op *op = &j->ops->ops[i];

	return i > j->function->first && !is_leader(op) && plain_load_bytes(op - 1) == bytes && op[-1].dst == reg;
}

/* ldx r, [m]; if r ? s goto: processors take cmp with memory and the jump as one. With an immediate they do not, and so it is
 * no better than two instructions there. */
static bool load_and_compare_register(struct jit *j, size_t i, const struct vm_op *jump)
{
	const struct vm_op *op = &j->ops->ops[i];
	unsigned bytes = plain_load_bytes(op), other = jump->dst == op->dst ? jump->src : jump->dst;
	bool left = jump->dst == op->dst, bits = jit_jump_tests_bits(jump), wide = jump_is_wide(jump);
	enum x86_condition cc = jit_jump_condition(jump);
	unsigned opcode = bits ? 0x85 : left ? 0x39 : 0x3b; /* [m] - s, s - [m] */

	if (other == op->dst || (!left && jump->src != op->dst))
		return false;
	if (bytes == 1 && !is_loaded_before(j, i, other, 1))
		return false;
	if (bytes == 2 || (bytes == 4 && wide) || (bytes == 8 && !wide))
		return false;
	if (bytes == 1) {
		opcode = (opcode - 1) | OP_BYTE;
		cc = unsigned_condition(cc);
	}
	jit_check_load(j, i);
	x86_rm(&j->x, opcode | x86_width(bytes == 8), jit_reg(other), jit_memory_operand(j, op));
	x86_jump_if(&j->x, cc, jit_label(j, jump->target));
	return true;
}

static int alu_opcode(const struct vm_op *op)
{
	switch ((enum vm_opcode)op->op) {
	case VM_ADD64_REG:
	case VM_ADD32_REG:
		return (int)x86_group1_opcode(X86_ADD);
	case VM_SUB64_REG:
	case VM_SUB32_REG:
		return (int)x86_group1_opcode(X86_SUB);
	case VM_OR64_REG:
	case VM_OR32_REG:
		return (int)x86_group1_opcode(X86_OR);
	case VM_AND64_REG:
	case VM_AND32_REG:
		return (int)x86_group1_opcode(X86_AND);
	case VM_XOR64_REG:
	case VM_XOR32_REG:
		return (int)x86_group1_opcode(X86_XOR);
	case VM_MUL64_REG:
	case VM_MUL32_REG:
		return 0xaf | OP_0F;
	case VM_MOV64_REG:
	case VM_MOV32_REG:
		return 0x8b;
	default:
		return -1;
	}
}

/* ldx r, [m]; d += r */
static bool load_and_compute(struct jit *j, size_t i, const struct vm_op *alu)
{
	const struct vm_op *op = &j->ops->ops[i];
	bool wide = (vm_insns[alu->op].code & 7) == 7;
	int opcode = alu_opcode(alu);

	if (opcode < 0 || alu->src != op->dst || alu->dst == op->dst || plain_load_bytes(op) < (wide ? 8 : 4))
		return false;
	jit_check_load(j, i);
	x86_rm(&j->x, (unsigned)opcode | x86_width(wide), jit_reg(alu->dst), jit_memory_operand(j, op));
	return true;
}

static size_t merge_load(struct jit *j, size_t i)
{
	const struct vm_op *op = &j->ops->ops[i], *next = op_behind(j, i);

	if (!next || !plain_load_bytes(op))
		return 0;
	if (format_of(op) == VM_FORMAT_LOAD_INDEXED && jit_may_fault(j, i)) /* it must be seen to make its sum */
		return 0;
	if (jit_is_needed(j, i + 1, op->dst) || jump_charges(j, next))
		return 0;
	switch (format_of(next)) {
	case VM_FORMAT_JUMP_REG:
		return load_and_compare_register(j, i, next) ? 2 : 0;
	case VM_FORMAT_DST_SRC:
		return load_and_compute(j, i, next) ? 2 : 0;
	default:
		return 0;
	}
}

/* ---- ldx r, [m]; r += s; stx [m], r ---- */
static unsigned plain_store_bytes(const struct vm_op *op)
{
	switch ((enum vm_opcode)op->op) {
	case VM_STXB:
		return 1;
	case VM_STXW:
		return 4;
	case VM_STXDW:
		return 8;
	default:
		return 0;
	}
}

/* The opcode's extension, or -1. */
static int update_operation(const struct vm_op *op)
{
	switch (vm_insns[op->op].code & 0xf0) {
	case 0x00:
		return X86_ADD;
	case 0x10:
		return X86_SUB;
	case 0x40:
		return X86_OR;
	case 0x50:
		return X86_AND;
	case 0xa0:
		return X86_XOR;
	default:
		return -1;
	}
}

static void update_memory(struct jit *j, struct x86_memory m, unsigned bytes, enum x86_group1 operation,
                          const struct vm_op *alu)
{
	struct x86 *x = &j->x;

	if (format_of(alu) == VM_FORMAT_DST_SRC) {
		unsigned opcode = x86_group1_opcode(operation) - 2; /* to memory */
		x86_rm(x, bytes == 1 ? (opcode - 1) | OP_BYTE : opcode | x86_width(bytes == 8), jit_reg(alu->src), m);
	} else if (bytes == 1) {
		x86_rm(x, 0x80, operation, m);
		x86_u8(x, (uint8_t)alu->imm);
	} else {
		x86_mi(x, operation, bytes == 8, m, (int32_t)alu->imm);
	}
}

static size_t merge_update(struct jit *j, size_t i)
{
	const struct vm_op *load = &j->ops->ops[i], *alu = op_behind(j, i), *store = alu ? op_behind(j, i + 1) : NULL;
	unsigned reg = load->dst, bytes = plain_load_bytes(load);
	enum vm_format format = alu ? format_of(alu) : VM_FORMAT_NOTHING;
	int operation;

	if (!store || format_of(load) != VM_FORMAT_LOAD || !bytes || plain_store_bytes(store) != bytes ||
	    store->dst != load->src || store->offset != load->offset || store->src != reg || store->dst == reg ||
	    jit_is_needed(j, i + 2, reg) || jit_may_fault(j, i) || jit_may_fault(j, i + 2))
		return 0;
	if ((format != VM_FORMAT_DST_IMM || j->blind) && format != VM_FORMAT_DST_SRC)
		return 0;
	operation = update_operation(alu);
	if (operation < 0 || alu->dst != reg || (format == VM_FORMAT_DST_SRC && alu->src == reg) ||
	    (bytes == 8 && (vm_insns[alu->op].code & 7) != 7))
		return 0;
	update_memory(j, jit_memory_operand(j, load), bytes, (enum x86_group1)operation, alu);
	return 3;
}

/* ---- arithmetic whose flags tell what the jump behind it asks ---- */
static bool is_test_of_zero(const struct vm_op *op, unsigned reg)
{
	switch ((enum vm_opcode)op->op) {
	case VM_JEQ64_IMM:
	case VM_JEQ32_IMM:
	case VM_JNE64_IMM:
	case VM_JNE32_IMM:
		return op->dst == reg && op->imm == 0;
	default:
		return false;
	}
}

static bool is_and_immediate(const struct vm_op *op, unsigned reg)
{
	return (op->op == VM_AND64_IMM || op->op == VM_AND32_IMM) && op->dst == reg && op->imm >= 0;
}

static bool sets_zero_flag(const struct vm_op *op)
{
	switch ((int)op->op) {
#define ALU(id) \
	case VM_##id##64_IMM: \
	case VM_##id##64_REG: \
	case VM_##id##32_IMM: \
	case VM_##id##32_REG:
		ALU(ADD)
		ALU(SUB)
		ALU(AND)
		ALU(OR)
		ALU(XOR)
#undef ALU
		return true;
	}
	return false;
}

static size_t merge_flags(struct jit *j, size_t i)
{
	const struct vm_op *op = &j->ops->ops[i], *jump = op_behind(j, i);
	bool wide = (vm_insns[op->op].code & 7) == 7;

	if (!jump || !sets_zero_flag(op) || !is_test_of_zero(jump, op->dst) || jump_charges(j, jump) ||
	    (wide && !jump_is_wide(jump)))
		return 0;
	if (is_and_immediate(op, op->dst) && !j->blind && !jit_is_needed(j, i + 1, op->dst))
		jit_test_immediate(j, false, jit_reg(op->dst), (int32_t)op->imm);
	else
		jit_emit_op(j, i);
	x86_jump_if(&j->x, jit_jump_condition(jump), jit_label(j, jump->target));
	return 2;
}

/* ---- q = n; q /= d; q *= d; r = n; r -= q: the rest of a division, as clang takes it ---- */
static bool is_op(const struct vm_op *op, enum vm_opcode code, unsigned dst, unsigned src)
{
	return op && op->op == code && op->dst == dst && op->src == src;
}

static size_t merge_rest(struct jit *j, size_t i)
{
	const struct vm_op *op[5] = {&j->ops->ops[i]};
	unsigned n = op[0]->src, q = op[0]->dst, d, r;
	struct jit_division division;

	if (op[0]->op != VM_MOV64_REG || q == n)
		return 0;
	for (size_t k = 1; k < ARRAY_SIZE(op); k++) {
		op[k] = op_behind(j, i + k - 1);
		if (!op[k])
			return 0;
	}
	d = op[1]->src;
	r = op[3]->dst;
	if (!is_op(op[1], VM_DIV64_REG, q, d) || !is_op(op[2], VM_MUL64_REG, q, d) ||
	    !is_op(op[3], VM_MOV64_REG, r, n) || !is_op(op[4], VM_SUB64_REG, r, q) || q == d || n == d || r == n ||
	    r == q || jit_is_needed(j, i + 4, q))
		return 0;
	division = (struct jit_division){.to = r, .dividend = n, .divisor = d, .wide = true, .modulo = true};
	jit_divide(j, i + 4, &division);
	return 5;
}

size_t jit_merge(struct jit *j, size_t i)
{
	const struct vm_op *op = &j->ops->ops[i];
	size_t merged;

	if (!jit_is_needed(j, i, op->dst) && is_pure(j, i))
		return 1;
	switch (format_of(op)) {
	case VM_FORMAT_LOAD:
	case VM_FORMAT_LOAD_INDEXED:
		merged = merge_update(j, i);
		return merged ? merged : merge_load(j, i);
	case VM_FORMAT_LEA_IMM:
	case VM_FORMAT_LEA_REG:
		return fold(j, i);
	case VM_FORMAT_DST_SRC:
		merged = merge_rest(j, i);
		if (!merged)
			merged = fold(j, i);
		return merged ? merged : merge_flags(j, i);
	case VM_FORMAT_DST_IMM:
		return merge_flags(j, i);
	default:
		return 0;
	}
}
#endif
