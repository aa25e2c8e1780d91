/* SPDX-License-Identifier: Apache-2.0
 *
 * The live test of the sieve: the same activity under a picket that has the kernel drop what no rule can match, and under
 * one that does not, raises the same alerts. The activity is that of tests/evasions, and what stands here.
 */
#ifndef PICKET_TESTS_SIEVE_SIEVE_H
#define PICKET_TESTS_SIEVE_SIEVE_H

#include "tests/evasions/evasions.h"

/* A file is opened until it is remembered that no rule can match, and then by another way, or as another one. The attempt
 * alone; the alert that it must raise. */
extern const struct evasion memory_cases[];
/* Many opens of many kinds, chosen by a generator of a fixed beginning. */
extern const struct evasion random_cases[];
/* And connections. */
extern const struct evasion connect_cases[];
extern const struct evasion demo_cases[];

/* A generator of numbers, the same from the same beginning; and what those cases do with it. */
void random_begin(uint64_t seed);
unsigned random_below(unsigned limit);
void random_act(uint64_t seed, unsigned actions);

/* For the hour: what hosts do all day. Each attempt takes an argument, a number that says what of it. */
#define HOUR_SCRIPT "script"
#define HOUR_CONTAINER "container"
#define HOUR_RANDOM "random"
#define HOUR_RESIDENT "resident"
extern const struct evasion hour_cases[];

/* ---- lines of text, one for an alert: lines.c ---- */
struct buf;
/* Takes out of both, line by line, what the other has as well, and sorts the rest. Returns how many lines are left in both
 * together, or -ENOMEM. */
long lines_cancel(struct buf *without, struct buf *with) must_check;
/* Shows the first of what only one has. */
void lines_show(const struct buf *without, const struct buf *with);

#endif
