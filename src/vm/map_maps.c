/* SPDX-License-Identifier: Apache-2.0
 *
 * Array of maps, hash of maps. Programs only look up in them. An inner map that was taken out may still be in use by
 * runs: its reference is given up when they are over. Until then it counts as held, so that such a run is not told that
 * the map which it got a moment ago is none.
 */
#include "vm/map_int.h"
#include "vm/map_kind.h"
#include "vm/map_table.h"

#include <errno.h>
#include <linux/bpf.h>
#include <pthread.h>
#include <stdlib.h>

#define SPARE 64 /* more than there are entries may be taken out, or be on their way in */

/* One for each time that an inner map is held. */
struct holder {
	struct picket_map *map;
	struct holder *next, **link; /* of all; link points here */
	struct holder *next_out;     /* of those taken out */
};

struct maps {
	struct picket_map map;
	struct vm_table table; /* of a hash of maps */
	struct vm_area area;   /* of each element: struct holder *, or NULL */
	struct vm_table held;  /* the pointers of all maps that are held */
	struct vm_area counts; /* of each of those: by how many holders, uint32_t */
	pthread_mutex_t lock;  /* of what is below, and of changes in held and counts */
	struct holder *all;    /* owned */
	struct holder *taken_out;
	uint32_t taken_out_count;
};

static struct maps *maps_of(struct picket_map *m)
{
	return (struct maps *)m;
}

static bool is_hash(const struct maps *h)
{
	return h->map.spec.type == BPF_MAP_TYPE_HASH_OF_MAPS;
}

static struct holder **holder_at(const struct maps *h, uint32_t element)
{
	return (struct holder **)(void *)h->area.data + element;
}

/* ---- holding ---- */

static uint32_t *count_at(const struct maps *h, uint32_t element)
{
	return (uint32_t *)(void *)h->counts.data + element;
}

/* -EBUSY: too many were taken out while runs go on. */
static int count_up(struct maps *h, struct picket_map *inner)
{
	struct vm_table_change c;
	int r = vm_table_begin(&h->held, &inner, BPF_ANY, &c);

	if (r)
		return r == -E2BIG ? -EBUSY : r;
	if (c.element == VM_NONE) {
		uint32_t element = vm_table_take(&h->held);
		*count_at(h, element) = 0;
		vm_table_put(&h->held, &c, element);
	}
	++*count_at(h, c.element);
	vm_table_end(&h->held, &c);
	return 0;
}

static void count_down(struct maps *h, struct picket_map *inner)
{
	struct vm_table_change c;

	if (vm_table_begin_existing(&h->held, &inner, &c))
		return;
	if (--*count_at(h, c.element) == 0)
		vm_table_remove(&h->held, &c);
	vm_table_end(&h->held, &c);
}

static void insert(struct holder **list, struct holder *holder)
{
	holder->next = *list;
	holder->link = list;
	if (holder->next)
		holder->next->link = &holder->next;
	*list = holder;
}

static void withdraw(struct holder *holder)
{
	*holder->link = holder->next;
	if (holder->next)
		holder->next->link = holder->link;
}

static int hold(struct maps *h, struct picket_map *inner, struct holder **ret_holder)
{
	struct holder *holder = malloc(sizeof(*holder));

	if (!holder)
		return -ENOMEM;
	*holder = (struct holder){.map = inner};
	pthread_mutex_lock(&h->lock);
	int r = h->taken_out_count < h->map.max_entries + SPARE ? count_up(h, inner) : -EBUSY;
	if (!r)
		insert(&h->all, holder);
	pthread_mutex_unlock(&h->lock);
	if (r) {
		free(holder);
		return r;
	}
	picket_map_ref(inner);
	*ret_holder = holder;
	return 0;
}

/* Nobody can find it any more. */
static void release(struct maps *h, struct holder *holder)
{
	pthread_mutex_lock(&h->lock);
	count_down(h, holder->map);
	withdraw(holder);
	pthread_mutex_unlock(&h->lock);
	picket_map_free(holder->map);
	free(holder);
}

/* In a run nobody is waited for: it is left to whoever changes the map next outside of one. */
static void release_taken_out(struct maps *h)
{
	if (vm_epoch_inside())
		return;
	pthread_mutex_lock(&h->lock);
	struct holder *first = TAKE_PTR(h->taken_out);
	h->taken_out_count = 0;
	pthread_mutex_unlock(&h->lock);
	if (!first)
		return;
	vm_epoch_wait();
	while (first) {
		struct holder *next = first->next_out;
		release(h, first);
		first = next;
	}
}

static void take_out(struct maps *h, struct holder *holder)
{
	pthread_mutex_lock(&h->lock);
	holder->next_out = h->taken_out;
	h->taken_out = holder;
	h->taken_out_count++;
	pthread_mutex_unlock(&h->lock);
	release_taken_out(h);
}

bool vm_map_holds_map(struct picket_map *m, const struct picket_map *inner)
{
	struct vm_table_place place;

	return m->spec.inner && vm_table_find(&maps_of(m)->held, &inner, &place);
}

struct each {
	int (*inner)(struct picket_map *inner, void *user);
	void *user;
	bool stopped;
};

static int each_held(const void *key, uint32_t element, void *user)
{
	struct each *e = user;
	struct picket_map *inner;

	(void)element;
	memcpy(&inner, key, sizeof(inner));
	e->stopped = e->inner(inner, e->user);
	return e->stopped;
}

int64_t vm_map_each_inner(struct picket_map *m, int (*inner)(struct picket_map *inner, void *user), void *user)
{
	struct each e = {.inner = inner, .user = user};

	if (!m->spec.inner)
		return 0;
	int64_t count = vm_table_each(&maps_of(m)->held, each_held, &e);
	return e.stopped ? -1 : count;
}

/* ---- what may be held ---- */

static bool fits(const struct picket_map_spec *wanted, const struct picket_map_spec *given)
{
	if (given->type != wanted->type || given->key_size != wanted->key_size ||
	    given->value_size != wanted->value_size || given->flags != wanted->flags)
		return false;
	bool any_length = wanted->type != BPF_MAP_TYPE_ARRAY || wanted->flags & BPF_F_INNER_MAP;
	return any_length || given->max_entries == wanted->max_entries;
}

static int hold_value(struct maps *h, const void *value, struct holder **ret_holder)
{
	struct picket_map *inner;

	memcpy(&inner, value, sizeof(inner));
	if (!inner || !fits(&h->map.inner_spec, &inner->spec))
		return -EINVAL;
	release_taken_out(h);
	return hold(h, inner, ret_holder);
}

/* ---- array of maps ---- */

static struct holder *array_get(struct maps *h, const void *key)
{
	uint32_t index = vm_array_index(key);

	return index < h->map.max_entries ? __atomic_load_n(holder_at(h, index), __ATOMIC_ACQUIRE) : NULL;
}

static int array_write(struct picket_map *m, const void *key, const void *value, uint64_t flags)
{
	struct maps *h = maps_of(m);
	uint32_t index = vm_array_index(key);
	struct holder *holder;

	if (flags != BPF_ANY)
		return -EINVAL;
	if (index >= m->max_entries)
		return -E2BIG;
	int r = hold_value(h, value, &holder);
	if (r)
		return r;
	struct holder *old = __atomic_exchange_n(holder_at(h, index), holder, __ATOMIC_ACQ_REL);
	if (old)
		take_out(h, old);
	return 0;
}

static int array_remove(struct picket_map *m, const void *key)
{
	struct maps *h = maps_of(m);
	uint32_t index = vm_array_index(key);

	if (index >= m->max_entries)
		return -E2BIG;
	struct holder *old = __atomic_exchange_n(holder_at(h, index), NULL, __ATOMIC_ACQ_REL);
	if (!old)
		return -ENOENT;
	take_out(h, old);
	return 0;
}

/* ---- hash of maps ---- */

/* The holder that is found is still the key's when it has been read, and stays as long as the epoch. */
static struct holder *hash_get(struct maps *h, const void *key)
{
	struct vm_table_place place;
	struct holder *holder;

	do {
		if (!vm_table_find(&h->table, key, &place))
			return NULL;
		holder = __atomic_load_n(holder_at(h, place.element), __ATOMIC_ACQUIRE);
	} while (!vm_table_stays(&place));
	return holder;
}

static int hash_write(struct picket_map *m, const void *key, const void *value, uint64_t flags)
{
	struct maps *h = maps_of(m);
	struct holder *holder, *old = NULL;
	struct vm_table_change c;
	int r = hold_value(h, value, &holder);

	if (r)
		return r;
	r = vm_table_begin(&h->table, key, flags, &c);
	if (r) {
		release(h, holder);
		return r;
	}
	uint32_t element = vm_table_take(&h->table);
	if (c.element != VM_NONE)
		old = *holder_at(h, c.element);
	__atomic_store_n(holder_at(h, element), holder, __ATOMIC_RELEASE);
	vm_table_put(&h->table, &c, element);
	vm_table_end(&h->table, &c);
	if (old)
		take_out(h, old);
	return 0;
}

static int hash_remove(struct picket_map *m, const void *key)
{
	struct maps *h = maps_of(m);
	struct vm_table_change c;
	int r = vm_table_begin_existing(&h->table, key, &c);

	if (r)
		return r;
	struct holder *old = *holder_at(h, c.element);
	vm_table_remove(&h->table, &c);
	vm_table_end(&h->table, &c);
	take_out(h, old);
	return 0;
}

static int hash_next_key(struct picket_map *m, const void *key, void *ret_key)
{
	return vm_table_next_key(&maps_of(m)->table, key, ret_key);
}

/* ---- both ---- */

static struct holder *get(struct picket_map *m, const void *key)
{
	return is_hash(maps_of(m)) ? hash_get(maps_of(m), key) : array_get(maps_of(m), key);
}

static void *maps_lookup(struct picket_map *m, const void *key)
{
	struct holder *holder = get(m, key);
	return holder ? holder->map : NULL;
}

static int maps_read(struct picket_map *m, const void *key, void *ret_value)
{
	vm_epoch_enter();
	struct picket_map *inner = maps_lookup(m, key);
	if (inner)
		picket_map_ref(inner);
	vm_epoch_leave();
	if (!inner)
		return -ENOENT;
	memcpy(ret_value, &inner, sizeof(inner));
	return 0;
}

/* No program has the map, so none is in a run with an inner map that it got here. */
static void maps_done(struct picket_map *m)
{
	struct maps *h = maps_of(m);

	while (h->all)
		release(h, h->all);
	vm_table_done(&h->held);
	vm_table_done(&h->table);
	vm_area_unmap(&h->counts);
	vm_area_unmap(&h->area);
	pthread_mutex_destroy(&h->lock);
	free(h);
}

static const struct vm_map_ops array_ops = {
        .lookup = maps_lookup,
        .read = maps_read,
        .write = array_write,
        .remove = array_remove,
        .next_key = vm_array_next_key,
        .done = maps_done,
};

static const struct vm_map_ops hash_ops = {
        .lookup = maps_lookup,
        .read = maps_read,
        .write = hash_write,
        .remove = hash_remove,
        .next_key = hash_next_key,
        .done = maps_done,
};

static int init_held(struct maps *h)
{
	uint64_t entries = 2 * (h->map.max_entries + (uint64_t)SPARE);

	if (entries > VM_TABLE_ENTRIES_MAX)
		return -E2BIG;
	int r = vm_table_init(&h->held, sizeof(struct picket_map *), (uint32_t)entries, base_random_seed(), false);
	return r ? r : vm_area_map(&h->counts, h->held.elements, sizeof(uint32_t));
}

int vm_maps_new(const struct picket_map_spec *spec, struct picket_map **ret_map)
{
	struct maps *h = aligned_alloc(_Alignof(struct maps), sizeof(*h));

	if (!h)
		return -ENOMEM;
	*h = (struct maps){.lock = PTHREAD_MUTEX_INITIALIZER};
	vm_map_init(&h->map, spec, spec->type == BPF_MAP_TYPE_HASH_OF_MAPS ? &hash_ops : &array_ops);
	int r = init_held(h);
	if (!r && is_hash(h))
		r = vm_table_init(&h->table, spec->key_size, spec->max_entries, vm_map_seed(spec), false);
	if (!r)
		r = vm_area_map(&h->area, is_hash(h) ? h->table.elements : spec->max_entries, sizeof(struct holder *));
	if (r) {
		maps_done(&h->map);
		return r;
	}
	h->map.memory = sizeof(*h) + vm_table_memory(&h->held) + h->counts.size + h->area.size +
	                h->held.elements * sizeof(struct holder);
	if (is_hash(h))
		h->map.memory += vm_table_memory(&h->table);
	*ret_map = &h->map;
	return 0;
}
