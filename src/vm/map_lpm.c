/* SPDX-License-Identifier: Apache-2.0
 *
 * LPM trie: of all prefixes that cover a key, the longest. A binary trie; a node stands for a prefix, and its two
 * children for longer ones that go on with 0 and with 1. Nodes without a value are there only where two ways part, so
 * there are fewer of them than of the others.
 *
 * Readers take no lock. The version changes whenever a node or a value has been taken out of the trie, before it can be
 * used again; a reader that finds it changed starts anew. Prefixes get longer on every true way down, so that a reader
 * that was led astray comes to an end.
 */
#include "vm/map_int.h"
#include "vm/map_kind.h"

#include <endian.h>
#include <errno.h>
#include <linux/bpf.h>
#include <pthread.h>
#include <stdlib.h>

#define DATA_WORDS_MAX 32 /* 2,048 bits */
#define ENTRIES_MAX (1u << 30)

/* All but the links is written while the node is in no trie; bits of data beyond the prefix mean nothing. */
struct node {
	uint32_t child[2]; /* 1 + node; 0: none */
	uint32_t bits;     /* length of the prefix */
	uint32_t value;    /* 1 + value; 0: none, two ways part here */
	uint64_t data[];   /* bytes as in the key */
};

struct key {
	uint32_t bits;
	uint64_t data[DATA_WORDS_MAX];
};

struct lpm {
	struct picket_map map;
	struct vm_area node_area, value_area;
	struct vm_pool nodes, values;
	uint32_t data_words, node_stride;
	uint32_t bits_max;
	uint32_t root;    /* 1 + node */
	uint32_t version; /* see above */
	pthread_mutex_t lock;
	uint32_t count; /* values in the trie */
};

static struct lpm *lpm_of(struct picket_map *m)
{
	return (struct lpm *)m;
}

/* link: 1 + node. */
static struct node *node_at(const struct lpm *l, uint32_t link)
{
	return (struct node *)(void *)(l->node_area.data + (uint64_t)(link - 1) * l->node_stride);
}

static void *value_at(const struct lpm *l, uint32_t value)
{
	return l->value_area.data + (uint64_t)(value - 1) * l->map.stride;
}

/* ---- keys ---- */

static size_t data_size(const struct lpm *l)
{
	return l->map.spec.key_size - sizeof(uint32_t);
}

static void read_key(const struct lpm *l, const void *key, struct key *ret_key)
{
	memcpy(&ret_key->bits, key, sizeof(uint32_t));
	vm_words_pack(ret_key->data, (const uint8_t *)key + sizeof(uint32_t), data_size(l));
}

static unsigned bit_at(const struct key *k, uint32_t bit)
{
	return be64toh(k->data[bit / 64]) >> (63 - bit % 64) & 1;
}

/* How many of the first `limit` bits are the same. */
static uint32_t same_bits(const struct node *n, const struct key *k, uint32_t limit)
{
	for (uint32_t bit = 0; bit < limit; bit += 64) {
		uint64_t differs = be64toh(__atomic_load_n(&n->data[bit / 64], __ATOMIC_RELAXED) ^ k->data[bit / 64]);
		if (differs)
			return MIN(limit, bit + (uint32_t)__builtin_clzll(differs));
	}
	return limit;
}

static uint32_t get(const uint32_t *link)
{
	return __atomic_load_n(link, __ATOMIC_ACQUIRE);
}

static void set(uint32_t *link, uint32_t to)
{
	__atomic_store_n(link, to, __ATOMIC_RELEASE);
}

/* ---- readers ---- */

/* The value of the longest prefix on the way down, or 0. */
static uint32_t descend(const struct lpm *l, const struct key *k)
{
	uint32_t best = 0, next_bits = 0;

	for (uint32_t at = get(&l->root); at;) {
		const struct node *n = node_at(l, at);
		uint32_t bits = get(&n->bits);
		if (bits < next_bits || bits > k->bits || same_bits(n, k, bits) < bits)
			break;
		uint32_t value = get(&n->value);
		best = value ? value : best;
		if (bits == k->bits)
			break;
		next_bits = bits + 1;
		at = get(&n->child[bit_at(k, bits)]);
	}
	return best;
}

/* ret_version: see stays(). */
static uint32_t find(const struct lpm *l, const struct key *k, uint32_t *ret_version)
{
	*ret_version = __atomic_load_n(&l->version, __ATOMIC_ACQUIRE);
	return k->bits <= l->bits_max ? descend(l, k) : 0;
}

static bool stays(const struct lpm *l, uint32_t version)
{
	__atomic_thread_fence(__ATOMIC_ACQUIRE);
	return __atomic_load_n(&l->version, __ATOMIC_RELAXED) == version;
}

static void *lpm_lookup(struct picket_map *m, const void *key)
{
	const struct lpm *l = lpm_of(m);
	uint32_t version, value;
	struct key k;

	read_key(l, key, &k);
	do
		value = find(l, &k, &version);
	while (!stays(l, version));
	return value ? value_at(l, value) : NULL;
}

static int read_locked(struct lpm *l, const struct key *k, void *ret_value)
{
	uint32_t version;

	pthread_mutex_lock(&l->lock);
	uint32_t value = find(l, k, &version);
	if (value)
		vm_words_load(ret_value, value_at(l, value), l->map.spec.value_size);
	pthread_mutex_unlock(&l->lock);
	return value ? 0 : -ENOENT;
}

/* A value may be gone when half of it is read, so it is read to a place of ours first; a large one with the lock. */
static int lpm_read(struct picket_map *m, const void *key, void *ret_value)
{
	struct lpm *l = lpm_of(m);
	uint64_t words[VM_READ_MAX / 8];
	uint32_t version, value;
	struct key k;

	read_key(l, key, &k);
	if (m->spec.value_size > sizeof(words))
		return read_locked(l, &k, ret_value);
	do {
		value = find(l, &k, &version);
		if (value)
			vm_words_load(words, value_at(l, value), m->spec.value_size);
	} while (!stays(l, version));
	if (!value)
		return -ENOENT;
	memcpy(ret_value, words, m->spec.value_size);
	return 0;
}

static bool lpm_find(struct picket_map *m, uint64_t address, struct vm_window *ret_window)
{
	return vm_area_find(&lpm_of(m)->value_area, m->stride * (m->max_entries + 1ull), m->stride, m->spec.value_size,
	                    address, ret_window);
}

/* ---- writers, with the lock ---- */

/* Something is out of the trie: readers must know before it is given up. */
static void tell_readers(struct lpm *l)
{
	__atomic_store_n(&l->version, l->version + 1, __ATOMIC_RELEASE);
}

/* Who sees anything that is written into it from now on sees, too, that it was taken out before. There are enough: one
 * value more than entries; for each entry a node of its own and one where ways part. */
static uint32_t take(struct vm_pool *p)
{
	uint32_t link = vm_pool_take(p) + 1;

	__atomic_thread_fence(__ATOMIC_RELEASE);
	return link;
}

static uint32_t new_value(struct lpm *l, const void *value)
{
	uint32_t link = take(&l->values);

	vm_words_store(value_at(l, link), value, l->map.spec.value_size);
	return link;
}

static uint32_t new_node(struct lpm *l, const struct key *k, uint32_t bits, uint32_t value)
{
	uint32_t link = take(&l->nodes);
	struct node *n = node_at(l, link);

	vm_words_store(n->data, k->data, l->data_words * 8ul);
	set(&n->child[0], 0);
	set(&n->child[1], 0);
	set(&n->bits, bits);
	set(&n->value, value);
	return link;
}

static void give_value(struct lpm *l, uint32_t value)
{
	vm_pool_give(&l->values, value - 1);
}

static void give_node(struct lpm *l, uint32_t node)
{
	vm_pool_give(&l->nodes, node - 1);
}

/* Where the way to a key ends: at its own node, or where that would have to go. */
struct way {
	uint32_t *link;   /* to the node; within its parent, or the root */
	uint32_t *above;  /* to the parent, NULL if there is none */
	uint32_t matches; /* bits that node and key share */
};

static struct way walk(struct lpm *l, const struct key *k)
{
	struct way w = {.link = &l->root};

	while (*w.link) {
		struct node *n = node_at(l, *w.link);
		w.matches = same_bits(n, k, MIN(n->bits, k->bits));
		if (w.matches < n->bits || n->bits == k->bits)
			break;
		w.above = w.link;
		w.link = &n->child[bit_at(k, n->bits)];
	}
	return w;
}

/* The key's own node; with a value or not. */
static struct node *own_node(const struct lpm *l, const struct way *w, const struct key *k)
{
	struct node *n = *w->link ? node_at(l, *w->link) : NULL;

	return n && n->bits == k->bits && w->matches == k->bits ? n : NULL;
}

/* A node of the key at the end of the way: alone, above of what is there, or beside it. */
static void link_node(struct lpm *l, const struct way *w, const struct key *k, uint32_t value)
{
	uint32_t there = *w->link, added = new_node(l, k, k->bits, value), top = added;

	if (there && w->matches < k->bits) {
		top = new_node(l, k, w->matches, 0);
		set(&node_at(l, top)->child[bit_at(k, w->matches)], added);
		set(&node_at(l, top)->child[!bit_at(k, w->matches)], there);
	} else if (there) {
		struct key other;
		vm_words_load(other.data, node_at(l, there)->data, l->data_words * 8ul);
		set(&node_at(l, added)->child[bit_at(&other, k->bits)], there);
	}
	set(w->link, top);
}

static int update(struct lpm *l, const struct key *k, const void *value, uint64_t flags)
{
	struct way w = walk(l, k);
	struct node *n = own_node(l, &w, k);
	uint32_t old = n ? n->value : 0;

	if (flags == BPF_NOEXIST && old)
		return -EEXIST;
	if (flags == BPF_EXIST && !old)
		return -ENOENT;
	if (!old && l->count == l->map.max_entries)
		return -ENOSPC;
	uint32_t value_link = new_value(l, value);
	l->count += !old;
	if (!n) {
		link_node(l, &w, k, value_link);
		return 0;
	}
	vm_words_store(n->data, k->data, l->data_words * 8ul);
	set(&n->value, value_link);
	if (old) {
		tell_readers(l);
		give_value(l, old);
	}
	return 0;
}

static int lpm_update(struct picket_map *m, const void *key, const void *value, uint64_t flags)
{
	struct lpm *l = lpm_of(m);
	struct key k;

	read_key(l, key, &k);
	if (flags > BPF_EXIST || k.bits > l->bits_max)
		return -EINVAL;
	pthread_mutex_lock(&l->lock);
	int r = update(l, &k, value, flags);
	pthread_mutex_unlock(&l->lock);
	return r;
}

/* The node has no value any more. One with two children stays, to part the ways; of others the child takes the place,
 * and a parent that parted two ways has only one left then. */
static void unlink_node(struct lpm *l, const struct way *w)
{
	uint32_t node = *w->link, parent = w->above ? *w->above : 0;
	const struct node *n = node_at(l, node);
	uint32_t child = n->child[0] ? n->child[0] : n->child[1];
	bool parts = n->child[0] && n->child[1];
	bool parent_too = !child && parent && !node_at(l, parent)->value;

	if (parent_too) {
		const struct node *p = node_at(l, parent);
		set(w->above, p->child[w->link == &p->child[0]]);
	} else if (!parts) {
		set(w->link, child);
	}
	tell_readers(l);
	if (!parts)
		give_node(l, node);
	if (parent_too)
		give_node(l, parent);
}

static int lpm_remove(struct picket_map *m, const void *key)
{
	struct lpm *l = lpm_of(m);
	struct key k;

	read_key(l, key, &k);
	if (k.bits > l->bits_max)
		return -EINVAL;
	pthread_mutex_lock(&l->lock);
	struct way w = walk(l, &k);
	struct node *n = own_node(l, &w, &k);
	uint32_t value = n ? n->value : 0;
	if (value) {
		set(&n->value, 0);
		unlink_node(l, &w);
		give_value(l, value);
		l->count--;
	}
	pthread_mutex_unlock(&l->lock);
	return value ? 0 : -ENOENT;
}

/* ---- the order of keys: a node comes behind all that is below it, so the longer prefix before the shorter ---- */

static uint32_t first_below(const struct lpm *l, uint32_t at)
{
	for (;;) {
		const struct node *n = node_at(l, at);
		if (!n->child[0] && !n->child[1])
			return at;
		at = n->child[0] ? n->child[0] : n->child[1];
	}
}

/* The node with a value that follows the key's; 0: none. The nearest node on the way that has one decides. */
static uint32_t next_node(const struct lpm *l, const struct key *k)
{
	uint32_t next = 0, beside = 0;

	for (uint32_t at = l->root; node_at(l, at)->bits < k->bits;) {
		const struct node *n = node_at(l, at);
		unsigned side = bit_at(k, n->bits);
		if (!side && n->child[1]) {
			beside = n->child[1];
		} else if (n->value) {
			beside = 0;
			next = at;
		}
		at = n->child[side];
	}
	return beside ? first_below(l, beside) : next;
}

static bool is_there(struct lpm *l, const struct key *k)
{
	if (k->bits > l->bits_max)
		return false;
	struct way w = walk(l, k);
	const struct node *n = own_node(l, &w, k);
	return n && n->value;
}

static int lpm_next_key(struct picket_map *m, const void *key, void *ret_key)
{
	struct lpm *l = lpm_of(m);
	uint32_t next = 0;
	struct key k;

	if (key)
		read_key(l, key, &k);
	pthread_mutex_lock(&l->lock);
	if (key && is_there(l, &k))
		next = next_node(l, &k);
	else if (l->root)
		next = first_below(l, l->root);
	if (next) {
		const struct node *n = node_at(l, next);
		memcpy(ret_key, &n->bits, sizeof(uint32_t));
		vm_words_load((uint8_t *)ret_key + sizeof(uint32_t), n->data, data_size(l));
	}
	pthread_mutex_unlock(&l->lock);
	return next ? 0 : -ENOENT;
}

/* ---- making one ---- */

static void lpm_done(struct picket_map *m)
{
	struct lpm *l = lpm_of(m);

	vm_pool_done(&l->nodes);
	vm_pool_done(&l->values);
	vm_area_unmap(&l->node_area);
	vm_area_unmap(&l->value_area);
	pthread_mutex_destroy(&l->lock);
	free(l);
}

static const struct vm_map_ops lpm_ops = {
        .lookup = lpm_lookup,
        .update = lpm_update,
        .delete = lpm_remove,
        .find = lpm_find,
        .read = lpm_read,
        .write = lpm_update,
        .remove = lpm_remove,
        .next_key = lpm_next_key,
        .done = lpm_done,
};

static int reserve(struct lpm *l, uint32_t entries)
{
	if (entries > ENTRIES_MAX)
		return -E2BIG;
	int r = vm_pool_init(&l->nodes, 2 * entries);
	if (!r)
		r = vm_pool_init(&l->values, entries + 1);
	if (!r)
		r = vm_area_map(&l->node_area, l->nodes.count, l->node_stride);
	if (!r)
		r = vm_area_map(&l->value_area, l->values.count, l->map.stride);
	return r;
}

int vm_lpm_new(const struct picket_map_spec *spec, struct picket_map **ret_map)
{
	struct lpm *l = calloc(1, sizeof(*l));

	if (!l)
		return -ENOMEM;
	vm_map_init(&l->map, spec, &lpm_ops);
	pthread_mutex_init(&l->lock, NULL);
	l->bits_max = (uint32_t)data_size(l) * 8;
	l->data_words = (uint32_t)vm_round_up_8(data_size(l)) / 8;
	l->node_stride = (uint32_t)sizeof(struct node) + l->data_words * 8;
	int r = reserve(l, spec->max_entries);
	if (r) {
		lpm_done(&l->map);
		return r;
	}
	l->map.memory = sizeof(*l) + l->nodes.area.size + l->values.area.size + l->node_area.size + l->value_area.size;
	*ret_map = &l->map;
	return 0;
}
