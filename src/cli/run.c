/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <stdio.h>
#include <unistd.h>

#include "cli/bundle.h"
#include "cli/judging.h"
#include "cli/live_options.h"
#include "cli/ui.h"
#include "core/agent.h"
#include "core/budget.h"
#include "core/log.h"
#include "core/recent.h"
#include "core/report.h"
#include "core/status.h"

#define BUDGET_PERCENT_MAX 100000
#define STATUS_TEXT_BYTES (1u << 20)

static void tell(void *userdata, const struct diag_list *diags)
{
	ui_print_diags(userdata, diags, log_would_write(LOG_LEVEL_INFO));
}

/* One line: what is watched, with how many rules, and what is missing. */
static void banner(void *userdata, struct agent *a)
{
	const struct args *args = userdata;
	const struct rule_set *rules = judge_rules(agent_judge(a));
	size_t sensors, missing = 0, weaker = 0;
	const struct loader_sensor_report *sensor = live_sensors(agent_live(a), &sensors);
	for (size_t i = 0; i < sensors; i++) {
		missing += !sensor[i].hook;
		weaker += sensor[i].hook && sensor[i].error < 0;
	}
	if (!isatty(STDERR_FILENO))
		return;
	bool color = ui_color(args, STDERR_FILENO);
	fprintf(stderr, "%spicket " PICKET_VERSION "%s: %zu rules on, %zu of %zu sensors", ui_code(color, UI_BOLD),
	        ui_code(color, UI_RESET), rules_count_enabled(rules), sensors - missing, sensors);
	if (agent_has_policies(a))
		fprintf(stderr, ", %zu policies in force", agent_policy_count(a));
	if (missing + weaker > 0)
		fprintf(stderr, "%s; %zu not at their best: see picket doctor%s", ui_code(color, UI_YELLOW),
		        missing + weaker, ui_code(color, UI_RESET));
	fprintf(stderr, ". %sCtrl-C ends.%s\n", ui_code(color, UI_DIM), ui_code(color, UI_RESET));
}

static void print_status(const struct args *args, struct agent *a)
{
	_cleanup_(buf_done) struct buf json, text;
	buf_init(&json, STATUS_TEXT_BYTES);
	buf_init(&text, STATUS_TEXT_BYTES);
	agent_add_status(a, &json);
	if (report_add_text(buf_str(&json), ui_color(args, STDERR_FILENO), &text) == 0)
		fputs(text.data, stderr);
}

/* ---- options ---- */

static void status_path_set(const struct args *args, struct live_options *options)
{
	const char *path = args_get(args, "status-socket");
	options->status_required = path != NULL;
	options->status_path = !path ? STATUS_SOCKET : strcmp(path, "none") == 0 ? NULL : path;
}

static int policies_get(const struct args *args, struct content_files *files)
{
	size_t position = 0;
	const char *path;
	while (args_next(args, "policies", &position, &path)) {
		if (files->policy_path_count == CONTENT_PATHS_MAX) {
			log_error("--policies may be given %d times at most", CONTENT_PATHS_MAX);
			return CLI_USAGE;
		}
		files->policies[files->policy_path_count++] = path;
	}
	return CLI_OK;
}

static int protect_get(const struct args *args, struct agent_options *o)
{
	size_t position = 0;
	const char *name;
	while (args_next(args, "protect", &position, &name)) {
		if (o->protect_count == POLICIES_PROTECT_MAX) {
			log_error("--protect may be given %d times at most", POLICIES_PROTECT_MAX);
			return CLI_USAGE;
		}
		o->protect[o->protect_count++] = name;
	}
	return CLI_OK;
}

/* The standard one is used where it holds content, and none is named. */
static const char *state_get(const struct args *args)
{
	_cleanup_(diag_list_done) struct diag_list diags;
	_cleanup_(store_closep) struct store *s = NULL;
	const char *path = args_get(args, "state");
	diag_list_init(&diags, 1);
	if (path || args_has(args, "rules") || args_has(args, "policies"))
		return path;
	int r = store_open(BUNDLE_STATE, STORE_READ, &diags, &s);
	if (r == -EBADMSG) /* picket is to say so */
		return BUNDLE_STATE;
	return r == 0 && store_state_name(store_state(s)) ? BUNDLE_STATE : NULL;
}

static int stops_get(const struct args *args, unsigned *ret_stops)
{
	size_t position = 0;
	const char *value;
	struct str name;
	while (args_next(args, "stop-at", &position, &value)) {
		struct str rest = str_from(value);
		while (str_next(&rest, ',', &name)) {
			enum staging_step step;
			if (!staging_step_parse(name, &step)) {
				log_error("--stop-at: there is no step \"" STR_FMT
				          "\"; the steps are load, shadow, promote",
				          STR_ARG(name));
				return CLI_USAGE;
			}
			*ret_stops |= 1u << step;
		}
	}
	return CLI_OK;
}

static int state_options_get(const struct args *args, struct agent_options *o)
{
	if (args_has(args, "state") && (args_has(args, "rules") || args_has(args, "policies"))) {
		log_error("--state: bundles bring rules and policies; leave out --rules and --policies");
		return CLI_USAGE;
	}
	o->state = state_get(args);
	o->soak_ns = STAGING_SOAK_NS;
	o->watch_ns = STAGING_WATCH_NS;
	o->alive_ns = AGENT_ALIVE_NS;
	if (args_get_duration(args, "soak", &o->soak_ns) < 0 || args_get_duration(args, "watch", &o->watch_ns) < 0 ||
	    args_get_duration(args, "alive", &o->alive_ns) < 0)
		return CLI_USAGE;
	return stops_get(args, &o->stops);
}

static int recent_get(const struct args *args, struct agent_options *o)
{
	const char *size = args_get(args, "recent");
	o->recent_bytes = RECENT_BYTES_DEFAULT;
	if (!size)
		return CLI_OK;
	if (!o->state) {
		log_error("--recent: the history is kept in the state directory: name it with --state");
		return CLI_USAGE;
	}
	if (strcmp(size, "0") == 0) {
		o->recent_bytes = 0;
		return CLI_OK;
	}
	if (args_get_size(args, "recent", &o->recent_bytes) < 0)
		return CLI_USAGE;
	if (o->recent_bytes < RECENT_BYTES_MIN || o->recent_bytes > RECENT_BYTES_MAX) {
		log_error("--recent: 4M to 64G, or 0 for none");
		return CLI_USAGE;
	}
	return CLI_OK;
}

static int options_get(const struct args *args, const struct judging *judging, struct agent_options *ret_options)
{
	uint64_t budget = BUDGET_DEFAULT_PERCENT;
	struct agent_options o = {.judge = judging->judge,
	                          .files.rules = judging->rules,
	                          .no_sieve = args_has(args, "no-sieve"),
	                          .tell = tell,
	                          .started = banner,
	                          .userdata = (void *)args};
	if (args_get_u64(args, "cpu-budget", BUDGET_PERCENT_MAX, &budget) < 0 || live_options_init(args, &o.live) < 0 ||
	    policies_get(args, &o.files) != CLI_OK || state_options_get(args, &o) != CLI_OK ||
	    recent_get(args, &o) != CLI_OK || protect_get(args, &o) != CLI_OK)
		return CLI_USAGE;
	status_path_set(args, &o.live);
	o.cpu_budget = (unsigned)budget;
	*ret_options = o;
	return CLI_OK;
}

/* ---- the command ---- */

static int run(const struct args *args, const struct judging *judging, const struct agent_options *options)
{
	_cleanup_(agent_freep) struct agent *a = NULL;
	struct loader_failure failure = {0};
	int r = agent_new(options, &a);
	if (r < 0)
		return r == -ENOMEM || r == -EBUSY ? CLI_IMPOSSIBLE : CLI_BAD;
	r = judging_add_outputs(judging, agent_judge(a));
	if (r != CLI_OK)
		return r;
	r = agent_run(a, &failure);
	if (!agent_live(a))
		return r < 0 ? live_tell_failure(&failure, r) : CLI_OK;
	if (args_has(args, "stats"))
		print_status(args, a);
	return r < 0 ? CLI_IMPOSSIBLE : CLI_OK;
}

int command_run(const struct args *args)
{
	_cleanup_(judging_done) struct judging judging = {0};
	struct agent_options options;
	if (args_no_words(args) < 0)
		return CLI_USAGE;
	int r = judging_init(args, true, &judging);
	if (r == CLI_OK)
		r = options_get(args, &judging, &options);
	return r == CLI_OK ? run(args, &judging, &options) : r;
}
