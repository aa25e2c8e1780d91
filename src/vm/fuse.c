/* SPDX-License-Identifier: Apache-2.0
 *
 * Merges neighbouring ops of one basic block. What is merged leaves every register as the single ops do, also those that
 * nothing reads any more: so what an engine does with the result shows in no fault and no callee. That is why a load is
 * merged with the address before it only if it loads into the register that the address was made in.
 */
#include <stdlib.h>
#include "vm/vm_int.h"

struct fuse {
	const struct vm_op *first, *second;
	struct vm_op merged; /* as first, with the second's slots and insn; rules change it */
};

/* mov d, s; add d, imm */
static bool fuse_add_imm(struct fuse *f)
{
	if (f->second->op != VM_ADD64_IMM || f->first->op != VM_MOV64_REG)
		return false;
	f->merged.op = VM_LEA_IMM;
	f->merged.imm = f->second->imm;
	return true;
}

/* mov d, s; add d, x. With x = d it is s + s. */
static bool fuse_add_reg(struct fuse *f)
{
	if (f->second->op != VM_ADD64_REG || f->first->op != VM_MOV64_REG)
		return false;
	f->merged.op = VM_LEA_REG;
	f->merged.index = f->second->src == f->second->dst ? f->first->src : f->second->src;
	return true;
}

static uint16_t load_indexed(uint16_t op)
{
	switch (op) {
	case VM_LDXW:
		return VM_LDXW_INDEXED;
	case VM_LDXH:
		return VM_LDXH_INDEXED;
	case VM_LDXB:
		return VM_LDXB_INDEXED;
	case VM_LDXDW:
		return VM_LDXDW_INDEXED;
	default:
		return 0;
	}
}

/* lea d, s + x (or add d, x); ldx d, [d + offset] */
static bool fuse_load(struct fuse *f)
{
	uint16_t op = load_indexed(f->second->op);

	if (!op || f->second->src != f->second->dst || (f->first->op != VM_LEA_REG && f->first->op != VM_ADD64_REG))
		return false;
	if (f->first->op == VM_ADD64_REG) {
		f->merged.src = f->first->dst;
		f->merged.index = f->first->src;
	}
	f->merged.op = op;
	f->merged.offset = f->second->offset;
	return true;
}

/* lsh d, 32; rsh d, 32 (or arsh): how compilers without 32-bit instructions cut off the upper half. */
static bool fuse_extension(struct fuse *f)
{
	bool sign = f->second->op == VM_ARSH64_IMM;

	if (f->first->op != VM_LSH64_IMM || (f->second->op != VM_RSH64_IMM && !sign) || f->first->imm != 32 ||
	    f->second->imm != 32)
		return false;
	f->merged.op = sign ? VM_MOVSX32_64 : VM_MOV32_REG;
	f->merged.src = f->first->dst;
	f->merged.imm = 0;
	return true;
}

/* mov d, s; mov32 d, d (or movsx): what fuse_extension() leaves of three. */
static bool fuse_extended_move(struct fuse *f)
{
	if (f->first->op != VM_MOV64_REG || (f->second->op != VM_MOV32_REG && f->second->op != VM_MOVSX32_64) ||
	    f->second->src != f->second->dst)
		return false;
	f->merged.op = f->second->op;
	return true;
}

/* Merges second into *first. All rules need both to write the same register; at most three ops become one. */
static bool fuse_pair(struct vm_op *first, const struct vm_op *second)
{
	static bool (*const rules[])(struct fuse *) = {fuse_add_imm, fuse_add_reg, fuse_load, fuse_extension,
	                                               fuse_extended_move};
	struct fuse f = {first, second, *first};

	if (second->flags & VM_OP_LEADER || first->dst != second->dst)
		return false;
	f.merged.slots += second->slots;
	f.merged.insn = second->insn;
	for (size_t i = 0; i < ARRAY_SIZE(rules); i++) {
		if (!rules[i](&f))
			continue;
		*first = f.merged;
		return true;
	}
	return false;
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

static bool op_has_target(const struct vm_op *op)
{
	switch ((enum vm_format)vm_insns[op->op].format) {
	case VM_FORMAT_JUMP:
	case VM_FORMAT_JUMP_LONG:
	case VM_FORMAT_JUMP_IMM:
	case VM_FORMAT_JUMP_REG:
	case VM_FORMAT_CALL_FUNCTION:
		return true;
	default:
		return false;
	}
}

/* Leaders are never merged into what stands before them, so the place of a target is the target itself. */
void vm_fuse(struct vm_ops *o)
{
	_cleanup_(base_free_ptr) uint32_t *places = malloc(o->count * sizeof(*places));

	if (!places) /* then it runs as it is */
		return;
	o->count = fuse_ops(o, places);
	for (size_t i = 0; i < o->count; i++)
		if (op_has_target(&o->ops[i]))
			o->ops[i].target = places[o->ops[i].target];
	for (size_t i = 0; i < o->function_count; i++) {
		struct vm_function *f = &o->functions[i];
		f->first = places[f->first];
		f->end = places[f->end - 1] + 1;
	}
}
