/* SPDX-License-Identifier: Apache-2.0
 *
 * Checked code against the plain interpreter: faults and the state that they tell, budget, frames, calls and callbacks, and
 * what the compiler believes to know of memory beforehand.
 */
#include "tests/unit/vm/jit_fixture.h"
#include "base/buf.h"

/* The values of a run that are not addresses on the run's own stack, which may lie elsewhere the next time. */
static uint64_t without_stack(uint64_t value, const struct picket_fault *fault)
{
	uint64_t below = fault->registers[10] - value;

	return below + 4096 < 8192 ? 0x57ac000000000000 + below : value;
}

static void assert_same_fault(const char *text, const struct picket_fault *got, const struct picket_fault *expected)
{
	if (got->kind != expected->kind || got->insn != expected->insn || got->size != expected->size ||
	    without_stack(got->address, got) != without_stack(expected->address, expected))
		fail_msg("%s\n%s at %u (%u bytes at %llx), not %s at %u (%u at %llx)", text,
		         picket_fault_name(got->kind), got->insn, got->size, (unsigned long long)got->address,
		         picket_fault_name(expected->kind), expected->insn, expected->size,
		         (unsigned long long)expected->address);
	for (int i = 0; i < 11; i++)
		if (without_stack(got->registers[i], got) != without_stack(expected->registers[i], expected))
			fail_msg("%s\n%s at %u: r%d is %llx, not %llx", text, picket_fault_name(got->kind), got->insn,
			         i, (unsigned long long)got->registers[i], (unsigned long long)expected->registers[i]);
}

#define MEMORY_MAX 256
static void keep(void *to, const void *from, size_t length)
{
	if (length)
		memcpy(to, from, length);
}

/* Checked code does what the interpreter does, faults included. The call's data is as it was afterwards. */
static struct picket_call compare_with_map(const char *text, struct picket_call call, struct picket_map *map)
{
	uint8_t before[MEMORY_MAX], after[MEMORY_MAX];
	struct picket_program *p = load_with_map(text, reference, map);
	struct picket_call expected = call;
	int r;

	assert_true(call.length <= MEMORY_MAX);
	keep(before, call.data, call.length);
	r = picket_program_run(p, &expected);
	picket_program_free(p);
	keep(after, call.data, call.length);
	for (size_t i = 0; i < COMPILED_CHECKED; i++) {
		struct picket_call got = call;
		keep(call.data, before, call.length);
		p = load_with_map(text, compiled[i], map);
		if (picket_program_run(p, &got) != r || got.result != expected.result)
			fail_msg("%s\n%s at %u, result %llu; not %s at %u, result %llu", text,
			         picket_fault_name(got.fault.kind), got.fault.insn, (unsigned long long)got.result,
			         picket_fault_name(expected.fault.kind), expected.fault.insn,
			         (unsigned long long)expected.result);
		if (r) {
			assert_ptr_equal(got.fault.program, p);
			assert_same_fault(text, &got.fault, &expected.fault);
		}
		picket_program_free(p);
		if (call.length)
			assert_memory_equal(call.data, after, call.length);
	}
	keep(call.data, before, call.length);
	return expected;
}

static struct picket_call compare(const char *text)
{
	return compare_with_map(text, (struct picket_call){0}, NULL);
}

/* ---- faults ---- */
static void test_faults(void **state)
{
	static const struct {
		const char *text;
		enum picket_fault_kind kind;
		uint32_t insn;
	} cases[] = {
	        {"mov %r6, 6\nldxw %r0, [%r6+10]\nexit", PICKET_FAULT_READ, 1},
	        {"mov %r9, 9\nldxb %r0, [%r10+0]\nexit", PICKET_FAULT_READ, 1},
	        {"ldxb %r0, [%r10-513]\nexit", PICKET_FAULT_READ, 0},
	        {"ldxdw %r0, [%r10-7]\nexit", PICKET_FAULT_READ, 0},
	        {"ldxsb %r3, [%r4]\nexit", PICKET_FAULT_READ, 0},
	        {"mov %r3, -1\nldxdw %r0, [%r3]\nexit", PICKET_FAULT_READ, 1},
	        {"mov %r3, -8\nldxdw %r0, [%r3]\nexit", PICKET_FAULT_READ, 1},
	        {"stxh [%r10+0], %r1\nexit", PICKET_FAULT_WRITE, 0},
	        {"mov %r2, 7\nstdw [%r2], -5\nexit", PICKET_FAULT_WRITE, 1},
	        {"mov %r0, 3\nmov %r5, 5\nlock add [%r10-12], %r5\nexit", PICKET_FAULT_WRITE, 2},
	        {"mov %r5, 5\nmov %r4, %r10\nadd %r4, -12\nlock fetch or [%r4], %r5\nexit", PICKET_FAULT_WRITE, 3},
	        {"ldacqw %r5, [%r10-6]\nexit", PICKET_FAULT_READ, 0},
	        {"strelh [%r10-7], %r5\nexit", PICKET_FAULT_WRITE, 0},
	        {"mov %r7, 77\ncall %r7\nexit", PICKET_FAULT_CALL, 1},
	        {"mov %r1, 12\ncall %r1\nexit", PICKET_FAULT_CALL, 1},
	        {"lddw %r1, 0x7069636b00000001\ncall %r1\nexit", PICKET_FAULT_CALL, 2},
	        {"mov %r1, 1\nmov %r2, 2\nmov %r8, 8\ncall map_lookup_elem\nexit", PICKET_FAULT_ARGUMENT, 3},
	        {"mov %r8, 8\ncall local f\nexit\nf:\nmov %r8, 9\nldxb %r0, [%r8]\nexit", PICKET_FAULT_READ, 4},
	        /* merged: what the sum was is to be seen */
	        {"mov %r1, 100\nmov %r2, 20\nmov %r4, %r1\nadd %r4, %r2\nldxw %r4, [%r4+3]\nexit", PICKET_FAULT_READ,
	         4},
	        {"mov %r1, 100\nmov %r2, 20\nadd %r1, %r2\nldxw %r1, [%r1+3]\nexit", PICKET_FAULT_READ, 3},
	        {"mov %r1, 100\nmov %r2, 20\nadd %r1, %r2\nldxw %r3, [%r1+3]\nmov %r1, 0\nexit", PICKET_FAULT_READ, 3},
	        /* addresses that are never computed, but here */
	        {"mov %r3, %r1\nadd %r3, 8\nadd %r1, 1\nldxw %r4, [%r3+3]\nmov %r3, 0\nexit", PICKET_FAULT_READ, 3},
	        {"mov %r3, %r10\nadd %r3, %r2\nstb [%r3-8], 1\nadd %r2, 7\nldxw %r3, [%r3+300]\nexit",
	         PICKET_FAULT_READ, 4},
	        {"mov %r2, 1\nmov %r5, %r10\nadd %r5, %r2\nldxb %r3, [%r5-9]\nja -2\nexit", PICKET_FAULT_BUDGET, 4},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct picket_call got = compare_with_map(cases[i].text, (struct picket_call){.budget = 50}, NULL);
		assert_int_equal(got.fault.kind, cases[i].kind);
		assert_int_equal(got.fault.insn, cases[i].insn);
	}
}

/* A fault in the midst of code that keeps nothing in its place but what it must. */
static void test_fault_shows_all_registers(void **state)
{
	static const char text[] = "mov %r0, 10\nmov %r3, 13\nmov %r4, 14\nmov %r5, 15\nmov %r6, 16\n"
	                           "mov %r7, 17\nmov %r8, 18\nmov %r9, 19\n"
	                           "mod %r7, %r3\ndiv %r8, %r0\nmov %r4, %r9\nadd %r4, 1\n"
	                           "ldxb %r0, [%r9]\nmov %r4, 0\nmov %r3, 0\nmov %r0, 0\nexit";
	struct picket_call got = compare(text);

	(void)state;
	assert_int_equal(got.fault.kind, PICKET_FAULT_READ);
	assert_int_equal(got.fault.registers[4], 20);
	assert_int_equal(got.fault.registers[7], 4);
}

/* ---- budget ---- */
static void test_budget(void **state)
{
	static const char *const texts[] = {
	        /* jumps that are taken back and not, loops in loops, calls */
	        "mov %r6, 3\na:\nmov %r7, 3\nb:\nadd %r0, 1\nsub %r7, 1\njne %r7, 0, b\nsub32 %r6, 1\njne32 %r6, 0, a\nexit",
	        "mov %r6, 4\nja c\na:\nadd %r0, %r6\nsub %r6, 1\nc:\njsgt %r6, 0, a\nexit",
	        "mov %r6, 2\na:\ncall local f\nsub %r6, 1\njset %r6, 3, a\nexit\nf:\nadd %r0, 1\nmov %r1, 2\ng:\n"
	        "sub %r1, 1\njeq %r1, 1, g\nexit",
	        "lddw %r7, function f\nmov %r6, 3\na:\ncall %r7\nsub %r6, 1\njne %r6, 0, a\nexit\nf:\nmov %r0, 5\nexit",
	        "lddw %r7, function f\nmov %r6, 3\na:\nmov %r1, %r7\nmov %r2, %r6\ncall 0x10000\nsub %r6, 1\njne %r6, 0, a\nexit\n"
	        "f:\nmov %r0, %r1\nexit",
	        "mov %r6, 1\na:\nmov %r3, %r6\nadd %r3, %r10\nldxb %r0, [%r3-9]\nadd %r6, 1\njle %r6, 3, a\nexit",
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(texts); i++) {
		bool stopped = false, passed = false;
		for (uint64_t budget = 1; budget < 80; budget++) {
			struct picket_call got =
			        compare_with_map(texts[i], (struct picket_call){.budget = budget}, NULL);
			stopped |= got.fault.kind == PICKET_FAULT_BUDGET;
			passed |= got.fault.kind == PICKET_FAULT_NONE;
		}
		assert_true(stopped && passed);
	}
}

/* More instructions between a jump and its target than a short loop has. */
static void test_budget_of_long_loop(void **state)
{
	char text[8192] = "mov %r6, 3\na:\nsub %r6, 1\n";

	(void)state;
	for (int i = 0; i < 100; i++)
		strcat(text, "add %r0, %r6\n");
	strcat(text, "jne %r6, 0, a\nexit");
	for (uint64_t budget = 90; budget < 330; budget += 6)
		compare_with_map(text, (struct picket_call){.budget = budget}, NULL);
}

/* The form with a number in the place of @, and with its sign in the place of ~. */
static void fill(char *text, size_t size, const char *form, int number)
{
	struct buf b;

	buf_init(&b, size - 1);
	for (; *form; form++) {
		if (*form == '@')
			buf_printf(&b, "%d", number);
		else if (*form == '~')
			buf_printf(&b, "%+d", number);
		else
			buf_add_char(&b, *form);
	}
	assert_int_equal(buf_error(&b), 0);
	memcpy(text, b.data, b.length + 1);
	buf_done(&b);
}

/* ---- frames ---- */
static void test_frames(void **state)
{
	/* r1: how deep; each writes below its r10 and reads what its caller wrote */
	static const char text[] = "mov %r1, @\ncall local f\nexit\n"
	                           "f:\nmov %r6, %r1\nldxdw %r7, [%r10-8]\njne %r7, 0, bad\nstxdw [%r10-8], %r1\n"
	                           "jeq %r1, 0, end\nsub %r1, 1\ncall local f\nadd %r0, %r6\nldxdw %r7, [%r10-8]\n"
	                           "jne %r7, %r6, bad\nexit\nend:\nmov %r0, 0\nexit\nbad:\nmov %r0, -1\nexit";
	char given[512];

	(void)state;
	for (int depth = 0; depth < 9; depth++) {
		struct picket_call got;
		fill(given, sizeof(given), text, depth);
		got = compare(given);
		if (depth < PICKET_FRAMES_MAX - 1)
			assert_int_equal(got.result, depth * (depth + 1) / 2);
		else
			assert_int_equal(got.fault.kind, PICKET_FAULT_FRAMES);
	}
}

/* What is above the active function's r10 belongs to nobody; what is below, to it and its callers. */
static void test_stack_bounds(void **state)
{
	(void)state;
	assert_int_equal(compare("mov %r6, %r10\nadd %r6, 8\nldxb %r0, [%r6]\nexit").fault.kind, PICKET_FAULT_READ);
	assert_int_equal(compare("stdw [%r10-8], 5\nmov %r1, %r10\ncall local f\nexit\n"
	                         "f:\nldxdw %r0, [%r1-8]\nldxdw %r2, [%r10-520]\nadd %r0, %r2\nexit")
	                         .result,
	                 10);
	/* found while it was deep, used when it is gone */
	assert_int_equal(
	        compare("call local f\nldxb %r1, [%r0-8]\nexit\nf:\nmov %r0, %r10\nldxb %r1, [%r0-8]\nexit").fault.kind,
	        PICKET_FAULT_READ);
	assert_int_equal(compare("mov %r6, 2\na:\ncall local f\nsub %r6, 1\njne %r6, 0, a\nldxb %r1, [%r0-8]\nexit\n"
	                         "f:\nmov %r0, %r10\nmov %r3, %r10\nldxb %r1, [%r3-8]\nexit")
	                         .fault.kind,
	                 PICKET_FAULT_READ);
}

/* The same, by a pointer of which the compiler knows nothing, in whatever window it is looked for. */
static void test_frame_is_gone(void **state)
{
	(void)state;
	for (int others = 0; others < VM_WINDOWS; others++) {
		char text[512] = "stdw [%r10-16], 0\ncall local f\nmov %r6, %r0\n";
		for (int i = 0; i < others; i++)
			strcat(text, "ldxdw %r7, [%r10-16]\n");
		strcat(text, "ldxb %r1, [%r6-8]\nexit\n"
		             "f:\nstxdw [%r10-8], %r10\nldxdw %r3, [%r10-8]\nldxb %r2, [%r3-8]\nmov %r0, %r3\nexit");
		assert_int_equal(compare(text).fault.kind, PICKET_FAULT_READ);
	}
}

/* ---- calls ---- */
static void test_registers_over_calls(void **state)
{
	(void)state;
	assert_result("mov %r6, 6\nmov %r7, 7\nmov %r8, 8\nmov %r9, 9\ncall local f\nadd %r0, %r6\nadd %r0, %r7\n"
	              "add %r0, %r8\nadd %r0, %r9\nexit\nf:\nmov %r6, 60\nmov %r7, 70\nmov %r8, 80\nmov %r9, 90\n"
	              "mov %r0, %r6\nexit",
	              90);
	assert_int_equal(
	        compare("mov %r1, 1\nmov %r5, 5\ncall local f\nadd %r0, %r1\nadd %r0, %r5\nexit\nf:\nmov %r1, 9\n"
	                "mov %r0, 3\nexit")
	                .result,
	        3);
	assert_int_equal(compare("mov %r2, 2\ncall ktime_get_ns\nmov %r0, %r2\nadd %r0, %r5\nexit").result, 0);
}

static void test_callbacks(void **state)
{
	(void)state;
	assert_result(
	        "mov %r6, 6\nmov %r7, 7\nlddw %r1, function f\nmov %r2, 20\nmov %r3, 3\ncall 0x10000\nadd %r0, %r6\nadd %r0, %r7\n"
	        "exit\nf:\nmov %r6, 100\nmov %r7, 200\nmov %r0, %r1\nadd %r0, %r2\nexit",
	        1036);
	/* in one another, and back */
	assert_result(
	        "lddw %r1, function f\nmov %r2, 1\ncall 0x10000\nexit\nf:\nstxdw [%r10-8], %r1\nlddw %r1, function g\nmov %r2, 5\n"
	        "call 0x10000\nldxdw %r1, [%r10-8]\nadd %r0, %r1\nexit\ng:\nstdw [%r10-8], 77\nmov %r0, %r1\nexit",
	        2006);
	/* what a callback finds in registers that are not given, and on its stack */
	assert_int_equal(
	        compare("mov %r6, 6\nmov %r9, 9\nlddw %r1, function f\ncall 0x10000\nexit\nf:\nmov %r0, %r6\nadd %r0, %r9\n"
	                "add %r0, %r5\nldxdw %r1, [%r10-512]\nadd %r0, %r1\nexit")
	                .result,
	        1000);
}

/* One after the other: each has the frame above its helper's caller. */
static void test_callbacks_in_turn(void **state)
{
	(void)state;
	assert_result("mov %r1, 30\nlddw %r2, function f\nmov %r3, 0\nmov %r4, 0\ncall loop\nexit\n"
	              "f:\nstxdw [%r10-8], %r1\nmov %r0, 0\nexit",
	              30);
}

static void test_faults_in_callbacks(void **state)
{
	struct picket_call got;

	(void)state;
	got = compare(
	        "mov %r6, 6\nlddw %r1, function f\nmov %r2, 2\ncall 0x10000\nexit\nf:\nmov %r0, 5\nldxb %r0, [%r1+1]\nexit");
	assert_int_equal(got.fault.kind, PICKET_FAULT_READ);
	assert_int_equal(got.fault.insn, 7);
	/* from deep inside, through two calls of C */
	got = compare(
	        "lddw %r1, function f\ncall 0x10000\nexit\nf:\ncall local g\nexit\ng:\nlddw %r1, function h\ncall 0x10000\nexit\n"
	        "h:\nmov %r8, 8\nstb [%r8], 1\nexit");
	assert_int_equal(got.fault.kind, PICKET_FAULT_WRITE);
	assert_int_equal(got.fault.address, 8);
	/* one too many frames: the call of the helper fails */
	got = compare(
	        "mov %r6, 1\nlddw %r1, function f\nmov %r2, %r1\ncall 0x10000\nexit\nf:\nmov %r2, %r1\ncall 0x10000\nexit");
	assert_int_equal(got.fault.kind, PICKET_FAULT_FRAMES);
	/* and no function at all */
	got = compare("mov %r1, 3\ncall 0x10000\nexit");
	assert_int_equal(got.fault.kind, PICKET_FAULT_CALL);
	assert_int_equal(got.fault.insn, 1);
}

/* Function 0 by another way than from outside: r1 need not be the context then. */
static void test_function_0_is_called(void **state)
{
	uint64_t context[4] = {1, 2, 3, 4};
	struct picket_call call = {.data = context, .length = sizeof(context)}, got;

	(void)state;
	got = compare_with_map(
	        "a:\nldxdw %r0, [%r1+8]\njgt %r2, 100, end\nmov %r2, 1000\nmov %r1, 5\ncall local a\nend:\nexit", call,
	        NULL);
	assert_int_equal(got.fault.kind, PICKET_FAULT_READ);
	assert_int_equal(got.fault.address, 13);
	got = compare_with_map(
	        "ldxdw %r0, [%r1+8]\njgt %r2, 100, +5\nlddw %r1, 0x7069636b00000000\nmov %r2, 3\nmov %r3, 300\n"
	        "call 0x10000\nexit",
	        call, NULL);
	assert_int_equal(got.fault.kind, PICKET_FAULT_READ);
	assert_int_equal(got.fault.address, 11);
}

/* ---- memory ---- */
/* Each offset around the bounds of the context, as constant and in a register, with lengths around what is needed. */
static void test_context_bounds(void **state)
{
	uint64_t context[8];
	char text[256];

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(context); i++)
		context[i] = i * UINT64_C(0x0102030405060708);
	for (int offset = -9; offset <= 17; offset++) {
		static const char *const forms[] = {
		        "ldxdw %r0, [%r1~]\nexit",
		        "mov %r3, %r1\nadd %r3, @\nldxdw %r0, [%r3]\nexit",
		        "mov %r3, @\nadd %r3, %r1\nldxb %r0, [%r3]\nldxdw %r3, [%r3]\nexit",
		        "mov %r3, @\nadd %r1, %r3\nstdw [%r1], 7\nexit",
		        "jgt %r2, 1000, +3\nldxw %r3, [%r1]\nldxdw %r0, [%r1~]\nexit\nmov %r0, 1\nexit",
		        "lock fetch add [%r1~], %r2\nexit",
		};
		for (size_t f = 0; f < ARRAY_SIZE(forms); f++)
			for (size_t length = 0; length <= 24; length += 4) {
				fill(text, sizeof(text), forms[f], offset);
				compare_with_map(text, (struct picket_call){.data = context, .length = length}, NULL);
			}
	}
}

/* Memory that lies right behind the context is the program's by another name: that it is there says nothing of the rest. */
static void test_region_behind_context(void **state)
{
	uint8_t memory[256] = {0};
	struct picket_region region = {.data = memory + 64, .length = 16};
	struct picket_call call = {.data = memory, .length = 32, .regions = &region, .region_count = 1}, got;

	(void)state;
	assert_int_equal(compare_with_map("ldxb %r0, [%r1+64]\nexit", call, NULL).fault.kind, PICKET_FAULT_NONE);
	got = compare_with_map("ldxb %r0, [%r1+64]\nldxb %r0, [%r1+40]\nexit", call, NULL);
	assert_int_equal(got.fault.kind, PICKET_FAULT_READ);
	assert_int_equal(got.fault.insn, 1);
	got = compare_with_map("ldxb %r0, [%r1+64]\nstb [%r1+64], 1\nexit", call, NULL);
	assert_int_equal(got.fault.kind, PICKET_FAULT_WRITE);
	region.writable = true;
	assert_int_equal(compare_with_map("stdw [%r1+72], 0\nexit", call, NULL).fault.kind, PICKET_FAULT_NONE);
	assert_int_equal(compare_with_map("stdw [%r1+73], 0\nexit", call, NULL).fault.kind, PICKET_FAULT_WRITE);
}

/* Loops that go by what the analysis guesses, and by what it must not. */
static void test_loops_over_memory(void **state)
{
	static const char *const loops[] = {
	        /* up, down, by pointer, with the test at either end, with other steps */
	        "mov %r3, 0\na:\nmov %r4, %r1\nadd %r4, %r3\nldxb %r5, [%r4]\nadd %r0, %r5\nadd %r3, 1\n"
	        "jne %r3, @, a\nexit",
	        "mov %r3, 0\na:\njsge %r3, @, end\nmov %r4, %r1\nadd %r4, %r3\nldxdw %r5, [%r4]\nadd %r0, %r5\n"
	        "add %r3, 8\nja a\nend:\nexit",
	        "mov %r3, 0\na:\nmov %r4, %r1\nadd %r4, %r3\nldxw %r5, [%r4]\nadd %r0, %r5\nadd %r3, 3\n"
	        "jlt %r3, @, a\nexit",
	        "mov %r3, @\na:\nsub %r3, 1\nmov %r4, %r1\nadd %r4, %r3\nldxb %r5, [%r4]\nadd %r0, %r5\n"
	        "jne %r3, 0, a\nexit",
	        "mov %r6, %r1\nmov %r7, %r1\nadd %r7, @\na:\nldxh %r5, [%r6]\nadd %r0, %r5\nadd %r6, 2\n"
	        "jne %r6, %r7, a\nexit",
	        /* the step is not what it seems, the bound is not the index's, an index below 0 */
	        "mov %r3, 0\na:\nmov %r4, %r1\nadd %r4, %r3\nldxb %r5, [%r4]\nadd %r0, %r5\nadd %r3, 5\n"
	        "jne %r3, @, b\nexit\nb:\nsub %r3, 2\njgt %r3, 300, c\nja a\nc:\nexit",
	        "mov %r3, 0\nmov %r6, 0\na:\nmov %r4, %r1\nadd %r4, %r3\nldxb %r5, [%r4]\nadd %r0, %r5\nadd %r3, 7\n"
	        "add %r6, 1\njne %r6, @, a\nexit",
	        "mov %r3, @\na:\nsub %r3, 3\nmov %r4, %r1\nadd %r4, %r3\nldxb %r5, [%r4]\nadd %r0, %r5\n"
	        "jsgt %r3, -4, a\nexit",
	        "mov32 %r3, 0\na:\nmov %r4, %r1\nadd %r4, %r3\nldxb %r5, [%r4+4]\nadd %r0, %r5\nsub32 %r3, 1\n"
	        "add32 %r3, 2\njne32 %r3, @, a\nexit",
	};
	static const int bounds[] = {1, 2, 8, 15, 16, 24, 31, 32, 33, 40};
	uint8_t context[32];
	char text[512];

	(void)state;
	for (size_t i = 0; i < sizeof(context); i++)
		context[i] = (uint8_t)(i * 37);
	for (size_t i = 0; i < ARRAY_SIZE(loops); i++)
		for (size_t b = 0; b < ARRAY_SIZE(bounds); b++) {
			struct picket_call call = {.data = context, .length = sizeof(context), .budget = 5000};
			fill(text, sizeof(text), loops[i], bounds[b]);
			compare_with_map(text, call, NULL);
			call.length = 16;
			compare_with_map(text, call, NULL);
		}
}

/* Halves of numbers that are more than half of what they seem. */
static void test_halves_compared(void **state)
{
	static const char *const texts[] = {
	        "mov32 %r3, -1\njslt32 %r3, 10, a\nexit\na:\nadd %r3, %r1\nldxb %r0, [%r3]\nexit",
	        "lddw %r3, 0x100000004\njlt32 %r3, 10, a\nexit\na:\nadd %r3, %r1\nldxb %r0, [%r3]\nexit",
	        "mov %r3, -3\njgt %r3, 10, a\nmov %r3, 0\na:\nadd %r3, %r1\nldxb %r0, [%r3]\nexit",
	        "ldxw %r3, [%r1]\njsle32 %r3, 10, a\nexit\na:\nadd %r3, %r1\nldxb %r0, [%r3]\nexit",
	        "ldxdw %r3, [%r1]\njlt32 %r3, 10, a\nmov %r3, 1\na:\nadd %r3, %r1\nldxb %r0, [%r3]\nexit",
	        "ldxdw %r3, [%r1]\nle64 %r3\njsgt %r3, 31, a\nadd %r3, %r1\nldxb %r0, [%r3]\na:\nexit",
	        "ldxdw %r3, [%r1]\nbe64 %r3\nand32 %r3, %r3\nadd %r3, %r1\nldxb %r0, [%r3]\nexit",
	};
	static const uint64_t numbers[] = {5, 0xfffffff0, UINT64_C(0x100000005), UINT64_C(-1), UINT64_C(-40)};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(texts); i++)
		for (size_t n = 0; n < ARRAY_SIZE(numbers); n++) {
			uint64_t context[4] = {numbers[n], 2, 3, 4};
			compare_with_map(texts[i], (struct picket_call){.data = context, .length = sizeof(context)},
			                 NULL);
		}
}

static struct picket_map *make_array(uint32_t value_size, uint32_t entries, uint32_t flags)
{
	struct picket_map_spec spec = {.name = "a",
	                               .type = BPF_MAP_TYPE_ARRAY,
	                               .key_size = 4,
	                               .value_size = value_size,
	                               .max_entries = entries,
	                               .flags = flags};
	struct picket_map *m = NULL;
	struct picket_error error = {0};

	if (picket_map_new(&spec, &m, &error))
		fail_msg("%s", error.text);
	for (uint32_t i = 0; i < entries; i++) {
		uint8_t value[64] = {(uint8_t)(i + 1)};
		assert_true(value_size <= sizeof(value));
		assert_int_equal(picket_map_update(m, &i, value, 0), 0);
	}
	return m;
}

static void test_array_lookup(void **state)
{
	static const uint32_t sizes[] = {1, 8, 12, 24, 64};
	char text[512];

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(sizes); i++) {
		struct picket_map *m = make_array(sizes[i], 5, 0);
		for (int key = -1; key <= 6; key++)
			for (int offset = -1; offset <= (int)sizes[i]; offset += (int)sizes[i] / 4 + 1) {
				struct picket_call got;
				snprintf(
				        text, sizeof(text),
				        "mov %%r6, 6\nstw [%%r10-4], %d\nlddw %%r1, map[0]\nmov %%r2, %%r10\nadd %%r2, -4\n"
				        "call map_lookup_elem\njeq %%r0, 0, none\nldxb %%r3, [%%r0%+d]\nmov %%r0, %%r3\n"
				        "add %%r0, %%r2\nexit\nnone:\nmov %%r0, 99\nadd %%r0, %%r1\nexit",
				        key, offset);
				got = compare_with_map(text, (struct picket_call){0}, m);
				if (key < 0 || key >= 5)
					assert_int_equal(got.result, 99);
				else if (offset == 0)
					assert_int_equal(got.result, key + 1);
			}
		picket_map_free(m);
	}
}

/* A value that was not tested, one that was tested by another's test, a key that is not where it seems. */
static void test_array_lookup_misused(void **state)
{
	static const char *const texts[] = {
	        "stw [%r10-4], 9\nlddw %r1, map[0]\nmov %r2, %r10\nadd %r2, -4\ncall map_lookup_elem\nldxb %r0, [%r0]\nexit",
	        "stw [%r10-4], 9\nlddw %r1, map[0]\nmov %r2, %r10\nadd %r2, -4\ncall map_lookup_elem\nmov %r6, %r0\n"
	        "stw [%r10-4], 1\nlddw %r1, map[0]\nmov %r2, %r10\nadd %r2, -4\ncall map_lookup_elem\n"
	        "jeq %r0, 0, end\nldxb %r0, [%r6]\nend:\nexit",
	        "lddw %r1, map[0]\nmov %r2, %r10\nadd %r2, -3\ncall map_lookup_elem\nexit",
	        "lddw %r1, map[0]\nmov %r2, %r10\nadd %r2, -516\ncall map_lookup_elem\nexit",
	        "lddw %r1, map[0]\nmov %r2, 5\ncall map_lookup_elem\nexit",
	        "lddw %r1, map[0]\nadd %r1, 8\nmov %r2, %r10\nadd %r2, -8\ncall map_lookup_elem\nexit",
	        "lddw %r1, map_value[0]+3\nldxb %r0, [%r1+4]\nexit",
	        "lddw %r1, map_value[0]+3\nldxw %r0, [%r1+2]\nexit",
	        "lddw %r1, map_value[0]+3\nldxb %r0, [%r1-4]\nexit",
	        "lddw %r1, map_value[0]\nstb [%r1+16], 3\nexit",
	        "lddw %r1, map_value[0]\nldxdw %r2, [%r1]\nlock add [%r1+4], %r2\nexit",
	};
	struct picket_map *m = make_array(8, 3, 0), *readonly = make_array(8, 3, BPF_F_RDONLY_PROG);
	struct picket_map *writeonly;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(texts); i++)
		compare_with_map(texts[i], (struct picket_call){0}, m);
	assert_int_equal(
	        compare_with_map("lddw %r1, map_value[0]\nstb [%r1], 3\nexit", (struct picket_call){0}, readonly)
	                .fault.kind,
	        PICKET_FAULT_WRITE);
	writeonly = make_array(8, 3, BPF_F_WRONLY_PROG);
	assert_int_equal(
	        compare_with_map("lddw %r1, map_value[0]\nldxb %r0, [%r1]\nexit", (struct picket_call){0}, writeonly)
	                .fault.kind,
	        PICKET_FAULT_READ);
	picket_map_free(m);
	picket_map_free(readonly);
	picket_map_free(writeonly);
}

/* What was found of a map's or a record's memory is gone after the call that takes it away. */
static void test_windows_lapse(void **state)
{
	static const char text[] = "lddw %r1, map[0]\nmov %r2, 16\nmov %r3, 0\ncall ringbuf_reserve\n"
	                           "jeq %r0, 0, end\nmov %r6, %r0\nstdw [%r6], 1\nmov %r1, %r6\nmov %r2, 0\n"
	                           "call ringbuf_discard\nstdw [%r6+8], 2\nend:\nexit";
	struct picket_map_spec spec = {.name = "r", .type = BPF_MAP_TYPE_RINGBUF, .max_entries = 4096};
	struct picket_map *ring = NULL;
	struct picket_error error;

	(void)state;
	assert_int_equal(picket_map_new(&spec, &ring, &error), 0);
	for (size_t i = 0; i < COMPILED_CHECKED; i++) {
		struct picket_program *p = load_with_map(text, compiled[i], ring);
		struct picket_call call = {0};
		assert_int_equal(picket_program_run(p, &call), -EFAULT);
		assert_int_equal(call.fault.kind, PICKET_FAULT_WRITE);
		assert_int_equal(call.fault.insn, 11);
		picket_program_free(p);
	}
	picket_map_free(ring);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(test_faults),
	        cmocka_unit_test(test_fault_shows_all_registers),
	        cmocka_unit_test(test_budget),
	        cmocka_unit_test(test_budget_of_long_loop),
	        cmocka_unit_test(test_frames),
	        cmocka_unit_test(test_stack_bounds),
	        cmocka_unit_test(test_frame_is_gone),
	        cmocka_unit_test(test_registers_over_calls),
	        cmocka_unit_test(test_callbacks),
	        cmocka_unit_test(test_callbacks_in_turn),
	        cmocka_unit_test(test_faults_in_callbacks),
	        cmocka_unit_test(test_function_0_is_called),
	        cmocka_unit_test(test_context_bounds),
	        cmocka_unit_test(test_region_behind_context),
	        cmocka_unit_test(test_loops_over_memory),
	        cmocka_unit_test(test_halves_compared),
	        cmocka_unit_test(test_array_lookup),
	        cmocka_unit_test(test_array_lookup_misused),
	        cmocka_unit_test(test_windows_lapse),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
