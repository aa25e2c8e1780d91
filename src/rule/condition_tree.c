/* SPDX-License-Identifier: Apache-2.0
 *
 * Walks over whole trees: macros, checks, what a condition names, which events can match it.
 */
#include "rule/condition_int.h"

#include <errno.h>

/* ---- macros ---- */

struct resolve {
	struct arena *arena;
	struct cond *(*lookup)(void *userdata, struct str name);
	void *userdata;
	size_t *budget;
	struct diag_list *diags;
	bool no_memory;
};

static struct diag *macro_fail(const struct cond *c, struct diag_list *l, const char *text)
{
	return source_text_diag(c->macro.source, c->macro.at, l, DIAG_ERROR, CODE_CONDITION, "macro '" STR_FMT "' %s",
	                        STR_ARG(c->macro.name), text);
}

static bool has_items(const struct cond *c)
{
	return c->kind == COND_AND || c->kind == COND_OR || c->kind == COND_NOT;
}

/* NULL: budget or memory, see r. Tests are shared with the original. */
static struct cond *tree_copy(struct resolve *r, const struct cond *from)
{
	if (*r->budget == 0)
		return NULL;
	--*r->budget;
	struct cond *c = arena_new(r->arena, struct cond);
	struct cond **items = c && has_items(from) ? arena_array(r->arena, struct cond *, from->count) : NULL;
	r->no_memory = r->no_memory || !c || (has_items(from) && !items);
	if (r->no_memory)
		return NULL;
	*c = *from;
	c->holds = false;
	if (!has_items(from))
		return c;
	c->items = items;
	for (size_t i = 0; i < from->count; i++) {
		c->items[i] = tree_copy(r, from->items[i]);
		if (!c->items[i])
			return NULL;
	}
	return c;
}

/* depth: of nodes above. A macro may be deeper than what stood for it. */
static bool resolve_macro(struct resolve *r, struct cond **c, unsigned depth)
{
	const struct cond *found = r->lookup(r->userdata, (*c)->macro.name);
	if (!found) {
		macro_fail(*c, r->diags, "is not defined");
		return false;
	}
	if (depth + found->height > RULE_DEPTH_MAX) {
		macro_fail(*c, r->diags, "nests the condition too deep");
		return false;
	}
	struct cond *copy = tree_copy(r, found);
	if (!copy && !r->no_memory)
		macro_fail(*c, r->diags, "makes the conditions grow beyond their limit");
	if (!copy)
		return false;
	*c = copy;
	return true;
}

static bool resolve_tree(struct resolve *r, struct cond **c, unsigned depth)
{
	bool resolved = true;
	if ((*c)->kind == COND_MACRO)
		return resolve_macro(r, c, depth);
	for (size_t i = 0; has_items(*c) && i < (*c)->count && !r->no_memory; i++) {
		resolved = resolve_tree(r, &(*c)->items[i], depth + 1) && resolved;
		(*c)->height = MAX((*c)->height, (*c)->items[i]->height + 1);
	}
	return resolved;
}

int cond_resolve(struct arena *a, struct cond **cond, struct cond *(*lookup)(void *userdata, struct str name),
                 void *userdata, size_t *budget, struct diag_list *reterr_diags)
{
	struct resolve r = {a, lookup, userdata, budget, reterr_diags, false};
	bool resolved = resolve_tree(&r, cond, 0);
	if (r.no_memory)
		return -ENOMEM;
	return resolved ? 0 : -EINVAL;
}

void cond_each_macro(const struct cond *cond, void (*call)(void *userdata, struct str name), void *userdata)
{
	if (cond->kind == COND_MACRO)
		call(userdata, cond->macro.name);
	for (size_t i = 0; has_items(cond) && i < cond->count; i++)
		cond_each_macro(cond->items[i], call, userdata);
}

void cond_each_test(const struct cond *cond, void (*call)(void *userdata, struct cond_test *test), void *userdata)
{
	if (cond->kind == COND_TEST)
		call(userdata, cond->test);
	for (size_t i = 0; has_items(cond) && i < cond->count; i++)
		cond_each_test(cond->items[i], call, userdata);
}

/* ---- check ---- */

static void check_leaf(struct check *c, struct cond *leaf)
{
	struct cond_test *t = leaf->test;
	if (leaf->holds)
		return;
	c->source = t->source;
	if (t->holders || (test_check(c, t) && test_prepare(c, t))) {
		t->holders++;
		leaf->holds = true;
	}
}

static void check_tree(struct check *c, struct cond *cond)
{
	if (cond->kind == COND_TEST)
		check_leaf(c, cond);
	if (cond->kind == COND_MACRO) {
		macro_fail(cond, c->diags, "is not defined");
		c->wrong = true;
	}
	for (size_t i = 0; has_items(cond) && i < cond->count; i++)
		check_tree(c, cond->items[i]);
}

int cond_check(struct arena *a, struct cond *cond, struct diag_list *reterr_diags)
{
	struct check c = {.arena = a, .diags = reterr_diags, .code = CODE_CONDITION};
	check_tree(&c, cond);
	int r = check_result(&c);
	if (r < 0)
		cond_done(cond);
	return r;
}

void cond_done(struct cond *cond)
{
	if (cond->kind == COND_TEST && cond->holds) {
		cond->holds = false;
		if (--cond->test->holders == 0)
			test_release(cond->test);
	}
	for (size_t i = 0; has_items(cond) && i < cond->count; i++)
		cond_done(cond->items[i]);
}

static void add_undecided(void *userdata, struct cond_test *test)
{
	*(uint64_t *)userdata += atomic_load_explicit(&test->undecided, memory_order_relaxed);
}

uint64_t cond_undecided(const struct cond *cond)
{
	uint64_t count = 0;
	cond_each_test(cond, add_undecided, &count);
	return count;
}

/* ---- what a condition names ---- */

struct field_walk {
	void (*call)(void *userdata, const struct field_ref *ref);
	void *userdata;
};

static void test_each_field(void *userdata, struct cond_test *test)
{
	struct field_walk *w = userdata;
	expr_each_field(test->left, w->call, w->userdata);
	if (test->right)
		expr_each_field(test->right, w->call, w->userdata);
}

void cond_each_field(const struct cond *cond, void (*call)(void *userdata, const struct field_ref *ref), void *userdata)
{
	struct field_walk w = {call, userdata};
	cond_each_test(cond, test_each_field, &w);
}

struct field_search {
	enum field_id id;
	bool found;
};

static void note_field(void *userdata, const struct field_ref *ref)
{
	struct field_search *s = userdata;
	s->found = s->found || ref->id == s->id;
}

bool cond_uses_field(const struct cond *cond, enum field_id id)
{
	struct field_search s = {.id = id};
	cond_each_field(cond, note_field, &s);
	return s.found;
}

/* Fields whose value may truly be the text "<NA>": comparing with it is no test for a missing value. */
static bool field_may_be_na(const struct expr *e)
{
	static const struct str prefixes[] = {
	        {"user.", 5}, {"group.", 6}, {"evt.arg", 7}, {"fd.type", 7}, {"fd.l4proto", 10}};
	for (size_t i = 0; i < ARRAY_SIZE(prefixes); i++) {
		if (str_starts_with(e->name, prefixes[i]))
			return true;
	}
	return false;
}

/* A missing value equals nothing: "x = <NA>" never sees one, and "not x = <NA>" lets it through. "x != <NA>" does what
 * it says. */
static void note_na(void *userdata, struct cond_test *t)
{
	bool equality = t->op == OP_EQ || t->op == OP_IN || t->op == OP_INTERSECTS;
	for (size_t i = 0; equality && !field_may_be_na(t->left) && i < t->literal_count; i++) {
		if (str_equals(t->literals[i].text, "<NA>"))
			*(bool *)userdata = true;
	}
}

bool cond_compares_na(const struct cond *cond)
{
	bool found = false;
	cond_each_test(cond, note_na, &found);
	return found;
}

struct path_walk {
	void (*call)(void *userdata, struct str path);
	void *userdata;
};

static void test_each_path(void *userdata, struct cond_test *t)
{
	struct path_walk *w = userdata;
	bool whole = t->op == OP_EQ || t->op == OP_NE || t->op == OP_IN || t->op == OP_INTERSECTS;
	bool file = t->left->kind == EXPR_FIELD && (t->left->type == FIELD_PATH || t->left->ref.id == FIELD_EVT_ARG);
	for (size_t i = 0; whole && file && i < t->literal_count; i++) {
		if (str_starts_with(t->literals[i].text, STR("/")))
			w->call(w->userdata, t->literals[i].text);
	}
}

void cond_each_path(const struct cond *cond, void (*call)(void *userdata, struct str path), void *userdata)
{
	struct path_walk w = {call, userdata};
	cond_each_test(cond, test_each_path, &w);
}

/* ---- which events can match: and is intersection, or is union, not is pushed down to the tests ---- */

static bool literal_names(const struct cond_test *t, const char *name)
{
	for (size_t i = 0; i < t->literal_count; i++) {
		if (str_equals(t->literals[i].text, name))
			return true;
	}
	return false;
}

/* Does the test, or its negation, say anything about the event's type? */
static bool test_names_types(const struct cond_test *t)
{
	if (t->right || t->left->kind != EXPR_FIELD)
		return false;
	if (t->left->ref.id != FIELD_EVT_TYPE && t->left->ref.id != FIELD_SYSCALL_TYPE)
		return false;
	return t->op == OP_IN || (t->op == OP_NE && t->modifier == MODIFIER_NONE) ||
	       (t->op == OP_EQ && t->modifier != MODIFIER_ALLOF);
}

/* Events are counted from 1: evt.num = 0 is how rules say "never", and evt.num >= 0 "always". */
static bool test_counts_from_0(const struct cond_test *t, bool *ret_holds)
{
	if (t->right || t->left->kind != EXPR_FIELD || t->left->ref.id != FIELD_EVT_NUM ||
	    t->modifier != MODIFIER_NONE || t->literal_count != 1 || !str_equals(t->literals[0].text, "0"))
		return false;
	bool holds = t->op == OP_NE || t->op == OP_GT || t->op == OP_GE;
	*ret_holds = holds;
	return holds || t->op == OP_EQ || t->op == OP_IN || t->op == OP_LT || t->op == OP_LE;
}

static bool test_may_match(const struct cond_test *t, bool negated, const struct event_info *info)
{
	bool holds;
	if (test_counts_from_0(t, &holds))
		return holds != negated;
	if (!test_names_types(t))
		return true;
	/* syscall.type of what is no system call is missing: then only a negation holds. */
	if (t->left->ref.id == FIELD_SYSCALL_TYPE && info->own)
		return negated;
	return literal_names(t, info->name) == ((t->op != OP_NE) != negated);
}

bool cond_test_by_type(const struct cond_test *t, const struct event_info *type, bool *ret_holds)
{
	if (test_counts_from_0(t, ret_holds))
		return true;
	if (!test_names_types(t))
		return false;
	*ret_holds = test_may_match(t, false, type);
	return true;
}

static bool tree_may_match(const struct cond *c, bool negated, const struct event_info *info)
{
	bool conjunction = (c->kind == COND_AND) != negated;
	switch (c->kind) {
	case COND_AND:
	case COND_OR:
		for (size_t i = 0; i < c->count; i++) {
			if (tree_may_match(c->items[i], negated, info) != conjunction)
				return !conjunction;
		}
		return conjunction;
	case COND_NOT:
		return tree_may_match(c->items[0], !negated, info);
	case COND_TEST:
		return test_may_match(c->test, negated, info);
	case COND_MACRO:
		break;
	}
	return true;
}

void cond_events(const struct cond *cond, struct event_set *ret_set)
{
	*ret_set = (struct event_set){0};
	for (unsigned type = 1; type < EVENT_TYPE_MAX; type++) {
		const struct event_info *info = event_type_info((enum event_type)type);
		if (info->name && tree_may_match(cond, false, info))
			event_set_add(ret_set, type);
	}
}
