/* SPDX-License-Identifier: Apache-2.0 */
/* expect: accepted */
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

SEC("cgroup_skb/egress")
int filter(struct __sk_buff *skb)
{
	return skb->len < 1500;
}

char LICENSE[] SEC("license") = "GPL";
