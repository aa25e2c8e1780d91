/* SPDX-License-Identifier: Apache-2.0
 *
 * The interpreter's own form of a program, and the state of a run. interp.c makes the one from decoded ops, interp_loop.h
 * runs it, interp_op.h says what each instruction does.
 */
#ifndef PICKET_VM_INTERP_INT_H
#define PICKET_VM_INTERP_INT_H

#include "vm/vm_int.h"

/* Sanitizers make several branches of every access. In one function of 500 labels these would take minutes to compile: there
 * what instructions do stays in functions of its own, and the loop has only what is cheap. */
#ifndef __has_feature
#define __has_feature(feature) 0
#endif
#if defined(__SANITIZE_ADDRESS__) || __has_feature(address_sanitizer) || __has_feature(undefined_behavior_sanitizer)
#define always_inline static __attribute__((noinline, unused))
#define LOOP_ATTRIBUTES __attribute__((no_sanitize("undefined")))
#else
#define always_inline static inline __attribute__((always_inline))
#define LOOP_ATTRIBUTES
#endif
#define likely(condition) __builtin_expect(!!(condition), 1)

#define REGISTERS 11
#define FRAME_POINTER 10

/* One op. A cell whose handler does several ops at once is followed by the cells of those ops, which are still there for
 * who jumps to them. */
struct vm_cell {
	const void *handler; /* a label in the loop that the program is made for */
	uint8_t dst, src, index;
	int32_t offset; /* jumps: bytes from this cell to the target's */
	union {
		int64_t imm;
		struct {
			int32_t imm32;  /* jumps: what to compare with */
			uint32_t slots; /* jumps: what the budget pays if it is taken */
		};
	};
};

struct vm_interp_function {
	const struct vm_cell *first;
	uint32_t slots;
	bool zeroes; /* its frame, on entry */
};

struct vm_interp {
	bool plain;
	size_t cell_count, function_count;
	struct vm_cell *cells;
	uint32_t *insns; /* of each cell, the index in the bytecode */
	struct vm_interp_function *functions;
};

/* What a function's caller needs when it returns. */
struct vm_frame {
	const struct vm_cell *next;
	const struct picket_program *program;
	uint64_t saved[4]; /* r6 to r9 */
};

/* A run, or a callback in it. Each register that is used as an address remembers the memory that it last was found in:
 * addresses a with a - low < limit are known to be good for any access, up to 8 bytes. */
struct vm_machine {
	uint64_t r[REGISTERS];
	uint64_t read_limit[REGISTERS], write_limit[REGISTERS];
	uint64_t low[REGISTERS]; /* from here on not cleared at the beginning */
	uint16_t in_stack,
	        in_others; /* registers whose memory is stack; map values or records, which helpers take away */
	uint8_t next_kept; /* in run->read, run->write */
	int64_t budget;    /* run->budget, while no helper is called */
	struct picket_run *run;
	const struct vm_interp *interp;            /* of run->program */
	uint64_t base;                             /* r10 of the function that it began with */
	struct vm_frame frames[PICKET_FRAMES_MAX]; /* by the caller's place in the stack */
};

/* Is [a, a + size) the program's? Notes where it is; if not, records the fault. */
bool vm_machine_find(struct vm_machine *m, unsigned base, uint64_t a, uint32_t size, bool write);
/* Is a good for an atomic access? If not, records the fault. */
bool vm_machine_aligned(struct vm_machine *m, uint64_t a, uint32_t size, bool write);

always_inline bool machine_may_read(struct vm_machine *m, unsigned base, uint64_t a, uint32_t size)
{
	return likely(a - m->low[base] < m->read_limit[base]) || vm_machine_find(m, base, a, size, false);
}

always_inline bool machine_may_write(struct vm_machine *m, unsigned base, uint64_t a, uint32_t size)
{
	return likely(a - m->low[base] < m->write_limit[base]) || vm_machine_find(m, base, a, size, true);
}

#endif
