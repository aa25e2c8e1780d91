/* SPDX-License-Identifier: Apache-2.0
 *
 * What the texts of the process before came to.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "rule/text_past.h"

#define WORDS 3
#define KEPT_BYTES_MAX 4096

/* Two texts of processes with atoms in several words, one of events, and a number; bits of others lie between. */
static struct atom atoms[] = {
        {.kind = ATOM_TEXT, .process = true, .bit = 0, .input = 0},
        {.kind = ATOM_TEXT, .process = true, .bit = 2, .input = 1},
        {.kind = ATOM_TEXT, .process = true, .bit = 63, .input = 0},
        {.kind = ATOM_TEXT, .process = true, .bit = 64, .input = 0, .negated = true}, /* and 65 */
        {.kind = ATOM_NUMBER, .process = true, .bit = 66, .input = 0},
        {.kind = ATOM_TEXT, .process = true, .bit = 130, .input = 1},
        {.kind = ATOM_TEXT, .process = false, .bit = 131, .input = 2},
};
static const uint64_t all[WORDS] = {~0ull, ~0ull, ~0ull};
static const uint64_t of_first[WORDS] = {1ull << 63 | 1, 3, 0}, of_second[WORDS] = {4, 0, 4}, none[WORDS] = {0};

static struct texts_past past_make(void)
{
	struct plan plan = {
	        .atoms = atoms, .atom_count = ARRAY_SIZE(atoms), .text_count = 3, .process_bits = 64 * (WORDS - 1) + 3};
	struct texts_past t;

	assert_int_equal(texts_past_init(&t, &plan), 0);
	return t;
}

static void assert_found(const struct texts_past *t, uint32_t text, struct str value, const uint64_t *expected)
{
	uint64_t bits[WORDS] = {0};

	assert_true(texts_past_find(t, text, value, bits));
	assert_memory_equal(bits, expected, sizeof(bits));
}

static void assert_not_found(const struct texts_past *t, uint32_t text, struct str value)
{
	uint64_t bits[WORDS] = {5, 6, 7};
	static const uint64_t before[WORDS] = {5, 6, 7};

	assert_false(texts_past_find(t, text, value, bits));
	assert_memory_equal(bits, before, sizeof(bits));
}

static void test_nothing_kept(void **state)
{
	struct texts_past t = past_make();

	(void)state;
	for (uint32_t text = 0; text < 3; text++) {
		assert_not_found(&t, text, STR(""));
		assert_not_found(&t, text, STR("a"));
	}
	texts_past_done(&t);
	texts_past_done(&t);
}

/* Only a text's own bits are kept, and added to those that are there. */
static void test_own_bits(void **state)
{
	struct texts_past t = past_make();
	uint64_t bits[WORDS] = {2, 1ull << 40, 8};

	(void)state;
	texts_past_keep(&t, 0, STR("root"), all);
	assert_found(&t, 0, STR("root"), of_first);
	assert_not_found(&t, 1, STR("root"));
	texts_past_keep(&t, 1, STR("root"), all);
	assert_found(&t, 1, STR("root"), of_second);
	texts_past_keep(&t, 2, STR("root"), all);
	assert_found(&t, 2, STR("root"), none);
	assert_true(texts_past_find(&t, 0, STR("root"), bits));
	assert_true(texts_past_find(&t, 1, STR("root"), bits));
	assert_int_equal(bits[0], (1ull << 63 | 1) | 4 | 2);
	assert_int_equal(bits[1], 3 | 1ull << 40);
	assert_int_equal(bits[2], 4 | 8);
	texts_past_done(&t);
}

static void test_same_value_alone(void **state)
{
	struct texts_past t = past_make();

	(void)state;
	texts_past_keep(&t, 0, str_make("ab\0c", 4), all);
	assert_found(&t, 0, str_make("ab\0c", 4), of_first);
	assert_not_found(&t, 0, STR("ab"));
	assert_not_found(&t, 0, str_make("ab\0d", 4));
	assert_not_found(&t, 0, str_make("ab\0cd", 5));
	assert_not_found(&t, 0, STR(""));
	texts_past_done(&t);
}

/* The last one counts: longer, shorter, empty, without any atom that holds. */
static void test_kept_again(void **state)
{
	static const char *const values[] = {"a", "abcdefgh", "", "ab", "abcdefghi", "zz"};
	struct texts_past t = past_make();

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(values); i++) {
		texts_past_keep(&t, 0, str_from(values[i]), i % 2 ? all : none);
		assert_found(&t, 0, str_from(values[i]), i % 2 ? of_first : none);
		for (size_t k = 0; k < ARRAY_SIZE(values); k++)
			if (k != i)
				assert_not_found(&t, 0, str_from(values[k]));
	}
	texts_past_done(&t);
}

/* It may change afterwards. */
static void test_copied(void **state)
{
	struct texts_past t = past_make();
	char value[] = "abc";

	(void)state;
	texts_past_keep(&t, 1, str_make(value, 3), all);
	value[1] = 'x';
	assert_not_found(&t, 1, STR("axc"));
	assert_found(&t, 1, STR("abc"), of_second);
	texts_past_done(&t);
}

/* What is not kept replaces what was. */
static void test_long(void **state)
{
	static char value[KEPT_BYTES_MAX + 1];
	struct texts_past t = past_make();

	(void)state;
	memset(value, 'l', sizeof(value));
	texts_past_keep(&t, 0, str_make(value, KEPT_BYTES_MAX), all);
	assert_found(&t, 0, str_make(value, KEPT_BYTES_MAX), of_first);
	texts_past_keep(&t, 0, str_make(value, KEPT_BYTES_MAX + 1), all);
	assert_not_found(&t, 0, str_make(value, KEPT_BYTES_MAX + 1));
	assert_not_found(&t, 0, str_make(value, KEPT_BYTES_MAX));
	texts_past_keep(&t, 0, STR("l"), all);
	assert_found(&t, 0, STR("l"), of_first);
	texts_past_done(&t);
}

static void test_no_texts(void **state)
{
	struct plan plan = {0};
	struct texts_past t;

	(void)state;
	assert_int_equal(texts_past_init(&t, &plan), 0);
	texts_past_done(&t);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(test_nothing_kept),     cmocka_unit_test(test_own_bits),
	        cmocka_unit_test(test_same_value_alone), cmocka_unit_test(test_kept_again),
	        cmocka_unit_test(test_copied),           cmocka_unit_test(test_long),
	        cmocka_unit_test(test_no_texts),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
