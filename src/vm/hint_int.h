/* SPDX-License-Identifier: Apache-2.0
 *
 * What can be known of a program's pointers before it runs, for the compilers of checked code: a test that is proved to
 * succeed needs no code, and one that compares the context's length with a constant needs little. The analysis only ever
 * speaks where it is sure; everything else is VM_CHECK_MEMORY.
 */
#ifndef PICKET_VM_HINT_INT_H
#define PICKET_VM_HINT_INT_H

#include "vm/vm_int.h"

enum vm_check {
	VM_CHECK_MEMORY,  /* nothing is known: windows, then vm_memory_find() */
	VM_CHECK_CONTEXT, /* it is in the context if run->length >= need; if not, as VM_CHECK_MEMORY */
	VM_CHECK_NONE,    /* it is the program's, and aligned if it is atomic */
};

struct vm_hint {
	uint8_t check; /* enum vm_check, of the memory that the op reads or writes; CALL_HELPER: of 4 bytes at r2, to read */
	uint8_t window; /* 0 .. VM_WINDOWS - 1: accesses that likely go to the same memory have the same */
	uint32_t need;  /* of VM_CHECK_CONTEXT, bytes */
	uint32_t
	        map; /* CALL_HELPER: the LDDW_MAP op whose map r1 is whenever this op is reached; UINT32_MAX: not known */
};

struct vm_hints {
	struct vm_hint *of; /* one for each op; those of unreachable ops mean nothing */
	/* Function 0 is entered only at the beginning of a run or by a tail call, never by a call of the program or a
	 * callback: it need not keep r6 to r9 for anyone, and r1 is the context there. */
	bool entry_only;
	uint32_t
	        context_need; /* the most that VM_CHECK_CONTEXT needs anywhere; 0: there is none. Only function 0 has them */
};

/* Needs ops->live. Linear time. -ENOMEM. */
int vm_hint(const struct picket_program *p, const struct vm_ops *ops, struct vm_hints *ret_hints) must_check;
void vm_hints_done(struct vm_hints *h);

#endif
