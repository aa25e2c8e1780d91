/* SPDX-License-Identifier: Apache-2.0
 *
 * A verification from its beginning to its verdict, and the walk over the program's paths.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include "verify/types_int.h"

#define INSNS_MAX 1000000
#define STATES_MAX 65536
#define MEMORY_MAX (64ull << 20)
#define TIME_MAX_NS 10000000000ull
#define BUFFER_LENGTH_MAX (1ull << 47) /* of what an address space holds */
#define STACK_ALIGNMENT 16             /* of a function's stack, as the kernel's compiler lays it out */

void *verify_alloc(struct verify *v, size_t size)
{
	void *p;

	if (v->memory + size > v->options.memory_max) {
		v->out_of_memory = true;
		return NULL;
	}
	p = malloc(size);
	if (!p) {
		v->out_of_memory = true;
		return NULL;
	}
	v->memory += size;
	v->verdict->memory_peak = MAX(v->verdict->memory_peak, v->memory);
	return p;
}

void verify_free(struct verify *v, void *p, size_t size)
{
	if (!p)
		return;
	v->memory -= size;
	free(p);
}

uint32_t verify_id(struct verify *v)
{
	return ++v->last_id;
}

int verify_read(struct verify *v, unsigned reg, struct value **ret_value)
{
	struct value *value = &state_top(v->state)->registers[reg];

	if (value->kind == VALUE_NONE)
		return verify_reject(v, PICKET_REJECT_UNINITIALISED, NULL,
		                     reg <= 5 ? "give it a value on every path; r0 to r5 do not survive a call"
		                              : "give it a value on every path",
		                     "r%u is read, but holds nothing on this path", reg);
	*ret_value = value;
	return 0;
}

void verify_path_end(struct verify *v, uint64_t length)
{
	struct state *s = v->state;

	v->bound = MAX(v->bound, length);
	if (v->loop && length >= v->loop->head.length)
		v->loop->body = MAX(v->loop->body, length - v->loop->head.length);
	checkpoint_path_end(v, s->parent, length);
	state_free(v, s);
	v->state = NULL;
}

/* ---- the walk ---- */

static int run_op(struct verify *v)
{
	struct state *s = v->state;
	const struct vm_op *op = &v->code.ops[s->op];
	bool end = false;
	int r;

	switch ((enum vm_format)vm_insns[op->op].format) {
	case VM_FORMAT_DST:
	case VM_FORMAT_DST_IMM:
	case VM_FORMAT_DST_SRC:
		r = verify_alu(v, op);
		break;
	case VM_FORMAT_LOAD:
	case VM_FORMAT_STORE_IMM:
	case VM_FORMAT_STORE_REG:
	case VM_FORMAT_ATOMIC_REG:
		r = verify_memory(v, op);
		break;
	case VM_FORMAT_JUMP:
	case VM_FORMAT_JUMP_LONG:
		s->op = op->target;
		return 0;
	case VM_FORMAT_JUMP_IMM:
	case VM_FORMAT_JUMP_REG:
		return verify_branch(v, op);
	case VM_FORMAT_CALL_ID:
	case VM_FORMAT_CALL_FUNCTION:
	case VM_FORMAT_CALL_DST:
		return verify_call(v, op);
	case VM_FORMAT_NOTHING:
		r = verify_exit(v, &end);
		if (!r && end)
			verify_path_end(v, s->length);
		return r;
	case VM_FORMAT_WIDE:
	case VM_FORMAT_WIDE_MAP:
	case VM_FORMAT_WIDE_FUNCTION:
		r = verify_wide(v, op);
		break;
	case VM_FORMAT_PACKET_IMM:
	case VM_FORMAT_PACKET_REG:
		r = verify_packet_load(v, op);
		break;
	default:
		return verify_reject(v, PICKET_REJECT_MALFORMED, NULL, NULL, "an instruction that does not exist");
	}
	if (!r)
		s->op++;
	return r;
}

static uint64_t now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000000000ull + (uint64_t)t.tv_nsec;
}

static int check_limits(struct verify *v)
{
	if (++v->insns_seen > v->options.insns_max)
		return verify_limit(v, "instructions looked at");
	if (v->out_of_memory)
		return verify_limit(v, "memory");
	if (v->states >= v->options.states_max)
		return verify_limit(v, "states held at once");
	if (v->insns_seen % 1024 == 0 && now_ns() - v->started_ns > v->options.time_max_ns)
		return verify_limit(v, "time");
	return 0;
}

/* Is this path at its end, because another one covers it, or a loop is proven? */
static int step_join(struct verify *v)
{
	bool ended = false;
	uint32_t op = v->state->op;
	int r = 0;

	if (loop_takes(v, &r))
		return r;
	if (!(v->code.ops[op].flags & VM_OP_LEADER))
		return 0;
	r = verify_prune(v, &ended);
	if (!r && !ended && v->loop_ends[op] && loop_may_try(v, op))
		r = loop_prove(v, &ended);
	return r;
}

static int walk_step(struct verify *v)
{
	int r = check_limits(v);

	if (!r && !v->starting)
		r = step_join(v);
	v->starting = false;
	if (r || !v->state)
		return r;
	if (v->options.trace)
		verify_trace(v);
	v->state->length += v->code.ops[v->state->op].slots == 2 ? 1 : v->code.ops[v->state->op].slots;
	r = run_op(v);
	if (r == -ENOMEM)
		r = verify_limit(v, "memory");
	return r;
}

int verify_walk(struct verify *v)
{
	int r = 0;

	while (!r) {
		if (!v->state) {
			v->state = v->waiting;
			if (!v->state)
				return 0;
			v->waiting = v->state->next;
			v->state->next = NULL;
		}
		r = walk_step(v);
	}
	return r;
}

/* ---- before and after it ---- */

static int make_first_state(struct verify *v)
{
	struct state *s = verify_alloc(v, sizeof(*s));
	struct frame *f = s ? frame_new(v) : NULL;
	struct value r1 = {.number = scalar_constant(0), .kind = VALUE_CONTEXT, .room = ROOM_NONE};

	if (!f) {
		verify_free(v, s, sizeof(*s));
		return -ENOMEM;
	}
	*s = (struct state){.frames = {f}, .frame_count = 1};
	v->states++;
	v->last_id = ID_LENGTH;
	v->state = s;
	r1.node = node_new(v, 0, 0);
	if (v->kind->flags & KIND_MEMORY_LENGTH) {
		r1.kind = VALUE_BUFFER;
		f->registers[2] = value_number(v, scalar_between(0, BUFFER_LENGTH_MAX));
		f->registers[2].id = ID_LENGTH;
	}
	f->registers[1] = r1;
	return 0;
}

static bool op_jumps(const struct vm_op *op)
{
	switch ((enum vm_format)vm_insns[op->op].format) {
	case VM_FORMAT_JUMP:
	case VM_FORMAT_JUMP_LONG:
	case VM_FORMAT_JUMP_IMM:
	case VM_FORMAT_JUMP_REG:
		return true;
	default:
		return false;
	}
}

static void find_loops(struct verify *v)
{
	for (uint32_t i = 0; i < v->code.count; i++) {
		const struct vm_op *op = &v->code.ops[i];
		if (op_jumps(op) && op->target <= i)
			v->loop_ends[op->target] = i + 1;
	}
}

static void reach(struct verify *v, uint32_t *queue, uint32_t *count, uint32_t op)
{
	if (!v->reached[op]) {
		v->reached[op] = 1;
		queue[(*count)++] = op;
	}
}

/* Code that no jump or call leads to is a mistake. */
static int check_reachable(struct verify *v)
{
	_cleanup_(base_free_ptr) uint32_t *queue = malloc(v->code.count * sizeof(*queue));
	uint32_t count = 0;

	if (!queue)
		return -ENOMEM;
	reach(v, queue, &count, 0);
	while (count) {
		uint32_t i = queue[--count];
		const struct vm_op *op = &v->code.ops[i];
		if (op_jumps(op) || op->op == VM_CALL_LOCAL)
			reach(v, queue, &count, op->target);
		if (op->op == VM_LDDW_FUNCTION)
			reach(v, queue, &count, v->code.functions[op->target].first);
		if (op->op != VM_EXIT && op->op != VM_JA && op->op != VM_JA32 && i + 1 < v->code.count)
			reach(v, queue, &count, i + 1);
	}
	for (uint32_t i = 0; i < v->code.count; i++)
		if (!v->reached[i]) {
			v->verdict->category = PICKET_REJECT_UNREACHABLE;
			v->verdict->insn = v->code.ops[i].insn + 1 - v->code.ops[i].slots;
			snprintf(v->verdict->reason, sizeof(v->verdict->reason), "no path leads to instruction %u",
			         v->verdict->insn);
			snprintf(v->verdict->hint, sizeof(v->verdict->hint), "remove it, or the jump that skips it");
			return -EINVAL;
		}
	return 0;
}

static uint32_t function_of(const struct verify *v, uint32_t op)
{
	uint32_t low = 0, high = (uint32_t)v->code.function_count;

	while (high - low > 1) {
		uint32_t middle = (low + high) / 2;
		if (v->code.functions[middle].first <= op)
			low = middle;
		else
			high = middle;
	}
	return low;
}

/* The deepest way through the functions: over chains of 1, 2 ... calls. */
static int check_stack(struct verify *v)
{
	size_t count = v->code.function_count;
	_cleanup_(base_free_ptr) uint32_t *before = calloc(count, sizeof(*before));
	_cleanup_(base_free_ptr) uint32_t *now = calloc(count, sizeof(*now));
	bool each_has_its_own = v->kind->flags & KIND_MEMORY_LENGTH;

	if (!before || !now)
		return -ENOMEM;
	for (unsigned chain = 0; chain < PICKET_FRAMES_MAX; chain++) {
		memset(now, 0, count * sizeof(*now));
		for (uint32_t i = 0; i < v->code.count; i++) {
			const struct vm_op *op = &v->code.ops[i];
			uint32_t caller = function_of(v, i), callee = op->target;
			if (op->op == VM_CALL_LOCAL)
				callee = function_of(v, op->target);
			else if (op->op != VM_LDDW_FUNCTION)
				continue;
			now[caller] = MAX(now[caller], before[callee]);
		}
		for (size_t i = 0; i < count; i++)
			before[i] = now[i] +
			            (MAX(v->depths[i], 1) + STACK_ALIGNMENT - 1) / STACK_ALIGNMENT * STACK_ALIGNMENT;
	}
	v->verdict->stack_bytes = v->depths[0] || count > 1 ? before[0] : 0;
	if (before[0] > PICKET_STACK_BYTES && !each_has_its_own)
		return verify_reject(v, PICKET_REJECT_STACK_DEPTH, NULL, "keep larger data in a map, or call less deep",
		                     "the functions' stacks are %u bytes together, more than %d", before[0],
		                     PICKET_STACK_BYTES);
	return 0;
}

static void forget_walk(struct verify *v)
{
	state_free(v, v->state);
	v->state = NULL;
	while (v->waiting) {
		struct state *s = v->waiting;
		v->waiting = s->next;
		state_free(v, s);
	}
	checkpoints_drop(v, NULL);
	verify_free(v, v->nodes, v->node_room * sizeof(*v->nodes));
	verify_free(v, v->trails, v->trail_room * sizeof(*v->trails));
	v->nodes = NULL;
	v->trails = NULL;
	v->node_count = v->node_room = v->trail_count = v->trail_room = 0;
	v->out_of_memory = false;
	v->bound = 0;
}

static int walk_program(struct verify *v)
{
	int r = make_first_state(v);

	if (!r)
		r = verify_walk(v);
	if (!r)
		r = check_stack(v);
	v->verdict->insns_seen += v->insns_seen;
	v->verdict->insn_bound = v->bound;
	v->insns_seen = 0;
	forget_walk(v);
	return r;
}

/* What induction widened may be too wide for what comes after the loop: then once more, with the loops unrolled. */
static int verify_program(struct verify *v)
{
	struct picket_verdict first;
	int r = walk_program(v);

	if (r != -EINVAL || !v->induced || v->verdict->category == PICKET_REJECT_LIMIT)
		return r;
	first = *v->verdict;
	v->verdict->category = PICKET_ACCEPTED;
	v->no_induction = true;
	r = walk_program(v);
	if (r == -EINVAL &&
	    (v->verdict->category == PICKET_REJECT_LIMIT || v->verdict->category == PICKET_REJECT_INFINITE_LOOP)) {
		first.insns_seen = v->verdict->insns_seen;
		first.states_seen = v->verdict->states_seen;
		first.states_peak = v->verdict->states_peak;
		first.memory_peak = v->verdict->memory_peak;
		*v->verdict = first;
	}
	return r;
}

static void verify_done(struct verify *v)
{
	vm_ops_done(&v->code);
	verify_types_free(v->types);
	free(v->seen);
	free(v->loop_ends);
	free(v->reached);
	free(v->arrivals);
	free(v->loop_failures);
	free(v->depths);
}

static int verify_tables(struct verify *v)
{
	size_t count = v->code.count;

	v->seen = calloc(count, sizeof(*v->seen));
	v->loop_ends = calloc(count, sizeof(*v->loop_ends));
	v->reached = calloc(count, sizeof(*v->reached));
	v->arrivals = calloc(count, sizeof(*v->arrivals));
	v->loop_failures = calloc(count, sizeof(*v->loop_failures));
	v->depths = calloc(v->code.function_count, sizeof(*v->depths));
	if (!v->seen || !v->loop_ends || !v->reached || !v->arrivals || !v->loop_failures || !v->depths)
		return -ENOMEM;
	find_loops(v);
	return 0;
}

static void set_options(struct verify *v, const struct picket_verify_options *options)
{
	struct picket_verify_options *o = &v->options;

	if (options)
		*o = *options;
	o->insns_max = o->insns_max ? o->insns_max : INSNS_MAX;
	o->states_max = o->states_max ? o->states_max : STATES_MAX;
	o->memory_max = o->memory_max ? o->memory_max : MEMORY_MAX;
	o->time_max_ns = o->time_max_ns ? o->time_max_ns : TIME_MAX_NS;
}

static int reject_early(struct verify *v, enum picket_category category, uint32_t insn, const char *text)
{
	v->verdict->category = category;
	v->verdict->insn = insn;
	snprintf(v->verdict->reason, sizeof(v->verdict->reason), "%s", text);
	return -EINVAL;
}

static int verify_all(struct verify *v)
{
	struct picket_error error = {0};
	int r;

	v->kind = verify_kind_find(v->options.kind);
	if (!v->kind)
		return reject_early(v, PICKET_REJECT_KIND, 0, "the kind of program is not known");
	r = vm_decode_foreign(v->insns, v->insn_count, v->map_count, &v->code, &error);
	if (r == -EINVAL)
		return reject_early(v, PICKET_REJECT_MALFORMED, (uint32_t)(error.offset / sizeof(*v->insns)),
		                    error.text);
	if (!r)
		r = vm_flow_live(&v->code);
	if (!r)
		r = verify_tables(v);
	if (!r && v->options.btf) {
		r = verify_types_open(v->options.btf, v->options.btf_length, &v->types, &error);
		if (r == -EINVAL)
			return reject_early(v, PICKET_REJECT_KIND, 0, error.text);
	}
	if (!r)
		r = check_reachable(v);
	if (!r)
		r = verify_program(v);
	return r;
}

int verify_run(const struct verify_program *program, const struct picket_verify_options *options,
               struct picket_verdict **ret_verdict)
{
	struct verify v = {
	        .insns = program->insns,
	        .insn_count = program->count,
	        .maps = program->maps,
	        .map_count = program->map_count,
	        .program = program,
	};
	struct picket_verdict *verdict = calloc(1, sizeof(*verdict));
	int r;

	if (!verdict)
		return -ENOMEM;
	v.verdict = verdict;
	v.started_ns = now_ns();
	set_options(&v, options);
	verdict->kind = v.options.kind;
	r = verify_all(&v);
	verify_done(&v);
	if (r && r != -EINVAL) {
		free(verdict);
		return r;
	}
	verdict->accepted = r == 0;
	if (verdict->accepted) { /* what was tried on the way does not matter */
		verdict->reason[0] = verdict->hint[0] = '\0';
		verdict->insn = 0;
		verdict->step_count = 0;
	}
	verdict->time_ns = now_ns() - v.started_ns;
	*ret_verdict = verdict;
	return 0;
}

int picket_verify_insns(const struct picket_insn *insns, size_t count, const struct picket_map_spec *maps,
                        size_t map_count, const struct picket_verify_options *options,
                        struct picket_verdict **ret_verdict)
{
	const struct verify_program program = {
	        .insns = insns, .count = count, .maps = maps, .map_count = map_count, .hook = ""};

	return verify_run(&program, options, ret_verdict);
}

#define LDDW 0x18
#define SOURCE_VARIABLE 3 /* of lddw: a kernel's variable */

/* Kernel variables have no address yet: they become objects of no known type. */
static void take_symbols(struct picket_insn *insns, bool *symbols, size_t count)
{
	for (size_t i = 0; i + 1 < count; i++) {
		if (insns[i].code != LDDW)
			continue;
		if (insns[i].src == SOURCE_VARIABLE) {
			symbols[i] = true;
			insns[i].src = 0;
			insns[i].imm = insns[i + 1].imm = 0;
		}
		i++;
	}
}

int picket_verify(const struct picket_image *image, size_t index, const struct picket_verify_options *options,
                  struct picket_verdict **ret_verdict)
{
	struct verify_program program = {.image = image, .license = picket_image_license(image)};
	struct picket_verify_options chosen = {.kind = PICKET_KIND_AUTO};
	_cleanup_(base_free_ptr) struct picket_map_spec *maps = NULL;
	_cleanup_(base_free_ptr) struct picket_insn *insns = NULL;
	_cleanup_(base_free_ptr) bool *symbols = NULL;
	const struct picket_insn *given;
	const char *section, *hook;

	if (index >= picket_image_program_count(image))
		return -EINVAL;
	if (options)
		chosen = *options;
	section = picket_image_section(image, index);
	hook = strrchr(section, '/');
	program.hook = hook ? hook + 1 : "";
	if (chosen.kind == PICKET_KIND_AUTO)
		chosen.kind = picket_kind_by_section(section);
	given = picket_image_insns(image, index, &program.count);
	program.map_count = picket_image_map_count(image);
	maps = calloc(program.map_count + 1, sizeof(*maps));
	insns = malloc((program.count + 1) * sizeof(*insns));
	symbols = calloc(program.count + 1, sizeof(*symbols));
	if (!maps || !insns || !symbols)
		return -ENOMEM;
	memcpy(insns, given, program.count * sizeof(*insns));
	take_symbols(insns, symbols, program.count);
	program.insns = insns;
	program.symbols = symbols;
	for (size_t i = 0; i < program.map_count; i++)
		maps[i] = *picket_image_map(image, i);
	program.maps = maps;
	return verify_run(&program, &chosen, ret_verdict);
}

void picket_verdict_free(struct picket_verdict *verdict)
{
	if (!verdict)
		return;
	free(verdict->example);
	free(verdict);
}
