/* SPDX-License-Identifier: Apache-2.0
 *
 * Which helpers there are, and the way to them: the test of their arguments for programs that nobody has verified.
 */
#include <linux/bpf.h>
#include "vm/helper_int.h"

#define SIZE_MAX_BYTES (1u << 29)
#define LARGE_BYTES 4096 /* from here on, size is taken from the budget: */
#define BYTES_PER_INSN 16u

/* ---- the table ---- */
static const struct picket_helper helpers[] = {
#define HELPER(id, name, function, returns, a1, a2, a3, a4, a5) \
	[id] = {id, \
	        #name, \
	        PICKET_RETURN_##returns, \
	        {PICKET_ARG_##a1, PICKET_ARG_##a2, PICKET_ARG_##a3, PICKET_ARG_##a4, PICKET_ARG_##a5}, \
	        helper_##function},
#include "vm/helper.def"
};

#define HELPER(id, name, ...) _Static_assert((id) == BPF_FUNC_##name, "the kernel's number of " #name);
#include "vm/helper.def"

#define KERNEL_NAME(name) [BPF_FUNC_##name] = #name
static const char *const kernel_names[] = {__BPF_FUNC_MAPPER(KERNEL_NAME)};

const struct picket_helper *vm_helper_find(uint32_t id, const struct picket_helper *own, size_t count)
{
	if (id < ARRAY_SIZE(helpers) && helpers[id].function)
		return &helpers[id];
	for (size_t i = 0; i < count; i++)
		if (own[i].id == id)
			return &own[i];
	return NULL;
}

const struct picket_helper *vm_helper_by_name(const char *name)
{
	for (size_t i = 0; i < ARRAY_SIZE(helpers); i++)
		if (helpers[i].function && strcmp(helpers[i].name, name) == 0)
			return &helpers[i];
	return NULL;
}

const char *vm_helper_name(uint32_t id)
{
	return id > 0 && id < ARRAY_SIZE(kernel_names) ? kernel_names[id] : NULL;
}

/* ---- do an embedder's types fit together ---- */
static bool is_size(enum picket_arg arg)
{
	return arg == PICKET_ARG_SIZE || arg == PICKET_ARG_SIZE_OR_ZERO;
}

static bool follows_well(const struct picket_helper *h, unsigned i, bool map_before)
{
	enum picket_arg next = i + 1 < ARRAY_SIZE(h->args) ? h->args[i + 1] : PICKET_ARG_NONE;

	switch (h->args[i]) {
	case PICKET_ARG_NONE:
		return next == PICKET_ARG_NONE;
	case PICKET_ARG_MAP_KEY:
	case PICKET_ARG_MAP_VALUE:
	case PICKET_ARG_MAP_VALUE_OUT:
		return map_before;
	case PICKET_ARG_MEM:
	case PICKET_ARG_MEM_OUT:
		return is_size(next);
	case PICKET_ARG_MEM_OR_NULL:
	case PICKET_ARG_MEM_OUT_OR_NULL:
		return next == PICKET_ARG_SIZE_OR_ZERO;
	default:
		return h->args[i] <= PICKET_ARG_SPIN_LOCK;
	}
}

bool vm_helper_is_valid(const struct picket_helper *helper)
{
	bool map_before = false;

	for (unsigned i = 0; i < ARRAY_SIZE(helper->args); i++) {
		if (!follows_well(helper, i, map_before))
			return false;
		map_before |= helper->args[i] == PICKET_ARG_MAP;
	}
	return true;
}

/* ---- what the program may touch ---- */
static bool lies_in(struct vm_window w, uint64_t address, uint64_t size)
{
	return size <= w.size && address - w.low <= w.size - size;
}

static struct vm_window stack_of(const struct picket_run *run)
{
	return (struct vm_window){run->stack_low, run->frame - run->stack_low};
}

static struct vm_window context_of(const struct picket_run *run)
{
	return (struct vm_window){run->data, run->length};
}

/* As vm_memory_find(), sooner for what is mostly asked for. */
static inline bool find_memory(const struct picket_run *run, uint64_t address, uint64_t size, bool write,
                               struct vm_window *ret_window)
{
	*ret_window = stack_of(run);
	if (run->checked && lies_in(*ret_window, address, size))
		return true;
	*ret_window = context_of(run);
	return lies_in(*ret_window, address, size) || vm_memory_find(run, address, size, write, ret_window);
}

bool helper_may_read(const struct picket_run *run, uint64_t address, uint64_t size)
{
	struct vm_window window;

	return !run->checked || find_memory(run, address, size, false, &window);
}

bool helper_may_write(const struct picket_run *run, uint64_t address, uint64_t size)
{
	struct vm_window window;

	return !run->checked || find_memory(run, address, size, true, &window);
}

/* In verified code the program's stack is the machine's: what lies between us and where the run began. */
static bool is_on_machine_stack(const struct picket_run *run, uint64_t address)
{
	return !run->checked && address >= (uintptr_t)__builtin_frame_address(0) && address < run->stack_high;
}

size_t helper_readable(const struct picket_run *run, uint64_t address, size_t limit)
{
	struct vm_window window = {0, run->stack_high};

	if (!is_on_machine_stack(run, address) && !find_memory(run, address, 1, false, &window))
		return 0;
	return MIN(limit, window.low + window.size - address);
}

size_t helper_text_readable(const struct picket_run *run, uint64_t address)
{
	if (!run->checked)
		return HELPER_TEXT_MAX;
	return MIN(HELPER_TEXT_MAX, run->text.low + run->text.size - address);
}

/* ---- arguments ---- */
static bool is_text(struct picket_run *run, uint64_t address)
{
	return find_memory(run, address, 1, false, &run->text) &&
	       memchr(helper_pointer(address), 0, helper_text_readable(run, address));
}

static bool is_function(const struct picket_run *run, uint64_t value)
{
	return (value & VM_FUNCTION_MASK) == VM_FUNCTION_TAG && (uint32_t)value < run->program->function_count;
}

static bool is_dynptr_place(const struct picket_run *run, uint64_t address)
{
	return address % 8 == 0 && lies_in(stack_of(run), address, sizeof(struct bpf_dynptr));
}

static bool is_lock(const struct picket_run *run, uint64_t address)
{
	return address % _Alignof(struct bpf_spin_lock) == 0 && !lies_in(stack_of(run), address, 1) &&
	       helper_may_write(run, address, sizeof(struct bpf_spin_lock));
}

/* A queue's value is written by peek, a bloom filter's is read. */
static bool takes_value(const struct picket_run *run, const struct picket_map *m, uint64_t address)
{
	if (m->spec.type == BPF_MAP_TYPE_BLOOM_FILTER)
		return helper_may_read(run, address, m->spec.value_size);
	return helper_may_write(run, address, m->spec.value_size);
}

static bool argument_fits(struct picket_run *run, enum picket_arg arg, uint64_t value, uint64_t next,
                          const struct picket_map *map)
{
	switch (arg) {
	case PICKET_ARG_NONE:
	case PICKET_ARG_ANY:
	case PICKET_ARG_CALLBACK_CTX:
	case PICKET_ARG_ALLOC_SIZE:
		return true;
	case PICKET_ARG_CTX:
		return value == run->data;
	case PICKET_ARG_MAP:
		return vm_memory_is_map(run, value);
	case PICKET_ARG_MAP_KEY:
		return helper_may_read(run, value, map->spec.key_size);
	case PICKET_ARG_MAP_VALUE:
		return helper_may_read(run, value, map->spec.value_size);
	case PICKET_ARG_MAP_VALUE_OUT:
		return takes_value(run, map, value);
	case PICKET_ARG_MEM:
	case PICKET_ARG_MEM_OR_NULL:
		return next == 0 || next > SIZE_MAX_BYTES || helper_may_read(run, value, next);
	case PICKET_ARG_MEM_OUT:
	case PICKET_ARG_MEM_OUT_OR_NULL:
		return next == 0 || next > SIZE_MAX_BYTES || helper_may_write(run, value, next);
	case PICKET_ARG_SIZE:
		return value > 0 && value <= SIZE_MAX_BYTES;
	case PICKET_ARG_SIZE_OR_ZERO:
		return value <= SIZE_MAX_BYTES;
	case PICKET_ARG_LONG_OUT:
		return helper_may_write(run, value, sizeof(uint64_t));
	case PICKET_ARG_CONST_STR:
		return is_text(run, value);
	case PICKET_ARG_FUNCTION:
		return is_function(run, value);
	case PICKET_ARG_RING_RECORD:
		return helper_record_exists(run, value);
	case PICKET_ARG_DYNPTR:
		return is_dynptr_place(run, value) && helper_dynptr_exists(run, value);
	case PICKET_ARG_DYNPTR_OUT:
		return is_dynptr_place(run, value);
	case PICKET_ARG_SPIN_LOCK:
		return is_lock(run, value);
	}
	return false;
}

static void take_from_budget(struct picket_run *run, enum picket_arg arg, uint64_t size)
{
	if (is_size(arg) && size >= LARGE_BYTES)
		run->budget -= (int64_t)(size / BYTES_PER_INSN);
}

uint64_t vm_helper_call(struct picket_run *run, const struct picket_helper *helper, uint64_t r1, uint64_t r2,
                        uint64_t r3, uint64_t r4, uint64_t r5)
{
	const uint64_t values[] = {r1, r2, r3, r4, r5, 0};
	const struct picket_map *map = NULL;

	for (unsigned i = 0; i < ARRAY_SIZE(helper->args) && helper->args[i] != PICKET_ARG_NONE; i++) {
		if (!argument_fits(run, helper->args[i], values[i], values[i + 1], map)) {
			vm_fault(run, PICKET_FAULT_ARGUMENT, i + 1, 0);
			return 0;
		}
		if (helper->args[i] == PICKET_ARG_MAP)
			map = helper_map(values[i]);
		take_from_budget(run, helper->args[i], values[i]);
	}
	if (run->budget < 0) {
		vm_fault(run, PICKET_FAULT_BUDGET, 0, 0);
		return 0;
	}
	return helper->function(r1, r2, r3, r4, r5, run);
}
