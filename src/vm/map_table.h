/* SPDX-License-Identifier: Apache-2.0
 *
 * A hash table from keys to element numbers, below the kinds of maps that are hashes: lookups without locks, writers
 * with a lock for each group of buckets. What an element's value is, and where, is the caller's.
 *
 * Elements are reused at once. A bucket holds its chain's first element and a version, which changes whenever an
 * element has left the chain, before it can be used again. A reader that finds the version changed starts anew: so all
 * that it has seen until then was in the chain, and its key and link were not being written.
 */
#ifndef PICKET_VM_MAP_TABLE_H
#define PICKET_VM_MAP_TABLE_H

#include "vm/map_area.h"
#include "vm/map_int.h"

#define VM_TABLE_ENTRIES_MAX (1u << 30)

struct vm_table_stripe;
struct vm_table {
	uint32_t key_size, key_words;
	uint32_t max_entries;
	uint32_t elements; /* more than max_entries: what replaces an element is written beside it */
	uint32_t bucket_mask, stripe_mask;
	uint32_t node_stride;
	bool evicts; /* when full: what was not touched for longest, roughly */
	uint64_t seed;
	uint64_t *buckets; /* upper half: version; lower half: 1 + the first element, 0: none */
	uint8_t *nodes;
	struct vm_table_stripe *stripes;
	struct vm_area bucket_area, node_area;
	struct vm_pool pool;
	uint32_t used __attribute__((aligned(64))); /* elements in chains, at most max_entries; changed by writers */
	uint64_t hand;                              /* where the search for an element to evict goes on */
};

/* key_size: 1 .. VM_MAP_KEY_MAX. -E2BIG, -ENOMEM. */
int vm_table_init(struct vm_table *t, uint32_t key_size, uint32_t max_entries, uint64_t seed, bool evicts) must_check;
void vm_table_done(struct vm_table *t); /* also of one that is all zero, or whose init failed */
uint64_t vm_table_memory(const struct vm_table *t);

/* ---- readers ---- */
struct vm_table_place {
	uint32_t element;
	uint32_t version;
	const uint64_t *bucket;
};
bool vm_table_find(const struct vm_table *t, const void *key, struct vm_table_place *ret_place);
/* Is what was read of the element's value since it was found all of this element? */
bool vm_table_stays(const struct vm_table_place *place);
/* Used now: others are evicted before it. */
void vm_table_touch(struct vm_table *t, uint32_t element);

/* ---- writers: begin looks up and locks, what it finds is steady then; end unlocks. One at a time in a thread ---- */
struct vm_table_change {
	uint32_t hash;
	uint32_t element;                 /* that has the key, or VM_NONE */
	uint32_t before;                  /* 1 + the element before it in the chain; 0: it is the first */
	uint64_t key[VM_MAP_KEY_MAX / 8]; /* a copy: the program's may change under us */
};
/* flags: BPF_ANY, BPF_NOEXIST, BPF_EXIST. On 0, and only then, vm_table_end() must follow; if c->element is VM_NONE,
 * there is room for a new element, and vm_table_put() must come before the end.
 * -EINVAL: flags; -EEXIST, -ENOENT: by flags; -E2BIG: full; -ENOMEM: full, and nothing could be evicted. */
int vm_table_begin(struct vm_table *t, const void *key, uint64_t flags, struct vm_table_change *c) must_check;
/* As above, without room for a new one. -ENOENT. */
int vm_table_begin_existing(struct vm_table *t, const void *key, struct vm_table_change *c) must_check;
/* An element for the new value: write that, then put it in the place of c->element, which is given up. */
uint32_t vm_table_take(struct vm_table *t);
void vm_table_put(struct vm_table *t, struct vm_table_change *c, uint32_t element);
void vm_table_remove(struct vm_table *t, struct vm_table_change *c); /* c->element */
void vm_table_end(struct vm_table *t, struct vm_table_change *c);

/* ---- walks ---- */
/* The key after this one, or the first if key is NULL or not there. -ENOENT: no more. */
int vm_table_next_key(struct vm_table *t, const void *key, void *ret_key);
/* Each element, at most once, until `element` returns non-zero; no lock is held in it. Returns how many it was called
 * for; -ENOMEM. */
int64_t vm_table_each(struct vm_table *t, int (*element)(const void *key, uint32_t element, void *user), void *user);

#endif
