/* SPDX-License-Identifier: Apache-2.0 */
/* expect: out-of-bounds */
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

__u64 sizes[16]; /* packets of up to 64, 128, 192 ... bytes */

SEC("xdp")
int histogram(struct xdp_md *ctx)
{
	__u32 length = ctx->data_end - ctx->data;
	__u32 bucket = length / 64;

	sizes[bucket]++;
	return XDP_PASS;
}

char LICENSE[] SEC("license") = "GPL";
