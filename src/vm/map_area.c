/* SPDX-License-Identifier: Apache-2.0 */
#include "vm/map_area.h"
#include "vm/map_int.h"

#include <errno.h>
#include <sys/mman.h>
#include <unistd.h>

/* ---- areas ---- */

int vm_area_map(struct vm_area *ret_area, uint64_t count, uint64_t size)
{
	const size_t page = (size_t)sysconf(_SC_PAGESIZE);
	uint64_t bytes;

	if (__builtin_mul_overflow(count, size, &bytes) || bytes > VM_MAP_MEMORY_MAX || bytes > SIZE_MAX / 2)
		return -E2BIG;
	bytes = (bytes + page - 1) / page * page;
	uint8_t *data = mmap(NULL, bytes + 2 * page, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (data == MAP_FAILED)
		return -ENOMEM;
	if (bytes && mprotect(data + page, bytes, PROT_READ | PROT_WRITE)) {
		munmap(data, bytes + 2 * page);
		return -ENOMEM;
	}
	*ret_area = (struct vm_area){data + page, bytes};
	return 0;
}

void vm_area_unmap(struct vm_area *a)
{
	const size_t page = (size_t)sysconf(_SC_PAGESIZE);

	if (a->data)
		munmap(a->data - page, a->size + 2 * page);
	*a = (struct vm_area){0};
}

/* ---- pools ---- */

int vm_pool_init(struct vm_pool *p, uint32_t count)
{
	int r = vm_area_map(&p->area, count, sizeof(*p->links));

	if (r)
		return r;
	p->links = (uint32_t *)(void *)p->area.data;
	p->free = 0;
	p->touched = 0;
	p->count = count;
	return 0;
}

void vm_pool_done(struct vm_pool *p)
{
	vm_area_unmap(&p->area);
}

static uint64_t next_free(uint64_t free, uint32_t first)
{
	return ((free >> 32) + 1) << 32 | first;
}

static uint32_t take_untouched(struct vm_pool *p)
{
	uint32_t touched = __atomic_load_n(&p->touched, __ATOMIC_RELAXED);

	while (touched < p->count) {
		if (__atomic_compare_exchange_n(&p->touched, &touched, touched + 1, true, __ATOMIC_RELAXED,
		                                __ATOMIC_RELAXED))
			return touched;
	}
	return VM_NONE;
}

static uint32_t take_free(struct vm_pool *p)
{
	uint64_t free = __atomic_load_n(&p->free, __ATOMIC_ACQUIRE);

	while ((uint32_t)free) {
		uint32_t element = (uint32_t)free - 1;
		/* Another thread may take it and link it anew just now: then `free` has changed, too. */
		uint32_t link = __atomic_load_n(&p->links[element], __ATOMIC_RELAXED);
		if (__atomic_compare_exchange_n(&p->free, &free, next_free(free, link), true, __ATOMIC_ACQ_REL,
		                                __ATOMIC_ACQUIRE))
			return element;
	}
	return VM_NONE;
}

uint32_t vm_pool_take(struct vm_pool *p)
{
	uint32_t element = take_free(p);

	if (element == VM_NONE)
		element = take_untouched(p);
	/* From here on all are touched: what others have given back meanwhile is in the list. */
	if (element == VM_NONE)
		element = take_free(p);
	return element;
}

void vm_pool_give(struct vm_pool *p, uint32_t element)
{
	uint64_t free = __atomic_load_n(&p->free, __ATOMIC_RELAXED);

	do
		__atomic_store_n(&p->links[element], (uint32_t)free, __ATOMIC_RELAXED);
	while (!__atomic_compare_exchange_n(&p->free, &free, next_free(free, element + 1), true, __ATOMIC_RELEASE,
	                                    __ATOMIC_RELAXED));
}

/* ---- words ---- */

void vm_words_store(void *shared, const void *from, size_t size)
{
	uint64_t *words = shared;
	const uint8_t *bytes = from;
	size_t whole = size / 8;

	for (size_t i = 0; i < whole; i++) {
		uint64_t word;
		memcpy(&word, bytes + i * 8, 8);
		__atomic_store_n(&words[i], word, __ATOMIC_RELAXED);
	}
	if (size % 8)
		__atomic_store_n(&words[whole], vm_load_tail(bytes + whole * 8, size % 8), __ATOMIC_RELAXED);
}

void vm_words_load(void *to, const void *shared, size_t size)
{
	const uint64_t *words = shared;
	uint8_t *bytes = to;
	size_t whole = size / 8;

	for (size_t i = 0; i < whole; i++) {
		uint64_t word = __atomic_load_n(&words[i], __ATOMIC_RELAXED);
		memcpy(bytes + i * 8, &word, 8);
	}
	if (size % 8) {
		uint64_t word = __atomic_load_n(&words[whole], __ATOMIC_RELAXED);
		memcpy(bytes + whole * 8, &word, size % 8);
	}
}

void vm_words_zero(void *shared, size_t size)
{
	uint64_t *words = shared;

	for (size_t i = 0; i < vm_round_up_8(size) / 8; i++)
		__atomic_store_n(&words[i], 0, __ATOMIC_RELAXED);
}
