/* SPDX-License-Identifier: Apache-2.0
 *
 * Makes a program smaller that fails: instructions are taken out while it still does.
 */
#ifndef PICKET_TESTS_VM_SHRINK_H
#define PICKET_TESTS_VM_SHRINK_H

#include "tests/vm/compare.h"

/* why: what compare_program() said; the smaller program fails in the same way, or breaks the process. Each try runs in a
 * process of its own: a broken engine may do anything. */
void shrink_program(struct compare *c, struct random_program *p, const char *why);

#endif
