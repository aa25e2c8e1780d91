/* SPDX-License-Identifier: Apache-2.0 */
#include "core/agent_int.h"

#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>

#include "base/clock.h"
#include "core/log.h"

#define COMPARISON_MAX (48u << 10)
#define DETAILS_MAX (60u << 10)

static const char *const step_names[STAGING_STEPS] = {
        [STAGING_LOAD] = "load", [STAGING_SHADOW] = "shadow", [STAGING_PROMOTE] = "promote"};

const char *staging_step_name(enum staging_step step)
{
	return step_names[step];
}

bool staging_step_parse(struct str name, enum staging_step *ret_step)
{
	for (enum staging_step step = 0; step < STAGING_STEPS; step++) {
		if (!str_equals(name, step_names[step]))
			continue;
		*ret_step = step;
		return true;
	}
	return false;
}

/* ---- from step to step ---- */

static void printf_like(4, 5)
        set_result(struct staging *s, enum staging_step step, int verdict, const char *format, ...)
{
	va_list arguments;
	va_start(arguments, format);
	vsnprintf(s->results[step].reason, sizeof(s->results[step].reason), format, arguments);
	va_end(arguments);
	s->results[step].verdict = verdict;
}

static void release(struct staging *s)
{
	shadow_free(s->shadow);
	s->shadow = NULL;
	s->on = s->waits = false;
}

static void add_steps(const struct staging *s, struct json *out)
{
	static const char *const verdicts[] = {
	        [STAGING_NOT_REACHED] = "not-reached", [STAGING_PASSED] = "passed", [STAGING_REFUSED] = "refused"};
	json_key(out, "steps");
	json_begin_array(out);
	for (enum staging_step step = 0; step < STAGING_STEPS; step++) {
		json_begin_object(out);
		json_key(out, "step");
		json_text(out, step_names[step]);
		json_key(out, "verdict");
		json_text(out, verdicts[s->results[step].verdict]);
		json_key(out, "reason");
		json_text(out, s->results[step].reason[0] ? s->results[step].reason : NULL);
		json_end_object(out);
	}
	json_end_array(out);
	if (s->comparison.length > 0) {
		json_key(out, "shadow");
		json_raw(out, buf_str(&s->comparison));
	}
}

static void add_details(const struct staging *s, struct buf *out)
{
	struct json j;
	json_init(&j, out);
	json_begin_object(&j);
	add_steps(s, &j);
	json_end_object(&j);
}

/* What is next now is perhaps not what was refused: then that is taken up. */
static void dismiss(struct agent *a, const char *reason)
{
	struct staging *s = &a->staging;
	_cleanup_(buf_done) struct buf details;
	buf_init(&details, DETAILS_MAX);
	add_details(s, &details);
	startup_look(a->startup);
	const struct store_entry *next = &a->startup->state.roles[STORE_NEXT];
	if (next->version > 0 && !digest_equal(&next->id, &s->entry.id))
		agent_stage(a);
	else
		(void)!startup_dismiss(a->startup, reason, buf_str(&details));
}

static void refuse(struct agent *a)
{
	struct staging *s = &a->staging;
	const struct store_entry entry = s->entry;
	const char *step = step_names[s->step];
	char reason[STAGING_REASON_MAX];
	s->results[s->step].verdict = STAGING_REFUSED;
	memcpy(reason, s->results[s->step].reason, sizeof(reason));
	release(s);
	log_error("%s %" PRIu64 " is refused at %s: %s", entry.name, entry.version, step, reason);
	agent_announce(a, "picket: content refused", "picket: %s %" PRIu64 " was refused at %s: %s", entry.name,
	               entry.version, step, reason);
	dismiss(a, reason);
}

static void enter_step(struct staging *s, enum staging_step step)
{
	s->step = step;
	s->begun = false;
	s->waits = !s->wishes.approved && (s->wishes.stops & 1u << step) != 0;
	if (s->waits)
		log_notice("%s %" PRIu64 " waits for a person before %s: picket approve", s->entry.name,
		           s->entry.version, step_names[step]);
}

/* ---- the steps ---- */

static int refuse_load(struct staging *s, const char *what, const char *why, int error)
{
	set_result(s, STAGING_LOAD, STAGING_REFUSED, "%s: %s", what, why ? why : strerror(-error));
	return error;
}

static int load_shadow(struct agent *a, struct content *c)
{
	struct staging *s = &a->staging;
	const struct shadow_options options = {
	        .cgroup = a->options.live.loader.cgroup, .limits = SHADOW_LIMITS_DEFAULT, .soak_ns = s->wishes.soak_ns};
	_cleanup_(diag_list_done) struct diag_list diags;
	struct loader_failure failure = {"", ""};
	diag_list_init(&diags, AGENT_DIAGS_MAX);
	int r = shadow_new(&options, c, &diags, &failure, &s->shadow);
	a->options.tell(a->options.userdata, &diags);
	const char *why = failure.what[0] ? failure.what : diags.count > 0 ? diags.items[0].text : NULL;
	return r < 0 ? refuse_load(s, "its policies cannot be loaded here", why, r) : 0;
}

/* Into the kernel, attached to nothing. */
static int load(struct agent *a)
{
	_cleanup_(content_done) struct content c = {.rules = NULL};
	struct staging *s = &a->staging;
	agent_sample(a, &s->before);
	int r = agent_read(a, STORE_NEXT, &c);
	if (r == 0)
		r = agent_preflight(a, c.rules);
	if (r < 0)
		return refuse_load(s, "it cannot be loaded here", NULL, r);
	s->entry = c.entry;
	size_t rules = rule_set_count(c.rules), policies = policy_set_count(c.policies);
	if (content_count_enforcing(&c) > 0)
		s->wishes.stops |= 1u << STAGING_PROMOTE;
	r = load_shadow(a, &c);
	if (r < 0)
		return r;
	set_result(s, STAGING_LOAD, STAGING_PASSED, "%zu rules and %zu policies are in the kernel, attached to nothing",
	           rules, policies);
	return 0;
}

static int begin_shadow(struct agent *a)
{
	struct loader_failure failure = {"", ""};
	struct staging *s = &a->staging;
	int r = shadow_begin(s->shadow, a->live, a->pipeline, &failure);
	if (r < 0)
		set_result(s, STAGING_SHADOW, STAGING_REFUSED, "it cannot stand beside what runs: %s",
		           failure.what[0] ? failure.what : strerror(-r));
	return r;
}

static void compare(struct staging *s)
{
	struct json j;
	buf_clear(&s->comparison);
	json_init(&j, &s->comparison);
	json_begin_object(&j);
	int r = shadow_add_json(s->shadow, &j);
	json_end_object(&j);
	if (r < 0 || buf_error(&s->comparison) < 0)
		buf_clear(&s->comparison);
}

static int end_shadow(struct agent *a)
{
	struct staging *s = &a->staging;
	_cleanup_(buf_done) struct buf why;
	buf_init(&why, STAGING_REASON_MAX);
	bool passed = shadow_verdict(s->shadow, &why);
	set_result(s, STAGING_SHADOW, passed ? STAGING_PASSED : STAGING_REFUSED, STR_FMT, STR_ARG(buf_str(&why)));
	compare(s);
	s->foretold = shadow_alerts_a_minute(s->shadow);
	shadow_free(s->shadow);
	s->shadow = NULL;
	return passed ? 0 : -EPERM;
}

static void say_promoted(struct agent *a)
{
	const struct staging *s = &a->staging;
	const struct rule_set *rules = judge_rules(a->judge);
	log_notice("%s %" PRIu64 " is in force: %zu of %zu rules are on; it is watched for %llu s", s->entry.name,
	           s->entry.version, rules_count_enabled(rules), rule_set_count(rules), s->wishes.watch_ns / NS_PER_S);
}

/* First on disk, then in force: whenever it ends in between, the next start finds what was promoted, on probation. */
static int promote(struct agent *a)
{
	_cleanup_(content_done) struct content c = {.rules = NULL};
	_cleanup_(buf_done) struct buf details;
	struct staging *s = &a->staging;
	buf_init(&details, DETAILS_MAX);
	add_details(s, &details);
	int r = agent_read(a, STORE_NEXT, &c);
	if (r == 0 && !digest_equal(&c.entry.id, &s->entry.id)) {
		set_result(s, STAGING_PROMOTE, STAGING_REFUSED, "another bundle was accepted meanwhile");
		return -ESTALE;
	}
	if (r == 0)
		r = startup_promote(a->startup, "it passed all steps", buf_str(&details));
	if (r < 0) {
		set_result(s, STAGING_PROMOTE, STAGING_REFUSED, "it cannot be promoted: %s", strerror(-r));
		return r;
	}
	r = agent_switch(a, &c);
	if (r < 0) {
		set_result(s, STAGING_PROMOTE, STAGING_REFUSED, "it could not take over: %s", strerror(-r));
		agent_fall_back(a, s->results[STAGING_PROMOTE].reason, (struct str){0});
		return r;
	}
	set_result(s, STAGING_PROMOTE, STAGING_PASSED, "it is in force");
	return 0;
}

/* ---- what the agent calls ---- */

void staging_end(struct agent *a)
{
	release(&a->staging);
	buf_done(&a->staging.comparison);
}

void staging_begin(struct agent *a, const struct staging_wishes *wishes)
{
	struct staging *s = &a->staging;
	staging_end(a);
	*s = (struct staging){.on = true,
	                      .known = true,
	                      .entry = a->startup->state.roles[STORE_NEXT],
	                      .wishes = *wishes,
	                      .foretold = -1};
	buf_init(&s->comparison, COMPARISON_MAX);
	enter_step(s, STAGING_LOAD);
}

void staging_approve(struct agent *a)
{
	a->staging.waits = false;
}

static int take_step(struct agent *a)
{
	struct staging *s = &a->staging;
	int r;
	switch (s->step) {
	case STAGING_LOAD:
		r = load(a);
		break;
	case STAGING_SHADOW:
		r = s->begun ? 0 : begin_shadow(a);
		s->begun = true;
		if (r < 0)
			break;
		shadow_tick(s->shadow);
		if (!shadow_is_over(s->shadow))
			return -EAGAIN;
		r = end_shadow(a);
		break;
	default:
		if (startup_is_unproved(
		            a->startup)) /* one after the other: else there were no good one to go back to */
			return -EAGAIN;
		r = promote(a);
	}
	return r;
}

void staging_tick(struct agent *a)
{
	struct staging *s = &a->staging;
	if (!s->on || s->waits)
		return;
	int r = take_step(a);
	if (r == -EAGAIN)
		return;
	if (r < 0) {
		refuse(a);
	} else if (s->step < STAGING_PROMOTE) {
		enter_step(s, s->step + 1);
	} else {
		release(s);
		say_promoted(a);
		agent_entered(a, s->wishes.watch_ns, &s->before, s->foretold);
	}
}

static const char *outcome(const struct staging *s)
{
	if (s->on)
		return s->waits ? "waits" : "going-on";
	return s->results[STAGING_PROMOTE].verdict == STAGING_PASSED ? "promoted" : "refused";
}

void staging_report(const struct agent *a, struct json *out)
{
	const struct staging *s = &a->staging;
	json_begin_object(out);
	json_key(out, "name");
	json_text(out, s->entry.name);
	json_key(out, "version");
	json_u64(out, s->entry.version);
	json_key(out, "outcome");
	json_text(out, outcome(s));
	json_key(out, "step");
	json_text(out, step_names[s->step]);
	json_key(out, "after_probation");
	json_bool(out, s->on && s->step == STAGING_PROMOTE && startup_is_unproved(a->startup));
	json_key(out, "soak_s");
	json_u64(out, s->wishes.soak_ns / NS_PER_S);
	json_key(out, "soaked_s");
	json_u64(out, s->shadow ? shadow_soaked_ns(s->shadow) / NS_PER_S : 0);
	add_steps(s, out);
	json_end_object(out);
}
