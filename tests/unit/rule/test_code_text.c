/* SPDX-License-Identifier: Apache-2.0
 *
 * How texts begin and end, by eBPF against plain C.
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

static int write_program(struct code *c, const struct patterns *p, bool ends, bool far)
{
	code_label end;

	code_init(c, far);
	end = code_label_new(c);
	stage_write_begin(c, end);
	(ends ? code_text_ends : code_text_begins)(c, p->list, p->count, STAGE_RESULTS, LENGTH_MAX);
	stage_write_end(c, end);
	return code_finish(c);
}

static struct made make(const struct patterns *p, bool ends, bool far)
{
	struct made m = {.stage = stage_make()};

	assert_int_equal(write_program(&m.code, p, ends, far), 0);
	picket_verdict_free(code_verify(&m.code, m.stage.specs, m.stage.count));
	m.engines = engines_load(&m.code, m.stage.maps, m.stage.count);
	return m;
}

static enum pattern_kind kind_any(bool ends)
{
	return ends ? PATTERN_SUFFIX : chance_below(2) ? PATTERN_EXACT : PATTERN_PREFIX;
}

static void try_random(bool ends, size_t pattern_count, size_t texts)
{
	_cleanup_(patterns_done) struct patterns p = {0};
	_cleanup_(made_done) struct made m;
	struct letters l = letters_any();

	for (size_t i = 0; i < pattern_count; i++)
		patterns_add_any(&p, &l, kind_any(ends), (uint32_t)chance_below(pattern_count + 1));
	m = make(&p, ends, chance_below(2));
	for (size_t i = 0; i < texts; i++)
		stage_try(&m.stage, &p, &l, &m.engines);
}

static void test_random(void **state)
{
	(void)state;
	for (size_t i = 0; i < rounds(300); i++)
		try_random(i & 1, 1 + chance_below(chance_below(8) ? 12 : 150), 200);
}

/* One text, one answer for each pattern, as a string of 0 and 1. */
static void check(const struct patterns *p, bool ends, const char *text, size_t length, const char *expected)
{
	_cleanup_(made_done) struct made m = make(p, ends, false);

	memset(m.stage.memory + STAGE_TEXT - PATTERN_PADDING, 's', LENGTH_MAX + 2 * PATTERN_PADDING);
	memcpy(m.stage.memory + STAGE_TEXT, text, length);
	memcpy(m.stage.memory + STAGE_LENGTH, &(uint64_t){length}, 8);
	for (size_t i = 0; i < ENGINES; i++) {
		if (!m.engines.programs[i])
			continue;
		memset(m.stage.memory + STAGE_RESULTS, 0, 8);
		engine_run(m.engines.programs[i], NULL, 0);
		for (size_t k = 0; k < p->count; k++) {
			bool is = m.stage.memory[STAGE_RESULTS + k / 8] >> k % 8 & 1;

			if (is != (expected[k] == '1'))
				fail_msg("%.*s: pattern %zu", (int)length, text, k);
		}
	}
}

static void add_all(struct patterns *p, enum pattern_kind kind, const char *const *texts, size_t count)
{
	for (size_t i = 0; i < count; i++)
		patterns_add(p, kind, texts[i], strlen(texts[i]), (uint32_t)p->count);
}

static void test_nested(void **state)
{
	static const char *const texts[] = {"", "/", "/etc", "/etc/", "/etc/ssh", "/etc/ssh/", "/etc/ssh/sshd_config"};
	_cleanup_(patterns_done) struct patterns begins = {0}, ends = {0};

	(void)state;
	add_all(&begins, PATTERN_PREFIX, texts, ARRAY_SIZE(texts));
	add_all(&begins, PATTERN_EXACT, texts, ARRAY_SIZE(texts));
	check(&begins, false, "", 0,
	      "1000000"
	      "1000000");
	check(&begins, false, "/", 1,
	      "1100000"
	      "0100000");
	check(&begins, false, "/etc", 4,
	      "1110000"
	      "0010000");
	check(&begins, false, "/etc/", 5,
	      "1111000"
	      "0001000");
	check(&begins, false, "/etc/s", 6,
	      "1111000"
	      "0000000");
	check(&begins, false, "/etc/ssh", 8,
	      "1111100"
	      "0000100");
	check(&begins, false, "/etc/ssh/sshd_config", 20,
	      "1111111"
	      "0000001");
	check(&begins, false, "/etc/ssh/sshd_configs", 21,
	      "1111111"
	      "0000000");
	check(&begins, false, "/etd", 4,
	      "1100000"
	      "0000000");

	add_all(&ends, PATTERN_SUFFIX, (const char *const[]){"", "f", "onfig", "d_config", "ssh/sshd_config"}, 5);
	check(&ends, true, "", 0, "10000");
	check(&ends, true, "f", 1, "11000");
	check(&ends, true, "f", 1, "11000");
	check(&ends, true, "/etc/ssh/sshd_config", 20, "10111");
}

static void test_nothing(void **state)
{
	struct patterns none = {0};
	_cleanup_(code_done) struct code c, late;
	struct pattern wrong[] = {{PATTERN_SUFFIX, STR("a"), 0},
	                          {PATTERN_PREFIX, {"", PATTERN_BYTES_MAX + 1}, 0},
	                          {PATTERN_PREFIX, STR("a"), 8 * INT16_MAX}};

	(void)state;
	assert_int_equal(write_program(&c, &none, false, false), 0);
	for (size_t i = 0; i < ARRAY_SIZE(wrong); i++) {
		code_init(&late, false);
		code_text_begins(&late, &wrong[i], 1, 0, LENGTH_MAX);
		assert_int_equal(code_finish(&late), -EINVAL);
	}
}

/* Lists as rules have them, and longer: how many instructions there are, and how many are run. */
static void try_many(bool ends, uint32_t count)
{
	struct letters l = {"etc/shadow-.1234", 16};
	_cleanup_(patterns_done) struct patterns p = {0};
	_cleanup_(code_done) struct code near = {0};
	_cleanup_(made_done) struct made m;
	struct picket_verdict *v;
	char text[24];

	for (uint32_t i = 0; i < count; i++) {
		size_t length = 2 + chance_below(sizeof(text) - 2);

		letters_fill(&l, text, length);
		if (length > 14) /* so that they share their first word, and few are the same */
			memcpy(text, "/etc/shadow-", 12);
		patterns_add(&p, kind_any(ends), text, length, i);
	}
	assert_int_equal(write_program(&near, &p, ends, false), count < 1000 ? 0 : -ERANGE);
	m = make(&p, ends, count >= 1000);
	assert_true(m.code.count < 50 * count);
	v = code_verify(&m.code, m.stage.specs, m.stage.count);
	assert_in_range(v->insn_bound, 20, 300);
	picket_verdict_free(v);
	for (size_t i = 0; i < 100; i++)
		stage_try(&m.stage, &p, &l, &m.engines);
}

static void test_many(void **state)
{
	(void)state;
	for (size_t i = 0; i < 2; i++) {
		try_many(i, 500);
		try_many(i, 4000);
	}
}

/* Wherever the text and its pattern are cut. */
static void test_lengths(void **state)
{
	_cleanup_(patterns_done) struct patterns p = {0};
	_cleanup_(made_done) struct made begins, ends;
	char text[PATTERN_BYTES_MAX + 1];

	(void)state;
	for (size_t i = 0; i < sizeof(text); i++)
		text[i] = (char)('a' + i % 3);
	for (uint32_t i = 0; i <= PATTERN_BYTES_MAX; i++)
		patterns_add(&p, i % 2 ? PATTERN_EXACT : PATTERN_PREFIX, text, i, i);
	begins = make(&p, false, false);
	for (size_t i = 0; i < p.count; i++)
		p.list[i].kind = PATTERN_SUFFIX;
	ends = make(&p, true, false);
	for (uint64_t length = 0; length <= sizeof(text); length++) {
		for (size_t i = 0; i < ENGINES; i++) {
			struct made *m = i & 1 ? &ends : &begins;
			uint64_t expected[5] = {0};

			if (!m->engines.programs[i])
				continue;
			for (size_t k = 0; k < p.count; k++) {
				p.list[k].kind = m == &ends ? PATTERN_SUFFIX : k % 2 ? PATTERN_EXACT : PATTERN_PREFIX;
				if (pattern_holds(&p.list[k], str_make(text, length)))
					expected[k / 64] |= 1ull << k % 64;
			}
			memset(m->stage.memory, 'b', STAGE_BYTES);
			memset(m->stage.memory + STAGE_RESULTS, 0, sizeof(expected));
			memcpy(m->stage.memory + STAGE_TEXT, text, sizeof(text));
			memcpy(m->stage.memory + STAGE_TEXT - sizeof(text), text, sizeof(text));
			memcpy(m->stage.memory + STAGE_LENGTH, &length, 8);
			engine_run(m->engines.programs[i], NULL, 0);
			assert_memory_equal(m->stage.memory + STAGE_RESULTS, expected, sizeof(expected));
		}
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(test_nested), cmocka_unit_test(test_nothing), cmocka_unit_test(test_lengths),
	        cmocka_unit_test(test_many),   cmocka_unit_test(test_random),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
