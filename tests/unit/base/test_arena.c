/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/arena.h"

#include <stdio.h>

static void test_aligned_and_zeroed(void **state)
{
	(void)state;
	_cleanup_(arena_done) struct arena a;
	arena_init(&a, 10 << 20);
	for (int round = 0; round < 3; round++) {
		for (size_t size = 0; size < 2000; size += 7) {
			unsigned char *p = arena_alloc(&a, size);
			assert_non_null(p);
			assert_int_equal((uintptr_t)p % 16, 0);
			for (size_t i = 0; i < size; i++)
				assert_int_equal(p[i], 0);
			memset(p, 0xff, size);
		}
		arena_reset(&a);
		assert_int_equal(a.used, 0);
	}
	assert_ptr_not_equal(arena_alloc(&a, 0), arena_alloc(&a, 0));
}

static void test_limit(void **state)
{
	(void)state;
	_cleanup_(arena_done) struct arena a;
	arena_init(&a, 64);
	assert_non_null(arena_alloc(&a, 48));
	assert_null(arena_alloc(&a, 17)); /* takes 32 */
	assert_non_null(arena_alloc(&a, 16));
	assert_null(arena_alloc(&a, 0));
	assert_null(arena_str(&a, STR("x")).data);
	assert_null(arena_printf(&a, "%d", 1).data);
	arena_reset(&a);
	assert_non_null(arena_alloc(&a, 64));
}

static void test_overflow(void **state)
{
	(void)state;
	_cleanup_(arena_done) struct arena a;
	arena_init(&a, SIZE_MAX);
	assert_null(arena_alloc(&a, SIZE_MAX));
	assert_null(arena_alloc(&a, SIZE_MAX - 20)); /* with its block's header beyond the address space */
	assert_null(arena_array(&a, uint64_t, SIZE_MAX / 4));
	assert_null(arena_str(&a, str_make("", SIZE_MAX)).data);
	assert_int_equal(a.used, 0);
	assert_non_null(arena_array(&a, uint64_t, 4));
}

static void test_large_block_kept(void **state)
{
	(void)state;
	_cleanup_(arena_done) struct arena a;
	arena_init(&a, 16 << 20);
	assert_non_null(arena_alloc(&a, 10));
	assert_non_null(arena_alloc(&a, 3 << 20));
	assert_non_null(arena_alloc(&a, 10 << 10));
	arena_reset(&a);
	const struct arena_block *kept = a.block;
	assert_non_null(arena_alloc(&a, 3 << 20));
	assert_ptr_equal(a.block, kept);
}

static void test_text(void **state)
{
	(void)state;
	_cleanup_(arena_done) struct arena a;
	arena_init(&a, 4096);
	struct str copy = arena_str(&a, STR("a\0b"));
	assert_true(str_equal(copy, STR("a\0b")));
	assert_int_equal(copy.data[3], '\0');
	struct str empty = arena_str(&a, str_make(NULL, 0));
	assert_non_null(empty.data);
	assert_string_equal(arena_printf(&a, "%s=%d", "x", 3).data, "x=3");
	int *numbers = arena_array(&a, int, 5);
	assert_int_equal(numbers[4], 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(test_aligned_and_zeroed),
	        cmocka_unit_test(test_limit),
	        cmocka_unit_test(test_overflow),
	        cmocka_unit_test(test_large_block_kept),
	        cmocka_unit_test(test_text),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
