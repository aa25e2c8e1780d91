/* SPDX-License-Identifier: Apache-2.0
 *
 * Texts searched for patterns, by eBPF against plain C; as it is written for the sandbox and for the kernel.
 */
#include "code_text_helper.h"

struct made {
	struct code code;
	struct engines engines;
	struct stage stage;
};

static void made_done(struct made *m)
{
	engines_done(&m->engines);
	code_done(&m->code);
	stage_done(&m->stage);
}

static int write_program(struct code *c, const struct scan *s, bool kernel, bool far)
{
	code_label end;

	code_init(c, far);
	c->kernel = kernel;
	end = code_label_new(c);
	stage_write_begin(c, end);
	code_text_scan(c, s, 1, STAGE_RESULTS, LENGTH_MAX);
	stage_write_end(c, end);
	return code_finish(c);
}

static struct made make(const struct patterns *p, bool kernel, bool far)
{
	_cleanup_(scan_done) struct scan s;
	struct made m = {.stage = stage_make()};

	assert_int_equal(scan_new(p->list, p->count, &s), 0);
	stage_add_map(&m.stage, (uint32_t)(s.table_bytes ? s.table_bytes : 8));
	if (s.table_bytes)
		memcpy(picket_map_values(m.stage.maps[1]), s.table, s.table_bytes);
	assert_int_equal(write_program(&m.code, &s, kernel, far), 0);
	picket_verdict_free(code_verify(&m.code, m.stage.specs, m.stage.count));
	m.engines = engines_load(&m.code, m.stage.maps, m.stage.count);
	return m;
}

static enum pattern_kind kind_any(unsigned kinds)
{
	return kinds == 0                      ? PATTERN_CONTAINS
	       : kinds == 1 || chance_below(2) ? PATTERN_CONTAINS_NOCASE
	                                       : PATTERN_CONTAINS;
}

static void try_random(size_t pattern_count, size_t bits, size_t texts)
{
	_cleanup_(patterns_done) struct patterns p = {0};
	_cleanup_(made_done) struct made m;
	struct letters l = letters_any();
	unsigned kinds = (unsigned)chance_below(3);

	for (size_t i = 0; i < pattern_count; i++)
		patterns_add_any(&p, &l, kind_any(kinds), (uint32_t)chance_below(bits));
	m = make(&p, chance_below(3) == 0, chance_below(2));
	for (size_t i = 0; i < texts; i++)
		stage_try(&m.stage, &p, &l, &m.engines);
}

static void test_random(void **state)
{
	(void)state;
	for (size_t i = 0; i < rounds(200); i++) {
		size_t count = 1 + chance_below(chance_below(8) ? 12 : 100);

		try_random(count, chance_below(3) ? count + 1 : BITS_MAX, 50);
	}
}

/* One text, one answer for each pattern, as a string of 0 and 1; for the sandbox and for the kernel. */
static void check(const struct patterns *p, const char *text, size_t length, const char *expected)
{
	for (size_t i = 0; i < 2 * ENGINES; i++) {
		_cleanup_(made_done) struct made m = make(p, i & 1, false);
		const struct picket_program *program = m.engines.programs[i / 2];

		if (!program)
			continue;
		memset(m.stage.memory, 'b', STAGE_BYTES);
		memset(m.stage.memory + STAGE_RESULTS, 0, BITS_MAX / 8);
		memcpy(m.stage.memory + STAGE_TEXT, text, length);
		memcpy(m.stage.memory + STAGE_LENGTH, &(uint64_t){length}, 8);
		engine_run(program, NULL, 0);
		for (size_t k = 0; k < p->count; k++) {
			uint32_t bit = p->list[k].bit;
			bool is = m.stage.memory[STAGE_RESULTS + bit / 8] >> bit % 8 & 1;

			if (is != (expected[k] == '1'))
				fail_msg("%.*s: pattern %zu", (int)MIN(length, 80), text, k);
		}
	}
}

static void test_few(void **state)
{
	_cleanup_(patterns_done) struct patterns p = {0}, one = {0};

	(void)state;
	patterns_add(&p, PATTERN_CONTAINS, "", 0, 0);
	patterns_add(&p, PATTERN_CONTAINS, "ab", 2, 64);
	patterns_add(&p, PATTERN_CONTAINS, "xabc", 4, 128);
	patterns_add(&p, PATTERN_CONTAINS, "b\0", 2, 1);
	patterns_add(&p, PATTERN_CONTAINS_NOCASE, "aB", 2, 2);
	patterns_add(&p, PATTERN_CONTAINS_NOCASE, "[@Z", 3, 3);
	patterns_add(&p, PATTERN_CONTAINS_NOCASE, "", 0, 1000);
	check(&p, "", 0, "1000001");
	check(&p, "a", 1, "1000001");
	check(&p, "ab", 2, "1100101");
	check(&p, "AB", 2, "1000101");
	check(&p, "xab", 3, "1100101");
	check(&p, "xabcb\0", 6, "1111101");
	check(&p, "{`z", 3, "1000001");
	check(&p, "[@z", 3, "1000011");
	check(&p, "0123456789abcdefab", 18, "1100101");
	check(&p, "0123456789ABCDEB\0", 17, "1000101");
	patterns_add(&one, PATTERN_CONTAINS_NOCASE, "Needle", 6, 77);
	check(&one, "a needle in", 11, "1");
	check(&one, "a needl", 7, "0");
}

/* No byte is left for the class of others; the longest pattern; the longest text. */
/* Few patterns, whose signs are sought first: one at each place of the 8 that are looked at together, at a text's end and
 * just behind it. */
static void test_places(void **state)
{
	static const char *const found[] = {"..", "/.s", "Q", "[zX", "z~z"};
	static const char *const expected[] = {"10000", "01000", "00100", "00010", "00001"};

	(void)state;
	for (size_t which = 0; which < ARRAY_SIZE(found); which++) {
		_cleanup_(patterns_done) struct patterns p = {0};
		size_t length = strlen(found[which]);

		for (size_t i = 0; i < ARRAY_SIZE(found); i++)
			patterns_add(&p, i < 3 ? PATTERN_CONTAINS : PATTERN_CONTAINS_NOCASE, found[i], strlen(found[i]),
			             (uint32_t)i);
		for (size_t at = 0; at < 20; at++) {
			char text[32];

			memset(text, 'e', sizeof(text));
			memcpy(text + at, found[which], length);
			check(&p, text, at + length, expected[which]);
			check(&p, text, sizeof(text), expected[which]);
			check(&p, text, at + length - 1, "00000");
		}
	}
}

static void test_limits(void **state)
{
	_cleanup_(patterns_done) struct patterns p = {0};
	char all[PATTERN_BYTES_MAX], text[LENGTH_MAX];

	(void)state;
	for (size_t i = 0; i < sizeof(all); i++)
		all[i] = (char)(255 - i);
	patterns_add(&p, PATTERN_CONTAINS, all, sizeof(all), 0);
	patterns_add(&p, PATTERN_CONTAINS_NOCASE, all, sizeof(all), 1);
	memset(text, all[0], sizeof(text));
	check(&p, text, sizeof(text), "00");
	memcpy(text + sizeof(text) - sizeof(all), all, sizeof(all));
	check(&p, text, sizeof(text), "11");
	check(&p, text, sizeof(text) - 1, "00");
	text[sizeof(text) - sizeof(all) + 255 - 'q'] = 'Q';
	check(&p, text, sizeof(text), "01");
}

/* Each found with all the shorter ones, in as many words. */
static void test_chain(void **state)
{
	_cleanup_(patterns_done) struct patterns p = {0};
	char text[120], expected[121] = {0};

	(void)state;
	memset(text, 'a', sizeof(text));
	memset(expected, '1', 120);
	for (uint32_t i = 0; i < 120; i++)
		patterns_add(&p, i & 1 ? PATTERN_CONTAINS_NOCASE : PATTERN_CONTAINS, text, i + 1,
		             (i * 7 % 120) * 64 + i % 64);
	check(&p, text, sizeof(text), expected);
	memset(expected + 100, '0', 20);
	check(&p, text, 100, expected);
}

static void test_errors(void **state)
{
	struct pattern wrong[] = {{PATTERN_PREFIX, STR("a"), 0},
	                          {PATTERN_CONTAINS, {"", PATTERN_BYTES_MAX + 1}, 0},
	                          {PATTERN_CONTAINS, STR("a"), UINT32_MAX}};
	struct pattern far = {PATTERN_CONTAINS, STR("a"), 8 * (INT16_MAX - 100)};
	_cleanup_(patterns_done) struct patterns many = {0};
	_cleanup_(scan_done) struct scan s = {0};
	_cleanup_(code_done) struct code c;
	char text[32];

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(wrong); i++)
		assert_int_equal(scan_new(&wrong[i], 1, &s), -EINVAL);
	for (uint32_t i = 0; i < 4000; i++) {
		for (size_t k = 0; k < sizeof(text); k++)
			text[k] = (char)chance();
		patterns_add(&many, PATTERN_CONTAINS, text, sizeof(text), i);
	}
	assert_int_equal(scan_new(many.list, many.count, &s), -E2BIG);
	assert_null(s.table);
	assert_int_equal(scan_new(&far, 1, &s), 0);
	code_init(&c, false);
	code_text_scan(&c, &s, 1, 200, LENGTH_MAX);
	assert_int_equal(code_finish(&c), -EINVAL);
}

/* The table grows with the patterns, the program does not. */
static void test_many(void **state)
{
	struct letters l = {"etc/shadow-.1234", 16};
	_cleanup_(patterns_done) struct patterns p = {0};
	_cleanup_(made_done) struct made m;
	char text[16];

	(void)state;
	for (uint32_t i = 0; i < 2000; i++) {
		size_t length = 2 + chance_below(sizeof(text) - 2);

		letters_fill(&l, text, length);
		patterns_add(&p, PATTERN_CONTAINS, text, length, i);
	}
	m = make(&p, false, false);
	assert_true(m.code.count < 100);
	for (size_t i = 0; i < 100; i++)
		stage_try(&m.stage, &p, &l, &m.engines);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(test_few),    cmocka_unit_test(test_places), cmocka_unit_test(test_limits),
	        cmocka_unit_test(test_chain),  cmocka_unit_test(test_errors), cmocka_unit_test(test_many),
	        cmocka_unit_test(test_random),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
