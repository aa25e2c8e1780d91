/* SPDX-License-Identifier: Apache-2.0
 *
 * Reasons, by category: each function says why and what to change, or returns false if it cannot do better than the machine's
 * words.
 */
#ifndef PICKET_VERIFY_REASON_INT_H
#define PICKET_VERIFY_REASON_INT_H

#include "verify/explain_int.h"

/* What is known about the place of a rejection. */
struct facts {
	const struct value *culprit; /* may be NULL */
	const struct vm_op *op;      /* NULL: before or after the walk */
	struct picket_place place;
	bool has_access; /* in the source */
	bool through;    /* by a pointer: -> or * */
	char whole[NAME_BYTES], base[NAME_BYTES], index[NAME_BYTES];
	const struct verify_proto *proto; /* of what is called */
	char callee[NAME_BYTES];
	char name[NAME_BYTES]; /* of the culprit's register; "" */
	unsigned reg;          /* that holds it; 11: none */
	char before[64];       /* " before line 12" */
	const char *leave;     /* "return XDP_PASS;" */
};

#define reason(v, ...) explain_write((v)->verdict->reason, sizeof((v)->verdict->reason), __VA_ARGS__)
#define hint(v, ...) explain_write((v)->verdict->hint, sizeof((v)->verdict->hint), __VA_ARGS__)

/* ---- reason.c ---- */
unsigned reason_line_of(const struct verify *v, uint32_t node); /* where it was made; 0: not known */
void reason_write_line(char *text, size_t size, unsigned line); /* " (line 12)", or nothing */
bool reason_is_simple(struct str expression);                   /* does it stay one operand wherever it is put? */

/* ---- reason_memory.c; op is known ---- */
bool reason_packet(struct verify *v, const struct facts *f);
bool reason_gone(struct verify *v, const struct facts *f);
bool reason_null(struct verify *v, const struct facts *f);
bool reason_bounds(struct verify *v, const struct facts *f);
bool reason_stack(struct verify *v, const struct facts *f);
bool reason_number(struct verify *v, const struct facts *f);
bool reason_arithmetic(struct verify *v, const struct facts *f);
bool reason_alignment(struct verify *v, const struct facts *f);
bool reason_read_only(struct verify *v, const struct facts *f);
bool reason_context(struct verify *v, const struct facts *f);

/* ---- reason_call.c ---- */
bool reason_helper(struct verify *v, const struct facts *f);
bool reason_size(struct verify *v, const struct facts *f);
bool reason_dynptr(struct verify *v, const struct facts *f);
bool reason_iterator(struct verify *v, const struct facts *f);
bool reason_map(struct verify *v, const struct facts *f);
bool reason_recursion(struct verify *v, const struct facts *f);
bool reason_reference(struct verify *v, const struct facts *f);
bool reason_lock(struct verify *v, const struct facts *f);
bool reason_return(struct verify *v, const struct facts *f);
bool reason_leak(struct verify *v, const struct facts *f);
bool reason_uninitialised(struct verify *v, const struct facts *f);
bool reason_loop(struct verify *v, const struct facts *f);
bool reason_limit(struct verify *v, const struct facts *f);
bool reason_stack_depth(struct verify *v);
bool reason_kind(struct verify *v);
void reason_malformed(struct verify *v);

#endif
