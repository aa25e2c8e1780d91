/* SPDX-License-Identifier: Apache-2.0
 *
 * What a policy would have made of events that were recorded.
 */
#include "guard/policy_int.h"

/* ---- values ---- */

static struct value get(const struct field_source *source, enum field_id id, struct arena *arena)
{
	struct field_ref ref = {.id = id};
	struct value v = {.kind = VALUE_NULL};
	source->get(source, &ref, arena, &v);
	return v;
}

static bool is_true(const struct field_source *source, enum field_id id, struct arena *arena)
{
	struct value v = get(source, id, arena);
	return v.kind == VALUE_BOOL && v.boolean;
}

static struct str text_of(const struct field_source *source, enum field_id id, struct arena *arena)
{
	struct value v = get(source, id, arena);
	return v.kind == VALUE_STR ? v.str : str_make(NULL, 0);
}

/* The event as its attempt looked to a guard, before it was known how it would end. */
struct attempt {
	struct field_source source;
	const struct field_source *event;
	enum policy_point point;
};

/* A guard reads the address that the caller gave; the socket of a call that failed has none. */
static enum field_id given_instead(enum policy_point point, enum field_id id)
{
	static const struct {
		enum field_id of_peer, of_own, given;
	} rows[] = {{FIELD_FD_RIP, FIELD_FD_LIP, FIELD_EVT_ADDR_IP},
	            {FIELD_FD_SIP, FIELD_FD_LIP, FIELD_EVT_ADDR_IP},
	            {FIELD_FD_RNET, FIELD_FD_LNET, FIELD_EVT_ADDR_NET},
	            {FIELD_FD_SNET, FIELD_FD_LNET, FIELD_EVT_ADDR_NET},
	            {FIELD_FD_RPORT, FIELD_FD_LPORT, FIELD_EVT_ADDR_PORT},
	            {FIELD_FD_SPORT, FIELD_FD_LPORT, FIELD_EVT_ADDR_PORT}};
	if (point != POINT_CONNECT && point != POINT_BIND && point != POINT_SENDMSG)
		return id;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
		if (id == (point == POINT_BIND ? rows[i].of_own : rows[i].of_peer))
			return rows[i].given;
	return id;
}

static void get_of_attempt(const struct field_source *source, const struct field_ref *ref, struct arena *arena,
                           struct value *ret_value)
{
	const struct attempt *a = (const struct attempt *)source;
	const char *fixed = NULL;
	uint64_t number = 0;
	if (point_field(a->point, ref, &fixed) != FIELD_FIXED || !fixed) {
		struct field_ref given = *ref;
		given.id = given_instead(a->point, ref->id);
		a->event->get(a->event, &given, arena, ret_value);
		return;
	}
	if (field_ref_type(ref) == FIELD_BOOL)
		*ret_value = (struct value){.kind = VALUE_BOOL, .boolean = strcmp(fixed, "true") == 0};
	else if (str_to_u64(str_from(fixed), &number) == 0)
		*ret_value = field_ref_type(ref) == FIELD_S64
		                     ? (struct value){.kind = VALUE_S64, .s64 = (int64_t)number}
		                     : (struct value){.kind = VALUE_U64, .u64 = number};
	else
		*ret_value = (struct value){.kind = VALUE_STR, .str = str_from(fixed)};
}

/* ---- points ---- */

static bool is_open(enum event_type type)
{
	return type == EVENT_open || type == EVENT_openat || type == EVENT_openat2 || type == EVENT_creat ||
	       type == EVENT_open_by_handle_at;
}

static bool is_for_writing(enum event_type type, const struct field_source *event, struct arena *arena)
{
	return !is_open(type) || type == EVENT_creat || is_true(event, FIELD_EVT_IS_OPEN_WRITE, arena);
}

/* Guards of sockets are asked before the call can fail; a call that failed otherwise never came to a guard, or was of no
 * effect. */
static bool reaches_point(enum policy_point point, enum event_type type, const struct field_source *event,
                          struct arena *arena)
{
	if (point == POINT_CONNECT || point == POINT_BIND)
		return str_equals(text_of(event, FIELD_FD_SOCKFAMILY, arena), "ip");
	if (point == POINT_SENDMSG)
		return get(event, FIELD_EVT_ADDR_IP, arena).kind == VALUE_IP;
	if (point == POINT_EVENT || point == POINT_NETWORK)
		return true;
	if (is_true(event, FIELD_EVT_FAILED, arena))
		return false;
	switch (point) {
	case POINT_FILE_WRITE:
		return is_for_writing(type, event, arena);
	case POINT_DEVICE:
		return !is_open(type) || is_true(event, FIELD_FD_IS_DEVICE, arena);
	case POINT_SYSCTL_WRITE:
		return is_for_writing(type, event, arena) &&
		       str_starts_with(text_of(event, FIELD_FD_NAME, arena), STR("/proc/sys/"));
	case POINT_FORK: { /* told of by parent and child */
		struct value result = get(event, FIELD_EVT_RAWRES, arena);
		return result.kind == VALUE_S64 && result.s64 > 0;
	}
	default:
		return true;
	}
}

/* ---- scopes ---- */

/* thread.cgroups: "unified=/system.slice/x.service" */
static struct str cgroup_of(const struct field_source *event, struct arena *arena)
{
	struct str rest = text_of(event, FIELD_THREAD_CGROUPS, arena), hierarchy;
	str_next(&rest, '=', &hierarchy);
	return rest;
}

static bool is_in_cgroup(const char *value, const struct field_source *event, struct arena *arena)
{
	struct str path = cgroup_of(event, arena), group = str_from(value);
	return str_starts_with(path, group) && (path.length == group.length || path.data[group.length] == '/');
}

static bool is_of_unit(const char *value, const struct field_source *event, struct arena *arena)
{
	struct str rest = cgroup_of(event, arena), part;
	while (rest.data && str_next(&rest, '/', &part))
		if (str_equals(part, value))
			return true;
	return false;
}

static bool is_in_container(const char *value, const struct field_source *event, struct arena *arena)
{
	struct str id = text_of(event, FIELD_CONTAINER_ID, arena);
	bool host = id.length == 0 || str_equals(id, "host");
	if (strcmp(value, "any") == 0 || strcmp(value, "host") == 0)
		return host == (value[0] == 'h');
	return !host &&
	       (str_starts_with(str_from(value), id) || str_equals(text_of(event, FIELD_CONTAINER_NAME, arena), value));
}

static bool is_of_image(const char *value, const struct field_source *event, struct arena *arena)
{
	struct str name = text_of(event, FIELD_CONTAINER_IMAGE_REPOSITORY, arena);
	struct str tag = text_of(event, FIELD_CONTAINER_IMAGE_TAG, arena);
	struct str with_tag = arena_printf(arena, STR_FMT ":" STR_FMT, STR_ARG(name), STR_ARG(tag));
	return name.length > 0 && (str_equals(name, value) || str_equals(with_tag, value));
}

static bool is_by_user(const char *value, const struct field_source *event, struct arena *arena)
{
	struct value uid = get(event, FIELD_USER_UID, arena);
	uint64_t number;
	if (str_to_u64(str_from(value), &number) == 0)
		return uid.kind == VALUE_U64 && uid.u64 == number;
	return str_equals(text_of(event, FIELD_USER_NAME, arena), value);
}

static bool is_by_program(const char *value, const struct field_source *event, struct arena *arena)
{
	return str_equals(text_of(event, FIELD_PROC_EXEPATH, arena), value);
}

static bool is_in_scope(const struct policy *p, const struct field_source *event, struct arena *arena)
{
	static bool (*const tests[SCOPE_COUNT])(const char *value, const struct field_source *event,
	                                        struct arena *arena) = {
	        [SCOPE_CGROUP] = is_in_cgroup, [SCOPE_UNIT] = is_of_unit, [SCOPE_CONTAINER] = is_in_container,
	        [SCOPE_IMAGE] = is_of_image,   [SCOPE_USER] = is_by_user, [SCOPE_EXECUTABLE] = is_by_program};
	for (size_t i = 0; i < SCOPE_COUNT; i++) {
		bool found = p->scope[i].count == 0;
		for (size_t k = 0; k < p->scope[i].count && !found; k++)
			found = tests[i](p->scope[i].items[k], event, arena);
		if (!found)
			return false;
	}
	return true;
}

/* ---- the answer ---- */

static enum policy_answer answer_at(const struct policy *p, enum policy_point point, const struct field_source *event,
                                    struct arena *arena)
{
	struct attempt a = {.source = {.get = get_of_attempt}, .event = event, .point = point};
	if (p->device_count)
		return POLICY_CANNOT_SAY;
	if (!p->condition)
		return POLICY_MATCHES;
	bool before = p->decisions[point].synchronous;
	return filter_match(p->condition, before ? &a.source : event, arena) ? POLICY_MATCHES : POLICY_LETS_BE;
}

enum policy_answer policy_ask(const struct policy *p, enum event_type type, const struct field_source *event,
                              struct arena *arena, enum policy_point *ret_point)
{
	enum policy_answer answer = POLICY_NOT_ASKED;
	for (enum policy_point point = 0; point < POINT_COUNT && answer < POLICY_MATCHES; point++) {
		if (!(p->points & 1u << point) || !policy_point_has_event(point, type) ||
		    !reaches_point(point, type, event, arena))
			continue;
		if (answer == POLICY_NOT_ASKED && !is_in_scope(p, event, arena))
			return POLICY_NOT_ASKED;
		enum policy_answer here = answer_at(p, point, event, arena);
		if (here > answer)
			*ret_point = point;
		answer = MAX(answer, here);
	}
	return answer;
}

const char *policy_protects(struct str program)
{
	return protected_why(program);
}
