/* SPDX-License-Identifier: Apache-2.0
 *
 * Queue, stack, bloom filter: maps without keys.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "map_helper.h"

static void push(struct picket_map *m, uint32_t value, uint64_t flags, int expected)
{
	assert_int_equal(m->ops->push(m, &value, flags), expected);
}

static void pop(struct picket_map *m, uint32_t expected)
{
	uint32_t value = 0, peeked = 0, read = 0;

	assert_int_equal(m->ops->peek(m, &peeked), 0);
	assert_int_equal(picket_map_lookup(m, NULL, &read), 0);
	assert_int_equal(m->ops->pop(m, &value), 0);
	assert_int_equal(value, expected);
	assert_int_equal(peeked, expected);
	assert_int_equal(read, expected);
}

static void test_queue(void **state)
{
	(void)state;
	owned_map m = make(BPF_MAP_TYPE_QUEUE, 0, 4, 3);

	for (uint32_t round = 0; round < 5; round++) {
		push(m, 1, BPF_ANY, 0);
		push(m, 2, BPF_ANY, 0);
		push(m, 3, BPF_ANY, 0);
		push(m, 4, BPF_ANY, -E2BIG);
		push(m, 4, BPF_NOEXIST, -EINVAL);
		push(m, 4, 4, -EINVAL);
		push(m, 5, BPF_EXIST, 0); /* 1 gives way */
		pop(m, 2);
		push(m, 6, BPF_EXIST, 0);
		pop(m, 3);
		pop(m, 5);
		pop(m, 6);
	}
}

static void test_stack(void **state)
{
	(void)state;
	owned_map m = make(BPF_MAP_TYPE_STACK, 0, 4, 3);

	for (uint32_t round = 0; round < 5; round++) {
		push(m, 1, BPF_ANY, 0);
		push(m, 2, BPF_ANY, 0);
		push(m, 3, BPF_ANY, 0);
		push(m, 4, BPF_ANY, -E2BIG);
		push(m, 5, BPF_EXIST, 0); /* 1 gives way */
		pop(m, 5);
		pop(m, 3);
		push(m, 6, BPF_ANY, 0);
		pop(m, 6);
		pop(m, 2);
	}
}

static void test_empty(void **state)
{
	(void)state;
	owned_map m = make(BPF_MAP_TYPE_QUEUE, 0, 4, 1);
	uint32_t value = 7, key = 0;

	assert_int_equal(m->ops->pop(m, &value), -ENOENT);
	assert_int_equal(value, 0); /* what a program gets is initialised */
	value = 7;
	assert_int_equal(picket_map_pop(m, NULL, &value), -ENOENT);
	assert_int_equal(picket_map_lookup(m, NULL, &value), -ENOENT);
	assert_int_equal(value, 7); /* from outside it is untouched */
	assert_int_equal(picket_map_lookup(m, &key, &value), -EINVAL);
	assert_int_equal(picket_map_update(m, &key, &value, 0), -EINVAL);
	assert_int_equal(picket_map_update(m, NULL, &value, 0), 0);
	assert_int_equal(picket_map_pop(m, NULL, &value), 0);
	assert_int_equal(picket_map_delete(m, NULL), -EINVAL);
	assert_int_equal(picket_map_next_key(m, NULL, &key), -EINVAL);
}

/* As many false answers as the arithmetic promises, and no value lost. */
static void test_bloom(void **state)
{
	(void)state;
	enum { VALUES = 10000 };
	for (uint32_t hashes = 0; hashes <= 15; hashes += 5) {
		owned_map m = make_map((struct picket_map_spec){
		        .type = BPF_MAP_TYPE_BLOOM_FILTER, .value_size = 8, .max_entries = VALUES, .extra = hashes});
		unsigned wrong = 0;
		for (uint64_t value = 0; value < VALUES; value++)
			assert_int_equal(m->ops->push(m, &value, BPF_ANY), 0);
		for (uint64_t value = 0; value < VALUES; value++)
			assert_int_equal(m->ops->peek(m, &value), 0);
		for (uint64_t value = VALUES; value < 11 * VALUES; value++) {
			int r = m->ops->peek(m, &value);
			assert_true(r == 0 || r == -ENOENT);
			wrong += r == 0;
		}
		/* At most half of the bits are set: of n hashes all fall on such ones in one of 2^n cases. */
		assert_true(wrong < 2 * (10u * VALUES >> (hashes ? hashes : 5)) + 20);
	}
}

static void test_bloom_seed(void **state)
{
	(void)state;
	struct picket_map_spec spec = {
	        .type = BPF_MAP_TYPE_BLOOM_FILTER, .value_size = 8, .max_entries = 100, .extra = 1};
	owned_map random = make_map(spec);
	owned_map other = make_map(spec);
	spec.flags = BPF_F_ZERO_SEED;
	owned_map zero = make_map(spec);
	owned_map zero_too = make_map(spec);
	unsigned differ = 0, differ_zero = 0;

	for (uint64_t value = 0; value < 100; value++) {
		assert_int_equal(random->ops->push(random, &value, 0), 0);
		assert_int_equal(other->ops->push(other, &value, 0), 0);
		assert_int_equal(zero->ops->push(zero, &value, 0), 0);
		assert_int_equal(zero_too->ops->push(zero_too, &value, 0), 0);
	}
	for (uint64_t value = 100; value < 2000; value++) {
		differ += random->ops->peek(random, &value) != other->ops->peek(other, &value);
		differ_zero += zero->ops->peek(zero, &value) != zero_too->ops->peek(zero_too, &value);
	}
	assert_true(differ > 0);
	assert_int_equal(differ_zero, 0);
}

static void test_bloom_refuses(void **state)
{
	(void)state;
	owned_map m = make_map((struct picket_map_spec){
	        .type = BPF_MAP_TYPE_BLOOM_FILTER, .value_size = 8, .max_entries = UINT32_MAX});
	uint64_t value = 1;

	assert_int_equal(picket_map_update(m, NULL, &value, BPF_EXIST), -EINVAL);
	assert_int_equal(picket_map_delete(m, NULL), -EOPNOTSUPP);
	assert_int_equal(picket_map_pop(m, NULL, &value), -EOPNOTSUPP);
	assert_int_equal(picket_map_next_key(m, NULL, &value), -EOPNOTSUPP);
	assert_true(picket_map_memory(m) <= (1ull << 32) / 8 + 4096);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(test_queue), cmocka_unit_test(test_stack),      cmocka_unit_test(test_empty),
	        cmocka_unit_test(test_bloom), cmocka_unit_test(test_bloom_seed), cmocka_unit_test(test_bloom_refuses),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
