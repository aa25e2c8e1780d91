/* SPDX-License-Identifier: Apache-2.0
 *
 * Private to policies in force.
 *
 *	policies.c		made, loaded, taking over, their lease
 *	policies_tell.c		verdicts → alerts
 *	policies_order.c	what an operator orders
 *	policies_report.c	their part of the status
 */
#ifndef PICKET_CORE_POLICIES_INT_H
#define PICKET_CORE_POLICIES_INT_H

#include "base/arena.h"
#include "core/policies.h"
#include "guard/table.h"

#define CGROUP_PATH_MAX 4096

/* A policy in force: what is left of it when it is compiled. */
struct held {
	const char *name, *rule, *action; /* rule: NULL: it has its own condition, or none */
	uint32_t version;
	enum policy_mode mode; /* as its file says */
};

/* What one load came to. */
struct generation {
	struct arena names;
	struct held *held; /* as the guards count them */
	size_t count;
	struct guards *guards; /* NULL: disarmed */
};

struct policies {
	struct policies_options options;
	struct judge *judge; /* borrowed */
	struct policy_kernel kernel;
	char cgroup[CGROUP_PATH_MAX]; /* where guards of sockets are attached */
	struct alert_limiter *limiter;
	struct generation current, next;
	struct buf sentence;
	bool disarmed;     /* until picket starts again */
	bool lease_failed; /* and was told */
};

/* The policy in force that has the name. NULL: none; ret_index is then untouched. */
const struct held *policies_find(const struct policies *p, struct str name, uint32_t *ret_index);

void policies_disarm(struct policies *p); /* lets go of the guards, for good */

#endif
