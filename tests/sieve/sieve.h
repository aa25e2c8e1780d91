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
extern const struct evasion demo_cases[];

#endif
