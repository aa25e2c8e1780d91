/* SPDX-License-Identifier: Apache-2.0
 *
 * A sieve's program. For each state that the sensor may tell of the type, a function judges one of the file's names:
 *
 *	compare the texts' beginnings and ends with all patterns
 *	for each rule that seeks nothing inside texts: may it match? pass
 *	for each other one: may it match, whatever is inside? else the next; if none, drop
 *	seek; for each of those: may it match? pass
 *
 * The kernel's verifier follows a program's ways one by one, and takes two for the same where registers are: so each
 * group of patterns stands in one place, and what they found lies in memory.
 *
 * r7: the scratch space, all the time. r6: the program's context; in functions, where the name's texts are. r8, r9: a text.
 */
#include <errno.h>
#include <linux/bpf.h>
#include <stddef.h>
#include <stdlib.h>

#include "event/event.h"
#include "rule/code_formula.h"
#include "rule/sieve.h"

#define HELPER_MAP_LOOKUP 1
#define HELPER_PROCESSOR 8
#define HELPER_TAIL_CALL 12
#define MAP_SCRATCH 0
#define MAP_PROGRAMS 1
#define MAP_TABLES 2
#define STACK_KEY (-4)
#define RECORD_MASK (EVENT_RECORD_MAX - 1)
#define UNUSED UINT32_MAX

struct writer {
	struct sieve *sieve;
	struct code *code;
	enum sieve_state state;
	uint32_t *bits; /* by bit of the plan: that of the results, or UNUSED */
	uint32_t bit_count;
	code_label pass, drop; /* of the function */
};

static void load_input(struct code *c, uint8_t size, unsigned dst, unsigned base, size_t member)
{
	code_load(c, size, dst, base, (int16_t)member);
}

/* ---- formulas ---- */

static uint32_t atom_bit(const struct atom *a)
{
	return a->bit + a->negated;
}

static void write_text(struct writer *w, const struct atom *a, const struct exits *e)
{
	uint32_t bit = w->bits[atom_bit(a)];
	size_t at = offsetof(struct sieve_input, results) + 4 * (bit / 32);
	if (__BYTE_ORDER__ == __ORDER_BIG_ENDIAN__)
		at ^= 4;
	load_input(w->code, BPF_W, 0, 7, at);
	code_jump_if(w->code, BPF_JSET, 0, (int32_t)(1u << bit % 32), a->negated ? e->no : e->yes);
	code_jump_unless_next(w->code, a->negated ? e->yes : e->no, e->next);
}

/* To r1. */
static void load_number(struct writer *w, enum sieve_number number)
{
	load_input(w->code, BPF_DW, 1, 7, offsetof(struct sieve_input, numbers) + 8 * (size_t)number);
}

static void write_number(struct writer *w, const struct atom *a, enum sieve_number number, const struct exits *e)
{
	load_number(w, number);
	code_compare_literals(w->code, a->test, e->yes);
	code_jump_unless_next(w->code, e->no, e->next);
}

/* word: the first of those that say what the atom's field may be. */
static void write_words(struct writer *w, const struct atom *a, size_t word, const struct exits *e)
{
	enum sieve_number number;
	int32_t value;
	for (; sieve_atom_word(w->state, a, &word); word++) {
		if (!sieve_word_holds(w->sieve, w->state, a, word, &number, &value))
			continue;
		load_number(w, number);
		code_jump_if(w->code, BPF_JEQ, 1, value, e->yes);
	}
	code_jump_unless_next(w->code, e->no, e->next);
}

static void write_atom(void *userdata, uint32_t atom, const struct exits *e)
{
	struct writer *w = userdata;
	const struct atom *a = &w->sieve->plan->atoms[atom];
	enum sieve_number number;
	size_t word = 0;
	if (sieve_atom_number(w->state, a, &number))
		write_number(w, a, number, e);
	else if (sieve_atom_word(w->state, a, &word))
		write_words(w, a, word, e);
	else
		write_text(w, a, e);
}

static void write_formula(struct writer *w, const struct formula *f, const struct exits *e)
{
	code_formula(w->code, f, e, write_atom, w);
}

/* Jumps to `may` if the formula is true, and else goes on. */
static void write_test(struct writer *w, const struct formula *f, code_label may)
{
	code_label next = code_label_new(w->code);
	write_formula(w, f, &(struct exits){may, next, next});
	code_bind(w->code, next);
}

/* Passes if the rule may match, for what the event is and what is known of the process; and else goes on. */
static void write_rule(struct writer *w, const struct sieve_rule *rule)
{
	struct code *c = w->code;
	code_label may = code_label_new(c), next = code_label_new(c);
	size_t at = offsetof(struct sieve_input, live) + 4 * (rule->number / 32);
	if (rule->number >= SIEVE_RULES_MAX) {
		write_test(w, rule->exact, w->pass);
		return;
	}
	if (__BYTE_ORDER__ == __ORDER_BIG_ENDIAN__)
		at ^= 4;
	write_formula(w, rule->exact, &(struct exits){may, next, may});
	code_bind(c, may);
	load_input(c, BPF_W, 0, 7, at);
	code_jump_if(c, BPF_JSET, 0, (int32_t)(1u << rule->number % 32), w->pass);
	code_constant(c, 0, 0);
	code_store(c, BPF_W, 7, (int16_t)offsetof(struct sieve_input, by_file), 0);
	code_bind(c, next);
}

/* ---- patterns ---- */

static void note_bits(struct writer *w, const struct formula *f)
{
	if (f->kind == FORMULA_ATOM) {
		const struct atom *a = &w->sieve->plan->atoms[f->atom];
		size_t word = 0;
		if (a->kind != ATOM_NUMBER && !sieve_atom_word(w->state, a, &word) && w->bits[atom_bit(a)] == UNUSED)
			w->bits[atom_bit(a)] = w->bit_count++;
		return;
	}
	for (size_t i = 0; i < f->count; i++)
		note_bits(w, f->items[i]);
}

static void note_all_bits(struct writer *w)
{
	const struct sieve_rules *rules = &w->sieve->states[w->state];
	uint32_t count = plan_event_bit(w->sieve->plan) + w->sieve->plan->event_bits;
	w->bit_count = 0;
	for (uint32_t i = 0; i < count; i++)
		w->bits[i] = UNUSED;
	for (size_t i = 0; i < rules->count; i++) {
		note_bits(w, rules->rules[i].first);
		note_bits(w, rules->rules[i].exact);
	}
}

/* Of one text, those that are sought in one way. */
struct patterns {
	struct pattern *items;
	size_t count, capacity;
};

static void patterns_done(struct patterns *p)
{
	free(p->items);
}

static int patterns_add(struct patterns *p, enum pattern_kind kind, struct str text, uint32_t bit)
{
	if (p->count == p->capacity) {
		size_t capacity = p->capacity ? 2 * p->capacity : 64;
		struct pattern *items = reallocarray(p->items, capacity, sizeof(*items));
		if (!items)
			return -ENOMEM;
		p->items = items;
		p->capacity = capacity;
	}
	p->items[p->count++] = (struct pattern){.kind = kind, .text = text, .bit = bit};
	return 0;
}

static int patterns_add_group(struct writer *w, const struct plan_group *g, struct patterns *p)
{
	int r = 0;
	for (size_t i = 0; i < g->count && r == 0; i++)
		if (w->bits[g->patterns[i].bit] != UNUSED)
			r = patterns_add(p, g->patterns[i].kind, g->patterns[i].text, w->bits[g->patterns[i].bit]);
	return r;
}

/* Of a group, whose atoms ask for the same expression. */
static bool group_is_of_text(const struct writer *w, uint32_t group, enum sieve_text text)
{
	const struct plan *p = w->sieve->plan;
	enum sieve_text found;
	for (size_t i = 0; i < p->atom_count; i++)
		if (p->atoms[i].kind == ATOM_TEXT && p->atoms[i].group == group && !p->atoms[i].process &&
		    sieve_atom_text(w->state, &p->atoms[i], &found))
			return found == text;
	return false;
}

static int patterns_collect(struct writer *w, enum sieve_text text, enum group_kind kind, struct patterns *p)
{
	const struct plan *plan = w->sieve->plan;
	enum sieve_text found;
	int r = 0;
	for (uint32_t i = 0; i < plan->group_count && r == 0; i++)
		if (plan->groups[i].kind == kind && group_is_of_text(w, i, text))
			r = patterns_add_group(w, &plan->groups[i], p);
	for (size_t i = 0; kind == GROUP_BEGINS && i < plan->atom_count && r == 0; i++) {
		const struct atom *a = &plan->atoms[i];
		if (w->bits[a->bit] != UNUSED && sieve_atom_glob(w->state, a, &found) && found == text)
			r = patterns_add(p, PATTERN_PREFIX, sieve_glob_begin(a->test->operands[0].value.str),
			                 w->bits[a->bit]);
	}
	return r;
}

/* r8 and r9 become the text's. */
static void write_span(struct writer *w, enum sieve_text text)
{
	struct code *c = w->code;
	load_input(c, BPF_W, 8, 6, 8 * (size_t)text + offsetof(struct sieve_span, offset));
	load_input(c, BPF_W, 9, 6, 8 * (size_t)text + offsetof(struct sieve_span, length));
	code_jump_if(c, BPF_JGT, 9, SIEVE_TEXT_MAX, w->pass);
	code_alu(c, BPF_AND, 8, RECORD_MASK);
	code_alu(c, BPF_ADD, 8, SIEVE_RECORD_AT);
	code_alu_reg(c, BPF_ADD, 8, 7);
}

static int write_scan(struct writer *w, const struct pattern *patterns, size_t count)
{
	struct sieve *s = w->sieve;
	_cleanup_(scan_done) struct scan scan = {0};
	int r = s->table_count < RULE_SIEVE_TABLES_MAX ? scan_new(patterns, count, &scan) : -E2BIG;
	if (r < 0)
		return r;
	code_text_scan(w->code, &scan, MAP_TABLES + (uint32_t)s->table_count,
	               (int16_t)offsetof(struct sieve_input, results), SIEVE_TEXT_MAX);
	s->tables[s->table_count++] = (struct rule_sieve_table){TAKE_PTR(scan.table), scan.table_bytes};
	return 0;
}

static int write_patterns(struct writer *w, enum sieve_text text, enum group_kind kind)
{
	int16_t results = (int16_t)offsetof(struct sieve_input, results);
	_cleanup_(patterns_done) struct patterns p = {0};
	int r = patterns_collect(w, text, kind, &p);
	if (r < 0 || p.count == 0)
		return r;
	write_span(w, text);
	if (kind == GROUP_SCAN)
		return write_scan(w, p.items, p.count);
	if (kind == GROUP_BEGINS)
		code_text_begins(w->code, p.items, p.count, results, SIEVE_TEXT_MAX);
	else
		code_text_ends(w->code, p.items, p.count, results, SIEVE_TEXT_MAX);
	return 0;
}

static int write_compare(struct writer *w)
{
	int r = 0;
	for (unsigned text = 0; text < SIEVE_TEXTS && r == 0; text++) {
		r = write_patterns(w, text, GROUP_BEGINS);
		if (r == 0)
			r = write_patterns(w, text, GROUP_ENDS);
	}
	return r;
}

static int write_seek(struct writer *w)
{
	int r = 0;
	for (unsigned text = 0; text < SIEVE_TEXTS && r == 0; text++)
		r = write_patterns(w, text, GROUP_SCAN);
	return r;
}

/* ---- functions ---- */

static void write_return(struct writer *w, code_label l, uint64_t value)
{
	code_bind(w->code, l);
	code_constant(w->code, 0, value);
	code_exit(w->code);
}

static void write_clear(struct writer *w)
{
	code_constant(w->code, 0, 0);
	for (uint32_t i = 0; i < BIT_WORDS(w->bit_count); i++)
		code_store(w->code, BPF_DW, 7, (int16_t)(offsetof(struct sieve_input, results) + 8 * i), 0);
}

static void write_scratch(struct code *c, code_label none)
{
	code_call(c, HELPER_PROCESSOR);
	code_store(c, BPF_W, 10, STACK_KEY, 0);
	code_map(c, 1, MAP_SCRATCH);
	code_alu_reg(c, BPF_MOV, 2, 10);
	code_alu(c, BPF_ADD, 2, STACK_KEY);
	code_call(c, HELPER_MAP_LOOKUP);
	code_jump_if(c, BPF_JEQ, 0, 0, none);
	code_alu_reg(c, BPF_MOV, 7, 0);
}

static int write_seeking(struct writer *w)
{
	const struct sieve_rules *rules = &w->sieve->states[w->state];
	int r = write_seek(w);
	for (size_t i = 0; i < rules->count; i++)
		if (rules->rules[i].seeks)
			write_rule(w, &rules->rules[i]);
	code_jump(w->code, w->drop);
	return r;
}

/* r1: the name's number. Returns 1: pass. With external linkage, so that it is verified once for both names. */
static int write_state(struct writer *w, code_label function)
{
	const struct sieve_rules *rules = &w->sieve->states[w->state];
	struct code *c = w->code;
	code_label seek = code_label_new(c);
	bool seeks = false, always = false; /* always: whatever has been found before */
	w->pass = code_label_new(c);
	w->drop = code_label_new(c);
	note_all_bits(w);
	if (w->bit_count > SIEVE_RESULT_BITS)
		return -E2BIG;
	code_bind(c, function);
	code_alu_reg(c, BPF_MOV, 6, 1);
	code_alu(c, BPF_AND, 6, SIEVE_NAMES_MAX - 1);
	code_alu(c, BPF_MUL, 6, (int32_t)(SIEVE_TEXTS * sizeof(struct sieve_span)));
	write_scratch(c, w->pass);
	code_alu_reg(c, BPF_ADD, 6, 7);
	code_alu(c, BPF_ADD, 6, (int32_t)offsetof(struct sieve_input, texts));
	write_clear(w);
	int r = write_compare(w);
	for (size_t i = 0; i < rules->count; i++)
		if (!rules->rules[i].seeks)
			write_rule(w, &rules->rules[i]);
	for (size_t i = 0; i < rules->count; i++) {
		seeks |= rules->rules[i].seeks;
		always |= rules->rules[i].seeks && rules->rules[i].first->kind == FORMULA_TRUE;
	}
	for (size_t i = 0; i < rules->count && !always; i++)
		if (rules->rules[i].seeks)
			write_test(w, rules->rules[i].first, seek);
	if (always)
		code_jump(c, seek);
	write_return(w, w->drop, 0);
	code_bind(c, seek);
	if (r == 0 && seeks)
		r = write_seeking(w);
	write_return(w, w->pass, 1);
	return r;
}

/* ---- the program ---- */

static void write_tail_call(struct code *c, int32_t program, uint64_t otherwise)
{
	code_alu_reg(c, BPF_MOV, 1, 6);
	code_map(c, 2, MAP_PROGRAMS);
	code_alu(c, BPF_MOV, 3, program);
	code_call(c, HELPER_TAIL_CALL);
	code_constant(c, 0, otherwise);
	code_exit(c);
}

static void write_judge(struct code *c, code_label function, unsigned name, code_label pass)
{
	code_alu(c, BPF_MOV, 1, (int32_t)name);
	code_call_label(c, function);
	code_jump_if(c, BPF_JNE, 0, 0, pass);
}

/* Whatever the event and the process: a rule is true for which there is no bit of the process. */
static bool always_passes(const struct sieve_rules *rules)
{
	for (size_t i = 0; i < rules->count; i++)
		if (rules->rules[i].number >= SIEVE_RULES_MAX && rules->rules[i].exact->kind == FORMULA_TRUE)
			return true;
	return false;
}

static void write_main(struct sieve *s, code_label functions[SIEVE_STATES])
{
	struct code *c = &s->code;
	code_label pass = code_label_new(c), drop = code_label_new(c);
	code_alu_reg(c, BPF_MOV, 6, 1);
	write_scratch(c, pass);
	code_constant(c, 0, 1);
	code_store(c, BPF_W, 7, (int16_t)offsetof(struct sieve_input, by_file), 0);
	for (unsigned state = 0; state < SIEVE_STATES; state++) {
		if (!sieve_has_state(s, state) || always_passes(&s->states[state]))
			continue;
		load_input(c, BPF_W, 1, 7, offsetof(struct sieve_input, state));
		if (s->states[state].count == 0) {
			code_jump_if(c, BPF_JEQ, 1, (int32_t)state, drop);
			continue;
		}
		code_label next = code_label_new(c);
		code_jump_if(c, BPF_JNE, 1, (int32_t)state, next);
		write_judge(c, functions[state], 0, pass);
		load_input(c, BPF_W, 1, 7, offsetof(struct sieve_input, names));
		code_jump_if(c, BPF_JEQ, 1, 1, drop);
		write_judge(c, functions[state], 1, pass);
		code_jump(c, drop);
		code_bind(c, next);
	}
	code_bind(c, pass);
	write_tail_call(c, SIEVE_PASS, 1);
	code_bind(c, drop);
	write_tail_call(c, SIEVE_DROP, 0);
}

int sieve_write(struct sieve *s)
{
	size_t bits = plan_event_bit(s->plan) + s->plan->event_bits;
	_cleanup_(base_free_ptr) uint32_t *map = calloc(bits + 1, sizeof(*map));
	struct writer w = {.sieve = s, .code = &s->code, .bits = map};
	code_label functions[SIEVE_STATES];
	int r = map ? 0 : -ENOMEM;
	s->code.kernel = true;
	for (unsigned state = 0; state < SIEVE_STATES; state++)
		functions[state] = code_label_new(&s->code);
	write_main(s, functions);
	for (unsigned state = 0; state < SIEVE_STATES && r == 0; state++) {
		w.state = state;
		if (sieve_has_state(s, state) && s->states[state].count > 0 && !always_passes(&s->states[state]))
			r = write_state(&w, functions[state]);
	}
	return r < 0 ? r : code_finish(&s->code);
}
