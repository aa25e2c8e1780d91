/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
 *
 * Putting a record together: begin, set members, append to the tail, submit.
 */
#ifndef PICKET_BPF_RECORD_H
#define PICKET_BPF_RECORD_H

#include "maps.h"

/* ---- the records' members, as schema/event.def has them ---- */
enum wire_kind { KIND_S32, KIND_U32, KIND_S64, KIND_U64, KIND_SLOT, KIND_PATH, KIND_DERIVED };
#define TYPE(name, wire, doc) TYPE_KIND_##name = KIND_##wire,
enum {
#include "schema/type.def"
};

/* No record is longer than this without its tail. */
#define RECORD_FIXED_MAX 320

/* Bytes that a member takes: 8, or 16 for a path. */
#define MEMBER_WIDTH(type) (TYPE_KIND_##type == KIND_PATH ? 16 : 8)

#define EVENT(name, id, category, fduse, fdarg, sensor, flags, doc) \
	struct event_##name { \
		struct event_header header;
#define ARG(event, name, type, aux, source, doc) char name[MEMBER_WIDTH(type)] __attribute__((aligned(8)));
#define OWN(event, name, type, aux, source, doc) ARG(event, name, type, aux, source, doc)
#define END(event) \
	} \
	__attribute__((aligned(8))); \
	_Static_assert(sizeof(struct event_##event) <= RECORD_FIXED_MAX, #event);
#include "schema/event.def"

/* Offset of a member in the record, and the record's size without its tail. */
#define MEMBER(event, arg) offsetof(struct event_##event, arg)
#define FIXED_SIZE(event) sizeof(struct event_##event)

/* The scratch space of this CPU, or NULL (then it is counted). */
static __always_inline struct scratch *scratch_get(void)
{
	__u32 cpu = bpf_get_smp_processor_id();
	struct scratch *s = bpf_map_lookup_elem(&scratches, &cpu);
	if (!s) {
		count(COUNTER_scratch_missing);
		return NULL;
	}
	return s;
}

static __always_inline struct event_header *record_header(struct scratch *s)
{
	return (void *)s->record;
}

static __always_inline void record_set(struct scratch *s, __u32 member, __u64 value)
{
	*(__u64 *)&s->record[member & RECORD_MASK] = value;
}

static __always_inline void record_set_slot(struct scratch *s, __u32 member, struct event_slot slot)
{
	*(struct event_slot *)&s->record[member & RECORD_MASK] = slot;
}

/* A pointer whose type the verifier knows, as the number that a function with external linkage takes: what is read back
 * from a map's value has no type. */
static __always_inline __u64 address_of(struct scratch *s, const void *pointer)
{
	*(volatile __u64 *)&s->address = (__u64)pointer;
	return *(volatile __u64 *)&s->address;
}

/* The number, which the verifier takes for unknown. Before Linux 6.7 it follows the callback of bpf_loop() for one round
 * only, from what it knows when the loop begins, and removes as dead what cannot happen in that round: the check for an
 * end that is many rounds away. */
static __always_inline __u32 number_unknown(struct scratch *s, __u32 number)
{
	*(volatile __u32 *)&s->number = number;
	return *(volatile __u32 *)&s->number;
}

/* A function of its own (not inlined) cannot return a structure in BPF, so slots go through a word. */
static __always_inline __u64 slot_to_word(struct event_slot slot)
{
	return slot.offset | (__u64)slot.length << 32;
}

static __always_inline struct event_slot slot_from_word(__u64 word)
{
	return (struct event_slot){word, word >> 32};
}

static __always_inline void record_set_path(struct scratch *s, __u32 member, struct event_path path)
{
	*(struct event_path *)&s->record[member & RECORD_MASK] = path;
}

static __always_inline void record_flag(struct scratch *s, __u16 flag)
{
	record_header(s)->flags |= flag;
}

/* Starts a record: the header from the task, all members 0, which for a slot means missing. */
static __always_inline void record_begin(struct scratch *s, struct task_struct *task, __u16 type, __u32 size,
                                         __s64 result)
{
	struct event_header *h = record_header(s);
	const struct cred *cred;

	/* A constant length, so that the verifier need not follow a loop. */
	__builtin_memset(s->record, 0, __builtin_constant_p(size) ? size : RECORD_FIXED_MAX);
	s->used = size;
	h->type = type;
	h->flags = task->flags & PF_KTHREAD ? EVENT_F_KTHREAD : 0;
	h->time_ns = bpf_ktime_get_boot_ns();
	h->start_ns = READ_POINTER(task, group_leader)->start_boottime;
	h->pid = task->tgid;
	h->tid = task->pid;
	h->ppid = READ_POINTER(task, real_parent)->tgid;
	cred = READ_POINTER(task, cred);
	h->uid = cred->euid.val;
	h->gid = cred->egid.val;
	h->cpu = bpf_get_smp_processor_id();
	h->result = result;
}

/* A slot for `length` bytes that have just been written at the tail's end. */
static __always_inline struct event_slot record_take(struct scratch *s, __u32 length)
{
	struct event_slot slot = {s->used, length};
	s->used += length;
	return slot;
}

static __always_inline bool record_has_room(const struct scratch *s, __u32 length)
{
	return s->used + length <= EVENT_RECORD_MAX;
}

/* A NUL-terminated text of the process. limit: bytes with the NUL, at most EVENT_ARGV_MAX. */
__noinline __u64 record_user_text_word(struct scratch *s, __u64 user, __u32 limit)
{
	struct event_slot slot;
	long n;

	if (!s || !user || limit > EVENT_ARGV_MAX)
		return 0;
	if (!record_has_room(s, limit)) {
		count(COUNTER_record_too_long);
		record_flag(s, EVENT_F_MISSING);
		return 0;
	}
	n = bpf_probe_read_user_str(&s->record[s->used & RECORD_MASK], limit, (void *)user);
	if (n < 0) {
		count(COUNTER_read_user);
		record_flag(s, EVENT_F_MISSING);
		return 0;
	}
	if (n == 0) /* the empty text, up to Linux 6.12: its NUL is not counted */
		n = 1;
	slot = record_take(s, n - 1);
	if (n == limit) {
		/* cut, or exactly as long as fits: look at the byte where the NUL was put */
		char next = 0;
		if (bpf_probe_read_user(&next, 1, (void *)(user + n - 1)) == 0 && next) {
			slot.length |= SLOT_TRUNCATED;
			count(COUNTER_text_truncated);
			record_flag(s, EVENT_F_TRUNCATED);
		}
	}
	return slot_to_word(slot);
}

static __always_inline struct event_slot record_user_text(struct scratch *s, const void *user, __u32 limit)
{
	return slot_from_word(record_user_text_word(s, (__u64)user, limit));
}

__noinline __u64 record_kernel_text_word(struct scratch *s, __u64 text, __u32 limit)
{
	long n;

	if (!s || !text || limit > EVENT_ARGV_MAX || !record_has_room(s, limit))
		return 0;
	n = bpf_probe_read_kernel_str(&s->record[s->used & RECORD_MASK], limit, (void *)text);
	if (n <= 0) {
		count(COUNTER_read_kernel);
		record_flag(s, EVENT_F_MISSING);
		return 0;
	}
	return slot_to_word(record_take(s, n - 1));
}

static __always_inline struct event_slot record_kernel_text(struct scratch *s, const void *text, __u32 limit)
{
	return slot_from_word(record_kernel_text_word(s, address_of(s, text), limit));
}

/* length bytes of the process, at most EVENT_ARGV_MAX. */
__noinline __u64 record_user_bytes_word(struct scratch *s, __u64 user, __u32 length)
{
	if (!s || length > EVENT_ARGV_MAX)
		return 0;
	if (!record_has_room(s, length)) {
		count(COUNTER_record_too_long);
		record_flag(s, EVENT_F_MISSING);
		return 0;
	}
	if (bpf_probe_read_user(&s->record[s->used & RECORD_MASK], length, (void *)user)) {
		count(COUNTER_read_user);
		record_flag(s, EVENT_F_MISSING);
		return 0;
	}
	return slot_to_word(record_take(s, length));
}

/* length bytes of the process, at most limit (EVENT_ARGV_MAX at most). */
static __always_inline struct event_slot record_user_bytes(struct scratch *s, const void *user, __u64 length,
                                                           __u32 limit)
{
	bool cut = length > limit;
	struct event_slot slot = {};

	if (!user) /* nothing was given: nothing is missing */
		return slot;
	slot = slot_from_word(record_user_bytes_word(s, (__u64)user, cut ? limit : length));
	if (cut && slot.offset) {
		slot.length |= SLOT_TRUNCATED;
		record_flag(s, EVENT_F_TRUNCATED);
	}
	return slot;
}

static __always_inline struct event_slot record_kernel_bytes(struct scratch *s, const void *data, __u32 length,
                                                             __u32 limit)
{
	struct event_slot slot = {};

	length &= 2 * limit - 1;
	if (length > limit || !record_has_room(s, length))
		return slot;
	if (bpf_probe_read_kernel(&s->record[s->used & RECORD_MASK], length, data)) {
		count(COUNTER_read_kernel);
		record_flag(s, EVENT_F_MISSING);
		return slot;
	}
	return record_take(s, length);
}

/* Structures in the tail begin at a multiple of 8. */
static __always_inline void record_align(struct scratch *s)
{
	s->used = (s->used + 7) & ~7u;
}

/* The last `length` bytes of the scratch space's path buffer before `end`, to the tail. Short ones, which most are, by
 * words: a helper's call costs more. What is copied beyond the length is overwritten by what comes next. */
#define RECORD_SHORT 64
static __always_inline struct event_slot record_path_buffer(struct scratch *s, __u32 from, __u32 length)
{
	struct event_slot missing = {};

	if (length > EVENT_PATH_MAX || !record_has_room(s, length)) {
		count(COUNTER_record_too_long);
		record_flag(s, EVENT_F_MISSING);
		return missing;
	}
	from &= PATH_BUFFER - 1;
	if (length <= RECORD_SHORT) {
		const char *source = &s->walk.text[from];
		char *to = &s->record[s->used & RECORD_MASK];
#pragma unroll
		for (int i = 0; i < RECORD_SHORT; i += 8)
			*(__u64 *)(to + i) = *(const __u64 *)(source + i);
	} else if (bpf_probe_read_kernel(&s->record[s->used & RECORD_MASK], length & (2 * EVENT_PATH_MAX - 1),
	                                 &s->walk.text[from])) {
		return missing;
	}
	return record_take(s, length);
}

/* The reader looks by itself every few milliseconds; waking it costs more than all the rest of an event, so each processor
 * does it once when it finds the ring filled past the mark, and looks only now and then. */
#define RECORDS_PER_LOOK 16
static __always_inline bool record_wakes(struct scratch *s)
{
	bool past;

	if (++s->records % RECORDS_PER_LOOK)
		return false;
	past = bpf_ringbuf_query(&ring, BPF_RB_AVAIL_DATA) >= config.ring_mark;
	if (past == s->past_mark)
		return false;
	s->past_mark = past;
	return past;
}

static __always_inline void record_submit(struct scratch *s)
{
	struct event_header *h = record_header(s);
	__u32 length;

	record_align(s);
	length = s->used;
	if (length > EVENT_RECORD_MAX) {
		count(COUNTER_record_too_long);
		return;
	}
	h->length = length;
	if (bpf_ringbuf_output(&ring, s->record, length, record_wakes(s) ? BPF_RB_FORCE_WAKEUP : BPF_RB_NO_WAKEUP))
		count(COUNTER_ring_full);
	else
		count(COUNTER_events);
}

/* Are this task's doings to be observed at all? (By its cgroup's own words: the helper for it costs four times as much.) */
static __always_inline bool task_in_scope(struct task_struct *task)
{
	struct cgroup *cgroup, *above;
	struct kernfs_node *node;
	const void *at;

	if (config.self_pid && (__u32)task->tgid == config.self_pid)
		return false;
	if (!config.cgroup_id)
		return true;
	cgroup = READ_POINTER(task, cgroups)->dfl_cgrp;
	if ((__u32)cgroup->level < config.cgroup_level)
		return false;
	at = (void *)cgroup + bpf_core_field_offset(struct cgroup, ancestors) + 8 * (config.cgroup_level & 255);
	above = (void *)READ_WORD(at);
	node = READ(cgroup, above, kn);
	return READ(kernfs_node, node, id) == config.cgroup_id;
}

#endif
