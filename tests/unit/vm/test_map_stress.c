/* SPDX-License-Identifier: Apache-2.0
 *
 * Several readers and writers on one map, without any order between them; what must hold at every moment is checked.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "map_helper.h"

#include <pthread.h>
#include <sched.h>
#include <time.h>

enum { READERS = 3, WRITERS = 2, KEYS = 64, WORDS = 6 };
#define STEADY 1000000u /* keys from here on are updated all the time and never deleted */
#define STEADY_KEYS 4

static uint64_t run_ms = 300;

/* All words say which key and which version it is: half of one and half of another shows. */
struct value {
	uint64_t words[WORDS];
};

static struct value make_value(uint32_t key, uint32_t version)
{
	struct value v;

	for (size_t i = 0; i < WORDS; i++)
		v.words[i] = ((uint64_t)key << 32 | version) * (2 * i + 1);
	return v;
}

static bool is_of_key(const struct value *v, uint32_t key)
{
	for (size_t i = 0; i < WORDS; i++) {
		if (v->words[i] != v->words[0] * (2 * i + 1))
			return false;
	}
	return v->words[0] >> 32 == key;
}

struct stress {
	struct picket_map *map;
	int (*write)(struct picket_map *m, uint32_t key, uint32_t version);
	int (*remove)(struct picket_map *m, uint32_t key);
	int (*read)(struct picket_map *m, uint32_t key, struct value *ret_value);
	const void *(*lookup)(struct picket_map *m, uint32_t key); /* NULL: not tried */
	bool loses;                                                /* also what was not deleted: LRU */
	bool stop;
	uint32_t next_thread;
	uint64_t reads, writes, found, wrong, missed;
};

static void add(uint64_t *to, uint64_t count)
{
	__atomic_fetch_add(to, count, __ATOMIC_RELAXED);
}

static uint32_t random_key(uint64_t *random)
{
	uint32_t number = next_random(random);
	return number % 4 ? number / 4 % KEYS : STEADY + number / 4 % STEADY_KEYS;
}

static void *keep_writing(void *argument)
{
	struct stress *s = argument;
	uint64_t random = 1000 + __atomic_add_fetch(&s->next_thread, 1, __ATOMIC_RELAXED);
	uint32_t version = 0;

	while (!__atomic_load_n(&s->stop, __ATOMIC_RELAXED)) {
		uint32_t key = random_key(&random);
		if (key < STEADY && next_random(&random) % 3 == 0) {
			int r = s->remove(s->map, key);
			add(&s->wrong, r != 0 && r != -ENOENT);
		} else {
			add(&s->wrong, s->write(s->map, key, ++version) != 0);
		}
		add(&s->writes, 1);
	}
	return NULL;
}

static void *keep_reading(void *argument)
{
	struct stress *s = argument;
	uint64_t random = 2000 + __atomic_add_fetch(&s->next_thread, 1, __ATOMIC_RELAXED);

	while (!__atomic_load_n(&s->stop, __ATOMIC_RELAXED)) {
		uint32_t key = random_key(&random);
		struct value v;
		int r = s->read(s->map, key, &v);
		add(&s->found, r == 0);
		add(&s->wrong, r == 0 && !is_of_key(&v, key));
		add(&s->missed, r != 0 && key >= STEADY && !s->loses);
		if (s->lookup) {
			const void *value = s->lookup(s->map, key);
			struct vm_window w;
			add(&s->missed, !value && key >= STEADY && !s->loses);
			add(&s->wrong, value && !s->map->ops->find(s->map, (uintptr_t)value, &w));
		}
		add(&s->reads, 1);
	}
	return NULL;
}

static void wait_ms(uint64_t ms)
{
	const struct timespec time = {.tv_sec = (time_t)(ms / 1000), .tv_nsec = (long)(ms % 1000 * 1000000)};
	nanosleep(&time, NULL);
}

static void run(struct stress *s)
{
	pthread_t threads[READERS + WRITERS];

	for (uint32_t key = STEADY; key < STEADY + STEADY_KEYS; key++)
		assert_int_equal(s->write(s->map, key, 0), 0);
	for (size_t i = 0; i < READERS + WRITERS; i++)
		assert_int_equal(pthread_create(&threads[i], NULL, i < WRITERS ? keep_writing : keep_reading, s), 0);
	wait_ms(run_ms);
	__atomic_store_n(&s->stop, true, __ATOMIC_RELAXED);
	for (size_t i = 0; i < READERS + WRITERS; i++)
		pthread_join(threads[i], NULL);
	print_message("           %lu reads, %lu of them found it, %lu writes\n", (unsigned long)s->reads,
	              (unsigned long)s->found, (unsigned long)s->writes);
	assert_int_equal(s->wrong, 0);
	assert_int_equal(s->missed, 0);
	assert_true(s->found && s->found < s->reads && s->writes);
}

/* ---- hashes ---- */

static int hash_write(struct picket_map *m, uint32_t key, uint32_t version)
{
	struct value v = make_value(key, version);
	return m->ops->update(m, &key, &v, BPF_ANY);
}

static int hash_remove(struct picket_map *m, uint32_t key)
{
	return m->ops->delete (m, &key);
}

static int hash_read(struct picket_map *m, uint32_t key, struct value *ret_value)
{
	return picket_map_lookup(m, &key, ret_value);
}

static const void *hash_lookup(struct picket_map *m, uint32_t key)
{
	return m->ops->lookup(m, &key);
}

/* Few buckets for many keys: what one thread deletes another uses again at once. */
static void stress_hash(uint32_t type, uint32_t entries, bool loses)
{
	owned_map m = make(type, 4, sizeof(struct value), entries);
	struct stress s = {.map = m,
	                   .write = hash_write,
	                   .remove = hash_remove,
	                   .read = hash_read,
	                   .lookup = hash_lookup,
	                   .loses = loses};
	uint32_t key;
	unsigned count = 0;

	run(&s);
	for (int r = picket_map_next_key(m, NULL, &key); !r; r = picket_map_next_key(m, &key, &key)) {
		struct value v;
		assert_int_equal(picket_map_lookup(m, &key, &v), 0);
		assert_true(is_of_key(&v, key));
		count++;
	}
	assert_in_range(count, STEADY_KEYS, entries);
	for (key = 0; key < STEADY + STEADY_KEYS; key = key == KEYS ? STEADY : key + 1)
		picket_map_delete(m, &key);
	assert_int_equal(picket_map_next_key(m, NULL, &key), -ENOENT);
}

static void test_hash(void **state)
{
	(void)state;
	stress_hash(BPF_MAP_TYPE_HASH, KEYS + STEADY_KEYS, false);
}

static void test_lru(void **state)
{
	(void)state;
	stress_hash(BPF_MAP_TYPE_LRU_HASH, 16, true);
}

/* ---- LPM: each key below others, that come and go ---- */

struct prefix {
	uint32_t bits;
	uint8_t data[4];
};

/* Full-length keys; every fourth number is the prefix of the three behind it. */
static struct prefix prefix_of(uint32_t key)
{
	struct prefix p = {.bits = key % 4 ? 32 : 24};

	p.data[0] = (uint8_t)(key >> 16);
	p.data[1] = (uint8_t)(key >> 8);
	p.data[2] = (uint8_t)(key & 0xfc);
	p.data[3] = key % 4 ? (uint8_t)key : 0;
	return p;
}

static int lpm_write(struct picket_map *m, uint32_t key, uint32_t version)
{
	struct prefix p = prefix_of(key);
	struct value v = make_value(key, version);
	return m->ops->update(m, &p, &v, BPF_ANY);
}

static int lpm_remove(struct picket_map *m, uint32_t key)
{
	struct prefix p = prefix_of(key);
	return m->ops->delete (m, &p);
}

/* Where only the shorter prefix is there, that is what comes. */
static int lpm_read(struct picket_map *m, uint32_t key, struct value *ret_value)
{
	struct prefix p = prefix_of(key);
	int r = picket_map_lookup(m, &p, ret_value);

	if (r == 0 && key % 4 && is_of_key(ret_value, key & ~3u))
		return key >= STEADY ? -ESRCH : -ENOENT;
	return r;
}

static const void *lpm_lookup(struct picket_map *m, uint32_t key)
{
	struct prefix p = prefix_of(key);
	return m->ops->lookup(m, &p);
}

static void test_lpm(void **state)
{
	(void)state;
	owned_map m = make_map((struct picket_map_spec){.type = BPF_MAP_TYPE_LPM_TRIE,
	                                                .key_size = sizeof(struct prefix),
	                                                .value_size = sizeof(struct value),
	                                                .max_entries = KEYS + STEADY_KEYS,
	                                                .flags = BPF_F_NO_PREALLOC});
	struct stress s = {.map = m, .write = lpm_write, .remove = lpm_remove, .read = lpm_read, .lookup = lpm_lookup};

	run(&s);
}

/* ---- maps of maps: the inner map that is found is alive, and the key's ---- */

static const struct picket_map_spec inner_spec = {
        .type = BPF_MAP_TYPE_ARRAY, .key_size = 4, .value_size = sizeof(struct value), .max_entries = 1};

static int outer_write(struct picket_map *m, uint32_t key, uint32_t version)
{
	owned_map inner = make_map(inner_spec);
	struct value v = make_value(key, version);
	uint32_t zero = 0;
	int r = picket_map_update(inner, &zero, &v, BPF_ANY);

	return r ? r : picket_map_update(m, &key, &inner, BPF_ANY);
}

static int outer_remove(struct picket_map *m, uint32_t key)
{
	return picket_map_delete(m, &key);
}

/* As a run does it. */
static int outer_read(struct picket_map *m, uint32_t key, struct value *ret_value)
{
	uint32_t zero = 0;
	int r = -ENOENT;

	vm_epoch_enter();
	struct picket_map *inner = m->ops->lookup(m, &key);
	if (inner && !vm_map_holds_map(m, inner))
		r = -ESRCH;
	else if (inner)
		r = picket_map_lookup(inner, &zero, ret_value);
	vm_epoch_leave();
	if (r == -ESRCH)
		memset(ret_value, 0, sizeof(*ret_value));
	return r == -ESRCH ? 0 : r; /* a value of no key: wrong */
}

static void test_hash_of_maps(void **state)
{
	(void)state;
	owned_map m = make_map((struct picket_map_spec){.type = BPF_MAP_TYPE_HASH_OF_MAPS,
	                                                .key_size = 4,
	                                                .value_size = 4,
	                                                .max_entries = KEYS + STEADY_KEYS,
	                                                .inner = &inner_spec});
	struct stress s = {.map = m, .write = outer_write, .remove = outer_remove, .read = outer_read};

	run(&s);
}

/* ---- queue: nothing is lost, nothing comes twice ---- */

struct queue {
	struct picket_map *map;
	uint64_t pushed, popped, sum_pushed, sum_popped;
	bool stop;
};

static void *keep_pushing(void *argument)
{
	struct queue *q = argument;

	while (!__atomic_load_n(&q->stop, __ATOMIC_RELAXED)) {
		uint64_t value = __atomic_add_fetch(&q->pushed, 1, __ATOMIC_RELAXED);
		while (q->map->ops->push(q->map, &value, BPF_ANY))
			sched_yield();
		add(&q->sum_pushed, value);
	}
	return NULL;
}

static void *keep_popping(void *argument)
{
	struct queue *q = argument;
	uint64_t value;

	for (;;) {
		bool last = __atomic_load_n(&q->stop, __ATOMIC_ACQUIRE);
		if (!q->map->ops->pop(q->map, &value)) {
			add(&q->popped, 1);
			add(&q->sum_popped, value);
		} else if (last) {
			return NULL;
		}
	}
}

static void stress_queue(uint32_t type)
{
	owned_map m = make(type, 0, 8, 10);
	struct queue q = {.map = m};
	pthread_t threads[4];
	uint64_t value;

	for (size_t i = 0; i < 4; i++)
		assert_int_equal(pthread_create(&threads[i], NULL, i % 2 ? keep_pushing : keep_popping, &q), 0);
	wait_ms(run_ms / 2);
	__atomic_store_n(&q.stop, true, __ATOMIC_RELEASE);
	pthread_join(threads[1], NULL);
	pthread_join(threads[3], NULL);
	pthread_join(threads[0], NULL);
	pthread_join(threads[2], NULL);
	while (!m->ops->pop(m, &value)) {
		q.popped++;
		q.sum_popped += value;
	}
	assert_true(q.pushed > 0);
	assert_int_equal(q.pushed, q.popped);
	assert_int_equal(q.sum_pushed, q.sum_popped);
}

static void test_queue(void **state)
{
	(void)state;
	stress_queue(BPF_MAP_TYPE_QUEUE);
	stress_queue(BPF_MAP_TYPE_STACK);
}

/* PICKET_STRESS_MS: how long each runs. */
int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(test_hash),         cmocka_unit_test(test_lru),   cmocka_unit_test(test_lpm),
	        cmocka_unit_test(test_hash_of_maps), cmocka_unit_test(test_queue),
	};
	if (getenv("PICKET_STRESS_MS"))
		run_ms = strtoul(getenv("PICKET_STRESS_MS"), NULL, 10);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
