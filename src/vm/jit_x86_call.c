/* SPDX-License-Identifier: Apache-2.0
 *
 * Calls, as compiled where they stand. What they have in common is in jit_x86_thunk.c.
 */
#if defined(__x86_64__)
#include <errno.h>
#include <linux/bpf.h>
#include "vm/jit_x86_int.h"
#include "vm/map_int.h"

/* Windows that a call may have made wrong. */
static void forget_windows(struct jit *j, size_t op)
{
	struct x86 *x = &j->x;
	struct jit_stub *s;

	if (!j->windows)
		return;
	x86_rm(x, 0x80, X86_CMP, RUN_AT(spans_lapse));
	x86_u8(x, 0);
	s = jit_stub(j, STUB_FORGET, op);
	x86_jump_if(x, CC_NOT_EQUAL, s->label);
	x86_place(x, s->back);
}

/* ---- functions ---- */
static void enter_checked(struct jit *j, size_t op, uint32_t function)
{
	struct x86 *x = &j->x;

	x86_lea(x, R10, x86_at(REG_FRAME, PICKET_STACK_BYTES));
	x86_rm(x, x86_group1_opcode(X86_CMP) | OP_W, R10, RUN_AT(stack_high));
	x86_jump_if(x, CC_ABOVE, jit_stub(j, STUB_FRAMES, op)->label);
	x86_ri(x, X86_SUB, true, REG_BUDGET, (int32_t)vm_function_slots(j->p, function));
	x86_jump_if(x, CC_SIGN, jit_stub(j, STUB_BUDGET, op)->label);
	forget_windows(j, op);
	x86_mov(x, true, REG_FRAME, R10);
}

void jit_call_local(struct jit *j, size_t i)
{
	uint32_t function = vm_function_at(j->ops, j->ops->ops[i].target);
	struct x86 *x = &j->x;

	if (!j->checked) {
		x86_call(x, j->entries + function);
		jit_after_tail_calls(j);
		return;
	}
	enter_checked(j, i, function);
	x86_call(x, j->entries + function);
	x86_lea(x, REG_FRAME, x86_at(REG_FRAME, -PICKET_STACK_BYTES));
	jit_after_tail_calls(j);
	forget_windows(j, i);
	jit_zero_arguments(j);
}

void jit_call_register(struct jit *j, size_t i)
{
	const struct vm_op *op = &j->ops->ops[i];

	x86_mov(&j->x, true, R10, jit_reg(op->dst));
	if (j->checked)
		x86_constant(&j->x, R9, op->insn, true);
	x86_call(&j->x, jit_thunk(j, THUNK_CALL));
}

/* ---- helpers ---- */
static void call_tail(struct jit *j, size_t i)
{
	struct x86 *x = &j->x;
	uint32_t stay = x86_new_label(x);

	x86_constant(x, R9, j->ops->ops[i].insn, true);
	x86_call(x, jit_thunk(j, THUNK_TAIL_CALL));
	x86_rr(x, 0x85 | OP_W, R10, R10);
	x86_jump_if(x, CC_EQUAL, stay);
	if (!j->checked)
		x86_mov(x, true, R9, REG_RUN);
	jit_leave_frame(j);
	if (j->checked && !(j->hints.entry_only && j->function == j->ops->functions))
		x86_jump(x, jit_thunk(j, THUNK_TAIL_JUMP));
	else
		x86_indirect(x, X86_INDIRECT_JUMP, R10);
	x86_place(x, stay);
}

/* The array whose elements a call looks up, if that needs no call. */
static const struct picket_map *looked_up_array(const struct jit *j, size_t i)
{
	const struct vm_hint *hint = j->hints.of ? &j->hints.of[i] : NULL;
	const struct picket_map *m;

	if (!hint || j->ops->ops[i].op != VM_CALL_HELPER || j->ops->ops[i].imm != BPF_FUNC_map_lookup_elem ||
	    hint->map == UINT32_MAX || (j->checked && hint->check != VM_CHECK_NONE))
		return NULL;
	m = (const struct picket_map *)(uintptr_t)j->ops->ops[hint->map].imm;
	return m->spec.type == BPF_MAP_TYPE_ARRAY && m->stride <= INT32_MAX ? m : NULL;
}

bool jit_is_inline(const struct jit *j, size_t op)
{
	return looked_up_array(j, op);
}

static void look_up_array(struct jit *j, size_t i, const struct picket_map *m)
{
	struct jit_stub *s = jit_stub(j, STUB_NOT_FOUND, i);
	struct x86 *x = &j->x;

	x86_rm(x, 0x8b, RAX, x86_at(jit_reg(2), 0));
	x86_ri(x, X86_CMP, false, RAX, (int32_t)m->max_entries);
	x86_jump_if(x, CC_ABOVE_EQUAL, s->label);
	if (m->stride & (m->stride - 1)) {
		x86_rr(x, 0x69 | OP_W, RAX, RAX);
		x86_u32(x, m->stride);
	} else {
		x86_rr(x, 0xc1 | OP_W, 4, RAX);
		x86_u8(x, (unsigned)__builtin_ctz(m->stride));
	}
	x86_constant(x, R10, (uintptr_t)m->values, true);
	x86_rr(x, x86_group1_opcode(X86_ADD) | OP_W, RAX, R10);
	x86_place(x, s->back);
	if (j->checked)
		jit_zero_arguments(j);
}

void jit_call_helper(struct jit *j, size_t i)
{
	const struct vm_op *op = &j->ops->ops[i];
	const struct picket_map *array = looked_up_array(j, i);
	const struct picket_helper *helper = vm_helper_find((uint32_t)op->imm, j->p->helpers, j->p->helper_count);
	struct x86 *x = &j->x;

	if (array) {
		look_up_array(j, i, array);
	} else if (op->imm == VM_HELPER_TAIL_CALL) {
		call_tail(j, i);
	} else if (j->checked) {
		x86_constant(x, R10, (uintptr_t)helper, true);
		x86_constant(x, R9, op->insn, true);
		x86_call(x, jit_thunk(j, THUNK_HELPER));
	} else {
		x86_mov(x, true, R9, REG_RUN);
		x86_constant(x, RAX, (uintptr_t)helper->function, true);
		x86_indirect(x, X86_INDIRECT_CALL, RAX);
	}
}
#endif
