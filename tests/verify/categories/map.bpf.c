/* SPDX-License-Identifier: Apache-2.0 */
/* expect: map */
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 1024);
	__type(key, __u32);
	__type(value, __u32);
} events SEC(".maps");

SEC("xdp")
int report(struct xdp_md *ctx)
{
	__u32 interface = ctx->ingress_ifindex;

	bpf_perf_event_output(ctx, &events, BPF_F_CURRENT_CPU, &interface, sizeof(interface));
	return XDP_PASS;
}

char LICENSE[] SEC("license") = "GPL";
