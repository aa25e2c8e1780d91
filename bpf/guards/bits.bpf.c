/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
 *
 * What picket decided about processes, as guard_bits has it. An exec makes it void, before the new program runs; it counts again
 * when picket has seen that exec, and says so.
 */
#include "guard.h"

SEC("tp_btf/sched_process_exec")
int BPF_PROG(guard_bits_exec, struct task_struct *task, int old_pid, struct linux_binprm *bprm)
{
	struct guard_process fresh = {.since_ns = bpf_ktime_get_boot_ns()}, *p;
	__u32 tgid = task->tgid;

	p = bpf_map_lookup_elem(&guard_bits, &tgid);
	if (p) {
		p->since_ns = fresh.since_ns;
		return 0;
	}
	fresh.start_ns = task->group_leader->start_boottime;
	bpf_map_update_elem(&guard_bits, &tgid, &fresh, BPF_NOEXIST);
	return 0;
}

/* The time of what picket knows is before the process's last exec: that one is still on its way. Otherwise it stands for since_ns
 * as it was read first: an exec meanwhile makes it void. */
SEC("syscall")
int guard_know(struct guard_knowledge *k)
{
	__u32 tgid = k->tgid;
	struct guard_process *p = bpf_map_lookup_elem(&guard_bits, &tgid);
	__u64 since;

	if (!p) {
		struct guard_process fresh = {.start_ns = k->process.start_ns, .since_ns = k->time_ns};
		bpf_map_update_elem(&guard_bits, &tgid, &fresh, BPF_NOEXIST);
		p = bpf_map_lookup_elem(&guard_bits, &tgid);
	}
	if (!p)
		return 0;
	since = *(volatile __u64 *)&p->since_ns;
	if (p->start_ns != k->process.start_ns) {
		if (p->start_ns > k->process.start_ns)
			return 0;
		p->start_ns = k->process.start_ns;
	}
	if (since > k->time_ns)
		return 0;
	p->of_ns = 0; /* while it is written */
	__sync_fetch_and_add(&p->writes, 1);
	p->uid = k->process.uid;
	p->gid = k->process.gid;
	p->cgroup_id = k->process.cgroup_id;
	for (__u32 i = 0; i < GUARD_BITS / 64; i++)
		p->bits[i] = k->process.bits[i];
	__sync_fetch_and_add(&p->writes, 1);
	p->of_ns = since;
	k->taken = 1;
	return 0;
}
