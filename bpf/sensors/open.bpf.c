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

/* Is a text that is relative to dirfd relative to the directory that the file lies in? */
static __always_inline bool opened_in_directory(const struct opened *o, struct task_struct *task, __s32 dirfd)
{
	struct file *file;
	struct fs_struct *fs;

	if (dirfd == AT_FDCWD) {
		fs = READ(task_struct, task, fs);
		return READ_ADDRESS(fs_struct, fs, pwd.dentry) == o->parent &&
		       READ_ADDRESS(fs_struct, fs, pwd.mnt) == o->mount;
	}
	file = fd_file(task, dirfd);
	return file && READ_ADDRESS(file, file, f_path.dentry) == o->parent &&
	       READ_ADDRESS(file, file, f_path.mnt) == o->mount;
}

/* A number for the way from a dentry to the root of its mount namespace: another one after any rename or mount on it,
 * since each rename changes the sequence number of the dentry that it moves. 0: it is too long, or changing just now. */
#define WAY_MAX 32
#define WAY_MIX 0x9e3779b97f4a7c15ull

/* The one calculation that the verifier allows with typed pointers. */
static __always_inline __u64 address_difference(const void *a, const void *b)
{
	__u64 difference = (__u64)a;

	asm volatile("%0 -= %1" : "+r"(difference) : "r"(b));
	return difference;
}

/* A loop, since bpf_loop() would cost each step a call. Each address is told apart by its difference from the one before; the
 * first ones, from and mnt, are compared themselves. */
static __always_inline __u64 opened_way(__u64 from, __u64 mnt)
{
	const struct dentry *dentry = CAST(dentry, from), *root = CAST(vfsmount, mnt)->mnt_root;
	const struct mount *mount = CAST(mount, mnt - bpf_core_field_offset(struct mount, mnt));
	__u64 way = 0;

#pragma clang loop unroll(disable)
	for (__u32 i = 0; i < WAY_MAX; i++) {
		if (dentry == root) {
			const struct mount *above = mount->mnt_parent;
			if (above == mount)
				return way | 1;
			dentry = mount->mnt_mountpoint;
			way = way * WAY_MIX + address_difference(above, mount);
			way = way * WAY_MIX + address_difference(dentry, mount);
			root = above->mnt.mnt_root;
			mount = above;
		} else {
			const struct dentry *parent = dentry->d_parent;
			__u64 sequence = dentry->d_seq.seqcount.sequence;
			if (sequence & 1)
				return 0;
			way = way * WAY_MIX + (address_difference(dentry, parent) ^ sequence << 48);
			way = way * WAY_MIX + dentry->d_name.hash_len;
			way ^= way >> 29;
			dentry = parent;
		}
	}
	return 0;
}

/* What is to be compared. False: nothing may be remembered of this file. A file with several names may have been moved
 * without a rename. */
static __always_inline bool opened_look(struct opened *o, struct task_struct *task, __s64 fd, __s32 dirfd, __u64 text,
                                        __u32 flags)
{
	const struct file *file = CAST(file, fd_file(task, fd));
	const struct inode *inode = file->f_inode;
	long length;

	if (!inode || file->f_mode & FMODE_CREATED || ((inode->i_mode & S_IFMT) != S_IFDIR && inode->i_nlink != 1))
		return false;
	/* Onto the stack, which the kernel's check of where it copies to knows at once. */
	length = bpf_probe_read_user_str(o->text, OPENED_TEXT_MAX, (void *)text);
	if (length <= 1 || length == OPENED_TEXT_MAX)
		return false;
	o->length = length - 1;
	o->dentry = READ_ADDRESS(file, file, f_path.dentry);
	o->parent = READ_ADDRESS(dentry, o->dentry, d_parent);
	o->mount = READ_ADDRESS(file, file, f_path.mnt);
	o->inode = READ_ADDRESS(file, file, f_inode);
	o->number = inode->i_ino;
	o->changed_ns = inode_ctime(inode);
	o->epoch = sieve_epoch;
	o->flags = flags;
	if ((o->text[0] & 0xff) != '/' && !opened_in_directory(o, task, dirfd))
		return false;
	o->way = opened_way(o->dentry, o->mount);
	return o->way;
}

static __always_inline bool opened_is_known(const struct opened *o, const struct scratch *s)
{
	const struct opened *same = opened_find(o);
	const __u64 *words = (const __u64 *)o, *before = (const __u64 *)same;
	__u64 differ = 0;

	if (!same)
		return false;
#pragma unroll
	for (__u32 i = 0; i < sizeof(*o) / 8; i++)
		if (i != offsetof(struct opened, process) / 8)
			differ |= words[i] ^ before[i];
	return !differ && (!same->process || same->process == s->known);
}

/* The text that was compared, not read again: it may have changed meanwhile. */
static __always_inline struct event_slot opened_record_text(struct scratch *s)
{
	__u64 *to = (__u64 *)&s->record[FIXED_SIZE(openat)];

#pragma unroll
	for (__u32 i = 0; i < OPENED_TEXT_MAX / 8; i++)
		to[i] = s->opened.text[i];
	return record_take(s, s->opened.length);
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
	__u64 user = syscall_argument(regs, compat, 1);
	struct opened opened = {};
	struct event_slot text;
	struct scratch *s;
	bool comparable = wanted == WANTED_SIEVED && result >= 0 && bpf_rdonly_cast &&
	                  opened_look(&opened, task, result, dirfd, user, flags);

	s = scratch_get();
	if (!s)
		return 0;
	if (comparable && opened_is_known(&opened, s)) {
		count(COUNTER_sieved);
		return 0;
	}
	s->used = FIXED_SIZE(openat);
	record_header(s)->flags = 0;
	s->opened = opened;
	if (comparable) {
		text = opened_record_text(s);
	} else {
		s->opened.length = 0;
		text = record_user_text(s, (void *)user, EVENT_PATH_MAX);
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

	if (!s)
		return 0;
	if (s->unmade) {
		bpf_tail_call(ctx, &sensors, s->unmade);
		count(COUNTER_tail_call);
		return 0;
	}
	record_submit(s);
	return 0;
}

SEC("tp_btf/sys_exit")
int sieve_drop(void *ctx)
{
	struct scratch *s = scratch_get();
	struct opened *before;

	count(COUNTER_sieved);
	if (!s || s->unmade || record_header(s)->type != EVENT_openat || !s->opened.length)
		return 0;
	s->opened.process = s->sieve.by_file ? 0 : s->sieve.process;
	before = opened_find(&s->opened);
	if (before)
		*before = s->opened;
	return 0;
}
