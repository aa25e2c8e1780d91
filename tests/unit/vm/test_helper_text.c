/* SPDX-License-Identifier: Apache-2.0 */
#include "helper_fixture.h"

#define ROUNDS 3000

static uint32_t random_state = 1;

static uint32_t random_below(uint32_t limit)
{
	random_state = random_state * 1664525 + 1013904223;
	return (random_state >> 8) % limit;
}

/* ---- strtol, strtoul: text at 0, its length at 64, flags at 72, the number at 80 ---- */
static const char strtol_code[] = "lddw %r6, map_value[0]\n"
                                  "mov %r1, %r6\n"
                                  "ldxdw %r2, [%r6+64]\n"
                                  "and %r2, 63\n"
                                  "add %r2, 1\n"
                                  "ldxdw %r3, [%r6+72]\n"
                                  "mov %r4, %r6\n"
                                  "add %r4, 80\n"
                                  "call strtol\n"
                                  "exit\n";
static const char strtoul_code[] = "lddw %r6, map_value[0]\n"
                                   "mov %r1, %r6\n"
                                   "ldxdw %r2, [%r6+64]\n"
                                   "and %r2, 63\n"
                                   "add %r2, 1\n"
                                   "ldxdw %r3, [%r6+72]\n"
                                   "mov %r4, %r6\n"
                                   "add %r4, 80\n"
                                   "call strtoul\n"
                                   "exit\n";

static void set_text(struct fixture *f, const char *text, size_t length, uint64_t flags)
{
	const uint64_t last = length - 1, untouched = 0x5555;

	memset(f->buffer, 0, 64);
	memcpy(f->buffer, text, length);
	memcpy(f->buffer + 64, &last, 8);
	memcpy(f->buffer + 72, &flags, 8);
	memcpy(f->buffer + 80, &untouched, 8);
}

static uint64_t number_of(const struct fixture *f)
{
	uint64_t number;

	memcpy(&number, f->buffer + 80, 8);
	return number;
}

struct number_case {
	const char *text;
	uint64_t flags;
	int result;
	uint64_t number;
};

static void check_numbers(const char *code, const struct number_case *cases, size_t count)
{
	struct fixture f;
	struct everywhere e;

	fixture_init(&f);
	everywhere_open(&e, &f, code, true);
	for (size_t i = 0; i < count; i++) {
		set_text(&f, cases[i].text, strlen(cases[i].text), cases[i].flags);
		assert_int_equal((int)everywhere_run(&e, &f), cases[i].result);
		assert_int_equal(number_of(&f), cases[i].number);
	}
	everywhere_close(&e);
	fixture_done(&f);
}

static void test_strtol(void **state)
{
	static const struct number_case cases[] = {
	        {"7", 0, 1, 7},
	        {"-7", 0, 2, (uint64_t)-7},
	        {" \t\n\v\f\r\xa0-12x", 0, 10, (uint64_t)-12},
	        {"+7", 0, -EINVAL, 0},
	        {"- 7", 0, -EINVAL, 0},
	        {"--7", 0, -EINVAL, 0},
	        {"-", 0, -EINVAL, 0},
	        {" ", 0, -EINVAL, 0},
	        {"x", 0, -EINVAL, 0},
	        {"0x1F", 0, 4, 31},
	        {"0X1f", 16, 4, 31},
	        {"1f", 16, 2, 31},
	        {"0x", 0, 1, 0},
	        {"0x", 16, -EINVAL, 0},
	        {"0xg", 0, 1, 0},
	        {"017", 0, 3, 15},
	        {"018", 0, 2, 1},
	        {"08", 0, 1, 0},
	        {"17", 8, 2, 15},
	        {"0x17", 10, 1, 0},
	        {"0x17", 8, 1, 0},
	        {"7", 2, -EINVAL, 0},
	        {"7", 36, -EINVAL, 0},
	        {"7", 32, -EINVAL, 0},
	        {"7", 1ull << 32, -EINVAL, 0},
	        {"9223372036854775807", 10, 19, INT64_MAX},
	        {"9223372036854775808", 10, -ERANGE, 0},
	        {"-9223372036854775808", 10, 20, (uint64_t)INT64_MIN},
	        {"-9223372036854775809", 10, -ERANGE, 0},
	        {"99999999999999999999999", 10, -ERANGE, 0},
	        {"00000000000000000000000000000000000000000000000000000000000012", 10, 62, 12},
	        {"-000000000000000000000000000000000000000000000000000000000000012", 10, 64, (uint64_t)-12},
	        {"0000000000000000000000000000000000000000000000000000000000000012", 10, 63, 1},
	};

	(void)state;
	check_numbers(strtol_code, cases, ARRAY_SIZE(cases));
}

static void test_strtoul(void **state)
{
	static const struct number_case cases[] = {
	        {"18446744073709551615", 0, 20, UINT64_MAX},
	        {"18446744073709551616", 0, -ERANGE, 0},
	        {"-1", 0, -EINVAL, 0},
	        {"0xffffffffffffffff", 0, 18, UINT64_MAX},
	        {"0x10000000000000000", 0, -ERANGE, 0},
	        {"1777777777777777777777", 8, 22, UINT64_MAX},
	        {"2000000000000000000000", 8, -ERANGE, 0},
	        {"42 and more", 10, 2, 42},
	};

	(void)state;
	check_numbers(strtoul_code, cases, ARRAY_SIZE(cases));
}

static void try_random_numbers(const char *code)
{
	static const char alphabet[] = "0123456789012345678900112233aAfFxX-+ \t\xa0zg";
	static const uint64_t bases[] = {0, 8, 10, 16, 0, 10, 16, 7, 32};
	struct fixture f;
	struct everywhere e;

	fixture_init(&f);
	everywhere_open(&e, &f, code, true);
	for (unsigned i = 0; i < ROUNDS; i++) {
		char text[64];
		size_t length = 1 + random_below(random_below(4) ? 24 : 64);
		for (size_t j = 0; j < length; j++)
			text[j] = alphabet[random_below(j < 3 ? sizeof(alphabet) : 28)];
		set_text(&f, text, length, bases[random_below(ARRAY_SIZE(bases))]);
		everywhere_run(&e, &f);
	}
	everywhere_close(&e);
	fixture_done(&f);
}

static void test_random_numbers(void **state)
{
	(void)state;
	need_kernel();
	try_random_numbers(strtol_code);
	try_random_numbers(strtoul_code);
}

/* ---- strncmp: bytes at 0, their count at 64; the text is map[1] ---- */
static const char strncmp_code[] = "lddw %r6, map_value[0]\n"
                                   "mov %r1, %r6\n"
                                   "ldxdw %r2, [%r6+64]\n"
                                   "and %r2, 15\n"
                                   "add %r2, 1\n"
                                   "lddw %r3, map_value[1]\n"
                                   "call strncmp\n"
                                   "exit\n";

static void test_strncmp(void **state)
{
	static const struct {
		const char *bytes;
		size_t length;
		int result;
	} cases[] = {
	        {"abc", 4, 0},  {"abc", 3, 0},  {"ab", 2, 0},       {"ab", 3, -1},  {"abd", 3, 1},
	        {"abb", 3, -1}, {"abcd", 4, 1}, {"abc\0def", 8, 0}, {"\xff", 1, 1}, {"", 1, -1},
	};
	struct fixture f;
	struct everywhere e;

	(void)state;
	fixture_init(&f);
	fixture_add_text(&f, "abc");
	everywhere_open(&e, &f, strncmp_code, true);
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		uint64_t last = cases[i].length - 1;
		memset(f.buffer, 0xee, 64);
		memcpy(f.buffer, cases[i].bytes, cases[i].length);
		memcpy(f.buffer + 64, &last, 8);
		assert_int_equal((int)everywhere_run(&e, &f), cases[i].result);
	}
	for (unsigned i = 0; i < ROUNDS; i++) {
		uint64_t last = random_below(16);
		for (size_t j = 0; j < 16; j++)
			f.buffer[j] = "abcd\0\xff"[random_below(4) ? MIN(j, 4) : random_below(6)];
		memcpy(f.buffer + 64, &last, 8);
		everywhere_run(&e, &f);
	}
	everywhere_close(&e);
	fixture_done(&f);
}

/* ---- csum_diff: from at 0, to at 256; their sizes at 512 and 520, the seed at 528 ---- */
static const char csum_code[] = "lddw %r6, map_value[0]\n"
                                "mov %r1, %r6\n"
                                "ldxdw %r2, [%r6+512]\n"
                                "and %r2, 255\n"
                                "mov %r3, %r6\n"
                                "add %r3, 256\n"
                                "ldxdw %r4, [%r6+520]\n"
                                "and %r4, 255\n"
                                "ldxw %r5, [%r6+528]\n"
                                "call csum_diff\n"
                                "exit\n";

static void set_csum(struct fixture *f, uint64_t from, uint64_t to, uint64_t seed)
{
	memcpy(f->buffer + 512, &from, 8);
	memcpy(f->buffer + 520, &to, 8);
	memcpy(f->buffer + 528, &seed, 8);
}

/* RFC 1071's own example, 3. */
static void test_csum_example(void **state)
{
	static const uint8_t example[] = {0x00, 0x01, 0xf2, 0x03, 0xf4, 0xf5, 0xf6, 0xf7};
	struct fixture f;

	(void)state;
	fixture_init(&f);
	memcpy(f.buffer + 256, example, sizeof(example));
	set_csum(&f, 0, sizeof(example), 0);
	assert_int_equal(fixture_result(&f, csum_code), __builtin_bswap16(0xddf2));
	fixture_done(&f);
}

/* What replaces some bytes changes the sum as it would be computed anew. */
static void test_csum_replaces(void **state)
{
	struct fixture f;
	uint64_t whole, changed;

	(void)state;
	fixture_init(&f);
	for (size_t i = 0; i < 64; i++)
		f.buffer[256 + i] = (uint8_t)(i * 37);
	set_csum(&f, 0, 64, 0);
	whole = fixture_result(&f, csum_code);
	memcpy(f.buffer, f.buffer + 256, 4);
	memcpy(f.buffer + 256, "\x12\x34\x56\x78", 4);
	changed = fixture_result(&f, csum_code);
	set_csum(&f, 4, 4, whole);
	assert_int_equal(fixture_result(&f, csum_code), changed);
	fixture_done(&f);
}

static void test_csum_as_kernel(void **state)
{
	struct fixture f;
	struct everywhere e;

	(void)state;
	need_kernel();
	fixture_init(&f);
	everywhere_open(&e, &f, csum_code, true);
	for (unsigned i = 0; i < ROUNDS; i++) {
		uint32_t kind = random_below(3);
		uint64_t seed = random_below(2) ? 0 : (uint64_t)random_below(1 << 16) << 16 | random_below(1 << 16);
		for (size_t j = 0; j < 512; j++)
			f.buffer[j] = kind == 0 ? 0xff : kind == 1 ? 0 : (uint8_t)random_below(256);
		set_csum(&f, random_below(4) ? random_below(256) & ~3u : 0,
		         random_below(4) ? random_below(256) & ~3u : 0, random_below(4) ? seed : UINT32_MAX);
		everywhere_run(&e, &f);
	}
	everywhere_close(&e);
	fixture_done(&f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(test_strtol),         cmocka_unit_test(test_strtoul),
	        cmocka_unit_test(test_random_numbers), cmocka_unit_test(test_strncmp),
	        cmocka_unit_test(test_csum_example),   cmocka_unit_test(test_csum_replaces),
	        cmocka_unit_test(test_csum_as_kernel),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
