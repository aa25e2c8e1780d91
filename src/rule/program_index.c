/* SPDX-License-Identifier: Apache-2.0 */
#include "rule/program_index.h"

#include <errno.h>
#include <stdlib.h>

#define DRIVER_CHANCE_MAX 0.2 /* of an atom: what holds for most events keeps nothing out */
#define RULE_DRIVERS_MAX 64   /* atoms of one rule */
#define DRIVING_PARTS_MAX 4   /* that are sought inside of names */
#define FUNCTION_COST 4       /* of seeking in what has to be got, if seeking in a name costs 1 */
#define RULE_FUNCTIONS_MAX 3  /* groups and sets that a rule's drivers are in */
#define GUARD_CHANCE_MAX 0.8
#define GUARD_COST_MAX 200
#define CANDIDATES_MAX 256                /* of guards that are looked at */
#define LAST_BLOCK (INDEX_BLOCKS_MAX - 1) /* of what finds no block of its own: without guards and drivers */

/* ---- drivers of a formula ---- */

struct found {
	uint32_t atoms[RULE_DRIVERS_MAX];
	size_t count;
	uint32_t functions[RULE_FUNCTIONS_MAX]; /* of the atoms, ascending */
	size_t function_count;
};

static bool function_add(struct found *f, uint32_t function)
{
	size_t at = 0;
	while (at < f->function_count && f->functions[at] < function)
		at++;
	if (at < f->function_count && f->functions[at] == function)
		return true;
	if (f->function_count == RULE_FUNCTIONS_MAX)
		return false;
	memmove(f->functions + at + 1, f->functions + at, (f->function_count - at) * sizeof(*f->functions));
	f->functions[at] = function;
	f->function_count++;
	return true;
}

static bool atom_add(const struct plan *p, struct found *f, uint32_t atom)
{
	if (f->count == RULE_DRIVERS_MAX || !function_add(f, p->atoms[atom].known))
		return false;
	f->atoms[f->count++] = atom;
	return true;
}

static bool group_is_of_name(const struct plan *p, const struct plan_group *g)
{
	return expr_is_field(p->texts[g->input].expr, FIELD_FD_NAME);
}

/* Patterns at the end of texts or inside are among them only for names of files, which are asked for in any case, and only if
 * going through these once more is quick. */
static bool group_drives(const struct plan *p, const struct plan_group *g)
{
	return g->kind == GROUP_BEGINS ||
	       (group_is_of_name(p, g) && (g->kind == GROUP_ENDS || g->count <= DRIVING_PARTS_MAX));
}

static bool atom_drives(const struct plan *p, const struct formula *f)
{
	const struct atom *a = &p->atoms[f->atom];
	if (a->process || a->negated || f->chance > DRIVER_CHANCE_MAX)
		return false;
	return a->set || (a->kind == ATOM_TEXT && group_drives(p, &p->groups[a->group]));
}

/* Of a's functions, what those cost that are not needed anyway: most of it is getting what they seek in. */
static size_t functions_more(const struct plan *p, const struct found *a, const struct found *needed)
{
	size_t more = 0;
	for (size_t i = 0; i < a->function_count; i++) {
		uint32_t function = a->functions[i];
		bool at_hand = function < p->group_count && group_is_of_name(p, &p->groups[function]);
		size_t at = 0;
		while (at < needed->function_count && needed->functions[at] != function)
			at++;
		if (at == needed->function_count)
			more += at_hand ? 1 : FUNCTION_COST;
	}
	return more;
}

static bool is_better(const struct plan *p, const struct found *a, const struct found *b, const struct found *needed)
{
	size_t more_a = functions_more(p, a, needed), more_b = functions_more(p, b, needed);
	return more_a != more_b ? more_a < more_b : a->count < b->count;
}

static bool find_drivers(const struct plan *p, const struct formula *f, struct found *found);

/* Any operand's would do. */
static bool find_of_and(const struct plan *p, const struct formula *f, struct found *found)
{
	struct found best = {0};
	bool any = false;
	for (size_t i = 0; i < f->count; i++) {
		struct found one = {0};
		if (!find_drivers(p, f->items[i], &one) || (any && !is_better(p, &one, &best, found)))
			continue;
		best = one;
		any = true;
	}
	for (size_t i = 0; any && i < best.count; i++)
		if (!atom_add(p, found, best.atoms[i]))
			return false;
	return any;
}

/* Adds those of the formula; false: it has none. */
static bool find_drivers(const struct plan *p, const struct formula *f, struct found *found)
{
	switch (f->kind) {
	case FORMULA_ATOM:
		return atom_drives(p, f) && atom_add(p, found, f->atom);
	case FORMULA_AND:
		return find_of_and(p, f, found);
	case FORMULA_OR:
		for (size_t i = 0; i < f->count; i++)
			if (!find_drivers(p, f->items[i], found))
				return false;
		return true;
	default:
		return false;
	}
}

/* ---- guards ---- */

/* Only numbers are asked for, and what is known of the process, and something of the event. */
static bool is_of_numbers(const struct plan *p, const struct formula *f, bool *event)
{
	const struct atom *a = &p->atoms[f->kind == FORMULA_ATOM ? f->atom : 0];
	if (f->kind == FORMULA_ATOM && !a->process) {
		*event = true;
		return a->kind == ATOM_NUMBER && !a->set;
	}
	if (f->kind == FORMULA_ATOM && a->deferred)
		return false;
	for (size_t i = 0; i < f->count; i++)
		if (!is_of_numbers(p, f->items[i], event))
			return false;
	return true;
}

static bool is_guard(const struct plan *p, const struct formula *f)
{
	bool event = false;
	return f->chance <= GUARD_CHANCE_MAX && f->cost <= GUARD_COST_MAX && is_of_numbers(p, f, &event) && event;
}

struct candidates {
	struct index_guard items[CANDIDATES_MAX];
	size_t count;
};

static void candidate_count(struct candidates *c, const struct formula *f)
{
	for (size_t i = 0; i < c->count; i++) {
		if (c->items[i].formula == f) {
			c->items[i].rules++;
			return;
		}
	}
	if (c->count < CANDIDATES_MAX)
		c->items[c->count++] = (struct index_guard){.formula = f, .rules = 1};
}

/* Most rules kept out first. */
static int by_use(const void *a, const void *b)
{
	const struct index_guard *x = a, *y = b;
	double left = x->rules * (1 - x->formula->chance), right = y->rules * (1 - y->formula->chance);
	return (left < right) - (left > right);
}

static int guards_choose(struct program_index *x, const struct plan *p, const struct program_rule *rules, size_t count)
{
	_cleanup_(base_free_ptr) struct candidates *c = calloc(1, sizeof(*c));
	if (!c)
		return -ENOMEM;
	for (size_t i = 0; i < count; i++) {
		size_t parts;
		const struct formula *const *part = formula_parts(&rules[i].formula, &parts);
		for (size_t k = 0; k < parts; k++)
			if (is_guard(p, part[k]))
				candidate_count(c, part[k]);
	}
	qsort(c->items, c->count, sizeof(*c->items), by_use);
	for (size_t i = 0; i < c->count && x->guard_count < INDEX_GUARDS_MAX; i++)
		if (c->items[i].rules > 1)
			x->guards[x->guard_count++] = c->items[i];
	return 0;
}

static uint32_t guards_of(const struct program_index *x, const struct program_rule *r)
{
	uint32_t guards = 0;
	size_t parts;
	const struct formula *const *part = formula_parts(&r->formula, &parts);
	for (size_t k = 0; k < parts; k++)
		for (uint32_t g = 0; g < x->guard_count; g++)
			if (x->guards[g].formula == part[k])
				guards |= 1u << g;
	return guards;
}

/* ---- blocks ---- */

struct block {
	uint32_t guards;
	uint32_t functions[RULE_FUNCTIONS_MAX];
	size_t function_count;
};

struct builder {
	struct program_index *index;
	const struct plan *plan;
	struct block blocks[INDEX_BLOCKS_MAX];
	size_t driver_capacity;
};

static bool block_is(const struct block *a, const struct block *b)
{
	return a->guards == b->guards && a->function_count == b->function_count &&
	       memcmp(a->functions, b->functions, a->function_count * sizeof(*a->functions)) == 0;
}

static uint32_t block_find(struct builder *b, const struct block *wanted)
{
	struct program_index *x = b->index;
	for (uint32_t i = 0; i < x->block_count; i++)
		if (block_is(&b->blocks[i], wanted))
			return i;
	if (x->block_count == LAST_BLOCK)
		return LAST_BLOCK;
	b->blocks[x->block_count] = *wanted;
	return x->block_count++;
}

static int driver_add(struct builder *b, const struct index_driver *d)
{
	struct program_index *x = b->index;
	if (x->driver_count == b->driver_capacity) {
		size_t capacity = b->driver_capacity ? 2 * b->driver_capacity : 64;
		struct index_driver *drivers = reallocarray(x->drivers, capacity, sizeof(*drivers));
		if (!drivers)
			return -ENOMEM;
		x->drivers = drivers;
		b->driver_capacity = capacity;
	}
	x->drivers[x->driver_count++] = *d;
	return 0;
}

static int drivers_add(struct builder *b, uint32_t rule, uint32_t block, const struct found *found)
{
	struct program_index *x = b->index;
	int r = 0;
	for (size_t i = 0; r == 0 && i < found->count; i++) {
		const struct atom *a = &b->plan->atoms[found->atoms[i]];
		r = driver_add(b, &(struct index_driver){block, a->known, a->bit, rule});
		bit_set(x->driving, a->bit);
		x->driven[a->known] |= 1u << block;
	}
	return r;
}

static int rule_place(struct builder *b, uint32_t rule, const struct program_rule *r)
{
	struct program_index *x = b->index;
	struct found found = {0};
	if (!find_drivers(b->plan, r->formula, &found))
		found = (struct found){0};
	struct block wanted = {.guards = guards_of(x, r), .function_count = found.function_count};
	memcpy(wanted.functions, found.functions, found.function_count * sizeof(*found.functions));
	uint32_t block = block_find(b, &wanted);
	x->block_of[rule] = (uint8_t)block;
	if (block == LAST_BLOCK || found.count == 0) {
		x->undriven |= 1u << block;
		return 0;
	}
	return drivers_add(b, rule, block, &found);
}

static void guards_note_blocks(struct builder *b)
{
	struct program_index *x = b->index;
	for (uint32_t g = 0; g < x->guard_count; g++)
		for (uint32_t i = 0; i < x->block_count; i++)
			if (b->blocks[i].guards >> g & 1)
				x->guards[g].blocks |= 1u << i;
}

static int by_members(const void *a, const void *b)
{
	const struct index_driver *x = a, *y = b;
	const uint32_t left[] = {x->block, x->function, x->bit, x->rule},
	               right[] = {y->block, y->function, y->bit, y->rule};
	for (size_t i = 0; i < ARRAY_SIZE(left); i++)
		if (left[i] != right[i])
			return left[i] < right[i] ? -1 : 1;
	return 0;
}

static int index_build(struct builder *b, const struct program_rule *rules, size_t count)
{
	struct program_index *x = b->index;
	int r = guards_choose(x, b->plan, rules, count);
	for (uint32_t i = 0; r == 0 && i < count; i++)
		r = rule_place(b, i, &rules[i]);
	if (r < 0)
		return r;
	guards_note_blocks(b);
	if (x->undriven >> LAST_BLOCK & 1)
		x->block_count = INDEX_BLOCKS_MAX;
	if (x->driver_count)
		qsort(x->drivers, x->driver_count, sizeof(*x->drivers), by_members);
	return 0;
}

int program_index_init(struct program_index *x, const struct plan *p, const struct program_rule *rules, size_t count)
{
	struct program_index index = {.block_count = 1, .undriven = 1};
	index.block_of = calloc(count + 1, sizeof(*index.block_of));
	index.driven = calloc(plan_functions(p) + 1, sizeof(*index.driven));
	index.driving = calloc(BIT_WORDS(plan_event_bit(p) + p->event_bits) + 1, sizeof(*index.driving));
	int r = index.block_of && index.driven && index.driving ? 0 : -ENOMEM;
	if (r == 0 && count >= INDEX_RULES_MIN) {
		struct builder b = {.index = &index, .plan = p};
		index.block_count = index.undriven = 0;
		r = index_build(&b, rules, count);
	}
	if (r < 0) {
		program_index_done(&index);
		return r;
	}
	*x = index;
	return 0;
}

void program_index_done(struct program_index *x)
{
	free(x->block_of);
	free(x->drivers);
	free(x->driven);
	free(x->driving);
	*x = (struct program_index){0};
}
