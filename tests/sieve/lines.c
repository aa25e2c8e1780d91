/* SPDX-License-Identifier: Apache-2.0
 *
 * Alerts as lines of text, compared as multisets.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/buf.h"
#include "sieve.h"

#define SHOWN_MAX 20

static int by_text(const void *a, const void *b)
{
	return str_compare(*(const struct str *)a, *(const struct str *)b);
}

/* The lines in order, then an empty one. The caller frees; NULL: no memory. */
static struct str *sorted(const struct buf *lines, size_t *ret_count)
{
	struct str rest = buf_str(lines), line;
	size_t count = 0, space = 1;
	for (size_t i = 0; i < rest.length; i++)
		space += rest.data[i] == '\n';
	struct str *list = calloc(space + 1, sizeof(*list));
	while (list && count < space && str_next(&rest, '\n', &line))
		if (line.length > 0)
			list[count++] = line;
	if (list)
		qsort(list, count, sizeof(*list), by_text);
	*ret_count = count;
	return list;
}

static void add(struct buf *out, struct str line)
{
	buf_add_str(out, line);
	buf_add_char(out, '\n');
}

static void replace(struct buf *lines, struct buf *by)
{
	buf_done(lines);
	*lines = *by;
}

long lines_cancel(struct buf *without, struct buf *with)
{
	size_t count[2], at[2] = {0, 0};
	_cleanup_(base_free_ptr) struct str *a = sorted(without, &count[0]);
	_cleanup_(base_free_ptr) struct str *b = sorted(with, &count[1]);
	struct buf left[2];
	long lines = 0;
	if (!a || !b || buf_error(without) || buf_error(with))
		return -ENOMEM;
	buf_init(&left[0], without->limit);
	buf_init(&left[1], with->limit);
	while (at[0] < count[0] || at[1] < count[1]) {
		int order = at[0] == count[0] ? 1 : at[1] == count[1] ? -1 : str_compare(a[at[0]], b[at[1]]);
		if (order < 0)
			add(&left[0], a[at[0]]);
		else if (order > 0)
			add(&left[1], b[at[1]]);
		at[0] += order <= 0;
		at[1] += order >= 0;
		lines += order != 0;
	}
	replace(without, &left[0]);
	replace(with, &left[1]);
	return buf_error(without) || buf_error(with) ? -ENOMEM : lines;
}

static void show(const char *who, const struct buf *lines)
{
	struct str rest = buf_str(lines), line;
	for (unsigned i = 0; i < SHOWN_MAX && str_next(&rest, '\n', &line) && line.length > 0; i++)
		printf("    %s: " STR_FMT "\n", who, STR_ARG(line));
}

void lines_show(const struct buf *without, const struct buf *with)
{
	show("only without the sieve", without);
	show("only with the sieve", with);
}
