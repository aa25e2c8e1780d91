/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
 *
 * Open-coded iterators: numbers, bits, tasks; loops by them; exceptions.
 */
#include "trace.h"

struct bpf_iter_num {
	__u64 opaque[1];
} __attribute__((aligned(8)));
struct bpf_iter_bits {
	__u64 opaque[2];
} __attribute__((aligned(8)));
struct bpf_iter_task {
	__u64 opaque[3];
} __attribute__((aligned(8)));
extern int bpf_iter_num_new(struct bpf_iter_num *it, int start, int end) __ksym;
extern int *bpf_iter_num_next(struct bpf_iter_num *it) __ksym;
extern void bpf_iter_num_destroy(struct bpf_iter_num *it) __ksym;
extern int bpf_iter_bits_new(struct bpf_iter_bits *it, const __u64 *bits, __u32 words) __ksym;
extern int *bpf_iter_bits_next(struct bpf_iter_bits *it) __ksym;
extern void bpf_iter_bits_destroy(struct bpf_iter_bits *it) __ksym;
extern int bpf_iter_task_new(struct bpf_iter_task *it, struct task_struct *task, unsigned int flags) __ksym;
extern struct task_struct *bpf_iter_task_next(struct bpf_iter_task *it) __ksym;
extern void bpf_iter_task_destroy(struct bpf_iter_task *it) __ksym;
extern void bpf_rcu_read_lock(void) __ksym;
extern void bpf_rcu_read_unlock(void) __ksym;
extern void bpf_throw(__u64 cookie) __ksym;

__u32 table[64];
__u64 total;
__u32 alone[64] SEC(".data.alone");

SEC("raw_tp/sys_enter")
int sum_of_numbers(void *ctx)
{
	struct bpf_iter_num it;
	int *number, sum = 0;

	bpf_iter_num_new(&it, 0, 1000000);
	while ((number = bpf_iter_num_next(&it)))
		sum += *number;
	bpf_iter_num_destroy(&it);
	return sum;
}

SEC("raw_tp/sys_enter")
int numbers_as_indexes(void *ctx)
{
	struct bpf_iter_num it;
	int *number;

	bpf_iter_num_new(&it, 0, 1000000);
	while ((number = bpf_iter_num_next(&it))) {
		int i = *number;
		if (i < 0 || i >= 64)
			break;
		table[i] += i;
	}
	bpf_iter_num_destroy(&it);
	return 0;
}

BROKEN("out-of-bounds")
SEC("raw_tp/sys_enter")
int number_unchecked(void *ctx)
{
	struct bpf_iter_num it;
	int *number;

	bpf_iter_num_new(&it, 0, 64);
	while ((number = bpf_iter_num_next(&it))) {
		int i = *(volatile int *)number;
		if (i <= 64 && i >= 0)
			alone[i] = 1;
	}
	bpf_iter_num_destroy(&it);
	return 0;
}

SEC("raw_tp/sys_enter")
int numbers_within_numbers(void *ctx)
{
	struct bpf_iter_num outer, inner;
	int *i, *k;

	bpf_iter_num_new(&outer, 0, 100);
	while ((i = bpf_iter_num_next(&outer))) {
		bpf_iter_num_new(&inner, 0, 100);
		while ((k = bpf_iter_num_next(&inner)))
			total += *i * *k;
		bpf_iter_num_destroy(&inner);
	}
	bpf_iter_num_destroy(&outer);
	return 0;
}

BROKEN("iterator")
SEC("raw_tp/sys_enter")
int begun_in_each_turn(void *ctx)
{
	struct bpf_iter_num outer, inner;
	int *i;

	bpf_iter_num_new(&outer, 0, 2);
	while ((i = bpf_iter_num_next(&outer)))
		bpf_iter_num_new(&inner, 0, 100);
	bpf_iter_num_destroy(&outer);
	return 0;
}

BROKEN("iterator")
SEC("raw_tp/sys_enter")
int destroyed_twice(void *ctx)
{
	struct bpf_iter_num it;

	bpf_iter_num_new(&it, 0, 2);
	bpf_iter_num_destroy(&it);
	bpf_iter_num_destroy(&it);
	return 0;
}

BROKEN("iterator")
SEC("raw_tp/sys_enter")
int next_after_destroy(void *ctx)
{
	struct bpf_iter_num it;

	bpf_iter_num_new(&it, 0, 2);
	bpf_iter_num_destroy(&it);
	return bpf_iter_num_next(&it) != NULL;
}

BROKEN("iterator")
SEC("raw_tp/sys_enter")
int overwritten(void *ctx)
{
	struct bpf_iter_num it;

	bpf_iter_num_new(&it, 0, 2);
	*(volatile __u64 *)&it = 0;
	bpf_iter_num_destroy(&it);
	return 0;
}

BROKEN("iterator")
SEC("raw_tp/sys_enter")
int destroyed_as_another(void *ctx)
{
	struct bpf_iter_num it[2];

	bpf_iter_num_new(&it[0], 0, 2);
	bpf_iter_num_new(&it[1], 0, 2);
	bpf_iter_bits_destroy((void *)it);
	bpf_iter_num_destroy(&it[0]);
	bpf_iter_num_destroy(&it[1]);
	return 0;
}

SEC("tp_btf/sched_switch")
int BPF_PROG(bits, bool preempt, struct task_struct *prev, struct task_struct *next)
{
	struct bpf_iter_bits it;
	__u64 mask = next->pid;
	int *bit, sum = 0;

	bpf_iter_bits_new(&it, &mask, 1);
	while ((bit = bpf_iter_bits_next(&it)))
		sum += *bit;
	bpf_iter_bits_destroy(&it);
	return sum;
}

SEC("tp_btf/sched_switch")
int BPF_PROG(tasks, bool preempt, struct task_struct *prev, struct task_struct *next)
{
	struct bpf_iter_task it;
	struct task_struct *task;
	int count = 0;

	bpf_rcu_read_lock();
	bpf_iter_task_new(&it, NULL, 0);
	while ((task = bpf_iter_task_next(&it)))
		count += task->pid > 100;
	bpf_iter_task_destroy(&it);
	bpf_rcu_read_unlock();
	return count;
}

BROKEN("lock")
SEC("syscall")
int tasks_without_rcu(void *ctx)
{
	struct bpf_iter_task it;

	bpf_iter_task_new(&it, NULL, 0);
	bpf_iter_task_destroy(&it);
	return 0;
}

/* ---- exceptions ---- */

SEC("tc")
int throws(struct __sk_buff *skb)
{
	if (skb->len > 1000)
		bpf_throw(0);
	return 1;
}

BROKEN("iterator")
SEC("tc")
int throws_while_it_iterates(struct __sk_buff *skb)
{
	struct bpf_iter_num it;

	bpf_iter_num_new(&it, 0, 2);
	if (skb->len > 1000)
		bpf_throw(0);
	bpf_iter_num_destroy(&it);
	return 0;
}
