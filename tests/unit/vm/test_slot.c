/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "picket/vm.h"

#include <errno.h>
#include <linux/bpf.h>
#include <pthread.h>
#include <sched.h>
#include <unistd.h>

enum { THREADS = 4, CHANGES = 300, PAUSE = PICKET_HELPER_OWN };

static void free_slot(struct picket_slot **s)
{
	picket_slot_free(*s);
}

static uint64_t pause_run(uint64_t r1, uint64_t r2, uint64_t r3, uint64_t r4, uint64_t r5, struct picket_run *run)
{
	void (*pause)(void) = picket_run_user(run);

	(void)r1, (void)r2, (void)r3, (void)r4, (void)r5;
	if (pause)
		pause();
	return 0;
}

/* r6 = number; pause(); r0 = r6: after the pause it goes on in the program's own memory. */
static struct picket_program *make_program(int number)
{
	const struct picket_insn insns[] = {
	        {.code = BPF_ALU64 | BPF_MOV | BPF_K, .dst = 6, .imm = number},
	        {.code = BPF_JMP | BPF_CALL, .imm = PAUSE},
	        {.code = BPF_ALU64 | BPF_MOV | BPF_X, .dst = 0, .src = 6},
	        {.code = BPF_JMP | BPF_EXIT},
	};
	const struct picket_helper helper = {
	        .id = PAUSE, .name = "pause", .returns = PICKET_RETURN_NUMBER, .function = pause_run};
	const struct picket_options options = {.helpers = &helper, .helper_count = 1};
	struct picket_program *p = NULL;
	struct picket_error error = {0};

	if (picket_program_load(insns, sizeof(insns) / sizeof(insns[0]), &options, &p, &error))
		fail_msg("%s", error.text);
	return p;
}

static struct picket_slot *make_slot(void)
{
	struct picket_slot *s = NULL;

	assert_int_equal(picket_slot_new(&s), 0);
	return s;
}

static void test_one_thread(void **state)
{
	(void)state;
	__attribute__((cleanup(free_slot))) struct picket_slot *s = make_slot();
	struct picket_call call = {0};

	assert_int_equal(picket_slot_run(s, &call), -ENOENT);
	picket_slot_replace(s, make_program(1));
	assert_int_equal(picket_slot_run(s, &call), 0);
	assert_int_equal(call.result, 1);
	picket_slot_replace(s, make_program(2));
	assert_int_equal(picket_slot_run(s, &call), 0);
	assert_int_equal(call.result, 2);
	picket_slot_replace(s, NULL);
	assert_int_equal(picket_slot_run(s, &call), -ENOENT);
	picket_slot_replace(s, make_program(3)); /* goes with the slot */
}

/* ---- a run that takes its time ---- */

static pthread_barrier_t inside;
static bool leaving;

static void take_time(void)
{
	pthread_barrier_wait(&inside);
	usleep(30000);
	__atomic_store_n(&leaving, true, __ATOMIC_RELAXED);
}

static void *run_slowly(void *slot)
{
	struct picket_call call = {.user = (void *)take_time};

	assert_int_equal(picket_slot_run(slot, &call), 0);
	assert_int_equal(call.result, 7);
	return NULL;
}

static void test_waits(void **state)
{
	(void)state;
	__attribute__((cleanup(free_slot))) struct picket_slot *s = make_slot();
	struct picket_call call = {0};
	pthread_t thread;

	pthread_barrier_init(&inside, NULL, 2);
	picket_slot_replace(s, make_program(7));
	assert_int_equal(pthread_create(&thread, NULL, run_slowly, s), 0);
	pthread_barrier_wait(&inside);
	picket_slot_replace(s, make_program(8));
	assert_true(__atomic_load_n(&leaving, __ATOMIC_RELAXED));
	assert_int_equal(picket_slot_run(s, &call), 0);
	assert_int_equal(call.result, 8);
	pthread_join(thread, NULL);
	pthread_barrier_destroy(&inside);
}

/* ---- many ---- */

#define RUNS_MIN 2000

struct shared {
	struct picket_slot *slot;
	uint32_t newest, stop; /* newest: number of the program that was put in last */
	uint64_t runs;
};

static void yield(void)
{
	sched_yield();
}

/* A program is at least as new as what was in place when the run began. */
static void *run_on(void *argument)
{
	struct shared *s = argument;
	uint64_t runs = 0, wrong = 0;

	while (!__atomic_load_n(&s->stop, __ATOMIC_RELAXED)) {
		struct picket_call call = {.user = runs % 16 ? NULL : (void *)yield};
		uint32_t before = __atomic_load_n(&s->newest, __ATOMIC_ACQUIRE);
		wrong += picket_slot_run(s->slot, &call) != 0;
		uint32_t after = __atomic_load_n(&s->newest, __ATOMIC_ACQUIRE);
		wrong += call.result < before || call.result > after + 1;
		runs++;
		__atomic_fetch_add(&s->runs, 1, __ATOMIC_RELAXED);
	}
	return (void *)(uintptr_t)wrong;
}

static void test_swap_while_running(void **state)
{
	(void)state;
	struct shared s = {.slot = make_slot()};
	pthread_t threads[THREADS];

	picket_slot_replace(s.slot, make_program(0));
	for (size_t i = 0; i < THREADS; i++)
		assert_int_equal(pthread_create(&threads[i], NULL, run_on, &s), 0);
	/* However few turns a busy machine gives the threads: enough of them fall between changes. */
	for (uint32_t i = 1; i <= CHANGES || __atomic_load_n(&s.runs, __ATOMIC_RELAXED) < RUNS_MIN; i++) {
		picket_slot_replace(s.slot, make_program((int)i));
		__atomic_store_n(&s.newest, i, __ATOMIC_RELEASE);
	}
	__atomic_store_n(&s.stop, 1, __ATOMIC_RELAXED);
	for (size_t i = 0; i < THREADS; i++) {
		void *wrong = &s;
		pthread_join(threads[i], &wrong);
		assert_null(wrong);
	}
	picket_slot_free(s.slot);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(test_one_thread),
	        cmocka_unit_test(test_waits),
	        cmocka_unit_test(test_swap_while_running),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
