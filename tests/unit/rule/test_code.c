/* SPDX-License-Identifier: Apache-2.0
 *
 * eBPF being written: instructions, labels, and jumps of any length.
 */
#include "code_helper.h"

#include <endian.h>

#define FAR_AWAY 40000 /* instructions: more than a jump's 16 bits */
#define BPF_LOOP 181

static uint64_t run_once(struct code *c, void *data, size_t length)
{
	_cleanup_(engines_done) struct engines e = {0};

	assert_int_equal(code_finish(c), 0);
	picket_verdict_free(code_verify(c, NULL, 0));
	e = engines_load(c, NULL, 0);
	return engines_run(&e, data, length);
}

static void test_constants(void **state)
{
	static const struct {
		uint64_t value;
		size_t slots;
	} samples[] = {
	        {0, 1},
	        {1, 1},
	        {0x7fffffff, 1},
	        {0x80000000, 1},
	        {0xffffffff, 1},
	        {0x100000000, 2},
	        {UINT64_MAX, 1},
	        {(uint64_t)INT32_MIN, 1},
	        {(uint64_t)INT32_MIN - 1, 2},
	        {0x0123456789abcdef, 2},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(samples); i++) {
		_cleanup_(code_done) struct code c;

		code_init(&c, false);
		code_constant(&c, 0, samples[i].value);
		code_exit(&c);
		assert_int_equal(c.count, samples[i].slots + 1);
		assert_int_equal(run_once(&c, NULL, 0), samples[i].value);
	}
}

static void test_memory(void **state)
{
	uint8_t data[16] = {1, 2, 3, 4, 5, 6, 7, 8};
	_cleanup_(code_done) struct code c;
	code_label end;
	uint64_t word;

	(void)state;
	code_init(&c, false);
	end = code_label_new(&c);
	code_alu(&c, BPF_MOV, 0, 0);
	code_jump_if(&c, BPF_JLT, 2, 16, end);
	code_load(&c, BPF_DW, 3, 1, 0);
	code_swap(&c, 3);
	code_store(&c, BPF_DW, 1, 8, 3);
	code_load(&c, BPF_B, 0, 1, 1);
	code_load(&c, BPF_H, 4, 1, 0);
	code_alu_reg(&c, BPF_ADD, 0, 4);
	code_bind(&c, end);
	code_exit(&c);
	assert_int_equal(run_once(&c, data, sizeof(data)), 2 + le16toh(0x0201));
	memcpy(&word, data + 8, 8);
	assert_int_equal(word, 0x0102030405060708);
}

/* ---- jumps ---- */

enum direction { FORWARD, BACKWARD };

static void fill(struct code *c, size_t count)
{
	for (size_t i = 0; i < count; i++)
		code_alu(c, BPF_ADD, 5, 1);
}

static void write_condition(struct code *c, uint8_t op, bool reg, int32_t imm, code_label l)
{
	code_alu(c, BPF_MOV, 4, imm);
	if (reg)
		code_jump_if_reg(c, op, 3, 4, l);
	else
		code_jump_if(c, op, 3, imm, l);
}

/* Returns 1 if the condition holds for the 8 bytes of data, and else 0. */
static void write_decision(struct code *c, uint8_t op, bool reg, int32_t imm, enum direction direction, size_t distance)
{
	code_label begin = code_label_new(c), holds = code_label_new(c), end = code_label_new(c);

	code_alu(c, BPF_MOV, 0, 0);
	code_alu(c, BPF_MOV, 5, 0);
	code_jump_if(c, BPF_JLT, 2, 8, end);
	code_load(c, BPF_DW, 3, 1, 0);
	code_jump(c, begin);
	if (direction == BACKWARD) {
		code_bind(c, holds);
		code_alu(c, BPF_MOV, 0, 1);
		code_jump(c, end);
		fill(c, distance);
	}
	code_bind(c, begin);
	write_condition(c, op, reg, imm, holds);
	fill(c, distance);
	code_jump(c, end);
	if (direction == FORWARD) {
		code_bind(c, holds);
		code_alu(c, BPF_MOV, 0, 1);
	}
	code_bind(c, end);
	code_exit(c);
}

static bool holds(uint8_t op, uint64_t a, int32_t imm)
{
	uint64_t b = (uint64_t)imm;

	switch (op) {
	case BPF_JEQ:
		return a == b;
	case BPF_JNE:
		return a != b;
	case BPF_JGT:
		return a > b;
	case BPF_JGE:
		return a >= b;
	case BPF_JLT:
		return a < b;
	case BPF_JLE:
		return a <= b;
	case BPF_JSGT:
		return (int64_t)a > imm;
	case BPF_JSGE:
		return (int64_t)a >= imm;
	case BPF_JSLT:
		return (int64_t)a < imm;
	case BPF_JSLE:
		return (int64_t)a <= imm;
	case BPF_JSET:
		return a & b;
	default:
		fail_msg("%x is no condition", op);
		return false;
	}
}

static const uint8_t conditions[] = {BPF_JEQ,  BPF_JNE,  BPF_JGT,  BPF_JGE,  BPF_JLT, BPF_JLE,
                                     BPF_JSGT, BPF_JSGE, BPF_JSLT, BPF_JSLE, BPF_JSET};

static void check_condition(uint8_t op, bool reg, bool far, enum direction direction, size_t distance)
{
	static const int32_t constants[] = {-5, 6};
	static const uint64_t values[] = {0, 1, 5, 6, 7, 9, (uint64_t)-6, (uint64_t)-5, (uint64_t)-4};

	for (size_t i = 0; i < ARRAY_SIZE(constants); i++) {
		_cleanup_(code_done) struct code c;
		_cleanup_(engines_done) struct engines e = {0};

		code_init(&c, far);
		write_decision(&c, op, reg, constants[i], direction, distance);
		assert_int_equal(code_finish(&c), 0);
		e = engines_load(&c, NULL, 0);
		for (size_t k = 0; k < ARRAY_SIZE(values); k++)
			assert_int_equal(engines_run(&e, &(uint64_t){values[k]}, 8),
			                 holds(op, values[k], constants[i]));
	}
}

static void test_near(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(conditions) * 4; i++)
		for (enum direction d = FORWARD; d <= BACKWARD; d++)
			check_condition(conditions[i / 4], i & 1, i & 2, d, 3);
}

static void test_far(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(conditions); i++)
		for (enum direction d = FORWARD; d <= BACKWARD; d++)
			check_condition(conditions[i], (i + d) & 1, true, d, FAR_AWAY);
}

/* Around the edges of 16 bits, in all forms; refused only where it is too far without `far`. */
static void test_edges(void **state)
{
	(void)state;
	for (size_t distance = 32762; distance < 32772; distance++) {
		for (unsigned form = 0; form < 4; form++) {
			_cleanup_(code_done) struct code c;
			_cleanup_(engines_done) struct engines e = {0};
			uint8_t op = form & 1 ? BPF_JSET : BPF_JEQ;
			int r;

			code_init(&c, false);
			write_decision(&c, op, false, 6, form & 2 ? BACKWARD : FORWARD, distance);
			r = code_finish(&c);
			if (r) {
				assert_int_equal(r, -ERANGE);
				code_done(&c);
				code_init(&c, true);
				write_decision(&c, op, false, 6, form & 2 ? BACKWARD : FORWARD, distance);
				assert_int_equal(code_finish(&c), 0);
			} else {
				assert_true(distance <= 32767);
			}
			e = engines_load(&c, NULL, 0);
			assert_int_equal(engines_run(&e, &(uint64_t){6}, 8), 1);
			assert_int_equal(engines_run(&e, &(uint64_t){8}, 8), 0);
		}
	}
}

/* ---- functions ---- */

static void test_function(void **state)
{
	_cleanup_(code_done) struct code c;
	code_label function;

	(void)state;
	code_init(&c, false);
	function = code_label_new(&c);
	code_alu(&c, BPF_MOV, 1, 20);
	code_call_label(&c, function);
	code_alu(&c, BPF_ADD, 0, 1);
	code_exit(&c);
	code_bind(&c, function);
	code_alu_reg(&c, BPF_MOV, 0, 1);
	code_alu(&c, BPF_MUL, 0, 2);
	code_exit(&c);
	assert_int_equal(run_once(&c, NULL, 0), 41);
}

static void test_callback(void **state)
{
	_cleanup_(code_done) struct code c;
	code_label function;

	(void)state;
	code_init(&c, false);
	function = code_label_new(&c);
	code_alu(&c, BPF_MOV, 1, 0);
	code_store(&c, BPF_DW, 10, -8, 1);
	code_alu(&c, BPF_MOV, 1, 10);
	code_function(&c, 2, function);
	code_alu_reg(&c, BPF_MOV, 3, 10);
	code_alu(&c, BPF_ADD, 3, -8);
	code_alu(&c, BPF_MOV, 4, 0);
	code_call(&c, BPF_LOOP);
	code_load(&c, BPF_DW, 0, 10, -8);
	code_exit(&c);
	code_bind(&c, function); /* adds the turn's number to what r2 leads to */
	code_load(&c, BPF_DW, 3, 2, 0);
	code_alu_reg(&c, BPF_ADD, 3, 1);
	code_store(&c, BPF_DW, 2, 0, 3);
	code_alu(&c, BPF_MOV, 0, 0);
	code_exit(&c);
	assert_int_equal(run_once(&c, NULL, 0), 45);
}

/* ---- errors ---- */

static void test_errors(void **state)
{
	_cleanup_(code_done) struct code unbound, twice, large, failed;
	code_label l;

	(void)state;
	code_init(&unbound, false);
	code_jump(&unbound, code_label_new(&unbound));
	assert_int_equal(code_finish(&unbound), -EINVAL);

	code_init(&twice, false);
	l = code_label_new(&twice);
	code_bind(&twice, l);
	code_bind(&twice, l);
	assert_int_equal(code_finish(&twice), -EINVAL);

	code_init(&large, false);
	fill(&large, PICKET_INSNS_MAX);
	assert_int_equal(large.error, 0);
	code_exit(&large);
	assert_int_equal(large.count, PICKET_INSNS_MAX);
	assert_int_equal(code_finish(&large), -E2BIG);

	code_init(&failed, true);
	code_fail(&failed, -ENOMEM);
	code_fail(&failed, -EINVAL);
	l = code_label_new(&failed);
	code_bind(&failed, l);
	code_jump_if(&failed, BPF_JEQ, 0, 0, l);
	code_function(&failed, 1, l);
	assert_int_equal(failed.count, 0);
	assert_int_equal(code_finish(&failed), -ENOMEM);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(test_constants), cmocka_unit_test(test_memory), cmocka_unit_test(test_near),
	        cmocka_unit_test(test_far),       cmocka_unit_test(test_edges),  cmocka_unit_test(test_function),
	        cmocka_unit_test(test_callback),  cmocka_unit_test(test_errors),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
