/* SPDX-License-Identifier: Apache-2.0 */
/* expect: helper */
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

SEC("xdp")
int filter(struct xdp_md *ctx)
{
	__u8 version;

	if (bpf_skb_load_bytes(ctx, 14, &version, sizeof(version)))
		return XDP_PASS;
	return version >> 4 == 6 ? XDP_DROP : XDP_PASS;
}

char LICENSE[] SEC("license") = "GPL";
