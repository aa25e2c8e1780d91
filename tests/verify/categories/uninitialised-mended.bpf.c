/* SPDX-License-Identifier: Apache-2.0 */
/* expect: accepted */
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

const volatile int limit = 7; /* set before the program is loaded */

SEC("xdp")
int filter(struct xdp_md *ctx)
{
	return ctx->rx_queue_index > limit ? XDP_DROP : XDP_PASS;
}

char LICENSE[] SEC("license") = "GPL";
