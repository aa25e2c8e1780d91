/* SPDX-License-Identifier: Apache-2.0
 *
 * What compiled code calls. A fault's registers are stored by the code.
 */
#ifdef __aarch64__
#include "vm/jit_arm64_int.h"

/* Where a helper left memory that the program will likely use: misses look there first. */
#define FRESH 0

static void forget_windows(struct picket_run *run)
{
	for (size_t i = 0; i < VM_WINDOWS; i++)
		run->read[i].size = run->write[i].size = 0;
}

static bool window_holds(const struct vm_window *w, uint64_t address, uint64_t size)
{
	return size <= w->size && address - w->low <= w->size - size;
}

void vm_arm64_run_fault(struct picket_run *run, uint64_t address, uint32_t note)
{
	enum picket_fault_kind kind = note >> NOTE_KIND_SHIFT;

	if (kind)
		vm_fault(run, kind, address, 0);
	run->fault.insn = note & NOTE_INSN;
	run->fault.program = run->program;
}

/* ---- memory ---- */
/* A window is what stays the program's until windows are forgotten. Of the stack that is only the first frame. */
static void keep_window(const struct picket_run *run, struct vm_window *window, struct vm_window found,
                        uint64_t address, uint64_t size)
{
	if (found.low == run->stack_low)
		found.size = PICKET_STACK_BYTES;
	if (window_holds(&found, address, size))
		*window = found;
}

uint64_t vm_arm64_run_access(struct picket_run *run, uint64_t address, uint32_t note)
{
	uint32_t size = 1u << (note >> NOTE_SIZE_SHIFT & 3);
	bool write = note & NOTE_WRITE;
	struct vm_window *windows = write ? run->write : run->read, found;

	if (note & NOTE_ALIGNED && address & (size - 1))
		goto fault;
	if (window_holds(&windows[FRESH], address, size))
		found = windows[FRESH];
	else if (!vm_memory_find(run, address, size, write, &found))
		goto fault;
	keep_window(run, &windows[note >> NOTE_WINDOW_SHIFT & 3], found, address, size);
	return true;
fault:
	vm_fault(run, write ? PICKET_FAULT_WRITE : PICKET_FAULT_READ, address, size);
	vm_arm64_run_fault(run, address, note & NOTE_INSN);
	return false;
}

/* ---- calls ---- */
/* A value of a map that a helper gave will be used at once. */
static void expect_value(struct picket_run *run, uint64_t map, uint64_t value)
{
	struct picket_map *m = (struct picket_map *)(uintptr_t)map;
	struct vm_window found;

	if (!m->ops->find || !m->ops->find(m, value, &found))
		return;
	if (!m->writeonly)
		run->read[FRESH] = found;
	if (!m->readonly)
		run->write[FRESH] = found;
}

uint64_t vm_arm64_run_helper(struct picket_run *run, const struct picket_helper *helper, uint64_t r1, uint64_t r2,
                             uint64_t r3, uint64_t r4, uint64_t r5)
{
	uint64_t result = vm_helper_call(run, helper, r1, r2, r3, r4, r5);

	forget_windows(run);
	if (result && !run->fault.kind && helper->returns == PICKET_RETURN_MAP_VALUE_OR_NULL)
		expect_value(run, r1, result);
	return result;
}

static bool charge(struct picket_run *run, const struct picket_program *p, uint32_t function)
{
	run->budget -= vm_function_slots(p, function);
	if (run->budget >= 0)
		return true;
	vm_fault(run, PICKET_FAULT_BUDGET, 0, 0);
	return false;
}

static bool enter_frame(struct picket_run *run)
{
	if (run->frame < run->stack_high)
		return true;
	vm_fault(run, PICKET_FAULT_FRAMES, 0, 0);
	return false;
}

const void *vm_arm64_run_tail_call(struct picket_run *run, uint64_t map, uint64_t index)
{
	const struct picket_program *target = vm_tail_call_target(run, map, index);

	if (!target || (run->checked && !charge(run, target, 0)))
		return NULL;
	run->program = target;
	if (!run->checked)
		return (const void *)target->entry;
	forget_windows(run);
	return vm_arm64_tail_entry(target);
}

struct arm64_callee vm_arm64_run_callx(struct picket_run *run, uint64_t value)
{
	const struct picket_program *p = run->program;
	struct arm64_callee callee = {0};
	uint32_t function = (uint32_t)value;

	if ((value & VM_FUNCTION_MASK) == VM_FUNCTION_TAG && function < p->function_count) {
		if (!run->checked || (enter_frame(run) && charge(run, p, function)))
			callee.code = p->function_code[function];
		return callee;
	}
	if (function == value && function != VM_HELPER_TAIL_CALL)
		callee.helper = vm_helper_find(function, p->helpers, p->helper_count);
	if (!callee.helper)
		vm_fault(run, PICKET_FAULT_CALL, value, 0);
	return callee;
}

uint64_t vm_jit_callback(struct picket_run *run, uint32_t function, const uint64_t args[5])
{
	const struct picket_program *p = run->program;
	uint64_t (*enter)(const uint64_t *, struct picket_run *, const void *);
	uint64_t frame = run->frame, result;

	if (run->checked && !(enter_frame(run) && charge(run, p, function)))
		return 0;
	enter = (uint64_t(*)(const uint64_t *, struct picket_run *, const void *))vm_arm64_callback_entry(p);
	result = enter(args, run, p->function_code[function]);
	run->frame = frame;
	return result;
}
#endif
