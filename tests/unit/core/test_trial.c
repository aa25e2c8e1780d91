/* SPDX-License-Identifier: Apache-2.0
 *
 * Rules on trial beside others, on built streams: what is counted, and what a soak says about it.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <cmocka.h>

#include <stdio.h>

#include <cjson/cJSON.h>

#include "core/shadow.h"
#include "stream.h"

#define JSON_BYTES_MAX (1u << 20)
#define OPENS(directory) "evt.type = openat and fd.name startswith " directory
#define RULES_NOW \
	STREAM_RULE("stays", OPENS("/a/")) STREAM_RULE("goes", OPENS("/b/")) STREAM_RULE("grows", OPENS("/c/1"))
#define RULES_NEXT \
	STREAM_RULE("grows", OPENS("/c/")) STREAM_RULE("stays", OPENS("/a/")) STREAM_RULE("comes", OPENS("/d/"))

struct fixture {
	struct judge *running;
	struct trial *trial;
	struct shadow *shadow;
	struct stream stream;
};

static int take(void *userdata, struct enrich_view *view, struct arena *arena)
{
	struct fixture *f = userdata;
	return f->shadow ? shadow_event(f->shadow, f->running, view, arena)
	                 : trial_event(f->trial, f->running, view, arena);
}

static int leave(void *userdata, const struct event *event)
{
	(void)userdata;
	(void)event;
	return 0;
}

static void begin(struct fixture *f, const char *now)
{
	*f = (struct fixture){.running = NULL};
	if (now) {
		must(judge_new(&(struct judge_options){.matching = MATCH_ALL}, &f->running));
		judge_set_rules(f->running, stream_rules(now));
	}
	must(pipeline_new(&(struct pipeline_options){.consumer = {take, leave, f}}, &f->stream.pipeline));
	stream_host(&f->stream);
	stream_process(&f->stream, 100, "cat");
	stream_process(&f->stream, 101, "dog");
}

static void end(struct fixture *f)
{
	pipeline_free(f->stream.pipeline);
	trial_free(f->trial);
	shadow_free(f->shadow);
	if (f->running)
		judge_free(f->running);
}

static const struct trial_rule *find(const struct trial *t, const char *name)
{
	const struct trial_rule *r;
	for (size_t position = 0; (r = trial_next(t, &position));)
		if (strcmp(r->name, name) == 0)
			return r;
	return NULL;
}

static void check_rule(const struct trial *t, const char *name, unsigned same, unsigned added, unsigned gone)
{
	const struct trial_rule *r = find(t, name);
	assert_non_null(r);
	assert_int_equal(r->same, same);
	assert_int_equal(r->added, added);
	assert_int_equal(r->gone, gone);
}

static void opens(struct fixture *f)
{
	for (unsigned i = 0; i < 5; i++) {
		stream_open(&f->stream, 100 + i % 2, "/a/x", 0);
		stream_open(&f->stream, 100, "/b/x", 0);
		stream_open(&f->stream, 100, i < 2 ? "/c/1" : "/c/2", 0);
		stream_open(&f->stream, 101, "/d/x", 0);
		stream_open(&f->stream, 101, "/e/x", 0);
	}
}

static void test_compared(void **state)
{
	struct fixture f;
	struct trial_stats stats;
	(void)state;
	begin(&f, RULES_NOW);
	must(trial_new(stream_rules(RULES_NEXT), &f.trial));
	opens(&f);
	check_rule(f.trial, "stays", 5, 0, 0);
	check_rule(f.trial, "goes", 0, 0, 5);
	check_rule(f.trial, "grows", 2, 3, 0);
	check_rule(f.trial, "comes", 0, 5, 0);
	trial_get_stats(f.trial, &stats);
	assert_int_equal(stats.events, 25);
	assert_int_equal(stats.same, 7);
	assert_int_equal(stats.added, 8);
	assert_int_equal(stats.gone, 5);
	assert_int_equal(stats.timed, 2);
	assert_true(stats.staged_ns > 0 && stats.running_ns > 0);
	const struct trial_rule *comes = find(f.trial, "comes");
	assert_int_equal(comes->examples.count, TRIAL_EXAMPLES_MAX);
	assert_string_equal(comes->examples.items[0].text, "file /d/x by dog");
	assert_true(comes->examples.items[0].real_ns > STREAM_BOOT_NS);
	end(&f);
}

/* Rules about processes are decided once for each, and kept with it: neither set may take the other's for its own. */
static void test_processes_kept_apart(void **state)
{
	struct fixture f;
	(void)state;
	begin(&f, STREAM_RULE("animal", OPENS("/a/") " and proc.name = cat"));
	must(trial_new(stream_rules(STREAM_RULE("animal", OPENS("/a/") " and proc.name = dog")), &f.trial));
	for (unsigned i = 0; i < 6; i++)
		stream_open(&f.stream, 100 + i % 2, "/a/x", 0);
	check_rule(f.trial, "animal", 0, 3, 3);
	/* The same number, another process. */
	stream_process(&f.stream, 5000, "dog");
	stream_open(&f.stream, 5000, "/a/x", 0);
	check_rule(f.trial, "animal", 0, 4, 3);
	end(&f);
}

static void test_minutes(void **state)
{
	struct fixture f;
	(void)state;
	begin(&f, RULES_NOW);
	must(trial_new(stream_rules(RULES_NEXT), &f.trial));
	f.stream.time_ns = 600 * NS_PER_S;
	for (unsigned i = 0; i < 4; i++)
		stream_open(&f.stream, 100, "/d/x", 0);
	f.stream.time_ns = 660 * NS_PER_S;
	for (unsigned i = 0; i < 7; i++)
		stream_open(&f.stream, 100, "/d/x", 0);
	for (unsigned i = 0; i < 9; i++)
		stream_open(&f.stream, 100, "/a/x", 0);
	assert_int_equal(find(f.trial, "comes")->staged.most, 7);
	assert_ptr_equal(trial_too_loud(f.trial, 6), find(f.trial, "comes"));
	assert_null(trial_too_loud(f.trial, 7)); /* "stays" has 9, as it has now */
	end(&f);
}

static void begin_shadow(struct fixture *f, const char *now, const char *next, struct shadow_limits limits)
{
	const struct shadow_options options = {.limits = limits, .soak_ns = NS_PER_S};
	struct content staged = {.rules = stream_rules(next)};
	struct diag_list diags;
	struct loader_failure failure;
	diag_list_init(&diags, 10);
	begin(f, now);
	must(shadow_new(&options, &staged, &diags, &failure, &f->shadow));
	assert_null(staged.rules);
	diag_list_done(&diags);
}

static void check_verdict(const struct fixture *f, bool passes, const char *why)
{
	struct buf text;
	buf_init(&text, 1000);
	assert_int_equal(shadow_verdict(f->shadow, &text), passes);
	if (!strstr(text.data, why))
		fail_msg("%s", text.data);
	buf_done(&text);
}

static void test_verdicts(void **state)
{
	struct fixture f;
	(void)state;
	begin_shadow(&f, RULES_NOW, RULES_NEXT, (struct shadow_limits){5, 1000, 0});
	opens(&f);
	check_verdict(&f, true, "25 events; alerts: 7 the same, 8 new, 5 gone");
	stream_open(&f.stream, 100, "/d/x", 0);
	check_verdict(&f, false, "the rule \"comes\" raised 6 alerts in a minute, and 0 before; 5 may be");
	assert_false(shadow_is_over(f.shadow));
	end(&f);
}

static void test_cost(void **state)
{
	struct fixture f;
	struct buf text;
	(void)state;
	buf_init(&text, 1u << 20);
	for (unsigned i = 0; i < 200; i++)
		buf_printf(
		        &text,
		        "- rule: dear %u\n  desc: d\n  condition: evt.type = openat and fd.name regex \"(x+x+)+y%u\"\n"
		        "  output: o\n  priority: WARNING\n",
		        i, i);
	begin_shadow(&f, RULES_NOW, text.data, (struct shadow_limits){UINT64_MAX, 1.5, 0});
	for (unsigned i = 0; i < 16 * SHADOW_COST_EVENTS_MIN; i++)
		stream_open(&f.stream, 100, "/a/xxxxxxxxxxxx", 0);
	check_verdict(&f, false, "more than 1.5 times as long");
	buf_done(&text);
	end(&f);
}

static void test_report(void **state)
{
	struct fixture f;
	struct buf text;
	struct json j;
	(void)state;
	begin_shadow(&f, NULL, RULES_NEXT, (struct shadow_limits)SHADOW_LIMITS_DEFAULT);
	opens(&f);
	buf_init(&text, JSON_BYTES_MAX);
	json_init(&j, &text);
	json_begin_object(&j);
	must(shadow_add_json(f.shadow, &j));
	json_end_object(&j);
	cJSON *report = cJSON_Parse(text.data);
	assert_non_null(report);
	assert_true(cJSON_IsTrue(cJSON_GetObjectItem(report, "passed")));
	assert_int_equal(cJSON_GetObjectItem(report, "added")->valueint, 15);
	assert_int_equal(cJSON_GetArraySize(cJSON_GetObjectItem(report, "rules")), 3);
	cJSON_Delete(report);
	buf_done(&text);
	end(&f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(test_compared), cmocka_unit_test(test_processes_kept_apart),
	        cmocka_unit_test(test_minutes),  cmocka_unit_test(test_verdicts),
	        cmocka_unit_test(test_cost),     cmocka_unit_test(test_report),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
