/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
 *
 * Sockets: which fields may be read and in which width, what is gone when one is released, maps of sockets.
 */
#include "net.h"

struct {
	__uint(type, BPF_MAP_TYPE_SOCKMAP);
	__uint(max_entries, 4);
	__type(key, __u32);
	__type(value, __u32);
} sockets SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_XSKMAP);
	__uint(max_entries, 4);
	__type(key, __u32);
	__type(value, __u32);
} queues SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_DEVMAP);
	__uint(max_entries, 4);
	__type(key, __u32);
	__type(value, struct bpf_devmap_val);
} devices SEC(".maps");

static __always_inline __u32 read_word(const void *socket, int at)
{
	__u32 word;

	asm volatile("%0 = *(u32 *)(%1 + %2)" : "=r"(word) : "r"(socket), "i"(at));
	return word;
}

static __always_inline __u32 read_half(const void *socket, int at)
{
	__u32 half;

	asm volatile("%0 = *(u16 *)(%1 + %2)" : "=r"(half) : "r"(socket), "i"(at));
	return half;
}

SEC("cgroup/connect4")
int fields_of_a_full_socket(struct bpf_sock_addr *ctx)
{
	struct bpf_sock *sk = ctx->sk;

	return read_word(sk, 8) + read_half(sk, 8) + read_half(sk, 48) + read_word(sk, 16) != 7;
}

BROKEN("context")
SEC("cgroup/connect4")
int half_of_a_mark(struct bpf_sock_addr *ctx)
{
	return read_half(ctx->sk, 16) != 7;
}

BROKEN("context")
SEC("cgroup/connect4")
int behind_the_last_field(struct bpf_sock_addr *ctx)
{
	return read_word(ctx->sk, 80) != 7;
}

BROKEN("context")
SEC("cgroup/connect4")
int across_two_fields(struct bpf_sock_addr *ctx)
{
	__u64 both;

	asm volatile("%0 = *(u64 *)(%1 + 0)" : "=r"(both) : "r"(ctx->sk));
	return both != 7;
}

SEC("tc")
int fields_of_any_socket(struct __sk_buff *skb)
{
	struct bpf_sock *sk = skb->sk;

	return sk ? read_word(sk, 4) + read_half(sk, 48) + read_word(sk, 72) : 0;
}

BROKEN("context")
SEC("tc")
int type_of_any_socket(struct __sk_buff *skb)
{
	struct bpf_sock *sk = skb->sk;

	return sk ? read_word(sk, 8) : 0;
}

SEC("tc")
int type_of_a_full_one(struct __sk_buff *skb)
{
	struct bpf_sock *sk = skb->sk;

	sk = sk ? bpf_sk_fullsock(sk) : NULL;
	return sk ? read_word(sk, 8) : 0;
}

SEC("tc")
int fields_of_tcp(struct __sk_buff *skb)
{
	struct bpf_sock *sk = skb->sk;
	struct bpf_tcp_sock *tcp = sk ? bpf_tcp_sock(sk) : NULL;

	return tcp ? (int)(tcp->bytes_received + tcp->snd_cwnd + tcp->icsk_retransmits) : 0;
}

BROKEN("context")
SEC("tc")
int half_of_tcp(struct __sk_buff *skb)
{
	struct bpf_sock *sk = skb->sk;
	struct bpf_tcp_sock *tcp = sk ? bpf_tcp_sock(sk) : NULL;

	return tcp ? read_half(tcp, 0) : 0;
}

BROKEN("context")
SEC("tc")
int half_of_tcp_bytes(struct __sk_buff *skb)
{
	struct bpf_sock *sk = skb->sk;
	struct bpf_tcp_sock *tcp = sk ? bpf_tcp_sock(sk) : NULL;

	return tcp ? read_word(tcp, 80) : 0;
}

SEC("tc")
int cast_and_release(struct __sk_buff *skb)
{
	struct bpf_sock_tuple tuple = {};
	struct bpf_sock *sk = bpf_skc_lookup_tcp(skb, &tuple, sizeof(tuple.ipv4), BPF_F_CURRENT_NETNS, 0);
	struct bpf_tcp_sock *tcp;
	int cwnd = 0;

	if (!sk)
		return 0;
	tcp = bpf_tcp_sock(sk);
	if (tcp)
		cwnd = tcp->snd_cwnd;
	bpf_sk_release(sk);
	return cwnd;
}

BROKEN("released")
SEC("tc")
int cast_after_release(struct __sk_buff *skb)
{
	struct bpf_sock_tuple tuple = {};
	struct bpf_sock *sk = bpf_skc_lookup_tcp(skb, &tuple, sizeof(tuple.ipv4), BPF_F_CURRENT_NETNS, 0);
	struct bpf_tcp_sock *tcp;
	int cwnd = 0;

	if (!sk)
		return 0;
	tcp = bpf_tcp_sock(sk);
	bpf_sk_release(sk);
	if (tcp)
		cwnd = tcp->snd_cwnd;
	return cwnd;
}

BROKEN("reference-leak")
SEC("tc")
int kept_where_the_cast_failed(struct __sk_buff *skb)
{
	struct bpf_sock_tuple tuple = {};
	struct bpf_sock *sk = bpf_skc_lookup_tcp(skb, &tuple, sizeof(tuple.ipv4), BPF_F_CURRENT_NETNS, 0);
	struct bpf_tcp_sock *tcp;

	if (!sk)
		return 0;
	tcp = bpf_tcp_sock(sk);
	if (!tcp)
		return 1;
	bpf_sk_release(sk);
	return 0;
}

SEC("sk_lookup")
int socket_from_map(struct bpf_sk_lookup *ctx)
{
	__u32 key = 0;
	struct bpf_sock *sk = bpf_map_lookup_elem(&sockets, &key);
	int type;

	if (!sk)
		return SK_PASS;
	type = sk->type;
	bpf_sk_release(sk);
	return type == 1;
}

BROKEN("reference-leak")
SEC("sk_lookup")
int socket_from_map_kept(struct bpf_sk_lookup *ctx)
{
	__u32 key = 0;
	struct bpf_sock *sk = bpf_map_lookup_elem(&sockets, &key);

	return sk ? sk->type == 1 : SK_PASS;
}

SEC("xdp")
int queue_from_map(struct xdp_md *ctx)
{
	__u32 key = 0;
	struct bpf_xdp_sock *xsk = bpf_map_lookup_elem(&queues, &key);

	return xsk && xsk->queue_id == 3 ? XDP_DROP : XDP_PASS;
}

BROKEN("read-only")
SEC("xdp")
int device_of_map_changed(struct xdp_md *ctx)
{
	__u32 key = 0;
	struct bpf_devmap_val *device = bpf_map_lookup_elem(&devices, &key);

	if (device)
		device->ifindex = 3;
	return XDP_PASS;
}

/* ---- values that a hook does not allow everywhere ---- */

SEC("cgroup_skb/egress")
int egress_may_say_congested(struct __sk_buff *skb)
{
	return skb->len > 1000 ? 3 : 1;
}

BROKEN("return-value")
SEC("cgroup_skb/ingress")
int ingress_may_not(struct __sk_buff *skb)
{
	return skb->len > 1000 ? 3 : 1;
}

SEC("cgroup/bind4")
int bind_may_skip_the_check(struct bpf_sock_addr *ctx)
{
	return ctx->type == 1 ? 3 : 1;
}

BROKEN("return-value")
SEC("cgroup/connect4")
int connect_may_not(struct bpf_sock_addr *ctx)
{
	return ctx->type == 1 ? 3 : 1;
}

BROKEN("return-value")
SEC("cgroup/recvmsg4")
int recvmsg_may_not_deny(struct bpf_sock_addr *ctx)
{
	return ctx->type == 1 ? 0 : 1;
}

/* ---- memory of an option's value goes to any helper ---- */

SEC("cgroup/setsockopt")
int option_to_any_helper(struct bpf_sockopt *ctx)
{
	char *value = ctx->optval, *end = ctx->optval_end;
	long number = 0;

	if (value + 8 > end)
		return 1;
	bpf_strtol(value, 8, 0, &number);
	bpf_get_current_comm(value, 8);
	return number < 7;
}

BROKEN("packet-bounds")
SEC("cgroup/setsockopt")
int option_behind_its_end(struct bpf_sockopt *ctx)
{
	char *value = ctx->optval, *end = ctx->optval_end;

	if (value + 8 > end)
		return 1;
	bpf_get_current_comm(value, 9);
	return 1;
}
