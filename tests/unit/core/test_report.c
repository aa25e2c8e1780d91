/* SPDX-License-Identifier: Apache-2.0
 *
 * What people read on a terminal: it may quote anything, and must not let that act on the terminal.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/buf.h"
#include "core/log.h"
#include "core/report.h"

static void assert_harmless(struct str text)
{
	for (size_t i = 0; i < text.length; i++)
		assert_true((unsigned char)text.data[i] >= 0x20 || text.data[i] == '\n');
}

static size_t count_lines(struct str text)
{
	size_t lines = 0;
	for (size_t i = 0; i < text.length; i++)
		lines += text.data[i] == '\n';
	return lines;
}

/* ---- the status ---- */

#define EVIL "\\u001b[2J\\nforged"
static const char evil_status[] = "{\"version\":\"" EVIL "\",\"pid\":1,\"uptime_s\":1e300,"
                                  "\"content\":{\"rung\":\"off\",\"reason\":\"" EVIL "\",\"runs\":{\"name\":\"" EVIL
                                  "\"},\"probation\":{\"left_s\":1e300},"
                                  "\"staging\":{\"name\":\"" EVIL "\",\"outcome\":\"" EVIL "\",\"step\":\"" EVIL
                                  "\"}},\"processes\":{\"held\":1},"
                                  "\"events\":{\"judged\":3,\"by_type\":{\"" EVIL "\":3}},"
                                  "\"alerts\":{\"raised\":1,\"by_rule\":{\"" EVIL "\":1}},"
                                  "\"counters\":{\"" EVIL "\":1},\"counters_meaning\":{\"" EVIL "\":\"" EVIL "\"},"
                                  "\"recent\":{\"recording\":false,\"error\":\"" EVIL "\",\"left_out\":{\"writes\":2}},"
                                  "\"outputs\":[{\"name\":\"" EVIL "\"}],\"sensors\":[{\"name\":\"" EVIL
                                  "\",\"hook\":\"" EVIL "\"},{\"name\":\"x\"}]}";

static void test_status_quotes_harmlessly(void **state)
{
	(void)state;
	_cleanup_(buf_done) struct buf out;
	buf_init(&out, 1 << 16);
	assert_int_equal(report_add_text(str_from(evil_status), false, &out), 0);
	assert_harmless(buf_str(&out));
	assert_true(str_contains(buf_str(&out), STR("forged")));
	assert_false(str_contains(buf_str(&out), STR("\nforged")));
	assert_true(str_contains(buf_str(&out), STR("2 left out")));
	assert_int_equal(count_lines(buf_str(&out)), 16);
}

static void test_status_of_another_is_refused(void **state)
{
	(void)state;
	static const char *const bad[] = {"", "[]", "{", "7", "\x1b[2J"};
	_cleanup_(buf_done) struct buf out;
	buf_init(&out, 1 << 16);
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
		assert_int_equal(report_add_text(str_from(bad[i]), false, &out), -EBADMSG);
}

/* ---- messages ---- */

/* What log_write() puts on standard error. */
static void log_read(struct buf *out, const char *quoted)
{
	int pipe_fds[2], saved = dup(STDERR_FILENO);
	assert_int_equal(pipe2(pipe_fds, O_CLOEXEC), 0);
	assert_true(dup2(pipe_fds[1], STDERR_FILENO) >= 0);
	log_error("cannot read %s", quoted);
	assert_true(dup2(saved, STDERR_FILENO) >= 0);
	close(saved);
	close(pipe_fds[1]);
	char text[8192];
	ssize_t n = read(pipe_fds[0], text, sizeof(text));
	close(pipe_fds[0]);
	assert_true(n > 0);
	buf_add(out, text, (size_t)n);
}

static void test_message_is_one_harmless_line(void **state)
{
	(void)state;
	_cleanup_(buf_done) struct buf out;
	buf_init(&out, 1 << 16);
	log_read(&out, "a\x1b]0;owned\x07\npicket: all is well\r");
	assert_harmless(buf_str(&out));
	assert_int_equal(count_lines(buf_str(&out)), 1);
	assert_true(str_starts_with(buf_str(&out), STR("picket: error: cannot read a\xef\xbf\xbd]0;owned")));
	buf_clear(&out);
	log_read(&out, "/srv/dä");
	assert_true(str_equal(buf_str(&out), STR("picket: error: cannot read /srv/dä\n")));
}

static void test_long_message_is_cut(void **state)
{
	(void)state;
	char quoted[5000];
	_cleanup_(buf_done) struct buf out;
	buf_init(&out, 1 << 16);
	memset(quoted, '\x01', sizeof(quoted) - 1);
	quoted[sizeof(quoted) - 1] = '\0';
	log_read(&out, quoted);
	assert_int_equal(count_lines(buf_str(&out)), 1);
	assert_int_equal(out.data[out.length - 1], '\n');
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(test_status_quotes_harmlessly),
	        cmocka_unit_test(test_status_of_another_is_refused),
	        cmocka_unit_test(test_message_is_one_harmless_line),
	        cmocka_unit_test(test_long_message_is_cut),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
