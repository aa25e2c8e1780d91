/* SPDX-License-Identifier: Apache-2.0
 *
 * Fields and transformers by themselves: resolved, written, evaluated.
 */
#include "rule/condition_int.h"

enum value_class type_class(enum field_type type)
{
	switch (type) {
	case FIELD_STR:
	case FIELD_PATH:
		return CLASS_TEXT;
	case FIELD_BOOL:
		return CLASS_BOOL;
	case FIELD_IP:
	case FIELD_NET:
		return CLASS_ADDRESS;
	case FIELD_BYTES:
		return CLASS_BYTES;
	default:
		return CLASS_NUMBER;
	}
}

const char *expr_type_name(const struct expr *e)
{
	static const char *const names[] = {
	        [FIELD_STR] = "text",        [FIELD_PATH] = "a path",        [FIELD_S64] = "a number",
	        [FIELD_U64] = "a number",    [FIELD_BOOL] = "true or false", [FIELD_TIME] = "a time in nanoseconds",
	        [FIELD_DOUBLE] = "a number", [FIELD_IP] = "an address",      [FIELD_NET] = "a network",
	        [FIELD_PORT] = "a port",     [FIELD_BYTES] = "bytes",
	};
	return e->many == MANY_LIST ? "a list" : names[e->type];
}

/* ---- fields ---- */

static bool all_digits(struct str s)
{
	for (size_t i = 0; i < s.length; i++) {
		if (s.data[i] < '0' || s.data[i] > '9')
			return false;
	}
	return s.length > 0;
}

/* Fields that a name follows: a wrong one is the name's fault, a missing one is not an unknown field. */
static bool field_fail_name(struct check *c, const struct expr *e)
{
	static const struct {
		struct str field;
		const char *text;
	} named[] = {
	        {{"evt.arg", 7}, "no event has an argument"},
	        {{"evt.rawarg", 10}, "no event has an argument"},
	        {{"evt.type.is", 11}, "unknown event type"},
	        {{"thread.cgroup", 13}, "no control group subsystem"},
	};
	for (size_t i = 0; i < ARRAY_SIZE(named); i++) {
		struct str field = named[i].field;
		if (!str_starts_with(e->name, field))
			continue;
		if (e->name.length == field.length) {
			struct diag *d = check_fail(c, e->at + field.length, "%s needs a name after it", field.data);
			diag_set_hint(d, "write %s.NAME", field.data);
			return true;
		}
		if (e->name.data[field.length] == '.') {
			struct str name = str_make(e->name.data + field.length + 1, e->name.length - field.length - 1);
			check_fail_unknown(c, e->at + field.length + 1, "%s '" STR_FMT "'", named[i].text,
			                   STR_ARG(name));
			return true;
		}
	}
	return false;
}

static bool field_fail_unknown(struct check *c, const struct expr *e)
{
	if (field_fail_name(c, e))
		return false;
	const char *near = field_suggest(e->name);
	struct diag *d = check_fail_unknown(c, e->at, "there is no field '" STR_FMT "'", STR_ARG(e->name));
	if (near)
		diag_set_hint(d, "did you mean %s?", near);
	else
		diag_set_hint(d, "`picket fields` lists all fields");
	return false;
}

static bool field_take_index(struct check *c, const struct expr *e, struct field_ref *ref)
{
	uint64_t index;
	if (!all_digits(e->arg) || str_to_u64(e->arg, &index) < 0 || index > UINT32_MAX) {
		check_fail(c, e->arg_at, "expected a number in the brackets of " STR_FMT ", found '" STR_FMT "'",
		           STR_ARG(e->name), STR_ARG(e->arg));
		return false;
	}
	ref->has_index = true;
	ref->index = (uint32_t)index;
	return true;
}

static bool field_take_key(const struct expr *e, struct field_ref *ref)
{
	ref->has_key = true;
	ref->key = e->arg;
	return true;
}

static bool field_take_arg(struct check *c, const struct expr *e, enum field_arg takes, struct field_ref *ref)
{
	if (takes == FIELD_ARG_NO || (takes == FIELD_ARG_NAME && ref->has_key)) {
		check_fail(c, e->arg_at, STR_FMT " takes no argument in brackets", STR_ARG(e->name));
		return false;
	}
	if (takes == FIELD_ARG_INDEX || (takes != FIELD_ARG_KEY && all_digits(e->arg)))
		return field_take_index(c, e, ref);
	return field_take_key(e, ref);
}

static bool field_needs_arg(struct check *c, const struct expr *e, enum field_arg takes)
{
	if (takes == FIELD_ARG_NEED && !e->has_arg) {
		check_fail(c, e->at + e->name.length, STR_FMT " needs an argument in brackets", STR_ARG(e->name));
		return false;
	}
	return true;
}

/* The name of an argument in brackets, and what only goes by name. */
static bool field_arg_known(struct check *c, const struct expr *e, const struct field_ref *ref)
{
	if (ref->id == FIELD_EVT_ARG && ref->has_key && !event_arg_name_known(ref->key)) {
		check_fail_unknown(c, e->arg_at, "no event has an argument '" STR_FMT "'", STR_ARG(ref->key));
		return false;
	}
	return true;
}

static enum expr_many field_many(const struct field_info *info, const struct field_ref *ref)
{
	if (ref->has_index || (ref->has_key && info->arg != FIELD_ARG_NAME))
		return MANY_ONE;
	if (info->flags & FIELD_F_ENDS)
		return MANY_ENDS;
	if (info->flags & FIELD_F_ANY)
		return MANY_ANY;
	return info->flags & FIELD_F_LIST ? MANY_LIST : MANY_ONE;
}

static bool field_check(struct check *c, struct expr *e)
{
	struct field_ref ref = {0};
	size_t length = 0;
	/* Some names are only whole with the bracket that follows them. */
	struct str text = str_make(e->name.data, e->name.length + e->has_arg);
	if (field_parse_prefix(text, &ref, &length) < 0 || length != e->name.length)
		return field_fail_unknown(c, e);
	const struct field_info *info = field_get_info(ref.id);
	if (e->has_arg && !field_take_arg(c, e, info->arg, &ref))
		return false;
	if (!field_needs_arg(c, e, info->arg) || !field_arg_known(c, e, &ref))
		return false;
	if (c->output && info->flags & FIELD_F_FILTER) {
		check_fail(c, e->at, STR_FMT " is for conditions only, an output cannot show it", STR_ARG(e->name));
		return false;
	}
	ref.output = c->output;
	e->ref = ref;
	e->type = field_ref_type(&ref);
	e->many = field_many(info, &ref);
	return true;
}

/* ---- transformers ---- */

static bool call_check_args(struct check *c, struct expr *e)
{
	for (size_t i = 0; i < e->arg_count; i++) {
		struct expr *arg = e->args[i];
		if (!expr_check(c, arg))
			return false;
		if (arg->kind == EXPR_FIELD && field_get_info(arg->ref.id)->flags & FIELD_F_FILTER) {
			check_fail(c, arg->at, STR_FMT " cannot be given to a transformer", STR_ARG(arg->name));
			return false;
		}
	}
	return true;
}

static bool call_check(struct check *c, struct expr *e)
{
	const struct transform *t = transform_find(e->name);
	if (e->has_arg && !t->takes_arg) {
		check_fail(c, e->arg_at, "%s() takes no argument in brackets", t->name);
		return false;
	}
	if (e->arg_count < t->args_min || e->arg_count > t->args_max) {
		check_fail(c, e->at, "%s() takes %s%zu argument%s, not %zu", t->name,
		           t->args_max > t->args_min ? "at least " : "", t->args_min, t->args_min == 1 ? "" : "s",
		           e->arg_count);
		return false;
	}
	e->transform = t;
	return call_check_args(c, e) && t->check(c, e);
}

bool expr_check(struct check *c, struct expr *e)
{
	switch (e->kind) {
	case EXPR_FIELD:
		return field_check(c, e);
	case EXPR_CALL:
		return call_check(c, e);
	case EXPR_LIST:
		e->type = FIELD_STR;
		e->many = MANY_LIST;
		return call_check_args(c, e);
	case EXPR_TEXT:
		e->type = FIELD_STR;
		return true;
	case EXPR_NUMBER:
		e->type = e->constant.kind == VALUE_DOUBLE ? FIELD_DOUBLE : FIELD_S64;
		return true;
	}
	return false;
}

void expr_each_field(const struct expr *e, void (*call)(void *userdata, const struct field_ref *ref), void *userdata)
{
	if (e->kind == EXPR_FIELD)
		call(userdata, &e->ref);
	for (size_t i = 0; i < e->arg_count; i++)
		expr_each_field(e->args[i], call, userdata);
}

bool expr_uses_field(const struct expr *e, enum field_id id)
{
	if (e->kind == EXPR_FIELD)
		return e->ref.id == id;
	for (size_t i = 0; i < e->arg_count; i++) {
		if (expr_uses_field(e->args[i], id))
			return true;
	}
	return false;
}

enum value_print expr_print(const struct expr *e)
{
	unsigned flags = e->kind == EXPR_FIELD ? field_get_info(e->ref.id)->flags : 0;
	if (flags & FIELD_F_HEX)
		return PRINT_HEX;
	return flags & FIELD_F_PADDED9 ? PRINT_PADDED9 : PRINT_PLAIN;
}

/* ---- values ---- */

static void set_undecided(struct eval *eval, struct value *ret_value)
{
	eval->undecided = true;
	*ret_value = (struct value){.kind = VALUE_NULL};
}

/* The values of all arguments. False: one of them has none. */
static bool args_values(const struct expr *e, struct eval *eval, struct value *values)
{
	for (size_t i = 0; i < e->arg_count; i++) {
		expr_value(e->args[i], eval, &values[i]);
		if (values[i].kind == VALUE_NULL)
			return false;
	}
	return true;
}

/* Of a list, each value by itself; those that come to nothing are left out. */
static void call_each(const struct expr *e, struct eval *eval, const struct value *list, struct value *ret_value)
{
	struct value *items = arena_array(eval->arena, struct value, list->list.count);
	size_t count = 0;
	if (!items) {
		set_undecided(eval, ret_value);
		return;
	}
	for (size_t i = 0; i < list->list.count; i++) {
		struct value result = {.kind = VALUE_NULL};
		e->transform->apply(e, &list->list.items[i], eval, &result);
		if (result.kind != VALUE_NULL)
			items[count++] = result;
	}
	*ret_value = (struct value){.kind = VALUE_LIST, .truncated = list->truncated, .list = {items, count}};
}

static void call_value(const struct expr *e, struct eval *eval, struct value *ret_value)
{
	struct value *args = arena_array(eval->arena, struct value, e->arg_count);
	*ret_value = (struct value){.kind = VALUE_NULL};
	if (!args) {
		set_undecided(eval, ret_value);
		return;
	}
	if (!args_values(e, eval, args))
		return;
	if (e->transform->each && args[0].kind == VALUE_LIST)
		call_each(e, eval, &args[0], ret_value);
	else
		e->transform->apply(e, args, eval, ret_value);
}

static void list_value(const struct expr *e, struct eval *eval, struct value *ret_value)
{
	struct value *items = arena_array(eval->arena, struct value, e->arg_count);
	*ret_value = (struct value){.kind = VALUE_NULL};
	if (!items)
		set_undecided(eval, ret_value);
	else if (args_values(e, eval, items))
		*ret_value = (struct value){.kind = VALUE_LIST, .list = {items, e->arg_count}};
}

static void expr_compute(const struct expr *e, struct eval *eval, struct value *ret_value)
{
	switch (e->kind) {
	case EXPR_FIELD:
		*ret_value = (struct value){.kind = VALUE_NULL};
		eval->source->get(eval->source, &e->ref, eval->arena, ret_value);
		break;
	case EXPR_CALL:
		call_value(e, eval, ret_value);
		break;
	case EXPR_LIST:
		list_value(e, eval, ret_value);
		break;
	case EXPR_TEXT:
	case EXPR_NUMBER:
		*ret_value = e->constant;
		break;
	}
}

void expr_value(const struct expr *e, struct eval *eval, struct value *ret_value)
{
	struct cond_cache *cache = eval->cache;
	bool cached = cache && e->number && e->number <= cache->expr_count;
	if (cached && cache->values[e->number - 1]) {
		*ret_value = *cache->values[e->number - 1];
		return;
	}
	expr_compute(e, eval, ret_value);
	struct value *kept = cached ? arena_new(eval->arena, struct value) : NULL;
	if (kept) {
		*kept = *ret_value;
		cache->values[e->number - 1] = kept;
	}
}
