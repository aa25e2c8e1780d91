/* SPDX-License-Identifier: Apache-2.0
 *
 * The language's own syntax is RE2's POSIX mode; here PCRE2 does the work, behind a gate that lets through only what
 * both read alike: . [] [^] [[:class:]] ( ) | * + ? {n} {n,} {n,m} ^ $ \punctuation \a \f \n \r \t \xhh \x{hh} \0oo,
 * and, beyond POSIX, \d \D \s \S \w \W \b \B and a lazy ? behind a repetition, which cannot change whether the whole
 * text matches. ^ and $ inside also stand at line ends. What differs from RE2:
 *	- text is bytes: . and [^x] match one byte, never a whole character of several, and also bytes that are not UTF-8
 *	  (with RE2 one wrong byte hides a text from every .*);
 *	- a repetition of a repetition (a**, a*+) is refused: PCRE2 would read possessive ones;
 *	- time is bounded by match limits and not by the algorithm: what is not decided within them is reported as such.
 */
#define PCRE2_CODE_UNIT_WIDTH 8
#include "rule/regex.h"

#include <errno.h>
#include <pcre2.h>
#include <stdio.h>
#include <stdlib.h>

/* Steps of backtracking: about 2 ms compiled, 10 ms interpreted. */
#define MATCH_LIMIT_JIT 1000000u
#define MATCH_LIMIT_INTERPRETER 200000u
#define HEAP_LIMIT_KIB 4096u             /* of the interpreter */
#define JIT_STACK_BYTES_MIN (256u << 10) /* where the 32 KiB that PCRE2 brings are not enough */
#define JIT_STACK_BYTES_MAX (8u << 20)
#define COMPILED_BYTES_MAX (1u << 20)

struct regex {
	pcre2_code *code;
	pcre2_match_context *limits; /* only read by matches */
	uint32_t match_limit;
};

/* ---- the gate ---- */

enum atom { ATOM_NONE, ATOM_PLAIN, ATOM_BYTE, ATOM_REPEATED };
struct gate {
	struct str pattern;
	size_t at;
	enum atom last; /* what a repetition here would repeat; BYTE: the end of a character of several bytes */
	const char *error;
};

static bool gate_fail(struct gate *g, const char *error)
{
	g->error = error;
	return false;
}

static char gate_peek(const struct gate *g, size_t ahead)
{
	return g->at + ahead < g->pattern.length ? g->pattern.data[g->at + ahead] : '\0';
}

static bool is_alnum(char c)
{
	return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

static bool gate_escape(struct gate *g, bool in_class)
{
	char c = gate_peek(g, 1);
	if (g->at + 1 >= g->pattern.length)
		return gate_fail(g, "a backslash at the end escapes nothing");
	if (is_alnum(c) && !strchr(in_class ? "afnrtx0dDsSwW" : "afnrtx0dDsSwWbB", c))
		return gate_fail(g, c >= '1' && c <= '9' ? "back references are not supported" : "unknown escape");
	g->at += 2;
	const char *end = c == 'x' && gate_peek(g, 0) == '{'
	                          ? memchr(g->pattern.data + g->at, '}', g->pattern.length - g->at)
	                          : NULL;
	g->at = end ? (size_t)(end - g->pattern.data) + 1 : g->at;
	return true;
}

/* Behind the [: its members up to the ]. */
static bool gate_class(struct gate *g)
{
	g->at++;
	if (gate_peek(g, 0) == '^')
		g->at++;
	if (gate_peek(g, 0) == ']')
		g->at++;
	while (g->at < g->pattern.length) {
		char c = gate_peek(g, 0);
		if ((unsigned char)c >= 0x80)
			return gate_fail(g, "only ASCII in brackets: write (ä|ö) instead of [äö]");
		if (c == ']') {
			g->at++;
			return true;
		}
		if (c == '\\') {
			if (!gate_escape(g, true))
				return false;
			continue;
		}
		bool named = c == '[' && gate_peek(g, 1) == ':';
		const char *end = named ? memmem(g->pattern.data + g->at, g->pattern.length - g->at, ":]", 2) : NULL;
		g->at = end ? (size_t)(end - g->pattern.data) + 2 : g->at + 1;
	}
	return gate_fail(g, "a [ is not closed");
}

/* Bytes of {n}, {n,} or {n,m} here; 0: it is not one and stands for itself. */
static size_t gate_braces(const struct gate *g)
{
	size_t i = 1, digits = 0;
	for (; gate_peek(g, i) >= '0' && gate_peek(g, i) <= '9'; i++)
		digits++;
	if (gate_peek(g, i) == ',')
		i++;
	while (gate_peek(g, i) >= '0' && gate_peek(g, i) <= '9')
		i++;
	return digits && gate_peek(g, i) == '}' ? i + 1 : 0;
}

static bool gate_repeat(struct gate *g, size_t length)
{
	if (g->last == ATOM_NONE)
		return gate_fail(g, "there is nothing to repeat");
	if (g->last == ATOM_BYTE)
		return gate_fail(g, "put a character outside ASCII in parentheses to repeat it");
	if (g->last == ATOM_REPEATED)
		return gate_fail(g, "a repetition cannot be repeated: put it in parentheses");
	g->at += length;
	if (gate_peek(g, 0) == '?')
		g->at++;
	g->last = ATOM_REPEATED;
	return true;
}

static bool gate_open(struct gate *g)
{
	char next = gate_peek(g, 1);
	if (next == '?' || next == '*')
		return gate_fail(g, "groups that begin with (? or (* are not supported");
	g->at++;
	g->last = ATOM_NONE;
	return true;
}

static bool gate_step(struct gate *g)
{
	char c = gate_peek(g, 0);
	size_t braces = c == '{' ? gate_braces(g) : 0;
	if (c == '*' || c == '+' || c == '?' || braces)
		return gate_repeat(g, braces ? braces : 1);
	if (c == '(')
		return gate_open(g);
	g->last = (unsigned char)c >= 0x80 ? ATOM_BYTE : c == '|' || c == '^' ? ATOM_NONE : ATOM_PLAIN;
	if (c == '\\')
		return gate_escape(g, false);
	if (c == '[')
		return gate_class(g);
	g->at++;
	return true;
}

static bool gate_passes(struct gate *g)
{
	if (g->pattern.length > REGEX_PATTERN_BYTES_MAX)
		return gate_fail(g, "the pattern is too long");
	if (memchr(g->pattern.data, '\0', g->pattern.length))
		return gate_fail(g, "the pattern holds a NUL");
	while (g->at < g->pattern.length) {
		if (!gate_step(g))
			return false;
	}
	return true;
}

/* ---- compile ---- */

static int regex_compile(struct regex *r, struct str pattern, char *reterr_text, size_t *reterr_offset)
{
	const uint32_t options = PCRE2_ANCHORED | PCRE2_ENDANCHORED | PCRE2_MULTILINE | PCRE2_NO_AUTO_CAPTURE |
	                         PCRE2_NEVER_BACKSLASH_C | PCRE2_NEVER_UCP | PCRE2_NEVER_UTF;
	_cleanup_(base_free_ptr) char *text = strndup(pattern.data, pattern.length);
	int error;
	PCRE2_SIZE offset, size = 0;
	if (!text)
		return -ENOMEM;
	r->code = pcre2_compile((PCRE2_SPTR)text, pattern.length, options, &error, &offset, NULL);
	if (r->code)
		pcre2_pattern_info(r->code, PCRE2_INFO_SIZE, &size);
	if (size > COMPILED_BYTES_MAX) {
		snprintf(reterr_text, REGEX_ERROR_BYTES, "it needs %zu bytes compiled, the limit is %u", size,
		         COMPILED_BYTES_MAX);
		*reterr_offset = 0;
		return -EINVAL;
	}
	if (r->code)
		return 0;
	if (error == PCRE2_ERROR_HEAP_FAILED)
		return -ENOMEM;
	if (pcre2_get_error_message(error, (PCRE2_UCHAR *)reterr_text, REGEX_ERROR_BYTES) < 0)
		reterr_text[0] = '\0';
	*reterr_offset = MIN(offset, pattern.length);
	return -EINVAL;
}

static void set_limits(const struct regex *r, pcre2_match_context *context)
{
	pcre2_set_match_limit(context, r->match_limit);
	pcre2_set_depth_limit(context, r->match_limit);
	pcre2_set_heap_limit(context, HEAP_LIMIT_KIB);
}

static int regex_prepare_match(struct regex *r)
{
	/* Where the kernel forbids memory that is written and then run, the interpreter does it. */
	bool jit = pcre2_jit_compile(r->code, PCRE2_JIT_COMPLETE) == 0;
	r->match_limit = jit ? MATCH_LIMIT_JIT : MATCH_LIMIT_INTERPRETER;
	r->limits = pcre2_match_context_create(NULL);
	if (!r->limits)
		return -ENOMEM;
	set_limits(r, r->limits);
	return 0;
}

int regex_new(struct str pattern, struct regex **ret_regex, char *reterr_text, size_t *reterr_offset)
{
	struct gate g = {.pattern = pattern};
	if (!gate_passes(&g)) {
		snprintf(reterr_text, REGEX_ERROR_BYTES, "%s", g.error);
		*reterr_offset = g.at;
		return -EINVAL;
	}
	struct regex *r = calloc(1, sizeof(*r));
	if (!r)
		return -ENOMEM;
	int result = regex_compile(r, pattern, reterr_text, reterr_offset);
	if (result == 0)
		result = regex_prepare_match(r);
	if (result < 0) {
		regex_free(r);
		return result;
	}
	*ret_regex = r;
	return 0;
}

void regex_free(struct regex *r)
{
	if (!r)
		return;
	pcre2_match_context_free(r->limits);
	pcre2_code_free(r->code);
	free(r);
}

/* ---- match: all memory is the scratch arena's ---- */

static void *scratch_alloc(PCRE2_SIZE size, void *arena)
{
	return arena_alloc(arena, size);
}

static void scratch_free(void *memory, void *arena)
{
	(void)memory;
	(void)arena;
}

/* Again, with a larger stack that is made for this one match. */
static int match_large(const struct regex *r, struct str text, pcre2_match_data *match, pcre2_general_context *memory)
{
	pcre2_match_context *context = pcre2_match_context_create(memory);
	pcre2_jit_stack *stack =
	        context ? pcre2_jit_stack_create(JIT_STACK_BYTES_MIN, JIT_STACK_BYTES_MAX, memory) : NULL;
	if (!stack)
		return PCRE2_ERROR_NOMEMORY;
	set_limits(r, context);
	pcre2_jit_stack_assign(context, NULL, stack);
	int result = pcre2_match(r->code, (PCRE2_SPTR)text.data, text.length, 0, 0, match, context);
	pcre2_jit_stack_free(stack);
	return result;
}

int regex_match(const struct regex *r, struct str text, struct arena *scratch)
{
	pcre2_general_context *memory = pcre2_general_context_create(scratch_alloc, scratch_free, scratch);
	pcre2_match_data *match = memory ? pcre2_match_data_create(1, memory) : NULL;
	if (!match)
		return -ENOMEM;
	if (!text.data)
		text = STR("");
	int result = pcre2_match(r->code, (PCRE2_SPTR)text.data, text.length, 0, 0, match, r->limits);
	if (result == PCRE2_ERROR_JIT_STACKLIMIT)
		result = match_large(r, text, match, memory);
	if (result >= 0)
		return 1;
	if (result == PCRE2_ERROR_NOMEMORY)
		return -ENOMEM;
	return result == PCRE2_ERROR_NOMATCH ? 0 : -E2BIG;
}
