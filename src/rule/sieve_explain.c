/* SPDX-License-Identifier: Apache-2.0
 *
 * What the kernel decides of a rule, in the words of the language.
 */
#include <errno.h>
#include <stdlib.h>

#include "rule/sieve.h"

#define TEXT_BYTES_MAX (16u << 20)

const char *rule_sieve_state_name(enum rule_sieve_state state)
{
	static const char *const names[] = {[RULE_SIEVE_OPENED] = "opened",
	                                    [RULE_SIEVE_FAILED] = "failed",
	                                    [RULE_SIEVE_DONE] = "done",
	                                    [RULE_SIEVE_REFUSED] = "refused",
	                                    [RULE_SIEVE_CONNECTED] = "connected"};
	return names[state];
}

/* ---- conditions ---- */

/* A pattern with wildcards is asked for by how it begins. */
static void write_atom(const struct atom *a, struct buf *out)
{
	struct cond_test test = *a->test;
	struct literal begin;
	if (test.op == OP_GLOB && test.literal_count == 1) {
		begin = (struct literal){.text = sieve_glob_begin(test.operands[0].value.str)};
		test.op = OP_STARTSWITH;
		test.literals = &begin;
	}
	cond_test_explain(&test, out);
}

static void write_formula(const struct sieve *s, const struct formula *f, bool outermost, struct buf *out)
{
	if (f->kind == FORMULA_ATOM) {
		write_atom(&s->plan->atoms[f->atom], out);
		return;
	}
	bool group = f->kind == FORMULA_NOT || !outermost;
	buf_add_text(out, f->kind == FORMULA_NOT ? "not (" : group ? "(" : "");
	for (size_t i = 0; i < f->count; i++) {
		buf_add_text(out, i == 0 ? "" : f->kind == FORMULA_AND ? " and " : " or ");
		write_formula(s, f->items[i], f->kind == FORMULA_NOT, out);
	}
	buf_add_text(out, group ? ")" : "");
}

static int take_text(const struct buf *text, struct arena *arena, struct str *ret_text)
{
	if (buf_error(text) < 0)
		return buf_error(text) == -ENOMEM ? -ENOMEM : -E2BIG;
	struct str copy = arena_str(arena, buf_str(text));
	if (!copy.data)
		return -ENOMEM;
	*ret_text = copy;
	return 0;
}

static int explain_condition(const struct sieve *s, const struct formula *f, struct arena *arena, struct str *ret_text)
{
	_cleanup_(buf_done) struct buf text;
	buf_init(&text, TEXT_BYTES_MAX);
	write_formula(s, f, true, &text);
	return take_text(&text, arena, ret_text);
}

/* ---- what is not decided ---- */

struct collector {
	struct sieve *sieve;
	enum sieve_state state;
	struct arena *arena;
	bool *seen; /* by atom of the plan */
	struct rule_sieve_case *to;
};

static int add_open(struct collector *c, uint32_t index)
{
	const struct atom *a = &c->sieve->plan->atoms[index];
	_cleanup_(buf_done) struct buf text;
	buf_init(&text, TEXT_BYTES_MAX);
	if (c->seen[index] || a->process || !sieve_atom_is_open(c->sieve, c->state, a))
		return 0;
	c->seen[index] = true;
	cond_test_explain(a->test, &text);
	int r = take_text(&text, c->arena, &c->to->open[c->to->open_count]);
	c->to->open_count += r == 0;
	return r;
}

static int collect(struct collector *c, const struct formula *f)
{
	int r = f->kind == FORMULA_ATOM ? add_open(c, f->atom) : 0;
	for (size_t i = 0; i < f->count && r == 0; i++)
		r = collect(c, f->items[i]);
	return r;
}

static size_t atoms_of(const struct formula *f)
{
	size_t count = f->kind == FORMULA_ATOM;
	for (size_t i = 0; i < f->count; i++)
		count += atoms_of(f->items[i]);
	return count;
}

static int explain_open(struct sieve *s, enum sieve_state state, const struct formula *f, struct arena *arena,
                        struct rule_sieve_case *to)
{
	_cleanup_(base_free_ptr) bool *seen = calloc(s->plan->atom_count + 1, sizeof(*seen));
	to->open = arena_array(arena, struct str, atoms_of(f) + 1);
	if (!seen || !to->open)
		return -ENOMEM;
	return collect(&(struct collector){s, state, arena, seen, to}, f);
}

/* ---- a type ---- */

static const struct formula *weakened(const struct sieve *s, enum sieve_state state, size_t number)
{
	const struct sieve_rules *rules = &s->states[state];
	for (size_t i = 0; i < rules->count; i++)
		if (rules->rules[i].number == number)
			return rules->rules[i].exact;
	return NULL;
}

static int explain_case(struct sieve *s, enum sieve_state state, size_t number, const struct formula *whole,
                        struct arena *arena, struct rule_sieve_case *to)
{
	const struct formula *f = weakened(s, state, number);
	to->fate = sieve_has_state(s, state) ? RULE_SIEVE_NEVER : RULE_SIEVE_NONE;
	if (!f)
		return 0;
	to->fate = f->kind == FORMULA_TRUE ? RULE_SIEVE_ALWAYS : RULE_SIEVE_DECIDES;
	int r = to->fate == RULE_SIEVE_DECIDES ? explain_condition(s, f, arena, &to->condition) : 0;
	return r == 0 ? explain_open(s, state, whole, arena, to) : r;
}

static bool texts_equal(const struct str *a, size_t a_count, const struct str *b, size_t b_count)
{
	for (size_t i = 0; i < a_count && a_count == b_count; i++)
		if (!str_equal(a[i], b[i]))
			return false;
	return a_count == b_count;
}

static bool cases_equal(const struct rule_sieve_case *a, const struct rule_sieve_case *b)
{
	for (size_t i = 0; i < RULE_SIEVE_STATES; i++)
		if (a[i].fate != b[i].fate || !str_equal(a[i].condition, b[i].condition) ||
		    !texts_equal(a[i].open, a[i].open_count, b[i].open, b[i].open_count))
			return false;
	return true;
}

/* Types of which the same is decided share a part. */
static int part_of(struct rule_explanation *out, const struct rule_sieve_part *part, struct rule_sieve_part **ret_part)
{
	for (size_t i = 0; i < out->sieve_count; i++) {
		if (cases_equal(out->sieve[i].cases, part->cases)) {
			*ret_part = &out->sieve[i];
			return 0;
		}
	}
	const char **types = arena_array(&out->arena, const char *, EVENT_TYPE_MAX);
	if (!types)
		return -ENOMEM;
	struct rule_sieve_part *to = &out->sieve[out->sieve_count++];
	*to = *part;
	to->types = types;
	*ret_part = to;
	return 0;
}

static const struct formula *whole_formula(const struct rule_programs *p, enum event_type type, size_t number)
{
	const struct program_rule *formulas;
	struct program_parts parts;
	struct type_rules rules = program_rules_get(p, type, &formulas);
	program_parts_get(p, &parts);
	for (size_t i = 0; i < rules.count; i++)
		if (rule_set_index(parts.set, rules.items[i]) == number)
			return formulas[i].formula;
	return NULL;
}

static int explain_type(const struct rule_programs *p, enum event_type type, size_t number,
                        struct rule_explanation *out)
{
	static const enum sieve_state states[] = {[RULE_SIEVE_OPENED] = SIEVE_OPENED,
	                                          [RULE_SIEVE_FAILED] = SIEVE_FAILED,
	                                          [RULE_SIEVE_DONE] = SIEVE_DONE,
	                                          [RULE_SIEVE_REFUSED] = SIEVE_REFUSED,
	                                          [RULE_SIEVE_CONNECTED] = SIEVE_CONNECTED};
	const struct formula *whole = whole_formula(p, type, number);
	_cleanup_(sieve_done) struct sieve s;
	struct rule_sieve_part part = {0}, *to;
	int r = sieve_prepare(&s, p, type);
	if (r == -EOPNOTSUPP || !whole)
		return 0;
	for (unsigned i = 0; i < RULE_SIEVE_STATES && r == 0; i++)
		r = explain_case(&s, states[i], number, whole, &out->arena, &part.cases[i]);
	if (r == 0)
		r = part_of(out, &part, &to);
	if (r == 0)
		to->types[to->type_count++] = event_type_info(type)->name;
	return r;
}

int sieve_explain(const struct rule_programs *p, struct rule_explanation *out, size_t number)
{
	int r = 0;
	out->sieve = arena_array(&out->arena, struct rule_sieve_part, EVENT_TYPE_MAX);
	if (!out->sieve)
		return -ENOMEM;
	for (unsigned type = 1; type < EVENT_TYPE_MAX && r == 0; type++)
		r = explain_type(p, type, number, out);
	return r;
}
