/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cli/judging.h"
#include "cli/live_options.h"
#include "cli/progress.h"
#include "cli/ui.h"
#include "core/log.h"
#include "event/capture.h"

struct record {
	const struct args *args;
	const char *path;
	struct filter *filter; /* NULL: all */
	struct capture_writer *writer;
	struct pipeline *pipeline;
	bool started;    /* the tables stand in the capture: from now on records are added */
	uint64_t events; /* recorded because they were asked for */
	uint64_t left;   /* still to be recorded */
	uint64_t lost;
};

/* The record again, marked as kept only for the tables' sake: what the view borrows is not ours to change. */
static int add_as_context(struct record *rec, const struct event *event)
{
	size_t length = event->header->length;
	struct event_header *copy = malloc(length);
	struct event marked;
	if (!copy)
		return -ENOMEM;
	memcpy(copy, event->header, length);
	copy->flags |= EVENT_F_CONTEXT;
	int r = event_decode(copy, length, &marked);
	if (r == 0)
		r = capture_writer_add(rec->writer, &marked);
	free(copy);
	return r;
}

static bool wanted(const struct record *rec, struct enrich_view *view, struct arena *arena)
{
	if (!rec->filter)
		return true;
	for (view->name_index = 0; view->name_index < MAX(view->name_count, 1u); view->name_index++)
		if (filter_match(rec->filter, &view->source, arena))
			return true;
	return false;
}

static int take(void *userdata, struct enrich_view *view, struct arena *arena)
{
	struct record *rec = userdata;
	if (!wanted(rec, view, arena))
		return view->event.info->state ? add_as_context(rec, &view->event) : 0;
	int r = capture_writer_add(rec->writer, &view->event);
	if (r < 0)
		return r;
	rec->events++;
	return --rec->left == 0 ? -ECANCELED : 0;
}

static int context(void *userdata, const struct event *event)
{
	struct record *rec = userdata;
	if (event->header->type == EVENT_loss) {
		const struct arg_info *count = event_find_arg(event->info, STR("count"));
		rec->lost += event_arg_number(event, count);
	}
	return rec->started ? capture_writer_add(rec->writer, event) : 0;
}

static int started(void *userdata, struct live *live)
{
	struct record *rec = userdata;
	filter_sieve(rec->args, 0, live);
	rec->started = true;
	int r = pipeline_dump(rec->pipeline);
	progress_start(ui_color(rec->args, STDERR_FILENO), "events");
	return r < 0 ? r : capture_writer_flush(rec->writer);
}

static void tick(void *userdata, struct live *live)
{
	struct record *rec = userdata;
	(void)live;
	progress_update(0, 0, rec->events);
}

static int options_make(struct record *rec, struct live_options *options)
{
	if (live_options_init(rec->args, options) < 0)
		return CLI_USAGE;
	events_observed(&options->events);
	if (rec->filter) {
		options->events = (struct event_set){0};
		filter_events(rec->filter, &options->events);
	}
	options->loader.environment = args_has(rec->args, "environment");
	options->hooks = (struct live_hooks){.started = started, .tick = tick, .userdata = rec};
	return CLI_OK;
}

static int writer_new(struct record *rec)
{
	if (strcmp(rec->path, "-") != 0)
		return capture_writer_new(rec->path, args_has(rec->args, "force"), &rec->writer);
	int fd = fcntl(STDOUT_FILENO, F_DUPFD_CLOEXEC, 3);
	return fd < 0 ? -errno : capture_writer_new_fd(fd, &rec->writer);
}

static int writer_open(struct record *rec)
{
	int r = writer_new(rec);
	if (r == -EEXIST)
		log_error("%s is there already; --force replaces it", rec->path);
	else if (r < 0)
		log_error("cannot make %s: %s", rec->path, strerror(-r));
	return r < 0 ? CLI_BAD : CLI_OK;
}

static void summary_print(const struct record *rec)
{
	struct stat st;
	fprintf(stderr, "%" PRIu64 " event%s", rec->events, rec->events == 1 ? "" : "s");
	if (strcmp(rec->path, "-") != 0 && stat(rec->path, &st) == 0)
		fprintf(stderr, " in %s, %.2f MiB", rec->path, (double)st.st_size / (1 << 20));
	if (rec->lost > 0)
		fprintf(stderr, "; %" PRIu64 " were lost: a larger --ring-size or a filter helps", rec->lost);
	fputc('\n', stderr);
}

static int record_live(struct record *rec, const struct live_options *options)
{
	_cleanup_(live_freep) struct live *live = NULL;
	int r = live_start(options, rec->pipeline, &live);
	if (r != CLI_OK)
		return r;
	r = writer_open(rec);
	if (r != CLI_OK)
		return r;
	r = live_run(live);
	progress_end();
	int finished = capture_writer_finish(&rec->writer);
	if (r == 0)
		r = finished;
	if (r < 0)
		log_error("%s: %s; what was written until then can be replayed", rec->path, strerror(-r));
	summary_print(rec);
	return r < 0 ? CLI_BAD : CLI_OK;
}

int command_record(const struct args *args)
{
	struct record rec = {.args = args, .left = UINT64_MAX, .path = args_get(args, "write")};
	struct live_options options = {0};
	if (!rec.path) {
		log_error("name the capture to make: picket record -w FILE");
		return CLI_USAGE;
	}
	if (strcmp(rec.path, "-") == 0 && isatty(STDOUT_FILENO)) {
		log_error("a capture is not for a terminal: give it a file, or a pipe");
		return CLI_USAGE;
	}
	if (args_get_u64(args, "count", UINT64_MAX - 1, &rec.left) < 0)
		return CLI_USAGE;
	if (rec.left == 0) {
		log_error("--count: at least 1");
		return CLI_USAGE;
	}
	int r = filter_from_words(args, 0, &rec.filter);
	if (r == CLI_OK)
		r = options_make(&rec, &options);
	if (r == CLI_OK && pipeline_new(&(struct pipeline_options){.live = true, .consumer = {take, context, &rec}},
	                                &rec.pipeline) < 0)
		r = CLI_IMPOSSIBLE;
	if (r == CLI_OK)
		r = record_live(&rec, &options);
	pipeline_free(rec.pipeline);
	filter_freep(&rec.filter);
	return r;
}
