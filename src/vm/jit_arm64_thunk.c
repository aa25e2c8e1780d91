/* SPDX-License-Identifier: Apache-2.0
 *
 * Ways in and out, slow paths, and calls that need more than a few instructions: once for each program.
 */
#ifdef __aarch64__
#include <errno.h>
#include "vm/jit_arm64_int.h"

/* ---- from and to C: checked code saves all registers that C wants to be kept, and remembers where ---- */
enum { ENTRY_UNWIND = 96, ENTRY_BYTES = 112 };

static void thunk_enter(struct arm64 *j, unsigned run)
{
	a64_pair(&j->code, A64_PUSH_PAIR, 29, A64_LINK, A64_SP, -ENTRY_BYTES);
	for (unsigned r = 19; r <= 27; r += 2)
		a64_pair(&j->code, A64_STORE_PAIR, r, r + 1, A64_SP, (int)(r - 17) * 8);
	a64_move(&j->code, true, REG_RUN, run);
	arm64_load_run(j, 9, ARM64_RUN(unwind));
	a64_transfer(&j->code, A64_STORE, ARM64_SIZE_64, 9, A64_SP, ENTRY_UNWIND);
	a64_add_imm(&j->code, true, 9, A64_SP, 0);
	arm64_store_run(j, 9, ARM64_RUN(unwind));
	arm64_load_run(j, REG_BUDGET, ARM64_RUN(budget));
	a64_pair(&j->code, A64_LOAD_PAIR, REG_DATA, REG_LENGTH, REG_RUN, ARM64_RUN(data));
	arm64_load_run(j, REG_LAST_FRAME, ARM64_RUN(stack_high));
	a64_add_imm(&j->code, true, REG_LAST_FRAME, REG_LAST_FRAME, -PICKET_STACK_BYTES);
}

static void thunk_leave(struct arm64 *j)
{
	a64_move(&j->code, true, 0, REG_R0);
	j->thunks[THUNK_LEAVE] = j->code.count;
	arm64_store_run(j, REG_BUDGET, ARM64_RUN(budget));
	a64_transfer(&j->code, A64_LOAD, ARM64_SIZE_64, 9, A64_SP, ENTRY_UNWIND);
	arm64_store_run(j, 9, ARM64_RUN(unwind));
	for (unsigned r = 19; r <= 27; r += 2)
		a64_pair(&j->code, A64_LOAD_PAIR, r, r + 1, A64_SP, (int)(r - 17) * 8);
	a64_pair(&j->code, A64_POP_PAIR, 29, A64_LINK, A64_SP, ENTRY_BYTES);
	a64_return(&j->code);
}

static void thunk_unwind(struct arm64 *j)
{
	j->thunks[THUNK_UNWIND] = j->code.count;
	arm64_load_run(j, 9, ARM64_RUN(unwind));
	a64_add_imm(&j->code, true, A64_SP, 9, 0);
	a64_move_imm(&j->code, true, 0, 0);
	arm64_branch_thunk(j, THUNK_LEAVE);
}

/* r1 to r5 from the array in x0. */
static void load_args(struct arm64 *j)
{
	a64_pair(&j->code, A64_LOAD_PAIR, 2, 3, 0, 16);
	a64_transfer(&j->code, A64_LOAD, ARM64_SIZE_64, 4, 0, 32);
	a64_pair(&j->code, A64_LOAD_PAIR, 0, 1, 0, 0);
}

/* entry(r1, r2, run), and callback(args, run, code): see vm_jit_callback(). */
static void checked_entries(struct arm64 *j)
{
	j->entry = j->code.count;
	thunk_enter(j, 2);
	arm64_store_run(j, A64_ZERO, ARM64_RUN(fault.program));
	arm64_load_run(j, REG_FRAME, ARM64_RUN(stack_low));
	j->entry_call = j->code.count;
	a64_call(&j->code);
	thunk_leave(j);
	thunk_unwind(j);
	j->callback_entry = j->code.count;
	thunk_enter(j, 1);
	a64_move(&j->code, true, REG_A, 2);
	arm64_load_run(j, REG_FRAME, ARM64_RUN(frame));
	load_args(j);
	arm64_clear_registers(j, REG_R0, REG_R0);
	arm64_clear_registers(j, arm64_register(6), arm64_register(9));
	a64_call_register(&j->code, REG_A);
	a64_move(&j->code, true, 0, REG_R0);
	arm64_branch_thunk(j, THUNK_LEAVE);
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
	a64_add_imm(&j->code, true, 9, REG_RUN, ARM64_RUN(fault.registers));
	a64_pair(&j->code, A64_STORE_PAIR, REG_R0, 0, 9, 0);
	a64_pair(&j->code, A64_STORE_PAIR, 1, 2, 9, 16);
	a64_pair(&j->code, A64_STORE_PAIR, 3, 4, 9, 32);
	a64_pair(&j->code, A64_STORE_PAIR, arm64_register(6), arm64_register(7), 9, 48);
	a64_pair(&j->code, A64_STORE_PAIR, arm64_register(8), arm64_register(9), 9, 64);
	a64_add_imm(&j->code, true, 10, REG_FRAME, PICKET_STACK_BYTES);
	a64_transfer(&j->code, A64_STORE, ARM64_SIZE_64, 10, 9, 80);
	arm64_store_run(j, 10, ARM64_RUN(frame));
}

static void thunk_fault(struct arm64 *j)
{
	j->thunks[THUNK_FAULT] = j->code.count;
	store_registers(j);
	a64_move(&j->code, true, 0, REG_RUN);
	a64_move(&j->code, true, 1, REG_A);
	a64_move(&j->code, true, 2, REG_B);
	arm64_call_c(j, vm_arm64_run_fault);
	arm64_branch_thunk(j, THUNK_UNWIND);
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
	arm64_call_c(j, vm_arm64_run_access);
	a64_pair(&j->code, A64_POP_PAIR, REG_ADDRESS, A64_LINK, A64_SP, 16);
	branch = j->code.count;
	a64_branch_zero(&j->code, true, 0, false);
	a64_patch(&j->code, branch, j->thunks[THUNK_UNWIND]);
	a64_add_imm(&j->code, true, 9, REG_RUN, ARM64_RUN(fault.registers));
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
	arm64_store_run(j, 9, ARM64_RUN(frame));
	arm64_store_run(j, REG_BUDGET, ARM64_RUN(budget));
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
	a64_transfer(&j->code, A64_LOAD, ARM64_SIZE_64, A64_LINK, A64_SP, KEPT_LINK);
	a64_add_imm(&j->code, true, A64_SP, A64_SP, KEPT_BYTES);
}

/* After the call: the budget may have shrunk in callbacks. If there is a fault, it is at this call unless a callback has
 * told more about it. */
static void leave_on_fault(struct arm64 *j)
{
	size_t fine, branch;

	arm64_load_run(j, REG_BUDGET, ARM64_RUN(budget));
	a64_transfer(&j->code, A64_LOAD, ARM64_SIZE_32, 9, REG_RUN, (unsigned)ARM64_RUN(fault.kind));
	fine = j->code.count;
	a64_branch_zero(&j->code, false, 9, false);
	arm64_load_run(j, 9, ARM64_RUN(fault.program));
	branch = j->code.count;
	a64_branch_zero(&j->code, true, 9, true);
	a64_patch(&j->code, branch, j->thunks[THUNK_UNWIND]);
	restore_args(j);
	arm64_branch_thunk(j, THUNK_FAULT);
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
	arm64_call_c(j, vm_arm64_run_helper);
	leave_on_fault(j);
	a64_move(&j->code, true, REG_R0, 0);
	arm64_clear_args(j);
	forget_args(j);
	a64_return(&j->code);
}

static void thunk_tail_call(struct arm64 *j)
{
	size_t taken;

	j->thunks[THUNK_TAIL_CALL] = j->code.count;
	keep_args(j);
	a64_move(&j->code, true, 0, REG_RUN);
	arm64_call_c(j, vm_arm64_run_tail_call);
	leave_on_fault(j);
	a64_move(&j->code, true, REG_A, 0);
	forget_args(j);
	taken = j->code.count;
	a64_branch_zero(&j->code, true, REG_A, true);
	a64_move_imm(&j->code, true, REG_R0, (uint64_t)-ENOENT);
	arm64_clear_args(j);
	vm_arm64_land(j, taken);
	a64_return(&j->code);
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
	arm64_restore_program(j);
	for (size_t i = 0; i < VM_WINDOWS; i++) {
		arm64_store_run(j, A64_ZERO, ARM64_RUN(read[i].size));
		arm64_store_run(j, A64_ZERO, ARM64_RUN(write[i].size));
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
		arm64_branch_thunk(j, THUNK_HELPER);
		return;
	}
	a64_pair(&j->code, A64_PUSH_PAIR, A64_LINK, A64_ZERO, A64_SP, -16);
	a64_transfer(&j->code, A64_LOAD, ARM64_SIZE_64, REG_A, 10, offsetof(struct picket_helper, function));
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
	arm64_call_c(j, vm_arm64_run_callx);
	if (j->checked)
		arm64_load_run(j, REG_BUDGET, ARM64_RUN(budget));
	a64_move(&j->code, true, 9, 0);
	a64_move(&j->code, true, 10, 1);
	restore_args(j);
	function = j->code.count;
	a64_branch_zero(&j->code, true, 9, true);
	helper = j->code.count;
	a64_branch_zero(&j->code, true, 10, true);
	if (j->checked) {
		arm64_branch_thunk(j, THUNK_FAULT);
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
	arm64_clear_registers(j, arm64_register(3), arm64_register(5));
	arm64_clear_registers(j, REG_R0, REG_R0);
	arm64_clear_registers(j, arm64_register(6), arm64_register(9));
	if (!j->hints.entry_only)
		vm_arm64_land(j, call);
}
#endif
