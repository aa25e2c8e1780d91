/* SPDX-License-Identifier: Apache-2.0
 *
 * What every room uses: cleanup attributes, text views, limits. No allocation here, no state.
 */
#ifndef PICKET_BASE_BASE_H
#define PICKET_BASE_BASE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/types.h>

#define must_check __attribute__((warn_unused_result))
#define printf_like(text, first) __attribute__((format(printf, text, first)))
#define ARRAY_SIZE(a) (sizeof(a) / sizeof((a)[0]))
#define MIN(a, b) ((a) < (b) ? (a) : (b))
#define MAX(a, b) ((a) > (b) ? (a) : (b))

/* _cleanup_(f) calls f(&variable) when the variable goes out of scope. TAKE_PTR(p) hands p on and forgets it. */
#define _cleanup_(f) __attribute__((cleanup(f)))
#define TAKE_PTR(p) \
	({ \
		__typeof__(p) taken_ = (p); \
		(p) = NULL; \
		taken_; \
	})
#define TAKE_FD(fd) \
	({ \
		int taken_ = (fd); \
		(fd) = -1; \
		taken_; \
	})

void base_free_ptr(void *pointer_to_pointer); /* for _cleanup_: free(*p) */
void base_close_fd(int *fd);                  /* for _cleanup_: close(*fd) unless negative; errno is kept */
void base_close_file(void *pointer_to_file);  /* for _cleanup_: fclose(*f) unless NULL */

/* A view of text or bytes: not owned, not terminated, may hold NULs. data may be NULL if length is 0. */
struct str {
	const char *data;
	size_t length;
};

#define STR(literal) ((struct str){"" literal, sizeof(literal) - 1})
#define STR_FMT "%.*s"
#define STR_ARG(s) (int)(s).length, (s).data

static inline struct str str_from(const char *text)
{
	return (struct str){text, text ? strlen(text) : 0};
}
static inline struct str str_make(const char *data, size_t length)
{
	return (struct str){data, length};
}
static inline bool str_equal(struct str a, struct str b)
{
	return a.length == b.length && (a.length == 0 || memcmp(a.data, b.data, a.length) == 0);
}
static inline bool str_equals(struct str a, const char *b)
{
	return str_equal(a, str_from(b));
}
int str_compare(struct str a, struct str b); /* as memcmp, the shorter first */
bool str_starts_with(struct str s, struct str prefix);
bool str_ends_with(struct str s, struct str suffix);
bool str_contains(struct str s, struct str part); /* the empty part is contained in all */
void str_replace_char(char *data, size_t length, char from, char to);
bool str_has_double(struct str s, char c);               /* twice in a row; 7 places at once */
bool str_contains_nocase(struct str s, struct str part); /* ASCII letters only */
ssize_t str_find_char(struct str s, char c);             /* index, or -1 */
struct str str_trim(struct str s);                       /* without blanks at both ends */
/* Splits: n separators make n + 1 parts, any of them may be empty. rest becomes what is left, data NULL at the end; only
 * a rest whose data is NULL has no parts. */
bool str_next(struct str *rest, char separator, struct str *ret_part);
/* Decimal, or hexadecimal after 0x; the whole of s. Return 0, -EINVAL, -ERANGE. */
int str_to_u64(struct str s, uint64_t *ret_number) must_check;
int str_to_s64(struct str s, int64_t *ret_number) must_check;
/* Is s valid UTF-8? utf8_next() gives the length of the sequence at s (1..4), or 0 if it is not valid. */
bool str_is_utf8(struct str s);
size_t utf8_next(const char *s, size_t left);

uint64_t base_hash(const void *data, size_t length); /* 64 bits, not for untrusted keys without a bounded table */
uint64_t base_hash_seeded(uint64_t seed, const void *data, size_t length);
uint64_t base_random_seed(void); /* of the kernel's generator; from clock and addresses where that is denied */

#endif
