/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only OR BSD-2-Clause
 *
 * The sieve's memory: what a sensor tells the program that decides whether any rule can match its event, made of the rules
 * (src/rule/sieve.c). It stands at the beginning of the sensor's scratch space, whose record is SIEVE_RECORD_AT further.
 */
#ifndef PICKET_SCHEMA_SIEVE_H
#define PICKET_SCHEMA_SIEVE_H

#include <linux/types.h>

#define SIEVE_RECORD_AT 10240
#define SIEVE_TEXT_MAX 256     /* bytes of a text that is looked at in the kernel; events with a longer one pass */
#define SIEVE_NAMES_MAX 2      /* of the file: as asked for, and as reached */
#define SIEVE_RESULT_BITS 1024 /* of patterns */
#define SIEVE_RULES_MAX 256    /* of a set; those behind are taken to match for any process */
#define SIEVE_TYPES_MAX 256    /* of events */

/* What is known for certain, which is what a program may build on. UNDECIDED: nothing; the event passes. */
enum sieve_state {
	SIEVE_UNDECIDED,
	SIEVE_OPENED,    /* a file or directory that had been there before; it has no other names than these */
	SIEVE_FAILED,    /* it was not opened; ASKED is the only text */
	SIEVE_DONE,      /* another call, which succeeded */
	SIEVE_REFUSED,   /* another call, which failed */
	SIEVE_CONNECTED, /* a TCP or UDP socket was connected or accepted, or is about to be; both ends are known */
	SIEVE_STATES,
};
#define SIEVE_IN(state) (1u << SIEVE_##state)

enum sieve_text {
#define SIEVE_TEXT(name, field, states) SIEVE_TEXT_##name,
#include "schema/sieve.def"
	SIEVE_TEXTS,
};

enum sieve_number {
#define SIEVE_NUMBER(name, field, states) SIEVE_NUMBER_##name,
#include "schema/sieve.def"
	SIEVE_NUMBERS,
};

/* A text in the record. */
struct sieve_span {
	__u32 offset, length;
};

struct sieve_input {
	__u32 state;
	__u32 names;   /* 1 or 2; each is judged */
	__u32 by_file; /* out: an event that is dropped is so for what the file is and how it was opened, not by whom */
	__u32 unused;
	__u64 process;                    /* the serial of what is known of the process; 0: nothing is */
	__u64 live[SIEVE_RULES_MAX / 64]; /* rules that may match for the process, by their number in the set */
	struct sieve_span texts[SIEVE_NAMES_MAX][SIEVE_TEXTS];
	__u64 numbers[SIEVE_NUMBERS];
	__u64 results[SIEVE_RESULT_BITS / 64]; /* the program's own */
};

/* What event_wanted says of a type. */
#define WANTED_ALL 1
#define WANTED_SIEVED 2       /* its record is */
#define WANTED_WRITES 3       /* of opens, those for writing; no rule wants any */
#define WANTED_SIEVED_FIRST 4 /* sieved before a record is made of it */

/* Files that rules name, by whatever other name they are reached: two bits each, by hash. */
#define SIEVE_WATCHED_BITS 65536
#define SIEVE_WATCHED_HASH(dev, ino) (((__u64)(ino)*0x9e3779b97f4a7c15ull) ^ ((__u64)(dev)*0xc2b2ae3d27d4eb4full))
#define SIEVE_WATCHED_BIT_1(hash) ((__u32)((hash) >> 48))
#define SIEVE_WATCHED_BIT_2(hash) ((__u32)((hash) >> 32 & 0xffff))

/* What is known of a process, kept with its leader: which rules can still match. Written from user space; whatever changes
 * the process removes it, and so do changes that cannot be said to leave it alone (the epochs). */
struct sieve_process {
	__u64 start_ns;       /* of the process: it may be another one by now */
	__u32 known;          /* 0: nothing is; all rules may match */
	__u32 uid, gid, ppid; /* as in events' headers: a thread may have others */
	__u32 kin_epoch, user_epoch;
	__u64 serial;                      /* of this entry: each that is told has another one, from 1 */
	__u64 types[SIEVE_TYPES_MAX / 64]; /* of events that some rule may match */
	__u64 rules[SIEVE_RULES_MAX / 64];
};

/* What an event of a type changes. */
#define CHANGES_PROCESS 1 /* the process that made it, and so its descendants */
#define CHANGES_OTHERS 2  /* one that cannot be named */

/* Of the array of programs that these are in, by event type: the ones that a decision leads to. */
#define SIEVE_PASS 0
#define SIEVE_DROP 255

#endif
