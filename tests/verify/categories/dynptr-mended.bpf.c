/* SPDX-License-Identifier: Apache-2.0 */
/* expect: accepted */
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

char message[64];

SEC("xdp")
int filter(struct xdp_md *ctx)
{
	struct bpf_dynptr text;
	char first = 0;

	bpf_dynptr_from_mem(message, sizeof(message), 0, &text);
	bpf_dynptr_read(&first, sizeof(first), &text, 0, 0);
	return first == 'x' ? XDP_DROP : XDP_PASS;
}

char LICENSE[] SEC("license") = "GPL";
