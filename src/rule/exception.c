/* SPDX-License-Identifier: Apache-2.0
 *
 * Exceptions of a rule. They mean "and not (…)" behind its condition and are written so, as text: list names in them
 * work, and what is wrong in a value is told by the condition's own checks, at the value's place.
 */
#include "rule/set_int.h"

#include <errno.h>

#define ERROR_VALIDATE "LOAD_ERR_VALIDATE"
#define EXCEPTIONS_MAX 1000
#define ENTRY_DEPTH_MAX 3 /* values: [ [ a, [b, c] ] ] */

/* ---- reading ---- */

static bool read_entry(struct reader *r, const struct doc_node *node, unsigned depth,
                       struct exception_entry *ret_entry);

static bool read_entry_list(struct reader *r, const struct doc_node *node, unsigned depth, struct exception_entry *e)
{
	e->is_list = true;
	e->items = arena_array(&r->file->arena, struct exception_entry, node->count);
	if (!reader_memory(r, e->items))
		return false;
	bool good = true;
	for (size_t i = 0; i < node->count; i++)
		good &= read_entry(r, node->items[i], depth + 1, &e->items[i]);
	e->count = node->count;
	return good;
}

static bool read_entry(struct reader *r, const struct doc_node *node, unsigned depth, struct exception_entry *ret_entry)
{
	struct exception_entry e = {.present = true, .place = {r->file, node->start}};
	if (node->kind == DOC_MAP || (node->kind == DOC_SEQUENCE && depth >= ENTRY_DEPTH_MAX)) {
		reader_error(r, node,
		             node->kind == DOC_MAP ? "expected a value or a list of values, not a mapping"
		                                   : "lists are nested too deeply here");
		return false;
	}
	if (node->kind == DOC_SEQUENCE) {
		if (!read_entry_list(r, node, depth, &e))
			return false;
	} else if (node->text.length == 0 || doc_is_null(node)) {
		reader_error(r, node, "a value must not be empty");
		return false;
	} else {
		e.text = doc_source(r->file, node);
		if (!reader_memory(r, e.text))
			return false;
	}
	*ret_entry = e;
	return true;
}

static bool read_optional_entry(struct reader *r, const struct doc_node *map, const char *key,
                                struct exception_entry *ret_entry)
{
	const struct doc_node *node = doc_get(map, key);
	return !node || read_entry(r, node, ENTRY_DEPTH_MAX - 1, ret_entry);
}

static bool read_values(struct reader *r, const struct doc_node *map, struct exception_def *e)
{
	const struct doc_node *node = doc_get(map, "values");
	e->has_values = node;
	if (doc_is_null(node))
		return true;
	if (node->kind != DOC_SEQUENCE) {
		reader_error(r, node, "the values of an exception must be a sequence");
		return false;
	}
	struct exception_entry all = {0};
	bool good = read_entry_list(r, node, 0, &all);
	e->values = all.items;
	e->value_count = all.count;
	return good;
}

static bool read_exception(struct reader *r, const struct doc_node *node, bool append,
                           struct exception_def *ret_exception)
{
	static const char *const keys[] = {"name", "fields", "comps", "values"};
	if (node->kind != DOC_MAP) {
		reader_error(r, node, "an exception must be a mapping with name, fields, comps and values");
		return false;
	}
	struct exception_def e = {.place = {r->file, node->start}};
	reader_check_keys(r, node, "an exception", keys, ARRAY_SIZE(keys));
	bool good = reader_get_text(r, node, "name", true, &e.name_text);
	good &= read_optional_entry(r, node, "fields", &e.fields);
	good &= read_optional_entry(r, node, "comps", &e.comps);
	good &= read_values(r, node, &e);
	if (!good)
		return false;
	e.name = e.name_text->text;
	if (!e.fields.present && !append) {
		reader_error(r, node, "the exception '%.100s' needs fields", e.name.data);
		return false;
	}
	if (!e.has_values && append)
		reader_warn(r, node, "LOAD_APPEND_NO_VALUES", "the appended exception '%.100s' has no values",
		            e.name.data);
	*ret_exception = e;
	return true;
}

static void warn_repeated_name(struct reader *r, const struct doc_node *node, const struct exception_list *before,
                               struct str name)
{
	for (size_t i = 0; i < before->count; i++) {
		if (str_equal(before->items[i].name, name)) {
			reader_warn(r, node, "LOAD_EXCEPTION_NAME_NOT_UNIQUE",
			            "the exception '%.100s' stands twice in one rule", name.data);
			return;
		}
	}
}

bool exception_read(struct reader *r, const struct doc_node *node, bool append, struct exception_list *ret_list)
{
	struct exception_list list = {0};
	if (doc_is_null(node)) {
		*ret_list = list;
		return true;
	}
	if (node->kind != DOC_SEQUENCE) {
		reader_error(r, node, "exceptions must be a sequence");
		return false;
	}
	if (node->count > EXCEPTIONS_MAX) {
		reader_error(r, node, "a rule may have at most %d exceptions", EXCEPTIONS_MAX);
		return false;
	}
	list.items = arena_array(&r->file->arena, struct exception_def, node->count);
	if (!reader_memory(r, list.items))
		return false;
	bool good = true;
	for (size_t i = 0; i < node->count; i++) {
		if (!read_exception(r, node->items[i], append, &list.items[list.count])) {
			good = false;
			continue;
		}
		warn_repeated_name(r, node->items[i], &list, list.items[list.count].name);
		list.count++;
	}
	*ret_list = list;
	return good;
}

/* ---- checking ---- */

#define tell(place, diags, ...) (place_diag((place), (diags), DIAG_ERROR, ERROR_VALIDATE, __VA_ARGS__), -EINVAL)

static int check_field(const struct exception_entry *field, bool check_fields, struct diag_list *diags)
{
	if (field->is_list)
		return tell(field->place, diags, "a field must be a name, not a list");
	if (!check_fields || cond_field_known(field->text->text))
		return 0;
	struct diag *d = place_diag(field->place, diags, DIAG_ERROR, ERROR_VALIDATE,
	                            "'%.100s' is not a field that a condition can use", field->text->text.data);
	const char *similar = field_suggest(field->text->text);
	if (similar)
		diag_set_hint(d, "did you mean %s?", similar);
	return -EINVAL;
}

/* The operator that an exception has when none is written; shown at its field. */
static int default_operator(struct arena *a, const char *text, const struct exception_entry *field,
                            struct exception_entry *ret_entry)
{
	struct source_text *t = arena_new(a, struct source_text);
	if (!t)
		return -ENOMEM;
	*t = (struct source_text){str_from(text), field->text->segments, 1};
	*ret_entry = (struct exception_entry){.present = true, .text = t, .place = field->place};
	return 0;
}

static int default_operators(struct arena *a, struct exception_def *e)
{
	struct exception_entry comps = {
	        .is_list = true, .present = true, .count = e->fields.count, .place = e->fields.place};
	comps.items = arena_array(a, struct exception_entry, comps.count);
	if (!comps.items)
		return -ENOMEM;
	for (size_t i = 0; i < comps.count; i++) {
		int r = default_operator(a, "=", &e->fields.items[i], &comps.items[i]);
		if (r < 0)
			return r;
	}
	e->comps = comps;
	return 0;
}

static int check_operator(const struct exception_entry *comp, bool needs_list, struct diag_list *diags)
{
	bool takes_list;
	if (comp->is_list)
		return tell(comp->place, diags, "an operator must be a word, not a list");
	if (!cond_operator_known(comp->text->text, &takes_list))
		return tell(comp->place, diags, "'%.100s' is not an operator", comp->text->text.data);
	if (needs_list && !takes_list)
		return tell(comp->place, diags,
		            "where fields is one field, comps must be an operator that takes a list: "
		            "in, pmatch, intersects, or one with oneof, anyof, allof; not '%.100s'",
		            comp->text->text.data);
	return 0;
}

static int check_single(struct arena *a, struct exception_def *e, bool check_fields, struct diag_list *diags)
{
	int result = check_field(&e->fields, check_fields, diags);
	if (e->comps.is_list)
		return tell(e->comps.place, diags,
		            "fields and comps of '%.100s' must both be single words or both be lists", e->name.data);
	int r = e->comps.present ? check_operator(&e->comps, true, diags)
	                         : default_operator(a, "in", &e->fields, &e->comps);
	return r < 0 ? r : result;
}

static int check_tuple(struct arena *a, struct exception_def *e, bool check_fields, struct diag_list *diags)
{
	int result = 0;
	if (e->fields.count == 0)
		return tell(e->fields.place, diags, "the exception '%.100s' has no fields", e->name.data);
	for (size_t i = 0; i < e->fields.count; i++) {
		if (check_field(&e->fields.items[i], check_fields, diags) < 0)
			result = -EINVAL;
	}
	if (result < 0)
		return result;
	if (!e->comps.present)
		return default_operators(a, e);
	if (!e->comps.is_list || e->comps.count != e->fields.count)
		return tell(e->comps.place, diags, "fields and comps of '%.100s' must be lists of the same length",
		            e->name.data);
	for (size_t i = 0; i < e->comps.count; i++) {
		if (check_operator(&e->comps.items[i], false, diags) < 0)
			result = -EINVAL;
	}
	return result;
}

int exception_check_values(const struct exception_def *shape, const struct exception_entry *values, size_t count,
                           struct diag_list *reterr_diags)
{
	int result = 0;
	for (size_t i = 0; i < count; i++) {
		const struct exception_entry *v = &values[i];
		if (!shape->fields.is_list && v->is_list)
			result = tell(v->place, reterr_diags,
			              "the exception '%.100s' has one field: its values are single values, not lists",
			              shape->name.data);
		if (!shape->fields.is_list || (v->is_list && v->count == shape->fields.count))
			continue;
		place_diag(v->place, reterr_diags, DIAG_ERROR, ERROR_VALIDATE,
		           "a value of the exception '%.100s' must be a list of %zu, one for each field",
		           shape->name.data, shape->fields.count);
		result = -EINVAL;
	}
	return result;
}

int exception_check(struct arena *a, struct exception_def *e, bool check_fields, struct diag_list *reterr_diags)
{
	if (!e->fields.present)
		return tell(e->place, reterr_diags, "the exception '%.100s' needs fields", e->name.data);
	int r = e->fields.is_list ? check_tuple(a, e, check_fields, reterr_diags)
	                          : check_single(a, e, check_fields, reterr_diags);
	if (r == -ENOMEM)
		return r;
	int values = exception_check_values(e, e->values, e->value_count, reterr_diags);
	return r < 0 ? r : values;
}

/* ---- writing ---- */

static void write_list(struct text_builder *b, const struct exception_entry *items, size_t count,
                       const struct source_text *at)
{
	text_builder_add_text(b, "(", at, 0);
	for (size_t i = 0; i < count; i++) {
		if (i)
			text_builder_add_text(b, ", ", items[i].text ? items[i].text : at, 0);
		if (items[i].text)
			list_write_item(b, items[i].text);
	}
	text_builder_add_text(b, ")", at, 0);
}

static void write_value(struct text_builder *b, const struct exception_entry *value, const struct source_text *operator)
{
	bool takes_list = false;
	if (value->is_list)
		write_list(b, value->items, value->count, operator);
	else if (cond_operator_known(operator->text, &takes_list) && takes_list && value->text->text.data[0] != '(')
		write_list(b, value, 1, value->text);
	else if (takes_list)
		text_builder_add(b, value->text);
	else
		list_write_item(b, value->text);
}

static void write_comparison(struct text_builder *b, const struct exception_entry *field,
                             const struct exception_entry *comp)
{
	text_builder_add(b, field->text);
	text_builder_add_text(b, " ", comp->text, 0);
	text_builder_add(b, comp->text);
	text_builder_add_text(b, " ", comp->text, comp->text->text.length);
}

static void write_tuple(struct text_builder *b, const struct exception_def *e, const struct exception_entry *tuple)
{
	text_builder_add_text(b, "(", e->name_text, 0);
	for (size_t i = 0; i < e->fields.count; i++) {
		if (i)
			text_builder_add_text(b, " and ", e->fields.items[i].text, 0);
		write_comparison(b, &e->fields.items[i], &e->comps.items[i]);
		write_value(b, &tuple->items[i], e->comps.items[i].text);
	}
	text_builder_add_text(b, ")", e->name_text, 0);
}

static void write_exception(struct text_builder *b, const struct exception_def *e)
{
	text_builder_add_text(b, " and not (", e->name_text, 0);
	if (!e->fields.is_list) {
		write_comparison(b, &e->fields, &e->comps);
		write_list(b, e->values, e->value_count, e->name_text);
	}
	for (size_t i = 0; e->fields.is_list && i < e->value_count; i++) {
		if (i)
			text_builder_add_text(b, " or ", e->name_text, 0);
		write_tuple(b, e, &e->values[i]);
	}
	text_builder_add_text(b, ")", e->name_text, 0);
}

void exception_write(const struct source_text *condition, const struct exception_list *list, struct text_builder *b)
{
	bool any = false;
	for (size_t i = 0; i < list->count; i++)
		any |= list->items[i].value_count > 0;
	if (any)
		text_builder_add_text(b, "(", condition, 0);
	text_builder_add(b, condition);
	if (any)
		text_builder_add_text(b, ")", condition, condition->text.length);
	for (size_t i = 0; i < list->count; i++) {
		if (list->items[i].value_count)
			write_exception(b, &list->items[i]);
	}
}
