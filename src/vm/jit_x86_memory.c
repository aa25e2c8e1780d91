/* SPDX-License-Identifier: Apache-2.0 */
#if defined(__x86_64__)
#include "vm/jit_x86_int.h"

static struct x86_memory based_on(const struct jit *j, unsigned reg, int32_t offset)
{
	const struct jit_fold *f = &j->folds[reg];

	if (!f->active)
		return x86_at(jit_reg(reg), offset);
	return (struct x86_memory){
	        (uint8_t)jit_reg(f->base),
	        f->index == NO_REGISTER ? NO_REGISTER : (uint8_t)jit_reg(f->index),
	        offset + f->offset,
	};
}

struct x86_memory jit_memory_operand(const struct jit *j, const struct vm_op *op)
{
	switch ((enum vm_format)vm_insns[op->op].format) {
	case VM_FORMAT_LOAD_INDEXED:
		return (struct x86_memory){(uint8_t)jit_reg(op->src), (uint8_t)jit_reg(op->index), op->offset};
	case VM_FORMAT_LOAD:
		return based_on(j, op->src, op->offset);
	default:
		return based_on(j, op->dst, op->offset);
	}
}

/* ---- checks: of checked code only ---- */
/* What THUNK_MEMORY is told of an access, in one word. */
enum {
	ACCESS_INSN = PICKET_INSNS_MAX - 1,
	ACCESS_BITS = 20,
	ACCESS_SIZE = ACCESS_BITS, /* as a power of 2 */
	ACCESS_WRITE = 1 << (ACCESS_BITS + 2),
	ACCESS_ATOMIC = 1 << (ACCESS_BITS + 3),
	ACCESS_WINDOW = ACCESS_BITS + 4,
};
_Static_assert(PICKET_INSNS_MAX == 1 << ACCESS_BITS, "an instruction's index fits");

static bool is_atomic(const struct vm_op *op)
{
	uint8_t code = vm_insns[op->op].code;

	return code == 0xc3 || code == 0xcb || code == 0xd3 || code == 0xdb;
}

static bool is_indexed(const struct vm_op *op)
{
	return vm_insns[op->op].format == VM_FORMAT_LOAD_INDEXED;
}

static void address(struct jit *j, unsigned to, struct x86_memory m)
{
	if (m.offset || m.index != NO_REGISTER)
		x86_lea(&j->x, to, m);
	else
		x86_mov(&j->x, true, to, m.base);
}

bool jit_memory_is_safe(const struct jit *j, size_t op)
{
	const struct vm_hint *hint = &j->hints.of[op];

	return hint->check == VM_CHECK_NONE ||
	       (hint->check == VM_CHECK_CONTEXT && j->has_context && !is_atomic(&j->ops->ops[op]));
}

void jit_compare_length(struct jit *j, uint32_t need)
{
	if (j->blind) {
		jit_constant(j, R10, need);
		x86_rr(&j->x, x86_group1_opcode(X86_CMP) | OP_W, REG_LENGTH, R10);
	} else {
		x86_ri(&j->x, X86_CMP, true, REG_LENGTH, (int32_t)need);
	}
}

/* r10, an address, against the window where accesses like this one were found before. */
static void compare_with_window(struct jit *j, unsigned window, unsigned bytes, bool write)
{
	size_t span = offsetof(struct picket_run, spans) + (write * VM_WINDOWS + window) * sizeof(struct vm_span);
	size_t count = offsetof(struct vm_span, count) + (size_t)__builtin_ctz(bytes) * sizeof(uint64_t);
	struct x86 *x = &j->x;

	x86_rm(x, x86_group1_opcode(X86_SUB) | OP_W, R10, jit_run_at(span + offsetof(struct vm_span, low)));
	x86_rm(x, x86_group1_opcode(X86_CMP) | OP_W, R10, jit_run_at(span + count));
}

static void check(struct jit *j, size_t op, struct x86_memory m, unsigned bytes, bool write)
{
	bool aligned = bytes > 1 && is_atomic(&j->ops->ops[op]);
	const struct vm_hint *hint;
	struct x86 *x = &j->x;
	struct jit_stub *s;

	if (!j->checked || jit_memory_is_safe(j, op))
		return;
	hint = &j->hints.of[op];
	s = jit_stub(j, is_indexed(&j->ops->ops[op]) ? STUB_MEMORY_INDEXED : STUB_MEMORY, op);
	if (hint->check == VM_CHECK_CONTEXT && !j->has_context) {
		jit_compare_length(j, hint->need);
		x86_jump_if(x, CC_BELOW, s->label);
	}
	if (hint->check == VM_CHECK_MEMORY || aligned)
		address(j, R10, m);
	if (aligned) {
		x86_rr(x, 0xf6 | OP_BYTE, 0, R10);
		x86_u8(x, bytes - 1);
		x86_jump_if(x, CC_NOT_EQUAL, s->label);
	}
	if (hint->check == VM_CHECK_MEMORY) {
		compare_with_window(j, hint->window, bytes, write);
		x86_jump_if(x, CC_ABOVE_EQUAL, s->label);
	}
	x86_place(x, s->back);
}

static unsigned access_bytes(const struct vm_op *op)
{
	uint8_t code = vm_insns[op->op].code;

	switch (op->op) {
	case VM_LDXB_INDEXED:
		return 1;
	case VM_LDXH_INDEXED:
		return 2;
	case VM_LDXW_INDEXED:
		return 4;
	case VM_LDXDW_INDEXED:
		return 8;
	default: /* the opcode's size bits: W, H, B, DW */
		return (code & 0x18) == 0x18 ? 8 : 4u >> (code >> 3 & 3);
	}
}

static bool access_writes(const struct vm_op *op)
{
	switch (op->op) {
	case VM_LOAD_ACQUIRE8:
	case VM_LOAD_ACQUIRE16:
	case VM_LOAD_ACQUIRE32:
	case VM_LOAD_ACQUIRE64:
		return false;
	default:
		return vm_insns[op->op].format == VM_FORMAT_STORE_REG ||
		       vm_insns[op->op].format == VM_FORMAT_STORE_IMM ||
		       vm_insns[op->op].format == VM_FORMAT_ATOMIC_REG;
	}
}

static void load(struct jit *j, unsigned to, struct x86_memory m, unsigned bytes, bool sign)
{
	static const uint16_t opcodes[4][2] = {
	        {0xb6 | OP_0F, 0xbe | OP_0F | OP_W},
	        {0xb7 | OP_0F, 0xbf | OP_0F | OP_W},
	        {0x8b, 0x63 | OP_W},
	        {0x8b | OP_W, 0x8b | OP_W},
	};

	x86_rm(&j->x, opcodes[__builtin_ctz(bytes)][sign], to, m);
}

void jit_memory_stub(struct jit *j, const struct jit_stub *s)
{
	const struct vm_op *op = &j->ops->ops[s->op];
	struct x86_memory m = jit_memory_operand(j, op);
	unsigned bytes = access_bytes(op);
	bool write = access_writes(op);
	struct x86 *x = &j->x;

	jit_unfold(j, s);
	if (s->kind == STUB_MEMORY_INDEXED) { /* if it faults, the sum is to be seen there */
		m.offset = 0;
		x86_lea(x, jit_reg(op->dst), m);
		m = x86_at(jit_reg(op->dst), op->offset);
	}
	address(j, R10, m);
	x86_constant(x, R9,
	             op->insn | (unsigned)__builtin_ctz(bytes) << ACCESS_SIZE | (write ? ACCESS_WRITE : 0) |
	                     (is_atomic(op) ? ACCESS_ATOMIC : 0) | (uint32_t)j->hints.of[s->op].window << ACCESS_WINDOW,
	             true);
	x86_call(x, jit_thunk(j, THUNK_MEMORY));
	if (s->kind == STUB_MEMORY_INDEXED)
		load(j, jit_reg(op->dst), m, bytes, false);
	x86_jump(x, s->back);
}

static bool window_lapses(const struct picket_run *run, struct vm_window w)
{
	if (w.low == run->data && w.size == run->length)
		return false;
	for (size_t i = 0; run->call && i < run->call->region_count; i++)
		if (w.low == (uintptr_t)run->call->regions[i].data && w.size == run->call->regions[i].length)
			return false;
	return true;
}

static void keep_span(struct picket_run *run, struct vm_span *s, struct vm_window w)
{
	s->low = w.low;
	for (unsigned i = 0; i < ARRAY_SIZE(s->count); i++)
		s->count[i] = w.size >> i ? w.size - (1u << i) + 1 : 0;
	run->spans_lapse |= window_lapses(run, w);
}

uint64_t jit_x86_memory(struct picket_run *run, uint64_t address, uint32_t access)
{
	uint32_t size = 1u << (access >> ACCESS_SIZE & 3);
	bool write = access & ACCESS_WRITE;
	struct vm_window w;

	if ((!(access & ACCESS_ATOMIC) || address % size == 0) && vm_memory_find(run, address, size, write, &w)) {
		keep_span(run, &run->spans[write][access >> ACCESS_WINDOW], w);
		return 1;
	}
	vm_fault(run, write ? PICKET_FAULT_WRITE : PICKET_FAULT_READ, address, size);
	run->fault.insn = access & ACCESS_INSN;
	return 0;
}

/* ---- loads and stores ---- */
void jit_check_load(struct jit *j, size_t op)
{
	check(j, op, jit_memory_operand(j, &j->ops->ops[op]), access_bytes(&j->ops->ops[op]), false);
}

/* A merged load that was tested by its stub goes on behind the load, which the stub has done. */
void jit_load(struct jit *j, size_t i, unsigned bytes, bool sign)
{
	const struct vm_op *op = &j->ops->ops[i];
	struct x86_memory m = jit_memory_operand(j, op);
	size_t stubs = j->stub_count;

	check(j, i, m, bytes, false);
	load(j, jit_reg(op->dst), m, bytes, sign);
	if (j->stub_count > stubs && j->stubs[stubs].kind == STUB_MEMORY_INDEXED)
		x86_place(&j->x, j->stubs[stubs].back);
}

static void store_immediate(struct jit *j, struct x86_memory m, unsigned bytes, int32_t imm)
{
	struct x86 *x = &j->x;

	x86_rm(x, (bytes == 1 ? 0xc6 : 0xc7) | x86_width(bytes == 8) | (bytes == 2 ? OP_16 : 0), 0, m);
	if (bytes == 1) {
		x86_u8(x, (uint8_t)imm);
	} else if (bytes == 2) {
		x86_u8(x, (uint8_t)imm);
		x86_u8(x, (uint8_t)((uint32_t)imm >> 8));
	} else {
		x86_u32(x, (uint32_t)imm);
	}
}

void jit_store(struct jit *j, size_t i, unsigned bytes, bool imm)
{
	const struct vm_op *op = &j->ops->ops[i];
	struct x86_memory m = jit_memory_operand(j, op);
	unsigned from = jit_reg(op->src);

	check(j, i, m, bytes, true);
	if (imm && !j->blind) {
		store_immediate(j, m, bytes, (int32_t)op->imm);
		return;
	}
	if (imm) {
		jit_constant(j, R10, (uint64_t)op->imm);
		from = R10;
	}
	x86_rm(&j->x, (bytes == 1 ? 0x88 | OP_BYTE : 0x89) | x86_width(bytes == 8) | (bytes == 2 ? OP_16 : 0), from, m);
}

/* ---- atomics ---- */
static enum x86_group1 atomic_operation(enum vm_opcode op)
{
	switch ((int)op) {
	case VM_ATOMIC_OR32:
	case VM_ATOMIC_OR64:
	case VM_FETCH_OR32:
	case VM_FETCH_OR64:
		return X86_OR;
	case VM_ATOMIC_AND32:
	case VM_ATOMIC_AND64:
	case VM_FETCH_AND32:
	case VM_FETCH_AND64:
		return X86_AND;
	case VM_ATOMIC_XOR32:
	case VM_ATOMIC_XOR64:
	case VM_FETCH_XOR32:
	case VM_FETCH_XOR64:
		return X86_XOR;
	default:
		return X86_ADD;
	}
}

#define RAX_KEPT x86_at(RSP, -8) /* nothing is pushed meanwhile */

/* What the processor cannot fetch at once is tried until nobody came between. */
static void fetch_by_exchange(struct jit *j, const struct vm_op *op, struct x86_memory m, bool wide)
{
	struct x86 *x = &j->x;
	unsigned src = jit_reg(op->src), width = x86_width(wide);
	unsigned opcode = x86_group1_opcode(atomic_operation(op->op)) | width;
	uint8_t *again;

	x86_store(x, RAX_KEPT, RAX);
	if (m.base == RAX) {
		x86_mov(x, true, R9, RAX);
		m.base = R9;
	}
	x86_rm(x, 0x8b | width, RAX, m);
	again = x->out;
	x86_mov(x, wide, R10, RAX);
	if (src == RAX)
		x86_rm(x, opcode, R10, RAX_KEPT);
	else
		x86_rr(x, opcode, R10, src);
	x86_rm(x, 0xb1 | OP_0F | OP_LOCK | width, R10, m);
	x86_u8(x, 0x75); /* jne again */
	x86_u8(x, (uint8_t)(again - (x->out + 1)));
	if (src != RAX) {
		x86_mov(x, wide, src, RAX);
		x86_load(x, RAX, RAX_KEPT);
	} else if (!wide) {
		x86_mov(x, false, RAX, RAX);
	}
	if (m.base == R9 && j->checked)
		x86_load(x, REG_LENGTH, RUN_AT(length));
}

void jit_atomic(struct jit *j, size_t i, bool wide)
{
	const struct vm_op *op = &j->ops->ops[i];
	struct x86_memory m = jit_memory_operand(j, op);
	unsigned src = jit_reg(op->src), width = x86_width(wide);
	struct x86 *x = &j->x;

	check(j, i, m, wide ? 8 : 4, true);
	switch ((enum vm_opcode)op->op) {
	case VM_FETCH_ADD32:
	case VM_FETCH_ADD64:
		x86_rm(x, 0xc1 | OP_0F | OP_LOCK | width, src, m);
		return;
	case VM_XCHG32:
	case VM_XCHG64:
		x86_rm(x, 0x87 | width, src, m);
		return;
	case VM_CMPXCHG32:
	case VM_CMPXCHG64:
		x86_rm(x, 0xb1 | OP_0F | OP_LOCK | width, src, m);
		if (!wide) /* left alone where it was equal */
			x86_mov(x, false, RAX, RAX);
		return;
	case VM_FETCH_OR32:
	case VM_FETCH_OR64:
	case VM_FETCH_AND32:
	case VM_FETCH_AND64:
	case VM_FETCH_XOR32:
	case VM_FETCH_XOR64:
		fetch_by_exchange(j, op, m, wide);
		return;
	default:
		x86_rm(x, (x86_group1_opcode(atomic_operation(op->op)) - 2) | OP_LOCK | width, src, m);
		return;
	}
}

/* ---- packet: what lies beyond ends the function with 0 ---- */
void jit_exit_stub(struct jit *j)
{
	x86_zero(&j->x, RAX);
	if (j->checked)
		x86_load(&j->x, REG_LENGTH, RUN_AT(length));
	jit_leave_frame(j);
	x86_ret(&j->x);
}

void jit_packet(struct jit *j, size_t i, unsigned bytes)
{
	const struct vm_op *op = &j->ops->ops[i];
	bool indirect = vm_insns[op->op].format == VM_FORMAT_PACKET_REG;
	uint32_t outside = jit_stub(j, STUB_EXIT, i)->label;
	struct x86 *x = &j->x;

	jit_constant(j, R10, (uint64_t)op->imm);
	if (indirect) {
		x86_mov(x, false, R9, jit_reg(op->src));
		x86_rr(x, x86_group1_opcode(X86_ADD) | OP_W, R10, R9);
	}
	if (op->imm < 0) {
		x86_rr(x, 0x85 | OP_W, R10, R10);
		x86_jump_if(x, CC_SIGN, outside);
	}
	x86_lea(x, R9, x86_at(R10, (int32_t)bytes)); /* 34 bits at most: nothing wraps */
	x86_rm(x, x86_group1_opcode(X86_CMP) | OP_W, R9, RUN_AT(length));
	x86_jump_if(x, CC_ABOVE, outside);
	x86_load(x, R9, RUN_AT(data));
	load(j, RAX, (struct x86_memory){R9, R10, 0}, bytes, false);
	if (bytes > 1)
		jit_swap(j, RAX, bytes * 8);
	if (j->checked)
		x86_load(x, REG_LENGTH, RUN_AT(length));
}
#endif
