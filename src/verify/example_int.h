/* SPDX-License-Identifier: Apache-2.0
 *
 * Examples: inputs with which a rejected program goes wrong. The program is run in the interpreter, again and again, and
 * values are followed back to the input that they were made of. Where a run leaves the path on which the program was
 * rejected, the input is changed so that the next one does not. Only what was run and did go wrong is told.
 *
 *   example.c   when to look for one, and what to say of it
 *   replay.c    a run: the input laid out, the world outside answered
 *   follow.c    values followed through it, the path compared, the input changed
 *   symbol.c    a value as a function of one piece of input, and its inverse
 */
#ifndef PICKET_VERIFY_EXAMPLE_INT_H
#define PICKET_VERIFY_EXAMPLE_INT_H

#include "verify/explain_int.h"

/* ---- symbol.c ---- */
enum symbol_source {
	SYMBOL_NONE,
	SYMBOL_CELL,   /* bytes of the packet, of the context, of a map's value */
	SYMBOL_LENGTH, /* of the packet, or of the memory */
	SYMBOL_RETURN, /* of a helper's call */
	SYMBOL_LOOKUP, /* of a lookup in a map: NULL or not */
};

/* What a step does with the number that it gets. */
enum symbol_op { STEP_SCALAR, STEP_REVERSED_SUB, STEP_NEGATE, STEP_SWAP, STEP_SIGN_EXTEND };

#define SYMBOL_STEPS_MAX 12
struct symbol {
	uint8_t source; /* enum symbol_source */
	uint8_t bytes;  /* CELL */
	uint8_t count;
	uint32_t index;   /* RETURN, LOOKUP: which call */
	uint64_t address; /* CELL */
	struct symbol_step {
		uint8_t op;     /* enum symbol_op */
		uint8_t scalar; /* STEP_SCALAR: enum scalar_op */
		bool wide;
		uint64_t by; /* the other operand; SWAP, SIGN_EXTEND: bits */
	} steps[SYMBOL_STEPS_MAX];
};
/* Becomes SYMBOL_NONE when it has too many steps. */
void symbol_step(struct symbol *s, struct symbol_step step);
uint64_t symbol_value(const struct symbol *s, uint64_t input);
/* The input that makes the value `wanted`, otherwise like `now`; false: none was found. */
bool symbol_invert(const struct symbol *s, uint64_t now, uint64_t wanted, uint64_t *ret_input);

/* ---- the path, as it was when the program was rejected ---- */
#define PATH_MAX_BRANCHES 1024
struct example_path {
	uint32_t insn; /* of the rejection */
	struct value culprit;
	bool has_culprit;
	uint8_t reg; /* that holds the culprit; 11: none */
	uint32_t count;
	struct path_branch {
		uint32_t insn;
		bool taken;
	} branches[];
};

/* ---- replay.c ---- */
#define EXAMPLE_PACKET_MAX 2048
#define EXAMPLE_CONTEXT_MAX 512
#define EXAMPLE_RETURNS_MAX 32
#define EXAMPLE_ELEMENTS_MAX 8
#define EXAMPLE_POKES_MAX 16
#define EXAMPLE_KEY_MAX 64

struct example_input {
	uint8_t packet[EXAMPLE_PACKET_MAX]; /* or the memory */
	uint64_t length;
	uint8_t context[EXAMPLE_CONTEXT_MAX];
	bool context_used[EXAMPLE_CONTEXT_MAX];
	uint64_t returns[EXAMPLE_RETURNS_MAX];
	uint32_t element_count, poke_count;
	struct { /* that maps have */
		uint32_t map;
		uint8_t key[EXAMPLE_KEY_MAX];
	} elements[EXAMPLE_ELEMENTS_MAX];
	struct { /* numbers in the values of arrays */
		uint32_t map, offset;
		uint8_t bytes;
		uint64_t number;
	} pokes[EXAMPLE_POKES_MAX];
};

struct replay;
/* v, path: borrowed. Returns 0; -EOPNOTSUPP: this program cannot be run here; -ENOMEM. */
int replay_new(const struct verify *v, const struct example_path *path, struct replay **ret_replay) must_check;
void replay_free(struct replay *r);
enum replay_outcome {
	REPLAY_RIGHT,   /* nothing went wrong, and the input cannot be improved; or enough was run */
	REPLAY_CHANGED, /* the input was changed: once more */
	REPLAY_WRONG,   /* it went wrong as predicted */
};
struct replay_result {
	uint64_t result, executed;
	uint32_t return_ops[EXAMPLE_RETURNS_MAX]; /* which calls of helpers asked for a number from outside */
	uint32_t return_count;
	bool packet_used;   /* the program asked where it is, or how long */
	bool lookup_failed; /* what went wrong was the NULL of a lookup in ... */
	uint32_t failed_map;
};
enum replay_outcome replay_run(struct replay *r, struct example_input *input, struct replay_result *ret_result);

#endif
