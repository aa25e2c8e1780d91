/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
 *
 * Mistakes with the kernel's typed objects and its functions: each program has one.
 */
#include "trace.h"

extern struct task_struct *bpf_task_acquire(struct task_struct *p) __ksym;
extern void bpf_task_release(struct task_struct *p) __ksym;
extern struct task_struct *bpf_task_from_pid(int pid) __ksym;
extern void bpf_rcu_read_lock(void) __ksym;
extern void bpf_rcu_read_unlock(void) __ksym;
struct iter_num {
	__u64 opaque[1];
} __attribute__((aligned(8)));
extern int bpf_iter_num_new(struct iter_num *it, int start, int end) __ksym;
extern int *bpf_iter_num_next(struct iter_num *it) __ksym;
extern void bpf_iter_num_destroy(struct iter_num *it) __ksym;

/* The program is not told so by a tracepoint's argument: objects of the kernel are read-only. */
BROKEN("read-only")
SEC("tp_btf/sched_process_exec")
int BPF_PROG(write_task, struct task_struct *task)
{
	task->exit_code = 1;
	return 0;
}

BROKEN("type")
SEC("tp_btf/sched_process_exec")
int BPF_PROG(beyond_task, struct task_struct *task)
{
	return *(volatile int *)((char *)task + 1000000);
}

BROKEN("context")
SEC("tp_btf/sched_process_exec")
int BPF_PROG(fifth_argument, void *a, void *b, void *c, void *d, void *e)
{
	return e != NULL;
}

BROKEN("null-pointer")
SEC("tp_btf/sched_process_exec")
int BPF_PROG(from_pid_unchecked, struct task_struct *task)
{
	struct task_struct *init = bpf_task_from_pid(1);
	int pid = init->pid;

	bpf_task_release(init);
	return pid;
}

BROKEN("reference-leak")
SEC("tp_btf/sched_process_exec")
int BPF_PROG(task_forgotten, struct task_struct *task)
{
	struct task_struct *mine = bpf_task_acquire(task);

	return mine && mine->pid == 1;
}

/* Not ours: it was not acquired. */
BROKEN("released")
SEC("tp_btf/sched_process_exec")
int BPF_PROG(release_unowned, struct task_struct *task)
{
	bpf_task_release(task);
	return 0;
}

/* What was read as memory is a number to the verifier. */
BROKEN("argument")
SEC("tp_btf/sched_process_exec")
int BPF_PROG(acquire_number, struct task_struct *task)
{
	struct task_struct *mine = bpf_task_acquire(BPF_CORE_READ(task, real_parent));

	if (mine)
		bpf_task_release(mine);
	return 0;
}

BROKEN("lock")
SEC("tp_btf/sched_process_exec")
int BPF_PROG(rcu_kept, struct task_struct *task)
{
	bpf_rcu_read_lock();
	if (task->pid == 1)
		return 0;
	bpf_rcu_read_unlock();
	return 0;
}

BROKEN("iterator")
SEC("raw_tp/sys_enter")
int iterator_kept(void *ctx)
{
	struct iter_num it;
	int *i, sum = 0;

	bpf_iter_num_new(&it, 0, 10);
	while ((i = bpf_iter_num_next(&it)))
		sum += *i;
	return sum;
}

BROKEN("iterator")
SEC("raw_tp/sys_enter")
int iterator_not_begun(void *ctx)
{
	struct iter_num it;
	int *i = bpf_iter_num_next(&it);

	bpf_iter_num_destroy(&it);
	return i != NULL;
}

BROKEN("null-pointer")
SEC("raw_tp/sys_enter")
int iterator_unchecked(void *ctx)
{
	struct iter_num it;
	int first;

	bpf_iter_num_new(&it, 0, 10);
	first = *bpf_iter_num_next(&it);
	bpf_iter_num_destroy(&it);
	return first;
}

/* Only programs that may sleep can have page faults. */
BROKEN("helper")
SEC("tp_btf/sys_enter")
int BPF_PROG(sleeps, struct pt_regs *regs, long number)
{
	char c;

	return bpf_copy_from_user(&c, 1, (void *)regs->di) == 0;
}

BROKEN("type")
SEC("tp_btf/sched_process_exec")
int BPF_PROG(program_for_task, struct task_struct *task, int old, struct linux_binprm *binprm)
{
	struct task_struct *mine = bpf_task_acquire((void *)binprm);

	if (mine)
		bpf_task_release(mine);
	return 0;
}
