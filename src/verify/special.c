/* SPDX-License-Identifier: Apache-2.0
 *
 * Locks, timers, work and pointers to objects in a map's value: only where its type has them, only by who knows them.
 */
#include <errno.h>
#include <linux/bpf.h>
#include <stdio.h>
#include <string.h>
#include "verify/call_int.h"

static const char *special_name(enum verify_special_kind kind)
{
	static const char *const names[] = {
	        [SPECIAL_SPIN_LOCK] = "struct bpf_spin_lock",
	        [SPECIAL_RES_SPIN_LOCK] = "struct bpf_res_spin_lock",
	        [SPECIAL_TIMER] = "struct bpf_timer",
	        [SPECIAL_WORKQUEUE] = "struct bpf_wq",
	        [SPECIAL_TASK_WORK] = "struct bpf_task_work",
	        [SPECIAL_KPTR] = "pointer to a kernel object",
	        [SPECIAL_KPTR_UNTRUSTED] = "untrusted pointer to a kernel object",
	        [SPECIAL_KPTR_PERCPU] = "per-CPU pointer",
	        [SPECIAL_UPTR] = "pointer to user memory",
	        [SPECIAL_LIST_HEAD] = "struct bpf_list_head",
	        [SPECIAL_LIST_NODE] = "struct bpf_list_node",
	        [SPECIAL_RB_ROOT] = "struct bpf_rb_root",
	        [SPECIAL_RB_NODE] = "struct bpf_rb_node",
	        [SPECIAL_REFCOUNT] = "struct bpf_refcount",
	};

	return names[kind];
}

static bool is_pointer(enum verify_special_kind kind)
{
	return kind == SPECIAL_KPTR || kind == SPECIAL_KPTR_UNTRUSTED || kind == SPECIAL_KPTR_PERCPU ||
	       kind == SPECIAL_UPTR;
}

/* ---- direct access ---- */

int verify_special_guard(struct verify *v, const struct value *p, const char *what, int64_t offset, uint64_t size)
{
	int64_t low = p->offset + offset + p->number.wide.smin, end = p->offset + offset + p->number.wide.smax;
	const struct verify_special *specials;
	size_t count;
	int r = verify_specials_find(v, p->object, &specials, &count);

	for (size_t i = 0; !r && i < count; i++) {
		const struct verify_special *s = &specials[i];
		if (low < (int64_t)s->offset + s->size && end + (int64_t)size > (int64_t)s->offset)
			return verify_reject(v, PICKET_REJECT_TYPE, p,
			                     is_pointer(s->kind) ? "read all 8 bytes of it, or use bpf_kptr_xchg"
			                                         : "use the helpers that are for it",
			                     "%s reaches the %s at byte %u of map %s", what, special_name(s->kind),
			                     s->offset, verify_map(v, p->object)->name);
	}
	return r;
}

/* The special that lies exactly there; NULL: none, or not at a constant place. */
static int special_at(struct verify *v, const struct value *p, int64_t offset,
                      const struct verify_special **ret_special)
{
	int64_t at = p->offset + offset + p->number.wide.smin;
	const struct verify_special *specials;
	size_t count;
	int r = 0;

	*ret_special = NULL;
	if (p->kind != VALUE_MAP_VALUE || p->flags & VALUE_MAYBE_NULL || !scalar_is_constant(&p->number, NULL))
		return 0;
	r = verify_specials_find(v, p->object, &specials, &count);
	for (size_t i = 0; !r && i < count; i++)
		if (specials[i].offset == at)
			*ret_special = &specials[i];
	return r;
}

/* Those that stay as long as RCU's read side lasts, whoever holds them. */
static bool is_freed_by_rcu(const char *type)
{
	static const char *const types[] = {"task_struct", "cgroup", "bpf_cpumask", "bpf_crypto_ctx"};

	for (size_t i = 0; i < ARRAY_SIZE(types); i++)
		if (!strcmp(types[i], type))
			return true;
	return false;
}

static uint8_t trust_of_pointer(const struct verify *v, const struct verify_special *s)
{
	if (s->kind == SPECIAL_KPTR && verify_in_rcu(v) && is_freed_by_rcu(s->type))
		return VALUE_RCU;
	return VALUE_UNTRUSTED;
}

int verify_special_load(struct verify *v, const struct value *p, int64_t offset, unsigned size, struct value *ret_value,
                        bool *ret_done)
{
	const struct verify_special *s;
	struct value value;
	int r = special_at(v, p, offset, &s);

	*ret_done = false;
	if (r || !s || size != 8 || (s->kind != SPECIAL_KPTR && s->kind != SPECIAL_KPTR_UNTRUSTED))
		return r;
	value = value_pointer(VALUE_OBJECT, 0);
	value.flags = (uint8_t)(VALUE_MAYBE_NULL | trust_of_pointer(v, s));
	value.id = verify_id(v);
	value.node = node_new(v, 0, 0);
	if (!verify_types_by_name(v->types, s->type, &value.object))
		value.object = 0;
	*ret_value = value;
	*ret_done = true;
	return 0;
}

int verify_special_store(struct verify *v, const struct value *p, int64_t offset, unsigned size,
                         const struct value *value, bool *ret_done)
{
	const struct verify_special *s;
	uint32_t type;
	int r = special_at(v, p, offset, &s);

	*ret_done = false;
	if (r || !s || size != 8 || s->kind != SPECIAL_KPTR_UNTRUSTED)
		return r;
	*ret_done = true;
	if (value_is_zero(value)) {
		node_need(v, value->node);
		return 0;
	}
	if (value->kind == VALUE_OBJECT && !(value->flags & (VALUE_MAYBE_NULL | VALUE_PERCPU)) &&
	    verify_types_by_name(v->types, s->type, &type) &&
	    verify_types_holds(v->types, value->object, value->offset + value->number.wide.smin, type))
		return 0;
	return verify_reject(v, PICKET_REJECT_TYPE, value, "store a pointer to such an object, or NULL",
	                     "the place in map %s is for a struct %s, but %s is stored", verify_map(v, p->object)->name,
	                     s->type, value_kind_name(value->kind));
}

/* ---- as arguments ---- */

static int find_special(struct verify *v, const struct argument *a, enum verify_special_kind kind,
                        const struct verify_special **ret_special)
{
	char wanted[96];
	int r = special_at(v, a->value, 0, ret_special);

	if (r || (*ret_special && (*ret_special)->kind == kind))
		return r;
	snprintf(wanted, sizeof(wanted), "the %s in a map's value, as its type has it", special_name(kind));
	return argument_reject(v, a, wanted);
}

/* The sandbox has locks in any map's value, and no types. */
static int find_lock(struct verify *v, const struct argument *a)
{
	const struct verify_special *s;

	if (!(v->kind->flags & KIND_SANDBOX))
		return find_special(v, a, SPECIAL_SPIN_LOCK, &s);
	if (a->value->kind != VALUE_MAP_VALUE || !scalar_is_constant(&a->value->number, NULL))
		return argument_reject(v, a, "a struct bpf_spin_lock in a map's value");
	return verify_access(v, a->value, verify_register_name(a->arg + 1), 0, sizeof(struct bpf_spin_lock),
	                     ACCESS_READ | ACCESS_WRITE);
}

/* One lock of one element. Elements that were looked up are told apart by that; variables have their place. */
static uint32_t lock_name(const struct value *value)
{
	int64_t at = value->offset + value->number.wide.smin;

	if (value->flags & VALUE_LOCKABLE)
		return value->id;
	return 1u << 31 | (value->object & 0xff) << 20 | ((uint32_t)at & 0xfffff);
}

int argument_lock(struct verify *v, const struct argument *a)
{
	const struct value *value = a->value;
	struct state *s = v->state;
	int r = find_lock(v, a);

	if (r)
		return r;
	if (a->p->id == BPF_FUNC_spin_lock) {
		if (s->lock)
			return verify_reject(v, PICKET_REJECT_LOCK, value, "give up the first one before",
			                     "a lock is taken while one is held");
		s->lock = lock_name(value);
		s->lock_object = value->object;
		return 0;
	}
	if (s->lock != lock_name(value) || s->lock_object != value->object)
		return verify_reject(v, PICKET_REJECT_LOCK, value, "unlock the one that was locked",
		                     s->lock ? "another lock is given up than the one that is held"
		                             : "a lock is given up that is not held");
	s->lock = 0;
	s->lock_object = 0;
	return 0;
}

static int own_map(struct verify *v, const struct argument *a, enum verify_special_kind kind)
{
	const struct verify_special *s;
	int r = find_special(v, a, kind, &s);

	if (r)
		return r;
	a->facts->owner = a->value->object;
	a->facts->has_owner = true;
	return 0;
}

int argument_timer(struct verify *v, const struct argument *a)
{
	return own_map(v, a, SPECIAL_TIMER);
}

int argument_workqueue(struct verify *v, const struct argument *a)
{
	return own_map(v, a, SPECIAL_WORKQUEUE);
}

int argument_kptr(struct verify *v, const struct argument *a)
{
	const struct verify_special *s;
	int r = find_special(v, a, SPECIAL_KPTR, &s);

	if (r)
		return r;
	a->facts->kptr = s->type;
	if (!verify_types_by_name(v->types, s->type, &a->facts->object))
		a->facts->object = 0;
	return 0;
}

/* ---- values of maps ---- */

static bool calls_lock(struct verify *v)
{
	for (size_t i = 0; !v->locks_known && i < v->code.count; i++)
		v->locks |= v->code.ops[i].op == VM_CALL_HELPER && v->code.ops[i].imm == BPF_FUNC_spin_lock;
	v->locks_known = true;
	return v->locks;
}

static int has_lock(struct verify *v, uint32_t map, bool *ret_has)
{
	const struct verify_special *specials;
	size_t count;
	int r = verify_specials_find(v, map, &specials, &count);

	*ret_has = v->kind->flags & KIND_SANDBOX && calls_lock(v);
	for (size_t i = 0; !r && i < count; i++)
		*ret_has |= specials[i].kind == SPECIAL_SPIN_LOCK || specials[i].kind == SPECIAL_RES_SPIN_LOCK;
	return r;
}

int special_map_value(struct verify *v, uint32_t map, struct value *ret_value)
{
	bool lockable;
	int r = has_lock(v, map, &lockable);

	if (r)
		return r;
	*ret_value = value_pointer(VALUE_MAP_VALUE, map);
	if (lockable) {
		ret_value->flags = VALUE_LOCKABLE;
		ret_value->id = verify_id(v);
	}
	return 0;
}
