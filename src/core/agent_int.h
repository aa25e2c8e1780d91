/* SPDX-License-Identifier: Apache-2.0
 *
 * Private to picket as it runs.
 *
 *	agent.c			made, run; what it does for each event and each second
 *	agent_content.c		content: read, tried, taking over
 *	agent_state.c		with a state directory: starts, probation, the way back, orders about content
 *	agent_staging.c		what a bundle passes on its way to take over
 *	dormant.c		with sensors off
 */
#ifndef PICKET_CORE_AGENT_INT_H
#define PICKET_CORE_AGENT_INT_H

#include "core/agent.h"
#include "core/policies.h"
#include "core/probation.h"
#include "core/recent.h"
#include "core/shadow.h"
#include "core/sparing.h"
#include "core/startup.h"

#define AGENT_DIAGS_MAX 200
#define STAGING_REASON_MAX 512

struct staging_wishes {
	uint64_t soak_ns, watch_ns;
	unsigned stops; /* 1 << step: a person is waited for before it */
	bool approved;  /* beforehand: nobody is waited for */
};
struct staging {
	bool on;    /* going on */
	bool known; /* there is something to report */
	struct store_entry entry;
	struct staging_wishes wishes;
	enum staging_step step;
	bool waits; /* for a person, before step */
	bool begun; /* step */
	struct staging_result {
		enum { STAGING_NOT_REACHED, STAGING_PASSED, STAGING_REFUSED } verdict;
		char reason[STAGING_REASON_MAX];
	} results[STAGING_STEPS];
	struct shadow *shadow; /* from load on, until it has soaked */
	struct buf comparison; /* what that came to: JSON */
	double foretold;       /* alerts a minute; negative: not known */
	struct probation_sample before;
};

struct agent {
	struct agent_options options;
	struct judge *judge;
	struct pipeline *pipeline;
	struct recent *recent;     /* NULL: no history is kept */
	struct policies *policies; /* NULL: there will be none */
	struct live *live;         /* NULL: not yet, or sensors are off */
	struct sparing sparing;
	bool environment; /* recorded: decided at the start */
	uint64_t reloads, failed_reloads;
	uint64_t matched; /* events that a rule matched */

	/* With a state directory: */
	struct startup *startup; /* NULL: content is of files */
	uint64_t entered_ns;     /* when the content took over */
	struct probation probation;
	struct staging staging;
};

/* ---- agent_content.c: each returns 0; -errno: told ---- */
int agent_read(const struct agent *a, enum store_role role, struct content *ret_content) must_check;
/* What is to run at first: loaded into the kernel, not in force. */
int agent_prepare(struct agent *a) must_check;
int agent_enforce(const struct agent *a) must_check; /* what was loaded last */
/* Both halves of content take over. On failure those from before stay, and c is still the caller's. */
int agent_switch(struct agent *a, struct content *c) must_check;
void agent_drop_policies(const struct agent *a); /* none is in force afterwards */
void agent_install_sieve(const struct agent *a);
/* Would this kernel take it all? Nothing is attached. */
int agent_preflight(const struct agent *a, const struct rule_set *rules) must_check;

/* ---- agent_state.c ---- */
void agent_announce(struct agent *a, const char *rule, const char *format, ...) printf_like(3, 4);
int agent_begin(struct agent *a) must_check; /* chooses what is to run, and prepares it */
void agent_fall_back(struct agent *a, const char *reason, struct str details);
void agent_sample(const struct agent *a, struct probation_sample *ret_sample);
void agent_entered(struct agent *a, uint64_t watch_ns, const struct probation_sample *before, double foretold);
void agent_stage(struct agent *a); /* what is next, as the options say */
void agent_state_tick(struct agent *a);
bool agent_state_order(struct agent *a, struct str verb, struct str rest, struct buf *answer, bool *ret_done);
void agent_state_report(struct agent *a, struct json *out);

/* ---- agent_staging.c ---- */
void staging_begin(struct agent *a, const struct staging_wishes *wishes);
void staging_approve(struct agent *a);
void staging_tick(struct agent *a);
void staging_end(struct agent *a); /* whatever it was at */
void staging_report(const struct agent *a, struct json *out);

/* ---- dormant.c ---- */
/* Serves status and orders until a signal. Returns 0, -errno. */
int dormant_run(const struct live_options *options) must_check;

#endif
