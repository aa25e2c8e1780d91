/* SPDX-License-Identifier: Apache-2.0
 *
 * Explaining: a rejection is found in terms of instructions and registers, and told in terms of the source.
 *
 *   explain.c   what is recorded when a program is rejected; the steps that led there
 *   reason*.c   the sentence and what to change, by category
 *   name.c      what the source calls a register, a function, a map, a variable
 *   source.c    C as it stands in one line
 */
#ifndef PICKET_VERIFY_EXPLAIN_INT_H
#define PICKET_VERIFY_EXPLAIN_INT_H

#include "verify/table_int.h"

/* ---- source.c: expressions of one line of C, found where the compiler says that an instruction comes from ---- */
/* `ip->protocol`: base "ip". `table[i]`: base "table", index "i". `*p`: base "p". */
struct source_access {
	struct str whole, base, index; /* index: empty if there is none */
	bool through;                  /* base is a pointer: -> or * stands between */
};
/* column: from 1. What is read or written there; false: not understood. Texts are parts of line. */
bool source_access(struct str line, unsigned column, struct source_access *ret_access);
/* The index-th argument (from 0) of the call of `function` in the line. */
bool source_argument(struct str line, const char *function, unsigned index, struct str *ret_argument);
/* What the line assigns to: "ip" of `struct iphdr *ip = data + 14;`. before: the last assignment that begins before that
 * column; 0: the first one of all. */
bool source_assigned(struct str line, unsigned before, struct str *ret_name);

/* ---- name.c ---- */
#define NAME_BYTES 96
/* Cut, not checked: for people. */
void explain_write(char *text, size_t size, const char *format, ...) printf_like(3, 4);
/* place is emptied first. insn: first slot. */
bool explain_place(const struct verify *v, uint32_t insn, struct picket_place *ret_place);
uint32_t explain_insn(const struct verify *v, uint32_t op); /* its first slot */
/* What the source has in that register at the current op: false: not known. */
bool explain_register(const struct verify *v, unsigned reg, char name[NAME_BYTES]);
/* The name of the function that holds an instruction; "" if there is none. */
const char *explain_function(const struct verify *v, uint32_t insn);
/* What an op that is a call calls, with "bpf_" where it belongs; false: it is none, or its name is not known. */
bool explain_callee(const struct verify *v, const struct vm_op *op, char name[NAME_BYTES]);
const struct verify_proto *explain_proto(const struct verify *v, const struct vm_op *op); /* NULL: no helper */
/* Of a VALUE_MAP or VALUE_MAP_VALUE: "map `counts`"; of a variable that the current op uses: "`limit`". ret_elements: of a
 * variable that is an array, else 0; may be NULL. */
void explain_map(const struct verify *v, const struct value *value, char name[NAME_BYTES], uint32_t *ret_elements);
const char *explain_map_type(uint32_t type); /* "hash" */
/* The variable that holds the packet's end, "data_end" if it is not found; and its first byte. */
void explain_packet_names(const struct verify *v, char start[NAME_BYTES], char end[NAME_BYTES]);
uint32_t explain_lock(const struct verify *v); /* the op that took the lock: the last one before the current */
bool explain_parameter(const struct verify *v, uint32_t insn, unsigned index, char name[NAME_BYTES]);
/* The name of a field of the context, from the tables; NULL: none. */
const struct verify_field *explain_field(const struct verify *v, int64_t offset);

/* ---- reason.c ---- */
/* Puts the verdict's reason and hint into the source's words. culprit may be NULL. */
void explain_reason(struct verify *v, const struct value *culprit);

/* The register that holds the culprit at the current op; 11: none. */
unsigned explain_culprit_register(const struct verify *v, const struct vm_op *op, const struct value *culprit);

/* ---- example.c ---- */
/* Records the path to a rejection, while there is one. */
void example_record(struct verify *v, const struct value *culprit);
/* Looks for an input with which the program goes wrong where it was rejected. */
void example_find(struct verify *v);

#endif
