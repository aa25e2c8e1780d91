/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/args.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>

#include "base/clock.h"
#include "core/log.h"

struct parser {
	struct args *args;
	char *const *argv;
	int argc, next;
	struct buf *error;
};

static void option_add(struct parser *p, const struct option_info *info, const char *value)
{
	p->args->options[p->args->option_count++] = (struct args_option){info, value};
}

static bool takes_argument(const struct option_info *info)
{
	return info->argument[0] != '\0';
}

/* The value of an option that stands at the end of its word: the next word. */
static int value_take(struct parser *p, const char *shown, const struct option_info *info, const char **ret_value)
{
	if (p->next >= p->argc) {
		buf_printf(p->error, "option %s needs an argument: %s %s", shown, shown, info->argument);
		return -EINVAL;
	}
	*ret_value = p->argv[p->next++];
	return 0;
}

static int unknown_option(struct parser *p, struct str name)
{
	const char *near = command_suggest_option(p->args->command, name);
	buf_printf(p->error, "there is no option --" STR_FMT, STR_ARG(name));
	if (near)
		buf_printf(p->error, "; did you mean --%s?", near);
	return -EINVAL;
}

/* --long, --long VALUE, --long=VALUE */
static int long_parse(struct parser *p, const char *word)
{
	struct str name = str_from(word + 2);
	const char *value = strchr(word, '=');
	if (value)
		name.length = (size_t)(value++ - (word + 2));
	const struct option_info *info = command_find_option(p->args->command, name);
	if (!info)
		return unknown_option(p, name);
	if (!takes_argument(info) && value) {
		buf_printf(p->error, "option --%s takes no argument", info->name);
		return -EINVAL;
	}
	if (takes_argument(info) && !value) {
		int r = value_take(p, word, info, &value);
		if (r < 0)
			return r;
	}
	option_add(p, info, value);
	return 0;
}

/* -x, -xyz, -x VALUE, -xVALUE */
static int letters_parse(struct parser *p, const char *word)
{
	for (const char *c = word + 1; *c; c++) {
		const char shown[] = {'-', *c, '\0'}, *value = NULL;
		const struct option_info *info = command_find_letter(p->args->command, *c);
		if (!info) {
			buf_printf(p->error, "there is no option %s", shown);
			return -EINVAL;
		}
		if (takes_argument(info) && c[1] == '\0') {
			int r = value_take(p, shown, info, &value);
			if (r < 0)
				return r;
		} else if (takes_argument(info)) {
			value = c + 1;
		}
		option_add(p, info, value);
		if (takes_argument(info))
			return 0;
	}
	return 0;
}

static int words_parse(struct parser *p)
{
	bool only_words = false;
	while (p->next < p->argc) {
		const char *word = p->argv[p->next++];
		int r = 0;
		if (only_words || word[0] != '-' || word[1] == '\0')
			p->args->words[p->args->word_count++] = word;
		else if (strcmp(word, "--") == 0)
			only_words = true;
		else if (word[1] == '-')
			r = long_parse(p, word);
		else
			r = letters_parse(p, word);
		if (r < 0)
			return r;
	}
	return 0;
}

/* No option or word takes less than a byte of the command line: so its length bounds their number. */
static size_t argv_bytes(int argc, char *const *argv)
{
	size_t bytes = 1;
	for (int i = 0; i < argc; i++)
		bytes += strlen(argv[i]) + 1;
	return bytes;
}

int args_parse(const struct command_info *command, int argc, char *const *argv, struct args *ret_args,
               struct buf *reterr_text)
{
	_cleanup_(args_done) struct args args = {.command = command};
	size_t room = argv_bytes(argc, argv);
	args.options = calloc(room, sizeof(*args.options));
	args.words = calloc(room, sizeof(*args.words));
	if (!args.options || !args.words)
		return -ENOMEM;
	struct parser p = {.args = &args, .argv = argv, .argc = argc, .error = reterr_text};
	int r = words_parse(&p);
	if (r < 0)
		return r;
	*ret_args = args;
	args = (struct args){0};
	return 0;
}

void args_done(struct args *a)
{
	free(a->options);
	free(a->words);
	*a = (struct args){0};
}

bool args_next(const struct args *a, const char *name, size_t *position, const char **ret_value)
{
	assert(command_find_option(a->command, str_from(name)));
	while (*position < a->option_count) {
		const struct args_option *o = &a->options[(*position)++];
		if (strcmp(o->info->name, name) == 0) {
			*ret_value = o->value;
			return true;
		}
	}
	return false;
}

size_t args_count(const struct args *a, const char *name)
{
	size_t position = 0, count = 0;
	const char *value;
	while (args_next(a, name, &position, &value))
		count++;
	return count;
}

bool args_has(const struct args *a, const char *name)
{
	return args_count(a, name) > 0;
}

const char *args_get(const struct args *a, const char *name)
{
	size_t position = 0;
	const char *value = NULL;
	while (args_next(a, name, &position, &value))
		;
	return value;
}

void args_join_words(const struct args *a, size_t first, struct buf *out)
{
	for (size_t i = first; i < a->word_count; i++) {
		if (i > first)
			buf_add_char(out, ' ');
		buf_add_text(out, a->words[i]);
	}
}

/* ---- values ---- */

int args_get_u64(const struct args *a, const char *name, uint64_t max, uint64_t *ret_number)
{
	const char *text = args_get(a, name);
	uint64_t number;
	if (!text)
		return 0;
	if (str_to_u64(str_from(text), &number) < 0 || number > max) {
		log_error("--%s: \"%s\" is not a number from 0 to %llu", name, text, (unsigned long long)max);
		return -EINVAL;
	}
	*ret_number = number;
	return 0;
}

int args_get_duration(const struct args *a, const char *name, uint64_t *ret_ns)
{
	const char *text = args_get(a, name);
	uint64_t ns;
	if (!text)
		return 0;
	if (clock_parse_duration(str_from(text), &ns) < 0 || ns == 0) {
		log_error("--%s: \"%s\" is not a duration; it looks like 500ms, 30s, 5m, 2h or 1d", name, text);
		return -EINVAL;
	}
	*ret_ns = ns;
	return 0;
}

static unsigned size_shift(char unit)
{
	switch (unit) {
	case 'k':
	case 'K':
		return 10;
	case 'm':
	case 'M':
		return 20;
	case 'g':
	case 'G':
		return 30;
	default:
		return 0;
	}
}

int args_get_size(const struct args *a, const char *name, uint64_t *ret_bytes)
{
	const char *text = args_get(a, name);
	uint64_t number;
	if (!text)
		return 0;
	struct str digits = str_from(text);
	unsigned shift = digits.length > 0 ? size_shift(digits.data[digits.length - 1]) : 0;
	if (shift)
		digits.length--;
	if (str_to_u64(digits, &number) < 0 || number == 0 || number > (UINT64_MAX >> 1 >> shift)) {
		log_error("--%s: \"%s\" is not a size; it looks like 512K, 8M or 1G", name, text);
		return -EINVAL;
	}
	*ret_bytes = number << shift;
	return 0;
}

int args_no_words(const struct args *a)
{
	if (a->word_count == 0)
		return 0;
	log_error("picket %s takes no argument \"%s\"; see picket help %s", a->command->name, a->words[0],
	          a->command->name);
	return -EINVAL;
}
