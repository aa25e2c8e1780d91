/* SPDX-License-Identifier: Apache-2.0 */
/* expect: accepted */
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, 4096);
} marks SEC(".maps");

SEC("xdp")
int mark_queue(struct xdp_md *ctx)
{
	char letters[16] = {};
	__u32 queue = ctx->rx_queue_index % 32;

	if (queue >= sizeof(letters))
		return XDP_PASS;
	letters[queue] = 'x';
	bpf_ringbuf_output(&marks, letters, sizeof(letters), 0);
	return XDP_PASS;
}

char LICENSE[] SEC("license") = "GPL";
