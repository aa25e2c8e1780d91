/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <cmocka.h>

#include <errno.h>
#include <stdio.h>

#include "cli/args.h"
#include "core/log.h"

#define ARGV(...) ((char *[]){__VA_ARGS__})
#define ARGC(...) ((int)(sizeof((char *[]){__VA_ARGS__}) / sizeof(char *)))
#define PARSE(command, args, error, ...) parse(command, args, error, ARGC(__VA_ARGS__), ARGV(__VA_ARGS__))

static int parse(const char *command, struct args *args, struct buf *error, int argc, char **argv)
{
	buf_clear(error);
	return args_parse(command_find(command), argc, argv, args, error);
}

struct fixture {
	struct args args;
	struct buf error;
};

static int setup(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));
	if (!f)
		return -1;
	buf_init(&f->error, 4096);
	*state = f;
	return 0;
}

static int teardown(void **state)
{
	struct fixture *f = *state;
	args_done(&f->args);
	buf_done(&f->error);
	free(f);
	return 0;
}

static void test_forms_of_options(void **state)
{
	struct fixture *f = *state;
	assert_int_equal(
	        PARSE("run", &f->args, &f->error, "-r", "a", "-rb", "--rules", "c", "--rules=d", "-jv", "--output=x=y"),
	        0);
	const char *expected[] = {"a", "b", "c", "d"}, *value;
	size_t position = 0, n = 0;
	while (args_next(&f->args, "rules", &position, &value))
		assert_string_equal(value, expected[n++]);
	assert_int_equal(n, 4);
	assert_string_equal(args_get(&f->args, "rules"), "d");
	assert_true(args_has(&f->args, "json"));
	assert_int_equal(args_count(&f->args, "verbose"), 1);
	assert_string_equal(args_get(&f->args, "output"), "x=y");
	assert_false(args_has(&f->args, "syslog"));
	assert_null(args_get(&f->args, "cgroup"));
	assert_int_equal(f->args.word_count, 0);
}

static void test_letters_then_value(void **state)
{
	struct fixture *f = *state;
	assert_int_equal(PARSE("events", &f->args, &f->error, "-jn5"), 0);
	assert_true(args_has(&f->args, "json"));
	assert_string_equal(args_get(&f->args, "count"), "5");
}

static void test_words_between_options(void **state)
{
	struct fixture *f = *state;
	struct buf joined;
	buf_init(&joined, 1000);
	assert_int_equal(PARSE("events", &f->args, &f->error, "evt.type", "-j", "=", "open", "--", "-n", "-"), 0);
	args_join_words(&f->args, 0, &joined);
	assert_string_equal(joined.data, "evt.type = open -n -");
	assert_true(args_has(&f->args, "json"));
	assert_false(args_has(&f->args, "count"));
	buf_done(&joined);
}

static void test_nothing(void **state)
{
	struct fixture *f = *state;
	assert_int_equal(args_parse(command_find("run"), 0, NULL, &f->args, &f->error), 0);
	assert_int_equal(f->args.option_count, 0);
	assert_int_equal(f->args.word_count, 0);
}

static void test_mistakes(void **state)
{
	static const struct {
		const char *command, *word, *text;
	} cases[] = {
	        {"run", "--rulse", "there is no option --rulse; did you mean --rules?"},
	        {"run", "--rul", "there is no option --rul; did you mean --rules?"},
	        {"run", "--zzzzzz", "there is no option --zzzzzz"},
	        {"run", "--rulse=x", "there is no option --rulse; did you mean --rules?"},
	        {"run", "--json=yes", "option --json takes no argument"},
	        {"run", "--rules", "option --rules needs an argument: --rules PATH"},
	        {"run", "-r", "option -r needs an argument: -r PATH"},
	        {"run", "-jZ", "there is no option -Z"},
	        {"version", "--json", "there is no option --json"},
	        {"fields", "--rules", "there is no option --rules"},
	};
	struct fixture *f = *state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		char *argv[] = {(char *)cases[i].word};
		assert_int_equal(parse(cases[i].command, &f->args, &f->error, 1, argv), -EINVAL);
		assert_string_equal(f->error.data, cases[i].text);
	}
}

static void test_values(void **state)
{
	struct fixture *f = *state;
	uint64_t number = 7, ns = 7, bytes = 7;
	assert_int_equal(PARSE("run", &f->args, &f->error, "--keep", "3", "--duration", "5m", "--rotate", "2M"), 0);
	assert_int_equal(args_get_u64(&f->args, "keep", 10, &number), 0);
	assert_int_equal(number, 3);
	assert_int_equal(args_get_duration(&f->args, "duration", &ns), 0);
	assert_true(ns == 300ull * 1000000000);
	assert_int_equal(args_get_size(&f->args, "rotate", &bytes), 0);
	assert_int_equal(bytes, 2 << 20);
	assert_int_equal(args_get_u64(&f->args, "burst", 10, &number), 0);
	assert_int_equal(number, 3); /* untouched: was not given */
}

static void test_wrong_values(void **state)
{
	static const char *const sizes[] = {"", "M", "0", "-1", "5X", "99999999999G", "8 M", "18446744073709551615K"};
	struct fixture *f = *state;
	uint64_t untouched = 7;
	for (size_t i = 0; i < ARRAY_SIZE(sizes); i++) {
		char *argv[] = {"--rotate", (char *)sizes[i]};
		assert_int_equal(parse("run", &f->args, &f->error, 2, argv), 0);
		assert_int_equal(args_get_size(&f->args, "rotate", &untouched), -EINVAL);
		args_done(&f->args);
	}
	assert_int_equal(PARSE("run", &f->args, &f->error, "--keep", "11", "--duration", "0"), 0);
	assert_int_equal(args_get_u64(&f->args, "keep", 10, &untouched), -EINVAL);
	assert_int_equal(args_get_duration(&f->args, "duration", &untouched), -EINVAL);
	assert_int_equal(untouched, 7);
}

static void test_distance(void **state)
{
	(void)state;
	assert_int_equal(text_distance(STR("rules"), STR("rules")), 0);
	assert_int_equal(text_distance(STR("rulse"), STR("rules")), 1);
	assert_int_equal(text_distance(STR(""), STR("abc")), 3);
	assert_int_equal(text_distance(STR("kitten"), STR("sitting")), 3);
	assert_string_equal(command_suggest("evnets"), "events");
	assert_string_equal(command_suggest("rec"), "record");
	assert_null(command_suggest("frobnicate"));
}

/* What a command asks for by name must stand in the table under that name. */
static void test_table_is_sound(void **state)
{
	(void)state;
	for (const struct command_info *c = command_next(NULL); c; c = command_next(c)) {
		for (const struct option_info *o = command_next_option(c, NULL); o; o = command_next_option(c, o)) {
			assert_ptr_equal(command_find_option(c, str_from(o->name)), o);
			if (o->letter)
				assert_ptr_equal(command_find_letter(c, o->letter), o);
		}
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test_setup_teardown(test_forms_of_options, setup, teardown),
	        cmocka_unit_test_setup_teardown(test_letters_then_value, setup, teardown),
	        cmocka_unit_test_setup_teardown(test_words_between_options, setup, teardown),
	        cmocka_unit_test_setup_teardown(test_nothing, setup, teardown),
	        cmocka_unit_test_setup_teardown(test_mistakes, setup, teardown),
	        cmocka_unit_test_setup_teardown(test_values, setup, teardown),
	        cmocka_unit_test_setup_teardown(test_wrong_values, setup, teardown),
	        cmocka_unit_test(test_distance),
	        cmocka_unit_test(test_table_is_sound),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
