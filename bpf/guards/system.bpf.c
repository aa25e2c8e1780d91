/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
 *
 * Guards of what reaches beyond a process: tracing another one, loading modules and BPF, mounting, entering namespaces.
 */
#include "guard.h"
#include "syscall.h"

/* At a point where nothing is known but who attempts it. */
static __always_inline int guard_plain(__u32 point)
{
	struct guard_attempt *a = guard_begin(point);

	return a ? guard_end(a) : 0;
}

static __always_inline int guard_with_number(__u32 point, __s64 number)
{
	struct guard_attempt *a = guard_begin(point);

	if (!a)
		return 0;
	guard_number(a, GUARD_ARGUMENT, number);
	return guard_end(a);
}

/* ---- tracing ---- */

#define PTRACE_MODE_ATTACH 2 /* without it, as for most of /proc, it is only looked at */

SEC("lsm/ptrace_access_check")
int BPF_PROG(guard_ptrace_access, struct task_struct *child, unsigned int mode, int ret)
{
	return ret || !(mode & PTRACE_MODE_ATTACH) ? ret : guard_plain(GUARD_AT_PTRACE);
}

SEC("lsm/ptrace_traceme")
int BPF_PROG(guard_ptrace_traceme, struct task_struct *parent, int ret)
{
	return ret ? ret : guard_plain(GUARD_AT_PTRACE);
}

/* ---- modules and BPF ---- */

static __always_inline bool guard_is_module(int id)
{
	return id == (int)bpf_core_enum_value(enum kernel_read_file_id, READING_MODULE) ||
	       (bpf_core_enum_value_exists(enum kernel_read_file_id___compressed, READING_MODULE_COMPRESSED) &&
	        id == (int)bpf_core_enum_value(enum kernel_read_file_id___compressed, READING_MODULE_COMPRESSED));
}

SEC("lsm/kernel_read_file")
int BPF_PROG(guard_module_file, struct file *file, int id, bool contents, int ret)
{
	struct guard_attempt *a;

	if (ret || !guard_is_module(id))
		return ret;
	a = guard_begin(GUARD_AT_MODULE_LOAD);
	if (!a)
		return 0;
	guard_file(a, READ_ADDRESS(file, file, f_path.dentry), READ_ADDRESS(file, file, f_path.mnt));
	return guard_end(a);
}

SEC("lsm/kernel_load_data")
int BPF_PROG(guard_module_data, int id, bool contents, int ret)
{
	if (ret || id != (int)bpf_core_enum_value(enum kernel_load_data_id, LOADING_MODULE))
		return ret;
	return guard_plain(GUARD_AT_MODULE_LOAD);
}

SEC("lsm/bpf")
int BPF_PROG(guard_bpf, int command)
{
	return guard_with_number(GUARD_AT_BPF_LOAD, command);
}

/* ---- mounts ---- */

static __always_inline void guard_mount_point(struct guard_attempt *a, const struct path *path)
{
	if (guard_wants(a, GUARD_PATH))
		guard_path(a, GUARD_PATH, READ_ADDRESS(path, path, dentry), READ_ADDRESS(path, path, mnt));
}

SEC("lsm/sb_mount")
int BPF_PROG(guard_sb_mount, const char *device, const struct path *path, const char *type, unsigned long flags)
{
	struct guard_attempt *a = guard_begin(GUARD_AT_MOUNT);

	if (!a)
		return 0;
	guard_number(a, GUARD_ARGUMENT, flags);
	guard_mount_point(a, path);
	if (guard_wants(a, GUARD_FS_TYPE))
		guard_short_text(a, GUARD_FS_TYPE, (__u64)type);
	return guard_end(a);
}

SEC("lsm/move_mount")
int BPF_PROG(guard_move_mount, const struct path *from, const struct path *to, int ret)
{
	struct guard_attempt *a;

	if (ret)
		return ret;
	a = guard_begin(GUARD_AT_MOUNT);
	if (!a)
		return 0;
	guard_mount_point(a, to);
	return guard_end(a);
}

SEC("lsm/sb_pivotroot")
int BPF_PROG(guard_pivot_root, const struct path *old, const struct path *new, int ret)
{
	return ret ? ret : guard_plain(GUARD_AT_MOUNT);
}

/* ---- namespaces ---- */

#define CAP_SYS_ADMIN 21
#if defined(__TARGET_ARCH_x86)
#define SETNS_NATIVE 308
#define SETNS_32BIT 346
#define SETNS_KINDS_NATIVE(regs) READ(pt_regs, regs, si)
#define SETNS_KINDS_32BIT(regs) READ(pt_regs, regs, cx)
#else
#define SETNS_NATIVE 268
#define SETNS_32BIT 375
#define SETNS_KINDS_NATIVE(regs) READ(pt_regs, regs, regs[1])
#define SETNS_KINDS_32BIT(regs) READ(pt_regs, regs, regs[1])
#endif

/* setns has no security hook of its own. But to install a namespace of any kind, it asks for this capability first: who is in
 * that call and does not get it, gets EPERM. */
SEC("lsm/capable")
int BPF_PROG(guard_setns, const struct cred *cred, struct user_namespace *ns, int capability, unsigned int options,
             int ret)
{
	struct task_struct *task = bpf_get_current_task_btf();
	struct pt_regs *regs;
	bool compat;

	if (ret || capability != CAP_SYS_ADMIN)
		return ret;
	regs = (struct pt_regs *)bpf_task_pt_regs(task);
	compat = syscall_is_compat(task);
	if (syscall_number(regs) != (compat ? SETNS_32BIT : SETNS_NATIVE))
		return 0;
	return guard_with_number(GUARD_AT_SETNS, (__s32)(compat ? SETNS_KINDS_32BIT(regs) : SETNS_KINDS_NATIVE(regs)));
}
