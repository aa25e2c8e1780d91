/* SPDX-License-Identifier: Apache-2.0 */
#include <ctype.h>

#include "cli/help.h"

/* Text in the language of man(7): what has a meaning there is escaped, and what is not ASCII named. */
static void add_escaped(struct str s, bool at_line_start, struct buf *out)
{
	static const uint8_t first_bits[] = {0, 0x7f, 0x1f, 0x0f, 0x07};
	if (at_line_start && s.length > 0 && (s.data[0] == '.' || s.data[0] == '\''))
		buf_add_text(out, "\\&");
	for (size_t i = 0; i < s.length;) {
		size_t length = utf8_next(s.data + i, s.length - i);
		uint32_t code = (uint8_t)s.data[i] & first_bits[length];
		for (size_t k = 1; k < length; k++)
			code = code << 6 | ((uint8_t)s.data[i + k] & 0x3f);
		if (code == '\\')
			buf_add_text(out, "\\e");
		else if (code == '-')
			buf_add_text(out, "\\-");
		else if (code == '\'')
			buf_add_text(out, "\\(aq");
		else if (code < 0x80)
			buf_add_char(out, (char)code);
		else
			buf_printf(out, "\\[u%04X]", code);
		i += MAX(length, (size_t)1);
	}
}

static void add_text(const char *text, struct buf *out)
{
	add_escaped(str_from(text), false, out);
}

/* Quotes would end a macro's argument; prose goes on lines of its own instead. */
static void add_line(const char *text, struct buf *out)
{
	add_escaped(str_from(text), true, out);
	buf_add_char(out, '\n');
}

static void add_paragraphs(const char *text, struct buf *out)
{
	struct str rest = str_from(text), line;
	while (rest.length > 0 && str_next(&rest, '\n', &line)) {
		if (line.length == 0) {
			buf_add_text(out, ".PP\n");
			continue;
		}
		add_escaped(line, true, out);
		buf_add_char(out, '\n');
	}
}

static void add_upper(const char *text, struct buf *out)
{
	for (; *text; text++)
		buf_add_char(out, (char)toupper((unsigned char)*text));
}

static void add_title(const struct command_info *c, struct buf *out)
{
	buf_add_text(out, ".\\\" Made of schema/command.def by `picket help --man`.\n.TH PICKET");
	if (c) {
		buf_add_char(out, '-');
		add_upper(c->name, out);
	}
	buf_add_text(out, " 1 \"\" \"picket " PICKET_VERSION "\" \"User Commands\"\n.SH NAME\npicket");
	if (c)
		buf_printf(out, "\\-%s", c->name);
	buf_add_text(out, " \\- ");
	add_line(c ? c->summary : "watch a Linux host through eBPF, and raise alerts by rules", out);
}

static void add_option(const struct option_info *o, struct buf *out)
{
	buf_add_text(out, ".TP\n");
	if (o->letter)
		buf_printf(out, "\\fB\\-%c\\fR, ", o->letter);
	buf_add_text(out, "\\fB\\-\\-");
	add_text(o->name, out);
	buf_add_text(out, "\\fR");
	if (o->argument[0]) {
		buf_add_text(out, " \\fI");
		add_text(o->argument, out);
		buf_add_text(out, "\\fR");
	}
	buf_add_char(out, '\n');
	add_line(o->text, out);
}

static void add_options(const struct command_info *c, struct buf *out)
{
	buf_add_text(out, ".SH OPTIONS\n");
	for (const struct option_info *o = c ? command_next_option(c, NULL) : NULL; o; o = command_next_option(c, o))
		add_option(o, out);
	for (const struct option_info *o = command_next_option(NULL, NULL); o; o = command_next_option(NULL, o))
		add_option(o, out);
}

static void add_actions(const struct command_info *c, struct buf *out)
{
	const struct action_info *a = command_next_action(c, NULL);
	if (a)
		buf_add_text(out, ".SH ACTIONS\n");
	for (; a; a = command_next_action(c, a)) {
		buf_printf(out, ".TP\n\\fB%s\\fR \\fI", a->name);
		add_text(a->arguments, out);
		buf_add_text(out, "\\fR\n");
		add_line(a->summary, out);
	}
}

static void add_commands(struct buf *out)
{
	buf_add_text(out, ".SH COMMANDS\n");
	for (const struct command_info *c = command_next(NULL); c; c = command_next(c)) {
		buf_printf(out, ".TP\n\\fB%s\\fR \\fI", c->name);
		add_text(c->arguments, out);
		buf_add_text(out, "\\fR\n");
		add_line(c->summary, out);
	}
}

static void add_examples(const struct command_info *c, struct buf *out)
{
	const struct example_info *e = command_next_example(c, NULL);
	if (e)
		buf_add_text(out, ".SH EXAMPLES\n");
	for (; e; e = command_next_example(c, e)) {
		buf_add_text(out, ".TP\n\\fB");
		add_text(e->line, out);
		buf_add_text(out, "\\fR\n");
		add_line(e->text, out);
	}
}

static void add_exits_and_places(struct buf *out)
{
	buf_add_text(out, ".SH EXIT STATUS\n");
	for (const struct exit_info *e = command_next_exit(NULL); e; e = command_next_exit(e)) {
		buf_printf(out, ".TP\n\\fB%d\\fR\n", e->code);
		add_line(e->text, out);
	}
	buf_add_text(out, ".SH FILES AND ENVIRONMENT\n");
	for (const struct place_info *p = command_next_place(NULL); p; p = command_next_place(p)) {
		buf_add_text(out, ".TP\n\\fI");
		add_text(p->name, out);
		buf_add_text(out, "\\fR\n");
		add_line(p->text, out);
	}
}

static void add_see_also(const struct command_info *c, struct buf *out)
{
	const char *separator = "";
	buf_add_text(out, ".SH SEE ALSO\n");
	if (c) {
		buf_add_text(out, ".BR picket (1)");
		separator = ",\n";
	}
	for (const struct command_info *other = command_next(NULL); other; other = command_next(other)) {
		if (other == c)
			continue;
		buf_printf(out, "%s.BR picket\\-%s (1)", separator, other->name);
		separator = ",\n";
	}
	buf_add_char(out, '\n');
}

void help_add_man(const struct command_info *c, struct buf *out)
{
	add_title(c, out);
	buf_add_text(out, ".SH SYNOPSIS\n\\fBpicket ");
	buf_add_text(out, c ? c->name : "\\fICOMMAND");
	buf_add_text(out, "\\fR [\\fIOPTION\\fR]\\[u2026] \\fI");
	add_text(c ? c->arguments : "[ARGUMENT]…", out);
	buf_add_text(out, "\\fR\n");
	if (c && c->details[0]) {
		buf_add_text(out, ".SH DESCRIPTION\n");
		add_paragraphs(c->details, out);
	}
	if (c)
		add_actions(c, out);
	else
		add_commands(out);
	add_options(c, out);
	if (c)
		add_examples(c, out);
	add_exits_and_places(out);
	add_see_also(c, out);
}
