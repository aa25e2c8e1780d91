/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
 *
 * Programs about sockets: filters, sock_ops, socket maps, lookup, reuseport.
 */
#include "net.h"

/* ---- socket filters ---- */
#define LINKTYPE_OFFSET 0

unsigned long long load_byte(void *skb, unsigned long long off) asm("llvm.bpf.load.byte");
unsigned long long load_half(void *skb, unsigned long long off) asm("llvm.bpf.load.half");
unsigned long long load_word(void *skb, unsigned long long off) asm("llvm.bpf.load.word");

SEC("socket")
int only_tcp_to_80(struct __sk_buff *skb)
{
	__u32 header;

	if (load_half(skb, offsetof(struct ethhdr, h_proto)) != ETH_P_IP ||
	    load_byte(skb, ETH_HLEN + offsetof(struct iphdr, protocol)) != IPPROTO_TCP)
		return 0;
	header = (load_byte(skb, ETH_HLEN) & 15) * 4;
	return load_half(skb, ETH_HLEN + header + 2) == 80 ? -1 : 0;
}

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 256);
	__type(key, __u32);
	__type(value, __u64);
} bytes_by_protocol SEC(".maps");

SEC("socket")
int count_protocols(struct __sk_buff *skb)
{
	__u32 proto = load_byte(skb, ETH_HLEN + offsetof(struct iphdr, protocol));
	__u64 *bytes;

	if (skb->pkt_type != 4)
		return 0;
	bytes = bpf_map_lookup_elem(&bytes_by_protocol, &proto);
	if (bytes)
		__sync_fetch_and_add(bytes, skb->len);
	return 0;
}

SEC("socket")
int sample_one_in_16(struct __sk_buff *skb)
{
	return bpf_get_prandom_u32() & 15 ? 0 : 128;
}

SEC("socket")
int by_word(struct __sk_buff *skb)
{
	return load_word(skb, ETH_HLEN + offsetof(struct iphdr, saddr)) >> 24 == 10 ? skb->len : 0;
}

/* ---- sock_ops ---- */
struct {
	__uint(type, BPF_MAP_TYPE_SOCKHASH);
	__uint(max_entries, 4096);
	__type(key, struct flow4);
	__type(value, __u64);
} local_sockets SEC(".maps");

static __always_inline void flow_of(struct bpf_sock_ops *ops, struct flow4 *ret_flow)
{
	ret_flow->source = ops->local_ip4;
	ret_flow->target = ops->remote_ip4;
	ret_flow->source_port = bpf_htons(ops->local_port);
	ret_flow->target_port = ops->remote_port >> 16;
}

SEC("sockops")
int remember_established(struct bpf_sock_ops *ops)
{
	struct flow4 flow = {};

	switch (ops->op) {
	case BPF_SOCK_OPS_PASSIVE_ESTABLISHED_CB:
	case BPF_SOCK_OPS_ACTIVE_ESTABLISHED_CB:
		if (ops->family != AF_INET)
			return 0;
		flow_of(ops, &flow);
		bpf_sock_hash_update(ops, &local_sockets, &flow, BPF_NOEXIST);
		bpf_sock_ops_cb_flags_set(ops, BPF_SOCK_OPS_STATE_CB_FLAG);
		break;
	case BPF_SOCK_OPS_STATE_CB:
		ops->reply = ops->args[1] == BPF_TCP_CLOSE;
		break;
	}
	return 1;
}

SEC("sockops")
int tune_timeouts(struct bpf_sock_ops *ops)
{
	int window = 40, clamp = 100;
	int reply = -1;

	switch (ops->op) {
	case BPF_SOCK_OPS_TIMEOUT_INIT:
		reply = 30;
		break;
	case BPF_SOCK_OPS_RWND_INIT:
		reply = window;
		break;
	case BPF_SOCK_OPS_ACTIVE_ESTABLISHED_CB:
		reply = bpf_setsockopt(ops, IPPROTO_TCP, TCP_BPF_SNDCWND_CLAMP, &clamp, sizeof(clamp));
		break;
	}
	ops->reply = reply;
	return 1;
}

SEC("sockops")
int write_header_option(struct bpf_sock_ops *ops)
{
	__u8 option[4] = {254, 4, 0xeb, 0x9f};
	__u8 found[8] = {254};

	switch (ops->op) {
	case BPF_SOCK_OPS_HDR_OPT_LEN_CB:
		bpf_reserve_hdr_opt(ops, sizeof(option), 0);
		break;
	case BPF_SOCK_OPS_WRITE_HDR_OPT_CB:
		bpf_store_hdr_opt(ops, option, sizeof(option), 0);
		break;
	case BPF_SOCK_OPS_PARSE_HDR_OPT_CB:
		if (bpf_load_hdr_opt(ops, found, sizeof(found), 0) > 0 && found[2] == 0xeb)
			bpf_sock_ops_cb_flags_set(ops, 0);
		break;
	}
	return 1;
}

struct connection {
	__u64 since_ns;
	__u32 retransmits, rtt_us;
};

struct {
	__uint(type, BPF_MAP_TYPE_SK_STORAGE);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, int);
	__type(value, struct connection);
} connections SEC(".maps");

SEC("sockops")
int watch_rtt(struct bpf_sock_ops *ops)
{
	struct bpf_sock *sk = ops->sk;
	struct connection *c;

	if (!sk)
		return 1;
	c = bpf_sk_storage_get(&connections, sk, 0, BPF_SK_STORAGE_GET_F_CREATE);
	if (!c)
		return 1;
	if (!c->since_ns)
		c->since_ns = bpf_ktime_get_ns();
	if (ops->is_fullsock) {
		c->retransmits = ops->total_retrans;
		c->rtt_us = ops->srtt_us >> 3;
	}
	return 1;
}

/* ---- socket maps ---- */
SEC("sk_msg")
int short_circuit(struct sk_msg_md *msg)
{
	struct flow4 flow = {
	        .source = msg->remote_ip4,
	        .target = msg->local_ip4,
	        .source_port = msg->remote_port >> 16,
	        .target_port = bpf_htons(msg->local_port),
	};

	return msg->family == AF_INET ? bpf_msg_redirect_hash(msg, &local_sockets, &flow, BPF_F_INGRESS) : SK_PASS;
}

SEC("sk_msg")
int refuse_secret(struct sk_msg_md *msg)
{
	char *data, *end;

	if (bpf_msg_pull_data(msg, 0, 8, 0))
		return SK_PASS;
	data = msg->data;
	end = msg->data_end;
	if (data + 8 > end)
		return SK_PASS;
	return data[0] == 's' && data[1] == 'e' && data[2] == 'c' && data[7] == ':' ? SK_DROP : SK_PASS;
}

SEC("sk_msg")
int frame_messages(struct sk_msg_md *msg)
{
	void *data = msg->data, *end = msg->data_end;
	__u32 size;

	if (data + 4 > end) {
		bpf_msg_cork_bytes(msg, 4);
		return SK_PASS;
	}
	size = bpf_ntohl(*(__u32 *)data);
	if (size > 65536)
		return SK_DROP;
	bpf_msg_apply_bytes(msg, size + 4);
	return SK_PASS;
}

struct {
	__uint(type, BPF_MAP_TYPE_SOCKMAP);
	__uint(max_entries, 16);
	__type(key, __u32);
	__type(value, __u64);
} upstreams SEC(".maps");

SEC("sk_skb/stream_parser")
int parse_stream(struct __sk_buff *skb)
{
	__be16 length;

	if (bpf_skb_load_bytes(skb, 0, &length, 2))
		return 0;
	return bpf_ntohs(length) + 2;
}

SEC("sk_skb/stream_verdict")
int route_stream(struct __sk_buff *skb)
{
	__u8 *data, *end;

	if (bpf_skb_pull_data(skb, 3))
		return SK_DROP;
	data = (void *)(long)skb->data;
	end = (void *)(long)skb->data_end;
	if (data + 3 > end)
		return SK_DROP;
	return bpf_sk_redirect_map(skb, &upstreams, data[2] % 16, 0);
}

/* ---- lookup and reuseport ---- */
SEC("sk_lookup")
int many_ports_one_socket(struct bpf_sk_lookup *ctx)
{
	struct bpf_sock *sk;
	__u32 zero = 0;
	long r;

	if (ctx->protocol != IPPROTO_TCP || ctx->local_port < 7000 || ctx->local_port > 7999)
		return SK_PASS;
	sk = bpf_map_lookup_elem(&upstreams, &zero);
	if (!sk)
		return SK_DROP;
	r = bpf_sk_assign(ctx, sk, 0);
	bpf_sk_release(sk);
	return r ? SK_DROP : SK_PASS;
}

SEC("sk_lookup")
int refuse_network(struct bpf_sk_lookup *ctx)
{
	if (ctx->family == AF_INET && (bpf_ntohl(ctx->remote_ip4) & 0xff000000) == 0x0a000000)
		return SK_DROP;
	if (ctx->family == AF_INET6 && ctx->remote_ip6[0] == bpf_htonl(0xfe800000))
		return SK_DROP;
	return SK_PASS;
}

struct {
	__uint(type, BPF_MAP_TYPE_REUSEPORT_SOCKARRAY);
	__uint(max_entries, 128);
	__type(key, __u32);
	__type(value, __u64);
} workers SEC(".maps");

SEC("sk_reuseport")
int choose_worker(struct sk_reuseport_md *ctx)
{
	__u32 index = ctx->hash % 128;

	if (bpf_sk_select_reuseport(ctx, &workers, &index, 0) == 0)
		return SK_PASS;
	index = 0;
	return bpf_sk_select_reuseport(ctx, &workers, &index, 0) ? SK_DROP : SK_PASS;
}

SEC("sk_reuseport")
int choose_by_header(struct sk_reuseport_md *ctx)
{
	__u8 *data = ctx->data, *end = ctx->data_end;
	__u32 index;

	if (ctx->ip_protocol != IPPROTO_UDP || data + 9 > end)
		return SK_PASS;
	index = data[8] & 127;
	bpf_sk_select_reuseport(ctx, &workers, &index, 0);
	return SK_PASS;
}
