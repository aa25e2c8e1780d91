/* SPDX-License-Identifier: Apache-2.0
 *
 * Sets of literals, and of paths, which the reference evaluator asks.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "rule/literal_set.h"

#define BYTES_MAX (16u << 20)

static struct value text(const char *s)
{
	return (struct value){.kind = VALUE_STR, .str = str_from(s)};
}

static struct value bytes(const char *data, size_t length)
{
	return (struct value){.kind = VALUE_BYTES, .str = str_make(data, length)};
}

static struct value s64(int64_t n)
{
	return (struct value){.kind = VALUE_S64, .s64 = n};
}

static struct value u64(uint64_t n)
{
	return (struct value){.kind = VALUE_U64, .u64 = n};
}

static struct value real(double n)
{
	return (struct value){.kind = VALUE_DOUBLE, .number = n};
}

static struct value ip(const char *s)
{
	struct value v = {.kind = VALUE_IP};
	assert_int_equal(ip_parse(str_from(s), &v.ip), 0);
	return v;
}

static struct literal_set *set_of(struct arena *arena, const struct value *values, size_t count)
{
	struct literal_set *s = literal_set_new(arena, count);
	assert_non_null(s);
	for (size_t i = 0; i < count; i++)
		assert_int_equal(literal_set_add(s, arena, &values[i]), 0);
	for (size_t i = 0; i < count; i++)
		assert_true(literal_set_has(s, &values[i]));
	return s;
}

static void assert_lacks(const struct literal_set *s, struct value v)
{
	assert_false(literal_set_has(s, &v));
}

static void assert_has(const struct literal_set *s, struct value v)
{
	assert_true(literal_set_has(s, &v));
}

static void test_texts(void **state)
{
	const struct value values[] = {text("a"), text("ab"), text("aB"), bytes("a\0b", 3), text("日本")};
	struct arena arena;

	(void)state;
	arena_init(&arena, BYTES_MAX);
	const struct literal_set *s = set_of(&arena, values, ARRAY_SIZE(values));
	assert_has(s, bytes("ab", 2));
	assert_has(s, (struct value){.kind = VALUE_STR, .str = str_make("a\0b", 3)});
	assert_lacks(s, text(""));
	assert_lacks(s, text("A"));
	assert_lacks(s, text("b"));
	assert_lacks(s, text("abc"));
	assert_lacks(s, bytes("a\0", 2));
	assert_lacks(s, bytes("a\0c", 3));
	assert_lacks(s, s64('a'));
	arena_done(&arena);
}

static void test_empty(void **state)
{
	struct arena arena;

	(void)state;
	arena_init(&arena, BYTES_MAX);
	const struct literal_set *none = set_of(&arena, NULL, 0);
	assert_lacks(none, text(""));
	assert_lacks(none, s64(0));
	assert_lacks(none, ip("0.0.0.0"));
	const struct literal_set *empty = set_of(&arena, (struct value[]){text("")}, 1);
	assert_lacks(empty, text("a"));
	arena_done(&arena);
}

/* Equal whatever kind they have. */
static void test_numbers(void **state)
{
	const struct value values[] = {s64(INT64_MIN),  s64(-1), s64(0),    u64(443),
	                               u64(UINT64_MAX), real(7), real(1.5), u64((uint64_t)INT64_MAX + 1)};
	struct arena arena;

	(void)state;
	arena_init(&arena, BYTES_MAX);
	const struct literal_set *s = set_of(&arena, values, ARRAY_SIZE(values));
	assert_has(s, u64(0));
	assert_has(s, real(0));
	assert_has(s, s64(443));
	assert_has(s, real(443));
	assert_has(s, s64(7));
	assert_has(s, real(-0x1p63));
	assert_lacks(s, s64(1));
	assert_lacks(s, u64((uint64_t)-2));
	assert_lacks(s, s64(INT64_MAX));
	assert_lacks(s, real(1.25));
	assert_lacks(s, real(0.0 / 0.0));
	assert_lacks(s, text("443"));
	arena_done(&arena);
}

/* The same bits as another kind of number are another number. */
static void test_number_bits(void **state)
{
	struct arena arena;

	(void)state;
	arena_init(&arena, BYTES_MAX);
	assert_lacks(set_of(&arena, (struct value[]){u64(UINT64_MAX)}, 1), s64(-1));
	assert_lacks(set_of(&arena, (struct value[]){s64(-1)}, 1), u64(UINT64_MAX));
	assert_lacks(set_of(&arena, (struct value[]){s64(1)}, 1), (struct value){.kind = VALUE_BOOL, .boolean = true});
	arena_done(&arena);
}

static void test_networks(void **state)
{
	const struct value values[] = {ip("10.0.0.0/8"), ip("192.168.1.7"),   ip("172.16.5.9/12"),
	                               ip("fe80::/10"),  ip("2001:db8::/33"), ip("::1")};
	struct arena arena;

	(void)state;
	arena_init(&arena, BYTES_MAX);
	const struct literal_set *s = set_of(&arena, values, ARRAY_SIZE(values));
	assert_has(s, ip("10.255.255.255"));
	assert_has(s, ip("10.1.0.0/16"));
	assert_has(s, ip("172.31.255.255"));
	assert_has(s, ip("febf::1"));
	assert_has(s, ip("2001:db8:7fff::"));
	assert_lacks(s, ip("11.0.0.0"));
	assert_lacks(s, ip("9.255.255.255"));
	assert_lacks(s, ip("10.0.0.0/7")); /* more than it */
	assert_lacks(s, ip("192.168.1.6"));
	assert_lacks(s, ip("192.168.1.0/24"));
	assert_lacks(s, ip("172.32.0.0"));
	assert_lacks(s, ip("fec0::1"));
	assert_lacks(s, ip("2001:db8:8000::"));
	assert_lacks(s, ip("::"));
	assert_lacks(s, ip("0.0.0.1"));
	arena_done(&arena);
}

static void test_everything(void **state)
{
	struct arena arena;

	(void)state;
	arena_init(&arena, BYTES_MAX);
	const struct literal_set *s = set_of(&arena, (struct value[]){ip("0.0.0.0/0")}, 1);
	assert_has(s, ip("255.255.255.255"));
	assert_has(s, ip("0.0.0.0"));
	assert_lacks(s, ip("::"));
	arena_done(&arena);
}

static void test_limit(void **state)
{
	const struct value a = text("a"), b = text("b"), c = text("c");
	struct arena arena;

	(void)state;
	arena_init(&arena, BYTES_MAX);
	struct literal_set *s = literal_set_new(&arena, 2);
	assert_non_null(s);
	assert_int_equal(literal_set_add(s, &arena, &a), 0);
	assert_int_equal(literal_set_add(s, &arena, &a), 0);
	assert_int_equal(literal_set_add(s, &arena, &b), 0);
	assert_int_equal(literal_set_add(s, &arena, &c), -ENOSPC);
	assert_int_equal(literal_set_add(s, &arena, &b), 0);
	assert_has(s, a);
	assert_has(s, b);
	assert_lacks(s, c);
	arena_done(&arena);
}

/* What is given may change afterwards. */
static void test_copied(void **state)
{
	char data[] = "abc";
	const struct value v = {.kind = VALUE_STR, .str = str_make(data, 3)};
	struct arena arena;

	(void)state;
	arena_init(&arena, BYTES_MAX);
	const struct literal_set *s = set_of(&arena, &v, 1);
	data[0] = 'x';
	assert_has(s, text("abc"));
	assert_lacks(s, text("xbc"));
	arena_done(&arena);
}

static void test_many(void **state)
{
	enum { COUNT = 20000 };
	struct arena arena;

	(void)state;
	arena_init(&arena, BYTES_MAX);
	struct literal_set *s = literal_set_new(&arena, COUNT);
	assert_non_null(s);
	for (int i = 0; i < COUNT; i++) {
		const struct value v = s64((int64_t)i * 1048576 - COUNT);
		assert_int_equal(literal_set_add(s, &arena, &v), 0);
	}
	for (int i = 0; i < COUNT; i++) {
		assert_has(s, s64((int64_t)i * 1048576 - COUNT));
		assert_lacks(s, s64((int64_t)i * 1048576 - COUNT + 1));
	}
	arena_done(&arena);
}

/* ---- paths ---- */

static void test_normal(void **state)
{
	static const struct {
		const char *path, *normal;
	} samples[] = {{"", ""},      {"/", "/"},       {"//", "/"},          {"///a//b///", "/a/b"}, {"/a", "/a"},
	               {"/a/", "/a"}, {"a//b/", "a/b"}, {"/a/./b", "/a/./b"}, {"/a/../b", "/a/../b"}, {"//a", "/a"},
	               {"a", "a"}};
	struct arena arena;

	(void)state;
	arena_init(&arena, BYTES_MAX);
	for (size_t i = 0; i < ARRAY_SIZE(samples); i++) {
		struct str normal = path_normal(&arena, str_from(samples[i].path));
		assert_string_equal(normal.data, samples[i].normal);
		assert_int_equal(normal.length, strlen(samples[i].normal));
	}
	arena_done(&arena);
}

static void check_covers(const char *const *paths, const char *const *covered, const char *const *others)
{
	struct arena arena;
	struct path_set *s;

	arena_init(&arena, BYTES_MAX);
	s = path_set_new(&arena, 8);
	assert_non_null(s);
	for (; *paths; paths++)
		assert_int_equal(path_set_add(s, &arena, str_from(*paths)), 0);
	for (; *covered; covered++)
		if (path_set_covers(s, &arena, str_from(*covered)) != 1)
			fail_msg("%s is not covered", *covered);
	for (; *others; others++)
		if (path_set_covers(s, &arena, str_from(*others)) != 0)
			fail_msg("%s is covered", *others);
	arena_done(&arena);
}

#define PATHS(...) ((const char *const[]){__VA_ARGS__, NULL})

static void test_covers(void **state)
{
	(void)state;
	check_covers(PATHS("/etc/ssh", "/usr/", "//opt//x", "var/log"),
	             PATHS("/etc/ssh", "/etc/ssh/", "/etc//ssh/key", "/usr", "/usr/bin/sh", "/opt/x/y", "var/log/a"),
	             PATHS("/etc", "/etc/sshd", "/etc/ss", "/opt", "/opt/xy", "etc/ssh", "/var/log", "var", "", "/"));
	check_covers(PATHS("/"), PATHS("/", "//", "/a", "/a/b"), PATHS("", "a", "a/b"));
	check_covers(PATHS(""), (const char *const[]){NULL}, PATHS("", "/", "a"));
}

static void test_covers_by_pattern(void **state)
{
	(void)state;
	check_covers(PATHS("/home/*/.ssh", "/proc/[0-9]*/mem", "*.so/x", "/data/?"),
	             PATHS("/home/a/.ssh", "/home//a/.ssh/id", "/proc/1/mem", "/proc/12/mem/x", "a.so/x", "/data/b/c"),
	             PATHS("/home/.ssh", "/home/a/b/.ssh", "/home/a", "/proc/self/mem", "/proc/1", "/a.so/x", "a.so",
	                   "/data/bc", "/data", "home/a/.ssh"));
}

static void test_path_limit(void **state)
{
	struct arena arena;

	(void)state;
	arena_init(&arena, BYTES_MAX);
	struct path_set *s = path_set_new(&arena, 1);
	assert_non_null(s);
	assert_int_equal(path_set_add(s, &arena, STR("/a")), 0);
	assert_int_equal(path_set_add(s, &arena, STR("/b")), -ENOSPC);
	assert_int_equal(path_set_add(s, &arena, STR("/c*")), 0);
	assert_int_equal(path_set_add(s, &arena, STR("/d*")), -ENOSPC);
	assert_int_equal(path_set_covers(s, &arena, STR("/b")), 0);
	assert_int_equal(path_set_covers(s, &arena, STR("/d1")), 0);
	arena_done(&arena);
}

/* A NUL is no end of it, and no slash. */
static void test_nul(void **state)
{
	struct arena arena;

	(void)state;
	arena_init(&arena, BYTES_MAX);
	struct path_set *s = path_set_new(&arena, 2);
	assert_non_null(s);
	assert_int_equal(path_set_add(s, &arena, STR("/a/b*")), 0);
	assert_int_equal(path_set_add(s, &arena, STR("/c")), 0);
	assert_int_equal(path_set_covers(s, &arena, str_make("/a\0/b", 5)), 0);
	assert_int_equal(path_set_covers(s, &arena, str_make("/a/b\0c", 6)), 1);
	assert_int_equal(path_set_covers(s, &arena, str_make("/c\0", 3)), 0);
	assert_int_equal(path_set_covers(s, &arena, str_make("/c/\0", 4)), 1);
	arena_done(&arena);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(test_texts),      cmocka_unit_test(test_empty),
	        cmocka_unit_test(test_numbers),    cmocka_unit_test(test_number_bits),
	        cmocka_unit_test(test_networks),   cmocka_unit_test(test_everything),
	        cmocka_unit_test(test_limit),      cmocka_unit_test(test_copied),
	        cmocka_unit_test(test_many),       cmocka_unit_test(test_normal),
	        cmocka_unit_test(test_covers),     cmocka_unit_test(test_covers_by_pattern),
	        cmocka_unit_test(test_path_limit), cmocka_unit_test(test_nul),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
