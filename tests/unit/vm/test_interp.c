/* SPDX-License-Identifier: Apache-2.0
 *
 * The interpreter: faults and the state that they tell, budget, frames, callbacks, tail calls, what it remembers of memory.
 * What single instructions compute is tests/vm/. Every program runs as it is optimised and plain, with the same outcome.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <linux/bpf.h>
#include <stdio.h>
#include <stdlib.h>
#include "vm/vm_int.h"

#define OWN_CALLBACK PICKET_HELPER_OWN
#define OWN_NUMBER (PICKET_HELPER_OWN + 1)
#define RECORDS_BYTES 4096

/* What a run left. */
struct outcome {
	int r;
	uint64_t result, executed;
	struct picket_fault fault;
	bool in_own_program; /* the fault */
};

/* Calls r1, a function, with r2 to r5 in its r1 to r4. Returns its result + 1000. */
static uint64_t own_callback(uint64_t r1, uint64_t r2, uint64_t r3, uint64_t r4, uint64_t r5, struct picket_run *run)
{
	uint64_t result;

	if (picket_run_callback(run, r1, r2, r3, r4, r5, 0, &result))
		return 0;
	return result + 1000;
}

static uint64_t own_number(uint64_t r1, uint64_t r2, uint64_t r3, uint64_t r4, uint64_t r5, struct picket_run *run)
{
	(void)run;
	return r1 + r2 + r3 + r4 + r5;
}

static const struct picket_helper own_helpers[] = {
        {.id = OWN_CALLBACK,
         .name = "callback",
         .args = {PICKET_ARG_ANY, PICKET_ARG_ANY, PICKET_ARG_ANY, PICKET_ARG_ANY, PICKET_ARG_ANY},
         .function = own_callback},
        {.id = OWN_NUMBER,
         .name = "number",
         .args = {PICKET_ARG_ANY, PICKET_ARG_ANY, PICKET_ARG_ANY, PICKET_ARG_ANY, PICKET_ARG_ANY},
         .function = own_number},
};

static struct picket_program *load(const char *text, bool plain, struct picket_map *const *maps, size_t map_count)
{
	_cleanup_(base_free_ptr) struct picket_insn *insns = NULL;
	struct picket_options options = {
	        .plain = plain,
	        .helpers = own_helpers,
	        .helper_count = ARRAY_SIZE(own_helpers),
	        .maps = maps,
	        .map_count = map_count,
	};
	struct picket_program *p = NULL;
	struct picket_error error = {0};
	size_t count;

	if (picket_assemble(text, strlen(text), &insns, &count, &error))
		fail_msg("%u:%u: %s", error.line, error.column, error.text);
	if (picket_program_load(insns, count, &options, &p, &error))
		fail_msg("%s", error.text);
	return p;
}

static struct outcome run_program(const struct picket_program *p, const struct picket_call *given)
{
	struct picket_call call = *given;
	struct outcome o = {.r = picket_program_run(p, &call)};

	o.result = call.result;
	o.executed = call.executed;
	o.fault = call.fault;
	o.in_own_program = o.r && call.fault.program == p;
	return o;
}

static struct picket_map *make_map_with(uint32_t type, uint32_t key_size, uint32_t value_size, uint32_t entries,
                                        uint32_t flags)
{
	struct picket_map_spec spec = {.name = "m",
	                               .type = type,
	                               .key_size = key_size,
	                               .value_size = value_size,
	                               .max_entries = entries,
	                               .flags = flags};
	struct picket_map *m = NULL;
	struct picket_error error = {0};

	if (picket_map_new(&spec, &m, &error))
		fail_msg("%s", error.text);
	return m;
}

static struct picket_map *make_map(uint32_t type, uint32_t key_size, uint32_t value_size, uint32_t entries)
{
	return make_map_with(type, key_size, value_size, entries, 0);
}

/* Both ways; what a fault says must be the same, but for where the stack happens to lie. */
static struct outcome run_with_maps(const char *text, const struct picket_call *call, struct picket_map *const *maps,
                                    size_t map_count)
{
	struct outcome o[2];

	for (int plain = 0; plain < 2; plain++) {
		struct picket_program *p = load(text, plain, maps, map_count);
		o[plain] = run_program(p, call);
		assert_true(!o[plain].r || o[plain].in_own_program);
		picket_program_free(p);
	}
	assert_int_equal(o[0].r, o[1].r);
	assert_int_equal(o[0].result, o[1].result);
	if (o[0].r) {
		assert_int_equal(o[0].r, -EFAULT);
		assert_int_equal(o[0].fault.kind, o[1].fault.kind);
		assert_int_equal(o[0].fault.insn, o[1].fault.insn);
		assert_int_equal(o[0].fault.size, o[1].fault.size);
	}
	return o[0];
}

static struct outcome run_call(const char *text, const struct picket_call *call)
{
	return run_with_maps(text, call, NULL, 0);
}

static struct outcome run(const char *text)
{
	uint8_t data[64] = {0};

	return run_call(text, &(struct picket_call){.data = data, .length = sizeof(data)});
}

#define assert_result(got, value) \
	do { \
		struct outcome o_ = (got); \
		if (o_.r) \
			fail_msg("%s at %u", picket_fault_name(o_.fault.kind), o_.fault.insn); \
		assert_int_equal(o_.result, value); \
	} while (0)
#define assert_fault(got, kind_, insn_) \
	do { \
		struct outcome o_ = (got); \
		assert_int_equal(o_.r, -EFAULT); \
		assert_string_equal(picket_fault_name(o_.fault.kind), picket_fault_name(kind_)); \
		assert_int_equal(o_.fault.insn, insn_); \
	} while (0)

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

/* ---- functions ---- */
static void test_function_keeps_registers(void **state)
{
	(void)state;
	assert_result(run("mov r6, 6\n mov r7, 7\n mov r8, 8\n mov r9, 9\n mov r1, 1\n mov r5, 5\n"
	                  "call local f\n"
	                  "mov r0, 0\n"
	                  "or r0, r1\n or r0, r2\n or r0, r3\n or r0, r4\n or r0, r5\n jne r0, 0, bad\n"
	                  "jne r6, 6, bad\n jne r7, 7, bad\n jne r8, 8, bad\n jne r9, 9, bad\n mov r0, 42\n"
	                  "bad: exit\n"
	                  "f:\n"
	                  " jne r1, 1, worse\n jne r5, 5, worse\n jne r6, 6, worse\n"
	                  " mov r6, 0\n mov r7, 0\n mov r8, 0\n mov r9, 0\n"
	                  "worse: exit"),
	              42);
}

static void test_helper_clears_arguments(void **state)
{
	(void)state;
	assert_result(run("mov r1, 1\n mov r2, 2\n mov r3, 3\n mov r4, 4\n mov r5, 5\n call 0x10001\n"
	                  "or r0, r1\n or r0, r2\n or r0, r3\n or r0, r4\n or r0, r5\n exit"),
	              15);
}

static void test_frames_begin_with_zeros(void **state)
{
	(void)state;
	assert_result(run("call local fill\n call local fill\n mov r6, r0\n call local below\n or r0, r6\n exit\n"
	                  "fill:\n"
	                  " ldxdw r0, [r10-512]\n ldxdw r1, [r10-8]\n or r0, r1\n"
	                  " stdw [r10-512], -1\n stdw [r10-8], -1\n exit\n"
	                  "below:\n" /* its own frame is never zeroed, its callee looks into it */
	                  " call local look\n exit\n"
	                  "look:\n"
	                  " mov r2, r10\n add r2, -1024\n ldxdw r0, [r2]\n ldxdw r1, [r2+504]\n or r0, r1\n exit"),
	              0);
}

static void test_frames_are_limited(void **state)
{
	static const char recursion[] = "call local f\n exit\nf:\n ldxb r2, [r1]\n add r2, 1\n stxb [r1], r2\n"
	                                " call local f\n exit";
	uint8_t data[8] = {0};
	struct picket_call call = {.data = data, .length = sizeof(data)};
	struct outcome o = run_call(recursion, &call);

	(void)state;
	assert_fault(o, PICKET_FAULT_FRAMES, 5);
	assert_int_equal(o.fault.address, 0);
	assert_int_equal(data[0], 2 * (PICKET_FRAMES_MAX - 1)); /* it ran twice */
	assert_fault(run("lddw r6, function f\n call r6\n exit\nf:\n call r6\n exit"), PICKET_FAULT_FRAMES, 4);
}

static void test_stack_of_the_caller(void **state)
{
	(void)state;
	assert_result(run("stdw [r10-8], 5\n mov r1, r10\n call local f\n ldxdw r0, [r10-8]\n exit\n"
	                  "f:\n ldxdw r2, [r1-8]\n add r2, 1\n stxdw [r1-8], r2\n exit"),
	              6);
	/* ... begins at its own frame's top and nothing lies above */
	assert_fault(run("mov r1, r10\n call local f\n exit\nf:\n ldxdw r0, [r1+504]\n ldxdw r0, [r1+512]\n exit"),
	             PICKET_FAULT_READ, 4);
}

/* The place in the stack that r0 was found at is no place after the return. */
static void test_frame_is_gone_after_exit(void **state)
{
	(void)state;
	assert_fault(run("call local f\n ldxdw r0, [r0]\n exit\n"
	                 "f:\n mov r0, r10\n add r0, -64\n stdw [r0], 1\n ldxdw r1, [r0]\n exit"),
	             PICKET_FAULT_READ, 1);
	assert_fault(run("call local f\n stdw [r0], 2\n exit\n"
	                 "f:\n mov r0, r10\n add r0, -64\n stdw [r0], 1\n ldxdw r1, [r0]\n exit"),
	             PICKET_FAULT_WRITE, 1);
}

static void test_packet_leaves_the_function(void **state)
{
	(void)state;
	assert_result(run("call local f\n add r0, 5\n exit\nf:\n mov r0, 7\n ldabsb 64\n mov r0, 8\n exit"), 5);
	assert_result(run("mov r0, 7\n ldabsw 61\n mov r0, 8\n exit"), 0);
}

/* ---- callbacks ---- */
static void test_callback(void **state)
{
	(void)state;
	assert_result(run("mov r6, 6\n mov r9, 9\n stdw [r10-8], 30\n"
	                  "lddw r1, function f\n mov r2, r10\n mov r3, 2\n mov r4, 3\n mov r5, 4\n call 0x10000\n"
	                  "jne r6, 6, bad\n jne r9, 9, bad\n jne r1, 0, bad\n"
	                  "ldxdw r1, [r10-8]\n add r0, r1\n"
	                  "bad: exit\n"
	                  "f:\n" /* others than r1 to r5 are 0, the frame as well */
	                  " or r0, r6\n or r0, r9\n ldxdw r6, [r10-8]\n or r0, r6\n jne r0, 0, worse\n"
	                  " stdw [r1-8], 40\n mov r0, r2\n add r0, r3\n add r0, r4\n"
	                  "worse: exit"),
	              1000 + 9 + 40);
}

static void test_fault_in_a_callback(void **state)
{
	struct outcome o = run("mov r6, 1\n lddw r1, function f\n call 0x10000\n exit\n"
	                       "f:\n mov r6, 2\n mov r2, 99\n ldxb r0, [r2]\n exit");

	(void)state;
	assert_fault(o, PICKET_FAULT_READ, 7);
	assert_int_equal(o.fault.address, 99);
	assert_int_equal(o.fault.registers[6], 2);
	assert_fault(run("mov r1, 5\n call 0x10000\n exit"), PICKET_FAULT_CALL, 1);
}

static void test_callbacks_take_frames(void **state)
{
	static const char text[] = "call local f\n exit\nf:\n"
	                           " ldxb r2, [r1]\n add r2, 1\n stxb [r1], r2\n"
	                           " mov r2, r1\n lddw r1, function f\n call 0x10000\n exit";
	uint8_t data[8] = {0};
	struct picket_call call = {.data = data, .length = sizeof(data)};

	(void)state;
	assert_fault(run_call(text, &call), PICKET_FAULT_FRAMES, 8);
	assert_int_equal(data[0], 2 * (PICKET_FRAMES_MAX - 1));
}

/* A callback that calls helpers itself leaves no trace in where the next one begins. */
static void test_callbacks_one_after_another(void **state)
{
	(void)state;
	assert_result(run("mov r1, 100\n lddw r2, function f\n mov r3, r10\n mov r4, 0\n call 181\n" /* loop */
	                  "ldxdw r1, [r10-8]\n add r0, r1\n exit\n"
	                  "f:\n mov r6, r2\n mov r1, 1\n call 0x10001\n"
	                  " ldxdw r1, [r6-8]\n add r1, 1\n stxdw [r6-8], r1\n mov r0, 0\n exit"),
	              200);
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

/* ---- tail calls ---- */
#define TAIL_CALL_0 "lddw r2, map[0]\n mov r3, 0\n call 12\n"

struct tail {
	struct picket_map *programs;
	struct picket_program *from, *to;
};

static struct outcome run_tail(struct tail *t, const char *from, bool from_plain, const char *to, bool to_plain,
                               const struct picket_call *call)
{
	t->programs = make_map(BPF_MAP_TYPE_PROG_ARRAY, 4, 4, 1);
	t->from = load(from, from_plain, &t->programs, 1);
	t->to = to ? load(to, to_plain, &t->programs, 1) : NULL;
	assert_int_equal(picket_map_set_program(t->programs, 0, t->to ? t->to : t->from), 0);
	return run_program(t->from, call);
}

static void tail_done(struct tail *t)
{
	assert_int_equal(picket_map_set_program(t->programs, 0, NULL), 0);
	picket_program_free(t->from);
	picket_program_free(t->to);
	picket_map_free(t->programs);
}

static void test_tail_call(void **state)
{
	uint8_t data[8] = {0, 5};
	struct picket_call call = {.data = data, .length = sizeof(data)};
	struct tail t;

	(void)state;
	for (int mix = 0; mix < 4; mix++) {
		struct outcome o = run_tail(
		        &t, "mov r6, 1\n stdw [r10-8], 9\n mov r1, 0\n" TAIL_CALL_0 "mov r0, 99\n exit", mix & 1,
		        "mov r0, r6\n ldxdw r3, [r10-8]\n or r0, r3\n add r0, r2\n ldxb r1, [r1+1]\n"
		        "add r0, r1\n exit",
		        mix & 2, &call);
		assert_result(o, sizeof(data) + 5);
		tail_done(&t);
	}
}

static void test_tail_call_to_nowhere(void **state)
{
	uint8_t data[8] = {0};
	struct picket_call call = {.data = data, .length = sizeof(data)};
	struct tail t;
	struct outcome o =
	        run_tail(&t, "lddw r2, map[0]\n mov r3, 1\n call 12\n or r0, r3\n exit", false, NULL, false, &call);

	(void)state;
	assert_result(o, (uint64_t)-ENOENT);
	tail_done(&t);
}

static void test_tail_calls_are_limited(void **state)
{
	uint8_t data[8] = {0};
	struct picket_call call = {.data = data, .length = sizeof(data)};
	struct tail t;

	(void)state;
	for (int plain = 0; plain < 2; plain++) {
		data[0] = 0;
		assert_result(run_tail(&t, "ldxb r3, [r1]\n add r3, 1\n stxb [r1], r3\n" TAIL_CALL_0 "mov r0, 7\n exit",
		                       plain, NULL, false, &call),
		              7);
		assert_int_equal(data[0], PICKET_TAIL_CALLS_MAX + 1);
		tail_done(&t);
	}
}

static void test_tail_call_pays(void **state)
{
	uint8_t data[8] = {0};
	struct picket_call call = {.data = data, .length = sizeof(data), .budget = 4};
	struct outcome o;
	struct tail t;

	(void)state;
	assert_result(run_tail(&t, TAIL_CALL_0 "exit", false, "mov r0, 1\n mov r0, 2\n mov r0, 3\n exit", false, &call),
	              3);
	tail_done(&t);
	call.budget = 3;
	o = run_tail(&t, TAIL_CALL_0 "exit", false, "mov r0, 1\n mov r0, 2\n mov r0, 3\n exit", false, &call);
	assert_fault(o, PICKET_FAULT_BUDGET, 3);
	assert_ptr_equal(o.fault.program, t.from);
	tail_done(&t);
}

/* It takes the place of the function, whose caller goes on, with its own program again. */
static void test_tail_call_in_a_function(void **state)
{
	static const char from[] = "mov r6, 40\n stdw [r10-8], 2\n call local f\n add r0, r6\n ldxdw r1, [r10-8]\n"
	                           "add r0, r1\n %s\n exit\n"
	                           "f:\n" TAIL_CALL_0 "mov r0, 99\n exit";
	uint8_t data[8] = {0};
	struct picket_call call = {.data = data, .length = sizeof(data)};
	char text[256];

	(void)state;
	for (int mix = 0; mix < 4; mix++) {
		struct outcome o;
		struct tail t;
		snprintf(text, sizeof(text), from, "");
		assert_result(run_tail(&t, text, mix & 1, "mov r6, 0\n mov r0, 100\n exit", mix & 2, &call), 142);
		tail_done(&t);
		snprintf(text, sizeof(text), from, "ldxb r0, [r0]");
		o = run_tail(&t, text, mix & 1, "mov r0, 100\n exit", mix & 2, &call);
		assert_fault(o, PICKET_FAULT_READ, 6);
		assert_ptr_equal(o.fault.program, t.from);
		tail_done(&t);
	}
}

static void test_tail_call_in_a_callback(void **state)
{
	uint8_t data[8] = {0};
	struct picket_call call = {.data = data, .length = sizeof(data)};

	(void)state;
	for (int mix = 0; mix < 4; mix++) {
		struct tail t;
		assert_result(run_tail(&t,
		                       "lddw r1, function f\n call 0x10000\n lddw r1, function g\n mov r6, r0\n"
		                       "call 0x10000\n add r0, r6\n exit\n"
		                       "f:\n" TAIL_CALL_0 "exit\n"
		                       "g:\n mov r0, 3\n exit",
		                       mix & 1, "mov r0, 50\n exit", mix & 2, &call),
		              1050 + 1003);
		tail_done(&t);
	}
}

static void test_fault_after_a_tail_call(void **state)
{
	uint8_t data[8] = {0};
	struct picket_call call = {.data = data, .length = sizeof(data)};

	(void)state;
	for (int mix = 0; mix < 4; mix++) {
		struct tail t;
		struct outcome o =
		        run_tail(&t, TAIL_CALL_0 "exit", mix & 1, "mov r0, 3\n stb [r0], 1\n exit", mix & 2, &call);
		assert_fault(o, PICKET_FAULT_WRITE, 1);
		assert_ptr_equal(o.fault.program, t.to);
		tail_done(&t);
	}
}

/* What one program may touch is not the other's. */
static void test_tail_call_leaves_maps_behind(void **state)
{
	struct picket_map *maps[] = {make_map(BPF_MAP_TYPE_PROG_ARRAY, 4, 4, 1), make_map(BPF_MAP_TYPE_ARRAY, 4, 8, 1)};
	struct picket_program *from =
	        load("lddw r6, map_value[1]\n stdw [r6], 1\n ldxdw r3, [r6]\n stxdw [r1], r6\n" TAIL_CALL_0 "exit",
	             false, maps, 2);
	struct picket_program *to = load("ldxdw r6, [r1]\n ldxdw r0, [r6]\n exit", false, maps, 1);
	uint64_t data = 0;
	struct picket_call call = {.data = &data, .length = sizeof(data)};
	struct outcome o;

	(void)state;
	assert_int_equal(picket_map_set_program(maps[0], 0, to), 0);
	o = run_program(from, &call);
	assert_fault(o, PICKET_FAULT_READ, 1);
	assert_ptr_equal(o.fault.program, to);
	assert_int_equal(picket_map_set_program(maps[0], 0, NULL), 0);
	picket_program_free(from);
	picket_program_free(to);
	picket_map_free(maps[0]);
	picket_map_free(maps[1]);
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
	        cmocka_unit_test(test_function_keeps_registers),
	        cmocka_unit_test(test_helper_clears_arguments),
	        cmocka_unit_test(test_frames_begin_with_zeros),
	        cmocka_unit_test(test_frames_are_limited),
	        cmocka_unit_test(test_stack_of_the_caller),
	        cmocka_unit_test(test_frame_is_gone_after_exit),
	        cmocka_unit_test(test_packet_leaves_the_function),
	        cmocka_unit_test(test_callback),
	        cmocka_unit_test(test_fault_in_a_callback),
	        cmocka_unit_test(test_callbacks_take_frames),
	        cmocka_unit_test(test_callbacks_one_after_another),
	        cmocka_unit_test(test_record_is_gone_after_submit),
	        cmocka_unit_test(test_record_has_an_end),
	        cmocka_unit_test(test_many_map_values),
	        cmocka_unit_test(test_map_value_has_an_end),
	        cmocka_unit_test(test_map_of_one_direction),
	        cmocka_unit_test(test_tail_call),
	        cmocka_unit_test(test_tail_call_to_nowhere),
	        cmocka_unit_test(test_tail_calls_are_limited),
	        cmocka_unit_test(test_tail_call_pays),
	        cmocka_unit_test(test_tail_call_in_a_function),
	        cmocka_unit_test(test_tail_call_in_a_callback),
	        cmocka_unit_test(test_fault_after_a_tail_call),
	        cmocka_unit_test(test_tail_call_leaves_maps_behind),
	        cmocka_unit_test(test_trace),
	        cmocka_unit_test(test_trace_of_a_fault),
	        cmocka_unit_test(test_nothing_is_traced_unless_plain),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
