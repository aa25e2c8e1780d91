/* SPDX-License-Identifier: Apache-2.0
 *
 * What registers may hold, by a forward analysis over basic blocks: sets of kinds of pointers, and a few constants. It is
 * much less than what the verifier proves, and takes time that grows with the number of instructions only: each block is
 * walked again when what it begins with grew, which it can do so often as there are kinds and constants.
 *
 * Stack slots are not followed along paths: a slot of a function may hold whatever kind of pointer is stored to it
 * anywhere. Constants that went through memory are not known.
 */
#include <errno.h>
#include <linux/bpf.h>
#include <stdlib.h>
#include "verify/powers_int.h"

#define REGISTERS 11
#define FRAME 10
#define NONE UINT32_MAX
#define ROUNDS_MAX 8                               /* of walking all for the stack's sake; then slots hold anything */
#define MAY_IN_SLOT (MAY_ANYTHING & ~MAY_FUNCTION) /* functions cannot be kept there */

struct registers {
	struct power_fact r[REGISTERS];
};

struct block {
	uint32_t first, end; /* ops */
	uint32_t function;
	bool queued, reached;
	struct registers before;
};

struct function {
	uint32_t calls; /* the last op that calls it; then flow.earlier_call */
	struct power_fact result;
	uint16_t slots[STACK_SLOTS];
};

struct flow {
	const struct power_program *program;
	const struct vm_ops *code;
	struct block *blocks;
	size_t block_count;
	uint32_t *block_of;     /* op */
	uint32_t *earlier_call; /* op */
	struct function *functions;
	uint32_t *queue;
	size_t head, queued;
	uint16_t loose;  /* stored to the stack through other registers than r10 */
	uint16_t stored; /* to any slot */
	bool grew;       /* a slot */
};

/* ---- facts ---- */

static struct power_fact fact_of(uint16_t may)
{
	return (struct power_fact){.may = may};
}

static struct power_fact fact_constant(uint16_t may, int64_t number)
{
	if (number < INT32_MIN || number > UINT32_MAX)
		return fact_of(may);
	return (struct power_fact){.may = may, .count = 1, .numbers = {(int32_t)number}};
}

static bool fact_has(const struct power_fact *f, int32_t number)
{
	for (unsigned i = 0; i < f->count; i++)
		if (f->numbers[i] == number)
			return true;
	return false;
}

/* Adds what b may be to a: true if a grew. */
static bool fact_join(struct power_fact *a, const struct power_fact *b)
{
	struct power_fact joined = *a;

	if (!b->may)
		return false;
	if (!a->may) {
		*a = *b;
		return true;
	}
	joined.may |= b->may;
	if (a->may != b->may || !b->count)
		joined.count = 0;
	for (unsigned i = 0; joined.count && i < b->count; i++) {
		if (fact_has(&joined, b->numbers[i]))
			continue;
		if (joined.count == POWER_NUMBERS_MAX)
			joined.count = 0;
		else
			joined.numbers[joined.count++] = b->numbers[i];
	}
	if (joined.may == a->may && joined.count == a->count)
		return false;
	*a = joined;
	return true;
}

/* A pointer that is moved by something. */
static struct power_fact fact_moved(const struct power_fact *f)
{
	uint16_t may = f->may & (uint16_t)~MAY_CONTEXT;

	return fact_of(may | MAY_NUMBER | (f->may & MAY_CONTEXT ? MAY_CONTEXT_INNER : 0));
}

/* ---- blocks ---- */

static bool op_jumps(const struct vm_op *op)
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

static bool op_goes_on(const struct vm_op *op)
{
	return op->op != VM_EXIT && op->op != VM_JA && op->op != VM_JA32;
}

static void make_blocks(struct flow *f)
{
	uint32_t function = 0;
	bool ended = true;

	for (uint32_t i = 0; i < f->code->count; i++) {
		const struct vm_op *op = &f->code->ops[i];

		if (function + 1 < f->code->function_count && f->code->functions[function + 1].first == i)
			function++;
		if (ended || op->flags & VM_OP_LEADER)
			f->blocks[f->block_count++] = (struct block){.first = i, .function = function};
		f->blocks[f->block_count - 1].end = i + 1;
		f->block_of[i] = (uint32_t)f->block_count - 1;
		ended = op_jumps(op) || op->op == VM_EXIT;
	}
}

static uint32_t function_at(const struct flow *f, uint32_t op)
{
	return f->blocks[f->block_of[op]].function;
}

static void link_calls(struct flow *f)
{
	for (size_t i = 0; i < f->code->function_count; i++)
		f->functions[i].calls = NONE;
	for (uint32_t i = 0; i < f->code->count; i++) {
		struct function *callee;

		if (f->code->ops[i].op != VM_CALL_LOCAL)
			continue;
		callee = &f->functions[function_at(f, f->code->ops[i].target)];
		f->earlier_call[i] = callee->calls;
		callee->calls = i;
	}
}

/* The queue is a ring: each block stands in it at most once. */
static void enqueue(struct flow *f, uint32_t block)
{
	size_t tail = f->head + f->queued;

	if (f->blocks[block].queued)
		return;
	f->blocks[block].queued = true;
	f->queue[tail >= f->block_count ? tail - f->block_count : tail] = block;
	f->queued++;
}

static uint32_t dequeue(struct flow *f)
{
	uint32_t block = f->queue[f->head];

	f->head = f->head + 1 == f->block_count ? 0 : f->head + 1;
	f->queued--;
	f->blocks[block].queued = false;
	return block;
}

static void flow_into(struct flow *f, uint32_t op, const struct registers *now)
{
	struct block *b = &f->blocks[f->block_of[op]];
	bool grew = !b->reached;

	b->reached = true;
	for (unsigned i = 0; i < REGISTERS; i++)
		grew |= fact_join(&b->before.r[i], &now->r[i]);
	if (grew)
		enqueue(f, f->block_of[op]);
}

/* ---- the stack ---- */

static bool slot_of(const struct vm_op *op, unsigned base, unsigned *ret_slot)
{
	int32_t below = -op->offset;

	if (base != FRAME || below < 1 || below > PICKET_STACK_BYTES)
		return false;
	*ret_slot = (unsigned)(below - 1) / 8;
	return true;
}

static void slot_store(struct flow *f, const struct block *b, const struct vm_op *op, uint16_t may)
{
	unsigned slot;
	uint16_t *held = slot_of(op, op->dst, &slot) ? &f->functions[b->function].slots[slot] : &f->loose;

	may &= MAY_IN_SLOT;
	f->stored |= may;
	if (!(may & ~(*held | f->loose)))
		return;
	*held |= may;
	f->grew = true;
}

static uint16_t slot_load(const struct flow *f, const struct block *b, const struct vm_op *op)
{
	unsigned slot;

	if (slot_of(op, op->src, &slot))
		return f->functions[b->function].slots[slot] | f->loose | MAY_NUMBER;
	return f->stored | MAY_NUMBER;
}

/* ---- instructions ---- */

unsigned power_access_bytes(uint16_t opcode)
{
	unsigned code = vm_insns[opcode].code;

	switch (code & 0x18) {
	case BPF_W:
		return 4;
	case BPF_H:
		return 2;
	case BPF_B:
		return 1;
	default:
		return 8;
	}
}

static struct power_fact loaded(const struct flow *f, const struct block *b, const struct vm_op *op,
                                const struct power_fact *base)
{
	unsigned bytes = power_access_bytes(op->op);
	uint16_t may = MAY_NUMBER;

	if (base->may & MAY_CONTEXT)
		may |= power_context_load(f->program, op->offset, bytes);
	if (base->may & MAY_CONTEXT_INNER)
		may |= power_context_load(f->program, -1, bytes);
	if (bytes < 8)
		return fact_of(may);
	if (base->may & MAY_STACK)
		may |= slot_load(f, b, op);
	if (base->may & (MAY_MAP_VALUE | MAY_OBJECT))
		may |= MAY_OBJECT;
	if (base->may & MAY_MEMORY)
		may |= MAY_MEMORY | MAY_OBJECT;
	return fact_of(may);
}

/* ---- constants: a number that is kept and not negative is the whole register; of others only the lower half is known ---- */

static bool fold_one(uint16_t opcode, int64_t a, int64_t imm, int64_t *ret_number)
{
	unsigned shift = imm < 0 || imm > 31 ? 31 : (unsigned)imm;

	switch (opcode) {
	case VM_ADD64_IMM:
	case VM_ADD32_IMM:
		*ret_number = a + imm;
		break;
	case VM_OR64_IMM:
	case VM_OR32_IMM:
		*ret_number = a | imm;
		break;
	case VM_AND64_IMM:
	case VM_AND32_IMM:
		*ret_number = a & imm;
		break;
	case VM_XOR64_IMM:
	case VM_XOR32_IMM:
		*ret_number = a ^ imm;
		break;
	case VM_LSH64_IMM:
	case VM_LSH32_IMM:
		if (shift != imm)
			return false;
		*ret_number = a << shift;
		break;
	case VM_RSH64_IMM:
	case VM_RSH32_IMM:
		*ret_number = a >> shift; /* by 31 and more: nothing is left */
		break;
	default:
		return false;
	}
	return imm >= 0 && *ret_number >= 0 && *ret_number <= INT32_MAX;
}

static void fact_add(struct power_fact *f, int64_t number)
{
	if (!fact_has(f, (int32_t)number))
		f->numbers[f->count++] = (int32_t)number;
}

/* What is left of anything by a mask of one or two bits, or by a shift to the last bit. */
static struct power_fact fact_few_bits(const struct vm_op *op)
{
	struct power_fact f = fact_of(MAY_NUMBER);
	bool masks = op->op == VM_AND64_IMM || op->op == VM_AND32_IMM;
	bool shifts = (op->op == VM_RSH64_IMM && op->imm == 63) || (op->op == VM_RSH32_IMM && op->imm == 31);
	int64_t mask = shifts ? 1 : op->imm, low = mask & -mask;

	if ((!masks && !shifts) || mask <= 0 || __builtin_popcountll((uint64_t)mask) > 2)
		return f;
	fact_add(&f, 0);
	fact_add(&f, low);
	fact_add(&f, mask & ~low);
	fact_add(&f, mask);
	return f;
}

static struct power_fact folded(const struct vm_op *op, const struct power_fact *dst)
{
	struct power_fact f = fact_of(MAY_NUMBER);

	if (dst->may != MAY_NUMBER || !dst->count)
		return fact_few_bits(op);
	for (unsigned i = 0; i < dst->count; i++) {
		int64_t number;

		if (dst->numbers[i] < 0 || !fold_one(op->op, dst->numbers[i], op->imm, &number))
			return fact_few_bits(op);
		fact_add(&f, number);
	}
	return f;
}

static struct power_fact calculated(const struct vm_op *op, const struct registers *now)
{
	const struct power_fact *dst = &now->r[op->dst], *src = &now->r[op->src];
	struct power_fact result;

	switch (op->op) {
	case VM_MOV64_IMM:
	case VM_MOV32_IMM:
		return fact_constant(MAY_NUMBER, op->imm);
	case VM_MOV64_REG:
		return *src;
	case VM_MOV32_REG:
		return src->may == MAY_NUMBER ? *src : fact_of(MAY_NUMBER);
	case VM_ADD64_IMM:
		return dst->may == MAY_NUMBER ? folded(op, dst) : fact_moved(dst);
	case VM_SUB64_IMM:
	case VM_SUB64_REG:
		return fact_moved(dst);
	case VM_ADD64_REG:
		result = fact_moved(dst);
		result.may |= fact_moved(src).may;
		return result;
	default:
		if (vm_insns[op->op].format == VM_FORMAT_DST_IMM)
			return folded(op, dst);
		return fact_of(MAY_NUMBER);
	}
}

static struct power_fact result_of(const struct flow *f, const struct vm_op *op)
{
	static const uint16_t held[] = {
	        [VERIFY_RETURN_NUMBER] = MAY_NUMBER,       [VERIFY_RETURN_VOID] = MAY_NUMBER,
	        [VERIFY_RETURN_MAP_VALUE] = MAY_MAP_VALUE, [VERIFY_RETURN_MEMORY] = MAY_MEMORY,
	        [VERIFY_RETURN_RECORD] = MAY_MEMORY,       [VERIFY_RETURN_SOCKET] = MAY_OBJECT,
	        [VERIFY_RETURN_SOCK_COMMON] = MAY_OBJECT,  [VERIFY_RETURN_TCP_SOCK] = MAY_OBJECT,
	        [VERIFY_RETURN_OBJECT] = MAY_OBJECT,
	};
	const char *name;
	const struct verify_proto *p = power_callee(f->program, op, &name);

	if (!p)
		return fact_of(MAY_ANYTHING);
	if (!strncmp(name, "bpf_dynptr_slice", strlen("bpf_dynptr_slice")))
		return fact_of(MAY_MEMORY | MAY_PACKET);
	if (p->returns == VERIFY_RETURN_LOCAL)
		return fact_of(MAY_MEMORY);
	if (p->returns >= ARRAY_SIZE(held))
		return fact_of(MAY_OBJECT);
	if (p->returns == VERIFY_RETURN_MAP_VALUE)
		return fact_of(MAY_MAP_VALUE | MAY_MAP); /* of a map of maps */
	return fact_of(held[p->returns] | MAY_NUMBER);
}

static void enter(struct flow *f, uint32_t function, const struct registers *caller)
{
	struct registers now = *caller;

	for (unsigned i = 0; i < REGISTERS; i++)
		if (i == 0 || i > 5)
			now.r[i] = fact_of(0);
	now.r[FRAME] = fact_of(MAY_STACK);
	flow_into(f, f->code->functions[function].first, &now);
}

/* What the kernel hands to a callback, besides what the program gave it for it. */
static uint16_t callback_gets(const struct vm_op *op)
{
	if (op->src != 0)
		return MAY_ANYTHING;
	switch (op->imm) {
	case BPF_FUNC_loop:
		return MAY_NUMBER;
	case BPF_FUNC_for_each_map_elem:
	case BPF_FUNC_timer_set_callback:
		return MAY_MAP | MAY_MAP_VALUE;
	case BPF_FUNC_user_ringbuf_drain:
		return MAY_MEMORY;
	case BPF_FUNC_find_vma:
		return MAY_OBJECT;
	default:
		return MAY_ANYTHING;
	}
}

static void enter_any(struct flow *f, const struct power_fact *which, const struct registers *with)
{
	if (which->count == 0) {
		for (uint32_t i = 1; i < f->code->function_count; i++)
			enter(f, i, with);
		return;
	}
	for (unsigned i = 0; i < which->count; i++)
		if (which->may == MAY_FUNCTION && (uint32_t)which->numbers[i] < f->code->function_count)
			enter(f, (uint32_t)which->numbers[i], with);
}

/* What the program gave for it; of callees that are not known: any argument. */
static uint16_t callback_is_given(const struct flow *f, const struct vm_op *op, const struct registers *now)
{
	const char *name;
	const struct verify_proto *p = power_callee(f->program, op, &name);
	uint16_t may = 0;

	for (unsigned i = 1; i <= 5; i++)
		if (!p || p->args[i - 1].base == VERIFY_ARG_CALLBACK_CONTEXT)
			may |= now->r[i].may & (uint16_t)~MAY_FUNCTION;
	return may;
}

static void call_back(struct flow *f, const struct vm_op *op, const struct registers *now)
{
	struct power_fact given = fact_of(callback_gets(op) | callback_is_given(f, op, now));
	struct registers with = {0};

	for (unsigned i = 1; i <= 5; i++)
		with.r[i] = given;
	for (unsigned i = 1; i <= 5; i++)
		if (now->r[i].may & MAY_FUNCTION)
			enter_any(f, &now->r[i], &with);
}

static void call(struct flow *f, const struct vm_op *op, struct registers *now)
{
	struct power_fact result;

	if (op->op == VM_CALL_LOCAL) {
		uint32_t callee = function_at(f, op->target);

		enter(f, callee, now);
		result = f->functions[callee].result;
	} else if (op->op == VM_CALL_REG) {
		enter_any(f, &now->r[op->dst], now);
		result = fact_of(MAY_ANYTHING);
	} else {
		call_back(f, op, now);
		result = result_of(f, op);
	}
	for (unsigned i = 1; i <= 5; i++)
		now->r[i] = fact_of(0);
	now->r[0] = result;
}

static void leave(struct flow *f, const struct block *b, const struct power_fact *r0)
{
	struct function *function = &f->functions[b->function];

	if (!fact_join(&function->result, r0))
		return;
	for (uint32_t op = function->calls; op != NONE; op = f->earlier_call[op])
		if (f->blocks[f->block_of[op]].reached)
			enqueue(f, f->block_of[op]);
}

static void written(const struct vm_op *op, struct registers *now)
{
	uint16_t registers = vm_op_writes(op);

	for (unsigned i = 0; i < REGISTERS; i++)
		if (registers >> i & 1)
			now->r[i] = fact_of(MAY_NUMBER);
}

static void step(struct flow *f, const struct block *b, const struct vm_op *op, struct registers *now)
{
	struct power_fact fact;

	switch ((enum vm_format)vm_insns[op->op].format) {
	case VM_FORMAT_DST_IMM:
	case VM_FORMAT_DST_SRC:
		fact = calculated(op, now);
		now->r[op->dst] = fact;
		break;
	case VM_FORMAT_LOAD:
		fact = loaded(f, b, op, &now->r[op->src]);
		now->r[op->dst] = fact;
		break;
	case VM_FORMAT_STORE_REG:
		if (now->r[op->dst].may & MAY_STACK && power_access_bytes(op->op) == 8)
			slot_store(f, b, op, now->r[op->src].may);
		break;
	case VM_FORMAT_WIDE:
		now->r[op->dst] = f->program->symbols[op->insn] ? fact_of(MAY_OBJECT | MAY_NUMBER)
		                                                : fact_constant(MAY_NUMBER, op->imm);
		break;
	case VM_FORMAT_WIDE_MAP:
		now->r[op->dst] =
		        op->op == VM_LDDW_MAP ? fact_constant(MAY_MAP, (uint32_t)op->imm) : fact_of(MAY_MAP_VALUE);
		break;
	case VM_FORMAT_WIDE_FUNCTION:
		now->r[op->dst] = fact_constant(MAY_FUNCTION, op->target);
		break;
	case VM_FORMAT_CALL_ID:
	case VM_FORMAT_CALL_FUNCTION:
	case VM_FORMAT_CALL_DST:
		call(f, op, now);
		break;
	case VM_FORMAT_NOTHING:
		leave(f, b, &now->r[0]);
		break;
	default:
		written(op, now);
	}
}

static void walk_block(struct flow *f, uint32_t block)
{
	const struct block *b = &f->blocks[block];
	const struct vm_op *last = &f->code->ops[b->end - 1];
	struct registers now = b->before;

	for (uint32_t i = b->first; i < b->end; i++)
		step(f, b, &f->code->ops[i], &now);
	if (op_jumps(last))
		flow_into(f, last->target, &now);
	if (op_goes_on(last) && b->end < f->code->count)
		flow_into(f, b->end, &now);
}

/* ---- all ---- */

static void flow_begin(struct flow *f)
{
	const struct verify_kind *kind = f->program->kind;
	struct registers first = {0};

	first.r[1] = fact_of(MAY_CONTEXT);
	if (!kind || kind->id == PICKET_KIND_FREPLACE)
		for (unsigned i = 1; i <= 5; i++)
			first.r[i] = fact_of(MAY_ANYTHING);
	if (kind && kind->flags & KIND_MEMORY_LENGTH)
		first.r[1] = fact_of(MAY_MEMORY);
	first.r[2].may |= MAY_NUMBER;
	first.r[FRAME] = fact_of(MAY_STACK);
	flow_into(f, 0, &first);
}

static void slots_forget(struct flow *f)
{
	f->loose = f->stored = MAY_IN_SLOT;
}

static void flow_solve(struct flow *f)
{
	flow_begin(f);
	for (unsigned round = 0; f->queued; round++) {
		f->grew = false;
		while (f->queued)
			walk_block(f, dequeue(f));
		if (!f->grew)
			return;
		if (round == ROUNDS_MAX)
			slots_forget(f);
		for (uint32_t i = 0; i < f->block_count; i++)
			if (f->blocks[i].reached)
				enqueue(f, i);
	}
}

static int flow_visit(struct flow *f,
                      int (*visit)(const struct power_program *p, const struct vm_op *op,
                                   const struct power_fact *registers, void *user),
                      void *user)
{
	int r = 0;

	for (size_t i = 0; !r && i < f->block_count; i++) {
		const struct block *b = &f->blocks[i];
		struct registers now = b->before;

		for (uint32_t op = b->first; b->reached && !r && op < b->end; op++) {
			r = visit(f->program, &f->code->ops[op], now.r, user);
			step(f, b, &f->code->ops[op], &now);
		}
	}
	return r;
}

static void flow_done(struct flow *f)
{
	free(f->blocks);
	free(f->block_of);
	free(f->earlier_call);
	free(f->functions);
	free(f->queue);
}

/* A leader begins one, and what comes after a jump another one. */
static size_t blocks_most(const struct vm_ops *code)
{
	size_t count = 1;

	for (size_t i = 0; i < code->count; i++) {
		count += (code->ops[i].flags & VM_OP_LEADER) != 0;
		count += op_jumps(&code->ops[i]) || code->ops[i].op == VM_EXIT;
	}
	return count;
}

int powers_flow(const struct power_program *p,
                int (*visit)(const struct power_program *p, const struct vm_op *op, const struct power_fact *registers,
                             void *user),
                void *user)
{
	_cleanup_(flow_done) struct flow f = {.program = p, .code = &p->code};
	size_t blocks = blocks_most(&p->code);

	f.blocks = calloc(blocks, sizeof(*f.blocks));
	f.block_of = calloc(p->code.count, sizeof(*f.block_of));
	f.earlier_call = calloc(p->code.count, sizeof(*f.earlier_call));
	f.functions = calloc(p->code.function_count, sizeof(*f.functions));
	f.queue = calloc(blocks, sizeof(*f.queue));
	if (!f.blocks || !f.block_of || !f.earlier_call || !f.functions || !f.queue)
		return -ENOMEM;
	make_blocks(&f);
	link_calls(&f);
	flow_solve(&f);
	return flow_visit(&f, visit, user);
}
