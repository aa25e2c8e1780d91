/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
 *
 * Whose these programs are, and whether they have been switched off from outside: see schema/owner.h.
 */
#ifndef PICKET_BPF_OWNER_H
#define PICKET_BPF_OWNER_H

#include <bpf/bpf_helpers.h>
#include "schema/owner.h"

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct picket_owner);
} picket_owner SEC(".maps");

static __always_inline bool owner_disarmed(void)
{
	__u32 zero = 0;
	const struct picket_owner *owner = bpf_map_lookup_elem(&picket_owner, &zero);
	return owner && owner->disarmed;
}

#endif
