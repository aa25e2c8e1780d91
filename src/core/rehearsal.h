/* SPDX-License-Identifier: Apache-2.0
 *
 * New content judges the host's recent history, as recent.h keeps it: what would have been alerted, killed or denied; what is
 * different from the running rules; and what the history is of, for it is never all that happened. Nothing is changed, no
 * kernel is needed. Not thread-safe.
 */
#ifndef PICKET_CORE_REHEARSAL_H
#define PICKET_CORE_REHEARSAL_H

#include "core/content.h"
#include "core/recent.h"
#include "core/trial.h"

#define REHEARSAL_ALERTS_A_MINUTE 60 /* the default of the limit */

struct rehearsal_options {
	const char *directory;    /* of the history */
	uint64_t alerts_a_minute; /* of a rule, unless it raises as many in the running content */
	/* Called now and then. NULL: nobody is told. */
	void (*progress)(void *userdata, uint64_t bytes, uint64_t of_bytes, uint64_t events);
	void *userdata;
};

/* What the history is of. Times since 1970. */
struct rehearsal_coverage {
	uint64_t segments;
	uint64_t unreadable; /* segments of another version of picket, or no captures at all */
	uint64_t damaged;    /* places where something was not readable */
	uint64_t unnoted;    /* segments of which it is not known what was left out */
	uint64_t from_ns, to_ns;
	uint64_t gaps, gap_ns;   /* when nothing was recorded */
	uint64_t events, lost;   /* judged; lost while recording */
	struct recent_note note; /* of all segments together */
	uint64_t events_of[EVENT_TYPE_MAX];
};

struct rehearsal;
/* What it needs of staged, and of running, which is in force, is taken out of them. running NULL: none is.
 * Returns 0, also if there is no history; -errno of reading; -ENOMEM. */
int rehearsal_run(const struct rehearsal_options *options, struct content *staged, struct content *running,
                  struct rehearsal **ret_rehearsal) must_check;
void rehearsal_free(struct rehearsal *r); /* NULL is allowed */

const struct rehearsal_coverage *rehearsal_coverage(const struct rehearsal *r);
const struct trial *rehearsal_trial(const struct rehearsal *r);
/* Is it within the limits? why: one line is added in any case, of what was found or of what is wrong. */
bool rehearsal_verdict(const struct rehearsal *r, struct buf *why);
/* Keys of the object at hand: coverage, same, added, gone, rules, policies. Returns 0, -ENOMEM. */
int rehearsal_add_json(const struct rehearsal *r, struct json *out) must_check;

/* What is worth a look, a warning each: rules that raise more than now, policies that would have acted; the first of both. */
void rehearsal_tell(const struct rehearsal *r, struct diag_list *diags);

/* ---- as a step of the gate ---- */

struct rehearsal_gate {
	struct rehearsal_options options;
	const char *state; /* directory of the store whose current bundle is in force */
};
/* g: borrowed. */
struct gate_replayer rehearsal_gate_replayer(struct rehearsal_gate *g);

#endif
