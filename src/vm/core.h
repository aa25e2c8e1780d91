/* SPDX-License-Identifier: Apache-2.0
 *
 * CO-RE: what a part of a type, as an object was compiled with it, is in a kernel's types. core.c finds the part, and its
 * numbers; core_type.c compares whole types. Types correspond by name: what follows `___` in it does not count.
 */
#ifndef PICKET_VM_CORE_H
#define PICKET_VM_CORE_H

#include "vm/btf_int.h"

#define VM_CORE_PARTS_MAX 64 /* of one access */

struct vm_core_types {
	struct vm_btf btf;
	uint32_t *heads, *next; /* types by the hash of their names; 0: the end */
	uint32_t mask;
};

/* btf: taken, also on failure. ret_types: vm_core_types_done(). -ENOMEM. */
int vm_core_types_open(struct vm_btf btf, struct vm_core_types *ret_types) must_check;
void vm_core_types_done(struct vm_core_types *t);

struct vm_core_request {
	uint32_t type, kind; /* of the object; enum bpf_core_relo_kind */
	const char *access;  /* "0:1:2" */
	uint64_t *steps;     /* that may be taken yet: types may refer to each other in circles */
};

struct vm_core_answer {
	bool poison;                        /* nothing there: the instruction must not be reached */
	bool checked;                       /* what the instruction has now must be `before` */
	bool other_size;                    /* a load or store of another size would mean something else */
	uint64_t before, after;             /* what the instruction has, and is to have */
	uint32_t bytes_before, bytes_after; /* of the field itself; 0: of no meaning here */
};

enum vm_core_problem {
	VM_CORE_ANSWERED,
	VM_CORE_BAD_ACCESS,
	VM_CORE_AMBIGUOUS,
	VM_CORE_NOT_A_NUMBER,
	VM_CORE_TOO_LONG
};
enum vm_core_problem vm_core_ask(const struct vm_btf *local, const struct vm_core_types *kernel,
                                 const struct vm_core_request *request, struct vm_core_answer *ret_answer) must_check;

/* core_type.c; false, too, when no steps are left */
bool vm_core_step(uint64_t *steps);           /* takes one; false: there is none */
size_t vm_core_name_length(const char *name); /* without what follows ___ */
bool vm_core_same_name(const char *a, const char *b);
bool vm_core_same_kind(uint32_t a, uint32_t b); /* one enum is as good as another */
bool vm_core_compatible(const struct vm_btf *a, uint32_t a_id, const struct vm_btf *b, uint32_t b_id, uint64_t *steps);
bool vm_core_fields_compatible(const struct vm_btf *a, uint32_t a_id, const struct vm_btf *b, uint32_t b_id);
/* Everything that the local type has, the other has as well. */
bool vm_core_matches(const struct vm_btf *local, uint32_t local_id, const struct vm_btf *kernel, uint32_t kernel_id,
                     uint64_t *steps);

#endif
