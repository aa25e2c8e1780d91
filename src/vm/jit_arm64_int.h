/* SPDX-License-Identifier: Apache-2.0
 *
 * The compiler for arm64. How BPF's registers lie in the machine's:
 *
 *   r0 x7, r1 to r5 x0 to x4, r6 to r9 x19 to x22, the run x26; scratch x9 to x17. r10 is 512 above the frame's base:
 *   verified code has its frames on the machine's stack (base: sp), checked code in the run's (base: x25), together with
 *   x24 the budget, x23 and x27 the context's address and length, x28 the base of the last frame that there is.
 *
 * Functions are called with r1 to r5 in place, leave their result in r0's register and keep r6 to r9. Verified code whose
 * function 0 is called from outside only enters it as C does: entry(r1, r2, run). Otherwise there is an entry of its own
 * before it. In checked code that has saved all that C wants to be kept, so that a fault leaves from any depth.
 *
 * The code begins with a table: the address of each function, then two more, see vm_arm64_tail_entry().
 */
#ifndef PICKET_VM_JIT_ARM64_INT_H
#define PICKET_VM_JIT_ARM64_INT_H

#include "vm/hint_int.h"
#include "vm/jit_arm64_emit.h"
#include "vm/map_int.h"

enum {
	REG_R0 = 7,
	REG_KEY = 14,     /* of a blinded constant */
	REG_ADDRESS = 15, /* of an access, where it has to be calculated */
	REG_A = 16,
	REG_B = 17,
	REG_R6 = 19,
	REG_DATA = 23,
	REG_BUDGET = 24,
	REG_FRAME = 25,
	REG_RUN = 26,
	REG_LENGTH = 27,
	REG_LAST_FRAME = 28,
};
#define BPF_FRAME 10

/* More than the words of any op with its stubs: what branches over many ops reckon with. */
#define ARM64_OP_WORDS 64
#define ARM64_STUBS_MAX 256
#define ARM64_STUB_WORDS 12

/* Code that is rarely run and stands behind what runs. */
struct arm64_stub {
	uint32_t branch; /* that leads here */
	uint32_t back;   /* where to go on; 0: it is a fault */
	uint32_t note;   /* vm_arm64_note() */
	uint8_t base;    /* machine register */
	int64_t offset;
};

/* Where an op's code lies, in words. */
struct arm64_place {
	uint32_t at, branch; /* branch: to its target, 0: none */
	uint32_t entry;      /* first op of a function: that function's */
};

/* Pieces of code that all ops share. */
enum arm64_thunk {
	THUNK_LEAVE,  /* checked: back to C with x0 */
	THUNK_UNWIND, /* checked: back to C from any depth */
	THUNK_FAULT,  /* checked: REG_B a note, REG_A an address */
	THUNK_ACCESS, /* checked: may the program access REG_ADDRESS as the note in REG_B says? Comes back only then */
	THUNK_HELPER, /* checked: calls the helper REG_A; REG_B a note */
	THUNK_TAIL_CALL, /* checked: REG_B a note; back with REG_A the code to go on with, or 0 */
	THUNK_HOOK,  /* checked: calls the entry of a program's function 0 in REG_A, and makes good what that changes */
	THUNK_CALLX, /* REG_A a value to be called; checked: REG_B a note */
	THUNK_ZERO,  /* checked: fills the frame with 0 */
	THUNKS,
};

struct arm64 {
	struct a64 code;
	struct picket_program *program;
	const struct vm_ops *ops;
	struct vm_hints hints;
	struct arm64_place *places;
	bool checked, blind;
	bool lse;    /* the machine has single instructions for atomic operations */
	bool merged; /* verified: function 0 is entered as C does */
	bool runs;   /* something needs the run, in verified code */
	bool callx;  /* something calls by register */
	uint64_t random;
	size_t thunks[THUNKS];
	size_t entry, entry_call; /* from C; the call in it that leads to function 0, or 0 */
	size_t callback_entry, tail_entry;
	/* where it is */
	const struct vm_function *function;
	const struct vm_op *op;
	struct arm64_place *place;
	const struct vm_hint *hint;
	unsigned first;          /* of arithmetic: where its first operand is, dst or what was to be moved there */
	size_t exit, exit_words; /* where this function leaves, 0: nowhere yet; and how long that is */
	struct arm64_stub stubs[ARM64_STUBS_MAX];
	size_t stub_count;
};

/* ---- small pieces ---- */
static inline unsigned arm64_register(unsigned bpf)
{
	return bpf == 0 ? REG_R0 : bpf < 6 ? bpf - 1 : REG_R6 + bpf - 6;
}
static inline unsigned arm64_frame_base(const struct arm64 *j)
{
	return j->checked ? REG_FRAME : A64_SP;
}
#define ARM64_RUN(field) ((int)offsetof(struct picket_run, field))
enum { ARM64_SIZE_32 = 2, ARM64_SIZE_64 = 3 };

static inline void arm64_load_run(struct arm64 *j, unsigned rt, int offset)
{
	a64_transfer(&j->code, A64_LOAD, ARM64_SIZE_64, rt, REG_RUN, (unsigned)offset);
}

static inline void arm64_store_run(struct arm64 *j, unsigned rt, int offset)
{
	a64_transfer(&j->code, A64_STORE, ARM64_SIZE_64, rt, REG_RUN, (unsigned)offset);
}

static inline void arm64_call_c(struct arm64 *j, const void *function)
{
	a64_move_imm(&j->code, true, REG_A, (uintptr_t)function);
	a64_call_register(&j->code, REG_A);
}

static inline void arm64_call_thunk(struct arm64 *j, enum arm64_thunk thunk)
{
	size_t at = j->code.count;

	a64_call(&j->code);
	a64_patch(&j->code, at, j->thunks[thunk]);
}

static inline void arm64_branch_thunk(struct arm64 *j, enum arm64_thunk thunk)
{
	size_t at = j->code.count;

	a64_branch(&j->code);
	a64_patch(&j->code, at, j->thunks[thunk]);
}

static inline void arm64_clear_registers(struct arm64 *j, unsigned first, unsigned last)
{
	for (unsigned r = first; r <= last; r++)
		a64_move_imm(&j->code, true, r, 0);
}

static inline void arm64_clear_args(struct arm64 *j)
{
	arm64_clear_registers(j, arm64_register(1), arm64_register(5));
}

static inline void arm64_restore_program(struct arm64 *j)
{
	a64_move_imm(&j->code, true, 9, (uintptr_t)j->program);
	arm64_store_run(j, 9, ARM64_RUN(program));
}

/* ---- registers and constants (jit_arm64_alu.c) ---- */
/* The register that has r0 .. r10; r10 is calculated into scratch. */
unsigned vm_arm64_read(struct arm64 *j, unsigned bpf, unsigned scratch);
/* A constant of the program: blinded if that is wanted. */
void vm_arm64_constant(struct arm64 *j, bool wide, unsigned rd, uint64_t value);

/* ---- arithmetic (jit_arm64_alu.c): what the current op says, from its format ---- */
void vm_arm64_add(struct arm64 *j, bool subtract);
void vm_arm64_logic(struct arm64 *j, enum a64_logic logic);
void vm_arm64_multiply(struct arm64 *j);
void vm_arm64_divide(struct arm64 *j, bool is_signed);
void vm_arm64_modulo(struct arm64 *j, bool is_signed);
void vm_arm64_shift(struct arm64 *j, enum a64_two shift);
void vm_arm64_move(struct arm64 *j);
void vm_arm64_negate(struct arm64 *j);
void vm_arm64_extend(struct arm64 *j, bool is_signed, bool wide, unsigned bits);
void vm_arm64_swap(struct arm64 *j, unsigned bits);
void vm_arm64_wide_constant(struct arm64 *j);
void vm_arm64_lea(struct arm64 *j);

/* ---- neighbours (jit_arm64_merge.c) ---- */
/* Is the current op a move of what the next one, arithmetic, calculates with? Then that has three operands here. */
bool vm_arm64_moves_operand(const struct arm64 *j);
/* Code for the current op and the next one together, if that is shorter. The next one is no leader. */
bool vm_arm64_merge(struct arm64 *j);

/* ---- memory (jit_arm64_memory.c); size: log2 of the bytes ---- */
void vm_arm64_load(struct arm64 *j, unsigned size, enum a64_transfer transfer);
void vm_arm64_load_indexed(struct arm64 *j, unsigned size);
void vm_arm64_store(struct arm64 *j, unsigned size);
void vm_arm64_atomic(struct arm64 *j, unsigned size, enum a64_atomic atomic, bool fetch);
void vm_arm64_compare_and_swap(struct arm64 *j, unsigned size);
void vm_arm64_load_acquire(struct arm64 *j, unsigned size);
void vm_arm64_store_release(struct arm64 *j, unsigned size);
void vm_arm64_packet(struct arm64 *j, unsigned size);

/* ---- jumps and leaving (jit_arm64_jump.c) ---- */
void vm_arm64_jump(struct arm64 *j);
void vm_arm64_jump_if(struct arm64 *j, enum a64_condition condition);
void vm_arm64_jump_if_set(struct arm64 *j);
void vm_arm64_exit(struct arm64 *j);
/* A branch to what comes later, to be patched to here. */
void vm_arm64_land(struct arm64 *j, size_t branch);

/* ---- what all of a program shares (jit_arm64_thunk.c) ---- */
/* Before all functions: the entry from C, if function 0 is none itself, and the thunks. */
void vm_arm64_thunks(struct arm64 *j);
/* Before function 0, which is the current one: the entries of tail calls, and of calls of it. */
void vm_arm64_function_0_entries(struct arm64 *j);

/* ---- functions and calls (jit_arm64_call.c) ---- */
void vm_arm64_prologue(struct arm64 *j);
/* All of leaving but the branch. */
void vm_arm64_epilogue(struct arm64 *j);
void vm_arm64_call_helper(struct arm64 *j);
void vm_arm64_call_local(struct arm64 *j);
void vm_arm64_call_register(struct arm64 *j);

/* ---- checks ---- */
/* What the slow paths are told, in one word: an instruction, and what it was about to do. */
#define NOTE_INSN 0xfffffu
#define NOTE_SIZE_SHIFT 20 /* 2 bits */
#define NOTE_WRITE (1u << 22)
#define NOTE_ALIGNED (1u << 23)
#define NOTE_WINDOW_SHIFT 24 /* 2 bits */
#define NOTE_KIND_SHIFT 26   /* 4 bits; enum picket_fault_kind */
_Static_assert(PICKET_INSNS_MAX - 1 <= NOTE_INSN, "an instruction's index fits");
_Static_assert(VM_WINDOWS <= 4, "a window's index fits");
static inline uint32_t vm_arm64_note(const struct arm64 *j, enum picket_fault_kind kind)
{
	return (uint32_t)kind << NOTE_KIND_SHIFT | j->op->insn;
}
/* The branch at `branch` leads to a stub; back: see there. At most ARM64_STUBS_MAX until they are emitted. */
void vm_arm64_add_stub(struct arm64 *j, size_t branch, size_t back, uint32_t note, unsigned base, int64_t offset);
void vm_arm64_flush_stubs(struct arm64 *j);
/* Subtracts from the budget; A64_MI then if it is spent. */
void vm_arm64_charge(struct arm64 *j, uint32_t slots);

/* ---- at run time (jit_arm64_run.c): called by the code ---- */
struct arm64_callee {
	const void *code; /* a function's, or NULL */
	const struct picket_helper *helper;
};
uint64_t vm_arm64_run_access(struct picket_run *run, uint64_t address, uint32_t note);
void vm_arm64_run_fault(struct picket_run *run, uint64_t address, uint32_t note);
uint64_t vm_arm64_run_helper(struct picket_run *run, const struct picket_helper *helper, uint64_t r1, uint64_t r2,
                             uint64_t r3, uint64_t r4, uint64_t r5);
const void *vm_arm64_run_tail_call(struct picket_run *run, uint64_t map, uint64_t index);
struct arm64_callee vm_arm64_run_callx(struct picket_run *run, uint64_t value);

/* Table at the beginning of the code. */
static inline const void *vm_arm64_tail_entry(const struct picket_program *p)
{
	return p->function_code[p->function_count];
}
static inline const void *vm_arm64_callback_entry(const struct picket_program *p)
{
	return p->function_code[p->function_count + 1];
}

#endif
