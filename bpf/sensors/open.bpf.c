/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
 *
 * openat, by far the most frequent call that rules ask for: what the generic sensor would do from its table, written
 * out. Its rarer relatives are left to that one.
 *
 * Most files that a host opens are opened again and again, and no rule has to do with them. So it is remembered of a file
 * that the sieve has dropped its event, with all that this rested upon: which file it is, by what way it hangs in the
 * tree, by which text and flags it was asked for. When all of that is the same, so is the decision, and neither path nor
 * record is made.
 */
#include "sieve.h"
#include "syscall.h"

#define SET(event, member, value) record_set(s, MEMBER(event, member), value)

volatile __u32 sieve_epoch; /* changes when what was remembered is no longer true */

#define OPENED_PER_CPU 256
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, OPENED_PER_CPU); /* set by the loader: for each CPU */
	__type(key, __u32);
	__type(value, struct opened);
} opened_before SEC(".maps");

static __always_inline struct opened *opened_find(const struct opened *o)
{
	__u32 at = ((o->dentry >> 6) ^ (o->dentry >> 14) ^ o->flags) & (OPENED_PER_CPU - 1);

	at += bpf_get_smp_processor_id() * OPENED_PER_CPU;
	return bpf_map_lookup_elem(&opened_before, &at);
}

/* The text that was asked for, its bytes behind the end 0. */
__noinline __u64 opened_set_text(struct scratch *s, __u32 offset, __u32 length)
{
	struct opened *o;

	if (!s)
		return 0;
	o = &s->opened;
	o->length = length;
#pragma unroll
	for (__u32 i = 0; i < OPENED_TEXT_MAX / 8; i++) {
		__u64 word = record_word(s, offset + 8 * i);
		__u32 n = *(volatile __u64 *)&o->length; /* anew, so that the verifier does not tell the ways apart */
		if (n <= 8 * i)
			word = 0;
		else if (n - 8 * i < 8)
			word &= ~(~0ull << 8 * (n & 7));
		o->text[i] = word;
	}
	o->length = 0;
	return 0;
}

/* Is a text that is relative to dirfd relative to the directory that the file lies in? */
static __always_inline bool opened_in_directory(const struct opened *o, struct task_struct *task, __s32 dirfd)
{
	struct file *file;
	struct fs_struct *fs;

	if (dirfd == AT_FDCWD) {
		fs = READ(task_struct, task, fs);
		return (__u64)READ(fs_struct, fs, pwd.dentry) == o->parent &&
		       (__u64)READ(fs_struct, fs, pwd.mnt) == o->mount;
	}
	file = fd_file(task, dirfd);
	return file && (__u64)READ(file, file, f_path.dentry) == o->parent &&
	       (__u64)READ(file, file, f_path.mnt) == o->mount;
}

/* A number for the way from a dentry to the root of its mount namespace: another one after any rename or mount on it,
 * since each rename changes the sequence number of the dentry that it moves. 0: it is too long, or changing just now. */
#define WAY_MAX 32
#define WAY_MIX 0x9e3779b97f4a7c15ull
struct opened_walk {
	__u64 dentry, mount, root, way;
	bool ended;
};

static long opened_step(__u32 index, struct opened_walk *w)
{
	if (w->dentry == w->root) {
		__u64 above = READ_ADDRESS(mount, w->mount, mnt_parent);
		w->ended = above == w->mount;
		w->dentry = READ_ADDRESS(mount, w->mount, mnt_mountpoint);
		w->root = READ_ADDRESS(mount, above, mnt.mnt_root);
		w->mount = above;
		w->way = w->way * WAY_MIX + above;
	} else {
		const void *dentry = (void *)w->dentry;
		__u64 sequence = READ(dentry, dentry, d_seq.seqcount.sequence);
		if (sequence & 1)
			return 1;
		w->way = w->way * WAY_MIX + (w->dentry ^ sequence << 48);
		w->way = w->way * WAY_MIX + READ(dentry, dentry, d_name.hash_len);
		w->way ^= w->way >> 29;
		w->dentry = READ_ADDRESS(dentry, w->dentry, d_parent);
	}
	return w->ended;
}

__noinline __u64 opened_way(__u64 dentry, __u64 mnt)
{
	__u64 mount = mnt - bpf_core_field_offset(struct mount, mnt);
	struct opened_walk w = {dentry, mount, READ_ADDRESS(vfsmount, mnt, mnt_root), mount, false};

	bpf_loop(WAY_MAX, opened_step, &w, 0);
	return w.ended ? w.way | 1 : 0;
}

/* What is to be compared, to s->opened; its length is 0 if nothing may be remembered of this file. A file with several
 * names may have been moved without a rename. */
static __always_inline void opened_look(struct scratch *s, struct task_struct *task, __s64 fd, __s32 dirfd,
                                        struct event_slot text, __u32 flags)
{
	struct opened *o = &s->opened;
	struct file *file = fd_file(task, fd);
	struct inode *inode;
	struct dentry *dentry;
	struct vfsmount *mnt;
	__u16 mode;

	if (!file || !text.length || text.length > OPENED_TEXT_MAX || READ(file, file, f_mode) & FMODE_CREATED)
		return;
	inode = READ(file, file, f_inode);
	mode = READ(inode, inode, i_mode);
	if ((mode & S_IFMT) != S_IFDIR && READ(inode, inode, i_nlink) != 1)
		return;
	dentry = READ(file, file, f_path.dentry);
	mnt = READ(file, file, f_path.mnt);
	o->dentry = (__u64)dentry;
	o->parent = (__u64)READ(dentry, dentry, d_parent);
	o->mount = (__u64)mnt;
	o->inode = (__u64)inode;
	o->number = READ(inode, inode, i_ino);
	o->changed_ns = inode_ctime(inode);
	o->epoch = sieve_epoch;
	o->flags = flags;
	opened_set_text(s, text.offset, text.length);
	if ((o->text[0] & 0xff) != '/' && !opened_in_directory(o, task, dirfd))
		return;
	o->way = opened_way(*(volatile __u64 *)&o->dentry, *(volatile __u64 *)&o->mount);
	o->length = o->way ? text.length : 0;
}

static __always_inline bool opened_is_known(struct opened *o, struct task_struct *task)
{
	struct opened *same = opened_find(o);
	const __u64 *words = (const __u64 *)o, *before = (const __u64 *)same;
	struct sieve_process *p;
	__u64 differ = 0;

	if (!same)
		return false;
	o->process = same->process;
#pragma unroll
	for (__u32 i = 0; i < sizeof(*o) / 8; i++)
		differ |= words[i] ^ before[i];
	if (differ || !same->process)
		return !differ;
	p = process_get(task);
	return p && p->serial == same->process;
}

/* The record, but for its text, which stands already behind where the members come. A function of its own, with external
 * linkage, so that it is verified once and not with all that is known of what was opened before. */
__noinline __u64 openat_record(struct scratch *s, __u64 text, __s64 result)
{
	struct task_struct *task = bpf_get_current_task_btf();
	struct pt_regs *regs = (struct pt_regs *)bpf_task_pt_regs(task);
	bool compat = syscall_is_compat(task);
	__s32 dirfd = syscall_argument(regs, compat, 0);
	__u32 flags = syscall_argument(regs, compat, 2), used;
	__u16 read;

	if (!s)
		return 0;
	used = s->used;
	read = record_header(s)->flags;
	record_begin(s, task, EVENT_openat, FIXED_SIZE(openat), result);
	s->used = used;
	record_flag(s, read | (compat ? EVENT_F_COMPAT : 0));
	SET(openat, dirfd, (__s64)dirfd);
	fd_record_name(s, MEMBER(openat, name), text, dirfd);
	SET(openat, flags, open_flags(flags));
	SET(openat, mode, (__u32)syscall_argument(regs, compat, 3));
	if (result >= 0)
		fd_record(s, task, result); /* its path is the whole truth */
	else
		path_record_root(s);
	return 0;
}

SEC("tp_btf/sys_exit")
int BPF_PROG(sys_openat, struct pt_regs *regs, long result)
{
	struct task_struct *task = bpf_get_current_task_btf();
	__u8 wanted = event_wanted[EVENT_openat];
	bool compat = syscall_is_compat(task);
	__s32 dirfd = syscall_argument(regs, compat, 0);
	__u32 flags = syscall_argument(regs, compat, 2);
	struct scratch *s = scratch_get();
	struct event_slot text;

	if (!s)
		return 0;
	s->used = FIXED_SIZE(openat);
	record_header(s)->flags = 0;
	text = record_user_text(s, (void *)syscall_argument(regs, compat, 1), EVENT_PATH_MAX);
	s->opened.length = 0;
	if (wanted == WANTED_SIEVED && result >= 0 && bpf_rdonly_cast) {
		opened_look(s, task, result, dirfd, text, flags);
		if (s->opened.length && opened_is_known(&s->opened, task)) {
			count(COUNTER_sieved);
			return 0;
		}
	}
	openat_record(s, slot_to_word(text), result);
	if (wanted >= WANTED_SIEVED) {
		sieve_fill(s, MEMBER(openat, name), open_flags(flags));
		record_sift(ctx, s, EVENT_openat, wanted);
	}
	record_submit(s);
	return 0;
}

/* ---- where a sieve's program goes on ---- */
SEC("tp_btf/sys_exit")
int sieve_pass(void *ctx)
{
	struct scratch *s = scratch_get();

	if (s)
		record_submit(s);
	return 0;
}

SEC("tp_btf/sys_exit")
int sieve_drop(void *ctx)
{
	struct scratch *s = scratch_get();
	struct opened *before;

	count(COUNTER_sieved);
	if (!s || record_header(s)->type != EVENT_openat || !s->opened.length)
		return 0;
	s->opened.process = s->sieve.by_file ? 0 : s->sieve.process;
	before = opened_find(&s->opened);
	if (before)
		*before = s->opened;
	return 0;
}
