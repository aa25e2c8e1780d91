/* SPDX-License-Identifier: Apache-2.0 */
#if defined(__x86_64__)
#include "vm/jit_x86_int.h"

static bool has_immediate(const struct vm_op *op)
{
	return vm_insns[op->op].format == VM_FORMAT_DST_IMM;
}

void jit_alu(struct jit *j, const struct vm_op *op, enum x86_group1 operation, bool wide)
{
	struct x86 *x = &j->x;
	unsigned dst = jit_reg(op->dst), src = jit_reg(op->src);

	if (has_immediate(op)) {
		if (!j->blind) {
			x86_ri(x, operation, wide, dst, (int32_t)op->imm);
			return;
		}
		jit_constant(j, R10, (uint64_t)op->imm);
		src = R10;
	}
	x86_rr(x, x86_group1_opcode(operation) | x86_width(wide), dst, src);
}

void jit_mov(struct jit *j, const struct vm_op *op, bool wide)
{
	struct x86 *x = &j->x;
	unsigned dst = jit_reg(op->dst);

	if (!has_immediate(op)) {
		if (!wide || op->dst != op->src)
			x86_mov(x, wide, dst, jit_reg(op->src));
	} else if (j->blind) {
		jit_constant(j, dst, (uint64_t)op->imm);
		if (!wide)
			x86_mov(x, false, dst, dst);
	} else {
		x86_constant(x, dst, wide ? (uint64_t)op->imm : (uint32_t)op->imm, false);
	}
}

void jit_multiply(struct jit *j, const struct vm_op *op, bool wide)
{
	struct x86 *x = &j->x;
	unsigned dst = jit_reg(op->dst), src = jit_reg(op->src);
	int32_t imm = (int32_t)op->imm;

	if (has_immediate(op) && !j->blind) {
		bool small = imm == (int8_t)imm;
		x86_rr(x, (small ? 0x6b : 0x69) | x86_width(wide), dst, dst);
		if (small)
			x86_u8(x, (uint8_t)imm);
		else
			x86_u32(x, (uint32_t)imm);
		return;
	}
	if (has_immediate(op)) {
		jit_constant(j, R10, (uint64_t)op->imm);
		src = R10;
	}
	x86_rr(x, 0xaf | OP_0F | x86_width(wide), dst, src);
}

/* ---- shifts: the processor takes the count's lower 5 or 6 bits, as eBPF does ---- */
static unsigned shift_extension(enum x86_shift shift)
{
	return shift == X86_SHLX ? 4 : shift == X86_SHRX ? 5 : 7;
}

/* Without BMI2 the count is in cl. */
static void shift_by_cl(struct jit *j, enum x86_shift shift, bool wide, unsigned dst, unsigned count)
{
	struct x86 *x = &j->x;
	unsigned value = dst, opcode = 0xd3 | x86_width(wide);

	if (count == RCX) {
		value = dst == RCX ? R10 : dst;
		if (dst == RCX)
			x86_mov(x, true, R10, RCX);
		x86_rr(x, opcode, shift_extension(shift), value);
		if (dst == RCX)
			x86_mov(x, true, RCX, R10);
		return;
	}
	x86_mov(x, true, R10, RCX);
	x86_mov(x, true, RCX, count);
	if (dst == RCX)
		value = R10;
	x86_rr(x, opcode, shift_extension(shift), value);
	x86_mov(x, true, RCX, R10);
}

void jit_shift(struct jit *j, const struct vm_op *op, enum x86_shift shift, bool wide)
{
	struct x86 *x = &j->x;
	unsigned dst = jit_reg(op->dst), count = (unsigned)op->imm & (wide ? 63 : 31);

	if (!has_immediate(op)) {
		if (j->bmi2)
			x86_shift(x, shift, wide, dst, dst, jit_reg(op->src));
		else
			shift_by_cl(j, shift, wide, dst, jit_reg(op->src));
		return;
	}
	if (!count) {
		if (!wide)
			x86_mov(x, false, dst, dst);
		return;
	}
	x86_rr(x, 0xc1 | x86_width(wide), shift_extension(shift), dst);
	x86_u8(x, count);
}

/* Reverses the lower bits, and clears those above. */
void jit_swap(struct jit *j, unsigned reg, unsigned bits)
{
	struct x86 *x = &j->x;

	if (bits == 16) { /* rol reg, 8 */
		x86_rr(x, 0xc1 | OP_16, 0, reg);
		x86_u8(x, 8);
		x86_rr(x, 0xb7 | OP_0F, reg, reg);
		return;
	}
	x86_prefix(x, 0xc8 | (reg & 7) | OP_0F | x86_width(bits == 64), 0, 0, reg, false);
}

/* ---- division. The processor divides rdx:rax, and faults where eBPF has a result ---- */
static bool is_power_of_2(uint64_t n)
{
	return n && !(n & (n - 1));
}

static void divide_by_power_of_2(struct jit *j, const struct jit_division *d, uint64_t divisor)
{
	struct x86 *x = &j->x;
	unsigned to = jit_reg(d->to), dividend = jit_reg(d->dividend), bits = (unsigned)__builtin_ctzll(divisor);
	uint64_t mask = divisor - 1;

	if (d->modulo && mask > INT32_MAX) {
		x86_constant(x, R10, mask, true);
		if (to != dividend)
			x86_mov(x, true, to, dividend);
		x86_rr(x, x86_group1_opcode(X86_AND) | x86_width(d->wide), to, R10);
		return;
	}
	if (to != dividend || (!d->wide && !d->modulo && !bits))
		x86_mov(x, d->wide, to, dividend);
	if (d->modulo) {
		x86_ri(x, X86_AND, d->wide, to, (int32_t)mask);
	} else if (bits) {
		x86_rr(x, 0xc1 | x86_width(d->wide), 5, to);
		x86_u8(x, bits);
	}
}

/* What needs no division. */
static bool divide_by_constant(struct jit *j, const struct jit_division *d)
{
	struct x86 *x = &j->x;
	unsigned to = jit_reg(d->to), dividend = jit_reg(d->dividend);
	uint64_t divisor = d->wide ? (uint64_t)(int64_t)d->imm : (uint32_t)d->imm;

	if (!d->imm) {
		if (!d->modulo)
			x86_zero(x, to);
		else if (to != dividend || !d->wide)
			x86_mov(x, d->wide, to, dividend);
		return true;
	}
	if (d->sign && d->modulo && (d->imm == 1 || d->imm == -1)) {
		x86_zero(x, to);
		return true;
	}
	if (d->sign && (d->imm == 1 || d->imm == -1)) {
		if (to != dividend || !d->wide)
			x86_mov(x, d->wide, to, dividend);
		if (d->imm == -1)
			x86_rr(x, 0xf7 | x86_width(d->wide), 3, to);
		return true;
	}
	if (d->sign || !is_power_of_2(divisor) || j->blind)
		return false;
	divide_by_power_of_2(j, d, divisor);
	return true;
}

static void divide_instruction(struct jit *j, bool wide, bool sign, unsigned divisor)
{
	struct x86 *x = &j->x;

	if (sign) { /* cqo, cdq */
		x86_prefix(x, 0x99 | x86_width(wide), 0, 0, 0, false);
		x86_rr(x, 0xf7 | x86_width(wide), 7, divisor);
	} else {
		x86_zero(x, RDX);
		x86_rr(x, 0xf7 | x86_width(wide), 6, divisor);
	}
}

/* 64 bits that need only 32 are divided as such: it is faster where it is so, and where not the test costs little. */
static void divide_unsigned_wide(struct jit *j, size_t op, unsigned divisor)
{
	struct x86 *x = &j->x;
	struct jit_stub *s;

	x86_mov(x, true, RDX, RAX);
	x86_rr(x, x86_group1_opcode(X86_OR) | OP_W, RDX, divisor);
	x86_rr(x, 0xc1 | OP_W, 5, RDX); /* shr rdx, 32: and so rdx is 0 */
	x86_u8(x, 32);
	s = jit_stub(j, STUB_DIVIDE_WIDE, op);
	s->reg = (uint8_t)divisor;
	x86_jump_if(x, CC_NOT_EQUAL, s->label);
	x86_rr(x, 0xf7, 6, divisor);
	x86_place(x, s->back);
}

static void divide_edge(struct jit *j, size_t op, const struct jit_division *d, enum jit_stub_kind kind, uint32_t back)
{
	struct jit_stub *s = jit_stub(j, kind, op);

	s->reg = (uint8_t)jit_reg(d->to);
	s->dividend = (uint8_t)jit_reg(d->dividend);
	s->modulo = d->modulo;
	s->wide = d->wide;
	s->back = back;
	x86_jump_if(&j->x, CC_EQUAL, s->label);
}

/* rdx is kept below the stack pointer: nothing is pushed before it is back. */
#define RDX_KEPT x86_at(RSP, -8)

void jit_divide(struct jit *j, size_t op, const struct jit_division *d)
{
	struct x86 *x = &j->x;
	unsigned to = jit_reg(d->to), dividend = jit_reg(d->dividend), divisor = jit_reg(d->divisor);
	unsigned result = d->modulo ? RDX : RAX;
	bool keep_rax = to != RAX && jit_is_needed(j, op, 0), keep_rdx = to != RDX && jit_is_needed(j, op, 3);
	uint32_t done = x86_new_label(x);

	if (d->by_constant && divide_by_constant(j, d))
		return;
	if (d->by_constant) {
		jit_constant(j, R10, (uint64_t)(int64_t)d->imm);
		divisor = R10;
	} else {
		if (divisor == RAX || divisor == RDX) {
			x86_mov(x, true, R10, divisor);
			divisor = R10;
		}
		x86_rr(x, 0x85 | x86_width(d->wide), divisor, divisor);
		divide_edge(j, op, d, STUB_DIVIDE_BY_ZERO, done);
		if (d->sign) {
			x86_ri(x, X86_CMP, d->wide, divisor, -1);
			divide_edge(j, op, d, STUB_DIVIDE_BY_MINUS_ONE, done);
		}
	}
	if (keep_rax)
		x86_mov(x, true, R9, RAX);
	if (keep_rdx)
		x86_store(x, RDX_KEPT, RDX);
	if (dividend != RAX)
		x86_mov(x, d->wide, RAX, dividend);
	if (d->wide && !d->sign)
		divide_unsigned_wide(j, op, divisor);
	else
		divide_instruction(j, d->wide, d->sign, divisor);
	if (to != result)
		x86_mov(x, d->wide, to, result);
	if (keep_rax)
		x86_mov(x, true, RAX, R9);
	if (keep_rdx)
		x86_load(x, RDX, RDX_KEPT);
	if (keep_rax && j->checked)
		x86_load(x, REG_LENGTH, RUN_AT(length));
	x86_place(x, done);
}

void jit_divide_stub(struct jit *j, const struct jit_stub *s)
{
	struct x86 *x = &j->x;

	switch (s->kind) {
	case STUB_DIVIDE_WIDE:
		divide_instruction(j, true, false, s->reg);
		break;
	case STUB_DIVIDE_BY_ZERO:
		if (!s->modulo)
			x86_zero(x, s->reg);
		else if (s->reg != s->dividend || !s->wide)
			x86_mov(x, s->wide, s->reg, s->dividend);
		break;
	default: /* by -1 */
		if (s->modulo) {
			x86_zero(x, s->reg);
			break;
		}
		if (s->reg != s->dividend)
			x86_mov(x, true, s->reg, s->dividend);
		x86_rr(x, 0xf7 | x86_width(s->wide), 3, s->reg);
		break;
	}
	x86_jump(x, s->back);
}
#endif
