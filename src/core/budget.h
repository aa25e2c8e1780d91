/* SPDX-License-Identifier: Apache-2.0
 *
 * How much CPU picket may take, and what it gives up over that (schema/shed.def). A decision made of numbers, which measures
 * nothing itself: see meter.h. Not thread-safe.
 */
#ifndef PICKET_CORE_BUDGET_H
#define PICKET_CORE_BUDGET_H

#include "base/json.h"
#include "rule/rule.h"

#define BUDGET_DEFAULT_PERCENT 50 /* of one CPU */
#define BUDGET_TICKS 5            /* that are looked at together; one a second */
#define BUDGET_CALM_TICKS 20      /* under half of the budget, before a step is taken back */
#define BUDGET_CALM_TICKS_MAX 320 /* it doubles with each step that had to be taken again soon */
#define BUDGET_SOON_TICKS 60

enum budget_step {
#define SHED_STEP(id, name, what) BUDGET_##id,
#include "schema/shed.def"
	BUDGET_STEPS,
};
const char *budget_step_name(enum budget_step step);
const char *budget_step_what(enum budget_step step);

struct budget {
	double limit;       /* percent of one CPU; 0: none */
	unsigned steps_max; /* that make sense here: without policies one less */
	unsigned steps;     /* given up now: the first so many of enum budget_step */
	double average;     /* percent, of the last BUDGET_TICKS */
	uint64_t shed;      /* steps that were ever given up */
	/* private */
	double last[BUDGET_TICKS];
	unsigned seen; /* ticks since the last change, at most BUDGET_TICKS */
	unsigned calm, calm_needed, since_restored;
};

void budget_init(struct budget *b, double limit_percent, bool policies);
enum budget_change { BUDGET_STAYS, BUDGET_SHEDS, BUDGET_RESTORES };
/* What was used since the last tick. SHEDS: the step before b->steps was given up just now; RESTORES: the one at b->steps is
 * back. */
enum budget_change budget_put(struct budget *b, double percent);
/* The events that are given up with so many steps. */
void budget_events(unsigned steps, struct event_set *ret_events);

#endif
