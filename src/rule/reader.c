/* SPDX-License-Identifier: Apache-2.0
 *
 * The items of a rules file, but for rules (rule_item.c). All that is wrong in a file is told, not only the first: an
 * item with errors is collected all the same, so that what refers to it is not called wrong as well.
 */
#include "rule/set_int.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>

#define ERROR_YAML "LOAD_ERR_YAML_VALIDATE"
#define ERROR_VALIDATE "LOAD_ERR_VALIDATE"
#define SENTENCE_MAX 1024
#define TAGS_MAX 1000

/* ---- telling ---- */

struct diag *reader_error(struct reader *r, const struct doc_node *at, const char *format, ...)
{
	va_list arguments;
	va_start(arguments, format);
	struct diag *d = doc_vdiag(r->file, at->start, r->diags, DIAG_ERROR, ERROR_YAML, format, arguments);
	va_end(arguments);
	r->failed = true;
	return d;
}

struct diag *reader_warn(struct reader *r, const struct doc_node *at, const char *code, const char *format, ...)
{
	va_list arguments;
	va_start(arguments, format);
	struct diag *d = doc_vdiag(r->file, at->start, r->diags, DIAG_WARNING, code, format, arguments);
	va_end(arguments);
	return d;
}

bool reader_memory(struct reader *r, const void *pointer)
{
	if (!pointer)
		r->error = -ENOMEM;
	return pointer;
}

void reader_note(struct reader *r, int result)
{
	if (result == -ENOMEM)
		r->error = result;
	else if (result < 0)
		r->failed = true;
}

/* ---- values ---- */

bool reader_get_text(struct reader *r, const struct doc_node *map, const char *key, bool needed,
                     const struct source_text **ret_text)
{
	const struct doc_node *value = doc_get(map, key);
	if (!value && needed)
		reader_error(r, map, "the key '%s' is missing", key);
	if (!value)
		return !needed;
	if (doc_is_null(value) || (value->kind == DOC_SCALAR && value->text.length == 0)) {
		reader_error(r, doc_get_key(map, key), "the value of '%s' must not be empty", key);
		return false;
	}
	if (value->kind != DOC_SCALAR) {
		reader_error(r, value, "the value of '%s' must be text, not a %s", key,
		             value->kind == DOC_MAP ? "mapping" : "sequence");
		return false;
	}
	*ret_text = doc_source(r->file, value);
	return reader_memory(r, *ret_text);
}

static bool bool_parse(struct str text, bool *ret_value)
{
	static const struct {
		const char *text;
		bool value;
	} words[] = {{"true", true},   {"yes", true}, {"on", true},   {"y", true},
	             {"false", false}, {"no", false}, {"off", false}, {"n", false}};
	for (size_t i = 0; i < ARRAY_SIZE(words); i++) {
		if (text.length == strlen(words[i].text) && strcasecmp(text.data, words[i].text) == 0) {
			*ret_value = words[i].value;
			return true;
		}
	}
	return false;
}

bool reader_get_bool(struct reader *r, const struct doc_node *map, const char *key, bool *value)
{
	const struct source_text *text = NULL;
	if (!reader_get_text(r, map, key, false, &text))
		return false;
	if (!text || bool_parse(text->text, value))
		return true;
	reader_error(r, doc_get(map, key), "the value of '%s' must be true or false, not '%.100s'", key,
	             text->text.data);
	return false;
}

bool reader_get_number(struct reader *r, const struct doc_node *map, const char *key, uint64_t *value)
{
	const struct source_text *text = NULL;
	if (!reader_get_text(r, map, key, false, &text))
		return false;
	if (!text || str_to_u64(text->text, value) == 0)
		return true;
	reader_error(r, doc_get(map, key), "the value of '%s' must be a number, not '%.100s'", key, text->text.data);
	return false;
}

/* The sequence that key must be; NULL: it is absent or wrong. An empty one may stand as nothing at all. */
static const struct doc_node *get_sequence(struct reader *r, const struct doc_node *map, const char *key, bool needed)
{
	const struct doc_node *value = doc_get(map, key);
	if (!value && needed)
		reader_error(r, map, "the key '%s' is missing", key);
	else if (value && value->kind != DOC_SEQUENCE)
		reader_error(r, doc_is_null(value) ? doc_get_key(map, key) : value,
		             "the value of '%s' must be a sequence", key);
	return value && value->kind == DOC_SEQUENCE ? value : NULL;
}

static bool check_scalar(struct reader *r, const struct doc_node *item, const char *key)
{
	if (item->kind == DOC_SCALAR && !doc_is_null(item))
		return true;
	reader_error(r, item, "an element of '%s' must be a single value", key);
	return false;
}

bool reader_get_tags(struct reader *r, const struct doc_node *map, struct tag_list *ret_tags)
{
	bool present = doc_get(map, "tags");
	const struct doc_node *sequence = get_sequence(r, map, "tags", false);
	if (!sequence)
		return !present;
	if (sequence->count > TAGS_MAX) {
		reader_error(r, sequence, "a rule may have at most %d tags", TAGS_MAX);
		return false;
	}
	const char **tags = arena_array(&r->file->arena, const char *, sequence->count);
	size_t count = 0;
	if (!reader_memory(r, tags))
		return false;
	bool good = true;
	for (size_t i = 0; i < sequence->count; i++) {
		if (!check_scalar(r, sequence->items[i], "tags")) {
			good = false;
			continue;
		}
		const char *tag = sequence->items[i]->text.data;
		size_t same = 0;
		while (same < count && strcmp(tags[same], tag) != 0)
			same++;
		tags[same] = tag;
		count += same == count;
	}
	*ret_tags = (struct tag_list){tags, count};
	return good;
}

/* ---- keys ---- */

static bool is_one_of(struct str word, const char *const *words, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		if (str_equals(word, words[i]))
			return true;
	}
	return false;
}

static void hint_words(struct diag *d, const char *before, const char *const *words, size_t count)
{
	_cleanup_(buf_done) struct buf b;
	buf_init(&b, SENTENCE_MAX);
	for (size_t i = 0; i < count; i++)
		buf_printf(&b, "%s%s", i ? ", " : "", words[i]);
	if (buf_error(&b) == 0 && b.data)
		diag_set_hint(d, "%s%s", before, b.data);
}

void reader_check_keys(struct reader *r, const struct doc_node *map, const char *what, const char *const *known,
                       size_t known_count)
{
	for (size_t i = 0; i < map->count; i++) {
		const struct doc_node *key = map->items[2 * i];
		if (key->kind == DOC_SCALAR && is_one_of(key->text, known, known_count))
			continue;
		struct diag *d =
		        key->kind == DOC_SCALAR
		                ? reader_warn(r, key, "LOAD_UNKNOWN_KEY", "unknown key '%.100s' in %s", key->text.data,
		                              what)
		                : reader_warn(r, key, "LOAD_UNKNOWN_KEY", "a key that is not a word in %s", what);
		hint_words(d, "it is ignored; known are ", known, known_count);
	}
}

static void read_override(struct reader *r, const struct doc_node *key, const struct doc_node *operation,
                          const struct overridable *keys, size_t count, struct override *o)
{
	if (key->kind != DOC_SCALAR || operation->kind != DOC_SCALAR) {
		reader_error(r, key, "an override must be a key and 'append' or 'replace'");
		return;
	}
	size_t i = 0;
	while (i < count && !str_equals(key->text, keys[i].name))
		i++;
	bool append = str_equals(operation->text, "append"), replace = str_equals(operation->text, "replace");
	o->named |= i < count ? 1u << i : 0;
	if (!append && !replace) {
		reader_error(r, operation, "'%.100s' is not an override for '%.100s': it may be %s",
		             operation->text.data, key->text.data,
		             i < count && !keys[i].append ? "replace" : "append or replace");
		return;
	}
	if (i == count || !keys[i].replace) {
		reader_error(r, key, "'%.100s' cannot be overridden", key->text.data);
		return;
	}
	if (append && !keys[i].append) {
		struct diag *d = reader_error(r, key, "'%.100s' cannot be appended to", key->text.data);
		diag_set_hint(d, "use replace");
		return;
	}
	*(append ? &o->append : &o->replace) |= 1u << i;
}

void reader_get_override(struct reader *r, const struct doc_node *item, const struct overridable *keys, size_t count,
                         struct override *ret_override)
{
	struct override o = {.node = doc_get(item, "override")};
	o.any = o.node && o.node->kind == DOC_MAP && o.node->count;
	if (o.node && o.node->kind != DOC_MAP) {
		reader_error(r, doc_is_null(o.node) ? doc_get_key(item, "override") : o.node,
		             "override must be a mapping of keys to append or replace");
	} else if (o.node) {
		for (size_t i = 0; i < o.node->count; i++)
			read_override(r, o.node->items[2 * i], o.node->items[2 * i + 1], keys, count, &o);
	}
	o.append_flag = false;
	reader_get_bool(r, item, "append", &o.append_flag);
	if (o.append_flag) {
		struct diag *d =
		        reader_warn(r, doc_get_key(item, "append"), "LOAD_DEPRECATED_ITEM", "'append' is deprecated");
		diag_set_hint(d, "use override: {%s: append}", keys[0].name);
	}
	if (o.append_flag && o.any)
		reader_error(r, doc_get_key(item, "append"), "append and override cannot stand in one item");
	*ret_override = o;
}

/* ---- requirements ---- */

struct version {
	uint64_t parts[3];
};

static bool version_parse(struct str text, struct version *ret_version)
{
	struct version v;
	size_t count = 0;
	for (struct str part; str_next(&text, '.', &part); count++) {
		bool digits = part.length > 0 && part.length < 10;
		for (size_t i = 0; i < part.length; i++)
			digits &= part.data[i] >= '0' && part.data[i] <= '9';
		if (!digits || count == 3 || str_to_u64(part, &v.parts[count]) < 0)
			return false;
	}
	if (count != 3)
		return false;
	*ret_version = v;
	return true;
}

/* Does what we have satisfy what is wanted: the same major number, and not older? */
static bool version_satisfies(const char *have_text, const struct version *want)
{
	struct version have;
	if (!version_parse(str_from(have_text), &have) || have.parts[0] != want->parts[0])
		return false;
	if (have.parts[1] != want->parts[1])
		return have.parts[1] > want->parts[1];
	return have.parts[2] >= want->parts[2];
}

static void read_engine_version(struct reader *r, const struct doc_node *item)
{
	static const char *const keys[] = {"required_engine_version"};
	const struct source_text *text = NULL;
	struct version want = {0};
	reader_check_keys(r, item, "required_engine_version", keys, ARRAY_SIZE(keys));
	if (!reader_get_text(r, item, keys[0], true, &text))
		return;
	const struct doc_node *value = doc_get(item, keys[0]);
	bool number = str_find_char(text->text, '.') < 0 && str_to_u64(text->text, &want.parts[1]) == 0;
	if (!number && !version_parse(text->text, &want)) {
		reader_error(r, value,
		             "'%.100s' is not an engine version: it must be a number or three with dots, as %s",
		             text->text.data, RULE_ENGINE_VERSION);
		return;
	}
	if (version_satisfies(RULE_ENGINE_VERSION, &want))
		return;
	r->failed = true;
	doc_diag(r->file, value->start, r->diags, DIAG_ERROR, ERROR_VALIDATE,
	         "the rules need engine version %.100s, this is %s", text->text.data, RULE_ENGINE_VERSION);
}

/* One {name, version}. satisfied: set if it is what picket has. */
static bool read_plugin(struct reader *r, const struct doc_node *node, bool *satisfied)
{
	const struct source_text *name = NULL, *version = NULL;
	struct version want;
	if (node->kind != DOC_MAP) {
		reader_error(r, node, "a required plugin must be a mapping with name and version");
		return false;
	}
	bool good = reader_get_text(r, node, "name", true, &name);
	good &= reader_get_text(r, node, "version", true, &version);
	if (!good)
		return false;
	if (!version_parse(version->text, &want)) {
		r->failed = true;
		doc_diag(r->file, doc_get(node, "version")->start, r->diags, DIAG_ERROR, ERROR_VALIDATE,
		         "'%.100s' is not a version of a plugin: it must be three numbers with dots",
		         version->text.data);
		return false;
	}
	*satisfied |= str_equals(name->text, "container") && version_satisfies(CONTAINER_PLUGIN_VERSION, &want);
	return true;
}

static bool read_alternatives(struct reader *r, const struct doc_node *plugin, bool *satisfied)
{
	static const char *const keys[] = {"name", "version"};
	const struct doc_node *alternatives = get_sequence(r, plugin, "alternatives", false);
	bool good = true;
	for (size_t i = 0; alternatives && i < alternatives->count; i++) {
		good &= read_plugin(r, alternatives->items[i], satisfied);
		if (alternatives->items[i]->kind == DOC_MAP)
			reader_check_keys(r, alternatives->items[i], "an alternative plugin", keys, ARRAY_SIZE(keys));
	}
	return good;
}

static void read_plugin_versions(struct reader *r, const struct doc_node *item)
{
	static const char *const keys[] = {"required_plugin_versions"};
	static const char *const plugin_keys[] = {"name", "version", "alternatives"};
	reader_check_keys(r, item, "required_plugin_versions", keys, ARRAY_SIZE(keys));
	const struct doc_node *plugins = get_sequence(r, item, keys[0], true);
	for (size_t i = 0; plugins && i < plugins->count; i++) {
		const struct doc_node *plugin = plugins->items[i];
		bool satisfied = false;
		if (!read_plugin(r, plugin, &satisfied))
			continue;
		reader_check_keys(r, plugin, "a required plugin", plugin_keys, ARRAY_SIZE(plugin_keys));
		if (!read_alternatives(r, plugin, &satisfied) || satisfied)
			continue;
		r->failed = true;
		struct diag *d = doc_diag(r->file, doc_get(plugin, "name")->start, r->diags, DIAG_ERROR, ERROR_VALIDATE,
		                          "the rules need the plugin %.100s %.100s, which is not here",
		                          doc_get(plugin, "name")->text.data, doc_get(plugin, "version")->text.data);
		diag_set_hint(d, "picket loads no plugins; it has the fields of container %s itself",
		              CONTAINER_PLUGIN_VERSION);
	}
}

/* ---- lists ---- */

static bool is_list_name(struct str name)
{
	for (size_t i = 0; i < name.length; i++) {
		if (strchr("()\"'=, \t\n\v\f\r", name.data[i]))
			return false;
	}
	return true;
}

static void read_items(struct reader *r, const struct doc_node *item, struct list_def *def)
{
	const struct doc_node *sequence = get_sequence(r, item, "items", true);
	if (!sequence)
		return;
	const struct source_text **items = arena_array(&r->file->arena, const struct source_text *, sequence->count);
	if (!reader_memory(r, items))
		return;
	for (size_t i = 0; i < sequence->count; i++) {
		if (!check_scalar(r, sequence->items[i], "items"))
			continue;
		items[def->item_count] = doc_source(r->file, sequence->items[i]);
		if (!reader_memory(r, items[def->item_count]))
			return;
		def->item_count++;
	}
	def->items = items;
}

static void read_list(struct reader *r, const struct doc_node *item)
{
	static const char *const keys[] = {"list", "items", "append", "override"};
	static const struct overridable overridable[] = {{"items", true, true}};
	const struct source_text *name = NULL;
	struct override override;
	reader_check_keys(r, item, "a list", keys, ARRAY_SIZE(keys));
	reader_get_override(r, item, overridable, ARRAY_SIZE(overridable), &override);
	if (!reader_get_text(r, item, "list", true, &name))
		return;
	const struct doc_node *value = doc_get(item, "list");
	struct list_def def = {.name = name->text, .place = {r->file, value->start}};
	if (!is_list_name(def.name))
		reader_warn(r, value, "LOAD_INVALID_LIST_NAME",
		            "'%.100s' is not a list's name: no condition can use it", def.name.data);
	read_items(r, item, &def);
	if (r->error)
		return;
	if (override.append_flag || override.append)
		reader_note(r, collection_append_list(r->collection, &r->file->arena, &def, r->diags));
	else
		reader_note(r, collection_define_list(r->collection, &def, r->diags));
}

/* ---- macros ---- */

static bool is_macro_name(struct str name)
{
	static const char letters[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
	size_t first = strspn(name.data, letters);
	return first &&
	       first + strspn(name.data + first, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_") ==
	               name.length;
}

static void read_macro(struct reader *r, const struct doc_node *item)
{
	static const char *const keys[] = {"macro", "condition", "append", "override"};
	static const struct overridable overridable[] = {{"condition", true, true}};
	const struct source_text *name = NULL, *condition = NULL;
	struct override override;
	reader_check_keys(r, item, "a macro", keys, ARRAY_SIZE(keys));
	reader_get_override(r, item, overridable, ARRAY_SIZE(overridable), &override);
	bool good = reader_get_text(r, item, "condition", true, &condition);
	if (!reader_get_text(r, item, "macro", true, &name) || r->error)
		return;
	const struct doc_node *value = doc_get(item, "macro");
	struct macro_def def = {
	        .name = name->text, .place = {r->file, value->start}, .condition = good ? *condition : *name};
	if (!is_macro_name(def.name))
		reader_warn(r, value, "LOAD_INVALID_MACRO_NAME",
		            "'%.100s' is not a macro's name: no condition can use it", def.name.data);
	if (override.append_flag || override.append)
		reader_note(r, collection_append_macro(r->collection, &r->file->arena, &def, r->diags));
	else
		reader_note(r, collection_define_macro(r->collection, &def, r->diags));
}

/* ---- files ---- */

static void read_item(struct reader *r, const struct doc_node *item)
{
	static const struct {
		const char *key;
		void (*read)(struct reader *r, const struct doc_node *item);
	} kinds[] = {
	        {"required_engine_version", read_engine_version},
	        {"required_plugin_versions", read_plugin_versions},
	        {"list", read_list},
	        {"macro", read_macro},
	        {"rule", reader_rule},
	};
	if (item->kind != DOC_MAP) {
		reader_error(r, item, "an item must be a mapping: a rule, a macro, a list or a required version");
		return;
	}
	for (size_t i = 0; i < ARRAY_SIZE(kinds); i++) {
		if (doc_get(item, kinds[i].key)) {
			kinds[i].read(r, item);
			return;
		}
	}
	struct diag *d = reader_warn(r, item, "LOAD_UNKNOWN_ITEM", "unknown item");
	diag_set_hint(
	        d, "it is ignored; known are rule, macro, list, required_engine_version and required_plugin_versions");
}

static void read_document(struct reader *r, const struct doc_node *root)
{
	if (root->kind != DOC_SEQUENCE) {
		reader_error(r, root, "a rules file must be a sequence of items, each beginning with '- '");
		return;
	}
	for (size_t i = 0; i < root->count && !r->error; i++) {
		if (!doc_is_null(root->items[i]))
			read_item(r, root->items[i]);
	}
}

int reader_read(struct doc_file *file, struct collection *c, struct diag_list *reterr_diags)
{
	struct reader r = {.file = file, .collection = c, .diags = reterr_diags};
	for (size_t i = 0; i < file->root_count && !r.error; i++)
		read_document(&r, file->roots[i]);
	return r.error ? r.error : r.failed || file->has_errors ? -EINVAL : 0;
}
