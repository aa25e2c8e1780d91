/* SPDX-License-Identifier: Apache-2.0 */
/* expect: limit */
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

__u8 table[256];

SEC("xdp")
int sample(struct xdp_md *ctx)
{
	__u32 bits = bpf_get_prandom_u32(), bit = 1, hash = 1;

	while (hash < 1000000) {
		hash = bits & bit ? hash * 3 : hash + 7;
		bit = bit << 1 | bit >> 31;
	}
	return table[hash % 256] ? XDP_DROP : XDP_PASS;
}

char LICENSE[] SEC("license") = "GPL";
