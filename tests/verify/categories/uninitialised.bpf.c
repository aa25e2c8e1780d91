/* SPDX-License-Identifier: Apache-2.0 */
/* expect: uninitialised */
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

/* A program gets its context, and nothing else. */
SEC("xdp")
int filter(struct xdp_md *ctx, int limit)
{
	return ctx->rx_queue_index > limit ? XDP_DROP : XDP_PASS;
}

char LICENSE[] SEC("license") = "GPL";
