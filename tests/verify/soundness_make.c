/* SPDX-License-Identifier: Apache-2.0 */
#include <assert.h>
#include <linux/bpf.h>
#include "tests/verify/soundness_make.h"

static const struct picket_map_spec inner = {
        .type = BPF_MAP_TYPE_ARRAY, .key_size = 4, .value_size = 32, .max_entries = 2};
const struct picket_map_spec soundness_maps[SOUNDNESS_MAPS] = {
        [MAP_ARRAY] = {.type = BPF_MAP_TYPE_ARRAY, .key_size = 4, .value_size = 48, .max_entries = 4},
        [MAP_HASH] = {.type = BPF_MAP_TYPE_HASH, .key_size = 8, .value_size = 24, .max_entries = 8},
        [MAP_RING] = {.type = BPF_MAP_TYPE_RINGBUF, .max_entries = 4096},
        [MAP_CONSTANTS] = {.type = BPF_MAP_TYPE_ARRAY,
                           .key_size = 4,
                           .value_size = 16,
                           .max_entries = 1,
                           .flags = BPF_F_RDONLY_PROG},
        [MAP_GLOBALS] = {.type = BPF_MAP_TYPE_ARRAY, .key_size = 4, .value_size = 64, .max_entries = 1},
        [MAP_PROGRAMS] = {.type = BPF_MAP_TYPE_PROG_ARRAY, .key_size = 4, .value_size = 4, .max_entries = 4},
        [MAP_OUTER] =
                {.type = BPF_MAP_TYPE_ARRAY_OF_MAPS, .key_size = 4, .value_size = 4, .max_entries = 2, .inner = &inner},
};
const enum picket_kind soundness_kinds[] = {PICKET_KIND_MEMORY,        PICKET_KIND_XDP,        PICKET_KIND_SCHED_CLS,
                                            PICKET_KIND_SOCKET_FILTER, PICKET_KIND_TRACEPOINT, PICKET_KIND_SYSCALL};
const size_t soundness_kind_count = ARRAY_SIZE(soundness_kinds);

/* ---- instructions ---- */
struct picket_insn insn_make(enum vm_opcode op, unsigned dst, unsigned src, int offset, int64_t imm)
{
	const struct vm_insn_info *info = &vm_insns[op];
	struct picket_insn insn = {.code = info->code, .offset = (int16_t)offset, .imm = (int32_t)imm};

	insn.dst = dst & 15;
	insn.src = src & 15;
	if (info->select == VM_SELECT_OFFSET)
		insn.offset = info->value;
	if (info->select == VM_SELECT_IMM)
		insn.imm = info->value;
	if (info->select == VM_SELECT_SRC)
		insn.src = (uint8_t)info->value & 15;
	return insn;
}

bool insn_is(const struct picket_insn *insn, enum vm_opcode op)
{
	const struct vm_insn_info *info = &vm_insns[op];

	return insn->code == info->code && (info->select != VM_SELECT_OFFSET || insn->offset == info->value) &&
	       (info->select != VM_SELECT_IMM || insn->imm == info->value) &&
	       (info->select != VM_SELECT_SRC || insn->src == info->value);
}

size_t insn_slots(const struct picket_insn *insn)
{
	return insn->code == vm_insns[VM_LDDW].code ? 2 : 1;
}

enum insn_distance insn_distance(const struct picket_insn *insn)
{
	unsigned class = insn->code & 7, bits = insn->code & 0xf0;

	if (insn_is(insn, VM_LDDW_FUNCTION) || insn_is(insn, VM_CALL_LOCAL) || insn_is(insn, VM_JA32))
		return DISTANCE_IMM;
	return (class == 5 || class == 6) && bits != 0x80 && bits != 0x90 ? DISTANCE_OFFSET : DISTANCE_NONE;
}

size_t emit(struct generator *g, enum vm_opcode op, unsigned dst, unsigned src, int offset, int64_t imm)
{
	struct test_case *c = g->c;
	size_t at = c->count;

	assert(c->count + 2 <= CASE_INSNS_MAX);
	c->insns[c->count++] = insn_make(op, dst, src, offset, imm);
	if (insn_slots(&c->insns[at]) == 2)
		c->insns[c->count++] = (struct picket_insn){.imm = (int32_t)((uint64_t)imm >> 32)};
	return at;
}

bool has_room(const struct generator *g)
{
	return g->c->count < g->limit && g->leave.count + 8 < JUMPS_MAX && g->trap.count + 8 < JUMPS_MAX;
}

void jump_to(struct generator *g, struct jumps *jumps, enum vm_opcode op, unsigned dst, unsigned src, int64_t imm)
{
	assert(jumps->count < JUMPS_MAX);
	jumps->at[jumps->count++] = (uint16_t)emit(g, op, dst, src, 0, imm);
}

void land(struct generator *g, struct jumps *jumps)
{
	for (unsigned i = 0; i < jumps->count; i++)
		g->c->insns[jumps->at[i]].offset = (int16_t)(g->c->count - jumps->at[i] - 1);
	jumps->count = 0;
}

/* ---- registers ---- */
void set_register(struct generator *g, unsigned reg, enum holds holds, unsigned map, unsigned range)
{
	g->registers[reg] = (struct held){.holds = (uint8_t)holds, .map = (uint8_t)map, .range = (uint16_t)range};
}

void clobber(struct generator *g)
{
	for (unsigned i = 0; i <= 5; i++)
		set_register(g, i, HOLDS_NOTHING, 0, 0);
}

int find_register(struct generator *g, enum holds holds)
{
	unsigned first = chance_below(&g->chance, 10);

	for (unsigned i = 0; i < 10; i++)
		if (g->registers[(first + i) % 10].holds == holds)
			return (int)((first + i) % 10);
	return -1;
}

int free_register(struct generator *g)
{
	static const uint8_t free_ones[] = {0, 1, 2, 3, 4, 5, 9};
	unsigned first = chance_below(&g->chance, ARRAY_SIZE(free_ones));

	for (unsigned i = 0; i < ARRAY_SIZE(free_ones); i++) {
		unsigned reg = free_ones[(first + i) % ARRAY_SIZE(free_ones)];
		if (g->registers[reg].holds == HOLDS_NOTHING)
			return (int)reg;
	}
	return free_ones[first] == 9 && g->registers[9].holds == HOLDS_END ? 0
	                                                                   : free_ones[first]; /* it counts a loop */
}

int64_t some_constant(struct generator *g)
{
	static const int64_t usual[] = {0,  1,  2,  3,  4,  7,  8,  12, 15,  16,  20,
	                                24, 31, 32, 40, 47, 48, 63, 64, 100, 255, -1};

	switch (chance_below(&g->chance, 4)) {
	case 0:
		return (int32_t)chance_extreme(&g->chance);
	case 1:
		return chance_below(&g->chance, 64);
	default:
		return usual[chance_below(&g->chance, ARRAY_SIZE(usual))];
	}
}

void load_number(struct generator *g, unsigned reg)
{
	static const enum vm_opcode loads[] = {VM_LDXB, VM_LDXH, VM_LDXW, VM_LDXDW, VM_LDXSB, VM_LDXSH, VM_LDXSW};
	int value = find_register(g, HOLDS_VALUE);

	if (value >= 0 && !chance_one_in(&g->chance, 3)) {
		emit(g, loads[chance_below(&g->chance, ARRAY_SIZE(loads))], reg, (unsigned)value,
		     (int)chance_below(&g->chance, 9), 0);
	} else if (g->c->kind != PICKET_KIND_MEMORY && find_register(g, HOLDS_CONTEXT) >= 0 &&
	           chance_one_in(&g->chance, 2)) {
		/* ingress_ifindex; mark */
		emit(g, VM_LDXW, reg, (unsigned)find_register(g, HOLDS_CONTEXT), g->c->kind == PICKET_KIND_XDP ? 12 : 8,
		     0);
	} else {
		emit(g, VM_LDDW_MAP_VALUE, reg, 0, 0, MAP_GLOBALS | (int64_t)chance_below(&g->chance, 57) << 32);
		emit(g, loads[chance_below(&g->chance, ARRAY_SIZE(loads))], reg, reg, 0, 0);
	}
	set_register(g, reg, HOLDS_NUMBER, 0, 0);
}

int find_number(struct generator *g)
{
	int reg = find_register(g, HOLDS_NUMBER);

	if (reg >= 0 && !chance_one_in(&g->chance, 5))
		return reg;
	reg = free_register(g);
	load_number(g, (unsigned)reg);
	return reg;
}

/* ---- functions ---- */
bool program_has_packet(const struct generator *g)
{
	const enum picket_kind kind = g->c->kind;

	return g->current == 0 &&
	       (kind == PICKET_KIND_MEMORY || kind == PICKET_KIND_XDP || kind == PICKET_KIND_SCHED_CLS);
}

static void begin_main(struct generator *g)
{
	emit(g, VM_MOV64_REG, 6, 1, 0, 0);
	set_register(g, 6, HOLDS_CONTEXT, 0, 0);
	if (g->c->kind == PICKET_KIND_MEMORY) {
		emit(g, VM_MOV64_REG, 7, 2, 0, 0);
		set_register(g, 6, HOLDS_PACKET, 0, 0);
		set_register(g, 7, HOLDS_NUMBER, 0, 0);
	} else if (program_has_packet(g)) {
		int data = g->c->kind == PICKET_KIND_XDP ? 0 : 76;
		emit(g, VM_LDXW, 7, 6, data, 0);
		emit(g, VM_LDXW, 8, 6, data + 4, 0);
		set_register(g, 7, HOLDS_PACKET, 0, 0);
		set_register(g, 8, HOLDS_END, 0, 0);
	}
}

static void begin_function(struct generator *g, const struct function *f)
{
	switch (f->kind) {
	case FUNCTION_CALLBACK: /* the turn, and what it was given */
		set_register(g, 1, HOLDS_NUMBER, 0, 0);
		set_register(g, 2, HOLDS_STACK, 0, 0);
		g->registers[2].map = (uint8_t)f->pointer_bytes;
		break;
	case FUNCTION_MEMORY:
		emit(g, VM_LDXB, 0, 1, (int)f->pointer_bytes - 1, 0);
		set_register(g, 0, HOLDS_NUMBER, 0, 0);
		break;
	case FUNCTION_LEAVES:
		emit(g, VM_MOV64_REG, 6, 1, 0, 0);
		set_register(g, 6, HOLDS_CONTEXT, 0, 0);
		do_tail_call(g);
		break;
	case FUNCTION_NUMBERS:
		for (unsigned i = 1; i <= f->arguments; i++)
			set_register(g, i, HOLDS_NUMBER, 0, 0);
		break;
	}
}

static void end_function(struct generator *g, const struct function *f)
{
	int number = find_register(g, HOLDS_NUMBER);

	if (f->kind == FUNCTION_CALLBACK || f->kind == FUNCTION_LEAVES || number < 0)
		emit(g, VM_MOV64_IMM, 0, 0, 0, chance_below(&g->chance, f->kind == FUNCTION_LEAVES ? 8 : 2));
	else if (number != 0)
		emit(g, VM_MOV64_REG, 0, (unsigned)number, 0, 0);
	emit(g, VM_EXIT, 0, 0, 0, 0);
	if (g->leave.count) {
		land(g, &g->leave);
		emit(g, VM_MOV64_IMM, 0, 0, 0, 0);
		emit(g, VM_EXIT, 0, 0, 0, 0);
	}
	if (g->trap.count) {
		land(g, &g->trap);
		emit(g, VM_MOV64_IMM, 1, 0, 0, 0);
		emit(g, VM_LDXDW, 0, 1, 0, 0);
		emit(g, VM_EXIT, 0, 0, 0, 0);
	}
}

static void make_function(struct generator *g, unsigned index)
{
	struct function *f = &g->functions[index];
	size_t start = g->c->count;

	for (unsigned i = 0; i < f->call_count; i++)
		g->c->insns[f->calls[i]].imm = (int32_t)start - f->calls[i] - 1;
	g->current = index;
	g->block_depth = 0;
	g->in_loop = false;
	g->limit = start + (index ? INSNS_WANTED / 4 : INSNS_WANTED);
	memset(g->registers, 0, sizeof(g->registers));
	memset(g->slots, 0, sizeof(g->slots));
	if (index)
		begin_function(g, f);
	else
		begin_main(g);
	make_block(g, 3 + chance_below(&g->chance, index ? 4 : 14));
	end_function(g, f);
}

void case_make(struct test_case *c, enum picket_kind kind, uint64_t seed, bool plain)
{
	struct generator g = {.c = c,
	                      .chance = chance_from(seed * PICKET_KINDS + (uint64_t)kind),
	                      .function_count = 1,
	                      .plain = plain};

	c->kind = kind;
	c->maps = soundness_maps;
	c->map_count = SOUNDNESS_MAPS;
	c->count = 0;
	c->origin = NULL;
	/* Functions are declared by the first call of them. */
	for (unsigned i = 0; i < g.function_count; i++)
		make_function(&g, i);
}
