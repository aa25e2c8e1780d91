/* SPDX-License-Identifier: Apache-2.0
 *
 * Private to sieve*.c: the programs for the kernel, while they are made.
 */
#ifndef PICKET_RULE_SIEVE_H
#define PICKET_RULE_SIEVE_H

#include "rule/program_int.h"
#include "rule/rule.h"
#include "schema/sieve.h"

/* What a rule comes to in a state: true if it may match. first: while nothing is sought inside texts, so it may be true
 * more often. */
struct sieve_rule {
	const struct formula *exact, *first;
	bool seeks;    /* exact asks for patterns inside texts */
	size_t number; /* of the rule in its set */
};

struct sieve_rules {
	struct sieve_rule *rules; /* those that are not false */
	size_t count;
};

struct sieve {
	const struct plan *plan;
	struct arena arena;
	unsigned possible; /* states, SIEVE_IN() */
	struct sieve_rules states[SIEVE_STATES];
	struct code code;
	struct rule_sieve_table tables[RULE_SIEVE_TABLES_MAX];
	size_t table_count;
};

/* The rules of a type as its program is to judge them. Returns 0; -EOPNOTSUPP: events of that type are not sieved; -ENOMEM.
 * s: sieve_done(), also on failure. */
int sieve_prepare(struct sieve *s, const struct rule_programs *p, enum event_type type) must_check;
void sieve_done(struct sieve *s);                                                       /* also for _cleanup_ */
bool sieve_has_state(const struct sieve *s, enum sieve_state state);                    /* may its events be in it? */
bool sieve_atom_is_open(struct sieve *s, enum sieve_state state, const struct atom *a); /* nothing is known of it */

/* Does the program decide the atom, by that text or number? */
bool sieve_atom_text(enum sieve_state state, const struct atom *a, enum sieve_text *ret_text);
bool sieve_atom_number(enum sieve_state state, const struct atom *a, enum sieve_number *ret_number);

/* Or by a number that its field follows from: each word, from *word on, that says what the field is for one value. Does the
 * atom hold for that? */
bool sieve_atom_word(enum sieve_state state, const struct atom *a, size_t *word);
bool sieve_word_holds(struct sieve *s, enum sieve_state state, const struct atom *a, size_t word,
                      enum sieve_number *ret_number, int32_t *ret_value);

/* Or a pattern with wildcards, by how it begins: may it hold? Only where it must hold for a rule to match. */
bool sieve_atom_glob(enum sieve_state state, const struct atom *a, enum sieve_text *ret_text);
struct str sieve_glob_begin(struct str glob);

/* To code and tables. Returns 0; -ENOMEM; -E2BIG: more patterns or tables than the kernel's half has room for. */
int sieve_write(struct sieve *s) must_check;

/* Of one rule, to its explanation (sieve_explain.c). Returns 0; -ENOMEM; -E2BIG. */
int sieve_explain(const struct rule_programs *p, struct rule_explanation *out, size_t number) must_check;

#endif
