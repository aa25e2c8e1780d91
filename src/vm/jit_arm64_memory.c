/* SPDX-License-Identifier: Apache-2.0 */
#ifdef __aarch64__
#include "vm/jit_arm64_int.h"

#define CARRY 2 /* flags that stand for "higher" */

/* Memory of an op, at a machine register (maybe the stack pointer) and an offset. */
struct place {
	unsigned base;
	int64_t offset;
};

static struct place place_of(const struct arm64 *j, unsigned bpf)
{
	if (bpf == BPF_FRAME)
		return (struct place){arm64_frame_base(j), j->op->offset + PICKET_STACK_BYTES};
	return (struct place){arm64_register(bpf), j->op->offset};
}

/* Calculates the address where it is not in a register as it is. */
static void place_flatten(struct arm64 *j, struct place *p)
{
	if (!p->offset && p->base != A64_SP)
		return;
	if (!a64_add_imm(&j->code, true, REG_ADDRESS, p->base, p->offset)) {
		a64_move_imm(&j->code, true, REG_ADDRESS, (uint64_t)p->offset);
		a64_arith(&j->code, A64_ADD, true, REG_ADDRESS, p->base, REG_ADDRESS);
	}
	*p = (struct place){REG_ADDRESS, 0};
}

static void transfer(struct arm64 *j, enum a64_transfer t, unsigned size, unsigned rt, const struct place *p)
{
	int64_t units = p->offset >> size;

	if (units >= 0 && units <= 4095 && units << size == p->offset) {
		a64_transfer(&j->code, t, size, rt, p->base, (unsigned)p->offset);
	} else if (p->offset >= -256 && p->offset <= 255) {
		a64_transfer_near(&j->code, t, size, rt, p->base, (int)p->offset);
	} else {
		a64_move_imm(&j->code, true, REG_ADDRESS, (uint64_t)p->offset);
		a64_transfer_indexed(&j->code, t, size, rt, p->base, REG_ADDRESS);
	}
}

/* ---- checks: inline against a window, and by THUNK_ACCESS when that fails ---- */
/* Leaves A64_HI if it may not be in the window. Where the base itself is outside, it is not found here. */
static enum a64_condition compare_with_window(struct arm64 *j, const struct place *p, unsigned bytes, size_t window)
{
	a64_pair(&j->code, A64_LOAD_PAIR, REG_A, REG_B, REG_RUN, (int)window);
	a64_arith(&j->code, A64_SUB, true, REG_A, p->base, REG_A);
	if (p->offset >= 0) {
		a64_arith_imm(&j->code, A64_ADD_FLAGS, true, REG_A, REG_A, (unsigned)p->offset + bytes, false);
	} else {
		a64_arith_imm(&j->code, A64_SUB, true, REG_A, REG_A, (unsigned)-p->offset, false);
		a64_arith_imm(&j->code, A64_ADD_FLAGS, true, REG_A, REG_A, bytes, false);
	}
	a64_compare_if(&j->code, true, REG_A, REG_B, A64_LO, CARRY);
	return A64_HI;
}

/* Leaves A64_LO if the context is too short. */
static enum a64_condition compare_with_context(struct arm64 *j, uint32_t need)
{
	if (need <= 4095) {
		a64_arith_imm(&j->code, A64_SUB_FLAGS, true, A64_ZERO, REG_LENGTH, need, false);
	} else {
		a64_move_imm(&j->code, true, REG_A, need);
		a64_arith(&j->code, A64_SUB_FLAGS, true, A64_ZERO, REG_LENGTH, REG_A);
	}
	return A64_LO;
}

/* flags: NOTE_WRITE, NOTE_ALIGNED. The place may be calculated then. */
static void check(struct arm64 *j, struct place *p, unsigned size, uint32_t flags)
{
	unsigned bytes = 1u << size, window = j->hint->window % VM_WINDOWS;
	size_t where = flags & NOTE_WRITE ? offsetof(struct picket_run, write) : offsetof(struct picket_run, read);
	uint32_t note = vm_arm64_note(j, PICKET_FAULT_NONE) | size << NOTE_SIZE_SHIFT | flags;
	size_t unaligned = 0, outside;
	enum a64_condition fails;

	_Static_assert(offsetof(struct picket_run, write[VM_WINDOWS]) <= 504, "a pair is loaded from there");
	if (!j->checked || j->hint->check == VM_CHECK_NONE)
		return;
	note |= window << NOTE_WINDOW_SHIFT;
	if (p->offset < -4095 || p->offset + bytes > 4095)
		place_flatten(j, p);
	if (flags & NOTE_ALIGNED && size) {
		uint32_t field = 0;
		place_flatten(j, p);
		a64_bitmask(bytes - 1, true, &field);
		a64_logic_imm(&j->code, A64_AND_FLAGS, true, A64_ZERO, p->base, field);
		unaligned = j->code.count;
		a64_branch_if(&j->code, A64_NE);
	}
	if (j->hint->check == VM_CHECK_CONTEXT)
		fails = compare_with_context(j, j->hint->need);
	else
		fails = compare_with_window(j, p, bytes, where + window * sizeof(struct vm_window));
	outside = j->code.count;
	a64_branch_if(&j->code, fails);
	vm_arm64_add_stub(j, outside, j->code.count, note, p->base, p->offset);
	if (unaligned)
		vm_arm64_add_stub(j, unaligned, j->code.count, note, p->base, p->offset);
}

/* ---- loads and stores ---- */
void vm_arm64_load(struct arm64 *j, unsigned size, enum a64_transfer t)
{
	struct place p = place_of(j, j->op->src);

	check(j, &p, size, 0);
	transfer(j, t, size, arm64_register(j->op->dst), &p);
}

/* The sum becomes visible in dst before the access, as it was before the two were merged. */
void vm_arm64_load_indexed(struct arm64 *j, unsigned size)
{
	unsigned dst = arm64_register(j->op->dst);
	unsigned base = vm_arm64_read(j, j->op->src, REG_A);
	unsigned index = vm_arm64_read(j, j->op->index, REG_B);
	struct place p = {dst, j->op->offset};

	if (!j->checked && !p.offset) {
		a64_transfer_indexed(&j->code, A64_LOAD, size, dst, base, index);
		return;
	}
	a64_arith(&j->code, A64_ADD, true, dst, base, index);
	check(j, &p, size, 0);
	transfer(j, A64_LOAD, size, dst, &p);
}

void vm_arm64_store(struct arm64 *j, unsigned size)
{
	const struct vm_op *op = j->op;
	struct place p = place_of(j, op->dst);
	unsigned value = A64_ZERO;

	check(j, &p, size, NOTE_WRITE);
	if (vm_insns[op->op].format == VM_FORMAT_STORE_REG) {
		value = vm_arm64_read(j, op->src, REG_A);
	} else if (op->imm) {
		value = REG_A;
		vm_arm64_constant(j, size == 3, value, (uint64_t)op->imm);
	}
	transfer(j, A64_STORE, size, value, &p);
}

/* ---- atomics: sequentially consistent ---- */
static unsigned atomic_address(struct arm64 *j, unsigned bpf, unsigned size, uint32_t flags)
{
	struct place p = place_of(j, bpf);

	check(j, &p, size, flags);
	place_flatten(j, &p);
	return p.base;
}

/* Until nobody was faster: old = [address]; [address] = old OP value. */
static void atomic_loop(struct arm64 *j, unsigned size, enum a64_atomic atomic, unsigned address, unsigned value)
{
	enum { OLD = REG_B, NEW = 10, FAILED = 9 };
	bool wide = size == 3;
	size_t again = j->code.count, branch;
	unsigned new = NEW;

	a64_load_exclusive(&j->code, size, OLD, address);
	switch (atomic) {
	case A64_ATOMIC_ADD:
		a64_arith(&j->code, A64_ADD, wide, NEW, OLD, value);
		break;
	case A64_ATOMIC_CLEAR:
		a64_clear_bits(&j->code, wide, NEW, OLD, value);
		break;
	case A64_ATOMIC_XOR:
		a64_logic(&j->code, A64_XOR, wide, NEW, OLD, value);
		break;
	case A64_ATOMIC_SET:
		a64_logic(&j->code, A64_OR, wide, NEW, OLD, value);
		break;
	case A64_ATOMIC_SWAP:
		new = value;
		break;
	}
	a64_store_exclusive(&j->code, size, FAILED, new, address);
	branch = j->code.count;
	a64_branch_zero(&j->code, false, FAILED, true);
	a64_patch(&j->code, branch, again);
}

/* The old value is taken into a register even if nobody wants it: only so is it an acquire. */
void vm_arm64_atomic(struct arm64 *j, unsigned size, enum a64_atomic atomic, bool fetch)
{
	unsigned address = atomic_address(j, j->op->dst, size, NOTE_WRITE | NOTE_ALIGNED);
	unsigned value = vm_arm64_read(j, j->op->src, REG_A);

	if (atomic == A64_ATOMIC_CLEAR) {
		a64_not(&j->code, true, REG_A, value);
		value = REG_A;
	}
	if (j->lse) {
		a64_atomic(&j->code, atomic, size, value, fetch ? arm64_register(j->op->src) : REG_B, address);
		return;
	}
	atomic_loop(j, size, atomic, address, value);
	if (fetch)
		a64_move(&j->code, size == 3, arm64_register(j->op->src), REG_B);
}

void vm_arm64_compare_and_swap(struct arm64 *j, unsigned size)
{
	enum { FAILED = 9 };
	unsigned address = atomic_address(j, j->op->dst, size, NOTE_WRITE | NOTE_ALIGNED);
	unsigned value = vm_arm64_read(j, j->op->src, REG_A);
	bool wide = size == 3;
	size_t again = j->code.count, differs, branch;

	if (j->lse && address != REG_R0) {
		a64_compare_and_swap(&j->code, size, REG_R0, value, address);
		return;
	}
	a64_load_exclusive(&j->code, size, REG_B, address);
	a64_arith(&j->code, A64_SUB_FLAGS, wide, A64_ZERO, REG_B, REG_R0);
	differs = j->code.count;
	a64_branch_if(&j->code, A64_NE);
	a64_store_exclusive(&j->code, size, FAILED, value, address);
	branch = j->code.count;
	a64_branch_zero(&j->code, false, FAILED, true);
	a64_patch(&j->code, branch, again);
	vm_arm64_land(j, differs);
	a64_move(&j->code, wide, REG_R0, REG_B);
}

void vm_arm64_load_acquire(struct arm64 *j, unsigned size)
{
	unsigned address = atomic_address(j, j->op->src, size, NOTE_ALIGNED);

	a64_load_acquire(&j->code, size, arm64_register(j->op->dst), address);
}

void vm_arm64_store_release(struct arm64 *j, unsigned size)
{
	unsigned address = atomic_address(j, j->op->dst, size, NOTE_WRITE | NOTE_ALIGNED);

	a64_store_release(&j->code, size, vm_arm64_read(j, j->op->src, REG_A), address);
}

/* ---- packet ---- */
void vm_arm64_packet(struct arm64 *j, unsigned size)
{
	enum { DATA = 9, LENGTH = 10 };
	unsigned data = DATA, length = LENGTH;
	size_t inside;

	_Static_assert(offsetof(struct picket_run, length) == offsetof(struct picket_run, data) + 8, "one pair");
	if (j->checked) {
		data = REG_DATA;
		length = REG_LENGTH;
	} else {
		a64_pair(&j->code, A64_LOAD_PAIR, DATA, LENGTH, REG_RUN, offsetof(struct picket_run, data));
	}
	vm_arm64_constant(j, true, REG_A, (uint64_t)j->op->imm);
	if (vm_insns[j->op->op].format == VM_FORMAT_PACKET_REG) {
		a64_move(&j->code, false, REG_B, vm_arm64_read(j, j->op->src, REG_B));
		a64_arith(&j->code, A64_ADD, true, REG_A, REG_A, REG_B);
	}
	a64_arith_imm(&j->code, A64_ADD_FLAGS, true, REG_B, REG_A, 1u << size, false);
	a64_compare_if(&j->code, true, REG_B, length, A64_LO, CARRY);
	inside = j->code.count;
	a64_branch_if(&j->code, A64_LS);
	a64_move_imm(&j->code, true, REG_R0, 0);
	vm_arm64_exit(j);
	vm_arm64_land(j, inside);
	a64_transfer_indexed(&j->code, A64_LOAD, size, REG_R0, data, REG_A);
	if (size)
		a64_reverse(&j->code, false, REG_R0, REG_R0, size);
}
#endif
