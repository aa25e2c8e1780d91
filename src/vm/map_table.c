/* SPDX-License-Identifier: Apache-2.0 */
#include "vm/map_table.h"

#include <errno.h>
#include <linux/bpf.h>
#include <pthread.h>
#include <stdlib.h>

#define STRIPES_MAX 64

struct vm_table_stripe {
	pthread_mutex_t lock;
} __attribute__((aligned(64)));

/* key and hash change only while the element is in no chain. */
struct node {
	uint32_t next; /* 1 + the next element of the chain; 0: the last */
	uint32_t hash;
	uint32_t lives; /* how often the element has left a chain; changes with that chain's lock only */
	uint8_t linked;
	uint8_t touched;
	uint64_t key[]; /* zeroes at the end */
};

/* ---- the table ---- */

static struct node *node_at(const struct vm_table *t, uint32_t element)
{
	return (struct node *)(void *)(t->nodes + (uint64_t)element * t->node_stride);
}

static uint32_t power_of_two(uint32_t at_least)
{
	return at_least <= 1 ? 1 : 1u << (32 - __builtin_clz(at_least - 1));
}

static int init_stripes(struct vm_table *t, uint32_t count)
{
	t->stripes = aligned_alloc(_Alignof(struct vm_table_stripe), count * sizeof(*t->stripes));
	if (!t->stripes)
		return -ENOMEM;
	for (uint32_t i = 0; i < count; i++)
		pthread_mutex_init(&t->stripes[i].lock, NULL);
	t->stripe_mask = count - 1;
	return 0;
}

int vm_table_init(struct vm_table *t, uint32_t key_size, uint32_t max_entries, uint64_t seed, bool evicts)
{
	*t = (struct vm_table){0};
	if (max_entries > VM_TABLE_ENTRIES_MAX || key_size > VM_MAP_KEY_MAX)
		return -E2BIG;
	uint32_t buckets = power_of_two(max_entries), stripes = MIN(buckets, STRIPES_MAX);
	t->key_size = key_size;
	t->key_words = (uint32_t)vm_round_up_8(key_size) / 8;
	t->max_entries = max_entries;
	t->elements = max_entries + stripes; /* who holds a stripe's lock has at most one that is in no chain */
	t->bucket_mask = buckets - 1;
	t->node_stride = (uint32_t)sizeof(struct node) + t->key_words * 8;
	t->evicts = evicts;
	t->seed = seed;
	int r = vm_area_map(&t->bucket_area, buckets, sizeof(*t->buckets));
	if (!r)
		r = vm_area_map(&t->node_area, t->elements, t->node_stride);
	if (!r)
		r = vm_pool_init(&t->pool, t->elements);
	if (!r)
		r = init_stripes(t, stripes);
	if (r) {
		vm_table_done(t);
		return r;
	}
	t->buckets = (uint64_t *)(void *)t->bucket_area.data;
	t->nodes = t->node_area.data;
	return 0;
}

void vm_table_done(struct vm_table *t)
{
	for (uint32_t i = 0; t->stripes && i <= t->stripe_mask; i++)
		pthread_mutex_destroy(&t->stripes[i].lock);
	free(t->stripes);
	vm_pool_done(&t->pool);
	vm_area_unmap(&t->node_area);
	vm_area_unmap(&t->bucket_area);
	*t = (struct vm_table){0};
}

uint64_t vm_table_memory(const struct vm_table *t)
{
	return t->bucket_area.size + t->node_area.size + t->pool.area.size +
	       (t->stripe_mask + 1ull) * sizeof(*t->stripes);
}

/* ---- keys ---- */

static uint64_t fold(uint64_t a, uint64_t b)
{
	unsigned __int128 product = (unsigned __int128)a * b;
	return (uint64_t)product ^ (uint64_t)(product >> 64);
}

static uint32_t hash_words(const struct vm_table *t, const uint64_t *words)
{
	/* Odd, with about as many ones as zeroes: fractional parts of e and of the golden ratio. */
	const uint64_t e = 0xb7e151628aed2a6b, golden = 0x9e3779b97f4a7c15;
	uint64_t state = t->seed ^ e;

	for (uint32_t i = 0; i < t->key_words; i++)
		state = fold(state ^ words[i], golden) + e;
	state = fold(state ^ golden, e);
	return (uint32_t)(state ^ state >> 32);
}

static uint32_t read_key(const struct vm_table *t, const void *key, uint64_t *ret_words)
{
	vm_words_pack(ret_words, key, t->key_size);
	return hash_words(t, ret_words);
}

static bool has_key(const struct vm_table *t, const struct node *n, uint32_t hash, const uint64_t *words)
{
	if (__atomic_load_n(&n->hash, __ATOMIC_RELAXED) != hash)
		return false;
	for (uint32_t i = 0; i < t->key_words; i++) {
		if (__atomic_load_n(&n->key[i], __ATOMIC_RELAXED) != words[i])
			return false;
	}
	return true;
}

/* ---- readers ---- */

static uint32_t version_of(uint64_t bucket)
{
	return (uint32_t)(bucket >> 32);
}

bool vm_table_stays(const struct vm_table_place *place)
{
	__atomic_thread_fence(__ATOMIC_ACQUIRE);
	return version_of(__atomic_load_n(place->bucket, __ATOMIC_RELAXED)) == place->version;
}

bool vm_table_find(const struct vm_table *t, const void *key, struct vm_table_place *ret_place)
{
	uint64_t words[VM_MAP_KEY_MAX / 8];
	uint32_t hash = read_key(t, key, words);
	const uint64_t *bucket = &t->buckets[hash & t->bucket_mask];
	uint32_t at;

restart:;
	uint64_t start = __atomic_load_n(bucket, __ATOMIC_ACQUIRE);
	struct vm_table_place place = {.version = version_of(start), .bucket = bucket};
	for (at = (uint32_t)start; at;) {
		const struct node *n = node_at(t, at - 1);
		bool found = has_key(t, n, hash, words);
		uint32_t next = __atomic_load_n(&n->next, __ATOMIC_ACQUIRE);
		if (!vm_table_stays(&place))
			goto restart;
		if (found)
			break;
		at = next;
	}
	place.element = at - 1;
	*ret_place = place;
	return at;
}

void vm_table_touch(struct vm_table *t, uint32_t element)
{
	struct node *n = node_at(t, element);

	if (!__atomic_load_n(&n->touched, __ATOMIC_RELAXED))
		__atomic_store_n(&n->touched, 1, __ATOMIC_RELAXED);
}

/* ---- writers ---- */

static uint64_t *bucket_of(struct vm_table *t, uint32_t hash)
{
	return &t->buckets[hash & t->bucket_mask];
}

static void lock_bucket(struct vm_table *t, uint32_t hash)
{
	pthread_mutex_lock(&t->stripes[hash & t->bucket_mask & t->stripe_mask].lock);
}

static void unlock_bucket(struct vm_table *t, uint32_t hash)
{
	pthread_mutex_unlock(&t->stripes[hash & t->bucket_mask & t->stripe_mask].lock);
}

/* Only with the bucket's lock. */
static uint32_t first_of(struct vm_table *t, uint32_t hash)
{
	return (uint32_t)__atomic_load_n(bucket_of(t, hash), __ATOMIC_RELAXED);
}

/* Makes `to` (1 + element, or 0) what follows `before` in the chain. */
static void link_after(struct vm_table *t, uint32_t hash, uint32_t before, uint32_t to)
{
	uint64_t *bucket = bucket_of(t, hash);

	if (before)
		__atomic_store_n(&node_at(t, before - 1)->next, to, __ATOMIC_RELEASE);
	else
		__atomic_store_n(bucket, (*bucket & ~(uint64_t)UINT32_MAX) | to, __ATOMIC_RELEASE);
}

/* An element is in its chain no more. Readers must be told before it is used again. */
static void give_up(struct vm_table *t, uint32_t hash, uint32_t element)
{
	struct node *n = node_at(t, element);
	uint64_t *bucket = bucket_of(t, hash);

	__atomic_store_n(&n->linked, 0, __ATOMIC_RELAXED);
	__atomic_store_n(&n->lives, n->lives + 1, __ATOMIC_RELAXED);
	__atomic_store_n(bucket, *bucket + (1ull << 32), __ATOMIC_RELEASE);
	vm_pool_give(&t->pool, element);
}

static void locate(struct vm_table *t, struct vm_table_change *c)
{
	c->before = 0;
	for (uint32_t at = first_of(t, c->hash); at; at = node_at(t, at - 1)->next) {
		if (has_key(t, node_at(t, at - 1), c->hash, c->key)) {
			c->element = at - 1;
			return;
		}
		c->before = at;
	}
	c->element = VM_NONE;
}

static bool use_one(struct vm_table *t)
{
	uint32_t used = __atomic_load_n(&t->used, __ATOMIC_RELAXED);

	while (used < t->max_entries) {
		if (__atomic_compare_exchange_n(&t->used, &used, used + 1, true, __ATOMIC_RELAXED, __ATOMIC_RELAXED))
			return true;
	}
	return false;
}

static void unlink_element(struct vm_table *t, uint32_t hash, uint32_t before, uint32_t element)
{
	struct node *n = node_at(t, element);

	link_after(t, hash, before, n->next);
	give_up(t, hash, element);
	__atomic_fetch_sub(&t->used, 1, __ATOMIC_RELAXED);
}

/* The element has been there for a whole turn of the hand, unless somebody was faster. */
static bool evict_element(struct vm_table *t, uint32_t element)
{
	struct node *n = node_at(t, element);
	uint32_t hash = __atomic_load_n(&n->hash, __ATOMIC_RELAXED), before = 0;
	bool evict;

	lock_bucket(t, hash);
	/* A hash of this bucket is written with this lock only, and before `linked`: so the element is here. */
	evict = __atomic_load_n(&n->linked, __ATOMIC_ACQUIRE) && __atomic_load_n(&n->hash, __ATOMIC_RELAXED) == hash &&
	        !__atomic_load_n(&n->touched, __ATOMIC_RELAXED);
	if (evict) {
		for (uint32_t at = first_of(t, hash); at != element + 1; at = node_at(t, at - 1)->next)
			before = at;
		unlink_element(t, hash, before, element);
	}
	unlock_bucket(t, hash);
	return evict;
}

/* Each element that was touched since the hand came by last has one turn more. */
static bool evict_one(struct vm_table *t)
{
	for (uint64_t step = 0; step < 3ull * t->elements; step++) {
		uint64_t hand = __atomic_fetch_add(&t->hand, 1, __ATOMIC_RELAXED);
		uint32_t element = (uint32_t)(hand % t->elements);
		struct node *n = node_at(t, element);
		if (!__atomic_load_n(&n->linked, __ATOMIC_RELAXED))
			continue;
		if (__atomic_load_n(&n->touched, __ATOMIC_RELAXED))
			__atomic_store_n(&n->touched, 0, __ATOMIC_RELAXED);
		else if (evict_element(t, element))
			return true;
	}
	return false;
}

static int check_flags(uint64_t flags, bool there)
{
	if (flags == BPF_NOEXIST && there)
		return -EEXIST;
	if (flags == BPF_EXIST && !there)
		return -ENOENT;
	return 0;
}

int vm_table_begin(struct vm_table *t, const void *key, uint64_t flags, struct vm_table_change *c)
{
	if (flags > BPF_EXIST)
		return -EINVAL;
	c->hash = read_key(t, key, c->key);
	for (;;) {
		lock_bucket(t, c->hash);
		locate(t, c);
		int r = check_flags(flags, c->element != VM_NONE);
		if (!r && (c->element != VM_NONE || use_one(t)))
			return 0;
		unlock_bucket(t, c->hash);
		if (r)
			return r;
		if (!t->evicts)
			return -E2BIG;
		if (!evict_one(t))
			return -ENOMEM;
	}
}

int vm_table_begin_existing(struct vm_table *t, const void *key, struct vm_table_change *c)
{
	c->hash = read_key(t, key, c->key);
	lock_bucket(t, c->hash);
	locate(t, c);
	if (c->element != VM_NONE)
		return 0;
	unlock_bucket(t, c->hash);
	return -ENOENT;
}

uint32_t vm_table_take(struct vm_table *t)
{
	uint32_t element = vm_pool_take(&t->pool);

	/* Who sees anything that is written into it from now on sees, too, that it has left its former chain. */
	__atomic_thread_fence(__ATOMIC_RELEASE);
	return element;
}

void vm_table_put(struct vm_table *t, struct vm_table_change *c, uint32_t element)
{
	struct node *n = node_at(t, element);
	uint32_t old = c->element;
	uint32_t before = old == VM_NONE ? 0 : c->before;
	uint32_t next = old == VM_NONE ? first_of(t, c->hash) : node_at(t, old)->next;

	__atomic_store_n(&n->hash, c->hash, __ATOMIC_RELAXED);
	for (uint32_t i = 0; i < t->key_words; i++)
		__atomic_store_n(&n->key[i], c->key[i], __ATOMIC_RELAXED);
	__atomic_store_n(&n->next, next, __ATOMIC_RELAXED);
	__atomic_store_n(&n->touched, old != VM_NONE, __ATOMIC_RELAXED);
	__atomic_store_n(&n->linked, 1, __ATOMIC_RELEASE);
	link_after(t, c->hash, before, element + 1);
	if (old != VM_NONE)
		give_up(t, c->hash, old);
	c->element = element;
	c->before = before;
}

void vm_table_remove(struct vm_table *t, struct vm_table_change *c)
{
	unlink_element(t, c->hash, c->before, c->element);
}

void vm_table_end(struct vm_table *t, struct vm_table_change *c)
{
	unlock_bucket(t, c->hash);
}

/* ---- walks ---- */

static int first_key_from(struct vm_table *t, uint32_t bucket, void *ret_key)
{
	for (; bucket <= t->bucket_mask; bucket++) {
		if (!(uint32_t)__atomic_load_n(&t->buckets[bucket], __ATOMIC_RELAXED))
			continue;
		lock_bucket(t, bucket);
		uint32_t first = first_of(t, bucket);
		if (first)
			vm_words_load(ret_key, node_at(t, first - 1)->key, t->key_size);
		unlock_bucket(t, bucket);
		if (first)
			return 0;
	}
	return -ENOENT;
}

int vm_table_next_key(struct vm_table *t, const void *key, void *ret_key)
{
	struct vm_table_change c;

	if (!key || vm_table_begin_existing(t, key, &c))
		return first_key_from(t, 0, ret_key);
	uint32_t next = node_at(t, c.element)->next;
	if (next)
		vm_words_load(ret_key, node_at(t, next - 1)->key, t->key_size);
	vm_table_end(t, &c);
	return next ? 0 : first_key_from(t, (c.hash & t->bucket_mask) + 1, ret_key);
}

/* What is in a chain at one time. */
struct member {
	uint32_t element, lives;
};
struct chain {
	struct member few[32];
	struct member *many; /* NULL: few are enough */
	size_t count;
};

static int chain_read(struct vm_table *t, uint32_t bucket, struct chain *ret_chain)
{
	struct chain *c = ret_chain;
	int r = 0;

	c->many = NULL;
	c->count = 0;
	lock_bucket(t, bucket);
	for (uint32_t at = first_of(t, bucket); at; at = node_at(t, at - 1)->next)
		c->count++;
	if (c->count > ARRAY_SIZE(c->few)) {
		c->many = calloc(c->count, sizeof(*c->many));
		r = c->many ? 0 : -ENOMEM;
	}
	struct member *m = c->many ? c->many : c->few;
	for (uint32_t at = first_of(t, bucket); !r && at; at = node_at(t, at - 1)->next)
		*m++ = (struct member){at - 1, node_at(t, at - 1)->lives};
	unlock_bucket(t, bucket);
	return r;
}

/* false: it has gone since. */
static bool member_key(struct vm_table *t, uint32_t bucket, struct member m, uint64_t *ret_words)
{
	const struct node *n = node_at(t, m.element);

	lock_bucket(t, bucket);
	bool there = __atomic_load_n(&n->lives, __ATOMIC_RELAXED) == m.lives;
	if (there)
		vm_words_load(ret_words, n->key, t->key_size);
	unlock_bucket(t, bucket);
	return there;
}

int64_t vm_table_each(struct vm_table *t, int (*element)(const void *key, uint32_t element, void *user), void *user)
{
	uint64_t key[VM_MAP_KEY_MAX / 8];
	int64_t called = 0;
	bool stop = false;

	for (uint32_t bucket = 0; bucket <= t->bucket_mask && !stop; bucket++) {
		struct chain c;
		if (!(uint32_t)__atomic_load_n(&t->buckets[bucket], __ATOMIC_RELAXED))
			continue;
		if (chain_read(t, bucket, &c))
			return -ENOMEM;
		const struct member *m = c.many ? c.many : c.few;
		for (size_t i = 0; i < c.count && !stop; i++) {
			if (!member_key(t, bucket, m[i], key))
				continue;
			called++;
			stop = element(key, m[i].element, user);
		}
		free(c.many);
	}
	return called;
}
