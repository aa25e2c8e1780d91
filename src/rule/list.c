/* SPDX-License-Identifier: Apache-2.0
 *
 * Lists in conditions. A list's name, standing alone, is replaced by the list's items as text, before anything is
 * parsed. What a list brings in is searched for names of lists again, but only for lists defined after it: this is how
 * replacing list after list in the order of definition comes out, and it ends. It would end late where each list names
 * the next one twice, so that replacements are counted as well.
 */
#include "rule/set_int.h"

#include <errno.h>

#define ERROR_VALIDATE "LOAD_ERR_VALIDATE"

struct substitution {
	struct collection *collection;
	struct text_builder out;
	size_t floor; /* length of out that is not to be touched any more */
	bool too_deep, too_many;
};

/* ---- items ---- */

static char quote_for(struct str item)
{
	if (item.length == 0)
		return '"';
	if (str_find_char(item, ' ') < 0 || item.data[0] == '"' || item.data[0] == '\'')
		return 0;
	return str_find_char(item, '"') >= 0 && str_find_char(item, '\'') < 0 ? '\'' : '"';
}

void list_write_item(struct text_builder *b, const struct source_text *item)
{
	char quote[2] = {quote_for(item->text)};
	if (quote[0])
		text_builder_add_text(b, quote, item, 0);
	text_builder_add(b, item);
	if (quote[0])
		text_builder_add_text(b, quote, item, item->text.length);
}

/* ---- lists in lists ---- */

static struct list_def *visible_list(const struct collection *c, const struct list_def *from, struct str name)
{
	struct list_def *list = collection_list(c, name);
	return list && list->index < from->visibility ? list : NULL;
}

static size_t expanded_count(const struct collection *c, const struct list_def *list)
{
	size_t count = 0;
	for (size_t i = 0; i < list->item_count; i++) {
		const struct list_def *other = visible_list(c, list, list->items[i]->text);
		count += other ? other->item_count : 1;
	}
	return count;
}

/* One level: the other list's items as they were written. */
static int expand(struct collection *c, struct arena *a, struct list_def *list)
{
	const struct source_text **items = arena_array(a, const struct source_text *, expanded_count(c, list));
	size_t count = 0;
	if (!items)
		return -ENOMEM;
	for (size_t i = 0; i < list->item_count; i++) {
		struct list_def *other = visible_list(c, list, list->items[i]->text);
		if (!other) {
			items[count++] = list->items[i];
			continue;
		}
		other->used = true;
		if (other->item_count)
			memcpy(items + count, other->items, other->item_count * sizeof(*items));
		count += other->item_count;
	}
	list->expanded = items;
	list->expanded_count = count;
	return 0;
}

int list_expand_all(struct collection *c, struct arena *a)
{
	for (size_t i = 0; i < c->list_count; i++) {
		int r = expand(c, a, &c->lists[i]);
		if (r < 0)
			return r;
	}
	return 0;
}

/* ---- lists in conditions ---- */

static bool is_blank(char c)
{
	return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

static bool ends_word(char c)
{
	return is_blank(c) || c == '(' || c == ')' || c == ',' || c == '=';
}

static void substitute(struct substitution *s, const struct source_text *t, size_t first_list, unsigned depth);

static void write_item(struct substitution *s, const struct list_def *list, const struct source_text *item,
                       unsigned depth)
{
	size_t floor = s->floor;
	if (quote_for(item->text)) {
		list_write_item(&s->out, item);
		return;
	}
	s->floor = s->out.text.length;
	substitute(s, item, (size_t)(list - s->collection->lists) + 1, depth + 1);
	s->floor = floor;
}

static void write_items(struct substitution *s, const struct list_def *list, unsigned depth)
{
	size_t start = s->out.text.length;
	for (size_t i = 0; i < list->expanded_count && !s->too_many && text_builder_error(&s->out) == 0; i++) {
		size_t before = s->out.text.length;
		if (before > start)
			text_builder_add_text(&s->out, ", ", list->expanded[i], 0);
		size_t bare = s->out.text.length;
		write_item(s, list, list->expanded[i], depth);
		/* The name of a list without items: the comma before it goes too. */
		if (s->out.text.length == bare)
			text_builder_cut(&s->out, before);
	}
}

/* Nothing came in between out and rest: a comma at one of its sides is too much. Returns the bytes of rest to skip. */
static size_t remove_comma(struct substitution *s, struct str rest)
{
	size_t length = s->out.text.length, skip = 0;
	while (length > s->floor && is_blank(s->out.text.data[length - 1]))
		length--;
	if (length > s->floor && s->out.text.data[length - 1] == ',') {
		text_builder_cut(&s->out, length - 1);
		return 0;
	}
	while (skip < rest.length && is_blank(rest.data[skip]))
		skip++;
	return skip < rest.length && rest.data[skip] == ',' ? skip + 1 : 0;
}

static struct list_def *list_at(const struct substitution *s, struct str word, size_t first_list)
{
	struct list_def *list = collection_list(s->collection, word);
	return list && (size_t)(list - s->collection->lists) >= first_list ? list : NULL;
}

/* t into out; names of the lists from first_list on are replaced. */
static void substitute(struct substitution *s, const struct source_text *t, size_t first_list, unsigned depth)
{
	struct str text = t->text;
	size_t copied = 0;
	if (depth > LIST_NESTING_MAX) {
		s->too_deep = true;
		return;
	}
	for (size_t begin = 0, end; begin < text.length && !s->too_many; begin = end) {
		end = begin + 1;
		if (ends_word(text.data[begin]))
			continue;
		while (end < text.length && !ends_word(text.data[end]))
			end++;
		struct list_def *list = list_at(s, str_make(text.data + begin, end - begin), first_list);
		if (!list)
			continue;
		if (s->collection->lists_replaced++ >= LISTS_REPLACED_MAX) {
			s->too_many = true;
			return;
		}
		list->used = true;
		text_builder_add_part(&s->out, t, copied, begin);
		size_t before = s->out.text.length;
		write_items(s, list, depth);
		copied = end;
		if (s->out.text.length == before)
			copied += remove_comma(s, str_make(text.data + end, text.length - end));
		end = MAX(end, copied);
	}
	text_builder_add_part(&s->out, t, copied, text.length);
}

int list_substitute(struct collection *c, struct arena *a, const struct source_text *t, struct diag_list *reterr_diags,
                    struct source_text *ret_text)
{
	struct substitution s = {.collection = c};
	text_builder_init(&s.out, RULE_TEXT_MAX);
	text_builder_add_text(&s.out, "", t, 0); /* so that there is a place even if nothing is left */
	substitute(&s, t, 0, 0);
	int r = text_builder_finish(&s.out, a, ret_text);
	text_builder_done(&s.out);
	if (r == 0 && s.too_many) {
		source_text_diag(t, 0, reterr_diags, DIAG_ERROR, ERROR_VALIDATE,
		                 "lists stand in lists too often: the conditions of a set may name %u in all",
		                 LISTS_REPLACED_MAX);
		return -EINVAL;
	}
	if (r == -ENOBUFS || (r == 0 && s.too_deep)) {
		source_text_diag(t, 0, reterr_diags, DIAG_ERROR, ERROR_VALIDATE,
		                 r < 0 ? "with its lists the condition is longer than %u bytes"
		                       : "lists stand in lists more than %u deep",
		                 r < 0 ? RULE_TEXT_MAX : LIST_NESTING_MAX);
		return -EINVAL;
	}
	return r;
}
