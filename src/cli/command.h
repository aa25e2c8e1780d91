/* SPDX-License-Identifier: Apache-2.0
 *
 * The commands, their options and examples: schema/command.def as tables. All static.
 */
#ifndef PICKET_CLI_COMMAND_H
#define PICKET_CLI_COMMAND_H

#include "base/base.h"

enum cli_exit {
	CLI_OK = 0,
	CLI_BAD = 1,        /* the input was bad, or a check failed */
	CLI_USAGE = 2,      /* the command line was wrong */
	CLI_IMPOSSIBLE = 3, /* not possible here */
};

struct args;

struct command_info {
	const char *name, *arguments, *summary, *details;
	int (*run)(const struct args *args); /* gives the process's exit code */
};
struct action_info {
	const char *command, *name, *arguments, *summary;
};
struct option_info {
	const char *command, *name; /* command "any": of all */
	char letter;                /* 0: none */
	const char *argument;       /* "": takes none */
	const char *text;
};
struct example_info {
	const char *command, *line, *text;
};
struct exit_info {
	int code;
	const char *text;
};
struct place_info {
	const char *name, *text;
};

/* Each command's main function, in the file of its name. */
#define ACTION(command, name, arguments, summary)
#define OPTION(command, name, letter, argument, text)
#define EXAMPLE(command, line, text)
#define EXIT(code, text)
#define PLACE(name, text)
#define COMMAND(name, arguments, summary, details) int command_##name(const struct args *args);
#include "schema/command.def"

/* Walks: start with NULL, NULL at the end. c NULL: rows of no command in particular ("any"). */
const struct command_info *command_next(const struct command_info *after);
const struct action_info *command_next_action(const struct command_info *c, const struct action_info *after);
const struct option_info *command_next_option(const struct command_info *c, const struct option_info *after);
const struct example_info *command_next_example(const struct command_info *c, const struct example_info *after);
const struct exit_info *command_next_exit(const struct exit_info *after);
const struct place_info *command_next_place(const struct place_info *after);

const struct command_info *command_find(const char *name); /* NULL: none */
const char *command_suggest(const char *name);             /* NULL: none is near */
/* An option of c, or one of all commands. name: without dashes. */
const struct option_info *command_find_option(const struct command_info *c, struct str name);
const struct option_info *command_find_letter(const struct command_info *c, char letter);
const char *command_suggest_option(const struct command_info *c, struct str name);

/* How many letters must be changed, put in, taken out or swapped with their neighbour to make b of a. */
unsigned text_distance(struct str a, struct str b);

#endif
