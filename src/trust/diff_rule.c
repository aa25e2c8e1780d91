/* SPDX-License-Identifier: Apache-2.0 */
#include "trust/diff_int.h"

#include "base/map.h"
#include "event/event.h"

#define TEXT_MAX (1u << 20)
#define LINE_SHOWN 160

static struct str rule_name(const struct rule *r)
{
	return str_from(r->name);
}

/* ---- events ---- */

/* Names of the types in one and not in the other. */
static void add_types_without(const struct event_set *one, const struct event_set *other, struct buf *out)
{
	for (unsigned type = 1; type < EVENT_TYPE_MAX; type++) {
		const char *name = event_type_info((enum event_type)type)->name;
		if (name && event_set_has(one, type) && !event_set_has(other, type))
			buf_printf(out, "%s%s", out->length ? ", " : "", name);
	}
}

static void diff_events(struct comparison *c, const struct rule *before, const struct rule *after)
{
	_cleanup_(buf_done) struct buf types;
	buf_init(&types, TEXT_MAX);
	add_types_without(&before->events, &after->events, &types);
	if (types.length > 0)
		change_tell(c, CHANGE_LESS, "rule", rule_name(after), "no longer covers %s", types.data);
	buf_clear(&types);
	add_types_without(&after->events, &before->events, &types);
	if (types.length > 0)
		change_tell(c, CHANGE_MORE, "rule", rule_name(after), "now covers %s", types.data);
}

/* ---- conditions, by the lines of their explanation ---- */

/* A test without what joins it to the line before; empty: only a parenthesis. */
static struct str test_of(struct str line)
{
	static const struct str joins[] = {{"and ", 4}, {"or ", 3}};
	struct str s = str_trim(line);
	for (size_t i = 0; i < ARRAY_SIZE(joins); i++) {
		if (str_starts_with(s, joins[i]))
			s = str_make(s.data + joins[i].length, s.length - joins[i].length);
	}
	return str_equals(s, "(") || str_equals(s, ")") || str_equals(s, "not (") ? str_make(s.data, 0) : s;
}

static void put_tests(struct map *tests, struct str text)
{
	struct str rest = text, line;
	while (str_next(&rest, '\n', &line)) {
		struct str test = test_of(line);
		if (test.length > 0 && map_put(tests, test, tests, NULL) < 0)
			return; /* no memory: some are told that are the same */
	}
}

static void tell_test(struct comparison *c, const struct rule *rule, const char *words, struct str test)
{
	bool cut = test.length > LINE_SHOWN;
	test.length = MIN(test.length, (size_t)LINE_SHOWN);
	while (cut && test.length > 0 && ((unsigned char)test.data[test.length] & 0xc0) == 0x80)
		test.length--;
	change_tell(c, CHANGE_OTHER, "rule", rule_name(rule), "%s: " STR_FMT "%s", words, STR_ARG(test),
	            cut ? " \xe2\x80\xa6" : "");
}

static size_t tell_tests_without(struct comparison *c, const struct rule *rule, struct str one, struct str other,
                                 const char *words)
{
	_cleanup_(map_done) struct map tests;
	struct str rest = one, line;
	size_t told = 0;
	map_init(&tests, TEXT_MAX);
	put_tests(&tests, other);
	while (str_next(&rest, '\n', &line)) {
		struct str test = test_of(line);
		if (test.length == 0 || map_get(&tests, test))
			continue;
		tell_test(c, rule, words, test);
		told++;
	}
	return told;
}

static void diff_conditions(struct comparison *c, const struct rule *before, const struct rule *after)
{
	_cleanup_(buf_done) struct buf old, new;
	buf_init(&old, TEXT_MAX);
	buf_init(&new, TEXT_MAX);
	if (before->condition)
		rule_explain(before, &old);
	if (after->condition)
		rule_explain(after, &new);
	if (str_equal(buf_str(&old), buf_str(&new)))
		return;
	size_t told = tell_tests_without(c, after, buf_str(&old), buf_str(&new), "no longer asks");
	told += tell_tests_without(c, after, buf_str(&new), buf_str(&old), "now asks");
	if (told == 0)
		change_tell(c, CHANGE_OTHER, "rule", rule_name(after), "asks the same in another order or grouping");
}

/* ---- the rest of a rule ---- */

static void diff_tags(struct comparison *c, const struct rule *before, const struct rule *after)
{
	bool same = before->tag_count == after->tag_count;
	for (size_t i = 0; same && i < after->tag_count; i++)
		same = strcmp(before->tags[i], after->tags[i]) == 0;
	if (!same)
		change_tell(c, CHANGE_OTHER, "rule", rule_name(after), "has other tags");
}

static void diff_text(struct comparison *c, const struct rule *rule, const char *before, const char *after,
                      const char *what)
{
	if (strcmp(before ? before : "", after ? after : "") != 0)
		change_tell(c, CHANGE_OTHER, "rule", rule_name(rule), "has another %s", what);
}

static void diff_rule(struct comparison *c, const struct rule *before, const struct rule *after)
{
	if (before->enabled != after->enabled)
		change_tell(c, after->enabled ? CHANGE_MORE : CHANGE_LESS, "rule", rule_name(after), "is turned %s",
		            after->enabled ? "on" : "off");
	diff_events(c, before, after);
	if (before->priority != after->priority)
		change_tell(c, after->priority > before->priority ? CHANGE_LESS : CHANGE_MORE, "rule", rule_name(after),
		            "priority %s \xe2\x86\x92 %s", rule_priority_name(before->priority),
		            rule_priority_name(after->priority));
	diff_conditions(c, before, after);
	diff_text(c, after, before->output_text, after->output_text, "output");
	diff_text(c, after, before->desc, after->desc, "description");
	diff_tags(c, before, after);
	if (before->sample_count != after->sample_count)
		change_tell(c, after->sample_count < before->sample_count ? CHANGE_LESS : CHANGE_OTHER, "rule",
		            rule_name(after), "samples %zu \xe2\x86\x92 %zu", before->sample_count,
		            after->sample_count);
}

static void tell_added(struct comparison *c, const struct rule *rule)
{
	_cleanup_(buf_done) struct buf types;
	buf_init(&types, TEXT_MAX);
	add_types_without(&rule->events, &(struct event_set){0}, &types);
	change_tell(c, rule->enabled ? CHANGE_MORE : CHANGE_OTHER, "rule", rule_name(rule), "is added%s: %s; covers %s",
	            rule->enabled ? "" : ", turned off", rule_priority_name(rule->priority),
	            types.length ? types.data : "nothing");
}

void diff_rules(struct comparison *c)
{
	const struct rule_set *before = c->before.public.rules, *after = c->after.public.rules;
	for (size_t i = 0; i < rule_set_count(before); i++) {
		const struct rule *rule = rule_set_get(before, i);
		if (!rule_set_find(after, rule_name(rule)))
			change_tell(c, CHANGE_LESS, "rule", rule_name(rule), "is removed");
	}
	for (size_t i = 0; i < rule_set_count(after); i++) {
		const struct rule *rule = rule_set_get(after, i), *old = rule_set_find(before, rule_name(rule));
		if (old)
			diff_rule(c, old, rule);
		else
			tell_added(c, rule);
	}
}
