/* SPDX-License-Identifier: Apache-2.0
 *
 * Keeps picket within its CPU budget: measures, decides, gives up and takes back, and tells each time: the log, the alerts, the
 * status. Not thread-safe.
 */
#ifndef PICKET_CORE_SPARING_H
#define PICKET_CORE_SPARING_H

#include "core/budget.h"
#include "core/judge.h"
#include "core/live.h"
#include "core/meter.h"
#include "core/policies.h"

#define SPARING_TEXT_MAX 256

struct sparing {
	struct budget budget;
	struct meter meter;
	struct judge *judge;         /* borrowed */
	struct policies *policies;   /* borrowed; NULL: there are none */
	struct live *live;           /* borrowed, as of the last tick */
	char text[SPARING_TEXT_MAX]; /* what is not watched now, as alerts tell */
};

/* limit_percent: of one CPU; 0: none, then it is only measured. */
void sparing_init(struct sparing *s, double limit_percent, struct judge *judge, struct policies *policies);
void sparing_done(struct sparing *s);
void sparing_tick(struct sparing *s, struct live *live);        /* once a second */
void sparing_report(const struct sparing *s, struct json *out); /* key "cpu_budget" of the status */

#endif
