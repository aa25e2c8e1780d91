/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "core/status.h"

struct fixture {
	char dir[64], path[128];
	struct status_server *server;
	size_t text_bytes; /* of each answer */
	unsigned asked;
};

static int setup(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));
	if (!f)
		return -1;
	snprintf(f->dir, sizeof(f->dir), "/tmp/picket-status-XXXXXX");
	if (!mkdtemp(f->dir))
		return -1;
	snprintf(f->path, sizeof(f->path), "%s/sub/status.sock", f->dir);
	f->text_bytes = 20;
	*state = f;
	return 0;
}

static int teardown(void **state)
{
	struct fixture *f = *state;
	char sub[128];
	status_server_free(f->server);
	unlink(f->path);
	snprintf(sub, sizeof(sub), "%s/sub", f->dir);
	if (rmdir(sub) < 0 && errno != ENOENT)
		print_message("%s is left\n", sub);
	int r = rmdir(f->dir);
	free(f);
	return r;
}

static void fill(void *userdata, struct buf *out)
{
	struct fixture *f = userdata;
	f->asked++;
	for (size_t i = 0; i < f->text_bytes; i++)
		buf_add_char(out, 'x');
}

static void serve_for(struct fixture *f, int ms)
{
	uint64_t end = clock_monotonic_ns() + (uint64_t)ms * NS_PER_MS;
	while (clock_monotonic_ns() < end) {
		struct pollfd p = {.fd = status_server_fd(f->server), .events = POLLIN};
		if (poll(&p, 1, 10) > 0)
			status_server_serve(f->server, fill, f);
	}
}

/* A process that asks, and gives back how many bytes it got through its exit code: 0 if as many as expected. */
static pid_t ask_in_child(const struct fixture *f)
{
	pid_t pid = fork();
	assert_true(pid >= 0);
	if (pid > 0)
		return pid;
	struct buf out;
	buf_init(&out, STATUS_BYTES_MAX);
	int r = status_fetch(f->path, &out);
	_exit(r == 0 && out.length == f->text_bytes ? 0 : 1);
}

static void expect_answer(struct fixture *f)
{
	int status = -1;
	pid_t pid = ask_in_child(f);
	serve_for(f, 300);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
}

static int client_connect(const char *path)
{
	struct sockaddr_un a = {.sun_family = AF_UNIX};
	strcpy(a.sun_path, path);
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	assert_true(fd >= 0);
	assert_int_equal(connect(fd, (struct sockaddr *)&a, sizeof(a)), 0);
	return fd;
}

static void test_answers(void **state)
{
	struct fixture *f = *state;
	struct stat st;
	assert_int_equal(status_server_new(f->path, &f->server), 0);
	assert_int_equal(stat(f->path, &st), 0);
	assert_int_equal(st.st_mode & 0777, 0600);
	expect_answer(f);
	f->text_bytes = 900000; /* more than the socket holds */
	expect_answer(f);
	assert_int_equal(f->asked, 2);
}

static void test_second_is_refused(void **state)
{
	struct fixture *f = *state;
	struct status_server *second = NULL;
	assert_int_equal(status_server_new(f->path, &f->server), 0);
	assert_int_equal(status_server_new(f->path, &second), -EADDRINUSE);
	assert_null(second);
	expect_answer(f);
}

static void test_stale_socket_is_replaced(void **state)
{
	struct fixture *f = *state;
	int dead = socket(AF_UNIX, SOCK_STREAM, 0);
	char other[140];
	snprintf(other, sizeof(other), "%s/stale", f->dir);
	struct sockaddr_un a = {.sun_family = AF_UNIX};
	strcpy(a.sun_path, other);
	assert_int_equal(bind(dead, (struct sockaddr *)&a, sizeof(a)), 0);
	close(dead);
	struct status_server *s;
	assert_int_equal(status_server_new(other, &s), 0);
	status_server_free(s);
	assert_int_equal(access(other, F_OK), -1);
}

/* A file that is no socket is somebody's file. */
static void test_other_files_are_left_alone(void **state)
{
	struct fixture *f = *state;
	struct status_server *s = NULL;
	char other[140];
	snprintf(other, sizeof(other), "%s/file", f->dir);
	int fd = open(other, O_CREAT | O_WRONLY, 0600);
	assert_true(fd >= 0);
	close(fd);
	assert_true(status_server_new(other, &s) < 0);
	assert_null(s);
	assert_int_equal(access(other, F_OK), 0);
	unlink(other);
}

static void test_clients_are_bounded(void **state)
{
	struct fixture *f = *state;
	int clients[STATUS_CLIENTS_MAX + 4];
	f->text_bytes = 900000;
	assert_int_equal(status_server_new(f->path, &f->server), 0);
	for (size_t i = 0; i < ARRAY_SIZE(clients); i++) {
		clients[i] = client_connect(f->path);
		status_server_serve(f->server, fill, f);
	}
	assert_int_equal(f->asked, STATUS_CLIENTS_MAX);
	char c;
	assert_int_equal(recv(clients[STATUS_CLIENTS_MAX], &c, 1, 0), 0); /* turned away */
	for (size_t i = 0; i < ARRAY_SIZE(clients); i++)
		close(clients[i]);
	serve_for(f, 50);
	f->text_bytes = 10;
	expect_answer(f); /* and all places are free again */
}

static void test_too_long_path(void **state)
{
	struct fixture *f = *state;
	char path[300];
	memset(path, 'x', sizeof(path) - 1);
	path[sizeof(path) - 1] = '\0';
	struct buf out;
	buf_init(&out, 10);
	assert_int_equal(status_server_new(path, &f->server), -ENAMETOOLONG);
	assert_int_equal(status_fetch(path, &out), -ENAMETOOLONG);
	assert_int_equal(status_fetch("/nonexistent/x", &out), -ENOENT);
	buf_done(&out);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test_setup_teardown(test_answers, setup, teardown),
	        cmocka_unit_test_setup_teardown(test_second_is_refused, setup, teardown),
	        cmocka_unit_test_setup_teardown(test_stale_socket_is_replaced, setup, teardown),
	        cmocka_unit_test_setup_teardown(test_other_files_are_left_alone, setup, teardown),
	        cmocka_unit_test_setup_teardown(test_clients_are_bounded, setup, teardown),
	        cmocka_unit_test_setup_teardown(test_too_long_path, setup, teardown),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
