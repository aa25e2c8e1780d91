/* SPDX-License-Identifier: Apache-2.0
 *
 * Statements of random programs.
 */
#include <linux/bpf.h>
#include "tests/verify/soundness_make.h"

#define SLOTS_USED 12    /* of the stack */
#define SLOT_COUNTERS 16 /* behind them: of loops, by depth */

unsigned below(struct generator *g, unsigned limit)
{
	return chance_below(&g->chance, limit);
}

int slot_offset(unsigned slot)
{
	return -8 * (int)(slot + 1);
}

static int find_slot(struct generator *g, enum holds holds)
{
	unsigned first = below(g, SLOTS_USED);

	for (unsigned i = 0; i < SLOTS_USED; i++)
		if (g->slots[(first + i) % SLOTS_USED].holds == holds)
			return (int)((first + i) % SLOTS_USED);
	return -1;
}

void meet(struct generator *g, const struct held *registers, const struct held *slots)
{
	for (unsigned i = 0; i < 10; i++)
		if (memcmp(&g->registers[i], &registers[i], sizeof(registers[i])) != 0)
			g->registers[i].holds =
			        g->registers[i].holds == HOLDS_NUMBER && registers[i].holds == HOLDS_NUMBER
			                ? HOLDS_NUMBER
			                : HOLDS_NOTHING;
	for (unsigned i = 0; i < ARRAY_SIZE(g->slots); i++)
		if (memcmp(&g->slots[i], &slots[i], sizeof(slots[i])) != 0)
			g->slots[i].holds = g->slots[i].holds == HOLDS_NUMBER && slots[i].holds == HOLDS_NUMBER
			                            ? HOLDS_NUMBER
			                            : HOLDS_NOTHING;
}

/* ---- arithmetic ---- */
static enum vm_opcode some_operation(struct generator *g)
{
	static const enum vm_opcode firsts[] = {
	        VM_ADD64_IMM, VM_SUB64_IMM, VM_MUL64_IMM, VM_DIV64_IMM,  VM_SDIV64_IMM, VM_OR64_IMM,   VM_AND64_IMM,
	        VM_LSH64_IMM, VM_RSH64_IMM, VM_MOD64_IMM, VM_SMOD64_IMM, VM_XOR64_IMM,  VM_ARSH64_IMM, VM_ADD64_IMM,
	        VM_SUB64_IMM, VM_AND64_IMM, VM_LSH64_IMM, VM_RSH64_IMM,  VM_ARSH64_IMM, VM_MOV64_IMM,
	};

	return firsts[below(g, ARRAY_SIZE(firsts))] + below(g, 4);
}

static int64_t operand(struct generator *g, enum vm_opcode op)
{
	unsigned kind = vm_insns[op].code & 0xf0;
	int64_t constant = some_constant(g);

	if (kind == 0x60 || kind == 0x70 || kind == 0xc0) /* shifts */
		return (int64_t)below(g, vm_insns[op].code & 3 ? 64 : 32) & ((vm_insns[op].code & 7) == 4 ? 31 : 63);
	return (kind == 0x30 || kind == 0x90) && !constant ? 3 : constant;
}

static void do_arithmetic(struct generator *g)
{
	static const enum vm_opcode unary[] = {VM_NEG64, VM_NEG32, VM_LE16,    VM_LE32,    VM_BE16,
	                                       VM_BE32,  VM_BE64,  VM_BSWAP16, VM_BSWAP32, VM_BSWAP64};
	static const enum vm_opcode moves[] = {VM_MOV64_REG,  VM_MOV32_REG, VM_MOVSX8_64, VM_MOVSX16_64,
	                                       VM_MOVSX32_64, VM_MOVSX8_32, VM_MOVSX16_32};
	unsigned dst = (unsigned)find_number(g), src = (unsigned)find_number(g);
	enum vm_opcode op = some_operation(g);

	if (g->registers[dst].holds != HOLDS_NUMBER || g->registers[src].holds != HOLDS_NUMBER)
		return;
	if (dst == 7 && g->c->kind == PICKET_KIND_MEMORY)
		return;
	g->registers[dst].below = 0;
	switch (below(g, 8)) {
	case 0:
		emit(g, unary[below(g, ARRAY_SIZE(unary))], dst, 0, 0, 0);
		break;
	case 1:
		dst = (unsigned)free_register(g);
		emit(g, moves[below(g, ARRAY_SIZE(moves))], dst, src, 0, 0);
		set_register(g, dst, HOLDS_NUMBER, 0, 0);
		break;
	default:
		if (vm_insns[op].format == VM_FORMAT_DST_IMM)
			emit(g, op, dst, 0, 0, operand(g, op));
		else
			emit(g, op, dst, src, 0, 0);
	}
}

/* ---- bounds ---- */
static enum vm_opcode some_jump(struct generator *g)
{
	return VM_JEQ64_IMM + below(g, VM_JSLE32_REG - VM_JEQ64_IMM + 1);
}

static enum vm_opcode immediate(enum vm_opcode jump)
{
	return vm_insns[jump].format == VM_FORMAT_JUMP_REG ? jump - 1 : jump;
}

/* A number that is below some small limit. */
static void do_bound(struct generator *g)
{
	static const enum vm_opcode greater[] = {VM_JGT64_IMM, VM_JGE64_IMM, VM_JGT32_IMM, VM_JSGT64_IMM};
	unsigned reg = (unsigned)find_number(g), copy, limit = 1 + below(g, 48);

	if (reg == 7 && g->c->kind == PICKET_KIND_MEMORY)
		return;
	switch (below(g, 6)) {
	case 0:
		emit(g, VM_AND64_IMM, reg, 0, 0, limit = (1 << below(g, 6)) - 1);
		break;
	case 1:
		emit(g, below(g, 2) ? VM_MOD64_IMM : VM_MOD32_IMM, reg, 0, 0, limit);
		break;
	case 2: /* what holds of a copy holds of it too, and of what was a constant away */
		copy = (unsigned)free_register(g);
		if (copy == reg)
			return;
		emit(g, VM_MOV64_REG, copy, reg, 0, 0);
		if (below(g, 2))
			emit(g, VM_ADD64_IMM, copy, 0, 0, some_constant(g));
		if (below(g, 2)) { /* and of its lower half, as older instruction sets compare it */
			emit(g, VM_LSH64_IMM, copy, 0, 0, 32);
			emit(g, VM_RSH64_IMM, copy, 0, 0, 32);
		}
		set_register(g, copy, HOLDS_NUMBER, 0, 0);
		jump_to(g, &g->leave, VM_JGT64_IMM, copy, 0, limit);
		break;
	case 3:
		jump_to(g, &g->leave, immediate(some_jump(g)), reg, 0, some_constant(g));
		return;
	default:
		jump_to(g, &g->leave, greater[below(g, ARRAY_SIZE(greater))], reg, 0, limit);
		if (below(g, 2))
			jump_to(g, &g->leave, VM_JSLT64_IMM, reg, 0, 0);
	}
	g->registers[reg].below = limit + 1;
}

/* If this is ever true, the program goes wrong: no number does it, as it stands. */
static void assert_on(struct generator *g, unsigned reg)
{
	static const struct {
		enum vm_opcode test;
		int64_t constant;
	} impossible[] = {{VM_JGT64_IMM, -1},         {VM_JLT64_IMM, 0},  {VM_JGT32_IMM, -1},
	                  {VM_JSGT32_IMM, INT32_MAX}, {VM_JLT32_IMM, 0},  {VM_JSLT32_IMM, INT32_MIN},
	                  {VM_JSET64_IMM, 0},         {VM_JSET32_IMM, 0}, {VM_JSGT64_REG, INT64_MAX},
	                  {VM_JSLT64_REG, INT64_MIN}, {VM_JGT64_REG, -1}, {VM_JLT64_REG, 0}};
	unsigned which = below(g, ARRAY_SIZE(impossible)), limit = 0;
	enum vm_opcode test = impossible[which].test;

	if (vm_insns[test].format == VM_FORMAT_JUMP_REG) {
		limit = (unsigned)free_register(g);
		if (limit == reg)
			return;
		emit(g, VM_LDDW, limit, 0, 0, impossible[which].constant);
		set_register(g, limit, HOLDS_NUMBER, 0, 0);
		jump_to(g, &g->trap, test, reg, limit, 0);
	} else {
		jump_to(g, &g->trap, test, reg, 0, impossible[which].constant);
	}
}

static void do_assert(struct generator *g)
{
	assert_on(g, (unsigned)find_number(g));
}

/* ---- memory ---- */
static enum vm_opcode some_access(struct generator *g, bool write)
{
	static const enum vm_opcode loads[] = {VM_LDXB, VM_LDXH, VM_LDXW, VM_LDXDW, VM_LDXSB, VM_LDXSH, VM_LDXSW};
	static const enum vm_opcode stores[] = {VM_STXB, VM_STXH, VM_STXW, VM_STXDW, VM_STB, VM_STH, VM_STW, VM_STDW};

	return write ? stores[below(g, ARRAY_SIZE(stores))] : loads[below(g, ARRAY_SIZE(loads))];
}

static unsigned access_size(enum vm_opcode op)
{
	static const uint8_t sizes[] = {4, 2, 1, 8};

	return sizes[vm_insns[op].code >> 3 & 3];
}

/* The kernel wants that of its stack. */
static bool wants_alignment(const struct generator *g, unsigned base)
{
	return g->c->kind != PICKET_KIND_MEMORY && (base == 10 || g->registers[base].holds == HOLDS_STACK);
}

void access_at(struct generator *g, unsigned base, int low, int room, bool may_write)
{
	enum vm_opcode op = some_access(g, may_write && below(g, 2));
	int size = (int)access_size(op), offset = low;
	unsigned reg;

	if (room < size)
		return;
	offset += (int)below(g, (unsigned)(room - size) + 1);
	if (wants_alignment(g, base)) /* what is low is a multiple of 8 */
		offset &= -size;
	switch ((enum vm_format)vm_insns[op].format) {
	case VM_FORMAT_LOAD:
		reg = (unsigned)free_register(g);
		emit(g, op, reg, base, offset, 0);
		set_register(g, reg, HOLDS_NUMBER, 0, 0);
		return;
	case VM_FORMAT_STORE_IMM:
		emit(g, op, base, 0, offset, some_constant(g));
		return;
	default:
		reg = (unsigned)find_register(g, HOLDS_NUMBER);
		if (reg <= 10)
			emit(g, op, base, reg, offset, 0);
	}
}

static void do_packet_check(struct generator *g)
{
	static const uint8_t sizes[] = {1, 2, 4, 8, 14, 20, 34, 40, 64};
	unsigned size = sizes[below(g, ARRAY_SIZE(sizes))] - below(g, 2), reg;

	if (!program_has_packet(g))
		return;
	if (g->c->kind == PICKET_KIND_MEMORY) {
		if (below(g, 3)) {
			jump_to(g, &g->leave, VM_JLT64_IMM, 7, 0, size);
		} else {
			reg = (unsigned)free_register(g);
			emit(g, VM_MOV64_IMM, reg, 0, 0, size);
			jump_to(g, &g->leave, VM_JGT64_REG, reg, 7, 0);
			set_register(g, reg, HOLDS_NUMBER, 0, 0);
		}
		g->registers[6].range = MAX(g->registers[6].range, (uint16_t)size);
		return;
	}
	if (g->registers[7].holds != HOLDS_PACKET || g->registers[8].holds != HOLDS_END)
		return;
	reg = (unsigned)free_register(g);
	emit(g, VM_MOV64_REG, reg, 7, 0, 0);
	emit(g, VM_ADD64_IMM, reg, 0, 0, size);
	if (below(g, 2))
		jump_to(g, &g->leave, VM_JGT64_REG, reg, 8, 0);
	else
		jump_to(g, &g->leave, VM_JLT64_REG, 8, reg, 0);
	set_register(g, reg, HOLDS_NOTHING, 0, 0);
	g->registers[7].range = MAX(g->registers[7].range, (uint16_t)size);
}

/* A part of the packet at a place that is a number. */
static void do_packet_index(struct generator *g)
{
	unsigned base = g->c->kind == PICKET_KIND_MEMORY ? 6 : 7, index = (unsigned)find_number(g);
	unsigned place = (unsigned)free_register(g), end, size = 1 + below(g, 16);

	if (!program_has_packet(g) || g->registers[base].holds != HOLDS_PACKET || index == base || index == 7 ||
	    place == index)
		return;
	if (!g->registers[index].below || g->registers[index].below > 0xffff)
		emit(g, VM_AND64_IMM, index, 0, 0, below(g, 2) ? 0xff : 0x3f);
	if (g->c->kind == PICKET_KIND_MEMORY) {
		emit(g, VM_MOV64_REG, place, index, 0, 0);
		emit(g, VM_ADD64_IMM, place, 0, 0, size);
		jump_to(g, &g->leave, VM_JGT64_REG, place, 7, 0);
		emit(g, VM_MOV64_REG, place, 6, 0, 0);
		emit(g, VM_ADD64_REG, place, index, 0, 0);
	} else {
		emit(g, VM_MOV64_REG, place, 7, 0, 0);
		emit(g, VM_ADD64_REG, place, index, 0, 0);
		set_register(g, place, HOLDS_PACKET, 0, size);
		end = (unsigned)free_register(g);
		if (end == place || end == index)
			return;
		emit(g, VM_MOV64_REG, end, place, 0, 0);
		emit(g, VM_ADD64_IMM, end, 0, 0, size);
		jump_to(g, &g->leave, VM_JGT64_REG, end, 8, 0);
		set_register(g, end, HOLDS_NOTHING, 0, 0);
	}
	set_register(g, place, HOLDS_PACKET, 0, size);
	access_at(g, place, 0, (int)size, true);
}

static void do_packet_access(struct generator *g)
{
	int base = find_register(g, HOLDS_PACKET);

	if (base >= 0 && g->registers[base].range)
		access_at(g, (unsigned)base, 0, g->registers[base].range, true);
}

static void do_value_access(struct generator *g)
{
	int value = find_register(g, HOLDS_VALUE), index, place;

	if (value < 0)
		return;
	int room = (int)soundness_maps[g->registers[value].map].value_size;
	bool writable = !(soundness_maps[g->registers[value].map].flags & BPF_F_RDONLY_PROG);
	index = find_register(g, HOLDS_NUMBER);
	place = free_register(g);
	if (index < 0 || place == index || place == value || !g->registers[index].below ||
	    g->registers[index].below >= (unsigned)room || chance_one_in(&g->chance, 3)) {
		access_at(g, (unsigned)value, 0, room, writable);
		return;
	}
	emit(g, VM_MOV64_REG, (unsigned)place, (unsigned)value, 0, 0);
	emit(g, below(g, 4) ? VM_ADD64_REG : VM_SUB64_REG, (unsigned)place, (unsigned)index, 0, 0);
	set_register(g, (unsigned)place, HOLDS_NOTHING, 0, 0);
	bool added = insn_is(&g->c->insns[g->c->count - 1], VM_ADD64_REG);
	int reach = (int)g->registers[index].below - 1;
	access_at(g, (unsigned)place, added ? 0 : reach, room - reach, writable);
}

/* ---- the stack ---- */
static void do_spill(struct generator *g)
{
	unsigned slot = below(g, SLOTS_USED), reg = below(g, 11);

	if (g->registers[reg].holds == HOLDS_NOTHING)
		reg = (unsigned)find_number(g);
	emit(g, VM_STXDW, 10, reg, slot_offset(slot), 0);
	g->slots[slot] = g->registers[reg];
}

static void do_fill(struct generator *g)
{
	unsigned slot = below(g, SLOTS_USED), reg = (unsigned)free_register(g);

	if (g->slots[slot].holds == HOLDS_NOTHING)
		return;
	if (g->slots[slot].holds == HOLDS_NUMBER && below(g, 3) == 0) {
		access_at(g, 10, slot_offset(slot), 8, false);
		return;
	}
	emit(g, VM_LDXDW, reg, 10, slot_offset(slot), 0);
	g->registers[reg] = g->slots[slot];
	if (g->slots[slot].holds == HOLDS_NUMBER && below(g, 3) == 0)
		assert_on(g, reg);
}

static void do_stack_store(struct generator *g)
{
	unsigned slot = below(g, SLOTS_USED);

	if (below(g, 2)) {
		emit(g, VM_STDW, 10, 0, slot_offset(slot), some_constant(g));
		g->slots[slot] = (struct held){.holds = HOLDS_NUMBER};
	} else {
		access_at(g, 10, slot_offset(slot), 8, true);
		if (g->slots[slot].holds != HOLDS_NUMBER)
			g->slots[slot].holds = HOLDS_NOTHING;
	}
}

/* A stack array, filled and read at a place that is a number. */
static void do_stack_index(struct generator *g)
{
	unsigned index = (unsigned)find_number(g), place = (unsigned)free_register(g);
	bool hazard = chance_one_in(&g->chance, 12);

	if (index == place || (index == 7 && g->c->kind == PICKET_KIND_MEMORY))
		return;
	/* Without this, what is read afterwards was perhaps not written. */
	for (unsigned slot = 0; slot < 4 && !hazard; slot++) {
		emit(g, VM_STDW, 10, 0, slot_offset(slot), some_constant(g));
		g->slots[slot] = (struct held){.holds = HOLDS_NUMBER};
	}
	if (!g->registers[index].below || g->registers[index].below > 24) {
		emit(g, VM_AND64_IMM, index, 0, 0, below(g, 2) ? 15 : 7);
		g->registers[index].below = 16;
	}
	if (g->c->kind != PICKET_KIND_MEMORY)
		emit(g, VM_AND64_IMM, index, 0, 0, -8);
	emit(g, VM_MOV64_REG, place, 10, 0, 0);
	emit(g, VM_ADD64_REG, place, index, 0, 0);
	set_register(g, place, HOLDS_STACK, 0, 0);
	access_at(g, place, -32, 33 - (int)g->registers[index].below, true);
	if (g->registers[place].holds == HOLDS_STACK)
		set_register(g, place, HOLDS_NOTHING, 0, 0);
	if (hazard || below(g, 2)) {
		emit(g, VM_LDXDW, place, 10, slot_offset(below(g, 4)), 0);
		set_register(g, place, HOLDS_NUMBER, 0, 0);
		assert_on(g, place);
	}
}

static void do_atomic(struct generator *g)
{
	int value = find_register(g, HOLDS_VALUE), slot = find_slot(g, HOLDS_NUMBER), number = find_number(g);
	enum vm_opcode op = VM_ATOMIC_ADD32 + below(g, VM_CMPXCHG64 - VM_ATOMIC_ADD32 + 1);
	bool compares = op == VM_CMPXCHG32 || op == VM_CMPXCHG64;

	if ((compares && g->registers[0].holds != HOLDS_NUMBER) || number == 7)
		return;
	if (value >= 0 && g->registers[value].map != MAP_CONSTANTS && below(g, 2))
		emit(g, op, (unsigned)value, (unsigned)number, 8 * (int)below(g, 3), 0);
	else if (slot >= 0)
		emit(g, op, 10, (unsigned)number, slot_offset((unsigned)slot), 0);
	g->registers[number].below = 0;
}

/* ---- helpers ---- */
void make_key(struct generator *g, unsigned map)
{
	unsigned slot = below(g, SLOTS_USED);
	int number = find_register(g, HOLDS_NUMBER);
	bool wide = soundness_maps[map].key_size == 8;

	if (number >= 0 && below(g, 2))
		emit(g, wide ? VM_STXDW : VM_STXW, 10, (unsigned)number, slot_offset(slot), 0);
	else
		emit(g, wide ? VM_STDW : VM_STW, 10, 0, slot_offset(slot), below(g, 5));
	if (wide)
		g->slots[slot] = (struct held){.holds = HOLDS_NUMBER};
	else if (g->slots[slot].holds != HOLDS_NUMBER)
		g->slots[slot].holds = HOLDS_NOTHING;
	emit(g, VM_MOV64_REG, 2, 10, 0, 0);
	emit(g, VM_ADD64_IMM, 2, 0, 0, slot_offset(slot));
}

static void keep_value(struct generator *g, unsigned map)
{
	set_register(g, 0, HOLDS_VALUE, map, 0);
	if (below(g, 2) && g->registers[9].holds != HOLDS_END) {
		unsigned slot = below(g, SLOTS_USED);
		emit(g, VM_MOV64_REG, 9, 0, 0, 0);
		g->registers[9] = g->registers[0];
		if (below(g, 3) == 0) {
			emit(g, VM_STXDW, 10, 9, slot_offset(slot), 0);
			g->slots[slot] = g->registers[9];
		}
	}
}

static void do_lookup(struct generator *g)
{
	static const uint8_t maps[] = {MAP_ARRAY, MAP_HASH, MAP_HASH, MAP_CONSTANTS, MAP_GLOBALS};
	unsigned map = maps[below(g, ARRAY_SIZE(maps))];
	bool copies = below(g, 4) == 0 && g->registers[9].holds != HOLDS_END;

	make_key(g, map);
	emit(g, VM_LDDW_MAP, 1, 0, 0, map);
	emit(g, VM_CALL_HELPER, 0, 0, 0, BPF_FUNC_map_lookup_elem);
	clobber(g);
	if (copies)
		emit(g, VM_MOV64_REG, 9, 0, 0, 0);
	if (below(g, 3)) {
		jump_to(g, &g->leave, VM_JEQ64_IMM, 0, 0, 0);
		if (copies)
			set_register(g, 9, HOLDS_VALUE, map, 0);
		keep_value(g, map);
		return;
	}
	/* used only where it is there */
	struct jumps skip = {.count = 0};
	struct held registers[11], slots[64];
	if (copies)
		set_register(g, 9, HOLDS_NOTHING, 0, 0);
	memcpy(registers, g->registers, sizeof(registers));
	memcpy(slots, g->slots, sizeof(slots));
	jump_to(g, &skip, VM_JEQ64_IMM, 0, 0, 0);
	set_register(g, 0, HOLDS_VALUE, map, 0);
	do_value_access(g);
	if (g->block_depth < 3 && has_room(g)) {
		g->block_depth++;
		make_block(g, 1 + below(g, 3));
		g->block_depth--;
	}
	land(g, &skip);
	meet(g, registers, slots);
}

static void do_inner_lookup(struct generator *g)
{
	make_key(g, MAP_OUTER);
	emit(g, VM_LDDW_MAP, 1, 0, 0, MAP_OUTER);
	emit(g, VM_CALL_HELPER, 0, 0, 0, BPF_FUNC_map_lookup_elem);
	clobber(g);
	jump_to(g, &g->leave, VM_JEQ64_IMM, 0, 0, 0);
	emit(g, VM_STXDW, 10, 0, slot_offset(SLOTS_USED), 0);
	make_key(g, MAP_ARRAY);
	emit(g, VM_LDXDW, 1, 10, slot_offset(SLOTS_USED), 0);
	emit(g, VM_CALL_HELPER, 0, 0, 0, BPF_FUNC_map_lookup_elem);
	clobber(g);
	jump_to(g, &g->leave, VM_JEQ64_IMM, 0, 0, 0);
	emit(g, VM_LDXDW, 0, 0, 8 * (int)below(g, 4), 0);
	set_register(g, 0, HOLDS_NUMBER, 0, 0);
}

static void do_update(struct generator *g)
{
	unsigned map = below(g, 2) ? MAP_HASH : MAP_ARRAY, slots = soundness_maps[map].value_size / 8;

	for (unsigned slot = 0; slot < slots; slot++)
		if (g->slots[slot].holds != HOLDS_NUMBER) {
			emit(g, VM_STDW, 10, 0, slot_offset(slot), below(g, 100));
			g->slots[slot] = (struct held){.holds = HOLDS_NUMBER};
		}
	make_key(g, map);
	emit(g, VM_MOV64_REG, 3, 10, 0, 0);
	emit(g, VM_ADD64_IMM, 3, 0, 0, slot_offset(slots - 1));
	emit(g, VM_MOV64_IMM, 4, 0, 0, 0);
	emit(g, VM_LDDW_MAP, 1, 0, 0, map);
	emit(g, VM_CALL_HELPER, 0, 0, 0, BPF_FUNC_map_update_elem);
	clobber(g);
	set_register(g, 0, HOLDS_NUMBER, 0, 0);
}

static void do_delete(struct generator *g)
{
	make_key(g, MAP_HASH);
	emit(g, VM_LDDW_MAP, 1, 0, 0, MAP_HASH);
	emit(g, VM_CALL_HELPER, 0, 0, 0, BPF_FUNC_map_delete_elem);
	clobber(g);
	set_register(g, 0, HOLDS_NUMBER, 0, 0);
}

static void do_record(struct generator *g)
{
	unsigned size = 8 + 8 * below(g, 4);
	enum vm_opcode load = some_access(g, false);
	struct jumps skip = {.count = 0};

	if (g->in_loop)
		return;
	emit(g, VM_LDDW_MAP, 1, 0, 0, MAP_RING);
	emit(g, VM_MOV64_IMM, 2, 0, 0, size);
	emit(g, VM_MOV64_IMM, 3, 0, 0, 0);
	emit(g, VM_CALL_HELPER, 0, 0, 0, BPF_FUNC_ringbuf_reserve);
	clobber(g);
	jump_to(g, &skip, VM_JEQ64_IMM, 0, 0, 0);
	emit(g, load, 5, 0, (int)below(g, size - access_size(load) + 1), 0);
	emit(g, VM_STDW, 0, 0, (int)below(g, size - 7), 1);
	emit(g, VM_MOV64_REG, 1, 0, 0, 0);
	emit(g, VM_MOV64_IMM, 2, 0, 0, 0);
	emit(g, VM_CALL_HELPER, 0, 0, 0, below(g, 2) ? BPF_FUNC_ringbuf_submit : BPF_FUNC_ringbuf_discard);
	land(g, &skip);
	clobber(g);
}

static void do_random_number(struct generator *g)
{
	emit(g, VM_CALL_HELPER, 0, 0, 0, BPF_FUNC_get_prandom_u32);
	clobber(g);
	set_register(g, 0, HOLDS_NUMBER, 0, 0);
}

/* Memory of a size that is a number. */
static void do_sized(struct generator *g)
{
	int number = find_number(g);
	unsigned slots = 4;

	if (g->c->kind != PICKET_KIND_SCHED_CLS && g->c->kind != PICKET_KIND_SOCKET_FILTER)
		return;
	if (g->registers[6].holds != HOLDS_CONTEXT || number == 7 || g->registers[9].holds == HOLDS_END)
		return;
	emit(g, VM_MOV64_REG, 9, (unsigned)number, 0, 0);
	emit(g, VM_AND64_IMM, 9, 0, 0, 31);
	if (below(g, 2))
		jump_to(g, &g->leave, VM_JEQ64_IMM, 9, 0, 0);
	else
		emit(g, VM_ADD64_IMM, 9, 0, 0, 1);
	for (unsigned slot = 0; slot < slots; slot++) {
		emit(g, VM_STDW, 10, 0, slot_offset(slot), 0);
		g->slots[slot] = (struct held){.holds = HOLDS_NUMBER};
	}
	emit(g, VM_MOV64_REG, 1, 6, 0, 0);
	emit(g, VM_MOV64_IMM, 2, 0, 0, below(g, 20));
	emit(g, VM_MOV64_REG, 3, 10, 0, 0);
	emit(g, VM_ADD64_IMM, 3, 0, 0, slot_offset(slots - 1));
	emit(g, VM_MOV64_REG, 4, 9, 0, 0);
	emit(g, VM_CALL_HELPER, 0, 0, 0, BPF_FUNC_skb_load_bytes);
	clobber(g);
	set_register(g, 0, HOLDS_NUMBER, 0, 0);
	set_register(g, 9, HOLDS_NUMBER, 0, 0);
	g->registers[9].below = 33;
}

/* It may have moved: its pointers are loaded anew. */
void forget_packet(struct generator *g)
{
	int data = g->c->kind == PICKET_KIND_XDP ? 0 : 76;

	for (unsigned i = 0; i < 10; i++)
		if (g->registers[i].holds == HOLDS_PACKET || g->registers[i].holds == HOLDS_END)
			g->registers[i].holds = HOLDS_NOTHING;
	for (unsigned i = 0; i < ARRAY_SIZE(g->slots); i++)
		if (g->slots[i].holds == HOLDS_PACKET || g->slots[i].holds == HOLDS_END)
			g->slots[i].holds = HOLDS_NOTHING;
	emit(g, VM_LDXW, 7, 6, data, 0);
	emit(g, VM_LDXW, 8, 6, data + 4, 0);
	set_register(g, 7, HOLDS_PACKET, 0, 0);
	set_register(g, 8, HOLDS_END, 0, 0);
}

/* The packet is somewhere else afterwards. */
static void do_move_packet(struct generator *g)
{
	bool xdp = g->c->kind == PICKET_KIND_XDP;

	if (!program_has_packet(g) || g->c->kind == PICKET_KIND_MEMORY || g->registers[6].holds != HOLDS_CONTEXT)
		return;
	emit(g, VM_MOV64_REG, 1, 6, 0, 0);
	emit(g, VM_MOV64_IMM, 2, 0, 0, below(g, 32));
	emit(g, VM_CALL_HELPER, 0, 0, 0, xdp ? BPF_FUNC_xdp_adjust_head : BPF_FUNC_skb_pull_data);
	clobber(g);
	forget_packet(g);
	set_register(g, 0, HOLDS_NUMBER, 0, 0);
}

/* ---- control ---- */
void nested(struct generator *g, unsigned statements)
{
	g->block_depth++;
	make_block(g, statements);
	g->block_depth--;
}

static void do_if(struct generator *g)
{
	struct held registers[11], slots[64];
	struct jumps otherwise = {.count = 0}, end = {.count = 0};
	unsigned reg = (unsigned)find_number(g), other = (unsigned)find_number(g);
	enum vm_opcode jump = some_jump(g);

	jump_to(g, &otherwise, jump, reg, vm_insns[jump].format == VM_FORMAT_JUMP_REG ? other : 0,
	        vm_insns[jump].format == VM_FORMAT_JUMP_REG ? 0 : some_constant(g));
	memcpy(registers, g->registers, sizeof(registers));
	memcpy(slots, g->slots, sizeof(slots));
	nested(g, 1 + below(g, 3));
	if (below(g, 2)) {
		struct held then_registers[11], then_slots[64];
		memcpy(then_registers, g->registers, sizeof(then_registers));
		memcpy(then_slots, g->slots, sizeof(then_slots));
		jump_to(g, &end, VM_JA, 0, 0, 0);
		land(g, &otherwise);
		memcpy(g->registers, registers, sizeof(registers));
		memcpy(g->slots, slots, sizeof(slots));
		nested(g, 1 + below(g, 3));
		land(g, &end);
		meet(g, then_registers, then_slots);
		return;
	}
	land(g, &otherwise);
	meet(g, registers, slots);
}

/* Counts in a slot, or in r9, which the body then leaves alone. */
static void do_loop(struct generator *g)
{
	struct held registers[11], slots[64];
	unsigned turns = 1 + below(g, below(g, 16) ? 6 : 100);
	int slot = slot_offset(SLOT_COUNTERS + g->block_depth), limit = -1;
	bool outer = g->in_loop, in_register = !outer && g->registers[9].holds != HOLDS_END && below(g, 2);
	size_t head, count;

	if (in_register && below(g, 3) == 0) {
		limit = 8;
		if (program_has_packet(g) && g->c->kind != PICKET_KIND_MEMORY)
			limit = -1;
	}
	if (limit == 8) {
		emit(g, VM_MOV64_REG, 8, (unsigned)find_number(g), 0, 0);
		emit(g, VM_AND64_IMM, 8, 0, 0, 63);
		set_register(g, 8, HOLDS_END, 0, 0); /* nothing is done to it */
	}
	if (in_register)
		emit(g, VM_MOV64_IMM, 9, 0, 0, 0);
	else
		emit(g, VM_STDW, 10, 0, slot, 0);
	if (in_register)
		set_register(g, 9, HOLDS_END, 0, 0);
	/* What the body changes is not as it was when it comes again. */
	for (unsigned i = 0; i <= 5; i++)
		set_register(g, i, HOLDS_NOTHING, 0, 0);
	memcpy(registers, g->registers, sizeof(registers));
	memcpy(slots, g->slots, sizeof(slots));
	head = g->c->count;
	g->in_loop = true;
	if (in_register && below(g, 2)) { /* the counter as an index */
		emit(g, VM_MOV64_REG, 3, 9, 0, 0);
		set_register(g, 3, HOLDS_NUMBER, 0, 0);
		g->registers[3].below = limit == 8 ? 64 : turns;
	}
	nested(g, 1 + below(g, 3));
	g->in_loop = outer;
	count = g->c->count;
	if (in_register) {
		emit(g, VM_ADD64_IMM, 9, 0, 0, 1);
		if (limit == 8)
			emit(g, VM_JLT64_REG, 9, 8, (int)head - (int)count - 2, 0);
		else
			emit(g, below(g, 2) ? VM_JLT64_IMM : VM_JNE64_IMM, 9, 0, (int)head - (int)count - 2, turns);
		set_register(g, 9, HOLDS_NOTHING, 0, 0);
	} else {
		emit(g, VM_LDXDW, 1, 10, slot, 0);
		emit(g, VM_ADD64_IMM, 1, 0, 0, 1);
		emit(g, VM_STXDW, 10, 1, slot, 0);
		emit(g, VM_JLT64_IMM, 1, 0, (int)head - (int)count - 4, turns);
		set_register(g, 1, HOLDS_NUMBER, 0, 0);
	}
	meet(g, registers, slots);
	if (limit == 8)
		set_register(g, 8, HOLDS_NOTHING, 0, 0);
}

unsigned some_function(struct generator *g, enum function_kind kind)
{
	static const uint8_t bytes[] = {1, 4, 8, 16};

	for (unsigned i = g->current + 1; i < g->function_count; i++)
		if (g->functions[i].kind == kind && g->functions[i].call_count < JUMPS_MAX && below(g, 2))
			return i;
	if (g->function_count == FUNCTIONS_MAX)
		return 0;
	g->functions[g->function_count] =
	        (struct function){.kind = kind,
	                          .arguments = 1 + below(g, 2),
	                          .pointer_bytes = kind == FUNCTION_MEMORY ? bytes[below(g, ARRAY_SIZE(bytes))] : 16};
	return g->function_count++;
}

void note_call(struct generator *g, unsigned function, size_t insn)
{
	struct function *f = &g->functions[function];

	f->calls[f->call_count++] = (uint16_t)insn;
}

static void do_call(struct generator *g)
{
	unsigned function = some_function(g, FUNCTION_NUMBERS), number;
	struct function *f = &g->functions[function];

	if (!function)
		return;
	for (unsigned i = 1; i <= f->arguments; i++) {
		int from = find_register(g, HOLDS_NUMBER);
		number = from < 0 ? 0 : (unsigned)from;
		if (from < 0)
			emit(g, VM_MOV64_IMM, i, 0, 0, some_constant(g));
		else if (number != i)
			emit(g, VM_MOV64_REG, i, number, 0, 0);
		set_register(g, i, HOLDS_NUMBER, 0, 0);
	}
	note_call(g, function, emit(g, VM_CALL_LOCAL, 0, 0, 0, 0));
	clobber(g);
	set_register(g, 0, HOLDS_NUMBER, 0, 0);
}

static void do_callback(struct generator *g)
{
	unsigned function = g->in_loop || g->plain ? 0 : some_function(g, FUNCTION_CALLBACK), slots = 2;

	if (!function)
		return;
	for (unsigned slot = 0; slot < slots; slot++) {
		emit(g, VM_STDW, 10, 0, slot_offset(slot), some_constant(g));
		g->slots[slot] = (struct held){.holds = HOLDS_NUMBER};
	}
	emit(g, VM_MOV64_IMM, 1, 0, 0, below(g, 20));
	note_call(g, function, emit(g, VM_LDDW_FUNCTION, 2, 0, 0, 0));
	emit(g, VM_MOV64_REG, 3, 10, 0, 0);
	emit(g, VM_ADD64_IMM, 3, 0, 0, slot_offset(slots - 1));
	emit(g, VM_MOV64_IMM, 4, 0, 0, 0);
	emit(g, VM_CALL_HELPER, 0, 0, 0, BPF_FUNC_loop);
	clobber(g);
	set_register(g, 0, HOLDS_NUMBER, 0, 0);
}

/* What a callback was given: a number there bounds an access elsewhere. */
static void do_pointer_access(struct generator *g)
{
	int pointer = find_register(g, HOLDS_STACK);

	if (pointer >= 0)
		access_at(g, (unsigned)pointer, 0, g->registers[pointer].map, true);
}

/* Something is found out on one way only, which is walked first, and relied on where the ways have met: this must be
 * refused. */
static void do_one_way(struct generator *g)
{
	struct held registers[11], slots[64];
	struct jumps skip = {.count = 0};
	unsigned reg = (unsigned)find_number(g), index = (unsigned)find_number(g), what = below(g, 4), slot = 40;
	bool in_memory = g->c->kind == PICKET_KIND_MEMORY;
	unsigned packet = in_memory ? 6 : 7;

	if (what == 0) {
		make_key(g, MAP_HASH);
		emit(g, VM_LDDW_MAP, 1, 0, 0, MAP_HASH);
		emit(g, VM_CALL_HELPER, 0, 0, 0, BPF_FUNC_map_lookup_elem);
		clobber(g);
		emit(g, VM_STXDW, 10, 0, slot_offset(slot), 0);
		load_number(g, reg = 1);
	}
	memcpy(registers, g->registers, sizeof(registers));
	memcpy(slots, g->slots, sizeof(slots));
	jump_to(g, &skip, immediate(some_jump(g)), reg, 0, below(g, 256));
	if (what == 0)
		jump_to(g, &g->leave, VM_JEQ64_IMM, 0, 0, 0);
	else if (what == 1)
		jump_to(g, &g->leave, VM_JGT64_IMM, index, 0, 15);
	else if (what == 2)
		emit(g, VM_STDW, 10, 0, slot_offset(slot), 1);
	else
		do_packet_check(g);
	for (unsigned i = 0; i < 2; i++)
		do_stack_store(g);
	for (unsigned i = 0; i < 8; i++)
		emit(g, VM_MOV64_IMM, 5, 0, 0, i);
	land(g, &skip);
	meet(g, registers, slots);
	set_register(g, 5, HOLDS_NOTHING, 0, 0);
	if (what == 0) {
		emit(g, VM_LDXDW, 5, 10, slot_offset(slot), 0);
		emit(g, VM_LDXDW, 5, 5, 8, 0);
	} else if (what == 1 && g->registers[index].holds == HOLDS_NUMBER && index != 5) {
		emit(g, VM_LDDW_MAP_VALUE, 5, 0, 0, MAP_GLOBALS);
		emit(g, VM_ADD64_REG, 5, index, 0, 0);
		emit(g, VM_LDXB, 5, 5, 40, 0);
	} else if (what == 2) {
		emit(g, VM_LDXDW, 5, 10, slot_offset(slot), 0);
	} else if (what == 3 && program_has_packet(g) && g->registers[packet].holds == HOLDS_PACKET) {
		emit(g, VM_LDXB, 5, packet, (int)below(g, 32), 0);
	}
}

static statement *const statements_all[] = {
        do_arithmetic,     do_arithmetic,    do_arithmetic,   do_bound,        do_bound,        do_assert,
        do_assert,         do_packet_check,  do_packet_check, do_packet_index, do_packet_index, do_packet_access,
        do_value_access,   do_value_access,  do_value_access, do_spill,        do_fill,         do_stack_store,
        do_stack_index,    do_atomic,        do_lookup,       do_lookup,       do_update,       do_delete,
        do_record,         do_random_number, do_sized,        do_move_packet,  do_inner_lookup, do_pointer_access,
        do_pointer_access,
};
/* Those that never leave the program. */
void do_quiet(struct generator *g)
{
	static statement *const quiet[] = {do_arithmetic,  do_arithmetic,    do_spill,        do_fill,
	                                   do_stack_store, do_random_number, do_value_access, do_atomic};

	for (unsigned i = below(g, 3); i > 0 && has_room(g); i--)
		quiet[below(g, ARRAY_SIZE(quiet))](g);
}

static statement *const statements_nesting[] = {do_if, do_if, do_loop, do_call, do_callback};
static statement *const statements_calling[] = {do_call_register, do_tail_call, do_leaving_function, do_lock,
                                                do_foreign,       do_foreign,   do_foreign,          do_foreign};

void make_block(struct generator *g, unsigned statements)
{
	for (unsigned i = 0; i < statements && has_room(g); i++) {
		if (!g->block_depth && below(g, 40) == 0)
			do_one_way(g);
		else if (!g->plain && below(g, 7) == 0)
			statements_calling[below(g, ARRAY_SIZE(statements_calling))](g);
		else if (g->block_depth < (g->in_loop ? 2 : 3) && below(g, 6) == 0)
			statements_nesting[below(g, ARRAY_SIZE(statements_nesting))](g);
		else
			statements_all[below(g, ARRAY_SIZE(statements_all))](g);
	}
}
