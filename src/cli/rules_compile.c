/* SPDX-License-Identifier: Apache-2.0 */
#include <unistd.h>

#include "base/file.h"
#include "cli/judging.h"
#include "cli/rules.h"
#include "cli/ui.h"
#include "core/log.h"

#define OBJECT_BYTES_MAX (256u << 20)

static int object_write(const char *path, const struct buf *object)
{
	if (strcmp(path, "-") == 0)
		return ui_print(object);
	int r = file_write_atomic(path, buf_str(object), 0644);
	if (r < 0)
		log_error("%s: %s", path, strerror(-r));
	return r < 0 ? CLI_BAD : CLI_OK;
}

static int compile(const struct rule_set *set, const char *path)
{
	_cleanup_(rule_programs_freep) struct rule_programs *programs = NULL;
	_cleanup_(buf_done) struct buf object;
	buf_init(&object, OBJECT_BYTES_MAX);
	int r = rule_programs_new(set, &programs);
	if (r == 0)
		r = rule_programs_write_object(programs, &object);
	if (r < 0) {
		log_error("cannot compile the rules: %s", strerror(-r));
		return CLI_BAD;
	}
	return object_write(path, &object);
}

int rules_compile(const struct args *args)
{
	_cleanup_(rule_set_freep) struct rule_set *set = NULL;
	struct rules_options options;
	const char *path = args_get(args, "output");
	if (args->word_count > 1) {
		log_error("picket rules compile takes its rules by --rules, not \"%s\"", args->words[1]);
		return CLI_USAGE;
	}
	if (!path || (strcmp(path, "-") == 0 && isatty(STDOUT_FILENO))) {
		log_error("into which file? picket rules compile --output FILE.o");
		return CLI_USAGE;
	}
	int r = rules_options_init(args, &options);
	if (r == CLI_OK)
		r = rules_options_load(args, &options, false, &set);
	return r == CLI_OK ? compile(set, path) : r;
}
