/* SPDX-License-Identifier: Apache-2.0
 *
 * The program that reads a text by the table of code_scan_table.c.
 *
 *	r0: state of the first automaton; r5: of the second one, if there are both
 *	r1: index of the next byte; r2: this one; r3: its class; r4: the table
 *
 * A state's place is read from the table, so a verifier does not know it. That it is compared with where the places of
 * states begin that found something is all that bounds it on the usual way; on the other way, too, it is so in the end.
 *
 * For the kernel a function reads a part of the text, and bpf_loop() calls it for each.
 */
#include "rule/code_scan_int.h"

#include <errno.h>
#include <linux/bpf.h>

#define PART_SHIFT 4 /* bytes that the function reads, as a power of two: not more than the text's padding */
/* Kept on the stack while something found is written. */
#define KEEP_ROW (-8)
#define KEEP_OTHER (-16)
#define KEEP_BYTE (-24)
#define HELPER_LOOP 181 /* bpf_loop */

/* What the function is given, on the stack of who calls it. */
struct part {
	uint64_t text, length, results, states[2];
};
#define PART(field) ((int16_t)offsetof(struct part, field))
#define RECORD(field) ((int16_t)offsetof(struct scan_record, field))

struct scan_writer {
	struct code *code;
	struct scan scan; /* borrows what it points to; in the function: nothing */
	uint32_t map;
	int16_t results;
	unsigned states[2]; /* registers of the automata */
	code_label part;    /* the function */
	/* Where to go: at the end of the text; when all has been found, or a table is not what was made. */
	code_label end, stop;
	int32_t length_mask; /* as many low bits as a length may have */
};

static bool is_one_word(const struct scan *s)
{
	return s->word_first == s->word_last;
}

static size_t automata(const struct scan *s)
{
	return (size_t)s->automata[0].used + s->automata[1].used;
}

static int16_t part_state(const struct scan_writer *w, size_t i)
{
	return w->states[i] ? PART(states[1]) : PART(states[0]);
}

/* Do the offsets of stores reach all its words? */
static bool scan_fits(const struct scan *s, int16_t results)
{
	int64_t last = automata(s) ? s->word_last : 0;

	for (size_t i = 0; i < s->always_count; i++)
		last = MAX(last, s->always[i] / 64);
	return last * 8 <= INT16_MAX - 8 - results;
}

/* ---- what is found ---- */

/* r2: the record, whose bits are in the only word. */
static void write_one_word(struct scan_writer *w, unsigned free)
{
	int16_t at = (int16_t)(w->results + (int)w->scan.word_first * 8);

	code_load(w->code, BPF_DW, 3, 2, RECORD(mask));
	code_load(w->code, BPF_DW, free, 7, at);
	code_alu_reg(w->code, BPF_OR, free, 3);
	code_store(w->code, BPF_DW, 7, at, free);
	code_constant(w->code, 3, w->scan.all);
	code_alu_reg(w->code, BPF_AND, free, 3);
	code_jump_if_reg(w->code, BPF_JEQ, free, 3, w->stop);
}

/* r2: the record. Changes r4, too. */
static void write_any_word(struct scan_writer *w, unsigned free)
{
	code_load(w->code, BPF_W, free, 2, RECORD(word));
	code_jump_if(w->code, BPF_JGT, free, (int32_t)w->scan.word_last * 8, w->stop);
	code_alu_reg(w->code, BPF_ADD, free, 7);
	code_load(w->code, BPF_DW, 3, free, w->results);
	code_load(w->code, BPF_DW, 4, 2, RECORD(mask));
	code_alu_reg(w->code, BPF_OR, 3, 4);
	code_store(w->code, BPF_DW, free, w->results, 3);
}

static void write_record(struct scan_writer *w, unsigned state)
{
	code_alu_reg(w->code, BPF_MOV, 2, 4);
	code_alu_reg(w->code, BPF_ADD, 2, state);
	if (is_one_word(&w->scan)) {
		write_one_word(w, state);
	} else {
		write_any_word(w, state);
		code_map_value(w->code, 4, w->map, 0);
	}
	code_load(w->code, BPF_W, state, 2, RECORD(row));
}

/* state: the first record's place. The other register counts, since a verifier does not know that the records come to
 * an end. Only a number lives from one to the next, which is compared each time: nothing else has to be known of it. */
static void write_chain(struct scan_writer *w, unsigned state)
{
	code_label again = code_label_new(w->code), done = code_label_new(w->code);
	unsigned counter = state ? 0 : 5;

	code_alu_reg(w->code, BPF_ADD, 4, state);
	code_load(w->code, BPF_W, 3, 4, RECORD(row));
	code_store(w->code, BPF_DW, 10, KEEP_ROW, 3);
	if (automata(&w->scan) > 1)
		code_store(w->code, BPF_DW, 10, KEEP_OTHER, counter);
	code_constant(w->code, counter, w->scan.records_max);
	code_bind(w->code, again);
	code_jump_if(w->code, BPF_JGT, state, (int32_t)(w->scan.table_bytes - sizeof(struct scan_record)), w->stop);
	code_map_value(w->code, 2, w->map, 0);
	code_alu_reg(w->code, BPF_ADD, 2, state);
	write_any_word(w, state);
	code_load(w->code, BPF_W, state, 2, RECORD(next));
	code_jump_if(w->code, BPF_JEQ, state, 0, done);
	code_alu(w->code, BPF_SUB, counter, 1);
	code_jump_if(w->code, BPF_JNE, counter, 0, again);
	code_bind(w->code, done);
	code_map_value(w->code, 4, w->map, 0);
	code_load(w->code, BPF_DW, state, 10, KEEP_ROW);
	if (automata(&w->scan) > 1)
		code_load(w->code, BPF_DW, counter, 10, KEEP_OTHER);
}

/* Of the i-th automaton's state, which becomes its row then. */
static void write_found(struct scan_writer *w, size_t i)
{
	const struct scan_automaton *a = &w->scan.automata[i];
	unsigned state = w->states[i];
	bool again = i == 0 && automata(&w->scan) > 1; /* the byte is asked for again */

	code_jump_if(w->code, BPF_JGE, state, (int32_t)a->found_end, w->stop);
	if (again)
		code_store(w->code, BPF_DW, 10, KEEP_BYTE, 2);
	if (w->scan.records_max > 1)
		write_chain(w, state);
	else
		write_record(w, state);
	if (again)
		code_load(w->code, BPF_DW, 2, 10, KEEP_BYTE);
	code_jump_if(w->code, BPF_JGE, state, (int32_t)a->found_first, w->stop);
}

/* ---- a byte ---- */

static void write_step(struct scan_writer *w, size_t i)
{
	const struct scan_automaton *a = &w->scan.automata[i];
	unsigned state = w->states[i];
	code_label next = code_label_new(w->code);

	code_alu_reg(w->code, BPF_MOV, 3, 4);
	code_alu_reg(w->code, BPF_ADD, 3, 2);
	code_load(w->code, BPF_B, 3, 3, (int16_t)a->classes);
	code_alu(w->code, BPF_LSH, 3, 2);
	code_alu_reg(w->code, BPF_ADD, 3, 4);
	code_alu_reg(w->code, BPF_ADD, state, 3);
	code_load(w->code, BPF_W, state, state, 0);
	code_jump_if(w->code, BPF_JLT, state, (int32_t)a->found_first, next);
	write_found(w, i);
	code_bind(w->code, next);
}

/* ---- a text, or a part of it ---- */

/* From r8, r9 bytes, at least one. The states are there. Falls through at the end, or goes to it, or to where all has
 * been found. */
static void write_loop(struct scan_writer *w)
{
	code_label again = code_label_new(w->code);

	code_map_value(w->code, 4, w->map, 0);
	code_constant(w->code, 1, 0);
	code_bind(w->code, again);
	code_alu_reg(w->code, BPF_MOV, 2, 8);
	code_alu_reg(w->code, BPF_ADD, 2, 1);
	code_load(w->code, BPF_B, 2, 2, 0);
	code_alu(w->code, BPF_ADD, 1, 1);
	for (size_t i = 0; i < 2; i++)
		if (w->scan.automata[i].used)
			write_step(w, i);
	code_jump_if_reg(w->code, BPF_JLT, 1, 9, again);
}

static void write_whole(struct scan_writer *w)
{
	w->stop = w->end;
	code_jump_if(w->code, BPF_JEQ, 9, 0, w->end);
	if (w->scan.sign_count)
		scan_signs_write(w->code, &w->scan, w->end);
	for (size_t i = 0; i < 2; i++)
		if (w->scan.automata[i].used)
			code_constant(w->code, w->states[i], w->scan.automata[i].first);
	write_loop(w);
}

/* r1: the part's number, r2: its struct part. r8 and r9 become the part's. longer: makes r9 a part's length and comes
 * back to `cut`. */
static void write_part_begin(struct scan_writer *w, code_label leave, code_label longer, code_label cut)
{
	code_alu_reg(w->code, BPF_MOV, 6, 2);
	code_load(w->code, BPF_DW, 9, 6, PART(length));
	code_alu(w->code, BPF_LSH, 1, PART_SHIFT);
	code_jump_if_reg(w->code, BPF_JGE, 1, 9, leave);
	/* Changes nothing; but before Linux 6.9 the verifier learns nothing from comparing two registers. */
	code_alu(w->code, BPF_AND, 1, w->length_mask);
	code_load(w->code, BPF_DW, 8, 6, PART(text));
	code_alu_reg(w->code, BPF_ADD, 8, 1);
	code_alu_reg(w->code, BPF_SUB, 9, 1);
	code_jump_if(w->code, BPF_JGT, 9, 1 << PART_SHIFT, longer);
	code_bind(w->code, cut);
	code_load(w->code, BPF_DW, 7, 6, PART(results));
	/* They are compared so that no verifier needs to know what they were when the last part ended. */
	for (size_t i = 0; i < 2; i++) {
		if (!w->scan.automata[i].used)
			continue;
		code_load(w->code, BPF_DW, w->states[i], 6, part_state(w, i));
		code_jump_if(w->code, BPF_JGE, w->states[i], (int32_t)w->scan.automata[i].found_first, leave);
	}
}

static void write_return(struct scan_writer *w, int stop)
{
	code_constant(w->code, 0, (uint64_t)stop);
	code_exit(w->code);
}

static void write_part(struct scan_writer *w)
{
	code_label leave = code_label_new(w->code);
	code_label longer = code_label_new(w->code), cut = code_label_new(w->code);

	w->end = code_label_new(w->code);
	w->stop = leave;
	write_part_begin(w, leave, longer, cut);
	write_loop(w);
	code_bind(w->code, w->end);
	for (size_t i = 0; i < 2; i++)
		if (w->scan.automata[i].used)
			code_store(w->code, BPF_DW, 6, part_state(w, i), w->states[i]);
	write_return(w, 0);
	code_bind(w->code, leave);
	write_return(w, 1);
	/* Aside, so that a verifier looks first at the way on which it knows less. */
	code_bind(w->code, longer);
	code_constant(w->code, 9, 1 << PART_SHIFT);
	code_jump(w->code, cut);
}

static void write_part_function(struct code *c, const void *data)
{
	struct scan_writer w = *(const struct scan_writer *)data;

	code_bind(c, w.part);
	write_part(&w);
}

static void write_parts(struct scan_writer *w)
{
	struct code *c = w->code;

	w->part = code_label_new(c);
	code_jump_if(c, BPF_JEQ, 9, 0, w->end);
	code_store(c, BPF_DW, 10, PART(text) - (int)sizeof(struct part), 8);
	code_store(c, BPF_DW, 10, PART(length) - (int)sizeof(struct part), 9);
	code_store(c, BPF_DW, 10, PART(results) - (int)sizeof(struct part), 7);
	for (size_t i = 0; i < 2; i++) {
		if (!w->scan.automata[i].used)
			continue;
		code_constant(c, 0, w->scan.automata[i].first);
		code_store(c, BPF_DW, 10, (int16_t)(part_state(w, i) - (int)sizeof(struct part)), 0);
	}
	code_alu_reg(c, BPF_MOV, 1, 9);
	code_alu(c, BPF_ADD, 1, (1 << PART_SHIFT) - 1);
	code_alu(c, BPF_RSH, 1, PART_SHIFT);
	code_function(c, 2, w->part);
	code_alu_reg(c, BPF_MOV, 3, 10);
	code_alu(c, BPF_ADD, 3, -(int)sizeof(struct part));
	code_constant(c, 4, 0);
	code_call(c, HELPER_LOOP);
	code_later(c, write_part_function, w, sizeof(*w));
}

static void write_always(struct scan_writer *w)
{
	for (size_t i = 0; i < w->scan.always_count; i++) {
		uint32_t bit = w->scan.always[i];
		int16_t at = (int16_t)(w->results + (int)(bit / 64 * 8));

		code_load(w->code, BPF_DW, 0, 7, at);
		code_constant(w->code, 1, 1ull << bit % 64);
		code_alu_reg(w->code, BPF_OR, 0, 1);
		code_store(w->code, BPF_DW, 7, at, 0);
	}
}

void code_text_scan(struct code *c, const struct scan *s, uint32_t map, int16_t results, size_t length_max)
{
	struct scan_writer w = {.code = c, .scan = *s, .map = map, .results = results, .length_mask = 1};

	while ((size_t)w.length_mask < length_max && w.length_mask < INT32_MAX)
		w.length_mask = w.length_mask << 1 | 1;

	if (!scan_fits(s, results))
		code_fail(c, -EINVAL);
	write_always(&w);
	if (!automata(s))
		return;
	w.states[1] = automata(s) > 1 ? 5 : 0;
	w.end = code_label_new(c);
	if (c->kernel && length_max > 1 << PART_SHIFT)
		write_parts(&w);
	else
		write_whole(&w);
	code_bind(c, w.end);
}
