/* SPDX-License-Identifier: Apache-2.0 */
#include "trust/trust_int.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <time.h>

#include "trust/manifest.h"

#define MESSAGE_BYTES 512
#define TIME_MAX_S 253402300799ull /* 9999-12-31T23:59:59Z, the last that can be written so */

void lines_init(struct lines *l, struct str text, const char *name, const char *code, struct diag_list *diags)
{
	*l = (struct lines){.name = name, .code = code, .diags = diags, .rest = text};
}

int lines_error(struct lines *l, const char *at, const char *format, ...)
{
	char text[MESSAGE_BYTES];
	va_list arguments;
	va_start(arguments, format);
	vsnprintf(text, sizeof(text), format, arguments);
	va_end(arguments);
	unsigned column = l->line.data ? (unsigned)(at - l->line.data) + 1 : 0;
	struct diag *d = diag_add(l->diags, DIAG_ERROR, l->code, l->name, l->number, column, "%s", text);
	if (l->line.data)
		diag_set_source(d, l->line);
	return l->error = -EINVAL;
}

/* Length of the character at s if it may stand in a text, else 0. Beyond ASCII: U+0080 to U+009F are controls too. */
static size_t printable_next(const char *s, size_t left)
{
	size_t length = utf8_next(s, left);
	unsigned char first = (unsigned char)s[0];
	if (length == 1 && (first < 0x20 || first == 0x7f))
		return 0;
	if (length == 2 && first == 0xc2 && (unsigned char)s[1] < 0xa0)
		return 0;
	return length;
}

/* Index of the first byte that may not stand there; the length if all may. */
static size_t printable_length(struct str s, bool tabs)
{
	size_t at = 0, length;
	while (at < s.length && (length = tabs && s.data[at] == '\t' ? 1 : printable_next(s.data + at, s.length - at)))
		at += length;
	return at;
}

bool text_is_printable(struct str s)
{
	return printable_length(s, false) == s.length;
}

bool lines_next(struct lines *l)
{
	if (l->error || l->rest.length == 0) {
		l->line = str_make(NULL, 0);
		return false;
	}
	ssize_t end = str_find_char(l->rest, '\n');
	size_t length = end < 0 ? l->rest.length : (size_t)end;
	l->line = str_make(l->rest.data, length);
	l->number++;
	size_t good = printable_length(l->line, true);
	if (good < length)
		lines_error(l, l->line.data + good, "a byte that is no printable text: 0x%02x",
		            (unsigned char)l->line.data[good]);
	else if (end < 0)
		lines_error(l, l->line.data + length, "the line does not end: the text was cut");
	if (l->error)
		return false;
	l->rest = str_make(l->rest.data + length + 1, l->rest.length - length - 1);
	return true;
}

bool word_next(struct str *rest, struct str *ret_word)
{
	return str_next(rest, ' ', ret_word) && ret_word->length > 0;
}

int text_to_number(struct str s, uint64_t max, uint64_t *ret_number)
{
	uint64_t number;
	for (size_t i = 0; i < s.length; i++) {
		if (s.data[i] < '0' || s.data[i] > '9')
			return -EINVAL;
	}
	if (s.length == 0 || (s.length > 1 && s.data[0] == '0'))
		return -EINVAL;
	if (str_to_u64(s, &number) < 0 || number > max)
		return -ERANGE;
	*ret_number = number;
	return 0;
}

/* ---- times ---- */

void trust_add_time(uint64_t time_s, struct buf *out)
{
	time_t seconds = (time_t)MIN(time_s, TIME_MAX_S);
	struct tm tm = {0};
	gmtime_r(&seconds, &tm);
	buf_printf(out, "%04d-%02d-%02dT%02d:%02d:%02dZ", tm.tm_year + 1900, tm.tm_mon + 1, tm.tm_mday, tm.tm_hour,
	           tm.tm_min, tm.tm_sec);
}

int text_to_time(struct str s, uint64_t *ret_s)
{
	static const char form[] = "dddd-dd-ddTdd:dd:ddZ";
	_cleanup_(buf_done) struct buf again;
	unsigned numbers[6] = {0}, n = 0;
	buf_init(&again, sizeof(form));
	if (s.length != sizeof(form) - 1)
		return -EINVAL;
	for (size_t i = 0; i < s.length; i++) {
		bool digit = s.data[i] >= '0' && s.data[i] <= '9';
		if (form[i] == 'd' ? !digit : s.data[i] != form[i])
			return -EINVAL;
		if (digit)
			numbers[n] = numbers[n] * 10 + (unsigned)(s.data[i] - '0');
		else
			n++;
	}
	struct tm tm = {.tm_year = (int)numbers[0] - 1900,
	                .tm_mon = (int)numbers[1] - 1,
	                .tm_mday = (int)numbers[2],
	                .tm_hour = (int)numbers[3],
	                .tm_min = (int)numbers[4],
	                .tm_sec = (int)numbers[5]};
	time_t seconds = timegm(&tm);
	if (seconds < 0)
		return -EINVAL;
	/* timegm() takes the 31st of February for the 3rd of March. */
	trust_add_time((uint64_t)seconds, &again);
	if (!str_equal(buf_str(&again), s))
		return -EINVAL;
	*ret_s = (uint64_t)seconds;
	return 0;
}
