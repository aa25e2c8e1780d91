/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
 *
 * Maps of all types, maps of maps, arrays of programs, global data.
 */
#include "net.h"

struct inner {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 128);
	__type(key, __u32);
	__type(value, __u64);
};
struct inner inner_one SEC(".maps");
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY_OF_MAPS);
	__uint(max_entries, 8);
	__type(key, __u32);
	__array(values, struct inner);
} by_index SEC(".maps") = {.values = {[0] = &inner_one}};
struct {
	__uint(type, BPF_MAP_TYPE_HASH_OF_MAPS);
	__uint(max_entries, 64);
	__type(key, __u32);
	__array(values, struct inner);
} by_tenant SEC(".maps");

SEC("tc")
int tenant_counter(struct __sk_buff *skb)
{
	__u32 tenant = skb->mark, key = skb->protocol;
	__u64 one = 1, *n;
	void *map = bpf_map_lookup_elem(&by_tenant, &tenant);

	if (!map)
		return TC_ACT_OK;
	n = bpf_map_lookup_elem(map, &key);
	if (n)
		__sync_fetch_and_add(n, 1);
	else
		bpf_map_update_elem(map, &key, &one, BPF_NOEXIST);
	return TC_ACT_OK;
}

SEC("tc")
int active_and_standby(struct __sk_buff *skb)
{
	__u32 which = skb->ifindex & 1, key = 5;
	void *map = bpf_map_lookup_elem(&by_index, &which);
	__u64 *v;

	if (!map)
		return TC_ACT_SHOT;
	v = bpf_map_lookup_elem(map, &key);
	if (!v) {
		which ^= 1;
		map = bpf_map_lookup_elem(&by_index, &which);
		if (!map)
			return TC_ACT_SHOT;
		v = bpf_map_lookup_elem(map, &key);
	}
	return v && *v ? TC_ACT_OK : TC_ACT_SHOT;
}

/* ---- programs that call each other ---- */
struct {
	__uint(type, BPF_MAP_TYPE_PROG_ARRAY);
	__uint(max_entries, 4);
	__uint(key_size, 4);
	__uint(value_size, 4);
} stages SEC(".maps");

SEC("xdp")
int stage_ethernet(struct xdp_md *ctx)
{
	struct cursor c = CURSOR(ctx);
	__be16 proto = take_ethernet(&c);

	if (proto == bpf_htons(ETH_P_IP))
		bpf_tail_call(ctx, &stages, 1);
	else if (proto == bpf_htons(ETH_P_IPV6))
		bpf_tail_call(ctx, &stages, 2);
	return XDP_PASS;
}

SEC("xdp")
int stage_ipv4(struct xdp_md *ctx)
{
	struct cursor c = CURSOR(ctx);
	struct iphdr *ip;

	if (!take(&c, ETH_HLEN))
		return XDP_DROP;
	ip = take_ipv4(&c);
	if (!ip)
		return XDP_DROP;
	bpf_tail_call(ctx, &stages, ip->protocol == IPPROTO_TCP ? 3 : 0);
	return XDP_ABORTED;
}

SEC("xdp")
int stage_by_queue(struct xdp_md *ctx)
{
	bpf_tail_call(ctx, &stages, ctx->rx_queue_index);
	return XDP_PASS;
}

/* ---- queues, stacks, filters ---- */
struct {
	__uint(type, BPF_MAP_TYPE_QUEUE);
	__uint(max_entries, 1024);
	__uint(key_size, 0);
	__type(value, __u32);
} free_ports SEC(".maps");
struct {
	__uint(type, BPF_MAP_TYPE_STACK);
	__uint(max_entries, 1024);
	__uint(key_size, 0);
	__type(value, __u64);
} recent SEC(".maps");
struct {
	__uint(type, BPF_MAP_TYPE_BLOOM_FILTER);
	__uint(max_entries, 100000);
	__type(value, __u32);
	__uint(map_extra, 3);
} seen SEC(".maps");

SEC("tc")
int allocate_port(struct __sk_buff *skb)
{
	__u32 port;

	if (bpf_map_pop_elem(&free_ports, &port))
		return TC_ACT_SHOT;
	skb->mark = port;
	if (port < 1024)
		bpf_map_push_elem(&free_ports, &port, BPF_EXIST);
	return TC_ACT_OK;
}

SEC("tc")
int last_times(struct __sk_buff *skb)
{
	__u64 now = bpf_ktime_get_ns(), last;

	if (!bpf_map_peek_elem(&recent, &last) && now - last < 1000)
		return TC_ACT_SHOT;
	bpf_map_push_elem(&recent, &now, BPF_EXIST);
	return TC_ACT_OK;
}

SEC("tc")
int first_seen(struct __sk_buff *skb)
{
	__u32 hash = bpf_get_hash_recalc(skb);

	if (bpf_map_peek_elem(&seen, &hash)) {
		bpf_map_push_elem(&seen, &hash, BPF_ANY);
		skb->priority = 1;
	}
	return TC_ACT_OK;
}

/* ---- per CPU ---- */
struct statistics {
	__u64 packets, bytes;
	__u64 by_size[8];
};
struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct statistics);
} statistics SEC(".maps");

SEC("xdp")
int count_sizes(struct xdp_md *ctx)
{
	__u64 bytes = (long)ctx->data_end - (long)ctx->data;
	__u32 zero = 0, slot = 0;
	struct statistics *s = bpf_map_lookup_elem(&statistics, &zero);

	if (!s)
		return XDP_ABORTED;
	s->packets++;
	s->bytes += bytes;
	while (slot < 7 && bytes > 64) {
		bytes >>= 1;
		slot++;
	}
	s->by_size[slot]++;
	return XDP_PASS;
}

SEC("tc")
int look_at_other_cpu(struct __sk_buff *skb)
{
	__u32 zero = 0;
	struct statistics *s = bpf_map_lookup_percpu_elem(&statistics, &zero, 0);

	return s && s->packets > 1000 ? TC_ACT_SHOT : TC_ACT_OK;
}

/* ---- global data ---- */
const volatile __u32 ports_count = 3;
const volatile __u16 ports[16] = {22, 80, 443};
__u64 hits[16], misses;
static __u32 seed = 1;

SEC("xdp")
int listed_port(struct xdp_md *ctx)
{
	struct cursor c = CURSOR(ctx);
	struct flow4 flow = {};

	if (take_ethernet(&c) != bpf_htons(ETH_P_IP) || !take_flow4(&c, &flow))
		return XDP_PASS;
	for (__u32 i = 0; i < 16 && i < ports_count; i++)
		if (bpf_ntohs(flow.target_port) == ports[i]) {
			hits[i]++;
			return XDP_PASS;
		}
	misses++;
	return XDP_DROP;
}

SEC("xdp")
int random_drop(struct xdp_md *ctx)
{
	seed = seed * 1103515245 + 12345;
	return seed >> 16 & 1 ? XDP_DROP : XDP_PASS;
}

SEC("xdp")
int indexed_by_packet(struct xdp_md *ctx)
{
	__u8 *data = (void *)(long)ctx->data, *end = (void *)(long)ctx->data_end;

	if (data + 1 > end)
		return XDP_DROP;
	hits[data[0] & 15]++;
	if (data[0] < 16)
		hits[data[0]] += 2;
	return XDP_PASS;
}

/* Windows of a second, eight of them, in one value. */
struct windows {
	__u64 begin_ns;
	__u32 counts[8];
};
struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 10000);
	__type(key, __be32);
	__type(value, struct windows);
} windows SEC(".maps");

SEC("xdp")
int sliding_window(struct xdp_md *ctx)
{
	struct cursor c = CURSOR(ctx);
	struct windows *w, first = {};
	__u64 now = bpf_ktime_get_ns(), age;
	struct iphdr *ip;
	__u32 sum = 0;

	if (take_ethernet(&c) != bpf_htons(ETH_P_IP))
		return XDP_PASS;
	ip = take_ipv4(&c);
	if (!ip)
		return XDP_DROP;
	w = bpf_map_lookup_elem(&windows, &ip->saddr);
	if (!w) {
		first.begin_ns = now;
		first.counts[0] = 1;
		bpf_map_update_elem(&windows, &ip->saddr, &first, BPF_NOEXIST);
		return XDP_PASS;
	}
	age = (now - w->begin_ns) / 1000000000;
	if (age >= 8) {
		w->begin_ns = now;
		age = 0;
		for (int i = 0; i < 8; i++)
			w->counts[i] = 0;
	}
	w->counts[age & 7]++;
	for (int i = 0; i < 8; i++)
		sum += w->counts[i];
	return sum > 1000 ? XDP_DROP : XDP_PASS;
}
