/* SPDX-License-Identifier: Apache-2.0
 *
 * Words, strings and brackets of a condition.
 */
#include "rule/condition_int.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#define FOUND_BYTES_MAX 40 /* of what messages quote */

void parser_init(struct parser *p, struct arena *arena, const struct source_text *source, size_t at, const char *code,
                 struct diag_list *diags)
{
	*p = (struct parser){
	        .arena = arena, .source = source, .text = source->text, .at = at, .code = code, .diags = diags};
}

void *parser_alloc(struct parser *p, size_t size)
{
	void *memory = arena_alloc(p->arena, size);
	if (!memory && !p->error)
		p->error = -ENOMEM;
	return memory;
}

bool parser_enter(struct parser *p, size_t at)
{
	if (p->depth < RULE_DEPTH_MAX) {
		p->depth++;
		return true;
	}
	struct diag *d = parser_fail(p, at, "this is nested more than %d levels deep", RULE_DEPTH_MAX);
	diag_set_hint(d, "parentheses that only group the same operator again can go");
	return false;
}

void parser_leave(struct parser *p)
{
	p->depth--;
}

bool char_is_blank(char c)
{
	return c == ' ' || c == '\t' || c == '\b' || c == '\r' || c == '\n';
}

bool char_is_bare(char c)
{
	return !char_is_blank(c) && c != '\0' && !strchr("()\"'=,", c);
}

static bool is_letter(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

static bool is_name_char(char c)
{
	return is_letter(c) || (c >= '0' && c <= '9') || c == '_';
}

static struct str rest_of(const struct parser *p)
{
	return str_make(p->text.data + p->at, p->text.length - p->at);
}

/* A NUL in the text and its end look alike: neither is a part of anything but a quoted string. */
char parse_peek(const struct parser *p)
{
	return p->at < p->text.length ? p->text.data[p->at] : '\0';
}

void parse_blanks(struct parser *p)
{
	while (p->at < p->text.length && char_is_blank(p->text.data[p->at]))
		p->at++;
}

bool parse_char(struct parser *p, char c)
{
	if (p->at >= p->text.length || p->text.data[p->at] != c)
		return false;
	p->at++;
	return true;
}

struct str parse_found(const struct parser *p)
{
	struct str rest = rest_of(p);
	size_t length = 0;
	while (length < rest.length && length < FOUND_BYTES_MAX && char_is_bare(rest.data[length]))
		length++;
	return str_make(rest.data, MIN(MAX(length, (size_t)1), rest.length));
}

struct diag *parser_expected(struct parser *p, const char *format, ...)
{
	char *expected;
	va_list arguments;
	va_start(arguments, format);
	int length = vasprintf(&expected, format, arguments);
	va_end(arguments);
	if (length < 0) {
		p->error = -ENOMEM;
		return NULL;
	}
	_cleanup_(base_free_ptr) char *owned = expected;
	struct str found = parse_found(p);
	if (found.length == 0)
		return parser_fail(p, p->at, "expected %s, found the end", owned);
	return parser_fail(p, p->at, "expected %s, found '" STR_FMT "'", owned, STR_ARG(found));
}

bool parse_expect(struct parser *p, char c, const char *what)
{
	parse_blanks(p);
	if (parse_char(p, c))
		return true;
	parser_expected(p, "'%c' %s", c, what);
	return false;
}

static size_t name_length(struct str s)
{
	size_t length = 0;
	if (s.length && is_letter(s.data[0])) {
		while (length < s.length && is_name_char(s.data[length]))
			length++;
	}
	return length;
}

struct str parse_name(struct parser *p)
{
	struct str rest = rest_of(p);
	struct str name = str_make(rest.data, name_length(rest));
	p->at += name.length;
	return name;
}

struct str parse_dotted_name(struct parser *p)
{
	struct str rest = rest_of(p);
	size_t length = name_length(rest);
	while (length && length + 1 < rest.length && rest.data[length] == '.') {
		size_t next = name_length(str_make(rest.data + length + 1, rest.length - length - 1));
		if (next == 0)
			break;
		length += 1 + next;
	}
	p->at += length;
	return str_make(rest.data, length);
}

bool parse_keyword(struct parser *p, const char *word)
{
	struct str rest = rest_of(p), w = str_from(word);
	if (!str_starts_with(rest, w))
		return false;
	char next = rest.length > w.length ? rest.data[w.length] : ' ';
	if (!char_is_blank(next) && next != '(')
		return false;
	p->at += w.length;
	return true;
}

/* A bare string, or nothing. */
static struct str parse_bare(struct parser *p)
{
	struct str rest = rest_of(p);
	size_t length = 0;
	while (length < rest.length && char_is_bare(rest.data[length]))
		length++;
	p->at += length;
	return str_make(rest.data, length);
}

/* What \c stands for; -1: nothing. A backslash before a blank stands for itself, the blank follows. */
static int escape_of(char c, char quote)
{
	static const char names[] = "bfnrt\\/", values[] = "\b\f\n\r\t\\/";
	const char *at = c ? strchr(names, c) : NULL;
	if (at)
		return values[at - names];
	if (c == ' ')
		return '\\';
	return c == quote ? quote : -1;
}

/* The offset of the quote that ends the string, or the text's length. */
static size_t quoted_end(const struct parser *p, char quote)
{
	size_t at = p->at + 1;
	while (at < p->text.length && p->text.data[at] != quote)
		at += p->text.data[at] == '\\' ? 2 : 1;
	return MIN(at, p->text.length);
}

/* raw: what stands between the quotes. to: room for raw.length bytes. */
static bool unescape(struct parser *p, struct str raw, char quote, char *to, size_t *ret_length)
{
	size_t length = 0;
	for (size_t i = 0; i < raw.length; i++) {
		if (raw.data[i] != '\\') {
			to[length++] = raw.data[i];
			continue;
		}
		char c = i + 1 < raw.length ? raw.data[i + 1] : '\0';
		int byte = escape_of(c, quote);
		if (byte < 0) {
			struct diag *d = parser_fail(p, (size_t)(raw.data - p->text.data) + i,
			                             "unknown escape '\\%c' in a quoted string", c ? c : '0');
			diag_set_hint(
			        d,
			        "known are \\b \\f \\n \\r \\t \\\\ \\/ and \\%c; a backslash itself is written \\\\",
			        quote);
			return false;
		}
		to[length++] = (char)byte;
		i += c != ' ';
	}
	*ret_length = length;
	return true;
}

/* Stands at a quote. */
static bool parse_quoted(struct parser *p, struct str *ret_text)
{
	size_t begin = p->at, end = quoted_end(p, parse_peek(p));
	char quote = parse_peek(p);
	if (end == p->text.length) {
		parser_fail(p, begin, "this quoted string has no end: expected %c", quote);
		return false;
	}
	struct str raw = str_make(p->text.data + begin + 1, end - begin - 1);
	char *to = parser_alloc(p, raw.length + 1);
	size_t length;
	if (!to || !unescape(p, raw, quote, to, &length))
		return false;
	p->at = end + 1;
	*ret_text = str_make(to, length);
	return true;
}

static bool stands_at_quote(const struct parser *p)
{
	return parse_peek(p) == '"' || parse_peek(p) == '\'';
}

bool parse_string(struct parser *p, struct literal *ret_literal, const char *what)
{
	struct literal l = {.at = p->at};
	if (stands_at_quote(p)) {
		if (!parse_quoted(p, &l.text))
			return false;
	} else {
		l.text = parse_bare(p);
		if (l.text.length == 0) {
			parser_expected(p, "%s", what);
			return false;
		}
	}
	*ret_literal = l;
	return true;
}

static bool char_is_bracket_arg(char c)
{
	return !char_is_blank(c) && c != '\0' && !strchr("[]\"'", c);
}

static struct str parse_bracket_bare(struct parser *p)
{
	struct str rest = rest_of(p);
	size_t length = 0;
	while (length < rest.length && char_is_bracket_arg(rest.data[length]))
		length++;
	p->at += length;
	return str_make(rest.data, length);
}

bool parse_bracket(struct parser *p, struct expr *e)
{
	if (!parse_char(p, '['))
		return true;
	parse_blanks(p);
	e->has_arg = true;
	e->arg_at = p->at;
	if (!stands_at_quote(p))
		e->arg = parse_bracket_bare(p);
	else if (!parse_quoted(p, &e->arg))
		return false;
	if (e->arg.length == 0) {
		parser_fail(p, p->at, "expected a number or a name in the brackets of " STR_FMT, STR_ARG(e->name));
		return false;
	}
	return parse_expect(p, ']', "after the argument of a field");
}

struct expr *parse_field(struct parser *p, struct str name, size_t at)
{
	struct expr *e = parser_alloc(p, sizeof(*e));
	if (!e)
		return NULL;
	*e = (struct expr){.kind = EXPR_FIELD, .at = at, .name = name};
	return parse_bracket(p, e) ? e : NULL;
}
