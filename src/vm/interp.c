/* SPDX-License-Identifier: Apache-2.0
 *
 * The interpreter: makes cells from ops, and runs them. Every access to memory is checked, whatever the program.
 */
#include <errno.h>
#include <stdlib.h>
#include "vm/interp_int.h"
#include "vm/interp_step.h"

/* ---- memory ---- */
#define ANY_ACCESS_BYTES 8 /* the most that one instruction reads or writes */

static bool window_holds(struct vm_window w, uint64_t a, uint64_t size)
{
	return size <= w.size && a - w.low <= w.size - size;
}

enum place { IN_CALL, IN_STACK, IN_OTHERS };

/* From now on what base points to is looked for in w first. */
static void machine_note(struct vm_machine *m, unsigned base, struct vm_window w, enum place place, bool read,
                         bool write)
{
	uint64_t limit = w.size < ANY_ACCESS_BYTES ? 0 : w.size - ANY_ACCESS_BYTES + 1;
	uint16_t bit = (uint16_t)(1u << base);
	/* What was found to be readable stays so when it is found to be writable, and the other way round. */
	bool same = m->low[base] == w.low && (m->read_limit[base] == limit || m->write_limit[base] == limit);

	if (base == FRAME_POINTER) /* whose memory is always the stack */
		return;
	m->low[base] = w.low;
	m->read_limit[base] = read ? limit : same ? m->read_limit[base] : 0;
	m->write_limit[base] = write ? limit : same ? m->write_limit[base] : 0;
	m->in_stack &= (uint16_t)~bit;
	m->in_others &= (uint16_t)~bit;
	m->in_stack |= place == IN_STACK ? bit : 0;
	m->in_others |= place == IN_OTHERS ? bit : 0;
}

static bool find_in_regions(struct vm_machine *m, unsigned base, uint64_t a, uint32_t size, bool write)
{
	const struct picket_call *call = m->run->call;

	for (size_t i = 0; i < call->region_count; i++) {
		const struct picket_region *region = &call->regions[i];
		struct vm_window w = {(uintptr_t)region->data, region->length};
		if (!window_holds(w, a, size) || (write && !region->writable))
			continue;
		machine_note(m, base, w, IN_CALL, true, region->writable);
		return true;
	}
	return false;
}

static bool find_in_others(struct vm_machine *m, unsigned base, uint64_t a, uint32_t size, bool write)
{
	struct picket_run *run = m->run;
	struct vm_window *kept = write ? run->write : run->read, w;

	for (size_t i = 0; i < VM_WINDOWS; i++) {
		if (!window_holds(kept[i], a, size))
			continue;
		machine_note(m, base, kept[i], IN_OTHERS, !write, write);
		return true;
	}
	run->frame = m->r[FRAME_POINTER];
	if (!vm_memory_find(run, a, size, write, &w))
		return false;
	kept[m->next_kept++ % VM_WINDOWS] = w;
	machine_note(m, base, w, IN_OTHERS, !write, write);
	return true;
}

bool __attribute__((noinline))
vm_machine_find(struct vm_machine *m, unsigned base, uint64_t a, uint32_t size, bool write)
{
	struct picket_run *run = m->run;
	struct vm_window context = {run->data, run->length};
	struct vm_window stack = {run->stack_low, m->r[FRAME_POINTER] - run->stack_low};

	if (window_holds(context, a, size)) {
		machine_note(m, base, context, IN_CALL, true, true);
		return true;
	}
	if (window_holds(stack, a, size)) {
		machine_note(m, base, stack, IN_STACK, true, true);
		return true;
	}
	if (find_in_regions(m, base, a, size, write) || find_in_others(m, base, a, size, write))
		return true;
	vm_fault(run, write ? PICKET_FAULT_WRITE : PICKET_FAULT_READ, a, size);
	return false;
}

bool vm_machine_aligned(struct vm_machine *m, uint64_t a, uint32_t size, bool write)
{
	if (likely(a % size == 0))
		return true;
	vm_fault(m->run, write ? PICKET_FAULT_WRITE : PICKET_FAULT_READ, a, size);
	return false;
}

static void machine_forget(struct vm_machine *m, uint16_t registers)
{
	for (; registers; registers &= registers - 1) {
		unsigned base = (unsigned)__builtin_ctz(registers);
		m->read_limit[base] = m->write_limit[base] = 0;
	}
}

static void machine_forget_others(struct vm_machine *m)
{
	memset(m->run->read, 0, sizeof(m->run->read));
	memset(m->run->write, 0, sizeof(m->run->write));
	machine_forget(m, m->in_others);
	m->in_others = 0;
}

/* ---- frames ---- */
static void machine_set_frame(struct vm_machine *m, uint64_t frame)
{
	uint64_t size = frame - m->run->stack_low;

	if (frame < m->r[FRAME_POINTER]) {
		machine_forget(m, m->in_stack);
		m->in_stack = 0;
	}
	m->r[FRAME_POINTER] = frame;
	m->low[FRAME_POINTER] = m->run->stack_low;
	m->read_limit[FRAME_POINTER] = m->write_limit[FRAME_POINTER] = size - ANY_ACCESS_BYTES + 1;
}

/* Calls memset: what gcc writes in its place, `rep stos`, takes several times as long for a few hundred bytes. */
always_inline void clear(void *memory, size_t size)
{
	__asm__("" : "+r"(size));
	memset(memory, 0, size);
}

static void machine_zero_frame(struct vm_machine *m)
{
	clear((void *)(uintptr_t)(m->r[FRAME_POINTER] - PICKET_STACK_BYTES), PICKET_STACK_BYTES);
}

static struct vm_frame *machine_frame(struct vm_machine *m)
{
	return &m->frames[(m->r[FRAME_POINTER] - m->run->stack_low) / PICKET_STACK_BYTES - 1];
}

static void machine_clear_arguments(struct vm_machine *m)
{
	memset(&m->r[1], 0, 5 * sizeof(m->r[1]));
}

static void machine_set_program(struct vm_machine *m, const struct picket_program *p)
{
	m->run->program = p;
	m->interp = p->interp;
	machine_forget_others(m);
}

static bool machine_pay(struct vm_machine *m, uint32_t slots)
{
	m->budget -= slots;
	if (likely(m->budget >= 0))
		return true;
	vm_fault(m->run, PICKET_FAULT_BUDGET, 0, 0);
	return false;
}

/* Those who lead on to other cells return the next one, or NULL after a fault. */
static const struct vm_cell *machine_call(struct vm_machine *m, const struct vm_cell *c,
                                          const struct vm_interp_function *f)
{
	uint64_t frame = m->r[FRAME_POINTER] + PICKET_STACK_BYTES;
	struct vm_frame *saved = machine_frame(m);

	if (frame > m->run->stack_high) {
		vm_fault(m->run, PICKET_FAULT_FRAMES, 0, 0);
		return NULL;
	}
	if (!machine_pay(m, f->slots))
		return NULL;
	saved->next = c + 1;
	saved->program = m->run->program;
	memcpy(saved->saved, &m->r[6], sizeof(saved->saved));
	machine_set_frame(m, frame);
	if (f->zeroes)
		machine_zero_frame(m);
	return f->first;
}

static const struct vm_cell *machine_leave(struct vm_machine *m)
{
	struct vm_frame *saved;

	machine_set_frame(m, m->r[FRAME_POINTER] - PICKET_STACK_BYTES);
	saved = machine_frame(m);
	if (saved->program != m->run->program)
		machine_set_program(m, saved->program);
	machine_clear_arguments(m);
	memcpy(&m->r[6], saved->saved, sizeof(saved->saved));
	return saved->next;
}

/* ---- helpers ---- */
static const struct picket_helper *machine_helper_of(const struct vm_cell *c)
{
	return (const struct picket_helper *)(uintptr_t)c->imm;
}

static bool machine_call_helper(struct vm_machine *m, const struct picket_helper *helper)
{
	struct picket_run *run = m->run;
	uint64_t result;

	run->frame = m->r[FRAME_POINTER];
	run->budget = m->budget;
	result = vm_helper_call(run, helper, m->r[1], m->r[2], m->r[3], m->r[4], m->r[5]);
	m->budget = run->budget;
	if (run->fault.kind)
		return false;
	machine_forget_others(m);
	machine_clear_arguments(m);
	m->r[0] = result;
	return true;
}

static const struct vm_cell *machine_call_register(struct vm_machine *m, const struct vm_cell *c)
{
	const struct picket_program *p = m->run->program;
	const struct picket_helper *helper = NULL;
	uint64_t value = m->r[c->dst];

	if ((value & VM_FUNCTION_MASK) == VM_FUNCTION_TAG && (uint32_t)value < m->interp->function_count)
		return machine_call(m, c, &m->interp->functions[(uint32_t)value]);
	if (value <= UINT32_MAX && value != VM_HELPER_TAIL_CALL)
		helper = vm_helper_find((uint32_t)value, p->helpers, p->helper_count);
	if (!helper) {
		vm_fault(m->run, PICKET_FAULT_CALL, value, 0);
		return NULL;
	}
	return machine_call_helper(m, helper) ? c + 1 : NULL;
}

static void machine_set_entry(struct vm_machine *m)
{
	memset(m->r, 0, sizeof(m->r) - sizeof(m->r[FRAME_POINTER]));
	m->r[1] = m->run->data;
	m->r[2] = m->run->length;
}

static const struct vm_cell *machine_tail_call(struct vm_machine *m, const struct vm_cell *c)
{
	struct picket_run *run = m->run;
	const struct picket_program *target;
	const struct vm_interp_function *f;

	run->frame = m->r[FRAME_POINTER];
	target = vm_tail_call_target(run, m->r[2], m->r[3]);
	if (run->fault.kind)
		return NULL;
	if (!target) {
		machine_forget_others(m);
		machine_clear_arguments(m);
		m->r[0] = (uint64_t)-ENOENT;
		return c + 1;
	}
	f = &target->interp->functions[0];
	if (!machine_pay(m, f->slots))
		return NULL;
	machine_set_program(m, target);
	machine_set_entry(m);
	if (f->zeroes)
		machine_zero_frame(m);
	return f->first;
}

/* ---- the loops ---- */
static void machine_fault(struct vm_machine *m, const struct vm_cell *c)
{
	struct picket_fault *fault = &m->run->fault;

	if (fault->program) /* a callback's */
		return;
	fault->program = m->run->program;
	fault->insn = m->interp->insns[c - m->interp->cells];
	memcpy(fault->registers, m->r, sizeof(fault->registers));
}

static void machine_trace(struct vm_machine *m, const struct vm_cell *c)
{
	struct picket_call *call = m->run->call;

	call->executed++;
	if (call->trace)
		call->trace(m->run->program, m->interp->insns[c - m->interp->cells], m->r, call->user);
}

#define PLAIN 0
#define LOOP loop_fast
#include "vm/interp_loop.h"
#define PLAIN 1
#define LOOP loop_plain
#include "vm/interp_loop.h"

/* Tail calls may lead from programs of one loop into those of the other. */
static void machine_go(struct vm_machine *m, const struct vm_cell *c)
{
	while (c)
		c = m->interp->plain ? loop_plain(m, c, NULL) : loop_fast(m, c, NULL);
}

/* Only what must have a value: frames are written before they are read, `low` counts only under its limits. */
static void machine_init(struct vm_machine *m, struct picket_run *run, uint64_t frame)
{
	clear(m, offsetof(struct vm_machine, low));
	m->in_stack = m->in_others = 0;
	m->next_kept = 0;
	m->budget = run->budget;
	m->run = run;
	m->interp = run->program->interp;
	m->base = frame;
	machine_set_frame(m, frame);
}

uint64_t vm_interp_run(const struct picket_program *p, struct picket_run *run, uint64_t r1, uint64_t r2)
{
	const struct vm_interp_function *f = &p->interp->functions[0];
	struct vm_machine m;

	run->program = p;
	run->fault.program = NULL;
	machine_init(&m, run, run->stack_low + PICKET_STACK_BYTES);
	m.r[1] = r1;
	m.r[2] = r2;
	if (f->zeroes)
		machine_zero_frame(&m);
	machine_go(&m, f->first);
	if (p->plain && run->call->trace)
		run->call->trace(run->program, SIZE_MAX, m.r, run->call->user);
	return m.r[0];
}

uint64_t vm_interp_callback(struct picket_run *run, uint32_t function, const uint64_t args[5])
{
	const struct picket_program *program = run->program;
	const struct vm_interp_function *f = &program->interp->functions[function];
	uint64_t frame = run->frame;
	struct vm_machine m;

	if (frame + PICKET_STACK_BYTES > run->stack_high) {
		vm_fault(run, PICKET_FAULT_FRAMES, 0, 0);
		return 0;
	}
	machine_init(&m, run, frame + PICKET_STACK_BYTES);
	if (machine_pay(&m, f->slots)) {
		memcpy(&m.r[1], args, 5 * sizeof(args[0]));
		if (f->zeroes)
			machine_zero_frame(&m);
		machine_go(&m, f->first);
	}
	run->budget = m.budget;
	run->frame = frame;
	run->program = program;
	return m.r[0];
}

/* ---- compilation ---- */
/* Ops, or rows of them, that have a label of their own. Labels are in the order of interp_loop.h: of ops, of the tail call,
 * of these. */
enum link { LINK_NONE, LINK_DST_0, LINK_SRC_0, LINK_DST_1, LINK_SRC_1 };
struct special {
	uint8_t length;
	bool in_frame;
	uint16_t ops[3];
	uint8_t links[3]; /* enum link */
};

enum { TAIL_CALL_LABEL = VM_OPCODES, SPECIAL_LABELS };
static const struct special specials[] = {
#define FRAME(id) {1, true, {VM_##id}, {0}},
#define SEQUENCE_2(a, format_a, b, format_b, link_b) {2, false, {VM_##a, VM_##b}, {0, LINK_##link_b}},
#define SEQUENCE_3(a, format_a, b, format_b, link_b, d, format_d, link_d) \
	{3, false, {VM_##a, VM_##b, VM_##d}, {0, LINK_##link_b, LINK_##link_d}},
#include "vm/interp_special.def"
};

/* Rows of specials by their first op, plus 1; 0: no more. */
struct special_index {
	uint16_t first[VM_OPCODES], next[ARRAY_SIZE(specials)];
};

static struct vm_cell make_cell(const struct picket_program *p, const struct vm_ops *ops, size_t index)
{
	const struct vm_op *op = &ops->ops[index];
	struct vm_cell c = {
	        .dst = op->dst,
	        .src = op->src,
	        .index = op->index,
	        .offset = op->offset,
	        .imm = op->imm,
	};

	if (vm_op_jumps(op)) {
		c.offset = (int32_t)(((int64_t)op->target - (int64_t)index) * (int64_t)sizeof(c));
		c.imm32 = (int32_t)op->imm;
		c.slots = op->flags & VM_OP_BACKWARD ? vm_jump_slots(ops, op) : 0;
	} else if (op->op == VM_CALL_LOCAL) {
		c.imm = vm_function_at(ops, op->target);
	} else if (op->op == VM_LDDW_FUNCTION) {
		c.imm = (int64_t)vm_function_value(op->target);
	} else if (op->op == VM_CALL_HELPER) {
		c.imm = (int64_t)(uintptr_t)vm_helper_find((uint32_t)op->imm, p->helpers, p->helper_count);
	}
	return c;
}

static uint32_t access_bytes(uint16_t op)
{
	switch (op) {
	case VM_LDXB:
	case VM_LDXSB:
	case VM_STB:
	case VM_STXB:
		return 1;
	case VM_LDXH:
	case VM_LDXSH:
	case VM_STH:
	case VM_STXH:
		return 2;
	case VM_LDXW:
	case VM_LDXSW:
	case VM_STW:
	case VM_STXW:
		return 4;
	case VM_LDXDW:
	case VM_STDW:
	case VM_STXDW:
		return 8;
	default:
		return 0;
	}
}

/* Is it a load or store in the active function's frame, by an address that is known now? */
static bool op_in_frame(const struct vm_op *op)
{
	int32_t size = (int32_t)access_bytes(op->op);
	uint8_t base = vm_insns[op->op].format == VM_FORMAT_LOAD ? op->src : op->dst;

	return size && base == FRAME_POINTER && op->offset >= -PICKET_STACK_BYTES && op->offset <= -size;
}

static bool link_holds(enum link link, const struct vm_op *first, const struct vm_op *op)
{
	switch (link) {
	case LINK_NONE:
		return true;
	case LINK_DST_0:
		return op->dst == first[0].dst;
	case LINK_SRC_0:
		return op->src == first[0].dst;
	case LINK_DST_1:
		return op->dst == first[1].dst;
	case LINK_SRC_1:
		return op->src == first[1].dst;
	}
	return false;
}

static bool special_begins(const struct special *s, const struct vm_op *first, size_t left)
{
	if (s->length > left)
		return false;
	for (size_t i = 0; i < s->length; i++)
		if (first[i].op != s->ops[i] || op_in_frame(&first[i]) != s->in_frame ||
		    !link_holds(s->links[i], first, &first[i]))
			return false;
	return true;
}

static void special_index_make(struct special_index *index)
{
	memset(index->first, 0, sizeof(index->first));
	for (size_t i = 0; i < ARRAY_SIZE(specials); i++) {
		uint16_t *first = &index->first[specials[i].ops[0]];
		index->next[i] = *first;
		*first = (uint16_t)(i + 1);
	}
}

/* How many cells lead from an op to the end of the program: of the last few ops that were looked at. */
struct way {
	uint32_t cells[4]; /* of op i in cells[i % 4] */
};

/* The label from which the fewest cells lead to the end. Ops are asked for from the last to the first. */
static size_t label_of(const struct vm_ops *ops, size_t op, const struct special_index *index, struct way *way)
{
	size_t label = ops->ops[op].op;
	uint32_t *best = &way->cells[op % 4];

	*best = way->cells[(op + 1) % 4] + 1;
	if (label == VM_CALL_HELPER && ops->ops[op].imm == VM_HELPER_TAIL_CALL)
		return TAIL_CALL_LABEL;
	for (uint16_t row = index->first[label]; row; row = index->next[row - 1]) {
		const struct special *s = &specials[row - 1];
		uint32_t cells = way->cells[(op + s->length) % 4] + 1;
		if (cells > *best || !special_begins(s, &ops->ops[op], ops->count - op))
			continue;
		*best = cells;
		label = SPECIAL_LABELS + row - 1;
	}
	return label;
}

static void make_functions(const struct picket_program *p, const struct vm_ops *ops, struct vm_interp *interp)
{
	for (size_t i = 0; i < ops->function_count; i++) {
		const struct vm_function *f = &ops->functions[i];
		interp->functions[i] = (struct vm_interp_function){
		        .first = &interp->cells[f->first],
		        .slots = vm_function_slots(p, (uint32_t)i),
		        .zeroes = f->used & 1u << FRAME_POINTER || f->calls || f->accesses,
		};
	}
}

static void make_cells(const struct picket_program *p, const struct vm_ops *ops, struct vm_interp *interp)
{
	const void *const *labels = NULL;
	struct special_index index = {0};
	struct way way = {0};

	(interp->plain ? loop_plain : loop_fast)(NULL, NULL, &labels);
	if (!interp->plain)
		special_index_make(&index);
	for (size_t i = ops->count; i-- > 0;) {
		interp->cells[i] = make_cell(p, ops, i);
		interp->cells[i].handler = labels[label_of(ops, i, &index, &way)];
		interp->insns[i] = ops->ops[i].insn;
	}
}

int vm_interp_compile(struct picket_program *p, const struct vm_ops *ops)
{
	struct vm_interp *interp = calloc(1, sizeof(*interp));

	if (!interp)
		return -ENOMEM;
	interp->plain = p->plain;
	interp->cell_count = ops->count;
	interp->function_count = ops->function_count;
	interp->cells = calloc(ops->count, sizeof(*interp->cells));
	interp->insns = calloc(ops->count, sizeof(*interp->insns));
	interp->functions = calloc(ops->function_count, sizeof(*interp->functions));
	if (!interp->cells || !interp->insns || !interp->functions) {
		vm_interp_free(interp);
		return -ENOMEM;
	}
	make_functions(p, ops, interp);
	make_cells(p, ops, interp);
	p->interp = interp;
	return 0;
}

void vm_interp_free(struct vm_interp *i)
{
	if (!i)
		return;
	free(i->cells);
	free(i->insns);
	free(i->functions);
	free(i);
}
