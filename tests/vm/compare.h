/* SPDX-License-Identifier: Apache-2.0
 *
 * One program in all engines.
 */
#ifndef PICKET_TESTS_VM_COMPARE_H
#define PICKET_TESTS_VM_COMPARE_H

#include "tests/vm/kernel.h"
#include "tests/vm/random.h"
#include "tests/vm/world.h"

#define COMPARE_TEXT_BYTES 256

struct compare {
	struct world world;
	struct kernel kernel;   /* of RANDOM_KERNEL */
	struct world elsewhere; /* the same: at other addresses */
	enum random_kind kind;
	bool no_jit; /* set when there is none for this machine */
};

enum compare_result {
	COMPARE_SAME,
	COMPARE_DIFFERENT,
	COMPARE_CHANCE,  /* it differs, but asks for the time or throws dice: nothing to compare */
	COMPARE_REFUSED, /* by the kernel's verifier */
	COMPARE_INVALID, /* a program that should be valid is not */
};

/* Returns 0; -EPERM: the kernel does not let us; -errno. */
int compare_init(struct compare *c, enum random_kind kind);
void compare_done(struct compare *c);
/* In a child process: maps of its own in the kernel, which it would share with its parent. */
int compare_own_kernel(struct compare *c);
/* text: what differs, or meanwhile the engine that is at work; COMPARE_TEXT_BYTES. */
enum compare_result compare_program(struct compare *c, const struct random_program *p, char *text);

#endif
