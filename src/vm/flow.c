/* SPDX-License-Identifier: Apache-2.0
 *
 * Which registers are still needed where: the usual backward analysis over basic blocks. A block is looked at again only
 * when a successor's needs grew, which for 11 registers is at most 11 times.
 */
#include <errno.h>
#include <stdlib.h>
#include "vm/vm_int.h"

struct block {
	uint32_t first, end; /* ops */
	uint16_t reads;      /* before it writes them */
	uint16_t writes;
	uint16_t live_in;
	bool queued;
	uint32_t into; /* where its predecessors begin in flow.into */
};

struct flow {
	struct vm_ops *ops;
	struct block *blocks; /* and one more: its `into` is where the last one's end */
	size_t count;
	uint32_t *block_of; /* of each op that begins one */
	uint32_t *into;     /* predecessors, block after block; at most two successors each */
	uint32_t *queue;
};

/* A function that is called finds the other registers as they are, too, and may look at them though it should not. */
#define CALLED_SEES 0x3ff
static uint16_t op_needs(const struct vm_op *op)
{
	bool calls = op->op == VM_CALL_LOCAL || op->op == VM_CALL_REG;

	return vm_op_reads(op) | (calls ? CALLED_SEES : 0);
}

static bool op_jumps_always(const struct vm_op *op)
{
	return op->op == VM_JA || op->op == VM_JA32;
}

/* Blocks that may follow; a function's end is always an exit or a jump. */
static unsigned block_successors(const struct flow *f, const struct block *b, uint32_t ret_next[2])
{
	const struct vm_op *last = &f->ops->ops[b->end - 1];
	unsigned n = 0;

	if (last->op == VM_EXIT)
		return 0;
	if (vm_op_ends_block(last))
		ret_next[n++] = f->block_of[last->target];
	if (!op_jumps_always(last))
		ret_next[n++] = f->block_of[b->end];
	return n;
}

static void flow_make_block(struct flow *f, uint32_t first, uint32_t end)
{
	uint16_t reads = 0, writes = 0;

	for (uint32_t i = first; i < end; i++) {
		reads |= op_needs(&f->ops->ops[i]) & (uint16_t)~writes;
		writes |= vm_op_writes(&f->ops->ops[i]);
	}
	f->block_of[first] = (uint32_t)f->count;
	f->blocks[f->count++] = (struct block){.first = first, .end = end, .reads = reads, .writes = writes};
}

static void flow_make_blocks(struct flow *f)
{
	const struct vm_ops *o = f->ops;
	uint32_t first = 0;

	for (uint32_t i = 1; i <= o->count; i++) {
		if (i < o->count && !(o->ops[i].flags & VM_OP_LEADER) && !vm_op_ends_block(&o->ops[i - 1]))
			continue;
		flow_make_block(f, first, i);
		first = i;
	}
}

static void flow_link_blocks(struct flow *f)
{
	uint32_t next[2], total = 0;

	for (size_t i = 0; i < f->count; i++)
		for (unsigned n = block_successors(f, &f->blocks[i], next); n-- > 0;)
			f->blocks[next[n]].into++;
	for (size_t i = 0; i < f->count; i++) {
		total += f->blocks[i].into;
		f->blocks[i].into = total;
	}
	f->blocks[f->count] = (struct block){.into = total};
	for (size_t i = 0; i < f->count; i++)
		for (unsigned n = block_successors(f, &f->blocks[i], next); n-- > 0;)
			f->into[--f->blocks[next[n]].into] = (uint32_t)i;
}

static uint16_t block_live_out(const struct flow *f, const struct block *b)
{
	uint32_t next[2];
	uint16_t live = 0;

	for (unsigned n = block_successors(f, b, next); n-- > 0;)
		live |= f->blocks[next[n]].live_in;
	return live;
}

/* The queue is a ring: each block stands in it at most once. */
static void flow_solve(struct flow *f)
{
	size_t head = 0, queued = f->count;

	for (size_t i = 0; i < f->count; i++) {
		f->queue[i] = (uint32_t)(f->count - 1 - i);
		f->blocks[i].queued = true;
	}
	while (queued) {
		uint32_t index = f->queue[head];
		struct block *b = &f->blocks[index];
		uint16_t live = b->reads | (block_live_out(f, b) & (uint16_t)~b->writes);
		uint32_t end = f->blocks[index + 1].into;

		head = head + 1 == f->count ? 0 : head + 1;
		queued--;
		b->queued = false;
		if (live == b->live_in)
			continue;
		b->live_in = live;
		for (uint32_t i = b->into; i < end; i++) {
			struct block *before = &f->blocks[f->into[i]];
			size_t tail = head + queued;
			if (before->queued)
				continue;
			before->queued = true;
			f->queue[tail >= f->count ? tail - f->count : tail] = f->into[i];
			queued++;
		}
	}
}

static void flow_store(struct flow *f, uint16_t *live)
{
	for (size_t i = 0; i < f->count; i++) {
		const struct block *b = &f->blocks[i];
		uint16_t now = block_live_out(f, b);
		for (uint32_t op = b->end; op-- > b->first;) {
			live[op] = now;
			now = (now & (uint16_t)~vm_op_writes(&f->ops->ops[op])) | op_needs(&f->ops->ops[op]);
		}
	}
}

/* One piece of memory for all; ret->blocks is to be freed. */
static int flow_init(struct flow *f, struct vm_ops *o)
{
	size_t blocks = (o->count + 1) * sizeof(*f->blocks), numbers = o->count * sizeof(uint32_t);
	char *memory = malloc(blocks + 4 * numbers);

	if (!memory)
		return -ENOMEM;
	*f = (struct flow){
	        .ops = o,
	        .blocks = (struct block *)memory,
	        .block_of = (uint32_t *)(memory + blocks),
	        .queue = (uint32_t *)(memory + blocks + numbers),
	        .into = (uint32_t *)(memory + blocks + 2 * numbers),
	};
	return 0;
}

int vm_flow_live(struct vm_ops *o)
{
	uint16_t *live = malloc(o->count * sizeof(*live));
	struct flow f;

	if (!live || flow_init(&f, o)) {
		free(live);
		return -ENOMEM;
	}
	flow_make_blocks(&f);
	flow_link_blocks(&f);
	flow_solve(&f);
	flow_store(&f, live);
	free(f.blocks);
	free(o->live);
	o->live = live;
	return 0;
}
