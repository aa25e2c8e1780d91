/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/command.h"

#define DISTANCE_LENGTH_MAX 48
#define SUGGEST_DISTANCE_MAX 2

#define ACTION(command, name, arguments, summary)
#define OPTION(command, name, letter, argument, text)
#define EXAMPLE(command, line, text)
#define EXIT(code, text)
#define PLACE(name, text)
#define COMMAND(name, arguments, summary, details) {#name, arguments, summary, details, command_##name},
static const struct command_info commands[] = {
#include "schema/command.def"
};

#define COMMAND(name, arguments, summary, details)
#define OPTION(command, name, letter, argument, text)
#define EXAMPLE(command, line, text)
#define EXIT(code, text)
#define PLACE(name, text)
#define ACTION(command, name, arguments, summary) {#command, name, arguments, summary},
static const struct action_info actions[] = {
#include "schema/command.def"
};

#define COMMAND(name, arguments, summary, details)
#define ACTION(command, name, arguments, summary)
#define EXAMPLE(command, line, text)
#define EXIT(code, text)
#define PLACE(name, text)
#define OPTION(command, name, letter, argument, text) {#command, name, letter, argument, text},
static const struct option_info options[] = {
#include "schema/command.def"
};

#define COMMAND(name, arguments, summary, details)
#define ACTION(command, name, arguments, summary)
#define OPTION(command, name, letter, argument, text)
#define EXIT(code, text)
#define PLACE(name, text)
#define EXAMPLE(command, line, text) {#command, line, text},
static const struct example_info examples[] = {
#include "schema/command.def"
};

#define COMMAND(name, arguments, summary, details)
#define ACTION(command, name, arguments, summary)
#define OPTION(command, name, letter, argument, text)
#define EXAMPLE(command, line, text)
#define PLACE(name, text)
#define EXIT(code, text) {code, text},
static const struct exit_info exits[] = {
#include "schema/command.def"
};

#define COMMAND(name, arguments, summary, details)
#define ACTION(command, name, arguments, summary)
#define OPTION(command, name, letter, argument, text)
#define EXAMPLE(command, line, text)
#define EXIT(code, text)
#define PLACE(name, text) {name, text},
static const struct place_info places[] = {
#include "schema/command.def"
};

/* The row after `after` in a table, or its first. */
#define TABLE_NEXT(table, after) \
	((after) == NULL ? (table) : (after) + 1 < (table) + ARRAY_SIZE(table) ? (after) + 1 : NULL)

static bool row_is_of(const char *row_command, const struct command_info *c)
{
	return strcmp(row_command, c ? c->name : "any") == 0;
}

const struct command_info *command_next(const struct command_info *after)
{
	return TABLE_NEXT(commands, after);
}

const struct action_info *command_next_action(const struct command_info *c, const struct action_info *after)
{
	do
		after = TABLE_NEXT(actions, after);
	while (after && !row_is_of(after->command, c));
	return after;
}

const struct option_info *command_next_option(const struct command_info *c, const struct option_info *after)
{
	do
		after = TABLE_NEXT(options, after);
	while (after && !row_is_of(after->command, c));
	return after;
}

const struct example_info *command_next_example(const struct command_info *c, const struct example_info *after)
{
	do
		after = TABLE_NEXT(examples, after);
	while (after && !row_is_of(after->command, c));
	return after;
}

const struct exit_info *command_next_exit(const struct exit_info *after)
{
	return TABLE_NEXT(exits, after);
}

const struct place_info *command_next_place(const struct place_info *after)
{
	return TABLE_NEXT(places, after);
}

const struct command_info *command_find(const char *name)
{
	for (size_t i = 0; i < ARRAY_SIZE(commands); i++)
		if (strcmp(commands[i].name, name) == 0)
			return &commands[i];
	return NULL;
}

static bool option_is_of(const struct option_info *o, const struct command_info *c)
{
	return row_is_of(o->command, NULL) || (c && row_is_of(o->command, c));
}

const struct option_info *command_find_option(const struct command_info *c, struct str name)
{
	for (size_t i = 0; i < ARRAY_SIZE(options); i++)
		if (option_is_of(&options[i], c) && str_equals(name, options[i].name))
			return &options[i];
	return NULL;
}

const struct option_info *command_find_letter(const struct command_info *c, char letter)
{
	for (size_t i = 0; i < ARRAY_SIZE(options); i++)
		if (option_is_of(&options[i], c) && options[i].letter == letter)
			return &options[i];
	return NULL;
}

/* ---- "did you mean" ---- */

static unsigned min3(unsigned a, unsigned b, unsigned c)
{
	return MIN(a, MIN(b, c));
}

unsigned text_distance(struct str a, struct str b)
{
	unsigned rows[3][DISTANCE_LENGTH_MAX + 1];
	unsigned *before = rows[0], *last = rows[1], *now = rows[2];
	if (a.length > DISTANCE_LENGTH_MAX || b.length > DISTANCE_LENGTH_MAX)
		return DISTANCE_LENGTH_MAX;
	for (unsigned j = 0; j <= b.length; j++)
		last[j] = before[j] = j;
	for (unsigned i = 1; i <= a.length; i++) {
		now[0] = i;
		for (unsigned j = 1; j <= b.length; j++) {
			unsigned differs = a.data[i - 1] != b.data[j - 1];
			now[j] = min3(last[j] + 1, now[j - 1] + 1, last[j - 1] + differs);
			if (i > 1 && j > 1 && a.data[i - 1] == b.data[j - 2] && a.data[i - 2] == b.data[j - 1])
				now[j] = MIN(now[j], before[j - 2] + 1);
		}
		unsigned *oldest = before;
		before = last;
		last = now;
		now = oldest;
	}
	return last[b.length];
}

struct suggestion {
	struct str wanted;
	const char *best;
	unsigned distance;
};

/* What begins as the user wrote counts as near. */
static void suggestion_try(struct suggestion *s, const char *name)
{
	unsigned distance = text_distance(s->wanted, str_from(name));
	if (s->wanted.length >= 2 && str_starts_with(str_from(name), s->wanted))
		distance = MIN(distance, 1u);
	if (distance < s->distance) {
		s->distance = distance;
		s->best = name;
	}
}

static unsigned distance_allowed(struct str wanted)
{
	return wanted.length < 4 ? 1 : SUGGEST_DISTANCE_MAX;
}

const char *command_suggest(const char *name)
{
	struct suggestion s = {.wanted = str_from(name), .distance = distance_allowed(str_from(name)) + 1};
	for (size_t i = 0; i < ARRAY_SIZE(commands); i++)
		suggestion_try(&s, commands[i].name);
	return s.best;
}

const char *command_suggest_option(const struct command_info *c, struct str name)
{
	struct suggestion s = {.wanted = name, .distance = distance_allowed(name) + 1};
	for (size_t i = 0; i < ARRAY_SIZE(options); i++)
		if (option_is_of(&options[i], c))
			suggestion_try(&s, options[i].name);
	return s.best;
}
