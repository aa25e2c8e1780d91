/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
 *
 * What is known of a task: struct task_state, its control group.
 */
#ifndef PICKET_BPF_TASK_H
#define PICKET_BPF_TASK_H

#include "bytes.h"
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
static __always_inline __u64 pid_at(__u64 pid, __u32 level)
{
	return pid + bpf_core_field_offset(struct pid, numbers) + (level & 31) * bpf_core_type_size(struct upid);
}

/* 0: it has none there, as a parent or group of an outer namespace. */
static __always_inline __u64 pid_number(__u64 pid, __u32 level)
{
	__u64 at = pid_at(pid, level);

	return pid && level <= READ(pid, pid, level) ? READ(upid, at, nr) : 0;
}

static __always_inline struct pid_namespace *pid_namespace_of(__u64 pid)
{
	__u64 innermost = pid_at(pid, READ(pid, pid, level));

	return READ(upid, innermost, ns);
}

static __always_inline __u64 mm_pages(__u64 mm, int kind)
{
	__u64 counter = mm + bpf_core_field_offset(struct mm_struct, rss_stat) +
	                kind * bpf_core_type_size(struct percpu_counter);
	__s64 pages;

	if (bpf_core_type_exists(struct mm_rss_stat))
		pages = BPF_CORE_READ((struct mm_struct___rss *)mm, rss_stat.count[kind].counter);
	else
		pages = READ(percpu_counter, counter, count);
	return pages > 0 ? pages : 0;
}

/* Two words of 32 bits before Linux 6.3, one of 64 since. */
#define READ_CAPABILITIES(cred, member) READ_ADDRESS(cred, cred, member)

static __always_inline void task_state_fill_cred(struct task_state *to, __u64 cred)
{
	to->ruid = READ(cred, cred, uid.val);
	to->euid = READ(cred, cred, euid.val);
	to->suid = READ(cred, cred, suid.val);
	to->fsuid = READ(cred, cred, fsuid.val);
	to->rgid = READ(cred, cred, gid.val);
	to->egid = READ(cred, cred, egid.val);
	to->sgid = READ(cred, cred, sgid.val);
	to->fsgid = READ(cred, cred, fsgid.val);
	to->cap_inheritable = READ_CAPABILITIES(cred, cap_inheritable);
	to->cap_permitted = READ_CAPABILITIES(cred, cap_permitted);
	to->cap_effective = READ_CAPABILITIES(cred, cap_effective);
	to->cap_bounding = READ_CAPABILITIES(cred, cap_bset);
	to->cap_ambient = READ_CAPABILITIES(cred, cap_ambient);
	to->ns_user = READ_ALONG(cred, cred, user_ns, ns.inum);
}

/* Kernel pointers are numbers here: the verifier forbids to calculate with typed ones. */
static __always_inline void task_state_fill(struct task_state *to, __u64 task)
{
	struct nsproxy *ns = READ(task_struct, task, nsproxy);
	__u64 signal = READ_ADDRESS(task_struct, task, signal), mm = READ_ADDRESS(task_struct, task, mm);
	__u64 leader = READ_ADDRESS(task_struct, task, group_leader), pid = READ_ADDRESS(task_struct, task, thread_pid);
	__u64 parent = READ_ADDRESS(task_struct, leader, real_parent);
	__u64 sid = READ_ADDRESS(signal_struct, signal, pids[PIDTYPE_SID]);
	__u64 pgid = READ_ADDRESS(signal_struct, signal, pids[PIDTYPE_PGID]);
	__u64 tty = READ_ADDRESS(signal_struct, signal, tty);
	struct pid_namespace *pid_ns = pid_namespace_of(pid);
	__u32 level = READ(pid, pid, level);

	task_state_fill_cred(to, READ_ADDRESS(task_struct, task, cred));
	to->loginuid = to->sessionid = -1;
	if (bpf_core_field_exists(struct task_struct, loginuid)) { /* only with CONFIG_AUDIT */
		to->loginuid = READ(task_struct, task, loginuid.val);
		to->sessionid = READ(task_struct, task, sessionid);
	}
	if (ns) {
		to->ns_mnt = READ_ALONG(nsproxy, ns, mnt_ns, ns.inum);
		to->ns_net = READ_ALONG(nsproxy, ns, net_ns, ns.inum);
		to->ns_ipc = READ_ALONG(nsproxy, ns, ipc_ns, ns.inum);
		to->ns_uts = READ_ALONG(nsproxy, ns, uts_ns, ns.inum);
		to->ns_cgroup = READ_ALONG(nsproxy, ns, cgroup_ns, ns.inum);
	}
	to->vtid = pid_number(pid, level);
	to->ns_pid = READ(pid_namespace, pid_ns, ns.inum);
	to->pidns_start = READ_ALONG(pid_namespace, pid_ns, child_reaper, start_boottime);
	to->vpid = pid_number(READ_ADDRESS(task_struct, leader, thread_pid), level);
	parent = READ_ADDRESS(task_struct, parent, group_leader);
	to->vppid = pid_number(READ_ADDRESS(task_struct, parent, thread_pid), level);
	to->sid = pid_number(sid, 0);
	to->pgid = pid_number(pgid, 0);
	to->vsid = pid_number(sid, level);
	to->vpgid = pid_number(pgid, level);
	if (tty)
		to->tty = READ_ALONG(tty_struct, tty, driver, major) * 256 +
		          READ_ALONG(tty_struct, tty, driver, minor_start) + READ(tty_struct, tty, index);
	to->fdlimit = READ(signal_struct, signal, rlim[RLIMIT_NOFILE].rlim_cur);
	to->faults_major = READ(signal_struct, signal, maj_flt);
	to->faults_minor = READ(signal_struct, signal, min_flt);
	if (mm) {
		to->vm_size = READ(mm_struct, mm, total_vm) * PAGE_KB;
		to->vm_rss = (mm_pages(mm, MM_FILEPAGES) + mm_pages(mm, MM_ANONPAGES) + mm_pages(mm, MM_SHMEMPAGES)) *
		             PAGE_KB;
		to->vm_swap = mm_pages(mm, MM_SWAPENTS) * PAGE_KB;
	}
	if (bpf_core_field_exists(struct task_struct, seccomp.mode))
		to->seccomp = READ(task_struct, task, seccomp.mode);
	to->no_new_privs = READ(task_struct, task, atomic_flags) >> PFA_NO_NEW_PRIVS_BIT & 1;
	to->cgroup_id = READ_ALONG(task_struct, task, cgroups, dfl_cgrp, kn, id);
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
	task_state_fill(to, task_address);
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
		return READ(kernfs_node___parent, old, parent);
	return READ(kernfs_node, node, __parent);
}

/* The length of a name by words, as far as those go that path_copy_name() copies; 0: it is longer, or empty. */
static __always_inline __u32 name_length(__u64 name)
{
#pragma unroll
	for (__u32 i = 0; i <= NAME_SHORT / 8; i++) {
		__u64 ends = bytes_equal(READ_WORD((const void *)(name + 8 * i)), 0);
		if (ends)
			return 8 * i + byte_first(ends);
	}
	return 0;
}

static long cgroup_step(__u32 index, struct cgroup_walk *w)
{
	struct kernfs_node *node = w->node, *parent = kernfs_parent(node);
	char *spare = &w->scratch->walk.text[PATH_BUFFER]; /* the bytes behind the buffer */
	__u64 name = READ_ADDRESS(kernfs_node, (__u64)node, name);
	__u32 length = bpf_rdonly_cast ? name_length(name) : 0, at;
	long n;

	if (!parent)
		return 1;
	if (!length) {
		n = bpf_probe_read_kernel_str(spare, 256, (void *)name);
		if (n <= 1)
			return 1;
		length = n - 1;
	}
	at = w->position - length;
	if (at < PATH_BEGIN + 1 || path_copy_name(&w->scratch->walk, at, name, length))
		return 1;
	at--;
	w->scratch->walk.text[at & (PATH_BUFFER - 1)] = '/';
	w->position = at;
	w->node = parent;
	return 0;
}

static __noinline __u32 cgroup_write(struct scratch *s, struct cgroup *cgroup, __u32 end)
{
	struct cgroup_walk w = {.scratch = s, .node = READ(cgroup, cgroup, kn), .position = number_unknown(s, end)};

	bpf_loop(64, cgroup_step, &w, 0);
	return w.position;
}

/* The control group of the default hierarchy and, where version 1 hierarchies are in use and the task is not in their
 * root, that of the first of them, each a line. */
__noinline __u64 task_record_cgroup_word(struct scratch *s, __u64 task_address)
{
	__u64 set = READ_ADDRESS(task_struct, task_address, cgroups);
	struct cgroup *dfl = READ(css_set, set, dfl_cgrp), *other = NULL;
	struct cgroup_root *root = READ(cgroup, dfl, root);
	__u32 position = PATH_END, length;

	if (!s)
		return 0;
	for (int i = 0; i < 8; i++) {
		const void *at = (const void *)set + bpf_core_field_offset(struct css_set, subsys) + i * sizeof(void *);
		__u64 css = READ_WORD(at);
		struct cgroup *cgroup = css ? READ(cgroup_subsys_state, css, cgroup) : NULL;

		if (cgroup && READ(cgroup, cgroup, level) && READ(cgroup, cgroup, root) != root) {
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
