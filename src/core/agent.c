/* SPDX-License-Identifier: Apache-2.0 */
#include "core/agent_int.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/clock.h"
#include "core/log.h"
#include "core/report.h"

/* ---- while it runs ---- */

static void reload(void *userdata, struct live *live)
{
	_cleanup_(content_done) struct content c = {.rules = NULL};
	struct agent *a = userdata;
	(void)live;
	int r = judge_reopen(a->judge);
	if (r < 0)
		log_error("cannot open an output again: %s", strerror(-r));
	if (agent_read(a, a->startup ? a->startup->role : STORE_CURRENT, &c) < 0 || agent_switch(a, &c) < 0) {
		a->failed_reloads++;
		log_error("rules and policies were not reloaded: those from before stay in force");
		return;
	}
	a->reloads++;
	const struct rule_set *rules = judge_rules(a->judge);
	log_notice("reloaded: %zu of %zu rules are on", rules_count_enabled(rules), rule_set_count(rules));
}

static bool order(void *userdata, struct str order, struct buf *answer)
{
	struct agent *a = userdata;
	struct str rest = order, verb = {0};
	bool done = false;
	str_next(&rest, ' ', &verb);
	if (a->startup && agent_state_order(a, verb, rest, answer, &done))
		return done;
	if (a->policies)
		return policies_carry_out(a->policies, order, answer);
	buf_add_text(answer, "this picket does not know this order");
	return false;
}

static void turn(void *userdata)
{
	struct agent *a = userdata;
	if (a->policies)
		policies_tell(a->policies);
	if (a->policies && a->live)
		policies_know(a->policies, a->live);
	if (a->recent)
		recent_turn(a->recent, clock_boot_ns());
}

static void tick(void *userdata, struct live *live)
{
	struct agent *a = userdata;
	if (a->policies)
		policies_renew(a->policies);
	if (live)
		sparing_tick(&a->sparing, live);
	judge_tick(a->judge);
	if (a->startup)
		agent_state_tick(a);
}

static void report(void *userdata, struct json *out)
{
	struct agent *a = userdata;
	if (a->startup)
		agent_state_report(a, out);
	report_judge(out, a->judge);
	sparing_report(&a->sparing, out);
	if (a->policies && policies_count(a->policies) > 0)
		policies_report(a->policies, out);
	if (a->recent)
		recent_report(a->recent, out);
	json_key(out, "reloads");
	json_u64(out, a->reloads);
	json_key(out, "failed_reloads");
	json_u64(out, a->failed_reloads);
}

/* What a bundle brings never keeps picket from running. */
static int enforce_at_start(struct agent *a)
{
	int r = agent_enforce(a);
	if (r == 0 || !a->startup)
		return r;
	if (startup_is_unproved(a->startup))
		agent_fall_back(a, "its policies could not take over at the start", (struct str){0});
	else
		agent_drop_policies(a);
	return 0;
}

static void began(struct agent *a)
{
	struct startup *s = a->startup;
	if (s->reason[0])
		agent_announce(a, "picket: content stepped down", "picket: %s: %s", s->reason,
		               s->rung == BOOT_WATCH ? "it only watches, and no policy acts" : "older content runs");
	agent_entered(a, a->options.watch_ns, NULL, -1);
	if (s->state.roles[STORE_NEXT].version > 0)
		agent_stage(a);
}

static int started(void *userdata, struct live *live)
{
	struct agent *a = userdata;
	a->live = live;
	agent_install_sieve(a);
	if (!a->policies)
		policies_unpin_others(a->options.live.status_path, NULL);
	int r = enforce_at_start(a);
	if (r < 0)
		return r;
	if (a->startup)
		began(a);
	if (a->recent)
		recent_start(a->recent, live, a->pipeline);
	if (a->options.started)
		a->options.started(a->options.userdata, a);
	return 0;
}

static int context(void *userdata, const struct event *event)
{
	struct agent *a = userdata;
	if (a->live && event->header->type == EVENT_watch)
		live_pass_file(a->live, (uint32_t)event_arg_number(event, event_find_arg(event->info, STR("dev"))),
		               event_arg_number(event, event_find_arg(event->info, STR("ino"))));
	if (a->recent)
		recent_context(a->recent, event);
	return judge_context(a->judge, event);
}

static int event(void *userdata, struct enrich_view *view, struct arena *arena)
{
	struct agent *a = userdata;
	struct shadow *shadow = a->staging.shadow;
	struct enrich_actor actor;
	if (a->policies && enrich_actor_get(view, &actor))
		policies_see(a->policies, &actor);
	if (a->policies)
		policies_know_event(a->policies, view);
	int r = shadow ? shadow_event(shadow, a->judge, view, arena) : judge_event(a->judge, view, arena);
	a->matched += judge_matched(a->judge);
	if (a->recent)
		recent_event(a->recent, view);
	if (a->live && !judge_matched(a->judge) && !(a->recent && recent_wants(a->recent, &view->event)))
		live_unmatched(a->live, view, arena);
	return r;
}

/* ---- the object ---- */

static int make_recent(struct agent *a)
{
	char directory[PATH_MAX];
	const struct recent_options options = {.directory = directory, .bytes_max = a->options.recent_bytes};
	if (!a->options.state || !options.bytes_max)
		return 0;
	snprintf(directory, sizeof(directory), "%s/" RECENT_DIRECTORY, a->options.state);
	return recent_new(&options, &a->recent);
}

static int make_rooms(struct agent *a)
{
	const struct agent_options *o = &a->options;
	const struct pipeline_options pipeline = {.live = true, .consumer = {event, context, a}};
	struct policies_options policies = {.instance = o->live.status_path,
	                                    .protect = o->protect,
	                                    .protect_count = o->protect_count,
	                                    .cgroup = o->live.loader.cgroup};
	int r = judge_new(&o->judge, &a->judge);
	if (r == 0)
		r = pipeline_new(&pipeline, &a->pipeline);
	if (r == 0)
		policies.enrich = pipeline_enrich(a->pipeline);
	if (r == 0 && (o->files.policy_path_count > 0 || o->state))
		r = policies_new(&policies, a->judge, &a->policies);
	if (r == 0)
		r = make_recent(a);
	if (r < 0)
		log_error("cannot start: %s", strerror(-r));
	return r;
}

static int open_state(struct agent *a)
{
	struct startup *s = a->options.state ? calloc(1, sizeof(*s)) : NULL;
	if (!s)
		return a->options.state ? -ENOMEM : 0;
	int r = startup_begin(s, a->options.state);
	if (r < 0)
		free(s);
	else
		a->startup = s;
	return r;
}

static void set_live_options(struct agent *a)
{
	struct live_options *live = &a->options.live;
	live->guards = a->policies != NULL;
	live->loader.environment = a->environment;
	live->hooks = (struct live_hooks){.started = started,
	                                  .reload = reload,
	                                  .tick = tick,
	                                  .turn = turn,
	                                  .order = a->policies ? order : NULL,
	                                  .report = report,
	                                  .userdata = a};
}

int agent_new(const struct agent_options *options, struct agent **ret_agent)
{
	_cleanup_(agent_freep) struct agent *a = calloc(1, sizeof(*a));
	if (!a)
		return -ENOMEM;
	a->options = *options;
	int r = open_state(a);
	if (r == 0)
		r = make_rooms(a);
	if (r == 0)
		r = agent_begin(a);
	if (r < 0)
		return r;
	sparing_init(&a->sparing, a->options.cpu_budget, a->judge, a->policies);
	set_live_options(a);
	*ret_agent = TAKE_PTR(a);
	return 0;
}

/* An end that was reached is no death: only a picket that was killed never comes here. */
void agent_free(struct agent *a)
{
	if (!a)
		return;
	if (a->live) /* else it has measured nothing */
		sparing_done(&a->sparing);
	staging_end(a);
	recent_free(a->recent);
	live_free(a->live);
	policies_free(a->policies);
	pipeline_free(a->pipeline);
	judge_free(a->judge);
	if (a->startup) {
		startup_ended(a->startup);
		startup_done(a->startup);
	}
	free(a->startup);
	free(a);
}

void agent_freep(struct agent **a)
{
	agent_free(*a);
}

static int run_dormant(struct agent *a)
{
	log_error("sensors are off, and only the status is served: %s", a->startup->reason);
	a->entered_ns = clock_monotonic_ns();
	policies_unpin_others(a->options.live.status_path, NULL);
	return dormant_run(&a->options.live);
}

static bool is_off(const struct agent *a)
{
	return a->startup && a->startup->rung == BOOT_OFF;
}

int agent_run(struct agent *a, struct loader_failure *reterr_failure)
{
	struct live *live;
	if (is_off(a))
		return run_dormant(a);
	int r = live_new(&a->options.live, a->pipeline, &live, reterr_failure);
	if (r < 0)
		return r;
	a->live = live;
	r = live_run(live);
	turn(a);
	judge_finish(a->judge);
	if (r < 0)
		log_error("ended: %s", strerror(-r));
	return r;
}

struct judge *agent_judge(struct agent *a)
{
	return a->judge;
}

const struct live *agent_live(const struct agent *a)
{
	return a->live;
}

bool agent_has_policies(const struct agent *a)
{
	return a->policies;
}

size_t agent_policy_count(const struct agent *a)
{
	return a->policies ? policies_count(a->policies) : 0;
}

void agent_add_status(struct agent *a, struct buf *json)
{
	live_add_status(a->live, json);
}
