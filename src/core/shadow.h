/* SPDX-License-Identifier: Apache-2.0
 *
 * Content that is staged beside the content that runs, on the same live events, for a soak time: its rules judge and raise
 * nothing, its guards stand in the kernel and tell what they would have done. They are given no lease, so that they cannot
 * act whatever their policies say. At the end: what would be different, what it would cost, and whether that is within limits.
 * One at a time in a process. Not thread-safe.
 */
#ifndef PICKET_CORE_SHADOW_H
#define PICKET_CORE_SHADOW_H

#include "core/content.h"
#include "core/live.h"
#include "core/trial.h"
#include "loader/guards.h"

#define SHADOW_ALERTS_A_MINUTE 60 /* the defaults of the limits */
#define SHADOW_COST_RATIO 2.0
#define SHADOW_COST_LEAST_NS 2000  /* judging an event may take this long, however cheap the running content is */
#define SHADOW_COST_EVENTS_MIN 100 /* whose time was taken, before the cost means something */

struct shadow_limits {
	uint64_t alerts_a_minute; /* of a rule, unless it raises as many in the running content */
	double cost_ratio;        /* of judging, to that by the running rules */
	uint64_t lost;            /* events, while it lasts */
};
#define SHADOW_LIMITS_DEFAULT \
	{ \
		SHADOW_ALERTS_A_MINUTE, SHADOW_COST_RATIO, 0 \
	}

struct shadow_options {
	const char *instance; /* as in struct policies_options */
	const char *cgroup;   /* guards stand only at this cgroup v2 directory and below; NULL: on the host */
	struct shadow_limits limits;
	uint64_t soak_ns;
};

struct shadow;
/* Loads the policies, if there are any; attaches nothing yet. staged: its rules are taken over on success, its policies are
 * not needed afterwards. Returns 0; -EINVAL: see diags; -errno: of loading, with reterr_failure. */
int shadow_new(const struct shadow_options *options, struct content *staged, struct diag_list *reterr_diags,
               struct loader_failure *reterr_failure, struct shadow **ret_shadow) must_check;
/* Attaches its guards, and has live make what its rules want, unsieved. live, pipeline: borrowed.
 * Returns 0; -errno, with reterr_failure. */
int shadow_begin(struct shadow *s, struct live *live, struct pipeline *pipeline, struct loader_failure *reterr_failure)
        must_check;
/* Ends it too, if it was begun: all is as before. NULL is allowed. */
void shadow_free(struct shadow *s);
/* In the place of judge_event(running, …). Returns what that returned. */
int shadow_event(struct shadow *s, struct judge *running, struct enrich_view *view, struct arena *arena) must_check;
void shadow_tick(struct shadow *s);          /* once a second */
bool shadow_is_over(const struct shadow *s); /* the soak time has passed */
uint64_t shadow_soaked_ns(const struct shadow *s);
double shadow_alerts_a_minute(const struct shadow *s); /* that its rules raised so far */

/* Is it within the limits so far? why: one line is added in any case. */
bool shadow_verdict(const struct shadow *s, struct buf *why);
/* Keys of the object at hand: passed, why, soak_s, events, lost, same, added, gone, rules, policies, cost.
 * Returns 0, -ENOMEM. */
int shadow_add_json(const struct shadow *s, struct json *out) must_check;

#endif
