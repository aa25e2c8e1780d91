/* SPDX-License-Identifier: Apache-2.0
 *
 * What the parts of the sandbox share: bytecode is decoded (decode.c), looked through (flow.c), merged where that pays
 * (fuse.c), and handed to an engine (interp.c, jit_x86.c, jit_arm64.c), which works on a struct picket_run.
 */
#ifndef PICKET_VM_INT_H
#define PICKET_VM_INT_H

#include "base/base.h"
#include "picket/vm.h"
#include "vm/helper.h"
#include "vm/isa.h"

/* ---- functions as values: what LDDW_FUNCTION loads. Whatever a program makes of it, it is checked at the call ---- */
#define VM_FUNCTION_TAG 0x7069636b00000000ull
#define VM_FUNCTION_MASK 0xffffffff00000000ull
static inline uint64_t vm_function_value(uint32_t function)
{
	return VM_FUNCTION_TAG | function;
}

/* ---- programs ---- */
struct vm_helper; /* helper.c */
struct vm_interp; /* interp.c */
struct vm_debug;  /* object.c: lines and function names */

struct picket_program {
	char name[64];
	enum picket_engine engine;
	bool blind, plain;
	uint64_t budget;
	struct picket_insn *insns; /* as given */
	size_t insn_count;
	struct picket_map **maps; /* references held */
	size_t map_count;
	struct picket_helper *helpers; /* the embedder's, sorted by id; their texts are copies */
	size_t helper_count;
	uint32_t function_count;
	uint32_t *function_insns; /* first instruction of each */
	struct vm_debug *debug;   /* or NULL; owned */
	bool epoch;               /* its maps hold maps or programs, which may be replaced while it runs */
	/* engines */
	struct vm_interp *interp;
	void *code; /* W^X: never writable while executable */
	size_t code_size, code_mapped;
	uint64_t (*entry)(uint64_t r1, uint64_t r2, struct picket_run *run);
	void *const *
	        function_code; /* entry of each function, with BPF's registers in its arguments; see picket_run_callback */
};

/* ---- one run: on the caller's stack ---- */
#define VM_WINDOWS 4
#define VM_RECORDS_MAX 16 /* ring buffer records reserved at once by one run */

/* Memory that was found to be the program's: [low, low + size). size 0: none yet. */
struct vm_window {
	uint64_t low, size;
};

/* The same as machine code tests it: 1 << n bytes at an address are in it if address - low < count[n]. */
struct vm_span {
	uint64_t low, count[4];
};

struct vm_record {
	struct picket_map *map;
	void *data; /* NULL: free */
	uint32_t size;
};

/* What 16 bytes of the program's stack stand for. The truth is here, so that nothing is won by writing to them. */
#define VM_DYNPTRS_MAX 16
struct vm_dynptr {
	uint64_t address; /* of the 16 bytes */
	uint64_t data;
	uint32_t size;
	bool ring; /* data is a record of a ring buffer, in `records` */
};

/* Memory of a helper that a callback may read while it runs: a key of for_each_map_elem. */
struct vm_lent {
	struct vm_window window;
	const struct vm_lent *outer; /* lent by a helper further out, or NULL */
};

struct picket_run {
	const struct picket_program *program; /* changes at tail calls */
	struct picket_call *call;             /* NULL in picket_program_call() */
	bool checked;                         /* not PICKET_VERIFIED */
	int64_t budget;                       /* instructions left; below 0: fault */
	uint64_t data, length;                /* the context */
	uint64_t stack_low,
	        stack_high; /* PICKET_FRAMES_MAX frames; the first frame's r10 is stack_low + PICKET_STACK_BYTES.
			     * Verified code: only stack_high, where the machine's stack was when the run began */
	uint64_t frame;     /* r10 of the function that called the helper */
	uint32_t tail_calls;
	struct vm_window read[VM_WINDOWS], write[VM_WINDOWS]; /* last hits, kept by the engines as they like */
	void *unwind;                        /* the just-in-time compiler's own: where to go after a fault */
	struct vm_span spans[2][VM_WINDOWS]; /* the x86-64 compiler's own: read, write */
	bool spans_lapse;                    /* one of them is not of the context or a region */
	struct picket_fault fault;           /* kind NONE: go on */
	uint32_t record_count;
	struct vm_record records[VM_RECORDS_MAX]; /* those in use come first */
	const struct vm_lent *lent;
	struct vm_window text; /* holds the PICKET_ARG_CONST_STR that vm_helper_call() has tested last */
	uint64_t lock;         /* address of the spin lock that the program holds, or 0 */
	uint32_t dynptr_count;
	struct vm_dynptr dynptrs[VM_DYNPTRS_MAX]; /* those in use come first */
};

/* memory.c: the truth about what a run may touch; slow. Looks in stack (not in verified code, whose stack is the machine's),
 * context, regions, reserved records, what is lent (to read), and the values of the program's maps and of their inner maps,
 * one element at a time. ret_window: the whole of what holds it.
 * false: not the program's (the fault is not set). */
bool vm_memory_find(const struct picket_run *run, uint64_t address, uint64_t size, bool write,
                    struct vm_window *ret_window);
/* Is it a map of the program, or in one of its maps of maps? Does not look through the pointer. */
bool vm_memory_is_map(const struct picket_run *run, uint64_t pointer);
/* Records a fault if there is none yet. */
void vm_fault(struct picket_run *run, enum picket_fault_kind kind, uint64_t address, uint32_t size);

/* ---- what interpreter and checked code do exactly alike (verified code: only results) ----
 *
 * Entry      r1 = data, r2 = length, r10 = stack_low + PICKET_STACK_BYTES, all others 0. After a tail call the same. A
 *            callback: r1 to r5 as given, all others 0. A called function: r0 to r9 as the caller has them.
 * Calls      After any call, helper or function, r1 to r5 are 0; after a function r6 to r9 are the caller's again.
 * Frames     The called function's r10 is the caller's + PICKET_STACK_BYTES, whether it uses it or not. At most
 *            PICKET_FRAMES_MAX: one more is PICKET_FAULT_FRAMES at the call. A function whose `used` has r10, or which
 *            `calls` or `accesses`, finds its frame zeroed on entry; for others nobody can see the difference.
 * Stack      What may be touched of it is [stack_low, r10 of the active function): nothing above. run->frame is that r10
 *            whenever vm_memory_find() or a helper is called.
 * Budget     A backward jump that is taken: budget -= the bytecode slots from its target to itself, both included (merged
 *            ops have the sum in op.slots, so merging changes nothing). CALL_LOCAL, callx into a function, callback, tail
 *            call that is taken: budget -= slots of the function that is entered (vm_function_slots()). When it is below 0
 *            then: PICKET_FAULT_BUDGET at that jump or call. So a run takes at most budget + the first function's length.
 *            At a call, kind CALL is tested first, then FRAMES, then BUDGET. vm_helper_call() takes from run->budget what
 *            grows with its arguments (a sixteenth of the bytes of large memory; waiting for a lock): run->budget is the
 *            truth before a helper is called, and after it.
 * callx      Value of a function (vm_function_value(), index in range): that. Id of a helper that the program has, but not
 *            VM_HELPER_TAIL_CALL: that. Anything else: PICKET_FAULT_CALL, address: the value.
 * Tail call  The other program's function 0 takes the place of the active function, in its frame: when it exits, the caller
 *            of that function goes on, and run->program is the caller's again. NULL from vm_tail_call_target() without a
 *            fault: r0 = -ENOENT as 64 bits, and on as after any helper.
 * Packet     Write r0 only. Offset: imm, as signed, or src's lower 32 bits as unsigned + imm. Below 0 or beyond `length`: as
 *            `r0 = 0; exit` of the active function. What is read is the context as it is in memory.
 * Atomics    Sequentially consistent; load-acquire and store-release as they say. The address must be writable
 *            (load-acquire: readable) and a multiple of the size, else PICKET_FAULT_WRITE (load-acquire:
 *            PICKET_FAULT_READ).
 * Faults     run->fault.insn, registers and program tell the state before the instruction: nothing of it has happened. Of a
 *            merged LOAD_INDEXED it is the load that faults, so dst is src + index then, as the merged add left it.
 *            An engine's entry sets fault.program to NULL; vm_fault() sets kind, address, size only; the engine sets the
 *            others when it sees a fault whose program is still NULL. So what a callback recorded stays. A callback that
 *            cannot be entered is a fault at the helper's call. address and size are 0 for kinds BUDGET and FRAMES.
 * Windows    What was found in map values and ring records is forgotten after each call of a helper (it may have taken them
 *            away), and when run->program changes; what was found in the stack when r10 changes. */
static inline uint32_t vm_function_slots(const struct picket_program *p, uint32_t function)
{
	size_t end = function + 1 < p->function_count ? p->function_insns[function + 1] : p->insn_count;
	return (uint32_t)(end - p->function_insns[function]);
}
/* The bytecode slot that an op begins at: lddw is one instruction of two slots, what was merged is several. */
static inline uint32_t vm_op_first_slot(const struct vm_op *op)
{
	switch ((enum vm_format)vm_insns[op->op].format) {
	case VM_FORMAT_WIDE:
	case VM_FORMAT_WIDE_MAP:
	case VM_FORMAT_WIDE_FUNCTION:
		return op->insn;
	default:
		return op->insn - op->slots + 1;
	}
}
/* What a backward jump, when taken, costs. */
static inline uint32_t vm_jump_slots(const struct vm_ops *o, const struct vm_op *jump)
{
	return jump->insn - vm_op_first_slot(&o->ops[jump->target]) + 1;
}

/* ---- engines ---- */
int vm_interp_compile(struct picket_program *p, const struct vm_ops *ops) must_check;
void vm_interp_free(struct vm_interp *i); /* NULL is allowed */
/* Runs function 0 with r1, r2. Result, or run->fault is set (with insn, registers, program). */
uint64_t vm_interp_run(const struct picket_program *p, struct picket_run *run, uint64_t r1, uint64_t r2);
/* A callback: the frame above run->frame. */
uint64_t vm_interp_callback(struct picket_run *run, uint32_t function, const uint64_t args[5]);
/* -EOPNOTSUPP: no compiler for this machine. Sets code, code_size, code_mapped, entry. */
int vm_jit_compile(struct picket_program *p, const struct vm_ops *ops) must_check;
uint64_t vm_jit_callback(struct picket_run *run, uint32_t function, const uint64_t args[5]);
/* code.c: memory for machine code. seal makes it executable and no longer writable. */
int vm_code_map(size_t size, void **ret_code, size_t *ret_mapped) must_check;
int vm_code_seal(void *code, size_t mapped) must_check;
void vm_code_unmap(void *code, size_t mapped);

/* ---- helpers (helper.def) ---- */
/* For the interpreter and checked code: tests the arguments against the helper's types, then calls it. A wrong one is a
 * fault (result 0). run->frame must be set. */
uint64_t vm_helper_call(struct picket_run *run, const struct picket_helper *helper, uint64_t r1, uint64_t r2,
                        uint64_t r3, uint64_t r4, uint64_t r5);
/* bpf_tail_call: the program to go on with, or NULL: go on behind the call. Counts. Refuses (NULL) programs of another
 * engine. */
const struct picket_program *vm_tail_call_target(struct picket_run *run, uint64_t map, uint64_t index);
#define VM_HELPER_TAIL_CALL 12 /* engines do it themselves, and call the above */
/* At the end of a run, if record_count or lock is not 0: discards records that were reserved and neither submitted nor
 * discarded, opens the lock that is still held. */
void vm_run_drop_records(struct picket_run *run);

/* ---- epoch.c: readers without locks. A writer waits until everyone who might see the old has left ---- */
void vm_epoch_enter(void); /* nests; a few instructions */
void vm_epoch_leave(void);
void vm_epoch_wait(void); /* not between enter and leave */
/* This thread's number, 0 .. PICKET_CPUS_MAX - 1, its own until it ends: what per-CPU maps go by. -EBUSY: all are taken. */
int vm_thread_number(void);

/* ---- programs and their text ---- */
struct picket_program *vm_program_ref_debug(struct picket_program *p, struct vm_debug *debug);
void vm_debug_free(struct vm_debug *d); /* NULL is allowed */

#endif
