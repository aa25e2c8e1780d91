/* SPDX-License-Identifier: Apache-2.0
 *
 * Bytes as an object: opened for the interpreter and for the checked compiler, which must agree on whether it is one; then
 * all that is in it is asked for, and its programs run on a small budget.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "picket/vm.h"

#define BUDGET 4096

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_error(int r, const struct picket_error *e)
{
	if (r != -EINVAL && r != -EOPNOTSUPP && r != -ENOMEM)
		abort();
	if (!e->text[0] || !memchr(e->text, 0, sizeof(e->text)) || !memchr(e->section, 0, sizeof(e->section)) ||
	    !memchr(e->file, 0, sizeof(e->file)))
		abort();
}

/* size: of the object, which its texts are part of. */
static void run_program(const struct picket_program *p, size_t size)
{
	uint64_t input[8] = {1, 2, 3};
	struct picket_call call = {.data = input, .length = sizeof(input), .budget = BUDGET};
	const char *file, *text;
	unsigned line, column;
	size_t count;
	int r = picket_program_run(p, &call);

	if (r != 0 && (r != -EFAULT || call.fault.kind == PICKET_FAULT_NONE))
		abort();
	picket_program_insns(p, &count);
	for (size_t i = 0; i < count; i++) {
		if (!picket_program_line(p, i, &file, &line, &column, &text))
			continue;
		if (!line || !memchr(file, 0, size) || !memchr(text, 0, size))
			abort();
	}
}

static void ask_object(const struct picket_object *o, size_t size)
{
	for (size_t i = 0; i < picket_object_map_count(o); i++)
		if (!picket_map_spec(picket_object_map_at(o, i))->max_entries)
			abort();
	for (size_t i = 0; i < picket_object_program_count(o); i++) {
		struct picket_program *p = picket_object_program_at(o, i);

		if (!picket_object_section_of(o, p) || !picket_object_license(o))
			abort();
		run_program(p, size);
	}
}

static int open_for(enum picket_engine engine, const uint8_t *data, size_t size)
{
	struct picket_options options = {.engine = engine};
	struct picket_object *o = NULL;
	struct picket_error error = {0};
	int r = picket_object_open(data, size, &options, &o, &error);

	if (r) {
		check_error(r, &error);
		return r;
	}
	ask_object(o, size);
	picket_object_free(o);
	return 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	int interpreted = open_for(PICKET_INTERPRETER, data, size);
	int checked = open_for(PICKET_CHECKED, data, size);

	/* No compiler for this machine is no disagreement; nor is memory. */
	if (interpreted != checked && checked != -EOPNOTSUPP && interpreted != -ENOMEM && checked != -ENOMEM)
		abort();
	return 0;
}
