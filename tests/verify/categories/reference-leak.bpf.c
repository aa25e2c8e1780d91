/* SPDX-License-Identifier: Apache-2.0 */
/* expect: reference-leak */
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

struct event {
	__u32 interface, length;
};

struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, 4096);
} events SEC(".maps");

SEC("xdp")
int report(struct xdp_md *ctx)
{
	struct event *event = bpf_ringbuf_reserve(&events, sizeof(*event), 0);

	if (!event)
		return XDP_PASS;
	event->interface = ctx->ingress_ifindex;
	event->length = ctx->data_end - ctx->data;
	if (event->length < 64)
		return XDP_PASS;
	bpf_ringbuf_submit(event, 0);
	return XDP_PASS;
}

char LICENSE[] SEC("license") = "GPL";
