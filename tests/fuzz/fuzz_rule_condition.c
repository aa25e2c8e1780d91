/* SPDX-License-Identifier: Apache-2.0
 *
 * Text as a condition and as an output. A condition that compiles means the same when it is written out and read again,
 * with the cache and without it, and matches only events that its set of types holds.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "rule/condition.h"

#define ARENA_BYTES (4u << 20)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define CHECK(what) \
	do { \
		if (!(what)) { \
			fprintf(stderr, "%s does not hold\n", #what); \
			abort(); \
		} \
	} while (0)

/* ---- an event that has a value of the right type for most fields ---- */

static const struct value texts[] = {
        {.kind = VALUE_STR, .str = {"/etc/shadow", 11}},
        {.kind = VALUE_STR, .str = {"cat -n\0x \xff/", 11}},
        {.kind = VALUE_STR, .str = {"", 0}},
        {.kind = VALUE_STR, .str = {NULL, 0}},
};
static const struct value numbers[] = {{.kind = VALUE_S64, .s64 = -1},
                                       {.kind = VALUE_U64, .u64 = UINT64_MAX},
                                       {.kind = VALUE_U64, .u64 = 443},
                                       {.kind = VALUE_DOUBLE, .number = 1.5}};
static const struct value addresses[] = {{.kind = VALUE_IP, .ip = {.family = 4, .prefix = 32, .bytes = {10, 0, 0, 1}}},
                                         {.kind = VALUE_IP, .ip = {.family = 6, .prefix = 128, .bytes = {[15] = 1}}},
                                         {.kind = VALUE_IP, .ip = {.family = 4, .prefix = 32, .bytes = {127, 0, 0, 1}}},
                                         {.kind = VALUE_IP, .ip = {.family = 4, .prefix = 32}}};
static const struct value bytes[] = {{.kind = VALUE_BYTES,
                                      .str = {"\x7f"
                                              "ELF\0",
                                              5}},
                                     {.kind = VALUE_BYTES, .str = {"ab", 2}},
                                     {.kind = VALUE_BYTES},
                                     {.kind = VALUE_BYTES, .str = {"\0", 1}}};
static const struct value bools[] = {{.kind = VALUE_BOOL, .boolean = true},
                                     {.kind = VALUE_BOOL},
                                     {.kind = VALUE_BOOL, .boolean = true},
                                     {.kind = VALUE_BOOL}};

static const struct value *values_of(enum field_type type)
{
	switch (type) {
	case FIELD_STR:
	case FIELD_PATH:
		return texts;
	case FIELD_BOOL:
		return bools;
	case FIELD_IP:
	case FIELD_NET:
		return addresses;
	case FIELD_BYTES:
		return bytes;
	default:
		return numbers;
	}
}

static void source_get(const struct field_source *source, const struct field_ref *ref, struct arena *arena,
                       struct value *ret_value)
{
	(void)source;
	(void)arena;
	const struct field_info *info = field_get_info(ref->id);
	const struct value *values = values_of(field_ref_type(ref));
	unsigned choice = (unsigned)ref->id + ref->index + (unsigned)ref->key.length;
	bool many = !ref->has_index && !ref->has_key && info->flags & (FIELD_F_LIST | FIELD_F_ANY | FIELD_F_ENDS);
	*ret_value = (struct value){.kind = VALUE_NULL};
	if (ref->id == FIELD_EVT_TYPE || ref->id == FIELD_SYSCALL_TYPE)
		*ret_value = (struct value){.kind = VALUE_STR, .str = STR("openat")};
	else if (many)
		*ret_value = (struct value){.kind = VALUE_LIST, .list = {values, choice % 4}};
	else if (choice % 5)
		*ret_value = values[choice % 5 - 1];
}

static const struct field_source event = {.get = source_get};

/* ---- conditions ---- */

static char *explain(const struct cond *c)
{
	struct buf text;
	buf_init(&text, 64u << 20);
	cond_explain(c, 0, &text);
	CHECK(buf_error(&text) == 0);
	return buf_take(&text);
}

static bool evaluate(const struct filter *f)
{
	struct arena arena;
	arena_init(&arena, ARENA_BYTES);
	bool result = filter_match(f, &event, &arena);
	arena_done(&arena);
	return result;
}

static void check_cached(const struct filter *f, bool expected)
{
	struct arena arena;
	struct cond_numbers n;
	struct cond_cache cache;
	arena_init(&arena, ARENA_BYTES);
	cond_numbers_init(&n);
	CHECK(cond_number((struct cond *)filter_cond(f), &n) == 0);
	CHECK(cond_cache_init(&cache, &n, &arena) == 0);
	for (int i = 0; i < 2; i++) {
		bool result = cond_eval_cached(filter_cond(f), &event, &arena, &cache);
		CHECK(result == expected || filter_undecided(f) > 0);
	}
	cond_numbers_done(&n);
	arena_done(&arena);
}

static void check_written(const struct filter *f, struct diag_list *diags, bool expected)
{
	struct filter *again = NULL;
	char *first = explain(filter_cond(f));
	CHECK(filter_new(str_from(first), "written", diags, &again) == 0);
	char *second = explain(filter_cond(again));
	CHECK(strcmp(first, second) == 0);
	CHECK(evaluate(again) == expected || filter_undecided(again) > 0);
	filter_free(again);
	free(first);
	free(second);
}

static void print_diags(const struct diag_list *diags)
{
	struct buf text;
	buf_init(&text, 1u << 20);
	diag_list_print(diags, true, &text);
	buf_done(&text);
}

static void fuzz_condition(struct str text)
{
	struct diag_list diags;
	struct filter *f = NULL;
	diag_list_init(&diags, 20);
	int r = filter_new(text, "fuzz", &diags, &f);
	CHECK((r == 0) == (f != NULL) && (r != -EINVAL || diags.errors > 0));
	if (r == 0) {
		struct event_set set;
		bool result = evaluate(f);
		filter_events(f, &set);
		CHECK(!result || event_set_has(&set, EVENT_openat));
		/* A NUL inside a quoted string would end the text that explain() gives. */
		if (!memchr(text.data, '\0', text.length))
			check_written(f, &diags, result);
		check_cached(f, result);
		filter_free(f);
	}
	print_diags(&diags);
	diag_list_done(&diags);
}

/* ---- outputs ---- */

static void write_format(const struct format *f)
{
	struct arena arena;
	struct buf out;
	arena_init(&arena, ARENA_BYTES);
	buf_init(&out, 1u << 20);
	format_write(f, &event, &arena, &out);
	for (size_t i = 0; i < format_field_count(f); i++) {
		struct value v;
		format_field_get(f, i, &event, &arena, &v);
		value_add_text(&v, format_field_print(f, i), &out);
		buf_add_str(&out, format_field_name(f, i));
	}
	buf_done(&out);
	arena_done(&arena);
}

static void fuzz_format(struct str text)
{
	struct diag_list diags;
	struct format *f = NULL;
	diag_list_init(&diags, 20);
	int r = format_new(text, "fuzz", &diags, &f);
	CHECK((r == 0) == (f != NULL) && (r != -EINVAL || diags.errors > 0));
	if (r == 0)
		write_format(f);
	format_free(f);
	print_diags(&diags);
	diag_list_done(&diags);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct str text = str_make((const char *)data, size);
	fuzz_condition(text);
	fuzz_format(text);
	return 0;
}
