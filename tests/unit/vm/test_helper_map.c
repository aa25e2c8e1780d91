/* SPDX-License-Identifier: Apache-2.0 */
#include "helper_fixture.h"

/* Programs keep keys and values on their stack: a key at -8, a value at -16. */
#define KEY(n) "stdw [%r10-8], " n "\n"
#define VALUE(n) "stdw [%r10-16], " n "\n"
#define LOOKUP \
	"lddw %r1, map[1]\n" \
	"mov %r2, %r10\n" \
	"add %r2, -8\n" \
	"call map_lookup_elem\n"
#define UPDATE(flags) \
	"lddw %r1, map[1]\n" \
	"mov %r2, %r10\n" \
	"add %r2, -8\n" \
	"mov %r3, %r10\n" \
	"add %r3, -16\n" \
	"mov %r4, " flags "\n" \
	"call map_update_elem\n"
#define DELETE \
	"lddw %r1, map[1]\n" \
	"mov %r2, %r10\n" \
	"add %r2, -8\n" \
	"call map_delete_elem\n"
#define PUSH(flags) \
	"lddw %r1, map[1]\n" \
	"mov %r2, %r10\n" \
	"add %r2, -16\n" \
	"mov %r3, " flags "\n" \
	"call map_push_elem\n"
#define POP(how) \
	"lddw %r1, map[1]\n" \
	"mov %r2, %r10\n" \
	"add %r2, -16\n" \
	"call map_" how "_elem\n"
#define KEEP(at) \
	"lddw %r9, map_value[0]\n" \
	"stxdw [%r9+" at "], %r0\n"
/* The value that r0 points to, or -1. */
#define LOAD \
	"mov %r8, -1\n" \
	"jeq %r0, 0, +1\n" \
	"ldxdw %r8, [%r0+0]\n" \
	"mov %r0, %r8\n"
#define EXIT "exit\n"

static int64_t kept(const struct fixture *f, size_t at)
{
	int64_t value;

	memcpy(&value, f->buffer + at, 8);
	return value;
}

static void test_elements(void **state)
{
	const char *code =
	        CODE(KEY("7"), VALUE("42"), LOOKUP, LOAD, KEEP("0"), UPDATE("0"), KEEP("8"), LOOKUP, LOAD, KEEP("16"),
	             VALUE("43"), UPDATE("1"), KEEP("24"), UPDATE("2"), KEEP("32"), LOOKUP, LOAD, KEEP("40"), DELETE,
	             KEEP("48"), DELETE, KEEP("56"), UPDATE("2"), KEEP("64"), UPDATE("8"), KEEP("72"), EXIT);
	static const int64_t expected[] = {-1, 0, 42, -EEXIST, 0, 43, 0, -ENOENT, -ENOENT, -EINVAL};
	static const enum bpf_map_type types[] = {BPF_MAP_TYPE_HASH, BPF_MAP_TYPE_LRU_HASH, BPF_MAP_TYPE_PERCPU_HASH};

	(void)state;
	for (size_t t = 0; t < ARRAY_SIZE(types); t++) {
		struct fixture f;
		fixture_init(&f);
		fixture_add_map(&f, types[t], 8, 8, 16);
		fixture_as_kernel(&f, code);
		for (size_t i = 0; i < ARRAY_SIZE(expected); i++)
			assert_int_equal(kept(&f, 8 * i), expected[i]);
		fixture_done(&f);
	}
}

static void test_array(void **state)
{
	struct fixture f;

	(void)state;
	fixture_init(&f);
	fixture_add_map(&f, BPF_MAP_TYPE_ARRAY, 4, 8, 2);
	fixture_as_kernel(&f, CODE(KEY("1"), VALUE("42"), UPDATE("0"), KEEP("0"), LOOKUP, LOAD, KEEP("8"), UPDATE("1"),
	                           KEEP("16"), DELETE, KEEP("24"), KEY("2"), LOOKUP, LOAD, KEEP("32"), UPDATE("0"),
	                           KEEP("40"), EXIT));
	assert_int_equal(kept(&f, 0), 0);
	assert_int_equal(kept(&f, 8), 42);
	assert_int_equal(kept(&f, 16), -EEXIST);
	assert_int_equal(kept(&f, 24), -EINVAL);
	assert_int_equal(kept(&f, 32), -1);
	assert_int_equal(kept(&f, 40), -E2BIG);
	fixture_done(&f);
}

static void test_queues(void **state)
{
	const char *code =
	        CODE(POP("pop"), KEEP("0"), VALUE("1"), PUSH("0"), KEEP("8"), VALUE("2"), PUSH("0"), KEEP("16"),
	             VALUE("3"), PUSH("0"), KEEP("24"), PUSH("2"), KEEP("32"), POP("peek"), KEEP("40"),
	             "ldxdw %r0, [%r10-16]\n", KEEP("48"), POP("pop"), KEEP("56"), "ldxdw %r0, [%r10-16]\n", KEEP("64"),
	             VALUE("9"), PUSH("1"), KEEP("72"), POP("pop"), POP("pop"), KEEP("80"), EXIT);
	static const enum bpf_map_type types[] = {BPF_MAP_TYPE_QUEUE, BPF_MAP_TYPE_STACK};

	(void)state;
	for (size_t t = 0; t < ARRAY_SIZE(types); t++) {
		struct fixture f;
		fixture_init(&f);
		fixture_add_map(&f, types[t], 0, 8, 2);
		fixture_as_kernel(&f, code);
		assert_int_equal(kept(&f, 0), -ENOENT);
		assert_int_equal(kept(&f, 24), -E2BIG);
		assert_int_equal(kept(&f, 32), 0);
		assert_int_equal(kept(&f, 48), t == 0 ? 2 : 3);
		fixture_done(&f);
	}
}

static void test_bloom(void **state)
{
	struct fixture f;

	(void)state;
	fixture_init(&f);
	fixture_add_map(&f, BPF_MAP_TYPE_BLOOM_FILTER, 0, 8, 64);
	fixture_as_kernel(&f, CODE(VALUE("2"), POP("peek"), KEEP("0"), VALUE("1"), PUSH("0"), KEEP("8"), POP("peek"),
	                           KEEP("16"), EXIT));
	assert_int_equal(kept(&f, 0), -ENOENT);
	assert_int_equal(kept(&f, 8), 0);
	assert_int_equal(kept(&f, 16), 0);
	/* What is asked for is only read: it may stand where nothing may be written. */
	fixture_add_text(&f, "1234567");
	fixture_result(&f, "lddw %r1, map[1]\nlddw %r2, map_value[2]\ncall map_peek_elem\nexit\n");
	assert_int_equal((int64_t)f.call.result, -ENOENT);
	fixture_done(&f);
}

static void test_percpu(void **state)
{
	const char *code = CODE(KEY("0"), LOOKUP,
	                        "jeq %r0, 0, +1\n"
	                        "stdw [%r0+0], 42\n"
	                        "call get_smp_processor_id\n"
	                        "mov %r3, %r0\n"
	                        "lddw %r1, map[1]\n"
	                        "mov %r2, %r10\n"
	                        "add %r2, -8\n"
	                        "call map_lookup_percpu_elem\n",
	                        LOAD, KEEP("0"),
	                        "lddw %r1, map[1]\n"
	                        "mov %r2, %r10\n"
	                        "add %r2, -8\n"
	                        "mov %r3, 100000\n"
	                        "call map_lookup_percpu_elem\n",
	                        LOAD, KEEP("8"), EXIT);
	struct fixture f;

	(void)state;
	fixture_init(&f);
	fixture_add_map(&f, BPF_MAP_TYPE_PERCPU_ARRAY, 4, 8, 1);
	fixture_as_kernel(&f, code);
	assert_int_equal(kept(&f, 0), 42);
	assert_int_equal(kept(&f, 8), -1);
	fixture_done(&f);
}

/* ---- what a kind has no operation for, and what programs may not do ---- */
static void test_other_kinds(void **state)
{
	struct fixture f;

	(void)state;
	fixture_init(&f);
	fixture_add_map(&f, BPF_MAP_TYPE_HASH, 8, 8, 4);
	fixture_result(&f,
	               CODE(VALUE("0"), PUSH("0"), KEEP("0"), POP("pop"), KEEP("8"), POP("peek"), KEEP("16"), EXIT));
	assert_int_equal(kept(&f, 0), -EOPNOTSUPP);
	assert_int_equal(kept(&f, 8), -EOPNOTSUPP);
	assert_int_equal(kept(&f, 16), -EOPNOTSUPP);
	fixture_result(&f, CODE(KEY("0"),
	                        "lddw %r1, map[1]\n"
	                        "mov %r2, %r10\n"
	                        "add %r2, -8\n"
	                        "mov %r3, 0\n"
	                        "call map_lookup_percpu_elem\n",
	                        EXIT));
	assert_int_equal(f.call.result, 0);
	fixture_done(&f);

	fixture_init(&f);
	fixture_add_map(&f, BPF_MAP_TYPE_PROG_ARRAY, 4, 4, 4);
	fixture_result(&f,
	               CODE(KEY("0"), VALUE("0"), LOOKUP, KEEP("0"), UPDATE("0"), KEEP("8"), DELETE, KEEP("16"), EXIT));
	assert_int_equal(kept(&f, 0), 0);
	assert_int_equal(kept(&f, 8), -EPERM);
	assert_int_equal(kept(&f, 16), -EPERM);
	fixture_done(&f);
}

static void test_readonly(void **state)
{
	struct fixture f;

	(void)state;
	fixture_init(&f);
	fixture_add_spec(&f, &(struct picket_map_spec){.name = "readonly",
	                                               .type = BPF_MAP_TYPE_HASH,
	                                               .key_size = 8,
	                                               .value_size = 8,
	                                               .max_entries = 4,
	                                               .flags = BPF_F_RDONLY_PROG});
	fixture_result(&f, CODE(KEY("0"), VALUE("0"), UPDATE("0"), KEEP("0"), DELETE, KEEP("8"), EXIT));
	assert_int_equal(kept(&f, 0), -EPERM);
	assert_int_equal(kept(&f, 8), -EPERM);
	fixture_done(&f);
}

/* map[1] holds maps: what is found in it is a map, what a program puts in would be a pointer of its own making. */
static void test_inner(void **state)
{
	const char *find_inner = CODE(KEY("1"), LOOKUP,
	                              "jne %r0, 0, +1\n"
	                              "exit\n"
	                              "mov %r1, %r0\n"
	                              "mov %r2, %r10\n"
	                              "add %r2, -8\n"
	                              "call map_lookup_elem\n",
	                              LOAD, EXIT);
	struct picket_map_spec inner = {
	        .name = "inner", .type = BPF_MAP_TYPE_ARRAY, .key_size = 4, .value_size = 8, .max_entries = 2};
	struct picket_map_spec outer = {.name = "outer",
	                                .type = BPF_MAP_TYPE_ARRAY_OF_MAPS,
	                                .key_size = 4,
	                                .value_size = 4,
	                                .max_entries = 2,
	                                .inner = &inner};
	struct picket_map *m;
	struct fixture f;
	uint32_t key = 1;
	uint64_t value = 77;

	(void)state;
	fixture_init(&f);
	fixture_add_spec(&f, &outer);
	assert_int_equal(fixture_result(&f, find_inner), 0);
	assert_int_equal(picket_map_new(&inner, &m, NULL), 0);
	assert_int_equal(picket_map_update(m, &key, &value, 0), 0);
	assert_int_equal(picket_map_update(f.maps[1], &key, &m, 0), 0);
	picket_map_free(m);
	assert_int_equal(fixture_result(&f, find_inner), 77);
	fixture_result(&f, CODE(KEY("1"), VALUE("0"), UPDATE("0"), KEEP("0"), DELETE, KEEP("8"), EXIT));
	assert_int_equal(kept(&f, 0), -EPERM);
	assert_int_equal(kept(&f, 8), -EPERM);
	fixture_done(&f);
}

/* ---- for_each_map_elem: the callback adds keys at 0 and values at 8, and stops at the key that stands at 16 ---- */
#define EACH(flags) \
	"lddw %r1, map[1]\n" \
	"lddw %r2, function each\n" \
	"mov %r3, 0\n" \
	"mov %r4, " flags "\n" \
	"call for_each_map_elem\n" \
	"exit\n" \
	"each:\n" \
	"lddw %r6, map_value[0]\n" \
	"ldxw %r4, [%r2+0]\n" \
	"ldxdw %r5, [%r6+0]\n" \
	"add %r5, %r4\n" \
	"stxdw [%r6+0], %r5\n" \
	"ldxdw %r7, [%r3+0]\n" \
	"ldxdw %r5, [%r6+8]\n" \
	"add %r5, %r7\n" \
	"stxdw [%r6+8], %r5\n" \
	"mov %r0, 0\n" \
	"ldxdw %r5, [%r6+16]\n" \
	"jne %r4, %r5, +1\n" \
	"mov %r0, 1\n" \
	"exit\n"

static void fill(struct fixture *f, uint32_t map, uint32_t count)
{
	for (uint32_t key = 0; key < count; key++) {
		uint64_t value = 100 + key;
		assert_int_equal(picket_map_update(f->maps[map], &key, &value, 0), 0);
	}
}

static void check_each(enum bpf_map_type type)
{
	const uint64_t nothing = UINT64_MAX;
	struct fixture f;

	fixture_init(&f);
	fixture_add_map(&f, type, 4, 8, 10);
	fill(&f, 1, 10);
	memcpy(f.buffer + 16, &nothing, 8);
	assert_int_equal(fixture_result(&f, EACH("0")), 10);
	assert_int_equal(kept(&f, 0), 45);
	assert_int_equal(kept(&f, 8), 1045);
	assert_int_equal((int64_t)fixture_result(&f, EACH("1")), -EINVAL);
	fixture_done(&f);
}

static void test_each(void **state)
{
	const uint64_t third = 3;
	struct fixture f;

	(void)state;
	check_each(BPF_MAP_TYPE_ARRAY);
	check_each(BPF_MAP_TYPE_HASH);
	check_each(BPF_MAP_TYPE_LRU_HASH);
	fixture_init(&f);
	fixture_add_map(&f, BPF_MAP_TYPE_ARRAY, 4, 8, 10);
	memcpy(f.buffer + 16, &third, 8);
	assert_int_equal(fixture_as_kernel(&f, EACH("0")), 4);
	assert_int_equal(kept(&f, 0), 6);
	fixture_done(&f);

	fixture_init(&f);
	fixture_add_map(&f, BPF_MAP_TYPE_QUEUE, 0, 8, 10);
	assert_int_equal((int64_t)fixture_result(&f, EACH("0")), -EOPNOTSUPP);
	fixture_done(&f);
}

/* Its key is the map's: not to be written, and not there any more when the callback is over. */
static void test_each_key(void **state)
{
	static const enum bpf_map_type types[] = {BPF_MAP_TYPE_ARRAY, BPF_MAP_TYPE_HASH};

	(void)state;
	for (size_t t = 0; t < ARRAY_SIZE(types); t++) {
		struct fixture f;
		fixture_init(&f);
		fixture_add_map(&f, types[t], 4, 8, 10);
		fill(&f, 1, 10);
		for (size_t i = 0; i < 2; i++) {
			static const char write[] = "lddw %r1, map[1]\n"
			                            "lddw %r2, function each\n"
			                            "mov %r3, 0\n"
			                            "mov %r4, 0\n"
			                            "call for_each_map_elem\n"
			                            "exit\n"
			                            "each:\n"
			                            "ldxw %r1, [%r2+0]\n"
			                            "stw [%r2+0], 7\n"
			                            "mov %r0, 0\n"
			                            "exit\n";
			static const char after[] = "mov %r3, %r10\n"
			                            "add %r3, -8\n"
			                            "lddw %r1, map[1]\n"
			                            "lddw %r2, function each\n"
			                            "mov %r4, 0\n"
			                            "call for_each_map_elem\n"
			                            "ldxdw %r1, [%r10-8]\n"
			                            "ldxw %r0, [%r1+0]\n"
			                            "exit\n"
			                            "each:\n"
			                            "ldxw %r1, [%r2+0]\n"
			                            "stxdw [%r4+0], %r2\n"
			                            "mov %r0, 0\n"
			                            "exit\n";
			struct picket_program *p = fixture_load(&f, fixture_engines[i], write);
			if (!p)
				continue;
			assert_int_equal(fixture_run(&f, p), -EFAULT);
			assert_int_equal(f.call.fault.kind, PICKET_FAULT_WRITE);
			picket_program_free(p);
			p = fixture_load(&f, fixture_engines[i], after);
			assert_int_equal(fixture_run(&f, p), -EFAULT);
			assert_int_equal(f.call.fault.kind, PICKET_FAULT_READ);
			picket_program_free(p);
		}
		fixture_done(&f);
	}
}

/* Loops in loops: the outer key is still there in the inner callback, and after it. */
static void test_each_nested(void **state)
{
	static const char code[] = "lddw %r1, map[1]\n"
	                           "lddw %r2, function outer\n"
	                           "mov %r3, 0\n"
	                           "mov %r4, 0\n"
	                           "call for_each_map_elem\n"
	                           "exit\n"
	                           "outer:\n"
	                           "mov %r6, %r2\n"
	                           "stxdw [%r10-8], %r2\n"
	                           "mov %r3, %r10\n"
	                           "add %r3, -8\n"
	                           "lddw %r1, map[1]\n"
	                           "lddw %r2, function inner\n"
	                           "mov %r4, 0\n"
	                           "call for_each_map_elem\n"
	                           "ldxw %r1, [%r6+0]\n"
	                           "lddw %r6, map_value[0]\n"
	                           "ldxdw %r5, [%r6+8]\n"
	                           "add %r5, %r1\n"
	                           "stxdw [%r6+8], %r5\n"
	                           "mov %r0, 0\n"
	                           "exit\n"
	                           "inner:\n"
	                           "ldxdw %r1, [%r4+0]\n"
	                           "ldxw %r1, [%r1+0]\n"
	                           "ldxw %r2, [%r2+0]\n"
	                           "mul %r1, %r2\n"
	                           "lddw %r6, map_value[0]\n"
	                           "ldxdw %r5, [%r6+0]\n"
	                           "add %r5, %r1\n"
	                           "stxdw [%r6+0], %r5\n"
	                           "mov %r0, 0\n"
	                           "exit\n";
	struct fixture f;

	(void)state;
	fixture_init(&f);
	fixture_add_map(&f, BPF_MAP_TYPE_HASH, 4, 8, 10);
	fill(&f, 1, 10);
	assert_int_equal(fixture_result(&f, code), 10);
	assert_int_equal(kept(&f, 0), 45 * 45);
	assert_int_equal(kept(&f, 8), 45);
	fixture_done(&f);
}

/* ---- arguments ---- */
static void test_wrong(void **state)
{
	struct fixture f;
	struct picket_map *strange;

	(void)state;
	fixture_init(&f);
	fixture_add_map(&f, BPF_MAP_TYPE_HASH, 8, 8, 4);
	fixture_fault(&f, "mov %r1, %r10\nmov %r2, %r10\nadd %r2, -8\ncall map_lookup_elem\nexit\n",
	              PICKET_FAULT_ARGUMENT, 1);
	fixture_fault(&f, "lddw %r1, map[1]\nmov %r2, %r10\nadd %r2, -7\ncall map_lookup_elem\nexit\n",
	              PICKET_FAULT_ARGUMENT, 2);
	fixture_fault(&f, "lddw %r1, map[1]\nmov %r2, 0\ncall map_lookup_elem\nexit\n", PICKET_FAULT_ARGUMENT, 2);
	fixture_fault(&f,
	              "lddw %r1, map[1]\nmov %r2, %r10\nadd %r2, -8\nmov %r3, %r10\nadd %r3, -4\nmov %r4, 0\n"
	              "call map_update_elem\nexit\n",
	              PICKET_FAULT_ARGUMENT, 3);
	fixture_fault(&f, "lddw %r1, map[1]\nmov %r2, 7\nmov %r3, 0\nmov %r4, 0\ncall for_each_map_elem\nexit\n",
	              PICKET_FAULT_ARGUMENT, 2);
	/* A map that is none of the program's. */
	assert_int_equal(picket_map_new(picket_map_spec(f.maps[1]), &strange, NULL), 0);
	f.call.data = &strange;
	f.call.length = sizeof(strange);
	fixture_fault(&f, "ldxdw %r1, [%r1+0]\nmov %r2, %r10\nadd %r2, -8\ncall map_lookup_elem\nexit\n",
	              PICKET_FAULT_ARGUMENT, 1);
	picket_map_free(strange);
	fixture_done(&f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(test_elements), cmocka_unit_test(test_array),       cmocka_unit_test(test_queues),
	        cmocka_unit_test(test_bloom),    cmocka_unit_test(test_percpu),      cmocka_unit_test(test_other_kinds),
	        cmocka_unit_test(test_readonly), cmocka_unit_test(test_inner),       cmocka_unit_test(test_each),
	        cmocka_unit_test(test_each_key), cmocka_unit_test(test_each_nested), cmocka_unit_test(test_wrong),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
