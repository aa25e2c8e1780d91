/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>
#include <stdlib.h>

#include "base/arena.h"
#include "sensors.h"

#define TEXT_BYTES_MAX (256u << 10)
#define EVENTS_MAX 20000

/* ---- keeping events ---- */
static char *field_text(const struct enrich_view *view, const struct field_ref *ref)
{
	_cleanup_(arena_done) struct arena arena;
	_cleanup_(buf_done) struct buf text;
	struct value v = {};

	arena_init(&arena, TEXT_BYTES_MAX);
	buf_init(&text, TEXT_BYTES_MAX);
	view->source.get(&view->source, ref, &arena, &v);
	value_add_text(&v, field_get_info(ref->id)->flags & FIELD_F_HEX ? PRINT_HEX : PRINT_PLAIN, &text);
	return text.length ? buf_take(&text) : strdup("");
}

char *view_text(const struct enrich_view *view, const char *field)
{
	struct field_ref ref;

	return field_read(field, &ref) ? NULL : field_text(view, &ref);
}

static char *summary(const struct enrich_view *view)
{
	static const char *const names[] = {"evt.type",    "proc.pid",  "thread.tid",    "proc.name",
	                                    "evt.rawres",  "evt.args",  "fd.typechar",   "fd.name",
	                                    "fd.realpath", "fd.fspath", "evt.incomplete"};
	_cleanup_(buf_done) struct buf out;

	buf_init(&out, TEXT_BYTES_MAX);
	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		_cleanup_(base_free_ptr) char *text = view_text(view, names[i]);
		if (text)
			buf_printf(&out, "%s%s=%.600s", i ? " " : "", names[i], text);
	}
	return out.length ? buf_take(&out) : NULL;
}

/* ---- whose events ---- */
static bool is_member(const struct run *r, uint32_t pid)
{
	for (size_t i = 0; i < r->member_count; i++)
		if (r->members[i] == pid)
			return true;
	return false;
}

static void add_member(struct run *r, uint32_t pid)
{
	if (is_member(r, pid))
		return;
	if (r->member_count == MEMBERS_MAX)
		r->broken = true;
	else
		r->members[r->member_count++] = pid;
}

void run_begin(struct run *r, uint32_t pid)
{
	char text[16];

	snprintf(text, sizeof(text), "%u", pid);
	run_set(r, "PID", text);
	r->pid = pid;
	add_member(r, pid);
}

static uint64_t number_of(const struct event *e, const char *name)
{
	const struct arg_info *a = event_find_arg(e->info, str_from(name));

	return a ? event_arg_number(e, a) : 0;
}

/* The doer is what is seen to execute the doer's file, unless it is known already. */
static bool is_wanted(struct run *r, const struct enrich_view *view)
{
	const struct event *e = &view->event;

	if (!r->pid && e->header->type == EVENT_execve && e->header->result == 0) {
		_cleanup_(base_free_ptr) char *path = view_text(view, "proc.exepath");
		if (path && strcmp(path, r->doer) == 0)
			run_begin(r, e->header->pid);
	}
	if (!is_member(r, e->header->pid) && !is_member(r, e->header->ppid))
		return false;
	add_member(r, e->header->pid); /* its child that was there before */
	if (e->header->type == EVENT_procfork)
		add_member(r, (uint32_t)number_of(e, "child_pid"));
	if (e->header->type == EVENT_procexit && e->header->pid == r->pid && number_of(e, "leader"))
		r->ended = true;
	return true;
}

void run_take(struct run *r, struct enrich_view *view)
{
	struct seen_event *events, *e;

	if (!is_wanted(r, view))
		return;
	if (r->event_count >= EVENTS_MAX) {
		r->broken = true;
		return;
	}
	events = reallocarray(r->events, r->event_count + 1, sizeof(*events));
	if (!events) {
		r->broken = true;
		return;
	}
	r->events = events;
	e = &events[r->event_count++];
	*e = (struct seen_event){.incomplete = view->incomplete, .summary = summary(view)};
	for (size_t i = 0; i < r->test->field_count; i++)
		e->values[i] = field_text(view, &r->test->fields[i]);
}

void run_done(struct run *r)
{
	for (size_t i = 0; i < r->event_count; i++) {
		for (size_t f = 0; f < CASE_FIELDS_MAX; f++)
			free(r->events[i].values[f]);
		free(r->events[i].summary);
	}
	for (size_t i = 0; i < r->variable_count; i++) {
		free(r->variables[i].name);
		free(r->variables[i].value);
	}
	free(r->events);
	free(r->variables);
	*r = (struct run){};
}

/* ---- variables ---- */
void run_set(struct run *r, const char *name, const char *value)
{
	struct variable *v = reallocarray(r->variables, r->variable_count + 1, sizeof(*v));

	if (!v) {
		r->broken = true;
		return;
	}
	r->variables = v;
	v[r->variable_count++] = (struct variable){strdup(name), strdup(value)};
}

const char *run_get(const struct run *r, const char *name)
{
	for (size_t i = r->variable_count; i-- > 0;) /* the last one set */
		if (strcmp(r->variables[i].name, name) == 0)
			return r->variables[i].value;
	return NULL;
}

/* $NAME or ${name} at text: its length with the mark, and its value. */
static size_t take_variable(const struct run *r, const char *text, const char **ret_value)
{
	char name[64];
	bool braces = text[1] == '{';
	const char *begin = text + 1 + braces;
	size_t length = strspn(begin, braces ? "abcdefghijklmnopqrstuvwxyz0123456789_-" : "ABCDEFGHIJKLMNOPQRSTUVWXYZ");

	snprintf(name, sizeof(name), "%.*s", (int)length, begin);
	*ret_value = run_get(r, name);
	return 1 + length + 2u * braces;
}

static char *expand(const struct run *r, const char *text)
{
	_cleanup_(buf_done) struct buf out;

	buf_init(&out, TEXT_BYTES_MAX);
	while (*text) {
		const char *value = NULL;
		if (*text != '$') {
			buf_add_char(&out, *text++);
			continue;
		}
		text += take_variable(r, text, &value);
		buf_add_text(&out, value ? value : "(not printed by the doer)");
	}
	return out.length ? buf_take(&out) : strdup("");
}

/* ---- comparing ---- */
static bool compare(enum operator op, const char *seen, const char *wanted)
{
	int64_t a, b;

	switch (op) {
	case OP_EQUAL:
		return strcmp(seen, wanted) == 0;
	case OP_DIFFERENT:
		return strcmp(seen, wanted) != 0;
	case OP_CONTAINS:
		return strstr(seen, wanted) != NULL;
	default:
		break;
	}
	if (str_to_s64(str_from(seen), &a) || str_to_s64(str_from(wanted), &b))
		return false;
	return op == OP_AT_LEAST ? a >= b : op == OP_AT_MOST ? a <= b : op == OP_LESS ? a < b : a > b;
}

struct wanted {
	const struct expectation *expectation;
	char **values; /* of its conditions, expanded */
};

static size_t conditions_met(const struct wanted *w, const struct seen_event *e)
{
	size_t met = 0;

	for (size_t i = 0; i < w->expectation->count; i++) {
		const struct condition *c = &w->expectation->conditions[i];
		const char *seen = e->values[c->slot];
		met += seen && compare(c->op, seen, w->values[i]);
	}
	return met;
}

/* The event that comes nearest, among those of which the first condition holds (by custom evt.type). */
static const struct seen_event *nearest(const struct run *r, const struct wanted *w)
{
	const struct condition *first = &w->expectation->conditions[0];
	const struct seen_event *best = NULL;
	size_t best_met = 0;

	for (size_t i = 0; i < r->event_count; i++) {
		const struct seen_event *e = &r->events[i];
		if (e->matched || !compare(first->op, e->values[first->slot], w->values[0]))
			continue;
		size_t met = conditions_met(w, e);
		if (!best || met > best_met) {
			best = e;
			best_met = met;
		}
	}
	return best;
}

static void tell_wanted(const struct wanted *w, FILE *out)
{
	static const char *const operators[] = {"=", "!=", ">=", "<=", "<", ">", "~"};

	for (size_t i = 0; i < w->expectation->count; i++)
		fprintf(out, "%s%s%s%.300s", i ? "; " : "", w->expectation->conditions[i].field,
		        operators[w->expectation->conditions[i].op], w->values[i]);
	fputc('\n', out);
}

static void tell_difference(const struct run *r, const struct wanted *w, FILE *out)
{
	const struct seen_event *e = nearest(r, w);

	if (!e) {
		fprintf(out, "      no event like that at all\n");
		return;
	}
	for (size_t i = 0; i < w->expectation->count; i++) {
		const struct condition *c = &w->expectation->conditions[i];
		if (!compare(c->op, e->values[c->slot], w->values[i]))
			fprintf(out, "      nearest has %s: %.300s\n", c->field, e->values[c->slot]);
	}
}

static unsigned judge_expectation(struct run *r, const struct wanted *w, FILE *out)
{
	const struct expectation *x = w->expectation;
	struct seen_event *first = NULL;
	unsigned found = 0, wrong = 0;

	for (size_t i = 0; i < r->event_count; i++) {
		struct seen_event *e = &r->events[i];
		if (e->matched || conditions_met(w, e) != x->count)
			continue;
		if (!found++)
			first = e;
	}
	if ((x->kind == EXPECT_NONE && found) || (x->kind == EXPECT_ONE && found > 1)) {
		wrong++;
		fprintf(out, "    %s:%d: %u events are like ", r->test->file, x->line, found);
		tell_wanted(w, out);
	}
	if (x->kind != EXPECT_NONE && !found) {
		wrong++;
		fprintf(out, "    %s:%d: expected ", r->test->file, x->line);
		tell_wanted(w, out);
		tell_difference(r, w, out);
	}
	if (first && x->kind != EXPECT_NONE) {
		first->matched = x->kind == EXPECT_ONE;
		if (first->incomplete && !x->incomplete_allowed) {
			wrong++;
			fprintf(out, "    %s:%d: incomplete: %.300s\n", r->test->file, x->line, first->summary);
		}
	}
	return wrong;
}

unsigned run_judge(struct run *r, FILE *out)
{
	unsigned wrong = 0;

	for (size_t i = 0; i < r->test->count; i++) {
		struct expectation *x = &r->test->expectations[i];
		struct wanted w = {.expectation = x, .values = calloc(x->count, sizeof(char *))};
		for (size_t c = 0; w.values && c < x->count; c++)
			w.values[c] = expand(r, x->conditions[c].value);
		wrong += w.values ? judge_expectation(r, &w, out) : 1;
		for (size_t c = 0; w.values && c < x->count; c++)
			free(w.values[c]);
		free(w.values);
	}
	if (r->broken) {
		wrong++;
		fprintf(out, "    a record was malformed, or there were too many\n");
	}
	return wrong;
}
