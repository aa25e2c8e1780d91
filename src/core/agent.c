/* SPDX-License-Identifier: Apache-2.0 */
#include "core/agent.h"

#include <errno.h>
#include <malloc.h>
#include <stdlib.h>

#include "core/log.h"
#include "core/policies.h"
#include "core/report.h"
#include "core/sparing.h"

#define DIAGS_MAX 200

struct agent {
	struct agent_options options;
	struct judge *judge;
	struct pipeline *pipeline;
	struct policies *policies; /* NULL: none were asked for */
	struct live *live;         /* NULL: not yet */
	struct sparing sparing;
	bool environment; /* recorded: decided at the start */
	uint64_t reloads, failed_reloads;
};

/* ---- content ---- */

static int read_content(const struct agent *a, struct content *ret_content)
{
	_cleanup_(diag_list_done) struct diag_list diags;
	diag_list_init(&diags, DIAGS_MAX);
	int r = content_read_files(&a->options.files, &diags, ret_content);
	a->options.tell(a->options.userdata, &diags);
	if (r < 0 && diags.errors > 0)
		log_error("%zu mistake%s in the rules%s", diags.errors, diags.errors == 1 ? "" : "s",
		          a->policies ? " or policies" : "");
	else if (r < 0)
		log_error("cannot load the rules: %s", strerror(-r));
	return r;
}

static void say_failure(const struct loader_failure *failure, int error)
{
	log_error("%s%s%s", failure->what[0] ? failure->what : strerror(-error), failure->hint[0] ? "; " : "",
	          failure->hint);
}

/* Into the kernel, beside those in force. */
static int load_policies(const struct agent *a, struct content *c)
{
	_cleanup_(diag_list_done) struct diag_list diags;
	struct loader_failure failure = {"", ""};
	diag_list_init(&diags, DIAGS_MAX);
	int r = a->policies ? policies_load(a->policies, c->rules, &c->policies, &diags, &failure) : 0;
	a->options.tell(a->options.userdata, &diags);
	if (r < 0 && diags.errors > 0)
		log_error("%zu mistake%s in the policies", diags.errors, diags.errors == 1 ? "" : "s");
	else if (r < 0)
		say_failure(&failure, r);
	return r;
}

static int enforce_policies(const struct agent *a)
{
	struct loader_failure failure = {"", ""};
	int r = a->policies ? policies_switch(a->policies, &failure) : 0;
	if (r < 0)
		say_failure(&failure, r);
	return r;
}

/* Makes the rules the ones that judge, and returns the events that they want. */
static void install_rules(struct agent *a, struct rule_set *rules, struct event_set *ret_events)
{
	struct enrich *enrich = pipeline_enrich(a->pipeline);
	judge_set_rules(a->judge, rules);
	enrich_watch_clear(enrich);
	size_t unwatched = rules_watch_files(rules, enrich);
	if (unwatched > 0)
		log_warning("the rules name too many files: links to %zu of them are not recognised", unwatched);
	*ret_events = (struct event_set){0};
	rule_set_events(rules, ret_events);
}

static void install_sieve(const struct agent *a)
{
	live_set_sieve(a->live, a->options.no_sieve ? NULL : judge_programs(a->judge));
	malloc_trim(0); /* what reading and compiling took is more than what is left of it */
}

/* Rules that are taken over judge from now on. Between the old sieve and the new one all events pass: none is missing that
 * either rules could match. */
static void switch_rules(struct agent *a, struct rule_set *rules)
{
	struct event_set events;
	live_set_sieve(a->live, NULL);
	install_rules(a, rules, &events);
	int r = live_set_events(a->live, &events);
	if (r < 0)
		log_error("cannot switch on what the new rules need: %s", strerror(-r));
	install_sieve(a);
	if (rules_want_environment(rules) && !a->environment)
		log_warning("the new rules look at environment variables, which are recorded only after a restart");
}

/* Both halves of content that takes over. On failure, which is told, those from before stay, and c is still the caller's. */
static int switch_content(struct agent *a, struct content *c)
{
	int r = load_policies(a, c);
	if (r == 0)
		r = enforce_policies(a);
	if (r < 0)
		return r;
	switch_rules(a, TAKE_PTR(c->rules));
	return 0;
}

/* ---- while it runs ---- */

static void reload(void *userdata, struct live *live)
{
	_cleanup_(content_done) struct content c = {.rules = NULL};
	struct agent *a = userdata;
	(void)live;
	int r = judge_reopen(a->judge);
	if (r < 0)
		log_error("cannot open an output again: %s", strerror(-r));
	if (read_content(a, &c) < 0 || switch_content(a, &c) < 0) {
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
	return policies_carry_out(a->policies, order, answer);
}

static void turn(void *userdata)
{
	struct agent *a = userdata;
	if (a->policies)
		policies_tell(a->policies);
}

static void tick(void *userdata, struct live *live)
{
	struct agent *a = userdata;
	if (a->policies)
		policies_renew(a->policies);
	sparing_tick(&a->sparing, live);
	judge_tick(a->judge);
}

static void report(void *userdata, struct json *out)
{
	const struct agent *a = userdata;
	report_judge(out, a->judge);
	sparing_report(&a->sparing, out);
	if (a->policies)
		policies_report(a->policies, out);
	json_key(out, "reloads");
	json_u64(out, a->reloads);
	json_key(out, "failed_reloads");
	json_u64(out, a->failed_reloads);
}

static int started(void *userdata, struct live *live)
{
	struct agent *a = userdata;
	a->live = live;
	install_sieve(a);
	if (!a->policies)
		policies_unpin_others(a->options.live.status_path, NULL);
	int r = enforce_policies(a);
	if (r == 0 && a->options.started)
		a->options.started(a->options.userdata, a);
	return r;
}

static int context(void *userdata, const struct event *event)
{
	struct agent *a = userdata;
	if (a->live && event->header->type == EVENT_watch)
		live_pass_file(a->live, (uint32_t)event_arg_number(event, event_find_arg(event->info, STR("dev"))),
		               event_arg_number(event, event_find_arg(event->info, STR("ino"))));
	return judge_context(a->judge, event);
}

static int event(void *userdata, struct enrich_view *view, struct arena *arena)
{
	struct agent *a = userdata;
	struct enrich_actor actor;
	if (a->policies && enrich_actor_get(view, &actor))
		policies_see(a->policies, &actor);
	int r = judge_event(a->judge, view, arena);
	if (a->live && !judge_matched(a->judge))
		live_unmatched(a->live, view);
	return r;
}

/* ---- the object ---- */

static int make_rooms(struct agent *a)
{
	const struct agent_options *o = &a->options;
	const struct pipeline_options pipeline = {.live = true, .consumer = {event, context, a}};
	struct policies_options policies = {.instance = o->live.status_path, .cgroup = o->live.loader.cgroup};
	int r = judge_new(&o->judge, &a->judge);
	if (r == 0)
		r = pipeline_new(&pipeline, &a->pipeline);
	if (r == 0)
		policies.enrich = pipeline_enrich(a->pipeline);
	if (r == 0 && o->files.policy_path_count > 0)
		r = policies_new(&policies, a->judge, &a->policies);
	if (r < 0)
		log_error("cannot start: %s", strerror(-r));
	return r;
}

static int prepare_content(struct agent *a)
{
	_cleanup_(content_done) struct content c = {.rules = NULL};
	int r = read_content(a, &c);
	if (r == 0)
		r = load_policies(a, &c);
	if (r < 0)
		return r;
	a->environment = rules_want_environment(c.rules);
	install_rules(a, TAKE_PTR(c.rules), &a->options.live.events);
	return 0;
}

int agent_new(const struct agent_options *options, struct agent **ret_agent)
{
	_cleanup_(agent_freep) struct agent *a = calloc(1, sizeof(*a));
	if (!a)
		return -ENOMEM;
	a->options = *options;
	int r = make_rooms(a);
	if (r == 0)
		r = prepare_content(a);
	if (r < 0)
		return r;
	sparing_init(&a->sparing, a->options.cpu_budget, a->judge, a->policies);
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
	*ret_agent = TAKE_PTR(a);
	return 0;
}

void agent_free(struct agent *a)
{
	if (!a)
		return;
	if (a->live) /* else it has measured nothing */
		sparing_done(&a->sparing);
	live_free(a->live);
	policies_free(a->policies);
	pipeline_free(a->pipeline);
	judge_free(a->judge);
	free(a);
}

void agent_freep(struct agent **a)
{
	agent_free(*a);
}

int agent_run(struct agent *a, struct loader_failure *reterr_failure)
{
	struct live *live;
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
