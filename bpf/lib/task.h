/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
 *
 * What is known of a task: struct task_state, its control group.
 */
#ifndef PICKET_BPF_TASK_H
#define PICKET_BPF_TASK_H

#include "path.h"

#define PIDTYPE_TGID 1
#define PIDTYPE_PGID 2
#define PIDTYPE_SID 3
#define RLIMIT_NOFILE 7
#define MM_FILEPAGES 0
#define MM_ANONPAGES 1
#define MM_SWAPENTS 2
#define MM_SHMEMPAGES 3
#define PAGE_KB 4

/* The id of a struct pid in the pid namespace of that depth. */
static __always_inline struct upid *pid_at(struct pid *pid, __u32 level)
{
	return (void *)pid + bpf_core_field_offset(struct pid, numbers) +
	       (level & 31) * bpf_core_type_size(struct upid);
}

/* 0: it has none there, as a parent or group of an outer namespace. */
static __always_inline __u32 pid_number(struct pid *pid, __u32 level)
{
	struct upid *at = pid_at(pid, level);

	return pid && level <= BPF_CORE_READ(pid, level) ? BPF_CORE_READ(at, nr) : 0;
}

static __always_inline struct pid_namespace *task_pid_namespace(struct task_struct *task)
{
	struct pid *pid = BPF_CORE_READ(task, thread_pid);
	struct upid *innermost = pid_at(pid, BPF_CORE_READ(pid, level));

	return BPF_CORE_READ(innermost, ns);
}

static __always_inline __u64 mm_pages(struct mm_struct *mm, int kind)
{
	__s64 pages = 0;

	if (bpf_core_type_exists(struct mm_rss_stat))
		pages = BPF_CORE_READ((struct mm_struct___rss *)mm, rss_stat.count[kind].counter);
	else {
		struct percpu_counter *counter = (void *)mm + bpf_core_field_offset(struct mm_struct, rss_stat) +
		                                 kind * bpf_core_type_size(struct percpu_counter);
		pages = BPF_CORE_READ(counter, count);
	}
	return pages > 0 ? pages : 0;
}

static __always_inline __u64 cap_read(const kernel_cap_t *from)
{
	__u64 bits = 0;

	bpf_core_read(&bits, sizeof(bits), from);
	return bits;
}

static __always_inline void task_state_fill(struct task_state *to, struct task_struct *task)
{
	const struct cred *cred = BPF_CORE_READ(task, cred);
	struct nsproxy *ns = BPF_CORE_READ(task, nsproxy);
	struct signal_struct *signal = BPF_CORE_READ(task, signal);
	struct task_struct *leader = BPF_CORE_READ(task, group_leader);
	struct pid *pid = BPF_CORE_READ(task, thread_pid);
	struct mm_struct *mm = BPF_CORE_READ(task, mm);
	__u32 level = BPF_CORE_READ(pid, level);
	struct pid_namespace *pid_ns = task_pid_namespace(task);
	struct tty_struct *tty;

	to->ruid = BPF_CORE_READ(cred, uid.val);
	to->euid = BPF_CORE_READ(cred, euid.val);
	to->suid = BPF_CORE_READ(cred, suid.val);
	to->fsuid = BPF_CORE_READ(cred, fsuid.val);
	to->rgid = BPF_CORE_READ(cred, gid.val);
	to->egid = BPF_CORE_READ(cred, egid.val);
	to->sgid = BPF_CORE_READ(cred, sgid.val);
	to->fsgid = BPF_CORE_READ(cred, fsgid.val);
	to->cap_inheritable = cap_read(&cred->cap_inheritable);
	to->cap_permitted = cap_read(&cred->cap_permitted);
	to->cap_effective = cap_read(&cred->cap_effective);
	to->cap_bounding = cap_read(&cred->cap_bset);
	to->cap_ambient = cap_read(&cred->cap_ambient);
	to->ns_user = BPF_CORE_READ(cred, user_ns, ns.inum);
	to->loginuid = to->sessionid = -1;
	if (bpf_core_field_exists(task->loginuid)) { /* only with CONFIG_AUDIT */
		to->loginuid = BPF_CORE_READ(task, loginuid.val);
		to->sessionid = BPF_CORE_READ(task, sessionid);
	}
	if (ns) {
		to->ns_mnt = BPF_CORE_READ(ns, mnt_ns, ns.inum);
		to->ns_net = BPF_CORE_READ(ns, net_ns, ns.inum);
		to->ns_ipc = BPF_CORE_READ(ns, ipc_ns, ns.inum);
		to->ns_uts = BPF_CORE_READ(ns, uts_ns, ns.inum);
		to->ns_cgroup = BPF_CORE_READ(ns, cgroup_ns, ns.inum);
	}
	to->vtid = pid_number(pid, level);
	to->ns_pid = BPF_CORE_READ(pid_ns, ns.inum);
	to->pidns_start = BPF_CORE_READ(pid_ns, child_reaper, start_boottime);
	to->vpid = pid_number(BPF_CORE_READ(leader, thread_pid), level);
	to->vppid = pid_number(BPF_CORE_READ(leader, real_parent, group_leader, thread_pid), level);
	to->sid = pid_number(BPF_CORE_READ(signal, pids[PIDTYPE_SID]), 0);
	to->pgid = pid_number(BPF_CORE_READ(signal, pids[PIDTYPE_PGID]), 0);
	to->vsid = pid_number(BPF_CORE_READ(signal, pids[PIDTYPE_SID]), level);
	to->vpgid = pid_number(BPF_CORE_READ(signal, pids[PIDTYPE_PGID]), level);
	tty = BPF_CORE_READ(signal, tty);
	if (tty)
		to->tty = BPF_CORE_READ(tty, driver, major) * 256 + BPF_CORE_READ(tty, driver, minor_start) +
		          BPF_CORE_READ(tty, index);
	to->fdlimit = BPF_CORE_READ(signal, rlim[RLIMIT_NOFILE].rlim_cur);
	to->faults_major = BPF_CORE_READ(signal, maj_flt);
	to->faults_minor = BPF_CORE_READ(signal, min_flt);
	if (mm) {
		to->vm_size = BPF_CORE_READ(mm, total_vm) * PAGE_KB;
		to->vm_rss = (mm_pages(mm, MM_FILEPAGES) + mm_pages(mm, MM_ANONPAGES) + mm_pages(mm, MM_SHMEMPAGES)) *
		             PAGE_KB;
		to->vm_swap = mm_pages(mm, MM_SWAPENTS) * PAGE_KB;
	}
	if (bpf_core_field_exists(task->seccomp.mode))
		to->seccomp = BPF_CORE_READ(task, seccomp.mode);
	to->no_new_privs = BPF_CORE_READ(task, atomic_flags) >> PFA_NO_NEW_PRIVS_BIT & 1;
	to->cgroup_id = BPF_CORE_READ(task, cgroups, dfl_cgrp, kn, id);
}

__noinline __u64 task_record_state_word(struct scratch *s, __u64 task_address)
{
	struct event_slot slot = {};
	struct task_state *to;

	if (!s)
		return 0;
	record_align(s);
	if (!record_has_room(s, sizeof(*to)))
		return slot_to_word(slot);
	to = (void *)&s->record[s->used & RECORD_MASK];
	__builtin_memset(to, 0, sizeof(*to));
	task_state_fill(to, (void *)task_address);
	return slot_to_word(record_take(s, sizeof(*to)));
}

static __always_inline struct event_slot task_record_state(struct scratch *s, struct task_struct *task)
{
	return slot_from_word(task_record_state_word(s, address_of(s, task)));
}

/* ---- control groups: names from the node up, written like paths ---- */
struct cgroup_walk {
	struct scratch *scratch;
	struct kernfs_node *node;
	__u32 position;
};

static __always_inline struct kernfs_node *kernfs_parent(struct kernfs_node *node)
{
	struct kernfs_node___parent *old = (void *)node;

	if (bpf_core_field_exists(old->parent))
		return BPF_CORE_READ(old, parent);
	return BPF_CORE_READ(node, __parent);
}

static long cgroup_step(__u32 index, struct cgroup_walk *w)
{
	struct kernfs_node *node = w->node, *parent = kernfs_parent(node);
	char *name = &w->scratch->walk.text[PATH_BUFFER]; /* the spare bytes behind the buffer */
	__u32 at;
	long n;

	if (!parent)
		return 1;
	n = bpf_probe_read_kernel_str(name, 256, BPF_CORE_READ(node, name));
	if (n <= 1)
		return 1;
	at = w->position - (n - 1);
	if (at < PATH_BEGIN + 1)
		return 1;
	bpf_probe_read_kernel(&w->scratch->walk.text[at & (PATH_BUFFER - 1)], (n - 1) & 255, name);
	at--;
	w->scratch->walk.text[at & (PATH_BUFFER - 1)] = '/';
	w->position = at;
	w->node = parent;
	return 0;
}

static __noinline __u32 cgroup_write(struct scratch *s, struct cgroup *cgroup, __u32 end)
{
	struct cgroup_walk w = {.scratch = s, .node = BPF_CORE_READ(cgroup, kn), .position = number_unknown(s, end)};

	bpf_loop(64, cgroup_step, &w, 0);
	return w.position;
}

/* The control group of the default hierarchy and, where version 1 hierarchies are in use and the task is not in their
 * root, that of the first of them, each a line. */
__noinline __u64 task_record_cgroup_word(struct scratch *s, __u64 task_address)
{
	struct task_struct *task = (void *)task_address;
	struct css_set *set = BPF_CORE_READ(task, cgroups);
	struct cgroup *dfl = BPF_CORE_READ(set, dfl_cgrp), *other = NULL;
	__u32 position = PATH_END, length;

	if (!s)
		return 0;
	for (int i = 0; i < 8; i++) {
		struct cgroup_subsys_state *css = NULL;
		struct cgroup *cgroup;

		bpf_probe_read_kernel(&css, sizeof(css),
		                      (void *)set + bpf_core_field_offset(struct css_set, subsys) + i * sizeof(css));
		cgroup = css ? BPF_CORE_READ(css, cgroup) : NULL;
		if (cgroup && cgroup != dfl && BPF_CORE_READ(cgroup, root, hierarchy_id) &&
		    kernfs_parent(BPF_CORE_READ(cgroup, kn))) {
			other = cgroup;
			break;
		}
	}
	if (other) {
		position = cgroup_write(s, other, position);
		position--;
		s->walk.text[position & (PATH_BUFFER - 1)] = '\n';
	}
	length = position;
	position = cgroup_write(s, dfl, position);
	if (position == length) {
		position--;
		s->walk.text[position & (PATH_BUFFER - 1)] = '/';
	}
	return slot_to_word(record_path_buffer(s, position, PATH_END - position));
}

static __always_inline struct event_slot task_record_cgroup(struct scratch *s, struct task_struct *task)
{
	return slot_from_word(task_record_cgroup_word(s, address_of(s, task)));
}

#endif
