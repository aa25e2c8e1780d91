/* SPDX-License-Identifier: Apache-2.0
 *
 * What two neighbouring ops need only one instruction for. Verified code leaves out what nobody reads any more; checked code
 * shows all registers in a fault, so that only the first kind is for it.
 */
#ifdef __aarch64__
#include "vm/jit_arm64_int.h"

enum { CLASS_LDX = 1, CLASS_STX = 3, CLASS_ALU32 = 4 };

static unsigned class_of(const struct vm_op *op)
{
	return vm_insns[op->op].code & 7;
}

/* ---- a move, and arithmetic with what was moved ---- */
bool vm_arm64_moves_operand(const struct arm64 *j)
{
	const struct vm_op *move = j->op, *next = move + 1;
	uint8_t format = vm_insns[next->op].format;

	if (move->src == BPF_FRAME || next->dst != move->dst || !(vm_op_reads(next) & 1u << next->dst))
		return false;
	if (format == VM_FORMAT_DST) /* le64 has no code that could move */
		return move->op == VM_MOV64_REG && next->op != VM_LE64;
	if (format != VM_FORMAT_DST_IMM && format != VM_FORMAT_DST_SRC)
		return false;
	return move->op == VM_MOV64_REG || (move->op == VM_MOV32_REG && class_of(next) == CLASS_ALU32);
}

/* ---- plain accesses ---- */
static bool is_plain_load(const struct vm_op *op)
{
	return vm_insns[op->op].format == VM_FORMAT_LOAD && class_of(op) == CLASS_LDX;
}

static bool is_plain_store(const struct vm_op *op)
{
	return op->op == VM_STXB || op->op == VM_STXH || op->op == VM_STXW || op->op == VM_STXDW;
}

static enum a64_transfer transfer_of(const struct vm_op *op)
{
	if (is_plain_store(op))
		return A64_STORE;
	return (vm_insns[op->op].code & 0xe0) == 0x80 ? A64_LOAD_SIGNED : A64_LOAD;
}

/* log2 of the bytes, from the opcode's size bits: W, H, B, DW */
static unsigned size_of(const struct vm_op *op)
{
	static const uint8_t sizes[] = {2, 1, 0, 3};

	return sizes[vm_insns[op->op].code >> 3 & 3];
}

/* Does nobody read the register after the op? */
static bool is_dead(const struct arm64 *j, const struct vm_op *op, unsigned bpf)
{
	return !(j->ops->live[op - j->ops->ops] & 1u << bpf);
}

/* sum = a + b; access [sum] */
static bool merge_indexed(struct arm64 *j)
{
	const struct vm_op *sum = j->op, *access = sum + 1;
	bool store = is_plain_store(access);
	unsigned address = store ? access->dst : access->src, value = store ? access->src : access->dst;
	unsigned base = sum->op == VM_LEA_REG ? sum->src : sum->dst;
	unsigned index = sum->op == VM_LEA_REG ? sum->index : sum->src;

	if ((sum->op != VM_LEA_REG && sum->op != VM_ADD64_REG) || !(store || is_plain_load(access)))
		return false;
	if (address != sum->dst || access->offset || base == BPF_FRAME || index == BPF_FRAME || value == BPF_FRAME)
		return false;
	if (store ? value == address : value != address && !is_dead(j, access, address))
		return false;
	if (store && !is_dead(j, access, address))
		return false;
	a64_transfer_indexed(&j->code, transfer_of(access), size_of(access), arm64_register(value),
	                     arm64_register(base), arm64_register(index));
	return true;
}

/* d <<= imm; a += d */
static bool merge_shifted_add(struct arm64 *j)
{
	const struct vm_op *shift = j->op, *add = shift + 1;
	unsigned sum = arm64_register(add->dst);

	if (j->blind || shift->op != VM_LSH64_IMM || add->op != VM_ADD64_REG)
		return false;
	if (add->src != shift->dst || add->dst == shift->dst || !is_dead(j, add, shift->dst))
		return false;
	a64_arith_shifted(&j->code, A64_ADD, true, sum, sum, arm64_register(shift->dst), (unsigned)shift->imm & 63);
	return true;
}

/* ---- two words of 64 bits side by side ---- */
static bool pair_offset(unsigned base, const struct vm_op *lower, const struct vm_op *upper, int *ret_offset)
{
	int offset = lower->offset + (base == BPF_FRAME ? PICKET_STACK_BYTES : 0);

	*ret_offset = offset;
	return upper->offset - lower->offset == 8 && offset % 8 == 0 && offset >= -512 && offset <= 504;
}

static unsigned pair_base(const struct arm64 *j, unsigned bpf)
{
	return bpf == BPF_FRAME ? arm64_frame_base(j) : arm64_register(bpf);
}

static bool merge_loads(struct arm64 *j)
{
	const struct vm_op *lower = j->op, *upper = lower + 1;
	int offset;

	if (lower->op != VM_LDXDW || upper->op != VM_LDXDW || lower->src != upper->src)
		return false;
	if (lower->dst == lower->src || lower->dst == upper->dst)
		return false;
	if (lower->offset > upper->offset) {
		lower = j->op + 1;
		upper = j->op;
	}
	if (!pair_offset(lower->src, lower, upper, &offset))
		return false;
	a64_pair(&j->code, A64_LOAD_PAIR, arm64_register(lower->dst), arm64_register(upper->dst),
	         pair_base(j, lower->src), offset);
	return true;
}

/* The register to store, if it takes none to be calculated. */
static bool stored_word(const struct vm_op *op, unsigned *ret_register)
{
	if (op->op == VM_STXDW && op->src != BPF_FRAME)
		*ret_register = arm64_register(op->src);
	else if (op->op == VM_STDW && op->imm == 0)
		*ret_register = A64_ZERO;
	else
		return false;
	return true;
}

static bool merge_stores(struct arm64 *j)
{
	const struct vm_op *lower = j->op, *upper = lower + 1;
	unsigned low, high;
	int offset;

	if (lower->offset > upper->offset) {
		lower = j->op + 1;
		upper = j->op;
	}
	if (!stored_word(lower, &low) || !stored_word(upper, &high) || lower->dst != upper->dst)
		return false;
	if (!pair_offset(lower->dst, lower, upper, &offset))
		return false;
	a64_pair(&j->code, A64_STORE_PAIR, low, high, pair_base(j, lower->dst), offset);
	return true;
}

bool vm_arm64_merge(struct arm64 *j)
{
	if (j->checked)
		return false;
	return merge_indexed(j) || merge_shifted_add(j) || merge_loads(j) || merge_stores(j);
}
#endif
