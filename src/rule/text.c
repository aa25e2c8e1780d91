/* SPDX-License-Identifier: Apache-2.0 */
#include "rule/set_int.h"

#include <errno.h>
#include <stdlib.h>

void text_builder_init(struct text_builder *b, size_t limit)
{
	*b = (struct text_builder){0};
	buf_init(&b->text, limit);
}

void text_builder_done(struct text_builder *b)
{
	buf_done(&b->text);
	free(b->segments);
	b->segments = NULL;
}

/* The segment that byte offset of t lies in. */
static size_t segment_at(const struct source_text *t, size_t offset)
{
	size_t low = 0, high = t->count;
	while (high - low > 1) {
		size_t middle = low + (high - low) / 2;
		if (t->segments[middle].offset <= offset)
			low = middle;
		else
			high = middle;
	}
	return low;
}

static struct text_segment segment_moved(const struct text_segment *s, size_t from, size_t to)
{
	struct text_segment moved = *s;
	moved.column += (unsigned)(from - s->offset);
	moved.offset = to;
	return moved;
}

static void add_segment(struct text_builder *b, struct text_segment s)
{
	if (b->count == b->capacity) {
		size_t capacity = b->capacity ? b->capacity * 2 : 16;
		struct text_segment *segments = reallocarray(b->segments, capacity, sizeof(*segments));
		if (!segments) {
			b->error = -ENOMEM;
			return;
		}
		b->segments = segments;
		b->capacity = capacity;
	}
	b->segments[b->count++] = s;
}

void text_builder_add_part(struct text_builder *b, const struct source_text *t, size_t begin, size_t end)
{
	if (begin >= end)
		return;
	size_t at = b->text.length, first = segment_at(t, begin);
	add_segment(b, segment_moved(&t->segments[first], begin, at));
	for (size_t i = first + 1; i < t->count && t->segments[i].offset < end; i++)
		add_segment(b,
		            segment_moved(&t->segments[i], t->segments[i].offset, at + t->segments[i].offset - begin));
	buf_add(&b->text, t->text.data + begin, end - begin);
}

void text_builder_add(struct text_builder *b, const struct source_text *t)
{
	text_builder_add_part(b, t, 0, t->text.length);
}

void text_builder_add_text(struct text_builder *b, const char *text, const struct source_text *t, size_t offset)
{
	add_segment(b, segment_moved(&t->segments[segment_at(t, offset)], offset, b->text.length));
	buf_add_text(&b->text, text);
}

void text_builder_cut(struct text_builder *b, size_t length)
{
	if (length >= b->text.length)
		return;
	b->text.length = length;
	b->text.data[length] = '\0';
	while (b->count && b->segments[b->count - 1].offset >= length)
		b->count--;
}

int text_builder_error(const struct text_builder *b)
{
	return b->error ? b->error : buf_error(&b->text);
}

int text_builder_finish(struct text_builder *b, struct arena *a, struct source_text *ret_text)
{
	int r = text_builder_error(b);
	if (r < 0)
		return r;
	struct str text = arena_str(a, buf_str(&b->text));
	struct text_segment *segments = arena_array(a, struct text_segment, b->count);
	if (!text.data || !segments)
		return -ENOMEM;
	if (b->count)
		memcpy(segments, b->segments, b->count * sizeof(*segments));
	*ret_text = (struct source_text){text, segments, b->count};
	return 0;
}

int text_join(struct arena *a, const struct source_text *old_text, const struct source_text *new_text,
              struct source_text *ret_text)
{
	_cleanup_(text_builder_done) struct text_builder b;
	text_builder_init(&b, RULE_TEXT_MAX);
	text_builder_add(&b, old_text);
	text_builder_add_text(&b, " ", old_text, old_text->text.length);
	text_builder_add(&b, new_text);
	return text_builder_finish(&b, a, ret_text);
}

int text_trim(struct arena *a, const struct source_text *t, struct source_text *ret_text)
{
	struct str trimmed = str_trim(t->text);
	size_t begin = trimmed.length ? (size_t)(trimmed.data - t->text.data) : 0;
	_cleanup_(text_builder_done) struct text_builder b;
	text_builder_init(&b, RULE_TEXT_MAX);
	text_builder_add_part(&b, t, begin, begin + trimmed.length);
	if (b.count == 0)
		add_segment(&b, t->segments[0]);
	return text_builder_finish(&b, a, ret_text);
}
