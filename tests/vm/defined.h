/* SPDX-License-Identifier: Apache-2.0
 *
 * Does a program read only what has been written? Followed instruction by instruction in one run.
 */
#ifndef PICKET_TESTS_VM_DEFINED_H
#define PICKET_TESTS_VM_DEFINED_H

#include "tests/vm/random.h"
#include "tests/vm/world.h"

/* ret_insn: the first instruction that reads a register or a byte of the stack that nothing was written to, or what a call
 * left in r1 to r5; untouched if there is none. Faults are no business of it. */
bool defined_check(struct world *w, const struct random_program *p, size_t *ret_insn);

#endif
