/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "map_helper.h"

struct key {
	uint32_t bits;
	uint8_t data[16];
};

static struct picket_map *make_trie(uint32_t data_size, uint32_t entries)
{
	return make_map((struct picket_map_spec){.type = BPF_MAP_TYPE_LPM_TRIE,
	                                         .key_size = 4 + data_size,
	                                         .value_size = 4,
	                                         .max_entries = entries,
	                                         .flags = BPF_F_NO_PREALLOC});
}

static struct key address(uint32_t bits, uint8_t a, uint8_t b, uint8_t c, uint8_t d)
{
	return (struct key){bits, {a, b, c, d}};
}

static int put(struct picket_map *m, struct key key, uint32_t value)
{
	return picket_map_update(m, &key, &value, BPF_ANY);
}

/* 0: none. */
static uint32_t get(struct picket_map *m, struct key key)
{
	const uint32_t *value = m->ops->lookup(m, &key);
	uint32_t copy = 0;
	int r = picket_map_lookup(m, &key, &copy);

	assert_int_equal(r, value ? 0 : -ENOENT);
	assert_int_equal(copy, value ? *value : 0);
	return copy;
}

static void test_longest(void **state)
{
	(void)state;
	owned_map m = make_trie(4, 10);

	assert_int_equal(get(m, address(32, 10, 0, 0, 1)), 0);
	assert_int_equal(put(m, address(8, 10, 0, 0, 0), 8), 0);
	assert_int_equal(put(m, address(24, 10, 1, 2, 0), 24), 0);
	assert_int_equal(put(m, address(16, 10, 1, 0, 0), 16), 0);
	assert_int_equal(put(m, address(32, 10, 1, 2, 3), 32), 0);
	assert_int_equal(put(m, address(9, 10, 128, 0, 0), 9), 0);
	assert_int_equal(get(m, address(32, 10, 1, 2, 3)), 32);
	assert_int_equal(get(m, address(32, 10, 1, 2, 4)), 24);
	assert_int_equal(get(m, address(32, 10, 1, 9, 9)), 16);
	assert_int_equal(get(m, address(32, 10, 2, 2, 3)), 8);
	assert_int_equal(get(m, address(32, 10, 200, 2, 3)), 9);
	assert_int_equal(get(m, address(32, 11, 1, 2, 3)), 0);
	assert_int_equal(get(m, address(20, 10, 1, 2, 3)), 16); /* not longer than what is asked for */
	assert_int_equal(get(m, address(7, 10, 1, 2, 3)), 0);
	assert_int_equal(get(m, address(33, 10, 1, 2, 3)), 0);
	assert_int_equal(put(m, address(0, 0, 0, 0, 0), 1), 0);
	assert_int_equal(get(m, address(32, 11, 1, 2, 3)), 1);
	assert_int_equal(get(m, address(0, 9, 9, 9, 9)), 1);
	assert_int_equal(put(m, address(33, 0, 0, 0, 0), 1), -EINVAL);
	struct key longer = address(33, 10, 1, 2, 3), gone = address(16, 10, 1, 7, 7);
	assert_int_equal(picket_map_delete(m, &longer), -EINVAL);
	assert_int_equal(picket_map_delete(m, &gone), 0); /* bits beyond the prefix do not count */
	assert_int_equal(get(m, address(32, 10, 1, 9, 9)), 8);
	assert_int_equal(picket_map_delete(m, &gone), -ENOENT);
}

/* Larger than what is read without a lock. */
static void test_large_values(void **state)
{
	(void)state;
	static uint8_t value[5000], got[5000];
	owned_map m = make_map((struct picket_map_spec){.type = BPF_MAP_TYPE_LPM_TRIE,
	                                                .key_size = 8,
	                                                .value_size = sizeof(value),
	                                                .max_entries = 2,
	                                                .flags = BPF_F_NO_PREALLOC});
	struct key key = address(8, 10, 0, 0, 0), below = address(32, 10, 1, 2, 3), other = address(32, 11, 0, 0, 0);

	memset(value, 0x37, sizeof(value));
	assert_int_equal(picket_map_update(m, &key, value, BPF_ANY), 0);
	assert_int_equal(picket_map_lookup(m, &other, got), -ENOENT);
	assert_int_equal(picket_map_lookup(m, &below, got), 0);
	assert_memory_equal(got, value, sizeof(value));
}

static void test_full(void **state)
{
	(void)state;
	owned_map m = make_trie(4, 4);
	struct key gone = address(8, 1, 0, 0, 0);
	uint32_t value = 1;

	for (unsigned round = 0; round < 50; round++) {
		for (uint8_t i = 0; i < 4; i++)
			assert_int_equal(put(m, address(8, (uint8_t)(i * 77 + 1), 0, 0, 0), i), 0);
		assert_int_equal(put(m, address(9, 1, 0, 0, 0), 1), -ENOSPC);
		assert_int_equal(put(m, gone, 5), 0);
		assert_int_equal(picket_map_update(m, &gone, &value, BPF_NOEXIST), -EEXIST);
		gone.bits = 9;
		assert_int_equal(picket_map_update(m, &gone, &value, BPF_EXIST), -ENOENT);
		assert_int_equal(picket_map_update(m, &gone, &value, 3), -EINVAL);
		gone.bits = 8;
		for (uint8_t i = 0; i < 4; i++) {
			gone.data[0] = (uint8_t)(i * 77 + 1);
			assert_int_equal(picket_map_delete(m, &gone), 0);
		}
		gone.data[0] = 1;
	}
}

/* ---- against all prefixes looked at one by one ---- */

struct entry {
	struct key key;
	uint32_t value; /* 0: free */
};

static bool covers(const struct key *prefix, const struct key *key)
{
	if (prefix->bits > key->bits)
		return false;
	for (uint32_t bit = 0; bit < prefix->bits; bit++) {
		if ((prefix->data[bit / 8] ^ key->data[bit / 8]) >> (7 - bit % 8) & 1)
			return false;
	}
	return true;
}

static struct entry *model_find(struct entry *entries, size_t count, const struct key *key)
{
	for (size_t i = 0; i < count; i++) {
		if (entries[i].value && entries[i].key.bits == key->bits && covers(&entries[i].key, key))
			return &entries[i];
	}
	return NULL;
}

static uint32_t model_longest(const struct entry *entries, size_t count, const struct key *key)
{
	const struct entry *best = NULL;

	for (size_t i = 0; i < count; i++) {
		if (entries[i].value && covers(&entries[i].key, key) && (!best || best->key.bits < entries[i].key.bits))
			best = &entries[i];
	}
	return best ? best->value : 0;
}

/* Prefixes that share long beginnings, with ends that straddle the words that are compared. */
static struct key random_key(uint64_t *random)
{
	struct key key = {.bits = next_random(random) % 129};

	memset(key.data, next_random(random) % 4 ? 0xaa : 0x55, sizeof(key.data));
	if (next_random(random) % 2)
		key.data[next_random(random) % 16] ^= (uint8_t)(1u << next_random(random) % 8);
	return key;
}

static size_t count_keys(struct picket_map *m)
{
	struct key key, previous = {.bits = 0};
	size_t count = 0;

	for (int r = picket_map_next_key(m, NULL, &key); !r; r = picket_map_next_key(m, &previous, &key)) {
		/* A prefix comes behind what it covers. */
		assert_false(count && covers(&previous, &key));
		previous = key;
		count++;
	}
	return count;
}

static void test_many(void **state)
{
	(void)state;
	enum { ENTRIES = 100 };
	static struct entry entries[ENTRIES];
	owned_map m = make_trie(16, ENTRIES);
	uint64_t random = 8;
	size_t count = 0;

	for (uint32_t i = 1; i < 30000; i++) {
		struct key key = random_key(&random);
		struct entry *e = model_find(entries, ENTRIES, &key);
		if (next_random(&random) % 2) {
			int r = put(m, key, i);
			assert_int_equal(r, !e && count == ENTRIES ? -ENOSPC : 0);
			for (size_t j = 0; !r && !e; j++)
				e = entries[j].value ? NULL : &entries[j];
			if (!r)
				count += !e->value;
			if (!r)
				*e = (struct entry){key, i};
		} else {
			assert_int_equal(picket_map_delete(m, &key), e ? 0 : -ENOENT);
			count -= e != NULL;
			if (e)
				e->value = 0;
		}
		key = random_key(&random);
		assert_int_equal(get(m, key), model_longest(entries, ENTRIES, &key));
		if (i % 1000 == 0)
			assert_int_equal(count_keys(m), count);
	}
	for (size_t i = 0; i < ENTRIES; i++)
		assert_int_equal(picket_map_delete(m, &entries[i].key), entries[i].value ? 0 : -ENOENT);
	assert_int_equal(count_keys(m), 0); /* nor is there anything left that parted ways */
}

static void test_find(void **state)
{
	(void)state;
	owned_map m = make_trie(4, 2);
	struct key key = address(8, 1, 0, 0, 0);
	struct vm_window w = {0};

	assert_int_equal(put(m, key, 3), 0);
	uint64_t at = (uintptr_t)m->ops->lookup(m, &key);
	assert_true(m->ops->find(m, at + 3, &w));
	assert_int_equal(w.low, at);
	assert_int_equal(w.size, 4);
	assert_false(m->ops->find(m, at + 4, &w));
	assert_false(m->ops->find(m, at + 3 * 8, &w));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(test_longest), cmocka_unit_test(test_large_values), cmocka_unit_test(test_full),
	        cmocka_unit_test(test_many),    cmocka_unit_test(test_find),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
