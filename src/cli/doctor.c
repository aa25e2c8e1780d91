/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "cli/ui.h"
#include "core/log.h"
#include "loader/loader.h"

#define OUT_BYTES_MAX (1u << 20)
#define SENSORS_MAX 32
#define REQUIREMENTS_MAX 32
#define NAME_COLUMNS 20

struct findings {
	struct loader_requirement requirements[REQUIREMENTS_MAX];
	size_t requirement_count;
	struct loader_sensor_report sensors[SENSORS_MAX];
	size_t sensor_count;
	bool fatal, degraded;
};

enum mark { MARK_GOOD, MARK_WEAK, MARK_BAD };

static bool has_text(const char *text)
{
	return text && text[0];
}

static enum mark requirement_mark(const struct loader_requirement *r)
{
	return r->ok ? MARK_GOOD : r->fatal ? MARK_BAD : MARK_WEAK;
}

static enum mark sensor_mark(const struct loader_sensor_report *s)
{
	return !s->hook ? MARK_BAD : s->error < 0 ? MARK_WEAK : MARK_GOOD;
}

static void findings_get(struct findings *f)
{
	f->requirement_count = MIN(loader_requirements(f->requirements, REQUIREMENTS_MAX), (size_t)REQUIREMENTS_MAX);
	f->sensor_count = MIN(loader_probe(f->sensors, SENSORS_MAX), (size_t)SENSORS_MAX);
	size_t working = 0;
	for (size_t i = 0; i < f->requirement_count; i++) {
		f->fatal |= requirement_mark(&f->requirements[i]) == MARK_BAD;
		f->degraded |= requirement_mark(&f->requirements[i]) == MARK_WEAK;
	}
	for (size_t i = 0; i < f->sensor_count; i++) {
		working += f->sensors[i].hook != NULL;
		f->degraded |= sensor_mark(&f->sensors[i]) != MARK_GOOD;
	}
	f->fatal |= working == 0;
}

/* ---- text ---- */

struct sheet {
	struct buf *out;
	bool color;
	unsigned width;
};

static void add_head(const struct sheet *s, enum mark mark, const char *name)
{
	static const struct {
		const char *sign, *code;
	} marks[] = {[MARK_GOOD] = {"✓", UI_GREEN}, [MARK_WEAK] = {"!", UI_YELLOW}, [MARK_BAD] = {"✗", UI_RED}};
	buf_printf(s->out, "  %s%s%s ", ui_code(s->color, marks[mark].code), marks[mark].sign,
	           ui_code(s->color, UI_RESET));
	ui_add_padded(str_from(name), NAME_COLUMNS, s->out);
	buf_add_char(s->out, ' ');
}

static void add_note(const struct sheet *s, const char *label, const char *text)
{
	unsigned column = NAME_COLUMNS + 5;
	if (!has_text(text))
		return;
	buf_printf(s->out, "%*s%s%s%s ", (int)column, "", ui_code(s->color, UI_DIM), label,
	           ui_code(s->color, UI_RESET));
	ui_add_wrapped(str_from(text), column + (unsigned)strlen(label) + 1, column, s->width, s->out);
	buf_add_char(s->out, '\n');
}

static void add_requirement(const struct sheet *s, const struct loader_requirement *r)
{
	add_head(s, requirement_mark(r), r->name);
	buf_printf(s->out, "%s\n", r->found);
	if (!r->ok)
		add_note(s, "change:", r->change);
}

static void add_sensor(const struct sheet *s, const struct loader_sensor_report *r)
{
	add_head(s, sensor_mark(r), r->name);
	if (r->hook)
		buf_printf(s->out, "%s  %s%s%s\n", r->what, ui_code(s->color, UI_DIM), r->hook,
		           ui_code(s->color, UI_RESET));
	else
		buf_printf(s->out, "%s: not observed\n", r->what);
	if (r->error < 0)
		add_note(s, r->hook ? "the better hook was refused:" : "refused:", strerror(-r->error));
	add_note(s, r->error < 0 || !r->hook ? "lost:" : "limits:", r->lost);
	add_note(s, "change:", r->change);
}

static void add_verdict(const struct sheet *s, const struct findings *f)
{
	const char *code = f->fatal ? UI_RED : f->degraded ? UI_YELLOW : UI_GREEN;
	const char *text = f->fatal      ? "picket cannot run here."
	                   : f->degraded ? "picket runs here, with the losses that are named above."
	                                 : "picket runs here, and sees all that it can see.";
	buf_printf(s->out, "\n%s%s%s\n", ui_code(s->color, code), text, ui_code(s->color, UI_RESET));
}

static void add_text(const struct sheet *s, const struct findings *f)
{
	buf_printf(s->out, "%sThis machine%s\n", ui_code(s->color, UI_BOLD), ui_code(s->color, UI_RESET));
	for (size_t i = 0; i < f->requirement_count; i++)
		add_requirement(s, &f->requirements[i]);
	buf_printf(s->out, "\n%sSensors%s\n", ui_code(s->color, UI_BOLD), ui_code(s->color, UI_RESET));
	for (size_t i = 0; i < f->sensor_count; i++)
		add_sensor(s, &f->sensors[i]);
	add_verdict(s, f);
}

/* ---- JSON ---- */

static void json_requirement(struct json *j, const struct loader_requirement *r)
{
	json_begin_object(j);
	ui_json_text(j, "name", r->name);
	json_key(j, "ok");
	json_bool(j, r->ok);
	json_key(j, "fatal");
	json_bool(j, r->fatal);
	ui_json_text(j, "found", r->found);
	ui_json_text(j, "change", r->ok ? "" : r->change);
	json_end_object(j);
}

static void json_sensor(struct json *j, const struct loader_sensor_report *r)
{
	json_begin_object(j);
	ui_json_text(j, "name", r->name);
	ui_json_text(j, "what", r->what);
	ui_json_text(j, "hook", r->hook);
	ui_json_text(j, "lost", r->lost);
	ui_json_text(j, "change", r->change);
	ui_json_text(j, "error", r->error < 0 ? strerror(-r->error) : NULL);
	json_end_object(j);
}

static void add_json(const struct findings *f, struct buf *out)
{
	struct json j;
	json_init(&j, out);
	json_begin_object(&j);
	ui_json_text(&j, "verdict", f->fatal ? "impossible" : f->degraded ? "degraded" : "good");
	json_key(&j, "requirements");
	json_begin_array(&j);
	for (size_t i = 0; i < f->requirement_count; i++)
		json_requirement(&j, &f->requirements[i]);
	json_end_array(&j);
	json_key(&j, "sensors");
	json_begin_array(&j);
	for (size_t i = 0; i < f->sensor_count; i++)
		json_sensor(&j, &f->sensors[i]);
	json_end_array(&j);
	json_end_object(&j);
	buf_add_char(out, '\n');
}

int command_doctor(const struct args *args)
{
	_cleanup_(buf_done) struct buf out = {0};
	struct findings findings = {0};
	if (args_no_words(args) < 0)
		return CLI_USAGE;
	buf_init(&out, OUT_BYTES_MAX);
	findings_get(&findings);
	const struct sheet sheet = {&out, ui_color(args, STDOUT_FILENO), MIN(ui_width(STDOUT_FILENO), 110u)};
	if (args_has(args, "json"))
		add_json(&findings, &out);
	else
		add_text(&sheet, &findings);
	int r = ui_print(&out);
	if (r != CLI_OK)
		return r;
	return findings.fatal ? CLI_IMPOSSIBLE : findings.degraded ? CLI_BAD : CLI_OK;
}
