/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "map_helper.h"

#include <pthread.h>
#include <sched.h>
#include <unistd.h>

static uint32_t page(void)
{
	return (uint32_t)sysconf(_SC_PAGESIZE);
}

static struct picket_map *make_ring(uint32_t size)
{
	return make(BPF_MAP_TYPE_RINGBUF, 0, 0, size);
}

struct records {
	uint32_t next; /* the first word of the record that must come next */
	size_t count, bytes;
	int stop; /* what the consumer answers */
};

static int consume(const void *record, size_t length, void *user)
{
	struct records *r = user;
	uint32_t first;

	assert_true(length >= 4);
	assert_int_equal((uintptr_t)record % 8, 0);
	memcpy(&first, record, 4);
	assert_int_equal(first, r->next);
	for (size_t i = 4; i < length; i++)
		assert_int_equal(((const uint8_t *)record)[i], (uint8_t)(first + i));
	r->next++;
	r->count++;
	r->bytes += length;
	return r->stop;
}

static void *reserve(struct picket_map *m, uint32_t number, uint32_t size)
{
	uint8_t *data = vm_ring_reserve(m, size);

	if (!data)
		return NULL;
	memcpy(data, &number, 4);
	for (size_t i = 4; i < size; i++)
		data[i] = (uint8_t)(number + i);
	return data;
}

/* Records of all sizes; many of them go on at the start of the ring, and are in one piece all the same. */
static void test_in_order(void **state)
{
	(void)state;
	owned_map m = make_ring(page());
	struct records r = {0};
	uint64_t random = 4;

	for (uint32_t number = 0; number < 20000;) {
		void *data = reserve(m, number, 4 + next_random(&random) % 500);
		if (data) {
			vm_ring_submit(m, data, false);
			number++;
		} else {
			assert_true(picket_map_ring_consume(m, consume, &r, 1 + next_random(&random) % 4) > 0);
		}
	}
	assert_true(picket_map_ring_consume(m, consume, &r, SIZE_MAX) > 0);
	assert_int_equal(r.count, 20000);
	assert_int_equal(picket_map_ring_consume(m, consume, &r, SIZE_MAX), 0);
}

static void test_order_of_submission(void **state)
{
	(void)state;
	owned_map m = make_ring(page());
	struct records r = {0};

	void *a = reserve(m, 0, 8), *b = reserve(m, 1, 9), *c = reserve(m, 1, 10), *d = reserve(m, 2, 4);
	vm_ring_submit(m, b, true);
	vm_ring_submit(m, c, false);
	assert_int_equal(picket_map_ring_consume(m, consume, &r, 10), 0); /* a is not done */
	vm_ring_submit(m, a, false);
	assert_int_equal(picket_map_ring_consume(m, consume, &r, 10), 2); /* a, c: b was discarded */
	assert_int_equal(r.next, 2);
	vm_ring_submit(m, d, false);
	r.stop = 1;
	void *e = reserve(m, 3, 4);
	vm_ring_submit(m, e, false);
	assert_int_equal(picket_map_ring_consume(m, consume, &r, 10), 1);
	assert_int_equal(picket_map_ring_consume(m, consume, &r, 0), 0);
	assert_int_equal(picket_map_ring_consume(m, consume, &r, 10), 1);
}

static void test_full(void **state)
{
	(void)state;
	owned_map m = make_ring(page());
	const uint32_t size = page();
	struct records r = {0};

	assert_null(vm_ring_reserve(m, size));
	assert_null(vm_ring_reserve(m, size - 8)); /* there is one byte less than its size */
	assert_null(vm_ring_reserve(m, UINT64_MAX));
	assert_null(vm_ring_reserve(m, UINT64_MAX - 7));
	void *data = reserve(m, 0, size - 16);
	assert_non_null(data);
	assert_null(vm_ring_reserve(m, 0));
	assert_int_equal(vm_ring_query(m, BPF_RB_AVAIL_DATA), size - 8);
	assert_int_equal(vm_ring_query(m, BPF_RB_RING_SIZE), size);
	assert_int_equal(vm_ring_query(m, BPF_RB_CONS_POS), 0);
	assert_int_equal(vm_ring_query(m, BPF_RB_PROD_POS), size - 8);
	assert_int_equal(vm_ring_query(m, 17), 0);
	vm_ring_submit(m, data, false);
	assert_int_equal(picket_map_ring_consume(m, consume, &r, 10), 1);
	assert_int_equal(vm_ring_query(m, BPF_RB_CONS_POS), size - 8);
	assert_non_null(vm_ring_reserve(m, 0));
}

/* A program writes beyond its record, and gives back what it never had. */
static void test_wild_program(void **state)
{
	(void)state;
	owned_map m = make_ring(page());
	owned_map other = make(BPF_MAP_TYPE_ARRAY, 4, 4, 1);
	struct records r = {0};
	uint8_t *a = reserve(m, 0, 8);

	memset(a - 8, 0xff, 8);
	memset(a + 8, 0xff, page() - 16);
	vm_ring_submit(m, a + 8, false);
	vm_ring_submit(m, a + 1, false);
	vm_ring_submit(m, a + page(), false);
	vm_ring_submit(m, NULL, false);
	vm_ring_submit(m, &r, true);
	vm_ring_submit(other, a, false);
	assert_int_equal(picket_map_ring_consume(m, consume, &r, 10), 0);
	vm_ring_submit(m, a, false);
	vm_ring_submit(m, a, true); /* too late */
	for (size_t i = 4; i < 8; i++)
		a[i] = (uint8_t)i;
	assert_int_equal(picket_map_ring_consume(m, consume, &r, 10), 1);
	vm_ring_submit(m, a, false);
	assert_int_equal(picket_map_ring_consume(m, consume, &r, 10), 0);
	assert_null(vm_ring_reserve(other, 4));
	assert_int_equal(picket_map_ring_consume(other, consume, &r, 10), -EINVAL);
	uint32_t key = 0;
	assert_int_equal(picket_map_lookup(m, NULL, &key), -EOPNOTSUPP);
	assert_int_equal(picket_map_update(m, NULL, &key, 0), -EOPNOTSUPP);
}

/* ---- many producers ---- */

enum { PRODUCERS = 3, EACH = 20000 };

struct producer {
	struct picket_map *map;
	uint32_t number;
};
struct message {
	uint32_t producer, count;
	uint64_t check[4];
};

static void *produce(void *argument)
{
	const struct producer *p = argument;
	uint64_t random = p->number + 1;

	for (uint32_t i = 0; i < EACH;) {
		size_t size = sizeof(struct message) - next_random(&random) % 4 * 8;
		struct message *m = vm_ring_reserve(p->map, size);
		if (!m) {
			sched_yield();
			continue;
		}
		bool discard = next_random(&random) % 8 == 0;
		m->producer = p->number;
		m->count = discard ? UINT32_MAX : i;
		for (size_t j = 0; j < (size - 8) / 8; j++)
			m->check[j] = ((uint64_t)p->number << 32 | i) * (j + 3);
		vm_ring_submit(p->map, m, discard);
		i += !discard;
	}
	return NULL;
}

static int check_message(const void *record, size_t length, void *user)
{
	const struct message *m = record;
	uint32_t *next = user;

	assert_true(m->producer < PRODUCERS);
	assert_int_equal(m->count, next[m->producer]++);
	for (size_t j = 0; j < (length - 8) / 8; j++)
		assert_true(m->check[j] == ((uint64_t)m->producer << 32 | m->count) * (j + 3));
	return 0;
}

static void test_producers(void **state)
{
	(void)state;
	owned_map m = make_ring(page());
	struct producer producers[PRODUCERS];
	pthread_t threads[PRODUCERS];
	uint32_t next[PRODUCERS] = {0};
	int64_t count = 0;

	for (uint32_t i = 0; i < PRODUCERS; i++) {
		producers[i] = (struct producer){m, i};
		assert_int_equal(pthread_create(&threads[i], NULL, produce, &producers[i]), 0);
	}
	while (count < PRODUCERS * EACH) {
		int64_t n = picket_map_ring_consume(m, check_message, next, SIZE_MAX);
		count += n;
		if (!n)
			sched_yield();
	}
	for (uint32_t i = 0; i < PRODUCERS; i++)
		pthread_join(threads[i], NULL);
	assert_int_equal(count, PRODUCERS * EACH);
	assert_int_equal(picket_map_ring_consume(m, check_message, next, SIZE_MAX), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(test_in_order),  cmocka_unit_test(test_order_of_submission),
	        cmocka_unit_test(test_full),      cmocka_unit_test(test_wild_program),
	        cmocka_unit_test(test_producers),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
