/* SPDX-License-Identifier: Apache-2.0
 *
 * Private to the room: processes that stand for others: leaders of sessions and groups, login shells.
 */
#ifndef PICKET_ENRICH_FIELD_FAMILY_H
#define PICKET_ENRICH_FIELD_FAMILY_H

#include "enrich/process.h"

enum family_group { FAMILY_SESSION, FAMILY_GROUP };

/* The leader, or if it is not known any more the oldest of the consecutive ancestors in the same session or group.
 * NULL: neither is there. */
const struct process *family_leader(const struct process_table *t, const struct process *p, enum family_group group);
/* The oldest among p and its ancestors whose name ends in "sh"; NULL: none. */
const struct process *family_login_shell(const struct process *p);

#endif
