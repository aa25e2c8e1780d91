/* SPDX-License-Identifier: Apache-2.0
 *
 * A growing byte buffer with a limit. Once an append does not fit or memory is short, the buffer keeps what it has and
 * remembers the error: check once at the end with buf_error(). Not thread-safe.
 */
#ifndef PICKET_BASE_BUF_H
#define PICKET_BASE_BUF_H

#include "base/base.h"

struct buf {
	char *data; /* NUL-terminated when not NULL; the NUL is not counted */
	size_t length, capacity;
	size_t limit; /* bytes that length never passes */
	int error;    /* 0, -ENOMEM, or -ENOBUFS: the limit */
};

void buf_init(struct buf *b, size_t limit);
void buf_done(struct buf *b);  /* also for _cleanup_ */
void buf_clear(struct buf *b); /* keeps the memory, forgets the error */
void buf_add(struct buf *b, const void *data, size_t length);
void buf_add_str(struct buf *b, struct str s);
void buf_add_text(struct buf *b, const char *text);
void buf_add_char(struct buf *b, char c);
void buf_printf(struct buf *b, const char *format, ...) printf_like(2, 3);
char *buf_reserve(struct buf *b, size_t length); /* room for length bytes at the end, or NULL; then buf_commit() */
void buf_commit(struct buf *b, size_t length);
int buf_error(const struct buf *b) must_check;
char *buf_take(struct buf *b); /* the caller frees; NULL if empty or failed */
static inline struct str buf_str(const struct buf *b)
{
	return str_make(b->data, b->length);
}

#endif
