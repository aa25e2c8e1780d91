/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
 *
 * Checks of the Linux security modules' hooks, entries and returns of kernel functions. Kernels may be built without.
 */
#include "trace.h"

#define EPERM 1
#pragma clang attribute push(__attribute__((preserve_access_index)), apply_to = record)
struct sockaddr {
	unsigned short sa_family;
};
struct linux_binprm___lsm {
	struct file *file;
	const char *filename;
	struct cred *cred;
};
#pragma clang attribute pop
union bpf_attr;

MAP(policy, BPF_MAP_TYPE_HASH, 1024, __u64, __u32);
RING(denials, 1 << 16);
const volatile int enforce = 1;

static __always_inline int deny(__u32 what)
{
	__u64 *record = bpf_ringbuf_reserve(&denials, 16, 0);

	if (record) {
		record[0] = bpf_get_current_pid_tgid();
		record[1] = what;
		bpf_ringbuf_submit(record, 0);
	}
	return enforce ? -EPERM : 0;
}

SEC("lsm/file_open")
int BPF_PROG(open_by_inode, struct file *file)
{
	__u64 ino = file->f_inode->i_ino;
	__u32 *rule = bpf_map_lookup_elem(&policy, &ino);

	return rule && *rule & 1 ? deny(1) : 0;
}

SEC("lsm/bprm_check_security")
int BPF_PROG(exec_from_tmp, struct linux_binprm *binprm)
{
	char path[16] = {};

	if (bpf_probe_read_kernel_str(path, sizeof(path), binprm->filename) < 5)
		return 0;
	if (path[0] == '/' && path[1] == 't' && path[2] == 'm' && path[3] == 'p' && path[4] == '/')
		return deny(2);
	return 0;
}

SEC("lsm/task_kill")
int BPF_PROG(protect_daemon, struct task_struct *target, void *info, int signal)
{
	__u64 key = target->tgid;

	if (signal != 9 && signal != 15)
		return 0;
	return bpf_map_lookup_elem(&policy, &key) ? deny(3) : 0;
}

SEC("lsm/socket_connect")
int BPF_PROG(only_unix, struct socket *socket, struct sockaddr *address, int length)
{
	if (length < 2)
		return 0;
	return address->sa_family != AF_UNIX && (bpf_get_current_uid_gid() & 0xffffffff) ? deny(4) : 0;
}

SEC("lsm/bpf")
int BPF_PROG(no_more_bpf, int command, union bpf_attr *attr, unsigned int size)
{
	return command == BPF_PROG_LOAD ? deny(5) : 0;
}

SEC("lsm/capable")
int BPF_PROG(watch_capabilities, const struct cred *cred, struct user_namespace *ns, int capability)
{
	if (capability == 21 && cred->uid.val != 0)
		return deny(6);
	return 0;
}

struct {
	__uint(type, BPF_MAP_TYPE_INODE_STORAGE);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, int);
	__type(value, __u64);
} by_inode SEC(".maps");

SEC("lsm/inode_unlink")
int BPF_PROG(count_unlinks, struct inode *directory, struct dentry *dentry)
{
	__u64 *n = bpf_inode_storage_get(&by_inode, directory, 0, BPF_LOCAL_STORAGE_GET_F_CREATE);

	if (!n)
		return 0;
	*n += 1;
	return *n > 1000 ? deny(7) : 0;
}

SEC("lsm.s/file_open")
int BPF_PROG(path_of_opened, struct file *file)
{
	char path[64];
	long n = bpf_d_path(&file->f_path, path, sizeof(path));

	if (n > 5 && path[0] == '/' && path[1] == 'b' && path[2] == 'o' && path[3] == 'o' && path[4] == 't')
		return deny(8);
	return 0;
}

SEC("lsm/ptrace_access_check")
int BPF_PROG(no_tracing_of_root, struct task_struct *child, unsigned int mode)
{
	return child->cred->uid.val == 0 && bpf_get_current_task_btf()->cred->uid.val != 0 ? deny(9) : 0;
}

SEC("fentry/do_unlinkat")
int BPF_PROG(enter_unlink, int fd, struct filename *name)
{
	bpf_printk("%d %s %d", fd, name->name, 0);
	return 0;
}

SEC("fexit/do_unlinkat")
int BPF_PROG(exit_unlink, int fd, struct filename *name, long ret)
{
	if (ret < 0)
		bpf_printk("%d %ld %d", fd, ret, 0);
	return 0;
}

SEC("fentry/tcp_connect")
int BPF_PROG(enter_connect, struct sock *sk)
{
	__u64 key = sk->__sk_common.skc_daddr;
	__u32 one = 1;

	bpf_map_update_elem(&policy, &key, &one, BPF_ANY);
	return 0;
}

SEC("fexit/vfs_open")
int BPF_PROG(exit_open, const struct path *path, struct file *file, int ret)
{
	__u64 key = path->dentry->d_inode->i_ino;
	__u32 mode = file->f_mode;

	if (!ret)
		bpf_map_update_elem(&policy, &key, &mode, BPF_ANY);
	return 0;
}

KERNEL_MAY_REJECT("system calls may sleep in it only where a kernel has error injection")
SEC("fentry.s/__x64_sys_openat")
int BPF_PROG(sleepable_entry, struct pt_regs *regs)
{
	char path[32];

	if (bpf_copy_from_user(path, sizeof(path), (void *)regs->si))
		return 0;
	if (path[0] == '/')
		bpf_printk("%d %d %d", path[1], path[2], 0);
	return 0;
}

SEC("fmod_ret/security_file_open")
int BPF_PROG(instead_of_open, struct file *file, int ret)
{
	return ret ? ret : file->f_flags & 0x80000000 ? -EPERM : 0;
}

SEC("lsm_cgroup/socket_bind")
int BPF_PROG(bind_in_group, struct socket *socket, struct sockaddr *address, int length)
{
	struct sock *sk = socket->sk;

	return sk && sk->sk_type == 3 && address->sa_family == AF_PACKET ? 0 : 1;
}

SEC("raw_tp.w/bpf_test_finish")
int writable_argument(struct bpf_raw_tracepoint_args *ctx)
{
	int *error = (int *)ctx->args[0];

	if (*error == -22)
		*error = 0;
	return 0;
}
