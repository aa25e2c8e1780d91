/* SPDX-License-Identifier: Apache-2.0 */
#include "base/diag.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#define WIDTH 100 /* columns of a source line that are shown */
#define TAB_WIDTH 8
#define GUTTER_MIN 5 /* digits of a line number, right-aligned */
#define REPLACEMENT "\xef\xbf\xbd"
#define ELLIPSIS "\xe2\x80\xa6"

#define BOLD "\x1b[1m"
#define RED "\x1b[1;31m"
#define YELLOW "\x1b[1;33m"
#define CYAN "\x1b[36m"
#define DIM "\x1b[2m"
#define PLAIN "\x1b[0m"

void diag_list_init(struct diag_list *l, size_t limit)
{
	*l = (struct diag_list){.limit = limit};
}

static void diag_free_texts(struct diag *d)
{
	free(d->file);
	free(d->text);
	free(d->hint);
	free(d->source);
}

void diag_list_done(struct diag_list *l)
{
	for (size_t i = 0; i < l->count; i++)
		diag_free_texts(&l->items[i]);
	free(l->items);
	*l = (struct diag_list){.limit = l->limit};
}

static bool list_make_room(struct diag_list *l)
{
	if (l->count >= l->limit)
		return false;
	if (l->count < l->capacity)
		return true;
	size_t capacity = l->capacity ? l->capacity * 2 : 8;
	struct diag *items = reallocarray(l->items, capacity, sizeof(*items));
	if (!items)
		return false;
	l->items = items;
	l->capacity = capacity;
	return true;
}

static char *printf_like(1, 0) text_format(const char *format, va_list arguments)
{
	char *text;
	return vasprintf(&text, format, arguments) < 0 ? NULL : text;
}

struct diag *diag_add(struct diag_list *l, enum diag_level level, const char *code, const char *file, unsigned line,
                      unsigned column, const char *format, ...)
{
	struct diag d = {.level = level, .code = code, .line = line, .column = column};
	l->errors += level == DIAG_ERROR;
	if (!list_make_room(l)) {
		l->dropped++;
		return NULL;
	}
	va_list arguments;
	va_start(arguments, format);
	d.text = text_format(format, arguments);
	va_end(arguments);
	d.file = file ? strdup(file) : NULL;
	if (!d.text || (file && !d.file)) {
		diag_free_texts(&d);
		l->dropped++;
		return NULL;
	}
	l->items[l->count] = d;
	return &l->items[l->count++];
}

void diag_set_hint(struct diag *d, const char *format, ...)
{
	if (!d)
		return;
	free(d->hint);
	va_list arguments;
	va_start(arguments, format);
	d->hint = text_format(format, arguments);
	va_end(arguments);
}

void diag_set_source(struct diag *d, struct str line)
{
	if (!d)
		return;
	/* Its end, "\n" or "\r\n", and no more: columns may point at what stands before. */
	if (line.length && line.data[line.length - 1] == '\n')
		line.length--;
	if (line.length && line.data[line.length - 1] == '\r')
		line.length--;
	free(d->source);
	d->source = malloc(line.length + 1);
	if (!d->source)
		return;
	/* It is kept as a C string: a NUL becomes what also shows as unprintable. */
	for (size_t i = 0; i < line.length; i++)
		d->source[i] = line.data[i] ? line.data[i] : '\x01';
	d->source[line.length] = '\0';
}

/* ---- one character on a terminal ---- */

struct glyph {
	const char *bytes; /* to be printed; for a tab one of its blanks */
	size_t length;     /* of bytes */
	size_t taken;      /* bytes of the source */
	size_t width;      /* columns */
};

static uint32_t code_point(const unsigned char *s, size_t length)
{
	static const unsigned char first_bits[] = {0, 0x7f, 0x1f, 0x0f, 0x07};
	uint32_t code = s[0] & first_bits[length];
	for (size_t i = 1; i < length; i++)
		code = code << 6 | (s[i] & 0x3f);
	return code;
}

/* East Asian wide characters and emoji take two columns, combining marks none. */
static size_t code_width(uint32_t code)
{
	static const struct {
		uint32_t first, last;
		size_t width;
	} ranges[] = {{0x300, 0x36f, 0},     {0x200b, 0x200d, 0},  {0xfe00, 0xfe0f, 0},   {0x1100, 0x115f, 2},
	              {0x2e80, 0xa4cf, 2},   {0xac00, 0xd7a3, 2},  {0xf900, 0xfaff, 2},   {0xfe30, 0xfe6f, 2},
	              {0xff00, 0xff60, 2},   {0xffe0, 0xffe6, 2},  {0x1f300, 0x1f64f, 2}, {0x1f680, 0x1f6ff, 2},
	              {0x1f900, 0x1f9ff, 2}, {0x20000, 0x3fffd, 2}};
	for (size_t i = 0; i < ARRAY_SIZE(ranges); i++) {
		if (code >= ranges[i].first && code <= ranges[i].last)
			return ranges[i].width;
	}
	return 1;
}

/* Controls of a terminal, and what turns the direction of writing and so shows another text than there is. */
static bool code_is_harmful(uint32_t code)
{
	return code < 0x20 || (code >= 0x7f && code < 0xa0) || code == 0x61c || code == 0x200e || code == 0x200f ||
	       (code >= 0x2028 && code <= 0x202e) || (code >= 0x2066 && code <= 0x2069);
}

static struct glyph glyph_at(struct str s, size_t offset, size_t column)
{
	const char *at = s.data + offset;
	size_t length = utf8_next(at, s.length - offset);
	if (*at == '\t')
		return (struct glyph){" ", 1, 1, TAB_WIDTH - column % TAB_WIDTH};
	uint32_t code = length ? code_point((const unsigned char *)at, length) : 0;
	if (code_is_harmful(code))
		return (struct glyph){REPLACEMENT, strlen(REPLACEMENT), MAX(length, (size_t)1), 1};
	return (struct glyph){at, length, length, code_width(code)};
}

static void add_harmless(struct buf *out, struct str s)
{
	for (size_t i = 0; i < s.length;) {
		struct glyph g = glyph_at(s, i, 0);
		buf_add(out, g.bytes, g.length);
		i += g.taken;
	}
}

/* ---- the source line and its caret ---- */

/* Columns that stand before byte offset; all columns if it lies behind the end. */
static size_t columns_before(struct str s, size_t offset)
{
	size_t column = 0;
	for (size_t i = 0; i < s.length;) {
		struct glyph g = glyph_at(s, i, column);
		if (i + g.taken > offset)
			break;
		column += g.width;
		i += g.taken;
	}
	return column;
}

/* Columns first..end of the line. Of a wide character that an edge cuts, blanks are left. */
static void add_columns(struct buf *out, struct str s, size_t first, size_t end)
{
	size_t column = 0;
	for (size_t i = 0; i < s.length && column < end;) {
		struct glyph g = glyph_at(s, i, column);
		size_t next = column + g.width;
		bool whole = column >= first && next <= end && s.data[i] != '\t';
		if (whole)
			buf_add(out, g.bytes, g.length);
		for (size_t c = MAX(column, first); !whole && c < MIN(next, end); c++)
			buf_add_char(out, ' ');
		column = next;
		i += g.taken;
	}
}

struct window {
	size_t first, end; /* columns of the line that are shown */
	bool cut_before, cut_after;
};

/* A line that is too long is cut so that the caret keeps two thirds of what is shown before it. */
static struct window window_around(size_t columns, size_t caret)
{
	struct window w = {.first = 0, .end = columns};
	if (columns <= WIDTH)
		return w;
	size_t before = WIDTH / 3 * 2;
	w.first = caret > before ? caret - before : 0;
	w.first = MIN(w.first, columns + 1 - WIDTH);
	w.end = w.first + WIDTH;
	w.cut_before = w.first > 0;
	w.cut_after = w.end < columns;
	w.end = MIN(w.end, columns);
	w.first += w.cut_before; /* the ellipses take a column each */
	w.end -= w.cut_after;
	return w;
}

static void add_gutter(struct buf *out, unsigned line, bool color)
{
	buf_add_text(out, color ? DIM : "");
	if (line)
		buf_printf(out, "%*u | ", GUTTER_MIN, line);
	else
		buf_printf(out, "%*s | ", GUTTER_MIN, "");
	buf_add_text(out, color ? PLAIN : "");
}

static void add_source(const struct diag *d, bool color, struct buf *out)
{
	struct str s = str_from(d->source);
	size_t columns = columns_before(s, s.length);
	size_t caret = d->column ? columns_before(s, d->column - 1) : 0;
	/* The place behind the end of the line is one that can be pointed to. */
	struct window w = window_around(columns, caret);
	add_gutter(out, d->line, color);
	buf_add_text(out, w.cut_before ? ELLIPSIS : "");
	add_columns(out, s, w.first, w.end);
	buf_add_text(out, w.cut_after ? ELLIPSIS : "");
	buf_add_char(out, '\n');
	if (!d->column)
		return;
	add_gutter(out, 0, color);
	for (size_t c = w.first - w.cut_before; c < caret; c++)
		buf_add_char(out, ' ');
	buf_printf(out, "%s^%s\n", color ? (d->level == DIAG_ERROR ? RED : YELLOW) : "", color ? PLAIN : "");
}

static void add_place(const struct diag *d, struct buf *out)
{
	add_harmless(out, str_from(d->file));
	if (d->line)
		buf_printf(out, ":%u", d->line);
	if (d->line && d->column)
		buf_printf(out, ":%u", d->column);
	buf_add_text(out, ": ");
}

static void add_hint(const struct diag *d, bool color, struct buf *out)
{
	struct str rest = str_from(d->hint), line;
	const char *label = "hint: ";
	while (str_next(&rest, '\n', &line)) {
		buf_printf(out, "%*s%s%s%s", GUTTER_MIN + 3, "", color ? CYAN : "", label, color ? PLAIN : "");
		add_harmless(out, line);
		buf_add_char(out, '\n');
		label = "      ";
	}
}

void diag_print(const struct diag *d, bool color, struct buf *out)
{
	bool is_error = d->level == DIAG_ERROR;
	buf_add_text(out, color ? BOLD : "");
	if (d->file)
		add_place(d, out);
	buf_printf(out, "%s%s:%s ", color ? (is_error ? RED : YELLOW) : "", is_error ? "error" : "warning",
	           color ? PLAIN : "");
	add_harmless(out, str_from(d->text));
	if (d->code)
		buf_printf(out, " %s[%s]%s", color ? DIM : "", d->code, color ? PLAIN : "");
	buf_add_char(out, '\n');
	if (d->source)
		add_source(d, color, out);
	if (d->hint)
		add_hint(d, color, out);
}

void diag_list_print(const struct diag_list *l, bool color, struct buf *out)
{
	for (size_t i = 0; i < l->count; i++)
		diag_print(&l->items[i], color, out);
	if (l->dropped)
		buf_printf(out, "%zu more not shown\n", l->dropped);
}
