/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>
#include "tests/verify/soundness.h"

/* Is it still accepted, and goes wrong? */
static bool still_fails(const struct test_case *c, struct soundness_world *w, const struct finding *finding,
                        unsigned tries)
{
	struct judgement judgement;
	struct finding again = {.found = false};
	struct runnable r;

	case_judge(c, &judgement);
	if (!judgement.accepted || runnable_make(&r, c, &judgement, w))
		return false;
	for (unsigned i = 0; i < tries && !again.found; i++)
		runnable_run(&r, w, finding->seed + i, &again);
	runnable_done(&r);
	return again.found;
}

/* ---- taking out ---- */
static int64_t distance_of(const struct picket_insn *insn)
{
	return insn_distance(insn) == DISTANCE_IMM ? insn->imm : insn->offset;
}

static void set_distance(struct picket_insn *insn, int64_t distance)
{
	if (insn_distance(insn) == DISTANCE_IMM)
		insn->imm = (int32_t)distance;
	else
		insn->offset = (int16_t)distance;
}

/* Where a slot is after [first, end) is out. */
static int64_t moved(int64_t slot, size_t first, size_t end)
{
	if (slot <= (int64_t)first)
		return slot;
	return slot < (int64_t)end ? (int64_t)first : slot - (int64_t)(end - first);
}

static void take_out(struct test_case *c, size_t first, size_t end)
{
	for (size_t at = 0; at < c->count; at += insn_slots(&c->insns[at])) {
		struct picket_insn *insn = &c->insns[at];
		if (insn_distance(insn) == DISTANCE_NONE)
			continue;
		set_distance(insn, moved((int64_t)at + 1 + distance_of(insn), first, end) -
		                           moved((int64_t)at, first, end) - 1);
	}
	memmove(&c->insns[first], &c->insns[end], (c->count - end) * sizeof(*c->insns));
	c->count -= end - first;
}

static size_t run_end(const struct test_case *c, size_t first, size_t insns)
{
	size_t at = first;

	while (insns-- > 0 && at < c->count)
		at += insn_slots(&c->insns[at]);
	return MIN(at, c->count);
}

static bool shrink_by(struct test_case *c, struct soundness_world *w, const struct finding *finding, size_t insns,
                      unsigned tries)
{
	static struct test_case tried;
	bool shrunk = false;

	for (size_t at = 0; at < c->count;) {
		tried = *c;
		take_out(&tried, at, run_end(c, at, insns));
		if (tried.count && still_fails(&tried, w, finding, tries)) {
			*c = tried;
			shrunk = true;
		} else {
			at = run_end(c, at, 1 + insns / 2);
		}
	}
	return shrunk;
}

void case_shrink(struct test_case *c, struct soundness_world *w, const struct finding *finding, unsigned tries)
{
	for (size_t insns = c->count / 2; insns > 1; insns /= 2)
		shrink_by(c, w, finding, insns, tries);
	while (shrink_by(c, w, finding, 1, tries))
		;
}

/* ---- as text ---- */
void case_print(const struct test_case *c)
{
	printf("    kind %s\n", picket_kind_name(c->kind));
	for (size_t i = 0; i < c->map_count; i++)
		printf("    map %zu: type %u, key %u, value %u, entries %u, flags %#x\n", i, c->maps[i].type,
		       c->maps[i].key_size, c->maps[i].value_size, c->maps[i].max_entries, c->maps[i].flags);
	for (size_t at = 0, slots; at < c->count; at += slots) {
		char text[PICKET_TEXT_MAX];
		slots = picket_disassemble(&c->insns[at], c->count - at, text, sizeof(text));
		printf("    %4zu  %s\n", at, text);
		slots = slots ? slots : 1;
	}
}
