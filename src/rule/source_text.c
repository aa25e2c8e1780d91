/* SPDX-License-Identifier: Apache-2.0 */
#include "rule/condition_int.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

static const struct text_segment *segment_at(const struct source_text *t, size_t offset)
{
	size_t first = 0, end = t->count;
	while (end - first > 1) {
		size_t middle = first + (end - first) / 2;
		if (t->segments[middle].offset <= offset)
			first = middle;
		else
			end = middle;
	}
	return &t->segments[first];
}

static struct diag *printf_like(6, 0)
        source_text_vdiag(const struct source_text *t, size_t offset, struct diag_list *l, enum diag_level level,
                          const char *code, const char *format, va_list arguments)
{
	char *text;
	if (vasprintf(&text, format, arguments) < 0)
		return NULL;
	_cleanup_(base_free_ptr) char *owned = text;
	const struct text_segment *s = segment_at(t, offset);
	unsigned column = s->column + (unsigned)(offset > s->offset ? offset - s->offset : 0);
	/* What could not be placed exactly (see doc_source()) may lie on a later line: then the line's end is nearest. */
	if (s->line_text.length > 0)
		column = MIN(column, MAX(s->column, (unsigned)s->line_text.length + 1));
	struct diag *d = diag_add(l, level, code, s->file, s->line, column, "%s", owned);
	diag_set_source(d, s->line_text);
	return d;
}

struct diag *source_text_diag(const struct source_text *t, size_t offset, struct diag_list *l, enum diag_level level,
                              const char *code, const char *format, ...)
{
	va_list arguments;
	va_start(arguments, format);
	struct diag *d = source_text_vdiag(t, offset, l, level, code, format, arguments);
	va_end(arguments);
	return d;
}

struct diag *parser_fail(struct parser *p, size_t at, const char *format, ...)
{
	va_list arguments;
	va_start(arguments, format);
	struct diag *d = source_text_vdiag(p->source, at, p->diags, DIAG_ERROR, p->code, format, arguments);
	va_end(arguments);
	if (!p->error)
		p->error = -EINVAL;
	return d;
}

static struct diag *printf_like(3, 0) check_vfail(struct check *c, size_t at, const char *format, va_list arguments)
{
	return source_text_vdiag(c->source, at, c->diags, DIAG_ERROR, c->code, format, arguments);
}

struct diag *check_fail(struct check *c, size_t at, const char *format, ...)
{
	va_list arguments;
	va_start(arguments, format);
	struct diag *d = check_vfail(c, at, format, arguments);
	va_end(arguments);
	c->wrong = true;
	return d;
}

struct diag *check_fail_unknown(struct check *c, size_t at, const char *format, ...)
{
	va_list arguments;
	va_start(arguments, format);
	struct diag *d = check_vfail(c, at, format, arguments);
	va_end(arguments);
	c->unknown = true;
	return d;
}

int check_result(const struct check *c)
{
	if (c->error)
		return c->error;
	if (c->wrong)
		return -EINVAL;
	return c->unknown ? -ENOENT : 0;
}

/* ---- texts by themselves ---- */

static size_t count_lines(struct str text)
{
	size_t count = 1;
	for (size_t i = 0; i < text.length; i++)
		count += text.data[i] == '\n';
	return count;
}

int text_lines_new(struct arena *arena, struct str text, const char *name, struct source_text **ret_source)
{
	size_t count = count_lines(text);
	struct source_text *t = arena_new(arena, struct source_text);
	struct text_segment *segments = arena_array(arena, struct text_segment, count);
	struct str copy = arena_str(arena, text);
	struct str file = name ? arena_str(arena, str_from(name)) : str_make(NULL, 0);
	if (!t || !segments || !copy.data || (name && !file.data))
		return -ENOMEM;
	struct str rest = copy, line;
	for (size_t i = 0; i < count && str_next(&rest, '\n', &line); i++) {
		segments[i] = (struct text_segment){.offset = (size_t)(line.data - copy.data),
		                                    .line = (unsigned)i + 1,
		                                    .column = 1,
		                                    .line_text = line,
		                                    .file = file.data};
	}
	*t = (struct source_text){.text = copy, .segments = segments, .count = count};
	*ret_source = t;
	return 0;
}

/* ---- the name that was meant ---- */

#define NAME_MAX_BYTES 64

/* Letters to change, add or drop; the case does not count. */
static size_t name_distance(struct str a, struct str b)
{
	size_t row[NAME_MAX_BYTES + 1];
	for (size_t j = 0; j <= b.length; j++)
		row[j] = j;
	for (size_t i = 1; i <= a.length; i++) {
		size_t diagonal = row[0];
		row[0] = i;
		for (size_t j = 1; j <= b.length; j++) {
			size_t changed = diagonal + ((a.data[i - 1] | 0x20) != (b.data[j - 1] | 0x20));
			diagonal = row[j];
			row[j] = MIN(changed, MIN(row[j], row[j - 1]) + 1);
		}
	}
	return row[b.length];
}

const char *nearest_name(struct str text, const char *(*name)(size_t i), size_t count)
{
	const char *nearest = NULL;
	size_t least = text.length / 3 + 1;
	if (text.length == 0 || text.length > NAME_MAX_BYTES)
		return NULL;
	for (size_t i = 0; i < count; i++) {
		struct str candidate = str_from(name(i));
		if (candidate.length == 0 || candidate.length > NAME_MAX_BYTES)
			continue;
		size_t distance = name_distance(text, candidate);
		if (distance < least) {
			least = distance;
			nearest = candidate.data;
		}
	}
	return nearest;
}
