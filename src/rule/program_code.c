/* SPDX-License-Identifier: Apache-2.0
 *
 * The program of a type of events. r7: map 0's value, all the time.
 *
 *	the index: which rules need not be entered
 *	for each rule that is left: decide its formula; set its bit
 *	functions: each decides all atoms of one group of patterns, or of one set of numbers
 *
 * An atom is decided when a formula first asks for it; the formula's order puts what is cheap first.
 */
#include "rule/code_formula.h"
#include "rule/program_index.h"

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
	code_label *functions; /* by group, by set behind them: what decides its atoms */
	bool *used;
};

int program_layout(const struct plan *p, size_t rules, struct program_layout *ret_layout)
{
	uint32_t bits = 8 * BIT_WORDS(plan_event_bit(p) + p->event_bits);
	uint32_t type = 8 * (uint32_t)BIT_WORDS(rules), numbers = 8 * (uint32_t)p->number_count;
	struct program_layout l = {0};
	l.results = l.known + 8 * BIT_WORDS(p->known_bits);
	l.states = l.results + bits;
	l.text_there = l.states + numbers;
	l.matched = l.text_there + 8;
	l.entered = l.matched + type;
	l.left = l.entered + type;
	l.driven = l.left + 8;
	l.blocks = l.driven + 8;
	l.live = l.blocks + 8;
	l.first = l.live + type;
	l.numbers = l.first + 8;
	l.text_length = l.numbers + numbers;
	l.text = l.text_length + 8 + PATTERN_PADDING;
	l.bytes = l.text + PROGRAM_TEXT_MAX + PATTERN_PADDING;
	if (l.text_length > INT16_MAX - 8) /* what a load's offset reaches */
		return -E2BIG;
	*ret_layout = l;
	return 0;
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
	code_jump_unless_next(w->code, e->no, e->next);
}

/* ---- atoms ---- */

/* Unless it has been done for this event. function: of a group or a set, whose number among them is its bit's. */
static void write_seek(struct writer *w, uint32_t function)
{
	code_label known = code_label_new(w->code);
	w->used[function] = true;
	code_jump_if(w->code, BPF_JSET, 0, load_bit_word(w, w->layout->known, function), known);
	code_call_label(w->code, w->functions[function]);
	code_bind(w->code, known);
}

/* What a group or a set decides. */
static void write_sought(struct writer *w, const struct atom *a, const struct exits *e)
{
	write_seek(w, a->known);
	jump_by_bit(w, w->layout->results, a->bit, e);
}

static void write_test_call(struct writer *w, const struct atom *a, const struct exits *e)
{
	code_constant(w->code, 1, (uint64_t)(a - w->plan->atoms));
	code_call(w->code, RULE_HELPER_TEST);
	code_jump_if(w->code, BPF_JNE, 0, 0, e->yes);
	code_jump_unless_next(w->code, e->no, e->next);
}

static void write_other(struct writer *w, const struct atom *a, const struct exits *e)
{
	code_label known = code_label_new(w->code);
	code_jump_if(w->code, BPF_JSET, 0, load_bit_word(w, w->layout->known, a->known), known);
	write_test_call(w, a, &(struct exits){e->yes, e->no, known});
	code_bind(w->code, known);
	jump_by_bit(w, w->layout->results, a->bit, e);
}

/* r0 = its state. */
static void write_number_state(struct writer *w, uint32_t input)
{
	struct code *c = w->code;
	code_label have = code_label_new(c);
	code_load(c, BPF_DW, 0, 7, (int16_t)(w->layout->states + 8 * input));
	code_jump_if(c, BPF_JNE, 0, NUMBER_UNKNOWN, have);
	code_constant(c, 1, input);
	code_call(c, RULE_HELPER_NUMBER);
	code_bind(c, have);
}

static void write_number(struct writer *w, const struct atom *a, const struct exits *e)
{
	struct code *c = w->code;
	code_label other = code_label_new(c);
	write_number_state(w, a->input);
	code_jump_if(c, BPF_JEQ, 0, NUMBER_NULL, e->no);
	code_jump_if(c, BPF_JEQ, 0, NUMBER_OTHER, other);
	if (a->test->op == OP_EXISTS) {
		code_jump(c, e->yes);
	} else {
		code_load(c, BPF_DW, 1, 7, (int16_t)(w->layout->numbers + 8 * a->input));
		code_compare_literals(c, a->test, e->yes);
		code_jump(c, e->no);
	}
	code_bind(c, other);
	write_other(w, a, e);
}

static void write_atom(struct writer *w, const struct atom *a, const struct exits *e)
{
	switch (a->kind) {
	case ATOM_TEXT:
		write_sought(w, a, e);
		break;
	case ATOM_NUMBER:
		if (a->set)
			write_sought(w, a, e);
		else
			write_number(w, a, e);
		break;
	case ATOM_OTHER:
		write_other(w, a, e);
		break;
	}
}

/* ---- formulas ---- */

static void write_atom_of_formula(void *userdata, uint32_t atom, const struct exits *e)
{
	struct writer *w = userdata;
	const struct atom *a = &w->plan->atoms[atom];
	code_mark(w->code, CODE_MARK_ATOM, atom);
	if (a->deferred)
		write_other(w, a, e); /* the helper has it decided by the program of processes */
	else if (a->process)
		jump_by_bit(w, w->layout->results, a->bit, e);
	else
		write_atom(w, a, e);
}

static void write_formula(struct writer *w, const struct formula *f, const struct exits *e)
{
	code_formula(w->code, f, e, write_atom_of_formula, w);
}

/* ---- the index ---- */

struct stage {
	const struct program_index *index;
	size_t rules;   /* of the type */
	code_label end; /* of the program */
};

/* Which blocks are left lies in memory: a verifier would follow each way that leaves others in a register. */
static void load_left(struct writer *w)
{
	code_load(w->code, BPF_DW, 0, 7, (int16_t)w->layout->left);
}

/* r0. */
static void store_left(struct writer *w)
{
	code_store(w->code, BPF_DW, 7, (int16_t)w->layout->left, 0);
}

/* Of the blocks, none is left: then to `skip`. */
static void jump_unless_any(struct writer *w, uint32_t blocks, code_label skip)
{
	code_label some = code_label_new(w->code);
	load_left(w);
	code_jump_if(w->code, BPF_JSET, 0, (int32_t)blocks, some);
	code_jump(w->code, skip);
	code_bind(w->code, some);
}

/* asked: if one of these blocks is left, which are some of the guard's, or all. */
static void write_guard(struct writer *w, const struct index_guard *g, uint32_t asked)
{
	code_label skip = code_label_new(w->code), fails = code_label_new(w->code);
	jump_unless_any(w, asked, skip);
	write_formula(w, g->formula, &(struct exits){skip, fails, fails});
	code_bind(w->code, fails);
	code_mark(w->code, CODE_MARK_FRAME, 0);
	load_left(w);
	code_alu(w->code, BPF_AND, 0, ~(int32_t)g->blocks);
	store_left(w);
	code_bind(w->code, skip);
}

/* The functions of one text, or of one number, have the same. */
static uint64_t function_input(const struct plan *p, uint32_t function)
{
	if (function < p->group_count)
		return p->groups[function].input;
	return 1ull << 32 | p->sets[function - p->group_count].input;
}

/* Blocks that have what is compared there sought for something that drives them. */
static uint32_t blocks_of_input(const struct writer *w, const struct stage *s, uint64_t input)
{
	uint32_t blocks = 0;
	for (uint32_t i = 0; i < plan_functions(w->plan); i++)
		if (function_input(w->plan, i) == input)
			blocks |= s->index->driven[i];
	return blocks;
}

/* For which of its blocks a guard is asked for before drivers are sought: those without drivers ask for it in any case, and
 * for others it may save getting what they seek in. */
static uint32_t blocks_asking_first(const struct writer *w, const struct stage *s, const struct index_guard *g)
{
	uint32_t blocks = g->blocks & s->index->undriven;
	for (uint32_t i = 0; i < plan_functions(w->plan); i++)
		if (s->index->driven[i] && !(blocks_of_input(w, s, function_input(w->plan, i)) & ~g->blocks))
			blocks |= s->index->driven[i];
	return blocks;
}

static void write_guards(struct writer *w, const struct stage *s, bool first)
{
	for (uint32_t i = 0; i < s->index->guard_count; i++) {
		const struct index_guard *g = &s->index->guards[i];
		uint32_t asking = blocks_asking_first(w, s, g);
		uint32_t asked = first ? asking : g->blocks & ~asking;
		if (asked)
			write_guard(w, g, asked);
	}
	load_left(w);
	code_jump_if(w->code, BPF_JEQ, 0, 0, s->end);
}

static struct bit_range function_bits(const struct plan *p, uint32_t function)
{
	return function < p->group_count ? p->groups[function].bits : p->sets[function - p->group_count].bits;
}

/* Those bits of a word of 8 bytes that are in the range. */
static uint64_t word_mask(struct bit_range range, uint32_t word)
{
	uint64_t mask = UINT64_MAX;
	if (range.first > 64 * word)
		mask <<= range.first - 64 * word;
	if (range.end < 64 * (word + 1))
		mask &= UINT64_MAX >> (64 * (word + 1) - range.end);
	return mask;
}

/* r1: not 0 if an atom of the function that drives rules holds. */
static void write_any_driving(struct writer *w, const struct stage *s, struct bit_range bits)
{
	code_constant(w->code, 1, 0);
	for (uint32_t word = bits.first / 64; word <= (bits.end - 1) / 64; word++) {
		uint64_t mask = s->index->driving[word] & word_mask(bits, word);
		if (!mask)
			continue;
		code_load(w->code, BPF_DW, 0, 7, (int16_t)(w->layout->results + 8 * word));
		code_constant(w->code, 2, mask);
		code_alu_reg(w->code, BPF_AND, 0, 2);
		code_alu_reg(w->code, BPF_OR, 1, 0);
	}
}

/* Blocks that need no driver are left, and those that have found one. */
static void write_drivers(struct writer *w, const struct stage *s)
{
	const struct program_index *x = s->index;
	int16_t driven = (int16_t)w->layout->driven;
	if (!x->driver_count)
		return;
	code_constant(w->code, 0, x->undriven);
	code_store(w->code, BPF_DW, 7, driven, 0);
	for (uint32_t i = 0; i < plan_functions(w->plan); i++) {
		code_label none = code_label_new(w->code);
		if (x->driven[i]) {
			jump_unless_any(w, x->driven[i], none);
			write_seek(w, i);
			write_any_driving(w, s, function_bits(w->plan, i));
			code_jump_if(w->code, BPF_JEQ, 1, 0, none);
			code_load(w->code, BPF_DW, 0, 7, driven);
			code_alu(w->code, BPF_OR, 0, (int32_t)x->driven[i]);
			code_store(w->code, BPF_DW, 7, driven, 0);
		}
		code_bind(w->code, none);
	}
	load_left(w);
	code_load(w->code, BPF_DW, 1, 7, driven);
	code_alu_reg(w->code, BPF_AND, 0, 1);
	store_left(w);
}

static void enter_rules(struct writer *w, uint32_t word, uint32_t mask)
{
	uint32_t at = w->layout->entered + 4 * (__BYTE_ORDER__ == __ORDER_BIG_ENDIAN__ ? word ^ 1 : word);
	code_load(w->code, BPF_W, 1, 7, (int16_t)at);
	code_alu(w->code, BPF_OR, 1, (int32_t)mask);
	code_store(w->code, BPF_W, 7, (int16_t)at, 1);
}

static void enter_undriven(struct writer *w, const struct stage *s, uint32_t block)
{
	for (uint32_t word = 0; WORD_BITS * word < s->rules; word++) {
		uint32_t mask = 0;
		for (uint32_t i = 0; i < WORD_BITS && WORD_BITS * word + i < s->rules; i++)
			mask |= (uint32_t)(s->index->block_of[WORD_BITS * word + i] == block) << i;
		if (mask)
			enter_rules(w, word, mask);
	}
}

/* How many of the drivers, all of one block, are of the first one's atom, or of atoms in the same word. */
static size_t drivers_alike(const struct index_driver *d, size_t count, uint32_t bits)
{
	size_t alike = 1;
	while (alike < count && d[alike].block == d->block && d[alike].bit / bits == d->bit / bits)
		alike++;
	return alike;
}

/* Drivers in one word: those that hold enter their rules. */
static void enter_by_word(struct writer *w, const struct index_driver *d, size_t count)
{
	code_label none = code_label_new(w->code), some = code_label_new(w->code);
	uint32_t mask = 0;
	for (size_t i = 0; i < count; i++)
		mask |= 1u << d[i].bit % WORD_BITS;
	(void)load_bit_word(w, w->layout->results, d->bit);
	code_jump_if(w->code, BPF_JSET, 0, (int32_t)mask, some);
	code_jump(w->code, none);
	code_bind(w->code, some);
	for (size_t i = 0, alike; i < count; i += alike) {
		code_label yes = code_label_new(w->code), no = code_label_new(w->code);
		alike = drivers_alike(&d[i], count - i, 1);
		code_jump_if(w->code, BPF_JSET, 0, (int32_t)(1u << d[i].bit % WORD_BITS), yes);
		code_jump(w->code, no);
		code_bind(w->code, yes);
		for (size_t k = i; k < i + alike; k++)
			enter_rules(w, d[k].rule / WORD_BITS, 1u << d[k].rule % WORD_BITS);
		code_bind(w->code, no);
	}
	code_bind(w->code, none);
}

/* Which rules of the blocks that are left. */
static void write_entering(struct writer *w, const struct stage *s)
{
	const struct program_index *x = s->index;
	size_t driver = 0;
	for (uint32_t block = 0; block < x->block_count; block++) {
		code_label next = code_label_new(w->code);
		jump_unless_any(w, 1u << block, next);
		if (x->undriven >> block & 1)
			enter_undriven(w, s, block);
		while (driver < x->driver_count && x->drivers[driver].block == block) {
			size_t count = drivers_alike(&x->drivers[driver], x->driver_count - driver, WORD_BITS);
			enter_by_word(w, &x->drivers[driver], count);
			driver += count;
		}
		code_bind(w->code, next);
	}
}

static void write_index(struct writer *w, const struct stage *s)
{
	code_load(w->code, BPF_DW, 0, 7, (int16_t)w->layout->blocks);
	store_left(w);
	write_guards(w, s, true);
	write_drivers(w, s);
	write_guards(w, s, false);
	write_entering(w, s);
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
	code_label entered = code_label_new(c), yes = code_label_new(c), no = code_label_new(c);
	code_mark(c, CODE_MARK_RULE, index);
	jump_by_bit(w, w->layout->entered, index, &(struct exits){entered, no, entered});
	code_bind(c, entered);
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

/* Of a word's rules that the index left, those that are live. */
static void write_live(struct writer *w, uint32_t rule, code_label none)
{
	uint32_t word = rule / WORD_BITS;
	if (__BYTE_ORDER__ == __ORDER_BIG_ENDIAN__)
		word ^= 1;
	code_load(w->code, BPF_W, 0, 7, (int16_t)(w->layout->entered + 4 * word));
	code_load(w->code, BPF_W, 1, 7, (int16_t)(w->layout->live + 4 * word));
	code_alu_reg(w->code, BPF_AND, 0, 1);
	code_jump_if(w->code, BPF_JEQ, 0, 0, none);
	code_store(w->code, BPF_W, 7, (int16_t)(w->layout->entered + 4 * word), 0);
}

static void write_clear(struct writer *w, uint32_t at, size_t rules)
{
	for (size_t i = 0; i < BIT_WORDS(rules); i++)
		code_store(w->code, BPF_DW, 7, (int16_t)(at + 8 * i), 0);
}

static void write_rules(struct writer *w, const struct program_index *index, const struct program_rule *rules,
                        size_t count)
{
	struct code *c = w->code;
	struct stage stage = {index, count, code_label_new(c)};
	code_label none = 0;
	write_begin(w);
	code_mark(c, CODE_MARK_FRAME, 0);
	code_constant(c, 0, 0);
	write_clear(w, w->layout->matched, count);
	write_clear(w, w->layout->entered, count);
	write_index(w, &stage);
	for (uint32_t i = 0; i < count; i++) {
		if (i % WORD_BITS == 0) {
			if (i)
				code_bind(c, none);
			none = code_label_new(c);
			code_mark(c, CODE_MARK_FRAME, 0);
			write_live(w, i, none);
		}
		write_rule(w, i, &rules[i], stage.end);
	}
	if (count)
		code_bind(c, none);
	code_mark(c, CODE_MARK_FRAME, 0);
	code_bind(c, stage.end);
	code_constant(c, 0, 0);
	code_exit(c);
}

/* ---- groups and sets ---- */

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

static void write_function_end(struct writer *w, uint32_t known)
{
	set_bits(w, w->layout->known + 8 * (known / 64), 1ull << known % 64);
	code_constant(w->code, 0, 0);
	code_exit(w->code);
}

/* r0: the text's length, once it is at hand. */
static void write_text(struct writer *w, uint32_t input)
{
	struct code *c = w->code;
	code_label get = code_label_new(c), have = code_label_new(c);
	code_load(c, BPF_DW, 0, 7, (int16_t)w->layout->text_there);
	code_jump_if(c, BPF_JNE, 0, (int32_t)input + 1, get);
	code_load(c, BPF_DW, 0, 7, (int16_t)w->layout->text_length);
	code_jump(c, have);
	code_bind(c, get);
	code_constant(c, 1, input);
	code_call(c, RULE_HELPER_TEXT);
	code_bind(c, have);
}

static void write_group(struct writer *w, uint32_t group)
{
	struct code *c = w->code;
	code_label decided = code_label_new(c);
	code_mark(c, CODE_MARK_GROUP, group);
	code_bind(c, w->functions[group]);
	write_begin(w);
	write_text(w, w->plan->groups[group].input);
	code_jump_if(c, BPF_JGT, 0, PROGRAM_TEXT_MAX, decided);
	code_alu_reg(c, BPF_MOV, 9, 0);
	code_map_value(c, 8, 0, w->layout->text);
	write_patterns(w, group);
	for (size_t i = 0; i < w->plan->atom_count; i++)
		if (w->plan->atoms[i].negated && w->plan->atoms[i].group == group)
			write_negated(w, &w->plan->atoms[i]);
	code_bind(c, decided);
	write_function_end(w, group);
}

/* Of a value that is no whole number the helper decides all its atoms. */
static void write_set(struct writer *w, uint32_t set)
{
	const struct plan_set *s = &w->plan->sets[set];
	struct code *c = w->code;
	code_label decided = code_label_new(c);
	code_mark(c, CODE_MARK_SET, set);
	code_bind(c, w->functions[s->known]);
	write_begin(w);
	write_number_state(w, s->input);
	code_jump_if(c, BPF_JNE, 0, NUMBER_KNOWN, decided);
	code_load(c, BPF_DW, 1, 7, (int16_t)(w->layout->numbers + 8 * s->input));
	code_numbers(c, s->numbers, s->count, (int16_t)w->layout->results);
	code_bind(c, decided);
	write_function_end(w, s->known);
}

/* ---- programs ---- */

static int writer_init(struct writer *w)
{
	w->functions = calloc(plan_functions(w->plan) + 1, sizeof(*w->functions));
	w->used = calloc(plan_functions(w->plan) + 1, sizeof(*w->used));
	if (!w->functions || !w->used)
		return -ENOMEM;
	for (size_t i = 0; i < plan_functions(w->plan); i++)
		w->functions[i] = code_label_new(w->code);
	return 0;
}

static int writer_finish(struct writer *w)
{
	const struct plan *p = w->plan;
	for (uint32_t i = 0; i < p->group_count; i++)
		if (w->used[i])
			write_group(w, i);
	for (uint32_t i = 0; i < p->set_count; i++)
		if (w->used[p->sets[i].known])
			write_set(w, i);
	return code_finish(w->code);
}

static void writer_done(struct writer *w)
{
	free(w->functions);
	free(w->used);
}

int program_write(const struct plan *p, const struct program_layout *layout, const struct program_rule *rules,
                  size_t rule_count, const struct scan *scans, const uint32_t *scan_maps, struct code *c)
{
	_cleanup_(program_index_done) struct program_index index = {0};
	_cleanup_(writer_done) struct writer w = {
	        .plan = p, .layout = layout, .scans = scans, .scan_maps = scan_maps, .code = c};
	int r = program_index_init(&index, p, rules, rule_count);
	if (r == 0)
		r = writer_init(&w);
	if (r < 0)
		return r;
	write_rules(&w, &index, rules, rule_count);
	return writer_finish(&w);
}

static void write_process_number(struct writer *w, const struct atom *a)
{
	struct code *c = w->code;
	code_label yes = code_label_new(c), no = code_label_new(c);
	code_mark(c, CODE_MARK_ATOM, (uint32_t)(a - w->plan->atoms));
	jump_by_bit(w, w->layout->known, a->known, &(struct exits){no, yes, yes});
	code_bind(c, yes);
	yes = code_label_new(c);
	write_number(w, a, &(struct exits){yes, no, yes});
	code_bind(c, yes);
	set_bits(w, w->layout->results + 8 * (a->bit / 64), 1ull << a->bit % 64);
	code_bind(c, no);
}

/* The atoms of groups and sets come with them; each of the others sets its own bit. Those that only the reference decides
 * are asked of it by the programs of events. */
static void write_process(struct writer *w)
{
	const struct plan *p = w->plan;
	struct code *c = w->code;
	write_begin(w);
	for (uint32_t i = 0; i < p->group_count; i++)
		if (p->groups[i].process)
			write_seek(w, i);
	for (size_t i = 0; i < p->set_count; i++)
		if (p->sets[i].process && p->sets[i].count)
			write_seek(w, p->sets[i].known);
	for (size_t i = 0; i < w->plan->atom_count; i++) {
		const struct atom *a = &w->plan->atoms[i];
		if (a->process && a->kind == ATOM_NUMBER && !a->set)
			write_process_number(w, a);
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
