/* SPDX-License-Identifier: Apache-2.0 */
#include <linux/bpf.h>
#include <string.h>
#include "tests/vm/defined.h"
#include "vm/vm_int.h"

#define BUDGET (1u << 20)
#define FRAME 10
#define ARGUMENTS 0x3eu /* r1 to r5 */
#define KEPT 0x3c0u     /* r6 to r9 */
#define BIT(n) (1u << (n))

struct tracker {
	const struct vm_op *ops[RANDOM_INSNS_MAX]; /* by instruction */
	uint64_t stack_low;                        /* of the first frame */
	bool stack[PICKET_FRAMES_MAX * PICKET_STACK_BYTES];
	unsigned defined;                 /* registers */
	unsigned kept[PICKET_FRAMES_MAX]; /* of the callers */
	unsigned depth;
	const struct vm_op *before; /* the last instruction */
	uint64_t frame;
	bool failed;
	size_t insn;
};

/* ---- bytes of the stack; other memory is all defined ---- */
static bool in_stack(const struct tracker *t, uint64_t address, uint64_t size)
{
	return address >= t->stack_low && size <= sizeof(t->stack) && address - t->stack_low <= sizeof(t->stack) - size;
}

static void define(struct tracker *t, uint64_t address, uint64_t size)
{
	if (in_stack(t, address, size))
		memset(&t->stack[address - t->stack_low], true, size);
}

static bool is_defined(const struct tracker *t, uint64_t address, uint64_t size)
{
	return !in_stack(t, address, size) || !memchr(&t->stack[address - t->stack_low], false, size);
}

static unsigned access_bytes(const struct vm_op *op)
{
	static const uint8_t bytes[] = {4, 2, 1, 8};

	return bytes[vm_insns[op->op].code >> 3 & 3];
}

static bool helper_memory(struct tracker *t, const struct vm_op *op, const uint64_t r[11])
{
	switch (op->op == VM_CALL_REG ? r[op->dst] : (uint64_t)op->imm) {
	case BPF_FUNC_map_lookup_elem:
	case BPF_FUNC_map_delete_elem:
		return is_defined(t, r[2], 4);
	case BPF_FUNC_map_update_elem:
		return is_defined(t, r[2], 4) && is_defined(t, r[3], WORLD_HASH_BYTES);
	case WORLD_SUM:
		return is_defined(t, r[1], r[2]);
	case WORLD_FILL:
		define(t, r[1], r[2]);
		return true;
	default:
		return true;
	}
}

static bool memory(struct tracker *t, const struct vm_op *op, const uint64_t r[11])
{
	uint64_t offset = (uint64_t)(int64_t)op->offset;
	unsigned bytes = access_bytes(op);

	switch ((enum vm_format)vm_insns[op->op].format) {
	case VM_FORMAT_LOAD:
		return is_defined(t, r[op->src] + offset, bytes);
	case VM_FORMAT_STORE_IMM:
	case VM_FORMAT_STORE_REG:
		define(t, r[op->dst] + offset, bytes);
		return true;
	case VM_FORMAT_ATOMIC_REG:
		return is_defined(t, r[op->dst] + offset, bytes);
	case VM_FORMAT_CALL_ID:
	case VM_FORMAT_CALL_DST:
		return helper_memory(t, op, r);
	default:
		return true;
	}
}

/* ---- registers ---- */
static bool is_call(const struct vm_op *op)
{
	return op->op == VM_CALL_HELPER || op->op == VM_CALL_LOCAL || op->op == VM_CALL_REG;
}

static void enter(struct tracker *t, uint64_t frame, unsigned arguments)
{
	t->defined = arguments | BIT(FRAME);
	memset(&t->stack[frame - PICKET_STACK_BYTES - t->stack_low], false, PICKET_STACK_BYTES);
}

/* Packet instructions that read outside are exits, too. */
static bool has_left(const struct tracker *t, size_t insn)
{
	enum vm_format format = t->before ? vm_insns[t->before->op].format : VM_FORMAT_DST;

	return format == VM_FORMAT_NOTHING ||
	       ((format == VM_FORMAT_PACKET_IMM || format == VM_FORMAT_PACKET_REG) && insn != t->insn + 1);
}

/* The last instruction may have been a call, or an exit: the frame tells. */
static void follow_call(struct tracker *t, uint64_t frame, size_t insn)
{
	if (frame > t->frame && t->depth + 1 < PICKET_FRAMES_MAX) {
		t->kept[t->depth++] = t->defined & KEPT;
		/* A helper gives its callback all five. */
		enter(t, frame, t->before->op == VM_CALL_HELPER ? ARGUMENTS : t->defined & ARGUMENTS);
	} else if (frame < t->frame && t->depth) {
		t->defined = BIT(0) | BIT(FRAME) | t->kept[--t->depth];
	} else if (has_left(t, insn)) {
		enter(t, frame, ARGUMENTS); /* the callback again */
	} else if (t->before && is_call(t->before)) {
		t->defined = (t->defined & ~ARGUMENTS) | BIT(0);
	}
	t->frame = frame;
}

static void trace(const struct picket_program *p, size_t insn, const uint64_t registers[11], void *user)
{
	struct tracker *t = user;
	const struct vm_op *op;
	unsigned reads;

	(void)p;
	if (insn == SIZE_MAX || t->failed)
		return;
	if (!t->before) {
		t->frame = registers[FRAME];
		t->stack_low = t->frame - PICKET_STACK_BYTES;
	}
	follow_call(t, registers[FRAME], insn);
	op = t->ops[insn];
	/* What a call hands over is the callee's to read. */
	reads = op->op == VM_CALL_REG ? BIT(op->dst) : is_call(op) ? 0 : vm_op_reads(op);
	t->failed = reads & ~t->defined || !memory(t, op, registers);
	t->defined |= is_call(op) ? 0 : vm_op_writes(op);
	t->insn = insn;
	t->before = op;
}

bool defined_check(struct world *w, const struct random_program *p, size_t *ret_insn)
{
	static _Thread_local struct tracker t;
	struct picket_options options = world_options(w, PICKET_INTERPRETER);
	_cleanup_(vm_ops_done) struct vm_ops ops = {0};
	struct picket_program *program;
	struct outcome outcome;

	options.plain = true;
	if (vm_decode(p->insns, p->count, &options, &ops, NULL) ||
	    picket_program_load(p->insns, p->count, &options, &program, NULL))
		return true;
	t = (struct tracker){.defined = BIT(1) | BIT(2) | BIT(FRAME)};
	for (size_t i = 0; i < ops.count; i++)
		t.ops[vm_op_first_slot(&ops.ops[i])] = &ops.ops[i];
	world_trace(w, program, BUDGET, trace, &t, &outcome);
	picket_program_free(program);
	if (t.failed)
		*ret_insn = t.insn;
	return !t.failed;
}
