/* SPDX-License-Identifier: Apache-2.0
 *
 * A condition taken apart, for those who decide it elsewhere: a guard in the kernel, which knows less than an event says.
 */
#ifndef PICKET_RULE_STEPS_H
#define PICKET_RULE_STEPS_H

#include "rule/rule.h"

struct cond_test;

/* A comparison. What it points to lives as long as the arena that it was made in and the filter, whichever ends first. */
struct filter_test {
	const char *text;               /* as a condition */
	const char *file;               /* where it is written; NULL: in no file */
	unsigned line, column;          /* from 1 */
	const struct field_ref *fields; /* all that it asks for, each once */
	size_t field_count;
	/* Of a comparison of one field, as it is, with literals of which any will do; otherwise op is NULL. */
	const char *op; /* "=", "in", "startswith" … */
	enum field_type type;
	const struct str *literals; /* unescaped */
	size_t literal_count;
	const struct cond_test *origin; /* equal for the same comparison in one filter */
};

/* What is left for one type of event when all that depends on its type alone is decided. Operands stand before their
 * operator; count: how many of the results before it an operator takes. */
struct filter_step {
	enum filter_step_kind {
		FILTER_STEP_FALSE, /* alone: it cannot match */
		FILTER_STEP_TRUE,  /* alone: it always matches */
		FILTER_STEP_TEST,
		FILTER_STEP_NOT,
		FILTER_STEP_ALL,
		FILTER_STEP_ANY
	} kind;
	size_t count;
	const struct filter_test *test;
};
#define FILTER_STEPS_MAX 4096
/* Returns 0; -E2BIG: more than FILTER_STEPS_MAX; -ENOMEM. The arrays live in the arena. */
int filter_steps(const struct filter *f, enum event_type type, struct arena *arena,
                 const struct filter_step **ret_steps, size_t *ret_count) must_check;
/* One of a filter's comparisons by itself, as the evaluator decides it. origin: of a filter_test; it lives as the filter. */
bool filter_test_holds(const struct cond_test *origin, const struct field_source *source, struct arena *arena);
/* A message that points at the test. */
struct diag *filter_test_diag(const struct filter_test *t, struct diag_list *l, const char *code, const char *format,
                              ...) printf_like(4, 5);

#endif
