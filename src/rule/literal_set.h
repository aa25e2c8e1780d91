/* SPDX-License-Identifier: Apache-2.0
 *
 * Sets of literals, made once when a condition is checked and then only read. All memory is the arena's.
 */
#ifndef PICKET_RULE_LITERAL_SET_H
#define PICKET_RULE_LITERAL_SET_H

#include "base/arena.h"
#include "event/value.h"

/* Values of one class: text and bytes by their bytes, whole numbers by their value, addresses by the networks. */
struct literal_set;
struct literal_set *literal_set_new(struct arena *arena, size_t limit) must_check; /* NULL: no memory */
/* Returns 0; -ENOMEM; -ENOSPC: more than limit. */
int literal_set_add(struct literal_set *s, struct arena *arena, const struct value *v) must_check;
bool literal_set_has(const struct literal_set *s, const struct value *v);

/* A NUL-terminated copy with one slash between components and none at the end; "/" stays. data: NULL: no memory. */
struct str path_normal(struct arena *arena, struct str path) must_check;
bool path_has_wildcard(struct str path);
/* Paths, and patterns of paths, each of which stands for all that lies below it. */
struct path_set;
struct path_set *path_set_new(struct arena *arena, size_t limit) must_check;
int path_set_add(struct path_set *s, struct arena *arena, struct str path) must_check;
/* Is path one of them, or below one? Returns 1, 0, -ENOMEM (of scratch). */
int path_set_covers(const struct path_set *s, struct arena *scratch, struct str path) must_check;

#endif
