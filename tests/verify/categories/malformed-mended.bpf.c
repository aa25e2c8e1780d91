/* SPDX-License-Identifier: Apache-2.0 */
/* expect: accepted */
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

SEC("xdp")
int filter(struct xdp_md *ctx)
{
	__u32 queue = ctx->rx_queue_index;

	queue &= 15;
	return queue > 7 ? XDP_DROP : XDP_PASS;
}

char LICENSE[] SEC("license") = "GPL";
