/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/base.h"

#include <errno.h>
#include <stdlib.h>

static void test_str_compare(void **state)
{
	(void)state;
	assert_int_equal(str_compare(STR("a"), STR("a")), 0);
	assert_true(str_compare(STR("a"), STR("b")) < 0);
	assert_true(str_compare(STR("\xff"), STR("a")) > 0);
	assert_true(str_compare(STR("a"), STR("ab")) < 0);
	assert_true(str_compare(STR("ab"), STR("a")) > 0);
	assert_true(str_compare(STR("a\0b"), STR("a\0c")) < 0);
	assert_int_equal(str_compare(str_make(NULL, 0), STR("")), 0);
	assert_true(str_equal(str_make(NULL, 0), STR("")));
	assert_false(str_equals(STR("a\0"), "a"));
}

static void test_str_search(void **state)
{
	(void)state;
	struct str none = {NULL, 0};
	assert_true(str_starts_with(STR("/etc/passwd"), STR("/etc/")));
	assert_false(str_starts_with(STR("/etc"), STR("/etc/")));
	assert_true(str_starts_with(none, none));
	assert_true(str_ends_with(STR("a.yaml"), STR(".yaml")));
	assert_true(str_ends_with(none, STR("")));
	assert_false(str_ends_with(STR("yaml"), STR(".yaml")));
	assert_true(str_contains(STR("a\0bc"), STR("\0b")));
	assert_true(str_contains(none, none));
	assert_false(str_contains(none, STR("a")));
	assert_true(str_contains_nocase(STR("MiNeR"), STR("iner")));
	assert_true(str_contains_nocase(STR("xx"), STR("X")));
	assert_false(str_contains_nocase(STR("@"), STR("`"))); /* 0x40 and 0x60 differ by the case bit alone */
	assert_false(str_contains_nocase(STR("\xc3\x84"), STR("\xc3\xa4")));
	assert_false(str_contains_nocase(STR("ab"), STR("abc")));
	assert_int_equal(str_find_char(STR("abc"), 'c'), 2);
	assert_int_equal(str_find_char(STR("a\0c"), '\0'), 1);
	assert_int_equal(str_find_char(none, 'c'), -1);
}

/* At each place of a text, of each length; what is behind the text does not count. */
static void test_str_has_double(void **state)
{
	(void)state;
	assert_false(str_has_double(str_make(NULL, 0), '/'));
	for (size_t length = 0; length <= 20; length++) {
		char text[24];
		memset(text, '/', sizeof(text));
		for (size_t i = 0; i < length; i++)
			text[i] = i % 2 ? '/' : '.'; /* every other one is not two in a row */
		assert_false(str_has_double(str_make(text, length), '/'));
		for (size_t at = 0; at + 1 < length; at++) {
			char kept[2] = {text[at], text[at + 1]};
			memset(text + at, '/', 2);
			assert_true(str_has_double(str_make(text, length), '/'));
			memset(text + at, 'x', 2);
			assert_true(str_has_double(str_make(text, length), 'x'));
			assert_false(str_has_double(str_make(text, length), 'y'));
			memcpy(text + at, kept, 2);
		}
	}
}

static void test_str_replace_char(void **state)
{
	(void)state;
	for (size_t length = 0; length <= 20; length++) {
		for (size_t at = 0; at < length; at++) {
			char text[24], expected[24];
			memset(text, 'x', sizeof(text));
			text[at / 2] = text[at] = '\xff';
			text[length] = '\xff'; /* behind the end */
			memcpy(expected, text, sizeof(text));
			expected[at / 2] = expected[at] = ' ';
			str_replace_char(text, length, '\xff', ' ');
			assert_memory_equal(text, expected, sizeof(text));
		}
	}
	char joined[] = "a\0b\0\0\1cd\0efgh";
	str_replace_char(joined, sizeof(joined) - 1, '\0', ' ');
	assert_string_equal(joined, "a b  \1cd efgh");
	str_replace_char(NULL, 0, 'a', 'b');
}

static void test_str_trim(void **state)
{
	(void)state;
	assert_true(str_equals(str_trim(STR(" \t\r\n\v\fa b \n")), "a b"));
	assert_int_equal(str_trim(STR(" \n ")).length, 0);
	assert_int_equal(str_trim(str_make(NULL, 0)).length, 0);
}

static void assert_parts(struct str text, const char *const *parts, size_t count)
{
	struct str part;
	for (size_t i = 0; i < count; i++) {
		assert_true(str_next(&text, ',', &part));
		assert_true(str_equals(part, parts[i]));
	}
	assert_false(str_next(&text, ',', &part));
	assert_false(str_next(&text, ',', &part));
}

static void test_str_next(void **state)
{
	(void)state;
	assert_parts(STR("a,,b"), (const char *[]){"a", "", "b"}, 3);
	assert_parts(STR("a,"), (const char *[]){"a", ""}, 2);
	assert_parts(STR(","), (const char *[]){"", ""}, 2);
	assert_parts(STR(""), (const char *[]){""}, 1);
	assert_parts(str_make(NULL, 0), NULL, 0);
}

static void assert_u64(struct str text, int error, uint64_t expected)
{
	uint64_t number = 77;
	assert_int_equal(str_to_u64(text, &number), error);
	assert_int_equal(number, error ? 77 : expected);
}

static void assert_s64(struct str text, int error, int64_t expected)
{
	int64_t number = 77;
	assert_int_equal(str_to_s64(text, &number), error);
	assert_int_equal(number, error ? 77 : expected);
}

static void test_numbers(void **state)
{
	(void)state;
	assert_u64(STR("0"), 0, 0);
	assert_u64(STR("007"), 0, 7);
	assert_u64(STR("18446744073709551615"), 0, UINT64_MAX);
	assert_u64(STR("18446744073709551616"), -ERANGE, 0);
	assert_u64(STR("99999999999999999999999999x"), -EINVAL, 0);
	assert_u64(STR("0xffffffffffffffff"), 0, UINT64_MAX);
	assert_u64(STR("0x10000000000000000"), -ERANGE, 0);
	assert_u64(STR("0XaF"), 0, 0xaf);
	assert_u64(STR("0x"), -EINVAL, 0);
	assert_u64(STR(""), -EINVAL, 0);
	assert_u64(STR("1\0"), -EINVAL, 0);
	assert_u64(STR(" 1"), -EINVAL, 0);
	assert_u64(STR("1a"), -EINVAL, 0);
	assert_u64(STR("+1"), -EINVAL, 0);
	assert_u64(STR("-1"), -EINVAL, 0);
	assert_s64(STR("-9223372036854775808"), 0, INT64_MIN);
	assert_s64(STR("9223372036854775807"), 0, INT64_MAX);
	assert_s64(STR("9223372036854775808"), -ERANGE, 0);
	assert_s64(STR("-9223372036854775809"), -ERANGE, 0);
	assert_s64(STR("-0x10"), 0, -16);
	assert_s64(STR("--1"), -EINVAL, 0);
	assert_s64(STR("-"), -EINVAL, 0);
}

static void test_utf8(void **state)
{
	(void)state;
	static const struct {
		struct str text;
		size_t length;
	} cases[] = {
	        {{"a", 1}, 1},
	        {{"\0", 1}, 1},
	        {{"\xc2\x80", 2}, 2},
	        {{"\xdf\xbf", 2}, 2},
	        {{"\xe0\xa0\x80", 3}, 3},
	        {{"\xed\x9f\xbf", 3}, 3},
	        {{"\xef\xbf\xbf", 3}, 3},
	        {{"\xf0\x90\x80\x80", 4}, 4},
	        {{"\xf4\x8f\xbf\xbf", 4}, 4},
	        {{"", 0}, 0},
	        {{"\x80", 1}, 0},             /* continuation alone */
	        {{"\xc0\x80", 2}, 0},         /* overlong */
	        {{"\xc1\xbf", 2}, 0},         /* overlong */
	        {{"\xe0\x9f\xbf", 3}, 0},     /* overlong */
	        {{"\xf0\x8f\xbf\xbf", 4}, 0}, /* overlong */
	        {{"\xed\xa0\x80", 3}, 0},     /* surrogate */
	        {{"\xf4\x90\x80\x80", 4}, 0}, /* above U+10FFFF */
	        {{"\xf5\x80\x80\x80", 4}, 0},
	        {{"\xff", 1}, 0},
	        {{"\xc3", 1}, 0},         /* cut */
	        {{"\xe2\x82", 2}, 0},     /* cut */
	        {{"\xf0\x9f\x98", 3}, 0}, /* cut */
	        {{"\xc3x", 2}, 0},
	        {{"\xe2\x82x", 3}, 0},
	        {{"\xf0\x9f\x98x", 4}, 0},
	};
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		/* On the heap, so that reading beyond the end is seen. */
		char *copy = malloc(MAX(cases[i].text.length, (size_t)1));
		assert_non_null(copy);
		memcpy(copy, cases[i].text.data, cases[i].text.length);
		assert_int_equal(utf8_next(copy, cases[i].text.length), cases[i].length);
		free(copy);
	}
	assert_true(str_is_utf8(STR("a\xc3\xa4\xe2\x82\xac\xf0\x9f\x98\x80")));
	assert_true(str_is_utf8(str_make(NULL, 0)));
	assert_false(str_is_utf8(STR("a\xc3\xa4\xe2\x82")));
}

static void test_hash(void **state)
{
	(void)state;
	char zeros[64] = {0};
	uint64_t seen[ARRAY_SIZE(zeros)];
	for (size_t i = 0; i < ARRAY_SIZE(seen); i++) {
		seen[i] = base_hash(zeros, i); /* the length counts */
		for (size_t k = 0; k < i; k++)
			assert_int_not_equal(seen[i], seen[k]);
	}
	assert_int_equal(base_hash("abc", 3), base_hash("abcd", 3));
	assert_int_not_equal(base_hash_seeded(1, "abc", 3), base_hash_seeded(2, "abc", 3));
	assert_int_equal(base_hash(NULL, 0), base_hash("", 0));
}

/* Each bit of the input turns about half of the bits of the hash. */
static void test_hash_avalanche(void **state)
{
	(void)state;
	for (size_t length = 1; length <= 24; length++) {
		for (size_t bit = 0; bit < length * 8; bit++) {
			unsigned turned = 0;
			for (unsigned round = 0; round < 64; round++) {
				unsigned char data[24];
				for (size_t i = 0; i < length; i++)
					data[i] = (unsigned char)(round * 31 + i * 17);
				uint64_t before = base_hash(data, length);
				data[bit / 8] ^= (unsigned char)(1u << bit % 8);
				turned += (unsigned)__builtin_popcountll(before ^ base_hash(data, length));
			}
			assert_in_range(turned, 64 * 32 - 350, 64 * 32 + 350);
		}
	}
}

static void test_cleanup(void **state)
{
	(void)state;
	_cleanup_(base_free_ptr) char *text = malloc(4);
	_cleanup_(base_close_fd) int fd = -1;
	char *taken = TAKE_PTR(text);
	assert_null(text);
	assert_non_null(taken);
	free(taken);
	errno = ENOENT;
	base_close_fd(&fd);
	fd = 1 << 20; /* not open: close() fails, errno stays */
	base_close_fd(&fd);
	assert_int_equal(errno, ENOENT);
	assert_int_equal(TAKE_FD(fd), 1 << 20);
	assert_int_equal(fd, -1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(test_str_compare),    cmocka_unit_test(test_str_search),
	        cmocka_unit_test(test_str_has_double), cmocka_unit_test(test_str_replace_char),
	        cmocka_unit_test(test_str_trim),       cmocka_unit_test(test_str_next),
	        cmocka_unit_test(test_numbers),        cmocka_unit_test(test_utf8),
	        cmocka_unit_test(test_hash),           cmocka_unit_test(test_hash_avalanche),
	        cmocka_unit_test(test_cleanup),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
