/* SPDX-License-Identifier: Apache-2.0
 *
 * The interpreter: faults and the state that they tell, budget, what it remembers of memory, traces. What single
 * instructions compute is tests/vm/.
 */
#include "interp_fixture.h"

#define RECORDS_BYTES 4096

/* ---- faults ---- */
static void test_fault_tells_the_state(void **state)
{
	uint8_t data[64];
	struct outcome o = run_call("mov r6, 7\n"
	                            "mov r3, 64\n"
	                            "mov r0, 5\n"
	                            "ldxw r0, [r3+4]\n"
	                            "exit",
	                            &(struct picket_call){.data = data, .length = sizeof(data)});
	const uint64_t expected[] = {5, (uintptr_t)data, sizeof(data), 64, 0, 0, 7, 0, 0, 0};

	(void)state;
	assert_fault(o, PICKET_FAULT_READ, 3);
	assert_int_equal(o.fault.size, 4);
	assert_int_equal(o.fault.address, 68);
	assert_memory_equal(o.fault.registers, expected, sizeof(expected));
	assert_int_not_equal(o.fault.registers[10], 0);
	assert_int_equal(o.result, 0);
}

static void test_faults_of_every_access(void **state)
{
	static const struct {
		const char *insn;
		uint32_t size;
		bool write;
	} cases[] = {
	        {"ldxb r0, [r3]", 1, false},       {"ldxh r0, [r3]", 2, false},
	        {"ldxw r0, [r3]", 4, false},       {"ldxdw r0, [r3]", 8, false},
	        {"ldxsb r0, [r3]", 1, false},      {"ldxsh r0, [r3]", 2, false},
	        {"ldxsw r0, [r3]", 4, false},      {"stb [r3], 1", 1, true},
	        {"sth [r3], 1", 2, true},          {"stw [r3], 1", 4, true},
	        {"stdw [r3], 1", 8, true},         {"stxb [r3], r0", 1, true},
	        {"stxh [r3], r0", 2, true},        {"stxw [r3], r0", 4, true},
	        {"stxdw [r3], r0", 8, true},       {"lock add32 [r3], r0", 4, true},
	        {"lock add [r3], r0", 8, true},    {"lock fetch or [r3], r0", 8, true},
	        {"lock xchg32 [r3], r0", 4, true}, {"lock cmpxchg [r3], r0", 8, true},
	        {"ldacqb r0, [r3]", 1, false},     {"ldacqdw r0, [r3]", 8, false},
	        {"strelh [r3], r0", 2, true},      {"strelw [r3], r0", 4, true},
	};
	static const uint64_t addresses[] = {0, 8, 0x7fffffff0000, (uint64_t)INT64_MIN, (uint64_t)-8};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		for (size_t n = 0; n < ARRAY_SIZE(addresses); n++) {
			char text[128];
			struct outcome o;
			snprintf(text, sizeof(text), "lddw r3, 0x%llx\n%s\nexit", (unsigned long long)addresses[n],
			         cases[i].insn);
			o = run(text);
			assert_fault(o, cases[i].write ? PICKET_FAULT_WRITE : PICKET_FAULT_READ, 2);
			assert_int_equal(o.fault.size, cases[i].size);
			assert_int_equal(o.fault.address, addresses[n]);
			assert_int_equal(o.fault.registers[0], 0);
		}
	}
}

static const struct {
	const char *suffix;
	int64_t size;
} widths[] = {{"b", 1}, {"h", 2}, {"w", 4}, {"dw", 8}};

/* Reads, then writes at every place around a context of every small length, also after it was found there before. */
static void test_bounds_are_exact(void **state)
{
	(void)state;
	for (int64_t length = 0; length <= 17; length++) {
		_cleanup_(base_free_ptr) uint8_t *data = calloc(1, (size_t)length + 1);
		struct picket_call call = {.data = data, .length = (size_t)length};
		for (size_t w = 0; w < ARRAY_SIZE(widths); w++) {
			for (int64_t at = -9; at <= length + 1; at++) {
				const char *first = length ? "ldxb r3, [r1]\nstxb [r1], r3\n" : "ja +0\nja +0\n";
				bool inside = at >= 0 && at + widths[w].size <= length;
				char text[160];
				snprintf(text, sizeof(text), "%sldx%s r0, [r1%+d]\nmov r0, 9\nexit", first,
				         widths[w].suffix, (int)at);
				if (inside)
					assert_result(run_call(text, &call), 9);
				else
					assert_fault(run_call(text, &call), PICKET_FAULT_READ, 2);
				snprintf(text, sizeof(text), "%sstx%s [r1%+d], r0\nmov r0, 9\nexit", first,
				         widths[w].suffix, (int)at);
				if (inside)
					assert_result(run_call(text, &call), 9);
				else
					assert_fault(run_call(text, &call), PICKET_FAULT_WRITE, 2);
			}
		}
	}
}

static void test_stack_bounds(void **state)
{
	(void)state;
	for (size_t w = 0; w < ARRAY_SIZE(widths); w++) {
		const char *base[] = {"r10", "r3"};
		for (size_t b = 0; b < ARRAY_SIZE(base); b++) {
			const int64_t size = widths[w].size;
			const int64_t places[] = {-513, -512, -511, -size - 1, -size, -size + 1, 0, 1, 8};
			for (size_t i = 0; i < ARRAY_SIZE(places); i++) {
				bool inside = places[i] >= -512 && places[i] <= -size;
				char text[160];
				snprintf(text, sizeof(text),
				         "mov r3, r10\nstx%s [%s%+d], r3\nldx%s r0, [%s%+d]\nmov r0, 9\nexit",
				         widths[w].suffix, base[b], (int)places[i], widths[w].suffix, base[b],
				         (int)places[i]);
				if (inside)
					assert_result(run(text), 9);
				else
					assert_fault(run(text), PICKET_FAULT_WRITE, 1);
				snprintf(text, sizeof(text), "mov r3, r10\nldx%s r0, [%s%+d]\nexit", widths[w].suffix,
				         base[b], (int)places[i]);
				if (inside)
					assert_result(run(text), 0);
				else
					assert_fault(run(text), PICKET_FAULT_READ, 1);
			}
		}
	}
}

static void test_regions(void **state)
{
	uint8_t small[4] = {1, 2, 3, 4}, large[64] = {0}, constant[64] = {0};
	const struct picket_region regions[] = {{small, sizeof(small), false},
	                                        {large, sizeof(large), true},
	                                        {constant, sizeof(constant), false},
	                                        {NULL, 0, true}};
	uint64_t data[3] = {(uintptr_t)small, (uintptr_t)large, (uintptr_t)constant};
	struct picket_call call = {
	        .data = data, .length = sizeof(data), .regions = regions, .region_count = ARRAY_SIZE(regions)};

	(void)state;
	assert_result(run_call("ldxdw r3, [r1]\n ldxw r0, [r3]\n ldxw r0, [r3]\n exit", &call), 0x04030201);
	assert_fault(run_call("ldxdw r3, [r1]\n ldxb r0, [r3+3]\n stb [r3], 1\n exit", &call), PICKET_FAULT_WRITE, 2);
	assert_fault(run_call("ldxdw r3, [r1]\n ldxb r0, [r3+4]\n exit", &call), PICKET_FAULT_READ, 1);
	assert_result(run_call("ldxdw r3, [r1+8]\n ldxb r0, [r3]\n stdw [r3+56], 77\n ldxb r0, [r3+56]\n exit", &call),
	              77);
	assert_int_equal(large[56], 77);
	assert_fault(run_call("ldxdw r3, [r1+8]\n stdw [r3+57], 77\n exit", &call), PICKET_FAULT_WRITE, 1);
	assert_fault(run_call("ldxdw r3, [r1+16]\n ldxdw r0, [r3]\n stdw [r3], 77\n exit", &call), PICKET_FAULT_WRITE,
	             2);
	call.region_count = 0;
	assert_fault(run_call("ldxdw r3, [r1]\n ldxw r0, [r3]\n exit", &call), PICKET_FAULT_READ, 1);
}

/* Registers that were merged away from between two instructions are as if they had not been. */
static void test_fault_in_what_was_merged(void **state)
{
	uint8_t data[64] = {0};
	struct picket_call call = {.data = data, .length = sizeof(data)};
	struct outcome o = run_call("mov r3, r1\n add r3, r2\n ldxb r3, [r3+1]\n exit", &call);

	(void)state;
	assert_fault(o, PICKET_FAULT_READ, 2);
	assert_int_equal(o.fault.registers[3], (uintptr_t)data + sizeof(data));
	assert_int_equal(o.fault.address, (uintptr_t)data + sizeof(data) + 1);
	o = run_call("add r1, r2\n ldxdw r1, [r1-7]\n exit", &call);
	assert_fault(o, PICKET_FAULT_READ, 1);
	assert_int_equal(o.fault.registers[1], (uintptr_t)data + sizeof(data));
	o = run_call("mov r0, 1\n mov r3, r1\n add r3, r2\n mov r0, 5\n ldxw r4, [r3]\n jeq r4, 0, +0\n exit", &call);
	assert_fault(o, PICKET_FAULT_READ, 4);
	assert_int_equal(o.fault.registers[0], 5);
	assert_int_equal(o.fault.registers[3], (uintptr_t)data + sizeof(data));
	assert_int_equal(o.fault.registers[4], 0);
}

static void test_unaligned_atomics(void **state)
{
	uint64_t data[2] = {0};
	struct picket_call call = {.data = data, .length = sizeof(data)};

	(void)state;
	assert_fault(run_call("mov r3, 1\n lock add [r1+4], r3\n exit", &call), PICKET_FAULT_WRITE, 1);
	assert_fault(run_call("lock fetch add32 [r1+2], r3\n exit", &call), PICKET_FAULT_WRITE, 0);
	assert_fault(run_call("ldacqw r0, [r1+1]\n exit", &call), PICKET_FAULT_READ, 0);
	assert_fault(run_call("strelh [r1+1], r0\n exit", &call), PICKET_FAULT_WRITE, 0);
	assert_result(run_call("mov r3, 1\n lock add32 [r1+4], r3\n ldacqw r0, [r1+4]\n stdw [r1], 0\n exit", &call),
	              1);
}

static void test_call_of_no_function(void **state)
{
	static const uint64_t values[] = {0, 12, 0xffff, 0x7fffffff, 0xffffffff, 0x7069636b00000002, UINT64_MAX};
	struct outcome o;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(values); i++) {
		char text[160];
		snprintf(text, sizeof(text), "lddw r7, 0x%llx\n lddw r8, function f\n call r7\n exit\nf:\n exit",
		         (unsigned long long)values[i]);
		o = run(text);
		assert_fault(o, PICKET_FAULT_CALL, 4);
		assert_int_equal(o.fault.address, values[i]);
	}
	assert_result(
	        run("mov r1, 1\n mov r2, 2\n mov r3, 3\n mov r4, 4\n mov r5, 5\n mov r7, 0x10001\n call r7\n exit"),
	        15);
}

static void test_fault_of_a_helper(void **state)
{
	struct picket_map *map = make_map(BPF_MAP_TYPE_ARRAY, 4, 8, 1);
	uint8_t data[8] = {0};
	struct picket_call call = {.data = data, .length = sizeof(data)};
	struct outcome o = run_with_maps("mov r6, 3\n lddw r1, map[0]\n mov r2, 11\n call 1\n exit", &call, &map, 1);

	(void)state;
	assert_fault(o, PICKET_FAULT_ARGUMENT, 4);
	assert_int_equal(o.fault.address, 2);
	assert_int_equal(o.fault.registers[0], 0);
	assert_int_equal(o.fault.registers[2], 11);
	assert_int_equal(o.fault.registers[6], 3);
	picket_map_free(map);
}

/* ---- budget ---- */
static struct outcome run_budget(const char *text, uint64_t budget)
{
	uint8_t data[64] = {0};

	return run_call(text, &(struct picket_call){.data = data, .length = sizeof(data), .budget = budget});
}

static void test_budget_of_jumps(void **state)
{
	static const char endless[] = "again:\n add r0, 1\n ja again\n exit";
	static const char merged[] = "mov r4, 0\n"
	                             "again:\n"
	                             " lddw r7, 1\n" /* two slots */
	                             " mov r3, r1\n"
	                             " add r3, r4\n"
	                             " ldxb r3, [r3]\n"
	                             " add r0, 1\n"
	                             " jlt r0, 10, again\n"
	                             " exit";
	struct outcome o = run_budget(endless, 10);

	(void)state;
	assert_fault(o, PICKET_FAULT_BUDGET, 1);
	assert_int_equal(o.fault.registers[0], 6);
	assert_int_equal(o.fault.size, 0);
	assert_int_equal(o.fault.address, 0);
	o = run_budget(endless, 11);
	assert_int_equal(o.fault.registers[0], 6);
	o = run_budget(endless, 12);
	assert_int_equal(o.fault.registers[0], 7);
	assert_result(run_budget(merged, 9 * 7), 10);
	o = run_budget(merged, 9 * 7 - 1);
	assert_fault(o, PICKET_FAULT_BUDGET, 7);
	assert_int_equal(o.fault.registers[0], 9);
	o = run_budget("ja again\nagain:\n ja again", 3);
	assert_fault(o, PICKET_FAULT_BUDGET, 1);
	assert_result(run_budget("ja +1\n ja +1\n jeq r0, 0, -2\n exit", 2), 0);
}

static void test_budget_of_calls(void **state)
{
	static const char local[] = "call local f\n mov r1, 3\n call local f\n exit\n"
	                            "f:\n mov r0, r1\n add r0, 1\n exit";
	static const char by_register[] = "lddw r6, function f\n call r6\n exit\n"
	                                  "f:\n mov r0, 1\n exit";
	struct outcome o;

	(void)state;
	assert_result(run_budget(local, 6), 4);
	o = run_budget(local, 5);
	assert_fault(o, PICKET_FAULT_BUDGET, 2);
	assert_int_equal(o.fault.registers[1], 3);
	assert_result(run_budget(by_register, 2), 1);
	o = run_budget(by_register, 1);
	assert_fault(o, PICKET_FAULT_BUDGET, 2);
	assert_result(run_budget("lddw r1, function f\n call 0x10000\n exit\nf:\n mov r0, 1\n exit", 2), 1001);
	o = run_budget("lddw r1, function f\n call 0x10000\n exit\nf:\n mov r0, 1\n exit", 1);
	assert_fault(o, PICKET_FAULT_BUDGET, 2);
}

/* What a callback spends, its caller has spent. */
static void test_budget_is_shared_with_callbacks(void **state)
{
	static const char text[] = "lddw r1, function f\n"
	                           "call 0x10000\n"
	                           "again: add r7, 1\n"
	                           "ja again\n"
	                           "f:\n"
	                           " mov r0, 0\n"
	                           "loop:\n"
	                           " add r0, 1\n"
	                           " jlt r0, 100, loop\n"
	                           " exit";
	struct outcome o = run_budget(text, 4 + 99 * 2);

	(void)state;
	assert_fault(o, PICKET_FAULT_BUDGET, 4);
	assert_int_equal(o.fault.registers[7], 1);
	o = run_budget(text, 4 + 99 * 2 - 1);
	assert_fault(o, PICKET_FAULT_BUDGET, 7);
	assert_int_equal(o.fault.registers[0], 99);
}

/* ---- what helpers take away ---- */
static void test_record_is_gone_after_submit(void **state)
{
	struct picket_map *ring = make_map(BPF_MAP_TYPE_RINGBUF, 0, 0, RECORDS_BYTES);
	uint8_t data[8] = {0};
	struct picket_call call = {.data = data, .length = sizeof(data)};
	static const char text[] = "lddw r1, map[0]\n mov r2, 16\n mov r3, 0\n call 131\n" /* ringbuf_reserve */
	                           "jeq r0, 0, out\n mov r6, r0\n"
	                           "stdw [r6], 1\n stdw [r6+8], 2\n ldxdw r7, [r6]\n"
	                           "mov r1, r6\n mov r2, 0\n call 132\n" /* ringbuf_submit */
	                           "%s\n"
	                           "out: exit";
	char program[512];

	(void)state;
	snprintf(program, sizeof(program), text, "mov r0, r7");
	assert_result(run_with_maps(program, &call, &ring, 1), 1);
	snprintf(program, sizeof(program), text, "stdw [r6], 1");
	assert_fault(run_with_maps(program, &call, &ring, 1), PICKET_FAULT_WRITE, 13);
	snprintf(program, sizeof(program), text, "ldxdw r0, [r6]");
	assert_fault(run_with_maps(program, &call, &ring, 1), PICKET_FAULT_READ, 13);
	picket_map_free(ring);
}

static void test_record_has_an_end(void **state)
{
	struct picket_map *ring = make_map(BPF_MAP_TYPE_RINGBUF, 0, 0, RECORDS_BYTES);
	uint8_t data[8] = {0};
	struct picket_call call = {.data = data, .length = sizeof(data)};

	(void)state;
	assert_fault(run_with_maps("lddw r1, map[0]\n mov r2, 16\n mov r3, 0\n call 131\n jeq r0, 0, out\n"
	                           "stdw [r0+8], 1\n stb [r0+16], 1\n"
	                           "out: exit",
	                           &call, &ring, 1),
	             PICKET_FAULT_WRITE, 7);
	picket_map_free(ring);
}

/* More maps than are remembered, values smaller than any access. */
static void test_many_map_values(void **state)
{
	uint8_t data[8] = {0};
	struct picket_call call = {.data = data, .length = sizeof(data)};

	(void)state;
	for (int plain = 0; plain < 2; plain++) {
		struct picket_map *maps[VM_WINDOWS + 3];
		char text[4096] = "mov r0, 0\n mov r9, 0\nagain:\n";
		struct picket_program *p;
		for (size_t i = 0; i < ARRAY_SIZE(maps); i++) {
			size_t length = strlen(text);
			maps[i] = make_map(BPF_MAP_TYPE_ARRAY, 4, i % 2 ? 4 : 12, 2);
			snprintf(text + length, sizeof(text) - length,
			         "lddw r3, map_value[%zu]\n ldxw r4, [r3]\n add r4, %zu\n stxw [r3], r4\n"
			         "add r0, r4\n",
			         i, i);
		}
		strcat(text, "add r9, 1\n jlt r9, 3, again\n exit");
		p = load(text, plain, maps, ARRAY_SIZE(maps));
		assert_result(run_program(p, &call), 21 * (1 + 2 + 3));
		picket_program_free(p);
		for (size_t i = 0; i < ARRAY_SIZE(maps); i++)
			picket_map_free(maps[i]);
	}
}

/* The values lie side by side; each ends where it ends. */
static void test_map_value_has_an_end(void **state)
{
	struct picket_map *map = make_map(BPF_MAP_TYPE_ARRAY, 4, 12, 4);
	uint8_t data[8] = {0};
	struct picket_call call = {.data = data, .length = sizeof(data)};

	(void)state;
	assert_fault(run_with_maps("lddw r3, map_value[0]\n ldxdw r4, [r3]\n ldxw r4, [r3+12]\n exit", &call, &map, 1),
	             PICKET_FAULT_READ, 3);
	assert_fault(run_with_maps("lddw r3, map_value[0]\n ldxw r4, [r3+8]\n stxdw [r3+8], r4\n exit", &call, &map, 1),
	             PICKET_FAULT_WRITE, 3);
	assert_result(run_with_maps("lddw r3, map_value[0]\n stw [r3+16], 7\n ldxw r0, [r3+16]\n exit", &call, &map, 1),
	              7);
	picket_map_free(map);
}

/* What may be written may not always be read, nor the other way round, also once it was found. */
static void test_map_of_one_direction(void **state)
{
	struct picket_map *maps[] = {make_map_with(BPF_MAP_TYPE_ARRAY, 4, 64, 1, BPF_F_RDONLY_PROG),
	                             make_map_with(BPF_MAP_TYPE_ARRAY, 4, 64, 1, BPF_F_WRONLY_PROG),
	                             make_map(BPF_MAP_TYPE_ARRAY, 4, 64, 1)};
	uint8_t data[8] = {0};
	struct picket_call call = {.data = data, .length = sizeof(data)};

	(void)state;
	assert_fault(run_with_maps("lddw r3, map_value[0]\n ldxdw r4, [r3]\n stdw [r3], 1\n exit", &call, maps, 3),
	             PICKET_FAULT_WRITE, 3);
	assert_fault(run_with_maps("lddw r3, map_value[1]\n stdw [r3], 1\n ldxdw r4, [r3]\n exit", &call, maps, 3),
	             PICKET_FAULT_READ, 3);
	assert_result(run_with_maps("lddw r3, map_value[2]\n stdw [r3], 1\n ldxdw r4, [r3]\n stdw [r3], 2\n"
	                            "ldxdw r0, [r3]\n exit",
	                            &call, maps, 3),
	              2);
	for (size_t i = 0; i < ARRAY_SIZE(maps); i++)
		picket_map_free(maps[i]);
}

/* ---- tracing ---- */
struct trace {
	size_t count;
	size_t insns[64];
	uint64_t r0[64];
};

static void trace_insn(const struct picket_program *p, size_t insn, const uint64_t registers[11], void *user)
{
	struct trace *t = user;

	(void)p;
	assert_true(t->count < ARRAY_SIZE(t->insns));
	t->insns[t->count] = insn;
	t->r0[t->count++] = registers[0];
}

static void test_trace(void **state)
{
	static const size_t insns[] = {0, 1, 3, 4, 5, 6, 4, 5, 6, 7, 9, 10, 8, SIZE_MAX};
	static const uint64_t r0[] = {0, 0, 0, 0, 0, 1, 1, 1, 2, 2, 2, 7, 7, 7};
	struct trace trace = {0};
	struct picket_call call = {.trace = trace_insn, .user = &trace};
	struct picket_program *p = load("mov r1, 0\n"
	                                "lddw r2, 2\n"
	                                "mov r0, r1\n"
	                                "again:\n"
	                                " mov r3, r0\n add r0, 1\n jlt r0, r2, again\n"
	                                "call local f\n"
	                                "exit\n"
	                                "f:\n mov r0, 7\n exit",
	                                true, NULL, 0);

	(void)state;
	assert_int_equal(picket_program_run(p, &call), 0);
	assert_int_equal(call.result, 7);
	assert_int_equal(call.executed, ARRAY_SIZE(insns) - 1);
	assert_int_equal(trace.count, ARRAY_SIZE(insns));
	assert_memory_equal(trace.insns, insns, sizeof(insns));
	assert_memory_equal(trace.r0, r0, sizeof(r0));
	picket_program_free(p);
}

static void test_trace_of_a_fault(void **state)
{
	struct trace trace = {0};
	struct picket_call call = {.trace = trace_insn, .user = &trace};
	struct picket_program *p = load("mov r0, 3\n ldxb r0, [r0]\n exit", true, NULL, 0);

	(void)state;
	assert_int_equal(picket_program_run(p, &call), -EFAULT);
	assert_int_equal(call.executed, 2);
	assert_int_equal(trace.count, 3);
	assert_int_equal(trace.insns[1], 1);
	assert_true(trace.insns[2] == SIZE_MAX);
	assert_int_equal(trace.r0[2], 3);
	picket_program_free(p);
}

static void test_nothing_is_traced_unless_plain(void **state)
{
	struct trace trace = {0};
	struct picket_call call = {.trace = trace_insn, .user = &trace};
	struct picket_program *p = load("mov r0, 3\n exit", false, NULL, 0);

	(void)state;
	assert_int_equal(picket_program_run(p, &call), 0);
	assert_int_equal(call.executed, 0);
	assert_int_equal(trace.count, 0);
	picket_program_free(p);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(test_fault_tells_the_state),
	        cmocka_unit_test(test_faults_of_every_access),
	        cmocka_unit_test(test_bounds_are_exact),
	        cmocka_unit_test(test_stack_bounds),
	        cmocka_unit_test(test_regions),
	        cmocka_unit_test(test_fault_in_what_was_merged),
	        cmocka_unit_test(test_unaligned_atomics),
	        cmocka_unit_test(test_call_of_no_function),
	        cmocka_unit_test(test_fault_of_a_helper),
	        cmocka_unit_test(test_budget_of_jumps),
	        cmocka_unit_test(test_budget_of_calls),
	        cmocka_unit_test(test_budget_is_shared_with_callbacks),
	        cmocka_unit_test(test_record_is_gone_after_submit),
	        cmocka_unit_test(test_record_has_an_end),
	        cmocka_unit_test(test_many_map_values),
	        cmocka_unit_test(test_map_value_has_an_end),
	        cmocka_unit_test(test_map_of_one_direction),
	        cmocka_unit_test(test_trace),
	        cmocka_unit_test(test_trace_of_a_fault),
	        cmocka_unit_test(test_nothing_is_traced_unless_plain),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
