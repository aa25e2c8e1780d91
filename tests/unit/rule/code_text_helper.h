/* SPDX-License-Identifier: Apache-2.0
 *
 * Patterns sought in texts: random ones, a program for them, and what plain C says.
 */
#ifndef PICKET_TEST_CODE_TEXT_HELPER_H
#define PICKET_TEST_CODE_TEXT_HELPER_H

#include "code_helper.h"

#include <time.h>

#define BITS_MAX 16384
#define LENGTH_MAX 4096
/* Map 0 has one value: */
#define STAGE_LENGTH 0 /* of the text: 8 bytes */
#define STAGE_RESULTS 8
#define STAGE_TEXT (STAGE_RESULTS + BITS_MAX / 8 + PATTERN_PADDING)
#define STAGE_BYTES (STAGE_TEXT + LENGTH_MAX + PATTERN_PADDING)

/* ---- chance ---- */

static uint64_t chance_state = 88172645463325252ull;

static inline uint64_t chance(void)
{
	chance_state ^= chance_state << 13;
	chance_state ^= chance_state >> 7;
	chance_state ^= chance_state << 17;
	return chance_state * 0x2545f4914f6cdd1dull >> 16;
}

static inline uint64_t chance_below(uint64_t n)
{
	return chance() % n;
}

/* More rounds than are asked for by default: PICKET_ROUNDS=n */
static inline uint64_t rounds(uint64_t usual)
{
	const char *text = getenv("PICKET_ROUNDS");

	return text ? usual * strtoull(text, NULL, 10) : usual;
}

static inline uint64_t now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

/* ---- patterns ---- */

struct patterns {
	struct pattern *list;
	size_t count;
	uint32_t bits; /* all are below */
};

static inline void patterns_done(struct patterns *p)
{
	for (size_t i = 0; i < p->count; i++)
		free((char *)p->list[i].text.data);
	free(p->list);
	*p = (struct patterns){0};
}

static inline void patterns_add(struct patterns *p, enum pattern_kind kind, const char *text, size_t length,
                                uint32_t bit)
{
	char *copy = malloc(length + 1);

	p->list = reallocarray(p->list, p->count + 1, sizeof(*p->list));
	assert_non_null(copy);
	assert_non_null(p->list);
	if (length)
		memcpy(copy, text, length);
	p->list[p->count++] = (struct pattern){kind, str_make(copy, length), bit};
	p->bits = p->bits > bit ? p->bits : bit + 1;
}

static inline bool nocase_equal(const char *a, const char *b, size_t length)
{
	for (size_t i = 0; i < length; i++) {
		char x = a[i], y = b[i];

		x = (char)(x >= 'A' && x <= 'Z' ? x + 32 : x);
		y = (char)(y >= 'A' && y <= 'Z' ? y + 32 : y);
		if (x != y)
			return false;
	}
	return true;
}

/* What it means, in the plainest way. */
static inline bool pattern_holds(const struct pattern *p, struct str text)
{
	size_t length = p->text.length;

	if (length > text.length)
		return false;
	switch (p->kind) {
	case PATTERN_EXACT:
		return length == text.length && memcmp(text.data, p->text.data, length) == 0;
	case PATTERN_PREFIX:
		return memcmp(text.data, p->text.data, length) == 0;
	case PATTERN_SUFFIX:
		return memcmp(text.data + text.length - length, p->text.data, length) == 0;
	case PATTERN_CONTAINS:
	case PATTERN_CONTAINS_NOCASE:
		for (size_t i = 0; i + length <= text.length; i++)
			if (p->kind == PATTERN_CONTAINS ? memcmp(text.data + i, p->text.data, length) == 0
			                                : nocase_equal(text.data + i, p->text.data, length))
				return true;
		return false;
	}
	return false;
}

/* Letters that texts and patterns of one round are made of. */
struct letters {
	const char *list;
	size_t count;
};

static inline struct letters letters_any(void)
{
	static const struct letters sets[] = {
	        {"a", 1}, {"ab", 2}, {"aAb", 3}, {"\0\377", 2}, {"a/B.\0z\177\200", 8}, {"etcsh/ETK", 9}};

	return sets[chance_below(ARRAY_SIZE(sets))];
}

static inline void letters_fill(const struct letters *l, char *to, size_t length)
{
	for (size_t i = 0; i < length; i++)
		to[i] = l->list[chance_below(l->count)];
}

static inline size_t length_any(void)
{
	switch (chance_below(6)) {
	case 0:
		return chance_below(3);
	case 1:
		return chance_below(10);
	case 2:
		return 7 + chance_below(3) + 8 * chance_below(3);
	case 3:
		return chance_below(40);
	case 4:
		return chance_below(8) ? chance_below(20) : PATTERN_BYTES_MAX - chance_below(3);
	default:
		return chance_below(5) ? chance_below(8) : chance_below(PATTERN_BYTES_MAX + 1);
	}
}

/* One that often begins or ends like one that is there. */
static inline void patterns_add_any(struct patterns *p, const struct letters *l, enum pattern_kind kind, uint32_t bit)
{
	char text[PATTERN_BYTES_MAX];
	size_t length = length_any();

	letters_fill(l, text, length);
	if (p->count && chance_below(3)) {
		struct str other = p->list[chance_below(p->count)].text;
		size_t same = chance_below((other.length < length ? other.length : length) + 1);

		if (same && chance_below(2))
			memcpy(text, other.data, same);
		else if (same)
			memcpy(text + length - same, other.data + other.length - same, same);
	}
	patterns_add(p, kind, text, length, bit);
}

/* ---- a stage: the maps that a program works in ---- */

struct stage {
	struct picket_map *maps[2];
	struct picket_map_spec specs[2];
	size_t count;
	char *memory; /* of map 0 */
};

static inline void stage_done(struct stage *s)
{
	for (size_t i = 0; i < s->count; i++)
		picket_map_free(s->maps[i]);
}

static inline void stage_add_map(struct stage *s, uint32_t bytes)
{
	struct picket_map_spec spec = {
	        .type = BPF_MAP_TYPE_ARRAY, .key_size = 4, .value_size = bytes, .max_entries = 1};
	struct picket_error error;

	if (picket_map_new(&spec, &s->maps[s->count], &error))
		fail_msg("%s", error.text);
	s->specs[s->count++] = spec;
}

static inline struct stage stage_make(void)
{
	struct stage s = {0};

	stage_add_map(&s, STAGE_BYTES);
	s.memory = picket_map_values(s.maps[0]);
	return s;
}

/* r7, r8, r9 as the writers want them. */
static inline void stage_write_begin(struct code *c, code_label end)
{
	code_map_value(c, 7, 0, 0);
	code_map_value(c, 8, 0, STAGE_TEXT);
	code_load(c, BPF_DW, 9, 7, STAGE_LENGTH);
	code_jump_if(c, BPF_JGT, 9, LENGTH_MAX, end);
}

static inline void stage_write_end(struct code *c, code_label end)
{
	code_bind(c, end);
	code_constant(c, 0, 0);
	code_exit(c);
}

/* A text among bytes that may look like its continuation. Most of it from patterns, cut and joined. */
static inline struct str stage_fill(struct stage *s, const struct patterns *p, const struct letters *l)
{
	char *text = s->memory + STAGE_TEXT, *all = text - PATTERN_PADDING;
	uint64_t length = chance_below(20) ? chance_below(80) : chance_below(700);
	size_t begin = PATTERN_PADDING - chance_below(20), end = PATTERN_PADDING + length;

	letters_fill(l, all, begin);
	for (size_t at = begin; at < end + 40;) {
		struct str piece = p->list[chance_below(p->count)].text;
		size_t skip = chance_below(3) ? 0 : chance_below(piece.length + 1);
		size_t take = chance_below(3) ? piece.length - skip : chance_below(piece.length - skip + 1);

		if (at == begin && chance_below(2))
			at = PATTERN_PADDING;
		if (!take || !chance_below(6)) {
			letters_fill(l, all + at, 3);
			at += 1 + chance_below(3);
			continue;
		}
		memcpy(all + at, piece.data + skip, take);
		at += take;
		if (!chance_below(4) && at > PATTERN_PADDING && at < end)
			length = at - PATTERN_PADDING;
	}
	memcpy(s->memory + STAGE_LENGTH, &length, sizeof(length));
	return str_make(text, length);
}

/* Bits that are there before must stay. */
static inline void stage_check(const struct stage *s, const struct patterns *p, struct str text,
                               const struct picket_program *program, const uint64_t *expected, const uint64_t *before)
{
	size_t bytes = (p->bits + 63) / 64 * 8;

	memcpy(s->memory + STAGE_RESULTS, before, bytes);
	engine_run(program, NULL, 0);
	if (memcmp(s->memory + STAGE_RESULTS, expected, bytes) == 0)
		return;
	for (size_t i = 0; i < p->count; i++) {
		uint32_t bit = p->list[i].bit;
		uint64_t word;

		memcpy(&word, s->memory + STAGE_RESULTS + bit / 64 * 8, 8);
		if ((word >> bit % 64 & 1) != (expected[bit / 64] >> bit % 64 & 1))
			print_error("pattern %zu, kind %d, length %zu, bit %u\n", i, p->list[i].kind,
			            p->list[i].text.length, bit);
	}
	fail_msg("engine %d: text of %zu bytes, of %zu patterns", picket_program_engine(program), text.length,
	         p->count);
}

/* One text, by all engines. */
static inline void stage_try(struct stage *s, const struct patterns *p, const struct letters *l,
                             const struct engines *e)
{
	uint64_t expected[BITS_MAX / 64] = {0}, before[BITS_MAX / 64] = {0};
	struct str text = stage_fill(s, p, l);

	before[0] = expected[0] = 1ull << chance_below(64);
	for (size_t i = 0; i < p->count; i++)
		if (pattern_holds(&p->list[i], text))
			expected[p->list[i].bit / 64] |= 1ull << p->list[i].bit % 64;
	for (size_t i = 0; i < ENGINES; i++)
		if (e->programs[i])
			stage_check(s, p, text, e->programs[i], expected, before);
}

#endif
