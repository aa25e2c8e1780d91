/* SPDX-License-Identifier: Apache-2.0
 *
 * The way of a record: decode, enrich, one consumer. It comes from the loader's ring or from a capture. Not
 * thread-safe.
 */
#ifndef PICKET_CORE_PIPELINE_H
#define PICKET_CORE_PIPELINE_H

#include "base/arena.h"
#include "enrich/enrich.h"
#include "event/event.h"

#define PIPELINE_ARENA_BYTES (8u << 20) /* what one event may need */

/* What becomes of an event once it is known who did it. A consumer returns 0, or a negative errno that ends the call
 * that brought the event; -ECANCELED: it has had enough, no error. */
struct pipeline_consumer {
	/* An event that may be judged or shown. view and what the arena gives live for the call. */
	int (*event)(void *userdata, struct enrich_view *view, struct arena *arena);
	/* Every record of the stream that keeps tables true and is not given to event(): those that picket makes itself
	 * (host, users, containers, losses), marked as context, or of processes that were there before. May be NULL. */
	int (*context)(void *userdata, const struct event *event);
	void *userdata;
};

struct pipeline_options {
	bool live; /* look at this machine; false: replay */
	const char *root;
	size_t process_limit;
	struct pipeline_consumer consumer;
};

struct pipeline;
int pipeline_new(const struct pipeline_options *options, struct pipeline **ret_pipeline) must_check;
void pipeline_free(struct pipeline *p);
void pipeline_freep(struct pipeline **p); /* for _cleanup_ */

/* A record from the ring; pipeline is a struct pipeline (the form of loader_poll()'s callback). What cannot be decoded
 * is counted and left out. Returns 0, or what the consumer returned. */
int pipeline_put_record(void *pipeline, const void *record, size_t length) must_check;
int pipeline_put_event(struct pipeline *p, const struct event *event) must_check;
/* count events were lost before this point: goes into the stream as an event of its own. */
int pipeline_put_loss(struct pipeline *p, uint64_t count) must_check;
/* All that is known now (host, users, containers, processes) to the consumer's context(): the start of a capture. */
int pipeline_dump(struct pipeline *p) must_check;
void pipeline_tick(struct pipeline *p, uint64_t boot_now_ns); /* once a second */
struct enrich *pipeline_enrich(struct pipeline *p);           /* borrowed */

struct pipeline_stats {
	uint64_t records;         /* taken from the source */
	uint64_t events;          /* given to the consumer */
	uint64_t lost;            /* told of by pipeline_put_loss() or by loss records of a capture */
	uint64_t enrich_failures; /* events left out for want of memory */
	uint64_t undecodable;
	uint64_t undecodable_unknown;            /* of these, those without a known type */
	uint64_t undecodable_of[EVENT_TYPE_MAX]; /* by the type that the record claims */
	uint64_t events_of[EVENT_TYPE_MAX];
	uint64_t first_ns, last_ns; /* boot times of events */
};
const struct pipeline_stats *pipeline_get_stats(const struct pipeline *p);

#endif
