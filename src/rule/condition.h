/* SPDX-License-Identifier: Apache-2.0
 *
 * Private to the room: a condition's text and where it came from, its tree, its check, its evaluation.
 */
#ifndef PICKET_RULE_CONDITION_H
#define PICKET_RULE_CONDITION_H

#include "base/map.h"
#include "rule/rule.h"

/* A text and where each part of it stands in a file: segments in ascending order of offset. Text that was put together
 * (lists substituted, an append) keeps the place that the user would have to change. */
struct text_segment {
	size_t offset;         /* in text */
	unsigned line, column; /* of that byte in the file, from 1 */
	struct str line_text;  /* the file's whole line */
	const char *file;
};
struct source_text {
	struct str text;
	const struct text_segment *segments; /* at least one */
	size_t count;
};
/* Adds a diag that points at byte offset of the text. */
struct diag *source_text_diag(const struct source_text *t, size_t offset, struct diag_list *l, enum diag_level level,
                              const char *code, const char *format, ...) printf_like(6, 7);

struct cond_test;
struct cond; /* a node of the tree; lives in the arena that it was made in */

/* Grammar only: identifiers are left as macro names. The source_text must outlive the tree (later messages point into
 * it). Returns 0; -EINVAL; -ENOMEM. */
int cond_parse(struct arena *a, const struct source_text *t, struct diag_list *reterr_diags, struct cond **ret_cond)
        must_check;
/* Replaces each macro name by a copy of its tree; copies share the macro's tests, so the trees of a set live in arenas
 * that end together. lookup: the macro's tree, itself resolved, or NULL: unknown.
 * budget: nodes that may still be made, reduced. Returns 0; -EINVAL: unknown macro, budget; -ENOMEM. */
int cond_resolve(struct arena *a, struct cond **cond, struct cond *(*lookup)(void *userdata, struct str name),
                 void *userdata, size_t *budget, struct diag_list *reterr_diags) must_check;
/* Fields exist and take their arguments, operators fit types, literals are turned into values, sets, patterns.
 * Returns 0; -ENOENT: an unknown field or event type (one diag each); -EINVAL; -ENOMEM. */
int cond_check(struct arena *a, struct cond *cond, struct diag_list *reterr_diags) must_check;
void cond_done(struct cond *cond); /* frees what cond_check() made outside the arena (compiled patterns) */
bool cond_eval(const struct cond *cond, const struct field_source *source, struct arena *arena);
/* How often a test could not be decided and counted as no match: a regular expression at its limits, no memory in the
 * arena. May be called while others evaluate. Tests that trees share are counted in each of them. */
uint64_t cond_undecided(const struct cond *cond);
void cond_events(const struct cond *cond, struct event_set *ret_set);
/* Is a test the same for all events of a type? Then *ret_holds says what it comes to. */
bool cond_test_by_type(const struct cond_test *t, const struct event_info *type, bool *ret_holds);
bool cond_uses_field(const struct cond *cond, enum field_id id);
bool cond_compares_na(
        const struct cond *cond); /* compares with "<NA>" in a way that hides missing values: LOAD_UNSAFE_NA_CHECK */
/* Each identifier that stands for a macro, before cond_resolve(). */
void cond_each_macro(const struct cond *cond, void (*call)(void *userdata, struct str name), void *userdata);
void cond_each_path(const struct cond *cond, void (*call)(void *userdata, struct str path), void *userdata);
void cond_explain(const struct cond *cond, unsigned indent, struct buf *out);
void cond_test_explain(const struct cond_test *test, struct buf *out); /* without an end of line */
/* Each field that a checked condition asks for, with its argument, as often as it stands there; ref borrowed from the
 * tree. For "never exercised" of rule_test_samples(). */
void cond_each_field(const struct cond *cond, void (*call)(void *userdata, const struct field_ref *ref),
                     void *userdata);
/* A filter around a checked tree, for struct rule's condition. The filter owns the tree then (filter_free() calls
 * cond_done()); the arena that the tree lives in must outlive it. Returns 0; -ENOMEM: the tree is still the caller's. */
int filter_from_cond(struct cond *cond, struct filter **ret_filter) must_check;
/* As format_new(), with the places of the text; t is needed only during the call.
 * Returns 0; -ENOENT: only unknown fields are wrong (one diag each); -EINVAL; -ENOMEM. */
int format_from_text(const struct source_text *t, struct diag_list *reterr_diags, struct format **ret_format)
        must_check;
/* Is this a field or transformer expression that rules may use ("proc.name", "fd.name"), for exceptions? */
bool cond_field_known(struct str text);
bool cond_operator_known(struct str text, bool *ret_takes_list); /* "=", "in", "startswith oneof" … */

/* ---- one event, many conditions: what was extracted or decided once is kept ---- */

/* Numbers the expressions and tests of a set's conditions: equal ones, by their text, get the same number. */
struct cond_numbers {
	struct map exprs, tests;
	size_t expr_count, test_count;
};
void cond_numbers_init(struct cond_numbers *n);
void cond_numbers_done(
        struct cond_numbers *n); /* the counts are kept: conditions that were numbered go on using them */
int cond_number(struct cond *cond, struct cond_numbers *n) must_check; /* after cond_check(). 0, -ENOMEM */

/* For one event under one name: begin a new one when the source's answers change or the arena is reset. */
struct cond_cache {
	const struct value **values; /* by number of the expression; NULL: not asked for yet */
	uint8_t *results;            /* by number of the test: enum cond_result */
	size_t expr_count, test_count;
};
int cond_cache_init(struct cond_cache *c, const struct cond_numbers *n, struct arena *arena)
        must_check; /* 0, -ENOMEM */
/* cache: NULL: none. */
bool cond_eval_cached(const struct cond *cond, const struct field_source *source, struct arena *arena,
                      struct cond_cache *cache);

/* One test by itself, as cond_eval_cached() decides it. */
bool cond_test_holds(struct cond_test *t, const struct field_source *source, struct arena *arena,
                     struct cond_cache *cache);

const struct cond *filter_cond(const struct filter *f); /* borrowed */

#endif
