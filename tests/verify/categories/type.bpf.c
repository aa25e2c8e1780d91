/* SPDX-License-Identifier: Apache-2.0 */
/* expect: type */
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

SEC("xdp")
int mark(struct xdp_md *ctx)
{
	void *data = (void *)(long)ctx->data;
	void *data_end = (void *)(long)ctx->data_end;
	__u32 *counter = data;

	if ((void *)(counter + 1) > data_end)
		return XDP_PASS;
	__sync_fetch_and_add(counter, 1);
	return XDP_PASS;
}

char LICENSE[] SEC("license") = "GPL";
