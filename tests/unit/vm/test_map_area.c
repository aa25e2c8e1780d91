/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "vm/map_area.h"
#include "vm/map_int.h"

#include <errno.h>
#include <pthread.h>
#include <time.h>

static void test_area(void **state)
{
	(void)state;
	struct vm_area a = {0};

	vm_area_unmap(&a);
	assert_int_equal(vm_area_map(&a, 3, 1000), 0);
	assert_int_equal((uintptr_t)a.data % 4096, 0);
	assert_int_equal(a.size, 4096);
	for (size_t i = 0; i < a.size; i++)
		assert_int_equal(a.data[i]++, 0);
	vm_area_unmap(&a);
	assert_null(a.data);
	assert_int_equal(vm_area_map(&a, UINT64_MAX, 2), -E2BIG);
	assert_int_equal(vm_area_map(&a, VM_MAP_MEMORY_MAX / 8 + 1, 8), -E2BIG);
	assert_int_equal(vm_area_map(&a, 1ull << 32, 1ull << 32), -E2BIG);
	assert_null(a.data);
}

/* All sizes of tail at all alignments; nothing beside it is read or written. */
static void test_words(void **state)
{
	(void)state;
	for (size_t size = 0; size < 40; size++) {
		for (size_t shift = 0; shift < 8; shift++) {
			uint64_t shared[8], words[8];
			uint8_t from[64], to[64];
			for (size_t i = 0; i < sizeof(from); i++)
				from[i] = (uint8_t)(i * 7 + 1);
			memset(shared, 0xee, sizeof(shared));
			memset(words, 0xee, sizeof(words));
			memset(to, 0xdd, sizeof(to));
			vm_words_store(shared, from + shift, size);
			vm_words_pack(words, from + shift, size);
			assert_memory_equal(shared, words, sizeof(shared));
			assert_memory_equal(shared, from + shift, size);
			for (size_t i = size; i < sizeof(shared); i++)
				assert_int_equal(((uint8_t *)shared)[i], i < vm_round_up_8(size) ? 0 : 0xee);
			vm_words_load(to + shift, shared, size);
			assert_memory_equal(to + shift, from + shift, size);
			for (size_t i = 0; i < sizeof(to); i++)
				assert_true((i >= shift && i < shift + size) || to[i] == 0xdd);
			vm_words_zero(shared, size);
			for (size_t i = 0; i < sizeof(shared); i++)
				assert_int_equal(((uint8_t *)shared)[i], i < vm_round_up_8(size) ? 0 : 0xee);
		}
	}
}

/* ---- pools ---- */

static void test_pool(void **state)
{
	(void)state;
	struct vm_pool p;

	assert_int_equal(vm_pool_init(&p, 3), 0);
	assert_int_equal(vm_pool_take(&p), 0);
	assert_int_equal(vm_pool_take(&p), 1);
	vm_pool_give(&p, 0);
	assert_int_equal(vm_pool_take(&p), 0); /* what is warm, before what was never touched */
	assert_int_equal(vm_pool_take(&p), 2);
	assert_int_equal(vm_pool_take(&p), VM_NONE);
	vm_pool_give(&p, 1);
	assert_int_equal(vm_pool_take(&p), 1);
	assert_int_equal(vm_pool_take(&p), VM_NONE);
	vm_pool_done(&p);
}

enum { THREADS = 3, ELEMENTS = THREADS * 2 };

struct shared {
	struct vm_pool pool;
	uint32_t owners[ELEMENTS]; /* how many threads have it */
	uint64_t wrong;
	bool stop;
};

/* Two at a time for each thread, which is as many as there are: nobody ever finds none. */
static void *take_and_give(void *argument)
{
	struct shared *s = argument;
	uint64_t wrong = 0;

	while (!__atomic_load_n(&s->stop, __ATOMIC_RELAXED)) {
		uint32_t mine[2];
		for (size_t i = 0; i < 2; i++) {
			mine[i] = vm_pool_take(&s->pool);
			if (mine[i] >= ELEMENTS)
				return (void *)1;
			wrong += __atomic_fetch_add(&s->owners[mine[i]], 1, __ATOMIC_RELAXED) != 0;
		}
		for (size_t i = 0; i < 2; i++) {
			__atomic_fetch_sub(&s->owners[mine[i]], 1, __ATOMIC_RELAXED);
			vm_pool_give(&s->pool, mine[i]);
		}
	}
	return (void *)(uintptr_t)wrong;
}

static void test_pool_threads(void **state)
{
	(void)state;
	const struct timespec time = {.tv_nsec = 400000000};
	pthread_t threads[THREADS];
	struct shared s = {0};

	assert_int_equal(vm_pool_init(&s.pool, ELEMENTS), 0);
	for (size_t i = 0; i < THREADS; i++)
		assert_int_equal(pthread_create(&threads[i], NULL, take_and_give, &s), 0);
	nanosleep(&time, NULL);
	__atomic_store_n(&s.stop, true, __ATOMIC_RELAXED);
	for (size_t i = 0; i < THREADS; i++) {
		void *wrong = &s;
		pthread_join(threads[i], &wrong);
		assert_null(wrong);
	}
	vm_pool_done(&s.pool);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(test_area),
	        cmocka_unit_test(test_words),
	        cmocka_unit_test(test_pool),
	        cmocka_unit_test(test_pool_threads),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
