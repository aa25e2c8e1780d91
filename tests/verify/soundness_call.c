/* SPDX-License-Identifier: Apache-2.0
 *
 * Statements of random programs: where control goes elsewhere, by tail calls and registers; and locks.
 */
#include <linux/bpf.h>
#include "tests/verify/soundness_make.h"

#define SLOT_FUNCTION 15

static bool chance_to(struct generator *g, unsigned n)
{
	return below(g, n) == 0;
}

/* ---- functions called by registers ---- */
/* r4 = the one or the other, as a number says. */
static void load_one_of(struct generator *g, unsigned first, unsigned second)
{
	struct jumps skip = {.count = 0};
	unsigned number = (unsigned)find_number(g);

	if (number == 4) {
		number = 5;
		load_number(g, number);
	}
	note_call(g, first, emit(g, VM_LDDW_FUNCTION, 4, 0, 0, 0));
	if (second) {
		jump_to(g, &skip, VM_JGT64_IMM, number, 0, below(g, 256));
		note_call(g, second, emit(g, VM_LDDW_FUNCTION, 4, 0, 0, 0));
		/* so that what comes behind is looked at once for each of them, if at all */
		for (unsigned i = 0; i < 5; i++)
			emit(g, VM_MOV64_IMM, 3, 0, 0, i);
		land(g, &skip);
	}
	if (chance_to(g, 4)) {
		emit(g, VM_STXDW, 10, 4, slot_offset(SLOT_FUNCTION), 0);
		g->slots[SLOT_FUNCTION].holds = HOLDS_NOTHING;
		emit(g, VM_LDXDW, 4, 10, slot_offset(SLOT_FUNCTION), 0);
	}
}

static void call_r4(struct generator *g)
{
	emit(g, VM_CALL_REG, 4, 0, 0, 0);
	clobber(g);
	set_register(g, 0, HOLDS_NUMBER, 0, 0);
}

/* They read as many bytes as they were made for: the last that there are, of the smaller or of the greater one. */
static void do_call_memory(struct generator *g)
{
	unsigned first = some_function(g, FUNCTION_MEMORY), second = some_function(g, FUNCTION_MEMORY), least, most;
	int room;

	if (!first || !second)
		return;
	least = MIN(g->functions[first].pointer_bytes, g->functions[second].pointer_bytes);
	most = MAX(g->functions[first].pointer_bytes, g->functions[second].pointer_bytes);
	room = (int)(chance_to(g, 3) ? least : most);
	load_one_of(g, first, second);
	emit(g, VM_LDDW_MAP_VALUE, 1, 0, 0,
	     MAP_GLOBALS | (int64_t)((int)soundness_maps[MAP_GLOBALS].value_size - room) << 32);
	call_r4(g);
}

static void do_call_numbers(struct generator *g)
{
	unsigned first = some_function(g, FUNCTION_NUMBERS),
	         second = below(g, 2) ? some_function(g, FUNCTION_NUMBERS) : 0;

	if (!first)
		return;
	load_one_of(g, first, second);
	emit(g, VM_MOV64_IMM, 1, 0, 0, some_constant(g));
	emit(g, VM_MOV64_IMM, 2, 0, 0, some_constant(g));
	call_r4(g);
}

void do_call_register(struct generator *g)
{
	if (below(g, 2))
		do_call_memory(g);
	else
		do_call_numbers(g);
}

/* ---- tail calls ---- */
void do_tail_call(struct generator *g)
{
	int context = find_register(g, HOLDS_CONTEXT), number = find_register(g, HOLDS_NUMBER);

	if (context < 0 && g->c->kind == PICKET_KIND_MEMORY && !g->current)
		context = 6; /* the buffer is */
	if (context < 0 || g->registers[6].holds == HOLDS_NOTHING)
		return;
	if (number >= 0 && below(g, 2))
		emit(g, VM_MOV64_REG, 3, (unsigned)number, 0, 0);
	else
		emit(g, VM_MOV64_IMM, 3, 0, 0, below(g, 5));
	emit(g, VM_MOV64_REG, 1, (unsigned)context, 0, 0);
	emit(g, VM_LDDW_MAP, 2, 0, 0, MAP_PROGRAMS);
	emit(g, VM_CALL_HELPER, 0, 0, 0, BPF_FUNC_tail_call);
	clobber(g);
}

/* A function whose result may be another program's, and the packet may have moved when it returns. */
void do_leaving_function(struct generator *g)
{
	unsigned function = g->registers[6].holds == HOLDS_NOTHING || g->registers[6].holds == HOLDS_NUMBER
	                            ? 0
	                            : some_function(g, FUNCTION_LEAVES);
	bool main_packet = program_has_packet(g) && g->c->kind != PICKET_KIND_MEMORY;

	if (!function)
		return;
	emit(g, VM_MOV64_REG, 1, 6, 0, 0);
	note_call(g, function, emit(g, VM_CALL_LOCAL, 0, 0, 0, 0));
	clobber(g);
	set_register(g, 0, HOLDS_NUMBER, 0, 0);
	if (main_packet && chance_to(g, 6) && g->registers[7].holds == HOLDS_PACKET && g->registers[7].range)
		emit(g, VM_LDXB, 5, 7, g->registers[7].range - 1, 0); /* which may be another one's */
	else if (main_packet && !chance_to(g, 8))
		forget_packet(g);
	if (!chance_to(g, 8))
		emit(g, VM_AND64_IMM, 0, 0, 0, 7);
	emit(g, VM_LDDW_MAP_VALUE, 5, 0, 0, MAP_GLOBALS);
	emit(g, VM_ADD64_REG, 5, 0, 0, 0);
	emit(g, VM_LDXB, 5, 5, 0, 0);
	set_register(g, 5, HOLDS_NUMBER, 0, 0);
	g->registers[0].below = 8;
}

/* ---- locks: in the sandbox, in a value of any map ---- */
static void lock_helper(struct generator *g, unsigned at, uint32_t helper)
{
	emit(g, VM_LDDW_MAP_VALUE, 1, 0, 0, MAP_GLOBALS | (int64_t)at << 32);
	emit(g, VM_CALL_HELPER, 0, 0, 0, helper);
	clobber(g);
}

void do_lock(struct generator *g)
{
	static statement *const inside[] = {do_tail_call, do_tail_call, do_call_register, do_lock};
	unsigned at = 4 * below(g, 8);

	if (g->c->kind != PICKET_KIND_MEMORY || g->block_depth > 1)
		return;
	/* as the lock's word is memory like any other here, it is open before */
	emit(g, VM_LDDW_MAP_VALUE, 1, 0, 0, MAP_GLOBALS | (int64_t)at << 32);
	emit(g, VM_STW, 1, 0, 0, 0);
	lock_helper(g, at, BPF_FUNC_spin_lock);
	for (unsigned i = 0; i < 3; i++) {
		unsigned slot = below(g, 8);
		emit(g, VM_STDW, 10, 0, slot_offset(slot), some_constant(g));
		g->slots[slot] = (struct held){.holds = HOLDS_NUMBER};
	}
	if (chance_to(g, 4)) { /* which is not allowed */
		g->block_depth++;
		inside[below(g, ARRAY_SIZE(inside))](g);
		g->block_depth--;
	}
	lock_helper(g, at, BPF_FUNC_spin_unlock);
}
