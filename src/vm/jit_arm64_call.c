/* SPDX-License-Identifier: Apache-2.0
 *
 * Functions' frames, calls, and the code that all of a program shares.
 */
#ifdef __aarch64__
#include <errno.h>
#include <linux/bpf.h>
#include "vm/jit_arm64_int.h"

#define RUN(field) ((int)offsetof(struct picket_run, field))
#define SIZE_64 3
#define SIZE_32 2

static void load_run(struct arm64 *j, unsigned rt, int offset)
{
	a64_transfer(&j->code, A64_LOAD, SIZE_64, rt, REG_RUN, (unsigned)offset);
}

static void store_run(struct arm64 *j, unsigned rt, int offset)
{
	a64_transfer(&j->code, A64_STORE, SIZE_64, rt, REG_RUN, (unsigned)offset);
}

static void call_c(struct arm64 *j, const void *function)
{
	a64_move_imm(&j->code, true, REG_A, (uintptr_t)function);
	a64_call_register(&j->code, REG_A);
}

static void call_thunk(struct arm64 *j, enum arm64_thunk thunk)
{
	size_t at = j->code.count;

	a64_call(&j->code);
	a64_patch(&j->code, at, j->thunks[thunk]);
}

static void branch_thunk(struct arm64 *j, enum arm64_thunk thunk)
{
	size_t at = j->code.count;

	a64_branch(&j->code);
	a64_patch(&j->code, at, j->thunks[thunk]);
}

static void clear_registers(struct arm64 *j, unsigned first, unsigned last)
{
	for (unsigned r = first; r <= last; r++)
		a64_move_imm(&j->code, true, r, 0);
}

static void clear_args(struct arm64 *j)
{
	clear_registers(j, arm64_register(1), arm64_register(5));
}

/* ---- a function's frame: what it saves, and above that, in verified code, what r10 refers to ---- */
#define SAVED_MAX 6

static unsigned saved_registers(const struct arm64 *j, uint8_t saved[SAVED_MAX])
{
	const struct vm_function *f = j->function;
	bool first = f == j->ops->functions;
	unsigned n = 0;

	if (j->checked || f->calls)
		saved[n++] = A64_LINK;
	if (j->merged && first && j->runs)
		saved[n++] = REG_RUN;
	if (j->checked && first)
		return n;
	for (unsigned r = 6; r <= 9; r++)
		if (f->written & 1u << r)
			saved[n++] = (uint8_t)arm64_register(r);
	return n;
}

static void save_registers(struct arm64 *j, enum a64_pair first, enum a64_pair others)
{
	uint8_t saved[SAVED_MAX];
	unsigned n = saved_registers(j, saved), bytes = (n + 1) / 2 * 16;
	bool push = first == A64_PUSH_PAIR;

	if (push && n)
		a64_pair(&j->code, first, saved[0], n > 1 ? saved[1] : A64_ZERO, A64_SP, -(int)bytes);
	for (unsigned i = 2; i < n; i += 2)
		a64_pair(&j->code, others, saved[i], i + 1 < n ? saved[i + 1] : A64_ZERO, A64_SP, (int)i * 8);
	if (!push && n)
		a64_pair(&j->code, first, saved[0], n > 1 ? saved[1] : A64_ZERO, A64_SP, (int)bytes);
}

static bool uses_frame(const struct arm64 *j)
{
	return j->function->used & 1u << BPF_FRAME;
}

void vm_arm64_prologue(struct arm64 *j)
{
	save_registers(j, A64_PUSH_PAIR, A64_STORE_PAIR);
	if (!j->checked) {
		if (j->merged && j->function == j->ops->functions && j->runs)
			a64_move(&j->code, true, REG_RUN, 2);
		if (uses_frame(j))
			a64_add_imm(&j->code, true, A64_SP, A64_SP, -PICKET_STACK_BYTES);
	} else if (uses_frame(j) || j->function->calls) {
		call_thunk(j, THUNK_ZERO);
	}
}

static void drop_frame(struct arm64 *j)
{
	if (!j->checked && uses_frame(j))
		a64_add_imm(&j->code, true, A64_SP, A64_SP, PICKET_STACK_BYTES);
	save_registers(j, A64_POP_PAIR, A64_LOAD_PAIR);
}

void vm_arm64_epilogue(struct arm64 *j)
{
	if (j->checked)
		clear_args(j);
	else if (j->merged && j->function == j->ops->functions)
		a64_move(&j->code, true, 0, REG_R0);
	drop_frame(j);
}

/* ---- from and to C: checked code saves all registers that C wants to be kept, and remembers where ---- */
enum { ENTRY_UNWIND = 96, ENTRY_BYTES = 112 };

static void thunk_enter(struct arm64 *j, unsigned run)
{
	a64_pair(&j->code, A64_PUSH_PAIR, 29, A64_LINK, A64_SP, -ENTRY_BYTES);
	for (unsigned r = 19; r <= 27; r += 2)
		a64_pair(&j->code, A64_STORE_PAIR, r, r + 1, A64_SP, (int)(r - 17) * 8);
	a64_move(&j->code, true, REG_RUN, run);
	load_run(j, 9, RUN(unwind));
	a64_transfer(&j->code, A64_STORE, SIZE_64, 9, A64_SP, ENTRY_UNWIND);
	a64_add_imm(&j->code, true, 9, A64_SP, 0);
	store_run(j, 9, RUN(unwind));
	load_run(j, REG_BUDGET, RUN(budget));
	a64_pair(&j->code, A64_LOAD_PAIR, REG_DATA, REG_LENGTH, REG_RUN, RUN(data));
	load_run(j, REG_LAST_FRAME, RUN(stack_high));
	a64_add_imm(&j->code, true, REG_LAST_FRAME, REG_LAST_FRAME, -PICKET_STACK_BYTES);
}

static void thunk_leave(struct arm64 *j)
{
	a64_move(&j->code, true, 0, REG_R0);
	j->thunks[THUNK_LEAVE] = j->code.count;
	store_run(j, REG_BUDGET, RUN(budget));
	a64_transfer(&j->code, A64_LOAD, SIZE_64, 9, A64_SP, ENTRY_UNWIND);
	store_run(j, 9, RUN(unwind));
	for (unsigned r = 19; r <= 27; r += 2)
		a64_pair(&j->code, A64_LOAD_PAIR, r, r + 1, A64_SP, (int)(r - 17) * 8);
	a64_pair(&j->code, A64_POP_PAIR, 29, A64_LINK, A64_SP, ENTRY_BYTES);
	a64_return(&j->code);
}

static void thunk_unwind(struct arm64 *j)
{
	j->thunks[THUNK_UNWIND] = j->code.count;
	load_run(j, 9, RUN(unwind));
	a64_add_imm(&j->code, true, A64_SP, 9, 0);
	a64_move_imm(&j->code, true, 0, 0);
	branch_thunk(j, THUNK_LEAVE);
}

/* r1 to r5 from the array in x0. */
static void load_args(struct arm64 *j)
{
	a64_pair(&j->code, A64_LOAD_PAIR, 2, 3, 0, 16);
	a64_transfer(&j->code, A64_LOAD, SIZE_64, 4, 0, 32);
	a64_pair(&j->code, A64_LOAD_PAIR, 0, 1, 0, 0);
}

/* entry(r1, r2, run), and callback(args, run, code): see vm_jit_callback(). */
static void checked_entries(struct arm64 *j)
{
	j->entry = j->code.count;
	thunk_enter(j, 2);
	store_run(j, A64_ZERO, RUN(fault.program));
	load_run(j, REG_FRAME, RUN(stack_low));
	j->entry_call = j->code.count;
	a64_call(&j->code);
	thunk_leave(j);
	thunk_unwind(j);
	j->callback_entry = j->code.count;
	thunk_enter(j, 1);
	a64_move(&j->code, true, REG_A, 2);
	load_run(j, REG_FRAME, RUN(frame));
	load_args(j);
	clear_registers(j, REG_R0, REG_R0);
	clear_registers(j, arm64_register(6), arm64_register(9));
	a64_call_register(&j->code, REG_A);
	a64_move(&j->code, true, 0, REG_R0);
	branch_thunk(j, THUNK_LEAVE);
}

static void verified_leave(struct arm64 *j)
{
	a64_move(&j->code, true, 0, REG_R0);
	a64_pair(&j->code, A64_POP_PAIR, REG_RUN, A64_LINK, A64_SP, 16);
	a64_return(&j->code);
}

static void verified_entries(struct arm64 *j)
{
	j->callback_entry = j->code.count;
	a64_pair(&j->code, A64_PUSH_PAIR, REG_RUN, A64_LINK, A64_SP, -16);
	a64_move(&j->code, true, REG_RUN, 1);
	a64_move(&j->code, true, REG_A, 2);
	load_args(j);
	a64_call_register(&j->code, REG_A);
	verified_leave(j);
	if (j->merged)
		return;
	j->entry = j->code.count;
	a64_pair(&j->code, A64_PUSH_PAIR, REG_RUN, A64_LINK, A64_SP, -16);
	a64_move(&j->code, true, REG_RUN, 2);
	j->entry_call = j->code.count;
	a64_call(&j->code);
	verified_leave(j);
}

/* ---- slow paths ---- */
/* Into the fault's registers, where they stay if it is one. Needs x9 and x10. */
static void store_registers(struct arm64 *j)
{
	a64_add_imm(&j->code, true, 9, REG_RUN, RUN(fault.registers));
	a64_pair(&j->code, A64_STORE_PAIR, REG_R0, 0, 9, 0);
	a64_pair(&j->code, A64_STORE_PAIR, 1, 2, 9, 16);
	a64_pair(&j->code, A64_STORE_PAIR, 3, 4, 9, 32);
	a64_pair(&j->code, A64_STORE_PAIR, arm64_register(6), arm64_register(7), 9, 48);
	a64_pair(&j->code, A64_STORE_PAIR, arm64_register(8), arm64_register(9), 9, 64);
	a64_add_imm(&j->code, true, 10, REG_FRAME, PICKET_STACK_BYTES);
	a64_transfer(&j->code, A64_STORE, SIZE_64, 10, 9, 80);
	store_run(j, 10, RUN(frame));
}

static void thunk_fault(struct arm64 *j)
{
	j->thunks[THUNK_FAULT] = j->code.count;
	store_registers(j);
	a64_move(&j->code, true, 0, REG_RUN);
	a64_move(&j->code, true, 1, REG_A);
	a64_move(&j->code, true, 2, REG_B);
	call_c(j, vm_arm64_run_fault);
	branch_thunk(j, THUNK_UNWIND);
}

static void thunk_access(struct arm64 *j)
{
	size_t branch;

	j->thunks[THUNK_ACCESS] = j->code.count;
	store_registers(j);
	a64_pair(&j->code, A64_PUSH_PAIR, REG_ADDRESS, A64_LINK, A64_SP, -16);
	a64_move(&j->code, true, 0, REG_RUN);
	a64_move(&j->code, true, 1, REG_ADDRESS);
	a64_move(&j->code, true, 2, REG_B);
	call_c(j, vm_arm64_run_access);
	a64_pair(&j->code, A64_POP_PAIR, REG_ADDRESS, A64_LINK, A64_SP, 16);
	branch = j->code.count;
	a64_branch_zero(&j->code, true, 0, false);
	a64_patch(&j->code, branch, j->thunks[THUNK_UNWIND]);
	a64_add_imm(&j->code, true, 9, REG_RUN, RUN(fault.registers));
	a64_pair(&j->code, A64_LOAD_PAIR, REG_R0, 0, 9, 0);
	a64_pair(&j->code, A64_LOAD_PAIR, 1, 2, 9, 16);
	a64_pair(&j->code, A64_LOAD_PAIR, 3, 4, 9, 32);
	a64_return(&j->code);
}

static void thunk_zero(struct arm64 *j)
{
	j->thunks[THUNK_ZERO] = j->code.count;
	a64_zero_vector(&j->code);
	for (unsigned i = 0; i < PICKET_STACK_BYTES; i += 32)
		a64_store_vectors(&j->code, REG_FRAME, i);
	a64_return(&j->code);
}

/* ---- calls out of the program, where r0 to r5 are kept on the machine's stack in case of a fault ---- */
enum { KEPT_NOTE = 48, KEPT_LINK = 56, KEPT_BYTES = 64 };

static void keep_args(struct arm64 *j)
{
	a64_pair(&j->code, A64_PUSH_PAIR, REG_R0, 0, A64_SP, -KEPT_BYTES);
	a64_pair(&j->code, A64_STORE_PAIR, 1, 2, A64_SP, 16);
	a64_pair(&j->code, A64_STORE_PAIR, 3, 4, A64_SP, 32);
	a64_pair(&j->code, A64_STORE_PAIR, REG_B, A64_LINK, A64_SP, KEPT_NOTE);
	if (!j->checked)
		return;
	a64_add_imm(&j->code, true, 9, REG_FRAME, PICKET_STACK_BYTES);
	store_run(j, 9, RUN(frame));
	store_run(j, REG_BUDGET, RUN(budget));
}

/* Takes back r0 to r5, note and link. */
static void restore_args(struct arm64 *j)
{
	a64_pair(&j->code, A64_LOAD_PAIR, 1, 2, A64_SP, 16);
	a64_pair(&j->code, A64_LOAD_PAIR, 3, 4, A64_SP, 32);
	a64_pair(&j->code, A64_LOAD_PAIR, REG_B, A64_LINK, A64_SP, KEPT_NOTE);
	a64_pair(&j->code, A64_POP_PAIR, REG_R0, 0, A64_SP, KEPT_BYTES);
}

static void forget_args(struct arm64 *j)
{
	a64_transfer(&j->code, A64_LOAD, SIZE_64, A64_LINK, A64_SP, KEPT_LINK);
	a64_add_imm(&j->code, true, A64_SP, A64_SP, KEPT_BYTES);
}

/* After the call: the budget may have shrunk in callbacks. If there is a fault, it is at this call unless a callback has
 * told more about it. */
static void leave_on_fault(struct arm64 *j)
{
	size_t fine, branch;

	load_run(j, REG_BUDGET, RUN(budget));
	a64_transfer(&j->code, A64_LOAD, SIZE_32, 9, REG_RUN, (unsigned)RUN(fault.kind));
	fine = j->code.count;
	a64_branch_zero(&j->code, false, 9, false);
	load_run(j, 9, RUN(fault.program));
	branch = j->code.count;
	a64_branch_zero(&j->code, true, 9, true);
	a64_patch(&j->code, branch, j->thunks[THUNK_UNWIND]);
	restore_args(j);
	branch_thunk(j, THUNK_FAULT);
	vm_arm64_land(j, fine);
}

static void thunk_helper(struct arm64 *j)
{
	j->thunks[THUNK_HELPER] = j->code.count;
	keep_args(j);
	for (unsigned r = 6; r >= 2; r--)
		a64_move(&j->code, true, r, r - 2);
	a64_move(&j->code, true, 1, REG_A);
	a64_move(&j->code, true, 0, REG_RUN);
	call_c(j, vm_arm64_run_helper);
	leave_on_fault(j);
	a64_move(&j->code, true, REG_R0, 0);
	clear_args(j);
	forget_args(j);
	a64_return(&j->code);
}

static void thunk_tail_call(struct arm64 *j)
{
	size_t taken;

	j->thunks[THUNK_TAIL_CALL] = j->code.count;
	keep_args(j);
	a64_move(&j->code, true, 0, REG_RUN);
	call_c(j, vm_arm64_run_tail_call);
	leave_on_fault(j);
	a64_move(&j->code, true, REG_A, 0);
	forget_args(j);
	taken = j->code.count;
	a64_branch_zero(&j->code, true, REG_A, true);
	a64_move_imm(&j->code, true, REG_R0, (uint64_t)-ENOENT);
	clear_args(j);
	vm_arm64_land(j, taken);
	a64_return(&j->code);
}

static void restore_program(struct arm64 *j)
{
	a64_move_imm(&j->code, true, 9, (uintptr_t)j->program);
	store_run(j, 9, RUN(program));
}

/* Function 0 takes r6 to r9 for its own, and may go on in another program. */
static void call_function_0(struct arm64 *j, size_t *ret_call)
{
	a64_pair(&j->code, A64_PUSH_PAIR, arm64_register(6), arm64_register(7), A64_SP, -48);
	a64_pair(&j->code, A64_STORE_PAIR, arm64_register(8), arm64_register(9), A64_SP, 16);
	a64_pair(&j->code, A64_STORE_PAIR, A64_LINK, A64_ZERO, A64_SP, 32);
	if (ret_call) {
		*ret_call = j->code.count;
		a64_call(&j->code);
	} else {
		a64_call_register(&j->code, REG_A);
	}
	restore_program(j);
	for (size_t i = 0; i < VM_WINDOWS; i++) {
		store_run(j, A64_ZERO, RUN(read[i].size));
		store_run(j, A64_ZERO, RUN(write[i].size));
	}
	a64_pair(&j->code, A64_LOAD_PAIR, A64_LINK, A64_ZERO, A64_SP, 32);
	a64_pair(&j->code, A64_LOAD_PAIR, arm64_register(8), arm64_register(9), A64_SP, 16);
	a64_pair(&j->code, A64_POP_PAIR, arm64_register(6), arm64_register(7), A64_SP, 48);
	a64_return(&j->code);
}

static void call_function_at_9(struct arm64 *j)
{
	if (!j->checked) {
		a64_branch_register(&j->code, 9);
		return;
	}
	a64_pair(&j->code, A64_PUSH_PAIR, A64_LINK, A64_ZERO, A64_SP, -16);
	a64_add_imm(&j->code, true, REG_FRAME, REG_FRAME, PICKET_STACK_BYTES);
	a64_call_register(&j->code, 9);
	a64_add_imm(&j->code, true, REG_FRAME, REG_FRAME, -PICKET_STACK_BYTES);
	a64_pair(&j->code, A64_POP_PAIR, A64_LINK, A64_ZERO, A64_SP, 16);
	a64_return(&j->code);
}

static void call_helper_at_10(struct arm64 *j)
{
	if (j->checked) {
		a64_move(&j->code, true, REG_A, 10);
		branch_thunk(j, THUNK_HELPER);
		return;
	}
	a64_pair(&j->code, A64_PUSH_PAIR, A64_LINK, A64_ZERO, A64_SP, -16);
	a64_transfer(&j->code, A64_LOAD, SIZE_64, REG_A, 10, offsetof(struct picket_helper, function));
	a64_move(&j->code, true, 5, REG_RUN);
	a64_call_register(&j->code, REG_A);
	a64_move(&j->code, true, REG_R0, 0);
	a64_pair(&j->code, A64_POP_PAIR, A64_LINK, A64_ZERO, A64_SP, 16);
	a64_return(&j->code);
}

static void thunk_callx(struct arm64 *j)
{
	size_t function, helper;

	j->thunks[THUNK_CALLX] = j->code.count;
	keep_args(j);
	a64_move(&j->code, true, 0, REG_RUN);
	a64_move(&j->code, true, 1, REG_A);
	call_c(j, vm_arm64_run_callx);
	if (j->checked)
		load_run(j, REG_BUDGET, RUN(budget));
	a64_move(&j->code, true, 9, 0);
	a64_move(&j->code, true, 10, 1);
	restore_args(j);
	function = j->code.count;
	a64_branch_zero(&j->code, true, 9, true);
	helper = j->code.count;
	a64_branch_zero(&j->code, true, 10, true);
	if (j->checked) {
		branch_thunk(j, THUNK_FAULT);
	} else {
		a64_move_imm(&j->code, true, REG_R0, 0);
		a64_return(&j->code);
	}
	vm_arm64_land(j, function);
	call_function_at_9(j);
	vm_arm64_land(j, helper);
	call_helper_at_10(j);
}

void vm_arm64_thunks(struct arm64 *j)
{
	if (!j->checked) {
		verified_entries(j);
		if (j->callx)
			thunk_callx(j);
		return;
	}
	checked_entries(j);
	thunk_fault(j);
	thunk_access(j);
	thunk_zero(j);
	thunk_helper(j);
	thunk_tail_call(j);
	if (j->callx)
		thunk_callx(j);
	j->thunks[THUNK_HOOK] = j->code.count;
	call_function_0(j, NULL);
}

/* ---- stubs ---- */
void vm_arm64_add_stub(struct arm64 *j, size_t branch, size_t back, uint32_t note, unsigned base, int64_t offset)
{
	if (j->code.error)
		return;
	j->stubs[j->stub_count++] = (struct arm64_stub){(uint32_t)branch, (uint32_t)back, note, (uint8_t)base, offset};
}

static void emit_stub(struct arm64 *j, const struct arm64_stub *s)
{
	size_t branch;

	vm_arm64_land(j, s->branch);
	a64_move_imm(&j->code, false, REG_B, s->note);
	if (!s->back) {
		a64_move_imm(&j->code, true, REG_A, 0);
		branch_thunk(j, THUNK_FAULT);
		return;
	}
	if (s->base != REG_ADDRESS && !a64_add_imm(&j->code, true, REG_ADDRESS, s->base, s->offset)) {
		a64_move_imm(&j->code, true, REG_ADDRESS, (uint64_t)s->offset);
		a64_arith(&j->code, A64_ADD, true, REG_ADDRESS, s->base, REG_ADDRESS);
	}
	call_thunk(j, THUNK_ACCESS);
	branch = j->code.count;
	a64_branch(&j->code);
	a64_patch(&j->code, branch, s->back);
}

void vm_arm64_flush_stubs(struct arm64 *j)
{
	for (size_t i = 0; i < j->stub_count; i++)
		emit_stub(j, &j->stubs[i]);
	j->stub_count = 0;
}

/* ---- calls ---- */
static void call_with_note(struct arm64 *j, enum arm64_thunk thunk)
{
	if (j->checked)
		a64_move_imm(&j->code, false, REG_B, vm_arm64_note(j, PICKET_FAULT_NONE));
	call_thunk(j, thunk);
}

/* Function 0 makes room for the other program's. Any other stays below it, to set right what it changes: so there are
 * never more frames on the machine's stack than functions of one program. */
static void checked_tail_call(struct arm64 *j)
{
	size_t on;

	call_with_note(j, THUNK_TAIL_CALL);
	on = j->code.count;
	a64_branch_zero(&j->code, true, REG_A, false);
	if (j->function == j->ops->functions) {
		drop_frame(j);
		a64_branch_register(&j->code, REG_A);
	} else {
		call_thunk(j, THUNK_HOOK);
		vm_arm64_exit(j);
	}
	vm_arm64_land(j, on);
}

static void verified_tail_call(struct arm64 *j)
{
	size_t taken, on;

	a64_move(&j->code, true, 0, REG_RUN);
	call_c(j, vm_arm64_run_tail_call);
	taken = j->code.count;
	a64_branch_zero(&j->code, true, 0, true);
	a64_move_imm(&j->code, true, REG_R0, (uint64_t)-ENOENT);
	on = j->code.count;
	a64_branch(&j->code);
	vm_arm64_land(j, taken);
	a64_move(&j->code, true, REG_A, 0);
	a64_move(&j->code, true, 2, REG_RUN);
	a64_pair(&j->code, A64_LOAD_PAIR, 0, 1, REG_RUN, RUN(data));
	if (j->merged && j->function == j->ops->functions) {
		drop_frame(j);
		a64_branch_register(&j->code, REG_A);
	} else {
		a64_call_register(&j->code, REG_A);
		a64_move(&j->code, true, REG_R0, 0);
		restore_program(j);
		vm_arm64_exit(j);
	}
	vm_arm64_land(j, on);
}

/* r0 = index < max_entries ? values + index * stride : NULL */
static void array_lookup(struct arm64 *j, const struct picket_map *m)
{
	a64_transfer(&j->code, A64_LOAD, SIZE_32, REG_R0, arm64_register(2), 0);
	a64_move_imm(&j->code, true, REG_A, (uintptr_t)m->values);
	if (m->stride & (m->stride - 1)) {
		a64_move_imm(&j->code, true, REG_B, m->stride);
		a64_multiply_add(&j->code, true, REG_A, REG_R0, REG_B, REG_A);
	} else {
		a64_arith_shifted(&j->code, A64_ADD, true, REG_A, REG_A, REG_R0, (unsigned)__builtin_ctz(m->stride));
	}
	a64_move_imm(&j->code, false, REG_B, m->max_entries);
	a64_arith(&j->code, A64_SUB_FLAGS, false, A64_ZERO, REG_R0, REG_B);
	a64_select(&j->code, true, REG_R0, REG_A, A64_ZERO, A64_LO);
}

static bool inline_lookup(struct arm64 *j)
{
	const struct picket_map *m;
	const struct vm_op *from;

	if (j->op->imm != BPF_FUNC_map_lookup_elem || j->hint->map >= j->ops->count)
		return false;
	if (j->checked && j->hint->check != VM_CHECK_NONE)
		return false;
	from = &j->ops->ops[j->hint->map];
	if (from->op != VM_LDDW_MAP)
		return false;
	m = (const struct picket_map *)(uintptr_t)from->imm;
	if (m->spec.type != BPF_MAP_TYPE_ARRAY || !m->stride)
		return false;
	array_lookup(j, m);
	if (j->checked)
		clear_args(j);
	return true;
}

void vm_arm64_call_helper(struct arm64 *j)
{
	const struct picket_helper *helper;

	if (j->op->imm == VM_HELPER_TAIL_CALL) {
		if (j->checked)
			checked_tail_call(j);
		else
			verified_tail_call(j);
		return;
	}
	if (inline_lookup(j))
		return;
	helper = vm_helper_find((uint32_t)j->op->imm, j->program->helpers, j->program->helper_count);
	if (j->checked) {
		a64_move_imm(&j->code, true, REG_A, (uintptr_t)helper);
		call_with_note(j, THUNK_HELPER);
	} else {
		a64_move(&j->code, true, 5, REG_RUN);
		call_c(j, (const void *)helper->function);
		a64_move(&j->code, true, REG_R0, 0);
	}
}

static uint32_t function_slots_at(const struct arm64 *j, uint32_t first)
{
	uint32_t low = 0, high = (uint32_t)j->ops->function_count;

	while (high - low > 1) {
		uint32_t middle = low + (high - low) / 2;
		if (j->ops->functions[middle].first <= first)
			low = middle;
		else
			high = middle;
	}
	return vm_function_slots(j->program, low);
}

void vm_arm64_call_local(struct arm64 *j)
{
	size_t branch;

	if (j->checked) {
		a64_arith(&j->code, A64_SUB_FLAGS, true, A64_ZERO, REG_FRAME, REG_LAST_FRAME);
		branch = j->code.count;
		a64_branch_if(&j->code, A64_HS);
		vm_arm64_add_stub(j, branch, 0, vm_arm64_note(j, PICKET_FAULT_FRAMES), A64_ZERO, 0);
		vm_arm64_charge(j, function_slots_at(j, j->op->target));
		branch = j->code.count;
		a64_branch_if(&j->code, A64_MI);
		vm_arm64_add_stub(j, branch, 0, vm_arm64_note(j, PICKET_FAULT_BUDGET), A64_ZERO, 0);
		a64_add_imm(&j->code, true, REG_FRAME, REG_FRAME, PICKET_STACK_BYTES);
	}
	j->place->branch = (uint32_t)j->code.count;
	a64_call(&j->code);
	if (j->checked)
		a64_add_imm(&j->code, true, REG_FRAME, REG_FRAME, -PICKET_STACK_BYTES);
}

void vm_arm64_call_register(struct arm64 *j)
{
	a64_move(&j->code, true, REG_A, vm_arm64_read(j, j->op->dst, REG_A));
	call_with_note(j, THUNK_CALLX);
}

/* The entry of tail calls, and that of calls of function 0, which stand before it. */
void vm_arm64_function_0_entries(struct arm64 *j)
{
	size_t call;

	if (!j->checked)
		return;
	if (!j->hints.entry_only) {
		j->place->entry = (uint32_t)j->code.count;
		call_function_0(j, &call);
	}
	j->tail_entry = j->code.count;
	a64_move(&j->code, true, arm64_register(1), REG_DATA);
	a64_move(&j->code, true, arm64_register(2), REG_LENGTH);
	clear_registers(j, arm64_register(3), arm64_register(5));
	clear_registers(j, REG_R0, REG_R0);
	clear_registers(j, arm64_register(6), arm64_register(9));
	if (!j->hints.entry_only)
		vm_arm64_land(j, call);
}
#endif
