/* SPDX-License-Identifier: Apache-2.0
 *
 * Random programs, to compare engines with each other. A program follows from its kind and seed alone.
 *
 * They expect the world of world.h: a packet as context, two regions, three maps, two helpers. A valid program has one
 * meaning whatever runs it: it reads nothing that is not initialised, never lets an address of the stack into its results,
 * stays inside of its memory, and ends. Its numbers end up in the first map's value, and one of them is its result.
 */
#ifndef PICKET_TESTS_VM_RANDOM_H
#define PICKET_TESTS_VM_RANDOM_H

#include "picket/vm.h"

enum random_kind {
	RANDOM_VALID,
	RANDOM_HOSTILE, /* valid but for a few places: wild pointers, loops and calls without an end, wrong arguments */
	RANDOM_KERNEL,  /* valid, and in a form that the kernel's verifier can follow */
};

#define RANDOM_INSNS_MAX 7500
struct random_program {
	enum random_kind kind;
	uint64_t seed;
	struct picket_insn insns[RANDOM_INSNS_MAX];
	size_t count;
};

void random_program_make(struct random_program *p, enum random_kind kind, uint64_t seed);
/* Of RANDOM_KERNEL: replaces the first instructions by those that find the packet as the kernel gives it (TC classifier). */
#define RANDOM_KERNEL_PROLOGUE 10
void random_program_for_kernel(struct random_program *p);

#endif
