/* SPDX-License-Identifier: Apache-2.0
 *
 * What a program must not do. It may still go well: then the program goes on with a number.
 */
#include <linux/bpf.h>
#include "tests/vm/random_int.h"

#define FRAME 10

/* Any access there. The register that is loaded, if any, holds a number. */
static void access_at(struct generator *g, unsigned base, int offset)
{
	static const enum vm_format formats[] = {VM_FORMAT_LOAD, VM_FORMAT_STORE_IMM, VM_FORMAT_STORE_REG,
	                                         VM_FORMAT_ATOMIC_REG};
	enum vm_format format = formats[random_below(g, ARRAY_SIZE(formats))];
	enum vm_opcode op = random_opcode(g, format);
	unsigned other;

	g->reserved |= (uint16_t)(1u << base);
	other = random_number_target(g);
	if (format == VM_FORMAT_LOAD)
		random_emit(g, op, other, base, offset, 0);
	else
		random_emit(g, op, base, format == VM_FORMAT_STORE_IMM ? 0 : other, offset,
		            format == VM_FORMAT_STORE_IMM ? random_imm(g) : 0);
	if (op == VM_CMPXCHG32 || op == VM_CMPXCHG64)
		random_set_number(g, 0);
}

static int any_offset(struct generator *g)
{
	return (int16_t)(uint16_t)random_imm(g);
}

static void hazard_number_as_pointer(struct generator *g)
{
	access_at(g, random_number_reg(g), random_one_in(g, 2) ? any_offset(g) : 0);
}

static enum kind pick_kind(struct generator *g)
{
	enum kind kind;

	do
		kind = random_below(g, KINDS);
	while (!random_has(g, kind));
	return kind;
}

/* At and beyond both ends of some memory. */
static void hazard_beside(struct generator *g)
{
	static const int16_t sizes[] = {WORLD_PACKET_BYTES, WORLD_REGION_BYTES, WORLD_TABLE_BYTES, WORLD_VALUES_BYTES,
	                                CALLER_BYTES};
	unsigned reg = random_target(g);
	int edge = random_one_in(g, 3) ? 0 : sizes[random_below(g, ARRAY_SIZE(sizes))];

	random_fetch(g, pick_kind(g), reg);
	access_at(g, reg, edge + (int)random_below(g, 24) - 12);
}

static void hazard_index(struct generator *g)
{
	unsigned number = random_number_reg(g), reg = random_target(g);

	random_fetch(g, pick_kind(g), reg);
	random_emit(g, random_one_in(g, 2) ? VM_ADD64_REG : VM_SUB64_REG, reg, number, 0, 0);
	random_set(g, reg, (struct value){.kind = EMPTY});
	access_at(g, reg, random_one_in(g, 2) ? any_offset(g) : 0);
	random_emit_number(g, reg);
}

static void hazard_stack(struct generator *g)
{
	static const int16_t edges[] = {0, -512, 512, 3584, -1024};

	access_at(g, FRAME, edges[random_below(g, ARRAY_SIZE(edges))] + (int)random_below(g, 24) - 12);
}

static void hazard_map_as_memory(struct generator *g)
{
	unsigned reg = random_target(g);

	random_emit(g, VM_LDDW_MAP, reg, 0, 0, random_below(g, WORLD_MAPS));
	random_set(g, reg, (struct value){.kind = EMPTY});
	access_at(g, reg, random_one_in(g, 2) ? 0 : any_offset(g));
	random_emit_number(g, reg);
}

static void hazard_endless(struct generator *g)
{
	size_t top = g->f->count;

	for (unsigned i = random_below(g, 3); i-- > 0;)
		random_straight(g);
	if (random_one_in(g, 2)) {
		size_t jump = random_condition(g);
		g->f->insns[jump].offset = (int16_t)((int)top - (int)jump - 1);
	} else {
		random_emit(g, VM_JA, 0, 0, (int)top - (int)g->f->count - 1, 0);
		g->dead = true;
	}
}

static void any_args(struct generator *g)
{
	for (unsigned reg = 1; reg <= 5; reg++) {
		if (random_one_in(g, 3)) {
			random_fetch(g, pick_kind(g), reg);
		} else if (random_one_in(g, 4)) {
			random_emit(g, VM_LDDW_MAP, reg, 0, 0, random_below(g, WORLD_MAPS));
			random_set(g, reg, (struct value){.kind = EMPTY});
		} else if (random_one_in(g, 4)) {
			random_emit(g, VM_MOV64_REG, reg, FRAME, 0, 0);
			random_emit(g, VM_ADD64_IMM, reg, 0, 0, -8 * (int)random_below(g, 80));
			random_set(g, reg, (struct value){.kind = EMPTY});
		} else {
			random_emit_number(g, reg);
		}
		g->reserved |= (uint16_t)(1u << reg);
	}
}

/* Itself, or one that calls it: without an end, unless what the arguments are ends it. */
static void hazard_recursion(struct generator *g)
{
	any_args(g);
	random_emit(g, VM_CALL_LOCAL, 0, 0, 0, random_below(g, g->function_count));
	random_after_call(g, true);
}

static void hazard_call_number(struct generator *g)
{
	unsigned reg = random_number_reg(g);

	if (random_one_in(g, 3))
		random_emit(g, VM_LDDW, reg, 0, 0, (int64_t)vm_function_value(random_below(g, 8)));
	else if (random_one_in(g, 3))
		random_emit(g, VM_MOV64_IMM, reg, 0, 0, (int64_t)random_below(g, 4) + WORLD_MIX - 1);
	random_emit(g, VM_CALL_REG, reg, 0, 0, 0);
	random_after_call(g, true);
}

static void hazard_helper(struct generator *g)
{
	static const uint32_t ids[] = {
	        BPF_FUNC_map_lookup_elem,
	        BPF_FUNC_map_update_elem,
	        BPF_FUNC_map_delete_elem,
	        BPF_FUNC_loop,
	        WORLD_SUM,
	        WORLD_FILL,
	};

	any_args(g);
	random_emit(g, VM_CALL_HELPER, 0, 0, 0, ids[random_below(g, ARRAY_SIZE(ids))]);
	random_after_call(g, true);
	/* It may be the address of an element: not a number that is the same everywhere. */
	random_emit_number(g, 0);
}

void random_hazard(struct generator *g)
{
	static void (*const hazards[])(struct generator * g) = {
	        hazard_number_as_pointer, hazard_beside,    hazard_index,       hazard_stack,  hazard_map_as_memory,
	        hazard_endless,           hazard_recursion, hazard_call_number, hazard_helper, hazard_beside,
	};

	hazards[random_below(g, ARRAY_SIZE(hazards))](g);
}
