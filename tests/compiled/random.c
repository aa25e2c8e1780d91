/* SPDX-License-Identifier: Apache-2.0 */
#include "random.h"

#include <stdio.h>
#include <stdlib.h>

#include "event/event.h"

#define SET_BYTES_MAX (8u << 20)

uint64_t rng_next(struct rng *r)
{
	/* xorshift64* */
	r->state ^= r->state >> 12;
	r->state ^= r->state << 25;
	r->state ^= r->state >> 27;
	return r->state * 0x2545f4914f6cdd1dull;
}

unsigned rng_below(struct rng *r, unsigned limit)
{
	return (unsigned)((rng_next(r) >> 33) % limit);
}

/* ---- texts ---- */

/* Alike enough that they are prefixes, suffixes and parts of each other; ends, cases, bytes and lengths that matter. */
static const char *const texts[] = {
        "",
        "a",
        "b",
        "ab",
        "ba",
        "abc",
        "aba",
        "A",
        "/",
        "/etc",
        "/etc/",
        "/etc/ssh",
        "/etc/shadow",
        "/etc/sudoers",
        "/etc/pam.d/x",
        "etc",
        "/root/.ssh",
        "/root/.ssh/id_rsa",
        "/usr/bin/",
        "/usr/bin/python3",
        "sh",
        "bash",
        "SH",
        "Bash",
        "nginx",
        "01234567",
        "012345678",
        "0123456",
        "0123456701234567",
        "é",
        "日本",
        "a b",
        "<NA>",
        "-",
        "..",
        "../..",
        "/tmp/x.so",
        ".so",
        "x",
        "aaaaaaaaaaaaaaaa",
        "aaaaaaaaaaaaaaaab",
};

void random_long_text(struct rng *r, size_t length_max, struct buf *out)
{
	unsigned length = rng_below(r, (unsigned)length_max);
	while (length--)
		buf_add_char(out, "ab/."[rng_below(r, 4)]);
}

/* One of a few paths, often as it may be asked for: with components that are empty or mean nothing, or with one more. */
static void random_path(struct rng *r, struct buf *out)
{
	static const char *const paths[] = {"/etc",       "/etc/ssh",  "/etc/a",         "/a/b",
	                                    "/usr/etc/a", "/日本/b c", "/etc/ssh/shadow"};
	static const char *const slashes[] = {"//", "//", "/./", "/../", "///"};
	static const char *const ends[] = {"/", "//", "/.", "/..", "//a", "/a", ".", "a"};
	const char *path = paths[rng_below(r, ARRAY_SIZE(paths))];
	unsigned changed = rng_below(r, 6); /* of its slashes; there may be fewer */
	for (; *path; path++) {
		if (*path == '/' && changed-- == 0)
			buf_add_text(out, slashes[rng_below(r, ARRAY_SIZE(slashes))]);
		else
			buf_add_char(out, *path);
	}
	if (rng_below(r, 3) == 0)
		buf_add_text(out, ends[rng_below(r, ARRAY_SIZE(ends))]);
}

/* Around the most that a pattern may have, and what the kernel's half looks at; few different ones, so that they meet. */
static void random_full_text(struct rng *r, struct buf *out)
{
	unsigned length = 255 + rng_below(r, 3);
	char fill = "al"[rng_below(r, 2)];
	buf_add_char(out, "/a"[rng_below(r, 2)]);
	for (unsigned i = 2; i < length; i++)
		buf_add_char(out, fill);
	buf_add_char(out, "a/b"[rng_below(r, 3)]);
}

static void random_whole_text(struct rng *r, struct buf *out)
{
	unsigned kind = rng_below(r, 24), parts = 1 + (rng_below(r, 3) == 0);
	if (r->taste && rng_below(r, 4) == 0) {
		buf_add_text(out, r->taste->texts[rng_below(r, (unsigned)r->taste->text_count)]);
		return;
	}
	if (kind == 0) {
		random_full_text(r, out);
		return;
	}
	if (kind < 5) {
		random_path(r, out);
		return;
	}
	for (unsigned i = 0; i < parts; i++)
		buf_add_text(out, texts[rng_below(r, ARRAY_SIZE(texts))]);
}

/* Now and then the last part of a path, as fd.filename has it. */
void random_text(struct rng *r, struct buf *out)
{
	if (rng_below(r, 8)) {
		random_whole_text(r, out);
		return;
	}
	_cleanup_(buf_done) struct buf path;
	buf_init(&path, 1 << 16);
	random_whole_text(r, &path);
	size_t begin = path.length;
	while (begin > 0 && path.data[begin - 1] != '/')
		begin--;
	buf_add_str(out, str_make(path.data + begin, path.length - begin));
}

static void random_bytes(struct rng *r, struct buf *out)
{
	switch (rng_below(r, 12)) {
	case 0:
		random_long_text(r, rng_below(r, 4) ? 300 : 40000, out);
		break;
	case 1: /* NUL and what is not UTF-8 */
		random_text(r, out);
		buf_add_char(out, "\0\xff\n"[rng_below(r, 3)]);
		random_text(r, out);
		break;
	default:
		random_text(r, out);
	}
}

static void add_literal(struct rng *r, void (*make)(struct rng *r, struct buf *out), struct buf *out)
{
	struct buf text;
	buf_init(&text, 1 << 16);
	make(r, &text);
	buf_add_char(out, '"');
	buf_add_str(out, buf_str(&text));
	buf_add_char(out, '"');
	buf_done(&text);
}

/* ---- conditions ---- */

static const int64_t numbers[] = {
        0, 0, 1, 1, -1, -1, 2, 3, 7, 22, 80, 443, 1000, 65535, 2147483647, -2147483648ll, 4294967296ll, INT64_MAX};

static void add_number(struct rng *r, enum field_type type, struct buf *out)
{
	int64_t number = numbers[rng_below(r, ARRAY_SIZE(numbers))];
	if (type == FIELD_PORT)
		number &= 65535;
	else if (type != FIELD_S64 && number < 0)
		number = INT64_MAX;
	if (type == FIELD_U64 && rng_below(r, 30) == 0)
		buf_add_text(out, "18446744073709551615");
	else if (type == FIELD_DOUBLE && rng_below(r, 2) == 0)
		buf_add_text(out, "1.5");
	else
		buf_printf(out, "%lld", (long long)number);
}

static void add_address(struct rng *r, struct buf *out)
{
	static const char *const addresses[] = {"10.0.0.1",  "10.0.0.0/8",  "127.0.0.1", "::1",
	                                        "fe80::/10", "192.168.1.7", "0.0.0.0/0"};
	buf_add_text(out, addresses[rng_below(r, ARRAY_SIZE(addresses))]);
}

static void add_value(struct rng *r, enum field_type type, struct buf *out)
{
	switch (type) {
	case FIELD_S64:
	case FIELD_U64:
	case FIELD_TIME:
	case FIELD_DOUBLE:
	case FIELD_PORT:
		add_number(r, type, out);
		break;
	case FIELD_BOOL:
		buf_add_text(out, rng_below(r, 2) ? "true" : "false");
		break;
	case FIELD_IP:
	case FIELD_NET:
		add_address(r, out);
		break;
	default:
		add_literal(r, random_text, out);
	}
}

static void add_list(struct rng *r, enum field_type type, struct buf *out)
{
	unsigned count = 1 + rng_below(r, rng_below(r, 8) ? 4 : 40);
	buf_add_char(out, '(');
	for (unsigned i = 0; i < count; i++) {
		buf_add_text(out, i ? ", " : "");
		add_value(r, type, out);
	}
	buf_add_char(out, ')');
}

/* For pmatch. */
static void add_paths(struct rng *r, struct buf *out)
{
	unsigned count = 1 + rng_below(r, 4);
	buf_add_char(out, '(');
	for (unsigned i = 0; i < count; i++) {
		buf_add_text(out, i ? ", " : "");
		add_literal(r, rng_below(r, 4) ? random_path : random_text, out);
	}
	buf_add_char(out, ')');
}

static bool is_text(enum field_type type)
{
	return type == FIELD_STR || type == FIELD_PATH;
}

static void add_operator(struct rng *r, enum field_type type, struct buf *out)
{
	static const char *const for_text[] = {"=", "!=", "contains", "icontains", "startswith", "endswith"};
	static const char *const for_patterns[] = {"glob", "iglob", "regex"};
	static const char *const for_numbers[] = {"=", "!=", "<", "<=", ">", ">="};
	static const char *const for_others[] = {"=", "!="};
	static const char *const for_lists[] = {"in", "intersects", "in"};
	static const char *const modifiers[] = {"oneof", "anyof", "allof"};
	static const char *const patterns[] = {"*",     "/etc/*",           "a*",      "*b?",
	                                       "[ab]*", "/usr/bin/python?", "/etc/*w", "/*c"};
	bool number = type == FIELD_S64 || type == FIELD_U64 || type == FIELD_TIME || type == FIELD_DOUBLE ||
	              type == FIELD_PORT;
	unsigned kind = rng_below(r, 12);
	if (kind == 0) {
		buf_add_text(out, " exists");
	} else if (is_text(type) && kind == 1) {
		buf_add_text(out, " pmatch ");
		add_paths(r, out);
	} else if (kind < 4) {
		const char *op = for_lists[rng_below(r, ARRAY_SIZE(for_lists))];
		buf_printf(out, " %s ", op);
		add_list(r, type, out);
	} else if (is_text(type) && kind == 4) {
		buf_printf(out, " %s \"%s\"", for_patterns[rng_below(r, 2)],
		           patterns[rng_below(r, ARRAY_SIZE(patterns))]);
	} else if (is_text(type) && kind == 5) {
		buf_printf(out, " %s %s ", for_text[rng_below(r, 6)], modifiers[rng_below(r, 3)]);
		add_list(r, type, out);
	} else if (is_text(type) && kind == 6) {
		buf_add_text(out, " regex \"[a-z/]*(sh|etc).*\"");
	} else {
		const char *op = is_text(type) ? for_text[rng_below(r, ARRAY_SIZE(for_text))]
		                 : number      ? for_numbers[rng_below(r, ARRAY_SIZE(for_numbers))]
		                               : for_others[rng_below(r, 2)];
		buf_printf(out, " %s ", op);
		add_value(r, type, out);
	}
}

/* Some fields come often, so that their tests are shared and many. */
static enum field_id random_field(struct rng *r)
{
	static const enum field_id often[] = {
	        FIELD_FD_NAME,     FIELD_PROC_NAME, FIELD_PROC_CMDLINE, FIELD_PROC_ANAME,   FIELD_EVT_RAWRES,
	        FIELD_FD_SPORT,    FIELD_FD_NAME,   FIELD_USER_UID,     FIELD_FD_DIRECTORY, FIELD_CONTAINER_ID,
	        FIELD_FD_TYPECHAR, FIELD_FD_NUM,    FIELD_FD_FILENAME};
	if (r->taste && rng_below(r, 16))
		return r->taste->fields[rng_below(r, (unsigned)r->taste->field_count)];
	return rng_below(r, 4) ? often[rng_below(r, ARRAY_SIZE(often))] : (enum field_id)rng_below(r, FIELD_COUNT);
}

static void add_field(struct rng *r, const struct field_info *info, struct buf *out)
{
	buf_add_text(out, info->name);
	switch (info->arg) {
	case FIELD_ARG_NAME:
		buf_add_text(out, rng_below(r, 2) ? ".name" : ".flags");
		break;
	case FIELD_ARG_NEED:
		buf_add_text(out, "[x]");
		break;
	case FIELD_ARG_INDEX:
	case FIELD_ARG_EITHER:
		if (rng_below(r, 2))
			buf_printf(out, "[%u]", rng_below(r, 4));
		break;
	case FIELD_ARG_KEY:
		if (rng_below(r, 2))
			buf_add_text(out, "[a]");
		break;
	case FIELD_ARG_NO:
		break;
	}
}

static void add_test(struct rng *r, struct buf *out)
{
	static const char *const transforms[] = {"tolower", "toupper", "basename", "b64"};
	static const char *const mixture[] = {"open", "openat", "connect", "execve"};
	if (rng_below(r, 8) == 0) {
		const char *const *types = r->taste ? r->taste->types : mixture;
		size_t count = r->taste ? r->taste->type_count : ARRAY_SIZE(mixture);
		buf_printf(out, "evt.type %s %s", rng_below(r, 4) ? "=" : "!=", types[rng_below(r, (unsigned)count)]);
		return;
	}
	const struct field_info *info = field_get_info(random_field(r));
	bool plain =
	        !(info->flags & (FIELD_F_LIST | FIELD_F_ENDS | FIELD_F_ANY | FIELD_F_FILTER)) && is_text(info->type);
	if (plain && rng_below(r, 12) == 0) {
		buf_printf(out, "%s(", transforms[rng_below(r, ARRAY_SIZE(transforms))]);
		add_field(r, info, out);
		buf_add_char(out, ')');
		add_operator(r, FIELD_STR, out);
	} else if (plain && rng_below(r, 20) == 0) {
		buf_add_text(out, "len(");
		add_field(r, info, out);
		buf_add_char(out, ')');
		add_operator(r, FIELD_U64, out);
	} else if (plain && rng_below(r, 20) == 0) {
		add_field(r, info, out);
		buf_add_text(out, rng_below(r, 2) ? " = val(proc.name)" : " startswith val(fd.name)");
	} else {
		add_field(r, info, out);
		add_operator(r, info->type, out);
	}
}

void random_condition(struct rng *r, unsigned depth, struct buf *out)
{
	unsigned kind = depth ? rng_below(r, 10) : 9, count = 2 + rng_below(r, 3);
	if (kind < 7) {
		const char *word = rng_below(r, 2) ? " and " : " or ";
		buf_add_char(out, '(');
		for (unsigned i = 0; i < count; i++) {
			buf_add_text(out, i ? word : "");
			random_condition(r, depth - 1, out);
		}
		buf_add_char(out, ')');
	} else if (kind == 7) {
		buf_add_text(out, "not (");
		random_condition(r, depth - 1, out);
		buf_add_char(out, ')');
	} else {
		bool negated = r->taste && rng_below(r, 3) == 0;
		buf_add_text(out, negated ? "not (" : "");
		add_test(r, out);
		buf_add_text(out, negated ? ")" : "");
	}
}

/* ---- rules ---- */

static bool is_condition(struct str text)
{
	struct filter *filter = NULL;
	struct diag_list diags;
	diag_list_init(&diags, 1);
	bool good = filter_new(text, "random", &diags, &filter) == 0;
	if (filter)
		filter_free(filter);
	diag_list_done(&diags);
	return good;
}

static void add_rule(struct rule_set *set, unsigned number, struct str condition)
{
	struct diag_list diags;
	struct buf text;
	diag_list_init(&diags, 1);
	buf_init(&text, SET_BYTES_MAX);
	buf_printf(&text, "- rule: r%u\n  desc: d\n  output: o\n  priority: INFO\n  condition: >\n    ", number);
	buf_add_str(&text, condition);
	buf_add_char(&text, '\n');
	if (rule_set_add_text(set, "random", buf_str(&text), &diags) < 0)
		abort();
	buf_done(&text);
	diag_list_done(&diags);
}

unsigned random_rules(struct rng *r, unsigned count, struct rule_set *set)
{
	unsigned made = 0;
	for (unsigned i = 0; i < count; i++) {
		struct buf condition;
		buf_init(&condition, SET_BYTES_MAX);
		if (r->taste && rng_below(r, 4)) { /* so that something is decided by what is often asked for */
			add_test(r, &condition);
			buf_add_text(&condition, " and ");
		}
		random_condition(r, rng_below(r, 5), &condition);
		if (is_condition(buf_str(&condition))) {
			add_rule(set, i, buf_str(&condition));
			made++;
		}
		buf_done(&condition);
	}
	return made;
}

/* ---- events ---- */

static struct str answer_text(struct rng *r, struct arena *arena)
{
	struct buf text;
	buf_init(&text, 1 << 17);
	random_bytes(r, &text);
	struct str copy = arena_str(arena, text.length ? buf_str(&text) : STR(""));
	buf_done(&text);
	return copy;
}

static void answer(struct rng *r, enum field_type type, struct arena *arena, struct value *v)
{
	struct buf text;
	*v = (struct value){0};
	switch (type) {
	case FIELD_S64:
		v->kind = VALUE_S64;
		v->s64 = rng_below(r, 8) ? numbers[rng_below(r, ARRAY_SIZE(numbers))] : (int64_t)rng_next(r);
		break;
	case FIELD_U64:
	case FIELD_TIME:
	case FIELD_PORT:
		v->kind = VALUE_U64;
		v->u64 = rng_below(r, 8) ? (uint64_t)numbers[rng_below(r, ARRAY_SIZE(numbers))] : rng_next(r);
		break;
	case FIELD_DOUBLE:
		v->kind = VALUE_DOUBLE;
		v->number = rng_below(r, 2) ? 1.5 : 1;
		break;
	case FIELD_BOOL:
		v->kind = VALUE_BOOL;
		v->boolean = rng_below(r, 2);
		break;
	case FIELD_IP:
	case FIELD_NET:
		buf_init(&text, 64);
		add_address(r, &text);
		v->kind = ip_parse(buf_str(&text), &v->ip) == 0 ? VALUE_IP : VALUE_NULL;
		buf_done(&text);
		break;
	case FIELD_BYTES:
	case FIELD_STR:
	case FIELD_PATH:
		v->kind = type == FIELD_BYTES ? VALUE_BYTES : VALUE_STR;
		v->str = answer_text(r, arena);
		v->truncated = rng_below(r, 20) == 0;
		break;
	}
}

static void get(const struct field_source *source, const struct field_ref *ref, struct arena *arena,
                struct value *ret_value);

/* fd.directory and fd.filename: as of a real event, they are where the name begins and ends, or there are none. */
static void get_part(const struct field_source *source, bool directory, struct rng *r, struct arena *arena,
                     struct value *ret_value)
{
	const struct field_ref name = {.id = FIELD_FD_NAME};
	if (rng_below(r, 6) == 0)
		return;
	get(source, &name, arena, ret_value);
	struct str *text = &ret_value->str;
	if (ret_value->kind != VALUE_STR || (directory && rng_below(r, 4) == 0))
		return;
	size_t end = text->length;
	while (end > 0 && text->data[end - 1] != '/')
		end--;
	if (directory)
		*text = end > 1 ? str_make(text->data, end - 1) : STR("/");
	else
		*text = end > 0 ? str_make(text->data + end, text->length - end) : STR("/");
}

static void get(const struct field_source *source, const struct field_ref *ref, struct arena *arena,
                struct value *ret_value)
{
	const struct random_source *s = (const struct random_source *)(const void *)source;
	const struct field_info *info = field_get_info(ref->id);
	struct rng r = {.state = info->scope == FIELD_SCOPE_PROC ? s->process : s->event};
	*ret_value = (struct value){.kind = VALUE_NULL};
	r.state += (uint64_t)ref->id * 0x9e3779b97f4a7c15ull + ref->index + ref->has_index * 77u +
	           ref->key.length * 1001u + 1;
	rng_next(&r);
	if (ref->id == FIELD_FD_DIRECTORY || ref->id == FIELD_FD_FILENAME) {
		get_part(source, ref->id == FIELD_FD_DIRECTORY, &r, arena, ret_value);
		return;
	}
	if (ref->id == FIELD_EVT_TYPE) {
		ret_value->kind = VALUE_STR;
		ret_value->str = str_from(s->type);
		return;
	}
	if (ref->id == FIELD_EVT_NUM) { /* events are counted from 1 */
		*ret_value = (struct value){.kind = VALUE_U64, .u64 = 1 + rng_below(&r, 100)};
		return;
	}
	if ((info->flags & FIELD_F_NULLED) || rng_below(&r, 6) == 0)
		return;
	bool list = (info->flags & (FIELD_F_LIST | FIELD_F_ENDS)) ||
	            ((info->flags & FIELD_F_ANY) && !ref->has_index && !ref->has_key);
	if (!list) {
		answer(&r, field_ref_type(ref), arena, ret_value);
		return;
	}
	size_t count = info->flags & FIELD_F_ENDS ? 2 : 1 + rng_below(&r, 4);
	struct value *items = arena_array(arena, struct value, count);
	for (size_t i = 0; items && i < count; i++)
		answer(&r, field_ref_type(ref), arena, &items[i]);
	if (!items)
		return;
	ret_value->kind = VALUE_LIST;
	ret_value->list.items = items;
	ret_value->list.count = count;
}

void random_source_init(struct random_source *s, const char *type)
{
	*s = (struct random_source){.source = {.get = get}, .type = type};
}
