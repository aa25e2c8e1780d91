/* SPDX-License-Identifier: Apache-2.0
 *
 * Which maps can be, what is said of those that cannot, and what they cost.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "map_helper.h"

#include <stdio.h>

#define SPEC(t, k, v, n, f) \
	((struct picket_map_spec){ \
	        .type = BPF_MAP_TYPE_##t, .key_size = (k), .value_size = (v), .max_entries = (n), .flags = (f)})

static void refuse(struct picket_map_spec spec, int expected, const char *text)
{
	struct picket_map *m = (struct picket_map *)&spec;
	struct picket_error error = {0};

	assert_int_equal(picket_map_new(&spec, &m, &error), expected);
	assert_ptr_equal(m, &spec); /* untouched */
	if (!strstr(error.text, text))
		fail_msg("\"%s\" does not say: %s", error.text, text);
	assert_int_equal(picket_map_new(&spec, &m, NULL), expected);
}

static void test_refused(void **state)
{
	(void)state;
	struct picket_map_spec spec = SPEC(ARRAY, 4, 4, 1, 0);

	refuse(SPEC(ARRAY, 8, 4, 1, 0), -EINVAL, "the key of an array has 4 bytes, not 8");
	refuse(SPEC(ARRAY, 4, 0, 1, 0), -EINVAL, "the value of an array needs a size");
	refuse(SPEC(ARRAY, 4, 4, 0, 0), -EINVAL, "max_entries is 0");
	refuse(SPEC(ARRAY, 4, 4, 1, BPF_F_NO_PREALLOC), -EINVAL, "does not take the flags 0x1");
	refuse(SPEC(HASH, 4, 4, 1, BPF_F_RDONLY | BPF_F_WRONLY), -EINVAL, "read-only and write-only");
	refuse(SPEC(HASH, VM_MAP_KEY_MAX + 1, 4, 1, 0), -E2BIG, "at most 4096 bytes");
	refuse(SPEC(HASH, 4, VM_MAP_VALUE_MAX + 1, 1, 0), -E2BIG, "at most 4194304 bytes");
	refuse(SPEC(HASH, 4, 4, UINT32_MAX, 0), -E2BIG, "the map would take more than");
	refuse(SPEC(ARRAY, 4, INT32_MAX, UINT32_MAX, 0), -E2BIG, "the map would take more than");
	refuse(SPEC(PERCPU_ARRAY, 4, 32768, UINT32_MAX, 0), -E2BIG, "the map would take more than");
	refuse(SPEC(LPM_TRIE, 8, 4, UINT32_MAX, BPF_F_NO_PREALLOC), -E2BIG, "the map would take more than");
	refuse(SPEC(QUEUE, 0, VM_MAP_VALUE_MAX, UINT32_MAX, 0), -E2BIG, "the map would take more than");
	refuse(SPEC(LRU_HASH, 4, 4, 1, BPF_F_NO_PREALLOC), -EINVAL, "does not take the flags 0x1");
	refuse(SPEC(LPM_TRIE, 8, 4, 1, 0), -EINVAL, "BPF_F_NO_PREALLOC");
	refuse(SPEC(LPM_TRIE, 4, 4, 1, BPF_F_NO_PREALLOC), -EINVAL, "5 to 260 bytes, not 4");
	refuse(SPEC(QUEUE, 4, 4, 1, 0), -EINVAL, "a queue has no key");
	refuse(SPEC(RINGBUF, 0, 0, 4095, 0), -EINVAL, "a power of two and whole pages, not 4095");
	refuse(SPEC(RINGBUF, 0, 0, 4096 * 3, 0), -EINVAL, "a power of two and whole pages, not 12288");
	refuse(SPEC(RINGBUF, 0, 4, 4096, 0), -EINVAL, "a ring buffer has no value");
	refuse(SPEC(ARRAY_OF_MAPS, 4, 4, 1, 0), -EINVAL, "needs to know what maps");
	refuse(SPEC(SOCKMAP, 4, 4, 1, 0), -EINVAL, "maps of type 15 are not supported");
	refuse((struct picket_map_spec){.type = UINT32_MAX}, -EINVAL, "not supported");
	spec.extra = 1;
	refuse(spec, -EINVAL, "map_extra is at most 0");
	spec = SPEC(PERCPU_ARRAY, 4, 4, 1, 0);
	spec.cpus = PICKET_CPUS_MAX + 1;
	refuse(spec, -E2BIG, "64 CPUs, not 65");
	spec = SPEC(ARRAY, 4, 4, 1, 0);
	memset(spec.name, 'x', sizeof(spec.name));
	refuse(spec, -EINVAL, "name does not end");
}

static void test_inner_refused(void **state)
{
	(void)state;
	struct picket_map_spec programs = SPEC(PROG_ARRAY, 4, 4, 1, 0), wrong = SPEC(HASH, 0, 4, 1, 0),
	                       good = SPEC(HASH, 4, 4, 1, 0);
	struct picket_map_spec outer = SPEC(HASH_OF_MAPS, 4, 4, 1, 0), plain = SPEC(HASH, 4, 4, 1, 0),
	                       twice = SPEC(ARRAY_OF_MAPS, 4, 4, 1, 0);

	outer.inner = &programs;
	refuse(outer, -EINVAL, "cannot hold a prog array");
	outer.inner = &wrong;
	refuse(outer, -EINVAL, "the key of a hash needs a size");
	outer.inner = &good;
	twice.inner = &outer;
	refuse(twice, -EINVAL, "cannot hold a hash of maps");
	plain.inner = &good;
	refuse(plain, -EINVAL, "a hash holds no maps");
	outer.max_entries = UINT32_MAX;
	refuse(outer, -E2BIG, "the map would take more than");
	twice.inner = &good;
	twice.max_entries = UINT32_MAX;
	refuse(twice, -E2BIG, "the map would take more than");
}

static void test_spec_is_kept(void **state)
{
	(void)state;
	struct picket_map_spec spec = SPEC(PERCPU_HASH, 4, 4, 10, 0);

	snprintf(spec.name, sizeof(spec.name), "counts");
	owned_map m = make_map(spec);
	assert_string_equal(picket_map_spec(m)->name, "counts");
	assert_int_equal(picket_map_spec(m)->cpus, PICKET_CPUS_MAX);
	assert_int_equal(picket_map_spec(m)->max_entries, 10);
	spec = SPEC(HASH, 4, 4, 10, BPF_F_RDONLY_PROG);
	spec.cpus = 3; /* means nothing here */
	owned_map plain = make_map(spec);
	assert_int_equal(picket_map_spec(plain)->cpus, 0);
	assert_true(plain->readonly && !plain->writeonly && !plain->frozen);
}

/* ---- memory ---- */

static uint64_t resident_pages(void)
{
	unsigned long total, resident = 0;
	FILE *file = fopen("/proc/self/statm", "re");

	assert_non_null(file);
	assert_int_equal(fscanf(file, "%lu %lu", &total, &resident), 2);
	fclose(file);
	return resident;
}

/* A map takes what is used of it, and never more than it says. */
static void check_memory(struct picket_map_spec spec, uint32_t used)
{
	const uint64_t page = 4096, slack = 64;
	uint64_t before = resident_pages();
	owned_map m = make_map(spec);
	static uint8_t value[PICKET_CPUS_MAX * 1024];

	assert_true(resident_pages() - before < slack);
	for (uint32_t key = 0; key < used; key++) {
		assert_int_equal(picket_map_update(m, spec.key_size ? &key : NULL, value, BPF_ANY), 0);
	}
	uint64_t partly = (resident_pages() - before) * page;
	assert_true(partly < picket_map_memory(m) / 2 + slack * page);
	for (uint32_t key = used; key < spec.max_entries; key++) {
		assert_int_equal(picket_map_update(m, spec.key_size ? &key : NULL, value, BPF_ANY), 0);
	}
	uint64_t all = (resident_pages() - before) * page;
	assert_true(all < picket_map_memory(m) + slack * page);
	assert_true(all + slack * page > (uint64_t)spec.max_entries * spec.value_size);
}

static void test_memory(void **state)
{
	(void)state;
	check_memory(SPEC(ARRAY, 4, 1000, 20000, 0), 5000);
	check_memory(SPEC(HASH, 4, 1000, 20000, 0), 5000);
	check_memory(SPEC(QUEUE, 0, 1000, 20000, 0), 5000);
	struct picket_map_spec spec = SPEC(PERCPU_HASH, 4, 1000, 4000, 0);
	spec.cpus = 4;
	check_memory(spec, 1000);
}

/* Values have nothing of ours beside them: a program that runs over them faults. */
static void test_guarded(void **state)
{
	(void)state;
	owned_map m = make_map(SPEC(ARRAY, 4, 4096, 1, 0));
	uint64_t before = (uintptr_t)m->values - 1, behind = (uintptr_t)m->values + 4096;
	char line[512];
	FILE *file = fopen("/proc/self/maps", "re");
	unsigned guards = 0;

	assert_non_null(file);
	while (fgets(line, sizeof(line), file)) {
		unsigned long low, high;
		char access[5];
		if (sscanf(line, "%lx-%lx %4s", &low, &high, access) != 3)
			continue;
		bool beside = (before >= low && before < high) || (behind >= low && behind < high);
		guards += beside && !strncmp(access, "---", 3);
	}
	fclose(file);
	assert_int_equal(guards, 2);
}

static void test_counted(void **state)
{
	(void)state;
	struct picket_map *m = make_map(SPEC(ARRAY, 4, 4, 1, 0));

	assert_ptr_equal(picket_map_ref(m), m);
	picket_map_free(m);
	assert_int_equal(m->refs, 1);
	picket_map_free(m);
	picket_map_free(NULL);
}

static void test_access(void **state)
{
	(void)state;
	owned_map rd = make_map(SPEC(HASH, 4, 4, 1, BPF_F_RDONLY));
	owned_map wr = make_map(SPEC(HASH, 4, 4, 1, BPF_F_WRONLY));
	owned_map frozen = make_map(SPEC(HASH, 4, 4, 1, 0));
	uint32_t key = 1, value = 2;

	assert_int_equal(picket_map_update(rd, &key, &value, 0), -EPERM);
	assert_int_equal(rd->ops->update(rd, &key, &value, 0), 0); /* a program may */
	assert_int_equal(picket_map_lookup(rd, &key, &value), 0);
	assert_int_equal(picket_map_pop(rd, &key, &value), -EPERM);
	assert_int_equal(picket_map_delete(rd, &key), -EPERM);
	assert_int_equal(picket_map_freeze(rd), -EPERM);
	assert_int_equal(picket_map_update(wr, &key, &value, 0), 0);
	assert_int_equal(picket_map_lookup(wr, &key, &value), -EPERM);
	assert_int_equal(picket_map_next_key(wr, NULL, &value), -EPERM);
	assert_int_equal(picket_map_update(frozen, &key, &value, 0), 0);
	assert_int_equal(picket_map_freeze(frozen), 0);
	assert_int_equal(picket_map_freeze(frozen), -EPERM);
	assert_int_equal(picket_map_update(frozen, &key, &value, 0), -EPERM);
	assert_int_equal(picket_map_lookup(frozen, &key, &value), 0);
	assert_int_equal(frozen->ops->update(frozen, &key, &value, 0), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(test_refused),      cmocka_unit_test(test_inner_refused),
	        cmocka_unit_test(test_spec_is_kept), cmocka_unit_test(test_memory),
	        cmocka_unit_test(test_guarded),      cmocka_unit_test(test_counted),
	        cmocka_unit_test(test_access),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
