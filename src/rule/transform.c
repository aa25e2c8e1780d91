/* SPDX-License-Identifier: Apache-2.0
 *
 * The transformers: functions of fields.
 */
#include "rule/condition_int.h"

#include <stdio.h>

/* ---- what they take ---- */

static bool fail_arg(struct check *c, const struct expr *e, size_t i, const char *wanted)
{
	const struct expr *arg = e->args[i];
	struct buf text;
	buf_init(&text, 4096);
	expr_write(arg, &text);
	check_fail(c, arg->at, STR_FMT "() takes %s, but %s is %s", STR_ARG(e->name), wanted,
	           buf_error(&text) == 0 && text.data ? text.data : "this", expr_type_name(arg));
	buf_done(&text);
	return false;
}

/* Scalar functions of text: of a list, each value. */
static bool check_text(struct check *c, struct expr *e)
{
	if (e->args[0]->kind == EXPR_LIST || type_class(e->args[0]->type) != CLASS_TEXT)
		return fail_arg(c, e, 0, "text");
	e->type = FIELD_STR;
	e->many = e->args[0]->many;
	return true;
}

static bool check_b64(struct check *c, struct expr *e)
{
	enum value_class class = type_class(e->args[0]->type);
	if (e->args[0]->kind == EXPR_LIST || (class != CLASS_TEXT && class != CLASS_BYTES))
		return fail_arg(c, e, 0, "text or bytes");
	e->type = class == CLASS_BYTES ? FIELD_BYTES : FIELD_STR;
	e->many = e->args[0]->many;
	return true;
}

/* A list is asked for as one, also by an output. */
static void want_list(struct expr *arg)
{
	if (arg->kind == EXPR_FIELD && arg->many != MANY_ONE)
		arg->ref.output = false;
}

static bool check_len(struct check *c, struct expr *e)
{
	struct expr *arg = e->args[0];
	enum value_class class = type_class(arg->type);
	want_list(arg);
	if (arg->many == MANY_ONE && class != CLASS_TEXT && class != CLASS_BYTES)
		return fail_arg(c, e, 0, "text, bytes or a list");
	e->type = FIELD_U64;
	e->many = MANY_ONE;
	return true;
}

static bool check_join(struct check *c, struct expr *e)
{
	if (e->args[0]->many != MANY_ONE || type_class(e->args[0]->type) != CLASS_TEXT)
		return fail_arg(c, e, 0, "text that stands between the values as its first argument");
	if (e->args[1]->many == MANY_ONE)
		return fail_arg(c, e, 1, "a list as its second argument");
	want_list(e->args[1]);
	e->type = FIELD_STR;
	e->many = MANY_ONE;
	return true;
}

static bool check_concat(struct check *c, struct expr *e)
{
	for (size_t i = 0; i < e->arg_count; i++) {
		if (e->args[i]->many != MANY_ONE)
			return fail_arg(c, e, i, "single values");
	}
	e->type = FIELD_STR;
	e->many = MANY_ONE;
	return true;
}

/* The place of an option's letter in "ab:c"; -1: it has none. */
static ssize_t option_find(struct str options, char letter)
{
	return letter == ':' ? -1 : str_find_char(options, letter);
}

static bool check_getopt(struct check *c, struct expr *e)
{
	const struct expr *args = e->args[0], *options = e->args[1];
	if (type_class(args->type) != CLASS_TEXT)
		return fail_arg(c, e, 0, "arguments of a program");
	if (options->kind != EXPR_TEXT)
		return fail_arg(c, e, 1, "a quoted string of option letters as its second argument");
	bool one_letter = e->arg.length == 1 && option_find(options->name, e->arg.data[0]) >= 0;
	if (e->has_arg && !one_letter) {
		check_fail(c, e->arg_at, "'" STR_FMT "' is none of the options \"" STR_FMT "\"", STR_ARG(e->arg),
		           STR_ARG(options->name));
		return false;
	}
	want_list(e->args[0]);
	e->type = FIELD_STR;
	e->many = e->has_arg ? MANY_ONE : MANY_LIST;
	return true;
}

/* ---- what they do ---- */

static void give_text(struct value *ret_value, enum value_kind kind, struct str text, struct eval *eval)
{
	if (!text.data) {
		eval->undecided = true;
		return;
	}
	*ret_value = (struct value){.kind = kind, .str = text};
}

static void apply_case(const struct value *v, struct eval *eval, char first, char last, struct value *ret_value)
{
	if (!value_is_text(v))
		return;
	struct str text = arena_str(eval->arena, v->str);
	char *data = (char *)text.data;
	for (size_t i = 0; data && i < text.length; i++) {
		if (data[i] >= first && data[i] <= last)
			data[i] ^= 'a' ^ 'A';
	}
	give_text(ret_value, v->kind, text, eval);
}

static void apply_tolower(const struct expr *e, const struct value *args, struct eval *eval, struct value *ret_value)
{
	(void)e;
	apply_case(&args[0], eval, 'A', 'Z', ret_value);
}

static void apply_toupper(const struct expr *e, const struct value *args, struct eval *eval, struct value *ret_value)
{
	(void)e;
	apply_case(&args[0], eval, 'a', 'z', ret_value);
}

static int base64_digit(char c)
{
	if (c >= 'A' && c <= 'Z')
		return c - 'A';
	if (c >= 'a' && c <= 'z')
		return c - 'a' + 26;
	if (c >= '0' && c <= '9')
		return c - '0' + 52;
	return c == '+' ? 62 : c == '/' ? 63 : -1;
}

/* text without padding. to: room for text.length bytes. Returns the bytes, or -1. */
static ssize_t base64_decode(struct str text, char *to)
{
	uint32_t bits = 0;
	unsigned held = 0;
	ssize_t length = 0;
	for (size_t i = 0; i < text.length; i++) {
		int digit = base64_digit(text.data[i]);
		if (digit < 0)
			return -1;
		bits = bits << 6 | (uint32_t)digit;
		held += 6;
		if (held >= 8) {
			held -= 8;
			to[length++] = (char)(bits >> held);
		}
	}
	return text.length % 4 == 1 ? -1 : length;
}

static void apply_b64(const struct expr *e, const struct value *args, struct eval *eval, struct value *ret_value)
{
	(void)e;
	if (!value_is_text(&args[0]))
		return;
	struct str text = args[0].str;
	for (unsigned padding = 0; padding < 2 && text.length && text.data[text.length - 1] == '='; padding++)
		text.length--;
	char *to = arena_alloc(eval->arena, text.length + 1);
	ssize_t length = to ? base64_decode(text, to) : 0;
	if (length >= 0)
		give_text(ret_value, args[0].kind, str_make(to, (size_t)length), eval);
}

static void apply_basename(const struct expr *e, const struct value *args, struct eval *eval, struct value *ret_value)
{
	(void)e;
	(void)eval;
	if (!value_is_text(&args[0]) || args[0].str.length == 0) {
		*ret_value = args[0];
		return;
	}
	struct str path = args[0].str;
	const char *slash = memrchr(path.data, '/', path.length);
	size_t skipped = slash ? (size_t)(slash - path.data) + 1 : 0;
	*ret_value = args[0];
	ret_value->str = str_make(path.data + skipped, path.length - skipped);
}

static void apply_len(const struct expr *e, const struct value *args, struct eval *eval, struct value *ret_value)
{
	(void)e;
	(void)eval;
	const struct value *v = &args[0];
	if (v->kind == VALUE_LIST)
		*ret_value = (struct value){.kind = VALUE_U64, .u64 = v->list.count};
	else if (value_is_text(v))
		*ret_value = (struct value){.kind = VALUE_U64, .u64 = v->str.length};
}

/* data NULL: no memory. */
static struct str value_to_text(const struct value *v, struct arena *arena)
{
	if (value_is_text(v))
		return v->str.data ? v->str : STR("");
	if (v->kind == VALUE_S64)
		return arena_printf(arena, "%lld", (long long)v->s64);
	if (v->kind == VALUE_U64)
		return arena_printf(arena, "%llu", (unsigned long long)v->u64);
	_cleanup_(buf_done) struct buf text;
	buf_init(&text, 1 << 20);
	value_add_text(v, PRINT_PLAIN, &text);
	return buf_error(&text) == 0 ? arena_str(arena, buf_str(&text)) : str_make(NULL, 0);
}

static void join_values(struct str separator, const struct value *values, size_t count, struct eval *eval,
                        struct value *ret_value)
{
	struct str *texts = arena_array(eval->arena, struct str, count);
	size_t length = count ? separator.length * (count - 1) : 0;
	for (size_t i = 0; texts && i < count; i++) {
		texts[i] = value_to_text(&values[i], eval->arena);
		if (!texts[i].data)
			texts = NULL;
		else
			length += texts[i].length;
	}
	char *data = texts ? arena_alloc(eval->arena, length + 1) : NULL;
	char *to = data;
	for (size_t i = 0; data && i < count; i++) {
		if (i > 0 && separator.length)
			to = mempcpy(to, separator.data, separator.length);
		to = mempcpy(to, texts[i].data, texts[i].length);
	}
	give_text(ret_value, VALUE_STR, str_make(data, length), eval);
}

static void apply_join(const struct expr *e, const struct value *args, struct eval *eval, struct value *ret_value)
{
	(void)e;
	if (!value_is_text(&args[0]))
		return;
	bool list = args[1].kind == VALUE_LIST;
	join_values(args[0].str, list ? args[1].list.items : &args[1], list ? args[1].list.count : 1, eval, ret_value);
}

static void apply_concat(const struct expr *e, const struct value *args, struct eval *eval, struct value *ret_value)
{
	join_values(STR(""), args, e->arg_count, eval, ret_value);
}

/* ---- getopt: options of a command line, wherever they stand before "--" ---- */

struct options {
	struct str known; /* "ab:c" */
	char wanted;      /* NUL: all */
	bool found;
	struct str value; /* of the wanted one */
	struct value *letters;
	size_t count, room;
};

static void option_note(struct options *o, const char *letter, struct str value)
{
	if (o->wanted == *letter && !o->found) {
		o->found = true;
		o->value = value;
	}
	if (o->count < o->room)
		o->letters[o->count++] = (struct value){.kind = VALUE_STR, .str = str_make(letter, 1)};
}

/* One word "-abVALUE", next: the word behind it, or NULL. Returns how many words were taken. */
static size_t options_take_word(struct options *o, struct str word, const struct str *next)
{
	for (size_t i = 1; i < word.length; i++) {
		ssize_t at = option_find(o->known, word.data[i]);
		bool takes_value = at >= 0 && (size_t)at + 1 < o->known.length && o->known.data[at + 1] == ':';
		struct str rest = str_make(word.data + i + 1, word.length - i - 1);
		bool value_follows = takes_value && rest.length == 0 && next;
		if (at >= 0)
			option_note(o, &word.data[i], value_follows ? *next : takes_value ? rest : STR(""));
		if (takes_value)
			return value_follows ? 2 : 1;
	}
	return 1;
}

static void options_take(struct options *o, const struct str *words, size_t count)
{
	for (size_t i = 0; i < count;) {
		if (str_equals(words[i], "--"))
			break;
		bool is_option = words[i].length > 1 && words[i].data[0] == '-' && words[i].data[1] != '-';
		i += is_option ? options_take_word(o, words[i], i + 1 < count ? &words[i + 1] : NULL) : 1;
	}
}

/* A command line's words: those of a list, or text split at blanks. Returns NULL without memory. */
static struct str *words_of(const struct value *v, struct arena *arena, size_t *ret_count)
{
	bool list = v->kind == VALUE_LIST;
	size_t room = list ? v->list.count : v->str.length / 2 + 1, count = 0;
	struct str *words = arena_array(arena, struct str, room);
	if (!words)
		return NULL;
	for (size_t i = 0; list && i < v->list.count; i++) {
		if (value_is_text(&v->list.items[i]))
			words[count++] = v->list.items[i].str;
	}
	struct str rest = list ? str_make(NULL, 0) : v->str, word;
	while (!list && str_next(&rest, ' ', &word)) {
		if (word.length)
			words[count++] = word;
	}
	*ret_count = count;
	return words;
}

static void apply_getopt(const struct expr *e, const struct value *args, struct eval *eval, struct value *ret_value)
{
	size_t count = 0, letters = 0;
	if (args[0].kind != VALUE_LIST && !value_is_text(&args[0]))
		return;
	struct str *words = words_of(&args[0], eval->arena, &count);
	for (size_t i = 0; words && i < count; i++)
		letters += words[i].length;
	struct options o = {.known = args[1].str, .wanted = e->has_arg ? e->arg.data[0] : '\0', .room = letters};
	o.letters = words ? arena_array(eval->arena, struct value, letters) : NULL;
	if (!o.letters) {
		eval->undecided = true;
		return;
	}
	options_take(&o, words, count);
	if (!e->has_arg)
		*ret_value = (struct value){.kind = VALUE_LIST, .list = {o.letters, o.count}};
	else if (o.found)
		*ret_value = (struct value){.kind = VALUE_STR, .str = o.value};
}

/* ---- the table ---- */

#define ARGS_MAX 64
static const struct transform transforms[] = {
        {"tolower", 1, 1, .each = true, .check = check_text, .apply = apply_tolower},
        {"toupper", 1, 1, .each = true, .check = check_text, .apply = apply_toupper},
        {"b64", 1, 1, .each = true, .check = check_b64, .apply = apply_b64},
        {"basename", 1, 1, .each = true, .check = check_text, .apply = apply_basename},
        {"len", 1, 1, .check = check_len, .apply = apply_len},
        {"join", 2, 2, .check = check_join, .apply = apply_join},
        {"concat", 1, ARGS_MAX, .check = check_concat, .apply = apply_concat},
        {"getopt", 2, 2, .takes_arg = true, .check = check_getopt, .apply = apply_getopt},
};

const struct transform *transform_find(struct str name)
{
	for (size_t i = 0; i < ARRAY_SIZE(transforms); i++) {
		if (str_equals(name, transforms[i].name))
			return &transforms[i];
	}
	return NULL;
}

void transform_names_write(struct buf *out)
{
	for (size_t i = 0; i < ARRAY_SIZE(transforms); i++)
		buf_printf(out, "%s%s", i ? " " : "", transforms[i].name);
}
