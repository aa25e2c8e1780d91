/* SPDX-License-Identifier: Apache-2.0
 *
 * Memory that is freed all at once: for trees and for what one event needs. Not thread-safe.
 */
#ifndef PICKET_BASE_ARENA_H
#define PICKET_BASE_ARENA_H

#include "base/base.h"

struct arena_block;
struct arena {
	struct arena_block *block;
	size_t used, limit; /* bytes handed out; the most that may be */
};

void arena_init(struct arena *a, size_t limit);
void arena_done(struct arena *a);  /* also for _cleanup_ */
void arena_reset(struct arena *a); /* forgets all, keeps the largest block: what was allocated is invalid */
/* Zeroed, aligned to 16. NULL: no memory, or the limit. */
void *arena_alloc(struct arena *a, size_t size) must_check;
#define arena_new(a, type) ((type *)arena_alloc((a), sizeof(type)))
#define arena_array(a, type, count) ((type *)arena_alloc_array((a), sizeof(type), (count)))
void *arena_alloc_array(struct arena *a, size_t size, size_t count) must_check; /* NULL also on overflow */
/* A copy with a NUL after it. data is NULL if there is no memory. */
struct str arena_str(struct arena *a, struct str s) must_check;
struct str arena_printf(struct arena *a, const char *format, ...) printf_like(2, 3) must_check;

#endif
