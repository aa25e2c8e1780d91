/* SPDX-License-Identifier: Apache-2.0
 *
 * Texts searched for many patterns at once: the automaton (Aho and Corasick), made whole, so that each byte is one
 * step.
 *
 * A state is the longest text that some pattern begins with and that the text read so far ends with. Bytes that no
 * pattern holds are one class, each other byte is its own; letters that differ in case only are one in the automaton
 * that takes them for alike. The table, which a program reads (code_scan.c):
 *
 *	of each automaton: 256 bytes, the classes
 *	of each automaton: rows of 4 bytes for each class, the next state's place. Then records: of states that have found
 *	something, which say what, and where their rows are; and further ones, which these lead to
 *	SLACK bytes, which are never used, so that no index that a verifier thinks possible leads out of the table
 */
#include "rule/code_scan_int.h"

#include <errno.h>
#include <stdlib.h>

#define CLASSES_MAX 256
#define SLACK (CLASSES_MAX * sizeof(uint32_t) + sizeof(struct scan_record))
#define NONE UINT32_MAX

struct state {
	uint32_t shorter; /* the longest state that it ends with, but not itself */
	uint32_t pattern; /* the last one that is this text, or NONE */
	uint32_t record;  /* the first of what it found, or NONE */
	bool goes_on;     /* it is not all of a pattern: there are longer ones. Else its row is its shorter one's */
	uint32_t row;
	uint32_t place; /* its record, if it found something, else its row */
};

/* What a state found, before its place is known. */
struct found {
	uint64_t mask;
	uint32_t word;
	uint32_t next;  /* or NONE */
	uint32_t count; /* with all that follow */
	uint32_t at;    /* its place, if another's next leads here; or NONE */
};

struct automaton {
	const struct pattern *patterns;
	uint32_t *same; /* by pattern: another one with the same text, or NONE */
	enum pattern_kind kind;
	uint8_t class_of[256];
	uint32_t classes, row_bytes;
	struct state *states;
	uint32_t *next; /* by state and class: the next state; 0 while it is built: none yet */
	size_t state_count, state_capacity;
	uint32_t *order; /* states, the shorter texts first */
	struct found *found;
	size_t found_count, found_capacity;
};

static void automaton_done(struct automaton *a)
{
	free(a->same);
	free(a->states);
	free(a->next);
	free(a->order);
	free(a->found);
}

static uint8_t fold(char byte)
{
	return (uint8_t)(byte >= 'A' && byte <= 'Z' ? byte + ('a' - 'A') : byte);
}

static uint8_t letter(const struct automaton *a, char byte)
{
	return a->kind == PATTERN_CONTAINS_NOCASE ? fold(byte) : (uint8_t)byte;
}

/* Is it one of the automaton's? Empty ones are always found, without it. */
static bool takes(const struct automaton *a, size_t pattern)
{
	return a->patterns[pattern].kind == a->kind && a->patterns[pattern].text.length;
}

static void automaton_classes(struct automaton *a, size_t count)
{
	bool used[256] = {false};
	uint32_t classes = 0, others = 256;

	for (size_t i = 0; i < count; i++)
		for (size_t k = 0; takes(a, i) && k < a->patterns[i].text.length; k++)
			used[letter(a, a->patterns[i].text.data[k])] = true;
	for (size_t i = 0; i < 256; i++)
		others -= used[letter(a, (char)i)];
	if (others)
		classes++;
	for (size_t i = 0; i < 256; i++)
		if (used[i])
			a->class_of[i] = (uint8_t)classes++;
	for (size_t i = 0; i < 256; i++)
		a->class_of[i] = a->class_of[letter(a, (char)i)];
	a->classes = classes;
	/* Even, so that records are aligned. */
	a->row_bytes = (classes + classes % 2) * (uint32_t)sizeof(uint32_t);
}

/* ---- states ---- */

static int state_grow(struct automaton *a)
{
	size_t capacity = a->state_capacity ? a->state_capacity * 2 : 64;
	struct state *states;
	uint32_t *next;

	if (a->state_count * a->row_bytes > SCAN_TABLE_MAX)
		return -E2BIG;
	states = reallocarray(a->states, capacity, sizeof(*states));
	if (!states)
		return -ENOMEM;
	a->states = states;
	next = reallocarray(a->next, capacity * a->classes, sizeof(*next));
	if (!next)
		return -ENOMEM;
	a->next = next;
	a->state_capacity = capacity;
	return 0;
}

static int state_new(struct automaton *a, uint32_t *ret_state)
{
	int r = a->state_count < a->state_capacity ? 0 : state_grow(a);

	if (r)
		return r;
	a->states[a->state_count] = (struct state){.pattern = NONE, .record = NONE};
	memset(a->next + a->state_count * a->classes, 0, a->classes * sizeof(*a->next));
	*ret_state = (uint32_t)a->state_count++;
	return 0;
}

static uint32_t *next_of(const struct automaton *a, uint32_t state, uint32_t class)
{
	return &a->next[(size_t)state * a->classes + class];
}

static int state_add_pattern(struct automaton *a, uint32_t pattern)
{
	struct str text = a->patterns[pattern].text;
	uint32_t state = 0, made;
	int r;

	for (size_t i = 0; i < text.length; i++) {
		uint32_t class = a->class_of[(uint8_t)text.data[i]];

		if (!*next_of(a, state, class)) {
			r = state_new(a, &made);
			if (r)
				return r;
			*next_of(a, state, class) = made;
			a->states[state].goes_on = true;
		}
		state = *next_of(a, state, class);
	}
	a->same[pattern] = a->states[state].pattern;
	a->states[state].pattern = pattern;
	return 0;
}

/* Fills in where each state goes with bytes that no pattern goes on with: where its shorter one goes. */
static void automaton_complete(struct automaton *a)
{
	size_t known = 1;

	a->order[0] = 0;
	for (size_t i = 0; i < known; i++) {
		uint32_t state = a->order[i];

		for (uint32_t class = 0; class < a->classes; class ++) {
			uint32_t *next = next_of(a, state, class);
			uint32_t otherwise = state ? *next_of(a, a->states[state].shorter, class) : 0;

			if (*next) {
				a->states[*next].shorter = otherwise;
				a->order[known++] = *next;
			} else {
				*next = otherwise;
			}
		}
	}
}

/* ---- what states have found ---- */

static int found_new(struct automaton *a, struct found found)
{
	if (a->found_count == a->found_capacity) {
		size_t capacity = a->found_capacity ? a->found_capacity * 2 : 64;
		struct found *bigger = reallocarray(a->found, capacity, sizeof(*bigger));

		if (!bigger)
			return -ENOMEM;
		a->found = bigger;
		a->found_capacity = capacity;
	}
	a->found[a->found_count++] = found;
	return 0;
}

/* One more bit of the state's own: those from `own` on are. */
static int found_add_bit(struct automaton *a, size_t own, uint32_t bit)
{
	for (size_t i = own; i < a->found_count; i++)
		if (a->found[i].word == bit / 64) {
			a->found[i].mask |= 1ull << bit % 64;
			return 0;
		}
	return found_new(a, (struct found){.mask = 1ull << bit % 64, .word = bit / 64, .next = NONE, .at = NONE});
}

/* Adds the bits of that record to the state's own one of the same word, if there is one. */
static bool found_fold(struct automaton *a, size_t own, const struct found *other)
{
	for (size_t i = own; i < a->found_count; i++)
		if (a->found[i].word == other->word) {
			a->found[i].mask |= other->mask;
			return true;
		}
	return false;
}

/* The state's own bits, and then what its shorter one found, which is known by now: folded into them, as far as one is
 * left that is not. */
static int state_find(struct automaton *a, struct state *s)
{
	uint32_t shorter = a->states[s->shorter].record, rest = NONE;
	size_t own = a->found_count;
	int r = 0;

	for (uint32_t i = s->pattern; i != NONE && !r; i = a->same[i])
		r = found_add_bit(a, own, a->patterns[i].bit);
	if (r)
		return r;
	if (own == a->found_count) {
		s->record = shorter;
		return 0;
	}
	for (uint32_t i = shorter; i != NONE; i = a->found[i].next)
		if (!found_fold(a, own, &a->found[i]) && rest == NONE)
			rest = i;
	for (size_t i = a->found_count; i-- > own;) {
		a->found[i].next = rest;
		a->found[i].count = 1 + (rest == NONE ? 0 : a->found[rest].count);
		rest = (uint32_t)i;
	}
	s->record = rest;
	return 0;
}

static int automaton_find(struct automaton *a)
{
	int r = 0;

	for (size_t i = 1; i < a->state_count && !r; i++)
		r = state_find(a, &a->states[a->order[i]]);
	return r;
}

static int automaton_make(struct automaton *a, size_t count)
{
	uint32_t root;
	int r;

	automaton_classes(a, count);
	r = state_new(a, &root);
	for (size_t i = 0; i < count && !r; i++)
		if (takes(a, i))
			r = state_add_pattern(a, (uint32_t)i);
	if (r)
		return r;
	a->order = calloc(a->state_count, sizeof(*a->order));
	if (!a->order)
		return -ENOMEM;
	automaton_complete(a);
	return automaton_find(a);
}

/* ---- the table ---- */

static uint64_t place_rows(struct automaton *a, uint64_t at)
{
	for (size_t i = 0; i < a->state_count; i++) {
		struct state *state = &a->states[a->order[i]];

		if (i && !state->goes_on) {
			state->row = a->states[state->shorter].row;
		} else {
			state->row = (uint32_t)at;
			at += a->row_bytes;
		}
		state->place = state->row;
	}
	return at;
}

static uint64_t place_records(struct automaton *a, uint64_t at)
{
	for (size_t i = 0; i < a->state_count; i++)
		if (a->states[i].record != NONE) {
			a->states[i].place = (uint32_t)at;
			at += sizeof(struct scan_record);
		}
	return at;
}

static uint64_t place_further_records(struct automaton *a, uint64_t at)
{
	for (size_t i = 0; i < a->found_count; i++)
		if (a->found[i].next != NONE && a->found[a->found[i].next].at == NONE) {
			a->found[a->found[i].next].at = (uint32_t)at;
			at += sizeof(struct scan_record);
		}
	return at;
}

/* Returns the end. */
static uint64_t automaton_place(struct automaton *a, uint64_t at, struct scan_automaton *s)
{
	s->used = true;
	at = place_rows(a, at);
	s->first = a->states[0].place;
	s->found_first = (uint32_t)at;
	at = place_records(a, at);
	s->found_end = (uint32_t)at;
	return place_further_records(a, at);
}

static void record_fill(const struct automaton *a, const struct found *f, uint32_t row, char *to)
{
	struct scan_record record = {f->mask, f->word * 8, f->next == NONE ? 0 : a->found[f->next].at, row, 0};

	memcpy(to, &record, sizeof(record));
}

static void automaton_fill(const struct automaton *a, const struct scan_automaton *s, char *table)
{
	memcpy(table + s->classes, a->class_of, sizeof(a->class_of));
	for (uint32_t i = 0; i < a->state_count; i++) {
		const struct state *state = &a->states[i];

		for (uint32_t class = 0; class < a->classes && (!i || state->goes_on); class ++)
			memcpy(table + state->row + class * sizeof(uint32_t), &a->states[*next_of(a, i, class)].place,
			       sizeof(uint32_t));
		if (state->record != NONE)
			record_fill(a, &a->found[state->record], state->row, table + state->place);
	}
	for (size_t i = 0; i < a->found_count; i++)
		if (a->found[i].at != NONE)
			record_fill(a, &a->found[i], 0, table + a->found[i].at);
}

static void note_words(struct scan *s, const struct automaton *a)
{
	for (size_t i = 0; i < a->found_count; i++) {
		const struct found *f = &a->found[i];

		s->word_first = MIN(s->word_first, f->word);
		s->word_last = MAX(s->word_last, f->word);
		s->all |= f->mask;
		s->records_max = MAX(s->records_max, f->count);
	}
}

/* a: both automata; without states: not used. */
static int scan_make_table(struct scan *s, struct automaton *a)
{
	uint64_t end = 0;

	s->word_first = UINT32_MAX;
	for (size_t i = 0; i < 2; i++)
		if (a[i].state_count) {
			s->automata[i].classes = (uint32_t)end;
			end += CLASSES_MAX;
		}
	for (size_t i = 0; i < 2; i++)
		if (a[i].state_count) {
			end = automaton_place(&a[i], end, &s->automata[i]);
			note_words(s, &a[i]);
		}
	if (end + SLACK > SCAN_TABLE_MAX)
		return -E2BIG;
	s->table_bytes = end + SLACK;
	s->table = calloc(1, s->table_bytes);
	if (!s->table)
		return -ENOMEM;
	for (size_t i = 0; i < 2; i++)
		if (a[i].state_count)
			automaton_fill(&a[i], &s->automata[i], s->table);
	return 0;
}

/* Returns how many are neither empty nor wrong, or -EINVAL. */
static ssize_t scan_check(struct scan *s, const struct pattern *patterns, size_t count, enum pattern_kind kind)
{
	ssize_t some = 0;

	for (size_t i = 0; i < count; i++) {
		if (patterns[i].kind != PATTERN_CONTAINS && patterns[i].kind != PATTERN_CONTAINS_NOCASE)
			return -EINVAL;
		if (patterns[i].text.length > PATTERN_BYTES_MAX || patterns[i].bit / 8 > INT16_MAX)
			return -EINVAL;
		if (patterns[i].kind != kind)
			continue;
		if (patterns[i].text.length)
			some++;
		else
			s->always[s->always_count++] = patterns[i].bit;
	}
	return some;
}

static int scan_make(struct scan *s, const struct pattern *patterns, size_t count, struct automaton *a)
{
	static const enum pattern_kind kinds[] = {PATTERN_CONTAINS, PATTERN_CONTAINS_NOCASE};
	int r = 0;

	s->always = calloc(count + 1, sizeof(*s->always));
	if (!s->always)
		return -ENOMEM;
	for (size_t i = 0; i < 2 && !r; i++) {
		ssize_t some = scan_check(s, patterns, count, kinds[i]);

		if (some <= 0) {
			r = (int)some;
			continue;
		}
		a[i] = (struct automaton){.patterns = patterns, .kind = kinds[i]};
		a[i].same = calloc(count, sizeof(*a[i].same));
		r = a[i].same ? automaton_make(&a[i], count) : -ENOMEM;
	}
	return r ? r : scan_make_table(s, a);
}

int scan_new(const struct pattern *patterns, size_t count, struct scan *ret_scan)
{
	struct automaton automata[2] = {0};
	struct scan s = {0};
	int r = count <= PICKET_INSNS_MAX ? scan_make(&s, patterns, count, automata) : -E2BIG;

	automaton_done(&automata[0]);
	automaton_done(&automata[1]);
	if (r) {
		scan_done(&s);
		return r;
	}
	scan_signs_choose(&s, patterns, count);
	*ret_scan = s;
	return 0;
}

void scan_done(struct scan *s)
{
	free(s->table);
	free(s->always);
	*s = (struct scan){0};
}
