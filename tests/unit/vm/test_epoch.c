/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "vm/map_int.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static void test_nests(void **state)
{
	(void)state;
	assert_false(vm_epoch_inside());
	vm_epoch_wait(); /* nobody is in */
	vm_epoch_enter();
	vm_epoch_enter();
	vm_epoch_leave();
	assert_true(vm_epoch_inside());
	vm_epoch_leave();
	assert_false(vm_epoch_inside());
	vm_epoch_wait();
}

/* ---- a reader that takes its time ---- */

struct slow {
	pthread_barrier_t inside;
	bool nested, leaving;
};

static void *stay_inside(void *argument)
{
	struct slow *s = argument;

	vm_epoch_enter();
	if (s->nested) {
		vm_epoch_enter();
		vm_epoch_leave();
	}
	pthread_barrier_wait(&s->inside);
	usleep(30000);
	__atomic_store_n(&s->leaving, true, __ATOMIC_RELAXED);
	vm_epoch_leave();
	return NULL;
}

static void check_wait(bool nested)
{
	struct slow s = {.nested = nested};
	pthread_t thread;

	pthread_barrier_init(&s.inside, NULL, 2);
	assert_int_equal(pthread_create(&thread, NULL, stay_inside, &s), 0);
	pthread_barrier_wait(&s.inside);
	vm_epoch_wait();
	assert_true(__atomic_load_n(&s.leaving, __ATOMIC_RELAXED));
	pthread_join(thread, NULL);
	pthread_barrier_destroy(&s.inside);
}

static void test_waits(void **state)
{
	(void)state;
	check_wait(false);
	check_wait(true);
}

/* ---- readers that never pause do not hold a writer up, and never see what was given up ---- */

enum { FAR_BYTES = 1 << 24, FAR_WRITES = 12, READERS_MAX = 3, ALIVE = 12345, DEAD = 54321 };

struct box {
	uint32_t *content;
	bool stop;
};

/* To lines that are in no cache: what is written next, that the reader has entered, waits behind them in the processor while
 * the reader reads on. Only a barrier that the writer makes it pass keeps the writer from seeing it outside meanwhile. */
static void write_far(uint8_t *far, uint64_t *random)
{
	for (unsigned i = 0; i < FAR_WRITES; i++) {
		*random = *random * 6364136223846793005u + 1442695040888963407u;
		__atomic_store_n(&far[(*random >> 32) % FAR_BYTES], 1, __ATOMIC_RELAXED);
	}
}

static void *read_on(void *argument)
{
	struct box *b = argument;
	uint64_t random = 1;
	uint8_t *far = malloc(FAR_BYTES);
	uintptr_t wrong = 0;

	assert_non_null(far);
	while (!__atomic_load_n(&b->stop, __ATOMIC_RELAXED)) {
		write_far(far, &random);
		vm_epoch_enter();
		const uint32_t *content = __atomic_load_n(&b->content, __ATOMIC_ACQUIRE);
		for (unsigned i = 0; i < 20; i++)
			wrong += __atomic_load_n(content, __ATOMIC_RELAXED) != ALIVE;
		vm_epoch_leave();
	}
	free(far);
	return (void *)wrong;
}

static uint32_t *new_content(void)
{
	uint32_t *content = malloc(sizeof(*content));

	assert_non_null(content);
	*content = ALIVE;
	return content;
}

static uint64_t now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

static void check_readers_and_writer(size_t readers)
{
	const uint64_t end = now_ms() + 500;
	struct box b = {.content = new_content()};
	pthread_t threads[READERS_MAX];

	for (size_t i = 0; i < readers; i++)
		assert_int_equal(pthread_create(&threads[i], NULL, read_on, &b), 0);
	while (now_ms() < end) {
		uint32_t *old = __atomic_exchange_n(&b.content, new_content(), __ATOMIC_ACQ_REL);
		vm_epoch_wait();
		__atomic_store_n(old, DEAD, __ATOMIC_RELAXED);
		free(old);
	}
	__atomic_store_n(&b.stop, true, __ATOMIC_RELAXED);
	for (size_t i = 0; i < readers; i++) {
		void *wrong = &b;
		pthread_join(threads[i], &wrong);
		assert_null(wrong);
	}
	free(b.content);
}

/* One reader and the writer, each on a CPU of its own, find a missing barrier best. */
static void test_readers_and_writer(void **state)
{
	(void)state;
	check_readers_and_writer(1);
	check_readers_and_writer(READERS_MAX);
}

/* ---- numbers ---- */

static void *take_number(void *argument)
{
	int *number = argument;

	*number = vm_thread_number();
	assert_int_equal(vm_thread_number(), *number);
	return NULL;
}

struct crowd {
	pthread_barrier_t taken, checked;
	int numbers[PICKET_CPUS_MAX + 4];
	unsigned next;
};

static void *take_and_hold(void *argument)
{
	struct crowd *c = argument;
	unsigned i = __atomic_fetch_add(&c->next, 1, __ATOMIC_RELAXED);

	c->numbers[i] = vm_thread_number();
	pthread_barrier_wait(&c->taken);
	pthread_barrier_wait(&c->checked);
	return NULL;
}

/* All numbers are given out, none twice; then there are no more, until threads end. */
static void test_numbers(void **state)
{
	(void)state;
	enum { THREADS = PICKET_CPUS_MAX + 4 };
	pthread_t threads[THREADS];
	struct crowd c = {0};
	uint64_t seen = 1ull << vm_thread_number();
	unsigned busy = 0;

	pthread_barrier_init(&c.taken, NULL, THREADS + 1);
	pthread_barrier_init(&c.checked, NULL, THREADS + 1);
	for (size_t i = 0; i < THREADS; i++)
		assert_int_equal(pthread_create(&threads[i], NULL, take_and_hold, &c), 0);
	pthread_barrier_wait(&c.taken);
	for (size_t i = 0; i < THREADS; i++) {
		if (c.numbers[i] == -EBUSY) {
			busy++;
			continue;
		}
		assert_in_range(c.numbers[i], 0, PICKET_CPUS_MAX - 1);
		assert_false(seen >> c.numbers[i] & 1);
		seen |= 1ull << c.numbers[i];
	}
	assert_true(seen == UINT64_MAX);
	assert_int_equal(busy, 5); /* one is this thread's */
	pthread_barrier_wait(&c.checked);
	for (size_t i = 0; i < THREADS; i++)
		pthread_join(threads[i], NULL);
	for (unsigned i = 0; i < 3 * PICKET_CPUS_MAX; i++) {
		int number = -1;
		pthread_t thread;
		assert_int_equal(pthread_create(&thread, NULL, take_number, &number), 0);
		pthread_join(thread, NULL);
		assert_true(number >= 0);
	}
	pthread_barrier_destroy(&c.taken);
	pthread_barrier_destroy(&c.checked);
}

/* ---- places come back: there are fewer of them than threads here ---- */

static void *enter_and_end(void *argument)
{
	(void)argument;
	vm_epoch_enter();
	vm_epoch_leave();
	vm_epoch_enter();
	return NULL; /* inside: ending is leaving */
}

static void test_threads_come_and_go(void **state)
{
	(void)state;
	for (unsigned i = 0; i < 4200; i++) {
		pthread_t thread;
		assert_int_equal(pthread_create(&thread, NULL, enter_and_end, NULL), 0);
		pthread_join(thread, NULL);
		if (i % 1000 == 0)
			vm_epoch_wait();
	}
	vm_epoch_wait();
}

/* ---- fork: the other threads are not in the child ---- */

static void test_fork(void **state)
{
	(void)state;
	struct slow s = {0};
	pthread_t thread;
	int status = -1, mine = vm_thread_number();

	pthread_barrier_init(&s.inside, NULL, 2);
	assert_int_equal(pthread_create(&thread, NULL, stay_inside, &s), 0);
	pthread_barrier_wait(&s.inside);
	pid_t child = fork();
	assert_true(child >= 0);
	if (!child) {
		alarm(5);
		vm_epoch_wait(); /* would wait for ever for a reader that is not there */
		vm_epoch_enter();
		vm_epoch_leave();
		_exit(vm_thread_number() == mine ? 0 : 1);
	}
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_int_equal(status, 0);
	pthread_join(thread, NULL);
	pthread_barrier_destroy(&s.inside);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(test_nests),
	        cmocka_unit_test(test_waits),
	        cmocka_unit_test(test_readers_and_writer),
	        cmocka_unit_test(test_numbers),
	        cmocka_unit_test(test_fork),
	        cmocka_unit_test(test_threads_come_and_go),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
