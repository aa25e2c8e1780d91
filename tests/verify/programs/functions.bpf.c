/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
 *
 * Functions: static ones that are called, global ones that are verified by their signature, deep chains, large switches.
 */
#include "net.h"

struct verdict {
	int action;
	__u32 reason;
};

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 8);
	__type(key, __u32);
	__type(value, __u64);
} reasons SEC(".maps");

static __noinline void note(__u32 reason)
{
	__u64 *n = bpf_map_lookup_elem(&reasons, &reason);

	if (n)
		__sync_fetch_and_add(n, 1);
}

static __noinline int parse_ip(struct xdp_md *ctx, struct verdict *v)
{
	struct cursor c = CURSOR(ctx);
	struct iphdr *ip;

	if (take_ethernet(&c) != bpf_htons(ETH_P_IP))
		return -1;
	ip = take_ipv4(&c);
	if (!ip)
		return -1;
	v->action = ip->ttl ? XDP_PASS : XDP_DROP;
	v->reason = ip->protocol & 7;
	return 0;
}

SEC("xdp")
int by_static_functions(struct xdp_md *ctx)
{
	struct verdict v = {.action = XDP_PASS};

	if (parse_ip(ctx, &v))
		return XDP_ABORTED;
	note(v.reason);
	return v.action;
}

/* Packet pointers handed to a function, and one handed back. */
static __noinline struct iphdr *ip_of(void *data, void *end)
{
	struct ethhdr *eth = data;
	struct iphdr *ip = data + sizeof(*eth);

	if ((void *)(ip + 1) > end || eth->h_proto != bpf_htons(ETH_P_IP))
		return NULL;
	return ip;
}

SEC("xdp")
int pointer_from_function(struct xdp_md *ctx)
{
	struct iphdr *ip = ip_of((void *)(long)ctx->data, (void *)(long)ctx->data_end);

	if (!ip)
		return XDP_PASS;
	return ip->ttl < 5 ? XDP_DROP : XDP_PASS;
}

/* ---- global functions: verified alone ---- */
__noinline int classify_port(__u32 port)
{
	if (port == 22 || port == 3389)
		return 1;
	if (port < 1024)
		return 2;
	return port > 49151 ? 3 : 4;
}

__noinline int clamp(int v, int low, int high)
{
	return v < low ? low : v > high ? high : v;
}

__noinline int total_length(struct xdp_md *ctx)
{
	void *data = (void *)(long)ctx->data, *end = (void *)(long)ctx->data_end;
	struct iphdr *ip = data + ETH_HLEN;

	if ((void *)(ip + 1) > end)
		return 0;
	return bpf_ntohs(ip->tot_len);
}

__noinline int fill_verdict(struct verdict *v)
{
	if (!v)
		return -1;
	v->action = XDP_DROP;
	v->reason = 3;
	return 0;
}

SEC("xdp")
int by_global_functions(struct xdp_md *ctx)
{
	struct cursor c = CURSOR(ctx);
	struct flow4 flow = {};
	struct verdict v = {};

	if (take_ethernet(&c) != bpf_htons(ETH_P_IP) || !take_flow4(&c, &flow))
		return XDP_PASS;
	if (classify_port(bpf_ntohs(flow.target_port)) == 1)
		return XDP_DROP;
	if (fill_verdict(&v))
		return XDP_ABORTED;
	note(v.reason);
	return total_length(ctx) > 1400 ? XDP_DROP : XDP_PASS;
}

SEC("tc")
int clamped(struct __sk_buff *skb)
{
	int window = clamp(skb->len, 64, 1500);

	skb->mark = window;
	return window == 64 ? TC_ACT_SHOT : TC_ACT_OK;
}

/* ---- a chain of calls ---- */
static __noinline __u32 depth4(__u32 v)
{
	__u8 bytes[32] = {};

	bytes[v & 31] = 1;
	return bytes[7] + v;
}
static __noinline __u32 depth3(__u32 v)
{
	return depth4(v + 3) ^ 3;
}
static __noinline __u32 depth2(__u32 v)
{
	return depth3(v * 5) + depth4(v);
}
static __noinline __u32 depth1(__u32 v)
{
	return depth2(v >> 2) + depth3(v);
}

SEC("tc")
int deep(struct __sk_buff *skb)
{
	return depth1(skb->hash) & 1 ? TC_ACT_OK : TC_ACT_SHOT;
}

/* The same function, called with different knowledge of its arguments. */
static __noinline __u8 byte_at(__u8 *bytes, __u32 at)
{
	return at < 16 ? bytes[at] : 0;
}

SEC("tc")
int called_often(struct __sk_buff *skb)
{
	__u8 bytes[16];
	__u32 sum = 0;

	if (bpf_skb_load_bytes(skb, 0, bytes, sizeof(bytes)))
		return TC_ACT_OK;
	sum += byte_at(bytes, 0);
	sum += byte_at(bytes, skb->hash);
	sum += byte_at(bytes, skb->len & 15);
	for (int i = 0; i < 20; i++)
		sum += byte_at(bytes, i);
	return sum > 100 ? TC_ACT_SHOT : TC_ACT_OK;
}

/* ---- a large switch ---- */
static __noinline __u32 weight_of(__u8 proto)
{
	switch (proto) {
	case 0:
		return 5;
	case IPPROTO_ICMP:
		return 9;
	case IPPROTO_IGMP:
		return 2;
	case IPPROTO_IPIP:
		return 41;
	case IPPROTO_TCP:
		return 100;
	case IPPROTO_EGP:
		return 77;
	case IPPROTO_PUP:
		return 1;
	case IPPROTO_UDP:
		return 90;
	case IPPROTO_IDP:
		return 31;
	case IPPROTO_DCCP:
		return 12;
	case IPPROTO_IPV6:
		return 66;
	case IPPROTO_RSVP:
		return 23;
	case IPPROTO_GRE:
		return 44;
	case IPPROTO_ESP:
		return 45;
	case IPPROTO_AH:
		return 46;
	case IPPROTO_PIM:
		return 8;
	case IPPROTO_SCTP:
		return 88;
	case IPPROTO_UDPLITE:
		return 87;
	default:
		return 0;
	}
}

SEC("tc")
int weighted(struct __sk_buff *skb)
{
	__u8 proto;

	if (bpf_skb_load_bytes(skb, ETH_HLEN + 9, &proto, 1))
		return TC_ACT_OK;
	skb->priority = weight_of(proto);
	return TC_ACT_OK;
}

/* A small machine: programs for it are in a map. */
struct code {
	__u8 op, reg;
	__u16 imm;
};
struct program {
	struct code code[16];
};
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 4);
	__type(key, __u32);
	__type(value, struct program);
} machines SEC(".maps");

SEC("tc")
int machine(struct __sk_buff *skb)
{
	__u32 key = skb->mark & 3, registers[4] = {};
	struct program *p = bpf_map_lookup_elem(&machines, &key);

	if (!p)
		return TC_ACT_OK;
	for (int i = 0; i < 16; i++) {
		struct code *c = &p->code[i];
		__u32 reg = c->reg & 3;
		switch (c->op) {
		case 1:
			registers[reg] = c->imm;
			break;
		case 2:
			registers[reg] += c->imm;
			break;
		case 3:
			registers[reg] ^= skb->hash;
			break;
		case 4:
			return registers[reg] > c->imm ? TC_ACT_SHOT : TC_ACT_OK;
		}
	}
	return TC_ACT_OK;
}
