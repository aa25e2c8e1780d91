/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
 *
 * Typed tracepoints (tp_btf): tasks, control groups, namespaces, sockets and packets by the kernel's own types.
 */
#include "trace.h"

#define AF_INET 2

struct exec_event {
	__u64 cgroup, start_ns;
	__u32 pid, parent, uid, mount_namespace;
	char comm[COMM_BYTES], parent_comm[COMM_BYTES];
};
RING(events, 1 << 18);

SEC("tp_btf/sched_process_exec")
int BPF_PROG(on_exec, struct task_struct *task, int old_pid, struct linux_binprm *binprm)
{
	struct exec_event *e = bpf_ringbuf_reserve(&events, sizeof(*e), 0);

	if (!e)
		return 0;
	e->cgroup = bpf_get_current_cgroup_id();
	e->start_ns = task->start_boottime;
	e->pid = task->tgid;
	e->parent = task->real_parent->tgid;
	e->uid = task->cred->uid.val;
	e->mount_namespace = task->nsproxy->mnt_ns->ns.inum;
	bpf_probe_read_kernel_str(e->comm, sizeof(e->comm), task->comm);
	BPF_CORE_READ_STR_INTO(&e->parent_comm, task, real_parent, comm);
	bpf_ringbuf_submit(e, 0);
	return 0;
}

struct life {
	__u64 born_ns, forks;
};
struct {
	__uint(type, BPF_MAP_TYPE_TASK_STORAGE);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, int);
	__type(value, struct life);
} lives SEC(".maps");

SEC("tp_btf/sched_process_fork")
int BPF_PROG(on_fork, struct task_struct *parent, struct task_struct *child)
{
	struct life *mother = bpf_task_storage_get(&lives, parent, NULL, BPF_LOCAL_STORAGE_GET_F_CREATE);
	struct life *life = bpf_task_storage_get(&lives, child, NULL, BPF_LOCAL_STORAGE_GET_F_CREATE);

	if (mother)
		mother->forks++;
	if (life)
		life->born_ns = bpf_ktime_get_boot_ns();
	return 0;
}

MAP(ages, BPF_MAP_TYPE_PERCPU_HASH, 512, __u32, __u64);

SEC("tp_btf/sched_process_exit")
int BPF_PROG(on_exit, struct task_struct *task)
{
	struct life *life = bpf_task_storage_get(&lives, task, NULL, 0);
	__u32 bucket;
	__u64 *n, one = 1;

	if (!life)
		return 0;
	bucket = log2_of(bpf_ktime_get_boot_ns() - life->born_ns);
	n = bpf_map_lookup_elem(&ages, &bucket);
	if (n)
		*n += 1;
	else
		bpf_map_update_elem(&ages, &bucket, &one, BPF_NOEXIST);
	bpf_task_storage_delete(&lives, task);
	return 0;
}

/* Time on and off the CPU. */
struct off {
	__u32 pid;
	int stack;
};
struct {
	__uint(type, BPF_MAP_TYPE_STACK_TRACE);
	__uint(max_entries, 1024);
	__uint(key_size, 4);
	__uint(value_size, 127 * 8);
} stacks SEC(".maps");
MAP(left, BPF_MAP_TYPE_HASH, 10240, __u32, __u64);
MAP(off_cpu, BPF_MAP_TYPE_HASH, 10240, struct off, __u64);

SEC("tp_btf/sched_switch")
int BPF_PROG(off_cpu_time, bool preempt, struct task_struct *previous, struct task_struct *next)
{
	__u32 pid = previous->pid, next_pid = next->pid;
	__u64 now = bpf_ktime_get_ns(), *since, *sum;
	struct off key = {};

	if (!(previous->flags & PF_KTHREAD))
		bpf_map_update_elem(&left, &pid, &now, BPF_ANY);
	since = bpf_map_lookup_elem(&left, &next_pid);
	if (!since)
		return 0;
	key.pid = next_pid;
	key.stack = bpf_get_stackid(ctx, &stacks, BPF_F_FAST_STACK_CMP);
	sum = bpf_map_lookup_elem(&off_cpu, &key);
	if (sum) {
		__sync_fetch_and_add(sum, now - *since);
	} else {
		__u64 first = now - *since;
		bpf_map_update_elem(&off_cpu, &key, &first, BPF_NOEXIST);
	}
	bpf_map_delete_elem(&left, &next_pid);
	return 0;
}

MAP(wakeups, BPF_MAP_TYPE_LRU_HASH, 10240, __u32, __u64);

SEC("tp_btf/sched_wakeup")
int BPF_PROG(run_queue_begin, struct task_struct *task)
{
	__u32 pid = task->pid;
	__u64 now = bpf_ktime_get_ns();

	bpf_map_update_elem(&wakeups, &pid, &now, BPF_ANY);
	return 0;
}

/* Is the task in the container, by its control group's ancestors? */
const volatile __u64 container_cgroup = 1;

SEC("tp_btf/sched_process_exec")
int BPF_PROG(container_exec, struct task_struct *task)
{
	struct cgroup *cgroup = task->cgroups->dfl_cgrp;
	struct kernfs_node *node = cgroup->kn;

	if (bpf_get_current_ancestor_cgroup_id(2) != container_cgroup && node->id != container_cgroup)
		return 0;
	bpf_printk("exec in container at level %d: %d", cgroup->level, task->pid);
	return 0;
}

/* Walk up the parents, at most 8, until pid 1. */
SEC("tp_btf/sched_process_exec")
int BPF_PROG(count_ancestors, struct task_struct *task)
{
	struct task_struct *parent = task->real_parent;
	__u32 depth = 0;
	__u64 one = 1;

	for (int i = 0; i < 8; i++) {
		if (!parent || parent->pid <= 1)
			break;
		depth++;
		parent = parent->real_parent;
	}
	bpf_map_update_elem(&ages, &depth, &one, BPF_ANY);
	return 0;
}

/* The same with reads that cannot fault. */
SEC("raw_tp/sched_process_exec")
int BPF_PROG(ancestors_by_probe, struct task_struct *task)
{
	struct task_struct *parent = task;
	__u32 pids[8] = {}, sum = 0;
	__u64 one = 1;

	for (int i = 0; i < 8; i++) {
		parent = BPF_CORE_READ(parent, real_parent);
		pids[i] = BPF_CORE_READ(parent, pid);
		if (pids[i] <= 1)
			break;
	}
	for (int i = 0; i < 8; i++)
		sum += pids[i];
	bpf_map_update_elem(&ages, &sum, &one, BPF_ANY);
	return 0;
}

/* New namespaces, by comparing with those of the parent. */
SEC("tp_btf/sched_process_fork")
int BPF_PROG(namespace_change, struct task_struct *parent, struct task_struct *child)
{
	struct nsproxy *old = parent->nsproxy, *new = child->nsproxy;
	struct pid *pid = child->thread_pid;
	__u32 flags = 0;

	if (!old || !new || !pid)
		return 0;
	flags |= old->mnt_ns != new->mnt_ns;
	flags |= (old->net_ns != new->net_ns) << 1;
	flags |= (old->uts_ns->ns.inum != new->uts_ns->ns.inum) << 2;
	if (flags)
		bpf_printk("%d: namespaces %x, level %u", child->pid, flags, pid->level);
	return 0;
}

struct sock_key {
	__be32 source, target;
	__u16 port, state;
};
MAP(states, BPF_MAP_TYPE_LRU_HASH, 4096, struct sock_key, __u64);

SEC("tp_btf/inet_sock_set_state")
int BPF_PROG(tcp_states, struct sock *sk, int old, int new)
{
	struct sock_key key = {};
	__u64 now = bpf_ktime_get_ns();

	if (sk->__sk_common.skc_family != AF_INET)
		return 0;
	key.source = sk->__sk_common.skc_rcv_saddr;
	key.target = sk->__sk_common.skc_daddr;
	key.port = sk->__sk_common.skc_num;
	key.state = old << 8 | (new & 0xff);
	bpf_map_update_elem(&states, &key, &now, BPF_ANY);
	return 0;
}

struct sk_buff {
	unsigned int len;
	struct sock *sk;
} __attribute__((preserve_access_index));
MAP(drops, BPF_MAP_TYPE_PERCPU_ARRAY, 256, __u32, __u64);

SEC("tp_btf/kfree_skb")
int BPF_PROG(packet_drops, struct sk_buff *skb, void *location)
{
	__u32 key = skb->len >> 8;
	__u64 *n;

	key &= 255;
	n = bpf_map_lookup_elem(&drops, &key);
	if (n)
		*n += 1;
	return 0;
}

SEC("tp_btf/sys_enter")
int BPF_PROG(dispatch, struct pt_regs *regs, long number)
{
	switch (number) {
	case 0 ... 3:
		bpf_printk("file %d %lx", (int)number, regs->di);
		break;
	case 41 ... 55:
		bpf_printk("socket %d %lx", (int)number, regs->si);
		break;
	case 56:
	case 57:
	case 58:
		bpf_printk("fork");
		break;
	case 59:
		bpf_printk("exec");
		break;
	case 62:
	case 200:
	case 234:
		bpf_printk("kill %d", (int)regs->si);
		break;
	case 101:
		bpf_printk("ptrace %lx", regs->di);
		break;
	case 175:
	case 313:
		bpf_printk("module");
		break;
	case 321:
		bpf_printk("bpf %d", (int)regs->di);
		break;
	default:
		break;
	}
	return 0;
}

/* Which file an fd is: tables of the kernel, walked with checks. */
SEC("tp_btf/sys_enter")
int BPF_PROG(file_of_fd, struct pt_regs *regs, long number)
{
	struct task_struct *task = bpf_get_current_task_btf();
	struct fdtable *table;
	struct file **files, *file = NULL;
	unsigned int fd;
	char name[32];

	if (number != 0 && number != 1)
		return 0;
	fd = regs->di;
	table = task->files->fdt;
	if (fd >= table->max_fds)
		return 0;
	files = BPF_CORE_READ(table, fd);
	if (bpf_probe_read_kernel(&file, sizeof(file), files + fd) || !file)
		return 0;
	if (bpf_probe_read_kernel_str(name, sizeof(name), BPF_CORE_READ(file, f_path.dentry, d_name.name)) > 3)
		bpf_printk("%s", name);
	return 0;
}

/* Components of a path from the dentry up, into fixed places. */
#define COMPONENTS 8
#define COMPONENT_BYTES 32
struct components {
	__u32 count;
	char names[COMPONENTS][COMPONENT_BYTES];
};
MAP(component_scratch, BPF_MAP_TYPE_PERCPU_ARRAY, 1, __u32, struct components);

SEC("tp_btf/sched_process_exec")
int BPF_PROG(exe_components, struct task_struct *task)
{
	struct dentry *dentry = BPF_CORE_READ(task, mm, exe_file, f_path.dentry);
	struct components *c;
	__u32 zero = 0;

	c = bpf_map_lookup_elem(&component_scratch, &zero);
	if (!c)
		return 0;
	c->count = 0;
	for (int i = 0; i < COMPONENTS; i++) {
		struct dentry *parent = BPF_CORE_READ(dentry, d_parent);
		bpf_probe_read_kernel_str(c->names[i], COMPONENT_BYTES, BPF_CORE_READ(dentry, d_name.name));
		c->count++;
		if (!parent || parent == dentry)
			break;
		dentry = parent;
	}
	bpf_ringbuf_output(&events, c, sizeof(*c), 0);
	return 0;
}
