/* SPDX-License-Identifier: Apache-2.0
 *
 * C as it stands in one line: enough of it to say which expression an instruction comes from. The compiler's columns point
 * at a member's name, at the * of *p, at the array of a[i], at the = of an assignment, and at a called function.
 */
#include <ctype.h>

#include "verify/explain_int.h"

#define TOKENS_MAX 128

enum token_kind { TOKEN_NAME, TOKEN_NUMBER, TOKEN_TEXT, TOKEN_OPERATOR };

struct token {
	uint16_t start, length;
	uint8_t kind;
};

struct tokens {
	struct str line;
	struct token at[TOKENS_MAX];
	int count;
};

static bool is_name_char(char c)
{
	return isalnum((unsigned char)c) || c == '_';
}

static size_t operator_length(struct str rest)
{
	static const char *const operators[] = {"<<=", ">>=", "->", "++", "--", "+=", "-=", "*=", "/=", "%=", "&=",
	                                        "|=",  "^=",  "==", "!=", "<=", ">=", "&&", "||", "<<", ">>"};

	for (size_t i = 0; i < ARRAY_SIZE(operators); i++)
		if (str_starts_with(rest, str_from(operators[i])))
			return strlen(operators[i]);
	return 1;
}

static size_t text_length(struct str rest)
{
	size_t i = 1;

	while (i < rest.length && rest.data[i] != rest.data[0])
		i += rest.data[i] == '\\' ? 2 : 1;
	return MIN(i + 1, rest.length);
}

static size_t comment_length(struct str rest)
{
	if (str_starts_with(rest, STR("//")))
		return rest.length;
	if (!str_starts_with(rest, STR("/*")))
		return 0;
	for (size_t i = 2; i + 1 < rest.length; i++)
		if (rest.data[i] == '*' && rest.data[i + 1] == '/')
			return i + 2;
	return rest.length;
}

static size_t token_length(struct str rest, enum token_kind *ret_kind)
{
	size_t i = 0;

	if (rest.data[0] == '"' || rest.data[0] == '\'') {
		*ret_kind = TOKEN_TEXT;
		return text_length(rest);
	}
	if (!is_name_char(rest.data[0])) {
		*ret_kind = TOKEN_OPERATOR;
		return operator_length(rest);
	}
	*ret_kind = isdigit((unsigned char)rest.data[0]) ? TOKEN_NUMBER : TOKEN_NAME;
	while (i < rest.length && is_name_char(rest.data[i]))
		i++;
	return i;
}

static void tokens_read(struct str line, struct tokens *t)
{
	size_t i = 0;

	t->line = line;
	t->count = 0;
	while (i < line.length && i < UINT16_MAX && t->count < TOKENS_MAX) {
		struct str rest = str_make(line.data + i, line.length - i);
		size_t comment = comment_length(rest), length;
		enum token_kind kind;
		if (comment || isspace((unsigned char)rest.data[0])) {
			i += MAX(comment, 1);
			continue;
		}
		length = token_length(rest, &kind);
		t->at[t->count++] = (struct token){(uint16_t)i, (uint16_t)MIN(length, UINT16_MAX - i), (uint8_t)kind};
		i += length;
	}
}

static struct str token_text(const struct tokens *t, int i)
{
	if (i < 0 || i >= t->count)
		return STR("");
	return str_make(t->line.data + t->at[i].start, t->at[i].length);
}

static bool token_is(const struct tokens *t, int i, const char *text)
{
	return str_equals(token_text(t, i), text);
}

static bool token_is_name(const struct tokens *t, int i)
{
	return i >= 0 && i < t->count && t->at[i].kind == TOKEN_NAME;
}

/* Tokens first to last, with what stands between them. */
static struct str span(const struct tokens *t, int first, int last)
{
	if (first < 0 || last < first || last >= t->count)
		return STR("");
	return str_make(t->line.data + t->at[first].start,
	                (size_t)(t->at[last].start + t->at[last].length - t->at[first].start));
}

/* The bracket that belongs to the one at i; -1: not in this line. step: 1 or -1. */
static int matching(const struct tokens *t, int i, int step)
{
	int depth = 0;

	for (; i >= 0 && i < t->count; i += step) {
		if (token_is(t, i, "(") || token_is(t, i, "["))
			depth += step;
		if (token_is(t, i, ")") || token_is(t, i, "]"))
			depth -= step;
		if (depth == 0)
			return i;
	}
	return -1;
}

/* The first token of the postfix expression that ends with token i: a->b[c].d; -1: none. */
static int postfix_start(const struct tokens *t, int i)
{
	while (i >= 0) {
		if (token_is(t, i, "]") || token_is(t, i, ")")) {
			bool group = token_is(t, i, ")");
			i = matching(t, i, -1);
			if (i < 0)
				return -1;
			if (group && !token_is_name(t, i - 1) && !token_is(t, i - 1, "]"))
				return i;
			i--;
			continue;
		}
		if (!token_is_name(t, i))
			return -1;
		if (!token_is(t, i - 1, "->") && !token_is(t, i - 1, "."))
			return i;
		i -= 2;
	}
	return -1;
}

/* The last token of the postfix expression that begins with token i. */
static int postfix_end(const struct tokens *t, int i)
{
	int end = token_is(t, i, "(") ? matching(t, i, 1) : i;

	while (end >= 0 && end + 1 < t->count) {
		if (token_is(t, end + 1, "[") || token_is(t, end + 1, "(")) {
			int close = matching(t, end + 1, 1);
			if (close < 0)
				return end;
			end = close;
		} else if ((token_is(t, end + 1, "->") || token_is(t, end + 1, ".")) && token_is_name(t, end + 2)) {
			end += 2;
		} else {
			return end;
		}
	}
	return end;
}

static bool ends_operand(const struct tokens *t, int i)
{
	return i >= 0 && (t->at[i].kind != TOKEN_OPERATOR || token_is(t, i, ")") || token_is(t, i, "]"));
}

static bool is_dereference(const struct tokens *t, int i)
{
	return token_is(t, i, "*") && (!ends_operand(t, i - 1) || token_is(t, i - 1, "return"));
}

/* What a cast at i is of: (__u32 *)p. i itself if there is none. */
static int skip_cast(const struct tokens *t, int i)
{
	int close = token_is(t, i, "(") ? matching(t, i, 1) : -1;

	return close > 0 && (token_is_name(t, close + 1) || token_is(t, close + 1, "(") || token_is(t, close + 1, "&"))
	               ? close + 1
	               : i;
}

/* *p, with the * at i. */
static bool access_dereference(const struct tokens *t, int i, struct source_access *ret_access)
{
	int first = skip_cast(t, i + 1), last;

	if (!token_is_name(t, first) && !token_is(t, first, "("))
		return false;
	last = postfix_end(t, first);
	if (last < 0)
		return false;
	*ret_access = (struct source_access){span(t, i, last), span(t, first, last), STR(""), true};
	return true;
}

/* The postfix expression from first to last, which is read or written itself. */
static bool access_postfix(const struct tokens *t, int first, int last, struct source_access *ret_access)
{
	struct source_access a = {.whole = span(t, first, last), .index = STR("")};
	int i = last;

	if (token_is(t, first, "(") && token_is(t, first + 1, "*") && matching(t, first, 1) == last)
		return access_dereference(t, first + 1, ret_access);
	if (!token_is_name(t, first) && !token_is(t, first, "("))
		return false;
	while (i > first) { /* members of a struct in place belong to what holds it */
		if (token_is(t, i - 1, "->")) {
			a.base = span(t, first, i - 2);
			a.through = true;
			break;
		}
		if (token_is(t, i, "]")) {
			int open = matching(t, i, -1);
			if (open <= first)
				return false;
			a.base = span(t, first, open - 1);
			a.index = span(t, open + 1, i - 1);
			break;
		}
		if (!token_is(t, i - 1, "."))
			return false;
		i -= 2;
	}
	if (i == first)
		a.base = span(t, first, first);
	*ret_access = a;
	return a.base.length > 0;
}

static bool is_assignment(const struct tokens *t, int i)
{
	struct str text = token_text(t, i);

	if (token_is(t, i, "++") || token_is(t, i, "--"))
		return true;
	return text.length > 0 && text.data[text.length - 1] == '=' && !token_is(t, i, "==") && !token_is(t, i, "!=") &&
	       !token_is(t, i, "<=") && !token_is(t, i, ">=");
}

static bool access_assigned(const struct tokens *t, int i, struct source_access *ret_access)
{
	int first = ends_operand(t, i - 1) ? postfix_start(t, i - 1) : i + 1, last;

	if (first < 0)
		return false;
	if (first > 0 && is_dereference(t, first - 1))
		return access_dereference(t, first - 1, ret_access);
	last = postfix_end(t, first);
	return last >= first && access_postfix(t, first, last, ret_access);
}

bool source_access(struct str line, unsigned column, struct source_access *ret_access)
{
	struct tokens t;
	int i = 0, first, last;

	tokens_read(line, &t);
	while (i < t.count && t.at[i].start + t.at[i].length < column)
		i++;
	if (i == t.count || t.at[i].start >= column)
		return false;
	if (is_assignment(&t, i))
		return access_assigned(&t, i, ret_access);
	if (is_dereference(&t, i))
		return access_dereference(&t, i, ret_access);
	if (token_is(&t, i, "("))
		return postfix_end(&t, i) > matching(&t, i, 1) && access_postfix(&t, i, postfix_end(&t, i), ret_access);
	if (!token_is_name(&t, i))
		return false;
	first = postfix_start(&t, i);
	last = token_is(&t, i + 1, "[") ? matching(&t, i + 1, 1) : i;
	if (last == i && !token_is(&t, i - 1, "->") && !token_is(&t, i - 1, "."))
		last = postfix_end(&t, i);
	if (first < 0 || last < 0)
		return false;
	if (is_dereference(&t, first - 1) && last == i)
		return access_dereference(&t, first - 1, ret_access);
	return access_postfix(&t, first, last, ret_access);
}

bool source_argument(struct str line, const char *function, unsigned index, struct str *ret_argument)
{
	struct tokens t;
	int i = 0, close, first;

	tokens_read(line, &t);
	while (i < t.count && !(token_is(&t, i, function) && token_is(&t, i + 1, "(")))
		i++;
	close = i < t.count ? matching(&t, i + 1, 1) : -1;
	if (close < 0)
		return false;
	first = i + 2;
	for (int at = first, depth = 0; at <= close; at++) {
		bool end = at == close || (depth == 0 && token_is(&t, at, ","));
		if (end && index == 0 && at > first) {
			*ret_argument = span(&t, first, at - 1);
			return true;
		}
		if (end) {
			index--;
			first = at + 1;
		}
		depth += token_is(&t, at, "(") || token_is(&t, at, "[");
		depth -= token_is(&t, at, ")") || token_is(&t, at, "]");
	}
	return false;
}

bool source_assigned(struct str line, unsigned before, struct str *ret_name)
{
	struct tokens t;
	int at = -1, first;

	tokens_read(line, &t);
	for (int i = 1; i < t.count && (!before || t.at[i].start + 1u < before); i++)
		if (token_is(&t, i, "=") && (before || at < 0))
			at = i;
	if (at < 0 || token_is(&t, at - 1, ")"))
		return false;
	first = postfix_start(&t, at - 1);
	if (first < 0)
		return false;
	*ret_name = span(&t, first, at - 1);
	return true;
}
