/* SPDX-License-Identifier: Apache-2.0
 *
 * Tail calls where they meet other calls: what the callers of the function that made way find when they go on. In every
 * engine there is; what faults is compared with the interpreter.
 */
#include <errno.h>
#include <linux/bpf.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <cmocka.h>
#include "vm/vm_int.h"

#define PROGRAMS 3
#define NUMBERS 8

/* programs[0] is run; the others stand in map[0] at 1 and 2. The context is a few numbers. */
struct scene {
	const char *texts[PROGRAMS];
	struct picket_map *array;
	struct picket_program *programs[PROGRAMS];
	uint64_t numbers[NUMBERS];
	struct picket_call call;
};

static const enum picket_engine engines[] = {PICKET_INTERPRETER, PICKET_CHECKED, PICKET_VERIFIED};

static uint64_t twice(uint64_t r1, uint64_t r2, uint64_t r3, uint64_t r4, uint64_t r5, struct picket_run *run)
{
	(void)r2;
	(void)r3;
	(void)r4;
	(void)r5;
	(void)run;
	return 2 * r1;
}

static struct picket_program *load(const struct scene *s, const char *text, enum picket_engine engine, bool blind)
{
	static const struct picket_helper helper = {.id = PICKET_HELPER_OWN,
	                                            .name = "twice",
	                                            .returns = PICKET_RETURN_NUMBER,
	                                            .args = {PICKET_ARG_ANY},
	                                            .function = twice};
	struct picket_options options = {.engine = engine,
	                                 .blind = blind,
	                                 .helpers = &helper,
	                                 .helper_count = 1,
	                                 .maps = &s->array,
	                                 .map_count = 1};
	struct picket_program *p = NULL;
	struct picket_insn *insns;
	struct picket_error error;
	size_t count;
	int r;

	if (picket_assemble(text, strlen(text), &insns, &count, &error))
		fail_msg("%u:%u: %s", error.line, error.column, error.text);
	r = picket_program_load(insns, count, &options, &p, &error);
	free(insns);
	if (r && r != -EOPNOTSUPP)
		fail_msg("%s", error.text);
	return p;
}

static void scene_done(struct scene *s)
{
	for (size_t i = 0; i < PROGRAMS; i++)
		picket_program_free(s->programs[i]);
	picket_map_free(s->array);
}

/* false: there is no such engine here. */
static bool scene_init(struct scene *s, const char *const texts[PROGRAMS], enum picket_engine engine, bool blind)
{
	struct picket_map_spec spec = {.name = "programs",
	                               .type = BPF_MAP_TYPE_PROG_ARRAY,
	                               .key_size = 4,
	                               .value_size = 4,
	                               .max_entries = PROGRAMS};

	*s = (struct scene){0};
	assert_int_equal(picket_map_new(&spec, &s->array, NULL), 0);
	for (size_t i = 0; i < PROGRAMS && texts[i]; i++) {
		s->programs[i] = load(s, texts[i], engine, blind);
		if (!s->programs[i]) {
			scene_done(s);
			return false;
		}
		assert_int_equal(picket_map_set_program(s->array, (uint32_t)i, i ? s->programs[i] : NULL), 0);
	}
	return true;
}

static int scene_run(struct scene *s, uint64_t budget)
{
	s->call = (struct picket_call){.data = s->numbers, .length = sizeof(s->numbers), .budget = budget};
	return picket_program_run(s->programs[0], &s->call);
}

/* All engines give this result. */
static void assert_result(const char *const texts[PROGRAMS], uint64_t result)
{
	struct scene s;

	for (size_t i = 0; i < 2 * ARRAY_SIZE(engines); i++) {
		if (!scene_init(&s, texts, engines[i / 2], i % 2))
			continue;
		if (scene_run(&s, 0))
			fail_msg("engine %zu: %s at %u", i / 2, picket_fault_name(s.call.fault.kind),
			         s.call.fault.insn);
		if (s.call.result != result)
			fail_msg("engine %zu gives %llu, not %llu", i / 2, (unsigned long long)s.call.result,
			         (unsigned long long)result);
		scene_done(&s);
	}
}

/* Pointers differ from run to run. */
static uint64_t normal(const struct scene *s, uint64_t value)
{
	return value == (uintptr_t)s->numbers ? 1111 : value == (uintptr_t)s->array ? 2222 : value;
}

/* The interpreter faults like this, and checked code does the same. which: of the programs. */
static void assert_fault(const char *const texts[PROGRAMS], uint64_t budget, enum picket_fault_kind kind, size_t which,
                         uint32_t insn)
{
	uint64_t registers[10];
	struct scene s;

	for (size_t i = 0; i < 2; i++) {
		const struct picket_fault *f = &s.call.fault;
		if (!scene_init(&s, texts, engines[i], false))
			continue;
		assert_int_equal(scene_run(&s, budget), -EFAULT);
		if (f->kind != kind || f->insn != insn || f->program != s.programs[which])
			fail_msg("engine %zu: %s at %u", i, picket_fault_name(f->kind), f->insn);
		for (size_t r = 0; r < ARRAY_SIZE(registers); r++) {
			uint64_t value = normal(&s, f->registers[r]);
			if (i && value != registers[r])
				fail_msg("r%zu is %llx, the interpreter's is %llx", r, (unsigned long long)value,
				         (unsigned long long)registers[r]);
			registers[r] = value;
		}
		scene_done(&s);
	}
}

#define SCENE(...) ((const char *const[PROGRAMS]){__VA_ARGS__})
#define TAIL_CALL(index) "lddw %r2, map[0]\nmov %r3, " #index "\ncall tail_call\n"

/* r6 to r9 as a program that clobbers them, and calls on to `then`. */
#define CLOBBER(result, then) "mov %r6, -6\nmov %r7, -7\nmov %r8, -8\nmov %r9, -9\n" then "mov %r0, " #result "\nexit\n"

static void test_replaces_program(void **state)
{
	(void)state;
	assert_result(SCENE(TAIL_CALL(1) "mov %r0, 1\nexit\n", TAIL_CALL(2) "mov %r0, 2\nexit\n", CLOBBER(3, "")), 3);
	assert_result(SCENE("stdw [%r1+8], 40\n" TAIL_CALL(1) "exit\n", "jne %r2, 64, +1\nldxdw %r0, [%r1+8]\nexit\n"),
	              40);
}

/* Nothing there, or out of range: on as after any helper. */
static void test_goes_on(void **state)
{
	(void)state;
	assert_result(SCENE(TAIL_CALL(0) "exit\n"), (uint64_t)-ENOENT);
	assert_result(SCENE(TAIL_CALL(77) "exit\n"), (uint64_t)-ENOENT);
	assert_fault(SCENE("mov %r4, 4\nmov %r5, 5\n" TAIL_CALL(0) "ldxdw %r0, [%r3+0]\n exit\n"), 0, PICKET_FAULT_READ,
	             0, 6);
}

/* Starts with zeros, and its own frame. */
static void test_starts_afresh(void **state)
{
	static const char target[] = "ldxdw %r5, [%r10-8]\n" /* what the other left is gone */
	                             "add %r0, %r3\nadd %r0, %r4\nadd %r0, %r6\nadd %r0, %r7\nadd %r0, %r8\n"
	                             "add %r0, %r9\nadd %r0, %r5\nexit\n";
	struct scene s;

	(void)state;
	for (size_t i = 0; i < 2; i++) {
		if (!scene_init(&s,
		                SCENE("stdw [%r10-8], 5\nmov %r6, 1\nmov %r7, 2\nmov %r8, 3\nmov %r9, 4\nmov %r4, 8\n"
		                      "mov %r5, 9\nmov %r0, 7\n" TAIL_CALL(1) "exit\n",
		                      target),
		                engines[i], false))
			continue;
		assert_int_equal(scene_run(&s, 0), 0);
		assert_int_equal(s.call.result, 0);
		scene_done(&s);
	}
}

/* Counts how often it is entered. */
#define COUNTING "ldxdw %r6, [%r1+0]\nadd %r6, 1\nstxdw [%r1+0], %r6\n"

static void test_limit(void **state)
{
	(void)state;
	assert_result(SCENE(TAIL_CALL(1) "exit\n", COUNTING TAIL_CALL(1) "mov %r0, %r6\nexit\n"),
	              PICKET_TAIL_CALLS_MAX);
}

/* The caller of the function that makes way has its registers, its frame, and its program again. */
#define SUM_SAVED "add %r0, %r6\nadd %r0, %r7\nadd %r0, %r8\nadd %r0, %r9\n"

static void test_from_subprogram(void **state)
{
	static const char caller[] =
	        "mov %r6, 10\nmov %r7, 200\nmov %r8, 3000\nmov %r9, 40000\nstdw [%r10-8], 500000\n"
	        "call local f\n" SUM_SAVED "ldxdw %r1, [%r10-8]\nadd %r0, %r1\nexit\n"
	        "f:\nmov %r6, 1\nmov %r9, 1\nstdw [%r10-8], 1\n" TAIL_CALL(1) "mov %r0, -1\nexit\n";

	(void)state;
	assert_result(SCENE(caller, CLOBBER(7, "stdw [%r10-8], 2\n")), 543217);
	assert_result(SCENE(caller, CLOBBER(7, TAIL_CALL(2)), CLOBBER(8, "stdw [%r10-8], 2\n")), 543218);
	assert_result(SCENE(caller, CLOBBER(7, "call local g\n") "g:\nmov %r6, 5\nexit\n"), 543217);
}

static void test_program_is_back(void **state)
{
	static const char caller[] = "call local f\nldxdw %r0, [%r0+0]\nexit\nf:\n" TAIL_CALL(1) "exit\n";
	static const char in_callback[] =
	        "mov %r1, 3\nlddw %r2, function f\nmov %r3, 0\nmov %r4, 0\ncall loop\n"
	        "mov %r6, %r0\nmov %r1, 3\nlddw %r2, function g\nmov %r3, 0\nmov %r4, 0\n"
	        "call loop\nadd %r0, %r6\nexit\nf:\n" TAIL_CALL(1) "exit\ng:\nmov %r0, 0\nexit\n";

	(void)state;
	assert_fault(SCENE(caller, CLOBBER(64, "")), 0, PICKET_FAULT_READ, 0, 1);
	assert_fault(SCENE(caller, "mov %r6, 6\nmov %r0, 8\nldxdw %r0, [%r0+0]\nexit\n"), 0, PICKET_FAULT_READ, 1, 2);
	assert_result(SCENE(in_callback, CLOBBER(0, "")), 6);
}

/* Function 0 is a function as any other, when it is called. */
static void test_function_0_is_called(void **state)
{
	static const char recursive[] = "main:\nldxdw %r6, [%r1+0]\nadd %r6, 1\nstxdw [%r1+0], %r6\nmov %r0, 0\n"
	                                "jeq %r6, 5, out\nstxdw [%r10-8], %r6\ncall local main2\nldxdw %r7, [%r10-8]\n"
	                                "add %r0, %r6\nadd %r0, %r7\nout:\nexit\n"
	                                "main2:\nmov %r6, 77\ncall local main\nadd %r0, %r6\nexit\n";
	static const char tail[] =
	        "main:\njeq %r1, 1, out\nmov %r6, 1\nmov %r7, 2\nmov %r8, 3\nmov %r9, 4\nmov %r1, 1\n"
	        "call local main\n" SUM_SAVED "exit\nout:\nmov %r8, 99\n" TAIL_CALL(1) "exit\n";
	static const char by_value[] =
	        "main:\njeq %r1, 1, out\nmov %r6, 1\nmov %r7, 2\nmov %r8, 3\nmov %r9, 4\nmov %r1, 1\n"
	        "lddw %r5, function main\ncall %r5\n" SUM_SAVED "exit\nout:\nmov %r8, 99\n" TAIL_CALL(1) "exit\n";
	static const char callback[] = "main:\njne %r2, 0, +2\nmov %r0, 0\nexit\nmov %r1, 4\nlddw %r2, function main\n"
	                               "mov %r3, 0\nmov %r4, 0\nmov %r9, 5\ncall loop\nadd %r0, %r9\nexit\n";

	(void)state;
	/* Frames: main, main2, main, main2, main, main2, main, main2, and one more. */
	assert_fault(SCENE(recursive), 0, PICKET_FAULT_FRAMES, 0, 12);
	assert_result(
	        SCENE("ldxdw %r5, [%r1+8]\njne %r5, 0, +1\nstdw [%r1+0], 2\nstdw [%r1+8], 1\nja start\n"
	              "main:\nstart:\nldxdw %r6, [%r1+0]\nadd %r6, 1\nstxdw [%r1+0], %r6\nmov %r0, 0\njeq %r6, 5, out\n"
	              "call local f\nadd %r0, %r6\nout:\nexit\nf:\nmov %r6, 7\nmov %r0, 70\nexit\n"),
	        73);
	assert_result(SCENE(tail, CLOBBER(100, "")), 110);
	assert_result(SCENE(by_value, CLOBBER(100, "")), 110);
	assert_result(SCENE(callback), 9);
}

static void test_call_by_register(void **state)
{
	(void)state;
	assert_result(SCENE("mov %r1, 21\nmov %r5, 65536\ncall %r5\nexit\n"), 42);
	assert_result(SCENE("mov %r6, 5\nmov %r1, 21\nlddw %r5, function f\ncall %r5\nadd %r0, %r6\nexit\n"
	                    "f:\nmov %r6, 1\nmov %r0, %r1\nexit\n"),
	              26);
	assert_fault(SCENE("mov %r1, 21\nmov %r6, 77\nmov %r5, 4242\ncall %r5\nexit\n"), 0, PICKET_FAULT_CALL, 0, 3);
	assert_fault(SCENE("mov %r5, 12\ncall %r5\nexit\n"), 0, PICKET_FAULT_CALL, 0, 1);
	assert_fault(SCENE("lddw %r5, 0x7069636b00000009\ncall %r5\nexit\n"), 0, PICKET_FAULT_CALL, 0, 2);
	assert_fault(SCENE("lddw %r5, function f\ncall local f\nexit\nf:\nlddw %r5, function f\ncall %r5\nexit\n"), 0,
	             PICKET_FAULT_FRAMES, 0, 6);
	assert_fault(
	        SCENE("call local f\nexit\nf:\nmov %r1, 1\nmov %r2, 2\nmov %r5, 65536\ncall %r5\nldxdw %r3, [%r2+0]\n"
	              "exit\n"),
	        0, PICKET_FAULT_READ, 0, 6);
}

/* A taken tail call costs the length of what is entered: 3 slots + 4 each time here. */
static void test_budget(void **state)
{
	const char *const *scene =
	        SCENE("mov %r6, 1\n" TAIL_CALL(1) "exit\n", COUNTING TAIL_CALL(1) "mov %r0, %r6\nexit\n");

	(void)state;
	assert_fault(scene, 8, PICKET_FAULT_BUDGET, 0, 4);
	assert_fault(scene, 9, PICKET_FAULT_BUDGET, 1, 6);
	assert_fault(scene, 18, PICKET_FAULT_BUDGET, 1, 6);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(test_replaces_program),
	        cmocka_unit_test(test_goes_on),
	        cmocka_unit_test(test_starts_afresh),
	        cmocka_unit_test(test_limit),
	        cmocka_unit_test(test_from_subprogram),
	        cmocka_unit_test(test_program_is_back),
	        cmocka_unit_test(test_function_0_is_called),
	        cmocka_unit_test(test_call_by_register),
	        cmocka_unit_test(test_budget),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
