/* SPDX-License-Identifier: Apache-2.0 */
#include <pthread.h>
#include <sched.h>
#include <sys/prctl.h>
#include <time.h>

#include "helper_fixture.h"

/* What each engine says, and what the kernel says where it is asked: not the same, but in order. */
struct answers {
	uint64_t here[ARRAY_SIZE(fixture_engines)];
	size_t count;
	uint64_t kernel; /* 0: not asked */
};

static struct answers ask(const char *helper)
{
	char text[128];
	struct answers a = {0};
	struct fixture f;
	struct everywhere e;

	snprintf(text, sizeof(text), "call %s\nlddw %%r6, map_value[0]\nstxdw [%%r6+0], %%r0\nexit\n", helper);
	fixture_init(&f);
	everywhere_open(&e, &f, text, true);
	for (size_t i = 0; i < ARRAY_SIZE(fixture_engines); i++)
		if (fixture_run(&f, e.programs[i]) == 0)
			memcpy(&a.here[a.count++], f.buffer, 8);
	if (e.kernel >= 0) {
		kernel_run(&f, e.kernel);
		memcpy(&a.kernel, f.buffer, 8);
	}
	everywhere_close(&e);
	fixture_done(&f);
	assert_true(a.count > 0);
	return a;
}

static uint64_t clock_ns(clockid_t clock)
{
	struct timespec t;

	assert_int_equal(clock_gettime(clock, &t), 0);
	return (uint64_t)t.tv_sec * 1000000000 + (uint64_t)t.tv_nsec;
}

static void check_clock(const char *helper, clockid_t clock, bool in_kernel)
{
	uint64_t last = clock_ns(clock);
	struct answers a = ask(helper);

	for (size_t i = 0; i < a.count; i++) {
		assert_true(a.here[i] >= last);
		last = a.here[i];
	}
	if (in_kernel && a.kernel) {
		assert_true(a.kernel >= last);
		last = a.kernel;
	}
	assert_true(clock_ns(clock) >= last);
}

static void test_clocks(void **state)
{
	(void)state;
	check_clock("ktime_get_ns", CLOCK_MONOTONIC, true);
	check_clock("ktime_get_boot_ns", CLOCK_BOOTTIME, true);
	check_clock("ktime_get_coarse_ns", CLOCK_MONOTONIC_COARSE, true);
	check_clock("ktime_get_tai_ns", CLOCK_TAI, true);
}

/* The kernel loses a tick now and then: ten seconds' worth here. */
static void test_jiffies(void **state)
{
	struct answers a = ask("jiffies64");
	uint64_t behind = a.here[0] - a.kernel, limit = 10 * 1000;

	(void)state;
	for (size_t i = 1; i < a.count; i++)
		assert_true(a.here[i] >= a.here[i - 1]);
	if (a.kernel)
		assert_in_range(behind + limit, 0, 2 * limit);
}

static void test_random(void **state)
{
	static const char code[] = "lddw %r6, map_value[0]\n"
	                           "mov %r7, 0\n"
	                           "next:\n"
	                           "call get_prandom_u32\n"
	                           "mov %r1, %r0\n"
	                           "rsh %r1, 32\n"
	                           "jne %r1, 0, wide\n"
	                           "mov %r1, %r6\n"
	                           "add %r1, %r7\n"
	                           "stxw [%r1+0], %r0\n"
	                           "add %r7, 4\n"
	                           "jlt %r7, 1024, next\n"
	                           "mov %r0, 0\n"
	                           "exit\n"
	                           "wide:\n"
	                           "mov %r0, 1\n"
	                           "exit\n";
	struct fixture f;

	(void)state;
	fixture_init(&f);
	for (size_t i = 0; i < ARRAY_SIZE(fixture_engines); i++) {
		struct picket_program *p = fixture_load(&f, fixture_engines[i], code);
		int r = fixture_run(&f, p);
		unsigned ones[32] = {0};
		picket_program_free(p);
		if (r == -EOPNOTSUPP)
			continue;
		assert_int_equal(r, 0);
		assert_int_equal(f.call.result, 0);
		for (size_t j = 0; j < 8 * FIXTURE_BUFFER; j++)
			ones[j % 32] += f.buffer[j / 8] >> j % 8 & 1;
		for (size_t bit = 0; bit < 32; bit++)
			assert_in_range(ones[bit], 128 - 80, 128 + 80); /* ten standard deviations */
	}
	fixture_done(&f);
}

static void test_ids(void **state)
{
	struct answers ids = ask("get_current_pid_tgid"), users = ask("get_current_uid_gid");
	struct answers cpu = ask("get_smp_processor_id"), node = ask("get_numa_node_id");
	unsigned here;

	(void)state;
	assert_int_equal(getcpu(NULL, &here), 0);
	for (size_t i = 0; i < ids.count; i++) {
		assert_int_equal(ids.here[i], (uint64_t)getpid() << 32 | (uint64_t)gettid());
		assert_int_equal(users.here[i], (uint64_t)getgid() << 32 | getuid());
		assert_int_equal(cpu.here[i], vm_thread_number());
		assert_int_equal(node.here[i], here);
	}
	if (ids.kernel)
		assert_int_equal(ids.kernel, ids.here[0]);
	if (users.kernel)
		assert_int_equal(users.kernel, users.here[0]);
}

static void *test_ids_of_thread(void *state)
{
	struct answers ids = ask("get_current_pid_tgid"), cpu = ask("get_smp_processor_id");

	assert_int_equal(ids.here[0], (uint64_t)getpid() << 32 | (uint64_t)gettid());
	assert_int_not_equal(cpu.here[0], *(int *)state);
	return NULL;
}

static void test_thread(void **state)
{
	int number = vm_thread_number();
	pthread_t thread;

	(void)state;
	assert_int_equal(pthread_create(&thread, NULL, test_ids_of_thread, &number), 0);
	pthread_join(thread, NULL);
}

static void test_comm(void **state)
{
	static const char code[] = "lddw %%r1, map_value[0]\n"
	                           "mov %%r2, %d\n"
	                           "call get_current_comm\n"
	                           "exit\n";
	static const struct {
		int size;
		const char *comm;
	} cases[] = {{1, ""}, {4, "hel"}, {7, "helper"}, {16, "helper"}, {40, "helper"}};
	char name[16] = "";

	(void)state;
	assert_int_equal(prctl(PR_GET_NAME, name), 0);
	assert_int_equal(prctl(PR_SET_NAME, "helper"), 0);
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct fixture f;
		char text[128];
		fixture_init(&f);
		memset(f.buffer, 0xee, FIXTURE_BUFFER);
		snprintf(text, sizeof(text), code, cases[i].size);
		assert_int_equal(fixture_as_kernel(&f, text), 0);
		assert_string_equal((char *)f.buffer, cases[i].comm);
		for (int j = (int)strlen(cases[i].comm); j < cases[i].size; j++)
			assert_int_equal(f.buffer[j], 0);
		assert_int_equal(f.buffer[cases[i].size], 0xee);
		fixture_done(&f);
	}
	prctl(PR_SET_NAME, name);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(test_clocks), cmocka_unit_test(test_jiffies), cmocka_unit_test(test_random),
	        cmocka_unit_test(test_ids),    cmocka_unit_test(test_thread),  cmocka_unit_test(test_comm),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
