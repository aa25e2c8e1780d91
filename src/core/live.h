/* SPDX-License-Identifier: Apache-2.0
 *
 * Watching this machine: loads the sensors, brings their records into a pipeline, answers signals and the status
 * socket, until told to end. One thread, one epoll loop. Signals that it handles: TERM, INT end it; HUP reloads (ends
 * it where nothing can be reloaded); USR1 writes the status to standard error. One at a time in a process.
 */
#ifndef PICKET_CORE_LIVE_H
#define PICKET_CORE_LIVE_H

#include "base/json.h"
#include "core/pipeline.h"
#include "loader/loader.h"
#include "rule/rule.h"

struct live;

struct live_hooks {
	/* All processes are known, no event was given yet, privileges are still there. Nonzero: live_run() ends with it. */
	int (*started)(void *userdata, struct live *live);
	void (*reload)(void *userdata, struct live *live);
	void (*tick)(void *userdata, struct live *live); /* once a second */
	void (*turn)(void *userdata); /* each time that the ring was looked at: at least ten times a second */
	/* An order of root, see control.h. NULL: no socket for orders. */
	bool (*order)(void *userdata, struct str order, struct buf *answer);
	void (*report)(void *userdata, struct json *out); /* further keys of the status */
	void *userdata;
};

struct live_options {
	struct loader_options loader;
	struct event_set events; /* to be made; state events are made anyway */
	uint64_t duration_ns;    /* 0: until a signal */
	const char *status_path; /* NULL: no status socket */
	bool status_required;    /* without the socket there is no start; else it is only warned of */
	bool guards;             /* there are guards: what loading them takes is kept */
	struct live_hooks hooks; /* each may be NULL */
};

/* Loads and attaches: from here on events wait in the ring. pipeline is borrowed, and must be a live one.
 * Returns 0; -EADDRINUSE: another picket serves status_path; what loader_new() returns, with reterr_failure. */
int live_new(const struct live_options *options, struct pipeline *pipeline, struct live **ret_live,
             struct loader_failure *reterr_failure) must_check;
void live_free(struct live *l);
void live_freep(struct live **l); /* for _cleanup_ */
/* Lists the processes, then gives events until a signal, the duration or the consumer ends it.
 * Returns 0; -errno: of the consumer, or of the loader. */
int live_run(struct live *l) must_check;
void live_end(struct live *l); /* for hooks: live_run() takes what is in the ring, and returns */
int live_set_events(struct live *l, const struct event_set *events) must_check;
/* These are not made from now on, whoever wants them, but for what the tables of processes need. */
int live_shed_events(struct live *l, const struct event_set *events) must_check;
bool live_is_shedding(const struct live *l);
int live_run_time(void *live, uint64_t *ret_ns) must_check; /* of the sensors in the kernel, see meter.h */
/* Who wants events beside the rules that judge. events: NULL: none any more. */
enum live_guest { LIVE_SHADOW, LIVE_RECENT, LIVE_RECENT_WINDOW, LIVE_GUESTS };
struct live_wish {
	struct event_set events; /* are made also if no rule wants them, of every process, past the sieve */
	bool writes;             /* what opens a file for writing passes the sieve */
	bool all;                /* nothing is sieved */
};
int live_set_wish(struct live *l, enum live_guest guest, const struct live_wish *wish) must_check;
/* Events that no rule of these programs can match are dropped in the kernel from now on; NULL: none are. Files that
 * pipeline's enrich watches pass by all their names. */
void live_set_sieve(struct live *l, struct rule_programs *programs);
/* The same for one condition, which the caller judges by. Returns 0; -errno: all events pass. */
int live_set_filter(struct live *l, struct str condition) must_check;
/* No rule of theirs matched this event. */
void live_unmatched(struct live *l, const struct enrich_view *view, struct arena *arena);
void live_pass_file(struct live *l, uint32_t dev, uint64_t ino); /* one more such file */
/* Where events are being written; have all that were written before been given? */
uint64_t live_position(const struct live *l);
bool live_has_passed(const struct live *l, uint64_t position);
void live_add_status(struct live *l, struct buf *out); /* the status as JSON */
const struct loader_sensor_report *live_sensors(const struct live *l, size_t *ret_count);

#endif
