/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
 *
 * Measuring traffic: sketches, connection tracking, address translation between families, checksums, SYN cookies.
 */
#include "net.h"

#define ROWS 4
#define COLUMNS 1024
struct sketch {
	__u32 rows[ROWS][COLUMNS];
};
struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct sketch);
} sketches SEC(".maps");

static __always_inline __u32 hash32(__u32 v, __u32 seed)
{
	v ^= seed;
	v ^= v >> 16;
	v *= 0x85ebca6b;
	v ^= v >> 13;
	v *= 0xc2b2ae35;
	return v ^ v >> 16;
}

const volatile __u32 seeds[ROWS] = {0x9747b28c, 0x1b873593, 0xe6546b64, 0x5bd1e995};

SEC("xdp")
int count_min(struct xdp_md *ctx)
{
	struct cursor c = CURSOR(ctx);
	__u32 zero = 0, least = ~0u;
	struct sketch *s = bpf_map_lookup_elem(&sketches, &zero);
	struct iphdr *ip;

	if (!s || take_ethernet(&c) != bpf_htons(ETH_P_IP))
		return XDP_PASS;
	ip = take_ipv4(&c);
	if (!ip)
		return XDP_PASS;
	for (int i = 0; i < ROWS; i++) {
		__u32 column = hash32(ip->saddr, seeds[i]) % COLUMNS, n = ++s->rows[i][column];
		if (n < least)
			least = n;
	}
	return least > 100000 ? XDP_DROP : XDP_PASS;
}

struct registers {
	__u8 ranks[256];
};
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct registers);
} distinct SEC(".maps");

SEC("xdp")
int hyperloglog(struct xdp_md *ctx)
{
	struct cursor c = CURSOR(ctx);
	struct flow4 flow = {};
	struct registers *r;
	__u32 zero = 0, hash, rank = 1;

	if (take_ethernet(&c) != bpf_htons(ETH_P_IP) || !take_flow4(&c, &flow))
		return XDP_PASS;
	r = bpf_map_lookup_elem(&distinct, &zero);
	if (!r)
		return XDP_PASS;
	hash = hash32(flow.source, flow.target);
	for (__u32 rest = hash >> 8; rank < 25 && !(rest & 1); rest >>= 1)
		rank++;
	if (r->ranks[hash & 255] < rank)
		r->ranks[hash & 255] = rank;
	return XDP_PASS;
}

/* ---- connections ---- */
enum state { NEW, SYN_SENT, SYN_RECEIVED, ESTABLISHED, CLOSING, CLOSED };
struct connection {
	__u64 seen_ns, packets[2];
	__u8 state, pad[7];
};
struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 100000);
	__type(key, struct flow4);
	__type(value, struct connection);
} connections SEC(".maps");

static __always_inline __u8 next_state(__u8 state, const struct tcphdr *tcp, bool reply)
{
	if (tcp->rst)
		return CLOSED;
	switch (state) {
	case NEW:
		return tcp->syn && !tcp->ack && !reply ? SYN_SENT : CLOSED;
	case SYN_SENT:
		return tcp->syn && tcp->ack && reply ? SYN_RECEIVED : SYN_SENT;
	case SYN_RECEIVED:
		return tcp->ack && !reply ? ESTABLISHED : SYN_RECEIVED;
	case ESTABLISHED:
		return tcp->fin ? CLOSING : ESTABLISHED;
	case CLOSING:
		return tcp->fin ? CLOSED : CLOSING;
	default:
		return CLOSED;
	}
}

SEC("tc")
int track_connections(struct __sk_buff *skb)
{
	struct cursor c = CURSOR(skb);
	struct flow4 key = {}, reverse = {};
	struct connection *known, fresh = {};
	struct iphdr *ip;
	struct tcphdr *tcp;
	bool reply = false;

	if (take_ethernet(&c) != bpf_htons(ETH_P_IP))
		return TC_ACT_OK;
	ip = take_ipv4(&c);
	if (!ip || ip->protocol != IPPROTO_TCP)
		return TC_ACT_OK;
	tcp = take(&c, sizeof(*tcp));
	if (!tcp)
		return TC_ACT_SHOT;
	key.source = reverse.target = ip->saddr;
	key.target = reverse.source = ip->daddr;
	key.source_port = reverse.target_port = tcp->source;
	key.target_port = reverse.source_port = tcp->dest;
	known = bpf_map_lookup_elem(&connections, &key);
	if (!known) {
		known = bpf_map_lookup_elem(&connections, &reverse);
		reply = true;
	}
	if (!known) {
		fresh.state = next_state(NEW, tcp, false);
		fresh.seen_ns = bpf_ktime_get_ns();
		if (fresh.state == CLOSED)
			return TC_ACT_SHOT;
		bpf_map_update_elem(&connections, &key, &fresh, BPF_NOEXIST);
		return TC_ACT_OK;
	}
	known->state = next_state(known->state, tcp, reply);
	known->packets[reply]++;
	known->seen_ns = bpf_ktime_get_ns();
	return known->state == CLOSED ? TC_ACT_SHOT : TC_ACT_OK;
}

/* ---- IPv4 to IPv6 ---- */
SEC("tc")
int nat46(struct __sk_buff *skb)
{
	struct ipv6hdr new = {.version = 6, .hop_limit = 64};
	struct cursor c = CURSOR(skb);
	struct ethhdr *eth = take(&c, sizeof(*eth));
	struct iphdr *ip = take(&c, sizeof(*ip));
	__be16 type = bpf_htons(ETH_P_IPV6);

	if (!eth || !ip || eth->h_proto != bpf_htons(ETH_P_IP) || ip->ihl != 5)
		return TC_ACT_OK;
	new.nexthdr = ip->protocol;
	new.payload_len = bpf_htons(bpf_ntohs(ip->tot_len) - sizeof(*ip));
	new.saddr.in6_u.u6_addr32[0] = bpf_htonl(0x0064ff9b);
	new.saddr.in6_u.u6_addr32[3] = ip->saddr;
	new.daddr.in6_u.u6_addr32[0] = bpf_htonl(0xfd000000);
	new.daddr.in6_u.u6_addr32[3] = ip->daddr;
	if (bpf_skb_change_proto(skb, type, 0))
		return TC_ACT_SHOT;
	bpf_skb_store_bytes(skb, offsetof(struct ethhdr, h_proto), &type, sizeof(type), 0);
	bpf_skb_store_bytes(skb, ETH_HLEN, &new, sizeof(new), BPF_F_RECOMPUTE_CSUM);
	return bpf_redirect(skb->ifindex, BPF_F_INGRESS);
}

/* ---- checksums ---- */
SEC("xdp")
int checksum_by_helper(struct xdp_md *ctx)
{
	struct cursor c = CURSOR(ctx);
	struct ethhdr *eth = take(&c, sizeof(*eth));
	struct iphdr *ip = take(&c, sizeof(*ip));
	__s64 sum;

	if (!eth || !ip || eth->h_proto != bpf_htons(ETH_P_IP))
		return XDP_PASS;
	ip->ttl--;
	ip->check = 0;
	sum = bpf_csum_diff(NULL, 0, (__be32 *)ip, sizeof(*ip), 0);
	if (sum < 0)
		return XDP_DROP;
	ip->check = fold_checksum(sum);
	return XDP_PASS;
}

/* UDP's checksum over a payload of which only the bounds of each word are known. */
SEC("xdp")
int checksum_udp(struct xdp_md *ctx)
{
	struct cursor c = CURSOR(ctx);
	struct flow4 flow = {};
	struct udphdr *udp;
	__u64 sum = 0;

	if (take_ethernet(&c) != bpf_htons(ETH_P_IP) || !take_flow4(&c, &flow) || flow.proto != IPPROTO_UDP)
		return XDP_PASS;
	udp = c.at - 4;
	if ((void *)(udp + 1) > c.end)
		return XDP_PASS;
	c.at = udp + 1;
	for (int i = 0; i < 128; i++) {
		__u16 *word = take(&c, 2);
		if (!word)
			break;
		sum += *word;
	}
	udp->check = fold_checksum(sum);
	return XDP_TX;
}

SEC("xdp")
int syn_cookie(struct xdp_md *ctx)
{
	struct cursor c = CURSOR(ctx);
	struct ethhdr *eth = take(&c, sizeof(*eth));
	struct iphdr *ip = take(&c, sizeof(*ip));
	struct tcphdr *tcp = take(&c, sizeof(*tcp));
	struct bpf_sock_tuple tuple = {};
	struct bpf_sock *sk;
	__s64 cookie = -1;

	if (!eth || !ip || !tcp || eth->h_proto != bpf_htons(ETH_P_IP) || ip->ihl != 5 || ip->protocol != IPPROTO_TCP)
		return XDP_PASS;
	tuple.ipv4.saddr = ip->saddr;
	tuple.ipv4.daddr = ip->daddr;
	tuple.ipv4.sport = tcp->source;
	tuple.ipv4.dport = tcp->dest;
	sk = bpf_skc_lookup_tcp(ctx, &tuple, sizeof(tuple.ipv4), BPF_F_CURRENT_NETNS, 0);
	if (!sk)
		return XDP_PASS;
	if (sk->state == BPF_TCP_LISTEN && tcp->syn && !tcp->ack)
		cookie = bpf_tcp_gen_syncookie(sk, ip, sizeof(*ip), tcp, sizeof(*tcp));
	bpf_sk_release(sk);
	if (cookie < 0)
		return XDP_PASS;
	tcp->ack_seq = tcp->seq;
	tcp->seq = bpf_htonl((__u32)cookie);
	tcp->ack = 1;
	return XDP_TX;
}

/* ---- fragments share the first one's ports ---- */
struct fragment {
	__be32 source, target;
	__be16 id;
	__u8 proto, pad;
};
struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 8192);
	__type(key, struct fragment);
	__type(value, __u32);
} fragments SEC(".maps");

SEC("tc")
int ports_of_fragments(struct __sk_buff *skb)
{
	struct cursor c = CURSOR(skb);
	struct fragment key = {};
	struct iphdr *ip;
	__u32 *ports, found = 0;

	if (take_ethernet(&c) != bpf_htons(ETH_P_IP))
		return TC_ACT_OK;
	ip = take_ipv4(&c);
	if (!ip)
		return TC_ACT_SHOT;
	key.source = ip->saddr;
	key.target = ip->daddr;
	key.id = ip->id;
	key.proto = ip->protocol;
	if (ip->frag_off & bpf_htons(0x1fff)) {
		ports = bpf_map_lookup_elem(&fragments, &key);
		if (!ports)
			return TC_ACT_SHOT;
		found = *ports;
	} else {
		ports = take(&c, 4);
		if (!ports)
			return TC_ACT_SHOT;
		found = *ports;
		if (ip->frag_off & bpf_htons(0x2000))
			bpf_map_update_elem(&fragments, &key, &found, BPF_ANY);
	}
	skb->cb[0] = found;
	return found >> 16 == bpf_htons(445) ? TC_ACT_SHOT : TC_ACT_OK;
}

/* Rules in an array, the first that fits decides. */
struct rule {
	__be32 source, source_mask, target, target_mask;
	__u16 port_low, port_high;
	__u8 proto, action, used, pad;
};
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 64);
	__type(key, __u32);
	__type(value, struct rule);
} rules SEC(".maps");

SEC("tc")
int first_rule(struct __sk_buff *skb)
{
	struct cursor c = CURSOR(skb);
	struct flow4 flow = {};

	if (take_ethernet(&c) != bpf_htons(ETH_P_IP) || !take_flow4(&c, &flow))
		return TC_ACT_OK;
	for (__u32 i = 0; i < 64; i++) {
		__u32 key = i; /* the loop's counter stays in a register */
		struct rule *r = bpf_map_lookup_elem(&rules, &key);
		__u16 port = bpf_ntohs(flow.target_port);
		if (!r || !r->used)
			break;
		if ((flow.source & r->source_mask) != r->source || (flow.target & r->target_mask) != r->target)
			continue;
		if (r->proto && r->proto != flow.proto)
			continue;
		if (port < r->port_low || port > r->port_high)
			continue;
		return r->action ? TC_ACT_SHOT : TC_ACT_OK;
	}
	return TC_ACT_SHOT;
}

/* Maglev: a table of backends by hash, of a service. */
#define RING_SIZE 65537
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, RING_SIZE);
	__type(key, __u32);
	__type(value, __u32);
} ring SEC(".maps");
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 4096);
	__type(key, __u32);
	__type(value, struct in6_addr);
} reals SEC(".maps");

SEC("xdp")
int balance_ip6(struct xdp_md *ctx)
{
	struct cursor c = CURSOR(ctx);
	struct ethhdr *eth = take(&c, sizeof(*eth)), copy;
	struct ipv6hdr *ip = take(&c, sizeof(*ip)), outer = {.version = 6, .hop_limit = 64, .nexthdr = IPPROTO_IPV6};
	__be16 *ports = take(&c, 4);
	struct in6_addr *real;
	__u32 hash, *index;

	if (!eth || !ip || !ports || eth->h_proto != bpf_htons(ETH_P_IPV6))
		return XDP_PASS;
	hash = ports[0] << 16 | ports[1];
	for (int i = 0; i < 4; i++)
		hash = hash32(ip->saddr.in6_u.u6_addr32[i], hash);
	hash %= RING_SIZE;
	index = bpf_map_lookup_elem(&ring, &hash);
	if (!index)
		return XDP_DROP;
	real = bpf_map_lookup_elem(&reals, index);
	if (!real)
		return XDP_DROP;
	copy = *eth;
	outer.saddr = ip->saddr;
	outer.daddr = *real;
	outer.payload_len = bpf_htons(bpf_ntohs(ip->payload_len) + sizeof(*ip));
	if (bpf_xdp_adjust_head(ctx, -(int)sizeof(outer)))
		return XDP_DROP;
	c = (struct cursor)CURSOR(ctx);
	eth = take(&c, sizeof(*eth));
	ip = take(&c, sizeof(*ip));
	if (!eth || !ip)
		return XDP_DROP;
	*eth = copy;
	*ip = outer;
	return XDP_TX;
}

/* A packet's bytes, by a loop of the kernel's. */
struct search {
	struct __sk_buff *skb;
	__u32 found;
};

static long search_step(__u32 at, void *data)
{
	struct search *s = data;
	__u32 word;

	if (bpf_skb_load_bytes(s->skb, at * 4, &word, 4))
		return 1;
	if (word == 0xefbeadde)
		s->found = at;
	return s->found != 0;
}

SEC("tc")
int search_packet(struct __sk_buff *skb)
{
	struct search s = {.skb = skb};

	bpf_loop(skb->len / 4, search_step, &s, 0);
	return s.found ? TC_ACT_SHOT : TC_ACT_OK;
}
