/* SPDX-License-Identifier: Apache-2.0 */
/* expect: malformed */
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

SEC("xdp")
int filter(struct xdp_md *ctx)
{
	__u32 queue = ctx->rx_queue_index;

	asm volatile(".8byte 0x00000000000001f7"); /* by hand, and wrong: there is no instruction 0xf7 */
	return queue > 7 ? XDP_DROP : XDP_PASS;
}

char LICENSE[] SEC("license") = "GPL";
