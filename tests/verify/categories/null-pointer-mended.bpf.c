/* SPDX-License-Identifier: Apache-2.0 */
/* expect: accepted */
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 1024);
	__type(key, __u32);
	__type(value, __u64);
} counts SEC(".maps");

SEC("xdp")
int count(struct xdp_md *ctx)
{
	__u32 interface = ctx->ingress_ifindex;
	__u64 *packets = bpf_map_lookup_elem(&counts, &interface);

	if (!packets)
		return XDP_PASS;
	*packets += 1;
	return XDP_PASS;
}

char LICENSE[] SEC("license") = "GPL";
