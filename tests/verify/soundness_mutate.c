/* SPDX-License-Identifier: Apache-2.0
 *
 * Changes of programs. A careless verifier is found where it says yes by a hair: so accesses, sizes and comparisons of
 * accepted programs are moved until one more step would be refused.
 */
#include "tests/verify/soundness.h"

static enum vm_format format_of(const struct picket_insn *insn)
{
	for (enum vm_opcode op = 0; op < VM_OPCODES; op++)
		if (vm_insns[op].mnemonic && insn_is(insn, op))
			return (enum vm_format)vm_insns[op].format;
	return VM_FORMAT_NOTHING;
}

static bool has_constant(enum vm_format format)
{
	return format == VM_FORMAT_DST_IMM || format == VM_FORMAT_STORE_IMM || format == VM_FORMAT_JUMP_IMM;
}

static bool has_offset(enum vm_format format)
{
	return format == VM_FORMAT_LOAD || format == VM_FORMAT_STORE_IMM || format == VM_FORMAT_STORE_REG;
}

/* The first slot of some instruction. */
static size_t some_place(const struct test_case *c, struct chance *chance)
{
	size_t at = 0, place = 0, seen = 0;

	for (; at < c->count; at += insn_slots(&c->insns[at]))
		if (chance_below(chance, (uint32_t)++seen) == 0)
			place = at;
	return place;
}

static void take_away(struct picket_insn *insn)
{
	for (size_t i = 0, slots = insn_slots(insn); i < slots; i++)
		insn[i] = insn_make(VM_JA, 0, 0, 0, 0);
}

static int64_t nudged(struct chance *chance, int64_t number)
{
	switch (chance_below(chance, 5)) {
	case 0:
		return number + 1;
	case 1:
		return number - 1;
	case 2:
		return number ^ (int64_t)(1ull << chance_below(chance, 16));
	case 3:
		return -number;
	default:
		return (int32_t)chance_extreme(chance);
	}
}

/* Another instruction with the same fields. */
static void change_operation(struct picket_insn *insn, struct chance *chance)
{
	enum vm_format format = format_of(insn);

	for (unsigned tries = 0; tries < 32; tries++) {
		enum vm_opcode op = chance_below(chance, VM_OPCODES);
		if (!vm_insns[op].mnemonic || vm_insns[op].format != format ||
		    vm_insns[op].code == vm_insns[VM_LDDW].code || vm_insns[op].code == vm_insns[VM_CALL_LOCAL].code)
			continue;
		bool shifts = format == VM_FORMAT_DST_IMM && (vm_insns[op].code & 0xf0) >= 0x60 &&
		              ((unsigned)insn->imm > 31 || (vm_insns[op].code & 0xf0) == 0x90);
		if (shifts)
			continue;
		struct picket_insn other = insn_make(op, insn->dst, insn->src, insn->offset, insn->imm);
		if (!has_offset(format) && insn_distance(insn) != DISTANCE_OFFSET &&
		    vm_insns[op].select != VM_SELECT_OFFSET)
			other.offset = 0;
		*insn = other;
		return;
	}
}

static void change_field(struct picket_insn *insn, struct chance *chance)
{
	enum vm_format format = format_of(insn);

	switch (chance_below(chance, 4)) {
	case 0:
		if (format != VM_FORMAT_CALL_FUNCTION && format != VM_FORMAT_CALL_ID && format != VM_FORMAT_NOTHING &&
		    format != VM_FORMAT_JUMP && format != VM_FORMAT_JUMP_LONG)
			insn->dst = chance_below(chance, 10) & 15;
		return;
	case 1:
		if (format == VM_FORMAT_DST_SRC || format == VM_FORMAT_LOAD || format == VM_FORMAT_STORE_REG ||
		    format == VM_FORMAT_ATOMIC_REG || format == VM_FORMAT_JUMP_REG)
			insn->src = chance_below(chance, 11) & 15;
		return;
	case 2:
		if (has_offset(format) || format == VM_FORMAT_ATOMIC_REG)
			insn->offset = (int16_t)nudged(chance, insn->offset);
		else if (has_constant(format))
			insn->imm = (int32_t)nudged(chance, insn->imm);
		return;
	default:
		if (has_constant(format))
			insn->imm = (int32_t)nudged(chance, insn->imm);
	}
}

void case_mutate(struct test_case *c, struct chance *chance)
{
	size_t at = some_place(c, chance), other = some_place(c, chance);
	struct picket_insn *insn = &c->insns[at];

	switch (chance_below(chance, 8)) {
	case 0:
	case 1:
		take_away(insn);
		return;
	case 2:
		change_operation(insn, chance);
		return;
	case 3: /* another one in its place */
		if (insn_slots(insn) == 1 && insn_slots(&c->insns[other]) == 1 &&
		    insn_distance(&c->insns[other]) == DISTANCE_NONE)
			*insn = c->insns[other];
		return;
	case 4: /* two exchanged */
		if (insn_slots(insn) == 1 && at + 1 < c->count && insn_slots(insn + 1) == 1 &&
		    insn_distance(insn) == DISTANCE_NONE && insn_distance(insn + 1) == DISTANCE_NONE) {
			struct picket_insn first = insn[0];
			insn[0] = insn[1];
			insn[1] = first;
		}
		return;
	default:
		change_field(insn, chance);
	}
}

/* ---- to the edge ---- */
static bool still_accepted(const struct test_case *c)
{
	struct judgement judgement;

	case_judge(c, &judgement);
	return judgement.accepted;
}

/* The number farthest from `good`, up to but not `bad`, that is accepted, if acceptance ends somewhere on the way. Numbers
 * may wrap on the way. */
static void farthest(struct test_case *c, void (*set)(struct picket_insn *insn, uint64_t number),
                     struct picket_insn *insn, uint64_t good, uint64_t distance, bool down)
{
	while (distance > 1) {
		uint64_t middle = down ? good - distance / 2 : good + distance / 2;
		set(insn, middle);
		if (still_accepted(c)) {
			good = middle;
			distance -= distance / 2;
		} else {
			distance /= 2;
		}
	}
	set(insn, good);
}

static void set_offset(struct picket_insn *insn, uint64_t number)
{
	insn->offset = (int16_t)number;
}

static void set_constant(struct picket_insn *insn, uint64_t number)
{
	insn->imm = (int32_t)number;
}

static void set_wide(struct picket_insn *insn, uint64_t number)
{
	insn[0].imm = (int32_t)number;
	insn[1].imm = (int32_t)(number >> 32);
}

/* The bits that are known to be 0. */
static void sharpen_bits(struct test_case *c, struct picket_insn *insn)
{
	for (unsigned bit = 0; bit < 32; bit++) {
		int32_t before = insn->imm;
		insn->imm |= (int32_t)(1u << bit);
		if (insn->imm != before && !still_accepted(c))
			insn->imm = before;
	}
}

static void sharpen_comparison(struct test_case *c, struct picket_insn *insn, struct chance *chance)
{
	unsigned test = insn->code & 0xf0;
	bool wide = (insn->code & 7) == 5, down = chance_one_in(chance, 2);
	bool is_unsigned = test == 0x20 || test == 0x30 || test == 0xa0 || test == 0xb0;
	int64_t number = insn->imm;

	if (test == 0x40)
		sharpen_bits(c, insn);
	else if (is_unsigned && !wide)
		farthest(c, set_constant, insn, (uint32_t)number,
		         down ? (uint64_t)(uint32_t)number + 1 : (1ull << 32) - (uint32_t)number, down);
	else if (is_unsigned && number >= 0)
		farthest(c, set_constant, insn, (uint64_t)number,
		         down ? (uint64_t)number + 1 : (1ull << 31) - (uint64_t)number, down);
	else if (is_unsigned) /* from the greatest there is into the negative ones */
		farthest(c, set_constant, insn, (uint64_t)number, (uint64_t)(number - INT32_MIN) + 1, true);
	else
		farthest(c, set_constant, insn, (uint64_t)number,
		         down ? (uint64_t)(number - INT32_MIN) + 1 : (uint64_t)(INT32_MAX - number) + 1, down);
}

/* Of a comparison with a 64-bit constant. */
static void sharpen_wide(struct test_case *c, struct picket_insn *insn)
{
	uint64_t number = (uint32_t)insn[0].imm | (uint64_t)(uint32_t)insn[1].imm << 32;
	bool down = number == INT64_MAX || number == UINT64_MAX;

	farthest(c, set_wide, insn, number, UINT64_MAX, down);
}

/* A jump to what no run may come to, or the constant that it compares with. */
static struct picket_insn *some_assertion(struct test_case *c, struct chance *chance)
{
	struct picket_insn *found = NULL;
	uint32_t seen = 0;

	for (size_t at = 0, before = 0; at < c->count; before = at, at += insn_slots(&c->insns[at])) {
		struct picket_insn *insn = &c->insns[at];
		int64_t target = (int64_t)at + 1 + insn->offset;
		enum vm_format format = format_of(insn);
		if ((format != VM_FORMAT_JUMP_IMM && format != VM_FORMAT_JUMP_REG) || target < 0 ||
		    target + 1 >= (int64_t)c->count || !insn_is(&c->insns[target], VM_MOV64_IMM) ||
		    c->insns[target].imm || !insn_is(&c->insns[target + 1], VM_LDXDW) ||
		    c->insns[target + 1].src != c->insns[target].dst)
			continue;
		if (format == VM_FORMAT_JUMP_REG && !insn_is(&c->insns[before], VM_LDDW))
			continue;
		if (chance_below(chance, ++seen) == 0)
			found = format == VM_FORMAT_JUMP_IMM ? insn : &c->insns[before];
	}
	return found;
}

static bool sharpen_assertion(struct test_case *c, struct chance *chance)
{
	struct picket_insn *insn = some_assertion(c, chance);

	if (!insn)
		return false;
	if (insn_is(insn, VM_LDDW))
		sharpen_wide(c, insn);
	else
		sharpen_comparison(c, insn, chance);
	return true;
}

void case_sharpen(struct test_case *c, struct chance *chance)
{
	if (!chance_one_in(chance, 3) && sharpen_assertion(c, chance))
		return;
	for (unsigned tries = 0; tries < 16; tries++) {
		struct picket_insn *insn = &c->insns[some_place(c, chance)];
		enum vm_format format = format_of(insn);
		bool down = chance_one_in(chance, 2);
		if (has_offset(format)) {
			farthest(c, set_offset, insn, (uint64_t)(int64_t)insn->offset, 600, down);
			return;
		}
		if (format == VM_FORMAT_JUMP_IMM) {
			sharpen_comparison(c, insn, chance);
			return;
		}
		if (format == VM_FORMAT_DST_IMM && !chance_one_in(chance, 4)) {
			farthest(c, set_constant, insn, (uint64_t)(int64_t)insn->imm, 600, down);
			return;
		}
	}
}
