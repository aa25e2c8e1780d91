/* SPDX-License-Identifier: Apache-2.0
 *
 * Private to the room.
 *
 *	inventory.c		what the kernel has of picket
 *	inventory_holder.c	the processes that hold it
 *	inventory_pin.c		pins
 *	disarm.c		ending it
 */
#ifndef PICKET_LOADER_INVENTORY_INT_H
#define PICKET_LOADER_INVENTORY_INT_H

#include "loader/inventory.h"

struct inventory_item *inventory_find(struct inventory *inventory, enum inventory_kind kind, uint32_t id);
void inventory_add_holders(struct inventory *inventory);
void inventory_add_pins(struct inventory *inventory, const char *instance);
/* When a process was started, in ticks since the boot; 0: it is gone. */
uint64_t inventory_start_ticks(int pid);

#endif
