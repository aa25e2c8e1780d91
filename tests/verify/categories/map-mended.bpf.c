/* SPDX-License-Identifier: Apache-2.0 */
/* expect: accepted */
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

struct {
	__uint(type, BPF_MAP_TYPE_PERF_EVENT_ARRAY);
	__uint(key_size, 4);
	__uint(value_size, 4);
} events SEC(".maps");

SEC("xdp")
int report(struct xdp_md *ctx)
{
	__u32 interface = ctx->ingress_ifindex;

	bpf_perf_event_output(ctx, &events, BPF_F_CURRENT_CPU, &interface, sizeof(interface));
	return XDP_PASS;
}

char LICENSE[] SEC("license") = "GPL";
