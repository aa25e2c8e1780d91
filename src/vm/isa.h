/* SPDX-License-Identifier: Apache-2.0
 *
 * The instruction set as the project's other machines see it: decoded instructions, functions, liveness.
 */
#ifndef PICKET_VM_ISA_H
#define PICKET_VM_ISA_H

#include "base/base.h"
#include "picket/vm.h"

/* ---- instructions, decoded ---- */
enum vm_opcode {
#define INSN(id, code, select, value, format, mnemonic, c) VM_##id,
#define FUSED(id, format, c) VM_##id,
#include "vm/insn.def"
	VM_OPCODES,
};

/* Fields that an instruction has. */
enum vm_format {
	VM_FORMAT_NOTHING,
	VM_FORMAT_DST,           /* dst */
	VM_FORMAT_DST_IMM,       /* dst, imm */
	VM_FORMAT_DST_SRC,       /* dst, src */
	VM_FORMAT_LOAD,          /* dst, [src + offset] */
	VM_FORMAT_STORE_IMM,     /* [dst + offset], imm */
	VM_FORMAT_STORE_REG,     /* [dst + offset], src */
	VM_FORMAT_ATOMIC_REG,    /* [dst + offset], src */
	VM_FORMAT_JUMP,          /* offset */
	VM_FORMAT_JUMP_LONG,     /* imm */
	VM_FORMAT_JUMP_IMM,      /* dst, imm, offset */
	VM_FORMAT_JUMP_REG,      /* dst, src, offset */
	VM_FORMAT_CALL_ID,       /* imm: the helper */
	VM_FORMAT_CALL_FUNCTION, /* imm: slots from the next instruction */
	VM_FORMAT_CALL_DST,      /* dst: a function or a helper's id */
	VM_FORMAT_WIDE,          /* dst, imm of both slots */
	VM_FORMAT_WIDE_MAP,      /* dst, imm: map's index; imm of the second slot: offset in its first value */
	VM_FORMAT_WIDE_FUNCTION, /* dst, imm: slots from its second slot */
	VM_FORMAT_PACKET_IMM,    /* imm */
	VM_FORMAT_PACKET_REG,    /* src, imm */
	VM_FORMAT_LEA_IMM,       /* dst, src, imm */
	VM_FORMAT_LEA_REG,       /* dst, src, index */
	VM_FORMAT_LOAD_INDEXED,  /* dst, [src + index + offset] */
};

enum vm_select { VM_SELECT_NONE, VM_SELECT_OFFSET, VM_SELECT_IMM, VM_SELECT_SRC };

struct vm_insn_info {
	const char *id, *mnemonic, *c; /* mnemonic NULL: of the optimiser */
	uint8_t code;
	uint8_t select; /* enum vm_select */
	int16_t value;
	uint8_t format; /* enum vm_format */
};
extern const struct vm_insn_info vm_insns[VM_OPCODES];

/* Is it the row of that instruction? Only the opcode byte is known to be right. */
static inline bool vm_row_selects(const struct vm_insn_info *row, const struct picket_insn *insn)
{
	switch ((enum vm_select)row->select) {
	case VM_SELECT_OFFSET:
		return insn->offset == row->value;
	case VM_SELECT_IMM:
		return insn->imm == row->value;
	case VM_SELECT_SRC:
		return insn->src == row->value;
	case VM_SELECT_NONE:
		return true;
	}
	return false;
}
/* Rows by opcode byte: the first, and for each row the next one of the same byte. VM_OPCODES: none. */
struct vm_row_index {
	uint16_t first[256], next[VM_OPCODES];
};
/* Never freed. Any thread. */
const struct vm_row_index *vm_row_index(void);
/* The row of an instruction, whose other fields may be wrong. VM_OPCODES: it has none. */
static inline uint16_t vm_row_find(const struct vm_row_index *index, const struct picket_insn *insn)
{
	uint16_t row = index->first[insn->code];

	while (row != VM_OPCODES && !vm_row_selects(&vm_insns[row], insn))
		row = index->next[row];
	return row;
}

#define VM_OP_LEADER 1   /* a jump, call or function pointer leads here; or it is a function's first */
#define VM_OP_BACKWARD 2 /* a jump to itself or to before itself */

struct vm_op {
	uint16_t op; /* enum vm_opcode */
	uint8_t dst, src, index;
	uint8_t flags; /* VM_OP_* */
	uint8_t slots; /* of bytecode that it stands for: 2 for lddw, more for what was merged */
	int32_t offset;
	uint32_t target; /* index of an op: of jumps, CALL_LOCAL. LDDW_FUNCTION: index of the function */
	uint32_t
	        insn; /* in the bytecode: its slot, the first of lddw; of what was merged the last one's. For faults, lines */
	int64_t imm; /* sign-extended; LDDW: 64 bits; LDDW_MAP and LDDW_MAP_VALUE: the pointer itself; CALL_HELPER: id */
};

/* From first to end - 1, contiguous, ends with EXIT or a jump; all jumps stay inside. */
struct vm_function {
	uint32_t first, end; /* ops */
	uint32_t insn;       /* of its first op */
	uint16_t used;       /* registers that it names, one bit each, r10 included */
	uint16_t written;    /* registers that it may change itself (not what it calls), one bit each */
	bool calls;          /* helpers or functions */
	bool accesses;       /* memory, by whatever pointer */
};

struct vm_ops {
	struct vm_op *ops;
	size_t count;
	struct vm_function *functions; /* [0]: the program's entry */
	size_t function_count;
	uint16_t *
	        live; /* by vm_flow_live(): for each op, registers whose values are read after it before they are written */
};

/* Checks every field of every instruction, the targets of jumps (in the same function, not into the middle of lddw), that
 * no function runs off its end, writes to r10, helper ids (known, or the embedder's), indexes of maps. options may be NULL.
 * ret_ops: vm_ops_done(). Linear time. -EINVAL, -ENOMEM. */
int vm_decode(const struct picket_insn *insns, size_t count, const struct picket_options *options,
              struct vm_ops *ret_ops, struct picket_error *reterr) must_check;
void vm_ops_done(struct vm_ops *o);
/* Registers that the ops of a row name: those that are always the same, one bit each, and which fields name others (0, 1). */
struct vm_row_use {
	uint16_t reads, writes;
	uint8_t reads_dst, reads_src, reads_index;
	uint8_t writes_dst, writes_src;
};
extern const struct vm_row_use vm_row_uses[VM_OPCODES];
/* What an op reads and writes of the registers, one bit each. Calls read r1..r5 and write r0..r5; EXIT reads r0. */
static inline uint16_t vm_op_reads(const struct vm_op *op)
{
	const struct vm_row_use *u = &vm_row_uses[op->op];

	return (uint16_t)(u->reads | u->reads_dst << op->dst | u->reads_src << op->src | u->reads_index << op->index);
}
static inline uint16_t vm_op_writes(const struct vm_op *op)
{
	const struct vm_row_use *u = &vm_row_uses[op->op];

	return (uint16_t)(u->writes | u->writes_dst << op->dst | u->writes_src << op->src);
}
/* May another than the next op follow? A call's comes back. */
static inline bool vm_op_jumps(const struct vm_op *op)
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
static inline bool vm_op_ends_block(const struct vm_op *op)
{
	return vm_op_jumps(op) || op->op == VM_EXIT;
}
/* Does it use memory by an address? */
static inline bool vm_op_accesses(const struct vm_op *op)
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
/* The index of the function that holds an op. */
uint32_t vm_function_at(const struct vm_ops *o, uint32_t op);
/* Fills o->live. Linear time (the lattice is 11 bits high). -ENOMEM. */
int vm_flow_live(struct vm_ops *o) must_check;
/* The same for programs that are not to run here (the verifier's): helpers of any number are taken, functions of the kernel
 * are CALL_HELPER with src 2 and their id in imm, and maps are not looked at: imm is the index below map_count, with the
 * offset in the value in its upper half. */
int vm_decode_foreign(const struct picket_insn *insns, size_t count, size_t map_count, struct vm_ops *ret_ops,
                      struct picket_error *reterr) must_check;
/* Merges ops where the meaning stays the same: the count of ops shrinks. Needs o->live and keeps it true. After a fault the
 * registers are as if nothing had been merged. */
void vm_fuse(struct vm_ops *o);
/* reterr may be NULL. Return what they are given. */
int vm_error(struct picket_error *reterr, int err, uint64_t offset, const char *format, ...) printf_like(4, 5);

#endif
