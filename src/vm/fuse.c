/* SPDX-License-Identifier: Apache-2.0
 *
 * Merges neighbouring ops of one basic block. What is merged leaves every register as the single ops do, also those that
 * nothing reads any more: so what an engine does with the result shows in no fault and no callee. That is why a load is
 * merged with the address before it only if it loads into the register that the address was made in.
 */
#include <stdlib.h>
#include "vm/vm_int.h"

/* Each rule makes *first do what both did, but for slots and insn, or leaves it as it is and returns false. Both write the
 * same register. */

/* mov d, s; add d, imm */
static bool fuse_add_imm(struct vm_op *first, const struct vm_op *second)
{
	if (first->op != VM_MOV64_REG)
		return false;
	first->op = VM_LEA_IMM;
	first->imm = second->imm;
	return true;
}

/* mov d, s; add d, x. With x = d it is s + s. */
static bool fuse_add_reg(struct vm_op *first, const struct vm_op *second)
{
	if (first->op != VM_MOV64_REG)
		return false;
	first->op = VM_LEA_REG;
	first->index = second->src == second->dst ? first->src : second->src;
	return true;
}

/* lea d, s + x (or add d, x); ldx d, [d + offset] */
static bool fuse_load(struct vm_op *first, const struct vm_op *second, enum vm_opcode indexed)
{
	if (second->src != second->dst || (first->op != VM_LEA_REG && first->op != VM_ADD64_REG))
		return false;
	if (first->op == VM_ADD64_REG) {
		first->index = first->src;
		first->src = first->dst;
	}
	first->op = indexed;
	first->offset = second->offset;
	return true;
}

/* lsh d, 32; rsh d, 32 (or arsh): how compilers without 32-bit instructions cut off the upper half. */
static bool fuse_extension(struct vm_op *first, const struct vm_op *second, enum vm_opcode move)
{
	if (first->op != VM_LSH64_IMM || first->imm != 32 || second->imm != 32)
		return false;
	first->op = move;
	first->src = first->dst;
	first->imm = 0;
	return true;
}

/* mov d, s; mov32 d, d (or movsx): what fuse_extension() leaves of three. */
static bool fuse_extended_move(struct vm_op *first, const struct vm_op *second)
{
	if (first->op != VM_MOV64_REG || second->src != second->dst)
		return false;
	first->op = second->op;
	return true;
}

static bool fuse_by_rule(struct vm_op *first, const struct vm_op *second)
{
	switch (second->op) {
	case VM_ADD64_IMM:
		return fuse_add_imm(first, second);
	case VM_ADD64_REG:
		return fuse_add_reg(first, second);
	case VM_LDXB:
		return fuse_load(first, second, VM_LDXB_INDEXED);
	case VM_LDXH:
		return fuse_load(first, second, VM_LDXH_INDEXED);
	case VM_LDXW:
		return fuse_load(first, second, VM_LDXW_INDEXED);
	case VM_LDXDW:
		return fuse_load(first, second, VM_LDXDW_INDEXED);
	case VM_RSH64_IMM:
		return fuse_extension(first, second, VM_MOV32_REG);
	case VM_ARSH64_IMM:
		return fuse_extension(first, second, VM_MOVSX32_64);
	case VM_MOV32_REG:
	case VM_MOVSX32_64:
		return fuse_extended_move(first, second);
	default:
		return false;
	}
}

/* At most three ops become one. */
static bool fuse_pair(struct vm_op *first, const struct vm_op *second)
{
	if (second->flags & VM_OP_LEADER || first->dst != second->dst || !fuse_by_rule(first, second))
		return false;
	first->slots += second->slots;
	first->insn = second->insn;
	return true;
}

/* Drops merged ops and closes the gaps. places: where each op went. */
static size_t fuse_ops(struct vm_ops *o, uint32_t *places)
{
	size_t kept = 0;

	for (size_t i = 0; i < o->count; i++) {
		o->ops[kept] = o->ops[i];
		o->live[kept] = o->live[i];
		for (kept++; kept > 1 && fuse_pair(&o->ops[kept - 2], &o->ops[kept - 1]); kept--)
			o->live[kept - 2] = o->live[kept - 1];
		places[i] = (uint32_t)kept - 1;
	}
	return kept;
}

/* Leaders are never merged into what stands before them, so the place of a target is the target itself. */
void vm_fuse(struct vm_ops *o)
{
	_cleanup_(base_free_ptr) uint32_t *places = malloc(o->count * sizeof(*places));

	if (!places) /* then it runs as it is */
		return;
	o->count = fuse_ops(o, places);
	for (size_t i = 0; i < o->count; i++)
		if (vm_op_jumps(&o->ops[i]) || o->ops[i].op == VM_CALL_LOCAL)
			o->ops[i].target = places[o->ops[i].target];
	for (size_t i = 0; i < o->function_count; i++) {
		struct vm_function *f = &o->functions[i];
		f->first = places[f->first];
		f->end = places[f->end - 1] + 1;
	}
}
