/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
 *
 * openat, by far the most frequent call that rules ask for: what the generic sensor would do from its table, written
 * out. Its rarer relatives are left to that one.
 */
#include "fd.h"
#include "syscall.h"

#define SET(event, member, value) record_set(s, MEMBER(event, member), value)

SEC("tp_btf/sys_exit")
int BPF_PROG(sys_openat, struct pt_regs *regs, long result)
{
	struct task_struct *task = bpf_get_current_task_btf();
	bool compat = syscall_is_compat(task);
	__s32 dirfd = syscall_argument(regs, compat, 0);
	struct scratch *s = scratch_get();

	if (!s)
		return 0;
	record_begin(s, task, EVENT_openat, FIXED_SIZE(openat), result);
	if (compat)
		record_flag(s, EVENT_F_COMPAT);
	SET(openat, dirfd, (__s64)dirfd);
	record_set_path(s, MEMBER(openat, name),
	                fd_record_path(s, task, dirfd, (void *)syscall_argument(regs, compat, 1)));
	SET(openat, flags, open_flags((__u32)syscall_argument(regs, compat, 2)));
	SET(openat, mode, (__u32)syscall_argument(regs, compat, 3));
	if (result >= 0)
		fd_record(s, task, result); /* its path is the whole truth */
	else
		path_record_root(s, task);
	record_submit(s);
	return 0;
}
