/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "cli/args.h"
#include "cli/help.h"
#include "cli/ui.h"
#include "core/log.h"

/* "picket --help", "picket -V" and a bare "picket" are the commands that do the same. */
static const char *command_of_word(const char *word)
{
	if (!word || strcmp(word, "--help") == 0 || strcmp(word, "-h") == 0)
		return "help";
	if (strcmp(word, "--version") == 0 || strcmp(word, "-V") == 0)
		return "version";
	return word;
}

static int show_help(const struct args *args)
{
	_cleanup_(buf_done) struct buf out;
	buf_init(&out, 1u << 20);
	help_add(args->command, ui_color(args, STDOUT_FILENO), ui_width(STDOUT_FILENO), &out);
	return ui_print(&out);
}

static int run(const struct args *args)
{
	size_t verbose = args_count(args, "verbose");
	log_set_color(ui_color(args, STDERR_FILENO));
	if (verbose > 0)
		log_set_level(verbose == 1 ? LOG_LEVEL_INFO : LOG_LEVEL_DEBUG);
	if (args_has(args, "help"))
		return show_help(args);
	if (args_has(args, "version"))
		return command_find("version")->run(args);
	return args->command->run(args);
}

int main(int argc, char **argv)
{
	_cleanup_(args_done) struct args args = {0};
	_cleanup_(buf_done) struct buf error;
	buf_init(&error, 4096);
	signal(SIGPIPE, SIG_IGN);
	const char *name = command_of_word(argc > 1 ? argv[1] : NULL);
	const struct command_info *command = command_find(name);
	if (!command)
		return help_unknown_command(name);
	int skip = argc > 1 ? 2 : 1;
	int r = args_parse(command, argc - skip, argv + skip, &args, &error);
	if (r < 0) {
		log_error("%s", error.data ? error.data : strerror(-r));
		fprintf(stderr, "See: picket help %s\n", name);
		return CLI_USAGE;
	}
	if (argc <= 1) {
		(void)!run(&args);
		return CLI_USAGE;
	}
	return run(&args);
}
