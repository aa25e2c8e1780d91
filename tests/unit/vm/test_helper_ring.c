/* SPDX-License-Identifier: Apache-2.0 */
#include "helper_fixture.h"

/* map[1] is a ring buffer of a page. */
#define RESERVE(size, flags) \
	"lddw %r1, map[1]\n" \
	"mov %r2, " size "\n" \
	"mov %r3, " flags "\n" \
	"call ringbuf_reserve\n"
#define END(how, flags) \
	"mov %r2, " flags "\n" \
	"call ringbuf_" how "\n"
#define OUTPUT(size, flags) \
	"lddw %r1, map[1]\n" \
	"lddw %r2, map_value[0]\n" \
	"mov %r3, " size "\n" \
	"mov %r4, " flags "\n" \
	"call ringbuf_output\n"
#define QUERY(flag) \
	"lddw %r1, map[1]\n" \
	"mov %r2, " flag "\n" \
	"call ringbuf_query\n"
#define KEEP(at) \
	"lddw %r9, map_value[0]\n" \
	"stxdw [%r9+" at "], %r0\n"
#define EXIT "exit\n"

#define RECORDS_MAX 32
struct records {
	size_t count;
	uint8_t bytes[RECORDS_MAX][16];
	size_t lengths[RECORDS_MAX];
};

static int64_t kept(const struct fixture *f, size_t at)
{
	int64_t value;

	memcpy(&value, f->buffer + at, 8);
	return value;
}

static int take_record(const void *record, size_t length, void *user)
{
	struct records *r = user;

	assert_true(r->count < RECORDS_MAX);
	r->lengths[r->count] = length;
	memcpy(r->bytes[r->count++], record, MIN(length, sizeof(r->bytes[0])));
	return 0;
}

static struct records take_records(struct fixture *f)
{
	struct records r = {0};

	picket_map_ring_consume(f->maps[1], take_record, &r, 1000);
	return r;
}

static void init(struct fixture *f)
{
	fixture_init(f);
	fixture_add_map(f, BPF_MAP_TYPE_RINGBUF, 0, 0, 4096);
}

static void test_submit(void **state)
{
	struct fixture f;
	struct records r;

	(void)state;
	init(&f);
	fixture_as_kernel(&f, CODE(RESERVE("16", "0"),
	                           "jne %r0, 0, +1\n"
	                           "exit\n"
	                           "mov %r6, %r0\n"
	                           "stdw [%r6+0], 7\n"
	                           "stdw [%r6+8], 8\n"
	                           "mov %r1, %r6\n",
	                           END("submit", "0"), "mov %r0, 0\n", EXIT));
	r = take_records(&f);
	assert_true(r.count > 0);
	assert_int_equal(r.lengths[0], 16);
	assert_memory_equal(r.bytes[0], "\7\0\0\0\0\0\0\0\10\0\0\0\0\0\0\0", 16);
	fixture_done(&f);
}

static void test_discard(void **state)
{
	struct fixture f;

	(void)state;
	init(&f);
	fixture_as_kernel(&f, CODE(RESERVE("16", "0"),
	                           "jne %r0, 0, +1\n"
	                           "exit\n"
	                           "mov %r1, %r0\n",
	                           END("discard", "1"), "mov %r0, 0\n", EXIT));
	assert_int_equal(take_records(&f).count, 0);
	fixture_done(&f);
}

static void test_output(void **state)
{
	struct fixture f;
	struct records r;

	(void)state;
	init(&f);
	memcpy(f.buffer, "sixteen bytes...", 16);
	fixture_as_kernel(&f, CODE(OUTPUT("16", "0"), KEEP("512"), OUTPUT("0", "2"), KEEP("520"), OUTPUT("16", "4"),
	                           KEEP("528"), OUTPUT("1", "1"), KEEP("536"), "mov %r0, 0\n", EXIT));
	assert_int_equal(kept(&f, 512), 0);
	assert_int_equal(kept(&f, 520), 0);
	assert_int_equal(kept(&f, 528), -EINVAL);
	assert_int_equal(kept(&f, 536), 0);
	r = take_records(&f);
	assert_int_equal(r.count % 3, 0);
	assert_int_equal(r.lengths[0], 16);
	assert_memory_equal(r.bytes[0], "sixteen bytes...", 16);
	assert_int_equal(r.lengths[1], 0);
	assert_int_equal(r.lengths[2], 1);
	fixture_done(&f);
}

static void test_full(void **state)
{
	const char *code = CODE("mov %r7, 0\n"
	                        "next:\n",
	                        OUTPUT("504", "0"),
	                        "jne %r0, 0, out\n"
	                        "add %r7, 1\n"
	                        "jlt %r7, 20, next\n"
	                        "out:\n",
	                        KEEP("512"), RESERVE("504", "0"), KEEP("520"), "mov %r0, %r7\n", EXIT);
	struct fixture f;

	(void)state;
	init(&f);
	for (size_t i = 0; i < ARRAY_SIZE(fixture_engines); i++) {
		struct picket_program *p = fixture_load(&f, fixture_engines[i], code);
		if (!p)
			continue;
		assert_int_equal(fixture_run(&f, p), 0);
		picket_program_free(p);
		assert_int_equal(f.call.result, 7); /* one less than would fit, as in the kernel */
		assert_int_equal(kept(&f, 512), -EAGAIN);
		assert_int_equal(kept(&f, 520), 0);
		assert_int_equal(take_records(&f).count, 7);
	}
	fixture_done(&f);
}

static void test_query(void **state)
{
	struct fixture f;

	(void)state;
	init(&f);
	fixture_as_kernel(&f, CODE(QUERY("1"), KEEP("512"), QUERY("4"), KEEP("520"), QUERY("2"), KEEP("528"),
	                           "mov %r0, 0\n", EXIT));
	assert_int_equal(kept(&f, 512), 4096);
	assert_int_equal(kept(&f, 520), 0);
	assert_int_equal(kept(&f, 528), 0);
	fixture_done(&f);
	init(&f);
	for (size_t i = 0; i < 2; i++) {
		struct picket_program *p =
		        fixture_load(&f, fixture_engines[i],
		                     CODE(OUTPUT("8", "0"), QUERY("0"), KEEP("512"), QUERY("3"), KEEP("520"), EXIT));
		if (!p)
			continue;
		assert_int_equal(fixture_run(&f, p), 0);
		picket_program_free(p);
		assert_int_equal(kept(&f, 512), 16);
		assert_int_equal(kept(&f, 520), 16 * (i + 1));
		take_records(&f);
	}
	fixture_done(&f);
}

static void test_refused(void **state)
{
	struct fixture f;

	(void)state;
	init(&f);
	fixture_result(&f, CODE(RESERVE("8", "1"), EXIT));
	assert_int_equal(f.call.result, 0);
	fixture_result(&f, CODE(RESERVE("5000", "0"), EXIT));
	assert_int_equal(f.call.result, 0);
	fixture_result(&f, CODE(RESERVE("-1", "0"), EXIT));
	assert_int_equal(f.call.result, 0);
	fixture_done(&f);
	/* Another kind of map. */
	fixture_init(&f);
	fixture_add_map(&f, BPF_MAP_TYPE_ARRAY, 4, 8, 1);
	fixture_result(&f, CODE(RESERVE("8", "0"), EXIT));
	assert_int_equal(f.call.result, 0);
	fixture_result(&f, CODE(OUTPUT("8", "0"), EXIT));
	assert_int_equal((int64_t)f.call.result, -EINVAL);
	fixture_result(&f, CODE(QUERY("1"), EXIT));
	assert_int_equal(f.call.result, 0);
	fixture_done(&f);
}

/* ---- what only those who are not verified do ---- */
static void test_wrong_record(void **state)
{
	struct fixture f;

	(void)state;
	init(&f);
	fixture_fault(&f, CODE("lddw %r1, map_value[0]\n", END("submit", "0"), EXIT), PICKET_FAULT_ARGUMENT, 1);
	fixture_fault(&f, CODE("mov %r1, 0\n", END("discard", "0"), EXIT), PICKET_FAULT_ARGUMENT, 1);
	/* Not its beginning; twice. */
	fixture_fault(&f, CODE(RESERVE("16", "0"), "mov %r1, %r0\nadd %r1, 8\n", END("submit", "0"), EXIT),
	              PICKET_FAULT_ARGUMENT, 1);
	fixture_fault(&f,
	              CODE(RESERVE("16", "0"), "mov %r6, %r0\nmov %r1, %r6\n", END("submit", "0"), "mov %r1, %r6\n",
	                   END("discard", "0"), EXIT),
	              PICKET_FAULT_ARGUMENT, 1);
	fixture_done(&f);
}

static void check_fault(const char *text, enum picket_fault_kind kind, size_t records)
{
	struct fixture f;

	init(&f);
	for (size_t i = 0; i < 2; i++) {
		struct picket_program *p = fixture_load(&f, fixture_engines[i], text);
		int r = fixture_run(&f, p);
		picket_program_free(p);
		if (r == -EOPNOTSUPP)
			continue;
		assert_int_equal(r, kind ? -EFAULT : 0);
		assert_int_equal(f.call.fault.kind, kind);
		assert_int_equal(take_records(&f).count, records);
	}
	fixture_done(&f);
}

/* A record is the program's from its first byte to its last one, until it is submitted. */
static void test_reach(void **state)
{
	(void)state;
	check_fault(CODE(RESERVE("12", "0"),
	                 "mov %r6, %r0\n"
	                 "stw [%r6+8], 1\n"
	                 "ldxdw %r0, [%r6+4]\n"
	                 "mov %r1, %r6\n",
	                 END("submit", "0"), EXIT),
	            PICKET_FAULT_NONE, 1);
	check_fault(CODE(RESERVE("12", "0"), "stdw [%r0+8], 1\n", EXIT), PICKET_FAULT_WRITE, 0);
	check_fault(CODE(RESERVE("12", "0"), "stdw [%r0-8], 1\n", EXIT), PICKET_FAULT_WRITE, 0);
	check_fault(CODE(RESERVE("12", "0"),
	                 "mov %r6, %r0\n"
	                 "stw [%r6+0], 1\n"
	                 "mov %r1, %r6\n",
	                 END("submit", "0"), "stw [%r6+0], 2\n", EXIT),
	            PICKET_FAULT_WRITE, 1);
	check_fault(CODE(RESERVE("12", "0"),
	                 "mov %r6, %r0\n"
	                 "ldxw %r0, [%r6+0]\n"
	                 "mov %r1, %r6\n",
	                 END("discard", "0"), "ldxw %r0, [%r6+0]\n", EXIT),
	            PICKET_FAULT_READ, 0);
}

/* What is forgotten is discarded when the run ends, well or not; one run has 16 of them. */
static void test_forgotten(void **state)
{
	const char *many = CODE("mov %r7, 0\n"
	                        "next:\n",
	                        RESERVE("8", "0"),
	                        "jeq %r0, 0, out\n"
	                        "add %r7, 1\n"
	                        "jlt %r7, 30, next\n"
	                        "out:\n"
	                        "mov %r0, %r7\n",
	                        EXIT);
	struct fixture f;

	(void)state;
	check_fault(CODE(RESERVE("12", "0"), RESERVE("8", "0"), EXIT), PICKET_FAULT_NONE, 0);
	check_fault(CODE(RESERVE("12", "0"), "mov %r6, %r0\n", RESERVE("8", "0"), "mov %r1, %r6\n", END("submit", "0"),
	                 "ldxdw %r0, [%r6+0]\n", EXIT),
	            PICKET_FAULT_READ, 1);
	init(&f);
	assert_int_equal(fixture_result(&f, many), VM_RECORDS_MAX);
	/* All room is there again. */
	assert_int_equal(fixture_result(&f, CODE(OUTPUT("1000", "0"), EXIT)), 0);
	fixture_done(&f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(test_submit), cmocka_unit_test(test_discard),      cmocka_unit_test(test_output),
	        cmocka_unit_test(test_full),   cmocka_unit_test(test_query),        cmocka_unit_test(test_refused),
	        cmocka_unit_test(test_reach),  cmocka_unit_test(test_wrong_record), cmocka_unit_test(test_forgotten),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
