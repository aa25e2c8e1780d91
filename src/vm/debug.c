/* SPDX-License-Identifier: Apache-2.0 */
#include <stdlib.h>

#include "vm/image.h"

#define COLUMN_BITS 10

/* The last function that begins at or before insn: there is one, as the first begins at 0. */
const struct vm_debug_function *vm_debug_function(const struct vm_debug *d, size_t insn)
{
	size_t low = 0, high = d->function_count;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (d->functions[middle].insn <= insn)
			low = middle + 1;
		else
			high = middle;
	}
	return &d->functions[low - 1];
}

/* The last line that begins at or before insn, or NULL. */
static const struct vm_debug_line *find_line(const struct vm_debug *d, size_t insn)
{
	size_t low = 0, high = d->line_count;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (d->lines[middle].insn <= insn)
			low = middle + 1;
		else
			high = middle;
	}
	return low ? &d->lines[low - 1] : NULL;
}

bool vm_debug_line(const struct vm_debug *d, size_t insn, struct vm_source_line *ret_line)
{
	const struct vm_debug_line *line = find_line(d, insn);
	const struct vm_debug_function *f = vm_debug_function(d, insn);

	/* The compiler gives line 0 to what it made up itself. */
	if (!line || line->insn < f->insn || !(line->line_column >> COLUMN_BITS))
		return false;
	*ret_line = (struct vm_source_line){
	        .file = d->source + line->file,
	        .text = d->source + line->text,
	        .line = line->line_column >> COLUMN_BITS,
	        .column = line->line_column & ((1u << COLUMN_BITS) - 1),
	};
	return true;
}

bool picket_program_line(const struct picket_program *p, size_t insn, const char **ret_file, unsigned *ret_line,
                         unsigned *ret_column, const char **ret_text)
{
	struct vm_source_line line;

	if (!p->debug || insn >= p->insn_count || !vm_debug_line(p->debug, insn, &line))
		return false;
	*ret_file = line.file;
	*ret_line = line.line;
	*ret_column = line.column;
	*ret_text = line.text;
	return true;
}

const char *picket_program_function(const struct picket_program *p, size_t insn)
{
	return p->debug && insn < p->insn_count ? vm_debug_function(p->debug, insn)->name : "";
}

struct picket_program *vm_program_ref_debug(struct picket_program *p, struct vm_debug *debug)
{
	p->debug = debug;
	return p;
}

void vm_debug_free(struct vm_debug *d)
{
	if (!d)
		return;
	free(d->lines);
	free(d->functions);
	free(d);
}
