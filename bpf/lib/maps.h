/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
 *
 * What the sensors share with the loader: the ring, the scratch space, counters, and what is asked for.
 */
#ifndef PICKET_BPF_MAPS_H
#define PICKET_BPF_MAPS_H

#include "kernel.h"
#include "owner.h"
#include <bpf/bpf_core_read.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>
#include "schema/sieve.h"
#include "schema/wire.h"

#define EVENT_TYPES 256
#define SYSCALL_NUMBERS 512
#define EVENT(name, id, category, fduse, fdarg, sensor, flags, doc) EVENT_##name = id,
enum event_type {
#include "schema/event.def"
};

enum counter {
#define COUNTER(name, doc) COUNTER_##name,
#include "schema/errors.def"
	COUNTER_COUNT,
};

/* Set before the load, constant after it. */
const volatile struct {
	__u64 cgroup_id;      /* only tasks of this cgroup v2 and below; 0: all */
	__u32 cgroup_level;   /* its depth under the root */
	__u32 self_pid;       /* picket itself makes no events; 0: it does */
	__u32 ring_mark;      /* bytes in the ring that are worth waking the reader for */
	__u32 cpus;           /* scratch spaces; one more is the task iterator's */
	bool environment;     /* record environ */
	bool uring_cqe;       /* io_uring_complete hands over the completion, not its parts */
	bool exit_group_dead; /* sched_process_exit says whether a thread is the last */
} config;
/* The event of a system call's number, by ABI: 0 native, 1 32-bit. 0: none. */
const volatile __u8 syscall_events[2][SYSCALL_NUMBERS];

/* Which events somebody wants, changed while the programs run. */
volatile __u8 event_wanted[EVENT_TYPES];

struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, 8 * 1024 * 1024);
} ring SEC(".maps");

/* Sensors that are reached by tail call, by event type. */
struct {
	__uint(type, BPF_MAP_TYPE_PROG_ARRAY);
	__uint(max_entries, EVENT_TYPES);
	__type(key, __u32);
	__type(value, __u32);
} sensors SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, COUNTER_COUNT);
	__type(key, __u32);
	__type(value, __u64);
} counters SEC(".maps");

/* Gives an untyped address its type back, in kernels that can do that (6.2 and newer): then its members are read by one load
 * each, which on a fault yields 0. */
void *bpf_rdonly_cast(const void *pointer, __u32 type) __ksym __weak;
#define CAST(type, pointer) \
	((const struct type *)bpf_rdonly_cast((const void *)(pointer), bpf_core_type_id_kernel(struct type)))

/* Reads a member of a kernel structure by an untyped address; where it cannot be cast by a helper's call, ten times as dear. */
#define READ(type, pointer, member) \
	({ \
		__typeof__(((struct type *)0)->member) value_; \
		if (bpf_rdonly_cast) \
			value_ = CAST(type, pointer)->member; \
		else \
			bpf_core_read(&value_, sizeof(value_), &((struct type *)(pointer))->member); \
		value_; \
	})

/* The same along pointers: READ_ALONG(task_struct, task, mm, exe_file) is task->mm->exe_file. A pointer on the way that is NULL
 * yields 0. */
#define READ_ALONG(type, pointer, ...) \
	({ \
		___type(((struct type *)0), ##__VA_ARGS__) value_; \
		if (bpf_rdonly_cast) \
			value_ = ___arrow(CAST(type, pointer), ##__VA_ARGS__); \
		else \
			value_ = BPF_CORE_READ((struct type *)(pointer), ##__VA_ARGS__); \
		value_; \
	})

/* A pointer in a task, whose address has its type. For each that is read through a pointer that it trusts, the verifier
 * searches all names of the kernel's types, which took a quarter of the start: it need not trust this one. */
#define READ_POINTER(task, member) \
	({ \
		__typeof__((task)->member) pointer_; \
		if (bpf_rdonly_cast) \
			pointer_ = READ(task_struct, task, member); \
		else \
			pointer_ = (task)->member; \
		pointer_; \
	})

/* Eight bytes at an untyped address, by a type that begins with a number (what is no number may not be calculated with). */
#define READ_WORD(address) ((__u64)READ(timespec64, address, tv_sec))

/* A pointer in a structure at an untyped address, as a number: the verifier forbids to calculate with typed ones. */
#define READ_ADDRESS(type, address, member) \
	({ \
		const void *member_ = (const void *)(address) + bpf_core_field_offset(struct type, member); \
		READ_WORD(member_); \
	})

static __always_inline void count(__u32 counter)
{
	__u64 *n = bpf_map_lookup_elem(&counters, &counter);
	if (n)
		*n += 1;
}

/* All that the sieve's decision about a file that was opened rests upon: see bpf/sensors/open.bpf.c. */
#define OPENED_TEXT_MAX 64
struct opened {
	__u64 dentry, parent, mount, inode, number, changed_ns;
	__u64 way;     /* from the root to the file */
	__u64 process; /* whose events were dropped, by serial of what is known of it; 0: those of any */
	__u32 epoch;   /* sieve_epoch */
	__u32 flags;   /* of the call */
	__u64 length;  /* of the text; 0: nothing may be remembered */
	__u64 text[OPENED_TEXT_MAX / 8];
};

/* The way from a dentry to the root: see path.h. */
#define PATH_BUFFER 8192
struct path_walk {
	__u64 dentry, mnt_root;
	__u64 mount;    /* 0: do not leave the file system */
	__u32 position; /* in the text */
	__u32 end;
	char text[PATH_BUFFER + 256];
};
enum path_end { PATH_TOO_DEEP, PATH_TRUNCATED, PATH_OUTSIDE /* of any tree */, PATH_ABSOLUTE };

/* Texts of the record on the way through bpf_loop(): see sieve.h. */
struct text_walk {
	__u32 a, b, length;
	__u32 flags, last;
	bool differ;
	__u64 slash, before;
};

/* Where a record is put together: one for each CPU (sensors run with preemption off), one for the task iterator.
 * Beyond the longest record there is room for one more read of the longest text, so that a masked offset plus a
 * masked length never leaves the value: that is how the verifier sees that every store is inside. */
#define RECORD_MASK (EVENT_RECORD_MAX - 1)
struct scratch {
	struct sieve_input sieve;
	__u32 used;     /* bytes of record */
	__u32 records;  /* submitted, modulo 2^32 */
	bool past_mark; /* the ring was filled past its mark when last looked at */
	__u64 known;    /* of an open's process: the serial of what is known of it, found by sys_exit; 0: nothing is */
	__u64 address;  /* see address_of() */
	__u32 number;   /* see number_unknown() */
	__u32 unmade;   /* the type of the event that is being judged before there is a record of it; 0: there is one */
	struct opened opened;
	struct path_walk walk;
	struct text_walk text;
	__u64 arguments[8]; /* of the current system call, if its sensor wants them here */
	char record[EVENT_RECORD_MAX + EVENT_ARGV_MAX + 64] __attribute__((aligned(2048)));
};
_Static_assert(offsetof(struct scratch, sieve) == 0 && offsetof(struct scratch, record) == SIEVE_RECORD_AT, "sieve.h");
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1); /* set by the loader to config.cpus + 1 */
	__type(key, __u32);
	__type(value, struct scratch);
} scratches SEC(".maps");

#endif
