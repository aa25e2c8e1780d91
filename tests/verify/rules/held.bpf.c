/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
 *
 * Locks, timers, work and pointers to objects in maps' values.
 */
#include "trace.h"

struct bpf_wq {
	__u64 opaque[2];
} __attribute__((aligned(8)));

extern int bpf_wq_init(struct bpf_wq *wq, void *map, unsigned int flags) __ksym;
extern int bpf_wq_start(struct bpf_wq *wq, unsigned int flags) __ksym;
extern int bpf_wq_set_callback_impl(struct bpf_wq *wq, int(callback)(void *map, int *key, void *value),
                                    unsigned int flags, void *aux) __ksym;

struct locked {
	__u64 before;
	struct bpf_spin_lock lock;
	__u32 count;
};
MAP(locks, BPF_MAP_TYPE_ARRAY, 4, __u32, struct locked);
MAP(other_locks, BPF_MAP_TYPE_HASH, 4, __u32, struct locked);

struct timed {
	struct bpf_timer timer;
	__u64 count;
};
MAP(timers, BPF_MAP_TYPE_HASH, 4, __u32, struct timed);

struct worked {
	struct bpf_wq work;
	__u64 count;
};
MAP(works, BPF_MAP_TYPE_HASH, 4, __u32, struct worked);

struct bpf_spin_lock lock_of_data SEC(".data.lock");
__u64 guarded_by_data SEC(".data.lock");

/* ---- locks ---- */

SEC("tc")
int lock_and_unlock(struct __sk_buff *skb)
{
	__u32 key = skb->len & 3;
	struct locked *v = bpf_map_lookup_elem(&locks, &key);

	if (!v)
		return 0;
	bpf_spin_lock(&v->lock);
	v->count++;
	bpf_spin_unlock(&v->lock);
	return 0;
}

BROKEN("lock")
SEC("tc")
int unlock_another_element(struct __sk_buff *skb)
{
	__u32 one = 1, two = skb->len & 3;
	struct locked *a = bpf_map_lookup_elem(&locks, &one), *b = bpf_map_lookup_elem(&locks, &two);

	if (!a || !b)
		return 0;
	bpf_spin_lock(&a->lock);
	bpf_spin_unlock(&b->lock);
	return 0;
}

BROKEN("lock")
SEC("tc")
int unlock_another_map(struct __sk_buff *skb)
{
	__u32 one = 1;
	struct locked *a = bpf_map_lookup_elem(&locks, &one), *b = bpf_map_lookup_elem(&other_locks, &one);

	if (!a || !b)
		return 0;
	bpf_spin_lock(&a->lock);
	bpf_spin_unlock(&b->lock);
	return 0;
}

BROKEN("argument")
SEC("tc")
int no_lock_there(struct __sk_buff *skb)
{
	__u32 one = 1;
	struct locked *a = bpf_map_lookup_elem(&locks, &one);

	if (!a)
		return 0;
	bpf_spin_lock((void *)&a->count);
	bpf_spin_unlock((void *)&a->count);
	return 0;
}

BROKEN("type")
SEC("tc")
int lock_read(struct __sk_buff *skb)
{
	__u32 one = 1;
	struct locked *a = bpf_map_lookup_elem(&locks, &one);

	return a ? *(volatile __u32 *)&a->lock : 0;
}

BROKEN("type")
SEC("tc")
int lock_as_memory(struct __sk_buff *skb)
{
	__u32 one = 1;
	struct locked *a = bpf_map_lookup_elem(&locks, &one);

	if (a)
		bpf_skb_load_bytes(skb, 0, a, 12);
	return 0;
}

SEC("tc")
int lock_of_a_variable(struct __sk_buff *skb)
{
	bpf_spin_lock(&lock_of_data);
	guarded_by_data++;
	bpf_spin_unlock(&lock_of_data);
	return 0;
}

static __noinline __u64 more(__u64 a)
{
	return a * 3;
}

SEC("tc")
int function_under_lock(struct __sk_buff *skb)
{
	bpf_spin_lock(&lock_of_data);
	guarded_by_data = more(guarded_by_data);
	bpf_spin_unlock(&lock_of_data);
	return 0;
}

/* ---- timers ---- */

static int tick(void *map, __u32 *key, struct timed *value)
{
	value->count += *key;
	bpf_timer_start(&value->timer, 1000000, 0);
	return 0;
}

SEC("tc")
int timer_is_set(struct __sk_buff *skb)
{
	__u32 key = 1;
	struct timed *v = bpf_map_lookup_elem(&timers, &key);

	if (!v || bpf_timer_init(&v->timer, &timers, 1))
		return 0;
	bpf_timer_set_callback(&v->timer, tick);
	bpf_timer_start(&v->timer, 1000000, 0);
	return 0;
}

static int tick_again(void *map, __u32 *key, struct timed *value)
{
	bpf_timer_set_callback(&value->timer, tick_again);
	bpf_timer_start(&value->timer, 1000000, 0);
	return 0;
}

SEC("tc")
int timer_sets_itself(struct __sk_buff *skb)
{
	__u32 key = 1;
	struct timed *v = bpf_map_lookup_elem(&timers, &key);

	if (v)
		bpf_timer_set_callback(&v->timer, tick_again);
	return 0;
}

static int tick_wrong(void *map, __u32 *key, struct timed *value)
{
	return value->count & 1;
}

BROKEN("return-value")
SEC("tc")
int timer_returns(struct __sk_buff *skb)
{
	__u32 key = 1;
	struct timed *v = bpf_map_lookup_elem(&timers, &key);

	if (v)
		bpf_timer_set_callback(&v->timer, tick_wrong);
	return 0;
}

static int tick_beyond(void *map, __u32 *key, struct timed *value)
{
	return *(volatile __u64 *)(&value->count + 1) & 0;
}

BROKEN("out-of-bounds")
SEC("tc")
int timer_reads_beyond(struct __sk_buff *skb)
{
	__u32 key = 1;
	struct timed *v = bpf_map_lookup_elem(&timers, &key);

	if (v)
		bpf_timer_set_callback(&v->timer, tick_beyond);
	return 0;
}

BROKEN("argument")
SEC("tc")
int timer_of_no_timer(struct __sk_buff *skb)
{
	__u32 key = 1;
	struct timed *v = bpf_map_lookup_elem(&timers, &key);

	if (v)
		bpf_timer_cancel((void *)&v->count);
	return 0;
}

/* What is wrong in a callback is wrong, too, where the loop before it is walked turn by turn. */
static int tick_after_loop(void *map, __u32 *key, struct timed *value)
{
	return *(volatile __u64 *)(&value->count + 1) & 0;
}

BROKEN("out-of-bounds")
SEC("tc")
int timer_after_a_loop(struct __sk_buff *skb)
{
	__u32 key = 1, sum = 0;
	struct timed *v = bpf_map_lookup_elem(&timers, &key);

	if (!v)
		return 0;
	for (__u32 i = 0; i < 20; i++)
		sum += bpf_get_prandom_u32() & 3;
	bpf_timer_set_callback(&v->timer, tick_after_loop);
	return sum;
}

/* ---- work ---- */

static int work(void *map, int *key, void *value)
{
	struct worked *w = value;

	w->count++;
	return 0;
}

SEC("tc")
int work_is_queued(struct __sk_buff *skb)
{
	__u32 key = 1;
	struct worked *v = bpf_map_lookup_elem(&works, &key);

	if (!v || bpf_wq_init(&v->work, &works, 0))
		return 0;
	if (!bpf_wq_set_callback_impl(&v->work, work, 0, NULL))
		bpf_wq_start(&v->work, 0);
	return 0;
}

static int work_wrong(void *map, int *key, void *value)
{
	return *key & 1;
}

BROKEN("return-value")
SEC("tc")
int work_returns(struct __sk_buff *skb)
{
	__u32 key = 1;
	struct worked *v = bpf_map_lookup_elem(&works, &key);

	if (v)
		bpf_wq_set_callback_impl(&v->work, work_wrong, 0, NULL);
	return 0;
}

static int work_sleeps(void *map, int *key, void *value)
{
	__u64 number;

	bpf_copy_from_user(&number, sizeof(number), NULL);
	return 0;
}

SEC("tc")
int work_may_sleep(struct __sk_buff *skb)
{
	__u32 key = 1;
	struct worked *v = bpf_map_lookup_elem(&works, &key);

	if (v)
		bpf_wq_set_callback_impl(&v->work, work_sleeps, 0, NULL);
	return 0;
}

/* ---- pointers to objects ---- */
#if __clang_major__ >= 15 /* older ones forget the tags */

extern struct task_struct *bpf_task_acquire(struct task_struct *p) __ksym;
extern void bpf_task_release(struct task_struct *p) __ksym;

struct kept {
	struct task_struct __attribute__((btf_type_tag("kptr"))) * task;
	struct task_struct __attribute__((btf_type_tag("kptr_untrusted"))) * seen;
	__u64 count;
};
MAP(tasks, BPF_MAP_TYPE_HASH, 4, __u32, struct kept);

SEC("tp_btf/sched_switch")
int BPF_PROG(task_put_into_map, bool preempt, struct task_struct *prev, struct task_struct *next)
{
	__u32 key = 1;
	struct kept *v = bpf_map_lookup_elem(&tasks, &key);
	struct task_struct *task, *old;

	if (!v)
		return 0;
	task = bpf_task_acquire(next);
	if (!task)
		return 0;
	old = bpf_kptr_xchg(&v->task, task);
	if (old)
		bpf_task_release(old);
	return 0;
}

BROKEN("reference-leak")
SEC("tp_btf/sched_switch")
int BPF_PROG(old_task_forgotten, bool preempt, struct task_struct *prev, struct task_struct *next)
{
	__u32 key = 1;
	struct kept *v = bpf_map_lookup_elem(&tasks, &key);

	if (!v)
		return 0;
	bpf_kptr_xchg(&v->task, NULL);
	return 0;
}

BROKEN("type")
SEC("tp_btf/sched_switch")
int BPF_PROG(task_stored_directly, bool preempt, struct task_struct *prev, struct task_struct *next)
{
	__u32 key = 1;
	struct kept *v = bpf_map_lookup_elem(&tasks, &key);

	if (v)
		v->task = next;
	return 0;
}

BROKEN("null-pointer")
SEC("tp_btf/sched_switch")
int BPF_PROG(pointer_read_unchecked, bool preempt, struct task_struct *prev, struct task_struct *next)
{
	__u32 key = 1;
	struct kept *v = bpf_map_lookup_elem(&tasks, &key);

	return v ? v->task->pid : 0;
}

SEC("tp_btf/sched_switch")
int BPF_PROG(pointer_acquired_from_map, bool preempt, struct task_struct *prev, struct task_struct *next)
{
	__u32 key = 1;
	struct kept *v = bpf_map_lookup_elem(&tasks, &key);
	struct task_struct *task = v ? v->task : NULL;

	task = task ? bpf_task_acquire(task) : NULL;
	if (task)
		bpf_task_release(task);
	return 0;
}

BROKEN("type")
SEC("tp_btf/sched_switch")
int BPF_PROG(half_of_the_pointer, bool preempt, struct task_struct *prev, struct task_struct *next)
{
	__u32 key = 1;
	struct kept *v = bpf_map_lookup_elem(&tasks, &key);

	return v ? *(volatile __u32 *)&v->task : 0;
}

BROKEN("argument")
SEC("tp_btf/sched_switch")
int BPF_PROG(no_pointer_there, bool preempt, struct task_struct *prev, struct task_struct *next)
{
	__u32 key = 1;
	struct kept *v = bpf_map_lookup_elem(&tasks, &key);
	struct task_struct *old;

	if (!v)
		return 0;
	old = bpf_kptr_xchg(&v->count, NULL);
	if (old)
		bpf_task_release(old);
	return 0;
}

SEC("tp_btf/sched_switch")
int BPF_PROG(untrusted_stored, bool preempt, struct task_struct *prev, struct task_struct *next)
{
	__u32 key = 1;
	struct kept *v = bpf_map_lookup_elem(&tasks, &key);

	if (!v)
		return 0;
	v->seen = next;
	return v->seen ? v->seen->pid : 0;
}

BROKEN("type")
SEC("tp_btf/sched_switch")
int BPF_PROG(number_stored, bool preempt, struct task_struct *prev, struct task_struct *next)
{
	__u32 key = 1;
	struct kept *v = bpf_map_lookup_elem(&tasks, &key);

	if (v)
		*(volatile __u64 *)&v->seen = 4096;
	return 0;
}

BROKEN("type")
SEC("tp_btf/sched_switch")
int BPF_PROG(untrusted_acquired_from_map, bool preempt, struct task_struct *prev, struct task_struct *next)
{
	__u32 key = 1;
	struct kept *v = bpf_map_lookup_elem(&tasks, &key);
	struct task_struct *task = v ? v->seen : NULL;

	task = task ? bpf_task_acquire(task) : NULL;
	if (task)
		bpf_task_release(task);
	return 0;
}

#endif
