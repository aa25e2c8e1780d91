/* SPDX-License-Identifier: Apache-2.0
 *
 * Private to the room: the machine that the events come from.
 */
#ifndef PICKET_ENRICH_HOST_H
#define PICKET_ENRICH_HOST_H

#include "enrich/enrich_int.h"

void host_init(struct host *h); /* nothing known but what is the same on every Linux */
void host_done(struct host *h);
/* Looks at this machine. Returns 1: something is other than before; 0; -ENOMEM: h is as it was. */
int host_read(struct host *h, int root_fd) must_check;
int host_put(const struct host *h, uint64_t now_ns, int (*put)(void *userdata, const struct event *event),
             void *userdata) must_check;
int host_take(struct host *h, const struct event *record) must_check;
/* From the state of a process of its own. True: they were not known. */
bool host_take_namespaces(struct host *h, const struct task_state *state);

#endif
