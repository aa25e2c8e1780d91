/* SPDX-License-Identifier: Apache-2.0 */
/* expect: accepted */
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

int ready; /* set by another program */

SEC("xdp")
int wait(struct xdp_md *ctx)
{
	for (int i = 0; i < 1000; i++)
		if (*(volatile int *)&ready)
			return XDP_PASS;
	return XDP_DROP;
}

char LICENSE[] SEC("license") = "GPL";
