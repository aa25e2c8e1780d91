/* SPDX-License-Identifier: Apache-2.0 */
#include "export/export.h"

#include "base/clock.h"
#include "base/json.h"

#include <inttypes.h>
#include <stdio.h>

#define BOLD "\x1b[1m"
#define DIM "\x1b[2m"
#define BOLD_RED "\x1b[1;31m"
#define RED "\x1b[31m"
#define YELLOW "\x1b[33m"
#define CYAN "\x1b[36m"
#define PLAIN "\x1b[0m"

#define PRIORITY_COLUMNS 8 /* "Critical": the priorities above it are rare enough to stand out */

static void add_text(struct buf *out, const char *text)
{
	value_add_printable(str_from(text), 0, out);
}

/* ---- the line as Falco writes it ---- */

static void add_time(const struct alert *a, bool iso_time, struct buf *out)
{
	if (iso_time)
		clock_add_offset(out, a->real_ns);
	else
		clock_add_local_time(out, a->real_ns, true);
}

/* Without the notes and the newline. */
static void add_line(const struct alert *a, bool iso_time, struct buf *out)
{
	add_time(a, iso_time, out);
	buf_add_text(out, ": ");
	add_text(out, a->priority_name);
	buf_add_char(out, ' ');
	value_add_printable(a->output, 0, out);
}

static void add_notes(const struct alert *a, const char *color, const char *plain, struct buf *out)
{
	if (a->incomplete) {
		buf_printf(out, " %s[evidence incomplete", color);
		if (a->incomplete_why) {
			buf_add_text(out, ": ");
			add_text(out, a->incomplete_why);
		}
		buf_printf(out, "]%s", plain);
	}
	if (a->held_back)
		buf_printf(out, " %s[%" PRIu64 " more like this held back]%s", color, a->held_back, plain);
}

/* ---- the line for a reader: columns for time and priority, what matters bold, what repeats itself dim ---- */

static const char *priority_color(unsigned priority)
{
	static const char *const colors[] = {BOLD_RED, BOLD_RED, BOLD_RED, RED, YELLOW, CYAN, DIM, DIM};
	return colors[MIN(priority, ARRAY_SIZE(colors) - 1)];
}

static void add_short_time(const struct alert *a, struct buf *out)
{
	clock_add_local_time(out, a->real_ns, false);
	buf_printf(out, ".%03u", (unsigned)(a->real_ns % NS_PER_S / NS_PER_MS));
}

static bool is_key_char(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '_' || c == '.';
}

/* Length of "key=" at the beginning of s, 0 if there is none. */
static size_t key_length(struct str s)
{
	size_t i = 0;
	while (i < s.length && is_key_char(s.data[i]))
		i++;
	return i > 0 && i < s.length && s.data[i] == '=' ? i + 1 : 0;
}

/* The output with its "key=" dim, so that the values are what one sees. */
static void add_output_colored(struct str s, struct buf *out)
{
	size_t plain = 0; /* where the text begins that is not yet copied */
	bool at_word = true;
	for (size_t i = 0; i < s.length;) {
		size_t key = at_word ? key_length(str_make(s.data + i, s.length - i)) : 0;
		at_word = s.data[i] == ' ' || s.data[i] == '(';
		if (key) {
			value_add_printable(str_make(s.data + plain, i - plain), 0, out);
			buf_printf(out, DIM STR_FMT PLAIN, STR_ARG(str_make(s.data + i, key)));
			plain = i + key;
			at_word = false;
		}
		i += MAX(key, (size_t)1);
	}
	value_add_printable(str_make(s.data + plain, s.length - plain), 0, out);
}

static void add_line_colored(const struct alert *a, bool iso_time, struct buf *out)
{
	buf_add_text(out, DIM);
	if (iso_time)
		clock_add_offset(out, a->real_ns);
	else
		add_short_time(a, out);
	buf_printf(out, PLAIN " %s%-*s" PLAIN " " BOLD, priority_color(a->priority), PRIORITY_COLUMNS,
	           a->priority_name);
	add_text(out, a->rule);
	buf_add_text(out, PLAIN "  ");
	add_output_colored(a->output, out);
}

void alert_add_text(const struct alert *a, bool color, bool iso_time, struct buf *out)
{
	if (color)
		add_line_colored(a, iso_time, out);
	else
		add_line(a, iso_time, out);
	add_notes(a, color ? YELLOW : "", color ? PLAIN : "", out);
	buf_add_char(out, '\n');
}

/* ---- JSON ---- */

static void add_time_member(struct json *j, uint64_t real_ns)
{
	_cleanup_(buf_done) struct buf time;
	buf_init(&time, 40);
	clock_add_iso8601(&time, real_ns);
	json_key(j, "time");
	json_str(j, buf_str(&time));
}

static void add_output_member(struct json *j, const struct alert *a)
{
	_cleanup_(buf_done) struct buf line;
	buf_init(&line, j->out->limit);
	add_line(a, false, &line);
	json_key(j, "output");
	json_str(j, buf_str(&line));
	if (buf_error(&line) && !j->out->error)
		j->out->error = buf_error(&line);
}

static void add_text_member(struct json *j, const char *key, const char *text)
{
	json_key(j, key);
	json_text(j, text);
}

static void add_tags(struct json *j, const struct alert *a)
{
	json_key(j, "tags");
	json_begin_array(j);
	for (size_t i = 0; i < a->tag_count; i++)
		json_text(j, a->tags[i]);
	json_end_array(j);
}

static void add_fields(struct json *j, const struct alert *a)
{
	json_key(j, "output_fields");
	json_begin_object(j);
	for (size_t i = 0; i < a->field_count; i++) {
		json_key_str(j, a->fields[i].name);
		value_add_json(&a->fields[i].value, j);
	}
	json_end_object(j);
}

static void add_evidence(struct json *j, const struct alert *a)
{
	char schema[17];
	json_key(j, "event_id");
	json_u64(j, a->event_id);
	json_key(j, "evidence_incomplete");
	json_bool(j, a->incomplete);
	if (a->incomplete && a->incomplete_why)
		add_text_member(j, "evidence_incomplete_why", a->incomplete_why);
	snprintf(schema, sizeof(schema), "%016" PRIx64, a->schema);
	add_text_member(j, "schema", schema);
	if (a->held_back) {
		json_key(j, "held_back");
		json_u64(j, a->held_back);
	}
}

void alert_add_json(const struct alert *a, struct buf *out)
{
	struct json j;
	json_init(&j, out);
	json_begin_object(&j);
	add_time_member(&j, a->real_ns);
	add_text_member(&j, "rule", a->rule);
	add_text_member(&j, "priority", a->priority_name);
	add_text_member(&j, "source", a->source);
	add_text_member(&j, "hostname", a->hostname);
	add_output_member(&j, a);
	add_tags(&j, a);
	add_fields(&j, a);
	add_evidence(&j, a);
	json_end_object(&j);
	buf_add_char(out, '\n');
}
