/* SPDX-License-Identifier: Apache-2.0
 *
 * How random programs are made. The generator writes structured code (blocks, loops, calls) and keeps, as a verifier would,
 * what each register and stack slot holds at the place that it writes; it only ever uses what is there on all paths.
 */
#ifndef PICKET_TESTS_VM_RANDOM_INT_H
#define PICKET_TESTS_VM_RANDOM_INT_H

#include "base/base.h"
#include "tests/vm/random.h"
#include "tests/vm/world.h"
#include "vm/vm_int.h"

/* ---- what a register holds ---- */
enum kind {
	EMPTY, /* nothing that may be used */
	NUMBER,
	CONTEXT, /* what r1 was at entry; no memory of its own */
	PACKET,
	REGION,
	TABLE,
	VALUES,
	ELEMENT, /* of the array that is looked up */
	CALLER,  /* CALLER_BYTES of the caller's stack */
	STACK,
	KINDS,
};
#define CALLER_BYTES 32

struct value {
	uint8_t kind;
	bool aligned;      /* a pointer whose variable part is a multiple of 8 */
	int16_t low, high; /* a pointer's possible offsets, from its memory's start; STACK: from r10 */
};

/* ---- frames: 8-byte slots; slot s begins at r10 - 8 * (s + 1) ---- */
enum {
	SLOT_CONTEXT, /* pointers that the function was given, to fetch them again */
	SLOT_PACKET,
	SLOT_REGION,
	SLOT_TABLE,
	SLOT_CALLER,
	SLOT_COUNTER, /* of loops, by depth */
	SLOT_SPILL = SLOT_COUNTER + 2,
	SLOT_NUMBERS = SLOT_SPILL + 2, /* from here on: numbers */
	SLOTS_MAX = PICKET_STACK_BYTES / 8,
};
#define SPILLS 2
#define SLOT_OFFSET(slot) (-8 * ((int)(slot) + 1))

struct state {
	struct value regs[10];
	struct value spills[SPILLS];
	uint64_t slots; /* of the numbers' slots, those that are initialised */
};

/* ---- functions ---- */
#define FUNCTIONS_MAX 5
#define FUNCTION_INSNS_MAX 1500
#define COLD_MAX 4
#define COLD_INSNS_MAX 100

/* Code that lies behind its function's end, and jumps back. */
struct cold {
	struct picket_insn insns[COLD_INSNS_MAX];
	size_t count;
	size_t branch, back; /* the jump to it, and where it returns to: in the function's code */
	bool returns;
};

struct function {
	struct picket_insn insns[FUNCTION_INSNS_MAX];
	size_t count;
	uint8_t args[5]; /* enum kind; EMPTY: not taken */
	bool callback;   /* returns 0 or 1 */
	uint32_t cost;   /* instructions that one call executes at most */
	unsigned slots;  /* of its frame */
	struct cold cold[COLD_MAX];
	unsigned cold_count;
	size_t start; /* in the program, once it is linked */
};

/* An open block. Jumps to its end wait here for it. */
struct block {
	struct block *outer;
	size_t jumps[4];
	unsigned jump_count;
	struct state exit; /* what holds after all of the jumps */
};

struct generator {
	enum random_kind kind;
	uint64_t random;
	struct function functions[FUNCTIONS_MAX]; /* [0]: the entry; a function calls those behind it */
	unsigned function_count;
	unsigned current;
	struct function *f; /* the current one */
	struct block *block;
	struct state state;
	bool dead;           /* this place is never reached */
	bool spills_locked;  /* no spill may change */
	bool in_cold;        /* what is being written will move */
	uint16_t locked;     /* registers that may not be written: loop counters, pointers that a loop needs */
	uint16_t reserved;   /* registers that the statement being written is to use yet */
	unsigned depth;      /* of blocks */
	unsigned loops;      /* that are open */
	uint32_t multiplier; /* how often this place is executed at most */
	unsigned hazards;    /* that are still to come */
};

/* ---- random.c: dice, instructions ---- */
uint64_t random_next(struct generator *g);
uint32_t random_below(struct generator *g, uint32_t n); /* n > 0 */
bool random_one_in(struct generator *g, uint32_t n);
uint64_t random_number(struct generator *g); /* likely one at an edge */
int32_t random_imm(struct generator *g);
/* Returns the instruction's index in the function. */
size_t random_emit(struct generator *g, enum vm_opcode op, unsigned dst, unsigned src, int offset, int64_t imm);
void random_patch(struct generator *g, size_t jump); /* leads here */
bool random_room(const struct generator *g);         /* for one more statement */
/* An opcode of that format. */
enum vm_opcode random_opcode(struct generator *g, enum vm_format format);
unsigned random_access_size(enum vm_opcode op);

/* ---- random_op.c: registers, memory, straight code ---- */
unsigned random_target(struct generator *g);        /* to be written */
unsigned random_number_reg(struct generator *g);    /* holds one; is reserved */
unsigned random_number_target(struct generator *g); /* the same, and may be written */
void random_set(struct generator *g, unsigned reg, struct value value);
void random_set_number(struct generator *g, unsigned reg);
void random_emit_number(struct generator *g, unsigned reg); /* gives it some number */
/* Can this function get at that memory? Loads a pointer to its start. */
bool random_has(const struct generator *g, enum kind kind);
void random_fetch(struct generator *g, enum kind kind, unsigned reg);

struct place {
	unsigned base;
	int offset;
};
/* A place for an access; emits what is needed to have it in a register, which is reserved. */
struct place random_place(struct generator *g, unsigned size, bool write, bool atomic);
/* bytes (a multiple of 8, at most CALLER_BYTES) of initialised stack: their offset from r10. */
int random_stack_bytes(struct generator *g, unsigned bytes);
void random_state_merge(struct state *s, const struct state *other);
void random_straight(struct generator *g); /* one statement */

/* ---- random_flow.c: blocks, loops, calls, functions ---- */
size_t random_condition(struct generator *g); /* a conditional jump, to be patched */
void random_statement(struct generator *g);
void random_after_call(struct generator *g, bool result);
void random_function(struct generator *g, unsigned index);
void random_declare_functions(struct generator *g);

/* ---- random_hazard.c ---- */
void random_hazard(struct generator *g);

#endif
