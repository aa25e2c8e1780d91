/* SPDX-License-Identifier: Apache-2.0
 *
 * Private to the room: marks loaded programs as picket's, see schema/owner.h.
 */
#ifndef PICKET_LOADER_OWNER_H
#define PICKET_LOADER_OWNER_H

#include <bpf/libbpf.h>

#include "base/base.h"
#include "schema/owner.h"

/* All loaded programs of the object. map: the object's OWNER_MAP. instance: NULL: none. Returns 0, -errno. */
int owner_mark(const struct bpf_object *object, const struct bpf_map *map, const char *instance) must_check;
/* A program beside them. */
int owner_mark_program(const struct bpf_map *map, int program) must_check;
int owner_read(int map, struct picket_owner *ret_owner) must_check; /* -EINVAL: it is none */
/* Our pid as the kernel half counts, by the initial namespace. In another one getpid() would name some other process of
 * the host: 0. */
uint32_t owner_pid(void);

#endif
