/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <unistd.h>

#include "cli/bundle.h"
#include "cli/progress.h"
#include "cli/stage.h"
#include "cli/ui.h"
#include "core/content.h"
#include "core/log.h"
#include "core/rehearsal.h"
#include "event/event.h"

#define DIAGS_MAX 50
#define OUT_BYTES_MAX (1u << 20)

struct applying {
	const struct args *args;
	const char *path;
	bool plan, json;
	struct buf keys_text;
	struct keys keys;
	struct store *store;     /* NULL: let go of, so that who runs its bundles can change it */
	struct store_state seen; /* as the gate judges by */
	struct gate *gate;
	struct buf evidence; /* the gate's JSON */
};

static void applying_done(struct applying *a)
{
	buf_done(&a->keys_text);
	buf_done(&a->evidence);
	store_close(a->store);
	gate_free(a->gate);
}

static int check_history(struct applying *a, const char *path)
{
	struct history_verdict verdict;
	int r = store_read_history(a->store, NULL, NULL, &verdict);
	if (r == 0 && !history_is_damaged(&verdict))
		return CLI_OK;
	log_error("%s/history: %s", path, r < 0 ? strerror(-r) : history_verdict_text(&verdict));
	return CLI_BAD;
}

static const char *state_path(const struct args *args)
{
	const char *path = args_get(args, "state");
	return path ? path : BUNDLE_STATE;
}

static int open_store(struct applying *a)
{
	_cleanup_(diag_list_done) struct diag_list diags;
	const char *path = state_path(a->args);
	diag_list_init(&diags, DIAGS_MAX);
	int r = store_open(path, a->plan ? STORE_READ : STORE_WRITE, &diags, &a->store);
	if (r == 0)
		return CLI_OK;
	bundle_tell(a->args, &diags, r, path);
	return r == -EBADMSG ? CLI_BAD : CLI_IMPOSSIBLE;
}

static int open_state(struct applying *a)
{
	int r = open_store(a);
	return r == CLI_OK ? check_history(a, state_path(a->args)) : r;
}

static void let_go(struct applying *a)
{
	a->seen = *store_state(a->store);
	store_close(a->store);
	a->store = NULL;
}

/* After the gate, which takes its time: what it found of the version must still be so. */
static int open_again(struct applying *a, bool passed)
{
	int r = open_store(a);
	if (r != CLI_OK || !passed)
		return r;
	const struct manifest *m = &a->gate->bundle->manifest;
	const struct store_entry *newest = store_state_newest(store_state(a->store), m->name);
	if (!newest || newest->version < m->version)
		return CLI_OK;
	log_error("version %llu was accepted meanwhile", (unsigned long long)newest->version);
	return CLI_BAD;
}

/* The clock is right, and the newest time seen is not: it was wrong before. */
static int trust_clock(struct applying *a)
{
	if (!args_has(a->args, "trust-clock"))
		return CLI_OK;
	if (a->plan) {
		log_error("--trust-clock changes the state, and --plan changes nothing");
		return CLI_USAGE;
	}
	int r = store_set_time(a->store, bundle_now_s(), STR("{}"));
	if (r < 0)
		log_error("the state cannot be written: %s", strerror(-r));
	return r < 0 ? CLI_IMPOSSIBLE : CLI_OK;
}

/* ---- the step replay ---- */

static void show_progress(void *userdata, uint64_t bytes, uint64_t of_bytes, uint64_t events)
{
	(void)userdata;
	progress_update(bytes, of_bytes, events);
}

static int replay_get(const struct args *args, char *path, size_t size, struct rehearsal_gate *ret_gate)
{
	struct rehearsal_gate g = {.state = state_path(args),
	                           .options = {.directory = path,
	                                       .alerts_a_minute = REHEARSAL_ALERTS_A_MINUTE,
	                                       .progress = show_progress}};
	snprintf(path, size, "%s/" RECENT_DIRECTORY, g.state);
	*ret_gate = g;
	return args_get_u64(args, "alert-limit", UINT64_MAX, &ret_gate->options.alerts_a_minute);
}

static void watch_step(void *userdata, enum gate_step step, const struct gate_result *result)
{
	const struct gate_view *view = userdata;
	if (step == GATE_REPLAY && !result)
		progress_start(view->color, "events");
	else if (step == GATE_REPLAY)
		progress_end();
	gate_view_step(userdata, step, result);
}

static int pass_gate(struct applying *a)
{
	char recent[PATH_MAX];
	struct rehearsal_gate rehearsal;
	struct gate_view view;
	struct json j;
	struct gate_options options = {.keys = &a->keys,
	                               .seen = &a->seen,
	                               .schema = event_schema_fingerprint(),
	                               .now_s = bundle_now_s(),
	                               .budget = RULE_BUDGET_DEFAULT,
	                               .policies = content_policy_checker(),
	                               .other_name = args_has(a->args, "other-name"),
	                               .watch = watch_step,
	                               .userdata = &view};
	if (replay_get(a->args, recent, sizeof(recent), &rehearsal) < 0)
		return CLI_USAGE;
	const struct gate_replayer replayer = rehearsal_gate_replayer(&rehearsal);
	options.replayer = &replayer;
	if (args_get_u64(a->args, "rule-budget", UINT64_MAX, &options.budget) < 0)
		return CLI_USAGE;
	gate_view_init(&view, a->args, a->json);
	int r = gate_run(a->path, &options, &a->gate);
	if (r == 0) {
		json_init(&j, &a->evidence);
		gate_add_json(a->gate, &j);
		r = buf_error(&a->evidence);
	}
	if (r < 0)
		log_error("%s: %s", a->path, strerror(-r));
	return r < 0 ? CLI_BAD : CLI_OK;
}

/* What could not even be read as a bundle is not worth a line. */
static int keep_result(struct applying *a, bool passed)
{
	int r = 0;
	if (passed)
		r = store_accept(a->store, a->gate->bundle, bundle_now_s(), buf_str(&a->evidence));
	else if (a->gate->refused_at > GATE_FORM)
		r = store_note(a->store, "refused", bundle_now_s(), buf_str(&a->evidence));
	if (r < 0)
		log_error("the state cannot be written: %s%s", strerror(-r),
		          passed ? "; the bundle is not accepted" : "");
	return r < 0 ? CLI_IMPOSSIBLE : CLI_OK;
}

static void say(const struct applying *a, bool passed)
{
	bool color = ui_color(a->args, STDOUT_FILENO);
	const char *code = ui_code(color, passed ? UI_GREEN : UI_RED), *reset = ui_code(color, UI_RESET);
	if (!passed)
		printf("%srefused%s at %s: nothing has changed\n", code, reset, gate_step_name(a->gate->refused_at));
	else if (a->plan)
		printf("%swould be accepted%s: nothing has changed (--plan)\n", code, reset);
	else
		printf("%saccepted%s\n", code, reset);
}

static int apply(struct applying *a)
{
	int r = bundle_word(a->args, 0, "the bundle", &a->path);
	if (r == CLI_OK)
		r = bundle_read_keys(a->args, &a->keys_text, &a->keys);
	if (r == CLI_OK)
		r = open_state(a);
	if (r == CLI_OK)
		r = trust_clock(a);
	if (r != CLI_OK)
		return r;
	let_go(a);
	r = pass_gate(a);
	if (r != CLI_OK)
		return r;
	bool passed = a->gate->refused_at == GATE_STEPS;
	if (!a->plan)
		r = open_again(a, passed);
	if (r == CLI_OK && !a->plan)
		r = keep_result(a, passed);
	if (r != CLI_OK)
		return r;
	if (a->json) {
		buf_add_char(&a->evidence, '\n');
		r = ui_print(&a->evidence);
	} else {
		say(a, passed);
	}
	if (!passed || r != CLI_OK || a->plan)
		return passed ? r : CLI_BAD;
	fflush(stdout);
	let_go(a);
	return stage_accepted(a->args, state_path(a->args), a->json);
}

int command_apply(const struct args *args)
{
	_cleanup_(applying_done) struct applying a = {
	        .args = args, .plan = args_has(args, "plan"), .json = args_has(args, "json")};
	buf_init(&a.keys_text, KEYS_BYTES_MAX);
	buf_init(&a.evidence, OUT_BYTES_MAX);
	return apply(&a);
}
