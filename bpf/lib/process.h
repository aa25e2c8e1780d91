/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
 *
 * What user space has found out about processes: which rules can still match. It stands with the leader of the process, in
 * task storage; user space writes it through a pidfd. It is true until something of the process or its ancestors changes,
 * which is an event: that event's sensor takes it away. User space only replaces what is there, so that what it writes too
 * late does not come to stand.
 *
 * Functions have external linkage here and take no task: so they are verified once. To follow a pointer that it trusts, the
 * verifier searches the names of all of the kernel's types, each time that it comes by.
 */
#ifndef PICKET_BPF_PROCESS_H
#define PICKET_BPF_PROCESS_H

#include "record.h"

struct {
	__uint(type, BPF_MAP_TYPE_TASK_STORAGE);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, int);
	__type(value, struct sieve_process);
} sieve_processes SEC(".maps");

volatile bool sieve_by_process;           /* somebody has written there */
volatile __u8 event_changes[EVENT_TYPES]; /* CHANGES_*: set by the loader */
__u32 kin_epoch;                          /* counts changes that may concern other processes' ancestors */
volatile __u32 user_epoch;                /* counts what user space has learned otherwise */

/* Does any process descend from this one? Its other threads may have children of their own. */
static __always_inline bool process_has_children(struct task_struct *leader)
{
	__u64 first = READ_ADDRESS(task_struct, (__u64)leader, children.next);
	struct signal_struct *signal = READ(task_struct, leader, signal);

	return first != (__u64)leader + bpf_core_field_offset(struct task_struct, children) ||
	       READ(signal_struct, signal, nr_threads) > 1;
}

static __always_inline void processes_forget(void)
{
	__sync_fetch_and_add(&kin_epoch, 1);
}

/* Something of the current process has changed. To be called before its event is sent and again after: so neither what is
 * known now outlives the event, nor what user space finds out without it. */
__noinline __u64 process_changed(void)
{
	struct task_struct *leader = bpf_get_current_task_btf()->group_leader;
	struct sieve_process *p;

	if (!sieve_by_process || !leader)
		return 0;
	p = bpf_task_storage_get(&sieve_processes, leader, NULL, 0);
	if (p) {
		p->known = 0;
		bpf_task_storage_delete(&sieve_processes, leader);
	}
	if (process_has_children(leader))
		processes_forget();
	return 0;
}

static __always_inline void process_event(__u32 type)
{
	switch (event_changes[type & (EVENT_TYPES - 1)]) {
	case CHANGES_PROCESS:
		process_changed();
		break;
	case CHANGES_OTHERS:
		processes_forget();
		break;
	}
}

/* NULL: nothing is known. */
static __always_inline struct sieve_process *process_get(struct task_struct *task)
{
	struct task_struct *leader = task->group_leader;
	struct sieve_process *p;
	const struct cred *cred;

	if (!leader)
		return NULL;
	p = bpf_task_storage_get(&sieve_processes, leader, NULL, 0);
	if (!p || !p->known || p->kin_epoch != *(volatile __u32 *)&kin_epoch || p->user_epoch != user_epoch)
		return NULL;
	cred = READ_POINTER(task, cred);
	if (p->uid != cred->euid.val || p->gid != cred->egid.val || p->start_ns != leader->start_boottime ||
	    p->ppid != (__u32)READ_POINTER(task, real_parent)->tgid)
		return NULL;
	return p;
}

#endif
