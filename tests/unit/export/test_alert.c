/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/file.h"
#include "export/export.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

/* 2026-11-21T23:56:18.629547940Z; the golden files are of a zone one hour east. */
#define SAMPLE_TIME 1795305378629547940u
#define GOLDEN "tests/golden/export/"

static const char *const tags[] = {"maturity_stable", "host", "T1555"};
static const struct alert_field fields[] = {
        {.name = {"evt.time", 8}, .value = {.kind = VALUE_U64, .u64 = SAMPLE_TIME}},
        {.name = {"fd.name", 7}, .value = {.kind = VALUE_STR, .str = {"/etc/shadow", 11}}},
        {.name = {"proc.cmdline", 12}, .value = {.kind = VALUE_STR, .str = {"cat \x1b[2J\xff", 9}}},
        {.name = {"evt.res", 7}, .value = {.kind = VALUE_S64, .s64 = -2}},
        {.name = {"proc.is_exe_writable", 20}, .value = {.kind = VALUE_BOOL, .boolean = true}},
        {.name = {"container.id", 12}, .value = {.kind = VALUE_NULL}},
        {.name = {"fd.cip", 6}, .value = {.kind = VALUE_IP, .ip = {.family = 4, .prefix = 32, .bytes = {10, 0, 0, 1}}}},
};

static struct alert sample(void)
{
	return (struct alert){
	        .real_ns = SAMPLE_TIME,
	        .rule = "Read sensitive file untrusted",
	        .priority = 4,
	        .priority_name = "Warning",
	        .source = "syscall",
	        .hostname = "web-1",
	        .output = STR("Sensitive file opened for reading by non-trusted program | file=/etc/shadow "
	                      "process=cat proc.pid=4711 command=cat /etc/shadow"),
	        .tags = tags,
	        .tag_count = ARRAY_SIZE(tags),
	        .fields = fields,
	        .field_count = ARRAY_SIZE(fields),
	        .event_id = 815,
	        .schema = 0x0123456789abcdef,
	};
}

static struct alert sample_hostile(void)
{
	struct alert a = sample();
	a.rule = "Rule\x1b[31m with an \"escape\"";
	a.priority = 0;
	a.priority_name = "Emergency";
	a.hostname = "web\n1";
	a.output = STR("two\nlines \x1b]0;title\x07 c1=\xc2\x9b"
	               "2J wrong=\xff\xc3 nul=\0 right=\xe2\x80\xae"
	               "a good=\xc3\xa4 (user=x)");
	a.tags = NULL;
	a.tag_count = 0;
	a.fields = NULL;
	a.field_count = 0;
	a.incomplete = true;
	a.incomplete_why = "a text was cut";
	a.held_back = 12;
	return a;
}

static struct alert sample_own(void)
{
	struct alert a = sample();
	a.rule = "picket: events lost";
	a.priority = 7;
	a.priority_name = "Debug";
	a.source = "picket";
	a.hostname = NULL;
	a.output = STR("");
	a.tag_count = a.field_count = 0;
	a.incomplete = true;
	a.held_back = 1;
	a.schema = 1;
	return a;
}

/* The file holds what is expected of all three samples. With UPDATE_GOLDEN set it is written, to be looked at. */
static void assert_golden(const char *path, void (*add)(const struct alert *, struct buf *))
{
	const struct alert alerts[] = {sample(), sample_hostile(), sample_own()};
	_cleanup_(buf_done) struct buf out, expected;
	buf_init(&out, 1 << 20);
	buf_init(&expected, 1 << 20);
	for (size_t i = 0; i < ARRAY_SIZE(alerts); i++)
		add(&alerts[i], &out);
	assert_int_equal(buf_error(&out), 0);
	if (getenv("UPDATE_GOLDEN"))
		assert_int_equal(file_write_atomic(path, buf_str(&out), 0644), 0);
	assert_int_equal(file_read(path, &expected), 0);
	if (!str_equal(buf_str(&out), buf_str(&expected)))
		fail_msg("%s: expected\n%sbut it is\n%sUPDATE_GOLDEN=1 build/unit/export/test_alert writes it", path,
		         expected.data, out.data);
}

static void add_plain(const struct alert *a, struct buf *out)
{
	alert_add_text(a, false, false, out);
}

static void add_iso(const struct alert *a, struct buf *out)
{
	alert_add_text(a, false, true, out);
}

static void add_color(const struct alert *a, struct buf *out)
{
	alert_add_text(a, true, false, out);
}

static void add_color_iso(const struct alert *a, struct buf *out)
{
	alert_add_text(a, true, true, out);
}

static void test_plain(void **state)
{
	(void)state;
	assert_golden(GOLDEN "alert.txt", add_plain);
}

static void test_iso(void **state)
{
	(void)state;
	assert_golden(GOLDEN "alert_iso.txt", add_iso);
}

static void test_color(void **state)
{
	(void)state;
	assert_golden(GOLDEN "alert_color.txt", add_color);
}

static void test_color_iso(void **state)
{
	(void)state;
	assert_golden(GOLDEN "alert_color_iso.txt", add_color_iso);
}

static void test_json(void **state)
{
	(void)state;
	assert_golden(GOLDEN "alert.json", alert_add_json);
}

static void test_priority_colors(void **state)
{
	(void)state;
	static const char *const colors[] = {"\x1b[1;31m", "\x1b[1;31m", "\x1b[1;31m", "\x1b[31m", "\x1b[33m",
	                                     "\x1b[36m",   "\x1b[2m",    "\x1b[2m",    "\x1b[2m"};
	for (unsigned priority = 0; priority < ARRAY_SIZE(colors); priority++) {
		char expected[64];
		_cleanup_(buf_done) struct buf out;
		struct alert a = sample();
		a.priority = priority;
		a.priority_name = "P";
		buf_init(&out, 4096);
		alert_add_text(&a, true, false, &out);
		snprintf(expected, sizeof(expected), "\x1b[2m00:56:18.629\x1b[0m %sP       \x1b[0m \x1b[1mRead",
		         colors[priority]);
		assert_memory_equal(out.data, expected, strlen(expected));
	}
}

/* Whatever the output holds, a line stays a line and nothing in it moves a cursor. */
static void test_one_harmless_line(void **state)
{
	(void)state;
	unsigned random = 7;
	for (int round = 0; round < 2000; round++) {
		char bytes[40];
		for (size_t i = 0; i < sizeof(bytes); i++) {
			random = random * 1664525u + 1013904223u;
			bytes[i] = (char)(random >> 24);
		}
		struct alert a = sample();
		a.output = str_make(bytes, sizeof(bytes));
		_cleanup_(buf_done) struct buf plain, json;
		buf_init(&plain, 4096);
		buf_init(&json, 4096);
		alert_add_text(&a, false, false, &plain);
		alert_add_json(&a, &json);
		assert_true(str_is_utf8(buf_str(&plain)) && str_is_utf8(buf_str(&json)));
		for (size_t i = 0; i < plain.length - 1; i++)
			assert_true((unsigned char)plain.data[i] >= 0x20 && plain.data[i] != 0x7f);
		for (size_t i = 0; i < json.length - 1; i++)
			assert_true((unsigned char)json.data[i] >= 0x20 && json.data[i] != 0x7f);
	}
}

static void test_limit(void **state)
{
	(void)state;
	struct alert a = sample();
	_cleanup_(buf_done) struct buf out;
	buf_init(&out, 50);
	alert_add_text(&a, false, false, &out);
	assert_int_equal(buf_error(&out), -ENOBUFS);
	buf_clear(&out);
	alert_add_json(&a, &out);
	assert_int_equal(buf_error(&out), -ENOBUFS);
}

int main(void)
{
	setenv("TZ", "XYZ-1", 1);
	tzset();
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(test_plain),
	        cmocka_unit_test(test_iso),
	        cmocka_unit_test(test_color),
	        cmocka_unit_test(test_color_iso),
	        cmocka_unit_test(test_json),
	        cmocka_unit_test(test_priority_colors),
	        cmocka_unit_test(test_one_harmless_line),
	        cmocka_unit_test(test_limit),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
