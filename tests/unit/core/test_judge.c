/* SPDX-License-Identifier: Apache-2.0
 *
 * The whole way in user space: built records through decode, enrich, rules, limits, into a file of JSON lines.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cjson/cJSON.h>

#include "base/clock.h"
#include "base/file.h"
#include "core/judge.h"
#include "core/rules.h"

#include "stream.h"

#define FILE_BYTES_MAX (4u << 20)
#define ALERTS_MAX 256

struct fixture {
	char path[64];
	struct judge *judge;
	struct stream stream;
	struct buf text;
	cJSON *alerts[ALERTS_MAX]; /* of the file, after fixture_read() */
	size_t alert_count;
};

/* ---- making a stream ---- */

static void acting(struct event_builder *b)
{
	struct event_header *h = event_builder_header(b);
	h->pid = h->tid = 100;
	h->ppid = 1;
	h->start_ns = 5;
}

static void put_process(struct fixture *f)
{
	struct event_builder b;
	must(event_builder_init(&b, EVENT_procinfo));
	acting(&b);
	must(event_builder_text(&b, "argv", str_make("cat\0file", 9)));
	must(event_builder_text(&b, "comm_new", STR("cat")));
	must(event_builder_text(&b, "exepath", STR("/usr/bin/cat")));
	must(event_builder_text(&b, "workdir", STR("/home")));
	stream_put(&f->stream, &b);
}

static struct event_builder open_begin(const char *asked)
{
	struct event_builder b;
	must(event_builder_init(&b, EVENT_openat));
	acting(&b);
	event_builder_header(&b)->result = 3;
	must(event_builder_path(&b, "name", str_from(asked), STR("/")));
	return b;
}

/* reached: the kernel's path of the file; NULL: the open failed. flags: of the header. */
static void put_open(struct fixture *f, const char *asked, const char *reached, unsigned flags)
{
	struct event_builder b = open_begin(asked);
	struct fd_info fd = {.number = 3, .kind = FD_FILE, .mode = S_IFREG | 0600, .nlink = 1, .dev = 1, .ino = 2};
	event_builder_header(&b)->flags = (__u16)flags;
	if (reached)
		must(event_builder_fd(&b, &fd, str_from(reached), NULL));
	else
		event_builder_header(&b)->result = -ENOENT;
	stream_put(&f->stream, &b);
}

/* ---- the machinery ---- */

#define RULE(name, condition) \
	"- rule: " name "\n  desc: d\n  condition: " condition \
	"\n  output: file %fd.name by %proc.name\n  priority: WARNING\n  tags: [t1, t2]\n"

static void fixture_begin(struct fixture *f, const struct judge_options *options, const char *rules)
{
	struct export_file_options file = {.format = EXPORT_JSON};
	struct export_output *output;
	must(judge_new(options, &f->judge));
	must(pipeline_new(&(struct pipeline_options){.consumer = {judge_event, judge_context, f->judge}},
	                  &f->stream.pipeline));
	must(export_file_new(f->path, &file, &output));
	must(judge_add_output(f->judge, output));
	judge_set_rules(f->judge, stream_rules(rules));
	stream_host(&f->stream);
	put_process(f);
}

static void begin_simple(struct fixture *f, const char *rules)
{
	struct judge_options options = {.matching = MATCH_FIRST};
	fixture_begin(f, &options, rules);
}

static void fixture_read(struct fixture *f)
{
	struct str line;
	judge_finish(f->judge);
	buf_clear(&f->text);
	must(file_read(f->path, &f->text));
	struct str rest = buf_str(&f->text);
	while (str_next(&rest, '\n', &line)) {
		if (line.length == 0)
			continue;
		assert_true(f->alert_count < ALERTS_MAX);
		cJSON *alert = cJSON_ParseWithLength(line.data, line.length);
		assert_non_null(alert);
		f->alerts[f->alert_count++] = alert;
	}
}

static int setup(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));
	if (!f)
		return -1;
	snprintf(f->path, sizeof(f->path), "/tmp/picket-judge-XXXXXX");
	int fd = mkstemp(f->path);
	if (fd < 0)
		return -1;
	close(fd);
	buf_init(&f->text, FILE_BYTES_MAX);
	f->stream.time_ns = 1000 * NS_PER_S;
	*state = f;
	return 0;
}

static int teardown(void **state)
{
	struct fixture *f = *state;
	for (size_t i = 0; i < f->alert_count; i++)
		cJSON_Delete(f->alerts[i]);
	pipeline_free(f->stream.pipeline);
	judge_free(f->judge);
	buf_done(&f->text);
	unlink(f->path);
	free(f);
	return 0;
}

static const char *text_of(const cJSON *object, const char *key)
{
	const cJSON *item = cJSON_GetObjectItemCaseSensitive(object, key);
	return cJSON_IsString(item) ? item->valuestring : "(none)";
}

static const cJSON *fields_of(const cJSON *alert)
{
	return cJSON_GetObjectItemCaseSensitive(alert, "output_fields");
}

static bool is_incomplete(const cJSON *alert)
{
	return cJSON_IsTrue(cJSON_GetObjectItemCaseSensitive(alert, "evidence_incomplete"));
}

/* ---- tests ---- */

static void test_alert_has_its_evidence(void **state)
{
	struct fixture *f = *state;
	begin_simple(f, RULE("shadow", "evt.type = openat and fd.name = /etc/shadow"));
	put_open(f, "/etc/passwd", "/etc/passwd", 0);
	put_open(f, "/etc/shadow", "/etc/shadow", 0);
	fixture_read(f);
	assert_int_equal(f->alert_count, 1);
	const cJSON *alert = f->alerts[0];
	assert_string_equal(text_of(alert, "rule"), "shadow");
	assert_string_equal(text_of(alert, "priority"), "Warning");
	assert_string_equal(text_of(alert, "hostname"), "testhost");
	assert_string_equal(text_of(alert, "source"), "syscall");
	assert_non_null(strstr(text_of(alert, "output"), "file /etc/shadow by cat"));
	assert_string_equal(text_of(fields_of(alert), "fd.name"), "/etc/shadow");
	assert_string_equal(text_of(fields_of(alert), "proc.name"), "cat");
	const cJSON *time = cJSON_GetObjectItemCaseSensitive(fields_of(alert), "evt.time");
	assert_true(cJSON_IsNumber(time));
	assert_true(time->valuedouble > (double)STREAM_BOOT_NS);
	assert_int_equal(cJSON_GetArraySize(cJSON_GetObjectItemCaseSensitive(alert, "tags")), 2);
	assert_false(is_incomplete(alert));
}

/* The rule names the file; the caller went through a link. Asked-for and real name are both in the evidence. */
static void test_real_name_matches(void **state)
{
	struct fixture *f = *state;
	begin_simple(f, RULE("shadow", "evt.type = openat and fd.name = /etc/shadow"));
	put_open(f, "/tmp/link", "/etc/shadow", 0);
	fixture_read(f);
	assert_int_equal(f->alert_count, 1);
	assert_string_equal(text_of(fields_of(f->alerts[0]), "fd.name"), "/etc/shadow");
	assert_non_null(strstr(text_of(f->alerts[0], "output"), "[same file: /tmp/link]"));
	assert_non_null(cJSON_GetObjectItemCaseSensitive(fields_of(f->alerts[0]), "fd.names"));
}

/* A harmless-looking link must not pass a rule's exception, nor a harmless target hide a guarded link. */
static void test_each_name_by_itself(void **state)
{
	struct fixture *f = *state;
	begin_simple(f, RULE("etc", "evt.type = openat and fd.name startswith /etc and not fd.name = /etc/ok"));
	put_open(f, "/etc/ok", "/etc/shadow", 0);
	put_open(f, "/etc/link", "/srv/data", 0);
	put_open(f, "/etc/ok", "/etc/ok", 0);
	fixture_read(f);
	assert_int_equal(f->alert_count, 2);
	assert_string_equal(text_of(fields_of(f->alerts[0]), "fd.name"), "/etc/shadow");
	assert_string_equal(text_of(fields_of(f->alerts[1]), "fd.name"), "/etc/link");
}

static void test_match_under_both_names_is_one_alert(void **state)
{
	struct fixture *f = *state;
	begin_simple(f, RULE("etc", "evt.type = openat and fd.name startswith /etc"));
	put_open(f, "/etc/a", "/etc/b", 0);
	fixture_read(f);
	assert_int_equal(f->alert_count, 1);
	assert_string_equal(text_of(fields_of(f->alerts[0]), "fd.name"), "/etc/a");
}

/* With first-match, another rule that matches only under the other name is told too. */
static void test_other_rule_under_other_name(void **state)
{
	struct fixture *f = *state;
	begin_simple(f, RULE("tmp", "evt.type = openat and fd.name startswith /tmp")
	                        RULE("shadow", "evt.type = openat and fd.name = /etc/shadow"));
	put_open(f, "/tmp/link", "/etc/shadow", 0);
	fixture_read(f);
	assert_int_equal(f->alert_count, 2);
	assert_string_equal(text_of(f->alerts[0], "rule"), "tmp");
	assert_string_equal(text_of(f->alerts[1], "rule"), "shadow");
}

#define TWO_RULES RULE("a", "evt.type = openat") RULE("b", "evt.type = openat and fd.num = 3")

static void test_first_match(void **state)
{
	struct fixture *f = *state;
	begin_simple(f, TWO_RULES);
	put_open(f, "/x", "/x", 0);
	fixture_read(f);
	assert_int_equal(f->alert_count, 1);
}

static void test_all_matches(void **state)
{
	struct fixture *f = *state;
	struct judge_options options = {.matching = MATCH_ALL};
	fixture_begin(f, &options, TWO_RULES);
	put_open(f, "/x", "/x", 0);
	fixture_read(f);
	assert_int_equal(f->alert_count, 2);
}

static void test_context_is_not_judged(void **state)
{
	struct fixture *f = *state;
	begin_simple(f, RULE("any", "evt.num >= 0"));
	put_open(f, "/x", "/x", EVENT_F_CONTEXT);
	put_process(f);
	fixture_read(f);
	assert_int_equal(f->alert_count, 0);
}

static void test_cut_evidence_says_so(void **state)
{
	struct fixture *f = *state;
	begin_simple(f, RULE("any", "evt.type = openat"));
	put_open(f, "/x", "/x", EVENT_F_TRUNCATED);
	put_open(f, "/y", "/y", EVENT_F_MISSING);
	fixture_read(f);
	assert_int_equal(f->alert_count, 2);
	assert_true(is_incomplete(f->alerts[0]));
	assert_string_equal(text_of(f->alerts[0], "evidence_incomplete_why"), "a text was cut");
	assert_true(is_incomplete(f->alerts[1]));
	assert_string_equal(text_of(f->alerts[1], "evidence_incomplete_why"), "something could not be read");
}

static void test_loss_is_told_and_shadows(void **state)
{
	struct fixture *f = *state;
	begin_simple(f, RULE("any", "evt.type = openat"));
	put_open(f, "/before", "/before", 0);
	stream_loss(&f->stream, 3);
	stream_loss(&f->stream, 4); /* within the time of one notice: told at the end */
	put_open(f, "/after", "/after", 0);
	f->stream.time_ns += JUDGE_LOSS_SHADOW_NS;
	put_open(f, "/later", "/later", 0);
	fixture_read(f);
	assert_int_equal(f->alert_count, 5);
	assert_false(is_incomplete(f->alerts[0]));
	assert_non_null(strstr(text_of(f->alerts[1], "output"), "3 events were lost"));
	assert_string_equal(text_of(f->alerts[1], "source"), "picket");
	assert_true(is_incomplete(f->alerts[2]));
	assert_string_equal(text_of(f->alerts[2], "evidence_incomplete_why"), "events were lost shortly before");
	assert_false(is_incomplete(f->alerts[3]));
	assert_non_null(strstr(text_of(f->alerts[4], "output"), "4 events were lost"));
	assert_int_equal(pipeline_get_stats(f->stream.pipeline)->lost, 7);
}

static void test_added_fields(void **state)
{
	struct fixture *f = *state;
	struct diag_list diags;
	struct format *more;
	diag_list_init(&diags, 10);
	must(format_new(STR("%proc.exepath %fd.name %proc.aname[1]"), "add", &diags, &more));
	struct judge_options options = {.add_fields = more};
	fixture_begin(f, &options, RULE("any", "evt.type = openat"));
	put_open(f, "/x", "/x", 0);
	fixture_read(f);
	assert_int_equal(f->alert_count, 1);
	assert_string_equal(text_of(fields_of(f->alerts[0]), "proc.exepath"), "/usr/bin/cat");
	assert_true(cJSON_HasObjectItem(fields_of(f->alerts[0]), "proc.aname[1]"));
	assert_int_equal(cJSON_GetArraySize(fields_of(f->alerts[0])),
	                 5); /* evt.time, two of the output, two new ones */
	format_free(more);
	diag_list_done(&diags);
}

static void test_limits_and_their_report(void **state)
{
	struct fixture *f = *state;
	struct judge_options options = {.limit = {.per_second = 1, .burst = 2}};
	fixture_begin(f, &options, RULE("any", "evt.type = openat"));
	for (unsigned i = 0; i < 10; i++)
		put_open(f, "/x", "/x", 0);
	fixture_read(f);
	assert_int_equal(f->alert_count, 3);
	assert_non_null(strstr(text_of(f->alerts[2], "output"), "8 more alerts of \"any\" were held back"));
	struct judge_stats stats;
	judge_get_stats(f->judge, &stats);
	assert_int_equal(stats.alerts, 10);
	assert_int_equal(stats.held_back, 8);
	assert_int_equal(stats.by_priority[PRIORITY_WARNING], 10);
	assert_int_equal(judge_rule_alerts(f->judge, "any"), 10);
	assert_int_equal(judge_rule_alerts(f->judge, "none"), 0);
}

static void test_broken_records_are_counted(void **state)
{
	struct fixture *f = *state;
	begin_simple(f, RULE("any", "evt.type = openat"));
	struct event_builder b = open_begin("/x");
	struct event event;
	must(event_builder_finish(&b, &event));
	_Alignas(8) char broken[EVENT_RECORD_MAX];
	size_t length = event.header->length;
	memcpy(broken, event.header, length);
	((struct event_header *)broken)->length = (__u32)length + 8;
	must(pipeline_put_record(f->stream.pipeline, broken, length));
	memset(broken, 0xff, length);
	must(pipeline_put_record(f->stream.pipeline, broken, length));
	must(pipeline_put_record(f->stream.pipeline, broken, 3));
	event_builder_done(&b);
	const struct pipeline_stats *stats = pipeline_get_stats(f->stream.pipeline);
	assert_int_equal(stats->undecodable, 3);
	assert_int_equal(stats->undecodable_of[EVENT_openat], 1);
	assert_int_equal(stats->undecodable_unknown, 2);
	fixture_read(f);
	assert_int_equal(f->alert_count, 0);
}

/* A mistake in the new rules leaves the old ones in force. */
static void test_failed_load_keeps_rules(void **state)
{
	struct fixture *f = *state;
	struct rule_set *set = NULL;
	struct diag_list diags;
	char path[80];
	snprintf(path, sizeof(path), "%s.yaml", f->path);
	diag_list_init(&diags, 10);
	begin_simple(f, RULE("old", "evt.type = openat"));
	const struct rules_options options = {.paths = {path}, .path_count = 1, .least = PRIORITY_DEBUG};

	must(file_write_atomic(path, STR(RULE("new", "evt.type = opneat")), 0600));
	assert_int_equal(rules_load(&options, &diags, &set), -EINVAL);
	assert_null(set);
	assert_int_equal(diags.errors, 1);
	put_open(f, "/x", "/x", 0);

	must(file_write_atomic(path, STR(RULE("new", "evt.type = openat")), 0600));
	must(rules_load(&options, &diags, &set));
	judge_set_rules(f->judge, set);
	put_open(f, "/x", "/x", 0);
	fixture_read(f);
	unlink(path);
	diag_list_done(&diags);
	assert_int_equal(f->alert_count, 2);
	assert_string_equal(text_of(f->alerts[0], "rule"), "old");
	assert_string_equal(text_of(f->alerts[1], "rule"), "new");
	assert_int_equal(judge_rule_alerts(f->judge, "old"), 1);
}

static void test_switches(void **state)
{
	struct fixture *f = *state;
	struct rule_set *set = NULL;
	struct diag_list diags;
	diag_list_init(&diags, 10);
	must(file_write_atomic(f->path, STR(RULE("a", "evt.type = openat") RULE("b", "evt.type = openat")), 0600));
	struct rules_switch on_off[] = {{"tag=t1", false}, {"b", true}};
	struct rules_options options = {
	        .paths = {f->path}, .path_count = 1, .switches = on_off, .switch_count = 2, .least = PRIORITY_DEBUG};
	must(rules_load(&options, &diags, &set));
	assert_false(rule_set_find(set, STR("a"))->enabled);
	assert_true(rule_set_find(set, STR("b"))->enabled);
	assert_int_equal(rules_count_enabled(set), 1);
	rule_set_free(set);
	set = NULL;
	on_off[0].what = "tag=unheard";
	on_off[1].what = "unknown";
	assert_int_equal(rules_load(&options, &diags, &set), -EINVAL);
	assert_null(set);
	assert_int_equal(diags.errors, 2);
	options.switch_count = 0;
	options.least = PRIORITY_ERROR;
	must(rules_load(&options, &diags, &set));
	assert_int_equal(rules_count_enabled(set), 0);
	rule_set_free(set);
	diag_list_done(&diags);
}

/* A directory "rules" where somebody happens to stand is not what picket judges by. */
static void test_rules_of_working_directory_are_not_taken(void **state)
{
	(void)state;
	char dir[] = "/tmp/picket-judge-XXXXXX", found[PATH_MAX] = "", before[PATH_MAX];
	assert_non_null(mkdtemp(dir));
	assert_non_null(getcwd(before, sizeof(before)));
	must(chdir(dir));
	must(mkdir("rules", 0700));
	int r = rules_default_dir(found, sizeof(found));
	assert_true(r == -ENOENT || !str_starts_with(str_from(found), str_from(dir)));
	must(rmdir("rules"));
	must(chdir(before));
	must(rmdir(dir));
}

static void test_lost_output_is_counted(void **state)
{
	struct fixture *f = *state;
	struct export_file_options file = {.format = EXPORT_JSON};
	struct export_output *full;
	struct judge_stats stats;
	begin_simple(f, RULE("any", "evt.type = openat"));
	must(export_file_new("/dev/full", &file, &full));
	must(judge_add_output(f->judge, full));
	put_open(f, "/x", "/x", 0);
	fixture_read(f);
	judge_get_stats(f->judge, &stats);
	assert_int_equal(f->alert_count, 2); /* the other output has it, and tells of it */
	assert_string_equal(text_of(f->alerts[0], "rule"), "any");
	assert_string_equal(text_of(f->alerts[1], "rule"), "picket: alerts not written");
	assert_int_equal(stats.not_written, 1);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
	        TEST(test_alert_has_its_evidence),
	        TEST(test_real_name_matches),
	        TEST(test_each_name_by_itself),
	        TEST(test_match_under_both_names_is_one_alert),
	        TEST(test_other_rule_under_other_name),
	        TEST(test_first_match),
	        TEST(test_all_matches),
	        TEST(test_context_is_not_judged),
	        TEST(test_cut_evidence_says_so),
	        TEST(test_loss_is_told_and_shadows),
	        TEST(test_added_fields),
	        TEST(test_limits_and_their_report),
	        TEST(test_broken_records_are_counted),
	        TEST(test_failed_load_keeps_rules),
	        TEST(test_switches),
	        TEST(test_lost_output_is_counted),
	        TEST(test_rules_of_working_directory_are_not_taken),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
