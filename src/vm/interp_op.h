/* SPDX-License-Identifier: Apache-2.0
 *
 * What each instruction does, one small function each: do_<id>(). Those that touch memory return false after a fault and
 * have then changed nothing; taken_<id>() of jumps says whether to.
 */
#ifndef PICKET_VM_INTERP_OP_H
#define PICKET_VM_INTERP_OP_H

#include <endian.h>
#include "vm/interp_int.h"

/* dst and src are given apart from the cell: who knows that they are the same as another's says so to the compiler. */
#define maybe_unused __attribute__((unused))
#define OPERANDS \
	struct vm_machine *m maybe_unused, const struct vm_cell *c maybe_unused, unsigned dst maybe_unused, \
	        unsigned src maybe_unused
#define D m->r[dst]
#define S m->r[src]
#define X m->r[c->index]
#define OFFSET ((uint64_t)(int64_t)c->offset)

/* The operands as numbers of that width: d and s unsigned, d_signed and s_signed signed. */
#define NUMBERS(bits, source) \
	uint##bits##_t d maybe_unused = (uint##bits##_t)D, s maybe_unused = (uint##bits##_t)(source); \
	int##bits##_t d_signed maybe_unused = (int##bits##_t)d, s_signed maybe_unused = (int##bits##_t)s

/* ---- arithmetic ---- */
#define ALU_WIDTH(id, bits, source, expression) \
	always_inline void do_##id(OPERANDS) \
	{ \
		NUMBERS(bits, source); \
		D = (uint##bits##_t)(expression); \
	}
#define ALU(id, expression) \
	ALU_WIDTH(id##64_IMM, 64, c->imm, expression) \
	ALU_WIDTH(id##64_REG, 64, S, expression) \
	ALU_WIDTH(id##32_IMM, 32, c->imm, expression) \
	ALU_WIDTH(id##32_REG, 32, S, expression)
#define SHIFT (s & (sizeof(d) * 8 - 1))

ALU(ADD, d + s)
ALU(SUB, d - s)
ALU(MUL, (d * s))
ALU(DIV, s ? d / s : 0)
ALU(SDIV, s == 0 ? 0 : s_signed == -1 ? 0 - d : (__typeof__(d))(d_signed / s_signed))
ALU(OR, d | s)
ALU(AND, (d & s))
ALU(LSH, d << SHIFT)
ALU(RSH, d >> SHIFT)
ALU(MOD, s ? d % s : d)
ALU(SMOD, s == 0 ? d : s_signed == -1 ? 0 : (__typeof__(d))(d_signed % s_signed))
ALU(XOR, d ^ s)
ALU(MOV, s)
ALU(ARSH, d_signed >> SHIFT)
ALU_WIDTH(NEG64, 64, 0, 0 - d)
ALU_WIDTH(NEG32, 32, 0, 0 - d)
ALU_WIDTH(MOVSX8_64, 64, S, (int8_t)s)
ALU_WIDTH(MOVSX16_64, 64, S, (int16_t)s)
ALU_WIDTH(MOVSX32_64, 64, S, (int32_t)s)
ALU_WIDTH(MOVSX8_32, 32, S, (int8_t)s)
ALU_WIDTH(MOVSX16_32, 32, S, (int16_t)s)
#undef ALU
#undef SHIFT

ALU_WIDTH(LE16, 64, 0, htole16((uint16_t)d))
ALU_WIDTH(LE32, 64, 0, htole32((uint32_t)d))
ALU_WIDTH(LE64, 64, 0, htole64(d))
ALU_WIDTH(BE16, 64, 0, htobe16((uint16_t)d))
ALU_WIDTH(BE32, 64, 0, htobe32((uint32_t)d))
ALU_WIDTH(BE64, 64, 0, htobe64(d))
ALU_WIDTH(BSWAP16, 64, 0, __builtin_bswap16((uint16_t)d))
ALU_WIDTH(BSWAP32, 64, 0, __builtin_bswap32((uint32_t)d))
ALU_WIDTH(BSWAP64, 64, 0, __builtin_bswap64(d))
#undef ALU_WIDTH

#define CONSTANT(id, value) \
	always_inline void do_##id(OPERANDS) \
	{ \
		D = (uint64_t)(value); \
	}
CONSTANT(LDDW, c->imm)
CONSTANT(LDDW_MAP, c->imm)
CONSTANT(LDDW_MAP_VALUE, c->imm)
CONSTANT(LDDW_FUNCTION, c->imm)
CONSTANT(LEA_IMM, S + (uint64_t)c->imm)
CONSTANT(LEA_REG, S + X)
#undef CONSTANT

/* ---- memory: frame_<id> is for what lies in the active frame, which needs no check ---- */
#define LOAD_CHECKED(name, type, check) \
	always_inline bool name(OPERANDS) \
	{ \
		uint64_t a = S + OFFSET; \
		type value; \
		if (!(check)) \
			return false; \
		memcpy(&value, (const void *)(uintptr_t)a, sizeof(value)); \
		D = (uint64_t)value; \
		return true; \
	}
#define LOAD(id, type) \
	LOAD_CHECKED(do_##id, type, machine_may_read(m, src, a, sizeof(value))) \
	LOAD_CHECKED(frame_##id, type, true)
LOAD(LDXW, uint32_t)
LOAD(LDXH, uint16_t)
LOAD(LDXB, uint8_t)
LOAD(LDXDW, uint64_t)
LOAD(LDXSW, int32_t)
LOAD(LDXSH, int16_t)
LOAD(LDXSB, int8_t)
#undef LOAD
#undef LOAD_CHECKED

#define LOAD_INDEXED(id, type) \
	always_inline bool do_##id(OPERANDS) \
	{ \
		uint64_t sum = S + X, a = sum + OFFSET; \
		type value; \
		if (!machine_may_read(m, src, a, sizeof(value))) { \
			D = sum; /* the load faulted, the add before it is done */ \
			return false; \
		} \
		memcpy(&value, (const void *)(uintptr_t)a, sizeof(value)); \
		D = value; \
		return true; \
	}
LOAD_INDEXED(LDXW_INDEXED, uint32_t)
LOAD_INDEXED(LDXH_INDEXED, uint16_t)
LOAD_INDEXED(LDXB_INDEXED, uint8_t)
LOAD_INDEXED(LDXDW_INDEXED, uint64_t)
#undef LOAD_INDEXED

#define STORE_CHECKED(name, type, source, check) \
	always_inline bool name(OPERANDS) \
	{ \
		uint64_t a = D + OFFSET; \
		type value = (type)(source); \
		if (!(check)) \
			return false; \
		memcpy((void *)(uintptr_t)a, &value, sizeof(value)); \
		return true; \
	}
#define STORE(id, type, source) \
	STORE_CHECKED(do_##id, type, source, machine_may_write(m, dst, a, sizeof(value))) \
	STORE_CHECKED(frame_##id, type, source, true)
STORE(STW, uint32_t, c->imm)
STORE(STH, uint16_t, c->imm)
STORE(STB, uint8_t, c->imm)
STORE(STDW, uint64_t, c->imm)
STORE(STXW, uint32_t, S)
STORE(STXH, uint16_t, S)
STORE(STXB, uint8_t, S)
STORE(STXDW, uint64_t, S)
#undef STORE
#undef STORE_CHECKED

/* ---- atomics: p is checked and aligned, s is src as a number of that width ---- */
#define ATOMIC(id, bits, address, base, check, writes, statement) \
	always_inline bool do_##id(OPERANDS) \
	{ \
		typedef uint##bits##_t __attribute__((may_alias)) number; \
		uint64_t a = (address) + OFFSET; \
		number *p = (number *)(uintptr_t)a; \
		number s maybe_unused = (number)S; \
		if (!check(m, base, a, sizeof(s)) || !vm_machine_aligned(m, a, sizeof(s), writes)) \
			return false; \
		statement; \
		return true; \
	}
#define UPDATE_WIDTH(id, bits, statement) ATOMIC(id, bits, D, dst, machine_may_write, true, statement)
#define UPDATE(id, statement) \
	UPDATE_WIDTH(id##32, 32, statement) \
	UPDATE_WIDTH(id##64, 64, statement)

UPDATE(ATOMIC_ADD, __atomic_fetch_add(p, s, __ATOMIC_SEQ_CST))
UPDATE(ATOMIC_OR, __atomic_fetch_or(p, s, __ATOMIC_SEQ_CST))
UPDATE(ATOMIC_AND, __atomic_fetch_and(p, s, __ATOMIC_SEQ_CST))
UPDATE(ATOMIC_XOR, __atomic_fetch_xor(p, s, __ATOMIC_SEQ_CST))
UPDATE(FETCH_ADD, S = __atomic_fetch_add(p, s, __ATOMIC_SEQ_CST))
UPDATE(FETCH_OR, S = __atomic_fetch_or(p, s, __ATOMIC_SEQ_CST))
UPDATE(FETCH_AND, S = __atomic_fetch_and(p, s, __ATOMIC_SEQ_CST))
UPDATE(FETCH_XOR, S = __atomic_fetch_xor(p, s, __ATOMIC_SEQ_CST))
UPDATE(XCHG, S = __atomic_exchange_n(p, s, __ATOMIC_SEQ_CST))
UPDATE(CMPXCHG, number old = (number)m->r[0];
       __atomic_compare_exchange_n(p, &old, s, false, __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST); m->r[0] = old)

#define LOAD_ACQUIRE(bits) \
	ATOMIC(LOAD_ACQUIRE##bits, bits, S, src, machine_may_read, false, D = __atomic_load_n(p, __ATOMIC_ACQUIRE))
#define STORE_RELEASE(bits) UPDATE_WIDTH(STORE_RELEASE##bits, bits, __atomic_store_n(p, s, __ATOMIC_RELEASE))
LOAD_ACQUIRE(8)
LOAD_ACQUIRE(16)
LOAD_ACQUIRE(32)
LOAD_ACQUIRE(64)
STORE_RELEASE(8)
STORE_RELEASE(16)
STORE_RELEASE(32)
STORE_RELEASE(64)
#undef LOAD_ACQUIRE
#undef STORE_RELEASE
#undef UPDATE
#undef UPDATE_WIDTH
#undef ATOMIC

/* ---- packet: false: beyond the context ---- */
#define PACKET(id, type, to_host, offset_) \
	always_inline bool do_##id(OPERANDS) \
	{ \
		int64_t at = (offset_); \
		type value; \
		if (at < 0 || (uint64_t)at + sizeof(value) > m->run->length) \
			return false; \
		memcpy(&value, (const void *)(uintptr_t)(m->run->data + (uint64_t)at), sizeof(value)); \
		m->r[0] = to_host(value); \
		return true; \
	}
PACKET(LDABSW, uint32_t, be32toh, c->imm)
PACKET(LDABSH, uint16_t, be16toh, c->imm)
PACKET(LDABSB, uint8_t, , c->imm)
PACKET(LDINDW, uint32_t, be32toh, (int64_t)(uint32_t)S + c->imm)
PACKET(LDINDH, uint16_t, be16toh, (int64_t)(uint32_t)S + c->imm)
PACKET(LDINDB, uint8_t, , (int64_t)(uint32_t)S + c->imm)
#undef PACKET

/* ---- jumps ---- */
#define JUMP_WIDTH(id, bits, source, condition) \
	always_inline bool taken_##id(OPERANDS) \
	{ \
		NUMBERS(bits, source); \
		return condition; \
	}
#define JUMP(id, condition) \
	JUMP_WIDTH(id##64_IMM, 64, c->imm32, condition) \
	JUMP_WIDTH(id##64_REG, 64, S, condition) \
	JUMP_WIDTH(id##32_IMM, 32, c->imm32, condition) \
	JUMP_WIDTH(id##32_REG, 32, S, condition)
JUMP(JEQ, d == s)
JUMP(JGT, d > s)
JUMP(JGE, d >= s)
JUMP(JSET, (d & s) != 0)
JUMP(JNE, d != s)
JUMP(JSGT, d_signed > s_signed)
JUMP(JSGE, d_signed >= s_signed)
JUMP(JLT, d < s)
JUMP(JLE, d <= s)
JUMP(JSLT, d_signed < s_signed)
JUMP(JSLE, d_signed <= s_signed)
#undef JUMP
#undef JUMP_WIDTH

#undef NUMBERS
#undef D
#undef S
#undef X
#undef OFFSET
#undef OPERANDS
#undef maybe_unused

#endif
