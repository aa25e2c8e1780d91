/* SPDX-License-Identifier: Apache-2.0
 *
 * The two programs that one makes of a table of evasions: the test, and the actor that it starts anew for each part.
 */
#include <fnmatch.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "evasions.h"

const char *const evasion_roles[EVASION_ROLES] = {"attempt", "twin"};
struct evasion_options evasion_options = {.picket = "build/picket", .rules = "rules"};

static const char *argument;

const char *act_argument(void)
{
	return argument;
}

bool evasion_is_selected(const struct evasion *e)
{
	const char *pattern = evasion_options.pattern;
	return !pattern || strstr(e->name, pattern) || fnmatch(pattern, e->name, 0) == 0;
}

static void act(const struct evasion *e, const char *role)
{
	if (strcmp(role, evasion_roles[ATTEMPT]) == 0)
		e->attempt();
	else if (strcmp(role, evasion_roles[TWIN]) == 0)
		e->twin();
	else
		e->again();
	exit(EXIT_SUCCESS);
}

static int act_by_name(const struct evasion *const *subjects, size_t count, const char *name, const char *role)
{
	for (size_t i = 0; i < count; i++)
		for (const struct evasion *e = subjects[i]; e->name; e++)
			if (strcmp(e->name, name) == 0)
				act(e, role);
	return EXIT_FAILURE;
}

int evasion_main(int argc, char **argv, const struct evasion *const *subjects, size_t count, int (*test)(void))
{
	struct evasion_options *o = &evasion_options;
	if (argc >= 4 && strcmp(argv[1], "--act") == 0) {
		argument = argc > 4 ? argv[4] : "";
		return act_by_name(subjects, count, argv[2], argv[3]);
	}
	for (int option; (option = getopt(argc, argv, "vk:p:r:")) != -1;)
		switch (option) {
		case 'v':
			o->verbose = true;
			break;
		case 'k':
			o->pattern = optarg;
			break;
		case 'p':
			o->picket = optarg;
			break;
		case 'r':
			o->rules = optarg;
			break;
		default:
			fprintf(stderr, "usage: %s [-v] [-k PATTERN] [-p PICKET] [-r RULES]\n", argv[0]);
			return 2;
		}
	return test();
}
