/* SPDX-License-Identifier: Apache-2.0 */
#include <linux/bpf.h>
#include <stdarg.h>
#include <stdio.h>
#include "tests/verify/soundness_monitor.h"

static const struct tag number = {.kind = TAG_NUMBER};

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

	if (w->kind->flags & KIND_BTF_CONTEXT)
		return monitor_hook_read(m, at, size);
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
		case FIELD_OBJECT:
			return monitor_context_object(m, at, f->type_name);
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
	        [OBJECT_CONTEXT] = "context", [OBJECT_BUFFER] = "buffer",        [OBJECT_PACKET] = "packet",
	        [OBJECT_META] = "metadata",   [OBJECT_FRAME] = "stack",          [OBJECT_VALUE] = "map value",
	        [OBJECT_KEY] = "map key",     [OBJECT_RECORD] = "record",        [OBJECT_SOCKET] = "socket",
	        [OBJECT_MEMORY] = "memory",   [OBJECT_KERNEL] = "kernel object",
	};

	return names[o->kind];
}

/* What the kernel keeps of a map (struct bpf_map) may be read. The sandbox keeps something else: the run ends. */
static bool reads_map(struct monitor *m, uint64_t address, uint64_t size, unsigned access)
{
	const struct soundness_world *w = m->world;
	uint32_t type, bytes;

	if (access & MONITOR_WRITE || !verify_types_by_name(m->runnable->types, "bpf_map", &type))
		return false;
	bytes = verify_types_bytes(m->runnable->types, type);
	for (size_t i = 0; i < w->map_count; i++)
		if (lies_in((uintptr_t)w->maps[i], bytes, address, size) ||
		    (w->inner[i] && lies_in((uintptr_t)w->inner[i], bytes, address, size)))
			m->lost = true;
	return m->lost;
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

	if (pointer.kind == TAG_MAP && reads_map(m, address, size, access))
		return false;
	if (!o)
		monitor_violation(m, "access through %s, 0x%llx", wrong[pointer.kind], (unsigned long long)address);
	else if (o->kind == OBJECT_KERNEL && monitor_behind_kernel_object(m, o, address, size))
		return false;
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
	if (o->kind == OBJECT_KERNEL)
		return monitor_kernel_read(m, o, at, size);
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
	if (o->kind == OBJECT_FRAME) {
		monitor_overwrite_specials(m, pointer, address, size);
		stack_write(frame_of(m, pointer.object), address - o->low, size, stored);
	} else if (stored.kind != TAG_NUMBER && !m->runnable->leaks)
		monitor_violation(m, "a pointer is stored to a %s", object_name(o));
}
