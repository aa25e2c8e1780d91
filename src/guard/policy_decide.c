/* SPDX-License-Identifier: Apache-2.0
 *
 * Can a policy's condition be decided where it acts, before what it is about has happened?
 */
#include "guard/policy_int.h"

#include <errno.h>
#include <stdlib.h>

#define STEPS_BYTES_MAX (64u << 20)
#define TESTS_MAX FILTER_STEPS_MAX

struct deciding {
	struct policy_reader *r;
	const struct doc_node *item;
	struct policy *p;
	enum policy_point point;
	struct policy_test *tests;
	size_t count;
	bool narrow; /* some test can fail */
	bool undecided;
	bool skipped; /* it cannot match some event of the point */
};

/* ---- one test ---- */

static bool op_is_one_of(const char *op, const char *const *ops, size_t count)
{
	for (size_t i = 0; op && i < count; i++)
		if (strcmp(op, ops[i]) == 0)
			return true;
	return false;
}

/* What a guard can compare: texts whole, by their beginning or end; numbers; addresses with networks. */
static bool op_is_readable(const struct filter_test *t)
{
	static const char *const text_ops[] = {"=", "!=", "in", "startswith", "endswith", "pmatch"};
	static const char *const number_ops[] = {"=", "!=", "in", "<", "<=", ">", ">="};
	static const char *const other_ops[] = {"=", "!=", "in"};
	switch (t->type) {
	case FIELD_STR:
	case FIELD_PATH:
		return op_is_one_of(t->op, text_ops, ARRAY_SIZE(text_ops));
	case FIELD_S64:
	case FIELD_U64:
	case FIELD_PORT:
		return op_is_one_of(t->op, number_ops, ARRAY_SIZE(number_ops));
	case FIELD_BOOL:
	case FIELD_IP:
	case FIELD_NET:
		return op_is_one_of(t->op, other_ops, ARRAY_SIZE(other_ops));
	default:
		return false;
	}
}

/* A result that is not known yet can be asked for its sign, as success has it. */
static bool op_asks_sign(const struct filter_test *t)
{
	static const struct {
		const char *op, *literal;
	} rows[] = {{">=", "0"}, {"<", "0"}, {">", "-1"}, {"<=", "-1"}, {"=", "-1"}, {"!=", "-1"}};
	for (size_t i = 0; t->op && t->literal_count == 1 && i < ARRAY_SIZE(rows); i++)
		if (strcmp(t->op, rows[i].op) == 0 && str_equals(t->literals[0], rows[i].literal))
			return true;
	return false;
}

static bool is_fixed(const struct filter_test *t)
{
	static const char *const ops[] = {"=", "!=", "in"};
	bool number = t->type == FIELD_S64 || t->type == FIELD_U64;
	return number ? op_asks_sign(t) : op_is_one_of(t->op, ops, ARRAY_SIZE(ops));
}

/* The first field that cannot be known there; NULL: all can. */
static const struct field_ref *unknown_field(const struct filter_test *t, enum policy_point point)
{
	for (size_t i = 0; i < t->field_count; i++)
		if (point_field(point, &t->fields[i], NULL) == FIELD_UNKNOWN)
			return &t->fields[i];
	return NULL;
}

static bool is_of_process(const struct filter_test *t)
{
	for (size_t i = 0; i < t->field_count; i++)
		if (field_get_info(t->fields[i].id)->scope != FIELD_SCOPE_PROC)
			return false;
	return true;
}

/* Returns true and how, or false. */
static bool test_how(const struct filter_test *t, enum policy_point point, enum policy_how *ret_how)
{
	enum field_how first = t->field_count == 1 ? point_field(point, &t->fields[0], NULL) : FIELD_UNKNOWN;
	if ((first == FIELD_READ && op_is_readable(t)) || (first == FIELD_FIXED && is_fixed(t))) {
		*ret_how = HOW_READ;
		return true;
	}
	*ret_how = HOW_BIT;
	return point != POINT_EXEC && is_of_process(t);
}

/* ---- telling ---- */

/* A condition that stands in the policy is shown where it stands; a rule's, where the policy names the rule. */
static struct diag *tell(struct deciding *d, const struct filter_test *t, const char *what, const char *more)
{
	const struct doc_node *named = doc_get(d->item, "rule");
	const char *point = policy_point_name(d->point), *action = policy_action_name(d->p->action);
	d->r->failed = true;
	if (!named)
		return filter_test_diag(t, d->r->diags, CODE_POLICY, "to %s at %s, %s%s", action, point, what, more);
	return policy_error(d->r, named, "to %s at %s, %s%s (in %s:%u: %.200s)", action, point, what, more,
	                    t->file ? t->file : "?", t->line, t->text);
}

static void tell_undecided(struct deciding *d, const struct filter_test *t)
{
	const struct field_ref *unknown = unknown_field(t, d->point);
	struct diag *diag =
	        unknown ? tell(d, t, "a guard does not know ", field_get_info(unknown->id)->name)
	                : tell(d, t, "a guard cannot decide this test: ",
	                       t->op ? "it compares whole texts, their beginnings and ends, numbers and addresses"
	                             : "it transforms a field, or compares it with another");
	if (d->p->action == ACTION_DENY)
		diag_set_hint(diag,
		              "there it knows %s; or say 'reaction: allowed': the process is then killed after the "
		              "fact",
		              point_fields(d->point).text);
	else
		diag_set_hint(diag, "there it knows %s", point_fields(d->point).text);
}

/* ---- one point ---- */

static bool is_listed(const struct deciding *d, const char *text)
{
	for (size_t i = 0; i < d->count; i++)
		if (strcmp(d->tests[i].text, text) == 0)
			return true;
	return false;
}

static const char *unkept_field(const struct filter_test *t)
{
	for (size_t i = 0; i < t->field_count; i++)
		if (!field_is_kept(t->fields[i].id))
			return field_get_info(t->fields[i].id)->name;
	return NULL;
}

static void add_test(struct deciding *d, const struct filter_test *t, enum policy_how how)
{
	if (d->count == TESTS_MAX)
		return;
	const char *text = policy_keep(d->r, str_from(t->text));
	if (text)
		d->tests[d->count++] = (struct policy_test){text, how, how == HOW_BIT ? unkept_field(t) : NULL};
}

static void decide_test(struct deciding *d, const struct filter_test *t)
{
	enum policy_how how;
	d->narrow = d->narrow || t->field_count != 1 || point_field(d->point, &t->fields[0], NULL) != FIELD_FIXED;
	if (is_listed(d, t->text))
		return;
	if (d->point == POINT_EVENT || d->point == POINT_NETWORK) {
		add_test(d, t, HOW_EVENT);
		return;
	}
	if (test_how(t, d->point, &how)) {
		add_test(d, t, how);
		return;
	}
	d->undecided = true;
	add_test(d, t, HOW_EVENT);
	if (!d->p->reaction)
		tell_undecided(d, t);
}

/* Each kind of event that happens at the point and that the condition can match. Returns how many. */
static unsigned decide_events(struct deciding *d)
{
	struct event_set events;
	unsigned seen = 0;
	filter_events(d->p->condition, &events);
	for (unsigned type = 1; type < EVENT_TYPE_MAX && !d->r->error; type++) {
		_cleanup_(arena_done) struct arena scratch;
		const struct filter_step *steps;
		size_t count;
		arena_init(&scratch, STEPS_BYTES_MAX);
		if (!event_type_info(type)->name || !policy_point_has_event(d->point, type))
			continue;
		d->skipped = d->skipped || !event_set_has(&events, type);
		if (!event_set_has(&events, type))
			continue;
		int r = filter_steps(d->p->condition, type, &scratch, &steps, &count);
		if (r == -ENOMEM)
			d->r->error = r;
		if (r < 0) {
			policy_error(d->r, d->item, "the condition has more than %d tests", FILTER_STEPS_MAX);
			return 1;
		}
		if (steps[0].kind == FILTER_STEP_FALSE) {
			d->skipped = true;
			continue;
		}
		seen++;
		for (size_t i = 0; i < count; i++)
			if (steps[i].kind == FILTER_STEP_TEST)
				decide_test(d, steps[i].test);
	}
	return seen;
}

static void tell_never(struct deciding *d)
{
	const struct doc_node *at = doc_get(d->item, doc_get(d->item, "rule") ? "rule" : "condition");
	struct diag *diag = policy_error(d->r, at, "the condition can never match at %s, which is about other events",
	                                 policy_point_name(d->point));
	struct names n = {""};
	size_t length = 0;
	for (unsigned type = 1; type < EVENT_TYPE_MAX && d->point != POINT_EVENT; type++) {
		const char *name = event_type_info(type)->name;
		if (name && policy_point_has_event(d->point, type) && length + strlen(name) + 3 < sizeof(n.text)) {
			memcpy(n.text + length, length ? ", " : "  ", 2);
			memcpy(n.text + length + 2, name, strlen(name) + 1);
			length += 2 + strlen(name);
		}
	}
	if (length)
		diag_set_hint(diag, "what happens there: evt.type in (%s)", n.text + 2);
}

static bool has_scope(const struct policy *p)
{
	for (size_t i = 0; i < SCOPE_COUNT; i++)
		if (p->scope[i].count)
			return true;
	return false;
}

static void tell_all(struct deciding *d)
{
	const struct doc_node *at = doc_get(d->item, doc_get(d->item, "rule") ? "rule" : "condition");
	struct diag *diag = policy_error(d->r, at, "this would %s each %s on the host",
	                                 policy_action_name(d->p->action), policy_point_name(d->point));
	diag_set_hint(diag, "a condition must say more than the kind of event, or the policy needs a scope");
}

static bool decide_point(struct policy_reader *r, const struct doc_node *item, struct policy *p,
                         enum policy_point point)
{
	_cleanup_(base_free_ptr) struct policy_test *tests = calloc(TESTS_MAX, sizeof(*tests));
	struct deciding d = {.r = r, .item = item, .p = p, .point = point, .tests = tests};
	bool failed_before = r->failed;
	if (!policy_memory(r, tests))
		return false;
	r->failed = false;
	if (decide_events(&d) == 0)
		tell_never(&d);
	else if (!d.narrow && !has_scope(p) && p->action != ACTION_ALERT)
		tell_all(&d);
	for (size_t i = 0; d.undecided && i < d.count; i++)
		tests[i].how = HOW_EVENT;
	struct policy_test *kept = arena_array(r->arena, struct policy_test, d.count);
	if (policy_memory(r, kept) && d.count)
		memcpy(kept, tests, d.count * sizeof(*kept));
	p->decisions[point].tests = kept;
	p->decisions[point].count = d.count;
	p->decisions[point].widened = d.skipped;
	p->decisions[point].synchronous = !d.undecided && point != POINT_EVENT && point != POINT_NETWORK;
	bool good = !r->failed && !r->error;
	r->failed |= failed_before;
	return good;
}

bool policy_decide(struct policy_reader *r, const struct doc_node *item, struct policy *p)
{
	bool good = true;
	for (enum policy_point point = 0; point < POINT_COUNT; point++) {
		if (!(p->points & 1u << point))
			continue;
		p->decisions[point].synchronous = true;
		if (p->condition)
			good = decide_point(r, item, p, point) && good;
	}
	return good;
}
