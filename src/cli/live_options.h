/* SPDX-License-Identifier: Apache-2.0
 *
 * What run, events and record have in common: watching this machine. Mistakes are told on standard error.
 */
#ifndef PICKET_CLI_LIVE_OPTIONS_H
#define PICKET_CLI_LIVE_OPTIONS_H

#include "cli/args.h"
#include "core/live.h"

/* --cgroup, --ring-size, --duration, --verbose. Returns 0, -EINVAL. */
int live_options_init(const struct args *args, struct live_options *ret_options) must_check;
/* live_new(), and what is missing told for people. Returns CLI_OK, CLI_IMPOSSIBLE. */
int live_start(const struct live_options *options, struct pipeline *pipeline, struct live **ret_live) must_check;
/* Tells why watching could not begin. Returns CLI_IMPOSSIBLE. */
int live_tell_failure(const struct loader_failure *failure, int error);
/* All types that some sensor makes. */
void events_observed(struct event_set *ret_events);

#endif
