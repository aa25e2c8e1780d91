/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "map_helper.h"

#include <pthread.h>
#include <unistd.h>

static const struct picket_map_spec inner_spec = {
        .type = BPF_MAP_TYPE_HASH, .key_size = 4, .value_size = 4, .max_entries = 4};

static struct picket_map *make_outer(uint32_t type, uint32_t entries)
{
	return make_map((struct picket_map_spec){
	        .type = type, .key_size = 4, .value_size = 4, .max_entries = entries, .inner = &inner_spec});
}

static int put(struct picket_map *outer, uint32_t key, struct picket_map *inner)
{
	return picket_map_update(outer, &key, &inner, BPF_ANY);
}

static struct picket_map *get(struct picket_map *outer, uint32_t key)
{
	return outer->ops->lookup(outer, &key);
}

static int count_inner(struct picket_map *inner, void *user)
{
	(void)inner;
	++*(unsigned *)user;
	return 0;
}

static int stop_at(struct picket_map *inner, void *user)
{
	return inner == user;
}

static void check_life(uint32_t type)
{
	owned_map outer = make_outer(type, 3);
	owned_map a = make_map(inner_spec);
	owned_map b = make_map(inner_spec);
	uint32_t key = 1;
	unsigned count = 0;

	assert_int_equal(outer->spec.inner->max_entries, 4);
	assert_ptr_not_equal(outer->spec.inner, &inner_spec); /* its own copy */
	assert_int_equal(put(outer, 1, a), 0);
	assert_int_equal(put(outer, 2, a), 0);
	assert_int_equal(a->refs, 3);
	assert_ptr_equal(get(outer, 1), a);
	assert_ptr_equal(get(outer, 2), a);
	assert_null(get(outer, 0));
	assert_null(get(outer, 9));
	assert_true(vm_map_holds_map(outer, a));
	assert_false(vm_map_holds_map(outer, b));
	assert_false(vm_map_holds_map(a, b));
	assert_int_equal(put(outer, 1, b), 0);
	assert_int_equal(a->refs, 2);
	assert_true(vm_map_holds_map(outer, a));
	assert_int_equal(vm_map_each_inner(outer, count_inner, &count), 2);
	assert_int_equal(count, 2);
	assert_int_equal(vm_map_each_inner(outer, stop_at, b), -1);
	assert_int_equal(vm_map_each_inner(a, count_inner, &count), 0);
	key = 2;
	assert_int_equal(picket_map_delete(outer, &key), 0);
	assert_int_equal(picket_map_delete(outer, &key), -ENOENT);
	assert_int_equal(a->refs, 1);
	assert_false(vm_map_holds_map(outer, a));
	struct picket_map *got = NULL;
	key = 1;
	assert_int_equal(picket_map_lookup(outer, &key, &got), 0);
	assert_ptr_equal(got, b);
	assert_int_equal(b->refs, 3);
	picket_map_free(got);
	assert_true(!outer->ops->update && !outer->ops->delete); /* not for programs */
}

static void test_life(void **state)
{
	(void)state;
	check_life(BPF_MAP_TYPE_ARRAY_OF_MAPS);
	check_life(BPF_MAP_TYPE_HASH_OF_MAPS);
}

/* The outer map keeps what it holds, and gives it up with itself. */
static void test_outer_owns(void **state)
{
	(void)state;
	struct picket_map *outer = make_outer(BPF_MAP_TYPE_HASH_OF_MAPS, 10);
	owned_map kept = make_map(inner_spec);

	for (uint32_t key = 0; key < 10; key++) {
		struct picket_map *inner = key == 5 ? picket_map_ref(kept) : make_map(inner_spec);
		assert_int_equal(put(outer, key, inner), 0);
		picket_map_free(inner);
	}
	assert_int_equal(kept->refs, 2);
	picket_map_free(outer);
	assert_int_equal(kept->refs, 1);
}

static void test_refused(void **state)
{
	(void)state;
	owned_map outer = make_outer(BPF_MAP_TYPE_HASH_OF_MAPS, 1);
	owned_map other = make(BPF_MAP_TYPE_HASH, 4, 8, 4);
	owned_map inner = make_map(inner_spec);

	assert_int_equal(put(outer, 1, other), -EINVAL);
	assert_int_equal(put(outer, 1, NULL), -EINVAL);
	assert_int_equal(put(outer, 1, inner), 0);
	assert_int_equal(put(outer, 2, inner), -E2BIG);
	assert_int_equal(inner->refs, 2); /* what was refused is not held */
	assert_int_equal(other->refs, 1);
}

/* ---- in a run ---- */

/* Someone in a run changes the map: nothing is waited for, and nothing is given up before the run is over. */
static void check_change_inside(uint32_t type)
{
	enum { ENTRIES = 3 };
	owned_map outer = make_outer(type, ENTRIES);
	owned_map a = make_map(inner_spec);
	owned_map b = make_map(inner_spec);
	uint32_t key = 0;
	int r = 0, changes = 0;

	assert_int_equal(put(outer, 0, a), 0);
	vm_epoch_enter();
	struct picket_map *got = get(outer, 0);
	while (!(r = put(outer, 0, b)) && changes < 1000)
		changes++;
	assert_int_equal(r, -EBUSY); /* there is a limit */
	assert_true(changes >= ENTRIES && changes < 1000);
	assert_ptr_equal(got, a);
	assert_int_equal(a->refs, 2);
	assert_true(vm_map_holds_map(outer, a)); /* still counts */
	assert_int_equal(picket_map_delete(outer, &key), 0);
	assert_null(get(outer, 0));
	vm_epoch_leave();
	assert_int_equal(put(outer, 1, b), 0); /* gives up what was left */
	assert_int_equal(a->refs, 1);
	assert_int_equal(b->refs, 2);
	assert_false(vm_map_holds_map(outer, a));
}

static void test_change_inside(void **state)
{
	(void)state;
	check_change_inside(BPF_MAP_TYPE_ARRAY_OF_MAPS);
	check_change_inside(BPF_MAP_TYPE_HASH_OF_MAPS);
}

struct reader {
	struct picket_map *outer, *seen;
	pthread_barrier_t both;
	bool left;
};

static void *read_slowly(void *argument)
{
	struct reader *r = argument;

	vm_epoch_enter();
	r->seen = get(r->outer, 0);
	pthread_barrier_wait(&r->both);
	usleep(50000);
	uint32_t key = 1, value = 2;
	assert_int_equal(r->seen->ops->update(r->seen, &key, &value, BPF_ANY), 0); /* it is still there */
	__atomic_store_n(&r->left, true, __ATOMIC_RELEASE);
	vm_epoch_leave();
	return NULL;
}

static void test_waits_for_readers(void **state)
{
	(void)state;
	owned_map outer = make_outer(BPF_MAP_TYPE_ARRAY_OF_MAPS, 1);
	struct picket_map *a = make_map(inner_spec);
	struct reader r = {.outer = outer};
	pthread_t thread;
	uint32_t key = 0;

	assert_int_equal(put(outer, 0, a), 0);
	picket_map_free(a); /* only the outer map has it now */
	pthread_barrier_init(&r.both, NULL, 2);
	assert_int_equal(pthread_create(&thread, NULL, read_slowly, &r), 0);
	pthread_barrier_wait(&r.both);
	assert_int_equal(picket_map_delete(outer, &key), 0);
	assert_true(__atomic_load_n(&r.left, __ATOMIC_ACQUIRE));
	pthread_join(thread, NULL);
	pthread_barrier_destroy(&r.both);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(test_life),
	        cmocka_unit_test(test_outer_owns),
	        cmocka_unit_test(test_refused),
	        cmocka_unit_test(test_change_inside),
	        cmocka_unit_test(test_waits_for_readers),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
