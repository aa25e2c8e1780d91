/* SPDX-License-Identifier: Apache-2.0
 *
 * Programs with instructions put in and taken out: jumps and calls keep their targets.
 */
#include <stdlib.h>
#include "tests/verify/soundness.h"

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

void case_take_out(struct test_case *c, size_t first, size_t end)
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

bool case_insert(struct test_case *c, size_t at, size_t slots)
{
	if (slots > CASE_INSNS_MAX - c->count)
		return false;
	for (size_t i = 0; i < c->count; i += insn_slots(&c->insns[i])) {
		struct picket_insn *insn = &c->insns[i];
		int64_t target = (int64_t)i + 1 + distance_of(insn);
		if (insn_distance(insn) == DISTANCE_NONE)
			continue;
		set_distance(insn, distance_of(insn) + (target > (int64_t)at ? (int64_t)slots : 0) -
		                           (i >= at ? (int64_t)slots : 0));
	}
	memmove(&c->insns[at + slots], &c->insns[at], (c->count - at) * sizeof(*c->insns));
	memset(&c->insns[at], 0, slots * sizeof(*c->insns));
	c->count += slots;
	return true;
}

/* ---- what no path leads to ---- */
static bool goes_on(const struct picket_insn *insn)
{
	return !insn_is(insn, VM_EXIT) && !insn_is(insn, VM_JA) && !insn_is(insn, VM_JA32);
}

static void reach(const struct test_case *c, bool *reached, size_t *waiting, size_t *count, int64_t at)
{
	if (at < 0 || at >= (int64_t)c->count || reached[at])
		return;
	reached[at] = true;
	waiting[(*count)++] = (size_t)at;
}

void case_prune(struct test_case *c)
{
	static bool reached[CASE_INSNS_MAX];
	static size_t waiting[CASE_INSNS_MAX];
	size_t count = 0;

	memset(reached, 0, sizeof(reached));
	reach(c, reached, waiting, &count, 0);
	while (count > 0) {
		size_t at = waiting[--count];
		const struct picket_insn *insn = &c->insns[at];
		if (insn_distance(insn) != DISTANCE_NONE)
			reach(c, reached, waiting, &count, (int64_t)at + 1 + distance_of(insn));
		if (goes_on(insn))
			reach(c, reached, waiting, &count, (int64_t)(at + insn_slots(insn)));
	}
	for (size_t at = c->count, end = at; at-- > 0; end = at) {
		if (at > 0 && c->insns[at].code == 0 && insn_slots(&c->insns[at - 1]) == 2)
			at--; /* the second half of a wide one */
		if (!reached[at])
			case_take_out(c, at, end);
	}
}
