/* SPDX-License-Identifier: Apache-2.0
 *
 * Chains, which from outside of the table only show by luck: keys are chosen by their hash here.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "map_helper.h"
#include "vm/map_table.c"

enum { ENTRIES = 64 };

/* The n-th key, from `first` on, that falls into bucket 0. */
static uint32_t key_of_bucket_0(const struct vm_table *t, uint32_t *first)
{
	uint64_t words[VM_MAP_KEY_MAX / 8];

	for (;; ++*first) {
		if ((read_key(t, first, words) & t->bucket_mask) == 0)
			return (*first)++;
	}
}

static void put(struct vm_table *t, uint32_t key)
{
	struct vm_table_change c;

	assert_int_equal(vm_table_begin(t, &key, BPF_ANY, &c), 0);
	vm_table_put(t, &c, vm_table_take(t));
	vm_table_end(t, &c);
}

static void take_out(struct vm_table *t, uint32_t key)
{
	struct vm_table_change c;

	assert_int_equal(vm_table_begin_existing(t, &key, &c), 0);
	vm_table_remove(t, &c);
	vm_table_end(t, &c);
}

static bool has(const struct vm_table *t, uint32_t key)
{
	struct vm_table_place place;
	return vm_table_find(t, &key, &place);
}

/* One chain of all elements, against a model; in every place things come and go. */
static void test_one_chain(void **state)
{
	(void)state;
	uint32_t keys[ENTRIES], first = 0;
	bool there[ENTRIES] = {0};
	struct vm_table t;
	uint64_t random = 21;

	assert_int_equal(vm_table_init(&t, 4, ENTRIES, 0, false), 0);
	for (size_t i = 0; i < ENTRIES; i++)
		keys[i] = key_of_bucket_0(&t, &first);
	for (unsigned step = 0; step < 20000; step++) {
		uint32_t i = next_random(&random) % ENTRIES;
		if (next_random(&random) % 2) {
			put(&t, keys[i]);
			there[i] = true;
		} else if (there[i]) {
			take_out(&t, keys[i]);
			there[i] = false;
		}
		i = next_random(&random) % ENTRIES;
		assert_int_equal(has(&t, keys[i]), there[i]);
	}
	for (size_t i = 0; i < ENTRIES; i++)
		assert_int_equal(has(&t, keys[i]), there[i]);
	vm_table_done(&t);
}

static void test_version(void **state)
{
	(void)state;
	struct vm_table_place place;
	struct vm_table t;
	uint32_t first = 0;

	assert_int_equal(vm_table_init(&t, 4, ENTRIES, 0, false), 0);
	uint32_t a = key_of_bucket_0(&t, &first), b = key_of_bucket_0(&t, &first);
	put(&t, a);
	assert_true(vm_table_find(&t, &a, &place));
	put(&t, b);
	assert_true(vm_table_stays(&place)); /* nothing has gone */
	put(&t, a);
	assert_false(vm_table_stays(&place));
	assert_true(vm_table_find(&t, &a, &place));
	take_out(&t, b);
	assert_false(vm_table_stays(&place)); /* a neighbour has: that is enough */
	assert_true(vm_table_find(&t, &a, &place));
	take_out(&t, a);
	assert_false(vm_table_stays(&place));
	vm_table_done(&t);
}

struct visits {
	struct vm_table *table;
	const uint32_t *keys;
	unsigned count;
	unsigned seen[ENTRIES];
};

/* Of the keys that are left, takes out every other one, and puts what was seen in anew. */
static int visit(const void *key, uint32_t element, void *user)
{
	struct visits *v = user;
	uint32_t k;

	(void)element;
	memcpy(&k, key, 4);
	for (size_t i = 0; i < ENTRIES; i++) {
		if (v->keys[i] == k)
			v->seen[i]++;
	}
	v->count++;
	put(v->table, k);
	for (size_t i = 0; i < ENTRIES; i++) {
		if (!v->seen[i] && has(v->table, v->keys[i])) {
			take_out(v->table, v->keys[i]);
			break;
		}
	}
	return 0;
}

/* A chain that is longer than what a walk has room for, and changes under it. */
static void test_walk_while_changing(void **state)
{
	(void)state;
	uint32_t keys[ENTRIES], first = 0;
	struct vm_table t;
	struct visits v = {.table = &t, .keys = keys};

	assert_int_equal(vm_table_init(&t, 4, ENTRIES, 0, false), 0);
	for (size_t i = 0; i < ENTRIES; i++)
		put(&t, keys[i] = key_of_bucket_0(&t, &first));
	assert_int_equal(vm_table_each(&t, visit, &v), ENTRIES / 2);
	for (size_t i = 0; i < ENTRIES; i++) {
		assert_true(v.seen[i] <= 1);
		assert_int_equal(has(&t, keys[i]), v.seen[i] == 1);
	}
	vm_table_done(&t);
}

/* Every element is put to use again and again: none is lost. */
static void test_elements_come_back(void **state)
{
	(void)state;
	struct vm_table_change c;
	struct vm_table t;

	assert_int_equal(vm_table_init(&t, 4, ENTRIES, 1, false), 0);
	for (uint32_t round = 0; round < 20; round++) {
		for (uint32_t key = 0; key < ENTRIES; key++)
			put(&t, round * 1000 + key);
		for (uint32_t key = 0; key < ENTRIES; key++)
			put(&t, round * 1000 + key);
		uint32_t more = 999999;
		assert_int_equal(vm_table_begin(&t, &more, BPF_ANY, &c), -E2BIG);
		for (uint32_t key = 0; key < ENTRIES; key++)
			take_out(&t, round * 1000 + key);
		assert_int_equal(t.used, 0);
	}
	vm_table_done(&t);
}

static void test_limits(void **state)
{
	(void)state;
	struct vm_table t;

	assert_int_equal(vm_table_init(&t, 4, VM_TABLE_ENTRIES_MAX + 1, 0, false), -E2BIG);
	assert_int_equal(vm_table_init(&t, VM_MAP_KEY_MAX + 1, 1, 0, false), -E2BIG);
	assert_int_equal(vm_table_init(&t, VM_MAP_KEY_MAX, VM_TABLE_ENTRIES_MAX, 0, false), -E2BIG);
	assert_int_equal(power_of_two(1), 1);
	assert_int_equal(power_of_two(2), 2);
	assert_int_equal(power_of_two(3), 4);
	assert_int_equal(power_of_two(VM_TABLE_ENTRIES_MAX), VM_TABLE_ENTRIES_MAX);
}

/* Different seeds send keys to different buckets; no bucket gets many more than its share. */
static void test_hash(void **state)
{
	(void)state;
	struct vm_table a, b;
	unsigned same = 0, fill[1024] = {0};
	uint64_t words[VM_MAP_KEY_MAX / 8];

	assert_int_equal(vm_table_init(&a, 4, 1024, base_random_seed(), false), 0);
	assert_int_equal(vm_table_init(&b, 4, 1024, base_random_seed(), false), 0);
	for (uint32_t key = 0; key < 10240; key++) {
		uint32_t bucket = read_key(&a, &key, words) & a.bucket_mask;
		same += bucket == (read_key(&b, &key, words) & b.bucket_mask);
		fill[bucket]++;
	}
	assert_true(same < 60); /* 10 are to be expected */
	for (size_t i = 0; i < 1024; i++)
		assert_true(fill[i] < 40); /* 10 */
	vm_table_done(&a);
	vm_table_done(&b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(test_one_chain),
	        cmocka_unit_test(test_version),
	        cmocka_unit_test(test_walk_while_changing),
	        cmocka_unit_test(test_elements_come_back),
	        cmocka_unit_test(test_limits),
	        cmocka_unit_test(test_hash),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
