/* SPDX-License-Identifier: Apache-2.0
 *
 * Between reading a history and asking policies about it.
 */
#ifndef PICKET_CORE_REHEARSAL_INT_H
#define PICKET_CORE_REHEARSAL_INT_H

#include "core/rehearsal.h"

#define REHEARSAL_PROCESSES_MAX 256 /* of a minute, that are told apart */

/* What a policy would have done. A minute is one of the breaker's. */
struct asked_policy {
	const struct policy *policy;
	uint64_t attempts, acted, cannot_say, spared; /* spared: by protected programs */
	uint64_t most_actions, most_processes;        /* in a minute */
	bool over_share;                              /* in some minute */
	uint64_t minute, actions, minute_attempts;
	uint64_t processes[REHEARSAL_PROCESSES_MAX]; /* of the minute, by hash */
	size_t process_count;
	double tokens; /* throttle: how many it would let through now */
	uint64_t tokens_ns;
	struct trial_examples examples, spared_examples;
};

struct asked_policies {
	struct asked_policy *items; /* of each policy of the set that acts */
	size_t count;
};
int asked_policies_new(const struct policy_set *set, struct asked_policies *ret_asked) must_check;
void asked_policies_done(struct asked_policies *a);
void asked_policies_event(struct asked_policies *a, struct enrich_view *view, struct arena *arena);
/* The first that is in mode enforce and would have gone too far: why is added. NULL: none. */
const struct asked_policy *asked_policies_verdict(const struct asked_policies *a, struct buf *why);
uint64_t asked_policies_acted(const struct asked_policies *a); /* all together */
/* Key "policies", bytes_max of JSON about; and "policies_left_out". */
void asked_policies_add_json(const struct asked_policies *a, size_t bytes_max, struct json *out);

/* A warning, with the first example. */
void rehearsal_warn(struct diag_list *diags, const struct trial_examples *examples, const char *format, ...)
        printf_like(3, 4);
void asked_policies_tell(const struct asked_policies *a, struct diag_list *diags);

#endif
