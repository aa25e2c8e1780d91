/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/verify_show.h"

#include <inttypes.h>
#include <stdio.h>

#include "base/json.h"
#include "cli/ui.h"
#include "core/log.h"
#include "event/value.h"

#define MAP_BY_INDEX 5 /* src of lddw */
#define MAP_VALUE_BY_INDEX 6
#define LDDW 0x18
#define INDENT 6 /* below the bar that stands left of source lines */
#define EXAMPLE_BYTES_SHOWN 64
#define BYTES_ON_LINE 16
#define PAGES "docs/verifier/"

static void add_name(const char *name, struct buf *out)
{
	value_add_printable(str_from(name), 0, out);
}

/* Maps that the program refers to, each once. */
static size_t maps_count(const struct verify_subject *s)
{
	bool seen[PICKET_MAPS_MAX] = {false};
	size_t count = 0;
	for (size_t i = 0; i < s->insn_count; i++) {
		const struct picket_insn *insn = &s->insns[i];
		if (insn->code != LDDW)
			continue;
		i++;
		if (insn->src != MAP_BY_INDEX && insn->src != MAP_VALUE_BY_INDEX)
			continue;
		if ((uint32_t)insn->imm >= PICKET_MAPS_MAX || seen[insn->imm])
			continue;
		seen[insn->imm] = true;
		count++;
	}
	return count;
}

int verify_kind_option(const struct args *args, enum picket_kind *ret_kind)
{
	_cleanup_(buf_done) struct buf names;
	const char *name = args_get(args, "kind");
	buf_init(&names, VERIFY_SHOWN_BYTES_MAX);
	if (!name)
		return CLI_OK;
	*ret_kind = picket_kind_by_name(name);
	if (*ret_kind != PICKET_KIND_AUTO)
		return CLI_OK;
	for (unsigned k = PICKET_KIND_AUTO + 1; k < PICKET_KINDS; k++)
		buf_printf(&names, "%s%s", k > PICKET_KIND_AUTO + 1 ? ", " : "", picket_kind_name((enum picket_kind)k));
	log_error("--kind: there is no kind \"%s\"; there are %s", name, names.data ? names.data : "none");
	return CLI_USAGE;
}

/* ---- one line a program ---- */

static void add_first_columns(const struct verify_subject *s, const struct picket_verdict *v,
                              const struct verify_look *look, struct buf *out)
{
	_cleanup_(buf_done) struct buf name;
	const char *kind = picket_kind_name(v->kind);
	buf_init(&name, VERIFY_SHOWN_BYTES_MAX);
	buf_printf(out, "%s%-4s%s  ", ui_code(look->color, v->accepted ? UI_GREEN : UI_RED),
	           v->accepted ? "ok" : "FAIL", ui_code(look->color, UI_RESET));
	if (look->many) {
		add_name(s->file, out);
		buf_add_text(out, ": ");
	}
	add_name(s->program, &name);
	buf_add_text(out, ui_code(look->color, UI_BOLD));
	ui_add_padded(buf_str(&name), look->name_max, out);
	buf_printf(out, "%s  %-14s  ", ui_code(look->color, UI_RESET), kind ? kind : "?");
}

static void add_count(size_t count, const char *noun, struct buf *out)
{
	buf_printf(out, "%zu %s%s", count, noun, count == 1 ? "" : "s");
}

static void add_measures(const struct verify_subject *s, const struct picket_verdict *v, struct buf *out)
{
	if (v->insn_bound == UINT64_MAX)
		buf_add_text(out, "as many instructions as its callbacks take");
	else
		buf_printf(out, "at most %" PRIu64 " instruction%s", v->insn_bound, v->insn_bound == 1 ? "" : "s");
	buf_printf(out, ", stack %" PRIu32 ", ", v->stack_bytes);
	add_count(maps_count(s), "map", out);
	buf_printf(out, ", %.2f ms\n", (double)v->time_ns / 1e6);
}

/* ---- a rejection ---- */

static void add_bar(const struct verify_look *look, unsigned line, struct buf *out)
{
	buf_add_text(out, ui_code(look->color, UI_DIM));
	if (line)
		buf_printf(out, "%5u | ", line);
	else
		buf_printf(out, "%5s | ", "");
	buf_add_text(out, ui_code(look->color, UI_RESET));
}

/* The error with its source line and a caret, as the mistakes of rules look. */
static void add_error(const struct verify_subject *s, const struct picket_verdict *v, const struct verify_look *look,
                      struct buf *out)
{
	_cleanup_(diag_list_done) struct diag_list list;
	const struct picket_place *p = &v->place;
	diag_list_init(&list, 1);
	struct diag *d = diag_add(&list, DIAG_ERROR, picket_category_name(v->category), p->file[0] ? p->file : s->file,
	                          p->line, p->column, "%s", v->reason);
	if (p->text[0])
		diag_set_source(d, str_from(p->text));
	diag_list_print(&list, look->color, out);
}

static void add_insn_text(const struct verify_subject *s, uint32_t insn, struct buf *out)
{
	char text[PICKET_TEXT_MAX];
	if (insn >= s->insn_count)
		return;
	picket_disassemble_c(s->insns + insn, s->insn_count - insn, text, sizeof(text));
	buf_printf(out, "%" PRIu32 ": %s", insn, text);
}

static void add_where(const struct verify_subject *s, const struct picket_verdict *v, const struct verify_look *look,
                      struct buf *out)
{
	if (v->insn >= s->insn_count)
		return;
	buf_printf(out, "%*s%sinstruction ", INDENT, "", ui_code(look->color, UI_DIM));
	if (v->text[0])
		buf_printf(out, "%" PRIu32 ": %s", v->insn, v->text);
	else
		add_insn_text(s, v->insn, out);
	if (v->function[0] && strcmp(v->function, s->program) != 0) {
		buf_add_text(out, ", in ");
		add_name(v->function, out);
	}
	buf_printf(out, "%s\n", ui_code(look->color, UI_RESET));
	if (!look->verbose || !v->detail[0] || strcmp(v->detail, v->reason) == 0)
		return;
	buf_printf(out, "%*s%s", INDENT, "", ui_code(look->color, UI_DIM));
	add_name(v->detail, out);
	buf_printf(out, "%s\n", ui_code(look->color, UI_RESET));
}

/* label: text, in lines that fit. */
static void add_labelled(const struct verify_look *look, const char *label, const char *text, struct buf *out)
{
	_cleanup_(buf_done) struct buf shown;
	buf_init(&shown, VERIFY_SHOWN_BYTES_MAX);
	add_name(text, &shown);
	buf_printf(out, "%*s%s%s:%s ", INDENT, "", ui_code(look->color, UI_CYAN), label,
	           ui_code(look->color, UI_RESET));
	ui_add_wrapped(buf_str(&shown), INDENT + (unsigned)strlen(label) + 2, INDENT + 2, look->width, out);
	buf_add_char(out, '\n');
}

static bool same_place(const struct picket_place *a, const struct picket_place *b)
{
	return a->line == b->line && strcmp(a->file, b->file) == 0;
}

/* The line that a step is of, unless the step before it was of the same. */
static void add_step_source(const struct verify_subject *s, const struct picket_verdict *v, size_t step,
                            const struct verify_look *look, struct buf *out)
{
	const struct picket_place *now = &v->steps[step].place,
	                          *before = step > 0 ? &v->steps[step - 1].place : &v->place;
	if (strcmp(now->file, before->file) != 0 && now->file[0]) {
		buf_printf(out, "%*s%s", INDENT, "", ui_code(look->color, UI_DIM));
		add_name(now->file, out);
		buf_printf(out, "%s\n", ui_code(look->color, UI_RESET));
	}
	if (!now->line || look->verbose) {
		add_bar(look, 0, out);
		add_insn_text(s, v->steps[step].insn, out);
		buf_add_char(out, '\n');
	}
	if (!now->line || (step > 0 && same_place(now, before)))
		return;
	add_bar(look, now->line, out);
	value_add_printable(str_trim(str_from(now->text)), 0, out);
	buf_add_char(out, '\n');
}

static void add_steps(const struct verify_subject *s, const struct picket_verdict *v, const struct verify_look *look,
                      struct buf *out)
{
	if (v->step_count == 0)
		return;
	buf_printf(out, "%*s%show it came to this:%s\n", INDENT, "", ui_code(look->color, UI_CYAN),
	           ui_code(look->color, UI_RESET));
	for (size_t i = 0; i < v->step_count; i++) {
		_cleanup_(buf_done) struct buf text;
		buf_init(&text, VERIFY_SHOWN_BYTES_MAX);
		add_step_source(s, v, i, look, out);
		add_name(v->steps[i].text, &text);
		add_bar(look, 0, out);
		buf_printf(out, "  %s", ui_code(look->color, UI_YELLOW));
		buf_add_str(out, buf_str(&text));
		buf_printf(out, "%s\n", ui_code(look->color, UI_RESET));
	}
}

static void add_example(const struct picket_verdict *v, const struct verify_look *look, struct buf *out)
{
	size_t shown = v->example ? MIN(v->example_length, EXAMPLE_BYTES_SHOWN) : 0;
	if (v->example_text[0])
		add_labelled(look, "it goes wrong with", v->example_text, out);
	for (size_t i = 0; i < shown; i++) {
		if (i % BYTES_ON_LINE == 0)
			buf_printf(out, "%*s%04zx ", INDENT + 2, "", i);
		buf_printf(out, " %02x", v->example[i]);
		if (i % BYTES_ON_LINE == BYTES_ON_LINE - 1 || i == shown - 1)
			buf_add_char(out, '\n');
	}
	if (v->example && shown < v->example_length)
		buf_printf(out, "%*s… %zu bytes more\n", INDENT + 2, "", v->example_length - shown);
}

static void add_rejection(const struct verify_subject *s, const struct picket_verdict *v,
                          const struct verify_look *look, struct buf *out)
{
	char page[128];
	add_error(s, v, look, out);
	add_where(s, v, look, out);
	add_steps(s, v, look, out);
	add_example(v, look, out);
	if (v->hint[0])
		add_labelled(look, "what to change", v->hint, out);
	snprintf(page, sizeof(page), PAGES "%s.md", picket_category_name(v->category));
	add_labelled(look, "more", page, out);
}

void verify_show_text(const struct verify_subject *s, const struct picket_verdict *v, const struct verify_look *look,
                      struct buf *out)
{
	add_first_columns(s, v, look, out);
	if (v->accepted) {
		add_measures(s, v, out);
		return;
	}
	buf_printf(out, "%s\n", picket_category_name(v->category));
	add_rejection(s, v, look, out);
}

/* ---- JSON ---- */

static void json_number(struct json *j, const char *key, uint64_t number)
{
	json_key(j, key);
	json_u64(j, number);
}

static void json_place(struct json *j, const struct picket_place *p)
{
	if (!p->line)
		return;
	ui_json_text(j, "file", p->file);
	json_number(j, "line", p->line);
	json_number(j, "column", p->column);
	ui_json_text(j, "source", p->text);
}

static void json_steps(struct json *j, const struct picket_verdict *v)
{
	json_key(j, "steps");
	json_begin_array(j);
	for (size_t i = 0; i < v->step_count; i++) {
		json_begin_object(j);
		json_number(j, "insn", v->steps[i].insn);
		json_place(j, &v->steps[i].place);
		ui_json_text(j, "text", v->steps[i].text);
		json_end_object(j);
	}
	json_end_array(j);
}

static void json_example(struct json *j, const struct picket_verdict *v)
{
	_cleanup_(buf_done) struct buf hex;
	buf_init(&hex, VERIFY_SHOWN_BYTES_MAX);
	if (!v->example_text[0] && !v->example)
		return;
	for (size_t i = 0; v->example && i < v->example_length; i++)
		buf_printf(&hex, "%02x", v->example[i]);
	json_key(j, "example");
	json_begin_object(j);
	ui_json_text(j, "text", v->example_text);
	json_key(j, "bytes");
	if (v->example)
		json_str(j, buf_str(&hex));
	else
		json_null(j);
	json_end_object(j);
}

static void json_rejection(struct json *j, const struct picket_verdict *v)
{
	ui_json_text(j, "category", picket_category_name(v->category));
	ui_json_text(j, "reason", v->reason);
	ui_json_text(j, "detail", v->detail);
	ui_json_text(j, "hint", v->hint);
	ui_json_text(j, "function", v->function);
	json_number(j, "insn", v->insn);
	ui_json_text(j, "instruction", v->text);
	json_place(j, &v->place);
	json_steps(j, v);
	json_example(j, v);
}

static void json_acceptance(struct json *j, const struct verify_subject *s, const struct picket_verdict *v)
{
	json_key(j, "insn_bound");
	if (v->insn_bound == UINT64_MAX)
		json_null(j);
	else
		json_u64(j, v->insn_bound);
	json_number(j, "stack_bytes", v->stack_bytes);
	json_number(j, "maps", maps_count(s));
}

void verify_show_json(const struct verify_subject *s, const struct picket_verdict *v, struct buf *out)
{
	struct json j;
	json_init(&j, out);
	json_begin_object(&j);
	ui_json_text(&j, "object", s->file);
	ui_json_text(&j, "program", s->program);
	ui_json_text(&j, "section", s->section);
	ui_json_text(&j, "kind", picket_kind_name(v->kind));
	ui_json_bool(&j, "accepted", v->accepted);
	if (v->accepted)
		json_acceptance(&j, s, v);
	else
		json_rejection(&j, v);
	json_number(&j, "insns_seen", v->insns_seen);
	json_number(&j, "states_seen", v->states_seen);
	json_number(&j, "states_peak", v->states_peak);
	json_number(&j, "memory_peak", v->memory_peak);
	json_number(&j, "time_ns", v->time_ns);
	json_end_object(&j);
	buf_add_char(out, '\n');
}
