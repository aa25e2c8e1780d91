/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include "vm/helper_int.h"

uint64_t helper_strncmp(HELPER_PARAMETERS)
{
	const volatile uint8_t *a = helper_pointer(r1), *b = helper_pointer(r3);
	size_t readable = helper_text_readable(run, r3);

	for (size_t i = 0; i < r2; i++) {
		uint8_t x = a[i], y = i < readable ? b[i] : 0;
		if (x != y)
			return helper_error(x < y ? -1 : 1);
		if (!x)
			break;
	}
	return 0;
}

/* ---- strtol, strtoul ---- */
#define NUMBER_BASE_MASK 0x1f
#define NUMBER_DIGITS_MAX 63 /* what stands behind them is not looked at */

struct number {
	bool negative;
	uint64_t magnitude;
	size_t length; /* with blanks and sign before it */
};

static bool is_blank(uint8_t c)
{
	return c == ' ' || (c >= '\t' && c <= '\r') || c == 0xa0;
}

/* 16 and above: no digit. */
static unsigned digit_value(uint8_t c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	c |= 0x20;
	return c >= 'a' && c <= 'f' ? c - 'a' + 10u : 16;
}

static bool has_hex_prefix(const uint8_t *text, size_t length)
{
	return length >= 2 && text[0] == '0' && (text[1] | 0x20) == 'x';
}

static unsigned guess_base(const uint8_t *text, size_t length)
{
	if (length == 0 || text[0] != '0')
		return 10;
	return length >= 3 && has_hex_prefix(text, length) && digit_value(text[2]) < 16 ? 16 : 8;
}

/* Reads digits, all that there are. Returns their count with the prefix, -EINVAL: none; -ERANGE: too many. */
static int64_t read_digits(const uint8_t *text, size_t length, unsigned base, uint64_t *ret_magnitude)
{
	bool overflow = false;
	uint64_t magnitude = 0;
	size_t i, prefix = 0;

	if (base == 0)
		base = guess_base(text, length);
	if (base == 16 && has_hex_prefix(text, length))
		prefix = 2;
	for (i = prefix; i < length && digit_value(text[i]) < base; i++) {
		overflow |= __builtin_mul_overflow(magnitude, (uint64_t)base, &magnitude);
		overflow |= __builtin_add_overflow(magnitude, (uint64_t)digit_value(text[i]), &magnitude);
	}
	if (overflow)
		return -ERANGE;
	if (i == prefix)
		return -EINVAL;
	*ret_magnitude = magnitude;
	return (int64_t)i;
}

static int read_number(const uint8_t *text, size_t length, uint64_t flags, struct number *ret_number)
{
	uint64_t base = flags & NUMBER_BASE_MASK;
	struct number n = {0};
	int64_t digits;

	if (flags != base || (base != 0 && base != 8 && base != 10 && base != 16))
		return -EINVAL;
	while (n.length < length && is_blank(text[n.length]))
		n.length++;
	n.negative = n.length < length && text[n.length] == '-';
	n.length += n.negative;
	digits = read_digits(text + n.length, MIN(length - n.length, NUMBER_DIGITS_MAX), (unsigned)base, &n.magnitude);
	if (digits < 0)
		return (int)digits;
	n.length += (size_t)digits;
	*ret_number = n;
	return 0;
}

static uint64_t store_number(uint64_t to, uint64_t value, uint64_t result)
{
	memcpy(helper_pointer(to), &value, sizeof(value));
	return result;
}

uint64_t helper_strtol(HELPER_PARAMETERS)
{
	struct number n;
	int r = read_number(helper_pointer(r1), r2, r3, &n);

	if (!r && n.magnitude > (uint64_t)INT64_MAX + n.negative)
		r = -ERANGE;
	if (r)
		return store_number(r4, 0, helper_error(r));
	return store_number(r4, n.negative ? -n.magnitude : n.magnitude, n.length);
}

uint64_t helper_strtoul(HELPER_PARAMETERS)
{
	struct number n;
	int r = read_number(helper_pointer(r1), r2, r3, &n);

	if (!r && n.negative)
		r = -EINVAL;
	if (r)
		return store_number(r4, 0, helper_error(r));
	return store_number(r4, n.magnitude, n.length);
}
