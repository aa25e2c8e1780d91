/* SPDX-License-Identifier: Apache-2.0
 *
 * Soundness by trying: abstract values made of known numbers, then each operation on the numbers must lie in the operation
 * on the abstract values.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "verify/scalar.h"

#define ROUNDS 60000
#define MEMBERS 4

static uint64_t seed = 0x9e3779b97f4a7c15;

static uint64_t next_random(void)
{
	seed ^= seed << 13;
	seed ^= seed >> 7;
	seed ^= seed << 17;
	return seed;
}

/* Numbers near those where bounds, signs and widths change. */
static uint64_t random_number(void)
{
	static const uint64_t edges[] = {0,
	                                 1,
	                                 7,
	                                 31,
	                                 32,
	                                 63,
	                                 64,
	                                 255,
	                                 256,
	                                 65535,
	                                 INT32_MAX,
	                                 1ull << 31,
	                                 UINT32_MAX,
	                                 1ull << 32,
	                                 INT64_MAX,
	                                 1ull << 63,
	                                 UINT64_MAX,
	                                 (uint64_t)INT32_MIN,
	                                 UINT64_MAX - 7};
	uint64_t r = next_random(), edge = edges[r % ARRAY_SIZE(edges)];

	switch (r >> 32 & 7) {
	case 0:
		return next_random();
	case 1:
		return next_random() & UINT32_MAX;
	case 2:
		return next_random() & 255;
	case 3:
		return edge + (next_random() & 15);
	case 4:
		return edge - (next_random() & 15);
	case 5:
		return 1ull << (next_random() & 63);
	default:
		return edge;
	}
}

struct sample {
	struct scalar scalar;
	uint64_t members[MEMBERS];
};

static struct sample random_sample(void)
{
	struct sample s;
	uint64_t base = random_number();
	bool near = next_random() & 1;

	for (unsigned i = 0; i < MEMBERS; i++) {
		s.members[i] = near                     ? base + (next_random() & 7)
		               : i && next_random() & 1 ? s.members[i - 1]
		                                        : random_number();
		struct scalar one = scalar_constant(s.members[i]);
		s.scalar = i ? scalar_join(&s.scalar, &one) : one;
	}
	return s;
}

static uint64_t random_member(const struct sample *s)
{
	return s->members[next_random() % MEMBERS];
}

static uint64_t concrete_alu(enum scalar_op op, bool wide, uint64_t a, uint64_t b)
{
	uint64_t r;

	if (!wide) {
		a = (uint32_t)a;
		b = (uint32_t)b;
	}
	int64_t sa = wide ? (int64_t)a : (int32_t)(uint32_t)a, sb = wide ? (int64_t)b : (int32_t)(uint32_t)b;
	int64_t least = wide ? INT64_MIN : INT32_MIN;
	unsigned n = (unsigned)(b & (wide ? 63 : 31));
	switch (op) {
	case SCALAR_ADD:
		r = a + b;
		break;
	case SCALAR_SUB:
		r = a - b;
		break;
	case SCALAR_MUL:
		r = a * b;
		break;
	case SCALAR_DIV:
		r = b ? a / b : 0;
		break;
	case SCALAR_SDIV:
		r = !sb ? 0 : sa == least && sb == -1 ? (uint64_t)least : (uint64_t)(sa / sb);
		break;
	case SCALAR_MOD:
		r = b ? a % b : a;
		break;
	case SCALAR_SMOD:
		r = !sb ? a : sb == -1 ? 0 : (uint64_t)(sa % sb);
		break;
	case SCALAR_OR:
		r = a | b;
		break;
	case SCALAR_AND:
		r = a & b;
		break;
	case SCALAR_XOR:
		r = a ^ b;
		break;
	case SCALAR_LSH:
		r = a << n;
		break;
	case SCALAR_RSH:
		r = a >> n;
		break;
	case SCALAR_ARSH:
		r = (uint64_t)(sa >> n);
		break;
	default:
		r = b;
		break;
	}
	return wide ? r : (uint32_t)r;
}

static bool concrete_test(enum scalar_test test, bool wide, uint64_t a, uint64_t b)
{
	int64_t sa = wide ? (int64_t)a : (int32_t)(uint32_t)a, sb = wide ? (int64_t)b : (int32_t)(uint32_t)b;

	if (!wide) {
		a = (uint32_t)a;
		b = (uint32_t)b;
	}
	switch (test) {
	case SCALAR_EQ:
		return a == b;
	case SCALAR_NE:
		return a != b;
	case SCALAR_GT:
		return a > b;
	case SCALAR_GE:
		return a >= b;
	case SCALAR_LT:
		return a < b;
	case SCALAR_LE:
		return a <= b;
	case SCALAR_SGT:
		return sa > sb;
	case SCALAR_SGE:
		return sa >= sb;
	case SCALAR_SLT:
		return sa < sb;
	case SCALAR_SLE:
		return sa <= sb;
	case SCALAR_SET:
		return a & b;
	case SCALAR_CLEAR:
		return !(a & b);
	}
	return false;
}

static void test_arithmetic(void **state)
{
	(void)state;
	for (unsigned i = 0; i < ROUNDS; i++) {
		struct sample a = random_sample(), b = random_sample();
		for (enum scalar_op op = SCALAR_ADD; op <= SCALAR_MOV; op++) {
			for (int wide = 0; wide < 2; wide++) {
				struct scalar r = a.scalar;
				uint64_t x = random_member(&a), y = random_member(&b);
				scalar_alu(op, wide, &r, &b.scalar);
				if (!scalar_may_be(&r, concrete_alu(op, wide, x, y)))
					fail_msg(
					        "op %d wide %d: %#lx, %#lx gives %#lx, which is not in %#lx..%#lx bits %#lx/%#lx",
					        op, wide, x, y, concrete_alu(op, wide, x, y), r.wide.umin, r.wide.umax,
					        r.bits.value, r.bits.mask);
			}
		}
	}
}

static void test_constants_stay_constant(void **state)
{
	(void)state;
	for (unsigned i = 0; i < ROUNDS; i++) {
		uint64_t x = random_number(), y = random_number(), got;
		enum scalar_op op = (enum scalar_op)(next_random() % (SCALAR_MOV + 1));
		bool wide = next_random() & 1;
		struct scalar a = scalar_constant(x), b = scalar_constant(y);
		scalar_alu(op, wide, &a, &b);
		if (op == SCALAR_DIV || op == SCALAR_MOD || op == SCALAR_SDIV || op == SCALAR_SMOD)
			continue; /* these may lose a little */
		assert_true(scalar_is_constant(&a, &got));
		assert_int_equal(got, concrete_alu(op, wide, x, y));
	}
}

static void test_one_operand(void **state)
{
	(void)state;
	for (unsigned i = 0; i < ROUNDS; i++) {
		struct sample a = random_sample();
		uint64_t x = random_member(&a);
		struct scalar r = a.scalar;
		scalar_negate(true, &r);
		assert_true(scalar_may_be(&r, -x));
		r = a.scalar;
		scalar_negate(false, &r);
		assert_true(scalar_may_be(&r, (uint32_t)-x));
		r = a.scalar;
		scalar_zero_extend(&r);
		assert_true(scalar_may_be(&r, (uint32_t)x));
		r = a.scalar;
		scalar_sign_extend(true, 8, &r);
		assert_true(scalar_may_be(&r, (uint64_t)(int8_t)x));
		r = a.scalar;
		scalar_sign_extend(false, 16, &r);
		assert_true(scalar_may_be(&r, (uint32_t)(int16_t)x));
		r = a.scalar;
		scalar_sign_extend(true, 32, &r);
		assert_true(scalar_may_be(&r, (uint64_t)(int32_t)x));
		r = a.scalar;
		scalar_keep_bytes(2, &r);
		assert_true(scalar_may_be(&r, (uint16_t)x));
		r = a.scalar;
		scalar_swap(64, true, &r);
		assert_true(scalar_may_be(&r, __builtin_bswap64(x)));
		r = a.scalar;
		scalar_swap(16, true, &r);
		assert_true(scalar_may_be(&r, __builtin_bswap16((uint16_t)x)));
	}
}

static void test_assumptions(void **state)
{
	(void)state;
	for (unsigned i = 0; i < ROUNDS; i++) {
		struct sample a = random_sample(), b = random_sample();
		if (next_random() & 1)
			b.scalar = scalar_constant(b.members[0] = b.members[1] = b.members[2] = b.members[3] =
			                                   random_member(&a));
		for (enum scalar_test test = SCALAR_EQ; test <= SCALAR_CLEAR; test++) {
			for (int wide = 0; wide < 2; wide++) {
				uint64_t x = random_member(&a), y = random_member(&b);
				bool holds = concrete_test(test, wide, x, y);
				struct scalar p = a.scalar, q = b.scalar;
				int decided = scalar_decide(test, wide, &p, &q);
				enum scalar_test assumed = holds ? test : scalar_test_inverse(test);
				if (decided >= 0)
					assert_int_equal(decided, holds);
				assert_true(scalar_assume(assumed, wide, &p, &q));
				if (!scalar_may_be(&p, x) || !scalar_may_be(&q, y))
					fail_msg("test %d wide %d: %#lx, %#lx are lost", assumed, wide, x, y);
			}
		}
	}
}

static void test_join_and_widen_contain(void **state)
{
	(void)state;
	for (unsigned i = 0; i < ROUNDS; i++) {
		struct sample a = random_sample(), b = random_sample();
		struct scalar joined = scalar_join(&a.scalar, &b.scalar), wide = scalar_widen(&a.scalar, &joined);
		assert_true(scalar_contains(&joined, &a.scalar) && scalar_contains(&joined, &b.scalar));
		assert_true(scalar_contains(&wide, &joined));
	}
}

static void test_widening_ends(void **state)
{
	struct scalar s = scalar_constant(0), one = scalar_constant(1);
	unsigned rounds = 0;

	(void)state;
	for (;;) {
		struct scalar next = s;
		scalar_alu(SCALAR_ADD, true, &next, &one);
		next = scalar_join(&s, &next);
		next = scalar_widen(&s, &next);
		if (scalar_equal(&next, &s))
			break;
		s = next;
		assert_true(++rounds < 100);
	}
}

/* What programs rely on. */
static void test_bounds_that_programs_need(void **state)
{
	struct scalar s = scalar_loaded(4, false), mask = scalar_constant(0xff), limit = scalar_constant(14),
	              eight = scalar_constant(8), minus = scalar_constant((uint64_t)-16);

	(void)state;
	scalar_alu(SCALAR_AND, true, &s, &mask);
	assert_int_equal(s.wide.umax, 0xff);
	s = scalar_loaded(1, false);
	assert_true(scalar_assume(SCALAR_LE, true, &s, &limit));
	scalar_alu(SCALAR_MUL, true, &s, &eight);
	assert_int_equal(s.wide.umax, 112);
	assert_int_equal(s.bits.mask & 7, 0);
	s = scalar_unknown();
	assert_true(scalar_assume(SCALAR_LT, false, &s, &limit)); /* w1 < 14 */
	scalar_zero_extend(&s);
	assert_int_equal(s.wide.umax, 13);
	s = scalar_unknown();
	assert_true(scalar_assume(SCALAR_SLT, true, &s, &limit));
	assert_true(scalar_assume(SCALAR_SGE, true, &s, &minus));
	assert_int_equal(s.wide.smin, -16);
	assert_int_equal(s.half.smax, 13);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(test_arithmetic),
	        cmocka_unit_test(test_constants_stay_constant),
	        cmocka_unit_test(test_one_operand),
	        cmocka_unit_test(test_assumptions),
	        cmocka_unit_test(test_join_and_widen_contain),
	        cmocka_unit_test(test_widening_ends),
	        cmocka_unit_test(test_bounds_that_programs_need),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
