/* SPDX-License-Identifier: Apache-2.0 */
/* expect: accepted */
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

struct statistics {
	__u8 version;
	__u64 packets;
};

struct statistics statistics;

SEC("xdp")
int count(struct xdp_md *ctx)
{
	__sync_fetch_and_add(&statistics.packets, 1);
	return XDP_PASS;
}

char LICENSE[] SEC("license") = "GPL";
