/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <linux/bpf.h>
#include <stdlib.h>
#include "vm/map_int.h"
#include "vm/vm_int.h"

/* ---- loading ---- */
static int compare_helpers(const void *a, const void *b)
{
	const struct picket_helper *x = a, *y = b;

	return x->id < y->id ? -1 : x->id > y->id;
}

static int copy_helpers(struct picket_program *p, const struct picket_options *options, struct picket_error *reterr)
{
	if (options->helper_count > PICKET_HELPERS_MAX)
		return vm_error(reterr, -E2BIG, 0, "%zu helpers are given, more than %d", options->helper_count,
		                PICKET_HELPERS_MAX);
	if (!options->helper_count)
		return 0;
	p->helpers = calloc(options->helper_count, sizeof(*p->helpers));
	if (!p->helpers)
		return -ENOMEM;
	for (size_t i = 0; i < options->helper_count; i++) {
		struct picket_helper *h = &p->helpers[i];
		*h = options->helpers[i];
		h->name = NULL;
		p->helper_count++;
		if (h->id < PICKET_HELPER_OWN || !h->function)
			return vm_error(reterr, -EINVAL, 0, "helper %u has no function, or its id is below %d", h->id,
			                PICKET_HELPER_OWN);
		if (!vm_helper_is_valid(h))
			return vm_error(reterr, -EINVAL, 0,
			                "helper %u: a key, a value or a memory has no map or no size beside it", h->id);
		h->name = strdup(options->helpers[i].name ? options->helpers[i].name : "");
		if (!h->name)
			return -ENOMEM;
	}
	qsort(p->helpers, p->helper_count, sizeof(*p->helpers), compare_helpers);
	for (size_t i = 1; i < p->helper_count; i++)
		if (p->helpers[i].id == p->helpers[i - 1].id)
			return vm_error(reterr, -EINVAL, 0, "helper %u is given twice", p->helpers[i].id);
	return 0;
}

/* What a map refers to may go while a program runs. */
static bool map_changes(const struct picket_map *m)
{
	return m->spec.inner || m->spec.type == BPF_MAP_TYPE_PROG_ARRAY;
}

static int copy_maps(struct picket_program *p, const struct picket_options *options, struct picket_error *reterr)
{
	if (options->map_count > PICKET_MAPS_MAX)
		return vm_error(reterr, -E2BIG, 0, "%zu maps are given, more than %d", options->map_count,
		                PICKET_MAPS_MAX);
	if (!options->map_count)
		return 0;
	p->maps = calloc(options->map_count, sizeof(struct picket_map *));
	if (!p->maps)
		return -ENOMEM;
	for (size_t i = 0; i < options->map_count; i++) {
		p->maps[i] = picket_map_ref(options->maps[i]);
		p->map_count++;
		p->epoch |= map_changes(p->maps[i]);
	}
	return 0;
}

static int copy_insns(struct picket_program *p, const struct picket_insn *insns, size_t count)
{
	p->insns = malloc(count * sizeof(*insns));
	if (!p->insns)
		return -ENOMEM;
	memcpy(p->insns, insns, count * sizeof(*insns));
	p->insn_count = count;
	return 0;
}

static int copy_functions(struct picket_program *p, const struct vm_ops *ops)
{
	p->function_insns = calloc(ops->function_count, sizeof(*p->function_insns));
	if (!p->function_insns)
		return -ENOMEM;
	p->function_count = (uint32_t)ops->function_count;
	for (size_t i = 0; i < ops->function_count; i++)
		p->function_insns[i] = ops->functions[i].insn;
	return 0;
}

static int compile(struct picket_program *p, struct vm_ops *ops, struct picket_error *reterr)
{
	int r = vm_flow_live(ops);

	if (r)
		return r;
	if (!p->plain)
		vm_fuse(ops);
	r = p->engine == PICKET_INTERPRETER ? vm_interp_compile(p, ops) : vm_jit_compile(p, ops);
	if (r == -EOPNOTSUPP)
		return vm_error(reterr, r, 0, "there is no just-in-time compiler for this machine");
	if (r == -E2BIG)
		return vm_error(reterr, r, 0, "the machine code of this program would be too long");
	return r;
}

int picket_program_load(const struct picket_insn *insns, size_t count, const struct picket_options *options,
                        struct picket_program **ret_program, struct picket_error *reterr)
{
	static const struct picket_options none;
	_cleanup_(vm_ops_done) struct vm_ops ops = {0};
	struct picket_program *p = calloc(1, sizeof(*p));
	int r = -ENOMEM;

	if (!options)
		options = &none;
	if (!p)
		goto out;
	p->engine = options->engine;
	p->blind = options->blind;
	p->plain = options->plain;
	p->budget = options->budget ? options->budget : PICKET_BUDGET_DEFAULT;
	r = copy_helpers(p, options, reterr);
	if (!r)
		r = copy_maps(p, options, reterr);
	if (!r)
		r = vm_decode(insns, count, options, &ops, reterr);
	if (!r)
		r = copy_insns(p, insns, count);
	if (!r)
		r = copy_functions(p, &ops);
	if (!r)
		r = compile(p, &ops, reterr);
	if (!r)
		*ret_program = TAKE_PTR(p);
out:
	if (r == -ENOMEM)
		vm_error(reterr, r, 0, "not enough memory");
	picket_program_free(p);
	return r;
}

void picket_program_free(struct picket_program *p)
{
	if (!p)
		return;
	vm_interp_free(p->interp);
	if (p->code)
		vm_code_unmap(p->code, p->code_mapped);
	for (size_t i = 0; i < p->map_count; i++)
		picket_map_free(p->maps[i]);
	for (size_t i = 0; i < p->helper_count; i++)
		free((char *)p->helpers[i].name);
	vm_debug_free(p->debug);
	free(p->maps);
	free(p->helpers);
	free(p->insns);
	free(p->function_insns);
	free(p);
}

const char *picket_program_name(const struct picket_program *p)
{
	return p->name;
}

enum picket_engine picket_program_engine(const struct picket_program *p)
{
	return p->engine;
}

const struct picket_insn *picket_program_insns(const struct picket_program *p, size_t *ret_count)
{
	*ret_count = p->insn_count;
	return p->insns;
}

const struct picket_map *picket_program_map(const struct picket_program *p, size_t index)
{
	return index < p->map_count ? p->maps[index] : NULL;
}

size_t picket_program_code(const struct picket_program *p, const void **ret_code)
{
	if (ret_code)
		*ret_code = p->code;
	return p->code_size;
}

/* ---- running ---- */
/* Field by field: a whole one is 2 KiB, most of which only a few programs use. */
static inline void run_init(struct picket_run *run, const struct picket_program *p, void *data, size_t length)
{
	run->program = p;
	run->call = NULL;
	run->checked = false;
	run->data = (uintptr_t)data;
	run->length = length;
	run->tail_calls = 0;
	run->fault.kind = PICKET_FAULT_NONE;
	run->record_count = 0;
	run->lent = NULL;
	run->lock = 0;
	run->dynptr_count = 0;
	run->stack_high = (uintptr_t)__builtin_frame_address(0);
}

static void run_init_checked(struct picket_run *run, uint64_t budget,
                             uint8_t stack[PICKET_FRAMES_MAX * PICKET_STACK_BYTES])
{
	run->checked = true;
	run->budget = budget > INT64_MAX ? INT64_MAX : (int64_t)budget;
	run->stack_low = (uintptr_t)stack;
	run->stack_high = run->stack_low + (uint64_t)PICKET_FRAMES_MAX * PICKET_STACK_BYTES;
	for (size_t i = 0; i < VM_WINDOWS; i++)
		run->read[i].size = run->write[i].size = 0;
}

static void __attribute__((noinline)) run_checked(const struct picket_program *p, struct picket_run *run)
{
	uint8_t stack[PICKET_FRAMES_MAX * PICKET_STACK_BYTES] __attribute__((aligned(16)));
	struct picket_call *call = run->call;

	run_init_checked(run, call->budget ? call->budget : p->budget, stack);
	if (p->engine == PICKET_INTERPRETER)
		call->result = vm_interp_run(p, run, run->data, run->length);
	else
		call->result = p->entry(run->data, run->length, run);
}

int picket_program_run(const struct picket_program *p, struct picket_call *call)
{
	struct picket_run run;

	if (call->region_count > PICKET_REGIONS_MAX)
		return -EINVAL;
	run_init(&run, p, call->data, call->length);
	run.call = call;
	call->executed = 0;
	if (p->epoch)
		vm_epoch_enter();
	if (p->engine == PICKET_VERIFIED)
		call->result = p->entry(run.data, run.length, &run);
	else
		run_checked(p, &run);
	if (run.record_count || run.lock)
		vm_run_drop_records(&run);
	if (p->epoch)
		vm_epoch_leave();
	call->fault.kind = run.fault.kind;
	if (!run.fault.kind)
		return 0;
	call->fault = run.fault;
	call->result = 0;
	return -EFAULT;
}

uint64_t picket_program_call(const struct picket_program *p, void *data, size_t length)
{
	struct picket_run run;
	uint64_t result;

	if (p->engine != PICKET_VERIFIED || p->epoch) {
		struct picket_call call = {.data = data, .length = length};
		return picket_program_run(p, &call) ? 0 : call.result;
	}
	run_init(&run, p, data, length);
	result = p->entry(run.data, run.length, &run);
	if (run.record_count || run.lock)
		vm_run_drop_records(&run);
	return result;
}

int picket_run_callback(struct picket_run *run, uint64_t function, uint64_t r1, uint64_t r2, uint64_t r3, uint64_t r4,
                        uint64_t r5, uint64_t *ret_result)
{
	const uint64_t args[5] = {r1, r2, r3, r4, r5};
	uint64_t result;

	if (run->fault.kind)
		return -EFAULT;
	if ((function & VM_FUNCTION_MASK) != VM_FUNCTION_TAG || (uint32_t)function >= run->program->function_count) {
		vm_fault(run, PICKET_FAULT_CALL, function, 0);
		return -EFAULT;
	}
	if (run->program->engine == PICKET_INTERPRETER)
		result = vm_interp_callback(run, (uint32_t)function, args);
	else
		result = vm_jit_callback(run, (uint32_t)function, args);
	if (run->fault.kind)
		return -EFAULT;
	*ret_result = result;
	return 0;
}
