/* SPDX-License-Identifier: Apache-2.0
 *
 * Random conditions over the whole language, and random events for them to judge.
 */
#ifndef PICKET_TESTS_COMPILED_RANDOM_H
#define PICKET_TESTS_COMPILED_RANDOM_H

#include "base/buf.h"
#include "event/field.h"

struct rng {
	uint64_t state;
};
uint64_t rng_next(struct rng *r);
unsigned rng_below(struct rng *r, unsigned limit); /* 0 .. limit - 1 */

/* A condition as text; most are well-formed and well-typed. */
void random_condition(struct rng *r, unsigned depth, struct buf *out);

/* Fields of an event that answer anything of their type, or nothing. The same question has the same answer; what is of the
 * process has the same answer for all events of that process. */
struct random_source {
	struct field_source source;
	struct field_note note;
	uint64_t event, process; /* seeds */
	const char *type;        /* evt.type */
};
void random_source_init(struct random_source *s, const char *type);

#endif
