/* SPDX-License-Identifier: Apache-2.0
 *
 * Trees of conditions: macros, event types, names, text, the cache.
 */
#include "condition_helper.h"

struct parsed {
	struct arena arena;
	struct diag_list diags;
	struct text_segment segments[16];
	struct source_text texts[16];
	size_t count;
};

static void setup(struct parsed *p)
{
	*p = (struct parsed){0};
	arena_init(&p->arena, 64 << 20);
	diag_list_init(&p->diags, 10);
}

static void teardown(struct parsed *p)
{
	diag_list_done(&p->diags);
	arena_done(&p->arena);
}

static struct cond *parse(struct parsed *p, const char *text)
{
	struct cond *c = NULL;
	assert_true(p->count < ARRAY_SIZE(p->texts));
	p->segments[p->count] = (struct text_segment){.line = 1, .column = 1, .line_text = str_from(text)};
	p->texts[p->count] = (struct source_text){str_from(text), &p->segments[p->count], 1};
	if (cond_parse(&p->arena, &p->texts[p->count++], &p->diags, &c) < 0) {
		print_diags(&p->diags);
		fail_msg("%s", text);
	}
	return c;
}

static struct cond *parse_checked(struct parsed *p, const char *text)
{
	struct cond *c = parse(p, text);
	if (cond_check(&p->arena, c, &p->diags) < 0) {
		print_diags(&p->diags);
		fail_msg("%s", text);
	}
	return c;
}

/* ---- macros ---- */

struct macro_table {
	const char *names[4];
	struct cond *conds[4];
};

static struct cond *lookup(void *userdata, struct str name)
{
	struct macro_table *t = userdata;
	for (size_t i = 0; i < 4; i++) {
		if (t->names[i] && str_equals(name, t->names[i]))
			return t->conds[i];
	}
	return NULL;
}

static void collect_name(void *userdata, struct str name)
{
	buf_printf(userdata, STR_FMT ";", STR_ARG(name));
}

static void assert_explains(const struct cond *c, const char *expected)
{
	struct buf text;
	buf_init(&text, 1 << 20);
	cond_explain(c, 0, &text);
	assert_string_equal(text.data, expected);
	buf_done(&text);
}

static void test_macros(void **state)
{
	(void)state;
	struct parsed p;
	struct buf names;
	size_t budget = 100;
	setup(&p);
	struct macro_table macros = {
	        {"shell", "net"},
	        {parse(&p, "proc.name in (bash, sh)"), parse(&p, "evt.type = connect or not evt.type = accept")}};
	struct cond *first = parse(&p, "shell and not net or shell");
	struct cond *second = parse(&p, "shell");
	buf_init(&names, 1000);
	cond_each_macro(first, collect_name, &names);
	assert_string_equal(names.data, "shell;net;shell;");
	buf_done(&names);
	assert_int_equal(cond_resolve(&p.arena, &first, lookup, &macros, &budget, &p.diags), 0);
	assert_int_equal(cond_resolve(&p.arena, &second, lookup, &macros, &budget, &p.diags), 0);
	assert_int_equal(budget, 100 - 1 - 4 - 1 - 1);
	assert_int_equal(cond_check(&p.arena, first, &p.diags), 0);
	assert_int_equal(cond_check(&p.arena, second, &p.diags), 0);
	assert_explains(first, "(\n"
	                       "    proc.name in (bash, sh)\n"
	                       "    and not (\n"
	                       "        evt.type = connect\n"
	                       "        or not evt.type = accept\n"
	                       "    )\n"
	                       ")\n"
	                       "or proc.name in (bash, sh)\n");
	/* Tests are shared, and live until the last tree is done with them. */
	static const struct table_row rows[] = {{"proc.name", V_STR("sh")}, {"evt.type", V_STR("accept")}};
	const struct table_source event = TABLE_SOURCE(rows);
	struct arena scratch;
	arena_init(&scratch, 1 << 20);
	assert_true(cond_eval(first, &event.source, &scratch));
	cond_done(first);
	assert_true(cond_eval(second, &event.source, &scratch));
	cond_done(second);
	arena_done(&scratch);
	teardown(&p);
}

static void test_macro_errors(void **state)
{
	(void)state;
	struct parsed p;
	size_t budget = 4;
	setup(&p);
	struct macro_table macros = {{"big"}, {parse(&p, "proc.pid = 1 or proc.pid = 2 or proc.pid = 3")}};
	struct cond *c = parse(&p, "proc.name = x and nope and neither");
	assert_int_equal(cond_resolve(&p.arena, &c, lookup, &macros, &budget, &p.diags), -EINVAL);
	assert_int_equal(p.diags.count, 2);
	assert_string_equal(p.diags.items[0].text, "macro 'nope' is not defined");
	assert_int_equal(p.diags.items[0].column, 19);
	assert_int_equal(p.diags.items[1].column, 28);
	c = parse(&p, "big and big");
	assert_int_equal(cond_resolve(&p.arena, &c, lookup, &macros, &budget, &p.diags), -EINVAL);
	assert_non_null(strstr(p.diags.items[2].text, "macro 'big' makes the conditions grow beyond their limit"));
	assert_int_equal(p.diags.items[2].column, 9);
	assert_int_equal(budget, 0);
	teardown(&p);
}

static struct cond *parse_nested(struct parsed *p, size_t depth, const char *middle)
{
	struct buf text;
	buf_init(&text, 1 << 20);
	for (size_t i = 0; i < depth; i++)
		buf_add_text(&text, "(proc.pid = 1 or ");
	buf_add_text(&text, middle);
	for (size_t i = 0; i < depth; i++)
		buf_add_char(&text, ')');
	assert_int_equal(buf_error(&text), 0);
	struct str copy = arena_str(&p->arena, buf_str(&text));
	buf_done(&text);
	return parse(p, copy.data);
}

/* A macro inside a macro must not make a tree too deep to walk. */
static void test_macro_depth(void **state)
{
	(void)state;
	struct parsed p;
	size_t budget = RULE_NODES_MAX;
	setup(&p);
	struct macro_table macros = {{"deep"}, {parse_nested(&p, 600, "proc.pid = 2")}};
	struct cond *fits = parse_nested(&p, 399, "deep");
	struct cond *too_deep = parse_nested(&p, 400, "deep");
	assert_int_equal(cond_resolve(&p.arena, &fits, lookup, &macros, &budget, &p.diags), 0);
	assert_int_equal(cond_check(&p.arena, fits, &p.diags), 0);
	cond_done(fits);
	assert_int_equal(cond_resolve(&p.arena, &too_deep, lookup, &macros, &budget, &p.diags), -EINVAL);
	assert_int_equal(p.diags.count, 1);
	assert_non_null(strstr(p.diags.items[0].text, "macro 'deep' nests the condition too deep"));
	teardown(&p);
}

/* A pattern in a macro is compiled once and freed once, also if a tree fails its check. */
static void test_shared_pattern(void **state)
{
	(void)state;
	struct parsed p;
	size_t budget = 100;
	setup(&p);
	struct macro_table macros = {{"m"}, {parse(&p, "proc.name regex a.*")}};
	struct cond *good = parse(&p, "m"), *bad = parse(&p, "m and proc.pid = x");
	assert_int_equal(cond_check(&p.arena, macros.conds[0], &p.diags), 0);
	assert_int_equal(cond_resolve(&p.arena, &good, lookup, &macros, &budget, &p.diags), 0);
	assert_int_equal(cond_resolve(&p.arena, &bad, lookup, &macros, &budget, &p.diags), 0);
	assert_int_equal(cond_check(&p.arena, good, &p.diags), 0);
	assert_int_equal(cond_check(&p.arena, bad, &p.diags), -EINVAL);
	cond_done(bad);
	cond_done(macros.conds[0]);
	static const struct table_row rows[] = {{"proc.name", V_STR("abc")}};
	const struct table_source event = TABLE_SOURCE(rows);
	struct arena scratch;
	arena_init(&scratch, 1 << 20);
	assert_true(cond_eval(good, &event.source, &scratch));
	arena_done(&scratch);
	cond_done(good);
	teardown(&p);
}

/* ---- event types ---- */

static void test_events(void **state)
{
	(void)state;
	static const struct {
		const char *text;
		bool open, execve, procexit; /* procexit is no system call */
	} table[] = {
	        {"proc.name = x", true, true, true},
	        {"evt.type = open", true, false, false},
	        {"evt.type == open", true, false, false},
	        {"evt.type != open", false, true, true},
	        {"evt.type in (open, execve)", true, true, false},
	        {"evt.type in ()", false, false, false},
	        {"evt.type = anyof (open, openat)", true, false, false},
	        {"evt.type exists", true, true, true},
	        {"evt.type startswith op", true, true, true}, /* says nothing */
	        {"evt.type = val(proc.name)", true, true, true},
	        {"evt.type = read", false, false, false}, /* known to the language, not observed */
	        {"not evt.type = open", false, true, true},
	        {"not evt.type != open", true, false, false},
	        {"not evt.type in (open, execve)", false, false, true},
	        {"not not evt.type = open", true, false, false},
	        {"evt.type = open and evt.type = execve", false, false, false},
	        {"evt.type = open or evt.type = execve", true, true, false},
	        {"evt.type = open and proc.name = x", true, false, false},
	        {"evt.type = open or proc.name = x", true, true, true},
	        {"not (evt.type = open and proc.name = x)", true, true, true},
	        {"not (evt.type = open or proc.name = x)", false, true, true},
	        {"not (evt.type = open and not evt.type = execve)", false, true, true},
	        {"not (not evt.type = open or evt.type = execve)", true, false, false},
	        {"syscall.type = open", true, false, false},
	        {"not proc.name = x and evt.type in (execve, procexit)", false, true, true},
	};
	for (size_t i = 0; i < ARRAY_SIZE(table); i++) {
		struct filter *f = filter_make(table[i].text);
		struct event_set set;
		filter_events(f, &set);
		bool right = event_set_has(&set, EVENT_open) == table[i].open &&
		             event_set_has(&set, EVENT_execve) == table[i].execve &&
		             event_set_has(&set, EVENT_procexit) == table[i].procexit;
		if (!right)
			fail_msg("%s: open %d, execve %d, procexit %d", table[i].text, event_set_has(&set, EVENT_open),
			         event_set_has(&set, EVENT_execve), event_set_has(&set, EVENT_procexit));
		assert_false(event_set_has(&set, EVENT_NONE));
		assert_false(event_set_has(&set, EVENT_TYPE_MAX));
		filter_free(f);
	}
}

static bool always(const struct field_source *source, struct filter *f, struct arena *arena, const char *type)
{
	const struct table_row rows[] = {{"evt.type", {.kind = VALUE_STR, .str = str_from(type)}},
	                                 {"syscall.type", {.kind = VALUE_STR, .str = str_from(type)}}};
	const struct table_source s = {
	        .source = {source->get}, .rows = rows, .count = strcmp(type, "procexit") ? 2 : 1};
	return filter_match(f, &s.source, arena);
}

/* What can match must be in the set: random trees, judged for events of each type. */
static void test_events_complete(void **state)
{
	(void)state;
	static const char *const leaves[] = {
	        "evt.type = open",      "evt.type != execve",       "syscall.type = open",
	        "syscall.type != open", "syscall.type in (execve)", "evt.type in (open, procexit)",
	        "proc.name = x",        "syscall.type exists",      "evt.type exists"};
	static const char *const types[] = {"open", "execve", "procexit"};
	static const unsigned ids[] = {EVENT_open, EVENT_execve, EVENT_procexit};
	const struct table_source none = {.source = {table_get}};
	srand(1);
	for (int round = 0; round < 2000; round++) {
		struct arena arena;
		arena_init(&arena, 1 << 20);
		struct str text = arena_str(&arena, str_from(leaves[rand() % (int)ARRAY_SIZE(leaves)]));
		for (int i = rand() % 5; i > 0; i--)
			text = arena_printf(&arena, "%s(%s) %s %s%s", rand() % 2 ? "not " : "", text.data,
			                    rand() % 2 ? "and" : "or", rand() % 2 ? "not " : "",
			                    leaves[rand() % (int)ARRAY_SIZE(leaves)]);
		struct filter *f = filter_make(text.data);
		struct event_set set;
		filter_events(f, &set);
		for (size_t t = 0; t < ARRAY_SIZE(types); t++) {
			if (always(&none.source, f, &arena, types[t]) && !event_set_has(&set, ids[t]))
				fail_msg("%s matches %s", text.data, types[t]);
		}
		filter_free(f);
		arena_done(&arena);
	}
}

/* ---- names ---- */

static void collect_field(void *userdata, const struct field_ref *ref)
{
	buf_printf(userdata, "%s;", field_get_info(ref->id)->name);
}

static void test_names(void **state)
{
	(void)state;
	struct parsed p;
	struct buf names;
	setup(&p);
	buf_init(&names, 1000);
	struct cond *c = parse_checked(
	        &p, "fd.name = /etc/x or not (fd.name in (/a/b, rel, \"/c d\") and proc.name = /no)"
	            " or fd.name startswith /no or basename(fd.name) = /no"
	            " or evt.arg.path != /p or fd.name pmatch (/no) or concat(proc.pname, \"/no\") = val(fd.type)");
	cond_each_path(c, collect_name, &names);
	assert_string_equal(names.data, "/etc/x;/a/b;/c d;/p;");
	buf_clear(&names);
	cond_each_field(c, collect_field, &names);
	assert_string_equal(names.data,
	                    "fd.name;fd.name;proc.name;fd.name;fd.name;evt.arg;fd.name;proc.pname;fd.type;");
	assert_true(cond_uses_field(c, FIELD_FD_NAME));
	assert_true(cond_uses_field(c, FIELD_PROC_PNAME));
	assert_true(cond_uses_field(c, FIELD_FD_TYPE));
	assert_false(cond_uses_field(c, FIELD_PROC_PID));
	buf_done(&names);
	cond_done(c);
	teardown(&p);
}

static void test_na(void **state)
{
	(void)state;
	static const struct {
		const char *text;
		bool unsafe;
	} table[] = {
	        {"proc.name = \"<NA>\"", true},   {"not proc.name in (\"<NA>\", \"N/A\")", true},
	        {"proc.name != \"<NA>\"", false}, {"user.name = \"<NA>\"", false},
	        {"proc.name = NA", false},        {"evt.arg.path = \"<NA>\"", false},
	};
	for (size_t i = 0; i < ARRAY_SIZE(table); i++) {
		struct filter *f = filter_make(table[i].text);
		if (cond_compares_na(filter_cond(f)) != table[i].unsafe)
			fail_msg("%s", table[i].text);
		filter_free(f);
	}
}

static void test_known(void **state)
{
	(void)state;
	static const char *const fields[] = {"proc.name", "proc.aname[2]", "evt.arg.path", "evt.arg[0]",
	                                     "toupper(proc.name)"};
	static const char *const no_fields[] = {"",
	                                        "proc",
	                                        "proc.nane",
	                                        "proc.name x",
	                                        "proc.name = x",
	                                        "val(proc.name)",
	                                        "proc.aname[x]",
	                                        "lower(proc.name)",
	                                        "proc.name[1]"};
	for (size_t i = 0; i < ARRAY_SIZE(fields); i++)
		assert_true(cond_field_known(str_from(fields[i])));
	for (size_t i = 0; i < ARRAY_SIZE(no_fields); i++)
		assert_false(cond_field_known(str_from(no_fields[i])));
	static const struct {
		const char *text;
		bool known, list;
	} operators[] = {
	        {"=", true, false},         {"==", true, false},         {"!=", true, false},
	        {"<=", true, false},        {"in", true, true},          {"pmatch", true, true},
	        {"intersects", true, true}, {"startswith", true, false}, {"startswith oneof", true, true},
	        {"= anyof", true, true},    {"in anyof", false, false},  {"startswith one", false, false},
	        {"exists", false, false},   {"", false, false},          {"= =", false, false},
	        {"~", false, false},        {"inn", false, false},       {"<>", false, false},
	};
	for (size_t i = 0; i < ARRAY_SIZE(operators); i++) {
		bool list = false;
		if (cond_operator_known(str_from(operators[i].text), &list) != operators[i].known ||
		    list != operators[i].list)
			fail_msg("%s", operators[i].text);
	}
}

/* ---- text ---- */

static void test_explain(void **state)
{
	(void)state;
	static const struct {
		const char *text, *explained;
	} table[] = {
	        {"proc.name=cat", "proc.name = cat\n"},
	        {"proc.name == 'a b'", "proc.name = \"a b\"\n"},
	        {"proc.name = 'q\"\\\\\\t'", "proc.name = \"q\\\"\\\\\\t\"\n"},
	        {"proc.name = \"\"", "proc.name = \"\"\n"},
	        {"proc.name = 'anyof'", "proc.name = \"anyof\"\n"},
	        {"proc.name in(a,'b,c',\"d\")", "proc.name in (a, \"b,c\", d)\n"},
	        {"proc.name exists", "proc.name exists\n"},
	        {"proc.name contains   anyof(x)", "proc.name contains anyof (x)\n"},
	        {"proc.pid<5", "proc.pid < 5\n"},
	        {"proc.name=val(proc.exe)", "proc.name = val(proc.exe)\n"},
	        {"proc.name=val(toupper(proc.exe))", "proc.name = toupper(proc.exe)\n"},
	        {"join( \",\",(proc.name,\"a\",5) ) = x", "join(\",\", (proc.name, \"a\", 5)) = x\n"},
	        {"proc.env['A B']=x", "proc.env[\"A B\"] = x\n"},
	        {"proc.env[\"A]\"] = x", "proc.env[\"A]\"] = x\n"},
	        {"getopt(proc.args,'ab')[a] exists", "getopt(proc.args, \"ab\")[a] exists\n"},
	        {"not(proc.pid=1)and proc.pid=2", "not proc.pid = 1\nand proc.pid = 2\n"},
	};
	for (size_t i = 0; i < ARRAY_SIZE(table); i++) {
		struct filter *f = filter_make(table[i].text);
		struct filter *again = filter_make(table[i].explained);
		assert_explains(filter_cond(f), table[i].explained);
		assert_explains(filter_cond(again), table[i].explained);
		filter_free(f);
		filter_free(again);
	}
}

/* ---- the cache ---- */

static void test_cache(void **state)
{
	(void)state;
	struct parsed p;
	struct cond_numbers numbers;
	struct cond_cache cache;
	struct arena scratch;
	static const struct table_row rows[] = {{"proc.name", V_STR("cat")}, {"proc.pid", V_S64(5)}};
	size_t asked = 0;
	struct table_source event = TABLE_SOURCE(rows);
	event.asked = &asked;
	setup(&p);
	arena_init(&scratch, 1 << 20);
	cond_numbers_init(&numbers);
	struct cond *conds[] = {
	        parse_checked(&p, "proc.name = dog or toupper(proc.name) = CAT"),
	        parse_checked(&p, "toupper(proc.name) = CAT and proc.name = cat"),
	        parse_checked(&p, "proc.name  =  dog or k8s.ns.name exists"),
	        parse_checked(&p, "k8s.ns.name exists or k8s.ns.name = x or proc.pid = 5"),
	};
	static const bool expected[] = {true, true, false, true};
	for (size_t i = 0; i < ARRAY_SIZE(conds); i++)
		assert_int_equal(cond_number(conds[i], &numbers), 0);
	assert_int_equal(numbers.expr_count, 4); /* proc.name, toupper(proc.name), k8s.ns.name, proc.pid */
	assert_int_equal(numbers.test_count, 6);
	assert_int_equal(cond_cache_init(&cache, &numbers, &scratch), 0);
	for (int round = 0; round < 3; round++) {
		for (size_t i = 0; i < ARRAY_SIZE(conds); i++)
			assert_int_equal(cond_eval_cached(conds[i], &event.source, &scratch, &cache), expected[i]);
	}
	assert_int_equal(asked, 3); /* a missing value is remembered too */
	size_t decided = 0;
	for (size_t i = 0; i < numbers.test_count; i++)
		decided += cache.results[i] != 0;
	assert_int_equal(decided, numbers.test_count);
	memset(cache.results, 1, numbers.test_count); /* all false: they are not judged again */
	for (size_t i = 0; i < ARRAY_SIZE(conds); i++)
		assert_false(cond_eval_cached(conds[i], &event.source, &scratch, &cache));
	asked = 0;
	for (size_t i = 0; i < ARRAY_SIZE(conds); i++)
		assert_int_equal(cond_eval(conds[i], &event.source, &scratch), expected[i]);
	assert_true(asked > 3);
	for (size_t i = 0; i < ARRAY_SIZE(conds); i++)
		cond_done(conds[i]);
	cond_numbers_done(&numbers);
	arena_done(&scratch);
	teardown(&p);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(test_macros),      cmocka_unit_test(test_macro_errors),
	        cmocka_unit_test(test_macro_depth), cmocka_unit_test(test_shared_pattern),
	        cmocka_unit_test(test_events),      cmocka_unit_test(test_events_complete),
	        cmocka_unit_test(test_names),       cmocka_unit_test(test_na),
	        cmocka_unit_test(test_known),       cmocka_unit_test(test_explain),
	        cmocka_unit_test(test_cache),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
