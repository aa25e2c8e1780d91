/* SPDX-License-Identifier: Apache-2.0
 *
 * What is known of a number that a register holds: which bits are certain, and between which bounds it lies, read as
 * unsigned and as signed, in all 64 bits and in the lower 32. Every operation is sound: for all numbers that the operands
 * may be, the result of the instruction is one that the result may be.
 */
#ifndef PICKET_VERIFY_SCALAR_H
#define PICKET_VERIFY_SCALAR_H

#include "base/base.h"

/* Bits: certain where mask is 0, and then as in value; value is 0 where mask is 1. */
struct bits {
	uint64_t value, mask;
};

/* Of a width: the unsigned ones zero-extended, the signed ones sign-extended. */
struct range {
	uint64_t umin, umax;
	int64_t smin, smax;
};

struct scalar {
	struct bits bits;
	struct range wide, half; /* of 64 and of the lower 32 bits */
};

enum scalar_op {
	SCALAR_ADD,
	SCALAR_SUB,
	SCALAR_MUL,
	SCALAR_DIV, /* by 0: 0 */
	SCALAR_SDIV,
	SCALAR_MOD, /* by 0: unchanged */
	SCALAR_SMOD,
	SCALAR_OR,
	SCALAR_AND,
	SCALAR_XOR,
	SCALAR_LSH, /* by the amount modulo the width */
	SCALAR_RSH,
	SCALAR_ARSH,
	SCALAR_MOV,
};

enum scalar_test {
	SCALAR_EQ,
	SCALAR_NE,
	SCALAR_GT,
	SCALAR_GE,
	SCALAR_LT,
	SCALAR_LE,
	SCALAR_SGT,
	SCALAR_SGE,
	SCALAR_SLT,
	SCALAR_SLE,
	SCALAR_SET,   /* a & b is not 0 */
	SCALAR_CLEAR, /* a & b is 0 */
};

struct scalar scalar_unknown(void);
struct scalar scalar_constant(uint64_t value);
struct scalar scalar_between(uint64_t umin, uint64_t umax);
/* Read from memory: zero-extended, or sign-extended. bytes: 1, 2, 4, 8. */
struct scalar scalar_loaded(unsigned bytes, bool is_signed);
bool scalar_is_constant(const struct scalar *s, uint64_t *ret_value); /* ret_value may be NULL */
bool scalar_may_be(const struct scalar *s, uint64_t value);

/* a = a op b. wide: in 64 bits; else in 32, and the upper half becomes 0. */
void scalar_alu(enum scalar_op op, bool wide, struct scalar *a, const struct scalar *b);
void scalar_negate(bool wide, struct scalar *a);
void scalar_zero_extend(struct scalar *a);                           /* the lower half alone */
void scalar_sign_extend(bool wide, unsigned bits, struct scalar *a); /* from 8, 16 or 32 bits */
void scalar_keep_bytes(unsigned bytes, struct scalar *a);            /* the lowest of them, zero-extended */
/* Assumes that the lowest bits are as in value. Nothing is assumed if that cannot be. */
void scalar_keep_low(struct scalar *a, unsigned bits, uint64_t value);
void scalar_swap(unsigned bits, bool swap, struct scalar *a); /* 16, 32, 64; swap false: only cut off */

/* Assumes that a test holds, and keeps of both what is possible then. false: it cannot hold. */
bool scalar_assume(enum scalar_test test, bool wide, struct scalar *a, struct scalar *b) must_check;
enum scalar_test scalar_test_inverse(enum scalar_test test);
/* 1: holds always, 0: never, -1: depends. */
int scalar_decide(enum scalar_test test, bool wide, const struct scalar *a, const struct scalar *b);

/* Is every number that `inner` may be one that `outer` may be? */
bool scalar_contains(const struct scalar *outer, const struct scalar *inner);
bool scalar_equal(const struct scalar *a, const struct scalar *b);
struct scalar scalar_join(const struct scalar *a, const struct scalar *b);
/* A join that comes to rest: what grew since `before` goes to the next of a few thresholds, then to the limit. */
struct scalar scalar_widen(const struct scalar *before, const struct scalar *now);

#endif
