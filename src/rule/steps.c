/* SPDX-License-Identifier: Apache-2.0 */
#include "rule/steps.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>

#include "rule/plan.h"

#define TEXT_BYTES_MAX (1u << 20)
#define SENTENCE_MAX 1024

/* ---- tests ---- */

struct field_walk {
	struct arena *arena;
	struct field_ref *refs;
	size_t count;
	bool failed;
};

static bool same_field(const struct field_ref *a, const struct field_ref *b)
{
	return a->id == b->id && a->has_index == b->has_index && a->has_key == b->has_key &&
	       (!a->has_index || a->index == b->index) && (!a->has_key || str_equal(a->key, b->key));
}

static void count_field(void *userdata, const struct field_ref *ref)
{
	(void)ref;
	++*(size_t *)userdata;
}

static void add_field(void *userdata, const struct field_ref *ref)
{
	struct field_walk *w = userdata;
	for (size_t i = 0; i < w->count; i++)
		if (same_field(&w->refs[i], ref))
			return;
	w->refs[w->count++] = *ref;
}

static void each_field(const struct cond_test *t, void (*call)(void *userdata, const struct field_ref *ref),
                       void *userdata)
{
	expr_each_field(t->left, call, userdata);
	if (t->right)
		expr_each_field(t->right, call, userdata);
}

static int add_fields(const struct cond_test *from, struct arena *arena, struct filter_test *t)
{
	struct field_walk w = {.arena = arena};
	size_t most = 0;
	each_field(from, count_field, &most);
	w.refs = arena_array(arena, struct field_ref, most);
	if (!w.refs)
		return -ENOMEM;
	each_field(from, add_field, &w);
	t->fields = w.refs;
	t->field_count = w.count;
	return 0;
}

static int add_literals(const struct cond_test *from, struct arena *arena, struct filter_test *t)
{
	struct str *literals = arena_array(arena, struct str, from->literal_count);
	if (!literals)
		return -ENOMEM;
	for (size_t i = 0; i < from->literal_count; i++)
		literals[i] = from->literals[i].text;
	t->literals = literals;
	t->literal_count = from->literal_count;
	return 0;
}

/* One field as it is, and any of some literals? Of one literal, "one of" and "any of" say the same. */
static bool is_plain(const struct cond_test *t)
{
	bool any = t->modifier == MODIFIER_NONE || t->modifier == MODIFIER_ANYOF || t->literal_count == 1;
	return t->left->kind == EXPR_FIELD && !t->right && any;
}

static int test_new(const struct cond_test *from, struct arena *arena, const struct filter_test **ret_test)
{
	_cleanup_(buf_done) struct buf text = {0};
	_cleanup_(diag_list_done) struct diag_list place = {0};
	struct filter_test *t = arena_new(arena, struct filter_test);
	if (!t)
		return -ENOMEM;
	buf_init(&text, TEXT_BYTES_MAX);
	diag_list_init(&place, 1);
	cond_test_explain(from, &text);
	t->text = arena_str(arena, text.data ? buf_str(&text) : STR("")).data;
	int r = t->text ? add_fields(from, arena, t) : -ENOMEM;
	if (r == 0)
		r = add_literals(from, arena, t);
	const struct diag *d = r == 0 ? source_text_diag(from->source, from->at, &place, DIAG_ERROR, "", " ") : NULL;
	if (!d)
		return -ENOMEM;
	t->file = d->file ? arena_str(arena, str_from(d->file)).data : NULL;
	t->line = d->line;
	t->column = d->column;
	t->type = from->left->type;
	t->op = is_plain(from) ? cond_op_info(from->op)->name : NULL;
	t->origin = from;
	*ret_test = t;
	return 0;
}

struct diag *filter_test_diag(const struct filter_test *t, struct diag_list *l, const char *code, const char *format,
                              ...)
{
	char text[SENTENCE_MAX];
	va_list arguments;
	va_start(arguments, format);
	vsnprintf(text, sizeof(text), format, arguments);
	va_end(arguments);
	return source_text_diag(t->origin->source, t->origin->at, l, DIAG_ERROR, code, "%s", text);
}

/* ---- trees to steps ---- */

struct taking {
	const struct event_info *type;
	struct arena *arena;
	struct filter_step *steps;
	size_t count;
	int error;
};

static enum truth add_step(struct taking *t, struct filter_step step)
{
	if (t->count == FILTER_STEPS_MAX)
		t->error = -E2BIG;
	if (t->error)
		return TRUTH_OPEN;
	t->steps[t->count++] = step;
	return TRUTH_OPEN;
}

static enum truth take_test(struct taking *t, const struct cond_test *test)
{
	struct filter_step step = {.kind = FILTER_STEP_TEST};
	bool holds;
	if (cond_test_by_type(test, t->type, &holds))
		return holds ? TRUTH_TRUE : TRUTH_FALSE;
	int r = test_new(test, t->arena, &step.test);
	if (r < 0)
		t->error = r;
	return add_step(t, step);
}

static enum truth take(struct taking *t, const struct cond *c);

/* all: of its operands, false decides it; otherwise true does. */
static enum truth take_items(struct taking *t, const struct cond *c, bool all)
{
	enum truth decides = all ? TRUTH_FALSE : TRUTH_TRUE;
	size_t begin = t->count, open = 0;
	for (size_t i = 0; i < c->count && !t->error; i++) {
		enum truth item = take(t, c->items[i]);
		if (item == decides) {
			t->count = begin;
			return decides;
		}
		open += item == TRUTH_OPEN;
	}
	if (open == 0)
		return all ? TRUTH_TRUE : TRUTH_FALSE;
	if (open == 1)
		return TRUTH_OPEN;
	return add_step(t, (struct filter_step){all ? FILTER_STEP_ALL : FILTER_STEP_ANY, open, NULL});
}

static enum truth take(struct taking *t, const struct cond *c)
{
	enum truth inner;
	switch (c->kind) {
	case COND_AND:
	case COND_OR:
		return take_items(t, c, c->kind == COND_AND);
	case COND_NOT:
		inner = take(t, c->items[0]);
		if (inner != TRUTH_OPEN || t->error)
			return inner == TRUTH_FALSE ? TRUTH_TRUE : inner == TRUTH_TRUE ? TRUTH_FALSE : TRUTH_OPEN;
		return add_step(t, (struct filter_step){FILTER_STEP_NOT, 1, NULL});
	case COND_TEST:
		return take_test(t, c->test);
	case COND_MACRO: /* resolved: there are none */
		break;
	}
	return TRUTH_OPEN;
}

int filter_steps(const struct filter *f, enum event_type type, struct arena *arena,
                 const struct filter_step **ret_steps, size_t *ret_count)
{
	struct taking t = {.type = event_type_info(type), .arena = arena};
	t.steps = arena_array(arena, struct filter_step, FILTER_STEPS_MAX);
	if (!t.steps)
		return -ENOMEM;
	enum truth whole = take(&t, filter_cond(f));
	if (t.error)
		return t.error;
	if (whole != TRUTH_OPEN)
		t.steps[t.count++] =
		        (struct filter_step){whole == TRUTH_TRUE ? FILTER_STEP_TRUE : FILTER_STEP_FALSE, 0, NULL};
	*ret_steps = t.steps;
	*ret_count = t.count;
	return 0;
}

bool filter_test_holds(const struct cond_test *origin, const struct field_source *source, struct arena *arena)
{
	return cond_test_holds((struct cond_test *)origin, source, arena, NULL); /* which counts what it gives up */
}
