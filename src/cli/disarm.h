/* SPDX-License-Identifier: Apache-2.0
 *
 * Private to picket disarm: what of picket is in the kernel, shown.
 */
#ifndef PICKET_CLI_DISARM_H
#define PICKET_CLI_DISARM_H

#include "base/buf.h"
#include "base/json.h"
#include "loader/inventory.h"

/* Each picket, what it has attached, and who holds it; plan: with what would become of it. */
void disarm_add_text(const struct inventory *inventory, bool plan, struct buf *out);
void disarm_add_json(const struct inventory *inventory, struct json *out); /* keys of an object */

/* Walks through the pickets of an inventory, each once though it has several owners. Start with 0; false: no more. */
bool disarm_next_instance(const struct inventory *inventory, uint32_t *position, const char **ret_instance);

#endif
