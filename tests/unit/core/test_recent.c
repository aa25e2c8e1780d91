/* SPDX-License-Identifier: Apache-2.0
 *
 * The recent history: what is kept of a stream, within which bounds, and what a disk can do to it.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <cmocka.h>

#include <sched.h>
#include <stdio.h>
#include <sys/mount.h>

#include <cjson/cJSON.h>

#include "base/file.h"
#include "event/capture.h"
#include "recorder.h"

#define MIB (1u << 20)
#define REPORT_BYTES 4096
#define WAITS_MAX 1000

static cJSON *report_of(const struct recorder *r)
{
	struct buf text;
	struct json j;
	buf_init(&text, REPORT_BYTES);
	json_init(&j, &text);
	json_begin_object(&j);
	recent_report(r->recent, &j);
	json_end_object(&j);
	cJSON *all = cJSON_Parse(text.data);
	assert_non_null(all);
	buf_done(&text);
	return all;
}

/* A number of the report: "bytes", "recorded.always". */
static double reported(const struct recorder *r, const char *path)
{
	struct str rest = str_from(path), part;
	cJSON *all = report_of(r), *at = cJSON_GetObjectItem(all, "recent");
	while (str_next(&rest, '.', &part)) {
		char name[64];
		snprintf(name, sizeof(name), STR_FMT, STR_ARG(part));
		at = cJSON_GetObjectItemCaseSensitive(at, name);
	}
	assert_non_null(at);
	double n = cJSON_IsBool(at) ? cJSON_IsTrue(at) : cJSON_IsString(at) ? 1 : cJSON_GetNumberValue(at);
	cJSON_Delete(all);
	return n;
}

/* Until the writer has caught up: its thread has its own time. */
static void settle(struct recorder *r, const char *path, double at_least)
{
	for (unsigned i = 0; i < WAITS_MAX; i++) {
		if (reported(r, path) >= at_least)
			return;
		usleep(5000);
	}
	fail_msg("%s is %f, and was to be %f", path, reported(r, path), at_least);
}

struct counts {
	unsigned events, of_openat, unknown;
	struct recent_note note;
	bool noted, complete;
};

static int count_event(void *userdata, struct enrich_view *view, struct arena *arena)
{
	struct counts *c = userdata;
	(void)arena;
	c->events++;
	c->of_openat += view->event.header->type == EVENT_openat;
	c->unknown += !view->process;
	return 0;
}

/* A segment by itself. */
static struct counts read_segment(const char *directory, const char *name)
{
	struct counts c = {0};
	struct capture_reader *reader;
	struct capture_info info;
	struct pipeline *p;
	struct event event;
	const char *why = NULL;
	char path[PATH_MAX];
	snprintf(path, sizeof(path), "%s/%s", directory, name);
	must(capture_reader_new(path, &reader, &why));
	must(pipeline_new(&(struct pipeline_options){.consumer = {count_event, NULL, &c}}, &p));
	capture_reader_info(reader, &info);
	c.complete = info.complete;
	for (int n; (n = capture_reader_next(reader, &event)) != 0;)
		if (n == 1)
			must(pipeline_put_event(p, &event));
	c.noted = recent_read_note(capture_reader_note(reader), &c.note);
	pipeline_free(p);
	capture_reader_free(reader);
	return c;
}

static void test_kept(void **state)
{
	struct recorder r = {.name = NULL};
	struct recent_segment *list;
	size_t count;
	(void)state;
	directory_make(r.directory, sizeof(r.directory));
	recorder_begin(&r, 64 * MIB);
	for (unsigned i = 0; i < 50; i++)
		stream_open(&r.stream, 100 + i % 2, "/etc/x", i % 5 == 0 ? O_WRONLY : O_RDONLY);
	recorder_turn(&r); /* a window begins with the first turn: it ends here, and what comes is none of it */
	recorder_wait(&r, NS_PER_S);
	recorder_turn(&r);
	for (unsigned i = 0; i < 30; i++)
		stream_open(&r.stream, 100, "/etc/y", O_RDONLY);
	assert_int_equal(reported(&r, "recorded.writes"), 10);
	assert_int_equal(reported(&r, "recorded.sample"), 40);
	assert_int_equal(reported(&r, "recorded.passed"), 30);
	assert_int_equal(reported(&r, "windows"), 1);
	/* It came late, from before the window. */
	recorder_wait(&r, 10 * NS_PER_S);
	r.stream.time_ns -= NS_PER_S;
	stream_open(&r.stream, 100, "/etc/z", O_RDONLY);
	r.stream.time_ns += NS_PER_S;
	assert_int_equal(reported(&r, "recorded.passed"), 31);
	recorder_wait(&r, NS_PER_S);
	recorder_end(&r);
	must(recent_list(r.directory, &list, &count));
	assert_int_equal(count, 1);
	struct counts c = read_segment(r.directory, list[0].name);
	assert_int_equal(c.events, 81);
	assert_int_equal(c.unknown, 0);
	assert_true(c.noted && c.complete);
	assert_int_equal(c.note.recorded[RECENT_WRITES], 10);
	assert_int_equal(c.note.recorded[RECENT_SAMPLE], 40);
	assert_int_equal(c.note.windows, 2);
	assert_true(c.note.window_ns > 0 && c.note.watched_ns > c.note.window_ns);
	free(list);
	directory_remove(r.directory);
}

/* Over the rate: left out, counted; and for the next half minute not asked for. */
static void test_flood(void **state)
{
	struct recorder r = {.name = NULL};
	(void)state;
	directory_make(r.directory, sizeof(r.directory));
	recorder_begin(&r, 64 * MIB);
	uint64_t second = r.stream.time_ns;
	for (unsigned i = 0; i < 12000; i++) {
		r.stream.time_ns = second;
		stream_open(&r.stream, 100, "/tmp/x", O_WRONLY);
	}
	assert_int_equal(reported(&r, "recorded.writes"), 5000);
	assert_int_equal(reported(&r, "left_out.writes"), 7000);
	assert_false(reported(&r, "shedding"));
	recorder_wait(&r, NS_PER_S);
	assert_true(reported(&r, "shedding"));
	stream_open(&r.stream, 100, "/tmp/x", O_WRONLY);
	assert_int_equal(reported(&r, "recorded.writes"), 5001);
	recorder_wait(&r, 31 * NS_PER_S);
	assert_false(reported(&r, "shedding"));
	recorder_end(&r);
	directory_remove(r.directory);
}

static uint64_t bytes_of(const char *directory)
{
	struct recent_segment *list;
	size_t count;
	uint64_t bytes = 0;
	must(recent_list(directory, &list, &count));
	for (size_t i = 0; i < count; i++)
		bytes += list[i].bytes;
	free(list);
	return bytes;
}

/* Never more than it may take; the oldest goes; what stays can be replayed by itself. */
static void test_bounds(void **state)
{
	struct recorder r = {.name = NULL};
	struct recent_segment *list;
	size_t count;
	uint64_t random = 1, written = 0;
	(void)state;
	directory_make(r.directory, sizeof(r.directory));
	recorder_begin(&r, RECENT_BYTES_MIN);
	for (unsigned second = 0; second < 150; second++) {
		for (unsigned i = 0; i < 400; i++) {
			char path[256] = "/";
			for (unsigned k = 1; k < 200;
			     k++, random = random * 6364136223846793005ull + 1442695040888963407ull)
				path[k] = (char)('0' + (random >> 33 & 63));
			stream_open(&r.stream, 100, path, O_WRONLY);
			written++;
		}
		recorder_wait(&r, NS_PER_S);
		if (second % 10 == 9)
			settle(&r, "events", (double)(written - 1200));
		assert_true(bytes_of(r.directory) <= RECENT_BYTES_MIN);
	}
	assert_int_equal(reported(&r, "failures"), 0);
	assert_int_equal(reported(&r, "not_written"), 0);
	recorder_end(&r);
	assert_true(bytes_of(r.directory) <= RECENT_BYTES_MIN);
	must(recent_list(r.directory, &list, &count));
	assert_in_range(count, 6, 40);
	assert_true(list[0].number > 0);
	for (size_t i = 0; i < count; i++) {
		struct counts c = read_segment(r.directory, list[i].name);
		assert_true(i == 0 || list[i].number == list[i - 1].number + 1);
		assert_true(c.events > 0 && c.noted);
		assert_int_equal(c.unknown, 0);
	}
	free(list);
	directory_remove(r.directory);
}

static void test_runs(void **state)
{
	struct recorder r = {.name = NULL};
	struct recent_segment *list;
	size_t count;
	(void)state;
	directory_make(r.directory, sizeof(r.directory));
	for (unsigned run = 0; run < 3; run++) {
		recorder_begin(&r, 64 * MIB);
		stream_open(&r.stream, 100, "/x", O_WRONLY);
		recorder_end(&r);
	}
	must(recent_list(r.directory, &list, &count));
	assert_int_equal(count, 3);
	for (size_t i = 0; i < count; i++) {
		assert_int_equal(list[i].number, 0);
		assert_true(i == 0 || list[i].run_ns > list[i - 1].run_ns);
	}
	free(list);
	directory_remove(r.directory);
}

static void test_names(void **state)
{
	static const char *const names[] = {"x",
	                                    "0000000000000001-000001.captur",
	                                    "0000000000000001-000001.capture.x",
	                                    "000000000000001-000001.capture",
	                                    "0000000000000001-0000001.capture",
	                                    "000000000000000A-000001.capture",
	                                    "+000000000000001-000001.capture"};
	char directory[PATH_MAX];
	struct recent_segment *list;
	size_t count;
	(void)state;
	directory_make(directory, sizeof(directory));
	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		char path[PATH_MAX + 64];
		snprintf(path, sizeof(path), "%s/%s", directory, names[i]);
		must(file_write_atomic(path, STR("x"), 0600));
	}
	must(recent_list(directory, &list, &count));
	assert_int_equal(count, 0);
	free(list);
	directory_remove(directory);
	assert_int_equal(recent_list(directory, &list, &count), -ENOENT);
}

/* ---- disks ---- */

static void test_no_directory(void **state)
{
	struct recorder r = {.name = NULL};
	char base[64];
	(void)state;
	directory_make(base, sizeof(base));
	snprintf(r.directory, sizeof(r.directory), "%s/file/recent", base);
	char path[PATH_MAX];
	snprintf(path, sizeof(path), "%s/file", base);
	must(file_write_atomic(path, STR("x"), 0600));
	recorder_begin(&r, 64 * MIB);
	settle(&r, "failures", 1);
	stream_open(&r.stream, 100, "/x", O_WRONLY);
	recorder_wait(&r, NS_PER_S);
	assert_false(reported(&r, "recording"));
	assert_true(reported(&r, "error"));
	/* It can be made now: recorded again after a while. */
	must(unlink(path));
	recorder_wait(&r, 31 * NS_PER_S);
	assert_true(reported(&r, "recording"));
	stream_open(&r.stream, 100, "/x", O_WRONLY);
	recorder_wait(&r, 3 * NS_PER_S);
	settle(&r, "events", 1);
	recorder_turn(&r);
	assert_true(reported(&r, "recording"));
	recorder_end(&r);
	assert_true(bytes_of(r.directory) > 0);
	directory_remove(r.directory);
	rmdir(path);
	rmdir(base);
}

static void fill(const char *path)
{
	char block[4096] = {1};
	int fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
	while (write(fd, block, sizeof(block)) > 0)
		;
	close(fd);
}

/* In a mount namespace of its own. */
static void test_full_disk(void **state)
{
	struct recorder r = {.name = NULL};
	char base[64], path[PATH_MAX];
	(void)state;
	directory_make(base, sizeof(base));
	if (unshare(CLONE_NEWNS) < 0 || mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0 ||
	    mount("full", base, "tmpfs", 0, "size=1m") < 0) {
		printf("no mounts here: %s\n", strerror(errno));
		rmdir(base);
		skip();
	}
	snprintf(r.directory, sizeof(r.directory), "%s/recent", base);
	snprintf(path, sizeof(path), "%s/other", base);
	recorder_begin(&r, 64 * MIB);
	stream_open(&r.stream, 100, "/x", O_WRONLY);
	recorder_wait(&r, 3 * NS_PER_S);
	settle(&r, "events", 1);
	fill(path);
	for (unsigned second = 0; second < 5; second++) {
		for (unsigned i = 0; i < 1000; i++) {
			char name[64];
			snprintf(name, sizeof(name), "/%u/%u", i * 2654435761u, second * i);
			stream_open(&r.stream, 100, name, O_WRONLY);
		}
		recorder_wait(&r, 3 * NS_PER_S);
	}
	settle(&r, "failures", 1);
	recorder_turn(&r);
	assert_false(reported(&r, "recording"));
	settle(&r, "not_written", 1);
	must(unlink(path));
	recorder_wait(&r, 31 * NS_PER_S);
	assert_true(reported(&r, "recording"));
	stream_open(&r.stream, 100, "/x", O_WRONLY);
	recorder_end(&r);
	struct recent_segment *list;
	size_t count;
	must(recent_list(r.directory, &list, &count));
	assert_true(count >= 2);
	assert_true(list[count - 1].run_ns > list[0].run_ns); /* the gap is seen */
	assert_true(read_segment(r.directory, list[0].name).events >= 1);
	assert_int_equal(read_segment(r.directory, list[count - 1].name).events, 1);
	free(list);
	must(umount(base));
	rmdir(base);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(test_kept),      cmocka_unit_test(test_flood), cmocka_unit_test(test_bounds),
	        cmocka_unit_test(test_runs),      cmocka_unit_test(test_names), cmocka_unit_test(test_no_directory),
	        cmocka_unit_test(test_full_disk),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
