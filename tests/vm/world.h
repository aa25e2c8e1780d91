/* SPDX-License-Identifier: Apache-2.0
 *
 * What random programs run in: memory at a fixed place with nothing around it, so that what goes outside is seen, and
 * programs mean the same in every process.
 */
#ifndef PICKET_TESTS_VM_WORLD_H
#define PICKET_TESTS_VM_WORLD_H

#include "picket/vm.h"

/* The context. Its first 16 bytes are pointers: to the region, and to the table. */
#define WORLD_PACKET_BYTES 128
#define WORLD_PACKET_POINTERS 16
/* Writable; its first 8 bytes point to the table. */
#define WORLD_REGION_BYTES 256
#define WORLD_REGION_POINTERS 8
/* Not writable; its first 8 bytes point to the region. */
#define WORLD_TABLE_BYTES 64

/* Maps by index. */
enum { WORLD_VALUES, WORLD_ARRAY, WORLD_HASH, WORLD_MAPS };
#define WORLD_VALUES_BYTES 336
#define WORLD_DUMP_BYTES 80 /* of the one value, its first: where a program leaves its registers */
#define WORLD_ARRAY_ENTRIES 8
#define WORLD_ARRAY_BYTES 16
#define WORLD_HASH_ENTRIES 4
#define WORLD_HASH_KEYS 8 /* that programs use: 0 .. 7, 4 bytes */
#define WORLD_HASH_BYTES 16

/* The embedder's helpers: a number from five numbers; a number from readable memory (r1, r2: size); fills writable memory
 * (r1, r2: size) with what follows from r3. */
enum { WORLD_MIX = PICKET_HELPER_OWN, WORLD_SUM, WORLD_FILL };
#define WORLD_HELPERS 3
extern const struct picket_helper world_helpers[WORLD_HELPERS];

/* Everything that a program can change. */
struct world_memory {
	uint8_t packet[WORLD_PACKET_BYTES];
	uint8_t region[WORLD_REGION_BYTES];
	uint8_t values[WORLD_VALUES_BYTES];
	uint8_t array[WORLD_ARRAY_ENTRIES * WORLD_ARRAY_BYTES];
	uint8_t hash[WORLD_HASH_KEYS * WORLD_HASH_BYTES]; /* 0 where there is no such key */
	uint8_t hash_keys;                                /* a bit each */
};

struct outcome {
	uint64_t result;
	struct picket_fault fault; /* program is not compared */
	struct world_memory after;
};

struct world {
	uint8_t *pages;
	uint8_t *packet, *region, *table; /* in them */
	struct picket_map *maps[WORLD_MAPS];
	struct world_memory before;
	bool hash_changed; /* since it was as before */
};

/* number: of worlds in a process; each is at addresses of its own. Returns 0 or -errno. */
int world_init(struct world *w, unsigned number);
void world_done(struct world *w); /* also for _cleanup_ */
/* The memory that programs begin with. frame: the packet begins with an Ethernet header of no known protocol, so that what
 * the kernel makes of it does not depend on the rest, instead of with pointers. */
void world_seed(struct world *w, uint64_t seed, bool frame);
/* Options that name the world's maps and helpers; borrowed from w. */
struct picket_options world_options(const struct world *w, enum picket_engine engine);
/* Runs p from the memory that world_seed() gave. The stack is at the same address in all runs of a process. */
void world_run(struct world *w, const struct picket_program *p, uint64_t budget, struct outcome *ret_outcome);
/* The same, and calls trace before each instruction; p is of a plain interpreter. */
void world_trace(struct world *w, const struct picket_program *p, uint64_t budget,
                 void (*trace)(const struct picket_program *p, size_t insn, const uint64_t registers[11], void *user),
                 void *user, struct outcome *ret_outcome);
/* The first difference as text; false if there is none. */
bool outcome_differs(const struct outcome *a, const struct outcome *b, char *text, size_t size);
bool world_memory_differs(const struct world_memory *a, const struct world_memory *b, char *text, size_t size);

#endif
