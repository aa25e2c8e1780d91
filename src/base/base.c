/* SPDX-License-Identifier: Apache-2.0 */
#include "base/base.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/random.h>
#include <time.h>
#include <unistd.h>

void base_free_ptr(void *pointer_to_pointer)
{
	void *p;
	memcpy(&p, pointer_to_pointer, sizeof(p));
	free(p);
}

void base_close_fd(int *fd)
{
	if (*fd < 0)
		return;
	int kept = errno;
	close(*fd);
	errno = kept;
}

void base_close_file(void *pointer_to_file)
{
	FILE *file;
	memcpy(&file, pointer_to_file, sizeof(file));
	if (!file)
		return;
	int kept = errno;
	fclose(file);
	errno = kept;
}

/* ---- views ---- */

int str_compare(struct str a, struct str b)
{
	size_t common = MIN(a.length, b.length);
	int order = common ? memcmp(a.data, b.data, common) : 0;
	if (order)
		return order;
	return (a.length > b.length) - (a.length < b.length);
}

bool str_starts_with(struct str s, struct str prefix)
{
	return s.length >= prefix.length && str_equal(str_make(s.data, prefix.length), prefix);
}

bool str_ends_with(struct str s, struct str suffix)
{
	if (suffix.length == 0)
		return true;
	return s.length >= suffix.length && memcmp(s.data + s.length - suffix.length, suffix.data, suffix.length) == 0;
}

bool str_contains(struct str s, struct str part)
{
	if (part.length == 0)
		return true;
	return s.length >= part.length && memmem(s.data, s.length, part.data, part.length);
}

/* The highest bit of each byte that is 0. */
static uint64_t zero_bytes(uint64_t word)
{
	const uint64_t low = 0x7f7f7f7f7f7f7f7f;
	return ~(((word & low) + low) | word | low);
}

bool str_has_double(struct str s, char c)
{
	const uint64_t wanted = 0x0101010101010101ull * (unsigned char)c;
	size_t last = s.length < sizeof(wanted) ? 0 : s.length - sizeof(wanted);
	for (size_t i = 0; i + 1 < s.length; i += 7) {
		uint64_t word = ~wanted; /* so that what is not there is not c */
		if (s.length >= sizeof(word))
			memcpy(&word, s.data + MIN(i, last), sizeof(word)); /* at the end some once more */
		else
			memcpy(&word, s.data, s.length);
		uint64_t found = zero_bytes(word ^ wanted);
		if (found & found >> 8)
			return true;
	}
	return false;
}

void str_replace_char(char *data, size_t length, char from, char to)
{
	const uint64_t wanted = 0x0101010101010101ull * (unsigned char)from;
	const uint64_t change = (unsigned char)(from ^ to);
	size_t i = 0;
	for (; i + sizeof(wanted) <= length; i += sizeof(wanted)) {
		uint64_t word;
		memcpy(&word, data + i, sizeof(word));
		word ^= (zero_bytes(word ^ wanted) >> 7) * change;
		memcpy(data + i, &word, sizeof(word));
	}
	for (; i < length; i++)
		data[i] = data[i] == from ? to : data[i];
}

static char ascii_lower(char c)
{
	return c >= 'A' && c <= 'Z' ? (char)(c + ('a' - 'A')) : c;
}

static bool equal_nocase(const char *a, const char *b, size_t length)
{
	for (size_t i = 0; i < length; i++) {
		if (ascii_lower(a[i]) != ascii_lower(b[i]))
			return false;
	}
	return true;
}

bool str_contains_nocase(struct str s, struct str part)
{
	if (part.length == 0)
		return true;
	for (size_t i = 0; i + part.length <= s.length; i++) {
		if (equal_nocase(s.data + i, part.data, part.length))
			return true;
	}
	return false;
}

ssize_t str_find_char(struct str s, char c)
{
	const char *at = s.length ? memchr(s.data, c, s.length) : NULL;
	return at ? at - s.data : -1;
}

static bool is_blank(char c)
{
	return c == ' ' || (c >= '\t' && c <= '\r');
}

struct str str_trim(struct str s)
{
	while (s.length && is_blank(s.data[0])) {
		s.data++;
		s.length--;
	}
	while (s.length && is_blank(s.data[s.length - 1]))
		s.length--;
	return s;
}

bool str_next(struct str *rest, char separator, struct str *ret_part)
{
	if (!rest->data)
		return false;
	ssize_t at = str_find_char(*rest, separator);
	if (at < 0) {
		*ret_part = *rest;
		*rest = str_make(NULL, 0);
		return true;
	}
	*ret_part = str_make(rest->data, (size_t)at);
	*rest = str_make(rest->data + at + 1, rest->length - (size_t)at - 1);
	return true;
}

/* ---- numbers ---- */

static int digit_value(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	c = ascii_lower(c);
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : 16;
}

int str_to_u64(struct str s, uint64_t *ret_number)
{
	unsigned radix = 10;
	if (str_starts_with(s, STR("0x")) || str_starts_with(s, STR("0X"))) {
		radix = 16;
		s = str_make(s.data + 2, s.length - 2);
	}
	if (s.length == 0)
		return -EINVAL;
	uint64_t number = 0;
	bool overflow = false;
	for (size_t i = 0; i < s.length; i++) {
		unsigned digit = (unsigned)digit_value(s.data[i]);
		if (digit >= radix)
			return -EINVAL;
		overflow |= __builtin_mul_overflow(number, (uint64_t)radix, &number);
		overflow |= __builtin_add_overflow(number, (uint64_t)digit, &number);
	}
	if (overflow)
		return -ERANGE;
	*ret_number = number;
	return 0;
}

int str_to_s64(struct str s, int64_t *ret_number)
{
	bool negative = s.length && s.data[0] == '-';
	if (negative)
		s = str_make(s.data + 1, s.length - 1);
	uint64_t magnitude;
	int error = str_to_u64(s, &magnitude);
	if (error)
		return error;
	if (magnitude > (uint64_t)INT64_MAX + negative)
		return -ERANGE;
	*ret_number = (int64_t)(negative ? 0 - magnitude : magnitude);
	return 0;
}

/* ---- UTF-8 (RFC 3629): no overlong forms, no surrogates, nothing above U+10FFFF ---- */

static bool is_continuation(unsigned char c)
{
	return (c & 0xc0) == 0x80;
}

size_t utf8_next(const char *s, size_t left)
{
	const unsigned char *u = (const unsigned char *)s;
	if (left == 0)
		return 0;
	if (u[0] < 0x80)
		return 1;
	if (u[0] >= 0xc2 && u[0] <= 0xdf)
		return left >= 2 && is_continuation(u[1]) ? 2 : 0;
	if (u[0] >= 0xe0 && u[0] <= 0xef) {
		unsigned char low = u[0] == 0xe0 ? 0xa0 : 0x80, high = u[0] == 0xed ? 0x9f : 0xbf;
		return left >= 3 && u[1] >= low && u[1] <= high && is_continuation(u[2]) ? 3 : 0;
	}
	if (u[0] >= 0xf0 && u[0] <= 0xf4) {
		unsigned char low = u[0] == 0xf0 ? 0x90 : 0x80, high = u[0] == 0xf4 ? 0x8f : 0xbf;
		bool valid = left >= 4 && u[1] >= low && u[1] <= high && is_continuation(u[2]) && is_continuation(u[3]);
		return valid ? 4 : 0;
	}
	return 0;
}

bool str_is_utf8(struct str s)
{
	for (size_t i = 0; i < s.length;) {
		size_t length = utf8_next(s.data + i, s.length - i);
		if (length == 0)
			return false;
		i += length;
	}
	return true;
}

/* ---- hash ---- */

/* Every bit of both factors reaches every bit of the result: the halves of the 128-bit product, folded. */
static uint64_t multiply_fold(uint64_t a, uint64_t b)
{
	unsigned __int128 product = (unsigned __int128)a * b;
	return (uint64_t)product ^ (uint64_t)(product >> 64);
}

static uint64_t load_word(const unsigned char *at, size_t length)
{
	uint64_t word = 0;
	memcpy(&word, at, length);
	return word;
}

uint64_t base_hash_seeded(uint64_t seed, const void *data, size_t length)
{
	/* Odd, with as many ones as zeros: the fractional parts of pi and of the square roots of 2 and 3. */
	const uint64_t pi = 0x243f6a8885a308d3, root2 = 0x6a09e667f3bcc909, root3 = 0xbb67ae8584caa73b;
	const unsigned char *at = data;
	uint64_t state = multiply_fold(seed ^ pi, length ^ root2);
	size_t left = length;
	for (; left >= 8; left -= 8, at += 8)
		state = multiply_fold(state ^ load_word(at, 8), root3) + pi;
	if (left)
		state = multiply_fold(state ^ load_word(at, left), root3) + pi;
	state = multiply_fold(state ^ root2, pi);
	return state ^ (state >> 32);
}

uint64_t base_hash(const void *data, size_t length)
{
	return base_hash_seeded(0, data, length);
}

uint64_t base_random_seed(void)
{
	uint64_t seed;
	if (getrandom(&seed, sizeof(seed), GRND_NONBLOCK) == (ssize_t)sizeof(seed))
		return seed;
	struct timespec now;
	clock_gettime(CLOCK_MONOTONIC, &now);
	uint64_t parts[3] = {(uint64_t)now.tv_nsec, (uint64_t)(uintptr_t)&seed, (uint64_t)getpid()};
	return base_hash(parts, sizeof(parts));
}
