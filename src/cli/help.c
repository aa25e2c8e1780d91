/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/help.h"

#include <errno.h>
#include <stdio.h>
#include <unistd.h>

#include "cli/ui.h"
#include "core/log.h"

#define HELP_BYTES_MAX (1u << 20)
#define WIDTH_MAX 110 /* longer lines are hard to read */
#define INDENT 2
#define OPTION_COLUMN 30 /* where texts of options begin */

#define TAGLINE "watch a Linux host through eBPF, and raise alerts by rules"

struct page {
	struct buf *out;
	bool color;
	unsigned width;
};

static void heading(const struct page *p, const char *text)
{
	buf_printf(p->out, "\n%s%s%s\n", ui_code(p->color, UI_BOLD), text, ui_code(p->color, UI_RESET));
}

/* A name, and its text in a column; on the next line if the name is too long. */
static void entry(const struct page *p, struct str name, unsigned column, const char *text)
{
	buf_printf(p->out, "%*s%s", INDENT, "", ui_code(p->color, UI_CYAN));
	buf_add_str(p->out, name);
	buf_add_text(p->out, ui_code(p->color, UI_RESET));
	size_t at = INDENT + ui_columns(name);
	if (at + 2 > column)
		buf_printf(p->out, "\n%*s", (int)column, "");
	else
		buf_printf(p->out, "%*s", (int)(column - at), "");
	ui_add_wrapped(str_from(text), column, column, p->width, p->out);
	buf_add_char(p->out, '\n');
}

static void option_entry(const struct page *p, const struct option_info *o)
{
	_cleanup_(buf_done) struct buf name;
	buf_init(&name, 256);
	if (o->letter)
		buf_printf(&name, "-%c, ", o->letter);
	else
		buf_add_text(&name, "    ");
	buf_printf(&name, "--%s", o->name);
	if (o->argument[0])
		buf_printf(&name, " %s", o->argument);
	entry(p, buf_str(&name), OPTION_COLUMN, o->text);
}

static void add_options(const struct page *p, const struct command_info *c)
{
	const struct option_info *o = command_next_option(c, NULL);
	heading(p, "Options");
	for (; c && o; o = command_next_option(c, o))
		option_entry(p, o);
	for (o = command_next_option(NULL, NULL); o; o = command_next_option(NULL, o))
		option_entry(p, o);
}

static void add_paragraphs(const struct page *p, const char *text)
{
	struct str rest = str_from(text), line;
	while (rest.length > 0 && str_next(&rest, '\n', &line)) {
		if (line.length > 0)
			ui_add_wrapped(line, 0, 0, p->width, p->out);
		buf_add_char(p->out, '\n');
	}
}

static void add_actions(const struct page *p, const struct command_info *c)
{
	const struct action_info *a = command_next_action(c, NULL);
	if (a)
		heading(p, "Actions");
	for (; a; a = command_next_action(c, a)) {
		_cleanup_(buf_done) struct buf name;
		buf_init(&name, 256);
		buf_printf(&name, "%s %s", a->name, a->arguments);
		entry(p, buf_str(&name), OPTION_COLUMN, a->summary);
	}
}

static void add_examples(const struct page *p, const struct command_info *c)
{
	const struct example_info *e = command_next_example(c, NULL);
	if (e)
		heading(p, "Examples");
	for (; e; e = command_next_example(c, e))
		buf_printf(p->out, "%*s%s%s%s\n%*s%s\n", INDENT, "", ui_code(p->color, UI_CYAN), e->line,
		           ui_code(p->color, UI_RESET), 3 * INDENT, "", e->text);
}

static void add_exits(const struct page *p)
{
	heading(p, "Exit codes");
	for (const struct exit_info *e = command_next_exit(NULL); e; e = command_next_exit(e))
		buf_printf(p->out, "%*s%d  %s\n", INDENT, "", e->code, e->text);
}

static void add_command(const struct page *p, const struct command_info *c)
{
	buf_printf(p->out, "%spicket %s%s: %s\n\n", ui_code(p->color, UI_BOLD), c->name, ui_code(p->color, UI_RESET),
	           c->summary);
	buf_printf(p->out, "usage: picket %s [OPTION]…%s%s\n", c->name, c->arguments[0] ? " " : "", c->arguments);
	if (c->details[0]) {
		buf_add_char(p->out, '\n');
		add_paragraphs(p, c->details);
	}
	add_actions(p, c);
	add_options(p, c);
	add_examples(p, c);
}

static void add_all(const struct page *p)
{
	buf_printf(p->out, "%spicket%s: " TAGLINE "\n\nusage: picket COMMAND [OPTION]… [ARGUMENT]…\n",
	           ui_code(p->color, UI_BOLD), ui_code(p->color, UI_RESET));
	heading(p, "Commands");
	for (const struct command_info *c = command_next(NULL); c; c = command_next(c))
		entry(p, str_from(c->name), 12, c->summary);
	add_options(p, NULL);
	add_exits(p);
	buf_add_text(p->out,
	             "\nMore about a command: picket help COMMAND. What works on this machine: picket doctor.\n");
}

void help_add(const struct command_info *c, bool color, unsigned width, struct buf *out)
{
	const struct page p = {.out = out, .color = color, .width = MIN(width, (unsigned)WIDTH_MAX)};
	if (c)
		add_command(&p, c);
	else
		add_all(&p);
}

/* ---- the commands help and version ---- */

int help_unknown_command(const char *name)
{
	const char *near = command_suggest(name);
	if (name[0] == '-')
		log_error("the command comes first: picket COMMAND %s …; see picket help", name);
	else if (near)
		log_error("there is no command \"%s\"; did you mean %s?", name, near);
	else
		log_error("there is no command \"%s\"; see picket help", name);
	return CLI_USAGE;
}

static int man_write(const char *name)
{
	_cleanup_(buf_done) struct buf out = {0};
	const struct command_info *c = command_find(name);
	if (!c && strcmp(name, "picket") != 0)
		return help_unknown_command(name);
	buf_init(&out, HELP_BYTES_MAX);
	help_add_man(c, &out);
	return ui_print(&out);
}

static int completion_write(const char *shell)
{
	_cleanup_(buf_done) struct buf out;
	buf_init(&out, HELP_BYTES_MAX);
	if (help_add_completion(shell, &out) < 0) {
		log_error("there are completions for bash, zsh and fish, none for \"%s\"", shell);
		return CLI_USAGE;
	}
	return ui_print(&out);
}

int command_help(const struct args *args)
{
	_cleanup_(buf_done) struct buf out;
	const struct command_info *c = NULL;
	buf_init(&out, HELP_BYTES_MAX);
	if (args_has(args, "man"))
		return man_write(args_get(args, "man"));
	if (args_has(args, "completion"))
		return completion_write(args_get(args, "completion"));
	if (args->word_count > 0) {
		c = command_find(args->words[0]);
		if (!c)
			return help_unknown_command(args->words[0]);
	}
	help_add(c, ui_color(args, STDOUT_FILENO), ui_width(STDOUT_FILENO), &out);
	return ui_print(&out);
}

int command_version(const struct args *args)
{
	(void)args;
	_cleanup_(buf_done) struct buf out;
	buf_init(&out, 256);
	buf_add_text(&out, "picket " PICKET_VERSION "\n");
	return ui_print(&out);
}
