/* SPDX-License-Identifier: Apache-2.0 */
#include "core/pipeline.h"

#include <errno.h>
#include <stdlib.h>

#include "base/clock.h"

struct pipeline {
	struct pipeline_consumer consumer;
	struct enrich *enrich;
	struct arena arena;
	struct pipeline_stats stats;
	int context_error; /* of the consumer, while enrich was calling us */
};

/* Enrich's own records come while it works on an event, and stand before that event in the stream. */
static void enrich_record_take(void *userdata, const struct event *event)
{
	struct pipeline *p = userdata;
	if (!p->consumer.context || p->context_error < 0)
		return;
	p->context_error = p->consumer.context(p->consumer.userdata, event);
}

static int context_error_take(struct pipeline *p)
{
	int error = p->context_error;
	p->context_error = 0;
	return error;
}

int pipeline_new(const struct pipeline_options *options, struct pipeline **ret_pipeline)
{
	_cleanup_(pipeline_freep) struct pipeline *p = calloc(1, sizeof(*p));
	if (!p)
		return -ENOMEM;
	p->consumer = options->consumer;
	arena_init(&p->arena, PIPELINE_ARENA_BYTES);
	struct enrich_options enrich_options = {
	        .live = options->live,
	        .root = options->root,
	        .process_limit = options->process_limit,
	        .on_record = enrich_record_take,
	        .userdata = p,
	};
	int r = enrich_new(&enrich_options, &p->enrich);
	if (r < 0)
		return r;
	*ret_pipeline = TAKE_PTR(p);
	return 0;
}

void pipeline_free(struct pipeline *p)
{
	if (!p)
		return;
	enrich_free(p->enrich);
	arena_done(&p->arena);
	free(p);
}

void pipeline_freep(struct pipeline **p)
{
	pipeline_free(*p);
}

static void undecodable_count(struct pipeline *p, const void *record, size_t length)
{
	struct event_header header;
	p->stats.undecodable++;
	if (length < sizeof(header)) {
		p->stats.undecodable_unknown++;
		return;
	}
	memcpy(&header, record, sizeof(header));
	if (header.type >= EVENT_TYPE_MAX || !event_type_info(header.type)->name)
		p->stats.undecodable_unknown++;
	else
		p->stats.undecodable_of[header.type]++;
}

/* Records about what picket knows, not about what someone did: no rule is to judge them, or the same rule would say one
 * thing live and another in a replay. */
static bool event_is_bookkeeping(const struct event *e)
{
	switch (e->header->type) {
	case EVENT_procinfo:
	case EVENT_container:
	case EVENT_userdb:
	case EVENT_host:
	case EVENT_loss:
		return true;
	default:
		return e->header->flags & EVENT_F_CONTEXT;
	}
}

static void loss_count(struct pipeline *p, const struct event *e)
{
	const struct arg_info *count = event_find_arg(e->info, STR("count"));
	p->stats.lost += count ? event_arg_number(e, count) : 0;
}

static int event_consume(struct pipeline *p, struct enrich_view *view)
{
	const struct event *e = &view->event;
	if (event_is_bookkeeping(e))
		return p->consumer.context ? p->consumer.context(p->consumer.userdata, e) : 0;
	p->stats.events++;
	p->stats.events_of[e->header->type]++;
	if (!p->stats.first_ns)
		p->stats.first_ns = e->header->time_ns;
	p->stats.last_ns = MAX(p->stats.last_ns, e->header->time_ns);
	return p->consumer.event(p->consumer.userdata, view, &p->arena);
}

int pipeline_put_event(struct pipeline *p, const struct event *event)
{
	struct enrich_view view;
	if (event->header->type == EVENT_loss)
		loss_count(p, event);
	if (enrich_event(p->enrich, event, &view) < 0) {
		p->stats.enrich_failures++;
		return 0;
	}
	int r = context_error_take(p);
	if (r == 0)
		r = event_consume(p, &view);
	enrich_event_done(p->enrich, &view);
	arena_reset(&p->arena);
	return r;
}

int pipeline_put_record(void *pipeline, const void *record, size_t length)
{
	struct pipeline *p = pipeline;
	struct event event;
	p->stats.records++;
	if (event_decode(record, length, &event) < 0) {
		undecodable_count(p, record, length);
		return 0;
	}
	return pipeline_put_event(p, &event);
}

int pipeline_put_loss(struct pipeline *p, uint64_t count)
{
	struct event_builder b;
	struct event event;
	int r = event_builder_init(&b, EVENT_loss);
	if (r < 0)
		return r;
	event_builder_header(&b)->time_ns = clock_boot_ns();
	r = event_builder_number(&b, "count", count);
	if (r < 0)
		goto out;
	r = event_builder_finish(&b, &event);
	if (r < 0)
		goto out;
	r = pipeline_put_event(p, &event);
out:
	event_builder_done(&b);
	return r;
}

static int dump_put(void *userdata, const struct event *event)
{
	struct pipeline *p = userdata;
	return p->consumer.context(p->consumer.userdata, event);
}

int pipeline_dump(struct pipeline *p)
{
	return p->consumer.context ? enrich_dump(p->enrich, dump_put, p) : 0;
}

void pipeline_tick(struct pipeline *p, uint64_t boot_now_ns)
{
	enrich_tick(p->enrich, boot_now_ns);
}

struct enrich *pipeline_enrich(struct pipeline *p)
{
	return p->enrich;
}

const struct pipeline_stats *pipeline_get_stats(const struct pipeline *p)
{
	return &p->stats;
}
