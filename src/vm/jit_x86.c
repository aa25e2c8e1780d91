/* SPDX-License-Identifier: Apache-2.0 */
#if defined(__x86_64__)
#include <errno.h>
#include <stdlib.h>
#include "vm/jit_x86_int.h"

#define BITS_KEPT 0x3c0u /* r6 to r9 */
#define BIT_FRAME 0x400u
#define FUNCTION_ALIGN 16

bool jit_x86_baseline;
const uint8_t jit_registers[11] = {RAX, RDI, RSI, RDX, RCX, R8, RBX, R13, R14, R15, RBP};

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
		JUMP(JSET, CC_NOT_EQUAL)
		JUMP(JGT, CC_ABOVE)
		JUMP(JGE, CC_ABOVE_EQUAL)
		JUMP(JLT, CC_BELOW)
		JUMP(JLE, CC_BELOW_EQUAL)
		JUMP(JSGT, CC_GREATER)
		JUMP(JSGE, CC_GREATER_EQUAL)
		JUMP(JSLT, CC_LESS)
		JUMP(JSLE, CC_LESS_EQUAL)
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

/* A short way back is a loop, most likely: its budget is taken before it is known whether the jump is, and given back. */
#define SHORT_LOOP_SLOTS 64

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
	if (slots > SHORT_LOOP_SLOTS) {
		enum x86_condition cc = jit_compare(j, op);
		x86_jump_if(x, cc, jit_stub(j, STUB_BACKWARD, i)->label);
		return;
	}
	take_from_budget(j, slots);
	s = jit_stub(j, STUB_BUDGET_UNLESS, i);
	x86_jump_if(x, CC_SIGN, s->label);
	x86_jump_if(x, jit_compare(j, op), jit_label(j, op->target));
	x86_place(x, s->back);
	x86_ri(x, X86_ADD, true, REG_BUDGET, (int32_t)slots);
}

static void fault_stub(struct jit *j, const struct jit_stub *s, enum jit_thunk thunk)
{
	jit_unfold(j, s);
	x86_constant(&j->x, R9, j->ops->ops[s->op].insn, true);
	x86_jump(&j->x, jit_thunk(j, thunk));
}

/* ---- stubs ---- */
bool jit_grow(struct jit *j, void *pointer_to_array, size_t *capacity, size_t size)
{
	void *now, *old;

	memcpy(&old, pointer_to_array, sizeof(old));
	now = reallocarray(old, *capacity, 2 * size);
	if (!now) {
		j->x.error = -ENOMEM;
		return false;
	}
	memcpy(pointer_to_array, &now, sizeof(now));
	*capacity *= 2;
	return true;
}

struct jit_stub *jit_stub(struct jit *j, enum jit_stub_kind kind, size_t op)
{
	struct jit_stub *s;

	if (j->stub_count == j->stub_capacity && !jit_grow(j, &j->stubs, &j->stub_capacity, sizeof(*j->stubs)))
		j->stub_count = 0;
	s = &j->stubs[j->stub_count++];
	*s = (struct jit_stub){.kind = (uint8_t)kind, .op = (uint32_t)op};
	s->label = x86_new_label(&j->x);
	s->back = x86_new_label(&j->x);
	jit_keep_folds(j, s);
	return s;
}

static void emit_stub(struct jit *j, const struct jit_stub *s)
{
	const struct vm_op *op = &j->ops->ops[s->op];
	struct x86 *x = &j->x;

	x86_place(x, s->label);
	switch ((enum jit_stub_kind)s->kind) {
	case STUB_MEMORY:
	case STUB_MEMORY_INDEXED:
		jit_memory_stub(j, s);
		return;
	case STUB_BACKWARD:
		take_from_budget(j, vm_jump_slots(j->ops, op));
		x86_jump_if(x, CC_NO_SIGN, jit_label(j, op->target));
		fault_stub(j, s, THUNK_BUDGET_FAULT);
		return;
	case STUB_BUDGET_UNLESS:
		x86_jump_if(x, jit_compare(j, op) ^ 1, s->back);
		fault_stub(j, s, THUNK_BUDGET_FAULT);
		return;
	case STUB_BUDGET:
		fault_stub(j, s, THUNK_BUDGET_FAULT);
		return;
	case STUB_FRAMES:
		fault_stub(j, s, THUNK_FRAMES_FAULT);
		return;
	case STUB_DIVIDE_BY_ZERO:
	case STUB_DIVIDE_BY_MINUS_ONE:
	case STUB_DIVIDE_WIDE:
		jit_divide_stub(j, s);
		return;
	case STUB_FORGET:
		x86_call(x, jit_thunk(j, THUNK_FORGET));
		x86_jump(x, s->back);
		return;
	case STUB_EXIT:
		jit_exit_stub(j);
		return;
	case STUB_NOT_FOUND:
		x86_zero(x, RAX);
		x86_jump(x, s->back);
		return;
	}
}

static void emit_stubs(struct jit *j)
{
	for (size_t i = 0; i < j->stub_count; i++) {
		x86_reserve(&j->x);
		emit_stub(j, &j->stubs[i]);
	}
	j->stub_count = j->kept_count = 0;
}

/* ---- functions ---- */
/* r6 to r9 stand in an order that push and pop share. */
static void enter_frame(struct jit *j)
{
	struct x86 *x = &j->x;

	for (unsigned reg = RAX; reg <= R15; reg++)
		if (j->pushed & 1u << reg)
			x86_push(x, reg);
	if (j->stack_bytes)
		x86_ri(x, X86_SUB, true, RSP, (int32_t)j->stack_bytes);
	if (!j->checked && j->function->used & BIT_FRAME)
		x86_lea(x, REG_FRAME, x86_at(RSP, PICKET_STACK_BYTES));
	if (j->checked && (j->function->used & BIT_FRAME || j->function->calls))
		x86_call(x, jit_thunk(j, THUNK_ZERO_FRAME));
}

void jit_leave_frame(struct jit *j)
{
	struct x86 *x = &j->x;

	if (j->stack_bytes)
		x86_ri(x, X86_ADD, true, RSP, (int32_t)j->stack_bytes);
	for (unsigned reg = R15 + 1; reg-- > RAX;)
		if (j->pushed & 1u << reg)
			x86_pop(x, reg);
	if (!j->checked && j->needs_run && j->function == j->ops->functions)
		x86_pop(x, REG_RUN);
}

/* Where the machine's stack must be to the 16 bytes: in functions that call. */
static void plan_frame(struct jit *j)
{
	const struct vm_function *f = j->function;
	bool first = f == j->ops->functions, frame = !j->checked && f->used & BIT_FRAME;
	unsigned slots = 1; /* the return address */

	j->pushed = 0;
	for (unsigned reg = 6; reg <= 9; reg++)
		if (f->written & 1u << reg && !(j->checked && first && j->hints.entry_only))
			j->pushed |= (uint16_t)(1u << jit_reg(reg));
	if (frame)
		j->pushed |= (uint16_t)(1u << REG_FRAME);
	slots += (unsigned)__builtin_popcount(j->pushed) + (!j->checked && first && j->needs_run);
	j->stack_bytes = (frame ? PICKET_STACK_BYTES : 0) + ((frame || f->calls) && slots % 2 ? 8 : 0);
}

/* The first jump back to an op stands in its label until that is placed. */
static uint32_t loop_end(const struct jit *j, size_t op)
{
	return j->x.labels[jit_label(j, op)].fixups;
}

static void note_loops(struct jit *j, const struct vm_function *f)
{
	for (uint32_t i = f->first; i < f->end; i++) {
		const struct vm_op *op = &j->ops->ops[i];
		struct x86_label *l = &j->x.labels[jit_label(j, op->target)];
		if (op->flags & VM_OP_BACKWARD && l->fixups == UNPLACED)
			l->fixups = i;
	}
}

static bool is_jump(const struct vm_op *op)
{
	switch ((enum vm_format)vm_insns[op->op].format) {
	case VM_FORMAT_JUMP:
	case VM_FORMAT_JUMP_LONG:
	case VM_FORMAT_JUMP_IMM:
	case VM_FORMAT_JUMP_REG:
		return true;
	default:
		return false;
	}
}

bool jit_may_fault(const struct jit *j, size_t i)
{
	const struct vm_op *op = &j->ops->ops[i];

	if (!j->checked)
		return false;
	switch ((enum vm_format)vm_insns[op->op].format) {
	case VM_FORMAT_LOAD:
	case VM_FORMAT_LOAD_INDEXED:
	case VM_FORMAT_STORE_IMM:
	case VM_FORMAT_STORE_REG:
	case VM_FORMAT_ATOMIC_REG:
		return !jit_memory_is_safe(j, i);
	case VM_FORMAT_CALL_ID:
		return !jit_is_inline(j, i);
	case VM_FORMAT_CALL_DST:
	case VM_FORMAT_CALL_FUNCTION:
		return true;
	default:
		return op->flags & VM_OP_BACKWARD;
	}
}

#define ALL_REGISTERS 0x7ff
#define LIVE_ROUNDS_MAX 8 /* then all is taken to be live */

/* From the function's end to its beginning; returns whether anything has changed. */
static bool find_live_once(struct jit *j)
{
	const struct vm_function *f = j->function;
	uint16_t live = 0;
	bool changed = false;

	for (size_t i = f->end; i-- > f->first;) {
		const struct vm_op *op = &j->ops->ops[i];
		struct jit_flow *flow = &j->flow[i];
		if (op->op == VM_EXIT)
			live = 0;
		else if (op->op == VM_JA || op->op == VM_JA32)
			live = j->flow[op->target].before;
		else if (is_jump(op))
			live |= j->flow[op->target].before;
		flow->after = live;
		live = (live & (uint16_t)~flow->writes) | flow->reads;
		changed |= live != flow->before;
		flow->before = live;
	}
	return changed;
}

static bool op_enters_function(const struct vm_op *op)
{
	return op->op == VM_CALL_LOCAL || op->op == VM_CALL_REG;
}

/* A fault shows all registers, and a function finds all of its caller's. Grows from nothing, so that what is found is the
 * least. */
static void find_live(struct jit *j)
{
	const struct vm_function *f = j->function;

	if (!j->flow)
		return;
	for (size_t i = f->first; i < f->end; i++) {
		const struct vm_op *op = &j->ops->ops[i];
		j->flow[i] = (struct jit_flow){
		        .reads = jit_may_fault(j, i) || op_enters_function(op) ? ALL_REGISTERS : vm_op_reads(op),
		        .writes = vm_op_writes(op),
		};
	}
	for (int round = 0; find_live_once(j); round++) {
		if (round < LIVE_ROUNDS_MAX)
			continue;
		for (size_t i = f->first; i < f->end; i++)
			j->flow[i].before = j->flow[i].after = ALL_REGISTERS;
		return;
	}
}

/* Labels of merged ops are no targets, but loops end there. */
static void finish_ops(struct jit *j, size_t first, size_t count)
{
	for (size_t i = first; i < first + count; i++) {
		if (i > first)
			x86_place(&j->x, jit_label(j, i));
		if (j->any_fold)
			jit_follow_folds(j, i);
	}
}

static void emit_body(struct jit *j)
{
	const struct vm_function *f = j->function;
	struct x86 *x = &j->x;

	enter_frame(j);
	find_live(j);
	for (size_t i = f->first; i < f->end;) {
		size_t merged;
		x86_reserve(x);
		if (loop_end(j, i) != UNPLACED)
			x86_fixup(x, FIXUP_LOOP, jit_label(j, loop_end(j, i)));
		x86_place(x, jit_label(j, i));
		merged = jit_merge(j, i);
		if (!merged)
			jit_emit_op(j, i);
		finish_ops(j, i, MAX(merged, 1u));
		i += MAX(merged, 1u);
	}
	emit_stubs(j);
}

/* Checked code whose context is nearly always long enough has function 0 twice: once without tests for that. */
#define CONTEXT_NEED_MAX (1u << 16)
#define TWICE_OPS_MAX (1u << 16)

static void emit_first_function(struct jit *j)
{
	const struct vm_function *f = j->function;
	bool twice = j->checked && f->end <= TWICE_OPS_MAX && j->hints.context_need &&
	             j->hints.context_need <= CONTEXT_NEED_MAX;
	struct x86 *x = &j->x;
	uint32_t short_context;

	jit_entry(j);
	if (!twice) {
		emit_body(j);
		return;
	}
	short_context = x86_new_label(x);
	jit_compare_length(j, j->hints.context_need);
	x86_jump_if(x, CC_BELOW, short_context);
	j->has_context = true;
	emit_body(j);
	j->has_context = false;
	j->labels = x86_new_labels(x, f->end);
	note_loops(j, f);
	x86_reserve(x);
	x86_place(x, short_context);
	emit_body(j);
	j->labels = 0;
}

static void emit_function(struct jit *j, size_t index)
{
	struct x86 *x = &j->x;

	j->function = &j->ops->functions[index];
	plan_frame(j);
	x86_reserve(x);
	x86_fixup(x, FIXUP_ALIGN, FUNCTION_ALIGN);
	if (index == 0) {
		emit_first_function(j);
	} else {
		x86_place(x, j->entries + (uint32_t)index);
		emit_body(j);
	}
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

/* ---- a program ---- */
static bool op_uses_memory(const struct vm_op *op)
{
	switch ((enum vm_format)vm_insns[op->op].format) {
	case VM_FORMAT_LOAD:
	case VM_FORMAT_LOAD_INDEXED:
	case VM_FORMAT_STORE_IMM:
	case VM_FORMAT_STORE_REG:
	case VM_FORMAT_ATOMIC_REG:
		return true;
	default:
		return false;
	}
}

static bool op_uses_run(const struct vm_op *op)
{
	switch ((enum vm_format)vm_insns[op->op].format) {
	case VM_FORMAT_CALL_ID:
	case VM_FORMAT_CALL_DST:
	case VM_FORMAT_PACKET_IMM:
	case VM_FORMAT_PACKET_REG:
		return true;
	default:
		return false;
	}
}

/* What must be known before the first instruction is written. */
static int look_through(struct jit *j)
{
	bool flow = j->checked;

	for (size_t i = 0; i < j->ops->count; i++) {
		const struct vm_op *op = &j->ops->ops[i];
		j->needs_run |= op_uses_run(op);
		j->windows |= j->checked && op_uses_memory(op) && j->hints.of[i].check == VM_CHECK_MEMORY;
		j->tail_calls |= op->op == VM_CALL_HELPER && op->imm == VM_HELPER_TAIL_CALL;
		flow |= op_enters_function(op);
	}
	for (size_t i = 0; i < j->ops->function_count; i++)
		note_loops(j, &j->ops->functions[i]);
	if (flow)
		j->flow = malloc(j->ops->count * sizeof(*j->flow));
	return flow && !j->flow ? -ENOMEM : 0;
}

/* ---- the tables behind the code ---- */
static void reserve_tables(struct jit *j)
{
	struct x86 *x = &j->x;
	uint32_t functions = j->p->function_count, words = JIT_TABLE_BEFORE + functions;

	x86_fixup(x, FIXUP_ALIGN, 8);
	for (uint32_t i = 0; i < words; i++) {
		x86_reserve(x);
		if (i == JIT_TABLE_BEFORE)
			x86_place(x, j->thunks + THUNK_FUNCTIONS);
		x86_u64(x, 0);
	}
	x86_place(x, j->thunks + THUNK_SLOTS);
	for (uint32_t i = 0; i < functions && j->used & 1u << THUNK_SLOTS; i++) {
		x86_reserve(x);
		x86_u64(x, vm_function_slots(j->p, i));
	}
}

static void fill_table(const struct jit *j, uint8_t *code, void **table)
{
	table[JIT_TABLE_CALLBACK] = code + x86_label_at(&j->x, j->thunks + THUNK_CALLBACK);
	table[JIT_TABLE_TAIL_ENTRY] = code + x86_label_at(&j->x, j->thunks + THUNK_TAIL_ENTRY);
	for (uint32_t i = 0; i < j->p->function_count; i++)
		table[i] = code + x86_label_at(&j->x, j->entries + i);
}

static int put_in_place(struct jit *j, struct picket_program *p)
{
	size_t size, mapped;
	void *code;
	void **table;
	int r = x86_layout(&j->x, &size);

	if (r)
		return r;
	r = vm_code_map(size, &code, &mapped);
	if (r)
		return r;
	x86_write(&j->x, code);
	table = (void **)((uint8_t *)code + x86_label_at(&j->x, j->thunks + THUNK_FUNCTIONS));
	fill_table(j, code, table);
	r = vm_code_seal(code, mapped);
	if (r) {
		vm_code_unmap(code, mapped);
		return r;
	}
	p->code = code;
	p->code_size = size;
	p->code_mapped = mapped;
	p->function_code = table;
	p->entry =
	        (uint64_t(*)(uint64_t, uint64_t, struct picket_run *))((uint8_t *)code + x86_label_at(&j->x, j->entry));
	return 0;
}

static int begin(struct jit *j, const struct picket_program *p, const struct vm_ops *ops)
{
	uint32_t label = (uint32_t)ops->count;
	int r;

	*j = (struct jit){
	        .p = p,
	        .ops = ops,
	        .checked = p->engine == PICKET_CHECKED,
	        .bmi2 = !jit_x86_baseline && __builtin_cpu_supports("bmi2"),
	        .avx = !jit_x86_baseline && __builtin_cpu_supports("avx"),
	        .blind = p->blind ? base_random_seed() | 1 : 0,
	        .stub_capacity = 64,
	        .kept_capacity = 64,
	};
	j->entries = label;
	label += (uint32_t)ops->function_count;
	j->entry = label++;
	j->body = label++;
	j->thunks = label;
	label += THUNK_COUNT;
	r = x86_init(&j->x, label, ops->count * (j->checked ? 24 : 8));
	if (r)
		return r;
	j->stubs = malloc(j->stub_capacity * sizeof(*j->stubs));
	j->kept = malloc(j->kept_capacity * sizeof(*j->kept));
	if (!j->stubs || !j->kept)
		return -ENOMEM;
	if (j->checked || p->map_count)
		r = vm_hint(p, ops, &j->hints);
	return r ? r : look_through(j);
}

int vm_jit_compile(struct picket_program *p, const struct vm_ops *ops)
{
	struct jit j;
	int r = begin(&j, p, ops);

	if (r)
		goto out;
	for (size_t i = 0; i < ops->function_count; i++)
		emit_function(&j, i);
	jit_thunks(&j);
	reserve_tables(&j);
	r = put_in_place(&j, p);
out:
	free(j.stubs);
	free(j.kept);
	free(j.flow);
	vm_hints_done(&j.hints);
	x86_done(&j.x);
	return r;
}
#endif
