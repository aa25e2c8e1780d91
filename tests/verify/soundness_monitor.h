/* SPDX-License-Identifier: Apache-2.0
 *
 * The monitor knows of every register and every slot of the stack whether it was written, and which object a pointer was
 * made from. An access must stay in that very object, as long as it lives: what else lies beside it does not matter.
 */
#ifndef PICKET_TESTS_VERIFY_SOUNDNESS_MONITOR_H
#define PICKET_TESTS_VERIFY_SOUNDNESS_MONITOR_H

#include "tests/verify/soundness.h"

enum tag_kind {
	TAG_NONE, /* never written */
	TAG_NUMBER,
	TAG_SECRET, /* a number made of a pointer */
	TAG_POINTER,
	TAG_MAP,
	TAG_FUNCTION,
};
struct tag {
	uint8_t kind;
	uint16_t object;     /* or the function's index */
	uint32_t generation; /* of that object: places of dead ones are used again */
};

enum object_kind {
	OBJECT_CONTEXT,
	OBJECT_BUFFER,
	OBJECT_PACKET,
	OBJECT_META,
	OBJECT_FRAME,
	OBJECT_VALUE,
	OBJECT_KEY,
	OBJECT_RECORD,
	OBJECT_SOCKET,
	OBJECT_MEMORY,
	OBJECT_KERNEL, /* of a BTF type */
};
/* How much an object of the kernel may be relied on. */
enum standing {
	STANDING_TRUSTED,   /* as long as the run lasts, or its reference is held */
	STANDING_RCU,       /* as long as the section of RCU lasts */
	STANDING_WALKED,    /* found by following pointers: it was there, or is NULL */
	STANDING_UNTRUSTED, /* it may be anything: the kernel catches the faults of loads */
};
struct object {
	uint64_t low, size;
	uint8_t kind; /* enum object_kind */
	bool alive, readable, writable;
	uint32_t generation;
	uint16_t reference; /* gone when this is released; 0: none */
	/* OBJECT_KERNEL */
	uint8_t standing;
	bool follows; /* what its reference holds leads to it: it is there, but nobody vouches for it, when that is released */
	uint32_t type;
};

/* What 8 to 24 bytes of the stack stand for. */
struct special {
	bool alive, iterator; /* else a dynptr */
	bool rcu;             /* an iterator that needs RCU's read side: what it gives lasts as long */
	uint32_t family;      /* of iterators: whose functions take it */
	struct tag frame;
	uint64_t address;
	uint32_t size;
	uint16_t reference; /* 0: nothing is held */
	uint32_t turns;     /* an iterator's, at most, that are left */
};
#define SPECIALS_MAX 16
#define REFERENCES_EVER 256 /* of one run */

enum stack_byte { STACK_UNWRITTEN, STACK_NUMBER, STACK_TAGGED /* of the slot's tag */ };
#define MONITOR_SLOTS (PICKET_STACK_BYTES / 8)
struct monitor_frame {
	struct tag registers[11];
	uint16_t object;
	uint32_t depth; /* bytes below r10 that were used */
	bool callback;
	uint8_t bytes[PICKET_STACK_BYTES]; /* lowest address first */
	struct tag slots[MONITOR_SLOTS];
	/* the call that it waits for */
	const struct vm_op *call;
	const struct helper_model *helper; /* NULL: of a function */
	uint64_t arguments[5];
	struct tag argument_tags[5];
};

#define OBJECTS_MAX 512
struct monitor {
	struct runnable *runnable;
	struct soundness_world *world;
	struct monitor_frame frames[PICKET_FRAMES_MAX];
	unsigned depth; /* of the active one */
	struct object objects[OBJECTS_MAX];
	unsigned object_count;
	uint16_t packet, meta;
	const struct vm_op *before;
	size_t before_insn;
	uint64_t lock;
	uint32_t rcu, preempt; /* sections that were entered and not left */
	struct {
		bool held;
		const char *what;
	} references[REFERENCES_EVER]; /* [0]: none */
	uint16_t reference_count;
	struct special specials[SPECIALS_MAX];
	bool in_other; /* a tail call was taken */
	uint64_t executed;
	bool started, lost; /* lost: more objects than it can remember */
	bool violated;
	size_t violation_insn;
	char text[160];
};

void monitor_begin(struct runnable *r, struct soundness_world *w);
void monitor_trace(const struct picket_program *p, size_t insn, const uint64_t registers[11], void *user);
void monitor_end(const struct picket_call *call, struct finding *ret_finding);

/* ---- soundness_memory.c ---- */
void monitor_violation(struct monitor *m, const char *format, ...) printf_like(2, 3);
struct tag monitor_object(struct monitor *m, enum object_kind kind, uint64_t low, uint64_t size, bool writable);
struct object *monitor_object_of(struct monitor *m, struct tag tag); /* NULL: none, or dead */
void monitor_new_packet(struct monitor *m);
#define MONITOR_READ 1
#define MONITOR_WRITE 2
#define MONITOR_RAW 4 /* a read that does not need initialised bytes */
/* What an access finds: the tag that is loaded. */
struct tag monitor_access(struct monitor *m, struct tag pointer, uint64_t address, uint64_t size, unsigned access);
/* What is stored. */
void monitor_store(struct monitor *m, struct tag pointer, uint64_t address, uint64_t size, struct tag stored);

/* ---- soundness_argument.c ---- */
void monitor_arguments(struct monitor *m, const struct helper_model *h, const uint64_t registers[11]);
struct tag monitor_result(struct monitor *m, const struct monitor_frame *f, uint64_t r0);

/* ---- soundness_lifetime.c ---- */
uint16_t monitor_acquire(struct monitor *m, const char *what);
void monitor_release(struct monitor *m, uint16_t reference);
/* At the end of the program, or where another one takes its place. */
void monitor_nothing_held(struct monitor *m, const char *when);
void monitor_section(struct monitor *m, const struct verify_proto *p);
/* RCU's read side: there always, or in a section, if the program may sleep. */
bool monitor_in_rcu(const struct monitor *m);
struct tag monitor_kernel_object(struct monitor *m, uint32_t type, uint64_t low, enum standing standing);
/* In an array without a length at its end? How long that is nobody knows: the run ends. */
bool monitor_behind_kernel_object(struct monitor *m, const struct object *o, uint64_t address, uint64_t size);
/* What a load of such an object finds, which is put there now if it is a pointer. */
struct tag monitor_kernel_read(struct monitor *m, const struct object *o, uint64_t at, uint64_t size);
/* The same of a context: an argument of the hook, a field. */
struct tag monitor_hook_read(struct monitor *m, uint64_t at, uint64_t size);
struct tag monitor_context_object(struct monitor *m, uint64_t at, const char *type);
void monitor_take_object(struct monitor *m, const struct verify_proto *p, unsigned arg, uint64_t value);
void monitor_take_iterator(struct monitor *m, const struct verify_proto *p, unsigned arg, const uint64_t registers[11]);
void monitor_take_dynptr(struct monitor *m, const struct verify_proto *p, unsigned arg, const uint64_t registers[11]);
/* What the call has of such an argument; NULL: it takes none. */
const struct special *monitor_special_given(struct monitor *m, const struct verify_proto *p,
                                            const uint64_t arguments[5]);
/* Bytes of the stack are written to. */
void monitor_overwrite_specials(struct monitor *m, struct tag frame, uint64_t address, uint64_t size);

static inline struct monitor_frame *monitor_top(struct monitor *m)
{
	return &m->frames[m->depth];
}
static inline void monitor_count(enum happening happening)
{
	happenings[happening]++;
}

#endif
