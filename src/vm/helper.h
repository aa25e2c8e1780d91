/* SPDX-License-Identifier: Apache-2.0
 *
 * The sandbox's helpers (helper.def), by number and by name.
 */
#ifndef PICKET_VM_HELPER_H
#define PICKET_VM_HELPER_H

#include "picket/vm.h"

/* id 1 .. 2^16: ours; PICKET_HELPER_OWN and above: the program's embedder's. NULL: no such. helpers, count: the
 * embedder's. */
const struct picket_helper *vm_helper_find(uint32_t id, const struct picket_helper *helpers, size_t count);
const struct picket_helper *vm_helper_by_name(const char *name); /* one of ours */
/* Of any helper that the kernel has, here or not: "get_current_task"; NULL: not even the kernel has it. */
const char *vm_helper_name(uint32_t id);
/* Do the types of its arguments fit together (a size after MEM, a map before MAP_KEY ...)? */
bool vm_helper_is_valid(const struct picket_helper *helper);

#endif
