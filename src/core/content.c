/* SPDX-License-Identifier: Apache-2.0 */
#include "core/content.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>

#include "base/clock.h"
#include "guard/policy.h"

#define POWER_TEXT_MAX 128
#define TEXT_MAX (64u << 10)
#define TELL_MAX 4096
#define ARROW " \xe2\x86\x92 "

static void policy_set_freep(struct policy_set **s)
{
	policy_set_free(*s);
}

int content_read_policies(const struct bundle *b, struct rule_set *rules, struct diag_list *diags,
                          struct policy_set **ret_set)
{
	_cleanup_(policy_set_freep) struct policy_set *set = NULL;
	int result = 0, r = policy_set_new(rules, &set);
	for (size_t i = 0; i < b->manifest.file_count && r != -ENOMEM; i++) {
		const struct manifest_file *f = &b->manifest.files[i];
		char name[BUNDLE_PATH_MAX + 1];
		if (f->kind != BUNDLE_POLICIES)
			continue;
		snprintf(name, sizeof(name), STR_FMT, STR_ARG(f->path));
		r = policy_set_add_text(set, name, b->contents[i], diags);
		result = r < 0 ? r : result;
	}
	if (r == -ENOMEM || result < 0)
		return r == -ENOMEM ? r : result;
	*ret_set = TAKE_PTR(set);
	return 0;
}

/* ---- what they need ---- */

/* A power says where it reaches: one over the whole host is another one. */
static void need_powers(const struct policy *p, void (*need)(void *context, struct str power, const char *policy),
                        void *context)
{
	for (unsigned point = 0; point < POINT_COUNT; point++) {
		char power[POWER_TEXT_MAX];
		if (p->action == ACTION_ALERT || !(p->points & 1u << point))
			continue;
		snprintf(power, sizeof(power), "%s%s:%s", policy_action_name(p->action),
		         policy_is_everywhere(p) ? "-everywhere" : "", policy_point_name((enum policy_point)point));
		need(context, str_from(power), p->name);
	}
}

static int check(void *userdata, const struct bundle *b, struct rule_set *rules,
                 void (*need)(void *context, struct str power, const char *policy), void *context,
                 struct diag_list *reterr_diags)
{
	_cleanup_(policy_set_freep) struct policy_set *set = NULL;
	(void)userdata;
	int r = content_read_policies(b, rules, reterr_diags, &set);
	if (r == 0)
		r = policy_set_check_breadth(set, reterr_diags);
	for (size_t i = 0; r == 0 && i < policy_set_count(set); i++)
		need_powers(policy_set_get(set, i), need, context);
	return r;
}

const struct policy_checker *content_policy_checker(void)
{
	static const struct policy_checker checker = {.check = check};
	return &checker;
}

/* ---- what changes ---- */

struct telling {
	void (*call)(void *userdata, const struct bundle_change *change);
	void *userdata;
};

static void printf_like(4, 5)
        tell(const struct telling *t, enum change_effect effect, const struct policy *p, const char *format, ...)
{
	char text[TELL_MAX];
	va_list arguments;
	va_start(arguments, format);
	vsnprintf(text, sizeof(text), format, arguments);
	va_end(arguments);
	t->call(t->userdata, &(struct bundle_change){effect, "policy", str_from(p->name), str_from(text)});
}

static void add_points(const struct policy *p, struct buf *out)
{
	size_t before = out->length;
	for (unsigned point = 0; point < POINT_COUNT; point++) {
		if (p->points & 1u << point)
			buf_printf(out, "%s%s", out->length > before ? ", " : "",
			           policy_point_name((enum policy_point)point));
	}
}

static void add_scope(const struct policy *p, struct buf *out)
{
	size_t before = out->length;
	for (unsigned kind = 0; kind < SCOPE_COUNT; kind++) {
		for (size_t i = 0; i < p->scope[kind].count; i++)
			buf_printf(out, "%s%s %s", out->length > before ? ", " : "",
			           policy_scope_name((enum policy_scope_kind)kind), p->scope[kind].items[i]);
	}
	if (out->length == before)
		buf_add_text(out, "everything");
}

/* "deny on connect for unit nginx.service" */
static void add_policy(const struct policy *p, struct buf *out)
{
	buf_printf(out, "%s on ", policy_action_name(p->action));
	add_points(p, out);
	buf_add_text(out, " for ");
	add_scope(p, out);
}

static void add_tests(const struct policy *p, struct buf *out)
{
	buf_add_text(out, p->rule ? p->rule->name : "");
	for (unsigned point = 0; point < POINT_COUNT; point++) {
		for (size_t i = 0; i < p->decisions[point].count; i++)
			buf_printf(out, "\n%s", p->decisions[point].tests[i].text);
	}
}

/* What one of them comes to as text, by a function that writes it. */
static void diff_text(const struct telling *t, const struct policy *before, const struct policy *after,
                      void (*add)(const struct policy *p, struct buf *out), const char *what, bool show)
{
	_cleanup_(buf_done) struct buf old, new;
	buf_init(&old, TEXT_MAX);
	buf_init(&new, TEXT_MAX);
	add(before, &old);
	add(after, &new);
	if (str_equal(buf_str(&old), buf_str(&new)))
		return;
	if (show)
		tell(t, CHANGE_OTHER, after, "%s" STR_FMT ARROW STR_FMT, what, STR_ARG(buf_str(&old)),
		     STR_ARG(buf_str(&new)));
	else
		tell(t, CHANGE_OTHER, after, "%s", what);
}

static void diff_numbers(const struct telling *t, const struct policy *before, const struct policy *after)
{
	const struct policy_budget *old = &before->budget, *new = &after->budget;
	if (old->actions != new->actions || old->processes != new->processes || old->share != new->share)
		tell(t, CHANGE_OTHER, after,
		     "budget: %u actions, %u processes, %u%%" ARROW "%u actions, %u processes, %u%%", old->actions,
		     old->processes, old->share, new->actions, new->processes, new->share);
	if (before->rate != after->rate || before->rate_seconds != after->rate_seconds || before->burst != after->burst)
		tell(t, CHANGE_OTHER, after, "rate: %u in %u s" ARROW "%u in %u s", before->rate, before->rate_seconds,
		     after->rate, after->rate_seconds);
	if (before->persist_ns != after->persist_ns)
		tell(t, after->persist_ns > before->persist_ns ? CHANGE_MORE : CHANGE_LESS, after,
		     "acts without picket for %llu s" ARROW "%llu s",
		     (unsigned long long)(before->persist_ns / NS_PER_S),
		     (unsigned long long)(after->persist_ns / NS_PER_S));
	if (before->error != after->error)
		tell(t, CHANGE_OTHER, after, "attempts fail with another error");
	if (before->reaction != after->reaction)
		tell(t, CHANGE_OTHER, after, "%s",
		     after->reaction ? "reaction will do" : "reaction will not do any more");
}

static void diff_policy(const struct telling *t, const struct policy *before, const struct policy *after)
{
	diff_text(t, before, after, add_policy, "", true);
	if (before->mode != after->mode)
		tell(t, after->mode > before->mode ? CHANGE_MORE : CHANGE_LESS, after, "mode %s" ARROW "%s",
		     policy_mode_name(before->mode), policy_mode_name(after->mode));
	diff_text(t, before, after, add_tests, "asks for something else: its rule or condition has changed", false);
	diff_numbers(t, before, after);
}

static void tell_whole(const struct telling *t, const struct policy *p, bool added)
{
	_cleanup_(buf_done) struct buf text;
	buf_init(&text, TEXT_MAX);
	add_policy(p, &text);
	tell(t, added ? CHANGE_MORE : CHANGE_LESS, p, "%s " STR_FMT ", in mode %s", added ? "adds" : "no longer does",
	     STR_ARG(buf_str(&text)), policy_mode_name(p->mode));
}

static int differ(void *userdata, const struct bundle_side *before, const struct bundle_side *after,
                  void (*call)(void *call_userdata, const struct bundle_change *change), void *call_userdata,
                  struct diag_list *reterr_diags)
{
	_cleanup_(policy_set_freep) struct policy_set *old = NULL, *new = NULL;
	const struct telling t = {call, call_userdata};
	(void)userdata;
	int r = content_read_policies(before->bundle, before->rules, reterr_diags, &old);
	if (r == 0)
		r = content_read_policies(after->bundle, after->rules, reterr_diags, &new);
	if (r < 0)
		return r;
	for (size_t i = 0; i < policy_set_count(old); i++) {
		const struct policy *p = policy_set_get(old, i);
		if (!policy_set_find(new, str_from(p->name)))
			tell_whole(&t, p, false);
	}
	for (size_t i = 0; i < policy_set_count(new); i++) {
		const struct policy *p = policy_set_get(new, i), *known = policy_set_find(old, str_from(p->name));
		if (known)
			diff_policy(&t, known, p);
		else
			tell_whole(&t, p, true);
	}
	return 0;
}

const struct policy_differ *content_policy_differ(void)
{
	static const struct policy_differ d = {.differ = differ};
	return &d;
}
