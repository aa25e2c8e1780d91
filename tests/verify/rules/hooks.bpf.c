/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
 *
 * Tables of functions for the kernel (struct_ops), and where programs may sleep.
 */
#include "trace.h"

struct tcp_sock___rule {
	__u32 snd_cwnd, snd_ssthresh, mss_cache;
} __attribute__((preserve_access_index));
struct tcp_congestion_ops {
	__u32 (*ssthresh)(struct sock *sk);
	void (*cong_avoid)(struct sock *sk, __u32 ack, __u32 acked);
	void (*set_state)(struct sock *sk, __u8 state);
	__u32 (*undo_cwnd)(struct sock *sk);
	__u32 (*sndbuf_expand)(struct sock *sk);
	char name[16];
};

#define TCP(sk) ((struct tcp_sock___rule *)(sk))

SEC("struct_ops/rule_threshold")
__u32 BPF_PROG(rule_threshold, struct sock *sk)
{
	return TCP(sk)->snd_cwnd;
}

SEC("struct_ops/rule_avoid")
void BPF_PROG(rule_avoid, struct sock *sk, __u32 ack, __u32 acked)
{
	TCP(sk)->snd_cwnd = acked;
}

BROKEN("read-only")
SEC("struct_ops/rule_state")
void BPF_PROG(rule_state, struct sock *sk, __u8 state)
{
	TCP(sk)->mss_cache = state;
}

BROKEN("context")
SEC("struct_ops/rule_undo")
__u32 BPF_PROG(rule_undo, struct sock *sk, __u32 more)
{
	return more;
}

BROKEN("type")
SEC("struct_ops/rule_expand")
__u32 BPF_PROG(rule_expand, struct sock *sk)
{
	return *(__u32 *)((char *)sk + 65536);
}

SEC(".struct_ops")
struct tcp_congestion_ops rule = {
        .ssthresh = (void *)rule_threshold,
        .cong_avoid = (void *)rule_avoid,
        .set_state = (void *)rule_state,
        .undo_cwnd = (void *)rule_undo,
        .sndbuf_expand = (void *)rule_expand,
        .name = "picket_rule",
};

/* ---- sleeping ---- */

static __noinline int sleep_within(void *to)
{
	return bpf_copy_from_user(to, 8, NULL);
}

SEC("syscall")
int loader_sleeps(void *ctx)
{
	__u64 number;

	return bpf_copy_from_user(&number, sizeof(number), NULL) + sleep_within(&number);
}

SEC("iter.s/task")
int iterator_sleeps(struct bpf_iter__task *ctx)
{
	__u64 number;

	return bpf_copy_from_user(&number, sizeof(number), NULL) == 7;
}

BROKEN("helper")
SEC("iter/task")
int iterator_may_not(struct bpf_iter__task *ctx)
{
	__u64 number;

	return bpf_copy_from_user(&number, sizeof(number), NULL) == 7;
}

extern void bpf_rcu_read_lock(void) __ksym;
extern void bpf_rcu_read_unlock(void) __ksym;
extern void bpf_preempt_disable(void) __ksym;
extern void bpf_preempt_enable(void) __ksym;

BROKEN("lock")
SEC("syscall")
int sleeps_in_a_section(void *ctx)
{
	__u64 number;

	bpf_rcu_read_lock();
	bpf_copy_from_user(&number, sizeof(number), NULL);
	bpf_rcu_read_unlock();
	return 0;
}

BROKEN("lock")
SEC("syscall")
int sleeps_and_cannot_be_interrupted(void *ctx)
{
	__u64 number;

	bpf_preempt_disable();
	bpf_copy_from_user(&number, sizeof(number), NULL);
	bpf_preempt_enable();
	return 0;
}

BROKEN("lock")
SEC("syscall")
int stays_uninterrupted(void *ctx)
{
	bpf_preempt_disable();
	return 0;
}

__noinline int sleep_for_others(__u64 a)
{
	__u64 number;

	return bpf_copy_from_user(&number, sizeof(number), NULL) + a;
}

SEC("syscall")
int global_sleeps(void *ctx)
{
	return sleep_for_others(7);
}

BROKEN("lock")
SEC("syscall")
int global_sleeps_in_a_section(void *ctx)
{
	int r;

	bpf_rcu_read_lock();
	r = sleep_for_others(7);
	bpf_rcu_read_unlock();
	return r;
}
