/* SPDX-License-Identifier: Apache-2.0
 *
 * Pipes stand for memory that its owner gives when it likes.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/clock.h"
#include "enrich/process_int.h"

#define SECOND_US 1100000

static void test_reads_to_the_end(void **state)
{
	(void)state;
	_cleanup_(buf_done) struct buf out;
	buf_init(&out, 1 << 16);
	buf_add_text(&out, "before:");
	int fd = memfd_create("text", MFD_CLOEXEC);
	assert_int_equal(write(fd, "abc", 3), 3);
	assert_int_equal(lseek(fd, 0, SEEK_SET), 0);
	assert_int_equal(process_memory_read(fd, &out), 0);
	assert_true(str_equal(buf_str(&out), STR("before:abc")));
	assert_int_equal(fcntl(fd, F_GETFD), -1); /* it was taken over */
}

static void test_long_text_is_cut(void **state)
{
	(void)state;
	_cleanup_(buf_done) struct buf out;
	buf_init(&out, 1000);
	int fd = open("/dev/zero", O_RDONLY | O_CLOEXEC);
	assert_int_equal(process_memory_read(fd, &out), 0);
	assert_int_equal(out.length, 1000);
}

static void test_error(void **state)
{
	(void)state;
	_cleanup_(buf_done) struct buf out;
	buf_init(&out, 1000);
	assert_int_equal(process_memory_read(open("/", O_RDONLY | O_CLOEXEC), &out), -EISDIR);
	assert_int_equal(out.length, 0);
}

/* Whatever owners of memory do, no second loses more than a part of itself. */
static void test_owner_that_does_not_give(void **state)
{
	(void)state;
	int pipes[100][2], timed_out = 0, refused = 0;
	_cleanup_(buf_done) struct buf out;
	buf_init(&out, 1000);
	usleep(SECOND_US);
	alarm(60); /* a read that waits ends the test */
	uint64_t begin = clock_monotonic_ns();
	for (size_t i = 0; i < ARRAY_SIZE(pipes); i++) {
		assert_int_equal(pipe2(pipes[i], O_CLOEXEC), 0);
		int r = process_memory_read(pipes[i][0], &out);
		assert_true(r == -ETIMEDOUT || r == -EBUSY);
		*(r == -ETIMEDOUT ? &timed_out : &refused) += 1;
	}
	uint64_t elapsed = clock_monotonic_ns() - begin;
	assert_true(timed_out > 0 && refused > 0);
	assert_true(elapsed < NS_PER_S / 2);
	assert_int_equal(process_memory_stuck(), timed_out);
	for (size_t i = 0; i < ARRAY_SIZE(pipes); i++)
		close(pipes[i][1]);
	for (int i = 0; process_memory_stuck() > 0; i++) {
		assert_true(i < 5000);
		usleep(1000);
	}
	usleep(SECOND_US);
	test_reads_to_the_end(state);
	alarm(0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(test_reads_to_the_end),
	        cmocka_unit_test(test_long_text_is_cut),
	        cmocka_unit_test(test_error),
	        cmocka_unit_test(test_owner_that_does_not_give),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
