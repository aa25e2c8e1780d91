/* SPDX-License-Identifier: Apache-2.0
 *
 * The kernels as eBPF, each twice: for the sandbox, with the input as context; for the Linux kernel, with the input as an
 * XDP packet. And nothing twice, to be taken off.
 */
#include <linux/bpf.h>
#include "bench/kernels.h"

#define SEC(name) __attribute__((section(name), used))

#define SANDBOX(name) \
	SEC("picket/" #name) u64 name(const u8 *in, u64 length) \
	{ \
		return length < KERNEL_INPUT_BYTES ? 0 : kernel_##name(in); \
	}
KERNELS(SANDBOX)

#define LINUX(name) \
	SEC("xdp/" #name) int xdp_##name(struct xdp_md *ctx) \
	{ \
		const u8 *in = (const u8 *)(unsigned long)ctx->data; \
		const u8 *end = (const u8 *)(unsigned long)ctx->data_end; \
		return in + KERNEL_INPUT_BYTES > end ? 0 : (int)kernel_##name(in); \
	}
KERNELS(LINUX)

SEC("picket/empty") u64 empty(const u8 *in, u64 length)
{
	(void)in, (void)length;
	return 0;
}

SEC("xdp/empty") int xdp_empty(struct xdp_md *ctx)
{
	(void)ctx;
	return 0;
}
