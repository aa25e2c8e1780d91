/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "map_helper.h"

static void put(struct picket_map *m, uint32_t key, uint32_t value)
{
	assert_int_equal(m->ops->update(m, &key, &value, BPF_ANY), 0);
}

static bool has(struct picket_map *m, uint32_t key)
{
	uint32_t value;
	return picket_map_lookup(m, &key, &value) == 0;
}

static void test_flags(void **state)
{
	(void)state;
	owned_map m = make(BPF_MAP_TYPE_HASH, 4, 4, 2);
	uint32_t key = 1, value = 10, got = 99;

	assert_int_equal(picket_map_lookup(m, &key, &got), -ENOENT);
	assert_int_equal(got, 99);
	assert_int_equal(picket_map_update(m, &key, &value, BPF_EXIST), -ENOENT);
	assert_int_equal(picket_map_update(m, &key, &value, BPF_NOEXIST), 0);
	assert_int_equal(picket_map_update(m, &key, &value, BPF_NOEXIST), -EEXIST);
	assert_int_equal(picket_map_update(m, &key, &value, BPF_F_LOCK), -EINVAL);
	assert_int_equal(picket_map_update(m, &key, &value, 3), -EINVAL);
	assert_int_equal(picket_map_update(m, &key, &value, 1ull << 32), -EINVAL);
	put(m, 2, 20);
	key = 3;
	assert_int_equal(picket_map_update(m, &key, &value, BPF_ANY), -E2BIG);
	put(m, 2, 21); /* full, but it is there */
	key = 2;
	assert_int_equal(picket_map_pop(m, &key, &got), 0);
	assert_int_equal(got, 21);
	assert_int_equal(picket_map_pop(m, &key, &got), -ENOENT);
	assert_int_equal(picket_map_delete(m, &key), -ENOENT);
	put(m, 3, 30);
}

/* The value that a program holds stays as it is when the key gets another. */
static void test_update_replaces(void **state)
{
	(void)state;
	owned_map m = make(BPF_MAP_TYPE_HASH, 4, 4, 4);
	uint32_t key = 7;

	put(m, key, 1);
	uint32_t *old = m->ops->lookup(m, &key);
	put(m, key, 2);
	uint32_t *new = m->ops->lookup(m, &key);
	assert_ptr_not_equal(old, new);
	assert_int_equal(*old, 1);
	assert_int_equal(*new, 2);
	*new = 5;
	uint32_t got;
	assert_int_equal(picket_map_lookup(m, &key, &got), 0);
	assert_int_equal(got, 5);
}

/* Larger than what is read without a lock. */
static void test_large_values(void **state)
{
	(void)state;
	enum { SIZE = 100001 };
	static uint8_t value[SIZE], got[SIZE];
	owned_map m = make(BPF_MAP_TYPE_HASH, 4, SIZE, 2);

	for (uint32_t key = 0; key < 2; key++) {
		for (size_t i = 0; i < SIZE; i++)
			value[i] = (uint8_t)(i * 31 + key);
		assert_int_equal(picket_map_update(m, &key, value, BPF_ANY), 0);
		assert_int_equal(picket_map_lookup(m, &key, got), 0);
		assert_memory_equal(got, value, SIZE);
	}
	uint32_t key = 2;
	assert_int_equal(picket_map_lookup(m, &key, got), -ENOENT);
	assert_memory_equal(got, value, SIZE);
	key = 1;
	assert_int_equal(picket_map_pop(m, &key, got), 0);
	assert_memory_equal(got, value, SIZE);
}

static void test_find(void **state)
{
	(void)state;
	owned_map m = make(BPF_MAP_TYPE_HASH, 4, 12, 10);
	uint8_t value[12] = {0};
	uint32_t key = 1;
	struct vm_window w = {0};

	assert_int_equal(picket_map_update(m, &key, value, 0), 0);
	uint64_t at = (uintptr_t)m->ops->lookup(m, &key);
	assert_true(m->ops->find(m, at + 11, &w));
	assert_int_equal(w.low, at);
	assert_int_equal(w.size, 12);
	assert_false(m->ops->find(m, at + 12, &w));
	assert_false(m->ops->find(m, (uintptr_t)m, &w));
	assert_false(m->ops->find(m, (uintptr_t)&key, &w));
}

/* Keys at any alignment, of every length up to several words. */
static void test_key_sizes(void **state)
{
	(void)state;
	for (uint32_t size = 1; size < 40; size++) {
		owned_map m = make(BPF_MAP_TYPE_HASH, size, 1, 300);
		uint8_t keys[48] = {0}, next[40], value;
		uint8_t *key = keys + size % 8;
		uint32_t byte = size - 1;
		for (unsigned i = 0; i < 256; i++) {
			key[byte] = value = (uint8_t)i;
			assert_int_equal(picket_map_update(m, key, &value, BPF_NOEXIST), 0);
		}
		key[byte] = 77;
		memset(keys + size % 8 + size, 0xff, 48 - size % 8 - size); /* what follows the key is none of it */
		assert_int_equal(picket_map_lookup(m, key, &value), 0);
		assert_int_equal(value, 77);
		unsigned count = 0;
		for (int r = picket_map_next_key(m, NULL, next); !r; r = picket_map_next_key(m, next, next))
			count++;
		assert_int_equal(count, 256);
	}
}

/* ---- each ---- */

struct visit {
	struct picket_map *map;
	uint8_t seen[256];
	bool remove;
	unsigned stop_after;
};

static int visit(const void *key, void *value, void *user)
{
	struct visit *v = user;
	uint32_t k, copy;

	memcpy(&k, key, 4);
	memcpy(&copy, value, 4);
	assert_int_equal(copy, k * 3);
	v->seen[k]++;
	if (v->remove)
		assert_int_equal(v->map->ops->delete (v->map, key), 0);
	return v->stop_after && --v->stop_after == 0;
}

static void test_each(void **state)
{
	(void)state;
	owned_map m = make(BPF_MAP_TYPE_HASH, 4, 4, 256);
	struct visit v = {.map = m};

	for (uint32_t i = 0; i < 256; i++)
		put(m, i, i * 3);
	assert_int_equal(m->ops->each(m, visit, &v), 256);
	for (uint32_t i = 0; i < 256; i++)
		assert_int_equal(v.seen[i], 1);
	v.stop_after = 10;
	assert_int_equal(m->ops->each(m, visit, &v), 10);
	v = (struct visit){.map = m, .remove = true};
	assert_int_equal(m->ops->each(m, visit, &v), 256);
	for (uint32_t i = 0; i < 256; i++)
		assert_int_equal(v.seen[i], 1);
	assert_int_equal(m->ops->each(m, visit, &v), 0);
}

/* ---- per CPU ---- */

static void test_per_cpu(void **state)
{
	(void)state;
	owned_map m = make_map((struct picket_map_spec){
	        .type = BPF_MAP_TYPE_PERCPU_HASH, .key_size = 4, .value_size = 4, .max_entries = 2, .cpus = 4});
	uint32_t cpu = (uint32_t)vm_thread_number(), key = 5, value = 8;
	uint64_t all[4] = {1, 2, 3, 4}, got[4];

	assert_true(cpu < 4);
	assert_int_equal(picket_map_update(m, &key, all, BPF_ANY), 0);
	assert_int_equal(*(uint32_t *)m->ops->lookup(m, &key), cpu + 1);
	for (uint32_t i = 0; i < 4; i++)
		assert_int_equal(*(uint32_t *)m->ops->lookup_cpu(m, &key, i), i + 1);
	assert_null(m->ops->lookup_cpu(m, &key, 4));
	uint32_t *mine = m->ops->lookup(m, &key);
	assert_int_equal(m->ops->update(m, &key, &value, BPF_EXIST), 0);
	assert_ptr_equal(m->ops->lookup(m, &key), mine); /* in place */
	assert_int_equal(*mine, 8);
	assert_int_equal(picket_map_pop(m, &key, got), 0);
	for (uint32_t i = 0; i < 4; i++)
		assert_int_equal(got[i], i == cpu ? 8 : i + 1);
	/* A new one takes memory that was in use: the values of the others are 0 all the same. */
	for (uint32_t i = 0; i < 20; i++) {
		assert_int_equal(m->ops->update(m, &i, &value, BPF_NOEXIST), 0);
		assert_int_equal(picket_map_lookup(m, &i, got), 0);
		for (uint32_t c = 0; c < 4; c++)
			assert_int_equal(got[c], c == cpu ? 8 : 0);
		got[3] = got[2] = got[1] = got[0] = UINT64_MAX;
		assert_int_equal(picket_map_update(m, &i, got, BPF_EXIST), 0);
		assert_int_equal(picket_map_delete(m, &i), 0);
	}
}

/* ---- LRU ---- */

static unsigned count_keys(struct picket_map *m)
{
	uint32_t key;
	unsigned count = 0;

	for (int r = picket_map_next_key(m, NULL, &key); !r; r = picket_map_next_key(m, &key, &key))
		count++;
	return count;
}

static void test_lru(void **state)
{
	(void)state;
	enum { ENTRIES = 100 };
	owned_map m = make(BPF_MAP_TYPE_LRU_HASH, 4, 4, ENTRIES);

	for (uint32_t key = 0; key < ENTRIES; key++)
		put(m, key, key);
	assert_int_equal(count_keys(m), ENTRIES);
	/* The first half is in use; of it, nothing goes while so much comes that is used once. */
	for (uint32_t key = 1000; key < 1000 + 40 * ENTRIES; key++) {
		for (uint32_t used = 0; key % 10 == 0 && used < ENTRIES / 2; used++)
			assert_non_null(m->ops->lookup(m, &used));
		put(m, key, key);
		assert_true(has(m, key));
	}
	for (uint32_t key = 0; key < ENTRIES; key++)
		assert_int_equal(has(m, key), key < ENTRIES / 2);
	assert_int_equal(count_keys(m), ENTRIES);
}

/* What is used all the time cannot stay altogether: something has to go. */
static void test_lru_all_in_use(void **state)
{
	(void)state;
	owned_map m = make(BPF_MAP_TYPE_LRU_HASH, 4, 4, 3);

	for (uint32_t key = 0; key < 1000; key++) {
		put(m, key, key);
		for (uint32_t old = key < 3 ? 0 : key - 3; old <= key; old++)
			m->ops->lookup(m, &old);
		assert_true(has(m, key));
		assert_true(count_keys(m) <= 3);
	}
	assert_int_equal(count_keys(m), 3);
}

static void test_lru_one_entry(void **state)
{
	(void)state;
	owned_map m = make(BPF_MAP_TYPE_LRU_PERCPU_HASH, 4, 4, 1);

	for (uint32_t key = 0; key < 100; key++) {
		uint32_t value = key, before = key - 1;
		assert_int_equal(m->ops->update(m, &key, &value, BPF_NOEXIST), 0);
		assert_int_equal(*(uint32_t *)m->ops->lookup(m, &key), key);
		assert_null(m->ops->lookup(m, &before));
	}
}

/* ---- against an array that says the same ---- */

static void test_many(void **state)
{
	(void)state;
	enum { KEYS = 3000, ENTRIES = 2000 };
	static uint32_t model[KEYS]; /* value, 0: not there */
	owned_map m = make(BPF_MAP_TYPE_HASH, 4, 4, ENTRIES);
	uint64_t random = 11;
	unsigned count = 0;

	for (unsigned i = 0; i < 100000; i++) {
		uint32_t key = next_random(&random) % KEYS, value = i + 1;
		if (next_random(&random) % 5 < 3) {
			int r = picket_map_update(m, &key, &value, BPF_ANY);
			assert_int_equal(r, !model[key] && count == ENTRIES ? -E2BIG : 0);
			count += !r && !model[key];
			model[key] = r ? model[key] : value;
		} else {
			assert_int_equal(picket_map_delete(m, &key), model[key] ? 0 : -ENOENT);
			count -= model[key] != 0;
			model[key] = 0;
		}
	}
	for (uint32_t key = 0; key < KEYS; key++) {
		uint32_t value = 0;
		assert_int_equal(picket_map_lookup(m, &key, &value), model[key] ? 0 : -ENOENT);
		assert_int_equal(value, model[key]);
	}
	assert_int_equal(count_keys(m), count);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(test_flags),          cmocka_unit_test(test_update_replaces),
	        cmocka_unit_test(test_large_values),   cmocka_unit_test(test_find),
	        cmocka_unit_test(test_key_sizes),      cmocka_unit_test(test_each),
	        cmocka_unit_test(test_per_cpu),        cmocka_unit_test(test_lru),
	        cmocka_unit_test(test_lru_all_in_use), cmocka_unit_test(test_lru_one_entry),
	        cmocka_unit_test(test_many),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
