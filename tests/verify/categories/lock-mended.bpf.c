/* SPDX-License-Identifier: Apache-2.0 */
/* expect: accepted */
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

struct account {
	struct bpf_spin_lock lock;
	__u32 used, limit;
};

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct account);
} accounts SEC(".maps");

SEC("tc")
int charge(struct __sk_buff *skb)
{
	__u32 first = 0;
	struct account *account = bpf_map_lookup_elem(&accounts, &first);

	if (!account)
		return 0;
	bpf_spin_lock(&account->lock);
	if (account->used >= account->limit) {
		bpf_spin_unlock(&account->lock);
		return 2;
	}
	account->used++;
	bpf_spin_unlock(&account->lock);
	return 0;
}

char LICENSE[] SEC("license") = "GPL";
