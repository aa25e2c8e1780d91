/* SPDX-License-Identifier: Apache-2.0
 *
 * The x86-64 compiler: functions, what stands behind them, and the whole in its place.
 */
#if defined(__x86_64__)
#include <errno.h>
#include <stdlib.h>
#include "vm/jit_x86_int.h"

#define BITS_KEPT 0x3c0u /* r6 to r9 */
#define BIT_FRAME 0x400u
#define FUNCTION_ALIGN 16

bool jit_x86_baseline;
const uint8_t jit_registers[11] = {RAX, RDI, RSI, RDX, RCX, R8, RBX, R13, R14, R15, RBP};

/* ---- stubs ---- */
static void fault_stub(struct jit *j, const struct jit_stub *s, enum jit_thunk thunk)
{
	jit_unfold(j, s);
	x86_constant(&j->x, R9, j->ops->ops[s->op].insn, true);
	x86_jump(&j->x, jit_thunk(j, thunk));
}

bool jit_grow(struct jit *j, void *pointer_to_array, size_t *capacity, size_t size)
{
	if (x86_double(pointer_to_array, capacity, size))
		return true;
	j->x.error = -ENOMEM;
	return false;
}

struct jit_stub *jit_stub(struct jit *j, enum jit_stub_kind kind, size_t op)
{
	struct jit_stub *s;

	if (j->stub_count == j->stub_capacity && !jit_grow(j, &j->stubs, &j->stub_capacity, sizeof(*j->stubs)))
		j->stub_count = 0;
	s = &j->stubs[j->stub_count++];
	*s = (struct jit_stub){.kind = (uint8_t)kind, .op = (uint32_t)op};
	s->label = x86_new_label(&j->x);
	s->back = x86_new_label(&j->x);
	jit_keep_folds(j, s);
	return s;
}

static void emit_stub(struct jit *j, const struct jit_stub *s)
{
	const struct vm_op *op = &j->ops->ops[s->op];
	struct x86 *x = &j->x;

	x86_place(x, s->label);
	switch ((enum jit_stub_kind)s->kind) {
	case STUB_MEMORY:
	case STUB_MEMORY_INDEXED:
		jit_memory_stub(j, s);
		return;
	case STUB_BUDGET_UNLESS:
		x86_jump_if(x, jit_compare(j, op) ^ 1, s->back);
		fault_stub(j, s, THUNK_BUDGET_FAULT);
		return;
	case STUB_BUDGET:
		fault_stub(j, s, THUNK_BUDGET_FAULT);
		return;
	case STUB_FRAMES:
		fault_stub(j, s, THUNK_FRAMES_FAULT);
		return;
	case STUB_DIVIDE_BY_ZERO:
	case STUB_DIVIDE_BY_MINUS_ONE:
	case STUB_DIVIDE_WIDE:
		jit_divide_stub(j, s);
		return;
	case STUB_FORGET:
		x86_call(x, jit_thunk(j, THUNK_FORGET));
		x86_jump(x, s->back);
		return;
	case STUB_EXIT:
		jit_exit_stub(j);
		return;
	case STUB_NOT_FOUND:
		x86_zero(x, RAX);
		x86_jump(x, s->back);
		return;
	}
}

static void emit_stubs(struct jit *j)
{
	for (size_t i = 0; i < j->stub_count; i++) {
		x86_reserve(&j->x);
		emit_stub(j, &j->stubs[i]);
	}
	j->stub_count = j->kept_count = 0;
}

/* ---- functions ---- */
/* What was on the machine's stack before is not for the program: a frame that it could find, be it by guessing, is zeroed. */
static bool frame_is_seen(const struct jit *j)
{
	const struct vm_function *f = j->function;

	if (f->used & BIT_FRAME || f->calls)
		return true;
	for (size_t i = f->first; i < f->end; i++)
		if (vm_op_accesses(&j->ops->ops[i]) && !jit_memory_is_safe(j, i))
			return true;
	return false;
}

/* r6 to r9 stand in an order that push and pop share. */
static void enter_frame(struct jit *j)
{
	struct x86 *x = &j->x;

	for (unsigned reg = RAX; reg <= R15; reg++)
		if (j->pushed & 1u << reg)
			x86_push(x, reg);
	if (j->stack_bytes)
		x86_ri(x, X86_SUB, true, RSP, (int32_t)j->stack_bytes);
	if (!j->checked && j->function->used & BIT_FRAME)
		x86_lea(x, REG_FRAME, x86_at(RSP, PICKET_STACK_BYTES));
	if (j->checked && frame_is_seen(j))
		x86_call(x, jit_thunk(j, THUNK_ZERO_FRAME));
}

void jit_leave_frame(struct jit *j)
{
	struct x86 *x = &j->x;

	if (j->stack_bytes)
		x86_ri(x, X86_ADD, true, RSP, (int32_t)j->stack_bytes);
	for (unsigned reg = R15 + 1; reg-- > RAX;)
		if (j->pushed & 1u << reg)
			x86_pop(x, reg);
	if (!j->checked && j->needs_run && j->function == j->ops->functions)
		x86_pop(x, REG_RUN);
}

/* What is pushed, and what is left below: in functions that call, the machine's stack stays at 16 bytes. */
static void plan_frame(struct jit *j)
{
	const struct vm_function *f = j->function;
	bool first = f == j->ops->functions, frame = !j->checked && f->used & BIT_FRAME;
	unsigned slots = 1; /* the return address */

	j->pushed = 0;
	for (unsigned reg = 6; reg <= 9; reg++)
		if (f->written & 1u << reg && !(j->checked && first && j->hints.entry_only))
			j->pushed |= (uint16_t)(1u << jit_reg(reg));
	if (frame)
		j->pushed |= (uint16_t)(1u << REG_FRAME);
	slots += (unsigned)__builtin_popcount(j->pushed) + (!j->checked && first && j->needs_run);
	j->stack_bytes = (frame ? PICKET_STACK_BYTES : 0) + ((frame || f->calls) && slots % 2 ? 8 : 0);
}

/* The first jump back to an op stands in its label until that is placed. */
static uint32_t loop_end(const struct jit *j, size_t op)
{
	return j->x.labels[jit_label(j, op)].fixups;
}

static void note_loops(struct jit *j, const struct vm_function *f)
{
	for (uint32_t i = f->first; i < f->end; i++) {
		const struct vm_op *op = &j->ops->ops[i];
		struct x86_label *l = &j->x.labels[jit_label(j, op->target)];
		if (op->flags & VM_OP_BACKWARD && l->fixups == UNPLACED)
			l->fixups = i;
	}
}

bool jit_may_fault(const struct jit *j, size_t i)
{
	const struct vm_op *op = &j->ops->ops[i];

	if (!j->checked)
		return false;
	switch ((enum vm_format)vm_insns[op->op].format) {
	case VM_FORMAT_LOAD:
	case VM_FORMAT_LOAD_INDEXED:
	case VM_FORMAT_STORE_IMM:
	case VM_FORMAT_STORE_REG:
	case VM_FORMAT_ATOMIC_REG:
		return !jit_memory_is_safe(j, i);
	case VM_FORMAT_CALL_ID:
		return !jit_is_inline(j, i);
	case VM_FORMAT_CALL_DST:
	case VM_FORMAT_CALL_FUNCTION:
		return true;
	default:
		return op->flags & VM_OP_BACKWARD;
	}
}

#define ALL_REGISTERS 0x7ff
#define LIVE_ROUNDS_MAX 8 /* then all is taken to be live */

/* From the function's end to its beginning; returns whether anything has changed. */
static bool find_live_once(struct jit *j)
{
	const struct vm_function *f = j->function;
	uint16_t live = 0;
	bool changed = false;

	for (size_t i = f->end; i-- > f->first;) {
		const struct vm_op *op = &j->ops->ops[i];
		struct jit_flow *flow = &j->flow[i];
		if (op->op == VM_EXIT)
			live = 0;
		else if (op->op == VM_JA || op->op == VM_JA32)
			live = j->flow[op->target].before;
		else if (vm_op_jumps(op))
			live |= j->flow[op->target].before;
		flow->after = live;
		live = (live & (uint16_t)~flow->writes) | flow->reads;
		changed |= live != flow->before;
		flow->before = live;
	}
	return changed;
}

static bool op_enters_function(const struct vm_op *op)
{
	return op->op == VM_CALL_LOCAL || op->op == VM_CALL_REG;
}

/* A fault shows all registers, and a function finds all of its caller's. Grows from nothing, so that what is found is the
 * least. */
static void find_live(struct jit *j)
{
	const struct vm_function *f = j->function;

	if (!j->flow)
		return;
	for (size_t i = f->first; i < f->end; i++) {
		const struct vm_op *op = &j->ops->ops[i];
		j->flow[i] = (struct jit_flow){
		        .reads = jit_may_fault(j, i) || op_enters_function(op) ? ALL_REGISTERS : vm_op_reads(op),
		        .writes = vm_op_writes(op),
		};
	}
	for (int round = 0; find_live_once(j); round++) {
		if (round < LIVE_ROUNDS_MAX)
			continue;
		for (size_t i = f->first; i < f->end; i++)
			j->flow[i].before = j->flow[i].after = ALL_REGISTERS;
		return;
	}
}

/* Labels of merged ops are no targets, but loops end there. */
static void finish_ops(struct jit *j, size_t first, size_t count)
{
	for (size_t i = first; i < first + count; i++) {
		if (i > first)
			x86_place(&j->x, jit_label(j, i));
		if (j->any_fold)
			jit_follow_folds(j, i);
	}
}

static void emit_body(struct jit *j)
{
	const struct vm_function *f = j->function;
	struct x86 *x = &j->x;

	enter_frame(j);
	find_live(j);
	for (size_t i = f->first; i < f->end;) {
		size_t merged;
		x86_reserve(x);
		if (loop_end(j, i) != UNPLACED)
			x86_fixup(x, FIXUP_LOOP, jit_label(j, loop_end(j, i)));
		x86_place(x, jit_label(j, i));
		merged = jit_merge(j, i);
		if (!merged)
			jit_emit_op(j, i);
		finish_ops(j, i, MAX(merged, 1u));
		i += MAX(merged, 1u);
	}
	emit_stubs(j);
}

/* Checked code whose context is nearly always long enough has function 0 twice: once without tests for that. */
#define CONTEXT_NEED_MAX (1u << 16)
#define TWICE_OPS_MAX (1u << 16)

static void emit_first_function(struct jit *j)
{
	const struct vm_function *f = j->function;
	bool twice = j->checked && f->end <= TWICE_OPS_MAX && j->hints.context_need &&
	             j->hints.context_need <= CONTEXT_NEED_MAX;
	struct x86 *x = &j->x;
	uint32_t short_context;

	jit_entry(j);
	if (!twice) {
		emit_body(j);
		return;
	}
	short_context = x86_new_label(x);
	jit_compare_length(j, j->hints.context_need);
	x86_jump_if(x, CC_BELOW, short_context);
	j->has_context = true;
	emit_body(j);
	j->has_context = false;
	j->labels = x86_new_labels(x, f->end);
	note_loops(j, f);
	x86_reserve(x);
	x86_place(x, short_context);
	emit_body(j);
	j->labels = 0;
}

static void emit_function(struct jit *j, size_t index)
{
	struct x86 *x = &j->x;

	j->function = &j->ops->functions[index];
	plan_frame(j);
	x86_reserve(x);
	x86_fixup(x, FIXUP_ALIGN, FUNCTION_ALIGN);
	if (index == 0) {
		emit_first_function(j);
	} else {
		x86_place(x, j->entries + (uint32_t)index);
		emit_body(j);
	}
}

/* ---- a program ---- */
static bool op_uses_run(const struct vm_op *op)
{
	switch ((enum vm_format)vm_insns[op->op].format) {
	case VM_FORMAT_CALL_ID:
	case VM_FORMAT_CALL_DST:
	case VM_FORMAT_PACKET_IMM:
	case VM_FORMAT_PACKET_REG:
		return true;
	default:
		return false;
	}
}

/* What must be known before the first instruction is written. */
static int look_through(struct jit *j)
{
	bool flow = j->checked;

	for (size_t i = 0; i < j->ops->count; i++) {
		const struct vm_op *op = &j->ops->ops[i];
		j->needs_run |= op_uses_run(op);
		j->windows |= j->checked && vm_op_accesses(op) && j->hints.of[i].check == VM_CHECK_MEMORY;
		j->tail_calls |= op->op == VM_CALL_HELPER && op->imm == VM_HELPER_TAIL_CALL;
		flow |= op_enters_function(op);
	}
	for (size_t i = 0; i < j->ops->function_count; i++)
		note_loops(j, &j->ops->functions[i]);
	if (flow)
		j->flow = malloc(j->ops->count * sizeof(*j->flow));
	return flow && !j->flow ? -ENOMEM : 0;
}

/* ---- the tables behind the code ---- */
static void reserve_tables(struct jit *j)
{
	struct x86 *x = &j->x;
	uint32_t functions = j->p->function_count, words = JIT_TABLE_BEFORE + functions;

	x86_fixup(x, FIXUP_ALIGN, 8);
	for (uint32_t i = 0; i < words; i++) {
		x86_reserve(x);
		if (i == JIT_TABLE_BEFORE)
			x86_place(x, j->thunks + THUNK_FUNCTIONS);
		x86_u64(x, 0);
	}
	x86_place(x, j->thunks + THUNK_SLOTS);
	for (uint32_t i = 0; i < functions && j->used & 1u << THUNK_SLOTS; i++) {
		x86_reserve(x);
		x86_u64(x, vm_function_slots(j->p, i));
	}
}

static void fill_table(const struct jit *j, uint8_t *code, void **table)
{
	table[JIT_TABLE_CALLBACK] = code + x86_label_at(&j->x, j->thunks + THUNK_CALLBACK);
	table[JIT_TABLE_TAIL_ENTRY] = code + x86_label_at(&j->x, j->thunks + THUNK_TAIL_ENTRY);
	for (uint32_t i = 0; i < j->p->function_count; i++)
		table[i] = code + x86_label_at(&j->x, j->entries + i);
}

static int put_in_place(struct jit *j, struct picket_program *p)
{
	size_t size, mapped;
	void *code;
	void **table;
	int r = x86_layout(&j->x, &size);

	if (r)
		return r;
	r = vm_code_map(size, &code, &mapped);
	if (r)
		return r;
	x86_write(&j->x, code);
	memset((uint8_t *)code + size, 0xcc, mapped - size); /* int3 */
	table = (void **)((uint8_t *)code + x86_label_at(&j->x, j->thunks + THUNK_FUNCTIONS));
	fill_table(j, code, table);
	r = vm_code_seal(code, mapped);
	if (r) {
		vm_code_unmap(code, mapped);
		return r;
	}
	p->code = code;
	p->code_size = size;
	p->code_mapped = mapped;
	p->function_code = table;
	p->entry =
	        (uint64_t(*)(uint64_t, uint64_t, struct picket_run *))((uint8_t *)code + x86_label_at(&j->x, j->entry));
	return 0;
}

static int begin(struct jit *j, const struct picket_program *p, const struct vm_ops *ops)
{
	uint32_t label = (uint32_t)ops->count;
	int r;

	*j = (struct jit){
	        .p = p,
	        .ops = ops,
	        .checked = p->engine == PICKET_CHECKED,
	        .bmi2 = !jit_x86_baseline && __builtin_cpu_supports("bmi2"),
	        .avx = !jit_x86_baseline && __builtin_cpu_supports("avx"),
	        .blind = p->blind ? base_random_seed() | 1 : 0,
	        .stub_capacity = 64,
	        .kept_capacity = 64,
	};
	j->entries = label;
	label += (uint32_t)ops->function_count;
	j->entry = label++;
	j->body = label++;
	j->thunks = label;
	label += THUNK_COUNT;
	r = x86_init(&j->x, label, ops->count * (j->checked ? 24 : 8));
	if (r)
		return r;
	j->stubs = malloc(j->stub_capacity * sizeof(*j->stubs));
	j->kept = malloc(j->kept_capacity * sizeof(*j->kept));
	if (!j->stubs || !j->kept)
		return -ENOMEM;
	if (j->checked || p->map_count)
		r = vm_hint(p, ops, &j->hints);
	return r ? r : look_through(j);
}

int vm_jit_compile(struct picket_program *p, const struct vm_ops *ops)
{
	struct jit j;
	int r = begin(&j, p, ops);

	if (r)
		goto out;
	for (size_t i = 0; i < ops->function_count; i++)
		emit_function(&j, i);
	jit_thunks(&j);
	reserve_tables(&j);
	r = put_in_place(&j, p);
out:
	free(j.stubs);
	free(j.kept);
	free(j.flow);
	vm_hints_done(&j.hints);
	x86_done(&j.x);
	return r;
}
#endif
