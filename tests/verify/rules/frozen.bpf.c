/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
 *
 * Data that nobody changes while programs run: what is in them is known.
 */
#include "net.h"

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 4);
	__type(key, __u32);
	__type(value, __u64[8]);
} values SEC(".maps");

const volatile bool enabled = false;
const volatile __u32 index_of = 7;
const volatile __s8 less = -1;
volatile __u32 changes = 7;

/* The branch that is never taken is not looked at. */
SEC("tc")
int never(struct __sk_buff *skb)
{
	if (enabled)
		return *(volatile int *)NULL;
	return 0;
}

SEC("tc")
int known_index(struct __sk_buff *skb)
{
	__u32 key = 0;
	__u64 *value = bpf_map_lookup_elem(&values, &key);

	return value ? value[index_of] : 0;
}

BROKEN("out-of-bounds")
SEC("tc")
int known_index_and_one(struct __sk_buff *skb)
{
	__u32 key = 0;
	__u64 *value = bpf_map_lookup_elem(&values, &key);

	return value ? value[index_of + 1] : 0;
}

SEC("tc")
int known_sign(struct __sk_buff *skb)
{
	__u32 key = 0;
	__u64 *value = bpf_map_lookup_elem(&values, &key);

	return value ? value[less + 1] : 0;
}

BROKEN("out-of-bounds")
SEC("tc")
int what_may_change(struct __sk_buff *skb)
{
	__u32 key = 0;
	__u64 *value = bpf_map_lookup_elem(&values, &key);

	return value ? value[changes] : 0;
}

BROKEN("read-only")
SEC("tc")
int written(struct __sk_buff *skb)
{
	asm volatile("*(u32 *)(%0 + 0) = %1" ::"r"(&index_of), "r"(skb->len) : "memory");
	return 0;
}
