/* SPDX-License-Identifier: Apache-2.0
 *
 * A test case of the sandbox: a .data file, as docs/sandbox.md has it. A program, what it is given, and what is to come
 * of it.
 */
#ifndef PICKET_CLI_VM_CASE_H
#define PICKET_CLI_VM_CASE_H

#include "base/buf.h"
#include "vm/vm.h"

#define VM_FILE_BYTES_MAX (64u << 20) /* of a program or memory that is read */

struct vm_case {
	struct picket_insn *insns; /* NULL: the assembler refused it */
	size_t insn_count;
	struct picket_error refused; /* then: why; the line is the file's */
	struct buf memory;           /* the context that the program is given */
	bool has_result, has_error;  /* one of them, if it is a test and no mere program */
	uint64_t result;
	char error[128]; /* part of the message that is to come; "" is not said */
};

/* Returns 0; -EINVAL: no whole case, reterr says why and on which line; -ENOMEM. */
int vm_case_parse(struct str text, struct vm_case *ret_case, struct picket_error *reterr) must_check;
void vm_case_done(struct vm_case *c);  /* also for _cleanup_ */
bool vm_case_is_like(struct str text); /* does it look like a case, rather than assembler text? */

/* Bytecode as it is in files, in little-endian order. ret_insns: free(). -EINVAL: no whole number of instructions. */
int vm_insns_from_bytes(struct str bytes, struct picket_insn **ret_insns, size_t *ret_count) must_check;
void vm_insns_to_bytes(const struct picket_insn *insns, size_t count, struct buf *out);

#endif
