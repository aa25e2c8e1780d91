/* SPDX-License-Identifier: Apache-2.0
 *
 * A hash map from bytes to pointers, with a limit. Keys are copied. Open addressing; not thread-safe.
 */
#ifndef PICKET_BASE_MAP_H
#define PICKET_BASE_MAP_H

#include "base/base.h"

struct map_entry;
struct map {
	struct map_entry *entries;
	size_t count, used, capacity; /* used: with the places of removed ones */
	size_t limit;
	uint64_t seed; /* of the hash: who chooses the keys cannot choose collisions */
};

void map_init(struct map *m, size_t limit);
void map_done(struct map *m);                       /* frees keys, not values */
void *map_get(const struct map *m, struct str key); /* NULL: not there */
/* Put or replace. ret_old: the value that was there, or NULL; may be NULL. Returns 0, -ENOMEM, -ENOSPC (limit). */
int map_put(struct map *m, struct str key, void *value, void **ret_old) must_check;
void *map_remove(struct map *m, struct str key); /* the value, or NULL */
/* Walk: start with position 0; false at the end. Do not change the map meanwhile, but for removing the entry just got. */
bool map_next(const struct map *m, size_t *position, struct str *ret_key, void **ret_value);

#endif
