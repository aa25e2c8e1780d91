/* SPDX-License-Identifier: Apache-2.0
 *
 * The words that the compiler for arm64 writes, against those of an assembler. Runs on any machine.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <cmocka.h>
#include "vm/jit_arm64_emit.h"

#define CHECK(word, emit) \
	do { \
		_cleanup_(a64_done) struct a64 a = {.limit = 8}; \
		emit; \
		assert_int_equal(a.error, 0); \
		assert_int_equal(a.count, 1); \
		assert_int_equal(a.words[0], word); \
	} while (0)

static void test_words(void **state)
{
	(void)state;
	CHECK(0x8b030041, a64_arith(&a, A64_ADD, true, 1, 2, 3));                       /* add x1, x2, x3 */
	CHECK(0x6b0600a4, a64_arith(&a, A64_SUB_FLAGS, false, 4, 5, 6));                /* subs w4, w5, w6 */
	CHECK(0x910803e7, a64_add_imm(&a, true, 7, A64_SP, 512));                       /* add x7, sp, #512 */
	CHECK(0xd10803ff, a64_add_imm(&a, true, A64_SP, A64_SP, -512));                 /* sub sp, sp, #512 */
	CHECK(0xb13ffe10, a64_arith_imm(&a, A64_ADD_FLAGS, true, 16, 16, 4095, false)); /* adds x16, x16, #4095 */
	CHECK(0xeb1c033f, a64_arith(&a, A64_SUB_FLAGS, true, A64_ZERO, 25, 28));        /* cmp x25, x28 */
	CHECK(0x8b070e10, a64_arith_shifted(&a, A64_ADD, true, 16, 16, 7, 3));          /* add x16, x16, x7, lsl #3 */
	CHECK(0x0a030041, a64_logic(&a, A64_AND, false, 1, 2, 3));                      /* and w1, w2, w3 */
	CHECK(0xea02003f, a64_logic(&a, A64_AND_FLAGS, true, A64_ZERO, 1, 2));          /* tst x1, x2 */
	CHECK(0xaa2303f0, a64_not(&a, true, 16, 3));                                    /* mvn x16, x3 */
	CHECK(0x0a30022a, a64_clear_bits(&a, false, 10, 17, 16));                       /* bic w10, w17, w16 */
	CHECK(0x9ac20830, a64_two(&a, A64_UDIV, true, 16, 1, 2));                       /* udiv x16, x1, x2 */
	CHECK(0x1ac20c30, a64_two(&a, A64_SDIV, false, 16, 1, 2));                      /* sdiv w16, w1, w2 */
	CHECK(0x9ac22021, a64_two(&a, A64_LSL, true, 1, 1, 2));                         /* lsl x1, x1, x2 */
	CHECK(0x1ac22821, a64_two(&a, A64_ASR, false, 1, 1, 2));                        /* asr w1, w1, w2 */
	CHECK(0x9ac32441, a64_two(&a, A64_LSR, true, 1, 2, 3));                         /* lsr x1, x2, x3 */
	CHECK(0x9b117c21, a64_multiply_add(&a, true, 1, 1, 17, A64_ZERO));              /* mul x1, x1, x17 */
	CHECK(0x9b1140f0, a64_multiply_add(&a, true, 16, 7, 17, 16));                   /* madd x16, x7, x17, x16 */
	CHECK(0x1b118601, a64_multiply_sub(&a, false, 1, 16, 17, 1));                   /* msub w1, w16, w17, w1 */
	CHECK(0xd340fc41, a64_shift_imm(&a, A64_LSL, true, 1, 2, 0));                   /* lsl x1, x2, #0 */
	CHECK(0xd3410041, a64_shift_imm(&a, A64_LSL, true, 1, 2, 63));                  /* lsl x1, x2, #63 */
	CHECK(0x531b6841, a64_shift_imm(&a, A64_LSL, false, 1, 2, 5));                  /* lsl w1, w2, #5 */
	CHECK(0xd37ffc41, a64_shift_imm(&a, A64_LSR, true, 1, 2, 63));                  /* lsr x1, x2, #63 */
	CHECK(0x131f7c41, a64_shift_imm(&a, A64_ASR, false, 1, 2, 31));                 /* asr w1, w2, #31 */
	CHECK(0x93401c41, a64_bitfield(&a, true, true, 1, 2, 0, 7));                    /* sxtb x1, w2 */
	CHECK(0x13003c41, a64_bitfield(&a, true, false, 1, 2, 0, 15));                  /* sxth w1, w2 */
	CHECK(0x93407c41, a64_bitfield(&a, true, true, 1, 2, 0, 31));                   /* sxtw x1, w2 */
	CHECK(0x53003c41, a64_bitfield(&a, false, false, 1, 2, 0, 15));                 /* uxth w1, w2 */
	CHECK(0x5ac00421, a64_reverse(&a, false, 1, 1, 1));                             /* rev16 w1, w1 */
	CHECK(0x5ac00821, a64_reverse(&a, false, 1, 1, 2));                             /* rev w1, w1 */
	CHECK(0xdac00c21, a64_reverse(&a, true, 1, 1, 3));                              /* rev x1, x1 */
	CHECK(0x9a9f3207, a64_select(&a, true, 7, 16, A64_ZERO, A64_LO));               /* csel x7, x16, xzr, lo */
	CHECK(0xfa513202, a64_compare_if(&a, true, 16, 17, A64_LO, 2));                 /* ccmp x16, x17, #2, lo */
	CHECK(0xf97ffc41, a64_transfer(&a, A64_LOAD, 3, 1, 2, 32760));                  /* ldr x1, [x2, #32760] */
	CHECK(0x3947ffe1, a64_transfer(&a, A64_LOAD, 0, 1, A64_SP, 511));               /* ldrb w1, [sp, #511] */
	CHECK(0xb900047f, a64_transfer(&a, A64_STORE, 2, A64_ZERO, 3, 4));              /* str wzr, [x3, #4] */
	CHECK(0xb9800841, a64_transfer(&a, A64_LOAD_SIGNED, 2, 1, 2, 8));               /* ldrsw x1, [x2, #8] */
	CHECK(0x39800441, a64_transfer(&a, A64_LOAD_SIGNED, 0, 1, 2, 1));               /* ldrsb x1, [x2, #1] */
	CHECK(0xf8500041, a64_transfer_near(&a, A64_LOAD, 3, 1, 2, -256));              /* ldur x1, [x2, #-256] */
	CHECK(0x781ff041, a64_transfer_near(&a, A64_STORE, 1, 1, 2, -1));               /* sturh w1, [x2, #-1] */
	CHECK(0xf86f6841, a64_transfer_indexed(&a, A64_LOAD, 3, 1, 2, 15));             /* ldr x1, [x2, x15] */
	CHECK(0x382f6be1, a64_transfer_indexed(&a, A64_STORE, 0, 1, A64_SP, 15));       /* strb w1, [sp, x15] */
	CHECK(0xa9bc0be1, a64_pair(&a, A64_PUSH_PAIR, 1, 2, A64_SP, -64));              /* stp x1, x2, [sp, #-64]! */
	CHECK(0xa91fffe3, a64_pair(&a, A64_STORE_PAIR, 3, A64_ZERO, A64_SP, 504));      /* stp x3, xzr, [sp, #504] */
	CHECK(0xa9600b41, a64_pair(&a, A64_LOAD_PAIR, 1, 2, 26, -512));                 /* ldp x1, x2, [x26, #-512] */
	CHECK(0xa8c70be1, a64_pair(&a, A64_POP_PAIR, 1, 2, A64_SP, 112));               /* ldp x1, x2, [sp], #112 */
	CHECK(0x6f00e400, a64_zero_vector(&a));                                         /* movi v0.2d, #0 */
	CHECK(0xad0f0320, a64_store_vectors(&a, 25, 480));                              /* stp q0, q0, [x25, #480] */
	CHECK(0x08dffc41, a64_load_acquire(&a, 0, 1, 2));                               /* ldarb w1, [x2] */
	CHECK(0xc8dffc41, a64_load_acquire(&a, 3, 1, 2));                               /* ldar x1, [x2] */
	CHECK(0x489ffc41, a64_store_release(&a, 1, 1, 2));                              /* stlrh w1, [x2] */
	CHECK(0x885ffc41, a64_load_exclusive(&a, 2, 1, 2));                             /* ldaxr w1, [x2] */
	CHECK(0xc809fdea, a64_store_exclusive(&a, 3, 9, 10, 15));                       /* stlxr w9, x10, [x15] */
	CHECK(0xf8e10062, a64_atomic(&a, A64_ATOMIC_ADD, 3, 1, 2, 3));                  /* ldaddal x1, x2, [x3] */
	CHECK(0xb8f01071, a64_atomic(&a, A64_ATOMIC_CLEAR, 2, 16, 17, 3));              /* ldclral w16, w17, [x3] */
	CHECK(0xf8e12062, a64_atomic(&a, A64_ATOMIC_XOR, 3, 1, 2, 3));                  /* ldeoral x1, x2, [x3] */
	CHECK(0xb8e13062, a64_atomic(&a, A64_ATOMIC_SET, 2, 1, 2, 3));                  /* ldsetal w1, w2, [x3] */
	CHECK(0xf8e18062, a64_atomic(&a, A64_ATOMIC_SWAP, 3, 1, 2, 3));                 /* swpal x1, x2, [x3] */
	CHECK(0xc8e7fc41, a64_compare_and_swap(&a, 3, 7, 1, 2));                        /* casal x7, x1, [x2] */
	CHECK(0x88e7fc41, a64_compare_and_swap(&a, 2, 7, 1, 2));                        /* casal w7, w1, [x2] */
	CHECK(0xd61f0200, a64_branch_register(&a, 16));                                 /* br x16 */
	CHECK(0xd63f0120, a64_call_register(&a, 9));                                    /* blr x9 */
	CHECK(0xd65f03c0, a64_return(&a));                                              /* ret */
}

/* A branch in the middle of nothing, over a distance in words. */
#define CHECK_BRANCH(word, distance, emit) \
	do { \
		_cleanup_(a64_done) struct a64 a = {.limit = 8}; \
		for (int i = 0; i < 4; i++) \
			a64_return(&a); \
		emit; \
		assert_true(a64_patch(&a, 4, (size_t)(4 + (distance)))); \
		assert_int_equal(a.words[4], word); \
	} while (0)

static void test_branches(void **state)
{
	(void)state;
	CHECK_BRANCH(0x14000002, 2, a64_branch(&a));                       /* b .+8 */
	CHECK_BRANCH(0x97fffffe, -2, a64_call(&a));                        /* bl .-8 */
	CHECK_BRANCH(0x54008008, 1024, a64_branch_if(&a, A64_HI));         /* b.hi .+4096 */
	CHECK_BRANCH(0xb4000061, 3, a64_branch_zero(&a, true, 1, false));  /* cbz x1, .+12 */
	CHECK_BRANCH(0x35ffffa2, -3, a64_branch_zero(&a, false, 2, true)); /* cbnz w2, .-12 */
	CHECK_BRANCH(0xb6f80083, 4, a64_branch_bit(&a, 3, 63, false));     /* tbz x3, #63, .+16 */
	CHECK_BRANCH(0x372fff84, -4, a64_branch_bit(&a, 4, 5, true));      /* tbnz w4, #5, .-16 */
}

static void test_branches_reach(void **state)
{
	_cleanup_(a64_done) struct a64 a = {.limit = 8};

	(void)state;
	a64_branch(&a);
	a64_branch_if(&a, A64_EQ);
	a64_branch_bit(&a, 1, 2, true);
	assert_true(a64_patch(&a, 0, (1u << 25) - 1));
	assert_false(a64_patch(&a, 0, 1u << 25));
	assert_true(a64_patch(&a, 1, 1 + (1u << 18) - 1));
	assert_false(a64_patch(&a, 1, 1 + (1u << 18)));
	assert_true(a64_patch(&a, 2, 2 + (1u << 13) - 1));
	assert_false(a64_patch(&a, 2, 2 + (1u << 13)));
}

/* ---- constants ---- */
static uint64_t rotate(uint64_t element, unsigned size, unsigned by)
{
	uint64_t mask = UINT64_MAX >> (64 - size);

	return by ? ((element >> by) | (element << (size - by))) & mask : element;
}

/* What a bitmask field means, straight from the manual (DecodeBitMasks). */
static uint64_t decode_bitmask(uint32_t field, bool wide)
{
	unsigned n = field >> 22 & 1, immr = field >> 16 & 0x3f, imms = field >> 10 & 0x3f;
	unsigned size = 1u << (31 - __builtin_clz(n << 6 | (~imms & 0x3f)));
	unsigned ones = (imms & (size - 1)) + 1;
	uint64_t element = rotate(UINT64_MAX >> (64 - ones), size, immr & (size - 1)), value = 0;

	for (unsigned at = 0; at < 64; at += size)
		value |= element << at;
	return wide ? value : (uint32_t)value;
}

static void test_every_bitmask(void **state)
{
	size_t count = 0;

	(void)state;
	for (unsigned size = 2; size <= 64; size *= 2)
		for (unsigned ones = 1; ones < size; ones++)
			for (unsigned by = 0; by < size; by++, count++) {
				uint64_t element = rotate(UINT64_MAX >> (64 - ones), size, by), value = 0;
				uint32_t field = 0;
				for (unsigned at = 0; at < 64; at += size)
					value |= element << at;
				assert_true(a64_bitmask(value, true, &field));
				assert_int_equal(decode_bitmask(field, true), value);
				if (size == 64)
					continue;
				assert_true(a64_bitmask((uint32_t)value, false, &field));
				assert_false(field & 1u << 22);
				assert_int_equal(decode_bitmask(field, false), (uint32_t)value);
			}
	assert_int_equal(count, 5334);
}

static void test_what_is_no_bitmask(void **state)
{
	static const uint64_t values[] = {
	        0, UINT64_MAX, 5, 0xf0f, 0x100000000010000, 0x5555555555555554, 0xff00ff00ff00ff01};
	uint32_t field = 77;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(values); i++)
		assert_false(a64_bitmask(values[i], true, &field));
	assert_false(a64_bitmask(UINT32_MAX, false, &field));
	assert_false(a64_bitmask(0xffffffff00000000, false, &field));
	assert_int_equal(field, 77);
}

/* Runs movz, movn, movk and orr of a bitmask. */
static uint64_t run_moves(const struct a64 *a, bool wide)
{
	uint64_t value = 0;

	for (size_t i = 0; i < a->count; i++) {
		uint32_t word = a->words[i];
		unsigned shift = (word >> 21 & 3) * 16;
		uint64_t part = (uint64_t)(word >> 5 & 0xffff) << shift;
		assert_int_equal(word >> 31, wide);
		assert_int_equal(word & 31, 9);
		switch (word >> 23 & 0xff) {
		case 0xa5: /* movz */
			assert_int_equal(i, 0);
			value = part;
			break;
		case 0x25: /* movn */
			assert_int_equal(i, 0);
			value = wide ? ~part : (uint32_t)~part;
			break;
		case 0xe5: /* movk */
			value = (value & ~((uint64_t)0xffff << shift)) | part;
			break;
		case 0x64: /* orr rd, zero, bitmask */
			assert_int_equal(word >> 5 & 31, A64_ZERO);
			value = decode_bitmask(word, wide);
			break;
		default:
			fail_msg("word 0x%08x", word);
		}
	}
	return value;
}

static size_t move_length(bool wide, uint64_t value)
{
	_cleanup_(a64_done) struct a64 a = {.limit = 8};

	a64_move_imm(&a, wide, 9, value);
	assert_int_equal(a.error, 0);
	assert_true(run_moves(&a, wide) == (wide ? value : (uint32_t)value));
	return a.count;
}

static void test_constants(void **state)
{
	uint64_t random = 88172645463325252;

	(void)state;
	assert_int_equal(move_length(true, 0), 1);
	assert_int_equal(move_length(true, UINT64_MAX), 1);
	assert_int_equal(move_length(false, UINT64_MAX), 1);
	assert_int_equal(move_length(true, (uint64_t)-2), 1);
	assert_int_equal(move_length(true, 0x12340000), 1);
	assert_int_equal(move_length(true, 0xffff1234ffffffff), 1);
	assert_int_equal(move_length(true, 0x5555555555555555), 1);
	assert_int_equal(move_length(true, 0xffffffff12345678), 2);
	assert_int_equal(move_length(false, 0xffff0001), 1);
	assert_int_equal(move_length(false, 0x12345678), 2);
	assert_int_equal(move_length(true, 0x123456789abcdef0), 4);
	for (int i = 0; i < 20000; i++) {
		random ^= random << 13;
		random ^= random >> 7;
		random ^= random << 17;
		assert_in_range(move_length(true, random >> i % 64), 1, 4);
		assert_in_range(move_length(false, random >> i % 64), 1, 2);
	}
}

static void test_additions(void **state)
{
	_cleanup_(a64_done) struct a64 a = {.limit = 8};

	(void)state;
	assert_true(a64_add_imm(&a, true, 1, 2, 0x123456));
	assert_int_equal(a.count, 2);
	assert_int_equal(a.words[0], 0x91448c41); /* add x1, x2, #0x123000 */
	assert_int_equal(a.words[1], 0x91115821); /* add x1, x1, #0x456 */
	assert_true(a64_add_imm(&a, false, 1, 2, -0x1000));
	assert_int_equal(a.count, 3);
	assert_int_equal(a.words[2], 0x51400441); /* sub w1, w2, #0x1000 */
	assert_false(a64_add_imm(&a, true, 1, 2, 1 << 24));
	assert_false(a64_add_imm(&a, true, 1, 2, INT64_MIN));
	assert_int_equal(a.count, 3);
}

static void test_limit(void **state)
{
	_cleanup_(a64_done) struct a64 a = {.limit = 300};

	(void)state;
	for (int i = 0; i < 1000; i++)
		a64_return(&a);
	assert_int_equal(a.count, 300);
	assert_int_equal(a.error, -E2BIG);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(test_words),
	        cmocka_unit_test(test_branches),
	        cmocka_unit_test(test_branches_reach),
	        cmocka_unit_test(test_every_bitmask),
	        cmocka_unit_test(test_what_is_no_bitmask),
	        cmocka_unit_test(test_constants),
	        cmocka_unit_test(test_additions),
	        cmocka_unit_test(test_limit),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
