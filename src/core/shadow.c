/* SPDX-License-Identifier: Apache-2.0 */
#include "core/shadow.h"

#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/clock.h"
#include "core/verdict.h"
#include "guard/table.h"

#define RULES_JSON_BYTES (24u << 10)
#define WHY_BYTES 512
#define VERDICT_BYTES 512

/* A policy whose guards stand beside those in force. */
struct staged_policy {
	char name[POLICY_NAME_MAX + 1];
	const char *action, *mode; /* mode: as its file says */
	uint32_t budget;           /* actions a minute */
	bool untried; /* it acts where only the policies in force are looked after: what it would do is not seen */
	uint64_t would, undecided;
	struct trial_minute minute;
	struct trial_examples examples;
};

struct shadow {
	struct shadow_options options;
	struct trial *trial;
	struct guards *guards; /* NULL: no policies */
	struct staged_policy *policies;
	size_t policy_count;
	char cgroup[PATH_MAX];
	struct live *live;         /* borrowed; NULL: not begun */
	struct pipeline *pipeline; /* borrowed */
	uint64_t begun_ns, now_ns;
	uint64_t lost_before, lost;
	uint64_t verdicts_lost;
	struct buf text; /* of an example */
};

static void guard_table_freep(struct guard_table **t)
{
	guard_table_free(*t);
}

static void shadow_freep(struct shadow **s)
{
	shadow_free(*s);
}

/* ---- its guards ---- */

static void hold_policy(struct staged_policy *to, const struct guard_table *table, uint32_t index)
{
	const struct policy *p = guard_table_policy(table, index);
	*to = (struct staged_policy){.action = policy_action_name(p->action),
	                             .mode = policy_mode_name(p->mode),
	                             .budget = p->budget.actions,
	                             .untried = guard_table_reacts(table, index) ||
	                                        guard_table_image(table)->policies[index].scope.members};
	snprintf(to->name, sizeof(to->name), "%s", p->name);
}

/* No policy of the table does more than tell. */
static int load_guards(struct shadow *s, const struct guard_table *table, struct loader_failure *reterr_failure)
{
	struct guard_image image = *guard_table_image(table);
	uint32_t modes[GUARD_POLICIES_MAX];
	if (image.policy_count == 0)
		return 0;
	if (image.policy_count > ARRAY_SIZE(modes))
		return -E2BIG;
	s->policies = calloc(image.policy_count, sizeof(*s->policies));
	if (!s->policies)
		return -ENOMEM;
	s->policy_count = image.policy_count;
	for (uint32_t i = 0; i < image.policy_count; i++) {
		hold_policy(&s->policies[i], table, i);
		modes[i] = MIN(image.modes[i], (uint32_t)GUARD_SHADOW);
	}
	image.modes = modes;
	return guards_new(&image, s->options.instance, &s->guards, reterr_failure);
}

static int make_guards(struct shadow *s, const struct policy_set *set, struct diag_list *diags,
                       struct loader_failure *reterr_failure)
{
	_cleanup_(guard_table_freep) struct guard_table *table = NULL;
	const struct guard_table_options options = {.cgroup = s->options.cgroup, .trial = true, .judged = true};
	struct guard_hook_report hooks[GUARD_HOOK_COUNT];
	struct policy_kernel kernel;
	if (!set || policy_set_count(set) == 0)
		return 0;
	loader_probe_guards(hooks);
	for (size_t i = 0; i < GUARD_HOOK_COUNT; i++)
		kernel.has[i] = hooks[i].ok;
	if (s->options.cgroup)
		snprintf(s->cgroup, sizeof(s->cgroup), "%s", s->options.cgroup);
	else if (!guard_cgroup_root(s->cgroup, sizeof(s->cgroup)))
		s->cgroup[0] = '\0';
	int r = guard_table_new(set, &kernel, &options, diags, &table);
	return r < 0 ? r : load_guards(s, table, reterr_failure);
}

static void count_verdict(void *userdata, const struct guard_verdict *v)
{
	struct shadow *s = userdata;
	if (v->policy >= s->policy_count || v->kind != GUARD_WOULD_ACT || !verdict_point_name(v->point))
		return;
	struct staged_policy *p = &s->policies[v->policy];
	trial_minute_add(&p->minute, v->time_ns);
	buf_clear(&s->text);
	verdict_add_deed(v, &s->text);
	trial_example_add(&p->examples, v->time_ns + clock_boot_offset_ns(), buf_str(&s->text));
}

/* Verdicts may be lost where attempts are many; the counts of the kernel are not. */
static void look_at_guards(struct shadow *s)
{
	struct guard_state state;
	s->verdicts_lost = 0;
	if (!s->guards || guards_poll(s->guards, count_verdict, s) < 0)
		return;
	for (uint32_t i = 0; i < s->policy_count; i++) {
		struct staged_policy *p = &s->policies[i];
		if (guards_state(s->guards, i, &state) < 0)
			continue;
		uint64_t more = state.total_would - p->would;
		p->would = state.total_would;
		p->undecided = state.total_unknown;
		p->minute.most = MAX(p->minute.most, more);
		s->verdicts_lost += state.verdicts_lost;
	}
}

/* ---- the object ---- */

int shadow_new(const struct shadow_options *options, struct content *staged, struct diag_list *reterr_diags,
               struct loader_failure *reterr_failure, struct shadow **ret_shadow)
{
	_cleanup_(shadow_freep) struct shadow *s = calloc(1, sizeof(*s));
	if (!s)
		return -ENOMEM;
	s->options = *options;
	buf_init(&s->text, VERDICT_BYTES);
	int r = make_guards(s, staged->policies, reterr_diags, reterr_failure);
	if (r == 0)
		r = trial_new(staged->rules, &s->trial);
	if (r < 0)
		return r;
	staged->rules = NULL;
	*ret_shadow = TAKE_PTR(s);
	return 0;
}

int shadow_begin(struct shadow *s, struct live *live, struct pipeline *pipeline, struct loader_failure *reterr_failure)
{
	struct live_wish wish = {.all = true};
	int r = s->guards ? guards_attach(s->guards, s->cgroup, reterr_failure) : 0;
	if (r < 0)
		return r;
	rule_set_events(trial_rules(s->trial), &wish.events);
	r = live_set_wish(live, LIVE_SHADOW, &wish);
	if (r < 0)
		return r;
	(void)rules_watch_files(trial_rules(s->trial), pipeline_enrich(pipeline));
	s->live = live;
	s->pipeline = pipeline;
	s->begun_ns = s->now_ns = clock_boot_ns();
	s->lost_before = s->lost = pipeline_get_stats(pipeline)->lost;
	return 0;
}

void shadow_free(struct shadow *s)
{
	if (!s)
		return;
	if (s->live)
		(void)!live_set_wish(s->live, LIVE_SHADOW, NULL);
	guards_free(s->guards);
	trial_free(s->trial);
	buf_done(&s->text);
	free(s->policies);
	free(s);
}

int shadow_event(struct shadow *s, struct judge *running, struct enrich_view *view, struct arena *arena)
{
	return trial_event(s->trial, running, view, arena);
}

void shadow_tick(struct shadow *s)
{
	s->lost = s->pipeline ? pipeline_get_stats(s->pipeline)->lost : 0;
	s->now_ns = clock_boot_ns();
	look_at_guards(s);
}

uint64_t shadow_soaked_ns(const struct shadow *s)
{
	return s->now_ns - s->begun_ns;
}

bool shadow_is_over(const struct shadow *s)
{
	return s->live && shadow_soaked_ns(s) >= s->options.soak_ns;
}

double shadow_alerts_a_minute(const struct shadow *s)
{
	struct trial_stats stats;
	trial_get_stats(s->trial, &stats);
	double minutes = (double)shadow_soaked_ns(s) / (60.0 * NS_PER_S);
	return minutes > 0 ? (double)(stats.same + stats.added) / minutes : 0;
}

/* ---- the verdict ---- */

static bool is_too_dear(const struct trial_stats *stats, double ratio)
{
	return stats->timed >= SHADOW_COST_EVENTS_MIN &&
	       stats->staged_ns > stats->timed * (uint64_t)SHADOW_COST_LEAST_NS &&
	       (double)stats->staged_ns > (double)stats->running_ns * ratio;
}

static const struct staged_policy *find_over_budget(const struct shadow *s)
{
	for (size_t i = 0; i < s->policy_count; i++)
		if (s->policies[i].minute.most > s->policies[i].budget)
			return &s->policies[i];
	return NULL;
}

static double mean_us(uint64_t ns, uint64_t count)
{
	return count ? (double)ns / (double)count / 1000 : 0;
}

static size_t count_untried(const struct shadow *s)
{
	size_t count = 0;
	for (size_t i = 0; i < s->policy_count; i++)
		count += s->policies[i].untried;
	return count;
}

static void add_pass(const struct shadow *s, const struct trial_stats *stats, struct buf *why)
{
	size_t untried = count_untried(s);
	buf_printf(why, "%" PRIu64 " events; alerts: %" PRIu64 " the same, %" PRIu64 " new, %" PRIu64 " gone",
	           stats->events, stats->same, stats->added, stats->gone);
	if (untried > 0)
		buf_printf(why, "; of %zu policies, what %zu would do cannot be seen in a shadow", s->policy_count,
		           untried);
}

bool shadow_verdict(const struct shadow *s, struct buf *why)
{
	const struct shadow_limits *limits = &s->options.limits;
	const struct trial_rule *loud = trial_too_loud(s->trial, limits->alerts_a_minute);
	const struct staged_policy *over = find_over_budget(s);
	uint64_t lost = s->lost - s->lost_before;
	struct trial_stats stats;
	trial_get_stats(s->trial, &stats);
	if (lost > limits->lost)
		buf_printf(why, "%" PRIu64 " events were lost meanwhile, and %" PRIu64 " may be", lost, limits->lost);
	else if (over)
		buf_printf(why,
		           "the policy \"%s\" would have acted %" PRIu64
		           " times in a minute, and its budget is %" PRIu32,
		           over->name, over->minute.most, over->budget);
	else if (loud)
		buf_printf(why,
		           "the rule \"%s\" raised %" PRIu64 " alerts in a minute, and %" PRIu64 " before; %" PRIu64
		           " may be",
		           loud->name, loud->staged.most, loud->running.most, limits->alerts_a_minute);
	else if (is_too_dear(&stats, limits->cost_ratio))
		buf_printf(why, "judging an event takes %.1f us, and %.1f us before: more than %.1f times as long",
		           mean_us(stats.staged_ns, stats.timed), mean_us(stats.running_ns, stats.timed),
		           limits->cost_ratio);
	else
		return add_pass(s, &stats, why), true;
	return false;
}

/* ---- the report ---- */

static void add_u64(struct json *out, const char *key, uint64_t n)
{
	json_key(out, key);
	json_u64(out, n);
}

static void add_text(struct json *out, const char *key, const char *text)
{
	json_key(out, key);
	json_text(out, text);
}

static void add_policy(const struct staged_policy *p, struct json *out)
{
	json_begin_object(out);
	add_text(out, "policy", p->name);
	add_text(out, "action", p->action);
	add_text(out, "mode", p->mode);
	json_key(out, "tried");
	json_bool(out, !p->untried);
	add_u64(out, "would_have_acted", p->would);
	add_u64(out, "undecided", p->undecided);
	add_u64(out, "most_in_a_minute", p->minute.most);
	add_u64(out, "budget", p->budget);
	trial_add_examples(&p->examples, out);
	json_end_object(out);
}

static void add_cost(const struct trial_stats *stats, struct json *out)
{
	json_key(out, "cost");
	json_begin_object(out);
	add_u64(out, "timed", stats->timed);
	json_key(out, "event_us");
	json_double(out, mean_us(stats->staged_ns, stats->timed));
	json_key(out, "event_us_now");
	json_double(out, mean_us(stats->running_ns, stats->timed));
	json_key(out, "ratio");
	if (stats->running_ns)
		json_double(out, (double)stats->staged_ns / (double)stats->running_ns);
	else
		json_null(out);
	json_end_object(out);
}

int shadow_add_json(const struct shadow *s, struct json *out)
{
	_cleanup_(buf_done) struct buf why;
	struct trial_stats stats;
	trial_get_stats(s->trial, &stats);
	buf_init(&why, WHY_BYTES);
	bool passed = shadow_verdict(s, &why);
	json_key(out, "passed");
	json_bool(out, passed);
	json_key(out, "why");
	json_str(out, buf_str(&why));
	add_u64(out, "soak_s", (s->now_ns - s->begun_ns) / NS_PER_S);
	add_u64(out, "events", stats.events);
	add_u64(out, "lost", s->lost - s->lost_before);
	add_u64(out, "same", stats.same);
	add_u64(out, "added", stats.added);
	add_u64(out, "gone", stats.gone);
	int r = trial_add_json(s->trial, RULES_JSON_BYTES, out);
	if (r < 0)
		return r;
	json_key(out, "policies");
	json_begin_array(out);
	for (size_t i = 0; i < s->policy_count; i++)
		add_policy(&s->policies[i], out);
	json_end_array(out);
	add_u64(out, "verdicts_lost", s->verdicts_lost);
	add_cost(&stats, out);
	return buf_error(&why);
}
