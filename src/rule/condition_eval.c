/* SPDX-License-Identifier: Apache-2.0
 *
 * The reference evaluator: it is the meaning of the language.
 */
#include "rule/condition_int.h"

#include <errno.h>
#include <fnmatch.h>

#include "rule/regex.h"

/* ---- one value against one operand ---- */

static bool comparable(const struct value *a, const struct value *b)
{
	if (value_is_text(a))
		return value_is_text(b);
	return value_is_number(a) ? value_is_number(b) : a->kind == b->kind;
}

/* b may be a network that a lies in. */
static bool equal(const struct value *a, const struct value *b)
{
	if (value_is_text(a))
		return str_equal(a->str, b->str);
	if (value_is_number(a))
		return number_compare(a, b) == 0;
	if (a->kind == VALUE_IP)
		return ip_in_net(&a->ip, &b->ip);
	return a->kind == VALUE_BOOL && a->boolean == b->boolean;
}

static bool ordered(enum cond_op op, const struct value *a, const struct value *b)
{
	int order = value_is_text(a) ? str_compare(a->str, b->str) : number_compare(a, b);
	switch (op) {
	case OP_LT:
		return order < 0;
	case OP_LE:
		return order <= 0;
	case OP_GT:
		return order > 0;
	default:
		return order >= 0;
	}
}

/* pattern: NUL-terminated. A NUL in text stands as another byte, so that it cannot hide what follows it. */
static bool glob_matches(const char *pattern, struct str text, int flags, struct eval *eval)
{
	struct str copy = arena_str(eval->arena, text);
	char *data = (char *)copy.data;
	if (!data) {
		eval->undecided = true;
		return false;
	}
	for (size_t i = 0; i < copy.length; i++) {
		if (data[i] == '\0')
			data[i] = '\x01';
	}
	return fnmatch(pattern, data, flags) == 0;
}

static bool regex_matches(const struct regex *regex, struct str text, struct eval *eval)
{
	int r = regex_match(regex, text, eval->arena);
	eval->undecided = eval->undecided || r < 0;
	return r == 1;
}

static bool text_holds(enum cond_op op, struct str text, const struct operand *o, struct eval *eval)
{
	switch (op) {
	case OP_CONTAINS:
	case OP_BCONTAINS:
		return str_contains(text, o->value.str);
	case OP_ICONTAINS:
		return str_contains_nocase(text, o->value.str);
	case OP_STARTSWITH:
	case OP_BSTARTSWITH:
		return str_starts_with(text, o->value.str);
	case OP_ENDSWITH:
		return str_ends_with(text, o->value.str);
	case OP_GLOB:
		return glob_matches(o->value.str.data, text, 0, eval);
	case OP_IGLOB:
		return glob_matches(o->value.str.data, text, FNM_CASEFOLD, eval);
	default:
		return regex_matches(o->regex, text, eval);
	}
}

static bool operand_holds(enum cond_op op, const struct value *v, const struct operand *o, struct eval *eval)
{
	if (op != OP_REGEX && !comparable(v, &o->value))
		return false;
	switch (op) {
	case OP_EQ:
		return equal(v, &o->value);
	case OP_NE:
		return !equal(v, &o->value);
	case OP_LT:
	case OP_LE:
	case OP_GT:
	case OP_GE:
		return (value_is_text(v) || value_is_number(v)) && ordered(op, v, &o->value);
	default:
		return value_is_text(v) && text_holds(op, v->str, o, eval);
	}
}

/* ---- one value against the right side ---- */

static const struct value *values_of(const struct value *v, size_t *ret_count)
{
	*ret_count = v->kind == VALUE_LIST ? v->list.count : 1;
	return v->kind == VALUE_LIST ? v->list.items : v;
}

static bool literals_hold(const struct cond_test *t, const struct value *v, struct eval *eval)
{
	size_t held = 0;
	for (size_t i = 0; i < t->literal_count; i++)
		held += operand_holds(t->op, v, &t->operands[i], eval);
	switch (t->modifier) {
	case MODIFIER_ONEOF:
		return held == 1;
	case MODIFIER_ALLOF:
		return held == t->literal_count;
	default:
		return held > 0;
	}
}

static bool paths_cover(const struct path_set *paths, const struct value *v, struct eval *eval)
{
	int r = value_is_text(v) ? path_set_covers(paths, eval->arena, v->str) : 0;
	eval->undecided = eval->undecided || r < 0;
	return r == 1;
}

/* The right side is a field: its values are paths. */
static bool right_paths_cover(const struct value *v, const struct value *right, struct eval *eval)
{
	size_t count;
	const struct value *items = values_of(right, &count);
	struct path_set *paths = path_set_new(eval->arena, count);
	for (size_t i = 0; paths && i < count; i++) {
		if (value_is_text(&items[i]) && path_set_add(paths, eval->arena, items[i].str) < 0)
			paths = NULL;
	}
	if (!paths)
		eval->undecided = true;
	return paths && paths_cover(paths, v, eval);
}

static bool right_holds(const struct cond_test *t, const struct value *v, const struct value *right, struct eval *eval)
{
	enum cond_op op = t->op == OP_IN || t->op == OP_INTERSECTS ? OP_EQ : t->op;
	size_t count;
	const struct value *items = values_of(right, &count);
	if (op == OP_PMATCH)
		return right_paths_cover(v, right, eval);
	for (size_t i = 0; i < count; i++) {
		if (operand_holds(op, v, &(struct operand){.value = items[i]}, eval))
			return true;
	}
	return false;
}

/* right: the right side's value, or NULL: literals. */
static bool value_holds(const struct cond_test *t, const struct value *v, const struct value *right, struct eval *eval)
{
	if (right)
		return right_holds(t, v, right, eval);
	if (t->op == OP_IN || t->op == OP_INTERSECTS)
		return literal_set_has(t->set, v);
	if (t->op == OP_PMATCH)
		return paths_cover(t->paths, v, eval);
	return literals_hold(t, v, eval);
}

/* ---- tests ---- */

/* A list is in a set if all of it is; "either end differs" wants both to differ. All else wants one that matches. */
static bool wants_all(const struct cond_test *t)
{
	if (t->left->many == MANY_LIST)
		return t->op == OP_IN;
	return t->left->many == MANY_ENDS && t->op == OP_NE;
}

static bool test_compute(const struct cond_test *t, struct eval *eval)
{
	struct value left, right;
	size_t count, held = 0;
	expr_value(t->left, eval, &left);
	if (left.kind == VALUE_NULL)
		return false;
	const struct value *items = values_of(&left, &count);
	if (t->op == OP_EXISTS)
		return count > 0;
	if (t->right) {
		expr_value(t->right, eval, &right);
		if (right.kind == VALUE_NULL)
			return false;
	}
	bool all = wants_all(t);
	for (size_t i = 0; i < count; i++) {
		bool holds = value_holds(t, &items[i], t->right ? &right : NULL, eval);
		if (holds != all)
			return holds;
		held += holds;
	}
	return all && held > 0;
}

static bool test_eval(struct cond_test *t, struct eval *eval)
{
	struct cond_cache *cache = eval->cache;
	bool cached = cache && t->number && t->number <= cache->test_count;
	if (cached && cache->results[t->number - 1] != RESULT_UNKNOWN)
		return cache->results[t->number - 1] == RESULT_TRUE;
	eval->undecided = false;
	bool result = test_compute(t, eval);
	if (eval->undecided)
		atomic_fetch_add_explicit(&t->undecided, 1, memory_order_relaxed);
	if (cached)
		cache->results[t->number - 1] = result ? RESULT_TRUE : RESULT_FALSE;
	return result;
}

/* ---- trees ---- */

static bool tree_eval(const struct cond *c, struct eval *eval)
{
	switch (c->kind) {
	case COND_AND:
		for (size_t i = 0; i < c->count; i++) {
			if (!tree_eval(c->items[i], eval))
				return false;
		}
		return true;
	case COND_OR:
		for (size_t i = 0; i < c->count; i++) {
			if (tree_eval(c->items[i], eval))
				return true;
		}
		return false;
	case COND_NOT:
		return !tree_eval(c->items[0], eval);
	case COND_TEST:
		return test_eval(c->test, eval);
	case COND_MACRO:
		break; /* none are left after cond_check() */
	}
	return false;
}

bool cond_eval_cached(const struct cond *cond, const struct field_source *source, struct arena *arena,
                      struct cond_cache *cache)
{
	struct eval eval = {.source = source, .arena = arena, .cache = cache};
	return tree_eval(cond, &eval);
}

bool cond_eval(const struct cond *cond, const struct field_source *source, struct arena *arena)
{
	return cond_eval_cached(cond, source, arena, NULL);
}

bool cond_test_holds(struct cond_test *t, const struct field_source *source, struct arena *arena,
                     struct cond_cache *cache)
{
	struct eval eval = {.source = source, .arena = arena, .cache = cache};
	return test_eval(t, &eval);
}

int cond_cache_init(struct cond_cache *c, const struct cond_numbers *n, struct arena *arena)
{
	const struct value **values = arena_array(arena, const struct value *, n->expr_count);
	uint8_t *results = arena_array(arena, uint8_t, n->test_count);
	if (!values || !results)
		return -ENOMEM;
	*c = (struct cond_cache){values, results, n->expr_count, n->test_count};
	return 0;
}
