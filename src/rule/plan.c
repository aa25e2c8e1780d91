/* SPDX-License-Identifier: Apache-2.0 */
#include "rule/plan.h"

#include <errno.h>
#include <stdlib.h>

#define PLAN_BYTES_MAX (512u << 20)
#define FORMULAS_MAX (8u << 20)

/* Rough costs in instructions, and chances to be true: only the order that they lead to matters. */
#define COST_PROCESS 2
#define COST_DEFERRED 350 /* it may not be known yet */
#define COST_NUMBER 100   /* getting it included */
#define COST_TEXT 250     /* getting it */
#define COST_PART 350     /* to get a part of a path is to get the path first */
#define COST_NAME 60      /* most rules about files ask for it, so that it is usually there */
#define COST_BEGINS 50
#define COST_ENDS 50
#define COST_SCAN 100
#define COST_OTHER 2000
#define CHANCE_TEXT 0.005
#define CHANCE_LETTER 0.8 /* one letter says of what kind something is, and rules name the usual kind */
#define CHANCE_NUMBER 0.05
#define CHANCE_BOOL 0.5
#define CHANCE_READ 0.9 /* files are mostly opened to be read */
#define CHANCE_ORDER 0.6
#define CHANCE_NOT_NEGATIVE 0.95 /* it did not fail */
#define CHANCE_OTHER 0.2
#define SET_NUMBERS_MIN 8 /* from so many on a search is cheaper than comparing */
#define FACTORED_MAX 16   /* operands of an OR whose common parts are sought */
#define FACTORS_MAX 16
#define ITEMS_COMPARED 64  /* of a formula, when it is asked whether another has the same text */
#define CHANCE_LEAST 0.001 /* so that nothing is divided by 0 */

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

static bool is_plain_field(const struct expr *e)
{
	return e->kind == EXPR_FIELD && !e->ref.has_index && !e->ref.has_key;
}

static bool expr_equal(const struct expr *a, const struct expr *b)
{
	return a->number == b->number || (is_plain_field(a) && is_plain_field(b) && a->ref.id == b->ref.id);
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

static int atom_add(struct plan *p, struct cond_test *t, uint32_t *ret_atom)
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

/* ---- formulas ---- */

static const struct formula formula_false = {.kind = FORMULA_FALSE}, formula_true = {.kind = FORMULA_TRUE, .chance = 1};

static bool is_field(const struct cond_test *t, enum field_id id)
{
	return is_plain_field(t->left) && t->left->ref.id == id;
}

static double text_cost(const struct cond_test *t)
{
	if (is_field(t, FIELD_FD_NAME))
		return COST_NAME;
	return is_field(t, FIELD_FD_DIRECTORY) ? COST_PART : COST_TEXT;
}

static double atom_cost(const struct plan *p, const struct atom *a)
{
	static const double groups[GROUP_KINDS] = {COST_BEGINS, COST_ENDS, COST_SCAN};
	if (a->process)
		return a->deferred ? COST_DEFERRED : COST_PROCESS;
	switch (a->kind) {
	case ATOM_NUMBER:
		return COST_NUMBER;
	case ATOM_TEXT:
		return text_cost(a->test) + groups[p->groups[a->group].kind];
	default:
		return COST_OTHER;
	}
}

static bool is_letter(const struct atom *a)
{
	const struct cond_test *t = a->test;
	return a->kind == ATOM_TEXT && t->op == OP_EQ && t->literal_count == 1 && t->operands[0].value.str.length == 1;
}

static bool is_not_negative(const struct atom *a)
{
	int64_t number;
	const struct cond_test *t = a->test;
	return a->kind == ATOM_NUMBER && t->op == OP_GE && t->literal_count == 1 &&
	       literal_number(&t->operands[0].value, &number) && number == 0;
}

static bool is_read(const struct cond_test *t)
{
	return is_field(t, FIELD_EVT_IS_OPEN_READ) && t->op == OP_EQ && t->literal_count == 1 &&
	       t->operands[0].value.kind == VALUE_BOOL && t->operands[0].value.boolean;
}

static double atom_chance(const struct atom *a)
{
	bool negated = a->test->op == OP_NE;
	if (a->test->op == OP_EXISTS)
		return 1 - CHANCE_TEXT;
	if (is_letter(a))
		return CHANCE_LETTER;
	if (is_not_negative(a))
		return CHANCE_NOT_NEGATIVE;
	if (a->kind == ATOM_TEXT)
		return negated ? 1 - CHANCE_TEXT : CHANCE_TEXT;
	if (a->kind == ATOM_OTHER)
		return negated ? 1 - CHANCE_OTHER : CHANCE_OTHER;
	if (type_class(a->test->left->type) == CLASS_BOOL)
		return is_read(a->test) ? CHANCE_READ : CHANCE_BOOL;
	if (a->test->op >= OP_LT && a->test->op <= OP_GE)
		return CHANCE_ORDER;
	return negated ? 1 - CHANCE_NUMBER : CHANCE_NUMBER;
}

/* What a formula consists of. Its items are kept already, so that they are the same if their addresses are. */
static int formula_key(const struct formula *f, struct buf *out)
{
	buf_add(out, &f->kind, sizeof(f->kind));
	buf_add(out, &f->atom, sizeof(f->atom));
	buf_add(out, f->items, f->count * sizeof(*f->items));
	return buf_error(out);
}

/* A copy with its items in the plan. */
static struct formula *formula_copy(struct plan *p, const struct formula *f)
{
	struct formula *copy = arena_new(&p->arena, struct formula);
	const struct formula **items = arena_array(&p->arena, const struct formula *, f->count);
	if (!copy || !items)
		return NULL;
	*copy = *f;
	copy->items = items;
	if (f->count)
		memcpy(items, f->items, f->count * sizeof(*items));
	return copy;
}

static int formula_keep(struct plan *p, const struct formula *f, const struct formula **ret_formula)
{
	_cleanup_(buf_done) struct buf key;
	buf_init(&key, PLAN_BYTES_MAX);
	int r = formula_key(f, &key);
	if (r < 0)
		return r;
	struct formula *kept = map_get(&p->made, buf_str(&key));
	if (!kept) {
		kept = formula_copy(p, f);
		r = kept ? map_put(&p->made, buf_str(&key), kept, NULL) : -ENOMEM;
	}
	if (r < 0)
		return r == -ENOSPC ? -E2BIG : r;
	*ret_formula = kept;
	return 0;
}

static int formula_of_atom(struct plan *p, struct cond_test *t, const struct formula **ret_formula)
{
	struct formula f = {.kind = FORMULA_ATOM};
	int r = atom_add(p, t, &f.atom);
	if (r < 0)
		return r;
	f.cost = atom_cost(p, &p->atoms[f.atom]);
	f.chance = atom_chance(&p->atoms[f.atom]);
	return formula_keep(p, &f, ret_formula);
}

/* ---- a directory's name is where the file's begins ----
 * Names are asked for by most rules about files, and all that they may begin with is sought at once. So a test of fd.directory
 * is joined with one that fd.name begins so: it means the same, and the directory is hardly ever needed. */

#define BEGINNINGS_MAX 16 /* of one test */

static bool directory_begins_name(const struct plan *p, const struct formula *f)
{
	const struct atom *a = &p->atoms[f->atom];
	const struct cond_test *t = a->test;
	if (a->kind != ATOM_TEXT || !is_field(t, FIELD_FD_DIRECTORY) || t->literal_count > BEGINNINGS_MAX ||
	    (t->op != OP_EQ && t->op != OP_IN && t->op != OP_STARTSWITH))
		return false;
	for (size_t i = 0; i < t->literal_count; i++)
		if (t->operands[i].value.str.length < 2) /* "/" is also that of a name without any */
			return false;
	return true;
}

static const struct expr *plan_name(struct plan *p)
{
	const struct field_ref ref = {.id = FIELD_FD_NAME};
	struct expr *e = p->name ? NULL : arena_new(&p->arena, struct expr);
	if (e) {
		*e = (struct expr){.kind = EXPR_FIELD,
		                   .name = str_from(field_get_info(ref.id)->name),
		                   .type = field_ref_type(&ref),
		                   .many = MANY_ONE,
		                   .ref = ref,
		                   .number = SIZE_MAX}; /* no cache has it */
		p->name = e;
	}
	return p->name;
}

static struct cond_test *beginning_new(struct plan *p, const struct cond_test *of, size_t literal)
{
	struct cond_test *t = arena_new(&p->arena, struct cond_test);
	const struct expr *name = plan_name(p);
	if (!t || !name)
		return NULL;
	*t = (struct cond_test){.source = of->source,
	                        .at = of->at,
	                        .op_at = of->op_at,
	                        .left = (struct expr *)name,
	                        .op = OP_STARTSWITH,
	                        .literals = of->literals + literal,
	                        .operands = of->operands + literal,
	                        .literal_count = 1};
	return t;
}

static int formula_of_beginning(struct plan *p, const struct cond_test *of, size_t literal,
                                const struct formula **ret_formula)
{
	static const char mark = '~'; /* no other key begins so */
	struct str text = of->operands[literal].value.str;
	_cleanup_(buf_done) struct buf key;
	buf_init(&key, PLAN_BYTES_MAX);
	buf_add(&key, &mark, 1);
	buf_add(&key, text.data, text.length);
	int r = buf_error(&key);
	if (r < 0)
		return r;
	*ret_formula = map_get(&p->made, buf_str(&key));
	if (*ret_formula)
		return 0;
	struct cond_test *t = beginning_new(p, of, literal);
	r = t ? formula_of_atom(p, t, ret_formula) : -ENOMEM;
	return r < 0 ? r : map_put(&p->made, buf_str(&key), (void *)*ret_formula, NULL);
}

static int formula_join(struct plan *p, enum formula_kind kind, const struct formula *const *operands, size_t count,
                        const struct formula **ret_formula);

static int formula_with_name(struct plan *p, const struct cond_test *t, const struct formula *directory,
                             const struct formula **ret_formula)
{
	const struct formula *beginnings[BEGINNINGS_MAX], *both[2] = {NULL, directory};
	int r = 0;
	for (size_t i = 0; r == 0 && i < t->literal_count; i++)
		r = formula_of_beginning(p, t, i, &beginnings[i]);
	if (r == 0)
		r = formula_join(p, FORMULA_OR, beginnings, t->literal_count, &both[0]);
	return r < 0 ? r : formula_join(p, FORMULA_AND, both, ARRAY_SIZE(both), ret_formula);
}

static int formula_of_test(struct plan *p, struct cond_test *t, const struct event_info *type,
                           const struct formula **ret_formula)
{
	bool holds;
	if (cond_test_by_type(t, type, &holds)) {
		*ret_formula = holds ? &formula_true : &formula_false;
		return 0;
	}
	const struct formula *f;
	int r = formula_of_atom(p, t, &f);
	if (r == 0 && directory_begins_name(p, f))
		r = formula_with_name(p, t, f, &f);
	if (r == 0)
		*ret_formula = f;
	return r;
}

static int formula_of_not(struct plan *p, const struct formula *item, const struct formula **ret_formula)
{
	if (item->kind == FORMULA_TRUE || item->kind == FORMULA_FALSE) {
		*ret_formula = item->kind == FORMULA_TRUE ? &formula_false : &formula_true;
		return 0;
	}
	struct formula f = {
	        .kind = FORMULA_NOT, .items = &item, .count = 1, .cost = item->cost, .chance = 1 - item->chance};
	return formula_keep(p, &f, ret_formula);
}

/* What it costs until something is decided: of AND by what is false, of OR by what is true. */
static double price(const struct formula *f, bool is_and)
{
	double chance = is_and ? 1 - f->chance : f->chance;
	return f->cost / MAX(chance, CHANCE_LEAST);
}

static int by_price(const void *a, const void *b, bool is_and)
{
	double left = price(*(const struct formula *const *)a, is_and);
	double right = price(*(const struct formula *const *)b, is_and);
	return (left > right) - (left < right);
}

static int by_price_of_and(const void *a, const void *b)
{
	return by_price(a, b, true);
}

static int by_price_of_or(const void *a, const void *b)
{
	return by_price(a, b, false);
}

/* What is asked for first, whatever it is. */
static const struct atom *first_atom(const struct plan *p, const struct formula *f)
{
	while (f->kind != FORMULA_ATOM)
		f = f->items[0];
	return &p->atoms[f->atom];
}

/* Of its cost, what has been spent when `before` was decided. */
static double cost_shared(const struct plan *p, const struct atom *a, const struct atom *before)
{
	if (a->process || a->kind != ATOM_TEXT || before->kind != ATOM_TEXT || before->input != a->input)
		return 0;
	return before->group == a->group ? atom_cost(p, a) - COST_PROCESS : text_cost(a->test);
}

/* After those that come before it. */
static double item_cost(const struct plan *p, const struct formula *f, size_t item)
{
	const struct atom *a = first_atom(p, f->items[item]);
	double shared = 0;
	for (size_t i = item > ITEMS_COMPARED ? item - ITEMS_COMPARED : 0; i < item; i++)
		shared = MAX(shared, cost_shared(p, a, first_atom(p, f->items[i])));
	return f->items[item]->cost - shared;
}

static void formula_order(const struct plan *p, struct formula *f)
{
	bool is_and = f->kind == FORMULA_AND;
	double open = 1; /* the chance that all until here did not decide */
	qsort(f->items, f->count, sizeof(*f->items), is_and ? by_price_of_and : by_price_of_or);
	for (size_t i = 0; i < f->count; i++) {
		f->cost += open * item_cost(p, f, i);
		open *= is_and ? f->items[i]->chance : 1 - f->items[i]->chance;
	}
	f->chance = is_and ? open : 1 - open;
}

static size_t operand_count(const struct formula *item, enum formula_kind kind)
{
	if (item->kind == FORMULA_TRUE || item->kind == FORMULA_FALSE)
		return 0;
	return item->kind == kind ? item->count : 1;
}

static bool has_part(const struct formula *f, const struct formula *wanted)
{
	size_t count;
	const struct formula *const *parts = formula_parts(&f, &count);
	for (size_t i = 0; i < count; i++)
		if (parts[i] == wanted)
			return true;
	return false;
}

struct factors {
	const struct formula *items[FACTORS_MAX + 1]; /* room for what is left of the OR */
	size_t count;
};

static bool is_factor(const struct factors *factors, const struct formula *f)
{
	for (size_t i = 0; i < factors->count; i++)
		if (factors->items[i] == f)
			return true;
	return false;
}

static void find_factors(const struct formula *f, struct factors *factors)
{
	size_t count;
	const struct formula *const *parts = formula_parts(&f->items[0], &count);
	for (size_t i = 0; i < count && factors->count < FACTORS_MAX; i++) {
		size_t in = 1;
		while (in < f->count && has_part(f->items[in], parts[i]))
			in++;
		if (in == f->count)
			factors->items[factors->count++] = parts[i];
	}
}

/* What is left of an operand of the OR. */
static int formula_without(struct plan *p, const struct formula *f, const struct factors *factors,
                           const struct formula **ret_formula)
{
	size_t count, kept = 0;
	const struct formula *const *parts = formula_parts(&f, &count);
	_cleanup_(base_free_ptr) const struct formula **others = calloc(count, sizeof(*others));
	if (!others)
		return -ENOMEM;
	for (size_t i = 0; i < count; i++)
		if (!is_factor(factors, parts[i]))
			others[kept++] = parts[i];
	return formula_join(p, FORMULA_AND, others, kept, ret_formula);
}

/* (a and b) or (a and c) is a and (b or c): rules have more in common then. f: an OR. Returns 1: done; 0: it has no factors. */
static int formula_factor(struct plan *p, const struct formula *f, const struct formula **ret_formula)
{
	const struct formula *left[FACTORED_MAX];
	struct factors factors = {0};
	bool always = false; /* nothing but the factors decides */
	if (f->count > FACTORED_MAX)
		return 0;
	find_factors(f, &factors);
	if (factors.count == 0)
		return 0;
	for (size_t i = 0; i < f->count; i++) {
		int r = formula_without(p, f->items[i], &factors, &left[i]);
		if (r < 0)
			return r;
		always |= left[i]->kind == FORMULA_TRUE;
	}
	int r = always ? 0 : formula_join(p, FORMULA_OR, left, f->count, &factors.items[factors.count]);
	if (r == 0)
		r = formula_join(p, FORMULA_AND, factors.items, factors.count + !always, ret_formula);
	return r < 0 ? r : 1;
}

/* Operands that change nothing are left out; those of an operand of the same kind stand in its place, so that the order is
 * over all of them. */
static int formula_join(struct plan *p, enum formula_kind kind, const struct formula *const *operands, size_t count,
                        const struct formula **ret_formula)
{
	size_t total = 0;
	for (size_t i = 0; i < count; i++)
		total += operand_count(operands[i], kind);
	_cleanup_(base_free_ptr) const struct formula **items = calloc(total + 1, sizeof(*items));
	if (!items)
		return -ENOMEM;
	struct formula f = {.kind = kind, .items = items};
	for (size_t i = 0; i < count; i++) {
		size_t taken = operand_count(operands[i], kind);
		if (taken)
			memcpy(items + f.count, operands[i]->kind == kind ? operands[i]->items : &operands[i],
			       taken * sizeof(*items));
		f.count += taken;
	}
	int factored = kind == FORMULA_OR && f.count > 1 ? formula_factor(p, &f, ret_formula) : 0;
	if (factored)
		return factored < 0 ? factored : 0;
	if (f.count > 1) {
		formula_order(p, &f);
		return formula_keep(p, &f, ret_formula);
	}
	*ret_formula = f.count == 1 ? items[0] : kind == FORMULA_AND ? &formula_true : &formula_false;
	return 0;
}

/* One operand may decide the whole. */
static int formula_of_items(struct plan *p, const struct cond *cond, const struct event_info *type,
                            const struct formula **ret_formula)
{
	bool is_and = cond->kind == COND_AND;
	_cleanup_(base_free_ptr) const struct formula **operands = calloc(cond->count, sizeof(*operands));
	if (!operands)
		return -ENOMEM;
	for (size_t i = 0; i < cond->count; i++) {
		int r = plan_formula(p, cond->items[i], type, &operands[i]);
		if (r < 0)
			return r;
		if (operands[i]->kind == (is_and ? FORMULA_FALSE : FORMULA_TRUE)) {
			*ret_formula = operands[i];
			return 0;
		}
	}
	return formula_join(p, is_and ? FORMULA_AND : FORMULA_OR, operands, cond->count, ret_formula);
}

int plan_formula(struct plan *p, const struct cond *cond, const struct event_info *type,
                 const struct formula **ret_formula)
{
	const struct formula *item;
	int r;
	switch (cond->kind) {
	case COND_TEST:
		return formula_of_test(p, cond->test, type, ret_formula);
	case COND_NOT:
		r = plan_formula(p, cond->items[0], type, &item);
		return r < 0 ? r : formula_of_not(p, item, ret_formula);
	case COND_AND:
	case COND_OR:
		return formula_of_items(p, cond, type, ret_formula);
	default:
		return -EINVAL; /* macros are gone after cond_check() */
	}
}

enum truth formula_by_process(const struct plan *p, const struct formula *f, const struct process_facts *facts)
{
	enum truth deciding, result;
	switch (f->kind) {
	case FORMULA_FALSE:
		return TRUTH_FALSE;
	case FORMULA_TRUE:
		return TRUTH_TRUE;
	case FORMULA_ATOM:
		if (!atom_by_process(&p->atoms[f->atom], facts))
			return TRUTH_OPEN;
		return bit_is_set(facts->results, p->atoms[f->atom].bit) ? TRUTH_TRUE : TRUTH_FALSE;
	case FORMULA_NOT:
		result = formula_by_process(p, f->items[0], facts);
		return result == TRUTH_OPEN ? TRUTH_OPEN : result == TRUTH_TRUE ? TRUTH_FALSE : TRUTH_TRUE;
	case FORMULA_AND:
	case FORMULA_OR:
		break;
	}
	deciding = f->kind == FORMULA_AND ? TRUTH_FALSE : TRUTH_TRUE;
	result = f->kind == FORMULA_AND ? TRUTH_TRUE : TRUTH_FALSE;
	for (size_t i = 0; i < f->count; i++) {
		enum truth item = formula_by_process(p, f->items[i], facts);
		if (item == deciding)
			return deciding;
		if (item == TRUTH_OPEN)
			result = TRUTH_OPEN;
	}
	return result;
}
