/* SPDX-License-Identifier: Apache-2.0
 *
 * Lists and exceptions as they were written, before they disappear in conditions.
 */
#include "rule/set_int.h"

#define VALUE_TEXT_MAX (64u << 10) /* of one value; a longer one is cut */

static void add_entry(const struct exception_entry *e, struct buf *out)
{
	if (!e->is_list) {
		if (e->text)
			buf_add_str(out, e->text->text);
		return;
	}
	buf_add_char(out, '[');
	for (size_t i = 0; i < e->count; i++) {
		if (i > 0)
			buf_add_text(out, ", ");
		add_entry(&e->items[i], out);
	}
	buf_add_char(out, ']');
}

static void each_of_exception(const struct rule_def *rule, const struct exception_def *e,
                              void (*call)(void *userdata, const struct rule_written *w), void *userdata)
{
	_cleanup_(buf_done) struct buf text;
	buf_init(&text, VALUE_TEXT_MAX);
	for (size_t i = 0; i < e->value_count; i++) {
		struct rule_written w = {.rule = rule->name, .exception = e->name};
		buf_clear(&text);
		add_entry(&e->values[i], &text);
		w.text = buf_str(&text);
		call(userdata, &w);
	}
}

static void each_of_list(const struct list_def *list, void (*call)(void *userdata, const struct rule_written *w),
                         void *userdata)
{
	for (size_t i = 0; i < list->item_count; i++) {
		struct rule_written w = {.list = list->name, .text = list->items[i]->text};
		call(userdata, &w);
	}
}

void rule_set_each_written(const struct rule_set *s, void (*call)(void *userdata, const struct rule_written *w),
                           void *userdata)
{
	const struct collection *c = rule_set_collection(s);
	for (size_t i = 0; i < c->list_count; i++)
		each_of_list(&c->lists[i], call, userdata);
	for (size_t i = 0; i < c->rule_count; i++) {
		const struct rule_def *rule = &c->rules[i];
		for (size_t e = 0; e < rule->exceptions.count; e++)
			each_of_exception(rule, &rule->exceptions.items[e], call, userdata);
	}
}
