/* SPDX-License-Identifier: Apache-2.0
 *
 * Any bytes as a rules file, and two of them in one set: nothing but messages may come of it. What loads is asked about
 * an event of each type and about its samples.
 */
#include "base/diag.h"
#include "rule/rule.h"

#define DIAGS_MAX 20
#define SPLIT '\f' /* what stands behind it is a second file */

static void get_nothing(const struct field_source *source, const struct field_ref *ref, struct arena *arena,
                        struct value *ret_value)
{
	(void)source, (void)ref, (void)arena;
	*ret_value = (struct value){.kind = VALUE_NULL};
}

static void report(void *userdata, const struct rule_sample *sample, const char *why)
{
	(void)sample;
	*(size_t *)userdata += strlen(why);
}

static void note_path(void *userdata, struct str path)
{
	*(size_t *)userdata += path.length;
}

static void use(struct rule_set *set)
{
	const struct rule *matched[4];
	const struct field_source nothing = {.get = get_nothing};
	struct event_set events;
	struct arena arena;
	struct buf text;
	size_t seen = 0;
	arena_init(&arena, 1 << 20);
	buf_init(&text, 1 << 20);
	rule_set_events(set, &events);
	for (unsigned type = 0; type < EVENT_TYPE_MAX; type++) {
		if (event_set_has(&events, type))
			rule_set_match(set, (enum event_type)type, &nothing, &arena, MATCH_ALL, matched,
			               ARRAY_SIZE(matched));
		arena_reset(&arena);
	}
	for (size_t i = 0; i < rule_set_count(set); i++) {
		const struct rule *r = rule_set_get(set, i);
		rule_explain(r, &text);
		rule_test_samples(r, report, &seen);
		rule_set_enable(set, str_from(r->name), false, i % 2);
	}
	rule_set_each_path(set, note_path, &seen);
	rule_set_min_priority(set, PRIORITY_ERROR);
	buf_done(&text);
	arena_done(&arena);
}

/* Each message must be printable, and about a line that is there. */
static void check_diags(const struct diag_list *diags)
{
	struct buf text;
	buf_init(&text, 16 << 20);
	diag_list_print(diags, true, &text);
	for (size_t i = 0; i < diags->count; i++) {
		const struct diag *d = &diags->items[i];
		if (d->line && (!d->column || !d->file))
			__builtin_trap();
		if (d->source && d->column > strlen(d->source) + 4)
			__builtin_trap();
	}
	buf_done(&text);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct str first = str_make((const char *)data, size), second = {NULL, 0};
	ssize_t split = str_find_char(first, SPLIT);
	struct rule_set *set;
	struct diag_list diags;
	diag_list_init(&diags, DIAGS_MAX);
	if (rule_set_new(&set) < 0)
		return 0;
	if (split >= 0) {
		second = str_make(first.data + split + 1, size - (size_t)split - 1);
		first.length = (size_t)split;
	}
	size_t errors = 0;
	int r = rule_set_add_text(set, "first.yaml", first, &diags);
	if ((r < 0) != (diags.errors > errors))
		__builtin_trap();
	errors = diags.errors;
	r = rule_set_add_text(set, "second.yaml", second, &diags);
	if ((r < 0) != (diags.errors > errors))
		__builtin_trap();
	errors = diags.errors;
	r = rule_set_compile(set, &diags);
	if ((r < 0) != (diags.errors > errors))
		__builtin_trap();
	if (r == 0)
		use(set);
	check_diags(&diags);
	rule_set_free(set);
	diag_list_done(&diags);
	return 0;
}
