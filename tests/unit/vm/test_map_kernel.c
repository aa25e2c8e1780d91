/* SPDX-License-Identifier: Apache-2.0
 *
 * The same operations on a map of ours and on one of the kernel's: the same results. Skips where bpf(2) is not allowed.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "map_helper.h"

#include <stdio.h>
#include <sys/syscall.h>
#include <unistd.h>

#define SIZE_MAX_TESTED 4096

struct pair {
	struct picket_map_spec spec;
	struct picket_map *ours;
	int kernel;
	size_t value_size; /* of the values of all CPUs, if there are several */
};

/* ---- the kernel's side: 0 or -errno, as ours ---- */

static int bpf(enum bpf_cmd command, union bpf_attr *attr)
{
	long r = syscall(SYS_bpf, command, attr, sizeof(*attr));

	if (r >= 0)
		return (int)r;
	return errno == 524 ? -EOPNOTSUPP : -errno; /* ENOTSUPP is the kernel's own */
}

static int kernel_create(const struct picket_map_spec *spec)
{
	union bpf_attr attr = {.map_type = spec->type,
	                       .key_size = spec->key_size,
	                       .value_size = spec->value_size,
	                       .max_entries = spec->max_entries,
	                       .map_flags = spec->flags,
	                       .map_extra = spec->extra};
	int inner = -1;

	if (spec->inner) {
		inner = kernel_create(spec->inner);
		attr.inner_map_fd = (uint32_t)inner;
	}
	int r = bpf(BPF_MAP_CREATE, &attr);
	base_close_fd(&inner);
	return r;
}

static int kernel_element(enum bpf_cmd command, int fd, const void *key, void *value, uint64_t flags)
{
	union bpf_attr attr = {
	        .map_fd = (uint32_t)fd, .key = (uintptr_t)key, .value = (uintptr_t)value, .flags = flags};
	return bpf(command, &attr);
}

static bool may_use_kernel(void)
{
	struct picket_map_spec spec = {.type = BPF_MAP_TYPE_ARRAY, .key_size = 4, .value_size = 4, .max_entries = 1};
	int fd = kernel_create(&spec);
	bool may = fd >= 0;

	base_close_fd(&fd);
	return may;
}

static void need_kernel(void)
{
	if (may_use_kernel())
		return;
	print_message("skipped: bpf(2) is not allowed here\n");
	skip();
}

/* As the kernel counts them for per-CPU maps. */
static uint32_t possible_cpus(void)
{
	FILE *file = fopen("/sys/devices/system/cpu/possible", "re");
	unsigned first = 0, last = 0;

	assert_non_null(file);
	int n = fscanf(file, "%u-%u", &first, &last);
	fclose(file);
	return n == 2 ? last + 1 : 1;
}

static void pair_open(struct pair *p, struct picket_map_spec spec)
{
	bool per_cpu = spec.type == BPF_MAP_TYPE_PERCPU_ARRAY || spec.type == BPF_MAP_TYPE_PERCPU_HASH ||
	               spec.type == BPF_MAP_TYPE_LRU_PERCPU_HASH;

	*p = (struct pair){.spec = spec, .value_size = spec.value_size};
	if (per_cpu) {
		p->spec.cpus = possible_cpus();
		p->value_size = p->spec.cpus * ((spec.value_size + 7ul) & ~7ul);
	}
	assert_true(p->value_size <= SIZE_MAX_TESTED && spec.key_size <= SIZE_MAX_TESTED);
	p->ours = make_map(p->spec);
	p->kernel = kernel_create(&spec);
	assert_true(p->kernel >= 0);
}

static void pair_close(struct pair *p)
{
	picket_map_free(p->ours);
	close(p->kernel);
}

/* ---- steps ---- */

static const char *const step_names[] = {"update", "lookup", "delete", "pop"};

/* What a per-CPU value is filled up with is not the same: the kernel's may keep what the caller gave. */
static void compare_values(const struct pair *p, const uint8_t *ours, const uint8_t *kernel)
{
	size_t stride = (p->spec.value_size + 7ul) & ~7ul;

	for (size_t at = 0; at < p->value_size; at += stride)
		assert_memory_equal(ours + at, kernel + at, p->spec.value_size);
}

static void step(struct pair *p, unsigned kind, const void *key, uint64_t *random)
{
	uint8_t ours[SIZE_MAX_TESTED], kernel[SIZE_MAX_TESTED];
	uint64_t flags = next_random(random) % 8 ? next_random(random) % 3 : next_random(random) % 6;
	int a, b;

	for (size_t i = 0; i < p->value_size; i++)
		ours[i] = kernel[i] = (uint8_t)next_random(random);
	switch (kind) {
	case 0:
		a = picket_map_update(p->ours, key, ours, flags);
		b = kernel_element(BPF_MAP_UPDATE_ELEM, p->kernel, key, kernel, flags);
		break;
	case 1:
		a = picket_map_lookup(p->ours, key, ours);
		b = kernel_element(BPF_MAP_LOOKUP_ELEM, p->kernel, key, kernel, 0);
		break;
	case 2:
		a = picket_map_delete(p->ours, key);
		b = kernel_element(BPF_MAP_DELETE_ELEM, p->kernel, key, NULL, 0);
		break;
	default:
		a = picket_map_pop(p->ours, key, ours);
		b = kernel_element(BPF_MAP_LOOKUP_AND_DELETE_ELEM, p->kernel, key, kernel, 0);
		break;
	}
	if (a != b)
		fail_msg("%s of type %u, flags %lu: ours %d, the kernel's %d", step_names[kind], p->spec.type,
		         (unsigned long)flags, a, b);
	compare_values(p, ours, kernel);
}

/* ---- walks ---- */

static int kernel_next(const struct pair *p, const void *key, void *ret_key)
{
	return kernel_element(BPF_MAP_GET_NEXT_KEY, p->kernel, key, ret_key, 0);
}

/* Every key of ours is in the kernel's, and there are as many. */
static void compare_keys(const struct pair *p, bool in_order)
{
	uint8_t ours[SIZE_MAX_TESTED], kernel[SIZE_MAX_TESTED], value[SIZE_MAX_TESTED];
	int a = picket_map_next_key(p->ours, NULL, ours), b = kernel_next(p, NULL, kernel);

	for (size_t i = 0; i <= p->spec.max_entries + 1ul; i++) {
		assert_int_equal(a, b);
		if (a)
			return;
		if (in_order)
			assert_memory_equal(ours, kernel, p->spec.key_size);
		assert_int_equal(kernel_element(BPF_MAP_LOOKUP_ELEM, p->kernel, ours, value, 0), 0);
		a = picket_map_next_key(p->ours, ours, ours);
		b = kernel_next(p, kernel, kernel);
	}
	fail_msg("type %u: the walk does not end", p->spec.type);
}

/* ---- kinds ---- */

/* Keys 0 .. keys - 1 in a few of its bytes. */
static void random_key(const struct pair *p, uint32_t keys, uint8_t *key, uint64_t *random)
{
	uint32_t number = next_random(random) % keys;

	memset(key, 0x5a, p->spec.key_size);
	memcpy(key, &number, MIN(p->spec.key_size, sizeof(number)));
	if (p->spec.key_size > sizeof(number))
		key[p->spec.key_size - 1] = (uint8_t)number;
}

static void compare_kind(struct picket_map_spec spec, uint32_t keys, unsigned steps)
{
	uint64_t random = 0x1234567 + spec.type + spec.key_size;
	uint8_t key[SIZE_MAX_TESTED];
	struct pair p;

	pair_open(&p, spec);
	for (unsigned i = 0; i < steps; i++) {
		random_key(&p, keys, key, &random);
		step(&p, next_random(&random) % 4, spec.key_size ? key : NULL, &random);
		if (spec.key_size && i % 64 == 0)
			compare_keys(&p, spec.type == BPF_MAP_TYPE_ARRAY || spec.type == BPF_MAP_TYPE_PERCPU_ARRAY);
	}
	pair_close(&p);
}

#define SPEC(t, k, v, n, f) \
	((struct picket_map_spec){ \
	        .type = BPF_MAP_TYPE_##t, .key_size = (k), .value_size = (v), .max_entries = (n), .flags = (f)})

static void test_arrays(void **state)
{
	(void)state;
	need_kernel();
	compare_kind(SPEC(ARRAY, 4, 1, 7, 0), 10, 3000);
	compare_kind(SPEC(ARRAY, 4, 8, 1, 0), 2, 1000);
	compare_kind(SPEC(ARRAY, 4, 1001, 16, BPF_F_MMAPABLE), 18, 3000);
	compare_kind(SPEC(PERCPU_ARRAY, 4, 12, 9, 0), 11, 3000);
}

static void test_hashes(void **state)
{
	(void)state;
	need_kernel();
	compare_kind(SPEC(HASH, 4, 4, 16, 0), 24, 10000);
	compare_kind(SPEC(HASH, 1, 1, 16, BPF_F_ZERO_SEED), 24, 5000);
	compare_kind(SPEC(HASH, 7, 9, 16, BPF_F_NO_PREALLOC), 20, 5000);
	compare_kind(SPEC(HASH, 8, 8, 1, 0), 3, 3000);
	compare_kind(SPEC(HASH, 16, 100, 200, 0), 300, 20000);
	compare_kind(SPEC(HASH, 129, 3, 50, BPF_F_NO_PREALLOC | BPF_F_ZERO_SEED), 60, 5000);
	compare_kind(SPEC(PERCPU_HASH, 4, 12, 16, 0), 24, 5000);
	compare_kind(SPEC(PERCPU_HASH, 13, 8, 16, BPF_F_NO_PREALLOC), 18, 5000);
}

/* It holds what it may, of which the newest: which others go is the implementation's. */
static void test_lru(void **state)
{
	(void)state;
	need_kernel();
	compare_kind(SPEC(LRU_HASH, 4, 4, 1024, 0), 40, 10000);
	compare_kind(SPEC(LRU_PERCPU_HASH, 4, 4, 1024, 0), 40, 5000);
	compare_kind(SPEC(LRU_HASH, 4, 4, 1024, BPF_F_NO_COMMON_LRU), 40, 5000);
}

static void test_queues(void **state)
{
	(void)state;
	need_kernel();
	compare_kind(SPEC(QUEUE, 0, 4, 5, 0), 1, 5000);
	compare_kind(SPEC(STACK, 0, 4, 5, 0), 1, 5000);
	compare_kind(SPEC(QUEUE, 0, 100, 1, 0), 1, 1000);
	compare_kind(SPEC(STACK, 0, 13, 1, 0), 1, 1000);
}

/* Prefixes of all lengths over few different bytes, so that they nest. */
static void random_prefix(const struct pair *p, uint8_t *key, uint64_t *random)
{
	uint32_t bits_max = (p->spec.key_size - 4) * 8;
	uint32_t bits = next_random(random) % 16 ? next_random(random) % (MIN(bits_max, 12u) + 1)
	                                         : next_random(random) % (bits_max + 3);

	if (next_random(random) % 4 == 0)
		bits = bits_max - MIN(bits_max, next_random(random) % 4);
	memcpy(key, &bits, 4);
	for (uint32_t i = 4; i < p->spec.key_size; i++)
		key[i] = next_random(random) % 3 ? 0 : (uint8_t)next_random(random) & 0xc1;
}

static void compare_lpm(uint32_t key_size, uint32_t entries, unsigned steps)
{
	uint64_t random = 99 + key_size;
	uint8_t key[300];
	struct pair p;

	pair_open(&p, SPEC(LPM_TRIE, key_size, 5, entries, BPF_F_NO_PREALLOC));
	for (unsigned i = 0; i < steps; i++) {
		random_prefix(&p, key, &random);
		step(&p, next_random(&random) % 3, key, &random);
		if (i % 16 == 0)
			compare_keys(&p, true);
	}
	pair_close(&p);
}

static void test_lpm(void **state)
{
	(void)state;
	need_kernel();
	compare_lpm(4 + 4, 16, 20000);
	compare_lpm(4 + 1, 8, 5000);
	compare_lpm(4 + 16, 100, 20000);
	compare_lpm(4 + 256, 30, 5000);
}

/* Values are random: what the kernel has never seen, ours may hold to be there, and the other way round. */
static void test_bloom(void **state)
{
	(void)state;
	need_kernel();
	uint64_t random = 5;
	struct pair p;

	pair_open(&p, (struct picket_map_spec){
	                      .type = BPF_MAP_TYPE_BLOOM_FILTER, .value_size = 13, .max_entries = 1000, .extra = 3});
	for (unsigned i = 0; i < 1000; i++) {
		uint8_t value[13];
		uint64_t flags = next_random(&random) % 4 ? 0 : next_random(&random) % 4;
		for (size_t at = 0; at < sizeof(value); at++)
			value[at] = (uint8_t)next_random(&random);
		int r = picket_map_update(p.ours, NULL, value, flags);
		assert_int_equal(r, kernel_element(BPF_MAP_UPDATE_ELEM, p.kernel, NULL, value, flags));
		if (r)
			continue;
		assert_int_equal(picket_map_lookup(p.ours, NULL, value), 0);
		assert_int_equal(kernel_element(BPF_MAP_LOOKUP_ELEM, p.kernel, NULL, value, 0), 0);
	}
	uint32_t key = 0;
	uint8_t value[16];
	assert_int_equal(picket_map_delete(p.ours, NULL), kernel_element(BPF_MAP_DELETE_ELEM, p.kernel, NULL, NULL, 0));
	assert_int_equal(picket_map_next_key(p.ours, NULL, &key), kernel_next(&p, NULL, &key));
	assert_int_equal(picket_map_pop(p.ours, NULL, value),
	                 kernel_element(BPF_MAP_LOOKUP_AND_DELETE_ELEM, p.kernel, NULL, value, 0));
	pair_close(&p);
}

/* ---- maps of maps: their values are file descriptors there, pointers here ---- */

static void compare_maps(struct picket_map_spec spec, const struct picket_map_spec *inners, size_t count)
{
	uint64_t random = 77;
	struct pair p, inner[8];

	assert_true(count <= ARRAY_SIZE(inner));
	pair_open(&p, spec);
	for (size_t i = 0; i < count; i++)
		pair_open(&inner[i], inners[i]);
	for (unsigned i = 0; i < 400; i++) {
		uint32_t key = next_random(&random) % 6, id;
		const struct pair *in = &inner[next_random(&random) % count];
		uint64_t flags = next_random(&random) % 4;
		struct picket_map *got = NULL;
		int a, b;
		switch (next_random(&random) % 4) {
		case 0:
		case 1:
			a = picket_map_update(p.ours, &key, &in->ours, flags);
			b = kernel_element(BPF_MAP_UPDATE_ELEM, p.kernel, &key, (void *)&in->kernel, flags);
			break;
		case 2:
			a = picket_map_delete(p.ours, &key);
			b = kernel_element(BPF_MAP_DELETE_ELEM, p.kernel, &key, NULL, 0);
			break;
		default:
			a = picket_map_lookup(p.ours, &key, &got);
			b = kernel_element(BPF_MAP_LOOKUP_ELEM, p.kernel, &key, &id, 0);
			picket_map_free(got);
			break;
		}
		if (a != b)
			fail_msg("type %u, key %u, flags %lu: ours %d, the kernel's %d", spec.type, key,
			         (unsigned long)flags, a, b);
		if (spec.type == BPF_MAP_TYPE_ARRAY_OF_MAPS || i % 16 == 0) {
			int next = picket_map_next_key(p.ours, &key, &id);
			if (spec.type == BPF_MAP_TYPE_ARRAY_OF_MAPS)
				assert_int_equal(next, kernel_next(&p, &key, &id));
		}
	}
	for (size_t i = 0; i < count; i++)
		pair_close(&inner[i]);
	pair_close(&p);
}

static void test_maps_of_maps(void **state)
{
	(void)state;
	need_kernel();
	struct picket_map_spec inner = SPEC(HASH, 4, 8, 10, 0);
	const struct picket_map_spec hashes[] = {
	        SPEC(HASH, 4, 8, 10, 0), SPEC(HASH, 4, 8, 20, 0),        SPEC(HASH, 4, 4, 10, 0),
	        SPEC(HASH, 8, 8, 10, 0), SPEC(PERCPU_HASH, 4, 8, 10, 0), SPEC(HASH, 4, 8, 10, BPF_F_NO_PREALLOC),
	};
	struct picket_map_spec outer = SPEC(ARRAY_OF_MAPS, 4, 4, 4, 0);
	outer.inner = &inner;
	compare_maps(outer, hashes, ARRAY_SIZE(hashes));
	outer = SPEC(HASH_OF_MAPS, 4, 4, 3, 0);
	outer.inner = &inner;
	compare_maps(outer, hashes, ARRAY_SIZE(hashes));
	const struct picket_map_spec arrays[] = {SPEC(ARRAY, 4, 8, 10, 0), SPEC(ARRAY, 4, 8, 11, 0),
	                                         SPEC(ARRAY, 4, 8, 10, BPF_F_INNER_MAP)};
	inner = SPEC(ARRAY, 4, 8, 10, 0);
	compare_maps(outer, arrays, ARRAY_SIZE(arrays));
	inner = SPEC(ARRAY, 4, 8, 10, BPF_F_INNER_MAP);
	const struct picket_map_spec lengths[] = {SPEC(ARRAY, 4, 8, 10, 0), SPEC(ARRAY, 4, 8, 11, BPF_F_INNER_MAP),
	                                          SPEC(ARRAY, 4, 8, 10, BPF_F_INNER_MAP)};
	compare_maps(outer, lengths, ARRAY_SIZE(lengths));
}

/* ---- permissions, specs ---- */

static void compare_permissions(uint32_t flags, bool freeze)
{
	uint64_t random = 1;
	uint32_t key = 1, next;
	struct pair p;

	pair_open(&p, SPEC(HASH, 4, 4, 4, flags));
	if (freeze) {
		union bpf_attr attr = {.map_fd = (uint32_t)p.kernel};
		assert_int_equal(picket_map_freeze(p.ours), bpf(BPF_MAP_FREEZE, &attr));
		assert_int_equal(picket_map_freeze(p.ours), bpf(BPF_MAP_FREEZE, &attr));
	}
	for (unsigned i = 0; i < 40; i++)
		step(&p, i % 4, &key, &random);
	assert_int_equal(picket_map_next_key(p.ours, NULL, &next), kernel_next(&p, NULL, &next));
	pair_close(&p);
}

static void test_permissions(void **state)
{
	(void)state;
	need_kernel();
	const uint32_t flags[] = {0, BPF_F_RDONLY, BPF_F_WRONLY, BPF_F_RDONLY_PROG, BPF_F_WRONLY_PROG};
	for (size_t i = 0; i < 2 * ARRAY_SIZE(flags); i++)
		compare_permissions(flags[i / 2], i % 2);
}

static const uint32_t types[] = {
        BPF_MAP_TYPE_HASH,          BPF_MAP_TYPE_ARRAY,        BPF_MAP_TYPE_PROG_ARRAY,      BPF_MAP_TYPE_PERCPU_HASH,
        BPF_MAP_TYPE_LRU_HASH,      BPF_MAP_TYPE_LPM_TRIE,     BPF_MAP_TYPE_LRU_PERCPU_HASH, BPF_MAP_TYPE_PERCPU_ARRAY,
        BPF_MAP_TYPE_QUEUE,         BPF_MAP_TYPE_STACK,        BPF_MAP_TYPE_RINGBUF,         BPF_MAP_TYPE_BLOOM_FILTER,
        BPF_MAP_TYPE_ARRAY_OF_MAPS, BPF_MAP_TYPE_HASH_OF_MAPS,
};

static struct picket_map_spec random_spec(const struct picket_map_spec *inner, uint64_t *random)
{
	static const uint32_t sizes[] = {0, 0, 1, 4, 4, 4, 5, 8, 260, 261, 4096, 32768, 32769};
	static const uint32_t entries[] = {0, 1, 2, 3, 100, 4096, 8192};
	struct picket_map_spec spec = {.type = types[next_random(random) % ARRAY_SIZE(types)],
	                               .key_size = sizes[next_random(random) % ARRAY_SIZE(sizes)],
	                               .value_size = sizes[next_random(random) % ARRAY_SIZE(sizes)],
	                               .max_entries = entries[next_random(random) % ARRAY_SIZE(entries)],
	                               .extra = next_random(random) % 8 ? 0 : next_random(random) % 20,
	                               .cpus = 2};

	for (unsigned bit = next_random(random) % 3; bit; bit--)
		spec.flags |= 1u << next_random(random) % 13;
	if (spec.type == BPF_MAP_TYPE_LPM_TRIE && next_random(random) % 4)
		spec.flags |= BPF_F_NO_PREALLOC;
	if (spec.type == BPF_MAP_TYPE_ARRAY_OF_MAPS || spec.type == BPF_MAP_TYPE_HASH_OF_MAPS)
		spec.inner = inner;
	return spec;
}

/* The kernel's own limits on memory are not ours; and it names some reasons otherwise. */
static bool same_verdict(const struct picket_map_spec *spec, int ours, int kernel)
{
	if (spec->key_size > VM_MAP_KEY_MAX && ours == -E2BIG)
		return true;
	if (kernel == -EOPNOTSUPP || kernel == -E2BIG || kernel == -EBADF || kernel == -EPERM)
		return ours == -EINVAL || ours == -E2BIG;
	return ours == kernel || (kernel == -EINVAL && ours == -E2BIG);
}

static void test_specs(void **state)
{
	(void)state;
	need_kernel();
	struct picket_map_spec inner = SPEC(ARRAY, 4, 4, 4, 0);
	uint64_t random = 3;
	unsigned made = 0;

	for (unsigned i = 0; i < 10000; i++) {
		struct picket_map_spec spec = random_spec(&inner, &random);
		struct picket_error error = {0};
		struct picket_map *m = NULL;
		/* The flag would name a node; ours has none. */
		bool large = (uint64_t)spec.max_entries * (spec.key_size + spec.value_size) > 4 << 20;
		if (spec.flags & BPF_F_NUMA_NODE || large)
			continue;
		int ours = picket_map_new(&spec, &m, &error), kernel = kernel_create(&spec);
		if (!same_verdict(&spec, ours, MIN(kernel, 0)))
			fail_msg(
			        "type %u, sizes %u, %u, entries %u, flags %#x, extra %lu: ours %d (%s), the kernel's %d",
			        spec.type, spec.key_size, spec.value_size, spec.max_entries, spec.flags,
			        (unsigned long)spec.extra, ours, error.text, kernel);
		assert_true(ours == 0 || error.text[0]);
		made += ours == 0;
		picket_map_free(m);
		base_close_fd(&kernel);
	}
	assert_true(made > 200);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(test_arrays), cmocka_unit_test(test_hashes),       cmocka_unit_test(test_lru),
	        cmocka_unit_test(test_queues), cmocka_unit_test(test_lpm),          cmocka_unit_test(test_bloom),
	        cmocka_unit_test(test_specs),  cmocka_unit_test(test_maps_of_maps), cmocka_unit_test(test_permissions),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
