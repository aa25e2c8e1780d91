/* SPDX-License-Identifier: Apache-2.0
 *
 * Samples of a rule: events written down as values of fields, which the rule must match or must not.
 */
#include "rule/set_int.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#define ERROR_SAMPLE "LOAD_ERR_VALIDATE"
#define WHY_MAX 1024
#define KEY_SHOWN 200
#define FIELD_DIAGS_MAX 4
#define FIELD_BYTES_MAX (16u << 20) /* that reading one field may take */

/* ---- reading ---- */

struct field_found {
	struct field_ref ref;
	size_t count;
};

static void find_field(void *userdata, const struct field_ref *ref)
{
	struct field_found *found = userdata;
	found->ref = *ref;
	found->count++;
}

/* A sample's field is what a condition would mean by it: so it is read as one. ret_ref: its key lives in the arena. */
static int parse_in(struct arena *a, const struct source_text *name, struct diag_list *diags, struct field_ref *ret_ref)
{
	struct field_found found = {0};
	struct source_text *text = arena_new(a, struct source_text);
	struct cond *cond;
	_cleanup_(text_builder_done) struct text_builder b;
	text_builder_init(&b, RULE_TEXT_MAX);
	text_builder_add(&b, name);
	text_builder_add_text(&b, " exists", name, name->text.length);
	int r = text ? text_builder_finish(&b, a, text) : -ENOMEM;
	if (r == 0)
		r = cond_parse(a, text, diags, &cond);
	if (r < 0)
		return r;
	r = cond_check(a, cond, diags);
	if (r == 0)
		cond_each_field(cond, find_field, &found);
	cond_done(cond);
	if (r < 0)
		return r;
	if (found.count != 1 || !str_starts_with(name->text, str_from(field_get_info(found.ref.id)->name)))
		return -EINVAL;
	*ret_ref = found.ref;
	return 0;
}

/* Most are just a name. */
static bool is_bare_field(struct str name, struct field_ref *ret_ref)
{
	size_t length;
	struct field_ref ref;
	if (field_parse_prefix(name, &ref, &length) < 0 || length != name.length)
		return false;
	const struct field_info *info = field_get_info(ref.id);
	if (info->arg != FIELD_ARG_NO || info->flags & FIELD_F_FILTER)
		return false;
	*ret_ref = ref;
	return true;
}

/* What reading takes is much more than what is kept. */
static int parse_field(struct arena *a, const struct source_text *name, struct diag_list *diags,
                       struct field_ref *ret_ref)
{
	if (is_bare_field(name->text, ret_ref))
		return 0;
	_cleanup_(arena_done) struct arena scratch;
	struct field_ref ref;
	arena_init(&scratch, FIELD_BYTES_MAX);
	int r = parse_in(&scratch, name, diags, &ref);
	if (r < 0)
		return r;
	ref.key = arena_str(a, ref.key);
	if (!ref.key.data)
		return -ENOMEM;
	*ret_ref = ref;
	return 0;
}

static bool read_field_name(struct reader *r, const struct doc_node *key, struct field_ref *ret_ref)
{
	struct diag_list diags;
	const struct source_text *name = key->kind == DOC_SCALAR && key->text.length ? doc_source(r->file, key) : NULL;
	if (!name) {
		reader_error(r, key, "a sample's key must be the name of a field");
		return false;
	}
	diag_list_init(&diags, FIELD_DIAGS_MAX);
	int result = parse_field(&r->file->arena, name, &diags, ret_ref);
	if (result == -ENOMEM)
		r->error = result;
	if (result < 0 && diags.count == 0)
		doc_diag(r->file, key->start, r->diags, DIAG_ERROR, ERROR_SAMPLE, "'%.100s' is not a field",
		         key->text.data);
	r->failed |= result < 0;
	diags_move(&diags, r->diags, DIAG_ERROR, ERROR_SAMPLE);
	return result == 0;
}

static bool parse_number(struct str text, bool is_signed, struct value *ret_value)
{
	struct value v = {.kind = is_signed ? VALUE_S64 : VALUE_U64};
	int r = is_signed ? str_to_s64(text, &v.s64) : str_to_u64(text, &v.u64);
	if (r == 0)
		*ret_value = v;
	return r == 0;
}

static bool parse_double(struct str text, struct value *ret_value)
{
	char *end;
	double number = strtod(text.data, &end);
	if (text.length == 0 || end != text.data + text.length)
		return false;
	*ret_value = (struct value){.kind = VALUE_DOUBLE, .number = number};
	return true;
}

static bool parse_value(struct str text, enum field_type type, struct value *ret_value)
{
	struct value v = {.kind = VALUE_STR, .str = text};
	switch (type) {
	case FIELD_S64:
		return parse_number(text, true, ret_value);
	case FIELD_U64:
	case FIELD_TIME:
	case FIELD_PORT:
		return parse_number(text, false, ret_value);
	case FIELD_DOUBLE:
		return parse_double(text, ret_value);
	case FIELD_BOOL:
		v.kind = VALUE_BOOL;
		v.boolean = str_equals(text, "true");
		if (!v.boolean && !str_equals(text, "false"))
			return false;
		break;
	case FIELD_IP:
	case FIELD_NET:
		v.kind = VALUE_IP;
		if (ip_parse(text, &v.ip) < 0)
			return false;
		break;
	case FIELD_BYTES:
		v.kind = VALUE_BYTES;
		break;
	case FIELD_STR:
	case FIELD_PATH:
		break;
	}
	*ret_value = v;
	return true;
}

static const char *type_name(enum field_type type)
{
	switch (type) {
	case FIELD_STR:
	case FIELD_PATH:
	case FIELD_BYTES:
		return "text";
	case FIELD_BOOL:
		return "true or false";
	case FIELD_IP:
	case FIELD_NET:
		return "an address";
	case FIELD_PORT:
		return "a port";
	case FIELD_S64:
	case FIELD_U64:
	case FIELD_TIME:
	case FIELD_DOUBLE:
		break;
	}
	return "a number";
}

static bool read_scalar(struct reader *r, const struct doc_node *node, const struct field_ref *ref,
                        struct value *ret_value)
{
	enum field_type type = field_ref_type(ref);
	if (node->kind == DOC_SCALAR && parse_value(node->text, type, ret_value))
		return true;
	r->failed = true;
	doc_diag(r->file, node->start, r->diags, DIAG_ERROR, ERROR_SAMPLE, "the value of %s must be %s",
	         field_get_info(ref->id)->name, type_name(type));
	return false;
}

static bool gives_list(const struct field_ref *ref)
{
	unsigned flags = field_get_info(ref->id)->flags;
	bool has_argument = ref->has_index || ref->has_key;
	return flags & (FIELD_F_LIST | FIELD_F_ENDS) || (flags & FIELD_F_ANY && !has_argument);
}

/* A list may be written as a sequence, or as its only value. */
static bool read_list(struct reader *r, const struct doc_node *node, const struct field_ref *ref,
                      struct value *ret_value)
{
	size_t count = node->kind == DOC_SEQUENCE ? node->count : 1;
	struct value *items = arena_array(&r->file->arena, struct value, count);
	bool good = reader_memory(r, items);
	for (size_t i = 0; good && i < count; i++)
		good = read_scalar(r, node->kind == DOC_SEQUENCE ? node->items[i] : node, ref, &items[i]);
	if (good)
		*ret_value = (struct value){.kind = VALUE_LIST, .list = {items, count}};
	return good;
}

static bool read_field(struct reader *r, const struct doc_node *key, const struct doc_node *node,
                       struct rule_sample_field *ret_field)
{
	struct rule_sample_field f = {.field = key->text.data};
	if (!read_field_name(r, key, &f.ref))
		return false;
	bool good = doc_is_null(node) || (gives_list(&f.ref) ? read_list(r, node, &f.ref, &f.value)
	                                                     : read_scalar(r, node, &f.ref, &f.value));
	if (good)
		*ret_field = f;
	return good;
}

/* After the first count of into, which has the room. */
static bool read_fields(struct reader *r, const struct doc_node *map, struct rule_sample_field *into, size_t *count)
{
	bool good = true;
	for (size_t i = 0; i < map->count && !r->error; i++) {
		const struct doc_node *key = map->items[2 * i];
		if (key->kind == DOC_SCALAR && (str_equals(key->text, "name") || str_equals(key->text, "fields")))
			continue;
		if (read_field(r, key, map->items[2 * i + 1], &into[*count]))
			(*count)++;
		else
			good = false;
	}
	return good && !r->error;
}

/* {name: …, fields: {evt.type: …}}, or the fields directly beside the name. */
static bool read_sample(struct reader *r, const struct doc_node *node, bool must_match, struct rule_sample *ret_sample)
{
	struct rule_sample sample = {.must_match = must_match};
	const struct source_text *name = NULL;
	if (node->kind != DOC_MAP) {
		reader_error(r, node, "a sample must be a mapping of fields to values");
		return false;
	}
	const struct doc_node *fields = doc_get(node, "fields");
	if (fields && fields->kind != DOC_MAP) {
		reader_error(r, doc_get_key(node, "fields"), "fields must be a mapping of fields to values");
		return false;
	}
	bool good = reader_get_text(r, node, "name", false, &name);
	sample.name = name ? name->text.data : NULL;
	sample.line = doc_segment(r->file, node->start, 0).line;
	struct rule_sample_field *into =
	        arena_array(&r->file->arena, struct rule_sample_field, node->count + (fields ? fields->count : 0));
	if (!reader_memory(r, into))
		return false;
	good &= read_fields(r, node, into, &sample.field_count);
	if (fields)
		good &= read_fields(r, fields, into, &sample.field_count);
	sample.fields = into;
	*ret_sample = sample;
	return good;
}

static bool read_samples(struct reader *r, const struct doc_node *samples, const char *key, struct sample_list *list)
{
	const struct doc_node *sequence = doc_get(samples, key);
	if (doc_is_null(sequence))
		return true;
	if (sequence->kind != DOC_SEQUENCE) {
		reader_error(r, sequence, "'%s' must be a sequence of samples", key);
		return false;
	}
	bool good = true;
	for (size_t i = 0; i < sequence->count && !r->error; i++) {
		if (read_sample(r, sequence->items[i], strcmp(key, "match") == 0, &list->items[list->count]))
			list->count++;
		else
			good = false;
	}
	return good;
}

bool sample_read(struct reader *r, const struct doc_node *node, struct sample_list *ret_list)
{
	static const char *const keys[] = {"match", "nomatch"};
	struct sample_list list = {0};
	size_t count = 0;
	if (doc_is_null(node))
		return true;
	if (node->kind != DOC_MAP) {
		reader_error(r, node, "samples must be a mapping with match and nomatch");
		return false;
	}
	reader_check_keys(r, node, "samples", keys, ARRAY_SIZE(keys));
	for (size_t i = 0; i < ARRAY_SIZE(keys); i++) {
		const struct doc_node *sequence = doc_get(node, keys[i]);
		count += sequence && sequence->kind == DOC_SEQUENCE ? sequence->count : 0;
	}
	list.items = arena_array(&r->file->arena, struct rule_sample, count);
	if (!reader_memory(r, list.items))
		return false;
	bool good = true;
	for (size_t i = 0; i < ARRAY_SIZE(keys); i++)
		good &= read_samples(r, node, keys[i], &list);
	*ret_list = list;
	return good;
}

/* ---- answering ---- */

static bool same_field(const struct field_ref *a, const struct field_ref *b)
{
	return a->id == b->id && a->has_index == b->has_index && (!a->has_index || a->index == b->index) &&
	       str_equal(a->key, b->key);
}

static const struct rule_sample_field *sample_field(const struct rule_sample *sample, const struct field_ref *ref)
{
	for (size_t i = 0; i < sample->field_count; i++) {
		if (same_field(&sample->fields[i].ref, ref))
			return &sample->fields[i];
	}
	return NULL;
}

static void sample_get(const struct field_source *source, const struct field_ref *ref, struct arena *arena,
                       struct value *ret_value)
{
	const struct sample_source *s = (const struct sample_source *)source;
	const struct rule_sample_field *f = sample_field(s->sample, ref);
	(void)arena;
	*ret_value = f ? f->value : (struct value){.kind = VALUE_NULL};
}

void sample_source_init(struct sample_source *s, const struct rule_sample *sample)
{
	*s = (struct sample_source){.source = {.get = sample_get}, .sample = sample};
}

/* ---- judging ---- */

struct judgement {
	const struct rule *rule;
	void (*report)(void *userdata, const struct rule_sample *sample, const char *why);
	void *userdata;
	size_t failures;
	const struct field_ref **told; /* fields that were found without a value */
	size_t told_count, told_capacity;
};

static void printf_like(3, 4) fail(struct judgement *j, const struct rule_sample *sample, const char *format, ...)
{
	char why[WHY_MAX];
	va_list arguments;
	va_start(arguments, format);
	vsnprintf(why, sizeof(why), format, arguments);
	va_end(arguments);
	j->failures++;
	j->report(j->userdata, sample, why);
}

/* The rule is asked only about events of the types that it is indexed under; some types are known by name alone. */
static bool type_is_judged(const struct rule *r, const struct rule_sample *sample)
{
	const struct field_ref type_field = {.id = FIELD_EVT_TYPE};
	const struct rule_sample_field *f = sample_field(sample, &type_field);
	return !f || f->value.kind != VALUE_STR || event_set_has(&r->events, event_type_by_name(f->value.str));
}

static void judge_sample(struct judgement *j, const struct rule_sample *sample)
{
	_cleanup_(arena_done) struct arena arena;
	struct sample_source source;
	arena_init(&arena, 16u << 20);
	sample_source_init(&source, sample);
	bool matches = filter_match(j->rule->condition, &source.source, &arena);
	if (matches && !sample->must_match)
		fail(j, sample, "the rule matches, and must not");
	else if (!matches && sample->must_match)
		fail(j, sample, "the rule does not match, and must");
	else if (matches && !type_is_judged(j->rule, sample))
		fail(j, sample, "the condition matches, but picket has no event of this type for the rule");
}

/* A value that is there but stands for any other does not show that the field is looked at. */
static bool is_wildcard(const struct value *v)
{
	size_t stars = 0;
	while (v->kind == VALUE_STR && stars < v->str.length && v->str.data[stars] == '*')
		stars++;
	return stars > 0 && stars == v->str.length;
}

static bool is_exercised(const struct rule *r, const struct field_ref *ref)
{
	for (size_t i = 0; i < r->sample_count; i++) {
		const struct rule_sample_field *f = sample_field(&r->samples[i], ref);
		if (f && f->value.kind != VALUE_NULL && !is_wildcard(&f->value))
			return true;
	}
	return false;
}

/* evt.num is asked for by conditions that are never true (evt.num=0); of some fields there is never a value. */
static bool needs_exercise(const struct field_ref *ref)
{
	return ref->id != FIELD_EVT_NUM && !(field_get_info(ref->id)->flags & FIELD_F_NULLED);
}

static bool tell_once(struct judgement *j, const struct field_ref *ref)
{
	for (size_t i = 0; i < j->told_count; i++) {
		if (same_field(j->told[i], ref))
			return false;
	}
	if (j->told_count == j->told_capacity) {
		size_t capacity = j->told_capacity ? j->told_capacity * 2 : 16;
		const struct field_ref **told = reallocarray(j->told, capacity, sizeof(*told));
		if (!told)
			return true; /* told twice at worst */
		j->told = told;
		j->told_capacity = capacity;
	}
	j->told[j->told_count++] = ref;
	return true;
}

static void judge_field(void *userdata, const struct field_ref *ref)
{
	struct judgement *j = userdata;
	const struct field_info *info = field_get_info(ref->id);
	if (!needs_exercise(ref) || is_exercised(j->rule, ref) || !tell_once(j, ref))
		return;
	const char *dot = info->arg == FIELD_ARG_NAME ? "." : "[", *end = info->arg == FIELD_ARG_NAME ? "" : "]";
	if (ref->has_index)
		fail(j, NULL, "field %s[%u] is never exercised: no sample gives it a value", info->name, ref->index);
	else if (ref->key.length)
		fail(j, NULL, "field %s%s%.*s%s is never exercised: no sample gives it a value", info->name, dot,
		     (int)MIN(ref->key.length, (size_t)KEY_SHOWN), ref->key.data, end);
	else
		fail(j, NULL, "field %s is never exercised: no sample gives it a value", info->name);
}

static bool has_sample(const struct rule *r, bool must_match)
{
	for (size_t i = 0; i < r->sample_count; i++) {
		if (r->samples[i].must_match == must_match)
			return true;
	}
	return false;
}

size_t rule_test_samples(const struct rule *r,
                         void (*report)(void *userdata, const struct rule_sample *sample, const char *why),
                         void *userdata)
{
	struct judgement j = {.rule = r, .report = report, .userdata = userdata};
	if (r->sample_count == 0 || !r->condition)
		return 0;
	for (size_t i = 0; i < r->sample_count; i++)
		judge_sample(&j, &r->samples[i]);
	if (!has_sample(r, true))
		fail(&j, NULL, "there is no sample that the rule must match");
	if (!has_sample(r, false))
		fail(&j, NULL, "there is no sample that the rule must not match");
	cond_each_field(filter_cond(r->condition), judge_field, &j);
	free(j.told);
	return j.failures;
}
