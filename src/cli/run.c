/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <stdio.h>
#include <unistd.h>

#include "cli/judging.h"
#include "cli/live_options.h"
#include "cli/ui.h"
#include "core/log.h"
#include "core/policies.h"
#include "core/report.h"
#include "core/status.h"

#define STATUS_TEXT_BYTES (1u << 20)
#define POLICY_DIAGS_MAX 100

struct run {
	const struct args *args;
	const struct judging *judging;
	struct judge *judge;
	struct pipeline *pipeline;
	struct live *live;         /* borrowed; NULL: not yet */
	struct policies *policies; /* NULL: none were asked for */
	bool environment;          /* recorded: decided at the start */
	uint64_t reloads, failed_reloads;
};

/* Makes the rules the ones that judge, and returns the events that they want. */
static void rules_install(struct run *run, struct rule_set *rules, struct event_set *ret_events)
{
	struct enrich *enrich = pipeline_enrich(run->pipeline);
	judge_set_rules(run->judge, rules);
	enrich_watch_clear(enrich);
	size_t unwatched = rules_watch_files(rules, enrich);
	if (unwatched > 0)
		log_warning("the rules name too many files: links to %zu of them are not recognised", unwatched);
	*ret_events = (struct event_set){0};
	rule_set_events(rules, ret_events);
}

/* ---- policies ---- */

static void say_failure(const struct loader_failure *failure, int error)
{
	log_error("%s%s%s", failure->what[0] ? failure->what : strerror(-error), failure->hint[0] ? "; " : "",
	          failure->hint);
}

static int policies_load_told(const struct run *run, struct rule_set *rules)
{
	_cleanup_(diag_list_done) struct diag_list diags;
	struct loader_failure failure = {"", ""};
	diag_list_init(&diags, POLICY_DIAGS_MAX);
	int r = run->policies ? policies_load(run->policies, rules, &diags, &failure) : 0;
	ui_print_diags(run->args, &diags, log_would_write(LOG_LEVEL_INFO));
	if (r < 0 && diags.errors > 0)
		log_error("%zu mistake%s in the policies", diags.errors, diags.errors == 1 ? "" : "s");
	else if (r < 0)
		say_failure(&failure, r);
	return r < 0 ? CLI_BAD : CLI_OK;
}

static int policies_enforce(const struct run *run)
{
	struct loader_failure failure = {"", ""};
	int r = run->policies ? policies_switch(run->policies, &failure) : 0;
	if (r < 0)
		say_failure(&failure, r);
	return r;
}

/* Those of --policies; without it there are none. */
static int policies_prepare(struct run *run, struct rule_set *rules, struct live_options *options)
{
	struct policies_options policies = {.cgroup = options->loader.cgroup};
	size_t position = 0;
	const char *path;
	while (args_next(run->args, "policies", &position, &path)) {
		if (policies.path_count == POLICIES_PATHS_MAX) {
			log_error("--policies may be given %d times at most", POLICIES_PATHS_MAX);
			return CLI_USAGE;
		}
		policies.paths[policies.path_count++] = path;
	}
	if (policies.path_count == 0)
		return CLI_OK;
	int r = policies_new(&policies, run->judge, &run->policies);
	if (r < 0) {
		log_error("cannot start: %s", strerror(-r));
		return CLI_IMPOSSIBLE;
	}
	options->guards = true;
	return policies_load_told(run, rules);
}

static bool order(void *userdata, struct str order, struct buf *answer)
{
	struct run *run = userdata;
	return policies_carry_out(run->policies, order, answer);
}

static void turn(void *userdata)
{
	struct run *run = userdata;
	if (run->policies)
		policies_tell(run->policies);
}

/* ---- the rules ---- */

static void install_sieve(const struct run *run, struct live *live)
{
	live_set_sieve(live, args_has(run->args, "no-sieve") ? NULL : judge_programs(run->judge));
}

static void reload(void *userdata, struct live *live)
{
	struct run *run = userdata;
	struct rule_set *rules;
	struct event_set events;
	int r = judge_reopen(run->judge);
	if (r < 0)
		log_error("cannot open an output again: %s", strerror(-r));
	if (judging_load(run->judging, &rules) != CLI_OK) {
		run->failed_reloads++;
		log_error("the rules were not reloaded: those from before stay in force");
		return;
	}
	if (policies_load_told(run, rules) != CLI_OK || policies_enforce(run) < 0) {
		rule_set_free(rules);
		run->failed_reloads++;
		log_error("rules and policies were not reloaded: those from before stay in force");
		return;
	}
	/* Between the old sieve and the new one all events pass: none is missing that either rules could match. */
	live_set_sieve(live, NULL);
	rules_install(run, rules, &events);
	run->reloads++;
	r = live_set_events(live, &events);
	if (r < 0)
		log_error("cannot switch on what the new rules need: %s", strerror(-r));
	install_sieve(run, live);
	if (rules_want_environment(rules) && !run->environment)
		log_warning("the new rules look at environment variables, which are recorded only after a restart");
	log_notice("reloaded: %zu of %zu rules are on", rules_count_enabled(rules), rule_set_count(rules));
}

static void report(void *userdata, struct json *out)
{
	const struct run *run = userdata;
	report_judge(out, run->judge);
	if (run->policies)
		policies_report(run->policies, out);
	json_key(out, "reloads");
	json_u64(out, run->reloads);
	json_key(out, "failed_reloads");
	json_u64(out, run->failed_reloads);
}

static void tick(void *userdata, struct live *live)
{
	struct run *run = userdata;
	(void)live;
	if (run->policies)
		policies_renew(run->policies);
	judge_tick(run->judge);
}

static int context(void *userdata, const struct event *event)
{
	struct run *run = userdata;
	if (run->live && event->header->type == EVENT_watch)
		live_pass_file(run->live, (uint32_t)event_arg_number(event, event_find_arg(event->info, STR("dev"))),
		               event_arg_number(event, event_find_arg(event->info, STR("ino"))));
	return judge_context(run->judge, event);
}

static int event(void *userdata, struct enrich_view *view, struct arena *arena)
{
	struct run *run = userdata;
	int r = judge_event(run->judge, view, arena);
	if (run->live && !judge_matched(run->judge))
		live_unmatched(run->live, view);
	return r;
}

/* One line: what is watched, with how many rules, and what is missing. */
static void banner(const struct run *run, const struct live *live)
{
	const struct rule_set *rules = judge_rules(run->judge);
	size_t sensors, missing = 0, weaker = 0;
	const struct loader_sensor_report *sensor = live_sensors(live, &sensors);
	for (size_t i = 0; i < sensors; i++) {
		missing += !sensor[i].hook;
		weaker += sensor[i].hook && sensor[i].error < 0;
	}
	if (!isatty(STDERR_FILENO))
		return;
	bool color = ui_color(run->args, STDERR_FILENO);
	fprintf(stderr, "%spicket " PICKET_VERSION "%s: %zu rules on, %zu of %zu sensors", ui_code(color, UI_BOLD),
	        ui_code(color, UI_RESET), rules_count_enabled(rules), sensors - missing, sensors);
	if (run->policies)
		fprintf(stderr, ", %zu policies in force", policies_count(run->policies));
	if (missing + weaker > 0)
		fprintf(stderr, "%s; %zu not at their best: see picket doctor%s", ui_code(color, UI_YELLOW),
		        missing + weaker, ui_code(color, UI_RESET));
	fprintf(stderr, ". %sCtrl-C ends.%s\n", ui_code(color, UI_DIM), ui_code(color, UI_RESET));
}

static int started(void *userdata, struct live *live)
{
	struct run *run = userdata;
	run->live = live;
	install_sieve(run, live);
	int r = policies_enforce(run);
	if (r == 0)
		banner(run, live);
	return r;
}

static void print_status(const struct run *run, struct live *live)
{
	_cleanup_(buf_done) struct buf json, text;
	buf_init(&json, STATUS_TEXT_BYTES);
	buf_init(&text, STATUS_TEXT_BYTES);
	live_add_status(live, &json);
	if (report_add_text(buf_str(&json), ui_color(run->args, STDERR_FILENO), &text) == 0)
		fputs(text.data, stderr);
}

static void status_path_set(const struct args *args, struct live_options *options)
{
	const char *path = args_get(args, "status-socket");
	options->status_required = path != NULL;
	options->status_path = !path ? STATUS_SOCKET : strcmp(path, "none") == 0 ? NULL : path;
}

static int watch(struct run *run, struct live_options *options)
{
	_cleanup_(live_freep) struct live *live = NULL;
	int r = live_start(options, run->pipeline, &live);
	if (r != CLI_OK)
		return r;
	r = live_run(live);
	turn(run);
	judge_finish(run->judge);
	if (args_has(run->args, "stats"))
		print_status(run, live);
	if (r < 0) {
		log_error("ended: %s", strerror(-r));
		return CLI_IMPOSSIBLE;
	}
	return CLI_OK;
}

static int prepare(struct run *run, struct rule_set *rules, struct live_options *options)
{
	struct judge_options judge_options = run->judging->judge;
	int r = judge_new(&judge_options, &run->judge);
	if (r == 0)
		r = pipeline_new(&(struct pipeline_options){.live = true, .consumer = {event, context, run}},
		                 &run->pipeline);
	if (r < 0) {
		log_error("cannot start: %s", strerror(-r));
		rule_set_free(rules);
		return CLI_IMPOSSIBLE;
	}
	r = policies_prepare(run, rules, options);
	if (r != CLI_OK) {
		rule_set_free(rules);
		return r;
	}
	rules_install(run, rules, &options->events);
	run->environment = rules_want_environment(rules);
	options->loader.environment = run->environment;
	options->hooks = (struct live_hooks){.started = started,
	                                     .reload = reload,
	                                     .tick = tick,
	                                     .turn = turn,
	                                     .order = run->policies ? order : NULL,
	                                     .report = report,
	                                     .userdata = run};
	status_path_set(run->args, options);
	return judging_add_outputs(run->judging, run->judge);
}

int command_run(const struct args *args)
{
	_cleanup_(judging_done) struct judging judging = {0};
	struct live_options options = {0};
	struct rule_set *rules;
	if (args_no_words(args) < 0 || live_options_init(args, &options) < 0)
		return CLI_USAGE;
	int r = judging_init(args, true, &judging);
	if (r == CLI_OK)
		r = judging_load(&judging, &rules);
	if (r != CLI_OK)
		return r;
	struct run run = {.args = args, .judging = &judging};
	r = prepare(&run, rules, &options);
	if (r == CLI_OK)
		r = watch(&run, &options);
	policies_free(run.policies);
	pipeline_free(run.pipeline);
	judge_free(run.judge);
	return r;
}
