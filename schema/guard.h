/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only OR BSD-2-Clause
 *
 * How compiled policies stand in the kernel: what src/guard writes into maps, and bpf/guards decides by.
 *
 *	guard_control	one: the lease, and who picket is
 *	guard_points	by point: which policies act there
 *	guard_policies	by index: what a policy asks for; written before it is listed at a point, then never changed
 *	guard_states	by index: its mode, its breaker, its counts; the kernel and picket both write
 *	guard_tests	the comparisons of all policies
 *	guard_texts, guard_numbers, guard_nets	what they compare with
 *	guard_members	control groups of units, containers and images, as picket finds them: which policies they are in the scope of
 *	guard_bits	by process: what picket decided about it
 *	guard_protected	whom no policy touches
 *	guard_acted	by policy, process and minute: whom it acted on, for the breaker
 *	guard_verdicts	a ring of struct guard_verdict
 *
 * A decision: for each policy of the point, in order: is the process in scope? does the formula hold? is it protected? The first
 * that holds and may act, acts. A formula is in postfix over three values: what is not known (a bit that picket has not
 * written yet, a text that could not be read) makes unknown, and unknown does not act: a guard fails open.
 *
 * It may act if its mode is enforce, its breaker has not tripped, and the lease of control, which picket renews, has not
 * ended; for a policy that persists, not longer ago than that. Otherwise it tells what it would have done. Times are of
 * CLOCK_BOOTTIME. The breaker counts in windows of a minute, in the kernel: the first action over a budget trips it, and only
 * picket, at an operator's word, sets it back. Nothing here ever raises a mode.
 *
 * A text is compared by the longest match in a trie: what is meant whole ends in a NUL there, what is a beginning does not.
 * For ends, both are reversed. Of a longer text only GUARD_TEXT_MAX bytes of each end are compared, which is enough:
 * literals are shorter.
 */
#ifndef PICKET_SCHEMA_GUARD_H
#define PICKET_SCHEMA_GUARD_H

#include <linux/types.h>

#define GUARD_POLICIES_MAX 64
#define GUARD_NAME_MAX 68 /* of a policy, with its NUL */
#define GUARD_POINT_POLICIES_MAX 32
#define GUARD_STEPS_MAX 32
#define GUARD_TESTS_MAX 512
#define GUARD_SCOPE_MAX 8
#define GUARD_TEXTS_MAX 4096
#define GUARD_NUMBERS_MAX 4096
#define GUARD_NETS_MAX 1024
#define GUARD_TEXT_MAX 248 /* with its NUL: a trie's key has 256 bytes */
#define GUARD_VERDICT_PATH 128
#define GUARD_BITS 256
#define GUARD_MINUTE_NS 60000000000ull
#define GUARD_MINUTE_BEGINS (~0ull)
#define GUARD_SHARE_LEAST 20 /* attempts in a minute from which on a share means something */

/* What picket itself does after an event is told as of the point GUARD_AFTER + enum policy_point. */
#define GUARD_AFTER 64
/* Where guards act: a point of schema/policy.def, or, of two ways to act at it, one. */
enum guard_point {
	GUARD_AT_EXEC, /* the new program is set up */
	GUARD_AT_CONNECT,
	GUARD_AT_BIND,
	GUARD_AT_SENDMSG,
	GUARD_AT_EXEC_CHECK, /* the old program still runs */
	GUARD_AT_FILE_OPEN,
	GUARD_AT_FILE_WRITE,
	GUARD_AT_FILE_RENAME,
	GUARD_AT_FILE_UNLINK,
	GUARD_AT_PTRACE,
	GUARD_AT_MODULE_LOAD,
	GUARD_AT_BPF_LOAD,
	GUARD_AT_MOUNT,
	GUARD_AT_SETNS,
	GUARD_AT_DEVICE,
	GUARD_AT_SYSCTL_WRITE,
	GUARD_AT_FORK,
	GUARD_AT_FORK_DONE, /* the child is there */
	GUARD_POINTS
};
enum guard_mode { GUARD_WATCH, GUARD_SHADOW, GUARD_ENFORCE }; /* as POLICY_MODE's rows */

enum guard_subject {
	/* texts */
	GUARD_NAME,
	GUARD_PARENT_NAME,
	GUARD_EXEPATH,
	GUARD_PATH,      /* of the file; of a rename and a mount: the target */
	GUARD_SOURCE,    /* of a rename */
	GUARD_FILE_NAME, /* the last component of GUARD_PATH */
	GUARD_DIRECTORY, /* what is before it; of a directory: its own path */
	GUARD_FS_TYPE,   /* of a mount */
	GUARD_TEXT_SUBJECTS,
	/* numbers */
	GUARD_PID = GUARD_TEXT_SUBJECTS,
	GUARD_PARENT_PID,
	GUARD_UID,
	GUARD_REAL_UID,
	GUARD_LOGIN_UID,
	GUARD_GID,
	GUARD_PORT,
	GUARD_FAMILY,   /* AF_INET, AF_INET6 */
	GUARD_PROTOCOL, /* IPPROTO_TCP … */
	GUARD_READS,    /* 1: it is opened for reading */
	GUARD_WRITES,
	GUARD_INODE,
	GUARD_OWNER,
	GUARD_LINKS,
	GUARD_IS_DEVICE,
	GUARD_FILE_KIND, /* 'd', 'f' for all else */
	GUARD_ARGUMENT,  /* the number that the point has: bpf's command, mount's flags, setns's kinds */
	GUARD_DEVICE,    /* GUARD_DEVICE_NUMBER() of it; minor 0; major and minor 0 */
	GUARD_DEVICE_MAJOR,
	GUARD_DEVICE_KIND,
	GUARD_SUBJECTS,
	GUARD_NUMBER_SUBJECTS = GUARD_SUBJECTS - GUARD_TEXT_SUBJECTS,
};

/* kind: 'b' or 'c' */
#define GUARD_DEVICE_NUMBER(kind, major, minor) ((__s64)(kind) << 40 | (__s64)(major) << 20 | (minor))

enum guard_how {
	GUARD_FALSE,
	GUARD_TRUE,
	GUARD_BIT,    /* number: which */
	GUARD_BEGINS, /* also whole */
	GUARD_ENDS,
	GUARD_IS,      /* number */
	GUARD_IN,      /* in guard_numbers */
	GUARD_LESS,    /* than number */
	GUARD_MORE,    /* than number */
	GUARD_ADDRESS, /* in guard_nets */
};
struct guard_test {
	__u16 how, subject;
	__u32 unused;
	__s64 number;
};

enum guard_step_kind { GUARD_STEP_TEST, GUARD_STEP_NOT, GUARD_STEP_ALL, GUARD_STEP_ANY };
struct guard_step {
	__u16 kind, operand; /* TEST: index in guard_tests; ALL, ANY: how many results, 2..32 */
};

/* An empty list: all. */
struct guard_scope {
	__u32 cgroups, users, executables; /* how many */
	__u32 members;                     /* not 0: and of a group that guard_members has for this number */
	__u32 uids[GUARD_SCOPE_MAX];
	struct guard_cgroup {
		__u64 id;
		__u32 level, unused;
	} cgroup[GUARD_SCOPE_MAX];
	struct guard_file {
		__u64 inode;
		__u32 device, unused; /* as the kernel's s_dev */
	} executable[GUARD_SCOPE_MAX];
};

struct guard_member_key {
	__u32 members, unused;
	__u64 cgroup_id;
};
enum guard_member { GUARD_MEMBER_ALONE = 1, GUARD_MEMBER_BELOW /* with all groups below it */ };
#define GUARD_MEMBERS_MAX 16384
#define GUARD_DEPTH_MAX 16 /* levels of control groups that are looked through */

struct guard_policy {
	char name[GUARD_NAME_MAX]; /* "": there is none with this index */
	__u32 version, points;     /* points: bits of enum guard_point */
	__u32 action, mode;        /* enum policy_action; enum guard_mode, as its file says: not for the kernel */
	__u64 persist_ns;          /* how long it goes on after the lease has ended */
	__u32 error;               /* of errno, positive; at exec: the process is killed */
	__u32 budget_actions, budget_processes, budget_share;
	__u64 interval_ns,
	        burst_ns; /* throttle: between those that are let through; how far they may be ahead. 0: none is */
	struct guard_scope scope;
	struct guard_formula {
		__u32 count; /* 0: it holds for all in scope */
		struct guard_step steps[GUARD_STEPS_MAX];
	} formulas[GUARD_POINTS];
};

struct guard_state {
	__u32 mode;    /* enum guard_mode; set by picket */
	__u32 tripped; /* enum guard_trip; set by the kernel, cleared by picket */
	__u64 minute;  /* which the following are of; GUARD_MINUTE_BEGINS: they are being set back */
	__u32 actions, processes, attempts, unused;
	__u64 arrival_ns; /* throttle: when the next would come, if they came at the rate */
	__u64 total_actions, total_would, total_unknown, verdicts_lost;
};
enum guard_trip { GUARD_NOT_TRIPPED, GUARD_TRIP_ACTIONS, GUARD_TRIP_PROCESSES, GUARD_TRIP_SHARE };

struct guard_control {
	__u64 lease_until_ns;    /* 0: ended, also for what persists */
	__u32 self_tgid, unused; /* picket's, in the initial pid namespace; 0: not known */
};

struct guard_point_policies {
	__u32 count;
	__u32 subjects; /* bits of enum guard_subject: what their tests ask for, and so what is read */
	__u32 ends;     /* of these, texts that are compared by their ends */
	__u32 policies[GUARD_POINT_POLICIES_MAX];
};

struct guard_text_key {
	__u32 bits; /* of test and text that count */
	__u32 test;
	char text[GUARD_TEXT_MAX];
};
struct guard_number_key {
	__u32 test, unused;
	__s64 number;
};
struct guard_net_key {
	__u32 bits;
	__u32 test;
	__u8 address[16]; /* IPv4 as ::ffff:a.b.c.d */
};

struct guard_process {
	__u64 start_ns; /* of the process: another one is another process */
	__u64 since_ns; /* its last exec, or when it was met */
	__u64 of_ns;    /* what follows is true if this is since_ns; 0: nothing is known */
	__u64 cgroup_id;
	__u32 uid, gid; /* effective: it is true of a process that has them, and is in the control group */
	__u64 writes;   /* odd: it is being written */
	__u64 bits[GUARD_BITS / 64];
};

/* What guard_know is told. */
struct guard_knowledge {
	__u32 tgid;
	__u32 taken;   /* out: it counts, until the process changes */
	__u64 time_ns; /* up to when all that happened to the process is known */
	struct guard_process process;
};

/* A session is an operator's if it has a terminal and its leader was started by a program that is an entry (sshd, login,
 * sudo …). Of it are protected the leader, and whatever root runs. */
enum guard_protected_what {
	GUARD_PROTECTED_PROGRAM, /* an executable */
	GUARD_PROTECTED_PROCESS, /* device: its id */
	GUARD_PROTECTED_ENTRY,   /* an executable by which operators come in; it is protected by another key */
	GUARD_PROTECTED_GROUP,   /* inode: id of a control group, with those below it */
};
struct guard_protected_key {
	__u64 inode;
	__u32 device, what;
};

struct guard_acted_key {
	__u32 policy, tgid;
	__u64 minute;
};

enum guard_verdict_kind {
	GUARD_ACTED,
	GUARD_WOULD_ACT, /* mode shadow, no lease, or tripped */
	GUARD_MATCHED,   /* mode watch */
	GUARD_TRIPPED,   /* this action went over the budget: it was let pass, and so is what follows */
	GUARD_ENDED,     /* a reaction: the process had ended by itself */
};
#define GUARD_SPARED 255 /* of a reaction: nothing is to be told */
/* What guard_react is asked: may this policy act on that process? */
struct guard_reaction {
	__u32 policy, tgid;
	struct guard_file executables[2]; /* of the process: when it did what matched, and now */
	__u32 verdict, unused;            /* out: enum guard_verdict_kind, GUARD_SPARED */
};

/* What guard_exec_gate is asked: skb->cb[] of its run. It returns 0, or the errno of the exec, negative. */
enum guard_gate_word {
	GUARD_GATE_THREAD, /* who execs: its id in the initial pid namespace */
	GUARD_GATE_FILE,   /* what: a descriptor of the process that asks */
};

struct guard_verdict {
	__u64 time_ns;
	__u32 policy, version;
	__u32 point, kind;
	__u32 pid, tgid;
	__u64 cgroup_id;
	char name[16];
	__u8 address[16];
	__u16 port, family;
	__u32 trip;
	__s64 device;                  /* GUARD_DEVICE_NUMBER(); 0: it is about none */
	char path[GUARD_VERDICT_PATH]; /* its beginning, as far as it was read; ends in a NUL */
};

#endif
