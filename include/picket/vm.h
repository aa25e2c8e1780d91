/* SPDX-License-Identifier: Apache-2.0
 *
 * libpicket: a sandbox for eBPF programs in user space. It loads bytecode (RFC 9669) or ELF objects as clang writes them,
 * and runs them by an interpreter or a just-in-time compiler, without privileges.
 *
 *   struct picket_program *program;
 *   struct picket_error error;
 *   if (picket_program_load(insns, count, NULL, &program, &error))
 *           puts(error.text);
 *   struct picket_call call = {.data = packet, .length = packet_length};
 *   if (picket_program_run(program, &call))
 *           puts(picket_fault_name(call.fault.kind));
 *   else
 *           printf("%lu\n", call.result);
 *
 * Functions return 0 or -errno. A result pointer is untouched on failure. No function logs, exits, or raises a signal.
 */
#ifndef PICKET_VM_H
#define PICKET_VM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif
#pragma GCC visibility push(default)

/* ---- limits ---- */
#define PICKET_INSNS_MAX (1u << 20) /* of a program with all its subprograms, in 8-byte slots */
#define PICKET_STACK_BYTES 512      /* of one function */
#define PICKET_FRAMES_MAX 8         /* functions that may be active at once, callbacks included */
#define PICKET_TAIL_CALLS_MAX 33    /* in one run */
#define PICKET_MAPS_MAX 256         /* that one program may refer to */
#define PICKET_REGIONS_MAX 16       /* that one call may give */
#define PICKET_HELPERS_MAX 64       /* an embedder's own, of one program */
#define PICKET_HELPER_OWN 0x10000   /* their ids begin here */
#define PICKET_CPUS_MAX 64          /* threads that may use per-CPU maps at once */
#define PICKET_BUDGET_DEFAULT (1ull << 30)

/* An instruction, as RFC 9669 and struct bpf_insn have it. Host byte order. */
struct picket_insn {
	uint8_t code;
#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
	uint8_t dst : 4, src : 4;
#else
	uint8_t src : 4, dst : 4;
#endif
	int16_t offset;
	int32_t imm;
};

/* What was wrong with what was given. */
struct picket_error {
	char text[256];   /* one sentence */
	char section[64]; /* of an ELF object; "" otherwise */
	uint64_t offset;  /* in bytes: in that section, or in the given bytes */
	char file[128];   /* source, from BTF line information; "" if unknown */
	unsigned line, column;
};

/* ---- programs ---- */
enum picket_engine {
	PICKET_INTERPRETER, /* every access is checked: for anything */
	PICKET_CHECKED,     /* just-in-time compiled with the same checks: for anything */
	PICKET_VERIFIED, /* just-in-time compiled without checks: only for what a verifier passed or the caller vouches for */
};

/* Helpers take r1 to r5, and the run that they are called in. */
struct picket_run;
typedef uint64_t (*picket_helper_function)(uint64_t r1, uint64_t r2, uint64_t r3, uint64_t r4, uint64_t r5,
                                           struct picket_run *run);

/* What an argument must be, and what comes back. The interpreter and the checked compiler test pointers against this before
 * the helper sees them; the verifier proves it beforehand. */
enum picket_arg {
	PICKET_ARG_NONE,            /* not taken */
	PICKET_ARG_ANY,             /* any number */
	PICKET_ARG_CTX,             /* the context, as r1 had it at entry */
	PICKET_ARG_MAP,             /* a map of the program */
	PICKET_ARG_MAP_KEY,         /* readable: key_size bytes of the map before it */
	PICKET_ARG_MAP_VALUE,       /* readable: value_size bytes of the map before it */
	PICKET_ARG_MAP_VALUE_OUT,   /* writable: value_size bytes of the map before it */
	PICKET_ARG_MEM,             /* readable: as many bytes as the next argument says */
	PICKET_ARG_MEM_OR_NULL,     /* the same, or NULL when the next is 0 */
	PICKET_ARG_MEM_OUT,         /* writable: as many bytes as the next argument says; need not be initialised */
	PICKET_ARG_SIZE,            /* 1 .. 2^29 */
	PICKET_ARG_SIZE_OR_ZERO,    /* 0 .. 2^29 */
	PICKET_ARG_LONG_OUT,        /* writable: 8 bytes */
	PICKET_ARG_CONST_STR,       /* readable: text with its NUL, at most 4,096 bytes */
	PICKET_ARG_FUNCTION,        /* a function of the program */
	PICKET_ARG_CALLBACK_CTX,    /* handed to that function: any number or pointer */
	PICKET_ARG_RING_RECORD,     /* what ringbuf_reserve gave, not yet submitted or discarded */
	PICKET_ARG_DYNPTR,          /* an initialised dynptr, 16 bytes of stack */
	PICKET_ARG_DYNPTR_OUT,      /* an uninitialised one */
	PICKET_ARG_MEM_OUT_OR_NULL, /* as MEM_OUT, or NULL when the next is 0 */
	PICKET_ARG_ALLOC_SIZE,      /* any number; a verifier needs to know it: what comes back has that size */
	PICKET_ARG_SPIN_LOCK,       /* writable: a struct bpf_spin_lock, not on the stack */
};
enum picket_return {
	PICKET_RETURN_NUMBER,
	PICKET_RETURN_VOID,
	PICKET_RETURN_MAP_VALUE_OR_NULL, /* of the map given */
	PICKET_RETURN_MEM_OR_NULL,       /* of the size given */
	PICKET_RETURN_RING_RECORD_OR_NULL,
};
struct picket_helper {
	uint32_t id; /* PICKET_HELPER_OWN and above */
	const char *name;
	enum picket_return returns;
	enum picket_arg args[5];
	picket_helper_function function; /* called by many threads at once, if the program is */
};

struct picket_map;
struct picket_options {
	enum picket_engine engine;
	uint64_t budget; /* instructions of one run, see picket_call.budget; 0: PICKET_BUDGET_DEFAULT */
	bool blind;      /* just-in-time: no constant of the program stands in the code as it is */
	bool plain;      /* do not merge instructions: what is traced or counted is exact */
	const struct picket_helper *helpers; /* borrowed for the call; copied */
	size_t helper_count;
	struct picket_map *const
	        *maps; /* what lddw with src 5 and 6 (index) refers to; borrowed: they outlive the program */
	size_t map_count;
};

struct picket_program;
/* Checks and copies a program, and compiles it if the engine says so. insns: borrowed, count in 1..PICKET_INSNS_MAX.
 * options: NULL for the interpreter and no maps. ret_program: free with picket_program_free().
 * Returns 0; -EINVAL: malformed, reterr says what and where; -E2BIG; -ENOMEM; -EOPNOTSUPP: no just-in-time compiler for this
 * machine. reterr may be NULL. Any thread. (RFC 9669, 5) */
int picket_program_load(const struct picket_insn *insns, size_t count, const struct picket_options *options,
                        struct picket_program **ret_program, struct picket_error *reterr);
/* No thread may be in it. NULL is allowed. */
void picket_program_free(struct picket_program *p);
const char *picket_program_name(const struct picket_program *p); /* "" unless it came from an object */
enum picket_engine picket_program_engine(const struct picket_program *p);
/* The bytecode as given, subprograms included. Borrowed. */
const struct picket_insn *picket_program_insns(const struct picket_program *p, size_t *ret_count);
/* What lddw with src 5 and 6 refers to by that index; NULL: no such map. Borrowed. */
const struct picket_map *picket_program_map(const struct picket_program *p, size_t index);
/* Machine code in bytes, 0 for the interpreter. ret_code may be NULL. */
size_t picket_program_code(const struct picket_program *p, const void **ret_code);
/* The source line of an instruction: false if the object had no such information. Texts are borrowed. */
bool picket_program_line(const struct picket_program *p, size_t insn, const char **ret_file, unsigned *ret_line,
                         unsigned *ret_column, const char **ret_text);
/* The name of the function that holds an instruction; "" if unknown. Borrowed. */
const char *picket_program_function(const struct picket_program *p, size_t insn);

/* ---- one run ---- */
enum picket_fault_kind {
	PICKET_FAULT_NONE,
	PICKET_FAULT_READ,      /* an address outside of all that the program may read */
	PICKET_FAULT_WRITE,     /* ... write */
	PICKET_FAULT_BUDGET,    /* more instructions than the budget */
	PICKET_FAULT_FRAMES,    /* more than PICKET_FRAMES_MAX active functions */
	PICKET_FAULT_HELPER,    /* no such helper */
	PICKET_FAULT_ARGUMENT,  /* a helper's argument is not what it takes; address: its number, 1 to 5 */
	PICKET_FAULT_CALL,      /* call by register to what is no function */
	PICKET_FAULT_TAIL_CALL, /* into a program that this one may not enter */
};
/* "out-of-bounds read" ... */
const char *picket_fault_name(enum picket_fault_kind kind);

struct picket_fault {
	enum picket_fault_kind kind;
	uint32_t insn;    /* index of the instruction, in the program that failed */
	uint32_t size;    /* bytes that were to be read or written */
	uint64_t address; /* where; or see the kind */
	uint64_t registers[11];
	const struct picket_program *program; /* that failed: another one after a tail call */
};

/* Memory that a run may use besides stack, context and maps. */
struct picket_region {
	void *data;
	size_t length;
	bool writable;
};

struct picket_call {
	/* in */
	void *data;    /* the context: r1 at entry; what the packet instructions read, too */
	size_t length; /* r2 at entry, bytes */
	const struct picket_region *regions;
	size_t region_count; /* at most PICKET_REGIONS_MAX */
	uint64_t budget; /* 0: the program's. Counted at backward jumps and calls, by the length of what is repeated. */
	void *user;      /* for the embedder's helpers, see picket_run_user() */
	/* Called before each instruction, and a last time with insn = SIZE_MAX at the end; interpreter and plain only. */
	void (*trace)(const struct picket_program *p, size_t insn, const uint64_t registers[11], void *user);
	/* What trace_printk and trace_vprintk write: as the program has it, at most 1,023 bytes, also a NUL if it put one in.
	 * NULL: dropped. */
	void (*print)(const char *text, size_t length, void *user);
	/* out */
	uint64_t result;
	uint64_t executed; /* instructions; exact in a plain interpreter, 0 in others */
	struct picket_fault fault;
};
/* Runs p once. Many threads may, at the same time. Returns 0; -EFAULT: call->fault says what happened; -EINVAL: more regions
 * than allowed. The context and regions are writable by the program (regions: if they say so) and stay the caller's. */
int picket_program_run(const struct picket_program *p, struct picket_call *call);
/* The short way, for PICKET_VERIFIED only (others: as picket_program_run, and 0 on a fault). */
uint64_t picket_program_call(const struct picket_program *p, void *data, size_t length);

/* For helpers: what belongs to the run that they are called in. */
void *picket_run_user(struct picket_run *run);
/* May the program use that memory? In PICKET_VERIFIED always true. */
bool picket_run_may_read(struct picket_run *run, const void *memory, size_t length);
bool picket_run_may_write(struct picket_run *run, void *memory, size_t length);
/* Calls a function of the program, as handed to a PICKET_ARG_FUNCTION. Returns 0, or -EFAULT: return at once. */
int picket_run_callback(struct picket_run *run, uint64_t function, uint64_t r1, uint64_t r2, uint64_t r3, uint64_t r4,
                        uint64_t r5, uint64_t *ret_result);

/* ---- a place for a program that is replaced while others run it ---- */
struct picket_slot;
int picket_slot_new(struct picket_slot **ret_slot);
void picket_slot_free(struct picket_slot *s); /* frees its program; no thread may be in it */
/* Takes p (NULL: none). Returns when no thread is in the old one any more, which is freed. Any thread, but not from inside
 * a run. */
void picket_slot_replace(struct picket_slot *s, struct picket_program *p);
/* As picket_program_run, without a lock. -ENOENT: no program there. */
int picket_slot_run(struct picket_slot *s, struct picket_call *call);

/* ---- maps: the kernel's semantics and flags (linux/bpf.h) ---- */
struct picket_map_spec {
	char name[64];
	uint32_t type; /* enum bpf_map_type */
	uint32_t key_size, value_size, max_entries;
	uint32_t flags;                      /* BPF_F_* */
	uint64_t extra;                      /* map_extra: hash functions of a bloom filter */
	const struct picket_map_spec *inner; /* of a map of maps: what it holds; borrowed for the call */
	uint32_t cpus;                       /* of a per-CPU map; 0: PICKET_CPUS_MAX */
};
/* Returns 0; -EINVAL: such a map cannot be, reterr says why; -ENOMEM; -E2BIG: past the limits. */
int picket_map_new(const struct picket_map_spec *spec, struct picket_map **ret_map, struct picket_error *reterr);
/* Maps are counted: free gives up one reference; programs and outer maps hold their own. */
struct picket_map *picket_map_ref(struct picket_map *m);
void picket_map_free(struct picket_map *m);
const struct picket_map_spec *picket_map_spec(const struct picket_map *m); /* borrowed */
/* The most memory that it can take, in bytes; taken from the system as it is first touched. */
uint64_t picket_map_memory(const struct picket_map *m);
/* As bpf(2): any thread, at any time. Values of per-CPU maps are spec.cpus of them, each rounded up to 8 bytes. Values of
 * maps of maps are struct picket_map * (lookup returns a reference). key is NULL for queue, stack and bloom filter.
 * Return 0, -ENOENT, -EEXIST, -E2BIG, -EINVAL, -EPERM (frozen) ... */
int picket_map_lookup(struct picket_map *m, const void *key, void *ret_value);
int picket_map_update(struct picket_map *m, const void *key, const void *value, uint64_t flags);
int picket_map_delete(struct picket_map *m, const void *key);
int picket_map_next_key(struct picket_map *m, const void *key, void *ret_key); /* key NULL: the first */
int picket_map_pop(struct picket_map *m, const void *key, void *ret_value);    /* lookup and delete */
int picket_map_freeze(struct picket_map *m);                                   /* no more updates from outside */
/* Puts a program into a prog array. The map does not own it: take it out before it is freed. NULL takes out. */
int picket_map_set_program(struct picket_map *m, uint32_t index, const struct picket_program *p);
/* The address of an array's values (lookup of globals without a copy), or NULL for other types. */
void *picket_map_values(struct picket_map *m);
/* Hands each record of a ring buffer to the caller, at most `limit`, in order; stops early when consume returns non-zero.
 * One consumer at a time. Returns the number of records. */
int64_t picket_map_ring_consume(struct picket_map *m, int (*consume)(const void *record, size_t length, void *user),
                                void *user, size_t limit);

/* ---- ELF objects ---- */
struct picket_object;
/* Reads an object that `clang -target bpf -g` wrote, or `bpftool gen object` joined.
 * Programs are its global functions outside of .text; if there are none, those in .text. What they call is linked behind
 * each of them. Sections .data*, .bss* and .rodata* (read-only for programs) are arrays with one value, named like the
 * section, next to the maps that BTF defines in .maps (pinning is ignored). What is declared only is the helper of the
 * options with that name; else, if weak: address 0 (kernel configuration: zeros, a call of it: a fault); else an error.
 * CO-RE relocations are checked, and the types taken as compiled.
 * bytes: borrowed. options: engine, budget, helpers for all its programs (maps are the object's own; `maps` are ignored);
 * may be NULL. ret_object: free with picket_object_free(), which frees its programs, and gives up its maps.
 * Returns 0; -EINVAL: reterr names section, offset and reason; -ENOMEM; -EOPNOTSUPP: as picket_program_load(). Any thread.
 * Objects have at most 256 MiB, 4,096 programs of 4,194,304 instructions together, and 256 maps of 1 GiB together. */
int picket_object_open(const void *bytes, size_t length, const struct picket_options *options,
                       struct picket_object **ret_object, struct picket_error *reterr);
int picket_object_open_file(const char *path, const struct picket_options *options, struct picket_object **ret_object,
                            struct picket_error *reterr);
void picket_object_free(struct picket_object *o);
size_t picket_object_program_count(const struct picket_object *o);
struct picket_program *picket_object_program_at(const struct picket_object *o, size_t index);  /* borrowed */
struct picket_program *picket_object_program(const struct picket_object *o, const char *name); /* NULL: no such */
const char *picket_object_section_of(const struct picket_object *o,
                                     const struct picket_program *p); /* "xdp", "tp_btf/…" */
const char *picket_object_license(const struct picket_object *o);
size_t picket_object_map_count(const struct picket_object *o);
struct picket_map *picket_object_map_at(const struct picket_object *o, size_t index); /* borrowed */
struct picket_map *picket_object_map(const struct picket_object *o, const char *name);

/* ---- ELF objects, read and linked, and not loaded ---- */
/* What picket_object_open() says of programs, data and maps holds here; but helpers of any number, functions and variables
 * of the kernel, and maps of any type and size are taken as they are. No memory is taken for maps. */
struct picket_image;
/* bytes: borrowed for the call. ret_image: picket_image_free(). Returns 0; -EINVAL: reterr names section, offset and reason;
 * -ENOMEM. Any thread; what is read from an image may be read by many. */
int picket_image_open(const void *bytes, size_t length, struct picket_image **ret_image, struct picket_error *reterr);
int picket_image_open_file(const char *path, struct picket_image **ret_image, struct picket_error *reterr);
void picket_image_free(struct picket_image *i); /* NULL is allowed */
/* Below, all pointers are the image's, and NULL or false if there is no such program, function, map ... */
const char *picket_image_license(const struct picket_image *i);
size_t picket_image_program_count(const struct picket_image *i);
bool picket_image_find(const struct picket_image *i, const char *name, size_t *ret_program);
const char *picket_image_name(const struct picket_image *i, size_t program);
const char *picket_image_section(const struct picket_image *i, size_t program);
/* A program with its subprograms. lddw with src 5 and 6: imm is the map's index in the image, with src 6 the second imm is an
 * offset in its first value; src 4: a function of the program. A call with src 2 and lddw with src 3 are of the kernel: imm is
 * an index for picket_image_kernel_name(). */
const struct picket_insn *picket_image_insns(const struct picket_image *i, size_t program, size_t *ret_count);
bool picket_image_line(const struct picket_image *i, size_t program, size_t insn, const char **ret_file,
                       unsigned *ret_line, unsigned *ret_column, const char **ret_text);
struct picket_image_function {
	const char *name;
	uint32_t insn, count; /* of the program's instructions */
	uint32_t type;        /* its BTF_KIND_FUNC in the image's BTF; 0: unknown */
	bool global;          /* to others, too: not static and not hidden */
};
/* In the order of their instructions, without gaps; [0] is the program's entry. */
size_t picket_image_function_count(const struct picket_image *i, size_t program);
bool picket_image_function(const struct picket_image *i, size_t program, size_t index,
                           struct picket_image_function *ret_function);
size_t picket_image_map_count(const struct picket_image *i);
const struct picket_map_spec *picket_image_map(const struct picket_image *i, size_t map);
struct picket_image_data {
	const uint8_t *bytes; /* NULL: zeros. Pointers in it are not numbers yet: see picket_image_constant() */
	size_t length;
	bool frozen; /* .rodata: nobody writes to it while programs run */
};
/* Of a map that is a section of data. */
bool picket_image_data(const struct picket_image *i, size_t map, struct picket_image_data *ret_data);
/* The number of 1 to 8 bytes that is there whenever a program runs, unless who loads it sets it before; false: it may be
 * another one, or is outside. */
bool picket_image_constant(const struct picket_image *i, size_t map, uint64_t offset, unsigned width,
                           uint64_t *ret_number);
/* The object's own types (.BTF). */
const void *picket_image_btf(const struct picket_image *i, size_t *ret_length);
/* Applies the CO-RE relocations of all programs against a kernel's types (the bytes of /sys/kernel/btf/vmlinux; borrowed for
 * the call), as libbpf does: what the kernel does not have becomes a call of helper 0xbad2310, which there is not, or 0 if that
 * is what was asked. The second time nothing is left to be done. Returns 0; -EINVAL: reterr says what cannot be, and the
 * instructions are as they were; -ENOMEM. Nobody may read the image meanwhile. */
int picket_image_relocate(struct picket_image *i, const void *btf, size_t length, struct picket_error *reterr);
/* Functions and variables that are declared only. Weak ones need not be there. */
size_t picket_image_kernel_count(const struct picket_image *i);
const char *picket_image_kernel_name(const struct picket_image *i, size_t index);
bool picket_image_kernel_weak(const struct picket_image *i, size_t index);

/* ---- text ---- */
/* Assembles text, as docs/sandbox.md has its syntax. ret_insns: free(). Linear time. Returns 0; -EINVAL: reterr says what is
 * wrong, with line and column; -E2BIG: more than PICKET_INSNS_MAX instructions; -ENOMEM. */
int picket_assemble(const char *text, size_t length, struct picket_insn **ret_insns, size_t *ret_count,
                    struct picket_error *reterr);
/* One instruction as the assembler reads it; _c: as C, as clang and the kernel print it. count: insns from `insn` on (lddw
 * takes two). text is terminated, and cut at size bytes; PICKET_TEXT_MAX are enough. Jumps lead to +3 or -3: slots from the
 * next instruction. Returns the slots it took: 1 or 2; 0: it is no valid instruction, and text says so. Any thread. */
size_t picket_disassemble(const struct picket_insn *insn, size_t count, char *text, size_t size);
size_t picket_disassemble_c(const struct picket_insn *insn, size_t count, char *text, size_t size);
#define PICKET_TEXT_MAX 128
/* Where a jump, a call of a local function, or the address of a function leads, in slots from insn itself: *ret_slots.
 * false: it is none of these. */
bool picket_insn_target(const struct picket_insn *insn, int64_t *ret_slots);

#pragma GCC visibility pop
#ifdef __cplusplus
}
#endif
#endif
