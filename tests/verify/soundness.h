/* SPDX-License-Identifier: Apache-2.0
 *
 * Is what the verifier accepts harmless? Programs are made at random or taken from objects, changed a little, verified, and
 * what is accepted runs in the interpreter with hostile inputs while a monitor watches it, which knows where every pointer
 * came from. What a run does that it may not is a defect of the verifier.
 *
 *   soundness.c            the campaign, its options and counts
 *   soundness_make.c       random programs with structure: checks before accesses, loops, calls, lookups
 *   soundness_block.c      what these are made of
 *   soundness_mutate.c     small changes; accesses and comparisons moved to the very edge of what is accepted
 *   soundness_object.c     programs of object files
 *   soundness_world.c      what programs run in: contexts, packets, maps, inputs
 *   soundness_helper.c     what helpers do to them
 *   soundness_monitor.c    the rules, applied to a run: instructions
 *   soundness_memory.c     the same: objects, the stack's bytes, helpers' arguments
 *   soundness_shrink.c     a failing program with what does not matter taken out
 *   soundness_kernel.c     the kernel's opinion of the same programs
 */
#ifndef PICKET_TESTS_VERIFY_SOUNDNESS_H
#define PICKET_TESTS_VERIFY_SOUNDNESS_H

#include "base/base.h"
#include "verify/verify_int.h"
#include "vm/helper.h"

/* ---- chance ---- */
struct chance {
	uint64_t state;
};
struct chance chance_from(uint64_t seed);
uint64_t chance_next(struct chance *c);
uint32_t chance_below(struct chance *c, uint32_t limit); /* 0 .. limit - 1; limit > 0 */
bool chance_one_in(struct chance *c, uint32_t n);
uint64_t chance_extreme(struct chance *c); /* mostly a number at some edge */

/* ---- programs ---- */
#define CASE_INSNS_MAX 4096
struct test_case {
	enum picket_kind kind;
	struct picket_insn insns[CASE_INSNS_MAX];
	size_t count;
	const struct picket_map_spec *maps; /* borrowed */
	size_t map_count;
};

/* Instructions as insn.def has them. */
struct picket_insn insn_make(enum vm_opcode op, unsigned dst, unsigned src, int offset, int64_t imm);
bool insn_is(const struct picket_insn *insn, enum vm_opcode op);
size_t insn_slots(const struct picket_insn *insn);
/* Of a jump or a local call: in which field its distance is; NULL: none. */
enum insn_distance { DISTANCE_NONE, DISTANCE_OFFSET, DISTANCE_IMM };
enum insn_distance insn_distance(const struct picket_insn *insn);

/* ---- soundness_make.c ---- */
extern const struct picket_map_spec soundness_maps[];
enum { MAP_ARRAY, MAP_HASH, MAP_RING, MAP_CONSTANTS, MAP_GLOBALS, MAP_OUTER, SOUNDNESS_MAPS };
/* Kinds that random programs are made for. */
extern const enum picket_kind soundness_kinds[];
extern const size_t soundness_kind_count;
/* callbacks: with functions that helpers call; the kernel takes these only with types. */
void case_make(struct test_case *c, enum picket_kind kind, uint64_t seed, bool callbacks);

/* ---- verification ---- */
struct judgement {
	bool accepted;
	enum picket_category category;
	uint32_t insn;
	uint64_t insn_bound;
	uint32_t stack_bytes;
	char reason[320];
};
/* Programs that take long to verify are of no use here: smaller limits than usual. Aborts if the verifier breaks its word. */
void case_judge(const struct test_case *c, struct judgement *ret_judgement);
extern uint64_t judgements; /* so many were asked for */

/* ---- soundness_mutate.c ---- */
/* One small change, of an instruction or two. */
void case_mutate(struct test_case *c, struct chance *chance);
/* Of an accepted program: moves one access, size or comparison as far as it is still accepted. */
void case_sharpen(struct test_case *c, struct chance *chance);

/* ---- helpers: soundness_helper.c ---- */
struct helper_model {
	uint32_t id;                      /* as programs call it */
	bool own;                         /* the sandbox's own runs */
	struct picket_helper row;         /* as the interpreter knows it: of a model, PICKET_HELPER_OWN + id */
	const struct verify_proto *proto; /* of a model */
};
/* false: it cannot be run here. */
bool helper_model_make(enum picket_kind kind, uint32_t id, struct helper_model *ret_model);

/* ---- worlds: soundness_world.c ---- */
#define PACKET_BYTES_MAX 512
#define PACKET_META_BYTES 32
#define CONTEXT_BYTES_MAX 65536
#define SOCKET_BYTES 256
#define POOL_NUMBERS 64
#define WORLD_MAPS_MAX 64

struct soundness_world {
	const struct picket_map_spec *specs;
	struct picket_map *maps[WORLD_MAPS_MAX];
	struct picket_map *inner[WORLD_MAPS_MAX]; /* what a map of maps holds */
	const uint8_t *constants[WORLD_MAPS_MAX]; /* contents of a map that nobody changes; borrowed; NULL: none */
	size_t map_count;
	uint8_t *pages; /* below 4 GiB, as 32-bit fields of contexts hold pointers into it */
	/* of the current run */
	const struct verify_kind *kind;
	struct chance chance;
	uint64_t pool[POOL_NUMBERS]; /* numbers that matter to the program */
	size_t pool_count;
	uint8_t *context;
	size_t context_length;
	uint64_t packet_meta, packet, packet_end;
	unsigned packet_place;
	struct picket_region regions[4];
	const struct helper_model *calling; /* a model is about to run */
};
/* specs: borrowed; no more than WORLD_MAPS_MAX. Maps of types that the sandbox lacks become arrays. Returns 0 or -errno. */
int soundness_world_init(struct soundness_world *w, const struct picket_map_spec *specs, size_t count);
void soundness_world_done(struct soundness_world *w);
void world_fill(struct soundness_world *w, void *memory, size_t size);
uint64_t world_number(struct soundness_world *w);
/* Moves the packet elsewhere, and changes its length. */
void world_move_packet(struct soundness_world *w);
bool world_has_map(const struct soundness_world *w, uint64_t pointer);

/* A program that is ready to run. */
#define MODELS_MAX PICKET_HELPERS_MAX
struct runnable {
	enum picket_kind kind;
	struct picket_program *program;
	struct vm_ops ops;
	const struct vm_op **by_insn;
	struct helper_model models[MODELS_MAX];
	size_t model_count;
	uint64_t pool[POOL_NUMBERS];
	size_t pool_count;
	uint64_t insn_bound;
	uint32_t stack_bytes;
	bool leaks; /* pointers may become known to others */
};
/* -EOPNOTSUPP: calls something that has no model. */
int runnable_make(struct runnable *r, const struct test_case *c, const struct judgement *judgement,
                  struct soundness_world *w);
void runnable_done(struct runnable *r);
const struct helper_model *runnable_model(const struct runnable *r, uint32_t id); /* as the interpreter knows it */

struct finding {
	bool found, unfinished;
	uint32_t insn;
	uint64_t seed; /* of the input */
	uint64_t executed;
	char text[200];
};
/* One run with an input that follows from the seed. */
void runnable_run(struct runnable *r, struct soundness_world *w, uint64_t seed, struct finding *ret_finding);

/* ---- soundness_shrink.c ---- */
/* Inputs from `seed` on are tried. */
void case_shrink(struct test_case *c, struct soundness_world *w, const struct finding *finding, unsigned tries);
void case_print(const struct test_case *c);

/* ---- soundness_object.c ---- */
struct object_program {
	struct test_case *program;
	struct soundness_world *world; /* shared by the programs of an object */
	char name[96];
};
/* Programs of an object that can be run here are appended. Returns 0 or -errno. */
int object_programs_read(const char *path, struct object_program **programs, size_t *count);
void object_programs_free(struct object_program *programs, size_t count);
/* Prints a line with the verdict on each of its programs. Returns 0 or -errno. */
int object_judge(const char *path);

/* ---- soundness_kernel.c ---- */
/* The kernel's opinion of `count` programs from `seed` on. Returns the exit code. */
int soundness_kernel(uint64_t seed, uint64_t count, unsigned examples);

#endif
