/* SPDX-License-Identifier: Apache-2.0 */
#include "base/arena.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

/* Under AddressSanitizer what was not handed out, or was forgotten by a reset, may not be touched. */
#if defined(__has_feature)
#if __has_feature(address_sanitizer)
#define ARENA_POISONS
#endif
#endif
#if defined(__SANITIZE_ADDRESS__)
#define ARENA_POISONS
#endif
#ifdef ARENA_POISONS
/* As the sanitizer's own header, but not const: for gcc a const pointer to fresh memory is a read of it. */
void __asan_poison_memory_region(volatile void *at, size_t size);
void __asan_unpoison_memory_region(volatile void *at, size_t size);
#define poison(at, size) __asan_poison_memory_region((at), (size))
#define unpoison(at, size) __asan_unpoison_memory_region((at), (size))
#else
#define poison(at, size) ((void)(at), (void)(size))
#define unpoison(at, size) ((void)(at), (void)(size))
#endif

#define ALIGNMENT 16
#define BLOCK_SIZE_MIN (4096 - sizeof(struct arena_block))
#define BLOCK_SIZE_MAX (1u << 20) /* but for allocations that are larger themselves */

struct arena_block {
	struct arena_block *next; /* older */
	size_t size, used;
	_Alignas(ALIGNMENT) char data[];
};

void arena_init(struct arena *a, size_t limit)
{
	*a = (struct arena){.limit = limit};
}

static void block_free(struct arena_block *block)
{
	unpoison(block->data, block->size);
	free(block);
}

static void blocks_free(struct arena_block *block)
{
	while (block) {
		struct arena_block *next = block->next;
		block_free(block);
		block = next;
	}
}

void arena_done(struct arena *a)
{
	blocks_free(a->block);
	*a = (struct arena){.limit = a->limit};
}

void arena_reset(struct arena *a)
{
	struct arena_block *largest = a->block;
	for (struct arena_block *b = a->block; b; b = b->next) {
		if (b->size > largest->size)
			largest = b;
	}
	for (struct arena_block *b = a->block, *next; b; b = next) {
		next = b->next;
		if (b != largest)
			block_free(b);
	}
	if (largest) {
		largest->next = NULL;
		largest->used = 0;
		poison(largest->data, largest->size);
	}
	a->block = largest;
	a->used = 0;
}

static bool arena_add_block(struct arena *a, size_t needed)
{
	size_t size = a->block ? MIN(a->block->size * 2, (size_t)BLOCK_SIZE_MAX) : BLOCK_SIZE_MIN;
	size = MAX(size, needed);
	struct arena_block *block = size > SIZE_MAX - sizeof(*block) ? NULL : malloc(sizeof(*block) + size);
	if (!block)
		return false;
	*block = (struct arena_block){.next = a->block, .size = size};
	poison(block->data, block->size);
	a->block = block;
	return true;
}

void *arena_alloc(struct arena *a, size_t size)
{
	/* Nothing is also something: each allocation has an address of its own. */
	size = MAX(size, (size_t)1);
	if (size > SIZE_MAX - (ALIGNMENT - 1))
		return NULL;
	size_t taken = (size + ALIGNMENT - 1) & ~(size_t)(ALIGNMENT - 1);
	if (taken > a->limit - a->used)
		return NULL;
	if ((!a->block || taken > a->block->size - a->block->used) && !arena_add_block(a, taken))
		return NULL;
	char *at = a->block->data + a->block->used;
	unpoison(at, size);
	a->block->used += taken;
	a->used += taken;
	return memset(at, 0, size);
}

void *arena_alloc_array(struct arena *a, size_t size, size_t count)
{
	size_t bytes;
	if (__builtin_mul_overflow(size, count, &bytes))
		return NULL;
	return arena_alloc(a, bytes);
}

struct str arena_str(struct arena *a, struct str s)
{
	char *data = s.length == SIZE_MAX ? NULL : arena_alloc(a, s.length + 1);
	if (!data)
		return str_make(NULL, 0);
	if (s.length)
		memcpy(data, s.data, s.length);
	return str_make(data, s.length);
}

struct str arena_printf(struct arena *a, const char *format, ...)
{
	va_list arguments, again;
	va_start(arguments, format);
	va_copy(again, arguments);
	int length = vsnprintf(NULL, 0, format, arguments);
	char *data = length < 0 ? NULL : arena_alloc(a, (size_t)length + 1);
	if (data)
		vsnprintf(data, (size_t)length + 1, format, again);
	va_end(again);
	va_end(arguments);
	return str_make(data, data ? (size_t)length : 0);
}
