/* SPDX-License-Identifier: Apache-2.0
 *
 * Code that a program has once: the way in and out, and what calls and checks have in common.
 */
#if defined(__x86_64__)
#include <errno.h>
#include "vm/jit_x86_int.h"

static void call_c(struct jit *j, uintptr_t function)
{
	x86_constant(&j->x, RAX, function, true);
	x86_indirect(&j->x, X86_INDIRECT_CALL, RAX);
}

/* *(u32 *)m = value, *(u64 *)m = value */
static void store_constant(struct jit *j, bool wide, struct x86_memory m, int32_t value)
{
	x86_rm(&j->x, 0xc7 | x86_width(wide), 0, m);
	x86_u32(&j->x, (uint32_t)value);
}

static struct x86_memory saved_register(unsigned reg)
{
	return jit_run_at(offsetof(struct picket_run, fault.registers) + reg * sizeof(uint64_t));
}

void jit_zero_arguments(struct jit *j)
{
	for (unsigned reg = 1; reg <= 5; reg++)
		x86_zero(&j->x, jit_reg(reg));
}

/* What of the run stands in registers, and a helper may change. */
static void store_run(struct jit *j)
{
	x86_store(&j->x, RUN_AT(budget), REG_BUDGET);
	x86_store(&j->x, RUN_AT(frame), REG_FRAME);
}

static void load_run(struct jit *j)
{
	x86_load(&j->x, REG_LENGTH, RUN_AT(length));
	x86_load(&j->x, REG_BUDGET, RUN_AT(budget));
}

/* A function that was called may have gone on in another program. */
void jit_after_tail_calls(struct jit *j)
{
	if (!j->tail_calls)
		return;
	x86_constant(&j->x, R10, (uintptr_t)j->p, true);
	x86_store(&j->x, RUN_AT(program), R10);
	if (j->checked)
		x86_call(&j->x, jit_thunk(j, THUNK_FORGET));
}

/* ---- the way in ---- */
static const uint8_t kept_by_c[] = {RBP, RBX, R12, R13, R14, R15};

static void push_all(struct jit *j)
{
	for (size_t i = 0; i < ARRAY_SIZE(kept_by_c); i++)
		x86_push(&j->x, kept_by_c[i]);
}

static void pop_all_and_return(struct jit *j)
{
	for (size_t i = ARRAY_SIZE(kept_by_c); i-- > 0;)
		x86_pop(&j->x, kept_by_c[i]);
	x86_ret(&j->x);
}

/* After this, the stack is at 16 bytes. */
static void begin_checked(struct jit *j)
{
	x86_indirect_memory(&j->x, 6, RUN_AT(unwind)); /* push */
	x86_store(&j->x, RUN_AT(unwind), RSP);
}

static void end_checked(struct jit *j)
{
	x86_store(&j->x, RUN_AT(budget), REG_BUDGET);
	x86_rm(&j->x, 0x8f, 0, RUN_AT(unwind)); /* pop */
	pop_all_and_return(j);
}

static void zero_registers(struct jit *j, unsigned first, unsigned last)
{
	for (unsigned reg = first; reg <= last; reg++)
		x86_zero(&j->x, jit_reg(reg));
}

static void enter_checked_from_c(struct jit *j)
{
	struct x86 *x = &j->x;

	push_all(j);
	x86_mov(x, true, REG_RUN, RDX);
	begin_checked(j);
	store_constant(j, true, RUN_AT(fault.program), 0);
	if (j->windows) {
		x86_call(x, jit_thunk(j, THUNK_FORGET));
	} else {
		x86_rm(x, 0xc6, 0, RUN_AT(spans_lapse));
		x86_u8(x, 0);
	}
	x86_load(x, REG_FRAME, RUN_AT(stack_low));
	x86_ri(x, X86_ADD, true, REG_FRAME, PICKET_STACK_BYTES);
	load_run(j);
	zero_registers(j, 0, 0);
	zero_registers(j, 3, 9);
	x86_call(x, j->entries);
	end_checked(j);
}

/* The beginning of function 0, where the program's entry is. */
void jit_entry(struct jit *j)
{
	struct x86 *x = &j->x;

	x86_place(x, j->entry);
	if (j->checked) {
		enter_checked_from_c(j);
		x86_fixup(x, FIXUP_ALIGN, 16);
		x86_place(x, j->entries);
	} else if (j->needs_run) {
		x86_push(x, REG_RUN);
		x86_mov(x, true, REG_RUN, RDX);
	}
	x86_place(x, j->body);
}

/* In verified code, function 0 begins with keeping r12 for C: who has it already comes in by these. */
static void enter_called(struct jit *j)
{
	x86_place(&j->x, j->entries);
	if (j->needs_run)
		x86_push(&j->x, REG_RUN);
	x86_jump(&j->x, j->body);
}

static void enter_by_tail_call(struct jit *j)
{
	struct x86 *x = &j->x;
	unsigned run = R12;

	if (!j->checked) {
		run = R9;
		if (j->needs_run) {
			x86_push(x, REG_RUN);
			x86_mov(x, true, REG_RUN, R9);
		}
	}
	x86_load(x, jit_reg(1), x86_at(run, offsetof(struct picket_run, data)));
	x86_load(x, jit_reg(2), x86_at(run, offsetof(struct picket_run, length)));
	if (j->checked) {
		zero_registers(j, 0, 0);
		zero_registers(j, 3, 9);
	}
	x86_jump(x, j->body);
}

/* (run, code, args): see vm_jit_callback(). */
static void callback(struct jit *j)
{
	struct x86 *x = &j->x;

	push_all(j);
	x86_mov(x, true, REG_RUN, RDI);
	x86_mov(x, true, R10, RSI);
	if (j->checked) {
		begin_checked(j);
		x86_load(x, REG_FRAME, RUN_AT(frame));
		load_run(j);
		zero_registers(j, 0, 0);
		zero_registers(j, 6, 9);
	} else {
		x86_ri(x, X86_SUB, true, RSP, 8);
	}
	x86_load(x, jit_reg(1), x86_at(RDX, 0));
	x86_load(x, jit_reg(2), x86_at(RDX, 8));
	x86_load(x, jit_reg(4), x86_at(RDX, 24));
	x86_load(x, jit_reg(5), x86_at(RDX, 32));
	x86_load(x, jit_reg(3), x86_at(RDX, 16));
	x86_indirect(x, X86_INDIRECT_CALL, R10);
	if (j->checked) {
		end_checked(j);
		return;
	}
	x86_ri(x, X86_ADD, true, RSP, 8);
	pop_all_and_return(j);
}

/* ---- faults ---- */
static void save_registers(struct jit *j)
{
	for (unsigned reg = 0; reg <= 10; reg++)
		x86_store(&j->x, saved_register(reg), jit_reg(reg));
	x86_ret(&j->x);
}

/* Leaves all functions since C called the innermost one. */
static void unwind(struct jit *j)
{
	struct x86 *x = &j->x;

	x86_load(x, RSP, RUN_AT(unwind));
	x86_zero(x, RAX);
	x86_rm(x, 0x8f, 0, RUN_AT(unwind)); /* pop */
	pop_all_and_return(j);
}

static void set_program(struct jit *j)
{
	x86_constant(&j->x, RAX, (uintptr_t)j->p, true);
	x86_store(&j->x, RUN_AT(fault.program), RAX);
	x86_jump(&j->x, jit_thunk(j, THUNK_UNWIND));
}

/* r9: instruction */
static void complete_fault(struct jit *j)
{
	x86_rm(&j->x, 0x89, R9, RUN_AT(fault.insn));
	x86_call(&j->x, jit_thunk(j, THUNK_SAVE));
	set_program(j);
}

static void fault(struct jit *j, enum picket_fault_kind kind)
{
	store_constant(j, false, RUN_AT(fault.kind), (int32_t)kind);
	store_constant(j, false, RUN_AT(fault.size), 0);
	if (kind == PICKET_FAULT_CALL)
		x86_store(&j->x, RUN_AT(fault.address), R10);
	else
		store_constant(j, true, RUN_AT(fault.address), 0);
	x86_jump(&j->x, jit_thunk(j, THUNK_FAULT));
}

/* ---- memory that is in no window ---- */
static void memory(struct jit *j)
{
	static const uint8_t lost[] = {0, 1, 2, 3, 4, 5};
	struct x86 *x = &j->x;
	uint32_t wrong = x86_new_label(x);

	x86_call(x, jit_thunk(j, THUNK_SAVE));
	store_run(j);
	x86_mov(x, true, RBX, RSP); /* this comes from anywhere in a function */
	x86_ri(x, X86_AND, true, RSP, -16);
	x86_mov(x, true, RDI, REG_RUN);
	x86_mov(x, true, RSI, R10);
	x86_mov(x, false, RDX, R9);
	call_c(j, (uintptr_t)jit_x86_memory);
	x86_mov(x, true, RSP, RBX);
	x86_load(x, RBX, saved_register(6));
	x86_rr(x, 0x85, RAX, RAX);
	x86_jump_if(x, CC_EQUAL, wrong);
	for (size_t i = 0; i < ARRAY_SIZE(lost); i++)
		x86_load(x, jit_reg(lost[i]), saved_register(lost[i]));
	load_run(j);
	x86_ret(x);
	x86_place(x, wrong);
	set_program(j);
}

static void write_bytes(struct x86 *x, const uint8_t *bytes, size_t count)
{
	memcpy(x->out, bytes, count);
	x->out += count;
}

static const uint8_t xorps[] = {0x0f, 0x57, 0xc0}; /* xorps xmm0, xmm0 */

static void forget(struct jit *j)
{
	const int32_t start = offsetof(struct picket_run, spans);
	struct x86 *x = &j->x;

	write_bytes(x, xorps, sizeof(xorps));
	for (size_t i = 0; i < 2 * VM_WINDOWS; i++)
		for (size_t half = 0; half < 2; half++) /* movups [], xmm0 */
			x86_rm(x, 0x11 | OP_0F, 0,
			       x86_at(REG_RUN, start + (int32_t)(i * sizeof(struct vm_span) +
			                                         offsetof(struct vm_span, count) + half * 16)));
	x86_rm(x, 0xc6, 0, RUN_AT(spans_lapse));
	x86_u8(x, 0);
	x86_ret(x);
}

static void zero_frame(struct jit *j)
{
	static const uint8_t vxorps[] = {0xc5, 0xf8, 0x57, 0xc0};  /* the same of all ymm0 */
	static const uint8_t vmovups[] = {0xc5, 0xfc, 0x11, 0x85}; /* vmovups [rbp + disp32], ymm0 */
	static const uint8_t vzeroupper[] = {0xc5, 0xf8, 0x77};
	struct x86 *x = &j->x;

	if (!j->avx) {
		write_bytes(x, xorps, sizeof(xorps));
		for (int at = -PICKET_STACK_BYTES; at < 0; at += 16) /* movups [rbp + at], xmm0 */
			x86_rm(x, 0x11 | OP_0F, 0, x86_at(REG_FRAME, at));
		x86_ret(x);
		return;
	}
	write_bytes(x, vxorps, sizeof(vxorps));
	for (int at = -PICKET_STACK_BYTES; at < 0; at += 32) {
		write_bytes(x, vmovups, sizeof(vmovups));
		x86_u32(x, (uint32_t)at);
	}
	write_bytes(x, vzeroupper, sizeof(vzeroupper));
	x86_ret(x);
}

/* ---- helpers ---- */
/* r0 to r5 as they were before a call of C, and the instruction: from the stack's end up, as push_call() leaves them. */
static const uint8_t pushed_for_call[] = {R8, RCX, RDX, RSI, RDI, RAX, R9};
#define CALL_BYTES (8 * (int32_t)(ARRAY_SIZE(pushed_for_call) + 2))

/* The last one is C's seventh argument, which is C's to change. */
static void push_call(struct jit *j)
{
	x86_push(&j->x, R9);
	for (size_t i = ARRAY_SIZE(pushed_for_call); i-- > 0;)
		x86_push(&j->x, pushed_for_call[i]);
	x86_push(&j->x, R8);
	store_run(j);
}

/* Goes on if there is no fault. */
static void pop_call(struct jit *j)
{
	struct x86 *x = &j->x;
	uint32_t good = x86_new_label(x);

	x86_rm(x, 0x83, X86_CMP, RUN_AT(fault.kind));
	x86_u8(x, 0);
	x86_jump_if(x, CC_EQUAL, good);
	x86_rm(x, 0x83 | OP_W, X86_CMP, RUN_AT(fault.program));
	x86_u8(x, 0);
	x86_jump_if(x, CC_NOT_EQUAL, jit_thunk(j, THUNK_UNWIND));
	x86_pop(x, R8);
	for (size_t i = 0; i < ARRAY_SIZE(pushed_for_call); i++)
		x86_pop(x, pushed_for_call[i]);
	x86_jump(x, jit_thunk(j, THUNK_FAULT));
	x86_place(x, good);
	x86_ri(x, X86_ADD, true, RSP, CALL_BYTES);
	load_run(j);
	jit_zero_arguments(j);
}

static void call_helper(struct jit *j)
{
	struct x86 *x = &j->x;

	push_call(j);
	x86_mov(x, true, R9, jit_reg(4));
	x86_mov(x, true, R8, jit_reg(3));
	x86_mov(x, true, RCX, jit_reg(2));
	x86_mov(x, true, RDX, jit_reg(1));
	x86_mov(x, true, RSI, R10);
	x86_mov(x, true, RDI, REG_RUN);
	call_c(j, (uintptr_t)vm_helper_call);
	pop_call(j);
	if (j->windows) {
		x86_rm(x, 0x80, X86_CMP, RUN_AT(spans_lapse));
		x86_u8(x, 0);
		x86_jump_if(x, CC_NOT_EQUAL, jit_thunk(j, THUNK_FORGET));
	}
	x86_ret(x);
}

/* ---- calls by register ---- */
static const struct picket_helper *callable_helper(const struct picket_run *run, uint64_t id)
{
	const struct picket_program *p = run->program;

	return id > UINT32_MAX || id == VM_HELPER_TAIL_CALL ? NULL
	                                                    : vm_helper_find((uint32_t)id, p->helpers, p->helper_count);
}

/* Only of verified code: there is nobody to tell that it is none. */
static uint64_t no_helper(uint64_t r1, uint64_t r2, uint64_t r3, uint64_t r4, uint64_t r5, struct picket_run *run)
{
	(void)r1, (void)r2, (void)r3, (void)r4, (void)r5;
	vm_fault(run, PICKET_FAULT_CALL, 0, 0);
	return 0;
}

static picket_helper_function callable_function(const struct picket_run *run, uint64_t id)
{
	const struct picket_helper *helper = callable_helper(run, id);

	return helper ? helper->function : no_helper;
}

/* r10 becomes what find(run, r10) gives; eBPF's registers and r9 stay. The stack is at 16 bytes. */
static void find_helper(struct jit *j, uintptr_t find)
{
	static const uint8_t lost[] = {RAX, RDI, RSI, RDX, RCX, R8, R9, R11};
	struct x86 *x = &j->x;

	for (size_t i = 0; i < ARRAY_SIZE(lost); i++)
		x86_push(x, lost[i]);
	x86_mov(x, true, RDI, REG_RUN);
	x86_mov(x, true, RSI, R10);
	call_c(j, find);
	x86_mov(x, true, R10, RAX);
	for (size_t i = ARRAY_SIZE(lost); i-- > 0;)
		x86_pop(x, lost[i]);
}

/* r10: a function's value; goes to `other` if it is none. r9 becomes its place in a table. */
static void find_function(struct jit *j, uint32_t other)
{
	struct x86 *x = &j->x;

	x86_mov(x, true, R9, R10);
	x86_rr(x, 0xc1 | OP_W, 5, R9);
	x86_u8(x, 32);
	x86_ri(x, X86_CMP, false, R9, (int32_t)(VM_FUNCTION_TAG >> 32));
	x86_jump_if(x, CC_NOT_EQUAL, other);
	x86_mov(x, false, R9, R10);
	x86_ri(x, X86_CMP, false, R9, (int32_t)j->p->function_count);
	x86_jump_if(x, CC_ABOVE_EQUAL, other);
	x86_rr(x, 0xc1 | OP_W, 4, R9);
	x86_u8(x, 3);
}

/* r10 becomes the entry of the function whose place in a table is in r9. */
static void load_entry(struct jit *j)
{
	x86_fixup(&j->x, FIXUP_ADDRESS_R10, jit_thunk(j, THUNK_FUNCTIONS));
	x86_load(&j->x, R10, (struct x86_memory){R10, R9, 0});
}

static void call_register_verified(struct jit *j)
{
	struct x86 *x = &j->x;
	uint32_t other = x86_new_label(x);

	x86_ri(x, X86_SUB, true, RSP, 8);
	find_function(j, other);
	load_entry(j);
	x86_indirect(x, X86_INDIRECT_CALL, R10);
	jit_after_tail_calls(j);
	x86_ri(x, X86_ADD, true, RSP, 8);
	x86_ret(x);
	x86_place(x, other);
	find_helper(j, (uintptr_t)callable_function);
	x86_mov(x, true, R9, REG_RUN);
	x86_ri(x, X86_ADD, true, RSP, 8);
	x86_indirect(x, X86_INDIRECT_JUMP, R10);
}

/* The instruction is kept at the stack's end. */
static void call_register_checked(struct jit *j)
{
	struct x86 *x = &j->x;
	uint32_t other = x86_new_label(x), frames = x86_new_label(x), budget = x86_new_label(x),
	         none = x86_new_label(x);

	x86_push(x, R9);
	find_function(j, other);
	x86_lea(x, R10, x86_at(REG_FRAME, PICKET_STACK_BYTES));
	x86_rm(x, x86_group1_opcode(X86_CMP) | OP_W, R10, RUN_AT(stack_high));
	x86_jump_if(x, CC_ABOVE, frames);
	x86_fixup(x, FIXUP_ADDRESS_R10, jit_thunk(j, THUNK_SLOTS));
	x86_rm(x, x86_group1_opcode(X86_SUB) | OP_W, REG_BUDGET, (struct x86_memory){R10, R9, 0});
	x86_jump_if(x, CC_SIGN, budget);
	if (j->windows)
		x86_call(x, jit_thunk(j, THUNK_FORGET));
	load_entry(j);
	x86_load(x, REG_LENGTH, RUN_AT(length));
	x86_ri(x, X86_ADD, true, REG_FRAME, PICKET_STACK_BYTES);
	x86_indirect(x, X86_INDIRECT_CALL, R10);
	x86_ri(x, X86_SUB, true, REG_FRAME, PICKET_STACK_BYTES);
	jit_after_tail_calls(j);
	if (j->windows)
		x86_call(x, jit_thunk(j, THUNK_FORGET));
	jit_zero_arguments(j);
	x86_ri(x, X86_ADD, true, RSP, 8);
	x86_ret(x);

	x86_place(x, other);
	x86_pop(x, R9);
	x86_push(x, R10);
	find_helper(j, (uintptr_t)callable_helper);
	x86_rr(x, 0x85 | OP_W, R10, R10);
	x86_jump_if(x, CC_EQUAL, none);
	x86_ri(x, X86_ADD, true, RSP, 8);
	x86_jump(x, jit_thunk(j, THUNK_HELPER));
	x86_place(x, none);
	x86_pop(x, R10);
	fault(j, PICKET_FAULT_CALL);
	x86_place(x, frames);
	x86_pop(x, R9);
	x86_jump(x, jit_thunk(j, THUNK_FRAMES_FAULT));
	x86_place(x, budget);
	x86_pop(x, R9);
	x86_jump(x, jit_thunk(j, THUNK_BUDGET_FAULT));
}

static void forget_spans(struct picket_run *run)
{
	memset(run->spans, 0, sizeof(run->spans));
	run->spans_lapse = false;
}

/* ---- tail calls ---- */
static const void *tail_call(struct picket_run *run, uint64_t map, uint64_t index)
{
	const struct picket_program *target = vm_tail_call_target(run, map, index);

	if (!target)
		return NULL;
	if (run->checked) {
		run->budget -= vm_function_slots(target, 0);
		if (run->budget < 0) {
			vm_fault(run, PICKET_FAULT_BUDGET, 0, 0);
			return NULL;
		}
		forget_spans(run);
	}
	run->program = target;
	return target->function_code[JIT_TABLE_TAIL_ENTRY];
}

static void call_tail(struct jit *j)
{
	struct x86 *x = &j->x;
	uint8_t *gone;

	if (j->checked)
		push_call(j);
	else
		x86_ri(x, X86_SUB, true, RSP, 8);
	x86_mov(x, true, RDI, REG_RUN);
	call_c(j, (uintptr_t)tail_call);
	x86_mov(x, true, R10, RAX);
	if (j->checked)
		pop_call(j);
	else
		x86_ri(x, X86_ADD, true, RSP, 8);
	x86_rr(x, 0x85 | OP_W, R10, R10);
	gone = x86_skip_if(x, CC_NOT_EQUAL);
	x86_constant(x, RAX, (uint64_t)-ENOENT, true);
	x86_land(x, gone);
	x86_ret(x);
}

/* From a function whose caller wants to find r6 to r9 as it left them, to a function 0 that keeps none. */
static void tail_jump(struct jit *j)
{
	static const uint8_t kept[] = {RBX, R13, R14, R15};
	struct x86 *x = &j->x;

	for (size_t i = 0; i < ARRAY_SIZE(kept); i++)
		x86_push(x, kept[i]);
	x86_ri(x, X86_SUB, true, RSP, 8);
	x86_indirect(x, X86_INDIRECT_CALL, R10);
	x86_ri(x, X86_ADD, true, RSP, 8);
	for (size_t i = ARRAY_SIZE(kept); i-- > 0;)
		x86_pop(x, kept[i]);
	x86_ret(x);
}

/* ---- all of them ---- */
static void emit_thunk(struct jit *j, enum jit_thunk thunk)
{
	switch (thunk) {
	case THUNK_SAVE:
		save_registers(j);
		return;
	case THUNK_FAULT:
		complete_fault(j);
		return;
	case THUNK_UNWIND:
		unwind(j);
		return;
	case THUNK_MEMORY:
		memory(j);
		return;
	case THUNK_HELPER:
		call_helper(j);
		return;
	case THUNK_CALL:
		if (j->checked)
			call_register_checked(j);
		else
			call_register_verified(j);
		return;
	case THUNK_TAIL_CALL:
		call_tail(j);
		return;
	case THUNK_TAIL_JUMP:
		tail_jump(j);
		return;
	case THUNK_BUDGET_FAULT:
		fault(j, PICKET_FAULT_BUDGET);
		return;
	case THUNK_FRAMES_FAULT:
		fault(j, PICKET_FAULT_FRAMES);
		return;
	case THUNK_ZERO_FRAME:
		zero_frame(j);
		return;
	case THUNK_FORGET:
		forget(j);
		return;
	case THUNK_CALLBACK:
		callback(j);
		return;
	case THUNK_TAIL_ENTRY:
		enter_by_tail_call(j);
		return;
	case THUNK_FUNCTIONS:
	case THUNK_SLOTS:
	case THUNK_COUNT:
		return;
	}
}

/* A thunk may need only those that come after it. */
void jit_thunks(struct jit *j)
{
	struct x86 *x = &j->x;

	jit_thunk(j, THUNK_TAIL_ENTRY);
	jit_thunk(j, THUNK_CALLBACK);
	x86_reserve(x);
	if (!j->checked)
		enter_called(j);
	for (unsigned thunk = 0; thunk < THUNK_FUNCTIONS; thunk++) {
		if (!(j->used & 1u << thunk))
			continue;
		x86_reserve(x);
		x86_place(x, j->thunks + thunk);
		emit_thunk(j, thunk);
	}
}

/* ---- callbacks ---- */
uint64_t vm_jit_callback(struct picket_run *run, uint32_t function, const uint64_t args[5])
{
	const struct picket_program *p = run->program;
	uint64_t (*enter)(struct picket_run *, const void *, const uint64_t *) =
	        (uint64_t(*)(struct picket_run *, const void *, const uint64_t *))p->function_code[JIT_TABLE_CALLBACK];
	uint64_t frame = run->frame, result;

	if (!run->checked) {
		result = enter(run, p->function_code[function], args);
		run->program = p;
		return result;
	}
	if (frame + PICKET_STACK_BYTES > run->stack_high) {
		vm_fault(run, PICKET_FAULT_FRAMES, 0, 0);
		return 0;
	}
	run->budget -= vm_function_slots(p, function);
	if (run->budget < 0) {
		vm_fault(run, PICKET_FAULT_BUDGET, 0, 0);
		return 0;
	}
	run->frame = frame + PICKET_STACK_BYTES;
	if (run->spans_lapse)
		forget_spans(run);
	result = enter(run, p->function_code[function], args);
	run->frame = frame;
	run->program = p;
	return result;
}
#endif
