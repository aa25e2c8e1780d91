/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
 *
 * Mistakes with packets: each program has one.
 */
#include "net.h"

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 16);
	__type(key, __u32);
	__type(value, __u64);
} table SEC(".maps");

/* No check at all. */
BROKEN("packet-bounds")
SEC("xdp")
int no_check(struct xdp_md *ctx)
{
	struct ethhdr *eth = (void *)(long)ctx->data;

	return eth->h_proto == bpf_htons(ETH_P_ARP) ? XDP_DROP : XDP_PASS;
}

/* One byte less is checked than is read. */
BROKEN("packet-bounds")
SEC("xdp")
int off_by_one(struct xdp_md *ctx)
{
	__u8 *data = (void *)(long)ctx->data, *end = (void *)(long)ctx->data_end;

	if (data + 14 > end)
		return XDP_PASS;
	return data[14] == 0x45 ? XDP_DROP : XDP_PASS;
}

/* The comparison is the wrong way round. */
BROKEN("packet-bounds")
SEC("xdp")
int inverted_check(struct xdp_md *ctx)
{
	struct ethhdr *eth = (void *)(long)ctx->data;

	if ((void *)(eth + 1) <= (void *)(long)ctx->data_end)
		return XDP_PASS;
	return eth->h_proto ? XDP_DROP : XDP_PASS;
}

/* Only the outer header is checked. */
BROKEN("packet-bounds")
SEC("xdp")
int inner_unchecked(struct xdp_md *ctx)
{
	struct cursor c = CURSOR(ctx);
	struct ethhdr *eth = take(&c, sizeof(*eth));
	struct iphdr *ip;

	if (!eth || eth->h_proto != bpf_htons(ETH_P_IP))
		return XDP_PASS;
	ip = (void *)(eth + 1);
	return ip->protocol == IPPROTO_UDP ? XDP_DROP : XDP_PASS;
}

/* The options' length is used without a check of what lies behind them. */
BROKEN("packet-bounds")
SEC("xdp")
int options_unchecked(struct xdp_md *ctx)
{
	struct cursor c = CURSOR(ctx);
	struct ethhdr *eth = take(&c, sizeof(*eth));
	struct iphdr *ip = take(&c, sizeof(*ip));
	struct tcphdr *tcp;

	if (!eth || !ip || !take(&c, sizeof(*tcp)))
		return XDP_PASS;
	tcp = (void *)ip + ip->ihl * 4;
	return tcp->dest == bpf_htons(23) ? XDP_DROP : XDP_PASS;
}

/* The frame was moved: old pointers are worth nothing. */
BROKEN("packet-bounds")
SEC("xdp")
int stale_after_adjust(struct xdp_md *ctx)
{
	struct cursor c = CURSOR(ctx);
	struct ethhdr *eth = take(&c, sizeof(*eth));

	if (!eth || bpf_xdp_adjust_head(ctx, 4))
		return XDP_PASS;
	eth->h_proto = 0;
	return XDP_TX;
}

BROKEN("packet-bounds")
SEC("tc")
int stale_after_store(struct __sk_buff *skb)
{
	struct cursor c = CURSOR(skb);
	struct iphdr *ip = take(&c, ETH_HLEN + sizeof(*ip)) + ETH_HLEN;
	__u8 ttl = 9;

	if (c.at == (void *)(long)skb->data)
		return TC_ACT_OK;
	bpf_skb_store_bytes(skb, ETH_HLEN + 8, &ttl, 1, 0);
	return ip->ttl == 9 ? TC_ACT_OK : TC_ACT_SHOT;
}

/* A loop reads one byte past what each turn checks. */
BROKEN("packet-bounds")
SEC("xdp")
int loop_reads_ahead(struct xdp_md *ctx)
{
	__u8 *data = (void *)(long)ctx->data, *end = (void *)(long)ctx->data_end;
	__u32 same = 0;

	for (int i = 0; i < 32; i++) {
		if (data + i + 1 > end)
			break;
		same += data[i] == data[i + 1];
	}
	return same > 8 ? XDP_DROP : XDP_PASS;
}

/* Data before the packet, compared with its end instead of its begin. */
BROKEN("packet-bounds")
SEC("xdp")
int meta_unchecked(struct xdp_md *ctx)
{
	__u32 *meta = (void *)(long)ctx->data_meta;

	if (bpf_xdp_adjust_meta(ctx, -4))
		return XDP_PASS;
	meta = (void *)(long)ctx->data_meta;
	*meta = 1;
	return XDP_PASS;
}

/* The cgroup's packets may be read only. */
BROKEN("read-only")
SEC("cgroup_skb/egress")
int write_in_cgroup_skb(struct __sk_buff *skb)
{
	__u8 *data = (void *)(long)skb->data, *end = (void *)(long)skb->data_end;

	if (data + 20 > end)
		return 1;
	data[8] = 64;
	return 1;
}

/* Past the packet's end. */
BROKEN("not-a-pointer")
SEC("xdp")
int beyond_end(struct xdp_md *ctx)
{
	__u8 *end = (void *)(long)ctx->data_end;

	return end[-1] ? XDP_DROP : XDP_PASS;
}

/* ---- context ---- */
BROKEN("context")
SEC("xdp")
int write_ifindex(struct xdp_md *ctx)
{
	ctx->ingress_ifindex = 1;
	return XDP_PASS;
}

BROKEN("context")
SEC("tc")
int write_length(struct __sk_buff *skb)
{
	skb->len = 0;
	return TC_ACT_OK;
}

BROKEN("context")
SEC("xdp")
int beyond_context(struct xdp_md *ctx)
{
	return ((__u32 *)ctx)[12];
}

BROKEN("context")
SEC("socket")
int socket_filter_packet(struct __sk_buff *skb)
{
	return skb->data;
}

/* A field by an index that is known at run time only. */
BROKEN("context")
SEC("tc")
int variable_field(struct __sk_buff *skb)
{
	__u32 which = skb->mark & 3;

	return ((volatile __u32 *)skb)[which + 2];
}

/* ---- results ---- */
BROKEN("return-value")
SEC("cgroup_skb/ingress")
int returns_seven(struct __sk_buff *skb)
{
	return skb->len & 7;
}

BROKEN("return-value")
SEC("cgroup/sysctl")
int returns_error(struct bpf_sysctl *ctx)
{
	return ctx->write ? -1 : 1;
}

BROKEN("return-value")
SEC("sk_lookup")
int returns_length(struct bpf_sk_lookup *ctx)
{
	return ctx->local_port;
}

/* ---- helpers ---- */
BROKEN("helper")
SEC("xdp")
int skb_helper_in_xdp(struct xdp_md *ctx)
{
	__u32 word;

	return bpf_skb_load_bytes(ctx, 0, &word, 4) ? XDP_DROP : XDP_PASS;
}

BROKEN("helper")
SEC("socket")
int redirect_in_filter(struct __sk_buff *skb)
{
	return bpf_redirect(1, 0);
}

/* More is copied than the buffer holds. */
BROKEN("stack-bounds")
SEC("tc")
int copies_too_much(struct __sk_buff *skb)
{
	__u8 bytes[16];
	__u32 n = skb->len & 31;

	if (!n || bpf_skb_load_bytes(skb, 0, bytes, n))
		return TC_ACT_OK;
	return bytes[0] ? TC_ACT_OK : TC_ACT_SHOT;
}

/* An address is no result. */
BROKEN("pointer-leak")
SEC("cgroup_skb/egress")
int returns_pointer(struct __sk_buff *skb)
{
	long r;

	asm volatile("%0 = %1" : "=r"(r) : "r"(skb));
	return r;
}

/* The tail call's map must be one of programs. */
BROKEN("map")
SEC("xdp")
int tail_call_of_hash(struct xdp_md *ctx)
{
	bpf_tail_call(ctx, &table, 0);
	return XDP_PASS;
}

BROKEN("map")
SEC("xdp")
int redirect_by_hash(struct xdp_md *ctx)
{
	return bpf_redirect_map(&table, 0, 0);
}
