/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "export/export_int.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

static char directory[] = "/tmp/test_syslog.XXXXXX";
static struct sockaddr_un address = {.sun_family = AF_UNIX};

static int setup(void **state)
{
	(void)state;
	setenv("TZ", "UTC", 1);
	if (!mkdtemp(directory))
		return -1;
	snprintf(address.sun_path, sizeof(address.sun_path), "%s/log", directory);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	unlink(address.sun_path);
	return rmdir(directory);
}

static int daemon_start(void)
{
	int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	unlink(address.sun_path);
	assert_int_equal(bind(fd, (struct sockaddr *)&address, sizeof(address)), 0);
	return fd;
}

static int put(struct export_output *o, unsigned priority, const char *name, const char *text)
{
	struct alert a = {.rule = "r", .priority = priority, .priority_name = name, .output = str_from(text)};
	return export_put(o, &a);
}

/* <PRI> and the rest of the message, without the time of sending. */
static void assert_message(int daemon, unsigned priority, const char *text)
{
	char message[4096] = {0}, month[4], expected[128];
	unsigned found;
	int day, hour, minute, second, rest = 0;
	assert_true(recv(daemon, message, sizeof(message) - 1, MSG_DONTWAIT) > 0);
	int count = sscanf(message, "<%u>%3s %2d %2d:%2d:%2d %n", &found, month, &day, &hour, &minute, &second, &rest);
	assert_int_equal(count, 6);
	assert_int_equal(found, priority);
	snprintf(expected, sizeof(expected), "agent[%d]: 00:00:00.000000000: %s", (int)getpid(), text);
	assert_string_equal(message + rest, expected);
}

static void test_send(void **state)
{
	(void)state;
	struct export_output *o = NULL;
	int daemon = daemon_start();
	assert_int_equal(export_syslog_new_at(address.sun_path, "agent", &o), 0);
	assert_string_equal(export_name(o), "syslog");
	assert_int_equal(put(o, 0, "Emergency", "a"), 0);
	assert_int_equal(put(o, 4, "Warning", "b\nc"), 0);
	assert_int_equal(put(o, 7, "Debug", ""), 0);
	assert_message(daemon, 8 + 0, "Emergency a");
	assert_message(daemon, 8 + 4,
	               "Warning b\xef\xbf\xbd"
	               "c");
	assert_message(daemon, 8 + 7, "Debug ");
	assert_int_equal(export_failures(o), 0);
	export_free(o);
	close(daemon);
}

static void test_daemon_restarts(void **state)
{
	(void)state;
	struct export_output *o = NULL;
	int daemon = daemon_start();
	assert_int_equal(export_syslog_new_at(address.sun_path, "agent", &o), 0);
	close(daemon);
	assert_int_equal(put(o, 4, "Warning", "lost"), -ECONNREFUSED);
	unlink(address.sun_path);
	assert_int_equal(put(o, 4, "Warning", "lost"), -ENOENT);
	daemon = daemon_start();
	assert_int_equal(put(o, 4, "Warning", "1"), 0);
	assert_message(daemon, 8 + 4, "Warning 1");
	assert_int_equal(export_failures(o), 2);
	export_free(o);
	close(daemon);
}

/* A daemon that does not read: the first message waits a little, the others not at all, none is lost uncounted. */
static void test_daemon_stuck(void **state)
{
	(void)state;
	struct export_output *o = NULL;
	int daemon = daemon_start();
	uint64_t sent = 0, failed = 0;
	assert_int_equal(export_syslog_new_at(address.sun_path, "agent", &o), 0);
	for (int i = 0; i < 2000; i++) {
		int error = put(o, 4, "Warning", "x");
		assert_true(error == 0 || error == -EAGAIN);
		sent += error == 0;
		failed += error != 0;
	}
	assert_true(sent > 0 && failed > 0);
	assert_int_equal(export_failures(o), failed);
	for (uint64_t i = 0; i < sent; i++)
		assert_message(daemon, 8 + 4, "Warning x");
	assert_int_equal(put(o, 4, "Warning", "again"), 0);
	assert_message(daemon, 8 + 4, "Warning again");
	export_free(o);
	close(daemon);
}

static void test_open_fails(void **state)
{
	(void)state;
	struct export_output *o = NULL;
	char long_path[200];
	unlink(address.sun_path);
	memset(long_path, 'x', sizeof(long_path) - 1);
	long_path[sizeof(long_path) - 1] = '\0';
	assert_int_equal(export_syslog_new_at(address.sun_path, "agent", &o), -ENOENT);
	assert_int_equal(export_syslog_new_at(long_path, "agent", &o), -ENAMETOOLONG);
	assert_null(o);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(test_send),
	        cmocka_unit_test(test_daemon_restarts),
	        cmocka_unit_test(test_daemon_stuck),
	        cmocka_unit_test(test_open_fails),
	};
	return cmocka_run_group_tests(tests, setup, teardown);
}
