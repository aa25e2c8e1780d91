/* SPDX-License-Identifier: Apache-2.0
 *
 * Registers, memory, and statements without jumps.
 */
#include <assert.h>
#include "tests/vm/random_int.h"

#define FRAME 10
#define REGISTERS 10 /* that can be written */
#define BIT(n) (1u << (n))

/* ---- what is known ---- */
void random_set(struct generator *g, unsigned reg, struct value value)
{
	g->state.regs[reg] = value;
}

void random_set_number(struct generator *g, unsigned reg)
{
	random_set(g, reg, (struct value){.kind = NUMBER});
}

static void set_pointer(struct generator *g, unsigned reg, enum kind kind, int low, int high, bool aligned)
{
	random_set(g, reg, (struct value){.kind = (uint8_t)kind, aligned, (int16_t)low, (int16_t)high});
}

static struct value value_merge(struct value a, struct value b)
{
	if (a.kind != b.kind)
		return (struct value){.kind = EMPTY};
	/* Where a stack pointer leads must be known: slots are initialised one by one. */
	if (a.kind == STACK && a.low != b.low)
		return (struct value){.kind = EMPTY};
	return (struct value){
	        .kind = a.kind,
	        .aligned = a.aligned && b.aligned && (a.low - b.low) % 8 == 0,
	        .low = MIN(a.low, b.low),
	        .high = MAX(a.high, b.high),
	};
}

void random_state_merge(struct state *s, const struct state *other)
{
	for (unsigned i = 0; i < REGISTERS; i++)
		s->regs[i] = value_merge(s->regs[i], other->regs[i]);
	for (unsigned i = 0; i < SPILLS; i++)
		s->spills[i] = value_merge(s->spills[i], other->spills[i]);
	s->slots &= other->slots;
}

/* ---- registers ---- */
/* One of those in the mask. */
static unsigned pick(struct generator *g, uint16_t mask)
{
	unsigned n = random_below(g, (uint32_t)__builtin_popcount(mask));

	assert(mask);
	while (n-- > 0)
		mask &= (uint16_t)(mask - 1);
	return (unsigned)__builtin_ctz(mask);
}

static uint16_t holding(const struct generator *g, enum kind kind)
{
	uint16_t mask = 0;

	for (unsigned i = 0; i < REGISTERS; i++)
		if (g->state.regs[i].kind == kind)
			mask |= (uint16_t)BIT(i);
	return mask;
}

unsigned random_target(struct generator *g)
{
	return pick(g, (uint16_t)(BIT(REGISTERS) - 1) & (uint16_t) ~(g->locked | g->reserved));
}

void random_emit_number(struct generator *g, unsigned reg)
{
	switch (random_below(g, 3)) {
	case 0:
		random_emit(g, VM_LDDW, reg, 0, 0, (int64_t)random_number(g));
		break;
	case 1:
		random_emit(g, VM_MOV32_IMM, reg, 0, 0, random_imm(g));
		break;
	default:
		random_emit(g, VM_MOV64_IMM, reg, 0, 0, random_imm(g));
		break;
	}
	random_set_number(g, reg);
}

static unsigned reserve_number(struct generator *g, uint16_t among)
{
	uint16_t mask = holding(g, NUMBER) & among;
	unsigned reg;

	if (mask) {
		reg = pick(g, mask);
	} else {
		reg = random_target(g);
		random_emit_number(g, reg);
	}
	g->reserved |= (uint16_t)BIT(reg);
	return reg;
}

unsigned random_number_reg(struct generator *g)
{
	return reserve_number(g, UINT16_MAX);
}

unsigned random_number_target(struct generator *g)
{
	return reserve_number(g, (uint16_t) ~(g->locked | g->reserved));
}

/* ---- memory ---- */
static const struct {
	int16_t bytes;
	int16_t writable_from; /* bytes: nothing may be written */
	uint8_t slot;
} memories[KINDS] = {
        [CONTEXT] = {0, 0, SLOT_CONTEXT},
        [PACKET] = {WORLD_PACKET_BYTES, WORLD_PACKET_POINTERS, SLOT_PACKET},
        [REGION] = {WORLD_REGION_BYTES, WORLD_REGION_POINTERS, SLOT_REGION},
        [TABLE] = {WORLD_TABLE_BYTES, WORLD_TABLE_BYTES, SLOT_TABLE},
        [VALUES] = {WORLD_VALUES_BYTES, WORLD_DUMP_BYTES, 0},
        [ELEMENT] = {WORLD_ARRAY_BYTES, 0, 0},
        [CALLER] = {CALLER_BYTES, 0, SLOT_CALLER},
};

bool random_has(const struct generator *g, enum kind kind)
{
	if (kind == VALUES)
		return true;
	if (g->current == 0)
		return kind == CONTEXT || kind == PACKET ||
		       (g->kind != RANDOM_KERNEL && (kind == REGION || kind == TABLE));
	if (kind < CONTEXT || kind > CALLER)
		return false;
	for (unsigned i = 0; i < ARRAY_SIZE(g->f->args); i++)
		if (g->f->args[i] == kind)
			return true;
	return false;
}

void random_fetch(struct generator *g, enum kind kind, unsigned reg)
{
	if (kind == VALUES)
		random_emit(g, VM_LDDW_MAP_VALUE, reg, 0, 0, WORLD_VALUES);
	else
		random_emit(g, VM_LDXDW, reg, FRAME, SLOT_OFFSET(memories[kind].slot), 0);
	set_pointer(g, reg, kind, 0, 0, true);
}

/* The kernel wants accesses to a stack aligned, the caller's too. */
static bool wants_alignment(const struct generator *g, enum kind kind, bool atomic)
{
	return atomic || (g->kind == RANDOM_KERNEL && kind == CALLER);
}

static bool may_access(const struct generator *g, enum kind kind, bool write, bool atomic)
{
	if (kind <= CONTEXT || kind == STACK)
		return false;
	if (atomic && g->kind == RANDOM_KERNEL && (kind == PACKET || (kind == CALLER && write)))
		return false;
	return !write || memories[kind].writable_from < memories[kind].bytes;
}

/* An offset that keeps the access inside, wherever exactly the pointer leads. false: there is none. */
static bool offset_for(struct generator *g, struct value v, unsigned size, bool write, bool atomic, int *ret_offset)
{
	int first = write ? memories[v.kind].writable_from : 0;
	int last = memories[v.kind].bytes - (int)size;
	int low = first - v.low, high = last - v.high, offset;
	bool align = wants_alignment(g, v.kind, atomic);

	if (low > high || (align && !v.aligned))
		return false;
	offset = low + (int)random_below(g, (uint32_t)(high - low + 1));
	if (align || random_one_in(g, 2)) {
		int over = (int)((unsigned)(v.low + offset) % size);
		offset = offset - over >= low ? offset - over : offset - over + (int)size;
	}
	*ret_offset = offset;
	return offset <= high;
}

static enum kind pick_memory(struct generator *g, bool write, bool atomic)
{
	enum kind kind;

	do
		kind = random_below(g, KINDS);
	while (!may_access(g, kind, write, atomic) || !random_has(g, kind));
	return kind;
}

static bool find_pointer(struct generator *g, unsigned size, bool write, bool atomic, struct place *ret_place)
{
	for (unsigned tries = 0; tries < 3; tries++) {
		unsigned reg = random_below(g, REGISTERS);
		struct value v = g->state.regs[reg];
		if (may_access(g, v.kind, write, atomic) && offset_for(g, v, size, write, atomic, &ret_place->offset)) {
			ret_place->base = reg;
			return true;
		}
	}
	return false;
}

static unsigned pick_slot(struct generator *g, uint64_t mask)
{
	unsigned n = random_below(g, (uint32_t)__builtin_popcountll(mask));

	while (n-- > 0)
		mask &= mask - 1;
	return (unsigned)__builtin_ctzll(mask);
}

static unsigned stack_base(struct generator *g, int *ret_low)
{
	uint16_t pointers = holding(g, STACK);
	unsigned reg = pointers && random_one_in(g, 2) ? pick(g, pointers) : FRAME;

	*ret_low = reg == FRAME ? 0 : g->state.regs[reg].low;
	return reg;
}

/* size: at most 8. Unless it must be aligned, an access may cross into the slot above. */
static struct place stack_place(struct generator *g, unsigned size, bool write, bool atomic)
{
	unsigned slot = write && !atomic ? SLOT_NUMBERS + random_below(g, g->f->slots - SLOT_NUMBERS)
	                                 : pick_slot(g, g->state.slots);
	int low, inside = (int)(random_below(g, 8) / size * size);
	struct place p = {.base = stack_base(g, &low)};

	if (!atomic && g->kind != RANDOM_KERNEL && random_one_in(g, 4) &&
	    g->state.slots & g->state.slots << 1 & 1ull << slot)
		inside = (int)random_below(g, 8);
	if (write && size == 8 && inside == 0)
		g->state.slots |= 1ull << slot;
	p.offset = SLOT_OFFSET(slot) + inside - low;
	return p;
}

/* Linux 6.18's verifier knows what an atomic operation fetches from the stack, but when it draws conclusions from it does
 * not note that it did, and then takes two states for the same that are not: a branch that is taken is lost. */
static bool avoids_stack(const struct generator *g, bool write, bool atomic)
{
	return g->kind == RANDOM_KERNEL && write && atomic;
}

struct place random_place(struct generator *g, unsigned size, bool write, bool atomic)
{
	struct place p;

	if (!avoids_stack(g, write, atomic) && random_one_in(g, 3)) {
		p = size > 8 ? (struct place){FRAME, random_stack_bytes(g, size)} : stack_place(g, size, write, atomic);
	} else if (!find_pointer(g, size, write, atomic, &p)) {
		enum kind kind = pick_memory(g, write, atomic);
		p.base = random_target(g);
		random_fetch(g, kind, p.base);
		if (!offset_for(g, g->state.regs[p.base], size, write, atomic, &p.offset))
			assert(!"all memories have room for an access");
	}
	g->reserved |= (uint16_t)BIT(p.base);
	return p;
}

int random_stack_bytes(struct generator *g, unsigned bytes)
{
	unsigned slots = bytes / 8;
	unsigned first = SLOT_NUMBERS + random_below(g, g->f->slots - SLOT_NUMBERS - slots + 1);

	for (unsigned slot = first; slot < first + slots; slot++) {
		if (g->state.slots & 1ull << slot)
			continue;
		random_emit(g, VM_STDW, FRAME, 0, SLOT_OFFSET(slot), random_imm(g));
		g->state.slots |= 1ull << slot;
	}
	return SLOT_OFFSET(first + slots - 1);
}

/* ---- statements: arithmetic ---- */
static bool is_shift(enum vm_opcode op)
{
	unsigned bits = vm_insns[op].code & 0xf0;

	return bits == 0x60 || bits == 0x70 || bits == 0xc0;
}

static bool is_division(enum vm_opcode op)
{
	unsigned bits = vm_insns[op].code & 0xf0;

	return bits == 0x30 || bits == 0x90;
}

static bool is_move(enum vm_opcode op)
{
	return (vm_insns[op].code & 0xf0) == 0xb0;
}

static bool is_64(enum vm_opcode op)
{
	return (vm_insns[op].code & 7) == 7;
}

/* The kernel refuses shifts by more than the width, and divisions by the constant 0. */
static int32_t imm_for(struct generator *g, enum vm_opcode op)
{
	int32_t imm = random_imm(g);

	if (is_shift(op))
		imm &= is_64(op) ? 63 : 31;
	if (is_division(op) && imm == 0 && (g->kind == RANDOM_KERNEL || random_one_in(g, 2)))
		imm = random_one_in(g, 2) ? -1 : 3;
	return imm;
}

static void straight_arithmetic(struct generator *g)
{
	static const enum vm_format formats[] = {VM_FORMAT_DST_IMM, VM_FORMAT_DST_SRC, VM_FORMAT_DST_SRC,
	                                         VM_FORMAT_DST};
	enum vm_format format = formats[random_below(g, ARRAY_SIZE(formats))];
	enum vm_opcode op = random_opcode(g, format);
	unsigned src = 0, dst;
	int32_t imm = 0;

	if (format == VM_FORMAT_DST_SRC)
		src = random_number_reg(g);
	if (random_one_in(g, 8)) /* both the same */
		g->reserved = 0;
	if (format == VM_FORMAT_DST_IMM)
		imm = imm_for(g, op);
	dst = is_move(op) ? random_target(g) : random_number_target(g);
	random_emit(g, op, dst, src, 0, imm);
	random_set_number(g, dst);
}

static void straight_number(struct generator *g)
{
	random_emit_number(g, random_target(g));
}

/* What compilers write often, and optimisers look for. */
static void straight_zero_extend(struct generator *g)
{
	unsigned reg = random_number_target(g);
	unsigned bits = random_one_in(g, 2) ? 32 : 8 * (1 + random_below(g, 7));

	random_emit(g, VM_LSH64_IMM, reg, 0, 0, bits);
	random_emit(g, random_one_in(g, 3) ? VM_ARSH64_IMM : VM_RSH64_IMM, reg, 0, 0,
	            random_one_in(g, 4) ? random_below(g, 64) : bits);
}

static void straight_swap(struct generator *g)
{
	unsigned a = random_number_target(g), b = random_number_target(g);

	random_emit(g, VM_XOR64_REG, a, b, 0, 0);
	random_emit(g, VM_XOR64_REG, b, a, 0, 0);
	random_emit(g, VM_XOR64_REG, a, b, 0, 0);
}

static void straight_three_operands(struct generator *g)
{
	static const uint16_t ops[] = {VM_ADD64_REG, VM_SUB64_REG, VM_ADD64_IMM, VM_SUB64_IMM, VM_AND64_IMM,
	                               VM_MUL64_REG, VM_ADD32_REG, VM_ADD32_IMM, VM_LSH64_IMM, VM_OR64_REG};
	enum vm_opcode op = ops[random_below(g, ARRAY_SIZE(ops))];
	unsigned a = random_number_reg(g), b = random_number_reg(g), dst = random_target(g);

	random_emit(g, random_one_in(g, 5) ? VM_MOV32_REG : VM_MOV64_REG, dst, a, 0, 0);
	random_emit(g, op, dst, vm_insns[op].format == VM_FORMAT_DST_SRC ? b : 0, 0,
	            vm_insns[op].format == VM_FORMAT_DST_SRC ? 0 : imm_for(g, op));
	random_set_number(g, dst);
}

/* ---- statements: memory ---- */
static bool is_atomic(enum vm_opcode op)
{
	return (vm_insns[op].code & 0xe7) == (vm_insns[VM_ATOMIC_ADD64].code & 0xe7);
}

static void straight_load(struct generator *g)
{
	enum vm_opcode op = random_opcode(g, VM_FORMAT_LOAD);
	struct place p = random_place(g, random_access_size(op), false, is_atomic(op));
	unsigned dst;

	if (random_one_in(g, 2))
		g->reserved = 0; /* into the pointer itself, maybe */
	dst = random_target(g);
	random_emit(g, op, dst, p.base, p.offset, 0);
	random_set_number(g, dst);
}

static void straight_store(struct generator *g)
{
	bool imm = random_one_in(g, 3);
	enum vm_opcode op = random_opcode(g, imm ? VM_FORMAT_STORE_IMM : VM_FORMAT_STORE_REG);
	unsigned src = imm ? 0 : random_number_reg(g);
	struct place p = random_place(g, random_access_size(op), true, is_atomic(op));

	random_emit(g, op, p.base, src, p.offset, imm ? random_imm(g) : 0);
}

#define BIT_FETCH 1 /* of an atomic's immediate: src is written */
static void straight_atomic(struct generator *g)
{
	enum vm_opcode op = random_opcode(g, VM_FORMAT_ATOMIC_REG);
	bool compare = op == VM_CMPXCHG32 || op == VM_CMPXCHG64;
	struct place p;
	unsigned src;

	if (compare) {
		if (g->state.regs[0].kind != NUMBER)
			random_emit_number(g, 0);
		g->reserved |= BIT(0);
	}
	src = vm_insns[op].value & BIT_FETCH && !compare ? random_number_target(g) : random_number_reg(g);
	p = random_place(g, random_access_size(op), true, true);
	random_emit(g, op, p.base, src, p.offset, 0);
}

/* ---- statements: pointers ---- */
static void straight_fetch(struct generator *g)
{
	unsigned reg = random_target(g);
	enum kind kind;

	do
		kind = random_below(g, KINDS);
	while (!random_has(g, kind));
	random_fetch(g, kind, reg);
}

/* From pointer to pointer, through memory. */
static void straight_chain(struct generator *g)
{
	unsigned reg = random_target(g);
	enum kind kind = PACKET;

	if (g->kind == RANDOM_KERNEL || !random_has(g, PACKET)) {
		straight_fetch(g);
		return;
	}
	random_fetch(g, PACKET, reg);
	for (unsigned steps = 1 + random_below(g, 3); steps-- > 0;) {
		int offset = kind == PACKET ? 8 * (int)random_below(g, 2) : 0;
		unsigned to = random_one_in(g, 2) ? reg : random_target(g);
		kind = kind == PACKET ? (offset ? TABLE : REGION) : kind == REGION ? TABLE : REGION;
		random_emit(g, VM_LDXDW, to, reg, offset, 0);
		set_pointer(g, to, kind, 0, 0, true);
		reg = to;
	}
}

/* pointer + constant. */
static void straight_pointer_add(struct generator *g)
{
	unsigned src = random_below(g, REGISTERS), dst = random_target(g);
	struct value v = g->state.regs[src];
	int add;

	if (!may_access(g, v.kind, false, false))
		return;
	add = (int)random_below(g, (uint32_t)(memories[v.kind].bytes - (v.high - v.low))) - v.low;
	add = random_one_in(g, 2) ? add & ~7 : add;
	if (v.low + add < 0 || v.high + add >= memories[v.kind].bytes)
		return;
	if (dst != src)
		random_emit(g, VM_MOV64_REG, dst, src, 0, 0);
	/* The kernel does not subtract from pointers to the stack. */
	if (random_one_in(g, 4) && (g->kind != RANDOM_KERNEL || v.kind != CALLER))
		random_emit(g, VM_SUB64_IMM, dst, 0, 0, -add);
	else
		random_emit(g, VM_ADD64_IMM, dst, 0, 0, add);
	set_pointer(g, dst, v.kind, v.low + add, v.high + add, v.aligned);
}

/* pointer + masked number. The kernel forgets what it knows about a packet's bounds here. */
static void straight_pointer_index(struct generator *g)
{
	static const uint8_t masks[] = {0x38, 0x3f, 0x18, 0x07, 0x0f, 0x08, 0x01};
	uint8_t mask = masks[random_below(g, ARRAY_SIZE(masks))];
	enum kind kind = pick_memory(g, false, false);
	unsigned number, dst;

	if ((g->kind == RANDOM_KERNEL && kind == PACKET) || mask >= memories[kind].bytes)
		return;
	number = random_number_target(g);
	dst = random_target(g);
	random_emit(g, random_one_in(g, 2) ? VM_AND64_IMM : VM_AND32_IMM, number, 0, 0, mask);
	random_fetch(g, kind, dst);
	if (random_one_in(g, 3)) {
		unsigned base = dst;
		g->reserved |= (uint16_t)BIT(base);
		dst = random_target(g);
		random_emit(g, VM_MOV64_REG, dst, base, 0, 0);
	}
	random_emit(g, VM_ADD64_REG, dst, number, 0, 0);
	set_pointer(g, dst, kind, 0, mask, mask % 8 == 0);
	if (random_one_in(g, 2) && kind != CALLER) {
		static const uint16_t loads[] = {VM_LDXB, VM_LDXH, VM_LDXW, VM_LDXDW};
		enum vm_opcode op = loads[random_below(g, ARRAY_SIZE(loads))];
		int offset;
		if (!offset_for(g, g->state.regs[dst], random_access_size(op), false, false, &offset))
			return;
		random_emit(g, op, dst, dst, offset, 0);
		random_set_number(g, dst);
	}
}

static void straight_stack_pointer(struct generator *g)
{
	unsigned dst = random_target(g);
	int offset = -8 * (int)random_below(g, g->f->slots);

	random_emit(g, VM_MOV64_REG, dst, FRAME, 0, 0);
	random_emit(g, VM_ADD64_IMM, dst, 0, 0, offset);
	set_pointer(g, dst, STACK, offset, offset, true);
}

/* An element of an array on the stack. */
static void straight_stack_index(struct generator *g)
{
	static const uint16_t ops[] = {VM_LDXDW, VM_LDXB, VM_LDXSW, VM_STXDW, VM_STXB, VM_STW};
	enum vm_opcode op = ops[random_below(g, ARRAY_SIZE(ops))];
	int offset = random_stack_bytes(g, CALLER_BYTES);
	unsigned number = random_number_target(g), reg = random_target(g);

	random_emit(g, VM_AND64_IMM, number, 0, 0, CALLER_BYTES - 8);
	random_emit(g, VM_MOV64_REG, reg, FRAME, 0, 0);
	random_emit(g, VM_ADD64_REG, reg, number, 0, 0);
	random_set(g, reg, (struct value){.kind = EMPTY});
	if (vm_insns[op].format == VM_FORMAT_LOAD) {
		random_emit(g, op, reg, reg, offset, 0);
		random_set_number(g, reg);
	} else {
		random_emit(g, op, reg, op == VM_STW ? 0 : number, offset, op == VM_STW ? random_imm(g) : 0);
	}
}

/* A pointer or number into the stack, and back from there later. */
static void straight_spill(struct generator *g)
{
	unsigned spill = random_below(g, SPILLS), reg;
	int offset = SLOT_OFFSET(SLOT_SPILL + spill);
	struct value v = g->state.spills[spill];

	if (v.kind != EMPTY && random_one_in(g, 2)) {
		reg = random_target(g);
		random_emit(g, VM_LDXDW, reg, FRAME, offset, 0);
		random_set(g, reg, v);
		return;
	}
	reg = random_below(g, REGISTERS);
	if (g->spills_locked || g->state.regs[reg].kind == EMPTY)
		return;
	random_emit(g, VM_STXDW, FRAME, reg, offset, 0);
	g->state.spills[spill] = g->state.regs[reg];
}

/* A number put together from bytes. */
static void straight_bytes(struct generator *g)
{
	unsigned count = 2u << random_below(g, 2);
	bool big = random_one_in(g, 2);
	struct place p = random_place(g, count, false, false);
	unsigned sum = random_target(g), byte;

	g->reserved |= (uint16_t)BIT(sum);
	byte = random_target(g);
	random_emit(g, VM_LDXB, sum, p.base, p.offset + (big ? 0 : (int)count - 1), 0);
	for (int i = 1; i < (int)count; i++) {
		random_emit(g, VM_LSH64_IMM, sum, 0, 0, 8);
		random_emit(g, VM_LDXB, byte, p.base, p.offset + (big ? i : (int)count - 1 - i), 0);
		random_emit(g, VM_OR64_REG, sum, byte, 0, 0);
	}
	random_set_number(g, sum);
	random_set_number(g, byte);
}

/* As clang writes a remainder. */
static void straight_remainder(struct generator *g)
{
	unsigned a = random_number_reg(g), b = random_number_reg(g), quotient = random_target(g), reg;
	bool wide = !random_one_in(g, 4);

	g->reserved |= (uint16_t)BIT(quotient);
	reg = random_target(g);
	random_emit(g, VM_MOV64_REG, quotient, a, 0, 0);
	random_emit(g, wide ? VM_DIV64_REG : VM_DIV32_REG, quotient, b, 0, 0);
	random_emit(g, wide ? VM_MUL64_REG : VM_MUL32_REG, quotient, b, 0, 0);
	random_emit(g, VM_MOV64_REG, reg, a, 0, 0);
	random_emit(g, VM_SUB64_REG, reg, quotient, 0, 0);
	random_set_number(g, reg);
	random_set(g, quotient, (struct value){.kind = random_one_in(g, 3) ? NUMBER : EMPTY});
}

/* Changed in memory. */
static void straight_update(struct generator *g)
{
	static const uint16_t loads[] = {VM_LDXB, VM_LDXH, VM_LDXW, VM_LDXDW};
	static const uint16_t stores[] = {VM_STXB, VM_STXH, VM_STXW, VM_STXDW};
	unsigned kind = random_below(g, 4), number = random_number_reg(g);
	struct place p = random_place(g, 1u << kind, true, true);
	unsigned reg = random_target(g);
	enum vm_opcode op = random_opcode(g, random_one_in(g, 2) ? VM_FORMAT_DST_IMM : VM_FORMAT_DST_SRC);
	bool imm = vm_insns[op].format == VM_FORMAT_DST_IMM;

	random_emit(g, loads[kind], reg, p.base, p.offset, 0);
	random_emit(g, op, reg, imm ? 0 : number, 0, imm ? imm_for(g, op) : 0);
	random_emit(g, stores[kind], p.base, reg, p.offset, 0);
	random_set_number(g, reg);
	if (random_one_in(g, 2))
		random_set(g, reg, (struct value){.kind = EMPTY});
}

/* Nobody will look at it: what gave it its value was for nothing. */
static void straight_forget(struct generator *g)
{
	unsigned reg = random_target(g);

	random_set(g, reg, (struct value){.kind = EMPTY});
}

/* Neighbours, loaded and stored. */
static void straight_copy(struct generator *g)
{
	static const uint16_t loads[] = {VM_LDXB, VM_LDXH, VM_LDXW, VM_LDXDW};
	static const uint16_t stores[] = {VM_STXB, VM_STXH, VM_STXW, VM_STXDW};
	unsigned kind = random_below(g, 4), size = 1u << kind, all = size << (1 + random_below(g, 2));
	struct place from = random_place(g, all, false, false), to = random_place(g, all, true, false);
	unsigned reg = random_target(g);

	for (int i = 0; i < (int)all; i += (int)size) {
		random_emit(g, loads[kind], reg, from.base, from.offset + i, 0);
		random_emit(g, stores[kind], to.base, reg, to.offset + i, 0);
	}
	random_set_number(g, reg);
}

/* ---- statements: packet instructions ---- */
static void straight_packet(struct generator *g)
{
	bool by_reg = random_one_in(g, 2);
	enum vm_opcode op = random_opcode(g, by_reg ? VM_FORMAT_PACKET_REG : VM_FORMAT_PACKET_IMM);
	bool any = random_one_in(g, 30); /* most of those are outside, and end the program */
	int32_t imm = (int32_t)random_below(g, WORLD_PACKET_BYTES - 16 - (by_reg ? 32 : 0) + 1);
	unsigned number;

	/* The kernel takes the context from r6, and has some more behind negative offsets. */
	if (g->kind == RANDOM_KERNEL) {
		if (g->current || g->locked & BIT(6))
			return;
		random_emit(g, VM_LDXDW, 6, FRAME, SLOT_OFFSET(SLOT_CONTEXT), 0);
		set_pointer(g, 6, CONTEXT, 0, 0, true);
		g->reserved |= BIT(6);
	}
	if (any)
		imm = random_one_in(g, 2) ? random_imm(g) & INT32_MAX : WORLD_PACKET_BYTES - (int)random_below(g, 6);
	number = by_reg ? random_number_target(g) : 0;
	if (by_reg && (!any || g->kind == RANDOM_KERNEL))
		random_emit(g, VM_AND64_IMM, number, 0, 0, 31);
	random_emit(g, op, 0, number, 0, imm);
	if (g->kind == RANDOM_KERNEL)
		random_after_call(g, true);
	else
		random_set_number(g, 0);
}

/* ---- */
static const struct {
	void (*make)(struct generator *g);
	uint8_t weight;
} statements[] = {
        {straight_arithmetic, 30},    {straight_number, 5},      {straight_zero_extend, 2}, {straight_swap, 1},
        {straight_three_operands, 4}, {straight_load, 14},       {straight_store, 14},      {straight_atomic, 6},
        {straight_fetch, 3},          {straight_chain, 2},       {straight_pointer_add, 4}, {straight_pointer_index, 5},
        {straight_stack_pointer, 2},  {straight_stack_index, 2}, {straight_spill, 4},       {straight_bytes, 2},
        {straight_copy, 1},           {straight_remainder, 1},   {straight_update, 3},      {straight_forget, 5},
        {straight_packet, 2},
};

void random_straight(struct generator *g)
{
	uint32_t all = 0, n;
	size_t i;

	for (i = 0; i < ARRAY_SIZE(statements); i++)
		all += statements[i].weight;
	n = random_below(g, all);
	for (i = 0; n >= statements[i].weight; i++)
		n -= statements[i].weight;
	g->reserved = 0;
	statements[i].make(g);
	g->reserved = 0;
}
