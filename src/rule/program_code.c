/* SPDX-License-Identifier: Apache-2.0
 *
 * The program of a type of events. r7: map 0's value, all the time.
 *
 *	for each rule: is it live? decide its formula; set its bit
 *	functions: each decides all atoms of one group of patterns
 *
 * An atom is decided when a formula first asks for it; the formula's order puts what is cheap first.
 */
#include "rule/program_int.h"

#include <errno.h>
#include <linux/bpf.h>
#include <stdlib.h>

#define WORD_BITS 32 /* of what is loaded at once to test a bit: an immediate has as many */

struct writer {
	const struct plan *plan;
	const struct program_layout *layout;
	const struct scan *scans;
	const uint32_t *scan_maps;
	struct code *code;
	code_label *groups; /* by group: its function */
	bool *group_used;
};

/* Where a formula's answer leads. next: which of both stands right behind. */
struct exits {
	code_label yes, no, next;
};

int program_layout(const struct plan *p, size_t rules, struct program_layout *ret_layout)
{
	uint32_t bits = 8 * BIT_WORDS(plan_event_bit(p) + p->event_bits);
	uint32_t type = 8 * (uint32_t)BIT_WORDS(rules), numbers = 8 * (uint32_t)p->number_count;
	struct program_layout l = {0};
	l.known = l.results + bits;
	l.states = l.known + bits;
	l.matched = l.states + numbers;
	l.live = l.matched + type;
	l.first = l.live + type;
	l.numbers = l.first + 8;
	l.text = l.numbers + numbers + PATTERN_PADDING;
	l.bytes = l.text + PROGRAM_TEXT_MAX + PATTERN_PADDING;
	if (l.numbers + numbers > INT16_MAX - 8) /* what a load's offset reaches */
		return -E2BIG;
	*ret_layout = l;
	return 0;
}

static void jump_unless_next(struct writer *w, code_label to, code_label next)
{
	if (to != next)
		code_jump(w->code, to);
}

/* r0 = the word that holds the bit; its mask. Bits of 8-byte words lie in the same bytes as those of 4-byte words, on a
 * machine of little endian; on another the halves are exchanged. */
static int32_t load_bit_word(struct writer *w, uint32_t at, uint32_t bit)
{
	uint32_t word = bit / WORD_BITS;
	if (__BYTE_ORDER__ == __ORDER_BIG_ENDIAN__)
		word ^= 1;
	code_load(w->code, BPF_W, 0, 7, (int16_t)(at + 4 * word));
	return (int32_t)(1u << bit % WORD_BITS);
}

static void jump_by_bit(struct writer *w, uint32_t at, uint32_t bit, const struct exits *e)
{
	int32_t mask = load_bit_word(w, at, bit);
	code_jump_if(w->code, BPF_JSET, 0, mask, e->yes);
	jump_unless_next(w, e->no, e->next);
}

/* ---- atoms ---- */

static void write_text(struct writer *w, const struct atom *a, const struct exits *e)
{
	code_label known = code_label_new(w->code);
	w->group_used[a->group] = true;
	code_jump_if(w->code, BPF_JSET, 0, load_bit_word(w, w->layout->known, a->bit), known);
	code_call_label(w->code, w->groups[a->group]);
	code_bind(w->code, known);
	jump_by_bit(w, w->layout->results, a->bit, e);
}

static void write_test_call(struct writer *w, const struct atom *a, const struct exits *e)
{
	code_constant(w->code, 1, (uint64_t)(a - w->plan->atoms));
	code_call(w->code, RULE_HELPER_TEST);
	code_jump_if(w->code, BPF_JNE, 0, 0, e->yes);
	jump_unless_next(w, e->no, e->next);
}

static void write_other(struct writer *w, const struct atom *a, const struct exits *e)
{
	code_label known = code_label_new(w->code);
	code_jump_if(w->code, BPF_JSET, 0, load_bit_word(w, w->layout->known, a->bit), known);
	write_test_call(w, a, &(struct exits){e->yes, e->no, known});
	code_bind(w->code, known);
	jump_by_bit(w, w->layout->results, a->bit, e);
}

static uint8_t jump_of(enum cond_op op)
{
	switch (op) {
	case OP_NE:
		return BPF_JNE;
	case OP_LT:
		return BPF_JSLT;
	case OP_LE:
		return BPF_JSLE;
	case OP_GT:
		return BPF_JSGT;
	case OP_GE:
		return BPF_JSGE;
	default:
		return BPF_JEQ;
	}
}

/* r1: the number. */
static void compare_number(struct writer *w, const struct cond_test *t, code_label yes)
{
	for (size_t i = 0; i < t->literal_count; i++) {
		int64_t number = 0;
		(void)literal_number(&t->operands[i].value, &number);
		if (number == (int32_t)number) {
			code_jump_if(w->code, jump_of(t->op), 1, (int32_t)number, yes);
			continue;
		}
		code_constant(w->code, 2, (uint64_t)number);
		code_jump_if_reg(w->code, jump_of(t->op), 1, 2, yes);
	}
}

static void write_number(struct writer *w, const struct atom *a, const struct exits *e)
{
	struct code *c = w->code;
	code_label have = code_label_new(c), other = code_label_new(c);
	code_load(c, BPF_DW, 0, 7, (int16_t)(w->layout->states + 8 * a->input));
	code_jump_if(c, BPF_JNE, 0, NUMBER_UNKNOWN, have);
	code_constant(c, 1, a->input);
	code_call(c, RULE_HELPER_NUMBER);
	code_bind(c, have);
	code_jump_if(c, BPF_JEQ, 0, NUMBER_NULL, e->no);
	code_jump_if(c, BPF_JEQ, 0, NUMBER_OTHER, other);
	if (a->test->op == OP_EXISTS) {
		code_jump(c, e->yes);
	} else {
		code_load(c, BPF_DW, 1, 7, (int16_t)(w->layout->numbers + 8 * a->input));
		compare_number(w, a->test, e->yes);
		code_jump(c, e->no);
	}
	code_bind(c, other);
	write_other(w, a, e);
}

static void write_atom(struct writer *w, const struct atom *a, const struct exits *e)
{
	switch (a->kind) {
	case ATOM_TEXT:
		write_text(w, a, e);
		break;
	case ATOM_NUMBER:
		write_number(w, a, e);
		break;
	case ATOM_OTHER:
		write_other(w, a, e);
		break;
	}
}

/* ---- formulas ---- */

static void write_formula(struct writer *w, const struct formula *f, const struct exits *e)
{
	switch (f->kind) {
	case FORMULA_FALSE:
		jump_unless_next(w, e->no, e->next);
		break;
	case FORMULA_TRUE:
		jump_unless_next(w, e->yes, e->next);
		break;
	case FORMULA_ATOM:
		code_mark(w->code, CODE_MARK_ATOM, f->atom);
		if (w->plan->atoms[f->atom].process)
			jump_by_bit(w, w->layout->results, w->plan->atoms[f->atom].bit, e);
		else
			write_atom(w, &w->plan->atoms[f->atom], e);
		break;
	case FORMULA_NOT:
		write_formula(w, f->items[0], &(struct exits){e->no, e->yes, e->next});
		break;
	case FORMULA_AND:
	case FORMULA_OR:
		for (size_t i = 0; i + 1 < f->count; i++) {
			code_label next = code_label_new(w->code);
			struct exits item = f->kind == FORMULA_AND ? (struct exits){next, e->no, next}
			                                           : (struct exits){e->yes, next, next};
			write_formula(w, f->items[i], &item);
			code_bind(w->code, next);
		}
		write_formula(w, f->items[f->count - 1], e);
		break;
	}
}

/* ---- rules ---- */

/* r0 = a word of 8 bytes with one more bit. */
static void set_bits(struct writer *w, uint32_t at, uint64_t bits)
{
	code_load(w->code, BPF_DW, 0, 7, (int16_t)at);
	code_constant(w->code, 1, bits);
	code_alu_reg(w->code, BPF_OR, 0, 1);
	code_store(w->code, BPF_DW, 7, (int16_t)at, 0);
}

static void write_rule(struct writer *w, uint32_t index, const struct program_rule *rule, code_label end)
{
	struct code *c = w->code;
	code_label live = code_label_new(c), yes = code_label_new(c), no = code_label_new(c);
	code_mark(c, CODE_MARK_RULE, index);
	jump_by_bit(w, w->layout->live, index, &(struct exits){live, no, live});
	code_bind(c, live);
	write_formula(w, rule->formula, &(struct exits){yes, no, yes});
	code_bind(c, yes);
	code_mark(c, CODE_MARK_MATCH, index);
	set_bits(w, w->layout->matched + 8 * (index / 64), 1ull << index % 64);
	code_load(c, BPF_DW, 0, 7, (int16_t)w->layout->first);
	code_jump_if(c, BPF_JNE, 0, 0, end);
	code_bind(c, no);
}

static void write_begin(struct writer *w)
{
	code_map_value(w->code, 7, 0, 0);
}

static void write_rules(struct writer *w, const struct program_rule *rules, size_t count)
{
	struct code *c = w->code;
	code_label end = code_label_new(c), skip = 0;
	write_begin(w);
	for (uint32_t i = 0; i < count; i++) {
		if (i % WORD_BITS == 0) {
			if (i)
				code_bind(c, skip);
			skip = code_label_new(c);
			code_mark(c, CODE_MARK_FRAME, 0);
			(void)load_bit_word(w, w->layout->live, i);
			code_jump_if(c, BPF_JEQ, 0, 0, skip);
		}
		write_rule(w, i, &rules[i], end);
	}
	if (count)
		code_bind(c, skip);
	code_mark(c, CODE_MARK_FRAME, 0);
	code_bind(c, end);
	code_constant(c, 0, 0);
	code_exit(c);
}

/* ---- groups ---- */

static void write_patterns(struct writer *w, uint32_t group)
{
	const struct plan_group *g = &w->plan->groups[group];
	int16_t results = (int16_t)w->layout->results;
	switch (g->kind) {
	case GROUP_BEGINS:
		code_text_begins(w->code, g->patterns, g->count, results, PROGRAM_TEXT_MAX);
		break;
	case GROUP_ENDS:
		code_text_ends(w->code, g->patterns, g->count, results, PROGRAM_TEXT_MAX);
		break;
	default:
		code_text_scan(w->code, &w->scans[group], w->scan_maps[group], results, PROGRAM_TEXT_MAX);
		break;
	}
}

/* What has none of the patterns holds. */
static void write_negated(struct writer *w, const struct atom *a)
{
	code_label no = code_label_new(w->code);
	code_jump_if(w->code, BPF_JSET, 0, load_bit_word(w, w->layout->results, a->bit + 1), no);
	set_bits(w, w->layout->results + 8 * (a->bit / 64), 1ull << a->bit % 64);
	code_bind(w->code, no);
}

/* The atoms' bits, 8-byte words at once. */
static void write_known(struct writer *w, uint32_t group)
{
	for (uint32_t word = 0; word < BIT_WORDS(plan_event_bit(w->plan) + w->plan->event_bits); word++) {
		uint64_t bits = 0;
		for (size_t i = 0; i < w->plan->atom_count; i++) {
			const struct atom *a = &w->plan->atoms[i];
			if (a->kind == ATOM_TEXT && a->group == group && a->bit / 64 == word)
				bits |= 1ull << a->bit % 64;
		}
		if (bits)
			set_bits(w, w->layout->known + 8 * word, bits);
	}
}

static void write_group(struct writer *w, uint32_t group)
{
	struct code *c = w->code;
	code_label decided = code_label_new(c);
	code_mark(c, CODE_MARK_GROUP, group);
	code_bind(c, w->groups[group]);
	write_begin(w);
	code_constant(c, 1, w->plan->groups[group].input);
	code_call(c, RULE_HELPER_TEXT);
	code_jump_if(c, BPF_JGT, 0, PROGRAM_TEXT_MAX, decided);
	code_alu_reg(c, BPF_MOV, 9, 0);
	code_map_value(c, 8, 0, w->layout->text);
	write_patterns(w, group);
	for (size_t i = 0; i < w->plan->atom_count; i++)
		if (w->plan->atoms[i].negated && w->plan->atoms[i].group == group)
			write_negated(w, &w->plan->atoms[i]);
	code_bind(c, decided);
	write_known(w, group);
	code_constant(c, 0, 0);
	code_exit(c);
}

/* ---- programs ---- */

static int writer_init(struct writer *w)
{
	w->groups = calloc(w->plan->group_count + 1, sizeof(*w->groups));
	w->group_used = calloc(w->plan->group_count + 1, sizeof(*w->group_used));
	if (!w->groups || !w->group_used)
		return -ENOMEM;
	for (size_t i = 0; i < w->plan->group_count; i++)
		w->groups[i] = code_label_new(w->code);
	return 0;
}

static int writer_finish(struct writer *w)
{
	for (uint32_t i = 0; i < w->plan->group_count; i++)
		if (w->group_used[i])
			write_group(w, i);
	return code_finish(w->code);
}

static void writer_done(struct writer *w)
{
	free(w->groups);
	free(w->group_used);
}

int program_write(const struct plan *p, const struct program_layout *layout, const struct program_rule *rules,
                  size_t rule_count, const struct scan *scans, const uint32_t *scan_maps, struct code *c)
{
	_cleanup_(writer_done) struct writer w = {
	        .plan = p, .layout = layout, .scans = scans, .scan_maps = scan_maps, .code = c};
	int r = writer_init(&w);
	if (r < 0)
		return r;
	write_rules(&w, rules, rule_count);
	return writer_finish(&w);
}

/* A text's atoms come with its groups; each of the others sets its own bit. */
static void write_process(struct writer *w)
{
	struct code *c = w->code;
	write_begin(w);
	for (uint32_t i = 0; i < w->plan->group_count; i++) {
		w->group_used[i] = w->plan->groups[i].process;
		if (w->group_used[i])
			code_call_label(c, w->groups[i]);
	}
	for (size_t i = 0; i < w->plan->atom_count; i++) {
		const struct atom *a = &w->plan->atoms[i];
		code_label yes, no;
		if (!a->process || a->kind == ATOM_TEXT)
			continue;
		yes = code_label_new(c);
		no = code_label_new(c);
		code_mark(c, CODE_MARK_ATOM, (uint32_t)i);
		write_atom(w, a, &(struct exits){yes, no, yes});
		code_bind(c, yes);
		set_bits(w, w->layout->results + 8 * (a->bit / 64), 1ull << a->bit % 64);
		code_bind(c, no);
	}
	code_mark(c, CODE_MARK_FRAME, 0);
	code_constant(c, 0, 0);
	code_exit(c);
}

int program_write_process(const struct plan *p, const struct program_layout *layout, const struct scan *scans,
                          const uint32_t *scan_maps, struct code *c)
{
	_cleanup_(writer_done) struct writer w = {
	        .plan = p, .layout = layout, .scans = scans, .scan_maps = scan_maps, .code = c};
	int r = writer_init(&w);
	if (r < 0)
		return r;
	write_process(&w);
	return writer_finish(&w);
}
