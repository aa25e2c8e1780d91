/* SPDX-License-Identifier: Apache-2.0
 *
 * How random programs are made. The generator keeps, roughly, what registers and slots hold where it writes, so that most of
 * what it makes is accepted; it is the verifier's business to find out what is not.
 */
#ifndef PICKET_TESTS_VERIFY_SOUNDNESS_MAKE_H
#define PICKET_TESTS_VERIFY_SOUNDNESS_MAKE_H

#include "tests/verify/soundness.h"

enum holds {
	HOLDS_NOTHING,
	HOLDS_NUMBER,
	HOLDS_CONTEXT,
	HOLDS_PACKET, /* or the buffer; `range` bytes of it were checked */
	HOLDS_END,
	HOLDS_VALUE, /* of map `map` */
	HOLDS_STACK, /* r10 - `range` */
};
struct held {
	uint8_t holds; /* enum holds */
	uint8_t map;
	uint16_t range;
	uint64_t below; /* a number that was bounded: it is less than this; 0: not known */
};

#define FUNCTIONS_MAX 7
#define JUMPS_MAX 128
#define INSNS_WANTED 110

/* Jumps that lead to the same place, which is not yet written. */
struct jumps {
	uint16_t at[JUMPS_MAX];
	unsigned count;
};

enum function_kind {
	FUNCTION_NUMBERS,  /* takes `arguments` of them */
	FUNCTION_CALLBACK, /* takes a turn, and a pointer to `pointer_bytes` of the caller's stack */
	FUNCTION_MEMORY,   /* takes a pointer to `pointer_bytes`, and reads the last of them */
	FUNCTION_LEAVES, /* takes the context; a tail call in it may lead to another program. Returns less than 8, else */
};
struct function {
	enum function_kind kind;
	unsigned arguments, pointer_bytes;
	uint16_t calls[JUMPS_MAX]; /* instructions that name it */
	unsigned call_count;
};

struct generator {
	struct test_case *c;
	struct chance chance;
	struct function functions[FUNCTIONS_MAX];
	unsigned function_count, current, block_depth;
	struct held registers[11];
	struct held slots[64];    /* of the stack; [0] is r10 - 8 */
	struct jumps leave, trap; /* to `r0 = 0; exit`; to what must never run */
	size_t limit;
	bool in_loop, plain;
};

/* ---- soundness_make.c ---- */
size_t emit(struct generator *g, enum vm_opcode op, unsigned dst, unsigned src, int offset, int64_t imm);
bool has_room(const struct generator *g); /* for a few more */
/* A jump is added to those; it leads to the next instruction once `land` is called. */
void jump_to(struct generator *g, struct jumps *jumps, enum vm_opcode op, unsigned dst, unsigned src, int64_t imm);
void land(struct generator *g, struct jumps *jumps);
/* What calls leave. */
void clobber(struct generator *g);
void set_register(struct generator *g, unsigned reg, enum holds holds, unsigned map, unsigned range);
/* A register with such contents; -1: none. */
int find_register(struct generator *g, enum holds holds);
void load_number(struct generator *g, unsigned reg);
int find_number(struct generator *g);   /* makes one if there is none */
int free_register(struct generator *g); /* r0 to r5, or r9; what it holds is lost */
int64_t some_constant(struct generator *g);
bool program_has_packet(const struct generator *g);

/* ---- soundness_block.c ---- */
void make_block(struct generator *g, unsigned statements);
unsigned below(struct generator *g, unsigned limit);
int slot_offset(unsigned slot);
/* Memory at [register + low, + room): some load or store. */
void access_at(struct generator *g, unsigned base, int low, int room, bool may_write);
void make_key(struct generator *g, unsigned map); /* r2 = a place of the stack with such a key in it */
unsigned some_function(struct generator *g, enum function_kind kind); /* 0: there are enough */
void note_call(struct generator *g, unsigned function, size_t insn);
/* After two ways have met, only what both have. */
void meet(struct generator *g, const struct held *registers, const struct held *slots);
void forget_packet(struct generator *g);
void nested(struct generator *g, unsigned statements);
void do_quiet(struct generator *g); /* what never leaves the program */
typedef void statement(struct generator *g);

/* ---- soundness_call.c, soundness_foreign.c ---- */
void do_call_register(struct generator *g);
void do_tail_call(struct generator *g);
void do_leaving_function(struct generator *g);
void do_lock(struct generator *g);
void do_foreign(struct generator *g); /* something of the kernel */

#endif
