/* SPDX-License-Identifier: Apache-2.0 */
/* expect: accepted */
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

static __attribute__((noinline)) int depth(__u32 n)
{
	int total = 0;

	for (int i = 0; i < 32; i++)
		total += n >> i & 1;
	return total;
}

SEC("xdp")
int filter(struct xdp_md *ctx)
{
	return depth(ctx->rx_queue_index) > 100 ? XDP_DROP : XDP_PASS;
}

char LICENSE[] SEC("license") = "GPL";
