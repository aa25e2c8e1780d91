/* SPDX-License-Identifier: Apache-2.0
 *
 * Private to the room.
 */
#ifndef PICKET_LOADER_RUN_TIME_INT_H
#define PICKET_LOADER_RUN_TIME_INT_H

#include <bpf/libbpf.h>

#include "loader/run_time.h"

/* Of all programs of an object that are loaded. */
int run_time_of(const struct bpf_object *object, uint64_t *ret_ns) must_check;

#endif
