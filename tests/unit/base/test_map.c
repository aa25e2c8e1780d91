/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/map.h"

#include <errno.h>
#include <stdio.h>

static struct str key_of(int number, char text[16])
{
	return str_make(text, (size_t)snprintf(text, 16, "key%d", number));
}

static void test_put_get_remove(void **state)
{
	(void)state;
	_cleanup_(map_done) struct map m;
	int one = 1, two = 2;
	void *old = &m;
	map_init(&m, 10);
	assert_null(map_get(&m, STR("a")));
	assert_null(map_remove(&m, STR("a")));
	assert_int_equal(map_put(&m, STR("a"), &one, &old), 0);
	assert_null(old);
	assert_int_equal(map_put(&m, STR("a\0b"), &two, NULL), 0);
	assert_int_equal(map_put(&m, str_make(NULL, 0), &m, NULL), 0);
	assert_ptr_equal(map_get(&m, STR("a")), &one);
	assert_ptr_equal(map_get(&m, STR("a\0b")), &two);
	assert_ptr_equal(map_get(&m, STR("")), &m);
	assert_int_equal(map_put(&m, STR("a"), &two, &old), 0);
	assert_ptr_equal(old, &one);
	assert_int_equal(m.count, 3);
	assert_ptr_equal(map_remove(&m, STR("a")), &two);
	assert_null(map_get(&m, STR("a")));
	assert_int_equal(m.count, 2);
}

static void test_limit(void **state)
{
	(void)state;
	_cleanup_(map_done) struct map m;
	int value = 0;
	void *old = &value;
	map_init(&m, 2);
	assert_int_equal(map_put(&m, STR("a"), &value, NULL), 0);
	assert_int_equal(map_put(&m, STR("b"), &value, NULL), 0);
	assert_int_equal(map_put(&m, STR("c"), &value, &old), -ENOSPC);
	assert_ptr_equal(old, &value);
	assert_int_equal(map_put(&m, STR("b"), &m, NULL), 0); /* replacing takes no room */
	map_remove(&m, STR("a"));
	assert_int_equal(map_put(&m, STR("c"), &value, NULL), 0);
	assert_null(map_get(&m, STR("a")));
}

/* What the map says, against an array that says the same. */
static void test_many(void **state)
{
	(void)state;
	enum { COUNT = 3000 };
	static bool there[COUNT];
	static char values[COUNT];
	_cleanup_(map_done) struct map m;
	char text[16];
	unsigned random = 1;
	map_init(&m, COUNT);
	for (int step = 0; step < 40000; step++) {
		random = random * 1664525u + 1013904223u;
		int n = (int)((random >> 8) % COUNT);
		bool put = (random >> 24) % 2;
		if (put) {
			assert_int_equal(map_put(&m, key_of(n, text), &values[n], NULL), 0);
		} else {
			assert_ptr_equal(map_remove(&m, key_of(n, text)), there[n] ? &values[n] : NULL);
		}
		there[n] = put;
	}
	size_t count = 0;
	for (int n = 0; n < COUNT; n++) {
		count += there[n];
		assert_ptr_equal(map_get(&m, key_of(n, text)), there[n] ? &values[n] : NULL);
	}
	assert_int_equal(m.count, count);
	assert_true(m.used >= count && m.used <= m.capacity / 4 * 3);
	assert_true(m.capacity <= 4 * COUNT); /* removed entries are swept out, not carried along */
}

static void test_walk(void **state)
{
	(void)state;
	enum { COUNT = 500 };
	int seen[COUNT] = {0};
	_cleanup_(map_done) struct map m;
	char text[16];
	map_init(&m, COUNT);
	for (int n = 0; n < COUNT; n++)
		assert_int_equal(map_put(&m, key_of(n, text), &seen[n], NULL), 0);
	size_t position = 0;
	struct str key;
	void *value;
	while (map_next(&m, &position, &key, &value)) {
		assert_ptr_equal(map_get(&m, key), value);
		(*(int *)value)++;
		if ((int *)value - seen >= 100)
			assert_ptr_equal(map_remove(&m, key), value);
	}
	for (int n = 0; n < COUNT; n++)
		assert_int_equal(seen[n], 1);
	assert_int_equal(m.count, 100);
	position = 0;
	size_t left = 0;
	while (map_next(&m, &position, NULL, NULL))
		left++;
	assert_int_equal(left, 100);
}

static void test_seed(void **state)
{
	(void)state;
	_cleanup_(map_done) struct map a, b;
	map_init(&a, 1);
	map_init(&b, 1);
	assert_int_not_equal(a.seed, b.seed);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(test_put_get_remove), cmocka_unit_test(test_limit), cmocka_unit_test(test_many),
	        cmocka_unit_test(test_walk),           cmocka_unit_test(test_seed),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
