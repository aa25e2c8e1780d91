/* SPDX-License-Identifier: Apache-2.0
 *
 * Which processes are ended, and which are not. What the kernel's lists hold is tested live: tests/policy/live_disarm.
 */
#include <errno.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "loader/inventory_int.h"

/* A child of a name that would mislead who splits /proc/PID/stat at the first parenthesis. */
static int child_start(void)
{
	int ready[2];
	char byte = 0;
	assert_int_equal(pipe(ready), 0);
	int pid = fork();
	if (pid == 0) {
		prctl(PR_SET_NAME, "x) 1 2 (y", 0, 0, 0);
		(void)!write(ready[1], &byte, 1);
		for (;;)
			pause();
	}
	assert_true(pid > 0);
	assert_int_equal(read(ready[0], &byte, 1), 1);
	close(ready[0]);
	close(ready[1]);
	return pid;
}

static bool child_lives(int pid)
{
	return waitpid(pid, NULL, WNOHANG) == 0;
}

static void child_end(int pid)
{
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
}

static int kill_one(int pid, uint64_t start_ticks, bool picket)
{
	struct inventory *inventory = calloc(1, sizeof(*inventory));
	assert_non_null(inventory);
	inventory->process_count = 1;
	inventory->processes[0] = (struct inventory_process){.pid = pid, .start_ticks = start_ticks, .picket = picket};
	int r = inventory_kill(inventory);
	free(inventory);
	return r;
}

static void test_start_ticks(void **state)
{
	(void)state;
	int pid = child_start();
	uint64_t own = inventory_start_ticks(getpid()), its = inventory_start_ticks(pid);
	assert_true(own > 0);
	assert_true(its >= own);
	assert_true(its - own < 100 * (uint64_t)sysconf(_SC_CLK_TCK));
	child_end(pid);
	assert_int_equal(inventory_start_ticks(pid), 0);
}

static void test_kill(void **state)
{
	(void)state;
	int pid = child_start();
	uint64_t ticks = inventory_start_ticks(pid);
	assert_int_equal(kill_one(pid, ticks, false), -EEXIST);
	assert_true(child_lives(pid));
	assert_int_equal(kill_one(pid, ticks + 1, true), 0); /* the pid is another's by now */
	assert_true(child_lives(pid));
	assert_int_equal(kill_one(pid, ticks, true), 1);
	assert_int_equal(waitpid(pid, NULL, 0), pid);
	assert_int_equal(kill_one(pid, ticks, true), 0); /* gone already */
}

static void test_settled(void **state)
{
	(void)state;
	struct inventory *inventory = calloc(1, sizeof(*inventory));
	assert_non_null(inventory);
	assert_true(inventory_is_settled(inventory));
	inventory->owner_count = 2;
	inventory->item_count = 2;
	inventory->items[0] = (struct inventory_item){.kind = INVENTORY_LINK, .id = 7, .owner = 0};
	inventory->items[1] =
	        (struct inventory_item){.kind = INVENTORY_PROGRAM, .id = 8, .owner = 1, .holder_count = 1};
	assert_false(inventory_is_settled(inventory));
	inventory->pin_count = 1;
	inventory->pins[0].id = 7; /* a link of this number, not a map */
	inventory->pins[0].kind = INVENTORY_MAP;
	assert_false(inventory_is_settled(inventory));
	inventory->pins[0].kind = INVENTORY_LINK;
	assert_true(inventory_is_settled(inventory));
	free(inventory);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(test_start_ticks),
	        cmocka_unit_test(test_kill),
	        cmocka_unit_test(test_settled),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
