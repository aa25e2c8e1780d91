/* SPDX-License-Identifier: Apache-2.0
 *
 * What is wrong with a condition: each message with its place and its advice.
 */
#include "condition_helper.h"

struct error_row {
	const char *text;
	unsigned line, column;
	const char *says; /* part of the message */
	const char *hint; /* part of the hint, or NULL: whatever */
};

static const struct error_row grammar[] = {
        {"", 1, 1, "expected a field, a macro or '(', found the end", NULL},
        {"   ", 1, 4, "found the end", NULL},
        {"proc.name", 1, 10, "expected an operator after proc.name, found the end", "operators are: = != <"},
        {"proc.name =", 1, 12, "expected a value, found the end", NULL},
        {"proc.name = ", 1, 13, "expected a value, found the end", NULL},
        {"proc.name = )", 1, 13, "expected a value, found ')'", NULL},
        {"proc.name contians x", 1, 11, "expected an operator after proc.name, found 'contians'",
         "did you mean contains?"},
        {"proc.name contains", 1, 19, "expected a blank after 'contains'", NULL},
        {"proc.name contains(x)", 1, 19, "expected a blank after 'contains'", NULL},
        {"proc.name contains\"x\"", 1, 19, "expected a blank after 'contains'", NULL},
        {"proc.name inx (a)", 1, 11, "expected an operator", NULL},
        {"(proc.name = x", 1, 15, "expected ')' or 'and' or 'or', found the end", NULL},
        {"proc.name = x)", 1, 14, "expected 'and', 'or' or the end, found ')'", NULL},
        {"proc.name = x proc.pid = 1", 1, 15, "expected 'and', 'or' or the end, found 'proc.pid'", NULL},
        {"proc.name = x andproc.pid = 1", 1, 15, "found 'andproc.pid'", NULL},
        {"proc.name = x and", 1, 18, "expected a field, a macro or '(', found the end", NULL},
        {"proc.name = x and and proc.pid = 1", 1, 19, "found 'and'", NULL},
        {"proc.name = x or", 1, 17, "found the end", NULL},
        {"and proc.name = x", 1, 1, "found 'and'", NULL},
        {"not", 1, 4, "found the end", NULL},
        {"()", 1, 2, "found ')'", NULL},
        {"= x", 1, 1, "found '='", NULL},
        {"proc.name in", 1, 13, "expected a list in parentheses after 'in', found the end", "(a, b)"},
        {"proc.name in a, b", 1, 14, "expected a list in parentheses", "put the values, or the name of the list, in"},
        {"proc.name in /bin/sh", 1, 14, "expected a list in parentheses after 'in', found '/bin/sh'", NULL},
        {"proc.name in (a b)", 1, 17, "expected ')' or a comma in the list of values, found 'b'", NULL},
        {"proc.name in (a, )", 1, 18, "expected a value of the list, found ')'", NULL},
        {"proc.name in (a", 1, 16, "expected ')' or a comma", NULL},
        {"proc.name in (,a)", 1, 15, "expected a value of the list, found ','", NULL},
        {"proc.name startswith anyof (a, b", 1, 33, "expected ')'", NULL},
        {"proc.name = \"abc", 1, 13, "this quoted string has no end", NULL},
        {"proc.name = 'abc\"", 1, 13, "this quoted string has no end: expected '", NULL},
        {"proc.name = \"abc\\", 1, 13, "this quoted string has no end", NULL},
        {"proc.name = \"a\\x41\"", 1, 15, "unknown escape '\\x'", "\\b \\f \\n"},
        {"proc.name = \"a\\'\"", 1, 15, "unknown escape '\\''", NULL},
        {"proc.name = 'a\\\"'", 1, 15, "unknown escape '\\\"'", NULL},
        {"proc.name = a\"b\"", 1, 14, "expected 'and', 'or' or the end, found '\"'", NULL},
        {"proc.pid < abc", 1, 12, "'<' compares with a number, found 'abc'", "val(abc)"},
        {"proc.pid >= proc.ppid", 1, 13, "'>=' compares with a number", "val(proc.ppid)"},
        {"proc.pid <", 1, 11, "expected a number, found the end", NULL},
        {"proc.aname[", 1, 12, "expected a number or a name in the brackets of proc.aname", NULL},
        {"proc.aname[] = x", 1, 12, "expected a number or a name", NULL},
        {"proc.aname[2 = x", 1, 14, "expected ']'", NULL},
        {"name = x", 1, 1, "'name' is not a field", "have a dot"},
        {"some_macro and other", 1, 1, "macro 'some_macro' is not defined", NULL},
        {"lower(proc.name) = x", 1, 1, "there is no transformer 'lower'", "tolower toupper b64"},
        {"tolower(proc.name = x", 1, 19, "expected ')' to close the call of a transformer, found '='", NULL},
        {"tolower() = x", 1, 9, "expected a field, a quoted string, a number or a list", NULL},
        {"tolower(abc) = x", 1, 9, "expected a field, a quoted string or a number, found 'abc'", "quoted"},
        {"val(proc.name) = x", 1, 1, "val() stands on the right of an operator", NULL},
        {"proc.name = val(abc)", 1, 17, "expected a field", NULL},
        {"proc.name = val(\"abc\")", 1, 13, "val() takes one field", NULL},
        {"proc.name = val(proc.exe, proc.name)", 1, 13, "val() takes one field", NULL},
        {"proc.name = x and\n  (proc.pid = 1 or\n\tfoo.bar = 2", 3, 13, "expected ')'", NULL},
        {"proc.name = x\n\nand proc.pid ~ 5", 3, 14, "expected an operator after proc.pid, found '~'", NULL},
        {"proc.name exists x", 1, 18, "expected 'and', 'or' or the end, found 'x'", NULL},
};

static const struct error_row types[] = {
        {"proc.nane = x", 1, 1, "there is no field 'proc.nane'", "did you mean proc.name?"},
        {"zzzzzzzz.qqqqqqqqqqqqq = x", 1, 1, "there is no field", "picket fields"},
        {"proc.name.x = y", 1, 1, "there is no field 'proc.name.x'", NULL},
        {"proc.name[1] = x", 1, 11, "proc.name takes no argument in brackets", NULL},
        {"proc.aname[x] = y", 1, 12, "expected a number in the brackets of proc.aname, found 'x'", NULL},
        {"proc.aname[99999999999] = y", 1, 12, "expected a number", NULL},
        {"evt.arg = x", 1, 8, "evt.arg needs a name after it", "evt.arg.NAME"},
        {"evt.arg.nonsense = x", 1, 9, "no event has an argument 'nonsense'", NULL},
        {"evt.rawarg[0] = 1", 1, 11, "evt.rawarg needs a name", NULL},
        {"evt.type.is.nonsense = 1", 1, 13, "unknown event type 'nonsense'", NULL},
        {"container.label = x", 1, 16, "container.label needs an argument in brackets", NULL},
        {"proc.pid contains 1", 1, 10, "'contains' does not fit proc.pid, which is a number",
         "allowed are: = != < <= > >= in intersects exists"},
        {"evt.is_open_read < 1", 1, 18, "'<' does not fit evt.is_open_read, which is true or false",
         "= != in intersects exists"},
        {"fd.sip startswith 10.", 1, 8, "'startswith' does not fit fd.sip, which is an address", NULL},
        {"fd.snet pmatch (/x)", 1, 9, "'pmatch' does not fit fd.snet, which is a network", NULL},
        {"proc.name bcontains 61", 1, 11, "'bcontains' does not fit proc.name, which is text", "contains icontains"},
        {"evt.buffer icontains x", 1, 12, "'icontains' does not fit evt.buffer, which is bytes", NULL},
        {"fd.names = x", 1, 10, "'=' does not fit fd.names, which is a list", "allowed are: in intersects exists"},
        {"len(proc.name) contains 3", 1, 16, "'contains' does not fit len, which is a number", NULL},
        {"proc.pid = abc", 1, 12, "proc.pid is compared with a whole number of 64 bits, not with 'abc'", NULL},
        {"proc.pid = 1.5", 1, 12, "whole number", NULL},
        {"proc.pid = 99999999999999999999", 1, 12, "whole number of 64 bits", NULL},
        {"proc.pid < 99999999999999999999", 1, 12, "whole number of 64 bits", NULL},
        {"proc.pid = 0xffffffffffffffff", 1, 12, "whole number of 64 bits", NULL},
        {"proc.pid = 0xfg", 1, 12, "whole number", NULL},
        {"proc.pid = 12a", 1, 12, "whole number", NULL},
        {"user.uid = -1", 1, 12, "a whole number from 0 on", NULL},
        {"fd.sport = 65536", 1, 12, "a port from 0 to 65535", NULL},
        {"fd.sport in (80, http)", 1, 18, "a port from 0 to 65535, not with 'http'", NULL},
        {"evt.is_open_read = yes", 1, 20, "true or false, not with 'yes'", NULL},
        {"fd.sip = 10.0.0", 1, 10, "an address, not with '10.0.0'", NULL},
        {"fd.sip = 10.0.0.0/8", 1, 10, "'10.0.0.0/8' is a network", "end in net"},
        {"fd.snet = host.example", 1, 11, "a network, not with 'host.example'", NULL},
        {"evt.buffer bcontains 4c4", 1, 22, "an even number of hexadecimal digits", NULL},
        {"evt.buffer bstartswith xy", 1, 24, "hexadecimal", NULL},
        {"evt.type = opennat", 1, 12, "unknown event type 'opennat'", "did you mean openat?"},
        {"evt.type in (open, opne)", 1, 20, "unknown event type 'opne'", NULL},
        {"syscall.type != nonsense", 1, 17, "unknown event type 'nonsense'", NULL},
        {"proc.name regex \"a(b\"", 1, 17, "this regular expression is wrong: missing closing parenthesis", "POSIX"},
        {"proc.name regex ab*+", 1, 20, "a repetition cannot be repeated", NULL},
        {"proc.name regex \"(?i)x\"", 1, 17, "groups that begin with (?", NULL},
        {"proc.name regex \"(*UTF)x\"", 1, 17, "groups that begin with", NULL},
        {"proc.name regex \"(a)\\\\1\"", 1, 17, "back references", NULL},
        {"proc.name regex a\\K", 1, 18, "unknown escape", NULL},
        {"proc.name regex *", 1, 17, "nothing to repeat", NULL},
        {"proc.name regex [a-", 1, 20, "a [ is not closed", NULL},
        {"proc.name regex [\xc3\xa4]", 1, 18, "only ASCII in brackets", NULL},
        {"proc.name regex \xc3\xa4+", 1, 19, "parentheses to repeat", NULL},
        {"proc.name regex val(proc.exe)", 1, 21, "'regex' takes its pattern as text", NULL},
        {"proc.name glob val(proc.exe)", 1, 20, "'glob' takes its pattern as text", NULL},
        {"proc.name = val(proc.pid)", 1, 17,
         "proc.pid is a number and cannot be compared with proc.name, which is text", NULL},
        {"proc.pid < val(proc.name)", 1, 16, "proc.name is text and cannot be compared", NULL},
        {"proc.name = val(fd.names)", 1, 17, "fd.names is a list, '=' compares with one value", NULL},
        {"fd.sport = val(fd.port)", 1, 16, "fd.port can only stand on the left", NULL},
        {"len(fd.ip) = 2", 1, 5, "fd.ip cannot be given to a transformer", NULL},
        {"tolower(proc.pid) = x", 1, 9, "tolower() takes text, but proc.pid is a number", NULL},
        {"tolower(proc.name, proc.exe) = x", 1, 1, "tolower() takes 1 argument, not 2", NULL},
        {"tolower((\"a\")) = x", 1, 9, "tolower() takes text, but (\"a\") is a list", NULL},
        {"join(\",\") = x", 1, 1, "join() takes 2 arguments, not 1", NULL},
        {"join(\",\", proc.name) = x", 1, 11, "join() takes a list as its second argument, but proc.name is text",
         NULL},
        {"len(proc.pid) = 1", 1, 5, "len() takes text, bytes or a list, but proc.pid is a number", NULL},
        {"concat(proc.name, fd.names) = x", 1, 19, "concat() takes single values, but fd.names is a list", NULL},
        {"tolower(proc.name)[1] = x", 1, 20, "tolower() takes no argument in brackets", NULL},
        {"getopt(proc.args, \"ab:\")[c] = x", 1, 26, "'c' is none of the options \"ab:\"", NULL},
        {"getopt(proc.args, proc.name) = x", 1, 19, "option letters", NULL},
        {"getopt(proc.args, \"ab:\") = x", 1, 26, "'=' does not fit getopt, which is a list", NULL},
        {"proc.name = x and\nproc.pid = y", 2, 12, "proc.pid is compared with", NULL},
};

static void check_row(const struct error_row *row)
{
	struct diag_list diags;
	struct filter *f = NULL;
	diag_list_init(&diags, 10);
	int r = filter_new(str_from(row->text), "test", &diags, &f);
	if (r != -EINVAL || diags.count != (strcmp(row->text, "some_macro and other") ? 1 : 2)) {
		print_diags(&diags);
		fail_msg("%s: %d, %zu messages", row->text, r, diags.count);
	}
	const struct diag *d = &diags.items[0];
	if (d->line != row->line || d->column != row->column || !strstr(d->text, row->says)) {
		print_diags(&diags);
		fail_msg("%s: expected %u:%u: %s", row->text, row->line, row->column, row->says);
	}
	if (row->hint && (!d->hint || !strstr(d->hint, row->hint))) {
		print_diags(&diags);
		fail_msg("%s: expected the hint %s", row->text, row->hint);
	}
	assert_string_equal(d->code, "LOAD_ERR_COMPILE_CONDITION");
	assert_string_equal(d->file, "test");
	assert_null(f);
	diag_list_done(&diags);
}

static void test_grammar(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(grammar); i++)
		check_row(&grammar[i]);
}

static void test_types(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(types); i++)
		check_row(&types[i]);
}

/* All that the check finds is told, and only unknown names are -ENOENT. */
static void test_results(void **state)
{
	(void)state;
	static const struct {
		const char *text;
		int result;
		size_t messages;
	} table[] = {
	        {"proc.name = x", 0, 0},
	        {"foo.bar = x and proc.name = y and evt.type = opne", -ENOENT, 2},
	        {"tolower(foo.bar) = val(bar.foo)", -ENOENT, 2},
	        {"foo.bar = x and proc.pid = y", -EINVAL, 2},
	        {"proc.pid in (a, 1, b)", -EINVAL, 2},
	        {"proc.name regex anyof (a, \"(\", b, \"[\")", -EINVAL, 2},
	        {"macro or proc.pid = x", -EINVAL, 2},
	};
	for (size_t i = 0; i < ARRAY_SIZE(table); i++) {
		struct arena arena;
		struct diag_list diags;
		struct text_segment segment = {.line = 1, .column = 1, .line_text = str_from(table[i].text)};
		struct source_text text = {str_from(table[i].text), &segment, 1};
		struct cond *cond;
		arena_init(&arena, 1 << 20);
		diag_list_init(&diags, 10);
		assert_int_equal(cond_parse(&arena, &text, &diags, &cond), 0);
		int r = cond_check(&arena, cond, &diags);
		if (r != table[i].result || diags.count != table[i].messages) {
			print_diags(&diags);
			fail_msg("%s: %d", table[i].text, r);
		}
		cond_done(cond);
		diag_list_done(&diags);
		arena_done(&arena);
	}
}

/* Text that was put together shows each message where the user wrote that part. */
static void test_segments(void **state)
{
	(void)state;
	static const char text[] = "proc.name = a and proc.pid = b";
	const struct text_segment segments[] = {
	        {.offset = 0, .line = 10, .column = 5, .line_text = STR("one"), .file = "a.yaml"},
	        {.offset = 18, .line = 99, .column = 7, .line_text = STR("items: and proc.pid = b"), .file = "b.yaml"},
	};
	const struct source_text t = {str_from(text), segments, 2};
	struct arena arena;
	struct diag_list diags;
	struct cond *cond;
	arena_init(&arena, 1 << 20);
	diag_list_init(&diags, 10);
	assert_int_equal(cond_parse(&arena, &t, &diags, &cond), 0);
	assert_int_equal(cond_check(&arena, cond, &diags), -EINVAL);
	assert_int_equal(diags.count, 1);
	assert_int_equal(diags.items[0].line, 99);
	assert_int_equal(diags.items[0].column, 7 + 11);
	assert_string_equal(diags.items[0].file, "b.yaml");
	assert_string_equal(diags.items[0].source, "items: and proc.pid = b");
	diag_list_done(&diags);
	arena_done(&arena);
}

static void repeat(struct buf *b, const char *text, size_t count)
{
	for (size_t i = 0; i < count; i++)
		buf_add_text(b, text);
}

static int depth_result(const char *open, size_t depth, const char *middle, const char *close)
{
	struct buf text;
	struct diag_list diags;
	struct filter *f = NULL;
	buf_init(&text, 64 << 20);
	diag_list_init(&diags, 10);
	repeat(&text, open, depth);
	buf_add_text(&text, middle);
	repeat(&text, close, depth);
	assert_int_equal(buf_error(&text), 0);
	int r = filter_new(buf_str(&text), "test", &diags, &f);
	if (r < 0)
		assert_non_null(strstr(diags.items[0].text, "nested more than 1000 levels"));
	filter_free(f);
	diag_list_done(&diags);
	buf_done(&text);
	return r;
}

static void test_depth(void **state)
{
	(void)state;
	assert_int_equal(depth_result("(", RULE_DEPTH_MAX, "proc.name=x", ")"), 0);
	assert_int_equal(depth_result("(", RULE_DEPTH_MAX + 1, "proc.name=x", ")"), -EINVAL);
	assert_int_equal(depth_result("(", 1000000, "proc.name=x", ")"), -EINVAL);
	assert_int_equal(depth_result("not(", RULE_DEPTH_MAX - 1, "proc.name=x", ")"), 0);
	assert_int_equal(depth_result("not(", RULE_DEPTH_MAX, "proc.name=x", ")"), -EINVAL);
	assert_int_equal(depth_result("not ", 100000, "proc.name=x", ""), 0);
	assert_int_equal(depth_result("(proc.pid=1 or ", RULE_DEPTH_MAX - 1, "proc.name=x", ")"), 0);
	assert_int_equal(depth_result("(proc.pid=1 or not (evt.num=1 and ", 400, "proc.name=x", "))"), -EINVAL);
	assert_int_equal(depth_result("proc.pid=1 and ", 100000, "proc.name=x", ""), 0);
}

static void test_call_depth(void **state)
{
	(void)state;
	struct buf text;
	struct diag_list diags;
	struct filter *f = NULL;
	diag_list_init(&diags, 10);
	for (size_t depth = RULE_DEPTH_MAX; depth <= RULE_DEPTH_MAX + 1; depth++) {
		buf_init(&text, 1 << 20);
		repeat(&text, "tolower(", depth);
		buf_add_text(&text, "proc.name");
		repeat(&text, ")", depth);
		buf_add_text(&text, " = x");
		int r = filter_new(buf_str(&text), NULL, &diags, &f);
		assert_int_equal(r, depth <= RULE_DEPTH_MAX ? 0 : -EINVAL);
		if (r == 0)
			filter_free(f);
		buf_done(&text);
	}
	assert_int_equal(diags.items[0].column, RULE_DEPTH_MAX * strlen("tolower(") + 1);
	diag_list_done(&diags);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(test_grammar),  cmocka_unit_test(test_types), cmocka_unit_test(test_results),
	        cmocka_unit_test(test_segments), cmocka_unit_test(test_depth), cmocka_unit_test(test_call_depth),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
