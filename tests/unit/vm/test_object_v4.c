/* SPDX-License-Identifier: Apache-2.0
 *
 * What a compiler makes of C for the fourth version of the instruction set does what C does: in all engines.
 */
#include "object_fixture.h"

#include <errno.h>
#include <limits.h>

#include "base/base.h"

#define FOLDER "tests/vm/objects/v4/"

struct numbers { /* as arithmetic.bpf.c has it */
	long long a, b;
	int c, d;
	short e;
	signed char f;
};

/* RFC 9669, 4.1: divided by 0 is 0, the rest is what was divided; nothing overflows. */
static long long divide(long long a, long long b)
{
	return b == 0 ? 0 : b == -1 ? (long long)-(unsigned long long)a : a / b;
}

static long long rest(long long a, long long b)
{
	return b == 0 ? a : b == -1 ? 0 : a % b;
}

static uint64_t expected_divide(const struct numbers *n)
{
	return (uint64_t)divide(n->a, n->b);
}

static uint64_t expected_rest(const struct numbers *n)
{
	return (uint64_t)rest(n->a, n->b);
}

static uint64_t expected_divide_short(const struct numbers *n)
{
	return (uint32_t)divide(n->c, n->d);
}

static uint64_t expected_rest_short(const struct numbers *n)
{
	return (uint32_t)rest(n->c, n->d);
}

static uint64_t expected_load(const struct numbers *n)
{
	return (uint64_t)((long long)n->c * 1000 + n->e * 100 + n->f);
}

static uint64_t expected_extend(const struct numbers *n)
{
	return (uint64_t)((signed char)n->a + (short)n->a * 3ll + (int)n->a * 5ll);
}

static uint64_t expected_extend_short(const struct numbers *n)
{
	return (uint32_t)((unsigned)(signed char)n->c / 3 + (unsigned)(short)n->c / 5);
}

static uint64_t expected_swap(const struct numbers *n)
{
	return __builtin_bswap64((uint64_t)n->a) ^ __builtin_bswap32((unsigned)n->c) ^
	       __builtin_bswap16((unsigned short)n->e);
}

static uint64_t expected_jump(const struct numbers *n)
{
	return (uint64_t)n->a;
}

static const struct {
	const char *name;
	uint64_t (*expected)(const struct numbers *n);
} functions[] = {
        {"divide", expected_divide},
        {"rest", expected_rest},
        {"divide_short", expected_divide_short},
        {"rest_short", expected_rest_short},
        {"load", expected_load},
        {"extend", expected_extend},
        {"extend_short", expected_extend_short},
        {"swap", expected_swap},
        {"jump", expected_jump},
};

static const struct numbers inputs[] = {
        {100, 7, 100, 7, 5, 6},
        {-100, 7, -100, 7, -5, -6},
        {100, -7, 100, -7, SHRT_MIN, SCHAR_MIN},
        {-100, -7, -100, -7, SHRT_MAX, SCHAR_MAX},
        {LLONG_MIN, -1, INT_MIN, -1, -1, -1},
        {LLONG_MIN, 0, INT_MIN, 0, 0, 0},
        {LLONG_MAX, LLONG_MIN, INT_MAX, INT_MIN, 1, 1},
        {0x0123456789abcdef, 0x8000, 0x1234abcd, 0x80, 0x1234, 0x12},
        {-1, 1ll << 32, -1, 1 << 16, -1, -1},
};

/* -EOPNOTSUPP: not on this machine. */
static int open_for(enum picket_engine engine, struct picket_object **ret_object)
{
	struct picket_options options = {.engine = engine};
	struct picket_error error = {0};
	int r = picket_object_open_file(FOLDER "arithmetic.o", &options, ret_object, &error);

	if (r && r != -EOPNOTSUPP)
		fail_msg("%s (run this from the project's root)", error.text);
	return r;
}

static void check_engine(enum picket_engine engine)
{
	struct picket_object *o;

	if (open_for(engine, &o))
		skip();
	assert_int_equal(picket_object_program_count(o), ARRAY_SIZE(functions));
	for (size_t f = 0; f < ARRAY_SIZE(functions); f++) {
		struct picket_program *p = picket_object_program(o, functions[f].name);
		assert_non_null(p);
		for (size_t i = 0; i < ARRAY_SIZE(inputs); i++) {
			struct numbers n = inputs[i];
			struct picket_call call = {.data = &n, .length = sizeof(n)};
			assert_int_equal(picket_program_run(p, &call), 0);
			if (call.result != functions[f].expected(&inputs[i]))
				fail_msg("%s of input %zu: %#llx, not %#llx", functions[f].name, i,
				         (unsigned long long)call.result,
				         (unsigned long long)functions[f].expected(&inputs[i]));
		}
	}
	picket_object_free(o);
}

static void test_interpreter(void **state)
{
	(void)state;
	check_engine(PICKET_INTERPRETER);
}

static void test_checked(void **state)
{
	(void)state;
	check_engine(PICKET_CHECKED);
}

static void test_verified(void **state)
{
	(void)state;
	check_engine(PICKET_VERIFIED);
}

/* ---- the object is of its source ---- */
/* A line of a text, without its end; false: it has fewer. */
static bool line_of(const struct buf *text, unsigned number, struct str *ret_line)
{
	struct str left = str_make(text->data, text->length);

	while (number-- > 0)
		if (!str_next(&left, '\n', ret_line))
			return false;
	return true;
}

static void test_is_of_its_source(void **state)
{
	struct picket_object *o;
	struct buf source;

	(void)state;
	buf_init(&source, OBJECT_BYTES_MAX);
	assert_int_equal(file_read(FOLDER "arithmetic.bpf.c", &source), 0);
	assert_int_equal(open_for(PICKET_INTERPRETER, &o), 0);
	for (size_t i = 0; i < picket_object_program_count(o); i++) {
		struct picket_program *p = picket_object_program_at(o, i);
		const char *file, *text;
		unsigned line, column;
		struct str expected;
		assert_true(picket_program_line(p, 0, &file, &line, &column, &text));
		assert_string_equal(file, "./arithmetic.bpf.c");
		if (!line_of(&source, line, &expected) || !str_equals(expected, text))
			fail_msg("line %u was \"%s\": make arithmetic.o again, as its source says", line, text);
	}
	picket_object_free(o);
	buf_done(&source);
}

/* Each of the instructions that it is there for is there. */
static void test_has_all(void **state)
{
	static const char *const mnemonics[] = {
	        "sdiv ",     "sdiv32",    "smod ",    "smod32",    "ldxsb",   "ldxsh",   "ldxsw",   "movsx864",
	        "movsx1664", "movsx3264", "movsx832", "movsx1632", "bswap16", "bswap32", "bswap64", "ja32",
	};
	bool seen[ARRAY_SIZE(mnemonics)] = {false};
	struct picket_object *o;

	(void)state;
	assert_int_equal(open_for(PICKET_INTERPRETER, &o), 0);
	for (size_t i = 0; i < picket_object_program_count(o); i++) {
		char text[PICKET_TEXT_MAX];
		size_t count;
		const struct picket_insn *insns = picket_program_insns(picket_object_program_at(o, i), &count);
		for (size_t at = 0, slots; at < count; at += slots) {
			slots = picket_disassemble(&insns[at], count - at, text, sizeof(text));
			assert_true(slots);
			for (size_t m = 0; m < ARRAY_SIZE(mnemonics); m++)
				seen[m] |= strncmp(text, mnemonics[m], strlen(mnemonics[m])) == 0;
		}
	}
	for (size_t m = 0; m < ARRAY_SIZE(mnemonics); m++)
		if (!seen[m])
			fail_msg("%s is nowhere in it", mnemonics[m]);
	picket_object_free(o);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(test_interpreter), cmocka_unit_test(test_checked),
	        cmocka_unit_test(test_verified),    cmocka_unit_test(test_is_of_its_source),
	        cmocka_unit_test(test_has_all),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
