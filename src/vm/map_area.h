/* SPDX-License-Identifier: Apache-2.0
 *
 * What maps are built of: reserved memory, pools of elements, and copies in and out of memory that other threads use at
 * the same time.
 */
#ifndef PICKET_VM_MAP_AREA_H
#define PICKET_VM_MAP_AREA_H

#include "base/base.h"

#include <endian.h>

#define VM_NONE UINT32_MAX /* no element */

/* ---- areas: zeroed memory, taken from the system as it is touched. What lies right before and behind faults ---- */
struct vm_area {
	uint8_t *data; /* aligned to a page */
	size_t size;   /* whole pages */
};

/* count elements of `size` bytes each. -E2BIG: more than VM_MAP_MEMORY_MAX; -ENOMEM. */
int vm_area_map(struct vm_area *ret_area, uint64_t count, uint64_t size) must_check;
void vm_area_unmap(struct vm_area *a); /* one that is all zero is allowed */

/* ---- pools: which of the elements 0 .. count - 1 are in use. Lock-free ---- */
struct vm_pool {
	struct vm_area area;
	uint32_t *links;  /* of a free element: 1 + the next free one; 0: the last */
	uint64_t free;    /* lower half: 1 + the first free one, 0: none; upper half: changes with it, against ABA */
	uint32_t touched; /* elements from here on were never in use: the lowest are handed out first */
	uint32_t count;
};

int vm_pool_init(struct vm_pool *p, uint32_t count) must_check;
void vm_pool_done(struct vm_pool *p);
uint32_t vm_pool_take(struct vm_pool *p); /* VM_NONE: all are in use */
void vm_pool_give(struct vm_pool *p, uint32_t element);

/* ---- words: shared memory is aligned to 8 bytes and goes on to a multiple of 8. It is read and written in whole
 * words, so that a number of up to 8 bytes, at its natural place in a value, is never seen half written ---- */
static inline uint64_t vm_round_up_8(uint64_t size)
{
	return (size + 7) & ~7ull;
}

/* 1 to 7 bytes, and zeroes. Written out: memcpy() of an unknown length is a call. */
static inline uint64_t vm_load_tail(const uint8_t *from, size_t length)
{
	uint64_t word = 0;
	unsigned shift = 0;

	if (length & 4) {
		uint32_t part;
		memcpy(&part, from, sizeof(part));
		word = le32toh(part);
		shift = 32;
	}
	if (length & 2) {
		uint16_t part;
		memcpy(&part, from + shift / 8, sizeof(part));
		word |= (uint64_t)le16toh(part) << shift;
		shift += 16;
	}
	if (length & 1)
		word |= (uint64_t)from[shift / 8] << shift;
	return htole64(word);
}

/* Any memory to aligned words, zeroes at the end. */
static inline void vm_words_pack(uint64_t *words, const void *from, size_t size)
{
	const uint8_t *bytes = from;
	size_t whole = size / 8;

	for (size_t i = 0; i < whole; i++)
		memcpy(&words[i], bytes + i * 8, 8);
	if (size % 8)
		words[whole] = vm_load_tail(bytes + whole * 8, size % 8);
}

/* Any memory to shared memory; the bytes behind it, up to a multiple of 8, become 0. */
void vm_words_store(void *shared, const void *from, size_t size);
/* Shared memory to any memory. */
void vm_words_load(void *to, const void *shared, size_t size);
void vm_words_zero(void *shared, size_t size);

#endif
