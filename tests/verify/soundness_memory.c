/* SPDX-License-Identifier: Apache-2.0 */
#include <linux/bpf.h>
#include <stdarg.h>
#include <stdio.h>
#include "tests/verify/soundness_monitor.h"
#include "verify/table_int.h"

#define DYNPTR_BYTES 16

static const struct tag number = {.kind = TAG_NUMBER}, nothing = {.kind = TAG_NONE};

void monitor_violation(struct monitor *m, const char *format, ...)
{
	va_list list;

	if (m->violated || m->lost)
		return;
	m->violated = true;
	m->violation_insn = m->before_insn;
	va_start(list, format);
	vsnprintf(m->text, sizeof(m->text), format, list);
	va_end(list);
}

/* ---- objects ---- */
static bool lies_in(uint64_t low, uint64_t room, uint64_t address, uint64_t size)
{
	return size <= room && address - low <= room - size;
}

static unsigned object_place(struct monitor *m, enum object_kind kind, uint64_t low, uint64_t size)
{
	for (unsigned i = 0; i < m->object_count; i++) {
		const struct object *o = &m->objects[i];
		if (!o->alive)
			return i;
		if (kind == OBJECT_VALUE && o->kind == kind && o->low == low && o->size == size)
			return i;
	}
	if (m->object_count == OBJECTS_MAX)
		return OBJECTS_MAX;
	m->objects[m->object_count].alive = false;
	return m->object_count++;
}

struct tag monitor_object(struct monitor *m, enum object_kind kind, uint64_t low, uint64_t size, bool writable)
{
	unsigned place = object_place(m, kind, low, size);
	struct object *o = &m->objects[place];

	if (place == OBJECTS_MAX) {
		m->lost = true;
		return number;
	}
	if (!o->alive)
		*o = (struct object){.low = low,
		                     .size = size,
		                     .kind = (uint8_t)kind,
		                     .alive = true,
		                     .readable = true,
		                     .writable = writable,
		                     .generation = o->generation + 1};
	return (struct tag){.kind = TAG_POINTER, .object = (uint16_t)place, .generation = o->generation};
}

struct object *monitor_object_of(struct monitor *m, struct tag tag)
{
	struct object *o = &m->objects[tag.object];

	return tag.kind == TAG_POINTER && o->alive && o->generation == tag.generation ? o : NULL;
}

static struct tag tag_of(const struct monitor *m, uint16_t object)
{
	return (struct tag){.kind = TAG_POINTER, .object = object, .generation = m->objects[object].generation};
}

void monitor_new_packet(struct monitor *m)
{
	const struct soundness_world *w = m->world;
	bool writable = w->kind->flags & KIND_PACKET_WRITE;
	struct tag packet, meta;

	if (m->started)
		m->objects[m->packet].alive = m->objects[m->meta].alive = false;
	packet = monitor_object(m, OBJECT_PACKET, w->packet, w->packet_end - w->packet, writable);
	meta = monitor_object(m, OBJECT_META, w->packet_meta, w->packet - w->packet_meta, true);
	m->packet = packet.object;
	m->meta = meta.object;
}

/* ---- the stack ---- */
static struct monitor_frame *frame_of(struct monitor *m, uint16_t object)
{
	for (unsigned i = 0; i <= m->depth; i++)
		if (m->frames[i].object == object)
			return &m->frames[i];
	return NULL;
}

static void check_stack_depth(struct monitor *m, struct monitor_frame *f, uint64_t at)
{
	uint32_t sum = 0;

	f->depth = MAX(f->depth, (uint32_t)(PICKET_STACK_BYTES - at));
	for (unsigned i = 0; i <= m->depth; i++)
		sum += m->frames[i].depth;
	if (sum > m->runnable->stack_bytes)
		monitor_violation(m, "%u bytes of stack are used, the verdict says at most %u", sum,
		                  m->runnable->stack_bytes);
}

static struct tag stack_read(struct monitor *m, const struct monitor_frame *f, uint64_t at, uint64_t size,
                             unsigned access)
{
	bool tagged = false;

	for (uint64_t i = at; i < at + size; i++) {
		if (f->bytes[i] == STACK_UNWRITTEN && !(access & MONITOR_RAW) && !m->runnable->leaks)
			monitor_violation(m, "%llu bytes of stack are read at r10 - %llu, not all were written",
			                  (unsigned long long)size, (unsigned long long)(PICKET_STACK_BYTES - at));
		tagged |= f->bytes[i] == STACK_TAGGED;
	}
	if (!tagged)
		return number;
	if (size == 8 && at % 8 == 0 && !memchr(&f->bytes[at], STACK_UNWRITTEN, 8) &&
	    !memchr(&f->bytes[at], STACK_NUMBER, 8))
		return f->slots[at / 8];
	return m->runnable->leaks ? number : (struct tag){.kind = TAG_SECRET};
}

static void stack_write(struct monitor_frame *f, uint64_t at, uint64_t size, struct tag stored)
{
	bool whole = size == 8 && at % 8 == 0;

	if (stored.kind == TAG_NUMBER) {
		memset(&f->bytes[at], STACK_NUMBER, size);
		return;
	}
	memset(&f->bytes[at], STACK_TAGGED, size);
	if (whole)
		f->slots[at / 8] = stored;
	else
		for (uint64_t i = at; i < at + size; i++)
			f->slots[i / 8] = (struct tag){.kind = TAG_SECRET};
}

/* ---- the context ---- */
static struct tag context_read(struct monitor *m, uint64_t at, uint64_t size)
{
	const struct soundness_world *w = m->world;

	for (size_t i = 0; i < w->kind->field_count; i++) {
		const struct verify_field *f = &w->kind->fields[i];
		uint64_t value = 0;
		if (f->offset != at || f->size != size)
			continue;
		memcpy(&value, w->context + at, size);
		switch ((enum verify_field_type)f->type) {
		case FIELD_PACKET:
		case FIELD_PACKET_END:
		case FIELD_MEMORY_RANGE:
		case FIELD_MEMORY_END:
			return tag_of(m, m->packet);
		case FIELD_PACKET_META:
			return tag_of(m, m->meta);
		case FIELD_SOCKET_OR_NULL:
		case FIELD_SOCK_COMMON_OR_NULL:
		case FIELD_SOCKET:
		case FIELD_FLOW_KEYS:
			return value ? monitor_object(m, OBJECT_SOCKET, value, SOCKET_BYTES, f->type == FIELD_FLOW_KEYS)
			             : number;
		case FIELD_MEMORY:
			return monitor_object(m, OBJECT_MEMORY, value, f->object, false);
		default:
			return number;
		}
	}
	return number;
}

/* ---- accesses ---- */
static const char *object_name(const struct object *o)
{
	static const char *const names[] = {
	        [OBJECT_CONTEXT] = "context", [OBJECT_BUFFER] = "buffer", [OBJECT_PACKET] = "packet",
	        [OBJECT_META] = "metadata",   [OBJECT_FRAME] = "stack",   [OBJECT_VALUE] = "map value",
	        [OBJECT_KEY] = "map key",     [OBJECT_RECORD] = "record", [OBJECT_SOCKET] = "socket",
	        [OBJECT_MEMORY] = "memory",
	};

	return names[o->kind];
}

static bool check_access(struct monitor *m, struct tag pointer, uint64_t address, uint64_t size, unsigned access)
{
	const struct object *o = monitor_object_of(m, pointer);
	static const char *const wrong[] = {[TAG_NONE] = "nothing that was written",
	                                    [TAG_NUMBER] = "a number",
	                                    [TAG_SECRET] = "part of a pointer",
	                                    [TAG_POINTER] = "a pointer to what is no more",
	                                    [TAG_MAP] = "a map",
	                                    [TAG_FUNCTION] = "a function"};

	if (!o)
		monitor_violation(m, "access through %s, 0x%llx", wrong[pointer.kind], (unsigned long long)address);
	else if (!lies_in(o->low, o->size, address, size))
		monitor_violation(m, "%llu bytes at %lld of a %s of %llu bytes", (unsigned long long)size,
		                  (long long)(address - o->low), object_name(o), (unsigned long long)o->size);
	else if ((access & MONITOR_WRITE && !o->writable) || (access & MONITOR_READ && !o->readable))
		monitor_violation(m, "access to a %s that may not be %s", object_name(o),
		                  access & MONITOR_WRITE ? "written" : "read");
	return !m->violated && o;
}

struct tag monitor_access(struct monitor *m, struct tag pointer, uint64_t address, uint64_t size, unsigned access)
{
	const struct object *o;
	struct monitor_frame *f;
	uint64_t at;

	if (!size || !check_access(m, pointer, address, size, access))
		return number;
	o = &m->objects[pointer.object];
	at = address - o->low;
	if (o->kind == OBJECT_CONTEXT)
		return context_read(m, at, size);
	if (o->kind != OBJECT_FRAME)
		return number;
	f = frame_of(m, pointer.object);
	check_stack_depth(m, f, at);
	return access & MONITOR_READ ? stack_read(m, f, at, size, access) : number;
}

void monitor_store(struct monitor *m, struct tag pointer, uint64_t address, uint64_t size, struct tag stored)
{
	const struct object *o;

	monitor_access(m, pointer, address, size, MONITOR_WRITE);
	if (m->violated || m->lost || !size)
		return;
	o = &m->objects[pointer.object];
	if (o->kind == OBJECT_FRAME)
		stack_write(frame_of(m, pointer.object), address - o->low, size, stored);
	else if (stored.kind != TAG_NUMBER && !m->runnable->leaks)
		monitor_violation(m, "a pointer is stored to a %s", object_name(o));
}

/* ---- helpers' arguments ---- */
static const struct picket_map_spec *map_given(struct monitor *m, uint64_t pointer)
{
	if (world_has_map(m->world, pointer))
		return picket_map_spec((const struct picket_map *)(uintptr_t)pointer);
	monitor_violation(m, "a helper's argument is no map");
	return NULL;
}

/* A key that a program looks up is mostly not there: now it sometimes is. */
static void make_key(struct monitor *m, const struct helper_model *h, const uint64_t r[11])
{
	struct picket_map *map = (struct picket_map *)(uintptr_t)r[1];
	const struct picket_map_spec *spec = picket_map_spec(map);
	uint8_t value[256];

	if (m->violated || h->id != BPF_FUNC_map_lookup_elem || spec->value_size > sizeof(value) ||
	    (spec->type != BPF_MAP_TYPE_HASH && spec->type != BPF_MAP_TYPE_LRU_HASH) ||
	    chance_one_in(&m->world->chance, 2))
		return;
	world_fill(m->world, value, spec->value_size);
	picket_map_update(map, (const void *)(uintptr_t)r[2], value, BPF_NOEXIST);
}

static void take_memory(struct monitor *m, unsigned reg, const uint64_t r[11], uint64_t size, unsigned access)
{
	struct tag pointer = monitor_top(m)->registers[reg];

	if (access & MONITOR_READ)
		monitor_access(m, pointer, r[reg], size, access);
	else
		monitor_store(m, pointer, r[reg], size, number);
}

static void take_record(struct monitor *m, struct tag tag, uint64_t value)
{
	struct object *o = monitor_object_of(m, tag);

	if (!o || o->kind != OBJECT_RECORD || o->low != value)
		monitor_violation(m, "what is submitted or discarded is no record");
	else
		o->alive = false;
}

static void take_any(struct monitor *m, struct tag tag, unsigned reg)
{
	if (tag.kind == TAG_NONE)
		monitor_violation(m, "a helper's argument r%u was never written", reg);
	else if (tag.kind != TAG_NUMBER && !m->runnable->leaks)
		monitor_violation(m, "a pointer is handed to a helper as a number, r%u", reg);
}

static bool helper_acquires_dynptr(uint32_t id)
{
	return id == BPF_FUNC_ringbuf_reserve_dynptr;
}

static void count_dynptr(struct monitor *m, uint32_t id)
{
	m->dynptrs += helper_acquires_dynptr(id);
	if (id == BPF_FUNC_ringbuf_submit_dynptr || id == BPF_FUNC_ringbuf_discard_dynptr)
		m->dynptrs -= m->dynptrs > 0;
}

static void take_lock(struct monitor *m, uint32_t id, uint64_t address)
{
	if (id == BPF_FUNC_spin_lock) {
		if (m->lock)
			monitor_violation(m, "a second lock is taken");
		m->lock = address;
		return;
	}
	if (m->lock != address)
		monitor_violation(m, "a lock is given up that is not held");
	m->lock = 0;
}

static void take_argument(struct monitor *m, const struct helper_model *h, unsigned reg, const uint64_t r[11],
                          const struct picket_map_spec **map)
{
	struct tag tag = monitor_top(m)->registers[reg];

	switch (h->row.args[reg - 1]) {
	case PICKET_ARG_NONE:
		return;
	case PICKET_ARG_ANY:
		if (h->proto->args[reg - 1].base == VERIFY_ARG_ANY &&
		    !(h->proto->args[reg - 1].flags & VERIFY_ARG_UNSET && m->runnable->leaks))
			take_any(m, tag, reg);
		return;
	case PICKET_ARG_MAP:
		*map = map_given(m, r[reg]);
		return;
	case PICKET_ARG_MAP_KEY:
		take_memory(m, reg, r, *map ? (*map)->key_size : 0, MONITOR_READ);
		make_key(m, h, r);
		return;
	case PICKET_ARG_MAP_VALUE:
		take_memory(m, reg, r, *map ? (*map)->value_size : 0, MONITOR_READ);
		return;
	case PICKET_ARG_MAP_VALUE_OUT:
		take_memory(m, reg, r, *map ? (*map)->value_size : 0, MONITOR_WRITE);
		return;
	case PICKET_ARG_MEM:
	case PICKET_ARG_MEM_OR_NULL:
		take_memory(m, reg, r, r[reg + 1], MONITOR_READ);
		return;
	case PICKET_ARG_MEM_OUT:
	case PICKET_ARG_MEM_OUT_OR_NULL:
		take_memory(m, reg, r, r[reg + 1], MONITOR_WRITE);
		return;
	case PICKET_ARG_LONG_OUT:
		take_memory(m, reg, r, 8, MONITOR_WRITE);
		return;
	case PICKET_ARG_DYNPTR_OUT:
		take_memory(m, reg, r, DYNPTR_BYTES, MONITOR_WRITE);
		return;
	case PICKET_ARG_CONST_STR:
		take_memory(m, reg, r, 1, MONITOR_READ);
		return;
	case PICKET_ARG_RING_RECORD:
		take_record(m, tag, r[reg]);
		return;
	case PICKET_ARG_SPIN_LOCK:
		take_lock(m, h->id, r[reg]);
		return;
	default:
		if (tag.kind == TAG_NONE)
			monitor_violation(m, "a helper's argument r%u was never written", reg);
	}
}

/* What the interpreter cannot check of a model's arguments. */
static void take_model_argument(struct monitor *m, const struct verify_arg *a, unsigned reg, const uint64_t r[11])
{
	struct tag tag = monitor_top(m)->registers[reg];
	struct object *o = monitor_object_of(m, tag);

	if (tag.kind == TAG_NUMBER && !r[reg] && a->flags & VERIFY_ARG_OR_NULL)
		return;
	switch ((enum verify_arg_base)a->base) {
	case VERIFY_ARG_FIXED:
		if (!(a->flags & VERIFY_ARG_OUT))
			take_memory(m, reg, r, a->size, MONITOR_READ);
		if (a->flags & (VERIFY_ARG_OUT | VERIFY_ARG_WRITE))
			take_memory(m, reg, r, a->size, MONITOR_WRITE);
		return;
	case VERIFY_ARG_SOCKET:
	case VERIFY_ARG_SOCK_COMMON:
		if (!o || o->kind != OBJECT_SOCKET)
			monitor_violation(m, "a helper's argument r%u is no socket", reg);
		else if (a->flags & VERIFY_ARG_RELEASE)
			o->alive = false;
		return;
	default:
		return;
	}
}

void monitor_arguments(struct monitor *m, const struct helper_model *h, const uint64_t r[11])
{
	const struct picket_map_spec *map = NULL;

	for (unsigned reg = 1; reg <= 5 && !m->violated; reg++) {
		take_argument(m, h, reg, r, &map);
		if (!h->own && !m->violated)
			take_model_argument(m, &h->proto->args[reg - 1], reg, r);
	}
	if (m->lock && h->row.args[0] != PICKET_ARG_SPIN_LOCK)
		monitor_violation(m, "a helper is called while a lock is held");
	count_dynptr(m, h->id);
}

/* ---- what helpers return ---- */
static struct tag value_tag(struct monitor *m, const struct monitor_frame *f, uint64_t r0)
{
	const struct picket_map_spec *spec = picket_map_spec((const struct picket_map *)(uintptr_t)f->arguments[0]);
	struct tag tag;

	if (spec->inner)
		return (struct tag){.kind = TAG_MAP};
	tag = monitor_object(m, OBJECT_VALUE, r0, spec->value_size, !(spec->flags & BPF_F_RDONLY_PROG));
	m->objects[tag.object].readable = !(spec->flags & BPF_F_WRONLY_PROG);
	return tag;
}

static struct tag socket_tag(struct monitor *m, const struct verify_proto *p, uint64_t r0)
{
	struct tag tag = monitor_object(m, OBJECT_SOCKET, r0, SOCKET_BYTES, false);

	m->objects[tag.object].acquired = p->flags & PROTO_ACQUIRES;
	return tag;
}

struct tag monitor_result(struct monitor *m, const struct monitor_frame *f, uint64_t r0)
{
	const struct helper_model *h = f->helper;

	if (h->row.returns == PICKET_RETURN_VOID)
		return m->runnable->leaks ? number : nothing;
	if (!r0)
		return number;
	switch (h->row.returns) {
	case PICKET_RETURN_MAP_VALUE_OR_NULL:
		return value_tag(m, f, r0);
	case PICKET_RETURN_MEM_OR_NULL:
		return monitor_object(m, OBJECT_MEMORY, r0, f->arguments[2], true);
	case PICKET_RETURN_RING_RECORD_OR_NULL:
		return monitor_object(m, OBJECT_RECORD, r0, f->arguments[1], true);
	default:
		if (!h->own && h->proto->returns != VERIFY_RETURN_NUMBER)
			return socket_tag(m, h->proto, r0);
		return number;
	}
}
