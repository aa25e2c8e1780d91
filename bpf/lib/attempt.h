/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
 *
 * An attempt that a guard is asked about: the maps that guards decide by (schema/guard.h), and what is known of who tries
 * what. A place for it is taken when a hook is entered, and given back by guard_end() (guard.h).
 */
#ifndef PICKET_BPF_ATTEMPT_H
#define PICKET_BPF_ATTEMPT_H

#include "path.h"
#include "schema/guard.h"

#define ARRAY_MAP(name, of, count) \
	struct { \
		__uint(type, BPF_MAP_TYPE_ARRAY); \
		__uint(max_entries, count); \
		__type(key, __u32); \
		__type(value, struct of); \
	} name SEC(".maps")
#define KEYED_MAP(name, kind, key_type, value_type, count, memory) \
	struct { \
		__uint(type, kind); \
		__uint(max_entries, count); \
		__uint(map_flags, flags_##memory); \
		__type(key, key_type); \
		__type(value, value_type); \
	} name SEC(".maps")
#define flags_plain 0
#define flags_trie BPF_F_NO_PREALLOC

ARRAY_MAP(guard_control, guard_control, 1);
ARRAY_MAP(guard_points, guard_point_policies, GUARD_POINTS);
ARRAY_MAP(guard_policies, guard_policy, GUARD_POLICIES_MAX);
ARRAY_MAP(guard_states, guard_state, GUARD_POLICIES_MAX);
ARRAY_MAP(guard_tests, guard_test, GUARD_TESTS_MAX);
KEYED_MAP(guard_texts, BPF_MAP_TYPE_LPM_TRIE, struct guard_text_key, __u8, GUARD_TEXTS_MAX, trie);
KEYED_MAP(guard_nets, BPF_MAP_TYPE_LPM_TRIE, struct guard_net_key, __u8, GUARD_NETS_MAX, trie);
KEYED_MAP(guard_numbers, BPF_MAP_TYPE_HASH, struct guard_number_key, __u8, GUARD_NUMBERS_MAX, plain);
KEYED_MAP(guard_members, BPF_MAP_TYPE_HASH, struct guard_member_key, __u8, GUARD_MEMBERS_MAX, plain);
KEYED_MAP(guard_bits, BPF_MAP_TYPE_LRU_HASH, __u32, struct guard_process, 32768, plain);
KEYED_MAP(guard_protected, BPF_MAP_TYPE_HASH, struct guard_protected_key, __u8, 1024, plain);
KEYED_MAP(guard_acted, BPF_MAP_TYPE_LRU_HASH, struct guard_acted_key, __u8, 16384, plain);
struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, 256 * 1024);
} guard_verdicts SEC(".maps");

/* Who attempts it: what every policy asks first. */
struct guard_who {
	__u64 inode; /* of its executable; 0: there is none, as of a kernel thread */
	__u32 device, tgid, uid, unused;
	__u64 task; /* its address, as a number: the verifier forbids to calculate with typed pointers */
};

/* What is known of an attempt. Paths are put together in a place of its own: programs at security hooks can be interrupted by
 * other tasks, which use the scratch space of the CPU. */
struct guard_attempt {
	__u32 busy;  /* somebody is being judged here */
	__u32 place; /* in guard_attempts */
	__u32 point;
	__u32 wanted, ends, known; /* bits of enum guard_subject */
	__u32 mine;                /* bits: of the policies of the point, those in whose scope it is */
	__u32 number;              /* see guard_unknown() */
	struct guard_who who;
	__s64 numbers[GUARD_NUMBER_SUBJECTS];
	__u8 address[16];
	__u64 pointer;      /* see guard_address() */
	__u64 yes, unknown; /* results of a formula's steps, the last in the lowest bit */
	__s32 verdict;      /* errno, negative, of the policy that acts; 0: none */
	/* As they stand, and reversed. Each ends in a NUL or is cut. */
	struct guard_text_key texts[GUARD_TEXT_SUBJECTS][2] __attribute__((aligned(8)));
	struct path_walk walk;
};
/* Programs of control groups and security hooks can be interrupted by others on their CPU: so places are taken, and given
 * back. */
#define GUARD_ATTEMPTS 64
ARRAY_MAP(guard_attempts, guard_attempt, GUARD_ATTEMPTS);

/* ---- whom ---- */

static __always_inline void guard_who_is(struct guard_who *who, __u64 address)
{
	const void *task = (void *)address;
	const struct cred *cred = READ(task_struct, task, cred);
	struct mm_struct *mm = READ(task_struct, task, mm);
	struct file *file = READ(mm_struct, mm, exe_file);
	struct inode *inode = READ(file, file, f_inode);
	struct super_block *sb = READ(inode, inode, i_sb);

	/* A kernel thread has no program, but may have borrowed the memory of a process that has. */
	who->inode = READ(task_struct, task, flags) & PF_KTHREAD ? 0 : READ(inode, inode, i_ino);
	who->device = READ(super_block, sb, s_dev);
	who->tgid = READ(task_struct, task, tgid);
	who->uid = READ(cred, cred, euid.val);
	who->task = address;
}

/* The first process, and kernel threads. */
static __always_inline bool guard_is_untouchable(const struct guard_who *who)
{
	return who->tgid <= 1 || !who->inode;
}

static __always_inline bool guard_is_protected(const struct guard_who *who)
{
	struct guard_protected_key file = {.inode = who->inode, .device = who->device};
	struct guard_protected_key process = {.device = who->tgid, .what = GUARD_PROTECTED_PROCESS};

	return guard_is_untouchable(who) || bpf_map_lookup_elem(&guard_protected, &file) ||
	       bpf_map_lookup_elem(&guard_protected, &process);
}

/* The control group of a process. */
struct guard_group {
	__u64 address;
	__u32 level;
};

static __always_inline struct guard_group guard_own_group(const struct guard_who *who)
{
	const void *task = (void *)who->task;
	struct css_set *set = READ(task_struct, task, cgroups);
	__u64 address = READ_ADDRESS(css_set, set, dfl_cgrp);

	/* No member of our own structures within READ: where that is a helper's call, all of it would be relocated. */
	return (struct guard_group){.address = address, .level = READ(cgroup, (void *)address, level)};
}

/* The id of the group at a level, 0: there is none. */
static __always_inline __u64 guard_ancestor_id(const struct guard_group *g, __u32 level)
{
	const void *at =
	        (const void *)(g->address + bpf_core_field_offset(struct cgroup, ancestors) + 8 * (level & 255));
	struct cgroup *ancestor;
	struct kernfs_node *node;

	if (level > g->level)
		return 0;
	ancestor = (void *)READ_WORD(at);
	node = READ(cgroup, ancestor, kn);
	return READ(kernfs_node, node, id);
}

/* The leader of a process's session; NULL: it has ended. */
static __always_inline struct task_struct *guard_session_leader(struct signal_struct *signal)
{
	struct pid *session = READ(signal_struct, signal, pids[PIDTYPE_SID]);
	__u64 first = READ_ADDRESS(pid, (void *)session, tasks[PIDTYPE_TGID].first);

	return first ? (void *)(first - bpf_core_field_offset(struct task_struct, pid_links[PIDTYPE_TGID])) : NULL;
}

static __always_inline bool guard_is_entry(struct task_struct *task)
{
	struct mm_struct *mm = READ(task_struct, task, mm);
	struct file *file = READ(mm_struct, mm, exe_file);
	struct inode *inode = READ(file, file, f_inode);
	struct super_block *sb = READ(inode, inode, i_sb);
	struct guard_protected_key key = {.inode = READ(inode, inode, i_ino),
	                                  .device = READ(super_block, sb, s_dev),
	                                  .what = GUARD_PROTECTED_ENTRY};

	return bpf_map_lookup_elem(&guard_protected, &key);
}

/* Is it what an operator needs to go on? See enum guard_protected_what. */
static __always_inline bool guard_is_operators(const struct guard_who *who)
{
	const void *task = (void *)who->task;
	struct task_struct *leader, *parent;
	struct signal_struct *signal = READ(task_struct, task, signal);

	if (!READ(signal_struct, signal, tty))
		return false;
	leader = guard_session_leader(signal);
	if (!leader || (who->uid != 0 && (__u32)READ(task_struct, leader, tgid) != who->tgid))
		return false;
	parent = READ(task_struct, leader, real_parent);
	return guard_is_entry(parent);
}

static __always_inline bool guard_in_protected_group(const struct guard_who *who)
{
	struct guard_group g = guard_own_group(who);
	struct guard_protected_key key = {.what = GUARD_PROTECTED_GROUP};

	for (__u32 up = 0; up < GUARD_DEPTH_MAX && up <= g.level; up++) {
		key.inode = guard_ancestor_id(&g, g.level - up);
		if (bpf_map_lookup_elem(&guard_protected, &key))
			return true;
	}
	return false;
}

/* What is dearer to find out than guard_is_protected(). Verified once for a program, whatever the number of its callers. */
__noinline int guard_is_spared(const struct guard_who *who)
{
	return who && (guard_is_operators(who) || guard_in_protected_group(who));
}

static __always_inline bool guard_in_cgroups(const struct guard_group *g, const struct guard_scope *s)
{
	for (__u32 i = 0; i < GUARD_SCOPE_MAX && i < s->cgroups; i++)
		if (guard_ancestor_id(g, s->cgroup[i].level) == s->cgroup[i].id)
			return true;
	return s->cgroups == 0;
}

static __always_inline bool guard_in_members(const struct guard_group *g, const struct guard_scope *s)
{
	struct guard_member_key key = {.members = s->members};

	for (__u32 up = 0; key.members && up < GUARD_DEPTH_MAX && up <= g->level; up++) {
		key.cgroup_id = guard_ancestor_id(g, g->level - up);
		const __u8 *member = bpf_map_lookup_elem(&guard_members, &key);
		if (member && (up == 0 || *member == GUARD_MEMBER_BELOW))
			return true;
	}
	return key.members == 0;
}

static __always_inline bool guard_in_users(const struct guard_who *who, const struct guard_scope *s)
{
	for (__u32 i = 0; i < GUARD_SCOPE_MAX && i < s->users; i++)
		if (s->uids[i] == who->uid)
			return true;
	return s->users == 0;
}

static __always_inline bool guard_in_executables(const struct guard_who *who, const struct guard_scope *s)
{
	for (__u32 i = 0; i < GUARD_SCOPE_MAX && i < s->executables; i++)
		if (s->executable[i].inode == who->inode && s->executable[i].device == who->device)
			return true;
	return s->executables == 0;
}

/* Functions with external linkage are verified once for a program, whatever the number of their callers. */
__noinline int guard_in_scope(const struct guard_who *who, __u32 policy)
{
	const struct guard_policy *p = bpf_map_lookup_elem(&guard_policies, &policy);
	struct guard_group group;

	if (!who || !p || !guard_in_users(who, &p->scope) || !guard_in_executables(who, &p->scope))
		return false;
	if (!p->scope.cgroups && !p->scope.members)
		return true;
	group = guard_own_group(who);
	return guard_in_cgroups(&group, &p->scope) && guard_in_members(&group, &p->scope);
}

struct guard_scopes {
	const struct guard_point_policies *list;
	const struct guard_who *who;
	__u32 mine;
};

static long guard_next_scope(__u32 i, struct guard_scopes *s)
{
	if (i >= GUARD_POINT_POLICIES_MAX)
		return 1;
	s->mine |= (__u32)(guard_in_scope(s->who, s->list->policies[i]) & 1) << i;
	return 0;
}

/* ---- what is known ---- */

static __always_inline void guard_number(struct guard_attempt *a, __u32 subject, __s64 number)
{
	a->numbers[subject - GUARD_TEXT_SUBJECTS] = number;
	a->known |= 1u << subject;
}

static __always_inline bool guard_wants(const struct guard_attempt *a, __u32 subject)
{
	return a->wanted >> subject & 1;
}

/* As number_unknown(). */
static __always_inline __u32 guard_unknown(struct guard_attempt *a, __u32 number)
{
	*(volatile __u32 *)&a->number = number;
	return *(volatile __u32 *)&a->number;
}

/* As address_of(). */
static __always_inline __u64 guard_address(struct guard_attempt *a, const void *pointer)
{
	*(volatile __u64 *)&a->pointer = (__u64)pointer;
	return *(volatile __u64 *)&a->pointer;
}

/* The texts of a subject, from a->walk; of a longer one only the GUARD_TEXT_MAX bytes of each end. */
__noinline int guard_text(struct guard_attempt *a, __u32 subject, __u32 at, __u32 length)
{
	struct guard_text_key *keys;
	__u32 taken = length < GUARD_TEXT_MAX ? length : GUARD_TEXT_MAX;

	if (!a || subject >= GUARD_TEXT_SUBJECTS || at >= PATH_BUFFER || length > PATH_BUFFER)
		return 0;
	keys = a->texts[subject];
	if (bpf_probe_read_kernel(keys[0].text, taken, &a->walk.text[at]))
		return 0;
	if (length < GUARD_TEXT_MAX)
		keys[0].text[length] = '\0';
	a->known |= 1u << subject;
	if (!(a->ends >> subject & 1))
		return 0;
	for (__u32 i = 0; i < GUARD_TEXT_MAX / 8 && 8 * i < length; i++) {
		__u32 from = (at + length - 8 * (i + 1)) & (PATH_BUFFER - 1);
		*(__u64 *)&keys[1].text[8 * i] = __builtin_bswap64(*(const __u64 *)&a->walk.text[from]);
	}
	if (length < GUARD_TEXT_MAX)
		keys[1].text[length] = '\0';
	return 0;
}

/* Where short texts of the kernel's are read to: behind it, nothing; before it, what a reversal may read. */
#define GUARD_SHORT_AT PATH_END

/* A text of at most 255 bytes, at an address of the kernel's. */
__noinline int guard_short_text(struct guard_attempt *a, __u32 subject, __u64 address)
{
	long length;

	if (!a || !address)
		return 0;
	length = bpf_probe_read_kernel_str(&a->walk.text[GUARD_SHORT_AT], 256, (const void *)address) -
	         1; /* without its NUL */
	if (length >= 0 && length < 255)
		guard_text(a, subject, GUARD_SHORT_AT, length);
	return 0;
}

static __always_inline void guard_name(struct guard_attempt *a, __u32 subject, const void *task)
{
	guard_short_text(a, subject, guard_address(a, task) + bpf_core_field_offset(struct task_struct, comm));
}

#define GUARD_OF_PROCESS \
	(1u << GUARD_REAL_UID | 1u << GUARD_GID | 1u << GUARD_LOGIN_UID | 1u << GUARD_NAME | 1u << GUARD_PARENT_PID | \
	 1u << GUARD_PARENT_NAME)

static __always_inline void guard_process_known(struct guard_attempt *a)
{
	const void *task = (void *)a->who.task;
	struct task_struct *parent;
	const struct cred *cred;

	if (!(a->wanted & GUARD_OF_PROCESS))
		return;
	cred = READ(task_struct, task, cred);
	if (guard_wants(a, GUARD_REAL_UID))
		guard_number(a, GUARD_REAL_UID, READ(cred, cred, uid.val));
	if (guard_wants(a, GUARD_GID))
		guard_number(a, GUARD_GID, READ(cred, cred, egid.val));
	if (guard_wants(a, GUARD_LOGIN_UID) &&
	    bpf_core_field_exists(struct task_struct, loginuid)) /* only with CONFIG_AUDIT */
		guard_number(a, GUARD_LOGIN_UID, (__s32)READ(task_struct, task, loginuid.val));
	if (guard_wants(a, GUARD_NAME))
		guard_name(a, GUARD_NAME, READ(task_struct, task, group_leader));
	parent = READ(task_struct, task, real_parent);
	parent = READ(task_struct, parent, group_leader);
	guard_number(a, GUARD_PARENT_PID, READ(task_struct, parent, tgid));
	if (guard_wants(a, GUARD_PARENT_NAME))
		guard_name(a, GUARD_PARENT_NAME, parent);
}

static __always_inline struct guard_attempt *guard_take(void)
{
	__u32 first = bpf_get_smp_processor_id();

	for (__u32 i = 0; i < GUARD_ATTEMPTS; i++) {
		__u32 index = (first + i) & (GUARD_ATTEMPTS - 1);
		struct guard_attempt *a = bpf_map_lookup_elem(&guard_attempts, &index);
		if (!a || __sync_val_compare_and_swap(&a->busy, 0, 1))
			continue;
		a->place = index;
		return a;
	}
	count(COUNTER_guard_busy);
	return NULL;
}

/* NULL: no policy has anything to say about this process here. */
static __always_inline struct guard_attempt *guard_begin_of(__u64 task, __u32 point)
{
	struct guard_point_policies *list = bpf_map_lookup_elem(&guard_points, &point);
	struct guard_who who = {};
	struct guard_scopes scopes = {.list = list, .who = &who};
	struct guard_attempt *a;

	if (!list || !list->count || owner_disarmed())
		return NULL;
	guard_who_is(&who, task);
	if (guard_is_untouchable(&who))
		return NULL;
	bpf_loop(list->count, guard_next_scope, &scopes, 0);
	if (!scopes.mine)
		return NULL;
	a = guard_take();
	if (!a)
		return NULL;
	a->point = point;
	a->mine = scopes.mine;
	a->wanted = list->subjects;
	a->ends = list->ends;
	a->known = 0;
	a->verdict = 0;
	a->who = who;
	guard_number(a, GUARD_PID, who.tgid);
	guard_number(a, GUARD_UID, who.uid);
	guard_process_known(a);
	return a;
}

static __always_inline struct guard_attempt *guard_begin(__u32 point)
{
	return guard_begin_of(bpf_get_current_task(), point);
}

/* ---- a path ---- */

struct guard_slash {
	struct guard_attempt *attempt;
	__u32 at; /* of the first byte of the last component */
	__u32 begin;
};

static long guard_slash_step(__u32 i, struct guard_slash *s)
{
	if (s->at <= s->begin || s->attempt->walk.text[(s->at - 1) & (PATH_BUFFER - 1)] == '/')
		return 1;
	s->at--;
	return 0;
}

/* Where the last component begins of what stands between begin and end. */
static __always_inline __u32 guard_component(struct guard_attempt *a, __u32 begin, __u32 end)
{
	struct guard_slash s = {.attempt = a, .at = guard_unknown(a, end), .begin = begin};

	bpf_loop(256, guard_slash_step, &s, 0);
	return s.at;
}

/* The last component of a path that ends at PATH_END, and what is before it. */
static __always_inline void guard_path_parts(struct guard_attempt *a, __u32 begin)
{
	__u32 at = guard_component(a, begin, PATH_END);
	__u32 directory = at - begin > 1 ? at - begin - 1 : at - begin; /* the root keeps its slash */

	if (guard_wants(a, GUARD_FILE_NAME))
		guard_text(a, GUARD_FILE_NAME, at, PATH_END - at);
	if (guard_wants(a, GUARD_DIRECTORY))
		guard_text(a, GUARD_DIRECTORY, begin, directory);
}

/* The path of a dentry as a subject's texts. Kernel pointers come as numbers. Returns where in a->walk it begins, 0: it could
 * not be put together. */
__noinline __u32 guard_path(struct guard_attempt *a, __u32 subject, __u64 dentry, __u64 mnt)
{
	struct path_walk *w;
	__u32 position;

	if (!a || !mnt || !dentry)
		return 0;
	w = &a->walk;
	path_walk(w, dentry, mnt);
	position = w->position;
	if (w->end < PATH_OUTSIDE || position > PATH_END || position < PATH_BEGIN)
		return 0;
	guard_text(a, subject, position, PATH_END - position);
	return position;
}

#define GUARD_OF_PATH (1u << GUARD_PATH | 1u << GUARD_FILE_NAME | 1u << GUARD_DIRECTORY)
#define GUARD_OF_INODE \
	(1u << GUARD_INODE | 1u << GUARD_OWNER | 1u << GUARD_LINKS | 1u << GUARD_IS_DEVICE | 1u << GUARD_FILE_KIND)

static __always_inline void guard_inode_known(struct guard_attempt *a, struct inode *inode, __u32 mode)
{
	__u32 kind = mode & S_IFMT;

	guard_number(a, GUARD_INODE, READ(inode, inode, i_ino));
	guard_number(a, GUARD_OWNER, READ(inode, inode, i_uid.val));
	guard_number(a, GUARD_LINKS, READ(inode, inode, i_nlink));
	guard_number(a, GUARD_IS_DEVICE, kind == S_IFCHR || kind == S_IFBLK);
	guard_number(a, GUARD_FILE_KIND, kind == S_IFDIR ? 'd' : 'f');
}

/* All that is asked about a file that exists. */
__noinline int guard_file(struct guard_attempt *a, __u64 dentry_address, __u64 mnt)
{
	struct dentry *dentry = (void *)dentry_address;
	struct inode *inode;
	__u32 mode, begin;

	if (!a || !(a->wanted & (GUARD_OF_PATH | GUARD_OF_INODE)))
		return 0;
	inode = READ(dentry, dentry, d_inode);
	mode = READ(inode, inode, i_mode);
	if (a->wanted & GUARD_OF_INODE)
		guard_inode_known(a, inode, mode);
	if (!(a->wanted & GUARD_OF_PATH))
		return 0;
	begin = guard_path(a, GUARD_PATH, dentry_address, mnt);
	if (!begin || !(a->wanted & (1u << GUARD_FILE_NAME | 1u << GUARD_DIRECTORY)))
		return 0;
	if ((mode & S_IFMT) != S_IFDIR)
		guard_path_parts(a, begin);
	else if (guard_wants(a, GUARD_DIRECTORY)) /* it has no name in it, and is its own directory */
		guard_text(a, GUARD_DIRECTORY, begin, PATH_END - begin);
	return 0;
}

#endif
