/* SPDX-License-Identifier: Apache-2.0
 *
 * The verifier's inside: what a value, a stack, a state are; what the tables say of kinds and helpers; who asks whom.
 *
 *   verify.c   a verification from its beginning to its verdict; the walk over instructions
 *   alu.c      arithmetic on values            memory.c   loads and stores         stack.c   the stack's bytes
 *   branch.c   jumps, and what they teach      call.c     helpers, functions       argument.c  what helpers take
 *   state.c    states, copied on write         prune.c    is a state covered?      loop.c    loops by induction
 *   flow.c     blocks, loops, live registers   global.c   functions by signature
 *   explain.c  rejections in words: explain_int.h has its own map; example_int.h: inputs that show them
 *   kind.def, proto.def, types.c: tables
 *   what is handed to calls (call_int.h):
 *   object.c   pointers to kernel objects     special.c  locks, timers, pointers in maps' values
 *   dynptr.c   dynptrs                         iterator.c open-coded iterators
 *   callback.c what the kernel calls           own.c      the embedder's helpers
 */
#ifndef PICKET_VERIFY_INT_H
#define PICKET_VERIFY_INT_H

#include "picket/verify.h"
#include "verify/scalar.h"
#include "vm/isa.h"

/* ---- tables: kinds of programs ---- */

/* What a field of the context holds when it is loaded. */
enum verify_field_type {
	FIELD_NUMBER,
	FIELD_PACKET,      /* first byte of the packet */
	FIELD_PACKET_META, /* first byte of the data before it */
	FIELD_PACKET_END,
	FIELD_MEMORY,     /* readable, `object` bytes */
	FIELD_MEMORY_END, /* end of what a FIELD_MEMORY_RANGE begins (optval_end) */
	FIELD_SOCKET,     /* struct bpf_sock, trusted */
	FIELD_SOCKET_OR_NULL,
	FIELD_SOCK_COMMON_OR_NULL,
	FIELD_FLOW_KEYS, /* struct bpf_flow_keys, written too */
	FIELD_OBJECT,    /* a kernel object of BTF type `type` */
	FIELD_MEMORY_RANGE,
};

#define FIELD_READ 1
#define FIELD_WRITE 2
#define FIELD_NARROW 4 /* parts of it may be read: 1, 2, 4 bytes, aligned to their size */
#define FIELD_NARROW_WRITE 8
#define FIELD_FIRST 16       /* parts of it begin with its first byte */
#define FIELD_LEAST_2 32     /* parts of it have so many bytes at least */
#define FIELD_LEAST_8 96     /* 3 in these two bits: 1 << 3 */
#define FIELD_WORD_WRITE 128 /* parts of it are written by 4 bytes */
struct verify_field {
	const char *name;
	uint16_t offset, size;
	uint8_t type;  /* enum verify_field_type */
	uint8_t flags; /* FIELD_* */
	uint16_t object;
	const char *type_name; /* FIELD_OBJECT */
};

#define KIND_PACKET_WRITE 1 /* packet data may be written */
#define KIND_PRIVILEGED \
	2 /* the kernel's: loaded with CAP_PERFMON; pointers may leak, stack may be read uninitialised */
#define KIND_RAW_CONTEXT 4 /* the context is `context_size` bytes of numbers, read at any width (tracepoint, kprobe) */
#define KIND_BTF_CONTEXT 8 /* an array of 8-byte arguments whose types come from BTF (tp_btf, fentry, lsm) */
#define KIND_ARGUMENTS 16  /* an array of 8-byte numbers (raw_tracepoint) */
#define KIND_MEMORY_LENGTH 32 /* r1: memory, r2: its length, known at run time only */
#define KIND_SKB 64           /* LD_ABS and LD_IND read a packet; the context is a socket buffer */
#define KIND_SLEEPABLE 128    /* may be */
#define KIND_RETURN_ANY 256   /* the return value is not checked */
#define KIND_SANDBOX 512      /* runs in picket's machine, not in the kernel */
#define KIND_NO_CONTEXT 1024  /* nothing is in r1 */
struct verify_kind {
	enum picket_kind id;
	const char *name;
	uint32_t flags; /* KIND_* */
	uint32_t context_size;
	const struct verify_field *fields; /* in the order of their offsets */
	size_t field_count;
	int64_t return_min, return_max; /* signed, of the lower 32 bits */
};
/* Is a field, which holds those bytes, accessed in a width that it allows? at: from the same byte as its offset. */
bool verify_field_fits(const struct verify_field *f, int64_t at, uint64_t size, bool write);
/* NULL: no such kind. Static. */
const struct verify_kind *verify_kind_find(enum picket_kind kind);

/* ---- tables: helpers ---- */
enum verify_arg_base {
	VERIFY_ARG_NONE,
	VERIFY_ARG_ANY, /* initialised; a number, or any pointer if those may leak */
	VERIFY_ARG_CONTEXT,
	VERIFY_ARG_MAP,
	VERIFY_ARG_KEY,        /* readable: key_size of the map before it */
	VERIFY_ARG_VALUE,      /* value_size of the map before it; VERIFY_ARG_OUT: written, need not be initialised */
	VERIFY_ARG_MEMORY,     /* as many bytes as the next argument says */
	VERIFY_ARG_FIXED,      /* memory of `size` bytes */
	VERIFY_ARG_SIZE,       /* 1 .. ; with VERIFY_ARG_ZERO: 0 .. */
	VERIFY_ARG_ALLOC_SIZE, /* a constant: what is returned has that size */
	VERIFY_ARG_CONSTANT,   /* a constant number */
	VERIFY_ARG_STRING,     /* text with its NUL in a read-only map */
	VERIFY_ARG_FUNCTION,   /* a callback; the kind of it follows from the helper */
	VERIFY_ARG_CALLBACK_CONTEXT, /* handed to it: a pointer to stack, or 0 */
	VERIFY_ARG_RECORD,           /* from ringbuf_reserve */
	VERIFY_ARG_SPIN_LOCK,
	VERIFY_ARG_TIMER,
	VERIFY_ARG_KPTR,        /* a place in a map value that holds a pointer to an object */
	VERIFY_ARG_DYNPTR,      /* initialised; VERIFY_ARG_OUT: to be initialised */
	VERIFY_ARG_SOCKET,      /* struct bpf_sock (full) */
	VERIFY_ARG_SOCK_COMMON, /* any socket */
	VERIFY_ARG_OBJECT,      /* a BTF-typed object, `type` */
	VERIFY_ARG_PERCPU,      /* address of a per-CPU variable */
};
#define VERIFY_ARG_OR_NULL 1
#define VERIFY_ARG_OUT 2     /* is written; need not be initialised */
#define VERIFY_ARG_WRITE 4   /* is written, must be initialised */
#define VERIFY_ARG_RELEASE 8 /* the reference is given up */
#define VERIFY_ARG_ZERO 16
#define VERIFY_ARG_UNSET 32 /* the kernel does not look at it: may be not initialised */
struct verify_arg {
	uint8_t base, flags;
	uint16_t size;
	const char *type; /* struct's name; NULL: any */
};

enum verify_return_base {
	VERIFY_RETURN_NUMBER,
	VERIFY_RETURN_VOID,
	VERIFY_RETURN_MAP_VALUE, /* of the map given; of a map of maps: the inner map */
	VERIFY_RETURN_MEMORY,    /* of the ALLOC_SIZE given, or `size` bytes */
	VERIFY_RETURN_RECORD,    /* a ring buffer's, of the ALLOC_SIZE given */
	VERIFY_RETURN_SOCKET,
	VERIFY_RETURN_SOCK_COMMON,
	VERIFY_RETURN_TCP_SOCK,
	VERIFY_RETURN_OBJECT,
};
#define VERIFY_RETURN_OR_NULL 1
#define VERIFY_RETURN_TRUSTED 2

#define PROTO_GPL 1
#define PROTO_SLEEPS 2         /* only where the program may sleep */
#define PROTO_CHANGES_PACKET 4 /* packet pointers are invalid after it */
#define PROTO_ACQUIRES 8       /* what it returns must be released */
#define PROTO_NO_RETURN 16     /* tail_call: on success */
struct verify_proto {
	uint32_t id;
	const char *name;
	struct verify_arg args[5];
	uint8_t returns, return_flags; /* enum verify_return_base, VERIFY_RETURN_* */
	uint16_t return_size;
	const char *return_type;
	uint32_t flags;                 /* PROTO_* */
	int64_t return_min, return_max; /* of a number, if min < max */
	const uint8_t *maps;            /* types of maps that it takes, 0 at the end; NULL: any */
};
/* NULL: no such helper. ret_allowed: for programs of this kind. Static. */
const struct verify_proto *verify_proto_find(const struct verify_kind *kind, uint32_t id, bool *ret_allowed);

/* ---- typed kernel objects: types.c; `types` is opened once per verification ---- */
struct verify_types;
struct verify_type_field {
	enum { TYPE_FIELD_NUMBER, TYPE_FIELD_OBJECT, TYPE_FIELD_OTHER_POINTER, TYPE_FIELD_BUFFER } what;
	uint32_t type; /* of the object that a pointer leads to */
	bool trusted, rcu, maybe_null;
	bool untrusted;     /* one of a union's members: it may be anything */
	bool percpu;        /* an address of a variable that each CPU has */
	bool read_only;     /* BUFFER: bytes, whose count nobody knows beforehand */
	const char *member; /* of a field: its name */
};
/* What lies at offset in an object: false: outside of it. types may be NULL: nothing is known, false. */
bool verify_types_field(const struct verify_types *types, uint32_t type, int64_t offset, unsigned bytes,
                        struct verify_type_field *ret_field);
bool verify_types_by_name(const struct verify_types *types, const char *name, uint32_t *ret_type);
/* The index-th argument of what a program is attached to: hook: "sched_switch". */
bool verify_types_argument(const struct verify_types *types, const struct verify_kind *kind, const char *hook,
                           unsigned index, struct verify_type_field *ret_field);
const char *verify_types_name(const struct verify_types *types, uint32_t type); /* "task_struct"; "" */

/* ---- what is declared only, and the kernel is to have: image.c ---- */
enum verify_symbol {
	SYMBOL_UNKNOWN = 1, /* it may be there or not, and be anything */
	SYMBOL_NUMBER,      /* declared without a type: its address is a number, or 0 if it is not there */
	SYMBOL_ADDRESS,     /* the same, and it is there */
	SYMBOL_FUNCTION,    /* it is there */
	SYMBOL_VARIABLE,    /* it is there, or not weak */
	SYMBOL_MISSING,     /* its address is 0 */
};
struct verify;
enum verify_symbol verify_symbol_find(struct verify *v, uint32_t index); /* as picket_image_kernel_name() has it */

/* ---- values ---- */
enum value_kind {
	VALUE_NONE, /* not initialised, or not known what */
	VALUE_NUMBER,
	VALUE_STACK,
	VALUE_CONTEXT,
	VALUE_MAP, /* the map itself */
	VALUE_MAP_VALUE,
	VALUE_MAP_KEY,
	VALUE_PACKET,
	VALUE_PACKET_META,
	VALUE_PACKET_END,
	VALUE_BUFFER,     /* r1 of KIND_MEMORY_LENGTH */
	VALUE_BUFFER_END, /* r1 + r2 of it */
	VALUE_MEMORY,     /* `object` bytes */
	VALUE_RECORD,     /* of a ring buffer, `object` bytes */
	VALUE_OBJECT,     /* of BTF type `object` */
	VALUE_SOCKET,
	VALUE_SOCK_COMMON,
	VALUE_TCP_SOCK,
	VALUE_FLOW_KEYS,
	VALUE_FUNCTION, /* index `object` in vm_ops.functions */
	VALUE_DYNPTR,   /* a pointer to one that the kernel hands over, initialised */
};
#define VALUE_MAYBE_NULL 1
#define VALUE_TRUSTED 2
#define VALUE_RCU 4 /* an object that is there until RCU's read side ends */
#define VALUE_READ_ONLY 8
#define VALUE_UNTRUSTED 16 /* an object that may be none: to be read, with faults caught, and nothing else */
#define VALUE_PERCPU 32    /* an object that each CPU has: to be had by per_cpu_ptr */
#define VALUE_LOCKABLE 128 /* a map's value with a lock in it: `id` tells it from others of the same map */
#define VALUE_SLICE 64     /* of a packet: gone when the packet changes */

/* Of a number that was a pointer: why it is none any more; to explain it. */
#define VALUE_WAS_RELEASED 1
#define VALUE_WAS_PACKET 2

/* Where a value came from, and whether something depended on its bounds: see prune.c. Node 0: nowhere, always precise. */
struct node {
	uint32_t a, b; /* made of these; 0: none */
	uint32_t op;
	uint32_t needed; /* 0: not. Of a number: its bounds decided something. of a stack slot: it was read. */
};

struct value {
	struct scalar number; /* or the variable part of a pointer's offset */
	uint8_t kind, flags;
	uint8_t frame;  /* VALUE_STACK */
	bool add_half;  /* `add` holds of the lower 32 bits; the upper ones are 0 */
	int32_t offset; /* of a pointer, the constant part */
	uint32_t
	        id; /* numbers: of the value that copies share. Pointers: of the variable part, or of what may be NULL */
	uint32_t node;
	uint32_t ref;    /* must be released: VALUE_RECORD, sockets, objects; 0: no */
	uint32_t range;  /* packet, buffer: bytes after base + number that are proven to exist */
	uint32_t object; /* map's index, memory's size, type, function; of a number: VALUE_WAS_* */
	uint32_t origin; /* numbers: the value at a loop's head (loop.c) that this one is `delta` more than; 0: none */
	int64_t delta;
	int32_t add;      /* numbers: the value that `id` names, and so much more */
	uint32_t shifted; /* numbers: this is the value of that id (and shifted_add), << 32; 0: no */
	int32_t shifted_add;
	/* Numbers: number + room <= the buffer's length. Packet, buffer: base + number + room lies behind its end.
	 * ROOM_NONE: not known. */
	int32_t room;
};
#define ROOM_NONE INT32_MIN
#define ID_LENGTH 1 /* of the number that is the buffer's length */

enum byte_kind {
	BYTE_NONE,
	BYTE_VALUE, /* part of the slot's value, whole */
	BYTE_NUMBER,
	BYTE_ZERO,
	BYTE_DYNPTR,
	BYTE_ITERATOR,
};

struct slot {
	struct value value; /* if bytes[] are BYTE_VALUE: a register's value; dynptr: its referenced object in ref */
	uint8_t bytes[8];   /* enum byte_kind, lowest address first */
	uint32_t node;
};

#define STACK_SLOTS (PICKET_STACK_BYTES / 8)

/* Slot i are the bytes r10 - 8 * (i + 1) to r10 - 8 * i - 1. Shared by states, copied before it is written. */
struct stack {
	uint32_t refs, count;
	struct slot slots[];
};

enum callback_kind {
	CALLBACK_NONE,
	CALLBACK_PLAIN,
	CALLBACK_TIMER, /* later, and on its own: the first frame */
	CALLBACK_WORK,  /* the same, and it may sleep */
};

struct frame {
	uint32_t refs;
	uint32_t function;  /* index */
	uint32_t return_op; /* in the caller */
	uint8_t callback;   /* enum callback_kind: called by a helper */
	struct value registers[11];
	struct stack *stack;
};

#define REFERENCES_MAX 16
struct state {
	struct frame *frames[PICKET_FRAMES_MAX];
	uint32_t frame_count;
	uint32_t op;
	uint32_t reference_count;
	struct {
		uint32_t id, op;
	} references[REFERENCES_MAX];
	uint32_t lock;         /* id of the map value whose lock is held; 0: none */
	uint32_t lock_object;  /* its map */
	uint32_t rcu, preempt; /* sections of the kernel that were begun and not ended */
	uint64_t length_min;   /* the buffer has at least so many bytes */
	struct checkpoint *parent;
	uint64_t length;    /* instructions from the program's first to here, at most */
	uint32_t trail;     /* the last entry of the path's branches */
	struct state *next; /* of those that wait */
};

/* A loop, or a callback and the helper that calls it any number of times, while it is proven: see loop.c */
struct loop {
	struct loop *outer;
	struct state head;   /* covers every state that comes to the head */
	struct state next;   /* grown by what came back and was not covered; frame_count 0: nothing */
	uint32_t first_id;   /* what is newer was made by it */
	struct state *exits; /* states that left it, to be walked when it is proven */
	uint32_t first;      /* op: the head; of a callback: the call */
	bool callback;
	uint64_t body; /* most instructions of one turn */
	uint32_t attempt;
	bool returned;          /* a path came back, covered */
	bool hopeless;          /* what came back cannot be joined */
	uint32_t counter_count; /* values that may count the turns */
	struct loop_counter {
		uint8_t reg; /* 10: of a slot */
		uint16_t slot;
		bool failed;
		bool down, moved; /* moved: a path came back */
		uint64_t step;    /* the least */
		uint64_t extreme; /* the greatest that came back, or the least of one that counts down */
	} counters[16];
};

/* A state that was at an instruction, kept to see whether a later one is covered by it. */
struct checkpoint {
	struct state state;
	uint32_t branches;       /* paths from here that are not yet at their end */
	uint32_t hits, misses;   /* states that it covered, or not */
	bool listed;             /* in v->seen; else it only waits for its paths */
	uint64_t bound;          /* most instructions from here on, of the paths that are at their end */
	uint64_t sequence;       /* in the order of their making */
	struct checkpoint *next; /* at the same op */
	struct checkpoint *older, *newer;
};

struct trail {
	uint32_t before, op;
	uint32_t a, b;  /* nodes that were compared */
	uint32_t order; /* nodes that there were */
	bool taken;
};

/* ---- functions that are verified once, on their own: global.c ---- */
struct verify_parameter {
	enum { PARAMETER_NUMBER, PARAMETER_CONTEXT, PARAMETER_MEMORY } what;
	uint32_t bytes;
	bool maybe_null;
};

struct verify_global {
	enum { GLOBAL_NONE, GLOBAL_UNKNOWN, GLOBAL_BEGUN, GLOBAL_PROVEN } status; /* NONE: it is not such a one */
	bool by_signature;                                                        /* else it takes nothing */
	bool returns_void;
	uint8_t parameter_count;
	struct verify_parameter parameters[5];
	/* when it is proven */
	bool changes_packet, sleeps;
	bool returned;        /* result is one */
	struct scalar result; /* of one that takes nothing */
	uint32_t frames;      /* that are active at once, its own included */
	uint64_t bound;       /* instructions */
};

/* ---- what is known before the walk: flow.c ---- */
#define PLACE_BLOCK 1 /* a block begins here */
#define PLACE_HEAD 2  /* a loop, too */
#define NO_LOOP UINT32_MAX
struct loop_place {
	uint32_t head;       /* of the innermost loop around the block, not the one that it is the head of; NO_LOOP */
	uint32_t first, end; /* of a head: where its loop's ops lie, among others */
};

struct verify {
	struct vm_ops code;
	const struct picket_insn *insns;
	size_t insn_count;
	const struct picket_map_spec *maps;
	size_t map_count;
	const struct verify_kind *kind;
	struct verify_types *types;
	struct picket_verify_options options;
	struct picket_verdict *verdict;
	const struct verify_program *program;
	struct example_path *path; /* of the rejection: explain.c; NULL: not recorded */

	struct state *state; /* the one that is walked */
	struct state *waiting;
	struct checkpoint **seen; /* by op */
	struct checkpoint *newest;
	uint64_t sequence;        /* of the last checkpoint */
	uint8_t *places;          /* by op: PLACE_* */
	uint16_t *live;           /* by op: registers that are read there or later, before they are written */
	struct loop_place *loops; /* by op, of blocks' first ones */
	uint8_t *reached;         /* by op */
	uint32_t *arrivals;       /* by op: states that came to a join */
	struct node *nodes;
	size_t node_count, node_room;
	struct trail *trails;
	size_t trail_count, trail_room;
	uint32_t last_id;
	uint64_t memory, states, insns_seen, started_ns;
	uint64_t bound;
	uint32_t *depths;              /* by function: bytes of stack */
	struct verify_global *globals; /* by function */
	uint8_t *symbols;              /* by index: enum verify_symbol; 0: not asked for yet */
	uint32_t globals_begun;        /* that are being verified, one because of the other */
	uint32_t frames;               /* that were active at once */
	bool changes_packet;           /* something was called that may move the packet */
	struct loop *loop;             /* that is being proven */
	uint8_t *loop_failures;        /* by op */
	bool starting;                 /* the current state begins a turn: it is at its head, but has not come back */
	bool no_induction;             /* loops are unrolled */
	bool induced;                  /* a loop was proven by induction: what it widened may be missed later */
	bool out_of_memory, out_of_states;
	struct verify_proto *own;          /* the embedder's helpers, by their index in the options */
	struct verify_specials **specials; /* by map, when they were asked for: value_type.c */
	struct verify_async *async;        /* callbacks that run later: callback.c */
	size_t async_count, async_now;
	bool locks, locks_known; /* spin_lock is called somewhere */
	bool sleeps;             /* something was called that may sleep */
};

/* ---- verify.c ---- */
/* A program as it is given: what is not known of bytecode alone is NULL or "". */
struct verify_program {
	const struct picket_insn *insns;
	const bool *
	        symbols; /* by insn: it loads a kernel variable's address, or 0 if the kernel lacks it; NULL: none does */
	size_t count;
	const struct picket_map_spec *maps;
	size_t map_count;
	const char *hook; /* what it is attached to: "sched_switch" */
	const char *license;
	const struct picket_image *image; /* whose names the kernel's functions have */
	size_t index;                     /* of the program in it */
	bool sleeps;                      /* it may: by its section */
};
int verify_run(const struct verify_program *program, const struct picket_verify_options *options,
               struct picket_verdict **ret_verdict) must_check;
int verify_walk(struct verify *v) must_check; /* the current state and all that wait, to their ends */
/* Walks a function to all its ends, apart from what is walked now. begin fills its first frame. */
int verify_function(struct verify *v, uint32_t function,
                    int (*begin)(struct verify *v, uint32_t function, struct frame *f), uint64_t *ret_bound) must_check;
uint32_t verify_id(struct verify *v);
static inline bool verify_leaks(const struct verify *v)
{
	return v->kind->flags & KIND_PRIVILEGED;
}
/* Memory within the limit; NULL: past it. */
void *verify_alloc(struct verify *v, size_t size) must_check;
/* As realloc(): on failure p stays as it is. */
void *verify_resize(struct verify *v, void *p, size_t before, size_t size) must_check;
void verify_free(struct verify *v, void *p, size_t size);

/* ---- explain.c ---- */
/* Records why; the first reason stays. culprit: what was wrong, for the steps; may be NULL. Returns -EINVAL. */
int verify_reject(struct verify *v, enum picket_category category, const struct value *culprit, const char *hint,
                  const char *format, ...) printf_like(5, 6);
int verify_limit(struct verify *v, const char *what);
/* At the end, rejected or not: the place in the source, an example; and forgets what was recorded for it. */
void verify_explain(struct verify *v, bool rejected);
/* They repeat what the object has: what is not UTF-8 in it, and what a terminal might obey, becomes '?'. */
void verify_clean_texts(struct picket_verdict *verdict);
const char *value_kind_name(enum value_kind kind); /* "a packet pointer" */
const char *verify_register_name(unsigned r);
void verify_trace(struct verify *v);

/* ---- state.c ---- */
struct frame *state_frame(struct verify *v, struct state *s, uint32_t index); /* to write; NULL: no memory */
struct slot *frame_slot(struct verify *v, struct frame *f, uint32_t slot);    /* to write; NULL: no memory */
/* Gives up the current path; it ends as far from the program's first instruction as given. */
void verify_path_end(struct verify *v, uint64_t length);
struct state *state_copy(struct verify *v, const struct state *s);
int state_copy_into(struct verify *v, struct state *to, const struct state *from);
void state_done(struct verify *v, struct state *s); /* its frames */
void state_free(struct verify *v, struct state *s);
struct frame *frame_new(struct verify *v);
struct value value_number(struct verify *v, struct scalar number);
struct value value_unknown(struct verify *v);
uint32_t node_new(struct verify *v, uint32_t a, uint32_t b);
void node_need(struct verify *v, uint32_t node);
static inline struct frame *state_top(const struct state *s)
{
	return s->frames[s->frame_count - 1];
}
/* What ties a number to others. */
static inline void value_forget_relations(struct value *value)
{
	value->id = value->origin = value->shifted = 0;
	value->add = 0;
	value->add_half = false;
	value->room = ROOM_NONE;
}
static inline bool value_is_pointer(const struct value *value)
{
	return value->kind > VALUE_NUMBER;
}
/* All registers and slots of a state, in all frames, to be changed. Stops at the first that is not 0. */
int state_each_value(struct verify *v, struct state *s, int (*visit)(struct verify *v, struct value *value, void *user),
                     void *user);
int state_release(struct verify *v, struct state *s, uint32_t ref);
int state_acquire(struct verify *v, struct state *s, uint32_t *ret_id) must_check;
int state_drop_dead(struct verify *v) must_check;      /* registers of the current one */
int verify_forget_packet(struct verify *v) must_check; /* it may have moved: pointers to it are numbers */

/* ---- the machine: each reads v->state; 0, or -EINVAL after a rejection, or -ENOMEM ---- */
int verify_alu(struct verify *v, const struct vm_op *op) must_check;
int verify_memory(struct verify *v, const struct vm_op *op) must_check; /* loads, stores, atomics */
/* Both ways of a conditional jump: the current state goes on one, the other waits. */
int verify_branch(struct verify *v, const struct vm_op *op) must_check;
int verify_call(struct verify *v, const struct vm_op *op) must_check;
int verify_exit(struct verify *v, bool *ret_end) must_check;
int verify_wide(struct verify *v, const struct vm_op *op) must_check;
int verify_packet_load(struct verify *v, const struct vm_op *op) must_check;
/* Registers as they are read: initialised. */
int verify_read(struct verify *v, unsigned reg, struct value **ret_value) must_check;

/* How memory is used. */
#define ACCESS_READ 1
#define ACCESS_WRITE 2
#define ACCESS_RAW 4 /* written without being read: need not be initialised */
/* Proves that [pointer + offset, + size) may be used so; of helpers' arguments too. what: "r1" for texts. */
int verify_access(struct verify *v, const struct value *pointer, const char *what, int64_t offset, uint64_t size,
                  unsigned access) must_check;
#define VERIFY_MAP_INNER 0x80000000 /* in value.object: what a map of maps holds */
const struct picket_map_spec *verify_map(const struct verify *v, uint32_t object);
/* After `changed` became narrower: all that share its value. */
int verify_share(struct verify *v, struct state *s, const struct value *changed) must_check;
int stack_check(struct verify *v, const struct value *pointer, const char *what, int64_t offset, uint64_t size,
                int64_t *ret_low, int64_t *ret_high) must_check;
int stack_load(struct verify *v, const struct value *pointer, int64_t offset, unsigned size, bool is_signed,
               struct value *ret_value) must_check;
int stack_store(struct verify *v, const struct value *pointer, int64_t offset, unsigned size, const struct value *value)
        must_check;
/* A helper's memory argument on the stack: bytes become numbers (write), or must be initialised (read). */
int stack_use(struct verify *v, const struct value *pointer, int64_t offset, uint64_t size, unsigned access) must_check;

/* What a helper's arguments told. */
struct call_facts {
	uint32_t map; /* VALUE_MAP's object */
	bool has_map;
	uint64_t size;     /* ALLOC_SIZE */
	uint64_t constant; /* CONSTANT */
	uint64_t length;   /* SIZE, at most */
	uint32_t function; /* index */
	bool has_function;
	uint32_t released;       /* reference; 0: none */
	uint32_t cast;           /* reference of the socket that the result is another view of; 0: none */
	uint32_t object;         /* type of the per-CPU variable, or of what the place for a pointer is for */
	const char *kptr;        /* the same as a name; NULL: none */
	uint32_t type;           /* TYPE */
	uint32_t variable_bytes; /* of the per-CPU variable; 0: not known */
	uint32_t owner;          /* the map whose value holds the timer or the work */
	bool has_owner;
	bool has_dynptr; /* the first that is used, not made */
	uint8_t dynptr_kind;
	uint32_t dynptr, dynptr_ref; /* its id and reference */
	uint32_t iterator;           /* slot of its lowest byte, in the frame */
	uint8_t iterator_frame;
};
/* ---- own.c: the embedder's helpers ---- */
int verify_own_open(struct verify *v) must_check;
const struct verify_proto *verify_own_find(const struct verify *v, uint32_t id); /* NULL: there is no such */

/* ---- object.c, special.c ---- */
bool verify_program_sleeps(const struct verify *v); /* may it, apart from sections that it entered? */
bool verify_in_rcu(const struct verify *v);
/* Something that may sleep is called: may it, here? */
int verify_may_sleep(struct verify *v, const char *what) must_check;
int verify_object_access(struct verify *v, const struct value *p, const char *what, int64_t offset, uint64_t size,
                         unsigned access) must_check;
int verify_object_load(struct verify *v, const struct value *p, int64_t offset, unsigned size, bool is_signed,
                       struct value *ret_value) must_check;
/* Locks and the like in a map's value are not for loads, stores and helpers' memory; pointers may be loaded and stored. */
int verify_special_guard(struct verify *v, const struct value *p, const char *what, int64_t offset, uint64_t size)
        must_check;
int verify_special_load(struct verify *v, const struct value *p, int64_t offset, unsigned size, struct value *ret_value,
                        bool *ret_done) must_check;
int verify_special_store(struct verify *v, const struct value *p, int64_t offset, unsigned size,
                         const struct value *value, bool *ret_done) must_check;
int verify_arguments(struct verify *v, const struct verify_proto *p, struct call_facts *ret_facts) must_check;

/* ---- flow.c ---- */
int verify_flow_find(struct verify *v) must_check; /* -ENOMEM */
void verify_flow_done(struct verify *v);
bool verify_in_loop(const struct verify *v, uint32_t op, uint32_t head); /* op: of a block's beginning */
uint16_t verify_live(const struct verify *v, const struct state *s, uint32_t frame);

/* ---- global.c ---- */
void global_find(struct verify *v);        /* those whose signature says enough; before verify_flow_find() */
void global_find_closed(struct verify *v); /* those that take nothing; after it */
/* Instead of walking into it. -EOPNOTSUPP: this time, it must be walked into. */
int global_call(struct verify *v, uint32_t function) must_check;
int global_exit(struct verify *v) must_check; /* from one that is walked on its own */

/* ---- prune.c ---- */
/* Is the current state covered by one that was seen here? Else keeps it. ret_covered: true: this path ends. */
int verify_prune(struct verify *v, bool *ret_covered) must_check;
void checkpoint_path_end(struct verify *v, struct checkpoint *c, uint64_t bound);
/* exact: bounds of all numbers count, not only of those that something depended on. */
bool state_covers(struct verify *v, const struct state *old, const struct state *now, bool exact);
/* What was needed of `old`, which covers `now`, is needed of `now`. */
void state_need_as(struct verify *v, const struct state *old, const struct state *now, bool exact);
void checkpoints_drop(struct verify *v, uint64_t sequence);   /* all that are newer */
void checkpoints_unlist(struct verify *v, uint64_t sequence); /* they cover nothing any more */

/* ---- loop.c ---- */
/* The current state is at a loop's head. ret_proven: the loop is proven, what leaves it waits, this path ends; else it is
 * to be unrolled. */
int loop_prove(struct verify *v, bool *ret_proven) must_check;
bool loop_may_try(const struct verify *v, uint32_t op);
/* The current state is at a helper that calls `function` at most `turns` times; enter makes the callback's frame. */
int loop_prove_callback(struct verify *v, uint32_t function, uint64_t turns,
                        int (*enter)(struct verify *v, const struct frame *caller, struct frame *callback)) must_check;
/* Has the current state left the loop that is being proven, or come back to its head? Then it is taken: true. */
bool loop_takes(struct verify *v, int *ret_error);

#endif
