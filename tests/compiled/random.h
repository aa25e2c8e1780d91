/* SPDX-License-Identifier: Apache-2.0
 *
 * Random conditions over the whole language, and random events for them to judge.
 */
#ifndef PICKET_TESTS_COMPILED_RANDOM_H
#define PICKET_TESTS_COMPILED_RANDOM_H

#include "base/buf.h"
#include "event/field.h"
#include "rule/rule.h"

/* What conditions ask for often. NULL, 0: a mixture. */
struct taste {
	const enum field_id *fields;
	size_t field_count;
	const char *const *types; /* of events */
	size_t type_count;
	const char *const *texts; /* that fields may be, beside others */
	size_t text_count;
};
struct rng {
	uint64_t state;
	const struct taste *taste; /* NULL: none in particular */
};
uint64_t rng_next(struct rng *r);
unsigned rng_below(struct rng *r, unsigned limit); /* 0 .. limit - 1 */

/* One of those that conditions compare with, or two of them. */
void random_text(struct rng *r, struct buf *out);
void random_long_text(struct rng *r, size_t length_max, struct buf *out);

/* A condition as text; most are well-formed and well-typed. */
void random_condition(struct rng *r, unsigned depth, struct buf *out);
/* Adds rules, before the set is compiled; conditions that are not well-formed or not well-typed are left out. Returns how
 * many there are. */
unsigned random_rules(struct rng *r, unsigned count, struct rule_set *set);

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
