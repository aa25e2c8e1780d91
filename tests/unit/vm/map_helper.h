/* SPDX-License-Identifier: Apache-2.0
 *
 * What the tests of maps share. Included behind cmocka.h.
 */
#ifndef PICKET_TEST_MAP_HELPER_H
#define PICKET_TEST_MAP_HELPER_H

#include "vm/map_int.h"

#include <errno.h>
#include <linux/bpf.h>
#include <stdlib.h>

/* xorshift64*, so that a failure comes again. */
static inline uint32_t next_random(uint64_t *state)
{
	*state ^= *state >> 12;
	*state ^= *state << 25;
	*state ^= *state >> 27;
	return (uint32_t)(*state * 0x2545f4914f6cdd1dull >> 32);
}

static inline struct picket_map *make_map(struct picket_map_spec spec)
{
	struct picket_map *m = NULL;
	struct picket_error error = {0};
	int r = picket_map_new(&spec, &m, &error);

	if (r)
		fail_msg("map of type %u: %d, %s", spec.type, r, error.text);
	return m;
}

static inline struct picket_map *make(uint32_t type, uint32_t key_size, uint32_t value_size, uint32_t max_entries)
{
	return make_map((struct picket_map_spec){
	        .type = type, .key_size = key_size, .value_size = value_size, .max_entries = max_entries});
}

static inline void free_map(struct picket_map **m)
{
	picket_map_free(*m);
}
#define owned_map _cleanup_(free_map) struct picket_map *

#endif
