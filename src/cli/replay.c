/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <unistd.h>

#include "cli/judging.h"
#include "cli/progress.h"
#include "cli/ui.h"
#include "core/log.h"
#include "event/capture.h"

static void capture_reader_freep(struct capture_reader **r)
{
	if (*r)
		capture_reader_free(*r);
}

struct replay {
	struct capture_reader *reader;
	struct capture_info info;
	uint64_t events;
	size_t damaged; /* blocks */
};

static void show_progress(const struct replay *r)
{
	if (progress_is_due())
		progress_update(capture_reader_position(r->reader), r->info.bytes, r->events);
}

static int replay_all(struct replay *replay, struct pipeline *pipeline)
{
	struct event event;
	for (;;) {
		int r = capture_reader_next(replay->reader, &event);
		if (r == 0)
			return 0;
		if (r == -EBADMSG) {
			replay->damaged++;
			continue;
		}
		if (r < 0)
			return r;
		replay->events++;
		show_progress(replay);
		r = pipeline_put_event(pipeline, &event);
		if (r < 0)
			return r;
	}
}

/* What the capture lacks is told last, where it is seen. */
static int judge_capture(const struct replay *replay, const char *path, int error)
{
	if (error < 0)
		log_error("%s: %s after %" PRIu64 " events", path, strerror(-error), replay->events);
	else if (replay->damaged > 0)
		log_error("%s: %zu block%s damaged; the %" PRIu64 " events of the others were judged", path,
		          replay->damaged, replay->damaged == 1 ? " is" : "s are", replay->events);
	else if (!replay->info.complete && replay->info.bytes > 0)
		log_error("%s: the capture was not finished or is cut; the %" PRIu64 " whole events in it were judged",
		          path, replay->events);
	else
		return CLI_OK;
	return CLI_BAD;
}

static void print_stats(const struct replay *replay, struct pipeline *pipeline, const struct judge *judge)
{
	const struct pipeline_stats *events = pipeline_get_stats(pipeline);
	struct judge_stats alerts;
	judge_get_stats(judge, &alerts);
	fprintf(stderr,
	        "%" PRIu64 " events, %" PRIu64 " judged, %" PRIu64 " lost while recording; %" PRIu64 " alerts, %" PRIu64
	        " held back, %" PRIu64 " incomplete\n",
	        replay->events, events->events, events->lost, alerts.alerts, alerts.held_back, alerts.incomplete);
	const struct rule_set *rules = judge_rules(judge);
	for (size_t i = 0; i < rule_set_count(rules); i++) {
		const char *name = rule_set_get(rules, i)->name;
		uint64_t count = judge_rule_alerts(judge, name);
		if (count > 0)
			fprintf(stderr, "%10" PRIu64 "  %s\n", count, name);
	}
}

static int replay_with(const struct args *args, const struct judging *judging, struct replay *replay)
{
	_cleanup_(judge_freep) struct judge *judge = NULL;
	_cleanup_(pipeline_freep) struct pipeline *pipeline = NULL;
	struct rule_set *rules;
	struct judge_options options = judging->judge;
	options.before_output = progress_clear;
	int r = judge_new(&options, &judge);
	if (r == 0)
		r = pipeline_new(&(struct pipeline_options){.consumer = {judge_event, judge_context, judge}},
		                 &pipeline);
	if (r < 0) {
		log_error("cannot start: %s", strerror(-r));
		return CLI_IMPOSSIBLE;
	}
	r = judging_load(judging, &rules);
	if (r != CLI_OK)
		return r;
	judge_set_rules(judge, rules);
	(void)rules_watch_files(rules, pipeline_enrich(pipeline));
	r = judging_add_outputs(judging, judge);
	if (r != CLI_OK)
		return r;
	progress_start(ui_color(args, STDERR_FILENO), "events");
	r = replay_all(replay, pipeline);
	progress_end();
	judge_finish(judge);
	if (args_has(args, "stats"))
		print_stats(replay, pipeline, judge);
	return judge_capture(replay, args->words[0], r);
}

int command_replay(const struct args *args)
{
	_cleanup_(judging_done) struct judging judging = {0};
	_cleanup_(capture_reader_freep) struct capture_reader *reader = NULL;
	const char *why = NULL;
	if (args->word_count != 1) {
		log_error("picket replay takes one capture; see picket help replay");
		return CLI_USAGE;
	}
	int r = judging_init(args, false, &judging);
	if (r != CLI_OK)
		return r;
	const char *path = strcmp(args->words[0], "-") == 0 ? "/dev/stdin" : args->words[0];
	r = capture_reader_new(path, &reader, &why);
	if (r < 0) {
		log_error("%s: %s", args->words[0], why ? why : strerror(-r));
		return CLI_BAD;
	}
	struct replay replay = {.reader = reader};
	capture_reader_info(reader, &replay.info);
	return replay_with(args, &judging, &replay);
}
