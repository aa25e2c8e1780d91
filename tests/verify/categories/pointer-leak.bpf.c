/* SPDX-License-Identifier: Apache-2.0 */
/* expect: pointer-leak */
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

SEC("cgroup_skb/egress")
int filter(struct __sk_buff *skb)
{
	return (long)skb;
}

char LICENSE[] SEC("license") = "GPL";
