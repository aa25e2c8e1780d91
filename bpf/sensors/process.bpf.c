/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
 *
 * The life of processes: made, started, failed to start, moved between control groups, ended; and those that were
 * there before.
 */
#include "fd.h"
#include "process.h"
#include "syscall.h"
#include "task.h"

#define EXE_WRITABLE 1 /* names.def: exe */
#define EXE_UPPER_LAYER 2
#define EXE_FROM_MEMFD 4
#define EXE_LOWER_LAYER 8

#define SB_RDONLY 1
#define MNT_READONLY 0x40
#define CAP_DAC_OVERRIDE 1

#define SET(event, member, value) record_set(s, MEMBER(event, member), value)
#define SET_SLOT(event, member, slot) record_set_slot(s, MEMBER(event, member), slot)

/* ---- the executable ---- */
struct exe {
	__u64 flags, dev, inode, owner, mode, nlink, ctime_ns, mtime_ns;
	struct event_slot path;
};

static __always_inline __u64 inode_mtime(struct inode *inode)
{
	struct inode___underscore *middle = (void *)inode;

	if (bpf_core_field_exists(inode->i_mtime_sec))
		return READ(inode, inode, i_mtime_sec) * NS_PER_S + READ(inode, inode, i_mtime_nsec);
	if (bpf_core_field_exists(middle->__i_mtime))
		return READ(inode___underscore, inode, __i_mtime.tv_sec) * NS_PER_S +
		       READ(inode___underscore, inode, __i_mtime.tv_nsec);
	return READ(inode___timespec, inode, i_mtime.tv_sec) * NS_PER_S +
	       READ(inode___timespec, inode, i_mtime.tv_nsec);
}

/* Could this task write to the file? By mode bits and capability; access lists are not looked at. */
static __always_inline bool exe_writable(struct task_struct *task, struct inode *inode, struct vfsmount *mnt,
                                         struct super_block *sb)
{
	__u64 cred = READ_ADDRESS(task_struct, (__u64)task, cred);
	__u32 mode = READ(inode, inode, i_mode);

	if (READ(super_block, sb, s_flags) & SB_RDONLY || READ(vfsmount, mnt, mnt_flags) & MNT_READONLY)
		return false;
	if (READ_CAPABILITIES(cred, cap_effective) & 1ull << CAP_DAC_OVERRIDE)
		return true;
	if (READ(cred, cred, fsuid.val) == READ(inode, inode, i_uid.val))
		return mode & 0200;
	if (READ(cred, cred, fsgid.val) == READ(inode, inode, i_gid.val))
		return mode & 0020;
	return mode & 0002;
}

static __noinline int exe_describe(struct scratch *s, struct task_struct *task, struct exe *exe)
{
	struct file *file = READ_ALONG(task_struct, task, mm, exe_file);
	struct inode *inode = READ(file, file, f_inode);
	struct super_block *sb = READ(inode, inode, i_sb);
	unsigned long magic = READ(super_block, sb, s_magic);
	struct dentry *dentry;
	struct vfsmount *mnt;
	__u8 layer;

	if (!file)
		return 0;
	dentry = READ(file, file, f_path.dentry);
	mnt = READ(file, file, f_path.mnt);
	exe->path = path_record(s, dentry, mnt);
	exe->dev = READ(super_block, sb, s_dev);
	exe->inode = READ(inode, inode, i_ino);
	exe->owner = READ(inode, inode, i_uid.val);
	exe->mode = READ(inode, inode, i_mode) & 07777;
	exe->nlink = READ(inode, inode, i_nlink);
	exe->ctime_ns = inode_ctime(inode);
	exe->mtime_ns = inode_mtime(inode);
	layer = fd_overlay_flags(inode, magic);
	if (layer & FD_F_UPPER)
		exe->flags |= EXE_UPPER_LAYER;
	if (layer & FD_F_LOWER)
		exe->flags |= EXE_LOWER_LAYER;
	if (exe_writable(task, inode, mnt, sb))
		exe->flags |= EXE_WRITABLE;
	if (READ(dentry, dentry, d_parent) == dentry && (magic == TMPFS_MAGIC || magic == HUGETLBFS_MAGIC))
		exe->flags |= EXE_FROM_MEMFD;
	return 0;
}

/* Stores what exe_describe() found under the same names in two kinds of event. */
#define SET_EXE(event, exe) \
	do { \
		SET(event, flags, (exe).flags); \
		SET(event, exe_dev, (exe).dev); \
		SET(event, exe_inode, (exe).inode); \
		SET(event, exe_owner, (exe).owner); \
		SET(event, exe_mode, (exe).mode); \
		SET(event, exe_nlink, (exe).nlink); \
		SET(event, exe_ctime, (exe).ctime_ns); \
		SET(event, exe_mtime, (exe).mtime_ns); \
		SET_SLOT(event, exepath, (exe).path); \
	} while (0)

/* argv or environ of the current process: the kernel keeps where they stand, the last NUL included. */
static __always_inline struct event_slot record_strings(struct scratch *s, unsigned long start, unsigned long end)
{
	struct event_slot slot = {};

	if (!start || end <= start)
		return slot;
	slot = record_user_bytes(s, (void *)start, end - 1 - start, EVENT_ARGV_MAX);
	if (slot.length & SLOT_TRUNCATED)
		count(COUNTER_argv_truncated);
	return slot;
}

/* ---- started ---- */
SEC("tp_btf/sched_process_exec")
int BPF_PROG(process_exec, struct task_struct *task, int old_pid, struct linux_binprm *bprm)
{
	struct mm_struct *mm = task->mm;
	struct event_path filename = {};
	struct scratch *s;
	struct exe exe = {};

	if (!task_in_scope(task))
		return 0;
	s = scratch_get();
	if (!s)
		return 0;
	record_begin(s, task, EVENT_execve, FIXED_SIZE(execve), 0);
	exe_describe(s, task, &exe);
	SET_EXE(execve, exe);
	filename.text = record_kernel_text(s, bprm->filename, EVENT_PATH_MAX);
	SET_SLOT(execve, workdir, path_record_cwd(s));
	if (filename.text.offset && s->record[filename.text.offset & RECORD_MASK] != '/')
		filename.base = *(struct event_slot *)&s->record[MEMBER(execve, workdir)];
	record_set_path(s, MEMBER(execve, filename), filename);
	SET_SLOT(execve, interp, record_kernel_text(s, bprm->interp, EVENT_PATH_MAX));
	SET_SLOT(execve, comm_new, record_kernel_text(s, task->comm, 16));
	SET_SLOT(execve, creds, task_record_state(s, task));
	SET_SLOT(execve, cgroup, task_record_cgroup(s, task));
	SET_SLOT(execve, argv, record_strings(s, READ(mm_struct, mm, arg_start), READ(mm_struct, mm, arg_end)));
	if (config.environment)
		SET_SLOT(execve, environ,
		         record_strings(s, READ(mm_struct, mm, env_start), READ(mm_struct, mm, env_end)));
	path_record_root(s);
	process_changed();
	record_submit(s);
	process_changed();
	return 0;
}

/* ---- failed to start ---- */
struct argv_copy {
	struct scratch *scratch;
	__u64 pointers;
	__u32 begin;
	bool compat, failed, truncated;
};

static long argv_step(__u32 index, struct argv_copy *c)
{
	struct scratch *s = c->scratch;
	__u64 text = 0;
	__u32 taken = s->used - c->begin;
	long n;

	if (bpf_probe_read_user(&text, c->compat ? 4 : 8, (void *)(c->pointers + (__u64)index * (c->compat ? 4 : 8)))) {
		c->failed = true;
		return 1;
	}
	if (!text)
		return 1;
	if (taken >= EVENT_ARGV_MAX || !record_has_room(s, EVENT_ARGV_MAX)) {
		c->truncated = true;
		return 1;
	}
	n = bpf_probe_read_user_str(&s->record[s->used & RECORD_MASK], EVENT_ARGV_MAX, (void *)text);
	if (n < 0) { /* an empty one stands for it, so that the others keep their places */
		c->failed = true;
		s->record[s->used & RECORD_MASK] = '\0';
	}
	if (n <= 0) /* 0: the empty text, up to Linux 6.12 */
		n = 1;
	s->used += n;
	if (taken + n <= EVENT_ARGV_MAX && n < EVENT_ARGV_MAX)
		return 0;
	s->used = c->begin + EVENT_ARGV_MAX;
	c->truncated = true;
	return 1;
}

static __always_inline struct event_slot record_argv(struct scratch *s, __u64 pointers, bool compat)
{
	struct argv_copy c = {.scratch = s, .pointers = pointers, .begin = s->used, .compat = compat};
	struct event_slot slot = {};

	if (!pointers)
		return slot;
	bpf_loop(4096, argv_step, &c, 0);
	if (c.failed) {
		count(COUNTER_read_user);
		record_flag(s, EVENT_F_MISSING);
	}
	slot.offset = c.begin;
	slot.length = s->used > c.begin ? s->used - c.begin - 1 : 0; /* without the last NUL */
	if (c.truncated) {
		slot.length |= SLOT_TRUNCATED;
		count(COUNTER_argv_truncated);
		record_flag(s, EVENT_F_TRUNCATED);
	}
	return slot;
}

/* Reached from sys_exit by tail call. A start that succeeded was seen by process_exec. */
SEC("tp_btf/sys_exit")
int BPF_PROG(process_exec_failed, struct pt_regs *regs, long result)
{
	struct task_struct *task = bpf_get_current_task_btf();
	bool compat = syscall_is_compat(task), at = syscall_event(task, regs) == EVENT_execveat;
	struct scratch *s;
	__u64 text;

	if (result >= 0)
		return 0;
	s = scratch_get();
	if (!s)
		return 0;
	if (at) {
		record_begin(s, task, EVENT_execveat, FIXED_SIZE(execveat), result);
		text = record_user_text_word(s, syscall_argument(regs, compat, 1), EVENT_PATH_MAX);
		fd_record_name(s, MEMBER(execveat, filename), text, (__s32)syscall_argument(regs, compat, 0));
		SET_SLOT(execveat, argv, record_argv(s, syscall_argument(regs, compat, 2), compat));
	} else {
		record_begin(s, task, EVENT_execve, FIXED_SIZE(execve), result);
		text = record_user_text_word(s, syscall_argument(regs, compat, 0), EVENT_PATH_MAX);
		fd_record_name(s, MEMBER(execve, filename), text, AT_FDCWD);
		SET_SLOT(execve, argv, record_argv(s, syscall_argument(regs, compat, 1), compat));
	}
	if (compat)
		record_flag(s, EVENT_F_COMPAT);
	path_record_root(s);
	record_submit(s);
	return 0;
}

/* ---- made ---- */
SEC("tp_btf/sched_process_fork")
int BPF_PROG(process_fork, struct task_struct *parent, struct task_struct *child)
{
	struct scratch *s;

	if (!task_in_scope(parent))
		return 0;
	s = scratch_get();
	if (!s)
		return 0;
	record_begin(s, parent, EVENT_procfork, FIXED_SIZE(procfork), 0);
	SET(procfork, child_pid, child->tgid);
	SET(procfork, child_tid, child->pid);
	SET(procfork, child_start, READ_POINTER(child, group_leader)->start_boottime);
	SET(procfork, child_ppid, READ_POINTER(child, real_parent)->tgid);
	SET_SLOT(procfork, comm_new, record_kernel_text(s, child->comm, 16));
	if (child->pid == child->tgid) /* a thread shares all that matters with its process */
		SET_SLOT(procfork, creds, task_record_state(s, child));
	record_submit(s);
	return 0;
}

/* ---- ended ---- */
/* Who inherits the children: the nearest ancestor that asked to, else the init of the pid namespace. */
struct exit_walk {
	struct task_struct *task;
	__u32 found;
};

static long exit_step(__u32 index, struct exit_walk *w)
{
	struct task_struct *reaper = w->task;
	struct signal_struct *signal;

	reaper = READ(task_struct, reaper, real_parent);
	reaper = READ(task_struct, reaper, group_leader);
	signal = READ(task_struct, reaper, signal);
	w->task = reaper;
	if (READ(task_struct, reaper, tgid) <= 1)
		return 1;
	if (!BPF_CORE_READ_BITFIELD_PROBED(signal, is_child_subreaper))
		return 0;
	w->found = READ(task_struct, reaper, tgid);
	return 1;
}

static __always_inline __u32 exit_reaper(struct task_struct *task)
{
	struct exit_walk w = {.task = task};

	if (BPF_CORE_READ_BITFIELD_PROBED(task->signal, has_child_subreaper))
		bpf_loop(32, exit_step, &w, 0);
	return w.found;
}

/* Whether this thread is the last. Before Linux 6.16 the tracepoint does not say: of two that end together both may seem
 * to be, since neither is left to live. */
static __always_inline bool exit_is_last(void *ctx, struct signal_struct *signal)
{
	return config.exit_group_dead ? ((__u64 *)ctx)[1] & 1 : signal->live.counter == 0;
}

SEC("tp_btf/sched_process_exit")
int BPF_PROG(process_exit, struct task_struct *task)
{
	struct signal_struct *signal = task->signal;
	bool last = exit_is_last(ctx, signal), parent;
	__u32 status = task->exit_code, reaper;
	struct scratch *s;

	if (!task_in_scope(task))
		return 0;
	s = scratch_get();
	if (!s)
		return 0;
	if (last && signal->flags & SIGNAL_GROUP_EXIT)
		status = signal->group_exit_code;
	record_begin(s, task, EVENT_procexit, FIXED_SIZE(procexit), 0);
	SET(procexit, status, status);
	SET(procexit, ret, status >> 8 & 0xff);
	SET(procexit, sig, status & 0x7f);
	SET(procexit, core, status >> 7 & 1);
	reaper = exit_reaper(task);
	if (!reaper) {
		struct pid_namespace *pid_ns = pid_namespace_of(READ_ADDRESS(task_struct, (__u64)task, thread_pid));
		reaper = READ_ALONG(pid_namespace, pid_ns, child_reaper, tgid);
	}
	SET(procexit, reaper_tid, reaper);
	SET(procexit, leader, last);
	SET(procexit, duration, record_header(s)->time_ns - record_header(s)->start_ns);
	parent = last && process_has_children(task->group_leader); /* they get another one */
	if (parent)
		processes_forget();
	record_submit(s);
	if (parent)
		processes_forget();
	return 0;
}

/* ---- moved ---- */
SEC("tp_btf/cgroup_attach_task")
int BPF_PROG(cgroup_attach, struct cgroup *to, const char *path, struct task_struct *task, bool threadgroup)
{
	struct task_struct *mover = bpf_get_current_task_btf();
	struct scratch *s;

	if (!task_in_scope(mover) || task->pid != task->tgid)
		return 0;
	s = scratch_get();
	if (!s)
		return 0;
	record_begin(s, mover, EVENT_cgroup_attach, FIXED_SIZE(cgroup_attach), 0);
	SET(cgroup_attach, target_pid, task->tgid);
	SET(cgroup_attach, target_start, task->start_boottime);
	SET(cgroup_attach, hierarchy, to->root->hierarchy_id);
	SET_SLOT(cgroup_attach, cgroup, record_kernel_text(s, path, EVENT_PATH_MAX));
	SET_SLOT(cgroup_attach, creds, task_record_state(s, task));
	processes_forget();
	record_submit(s);
	processes_forget();
	return 0;
}

/* ---- there before ---- */
/* A record must fit into the iterator's buffer of 32 KiB with room to spare. */
#define LIST_STRINGS_MAX 8192

static __always_inline struct event_slot list_strings(struct scratch *s, struct task_struct *task, unsigned long start,
                                                      unsigned long end)
{
	struct event_slot slot = {};
	__u64 length = end - 1 - start;
	bool cut = length > LIST_STRINGS_MAX;

	if (!start || end <= start)
		return slot;
	if (cut)
		length = LIST_STRINGS_MAX;
	if (bpf_copy_from_user_task(&s->record[s->used & RECORD_MASK], length & (2 * LIST_STRINGS_MAX - 1),
	                            (void *)start, task, 0)) {
		count(COUNTER_read_user);
		record_flag(s, EVENT_F_MISSING);
		return slot;
	}
	slot = record_take(s, length);
	if (cut) {
		slot.length |= SLOT_TRUNCATED;
		record_flag(s, EVENT_F_TRUNCATED);
	}
	return slot;
}

static __always_inline int list_task(struct bpf_iter__task *ctx, bool sleepable)
{
	struct task_struct *task = ctx->task;
	__u32 own = config.cpus;
	struct scratch *s;
	struct mm_struct *mm;
	struct exe exe = {};

	/* One record a process: of its leader, or of the threads that a leader left behind when it ended. A process that is
	 * ending has no memory any more; what is known of it already is better than an empty record. */
	if (!task || (task != task->group_leader && task->group_leader->mm))
		return 0;
	if (!task->mm && !(task->flags & PF_KTHREAD))
		return 0;
	/* The sensors may run on this CPU while the iterator sleeps: it has a scratch space of its own. */
	s = bpf_map_lookup_elem(&scratches, &own);
	if (!s)
		return 0;
	record_begin(s, task, EVENT_procinfo, FIXED_SIZE(procinfo), 0);
	record_flag(s, EVENT_F_CONTEXT);
	SET_SLOT(procinfo, comm_new, record_kernel_text(s, task->comm, 16));
	SET_SLOT(procinfo, creds, task_record_state(s, task));
	SET_SLOT(procinfo, cgroup, task_record_cgroup(s, task));
	mm = task->mm;
	if (mm && !(task->flags & PF_KTHREAD)) {
		exe_describe(s, task, &exe);
		SET_EXE(procinfo, exe);
		if (BPF_CORE_READ(task, fs))
			SET_SLOT(procinfo, workdir,
			         path_record(s, BPF_CORE_READ(task, fs, pwd.dentry), BPF_CORE_READ(task, fs, pwd.mnt)));
		if (sleepable) {
			SET_SLOT(procinfo, argv,
			         list_strings(s, task, BPF_CORE_READ(mm, arg_start), BPF_CORE_READ(mm, arg_end)));
			if (config.environment)
				SET_SLOT(procinfo, environ,
				         list_strings(s, task, BPF_CORE_READ(mm, env_start),
				                      BPF_CORE_READ(mm, env_end)));
		}
	}
	if (task->mm !=
	    mm) /* it ended, or started another program, which is an event of its own: half of this is not true */
		return 0;
	record_align(s);
	if (s->used > EVENT_RECORD_MAX)
		return 0;
	record_header(s)->length = s->used;
	bpf_seq_write(ctx->meta->seq, s->record, s->used);
	return 0;
}

SEC("iter.s/task")
int task_list(struct bpf_iter__task *ctx)
{
	return list_task(ctx, true);
}

SEC("iter/task")
int task_list_plain(struct bpf_iter__task *ctx)
{
	return list_task(ctx, false);
}
