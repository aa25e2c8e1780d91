/* SPDX-License-Identifier: Apache-2.0 */
#include "helper_fixture.h"

/* ---- dynptrs of memory: the buffer's 64 bytes at 0. What a helper returns is kept at 512 and on ---- */
#define PROLOGUE "lddw %r6, map_value[0]\n"
#define FROM_MEM(size, flags) \
	"mov %r1, %r6\n" \
	"mov %r2, " size "\n" \
	"mov %r3, " flags "\n" \
	"mov %r4, %r10\n" \
	"add %r4, -16\n" \
	"call dynptr_from_mem\n"
#define READ(to, length, offset, flags) \
	"mov %r1, %r6\n" \
	"add %r1, " to "\n" \
	"mov %r2, " length "\n" \
	"mov %r3, %r10\n" \
	"add %r3, -16\n" \
	"mov %r4, " offset "\n" \
	"mov %r5, " flags "\n" \
	"call dynptr_read\n"
#define WRITE(offset, from, length, flags) \
	"mov %r1, %r10\n" \
	"add %r1, -16\n" \
	"mov %r2, " offset "\n" \
	"mov %r3, %r6\n" \
	"add %r3, " from "\n" \
	"mov %r4, " length "\n" \
	"mov %r5, " flags "\n" \
	"call dynptr_write\n"
#define DATA(offset, length) \
	"mov %r1, %r10\n" \
	"add %r1, -16\n" \
	"mov %r2, " offset "\n" \
	"mov %r3, " length "\n" \
	"call dynptr_data\n"
#define KEEP(at) "stxdw [%r6+" at "], %r0\n"
#define EXIT "exit\n"

static void fill(struct fixture *f)
{
	for (size_t i = 0; i < 256; i++)
		f->buffer[i] = (uint8_t)(i + 1);
}

static int64_t kept(const struct fixture *f, size_t at)
{
	int64_t value;

	memcpy(&value, f->buffer + at, 8);
	return value;
}

static void test_mem(void **state)
{
	struct fixture f;

	(void)state;
	fixture_init(&f);
	fill(&f);
	fixture_as_kernel(&f, CODE(PROLOGUE, FROM_MEM("64", "0"), KEEP("512"), READ("256", "16", "48", "0"),
	                           KEEP("520"), WRITE("8", "128", "8", "0"), KEEP("528"), READ("272", "8", "8", "0"),
	                           KEEP("536"), EXIT));
	assert_int_equal(kept(&f, 512), 0);
	assert_int_equal(kept(&f, 520), 0);
	assert_int_equal(f.buffer[256], 49);
	assert_int_equal(f.buffer[271], 64);
	assert_int_equal(f.buffer[8], 129);
	assert_int_equal(f.buffer[279], 136);
	fixture_done(&f);
}

static void test_bounds(void **state)
{
	struct fixture f;

	(void)state;
	fixture_init(&f);
	fill(&f);
	fixture_as_kernel(&f, CODE(PROLOGUE, FROM_MEM("64", "0"), READ("256", "16", "49", "0"), KEEP("512"),
	                           READ("256", "1", "64", "0"), KEEP("520"), READ("256", "0", "64", "0"), KEEP("528"),
	                           READ("256", "65", "0", "0"), KEEP("536"), READ("256", "16", "0", "1"), KEEP("544"),
	                           WRITE("60", "128", "5", "0"), KEEP("552"), WRITE("0", "128", "4", "1"), KEEP("560"),
	                           EXIT));
	assert_int_equal(kept(&f, 512), -E2BIG);
	assert_int_equal(kept(&f, 520), -E2BIG);
	assert_int_equal(kept(&f, 528), 0);
	assert_int_equal(kept(&f, 536), -E2BIG);
	assert_int_equal(kept(&f, 544), -EINVAL);
	assert_int_equal(kept(&f, 552), -E2BIG);
	assert_int_equal(kept(&f, 560), -EINVAL);
	assert_int_equal(f.buffer[256], 0);
	assert_int_equal(f.buffer[0], 1);
	fixture_done(&f);
}

static void test_data(void **state)
{
	struct fixture f;

	(void)state;
	fixture_init(&f);
	fill(&f);
	fixture_as_kernel(&f, CODE(PROLOGUE, FROM_MEM("64", "0"), DATA("60", "4"),
	                           "jeq %r0, 0, none\n"
	                           "stw [%r0+0], -1\n"
	                           "none:\n",
	                           DATA("61", "4"), KEEP("512"), DATA("65", "0"), KEEP("520"), "mov %r0, 0\n", EXIT));
	assert_int_equal(f.buffer[59], 60);
	assert_int_equal(f.buffer[60], 0xff);
	assert_int_equal(f.buffer[63], 0xff);
	assert_int_equal(f.buffer[64], 65);
	assert_int_equal(kept(&f, 512), 0);
	assert_int_equal(kept(&f, 520), 0);
	fixture_done(&f);
}

/* One that could not be made is a null one: it may be asked, and gives nothing. */
static void test_null(void **state)
{
	struct fixture f;

	(void)state;
	fixture_init(&f);
	fixture_as_kernel(&f, CODE(PROLOGUE, FROM_MEM("64", "1"), KEEP("512"), READ("256", "1", "0", "0"), KEEP("520"),
	                           WRITE("0", "128", "1", "0"), KEEP("528"), DATA("0", "1"), KEEP("536"), EXIT));
	assert_int_equal(kept(&f, 512), -EINVAL);
	assert_int_equal(kept(&f, 520), -EINVAL);
	assert_int_equal(kept(&f, 528), -EINVAL);
	assert_int_equal(kept(&f, 536), 0);
	fixture_done(&f);
}

static void test_large(void **state)
{
	static uint8_t region[1 << 25];
	struct picket_region regions[] = {{region, sizeof(region), true}};
	static const char code[] = "mov %%r6, %%r1\n"
	                           "ldxdw %%r1, [%%r6+0]\n"
	                           "mov %%r2, %u\n"
	                           "mov %%r3, 0\n"
	                           "mov %%r4, %%r10\n"
	                           "add %%r4, -16\n"
	                           "call dynptr_from_mem\n"
	                           "exit\n";
	uint64_t context = (uintptr_t)region;
	struct fixture f;
	char text[512];

	(void)state;
	fixture_init(&f);
	f.call = (struct picket_call){
	        .data = &context, .length = sizeof(context), .regions = regions, .region_count = 1};
	snprintf(text, sizeof(text), code, (1u << 24) - 1);
	assert_int_equal((int)fixture_result(&f, text), 0);
	snprintf(text, sizeof(text), code, 1u << 24);
	assert_int_equal((int)fixture_result(&f, text), -E2BIG);
	fixture_done(&f);
}

/* ---- what a program can do to the 16 bytes ---- */
static void test_forged(void **state)
{
	struct fixture f;

	(void)state;
	fixture_init(&f);
	fixture_fault(&f, CODE(PROLOGUE, READ("256", "1", "0", "0"), EXIT), PICKET_FAULT_ARGUMENT, 3);
	fixture_fault(&f, CODE(PROLOGUE, FROM_MEM("64", "0"), "stb [%r10-16], 0\n", READ("256", "1", "0", "0"), EXIT),
	              PICKET_FAULT_ARGUMENT, 3);
	fixture_fault(&f,
	              CODE(PROLOGUE, FROM_MEM("64", "0"), "stb [%r10-1], 0x7f\n", WRITE("0", "256", "1", "0"), EXIT),
	              PICKET_FAULT_ARGUMENT, 1);
	/* A copy is none, not even where one has been. */
	fixture_fault(&f,
	              CODE(PROLOGUE, FROM_MEM("64", "0"),
	                   "ldxdw %r1, [%r10-16]\n"
	                   "ldxdw %r2, [%r10-8]\n"
	                   "stxdw [%r10-32], %r1\n"
	                   "stxdw [%r10-24], %r2\n"
	                   "mov %r1, %r10\n"
	                   "add %r1, -32\n"
	                   "mov %r2, 0\n"
	                   "mov %r3, 1\n"
	                   "call dynptr_data\n",
	                   EXIT),
	              PICKET_FAULT_ARGUMENT, 1);
	/* Outside of the stack, at an odd address, not wholly on it. */
	fixture_fault(
	        &f, CODE(PROLOGUE, "mov %r1, %r6\nmov %r2, 8\nmov %r3, 0\nmov %r4, %r6\ncall dynptr_from_mem\n", EXIT),
	        PICKET_FAULT_ARGUMENT, 4);
	fixture_fault(&f,
	              CODE(PROLOGUE,
	                   "mov %r1, %r6\nmov %r2, 8\nmov %r3, 0\nmov %r4, %r10\nadd %r4, -20\n"
	                   "call dynptr_from_mem\n",
	                   EXIT),
	              PICKET_FAULT_ARGUMENT, 4);
	fixture_fault(&f,
	              CODE(PROLOGUE,
	                   "mov %r1, %r6\nmov %r2, 8\nmov %r3, 0\nmov %r4, %r10\nadd %r4, -8\n"
	                   "call dynptr_from_mem\n",
	                   EXIT),
	              PICKET_FAULT_ARGUMENT, 4);
	fixture_done(&f);
}

/* Its own 16 bytes are its memory: writing through it ends it. */
static void test_of_itself(void **state)
{
	struct fixture f;

	(void)state;
	fixture_init(&f);
	fixture_fault(&f,
	              CODE(PROLOGUE,
	                   "mov %r1, %r10\nadd %r1, -16\nmov %r2, 16\nmov %r3, 0\nmov %r4, %r1\n"
	                   "call dynptr_from_mem\n",
	                   WRITE("0", "0", "16", "0"), READ("256", "1", "0", "0"), EXIT),
	              PICKET_FAULT_ARGUMENT, 3);
	fixture_done(&f);
}

/* The same place again and again takes one entry; others are full at 16, until they are written over. */
static void test_many(void **state)
{
	const char *again = CODE(PROLOGUE,
	                         "mov %r7, 0\n"
	                         "next:\n",
	                         FROM_MEM("64", "0"),
	                         "jne %r0, 0, out\n"
	                         "add %r7, 1\n"
	                         "jlt %r7, 100, next\n"
	                         "out:\n"
	                         "mov %r0, %r7\n",
	                         EXIT);
	const char *places = CODE(PROLOGUE,
	                          "mov %r7, 0\n"
	                          "mov %r8, %r10\n"
	                          "next:\n"
	                          "add %r8, -16\n"
	                          "mov %r1, %r6\n"
	                          "mov %r2, 8\n"
	                          "mov %r3, 0\n"
	                          "mov %r4, %r8\n"
	                          "call dynptr_from_mem\n"
	                          "jne %r0, 0, out\n"
	                          "add %r7, 1\n"
	                          "jlt %r7, 20, next\n"
	                          "out:\n",
	                          KEEP("512"), "mov %r0, %r7\n", EXIT);
	const char *swept = CODE(PROLOGUE,
	                         "mov %r7, 0\n"
	                         "mov %r8, %r10\n"
	                         "next:\n"
	                         "add %r8, -16\n"
	                         "mov %r1, %r6\n"
	                         "mov %r2, 8\n"
	                         "mov %r3, 0\n"
	                         "mov %r4, %r8\n"
	                         "call dynptr_from_mem\n"
	                         "stdw [%r8+0], 0\n"
	                         "jne %r0, 0, out\n"
	                         "add %r7, 1\n"
	                         "jlt %r7, 20, next\n"
	                         "out:\n"
	                         "mov %r0, %r7\n",
	                         EXIT);
	struct fixture f;

	(void)state;
	fixture_init(&f);
	assert_int_equal(fixture_result(&f, again), 100);
	assert_int_equal(fixture_result(&f, places), VM_DYNPTRS_MAX);
	assert_int_equal(kept(&f, 512), -ENOMEM);
	assert_int_equal(fixture_result(&f, swept), 20);
	fixture_done(&f);
}

/* ---- of a ring buffer: map[1] ---- */
#define RESERVE(size, flags) \
	"lddw %r1, map[1]\n" \
	"mov %r2, " size "\n" \
	"mov %r3, " flags "\n" \
	"mov %r4, %r10\n" \
	"add %r4, -16\n" \
	"call ringbuf_reserve_dynptr\n"
#define END(how) \
	"mov %r1, %r10\n" \
	"add %r1, -16\n" \
	"mov %r2, 0\n" \
	"call ringbuf_" how "_dynptr\n"

struct records {
	size_t count;
	uint8_t bytes[64];
	size_t length;
};

static int take_record(const void *record, size_t length, void *user)
{
	struct records *r = user;

	r->count++;
	r->length = length;
	memcpy(r->bytes, record, MIN(length, sizeof(r->bytes)));
	return 0;
}

static struct records records_of(struct fixture *f, uint32_t map)
{
	struct records r = {0};

	picket_map_ring_consume(f->maps[map], take_record, &r, 100);
	return r;
}

static size_t engines_run(struct fixture *f)
{
	size_t count = 0;

	for (size_t i = 0; i < ARRAY_SIZE(fixture_engines); i++) {
		struct picket_program *p = fixture_load(f, fixture_engines[i], "mov %r0, 0\nexit\n");
		count += p != NULL;
		picket_program_free(p);
	}
	return count;
}

static void test_ring(void **state)
{
	struct fixture f;
	struct records r;

	(void)state;
	fixture_init(&f);
	fixture_add_map(&f, BPF_MAP_TYPE_RINGBUF, 0, 0, 4096);
	memcpy(f.buffer, "record", 6);
	fixture_as_kernel(&f, CODE(PROLOGUE, RESERVE("12", "0"), KEEP("512"), WRITE("4", "0", "6", "0"), KEEP("520"),
	                           WRITE("7", "0", "6", "0"), KEEP("528"), END("submit"), RESERVE("8", "0"),
	                           END("discard"), "mov %r0, 0\n", EXIT));
	assert_int_equal(kept(&f, 512), 0);
	assert_int_equal(kept(&f, 520), 0);
	assert_int_equal(kept(&f, 528), -E2BIG);
	r = records_of(&f, 1);
	assert_int_equal(r.count, engines_run(&f));
	assert_int_equal(r.length, 12);
	assert_memory_equal(r.bytes + 4, "record", 6);
	fixture_done(&f);
}

static void test_ring_data(void **state)
{
	struct fixture f;
	struct records r;

	(void)state;
	fixture_init(&f);
	fixture_add_map(&f, BPF_MAP_TYPE_RINGBUF, 0, 0, 4096);
	fixture_as_kernel(&f, CODE(PROLOGUE, RESERVE("8", "0"), DATA("4", "4"),
	                           "jeq %r0, 0, none\n"
	                           "stw [%r0+0], 0x12345678\n"
	                           "none:\n",
	                           END("submit"), "mov %r0, 0\n", EXIT));
	r = records_of(&f, 1);
	assert_int_equal(r.length, 8);
	assert_memory_equal(r.bytes + 4, "\x78\x56\x34\x12", 4);
	fixture_done(&f);
}

/* What could not be reserved is ended like what could. */
static void test_ring_fails(void **state)
{
	struct fixture f;

	(void)state;
	fixture_init(&f);
	fixture_add_map(&f, BPF_MAP_TYPE_RINGBUF, 0, 0, 4096);
	fixture_as_kernel(&f, CODE(PROLOGUE, RESERVE("8192", "0"), KEEP("512"), END("submit"), RESERVE("8", "1"),
	                           KEEP("520"), READ("256", "1", "0", "0"), KEEP("528"), END("discard"),
	                           RESERVE("0x1000000", "0"), KEEP("536"), END("discard"), "mov %r0, 0\n", EXIT));
	assert_int_equal(kept(&f, 512), -EINVAL);
	assert_int_equal(kept(&f, 520), -EINVAL);
	assert_int_equal(kept(&f, 528), -EINVAL);
	assert_int_equal(kept(&f, 536), -E2BIG);
	assert_int_equal(records_of(&f, 1).count, 0);
	fixture_done(&f);
}

static void test_ring_wrong(void **state)
{
	struct fixture f;

	(void)state;
	fixture_init(&f);
	fixture_add_map(&f, BPF_MAP_TYPE_RINGBUF, 0, 0, 4096);
	/* Twice; one of memory; after the end. */
	fixture_fault(&f, CODE(PROLOGUE, RESERVE("8", "0"), END("submit"), END("submit"), EXIT), PICKET_FAULT_ARGUMENT,
	              1);
	fixture_fault(&f, CODE(PROLOGUE, FROM_MEM("8", "0"), END("submit"), EXIT), PICKET_FAULT_ARGUMENT, 1);
	fixture_fault(&f, CODE(PROLOGUE, RESERVE("8", "0"), END("discard"), READ("256", "1", "0", "0"), EXIT),
	              PICKET_FAULT_ARGUMENT, 3);
	/* One that could not be reserved, twice. */
	fixture_fault(&f, CODE(PROLOGUE, RESERVE("8192", "0"), END("submit"), END("submit"), EXIT),
	              PICKET_FAULT_ARGUMENT, 1);
	fixture_done(&f);
}

/* A record that was submitted by its address is out of the dynptr's reach, and a forgotten one is discarded. */
static void test_ring_behind(void **state)
{
	struct fixture f;

	(void)state;
	fixture_init(&f);
	fixture_add_map(&f, BPF_MAP_TYPE_RINGBUF, 0, 0, 4096);
	for (size_t i = 0; i < ARRAY_SIZE(fixture_engines); i++) {
		struct picket_program *p;
		if (fixture_engines[i] == PICKET_VERIFIED)
			continue;
		p = fixture_load(&f, fixture_engines[i],
		                 CODE(PROLOGUE, RESERVE("8", "0"), DATA("0", "8"),
		                      "mov %r1, %r0\n"
		                      "mov %r2, 0\n"
		                      "call ringbuf_submit\n",
		                      WRITE("0", "0", "4", "0"), KEEP("512"), RESERVE("16", "0"), "mov %r0, 0\n",
		                      EXIT));
		if (!p)
			continue;
		assert_int_equal(fixture_run(&f, p), 0);
		picket_program_free(p);
		assert_int_equal(kept(&f, 512), -EINVAL);
		assert_int_equal(records_of(&f, 1).count, 1);
	}
	fixture_done(&f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(test_mem),         cmocka_unit_test(test_bounds),
	        cmocka_unit_test(test_data),        cmocka_unit_test(test_null),
	        cmocka_unit_test(test_large),       cmocka_unit_test(test_forged),
	        cmocka_unit_test(test_of_itself),   cmocka_unit_test(test_many),
	        cmocka_unit_test(test_ring),        cmocka_unit_test(test_ring_data),
	        cmocka_unit_test(test_ring_fails),  cmocka_unit_test(test_ring_wrong),
	        cmocka_unit_test(test_ring_behind),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
