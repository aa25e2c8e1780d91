/* SPDX-License-Identifier: Apache-2.0
 *
 * Hash, LRU hash, and both per CPU. A value is written once, before its element can be found, and from then on changed
 * by programs only; what replaces it is another element. Per-CPU values are written in place.
 */
#include "vm/map_int.h"
#include "vm/map_kind.h"
#include "vm/map_table.h"

#include <errno.h>
#include <linux/bpf.h>
#include <stdlib.h>

struct hash {
	struct picket_map map;
	struct vm_table table;
	struct vm_area area; /* values: of each element, of each CPU */
	uint32_t cpus;       /* 1 if it is not per CPU */
};

static struct hash *hash_of(struct picket_map *m)
{
	return (struct hash *)m;
}

static void *value_at(const struct hash *h, uint32_t element, uint32_t cpu)
{
	return h->area.data + ((uint64_t)element * h->cpus + cpu) * h->map.stride;
}

/* ---- of all four ---- */

static int hash_remove(struct picket_map *m, const void *key)
{
	struct hash *h = hash_of(m);
	struct vm_table_change c;
	int r = vm_table_begin_existing(&h->table, key, &c);

	if (r)
		return r;
	vm_table_remove(&h->table, &c);
	vm_table_end(&h->table, &c);
	return 0;
}

static int hash_next_key(struct picket_map *m, const void *key, void *ret_key)
{
	return vm_table_next_key(&hash_of(m)->table, key, ret_key);
}

/* What the outside gets: the value, or those of all CPUs, each with what rounds it up to 8 bytes. */
static size_t outside_size(const struct hash *h)
{
	return vm_map_is_per_cpu(h->map.spec.type) ? (size_t)h->cpus * h->map.stride : h->map.spec.value_size;
}

static int read_locked(struct hash *h, const void *key, void *ret_value)
{
	struct vm_table_change c;
	int r = vm_table_begin_existing(&h->table, key, &c);

	if (r)
		return r;
	vm_words_load(ret_value, value_at(h, c.element, 0), outside_size(h));
	vm_table_end(&h->table, &c);
	return 0;
}

/* A value may be gone when half of it is read, so it is read to a place of ours first; a large one with the lock. */
static int hash_read(struct picket_map *m, const void *key, void *ret_value)
{
	const size_t size = outside_size(hash_of(m));
	struct hash *h = hash_of(m);
	uint64_t value[VM_READ_MAX / 8];
	struct vm_table_place place;

	if (size > sizeof(value))
		return read_locked(h, key, ret_value);
	do {
		if (!vm_table_find(&h->table, key, &place))
			return -ENOENT;
		vm_words_load(value, value_at(h, place.element, 0), size);
	} while (!vm_table_stays(&place));
	memcpy(ret_value, value, size);
	return 0;
}

static int hash_take(struct picket_map *m, const void *key, void *ret_value)
{
	struct hash *h = hash_of(m);
	struct vm_table_change c;
	int r = vm_table_begin_existing(&h->table, key, &c);

	if (r)
		return r;
	vm_words_load(ret_value, value_at(h, c.element, 0), outside_size(h));
	vm_table_remove(&h->table, &c);
	vm_table_end(&h->table, &c);
	return 0;
}

static bool hash_find(struct picket_map *m, uint64_t address, struct vm_window *ret_window)
{
	struct hash *h = hash_of(m);
	uint64_t used = (uint64_t)h->table.elements * h->cpus * m->stride;

	return vm_area_find(&h->area, used, m->stride, m->spec.value_size, address, ret_window);
}

struct each {
	struct hash *hash;
	uint32_t cpu;
	int (*element)(const void *key, void *value, void *user);
	void *user;
};

static int each_element(const void *key, uint32_t element, void *user)
{
	const struct each *e = user;
	return e->element(key, value_at(e->hash, element, e->cpu), e->user);
}

static int64_t hash_each(struct picket_map *m, int (*element)(const void *key, void *value, void *user), void *user)
{
	struct each e = {hash_of(m), 0, element, user};
	return vm_table_each(&e.hash->table, each_element, &e);
}

static void hash_done(struct picket_map *m)
{
	struct hash *h = hash_of(m);

	vm_table_done(&h->table);
	vm_area_unmap(&h->area);
	free(h);
}

/* ---- hash ---- */

static void *hash_lookup(struct picket_map *m, const void *key)
{
	struct vm_table_place place;

	return vm_table_find(&hash_of(m)->table, key, &place) ? value_at(hash_of(m), place.element, 0) : NULL;
}

static int hash_update(struct picket_map *m, const void *key, const void *value, uint64_t flags)
{
	struct hash *h = hash_of(m);
	struct vm_table_change c;
	int r = vm_table_begin(&h->table, key, flags, &c);

	if (r)
		return r;
	uint32_t element = vm_table_take(&h->table);
	vm_words_store(value_at(h, element, 0), value, m->spec.value_size);
	vm_table_put(&h->table, &c, element);
	vm_table_end(&h->table, &c);
	return 0;
}

static const struct vm_map_ops hash_ops = {
        .lookup = hash_lookup,
        .update = hash_update,
        .delete = hash_remove,
        .each = hash_each,
        .find = hash_find,
        .read = hash_read,
        .write = hash_update,
        .remove = hash_remove,
        .take = hash_take,
        .next_key = hash_next_key,
        .done = hash_done,
};

/* ---- LRU: a program's lookup is what counts as a use ---- */

static void *lru_lookup(struct picket_map *m, const void *key)
{
	struct hash *h = hash_of(m);
	struct vm_table_place place;

	if (!vm_table_find(&h->table, key, &place))
		return NULL;
	vm_table_touch(&h->table, place.element);
	return value_at(h, place.element, 0);
}

static const struct vm_map_ops lru_ops = {
        .lookup = lru_lookup,
        .update = hash_update,
        .delete = hash_remove,
        .each = hash_each,
        .find = hash_find,
        .read = hash_read,
        .write = hash_update,
        .remove = hash_remove,
        .take = hash_take,
        .next_key = hash_next_key,
        .done = hash_done,
};

/* ---- per-CPU ---- */

static void *cpu_lookup_cpu(struct picket_map *m, const void *key, uint32_t cpu)
{
	struct hash *h = hash_of(m);
	struct vm_table_place place;

	if (cpu >= h->cpus || !vm_table_find(&h->table, key, &place))
		return NULL;
	if (h->table.evicts)
		vm_table_touch(&h->table, place.element);
	return value_at(h, place.element, cpu);
}

static void *cpu_lookup(struct picket_map *m, const void *key)
{
	uint32_t cpu;

	return vm_map_own_cpu(m, &cpu) ? cpu_lookup_cpu(m, key, cpu) : NULL;
}

/* Of one CPU, the others' are zeroed if the element is new; of all, if cpu is VM_NONE. */
static void write_values(struct hash *h, uint32_t element, uint32_t cpu, const void *value, bool is_new)
{
	const uint8_t *from = value;

	for (uint32_t i = 0; i < h->cpus; i++) {
		if (cpu == VM_NONE)
			vm_words_store(value_at(h, element, i), from + (size_t)i * h->map.stride,
			               h->map.spec.value_size);
		else if (i == cpu)
			vm_words_store(value_at(h, element, i), from, h->map.spec.value_size);
		else if (is_new)
			vm_words_zero(value_at(h, element, i), h->map.spec.value_size);
	}
}

static int cpu_put(struct hash *h, const void *key, uint32_t cpu, const void *value, uint64_t flags)
{
	struct vm_table_change c;
	int r = vm_table_begin(&h->table, key, flags, &c);

	if (r)
		return r;
	if (c.element != VM_NONE) {
		write_values(h, c.element, cpu, value, false);
		if (h->table.evicts)
			vm_table_touch(&h->table, c.element);
	} else {
		uint32_t element = vm_table_take(&h->table);
		write_values(h, element, cpu, value, true);
		vm_table_put(&h->table, &c, element);
	}
	vm_table_end(&h->table, &c);
	return 0;
}

static int cpu_update(struct picket_map *m, const void *key, const void *value, uint64_t flags)
{
	uint32_t cpu;

	if (flags > BPF_EXIST)
		return -EINVAL;
	return vm_map_own_cpu(m, &cpu) ? cpu_put(hash_of(m), key, cpu, value, flags) : -EBUSY;
}

static int cpu_write(struct picket_map *m, const void *key, const void *value, uint64_t flags)
{
	return cpu_put(hash_of(m), key, VM_NONE, value, flags);
}

static int64_t cpu_each(struct picket_map *m, int (*element)(const void *key, void *value, void *user), void *user)
{
	struct each e = {hash_of(m), 0, element, user};

	return vm_map_own_cpu(m, &e.cpu) ? vm_table_each(&e.hash->table, each_element, &e) : -EBUSY;
}

static const struct vm_map_ops cpu_hash_ops = {
        .lookup = cpu_lookup,
        .lookup_cpu = cpu_lookup_cpu,
        .update = cpu_update,
        .delete = hash_remove,
        .each = cpu_each,
        .find = hash_find,
        .read = hash_read,
        .write = cpu_write,
        .remove = hash_remove,
        .take = hash_take,
        .next_key = hash_next_key,
        .done = hash_done,
};

/* ---- making one ---- */

int vm_hash_new(const struct picket_map_spec *spec, struct picket_map **ret_map)
{
	const bool per_cpu = vm_map_is_per_cpu(spec->type);
	const bool evicts = spec->type == BPF_MAP_TYPE_LRU_HASH || spec->type == BPF_MAP_TYPE_LRU_PERCPU_HASH;
	struct hash *h = aligned_alloc(_Alignof(struct hash), sizeof(*h));

	if (!h)
		return -ENOMEM;
	*h = (struct hash){.cpus = per_cpu ? spec->cpus : 1};
	vm_map_init(&h->map, spec, per_cpu ? &cpu_hash_ops : evicts ? &lru_ops : &hash_ops);
	int r = vm_table_init(&h->table, spec->key_size, spec->max_entries, vm_map_seed(spec), evicts);
	if (!r)
		r = vm_area_map(&h->area, h->table.elements, (uint64_t)h->cpus * h->map.stride);
	if (r) {
		hash_done(&h->map);
		return r;
	}
	h->map.memory = sizeof(*h) + vm_table_memory(&h->table) + h->area.size;
	*ret_map = &h->map;
	return 0;
}
