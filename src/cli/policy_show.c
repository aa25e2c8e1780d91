/* SPDX-License-Identifier: Apache-2.0
 *
 * Policies for people and as JSON.
 */
#include <stdio.h>

#include "base/clock.h"
#include "cli/policy.h"
#include "cli/ui.h"
#include "event/event.h"

#define LABEL_COLUMNS 10
#define NAME_COLUMNS 28

/* ---- small things ---- */

void policy_add_points(const struct policy *p, struct buf *out)
{
	bool any = false;
	for (enum policy_point point = 0; point < POINT_COUNT; point++) {
		if (!(p->points & 1u << point))
			continue;
		buf_printf(out, "%s%s", any ? ", " : "", policy_point_name(point));
		any = true;
	}
}

const char *policy_effect_code(enum policy_effect effect)
{
	return effect == EFFECT_PREVENTS ? UI_GREEN : effect == EFFECT_REACTS ? UI_YELLOW : UI_DIM;
}

const struct policy_route *policy_weakest(const struct policy *p, const struct policy_kernel *kernel)
{
	const struct policy_route *weakest = NULL;
	for (enum policy_point point = 0; point < POINT_COUNT; point++) {
		if (!(p->points & 1u << point))
			continue;
		const struct policy_route *route = policy_route_choose(p, point, kernel, NULL);
		if (!route)
			return NULL;
		if (!weakest || route->effect > weakest->effect)
			weakest = route;
	}
	return weakest;
}

static const char *verdict(const struct policy *p, const struct policy_view *view)
{
	const struct policy_route *route = policy_weakest(p, &view->kernel);
	return route ? policy_effect_name(route->effect) : "impossible";
}

static const char *verdict_code(const struct policy *p, const struct policy_view *view)
{
	const struct policy_route *route = policy_weakest(p, &view->kernel);
	return route ? policy_effect_code(route->effect) : UI_RED;
}

void policy_add_line(const struct policy *p, const struct policy_view *view, bool color, struct buf *out)
{
	_cleanup_(buf_done) struct buf points;
	buf_init(&points, 1024);
	policy_add_points(p, &points);
	buf_printf(out, "%s%-10s%s %-8s ", ui_code(color, verdict_code(p, view)), verdict(p, view),
	           ui_code(color, UI_RESET), policy_mode_name(p->mode));
	buf_add_text(out, ui_code(color, UI_BOLD));
	ui_add_padded(str_from(p->name), NAME_COLUMNS, out);
	buf_printf(out, "%s %s at %s %s%s%s\n", ui_code(color, UI_RESET), policy_action_name(p->action), points.data,
	           ui_code(color, UI_DIM), p->rule ? p->rule->name : "", ui_code(color, UI_RESET));
}

/* ---- explanation as text ---- */

struct sheet {
	const struct policy *policy;
	const struct policy_view *view;
	struct buf *out;
	bool color;
	unsigned width;
};

static void add_row(const struct sheet *s, unsigned indent, const char *label, const char *code, const char *text)
{
	unsigned column = indent + LABEL_COLUMNS;
	buf_printf(s->out, "%*s%s%-*s%s", (int)indent, "", ui_code(s->color, UI_DIM), LABEL_COLUMNS, label,
	           ui_code(s->color, UI_RESET));
	buf_add_text(s->out, ui_code(s->color, code));
	ui_add_wrapped(str_from(text), column, column, s->width, s->out);
	buf_printf(s->out, "%s\n", ui_code(s->color, code[0] ? UI_RESET : ""));
}

static void add_left(const struct sheet *s, const char *text)
{
	if (text[0])
		add_row(s, 4, "left", "", text);
}

static bool has_bits(const struct policy_decision *d)
{
	for (size_t i = 0; i < d->count; i++)
		if (d->tests[i].how == HOW_BIT)
			return true;
	return false;
}

static void add_tests(const struct sheet *s, const struct policy_decision *d)
{
	static const struct {
		const char *label, *note;
	} hows[] = {
	        [HOW_READ] = {"reads", ""},
	        [HOW_BIT] = {"knows", ""},
	        [HOW_EVENT] = {"judges", ""},
	};
	for (size_t i = 0; i < d->count; i++)
		add_row(s, 4, hows[d->tests[i].how].label, "", d->tests[i].text);
	if (has_bits(d))
		add_left(
		        s,
		        "What it knows of a process, picket found out after the process started or changed: until then, "
		        "some milliseconds, the guard lets it pass.");
}

static bool asks_unkept(const struct policy_decision *d)
{
	for (size_t i = 0; i < d->count; i++)
		if (d->tests[i].unkept)
			return true;
	return false;
}

/* Why picket run would refuse it, although the kernel could do it. NULL: it would not. */
static const char *missing_in_build(const struct policy *p, const struct policy_route *route)
{
	if (asks_unkept(&p->decisions[route->point]))
		return "guards of this build do not see when what it knows of a process changes: it is checked, not enforced";
	return NULL;
}

static void add_point(const struct sheet *s, enum policy_point point)
{
	const char *why = NULL;
	const struct policy *p = s->policy;
	const struct policy_route *route = policy_route_choose(p, point, &s->view->kernel, &why);
	const struct policy_decision *d = &p->decisions[point];
	buf_printf(s->out, "\n  %sat %s%s: ", ui_code(s->color, UI_BOLD), policy_point_name(point),
	           ui_code(s->color, UI_RESET));
	if (!route) {
		buf_printf(s->out, "%simpossible%s\n", ui_code(s->color, UI_RED), ui_code(s->color, UI_RESET));
		add_row(s, 4, "why", "", why);
		return;
	}
	buf_printf(s->out, "%s%s%s\n", ui_code(s->color, policy_effect_code(route->effect)),
	           policy_effect_name(route->effect), ui_code(s->color, UI_RESET));
	add_row(s, 4, "does", "", route->does);
	buf_printf(s->out, "    %s%-*s%s%s: %s\n", ui_code(s->color, UI_DIM), LABEL_COLUMNS, "by",
	           ui_code(s->color, UI_RESET), guard_mechanism_name(route->mechanism), route->hooks);
	const char *missing = missing_in_build(p, route);
	if (missing)
		add_row(s, 4, "but", UI_YELLOW, missing);
	add_tests(s, d);
	if (route->effect == EFFECT_PREVENTS && d->synchronous && d->widened)
		add_row(s, 4, "note", UI_YELLOW,
		        "The condition names some of the calls that come here; the guard does not see by which call, and takes "
		        "all alike.");
	add_left(s, guard_mechanism_left(route->mechanism));
	add_left(s, route->left);
}

static void add_scope(const struct sheet *s)
{
	bool any = false;
	for (enum policy_scope_kind i = 0; i < SCOPE_COUNT; i++) {
		const struct policy_texts *texts = &s->policy->scope[i];
		_cleanup_(buf_done) struct buf line = {0};
		if (!texts->count)
			continue;
		buf_init(&line, 1u << 20);
		buf_add_text(&line, policy_scope_name(i));
		for (size_t k = 0; k < texts->count; k++)
			buf_printf(&line, "%s %s", k ? "," : "", texts->items[k]);
		add_row(s, 2, any ? "" : "scope", "", line.data ? line.data : "");
		add_left(s, policy_scope_left(i));
		any = true;
	}
	if (!any)
		add_row(s, 2, "scope", "", "all processes that are not protected");
}

static void add_bounds(const struct sheet *s)
{
	const struct policy *p = s->policy;
	char line[256];
	if (p->action == ACTION_THROTTLE) {
		snprintf(line, sizeof(line), "%u in %u s, %u at once", p->rate, p->rate_seconds, p->burst);
		add_row(s, 2, "rate", "", line);
	}
	if (p->repeat_ns) {
		snprintf(line, sizeof(line), "the same alert once in %llu s",
		         (unsigned long long)(p->repeat_ns / NS_PER_S));
		add_row(s, 2, "repeat", "", line);
	}
	if (p->action == ACTION_ALERT)
		return;
	snprintf(line, sizeof(line),
	         "%u actions and %u processes a minute, %u%% of the attempts in scope; over it, it drops to shadow",
	         p->budget.actions, p->budget.processes, p->budget.share);
	add_row(s, 2, "budget", "", line);
	if (p->persist_ns)
		snprintf(line, sizeof(line), "goes on without picket for %llu s",
		         (unsigned long long)(p->persist_ns / NS_PER_S));
	else
		snprintf(line, sizeof(line), "without picket it only watches");
	add_row(s, 2, "lease", "", line);
}

void policy_add_explanation(const struct policy *p, const struct policy_view *view, bool color, unsigned width,
                            struct buf *out)
{
	const struct sheet s = {p, view, out, color, width};
	buf_printf(out, "%s%s%s, version %u, %s, in mode %s\n%s%s:%u%s\n", ui_code(color, UI_BOLD), p->name,
	           ui_code(color, UI_RESET), p->version, policy_action_name(p->action), policy_mode_name(p->mode),
	           ui_code(color, UI_DIM), p->file, p->line, ui_code(color, UI_RESET));
	if (p->desc[0]) {
		buf_add_text(out, "\n");
		ui_add_wrapped(str_trim(str_from(p->desc)), 0, 0, width, out);
		buf_add_char(out, '\n');
	}
	buf_add_char(out, '\n');
	if (p->rule)
		add_row(&s, 2, "rule", "", p->rule->name);
	add_scope(&s);
	add_bounds(&s);
	for (enum policy_point point = 0; point < POINT_COUNT; point++)
		if (p->points & 1u << point)
			add_point(&s, point);
}

/* ---- JSON ---- */

static void add_texts_json(const char *key, const struct policy_texts *texts, struct json *j)
{
	json_key(j, key);
	json_begin_array(j);
	for (size_t i = 0; i < texts->count; i++)
		json_text(j, texts->items[i]);
	json_end_array(j);
}

static void add_route_json(const struct policy_route *route, struct json *j)
{
	ui_json_text(j, "effect", policy_effect_name(route->effect));
	ui_json_text(j, "does", route->does);
	ui_json_text(j, "mechanism", guard_mechanism_name(route->mechanism));
	ui_json_text(j, "hooks", route->hooks);
	json_key(j, "left");
	json_begin_array(j);
	json_text(j, guard_mechanism_left(route->mechanism));
	if (route->left[0])
		json_text(j, route->left);
	json_end_array(j);
}

static void add_point_json(const struct policy *p, enum policy_point point, const struct policy_view *view,
                           struct json *j)
{
	static const char *const hows[] = {[HOW_READ] = "read", [HOW_BIT] = "bit", [HOW_EVENT] = "event"};
	const char *why = NULL;
	const struct policy_route *route = policy_route_choose(p, point, &view->kernel, &why);
	json_begin_object(j);
	ui_json_text(j, "point", policy_point_name(point));
	if (route)
		add_route_json(route, j);
	else
		ui_json_text(j, "impossible", why);
	ui_json_bool(j, "widened", p->decisions[point].synchronous && p->decisions[point].widened);
	json_key(j, "tests");
	json_begin_array(j);
	for (size_t i = 0; i < p->decisions[point].count; i++) {
		json_begin_object(j);
		ui_json_text(j, "test", p->decisions[point].tests[i].text);
		ui_json_text(j, "how", hows[p->decisions[point].tests[i].how]);
		json_end_object(j);
	}
	json_end_array(j);
	json_end_object(j);
}

static void add_number_json(const char *key, uint64_t value, struct json *j)
{
	json_key(j, key);
	json_u64(j, value);
}

void policy_add_json(const struct policy *p, const struct policy_view *view, struct json *j)
{
	json_begin_object(j);
	ui_json_text(j, "name", p->name);
	add_number_json("version", p->version, j);
	ui_json_text(j, "desc", p->desc);
	add_texts_json("tags", &p->tags, j);
	ui_json_text(j, "file", p->file);
	add_number_json("line", p->line, j);
	ui_json_text(j, "rule", p->rule ? p->rule->name : NULL);
	ui_json_text(j, "action", policy_action_name(p->action));
	ui_json_text(j, "mode", policy_mode_name(p->mode));
	ui_json_text(j, "error", p->action == ACTION_DENY ? errno_name(p->error) : NULL);
	ui_json_text(j, "verdict", verdict(p, view));
	json_key(j, "scope");
	json_begin_object(j);
	for (enum policy_scope_kind i = 0; i < SCOPE_COUNT; i++)
		if (p->scope[i].count)
			add_texts_json(policy_scope_name(i), &p->scope[i], j);
	json_end_object(j);
	json_key(j, "budget");
	json_begin_object(j);
	add_number_json("actions", p->budget.actions, j);
	add_number_json("processes", p->budget.processes, j);
	add_number_json("share", p->budget.share, j);
	json_end_object(j);
	add_number_json("persist_seconds", p->persist_ns / NS_PER_S, j);
	ui_json_bool(j, "reaction", p->reaction);
	json_key(j, "at");
	json_begin_array(j);
	for (enum policy_point point = 0; point < POINT_COUNT; point++)
		if (p->points & 1u << point)
			add_point_json(p, point, view, j);
	json_end_array(j);
	json_end_object(j);
}

/* ---- a kernel ---- */

/* The first way that the kernel has; a reaction only where the point is one. */
static const struct policy_route *best_route(enum policy_action action, enum policy_point point,
                                             const struct policy_kernel *kernel)
{
	for (const struct policy_route *r = NULL; (r = policy_route_next(r));)
		if (r->action == action && r->point == point && kernel->has[r->hook])
			return r;
	return NULL;
}

static bool has_route(enum policy_action action, enum policy_point point)
{
	for (const struct policy_route *r = NULL; (r = policy_route_next(r));)
		if (r->action == action && r->point == point)
			return true;
	return false;
}

static void add_kernel_row(enum policy_action action, enum policy_point point, const struct policy_view *view,
                           bool color, struct buf *out)
{
	const struct policy_route *r = best_route(action, point, &view->kernel);
	buf_printf(out, "  %-10s %-13s %s%-10s%s %s\n", policy_action_name(action), policy_point_name(point),
	           ui_code(color, r ? policy_effect_code(r->effect) : UI_RED),
	           r ? policy_effect_name(r->effect) : "impossible", ui_code(color, UI_RESET),
	           r ? guard_mechanism_name(r->mechanism) : "");
}

void policy_add_kernel(const struct policy_view *view, bool color, unsigned width, struct buf *out)
{
	buf_printf(out, "%sHooks%s\n", ui_code(color, UI_BOLD), ui_code(color, UI_RESET));
	for (size_t i = 0; i < GUARD_HOOK_COUNT; i++) {
		const struct guard_hook_report *h = &view->hooks[i];
		buf_printf(out, "  %s%s%s %-15s ", ui_code(color, h->ok ? UI_GREEN : UI_RED), h->ok ? "✓" : "✗",
		           ui_code(color, UI_RESET), h->name);
		ui_add_wrapped(str_from(h->what), 20, 20, width, out);
		if (!h->ok)
			buf_printf(out, ": %s%s%s\n%20sneeds: %s", ui_code(color, UI_YELLOW), strerror(-h->error),
			           ui_code(color, UI_RESET), "", h->needs);
		buf_add_char(out, '\n');
	}
	buf_printf(out, "\n%sActions%s\n", ui_code(color, UI_BOLD), ui_code(color, UI_RESET));
	for (enum policy_action action = 0; action < ACTION_COUNT; action++)
		for (enum policy_point point = 0; point < POINT_COUNT; point++)
			if (has_route(action, point))
				add_kernel_row(action, point, view, color, out);
}

void policy_add_kernel_json(const struct policy_view *view, struct json *j)
{
	json_begin_object(j);
	json_key(j, "hooks");
	json_begin_array(j);
	for (size_t i = 0; i < GUARD_HOOK_COUNT; i++) {
		const struct guard_hook_report *h = &view->hooks[i];
		json_begin_object(j);
		ui_json_text(j, "name", h->name);
		ui_json_text(j, "what", h->what);
		ui_json_bool(j, "ok", h->ok);
		ui_json_text(j, "error", h->ok ? NULL : strerror(-h->error));
		ui_json_text(j, "needs", h->ok ? "" : h->needs);
		json_end_object(j);
	}
	json_end_array(j);
	json_key(j, "actions");
	json_begin_array(j);
	for (const struct policy_route *r = NULL; (r = policy_route_next(r));) {
		json_begin_object(j);
		ui_json_text(j, "action", policy_action_name(r->action));
		ui_json_text(j, "point", policy_point_name(r->point));
		ui_json_bool(j, "possible", view->kernel.has[r->hook]);
		add_route_json(r, j);
		json_end_object(j);
	}
	json_end_array(j);
	json_end_object(j);
}
