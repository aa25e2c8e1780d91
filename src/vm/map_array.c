/* SPDX-License-Identifier: Apache-2.0
 *
 * Array, per-CPU array, prog array. Elements are always there and are written in place.
 */
#include "vm/map_int.h"
#include "vm/map_kind.h"

#include <errno.h>
#include <linux/bpf.h>
#include <stdlib.h>

struct array {
	struct picket_map map;
	struct vm_area area;
};

static struct array *array_of(struct picket_map *m)
{
	return (struct array *)m;
}

static void *value_at(const struct picket_map *m, uint32_t index, uint32_t cpu)
{
	return m->values + cpu * m->cpu_stride + (uint64_t)index * m->stride;
}

static void array_done(struct picket_map *m)
{
	vm_area_unmap(&array_of(m)->area);
	free(m);
}

/* -E2BIG: no such index; -EEXIST: all are there already. */
static int check_update(const struct picket_map *m, uint32_t index, uint64_t flags)
{
	if (flags > BPF_EXIST)
		return -EINVAL;
	if (index >= m->max_entries)
		return -E2BIG;
	return flags == BPF_NOEXIST ? -EEXIST : 0;
}

/* ---- of all arrays ---- */

static int array_remove(struct picket_map *m, const void *key)
{
	(void)m, (void)key;
	return -EINVAL;
}

int vm_array_next_key(struct picket_map *m, const void *key, void *ret_key)
{
	uint32_t index = key ? vm_array_index(key) : UINT32_MAX;
	uint32_t next = index < m->max_entries ? index + 1 : 0;

	if (next == m->max_entries)
		return -ENOENT;
	memcpy(ret_key, &next, sizeof(next));
	return 0;
}

/* ---- array ---- */

static void *array_lookup(struct picket_map *m, const void *key)
{
	uint32_t index = vm_array_index(key);

	return index < m->max_entries ? value_at(m, index, 0) : NULL;
}

static int array_update(struct picket_map *m, const void *key, const void *value, uint64_t flags)
{
	uint32_t index = vm_array_index(key);
	int r = check_update(m, index, flags);

	if (!r)
		vm_words_store(value_at(m, index, 0), value, m->spec.value_size);
	return r;
}

static int array_read(struct picket_map *m, const void *key, void *ret_value)
{
	void *value = array_lookup(m, key);

	if (!value)
		return -ENOENT;
	vm_words_load(ret_value, value, m->spec.value_size);
	return 0;
}

static int64_t array_each_of(struct picket_map *m, uint32_t cpu,
                             int (*element)(const void *key, void *value, void *user), void *user)
{
	for (uint32_t i = 0; i < m->max_entries; i++) {
		uint32_t key = i;
		if (element(&key, value_at(m, i, cpu), user))
			return (int64_t)i + 1;
	}
	return m->max_entries;
}

static int64_t array_each(struct picket_map *m, int (*element)(const void *key, void *value, void *user), void *user)
{
	return array_each_of(m, 0, element, user);
}

static bool array_find(struct picket_map *m, uint64_t address, struct vm_window *ret_window)
{
	uint64_t used = m->cpu_stride * MAX(m->spec.cpus, 1u);

	return vm_area_find(&array_of(m)->area, used, m->stride, m->spec.value_size, address, ret_window);
}

static const struct vm_map_ops array_ops = {
        .lookup = array_lookup,
        .update = array_update,
        .delete = array_remove,
        .each = array_each,
        .find = array_find,
        .read = array_read,
        .write = array_update,
        .remove = array_remove,
        .next_key = vm_array_next_key,
        .done = array_done,
};

/* ---- per-CPU array ---- */

static void *cpu_lookup_cpu(struct picket_map *m, const void *key, uint32_t cpu)
{
	uint32_t index = vm_array_index(key);

	return index < m->max_entries && cpu < m->spec.cpus ? value_at(m, index, cpu) : NULL;
}

static void *cpu_lookup(struct picket_map *m, const void *key)
{
	uint32_t cpu;

	return vm_map_own_cpu(m, &cpu) ? cpu_lookup_cpu(m, key, cpu) : NULL;
}

static int cpu_update(struct picket_map *m, const void *key, const void *value, uint64_t flags)
{
	uint32_t index = vm_array_index(key), cpu;
	int r = check_update(m, index, flags);

	if (r)
		return r;
	if (!vm_map_own_cpu(m, &cpu))
		return -EBUSY;
	vm_words_store(value_at(m, index, cpu), value, m->spec.value_size);
	return 0;
}

static int cpu_read(struct picket_map *m, const void *key, void *ret_value)
{
	uint32_t index = vm_array_index(key);

	if (index >= m->max_entries)
		return -ENOENT;
	for (uint32_t cpu = 0; cpu < m->spec.cpus; cpu++)
		vm_words_load((uint8_t *)ret_value + (size_t)cpu * m->stride, value_at(m, index, cpu), m->stride);
	return 0;
}

static int cpu_write(struct picket_map *m, const void *key, const void *value, uint64_t flags)
{
	uint32_t index = vm_array_index(key);
	int r = check_update(m, index, flags);

	for (uint32_t cpu = 0; !r && cpu < m->spec.cpus; cpu++)
		vm_words_store(value_at(m, index, cpu), (const uint8_t *)value + (size_t)cpu * m->stride,
		               m->spec.value_size);
	return r;
}

static int64_t cpu_each(struct picket_map *m, int (*element)(const void *key, void *value, void *user), void *user)
{
	uint32_t cpu;

	return vm_map_own_cpu(m, &cpu) ? array_each_of(m, cpu, element, user) : -EBUSY;
}

static const struct vm_map_ops cpu_array_ops = {
        .lookup = cpu_lookup,
        .lookup_cpu = cpu_lookup_cpu,
        .update = cpu_update,
        .delete = array_remove,
        .each = cpu_each,
        .find = array_find,
        .read = cpu_read,
        .write = cpu_write,
        .remove = array_remove,
        .next_key = vm_array_next_key,
        .done = array_done,
};

int vm_array_new(const struct picket_map_spec *spec, struct picket_map **ret_map)
{
	struct array *a = calloc(1, sizeof(*a));

	if (!a)
		return -ENOMEM;
	vm_map_init(&a->map, spec, spec->type == BPF_MAP_TYPE_PERCPU_ARRAY ? &cpu_array_ops : &array_ops);
	a->map.cpu_stride = (uint64_t)a->map.stride * spec->max_entries;
	int r = vm_area_map(&a->area, a->map.cpu_stride, MAX(spec->cpus, 1u));
	if (r) {
		free(a);
		return r;
	}
	a->map.values = a->area.data;
	a->map.memory = sizeof(*a) + a->area.size;
	*ret_map = &a->map;
	return 0;
}

/* ---- prog array ---- */

static const struct picket_program **program_at(struct picket_map *m, uint32_t index)
{
	return (const struct picket_program **)(void *)array_of(m)->area.data + index;
}

const struct picket_program *vm_prog_array_get(struct picket_map *m, uint32_t index)
{
	if (m->spec.type != BPF_MAP_TYPE_PROG_ARRAY || index >= m->max_entries)
		return NULL;
	return __atomic_load_n(program_at(m, index), __ATOMIC_ACQUIRE);
}

/* When it comes back, nobody can be in the old one by way of this map; from inside a run that cannot be waited for. */
static const struct picket_program *swap_program(struct picket_map *m, uint32_t index, const struct picket_program *p)
{
	const struct picket_program *old = __atomic_exchange_n(program_at(m, index), p, __ATOMIC_ACQ_REL);

	if (old && old != p && !vm_epoch_inside())
		vm_epoch_wait();
	return old;
}

int vm_prog_array_set(struct picket_map *m, uint32_t index, const struct picket_program *p)
{
	if (m->spec.type != BPF_MAP_TYPE_PROG_ARRAY)
		return -EINVAL;
	if (index >= m->max_entries)
		return -E2BIG;
	swap_program(m, index, p);
	return 0;
}

static int prog_array_remove(struct picket_map *m, const void *key)
{
	uint32_t index = vm_array_index(key);

	if (index >= m->max_entries)
		return -E2BIG;
	return swap_program(m, index, NULL) ? 0 : -ENOENT;
}

static const struct vm_map_ops prog_array_ops = {
        .remove = prog_array_remove,
        .next_key = vm_array_next_key,
        .done = array_done,
};

int vm_prog_array_new(const struct picket_map_spec *spec, struct picket_map **ret_map)
{
	struct array *a = calloc(1, sizeof(*a));

	if (!a)
		return -ENOMEM;
	vm_map_init(&a->map, spec, &prog_array_ops);
	int r = vm_area_map(&a->area, spec->max_entries, sizeof(void *));
	if (r) {
		free(a);
		return r;
	}
	a->map.memory = sizeof(*a) + a->area.size;
	*ret_map = &a->map;
	return 0;
}
