/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
 *
 * Objects of the kernel that programs keep and refer to: local storage, kptrs, references, control groups.
 */
#include "trace.h"

#define MAP_TYPE_CGRP_STORAGE 32 /* older headers do not have it */
#define __kptr_tag __attribute__((btf_type_tag("kptr")))

extern struct task_struct *bpf_task_acquire(struct task_struct *p) __ksym;
extern void bpf_task_release(struct task_struct *p) __ksym;
extern struct task_struct *bpf_task_from_pid(int pid) __ksym;
extern struct cgroup *bpf_cgroup_acquire(struct cgroup *cgrp) __ksym;
extern void bpf_cgroup_release(struct cgroup *cgrp) __ksym;
extern struct cgroup *bpf_cgroup_from_id(__u64 id) __ksym;
extern struct cgroup *bpf_cgroup_ancestor(struct cgroup *cgrp, int level) __ksym;
extern void bpf_rcu_read_lock(void) __ksym;
extern void bpf_rcu_read_unlock(void) __ksym;

#if __clang_major__ >= 15 /* older ones forget the tag */
struct kept {
	struct task_struct __kptr_tag *task;
	__u64 since_ns;
};
MAP(kept, BPF_MAP_TYPE_HASH, 128, __u32, struct kept);

SEC("tp_btf/sched_process_exec")
int BPF_PROG(keep_task, struct task_struct *task)
{
	__u32 pid = task->tgid;
	struct kept empty = {}, *k;
	struct task_struct *mine, *old;

	bpf_map_update_elem(&kept, &pid, &empty, BPF_NOEXIST);
	k = bpf_map_lookup_elem(&kept, &pid);
	if (!k)
		return 0;
	mine = bpf_task_acquire(task);
	if (!mine)
		return 0;
	k->since_ns = bpf_ktime_get_ns();
	old = bpf_kptr_xchg(&k->task, mine);
	if (old)
		bpf_task_release(old);
	return 0;
}

SEC("tp_btf/sched_process_exit")
int BPF_PROG(drop_task, struct task_struct *task)
{
	__u32 pid = task->tgid;
	struct kept *k = bpf_map_lookup_elem(&kept, &pid);
	struct task_struct *old;

	if (!k)
		return 0;
	old = bpf_kptr_xchg(&k->task, NULL);
	if (!old)
		return 0;
	if (old->pid != pid)
		bpf_printk("%d %d", pid, old->pid, 0);
	bpf_task_release(old);
	return 0;
}

#endif

SEC("tp_btf/sched_switch")
int BPF_PROG(look_up_pid, bool preempt, struct task_struct *previous, struct task_struct *next)
{
	struct task_struct *init = bpf_task_from_pid(1);
	int result;

	if (!init)
		return 0;
	result = init->tgid == previous->tgid;
	bpf_task_release(init);
	return result;
}

SEC("tp_btf/sched_process_exec")
int BPF_PROG(group_by_id, struct task_struct *task)
{
	struct cgroup *group = bpf_cgroup_from_id(bpf_get_current_cgroup_id()), *root;

	if (!group)
		return 0;
	root = bpf_cgroup_ancestor(group, 0);
	if (root) {
		bpf_printk("%d below %d", group->level, root->level, 0);
		bpf_cgroup_release(root);
	}
	bpf_cgroup_release(group);
	return 0;
}

struct {
	__uint(type, MAP_TYPE_CGRP_STORAGE);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, int);
	__type(value, __u64);
} by_cgroup SEC(".maps");

SEC("tp_btf/sys_enter")
int BPF_PROG(calls_of_group, struct pt_regs *regs, long number)
{
	struct task_struct *task = bpf_get_current_task_btf();
	struct cgroup *group;
	__u64 *n;

	bpf_rcu_read_lock();
	group = task->cgroups->dfl_cgrp;
	n = bpf_cgrp_storage_get(&by_cgroup, group, NULL, BPF_LOCAL_STORAGE_GET_F_CREATE);
	if (n)
		__sync_fetch_and_add(n, 1);
	bpf_rcu_read_unlock();
	return 0;
}

struct {
	__uint(type, BPF_MAP_TYPE_TASK_STORAGE);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, int);
	__type(value, __u64);
} by_task SEC(".maps");

SEC("tp_btf/sys_enter")
int BPF_PROG(enter_time, struct pt_regs *regs, long number)
{
	__u64 *t = bpf_task_storage_get(&by_task, bpf_get_current_task_btf(), NULL, BPF_LOCAL_STORAGE_GET_F_CREATE);

	if (t)
		*t = bpf_ktime_get_ns();
	return 0;
}

MAP(slow, BPF_MAP_TYPE_LRU_HASH, 512, long, __u64);

SEC("tp_btf/sys_exit")
int BPF_PROG(exit_time, struct pt_regs *regs, long ret)
{
	struct task_struct *task = bpf_get_current_task_btf();
	__u64 *t = bpf_task_storage_get(&by_task, task, NULL, 0), delta;
	long number;

	if (!t || !*t)
		return 0;
	delta = bpf_ktime_get_ns() - *t;
	*t = 0;
	if (delta < 1000000)
		return 0;
	number = BPF_CORE_READ(regs, orig_ax);
	bpf_map_update_elem(&slow, &number, &delta, BPF_ANY);
	return 0;
}

SEC("tp_btf/sys_enter")
int BPF_PROG(parent_in_rcu, struct pt_regs *regs, long number)
{
	struct task_struct *task = bpf_get_current_task_btf(), *parent, *mine;

	bpf_rcu_read_lock();
	parent = task->real_parent;
	mine = parent ? bpf_task_acquire(parent) : NULL;
	bpf_rcu_read_unlock();
	if (!mine)
		return 0;
	bpf_printk("%d", mine->pid, 0, 0);
	bpf_task_release(mine);
	return 0;
}

SEC("tp_btf/sched_process_exec")
int BPF_PROG(cgroup_reference, struct task_struct *task)
{
	struct cgroup *group;

	bpf_rcu_read_lock();
	group = bpf_cgroup_acquire(task->cgroups->dfl_cgrp);
	bpf_rcu_read_unlock();
	if (!group)
		return 0;
	bpf_printk("%d", group->level, 0, 0);
	bpf_cgroup_release(group);
	return 0;
}
