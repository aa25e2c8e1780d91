/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <linux/bpf.h>
#include "vm/helper_int.h"

/* What refers to maps and programs is changed by the embedder only: a value that a program made up would be a pointer. */
static bool programs_may_change(const struct picket_map *m)
{
	return !m->readonly && !m->spec.inner && m->spec.type != BPF_MAP_TYPE_PROG_ARRAY;
}

uint64_t helper_map_lookup(HELPER_PARAMETERS)
{
	struct picket_map *m = helper_map(r1);

	if (!m->ops->lookup || m->spec.type == BPF_MAP_TYPE_PROG_ARRAY)
		return 0;
	return (uintptr_t)m->ops->lookup(m, helper_pointer(r2));
}

uint64_t helper_map_lookup_percpu(HELPER_PARAMETERS)
{
	struct picket_map *m = helper_map(r1);

	if (!m->ops->lookup_cpu)
		return 0;
	return (uintptr_t)m->ops->lookup_cpu(m, helper_pointer(r2), (uint32_t)r3);
}

uint64_t helper_map_update(HELPER_PARAMETERS)
{
	struct picket_map *m = helper_map(r1);

	if (!programs_may_change(m))
		return helper_error(-EPERM);
	if (!m->ops->update)
		return helper_error(-EOPNOTSUPP);
	return helper_error(m->ops->update(m, helper_pointer(r2), helper_pointer(r3), r4));
}

uint64_t helper_map_delete(HELPER_PARAMETERS)
{
	struct picket_map *m = helper_map(r1);

	if (!programs_may_change(m))
		return helper_error(-EPERM);
	if (!m->ops->delete)
		return helper_error(-EOPNOTSUPP);
	return helper_error(m->ops->delete (m, helper_pointer(r2)));
}

uint64_t helper_map_push(HELPER_PARAMETERS)
{
	struct picket_map *m = helper_map(r1);

	if (!programs_may_change(m))
		return helper_error(-EPERM);
	if (!m->ops->push)
		return helper_error(-EOPNOTSUPP);
	return helper_error(m->ops->push(m, helper_pointer(r2), r3));
}

uint64_t helper_map_pop(HELPER_PARAMETERS)
{
	struct picket_map *m = helper_map(r1);

	if (!programs_may_change(m))
		return helper_error(-EPERM);
	if (!m->ops->pop)
		return helper_error(-EOPNOTSUPP);
	return helper_error(m->ops->pop(m, helper_pointer(r2)));
}

uint64_t helper_map_peek(HELPER_PARAMETERS)
{
	struct picket_map *m = helper_map(r1);

	if (!m->ops->peek)
		return helper_error(-EOPNOTSUPP);
	return helper_error(m->ops->peek(m, helper_pointer(r2)));
}

/* ---- for_each_map_elem ---- */
struct each {
	struct picket_run *run;
	struct picket_map *map;
	uint64_t function, context;
};

/* The key is in the map's memory, the same place each time, which the program may read while the callback runs. */
static int call_element(const void *key, void *value, void *user)
{
	const struct each *e = user;
	const struct vm_lent key_lent = {{(uintptr_t)key, e->map->spec.key_size}, e->run->lent};
	uint64_t stop = 0;
	int r;

	e->run->lent = &key_lent;
	r = picket_run_callback(e->run, e->function, (uintptr_t)e->map, (uintptr_t)key, (uintptr_t)value, e->context, 0,
	                        &stop);
	e->run->lent = key_lent.outer;
	return r || stop;
}

uint64_t helper_for_each_map_elem(HELPER_PARAMETERS)
{
	struct each e = {.run = run, .map = helper_map(r1), .function = r2, .context = r3};

	if (r4)
		return helper_error(-EINVAL);
	if (!e.map->ops->each || e.map->spec.inner)
		return helper_error(-EOPNOTSUPP);
	return (uint64_t)e.map->ops->each(e.map, call_element, &e);
}
