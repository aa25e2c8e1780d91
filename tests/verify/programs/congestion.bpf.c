/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
 *
 * A TCP congestion control of additive increase, as a table of functions (struct_ops).
 */
#include "trace.h"

#pragma clang attribute push(__attribute__((preserve_access_index)), apply_to = record)
struct inet_connection_sock {
	__u64 icsk_ca_priv[13];
};
struct tcp_sock {
	__u32 snd_cwnd, snd_ssthresh, prior_cwnd, snd_cwnd_clamp;
};
#pragma clang attribute pop
struct tcp_congestion_ops {
	__u32 (*ssthresh)(struct sock *sk);
	void (*cong_avoid)(struct sock *sk, __u32 ack, __u32 acked);
	void (*init)(struct sock *sk);
	__u32 (*undo_cwnd)(struct sock *sk);
	char name[16];
};

static __always_inline struct tcp_sock *tcp_of(struct sock *sk)
{
	return (struct tcp_sock *)sk;
}

SEC("struct_ops/steady_threshold")
__u32 BPF_PROG(steady_threshold, struct sock *sk)
{
	__u32 half = tcp_of(sk)->snd_cwnd >> 1;

	return half > 2 ? half : 2;
}

SEC("struct_ops/steady_avoid")
void BPF_PROG(steady_avoid, struct sock *sk, __u32 ack, __u32 acked)
{
	struct tcp_sock *tcp = tcp_of(sk);

	if (tcp->snd_cwnd < tcp->snd_cwnd_clamp && acked)
		tcp->snd_cwnd = tcp->snd_cwnd + 1;
}

SEC("struct_ops/steady_init")
void BPF_PROG(steady_init, struct sock *sk)
{
	bpf_printk("steady %d", sk->__sk_common.skc_num, 0, 0);
}

SEC("struct_ops/steady_undo")
__u32 BPF_PROG(steady_undo, struct sock *sk)
{
	struct tcp_sock *tcp = tcp_of(sk);

	return tcp->snd_cwnd > tcp->prior_cwnd ? tcp->snd_cwnd : tcp->prior_cwnd;
}

SEC(".struct_ops")
struct tcp_congestion_ops steady = {
        .ssthresh = (void *)steady_threshold,
        .cong_avoid = (void *)steady_avoid,
        .init = (void *)steady_init,
        .undo_cwnd = (void *)steady_undo,
        .name = "picket_steady",
};
