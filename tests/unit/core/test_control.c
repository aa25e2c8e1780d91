/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <cmocka.h>

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "core/control.h"

struct fixture {
	char dir[32], path[48], socket[64];
	struct control_server *server;
	unsigned orders;
	char last[64];
};

static int setup(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));
	if (!f)
		return -1;
	snprintf(f->dir, sizeof(f->dir), "/tmp/picket-control-XXXXXX");
	if (!mkdtemp(f->dir))
		return -1;
	snprintf(f->path, sizeof(f->path), "%s/status", f->dir);
	snprintf(f->socket, sizeof(f->socket), "%s" CONTROL_SUFFIX, f->path);
	*state = f;
	return control_server_new(f->path, &f->server);
}

static int teardown(void **state)
{
	struct fixture *f = *state;
	control_server_free(f->server);
	int r = rmdir(f->dir); /* its socket is gone */
	free(f);
	return r;
}

/* "good …" is done, all else is refused. */
static bool carry_out(void *userdata, struct str order, struct buf *answer)
{
	struct fixture *f = userdata;
	bool good = str_starts_with(order, STR("good"));
	f->orders++;
	snprintf(f->last, sizeof(f->last), STR_FMT, STR_ARG(order));
	buf_add_text(answer, good ? "it is done" : "it is not");
	return good;
}

static void serve_for(struct fixture *f, int ms)
{
	uint64_t end = clock_monotonic_ns() + (uint64_t)ms * NS_PER_MS;
	while (clock_monotonic_ns() < end) {
		struct pollfd p = {.fd = control_server_fd(f->server), .events = POLLIN};
		if (poll(&p, 1, 10) > 0)
			control_server_serve(f->server, carry_out, f);
	}
}

/* Exit code of a process that gives an order: 0 done, 1 refused, 2 otherwise. */
static int order_in_child(struct fixture *f, const char *order, const char *expected)
{
	int status = -1;
	pid_t pid = fork();
	assert_true(pid >= 0);
	if (pid == 0) {
		struct buf answer;
		bool done = false;
		buf_init(&answer, CONTROL_ANSWER_BYTES_MAX);
		int r = control_order(f->path, str_from(order), &done, &answer);
		_exit(r < 0 || !str_equals(buf_str(&answer), expected) ? 2 : done ? 0 : 1);
	}
	serve_for(f, 300);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	return WEXITSTATUS(status);
}

static bool skip_unless_root(void)
{
	if (geteuid() == 0)
		return false;
	print_message("only root may give orders\n");
	skip();
	return true;
}

static void test_orders(void **state)
{
	struct fixture *f = *state;
	struct stat st;
	if (skip_unless_root())
		return;
	assert_int_equal(stat(f->socket, &st), 0);
	assert_int_equal(st.st_mode & 0777, 0600);
	assert_int_equal(order_in_child(f, "good one", "it is done"), 0);
	assert_string_equal(f->last, "good one");
	assert_int_equal(order_in_child(f, "bad one", "it is not"), 1);
	assert_int_equal(f->orders, 2);
}

static void test_only_root(void **state)
{
	struct fixture *f = *state;
	int status = -1;
	if (skip_unless_root())
		return;
	assert_int_equal(chmod(f->socket, 0666) | chmod(f->dir, 0755), 0);
	pid_t pid = fork();
	assert_true(pid >= 0);
	if (pid == 0) {
		struct buf answer;
		bool done = true;
		buf_init(&answer, CONTROL_ANSWER_BYTES_MAX);
		if (setuid(65534) < 0)
			_exit(3);
		int r = control_order(f->path, STR("good one"), &done, &answer);
		_exit(r == 0 && !done && str_contains(buf_str(&answer), STR("only root")) ? 0 : 1);
	}
	serve_for(f, 300);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(WEXITSTATUS(status), 0);
	assert_int_equal(f->orders, 0);
}

static int silent_client(const struct fixture *f)
{
	struct sockaddr_un a = {.sun_family = AF_UNIX};
	snprintf(a.sun_path, sizeof(a.sun_path), "%s", f->socket);
	int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
	assert_true(fd >= 0);
	assert_int_equal(connect(fd, (struct sockaddr *)&a, sizeof(a)), 0);
	return fd;
}

static void test_silent_clients_are_no_hindrance(void **state)
{
	struct fixture *f = *state;
	int fds[3 * CONTROL_CLIENTS_MAX];
	if (skip_unless_root())
		return;
	for (size_t i = 0; i < ARRAY_SIZE(fds); i++) {
		fds[i] = silent_client(f);
		serve_for(f, 20);
	}
	assert_int_equal(order_in_child(f, "good", "it is done"), 0);
	for (size_t i = 0; i < ARRAY_SIZE(fds); i++)
		close(fds[i]);
}

static void test_long_orders_are_not_taken(void **state)
{
	struct fixture *f = *state;
	char order[CONTROL_ORDER_BYTES_MAX + 2];
	if (skip_unless_root())
		return;
	memset(order, 'x', sizeof(order));
	memcpy(order, "good", 4);
	order[sizeof(order) - 1] = '\0';
	assert_int_equal(order_in_child(f, order, ""), 2);
	assert_int_equal(f->orders, 0);
}

static void test_nobody_serves(void **state)
{
	struct fixture *f = *state;
	struct control_server *second = NULL;
	struct buf answer;
	bool done = false;
	buf_init(&answer, CONTROL_ANSWER_BYTES_MAX);
	assert_int_equal(control_server_new(f->path, &second), -EADDRINUSE);
	control_server_free(f->server);
	f->server = NULL;
	assert_int_equal(control_order(f->path, STR("good"), &done, &answer), -ENOENT);
	assert_false(done);
	buf_done(&answer);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test_setup_teardown(test_orders, setup, teardown),
	        cmocka_unit_test_setup_teardown(test_only_root, setup, teardown),
	        cmocka_unit_test_setup_teardown(test_silent_clients_are_no_hindrance, setup, teardown),
	        cmocka_unit_test_setup_teardown(test_long_orders_are_not_taken, setup, teardown),
	        cmocka_unit_test_setup_teardown(test_nobody_serves, setup, teardown),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
