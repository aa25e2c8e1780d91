/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
 *
 * What programs that look at packets share: headers of protocols, a cursor over a frame, keys of flows.
 */
#ifndef PROGRAMS_NET_H
#define PROGRAMS_NET_H

#include <linux/bpf.h>
#include <linux/if_ether.h>
#include <linux/in.h>
#include <linux/ip.h>
#include <linux/ipv6.h>
#include <linux/pkt_cls.h>
#include <linux/tcp.h>
#include <linux/udp.h>
#include <stdbool.h>
#include <stddef.h>
#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>
#include "judge.h"

char program_license[] SEC("license") = "GPL";

#define AF_INET 2
#define AF_INET6 10
#define IP_FRAGMENT 0x3fff /* more fragments, or an offset */

/* The kernel's own headers of these need the C library's. */
#define ICMP_ECHOREPLY 0
#define ICMP_ECHO 8
struct icmphdr {
	__u8 type, code;
	__be16 checksum, id, sequence;
};
#define ARPOP_REPLY 2
struct arphdr {
	__be16 ar_hrd, ar_pro;
	__u8 ar_hln, ar_pln;
	__be16 ar_op;
};
struct vlan_header {
	__be16 tci, proto;
};

struct cursor {
	void *at, *end;
};

/* The next `size` bytes of the frame, or NULL. */
static __always_inline void *take(struct cursor *c, __u32 size)
{
	void *at = c->at;

	if (at + size > c->end)
		return NULL;
	c->at = at + size;
	return at;
}

#define CURSOR(ctx) \
	{ \
		.at = (void *)(long)(ctx)->data, .end = (void *)(long)(ctx)->data_end \
	}

struct flow4 {
	__be32 source, target;
	__be16 source_port, target_port;
	__u8 proto, pad[3];
};

/* Past the Ethernet header and up to two VLAN tags; the type of what follows, 0 if it is cut off. */
static __always_inline __be16 take_ethernet(struct cursor *c)
{
	struct ethhdr *eth = take(c, sizeof(*eth));
	__be16 proto;

	if (!eth)
		return 0;
	proto = eth->h_proto;
#pragma unroll
	for (int i = 0; i < 2; i++) {
		struct vlan_header *tag;
		if (proto != bpf_htons(ETH_P_8021Q) && proto != bpf_htons(ETH_P_8021AD))
			break;
		tag = take(c, sizeof(*tag));
		if (!tag)
			return 0;
		proto = tag->proto;
	}
	return proto;
}

/* An IPv4 header with its options. */
static __always_inline struct iphdr *take_ipv4(struct cursor *c)
{
	struct iphdr *ip = take(c, sizeof(*ip));

	if (!ip || ip->ihl < 5 || !take(c, ip->ihl * 4 - sizeof(*ip)))
		return NULL;
	return ip;
}

static __always_inline bool take_flow4(struct cursor *c, struct flow4 *ret_flow)
{
	struct iphdr *ip = take_ipv4(c);
	__be16 *ports;

	if (!ip)
		return false;
	ret_flow->source = ip->saddr;
	ret_flow->target = ip->daddr;
	ret_flow->proto = ip->protocol;
	if (ip->protocol != IPPROTO_TCP && ip->protocol != IPPROTO_UDP)
		return true;
	ports = take(c, 4);
	if (!ports)
		return false;
	ret_flow->source_port = ports[0];
	ret_flow->target_port = ports[1];
	return true;
}

static __always_inline __u16 fold_checksum(__u64 sum)
{
#pragma unroll
	for (int i = 0; i < 4; i++)
		sum = (sum & 0xffff) + (sum >> 16);
	return (__u16)~sum;
}

#endif
