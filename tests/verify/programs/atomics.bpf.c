/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
 *
 * Atomic operations that return what was there before: counters, tickets, claims, flags.
 */
#include "trace.h"

struct state {
	__u64 ticket, owner, flags;
	__u32 small, pad;
};
MAP(states, BPF_MAP_TYPE_ARRAY, 8, __u32, struct state);
static __u64 sequence;
__u64 samples[16];

SEC("raw_tp/sys_enter")
int ticket(void *ctx)
{
	__u32 key = bpf_get_smp_processor_id() & 7;
	struct state *s = bpf_map_lookup_elem(&states, &key);
	__u64 mine;

	if (!s)
		return 0;
	mine = __sync_fetch_and_add(&s->ticket, 1);
	samples[mine & 15] = bpf_ktime_get_ns();
	return 0;
}

SEC("raw_tp/sys_enter")
int claim(void *ctx)
{
	__u64 id = bpf_get_current_pid_tgid(), before;
	__u32 key = 0;
	struct state *s = bpf_map_lookup_elem(&states, &key);

	if (!s)
		return 0;
	before = __sync_val_compare_and_swap(&s->owner, 0, id);
	if (before && before != id)
		return 0;
	s->small++;
	__sync_lock_test_and_set(&s->owner, 0);
	return 0;
}

SEC("raw_tp/sys_enter")
int set_flags(void *ctx)
{
	__u32 key = 1;
	struct state *s = bpf_map_lookup_elem(&states, &key);
	__u64 old;

	if (!s)
		return 0;
	old = __sync_fetch_and_or(&s->flags, 1ull << (bpf_get_smp_processor_id() & 63));
	if (old == ~0ull)
		__sync_fetch_and_and(&s->flags, 1);
	__sync_fetch_and_xor(&s->flags, 2);
	return 0;
}

SEC("raw_tp/sys_enter")
int one_in_a_hundred(void *ctx)
{
	if (__sync_fetch_and_add(&sequence, 1) % 100)
		return 0;
	bpf_printk("%llu %d %d", sequence, 0, 0);
	return 0;
}

SEC("raw_tp/sys_enter")
int on_stack(void *ctx)
{
	__u64 local = bpf_ktime_get_ns(), old;

	old = __sync_fetch_and_add(&local, 8);
	return local - old != 8;
}

SEC("raw_tp/sys_enter")
int index_by_ticket(void *ctx)
{
	__u32 key = 2, at;
	struct state *s = bpf_map_lookup_elem(&states, &key);

	if (!s)
		return 0;
	at = __sync_fetch_and_add(&s->small, 1);
	if (at >= 16) {
		s->small = 0;
		return 0;
	}
	samples[at] = at;
	return 0;
}
