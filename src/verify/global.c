/* SPDX-License-Identifier: Apache-2.0
 *
 * Global functions of the program, each verified once, on its own, by its signature: of a number nothing is known, a pointer
 * to a type of known size is that much memory or NULL, a pointer to the context's type is the context. At a call only the
 * arguments are checked against the signature, and what the function may have changed is forgotten. So says the kernel, too:
 * such a function may be replaced by another one of the same signature. A signature that says less than its caller knows
 * (a dynptr, a typed object, no type at all) makes the function one like all others: it is walked into at each call.
 *
 * Other functions that read none of their arguments are verified once, too: nothing of their caller reaches them, and it
 * gets a number back. What is held over a call (locks, references) does reach them: then they are walked into.
 */
#include <errno.h>
#include <stdlib.h>
#include "verify/verify_int.h"
#include "vm/image.h"

#define PARAMETERS_MAX 5

/* ---- signatures ---- */

/* What programs call the type of their context. */
static bool is_context_name(enum picket_kind kind, const char *name)
{
	static const struct {
		const char *name;
		enum picket_kind kinds[10]; /* ends with PICKET_KIND_AUTO */
	} contexts[] = {
	        {"__sk_buff",
	         {PICKET_KIND_SOCKET_FILTER, PICKET_KIND_SCHED_CLS, PICKET_KIND_SCHED_ACT, PICKET_KIND_CGROUP_SKB,
	          PICKET_KIND_LWT_IN, PICKET_KIND_LWT_OUT, PICKET_KIND_LWT_XMIT, PICKET_KIND_LWT_SEG6LOCAL,
	          PICKET_KIND_SK_SKB}},
	        {"__sk_buff", {PICKET_KIND_FLOW_DISSECTOR}},
	        {"xdp_md", {PICKET_KIND_XDP}},
	        {"bpf_nf_ctx", {PICKET_KIND_NETFILTER}},
	        {"bpf_sock_ops", {PICKET_KIND_SOCK_OPS}},
	        {"sk_msg_md", {PICKET_KIND_SK_MSG}},
	        {"sk_reuseport_md", {PICKET_KIND_SK_REUSEPORT}},
	        {"bpf_sk_lookup", {PICKET_KIND_SK_LOOKUP}},
	        {"bpf_sock", {PICKET_KIND_CGROUP_SOCK}},
	        {"bpf_sock_addr", {PICKET_KIND_CGROUP_SOCK_ADDR}},
	        {"bpf_cgroup_dev_ctx", {PICKET_KIND_CGROUP_DEVICE}},
	        {"bpf_sysctl", {PICKET_KIND_CGROUP_SYSCTL}},
	        {"bpf_sockopt", {PICKET_KIND_CGROUP_SOCKOPT}},
	        {"pt_regs", {PICKET_KIND_KPROBE}},
	        {"bpf_user_pt_regs_t", {PICKET_KIND_KPROBE}},
	        {"user_pt_regs", {PICKET_KIND_KPROBE}},
	        {"bpf_perf_event_data", {PICKET_KIND_PERF_EVENT}},
	        {"bpf_raw_tracepoint_args", {PICKET_KIND_RAW_TRACEPOINT, PICKET_KIND_RAW_TRACEPOINT_WRITABLE}},
	};

	for (size_t i = 0; i < ARRAY_SIZE(contexts); i++)
		for (const enum picket_kind *k = contexts[i].kinds; *k != PICKET_KIND_AUTO; k++)
			if (*k == kind && !strcmp(contexts[i].name, name))
				return true;
	return false;
}

/* The context is an array of numbers. */
static bool is_context_array(const struct verify *v, const struct vm_btf_type *pointed)
{
	return v->kind->flags & (KIND_BTF_CONTEXT | KIND_ARGUMENTS) && pointed->kind == BTF_KIND_INT &&
	       pointed->size == 8;
}

/* false: it does not say enough. */
static bool pointer_parameter(const struct verify *v, const struct vm_btf *b, uint32_t to, struct verify_parameter *ret)
{
	struct vm_btf_type named = vm_btf_type(b, to), pointed = vm_btf_plain_type(b, to);
	uint32_t bytes;

	if (is_context_name(v->kind->id, pointed.name) || is_context_name(v->kind->id, named.name) ||
	    is_context_array(v, &pointed)) {
		*ret = (struct verify_parameter){.what = PARAMETER_CONTEXT};
		return true;
	}
	if (pointed.kind == BTF_KIND_STRUCT &&
	    (!strcmp(pointed.name, "bpf_dynptr") || !strncmp(pointed.name, "bpf_iter_", 9)))
		return false;
	if (!vm_btf_size(b, to, &bytes) || !bytes)
		return false;
	*ret = (struct verify_parameter){.what = PARAMETER_MEMORY, .bytes = bytes, .maybe_null = true};
	return true;
}

static bool parameter_read(const struct verify *v, const struct vm_btf *b, uint32_t type, struct verify_parameter *ret)
{
	struct vm_btf_type t = vm_btf_plain_type(b, type);

	switch (t.kind) {
	case BTF_KIND_INT:
	case BTF_KIND_ENUM:
	case BTF_KIND_ENUM64:
		*ret = (struct verify_parameter){.what = PARAMETER_NUMBER};
		return t.size <= 8;
	case BTF_KIND_PTR:
		return pointer_parameter(v, b, t.type, ret);
	default:
		return false;
	}
}

/* What is said of functions' parameters, sorted by function. */
struct tags {
	struct tag {
		uint32_t function, id;
	} * list;
	size_t count;
};

static void tags_done(struct tags *tags)
{
	free(tags->list);
}

static int tag_compare(const void *a, const void *b)
{
	const struct tag *x = a, *y = b;

	if (x->function != y->function)
		return x->function < y->function ? -1 : 1;
	return x->id < y->id ? -1 : x->id > y->id;
}

static bool is_parameter_tag(const struct vm_btf_type *t)
{
	return t->kind == BTF_KIND_DECL_TAG && strncmp(t->name, "arg:", 4) == 0;
}

/* ret_tags: tags_done(). false: no memory. */
static bool tags_find(const struct vm_btf *b, struct tags *ret_tags)
{
	size_t count = 0;

	for (uint32_t id = 1; id <= b->type_count; id++) {
		struct vm_btf_type t = vm_btf_type(b, id);
		count += is_parameter_tag(&t);
	}
	*ret_tags = (struct tags){.list = malloc((count + 1) * sizeof(*ret_tags->list))};
	if (!ret_tags->list)
		return false;
	for (uint32_t id = 1; id <= b->type_count; id++) {
		struct vm_btf_type t = vm_btf_type(b, id);
		if (is_parameter_tag(&t))
			ret_tags->list[ret_tags->count++] = (struct tag){t.type, id};
	}
	qsort(ret_tags->list, ret_tags->count, sizeof(*ret_tags->list), tag_compare);
	return true;
}

/* The first one of a function, or of one behind it. */
static size_t tags_first(const struct tags *tags, uint32_t function)
{
	size_t low = 0, high = tags->count;

	while (low < high) {
		size_t middle = low + (high - low) / 2;
		if (tags->list[middle].function < function)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

/* __arg_nonnull, __arg_ctx; false: one that is not understood. */
static bool tags_read(const struct vm_btf *b, const struct tags *tags, uint32_t function, struct verify_global *g)
{
	for (size_t i = tags_first(tags, function); i < tags->count && tags->list[i].function == function; i++) {
		struct vm_btf_type t = vm_btf_type(b, tags->list[i].id);
		int32_t index;
		memcpy(&index, t.parts, sizeof(index));
		if (index < 0 || (uint32_t)index >= g->parameter_count)
			return false;
		if (!strcmp(t.name, "arg:nonnull"))
			g->parameters[index].maybe_null = false;
		else if (!strcmp(t.name, "arg:ctx"))
			g->parameters[index] = (struct verify_parameter){.what = PARAMETER_CONTEXT};
		else
			return false;
	}
	return true;
}

static bool signature_read(const struct verify *v, const struct tags *tags, uint32_t type, struct verify_global *g)
{
	const struct vm_btf *b = &v->program->image->btf;
	struct vm_btf_type function, prototype;

	if (!type || type > b->type_count)
		return false;
	function = vm_btf_type(b, type);
	prototype = vm_btf_type(b, function.type);
	if (function.kind != BTF_KIND_FUNC || prototype.kind != BTF_KIND_FUNC_PROTO || prototype.count > PARAMETERS_MAX)
		return false;
	g->parameter_count = (uint8_t)prototype.count;
	g->returns_void = !prototype.type;
	for (uint32_t i = 0; i < prototype.count; i++) {
		struct btf_param p;
		memcpy(&p, prototype.parts + i * sizeof(p), sizeof(p));
		if (!parameter_read(v, b, p.type, &g->parameters[i]))
			return false;
	}
	return tags_read(b, tags, type, g);
}

static void note_signature(const struct verify *v, const struct tags *tags, uint32_t type,
                           struct verify_global *ret_global)
{
	struct verify_global g = {.status = GLOBAL_UNKNOWN, .by_signature = true};

	if (signature_read(v, tags, type, &g))
		*ret_global = g;
}

void global_find(struct verify *v)
{
	const struct picket_image *image = v->program->image;
	_cleanup_(tags_done) struct tags tags = {0};
	struct picket_image_function f;
	uint32_t next = 1;

	if (!image || v->code.function_count < 2 || v->kind->flags & KIND_SANDBOX || !tags_find(&image->btf, &tags))
		return;
	for (size_t i = 1; picket_image_function(image, v->program->index, i, &f); i++) {
		while (next < v->code.function_count && v->code.functions[next].insn < f.insn)
			next++;
		if (next < v->code.function_count && v->code.functions[next].insn == f.insn && f.global)
			note_signature(v, &tags, f.type, &v->globals[next]);
	}
}

#define ARGUMENTS 0x3e

void global_find_closed(struct verify *v)
{
	for (size_t i = 1; i < v->code.function_count; i++)
		if (v->globals[i].status == GLOBAL_NONE && !(v->live[v->code.functions[i].first] & ARGUMENTS))
			v->globals[i].status = GLOBAL_UNKNOWN;
}

/* ---- the function on its own ---- */

static int global_begin(struct verify *v, uint32_t function, struct frame *f)
{
	const struct verify_global *g = &v->globals[function];

	f->function = function;
	for (unsigned i = 0; i < g->parameter_count; i++) {
		const struct verify_parameter *p = &g->parameters[i];
		struct value *r = &f->registers[i + 1];
		*r = value_unknown(v);
		if (p->what == PARAMETER_NUMBER)
			continue;
		r->number = scalar_constant(0);
		r->kind = p->what == PARAMETER_CONTEXT ? VALUE_CONTEXT : VALUE_MEMORY;
		r->object = p->bytes;
		if (p->maybe_null) {
			r->flags = VALUE_MAYBE_NULL;
			r->id = verify_id(v);
		}
	}
	return 0;
}

static int reject_depth(struct verify *v)
{
	return verify_reject(v, PICKET_REJECT_RECURSION, NULL, "call fewer functions from one another, or inline them",
	                     "more than %d functions would be active", PICKET_FRAMES_MAX);
}

static int global_verify(struct verify *v, uint32_t function)
{
	struct verify_global *g = &v->globals[function];
	const uint32_t frames = v->frames;
	const bool changes_packet = v->changes_packet, sleeps = v->sleeps;
	int r;

	if (v->globals_begun == PICKET_FRAMES_MAX - 1)
		return reject_depth(v);
	v->globals_begun++;
	g->status = GLOBAL_BEGUN;
	v->frames = 0;
	v->changes_packet = v->sleeps = false;
	r = verify_function(v, function, global_begin, &g->bound);
	g->frames = v->frames;
	g->changes_packet = v->changes_packet;
	g->sleeps = v->sleeps;
	g->status = !r ? GLOBAL_PROVEN : r == -EOPNOTSUPP ? GLOBAL_NONE : GLOBAL_UNKNOWN;
	v->frames = frames;
	v->changes_packet = changes_packet;
	v->sleeps |= sleeps;
	v->globals_begun--;
	return r;
}

/* All results together are what every caller gets: each is needed as it is. */
static int closed_exit(struct verify *v, struct verify_global *g)
{
	const struct state *s = v->state;
	const struct value *r0 = &state_top(s)->registers[0];

	if (s->lock || s->rcu || s->preempt || s->reference_count || value_is_pointer(r0))
		return -EOPNOTSUPP;
	if (r0->kind == VALUE_NONE) {
		g->returns_void = true;
		return 0;
	}
	node_need(v, r0->node);
	g->result = g->returned ? scalar_join(&g->result, &r0->number) : r0->number;
	g->returned = true;
	return 0;
}

int global_exit(struct verify *v)
{
	const struct state *s = v->state;
	struct verify_global *g = &v->globals[state_top(s)->function];
	struct value *r0;
	int r;

	if (!g->by_signature)
		return closed_exit(v, g);
	if (s->lock || s->rcu || s->preempt)
		return verify_reject(v, PICKET_REJECT_LOCK, NULL, "unlock before each return",
		                     "a global function returns with a lock held");
	if (s->reference_count)
		return verify_reject(v, PICKET_REJECT_REFERENCE_LEAK, NULL,
		                     "release it in the function, or make the function static",
		                     "a global function returns without releasing what instruction %u acquired",
		                     v->code.ops[s->references[0].op].insn);
	if (g->returns_void)
		return 0;
	r = verify_read(v, 0, &r0);
	if (!r && value_is_pointer(r0))
		r = verify_reject(v, PICKET_REJECT_RETURN_VALUE, r0, "return a number, or make the function static",
		                  "a global function returns %s; it may return only numbers",
		                  value_kind_name(r0->kind));
	return r;
}

/* ---- a call of it ---- */

static int reject_parameter(struct verify *v, unsigned index, const struct value *value, const char *wanted)
{
	return verify_reject(v, PICKET_REJECT_ARGUMENT, value,
	                     "pass what the signature says, or make the function static",
	                     "argument %u of a global function must be %s, but r%u is %s", index + 1, wanted, index + 1,
	                     value_kind_name(value->kind));
}

static bool is_null(const struct value *value)
{
	uint64_t constant;

	return value->kind == VALUE_NUMBER && scalar_is_constant(&value->number, &constant) && constant == 0;
}

static int memory_pass(struct verify *v, const struct verify_parameter *p, unsigned index, struct value value)
{
	if (is_null(&value) && p->maybe_null) {
		node_need(v, value.node);
		return 0;
	}
	if (value.kind == VALUE_NUMBER)
		return reject_parameter(v, index, &value, "a pointer to memory");
	if (p->maybe_null)
		value.flags &= (uint8_t)~VALUE_MAYBE_NULL;
	return verify_access(v, &value, verify_register_name(index + 1), 0, p->bytes, ACCESS_READ | ACCESS_WRITE);
}

static int parameter_pass(struct verify *v, const struct verify_parameter *p, unsigned index)
{
	struct value *value;
	int r = verify_read(v, index + 1, &value);

	if (r)
		return r;
	switch (p->what) {
	case PARAMETER_CONTEXT:
		if (value->kind != VALUE_CONTEXT || value->offset || !scalar_is_constant(&value->number, NULL))
			return reject_parameter(v, index, value, "the context");
		return 0;
	case PARAMETER_MEMORY:
		return memory_pass(v, p, index, *value);
	default:
		return value->kind == VALUE_NUMBER ? 0 : reject_parameter(v, index, value, "a number");
	}
}

static int check_call(struct verify *v, const struct verify_global *g)
{
	const struct state *s = v->state;

	if (g->status == GLOBAL_BEGUN)
		return verify_reject(v, PICKET_REJECT_RECURSION, NULL, "use a loop instead", "a function calls itself");
	if (!g->by_signature)
		return s->lock || s->rcu || s->preempt || s->reference_count ? -EOPNOTSUPP : 0;
	if (s->lock)
		return verify_reject(v, PICKET_REJECT_LOCK, NULL, "unlock before",
		                     "a function is called while a lock is held");
	for (unsigned i = 0; i < g->parameter_count; i++) {
		int r = parameter_pass(v, &g->parameters[i], i);
		if (r)
			return r;
	}
	return 0;
}

static int take_result(struct verify *v, const struct verify_global *g)
{
	struct frame *f = state_frame(v, v->state, v->state->frame_count - 1);

	if (!f)
		return -ENOMEM;
	for (unsigned i = 0; i <= 5; i++)
		f->registers[i] = (struct value){.kind = VALUE_NONE, .room = ROOM_NONE};
	if (!g->returns_void)
		f->registers[0] = value_number(v, g->by_signature ? scalar_unknown() : g->result);
	return 0;
}

int global_call(struct verify *v, uint32_t function)
{
	struct verify_global *g = &v->globals[function];
	struct state *s = v->state;
	int r = check_call(v, g);

	if (!r && g->status == GLOBAL_UNKNOWN)
		r = global_verify(v, function);
	if (!r && s->frame_count + g->frames > PICKET_FRAMES_MAX)
		r = reject_depth(v);
	if (!r && g->sleeps)
		r = verify_may_sleep(v, "the function");
	if (!r && g->changes_packet)
		r = verify_forget_packet(v);
	if (!r)
		r = take_result(v, g);
	if (r)
		return r;
	v->frames = MAX(v->frames, s->frame_count + g->frames);
	s->length = s->length > UINT64_MAX - g->bound ? UINT64_MAX : s->length + g->bound;
	s->op++;
	return 0;
}
