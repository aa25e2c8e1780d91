/* SPDX-License-Identifier: Apache-2.0
 *
 * A recorded history, judged again: what rules and policies would have made of it, and what it is said to be of.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <cmocka.h>

#include <stdio.h>

#include <cjson/cJSON.h>

#include "base/file.h"
#include "core/rehearsal.h"
#include "recorder.h"

#define BYTES (64u << 20)
#define JSON_BYTES (1u << 20)
#define OPENS(path) "evt.type = openat and fd.name startswith " path
#define DENIES(name, mode, more) \
	"- policy: " name "\n  version: 1\n  condition: fd.name startswith /srv/\n  action: deny\n  at: file-write\n" \
	"  mode: " mode "\n" more

struct fixture {
	struct recorder recorder;
	struct content staged, running;
	struct rehearsal *rehearsal;
	struct buf why;
};

static void read_policies(struct content *c, const char *text)
{
	struct diag_list diags;
	struct buf shown;
	diag_list_init(&diags, 10);
	buf_init(&shown, 10000);
	must(policy_set_new(c->rules, &c->policies));
	int r = text ? policy_set_add_text(c->policies, "test", str_from(text), &diags) : 0;
	diag_list_print(&diags, false, &shown);
	if (r < 0)
		fail_msg("%s", shown.data);
	buf_done(&shown);
	diag_list_done(&diags);
}

static void begin(struct fixture *f, const char *rules, const char *policies, const char *now)
{
	*f = (struct fixture){.rehearsal = NULL};
	buf_init(&f->why, 4096);
	directory_make(f->recorder.directory, sizeof(f->recorder.directory));
	f->staged.rules = stream_rules(rules);
	read_policies(&f->staged, policies);
	if (now)
		f->running.rules = stream_rules(now);
}

/* Returns whether it passes; why is in f->why. */
static bool judge(struct fixture *f, uint64_t alerts_a_minute)
{
	const struct rehearsal_options options = {.directory = f->recorder.directory,
	                                          .alerts_a_minute = alerts_a_minute};
	must(rehearsal_run(&options, &f->staged, f->running.rules ? &f->running : NULL, &f->rehearsal));
	return rehearsal_verdict(f->rehearsal, &f->why);
}

static void end(struct fixture *f)
{
	rehearsal_free(f->rehearsal);
	content_done(&f->staged);
	content_done(&f->running);
	buf_done(&f->why);
	directory_remove(f->recorder.directory);
}

static void check_why(const struct fixture *f, const char *part)
{
	if (!strstr(f->why.data, part))
		fail_msg("%s", f->why.data);
}

/* Out of the windows, so that what is kept is known. */
static void begin_recording(struct fixture *f)
{
	recorder_begin(&f->recorder, BYTES);
	recorder_wait(&f->recorder, NS_PER_S);
	recorder_wait(&f->recorder, NS_PER_S);
}

static void writes(struct fixture *f, unsigned count, uint32_t pid, const char *path)
{
	for (unsigned i = 0; i < count; i++)
		stream_open(&f->recorder.stream, pid, path, O_WRONLY);
}

static cJSON *json_of(const struct fixture *f)
{
	struct buf text;
	struct json j;
	buf_init(&text, JSON_BYTES);
	json_init(&j, &text);
	json_begin_object(&j);
	must(rehearsal_add_json(f->rehearsal, &j));
	json_end_object(&j);
	cJSON *all = cJSON_Parse(text.data);
	assert_non_null(all);
	buf_done(&text);
	return all;
}

static void test_exact(void **state)
{
	struct fixture f;
	struct trial_stats stats;
	(void)state;
	begin(&f, STREAM_RULE("new", OPENS("/srv/a")) STREAM_RULE("old", OPENS("/etc/")), NULL,
	      STREAM_RULE("old", OPENS("/etc/")) STREAM_RULE("gone", OPENS("/var/")));
	begin_recording(&f);
	writes(&f, 17, 100, "/srv/a");
	writes(&f, 5, 101, "/srv/b");
	writes(&f, 3, 101, "/etc/x");
	writes(&f, 2, 101, "/var/x");
	recorder_end(&f.recorder);
	assert_true(judge(&f, 17));
	trial_get_stats(rehearsal_trial(f.rehearsal), &stats);
	assert_int_equal(stats.added, 17);
	assert_int_equal(stats.same, 3);
	assert_int_equal(stats.gone, 2);
	assert_int_equal(rehearsal_coverage(f.rehearsal)->events, 27);
	assert_int_equal(rehearsal_coverage(f.rehearsal)->events_of[EVENT_openat], 27);
	check_why(&f, "27 events of 0 s; of reads and the like ");
	check_why(&f, "; alerts: 3 the same, 17 more, 2 gone");
	end(&f);
}

static void test_too_loud(void **state)
{
	struct fixture f;
	(void)state;
	begin(&f, STREAM_RULE("new", OPENS("/srv/")), NULL, NULL);
	begin_recording(&f);
	writes(&f, 18, 100, "/srv/a");
	recorder_end(&f.recorder);
	assert_false(judge(&f, 17));
	check_why(&f,
	          "the rule \"new\" would have raised 18 alerts in a minute; 17 may be; the first: file /srv/a by cat");
	end(&f);
}

/* ---- policies ---- */

static void check_policy(const char *policies, unsigned count, const char *path, bool passes, const char *why)
{
	struct fixture f;
	begin(&f, STREAM_RULE("r", OPENS("/nowhere")), policies, NULL);
	begin_recording(&f);
	stream_open(&f.recorder.stream, 100, "/srv/read", O_RDONLY);
	writes(&f, count, 100, path);
	writes(&f, 2, 101, "/elsewhere");
	recorder_end(&f.recorder);
	assert_int_equal(judge(&f, 60), passes);
	check_why(&f, why);
	end(&f);
}

static void test_policies(void **state)
{
	(void)state;
	check_policy(DENIES("p", "enforce", ""), 60, "/srv/x", true, "; policies would have acted 60 times");
	check_policy(DENIES("p", "enforce", ""), 61, "/srv/x", false,
	             "the policy \"p\" would have acted (deny) 61 times in a minute, and its budget is 60; the first: "
	             "file-write of cat[100]: /srv/x");
	check_policy(DENIES("p", "shadow", ""), 61, "/srv/x", true, "; policies would have acted 61 times");
	check_policy(DENIES("p", "enforce", "  scope: {executable: /usr/bin/dog}\n"), 61, "/srv/x", true,
	             "; policies would have acted 0 times");
	check_policy(DENIES("p", "enforce", "  scope: {executable: /usr/bin/cat}\n"), 61, "/srv/x", false, "61 times");
	check_policy(DENIES("p", "enforce", "  budget: {share: 50%}\n"), 30, "/srv/x", false,
	             "on more than 50 of a hundred attempts in a minute");
	check_policy(DENIES("p", "enforce", "  budget: {share: 50%}\n"), 19, "/srv/x", true, "acted 19 times");
}

/* What failed by itself never came to a guard of files; and each minute is one for itself. */
static void test_attempts(void **state)
{
	struct fixture f;
	(void)state;
	begin(&f, STREAM_RULE("r", OPENS("/nowhere")), DENIES("p", "enforce", ""), NULL);
	begin_recording(&f);
	for (unsigned i = 0; i < 61; i++)
		stream_open_failed(&f.recorder.stream, 100, "/srv/x", O_WRONLY);
	for (unsigned minute = 3; minute < 5; minute++) {
		f.recorder.stream.time_ns = minute * 60 * NS_PER_S;
		recorder_turn(&f.recorder);
		writes(&f, 40, 100, "/srv/x");
	}
	recorder_end(&f.recorder);
	assert_true(judge(&f, 60));
	check_why(&f, "policies would have acted 80 times");
	end(&f);
}

/* Another process of the same number, at the same time after another start. */
static void test_segments_kept_apart(void **state)
{
	struct fixture f;
	(void)state;
	begin(&f, STREAM_RULE("animal", OPENS("/srv/") " and proc.name = cat"), NULL, NULL);
	for (unsigned run = 0; run < 2; run++) {
		f.recorder.name = run == 0 ? "cat" : "cow";
		begin_recording(&f);
		writes(&f, 3, 100, "/srv/x");
		recorder_end(&f.recorder);
	}
	assert_true(judge(&f, 60));
	check_why(&f, "0 the same, 3 more, 0 gone");
	end(&f);
}

static void test_processes_of_a_minute(void **state)
{
	struct fixture f;
	(void)state;
	begin(&f, STREAM_RULE("r", OPENS("/nowhere")), DENIES("p", "enforce", "  budget: {processes: 2}\n"), NULL);
	recorder_begin(&f.recorder, BYTES);
	for (unsigned i = 0; i < 3; i++)
		stream_process(&f.recorder.stream, 200 + i, "worker");
	for (unsigned i = 0; i < 9; i++)
		writes(&f, 1, 200 + i % 3, "/srv/x");
	recorder_end(&f.recorder);
	assert_false(judge(&f, 60));
	check_why(&f, "on 3 processes in a minute, and its budget is 2");
	end(&f);
}

static void test_protected(void **state)
{
	struct fixture f;
	(void)state;
	begin(&f, STREAM_RULE("r", OPENS("/nowhere")), DENIES("p", "enforce", ""), NULL);
	begin_recording(&f);
	stream_process(&f.recorder.stream, 300, "sudo");
	writes(&f, 1, 300, "/srv/x");
	recorder_end(&f.recorder);
	assert_false(judge(&f, 60));
	check_why(&f, "would deny what protected programs do, 1 times: file-write of sudo[300]: /srv/x");
	cJSON *all = json_of(&f), *policy = cJSON_GetArrayItem(cJSON_GetObjectItem(all, "policies"), 0);
	assert_int_equal(cJSON_GetObjectItem(policy, "protected")->valueint, 1);
	assert_int_equal(cJSON_GetObjectItem(policy, "would_have_acted")->valueint, 0);
	cJSON_Delete(all);
	end(&f);
}

/* ---- coverage ---- */

static void test_nothing(void **state)
{
	struct fixture f;
	(void)state;
	begin(&f, STREAM_RULE("r", OPENS("/")), NULL, NULL);
	rmdir(f.recorder.directory);
	assert_true(judge(&f, 0));
	check_why(&f, "there is no recent history here");
	end(&f);
}

static void test_coverage(void **state)
{
	struct fixture f;
	(void)state;
	begin(&f, STREAM_RULE("r", OPENS("/nowhere")), NULL, NULL);
	for (unsigned run = 0; run < 2; run++) {
		begin_recording(&f);
		writes(&f, 1, 100, "/a");
		f.recorder.stream.time_ns += 300 * NS_PER_S;
		stream_loss(&f.recorder.stream, 4);
		writes(&f, 1, 100, "/b");
		recorder_turn(&f.recorder);
		recorder_end(&f.recorder);
	}
	assert_true(judge(&f, 0));
	const struct rehearsal_coverage *c = rehearsal_coverage(f.rehearsal);
	assert_int_equal(c->segments, 2);
	assert_int_equal(c->gaps, 1);
	assert_int_equal(c->events, 4);
	assert_int_equal(c->lost, 8);
	assert_int_equal(c->unnoted + c->unreadable + c->damaged, 0);
	assert_int_equal(c->to_ns - c->from_ns, 300 * NS_PER_S + 2 * NS_PER_MS);
	assert_true(c->from_ns > STREAM_BOOT_NS + 100 * NS_PER_S);
	assert_in_range(c->note.watched_ns / NS_PER_S, 600, 610);
	check_why(&f, "4 events of 5 min with 1 gap of 0 s, 8 lost, 0 left out, 0 places damaged");
	end(&f);
}

static void put(const char *path, struct str data)
{
	int fd = open(path, O_WRONLY | O_TRUNC | O_CLOEXEC);
	assert_true(fd >= 0);
	must(file_write_all(fd, data.data, data.length));
	close(fd);
}

/* Segments of one recorder follow one another; where one is missing, there is a gap. */
static void test_missing_segment(void **state)
{
	(void)state;
	for (unsigned number = 1; number <= 2; number++) {
		struct fixture f;
		struct recent_segment *list;
		size_t count;
		char from[PATH_MAX + 64], to[PATH_MAX + 64];
		begin(&f, STREAM_RULE("r", OPENS("/nowhere")), NULL, NULL);
		for (unsigned run = 0; run < 2; run++) {
			begin_recording(&f);
			writes(&f, 1, 100, "/a");
			recorder_end(&f.recorder);
		}
		must(recent_list(f.recorder.directory, &list, &count));
		assert_int_equal(count, 2);
		snprintf(from, sizeof(from), "%s/%s", f.recorder.directory, list[1].name);
		snprintf(to, sizeof(to), "%s/%016llx-%06x.capture", f.recorder.directory,
		         (unsigned long long)list[0].run_ns, number);
		must(rename(from, to));
		assert_true(judge(&f, 0));
		assert_int_equal(rehearsal_coverage(f.rehearsal)->gaps, number == 1 ? 0 : 1);
		free(list);
		end(&f);
	}
}

/* A history that was cut anywhere, or is no capture, is judged as far as it goes, and never more is said than that. */
static void test_cut_everywhere(void **state)
{
	struct fixture f;
	struct recent_segment *list;
	struct buf whole;
	char path[PATH_MAX + 64];
	uint64_t before = 0;
	size_t count;
	(void)state;
	begin(&f, STREAM_RULE("r", OPENS("/a")), NULL, NULL);
	begin_recording(&f);
	for (unsigned i = 0; i < 4; i++) {
		writes(&f, 3, 100, "/a");
		recorder_wait(&f.recorder, 4 * NS_PER_S);
	}
	recorder_end(&f.recorder);
	must(recent_list(f.recorder.directory, &list, &count));
	snprintf(path, sizeof(path), "%s/%s", f.recorder.directory, list[0].name);
	buf_init(&whole, JSON_BYTES);
	must(file_read(path, &whole));
	for (size_t n = 0; n <= whole.length; n++) {
		struct content staged = {.rules = stream_rules(STREAM_RULE("r", OPENS("/a")))};
		const struct rehearsal_options options = {.directory = f.recorder.directory, .alerts_a_minute = 100};
		struct trial_stats stats;
		put(path, str_make(whole.data, n));
		must(rehearsal_run(&options, &staged, NULL, &f.rehearsal));
		const struct rehearsal_coverage *c = rehearsal_coverage(f.rehearsal);
		trial_get_stats(rehearsal_trial(f.rehearsal), &stats);
		assert_true(c->events >= before && c->events <= 12);
		assert_int_equal(stats.added, c->events);
		assert_true(c->events == 12 || c->unreadable + c->damaged + c->unnoted > 0 ||
		            c->note.recorded[RECENT_WRITES] <= c->events);
		before = c->events;
		rehearsal_free(f.rehearsal);
		content_done(&staged);
	}
	assert_int_equal(before, 12);
	f.rehearsal = NULL;
	buf_done(&whole);
	free(list);
	end(&f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(test_exact),           cmocka_unit_test(test_too_loud),
	        cmocka_unit_test(test_policies),        cmocka_unit_test(test_processes_of_a_minute),
	        cmocka_unit_test(test_protected),       cmocka_unit_test(test_nothing),
	        cmocka_unit_test(test_attempts),        cmocka_unit_test(test_segments_kept_apart),
	        cmocka_unit_test(test_missing_segment), cmocka_unit_test(test_coverage),
	        cmocka_unit_test(test_cut_everywhere),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
