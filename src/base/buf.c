/* SPDX-License-Identifier: Apache-2.0 */
#include "base/buf.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#define CAPACITY_MIN 64

void buf_init(struct buf *b, size_t limit)
{
	/* One byte is the NUL's, so that length + 1 never overflows. */
	*b = (struct buf){.limit = MIN(limit, SIZE_MAX / 2)};
}

void buf_done(struct buf *b)
{
	free(b->data);
	*b = (struct buf){.limit = b->limit};
}

void buf_clear(struct buf *b)
{
	b->length = 0;
	b->error = 0;
	if (b->data)
		b->data[0] = '\0';
}

static bool buf_grow(struct buf *b, size_t length)
{
	if (b->error)
		return false;
	if (length > b->limit - b->length) {
		b->error = -ENOBUFS;
		return false;
	}
	size_t needed = b->length + length + 1;
	if (needed <= b->capacity)
		return true;
	size_t capacity = MAX(MAX(needed, CAPACITY_MIN), MIN(b->capacity * 2, b->limit + 1));
	char *data = realloc(b->data, capacity);
	if (!data) {
		b->error = -ENOMEM;
		return false;
	}
	b->data = data;
	b->capacity = capacity;
	return true;
}

char *buf_reserve(struct buf *b, size_t length)
{
	if (!buf_grow(b, length))
		return NULL;
	b->data[b->length] = '\0';
	return b->data + b->length;
}

void buf_commit(struct buf *b, size_t length)
{
	b->length += length;
	b->data[b->length] = '\0';
}

void buf_add(struct buf *b, const void *data, size_t length)
{
	char *at = buf_reserve(b, length);
	if (!at)
		return;
	if (length)
		memcpy(at, data, length);
	buf_commit(b, length);
}

void buf_add_str(struct buf *b, struct str s)
{
	buf_add(b, s.data, s.length);
}

void buf_add_text(struct buf *b, const char *text)
{
	buf_add(b, text, strlen(text));
}

void buf_add_char(struct buf *b, char c)
{
	buf_add(b, &c, 1);
}

void buf_printf(struct buf *b, const char *format, ...)
{
	va_list arguments, again;
	va_start(arguments, format);
	va_copy(again, arguments);
	int length = vsnprintf(NULL, 0, format, arguments);
	if (length < 0 && !b->error)
		b->error = -ENOMEM;
	char *at = length < 0 ? NULL : buf_reserve(b, (size_t)length);
	if (at) {
		vsnprintf(at, (size_t)length + 1, format, again);
		buf_commit(b, (size_t)length);
	}
	va_end(again);
	va_end(arguments);
}

int buf_error(const struct buf *b)
{
	return b->error;
}

char *buf_take(struct buf *b)
{
	if (b->error || b->length == 0)
		return NULL;
	char *data = b->data;
	*b = (struct buf){.limit = b->limit};
	return data;
}
