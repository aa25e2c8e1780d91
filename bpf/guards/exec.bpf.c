/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
 *
 * Guards of processes that are made, and of programs that are started. At the security hook, where the old program still runs,
 * the exec fails with an error; when the new program is set up and has run no instruction, it is killed. Without security
 * hooks, fanotify asks a process of picket's, and that one asks here: src/loader/exec_gate.c.
 */
#include "fd.h"
#include "guard.h"

#define TASK_COMM_MAX 15 /* bytes, without its NUL */

static __always_inline void guard_executable(struct guard_attempt *a, struct file *file)
{
	if (guard_wants(a, GUARD_EXEPATH))
		guard_path(a, GUARD_EXEPATH, READ_ADDRESS(file, file, f_path.dentry),
		           READ_ADDRESS(file, file, f_path.mnt));
}

SEC("tp_btf/sched_process_exec")
int BPF_PROG(guard_exec)
{
	struct guard_attempt *a = guard_begin(GUARD_AT_EXEC);
	struct task_struct *task = bpf_get_current_task_btf();
	struct mm_struct *mm;

	if (!a)
		return 0;
	mm = READ(task_struct, task, mm);
	guard_executable(a, READ(mm_struct, mm, exe_file));
	if (guard_end(a))
		bpf_send_signal(9);
	return 0;
}

/* The name that the new program will have, which is not set yet: the last component of what was asked for. */
static __always_inline void guard_new_name(struct guard_attempt *a, struct linux_binprm *bprm)
{
	long length;
	__u32 at;

	a->known &= ~(1u << GUARD_NAME);
	if (READ(linux_binprm, bprm,
	         fdpath)) /* by a descriptor: newer kernels name it by its file, older ones by a number */
		return;
	length = bpf_probe_read_kernel_str(&a->walk.text[PATH_BEGIN], EVENT_PATH_MAX,
	                                   READ(linux_binprm, bprm, filename)) -
	         1;
	if (length <= 0 || length >= EVENT_PATH_MAX - 1)
		return;
	at = guard_component(a, PATH_BEGIN, PATH_BEGIN + length);
	length = PATH_BEGIN + length - at;
	guard_text(a, GUARD_NAME, at, length < TASK_COMM_MAX ? length : TASK_COMM_MAX);
}

/* Of a program that gives its process another user, the user is not known here. */
static __always_inline void guard_new_ids(struct guard_attempt *a, struct file *file)
{
	struct inode *inode = READ(file, file, f_inode);
	__u32 mode = READ(inode, inode, i_mode);

	if (mode & S_ISUID)
		a->known &= ~(1u << GUARD_UID);
	if (mode & S_ISGID)
		a->known &= ~(1u << GUARD_GID);
}

SEC("lsm/bprm_check_security")
int BPF_PROG(guard_exec_check, struct linux_binprm *bprm, int ret)
{
	struct guard_attempt *a;
	struct file *file;

	/* A script is not what will run: its interpreter is asked about next. */
	if (ret || (bprm->buf[0] == '#' && bprm->buf[1] == '!'))
		return ret;
	a = guard_begin(GUARD_AT_EXEC_CHECK);
	if (!a)
		return 0;
	file = READ(linux_binprm, bprm, file);
	guard_new_ids(a, file);
	if (guard_wants(a, GUARD_NAME))
		guard_new_name(a, bprm);
	guard_executable(a, file);
	return guard_end(a);
}

struct task_struct *bpf_task_from_pid(__s32 pid) __ksym __weak;
void bpf_task_release(struct task_struct *task) __ksym __weak;

/* As what the security hook decides, of a process that waits in the kernel. What its thread is called then is not known. */
static __always_inline int guard_gate_judge(struct task_struct *task, __s32 fd)
{
	struct file *file = fd_file(bpf_get_current_task_btf(), fd);
	struct guard_attempt *a;
	__u64 address = 0;

	if (!file || bpf_probe_read_kernel(&address, sizeof(address), &task))
		return 0;
	a = guard_begin_of(address, GUARD_AT_EXEC_CHECK);
	if (!a)
		return 0;
	guard_new_ids(a, file);
	a->known &= ~(1u << GUARD_NAME);
	guard_executable(a, file);
	return guard_end(a);
}

/* Only run, never attached: of a kind whose programs may look up tasks by number, and in tries (those of system calls may
 * not). */
SEC("tc")
int guard_exec_gate(struct __sk_buff *skb)
{
	struct task_struct *task = bpf_task_from_pid(skb->cb[GUARD_GATE_THREAD]);
	int verdict;

	if (!task)
		return 0;
	verdict = guard_gate_judge(task, skb->cb[GUARD_GATE_FILE]);
	bpf_task_release(task);
	return verdict;
}

#define CLONE_THREAD 0x00010000
#define EAGAIN 11 /* what callers know of forks that fail */

SEC("lsm/task_alloc")
int BPF_PROG(guard_fork, struct task_struct *task, unsigned long flags, int ret)
{
	struct guard_attempt *a;

	if (ret || flags & CLONE_THREAD)
		return ret;
	a = guard_begin(GUARD_AT_FORK);
	return a && guard_end(a) ? -EAGAIN : 0;
}

/* Where no hook can fail a fork: the child is there, and who made it is killed. */
SEC("tp_btf/sched_process_fork")
int BPF_PROG(guard_fork_done, struct task_struct *parent, struct task_struct *child)
{
	struct guard_attempt *a;

	if (READ(task_struct, child, pid) != READ(task_struct, child, tgid))
		return 0;
	a = guard_begin(GUARD_AT_FORK_DONE);
	if (a && guard_end(a))
		bpf_send_signal(9);
	return 0;
}
