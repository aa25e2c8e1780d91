/* SPDX-License-Identifier: Apache-2.0
 *
 * Tells the kernel of processes that make many events which no rule matches: which rules can match events of theirs at
 * all. Events of types without such rules are then not made, and the sieve asks only for those rules.
 *
 * It is told in two steps, so that it is never about a process as it was before: at first that something is about to be
 * told, which any change of the process undoes in the kernel; and when all events from before that have been seen, what.
 */
#ifndef PICKET_CORE_NARROW_H
#define PICKET_CORE_NARROW_H

#include "enrich/enrich.h"
#include "loader/loader.h"
#include "rule/rule.h"

#define NARROW_AFTER 64 /* events of a process that no rule matched, since it changed */
#define NARROW_SLOTS 1024
#define NARROW_PENDING_MAX 32

struct narrow {
	struct loader *loader;
	struct enrich *enrich;
	struct rule_programs *programs; /* borrowed; NULL: nothing is told */
	struct narrow_slot {            /* by hash of the process */
		uint32_t pid, count;
		uint64_t start_ns, version;
	} slots[NARROW_SLOTS];
	struct narrow_pending {
		struct loader_process process;
		uint32_t pid;
	} pending[NARROW_PENDING_MAX];
	size_t pending_count;
	uint64_t outdated;     /* enrich_process_outdated() when last looked at */
	uint64_t told;         /* processes */
	struct event_set kept; /* told of every process, whatever rules want */
};

void narrow_init(struct narrow *n, struct loader *loader, struct enrich *enrich);
void narrow_done(struct narrow *n);
/* For these rules; whatever was told is forgotten. */
void narrow_set(struct narrow *n, struct rule_programs *programs);
void narrow_keep(struct narrow *n, const struct event_set *types);
/* An event that no rule matched. */
void narrow_event(struct narrow *n, const struct enrich_view *view, struct arena *arena);
/* After each lot of events. */
void narrow_check(struct narrow *n);

#endif
