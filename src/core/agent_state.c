/* SPDX-License-Identifier: Apache-2.0 */
#include "core/agent_int.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <sys/resource.h>

#include "base/clock.h"
#include "core/log.h"
#include "core/report.h"

#define CONFIRM_AGAIN_NS (10 * NS_PER_S)
#define TEXT_MAX 1024
#define DETAILS_MAX (16u << 10)

/* What happened to content is an alert, too: no rule turns it off. */
void agent_announce(struct agent *a, const char *rule, const char *format, ...)
{
	char text[TEXT_MAX];
	va_list arguments;
	va_start(arguments, format);
	vsnprintf(text, sizeof(text), format, arguments);
	va_end(arguments);
	struct alert alert = {.real_ns = clock_real_ns(),
	                      .rule = rule,
	                      .priority = PRIORITY_ERROR,
	                      .priority_name = rule_priority_name(PRIORITY_ERROR),
	                      .source = "picket",
	                      .output = str_from(text)};
	judge_put(a->judge, &alert);
}

/* ---- the start ---- */

/* A mistake in rules that a person named ends the start; what a bundle brings never does. */
static bool may_step_down(const struct agent *a, int error)
{
	return a->startup && error != -EPERM && (startup_is_bundle(a->startup) || a->startup->reason[0]);
}

int agent_begin(struct agent *a)
{
	int r = 0;
	while (!a->startup || a->startup->rung != BOOT_OFF) {
		r = agent_prepare(a);
		if (r == 0 || !may_step_down(a, r))
			return r;
		startup_step_down(a->startup, startup_is_bundle(a->startup) ? "the current content cannot be run here"
		                                                            : "picket's own rules cannot be run here");
	}
	return 0;
}

/* ---- probation ---- */

static uint64_t cpu_ns(void)
{
	struct rusage usage = {.ru_maxrss = 0};
	getrusage(RUSAGE_SELF, &usage);
	return ((uint64_t)usage.ru_utime.tv_sec + (uint64_t)usage.ru_stime.tv_sec) * NS_PER_S +
	       ((uint64_t)usage.ru_utime.tv_usec + (uint64_t)usage.ru_stime.tv_usec) * 1000;
}

void agent_sample(const struct agent *a, struct probation_sample *ret_sample)
{
	const struct pipeline_stats *stats = pipeline_get_stats(a->pipeline);
	*ret_sample = (struct probation_sample){.time_ns = clock_monotonic_ns(),
	                                        .cpu_ns = cpu_ns(),
	                                        .memory_bytes = report_memory_bytes(),
	                                        .events = stats->events,
	                                        .lost = stats->lost,
	                                        .alerts = a->matched,
	                                        .breakers = a->policies ? policies_count_tripped(a->policies) : 0};
}

void agent_entered(struct agent *a, uint64_t watch_ns, const struct probation_sample *before, double foretold)
{
	struct probation_sample now;
	agent_sample(a, &now);
	a->entered_ns = now.time_ns;
	if (startup_is_unproved(a->startup))
		probation_begin(&a->probation, &now, watch_ns, before, foretold);
	else
		a->probation.on = false;
}

static void add_probation(const struct agent *a, struct buf *out)
{
	struct json j;
	json_init(&j, out);
	probation_report(&a->probation, &j);
}

/* Whatever else fails, no policy of what is taken back acts any more. */
static void only_watch(struct agent *a)
{
	agent_drop_policies(a);
	log_error("the last known good content cannot be run: the rules go on, and no policy acts");
}

void agent_fall_back(struct agent *a, const char *reason, struct str details)
{
	_cleanup_(content_done) struct content c = {.rules = NULL};
	struct startup *s = a->startup;
	char name[BUNDLE_NAME_MAX + 1];
	uint64_t version = s->state.roles[s->role].version;
	snprintf(name, sizeof(name), "%s", s->state.roles[s->role].name);
	log_error("%s %llu is taken back: %s", name, (unsigned long long)version, reason);
	if (startup_roll_back(s, reason, details) < 0)
		return;
	if (agent_read(a, s->role, &c) < 0 || agent_switch(a, &c) < 0)
		only_watch(a);
	agent_announce(a, "picket: content taken back", "picket: %s %llu was taken back: %s", name,
	               (unsigned long long)version, reason);
	agent_entered(a, a->options.watch_ns, NULL, -1);
}

/* What cannot be written now may be later: until then it stays on probation, and what waits for its end waits on. */
static void probation_passed(struct agent *a)
{
	_cleanup_(buf_done) struct buf details;
	buf_init(&details, DETAILS_MAX);
	add_probation(a, &details);
	if (startup_confirm(a->startup, "it kept to its limits", buf_str(&details)) < 0) {
		a->probation.on = true;
		a->probation.until_ns = a->probation.last.time_ns + CONFIRM_AGAIN_NS;
		return;
	}
	startup_proved(a->startup);
	log_notice("%s %llu has proved itself: it is the last known good content now",
	           a->startup->state.roles[STORE_GOOD].name,
	           (unsigned long long)a->startup->state.roles[STORE_GOOD].version);
}

static void probation_tick(struct agent *a)
{
	_cleanup_(buf_done) struct buf reason, details;
	struct probation_sample now;
	buf_init(&reason, TEXT_MAX);
	buf_init(&details, DETAILS_MAX);
	agent_sample(a, &now);
	switch (probation_look(&a->probation, &now, &reason)) {
	case PROBATION_GOES_ON:
		return;
	case PROBATION_PASSED:
		probation_passed(a);
		return;
	case PROBATION_FAILED:
		add_probation(a, &details);
		agent_fall_back(a, reason.data, buf_str(&details));
		return;
	}
}

void agent_state_tick(struct agent *a)
{
	if (a->probation.on)
		probation_tick(a);
	else if (clock_monotonic_ns() - a->entered_ns >= a->options.alive_ns)
		startup_proved(a->startup);
	startup_tick(a->startup);
	staging_tick(a);
}

/* ---- orders ---- */

static bool stop_parse(struct str text, unsigned *ret_stops)
{
	struct str name;
	*ret_stops = 0;
	while (str_next(&text, ',', &name)) {
		enum staging_step step;
		if (!staging_step_parse(name, &step))
			return false;
		*ret_stops |= 1u << step;
	}
	return true;
}

static bool seconds_parse(struct str text, uint64_t *ret_ns)
{
	uint64_t s;
	if (str_to_u64(text, &s) < 0 || s > STAGING_SECONDS_MAX)
		return false;
	*ret_ns = s * NS_PER_S;
	return true;
}

static bool wish_parse(struct str word, struct staging_wishes *w)
{
	struct str value = word, key = {0};
	unsigned stops;
	str_next(&value, '=', &key);
	if (str_equals(key, "soak"))
		return seconds_parse(value, &w->soak_ns);
	if (str_equals(key, "watch"))
		return seconds_parse(value, &w->watch_ns);
	if (str_equals(key, "approve"))
		return w->approved = true;
	if (!str_equals(key, "stops") || !stop_parse(value, &stops))
		return false;
	w->stops |= stops;
	return true;
}

static struct staging_wishes own_wishes(const struct agent *a)
{
	const struct agent_options *o = &a->options;
	return (struct staging_wishes){.soak_ns = o->soak_ns, .watch_ns = o->watch_ns, .stops = o->stops};
}

void agent_stage(struct agent *a)
{
	const struct staging_wishes wishes = own_wishes(a);
	staging_begin(a, &wishes);
}

static bool order_stage(struct agent *a, struct str rest, struct buf *answer)
{
	struct staging_wishes wishes = own_wishes(a);
	struct str word;
	while (str_next(&rest, ' ', &word)) {
		if (!wish_parse(word, &wishes)) {
			buf_printf(answer, "there is no such wish: " STR_FMT, STR_ARG(word));
			return false;
		}
	}
	if (!a->live) {
		buf_add_text(answer, "its sensors are off: what is next is looked at by the next start that has them");
		return false;
	}
	startup_look(a->startup);
	const struct store_entry *next = &a->startup->state.roles[STORE_NEXT];
	if (next->version == 0) {
		buf_add_text(answer, "there is no next bundle");
		return false;
	}
	staging_begin(a, &wishes);
	buf_printf(answer, "%s %llu is on its way", next->name, (unsigned long long)next->version);
	return true;
}

static bool order_approve(struct agent *a, struct str name, struct buf *answer)
{
	const struct staging *s = &a->staging;
	if (!s->on || !s->waits) {
		buf_add_text(answer, "nothing waits for a person");
		return false;
	}
	if (name.length > 0 && !str_equals(name, s->entry.name)) {
		buf_printf(answer, "it is %s that waits", s->entry.name);
		return false;
	}
	buf_printf(answer, "%s %llu goes on with %s", s->entry.name, (unsigned long long)s->entry.version,
	           staging_step_name(s->step));
	staging_approve(a);
	return true;
}

static bool order_rollback(struct agent *a, struct str reason, struct buf *answer)
{
	char text[STARTUP_REASON_MAX];
	struct startup *s = a->startup;
	if (!startup_is_unproved(s) && s->state.roles[STORE_BEFORE].version == 0) {
		buf_add_text(answer, "there is nothing to go back to");
		return false;
	}
	snprintf(text, sizeof(text), "by order%s" STR_FMT, reason.length > 0 ? ": " : "", STR_ARG(reason));
	agent_fall_back(a, text, (struct str){0});
	const struct store_entry *now = &s->state.roles[s->role];
	if (now->version > 0)
		buf_printf(answer, "back to %s %llu", now->name, (unsigned long long)now->version);
	else
		buf_add_text(answer, "back to the rules without a bundle");
	return true;
}

bool agent_state_order(struct agent *a, struct str verb, struct str rest, struct buf *answer, bool *ret_done)
{
	if (str_equals(verb, "stage"))
		*ret_done = order_stage(a, rest, answer);
	else if (str_equals(verb, "approve"))
		*ret_done = order_approve(a, rest, answer);
	else if (str_equals(verb, "rollback") && a->live)
		*ret_done = order_rollback(a, rest, answer);
	else
		return false;
	return true;
}

/* ---- the status ---- */

static void report_entry(struct json *out, const char *key, const struct store_entry *e)
{
	_cleanup_(buf_done) struct buf id;
	buf_init(&id, DIGEST_HEX);
	json_key(out, key);
	if (e->version == 0) {
		json_null(out);
		return;
	}
	digest_add(&e->id, DIGEST_SHOWN, &id);
	json_begin_object(out);
	json_key(out, "name");
	json_text(out, e->name);
	json_key(out, "version");
	json_u64(out, e->version);
	json_key(out, "id");
	json_str(out, buf_str(&id));
	json_end_object(out);
}

void agent_state_report(struct agent *a, struct json *out)
{
	const struct startup *s = a->startup;
	json_key(out, "content");
	json_begin_object(out);
	json_key(out, "state");
	json_text(out, s->path);
	json_key(out, "rung");
	json_text(out, boot_rung_name(s->rung));
	json_key(out, "reason");
	json_text(out, s->reason[0] ? s->reason : NULL);
	json_key(out, "proved");
	json_bool(out, !s->counted);
	report_entry(out, "runs", &s->state.roles[s->role]);
	report_entry(out, "good", &s->state.roles[STORE_GOOD]);
	report_entry(out, "next", &s->state.roles[STORE_NEXT]);
	if (a->probation.on) {
		json_key(out, "probation");
		probation_report(&a->probation, out);
	}
	if (a->staging.known) {
		json_key(out, "staging");
		staging_report(a, out);
	}
	json_end_object(out);
}
