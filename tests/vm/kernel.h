/* SPDX-License-Identifier: Apache-2.0
 *
 * The kernel as one more engine: programs are loaded as TC classifiers, over maps of the world's form, and run by
 * BPF_PROG_TEST_RUN. Needs the rights to do so.
 */
#ifndef PICKET_TESTS_VM_KERNEL_H
#define PICKET_TESTS_VM_KERNEL_H

#include "tests/vm/world.h"

struct kernel {
	int maps[WORLD_MAPS];
	uint8_t *values, *array; /* the first two, mapped */
	bool hash_changed;       /* or not known: other processes use the same maps */
};

/* Returns 0; -EPERM: not allowed to; -errno. */
int kernel_init(struct kernel *k);
void kernel_done(struct kernel *k);
/* ret_program: a file descriptor. log: what the verifier says about a program that it refuses; may be NULL.
 * Returns 0; -EACCES, -EINVAL, -E2BIG …: refused. */
int kernel_load(struct kernel *k, const struct picket_insn *insns, size_t count, int *ret_program, char *log,
                size_t log_size);
int kernel_run(struct kernel *k, int program, const struct world_memory *before, uint32_t *ret_result,
               struct world_memory *ret_after);

#endif
