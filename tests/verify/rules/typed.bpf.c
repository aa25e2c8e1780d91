/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
 *
 * Arguments of hooks, and the kernel's objects: how they are read, and who takes them.
 */
#include "trace.h"

struct task_struct___more {
	struct task_struct *last_wakee;
} __attribute__((preserve_access_index));
#define LAST_WAKEE(task) (((struct task_struct___more *)(task))->last_wakee)

struct rq {
	int cpu;
} __attribute__((preserve_access_index));
extern const struct rq runqueues __ksym;
extern const int bpf_prog_active __ksym;

extern struct task_struct *bpf_task_acquire(struct task_struct *p) __ksym;
extern void bpf_task_release(struct task_struct *p) __ksym;
extern struct task_struct *bpf_task_from_pid(int pid) __ksym;
extern void bpf_rcu_read_lock(void) __ksym;
extern void bpf_rcu_read_unlock(void) __ksym;
extern void *bpf_rdonly_cast(const void *object, __u32 type) __ksym;

struct {
	__uint(type, BPF_MAP_TYPE_TASK_STORAGE);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, int);
	__type(value, __u64);
} storage SEC(".maps");

/* ---- numbers among the arguments: sched_switch(preempt, prev, next, prev_state) ---- */

SEC("tp_btf/sched_switch")
int number_in_parts(__u64 *ctx)
{
	__u64 byte, half, word, whole;

	asm volatile("%0 = *(u8 *)(%4 + 0)\n%1 = *(u16 *)(%4 + 24)\n%2 = *(u32 *)(%4 + 24)\n%3 = *(u64 *)(%4 + 24)"
	             : "=&r"(byte), "=&r"(half), "=&r"(word), "=&r"(whole)
	             : "r"(ctx));
	return byte + half + word + whole;
}

BROKEN("context")
SEC("tp_btf/sched_switch")
int number_from_its_middle(__u64 *ctx)
{
	__u64 word;

	asm volatile("%0 = *(u32 *)(%1 + 28)" : "=r"(word) : "r"(ctx));
	return word;
}

BROKEN("context")
SEC("tp_btf/sched_switch")
int half_of_a_pointer(__u64 *ctx)
{
	__u64 word;

	asm volatile("%0 = *(u32 *)(%1 + 8)" : "=r"(word) : "r"(ctx));
	return word;
}

BROKEN("context")
SEC("tp_btf/sched_switch")
int argument_too_many(__u64 *ctx)
{
	return ctx[4];
}

/* ---- trust ---- */

SEC("tp_btf/sched_switch")
int BPF_PROG(trusted_argument, bool preempt, struct task_struct *prev, struct task_struct *next)
{
	struct task_struct *task = bpf_task_acquire(next);

	if (task)
		bpf_task_release(task);
	return 0;
}

SEC("tp_btf/sched_switch")
int BPF_PROG(trusted_field, bool preempt, struct task_struct *prev, struct task_struct *next)
{
	struct task_struct *leader = next->group_leader, *task;

	if (!leader)
		return 0;
	task = bpf_task_acquire(leader);
	if (task)
		bpf_task_release(task);
	return 0;
}

BROKEN("type")
SEC("tp_btf/sched_switch")
int BPF_PROG(field_of_no_trust, bool preempt, struct task_struct *prev, struct task_struct *next)
{
	struct task_struct *task = bpf_task_acquire(LAST_WAKEE(next));

	if (task)
		bpf_task_release(task);
	return 0;
}

BROKEN("null-pointer")
SEC("tp_btf/sched_switch")
int BPF_PROG(acquired_unchecked, bool preempt, struct task_struct *prev, struct task_struct *next)
{
	bpf_task_release(bpf_task_acquire(next));
	return 0;
}

/* A helper takes what was found by following pointers. */
SEC("tp_btf/sched_switch")
int BPF_PROG(followed_to_helper, bool preempt, struct task_struct *prev, struct task_struct *next)
{
	__u64 *value = bpf_task_storage_get(&storage, LAST_WAKEE(next), 0, BPF_LOCAL_STORAGE_GET_F_CREATE);

	if (value)
		++*value;
	return 0;
}

BROKEN("type")
SEC("tp_btf/sched_switch")
int BPF_PROG(cast_to_helper, bool preempt, struct task_struct *prev, struct task_struct *next)
{
	struct task_struct *cast = bpf_rdonly_cast(next, bpf_core_type_id_kernel(struct task_struct));

	bpf_task_storage_delete(&storage, cast);
	return 0;
}

SEC("tp_btf/sched_switch")
int BPF_PROG(cast_is_read, bool preempt, struct task_struct *prev, struct task_struct *next)
{
	struct task_struct *cast = bpf_rdonly_cast(next, bpf_core_type_id_kernel(struct task_struct));

	return cast->pid + cast->group_leader->pid;
}

SEC("tp_btf/sched_switch")
int BPF_PROG(in_a_section, bool preempt, struct task_struct *prev, struct task_struct *next)
{
	struct task_struct *parent;
	int pid;

	bpf_rcu_read_lock();
	parent = next->real_parent;
	pid = parent->pid;
	bpf_rcu_read_unlock();
	return pid;
}

BROKEN("type")
SEC("tp_btf/sched_switch")
int BPF_PROG(after_its_section, bool preempt, struct task_struct *prev, struct task_struct *next)
{
	struct task_struct *parent, *task;

	bpf_rcu_read_lock();
	parent = next->real_parent;
	bpf_rcu_read_unlock();
	task = bpf_task_acquire(parent);
	if (task)
		bpf_task_release(task);
	return 0;
}

BROKEN("lock")
SEC("tp_btf/sched_switch")
int BPF_PROG(section_ended_twice, bool preempt, struct task_struct *prev, struct task_struct *next)
{
	bpf_rcu_read_lock();
	bpf_rcu_read_unlock();
	bpf_rcu_read_unlock();
	return 0;
}

/* ---- memory for helpers ---- */

SEC("tp_btf/sched_switch")
int BPF_PROG(trusted_as_memory, bool preempt, struct task_struct *prev, struct task_struct *next)
{
	return bpf_strncmp(next->comm, 4, "bash");
}

BROKEN("argument")
SEC("tp_btf/sched_switch")
int BPF_PROG(memory_behind_object, bool preempt, struct task_struct *prev, struct task_struct *next)
{
	return bpf_strncmp((const char *)next + (1 << 16), 4, "bash");
}

BROKEN("argument")
SEC("tp_btf/sched_switch")
int BPF_PROG(untrusted_as_memory, bool preempt, struct task_struct *prev, struct task_struct *next)
{
	return bpf_strncmp(LAST_WAKEE(next)->comm, 4, "bash");
}

/* ---- variables of the kernel ---- */

KERNEL_MAY_REJECT("the kernel may hide where its variables are")
SEC("tp_btf/sched_switch")
int BPF_PROG(percpu_number, bool preempt, struct task_struct *prev, struct task_struct *next)
{
	const int *mine = bpf_this_cpu_ptr(&bpf_prog_active), *first = bpf_per_cpu_ptr(&bpf_prog_active, 0);

	return *mine + (first ? *first : 0);
}

BROKEN("null-pointer")
SEC("tp_btf/sched_switch")
int BPF_PROG(percpu_unchecked, bool preempt, struct task_struct *prev, struct task_struct *next)
{
	return *(volatile int *)bpf_per_cpu_ptr(&bpf_prog_active, 0);
}

BROKEN("out-of-bounds")
SEC("tp_btf/sched_switch")
int BPF_PROG(percpu_beyond, bool preempt, struct task_struct *prev, struct task_struct *next)
{
	return ((volatile int *)bpf_this_cpu_ptr(&bpf_prog_active))[1];
}

BROKEN("read-only")
SEC("tp_btf/sched_switch")
int BPF_PROG(percpu_written, bool preempt, struct task_struct *prev, struct task_struct *next)
{
	*(volatile int *)bpf_this_cpu_ptr(&bpf_prog_active) = 1;
	return 0;
}

BROKEN("type")
SEC("tp_btf/sched_switch")
int BPF_PROG(percpu_followed, bool preempt, struct task_struct *prev, struct task_struct *next)
{
	return *(volatile int *)&bpf_prog_active;
}

KERNEL_MAY_REJECT("the kernel may hide where its variables are")
SEC("tp_btf/sched_switch")
int BPF_PROG(percpu_object, bool preempt, struct task_struct *prev, struct task_struct *next)
{
	const struct rq *mine = bpf_this_cpu_ptr(&runqueues);

	return mine->cpu;
}

BROKEN("argument")
SEC("tp_btf/sched_switch")
int BPF_PROG(no_percpu_variable, bool preempt, struct task_struct *prev, struct task_struct *next)
{
	return bpf_per_cpu_ptr(next, 0) != NULL;
}

/* ---- what a program may return ---- */

SEC("iter/task")
int iterator_says_again(struct bpf_iter__task *ctx)
{
	return 1;
}

BROKEN("return-value")
SEC("iter/task")
int iterator_says_two(struct bpf_iter__task *ctx)
{
	return 2;
}
