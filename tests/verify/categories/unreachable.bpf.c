/* SPDX-License-Identifier: Apache-2.0 */
/* expect: unreachable */
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

SEC("xdp")
int filter(struct xdp_md *ctx)
{
	if (ctx->rx_queue_index > 7)
		asm volatile("r0 = 1; exit"); /* XDP_DROP */
	else
		asm volatile("r0 = 2; exit"); /* XDP_PASS */
	return XDP_ABORTED;
}

char LICENSE[] SEC("license") = "GPL";
