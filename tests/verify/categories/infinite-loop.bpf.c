/* SPDX-License-Identifier: Apache-2.0 */
/* expect: infinite-loop */
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

int ready; /* set by another program */

SEC("xdp")
int wait(struct xdp_md *ctx)
{
	while (!*(volatile int *)&ready)
		;
	return XDP_PASS;
}

char LICENSE[] SEC("license") = "GPL";
