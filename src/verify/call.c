/* SPDX-License-Identifier: Apache-2.0
 *
 * Calls: helpers by their prototypes, functions of the program by walking into them; exits.
 */
#include <errno.h>
#include <linux/bpf.h>
#include "verify/call_int.h"

static void registers_clobber(struct frame *f)
{
	for (unsigned i = 0; i <= 5; i++)
		f->registers[i] = (struct value){.kind = VALUE_NONE, .room = ROOM_NONE};
}

/* ---- functions ---- */

static int enter_function(struct verify *v, uint32_t function)
{
	struct state *s = v->state;
	struct frame *caller, *f;

	if (v->globals[function].status != GLOBAL_NONE) {
		int r = global_call(v, function);
		if (r != -EOPNOTSUPP)
			return r;
	}
	caller = state_frame(v, s, s->frame_count - 1);
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

struct return_range {
	int64_t min, max;
	bool any;
};

/* What a kind may return, narrower where it is known what the program is attached to. */
static struct return_range return_range(const struct verify *v)
{
	const struct verify_kind *k = v->kind;
	struct return_range range = {k->return_min, k->return_max, k->flags & KIND_RETURN_ANY};

	if (v->program->image)
		verify_section_returns(picket_image_section(v->program->image, v->program->index), &range.min,
		                       &range.max);
	if (verify_types_returns(v->types, k, v->program->hook, &range.min, &range.max))
		range.any = false;
	return range;
}

static int check_return(struct verify *v, const struct value *r0)
{
	const struct verify_kind *k = v->kind;
	const struct return_range range = return_range(v);

	if (value_is_pointer(r0)) {
		if (verify_leaks(v) && range.any)
			return 0;
		return verify_reject(v, PICKET_REJECT_POINTER_LEAK, r0, "return a number",
		                     "the program would return %s", value_kind_name(r0->kind));
	}
	if (range.any)
		return 0;
	node_need(v, r0->node);
	if (r0->number.wide.smin >= range.min && r0->number.wide.smax <= range.max)
		return 0;
	/* the other hooks' results have 64 bits */
	if (k->id == PICKET_KIND_LSM && r0->number.half.smin >= range.min && r0->number.half.smax <= range.max)
		return 0;
	return verify_reject(v, PICKET_REJECT_RETURN_VALUE, r0, "return one of the allowed values on every path",
	                     "programs of kind %s may return %lld to %lld, this one may return %lld to %lld", k->name,
	                     (long long)range.min, (long long)range.max, (long long)r0->number.half.smin,
	                     (long long)r0->number.half.smax);
}

static bool returns_nothing(const struct verify *v)
{
	return (v->kind->id == PICKET_KIND_LSM || v->kind->id == PICKET_KIND_STRUCT_OPS) &&
	       verify_types_returns_nothing(v->types, v->kind, v->program->hook);
}

/* A program ends: nothing may be held. */
static int check_held(struct verify *v)
{
	const struct state *s = v->state;

	if (s->lock || s->rcu || s->preempt)
		return verify_reject(v, PICKET_REJECT_LOCK, NULL, "unlock before each return",
		                     "the program ends with a lock held");
	if (s->reference_count && iterator_holds(s, s->references[0].id))
		return verify_reject(v, PICKET_REJECT_ITERATOR, NULL,
		                     "call its _destroy function on every path that leaves",
		                     "the program ends without destroying the iterator that instruction %u began",
		                     v->code.ops[s->references[0].op].insn);
	if (s->reference_count) {
		uint32_t insn = v->code.ops[s->references[0].op].insn;
		return verify_reject(v, PICKET_REJECT_REFERENCE_LEAK, NULL,
		                     "release it (submit, discard, release) on every path that leaves",
		                     "the program ends without releasing what instruction %u acquired", insn);
	}
	return 0;
}

static int exit_program(struct verify *v, const struct value *r0)
{
	int r = check_held(v);

	return r ? r : check_return(v, r0);
}

int verify_exit(struct verify *v, bool *ret_end)
{
	struct state *s = v->state;
	struct frame *f = state_top(s), *caller;
	struct value *r0, result;
	uint32_t back = f->return_op;
	int r;

	*ret_end = s->frame_count == 1;
	if (s->frame_count == 1 && f->function && !f->callback)
		return global_exit(v);
	if (s->frame_count == 1 && !f->callback && returns_nothing(v))
		return check_held(v);
	r0 = &f->registers[0]; /* of a function that returns nothing, nothing is in it */
	r = s->frame_count == 1 || f->callback ? verify_read(v, 0, &r0) : 0;
	if (r)
		return r;
	result = *r0;
	if (s->frame_count == 1)
		return f->callback ? callback_exit(v, &result) : exit_program(v, &result);
	if (result.kind == VALUE_STACK && result.frame == s->frame_count - 1)
		return verify_reject(v, PICKET_REJECT_STACK_BOUNDS, &result, "let the caller pass a buffer",
		                     "a function returns a pointer to its own stack");
	if (f->callback) {
		r = callback_exit(v, &result);
		if (r)
			return r;
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

/* What the kernel has behind the context of a kind; NULL: not known. */
static const char *kernel_context(enum picket_kind kind)
{
	static const struct {
		enum picket_kind kind;
		const char *type;
	} contexts[] = {
	        {PICKET_KIND_SOCKET_FILTER, "sk_buff"},
	        {PICKET_KIND_SCHED_CLS, "sk_buff"},
	        {PICKET_KIND_SCHED_ACT, "sk_buff"},
	        {PICKET_KIND_CGROUP_SKB, "sk_buff"},
	        {PICKET_KIND_LWT_IN, "sk_buff"},
	        {PICKET_KIND_LWT_OUT, "sk_buff"},
	        {PICKET_KIND_LWT_XMIT, "sk_buff"},
	        {PICKET_KIND_LWT_SEG6LOCAL, "sk_buff"},
	        {PICKET_KIND_SK_SKB, "sk_buff"},
	        {PICKET_KIND_XDP, "xdp_buff"},
	        {PICKET_KIND_FLOW_DISSECTOR, "bpf_flow_dissector"},
	        {PICKET_KIND_SOCK_OPS, "bpf_sock_ops_kern"},
	        {PICKET_KIND_SK_MSG, "sk_msg"},
	        {PICKET_KIND_SK_REUSEPORT, "sk_reuseport_kern"},
	        {PICKET_KIND_SK_LOOKUP, "bpf_sk_lookup_kern"},
	        {PICKET_KIND_CGROUP_SOCK, "sock"},
	        {PICKET_KIND_CGROUP_SOCK_ADDR, "bpf_sock_addr_kern"},
	        {PICKET_KIND_CGROUP_DEVICE, "bpf_cgroup_dev_ctx"},
	        {PICKET_KIND_CGROUP_SYSCTL, "bpf_sysctl_kern"},
	        {PICKET_KIND_CGROUP_SOCKOPT, "bpf_sockopt_kern"},
	        {PICKET_KIND_PERF_EVENT, "bpf_perf_event_data_kern"},
	};

	for (size_t i = 0; i < ARRAY_SIZE(contexts); i++)
		if (contexts[i].kind == kind)
			return contexts[i].type;
	return NULL;
}

/* Of a typed object: which type. 0: not known. */
static uint32_t result_type(const struct verify *v, const struct verify_proto *p, const struct call_facts *facts)
{
	const char *name = p->returns == VERIFY_RETURN_KERNEL_CTX ? kernel_context(v->kind->id) : p->return_type;
	uint32_t type;

	if (p->returns == VERIFY_RETURN_CAST)
		return facts->type;
	if (!name)
		return facts->object;
	return verify_types_by_name(v->types, name, &type) ? type : 0;
}

/* What a look-up gives depends on the map. */
static int map_result(struct verify *v, const struct verify_proto *p, const struct call_facts *facts,
                      struct value *result)
{
	const struct picket_map_spec *m;
	const uint8_t flags = result->flags;
	const uint32_t id = result->id, node = result->node;
	int r;

	if (!facts->has_map)
		return verify_reject(v, PICKET_REJECT_MAP, NULL, NULL, "%s got no map", p->name);
	m = verify_map(v, facts->map);
	switch (m->type) {
	case BPF_MAP_TYPE_SOCKMAP:
	case BPF_MAP_TYPE_SOCKHASH:
		result->kind = VALUE_SOCKET;
		r = state_acquire(v, v->state, &result->ref);
		result->id = result->ref;
		return r;
	case BPF_MAP_TYPE_XSKMAP: /* struct bpf_xdp_sock: its queue */
		result->kind = VALUE_MEMORY;
		result->object = sizeof(uint32_t);
		result->flags |= VALUE_READ_ONLY;
		return 0;
	case BPF_MAP_TYPE_ARRAY_OF_MAPS:
	case BPF_MAP_TYPE_HASH_OF_MAPS:
		result->kind = VALUE_MAP;
		result->object = facts->map | VERIFY_MAP_INNER;
		return m->inner ? 0
		                : verify_reject(v, PICKET_REJECT_MAP, NULL, "say in its definition what it holds",
		                                "it is not known what maps map %s holds", m->name);
	default:
		r = special_map_value(v, facts->map, result);
		result->flags |= flags;
		result->id = result->id ? result->id : id;
		result->node = node;
		if (m->type == BPF_MAP_TYPE_DEVMAP || m->type == BPF_MAP_TYPE_DEVMAP_HASH)
			result->flags |= VALUE_READ_ONLY;
		return r;
	}
}

static int memory_result(struct verify *v, const struct verify_proto *p, const struct call_facts *facts,
                         struct value *result)
{
	uint64_t size = p->return_size ? p->return_size : facts->size;

	if (size > 1 << 29)
		return verify_reject(v, PICKET_REJECT_ARGUMENT, NULL, "ask for less", "%s is asked for too much memory",
		                     p->name);
	result->object = (uint32_t)size;
	dynptr_slice(p, facts, result);
	if (p->flags & KFUNC_ITER_NEXT)
		result->flags |= VALUE_READ_ONLY;
	return 0;
}

/* A variable of a CPU that is no object is so much memory. */
static void object_result(const struct verify *v, const struct verify_proto *p, const struct call_facts *facts,
                          struct value *result)
{
	result->object = result_type(v, p, facts);
	if (p->returns == VERIFY_RETURN_CAST)
		result->flags |= VALUE_UNTRUSTED;
	if (facts->variable_bytes && !result->object) {
		result->kind = VALUE_MEMORY;
		result->object = facts->variable_bytes;
		result->flags |= VALUE_READ_ONLY;
	}
}

static struct value number_result(struct verify *v, const struct verify_proto *p, const struct call_facts *facts)
{
	struct value result = value_unknown(v);

	if (p->return_flags & VERIFY_RETURN_LENGTH)
		result.number = signed_between(-ERRNO_MAX, (int64_t)facts->length);
	else if (p->return_min < p->return_max)
		result.number = signed_between(p->return_min, p->return_max);
	return result;
}

static int make_result(struct verify *v, const struct verify_proto *p, const struct call_facts *facts,
                       struct value *ret_result)
{
	static const uint8_t kinds[] = {
	        [VERIFY_RETURN_MAP_VALUE] = VALUE_MAP_VALUE,     [VERIFY_RETURN_MEMORY] = VALUE_MEMORY,
	        [VERIFY_RETURN_RECORD] = VALUE_RECORD,           [VERIFY_RETURN_SOCKET] = VALUE_SOCKET,
	        [VERIFY_RETURN_SOCK_COMMON] = VALUE_SOCK_COMMON, [VERIFY_RETURN_TCP_SOCK] = VALUE_TCP_SOCK,
	        [VERIFY_RETURN_OBJECT] = VALUE_OBJECT,           [VERIFY_RETURN_CAST] = VALUE_OBJECT,
	        [VERIFY_RETURN_KERNEL_CTX] = VALUE_OBJECT,
	};
	struct value result;
	int r = 0;

	if (p->returns == VERIFY_RETURN_NUMBER || p->returns == VERIFY_RETURN_VOID) {
		*ret_result = number_result(v, p, facts);
		return 0;
	}
	if (p->returns >= ARRAY_SIZE(kinds) || !kinds[p->returns])
		return verify_reject(v, PICKET_REJECT_HELPER, NULL, NULL, "what %s returns is not known", p->name);
	result = value_pointer(kinds[p->returns], 0);
	result.node = node_new(v, 0, 0);
	result.ref = facts->cast;
	if (p->return_flags & VERIFY_RETURN_OR_NULL) {
		result.flags |= VALUE_MAYBE_NULL;
		result.id = verify_id(v);
	}
	if (p->return_flags & VERIFY_RETURN_TRUSTED)
		result.flags |= VALUE_TRUSTED;
	if (p->returns == VERIFY_RETURN_MAP_VALUE)
		r = map_result(v, p, facts, &result);
	else if (p->returns == VERIFY_RETURN_MEMORY || p->returns == VERIFY_RETURN_RECORD)
		r = memory_result(v, p, facts, &result);
	else if (result.kind == VALUE_OBJECT)
		object_result(v, p, facts, &result);
	if (!r && p->flags & PROTO_ACQUIRES) {
		r = state_acquire(v, v->state, &result.ref);
		result.id = result.flags & VALUE_MAYBE_NULL ? result.ref : 0;
	}
	if (!r)
		*ret_result = result;
	return r;
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

int verify_may_sleep(struct verify *v, const char *what)
{
	const struct state *s = v->state;

	v->sleeps = true;
	if (!verify_program_sleeps(v))
		return verify_reject(
		        v, PICKET_REJECT_HELPER, NULL,
		        "attach where the program may sleep (sections with .s, such as fentry.s/ and lsm.s/)",
		        "%s may sleep, and this program may not", what);
	if (s->rcu || s->preempt || s->lock)
		return verify_reject(v, PICKET_REJECT_LOCK, NULL, "call it before or after the section",
		                     "%s may sleep, which is not allowed within a section that must not", what);
	return 0;
}

static int check_sleep(struct verify *v, const struct verify_proto *p)
{
	return p->flags & PROTO_SLEEPS && !(v->kind->flags & KIND_SANDBOX) ? verify_may_sleep(v, p->name) : 0;
}

static int check_available(struct verify *v, uint32_t id, const struct verify_proto **ret_proto)
{
	bool allowed = v->kind->flags & KIND_SANDBOX;
	const struct verify_proto *p = verify_own_find(v, id);

	if (!p)
		p = verify_proto_find(v->kind, id, &allowed);

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
	return check_sleep(v, p);
}

/* Kernel functions by which a program enters and leaves sections. */
static int verify_section(struct verify *v, const struct verify_proto *p)
{
	struct state *s = v->state;

	if ((p->flags & KFUNC_RCU_END && !s->rcu) || (p->flags & KFUNC_PREEMPT_END && !s->preempt))
		return verify_reject(v, PICKET_REJECT_LOCK, NULL, "begin the section before",
		                     "%s ends what was not begun", p->name);
	s->rcu += (p->flags & KFUNC_RCU_BEGIN) != 0;
	s->rcu -= (p->flags & KFUNC_RCU_END) != 0;
	s->preempt += (p->flags & KFUNC_PREEMPT_BEGIN) != 0;
	s->preempt -= (p->flags & KFUNC_PREEMPT_END) != 0;
	if (p->flags & KFUNC_RCU_ONLY && !verify_in_rcu(v))
		return verify_reject(v, PICKET_REJECT_LOCK, NULL, "call bpf_rcu_read_lock before",
		                     "%s is called outside of a section of RCU", p->name);
	return p->flags & KFUNC_RCU_END && !s->rcu ? objects_leave_rcu(v) : 0;
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
	int r;

	if (!p)
		return verify_reject(v, PICKET_REJECT_HELPER, NULL, "give the kernel's BTF; or use a helper",
		                     "kernel function %s (%u) is not known", name, id);
	if (!allowed)
		return verify_reject(v, PICKET_REJECT_HELPER, NULL, "use a helper, or another kind of program",
		                     "programs of kind %s may not call %s", v->kind->name, p->name);
	if (v->state->lock)
		return verify_reject(v, PICKET_REJECT_LOCK, NULL, "call it before or after",
		                     "%s is called while a lock is held", p->name);
	*ret_proto = p;
	r = check_sleep(v, p);
	return r ? r : verify_section(v, p);
}

/* An exception ends the program where it is thrown; nobody gives back what is held then. */
static int verify_throw(struct verify *v)
{
	const struct state *s = v->state;
	struct value *r1;
	int r = verify_read(v, 1, &r1);

	for (uint32_t i = 0; i < s->frame_count; i++)
		if (s->frames[i]->callback || (i == 0 && s->frames[i]->function))
			return verify_reject(v, PICKET_REJECT_CALL, NULL, "return a number that says so instead",
			                     "an exception is thrown in a callback or in a global function");
	if (!r)
		r = exit_program(v, r1);
	if (!r)
		verify_path_end(v, s->length);
	return r;
}

/* In a function of the program, the other program takes its place, and returns to its caller: any number, and the packet may
 * have moved. This path goes on where the tail call fails, another one there. */
static int tail_call_taken(struct verify *v)
{
	struct state *s = v->state, *other;
	uint32_t back = state_top(s)->return_op;
	bool callback = state_top(s)->callback;
	struct frame *caller;
	int r;

	v->changes_packet = true;
	if (s->frame_count == 1)
		return 0;
	other = state_copy(v, s);
	if (!other)
		return verify_limit(v, "memory");
	frame_pop(v, other);
	v->state = other;
	r = verify_forget_packet(v);
	v->state = s;
	caller = r ? NULL : state_frame(v, other, other->frame_count - 1);
	if (!caller) {
		state_free(v, other);
		return -ENOMEM;
	}
	other->op = back;
	if (!callback) {
		caller->registers[0] = value_unknown(v);
		other->op++;
	}
	if (other->parent)
		other->parent->branches++;
	other->next = v->waiting;
	v->waiting = other;
	return 0;
}

static int check_effects(struct verify *v, const struct verify_proto *p, const struct call_facts *facts)
{
	int r = 0;

	if (facts->has_function)
		r = verify_callback(v, p, facts);
	if (!r && facts->released && state_release(v, v->state, facts->released) == -ENOENT)
		r = verify_reject(v, PICKET_REJECT_RELEASED, NULL, "release it once",
		                  "%s releases what was released before", p->name);
	if (!r && p->flags & PROTO_CHANGES_PACKET && !(p->flags & PROTO_NO_RETURN))
		r = verify_forget_packet(v);
	if (!r && facts->has_dynptr)
		r = dynptr_called(v, p, facts);
	if (!r && p->id == BPF_FUNC_tail_call && (v->state->rcu || v->state->preempt))
		r = verify_reject(v, PICKET_REJECT_LOCK, NULL, "end the section before the tail call",
		                  "a tail call leaves the program within a section that it began");
	if (!r && p->id == BPF_FUNC_tail_call && v->state->reference_count)
		r = verify_reject(v, PICKET_REJECT_REFERENCE_LEAK, NULL, "release it before the tail call",
		                  "a tail call leaves the program without releasing what it acquired");
	if (!r && p->id == BPF_FUNC_tail_call)
		r = tail_call_taken(v);
	return r;
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
	if (!r && is_kfunc && p->flags & PROTO_NO_RETURN)
		return verify_throw(v);
	if (!r)
		r = check_effects(v, p, &facts);
	if (!r)
		r = make_result(v, p, &facts, &result);
	if (!r && p->flags & KFUNC_ITER_NEXT)
		r = iterator_next(v, &facts, &result);
	if (r)
		return r;
	f = state_frame(v, v->state, v->state->frame_count - 1);
	if (!f)
		return -ENOMEM;
	registers_clobber(f);
	if (p->returns != VERIFY_RETURN_VOID)
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

/* A variable of the kernel: an object, or so many bytes, or what each CPU has of its own. */
static struct value variable_value(const struct verify *v, uint32_t index)
{
	const char *name = picket_image_kernel_name(v->program->image, index);
	struct value value = value_pointer(VALUE_OBJECT, 0);
	struct verify_type_variable variable;

	if (!name || !verify_types_variable(v->types, name, &variable)) {
		value.flags = VALUE_UNTRUSTED;
	} else if (variable.percpu) {
		value.flags = VALUE_PERCPU;
		value.object = variable.object;
		value.range = variable.bytes;
	} else if (variable.object) {
		value.object = variable.object;
	} else {
		value = value_pointer(VALUE_MEMORY, variable.bytes);
		value.flags = VALUE_READ_ONLY;
	}
	return value;
}

static struct value symbol_value(struct verify *v, uint32_t index)
{
	struct value value = value_pointer(VALUE_OBJECT, 0); /* of no known type */
	struct scalar zero = scalar_constant(0);

	switch (verify_symbol_find(v, index)) {
	case SYMBOL_NUMBER:
		return value_unknown(v);
	case SYMBOL_ADDRESS:
		value = value_unknown(v);
		if (!scalar_assume(SCALAR_NE, true, &value.number, &zero))
			value.number = scalar_unknown();
		break;
	case SYMBOL_MISSING:
		value = value_number(v, zero);
		break;
	case SYMBOL_FUNCTION: /* nothing may be read there */
		value = value_pointer(VALUE_MEMORY, 0);
		value.flags = VALUE_READ_ONLY;
		break;
	case SYMBOL_VARIABLE:
		return variable_value(v, index);
	case SYMBOL_UNKNOWN:
		value.flags = VALUE_UNTRUSTED;
		break;
	}
	return value;
}

int verify_wide(struct verify *v, const struct vm_op *op)
{
	struct frame *f = state_frame(v, v->state, v->state->frame_count - 1);
	struct value value = value_pointer(VALUE_NUMBER, 0);
	uint32_t offset = (uint32_t)((uint64_t)op->imm >> 32);

	if (!f)
		return -ENOMEM;
	value.node = node_new(v, 0, 0);
	switch (op->op) {
	case VM_LDDW:
		value.number = scalar_constant((uint64_t)op->imm);
		if (v->program->symbols && v->program->symbols[op->insn])
			value = symbol_value(v, (uint32_t)op->imm);
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
	if (v->state->frame_count > 1 || state_top(v->state)->function || v->state->reference_count || v->state->lock)
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
