/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
 *
 * Quarantine: attached to a control group, these drop all its packets, and those of the groups below it, loopback's too; as long
 * as picket renews the lease.
 */
#include "guard.h"

static __always_inline int guard_packet(void)
{
	__u32 zero = 0;
	const struct guard_control *c = bpf_map_lookup_elem(&guard_control, &zero);

	return !c || bpf_ktime_get_boot_ns() >= c->lease_until_ns || owner_disarmed();
}

SEC("cgroup_skb/ingress")
int guard_packet_in(struct __sk_buff *skb)
{
	return guard_packet();
}

SEC("cgroup_skb/egress")
int guard_packet_out(struct __sk_buff *skb)
{
	return guard_packet();
}
