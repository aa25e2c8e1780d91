/* SPDX-License-Identifier: Apache-2.0
 *
 * Tells the service manager how we are (the socket named by NOTIFY_SOCKET, sd_notify(3)'s protocol).
 */
#ifndef PICKET_CORE_NOTIFY_H
#define PICKET_CORE_NOTIFY_H

#include "base/base.h"

/* "READY=1", "STOPPING=1" … Nothing happens without a service manager. Failures are of no consequence to us. */
void notify_send(const char *state);
/* How often the manager wants to hear "WATCHDOG=1"; 0: never. */
uint64_t notify_watchdog_ns(void);

#endif
