/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
 *
 * XDP programs that act: firewalls, limits, load balancing, answers, encapsulation, redirection.
 */
#include "net.h"

struct lpm4 {
	__u32 length;
	__be32 address;
};

struct {
	__uint(type, BPF_MAP_TYPE_LPM_TRIE);
	__uint(max_entries, 10000);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, struct lpm4);
	__type(value, __u32);
} denied SEC(".maps");

struct lpm6 {
	__u32 length;
	struct in6_addr address;
};

struct {
	__uint(type, BPF_MAP_TYPE_LPM_TRIE);
	__uint(max_entries, 10000);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, struct lpm6);
	__type(value, __u32);
} denied6 SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 16);
	__type(key, __u32);
	__type(value, __u64);
} counters SEC(".maps");

static __always_inline int verdict(int action, __u32 reason)
{
	__u64 *n = bpf_map_lookup_elem(&counters, &reason);

	if (n)
		(*n)++;
	return action;
}

SEC("xdp")
int firewall(struct xdp_md *ctx)
{
	struct cursor c = CURSOR(ctx);
	__be16 proto = take_ethernet(&c);

	if (proto == bpf_htons(ETH_P_IP)) {
		struct iphdr *ip = take_ipv4(&c);
		struct lpm4 key = {.length = 32};
		if (!ip)
			return verdict(XDP_DROP, 0);
		key.address = ip->saddr;
		if (bpf_map_lookup_elem(&denied, &key))
			return verdict(XDP_DROP, 1);
	} else if (proto == bpf_htons(ETH_P_IPV6)) {
		struct ipv6hdr *ip = take(&c, sizeof(*ip));
		struct lpm6 key = {.length = 128};
		if (!ip)
			return verdict(XDP_DROP, 2);
		key.address = ip->saddr;
		if (bpf_map_lookup_elem(&denied6, &key))
			return verdict(XDP_DROP, 3);
	}
	return verdict(XDP_PASS, 4);
}

struct bucket {
	__u64 tokens, last_ns;
};

struct {
	__uint(type, BPF_MAP_TYPE_LRU_PERCPU_HASH);
	__uint(max_entries, 4096);
	__type(key, __be32);
	__type(value, struct bucket);
} buckets SEC(".maps");

const volatile __u64 rate_per_second = 1000, burst = 100;

SEC("xdp")
int limit_source(struct xdp_md *ctx)
{
	struct cursor c = CURSOR(ctx);
	struct bucket *b, first = {.tokens = burst};
	struct iphdr *ip;
	__u64 now = bpf_ktime_get_ns(), fresh;

	if (take_ethernet(&c) != bpf_htons(ETH_P_IP))
		return XDP_PASS;
	ip = take_ipv4(&c);
	if (!ip)
		return XDP_DROP;
	b = bpf_map_lookup_elem(&buckets, &ip->saddr);
	if (!b) {
		first.last_ns = now;
		bpf_map_update_elem(&buckets, &ip->saddr, &first, BPF_ANY);
		return XDP_PASS;
	}
	fresh = (now - b->last_ns) * rate_per_second / 1000000000;
	if (fresh) {
		b->tokens = b->tokens + fresh > burst ? burst : b->tokens + fresh;
		b->last_ns = now;
	}
	if (!b->tokens)
		return XDP_DROP;
	b->tokens--;
	return XDP_PASS;
}

struct backend {
	__be32 address;
	__u8 mac[ETH_ALEN];
	__u16 weight;
};

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 64);
	__type(key, __u32);
	__type(value, struct backend);
} backends SEC(".maps");

struct service {
	__be32 address;
	__be16 port;
	__u8 proto, pad;
};
struct service_value {
	__u32 first, count;
};

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 256);
	__type(key, struct service);
	__type(value, struct service_value);
} services SEC(".maps");

static __always_inline __u32 mix(__u32 a, __u32 b, __u32 c)
{
	a -= c;
	a ^= c << 4 | c >> 28;
	c += b;
	b -= a;
	b ^= a << 6 | a >> 26;
	a += c;
	c -= b;
	c ^= b << 8 | b >> 24;
	return a ^ b ^ c;
}

static __always_inline void set_ip_checksum(struct iphdr *ip)
{
	__u16 *word = (__u16 *)ip;
	__u64 sum = 0;

	ip->check = 0;
#pragma unroll
	for (int i = 0; i < (int)sizeof(*ip) / 2; i++)
		sum += word[i];
	ip->check = fold_checksum(sum);
}

/* Layer 4, by direct return: an outer IPv4 header is put in front. */
SEC("xdp")
int balance_ipip(struct xdp_md *ctx)
{
	struct cursor c = CURSOR(ctx);
	struct flow4 flow = {};
	struct service key = {};
	struct service_value *service;
	struct backend *backend;
	struct ethhdr *eth, *old;
	struct iphdr *ip;
	__u32 index;
	__u16 length;

	if (take_ethernet(&c) != bpf_htons(ETH_P_IP))
		return XDP_PASS;
	ip = c.at;
	if (!take_flow4(&c, &flow))
		return XDP_PASS;
	if ((void *)(ip + 1) > c.end)
		return XDP_DROP;
	length = bpf_ntohs(ip->tot_len);
	key.address = flow.target;
	key.port = flow.target_port;
	key.proto = flow.proto;
	service = bpf_map_lookup_elem(&services, &key);
	if (!service || !service->count)
		return XDP_PASS;
	index = service->first +
	        mix(flow.source, flow.source_port << 16 | flow.target_port, flow.proto) % service->count;
	backend = bpf_map_lookup_elem(&backends, &index);
	if (!backend)
		return XDP_DROP;
	if (bpf_xdp_adjust_head(ctx, -(int)sizeof(struct iphdr)))
		return XDP_DROP;
	eth = (void *)(long)ctx->data;
	if ((void *)(eth + 1) + sizeof(struct iphdr) + sizeof(struct ethhdr) > (void *)(long)ctx->data_end)
		return XDP_DROP;
	old = (void *)eth + sizeof(struct iphdr);
	__builtin_memcpy(eth->h_source, old->h_dest, ETH_ALEN);
	__builtin_memcpy(eth->h_dest, backend->mac, ETH_ALEN);
	eth->h_proto = bpf_htons(ETH_P_IP);
	ip = (void *)(eth + 1);
	__builtin_memset(ip, 0, sizeof(*ip));
	ip->version = 4;
	ip->ihl = 5;
	ip->ttl = 64;
	ip->protocol = IPPROTO_IPIP;
	ip->saddr = flow.target;
	ip->daddr = backend->address;
	ip->tot_len = bpf_htons(length + sizeof(*ip));
	set_ip_checksum(ip);
	return XDP_TX;
}

SEC("xdp")
int answer_ping(struct xdp_md *ctx)
{
	struct cursor c = CURSOR(ctx);
	struct ethhdr *eth = take(&c, sizeof(*eth));
	struct iphdr *ip = take(&c, sizeof(*ip));
	struct icmphdr *icmp = take(&c, sizeof(*icmp));
	__u8 mac[ETH_ALEN];
	__be32 address;
	__u32 sum;

	if (!eth || !ip || !icmp || eth->h_proto != bpf_htons(ETH_P_IP) || ip->ihl != 5)
		return XDP_PASS;
	if (ip->protocol != IPPROTO_ICMP || icmp->type != ICMP_ECHO)
		return XDP_PASS;
	__builtin_memcpy(mac, eth->h_source, ETH_ALEN);
	__builtin_memcpy(eth->h_source, eth->h_dest, ETH_ALEN);
	__builtin_memcpy(eth->h_dest, mac, ETH_ALEN);
	address = ip->saddr;
	ip->saddr = ip->daddr;
	ip->daddr = address;
	icmp->type = ICMP_ECHOREPLY;
	sum = icmp->checksum + bpf_htons(ICMP_ECHO << 8);
	icmp->checksum = sum + (sum >> 16);
	return XDP_TX;
}

struct {
	__uint(type, BPF_MAP_TYPE_DEVMAP);
	__uint(max_entries, 64);
	__uint(key_size, 4);
	__uint(value_size, 4);
} devices SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_CPUMAP);
	__uint(max_entries, 64);
	__uint(key_size, 4);
	__uint(value_size, 4);
} cpus SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_XSKMAP);
	__uint(max_entries, 64);
	__uint(key_size, 4);
	__uint(value_size, 4);
} sockets SEC(".maps");

SEC("xdp")
int redirect_vlan(struct xdp_md *ctx)
{
	struct cursor c = CURSOR(ctx);
	struct ethhdr *eth = take(&c, sizeof(*eth));
	struct vlan_header *tag = take(&c, sizeof(*tag));

	if (!eth || !tag || eth->h_proto != bpf_htons(ETH_P_8021Q))
		return XDP_PASS;
	return bpf_redirect_map(&devices, bpf_ntohs(tag->tci) & 63, XDP_DROP);
}

SEC("xdp")
int spread_cpus(struct xdp_md *ctx)
{
	struct cursor c = CURSOR(ctx);
	struct flow4 flow = {};

	if (take_ethernet(&c) != bpf_htons(ETH_P_IP) || !take_flow4(&c, &flow))
		return XDP_PASS;
	return bpf_redirect_map(&cpus, mix(flow.source, flow.target, flow.proto) % 64, 0);
}

SEC("xdp")
int to_user_space(struct xdp_md *ctx)
{
	__u32 queue = ctx->rx_queue_index;

	if (bpf_map_lookup_elem(&sockets, &queue))
		return bpf_redirect_map(&sockets, queue, 0);
	return XDP_PASS;
}

SEC("xdp")
int forward(struct xdp_md *ctx)
{
	struct cursor c = CURSOR(ctx);
	struct ethhdr *eth = take(&c, sizeof(*eth));
	struct iphdr *ip = take(&c, sizeof(*ip));
	struct bpf_fib_lookup fib = {};
	__u32 sum;

	if (!eth || !ip || eth->h_proto != bpf_htons(ETH_P_IP) || ip->ttl <= 1)
		return XDP_PASS;
	fib.family = AF_INET;
	fib.tos = ip->tos;
	fib.l4_protocol = ip->protocol;
	fib.tot_len = bpf_ntohs(ip->tot_len);
	fib.ipv4_src = ip->saddr;
	fib.ipv4_dst = ip->daddr;
	fib.ifindex = ctx->ingress_ifindex;
	switch (bpf_fib_lookup(ctx, &fib, sizeof(fib), 0)) {
	case BPF_FIB_LKUP_RET_SUCCESS:
		sum = ip->check + bpf_htons(0x0100);
		ip->check = sum + (sum >= 0xffff);
		ip->ttl--;
		__builtin_memcpy(eth->h_dest, fib.dmac, ETH_ALEN);
		__builtin_memcpy(eth->h_source, fib.smac, ETH_ALEN);
		return bpf_redirect(fib.ifindex, 0);
	case BPF_FIB_LKUP_RET_BLACKHOLE:
	case BPF_FIB_LKUP_RET_UNREACHABLE:
	case BPF_FIB_LKUP_RET_PROHIBIT:
		return XDP_DROP;
	default:
		return XDP_PASS;
	}
}

SEC("xdp")
int strip_vlan(struct xdp_md *ctx)
{
	struct cursor c = CURSOR(ctx);
	struct ethhdr *eth = take(&c, sizeof(*eth)), copy;
	struct vlan_header *tag = take(&c, sizeof(*tag));

	if (!eth || !tag || eth->h_proto != bpf_htons(ETH_P_8021Q))
		return XDP_PASS;
	copy = *eth;
	copy.h_proto = tag->proto;
	if (bpf_xdp_adjust_head(ctx, sizeof(*tag)))
		return XDP_ABORTED;
	eth = (void *)(long)ctx->data;
	if ((void *)(eth + 1) > (void *)(long)ctx->data_end)
		return XDP_ABORTED;
	*eth = copy;
	return XDP_PASS;
}

/* What the classifier is to know travels in front of the packet. */
struct mark {
	__u32 value, ifindex;
};

SEC("xdp")
int put_mark(struct xdp_md *ctx)
{
	struct mark *mark;

	if (bpf_xdp_adjust_meta(ctx, -(int)sizeof(*mark)))
		return XDP_ABORTED;
	mark = (void *)(long)ctx->data_meta;
	if ((void *)(mark + 1) > (void *)(long)ctx->data)
		return XDP_ABORTED;
	mark->value = 42;
	mark->ifindex = ctx->ingress_ifindex;
	return XDP_PASS;
}

SEC("xdp")
int cut_tail(struct xdp_md *ctx)
{
	__u64 length = ctx->data_end - ctx->data;

	if (length > 128 && bpf_xdp_adjust_tail(ctx, 128 - (int)length))
		return XDP_DROP;
	return XDP_PASS;
}

SEC("xdp.frags")
int look_into_fragments(struct xdp_md *ctx)
{
	__u8 bytes[16] = {};
	__u64 length = bpf_xdp_get_buff_len(ctx);

	if (length < 64 || bpf_xdp_load_bytes(ctx, length - 16, bytes, sizeof(bytes)))
		return XDP_DROP;
	return bytes[0] == 0xff ? XDP_DROP : XDP_PASS;
}
