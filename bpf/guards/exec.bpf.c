/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
 *
 * Guard of programs that are started: SIGKILL when the new program is set up and has run no instruction.
 */
#include "guard.h"

SEC("tp_btf/sched_process_exec")
int BPF_PROG(guard_exec, struct task_struct *task, int old_pid, struct linux_binprm *bprm)
{
	struct guard_attempt *a = guard_begin(GUARD_AT_EXEC, task);

	if (!a)
		return 0;
	if (guard_wants(a, GUARD_EXEPATH))
		guard_exepath(a, task);
	if (guard_end(a))
		bpf_send_signal(9);
	return 0;
}
