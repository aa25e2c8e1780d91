/* SPDX-License-Identifier: Apache-2.0 */
#include "base/json.h"

#include <errno.h>
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

void json_init(struct json *j, struct buf *out)
{
	*j = (struct json){.out = out};
}

static void before_item(struct json *j)
{
	bool first = j->depth == 0 || j->depth >= JSON_DEPTH_MAX || !j->started[j->depth];
	if (!first && !j->after_key)
		buf_add_char(j->out, ',');
	j->after_key = false;
	if (j->depth < JSON_DEPTH_MAX)
		j->started[j->depth] = true;
}

/* Deeper than the limit nothing is written and the buffer says so; the depth is still counted, so that ends fit. */
static void begin(struct json *j, char bracket)
{
	before_item(j);
	j->depth++;
	if (j->depth < JSON_DEPTH_MAX)
		j->started[j->depth] = false;
	else if (!j->out->error)
		j->out->error = -ENOBUFS;
	buf_add_char(j->out, bracket);
}

static void end(struct json *j, char bracket)
{
	j->depth--;
	buf_add_char(j->out, bracket);
}

void json_begin_object(struct json *j)
{
	begin(j, '{');
}

void json_end_object(struct json *j)
{
	end(j, '}');
}

void json_begin_array(struct json *j)
{
	begin(j, '[');
}

void json_end_array(struct json *j)
{
	end(j, ']');
}

static void add_escape(struct buf *out, unsigned code)
{
	static const char names[] = {
	        ['\b'] = 'b', ['\f'] = 'f', ['\n'] = 'n', ['\r'] = 'r', ['\t'] = 't', ['"'] = '"', ['\\'] = '\\'};
	char name = code < sizeof(names) ? names[code] : 0;
	if (name) {
		buf_add(out, (char[2]){'\\', name}, 2);
		return;
	}
	buf_printf(out, "\\u%04x", code);
}

/* Also DEL and the C1 controls (U+0080..U+009F) are escaped: JSON allows them, terminals obey them. */
static bool needs_escape(const unsigned char *at, size_t length)
{
	if (length == 1)
		return at[0] < 0x20 || at[0] == '"' || at[0] == '\\' || at[0] == 0x7f;
	return length == 2 && at[0] == 0xc2 && at[1] < 0xa0;
}

static void add_quoted(struct buf *out, struct str s)
{
	size_t plain = 0; /* where the text begins that is not yet copied */
	buf_add_char(out, '"');
	for (size_t i = 0; i < s.length;) {
		const unsigned char *at = (const unsigned char *)s.data + i;
		size_t length = utf8_next(s.data + i, s.length - i);
		if (length && !needs_escape(at, length)) {
			i += length;
			continue;
		}
		buf_add(out, s.data + plain, i - plain);
		if (length == 0)
			buf_add_text(out, "\xef\xbf\xbd");
		else
			add_escape(out, at[length - 1]); /* of both forms the last byte is the code */
		i += MAX(length, (size_t)1);
		plain = i;
	}
	if (plain < s.length)
		buf_add(out, s.data + plain, s.length - plain);
	buf_add_char(out, '"');
}

void json_key_str(struct json *j, struct str key)
{
	before_item(j);
	add_quoted(j->out, key);
	buf_add_char(j->out, ':');
	j->after_key = true;
}

void json_key(struct json *j, const char *key)
{
	json_key_str(j, str_from(key));
}

void json_str(struct json *j, struct str s)
{
	before_item(j);
	add_quoted(j->out, s);
}

void json_text(struct json *j, const char *text)
{
	if (text)
		json_str(j, str_from(text));
	else
		json_null(j);
}

static void add_literal(struct json *j, const char *text)
{
	before_item(j);
	buf_add_text(j->out, text);
}

void json_s64(struct json *j, int64_t n)
{
	before_item(j);
	buf_printf(j->out, "%" PRId64, n);
}

void json_u64(struct json *j, uint64_t n)
{
	before_item(j);
	buf_printf(j->out, "%" PRIu64, n);
}

/* The fewest digits that read back as the same number. */
void json_double(struct json *j, double n)
{
	if (!isfinite(n)) {
		json_null(j);
		return;
	}
	char text[40];
	for (int digits = 15; digits <= 17; digits++) {
		snprintf(text, sizeof(text), "%.*g", digits, n);
		if (strtod(text, NULL) == n)
			break;
	}
	char *comma = strchr(text, ','); /* of a locale */
	if (comma)
		*comma = '.';
	add_literal(j, text);
}

void json_bool(struct json *j, bool b)
{
	add_literal(j, b ? "true" : "false");
}

void json_null(struct json *j)
{
	add_literal(j, "null");
}

void json_raw(struct json *j, struct str value)
{
	before_item(j);
	buf_add_str(j->out, value);
}
