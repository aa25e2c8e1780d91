/* SPDX-License-Identifier: Apache-2.0 */
#include "guard/policy_int.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>

#include "base/clock.h"

#define ERRNO_MAX 133

/* ---- telling ---- */

struct diag *policy_error(struct policy_reader *r, const struct doc_node *at, const char *format, ...)
{
	va_list arguments;
	va_start(arguments, format);
	struct diag *d = doc_vdiag(r->file, at->start, r->diags, DIAG_ERROR, CODE_POLICY, format, arguments);
	va_end(arguments);
	r->failed = true;
	return d;
}

bool policy_memory(struct policy_reader *r, const void *pointer)
{
	if (!pointer)
		r->error = -ENOMEM;
	return pointer;
}

const char *policy_keep(struct policy_reader *r, struct str text)
{
	const char *kept = arena_str(r->arena, text).data;
	policy_memory(r, kept);
	return kept;
}

/* ---- scalars ---- */

const struct doc_node *get_scalar(struct policy_reader *r, const struct doc_node *map, const char *key)
{
	const struct doc_node *value = doc_get(map, key);
	if (!value)
		return NULL;
	if (doc_is_null(value) || (value->kind == DOC_SCALAR && value->text.length == 0)) {
		policy_error(r, doc_get_key(map, key), "the value of '%s' must not be empty", key);
		return NULL;
	}
	if (value->kind != DOC_SCALAR) {
		policy_error(r, value, "the value of '%s' must be one value, not a %s", key,
		             value->kind == DOC_MAP ? "mapping" : "sequence");
		return NULL;
	}
	return value;
}

/* True, with *ret_value NULL, if the key is absent. */
static bool get_optional(struct policy_reader *r, const struct doc_node *map, const char *key,
                         const struct doc_node **ret_value)
{
	*ret_value = get_scalar(r, map, key);
	return *ret_value || !doc_get(map, key);
}

bool get_word(struct policy_reader *r, const struct doc_node *map, const char *key, int (*parse)(struct str name),
              struct names (*names)(void), int *value)
{
	const struct doc_node *node;
	if (!get_optional(r, map, key, &node) || !node)
		return !doc_get(map, key);
	int found = parse(node->text);
	if (found >= 0) {
		*value = found;
		return true;
	}
	struct diag *d = policy_error(r, node, "'%.100s' is no %s", node->text.data, key);
	diag_set_hint(d, "it is one of %s", names().text);
	return false;
}

bool get_count(struct policy_reader *r, const struct doc_node *map, const char *key, uint32_t max, uint32_t *value)
{
	const struct doc_node *node;
	uint64_t number;
	if (!get_optional(r, map, key, &node) || !node)
		return !doc_get(map, key);
	if (str_to_u64(node->text, &number) == 0 && number >= 1 && number <= max) {
		*value = (uint32_t)number;
		return true;
	}
	policy_error(r, node, "the value of '%s' must be a number from 1 to %u, not '%.100s'", key, max,
	             node->text.data);
	return false;
}

bool get_duration(struct policy_reader *r, const struct doc_node *map, const char *key, uint64_t max_ns,
                  uint64_t *value)
{
	const struct doc_node *node;
	uint64_t ns;
	if (!get_optional(r, map, key, &node) || !node)
		return !doc_get(map, key);
	if (clock_parse_duration(node->text, &ns) == 0 && ns >= NS_PER_S && ns <= max_ns) {
		*value = ns;
		return true;
	}
	struct diag *d = policy_error(r, node, "the value of '%s' must be a time from 1s to %llus, not '%.100s'", key,
	                              (unsigned long long)(max_ns / NS_PER_S), node->text.data);
	diag_set_hint(d, "it looks like 30s, 5m, 2h or 1d");
	return false;
}

bool get_share(struct policy_reader *r, const struct doc_node *map, const char *key, uint32_t *value)
{
	const struct doc_node *node;
	uint64_t number;
	if (!get_optional(r, map, key, &node) || !node)
		return !doc_get(map, key);
	struct str text = node->text;
	bool percent = str_ends_with(text, STR("%"));
	text.length -= percent;
	if (percent && str_to_u64(text, &number) == 0 && number >= 1 && number <= 100) {
		*value = (uint32_t)number;
		return true;
	}
	policy_error(r, node, "the value of '%s' must be from 1%% to 100%%, not '%.100s'", key, node->text.data);
	return false;
}

bool get_error(struct policy_reader *r, const struct doc_node *map, const char *key, int *value)
{
	const struct doc_node *node;
	if (!get_optional(r, map, key, &node) || !node)
		return !doc_get(map, key);
	for (int i = 1; i <= ERRNO_MAX; i++) {
		const char *name = errno_name(i);
		if (name && str_equals(node->text, name)) {
			*value = i;
			return true;
		}
	}
	struct diag *d = policy_error(r, node, "'%.100s' is no error", node->text.data);
	diag_set_hint(d, "it is the name of one, as EPERM, EACCES or ENOENT");
	return false;
}

bool get_rate(struct policy_reader *r, const struct doc_node *map, const char *key, uint32_t *rate, uint32_t *seconds)
{
	static const struct {
		const char *unit;
		uint32_t seconds;
	} units[] = {{"s", 1}, {"m", 60}, {"h", 3600}};
	const struct doc_node *node;
	uint64_t number;
	if (!get_optional(r, map, key, &node) || !node)
		return !doc_get(map, key);
	ssize_t slash = str_find_char(node->text, '/');
	struct str count = str_make(node->text.data, slash < 0 ? 0 : (size_t)slash), unit = {NULL, 0};
	if (slash >= 0)
		unit = str_make(node->text.data + slash + 1, node->text.length - (size_t)slash - 1);
	for (size_t i = 0; i < ARRAY_SIZE(units); i++) {
		if (str_equals(unit, units[i].unit) && str_to_u64(count, &number) == 0 && number >= 1 &&
		    number <= 1000000) {
			*rate = (uint32_t)number;
			*seconds = units[i].seconds;
			return true;
		}
	}
	struct diag *d = policy_error(r, node, "'%.100s' is no rate", node->text.data);
	diag_set_hint(d, "it is a number up to 1000000 and a unit: 20/s, 100/m or 1000/h");
	return false;
}

/* ---- lists ---- */

static bool is_text(struct policy_reader *r, const struct doc_node *item, const char *key)
{
	if (item->kind == DOC_SCALAR && !doc_is_null(item) && item->text.length > 0)
		return true;
	policy_error(r, item, "an element of '%s' must be a single value that is not empty", key);
	return false;
}

static bool add_text(struct policy_reader *r, const struct doc_node *item, const char *key, const char **items,
                     size_t *count)
{
	for (size_t i = 0; i < *count; i++) {
		if (str_equals(item->text, items[i])) {
			policy_error(r, item, "'%.100s' stands twice in '%s'", items[i], key);
			return false;
		}
	}
	items[*count] = policy_keep(r, item->text);
	*count += items[*count] != NULL;
	return !r->error;
}

/* The nodes that a key's value consists of: itself, or its elements. NULL: it was told. */
static struct doc_node *const *get_nodes(struct policy_reader *r, const struct doc_node *map, const char *key,
                                         size_t *ret_count)
{
	const struct doc_node *value = doc_get(map, key);
	for (size_t i = 0; i < map->count && value->kind == DOC_SCALAR; i++) {
		if (map->items[2 * i + 1] == value && get_scalar(r, map, key)) {
			*ret_count = 1;
			return &map->items[2 * i + 1];
		}
	}
	if (value->kind == DOC_SEQUENCE && value->count > 0 && value->count <= POLICY_VALUES_MAX) {
		*ret_count = value->count;
		return value->items;
	}
	if (value->kind == DOC_SCALAR)
		return NULL;
	policy_error(r, value, "the value of '%s' must be a text or a sequence of 1 to %d of them", key,
	             POLICY_VALUES_MAX);
	return NULL;
}

bool get_texts(struct policy_reader *r, const struct doc_node *map, const char *key,
               bool (*check)(struct policy_reader *r, const struct doc_node *item), struct policy_texts *value)
{
	size_t count, kept = 0;
	if (!doc_get(map, key))
		return true;
	struct doc_node *const *nodes = get_nodes(r, map, key, &count);
	if (!nodes)
		return false;
	const char **items = arena_array(r->arena, const char *, count);
	bool good = policy_memory(r, items);
	for (size_t i = 0; i < count && items && !r->error; i++)
		good = is_text(r, nodes[i], key) && (!check || check(r, nodes[i])) &&
		       add_text(r, nodes[i], key, items, &kept) && good;
	*value = (struct policy_texts){items, kept};
	return good;
}

/* "c 1:3", "b 8:*", "a *:*". */
static bool device_parse(struct str text, struct policy_device *ret_device)
{
	struct str rest = text, kind, major, minor;
	struct policy_device d = {.major = UINT32_MAX, .minor = UINT32_MAX};
	uint64_t number;
	str_next(&rest, ' ', &kind);
	if (kind.length != 1 || !strchr("abc", kind.data[0]) || !rest.data)
		return false;
	d.kind = kind.data[0];
	str_next(&rest, ':', &major);
	if (!rest.data)
		return false;
	minor = rest;
	if (!str_equals(major, "*")) {
		if (str_to_u64(major, &number) < 0 || number >= 1u << 12)
			return false;
		d.major = (uint32_t)number;
	}
	if (!str_equals(minor, "*")) {
		if (str_to_u64(minor, &number) < 0 || number >= 1u << 20)
			return false;
		d.minor = (uint32_t)number;
	}
	*ret_device = d;
	return true;
}

bool get_devices(struct policy_reader *r, const struct doc_node *map, struct policy *p)
{
	size_t count;
	if (!doc_get(map, "devices"))
		return true;
	struct doc_node *const *nodes = get_nodes(r, map, "devices", &count);
	if (!nodes)
		return false;
	struct policy_device *devices = arena_array(r->arena, struct policy_device, count);
	bool good = policy_memory(r, devices);
	for (size_t i = 0; i < count && devices; i++) {
		if (!is_text(r, nodes[i], "devices")) {
			good = false;
		} else if (!device_parse(nodes[i]->text, &devices[i])) {
			struct diag *d = policy_error(r, nodes[i], "'%.100s' is no device", nodes[i]->text.data);
			diag_set_hint(d, "it is a kind (b, c, or a for both), major and minor number: \"c 1:3\"; * is "
			                 "any number");
			good = false;
		}
	}
	p->devices = devices;
	p->device_count = count;
	return good;
}

/* ---- keys ---- */

bool check_keys(struct policy_reader *r, const struct doc_node *map, const char *where)
{
	bool good = true;
	for (size_t i = 0; i < map->count; i++) {
		const struct doc_node *key = map->items[2 * i];
		if (key->kind == DOC_SCALAR && key_find(where, key->text))
			continue;
		struct diag *d = key->kind == DOC_SCALAR
		                         ? policy_error(r, key, "unknown key '%.100s' in a %s", key->text.data, where)
		                         : policy_error(r, key, "a key that is not a word in a %s", where);
		diag_set_hint(d, "known are %s", key_names(where).text);
		good = false;
	}
	return good;
}
