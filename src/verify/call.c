/* SPDX-License-Identifier: Apache-2.0
 *
 * Calls: helpers by their prototypes, functions of the program by walking into them, callbacks as loops; exits.
 */
#include <errno.h>
#include <linux/bpf.h>
#include "verify/table_int.h"

#define LOOPS_MAX (1 << 23) /* of bpf_loop */

static int forget_packet(struct verify *v, struct value *value, void *user)
{
	(void)user;
	if (value->kind == VALUE_PACKET || value->kind == VALUE_PACKET_META || value->kind == VALUE_PACKET_END)
		*value = value_unknown(v);
	return 0;
}

static void registers_clobber(struct frame *f)
{
	for (unsigned i = 0; i <= 5; i++)
		f->registers[i] = (struct value){.kind = VALUE_NONE, .room = ROOM_NONE};
}

/* ---- functions ---- */

static int enter_function(struct verify *v, uint32_t function)
{
	struct state *s = v->state;
	struct frame *caller = state_frame(v, s, s->frame_count - 1), *f;

	if (!caller)
		return -ENOMEM;
	for (uint32_t i = 0; i < s->frame_count; i++)
		if (s->frames[i]->function == function)
			return verify_reject(v, PICKET_REJECT_RECURSION, NULL, "use a loop instead",
			                     "a function calls itself");
	if (s->frame_count == PICKET_FRAMES_MAX)
		return verify_reject(v, PICKET_REJECT_RECURSION, NULL,
		                     "call fewer functions from one another, or inline them",
		                     "more than %d functions would be active", PICKET_FRAMES_MAX);
	if (s->lock)
		return verify_reject(v, PICKET_REJECT_LOCK, NULL, "unlock before",
		                     "a function is called while a lock is held");
	f = frame_new(v);
	if (!f)
		return -ENOMEM;
	for (unsigned i = 1; i <= 5; i++)
		f->registers[i] = caller->registers[i];
	f->registers[10].frame = (uint8_t)s->frame_count;
	f->function = function;
	f->return_op = s->op;
	s->frames[s->frame_count++] = f;
	registers_clobber(caller);
	s->op = v->code.functions[function].first;
	return 0;
}

static uint32_t function_at(const struct verify *v, uint32_t op)
{
	uint32_t i = 0;

	while (i + 1 < v->code.function_count && v->code.functions[i].first != op)
		i++;
	return i;
}

static void frame_pop(struct verify *v, struct state *s)
{
	struct state top = {.frames = {s->frames[s->frame_count - 1]}, .frame_count = 1};

	s->frame_count--;
	state_done(v, &top);
}

static int check_return(struct verify *v, const struct value *r0)
{
	const struct verify_kind *k = v->kind;
	bool any = k->flags & KIND_RETURN_ANY || k->return_min > k->return_max;

	if (value_is_pointer(r0)) {
		if (verify_leaks(v) && any)
			return 0;
		return verify_reject(v, PICKET_REJECT_POINTER_LEAK, r0, "return a number",
		                     "the program would return %s", value_kind_name(r0->kind));
	}
	if (any)
		return 0;
	node_need(v, r0->node);
	if (r0->number.wide.smin >= k->return_min && r0->number.wide.smax <= k->return_max)
		return 0;
	if (r0->number.half.smin >= k->return_min && r0->number.half.smax <= k->return_max)
		return 0;
	return verify_reject(v, PICKET_REJECT_RETURN_VALUE, r0, "return one of the allowed values on every path",
	                     "programs of kind %s may return %lld to %lld, this one may return %lld to %lld", k->name,
	                     (long long)k->return_min, (long long)k->return_max, (long long)r0->number.half.smin,
	                     (long long)r0->number.half.smax);
}

static int exit_program(struct verify *v, const struct value *r0)
{
	const struct state *s = v->state;

	if (s->lock || s->rcu || s->preempt)
		return verify_reject(v, PICKET_REJECT_LOCK, NULL, "unlock before each return",
		                     "the program ends with a lock held");
	if (s->reference_count) {
		uint32_t insn = v->code.ops[s->references[0].op].insn;
		return verify_reject(v, PICKET_REJECT_REFERENCE_LEAK, NULL,
		                     "release it (submit, discard, release) on every path that leaves",
		                     "the program ends without releasing what instruction %u acquired", insn);
	}
	return check_return(v, r0);
}

int verify_exit(struct verify *v, bool *ret_end)
{
	struct state *s = v->state;
	struct frame *f = state_top(s), *caller;
	struct value *r0, result;
	uint32_t back = f->return_op;
	int r = verify_read(v, 0, &r0);

	*ret_end = false;
	if (r)
		return r;
	result = *r0;
	if (s->frame_count == 1) {
		*ret_end = true;
		return exit_program(v, &result);
	}
	if (result.kind == VALUE_STACK && result.frame == s->frame_count - 1)
		return verify_reject(v, PICKET_REJECT_STACK_BOUNDS, &result, "let the caller pass a buffer",
		                     "a function returns a pointer to its own stack");
	if (f->callback) {
		if (result.kind != VALUE_NUMBER || result.number.wide.umax > 1) {
			if (result.kind == VALUE_NUMBER)
				node_need(v, result.node);
			if (result.kind != VALUE_NUMBER || result.number.half.umax > 1)
				return verify_reject(v, PICKET_REJECT_RETURN_VALUE, &result,
				                     "return 0 to go on, 1 to stop",
				                     "a callback may return 0 or 1 only");
		}
		node_need(v, result.node);
		frame_pop(v, s);
		s->op = back;
		return 0;
	}
	frame_pop(v, s);
	caller = state_frame(v, s, s->frame_count - 1);
	if (!caller)
		return -ENOMEM;
	caller->registers[0] = result;
	s->op = back + 1;
	return 0;
}

/* ---- callbacks ---- */

static struct value pointer_value(uint8_t kind, uint32_t object)
{
	return (struct value){.kind = kind, .object = object, .number = scalar_constant(0), .room = ROOM_NONE};
}

static int enter_loop(struct verify *v, const struct frame *caller, struct frame *callback)
{
	callback->registers[1] = value_number(v, scalar_between(0, LOOPS_MAX - 1));
	callback->registers[2] = caller->registers[3];
	return 0;
}

static int enter_each(struct verify *v, const struct frame *caller, struct frame *callback)
{
	(void)v;
	callback->registers[1] = caller->registers[1];
	callback->registers[2] = pointer_value(VALUE_MAP_KEY, caller->registers[1].object);
	callback->registers[3] = pointer_value(VALUE_MAP_VALUE, caller->registers[1].object);
	callback->registers[4] = caller->registers[3];
	return 0;
}

static int enter_timer(struct verify *v, const struct frame *caller, struct frame *callback)
{
	uint32_t map = caller->registers[1].object;

	(void)v;
	callback->registers[1] = pointer_value(VALUE_MAP, map);
	callback->registers[2] = pointer_value(VALUE_MAP_KEY, map);
	callback->registers[3] = pointer_value(VALUE_MAP_VALUE, map);
	return 0;
}

static int verify_callback(struct verify *v, const struct verify_proto *p, const struct call_facts *facts)
{
	const struct value *r1 = &state_top(v->state)->registers[1];

	switch (p->id) {
	case BPF_FUNC_loop:
		return loop_prove_callback(v, facts->function,
		                           r1->kind == VALUE_NUMBER ? MIN(r1->number.half.umax, LOOPS_MAX) : LOOPS_MAX,
		                           enter_loop);
	case BPF_FUNC_for_each_map_elem:
		return loop_prove_callback(v, facts->function, verify_map(v, facts->map)->max_entries, enter_each);
	case BPF_FUNC_timer_set_callback:
		return loop_prove_callback(v, facts->function, 1, enter_timer);
	default:
		return verify_reject(v, PICKET_REJECT_CALL, NULL, "use bpf_loop or for_each_map_elem",
		                     "callbacks of %s are not known", p->name);
	}
}

/* ---- helpers ---- */

#define ERRNO_MAX 4095

static struct scalar signed_between(int64_t min, int64_t max)
{
	struct scalar number = scalar_unknown(), least = scalar_constant((uint64_t)min),
	              most = scalar_constant((uint64_t)max);

	if (!scalar_assume(SCALAR_SGE, true, &number, &least) || !scalar_assume(SCALAR_SLE, true, &number, &most))
		number = scalar_unknown();
	return number;
}

static int make_result(struct verify *v, const struct verify_proto *p, const struct call_facts *facts,
                       struct value *ret_result)
{
	static const uint8_t kinds[] = {
	        [VERIFY_RETURN_MAP_VALUE] = VALUE_MAP_VALUE,     [VERIFY_RETURN_MEMORY] = VALUE_MEMORY,
	        [VERIFY_RETURN_RECORD] = VALUE_RECORD,           [VERIFY_RETURN_SOCKET] = VALUE_SOCKET,
	        [VERIFY_RETURN_SOCK_COMMON] = VALUE_SOCK_COMMON, [VERIFY_RETURN_TCP_SOCK] = VALUE_TCP_SOCK,
	        [VERIFY_RETURN_OBJECT] = VALUE_OBJECT,
	};
	struct value result = value_unknown(v);

	if (p->returns == VERIFY_RETURN_NUMBER || p->returns == VERIFY_RETURN_VOID) {
		if (p->return_flags & VERIFY_RETURN_LENGTH)
			result.number = signed_between(-ERRNO_MAX, (int64_t)facts->length);
		else if (p->return_min < p->return_max)
			result.number = signed_between(p->return_min, p->return_max);
		*ret_result = result;
		return 0;
	}
	if (p->returns >= ARRAY_SIZE(kinds) && p->returns != VERIFY_RETURN_CAST)
		return verify_reject(v, PICKET_REJECT_HELPER, NULL, NULL, "what %s returns is not known", p->name);
	result.kind = p->returns == VERIFY_RETURN_CAST ? VALUE_OBJECT : kinds[p->returns];
	result.number = scalar_constant(0);
	if (p->return_flags & VERIFY_RETURN_OR_NULL) {
		result.flags |= VALUE_MAYBE_NULL;
		result.id = verify_id(v);
	}
	if (p->return_flags & VERIFY_RETURN_TRUSTED)
		result.flags |= VALUE_TRUSTED;
	if (p->returns == VERIFY_RETURN_MAP_VALUE) {
		if (!facts->has_map)
			return verify_reject(v, PICKET_REJECT_MAP, NULL, NULL, "%s got no map", p->name);
		result.object = facts->map;
		if (verify_map(v, facts->map)->inner) {
			result.kind = VALUE_MAP;
			result.object |= VERIFY_MAP_INNER;
		}
	} else if (p->returns == VERIFY_RETURN_MEMORY || p->returns == VERIFY_RETURN_RECORD) {
		uint64_t size = p->return_size ? p->return_size : facts->size;
		if (size > 1 << 29)
			return verify_reject(v, PICKET_REJECT_ARGUMENT, NULL, "ask for less",
			                     "%s is asked for too much memory", p->name);
		result.object = (uint32_t)size;
	} else if (p->returns == VERIFY_RETURN_CAST) {
		result.object = (uint32_t)facts->constant;
	} else if (p->return_type && !verify_types_by_name(v->types, p->return_type, &result.object)) {
		result.object = 0;
	}
	if (p->flags & PROTO_ACQUIRES) {
		int r = state_acquire(v, v->state, &result.ref);
		if (r)
			return r;
	}
	*ret_result = result;
	return 0;
}

static bool license_is_gpl(const char *license)
{
	static const char *const compatible[] = {"GPL",          "GPL v2",       "GPL and additional rights",
	                                         "Dual BSD/GPL", "Dual MIT/GPL", "Dual MPL/GPL"};

	for (size_t i = 0; i < ARRAY_SIZE(compatible); i++)
		if (!strcmp(license, compatible[i]))
			return true;
	return false;
}

static int check_available(struct verify *v, uint32_t id, const struct verify_proto **ret_proto)
{
	bool allowed = false;
	const struct verify_proto *p = verify_proto_find(v->kind, id, &allowed);

	if (!p)
		return verify_reject(v, PICKET_REJECT_HELPER, NULL, "check the helper's number",
		                     "there is no helper %u", id);
	if (!allowed)
		return verify_reject(v, PICKET_REJECT_HELPER, NULL, "use another helper, or another kind of program",
		                     "programs of kind %s may not call %s", v->kind->name, p->name);
	if (p->flags & PROTO_GPL && v->program->license && !license_is_gpl(v->program->license))
		return verify_reject(v, PICKET_REJECT_HELPER, NULL, "declare a licence that is compatible with the GPL",
		                     "%s is for programs under the GPL, this one is under \"%s\"", p->name,
		                     v->program->license);
	if (v->state->lock && id != BPF_FUNC_spin_unlock && id != BPF_FUNC_spin_lock)
		return verify_reject(v, PICKET_REJECT_LOCK, NULL, "call it before or after",
		                     "%s is called while a lock is held", p->name);
	*ret_proto = p;
	return 0;
}

/* Kernel functions by which a program enters and leaves sections. */
static int verify_section(struct verify *v, const struct verify_proto *p)
{
	struct state *s = v->state;

	if (p->flags & (KFUNC_ITER_NEW | KFUNC_ITER_NEXT | KFUNC_ITER_DESTROY))
		return verify_reject(v, PICKET_REJECT_ITERATOR, NULL, "use a bounded for loop or bpf_loop",
		                     "%s: open-coded iterators are not understood", p->name);
	if ((p->flags & KFUNC_RCU_END && !s->rcu) || (p->flags & KFUNC_PREEMPT_END && !s->preempt))
		return verify_reject(v, PICKET_REJECT_LOCK, NULL, "begin the section before",
		                     "%s ends what was not begun", p->name);
	s->rcu += (p->flags & KFUNC_RCU_BEGIN) != 0;
	s->rcu -= (p->flags & KFUNC_RCU_END) != 0;
	s->preempt += (p->flags & KFUNC_PREEMPT_BEGIN) != 0;
	s->preempt -= (p->flags & KFUNC_PREEMPT_END) != 0;
	return 0;
}

/* Of an image: by its own index; of bytecode: by the number of its BTF. */
static const char *kfunc_name(const struct verify *v, uint32_t id)
{
	const struct picket_image *image = v->program->image;

	if (image)
		return id < picket_image_kernel_count(image) ? picket_image_kernel_name(image, id) : "";
	return v->types ? verify_types_name(v->types, id) : "";
}

static int check_kfunc(struct verify *v, uint32_t id, const struct verify_proto **ret_proto)
{
	const char *name = kfunc_name(v, id);
	bool allowed = false;
	const struct verify_proto *p = verify_kfunc_find(v->kind, name, &allowed);

	if (!p)
		return verify_reject(v, PICKET_REJECT_HELPER, NULL, "give the kernel's BTF; or use a helper",
		                     "kernel function %s (%u) is not known", name, id);
	if (!allowed)
		return verify_reject(v, PICKET_REJECT_HELPER, NULL, "use a helper, or another kind of program",
		                     "programs of kind %s may not call %s", v->kind->name, p->name);
	*ret_proto = p;
	return verify_section(v, p);
}

static int verify_helper(struct verify *v, uint32_t id, bool is_kfunc)
{
	const struct verify_proto *p = NULL;
	struct call_facts facts;
	struct value result;
	struct frame *f;
	int r = is_kfunc ? check_kfunc(v, id, &p) : check_available(v, id, &p);

	if (!r)
		r = verify_arguments(v, p, &facts);
	if (!r && facts.has_function)
		r = verify_callback(v, p, &facts);
	if (!r && facts.released && state_release(v, v->state, facts.released) == -ENOENT)
		r = verify_reject(v, PICKET_REJECT_RELEASED, NULL, "release it once",
		                  "%s releases what was released before", p->name);
	if (!r && p->flags & PROTO_CHANGES_PACKET && !(p->flags & PROTO_NO_RETURN))
		r = state_each_value(v, v->state, forget_packet, NULL);
	if (!r && !is_kfunc && id == BPF_FUNC_tail_call && v->state->reference_count)
		r = verify_reject(v, PICKET_REJECT_REFERENCE_LEAK, NULL, "release it before the tail call",
		                  "a tail call leaves the program without releasing what it acquired");
	if (!r)
		r = make_result(v, p, &facts, &result);
	if (r)
		return r;
	f = state_frame(v, v->state, v->state->frame_count - 1);
	if (!f)
		return -ENOMEM;
	registers_clobber(f);
	if (p->returns != VERIFY_RETURN_VOID || verify_leaks(v))
		f->registers[0] = result;
	v->state->op++;
	return 0;
}

int verify_call(struct verify *v, const struct vm_op *op)
{
	struct value *target;
	int r;

	if (op->op == VM_CALL_LOCAL)
		return enter_function(v, function_at(v, op->target));
	if (op->op == VM_CALL_HELPER) {
		return verify_helper(v, (uint32_t)op->imm, op->src == 2);
	}
	r = verify_read(v, op->dst, &target);
	if (r)
		return r;
	if (target->kind != VALUE_FUNCTION)
		return verify_reject(v, PICKET_REJECT_CALL, target,
		                     "call only functions whose address the program takes", "r%u is %s, not a function",
		                     op->dst, value_kind_name(target->kind));
	return enter_function(v, target->object);
}

/* ---- 64-bit constants, and packets by the old instructions ---- */

int verify_wide(struct verify *v, const struct vm_op *op)
{
	struct frame *f = state_frame(v, v->state, v->state->frame_count - 1);
	struct value value = pointer_value(VALUE_NUMBER, 0);
	uint32_t offset = (uint32_t)((uint64_t)op->imm >> 32);

	if (!f)
		return -ENOMEM;
	value.node = node_new(v, 0, 0);
	switch (op->op) {
	case VM_LDDW:
		value.number = scalar_constant((uint64_t)op->imm);
		if (v->program->symbols && v->program->symbols[op->insn + 1 - op->slots])
			value.kind = VALUE_OBJECT; /* of no known type, and not trusted: NULL if the kernel lacks it */
		break;
	case VM_LDDW_MAP:
		value.kind = VALUE_MAP;
		value.object = (uint32_t)op->imm;
		break;
	case VM_LDDW_MAP_VALUE:
		value.kind = VALUE_MAP_VALUE;
		value.object = (uint32_t)op->imm;
		if (offset >= v->maps[value.object].value_size)
			return verify_reject(v, PICKET_REJECT_OUT_OF_BOUNDS, &value, NULL,
			                     "the address is behind the end of map %s", v->maps[value.object].name);
		value.offset = (int32_t)offset;
		break;
	default:
		value.kind = VALUE_FUNCTION;
		value.object = op->target;
		break;
	}
	f->registers[op->dst] = value;
	return 0;
}

int verify_packet_load(struct verify *v, const struct vm_op *op)
{
	struct frame *f = state_frame(v, v->state, v->state->frame_count - 1);
	static const uint8_t sizes[] = {4, 2, 1, 8};
	struct value *src;

	if (!f)
		return -ENOMEM;
	if (v->state->frame_count > 1 || v->state->reference_count || v->state->lock)
		return verify_reject(v, PICKET_REJECT_REFERENCE_LEAK, NULL, "use skb_load_bytes",
		                     "a packet load may end the program, which holds something here");
	if (v->kind->flags & KIND_SKB) {
		if (f->registers[6].kind != VALUE_CONTEXT)
			return verify_reject(v, PICKET_REJECT_ARGUMENT, &f->registers[6], "keep the context in r6",
			                     "a packet load needs the context in r6");
	} else if (!(v->kind->flags & KIND_MEMORY_LENGTH)) {
		return verify_reject(v, PICKET_REJECT_CONTEXT, NULL, "use skb_load_bytes or direct access",
		                     "programs of kind %s have no packet loads", v->kind->name);
	}
	if (vm_insns[op->op].format == VM_FORMAT_PACKET_REG) {
		int r = verify_read(v, op->src, &src);
		if (r)
			return r;
		if (value_is_pointer(src))
			return verify_reject(v, PICKET_REJECT_POINTER_LEAK, src, "use a number",
			                     "r%u, an offset, is a pointer", op->src);
	}
	registers_clobber(f);
	f->registers[0] = value_number(v, scalar_loaded(sizes[vm_insns[op->op].code >> 3 & 3], false));
	return 0;
}
