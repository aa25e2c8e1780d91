/* SPDX-License-Identifier: Apache-2.0 */
#include "rule/condition_int.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>

#define NUMBER_BYTES_MAX 64

static bool is_digit(char c)
{
	return c >= '0' && c <= '9';
}

/* [+-] digits [. digits] [e [+-] digits]: what strtod() takes, without its names and hexadecimal forms. */
static bool is_decimal(struct str s, bool *ret_whole)
{
	size_t i = 0, digits = 0;
	bool whole = true;
	if (i < s.length && (s.data[i] == '+' || s.data[i] == '-'))
		i++;
	for (; i < s.length && is_digit(s.data[i]); i++)
		digits++;
	if (i < s.length && s.data[i] == '.') {
		whole = false;
		for (i++; i < s.length && is_digit(s.data[i]);)
			i++;
	}
	if (digits && i < s.length && (s.data[i] == 'e' || s.data[i] == 'E')) {
		whole = false;
		i++;
		if (i < s.length && (s.data[i] == '+' || s.data[i] == '-'))
			i++;
		size_t first = i;
		while (i < s.length && is_digit(s.data[i]))
			i++;
		if (i == first)
			return false;
	}
	*ret_whole = whole;
	return digits && i == s.length;
}

static int parse_whole(struct str s, struct value *ret_value)
{
	uint64_t u64;
	int64_t s64;
	if (s.data[0] == '-') {
		int r = str_to_s64(s, &s64);
		if (r == 0)
			*ret_value = (struct value){.kind = VALUE_S64, .s64 = s64};
		return r;
	}
	if (s.data[0] == '+')
		s = str_make(s.data + 1, s.length - 1);
	int r = str_to_u64(s, &u64);
	if (r < 0)
		return r;
	if (u64 <= INT64_MAX)
		*ret_value = (struct value){.kind = VALUE_S64, .s64 = (int64_t)u64};
	else
		*ret_value = (struct value){.kind = VALUE_U64, .u64 = u64};
	return 0;
}

static int parse_fraction(struct str s, struct value *ret_value)
{
	char text[NUMBER_BYTES_MAX + 1];
	if (s.length > NUMBER_BYTES_MAX)
		return -ERANGE;
	memcpy(text, s.data, s.length);
	text[s.length] = '\0';
	double number = strtod(text, NULL);
	if (!isfinite(number))
		return -ERANGE;
	if (number == (double)(int64_t)(fabs(number) < 0x1p63 ? number : 0.5))
		*ret_value = (struct value){.kind = VALUE_S64, .s64 = (int64_t)number};
	else
		*ret_value = (struct value){.kind = VALUE_DOUBLE, .number = number};
	return 0;
}

int number_parse(struct str text, struct value *ret_value)
{
	bool whole;
	bool hex = text.length > 2 && text.data[0] == '0' && (text.data[1] == 'x' || text.data[1] == 'X');
	if (hex)
		return parse_whole(text, ret_value);
	if (!is_decimal(text, &whole))
		return -EINVAL;
	return whole ? parse_whole(text, ret_value) : parse_fraction(text, ret_value);
}

bool value_is_number(const struct value *v)
{
	return v->kind == VALUE_S64 || v->kind == VALUE_U64 || v->kind == VALUE_DOUBLE;
}

bool value_is_text(const struct value *v)
{
	return v->kind == VALUE_STR || v->kind == VALUE_BYTES;
}

static __int128 whole_of(const struct value *v)
{
	return v->kind == VALUE_S64 ? (__int128)v->s64 : (__int128)v->u64;
}

static double double_of(const struct value *v)
{
	return v->kind == VALUE_DOUBLE ? v->number : (double)whole_of(v);
}

int number_compare(const struct value *a, const struct value *b)
{
	if (a->kind == VALUE_DOUBLE || b->kind == VALUE_DOUBLE) {
		double x = double_of(a), y = double_of(b);
		return (x > y) - (x < y);
	}
	__int128 x = whole_of(a), y = whole_of(b);
	return (x > y) - (x < y);
}
