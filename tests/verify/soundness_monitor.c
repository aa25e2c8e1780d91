/* SPDX-License-Identifier: Apache-2.0 */
#include <linux/bpf.h>
#include <stdio.h>
#include "tests/verify/soundness_monitor.h"

#define FRAME_POINTER 10

static const struct tag number = {.kind = TAG_NUMBER}, nothing = {.kind = TAG_NONE};
static struct monitor monitor;

/* ---- frames ---- */
static struct monitor_frame *push(struct monitor *m, uint64_t frame_pointer, bool callback)
{
	struct monitor_frame *f = &m->frames[m->started ? ++m->depth : 0];
	struct tag stack;

	memset(f->registers, 0, sizeof(f->registers));
	memset(f->bytes, STACK_UNWRITTEN, sizeof(f->bytes));
	f->depth = 0;
	f->call = NULL;
	f->callback = callback;
	stack = monitor_object(m, OBJECT_FRAME, frame_pointer - PICKET_STACK_BYTES, PICKET_STACK_BYTES, true);
	f->object = stack.object;
	f->registers[FRAME_POINTER] = stack;
	return f;
}

static void forget_results(struct monitor_frame *f)
{
	for (unsigned i = 0; i <= 5; i++)
		f->registers[i] = nothing;
}

static void start(struct monitor *m, const uint64_t r[11])
{
	struct monitor_frame *f = push(m, r[FRAME_POINTER], false);
	const struct soundness_world *w = m->world;
	bool buffer = w->kind->flags & KIND_MEMORY_LENGTH;

	f->registers[1] = monitor_object(m, buffer ? OBJECT_BUFFER : OBJECT_CONTEXT, r[1], w->context_length, true);
	if (buffer)
		f->registers[2] = number;
	monitor_new_packet(m);
	m->started = true;
}

static void enter_function(struct monitor *m, uint64_t frame_pointer)
{
	struct monitor_frame *caller = monitor_top(m), *f = push(m, frame_pointer, false);

	memcpy(&f->registers[1], caller->argument_tags, sizeof(caller->argument_tags));
}

static void enter_callback(struct monitor *m, const uint64_t r[11])
{
	struct monitor_frame *caller = monitor_top(m), *f = push(m, r[FRAME_POINTER], true);
	const struct picket_map_spec *map;

	if (caller->helper->id == BPF_FUNC_loop) {
		f->registers[1] = number;
		f->registers[2] = caller->argument_tags[2];
		return;
	}
	map = picket_map_spec((const struct picket_map *)(uintptr_t)caller->arguments[0]);
	f->registers[1] = caller->argument_tags[0];
	f->registers[2] = monitor_object(m, OBJECT_KEY, r[2], map->key_size, false);
	f->registers[3] = monitor_object(m, OBJECT_VALUE, r[3], map->value_size, !(map->flags & BPF_F_RDONLY_PROG));
	f->registers[4] = caller->argument_tags[2];
}

/* Is it the one whose address was in the register? */
static void check_entered(struct monitor *m, size_t insn)
{
	const struct monitor_frame *f = monitor_top(m);
	uint32_t function;

	if (f->call->op != VM_CALL_REG)
		return;
	monitor_count(HAPPENED_CALL_REGISTER);
	function = f->registers[f->call->dst].object;
	if (function >= m->runnable->ops.function_count || m->runnable->ops.functions[function].insn != insn)
		monitor_violation(m, "a call by a register leads to another function than the one that was loaded");
}

static struct tag pop(struct monitor *m)
{
	struct tag result = monitor_top(m)->registers[0];

	m->objects[monitor_top(m)->object].alive = false;
	m->depth--;
	return result;
}

static void finish_helper(struct monitor *m, const uint64_t r[11])
{
	struct monitor_frame *f = monitor_top(m);
	bool moves_packet = f->helper->proto->flags & PROTO_CHANGES_PACKET;

	forget_results(f);
	if (moves_packet)
		monitor_new_packet(m);
	f->registers[0] = monitor_result(m, f, r[0]);
	f->call = NULL;
}

/* ---- what came of the instruction before ---- */
static bool has_left(const struct monitor *m, size_t insn)
{
	enum vm_format format = vm_insns[m->before->op].format;

	return m->in_other || format == VM_FORMAT_NOTHING ||
	       ((format == VM_FORMAT_PACKET_IMM || format == VM_FORMAT_PACKET_REG) && insn != m->before_insn + 1);
}

static void return_from(struct monitor *m, const uint64_t r[11])
{
	uint64_t frame = m->objects[monitor_top(m)->object].low + PICKET_STACK_BYTES;
	struct tag result = pop(m);
	struct monitor_frame *f = monitor_top(m);

	if (f->helper && r[FRAME_POINTER] == frame) {
		enter_callback(m, r); /* once more */
		return;
	}
	if (f->helper) {
		finish_helper(m, r);
		return;
	}
	forget_results(f);
	f->registers[0] = result;
	f->call = NULL;
}

static void arrive(struct monitor *m, size_t insn, const uint64_t r[11])
{
	struct monitor_frame *f = monitor_top(m);
	uint64_t frame = m->objects[f->object].low + PICKET_STACK_BYTES;

	if (m->in_other) {
		monitor_count(HAPPENED_TAIL_CALL_RETURNED);
		monitor_top(m)->registers[0] = number;
		monitor_new_packet(m);
	}
	if (has_left(m, insn) && m->depth) {
		return_from(m, r);
	} else if (f->call && r[FRAME_POINTER] > frame && f->helper) {
		enter_callback(m, r);
	} else if (f->call && r[FRAME_POINTER] > frame) {
		check_entered(m, insn);
		enter_function(m, r[FRAME_POINTER]);
	} else if (f->call) {
		finish_helper(m, r);
	}
	m->in_other = false;
}

/* ---- instructions ---- */
static bool is_pointer(struct tag tag)
{
	return tag.kind > TAG_NUMBER;
}

/* Where pointers may become known, what is made of them is a number. */
static struct tag mixed(struct tag a, struct tag b)
{
	return !monitor.runnable->leaks && (is_pointer(a) || is_pointer(b)) ? (struct tag){.kind = TAG_SECRET} : number;
}

static struct tag arithmetic(const struct vm_op *op, struct tag dst, struct tag src)
{
	bool pointers = dst.kind == TAG_POINTER && src.kind == TAG_POINTER;

	switch (op->op) {
	case VM_MOV64_REG:
		return src;
	case VM_MOV64_IMM:
	case VM_MOV32_IMM:
		return number;
	case VM_ADD64_IMM:
	case VM_SUB64_IMM:
		return dst;
	case VM_ADD64_REG:
		if (src.kind == TAG_NUMBER || dst.kind == TAG_NUMBER)
			return src.kind == TAG_NUMBER ? dst : src;
		return mixed(dst, src);
	case VM_SUB64_REG:
		if (pointers)
			return number;
		return src.kind == TAG_NUMBER ? dst : mixed(dst, src);
	case VM_MOV32_REG:
	case VM_MOVSX8_64:
	case VM_MOVSX16_64:
	case VM_MOVSX32_64:
	case VM_MOVSX8_32:
	case VM_MOVSX16_32:
		return mixed(src, number);
	default:
		return mixed(dst, vm_insns[op->op].format == VM_FORMAT_DST_SRC ? src : number);
	}
}

static unsigned access_bytes(const struct vm_op *op)
{
	static const uint8_t bytes[] = {4, 2, 1, 8};

	return bytes[vm_insns[op->op].code >> 3 & 3];
}

static void atomic(struct monitor *m, const struct vm_op *op, const uint64_t r[11])
{
	struct tag *registers = monitor_top(m)->registers, pointer = registers[op->dst];
	uint64_t address = r[op->dst] + (uint64_t)(int64_t)op->offset;
	bool compares = op->op == VM_CMPXCHG32 || op->op == VM_CMPXCHG64;
	struct tag old = monitor_access(m, pointer, address, access_bytes(op), MONITOR_READ);
	struct tag stored = mixed(old, registers[op->src]);

	monitor_store(m, pointer, address, access_bytes(op), stored);
	if (compares)
		registers[0] = mixed(old, number);
	else if (op->op >= VM_FETCH_ADD32 && op->op <= VM_XCHG64)
		registers[op->src] = mixed(old, number);
}

static void wide(struct monitor *m, const struct vm_op *op)
{
	struct tag *dst = &monitor_top(m)->registers[op->dst];
	struct picket_map *map;

	switch (op->op) {
	case VM_LDDW_MAP:
		*dst = (struct tag){.kind = TAG_MAP};
		return;
	case VM_LDDW_FUNCTION:
		*dst = (struct tag){.kind = TAG_FUNCTION, .object = (uint16_t)op->target};
		return;
	case VM_LDDW_MAP_VALUE: {
		size_t insn = op->insn, count;
		map = m->world->maps[picket_program_insns(m->runnable->program, &count)[insn].imm];
		const struct picket_map_spec *spec = picket_map_spec(map);
		*dst = monitor_object(m, OBJECT_VALUE, (uintptr_t)picket_map_values(map), spec->value_size,
		                      !(spec->flags & BPF_F_RDONLY_PROG));
		return;
	}
	default:
		*dst = number;
	}
}

/* Nobody is left to give anything back. If there is no program to go on with, this one does. */
static void tail_call(struct monitor *m, const uint64_t r[11])
{
	struct monitor_frame *f = monitor_top(m);
	const struct object *o = monitor_object_of(m, f->registers[1]);

	if (!o || (o->kind != OBJECT_CONTEXT && o->kind != OBJECT_BUFFER) || r[1] != o->low)
		monitor_violation(m, "a tail call passes on something else than the context");
	monitor_nothing_held(m, "a tail call leaves the program");
	f->call = NULL;
	forget_results(f);
	if (m->runnable->leaks)
		f->registers[0] = number;
}

static void call(struct monitor *m, const struct vm_op *op, const uint64_t r[11])
{
	struct monitor_frame *f = monitor_top(m);

	f->call = op;
	f->helper = NULL;
	memcpy(f->arguments, &r[1], sizeof(f->arguments));
	memcpy(f->argument_tags, &f->registers[1], sizeof(f->argument_tags));
	if (op->op == VM_CALL_REG && f->registers[op->dst].kind != TAG_FUNCTION)
		monitor_violation(m, "r%u is called, and is no function", op->dst);
	if (op->op != VM_CALL_HELPER)
		return;
	f->helper = runnable_model(m->runnable, (uint32_t)op->imm);
	m->world->calling = f->helper;
	monitor_arguments(m, f->helper, r);
	if (f->helper->id == BPF_FUNC_tail_call)
		tail_call(m, r);
}

static void check_return_number(struct monitor *m, int64_t wide_number)
{
	const struct verify_kind *k = m->world->kind;
	int32_t half = (int32_t)wide_number;

	if (k->flags & KIND_RETURN_ANY || k->return_min > k->return_max)
		return;
	if (half < k->return_min || half > k->return_max)
		monitor_violation(m, "the program returns %d, which its kind may not", half);
}

static void leave_program(struct monitor *m, uint64_t r0)
{
	struct tag result = monitor_top(m)->registers[0];

	monitor_nothing_held(m, "the program ends");
	if (verify_types_returns_nothing(m->runnable->types, m->world->kind, m->runnable->hook))
		return;
	if (result.kind == TAG_NONE)
		monitor_violation(m, "the program's result was never written");
	else if (result.kind != TAG_NUMBER && !m->runnable->leaks)
		monitor_violation(m, "the program returns a pointer");
	check_return_number(m, (int64_t)r0);
}

static void leave(struct monitor *m, uint64_t r0)
{
	const struct monitor_frame *f = monitor_top(m);

	if (!m->depth) {
		leave_program(m, r0);
	} else if (f->callback) {
		if (f->registers[0].kind != TAG_NUMBER || r0 > 1)
			monitor_violation(m, "a callback returns neither 0 nor 1");
	}
}

static void packet_load(struct monitor *m)
{
	struct monitor_frame *f = monitor_top(m);

	if (m->world->kind->flags & KIND_SKB)
		forget_results(f);
	f->registers[0] = number;
}

static void execute(struct monitor *m, const struct vm_op *op, const uint64_t r[11])
{
	struct tag *registers = monitor_top(m)->registers;
	uint64_t offset = (uint64_t)(int64_t)op->offset;

	switch ((enum vm_format)vm_insns[op->op].format) {
	case VM_FORMAT_DST:
	case VM_FORMAT_DST_IMM:
	case VM_FORMAT_DST_SRC:
		registers[op->dst] = arithmetic(op, registers[op->dst], registers[op->src]);
		break;
	case VM_FORMAT_LOAD:
		registers[op->dst] =
		        monitor_access(m, registers[op->src], r[op->src] + offset, access_bytes(op), MONITOR_READ);
		break;
	case VM_FORMAT_STORE_IMM:
		monitor_store(m, registers[op->dst], r[op->dst] + offset, access_bytes(op), number);
		break;
	case VM_FORMAT_STORE_REG:
		monitor_store(m, registers[op->dst], r[op->dst] + offset, access_bytes(op), registers[op->src]);
		break;
	case VM_FORMAT_ATOMIC_REG:
		atomic(m, op, r);
		break;
	case VM_FORMAT_WIDE:
	case VM_FORMAT_WIDE_MAP:
	case VM_FORMAT_WIDE_FUNCTION:
		wide(m, op);
		break;
	case VM_FORMAT_CALL_ID:
	case VM_FORMAT_CALL_FUNCTION:
	case VM_FORMAT_CALL_DST:
		call(m, op, r);
		break;
	case VM_FORMAT_PACKET_IMM:
	case VM_FORMAT_PACKET_REG:
		packet_load(m);
		break;
	case VM_FORMAT_NOTHING:
		leave(m, r[0]);
		break;
	default:
		break;
	}
}

/* Registers that an instruction reads itself; what calls and exits read is looked at there. */
static void check_reads(struct monitor *m, const struct vm_op *op)
{
	enum vm_format format = vm_insns[op->op].format;
	unsigned reads = vm_op_reads(op);

	if (format == VM_FORMAT_CALL_ID || format == VM_FORMAT_CALL_FUNCTION || format == VM_FORMAT_CALL_DST ||
	    format == VM_FORMAT_NOTHING)
		return;
	for (; reads; reads &= reads - 1) {
		unsigned reg = (unsigned)__builtin_ctz(reads);
		if (monitor_top(m)->registers[reg].kind == TAG_NONE)
			monitor_violation(m, "r%u is read and was never written", reg);
	}
}

static bool is_tail_call(const struct monitor *m)
{
	return m->before && m->before->op == VM_CALL_HELPER && m->before->imm == BPF_FUNC_tail_call;
}

/* The program that a tail call leads to begins in this one's frame, and knows the context only. */
static void enter_other(struct monitor *m, const uint64_t r[11])
{
	if (m->in_other)
		return;
	monitor_count(HAPPENED_TAIL_CALL);
	if (!is_tail_call(m) || r[1] != (uintptr_t)m->world->context)
		monitor_violation(m, "another program is entered, not with the context");
	m->in_other = true;
}

/* What is not another program's is this one's next instruction, in the same frame. */
static void check_went_on(struct monitor *m, size_t insn, const uint64_t r[11])
{
	if (!is_tail_call(m) || m->in_other)
		return;
	monitor_count(HAPPENED_TAIL_CALL_FAILED);
	if (insn != m->before_insn + 1 ||
	    r[FRAME_POINTER] != m->objects[monitor_top(m)->object].low + PICKET_STACK_BYTES)
		monitor_violation(m, "a tail call failed, and the program does not go on behind it");
}

void monitor_trace(const struct picket_program *p, size_t insn, const uint64_t r[11], void *user)
{
	struct monitor *m = &monitor;
	const struct vm_op *op;

	(void)user;
	if (insn == SIZE_MAX || m->violated || m->lost)
		return;
	if (p != m->runnable->program) {
		enter_other(m, r);
		return;
	}
	check_went_on(m, insn, r);
	if (!m->started)
		start(m, r);
	else
		arrive(m, insn, r);
	op = m->runnable->by_insn[insn];
	m->before_insn = insn;
	m->before = op;
	if (++m->executed > m->runnable->insn_bound)
		monitor_violation(m, "more than %llu instructions run", (unsigned long long)m->runnable->insn_bound);
	check_reads(m, op);
	if (!m->violated)
		execute(m, op, r);
}

/* ---- the whole of a run ---- */
void monitor_begin(struct runnable *r, struct soundness_world *w)
{
	struct monitor *m = &monitor;

	m->runnable = r;
	m->world = w;
	m->depth = 0;
	m->object_count = 0;
	m->before = NULL;
	m->lock = 0;
	m->rcu = m->preempt = 0;
	m->reference_count = 0;
	memset(m->specials, 0, sizeof(m->specials));
	m->in_other = false;
	m->executed = 0;
	m->started = m->lost = m->violated = false;
}

void monitor_end(const struct picket_call *call, struct finding *ret_finding)
{
	const struct monitor *m = &monitor;
	enum picket_fault_kind fault = call->fault.kind;

	*ret_finding = (struct finding){.executed = m->executed, .unfinished = m->lost};
	if (m->violated) {
		ret_finding->found = true;
		ret_finding->insn = (uint32_t)m->violation_insn;
		snprintf(ret_finding->text, sizeof(ret_finding->text), "%s", m->text);
	} else if (fault == PICKET_FAULT_BUDGET || m->lost) {
		ret_finding->unfinished = true;
	} else if (fault) {
		ret_finding->found = true;
		ret_finding->insn = call->fault.insn;
		snprintf(ret_finding->text, sizeof(ret_finding->text), "the interpreter: %s, %u bytes at 0x%llx",
		         picket_fault_name(fault), call->fault.size, (unsigned long long)call->fault.address);
	}
}
