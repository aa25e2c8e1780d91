/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/buf.h"

#include <errno.h>
#include <stdlib.h>

static void test_append(void **state)
{
	(void)state;
	_cleanup_(buf_done) struct buf b;
	buf_init(&b, 1 << 20);
	assert_null(b.data);
	buf_add(&b, NULL, 0);
	assert_int_equal(b.length, 0);
	buf_add_str(&b, STR("a\0b"));
	buf_add_text(&b, "cd");
	buf_add_char(&b, 'e');
	buf_printf(&b, "%d-%s", 42, "x");
	assert_true(str_equal(buf_str(&b), STR("a\0bcde42-x")));
	assert_int_equal(b.data[b.length], '\0');
	for (int i = 0; i < 10000; i++)
		buf_add_text(&b, "0123456789");
	assert_int_equal(b.length, 10 + 100000);
	assert_int_equal(buf_error(&b), 0);
	assert_int_equal(b.data[b.length], '\0');
}

static void test_limit(void **state)
{
	(void)state;
	_cleanup_(buf_done) struct buf b;
	buf_init(&b, 5);
	buf_add_text(&b, "abcde"); /* exactly fits */
	assert_int_equal(buf_error(&b), 0);
	buf_clear(&b);
	buf_add_text(&b, "abc");
	buf_add_text(&b, "def");
	assert_int_equal(buf_error(&b), -ENOBUFS);
	buf_add_text(&b, "g"); /* would fit, but then there would be a hole */
	buf_printf(&b, "%s", "h");
	assert_null(buf_reserve(&b, 1));
	assert_string_equal(b.data, "abc");
	assert_null(buf_take(&b));
	buf_clear(&b);
	assert_int_equal(buf_error(&b), 0);
	assert_string_equal(b.data, "");
	buf_printf(&b, "%06d", 1);
	assert_int_equal(buf_error(&b), -ENOBUFS);
	assert_int_equal(b.length, 0);
}

static void test_no_limit(void **state)
{
	(void)state;
	_cleanup_(buf_done) struct buf b;
	buf_init(&b, SIZE_MAX);
	buf_add_text(&b, "abc");
	assert_null(buf_reserve(&b, SIZE_MAX));
	assert_int_equal(buf_error(&b), -ENOBUFS);
	buf_clear(&b);
	assert_null(buf_reserve(&b, SIZE_MAX / 2 - 1)); /* within the limit, beyond any memory */
	assert_int_equal(buf_error(&b), -ENOMEM);
	assert_string_equal(b.data, "");
}

static void test_reserve(void **state)
{
	(void)state;
	_cleanup_(buf_done) struct buf b;
	buf_init(&b, 100);
	char *at = buf_reserve(&b, 100);
	assert_non_null(at);
	memset(at, 'x', 100);
	buf_commit(&b, 3);
	assert_string_equal(b.data, "xxx");
	assert_null(buf_reserve(&b, 98));
}

static void test_take(void **state)
{
	(void)state;
	_cleanup_(buf_done) struct buf b;
	buf_init(&b, 100);
	assert_null(buf_take(&b));
	buf_add_text(&b, "abc");
	char *taken = buf_take(&b);
	assert_string_equal(taken, "abc");
	free(taken);
	assert_int_equal(b.length, 0);
	buf_add_text(&b, "again");
	assert_string_equal(b.data, "again");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(test_append),  cmocka_unit_test(test_limit), cmocka_unit_test(test_no_limit),
	        cmocka_unit_test(test_reserve), cmocka_unit_test(test_take),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}

/* Seen by the sanitizer's run time: an allocation that is too large fails as it does without it. */
const char *__asan_default_options(void);
const char *__asan_default_options(void)
{
	return "allocator_may_return_null=1";
}
