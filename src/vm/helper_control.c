/* SPDX-License-Identifier: Apache-2.0
 *
 * Helpers that decide what runs, and when: tail calls, loops, locks.
 */
#include <errno.h>
#include <linux/bpf.h>
#include <sched.h>
#include "vm/helper_int.h"

/* ---- tail calls ---- */
uint64_t helper_tail_call(HELPER_PARAMETERS)
{
	vm_fault(run, PICKET_FAULT_HELPER, VM_HELPER_TAIL_CALL, 0); /* an engine's part, never called */
	return 0;
}

const struct picket_program *vm_tail_call_target(struct picket_run *run, uint64_t map, uint64_t index)
{
	const struct picket_program *target;
	struct picket_map *m = helper_map(map);

	if ((run->checked && !vm_memory_is_map(run, map)) || m->spec.type != BPF_MAP_TYPE_PROG_ARRAY) {
		vm_fault(run, PICKET_FAULT_ARGUMENT, 2, 0);
		return NULL;
	}
	if ((uint32_t)index >= m->max_entries || run->tail_calls >= PICKET_TAIL_CALLS_MAX)
		return NULL;
	run->tail_calls++;
	target = vm_prog_array_get(m, (uint32_t)index);
	if (target && target->engine != run->program->engine) {
		vm_fault(run, PICKET_FAULT_TAIL_CALL, (uint32_t)index, 0);
		return NULL;
	}
	return target;
}

/* ---- loop ---- */
#define LOOPS_MAX (1u << 23)

uint64_t helper_loop(HELPER_PARAMETERS)
{
	uint32_t count = (uint32_t)r1;

	if (r4)
		return helper_error(-EINVAL);
	if (count > LOOPS_MAX)
		return helper_error(-E2BIG);
	for (uint32_t i = 0; i < count; i++) {
		uint64_t stop;
		if (picket_run_callback(run, r2, i, r3, 0, 0, 0, &stop))
			return 0;
		if (stop)
			return i + 1;
	}
	return count;
}

/* ---- spin locks: a run holds one at a time, and gives it back at its end whatever happens ---- */
#define LOCK_OPEN 0u
#define LOCK_HELD 1u
#define SPINS_BEFORE_YIELD 100
#define YIELD_INSNS 1000 /* what it is taken from the budget for: about its time */

static bool lock_try(uint32_t *word)
{
	return __atomic_load_n(word, __ATOMIC_RELAXED) == LOCK_OPEN &&
	       __atomic_exchange_n(word, LOCK_HELD, __ATOMIC_ACQUIRE) == LOCK_OPEN;
}

static void lock_open(uint32_t *word)
{
	__atomic_store_n(word, LOCK_OPEN, __ATOMIC_RELEASE);
}

/* A program that nobody has verified may have written to the word itself, and would wait for ever. */
static bool lock_wait(struct picket_run *run, uint32_t *word)
{
	while (true) {
		for (unsigned i = 0; i < SPINS_BEFORE_YIELD; i++)
			if (lock_try(word))
				return true;
		sched_yield();
		if (!run->checked)
			continue;
		run->budget -= YIELD_INSNS;
		if (run->budget < 0)
			return false;
	}
}

uint64_t helper_spin_lock(HELPER_PARAMETERS)
{
	if (run->lock) {
		vm_fault(run, PICKET_FAULT_ARGUMENT, 1, 0);
		return 0;
	}
	if (lock_wait(run, helper_pointer(r1)))
		run->lock = r1;
	else
		vm_fault(run, PICKET_FAULT_BUDGET, 0, 0);
	return 0;
}

uint64_t helper_spin_unlock(HELPER_PARAMETERS)
{
	if (run->lock != r1)
		vm_fault(run, PICKET_FAULT_ARGUMENT, 1, 0);
	else
		helper_lock_drop(run);
	return 0;
}

void helper_lock_drop(struct picket_run *run)
{
	if (run->lock)
		lock_open(helper_pointer(run->lock));
	run->lock = 0;
}
