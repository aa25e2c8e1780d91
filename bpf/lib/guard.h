/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
 *
 * How guards decide: a policy's tests, its formula, whom it is for, what bounds it, and the verdict. A hook says what it
 * knows of an attempt between guard_begin() and guard_end(), and does what the latter returns.
 */
#ifndef PICKET_BPF_GUARD_H
#define PICKET_BPF_GUARD_H

#include "attempt.h"

/* ---- one test ---- */

#define GUARD_ERRNO_MAX 4095 /* that a program at a security hook may return */

enum guard_truth { GUARD_NO, GUARD_YES, GUARD_UNKNOWN };

/* place: of the attempt. Linux 6.1 takes a key in a map's value, but not in memory that a function was given. */
__noinline int guard_test_text(__u32 place, __u32 index, __u32 subject, __u32 reversed)
{
	struct guard_attempt *a = bpf_map_lookup_elem(&guard_attempts, &place);
	struct guard_text_key *key;

	if (!a || subject >= GUARD_TEXT_SUBJECTS)
		return GUARD_UNKNOWN;
	key = &a->texts[subject][reversed & 1];
	key->bits = 8 * (sizeof(*key) - 4);
	key->test = index;
	return bpf_map_lookup_elem(&guard_texts, key) ? GUARD_YES : GUARD_NO;
}

static __always_inline int guard_test_address(struct guard_attempt *a, __u32 index)
{
	struct guard_net_key key = {.bits = 8 * (sizeof(key) - 4), .test = index};

	__builtin_memcpy(key.address, a->address, sizeof(key.address));
	return bpf_map_lookup_elem(&guard_nets, &key) ? GUARD_YES : GUARD_NO;
}

/* Of this very process, since its last exec, with this user and in this control group? */
static __always_inline bool guard_bits_count(const struct guard_who *who, const struct guard_process *p)
{
	const void *task = (void *)who->task;
	struct task_struct *leader = READ(task_struct, task, group_leader);
	const struct cred *cred = READ(task_struct, task, cred);
	struct guard_group group = guard_own_group(who);

	return p->of_ns && p->of_ns == p->since_ns && p->start_ns == READ(task_struct, leader, start_boottime) &&
	       p->uid == READ(cred, cred, euid.val) && p->gid == READ(cred, cred, egid.val) &&
	       p->cgroup_id == guard_ancestor_id(&group, group.level);
}

static __always_inline int guard_test_bit(struct guard_attempt *a, __u64 bit)
{
	__u32 tgid = a->who.tgid;
	struct guard_process *p = bpf_map_lookup_elem(&guard_bits, &tgid);
	__u64 writes, bits;
	__u32 word;

	if (!p || bit >= GUARD_BITS)
		return GUARD_UNKNOWN;
	word = guard_unknown(a, bit / 64); /* else the compiler leaves the mask out, which Linux 6.1 needs */
	writes = *(volatile __u64 *)&p->writes;
	bits = *(volatile __u64 *)&p->bits[word & (GUARD_BITS / 64 - 1)];
	if (writes & 1 || !guard_bits_count(&a->who, p) || writes != *(volatile __u64 *)&p->writes)
		return GUARD_UNKNOWN;
	return bits >> (bit & 63) & 1 ? GUARD_YES : GUARD_NO;
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
		return guard_test_text(a->place, index, t->subject, t->how == GUARD_ENDS);
	number_index = t->subject - GUARD_TEXT_SUBJECTS;
	if (number_index >= GUARD_NUMBER_SUBJECTS)
		return GUARD_UNKNOWN;
	key.number = a->numbers[number_index];
	if (t->how == GUARD_IS)
		return key.number == t->number ? GUARD_YES : GUARD_NO;
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
	const struct guard_formula *formula;
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
	struct guard_step step;

	if (i >= GUARD_STEPS_MAX)
		return 1;
	step = r->formula->steps[i];
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
	struct guard_attempt *a = r->attempt;
	__u32 point = a->point;

	if (point >= GUARD_POINTS)
		return GUARD_UNKNOWN;
	r->formula = &r->policy->formulas[point];
	a->yes = 1; /* no steps: it holds */
	a->unknown = 0;
	bpf_loop(r->formula->count, guard_step, r, 0);
	return a->unknown & 1 ? GUARD_UNKNOWN : a->yes & 1 ? GUARD_YES : GUARD_NO;
}

/* ---- what bounds it ---- */

/* Are the counts those of this minute? Who comes first in it sets them back, and meanwhile nobody counts: what was counted
 * before that would be lost, and the budget exceeded. */
static __always_inline bool guard_new_minute(struct guard_state *s, __u64 now)
{
	__u64 minute = now / GUARD_MINUTE_NS, before = *(volatile __u64 *)&s->minute;

	if (before == minute)
		return true;
	if (before == GUARD_MINUTE_BEGINS ||
	    __sync_val_compare_and_swap(&s->minute, before, GUARD_MINUTE_BEGINS) != before)
		return *(volatile __u64 *)&s->minute == minute;
	*(volatile __u32 *)&s->actions = 0;
	*(volatile __u32 *)&s->processes = 0;
	*(volatile __u32 *)&s->attempts = 0;
	__sync_lock_test_and_set(&s->minute, minute);
	return true;
}

/* Attempts are counted only for a share of them. */
static __always_inline void guard_count_attempt(const struct guard_policy *p, struct guard_state *s)
{
	if (p->budget_share >= 100)
		return;
	if (guard_new_minute(s, bpf_ktime_get_boot_ns()))
		__sync_fetch_and_add(&s->attempts, 1);
}

/* Counts this action, and returns what of the budget it goes over. */
static __always_inline __u32 guard_over_budget(const struct guard_policy *p, struct guard_state *s, __u32 index,
                                               const struct guard_attempt *a)
{
	struct guard_acted_key key = {.policy = index, .tgid = a->who.tgid, .minute = s->minute};
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

#define GUARD_BUCKET_TRIES 8

/* A throttle: is this one within the rate? By the time at which the next would come if they came at the rate: one number, which
 * is changed in one step (the generic cell rate algorithm). Who loses each try is let through. */
static __always_inline bool guard_within_rate(const struct guard_policy *p, struct guard_state *s)
{
	__u64 now = bpf_ktime_get_boot_ns();

	for (__u32 i = 0; p->interval_ns && i < GUARD_BUCKET_TRIES; i++) {
		__u64 before = s->arrival_ns;
		__u64 after = (before > now ? before : now) + p->interval_ns;
		if (after > now + p->burst_ns)
			return false;
		if (__sync_val_compare_and_swap(&s->arrival_ns, before, after) == before)
			return true;
	}
	return p->interval_ns != 0;
}

static __always_inline bool guard_lease_holds(const struct guard_policy *p, __u64 now)
{
	__u32 zero = 0;
	const struct guard_control *c = bpf_map_lookup_elem(&guard_control, &zero);

	return c && c->lease_until_ns && now < c->lease_until_ns + p->persist_ns;
}

/* ---- verdicts ---- */

__noinline int guard_tell(struct guard_attempt *a, struct guard_state *s, __u32 index, __u32 version, __u32 kind)
{
	struct guard_verdict *v = bpf_ringbuf_reserve(&guard_verdicts, sizeof(*v), 0);
	const struct task_struct *task;

	if (!a || !s || !v) {
		if (v)
			bpf_ringbuf_discard(v, 0);
		if (s)
			__sync_fetch_and_add(&s->verdicts_lost, 1);
		return 0;
	}
	task = (void *)a->who.task;
	__builtin_memset(v, 0, sizeof(*v));
	v->time_ns = bpf_ktime_get_boot_ns();
	v->policy = index;
	v->version = version;
	v->point = a->point;
	v->kind = kind;
	v->pid = READ(task_struct, task, pid);
	v->tgid = a->who.tgid;
	v->cgroup_id = BPF_CORE_READ(task, cgroups, dfl_cgrp, kn, id);
	v->trip = s->tripped;
	bpf_probe_read_kernel_str(v->name, sizeof(v->name),
	                          (const char *)task + bpf_core_field_offset(struct task_struct, comm));
	if (a->known >> GUARD_PORT & 1) {
		__builtin_memcpy(v->address, a->address, sizeof(v->address));
		v->port = a->numbers[GUARD_PORT - GUARD_TEXT_SUBJECTS];
		v->family = a->numbers[GUARD_FAMILY - GUARD_TEXT_SUBJECTS];
	}
	if (a->known >> GUARD_DEVICE & 1)
		v->device = a->numbers[GUARD_DEVICE - GUARD_TEXT_SUBJECTS];
	if (a->known >> GUARD_PATH & 1)
		bpf_probe_read_kernel_str(v->path, sizeof(v->path), a->texts[GUARD_PATH][0].text);
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
	if (s->mode != GUARD_ENFORCE || s->tripped || !guard_lease_holds(r->policy, now) || !guard_new_minute(s, now)) {
		__sync_fetch_and_add(&s->total_would, 1);
		return GUARD_WOULD_ACT;
	}
	trip = guard_over_budget(r->policy, s, r->index, r->attempt);
	if (trip) /* of several at once, one says so */
		return __sync_val_compare_and_swap(&s->tripped, 0, trip) ? GUARD_WOULD_ACT : GUARD_TRIPPED;
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
	if (!a || !s || !r.policy)
		return 0;
	guard_count_attempt(r.policy, s);
	holds = guard_formula_holds(&r);
	if (holds == GUARD_UNKNOWN)
		__sync_fetch_and_add(&s->total_unknown, 1);
	if (holds != GUARD_YES || guard_is_protected(&a->who) || guard_is_spared(&a->who) ||
	    guard_within_rate(r.policy, s))
		return 0;
	verdict = guard_verdict_of(&r, s);
	guard_tell(a, s, index, r.policy->version, verdict);
	if (verdict == GUARD_ACTED)
		a->verdict = -(__s32)r.policy->error;
	return verdict == GUARD_ACTED;
}

struct guard_judging {
	struct guard_attempt *attempt;
	const struct guard_point_policies *list;
};

static long guard_next(__u32 i, struct guard_judging *j)
{
	struct guard_attempt *a = j->attempt;

	if (i >= GUARD_POINT_POLICIES_MAX)
		return 1;
	return (a->mine >> i & 1) && guard_judge(a, j->list->policies[i]);
}

/* The errno, negative, with which the attempt is to fail; 0: it may go on. Gives the place back. */
static __always_inline int guard_end(struct guard_attempt *a)
{
	__u32 point = a->point;
	struct guard_judging j = {.attempt = a, .list = bpf_map_lookup_elem(&guard_points, &point)};
	int verdict;

	if (j.list)
		bpf_loop(j.list->count, guard_next, &j, 0);
	verdict = a->verdict;
	a->busy = 0;
	return verdict < 0 && verdict >= -GUARD_ERRNO_MAX ? verdict : 0;
}

/* The same as what a program of a control group returns. */
static __always_inline int guard_answer(struct guard_attempt *a)
{
	int error = guard_end(a);

	if (!error)
		return 1;
	bpf_set_retval(error);
	return 0;
}

#endif
