/* SPDX-License-Identifier: Apache-2.0
 *
 * Content that has just taken over is watched for a time: what picket takes of the machine, what it loses, what it raises, and
 * whether breakers trip, against what was before and what was foretold. Only numbers: no clock, no files.
 */
#ifndef PICKET_CORE_PROBATION_H
#define PICKET_CORE_PROBATION_H

#include "base/buf.h"
#include "base/json.h"

#define PROBATION_SETTLE_NS (10 * 1000000000ull) /* from when on rates are judged: taking over costs by itself */
#define PROBATION_CPU_FREE 0.25                  /* of one processor, that it may take in any case */
#define PROBATION_MEMORY_MORE (64ull << 20) /* that it may take beyond what it took before, or half as much again */
#define PROBATION_LOST_FREE 100             /* events */
#define PROBATION_LOST_SHARE 0.01
#define PROBATION_ALERTS_FREE 20 /* beyond three times what was foretold */

/* Counts since picket began, at a time. */
struct probation_sample {
	uint64_t time_ns, cpu_ns, memory_bytes, events, lost, alerts, breakers;
};

struct probation {
	bool on;
	uint64_t until_ns;
	struct probation_sample begin, last;
	/* What was before: unknown, 0, where there was no before. */
	double cpu_before, lost_before; /* of one processor; of all events */
	uint64_t memory_before;
	double foretold; /* alerts a minute; negative: nothing was foretold, and alerts are no limit */
};

/* before: of a time earlier than now; NULL: there was none. */
void probation_begin(struct probation *p, const struct probation_sample *now, uint64_t duration_ns,
                     const struct probation_sample *before, double foretold);
enum probation_verdict { PROBATION_GOES_ON, PROBATION_PASSED, PROBATION_FAILED };
/* reterr_reason: which limit, in words, is added. */
enum probation_verdict probation_look(struct probation *p, const struct probation_sample *now,
                                      struct buf *reterr_reason);
void probation_report(const struct probation *p, struct json *out); /* an object: what is measured, and its limits */

#endif
