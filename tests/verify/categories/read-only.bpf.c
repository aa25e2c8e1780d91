/* SPDX-License-Identifier: Apache-2.0 */
/* expect: read-only */
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__uint(map_flags, BPF_F_RDONLY_PROG);
	__type(key, __u32);
	__type(value, __u64);
} settings SEC(".maps");

SEC("xdp")
int filter(struct xdp_md *ctx)
{
	__u32 first = 0, length = ctx->data_end - ctx->data;
	__u64 *limit = bpf_map_lookup_elem(&settings, &first);

	if (!limit || length <= *limit)
		return XDP_PASS;
	*limit = length; /* the next one may be as long */
	return XDP_DROP;
}

char LICENSE[] SEC("license") = "GPL";
