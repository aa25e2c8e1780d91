/* SPDX-License-Identifier: Apache-2.0 */
/* expect: accepted */
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

SEC("tc")
int shorten(struct __sk_buff *skb)
{
	if (skb->len > 1000)
		bpf_skb_change_tail(skb, 1000, 0);
	return 0;
}

char LICENSE[] SEC("license") = "GPL";
