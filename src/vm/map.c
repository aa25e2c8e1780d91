/* SPDX-License-Identifier: Apache-2.0 */
#include "vm/map_int.h"
#include "vm/map_kind.h"

#include <errno.h>
#include <linux/bpf.h>

/* ---- what kinds share ---- */

void vm_map_init(struct picket_map *m, const struct picket_map_spec *spec, const struct vm_map_ops *ops)
{
	m->spec = *spec;
	if (spec->inner) {
		m->inner_spec = *spec->inner;
		m->spec.inner = &m->inner_spec;
	}
	m->ops = ops;
	m->refs = 1;
	m->readonly = spec->flags & BPF_F_RDONLY_PROG;
	m->writeonly = spec->flags & BPF_F_WRONLY_PROG;
	m->stride = (uint32_t)vm_round_up_8(spec->value_size);
	m->max_entries = spec->max_entries;
}

uint64_t vm_map_seed(const struct picket_map_spec *spec)
{
	return spec->flags & BPF_F_ZERO_SEED ? 0 : base_random_seed();
}

bool vm_area_find(const struct vm_area *a, uint64_t used, uint64_t stride, uint64_t size, uint64_t address,
                  struct vm_window *ret_window)
{
	uint64_t at = address - (uintptr_t)a->data;

	if (at >= used || at % stride >= size)
		return false;
	*ret_window = (struct vm_window){address - at % stride, size};
	return true;
}

/* ---- life ---- */

int picket_map_new(const struct picket_map_spec *spec, struct picket_map **ret_map, struct picket_error *reterr)
{
	struct picket_map_spec full = *spec;
	int r = vm_map_check_spec(spec, reterr);

	if (r)
		return r;
	if (!vm_map_is_per_cpu(spec->type))
		full.cpus = 0;
	else if (!full.cpus)
		full.cpus = PICKET_CPUS_MAX;
	r = vm_map_make(&full, ret_map);
	if (r == -E2BIG)
		return vm_error(reterr, r, 0, "the map would take more than %llu bytes", VM_MAP_MEMORY_MAX);
	if (r)
		return vm_error(reterr, r, 0, "not enough memory for the map");
	return 0;
}

struct picket_map *picket_map_ref(struct picket_map *m)
{
	__atomic_fetch_add(&m->refs, 1, __ATOMIC_RELAXED);
	return m;
}

void picket_map_free(struct picket_map *m)
{
	if (m && __atomic_sub_fetch(&m->refs, 1, __ATOMIC_ACQ_REL) == 0)
		m->ops->done(m);
}

const struct picket_map_spec *picket_map_spec(const struct picket_map *m)
{
	return &m->spec;
}

uint64_t picket_map_memory(const struct picket_map *m)
{
	return m->memory;
}

/* ---- access from outside ---- */

static int check_key(const struct picket_map *m, const void *key)
{
	return !key == !m->spec.key_size ? 0 : -EINVAL;
}

static bool may_read(const struct picket_map *m)
{
	return !(m->spec.flags & BPF_F_WRONLY);
}

static bool may_write(const struct picket_map *m)
{
	return !(m->spec.flags & BPF_F_RDONLY) && !__atomic_load_n(&m->frozen, __ATOMIC_ACQUIRE);
}

int picket_map_lookup(struct picket_map *m, const void *key, void *ret_value)
{
	if (!may_read(m))
		return -EPERM;
	if (!m->ops->read)
		return -EOPNOTSUPP;
	return check_key(m, key) ? -EINVAL : m->ops->read(m, key, ret_value);
}

int picket_map_update(struct picket_map *m, const void *key, const void *value, uint64_t flags)
{
	if (!may_write(m))
		return -EPERM;
	if (!m->ops->write)
		return -EOPNOTSUPP;
	return check_key(m, key) || !value ? -EINVAL : m->ops->write(m, key, value, flags);
}

int picket_map_delete(struct picket_map *m, const void *key)
{
	if (!may_write(m))
		return -EPERM;
	if (!m->ops->remove)
		return -EOPNOTSUPP;
	return check_key(m, key) ? -EINVAL : m->ops->remove(m, key);
}

int picket_map_next_key(struct picket_map *m, const void *key, void *ret_key)
{
	if (!may_read(m))
		return -EPERM;
	if (!m->ops->next_key)
		return -EOPNOTSUPP;
	return m->ops->next_key(m, key, ret_key);
}

int picket_map_pop(struct picket_map *m, const void *key, void *ret_value)
{
	if (!may_read(m) || !may_write(m))
		return -EPERM;
	if (!m->ops->take)
		return -EOPNOTSUPP;
	return check_key(m, key) ? -EINVAL : m->ops->take(m, key, ret_value);
}

int picket_map_freeze(struct picket_map *m)
{
	if (m->spec.flags & BPF_F_RDONLY)
		return -EPERM;
	return __atomic_exchange_n(&m->frozen, true, __ATOMIC_ACQ_REL) ? -EPERM : 0;
}

int picket_map_set_program(struct picket_map *m, uint32_t index, const struct picket_program *p)
{
	return may_write(m) ? vm_prog_array_set(m, index, p) : -EPERM;
}

void *picket_map_values(struct picket_map *m)
{
	return m->spec.type == BPF_MAP_TYPE_ARRAY ? m->values : NULL;
}
