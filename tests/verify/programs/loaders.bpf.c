/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
 *
 * Programs that user space runs, congestion control, netfilter.
 */
#include "trace.h"

struct arguments {
	__u64 value;
	__u32 map, result;
};
MAP(settings, BPF_MAP_TYPE_ARRAY, 8, __u32, __u64);

SEC("syscall")
int set_setting(struct arguments *ctx)
{
	__u64 value = ctx->value;
	__u32 key = 2;

	ctx->result = bpf_map_update_elem(&settings, &key, &value, BPF_ANY);
	return ctx->result;
}

SEC("syscall")
int make_map(struct arguments *ctx)
{
	static union bpf_attr attr = {
	        .map_type = BPF_MAP_TYPE_ARRAY,
	        .key_size = 4,
	        .value_size = 8,
	        .max_entries = 1,
	};
	long fd = bpf_sys_bpf(BPF_MAP_CREATE, &attr, sizeof(attr));

	if (fd < 0)
		return fd;
	ctx->map = fd;
	bpf_sys_close(fd);
	return 0;
}

SEC("syscall")
int sum_of_user_memory(struct arguments *ctx)
{
	__u8 bytes[64];
	__u32 sum = 0;

	if (bpf_copy_from_user(bytes, sizeof(bytes), (void *)(long)ctx->value))
		return -14;
	for (int i = 0; i < 64; i++)
		sum += bytes[i];
	ctx->result = sum;
	return 0;
}

/* ---- netfilter ---- */
#pragma clang attribute push(__attribute__((preserve_access_index)), apply_to = record)
struct sk_buff {
	unsigned int len;
	unsigned short protocol;
};
struct nf_hook_state {
	unsigned char hook, pf;
};
struct bpf_nf_ctx {
	const struct nf_hook_state *state;
	struct sk_buff *skb;
};
#pragma clang attribute pop

SEC("netfilter")
int drop_long(struct bpf_nf_ctx *ctx)
{
	return ctx->skb->len > 9000 ? 0 : 1;
}

SEC("netfilter")
int by_hook(struct bpf_nf_ctx *ctx)
{
	__u32 key = ctx->state->hook & 7;
	__u64 *n = bpf_map_lookup_elem(&settings, &key);

	if (n)
		__sync_fetch_and_add(n, 1);
	return 1;
}
