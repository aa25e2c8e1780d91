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

/* What is known for certain, which is what a program may build on. UNDECIDED: nothing; the event passes. */
enum sieve_state {
	SIEVE_UNDECIDED,
	SIEVE_OPENED, /* a file or directory that had been there before; it has no other names than these */
	SIEVE_FAILED, /* the call failed; ASKED is the only text */
	SIEVE_STATES,
};

enum sieve_text {
#define SIEVE_TEXT(name, field) SIEVE_TEXT_##name,
#include "schema/sieve.def"
	SIEVE_TEXTS,
};

enum sieve_number {
#define SIEVE_NUMBER(name, field) SIEVE_NUMBER_##name,
#include "schema/sieve.def"
	SIEVE_NUMBERS,
};

/* A text in the record. */
struct sieve_span {
	__u32 offset, length;
};

struct sieve_input {
	__u32 state;
	__u32 names; /* 1 or 2; each is judged */
	struct sieve_span texts[SIEVE_NAMES_MAX][SIEVE_TEXTS];
	__u64 numbers[SIEVE_NUMBERS];
	__u64 results[SIEVE_RESULT_BITS / 64]; /* the program's own */
};

/* What event_wanted says of a type. */
#define WANTED 1
#define WANTED_SIEVED 2

/* Files that rules name, by whatever other name they are reached: a bit each, by hash. */
#define SIEVE_WATCHED_BITS 65536
#define SIEVE_WATCHED_BIT(dev, ino) \
	((__u32)((((__u64)(ino)*0x9e3779b97f4a7c15ull) ^ ((__u64)(dev)*0xc2b2ae3d27d4eb4full)) >> 48))

/* Of the array of programs that these are in, by event type: the ones that a decision leads to. */
#define SIEVE_PASS 0
#define SIEVE_DROP 255

#endif
