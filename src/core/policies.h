/* SPDX-License-Identifier: Apache-2.0
 *
 * Policies in force while picket runs: loaded over the rules, enforced by guards under a lease, their verdicts told as alerts.
 * One at a time in a process. Not thread-safe.
 */
#ifndef PICKET_CORE_POLICIES_H
#define PICKET_CORE_POLICIES_H

#include "base/diag.h"
#include "base/json.h"
#include "core/judge.h"
#include "core/live.h"
#include "guard/policy.h"
#include "loader/guards.h"
#include "loader/loader.h"

#define POLICIES_PROTECT_MAX 16
#define POLICIES_LEASE_NS (5 * NS_PER_S) /* without a renewal they act no longer than this */

struct policies_options {
	const char *instance; /* the path of the status socket; NULL: none; borrowed */
	/* Besides what is always protected: programs, control groups, units, processes by number. Borrowed. */
	const char *const *protect;
	size_t protect_count;  /* at most POLICIES_PROTECT_MAX */
	const char *cgroup;    /* they act only in this cgroup v2 directory and below; NULL: on the host */
	struct enrich *enrich; /* knows the processes; borrowed */
};

struct policies;
/* judge: gets the alerts, borrowed. What the kernel can do is looked up here, while all privileges are there. */
int policies_new(const struct policies_options *options, struct judge *judge, struct policies **ret_policies)
        must_check;
void policies_free(struct policies *p); /* detaches all but what persists; NULL is allowed */
/* Loads what the set comes to, and takes it over; those in force stay so. What is judged after the fact becomes guests of the
 * rules, which the set is over, and which are to judge as soon as policies_switch() has been called.
 * Returns 0; -EINVAL: see diags; -errno: of loading, with reterr_failure. */
int policies_load(struct policies *p, struct rule_set *rules, struct policy_set **set, struct diag_list *reterr_diags,
                  struct loader_failure *reterr_failure) must_check;
/* What was loaded last takes over, without a gap. Policies that were there before go on with their counts and their breaker,
 * and one that was lowered at runtime is not raised by that. Returns 0; -errno: those from before stay in force. */
int policies_switch(struct policies *p, struct loader_failure *reterr_failure) must_check;
/* After that: the rules before judge no more, and are still there; then what they had as guests is freed. */
void policies_forget_before(struct policies *p);
void policies_renew(struct policies *p); /* the lease: once a second */
void policies_tell(struct policies *p);  /* the verdicts since the last call */
/* With each event: who acted; what guards are to know of him. */
void policies_see(struct policies *p, const struct enrich_actor *a);
void policies_know_event(struct policies *p, const struct enrich_view *view);
void policies_know(struct policies *p, const struct live *live); /* after each lot of events */
/* Ends what an earlier picket of the instance left in the kernel, but keep, which may be NULL. */
void policies_unpin_others(const char *instance, const struct guards *keep);
/* Over the CPU budget they only tell: their lease is ended. */
void policies_set_shed(struct policies *p, bool shed);
int policies_run_time(const struct policies *p, uint64_t *ret_ns) must_check; /* of guards in the kernel, see meter.h */
size_t policies_count(const struct policies *p);
size_t policies_count_tripped(const struct policies *p); /* whose breaker has tripped */
/* Does what an order of an operator says, "mode MODE POLICY", "release CGROUP" or "disarm"; adds a line about it. Returns whether it was done. */
bool policies_carry_out(struct policies *p, struct str order, struct buf *answer);
void policies_report(struct policies *p, struct json *out); /* keys "policies", "guards" of the status */

#endif
