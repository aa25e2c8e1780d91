/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/powers_show.h"

#include <inttypes.h>
#include <stdio.h>

#include "base/json.h"
#include "cli/ui.h"
#include "event/value.h"

#define SHOWN_BYTES_MAX (64u << 10)
#define SEVERITY_COLUMNS 8
#define POWER_COLUMNS_MAX 40
#define INDENT 2

struct place {
	const char *file, *text;
	unsigned line, column;
};

/* Programs of several sections may have the same name. */
static bool index_of(const struct powers_input *in, const struct picket_powers_program *program, size_t *ret_index)
{
	for (size_t i = 0; i < picket_image_program_count(in->image); i++) {
		if (strcmp(picket_image_name(in->image, i), program->name) != 0 ||
		    strcmp(picket_image_section(in->image, i), program->section) != 0)
			continue;
		*ret_index = i;
		return true;
	}
	return false;
}

/* Where the instruction is in the source that gives a power. */
static bool place_of(const struct powers_input *in, const struct picket_power_entry *entry, struct place *ret_place)
{
	struct picket_powers_program program = picket_powers_program(in->powers, entry->program);
	size_t index;
	return in->image && entry->insn != PICKET_POWER_HOOK && index_of(in, &program, &index) &&
	       picket_image_line(in->image, index, entry->insn, &ret_place->file, &ret_place->line, &ret_place->column,
	                         &ret_place->text);
}

static const char *severity_color(enum picket_severity severity)
{
	switch (severity) {
	case PICKET_SEVERITY_CRITICAL:
		return UI_RED;
	case PICKET_SEVERITY_HIGH:
		return UI_YELLOW;
	case PICKET_SEVERITY_MEDIUM:
		return UI_CYAN;
	default:
		return UI_DIM;
	}
}

static void add_printable(const char *text, struct buf *out)
{
	value_add_printable(str_from(text), 0, out);
}

static void add_severity(enum picket_severity severity, const struct powers_look *look, struct buf *out)
{
	buf_printf(out, "%*s%s%-*s%s  ", INDENT, "", ui_code(look->color, severity_color(severity)), SEVERITY_COLUMNS,
	           picket_severity_name(severity), ui_code(look->color, UI_RESET));
}

static void add_cause(const struct powers_input *in, const struct picket_power_entry *entry, struct buf *out)
{
	struct place place;
	if (!entry->cause[0])
		return;
	add_printable(entry->cause, out);
	if (!place_of(in, entry, &place))
		return;
	buf_add_text(out, ", ");
	add_printable(place.file, out);
	buf_printf(out, ":%u", place.line);
}

/* ---- one program ---- */

/* "kill (SIGKILL, SIGTERM)": of entries of one power. */
static void add_power_name(const struct picket_power_entry *entries, size_t count, struct buf *out)
{
	bool open = false;
	buf_add_text(out, picket_power_name(entries[0].power));
	for (size_t i = 0; i < count; i++) {
		if (!entries[i].detail[0])
			continue;
		buf_add_text(out, open ? ", " : " (");
		add_printable(entries[i].detail, out);
		open = true;
	}
	if (open)
		buf_add_char(out, ')');
}

static void add_power(const struct powers_input *in, const struct picket_power_entry *entries, size_t count,
                      unsigned columns, const struct powers_look *look, struct buf *out)
{
	_cleanup_(buf_done) struct buf name, why;
	buf_init(&name, SHOWN_BYTES_MAX);
	buf_init(&why, SHOWN_BYTES_MAX);
	add_power_name(entries, count, &name);
	add_severity(picket_power_severity(entries[0].power), look, out);
	buf_add_text(out, ui_code(look->color, UI_BOLD));
	ui_add_padded(buf_str(&name), columns, out);
	buf_printf(out, "%s  %s", ui_code(look->color, UI_RESET), picket_power_doc(entries[0].power));
	add_cause(in, &entries[0], &why);
	if (why.length > 0) {
		buf_printf(out, "%s [", ui_code(look->color, UI_DIM));
		buf_add_str(out, buf_str(&why));
		buf_printf(out, "]%s", ui_code(look->color, UI_RESET));
	}
	buf_add_char(out, '\n');
}

static size_t same_power(const struct powers_input *in, size_t first, size_t end)
{
	size_t count = 1;
	while (first + count < end &&
	       picket_powers_at(in->powers, first + count)->power == picket_powers_at(in->powers, first)->power)
		count++;
	return count;
}

static unsigned power_columns(const struct powers_input *in, size_t first, size_t end)
{
	size_t columns = 0;
	for (size_t i = first, count; i < end; i += count) {
		_cleanup_(buf_done) struct buf name;
		buf_init(&name, SHOWN_BYTES_MAX);
		count = same_power(in, i, end);
		add_power_name(picket_powers_at(in->powers, i), count, &name);
		columns = MAX(columns, ui_columns(buf_str(&name)));
	}
	return (unsigned)MIN(columns, POWER_COLUMNS_MAX);
}

/* What can do most harm stands first. */
static void add_powers(const struct powers_input *in, size_t first, size_t end, const struct powers_look *look,
                       struct buf *out)
{
	unsigned columns = power_columns(in, first, end);
	for (int severity = PICKET_SEVERITY_CRITICAL; severity >= PICKET_SEVERITY_LOW; severity--) {
		for (size_t i = first, count; i < end; i += count) {
			const struct picket_power_entry *entry = picket_powers_at(in->powers, i);
			count = same_power(in, i, end);
			if ((int)picket_power_severity(entry->power) == severity)
				add_power(in, entry, count, columns, look, out);
		}
	}
	if (first == end)
		buf_printf(out, "%*snothing but to calculate\n", INDENT, "");
}

static size_t program_end(const struct powers_input *in, size_t first, size_t program)
{
	while (first < picket_powers_count(in->powers) && picket_powers_at(in->powers, first)->program == program)
		first++;
	return first;
}

static void add_program(const struct powers_input *in, size_t index, const struct powers_look *look, struct buf *out)
{
	struct picket_powers_program program = picket_powers_program(in->powers, index);
	const char *kind = picket_kind_name(program.kind);
	buf_add_text(out, ui_code(look->color, UI_BOLD));
	add_printable(program.name, out);
	buf_printf(out, "%s  %s, section ", ui_code(look->color, UI_RESET), kind ? kind : "of no known kind");
	add_printable(program.section, out);
	buf_add_char(out, '\n');
}

/* ---- all of them ---- */

static void add_summary(const struct powers_input *in, const struct powers_look *look, struct buf *out)
{
	bool has[PICKET_POWERS] = {false};
	for (size_t i = 0; i < picket_powers_count(in->powers); i++)
		has[picket_powers_at(in->powers, i)->power] = true;
	buf_printf(out, "%zu programs; in all they can:\n", picket_powers_program_count(in->powers));
	for (int severity = PICKET_SEVERITY_CRITICAL; severity >= PICKET_SEVERITY_LOW; severity--) {
		_cleanup_(buf_done) struct buf names;
		buf_init(&names, SHOWN_BYTES_MAX);
		for (unsigned p = 0; p < PICKET_POWERS; p++)
			if (has[p] && (int)picket_power_severity((enum picket_power)p) == severity)
				buf_printf(&names, "%s%s", names.length > 0 ? ", " : "",
				           picket_power_name((enum picket_power)p));
		if (names.length == 0)
			continue;
		add_severity((enum picket_severity)severity, look, out);
		ui_add_wrapped(buf_str(&names), INDENT + SEVERITY_COLUMNS + 2, INDENT + SEVERITY_COLUMNS + 2,
		               look->width, out);
		buf_add_char(out, '\n');
	}
}

static void show_text(const struct powers_input *in, const struct powers_look *look, struct buf *out)
{
	size_t programs = picket_powers_program_count(in->powers);
	for (size_t i = 0, first = 0; i < programs; i++) {
		size_t end = program_end(in, first, i);
		add_program(in, i, look, out);
		add_powers(in, first, end, look, out);
		first = end;
	}
	if (programs != 1)
		add_summary(in, look, out);
}

/* ---- JSON ---- */

static void json_place(struct json *j, const struct powers_input *in, const struct picket_power_entry *entry)
{
	struct place place;
	if (entry->insn == PICKET_POWER_HOOK)
		return;
	json_key(j, "insn");
	json_u64(j, entry->insn);
	if (!place_of(in, entry, &place))
		return;
	ui_json_text(j, "file", place.file);
	json_key(j, "line");
	json_u64(j, place.line);
}

static void json_power(struct json *j, const struct powers_input *in, const struct picket_power_entry *entry,
                       const char *program)
{
	json_begin_object(j);
	if (program)
		ui_json_text(j, "program", program);
	ui_json_text(j, "power", picket_power_name(entry->power));
	ui_json_text(j, "detail", entry->detail);
	ui_json_text(j, "severity", picket_severity_name(picket_power_severity(entry->power)));
	ui_json_text(j, "text", picket_power_doc(entry->power));
	if (entry->cause[0])
		ui_json_text(j, "cause", entry->cause);
	json_place(j, in, entry);
	json_end_object(j);
}

static void show_json(const struct powers_input *in, struct buf *out)
{
	struct json j;
	size_t next = 0;
	json_init(&j, out);
	json_begin_object(&j);
	ui_json_text(&j, "object", in->path);
	if (in->image)
		ui_json_text(&j, "license", picket_image_license(in->image));
	json_key(&j, "programs");
	json_begin_array(&j);
	for (size_t i = 0; i < picket_powers_program_count(in->powers); i++) {
		struct picket_powers_program program = picket_powers_program(in->powers, i);
		size_t end = program_end(in, next, i);
		json_begin_object(&j);
		ui_json_text(&j, "program", program.name);
		ui_json_text(&j, "kind", picket_kind_name(program.kind));
		ui_json_text(&j, "section", program.section);
		json_key(&j, "powers");
		json_begin_array(&j);
		for (; next < end; next++)
			json_power(&j, in, picket_powers_at(in->powers, next), NULL);
		json_end_array(&j);
		json_end_object(&j);
	}
	json_end_array(&j);
	json_end_object(&j);
	buf_add_char(out, '\n');
}

void powers_show(const struct powers_input *in, const struct powers_look *look, struct buf *out)
{
	if (look->json)
		show_json(in, out);
	else
		show_text(in, look, out);
}

/* ---- differences ---- */

static const struct {
	const char *key, *text;
} changes[] = {
        [PICKET_POWERS_ADDED] = {"added", "this update adds:"},
        [PICKET_POWERS_SPREAD] = {"spread", "which other programs had, and now these have, too:"},
        [PICKET_POWERS_REMOVED] = {"removed", "this update removes:"},
        [PICKET_POWERS_SHRUNK] = {"shrunk", "which other programs keep, and these have no more:"},
};

struct difference {
	const struct powers_input *old, *now;
	const struct powers_look *look;
	struct buf *out;
	struct json json;
	enum picket_powers_change shown; /* what is being shown: differences come once for each */
	size_t counts[ARRAY_SIZE(changes)];
};

static void difference_show_text(struct difference *d, const struct powers_input *in,
                                 const struct picket_power_entry *entry, const char *program)
{
	_cleanup_(buf_done) struct buf name;
	buf_init(&name, SHOWN_BYTES_MAX);
	add_power_name(entry, 1, &name);
	if (d->counts[d->shown] == 1)
		buf_printf(d->out, "%s%s%s\n", ui_code(d->look->color, UI_BOLD), changes[d->shown].text,
		           ui_code(d->look->color, UI_RESET));
	add_severity(picket_power_severity(entry->power), d->look, d->out);
	buf_add_str(d->out, buf_str(&name));
	buf_add_text(d->out, "  in ");
	add_printable(program, d->out);
	if (entry->cause[0]) {
		buf_printf(d->out, "%s [", ui_code(d->look->color, UI_DIM));
		add_cause(in, entry, d->out);
		buf_printf(d->out, "]%s", ui_code(d->look->color, UI_RESET));
	}
	buf_add_char(d->out, '\n');
}

static void difference_add(enum picket_powers_change change, const struct picket_power_entry *entry,
                           const struct picket_powers_program *program, void *user)
{
	struct difference *d = user;
	bool is_new = change == PICKET_POWERS_ADDED || change == PICKET_POWERS_SPREAD;
	const struct powers_input *in = is_new ? d->now : d->old;
	if (change != d->shown)
		return;
	d->counts[change]++;
	if (d->look->json)
		json_power(&d->json, in, entry, program->name);
	else
		difference_show_text(d, in, entry, program->name);
}

static int difference_all(struct difference *d)
{
	int r = 0;
	for (unsigned c = 0; r == 0 && c < ARRAY_SIZE(changes); c++) {
		d->shown = (enum picket_powers_change)c;
		if (d->look->json) {
			json_key(&d->json, changes[c].key);
			json_begin_array(&d->json);
		}
		r = picket_powers_compare(d->old->powers, d->now->powers, difference_add, d);
		if (d->look->json)
			json_end_array(&d->json);
	}
	return r;
}

int powers_show_difference(const struct powers_input *old, const struct powers_input *now,
                           const struct powers_look *look, struct buf *out, bool *ret_added)
{
	struct difference d = {.old = old, .now = now, .look = look, .out = out};
	size_t all = 0;
	json_init(&d.json, out);
	if (look->json)
		json_begin_object(&d.json);
	int r = difference_all(&d);
	if (r < 0)
		return r;
	for (unsigned c = 0; c < ARRAY_SIZE(changes); c++)
		all += d.counts[c];
	if (look->json) {
		json_end_object(&d.json);
		buf_add_char(out, '\n');
	} else if (all == 0) {
		buf_add_text(out, "this update changes no powers\n");
	}
	*ret_added = d.counts[PICKET_POWERS_ADDED] + d.counts[PICKET_POWERS_SPREAD] > 0;
	return 0;
}
