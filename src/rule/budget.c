/* SPDX-License-Identifier: Apache-2.0
 *
 * What judging may cost at most. The verifier proves a bound for each program. A rule's share of it: the instructions of
 * its own part, which are run once at most, and what the patterns that it asks for may take, which it may share.
 */
#include "rule/budget_int.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>

void verdict_freep(struct picket_verdict **v)
{
	picket_verdict_free(*v);
}

/* ---- programs ---- */

static int write_once(const struct program_parts *parts, const struct program_rule *rules, size_t count, bool far,
                      struct code *c)
{
	code_init(c, far);
	c->marking = true;
	if (rules)
		return program_write(parts->plan, parts->layout, rules, count, parts->scans, parts->scan_maps, c);
	return program_write_process(parts->plan, parts->layout, parts->scans, parts->scan_maps, c);
}

int parts_write(const struct program_parts *parts, const struct program_rule *rules, size_t count,
                struct code *ret_code)
{
	_cleanup_(code_done) struct code code;
	int r = write_once(parts, rules, count, false, &code);
	if (r == -ERANGE) {
		code_done(&code);
		r = write_once(parts, rules, count, true, &code);
	}
	if (r < 0)
		return r;
	*ret_code = code;
	code_init(&code, false);
	return 0;
}

int parts_verify(const struct program_parts *parts, const struct code *code, struct picket_verdict **ret_verdict)
{
	struct picket_verify_options options = {
	        .kind = PICKET_KIND_RULE,
	        .helpers = parts->helpers,
	        .helper_count = parts->helper_count,
	        .insns_max = PROGRAM_VERIFY_INSNS_MAX,
	        .states_max = PROGRAM_VERIFY_STATES_MAX,
	        .memory_max = PROGRAM_VERIFY_MEMORY_MAX,
	};
	return picket_verify_insns(code->insns, code->count, parts->specs, parts->map_count, &options, ret_verdict);
}

int parts_bound(const struct program_parts *parts, const struct code *code, uint64_t *ret_bound)
{
	_cleanup_(verdict_freep) struct picket_verdict *verdict = NULL;
	int r = parts_verify(parts, code, &verdict);
	if (r == 0)
		*ret_bound = verdict->accepted ? verdict->insn_bound : 0;
	return r;
}

struct code_range code_of_rule(const struct code *c, uint32_t rule)
{
	struct code_range range = {0};
	bool inside = false;
	for (size_t i = 0; i < c->mark_count; i++) {
		const struct code_mark *m = &c->marks[i];
		if (m->kind == CODE_MARK_ATOM || m->kind == CODE_MARK_MATCH)
			continue;
		if (inside) {
			range.end = m->insn;
			return range;
		}
		inside = m->kind == CODE_MARK_RULE && m->index == rule;
		range.first = m->insn;
	}
	range.end = c->count;
	return inside ? range : (struct code_range){0};
}

/* ---- groups of patterns ---- */

int group_bounds_init(struct group_bounds *g, const struct program_parts *parts)
{
	*g = (struct group_bounds){.parts = parts};
	g->bounds = calloc(plan_functions(parts->plan) + 1, sizeof(*g->bounds));
	return g->bounds ? 0 : -ENOMEM;
}

void group_bounds_done(struct group_bounds *g)
{
	free(g->bounds);
}

/* A program that decides one atom, as if it were none of the process, whose bits are only tested. */
static int atom_bound(const struct program_parts *parts, uint32_t atom, uint64_t *ret_bound)
{
	_cleanup_(code_done) struct code code = {0};
	_cleanup_(base_free_ptr) struct atom *atoms = NULL;
	const struct formula asked = {.kind = FORMULA_ATOM, .atom = atom};
	struct plan plan = *parts->plan;
	struct program_parts alone = *parts;
	atoms = reallocarray(NULL, plan.atom_count, sizeof(*atoms));
	if (!atoms)
		return -ENOMEM;
	memcpy(atoms, plan.atoms, plan.atom_count * sizeof(*atoms));
	atoms[atom].process = false;
	plan.atoms = atoms;
	alone.plan = &plan;
	int r = parts_write(&alone, &(struct program_rule){&asked}, 1, &code);
	return r < 0 ? r : parts_bound(&alone, &code, ret_bound);
}

struct asking {
	struct group_bounds *bounds;
	bool *asked; /* by function */
	uint64_t sum;
};

static int ask_atom(struct asking *a, uint32_t atom)
{
	const struct plan *plan = a->bounds->parts->plan;
	const struct atom *at = &plan->atoms[atom];
	if (!atom_is_sought(at) || a->asked[at->known])
		return 0;
	uint64_t *bound = &a->bounds->bounds[at->known];
	int r = *bound ? 0 : atom_bound(a->bounds->parts, atom, bound);
	a->asked[at->known] = true;
	a->sum += *bound;
	return r;
}

static int ask_formula(struct asking *a, const struct formula *f)
{
	int r = f->kind == FORMULA_ATOM ? ask_atom(a, f->atom) : 0;
	for (size_t i = 0; r == 0 && i < f->count; i++)
		r = ask_formula(a, f->items[i]);
	return r;
}

int group_bounds_of_formula(struct group_bounds *g, const struct formula *f, uint64_t *ret_bound)
{
	_cleanup_(base_free_ptr) bool *asked = calloc(plan_functions(g->parts->plan) + 1, sizeof(*asked));
	struct asking a = {.bounds = g, .asked = asked};
	if (!asked)
		return -ENOMEM;
	int r = ask_formula(&a, f);
	if (r == 0)
		*ret_bound = a.sum;
	return r;
}

/* ---- the budget ---- */

struct checking {
	const struct rule_programs *programs;
	struct program_parts parts;
	struct diag_list *diags;
	uint64_t process;         /* bound of the program of processes */
	uint64_t most;            /* of the types' programs */
	unsigned most_type, over; /* whose that is; how many types are over the budget */
	uint64_t budget;
};

static uint64_t sum_of(uint64_t a, uint64_t b)
{
	return a > UINT64_MAX - b ? UINT64_MAX : a + b;
}

/* what: that the program decides. A refused one takes nothing: the reference evaluator does its work. */
static int check_program(struct checking *c, const struct program_rule *rules, size_t count, const char *what,
                         uint64_t *ret_bound)
{
	_cleanup_(code_done) struct code code = {0};
	_cleanup_(verdict_freep) struct picket_verdict *verdict = NULL;
	int r = parts_write(&c->parts, rules, count, &code);
	if (r == 0)
		r = parts_verify(&c->parts, &code, &verdict);
	if (r < 0 && r != -ENOMEM) {
		diag_add(c->diags, DIAG_WARNING, "LOAD_COMPILE_PROGRAM", NULL, 0, 0,
		         "the program for %s cannot be made (%s): its rules are interpreted", what, strerror(-r));
		*ret_bound = 0;
		return 0;
	}
	if (r < 0)
		return r;
	*ret_bound = verdict->accepted ? verdict->insn_bound : 0;
	if (!verdict->accepted)
		diag_add(c->diags, DIAG_WARNING, "LOAD_COMPILE_PROGRAM", NULL, 0, 0,
		         "the program for %s is refused at instruction %u (%s: %s): its rules are interpreted", what,
		         verdict->insn, picket_category_name(verdict->category), verdict->reason);
	return 0;
}

static int check_type(struct checking *c, unsigned type)
{
	const struct program_rule *formulas;
	struct type_rules rules = program_rules_get(c->programs, type, &formulas);
	uint64_t bound;
	if (rules.count == 0)
		return 0;
	int r = check_program(c, formulas, rules.count, event_type_info(type)->name, &bound);
	if (r < 0)
		return r;
	c->over += sum_of(bound, c->process) > c->budget;
	if (bound > c->most) {
		c->most = bound;
		c->most_type = type;
	}
	return 0;
}

struct costliest {
	const struct rule *rule; /* NULL: none costs anything */
	uint64_t cost;
};

static int find_costliest(const struct checking *c, unsigned type, struct costliest *ret_costliest)
{
	_cleanup_(code_done) struct code code = {0};
	_cleanup_(group_bounds_done) struct group_bounds bounds = {0};
	const struct program_rule *formulas;
	struct type_rules rules = program_rules_get(c->programs, type, &formulas);
	struct costliest most = {0};
	int r = group_bounds_init(&bounds, &c->parts);
	if (r == 0)
		r = parts_write(&c->parts, formulas, rules.count, &code);
	for (uint32_t i = 0; r == 0 && i < rules.count; i++) {
		struct code_range range = code_of_rule(&code, i);
		uint64_t patterns = 0;
		r = group_bounds_of_formula(&bounds, formulas[i].formula, &patterns);
		uint64_t cost = sum_of(range.end - range.first, patterns);
		if (cost > most.cost)
			most = (struct costliest){&rules.items[i]->rule, cost};
	}
	if (r == 0)
		*ret_costliest = most;
	return r;
}

static int tell_over(const struct checking *c)
{
	struct costliest most = {0};
	int r = find_costliest(c, c->most_type, &most);
	if (r < 0)
		return r;
	struct diag *d =
	        diag_add(c->diags, DIAG_ERROR, "LOAD_ERR_BUDGET", most.rule ? most.rule->file : NULL,
	                 most.rule ? most.rule->line : 0, 0,
	                 "judging one %s may take %" PRIu64 " instructions, of which %" PRIu64
	                 " are about its process, and the budget is %" PRIu64 "; the rule \"%s\" costs most, %" PRIu64,
	                 event_type_info(c->most_type)->name, sum_of(c->most, c->process), c->process, c->budget,
	                 most.rule ? most.rule->name : "?", most.cost);
	diag_set_hint(d,
	              "turn that rule off, have it seek fewer parts of long texts (contains), or allow more with "
	              "--rule-budget; %u type%s of events %s over the budget",
	              c->over, c->over == 1 ? "" : "s", c->over == 1 ? "is" : "are");
	return -EINVAL;
}

int rule_programs_check(const struct rule_programs *p, uint64_t budget, struct rule_cost *ret_cost,
                        struct diag_list *reterr_diags)
{
	struct checking c = {.programs = p, .diags = reterr_diags, .budget = budget};
	program_parts_get(p, &c.parts);
	int r = check_program(&c, NULL, 0, "processes", &c.process);
	for (unsigned type = 0; r == 0 && type < EVENT_TYPE_MAX; type++)
		r = check_type(&c, type);
	if (r < 0)
		return r;
	if (c.over)
		return tell_over(&c);
	if (ret_cost)
		*ret_cost = (struct rule_cost){
		        .bound = c.most ? sum_of(c.most, c.process) : 0, .process = c.process, .type = c.most_type};
	return 0;
}
