/* SPDX-License-Identifier: Apache-2.0
 *
 * What can be said of a program without walking it: where its blocks begin, which blocks belong to which loop, which
 * registers are still read where.
 *
 * A loop is named by its head: the block through which the search from the function's first block came into it. Blocks of a
 * loop that the search finds again while it is inside of it lead back to the head, wherever they stand in the code. A loop
 * into which there is a second way is no loop here: its jumps back belong to the next outer one, or to none.
 */
#include <errno.h>
#include <stdlib.h>
#include "verify/verify_int.h"

#define NONE UINT32_MAX

static bool op_is_jump(const struct vm_op *op)
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

/* ---- blocks ---- */

struct block {
	uint32_t first, end; /* ops */
	uint32_t next[2];    /* blocks; NONE */
	uint32_t head;       /* of the innermost loop that it is in, not its own; NONE */
	uint32_t depth;      /* of the search, from 1, while it is below this block; else 0 */
	uint8_t visited;     /* successors that the search has been to, plus 1; 0: it was not here */
	bool is_head, is_entered_twice;
};

struct flow {
	struct verify *v;
	struct block *blocks;
	uint32_t count;
	uint32_t *block_of; /* by op */
	uint32_t *path;     /* blocks that the search is below */
};

static void blocks_find(struct flow *f)
{
	const struct vm_ops *code = &f->v->code;
	bool begins = true;

	for (uint32_t i = 0; i < code->count; i++) {
		if (begins || code->ops[i].flags & VM_OP_LEADER) {
			f->blocks[f->count++] = (struct block){.first = i, .next = {NONE, NONE}, .head = NONE};
			f->v->places[i] |= PLACE_BLOCK;
		}
		f->block_of[i] = f->count - 1;
		f->blocks[f->count - 1].end = i + 1;
		begins = op_is_jump(&code->ops[i]) || code->ops[i].op == VM_EXIT;
	}
	for (uint32_t i = 0; i < f->count; i++) {
		struct block *b = &f->blocks[i];
		const struct vm_op *last = &code->ops[b->end - 1];
		unsigned n = 0;
		if (op_goes_on(last) && b->end < code->count)
			b->next[n++] = i + 1;
		if (op_is_jump(last))
			b->next[n] = f->block_of[last->target];
	}
}

/* ---- loops ---- */

/* The block and the loops that it is in are in the loop of `head`, too; the search is below all of their heads. */
static void loop_add(struct flow *f, uint32_t block, uint32_t head)
{
	while (block != head && head != NONE) {
		struct block *b = &f->blocks[block];
		uint32_t inner = b->head;
		if (inner == head)
			return;
		if (inner != NONE && f->blocks[inner].depth >= f->blocks[head].depth) {
			block = inner;
			continue;
		}
		b->head = head;
		block = head;
		head = inner;
	}
}

/* An edge to a block that the search has been to. */
static void loop_edge(struct flow *f, uint32_t from, uint32_t to)
{
	uint32_t head;

	if (f->blocks[to].depth) {
		f->blocks[to].is_head = true;
		loop_add(f, from, to);
		return;
	}
	for (head = f->blocks[to].head; head != NONE && !f->blocks[head].depth; head = f->blocks[head].head)
		f->blocks[head].is_entered_twice = true;
	loop_add(f, from, head);
}

static void loops_search(struct flow *f, uint32_t first)
{
	uint32_t length = 0;

	if (f->blocks[first].visited)
		return;
	f->path[length++] = first;
	f->blocks[first].depth = 1;
	while (length) {
		uint32_t at = f->path[length - 1], next;
		struct block *b = &f->blocks[at];
		if (b->visited == 2 || b->next[b->visited] == NONE) {
			b->visited = 3;
			b->depth = 0;
			length--;
			if (length)
				loop_add(f, f->path[length - 1], b->head);
			continue;
		}
		next = b->next[b->visited++];
		if (f->blocks[next].visited || f->blocks[next].depth) {
			loop_edge(f, at, next);
			continue;
		}
		f->path[length++] = next;
		f->blocks[next].depth = length;
	}
}

static bool block_is_head(const struct flow *f, uint32_t block)
{
	return f->blocks[block].is_head && !f->blocks[block].is_entered_twice;
}

/* The next loop around that is one. */
static uint32_t head_around(const struct flow *f, uint32_t block)
{
	uint32_t head = f->blocks[block].head;

	while (head != NONE && !block_is_head(f, head))
		head = f->blocks[head].head;
	return head;
}

static void loops_store(struct flow *f)
{
	struct verify *v = f->v;

	for (uint32_t i = 0; i < f->count; i++) {
		struct block *b = &f->blocks[i];
		uint32_t head = head_around(f, i);
		struct loop_place *around = &v->loops[b->first];
		around->head = head == NONE ? NO_LOOP : f->blocks[head].first;
		if (!block_is_head(f, i))
			continue;
		v->places[b->first] |= PLACE_HEAD;
		around->first = b->first;
		around->end = b->end;
	}
	for (uint32_t i = 0; i < f->count; i++)
		for (uint32_t head = head_around(f, i); head != NONE; head = head_around(f, head)) {
			struct loop_place *l = &v->loops[f->blocks[head].first];
			l->first = MIN(l->first, f->blocks[i].first);
			l->end = MAX(l->end, f->blocks[i].end);
		}
}

/* Is the block that begins at op in the loop with that head? */
bool verify_in_loop(const struct verify *v, uint32_t op, uint32_t head)
{
	while (op != head && op != NO_LOOP)
		op = v->loops[op].head;
	return op == head;
}

/* ---- registers that are still read ---- */

#define ARGUMENTS 0x3e
#define KEPT 0x3c0 /* over calls */

static uint16_t first_arguments(unsigned count)
{
	return (uint16_t)(ARGUMENTS & ((2u << count) - 1));
}

static uint16_t helper_reads(const struct verify *v, uint32_t id)
{
	bool allowed;
	const struct verify_proto *p = v->own ? verify_own_find(v, id) : NULL;
	unsigned count = 0;

	if (!p)
		p = verify_proto_find(v->kind, id, &allowed);
	if (!p)
		return ARGUMENTS;
	while (count < 5 && p->args[count].base != VERIFY_ARG_NONE)
		count++;
	return first_arguments(count);
}

static uint32_t function_at(const struct verify *v, uint32_t op)
{
	uint32_t low = 0, high = (uint32_t)v->code.function_count;

	while (high - low > 1) {
		uint32_t middle = (low + high) / 2;
		if (v->code.functions[middle].first <= op)
			low = middle;
		else
			high = middle;
	}
	return low;
}

static uint16_t op_reads(const struct verify *v, const struct vm_op *op)
{
	switch (op->op) {
	case VM_CALL_HELPER:
		return op->src == 2 ? ARGUMENTS : helper_reads(v, (uint32_t)op->imm);
	case VM_CALL_LOCAL:
		return (uint16_t)((v->live[op->target] & ARGUMENTS) |
		                  first_arguments(v->globals[function_at(v, op->target)].parameter_count));
	default:
		break;
	}
	if (vm_insns[op->op].format == VM_FORMAT_PACKET_IMM || vm_insns[op->op].format == VM_FORMAT_PACKET_REG)
		return vm_op_reads(op) | 1 << 6; /* the context */
	return vm_op_reads(op);
}

/* true: the block's first op has other needs than before. */
static bool block_live(const struct flow *f, const struct block *b)
{
	const struct verify *v = f->v;
	uint16_t live = 0, before = v->live[b->first];

	for (unsigned i = 0; i < 2; i++)
		if (b->next[i] != NONE)
			live |= v->live[f->blocks[b->next[i]].first];
	for (uint32_t i = b->end; i-- > b->first;) {
		const struct vm_op *op = &v->code.ops[i];
		live = (uint16_t)((live & ~vm_op_writes(op)) | op_reads(v, op));
		v->live[i] = live;
	}
	return live != before;
}

/* Needs only grow, and there are 11 of them: it comes to rest. */
static void registers_find(struct flow *f)
{
	bool again = true;

	while (again) {
		again = false;
		for (uint32_t i = f->count; i-- > 0;)
			again |= block_live(f, &f->blocks[i]);
	}
}

uint16_t verify_live(const struct verify *v, const struct state *s, uint32_t frame)
{
	const struct frame *above;
	uint16_t after;

	if (frame + 1 == s->frame_count)
		return v->live[s->op];
	above = s->frames[frame + 1];
	after = above->return_op + 1 < v->code.count ? v->live[above->return_op + 1] : 0;
	if (above->callback) /* it comes back to the call itself */
		return v->live[above->return_op] | after;
	return after & KEPT;
}

int verify_flow_find(struct verify *v)
{
	const size_t count = v->code.count;
	struct flow f = {.v = v};
	int r = -ENOMEM;

	v->places = calloc(count, sizeof(*v->places));
	v->live = calloc(count, sizeof(*v->live));
	v->loops = calloc(count, sizeof(*v->loops));
	f.blocks = malloc(count * sizeof(*f.blocks));
	f.block_of = malloc(count * sizeof(*f.block_of));
	f.path = malloc(count * sizeof(*f.path));
	if (v->places && v->live && v->loops && f.blocks && f.block_of && f.path) {
		blocks_find(&f);
		for (size_t i = 0; i < v->code.function_count; i++)
			loops_search(&f, f.block_of[v->code.functions[i].first]);
		loops_store(&f);
		registers_find(&f);
		r = 0;
	}
	free(f.blocks);
	free(f.block_of);
	free(f.path);
	return r;
}

void verify_flow_done(struct verify *v)
{
	free(v->places);
	free(v->live);
	free(v->loops);
}
