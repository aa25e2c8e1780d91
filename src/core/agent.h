/* SPDX-License-Identifier: Apache-2.0
 *
 * picket as it runs: content that judges the events of this machine and acts on them, and how it is replaced. One at a time
 * in a process.
 */
#ifndef PICKET_CORE_AGENT_H
#define PICKET_CORE_AGENT_H

#include "core/content.h"
#include "core/judge.h"
#include "core/live.h"
#include "core/policies.h"

#define STAGING_SOAK_NS (600ull * 1000000000ull)
#define STAGING_WATCH_NS (600ull * 1000000000ull)
#define STAGING_SECONDS_MAX (30u * 86400)
#define AGENT_ALIVE_NS (60ull * 1000000000ull)

/* What the next bundle passes in a picket that runs, after the gate. */
enum staging_step {
	STAGING_LOAD,   /* all of it into the kernel, attached to nothing */
	STAGING_SHADOW, /* beside what runs, on live events, for a time: compared */
	STAGING_PROMOTE,
	STAGING_STEPS
};
const char *staging_step_name(enum staging_step step); /* "load" … */
bool staging_step_parse(struct str name, enum staging_step *ret_step);

struct agent;

struct agent_options {
	struct live_options live; /* its hooks, events and guards are the agent's */
	struct judge_options judge;
	struct content_files files; /* what it runs, unless a bundle is current in state */
	const char *state;          /* directory of a store: its bundles are run, and starts are counted; NULL: none */
	uint64_t soak_ns, watch_ns; /* unless an order says otherwise */
	unsigned stops;             /* 1 << step: a person is waited for before it */
	uint64_t alive_ns;          /* so long a start must live to have proved itself */
	bool no_sieve;
	uint64_t recent_bytes;                     /* of the history of events that is kept in state; 0: none is */
	const char *protect[POLICIES_PROTECT_MAX]; /* as in struct policies_options */
	size_t protect_count;
	unsigned cpu_budget; /* percent of one CPU; 0: no limit */
	/* Shows what is wrong with content. */
	void (*tell)(void *userdata, const struct diag_list *diags);
	/* It watches now. NULL: nobody is told. */
	void (*started)(void *userdata, struct agent *a);
	void *userdata;
};

/* Reads the content and loads its policies: nothing is attached yet. options are copied, what they point to is borrowed.
 * Returns 0; -EBUSY: another picket runs with that state; -errno: all told. */
int agent_new(const struct agent_options *options, struct agent **ret_agent) must_check;
void agent_free(struct agent *a); /* NULL is allowed */
void agent_freep(struct agent **a);
/* Watches until a signal or the duration ends it. Returns 0; -errno: of loading, with reterr_failure; else told. */
int agent_run(struct agent *a, struct loader_failure *reterr_failure) must_check;

struct judge *agent_judge(struct agent *a); /* borrowed: for outputs */
const struct live *agent_live(const struct agent *a);
size_t agent_policy_count(const struct agent *a);
bool agent_has_policies(const struct agent *a);           /* were any asked for? */
void agent_add_status(struct agent *a, struct buf *json); /* while it runs, and after */

#endif
