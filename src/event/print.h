/* SPDX-License-Identifier: Apache-2.0
 *
 * Records as they are, for debugging and `picket events --raw`: no process table, no names of users, nothing joined.
 */
#ifndef PICKET_EVENT_PRINT_H
#define PICKET_EVENT_PRINT_H

#include "base/json.h"
#include "event/event.h"

/* One object: the header, the arguments that stand in the record (missing texts are null), fd, root. */
void event_add_json(const struct event *e, struct json *out);

#endif
