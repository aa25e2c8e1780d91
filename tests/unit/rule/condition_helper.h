/* SPDX-License-Identifier: Apache-2.0
 *
 * For the tests of conditions and outputs: an event that is a table of values.
 */
#ifndef TEST_CONDITION_HELPER_H
#define TEST_CONDITION_HELPER_H

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "rule/condition.h"

#define V_STR(text) \
	{ \
		.kind = VALUE_STR, .str = { "" text, sizeof(text) - 1 } \
	}
#define V_BYTES(text) \
	{ \
		.kind = VALUE_BYTES, .str = { "" text, sizeof(text) - 1 } \
	}
#define V_S64(n) \
	{ \
		.kind = VALUE_S64, .s64 = (n) \
	}
#define V_U64(n) \
	{ \
		.kind = VALUE_U64, .u64 = (n) \
	}
#define V_BOOL(b) \
	{ \
		.kind = VALUE_BOOL, .boolean = (b) \
	}
#define V_DOUBLE(n) \
	{ \
		.kind = VALUE_DOUBLE, .number = (n) \
	}
#define V_IP4(a, b, c, d) \
	{ \
		.kind = VALUE_IP, .ip = {.family = 4, .prefix = 32, .bytes = {a, b, c, d} } \
	}
#define V_LIST(array) \
	{ \
		.kind = VALUE_LIST, .list = { array, ARRAY_SIZE(array) } \
	}
#define V_EMPTY_LIST \
	{ \
		.kind = VALUE_LIST \
	}

/* field: as written in a condition: "proc.aname[2]". What has no row has no value. */
struct table_row {
	const char *field;
	struct value value;
};
struct table_source {
	struct field_source source;
	const struct table_row *rows;
	size_t count;
	size_t *asked; /* how often; or NULL */
};

static inline bool row_is(const struct table_row *row, const struct field_ref *ref)
{
	char text[128];
	const char *name = field_get_info(ref->id)->name;
	bool dotted = ref->has_key && field_get_info(ref->id)->arg == FIELD_ARG_NAME;
	if (ref->has_index)
		snprintf(text, sizeof(text), "%s[%u]", name, ref->index);
	else if (ref->has_key)
		snprintf(text, sizeof(text), dotted ? "%s." STR_FMT : "%s[" STR_FMT "]", name, STR_ARG(ref->key));
	else
		snprintf(text, sizeof(text), "%s", name);
	return strcmp(text, row->field) == 0;
}

static inline void table_get(const struct field_source *source, const struct field_ref *ref, struct arena *arena,
                             struct value *ret_value)
{
	const struct table_source *t = (const struct table_source *)source;
	(void)arena;
	if (t->asked)
		++*t->asked;
	*ret_value = (struct value){.kind = VALUE_NULL};
	for (size_t i = 0; i < t->count; i++) {
		if (row_is(&t->rows[i], ref))
			*ret_value = t->rows[i].value;
	}
}

#define TABLE_SOURCE(rows_) \
	{ \
		.source = {table_get}, .rows = (rows_), .count = ARRAY_SIZE(rows_) \
	}

/* All diags as text, for messages of failed tests. */
static inline void print_diags(const struct diag_list *l)
{
	struct buf text;
	buf_init(&text, 1 << 20);
	diag_list_print(l, false, &text);
	if (text.data)
		print_error("%s", text.data);
	buf_done(&text);
}

static inline struct filter *filter_make(const char *text)
{
	struct diag_list diags;
	struct filter *f = NULL;
	diag_list_init(&diags, 100);
	if (filter_new(str_from(text), "test", &diags, &f) < 0) {
		print_diags(&diags);
		diag_list_done(&diags);
		fail_msg("does not compile: %s", text);
	}
	diag_list_done(&diags);
	return f;
}

static inline bool text_matches(const char *text, const struct field_source *source)
{
	struct arena arena;
	struct filter *f = filter_make(text);
	arena_init(&arena, 1 << 20);
	bool result = filter_match(f, source, &arena);
	arena_done(&arena);
	filter_free(f);
	return result;
}

#endif
