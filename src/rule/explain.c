/* SPDX-License-Identifier: Apache-2.0
 *
 * How a rule is decided: its atoms, its formula for each type of event, its part of the programs, their bounds.
 */
#include <errno.h>
#include <stdlib.h>

#include "rule/budget_int.h"
#include "rule/sieve.h"

#define EXPLANATION_BYTES_MAX (256u << 20)
#define TEXT_BYTES_MAX (16u << 20) /* of one atom */

const char *rule_atom_means_name(enum rule_atom_means means)
{
	static const char *const names[] = {
	        [RULE_ATOM_BEGINS] = "begins", [RULE_ATOM_ENDS] = "ends",       [RULE_ATOM_SCAN] = "scan",
	        [RULE_ATOM_NUMBER] = "number", [RULE_ATOM_OTHER] = "reference",
	};
	return names[means];
}

struct explainer {
	const struct rule_programs *programs;
	struct program_parts parts;
	const struct rule *rule;
	struct rule_explanation *out;
	size_t *places; /* by atom of the plan: its index in the explanation + 1; 0: the rule does not make it */
	struct group_bounds bounds;
};

/* ---- atoms ---- */

static enum rule_atom_means means_of(const struct plan *p, const struct atom *a)
{
	if (a->kind == ATOM_NUMBER)
		return RULE_ATOM_NUMBER;
	if (a->kind == ATOM_OTHER)
		return RULE_ATOM_OTHER;
	switch (p->groups[a->group].kind) {
	case GROUP_BEGINS:
		return RULE_ATOM_BEGINS;
	case GROUP_ENDS:
		return RULE_ATOM_ENDS;
	default:
		return RULE_ATOM_SCAN;
	}
}

static int add_atom(struct explainer *x, uint32_t index)
{
	const struct plan *plan = x->parts.plan;
	const struct atom *a = &plan->atoms[index];
	struct rule_atom *to = &x->out->atoms[x->out->atom_count];
	_cleanup_(buf_done) struct buf text;
	buf_init(&text, TEXT_BYTES_MAX);
	cond_test_explain(a->test, &text);
	if (buf_error(&text) < 0)
		return buf_error(&text) == -ENOMEM ? -ENOMEM : -E2BIG;
	*to = (struct rule_atom){.text = arena_str(&x->out->arena, buf_str(&text)),
	                         .process = a->process,
	                         .means = means_of(plan, a),
	                         .patterns = a->kind == ATOM_TEXT ? plan->groups[a->group].count
	                                     : a->set             ? plan->sets[a->set - 1].count
	                                                          : 0};
	if (!to->text.data)
		return -ENOMEM;
	x->places[index] = ++x->out->atom_count;
	return 0;
}

static void note_formula(struct explainer *x, const struct formula *f, size_t *count)
{
	if (f->kind == FORMULA_ATOM && !x->places[f->atom]) {
		x->places[f->atom] = 1;
		(*count)++;
	}
	for (size_t i = 0; i < f->count; i++)
		note_formula(x, f->items[i], count);
}

/* The rule's formula for a type; NULL: it is not judged there. ret_index: among the type's rules. */
static const struct formula *formula_of(const struct explainer *x, unsigned type, uint32_t *ret_index)
{
	const struct program_rule *formulas;
	struct type_rules rules = program_rules_get(x->programs, type, &formulas);
	for (uint32_t i = 0; i < rules.count; i++) {
		if (&rules.items[i]->rule == x->rule) {
			*ret_index = i;
			return formulas[i].formula;
		}
	}
	return NULL;
}

static int find_atoms(struct explainer *x)
{
	const struct plan *plan = x->parts.plan;
	size_t count = 0;
	uint32_t index;
	for (unsigned type = 0; type < EVENT_TYPE_MAX; type++) {
		const struct formula *f = formula_of(x, type, &index);
		if (f)
			note_formula(x, f, &count);
	}
	x->out->atoms = arena_array(&x->out->arena, struct rule_atom, count);
	if (!x->out->atoms)
		return -ENOMEM;
	for (int event = 0; event < 2; event++) {
		for (uint32_t i = 0; i < plan->atom_count; i++) {
			if (!x->places[i] || plan->atoms[i].process == event)
				continue;
			int r = add_atom(x, i);
			if (r < 0)
				return r;
		}
	}
	return 0;
}

struct counting {
	struct explainer *x;
	uint32_t *last; /* by atom of the explanation: the last rule that was counted, + 1 */
	uint32_t rule;
};

static void count_test(void *userdata, struct cond_test *t)
{
	struct counting *c = userdata;
	const struct plan *plan = c->x->parts.plan;
	uint32_t atom = t->number <= plan->numbers->test_count ? plan->by_number[t->number] : 0;
	size_t place = atom ? c->x->places[atom - 1] : 0;
	if (!place || c->last[place - 1] == c->rule + 1)
		return;
	c->last[place - 1] = c->rule + 1;
	c->x->out->atoms[place - 1].rules++;
}

static int count_rules(struct explainer *x)
{
	_cleanup_(base_free_ptr) uint32_t *last = calloc(x->out->atom_count + 1, sizeof(*last));
	struct counting c = {.x = x, .last = last};
	if (!last)
		return -ENOMEM;
	for (; c.rule < rule_set_count(x->parts.set); c.rule++) {
		const struct rule *rule = rule_set_get(x->parts.set, c.rule);
		if (rule->enabled && rule->condition)
			cond_each_test(filter_cond(rule->condition), count_test, &c);
	}
	return 0;
}

/* ---- formulas ---- */

static bool formulas_equal(const struct formula *a, const struct formula *b)
{
	if (a->kind != b->kind || a->count != b->count || (a->kind == FORMULA_ATOM && a->atom != b->atom))
		return false;
	for (size_t i = 0; i < a->count; i++)
		if (!formulas_equal(a->items[i], b->items[i]))
			return false;
	return true;
}

static size_t lines_of(const struct formula *f)
{
	size_t lines = 1;
	for (size_t i = 0; i < f->count; i++)
		lines += lines_of(f->items[i]);
	return lines;
}

static void add_lines(const struct explainer *x, const struct formula *f, unsigned depth, struct rule_part *part)
{
	static const enum rule_formula_kind kinds[] = {
	        [FORMULA_FALSE] = RULE_FORMULA_FALSE, [FORMULA_TRUE] = RULE_FORMULA_TRUE,
	        [FORMULA_ATOM] = RULE_FORMULA_ATOM,   [FORMULA_NOT] = RULE_FORMULA_NOT,
	        [FORMULA_AND] = RULE_FORMULA_ALL,     [FORMULA_OR] = RULE_FORMULA_ANY,
	};
	part->formula[part->line_count++] = (struct rule_formula_line){
	        .kind = kinds[f->kind], .depth = depth, .atom = f->kind == FORMULA_ATOM ? x->places[f->atom] - 1 : 0};
	for (size_t i = 0; i < f->count; i++)
		add_lines(x, f->items[i], depth + 1, part);
}

static int explain_formula(struct explainer *x, const struct formula *f, struct rule_part *part)
{
	part->formula = arena_array(&x->out->arena, struct rule_formula_line, lines_of(f));
	if (!part->formula)
		return -ENOMEM;
	add_lines(x, f, 0, part);
	return group_bounds_of_formula(&x->bounds, f, &part->pattern_bound);
}

/* ---- code ---- */

static enum rule_code_for purpose_of(const struct code_mark *m)
{
	return m->kind == CODE_MARK_ATOM    ? RULE_CODE_ATOM
	       : m->kind == CODE_MARK_MATCH ? RULE_CODE_MATCH
	                                    : RULE_CODE_LIVE;
}

/* The last mark at or before an instruction, which there is: the rule's own. */
static const struct code_mark *mark_at(const struct code *c, size_t insn)
{
	size_t low = 0, high = c->mark_count;
	while (high - low > 1) {
		size_t middle = low + (high - low) / 2;
		if (c->marks[middle].insn <= insn)
			low = middle;
		else
			high = middle;
	}
	return &c->marks[low];
}

static int explain_code(struct explainer *x, const struct code *c, uint32_t rule, struct rule_part *part)
{
	struct code_range range = code_of_rule(c, rule);
	char text[PICKET_TEXT_MAX];
	part->code = arena_array(&x->out->arena, struct rule_code_line, range.end - range.first);
	if (!part->code)
		return -ENOMEM;
	for (size_t i = range.first, slots; i < range.end; i += slots) {
		const struct code_mark *m = mark_at(c, i);
		slots = MAX(picket_disassemble_c(&c->insns[i], c->count - i, text, sizeof(text)), (size_t)1);
		struct str copy = arena_str(&x->out->arena, str_from(text));
		if (!copy.data)
			return -ENOMEM;
		part->code[part->code_count++] =
		        (struct rule_code_line){.insn = i,
		                                .text = copy.data,
		                                .what = purpose_of(m),
		                                .atom = m->kind == CODE_MARK_ATOM ? x->places[m->index] - 1 : 0};
	}
	part->program_insns = c->count;
	return 0;
}

/* ---- parts ---- */

/* Types with the same formula share a part. */
static int add_part(struct explainer *x, const struct formula **of_parts, const struct formula *f,
                    struct rule_part **ret_part)
{
	struct rule_explanation *e = x->out;
	for (size_t i = 0; i < e->part_count; i++) {
		if (formulas_equal(of_parts[i], f)) {
			*ret_part = &e->parts[i];
			return 0;
		}
	}
	struct rule_part *part = &e->parts[e->part_count];
	part->types = arena_array(&e->arena, const char *, EVENT_TYPE_MAX);
	part->bounds = arena_array(&e->arena, uint64_t, EVENT_TYPE_MAX);
	if (!part->types || !part->bounds)
		return -ENOMEM;
	of_parts[e->part_count++] = f;
	*ret_part = part;
	return explain_formula(x, f, part);
}

static int explain_type(struct explainer *x, unsigned type, const struct formula **of_parts)
{
	_cleanup_(code_done) struct code code = {0};
	const struct program_rule *formulas;
	struct type_rules rules = program_rules_get(x->programs, type, &formulas);
	uint32_t index = 0;
	struct rule_part *part;
	const struct formula *f = formula_of(x, type, &index);
	if (!f)
		return 0;
	int r = add_part(x, of_parts, f, &part);
	if (r == 0)
		r = parts_write(&x->parts, formulas, rules.count, &code);
	if (r == 0 && part->type_count == 0)
		r = explain_code(x, &code, index, part);
	if (r == 0)
		r = parts_bound(&x->parts, &code, &part->bounds[part->type_count]);
	if (r == 0)
		part->types[part->type_count++] = event_type_info(type)->name;
	return r;
}

static int explain_types(struct explainer *x)
{
	_cleanup_(base_free_ptr) const struct formula **of_parts = calloc(EVENT_TYPE_MAX, sizeof(*of_parts));
	x->out->parts = arena_array(&x->out->arena, struct rule_part, EVENT_TYPE_MAX);
	if (!of_parts || !x->out->parts)
		return -ENOMEM;
	int r = 0;
	for (unsigned type = 0; r == 0 && type < EVENT_TYPE_MAX; type++)
		r = explain_type(x, type, of_parts);
	return r;
}

static int explain_process(struct explainer *x)
{
	_cleanup_(code_done) struct code code = {0};
	int r = parts_write(&x->parts, NULL, 0, &code);
	if (r < 0)
		return r;
	x->out->process_insns = code.count;
	return parts_bound(&x->parts, &code, &x->out->process_bound);
}

/* ---- the whole ---- */

static size_t rule_number(const struct explainer *x)
{
	size_t number = 0;
	while (number < rule_set_count(x->parts.set) && rule_set_get(x->parts.set, number) != x->rule)
		number++;
	return number;
}

static int explain(struct explainer *x)
{
	int r = find_atoms(x);
	if (r == 0)
		r = count_rules(x);
	if (r == 0)
		r = group_bounds_init(&x->bounds, &x->parts);
	if (r == 0)
		r = explain_types(x);
	if (r == 0)
		r = explain_process(x);
	return r == 0 ? sieve_explain(x->programs, x->out, rule_number(x)) : r;
}

int rule_explanation_new(const struct rule_programs *p, const struct rule *rule,
                         struct rule_explanation **ret_explanation)
{
	struct explainer x = {.programs = p, .rule = rule};
	int r = -ENOMEM;
	program_parts_get(p, &x.parts);
	x.places = calloc(x.parts.plan->atom_count + 1, sizeof(*x.places));
	x.out = calloc(1, sizeof(*x.out));
	if (x.out)
		arena_init(&x.out->arena, EXPLANATION_BYTES_MAX);
	if (x.out && x.places)
		r = explain(&x);
	if (r == 0)
		*ret_explanation = TAKE_PTR(x.out);
	rule_explanation_free(x.out);
	group_bounds_done(&x.bounds);
	free(x.places);
	return r;
}

void rule_explanation_free(struct rule_explanation *e)
{
	if (!e)
		return;
	arena_done(&e->arena);
	free(e);
}
