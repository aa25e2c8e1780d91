/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
 *
 * Parsing of frames in XDP: VLANs, IPv4 with options, IPv6 with extension headers, TCP options, tunnels, MPLS, ARP.
 */
#include "net.h"

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 256);
	__type(key, __u32);
	__type(value, __u64);
} protocols SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 65536);
	__type(key, struct flow4);
	__type(value, __u64);
} flows SEC(".maps");

static __always_inline void count(__u32 proto)
{
	__u64 *n = bpf_map_lookup_elem(&protocols, &proto);

	if (n)
		*n += 1;
}

SEC("xdp")
int parse_protocol(struct xdp_md *ctx)
{
	struct cursor c = CURSOR(ctx);
	__be16 proto = take_ethernet(&c);

	if (proto == bpf_htons(ETH_P_IP)) {
		struct iphdr *ip = take(&c, sizeof(*ip));
		if (ip)
			count(ip->protocol);
	} else if (proto == bpf_htons(ETH_P_IPV6)) {
		struct ipv6hdr *ip = take(&c, sizeof(*ip));
		if (ip)
			count(ip->nexthdr);
	}
	return XDP_PASS;
}

SEC("xdp")
int parse_flow(struct xdp_md *ctx)
{
	struct cursor c = CURSOR(ctx);
	struct flow4 flow = {};
	__u64 bytes = ctx->data_end - ctx->data, *sum;

	if (take_ethernet(&c) != bpf_htons(ETH_P_IP) || !take_flow4(&c, &flow))
		return XDP_PASS;
	sum = bpf_map_lookup_elem(&flows, &flow);
	if (sum)
		__sync_fetch_and_add(sum, bytes);
	else
		bpf_map_update_elem(&flows, &flow, &bytes, BPF_NOEXIST);
	return XDP_PASS;
}

#define EXTENSIONS_MAX 6

static __always_inline int skip_extensions(struct cursor *c, __u8 next)
{
	for (int i = 0; i < EXTENSIONS_MAX; i++) {
		struct {
			__u8 next, length;
		} * header;

		switch (next) {
		case IPPROTO_HOPOPTS:
		case IPPROTO_ROUTING:
		case IPPROTO_DSTOPTS:
			header = take(c, 8);
			if (!header || !take(c, header->length * 8))
				return -1;
			next = header->next;
			break;
		case IPPROTO_FRAGMENT:
			header = take(c, 8);
			if (!header)
				return -1;
			next = header->next;
			break;
		default:
			return next;
		}
	}
	return -1;
}

SEC("xdp")
int parse_ipv6_extensions(struct xdp_md *ctx)
{
	struct cursor c = CURSOR(ctx);
	struct ipv6hdr *ip;
	int proto;

	if (take_ethernet(&c) != bpf_htons(ETH_P_IPV6))
		return XDP_PASS;
	ip = take(&c, sizeof(*ip));
	if (!ip)
		return XDP_DROP;
	proto = skip_extensions(&c, ip->nexthdr);
	if (proto < 0)
		return XDP_DROP;
	if (proto == IPPROTO_UDP) {
		struct udphdr *udp = take(&c, sizeof(*udp));
		if (!udp || udp->dest == bpf_htons(1900))
			return XDP_DROP;
	}
	return XDP_PASS;
}

/* The maximum segment size that a SYN offers; options are read byte by byte. */
SEC("xdp")
int parse_tcp_mss(struct xdp_md *ctx)
{
	struct cursor c = CURSOR(ctx);
	struct iphdr *ip;
	struct tcphdr *tcp;
	__u8 *option;
	__u32 length;

	if (take_ethernet(&c) != bpf_htons(ETH_P_IP))
		return XDP_PASS;
	ip = take_ipv4(&c);
	if (!ip || ip->protocol != IPPROTO_TCP)
		return XDP_PASS;
	tcp = take(&c, sizeof(*tcp));
	if (!tcp || !tcp->syn)
		return XDP_PASS;
	length = tcp->doff * 4;
	if (length <= sizeof(*tcp))
		return XDP_PASS;
	length -= sizeof(*tcp);
	option = c.at;
	for (int i = 0; i < 10 && length; i++) {
		__u8 kind, size;
		if ((void *)(option + 1) > c.end)
			return XDP_DROP;
		kind = option[0];
		if (kind == 0)
			break;
		if (kind == 1) {
			option++;
			length--;
			continue;
		}
		if ((void *)(option + 2) > c.end)
			return XDP_DROP;
		size = option[1];
		if (size < 2 || size > length)
			return XDP_DROP;
		if (kind == 2 && size == 4) {
			if ((void *)(option + 4) > c.end)
				return XDP_DROP;
			return (option[2] << 8 | option[3]) < 536 ? XDP_DROP : XDP_PASS;
		}
		option += size;
		length -= size;
	}
	return XDP_PASS;
}

struct vxlan_header {
	__be32 flags, vni;
};

SEC("xdp")
int parse_vxlan(struct xdp_md *ctx)
{
	struct cursor c = CURSOR(ctx);
	struct flow4 outer = {}, inner = {};
	struct vxlan_header *vxlan;
	__u64 one = 1;

	if (take_ethernet(&c) != bpf_htons(ETH_P_IP) || !take_flow4(&c, &outer))
		return XDP_PASS;
	if (outer.proto != IPPROTO_UDP || outer.target_port != bpf_htons(4789))
		return XDP_PASS;
	if (!take(&c, 4))
		return XDP_DROP;
	vxlan = take(&c, sizeof(*vxlan));
	if (!vxlan || !(vxlan->flags & bpf_htonl(0x08000000)))
		return XDP_DROP;
	if (take_ethernet(&c) != bpf_htons(ETH_P_IP) || !take_flow4(&c, &inner))
		return XDP_PASS;
	bpf_map_update_elem(&flows, &inner, &one, BPF_ANY);
	return XDP_PASS;
}

struct gre_header {
	__be16 flags, proto;
};

SEC("xdp")
int parse_gre(struct xdp_md *ctx)
{
	struct cursor c = CURSOR(ctx);
	struct gre_header *gre;
	struct iphdr *ip;
	__u32 optional = 0;

	if (take_ethernet(&c) != bpf_htons(ETH_P_IP))
		return XDP_PASS;
	ip = take_ipv4(&c);
	if (!ip || ip->protocol != IPPROTO_GRE)
		return XDP_PASS;
	gre = take(&c, sizeof(*gre));
	if (!gre)
		return XDP_DROP;
	if (gre->flags & bpf_htons(0x8000))
		optional += 4;
	if (gre->flags & bpf_htons(0x2000))
		optional += 4;
	if (gre->flags & bpf_htons(0x1000))
		optional += 4;
	if (!take(&c, optional) || gre->proto != bpf_htons(ETH_P_IP))
		return XDP_DROP;
	ip = take_ipv4(&c);
	if (!ip)
		return XDP_DROP;
	count(ip->protocol);
	return XDP_PASS;
}

#define LABELS_MAX 8

SEC("xdp")
int parse_mpls(struct xdp_md *ctx)
{
	struct cursor c = CURSOR(ctx);
	__u32 depth = 0;

	if (take_ethernet(&c) != bpf_htons(ETH_P_MPLS_UC))
		return XDP_PASS;
	for (depth = 0; depth < LABELS_MAX; depth++) {
		__be32 *label = take(&c, sizeof(*label));
		if (!label)
			return XDP_DROP;
		if (*label & bpf_htonl(0x100))
			break;
	}
	count(depth);
	return depth == LABELS_MAX ? XDP_DROP : XDP_PASS;
}

struct arp_ipv4 {
	struct arphdr header;
	__u8 sender_mac[6], sender_ip[4], target_mac[6], target_ip[4];
} __attribute__((packed));

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 1024);
	__uint(key_size, 4);
	__uint(value_size, 6);
} neighbours SEC(".maps");

/* An answer that claims an address of someone else's is dropped. */
SEC("xdp")
int guard_arp(struct xdp_md *ctx)
{
	struct cursor c = CURSOR(ctx);
	struct arp_ipv4 *arp;
	__u8 *known;
	__u32 address;

	if (take_ethernet(&c) != bpf_htons(ETH_P_ARP))
		return XDP_PASS;
	arp = take(&c, sizeof(*arp));
	if (!arp || arp->header.ar_op != bpf_htons(ARPOP_REPLY))
		return XDP_PASS;
	__builtin_memcpy(&address, arp->sender_ip, 4);
	known = bpf_map_lookup_elem(&neighbours, &address);
	if (!known)
		return XDP_PASS;
	for (int i = 0; i < 6; i++)
		if (known[i] != arp->sender_mac[i])
			return XDP_DROP;
	return XDP_PASS;
}

/* Sums the first bytes of the payload, at most 64 of them. */
SEC("xdp")
int sum_payload(struct xdp_md *ctx)
{
	__u8 *data = (void *)(long)ctx->data, *end = (void *)(long)ctx->data_end;
	__u32 sum = 0;

	for (int i = 0; i < 64; i++) {
		if (data + i + 1 > end)
			break;
		sum += data[i];
	}
	count(sum & 0xff);
	return XDP_PASS;
}
