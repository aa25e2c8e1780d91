/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/file.h"
#include "export/export.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static char directory[] = "/tmp/test_export.XXXXXX";

static int setup(void **state)
{
	(void)state;
	signal(SIGPIPE, SIG_IGN);
	signal(SIGXFSZ, SIG_IGN);
	setenv("TZ", "UTC", 1);
	return mkdtemp(directory) ? chdir(directory) : -1;
}

static int teardown(void **state)
{
	(void)state;
	char command[64];
	snprintf(command, sizeof(command), "rm -rf %s", directory);
	return chdir("/") || system(command);
}

static void output_free(struct export_output **o)
{
	export_free(*o);
}

static struct export_output *output_new(const char *path, struct export_file_options options)
{
	struct export_output *o = NULL;
	assert_int_equal(export_file_new(path, &options, &o), 0);
	return o;
}

static int put(struct export_output *o, const char *text)
{
	struct alert a = {.rule = "r", .priority = 5, .priority_name = "Notice", .output = str_from(text)};
	return export_put(o, &a);
}

#define LINE(text) "00:00:00.000000000: Notice " text "\n"
#define LINE_LENGTH (sizeof(LINE("x")) - 1)

static void assert_file(const char *path, const char *expected)
{
	_cleanup_(buf_done) struct buf b;
	buf_init(&b, 1 << 20);
	assert_int_equal(file_read(path, &b), 0);
	assert_string_equal(b.data ? b.data : "", expected);
}

static void test_append(void **state)
{
	(void)state;
	umask(022);
	for (int i = 0; i < 2; i++) {
		_cleanup_(output_free) struct export_output *o = output_new("append", (struct export_file_options){0});
		assert_int_equal(put(o, "x"), 0);
		assert_int_equal(export_flush(o), 0);
		assert_string_equal(export_name(o), "append");
		assert_int_equal(export_failures(o), 0);
	}
	assert_file("append", LINE("x") LINE("x"));
	struct stat st;
	assert_int_equal(stat("append", &st), 0);
	assert_int_equal(st.st_mode & 0777, 0640);
}

static void test_formats(void **state)
{
	(void)state;
	_cleanup_(output_free) struct export_output *json =
	        output_new("json", (struct export_file_options){.format = EXPORT_JSON});
	_cleanup_(output_free) struct export_output *iso =
	        output_new("iso", (struct export_file_options){.iso_time = true});
	assert_int_equal(put(json, "x"), 0);
	assert_int_equal(put(iso, "x"), 0);
	assert_file("iso", "1970-01-01T00:00:00.000000000+0000: Notice x\n");
	_cleanup_(buf_done) struct buf b;
	buf_init(&b, 4096);
	assert_int_equal(file_read("json", &b), 0);
	assert_true(str_starts_with(buf_str(&b), STR("{\"time\":\"1970-01-01T00:00:00.000000000Z\",\"rule\":\"r\",")));
	assert_true(str_ends_with(buf_str(&b), STR("}\n")));
}

static void test_open_fails(void **state)
{
	(void)state;
	struct export_file_options options = {0};
	struct export_output *o = NULL;
	assert_int_equal(export_file_new("none/file", &options, &o), -ENOENT);
	assert_int_equal(export_file_new(".", &options, &o), -EISDIR);
	assert_int_equal(mkfifo("unread", 0600), 0);
	assert_int_equal(export_file_new("unread", &options, &o), -ENXIO);
	options.rotate_keep = 1001;
	assert_int_equal(export_file_new("file", &options, &o), -EINVAL);
	assert_null(o);
}

static void test_rotate(void **state)
{
	(void)state;
	_cleanup_(output_free) struct export_output *o =
	        output_new("rotate", (struct export_file_options){.rotate_bytes = 2 * LINE_LENGTH, .rotate_keep = 2});
	static const char *const texts[] = {"1", "2", "3", "4", "5", "6", "7"};
	for (size_t i = 0; i < ARRAY_SIZE(texts); i++)
		assert_int_equal(put(o, texts[i]), 0);
	assert_file("rotate", LINE("7"));
	assert_file("rotate.1", LINE("5") LINE("6"));
	assert_file("rotate.2", LINE("3") LINE("4"));
	assert_int_equal(access("rotate.3", F_OK), -1);
	/* Longer than a file may be: it has one of its own. */
	assert_int_equal(put(o, "a long one, longer than two of the others are together"), 0);
	assert_int_equal(put(o, "8"), 0);
	assert_file("rotate", LINE("8"));
	assert_file("rotate.1", LINE("a long one, longer than two of the others are together"));
	assert_int_equal(export_failures(o), 0);
}

/* What cannot be renamed grows: no alert is lost, and nothing old is. */
static void test_rotate_fails(void **state)
{
	(void)state;
	_cleanup_(output_free) struct export_output *o =
	        output_new("stays", (struct export_file_options){.rotate_bytes = LINE_LENGTH, .rotate_keep = 2});
	assert_int_equal(mkdir("stays.2", 0700), 0);
	assert_int_equal(put(o, "1"), 0);
	assert_int_equal(put(o, "2"), 0); /* the name FILE.1 is free, FILE.2 is not */
	assert_int_equal(put(o, "3"), 0);
	assert_int_equal(put(o, "4"), 0);
	assert_file("stays", LINE("2") LINE("3") LINE("4"));
	assert_file("stays.1", LINE("1"));
	assert_int_equal(rmdir("stays.2"), 0);
	assert_int_equal(put(o, "5"), 0);
	assert_file("stays", LINE("5"));
	assert_file("stays.1", LINE("2") LINE("3") LINE("4"));
	assert_file("stays.2", LINE("1"));
}

static void test_moved_away(void **state)
{
	(void)state;
	_cleanup_(output_free) struct export_output *o =
	        output_new("moved", (struct export_file_options){.rotate_bytes = LINE_LENGTH});
	assert_int_equal(put(o, "1"), 0);
	assert_int_equal(rename("moved", "elsewhere"), 0);
	assert_int_equal(file_write_atomic("moved", STR("foreign\n"), 0600), 0);
	assert_int_equal(put(o, "2"), 0);
	assert_file("elsewhere", LINE("1"));
	assert_file("moved", "foreign\n" LINE("2"));
	assert_int_equal(access("moved.1", F_OK), -1);
}

static void test_reopen(void **state)
{
	(void)state;
	assert_int_equal(mkdir("d", 0700), 0);
	_cleanup_(output_free) struct export_output *o = output_new("d/reopen", (struct export_file_options){0});
	assert_int_equal(put(o, "1"), 0);
	assert_int_equal(rename("d/reopen", "d/old"), 0);
	assert_int_equal(put(o, "2"), 0);
	assert_int_equal(export_reopen(o), 0);
	assert_int_equal(put(o, "3"), 0);
	assert_file("d/old", LINE("1") LINE("2"));
	assert_file("d/reopen", LINE("3"));
	/* If it cannot be opened, the one that is open goes on. */
	assert_int_equal(rename("d", "e"), 0);
	assert_int_equal(export_reopen(o), -ENOENT);
	assert_int_equal(put(o, "4"), 0);
	assert_file("e/reopen", LINE("3") LINE("4"));
}

static void test_full_disk(void **state)
{
	(void)state;
	_cleanup_(output_free) struct export_output *o =
	        output_new("/dev/full", (struct export_file_options){.rotate_bytes = 1});
	assert_int_equal(put(o, "1"), -ENOSPC);
	assert_int_equal(put(o, "2"), -ENOSPC);
	assert_int_equal(export_failures(o), 2);
	assert_int_equal(export_flush(o), 0);
}

/* A file that may not grow beyond a limit takes part of the line, as a disk does that becomes full. */
static void test_partial_line_is_taken_back(void **state)
{
	(void)state;
	struct rlimit before, narrow;
	_cleanup_(output_free) struct export_output *o = output_new("partial", (struct export_file_options){0});
	assert_int_equal(put(o, "1"), 0);
	assert_int_equal(getrlimit(RLIMIT_FSIZE, &before), 0);
	narrow = before;
	narrow.rlim_cur = LINE_LENGTH + 10;
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &narrow), 0);
	int error = put(o, "2");
	struct stat st;
	int found = stat("partial", &st);
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &before), 0);
	assert_int_equal(error, -EFBIG);
	assert_int_equal(found, 0);
	assert_int_equal(st.st_size, LINE_LENGTH);
	assert_int_equal(export_failures(o), 1);
	assert_int_equal(put(o, "3"), 0);
	assert_file("partial", LINE("1") LINE("3"));
}

static void test_foreign_partial_line_is_ended(void **state)
{
	(void)state;
	assert_int_equal(file_write_atomic("died", STR("half a li"), 0600), 0);
	_cleanup_(output_free) struct export_output *o = output_new("died", (struct export_file_options){0});
	assert_int_equal(put(o, "1"), 0);
	assert_int_equal(put(o, "2"), 0);
	assert_file("died", "half a li\n" LINE("1") LINE("2"));
}

struct fifo_reader {
	int fd;
	size_t leave_after;
};

/* Reads a little, then goes away while the writer waits for room. */
static void *read_and_leave(void *userdata)
{
	struct fifo_reader *reader = userdata;
	char data[512];
	for (size_t total = 0; total < reader->leave_after;) {
		ssize_t got = read(reader->fd, data, sizeof(data));
		if (got <= 0)
			break;
		total += (size_t)got;
	}
	close(reader->fd);
	return NULL;
}

static uint64_t elapsed_ms(const struct timespec *since)
{
	struct timespec now;
	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)(now.tv_sec - since->tv_sec) * 1000 + (uint64_t)now.tv_nsec / 1000000 -
	       (uint64_t)since->tv_nsec / 1000000;
}

/* A reader that only holds its end open: alerts are lost, not time. */
static void test_stuck_reader(void **state)
{
	(void)state;
	static char long_text[10000];
	struct timespec begin;
	unsigned lost = 0, written = 0;
	memset(long_text, 'x', sizeof(long_text) - 1);
	alarm(60); /* a write that waits ends the test */
	assert_int_equal(mkfifo("stuck", 0600), 0);
	int reader = open("stuck", O_RDONLY | O_NONBLOCK | O_CLOEXEC);
	_cleanup_(output_free) struct export_output *o =
	        output_new("stuck", (struct export_file_options){.wait_ms = 100});
	clock_gettime(CLOCK_MONOTONIC, &begin);
	for (unsigned i = 0; i < 100; i++)
		*(put(o, long_text) == 0 ? &written : &lost) += 1;
	assert_true(elapsed_ms(&begin) < 5000); /* one wait, not one for each */
	assert_true(written > 0 && written < 20);
	assert_int_equal(export_failures(o), lost);
	assert_int_equal(put(o, "x"), -EAGAIN);
	/* It reads again: the line that was cut is ended, and the next is whole. */
	static char text[1 << 20];
	ssize_t n = read(reader, text, sizeof(text) - 1);
	assert_true(n > 0);
	assert_int_equal(put(o, "after"), 0);
	n = read(reader, text, sizeof(text) - 1);
	assert_true(n > 0);
	text[n] = '\0';
	assert_string_equal(text, "\n" LINE("after"));
	close(reader);
	alarm(0);
}

static void test_broken_pipe(void **state)
{
	(void)state;
	static char long_text[200000];
	memset(long_text, 'x', sizeof(long_text) - 1);
	assert_int_equal(mkfifo("fifo", 0600), 0);
	struct fifo_reader reader = {.fd = open("fifo", O_RDONLY | O_NONBLOCK), .leave_after = 1024};
	assert_true(reader.fd >= 0);
	assert_int_equal(fcntl(reader.fd, F_SETFL, 0), 0);
	_cleanup_(output_free) struct export_output *o =
	        output_new("fifo", (struct export_file_options){.rotate_bytes = 1});
	pthread_t thread;
	assert_int_equal(pthread_create(&thread, NULL, read_and_leave, &reader), 0);
	assert_int_equal(put(o, long_text), -EPIPE);
	pthread_join(thread, NULL);
	assert_int_equal(put(o, "lost"), -EPIPE);
	assert_int_equal(export_flush(o), -EPIPE);
	assert_int_equal(export_failures(o), 2);

	/* The next reader finds the part of a line that stayed in the pipe; it is ended before the next line. */
	_cleanup_(base_close_fd) int next = open("fifo", O_RDONLY | O_NONBLOCK);
	assert_true(next >= 0);
	char data[4096] = {0};
	ssize_t got, part = 0;
	while ((got = read(next, data, sizeof(data))) > 0)
		part += got;
	assert_true(part > 0 && part < (ssize_t)sizeof(long_text));
	assert_int_equal(put(o, "1"), 0);
	assert_int_equal(put(o, "2"), 0);
	memset(data, 0, sizeof(data));
	assert_true(read(next, data, sizeof(data) - 1) > 0);
	assert_string_equal(data, "\n" LINE("1") LINE("2"));
}

static void test_too_long(void **state)
{
	(void)state;
	enum { LENGTH = 5 << 20 };
	_cleanup_(base_free_ptr) char *text = malloc(LENGTH + 1);
	assert_non_null(text);
	memset(text, 'x', LENGTH);
	text[LENGTH] = '\0';
	_cleanup_(output_free) struct export_output *o = output_new("long", (struct export_file_options){0});
	assert_int_equal(put(o, text), -ENOBUFS);
	assert_int_equal(put(o, "1"), 0);
	assert_int_equal(export_failures(o), 1);
	assert_file("long", LINE("1"));
}

/* In a child, whose standard output is a file. */
static void test_stdout(void **state)
{
	(void)state;
	pid_t child = fork();
	assert_true(child >= 0);
	if (child == 0) {
		struct export_output *o = NULL;
		struct export_file_options options = {.rotate_bytes = 1};
		int fd = open("stdout", O_WRONLY | O_CREAT | O_TRUNC, 0600);
		bool good = fd >= 0 && dup2(fd, STDOUT_FILENO) == STDOUT_FILENO &&
		            export_file_new("-", &options, &o) == 0 && put(o, "1") == 0 && put(o, "2") == 0 &&
		            export_reopen(o) == 0 && put(o, "3") == 0 && strcmp(export_name(o), "stdout") == 0;
		export_free(o);
		/* It stays open: it is not the output's own. */
		good = good && write(STDOUT_FILENO, "end\n", 4) == 4;
		close(STDOUT_FILENO);
		o = NULL;
		good = good && export_file_new("-", &options, &o) == -EBADF && !o;
		close(fd);
		_exit(good ? 0 : 1);
	}
	int status;
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_int_equal(status, 0);
	assert_file("stdout", LINE("1") LINE("2") LINE("3") "end\n");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(test_append),
	        cmocka_unit_test(test_formats),
	        cmocka_unit_test(test_open_fails),
	        cmocka_unit_test(test_rotate),
	        cmocka_unit_test(test_rotate_fails),
	        cmocka_unit_test(test_moved_away),
	        cmocka_unit_test(test_reopen),
	        cmocka_unit_test(test_full_disk),
	        cmocka_unit_test(test_partial_line_is_taken_back),
	        cmocka_unit_test(test_foreign_partial_line_is_ended),
	        cmocka_unit_test(test_broken_pipe),
	        cmocka_unit_test(test_stuck_reader),
	        cmocka_unit_test(test_too_long),
	        cmocka_unit_test(test_stdout),
	};
	return cmocka_run_group_tests(tests, setup, teardown);
}
