/* SPDX-License-Identifier: Apache-2.0
 *
 * The x86-64 compiler's own.
 *
 * Registers: r0 rax, r1 rdi, r2 rsi, r3 rdx, r4 rcx, r5 r8, r6 rbx, r7 r13, r8 r14, r9 r15, r10 rbp. So arguments of helpers
 * are in their places, and what eBPF's functions keep for their callers C's do, too. r12 is the run. r9, r10, r11 are free
 * in verified code; in checked code r9 is run->length and r11 what is left of the budget, always, and r10 is free.
 *
 * Frames: verified code has r10's 512 bytes on the machine's stack, in functions that use it. Checked code never gives an
 * address of the machine's stack to the program: r10 points into run->stack, and is moved by callers.
 */
#ifndef PICKET_VM_JIT_X86_INT_H
#define PICKET_VM_JIT_X86_INT_H

#include "vm/hint_int.h"
#include "vm/jit_x86_emit.h"
#include "vm/vm_int.h"

enum {
	REG_RUN = R12,
	REG_LENGTH = R9,
	REG_BUDGET = R11,
	REG_FRAME = RBP,
};

/* A register that stands for base + index + offset, and so is never computed. */
struct jit_fold {
	bool active;
	uint32_t op;         /* that it stands for */
	uint8_t base, index; /* eBPF's registers; index: NO_REGISTER if there is none */
	int32_t offset;
};
struct jit_kept_fold {
	uint8_t reg;
	struct jit_fold fold;
};

/* Registers, one bit each. */
struct jit_flow {
	uint16_t reads, writes;
	uint16_t before, after; /* whose values are needed */
};

/* Code that stands behind a function because it is seldom needed. */
enum jit_stub_kind {
	STUB_MEMORY,         /* an access outside of its window */
	STUB_MEMORY_INDEXED, /* the same of a merged load */
	STUB_BUDGET,         /* the budget is spent */
	STUB_BUDGET_UNLESS,  /* the budget would be spent if the jump was taken */
	STUB_FRAMES,         /* too many functions are active */
	STUB_DIVIDE_BY_ZERO,
	STUB_DIVIDE_BY_MINUS_ONE,
	STUB_DIVIDE_WIDE,
	STUB_FORGET,    /* windows */
	STUB_EXIT,      /* with 0 */
	STUB_NOT_FOUND, /* r0 = 0 */
};
struct jit_stub {
	uint32_t op;
	uint32_t label, back; /* where it stands, and where to go on */
	uint8_t kind;
	uint8_t reg, dividend; /* the machine's, of divisions */
	bool modulo, wide;
	uint8_t fold_count; /* folds where it was asked for, from `folds` on */
	uint32_t folds;
};

/* Code that a program has once, behind its functions. Each needs only those that come after it. */
enum jit_thunk {
	THUNK_TAIL_ENTRY,   /* where other programs come in */
	THUNK_CALLBACK,     /* where helpers come in */
	THUNK_TAIL_CALL,    /* r9: instruction (checked). Returns where to jump to in r10, or NULL */
	THUNK_TAIL_JUMP,    /* r10: where to. From a function that was called */
	THUNK_CALL,         /* r10: a function's value or a helper's id, r9: instruction (checked) */
	THUNK_HELPER,       /* r10: struct picket_helper, r9: instruction */
	THUNK_MEMORY,       /* r10: address, r9: access. Returns if it is the program's */
	THUNK_ZERO_FRAME,   /* of r10 */
	THUNK_FORGET,       /* windows; touches no register */
	THUNK_FRAMES_FAULT, /* r9: instruction */
	THUNK_BUDGET_FAULT, /* r9: instruction */
	THUNK_FAULT,        /* r9: instruction; run->fault has kind, address and size */
	THUNK_SAVE,         /* eBPF's registers into run->fault */
	THUNK_UNWIND,       /* leaves all functions since C called one */
	THUNK_FUNCTIONS,    /* table of function entries */
	THUNK_SLOTS,        /* table of what entering a function costs */
	THUNK_COUNT,
};

struct jit {
	struct x86 x;
	const struct picket_program *p;
	const struct vm_ops *ops;
	struct vm_hints hints; /* checked code, or where an array is looked up */
	bool checked, bmi2, avx;
	bool needs_run;        /* verified: r12 is used */
	bool windows;          /* checked: some access looks at them */
	bool tail_calls;       /* a function that was called may have gone on in another program */
	uint64_t blind;        /* state of the generator of keys; 0: off */
	uint32_t entries;      /* label of function 0 as it is called; the others' follow */
	uint32_t entry;        /* label of function 0 as C enters it */
	uint32_t body;         /* label of function 0's beginning proper */
	uint32_t thunks;       /* label of the first thunk */
	uint32_t used;         /* thunks that are needed, one bit each */
	struct jit_flow *flow; /* of each op: where more is read than by the ops themselves; or NULL */
	/* of the function that is compiled */
	const struct vm_function *function;
	struct jit_stub *stubs; /* still to be written */
	size_t stub_count, stub_capacity;
	struct jit_fold folds[11];
	bool any_fold;
	struct jit_kept_fold *kept; /* for stubs */
	size_t kept_count, kept_capacity;
	uint32_t labels;      /* of its ops: so much more than their index */
	bool has_context;     /* all of the context that its hints speak of is there */
	uint16_t pushed;      /* machine's registers, one bit each */
	uint32_t stack_bytes; /* below them */
};

/* What follows the code: an array of the functions' entries, with two more before it. */
#define JIT_TABLE_BEFORE 2
#define JIT_TABLE_CALLBACK (-1)
#define JIT_TABLE_TAIL_ENTRY (-2)

extern const uint8_t jit_registers[11];
/* For tests: the code is to use only what every x86-64 has. */
extern bool jit_x86_baseline;

static inline unsigned jit_reg(unsigned reg)
{
	return jit_registers[reg];
}
/* Registers whose values are needed behind an op. */
static inline uint16_t jit_live(const struct jit *j, size_t op)
{
	return j->flow ? j->flow[op].after : j->ops->live[op];
}
/* Is the value that a register has behind an op looked at by anyone? */
static inline bool jit_is_live(const struct jit *j, size_t op, unsigned reg)
{
	return jit_live(j, op) >> reg & 1;
}
/* The same for the op that is written at the moment: folds need what they are made of. */
static inline bool jit_is_needed(const struct jit *j, size_t op, unsigned reg)
{
	for (unsigned i = 0; j->any_fold && i < ARRAY_SIZE(j->folds); i++)
		if (j->folds[i].active && (j->folds[i].base == reg || j->folds[i].index == reg))
			return true;
	return jit_is_live(j, op, reg);
}
static inline struct x86_memory jit_run_at(size_t offset)
{
	return x86_at(REG_RUN, (int32_t)offset);
}
#define RUN_AT(member) jit_run_at(offsetof(struct picket_run, member))

static inline uint32_t jit_thunk(struct jit *j, enum jit_thunk thunk)
{
	j->used |= 1u << thunk;
	return j->thunks + thunk;
}
static inline uint32_t jit_label(const struct jit *j, size_t op)
{
	return j->labels + (uint32_t)op;
}
/* jit_x86.c */
/* Has the function's end write such a stub. Valid until the next one is asked for. */
struct jit_stub *jit_stub(struct jit *j, enum jit_stub_kind kind, size_t op);
/* Doubles an array. false: no memory; it is the caller's then to begin again with it. */
bool jit_grow(struct jit *j, void *pointer_to_array, size_t *capacity, size_t size);
/* May it leave the program by a fault? */
bool jit_may_fault(const struct jit *j, size_t op);
void jit_leave_frame(struct jit *j);

/* jit_x86_op.c */
void jit_emit_op(struct jit *j, size_t op);
/* Loads a constant of the program; blinded if so asked. 64 bits need r10 then. */
void jit_constant(struct jit *j, unsigned to, uint64_t value);
/* cmp or test, for a conditional jump. Returns when it jumps. */
enum x86_condition jit_compare(struct jit *j, const struct vm_op *op);
void jit_test_immediate(struct jit *j, bool wide, unsigned reg, int32_t imm);
enum x86_condition jit_jump_condition(const struct vm_op *op);
bool jit_jump_tests_bits(const struct vm_op *op);

/* jit_x86_merge.c */
/* Writes the op, with those behind it if one instruction does for all; returns how many. 0: it is nothing special. */
size_t jit_merge(struct jit *j, size_t op);
void jit_keep_folds(struct jit *j, struct jit_stub *s);
void jit_unfold(struct jit *j, const struct jit_stub *s);
/* An op has been written. */
void jit_follow_folds(struct jit *j, size_t op);

/* jit_x86_alu.c */
void jit_alu(struct jit *j, const struct vm_op *op, enum x86_group1 operation, bool wide);
void jit_mov(struct jit *j, const struct vm_op *op, bool wide);
void jit_multiply(struct jit *j, const struct vm_op *op, bool wide);
void jit_shift(struct jit *j, const struct vm_op *op, enum x86_shift shift, bool wide);
struct jit_division {
	unsigned to, dividend, divisor; /* eBPF's registers */
	bool wide, sign, modulo;
	bool by_constant; /* imm instead of divisor */
	int32_t imm;
};
void jit_divide(struct jit *j, size_t op, const struct jit_division *d);
void jit_divide_stub(struct jit *j, const struct jit_stub *s);
void jit_swap(struct jit *j, unsigned reg, unsigned bits);

/* jit_x86_memory.c */
void jit_load(struct jit *j, size_t op, unsigned bytes, bool sign);
void jit_check_load(struct jit *j, size_t op);
void jit_store(struct jit *j, size_t op, unsigned bytes, bool imm);
void jit_atomic(struct jit *j, size_t op, bool wide);
void jit_packet(struct jit *j, size_t op, unsigned bytes);
/* What it reads or writes; folds are looked through. */
struct x86_memory jit_memory_operand(const struct jit *j, const struct vm_op *op);
/* Does it need no test? */
bool jit_memory_is_safe(const struct jit *j, size_t op);
void jit_compare_length(struct jit *j, uint32_t need);
void jit_memory_stub(struct jit *j, const struct jit_stub *s);
void jit_exit_stub(struct jit *j);

/* jit_x86_call.c */
void jit_call_helper(struct jit *j, size_t op);
/* Does a call of a helper need none? */
bool jit_is_inline(const struct jit *j, size_t op);
void jit_call_local(struct jit *j, size_t op);
void jit_call_register(struct jit *j, size_t op);

/* jit_x86_thunk.c */
void jit_thunks(struct jit *j);
void jit_entry(struct jit *j);
void jit_after_tail_calls(struct jit *j);
void jit_zero_arguments(struct jit *j);
/* What THUNK_MEMORY asks; its access is jit_x86_memory.c's own. */
uint64_t jit_x86_memory(struct picket_run *run, uint64_t address, uint32_t access);

#endif
