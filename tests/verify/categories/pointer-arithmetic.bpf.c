/* SPDX-License-Identifier: Apache-2.0 */
/* expect: pointer-arithmetic */
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

SEC("xdp")
int filter(struct xdp_md *ctx)
{
	void *data = (void *)(long)ctx->data;
	void *data_end = (void *)(long)ctx->data_end;
	__u32 *word = (void *)(((long)data + 3) & ~3l); /* the next multiple of 4 */

	if ((void *)(word + 1) > data_end)
		return XDP_PASS;
	return *word == 0 ? XDP_DROP : XDP_PASS;
}

char LICENSE[] SEC("license") = "GPL";
