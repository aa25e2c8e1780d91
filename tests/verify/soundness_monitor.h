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
	uint16_t object;
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
};
struct object {
	uint64_t low, size;
	uint8_t kind; /* enum object_kind */
	bool alive, readable, writable;
	bool acquired; /* and must be released */
	uint32_t generation;
};

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
	unsigned dynptrs; /* acquired */
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
void monitor_arguments(struct monitor *m, const struct helper_model *h, const uint64_t registers[11]);
struct tag monitor_result(struct monitor *m, const struct monitor_frame *f, uint64_t r0);
static inline struct monitor_frame *monitor_top(struct monitor *m)
{
	return &m->frames[m->depth];
}

#endif
