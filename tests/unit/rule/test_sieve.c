/* SPDX-License-Identifier: Apache-2.0
 *
 * What of a rule the kernel can decide, in the words that `picket rules explain` uses; and when there is no program.
 */
#include "set_helper.h"

#include "rule/sieve.h"

#define RULES_BYTES_MAX (16u << 20)

struct compiled_set {
	struct loaded loaded;
	struct rule_programs *programs;
};

static void compile_text(const char *text, struct compiled_set *ret_set)
{
	ret_set->loaded = load_text(text);
	assert_loaded(&ret_set->loaded);
	assert_int_equal(rule_programs_new(ret_set->loaded.set, &ret_set->programs), 0);
}

static void compiled_set_done(struct compiled_set *s)
{
	rule_programs_free(s->programs);
	loaded_done(&s->loaded);
}

static void add_rule(struct buf *text, unsigned number, const char *condition)
{
	buf_printf(text, "- rule: r%u\n  desc: d\n  output: o\n  priority: INFO\n  condition: >\n    %s\n", number,
	           condition);
}

static void compile_condition(const char *condition, struct compiled_set *ret_set)
{
	_cleanup_(buf_done) struct buf text;
	buf_init(&text, RULES_BYTES_MAX);
	add_rule(&text, 0, condition);
	compile_text(text.data, ret_set);
}

/* ---- what is left of a condition ---- */

#define NEVER "(never)"
#define ALWAYS "(always)"

static void assert_case(const char *condition, const struct rule_sieve_case *c, const char *expected)
{
	struct str got = c->fate == RULE_SIEVE_NEVER    ? STR(NEVER)
	                 : c->fate == RULE_SIEVE_ALWAYS ? STR(ALWAYS)
	                                                : c->condition;
	if (!str_equals(got, expected))
		fail_msg("%s: \"" STR_FMT "\" instead of \"%s\"", condition, STR_ARG(got), expected);
}

static void assert_weakened(const char *condition, const char *opened, const char *failed)
{
	struct compiled_set s;
	struct rule_explanation *e;
	compile_condition(condition, &s);
	assert_int_equal(rule_explanation_new(s.programs, rule_set_get(s.loaded.set, 0), &e), 0);
	assert_int_equal(e->sieve_count, 1);
	assert_string_equal(e->sieve[0].types[0], "open");
	assert_case(condition, &e->sieve[0].cases[RULE_SIEVE_OPENED], opened);
	assert_case(condition, &e->sieve[0].cases[RULE_SIEVE_FAILED], failed);
	rule_explanation_free(e);
	compiled_set_done(&s);
}

struct weakening {
	const char *condition, *opened, *failed; /* of events of type open */
};

static void assert_all(const struct weakening *list, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		_cleanup_(buf_done) struct buf condition;
		buf_init(&condition, RULES_BYTES_MAX);
		buf_printf(&condition, "evt.type = open and (%s)", list[i].condition);
		assert_weakened(condition.data, list[i].opened, list[i].failed);
	}
}

static void test_decided(void **state)
{
	static const struct weakening list[] = {
	        {"fd.name = /a", "fd.name = /a", ALWAYS},
	        {"fd.name startswith /a or fd.name endswith .b", "fd.name startswith /a or fd.name endswith .b",
	         ALWAYS},
	        {"fd.nameraw contains x", "fd.nameraw contains x", "fd.nameraw contains x"},
	        {"not fd.directory = /a", "not (fd.directory = /a)", ALWAYS},
	        {"fd.filename in (a, b)", "fd.filename in (a, b)", ALWAYS},
	        {"evt.is_open_write = true", "evt.is_open_write = true", "evt.is_open_write = true"},
	        {"fd.is_device = true", "fd.is_device = true", ALWAYS},
	        {"fd.name exists", ALWAYS, ALWAYS},
	        {"not fd.name exists", NEVER, ALWAYS},
	};
	(void)state;
	assert_all(list, ARRAY_SIZE(list));
}

/* Of a connection that is made or fails. */
static void test_calls(void **state)
{
	static const struct {
		const char *condition, *done, *refused, *connected;
	} list[] = {
	        {"fd.l4proto = udp", ALWAYS, ALWAYS, "fd.l4proto = udp"},
	        {"fd.l4proto != udp", ALWAYS, ALWAYS, "fd.l4proto != udp"},
	        {"not fd.type in (ipv4, unix)", ALWAYS, ALWAYS, "not (fd.type in (ipv4, unix))"},
	        {"fd.type = unix", ALWAYS, ALWAYS, NEVER},
	        {"fd.sockfamily = ip", ALWAYS, ALWAYS, ALWAYS},
	        {"fd.typechar exists", ALWAYS, ALWAYS, ALWAYS},
	        {"fd.sport in (22, 443)", ALWAYS, ALWAYS, "fd.sport in (22, 443)"},
	        {"fd.num in (0, 1)", ALWAYS, ALWAYS, "fd.num in (0, 1)"},
	        {"fd.sip = 10.0.0.1 and fd.rport = 22", ALWAYS, ALWAYS, "fd.rport = 22"},
	        {"evt.rawres >= 0", ALWAYS, NEVER, "evt.rawres >= 0"},
	        {"evt.rawres in (0, -115)", "evt.rawres in (0, -115)", "evt.rawres in (0, -115)",
	         "evt.rawres in (0, -115)"},
	        {"evt.res = SUCCESS", ALWAYS, ALWAYS, ALWAYS},
	        {"evt.failed = true", NEVER, ALWAYS, ALWAYS},
	        {"fd.name = /a", ALWAYS, ALWAYS, ALWAYS},
	};
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(list); i++) {
		struct compiled_set s;
		struct rule_explanation *e;
		_cleanup_(buf_done) struct buf condition;
		buf_init(&condition, RULES_BYTES_MAX);
		buf_printf(&condition, "evt.type = connect and (%s)", list[i].condition);
		compile_condition(condition.data, &s);
		assert_int_equal(rule_explanation_new(s.programs, rule_set_get(s.loaded.set, 0), &e), 0);
		assert_int_equal(e->sieve_count, 1);
		assert_int_equal(e->sieve[0].cases[RULE_SIEVE_OPENED].fate, RULE_SIEVE_NONE);
		assert_case(list[i].condition, &e->sieve[0].cases[RULE_SIEVE_DONE], list[i].done);
		assert_case(list[i].condition, &e->sieve[0].cases[RULE_SIEVE_REFUSED], list[i].refused);
		assert_case(list[i].condition, &e->sieve[0].cases[RULE_SIEVE_CONNECTED], list[i].connected);
		rule_explanation_free(e);
		compiled_set_done(&s);
	}
}

static void test_open(void **state)
{
	static const struct weakening list[] = {
	        {"proc.name = cat", ALWAYS, ALWAYS},
	        {"not proc.name = cat", ALWAYS, ALWAYS},
	        {"fd.name = /a and proc.name = cat", "fd.name = /a", ALWAYS},
	        {"fd.name = /a or proc.name = cat", ALWAYS, ALWAYS},
	        {"not (fd.name = /a and proc.name = cat)", ALWAYS, ALWAYS},
	        {"not (fd.name = /a or proc.name = cat)", "not (fd.name = /a)", ALWAYS},
	        {"fd.name regex x and fd.name = /a", "fd.name = /a", ALWAYS},
	        {"tolower(fd.name) = /a", ALWAYS, ALWAYS},
	        {"fd.name = val(fd.nameraw)", ALWAYS, ALWAYS},
	};
	(void)state;
	assert_all(list, ARRAY_SIZE(list));
}

static void test_constants(void **state)
{
	static const struct weakening list[] = {
	        {"evt.res = SUCCESS", ALWAYS, ALWAYS},
	        {"evt.res != SUCCESS", NEVER, ALWAYS},
	        {"evt.failed = true and fd.nameraw = a", NEVER, "fd.nameraw = a"},
	        {"not evt.failed = true and fd.nameraw = a", "fd.nameraw = a", NEVER},
	        {"evt.is_open_create = true", NEVER, NEVER},
	        {"fd.is_created = true or fd.is_deleted = true", NEVER, ALWAYS},
	        {"fd.typechar = f", ALWAYS, ALWAYS},
	        {"fd.typechar = d and fd.nameraw = a", "fd.nameraw = a", NEVER},
	        {"fd.num = -1", NEVER, ALWAYS},
	};
	(void)state;
	assert_all(list, ARRAY_SIZE(list));
}

static void test_ranges(void **state)
{
	static const struct weakening list[] = {
	        {"evt.rawres >= 0", ALWAYS, NEVER},          {"evt.rawres > -1", ALWAYS, NEVER},
	        {"evt.rawres > 0", ALWAYS, NEVER},           {"evt.rawres < 0", NEVER, ALWAYS},
	        {"evt.rawres <= 0", ALWAYS, ALWAYS},         {"evt.rawres < 1", ALWAYS, ALWAYS},
	        {"evt.rawres >= -1", ALWAYS, ALWAYS},        {"evt.rawres < -4095", NEVER, NEVER},
	        {"evt.rawres <= -4095", NEVER, ALWAYS},      {"evt.rawres in (-2, -13)", NEVER, ALWAYS},
	        {"evt.rawres in (-5000, 3)", ALWAYS, NEVER}, {"evt.rawres != -1", ALWAYS, ALWAYS},
	        {"not evt.rawres != -1", NEVER, ALWAYS},     {"evt.rawres = 2147483648", NEVER, NEVER},
	        {"evt.rawres = 2147483647", ALWAYS, NEVER},
	};
	(void)state;
	assert_all(list, ARRAY_SIZE(list));
}

/* They are decided by how they begin, where what is decided too often does no harm. */
static void test_globs(void **state)
{
	static const struct weakening list[] = {
	        {"fd.name glob \"/a/*/b\"", "fd.name startswith /a/", ALWAYS},
	        {"not fd.name glob \"/a/*/b\"", ALWAYS, ALWAYS},
	        {"fd.name glob \"*b\"", ALWAYS, ALWAYS},
	        {"fd.name iglob \"/a*\"", ALWAYS, ALWAYS},
	        {"not (fd.name glob \"/a*\" and fd.name = /ab)", ALWAYS, ALWAYS},
	        {"not (not fd.name glob \"/a*\" or fd.nameraw = b)",
	         "not (fd.nameraw = b or not (fd.name startswith /a))", "not (fd.nameraw = b)"},
	};
	(void)state;
	assert_all(list, ARRAY_SIZE(list));
}

/* A directory has no file name; to the program it has the empty one. */
static void test_directories(void **state)
{
	static const struct weakening list[] = {
	        {"fd.filename != a", ALWAYS, ALWAYS},
	        {"not fd.filename != a", ALWAYS, ALWAYS},
	        {"fd.filename exists", ALWAYS, ALWAYS},
	        {"fd.filename = \"\"", ALWAYS, ALWAYS},
	        {"not fd.filename in (a, \"\")", ALWAYS, ALWAYS},
	        {"fd.filename startswith \"\"", ALWAYS, ALWAYS},
	        {"fd.directory != /a", "fd.directory != /a", ALWAYS},
	};
	(void)state;
	assert_all(list, ARRAY_SIZE(list));
}

static void test_undecided_are_named(void **state)
{
	struct compiled_set s;
	struct rule_explanation *e;
	(void)state;
	compile_condition("evt.type = open and fd.name regex x and proc.name = cat and fd.name = /a", &s);
	assert_int_equal(rule_explanation_new(s.programs, rule_set_get(s.loaded.set, 0), &e), 0);
	assert_int_equal(e->sieve[0].cases[RULE_SIEVE_OPENED].open_count, 1);
	assert_true(str_equals(e->sieve[0].cases[RULE_SIEVE_OPENED].open[0], "fd.name regex x"));
	assert_int_equal(e->sieve[0].cases[RULE_SIEVE_FAILED].open_count, 2);
	rule_explanation_free(e);
	compiled_set_done(&s);
}

/* ---- programs ---- */

static int make(const char *text, enum event_type type)
{
	struct compiled_set s;
	struct rule_sieve *sieve = NULL;
	compile_text(text, &s);
	int r = rule_programs_sieve(s.programs, type, &sieve);
	if (r == 0)
		r = rule_sieve_verify(sieve);
	assert_int_equal(r == 0, sieve != NULL);
	rule_sieve_free(sieve);
	compiled_set_done(&s);
	return r;
}

static int make_condition(const char *condition, enum event_type type)
{
	_cleanup_(buf_done) struct buf text;
	buf_init(&text, RULES_BYTES_MAX);
	add_rule(&text, 0, condition);
	return make(text.data, type);
}

static void test_made(void **state)
{
	(void)state;
	assert_int_equal(make_condition("evt.type = open and fd.name = /a", EVENT_open), 0);
	assert_int_equal(make_condition("evt.type in (open, openat) and fd.name contains a", EVENT_openat), 0);
	assert_int_equal(make_condition("evt.type = open and evt.rawres >= 0", EVENT_open), 0); /* by the result */
	assert_int_equal(make_condition("evt.type = unlink and evt.rawres = 0", EVENT_unlink), 0);
	assert_int_equal(make_condition("evt.type = connect and fd.l4proto = udp", EVENT_connect), 0);
}

static void test_nothing_to_decide(void **state)
{
	(void)state;
	assert_int_equal(make_condition("evt.type = connect", EVENT_connect), -EOPNOTSUPP);
	assert_int_equal(make_condition("evt.type = execve and evt.rawres = 0", EVENT_execve), -EOPNOTSUPP);
	assert_int_equal(make_condition("evt.type = connect and evt.rawres >= 0", EVENT_accept), -EOPNOTSUPP);
	assert_int_equal(make_condition("evt.type = open", EVENT_open), -EOPNOTSUPP);
}

static int make_patterns(unsigned count)
{
	_cleanup_(buf_done) struct buf text;
	char condition[64];
	buf_init(&text, RULES_BYTES_MAX);
	for (unsigned i = 0; i < count; i++) {
		snprintf(condition, sizeof(condition), "evt.type = open and fd.name startswith /%u/", i);
		add_rule(&text, i, condition);
	}
	return make(text.data, EVENT_open);
}

static void test_too_many_patterns(void **state)
{
	(void)state;
	assert_int_equal(make_patterns(SIEVE_RESULT_BITS), 0);
	assert_int_equal(make_patterns(SIEVE_RESULT_BITS + 1), -E2BIG);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(test_decided),
	        cmocka_unit_test(test_open),
	        cmocka_unit_test(test_calls),
	        cmocka_unit_test(test_constants),
	        cmocka_unit_test(test_ranges),
	        cmocka_unit_test(test_globs),
	        cmocka_unit_test(test_directories),
	        cmocka_unit_test(test_undecided_are_named),
	        cmocka_unit_test(test_made),
	        cmocka_unit_test(test_nothing_to_decide),
	        cmocka_unit_test(test_too_many_patterns),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
