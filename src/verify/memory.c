/* SPDX-License-Identifier: Apache-2.0
 *
 * Loads and stores: whose memory an address leads to, and whether it stays inside.
 */
#include <errno.h>
#include <linux/bpf.h>
#include "verify/call_int.h"

#define ITERATED_BYTES_MAX UINT16_MAX /* of a key or value; whoever attaches the program checks how many there are */

const struct picket_map_spec *verify_map(const struct verify *v, uint32_t object)
{
	const struct picket_map_spec *m = &v->maps[object & ~VERIFY_MAP_INNER];

	return object & VERIFY_MAP_INNER ? m->inner : m;
}

static int reject_bounds(struct verify *v, enum picket_category category, const struct value *p, const char *what,
                         const char *hint, int64_t low, int64_t end, uint64_t size)
{
	if (low < 0)
		return verify_reject(v, category, p, hint, "%s leads to %lld bytes before the first of %s", what,
		                     -(long long)low, value_kind_name(p->kind));
	return verify_reject(v, category, p, hint, "%s reaches byte %lld of %s that has %llu", what, (long long)end - 1,
	                     value_kind_name(p->kind), (unsigned long long)size);
}

/* Memory whose size is known. */
static int check_region(struct verify *v, const struct value *p, const char *what, int64_t offset, uint64_t size,
                        uint64_t region)
{
	const struct range *variable = &p->number.wide;
	int64_t low = p->offset + offset + variable->smin, end = p->offset + offset + variable->smax + (int64_t)size;

	if (low < 0 || end > (int64_t)region)
		return reject_bounds(
		        v, PICKET_REJECT_OUT_OF_BOUNDS, p, what,
		        variable->smin == variable->smax
		                ? "stay inside of the object"
		                : "compare the index with the number of elements, or mask it with &, before",
		        low, end, region);
	return 0;
}

/* Memory whose end is known only by comparisons that the program made. */
static int check_range(struct verify *v, const struct value *p, const char *what, int64_t offset, uint64_t size)
{
	const struct range *variable = &p->number.wide;
	int64_t low = p->offset + offset, end = low + (int64_t)size;
	bool inside = low >= 0 && end <= (int64_t)p->range && variable->smin >= 0;

	if (p->kind == VALUE_BUFFER && !inside)
		inside = low + variable->smin >= 0 && variable->smax <= 1 << 30 &&
		         end + variable->smax <= (int64_t)MIN(v->state->length_min, (uint64_t)INT64_MAX);
	if (inside)
		return 0;
	if (low + variable->smin < 0)
		return verify_reject(v, PICKET_REJECT_PACKET_BOUNDS, p, "do not go before the first byte",
		                     "%s may lead to %lld bytes before the first of %s", what,
		                     -(long long)(low + variable->smin), value_kind_name(p->kind));
	return verify_reject(
	        v, PICKET_REJECT_PACKET_BOUNDS, p,
	        p->kind == VALUE_BUFFER ? "compare the length (r2) with what you read before you read it"
	                                : "compare pointer + size with data_end before, and leave if it is greater",
	        "%s leads to byte %lld of %s, of which %llu %s proven to exist on this path", what, (long long)end - 1,
	        value_kind_name(p->kind),
	        (unsigned long long)(p->kind == VALUE_BUFFER ? MAX(p->range, v->state->length_min) : p->range),
	        p->range == 1 ? "is" : "are");
}

static int check_map_value(struct verify *v, const struct value *p, const char *what, int64_t offset, uint64_t size,
                           unsigned access)
{
	const struct picket_map_spec *m = verify_map(v, p->object);
	int r;

	if (access & ACCESS_WRITE && m->flags & BPF_F_RDONLY_PROG)
		return verify_reject(v, PICKET_REJECT_READ_ONLY, p, "make the variable not const, or copy it first",
		                     "map %s may only be read by programs", m->name);
	if (access & ACCESS_READ && m->flags & BPF_F_WRONLY_PROG)
		return verify_reject(v, PICKET_REJECT_READ_ONLY, p, "create the map without BPF_F_WRONLY_PROG",
		                     "map %s may only be written by programs", m->name);
	r = check_region(v, p, what, offset, size, m->value_size);
	return r ? r : verify_special_guard(v, p, what, offset, size);
}

static int check_packet(struct verify *v, const struct value *p, const char *what, int64_t offset, uint64_t size,
                        unsigned access)
{
	if (access & ACCESS_WRITE && p->kind == VALUE_PACKET && !(v->kind->flags & KIND_PACKET_WRITE))
		return verify_reject(v, PICKET_REJECT_READ_ONLY, p,
		                     "use a helper that writes, or another kind of program",
		                     "programs of kind %s may not write to the packet", v->kind->name);
	return check_range(v, p, what, offset, size);
}

/* ---- fields ---- */

static const struct verify_field *field_at(const struct verify_field *fields, size_t count, int64_t offset)
{
	for (size_t i = 0; i < count; i++)
		if (offset >= fields[i].offset && offset < fields[i].offset + fields[i].size)
			return &fields[i];
	return NULL;
}

static int check_socket(struct verify *v, const struct value *p, const char *what, int64_t offset, uint64_t size,
                        unsigned access)
{
	const struct verify_layout layout =
	        verify_layout_find(p->kind == VALUE_SOCKET        ? VERIFY_LAYOUT_SOCKET
	                           : p->kind == VALUE_SOCK_COMMON ? VERIFY_LAYOUT_SOCK_COMMON
	                                                          : VERIFY_LAYOUT_TCP_SOCK);
	const struct verify_field *f;
	int64_t at = p->offset + offset + p->number.wide.smin;

	if (access & ACCESS_WRITE)
		return verify_reject(v, PICKET_REJECT_READ_ONLY, p, "use a helper such as setsockopt",
		                     "%s is a socket: its fields may only be read", what);
	f = scalar_is_constant(&p->number, NULL) ? field_at(layout.fields, layout.field_count, at) : NULL;
	if (f && verify_field_fits(f, at, size, false))
		return 0;
	return verify_reject(
	        v, PICKET_REJECT_CONTEXT, p,
	        f ? "read the whole field"
	          : "see which fields struct bpf_sock and struct bpf_tcp_sock have; a socket that may be no "
	            "full one has fewer: see bpf_sk_fullsock",
	        f ? "%s at byte %lld, %llu bytes: %s is not read in this width"
	          : "%s at byte %lld, %llu bytes: there is no field",
	        value_kind_name(p->kind), (long long)at, (unsigned long long)size, f ? f->name : "");
}

static int reject_access(struct verify *v, const struct value *p, const char *what)
{
	if (value_is_zero(p))
		return verify_reject(v, PICKET_REJECT_NULL_POINTER, p, "compare it with NULL first, and leave if it is",
		                     "%s is NULL on this path", what);
	if (p->kind == VALUE_NUMBER)
		return verify_reject(v, PICKET_REJECT_NOT_A_POINTER, p,
		                     "only what is known to be a pointer can be followed",
		                     "%s is a number, not a pointer", what);
	return verify_reject(v, PICKET_REJECT_NOT_A_POINTER, p,
	                     "this pointer is only good for comparing or for helpers",
	                     "%s is %s: it has no memory to be read or written", what, value_kind_name(p->kind));
}

int verify_access(struct verify *v, const struct value *p, const char *what, int64_t offset, uint64_t size,
                  unsigned access)
{
	if (p->flags & VALUE_MAYBE_NULL)
		return verify_reject(v, PICKET_REJECT_NULL_POINTER, p, "compare it with NULL first, and leave if it is",
		                     "%s, %s, may be NULL here", what, value_kind_name(p->kind));
	if (access & ACCESS_WRITE && p->flags & VALUE_READ_ONLY)
		return verify_reject(v, PICKET_REJECT_READ_ONLY, p, "copy it to the stack and change it there",
		                     "%s may only be read", what);
	switch ((enum value_kind)p->kind) {
	case VALUE_STACK:
		return stack_use(v, p, offset, size, access);
	case VALUE_MAP_VALUE:
		return check_map_value(v, p, what, offset, size, access);
	case VALUE_MAP_KEY:
		if (access & ACCESS_WRITE)
			return verify_reject(v, PICKET_REJECT_READ_ONLY, p, "copy the key", "%s is a map's key", what);
		return check_region(v, p, what, offset, size, verify_map(v, p->object)->key_size);
	case VALUE_PACKET:
	case VALUE_PACKET_META:
	case VALUE_BUFFER:
		return check_packet(v, p, what, offset, size, access);
	case VALUE_MEMORY:
	case VALUE_RECORD:
		return check_region(v, p, what, offset, size, p->object);
	case VALUE_FLOW_KEYS:
		return check_region(v, p, what, offset, size, sizeof(struct bpf_flow_keys));
	case VALUE_SOCKET:
	case VALUE_SOCK_COMMON:
	case VALUE_TCP_SOCK:
		return check_socket(v, p, what, offset, size, access);
	case VALUE_OBJECT:
		return verify_object_access(v, p, what, offset, size, access);
	default:
		return reject_access(v, p, what);
	}
}

/* ---- the context ---- */

static struct value field_value(struct verify *v, const struct verify_field *f, unsigned size, bool is_signed)
{
	struct value value = {.number = scalar_constant(0), .node = node_new(v, 0, 0), .room = ROOM_NONE};

	switch ((enum verify_field_type)f->type) {
	case FIELD_PACKET:
		value.kind = VALUE_PACKET;
		return value;
	case FIELD_PACKET_META:
		value.kind = VALUE_PACKET_META;
		return value;
	case FIELD_PACKET_END:
	case FIELD_MEMORY_END:
		value.kind = VALUE_PACKET_END;
		return value;
	case FIELD_MEMORY:
		value.kind = VALUE_MEMORY;
		value.object = f->object;
		return value;
	case FIELD_MEMORY_RANGE:
		value.kind = VALUE_PACKET;
		return value;
	case FIELD_SOCKET_OR_NULL:
		value.flags = VALUE_MAYBE_NULL;
		value.id = verify_id(v);
		value.kind = VALUE_SOCKET;
		return value;
	case FIELD_SOCKET:
		value.kind = VALUE_SOCKET;
		return value;
	case FIELD_SOCK_COMMON_OR_NULL:
		value.flags = VALUE_MAYBE_NULL;
		value.id = verify_id(v);
		value.kind = VALUE_SOCK_COMMON;
		return value;
	case FIELD_FLOW_KEYS:
		value.kind = VALUE_FLOW_KEYS;
		return value;
	case FIELD_OBJECT:
		value.kind = VALUE_OBJECT;
		value.flags = VALUE_TRUSTED;
		if (f->type_name && !verify_types_by_name(v->types, f->type_name, &value.object))
			value.object = 0;
		return value;
	case FIELD_NUMBER:
		break;
	}
	return value_number(v, scalar_loaded(size, is_signed));
}

static int reject_context(struct verify *v, const struct value *p, int64_t at, unsigned size, const char *why)
{
	return verify_reject(
	        v, PICKET_REJECT_CONTEXT, p, "see which fields of the context this kind of program may use",
	        "the context of kind %s, at byte %lld, %u bytes: %s", v->kind->name, (long long)at, size, why);
}

static int context_at(struct verify *v, const struct value *p, int64_t offset, unsigned size, int64_t *ret_at)
{
	uint64_t variable;

	if (!scalar_is_constant(&p->number, &variable))
		return reject_context(v, p, offset, size, "the offset must be a constant");
	if (p->offset + (int64_t)variable) /* the kernel puts others in the place of such instructions */
		return reject_context(v, p, offset, size, "its address was moved before");
	*ret_at = offset;
	if (*ret_at < 0 || *ret_at + size > v->kind->context_size)
		return reject_context(v, p, *ret_at, size, "outside of it");
	if (*ret_at % size)
		return reject_context(v, p, *ret_at, size, "not at a multiple of its size");
	return 0;
}

/* An argument of the hook: pointers are read whole, numbers in parts, too, from their first byte. */
static int argument_load(struct verify *v, const struct value *p, int64_t at, unsigned size, struct value *ret_value)
{
	const unsigned index = (unsigned)(at / 8);
	struct verify_type_field f;

	if (at % 8)
		return reject_context(v, p, at, size, "arguments are read from their first byte");
	if (!verify_types_argument(v->types, v->kind, v->program->hook, index, &f)) {
		if (verify_types_has_hook(v->types, v->kind, v->program->hook))
			return reject_context(v, p, at, size, "the hook has fewer arguments");
		return 0;
	}
	if (f.what != TYPE_FIELD_NUMBER && size != 8)
		return reject_context(v, p, at, size, "a pointer has 8 bytes");
	if (f.what == TYPE_FIELD_NUMBER || f.what == TYPE_FIELD_OTHER_POINTER)
		return 0;
	ret_value->number = scalar_constant(0);
	ret_value->flags = f.maybe_null ? VALUE_MAYBE_NULL : 0;
	if (f.what == TYPE_FIELD_BUFFER) {
		ret_value->kind = VALUE_MEMORY;
		ret_value->object = ITERATED_BYTES_MAX;
		ret_value->flags |= f.read_only ? VALUE_READ_ONLY : 0;
	} else {
		ret_value->kind = VALUE_OBJECT;
		ret_value->object = f.type;
		ret_value->flags |= (f.trusted ? VALUE_TRUSTED : 0) | (f.percpu ? VALUE_PERCPU : 0);
	}
	ret_value->id = f.maybe_null ? verify_id(v) : 0;
	return 0;
}

static int context_load(struct verify *v, const struct value *p, int64_t offset, unsigned size, bool is_signed,
                        struct value *ret_value)
{
	const struct verify_field *f;
	int64_t at;
	int r = context_at(v, p, offset, size, &at);

	if (r)
		return r;
	*ret_value = value_number(v, scalar_loaded(size, is_signed));
	if (v->kind->flags & (KIND_RAW_CONTEXT | KIND_ARGUMENTS))
		return v->kind->flags & KIND_ARGUMENTS && size != 8
		               ? reject_context(v, p, at, size, "arguments have 8 bytes")
		               : 0;
	if (v->kind->flags & KIND_BTF_CONTEXT)
		return argument_load(v, p, at, size, ret_value);
	f = field_at(v->kind->fields, v->kind->field_count, at);
	if (!f || !(f->flags & FIELD_READ))
		return reject_context(v, p, at, size, f ? "may not be read" : "there is no field");
	if (!verify_field_fits(f, at, size, false))
		return reject_context(v, p, at, size, "not in this width");
	if (f->type != FIELD_NUMBER && is_signed)
		return reject_context(v, p, at, size, "a pointer has no sign");
	*ret_value = field_value(v, f, size, is_signed);
	return 0;
}

static int context_store(struct verify *v, const struct value *p, int64_t offset, unsigned size,
                         const struct value *value)
{
	const struct verify_field *f;
	int64_t at;
	int r = context_at(v, p, offset, size, &at);

	if (r)
		return r;
	f = field_at(v->kind->fields, v->kind->field_count, at);
	if (!f || !(f->flags & FIELD_WRITE))
		return reject_context(v, p, at, size, f ? "may not be written" : "there is no field to be written");
	if (!verify_field_fits(f, at, size, true))
		return reject_context(v, p, at, size, "not in this width");
	if (value_is_pointer(value) && f->type == FIELD_NUMBER)
		return verify_reject(v, PICKET_REJECT_POINTER_LEAK, value, "store a number",
		                     "%s would be stored to the context", value_kind_name(value->kind));
	return 0;
}

/* ---- instructions ---- */

static int check_alignment(struct verify *v, const struct value *p, int64_t offset, unsigned size, bool atomic)
{
	struct bits at = p->number.bits;

	const bool strict = v->options.strict_alignment || (p->kind == VALUE_STACK && !(v->kind->flags & KIND_SANDBOX));

	if (!atomic && !strict)
		return 0;
	if (((at.value + (uint64_t)(p->offset + offset)) | at.mask) & (size - 1))
		return verify_reject(v, PICKET_REJECT_MISALIGNED, p, "align the data to their size",
		                     "%u bytes are accessed at an offset that is not a multiple of %u", size, size);
	return 0;
}

/* Of a section of data that nobody writes to: what the object's file has there. */
static bool frozen_load(struct verify *v, const struct value *p, int64_t offset, unsigned size, bool is_signed,
                        struct value *ret_value)
{
	uint64_t at, number;

	if (p->kind != VALUE_MAP_VALUE || !v->program->image || p->object & VERIFY_MAP_INNER ||
	    !scalar_is_constant(&p->number, &at))
		return false;
	at += (uint64_t)(p->offset + offset);
	if (!picket_image_constant(v->program->image, p->object, at, size, &number))
		return false;
	*ret_value = value_number(v, scalar_constant(number));
	if (is_signed)
		scalar_sign_extend(true, 8 * size, &ret_value->number);
	return true;
}

/* What the kernel keeps of a map. */
static int map_load(struct verify *v, const char *what, const struct value *p, int64_t offset, unsigned size,
                    bool is_signed, struct value *ret_value)
{
	struct value map = *p;
	int r;

	if (!verify_types_by_name(v->types, "bpf_map", &map.object))
		return reject_access(v, p, what);
	map.kind = VALUE_OBJECT;
	r = verify_object_access(v, &map, what, offset, size, ACCESS_READ);
	return r ? r : verify_object_load(v, &map, offset, size, is_signed, ret_value);
}

static int load(struct verify *v, const char *what, const struct value *p, int64_t offset, unsigned size,
                bool is_signed, struct value *ret_value)
{
	int r;

	if (p->kind == VALUE_CONTEXT)
		return context_load(v, p, offset, size, is_signed, ret_value);
	if (p->kind == VALUE_STACK)
		return stack_load(v, p, offset, size, is_signed, ret_value);
	if (p->kind == VALUE_MAP && !(p->flags & VALUE_MAYBE_NULL))
		return map_load(v, what, p, offset, size, is_signed, ret_value);
	if (p->kind == VALUE_MAP_VALUE) {
		bool done;
		r = verify_special_load(v, p, offset, size, ret_value, &done);
		if (r || done)
			return r;
	}
	r = verify_access(v, p, what, offset, size, ACCESS_READ);
	if (r || frozen_load(v, p, offset, size, is_signed, ret_value))
		return r;
	if (p->kind == VALUE_OBJECT)
		return verify_object_load(v, p, offset, size, is_signed, ret_value);
	*ret_value = value_number(v, scalar_loaded(size, is_signed));
	return 0;
}

static int store(struct verify *v, const char *what, const struct value *p, int64_t offset, unsigned size,
                 const struct value *value)
{
	if (p->kind == VALUE_CONTEXT)
		return context_store(v, p, offset, size, value);
	if (p->kind == VALUE_STACK)
		return stack_store(v, p, offset, size, value);
	if (p->kind == VALUE_MAP_VALUE) {
		bool done;
		int r = verify_special_store(v, p, offset, size, value, &done);
		if (r || done)
			return r;
	}
	if (value_is_pointer(value) && !verify_leaks(v))
		return verify_reject(v, PICKET_REJECT_POINTER_LEAK, value, "store a number",
		                     "%s would be stored where others can read it", value_kind_name(value->kind));
	return verify_access(v, p, what, offset, size, ACCESS_WRITE);
}

static unsigned access_size(const struct vm_op *op)
{
	static const uint8_t sizes[] = {4, 2, 1, 8}; /* BPF_SIZE: W, H, B, DW */

	return sizes[vm_insns[op->op].code >> 3 & 3];
}

/* Load-acquire and store-release. */
static bool is_ordered(const struct vm_op *op)
{
	return op->op >= VM_LOAD_ACQUIRE8 && op->op <= VM_STORE_RELEASE64;
}

static bool op_is_load(const struct vm_op *op)
{
	return vm_insns[op->op].format == VM_FORMAT_LOAD;
}

static int check_atomic(struct verify *v, const struct value *p)
{
	if (p->kind != VALUE_CONTEXT && p->kind != VALUE_PACKET && p->kind != VALUE_PACKET_META &&
	    p->kind != VALUE_FLOW_KEYS && p->kind != VALUE_SOCKET && p->kind != VALUE_SOCK_COMMON &&
	    p->kind != VALUE_TCP_SOCK)
		return 0;
	return verify_reject(v, PICKET_REJECT_TYPE, p, "do it in a map's value or on the stack",
	                     "atomic operations on %s are not allowed", value_kind_name(p->kind));
}

/* fetch: the old value comes back in src; cmpxchg: in r0. */
static int verify_atomic(struct verify *v, const struct vm_op *op, struct value *p, unsigned size)
{
	bool compares = op->op == VM_CMPXCHG32 || op->op == VM_CMPXCHG64;
	bool fetches = compares || (op->op >= VM_FETCH_ADD32 && op->op <= VM_XCHG64);
	struct value *src, *r0, old;
	int r = verify_read(v, op->src, &src);

	if (!r && compares)
		r = verify_read(v, 0, &r0);
	if (r)
		return r;
	r = check_atomic(v, p);
	if (r)
		return r;
	if ((value_is_pointer(src) || (compares && value_is_pointer(r0))) && !verify_leaks(v))
		return verify_reject(v, PICKET_REJECT_POINTER_LEAK, src, "use a number",
		                     "an atomic operation would store a pointer");
	r = check_alignment(v, p, op->offset, size, true);
	if (!r)
		r = load(v, verify_register_name(op->dst), p, op->offset, size, false, &old);
	if (!r && value_is_pointer(&old) && !verify_leaks(v))
		return verify_reject(v, PICKET_REJECT_POINTER_LEAK, &old, "use a number",
		                     "an atomic operation would change a pointer");
	if (r)
		return r;
	struct value written = value_unknown(v);
	r = store(v, verify_register_name(op->dst), p, op->offset, size, &written);
	if (r || !fetches)
		return r;
	*(compares ? r0 : src) = old.kind == VALUE_NUMBER ? old : value_number(v, scalar_loaded(size, false));
	return 0;
}

int verify_memory(struct verify *v, const struct vm_op *op)
{
	struct frame *f = state_frame(v, v->state, v->state->frame_count - 1);
	const unsigned size = access_size(op);
	const bool is_signed = op->op == VM_LDXSW || op->op == VM_LDXSH || op->op == VM_LDXSB;
	struct value *p, *src, result;
	int r;

	if (!f)
		return -ENOMEM;
	r = verify_read(v, op_is_load(op) ? op->src : op->dst, &p);
	if (r)
		return r;
	if (vm_insns[op->op].format == VM_FORMAT_ATOMIC_REG)
		return verify_atomic(v, op, p, size);
	if (is_ordered(op))
		r = check_atomic(v, p);
	if (!r)
		r = check_alignment(v, p, op->offset, size, is_ordered(op));
	if (r)
		return r;
	if (op_is_load(op)) {
		r = load(v, verify_register_name(op->src), p, op->offset, size, is_signed, &result);
		if (!r)
			f->registers[op->dst] = result;
		return r;
	}
	if (vm_insns[op->op].format == VM_FORMAT_STORE_REG) {
		r = verify_read(v, op->src, &src);
		if (r)
			return r;
		if (src->kind == VALUE_NUMBER && !src->id && p->kind == VALUE_STACK &&
		    !scalar_is_constant(&src->number, NULL))
			src->id = verify_id(v);
		return store(v, verify_register_name(op->dst), p, op->offset, size, src);
	}
	result = value_number(v, scalar_constant((uint64_t)op->imm));
	return store(v, verify_register_name(op->dst), p, op->offset, size, &result);
}
