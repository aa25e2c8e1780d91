/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
 *
 * Callbacks, timers, locks, ring buffers from user space.
 */
#include "trace.h"

struct session {
	__u64 last_ns, bytes;
};
MAP(sessions, BPF_MAP_TYPE_HASH, 4096, __u32, struct session);
MAP(totals, BPF_MAP_TYPE_ARRAY, 4, __u32, struct session);

struct expiry {
	__u64 before_ns;
	__u32 removed, kept;
};

static long expire(void *map, __u32 *key, struct session *s, struct expiry *e)
{
	if (s->last_ns < e->before_ns) {
		bpf_map_delete_elem(map, key);
		e->removed++;
	} else {
		e->kept++;
	}
	return e->removed > 100;
}

SEC("raw_tp/sys_enter")
int expire_sessions(void *ctx)
{
	struct expiry e = {.before_ns = bpf_ktime_get_ns() - 60000000000ull};

	bpf_for_each_map_elem(&sessions, expire, &e, 0);
	bpf_printk("%u %u", e.removed, e.kept, 0);
	return 0;
}

static long add_up(void *map, __u32 *key, struct session *s, __u64 *sum)
{
	*sum += s->bytes;
	return 0;
}

SEC("raw_tp/sys_enter")
int sum_array_elements(void *ctx)
{
	struct session *first;
	__u64 sum = 0;
	__u32 zero = 0;

	bpf_for_each_map_elem(&totals, add_up, &sum, 0);
	first = bpf_map_lookup_elem(&totals, &zero);
	if (first)
		first->bytes = sum;
	return 0;
}

/* ---- timers ---- */
struct alarm {
	struct bpf_timer timer;
	__u64 fired;
};
MAP(alarms, BPF_MAP_TYPE_HASH, 64, __u32, struct alarm);

static int ring_alarm(void *map, __u32 *key, struct alarm *a)
{
	a->fired++;
	if (a->fired < 10)
		bpf_timer_start(&a->timer, 1000000000, 0);
	return 0;
}

SEC("tc")
int start_alarm(struct __sk_buff *skb)
{
	__u32 key = skb->ifindex & 63;
	struct alarm empty = {}, *a;

	a = bpf_map_lookup_elem(&alarms, &key);
	if (!a) {
		bpf_map_update_elem(&alarms, &key, &empty, BPF_NOEXIST);
		a = bpf_map_lookup_elem(&alarms, &key);
		if (!a)
			return 0;
	}
	if (bpf_timer_init(&a->timer, &alarms, 1 /* CLOCK_MONOTONIC */))
		return 0;
	bpf_timer_set_callback(&a->timer, ring_alarm);
	bpf_timer_start(&a->timer, 1000000000, 0);
	return 0;
}

SEC("tc")
int stop_alarm(struct __sk_buff *skb)
{
	__u32 key = skb->ifindex & 63;
	struct alarm *a = bpf_map_lookup_elem(&alarms, &key);

	if (a)
		bpf_timer_cancel(&a->timer);
	return 0;
}

/* ---- locks ---- */
struct guarded {
	struct bpf_spin_lock lock;
	__u32 count;
	__u64 sum, most;
};
MAP(guarded, BPF_MAP_TYPE_ARRAY, 16, __u32, struct guarded);

SEC("tc")
int update_under_lock(struct __sk_buff *skb)
{
	__u32 key = skb->queue_mapping & 15;
	struct guarded *g = bpf_map_lookup_elem(&guarded, &key);
	__u32 length = skb->len;

	if (!g)
		return 0;
	bpf_spin_lock(&g->lock);
	g->count++;
	g->sum += length;
	if (length > g->most)
		g->most = length;
	bpf_spin_unlock(&g->lock);
	return 0;
}

SEC("tc")
int lock_with_two_ways_out(struct __sk_buff *skb)
{
	__u32 key = 3;
	struct guarded *g = bpf_map_lookup_elem(&guarded, &key);
	int result;

	if (!g)
		return 0;
	bpf_spin_lock(&g->lock);
	if (g->count > 1000) {
		g->count = 0;
		bpf_spin_unlock(&g->lock);
		return 2;
	}
	g->count++;
	result = g->sum > 5;
	bpf_spin_unlock(&g->lock);
	return result;
}

SEC("tc")
int copy_under_lock(struct __sk_buff *skb)
{
	struct guarded copy = {};
	__u32 key = 1;

	copy.sum = skb->len;
	bpf_map_update_elem(&guarded, &key, &copy, BPF_F_LOCK);
	return 0;
}

/* ---- from user space ---- */
struct {
	__uint(type, BPF_MAP_TYPE_USER_RINGBUF);
	__uint(max_entries, 1 << 14);
} commands SEC(".maps");

struct command {
	__u32 what;
	__u32 key;
	__u64 value;
};

static long run_command(struct bpf_dynptr *record, void *data)
{
	struct command c, *p;
	struct session s = {};
	__u32 *done = data;

	if (bpf_dynptr_read(&c, sizeof(c), record, 0, 0))
		return 1;
	p = bpf_dynptr_data(record, 0, sizeof(*p));
	if (!p)
		return 1;
	switch (c.what) {
	case 1:
		s.bytes = p->value;
		bpf_map_update_elem(&sessions, &c.key, &s, BPF_ANY);
		break;
	case 2:
		bpf_map_delete_elem(&sessions, &c.key);
		break;
	}
	(*done)++;
	return 0;
}

SEC("raw_tp/sys_enter")
int take_commands(void *ctx)
{
	__u32 done = 0;

	bpf_user_ringbuf_drain(&commands, run_command, &done, 0);
	return done > 10;
}

/* ---- ring buffers ---- */
RING(ring, 1 << 16);

SEC("raw_tp/sys_enter")
int reserve_in_branches(void *ctx)
{
	__u64 *r = bpf_ringbuf_reserve(&ring, 32, 0);

	if (!r)
		return 0;
	r[0] = bpf_ktime_get_ns();
	r[1] = bpf_get_current_pid_tgid();
	if (r[1] & 1) {
		r[2] = 1;
		r[3] = 0;
		bpf_ringbuf_submit(r, BPF_RB_NO_WAKEUP);
	} else {
		bpf_ringbuf_discard(r, 0);
	}
	return 0;
}

SEC("raw_tp/sys_enter")
int two_records(void *ctx)
{
	__u32 *a, *b;

	a = bpf_ringbuf_reserve(&ring, 8, 0);
	if (!a)
		return 0;
	b = bpf_ringbuf_reserve(&ring, 16, 0);
	if (!b) {
		bpf_ringbuf_discard(a, 0);
		return 0;
	}
	a[0] = 1;
	b[3] = a[1];
	bpf_ringbuf_submit(b, 0);
	bpf_ringbuf_submit(a, 0);
	return 0;
}

SEC("raw_tp/sys_enter")
int output_what_fits(void *ctx)
{
	struct session s = {};

	if (bpf_ringbuf_query(&ring, BPF_RB_AVAIL_DATA) > 32768)
		return 0;
	s.last_ns = bpf_ktime_get_ns();
	bpf_ringbuf_output(&ring, &s, sizeof(s), 0);
	return 0;
}

SEC("raw_tp/sys_enter")
int record_of_variable_size(void *ctx)
{
	__u32 size = 16 + (bpf_get_prandom_u32() & 63);
	struct bpf_dynptr d;
	__u64 now = bpf_ktime_get_ns(), *place;

	if (bpf_ringbuf_reserve_dynptr(&ring, size, 0, &d)) {
		bpf_ringbuf_discard_dynptr(&d, 0);
		return 0;
	}
	bpf_dynptr_write(&d, 0, &now, sizeof(now), 0);
	place = bpf_dynptr_data(&d, 8, 8);
	if (place)
		*place = size;
	bpf_ringbuf_submit_dynptr(&d, 0);
	return 0;
}

/* A map's value as a dynptr: read at an offset that is known at run time only. */
MAP(blobs, BPF_MAP_TYPE_ARRAY, 4, __u32, char[256]);

SEC("raw_tp/sys_enter")
int dynptr_of_map_value(void *ctx)
{
	struct bpf_dynptr d;
	__u32 zero = 0, word = 0;
	char *blob = bpf_map_lookup_elem(&blobs, &zero);

	if (!blob)
		return 0;
	bpf_dynptr_from_mem(blob, 256, 0, &d);
	if (bpf_dynptr_read(&word, sizeof(word), &d, bpf_get_prandom_u32() & 255, 0))
		return 0;
	return word == 7;
}

struct find {
	__u32 wanted;
	int cpu;
};

static long on_task_vma(struct task_struct *task, void *vma, void *data)
{
	*(__u32 *)data = task->pid;
	return 0;
}

SEC("raw_tp/sys_enter")
int find_mapping(void *ctx)
{
	struct task_struct *task = bpf_get_current_task_btf();
	__u32 pid = 0;

	bpf_find_vma(task, 0x400000, on_task_vma, &pid, 0);
	return pid == 1;
}
