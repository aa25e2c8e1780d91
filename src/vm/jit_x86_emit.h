/* SPDX-License-Identifier: Apache-2.0
 *
 * Writes x86-64 instructions. Code is written once, with the jumps left out; their sizes are settled at the end, when all
 * distances are known (x86_layout), and the whole is put together in its place (x86_write).
 */
#ifndef PICKET_VM_JIT_X86_EMIT_H
#define PICKET_VM_JIT_X86_EMIT_H

#include <string.h>
#include "base/base.h"

enum x86_register { RAX, RCX, RDX, RBX, RSP, RBP, RSI, RDI, R8, R9, R10, R11, R12, R13, R14, R15, NO_REGISTER };

/* Conditions as the processor numbers them; the opposite is cc ^ 1. */
enum x86_condition {
	CC_BELOW = 2,
	CC_ABOVE_EQUAL,
	CC_EQUAL,
	CC_NOT_EQUAL,
	CC_BELOW_EQUAL,
	CC_ABOVE,
	CC_SIGN,
	CC_NO_SIGN,
	CC_LESS = 12,
	CC_GREATER_EQUAL,
	CC_LESS_EQUAL,
	CC_GREATER,
};

/* An opcode with what must stand before it. */
enum {
	OP_0F = 0x100,
	OP_W = 0x200,    /* 64 bits */
	OP_16 = 0x400,   /* 16 bits */
	OP_BYTE = 0x800, /* `reg`, or `rm` if that is a register and `reg` extends the opcode, is a byte */
	OP_LOCK = 0x1000,
};

/* [base + index + offset] */
struct x86_memory {
	uint8_t base, index; /* NO_REGISTER: none */
	int32_t offset;
};

#define UNPLACED UINT32_MAX

/* A place in the code: so many bytes written, so many fixups made. */
struct x86_label {
	uint32_t bytes, fixups;
};

enum x86_fixup_kind {
	FIXUP_CONDITION, /* + condition: 0 .. 15 */
	FIXUP_JUMP = 16,
	FIXUP_CALL,
	FIXUP_ADDRESS_R10, /* lea r10, [label] */
	FIXUP_ALIGN,       /* label: to what power of two */
	FIXUP_LOOP, /* up to the jump that stands at the label, in one line of the processor's cache if it fits */
};

/* What is left out of the bytes. */
struct x86_fixup {
	uint32_t bytes; /* stands behind so many of them */
	uint32_t label;
	uint32_t at; /* where it comes to stand: by x86_layout() */
	uint8_t kind, size;
};

struct x86 {
	uint8_t *code, *out, *end; /* written from code to out */
	struct x86_fixup *fixups;
	struct x86_label *labels;
	size_t fixup_count, fixup_capacity, label_count, label_capacity;
	int error; /* -ENOMEM, -E2BIG: what is written since is thrown away */
};

/* labels: that many are there from the beginning, unplaced. guess: bytes of code. -ENOMEM. */
int x86_init(struct x86 *x, size_t labels, size_t guess) must_check;
void x86_done(struct x86 *x);
/* Makes an array twice as long; false: no memory, and it stays as it is. */
bool x86_double(void *pointer_to_array, size_t *capacity, size_t size) must_check;
/* Makes room for X86_ROOM bytes, X86_ROOM_FIXUPS fixups and as many labels. The functions below do not look. */
#define X86_ROOM 1024
#define X86_ROOM_FIXUPS 64
void x86_grow(struct x86 *x);
static inline void x86_reserve(struct x86 *x)
{
	if ((size_t)(x->end - x->out) < X86_ROOM || x->fixup_capacity - x->fixup_count < X86_ROOM_FIXUPS ||
	    x->label_capacity - x->label_count < X86_ROOM_FIXUPS)
		x86_grow(x);
}
/* Settles the sizes of jumps. Linear. -ENOMEM, -E2BIG. */
int x86_layout(struct x86 *x, size_t *ret_size) must_check;
void x86_write(const struct x86 *x, uint8_t *to);
uint32_t x86_label_at(const struct x86 *x, uint32_t label); /* after x86_layout() */

/* ---- labels and jumps ---- */
static inline struct x86_label x86_here(const struct x86 *x)
{
	return (struct x86_label){(uint32_t)(x->out - x->code), (uint32_t)x->fixup_count};
}
static inline uint32_t x86_new_label(struct x86 *x)
{
	x->labels[x->label_count] = (struct x86_label){UNPLACED, 0};
	return (uint32_t)x->label_count++;
}
/* So many at once. 0 after an error. */
uint32_t x86_new_labels(struct x86 *x, size_t count);
static inline void x86_place(struct x86 *x, uint32_t label)
{
	x->labels[label] = x86_here(x);
}
static inline void x86_fixup(struct x86 *x, unsigned kind, uint32_t label)
{
	x->fixups[x->fixup_count++] =
	        (struct x86_fixup){.bytes = (uint32_t)(x->out - x->code), .label = label, .kind = (uint8_t)kind};
}
static inline void x86_jump_if(struct x86 *x, enum x86_condition cc, uint32_t label)
{
	x86_fixup(x, cc, label);
}
static inline void x86_jump(struct x86 *x, uint32_t label)
{
	x86_fixup(x, FIXUP_JUMP, label);
}
static inline void x86_call(struct x86 *x, uint32_t label)
{
	x86_fixup(x, FIXUP_CALL, label);
}

/* ---- bytes ---- */
static inline void x86_u8(struct x86 *x, unsigned byte)
{
	*x->out++ = (uint8_t)byte;
}
static inline void x86_u32(struct x86 *x, uint32_t value)
{
	memcpy(x->out, &value, sizeof(value));
	x->out += sizeof(value);
}
static inline void x86_u64(struct x86 *x, uint64_t value)
{
	memcpy(x->out, &value, sizeof(value));
	x->out += sizeof(value);
}

/* ---- instructions: opcode, reg, rm. reg may be an opcode's extension ---- */
static inline void x86_prefix(struct x86 *x, unsigned opcode, unsigned reg, unsigned index, unsigned base, bool byte)
{
	unsigned rex = (opcode & OP_W ? 8 : 0) | (reg >> 3) << 2 | (index >> 3) << 1 | base >> 3;

	if (opcode & OP_LOCK)
		x86_u8(x, 0xf0);
	if (opcode & OP_16)
		x86_u8(x, 0x66);
	if (rex || byte)
		x86_u8(x, 0x40 | rex);
	if (opcode & OP_0F)
		x86_u8(x, 0x0f);
	x86_u8(x, opcode & 0xff);
}
static inline void x86_rr(struct x86 *x, unsigned opcode, unsigned reg, unsigned rm)
{
	x86_prefix(x, opcode, reg, 0, rm, opcode & OP_BYTE);
	x86_u8(x, 0xc0 | (reg & 7) << 3 | (rm & 7));
}
static inline void x86_rm(struct x86 *x, unsigned opcode, unsigned reg, struct x86_memory m)
{
	unsigned index = m.index == NO_REGISTER ? RSP : m.index;
	/* rbp and r13 as base have no form without an offset */
	unsigned mode = m.offset == 0 && (m.base & 7) != RBP ? 0 : m.offset == (int8_t)m.offset ? 0x40 : 0x80;

	x86_prefix(x, opcode, reg, index, m.base, opcode & OP_BYTE && reg >= 4);
	if (m.index == NO_REGISTER && (m.base & 7) != RSP) {
		x86_u8(x, mode | (reg & 7) << 3 | (m.base & 7));
	} else {
		x86_u8(x, mode | (reg & 7) << 3 | 4);
		x86_u8(x, (index & 7) << 3 | (m.base & 7));
	}
	if (mode == 0x40)
		x86_u8(x, (uint8_t)m.offset);
	else if (mode == 0x80)
		x86_u32(x, (uint32_t)m.offset);
}
static inline struct x86_memory x86_at(unsigned base, int32_t offset)
{
	return (struct x86_memory){(uint8_t)base, NO_REGISTER, offset};
}

static inline unsigned x86_width(bool wide)
{
	return wide ? OP_W : 0;
}
static inline void x86_mov(struct x86 *x, bool wide, unsigned to, unsigned from)
{
	x86_rr(x, 0x8b | x86_width(wide), to, from);
}
static inline void x86_load(struct x86 *x, unsigned to, struct x86_memory m)
{
	x86_rm(x, 0x8b | OP_W, to, m);
}
static inline void x86_store(struct x86 *x, struct x86_memory m, unsigned from)
{
	x86_rm(x, 0x89 | OP_W, from, m);
}
static inline void x86_zero(struct x86 *x, unsigned reg)
{
	x86_rr(x, 0x33, reg, reg);
}
static inline void x86_lea(struct x86 *x, unsigned to, struct x86_memory m)
{
	x86_rm(x, 0x8d | OP_W, to, m);
}
/* Any 64-bit constant in the fewest bytes; keep_flags: not by xor. */
static inline void x86_constant(struct x86 *x, unsigned to, uint64_t value, bool keep_flags)
{
	if (!value && !keep_flags) {
		x86_zero(x, to);
	} else if (value <= UINT32_MAX) {
		if (to >= R8)
			x86_u8(x, 0x41);
		x86_u8(x, 0xb8 | (to & 7));
		x86_u32(x, (uint32_t)value);
	} else if (value == (uint64_t)(int64_t)(int32_t)value) {
		x86_rr(x, 0xc7 | OP_W, 0, to);
		x86_u32(x, (uint32_t)value);
	} else {
		x86_u8(x, to >= R8 ? 0x49 : 0x48);
		x86_u8(x, 0xb8 | (to & 7));
		x86_u64(x, value);
	}
}
/* The eight operations of one encoding: reg op= imm. */
enum x86_group1 { X86_ADD, X86_OR, X86_ADC, X86_SBB, X86_AND, X86_SUB, X86_XOR, X86_CMP };
static inline void x86_ri(struct x86 *x, enum x86_group1 op, bool wide, unsigned reg, int32_t imm)
{
	bool small = imm == (int8_t)imm;

	x86_rr(x, (small ? 0x83 : 0x81) | x86_width(wide), op, reg);
	if (small)
		x86_u8(x, (uint8_t)imm);
	else
		x86_u32(x, (uint32_t)imm);
}
static inline void x86_mi(struct x86 *x, enum x86_group1 op, bool wide, struct x86_memory m, int32_t imm)
{
	bool small = imm == (int8_t)imm;

	x86_rm(x, (small ? 0x83 : 0x81) | x86_width(wide), op, m);
	if (small)
		x86_u8(x, (uint8_t)imm);
	else
		x86_u32(x, (uint32_t)imm);
}
/* reg op= rm; with the other operand order the opcode is 2 less. */
static inline unsigned x86_group1_opcode(enum x86_group1 op)
{
	return (unsigned)op << 3 | 3;
}
static inline void x86_push(struct x86 *x, unsigned reg)
{
	if (reg >= R8)
		x86_u8(x, 0x41);
	x86_u8(x, 0x50 | (reg & 7));
}
static inline void x86_pop(struct x86 *x, unsigned reg)
{
	if (reg >= R8)
		x86_u8(x, 0x41);
	x86_u8(x, 0x58 | (reg & 7));
}
static inline void x86_ret(struct x86 *x)
{
	x86_u8(x, 0xc3);
}
/* BMI2: to = from shifted by count. */
enum x86_shift { X86_SHLX = 1, X86_SARX, X86_SHRX }; /* as the prefix is coded */
static inline void x86_shift(struct x86 *x, enum x86_shift shift, bool wide, unsigned to, unsigned from, unsigned count)
{
	x86_u8(x, 0xc4);
	x86_u8(x, (to >= R8 ? 0 : 0x80) | 0x40 | (from >= R8 ? 0 : 0x20) | 2);
	x86_u8(x, (wide ? 0x80 : 0) | (~count & 15) << 3 | (unsigned)shift);
	x86_u8(x, 0xf7);
	x86_u8(x, 0xc0 | (to & 7) << 3 | (from & 7));
}
/* call reg (2), jmp reg (4) */
static inline void x86_indirect(struct x86 *x, unsigned extension, unsigned reg)
{
	x86_rr(x, 0xff, extension, reg);
}
static inline void x86_indirect_memory(struct x86 *x, unsigned extension, struct x86_memory m)
{
	x86_rm(x, 0xff, extension, m);
}
#define X86_INDIRECT_CALL 2
#define X86_INDIRECT_JUMP 4

/* A forward jump over a few bytes without fixups between. */
static inline uint8_t *x86_skip_if(struct x86 *x, enum x86_condition cc)
{
	x86_u8(x, 0x70 | (unsigned)cc);
	x86_u8(x, 0);
	return x->out;
}
static inline void x86_land(struct x86 *x, uint8_t *from)
{
	from[-1] = (uint8_t)(x->out - from);
}

#endif
