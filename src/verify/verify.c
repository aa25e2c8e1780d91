/* SPDX-License-Identifier: Apache-2.0
 *
 * A verification from its beginning to its verdict, and the walk over the program's paths.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include "verify/table_int.h"
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

void *verify_resize(struct verify *v, void *p, size_t before, size_t size)
{
	void *moved = NULL;

	if (v->memory - before + size <= v->options.memory_max)
		moved = realloc(p, size);
	if (!moved) {
		v->out_of_memory = true;
		return NULL;
	}
	v->memory += size - before;
	v->verdict->memory_peak = MAX(v->verdict->memory_peak, v->memory);
	return moved;
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
	r = state_drop_dead(v);
	if (!r)
		r = verify_prune(v, &ended);
	if (!r && !ended && v->places[op] & PLACE_HEAD && loop_may_try(v, op))
		r = loop_prove(v, &ended);
	return r;
}

/* A limit that was reached where there was no room is a rejection, like those that are looked for. */
static int limit_or(struct verify *v, int r)
{
	return r == -ENOMEM ? verify_limit(v, v->out_of_states ? "states held at once" : "memory") : r;
}

static int walk_step(struct verify *v)
{
	int r = check_limits(v);

	if (!r && !v->starting)
		r = step_join(v);
	v->starting = false;
	if (r || !v->state)
		return limit_or(v, r);
	if (v->options.trace)
		verify_trace(v);
	v->state->length += v->code.ops[v->state->op].slots == 2 ? 1 : v->code.ops[v->state->op].slots;
	v->frames = MAX(v->frames, v->state->frame_count);
	return limit_or(v, run_op(v));
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

static int begin_program(struct verify *v, uint32_t function, struct frame *f)
{
	struct value r1 = {.number = scalar_constant(0), .kind = VALUE_CONTEXT, .room = ROOM_NONE};

	(void)function;
	r1.node = node_new(v, 0, 0);
	if (v->kind->flags & KIND_MEMORY_LENGTH) {
		r1.kind = VALUE_BUFFER;
		f->registers[2] = value_number(v, scalar_between(0, BUFFER_LENGTH_MAX));
		f->registers[2].id = ID_LENGTH;
	}
	if (!(v->kind->flags & KIND_NO_CONTEXT))
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
			v->verdict->insn = v->code.ops[i].insn;
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
	bool each_has_its_own = v->kind->flags & KIND_SANDBOX;

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

/* What is walked elsewhere while a function is walked on its own. */
struct walk {
	struct state *state, *waiting;
	struct loop *loop;
	uint64_t sequence;
	size_t node_count, trail_count;
	uint64_t bound;
	bool starting, induced, no_induction;
};

static struct walk walk_suspend(struct verify *v)
{
	struct walk w = {.state = v->state,
	                 .waiting = v->waiting,
	                 .loop = v->loop,
	                 .sequence = v->sequence,
	                 .node_count = v->node_count,
	                 .trail_count = v->trail_count,
	                 .bound = v->bound,
	                 .starting = v->starting,
	                 .induced = v->induced,
	                 .no_induction = v->no_induction};

	v->state = v->waiting = NULL;
	v->loop = NULL;
	v->starting = v->induced = v->no_induction = false;
	v->bound = 0;
	return w;
}

/* Forgets what was walked since. */
static void walk_forget(struct verify *v, const struct walk *w)
{
	state_free(v, v->state);
	v->state = NULL;
	while (v->waiting) {
		struct state *s = v->waiting;
		v->waiting = s->next;
		state_free(v, s);
	}
	checkpoints_drop(v, w->sequence);
	v->node_count = MIN(v->node_count, MAX(w->node_count, 1)); /* the first one is none */
	v->trail_count = MIN(v->trail_count, MAX(w->trail_count, 1));
	v->out_of_memory = v->out_of_states = false;
	v->bound = 0;
}

static void walk_resume(struct verify *v, const struct walk *w)
{
	v->state = w->state;
	v->waiting = w->waiting;
	v->loop = w->loop;
	v->starting = w->starting;
	v->induced = w->induced;
	v->no_induction = w->no_induction;
	v->bound = w->bound;
}

static int walk_once(struct verify *v, uint32_t function,
                     int (*begin)(struct verify *v, uint32_t function, struct frame *f))
{
	struct state *s = verify_alloc(v, sizeof(*s));
	struct frame *f = s ? frame_new(v) : NULL;
	int r;

	if (!f) {
		verify_free(v, s, sizeof(*s));
		return -ENOMEM;
	}
	*s = (struct state){.frames = {f}, .frame_count = 1, .op = v->code.functions[function].first};
	v->states++;
	v->state = s;
	r = begin(v, function, f);
	return r ? r : verify_walk(v);
}

/* What the first attempt had to say, with what both of them cost. */
static void take_first_verdict(struct picket_verdict *verdict, struct picket_verdict *first)
{
	first->insns_seen = verdict->insns_seen;
	first->states_seen = verdict->states_seen;
	first->states_peak = verdict->states_peak;
	first->memory_peak = verdict->memory_peak;
	*verdict = *first;
}

/* Once more, with the loops unrolled. */
static int walk_unrolled(struct verify *v, uint32_t function,
                         int (*begin)(struct verify *v, uint32_t function, struct frame *f))
{
	_cleanup_(base_free_ptr) struct picket_verdict *first = malloc(sizeof(*first));
	int r;

	if (!first)
		return -ENOMEM;
	*first = *v->verdict;
	v->verdict->category = PICKET_ACCEPTED;
	v->no_induction = true;
	r = walk_once(v, function, begin);
	if (r == -EINVAL &&
	    (v->verdict->category == PICKET_REJECT_LIMIT || v->verdict->category == PICKET_REJECT_INFINITE_LOOP))
		take_first_verdict(v->verdict, first);
	return r;
}

/* What induction widened may be too wide for what comes after the loop: then the loops are unrolled. */
int verify_function(struct verify *v, uint32_t function,
                    int (*begin)(struct verify *v, uint32_t function, struct frame *f), uint64_t *ret_bound)
{
	const struct walk w = walk_suspend(v);
	const uint64_t seen = v->insns_seen;
	int r = walk_once(v, function, begin);

	if (r == -EINVAL && v->induced && v->verdict->category != PICKET_REJECT_LIMIT) {
		walk_forget(v, &w);
		v->verdict->insns_seen += v->insns_seen - seen;
		v->insns_seen = seen;
		r = walk_unrolled(v, function, begin);
	}
	if (!r)
		*ret_bound = v->bound;
	walk_forget(v, &w);
	walk_resume(v, &w);
	return r;
}

static int verify_program(struct verify *v)
{
	int r;

	v->last_id = ID_LENGTH;
	r = verify_function(v, 0, begin_program, &v->verdict->insn_bound);
	if (!r)
		r = check_stack(v);
	v->verdict->insns_seen += v->insns_seen;
	verify_free(v, v->nodes, v->node_room * sizeof(*v->nodes));
	verify_free(v, v->trails, v->trail_room * sizeof(*v->trails));
	return r;
}

static void verify_done(struct verify *v)
{
	verify_flow_done(v);
	vm_ops_done(&v->code);
	verify_specials_free(v);
	if (!v->options.types)
		verify_types_free(v->types);
	free(v->async);
	free(v->own);
	free(v->seen);
	free(v->reached);
	free(v->arrivals);
	free(v->loop_failures);
	free(v->depths);
	free(v->globals);
	free(v->symbols);
}

static int verify_tables(struct verify *v)
{
	size_t count = v->code.count;

	v->seen = calloc(count, sizeof(*v->seen));
	v->reached = calloc(count, sizeof(*v->reached));
	v->arrivals = calloc(count, sizeof(*v->arrivals));
	v->loop_failures = calloc(count, sizeof(*v->loop_failures));
	v->depths = calloc(v->code.function_count, sizeof(*v->depths));
	v->globals = calloc(v->code.function_count, sizeof(*v->globals));
	if (!v->seen || !v->reached || !v->arrivals || !v->loop_failures || !v->depths || !v->globals)
		return -ENOMEM;
	global_find(v);
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
	v->verdict->insn =
	        v->insn_count ? MIN(insn, (uint32_t)v->insn_count - 1) : 0; /* not what is missing at the end */
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
		r = verify_tables(v);
	if (!r)
		r = verify_own_open(v);
	if (!r)
		r = verify_flow_find(v);
	if (!r)
		global_find_closed(v);
	if (!r && v->options.types) {
		v->types = verify_types_of(v->options.types);
	} else if (!r && v->options.btf) {
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
	verify_explain(&v, r == -EINVAL);
	verify_done(&v);
	if (r && r != -EINVAL) {
		free(verdict);
		return r;
	}
	verdict->accepted = r == 0;
	if (verdict->accepted) { /* what was tried on the way does not matter */
		verdict->reason[0] = verdict->detail[0] = verdict->hint[0] = '\0';
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

void picket_verdict_free(struct picket_verdict *verdict)
{
	if (!verdict)
		return;
	free(verdict->example);
	free(verdict);
}
