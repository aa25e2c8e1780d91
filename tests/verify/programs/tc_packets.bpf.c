/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
 *
 * Traffic control: classifiers and actions that read, mark, rewrite, translate and redirect packets.
 */
#include "net.h"

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 4096);
	__type(key, struct flow4);
	__type(value, __u32);
} marks SEC(".maps");

SEC("tc")
int mark_flow(struct __sk_buff *skb)
{
	struct cursor c = CURSOR(skb);
	struct flow4 flow = {};
	__u32 *mark;

	if (take_ethernet(&c) != bpf_htons(ETH_P_IP) || !take_flow4(&c, &flow))
		return TC_ACT_OK;
	mark = bpf_map_lookup_elem(&marks, &flow);
	if (mark) {
		skb->mark = *mark;
		skb->priority = *mark >> 16;
	}
	return TC_ACT_OK;
}

struct translation {
	__be32 address;
	__be16 port, pad;
};

struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 65536);
	__type(key, struct flow4);
	__type(value, struct translation);
} translations SEC(".maps");

#define IP_AT ETH_HLEN
#define L4_AT (ETH_HLEN + sizeof(struct iphdr))

/* Source translation: checksums are mended by what changed. */
SEC("tc")
int translate_source(struct __sk_buff *skb)
{
	struct cursor c = CURSOR(skb);
	struct ethhdr *eth = take(&c, sizeof(*eth));
	struct iphdr *ip = take(&c, sizeof(*ip));
	struct tcphdr *tcp = take(&c, sizeof(*tcp));
	struct flow4 flow = {};
	struct translation *t;
	__be32 address;
	__be16 port;

	if (!eth || !ip || !tcp || eth->h_proto != bpf_htons(ETH_P_IP) || ip->ihl != 5 || ip->protocol != IPPROTO_TCP)
		return TC_ACT_OK;
	flow.source = ip->saddr;
	flow.target = ip->daddr;
	flow.proto = ip->protocol;
	flow.source_port = tcp->source;
	flow.target_port = tcp->dest;
	t = bpf_map_lookup_elem(&translations, &flow);
	if (!t)
		return TC_ACT_OK;
	address = t->address;
	port = t->port;
	bpf_l4_csum_replace(skb, L4_AT + offsetof(struct tcphdr, check), flow.source, address, BPF_F_PSEUDO_HDR | 4);
	bpf_l4_csum_replace(skb, L4_AT + offsetof(struct tcphdr, check), flow.source_port, port, 2);
	bpf_l3_csum_replace(skb, IP_AT + offsetof(struct iphdr, check), flow.source, address, 4);
	bpf_skb_store_bytes(skb, IP_AT + offsetof(struct iphdr, saddr), &address, 4, 0);
	bpf_skb_store_bytes(skb, L4_AT + offsetof(struct tcphdr, source), &port, 2, 0);
	return TC_ACT_OK;
}

/* Reads with a helper, which also reaches what is not in the linear part. */
SEC("tc")
int drop_small_ttl(struct __sk_buff *skb)
{
	struct iphdr ip;

	if (skb->protocol != bpf_htons(ETH_P_IP))
		return TC_ACT_OK;
	if (bpf_skb_load_bytes(skb, ETH_HLEN, &ip, sizeof(ip)))
		return TC_ACT_SHOT;
	return ip.ttl < 2 ? TC_ACT_SHOT : TC_ACT_OK;
}

SEC("tc")
int pull_and_parse(struct __sk_buff *skb)
{
	void *data = (void *)(long)skb->data, *end = (void *)(long)skb->data_end;
	__u32 wanted = ETH_HLEN + sizeof(struct ipv6hdr);
	struct ipv6hdr *ip;

	if (data + wanted > end) {
		if (bpf_skb_pull_data(skb, wanted))
			return TC_ACT_SHOT;
		data = (void *)(long)skb->data;
		end = (void *)(long)skb->data_end;
		if (data + wanted > end)
			return TC_ACT_SHOT;
	}
	ip = data + ETH_HLEN;
	skb->cb[0] = ip->nexthdr;
	skb->cb[1] = bpf_ntohs(ip->payload_len);
	return skb->cb[0] == IPPROTO_ICMPV6 ? TC_ACT_OK : TC_ACT_UNSPEC;
}

SEC("tc")
int rewrite_dscp(struct __sk_buff *skb)
{
	struct cursor c = CURSOR(skb);
	struct ethhdr *eth = take(&c, sizeof(*eth));
	struct iphdr *ip = take(&c, sizeof(*ip));
	__u16 old, new;

	if (!eth || !ip || eth->h_proto != bpf_htons(ETH_P_IP))
		return TC_ACT_OK;
	old = *(__u16 *)ip;
	ip->tos = (ip->tos & 3) | 46 << 2;
	new = *(__u16 *)ip;
	bpf_l3_csum_replace(skb, ETH_HLEN + offsetof(struct iphdr, check), old, new, 2);
	return TC_ACT_OK;
}

const volatile __u32 peer_ifindex = 7;

SEC("tc")
int to_peer(struct __sk_buff *skb)
{
	if (skb->ingress_ifindex == peer_ifindex)
		return TC_ACT_SHOT;
	return bpf_redirect_peer(peer_ifindex, 0);
}

SEC("tc")
int mirror(struct __sk_buff *skb)
{
	if (skb->pkt_type != 0)
		return TC_ACT_OK;
	bpf_clone_redirect(skb, peer_ifindex, 0);
	return TC_ACT_OK;
}

SEC("tc")
int push_vlan(struct __sk_buff *skb)
{
	if (skb->vlan_present)
		return bpf_skb_vlan_pop(skb) ? TC_ACT_SHOT : TC_ACT_OK;
	return bpf_skb_vlan_push(skb, bpf_htons(ETH_P_8021Q), 100) ? TC_ACT_SHOT : TC_ACT_OK;
}

SEC("tc")
int set_tunnel(struct __sk_buff *skb)
{
	struct bpf_tunnel_key key = {};

	key.remote_ipv4 = 0xac100164;
	key.tunnel_id = 2;
	key.tunnel_ttl = 64;
	return bpf_skb_set_tunnel_key(skb, &key, sizeof(key), BPF_F_ZERO_CSUM_TX) ? TC_ACT_SHOT : TC_ACT_OK;
}

SEC("tc")
int get_tunnel(struct __sk_buff *skb)
{
	struct bpf_tunnel_key key;
	__u8 option[16];

	if (bpf_skb_get_tunnel_key(skb, &key, sizeof(key), 0) < 0)
		return TC_ACT_SHOT;
	if (bpf_skb_get_tunnel_opt(skb, option, sizeof(option)) < 0)
		return TC_ACT_OK;
	return key.tunnel_id == 2 && option[0] ? TC_ACT_OK : TC_ACT_SHOT;
}

SEC("tc")
int encapsulate(struct __sk_buff *skb)
{
	struct {
		struct iphdr ip;
		struct udphdr udp;
	} outer = {};

	if (bpf_skb_adjust_room(skb, sizeof(outer), BPF_ADJ_ROOM_MAC,
	                        BPF_F_ADJ_ROOM_ENCAP_L3_IPV4 | BPF_F_ADJ_ROOM_ENCAP_L4_UDP))
		return TC_ACT_SHOT;
	outer.ip.version = 4;
	outer.ip.ihl = 5;
	outer.ip.ttl = 32;
	outer.ip.protocol = IPPROTO_UDP;
	outer.udp.dest = bpf_htons(6081);
	if (bpf_skb_store_bytes(skb, ETH_HLEN, &outer, sizeof(outer), BPF_F_INVALIDATE_HASH))
		return TC_ACT_SHOT;
	return TC_ACT_OK;
}

/* A socket of ours, or an unknown one? */
SEC("tc")
int only_known_sockets(struct __sk_buff *skb)
{
	struct bpf_sock_tuple tuple = {};
	struct cursor c = CURSOR(skb);
	struct flow4 flow = {};
	struct bpf_sock *sk;
	int result = TC_ACT_OK;

	if (take_ethernet(&c) != bpf_htons(ETH_P_IP) || !take_flow4(&c, &flow) || flow.proto != IPPROTO_TCP)
		return TC_ACT_OK;
	tuple.ipv4.saddr = flow.source;
	tuple.ipv4.daddr = flow.target;
	tuple.ipv4.sport = flow.source_port;
	tuple.ipv4.dport = flow.target_port;
	sk = bpf_sk_lookup_tcp(skb, &tuple, sizeof(tuple.ipv4), BPF_F_CURRENT_NETNS, 0);
	if (!sk)
		return TC_ACT_SHOT;
	if (sk->state == BPF_TCP_LISTEN && sk->src_port != 443)
		result = TC_ACT_SHOT;
	bpf_sk_release(sk);
	return result;
}

SEC("tc")
int assign_socket(struct __sk_buff *skb)
{
	struct bpf_sock_tuple tuple = {.ipv4 = {.daddr = bpf_htonl(0x7f000001), .dport = bpf_htons(8080)}};
	struct bpf_sock *sk = bpf_skc_lookup_tcp(skb, &tuple, sizeof(tuple.ipv4), BPF_F_CURRENT_NETNS, 0);
	long r;

	if (!sk)
		return TC_ACT_OK;
	r = bpf_sk_assign(skb, sk, 0);
	bpf_sk_release(sk);
	return r ? TC_ACT_SHOT : TC_ACT_OK;
}

SEC("tc")
int egress_rtt(struct __sk_buff *skb)
{
	struct bpf_sock *sk = skb->sk;
	struct bpf_tcp_sock *tcp;

	if (!sk)
		return TC_ACT_OK;
	sk = bpf_sk_fullsock(sk);
	if (!sk || sk->protocol != IPPROTO_TCP)
		return TC_ACT_OK;
	tcp = bpf_tcp_sock(sk);
	if (tcp && tcp->srtt_us >> 3 > 100000)
		bpf_skb_ecn_set_ce(skb);
	return TC_ACT_OK;
}

/* Pacing: a time at which the packet may leave. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 1024);
	__type(key, __u32);
	__type(value, __u64);
} next_departure SEC(".maps");

SEC("tc")
int pace(struct __sk_buff *skb)
{
	__u32 key = skb->hash & 1023;
	__u64 *next = bpf_map_lookup_elem(&next_departure, &key), now = bpf_ktime_get_ns();
	__u64 delay = (__u64)skb->wire_len * 1000000000 / 12500000;

	if (!next)
		return TC_ACT_OK;
	if (*next < now) {
		*next = now + delay;
		return TC_ACT_OK;
	}
	if (*next - now > 2000000000)
		return TC_ACT_SHOT;
	skb->tstamp = *next;
	__sync_fetch_and_add(next, delay);
	return TC_ACT_OK;
}

SEC("action")
int classify_by_cgroup(struct __sk_buff *skb)
{
	__u64 id = bpf_skb_cgroup_id(skb), parent = bpf_skb_ancestor_cgroup_id(skb, 1);

	skb->tc_classid = id == parent ? 1 : 2;
	skb->queue_mapping = skb->tc_classid & 1;
	return TC_ACT_PIPE;
}

SEC("tc")
int mark_from_xdp(struct __sk_buff *skb)
{
	void *data = (void *)(long)skb->data;
	__u32 *meta = (void *)(long)skb->data_meta;

	if ((void *)(meta + 2) > data)
		return TC_ACT_OK;
	skb->mark = meta[0];
	return meta[1] ? TC_ACT_OK : TC_ACT_SHOT;
}
