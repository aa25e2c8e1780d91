/* SPDX-License-Identifier: Apache-2.0
 *
 * Queue, stack: a ring of values under a lock.
 */
#include "vm/map_int.h"
#include "vm/map_kind.h"

#include <errno.h>
#include <linux/bpf.h>
#include <pthread.h>
#include <stdlib.h>

struct queue {
	struct picket_map map;
	struct vm_area area;
	pthread_mutex_t lock;
	uint32_t first, count; /* the oldest value's place; how many there are */
};

static struct queue *queue_of(struct picket_map *m)
{
	return (struct queue *)m;
}

/* i: 0 is the oldest. */
static void *value_at(const struct queue *q, uint32_t i)
{
	uint64_t place = ((uint64_t)q->first + i) % q->map.max_entries;

	return q->area.data + place * q->map.stride;
}

static void drop_oldest(struct queue *q)
{
	q->first = (uint32_t)((q->first + 1ull) % q->map.max_entries);
	q->count--;
}

/* BPF_EXIST: when full, the oldest gives way. */
static int queue_push(struct picket_map *m, const void *value, uint64_t flags)
{
	struct queue *q = queue_of(m);
	int r = 0;

	if (flags != BPF_ANY && flags != BPF_EXIST)
		return -EINVAL;
	pthread_mutex_lock(&q->lock);
	if (q->count == m->max_entries && flags == BPF_EXIST)
		drop_oldest(q);
	if (q->count < m->max_entries)
		vm_words_store(value_at(q, q->count++), value, m->spec.value_size);
	else
		r = -E2BIG;
	pthread_mutex_unlock(&q->lock);
	return r;
}

static int get(struct picket_map *m, void *ret_value, bool remove)
{
	struct queue *q = queue_of(m);
	const bool is_stack = m->spec.type == BPF_MAP_TYPE_STACK;
	int r = -ENOENT;

	pthread_mutex_lock(&q->lock);
	if (q->count) {
		vm_words_load(ret_value, value_at(q, is_stack ? q->count - 1 : 0), m->spec.value_size);
		r = 0;
	}
	if (!r && remove && is_stack)
		q->count--;
	else if (!r && remove)
		drop_oldest(q);
	pthread_mutex_unlock(&q->lock);
	return r;
}

/* ---- for programs: on failure the value is zeroed ---- */

static int get_or_zero(struct picket_map *m, void *ret_value, bool remove)
{
	int r = get(m, ret_value, remove);

	if (r)
		memset(ret_value, 0, m->spec.value_size);
	return r;
}

static int queue_pop(struct picket_map *m, void *ret_value)
{
	return get_or_zero(m, ret_value, true);
}

static int queue_peek(struct picket_map *m, void *ret_value)
{
	return get_or_zero(m, ret_value, false);
}

/* ---- from outside ---- */

static int queue_read(struct picket_map *m, const void *key, void *ret_value)
{
	(void)key;
	return get(m, ret_value, false);
}

static int queue_take(struct picket_map *m, const void *key, void *ret_value)
{
	(void)key;
	return get(m, ret_value, true);
}

static int queue_write(struct picket_map *m, const void *key, const void *value, uint64_t flags)
{
	(void)key;
	return queue_push(m, value, flags);
}

static int queue_remove(struct picket_map *m, const void *key)
{
	(void)m, (void)key;
	return -EINVAL;
}

static int queue_next_key(struct picket_map *m, const void *key, void *ret_key)
{
	(void)m, (void)key, (void)ret_key;
	return -EINVAL;
}

static void queue_done(struct picket_map *m)
{
	struct queue *q = queue_of(m);

	vm_area_unmap(&q->area);
	pthread_mutex_destroy(&q->lock);
	free(q);
}

static const struct vm_map_ops queue_ops = {
        .push = queue_push,
        .pop = queue_pop,
        .peek = queue_peek,
        .read = queue_read,
        .write = queue_write,
        .remove = queue_remove,
        .take = queue_take,
        .next_key = queue_next_key,
        .done = queue_done,
};

int vm_queue_new(const struct picket_map_spec *spec, struct picket_map **ret_map)
{
	struct queue *q = calloc(1, sizeof(*q));

	if (!q)
		return -ENOMEM;
	vm_map_init(&q->map, spec, &queue_ops);
	int r = vm_area_map(&q->area, spec->max_entries, q->map.stride);
	if (r) {
		free(q);
		return r;
	}
	pthread_mutex_init(&q->lock, NULL);
	q->map.memory = sizeof(*q) + q->area.size;
	*ret_map = &q->map;
	return 0;
}
