/* SPDX-License-Identifier: Apache-2.0 */
#include <inttypes.h>

#include "cli/rules.h"
#include "cli/ui.h"

#define INDENT 2
#define MEANS_COLUMNS 10
#define TEXT_COLUMNS_LEAST 30
#define CODE_COLUMNS 44
#define STATE_COLUMNS 11

struct look {
	bool bytecode, color;
	unsigned width;
	struct buf *out;
};

static void heading(const struct look *l, const char *text)
{
	buf_printf(l->out, "\n%s%s%s\n", ui_code(l->color, UI_BOLD), text, ui_code(l->color, UI_RESET));
}

/* The first columns of it, and a sign that there is more. */
static void add_cut(struct str text, unsigned columns, struct buf *out)
{
	size_t at = 0, cut = 0;
	for (unsigned i = 0; at < text.length && i < columns; i++) {
		size_t length = utf8_next(text.data + at, text.length - at);
		at += length ? length : 1;
		cut = i + 1 < columns ? at : cut;
	}
	if (at == text.length) {
		buf_add_str(out, text);
		return;
	}
	buf_add_str(out, str_make(text.data, cut));
	buf_add_text(out, "…");
}

/* ---- text: atoms ---- */

static const char *means_text(enum rule_atom_means means)
{
	static const char *const texts[] = {
	        [RULE_ATOM_BEGINS] = "trie",   [RULE_ATOM_ENDS] = "trie, ends", [RULE_ATOM_SCAN] = "automaton",
	        [RULE_ATOM_NUMBER] = "number", [RULE_ATOM_OTHER] = "reference",
	};
	return texts[means];
}

static void add_atom(const struct look *l, const struct rule_explanation *e, size_t index)
{
	const struct rule_atom *a = &e->atoms[index];
	const char *scope = a->process ? "process" : "event";
	unsigned left = INDENT + 5 + 8 + 11 + 9 + 7;
	buf_printf(l->out, "%*s%sa%-4zu%s%-8s%-11s", INDENT, "", ui_code(l->color, UI_CYAN), index + 1,
	           ui_code(l->color, UI_RESET), scope, means_text(a->means));
	if (a->patterns > 0)
		buf_printf(l->out, "%8zu ", a->patterns);
	else
		buf_printf(l->out, "%8s ", "");
	buf_printf(l->out, "%6zu  ", a->rules);
	add_cut(a->text, MAX(l->width, left + TEXT_COLUMNS_LEAST) - left - 2, l->out);
	buf_add_char(l->out, '\n');
}

static void add_atoms(const struct look *l, const struct rule_explanation *e)
{
	heading(l, "Atoms: each comparison is decided once, for all rules that make it");
	buf_printf(l->out, "%*s%s%-5s%-8s%-11s%8s %6s  %s%s\n", INDENT, "", ui_code(l->color, UI_DIM), "", "of", "by",
	           "patterns", "rules", "comparison", ui_code(l->color, UI_RESET));
	for (size_t i = 0; i < e->atom_count; i++)
		add_atom(l, e, i);
}

/* ---- text: formulas ---- */

static const char *operator_text(enum rule_formula_kind kind)
{
	static const char *const texts[] = {
	        [RULE_FORMULA_FALSE] = "never", [RULE_FORMULA_TRUE] = "always", [RULE_FORMULA_ATOM] = "",
	        [RULE_FORMULA_NOT] = "not",     [RULE_FORMULA_ALL] = "all of",  [RULE_FORMULA_ANY] = "any of",
	};
	return texts[kind];
}

static void add_formula(const struct look *l, const struct rule_explanation *e, const struct rule_part *part)
{
	for (size_t i = 0; i < part->line_count; i++) {
		const struct rule_formula_line *f = &part->formula[i];
		unsigned indent = 2 * INDENT + 2 * f->depth, left = indent + 6;
		buf_printf(l->out, "%*s", (int)indent, "");
		if (f->kind != RULE_FORMULA_ATOM) {
			buf_printf(l->out, "%s\n", operator_text(f->kind));
			continue;
		}
		buf_printf(l->out, "%sa%-4zu%s ", ui_code(l->color, UI_CYAN), f->atom + 1, ui_code(l->color, UI_RESET));
		add_cut(e->atoms[f->atom].text, MAX(l->width, left + TEXT_COLUMNS_LEAST) - left, l->out);
		buf_add_char(l->out, '\n');
	}
}

static void add_type_names(const struct look *l, const char *const *types, size_t count)
{
	_cleanup_(buf_done) struct buf names;
	buf_init(&names, 1 << 16);
	for (size_t i = 0; i < count; i++)
		buf_printf(&names, "%s%s", i > 0 ? " " : "", types[i]);
	buf_printf(l->out, "%*s%s", INDENT, "", ui_code(l->color, UI_GREEN));
	ui_add_wrapped(buf_str(&names), INDENT, INDENT, l->width, l->out);
	buf_printf(l->out, "%s\n", ui_code(l->color, UI_RESET));
}

static void add_formulas(const struct look *l, const struct rule_explanation *e)
{
	heading(l, "Order of evaluation");
	for (size_t i = 0; i < e->part_count; i++) {
		add_type_names(l, e->parts[i].types, e->parts[i].type_count);
		add_formula(l, e, &e->parts[i]);
	}
}

/* ---- text: what the kernel decides ---- */

static void add_wrapped_item(const struct look *l, const char *label, struct str text)
{
	unsigned column = 2 * INDENT + STATE_COLUMNS;
	buf_printf(l->out, "%*s%-*s", 2 * INDENT, "", STATE_COLUMNS, label);
	ui_add_wrapped(text, column, column, MAX(l->width, column + TEXT_COLUMNS_LEAST), l->out);
	buf_add_char(l->out, '\n');
}

static void add_open(const struct look *l, const struct rule_sieve_case *c)
{
	for (size_t i = 0; i < c->open_count; i++) {
		buf_printf(l->out, "%s", ui_code(l->color, UI_DIM));
		add_wrapped_item(l, i == 0 ? "undecided" : "", c->open[i]);
		buf_printf(l->out, "%s", ui_code(l->color, UI_RESET));
	}
}

static void add_case(const struct look *l, const char *name, const struct rule_sieve_case *c)
{
	switch (c->fate) {
	case RULE_SIEVE_NONE:
		return;
	case RULE_SIEVE_NEVER:
		add_wrapped_item(l, name, STR("nothing passes: it cannot match"));
		break;
	case RULE_SIEVE_ALWAYS:
		add_wrapped_item(l, name, STR("all passes, unless the rule cannot match the process"));
		break;
	case RULE_SIEVE_DECIDES:
		add_wrapped_item(l, name, c->condition);
		break;
	}
	add_open(l, c);
}

static void add_sieve(const struct look *l, const struct rule_explanation *e)
{
	if (e->sieve_count == 0)
		return;
	heading(l, "What passes the sieve: decided in the kernel, before the event is sent");
	for (size_t i = 0; i < e->sieve_count; i++) {
		add_type_names(l, e->sieve[i].types, e->sieve[i].type_count);
		for (unsigned state = 0; state < RULE_SIEVE_STATES; state++)
			add_case(l, rule_sieve_state_name(state), &e->sieve[i].cases[state]);
	}
}

/* ---- text: bytecode ---- */

static void add_purpose(const struct look *l, const struct rule_explanation *e, const struct rule_code_line *line)
{
	switch (line->what) {
	case RULE_CODE_LIVE:
		buf_add_text(l->out, "may it match, for all that is known of the process?");
		break;
	case RULE_CODE_MATCH:
		buf_add_text(l->out, "it matches");
		break;
	case RULE_CODE_ATOM:
		buf_printf(l->out, "a%-4zu ", line->atom + 1);
		add_cut(e->atoms[line->atom].text,
		        MAX(l->width, CODE_COLUMNS + 16u + TEXT_COLUMNS_LEAST) - CODE_COLUMNS - 16, l->out);
		break;
	}
}

static void add_code(const struct look *l, const struct rule_explanation *e, const struct rule_part *part)
{
	const struct rule_code_line *last = NULL;
	buf_printf(l->out, "%*s%sof %s, %zu of %zu instructions%s\n", INDENT, "", ui_code(l->color, UI_DIM),
	           part->types[0], part->code_count, part->program_insns, ui_code(l->color, UI_RESET));
	for (size_t i = 0; i < part->code_count; i++) {
		const struct rule_code_line *line = &part->code[i];
		bool same = last && last->what == line->what && last->atom == line->atom;
		buf_printf(l->out, "%8zu  ", line->insn);
		if (same) {
			buf_printf(l->out, "%s\n", line->text);
			continue;
		}
		ui_add_padded(str_from(line->text), CODE_COLUMNS, l->out);
		buf_printf(l->out, " %s", ui_code(l->color, UI_DIM));
		add_purpose(l, e, line);
		buf_printf(l->out, "%s\n", ui_code(l->color, UI_RESET));
		last = line;
	}
}

static void add_bytecode(const struct look *l, const struct rule_explanation *e)
{
	heading(l, "Bytecode, beside it what it decides");
	for (size_t i = 0; i < e->part_count; i++)
		add_code(l, e, &e->parts[i]);
}

/* ---- text: cost ---- */

static uint64_t greatest_bound(const struct rule_part *part)
{
	uint64_t most = 0;
	for (size_t i = 0; i < part->type_count; i++)
		most = MAX(most, part->bounds[i]);
	return most;
}

static void add_bound(const struct look *l, const char *what, uint64_t bound)
{
	if (bound > 0)
		buf_printf(l->out, "%14" PRIu64 "  %s\n", bound, what);
	else
		buf_printf(l->out, "%14s  %s\n", "interpreted", what);
}

static void add_cost(const struct look *l, const struct rule_explanation *e)
{
	heading(l, "At most that many instructions, proven by the verifier; helpers are not counted");
	for (size_t i = 0; i < e->part_count; i++) {
		const struct rule_part *part = &e->parts[i];
		add_type_names(l, part->types, part->type_count);
		add_bound(l, "all rules for such an event", greatest_bound(part));
		buf_printf(l->out, "%14zu  this rule's own part\n", part->code_count);
		if (part->pattern_bound > 0)
			buf_printf(l->out, "%14" PRIu64 "  the patterns that it seeks, which other rules may share\n",
			           part->pattern_bound);
	}
	buf_printf(l->out, "%*s%sprocess%s\n", INDENT, "", ui_code(l->color, UI_GREEN), ui_code(l->color, UI_RESET));
	add_bound(l, "all rules, when something about a process has changed", e->process_bound);
}

void rules_add_decision(const struct rule_explanation *e, bool bytecode, bool color, unsigned width, struct buf *out)
{
	const struct look l = {.bytecode = bytecode, .color = color, .width = width, .out = out};
	if (e->part_count == 0)
		return;
	if (e->atom_count > 0)
		add_atoms(&l, e);
	add_formulas(&l, e);
	add_sieve(&l, e);
	if (bytecode)
		add_bytecode(&l, e);
	add_cost(&l, e);
}

/* ---- JSON ---- */

static void json_number(struct json *j, const char *key, uint64_t number)
{
	json_key(j, key);
	json_u64(j, number);
}

static void json_atom(struct json *j, const struct rule_atom *a)
{
	json_begin_object(j);
	json_key(j, "comparison");
	json_str(j, a->text);
	ui_json_text(j, "scope", a->process ? "process" : "event");
	ui_json_text(j, "by", rule_atom_means_name(a->means));
	json_number(j, "patterns", a->patterns);
	json_number(j, "rules", a->rules);
	json_end_object(j);
}

/* Lines from *at on as a tree: an atom's index from 1, or an array of an operator and its operands. */
static void json_formula(struct json *j, const struct rule_part *part, size_t *at)
{
	static const char *const names[] = {
	        [RULE_FORMULA_FALSE] = "never", [RULE_FORMULA_TRUE] = "always", [RULE_FORMULA_NOT] = "not",
	        [RULE_FORMULA_ALL] = "all",     [RULE_FORMULA_ANY] = "any",
	};
	const struct rule_formula_line *f = &part->formula[(*at)++];
	if (f->kind == RULE_FORMULA_ATOM) {
		json_u64(j, f->atom + 1);
		return;
	}
	json_begin_array(j);
	json_text(j, names[f->kind]);
	while (*at < part->line_count && part->formula[*at].depth > f->depth)
		json_formula(j, part, at);
	json_end_array(j);
}

static void json_code(struct json *j, const struct rule_part *part)
{
	json_key(j, "bytecode");
	json_begin_array(j);
	for (size_t i = 0; i < part->code_count; i++) {
		const struct rule_code_line *line = &part->code[i];
		json_begin_object(j);
		json_number(j, "insn", line->insn);
		ui_json_text(j, "text", line->text);
		if (line->what == RULE_CODE_ATOM)
			json_number(j, "atom", line->atom + 1);
		json_end_object(j);
	}
	json_end_array(j);
}

static void json_part(struct json *j, const struct rule_part *part, bool bytecode)
{
	size_t at = 0;
	json_begin_object(j);
	json_key(j, "bounds");
	json_begin_object(j);
	for (size_t i = 0; i < part->type_count; i++)
		json_number(j, part->types[i], part->bounds[i]);
	json_end_object(j);
	json_key(j, "formula");
	json_formula(j, part, &at);
	json_number(j, "instructions", part->code_count);
	json_number(j, "program_instructions", part->program_insns);
	json_number(j, "pattern_bound", part->pattern_bound);
	if (bytecode)
		json_code(j, part);
	json_end_object(j);
}

static void json_case(struct json *j, const struct rule_sieve_case *c)
{
	static const char *const fates[] = {
	        [RULE_SIEVE_NEVER] = "never", [RULE_SIEVE_DECIDES] = "condition", [RULE_SIEVE_ALWAYS] = "always"};
	json_begin_object(j);
	ui_json_text(j, "passes", fates[c->fate]);
	json_key(j, "condition");
	json_str(j, c->condition);
	json_key(j, "open");
	json_begin_array(j);
	for (size_t i = 0; i < c->open_count; i++)
		json_str(j, c->open[i]);
	json_end_array(j);
	json_end_object(j);
}

static void json_sieve(struct json *j, const struct rule_sieve_part *part)
{
	json_begin_object(j);
	json_key(j, "types");
	json_begin_array(j);
	for (size_t i = 0; i < part->type_count; i++)
		json_text(j, part->types[i]);
	json_end_array(j);
	for (unsigned state = 0; state < RULE_SIEVE_STATES; state++) {
		if (part->cases[state].fate == RULE_SIEVE_NONE)
			continue;
		json_key(j, rule_sieve_state_name(state));
		json_case(j, &part->cases[state]);
	}
	json_end_object(j);
}

void rules_json_decision(const struct rule_explanation *e, bool bytecode, struct json *j)
{
	json_key(j, "atoms");
	json_begin_array(j);
	for (size_t i = 0; i < e->atom_count; i++)
		json_atom(j, &e->atoms[i]);
	json_end_array(j);
	json_key(j, "parts");
	json_begin_array(j);
	for (size_t i = 0; i < e->part_count; i++)
		json_part(j, &e->parts[i], bytecode);
	json_end_array(j);
	json_key(j, "sieve");
	json_begin_array(j);
	for (size_t i = 0; i < e->sieve_count; i++)
		json_sieve(j, &e->sieve[i]);
	json_end_array(j);
	json_number(j, "process_bound", e->process_bound);
	json_number(j, "process_instructions", e->process_insns);
}
