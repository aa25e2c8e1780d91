/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
 *
 * Mistakes with what is acquired, locked, typed: each program has one.
 */
#include "net.h"

struct record {
	__u64 a, b;
};
struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, 4096);
} ring SEC(".maps");
struct guarded {
	struct bpf_spin_lock lock;
	__u32 count;
};
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 4);
	__type(key, __u32);
	__type(value, struct guarded);
} guarded SEC(".maps");
struct alarm {
	struct bpf_timer timer;
	__u64 count;
};
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 4);
	__type(key, __u32);
	__type(value, struct alarm);
} alarms SEC(".maps");

BROKEN("reference-leak")
SEC("tc")
int record_forgotten(struct __sk_buff *skb)
{
	struct record *r = bpf_ringbuf_reserve(&ring, sizeof(*r), 0);

	if (!r)
		return TC_ACT_OK;
	r->a = skb->len;
	if (skb->len > 1000)
		return TC_ACT_SHOT;
	r->b = 0;
	bpf_ringbuf_submit(r, 0);
	return TC_ACT_OK;
}

BROKEN("released")
SEC("tc")
int record_after_submit(struct __sk_buff *skb)
{
	struct record *r = bpf_ringbuf_reserve(&ring, sizeof(*r), 0);

	if (!r)
		return TC_ACT_OK;
	bpf_ringbuf_submit(r, 0);
	r->a = 1;
	return TC_ACT_OK;
}

BROKEN("released")
SEC("tc")
int record_twice(struct __sk_buff *skb)
{
	struct record *r = bpf_ringbuf_reserve(&ring, sizeof(*r), 0);

	if (!r)
		return TC_ACT_OK;
	if (skb->len > 100)
		bpf_ringbuf_discard(r, 0);
	bpf_ringbuf_submit(r, 0);
	return TC_ACT_OK;
}

BROKEN("argument")
SEC("tc")
int record_from_the_middle(struct __sk_buff *skb)
{
	struct record *r = bpf_ringbuf_reserve(&ring, sizeof(*r), 0);

	if (!r)
		return TC_ACT_OK;
	bpf_ringbuf_submit(&r->b, 0);
	return TC_ACT_OK;
}

BROKEN("reference-leak")
SEC("tc")
int socket_forgotten(struct __sk_buff *skb)
{
	struct bpf_sock_tuple tuple = {};
	struct bpf_sock *sk = bpf_sk_lookup_tcp(skb, &tuple, sizeof(tuple.ipv4), -1, 0);

	return sk && sk->state == BPF_TCP_LISTEN ? TC_ACT_OK : TC_ACT_SHOT;
}

BROKEN("null-pointer")
SEC("tc")
int socket_unchecked(struct __sk_buff *skb)
{
	struct bpf_sock_tuple tuple = {};
	struct bpf_sock *sk = bpf_sk_lookup_udp(skb, &tuple, sizeof(tuple.ipv4), -1, 0);
	__u32 mark = sk->mark;

	bpf_sk_release(sk);
	return mark;
}

BROKEN("released")
SEC("tc")
int socket_after_release(struct __sk_buff *skb)
{
	struct bpf_sock_tuple tuple = {};
	struct bpf_sock *sk = bpf_sk_lookup_tcp(skb, &tuple, sizeof(tuple.ipv4), -1, 0);

	if (!sk)
		return TC_ACT_OK;
	bpf_sk_release(sk);
	return sk->state == BPF_TCP_LISTEN ? TC_ACT_OK : TC_ACT_SHOT;
}

/* The context's socket is not ours to release. */
BROKEN("released")
SEC("tc")
int release_borrowed(struct __sk_buff *skb)
{
	struct bpf_sock *sk = skb->sk;

	if (sk)
		bpf_sk_release(sk);
	return TC_ACT_OK;
}

BROKEN("null-pointer")
SEC("cgroup_skb/egress")
int context_socket_unchecked(struct __sk_buff *skb)
{
	return skb->sk->family == AF_INET;
}

/* ---- locks ---- */
BROKEN("lock")
SEC("tc")
int locked_twice(struct __sk_buff *skb)
{
	__u32 key = 0;
	struct guarded *g = bpf_map_lookup_elem(&guarded, &key);

	if (!g)
		return TC_ACT_OK;
	bpf_spin_lock(&g->lock);
	bpf_spin_lock(&g->lock);
	bpf_spin_unlock(&g->lock);
	return TC_ACT_OK;
}

BROKEN("lock")
SEC("tc")
int lock_kept(struct __sk_buff *skb)
{
	__u32 key = 0;
	struct guarded *g = bpf_map_lookup_elem(&guarded, &key);

	if (!g)
		return TC_ACT_OK;
	bpf_spin_lock(&g->lock);
	g->count++;
	if (g->count > 5)
		return TC_ACT_SHOT;
	bpf_spin_unlock(&g->lock);
	return TC_ACT_OK;
}

BROKEN("lock")
SEC("tc")
int unlock_other(struct __sk_buff *skb)
{
	__u32 a = 0, b = 1;
	struct guarded *first = bpf_map_lookup_elem(&guarded, &a), *second = bpf_map_lookup_elem(&guarded, &b);

	if (!first || !second)
		return TC_ACT_OK;
	bpf_spin_lock(&first->lock);
	bpf_spin_unlock(&second->lock);
	return TC_ACT_OK;
}

BROKEN("lock")
SEC("tc")
int helper_under_lock(struct __sk_buff *skb)
{
	__u32 key = 0;
	struct guarded *g = bpf_map_lookup_elem(&guarded, &key);

	if (!g)
		return TC_ACT_OK;
	bpf_spin_lock(&g->lock);
	g->count = bpf_get_prandom_u32();
	bpf_spin_unlock(&g->lock);
	return TC_ACT_OK;
}

/* The lock itself is written. */
BROKEN("type")
SEC("tc")
int write_lock(struct __sk_buff *skb)
{
	__u32 key = 0;
	struct guarded *g = bpf_map_lookup_elem(&guarded, &key);

	if (g)
		*(volatile __u32 *)&g->lock = 0;
	return TC_ACT_OK;
}

BROKEN("argument")
SEC("tc")
int timer_of_other_map(struct __sk_buff *skb)
{
	__u32 key = 0;
	struct alarm *a = bpf_map_lookup_elem(&alarms, &key);

	if (a)
		bpf_timer_init(&a->timer, &guarded, 1);
	return TC_ACT_OK;
}

/* ---- dynptrs ---- */
BROKEN("reference-leak")
SEC("tc")
int dynptr_forgotten(struct __sk_buff *skb)
{
	struct bpf_dynptr d;

	bpf_ringbuf_reserve_dynptr(&ring, 16, 0, &d);
	return TC_ACT_OK;
}

BROKEN("dynptr")
SEC("tc")
int dynptr_unset(struct __sk_buff *skb)
{
	struct bpf_dynptr d;
	__u32 word;

	return bpf_dynptr_read(&word, 4, &d, 0, 0) ? TC_ACT_OK : TC_ACT_SHOT;
}

BROKEN("dynptr")
SEC("tc")
int dynptr_overwritten(struct __sk_buff *skb)
{
	struct bpf_dynptr d;

	bpf_ringbuf_reserve_dynptr(&ring, 16, 0, &d);
	*(volatile __u64 *)&d = 0;
	bpf_ringbuf_discard_dynptr(&d, 0);
	return TC_ACT_OK;
}

BROKEN("released")
SEC("tc")
int slice_after_submit(struct __sk_buff *skb)
{
	struct bpf_dynptr d;
	__u64 *place;

	bpf_ringbuf_reserve_dynptr(&ring, 16, 0, &d);
	place = bpf_dynptr_data(&d, 0, 8);
	bpf_ringbuf_submit_dynptr(&d, 0);
	if (place)
		*place = 1;
	return TC_ACT_OK;
}
