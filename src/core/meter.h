/* SPDX-License-Identifier: Apache-2.0
 *
 * How much CPU picket takes: its own process always, its programs in the kernel by the kernel's statistics of run time. Those
 * cost each BPF program of the host some 40 ns a run while they are on: so they are on for one second of ten, or, when much is
 * used, of two. Not thread-safe.
 */
#ifndef PICKET_CORE_METER_H
#define PICKET_CORE_METER_H

#include "base/base.h"

struct meter {
	double own, bpf;   /* percent of one CPU: own since the tick before, bpf when last looked at */
	bool bpf_measured; /* else the kernel did not let us, or nobody asks */
	bool ready;        /* both are of now, since meter_init() or meter_forget() */
	/* private */
	int stats_fd;               /* -1: the statistics are off */
	uint64_t at_ns, own_ns;     /* of the last tick; at_ns 0: there was none */
	uint64_t bpf_at_ns, bpf_ns; /* when the statistics were switched on */
	unsigned ticks;
};

void meter_init(struct meter *m);
void meter_done(struct meter *m);
void meter_forget(struct meter *m); /* what was used before: something has changed */
/* Once a second. run_time: adds up what picket's programs have run so far, in ns; returns 0, -errno; NULL: nobody asks for
 * that. often: much is used. */
void meter_tick(struct meter *m, bool often, int (*run_time)(void *userdata, uint64_t *ret_ns), void *userdata);

#endif
