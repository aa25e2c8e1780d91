/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "map_helper.h"

#include <pthread.h>

static void test_array(void **state)
{
	(void)state;
	owned_map m = make(BPF_MAP_TYPE_ARRAY, 4, 5, 3);
	uint8_t value[8] = {1, 2, 3, 4, 5, 0xee, 0xee, 0xee}, got[8];
	uint32_t key = 2, next;

	assert_int_equal(picket_map_update(m, &key, value, BPF_ANY), 0);
	memset(got, 0xaa, sizeof(got));
	assert_int_equal(picket_map_lookup(m, &key, got), 0);
	assert_memory_equal(got, value, 5);
	assert_int_equal(got[5], 0xaa); /* no more than value_size */
	const uint8_t *values = picket_map_values(m);
	assert_memory_equal(values + 2ul * m->stride, value, 5);
	assert_int_equal(values[2ul * m->stride + 5], 0);
	assert_ptr_equal(m->ops->lookup(m, &key), values + 2ul * m->stride);
	key = 3;
	assert_null(m->ops->lookup(m, &key));
	assert_int_equal(picket_map_lookup(m, &key, got), -ENOENT);
	assert_memory_equal(got, value, 5); /* untouched */
	assert_int_equal(picket_map_update(m, &key, value, BPF_ANY), -E2BIG);
	key = 1;
	assert_int_equal(picket_map_update(m, &key, value, BPF_NOEXIST), -EEXIST);
	assert_int_equal(picket_map_delete(m, &key), -EINVAL);
	assert_int_equal(picket_map_next_key(m, &key, &next), 0);
	assert_int_equal(next, 2);
	assert_int_equal(picket_map_next_key(m, &next, &next), -ENOENT);
	assert_int_equal(picket_map_lookup(m, NULL, got), -EINVAL);
	assert_int_equal(picket_map_update(m, &key, NULL, 0), -EINVAL);
	assert_int_equal(picket_map_pop(m, &key, got), -EOPNOTSUPP);
	assert_int_equal(picket_map_set_program(m, 0, NULL), -EINVAL);
}

static void expect_window(struct picket_map *m, uint64_t address, uint64_t low, uint64_t size)
{
	struct vm_window w = {0};
	bool found = m->ops->find(m, address, &w);

	assert_int_equal(found, size != 0);
	assert_int_equal(w.low, size ? low : 0);
	assert_int_equal(w.size, size);
}

static void test_find(void **state)
{
	(void)state;
	owned_map m = make(BPF_MAP_TYPE_ARRAY, 4, 13, 100);
	uint64_t low = (uintptr_t)m->values;

	assert_int_equal(m->stride, 16);
	expect_window(m, low, low, 13);
	expect_window(m, low + 12, low, 13);
	expect_window(m, low + 13, 0, 0); /* between two values */
	expect_window(m, low + 15, 0, 0);
	expect_window(m, low + 16, low + 16, 13);
	expect_window(m, low + 99 * 16 + 12, low + 99 * 16, 13);
	expect_window(m, low + 100 * 16, 0, 0); /* within its last page */
	expect_window(m, low - 1, 0, 0);
	expect_window(m, 0, 0, 0);
	expect_window(m, UINT64_MAX, 0, 0);
}

static int count_until(const void *key, void *value, void *user)
{
	uint32_t index, *stop = user;

	memcpy(&index, key, 4);
	(*(uint32_t *)value)++;
	return index == *stop;
}

static void test_each(void **state)
{
	(void)state;
	owned_map m = make(BPF_MAP_TYPE_ARRAY, 4, 4, 10);
	uint32_t stop = 3, value, key = 3;

	assert_int_equal(m->ops->each(m, count_until, &stop), 4);
	stop = 100;
	assert_int_equal(m->ops->each(m, count_until, &stop), 10);
	assert_int_equal(picket_map_lookup(m, &key, &value), 0);
	assert_int_equal(value, 2);
	key = 4;
	assert_int_equal(picket_map_lookup(m, &key, &value), 0);
	assert_int_equal(value, 1);
}

/* ---- per CPU ---- */

struct on_thread {
	struct picket_map *map;
	uint32_t value;
	int result, number;
	void *seen;
};

static void *update_on_thread(void *argument)
{
	struct on_thread *t = argument;
	uint32_t key = 1;

	t->number = vm_thread_number();
	t->result = t->map->ops->update(t->map, &key, &t->value, BPF_ANY);
	t->seen = t->map->ops->lookup(t->map, &key);
	return NULL;
}

static void run_thread(struct on_thread *t)
{
	pthread_t thread;

	assert_int_equal(pthread_create(&thread, NULL, update_on_thread, t), 0);
	assert_int_equal(pthread_join(thread, NULL), 0);
}

static void test_per_cpu(void **state)
{
	(void)state;
	owned_map m = make_map((struct picket_map_spec){
	        .type = BPF_MAP_TYPE_PERCPU_ARRAY, .key_size = 4, .value_size = 4, .max_entries = 2, .cpus = 3});
	struct on_thread mine = {.map = m, .value = 7}, other = {.map = m, .value = 9};
	uint64_t all[3] = {1, 1, 1};
	uint32_t key = 1;

	assert_null(picket_map_values(m));
	update_on_thread(&mine);
	run_thread(&other);
	assert_int_equal(mine.result, 0);
	assert_int_equal(other.result, 0);
	assert_int_not_equal(mine.number, other.number);
	assert_ptr_equal(m->ops->lookup_cpu(m, &key, (uint32_t)mine.number), mine.seen);
	assert_ptr_equal(m->ops->lookup_cpu(m, &key, (uint32_t)other.number), other.seen);
	assert_null(m->ops->lookup_cpu(m, &key, 3));
	assert_int_equal(picket_map_lookup(m, &key, all), 0);
	assert_int_equal(all[mine.number], 7);
	assert_int_equal(all[other.number], 9);
	assert_int_equal(all[3 - mine.number - other.number], 0);
	for (uint64_t cpu = 0; cpu < 3; cpu++)
		all[cpu] = 100 + cpu;
	assert_int_equal(picket_map_update(m, &key, all, BPF_EXIST), 0);
	assert_int_equal(*(uint32_t *)mine.seen, 100 + mine.number);
	assert_int_equal(*(uint32_t *)other.seen, 100 + other.number);
}

static void *hold_number(void *argument)
{
	pthread_barrier_t *both = argument;

	vm_thread_number();
	pthread_barrier_wait(both);
	pthread_barrier_wait(both);
	return NULL;
}

static void test_more_threads_than_cpus(void **state)
{
	(void)state;
	owned_map m = make_map((struct picket_map_spec){
	        .type = BPF_MAP_TYPE_PERCPU_ARRAY, .key_size = 4, .value_size = 4, .max_entries = 2, .cpus = 2});
	struct on_thread late = {.map = m, .seen = m};
	pthread_barrier_t both;
	pthread_t thread;
	uint32_t key = 1;

	vm_thread_number();
	pthread_barrier_init(&both, NULL, 2);
	assert_int_equal(pthread_create(&thread, NULL, hold_number, &both), 0);
	pthread_barrier_wait(&both);
	run_thread(&late);
	assert_int_equal(late.number, 2);
	assert_int_equal(late.result, -EBUSY);
	assert_null(late.seen);
	assert_non_null(m->ops->lookup(m, &key));
	pthread_barrier_wait(&both);
	pthread_join(thread, NULL);
	pthread_barrier_destroy(&both);
	run_thread(&late); /* its number has come free */
	assert_int_equal(late.result, 0);
	assert_int_equal(late.number, 1);
}

/* ---- programs ---- */

static void test_prog_array(void **state)
{
	(void)state;
	owned_map m = make(BPF_MAP_TYPE_PROG_ARRAY, 4, 4, 3);
	owned_map other = make(BPF_MAP_TYPE_ARRAY, 4, 4, 3);
	static struct picket_program a, b;
	uint32_t key = 1, value = 0;

	assert_null(vm_prog_array_get(m, 1));
	assert_int_equal(picket_map_set_program(m, 1, &a), 0);
	assert_ptr_equal(vm_prog_array_get(m, 1), &a);
	assert_int_equal(picket_map_set_program(m, 1, &b), 0);
	assert_ptr_equal(vm_prog_array_get(m, 1), &b);
	assert_null(vm_prog_array_get(m, 0));
	assert_null(vm_prog_array_get(m, 3));
	assert_null(vm_prog_array_get(other, 1));
	assert_int_equal(picket_map_set_program(m, 3, &a), -E2BIG);
	assert_int_equal(picket_map_delete(m, &key), 0);
	assert_null(vm_prog_array_get(m, 1));
	assert_int_equal(picket_map_delete(m, &key), -ENOENT);
	assert_int_equal(picket_map_set_program(m, 1, &a), 0);
	assert_int_equal(picket_map_set_program(m, 1, NULL), 0);
	assert_null(vm_prog_array_get(m, 1));
	assert_int_equal(picket_map_update(m, &key, &value, 0), -EOPNOTSUPP);
	assert_int_equal(picket_map_lookup(m, &key, &value), -EOPNOTSUPP);
	assert_int_equal(picket_map_freeze(m), 0);
	assert_int_equal(picket_map_set_program(m, 1, &a), -EPERM);
	assert_true(!m->ops->lookup && !m->ops->update && !m->ops->delete); /* a program can only jump */
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(test_array),      cmocka_unit_test(test_find),
	        cmocka_unit_test(test_each),       cmocka_unit_test(test_per_cpu),
	        cmocka_unit_test(test_prog_array), cmocka_unit_test(test_more_threads_than_cpus),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
