/* SPDX-License-Identifier: Apache-2.0 */
#include "base/map.h"

#include <errno.h>
#include <stdlib.h>

#define CAPACITY_MIN 16

/* key NULL: never used, a search ends here. key REMOVED: was used, a search goes on. The capacity is a power of two
 * and at least a quarter of it was never used, so that every search ends. */
struct map_entry {
	char *key;
	size_t length;
	uint64_t hash;
	void *value;
};

static char removed_mark[1];
#define REMOVED removed_mark

static bool entry_holds(const struct map_entry *e)
{
	return e->key && e->key != REMOVED;
}

void map_init(struct map *m, size_t limit)
{
	*m = (struct map){.limit = limit, .seed = base_random_seed()};
}

void map_done(struct map *m)
{
	for (size_t i = 0; i < m->capacity; i++) {
		if (entry_holds(&m->entries[i]))
			free(m->entries[i].key);
	}
	free(m->entries);
	*m = (struct map){.limit = m->limit, .seed = m->seed};
}

static struct map_entry *map_find(const struct map *m, struct str key, uint64_t hash)
{
	for (size_t i = hash; m->capacity; i++) {
		struct map_entry *e = &m->entries[i & (m->capacity - 1)];
		if (!e->key)
			break;
		if (e->key != REMOVED && e->hash == hash && str_equal(str_make(e->key, e->length), key))
			return e;
	}
	return NULL;
}

void *map_get(const struct map *m, struct str key)
{
	struct map_entry *e = map_find(m, key, base_hash_seeded(m->seed, key.data, key.length));
	return e ? e->value : NULL;
}

static struct map_entry *find_free(struct map_entry *entries, size_t capacity, uint64_t hash)
{
	size_t i = hash & (capacity - 1);
	while (entry_holds(&entries[i]))
		i = (i + 1) & (capacity - 1);
	return &entries[i];
}

/* Room for one more: grows, or only sweeps out the marks of removed entries. */
static int map_make_room(struct map *m)
{
	if (m->used + 1 <= m->capacity / 4 * 3)
		return 0;
	size_t capacity = MAX(m->capacity, (size_t)CAPACITY_MIN);
	while (m->count + 1 > capacity / 2) {
		if (capacity > SIZE_MAX / 2)
			return -ENOMEM;
		capacity *= 2;
	}
	struct map_entry *entries = calloc(capacity, sizeof(*entries));
	if (!entries)
		return -ENOMEM;
	for (size_t i = 0; i < m->capacity; i++) {
		if (entry_holds(&m->entries[i]))
			*find_free(entries, capacity, m->entries[i].hash) = m->entries[i];
	}
	free(m->entries);
	m->entries = entries;
	m->capacity = capacity;
	m->used = m->count;
	return 0;
}

static int map_insert(struct map *m, struct str key, uint64_t hash, void *value)
{
	if (m->count >= m->limit)
		return -ENOSPC;
	int error = map_make_room(m);
	if (error)
		return error;
	char *copy = key.length == SIZE_MAX ? NULL : malloc(key.length + 1);
	if (!copy)
		return -ENOMEM;
	if (key.length)
		memcpy(copy, key.data, key.length);
	copy[key.length] = '\0';
	struct map_entry *e = find_free(m->entries, m->capacity, hash);
	m->used += !e->key;
	m->count++;
	*e = (struct map_entry){.key = copy, .length = key.length, .hash = hash, .value = value};
	return 0;
}

int map_put(struct map *m, struct str key, void *value, void **ret_old)
{
	uint64_t hash = base_hash_seeded(m->seed, key.data, key.length);
	struct map_entry *e = map_find(m, key, hash);
	void *old = e ? e->value : NULL;
	if (e) {
		e->value = value;
	} else {
		int error = map_insert(m, key, hash, value);
		if (error)
			return error;
	}
	if (ret_old)
		*ret_old = old;
	return 0;
}

void *map_remove(struct map *m, struct str key)
{
	struct map_entry *e = map_find(m, key, base_hash_seeded(m->seed, key.data, key.length));
	if (!e)
		return NULL;
	void *value = e->value;
	free(e->key);
	*e = (struct map_entry){.key = REMOVED};
	m->count--;
	return value;
}

bool map_next(const struct map *m, size_t *position, struct str *ret_key, void **ret_value)
{
	for (; *position < m->capacity; (*position)++) {
		const struct map_entry *e = &m->entries[*position];
		if (!entry_holds(e))
			continue;
		if (ret_key)
			*ret_key = str_make(e->key, e->length);
		if (ret_value)
			*ret_value = e->value;
		(*position)++;
		return true;
	}
	return false;
}
