/* SPDX-License-Identifier: Apache-2.0 */
#include "rule/set_int.h"

#include <errno.h>
#include <stdlib.h>

#define ERROR_VALIDATE "LOAD_ERR_VALIDATE"

/* ---- the container ---- */

void collection_init(struct collection *c)
{
	*c = (struct collection){0};
	map_init(&c->list_names, RULE_COUNT_MAX);
	map_init(&c->macro_names, RULE_COUNT_MAX);
	map_init(&c->rule_names, RULE_COUNT_MAX);
}

void collection_done(struct collection *c)
{
	map_done(&c->list_names);
	map_done(&c->macro_names);
	map_done(&c->rule_names);
	free(c->lists);
	free(c->macros);
	free(c->rules);
	*c = (struct collection){0};
}

static int names_put(struct map *names, struct str name, size_t i)
{
	return map_put(names, name, (void *)(uintptr_t)(i + 1), NULL);
}

/* Index, or -1. */
static ssize_t names_get(const struct map *names, struct str name)
{
	return (ssize_t)(uintptr_t)map_get(names, name) - 1;
}

/* A copy of count items, or NULL also if there are none. */
static void *array_copy(const void *items, size_t size, size_t count, int *error)
{
	if (count == 0)
		return NULL;
	void *copy = malloc(size * count);
	if (copy)
		memcpy(copy, items, size * count);
	else
		*error = -ENOMEM;
	return copy;
}

static int names_copy(const struct map *from, struct map *to)
{
	struct str name;
	void *value;
	size_t position = 0;
	while (map_next(from, &position, &name, &value)) {
		int r = map_put(to, name, value, NULL);
		if (r < 0)
			return r;
	}
	return 0;
}

int collection_copy(const struct collection *from, struct collection *ret_copy)
{
	struct collection c;
	int r = 0;
	collection_init(&c);
	c.lists = array_copy(from->lists, sizeof(*c.lists), from->list_count, &r);
	c.macros = array_copy(from->macros, sizeof(*c.macros), from->macro_count, &r);
	c.rules = array_copy(from->rules, sizeof(*c.rules), from->rule_count, &r);
	c.list_count = c.list_capacity = from->list_count;
	c.macro_count = c.macro_capacity = from->macro_count;
	c.rule_count = c.rule_capacity = from->rule_count;
	c.next_index = from->next_index;
	if (r == 0)
		r = names_copy(&from->list_names, &c.list_names);
	if (r == 0)
		r = names_copy(&from->macro_names, &c.macro_names);
	if (r == 0)
		r = names_copy(&from->rule_names, &c.rule_names);
	if (r < 0) {
		collection_done(&c);
		return r;
	}
	*ret_copy = c;
	return 0;
}

struct list_def *collection_list(const struct collection *c, struct str name)
{
	ssize_t i = names_get(&c->list_names, name);
	return i < 0 ? NULL : &c->lists[i];
}

struct macro_def *collection_macro(const struct collection *c, struct str name)
{
	ssize_t i = names_get(&c->macro_names, name);
	return i < 0 ? NULL : &c->macros[i];
}

struct rule_def *collection_rule(const struct collection *c, struct str name)
{
	ssize_t i = names_get(&c->rule_names, name);
	return i < 0 ? NULL : &c->rules[i];
}

/* Room for one more of an array; -ENOSPC at the limit. */
static int make_room(void *array_pointer, size_t size, size_t count, size_t *capacity)
{
	void **array = array_pointer;
	if (count >= RULE_COUNT_MAX)
		return -ENOSPC;
	if (count < *capacity)
		return 0;
	size_t wanted = *capacity ? MIN(*capacity * 2, (size_t)RULE_COUNT_MAX) : 64;
	void *items = reallocarray(*array, wanted, size);
	if (!items)
		return -ENOMEM;
	*array = items;
	*capacity = wanted;
	return 0;
}

static int tell_full(int r, struct place place, const char *what, struct diag_list *diags)
{
	if (r != -ENOSPC)
		return r;
	place_diag(place, diags, DIAG_ERROR, ERROR_VALIDATE, "there are more than %d %s", RULE_COUNT_MAX, what);
	return -EINVAL;
}

static int tell_missing(struct place place, const char *what, struct str name, struct diag_list *diags)
{
	place_diag(place, diags, DIAG_ERROR, ERROR_VALIDATE, "there is no %s '%.100s' before this to change", what,
	           name.data);
	return -EINVAL;
}

/* ---- lists ---- */

int collection_define_list(struct collection *c, const struct list_def *def, struct diag_list *reterr_diags)
{
	struct list_def *old = collection_list(c, def->name);
	size_t index = c->next_index++;
	if (old) {
		size_t first = old->index;
		*old = *def;
		old->index = first;
		old->visibility = index;
		return 0;
	}
	int r = make_room(&c->lists, sizeof(*c->lists), c->list_count, &c->list_capacity);
	if (r == 0)
		r = names_put(&c->list_names, def->name, c->list_count);
	if (r < 0)
		return tell_full(r, def->place, "lists", reterr_diags);
	c->lists[c->list_count] = *def;
	c->lists[c->list_count].index = c->lists[c->list_count].visibility = index;
	c->list_count++;
	return 0;
}

int collection_append_list(struct collection *c, struct arena *a, const struct list_def *def,
                           struct diag_list *reterr_diags)
{
	struct list_def *old = collection_list(c, def->name);
	if (!old)
		return tell_missing(def->place, "list", def->name, reterr_diags);
	size_t count = old->item_count + def->item_count;
	const struct source_text **items = arena_array(a, const struct source_text *, count);
	if (!items)
		return -ENOMEM;
	for (size_t i = 0; i < count; i++)
		items[i] = i < old->item_count ? old->items[i] : def->items[i - old->item_count];
	old->items = items;
	old->item_count = count;
	old->visibility = c->next_index++;
	return 0;
}

/* ---- macros ---- */

int collection_define_macro(struct collection *c, const struct macro_def *def, struct diag_list *reterr_diags)
{
	struct macro_def *old = collection_macro(c, def->name);
	size_t index = c->next_index++;
	if (old) {
		size_t first = old->index;
		*old = *def;
		old->index = first;
		old->visibility = index;
		return 0;
	}
	int r = make_room(&c->macros, sizeof(*c->macros), c->macro_count, &c->macro_capacity);
	if (r == 0)
		r = names_put(&c->macro_names, def->name, c->macro_count);
	if (r < 0)
		return tell_full(r, def->place, "macros", reterr_diags);
	c->macros[c->macro_count] = *def;
	c->macros[c->macro_count].index = c->macros[c->macro_count].visibility = index;
	c->macro_count++;
	return 0;
}

/* -ENOBUFS of a text that became too long. */
static int tell_long(int r, struct place place, struct diag_list *diags)
{
	if (r != -ENOBUFS)
		return r;
	place_diag(place, diags, DIAG_ERROR, ERROR_VALIDATE, "the text becomes longer than %u bytes", RULE_TEXT_MAX);
	return -EINVAL;
}

int collection_append_macro(struct collection *c, struct arena *a, const struct macro_def *def,
                            struct diag_list *reterr_diags)
{
	struct macro_def *old = collection_macro(c, def->name);
	if (!old)
		return tell_missing(def->place, "macro", def->name, reterr_diags);
	int r = text_join(a, &old->condition, &def->condition, &old->condition);
	if (r < 0)
		return tell_long(r, def->place, reterr_diags);
	old->visibility = c->next_index++;
	return 0;
}

/* ---- rules ---- */

static int check_exceptions(struct arena *a, struct rule_def *rule, struct diag_list *diags)
{
	int result = 0;
	for (size_t i = 0; i < rule->exceptions.count; i++) {
		int r = exception_check(a, &rule->exceptions.items[i], rule->source_known, diags);
		if (r == -ENOMEM)
			return r;
		result = r < 0 ? r : result;
	}
	return result;
}

int collection_define_rule(struct collection *c, struct arena *a, const struct rule_def *given,
                           struct diag_list *reterr_diags)
{
	struct rule_def def = *given;
	struct rule_def *old = collection_rule(c, def.name);
	if (old && !str_equal(old->source, def.source)) {
		place_diag(def.place, reterr_diags, DIAG_ERROR, ERROR_VALIDATE,
		           "the rule is defined again with another source ('%.100s', it was '%.100s')", def.source.data,
		           old->source.data);
		return -EINVAL;
	}
	int r = check_exceptions(a, &def, reterr_diags);
	if (r < 0)
		return r;
	if (old) {
		def.place = old->place;
		*old = def;
		return 0;
	}
	r = make_room(&c->rules, sizeof(*c->rules), c->rule_count, &c->rule_capacity);
	if (r == 0)
		r = names_put(&c->rule_names, def.name, c->rule_count);
	if (r < 0)
		return tell_full(r, def.place, "rules", reterr_diags);
	c->rules[c->rule_count++] = def;
	return 0;
}

static bool has_tag(const struct tag_list *tags, const char *tag)
{
	for (size_t i = 0; i < tags->count; i++) {
		if (strcmp(tags->items[i], tag) == 0)
			return true;
	}
	return false;
}

static int append_tags(struct arena *a, struct tag_list *tags, const struct tag_list *more)
{
	struct tag_list all = {.items = arena_array(a, const char *, tags->count + more->count), .count = tags->count};
	if (!all.items)
		return -ENOMEM;
	if (tags->count)
		memcpy(all.items, tags->items, tags->count * sizeof(*all.items));
	for (size_t i = 0; i < more->count; i++) {
		if (!has_tag(&all, more->items[i]))
			all.items[all.count++] = more->items[i];
	}
	*tags = all;
	return 0;
}

static int append_samples(struct arena *a, struct sample_list *samples, const struct sample_list *more)
{
	size_t count = samples->count + more->count;
	struct rule_sample *all = arena_array(a, struct rule_sample, count);
	if (!all)
		return -ENOMEM;
	for (size_t i = 0; i < count; i++)
		all[i] = i < samples->count ? samples->items[i] : more->items[i - samples->count];
	*samples = (struct sample_list){all, count};
	return 0;
}

static struct exception_def *find_exception(const struct exception_list *list, size_t count, struct str name)
{
	for (size_t i = 0; i < count; i++) {
		if (str_equal(list->items[i].name, name))
			return &list->items[i];
	}
	return NULL;
}

static int append_values(struct arena *a, struct exception_def *to, const struct exception_def *more,
                         struct diag_list *diags)
{
	const struct exception_entry *fixed = more->fields.present  ? &more->fields
	                                      : more->comps.present ? &more->comps
	                                                            : NULL;
	if (fixed) {
		place_diag(fixed->place, diags, DIAG_ERROR, ERROR_VALIDATE,
		           "only values can be appended to the exception '%.100s', not fields or comps", to->name.data);
		return -EINVAL;
	}
	if (exception_check_values(to, more->values, more->value_count, diags) < 0)
		return -EINVAL;
	size_t count = to->value_count + more->value_count;
	struct exception_entry *values = arena_array(a, struct exception_entry, count);
	if (!values)
		return -ENOMEM;
	for (size_t i = 0; i < count; i++)
		values[i] = i < to->value_count ? to->values[i] : more->values[i - to->value_count];
	to->values = values;
	to->value_count = count;
	return 0;
}

static int check_new_exception(struct arena *a, struct exception_def *e, bool source_known, struct diag_list *diags)
{
	if (e->fields.present && e->value_count == 0) {
		place_diag(e->place, diags, DIAG_ERROR, ERROR_VALIDATE,
		           "the appended exception '%.100s' is new and needs values", e->name.data);
		return -EINVAL;
	}
	return exception_check(a, e, source_known, diags);
}

static int append_exceptions(struct arena *a, struct rule_def *rule, const struct exception_list *more,
                             struct diag_list *diags)
{
	struct exception_list all = {.count = rule->exceptions.count};
	all.items = arena_array(a, struct exception_def, rule->exceptions.count + more->count);
	if (!all.items)
		return -ENOMEM;
	if (all.count)
		memcpy(all.items, rule->exceptions.items, all.count * sizeof(*all.items));
	int result = 0;
	for (size_t i = 0; i < more->count; i++) {
		struct exception_def e = more->items[i];
		struct exception_def *old = find_exception(&all, all.count, e.name);
		int r = old ? append_values(a, old, &e, diags) : check_new_exception(a, &e, rule->source_known, diags);
		if (r == -ENOMEM)
			return r;
		result = r < 0 ? r : result;
		if (!old && r == 0)
			all.items[all.count++] = e;
	}
	rule->exceptions = all;
	return result;
}

static bool has_key(unsigned keys, enum rule_key key)
{
	return keys & 1u << key;
}

static int append_keys(struct arena *a, struct rule_def *rule, const struct rule_def *def, unsigned keys,
                       struct diag_list *diags)
{
	int r = 0;
	if (has_key(keys, RULE_KEY_CONDITION))
		r = text_join(a, &rule->condition, &def->condition, &rule->condition);
	if (r == 0 && has_key(keys, RULE_KEY_OUTPUT))
		r = text_join(a, &rule->output, &def->output, &rule->output);
	if (r == 0 && has_key(keys, RULE_KEY_DESC))
		r = text_join(a, &rule->desc, &def->desc, &rule->desc);
	if (r == 0 && has_key(keys, RULE_KEY_TAGS))
		r = append_tags(a, &rule->tags, &def->tags);
	if (r == 0 && has_key(keys, RULE_KEY_SAMPLES))
		r = append_samples(a, &rule->samples, &def->samples);
	if (r == 0 && has_key(keys, RULE_KEY_EXCEPTIONS))
		r = append_exceptions(a, rule, &def->exceptions, diags);
	return tell_long(r, def->place, diags);
}

static int replace_keys(struct arena *a, struct rule_def *rule, const struct rule_def *def, unsigned keys,
                        struct diag_list *diags)
{
	if (has_key(keys, RULE_KEY_CONDITION))
		rule->condition = def->condition;
	if (has_key(keys, RULE_KEY_OUTPUT))
		rule->output = def->output;
	if (has_key(keys, RULE_KEY_DESC))
		rule->desc = def->desc;
	if (has_key(keys, RULE_KEY_PRIORITY))
		rule->priority = def->priority;
	if (has_key(keys, RULE_KEY_TAGS))
		rule->tags = def->tags;
	if (has_key(keys, RULE_KEY_SAMPLES))
		rule->samples = def->samples;
	if (has_key(keys, RULE_KEY_ENABLED))
		rule->enabled = def->enabled;
	if (has_key(keys, RULE_KEY_WARN_EVTTYPES))
		rule->warn_evttypes = def->warn_evttypes;
	if (has_key(keys, RULE_KEY_SKIP_IF_UNKNOWN))
		rule->skip_if_unknown_filter = def->skip_if_unknown_filter;
	if (has_key(keys, RULE_KEY_CAPTURE))
		rule->capture = def->capture;
	if (has_key(keys, RULE_KEY_CAPTURE_DURATION))
		rule->capture_duration_ms = def->capture_duration_ms;
	if (!has_key(keys, RULE_KEY_EXCEPTIONS))
		return 0;
	rule->exceptions = def->exceptions;
	return check_exceptions(a, rule, diags);
}

int collection_update_rule(struct collection *c, struct arena *a, const struct rule_def *def, unsigned append,
                           unsigned replace, struct diag_list *reterr_diags)
{
	struct rule_def *rule = collection_rule(c, def->name);
	if (!rule)
		return tell_missing(def->place, "rule", def->name, reterr_diags);
	int r = append_keys(a, rule, def, append, reterr_diags);
	if (r == 0)
		r = replace_keys(a, rule, def, replace, reterr_diags);
	return r;
}

int collection_enable_rule(struct collection *c, const struct rule_def *def, struct diag_list *reterr_diags)
{
	struct rule_def *rule = collection_rule(c, def->name);
	if (!rule)
		return tell_missing(def->place, "rule", def->name, reterr_diags);
	rule->enabled = def->enabled;
	return 0;
}
