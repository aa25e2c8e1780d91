/* SPDX-License-Identifier: Apache-2.0
 *
 * Is what the verifier accepts harmless? Programs are made at random or taken from objects, changed a little, verified, and
 * what is accepted runs in the interpreter with hostile inputs while a monitor watches it, which knows where every pointer
 * came from. What a run does that it may not is a defect of the verifier.
 *
 *   soundness.c            the campaign, its options and counts
 *   soundness_make.c       random programs with structure: checks before accesses, loops, calls, lookups
 *   soundness_block.c      what these are made of: numbers, memory, maps, packets, functions
 *   soundness_call.c       the same: tail calls, functions called by registers, locks
 *   soundness_foreign.c    the same: objects of the kernel, its functions, iterators, dynptrs, sockets
 *   soundness_types.c      the types of the kernel that they are made for
 *   soundness_mutate.c     small changes; accesses and comparisons moved to the very edge of what is accepted
 *   soundness_object.c     programs of object files
 *   soundness_world.c      what programs run in: contexts, packets, maps, inputs
 *   soundness_helper.c     what helpers do to them
 *   soundness_monitor.c    the rules, applied to a run: instructions
 *   soundness_memory.c     the same: objects, the stack's bytes
 *   soundness_argument.c   the same: what helpers are given, and what they give
 *   soundness_lifetime.c   the same: references, sections, iterators, dynptrs, objects of the kernel
 *   soundness_shrink.c     a failing program with what does not matter taken out
 *   soundness_edit.c       instructions put in and taken out
 *   soundness_kernel.c     the kernel's opinion of the same programs
 *   soundness_known.c      why it may refuse what we accept
 */
#ifndef PICKET_TESTS_VERIFY_SOUNDNESS_H
#define PICKET_TESTS_VERIFY_SOUNDNESS_H

#include "base/base.h"
#include "verify/types_int.h"
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
/* Of a program of an object; borrowed. */
struct case_origin {
	const struct picket_image *image;
	size_t index;
	const char *hook;
	bool sleeps;
};
struct test_case {
	enum picket_kind kind;
	struct picket_insn insns[CASE_INSNS_MAX];
	size_t count;
	const struct picket_map_spec *maps; /* borrowed */
	size_t map_count;
	const struct case_origin *origin; /* NULL: made here */
};

/* ---- the kernel's types: soundness_types.c ---- */
struct picket_types *soundness_types(void);         /* of the kernel for random programs */
struct picket_types *soundness_types_running(void); /* NULL: it does not tell */
/* To the running kernel; 0 or -errno. */
int soundness_relocate(struct picket_image *image);
void soundness_types_done(void);
/* Of the kernel for random programs: what a call of a function has in imm; where a member lies. */
int soundness_kfunc(const char *name);
int soundness_field(const char *object, const char *name);
static inline struct picket_types *case_types(const struct test_case *c)
{
	return c->origin ? soundness_types_running() : soundness_types();
}
/* The name of a function of the kernel, by what a call has in imm; "": there is none. */
const char *case_kfunc(const struct test_case *c, int32_t number);

/* Instructions as insn.def has them. */
struct picket_insn insn_make(enum vm_opcode op, unsigned dst, unsigned src, int offset, int64_t imm);
bool insn_is(const struct picket_insn *insn, enum vm_opcode op);
size_t insn_slots(const struct picket_insn *insn);
/* Of a jump or a local call: in which field its distance is; NULL: none. */
enum insn_distance { DISTANCE_NONE, DISTANCE_OFFSET, DISTANCE_IMM };
enum insn_distance insn_distance(const struct picket_insn *insn);

/* ---- soundness_make.c ---- */
extern const struct picket_map_spec soundness_maps[];
enum { MAP_ARRAY, MAP_HASH, MAP_RING, MAP_CONSTANTS, MAP_GLOBALS, MAP_OUTER, MAP_PROGRAMS, SOUNDNESS_MAPS };
/* Kinds that random programs are made for. */
extern const enum picket_kind soundness_kinds[];
extern const size_t soundness_kind_count;
/* plain: without callbacks and what else the kernel takes only with types, or not at all. */
void case_make(struct test_case *c, enum picket_kind kind, uint64_t seed, bool plain);

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
	uint32_t id;              /* as programs call it; of a function of the kernel: 0 */
	bool own;                 /* the sandbox's own runs */
	struct picket_helper row; /* as the interpreter knows it: of a model, from PICKET_HELPER_OWN on */
	const struct verify_proto *proto;
};
/* number: of a model, from 0 on. false: it cannot be run here. */
bool helper_model_make(enum picket_kind kind, uint32_t id, unsigned number, struct helper_model *ret_model);
bool kfunc_model_make(enum picket_kind kind, const char *name, unsigned number, struct helper_model *ret_model);
/* What a tail call leads to: another program, which does its worst within what its kind may. */
extern const struct picket_helper another_program;

/* ---- worlds: soundness_world.c ---- */
#define PACKET_BYTES_MAX 512
#define PACKET_META_BYTES 32
#define CONTEXT_BYTES_MAX 65536
#define SOCKET_BYTES 256
#define HEAP_BYTES (256u << 10) /* objects of the kernel, and memory that it hands out */
#define POOL_NUMBERS 64
#define WORLD_MAPS_MAX 64

struct soundness_world {
	const struct picket_map_spec *specs;
	struct picket_map *maps[WORLD_MAPS_MAX];
	struct picket_map *inner[WORLD_MAPS_MAX]; /* what a map of maps holds */
	const uint8_t *constants[WORLD_MAPS_MAX]; /* contents of a map that nobody changes; borrowed; NULL: none */
	size_t map_count;
	uint8_t *pages; /* below 4 GiB, as 32-bit fields of contexts hold pointers into it */
	uint8_t *heap;
	struct picket_program *other; /* what tail calls lead to */
	/* of the current run */
	const struct verify_kind *kind;
	struct chance chance;
	uint64_t pool[POOL_NUMBERS]; /* numbers that matter to the program */
	size_t pool_count;
	uint8_t *context;
	size_t context_length;
	uint64_t packet_meta, packet, packet_end;
	unsigned packet_place;
	uint32_t heap_used;
	struct picket_region regions[3];
	const struct verify_types *types;
	const struct helper_model *calling; /* a model is about to run */
	bool exhausted;                     /* and has nothing more to give */
};
/* specs: borrowed; no more than WORLD_MAPS_MAX. Maps of types that the sandbox lacks become arrays. Returns 0 or -errno. */
int soundness_world_init(struct soundness_world *w, const struct picket_map_spec *specs, size_t count);
void soundness_world_done(struct soundness_world *w);
void world_fill(struct soundness_world *w, void *memory, size_t size);
uint64_t world_number(struct soundness_world *w);
/* Moves the packet elsewhere, and changes its length. */
void world_move_packet(struct soundness_world *w);
bool world_has_map(const struct soundness_world *w, uint64_t pointer);
/* The address of so many bytes; when all are used they begin anew. */
uint64_t world_allocate(struct soundness_world *w, uint64_t bytes);
/* What another program may have done to it. */
void world_disturb(struct soundness_world *w);

/* What a program uses, and what came of it. */
enum feature {
#define FEATURE(id, text) FEATURE_##id,
#include "tests/verify/soundness_feature.h"
	FEATURES,
};
enum happening {
#define HAPPENING(id, text) HAPPENED_##id,
#include "tests/verify/soundness_feature.h"
	HAPPENINGS,
};
extern uint64_t happenings[HAPPENINGS]; /* of all runs */

/* A program that is ready to run. */
#define MODELS_MAX (PICKET_HELPERS_MAX - 1)
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
	bool leaks;  /* pointers may become known to others */
	bool sleeps; /* it may */
	const struct verify_types *types;
	const char *hook;
	uint32_t features; /* bits of enum feature */
};
/* -EOPNOTSUPP: calls something that has no model. */
int runnable_make(struct runnable *r, const struct test_case *c, const struct judgement *judgement,
                  struct soundness_world *w);
void runnable_done(struct runnable *r);
const struct helper_model *runnable_model(const struct runnable *r, uint32_t id); /* as the interpreter knows it */
static inline bool runnable_has(const struct runnable *r, enum feature feature)
{
	return r->features >> feature & 1;
}

struct finding {
	bool found, unfinished;
	uint32_t insn;
	uint64_t seed; /* of the input */
	uint64_t executed;
	char text[200];
};
/* One run with an input that follows from the seed. */
void runnable_run(struct runnable *r, struct soundness_world *w, uint64_t seed, struct finding *ret_finding);

/* ---- soundness_edit.c ---- */
/* Instructions [first, end) are gone; what jumped to them goes to what follows. */
void case_take_out(struct test_case *c, size_t first, size_t end);
/* So many slots before `at`, which are the caller's to fill; what jumped to `at` goes to them. false: no room. */
bool case_insert(struct test_case *c, size_t at, size_t slots) must_check;
/* Takes out what no path leads to. */
void case_prune(struct test_case *c);

/* ---- soundness_shrink.c ---- */
/* Takes out what `holds` does not need to go on holding. */
void case_shrink_while(struct test_case *c, bool (*holds)(const struct test_case *c, void *user), void *user);
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
/* The kernel's opinion of `count` programs from `seed` on; examples: with a small one of each reason. Returns the exit
 * code; 77: it may not be asked. */
int soundness_kernel(uint64_t seed, uint64_t count, bool examples);
#define KERNEL_WORDS_BYTES 120
struct kernel_words {
	char text[KERNEL_WORDS_BYTES]; /* the last line but one of its log */
	int64_t insn;                  /* the last that it looked at; -1: not known */
};
/* Our own, as somebody would ask who has that kernel. */
void kernel_case_judge(const struct test_case *c, struct judgement *ret_judgement);
/* ret_words: what it says if it refuses; may be NULL. */
bool kernel_accepts(const struct test_case *c, struct kernel_words *ret_words);

/* ---- soundness_known.c ---- */
/* Why the kernel refuses a program that we accept, with those words; NULL: for no reason that is known. Static. */
const char *known_reason_find(const struct test_case *c, const struct kernel_words *words);

#endif
