/* SPDX-License-Identifier: Apache-2.0 */
#include "rule/plan.h"

#include <errno.h>
#include <stdlib.h>

#define FORMULAS_MAX (8u << 20)
#define SET_NUMBERS_MIN 8 /* from so many on a search is cheaper than comparing */

int plan_init(struct plan *p, const struct cond_numbers *numbers)
{
	*p = (struct plan){.numbers = numbers};
	arena_init(&p->arena, PLAN_BYTES_MAX);
	map_init(&p->made, FORMULAS_MAX);
	p->by_number = calloc(numbers->test_count + 1, sizeof(*p->by_number));
	return p->by_number ? 0 : -ENOMEM;
}

void plan_done(struct plan *p)
{
	for (size_t i = 0; i < p->group_count; i++)
		free(p->groups[i].patterns);
	free(p->groups);
	for (size_t i = 0; i < p->set_count; i++)
		free(p->sets[i].numbers);
	free(p->sets);
	free(p->texts);
	free(p->numbers_asked);
	free(p->atoms);
	free(p->by_number);
	map_done(&p->made);
	arena_done(&p->arena);
	*p = (struct plan){};
}

/* Room for one more item of a growing array. */
static int grow(void *array, size_t size, size_t count, size_t *capacity)
{
	void **items = array;
	if (count < *capacity)
		return 0;
	size_t more = *capacity ? *capacity * 2 : 16;
	void *grown = reallocarray(*items, more, size);
	if (!grown)
		return -ENOMEM;
	*items = grown;
	*capacity = more;
	return 0;
}

/* ---- what kind of atom a test makes ---- */

static void note_scope(void *userdata, const struct field_ref *ref)
{
	if (field_get_info(ref->id)->scope != FIELD_SCOPE_PROC)
		*(bool *)userdata = false;
}

static bool test_is_of_process(const struct cond_test *t)
{
	bool process = true;
	expr_each_field(t->left, note_scope, &process);
	if (t->right)
		expr_each_field(t->right, note_scope, &process);
	return process;
}

/* One operand must hold, of those that there are. */
static bool means_any(const struct cond_test *t)
{
	return t->modifier == MODIFIER_NONE || t->modifier == MODIFIER_ANYOF || t->literal_count == 1;
}

static bool pattern_kind_of(const struct cond_test *t, enum pattern_kind *ret_kind)
{
	switch (t->op) {
	case OP_EXISTS: /* every text has the empty prefix */
	case OP_STARTSWITH:
	case OP_BSTARTSWITH:
	case OP_PMATCH: /* and the paths themselves */
		*ret_kind = PATTERN_PREFIX;
		return true;
	case OP_EQ:
	case OP_NE:
	case OP_IN:
	case OP_INTERSECTS:
		*ret_kind = PATTERN_EXACT;
		return true;
	case OP_ENDSWITH:
		*ret_kind = PATTERN_SUFFIX;
		return true;
	case OP_CONTAINS:
	case OP_BCONTAINS:
		*ret_kind = PATTERN_CONTAINS;
		return true;
	case OP_ICONTAINS:
		*ret_kind = PATTERN_CONTAINS_NOCASE;
		return true;
	default:
		return false;
	}
}

static bool test_is_patterns(const struct cond_test *t)
{
	enum value_class class = type_class(t->left->type);
	enum pattern_kind kind;
	if (t->right || t->left->many != MANY_ONE || (class != CLASS_TEXT && class != CLASS_BYTES))
		return false;
	if (!pattern_kind_of(t, &kind) || !means_any(t) || !t->left->number)
		return false;
	if (t->op == OP_NE && t->literal_count != 1)
		return false;
	for (size_t i = 0; i < t->literal_count; i++) {
		const struct value *v = &t->operands[i].value;
		if (!value_is_text(v) || v->str.length > PATTERN_BYTES_MAX - (t->op == OP_PMATCH))
			return false;
		if (t->op == OP_PMATCH && path_has_wildcard(v->str))
			return false;
	}
	return true;
}

bool literal_number(const struct value *v, int64_t *ret_number)
{
	if (v->kind == VALUE_BOOL)
		*ret_number = v->boolean;
	else if (v->kind == VALUE_S64)
		*ret_number = v->s64;
	else if (v->kind == VALUE_U64 && v->u64 <= INT64_MAX)
		*ret_number = (int64_t)v->u64;
	else
		return false;
	return true;
}

static bool test_is_numbers(const struct cond_test *t)
{
	enum value_class class = type_class(t->left->type);
	int64_t number;
	if (t->right || t->left->many != MANY_ONE || (class != CLASS_NUMBER && class != CLASS_BOOL) || !means_any(t))
		return false;
	if (t->op > OP_GE && t->op != OP_IN && t->op != OP_INTERSECTS)
		return false;
	if (t->op == OP_NE && t->literal_count != 1)
		return false;
	for (size_t i = 0; i < t->literal_count; i++)
		if (!literal_number(&t->operands[i].value, &number))
			return false;
	return t->left->number;
}

static enum atom_kind kind_of(const struct cond_test *t)
{
	if (test_is_patterns(t))
		return ATOM_TEXT;
	return test_is_numbers(t) ? ATOM_NUMBER : ATOM_OTHER;
}

/* ---- adding atoms ---- */

static bool expr_equal(const struct expr *a, const struct expr *b)
{
	return a->number == b->number || (expr_is_field(a, a->ref.id) && expr_is_field(b, a->ref.id));
}

static int input_add(struct plan_input **inputs, size_t *count, size_t *capacity, const struct atom *a,
                     uint32_t *ret_index)
{
	for (size_t i = 0; i < *count; i++) {
		if (expr_equal((*inputs)[i].expr, a->test->left)) {
			*ret_index = (uint32_t)i;
			return 0;
		}
	}
	int r = grow(inputs, sizeof(**inputs), *count, capacity);
	if (r < 0)
		return r;
	*ret_index = (uint32_t)*count;
	(*inputs)[(*count)++] = (struct plan_input){.expr = a->test->left, .process = a->process};
	return 0;
}

/* Its text is put together from others, and may be long. */
static bool is_put_together(const struct expr *e)
{
	if (e->kind != EXPR_FIELD)
		return true;
	switch (e->ref.id) {
	case FIELD_PROC_ARGS:
	case FIELD_PROC_CMDLINE:
	case FIELD_PROC_PCMDLINE:
	case FIELD_PROC_EXELINE:
	case FIELD_PROC_ENV:
		return true;
	default:
		return false;
	}
}

/* Of the process, but dear to decide: not wanted of each one that starts. */
static bool group_is_deferred(const struct plan *p, const struct plan_group *g)
{
	return g->process && (g->kind != GROUP_BEGINS || is_put_together(p->texts[g->input].expr));
}

static int group_add(struct plan *p, uint32_t input, enum group_kind kind, bool process, uint32_t *ret_index)
{
	for (size_t i = 0; i < p->group_count; i++) {
		if (p->groups[i].input == input && p->groups[i].kind == kind) {
			*ret_index = (uint32_t)i;
			return 0;
		}
	}
	int r = grow(&p->groups, sizeof(*p->groups), p->group_count, &p->group_capacity);
	if (r < 0)
		return r;
	*ret_index = (uint32_t)p->group_count;
	struct plan_group *g = &p->groups[p->group_count++];
	*g = (struct plan_group){.input = input, .kind = kind, .process = process};
	g->deferred = group_is_deferred(p, g);
	return 0;
}

static int pattern_add(struct plan_group *g, enum pattern_kind kind, struct str text, uint32_t bit)
{
	int r = grow(&g->patterns, sizeof(*g->patterns), g->count, &g->capacity);
	if (r < 0)
		return r;
	g->patterns[g->count++] = (struct pattern){.kind = kind, .text = text, .bit = bit};
	return 0;
}

/* A path, and what lies below it. */
static int path_patterns_add(struct plan *p, struct plan_group *g, struct str path, uint32_t bit)
{
	struct str normal = path_normal(&p->arena, path);
	if (!normal.data)
		return -ENOMEM;
	if (normal.length == 0) /* nothing lies there */
		return 0;
	if (str_equals(normal, "/"))
		return pattern_add(g, PATTERN_PREFIX, normal, bit);
	struct str below = arena_printf(&p->arena, STR_FMT "/", STR_ARG(normal));
	if (!below.data)
		return -ENOMEM;
	int r = pattern_add(g, PATTERN_EXACT, normal, bit);
	return r < 0 ? r : pattern_add(g, PATTERN_PREFIX, below, bit);
}

static int patterns_add(struct plan *p, struct atom *a)
{
	static const enum group_kind groups[] = {
	        [PATTERN_EXACT] = GROUP_BEGINS,  [PATTERN_PREFIX] = GROUP_BEGINS,        [PATTERN_SUFFIX] = GROUP_ENDS,
	        [PATTERN_CONTAINS] = GROUP_SCAN, [PATTERN_CONTAINS_NOCASE] = GROUP_SCAN,
	};
	const struct cond_test *t = a->test;
	enum pattern_kind kind = PATTERN_PREFIX;
	(void)pattern_kind_of(t, &kind);
	int r = input_add(&p->texts, &p->text_count, &p->text_capacity, a, &a->input);
	if (r == 0)
		r = group_add(p, a->input, groups[kind], a->process, &a->group);
	if (r < 0)
		return r;
	struct plan_group *g = &p->groups[a->group];
	if (t->op == OP_EXISTS)
		return pattern_add(g, kind, STR(""), a->bit);
	p->texts[a->input].paths |= t->op == OP_PMATCH;
	for (size_t i = 0; r == 0 && i < t->literal_count; i++)
		r = t->op == OP_PMATCH ? path_patterns_add(p, g, t->operands[i].value.str, a->bit)
		                       : pattern_add(g, kind, t->operands[i].value.str, a->bit + a->negated);
	return r;
}

/* May many of them be sought together? */
static bool is_equality(const struct cond_test *t)
{
	return t->op == OP_EQ || t->op == OP_IN || t->op == OP_INTERSECTS;
}

static int set_add(struct plan *p, const struct atom *a, uint32_t *ret_set)
{
	for (size_t i = 0; i < p->set_count; i++) {
		if (p->sets[i].input == a->input) {
			*ret_set = (uint32_t)i + 1;
			return 0;
		}
	}
	int r = grow(&p->sets, sizeof(*p->sets), p->set_count, &p->set_capacity);
	if (r < 0)
		return r;
	p->sets[p->set_count++] = (struct plan_set){.input = a->input, .process = a->process};
	*ret_set = (uint32_t)p->set_count;
	return 0;
}

static int numbers_add(struct plan *p, struct atom *a)
{
	const struct cond_test *t = a->test;
	int r = input_add(&p->numbers_asked, &p->number_count, &p->number_capacity, a, &a->input);
	if (r < 0 || !is_equality(t))
		return r;
	r = set_add(p, a, &a->set);
	for (size_t i = 0; r == 0 && i < t->literal_count; i++) {
		struct plan_set *s = &p->sets[a->set - 1];
		struct code_number n = {.bit = a->bit};
		(void)literal_number(&t->operands[i].value, &n.number);
		r = grow(&s->numbers, sizeof(*s->numbers), s->count, &s->capacity);
		if (r == 0)
			s->numbers[s->count++] = n;
	}
	return r;
}

int plan_atom_add(struct plan *p, struct cond_test *t, uint32_t *ret_atom)
{
	bool numbered = t->number && t->number <= p->numbers->test_count;
	if (numbered && p->by_number[t->number]) {
		*ret_atom = p->by_number[t->number] - 1;
		return 0;
	}
	struct atom a = {.kind = kind_of(t), .process = test_is_of_process(t), .test = t};
	int r = grow(&p->atoms, sizeof(*p->atoms), p->atom_count, &p->atom_capacity);
	if (r < 0)
		return r;
	uint32_t *bits = a.process ? &p->process_bits : &p->event_bits;
	a.bit = *bits;
	a.negated = a.kind == ATOM_TEXT && t->op == OP_NE;
	*bits += a.negated ? 2 : 1;
	if (a.kind == ATOM_TEXT)
		r = patterns_add(p, &a);
	else if (a.kind == ATOM_NUMBER)
		r = numbers_add(p, &a);
	if (r < 0)
		return r;
	a.deferred = a.kind == ATOM_TEXT ? p->groups[a.group].deferred : a.process && a.kind == ATOM_OTHER;
	*ret_atom = (uint32_t)p->atom_count;
	p->atoms[p->atom_count++] = a;
	if (numbered)
		p->by_number[t->number] = *ret_atom + 1;
	return 0;
}

/* ---- places of bits ---- */

/* While atoms are added, bits count from 0 for those of the process and for those of the event. */
struct bit_places {
	uint32_t *to[2]; /* new ones, by old; [process] */
	uint32_t next[2];
};

static void bit_places_done(struct bit_places *b)
{
	free(b->to[0]);
	free(b->to[1]);
}

static void atom_place(struct bit_places *b, struct atom *a)
{
	uint32_t *to = &b->to[a->process][a->bit];
	to[0] = a->bit = b->next[a->process]++;
	if (a->negated)
		to[1] = b->next[a->process]++;
}

/* Of the atoms that belong to this group or this set + 1; UINT32_MAX: to no group, 0: to no set. */
static struct bit_range atoms_place(struct plan *p, struct bit_places *b, bool process, uint32_t group, uint32_t set)
{
	struct bit_range range = {.first = b->next[process]};
	for (size_t i = 0; i < p->atom_count; i++) {
		struct atom *a = &p->atoms[i];
		uint32_t own = a->kind == ATOM_TEXT ? a->group : UINT32_MAX;
		if (a->process == process && own == group && a->set == set)
			atom_place(b, a);
	}
	range.end = b->next[process];
	return range;
}

static int number_compare_literals(const void *a, const void *b)
{
	const struct code_number *x = a, *y = b;
	return x->number == y->number ? (x->bit > y->bit) - (x->bit < y->bit) : x->number < y->number ? -1 : 1;
}

static void groups_place(struct plan *p, struct bit_places *b)
{
	for (uint32_t i = 0; i < p->group_count; i++) {
		struct plan_group *g = &p->groups[i];
		g->bits = atoms_place(p, b, g->process, i, 0);
		for (size_t k = 0; k < g->count; k++)
			g->patterns[k].bit = b->to[g->process][g->patterns[k].bit];
	}
}

static void sets_place(struct plan *p, struct bit_places *b)
{
	for (uint32_t i = 0; i < p->set_count; i++) {
		struct plan_set *s = &p->sets[i];
		s->bits = atoms_place(p, b, s->process, UINT32_MAX, i + 1);
		for (size_t k = 0; k < s->count; k++)
			s->numbers[k].bit = b->to[s->process][s->numbers[k].bit];
		if (s->count)
			qsort(s->numbers, s->count, sizeof(*s->numbers), number_compare_literals);
	}
}

/* The atoms of small sets are compared by themselves: that is cheaper. The sets stay, without any. */
static void small_sets_drop(struct plan *p)
{
	for (size_t i = 0; i < p->atom_count; i++) {
		struct atom *a = &p->atoms[i];
		if (a->set && p->sets[a->set - 1].count < SET_NUMBERS_MIN)
			a->set = 0;
	}
	for (size_t i = 0; i < p->set_count; i++)
		if (p->sets[i].count < SET_NUMBERS_MIN)
			p->sets[i].count = 0;
}

/* One for each group, for each set, for each other atom. */
static void known_place(struct plan *p)
{
	p->known_bits = (uint32_t)p->group_count;
	for (size_t i = 0; i < p->set_count; i++)
		p->sets[i].known = p->known_bits++;
	for (size_t i = 0; i < p->atom_count; i++) {
		struct atom *a = &p->atoms[i];
		a->known = a->kind == ATOM_TEXT ? a->group : a->set ? p->sets[a->set - 1].known : p->known_bits++;
	}
}

int plan_finish(struct plan *p)
{
	_cleanup_(bit_places_done) struct bit_places b = {.next = {plan_event_bit(p), 0}};
	b.to[false] = calloc(p->event_bits + 1, sizeof(*b.to[0]));
	b.to[true] = calloc(p->process_bits + 1, sizeof(*b.to[1]));
	if (!b.to[0] || !b.to[1])
		return -ENOMEM;
	map_done(&p->made);
	small_sets_drop(p);
	groups_place(p, &b);
	sets_place(p, &b);
	(void)atoms_place(p, &b, true, UINT32_MAX, 0);
	(void)atoms_place(p, &b, false, UINT32_MAX, 0);
	known_place(p);
	return 0;
}
