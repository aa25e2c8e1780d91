/* SPDX-License-Identifier: Apache-2.0 */
/* expect: accepted */
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

struct {
	__uint(type, BPF_MAP_TYPE_PROG_ARRAY);
	__uint(max_entries, 1);
	__uint(key_size, 4);
	__uint(value_size, 4);
} handler SEC(".maps"); /* user space puts a program here */

SEC("xdp")
int filter(struct xdp_md *ctx)
{
	bpf_tail_call(ctx, &handler, 0);
	return XDP_PASS; /* there is none */
}

char LICENSE[] SEC("license") = "GPL";
