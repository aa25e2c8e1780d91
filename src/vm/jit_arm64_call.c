/* SPDX-License-Identifier: Apache-2.0
 *
 * Functions' frames, stubs, and calls.
 */
#ifdef __aarch64__
#include <errno.h>
#include <linux/bpf.h>
#include "vm/jit_arm64_int.h"

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
	} else if (uses_frame(j) || j->function->calls || j->function->accesses) {
		arm64_call_thunk(j, THUNK_ZERO);
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
		arm64_clear_args(j);
	else if (j->merged && j->function == j->ops->functions)
		a64_move(&j->code, true, 0, REG_R0);
	drop_frame(j);
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
		arm64_branch_thunk(j, THUNK_FAULT);
		return;
	}
	if (s->base != REG_ADDRESS && !a64_add_imm(&j->code, true, REG_ADDRESS, s->base, s->offset)) {
		a64_move_imm(&j->code, true, REG_ADDRESS, (uint64_t)s->offset);
		a64_arith(&j->code, A64_ADD, true, REG_ADDRESS, s->base, REG_ADDRESS);
	}
	arm64_call_thunk(j, THUNK_ACCESS);
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
	arm64_call_thunk(j, thunk);
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
		arm64_call_thunk(j, THUNK_HOOK);
		vm_arm64_exit(j);
	}
	vm_arm64_land(j, on);
}

static void verified_tail_call(struct arm64 *j)
{
	size_t taken, on;

	a64_move(&j->code, true, 0, REG_RUN);
	arm64_call_c(j, vm_arm64_run_tail_call);
	taken = j->code.count;
	a64_branch_zero(&j->code, true, 0, true);
	a64_move_imm(&j->code, true, REG_R0, (uint64_t)-ENOENT);
	on = j->code.count;
	a64_branch(&j->code);
	vm_arm64_land(j, taken);
	a64_move(&j->code, true, REG_A, 0);
	a64_move(&j->code, true, 2, REG_RUN);
	a64_pair(&j->code, A64_LOAD_PAIR, 0, 1, REG_RUN, ARM64_RUN(data));
	if (j->merged && j->function == j->ops->functions) {
		drop_frame(j);
		a64_branch_register(&j->code, REG_A);
	} else {
		a64_call_register(&j->code, REG_A);
		a64_move(&j->code, true, REG_R0, 0);
		arm64_restore_program(j);
		vm_arm64_exit(j);
	}
	vm_arm64_land(j, on);
}

/* r0 = index < max_entries ? values + index * stride : NULL */
static void array_lookup(struct arm64 *j, const struct picket_map *m)
{
	a64_transfer(&j->code, A64_LOAD, ARM64_SIZE_32, REG_R0, arm64_register(2), 0);
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
		arm64_clear_args(j);
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
		arm64_call_c(j, (const void *)helper->function);
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
#endif
