/* SPDX-License-Identifier: Apache-2.0 */
#include <pthread.h>

#include "helper_fixture.h"

static int64_t kept(const struct fixture *f, size_t at)
{
	int64_t value;

	memcpy(&value, f->buffer + at, 8);
	return value;
}

/* ---- loop: the callback adds its number to the buffer, and stops where the buffer says at 8 ---- */
#define LOOP(count, flags) \
	"lddw %r6, map_value[0]\n" \
	"mov %r1, " count "\n" \
	"lddw %r2, function each\n" \
	"mov %r3, %r10\n" \
	"add %r3, -8\n" \
	"stdw [%r10-8], 0\n" \
	"mov %r4, " flags "\n" \
	"call loop\n" \
	"ldxdw %r1, [%r10-8]\n" \
	"stxdw [%r6+16], %r1\n" \
	"exit\n" \
	"each:\n" \
	"ldxdw %r3, [%r2+0]\n" \
	"add %r3, %r1\n" \
	"stxdw [%r2+0], %r3\n" \
	"lddw %r4, map_value[0]\n" \
	"ldxdw %r5, [%r4+8]\n" \
	"mov %r0, 0\n" \
	"jne %r1, %r5, on\n" \
	"mov %r0, 1\n" \
	"on:\n" \
	"exit\n"

static void test_loop(void **state)
{
	const uint64_t never = UINT64_MAX, third = 3;
	struct fixture f;

	(void)state;
	fixture_init(&f);
	memcpy(f.buffer + 8, &never, 8);
	assert_int_equal(fixture_as_kernel(&f, LOOP("100", "0")), 100);
	assert_int_equal(kept(&f, 16), 4950);
	assert_int_equal(fixture_as_kernel(&f, LOOP("0", "0")), 0);
	assert_int_equal(kept(&f, 16), 0);
	assert_int_equal((int)fixture_as_kernel(&f, LOOP("100", "1")), -EINVAL);
	assert_int_equal((int)fixture_as_kernel(&f, LOOP("0x800001", "0")), -E2BIG);
	memcpy(f.buffer + 8, &third, 8);
	assert_int_equal(fixture_as_kernel(&f, LOOP("100", "0")), 4);
	assert_int_equal(kept(&f, 16), 6);
	assert_int_equal(fixture_as_kernel(&f, LOOP("0x800000", "0")), 4);
	fixture_done(&f);
}

static void test_loop_longest(void **state)
{
	static const char code[] = "mov %r1, 0x800000\n"
	                           "lddw %r2, function each\n"
	                           "mov %r3, 0\n"
	                           "mov %r4, 0\n"
	                           "call loop\n"
	                           "exit\n"
	                           "each:\n"
	                           "mov %r0, 0\n"
	                           "exit\n";
	struct fixture f;

	(void)state;
	fixture_init(&f);
	assert_int_equal(fixture_result(&f, code), 1 << 23);
	f.call.budget = 1 << 23;
	fixture_fault(&f, code, PICKET_FAULT_BUDGET, 0);
	fixture_done(&f);
}

/* A fault in a callback ends the run there, and loops in loops are as deep as frames go. */
static void test_loop_faults(void **state)
{
	struct fixture f;

	(void)state;
	fixture_init(&f);
	fixture_fault(&f,
	              "mov %r1, 10\n"
	              "lddw %r2, function each\n"
	              "mov %r3, 0\n"
	              "mov %r4, 0\n"
	              "call loop\n"
	              "exit\n"
	              "each:\n"
	              "ldxdw %r0, [%r2+8]\n"
	              "exit\n",
	              PICKET_FAULT_READ, 8);
	fixture_fault(&f,
	              "call local each\n"
	              "exit\n"
	              "each:\n"
	              "mov %r1, 1\n"
	              "lddw %r2, function each\n"
	              "mov %r3, 0\n"
	              "mov %r4, 0\n"
	              "call loop\n"
	              "exit\n",
	              PICKET_FAULT_FRAMES, 0);
	fixture_done(&f);
}

/* ---- spin locks, in the second half of map[1]'s value: a counter at 0, the lock at 8 ---- */
static void test_lock(void **state)
{
	struct fixture f;
	uint32_t *words;

	(void)state;
	fixture_init(&f);
	fixture_add_map(&f, BPF_MAP_TYPE_ARRAY, 4, 16, 1);
	words = picket_map_values(f.maps[1]);
	fixture_result(&f, "lddw %r1, map_value[1]+8\n"
	                   "call spin_lock\n"
	                   "lddw %r6, map_value[1]\n"
	                   "ldxw %r7, [%r6+8]\n"
	                   "lddw %r1, map_value[1]+8\n"
	                   "call spin_unlock\n"
	                   "mov %r0, %r7\n"
	                   "exit\n");
	assert_int_equal(f.call.result, 1);
	assert_int_equal(words[2], 0);
	/* Kept: opened at the end. */
	fixture_result(&f, "lddw %r1, map_value[1]+8\n"
	                   "call spin_lock\n"
	                   "mov %r0, 0\n"
	                   "exit\n");
	assert_int_equal(words[2], 0);
	fixture_done(&f);
}

static void test_lock_wrong(void **state)
{
	struct fixture f;
	uint32_t *words;

	(void)state;
	fixture_init(&f);
	fixture_add_map(&f, BPF_MAP_TYPE_ARRAY, 4, 16, 1);
	words = picket_map_values(f.maps[1]);
	/* Two; the same twice; another one opened; none. */
	fixture_fault(&f,
	              "lddw %r1, map_value[1]\ncall spin_lock\n"
	              "lddw %r1, map_value[1]+8\ncall spin_lock\nexit\n",
	              PICKET_FAULT_ARGUMENT, 1);
	assert_int_equal(words[0], 0);
	fixture_fault(&f,
	              "lddw %r1, map_value[1]\ncall spin_lock\n"
	              "lddw %r1, map_value[1]\ncall spin_lock\nexit\n",
	              PICKET_FAULT_ARGUMENT, 1);
	fixture_fault(&f,
	              "lddw %r1, map_value[1]\ncall spin_lock\n"
	              "lddw %r1, map_value[1]+4\ncall spin_unlock\nexit\n",
	              PICKET_FAULT_ARGUMENT, 1);
	fixture_fault(&f, "lddw %r1, map_value[1]\ncall spin_unlock\nexit\n", PICKET_FAULT_ARGUMENT, 1);
	/* On the stack; at an odd address; over the end. */
	fixture_fault(&f, "mov %r1, %r10\nadd %r1, -8\ncall spin_lock\nexit\n", PICKET_FAULT_ARGUMENT, 1);
	fixture_fault(&f, "lddw %r1, map_value[1]+2\ncall spin_lock\nexit\n", PICKET_FAULT_ARGUMENT, 1);
	fixture_fault(&f, "lddw %r1, map_value[1]\nadd %r1, 16\ncall spin_lock\nexit\n", PICKET_FAULT_ARGUMENT, 1);
	/* Who writes to it waits for himself: the budget ends that. */
	f.call.budget = 100000;
	fixture_fault(&f,
	              "lddw %r1, map_value[1]\nstw [%r1+0], 1\n"
	              "call spin_lock\nexit\n",
	              PICKET_FAULT_BUDGET, 0);
	assert_int_equal(words[0], 1);
	fixture_done(&f);
}

#define THREADS 4
#define ADDS 100000

static void *add_often(void *program)
{
	struct picket_call call = {0};

	return (void *)(intptr_t)picket_program_run(program, &call);
}

static void test_lock_threads(void **state)
{
	static const char code[] = "mov %r7, 100000\n"
	                           "next:\n"
	                           "lddw %r1, map_value[1]+8\n"
	                           "call spin_lock\n"
	                           "lddw %r6, map_value[1]\n"
	                           "ldxdw %r1, [%r6+0]\n"
	                           "add %r1, 1\n"
	                           "stxdw [%r6+0], %r1\n"
	                           "lddw %r1, map_value[1]+8\n"
	                           "call spin_unlock\n"
	                           "sub %r7, 1\n"
	                           "jne %r7, 0, next\n"
	                           "mov %r0, 0\n"
	                           "exit\n";
	struct fixture f;
	uint64_t *values;

	(void)state;
	fixture_init(&f);
	fixture_add_map(&f, BPF_MAP_TYPE_ARRAY, 4, 16, 1);
	values = picket_map_values(f.maps[1]);
	for (size_t i = 0; i < ARRAY_SIZE(fixture_engines); i++) {
		struct picket_program *p = fixture_load(&f, fixture_engines[i], code);
		pthread_t threads[THREADS];
		if (!p)
			continue;
		values[0] = 0;
		for (size_t t = 0; t < THREADS; t++)
			assert_int_equal(pthread_create(&threads[t], NULL, add_often, p), 0);
		for (size_t t = 0; t < THREADS; t++) {
			void *r;
			pthread_join(threads[t], &r);
			assert_null(r);
		}
		assert_int_equal(values[0], THREADS * ADDS);
		picket_program_free(p);
	}
	fixture_done(&f);
}

/* ---- tail calls: map[1] ---- */
#define TAIL_CALL(index) \
	"mov %r6, %r1\n" \
	"lddw %r2, map[1]\n" \
	"mov %r3, " index "\n" \
	"call tail_call\n" \
	"exit\n"

static void test_tail_call(void **state)
{
	struct fixture f;

	(void)state;
	fixture_init(&f);
	fixture_add_map(&f, BPF_MAP_TYPE_PROG_ARRAY, 4, 4, 4);
	for (size_t i = 0; i < ARRAY_SIZE(fixture_engines); i++) {
		struct picket_program *from = fixture_load(&f, fixture_engines[i], TAIL_CALL("2"));
		struct picket_program *out = fixture_load(&f, fixture_engines[i], TAIL_CALL("4"));
		struct picket_program *to = fixture_load(&f, fixture_engines[i], "mov %r0, 42\nexit\n");
		struct picket_program *other = fixture_load(&f, fixture_engines[i ? 0 : 1], "mov %r0, 43\nexit\n");
		if (!from || !other)
			goto next;
		assert_int_equal(fixture_run(&f, from), 0);
		assert_int_equal((int)f.call.result, -ENOENT);
		assert_int_equal(fixture_run(&f, out), 0);
		assert_int_equal((int)f.call.result, -ENOENT);
		assert_int_equal(picket_map_set_program(f.maps[1], 2, to), 0);
		assert_int_equal(fixture_run(&f, from), 0);
		assert_int_equal(f.call.result, 42);
		assert_int_equal(picket_map_set_program(f.maps[1], 2, other), 0);
		assert_int_equal(fixture_run(&f, from), -EFAULT);
		assert_int_equal(f.call.fault.kind, PICKET_FAULT_TAIL_CALL);
		assert_int_equal(f.call.fault.address, 2);
		assert_int_equal(picket_map_set_program(f.maps[1], 2, NULL), 0);
	next:
		picket_program_free(from);
		picket_program_free(out);
		picket_program_free(to);
		picket_program_free(other);
	}
	fixture_done(&f);
}

/* 33 times, as the kernel. */
static void test_tail_call_count(void **state)
{
	static const char code[] = "lddw %r6, map_value[0]\n"
	                           "ldxdw %r7, [%r6+0]\n"
	                           "add %r7, 1\n"
	                           "stxdw [%r6+0], %r7\n"
	                           "lddw %r2, map[1]\n"
	                           "mov %r3, 0\n"
	                           "call tail_call\n"
	                           "mov %r0, %r7\n"
	                           "exit\n";
	struct fixture f;

	(void)state;
	fixture_init(&f);
	fixture_add_map(&f, BPF_MAP_TYPE_PROG_ARRAY, 4, 4, 1);
	for (size_t i = 0; i < ARRAY_SIZE(fixture_engines); i++) {
		struct picket_program *p = fixture_load(&f, fixture_engines[i], code);
		if (!p)
			continue;
		assert_int_equal(picket_map_set_program(f.maps[1], 0, p), 0);
		memset(f.buffer, 0, 8);
		assert_int_equal(fixture_run(&f, p), 0);
		assert_int_equal(f.call.result, 34);
		assert_int_equal(picket_map_set_program(f.maps[1], 0, NULL), 0);
		picket_program_free(p);
	}
	fixture_done(&f);
}

static void test_tail_call_wrong(void **state)
{
	struct fixture f;

	(void)state;
	fixture_init(&f);
	fixture_add_map(&f, BPF_MAP_TYPE_ARRAY, 4, 4, 1);
	fixture_fault(&f, TAIL_CALL("0"), PICKET_FAULT_ARGUMENT, 2);
	fixture_fault(&f, "mov %r2, %r10\nmov %r3, 0\ncall tail_call\nexit\n", PICKET_FAULT_ARGUMENT, 2);
	fixture_fault(&f, "mov %r2, 0\nmov %r3, 0\ncall tail_call\nexit\n", PICKET_FAULT_ARGUMENT, 2);
	fixture_done(&f);
}

/* ---- the budget pays for large memory ---- */
static void test_budget(void **state)
{
	static uint8_t region[1 << 20];
	struct picket_region regions[] = {{region, sizeof(region), true}};
	static const char code[] = "mov %r6, %r1\n"
	                           "ldxdw %r1, [%r6+0]\n"
	                           "mov %r2, 0x100000\n"
	                           "ldxdw %r3, [%r6+0]\n"
	                           "call probe_read\n"
	                           "ldxdw %r1, [%r6+0]\n"
	                           "mov %r2, 0x100000\n"
	                           "ldxdw %r3, [%r6+0]\n"
	                           "call probe_read\n"
	                           "exit\n";
	uint64_t context = (uintptr_t)region;
	struct fixture f;

	(void)state;
	fixture_init(&f);
	f.call = (struct picket_call){.data = &context,
	                              .length = sizeof(context),
	                              .regions = regions,
	                              .region_count = 1,
	                              .budget = 2 * sizeof(region) / 16};
	assert_int_equal(fixture_result(&f, code), 0);
	f.call.budget--;
	fixture_fault(&f, code, PICKET_FAULT_BUDGET, 0);
	assert_int_equal(f.call.fault.insn, 8);
	fixture_done(&f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(test_loop),
	        cmocka_unit_test(test_loop_longest),
	        cmocka_unit_test(test_loop_faults),
	        cmocka_unit_test(test_lock),
	        cmocka_unit_test(test_lock_wrong),
	        cmocka_unit_test(test_lock_threads),
	        cmocka_unit_test(test_tail_call),
	        cmocka_unit_test(test_tail_call_count),
	        cmocka_unit_test(test_tail_call_wrong),
	        cmocka_unit_test(test_budget),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
