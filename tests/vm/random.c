/* SPDX-License-Identifier: Apache-2.0 */
#include <assert.h>
#include "tests/vm/random_int.h"

/* ---- dice ---- */
uint64_t random_next(struct generator *g)
{
	uint64_t z = g->random += 0x9e3779b97f4a7c15ull;

	z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9ull;
	z = (z ^ z >> 27) * 0x94d049bb133111ebull;
	return z ^ z >> 31;
}

uint32_t random_below(struct generator *g, uint32_t n)
{
	return (uint32_t)((random_next(g) >> 32) * n >> 32);
}

bool random_one_in(struct generator *g, uint32_t n)
{
	return random_below(g, n) == 0;
}

uint64_t random_number(struct generator *g)
{
	uint64_t one = 1ull << random_below(g, 64);

	switch (random_below(g, 8)) {
	case 0:
		return random_below(g, 4);
	case 1:
		return -(uint64_t)random_below(g, 4);
	case 2:
		return one;
	case 3:
		return one - 1;
	case 4:
		return -one;
	case 5:
		return one + random_below(g, 3) - 1;
	case 6:
		return random_next(g) >> random_below(g, 64);
	default:
		return random_next(g);
	}
}

int32_t random_imm(struct generator *g)
{
	return (int32_t)(uint32_t)(random_one_in(g, 2) ? random_number(g) : random_number(g) >> 32);
}

/* ---- instructions ---- */
/* One statement, the ends of all open loops, and cold code. */
#define ROOM_INSNS (300 + COLD_MAX * COLD_INSNS_MAX)

/* The opcodes of each format. */
static struct {
	uint16_t count[VM_FORMAT_LOAD_INDEXED + 1];
	uint16_t opcodes[VM_FORMAT_LOAD_INDEXED + 1][VM_OPCODES];
} formats;

static __attribute__((constructor)) void formats_init(void)
{
	for (unsigned op = 0; op < VM_OPCODES; op++) {
		unsigned format = vm_insns[op].format;
		formats.opcodes[format][formats.count[format]++] = (uint16_t)op;
	}
}

enum vm_opcode random_opcode(struct generator *g, enum vm_format format)
{
	return formats.opcodes[format][random_below(g, formats.count[format])];
}

unsigned random_access_size(enum vm_opcode op)
{
	static const uint8_t sizes[] = {4, 2, 1, 8};

	return sizes[vm_insns[op].code >> 3 & 3];
}

bool random_room(const struct generator *g)
{
	return g->f->count + ROOM_INSNS < FUNCTION_INSNS_MAX;
}

size_t random_emit(struct generator *g, enum vm_opcode op, unsigned dst, unsigned src, int offset, int64_t imm)
{
	const struct vm_insn_info *info = &vm_insns[op];
	struct function *f = g->f;
	size_t index = f->count;
	struct picket_insn insn = {
	        .code = info->code,
	        .dst = dst & 15,
	        .src = src & 15,
	        .offset = (int16_t)offset,
	        .imm = (int32_t)(uint32_t)(uint64_t)imm,
	};

	assert(f->count + 2 <= FUNCTION_INSNS_MAX);
	if (info->select == VM_SELECT_OFFSET)
		insn.offset = info->value;
	if (info->select == VM_SELECT_IMM)
		insn.imm = info->value;
	if (info->select == VM_SELECT_SRC)
		insn.src = (uint8_t)info->value & 15;
	f->insns[f->count++] = insn;
	if (info->code == vm_insns[VM_LDDW].code)
		f->insns[f->count++] = (struct picket_insn){.imm = (int32_t)((uint64_t)imm >> 32)};
	f->cost += g->dead ? 0 : g->multiplier;
	return index;
}

void random_patch(struct generator *g, size_t jump)
{
	struct picket_insn *insn = &g->f->insns[jump];
	int32_t distance = (int32_t)(g->f->count - jump - 1);

	if (insn->code == vm_insns[VM_JA32].code)
		insn->imm = distance;
	else
		insn->offset = (int16_t)distance;
}

/* ---- the whole program ---- */
/* Calls and pointers to functions hold the function's number until they are linked. */
static bool names_function(const struct picket_insn *insn)
{
	const struct vm_insn_info *call = &vm_insns[VM_CALL_LOCAL], *pointer = &vm_insns[VM_LDDW_FUNCTION];

	return (insn->code == call->code && insn->src == call->value) ||
	       (insn->code == pointer->code && insn->src == pointer->value);
}

static size_t insn_slots(const struct picket_insn *insn)
{
	return insn->code == vm_insns[VM_LDDW].code ? 2 : 1;
}

static void link_calls(const struct generator *g, const struct function *f, struct picket_insn *insns)
{
	for (size_t i = f->start, next; i < f->start + f->count; i = next) {
		next = i + insn_slots(&insns[i]);
		if (names_function(&insns[i]))
			insns[i].imm = (int32_t)g->functions[insns[i].imm].start - (int32_t)(i + 1);
	}
}

/* Functions that something calls, the entry first. To the kernel, others would be code that is never reached. */
static unsigned list_functions(const struct generator *g, unsigned list[FUNCTIONS_MAX])
{
	bool called[FUNCTIONS_MAX] = {true};
	unsigned count = 0;

	for (unsigned i = 0; i < g->function_count; i++) {
		const struct function *f = &g->functions[i];
		if (!called[i] && g->kind == RANDOM_KERNEL)
			continue;
		list[count++] = i;
		for (size_t at = 0; at < f->count; at += insn_slots(&f->insns[at]))
			if (names_function(&f->insns[at]))
				called[f->insns[at].imm] = true;
	}
	return count;
}

/* The entry first, the others in any order: calls lead forward and backward. */
static void link_program(struct generator *g, struct random_program *p)
{
	unsigned order[FUNCTIONS_MAX], count = list_functions(g, order);

	for (unsigned i = 2; i < count; i++) {
		unsigned with = 1 + random_below(g, i), other = order[with];
		order[with] = order[i];
		order[i] = other;
	}
	p->count = 0;
	for (unsigned i = 0; i < count; i++) {
		struct function *f = &g->functions[order[i]];
		f->start = p->count;
		assert(p->count + f->count <= RANDOM_INSNS_MAX);
		memcpy(&p->insns[p->count], f->insns, f->count * sizeof(*f->insns));
		p->count += f->count;
	}
	for (unsigned i = 0; i < count; i++)
		link_calls(g, &g->functions[order[i]], p->insns);
}

void random_program_make(struct random_program *p, enum random_kind kind, uint64_t seed)
{
	static _Thread_local struct generator generator;
	struct generator *g = &generator;

	*g = (struct generator){.kind = kind, .random = seed * 3 + (uint64_t)kind};
	p->kind = kind;
	p->seed = seed;
	random_declare_functions(g);
	for (unsigned i = g->function_count; i-- > 0;)
		random_function(g, i);
	link_program(g, p);
}
