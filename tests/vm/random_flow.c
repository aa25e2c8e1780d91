/* SPDX-License-Identifier: Apache-2.0
 *
 * Blocks, loops, calls, functions.
 */
#include <assert.h>
#include <linux/bpf.h>
#include "tests/vm/random_int.h"

#define FRAME 10
#define REGISTERS 10
#define BIT(n) (1u << (n))
#define DEPTH_MAX 5
#define COST_MAX 20000 /* instructions that one run executes at most, about */

static bool is_kernel(const struct generator *g)
{
	return g->kind == RANDOM_KERNEL;
}

/* ---- blocks ---- */
static void block_open(struct generator *g, struct block *b)
{
	*b = (struct block){.outer = g->block};
	g->block = b;
	g->depth++;
}

/* The place is reached as state. */
static void join(struct generator *g, const struct state *state)
{
	if (g->dead)
		g->state = *state;
	else
		random_state_merge(&g->state, state);
	g->dead = false;
}

static void block_close(struct generator *g, struct block *b)
{
	for (unsigned i = 0; i < b->jump_count; i++)
		random_patch(g, b->jumps[i]);
	if (b->jump_count)
		join(g, &b->exit);
	g->block = b->outer;
	g->depth--;
}

/* What is never reached must be well-formed too. The kernel takes none of it. */
static void dead_code(struct generator *g)
{
	struct state state = g->state;

	if (is_kernel(g) || !random_one_in(g, 10))
		return;
	random_straight(g);
	random_emit(g, VM_EXIT, 0, 0, 0, 0); /* a function may end here */
	g->state = state;
}

static void fill_block(struct generator *g, unsigned statements)
{
	while (statements-- > 0 && !g->dead)
		random_statement(g);
	if (g->dead)
		dead_code(g);
}

static void make_block(struct generator *g, unsigned statements)
{
	struct block b;

	block_open(g, &b);
	fill_block(g, statements);
	block_close(g, &b);
}

static size_t emit_jump(struct generator *g)
{
	return random_emit(g, random_one_in(g, 3) ? VM_JA32 : VM_JA, 0, 0, 0, 0);
}

/* Of a number in memory that nobody else looks at. */
static size_t memory_condition(struct generator *g)
{
	static const uint16_t loads[] = {VM_LDXB, VM_LDXH, VM_LDXW, VM_LDXDW, VM_LDXSB};
	enum vm_opcode load = loads[random_below(g, ARRAY_SIZE(loads))];
	struct place p = random_place(g, random_access_size(load), false, false);
	unsigned reg = random_target(g), masked = random_below(g, 3);
	size_t jump;

	random_emit(g, load, reg, p.base, p.offset, 0);
	if (masked)
		random_emit(g, VM_AND64_IMM, reg, 0, 0, random_one_in(g, 2) ? random_imm(g) : 1 << random_below(g, 8));
	jump = random_emit(g, masked ? VM_JNE64_IMM : random_opcode(g, VM_FORMAT_JUMP_IMM), reg, 0, 0,
	                   masked == 2 ? 0 : random_imm(g) >> 8 * random_below(g, 4));
	random_set(g, reg, (struct value){.kind = EMPTY});
	g->reserved = 0;
	return jump;
}

size_t random_condition(struct generator *g)
{
	bool imm = random_one_in(g, 2);
	enum vm_opcode op = random_opcode(g, imm ? VM_FORMAT_JUMP_IMM : VM_FORMAT_JUMP_REG);
	unsigned a, b;

	g->reserved = 0;
	if (random_one_in(g, 5))
		return memory_condition(g);
	a = random_number_reg(g);
	b = imm ? 0 : random_number_reg(g);
	g->reserved = 0;
	return random_emit(g, op, a, b, 0, imm ? random_imm(g) : 0);
}

/* ---- statements that jump ---- */
static void flow_if(struct generator *g)
{
	size_t branch = random_condition(g), end;
	struct state before = g->state, after;
	bool dead;

	make_block(g, 1 + random_below(g, 4));
	if (random_one_in(g, 2)) {
		random_patch(g, branch);
		join(g, &before);
		return;
	}
	dead = g->dead;
	after = g->state;
	end = dead ? 0 : emit_jump(g);
	random_patch(g, branch);
	g->state = before;
	g->dead = false;
	make_block(g, 1 + random_below(g, 4));
	if (dead)
		return;
	random_patch(g, end);
	join(g, &after);
}

/* To the end of some open block. */
static void flow_jump_out(struct generator *g)
{
	struct block *b = g->block;
	bool always = random_one_in(g, 6);

	while (b && random_one_in(g, 2))
		b = b->outer;
	if (!b || b->jump_count == ARRAY_SIZE(b->jumps))
		return;
	b->jumps[b->jump_count] = always ? emit_jump(g) : random_condition(g);
	if (b->jump_count++)
		random_state_merge(&b->exit, &g->state);
	else
		b->exit = g->state;
	g->dead = always;
}

static void flow_nothing(struct generator *g)
{
	if (random_one_in(g, 2))
		emit_jump(g);
	else
		random_condition(g);
}

/* As an `if` whose block lies behind the function's end. */
static void flow_cold(struct generator *g)
{
	struct function *f = g->f;
	struct cold *c = &f->cold[f->cold_count];
	struct block *outer = g->block;
	struct state before;
	size_t branch, start;

	if (g->in_cold || f->cold_count == COLD_MAX)
		return;
	branch = random_condition(g);
	before = g->state;
	start = f->count;
	g->block = NULL;
	g->in_cold = true;
	make_block(g, 1 + random_below(g, 3));
	g->in_cold = false;
	g->block = outer;
	if (f->count - start < COLD_INSNS_MAX) {
		c->count = f->count - start;
		memcpy(c->insns, &f->insns[start], c->count * sizeof(*c->insns));
		c->branch = branch;
		c->back = start;
		c->returns = !g->dead;
		f->cold_count++;
		f->count = start;
	} else {
		random_patch(g, branch);
	}
	join(g, &before);
}

static void append_cold(struct generator *g)
{
	struct function *f = g->f;

	for (unsigned i = 0; i < f->cold_count; i++) {
		const struct cold *c = &f->cold[i];
		random_patch(g, c->branch);
		memcpy(&f->insns[f->count], c->insns, c->count * sizeof(*c->insns));
		f->count += c->count;
		if (c->returns)
			random_emit(g, VM_JA, 0, 0, (int)c->back - (int)f->count - 1, 0);
	}
}

/* ---- loops ---- */
/* What holds when a loop begins must hold again when it begins anew: pointers stay as they are, or are forgotten. */
static void settle_pointers(struct generator *g)
{
	for (unsigned i = 0; i < REGISTERS; i++) {
		if (g->state.regs[i].kind <= NUMBER)
			continue;
		if (i >= 6 && random_one_in(g, 2))
			g->locked |= (uint16_t)BIT(i);
		else if (!(g->locked & BIT(i)))
			random_set(g, i, (struct value){.kind = EMPTY});
	}
}

static void restore_numbers(struct generator *g, const struct state *begin)
{
	for (unsigned i = 0; i < REGISTERS; i++)
		if (begin->regs[i].kind == NUMBER && g->state.regs[i].kind != NUMBER)
			random_emit_number(g, i);
}

static void emit_back(struct generator *g, enum vm_opcode op, unsigned reg, int32_t imm, size_t top)
{
	int distance = (int)top - (int)g->f->count - 1;

	if (op == VM_JA32)
		random_emit(g, op, 0, 0, 0, distance);
	else
		random_emit(g, op, reg, 0, distance, imm);
}

struct loop {
	unsigned counter; /* register; FRAME: on the stack */
	int slot;         /* of the counter there: offset */
	int32_t rounds;
	bool down;
};

static void loop_begin(struct generator *g, struct loop *l)
{
	l->slot = SLOT_OFFSET(SLOT_COUNTER + g->loops);
	l->rounds = 1 + (int)random_below(g, is_kernel(g) ? 5 : 12);
	l->down = random_one_in(g, 2);
	l->counter = 6 + random_below(g, 4);
	if (g->locked & BIT(l->counter) || random_one_in(g, 4)) {
		l->counter = FRAME;
		random_emit(g, VM_STDW, FRAME, 0, l->slot, l->down ? l->rounds : 0);
		return;
	}
	random_emit(g, random_one_in(g, 2) ? VM_MOV32_IMM : VM_MOV64_IMM, l->counter, 0, 0, l->down ? l->rounds : 0);
	random_set_number(g, l->counter);
	g->locked |= (uint16_t)BIT(l->counter);
}

/* Counts, and jumps to top unless it was the last round. */
static void loop_end(struct generator *g, const struct loop *l, size_t top)
{
	static const uint16_t down[] = {VM_JNE64_IMM, VM_JGT64_IMM, VM_JSGT64_IMM, VM_JNE32_IMM, VM_JGT32_IMM};
	static const uint16_t up[] = {VM_JNE64_IMM, VM_JLT64_IMM, VM_JSLT64_IMM, VM_JLT32_IMM, VM_JSLT32_IMM};
	unsigned reg = l->counter, choice = random_below(g, ARRAY_SIZE(up));

	if (reg == FRAME) {
		reg = random_target(g);
		random_emit(g, VM_LDXDW, reg, FRAME, l->slot, 0);
	}
	if (l->down && random_one_in(g, 2))
		random_emit(g, random_one_in(g, 3) ? VM_SUB32_IMM : VM_SUB64_IMM, reg, 0, 0, 1);
	else
		random_emit(g, random_one_in(g, 3) ? VM_ADD32_IMM : VM_ADD64_IMM, reg, 0, 0, l->down ? -1 : 1);
	random_set_number(g, reg);
	if (l->counter == FRAME)
		random_emit(g, VM_STXDW, FRAME, reg, l->slot, 0);
	emit_back(g, l->down ? down[choice] : up[choice], reg, l->down ? 0 : l->rounds, top);
}

/* The test stands before the body; only for loops that count in a register. */
static void while_loop(struct generator *g, const struct loop *l, const struct state *begin)
{
	size_t top = g->f->count;
	size_t leave = random_emit(g, random_one_in(g, 2) ? VM_JGE64_IMM : VM_JEQ64_IMM, l->counter, 0, 0, l->rounds);

	make_block(g, 1 + random_below(g, 5));
	if (!g->dead) {
		restore_numbers(g, begin);
		random_emit(g, VM_ADD64_IMM, l->counter, 0, 0, 1);
		emit_back(g, random_one_in(g, 2) ? VM_JA : VM_JA32, 0, 0, top);
		g->dead = true;
	}
	random_patch(g, leave);
	join(g, begin);
}

static void flow_loop(struct generator *g)
{
	uint16_t locked = g->locked;
	bool spills_locked = g->spills_locked;
	uint32_t multiplier = g->multiplier;
	struct state begin;
	struct block end;
	struct loop l;

	if (g->loops == 2 || g->multiplier > (is_kernel(g) ? 4 : 30))
		return;
	settle_pointers(g);
	g->spills_locked = true;
	loop_begin(g, &l);
	begin = g->state;
	block_open(g, &end);
	g->loops++;
	g->multiplier *= (uint32_t)l.rounds + 1;
	if (l.counter != FRAME && !l.down && random_one_in(g, 2)) {
		while_loop(g, &l, &begin);
	} else {
		size_t top = g->f->count;
		make_block(g, 1 + random_below(g, 5));
		if (!g->dead) {
			restore_numbers(g, &begin);
			loop_end(g, &l, top);
		}
	}
	g->loops--;
	g->multiplier = multiplier;
	block_close(g, &end);
	g->locked = locked;
	g->spills_locked = spills_locked;
}

/* ---- calls ---- */
void random_after_call(struct generator *g, bool result)
{
	random_set(g, 0, (struct value){.kind = result ? NUMBER : EMPTY});
	for (unsigned i = 1; i <= 5; i++)
		random_set(g, i, (struct value){.kind = EMPTY});
}

static void emit_arg(struct generator *g, unsigned reg, enum kind kind)
{
	unsigned from;

	switch (kind) {
	case EMPTY:
		return;
	case NUMBER:
		if (random_one_in(g, 2)) {
			random_emit_number(g, reg);
			break;
		}
		from = random_number_reg(g);
		random_emit(g, VM_MOV64_REG, reg, from, 0, 0);
		random_set_number(g, reg);
		break;
	case CALLER: {
		int offset = random_stack_bytes(g, CALLER_BYTES);
		random_emit(g, VM_MOV64_REG, reg, FRAME, 0, 0);
		random_emit(g, VM_ADD64_IMM, reg, 0, 0, offset);
		random_set(g, reg, (struct value){.kind = EMPTY});
		break;
	}
	default:
		random_fetch(g, kind, reg);
		break;
	}
	g->reserved |= (uint16_t)BIT(reg);
}

static bool may_call(const struct generator *g, const struct function *f)
{
	if ((uint64_t)g->multiplier * f->cost + g->f->cost > COST_MAX)
		return false;
	for (unsigned i = 0; i < ARRAY_SIZE(f->args); i++)
		if (f->args[i] >= CONTEXT && f->args[i] < CALLER && !random_has(g, f->args[i]))
			return false;
	return true;
}

static struct function *pick_function(struct generator *g)
{
	unsigned behind = g->function_count - g->current - 1;
	struct function *f;

	if (!behind)
		return NULL;
	f = &g->functions[g->current + 1 + random_below(g, behind)];
	return may_call(g, f) ? f : NULL;
}

/* By register: a function's address, which may have been in memory, or a helper's number. */
static void emit_call_reg(struct generator *g, enum vm_opcode op, int64_t what)
{
	random_emit(g, op, 0, 0, 0, what);
	random_set(g, 0, (struct value){.kind = EMPTY});
	if (!g->spills_locked && random_one_in(g, 4)) {
		int offset = SLOT_OFFSET(SLOT_SPILL);
		g->state.spills[0] = (struct value){.kind = EMPTY};
		random_emit(g, VM_STXDW, FRAME, 0, offset, 0);
		random_emit(g, VM_LDXDW, 0, FRAME, offset, 0);
	}
	random_emit(g, VM_CALL_REG, 0, 0, 0, 0);
}

static void flow_call(struct generator *g)
{
	const struct function *f = pick_function(g);

	if (!f)
		return;
	for (unsigned i = 0; i < ARRAY_SIZE(f->args); i++)
		emit_arg(g, i + 1, f->args[i]);
	if (is_kernel(g) || !random_one_in(g, 4))
		random_emit(g, VM_CALL_LOCAL, 0, 0, 0, f - g->functions);
	else
		emit_call_reg(g, VM_LDDW_FUNCTION, f - g->functions);
	g->f->cost += g->multiplier * f->cost;
	random_after_call(g, true);
}

/* The helper `loop`: calls a function again and again. */
static void flow_callback(struct generator *g)
{
	const struct function *f = pick_function(g);
	uint32_t rounds = random_below(g, 6);

	if (!f || !f->callback || (uint64_t)g->multiplier * f->cost * rounds + g->f->cost > COST_MAX)
		return;
	emit_arg(g, 3, f->args[1]);
	random_emit(g, VM_MOV64_IMM, 1, 0, 0, rounds);
	random_emit(g, VM_LDDW_FUNCTION, 2, 0, 0, f - g->functions);
	random_emit(g, VM_MOV64_IMM, 4, 0, 0, 0);
	random_emit(g, VM_CALL_HELPER, 0, 0, 0, BPF_FUNC_loop);
	g->f->cost += g->multiplier * f->cost * rounds;
	random_after_call(g, true);
}

static void flow_helper(struct generator *g)
{
	unsigned id = WORLD_MIX + random_below(g, WORLD_HELPERS);
	unsigned size = 8u << random_below(g, 3);

	if (is_kernel(g))
		return;
	if (id == WORLD_MIX) {
		for (unsigned i = 1; i <= 5; i++)
			emit_arg(g, i, NUMBER);
	} else {
		struct place p = random_place(g, size, id == WORLD_FILL, false);
		random_emit(g, VM_MOV64_REG, 1, p.base, 0, 0);
		random_emit(g, VM_ADD64_IMM, 1, 0, 0, p.offset);
		random_emit(g, VM_MOV64_IMM, 2, 0, 0, size);
		random_emit_number(g, 3);
	}
	if (random_one_in(g, 4))
		emit_call_reg(g, VM_MOV64_IMM, id);
	else
		random_emit(g, VM_CALL_HELPER, 0, 0, 0, id);
	random_after_call(g, true);
}

/* ---- maps ---- */
/* r1 = map, r2 = a key on the stack. */
static void emit_map_and_key(struct generator *g, unsigned map)
{
	int offset = random_stack_bytes(g, 8);

	if (map == WORLD_VALUES)
		random_emit(g, VM_STW, FRAME, 0, offset, random_one_in(g, 8));
	else if (random_one_in(g, 2))
		random_emit(g, VM_STW, FRAME, 0, offset, random_below(g, map == WORLD_HASH ? WORLD_HASH_KEYS : 10));
	else {
		unsigned number = random_number_target(g);
		random_emit(g, VM_AND64_IMM, number, 0, 0, map == WORLD_HASH ? WORLD_HASH_KEYS - 1 : 15);
		random_emit(g, VM_STXW, FRAME, number, offset, 0);
	}
	random_emit(g, VM_LDDW_MAP, 1, 0, 0, map);
	random_emit(g, VM_MOV64_REG, 2, FRAME, 0, 0);
	random_emit(g, VM_ADD64_IMM, 2, 0, 0, offset);
}

static void flow_lookup(struct generator *g)
{
	unsigned map = random_below(g, WORLD_MAPS);
	struct state missing;
	size_t jump;

	emit_map_and_key(g, map);
	random_emit(g, VM_CALL_HELPER, 0, 0, 0, BPF_FUNC_map_lookup_elem);
	random_after_call(g, true);
	missing = g->state;
	jump = random_emit(g, VM_JEQ64_IMM, 0, 0, 0, 0);
	/* An element of the hash may be gone, and its memory another's, after the next call. */
	if (map == WORLD_HASH)
		random_emit(g, VM_LDXDW, 0, 0, 8 * (int)random_below(g, 2), 0);
	else
		random_set(g, 0, (struct value){.kind = map == WORLD_ARRAY ? ELEMENT : VALUES, .aligned = true});
	make_block(g, 1 + random_below(g, 4));
	random_patch(g, jump);
	join(g, &missing);
}

static void flow_update(struct generator *g)
{
	unsigned map = random_one_in(g, 3) ? WORLD_ARRAY : WORLD_HASH;
	bool delete = random_one_in(g, 4);

	if (!delete) {
		int offset = random_stack_bytes(g, WORLD_HASH_BYTES);
		random_emit(g, VM_MOV64_REG, 3, FRAME, 0, 0);
		random_emit(g, VM_ADD64_IMM, 3, 0, 0, offset);
		random_set(g, 3, (struct value){.kind = EMPTY});
		random_emit(g, VM_MOV64_IMM, 4, 0, 0, random_below(g, 4)); /* BPF_ANY, BPF_NOEXIST, BPF_EXIST, none */
		random_set_number(g, 4);
		g->reserved |= BIT(3) | BIT(4);
	}
	emit_map_and_key(g, map);
	random_emit(g, VM_CALL_HELPER, 0, 0, 0, delete ? BPF_FUNC_map_delete_elem : BPF_FUNC_map_update_elem);
	random_after_call(g, true);
}

/* ---- ends ---- */
/* The registers' numbers into the value of the first map. */
static void dump_registers(struct generator *g)
{
	unsigned base = random_below(g, REGISTERS);

	for (unsigned i = 0; i < REGISTERS; i++)
		if (g->state.regs[i].kind != NUMBER)
			base = i;
	random_fetch(g, VALUES, base);
	for (unsigned i = 0; i < REGISTERS; i++)
		if (g->state.regs[i].kind == NUMBER)
			random_emit(g, VM_STXDW, base, i, 8 * (int)i, 0);
}

static void flow_exit(struct generator *g)
{
	uint16_t locked = g->locked;

	g->locked = 0; /* nothing comes after it */
	if (g->current == 0)
		dump_registers(g);
	if (g->state.regs[0].kind != NUMBER) {
		unsigned from = random_number_reg(g);
		random_emit(g, VM_MOV64_REG, 0, from, 0, 0);
	}
	if (g->f->callback)
		random_emit(g, VM_AND64_IMM, 0, 0, 0, 1);
	random_emit(g, VM_EXIT, 0, 0, 0, 0);
	g->locked = locked;
	g->dead = true;
}

/* ---- statements ---- */
static const struct {
	void (*make)(struct generator *g);
	uint8_t weight;
} statements[] = {
        {random_straight, 140}, {flow_if, 14},    {flow_jump_out, 6}, {flow_nothing, 1},
        {flow_cold, 4},         {flow_loop, 7},   {flow_call, 12},    {flow_callback, 5},
        {flow_helper, 5},       {flow_lookup, 4}, {flow_update, 4},   {flow_exit, 1},
};

void random_statement(struct generator *g)
{
	uint32_t all = 0, n;
	size_t i;

	if (!random_room(g))
		return;
	if (g->hazards && random_one_in(g, 12)) {
		g->hazards--;
		g->reserved = 0;
		random_hazard(g);
		g->reserved = 0;
		return;
	}
	for (i = 0; i < ARRAY_SIZE(statements); i++)
		all += statements[i].weight;
	n = random_below(g, g->depth > DEPTH_MAX ? statements[0].weight : all);
	for (i = 0; n >= statements[i].weight; i++)
		n -= statements[i].weight;
	g->reserved = 0;
	statements[i].make(g);
	g->reserved = 0;
}

/* ---- functions ---- */
static void declare_args(struct generator *g, struct function *f)
{
	static const uint8_t kinds[] = {EMPTY, NUMBER, NUMBER, NUMBER, CONTEXT, PACKET, VALUES, CALLER, REGION, TABLE};
	uint32_t choices = is_kernel(g) ? ARRAY_SIZE(kinds) - 2 : ARRAY_SIZE(kinds);

	for (unsigned i = 0; i < ARRAY_SIZE(f->args); i++) {
		f->args[i] = kinds[random_below(g, choices)];
		/* One slot each: a kind is given once. */
		for (unsigned j = 0; j < i; j++)
			if (f->args[i] == f->args[j] && f->args[i] > NUMBER)
				f->args[i] = NUMBER;
	}
	f->callback = !is_kernel(g) && random_one_in(g, 3);
	if (!f->callback)
		return;
	f->args[0] = NUMBER;
	f->args[1] = f->args[1] == EMPTY ? NUMBER : f->args[1];
	memset(&f->args[2], EMPTY, sizeof(f->args) - 2);
}

void random_declare_functions(struct generator *g)
{
	g->function_count = 1;
	if (random_one_in(g, 2))
		g->function_count += random_below(g, is_kernel(g) ? 3 : FUNCTIONS_MAX);
	for (unsigned i = 0; i < g->function_count; i++) {
		struct function *f = &g->functions[i];
		/* The kernel has one stack of 512 bytes for all frames together. */
		f->slots = SLOT_NUMBERS + 5;
		if (!is_kernel(g))
			f->slots += random_below(g, random_one_in(g, 8) ? SLOTS_MAX - f->slots + 1 : 8);
		if (i)
			declare_args(g, f);
	}
	if (g->kind == RANDOM_HOSTILE)
		g->hazards = 1 + random_below(g, 5);
}

/* Keeps the packet, as the context gives it. random_program_for_kernel() puts the kernel's way into the same slots. */
static void entry_prologue_kernel(struct generator *g)
{
	random_emit(g, VM_STXDW, FRAME, 1, SLOT_OFFSET(SLOT_CONTEXT), 0);
	while (g->f->count < RANDOM_KERNEL_PROLOGUE - 1)
		random_emit(g, VM_MOV64_REG, 7, 1, 0, 0);
	random_emit(g, VM_STXDW, FRAME, 7, SLOT_OFFSET(SLOT_PACKET), 0);
}

void random_program_for_kernel(struct random_program *p)
{
	const struct picket_insn prologue[RANDOM_KERNEL_PROLOGUE] = {
	        p->insns[0],
	        {.code = vm_insns[VM_LDXW].code, .dst = 7, .src = 1, .offset = offsetof(struct __sk_buff, data)},
	        {.code = vm_insns[VM_LDXW].code, .dst = 2, .src = 1, .offset = offsetof(struct __sk_buff, data_end)},
	        {.code = vm_insns[VM_MOV64_REG].code, .dst = 3, .src = 7},
	        {.code = vm_insns[VM_ADD64_IMM].code, .dst = 3, .imm = WORLD_PACKET_BYTES},
	        {.code = vm_insns[VM_JLE64_REG].code, .dst = 3, .src = 2, .offset = 2},
	        {.code = vm_insns[VM_MOV64_IMM].code, .dst = 0},
	        {.code = vm_insns[VM_EXIT].code},
	        {.code = vm_insns[VM_MOV64_REG].code, .dst = 7, .src = 7},
	        p->insns[RANDOM_KERNEL_PROLOGUE - 1],
	};

	memcpy(p->insns, prologue, sizeof(prologue));
}

static void entry_prologue(struct generator *g)
{
	random_emit(g, VM_STXDW, FRAME, 1, SLOT_OFFSET(SLOT_CONTEXT), 0);
	random_emit(g, VM_STXDW, FRAME, 1, SLOT_OFFSET(SLOT_PACKET), 0);
	for (int i = 0; i < 2; i++) {
		unsigned reg = 3 + random_below(g, 7);
		random_emit(g, VM_LDXDW, reg, 1, 8 * i, 0);
		random_emit(g, VM_STXDW, FRAME, reg, SLOT_OFFSET(SLOT_REGION + i), 0);
	}
	random_set(g, 1, (struct value){.kind = PACKET, .aligned = true});
	random_set_number(g, 2);
}

static void function_prologue(struct generator *g)
{
	for (unsigned i = 0; i < ARRAY_SIZE(g->f->args); i++) {
		enum kind kind = g->f->args[i];
		random_set(g, i + 1, (struct value){.kind = (uint8_t)kind, .aligned = true});
		if (kind <= NUMBER || kind == VALUES)
			continue;
		random_emit(g, VM_STXDW, FRAME, i + 1,
		            SLOT_OFFSET(kind == CALLER ? SLOT_CALLER : SLOT_CONTEXT + kind - CONTEXT), 0);
	}
}

static void first_numbers(struct generator *g)
{
	unsigned slots = 1 + random_below(g, 4);

	for (unsigned i = 0; i < REGISTERS; i++)
		if (g->state.regs[i].kind == EMPTY && random_one_in(g, 2))
			random_emit_number(g, i);
	for (unsigned i = 0; i < slots; i++)
		random_stack_bytes(g, 8);
}

void random_function(struct generator *g, unsigned index)
{
	g->current = index;
	g->f = &g->functions[index];
	g->state = (struct state){0};
	g->dead = false;
	g->locked = g->reserved = 0;
	g->multiplier = 1;
	if (index)
		function_prologue(g);
	else if (is_kernel(g))
		entry_prologue_kernel(g);
	else
		entry_prologue(g);
	first_numbers(g);
	make_block(g, 2 + random_below(g, random_one_in(g, 10) ? 150 : index ? 12 : 30));
	if (!g->dead)
		flow_exit(g);
	append_cold(g);
}
