/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
 *
 * Guards: act as compiled policies say (schema/guard.h), where it can still be prevented. At connect, bind and sendmsg of a
 * control group by refusing; at exec, when the new program is set up and has run no instruction, by SIGKILL. Loaded and
 * attached by src/loader/guards.c, apart from the sensors.
 */
#include "path.h"
#include "schema/guard.h"

#include <linux/in.h>

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

	if (!policies || !policies->count)
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

/* ---- one test ---- */

enum guard_truth { GUARD_NO, GUARD_YES, GUARD_UNKNOWN };

__noinline int guard_test_text(struct guard_attempt *a, __u32 index, __u32 subject, __u32 reversed)
{
	if (!a || subject >= GUARD_TEXT_SUBJECTS)
		return GUARD_UNKNOWN;
	a->text_key.bits = 8 * (sizeof(a->text_key) - 4);
	a->text_key.test = index;
	__builtin_memcpy(a->text_key.text, a->texts[subject][reversed & 1], GUARD_TEXT_MAX);
	return bpf_map_lookup_elem(&guard_texts, &a->text_key) ? GUARD_YES : GUARD_NO;
}

static __always_inline int guard_test_address(struct guard_attempt *a, __u32 index)
{
	struct guard_net_key key = {.bits = 8 * (sizeof(key) - 4), .test = index};

	__builtin_memcpy(key.address, a->address, sizeof(key.address));
	return bpf_map_lookup_elem(&guard_nets, &key) ? GUARD_YES : GUARD_NO;
}

static __always_inline int guard_test_bit(struct guard_attempt *a, __u64 bit)
{
	struct guard_process *p = bpf_map_lookup_elem(&guard_bits, &a->tgid);

	if (!p || p->start_ns != a->start_ns || bit >= GUARD_BITS)
		return GUARD_UNKNOWN;
	return p->bits[bit / 64 & (GUARD_BITS / 64 - 1)] >> (bit & 63) & 1 ? GUARD_YES : GUARD_NO;
}

__noinline int guard_test_holds(struct guard_attempt *a, __u32 index)
{
	const struct guard_test *t = bpf_map_lookup_elem(&guard_tests, &index);
	struct guard_number_key key = {.test = index};
	__u32 number_index;

	if (!a || !t)
		return GUARD_UNKNOWN;
	if (t->how == GUARD_TRUE || t->how == GUARD_FALSE)
		return t->how == GUARD_TRUE ? GUARD_YES : GUARD_NO;
	if (t->how == GUARD_BIT)
		return guard_test_bit(a, t->number);
	if (t->subject >= GUARD_SUBJECTS || !(a->known >> t->subject & 1))
		return GUARD_UNKNOWN;
	if (t->how == GUARD_ADDRESS)
		return guard_test_address(a, index);
	if (t->how == GUARD_BEGINS || t->how == GUARD_ENDS)
		return guard_test_text(a, index, t->subject, t->how == GUARD_ENDS);
	number_index = t->subject - GUARD_TEXT_SUBJECTS;
	if (number_index >= GUARD_NUMBER_SUBJECTS)
		return GUARD_UNKNOWN;
	key.number = a->numbers[number_index];
	if (t->how == GUARD_LESS)
		return key.number < t->number ? GUARD_YES : GUARD_NO;
	if (t->how == GUARD_MORE)
		return key.number > t->number ? GUARD_YES : GUARD_NO;
	return bpf_map_lookup_elem(&guard_numbers, &key) ? GUARD_YES : GUARD_NO;
}

/* ---- a formula: two stacks of bits, one for true, one for unknown ---- */

struct guard_run {
	struct guard_attempt *attempt;
	const struct guard_policy *policy;
	__u32 index; /* of the policy */
};

static __always_inline void guard_join(struct guard_attempt *a, __u32 count, bool all)
{
	__u64 mask = (1ull << (count & 63)) - 1;
	__u64 yes = a->yes & mask, unknown = a->unknown & mask, no = mask & ~(yes | unknown);
	bool is_yes = all ? !no && !unknown : yes != 0;
	bool is_no = all ? no != 0 : no == mask;

	a->yes = (a->yes >> (count & 63)) << 1 | is_yes;
	a->unknown = (a->unknown >> (count & 63)) << 1 | (!is_yes && !is_no);
}

static long guard_step(__u32 i, struct guard_run *r)
{
	struct guard_attempt *a = r->attempt;
	const struct guard_formula *f;
	struct guard_step step;
	__u32 point = a->point;

	if (point >= GUARD_POINTS || i >= GUARD_STEPS_MAX)
		return 1;
	f = &r->policy->formulas[point];
	if (i >= f->count)
		return 1;
	step = f->steps[i];
	if (step.kind == GUARD_STEP_TEST) {
		int truth = guard_test_holds(a, step.operand);
		a->yes = a->yes << 1 | (truth == GUARD_YES);
		a->unknown = a->unknown << 1 | (truth == GUARD_UNKNOWN);
	} else if (step.kind == GUARD_STEP_NOT) {
		a->yes ^= ~a->unknown & 1;
	} else {
		guard_join(a, step.operand, step.kind == GUARD_STEP_ALL);
	}
	return 0;
}

static __always_inline int guard_formula_holds(struct guard_run *r)
{
	r->attempt->yes = 1; /* no steps: it holds */
	r->attempt->unknown = 0;
	bpf_loop(GUARD_STEPS_MAX, guard_step, r, 0);
	return r->attempt->unknown & 1 ? GUARD_UNKNOWN : r->attempt->yes & 1 ? GUARD_YES : GUARD_NO;
}

/* ---- whom ---- */

static __always_inline bool guard_is_protected(const struct guard_attempt *a)
{
	struct guard_protected_key file = {.inode = a->inode, .device = a->device}, process = {.device = a->tgid};

	return a->tgid <= 1 || !a->inode || bpf_map_lookup_elem(&guard_protected, &file) ||
	       bpf_map_lookup_elem(&guard_protected, &process);
}

static __always_inline __u64 guard_ancestor_id(struct task_struct *task, __u32 level)
{
	struct cgroup *cgroup = BPF_CORE_READ(task, cgroups, dfl_cgrp), *ancestor = NULL;
	const void *at = (const void *)cgroup + bpf_core_field_offset(struct cgroup, ancestors) + 8 * (level & 255);

	if (level > (__u32)BPF_CORE_READ(cgroup, level) || bpf_probe_read_kernel(&ancestor, sizeof(ancestor), at) ||
	    !ancestor)
		return 0;
	return BPF_CORE_READ(ancestor, kn, id);
}

__noinline int guard_in_cgroup(struct guard_attempt *a, const struct guard_scope *s)
{
	if (!a || !s)
		return false;
	for (__u32 i = 0; i < GUARD_SCOPE_MAX && i < s->cgroups; i++)
		if (guard_ancestor_id(a->task, s->cgroup[i].level) == s->cgroup[i].id)
			return true;
	return s->cgroups == 0;
}

__noinline int guard_in_users(struct guard_attempt *a, const struct guard_scope *s)
{
	if (!a || !s)
		return false;
	for (__u32 i = 0; i < GUARD_SCOPE_MAX && i < s->users; i++)
		if (s->uids[i] == (__u32)a->numbers[GUARD_UID - GUARD_TEXT_SUBJECTS])
			return true;
	return s->users == 0;
}

__noinline int guard_in_executables(struct guard_attempt *a, const struct guard_scope *s)
{
	if (!a || !s)
		return false;
	for (__u32 i = 0; i < GUARD_SCOPE_MAX && i < s->executables; i++)
		if (s->executable[i].inode == a->inode && s->executable[i].device == a->device)
			return true;
	return s->executables == 0;
}

static __always_inline bool guard_in_scope(struct guard_attempt *a, const struct guard_scope *s)
{
	return guard_in_users(a, s) && guard_in_executables(a, s) && guard_in_cgroup(a, s);
}

/* ---- what bounds it ---- */

static __always_inline void guard_new_minute(struct guard_state *s, __u64 now)
{
	__u64 minute = now / GUARD_MINUTE_NS, before = s->minute;

	if (before == minute || __sync_val_compare_and_swap(&s->minute, before, minute) != before)
		return;
	s->actions = s->processes = s->attempts = 0;
}

/* Counts this action, and returns what of the budget it goes over. */
static __always_inline __u32 guard_over_budget(const struct guard_policy *p, struct guard_state *s, __u32 index,
                                               const struct guard_attempt *a)
{
	struct guard_acted_key key = {.policy = index, .tgid = a->tgid, .minute = s->minute};
	__u32 actions = __sync_fetch_and_add(&s->actions, 1) + 1;
	__u8 one = 1;

	if (!bpf_map_update_elem(&guard_acted, &key, &one, BPF_NOEXIST))
		__sync_fetch_and_add(&s->processes, 1);
	if (actions > p->budget_actions)
		return GUARD_TRIP_ACTIONS;
	if (s->processes > p->budget_processes)
		return GUARD_TRIP_PROCESSES;
	if (s->attempts >= GUARD_SHARE_LEAST && (__u64)actions * 100 > (__u64)s->attempts * p->budget_share)
		return GUARD_TRIP_SHARE;
	return GUARD_NOT_TRIPPED;
}

static __always_inline bool guard_lease_holds(const struct guard_state *s, __u64 now)
{
	__u32 zero = 0;
	const struct guard_control *c = bpf_map_lookup_elem(&guard_control, &zero);

	return now < s->persist_until_ns || (c && now < c->lease_until_ns);
}

/* ---- verdicts ---- */

__noinline int guard_tell(struct guard_attempt *a, struct guard_state *s, __u32 index, __u32 version, __u32 kind)
{
	struct guard_verdict *v = bpf_ringbuf_reserve(&guard_verdicts, sizeof(*v), 0);
	struct task_struct *task;

	if (!a || !s || !v) {
		if (v)
			bpf_ringbuf_discard(v, 0);
		if (s)
			__sync_fetch_and_add(&s->verdicts_lost, 1);
		return 0;
	}
	task = a->task;
	__builtin_memset(v, 0, sizeof(*v));
	v->time_ns = bpf_ktime_get_boot_ns();
	v->policy = index;
	v->version = version;
	v->point = a->point;
	v->kind = kind;
	v->pid = a->pid;
	v->tgid = a->tgid;
	v->cgroup_id = BPF_CORE_READ(task, cgroups, dfl_cgrp, kn, id);
	v->trip = s->tripped;
	bpf_probe_read_kernel_str(v->name, sizeof(v->name),
	                          (const char *)task + bpf_core_field_offset(struct task_struct, comm));
	if (a->known >> GUARD_PORT & 1) {
		__builtin_memcpy(v->address, a->address, sizeof(v->address));
		v->port = a->numbers[GUARD_PORT - GUARD_TEXT_SUBJECTS];
		v->family = a->numbers[GUARD_FAMILY - GUARD_TEXT_SUBJECTS];
	}
	bpf_ringbuf_submit(v, 0);
	return 0;
}

/* What becomes of a match. */
static __always_inline __u32 guard_verdict_of(struct guard_run *r, struct guard_state *s)
{
	__u64 now = bpf_ktime_get_boot_ns();
	__u32 trip;

	if (s->mode == GUARD_WATCH)
		return GUARD_MATCHED;
	if (s->mode != GUARD_ENFORCE || s->tripped || !guard_lease_holds(s, now)) {
		__sync_fetch_and_add(&s->total_would, 1);
		return GUARD_WOULD_ACT;
	}
	trip = guard_over_budget(r->policy, s, r->index, r->attempt);
	if (trip) {
		s->tripped = trip;
		return GUARD_TRIPPED;
	}
	__sync_fetch_and_add(&s->total_actions, 1);
	return GUARD_ACTED;
}

__noinline int guard_judge(struct guard_attempt *a, __u32 index)
{
	struct guard_run r = {.attempt = a, .index = index};
	struct guard_state *s = bpf_map_lookup_elem(&guard_states, &index);
	__u32 verdict;
	int holds;

	r.policy = bpf_map_lookup_elem(&guard_policies, &index);
	if (!a || !s || !r.policy || !guard_in_scope(a, &r.policy->scope))
		return 0;
	guard_new_minute(s, bpf_ktime_get_boot_ns());
	__sync_fetch_and_add(&s->attempts, 1);
	holds = guard_formula_holds(&r);
	if (holds == GUARD_UNKNOWN)
		__sync_fetch_and_add(&s->total_unknown, 1);
	if (holds != GUARD_YES)
		return 0;
	verdict = guard_verdict_of(&r, s);
	guard_tell(a, s, index, r.policy->version, verdict);
	if (verdict == GUARD_ACTED)
		a->verdict = -(__s32)r.policy->error;
	return verdict == GUARD_ACTED;
}

static long guard_next(__u32 i, struct guard_attempt **attempt)
{
	struct guard_attempt *a = *attempt;
	__u32 point = a->point;
	struct guard_point_policies *policies = bpf_map_lookup_elem(&guard_points, &point);

	if (!policies || i >= policies->count || i >= GUARD_POINT_POLICIES_MAX)
		return 1;
	return guard_judge(a, policies->policies[i]) != 0;
}

/* The errno, negative, with which the attempt is to fail; 0: it may go on. Gives the place back. */
static __always_inline int guard_end(struct guard_attempt *a)
{
	int verdict;

	if (!guard_is_protected(a))
		bpf_loop(GUARD_POINT_POLICIES_MAX, guard_next, &a, 0);
	verdict = a->verdict;
	a->busy = 0;
	return verdict;
}

/* ---- sockets ---- */

#define FAMILY_IPV4 2
#define FAMILY_IPV6 10

static __always_inline void guard_address4(struct guard_attempt *a, __u32 address)
{
	__builtin_memset(a->address, 0, 10);
	a->address[10] = a->address[11] = 0xff;
	__builtin_memcpy(a->address + 12, &address, 4);
}

static __always_inline int guard_socket(struct bpf_sock_addr *ctx, __u32 point, bool v6)
{
	struct guard_attempt *a = guard_begin(point, bpf_get_current_task_btf());
	int error;

	if (!a)
		return 1;
	if (v6) {
		__u32 words[4] = {ctx->user_ip6[0], ctx->user_ip6[1], ctx->user_ip6[2], ctx->user_ip6[3]};
		__builtin_memcpy(a->address, words, sizeof(words));
	} else {
		guard_address4(a, ctx->user_ip4);
	}
	guard_number(a, GUARD_FAMILY, v6 ? FAMILY_IPV6 : FAMILY_IPV4);
	guard_number(a, GUARD_PORT, __builtin_bswap16(ctx->user_port));
	guard_number(a, GUARD_PROTOCOL, ctx->protocol);
	error = guard_end(a);
	if (!error)
		return 1;
	bpf_set_retval(error);
	return 0;
}

#define GUARD_SOCKET(section, name, point, v6) \
	SEC(section) \
	int name(struct bpf_sock_addr *ctx) \
	{ \
		return guard_socket(ctx, point, v6); \
	}
GUARD_SOCKET("cgroup/connect4", guard_connect4, GUARD_AT_CONNECT, false)
GUARD_SOCKET("cgroup/connect6", guard_connect6, GUARD_AT_CONNECT, true)
GUARD_SOCKET("cgroup/bind4", guard_bind4, GUARD_AT_BIND, false)
GUARD_SOCKET("cgroup/bind6", guard_bind6, GUARD_AT_BIND, true)
GUARD_SOCKET("cgroup/sendmsg4", guard_sendmsg4, GUARD_AT_SENDMSG, false)
GUARD_SOCKET("cgroup/sendmsg6", guard_sendmsg6, GUARD_AT_SENDMSG, true)

/* ---- exec ---- */

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
	struct path_walk w = {.scratch = s, .dentry = BPF_CORE_READ(file, f_path.dentry)};
	struct guard_reverse r = {.attempt = a};

	if (!s || !mnt)
		return;
	w.position = number_unknown(s, PATH_END);
	w.mount = (void *)mnt - bpf_core_field_offset(struct mount, mnt);
	w.mnt_root = BPF_CORE_READ(mnt, mnt_root);
	bpf_loop(PATH_DEPTH_MAX, path_step, &w, 0);
	if (!w.done || w.truncated || w.position > PATH_END)
		return;
	__builtin_memset(a->texts[GUARD_EXEPATH], 0, sizeof(a->texts[GUARD_EXEPATH]));
	r.length = PATH_END - w.position;
	r.end = &s->path[PATH_END];
	bpf_probe_read_kernel(a->texts[GUARD_EXEPATH][0], r.length < GUARD_TEXT_MAX ? r.length : GUARD_TEXT_MAX,
	                      &s->path[w.position & (PATH_BUFFER - 1)]);
	bpf_loop(GUARD_TEXT_MAX, guard_reverse_byte, &r, 0);
	a->known |= 1u << GUARD_EXEPATH;
}

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
