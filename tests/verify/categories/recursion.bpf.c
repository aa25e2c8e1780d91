/* SPDX-License-Identifier: Apache-2.0 */
/* expect: recursion */
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

static __attribute__((noinline)) int depth(__u32 n)
{
	return n < 2 ? 1 : depth(n / 2) + depth(n - n / 2);
}

SEC("xdp")
int filter(struct xdp_md *ctx)
{
	return depth(ctx->rx_queue_index) > 100 ? XDP_DROP : XDP_PASS;
}

char LICENSE[] SEC("license") = "GPL";
