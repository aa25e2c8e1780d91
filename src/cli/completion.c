/* SPDX-License-Identifier: Apache-2.0 */
#include <ctype.h>
#include <errno.h>

#include "cli/help.h"
#include "rule/rule.h"

enum completed { COMPLETE_NOTHING, COMPLETE_FILES, COMPLETE_DIRS, COMPLETE_WORDS };

/* "a|b|c" in small letters is a choice of words; PRIORITY stands for the priorities. */
static enum completed argument_completed(const char *argument)
{
	if (strcmp(argument, "DIR") == 0)
		return COMPLETE_DIRS;
	if (strcmp(argument, "FILE") == 0 || strcmp(argument, "PATH") == 0)
		return COMPLETE_FILES;
	if (strcmp(argument, "PRIORITY") == 0)
		return COMPLETE_WORDS;
	for (const char *c = argument; *c; c++)
		if (!islower((unsigned char)*c) && *c != '|')
			return COMPLETE_NOTHING;
	return strchr(argument, '|') ? COMPLETE_WORDS : COMPLETE_NOTHING;
}

static void add_argument_words(const char *argument, struct buf *out)
{
	if (strcmp(argument, "PRIORITY") != 0) {
		for (; *argument; argument++)
			buf_add_char(out, *argument == '|' ? ' ' : *argument);
		return;
	}
	for (unsigned p = 0; p <= PRIORITY_DEBUG; p++) {
		if (p > 0)
			buf_add_char(out, ' ');
		for (const char *c = rule_priority_name(p); *c; c++)
			buf_add_char(out, (char)tolower((unsigned char)*c));
	}
}

static void add_command_words(struct buf *out)
{
	for (const struct command_info *c = command_next(NULL); c; c = command_next(c))
		buf_printf(out, "%s%s", c == command_next(NULL) ? "" : " ", c->name);
}

/* Calls for the command's own options, then for those of all. */
static void each_option(const struct command_info *c,
                        void (*call)(const struct command_info *, const struct option_info *, struct buf *),
                        struct buf *out)
{
	for (const struct option_info *o = command_next_option(c, NULL); o; o = command_next_option(c, o))
		call(c, o, out);
	for (const struct option_info *o = command_next_option(NULL, NULL); o; o = command_next_option(NULL, o))
		call(c, o, out);
}

/* ---- bash ---- */

static void bash_option_word(const struct command_info *c, const struct option_info *o, struct buf *out)
{
	(void)c;
	buf_printf(out, " --%s", o->name);
}

static void bash_option_case(const struct command_info *c, const struct option_info *o, struct buf *out)
{
	enum completed what = argument_completed(o->argument);
	if (!o->argument[0])
		return;
	buf_printf(out, "\t%s,--%s", c->name, o->name);
	if (o->letter)
		buf_printf(out, "|%s,-%c", c->name, o->letter);
	buf_add_text(out, ") ");
	switch (what) {
	case COMPLETE_FILES:
		buf_add_text(out, "COMPREPLY=($(compgen -f -- \"$word\"))");
		break;
	case COMPLETE_DIRS:
		buf_add_text(out, "COMPREPLY=($(compgen -d -- \"$word\"))");
		break;
	case COMPLETE_WORDS:
		buf_add_text(out, "COMPREPLY=($(compgen -W \"");
		add_argument_words(o->argument, out);
		buf_add_text(out, "\" -- \"$word\"))");
		break;
	case COMPLETE_NOTHING:
		buf_add_char(out, ':');
		break;
	}
	buf_add_text(out, "; return ;;\n");
}

static void bash_command_case(const struct command_info *c, struct buf *out)
{
	buf_printf(out, "\t%s) words=\"", c->name);
	if (strcmp(c->name, "help") == 0)
		add_command_words(out);
	for (const struct action_info *a = command_next_action(c, NULL); a; a = command_next_action(c, a))
		buf_printf(out, "%s ", a->name);
	each_option(c, bash_option_word, out);
	buf_add_text(out, "\" ;;\n");
}

static void add_bash(struct buf *out)
{
	buf_add_text(out, "# Made of schema/command.def by `picket help --completion bash`.\n"
	                  "_picket()\n{\n"
	                  "\tlocal word=\"${COMP_WORDS[COMP_CWORD]}\" before=\"${COMP_WORDS[COMP_CWORD-1]}\"\n"
	                  "\tlocal command=\"${COMP_WORDS[1]}\" words=\"\"\n"
	                  "\tif [ \"$COMP_CWORD\" -eq 1 ]; then\n\t\tCOMPREPLY=($(compgen -W \"");
	add_command_words(out);
	buf_add_text(out, " --help --version\" -- \"$word\"))\n\t\treturn\n\tfi\n\tcase \"$command,$before\" in\n");
	for (const struct command_info *c = command_next(NULL); c; c = command_next(c))
		each_option(c, bash_option_case, out);
	buf_add_text(out, "\tesac\n\tcase \"$command\" in\n");
	for (const struct command_info *c = command_next(NULL); c; c = command_next(c))
		bash_command_case(c, out);
	buf_add_text(out, "\tesac\n"
	                  "\tCOMPREPLY=($(compgen -W \"$words\" -- \"$word\"))\n"
	                  "\t[ \"$word\" = \"${word#-}\" ] && COMPREPLY+=($(compgen -f -- \"$word\"))\n"
	                  "}\ncomplete -o filenames -F _picket picket\n");
}

/* ---- zsh ---- */

/* Inside '…' of a shell, inside […] of an _arguments specification. */
static void zsh_add_text(const char *text, struct buf *out)
{
	for (; *text; text++) {
		if (*text == '\'')
			buf_add_text(out, "'\\''");
		else if (*text == '[' || *text == ']' || *text == ':' || *text == '\\')
			buf_printf(out, "\\%c", *text);
		else
			buf_add_char(out, *text);
	}
}

static void zsh_option_spec(const struct option_info *o, const char *name, struct buf *out)
{
	enum completed what = argument_completed(o->argument);
	buf_printf(out, " \\\n\t\t\t'*%s[", name);
	zsh_add_text(o->text, out);
	buf_add_char(out, ']');
	if (o->argument[0]) {
		buf_add_char(out, ':');
		zsh_add_text(o->argument, out);
		buf_add_char(out, ':');
	}
	if (what == COMPLETE_FILES)
		buf_add_text(out, "_files");
	if (what == COMPLETE_DIRS)
		buf_add_text(out, "_files -/");
	if (what == COMPLETE_WORDS) {
		buf_add_char(out, '(');
		add_argument_words(o->argument, out);
		buf_add_char(out, ')');
	}
	buf_add_char(out, '\'');
}

static void zsh_option(const struct command_info *c, const struct option_info *o, struct buf *out)
{
	(void)c;
	_cleanup_(buf_done) struct buf name;
	buf_init(&name, 128);
	buf_printf(&name, "--%s", o->name);
	zsh_option_spec(o, name.data, out);
	if (o->letter) {
		const char letter[] = {'-', o->letter, '\0'};
		zsh_option_spec(o, letter, out);
	}
}

static void zsh_command(const struct command_info *c, struct buf *out)
{
	buf_printf(out, "\t\t%s)\n\t\t\t_arguments -s", c->name);
	each_option(c, zsh_option, out);
	const struct action_info *a = command_next_action(c, NULL);
	if (a || strcmp(c->name, "help") == 0) {
		buf_add_text(out, " \\\n\t\t\t'1:what:(");
		if (!a)
			add_command_words(out);
		for (; a; a = command_next_action(c, a))
			buf_printf(out, "%s ", a->name);
		buf_add_text(out, ")'");
	}
	buf_add_text(out, " \\\n\t\t\t'*:file:_files' ;;\n");
}

static void add_zsh(struct buf *out)
{
	buf_add_text(out, "#compdef picket\n# Made of schema/command.def by `picket help --completion zsh`.\n"
	                  "_picket()\n{\n\tlocal -a commands\n\tcommands=(\n");
	for (const struct command_info *c = command_next(NULL); c; c = command_next(c)) {
		buf_printf(out, "\t\t'%s:", c->name);
		zsh_add_text(c->summary, out);
		buf_add_text(out, "'\n");
	}
	buf_add_text(out, "\t)\n\tif (( CURRENT == 2 )); then\n\t\t_describe command commands\n\t\treturn\n\tfi\n"
	                  "\tlocal command=\"$words[2]\"\n\tshift words\n\t(( CURRENT-- ))\n\tcase \"$command\" in\n");
	for (const struct command_info *c = command_next(NULL); c; c = command_next(c))
		zsh_command(c, out);
	buf_add_text(out, "\tesac\n}\n_picket \"$@\"\n");
}

/* ---- fish ---- */

static void fish_add_text(const char *text, struct buf *out)
{
	buf_add_char(out, '\'');
	for (; *text; text++) {
		if (*text == '\'' || *text == '\\')
			buf_add_char(out, '\\');
		buf_add_char(out, *text);
	}
	buf_add_char(out, '\'');
}

static void fish_option(const struct command_info *c, const struct option_info *o, struct buf *out)
{
	enum completed what = argument_completed(o->argument);
	buf_printf(out, "complete -c picket -n '__fish_seen_subcommand_from %s' -l %s", c->name, o->name);
	if (o->letter)
		buf_printf(out, " -s %c", o->letter);
	if (o->argument[0])
		buf_add_text(out, what == COMPLETE_FILES || what == COMPLETE_DIRS ? " -rF" : " -x");
	if (what == COMPLETE_WORDS) {
		buf_add_text(out, " -a '");
		add_argument_words(o->argument, out);
		buf_add_char(out, '\'');
	}
	buf_add_text(out, " -d ");
	fish_add_text(o->text, out);
	buf_add_char(out, '\n');
}

static void fish_command(const struct command_info *c, struct buf *out)
{
	buf_printf(out, "complete -c picket -n __fish_use_subcommand -f -a %s -d ", c->name);
	fish_add_text(c->summary, out);
	buf_add_char(out, '\n');
	for (const struct action_info *a = command_next_action(c, NULL); a; a = command_next_action(c, a)) {
		buf_printf(out, "complete -c picket -n '__fish_seen_subcommand_from %s' -a %s -d ", c->name, a->name);
		fish_add_text(a->summary, out);
		buf_add_char(out, '\n');
	}
	each_option(c, fish_option, out);
}

static void add_fish(struct buf *out)
{
	buf_add_text(out, "# Made of schema/command.def by `picket help --completion fish`.\n");
	for (const struct command_info *c = command_next(NULL); c; c = command_next(c))
		fish_command(c, out);
}

int help_add_completion(const char *shell, struct buf *out)
{
	if (strcmp(shell, "bash") == 0)
		add_bash(out);
	else if (strcmp(shell, "zsh") == 0)
		add_zsh(out);
	else if (strcmp(shell, "fish") == 0)
		add_fish(out);
	else
		return -EINVAL;
	return 0;
}
