/* SPDX-License-Identifier: Apache-2.0
 *
 * Golden texts stand in tests/golden/cli. After a wanted change: PICKET_REGEN=1 build/unit/cli/test_help
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <cmocka.h>

#include <errno.h>
#include <stdio.h>

#include "base/file.h"
#include "cli/help.h"

#define TEXT_BYTES_MAX (1u << 20)
#define GOLDEN_DIR "tests/golden/cli/"

static void golden_check(const char *name, const struct buf *text)
{
	char path[256];
	struct buf golden;
	buf_init(&golden, TEXT_BYTES_MAX);
	snprintf(path, sizeof(path), GOLDEN_DIR "%s", name);
	assert_int_equal(buf_error(text), 0);
	if (getenv("PICKET_REGEN"))
		assert_int_equal(file_write_atomic(path, buf_str(text), 0644), 0);
	assert_int_equal(file_read(path, &golden), 0);
	assert_string_equal(text->data, golden.data);
	buf_done(&golden);
}

static void test_help_of_all(void **state)
{
	struct buf out;
	(void)state;
	buf_init(&out, TEXT_BYTES_MAX);
	help_add(NULL, false, 80, &out);
	golden_check("help.txt", &out);
	buf_done(&out);
}

static void test_help_of_command(void **state)
{
	struct buf out;
	(void)state;
	buf_init(&out, TEXT_BYTES_MAX);
	help_add(command_find("rules"), true, 100, &out);
	golden_check("help-rules.txt", &out);
	buf_done(&out);
}

static void test_man_page(void **state)
{
	struct buf out;
	(void)state;
	buf_init(&out, TEXT_BYTES_MAX);
	help_add_man(command_find("status"), &out);
	golden_check("picket-status.1", &out);
	buf_done(&out);
}

/* Each option of each command stands in its help, its page, and all completions. */
static void check_option(const struct command_info *c, const struct option_info *o)
{
	char option[64], in_page[64] = "\\-\\-";
	struct buf help, page;
	buf_init(&help, TEXT_BYTES_MAX);
	buf_init(&page, TEXT_BYTES_MAX);
	help_add(c, false, 200, &help);
	help_add_man(c, &page);
	snprintf(option, sizeof(option), "--%s", o->name);
	for (const char *p = o->name; *p; p++)
		snprintf(in_page + strlen(in_page), sizeof(in_page) - strlen(in_page), *p == '-' ? "\\-" : "%c", *p);
	assert_non_null(strstr(help.data, option));
	assert_non_null(strstr(page.data, in_page));
	buf_done(&help);
	buf_done(&page);
}

static void test_every_option_is_told(void **state)
{
	(void)state;
	for (const struct command_info *c = command_next(NULL); c; c = command_next(c))
		for (const struct option_info *o = command_next_option(c, NULL); o; o = command_next_option(c, o))
			check_option(c, o);
}

static void test_completions(void **state)
{
	static const struct {
		const char *shell, *text;
	} cases[] = {
	        {"bash", "run,--match) COMPREPLY=($(compgen -W \"first all\" -- \"$word\"))"},
	        {"bash", "run,--priority|run,-p) COMPREPLY=($(compgen -W \"emergency alert critical"},
	        {"bash", "run,--cgroup) COMPREPLY=($(compgen -d"},
	        {"zsh", "'*--rules[a file of rules, or a directory of them; may be given several times; default\\: "
	                "picket'\\''s own"},
	        {"fish", "complete -c picket -n '__fish_seen_subcommand_from rules' -a check -d "},
	};
	struct buf out;
	(void)state;
	buf_init(&out, TEXT_BYTES_MAX);
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		buf_clear(&out);
		assert_int_equal(help_add_completion(cases[i].shell, &out), 0);
		if (!strstr(out.data, cases[i].text))
			fail_msg("%s completion lacks: %s", cases[i].shell, cases[i].text);
	}
	assert_int_equal(help_add_completion("tcsh", &out), -EINVAL);
	buf_done(&out);
}

/* No line of help is wider than the terminal. */
static void test_width(void **state)
{
	(void)state;
	for (const struct command_info *c = command_next(NULL); c; c = command_next(c)) {
		struct buf out;
		buf_init(&out, TEXT_BYTES_MAX);
		help_add(c, false, 80, &out);
		struct str rest = buf_str(&out), line;
		while (str_next(&rest, '\n', &line)) {
			size_t columns = 0;
			for (size_t i = 0; i < line.length; i++)
				columns += ((unsigned char)line.data[i] & 0xc0) != 0x80;
			if (columns > 80)
				fail_msg("help of %s: %.*s", c->name, STR_ARG(line));
		}
		buf_done(&out);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(test_help_of_all), cmocka_unit_test(test_help_of_command),
	        cmocka_unit_test(test_man_page),    cmocka_unit_test(test_every_option_is_told),
	        cmocka_unit_test(test_completions), cmocka_unit_test(test_width),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
