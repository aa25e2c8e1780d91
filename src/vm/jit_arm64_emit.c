/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <stdlib.h>
#include "vm/jit_arm64_emit.h"

void a64_done(struct a64 *a)
{
	free(a->words);
	*a = (struct a64){0};
}

static bool grow(struct a64 *a)
{
	size_t capacity = MIN(a->capacity ? 2 * a->capacity : 256, a->limit);
	uint32_t *words;

	if (a->error)
		return false;
	if (a->count >= a->limit) {
		a->error = -E2BIG;
		return false;
	}
	words = realloc(a->words, capacity * sizeof(*words));
	if (!words) {
		a->error = -ENOMEM;
		return false;
	}
	a->words = words;
	a->capacity = capacity;
	return true;
}

void a64_put(struct a64 *a, uint32_t word)
{
	if (a->count < a->capacity || grow(a))
		a->words[a->count++] = word;
}

/* ---- constants ---- */
/* A bitmask immediate is a run of ones, rotated, in an element of 2 .. 64 bits that is repeated. */
bool a64_bitmask(uint64_t value, bool wide, uint32_t *ret_field)
{
	unsigned size = 64, ones, start, imms;
	uint64_t mask, run;

	if (!wide)
		value = (value & UINT32_MAX) | value << 32;
	if (value == 0 || value == UINT64_MAX)
		return false;
	while (size > 2 && ((value >> size / 2 ^ value) & (UINT64_MAX >> (64 - size / 2))) == 0)
		size /= 2;
	mask = UINT64_MAX >> (64 - size);
	value &= mask;
	ones = (unsigned)__builtin_popcountll(value);
	/* Where the run begins: above the zeros below it, or, if it wraps around, above all zeros. */
	if (value & 1) {
		uint64_t zeros = ~value & mask;
		start = ((unsigned)__builtin_ctzll(zeros) + size - ones) % size;
	} else {
		start = (unsigned)__builtin_ctzll(value);
	}
	run = UINT64_MAX >> (64 - ones);
	if (((run << start | (start ? run >> (size - start) : 0)) & mask) != value)
		return false;
	imms = (~(2 * size - 1) & 0x3f) | (ones - 1);
	*ret_field = (size == 64 ? 1u << 22 : 0) | (size - start) % size << 16 | imms << 10;
	return true;
}

static unsigned parts_that_differ(uint64_t value, unsigned parts, uint16_t from)
{
	unsigned n = 0;

	for (unsigned i = 0; i < parts; i++)
		n += (uint16_t)(value >> 16 * i) != from;
	return n;
}

void a64_move_imm(struct a64 *a, bool wide, unsigned rd, uint64_t value)
{
	unsigned parts = wide ? 4 : 2, zeros, ones;
	uint32_t field;
	uint16_t rest;
	bool first = true;

	if (!wide)
		value = (uint32_t)value;
	zeros = parts_that_differ(value, parts, 0);
	ones = parts_that_differ(value, parts, 0xffff);
	if (MIN(zeros, ones) > 1 && a64_bitmask(value, wide, &field)) {
		a64_logic_imm(a, A64_OR, wide, rd, A64_ZERO, field);
		return;
	}
	rest = ones < zeros ? 0xffff : 0;
	for (unsigned i = 0; i < parts; i++) {
		uint16_t part = (uint16_t)(value >> 16 * i);
		uint32_t where = i << 21 | rd;
		if (part == rest)
			continue;
		if (!first)
			a64_put(a, a64_sf(wide) | 0x72800000 | where | (uint32_t)part << 5);
		else if (rest)
			a64_put(a, a64_sf(wide) | 0x12800000 | where | (uint32_t)(uint16_t)~part << 5);
		else
			a64_put(a, a64_sf(wide) | 0x52800000 | where | (uint32_t)part << 5);
		first = false;
	}
	if (first)
		a64_put(a, a64_sf(wide) | (rest ? 0x12800000 : 0x52800000) | rd);
}

bool a64_add_imm(struct a64 *a, bool wide, unsigned rd, unsigned rn, int64_t value)
{
	enum a64_arith op = value < 0 ? A64_SUB : A64_ADD;
	uint64_t size = value < 0 ? 0 - (uint64_t)value : (uint64_t)value;

	if (size >> 24)
		return false;
	if (size >> 12) {
		a64_arith_imm(a, op, wide, rd, rn, (unsigned)(size >> 12), true);
		rn = rd;
	}
	if (size & 0xfff || !(size >> 12))
		a64_arith_imm(a, op, wide, rd, rn, size & 0xfff, false);
	return true;
}

/* ---- branches ---- */
/* Where the distance stands in a branch, and how many bits it has. */
static void distance_field(uint32_t word, unsigned *ret_shift, unsigned *ret_bits)
{
	if ((word & 0x7c000000) == 0x14000000) { /* b, bl */
		*ret_shift = 0;
		*ret_bits = 26;
	} else if ((word & 0x7e000000) == 0x36000000) { /* tbz, tbnz */
		*ret_shift = 5;
		*ret_bits = 14;
	} else { /* b.cond, cbz, cbnz */
		*ret_shift = 5;
		*ret_bits = 19;
	}
}

bool a64_patch(struct a64 *a, size_t at, size_t to)
{
	int64_t distance = (int64_t)to - (int64_t)at;
	unsigned shift, bits;
	uint32_t mask;

	if (a->error)
		return true;
	distance_field(a->words[at], &shift, &bits);
	if (distance < -((int64_t)1 << (bits - 1)) || distance >= (int64_t)1 << (bits - 1))
		return false;
	mask = ((1u << bits) - 1) << shift;
	a->words[at] = (a->words[at] & ~mask) | ((uint32_t)distance << shift & mask);
	return true;
}
