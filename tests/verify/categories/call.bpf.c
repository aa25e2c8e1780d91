/* SPDX-License-Identifier: Apache-2.0 */
/* expect: call */
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

__u64 handler; /* user space writes a function's address here */

SEC("xdp")
int filter(struct xdp_md *ctx)
{
	register __u64 function asm("r2") = handler;

	asm volatile(".8byte 0x000000000000028d" : : "r"(function) : "r0"); /* callx r2, as clang 19 writes it */
	return XDP_PASS;
}

char LICENSE[] SEC("license") = "GPL";
