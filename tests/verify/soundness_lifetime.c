/* SPDX-License-Identifier: Apache-2.0
 *
 * How long things last: what is acquired is released once, sections that are entered are left, iterators and dynptrs are
 * what they are until they are given back, objects of the kernel may be relied on for a time.
 */
#include <linux/bpf.h>
#include "tests/verify/soundness_monitor.h"
#include "verify/table_int.h"

#define DYNPTR_BYTES 16
#define TURNS_MAX 24 /* of an iterator that could give more */
#define POINTER_BYTES 8

static const struct tag number = {.kind = TAG_NUMBER};

/* ---- references ---- */
uint16_t monitor_acquire(struct monitor *m, const char *what)
{
	uint16_t reference = (uint16_t)(m->reference_count + 1);

	if (reference == REFERENCES_EVER) {
		m->lost = true;
		return 0;
	}
	monitor_count(HAPPENED_ACQUIRED);
	m->references[reference].held = true;
	m->references[reference].what = what;
	m->reference_count = reference;
	return reference;
}

void monitor_release(struct monitor *m, uint16_t reference)
{
	if (m->lost)
		return;
	if (!m->references[reference].held)
		monitor_violation(m, "what is released was not acquired, or released before");
	m->references[reference].held = false;
	for (unsigned i = 0; i < m->object_count; i++) {
		struct object *o = &m->objects[i];
		if (!o->alive || o->reference != reference)
			continue;
		o->alive = o->follows;
		o->standing = STANDING_UNTRUSTED;
		o->reference = 0;
	}
}

void monitor_nothing_held(struct monitor *m, const char *when)
{
	for (uint16_t i = 1; i <= m->reference_count; i++)
		if (m->references[i].held)
			monitor_violation(m, "%s, and what came of %s was not released", when, m->references[i].what);
	if (m->lock)
		monitor_violation(m, "%s, with a lock held", when);
	if (m->rcu || m->preempt)
		monitor_violation(m, "%s, within a section that it entered", when);
}

/* ---- sections ---- */
bool monitor_in_rcu(const struct monitor *m)
{
	return m->rcu || !m->runnable->sleeps;
}

static void leave_rcu(struct monitor *m)
{
	for (unsigned i = 0; i < m->object_count; i++)
		if (m->objects[i].alive && m->objects[i].kind == OBJECT_KERNEL &&
		    m->objects[i].standing == STANDING_RCU)
			m->objects[i].standing = STANDING_UNTRUSTED;
}

void monitor_section(struct monitor *m, const struct verify_proto *p)
{
	if (p->flags & (KFUNC_RCU_BEGIN | KFUNC_PREEMPT_BEGIN))
		monitor_count(HAPPENED_SECTION);
	if ((p->flags & KFUNC_RCU_END && !m->rcu) || (p->flags & KFUNC_PREEMPT_END && !m->preempt)) {
		monitor_violation(m, "a section is left that was not entered");
		return;
	}
	m->rcu += (p->flags & KFUNC_RCU_BEGIN) != 0;
	m->rcu -= (p->flags & KFUNC_RCU_END) != 0;
	m->preempt += (p->flags & KFUNC_PREEMPT_BEGIN) != 0;
	m->preempt -= (p->flags & KFUNC_PREEMPT_END) != 0;
	if (p->flags & KFUNC_RCU_ONLY && !monitor_in_rcu(m))
		monitor_violation(m, "%s is called outside of RCU's read side", p->name);
	if (p->flags & KFUNC_RCU_END && !monitor_in_rcu(m))
		leave_rcu(m);
}

/* ---- objects of the kernel ---- */
struct tag monitor_kernel_object(struct monitor *m, uint32_t type, uint64_t low, enum standing standing)
{
	/* some fields may be written by algorithms of congestion control: which ones has no model */
	bool writable = m->world->kind->id == PICKET_KIND_STRUCT_OPS && standing == STANDING_TRUSTED;
	struct tag tag = monitor_object(m, OBJECT_KERNEL, low, verify_types_bytes(m->runnable->types, type), writable);

	if (m->lost)
		return number;
	m->objects[tag.object].standing = (uint8_t)standing;
	m->objects[tag.object].type = type;
	return tag;
}

/* One of that type and standing that is there anyway. */
static bool find_like(struct monitor *m, uint32_t type, enum standing standing, uint16_t reference, struct tag *ret_tag)
{
	for (unsigned i = 0; i < m->object_count; i++) {
		const struct object *o = &m->objects[i];
		if (!o->alive || o->kind != OBJECT_KERNEL || o->type != type || o->standing != standing ||
		    o->reference != reference || (reference && !o->follows))
			continue;
		*ret_tag = (struct tag){.kind = TAG_POINTER, .object = (uint16_t)i, .generation = o->generation};
		return true;
	}
	return false;
}

static enum standing standing_of_field(const struct monitor *m, const struct object *from,
                                       const struct verify_type_field *f)
{
	if (from->standing == STANDING_UNTRUSTED || f->untrusted)
		return STANDING_UNTRUSTED;
	if (f->trusted && from->standing == STANDING_TRUSTED)
		return STANDING_TRUSTED;
	if (f->rcu && from->standing <= STANDING_RCU && monitor_in_rcu(m))
		return STANDING_RCU;
	return STANDING_WALKED;
}

static bool may_be_null(enum standing standing, const struct verify_type_field *f)
{
	return standing >= STANDING_WALKED || f->maybe_null;
}

static struct tag follow(struct monitor *m, const struct object *from, const struct verify_type_field *f)
{
	enum standing standing = standing_of_field(m, from, f);
	uint16_t reference = standing == STANDING_TRUSTED ? from->reference : 0;
	bool null = may_be_null(standing, f) && chance_one_in(&m->world->chance, 6);
	struct tag tag;

	monitor_count(HAPPENED_OBJECT_FOLLOWED);
	if (null && standing <= STANDING_RCU)
		return number;
	if (null) /* it has an address, and nothing is there */
		return monitor_kernel_object(m, f->type, 0, standing);
	if (find_like(m, f->type, standing, reference, &tag) && m->objects[tag.object].low)
		return tag;
	tag = monitor_kernel_object(
	        m, f->type, world_allocate(m->world, verify_types_bytes(m->runnable->types, f->type)), standing);
	if (!m->lost) {
		m->objects[tag.object].reference = reference;
		m->objects[tag.object].follows = true;
	}
	return tag;
}

bool monitor_behind_kernel_object(struct monitor *m, const struct object *o, uint64_t address, uint64_t size)
{
	struct verify_type_field f;

	if (address - o->low < o->size ||
	    !verify_types_field(m->runnable->types, o->type, (int64_t)(address - o->low), (unsigned)size, &f))
		return false;
	monitor_count(HAPPENED_CAUGHT);
	m->lost = true;
	return true;
}

struct tag monitor_kernel_read(struct monitor *m, const struct object *o, uint64_t at, uint64_t size)
{
	uint64_t address = o->low + at, pointer;
	struct verify_type_field f;
	struct tag tag;

	monitor_count(HAPPENED_OBJECT_READ);
	if (!o->low) { /* the kernel catches the fault, and goes on with 0; here the run ends */
		monitor_count(HAPPENED_CAUGHT);
		m->lost = true;
		return number;
	}
	if (size != POINTER_BYTES || !verify_types_field(m->runnable->types, o->type, (int64_t)at, POINTER_BYTES, &f) ||
	    f.what != TYPE_FIELD_OBJECT)
		return number;
	tag = follow(m, o, &f);
	if (m->lost)
		return number;
	pointer = tag.kind == TAG_POINTER ? m->objects[tag.object].low : 0;
	memcpy((void *)(uintptr_t)address, &pointer, sizeof(pointer));
	return tag;
}

/* ---- contexts ---- */
static struct tag put_in_context(struct monitor *m, uint64_t at, struct tag tag)
{
	uint64_t pointer = tag.kind == TAG_POINTER && !m->lost ? m->objects[tag.object].low : 0;

	memcpy(m->world->context + at, &pointer, sizeof(pointer));
	return tag;
}

static struct tag given_object(struct monitor *m, uint32_t type, enum standing standing)
{
	struct tag tag;

	if (find_like(m, type, standing, 0, &tag))
		return tag;
	return monitor_kernel_object(m, type, world_allocate(m->world, verify_types_bytes(m->runnable->types, type)),
	                             standing);
}

#define BUFFER_BYTES UINT16_MAX /* that is checked when a program is attached */
struct tag monitor_hook_read(struct monitor *m, uint64_t at, uint64_t size)
{
	struct verify_type_field f;
	struct tag tag;

	if (size != POINTER_BYTES || !verify_types_argument(m->runnable->types, m->world->kind, m->runnable->hook,
	                                                    (unsigned)(at / POINTER_BYTES), &f))
		return number;
	if (f.what != TYPE_FIELD_OBJECT && f.what != TYPE_FIELD_BUFFER)
		return number;
	if (f.maybe_null && chance_one_in(&m->world->chance, 3))
		return put_in_context(m, at, number);
	if (f.what == TYPE_FIELD_OBJECT)
		return put_in_context(m, at, given_object(m, f.type, f.trusted ? STANDING_TRUSTED : STANDING_WALKED));
	tag = monitor_object(m, OBJECT_MEMORY, world_allocate(m->world, BUFFER_BYTES), BUFFER_BYTES, !f.read_only);
	return put_in_context(m, at, tag);
}

struct tag monitor_context_object(struct monitor *m, uint64_t at, const char *type)
{
	uint32_t id;

	if (!type || !verify_types_by_name(m->runnable->types, type, &id))
		id = 0;
	return put_in_context(m, at, given_object(m, id, STANDING_TRUSTED));
}

static void check_standing(struct monitor *m, const struct verify_proto *p, unsigned reg, const struct object *o)
{
	if (o->standing == STANDING_UNTRUSTED)
		monitor_violation(m, "r%u, given to %s, leads to what may be gone", reg, p->name);
	if (p->id || o->standing == STANDING_TRUSTED)
		return;
	if (o->standing != STANDING_RCU || !(p->flags & (KFUNC_RCU | KFUNC_RCU_ONLY)) || !monitor_in_rcu(m))
		monitor_violation(m, "r%u, given to %s, is not kept there by anything", reg, p->name);
}

void monitor_take_object(struct monitor *m, const struct verify_proto *p, unsigned arg, uint64_t value)
{
	const struct verify_arg *a = &p->args[arg];
	const struct object *o = monitor_object_of(m, monitor_top(m)->registers[arg + 1]);
	const char *type = a->base == VERIFY_ARG_OBJECT ? a->type : "sock_common";
	uint32_t wanted;

	monitor_count(HAPPENED_OBJECT_GIVEN);
	if (o && o->kind == OBJECT_SOCKET)
		return;
	if (!o || o->kind != OBJECT_KERNEL) {
		monitor_violation(m, "r%u, given to %s, is no object of the kernel", arg + 1, p->name);
		return;
	}
	if (type && verify_types_by_name(m->runnable->types, type, &wanted) &&
	    !verify_types_holds(m->runnable->types, o->type, (int64_t)(value - o->low), wanted))
		monitor_violation(m, "r%u, given to %s, is a struct %s", arg + 1, p->name,
		                  verify_types_name(m->runnable->types, o->type));
	check_standing(m, p, arg + 1, o);
	if (!(a->flags & VERIFY_ARG_RELEASE) || m->violated)
		return;
	if (!o->reference || o->follows || value != o->low)
		monitor_violation(m, "r%u, given to %s, was not acquired", arg + 1, p->name);
	else
		monitor_release(m, o->reference);
}

/* ---- iterators and dynptrs ---- */
static bool overlaps(const struct special *s, uint64_t address, uint64_t size)
{
	return address < s->address + s->size && s->address < address + size;
}

void monitor_overwrite_specials(struct monitor *m, struct tag frame, uint64_t address, uint64_t size)
{
	for (unsigned i = 0; i < SPECIALS_MAX; i++) {
		struct special *s = &m->specials[i];
		if (!s->alive || s->frame.object != frame.object || s->frame.generation != frame.generation ||
		    !overlaps(s, address, size))
			continue;
		if (s->iterator || s->reference)
			monitor_violation(m, "%s on the stack is written over",
			                  s->iterator ? "an iterator" : "a dynptr");
		s->alive = false;
	}
}

static struct special *special_at(struct monitor *m, uint64_t address, bool iterator)
{
	for (unsigned i = 0; i < SPECIALS_MAX; i++) {
		struct special *s = &m->specials[i];
		if (s->alive && s->address == address && s->iterator == iterator && monitor_object_of(m, s->frame))
			return s;
	}
	return NULL;
}

static struct special *special_make(struct monitor *m, unsigned reg, uint64_t address, uint32_t size, bool iterator)
{
	struct tag frame = monitor_top(m)->registers[reg];

	monitor_store(m, frame, address, size, number);
	for (unsigned i = 0; i < SPECIALS_MAX && !m->violated; i++) {
		struct special *s = &m->specials[i];
		if (s->alive && monitor_object_of(m, s->frame))
			continue;
		*s = (struct special){
		        .alive = true, .iterator = iterator, .frame = frame, .address = address, .size = size};
		return s;
	}
	m->lost = !m->violated;
	return NULL;
}

/* How often it may give something: what it is told, or any number of times. */
static uint32_t turns_of(struct monitor *m, const struct verify_proto *p, const uint64_t r[11])
{
	int64_t most = TURNS_MAX;

	if (!strcmp(p->name, "bpf_iter_num_new"))
		most = MIN((int64_t)(int32_t)r[3] - (int32_t)r[2], most);
	return most > 0 ? chance_below(&m->world->chance, (uint32_t)most + 1) : 0;
}

static void iterator_begin(struct monitor *m, const struct verify_proto *p, unsigned arg, const uint64_t r[11])
{
	struct special *s = special_make(m, arg + 1, r[arg + 1], p->args[arg].size, true);

	if (!s)
		return;
	s->family = verify_kfunc_iterator(p);
	s->rcu = p->flags & KFUNC_RCU_ONLY;
	s->reference = monitor_acquire(m, p->name);
	s->turns = turns_of(m, p, r);
}

void monitor_take_iterator(struct monitor *m, const struct verify_proto *p, unsigned arg, const uint64_t r[11])
{
	struct special *s;

	if (p->args[arg].flags & VERIFY_ARG_OUT) {
		iterator_begin(m, p, arg, r);
		return;
	}
	s = special_at(m, r[arg + 1], true);
	if (!s || s->family != verify_kfunc_iterator(p)) {
		monitor_violation(m, "r%u, given to %s, is no such iterator", arg + 1, p->name);
		return;
	}
	if (s->rcu && !monitor_in_rcu(m))
		monitor_violation(m, "%s is called outside of RCU's read side", p->name);
	if (p->args[arg].flags & VERIFY_ARG_RELEASE) {
		monitor_release(m, s->reference);
		s->alive = false;
		return;
	}
	m->world->exhausted = s->turns == 0;
	s->turns -= s->turns > 0;
	monitor_count(HAPPENED_ITERATED);
}

/* Others that are the same one end with it. */
static void dynptr_end(struct monitor *m, uint16_t reference)
{
	for (unsigned i = 0; i < SPECIALS_MAX; i++)
		if (m->specials[i].alive && !m->specials[i].iterator && m->specials[i].reference == reference)
			m->specials[i].alive = false;
	monitor_release(m, reference);
}

static void dynptr_begin(struct monitor *m, const struct verify_proto *p, unsigned arg, const uint64_t r[11])
{
	const struct special *from = strcmp(p->name, "bpf_dynptr_clone") ? NULL : special_at(m, r[1], false);
	uint16_t reference = from ? from->reference : 0;
	struct special *s = special_make(m, arg + 1, r[arg + 1], DYNPTR_BYTES, false);

	monitor_count(HAPPENED_DYNPTR);
	if (s)
		s->reference = p->flags & PROTO_ACQUIRES ? monitor_acquire(m, p->name) : reference;
}

void monitor_take_dynptr(struct monitor *m, const struct verify_proto *p, unsigned arg, const uint64_t r[11])
{
	const uint8_t flags = p->args[arg].flags;
	struct special *s;

	if (flags & VERIFY_ARG_OUT) {
		dynptr_begin(m, p, arg, r);
		return;
	}
	s = special_at(m, r[arg + 1], false);
	if (!s)
		monitor_violation(m, "r%u, given to %s, is no dynptr", arg + 1, p->name);
	else if (flags & VERIFY_ARG_RELEASE && !s->reference)
		monitor_violation(m, "r%u, given to %s, is a dynptr that holds nothing", arg + 1, p->name);
	else if (flags & VERIFY_ARG_RELEASE)
		dynptr_end(m, s->reference);
}

const struct special *monitor_special_given(struct monitor *m, const struct verify_proto *p,
                                            const uint64_t arguments[5])
{
	for (unsigned i = 0; i < ARRAY_SIZE(p->args); i++) {
		const struct verify_arg *a = &p->args[i];
		if ((a->base == VERIFY_ARG_DYNPTR || a->base == VERIFY_ARG_ITERATOR) && !(a->flags & VERIFY_ARG_OUT))
			return special_at(m, arguments[i], a->base == VERIFY_ARG_ITERATOR);
	}
	return NULL;
}
