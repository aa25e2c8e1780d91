/* SPDX-License-Identifier: Apache-2.0
 *
 * One program on many threads at once, in each engine; and one that is replaced meanwhile.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <linux/bpf.h>
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/base.h"
#include "picket/vm.h"

#define THREADS 8
#define RUNS 400
#define CONTEXT_BYTES 64

/* The sum of the context's bytes, taken by a function over a copy on its caller's stack. Each run counts itself. Where the
 * context begins with 0xff, it reads beyond its end. */
static const char sum_text[] = "  mov r6, r1\n"
                               "  lddw r7, map_value[0]\n"
                               "  mov r2, 1\n"
                               "  lock add [r7], r2\n"
                               "  mov r8, 0\n"
                               "copy:\n"
                               "  mov r1, r6\n"
                               "  add r1, r8\n"
                               "  ldxb r2, [r1]\n"
                               "  mov r3, r10\n"
                               "  add r3, r8\n"
                               "  stxb [r3-64], r2\n"
                               "  add r8, 1\n"
                               "  jlt r8, 64, copy\n"
                               "  mov r1, r10\n"
                               "  add r1, -64\n"
                               "  call 0x10000\n" /* the embedder's, below */
                               "  ldxb r1, [r6]\n"
                               "  jne r1, 255, good\n"
                               "  ldxb r1, [r6+64]\n"
                               "good:\n"
                               "  mov r1, r10\n"
                               "  add r1, -64\n"
                               "  call local sum\n"
                               "  exit\n"
                               "sum:\n"
                               "  mov r0, 0\n"
                               "  mov r9, 0\n"
                               "more:\n"
                               "  ldxb r2, [r1]\n"
                               "  add r0, r2\n"
                               "  add r1, 1\n"
                               "  add r9, 1\n"
                               "  jlt r9, 64, more\n"
                               "  exit\n";

static uint64_t count_first_byte(uint64_t r1, uint64_t r2, uint64_t r3, uint64_t r4, uint64_t r5,
                                 struct picket_run *run)
{
	const uint8_t *copy = (const void *)(uintptr_t)r1;

	(void)r2, (void)r3, (void)r4, (void)r5;
	atomic_fetch_add((_Atomic uint64_t *)picket_run_user(run), copy[0]);
	return 0;
}

static struct picket_program *load(const char *text, enum picket_engine engine, struct picket_map *map)
{
	const struct picket_helper helper = {
	        .id = PICKET_HELPER_OWN, .name = "count", .args = {PICKET_ARG_ANY}, .function = count_first_byte};
	const struct picket_options options = {
	        .engine = engine, .helpers = &helper, .helper_count = 1, .maps = &map, .map_count = map ? 1 : 0};
	_cleanup_(base_free_ptr) struct picket_insn *insns = NULL;
	struct picket_program *p = NULL;
	struct picket_error error = {0};
	size_t count = 0;
	int r = picket_assemble(text, strlen(text), &insns, &count, &error);

	if (!r)
		r = picket_program_load(insns, count, &options, &p, &error);
	if (r == -EOPNOTSUPP) {
		print_message("%s\n", error.text);
		skip();
	}
	if (r)
		fail_msg("line %u: %s", error.line, error.text);
	return p;
}

/* ---- one program, many threads ---- */
struct worker {
	pthread_t thread;
	unsigned number;
	const struct picket_program *program;
	bool may_fault;  /* every fourth run does: not in verified code */
	uint64_t helped; /* what its calls of the helper added up to */
	uint64_t expected_helped;
	unsigned wrong;
};

static bool run_once(struct worker *w, unsigned round)
{
	uint8_t context[CONTEXT_BYTES];
	struct picket_call call = {.data = context, .length = sizeof(context), .user = &w->helped};
	uint64_t sum = 0;
	bool faults = w->may_fault && round % 4 == 0;

	for (unsigned i = 0; i < sizeof(context); i++)
		context[i] = (uint8_t)(i * w->number + round);
	context[0] = faults ? 255 : (uint8_t)(round % 200);
	for (unsigned i = 0; i < sizeof(context); i++)
		sum += context[i];
	w->expected_helped += context[0];
	if (faults)
		return picket_program_run(w->program, &call) == -EFAULT && call.fault.kind == PICKET_FAULT_READ &&
		       call.fault.address == (uintptr_t)context + sizeof(context) && call.fault.program == w->program;
	return picket_program_run(w->program, &call) == 0 && call.result == sum;
}

static void *work(void *arg)
{
	struct worker *w = arg;

	for (unsigned round = 0; round < RUNS; round++)
		w->wrong += !run_once(w, round);
	return NULL;
}

static void check_engine(enum picket_engine engine)
{
	const struct picket_map_spec spec = {
	        .type = BPF_MAP_TYPE_ARRAY, .key_size = 4, .value_size = 8, .max_entries = 1};
	struct worker workers[THREADS];
	struct picket_map *map = NULL;
	struct picket_program *p;
	uint64_t calls;

	assert_int_equal(picket_map_new(&spec, &map, NULL), 0);
	p = load(sum_text, engine, map);
	for (unsigned i = 0; i < THREADS; i++) {
		workers[i] = (struct worker){.number = i, .program = p, .may_fault = engine != PICKET_VERIFIED};
		assert_int_equal(pthread_create(&workers[i].thread, NULL, work, &workers[i]), 0);
	}
	for (unsigned i = 0; i < THREADS; i++) {
		pthread_join(workers[i].thread, NULL);
		assert_int_equal(workers[i].wrong, 0);
		assert_int_equal(workers[i].helped, workers[i].expected_helped);
	}
	memcpy(&calls, picket_map_values(map), sizeof(calls));
	assert_int_equal(calls, THREADS * RUNS);
	picket_program_free(p);
	picket_map_free(map);
}

static void test_interpreter(void **state)
{
	(void)state;
	check_engine(PICKET_INTERPRETER);
}

static void test_checked(void **state)
{
	(void)state;
	check_engine(PICKET_CHECKED);
}

static void test_verified(void **state)
{
	(void)state;
	check_engine(PICKET_VERIFIED);
}

/* ---- one place, programs that follow each other ---- */
#define SWAPS 60

struct swap {
	struct picket_slot *slot;
	_Atomic uint64_t oldest; /* programs before it are freed */
	atomic_bool end;
	atomic_uint wrong, runs;
};

/* A program returns its number; it must be one that was there between the begin and the end of the run. */
static void *run_slot(void *arg)
{
	struct swap *s = arg;

	while (!atomic_load(&s->end)) {
		struct picket_call call = {0};
		uint64_t oldest = atomic_load(&s->oldest);
		if (picket_slot_run(s->slot, &call) || call.result < oldest)
			atomic_fetch_add(&s->wrong, 1);
		atomic_fetch_add(&s->runs, 1);
	}
	return NULL;
}

static struct picket_program *load_number(unsigned number, enum picket_engine engine)
{
	char text[64];

	snprintf(text, sizeof(text), "mov r0, %u\nexit\n", number);
	return load(text, engine, NULL);
}

static void check_swap(enum picket_engine engine)
{
	struct swap s = {0};
	pthread_t threads[3];
	unsigned seen = 0;

	assert_int_equal(picket_slot_new(&s.slot), 0);
	picket_slot_replace(s.slot, load_number(0, engine));
	for (unsigned i = 0; i < ARRAY_SIZE(threads); i++)
		assert_int_equal(pthread_create(&threads[i], NULL, run_slot, &s), 0);
	for (unsigned i = 1; i <= SWAPS; i++) {
		while (atomic_load(&s.runs) < seen + 10)
			sched_yield();
		seen = atomic_load(&s.runs);
		picket_slot_replace(s.slot, load_number(i, engine));
		atomic_store(&s.oldest, i);
	}
	atomic_store(&s.end, true);
	for (unsigned i = 0; i < ARRAY_SIZE(threads); i++)
		pthread_join(threads[i], NULL);
	assert_int_equal(atomic_load(&s.wrong), 0);
	picket_slot_free(s.slot);
}

static void test_swap_interpreted(void **state)
{
	(void)state;
	check_swap(PICKET_INTERPRETER);
}

static void test_swap_compiled(void **state)
{
	(void)state;
	check_swap(PICKET_VERIFIED);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(test_interpreter),   cmocka_unit_test(test_checked),
	        cmocka_unit_test(test_verified),      cmocka_unit_test(test_swap_interpreted),
	        cmocka_unit_test(test_swap_compiled),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
