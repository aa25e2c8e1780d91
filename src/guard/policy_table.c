/* SPDX-License-Identifier: Apache-2.0 */
#include "guard/policy_int.h"

#include <stdio.h>

/* ---- names ---- */

static const char *const modes[] = {
#define POLICY_MODE(id, name, doc) name,
#include "schema/policy.def"
};
static const char *const actions[] = {
#define POLICY_ACTION(id, name, doc) name,
#include "schema/policy.def"
};
static const char *const points[] = {
#define POLICY_POINT(id, name, doc) name,
#include "schema/policy.def"
};
static const struct {
	const char *name, *left;
} scopes[] = {
#define POLICY_SCOPE(id, name, doc, left) {name, left},
#include "schema/policy.def"
};

const char *policy_mode_name(enum policy_mode mode)
{
	return modes[mode];
}

const char *policy_action_name(enum policy_action action)
{
	return actions[action];
}

const char *policy_point_name(enum policy_point point)
{
	return points[point];
}

const char *policy_scope_name(enum policy_scope_kind scope)
{
	return scopes[scope].name;
}

const char *policy_scope_left(enum policy_scope_kind scope)
{
	return scopes[scope].left;
}

const char *policy_effect_name(enum policy_effect effect)
{
	static const char *const names[] = {"prevents", "reacts", "observes"};
	return names[effect];
}

static int find_name(const char *const *names, size_t count, struct str name)
{
	for (size_t i = 0; i < count; i++)
		if (str_equals(name, names[i]))
			return (int)i;
	return -1;
}

int mode_parse(struct str name)
{
	return find_name(modes, ARRAY_SIZE(modes), name);
}

int action_parse(struct str name)
{
	return find_name(actions, ARRAY_SIZE(actions), name);
}

int point_parse(struct str name)
{
	return find_name(points, ARRAY_SIZE(points), name);
}

int scope_parse(struct str name)
{
	for (size_t i = 0; i < ARRAY_SIZE(scopes); i++)
		if (str_equals(name, scopes[i].name))
			return (int)i;
	return -1;
}

static void add_name(struct names *n, const char *name)
{
	size_t length = strlen(n->text);
	snprintf(n->text + length, sizeof(n->text) - length, "%s%s", length ? ", " : "", name);
}

struct names mode_names(void)
{
	struct names n = {""};
	for (size_t i = 0; i < ARRAY_SIZE(modes); i++)
		add_name(&n, modes[i]);
	return n;
}

struct names action_names(void)
{
	struct names n = {""};
	for (size_t i = 0; i < ARRAY_SIZE(actions); i++)
		add_name(&n, actions[i]);
	return n;
}

/* ---- keys ---- */

#define NEEDED_YES true
#define NEEDED_NO false
const struct policy_key policy_keys[] = {
#define POLICY_KEY(where, name, type, need, otherwise, doc) {#where, #name, #type, otherwise, doc, NEEDED_##need},
#include "schema/policy.def"
};
const size_t policy_key_count = ARRAY_SIZE(policy_keys);

const struct policy_key *key_find(const char *where, struct str name)
{
	for (size_t i = 0; i < policy_key_count; i++)
		if (strcmp(policy_keys[i].where, where) == 0 && str_equals(name, policy_keys[i].name))
			return &policy_keys[i];
	return NULL;
}

struct names key_names(const char *where)
{
	struct names n = {""};
	for (size_t i = 0; i < policy_key_count; i++)
		if (strcmp(policy_keys[i].where, where) == 0)
			add_name(&n, policy_keys[i].name);
	return n;
}

/* ---- actions and points ---- */

bool action_takes_point(enum policy_action action, enum policy_point point)
{
	for (const struct policy_route *r = NULL; (r = policy_route_next(r));)
		if (r->action == action && r->point == point)
			return true;
	return false;
}

static unsigned point_count(enum policy_action action)
{
	unsigned count = 0;
	for (enum policy_point point = 0; point < POINT_COUNT; point++)
		count += action_takes_point(action, point);
	return count;
}

bool action_needs_point(enum policy_action action)
{
	return point_count(action) > 1;
}

enum policy_point action_point(enum policy_action action)
{
	enum policy_point point = 0;
	while (point + 1 < POINT_COUNT && !action_takes_point(action, point))
		point++;
	return point;
}

struct names point_names(enum policy_action action)
{
	struct names n = {""};
	for (enum policy_point point = 0; point < POINT_COUNT; point++)
		if (action_takes_point(action, point))
			add_name(&n, points[point]);
	return n;
}

bool policy_point_has_event(enum policy_point point, enum event_type type)
{
	static const struct {
		enum policy_point point;
		enum event_type type;
	} rows[] = {
#define POLICY_POINT_EVENT(point, event) {POINT_##point, EVENT_##event},
#include "schema/policy.def"
	};
	if (point == POINT_EVENT || point == POINT_NETWORK)
		return true;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
		if (rows[i].point == point && rows[i].type == type)
			return true;
	return false;
}

/* ---- fields ---- */

#define POINT_ANY POINT_COUNT
static const struct field_row {
	unsigned point;
	enum field_id id;
	enum field_how how;
	const char *value;
} field_rows[] = {
#define POLICY_FIELD(point, field, how, value) {POINT_##point, FIELD_##field, FIELD_##how, value},
#include "schema/policy.def"
};

static const struct {
	enum policy_point point;
	const char *name;
} arg_rows[] = {
#define POLICY_ARG(point, name) {POINT_##point, name},
#include "schema/policy.def"
};

static const struct field_row *field_row_find(unsigned point, enum field_id id)
{
	for (size_t i = 0; i < ARRAY_SIZE(field_rows); i++)
		if (field_rows[i].point == point && field_rows[i].id == id)
			return &field_rows[i];
	return NULL;
}

static bool is_known_arg(enum policy_point point, const struct field_ref *field)
{
	if (field->id != FIELD_EVT_ARG && field->id != FIELD_EVT_RAWARG)
		return false;
	for (size_t i = 0; i < ARRAY_SIZE(arg_rows); i++)
		if (arg_rows[i].point == point && str_equals(field->key, arg_rows[i].name))
			return true;
	return false;
}

enum field_how point_field(enum policy_point point, const struct field_ref *field, const char **ret_value)
{
	const struct field_info *info = field_get_info(field->id);
	const struct field_row *row = field_row_find(point, field->id);
	if (!row && point != POINT_EXEC)
		row = field_row_find(POINT_ANY, field->id);
	if (row && !field->has_index && !field->has_key) {
		if (ret_value && row->how == FIELD_FIXED)
			*ret_value = row->value;
		return row->how;
	}
	if (is_known_arg(point, field))
		return FIELD_READ;
	return info->scope == FIELD_SCOPE_PROC && point != POINT_EXEC ? FIELD_BIT : FIELD_UNKNOWN;
}

struct names point_fields(enum policy_point point)
{
	struct names n = {""};
	for (size_t i = 0; i < ARRAY_SIZE(field_rows); i++)
		if (field_rows[i].point == (unsigned)point && field_rows[i].how == FIELD_READ)
			add_name(&n, field_get_info(field_rows[i].id)->name);
	for (size_t i = 0; i < ARRAY_SIZE(arg_rows); i++) {
		char name[64];
		snprintf(name, sizeof(name), "evt.arg.%s", arg_rows[i].name);
		if (arg_rows[i].point == point)
			add_name(&n, name);
	}
	if (point != POINT_EXEC)
		add_name(&n, "and all of the process (proc.*, user.*, container.* …)");
	return n;
}

/* ---- protected programs ---- */

const char *protected_why(struct str path)
{
	static const struct {
		const char *path, *why;
	} rows[] = {
#define POLICY_PROTECTED(path, what, why) {path, why},
#include "schema/policy.def"
	};
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
		if (str_equals(path, rows[i].path))
			return rows[i].why;
	return NULL;
}

bool field_is_kept(enum field_id field)
{
	static const enum field_id kept[] = {
#define POLICY_BIT(field) FIELD_##field,
#include "schema/policy.def"
	};
	for (size_t i = 0; i < ARRAY_SIZE(kept); i++)
		if (kept[i] == field)
			return true;
	return false;
}
