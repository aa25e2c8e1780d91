/* SPDX-License-Identifier: Apache-2.0
 *
 * What helpers take: each argument against its row in proto.def.
 */
#include <errno.h>
#include <linux/bpf.h>
#include "verify/call_int.h"

#define SIZE_MAX_BYTES (1 << 29)

static int reject_argument(struct verify *v, const struct verify_proto *p, unsigned arg, const struct value *value,
                           const char *wanted)
{
	return verify_reject(v, PICKET_REJECT_ARGUMENT, value, "see what the helper takes in bpf-helpers(7)",
	                     "argument %u of %s must be %s, but r%u is %s", arg + 1, p->name, wanted, arg + 1,
	                     value_kind_name(value->kind));
}

int argument_reject(struct verify *v, const struct argument *a, const char *wanted)
{
	return reject_argument(v, a->p, a->arg, a->value, wanted);
}

int argument_not_null(struct verify *v, const struct argument *a)
{
	if (!(a->value->flags & VALUE_MAYBE_NULL))
		return 0;
	return verify_reject(v, PICKET_REJECT_NULL_POINTER, a->value, "compare it with NULL first",
	                     "r%u may be NULL, and %s does not take that", a->arg + 1, a->p->name);
}

bool proto_is_kfunc(const struct verify_proto *p)
{
	return p->id == 0;
}

bool value_is_zero(const struct value *value)
{
	uint64_t constant;

	return value->kind == VALUE_NUMBER && scalar_is_constant(&value->number, &constant) && constant == 0;
}

static unsigned access_of(const struct verify_arg *a)
{
	if (a->flags & VERIFY_ARG_OUT)
		return ACCESS_WRITE | ACCESS_RAW;
	return ACCESS_READ | (a->flags & VERIFY_ARG_WRITE ? ACCESS_WRITE : 0);
}

static int check_memory(struct verify *v, const struct verify_proto *p, unsigned arg, const struct value *value,
                        uint64_t size, unsigned access)
{
	switch (value->kind) {
	case VALUE_PACKET:
	case VALUE_PACKET_META:
		/* an option's value is not really of a packet */
		if (!(p->flags & PROTO_TAKES_PACKET) && v->kind->id != PICKET_KIND_CGROUP_SOCKOPT)
			return reject_argument(v, p, arg, value,
			                       "memory outside of the packet: copy it to the stack first");
		/* fall through */
	case VALUE_STACK:
	case VALUE_MAP_VALUE:
	case VALUE_MAP_KEY:
	case VALUE_BUFFER:
	case VALUE_MEMORY:
	case VALUE_RECORD:
		break;
	case VALUE_OBJECT: /* the helper does not catch faults */
		if (!(value->flags & VALUE_TRUSTED) && !value->ref)
			return reject_argument(v, p, arg, value,
			                       "memory, or an object that is trusted: copy it with "
			                       "bpf_probe_read_kernel first");
		if (!object_has_bytes(v, value, size))
			return reject_argument(v, p, arg, value, "memory inside of the object");
		break;
	default:
		return reject_argument(v, p, arg, value, "a pointer to memory");
	}
	return verify_access(v, value, verify_register_name(arg + 1), 0, size, access);
}

static int check_map(struct verify *v, const struct verify_proto *p, unsigned arg, const struct value *value,
                     struct call_facts *facts)
{
	const struct picket_map_spec *m;

	if (value->kind != VALUE_MAP || value->flags & VALUE_MAYBE_NULL)
		return reject_argument(v, p, arg, value,
		                       value->kind == VALUE_MAP ? "a map: compare it with NULL first" : "a map");
	m = verify_map(v, value->object);
	for (const uint8_t *type = p->maps; type && *type != m->type; type++)
		if (!*type)
			return verify_reject(v, PICKET_REJECT_MAP, value,
			                     "use the helper that belongs to this type of map",
			                     "%s does not work on map %s", p->name, m->name);
	/* that of a map in a map is not told from another one's */
	if (facts->has_owner && (facts->owner != value->object || facts->owner & VERIFY_MAP_INNER))
		return reject_argument(v, p, arg, value, "the map whose value that is");
	facts->map = value->object;
	facts->has_map = true;
	return 0;
}

/* Memory whose size the next argument says. */
static int check_sized(struct verify *v, const struct verify_proto *p, unsigned arg, const struct value *memory,
                       const struct value *size, struct call_facts *facts)
{
	const struct verify_arg *next = &p->args[arg + 1];
	const struct range *r = &size->number.wide;

	if (size->kind == VALUE_NONE) {
		struct value *unset;
		return verify_read(v, arg + 2, &unset);
	}
	if (size->kind != VALUE_NUMBER)
		return reject_argument(v, p, arg + 1, size, "a size");
	node_need(v, size->node);
	if (r->smin < 0)
		return verify_reject(v, PICKET_REJECT_ARGUMENT, size, "make it unsigned, or leave if it is less than 0",
		                     "the size for %s, r%u, may be negative", p->name, arg + 2);
	if (r->umin == 0 && !(next->flags & VERIFY_ARG_ZERO))
		return verify_reject(v, PICKET_REJECT_ARGUMENT, size, "leave if it is 0",
		                     "the size for %s, r%u, may be 0", p->name, arg + 2);
	if (r->umax >= SIZE_MAX_BYTES)
		return verify_reject(v, PICKET_REJECT_ARGUMENT, size,
		                     "compare it with the size of the memory, or mask it with &",
		                     "the size for %s, r%u, has no upper bound", p->name, arg + 2);
	facts->length = r->umax;
	if (value_is_zero(memory)) {
		if (r->umax == 0 || p->args[arg].flags & VERIFY_ARG_OR_NULL)
			return r->umax == 0 ? 0 : reject_argument(v, p, arg, memory, "memory, as the size is not 0");
		return reject_argument(v, p, arg, memory, "a pointer to memory");
	}
	return check_memory(v, p, arg, memory, r->umax, access_of(&p->args[arg]));
}

static int check_constant(struct verify *v, const struct verify_proto *p, unsigned arg, const struct value *value,
                          uint64_t *ret_constant)
{
	if (value->kind != VALUE_NUMBER || !scalar_is_constant(&value->number, ret_constant))
		return reject_argument(v, p, arg, value, "a constant");
	node_need(v, value->node);
	return 0;
}

/* To be put into a map, or got out of it. */
static int check_value(struct verify *v, const struct argument *a)
{
	const struct picket_map_spec *m = verify_map(v, a->facts->map);
	struct verify_arg row = *argument_row(a);

	if (m->type == BPF_MAP_TYPE_SOCKMAP || m->type == BPF_MAP_TYPE_SOCKHASH)
		return argument_socket(v, a);
	if (m->type == BPF_MAP_TYPE_BLOOM_FILTER) /* peek asks for it */
		row.flags &= (uint8_t)~VERIFY_ARG_OUT;
	return check_memory(v, a->p, a->arg, a->value, m->value_size, access_of(&row));
}

/* Text that ends in a map that nobody can change. */
static int check_string(struct verify *v, const struct argument *a)
{
	const struct value *value = a->value;
	uint64_t at = 0, byte = 1;

	if (value->kind != VALUE_MAP_VALUE || value->flags & VALUE_MAYBE_NULL ||
	    !(verify_map(v, value->object)->flags & BPF_F_RDONLY_PROG))
		return argument_reject(v, a, "constant text");
	if (!scalar_is_constant(&value->number, &at))
		return argument_reject(v, a, "constant text at a known place");
	at += (uint64_t)(int64_t)value->offset;
	if (!v->program->image || value->object & VERIFY_MAP_INNER)
		return check_memory(v, a->p, a->arg, value, 1, ACCESS_READ);
	while (picket_image_constant(v->program->image, value->object, at, 1, &byte) && byte)
		at++;
	return byte ? argument_reject(v, a, "constant text that ends with a NUL") : 0;
}

/* Slices of it live as long as it does: the stack does not. */
static int check_dynptr_memory(struct verify *v, const struct argument *a)
{
	if (a->p->id != BPF_FUNC_dynptr_from_mem || a->value->kind == VALUE_MAP_VALUE || v->kind->flags & KIND_SANDBOX)
		return 0;
	return argument_reject(v, a, "a map's value");
}

static int check_context(struct verify *v, const struct argument *a)
{
	const uint8_t context = v->kind->flags & KIND_MEMORY_LENGTH ? VALUE_BUFFER : VALUE_CONTEXT;

	if (a->value->kind != context || a->value->offset || !scalar_is_constant(&a->value->number, NULL))
		return argument_reject(v, a, "the context, as it was at the program's beginning");
	return 0;
}

static int check_function(struct verify *v, const struct argument *a)
{
	if (a->value->kind != VALUE_FUNCTION)
		return argument_reject(v, a, "a function of the program");
	a->facts->function = a->value->object;
	a->facts->has_function = true;
	return 0;
}

static int check_record(struct verify *v, const struct argument *a)
{
	const struct value *value = a->value;

	if (value->kind != VALUE_RECORD || value->offset || value->flags & VALUE_MAYBE_NULL ||
	    !scalar_is_constant(&value->number, NULL))
		return argument_reject(v, a, "a ring buffer's record, compared with NULL, at its first byte");
	return 0;
}

static int check_type(struct verify *v, const struct argument *a)
{
	uint64_t type = 0;
	int r = check_constant(v, a->p, a->arg, a->value, &type);

	a->facts->type = type <= UINT32_MAX ? (uint32_t)type : 0;
	return r;
}

static int check_any(struct verify *v, const struct argument *a)
{
	if (!value_is_pointer(a->value) || verify_leaks(v))
		return 0;
	return verify_reject(v, PICKET_REJECT_POINTER_LEAK, a->value, "pass a number",
	                     "%s would be handed to %s as a number", value_kind_name(a->value->kind), a->p->name);
}

/* next: the register behind it. */
static int check_base(struct verify *v, const struct argument *a, const struct value *next)
{
	const struct verify_proto *p = a->p;
	const struct verify_arg *row = argument_row(a);
	struct call_facts *facts = a->facts;
	int r;

	switch (row->base) {
	case VERIFY_ARG_ANY:
		return check_any(v, a);
	case VERIFY_ARG_CONTEXT:
		return check_context(v, a);
	case VERIFY_ARG_MAP:
		return check_map(v, p, a->arg, a->value, facts);
	case VERIFY_ARG_KEY:
		return check_memory(v, p, a->arg, a->value, verify_map(v, facts->map)->key_size, ACCESS_READ);
	case VERIFY_ARG_VALUE:
		return check_value(v, a);
	case VERIFY_ARG_MEMORY:
		r = check_sized(v, p, a->arg, a->value, next, facts);
		return r ? r : check_dynptr_memory(v, a);
	case VERIFY_ARG_FIXED:
		return check_memory(v, p, a->arg, a->value, row->size, access_of(row));
	case VERIFY_ARG_SIZE: /* checked with the memory before it */
		return a->value->kind == VALUE_NUMBER ? 0 : argument_reject(v, a, "a size");
	case VERIFY_ARG_ALLOC_SIZE:
		return check_constant(v, p, a->arg, a->value, &facts->size);
	case VERIFY_ARG_CONSTANT:
		return check_constant(v, p, a->arg, a->value, &facts->constant);
	case VERIFY_ARG_TYPE:
		return check_type(v, a);
	case VERIFY_ARG_STRING:
		return check_string(v, a);
	case VERIFY_ARG_FUNCTION:
		return check_function(v, a);
	case VERIFY_ARG_CALLBACK_CONTEXT:
		if (a->value->kind != VALUE_STACK && a->value->kind != VALUE_NUMBER &&
		    a->value->kind != VALUE_MAP_VALUE)
			return argument_reject(v, a, "a pointer to the stack, or NULL");
		return 0;
	case VERIFY_ARG_RECORD:
		return check_record(v, a);
	case VERIFY_ARG_SPIN_LOCK:
		return argument_lock(v, a);
	case VERIFY_ARG_TIMER:
		return argument_timer(v, a);
	case VERIFY_ARG_WORKQUEUE:
		return argument_workqueue(v, a);
	case VERIFY_ARG_KPTR:
		return argument_kptr(v, a);
	case VERIFY_ARG_DYNPTR:
		return argument_dynptr(v, a);
	case VERIFY_ARG_ITERATOR:
		return argument_iterator(v, a);
	case VERIFY_ARG_SOCKET:
	case VERIFY_ARG_SOCK_COMMON:
		return argument_socket(v, a);
	case VERIFY_ARG_OBJECT:
		return argument_object(v, a);
	case VERIFY_ARG_PERCPU:
		return argument_percpu(v, a);
	default:
		return argument_reject(v, a, "something that is not understood");
	}
}

static bool releases_value(const struct verify_arg *row)
{
	return row->flags & VERIFY_ARG_RELEASE && row->base != VERIFY_ARG_DYNPTR && row->base != VERIFY_ARG_ITERATOR;
}

static int check_one(struct verify *v, const struct verify_proto *p, unsigned arg, struct call_facts *facts)
{
	const struct verify_arg *row = &p->args[arg];
	struct value *value, copy, next;
	const struct argument a = {.p = p, .arg = arg, .value = &copy, .facts = facts};
	int r;

	if (row->flags & VERIFY_ARG_UNSET && verify_leaks(v))
		return 0;
	r = verify_read(v, arg + 1, &value);
	if (r)
		return r;
	/* the check may take a copy of the frame: what is read is kept here */
	copy = *value;
	next = state_top(v->state)->registers[MIN(arg + 2, 5u)];
	if (row->flags & VERIFY_ARG_OR_NULL && value_is_zero(&copy) && row->base != VERIFY_ARG_MEMORY) {
		node_need(v, copy.node);
		return 0;
	}
	if (releases_value(row)) {
		if (!copy.ref)
			return verify_reject(v, PICKET_REJECT_RELEASED, &copy, "release what was acquired, once",
			                     "%s releases r%u, which holds no reference", p->name, arg + 1);
		facts->released = copy.ref;
	}
	if (p->flags & PROTO_CASTS && arg == 0)
		facts->cast = copy.ref;
	return check_base(v, &a, &next);
}

int verify_arguments(struct verify *v, const struct verify_proto *p, struct call_facts *ret_facts)
{
	struct call_facts facts = {.has_map = false};

	for (unsigned arg = 0; arg < 5 && p->args[arg].base != VERIFY_ARG_NONE; arg++) {
		int r = check_one(v, p, arg, &facts);
		if (r)
			return r;
	}
	*ret_facts = facts;
	return 0;
}
