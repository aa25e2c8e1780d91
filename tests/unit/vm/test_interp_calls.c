/* SPDX-License-Identifier: Apache-2.0
 *
 * The interpreter: functions, callbacks and tail calls.
 */
#include "interp_fixture.h"

/* ---- functions ---- */
/* A frame that the function itself does not name is there all the same, for who comes by its caller's. */
static void test_unnamed_frame_is_clean(void **state)
{
	static const char text[] = "mov r6, r10\n call local dirty\n call local look\n exit\n"
	                           "dirty:\n stdw [r10-256], -1\n mov r0, 0\n exit\n"
	                           "look:\n ldxdw r0, [r6+256]\n exit";

	(void)state;
	assert_result(run(text), 0);
}

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

int main(void)
{
	const struct CMUnitTest tests[] = {
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
	        cmocka_unit_test(test_tail_call),
	        cmocka_unit_test(test_tail_call_to_nowhere),
	        cmocka_unit_test(test_tail_calls_are_limited),
	        cmocka_unit_test(test_tail_call_pays),
	        cmocka_unit_test(test_tail_call_in_a_function),
	        cmocka_unit_test(test_tail_call_in_a_callback),
	        cmocka_unit_test(test_unnamed_frame_is_clean),
	        cmocka_unit_test(test_fault_after_a_tail_call),
	        cmocka_unit_test(test_tail_call_leaves_maps_behind),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
