/* SPDX-License-Identifier: Apache-2.0
 *
 * eBPF being written. Jumps are written to labels and get their distances at the end; nothing moves then, so that an
 * instruction's index stays what it was when it was written.
 */
#include "rule/code.h"

#include <errno.h>
#include <linux/bpf.h>
#include <stdlib.h>

#define LABELS_MAX (4u * PICKET_INSNS_MAX)
#define PENDING_MAX 4096
#define UNBOUND SIZE_MAX
/* What the second half of lddw's constant means, by its src. */
#define LDDW_FUNCTION 4
#define LDDW_MAP 5
#define LDDW_MAP_VALUE 6

void code_init(struct code *c, bool far)
{
	*c = (struct code){.far = far};
}

void code_done(struct code *c)
{
	for (size_t i = 0; i < c->pending_count; i++)
		free(c->pending[i].data);
	free(c->pending);
	free(c->marks);
	free(c->insns);
	free(c->labels);
	free(c->jumps);
	*c = (struct code){0};
}

void code_fail(struct code *c, int error)
{
	if (!c->error)
		c->error = error;
}

/* Room for one more. max: of elements. */
static bool grow(struct code *c, void *array, size_t element, size_t count, size_t *capacity, size_t max)
{
	void **at = array, *bigger;
	size_t wanted = *capacity ? *capacity * 2 : 64;

	if (c->error || count < *capacity)
		return !c->error;
	if (count >= max) {
		code_fail(c, -E2BIG);
		return false;
	}
	bigger = reallocarray(*at, wanted, element);
	if (!bigger) {
		code_fail(c, -ENOMEM);
		return false;
	}
	*at = bigger;
	*capacity = wanted;
	return true;
}

static void emit(struct code *c, struct picket_insn insn)
{
	if (c->count >= PICKET_INSNS_MAX)
		code_fail(c, -E2BIG);
	if (grow(c, &c->insns, sizeof(*c->insns), c->count, &c->capacity, PICKET_INSNS_MAX))
		c->insns[c->count++] = insn;
}

void code_mark(struct code *c, enum code_mark_kind kind, uint32_t index)
{
	if (!c->marking)
		return;
	if (grow(c, &c->marks, sizeof(*c->marks), c->mark_count, &c->mark_capacity, PICKET_INSNS_MAX))
		c->marks[c->mark_count++] = (struct code_mark){.insn = c->count, .kind = kind, .index = index};
}

/* ---- labels and jumps ---- */

code_label code_label_new(struct code *c)
{
	if (!grow(c, &c->labels, sizeof(*c->labels), c->label_count, &c->label_capacity, LABELS_MAX))
		return 0;
	c->labels[c->label_count] = UNBOUND;
	return (code_label)c->label_count++;
}

void code_bind(struct code *c, code_label l)
{
	if (c->error)
		return;
	if (l >= c->label_count || c->labels[l] != UNBOUND)
		code_fail(c, -EINVAL);
	else
		c->labels[l] = c->count;
}

/* The next instruction leads to l. */
static void jump_note(struct code *c, code_label l)
{
	if (grow(c, &c->jumps, sizeof(*c->jumps), c->jump_count, &c->jump_capacity, PICKET_INSNS_MAX))
		c->jumps[c->jump_count++] = (struct code_jump){.insn = c->count, .label = l};
}

static const struct picket_insn skip_nothing = {.code = BPF_JMP | BPF_JA};

static bool has_opposite(uint8_t op)
{
	return op != BPF_JSET;
}

static uint8_t opposite(uint8_t op)
{
	static const uint8_t pairs[][2] = {
	        {BPF_JEQ, BPF_JNE}, {BPF_JGT, BPF_JLE}, {BPF_JGE, BPF_JLT}, {BPF_JSGT, BPF_JSLE}, {BPF_JSGE, BPF_JSLT},
	};

	for (size_t i = 0; i < ARRAY_SIZE(pairs); i++)
		for (size_t side = 0; side < 2; side++)
			if (pairs[i][side] == op)
				return pairs[i][!side];
	return op;
}

static void condition(struct code *c, struct picket_insn insn, code_label l)
{
	jump_note(c, l);
	emit(c, insn);
	/* Room for the second jump, should it be needed. */
	if (c->far)
		emit(c, skip_nothing);
	if (c->far && !has_opposite(BPF_OP(insn.code)))
		emit(c, skip_nothing);
}

void code_jump(struct code *c, code_label l)
{
	jump_note(c, l);
	emit(c, skip_nothing);
}

void code_jump_if(struct code *c, uint8_t op, unsigned dst, int32_t imm, code_label l)
{
	condition(c, (struct picket_insn){.code = BPF_JMP | op | BPF_K, .dst = dst & 15, .imm = imm}, l);
}

void code_jump_if_reg(struct code *c, uint8_t op, unsigned dst, unsigned src, code_label l)
{
	condition(c, (struct picket_insn){.code = BPF_JMP | op | BPF_X, .dst = dst & 15, .src = src & 15}, l);
}

static bool is_near(int64_t distance)
{
	return distance >= INT16_MIN && distance <= INT16_MAX;
}

static struct picket_insn jump_long(int64_t distance)
{
	return (struct picket_insn){.code = BPF_JMP32 | BPF_JA, .imm = (int32_t)distance};
}

/* [if not … goto +1] [goto far away]; without an opposite: [if … goto +1] [goto +1] [goto far away]. */
static void resolve_far_condition(struct picket_insn *insn, int64_t distance)
{
	uint8_t op = BPF_OP(insn->code);

	insn->offset = 1;
	if (has_opposite(op)) {
		insn->code = (uint8_t)((insn->code & ~0xf0) | opposite(op));
		insn[1] = jump_long(distance - 1);
	} else {
		insn[1].offset = 1;
		insn[2] = jump_long(distance - 2);
	}
}

static int resolve(struct code *c, const struct code_jump *jump)
{
	struct picket_insn *insn = &c->insns[jump->insn];
	int64_t distance;

	if (jump->label >= c->label_count || c->labels[jump->label] == UNBOUND)
		return -EINVAL;
	distance = (int64_t)c->labels[jump->label] - (int64_t)jump->insn - 1;
	if (insn->code == (BPF_JMP | BPF_CALL) || insn->code == (BPF_LD | BPF_IMM | BPF_DW))
		insn->imm = (int32_t)distance;
	else if (is_near(distance))
		insn->offset = (int16_t)distance;
	else if (insn->code == (BPF_JMP | BPF_JA))
		*insn = jump_long(distance);
	else if (c->far)
		resolve_far_condition(insn, distance);
	else
		return -ERANGE;
	return 0;
}

void code_later(struct code *c, void (*write)(struct code *c, const void *data), const void *data, size_t size)
{
	void *copy;

	if (!grow(c, &c->pending, sizeof(*c->pending), c->pending_count, &c->pending_capacity, PENDING_MAX))
		return;
	copy = malloc(size);
	if (!copy) {
		code_fail(c, -ENOMEM);
		return;
	}
	memcpy(copy, data, size);
	c->pending[c->pending_count++] = (struct code_pending){write, copy};
}

/* While one is written, others may be added. */
static void write_functions(struct code *c)
{
	while (c->pending_count) {
		struct code_pending f = c->pending[--c->pending_count];

		f.write(c, f.data);
		free(f.data);
	}
}

int code_finish(struct code *c)
{
	write_functions(c);
	for (size_t i = 0; i < c->jump_count && !c->error; i++)
		c->error = resolve(c, &c->jumps[i]);
	c->jump_count = 0;
	return c->error;
}

/* ---- instructions ---- */

void code_alu(struct code *c, uint8_t op, unsigned dst, int32_t imm)
{
	emit(c, (struct picket_insn){.code = BPF_ALU64 | op | BPF_K, .dst = dst & 15, .imm = imm});
}

void code_alu_reg(struct code *c, uint8_t op, unsigned dst, unsigned src)
{
	emit(c, (struct picket_insn){.code = BPF_ALU64 | op | BPF_X, .dst = dst & 15, .src = src & 15});
}

static void wide(struct code *c, unsigned dst, unsigned src, uint32_t low, uint32_t high)
{
	emit(c, (struct picket_insn){
	                .code = BPF_LD | BPF_IMM | BPF_DW, .dst = dst & 15, .src = src & 15, .imm = (int32_t)low});
	emit(c, (struct picket_insn){.imm = (int32_t)high});
}

void code_constant(struct code *c, unsigned dst, uint64_t value)
{
	if ((uint64_t)(int32_t)value == value)
		code_alu(c, BPF_MOV, dst, (int32_t)value);
	else if ((uint32_t)value == value)
		emit(c, (struct picket_insn){
		                .code = BPF_ALU | BPF_MOV | BPF_K, .dst = dst & 15, .imm = (int32_t)(uint32_t)value});
	else
		wide(c, dst, 0, (uint32_t)value, (uint32_t)(value >> 32));
}

void code_map(struct code *c, unsigned dst, uint32_t map)
{
	wide(c, dst, LDDW_MAP, map, 0);
}

void code_map_value(struct code *c, unsigned dst, uint32_t map, uint32_t at)
{
	wide(c, dst, LDDW_MAP_VALUE, map, at);
}

void code_function(struct code *c, unsigned dst, code_label function)
{
	jump_note(c, function);
	wide(c, dst, LDDW_FUNCTION, 0, 0);
}

void code_swap(struct code *c, unsigned dst)
{
	emit(c, (struct picket_insn){.code = BPF_ALU | BPF_END | BPF_TO_BE, .dst = dst & 15, .imm = 64});
}

void code_swap_little(struct code *c, unsigned dst)
{
	if (__BYTE_ORDER__ != __ORDER_LITTLE_ENDIAN__)
		emit(c, (struct picket_insn){.code = BPF_ALU | BPF_END | BPF_TO_LE, .dst = dst & 15, .imm = 64});
}

void code_load(struct code *c, uint8_t size, unsigned dst, unsigned base, int16_t offset)
{
	emit(c, (struct picket_insn){
	                .code = BPF_LDX | BPF_MEM | size, .dst = dst & 15, .src = base & 15, .offset = offset});
}

void code_store(struct code *c, uint8_t size, unsigned base, int16_t offset, unsigned src)
{
	emit(c, (struct picket_insn){
	                .code = BPF_STX | BPF_MEM | size, .dst = base & 15, .src = src & 15, .offset = offset});
}

void code_call(struct code *c, uint32_t helper)
{
	emit(c, (struct picket_insn){.code = BPF_JMP | BPF_CALL, .imm = (int32_t)helper});
}

void code_call_label(struct code *c, code_label function)
{
	jump_note(c, function);
	emit(c, (struct picket_insn){.code = BPF_JMP | BPF_CALL, .src = BPF_PSEUDO_CALL});
}

void code_exit(struct code *c)
{
	emit(c, (struct picket_insn){.code = BPF_JMP | BPF_EXIT});
}
