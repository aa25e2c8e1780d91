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

/* What is known of an attempt. Texts are padded with NULs, once as they stand and once reversed. */
struct guard_attempt {
	__u32 busy; /* somebody is being judged here */
	__u32 point;
	__u32 wanted, known; /* bits of enum guard_subject */
	__s64 numbers[GUARD_NUMBER_SUBJECTS];
	__u8 address[16];
	__u64 start_ns, inode;
	__u32 pid, tgid, device;
	__u64 yes, unknown; /* results of a formula's steps, the last in the lowest bit */
	__s32 verdict;      /* errno, negative, of the policy that acts; 0: none */
	struct task_struct *task;
	struct guard_text_key text_key;
	char texts[GUARD_TEXT_SUBJECTS][2][GUARD_TEXT_MAX];
};
/* Programs of control groups can be interrupted by others on their CPU: so places are taken, and given back. */
#define GUARD_ATTEMPTS 64
#define GUARD_TRIES 8
ARRAY_MAP(guard_attempts, guard_attempt, GUARD_ATTEMPTS);

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

/* Functions with external linkage are verified once for a program, whatever the number of their callers. */
__noinline int guard_name(struct guard_attempt *a, __u32 subject, __u64 task)
{
	const char *name = (const char *)task + bpf_core_field_offset(struct task_struct, comm);
	char own[16] = {};
	long length = bpf_probe_read_kernel_str(own, sizeof(own), name) - 1; /* without its NUL */

	if (!a || subject >= GUARD_TEXT_SUBJECTS || length < 0 || length >= (long)sizeof(own))
		return 0;
	__builtin_memset(a->texts[subject], 0, sizeof(a->texts[subject]));
	__builtin_memcpy(a->texts[subject][0], own, sizeof(own));
	for (__u32 i = 0; i < sizeof(own) && i < length; i++)
		a->texts[subject][1][i] = own[(length - 1 - i) & 15];
	a->known |= 1u << subject;
	return 0;
}

static __always_inline void guard_process_known(struct guard_attempt *a, struct task_struct *task)
{
	const struct cred *cred = BPF_CORE_READ(task, cred);
	struct task_struct *leader = BPF_CORE_READ(task, group_leader);
	struct task_struct *parent = BPF_CORE_READ(task, real_parent, group_leader);

	a->pid = BPF_CORE_READ(task, pid);
	a->tgid = BPF_CORE_READ(task, tgid);
	a->start_ns = BPF_CORE_READ(leader, start_boottime);
	a->task = task;
	guard_number(a, GUARD_PID, a->tgid);
	guard_number(a, GUARD_UID, BPF_CORE_READ(cred, euid.val));
	if (guard_wants(a, GUARD_PARENT_PID))
		guard_number(a, GUARD_PARENT_PID, BPF_CORE_READ(parent, tgid));
	if (guard_wants(a, GUARD_REAL_UID))
		guard_number(a, GUARD_REAL_UID, BPF_CORE_READ(cred, uid.val));
	if (guard_wants(a, GUARD_GID))
		guard_number(a, GUARD_GID, BPF_CORE_READ(cred, egid.val));
	if (guard_wants(a, GUARD_LOGIN_UID) && bpf_core_field_exists(task->loginuid)) /* only with CONFIG_AUDIT */
		guard_number(a, GUARD_LOGIN_UID, (__s32)BPF_CORE_READ(task, loginuid.val));
	if (guard_wants(a, GUARD_NAME))
		guard_name(a, GUARD_NAME, (__u64)leader);
	if (guard_wants(a, GUARD_PARENT_NAME))
		guard_name(a, GUARD_PARENT_NAME, (__u64)parent);
}

static __always_inline void guard_executable_known(struct guard_attempt *a, struct task_struct *task)
{
	struct inode *inode = BPF_CORE_READ(task, mm, exe_file, f_inode);

	a->inode = BPF_CORE_READ(inode, i_ino);
	a->device = BPF_CORE_READ(inode, i_sb, s_dev);
}

static __always_inline struct guard_attempt *guard_take(void)
{
	__u32 first = bpf_get_smp_processor_id() * (GUARD_TRIES / 2);

	for (__u32 i = 0; i < GUARD_TRIES; i++) {
		__u32 index = (first + i) & (GUARD_ATTEMPTS - 1);
		struct guard_attempt *a = bpf_map_lookup_elem(&guard_attempts, &index);
		if (a && !__sync_val_compare_and_swap(&a->busy, 0, 1))
			return a;
	}
	count(COUNTER_guard_busy);
	return NULL;
}

static __always_inline struct guard_attempt *guard_begin(__u32 point, struct task_struct *task)
{
	struct guard_point_policies *policies = bpf_map_lookup_elem(&guard_points, &point);
	struct guard_attempt *a;

	if (!policies || !policies->count || owner_disarmed())
		return NULL;
	a = guard_take();
	if (!a)
		return NULL;
	a->point = point;
	a->known = 0;
	a->wanted = policies->subjects;
	a->verdict = 0;
	guard_process_known(a, task);
	guard_executable_known(a, task);
	return a;
}

/* ---- a path ---- */

struct guard_reverse {
	struct guard_attempt *attempt;
	const char *end; /* of the text */
	__u32 length;
};

static long guard_reverse_byte(__u32 i, struct guard_reverse *r)
{
	char c;

	if (i >= r->length || i >= GUARD_TEXT_MAX - 1)
		return 1;
	bpf_probe_read_kernel(&c, 1, r->end - 1 - i);
	r->attempt->texts[GUARD_EXEPATH][1][i] = c;
	return 0;
}

/* The path is put together in the sensors' scratch space: they run before or after this, not meanwhile. */
static __always_inline void guard_exepath(struct guard_attempt *a, struct task_struct *task)
{
	struct scratch *s = scratch_get();
	struct file *file = BPF_CORE_READ(task, mm, exe_file);
	struct vfsmount *mnt = BPF_CORE_READ(file, f_path.mnt);
	struct path_walk *w;
	struct guard_reverse r = {.attempt = a};

	if (!s || !mnt)
		return;
	path_walk(s, (__u64)BPF_CORE_READ(file, f_path.dentry), (__u64)mnt);
	w = &s->walk;
	if (w->end < PATH_OUTSIDE || w->position > PATH_END)
		return;
	__builtin_memset(a->texts[GUARD_EXEPATH], 0, sizeof(a->texts[GUARD_EXEPATH]));
	r.length = PATH_END - w->position;
	r.end = &s->path[PATH_END];
	bpf_probe_read_kernel(a->texts[GUARD_EXEPATH][0], r.length < GUARD_TEXT_MAX ? r.length : GUARD_TEXT_MAX,
	                      &s->path[w->position & (PATH_BUFFER - 1)]);
	bpf_loop(GUARD_TEXT_MAX, guard_reverse_byte, &r, 0);
	a->known |= 1u << GUARD_EXEPATH;
}

#endif
