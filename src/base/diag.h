/* SPDX-License-Identifier: Apache-2.0
 *
 * What a user wrote wrong, and where. Collected in a list, shown with the source line and a caret.
 */
#ifndef PICKET_BASE_DIAG_H
#define PICKET_BASE_DIAG_H

#include "base/base.h"
#include "base/buf.h"

enum diag_level { DIAG_WARNING, DIAG_ERROR };

struct diag {
	enum diag_level level;
	const char *code;      /* static: "LOAD_ERR_YAML_PARSE" … */
	char *file;            /* or NULL */
	unsigned line, column; /* from 1, column in bytes; 0: unknown */
	char *text;            /* one sentence */
	char *hint;            /* what to do, or NULL */
	char *source;          /* the source line, or NULL */
};

struct diag_list {
	struct diag *items;
	size_t count, capacity;
	size_t errors; /* also those that were dropped */
	size_t limit;  /* further ones are only counted */
	size_t dropped;
};

void diag_list_init(struct diag_list *l, size_t limit);
void diag_list_done(struct diag_list *l); /* also for _cleanup_ */
/* Appends and returns the new item for more to be filled in, or NULL (limit, no memory: then it is in dropped). */
struct diag *diag_add(struct diag_list *l, enum diag_level level, const char *code, const char *file, unsigned line,
                      unsigned column, const char *format, ...) printf_like(7, 8);
void diag_set_hint(struct diag *d, const char *format, ...) printf_like(2, 3); /* d may be NULL */
void diag_set_source(struct diag *d, struct str line);                         /* d may be NULL */
/* FILE:LINE:COLUMN: error: text [CODE], the source line, a caret, the hint. color: with ANSI colours. */
void diag_print(const struct diag *d, bool color, struct buf *out);
void diag_list_print(const struct diag_list *l, bool color, struct buf *out);

#endif
