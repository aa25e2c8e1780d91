/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/diag.h"

#include <stdlib.h>

static void assert_printed(const struct diag_list *l, bool color, const char *expected)
{
	_cleanup_(buf_done) struct buf out;
	buf_init(&out, 1 << 16);
	diag_list_print(l, color, &out);
	assert_string_equal(out.data, expected);
}

static void test_golden(void **state)
{
	(void)state;
	_cleanup_(diag_list_done) struct diag_list l;
	diag_list_init(&l, 10);
	struct diag *d = diag_add(&l, DIAG_ERROR, "LOAD_ERR_COMPILE_CONDITION", "a.yaml", 12, 14,
	                          "unknown field \"%s\"", "proc.nmae");
	diag_set_source(d, STR("  condition: proc.nmae = sh\r\n"));
	diag_set_hint(d, "did you mean %s?\n`picket fields` lists all", "proc.name");
	diag_add(&l, DIAG_WARNING, NULL, NULL, 0, 0, "nothing to do");
	diag_add(&l, DIAG_WARNING, "X", "b.yaml", 0, 0, "empty");
	diag_set_source(diag_add(&l, DIAG_ERROR, "Y", "b.yaml", 3, 0, "wrong"), STR("abc"));
	assert_int_equal(l.errors, 2);
	assert_printed(&l, false,
	               "a.yaml:12:14: error: unknown field \"proc.nmae\" [LOAD_ERR_COMPILE_CONDITION]\n"
	               "   12 |   condition: proc.nmae = sh\n"
	               "      |              ^\n"
	               "        hint: did you mean proc.name?\n"
	               "              `picket fields` lists all\n"
	               "warning: nothing to do\n"
	               "b.yaml: warning: empty [X]\n"
	               "b.yaml:3: error: wrong [Y]\n"
	               "    3 | abc\n");
}

static void test_color(void **state)
{
	(void)state;
	_cleanup_(diag_list_done) struct diag_list l;
	diag_list_init(&l, 10);
	struct diag *d = diag_add(&l, DIAG_ERROR, "C", "a", 1, 2, "t");
	diag_set_source(d, STR("xyz"));
	diag_set_hint(d, "h");
	diag_set_source(diag_add(&l, DIAG_WARNING, "C", "a", 1, 1, "t"), STR("x"));
	assert_printed(&l, true,
	               "\x1b[1ma:1:2: \x1b[1;31merror:\x1b[0m t \x1b[2m[C]\x1b[0m\n"
	               "\x1b[2m    1 | \x1b[0mxyz\n"
	               "\x1b[2m      | \x1b[0m \x1b[1;31m^\x1b[0m\n"
	               "        \x1b[36mhint: \x1b[0mh\n"
	               "\x1b[1ma:1:1: \x1b[1;33mwarning:\x1b[0m t \x1b[2m[C]\x1b[0m\n"
	               "\x1b[2m    1 | \x1b[0mx\n"
	               "\x1b[2m      | \x1b[0m\x1b[1;33m^\x1b[0m\n");
}

/* The source line and the caret line that are shown for a column. */
static void assert_caret(struct str line, unsigned column, const char *expected)
{
	_cleanup_(diag_list_done) struct diag_list l;
	diag_list_init(&l, 1);
	_cleanup_(buf_done) struct buf out;
	buf_init(&out, 1 << 16);
	struct diag *d = diag_add(&l, DIAG_ERROR, NULL, NULL, 1, column, "t");
	diag_set_source(d, line);
	diag_print(d, false, &out);
	assert_string_equal(out.data + strlen("error: t\n"), expected);
}

static void test_tabs_and_width(void **state)
{
	(void)state;
	assert_caret(STR("\tab"), 1, "    1 |         ab\n      | ^\n");
	assert_caret(STR("\tab"), 3, "    1 |         ab\n      |          ^\n");
	assert_caret(STR("abc\tx"), 5, "    1 | abc     x\n      |         ^\n");
	assert_caret(STR("\xc3\xa4x"), 3, "    1 | \xc3\xa4x\n      |  ^\n");
	assert_caret(STR("\xc3\xa4x"), 2, "    1 | \xc3\xa4x\n      | ^\n"); /* inside of a character */
	assert_caret(STR("\xe4\xbd\xa0x"), 4, "    1 | \xe4\xbd\xa0x\n      |   ^\n");
	assert_caret(STR("a\xcc\x81x"), 4, "    1 | a\xcc\x81x\n      |  ^\n");
	assert_caret(STR("ab"), 3, "    1 | ab\n      |   ^\n");
	assert_caret(STR("ab"), 4000000000u, "    1 | ab\n      |   ^\n");
	assert_caret(STR(""), 1, "    1 | \n      | ^\n");
}

static void test_harmless(void **state)
{
	(void)state;
#define BAD "\xef\xbf\xbd"
	assert_caret(STR("a\x1b[2J\0\xff\xc2\x9bx"), 9, "    1 | a" BAD "[2J" BAD BAD BAD "x\n      |        ^\n");
	assert_caret(STR("\xe2\x80\xaex"), 4, "    1 | " BAD "x\n      |  ^\n");
	_cleanup_(diag_list_done) struct diag_list l;
	diag_list_init(&l, 1);
	diag_set_hint(diag_add(&l, DIAG_ERROR, NULL, "a\nb", 0, 0, "x\x1b]0;y\x07\n"), "\x1b");
	assert_printed(&l, false, "a" BAD "b: error: x" BAD "]0;y" BAD BAD "\n        hint: " BAD "\n");
}

#define TEN "0123456789"
#define HUNDRED TEN TEN TEN TEN TEN TEN TEN TEN TEN TEN
#define BLANKS10 "          "
#define DOTS "\xe2\x80\xa6"

static void test_long_lines(void **state)
{
	(void)state;
	assert_caret(STR(HUNDRED), 100,
	             "    1 | " HUNDRED
	             "\n      | " BLANKS10 BLANKS10 BLANKS10 BLANKS10 BLANKS10 BLANKS10 BLANKS10 BLANKS10 BLANKS10
	             "         ^\n");
	/* at the beginning */
	assert_caret(STR(HUNDRED HUNDRED), 3,
	             "    1 | " TEN TEN TEN TEN TEN TEN TEN TEN TEN "012345678" DOTS "\n      |   ^\n");
	/* in the middle: column 151 has 66 columns before it */
	assert_caret(STR(HUNDRED HUNDRED HUNDRED), 151,
	             "    1 | " DOTS "56789" TEN TEN TEN TEN TEN TEN TEN TEN TEN "012" DOTS
	             "\n      | " BLANKS10 BLANKS10 BLANKS10 BLANKS10 BLANKS10 BLANKS10 "      ^\n");
	/* behind the end */
	assert_caret(STR(HUNDRED HUNDRED), 201,
	             "    1 | " DOTS "23456789" TEN TEN TEN TEN TEN TEN TEN TEN TEN
	             "\n      | " BLANKS10 BLANKS10 BLANKS10 BLANKS10 BLANKS10 BLANKS10 BLANKS10 BLANKS10 BLANKS10
	             "         ^\n");
}

static void test_limit(void **state)
{
	(void)state;
	_cleanup_(diag_list_done) struct diag_list l;
	diag_list_init(&l, 2);
	assert_non_null(diag_add(&l, DIAG_ERROR, NULL, NULL, 0, 0, "1"));
	assert_non_null(diag_add(&l, DIAG_WARNING, NULL, NULL, 0, 0, "2"));
	struct diag *d = diag_add(&l, DIAG_ERROR, NULL, NULL, 0, 0, "3");
	assert_null(d);
	diag_set_hint(d, "x");
	diag_set_source(d, STR("x"));
	assert_int_equal(l.errors, 2);
	assert_int_equal(l.dropped, 1);
	assert_printed(&l, false, "error: 1\nwarning: 2\n1 more not shown\n");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(test_golden),         cmocka_unit_test(test_color),
	        cmocka_unit_test(test_tabs_and_width), cmocka_unit_test(test_harmless),
	        cmocka_unit_test(test_long_lines),     cmocka_unit_test(test_limit),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
