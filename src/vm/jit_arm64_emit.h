/* SPDX-License-Identifier: Apache-2.0
 *
 * Machine code for arm64: a growing row of words, and a function for each form of instruction that the compiler uses. Free of
 * what the machine is that compiles it. (Arm Architecture Reference Manual, C4 and C6)
 */
#ifndef PICKET_VM_JIT_ARM64_EMIT_H
#define PICKET_VM_JIT_ARM64_EMIT_H

#include "base/base.h"

struct a64 {
	uint32_t *words;
	size_t count, capacity, limit; /* in words; limit: what count never passes */
	int error;                     /* 0, -ENOMEM, -E2BIG: then nothing more is added */
};

/* Register 31 is the stack pointer as a base and in additions of immediates, and zero elsewhere. */
enum { A64_LINK = 30, A64_SP = 31, A64_ZERO = 31 };
/* A condition and its opposite differ in the lowest bit. */
enum a64_condition {
	A64_EQ,
	A64_NE,
	A64_HS, /* unsigned >= */
	A64_LO, /* unsigned < */
	A64_MI, /* negative */
	A64_PL,
	A64_HI = 8, /* unsigned > */
	A64_LS,     /* unsigned <= */
	A64_GE,
	A64_LT,
	A64_GT,
	A64_LE,
	A64_ALWAYS,
};
/* The first operand of a64_arith(). The _FLAGS forms set the condition flags. */
enum a64_arith { A64_ADD = 0, A64_ADD_FLAGS = 1, A64_SUB = 2, A64_SUB_FLAGS = 3 };
enum a64_logic { A64_AND = 0, A64_OR = 1, A64_XOR = 2, A64_AND_FLAGS = 3 };
enum a64_two { A64_UDIV = 2, A64_SDIV = 3, A64_LSL = 8, A64_LSR = 9, A64_ASR = 10 };
enum a64_transfer { A64_STORE = 0, A64_LOAD = 1, A64_LOAD_SIGNED = 2 };
enum a64_atomic {
	A64_ATOMIC_ADD = 0,
	A64_ATOMIC_CLEAR = 1,
	A64_ATOMIC_XOR = 2,
	A64_ATOMIC_SET = 3,
	A64_ATOMIC_SWAP = 8
};

void a64_done(struct a64 *a); /* also for _cleanup_ */
void a64_put(struct a64 *a, uint32_t word);
/* Would a bitmask immediate of the logical instructions do? ret_field: N, immr and imms in place. */
bool a64_bitmask(uint64_t value, bool wide, uint32_t *ret_field);
/* A constant in as few instructions as can be; wide: 64 bits, else the upper half becomes 0. */
void a64_move_imm(struct a64 *a, bool wide, unsigned rd, uint64_t value);
/* rd = rn +- value, if one or two instructions do it; rd and rn may be the stack pointer. */
bool a64_add_imm(struct a64 *a, bool wide, unsigned rd, unsigned rn, int64_t value);
/* Lets the branch at word `at` lead to word `to`. false: it does not reach. */
bool a64_patch(struct a64 *a, size_t at, size_t to);

/* ---- arithmetic; wide: 64 bits ---- */
static inline uint32_t a64_sf(bool wide)
{
	return wide ? 1u << 31 : 0;
}
static inline void a64_arith(struct a64 *a, enum a64_arith op, bool wide, unsigned rd, unsigned rn, unsigned rm)
{
	a64_put(a, a64_sf(wide) | (uint32_t)op << 29 | 0x0b000000 | rm << 16 | rn << 5 | rd);
}
/* rm << shift */
static inline void a64_arith_shifted(struct a64 *a, enum a64_arith op, bool wide, unsigned rd, unsigned rn, unsigned rm,
                                     unsigned shift)
{
	a64_put(a, a64_sf(wide) | (uint32_t)op << 29 | 0x0b000000 | rm << 16 | shift << 10 | rn << 5 | rd);
}
/* imm: 0 .. 4095, times 4096 if high */
static inline void a64_arith_imm(struct a64 *a, enum a64_arith op, bool wide, unsigned rd, unsigned rn, unsigned imm,
                                 bool high)
{
	a64_put(a, a64_sf(wide) | (uint32_t)op << 29 | 0x11000000 | (high ? 1u << 22 : 0) | imm << 10 | rn << 5 | rd);
}
/* rd = rn + rm, 64 bits, where rn may be the stack pointer */
static inline void a64_add_to_sp(struct a64 *a, unsigned rd, unsigned rn, unsigned rm)
{
	a64_put(a, 0x8b206000 | rm << 16 | rn << 5 | rd);
}
static inline void a64_logic(struct a64 *a, enum a64_logic op, bool wide, unsigned rd, unsigned rn, unsigned rm)
{
	a64_put(a, a64_sf(wide) | (uint32_t)op << 29 | 0x0a000000 | rm << 16 | rn << 5 | rd);
}
/* field: of a64_bitmask() */
static inline void a64_logic_imm(struct a64 *a, enum a64_logic op, bool wide, unsigned rd, unsigned rn, uint32_t field)
{
	a64_put(a, a64_sf(wide) | (uint32_t)op << 29 | 0x12000000 | field | rn << 5 | rd);
}
static inline void a64_move(struct a64 *a, bool wide, unsigned rd, unsigned rm)
{
	a64_logic(a, A64_OR, wide, rd, A64_ZERO, rm);
}
static inline void a64_not(struct a64 *a, bool wide, unsigned rd, unsigned rm)
{
	a64_put(a, a64_sf(wide) | 0x2a2003e0 | rm << 16 | rd);
}
/* rd = rn & ~rm */
static inline void a64_clear_bits(struct a64 *a, bool wide, unsigned rd, unsigned rn, unsigned rm)
{
	a64_put(a, a64_sf(wide) | 0x0a200000 | rm << 16 | rn << 5 | rd);
}
static inline void a64_two(struct a64 *a, enum a64_two op, bool wide, unsigned rd, unsigned rn, unsigned rm)
{
	a64_put(a, a64_sf(wide) | 0x1ac00000 | rm << 16 | (uint32_t)op << 10 | rn << 5 | rd);
}
/* rd = ra + rn * rm */
static inline void a64_multiply_add(struct a64 *a, bool wide, unsigned rd, unsigned rn, unsigned rm, unsigned ra)
{
	a64_put(a, a64_sf(wide) | 0x1b000000 | rm << 16 | ra << 10 | rn << 5 | rd);
}
/* rd = ra - rn * rm */
static inline void a64_multiply_sub(struct a64 *a, bool wide, unsigned rd, unsigned rn, unsigned rm, unsigned ra)
{
	a64_put(a, a64_sf(wide) | 0x1b008000 | rm << 16 | ra << 10 | rn << 5 | rd);
}
/* Bits low .. high of rn, rotated right by `low` where high < low; the rest 0, or copies of the sign. */
static inline void a64_bitfield(struct a64 *a, bool is_signed, bool wide, unsigned rd, unsigned rn, unsigned low,
                                unsigned high)
{
	a64_put(a, (wide ? 0x80400000 : 0) | (is_signed ? 0x13000000 : 0x53000000) | low << 16 | high << 10 | rn << 5 |
	                   rd);
}
static inline void a64_shift_imm(struct a64 *a, enum a64_two op, bool wide, unsigned rd, unsigned rn, unsigned shift)
{
	unsigned last = wide ? 63 : 31;

	if (op == A64_LSL)
		a64_bitfield(a, false, wide, rd, rn, (last + 1 - shift) & last, last - shift);
	else
		a64_bitfield(a, op == A64_ASR, wide, rd, rn, shift, last);
}
/* Reverses the bytes of each unit of 2, 4 or 8 bytes: log2 1 .. 3; of all 64 bits, or the lower 32. */
static inline void a64_reverse(struct a64 *a, bool wide, unsigned rd, unsigned rn, unsigned log2)
{
	a64_put(a, a64_sf(wide) | 0x5ac00000 | log2 << 10 | rn << 5 | rd);
}
/* rd = condition ? rn : rm */
static inline void a64_select(struct a64 *a, bool wide, unsigned rd, unsigned rn, unsigned rm, enum a64_condition c)
{
	a64_put(a, a64_sf(wide) | 0x1a800000 | rm << 16 | (uint32_t)c << 12 | rn << 5 | rd);
}
/* Compares if the condition holds; else the flags become nzcv. */
static inline void a64_compare_if(struct a64 *a, bool wide, unsigned rn, unsigned rm, enum a64_condition c,
                                  unsigned nzcv)
{
	a64_put(a, a64_sf(wide) | 0x7a400000 | rm << 16 | (uint32_t)c << 12 | rn << 5 | nzcv);
}

/* ---- memory; size: log2 of the bytes. A load gives 64 bits, signed or not ---- */
/* offset: a multiple of the size, 0 .. 4095 times it */
static inline void a64_transfer(struct a64 *a, enum a64_transfer t, unsigned size, unsigned rt, unsigned rn,
                                unsigned offset)
{
	a64_put(a, size << 30 | 0x39000000 | (uint32_t)t << 22 | offset >> size << 10 | rn << 5 | rt);
}
/* offset: -256 .. 255 */
static inline void a64_transfer_near(struct a64 *a, enum a64_transfer t, unsigned size, unsigned rt, unsigned rn,
                                     int offset)
{
	a64_put(a, size << 30 | 0x38000000 | (uint32_t)t << 22 | ((uint32_t)offset & 0x1ff) << 12 | rn << 5 | rt);
}
static inline void a64_transfer_indexed(struct a64 *a, enum a64_transfer t, unsigned size, unsigned rt, unsigned rn,
                                        unsigned rm)
{
	a64_put(a, size << 30 | 0x38206800 | (uint32_t)t << 22 | rm << 16 | rn << 5 | rt);
}
/* Two registers of 64 bits. offset: a multiple of 8, -512 .. 504 */
enum a64_pair {
	A64_STORE_PAIR = 0xa9000000,
	A64_LOAD_PAIR = 0xa9400000,
	A64_PUSH_PAIR = 0xa9800000,
	A64_POP_PAIR = 0xa8c00000
};
static inline void a64_pair(struct a64 *a, enum a64_pair op, unsigned rt, unsigned rt2, unsigned rn, int offset)
{
	a64_put(a, (uint32_t)op | ((uint32_t)(offset / 8) & 0x7f) << 15 | rt2 << 10 | rn << 5 | rt);
}
/* v0 = 0; and v0 twice, 32 bytes. offset: a multiple of 16, 0 .. 1008 */
static inline void a64_zero_vector(struct a64 *a)
{
	a64_put(a, 0x6f00e400);
}
static inline void a64_store_vectors(struct a64 *a, unsigned rn, unsigned offset)
{
	a64_put(a, 0xad000000 | offset / 16 << 15 | rn << 5);
}
static inline void a64_load_acquire(struct a64 *a, unsigned size, unsigned rt, unsigned rn)
{
	a64_put(a, size << 30 | 0x08dffc00 | rn << 5 | rt);
}
static inline void a64_store_release(struct a64 *a, unsigned size, unsigned rt, unsigned rn)
{
	a64_put(a, size << 30 | 0x089ffc00 | rn << 5 | rt);
}
/* With acquire and release. */
static inline void a64_load_exclusive(struct a64 *a, unsigned size, unsigned rt, unsigned rn)
{
	a64_put(a, size << 30 | 0x085ffc00 | rn << 5 | rt);
}
/* rs: 0 if it was stored; differs from rt and rn */
static inline void a64_store_exclusive(struct a64 *a, unsigned size, unsigned rs, unsigned rt, unsigned rn)
{
	a64_put(a, size << 30 | 0x0800fc00 | rs << 16 | rn << 5 | rt);
}
/* LSE, with acquire and release: rt = what was at rn, which becomes op(it, rs). */
static inline void a64_atomic(struct a64 *a, enum a64_atomic op, unsigned size, unsigned rs, unsigned rt, unsigned rn)
{
	a64_put(a, size << 30 | 0x38e00000 | rs << 16 | (uint32_t)op << 12 | rn << 5 | rt);
}
/* LSE: if [rn] is rs it becomes rt; rs = what it was. */
static inline void a64_compare_and_swap(struct a64 *a, unsigned size, unsigned rs, unsigned rt, unsigned rn)
{
	a64_put(a, size << 30 | 0x08e0fc00 | rs << 16 | rn << 5 | rt);
}

/* ---- branches: they lead to themselves until a64_patch() ---- */
static inline void a64_branch(struct a64 *a)
{
	a64_put(a, 0x14000000);
}
static inline void a64_call(struct a64 *a)
{
	a64_put(a, 0x94000000);
}
static inline void a64_branch_if(struct a64 *a, enum a64_condition c)
{
	a64_put(a, 0x54000000 | (uint32_t)c);
}
static inline void a64_branch_zero(struct a64 *a, bool wide, unsigned rt, bool nonzero)
{
	a64_put(a, a64_sf(wide) | (nonzero ? 0x35000000 : 0x34000000) | rt);
}
static inline void a64_branch_bit(struct a64 *a, unsigned rt, unsigned bit, bool set)
{
	a64_put(a, (bit & 32) << 26 | (set ? 0x37000000 : 0x36000000) | (bit & 31) << 19 | rt);
}
static inline void a64_branch_register(struct a64 *a, unsigned rn)
{
	a64_put(a, 0xd61f0000 | rn << 5);
}
static inline void a64_call_register(struct a64 *a, unsigned rn)
{
	a64_put(a, 0xd63f0000 | rn << 5);
}
static inline void a64_return(struct a64 *a)
{
	a64_put(a, 0xd65f03c0);
}

#endif
