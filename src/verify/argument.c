/* SPDX-License-Identifier: Apache-2.0
 *
 * What helpers take: each argument against its row in proto.def.
 */
#include <errno.h>
#include <linux/bpf.h>
#include "verify/table_int.h"

#define SIZE_MAX_BYTES (1 << 29)

static int reject_argument(struct verify *v, const struct verify_proto *p, unsigned arg, const struct value *value,
                           const char *wanted)
{
	return verify_reject(v, PICKET_REJECT_ARGUMENT, value, "see what the helper takes in bpf-helpers(7)",
	                     "argument %u of %s must be %s, but r%u is %s", arg + 1, p->name, wanted, arg + 1,
	                     value_kind_name(value->kind));
}

static bool is_null(const struct value *value)
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
                        uint64_t size)
{
	switch (value->kind) {
	case VALUE_PACKET:
	case VALUE_PACKET_META:
		if (!(p->flags & PROTO_TAKES_PACKET))
			return reject_argument(v, p, arg, value,
			                       "memory outside of the packet: copy it to the stack first");
		/* fall through */
	case VALUE_STACK:
	case VALUE_MAP_VALUE:
	case VALUE_MAP_KEY:
	case VALUE_BUFFER:
	case VALUE_MEMORY:
	case VALUE_RECORD:
	case VALUE_FLOW_KEYS:
	case VALUE_OBJECT:
		return verify_access(v, value, verify_register_name(arg + 1), 0, size, access_of(&p->args[arg]));
	default:
		return reject_argument(v, p, arg, value, "a pointer to memory");
	}
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
	if (is_null(memory)) {
		if (r->umax == 0 || p->args[arg].flags & VERIFY_ARG_OR_NULL)
			return r->umax == 0 ? 0 : reject_argument(v, p, arg, memory, "memory, as the size is not 0");
		return reject_argument(v, p, arg, memory, "a pointer to memory");
	}
	return check_memory(v, p, arg, memory, r->umax);
}

static int check_object(struct verify *v, const struct verify_proto *p, unsigned arg, const struct value *value)
{
	const struct verify_arg *a = &p->args[arg];
	uint32_t type;

	if (value->flags & VALUE_MAYBE_NULL && !(a->flags & VERIFY_ARG_OR_NULL))
		return verify_reject(v, PICKET_REJECT_NULL_POINTER, value, "compare it with NULL first",
		                     "r%u may be NULL, and %s does not take that", arg + 1, p->name);
	if (value->kind == VALUE_SOCKET || value->kind == VALUE_SOCK_COMMON || value->kind == VALUE_TCP_SOCK)
		return 0;
	if (value->kind != VALUE_OBJECT)
		return reject_argument(v, p, arg, value, "a kernel object");
	if (a->type && verify_types_by_name(v->types, a->type, &type) && value->object && type != value->object)
		return verify_reject(v, PICKET_REJECT_TYPE, value, "pass an object of the right type",
		                     "%s takes a struct %s, but r%u is a struct %s", p->name, a->type, arg + 1,
		                     verify_types_name(v->types, value->object));
	return 0;
}

static int check_socket(struct verify *v, const struct verify_proto *p, unsigned arg, const struct value *value)
{
	bool common = p->args[arg].base == VERIFY_ARG_SOCK_COMMON;

	if (value->flags & VALUE_MAYBE_NULL)
		return verify_reject(v, PICKET_REJECT_NULL_POINTER, value, "compare it with NULL first",
		                     "r%u, a socket, may be NULL here", arg + 1);
	if (value->kind == VALUE_SOCKET || value->kind == VALUE_OBJECT ||
	    (common && (value->kind == VALUE_SOCK_COMMON || value->kind == VALUE_TCP_SOCK)))
		return 0;
	return reject_argument(v, p, arg, value, "a socket");
}

/* In a map's value, at a place that is known. */
static int check_special(struct verify *v, const struct verify_proto *p, unsigned arg, const struct value *value,
                         uint64_t size, const char *wanted)
{
	if (value->kind != VALUE_MAP_VALUE || !scalar_is_constant(&value->number, NULL))
		return reject_argument(v, p, arg, value, wanted);
	return verify_access(v, value, verify_register_name(arg + 1), 0, size, ACCESS_READ | ACCESS_WRITE);
}

/* Locks are told apart by the pointer they are taken through: map and place in it. */
static int check_lock(struct verify *v, const struct verify_proto *p, const struct value *value)
{
	struct state *s = v->state;
	uint32_t name = 2 + value->object * 64 + (uint32_t)value->offset;
	int r = check_special(v, p, 0, value, 4, "a struct bpf_spin_lock in a map's value");

	if (r)
		return r;
	if (p->id == BPF_FUNC_spin_lock) {
		if (s->lock)
			return verify_reject(v, PICKET_REJECT_LOCK, value, "give up the first one before",
			                     "a lock is taken while one is held");
		s->lock = name;
		return 0;
	}
	if (s->lock != name)
		return verify_reject(v, PICKET_REJECT_LOCK, value, "unlock the one that was locked",
		                     s->lock ? "another lock is given up than the one that is held"
		                             : "a lock is given up that is not held");
	s->lock = 0;
	return 0;
}

static int check_dynptr(struct verify *v, const struct verify_proto *p, unsigned arg, const struct value *value,
                        struct call_facts *facts)
{
	const struct verify_arg *a = &p->args[arg];
	int64_t low, high;
	struct slot *slots[2];
	struct frame *f;
	uint32_t ref = 0;
	int r;

	if (value->kind != VALUE_STACK)
		return reject_argument(v, p, arg, value, "a struct bpf_dynptr on the stack");
	r = stack_check(v, value, verify_register_name(arg + 1), 0, 16, &low, &high);
	if (r)
		return r;
	if (low != high || low & 7)
		return reject_argument(v, p, arg, value, "a dynptr at a known place, a multiple of 8");
	f = state_frame(v, v->state, value->frame);
	if (!f || !frame_slot(v, f, (uint32_t)(-low - 1) / 8))
		return -ENOMEM;
	slots[0] = &f->stack->slots[(uint32_t)(-low - 1) / 8];
	slots[1] = slots[0] - 1;
	if (a->flags & VERIFY_ARG_OUT) {
		for (unsigned i = 0; i < 2; i++)
			if (memchr(slots[i]->bytes, BYTE_DYNPTR, 8))
				return verify_reject(v, PICKET_REJECT_DYNPTR, value, "submit or discard it first",
				                     "the dynptr for %s is one already", p->name);
		if (p->flags & PROTO_ACQUIRES) {
			r = state_acquire(v, v->state, &ref);
			if (r)
				return r;
		}
		for (unsigned i = 0; i < 2; i++) {
			*slots[i] = (struct slot){.node = node_new(v, 0, 0)};
			memset(slots[i]->bytes, BYTE_DYNPTR, 8);
			slots[i]->value =
			        (struct value){.kind = VALUE_NONE, .ref = ref, .offset = (int32_t)i, .room = ROOM_NONE};
		}
		return 0;
	}
	node_need(v, slots[0]->node);
	node_need(v, slots[1]->node);
	if (!memchr(slots[0]->bytes, BYTE_DYNPTR, 8) || !memchr(slots[1]->bytes, BYTE_DYNPTR, 8) ||
	    slots[0]->value.offset != 0 || slots[0]->value.ref != slots[1]->value.ref)
		return verify_reject(v, PICKET_REJECT_DYNPTR, value,
		                     "make it with a helper such as ringbuf_reserve_dynptr",
		                     "argument %u of %s is not a dynptr, or no more", arg + 1, p->name);
	if (a->flags & VERIFY_ARG_RELEASE) {
		facts->released = slots[0]->value.ref;
		for (unsigned i = 0; i < 2; i++)
			*slots[i] = (struct slot){.node = node_new(v, 0, 0), .value = {.room = ROOM_NONE}};
	}
	return 0;
}

static int check_constant(struct verify *v, const struct verify_proto *p, unsigned arg, const struct value *value,
                          uint64_t *ret_constant)
{
	if (value->kind != VALUE_NUMBER || !scalar_is_constant(&value->number, ret_constant))
		return reject_argument(v, p, arg, value, "a constant");
	node_need(v, value->node);
	return 0;
}

static int check_one(struct verify *v, const struct verify_proto *p, unsigned arg, struct call_facts *facts)
{
	const struct verify_arg *a = &p->args[arg];
	struct value *registers = state_top(v->state)->registers, *value;
	int r = verify_read(v, arg + 1, &value);

	if (r)
		return r;
	/* the check may take a copy of the frame: what is read is kept here */
	struct value copy = *value, next = arg < 4 ? registers[arg + 2] : *value;
	value = &copy;
	if (a->flags & VERIFY_ARG_RELEASE && a->base != VERIFY_ARG_DYNPTR) {
		if (!copy.ref)
			return verify_reject(v, PICKET_REJECT_RELEASED, value, "release what was acquired, once",
			                     "%s releases r%u, which holds no reference", p->name, arg + 1);
		facts->released = copy.ref;
	}
	if (a->flags & VERIFY_ARG_OR_NULL && is_null(value) && a->base != VERIFY_ARG_MEMORY) {
		node_need(v, copy.node);
		return 0;
	}
	switch ((enum verify_arg_base)a->base) {
	case VERIFY_ARG_NONE:
		return 0;
	case VERIFY_ARG_ANY:
		if (value_is_pointer(value) && !verify_leaks(v))
			return verify_reject(v, PICKET_REJECT_POINTER_LEAK, value, "pass a number",
			                     "%s would be handed to %s as a number", value_kind_name(copy.kind),
			                     p->name);
		return 0;
	case VERIFY_ARG_CONTEXT:
		if (copy.kind != VALUE_CONTEXT || copy.offset || !scalar_is_constant(&copy.number, NULL))
			return reject_argument(v, p, arg, value, "the context, as it was at the program's beginning");
		return 0;
	case VERIFY_ARG_MAP:
		return check_map(v, p, arg, value, facts);
	case VERIFY_ARG_KEY:
		return check_memory(v, p, arg, value, facts->has_map ? verify_map(v, facts->map)->key_size : 0);
	case VERIFY_ARG_VALUE:
		return check_memory(v, p, arg, value, facts->has_map ? verify_map(v, facts->map)->value_size : 0);
	case VERIFY_ARG_MEMORY:
		return check_sized(v, p, arg, value, &next, facts);
	case VERIFY_ARG_FIXED:
		return check_memory(v, p, arg, value, a->size);
	case VERIFY_ARG_SIZE: /* checked with the memory before it */
		return copy.kind == VALUE_NUMBER ? 0 : reject_argument(v, p, arg, value, "a size");
	case VERIFY_ARG_ALLOC_SIZE:
		return check_constant(v, p, arg, value, &facts->size);
	case VERIFY_ARG_CONSTANT:
		return check_constant(v, p, arg, value, &facts->constant);
	case VERIFY_ARG_STRING:
		if (copy.kind != VALUE_MAP_VALUE || !(verify_map(v, copy.object)->flags & BPF_F_RDONLY_PROG))
			return reject_argument(v, p, arg, value, "constant text");
		return check_memory(v, p, arg, value, 1);
	case VERIFY_ARG_FUNCTION:
		if (copy.kind != VALUE_FUNCTION)
			return reject_argument(v, p, arg, value, "a function of the program");
		facts->function = copy.object;
		facts->has_function = true;
		return 0;
	case VERIFY_ARG_CALLBACK_CONTEXT:
		if (copy.kind != VALUE_STACK && copy.kind != VALUE_NUMBER && copy.kind != VALUE_MAP_VALUE)
			return reject_argument(v, p, arg, value, "a pointer to the stack, or NULL");
		return 0;
	case VERIFY_ARG_RECORD:
		if (copy.kind != VALUE_RECORD || copy.offset || copy.flags & VALUE_MAYBE_NULL ||
		    !scalar_is_constant(&copy.number, NULL))
			return reject_argument(v, p, arg, value,
			                       "a ring buffer's record, compared with NULL, at its first byte");
		return 0;
	case VERIFY_ARG_SPIN_LOCK:
		return check_lock(v, p, value);
	case VERIFY_ARG_TIMER:
		return check_special(v, p, arg, value, 16, "a struct bpf_timer in a map's value");
	case VERIFY_ARG_KPTR:
		return check_special(v, p, arg, value, 8, "a place for a pointer in a map's value");
	case VERIFY_ARG_DYNPTR:
		return check_dynptr(v, p, arg, value, facts);
	case VERIFY_ARG_SOCKET:
	case VERIFY_ARG_SOCK_COMMON:
		return check_socket(v, p, arg, value);
	case VERIFY_ARG_OBJECT:
	case VERIFY_ARG_PERCPU:
		return check_object(v, p, arg, value);
	}
	return 0;
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
