/* SPDX-License-Identifier: Apache-2.0 */
#include <linux/bpf.h>
#include "tests/verify/soundness_monitor.h"
#include "verify/table_int.h"

static const struct tag number = {.kind = TAG_NUMBER}, nothing = {.kind = TAG_NONE};

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
	const struct object *o = monitor_object_of(m, pointer);

	if (size && o && o->kind == OBJECT_KERNEL && o->standing >= STANDING_WALKED)
		monitor_violation(m, "the memory at r%u, which a helper takes, may be there or not", reg);
	if (access & MONITOR_READ)
		monitor_access(m, pointer, r[reg], size, access);
	else
		monitor_store(m, pointer, r[reg], size, number);
}

static void take_record(struct monitor *m, struct tag tag, uint64_t value)
{
	const struct object *o = monitor_object_of(m, tag);

	if (!o || o->kind != OBJECT_RECORD || o->low != value)
		monitor_violation(m, "what is submitted or discarded is no record");
	else
		monitor_release(m, o->reference);
}

static void take_any(struct monitor *m, struct tag tag, unsigned reg)
{
	if (tag.kind == TAG_NONE)
		monitor_violation(m, "a helper's argument r%u was never written", reg);
	else if (tag.kind != TAG_NUMBER && !m->runnable->leaks)
		monitor_violation(m, "a pointer is handed to a helper as a number, r%u", reg);
}

static void take_lock(struct monitor *m, uint32_t id, uint64_t address)
{
	if (id == BPF_FUNC_spin_lock) {
		monitor_count(HAPPENED_LOCKED);
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
	case PICKET_ARG_DYNPTR:
	case PICKET_ARG_DYNPTR_OUT: /* below */
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

static void take_socket(struct monitor *m, const struct verify_proto *p, unsigned arg, uint64_t value)
{
	const struct verify_arg *a = &p->args[arg];
	const struct object *o = monitor_object_of(m, monitor_top(m)->registers[arg + 1]);

	if (o && o->kind == OBJECT_KERNEL) {
		monitor_take_object(m, p, arg, value);
	} else if (!o || o->kind != OBJECT_SOCKET) {
		monitor_violation(m, "r%u, given to %s, is no socket", arg + 1, p->name);
	} else if (a->flags & VERIFY_ARG_RELEASE) {
		if (!o->reference)
			monitor_violation(m, "a socket is released that was not acquired");
		monitor_release(m, o->reference);
	}
}

/* What the interpreter cannot check. */
static void take_by_prototype(struct monitor *m, const struct verify_proto *p, unsigned arg, const uint64_t r[11])
{
	const struct verify_arg *a = &p->args[arg];
	const unsigned reg = arg + 1;

	if (monitor_top(m)->registers[reg].kind == TAG_NUMBER && !r[reg] && a->flags & VERIFY_ARG_OR_NULL)
		return;
	switch (a->base) {
	case VERIFY_ARG_FIXED:
		if (!(a->flags & VERIFY_ARG_OUT))
			take_memory(m, reg, r, a->size, MONITOR_READ);
		if (a->flags & (VERIFY_ARG_OUT | VERIFY_ARG_WRITE))
			take_memory(m, reg, r, a->size, MONITOR_WRITE);
		return;
	case VERIFY_ARG_SOCKET:
	case VERIFY_ARG_SOCK_COMMON:
		take_socket(m, p, arg, r[reg]);
		return;
	case VERIFY_ARG_OBJECT:
		monitor_take_object(m, p, arg, r[reg]);
		return;
	case VERIFY_ARG_ITERATOR:
		monitor_take_iterator(m, p, arg, r);
		return;
	case VERIFY_ARG_DYNPTR:
		monitor_take_dynptr(m, p, arg, r);
		return;
	default:
		return;
	}
}

static void check_place(struct monitor *m, const struct helper_model *h)
{
	if (m->lock && h->row.args[0] != PICKET_ARG_SPIN_LOCK)
		monitor_violation(m, "%s is called while a lock is held", h->proto->name);
	if (!(h->proto->flags & PROTO_SLEEPS) || m->world->kind->flags & KIND_SANDBOX)
		return;
	if (!m->runnable->sleeps || m->rcu || m->preempt)
		monitor_violation(m, "%s, which may sleep, is called where that is not allowed", h->proto->name);
}

void monitor_arguments(struct monitor *m, const struct helper_model *h, const uint64_t r[11])
{
	const struct picket_map_spec *map = NULL;

	for (unsigned reg = 1; reg <= 5 && !m->violated; reg++) {
		take_argument(m, h, reg, r, &map);
		if (!m->violated)
			take_by_prototype(m, h->proto, reg - 1, r);
	}
	check_place(m, h);
	if (m->violated)
		return;
	if (!h->id) {
		monitor_count(HAPPENED_KFUNC);
		monitor_section(m, h->proto);
	}
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

/* A dynptr's slice, what an iterator gives, another view of a socket: gone with those. */
static uint16_t reference_of_source(struct monitor *m, const struct monitor_frame *f, const struct verify_proto *p)
{
	const struct special *special = monitor_special_given(m, p, f->arguments);
	const struct object *o;

	if (special)
		return special->rcu ? 0 : special->reference;
	if (!(p->flags & PROTO_CASTS))
		return 0;
	o = monitor_object_of(m, f->argument_tags[0]);
	return o ? o->reference : 0;
}

/* What reads the kernel's RCU lists gives nothing that outlasts the section. */
static enum standing standing_given(const struct verify_proto *p, uint16_t reference)
{
	if (p->returns == VERIFY_RETURN_CAST)
		return STANDING_UNTRUSTED;
	if (p->flags & KFUNC_ITER_NEXT && !reference)
		return STANDING_RCU;
	if (p->return_flags & VERIFY_RETURN_TRUSTED || p->flags & PROTO_ACQUIRES || reference)
		return STANDING_TRUSTED;
	return STANDING_WALKED;
}

static uint64_t size_of_result(const struct monitor_frame *f, const struct verify_proto *p)
{
	for (unsigned i = 0; i < ARRAY_SIZE(p->args) && !p->return_size; i++)
		if (p->args[i].base == VERIFY_ARG_ALLOC_SIZE)
			return f->arguments[i];
	return p->return_size;
}

static struct tag make_pointer(struct monitor *m, const struct monitor_frame *f, uint64_t r0, uint16_t reference)
{
	const struct verify_proto *p = f->helper->proto;
	uint32_t type = (uint32_t)f->arguments[1];

	switch (p->returns) {
	case VERIFY_RETURN_SOCKET:
	case VERIFY_RETURN_SOCK_COMMON:
	case VERIFY_RETURN_TCP_SOCK:
		return monitor_object(m, OBJECT_SOCKET, r0, SOCKET_BYTES, false);
	case VERIFY_RETURN_MEMORY:
		return monitor_object(m, OBJECT_MEMORY, r0, size_of_result(f, p),
		                      !(p->flags & (KFUNC_READ_ONLY | KFUNC_ITER_NEXT)));
	case VERIFY_RETURN_MAP_VALUE:
		return value_tag(m, f, r0);
	default:
		if (p->returns == VERIFY_RETURN_OBJECT &&
		    !verify_types_by_name(m->runnable->types, p->return_type, &type))
			type = 0;
		return monitor_kernel_object(m, type, r0, standing_given(p, reference));
	}
}

static struct tag pointer_result(struct monitor *m, const struct monitor_frame *f, uint64_t r0)
{
	const struct verify_proto *p = f->helper->proto;
	uint16_t reference = p->flags & PROTO_ACQUIRES ? monitor_acquire(m, p->name) : reference_of_source(m, f, p);
	struct tag tag = make_pointer(m, f, r0, reference);

	if (!m->lost && reference)
		m->objects[tag.object].reference = reference;
	return tag;
}

struct tag monitor_result(struct monitor *m, const struct monitor_frame *f, uint64_t r0)
{
	const struct helper_model *h = f->helper;
	struct tag tag;

	if (h->row.returns == PICKET_RETURN_VOID)
		return m->runnable->leaks ? number : nothing;
	if (!r0)
		return number;
	switch (h->row.returns) {
	case PICKET_RETURN_MAP_VALUE_OR_NULL:
		return value_tag(m, f, r0);
	case PICKET_RETURN_MEM_OR_NULL:
		tag = monitor_object(m, OBJECT_MEMORY, r0, f->arguments[2], true);
		m->objects[tag.object].reference = reference_of_source(m, f, h->proto);
		return tag;
	case PICKET_RETURN_RING_RECORD_OR_NULL:
		tag = monitor_object(m, OBJECT_RECORD, r0, f->arguments[1], true);
		m->objects[tag.object].reference = monitor_acquire(m, "a record");
		return tag;
	default:
		return h->proto->returns == VERIFY_RETURN_NUMBER ? number : pointer_result(m, f, r0);
	}
}
