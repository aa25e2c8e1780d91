/* SPDX-License-Identifier: Apache-2.0
 *
 * How long programs have run, by the kernel's statistics, which it keeps only while somebody wants them. What a program calls
 * by tail call counts as its own.
 */
#ifndef PICKET_LOADER_RUN_TIME_H
#define PICKET_LOADER_RUN_TIME_H

#include "base/base.h"

struct loader;
struct guards;

/* Has the kernel keep them until the descriptor is closed. Needs CAP_SYS_ADMIN. Returns it, or -errno. */
int run_time_stats_open(void) must_check;
/* Of all programs of the sensors, or of the guards, since they were loaded. */
int loader_run_time(const struct loader *l, uint64_t *ret_ns) must_check;
int guards_run_time(const struct guards *g, uint64_t *ret_ns) must_check;

#endif
