/* SPDX-License-Identifier: Apache-2.0
 *
 * Numbers sought among many: against a loop over all of them.
 */
#include "code_text_helper.h"

#define NUMBER 0 /* where map 0 has it; the results behind, as for texts */
#define BITS 1024
#define NUMBERS_MAX 2000
#define FULL (~0ull)

struct sought {
	struct stage stage;
	struct code code;
	struct engines engines;
	uint64_t insn_bound;
	const struct code_number *numbers;
	size_t count;
};

static void sought_done(struct sought *s)
{
	engines_done(&s->engines);
	code_done(&s->code);
	stage_done(&s->stage);
}

/* The program returns the number, which must be as it was. */
static struct sought seek(const struct code_number *numbers, size_t count)
{
	struct sought s = {.stage = stage_make(), .numbers = numbers, .count = count};
	struct picket_verdict *verdict;

	code_init(&s.code, true);
	code_map_value(&s.code, 7, 0, 0);
	code_load(&s.code, BPF_DW, 1, 7, NUMBER);
	code_numbers(&s.code, numbers, count, STAGE_RESULTS);
	code_alu_reg(&s.code, BPF_MOV, 0, 1);
	code_exit(&s.code);
	assert_int_equal(code_finish(&s.code), 0);
	verdict = code_verify(&s.code, s.stage.specs, s.stage.count);
	s.insn_bound = verdict->insn_bound;
	picket_verdict_free(verdict);
	s.engines = engines_load(&s.code, s.stage.maps, s.stage.count);
	return s;
}

/* Bits that are there before stay, and no others than the number's come. */
static void try(const struct sought *s, int64_t number, uint64_t before)
{
	uint64_t expected[BITS / 64], got[BITS / 64];

	for (size_t i = 0; i < BITS / 64; i++)
		expected[i] = before;
	for (size_t i = 0; i < s->count; i++)
		if (s->numbers[i].number == number)
			expected[s->numbers[i].bit / 64] |= 1ull << s->numbers[i].bit % 64;
	for (size_t engine = 0; engine < ENGINES; engine++) {
		if (!s->engines.programs[engine])
			continue;
		for (size_t i = 0; i < BITS / 64; i++)
			memcpy(s->stage.memory + STAGE_RESULTS + i * 8, &before, 8);
		memcpy(s->stage.memory + NUMBER, &number, 8);
		assert_int_equal(engine_run(s->engines.programs[engine], NULL, 0), number);
		memcpy(got, s->stage.memory + STAGE_RESULTS, sizeof(got));
		assert_memory_equal(got, expected, sizeof(got));
	}
}

/* Each number, and those beside it; what only the low or the high half of it is; and the extremes. */
static void try_all(const struct code_number *numbers, size_t count)
{
	static const int64_t others[] = {
	        0,          1,         -1,       INT32_MIN, INT32_MAX, (int64_t)INT32_MIN - 1, (int64_t)INT32_MAX + 1,
	        UINT32_MAX, INT64_MIN, INT64_MAX};
	_cleanup_(sought_done) struct sought s = seek(numbers, count);

	for (size_t i = 0; i < count; i++) {
		uint64_t number = (uint64_t)numbers[i].number;

		for (uint64_t beside = number - 1; beside != number + 2; beside++)
			try(&s, (int64_t)beside, 0);
		try(&s, (int32_t)number, 0);
		try(&s, (uint32_t)number, 0);
		try(&s, (int64_t)(number ^ 1ull << 63), 0);
		try(&s, (int64_t)(number ^ 1ull << 32), 0);
	}
	for (size_t i = 0; i < ARRAY_SIZE(others); i++) {
		try(&s, others[i], 0);
		try(&s, others[i], 0x5555555555555555);
		try(&s, others[i], FULL);
	}
}

static void test_none(void **state)
{
	(void)state;
	try_all(NULL, 0);
}

static void test_one(void **state)
{
	static const int64_t numbers[] = {0,
	                                  1,
	                                  -1,
	                                  22,
	                                  INT32_MIN,
	                                  INT32_MAX,
	                                  (int64_t)INT32_MIN - 1,
	                                  (int64_t)INT32_MAX + 1,
	                                  UINT32_MAX,
	                                  INT64_MIN,
	                                  INT64_MAX};
	static const uint32_t bits[] = {0, 31, 32, 63, 64, BITS - 1};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(numbers); i++)
		for (size_t k = 0; k < ARRAY_SIZE(bits); k++)
			try_all(&(struct code_number){numbers[i], bits[k]}, 1);
}

static void test_extremes(void **state)
{
	static const struct code_number numbers[] = {
	        {INT64_MIN, 3},   {(int64_t)INT32_MIN - 1, 100}, {INT32_MIN, 31}, {-1, 0},          {0, 64}, {1, 63},
	        {INT32_MAX, 200}, {(int64_t)INT32_MAX + 1, 32},  {UINT32_MAX, 5}, {INT64_MAX, 1023}};

	(void)state;
	for (size_t first = 0; first < ARRAY_SIZE(numbers); first++)
		for (size_t count = 1; first + count <= ARRAY_SIZE(numbers); count++)
			try_all(numbers + first, count);
}

/* Of one number: in one half of a word, in both, in words apart; at the beginning, inside, at the end, and alone. */
static void test_equal(void **state)
{
	static const struct code_number numbers[] = {{-5, 0},  {-5, 1},   {-5, 31}, {-5, 32}, {-5, 63},
	                                             {-5, 64}, {2, 7},    {7, 2},   {7, 33},  {7, 34},
	                                             {7, 500}, {7, 1000}, {8, 90},  {9, 91},  {9, 92}};

	(void)state;
	for (size_t first = 0; first < ARRAY_SIZE(numbers); first++)
		for (size_t count = 1; first + count <= ARRAY_SIZE(numbers); count++)
			try_all(numbers + first, count);
}

static int by_number(const void *a, const void *b)
{
	const struct code_number *x = a, *y = b;

	if (x->number != y->number)
		return x->number < y->number ? -1 : 1;
	return (x->bit > y->bit) - (x->bit < y->bit);
}

static void test_random(void **state)
{
	static struct code_number numbers[40];

	(void)state;
	for (uint64_t round = rounds(60); round > 0; round--) {
		size_t count = chance_below(ARRAY_SIZE(numbers) + 1);
		unsigned shift = (unsigned)chance_below(64);

		for (size_t i = 0; i < count; i++)
			numbers[i] = (struct code_number){(int64_t)(chance() << 16 ^ chance()) >> shift,
			                                  (uint32_t)chance_below(BITS)};
		qsort(numbers, count, sizeof(*numbers), by_number);
		try_all(numbers, count);
	}
}

/* Twice as many numbers are one more comparison, which is 3 instructions if it is with 8 bytes. */
static void test_depth(void **state)
{
	static struct code_number numbers[NUMBERS_MAX];
	uint64_t before = 0;

	(void)state;
	for (size_t i = 0; i < NUMBERS_MAX; i++)
		numbers[i] = (struct code_number){((int64_t)i - NUMBERS_MAX / 2) * 4294967296, (uint32_t)i % BITS};
	for (size_t count = 1; count <= NUMBERS_MAX; count *= 2) {
		_cleanup_(sought_done) struct sought s = seek(numbers, count);

		if (before)
			assert_in_range(s.insn_bound, before, before + 3);
		before = s.insn_bound;
		try(&s, numbers[0].number, 0);
		try(&s, numbers[count - 1].number, 0);
		try(&s, numbers[count / 2].number, FULL - 1);
		try(&s, numbers[count / 2].number + 1, 0);
	}
}

/* An error from before stays, and nothing is written behind it. */
static void test_after_error(void **state)
{
	static const struct code_number numbers[] = {{1, 1}, {2, 2}};
	_cleanup_(code_done) struct code c;

	(void)state;
	code_init(&c, false);
	code_fail(&c, -ENOMEM);
	code_numbers(&c, numbers, ARRAY_SIZE(numbers), 0);
	assert_int_equal(c.count, 0);
	assert_int_equal(code_finish(&c), -ENOMEM);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(test_none),        cmocka_unit_test(test_one),    cmocka_unit_test(test_extremes),
	        cmocka_unit_test(test_equal),       cmocka_unit_test(test_random), cmocka_unit_test(test_depth),
	        cmocka_unit_test(test_after_error),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
