/* SPDX-License-Identifier: Apache-2.0 */
#include "core/probation.h"

#include <inttypes.h>

#include "base/clock.h"

#define MIB (1024.0 * 1024)

static double share(uint64_t part, uint64_t rest)
{
	return part > 0 ? (double)part / (double)(part + rest) : 0;
}

static double cpu_between(const struct probation_sample *from, const struct probation_sample *to)
{
	return to->time_ns > from->time_ns ? (double)(to->cpu_ns - from->cpu_ns) / (double)(to->time_ns - from->time_ns)
	                                   : 0;
}

static double lost_between(const struct probation_sample *from, const struct probation_sample *to)
{
	return share(to->lost - from->lost, to->events - from->events);
}

void probation_begin(struct probation *p, const struct probation_sample *now, uint64_t duration_ns,
                     const struct probation_sample *before, double foretold)
{
	*p = (struct probation){.on = true,
	                        .until_ns = now->time_ns + duration_ns,
	                        .begin = *now,
	                        .last = *now,
	                        .memory_before = now->memory_bytes,
	                        .foretold = foretold};
	if (!before)
		return;
	p->cpu_before = cpu_between(before, now);
	p->lost_before = lost_between(before, now);
	p->memory_before = before->memory_bytes;
}

/* ---- the limits ---- */

static double cpu_limit(const struct probation *p)
{
	return MAX(PROBATION_CPU_FREE, 2 * p->cpu_before);
}

static uint64_t memory_limit(const struct probation *p)
{
	return p->memory_before + MAX(p->memory_before / 2, PROBATION_MEMORY_MORE);
}

static double lost_limit(const struct probation *p)
{
	return MAX(PROBATION_LOST_SHARE, 2 * p->lost_before);
}

static double minutes(const struct probation *p)
{
	return (double)(p->last.time_ns - p->begin.time_ns) / (60.0 * NS_PER_S);
}

/* A minute more than has passed: alerts come in lots. */
static double alert_limit(const struct probation *p)
{
	return PROBATION_ALERTS_FREE + 3 * p->foretold * (minutes(p) + 1);
}

static uint64_t alerts(const struct probation *p)
{
	return p->last.alerts - p->begin.alerts;
}

static bool is_over(const struct probation *p, struct buf *reason)
{
	bool settled = p->last.time_ns - p->begin.time_ns >= PROBATION_SETTLE_NS;
	double cpu = cpu_between(&p->begin, &p->last), lost = lost_between(&p->begin, &p->last);
	if (p->last.breakers > p->begin.breakers)
		buf_printf(reason, "%" PRIu64 " policies are over their budget", p->last.breakers - p->begin.breakers);
	else if (p->foretold >= 0 && (double)alerts(p) > alert_limit(p))
		buf_printf(reason, "%" PRIu64 " alerts in %.1f minutes, and %.1f a minute were foretold", alerts(p),
		           minutes(p), p->foretold);
	else if (p->last.memory_bytes > memory_limit(p))
		buf_printf(reason, "it takes %.0f MiB of memory, and took %.0f before",
		           (double)p->last.memory_bytes / MIB, (double)p->memory_before / MIB);
	else if (settled && cpu > cpu_limit(p))
		buf_printf(reason, "it takes %.0f%% of a processor, and took %.0f%% before", 100 * cpu,
		           100 * p->cpu_before);
	else if (settled && p->last.lost - p->begin.lost > PROBATION_LOST_FREE && lost > lost_limit(p))
		buf_printf(reason, "%.1f%% of events are lost, and %.1f%% were before", 100 * lost,
		           100 * p->lost_before);
	else
		return false;
	return true;
}

enum probation_verdict probation_look(struct probation *p, const struct probation_sample *now,
                                      struct buf *reterr_reason)
{
	p->last = *now;
	if (is_over(p, reterr_reason)) {
		p->on = false;
		return PROBATION_FAILED;
	}
	if (now->time_ns < p->until_ns)
		return PROBATION_GOES_ON;
	p->on = false;
	return PROBATION_PASSED;
}

/* ---- the status ---- */

static void add_limit(struct json *out, const char *name, double value, double limit)
{
	json_key(out, name);
	json_begin_object(out);
	json_key(out, "now");
	json_double(out, value);
	json_key(out, "limit");
	json_double(out, limit);
	json_end_object(out);
}

void probation_report(const struct probation *p, struct json *out)
{
	json_begin_object(out);
	json_key(out, "left_s");
	json_u64(out, p->until_ns > p->last.time_ns ? (p->until_ns - p->last.time_ns) / NS_PER_S : 0);
	add_limit(out, "processor_percent", 100 * cpu_between(&p->begin, &p->last), 100 * cpu_limit(p));
	add_limit(out, "memory_bytes", (double)p->last.memory_bytes, (double)memory_limit(p));
	add_limit(out, "lost_percent", 100 * lost_between(&p->begin, &p->last), 100 * lost_limit(p));
	add_limit(out, "breakers", (double)p->last.breakers, (double)p->begin.breakers);
	if (p->foretold >= 0)
		add_limit(out, "alerts", (double)alerts(p), alert_limit(p));
	json_end_object(out);
}
