/* SPDX-License-Identifier: Apache-2.0
 *
 * A run of a rejected program: what replay.c lays out and follow.c keeps track of.
 */
#ifndef PICKET_VERIFY_REPLAY_INT_H
#define PICKET_VERIFY_REPLAY_INT_H

#include "verify/example_int.h"

#define SHADOWS_MAX 64
#define LOOKUPS_MAX 32
#define NO_MAP UINT32_MAX

/* A value that was made of several pieces of input is a function of each of them, as long as the others stay. */
#define PIECES_MAX 4
struct made {
	unsigned count;
	struct symbol pieces[PIECES_MAX];
};

struct lookup {
	uint32_t map;
	uint8_t key[EXAMPLE_KEY_MAX];
};

struct replay {
	const struct verify *v;
	const struct example_path *path;
	struct picket_insn *insns; /* calls of what is outside are calls of ask() */
	struct picket_helper helpers[PICKET_HELPERS_MAX];
	uint32_t helper_ids[PICKET_HELPERS_MAX]; /* the kernel's */
	size_t helper_count;
	struct picket_map **maps;
	uint8_t *low; /* EXAMPLE_PACKET_MAX bytes */
	uint8_t context[EXAMPLE_CONTEXT_MAX];
	uint64_t budget; /* instructions that are left for runs */
	/* of one run */
	struct example_input *input;
	struct replay_result *result;
	struct made registers[11], saved[PICKET_FRAMES_MAX][4];
	unsigned depth;
	struct shadow { /* what the program has stored */
		uint64_t address;
		uint8_t bytes;
		struct made made;
	} shadows[SHADOWS_MAX];
	unsigned shadow_count;
	struct lookup lookups[LOOKUPS_MAX];
	uint32_t lookup_count, return_count;
	uint32_t position; /* branches of the path that were taken as it says */
	bool left;         /* the path */
	bool changed;      /* the input */
	bool reached;      /* the place of the rejection, on the path */
	uint32_t last;     /* instruction */
	int acquired, locked;
};

/* ---- follow.c ---- */
/* For each instruction, before it is run: user is the struct replay. */
void replay_follow(const struct picket_program *p, size_t insn, const uint64_t registers[11], void *user);
/* The helper that stands for all that ask the world outside. */
uint64_t replay_ask(uint64_t r1, uint64_t r2, uint64_t r3, uint64_t r4, uint64_t r5, struct picket_run *run);
/* Before a run. */
void replay_follow_begin(struct replay *r);
/* A number in memory, 1 to 8 bytes, in the machine's order. */
void replay_write(uint8_t *to, unsigned bytes, uint64_t number);
/* The field of the context that says how long the packet is. */
bool replay_is_length(const struct verify *v, const struct verify_field *f);

#endif
