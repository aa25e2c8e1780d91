/* SPDX-License-Identifier: Apache-2.0 */
#include <stdarg.h>
#include <stdio.h>
#include "vm/vm_int.h"

const struct vm_insn_info vm_insns[VM_OPCODES] = {
#define INSN(id, code, select, value, format, mnemonic, c) \
	[VM_##id] = {#id, mnemonic, c, code, VM_SELECT_##select, value, VM_FORMAT_##format},
#define FUSED(id, format, c) [VM_##id] = {#id, NULL, c, 0, VM_SELECT_NONE, 0, VM_FORMAT_##format},
#include "vm/insn.def"
};

#define BIT(reg) (uint16_t)(1u << (reg))
#define BIT_RANGE(first, last) (uint16_t)((2u << (last)) - (1u << (first)))

static bool op_is_move(uint16_t op)
{
	switch (op) {
	case VM_MOV64_IMM:
	case VM_MOV32_IMM:
	case VM_MOV64_REG:
	case VM_MOV32_REG:
	case VM_MOVSX8_64:
	case VM_MOVSX16_64:
	case VM_MOVSX32_64:
	case VM_MOVSX8_32:
	case VM_MOVSX16_32:
		return true;
	default:
		return false;
	}
}

uint16_t vm_op_reads(const struct vm_op *op)
{
	switch ((enum vm_format)vm_insns[op->op].format) {
	case VM_FORMAT_DST:
	case VM_FORMAT_STORE_IMM:
	case VM_FORMAT_JUMP_IMM:
		return BIT(op->dst);
	case VM_FORMAT_DST_IMM:
		return op_is_move(op->op) ? 0 : BIT(op->dst);
	case VM_FORMAT_DST_SRC:
		return op_is_move(op->op) ? BIT(op->src) : BIT(op->dst) | BIT(op->src);
	case VM_FORMAT_LOAD:
	case VM_FORMAT_PACKET_REG:
	case VM_FORMAT_LEA_IMM:
		return BIT(op->src);
	case VM_FORMAT_STORE_REG:
	case VM_FORMAT_JUMP_REG:
		return BIT(op->dst) | BIT(op->src);
	case VM_FORMAT_ATOMIC_REG:
		return BIT(op->dst) | BIT(op->src) | (op->op == VM_CMPXCHG32 || op->op == VM_CMPXCHG64 ? BIT(0) : 0);
	case VM_FORMAT_CALL_ID:
	case VM_FORMAT_CALL_FUNCTION:
		return BIT_RANGE(1, 5);
	case VM_FORMAT_CALL_DST:
		return BIT_RANGE(1, 5) | BIT(op->dst);
	case VM_FORMAT_LEA_REG:
	case VM_FORMAT_LOAD_INDEXED:
		return BIT(op->src) | BIT(op->index);
	case VM_FORMAT_NOTHING: /* exit */
		return BIT(0);
	case VM_FORMAT_JUMP:
	case VM_FORMAT_JUMP_LONG:
	case VM_FORMAT_WIDE:
	case VM_FORMAT_WIDE_MAP:
	case VM_FORMAT_WIDE_FUNCTION:
	case VM_FORMAT_PACKET_IMM:
		return 0;
	}
	return 0;
}

uint16_t vm_op_writes(const struct vm_op *op)
{
	switch ((enum vm_format)vm_insns[op->op].format) {
	case VM_FORMAT_DST:
	case VM_FORMAT_DST_IMM:
	case VM_FORMAT_DST_SRC:
	case VM_FORMAT_LOAD:
	case VM_FORMAT_WIDE:
	case VM_FORMAT_WIDE_MAP:
	case VM_FORMAT_WIDE_FUNCTION:
	case VM_FORMAT_LEA_IMM:
	case VM_FORMAT_LEA_REG:
	case VM_FORMAT_LOAD_INDEXED:
		return BIT(op->dst);
	case VM_FORMAT_ATOMIC_REG:
		switch (op->op) {
		case VM_FETCH_ADD32:
		case VM_FETCH_ADD64:
		case VM_FETCH_OR32:
		case VM_FETCH_OR64:
		case VM_FETCH_AND32:
		case VM_FETCH_AND64:
		case VM_FETCH_XOR32:
		case VM_FETCH_XOR64:
		case VM_XCHG32:
		case VM_XCHG64:
			return BIT(op->src);
		case VM_CMPXCHG32:
		case VM_CMPXCHG64:
			return BIT(0);
		default:
			return 0;
		}
	case VM_FORMAT_CALL_ID:
	case VM_FORMAT_CALL_FUNCTION:
	case VM_FORMAT_CALL_DST:
		return BIT_RANGE(0, 5);
	case VM_FORMAT_PACKET_IMM:
	case VM_FORMAT_PACKET_REG:
		return BIT(0);
	case VM_FORMAT_NOTHING:
	case VM_FORMAT_STORE_IMM:
	case VM_FORMAT_STORE_REG:
	case VM_FORMAT_JUMP:
	case VM_FORMAT_JUMP_LONG:
	case VM_FORMAT_JUMP_IMM:
	case VM_FORMAT_JUMP_REG:
		return 0;
	}
	return 0;
}

int vm_error(struct picket_error *reterr, int err, uint64_t offset, const char *format, ...)
{
	va_list args;

	if (!reterr)
		return err;
	memset(reterr, 0, sizeof(*reterr));
	reterr->offset = offset;
	va_start(args, format);
	vsnprintf(reterr->text, sizeof(reterr->text), format, args);
	va_end(args);
	return err;
}

const char *picket_fault_name(enum picket_fault_kind kind)
{
	switch (kind) {
	case PICKET_FAULT_NONE:
		return "no fault";
	case PICKET_FAULT_READ:
		return "out-of-bounds read";
	case PICKET_FAULT_WRITE:
		return "out-of-bounds write";
	case PICKET_FAULT_BUDGET:
		return "instruction budget spent";
	case PICKET_FAULT_FRAMES:
		return "calls too deep";
	case PICKET_FAULT_HELPER:
		return "no such helper";
	case PICKET_FAULT_ARGUMENT:
		return "wrong argument of a helper";
	case PICKET_FAULT_CALL:
		return "call of what is no function";
	case PICKET_FAULT_TAIL_CALL:
		return "tail call that is not allowed";
	}
	return "unknown fault";
}
