/* SPDX-License-Identifier: Apache-2.0 */
#include "condition_helper.h"

static void test_filter(void **state)
{
	(void)state;
	static const struct table_row rows[] = {{"proc.name", V_STR("cat")}};
	const struct table_source event = TABLE_SOURCE(rows);
	struct filter *f = filter_make("proc.name = cat and\nnot proc.pid = 1");
	struct arena arena;
	arena_init(&arena, 1 << 20);
	assert_true(filter_match(f, &event.source, &arena));
	assert_true(filter_uses_field(f, FIELD_PROC_PID));
	assert_false(filter_uses_field(f, FIELD_FD_NAME));
	assert_int_equal(filter_undecided(f), 0);
	arena_done(&arena);
	filter_free(f);
	filter_free(NULL);
}

/* A filter may have no name, and its text need not end in a NUL. */
static void test_text(void **state)
{
	(void)state;
	struct diag_list diags;
	struct filter *f = NULL;
	char *text = malloc(15);
	memcpy(text, "proc.name = cat", 15);
	diag_list_init(&diags, 10);
	assert_int_equal(filter_new(str_make(text, 15), NULL, &diags, &f), 0);
	filter_free(f);
	f = NULL;
	assert_int_equal(filter_new(str_make(text, 14 - 3), NULL, &diags, &f), -EINVAL);
	assert_null(diags.items[0].file);
	assert_int_equal(filter_new(str_make("proc.name = \0cat", 16), NULL, &diags, &f), -EINVAL);
	assert_int_equal(filter_new(str_make(NULL, 0), NULL, &diags, &f), -EINVAL);
	assert_null(f);
	free(text);
	diag_list_done(&diags);
}

static void test_from_cond(void **state)
{
	(void)state;
	static const struct table_row rows[] = {{"proc.name", V_STR("cat")}};
	const struct table_source event = TABLE_SOURCE(rows);
	static const char text[] = "proc.name regex c.*";
	struct text_segment segment = {.line = 1, .column = 1};
	const struct source_text t = {str_from(text), &segment, 1};
	struct arena arena;
	struct diag_list diags;
	struct cond *cond;
	struct filter *f;
	arena_init(&arena, 1 << 20);
	diag_list_init(&diags, 10);
	assert_int_equal(cond_parse(&arena, &t, &diags, &cond), 0);
	assert_int_equal(cond_check(&arena, cond, &diags), 0);
	assert_int_equal(filter_from_cond(cond, &f), 0);
	assert_ptr_equal(filter_cond(f), cond);
	assert_true(filter_match(f, &event.source, &arena));
	filter_free(f); /* and with it the pattern */
	diag_list_done(&diags);
	arena_done(&arena);
}

static void test_event_set(void **state)
{
	(void)state;
	struct event_set s = {0};
	static const unsigned types[] = {0, 1, 63, 64, 127, 255};
	for (size_t i = 0; i < ARRAY_SIZE(types); i++) {
		assert_false(event_set_has(&s, types[i]));
		event_set_add(&s, types[i]);
		assert_true(event_set_has(&s, types[i]));
	}
	event_set_add(&s, EVENT_TYPE_MAX);
	assert_false(event_set_has(&s, EVENT_TYPE_MAX));
	size_t count = 0;
	for (unsigned type = 0; type < EVENT_TYPE_MAX; type++)
		count += event_set_has(&s, type);
	assert_int_equal(count, ARRAY_SIZE(types));
}

static void test_priority(void **state)
{
	(void)state;
	static const struct {
		const char *text;
		int result;
		enum rule_priority priority;
	} table[] = {
	        {"Emergency", 0, PRIORITY_EMERGENCY},
	        {"ALERT", 0, PRIORITY_ALERT},
	        {"critical", 0, PRIORITY_CRITICAL},
	        {"Error", 0, PRIORITY_ERROR},
	        {"wArning", 0, PRIORITY_WARNING},
	        {"notice", 0, PRIORITY_NOTICE},
	        {"informational", 0, PRIORITY_INFORMATIONAL},
	        {"INFO", 0, PRIORITY_INFORMATIONAL},
	        {"debug", 0, PRIORITY_DEBUG},
	        {"", -EINVAL, 0},
	        {"warn", -EINVAL, 0},
	        {"debugg", -EINVAL, 0},
	};
	for (size_t i = 0; i < ARRAY_SIZE(table); i++) {
		enum rule_priority p = 99;
		assert_int_equal(rule_priority_parse(str_from(table[i].text), &p), table[i].result);
		assert_int_equal(p, table[i].result ? 99 : table[i].priority);
	}
	for (enum rule_priority p = PRIORITY_EMERGENCY; p <= PRIORITY_DEBUG; p++) {
		enum rule_priority again = 99;
		assert_int_equal(rule_priority_parse(str_from(rule_priority_name(p)), &again), 0);
		assert_int_equal(again, p);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(test_filter),    cmocka_unit_test(test_text),     cmocka_unit_test(test_from_cond),
	        cmocka_unit_test(test_event_set), cmocka_unit_test(test_priority),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
