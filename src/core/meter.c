/* SPDX-License-Identifier: Apache-2.0 */
#include "core/meter.h"

#include <sys/resource.h>

#include "base/clock.h"
#include "core/privileges.h"
#include "loader/run_time.h"

#define LOOK_TICKS 10
#define LOOK_OFTEN_TICKS 2

static uint64_t ns_of(struct timeval t)
{
	return (uint64_t)t.tv_sec * NS_PER_S + (uint64_t)t.tv_usec * 1000;
}

static uint64_t own_cpu_ns(void)
{
	struct rusage usage = {0};
	getrusage(RUSAGE_SELF, &usage);
	return ns_of(usage.ru_utime) + ns_of(usage.ru_stime);
}

static double percent_of(uint64_t used_ns, uint64_t elapsed_ns)
{
	return elapsed_ns ? 100 * (double)used_ns / (double)elapsed_ns : 0;
}

void meter_init(struct meter *m)
{
	*m = (struct meter){.stats_fd = -1};
}

void meter_done(struct meter *m)
{
	base_close_fd(&m->stats_fd);
	m->stats_fd = -1;
}

void meter_forget(struct meter *m)
{
	meter_done(m);
	m->ready = false;
	m->at_ns = 0;
	m->ticks = 0;
}

static void begin(struct meter *m, int (*run_time)(void *userdata, uint64_t *ret_ns), void *userdata)
{
	m->stats_fd = privileges_as_admin(run_time_stats_open);
	if (m->stats_fd < 0 || run_time(userdata, &m->bpf_ns) < 0) {
		m->bpf_measured = false;
		m->ready = true;
		meter_done(m);
		return;
	}
	m->bpf_at_ns = clock_boot_ns();
}

static void end(struct meter *m, uint64_t now, int (*run_time)(void *userdata, uint64_t *ret_ns), void *userdata)
{
	uint64_t ns;
	/* Programs may have been replaced meanwhile: then there is nothing to compare with. */
	m->bpf_measured = run_time(userdata, &ns) == 0 && ns >= m->bpf_ns;
	if (m->bpf_measured)
		m->bpf = percent_of(ns - m->bpf_ns, now - m->bpf_at_ns);
	m->ready = true;
	meter_done(m);
}

void meter_tick(struct meter *m, bool often, int (*run_time)(void *userdata, uint64_t *ret_ns), void *userdata)
{
	uint64_t now = clock_boot_ns(), own = own_cpu_ns();
	m->own = m->at_ns ? percent_of(own - m->own_ns, now - m->at_ns) : 0;
	m->at_ns = now;
	m->own_ns = own;
	if (!run_time)
		m->ready = true;
	else if (m->stats_fd >= 0)
		end(m, now, run_time, userdata);
	else if (m->ticks % (often ? LOOK_OFTEN_TICKS : LOOK_TICKS) == 0)
		begin(m, run_time, userdata);
	m->ticks++;
}
