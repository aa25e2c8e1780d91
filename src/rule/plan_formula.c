/* SPDX-License-Identifier: Apache-2.0
 *
 * Conditions as formulas over atoms, in the order of price.
 */
#include "rule/plan.h"

#include <errno.h>
#include <stdlib.h>

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
#define FACTORED_MAX 16 /* operands of an OR whose common parts are sought */
#define FACTORS_MAX 16
#define ITEMS_COMPARED 64  /* of a formula, when it is asked whether another has the same text */
#define CHANCE_LEAST 0.001 /* so that nothing is divided by 0 */

static const struct formula formula_false = {.kind = FORMULA_FALSE}, formula_true = {.kind = FORMULA_TRUE, .chance = 1};

static double text_cost(const struct cond_test *t)
{
	if (expr_is_field(t->left, FIELD_FD_NAME))
		return COST_NAME;
	bool part = expr_is_field(t->left, FIELD_FD_DIRECTORY) || expr_is_field(t->left, FIELD_FD_FILENAME);
	return part ? COST_PART : COST_TEXT;
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
	return expr_is_field(t->left, FIELD_EVT_IS_OPEN_READ) && t->op == OP_EQ && t->literal_count == 1 &&
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
	int r = plan_atom_add(p, t, &f.atom);
	if (r < 0)
		return r;
	f.cost = atom_cost(p, &p->atoms[f.atom]);
	f.chance = atom_chance(&p->atoms[f.atom]);
	return formula_keep(p, &f, ret_formula);
}

/* ---- what a part of a file's name says of the name ----
 * Names are asked for by most rules about files, and what they begin and end with is sought at once. So a test of fd.directory
 * is joined with one that fd.name begins so, a test of fd.filename with one that it ends so: it means the same, and the parts
 * are hardly ever needed. */

#define PART_LITERALS_MAX 16 /* of one test */

static bool is_part_of_name(const struct cond_test *t, size_t literal)
{
	struct str text = t->operands[literal].value.str;
	if (expr_is_field(t->left, FIELD_FD_DIRECTORY))
		return text.length > 1; /* "/" is also that of a name without any */
	return text.length > 0 && text.length < PATTERN_BYTES_MAX && str_find_char(text, '/') < 0;
}

static bool says_of_name(const struct plan *p, const struct formula *f)
{
	const struct atom *a = &p->atoms[f->atom];
	const struct cond_test *t = a->test;
	bool begin = expr_is_field(t->left, FIELD_FD_DIRECTORY), end = expr_is_field(t->left, FIELD_FD_FILENAME);
	if (a->kind != ATOM_TEXT || !(begin || end) || t->literal_count > PART_LITERALS_MAX ||
	    (t->op != OP_EQ && t->op != OP_IN && t->op != (begin ? OP_STARTSWITH : OP_ENDSWITH)))
		return false;
	for (size_t i = 0; i < t->literal_count; i++)
		if (!is_part_of_name(t, i))
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

/* How fd.name begins or ends, if that literal of the test holds. text.data NULL: no memory. */
static struct str name_part(struct plan *p, const struct cond_test *of, size_t literal, enum cond_op *ret_op)
{
	struct str text = of->operands[literal].value.str;
	*ret_op = expr_is_field(of->left, FIELD_FD_DIRECTORY) ? OP_STARTSWITH : OP_ENDSWITH;
	if (*ret_op == OP_STARTSWITH || of->op == OP_ENDSWITH)
		return text;
	char *end = arena_alloc(&p->arena, text.length + 1);
	if (!end)
		return (struct str){0};
	end[0] = '/';
	memcpy(end + 1, text.data, text.length);
	return str_make(end, text.length + 1);
}

static struct cond_test *name_test_new(struct plan *p, const struct cond_test *of, enum cond_op op, struct str text)
{
	struct cond_test *t = arena_new(&p->arena, struct cond_test);
	struct literal *literal = arena_new(&p->arena, struct literal);
	struct operand *operand = arena_new(&p->arena, struct operand);
	const struct expr *name = plan_name(p);
	if (!t || !literal || !operand || !name)
		return NULL;
	*literal = (struct literal){.text = text, .at = of->literals[0].at};
	*operand = (struct operand){.value = {.kind = VALUE_STR, .str = text}};
	*t = (struct cond_test){.source = of->source,
	                        .at = of->at,
	                        .op_at = of->op_at,
	                        .left = (struct expr *)name,
	                        .op = op,
	                        .literals = literal,
	                        .operands = operand,
	                        .literal_count = 1};
	return t;
}

static int formula_of_name(struct plan *p, const struct cond_test *of, size_t literal,
                           const struct formula **ret_formula)
{
	enum cond_op op;
	struct str text = name_part(p, of, literal, &op);
	if (!text.data)
		return -ENOMEM;
	char mark[] = {'~', (char)op}; /* no other key begins so */
	_cleanup_(buf_done) struct buf key;
	buf_init(&key, PLAN_BYTES_MAX);
	buf_add(&key, mark, sizeof(mark));
	buf_add(&key, text.data, text.length);
	int r = buf_error(&key);
	if (r < 0)
		return r;
	*ret_formula = map_get(&p->made, buf_str(&key));
	if (*ret_formula)
		return 0;
	struct cond_test *t = name_test_new(p, of, op, text);
	r = t ? formula_of_atom(p, t, ret_formula) : -ENOMEM;
	return r < 0 ? r : map_put(&p->made, buf_str(&key), (void *)*ret_formula, NULL);
}

static int formula_join(struct plan *p, enum formula_kind kind, const struct formula *const *operands, size_t count,
                        const struct formula **ret_formula);

static int formula_with_name(struct plan *p, const struct cond_test *t, const struct formula *part,
                             const struct formula **ret_formula)
{
	const struct formula *names[PART_LITERALS_MAX], *both[2] = {NULL, part};
	int r = 0;
	for (size_t i = 0; r == 0 && i < t->literal_count; i++)
		r = formula_of_name(p, t, i, &names[i]);
	if (r == 0)
		r = formula_join(p, FORMULA_OR, names, t->literal_count, &both[0]);
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
	if (r == 0 && says_of_name(p, f))
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
