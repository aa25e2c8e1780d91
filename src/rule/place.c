/* SPDX-License-Identifier: Apache-2.0
 *
 * Where the bytes of a YAML scalar's value stand in the file. libyaml tells where the scalar begins and ends; between,
 * the value's lines and escapes are found again: the file's lines without the blanks around them (pieces) stand in the
 * value in the same order, with only blanks between them, whatever the style of the scalar.
 */
#include "rule/set_int.h"

#include <errno.h>
#include <stdlib.h>

struct placer {
	const struct doc_file *file;
	struct str value;
	size_t start;    /* of the value in the file */
	size_t position; /* bytes of value that have been placed */
	struct text_segment *segments;
	size_t count, capacity;
	bool lost; /* a piece is not where it should be */
	int error;
};

static bool is_blank(char c)
{
	return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

static void add_segment(struct placer *p, size_t file_offset, size_t text_offset)
{
	if (p->count == p->capacity) {
		size_t capacity = p->capacity ? p->capacity * 2 : 8;
		struct text_segment *segments = reallocarray(p->segments, capacity, sizeof(*segments));
		if (!segments) {
			p->error = -ENOMEM;
			return;
		}
		p->segments = segments;
		p->capacity = capacity;
	}
	p->segments[p->count++] = doc_segment(p->file, file_offset, text_offset);
}

static bool stands_here(const struct placer *p, struct str piece)
{
	struct str rest = str_make(p->value.data + p->position, p->value.length - p->position);
	return str_starts_with(rest, piece);
}

/* bytes: of the value; offset: in the file. */
static void place_piece(struct placer *p, struct str bytes, size_t offset)
{
	if (p->lost || bytes.length == 0)
		return;
	while (!stands_here(p, bytes) && p->position < p->value.length && is_blank(p->value.data[p->position]))
		p->position++;
	if (!stands_here(p, bytes)) {
		p->lost = true;
		return;
	}
	if (p->count == 0 && p->position > 0)
		add_segment(p, p->start, 0); /* blanks or line ends that the value begins with */
	add_segment(p, offset, p->position);
	p->position += bytes.length;
}

/* ---- escapes of quoted scalars ---- */

static unsigned hex_digits(char kind)
{
	return kind == 'x' ? 2 : kind == 'u' ? 4 : kind == 'U' ? 8 : 0;
}

static size_t utf8_encode(uint32_t code, char *out)
{
	if (code < 0x80) {
		out[0] = (char)code;
		return 1;
	}
	size_t length = code < 0x800 ? 2 : code < 0x10000 ? 3 : 4;
	static const unsigned char lead[] = {0, 0, 0xc0, 0xe0, 0xf0};
	for (size_t i = length; i-- > 1; code >>= 6)
		out[i] = (char)(0x80 | (code & 0x3f));
	out[0] = (char)(lead[length] | code);
	return length;
}

static uint32_t escape_code(char kind)
{
	static const struct {
		char kind;
		uint32_t code;
	} escapes[] = {{'0', 0},  {'a', 7},  {'b', 8},  {'t', 9},    {'\t', 9},   {'n', 10},     {'v', 11},
	               {'f', 12}, {'r', 13}, {'e', 27}, {'N', 0x85}, {'_', 0xa0}, {'L', 0x2028}, {'P', 0x2029}};
	for (size_t i = 0; i < ARRAY_SIZE(escapes); i++) {
		if (escapes[i].kind == kind)
			return escapes[i].code;
	}
	return (unsigned char)kind;
}

/* The escape at offset, which is a backslash, before end. Returns the bytes of the file that it takes. */
static size_t place_escape(struct placer *p, size_t offset, size_t end)
{
	const char *data = p->file->text.data;
	if (offset + 1 >= end)
		return 1;
	char kind = data[offset + 1], bytes[4];
	unsigned digits = hex_digits(kind);
	uint64_t code = escape_code(kind);
	if (offset + 2 + digits > end)
		return end - offset;
	if (digits) {
		char number[11] = "0x";
		memcpy(number + 2, data + offset + 2, digits);
		if (str_to_u64(str_from(number), &code) < 0)
			p->lost = true;
	}
	if (kind != '\n' && kind != '\r') /* an escaped end of line gives nothing */
		place_piece(p, str_make(bytes, utf8_encode((uint32_t)code, bytes)), offset);
	return 2 + digits;
}

static bool escape_at(enum doc_style style, const char *data, size_t offset, size_t end)
{
	return (style == DOC_DOUBLE_QUOTED && data[offset] == '\\') ||
	       (style == DOC_SINGLE_QUOTED && data[offset] == '\'' && offset + 1 < end && data[offset + 1] == '\'');
}

/* One line of the scalar, blanks at its ends left out. */
static void place_line(struct placer *p, enum doc_style style, size_t begin, size_t end)
{
	const char *data = p->file->text.data;
	size_t line_end = end;
	while (begin < end && is_blank(data[begin]))
		begin++;
	while (end > begin && is_blank(data[end - 1]))
		end--;
	size_t run = begin;
	for (size_t i = begin; i < end;) {
		if (!escape_at(style, data, i, end)) {
			i++;
			continue;
		}
		place_piece(p, str_make(data + run, i - run), run);
		if (style == DOC_SINGLE_QUOTED) {
			place_piece(p, str_make(data + i, 1), i);
			i += 2;
		} else {
			/* "\ " at the end of the line: its blank belongs to it. */
			i += place_escape(p, i, line_end);
		}
		run = i;
	}
	if (run < end)
		place_piece(p, str_make(data + run, end - run), run);
}

/* An anchor and a tag may stand before the value and are counted with it. */
static size_t skip_properties(const struct doc_file *f, size_t begin, size_t end)
{
	const char *data = f->text.data;
	while (begin < end && (data[begin] == '&' || data[begin] == '!')) {
		while (begin < end && !is_blank(data[begin]))
			begin++;
		while (begin < end && is_blank(data[begin]))
			begin++;
	}
	return begin;
}

/* The part of the file that holds the value: without quotes, without a block's header. */
static void value_range(const struct doc_file *f, const struct doc_node *n, size_t *ret_begin, size_t *ret_end)
{
	size_t begin = skip_properties(f, n->start, n->end), end = n->end;
	if ((n->style == DOC_SINGLE_QUOTED || n->style == DOC_DOUBLE_QUOTED) && end - begin >= 2) {
		begin++;
		end--;
	}
	while (n->style == DOC_BLOCK && begin < end) {
		if (f->text.data[begin++] == '\n')
			break;
	}
	*ret_begin = begin;
	*ret_end = end;
}

static void place_lines(struct placer *p, const struct doc_node *n)
{
	size_t begin, end;
	value_range(p->file, n, &begin, &end);
	while (begin < end) {
		const char *at = p->file->text.data + begin;
		const char *newline = memchr(at, '\n', end - begin);
		size_t line_end = newline ? begin + (size_t)(newline - at) : end;
		place_line(p, n->style, begin, line_end);
		begin = line_end + 1;
	}
}

static size_t scalar_start(const struct doc_file *f, const struct doc_node *n)
{
	size_t begin, end;
	value_range(f, n, &begin, &end);
	return begin < end ? begin : n->start;
}

const struct source_text *doc_source(struct doc_file *f, const struct doc_node *scalar)
{
	struct placer p = {.file = f, .value = scalar->text, .start = scalar_start(f, scalar)};
	place_lines(&p, scalar);
	if (p.lost || p.count == 0) {
		/* A line end that only YAML takes for one (U+0085), a tag's odd form: right file and line at least. */
		p.count = 0;
		add_segment(&p, p.start, 0);
	}
	struct source_text *t = arena_new(&f->arena, struct source_text);
	struct text_segment *segments = arena_array(&f->arena, struct text_segment, p.count);
	if (t && segments && !p.error) {
		memcpy(segments, p.segments, p.count * sizeof(*segments));
		*t = (struct source_text){scalar->text, segments, p.count};
	} else {
		t = NULL;
	}
	free(p.segments);
	return t;
}
