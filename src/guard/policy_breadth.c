/* SPDX-License-Identifier: Apache-2.0
 *
 * Would a policy stop what every host needs? It is tried with attempts of which nothing is known, and with those of
 * schema/attempt.def: the vital ones must not match, and of the usual ones at a point no more than half.
 */
#include "guard/policy_int.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "rule/probe.h"

#define SENTENCE_MAX 1024
#define SCRATCH_BYTES_MAX (16u << 20)
#define PERSON_UID 1000 /* of people, whose number is not known */
#define USUAL_MIN 4     /* fewer say nothing about a share of them */

/* ---- the table ---- */

enum attempt_actor {
#define ATTEMPT_ACTOR(id, program, uid, user, cgroup, unit) ACTOR_##id,
#include "schema/attempt.def"
};

static const struct actor {
	const char *program;
	uint32_t uid; /* UINT32_MAX: a person's */
	const char *user, *cgroup, *unit;
} actors[] = {
#define ATTEMPT_ACTOR(id, program, uid, user, cgroup, unit) {program, uid, user, cgroup, unit},
#include "schema/attempt.def"
};

#define WEIGHT_VITAL true
#define WEIGHT_USUAL false
static const struct attempt {
	enum policy_point point;
	enum attempt_actor actor;
	bool vital;
	const char *object, *protocol;
	uint16_t port;
	const char *lost;
} attempts[] = {
#define ATTEMPT(point, actor, weight, object, protocol, port, lost) \
	{POINT_##point, ACTOR_##actor, WEIGHT_##weight, object, protocol, port, lost},
#include "schema/attempt.def"
};

/* ---- is it in scope? ---- */

static bool is_below(const char *path, const char *group)
{
	size_t length = strlen(group);
	return strncmp(path, group, length) == 0 && (path[length] == '/' || path[length] == '\0');
}

/* Also a slice holds what is in its units. */
static bool unit_holds(const char *unit, const struct actor *actor)
{
	char component[POLICY_NAME_MAX + 2];
	int length = snprintf(component, sizeof(component), "/%s", unit);
	const char *found = (size_t)length < sizeof(component) ? strstr(actor->cgroup, component) : NULL;
	return strcmp(unit, actor->unit) == 0 || strcmp(unit, "-.slice") == 0 ||
	       (found && (found[length] == '/' || found[length] == '\0'));
}

static bool user_is(const char *user, const struct actor *actor)
{
	uint64_t uid;
	if (actor->uid == UINT32_MAX)
		return false;
	return str_to_u64(str_from(user), &uid) == 0 ? uid == actor->uid : strcmp(user, actor->user) == 0;
}

static bool value_holds(enum policy_scope_kind kind, const char *value, const struct attempt *a)
{
	const struct actor *actor = &actors[a->actor];
	switch (kind) {
	case SCOPE_CGROUP:
		return is_below(actor->cgroup, value);
	case SCOPE_UNIT:
		return unit_holds(value, actor);
	case SCOPE_CONTAINER:
		return strcmp(value, "host") == 0;
	case SCOPE_IMAGE:
		return false;
	case SCOPE_USER:
		return user_is(value, actor);
	case SCOPE_EXECUTABLE:
		return strcmp(value, actor->program) == 0 || (a->point == POINT_EXEC && strcmp(value, a->object) == 0);
	case SCOPE_COUNT:
		break;
	}
	return false;
}

static bool in_scope(const struct policy *p, const struct attempt *a)
{
	for (enum policy_scope_kind kind = 0; kind < SCOPE_COUNT; kind++) {
		bool holds = p->scope[kind].count == 0;
		for (size_t i = 0; !holds && i < p->scope[kind].count; i++)
			holds = value_holds(kind, p->scope[kind].items[i], a);
		if (!holds)
			return false;
	}
	return true;
}

static bool is_particular(enum policy_scope_kind kind, const char *value)
{
	switch (kind) {
	case SCOPE_CONTAINER:
		return strcmp(value, "any") != 0 && strcmp(value, "host") != 0;
	case SCOPE_USER:
		return strcmp(value, "root") != 0 && strcmp(value, "0") != 0;
	case SCOPE_UNIT:
		return strcmp(value, "-.slice") != 0;
	default:
		return true;
	}
}

bool policy_is_everywhere(const struct policy *p)
{
	for (enum policy_scope_kind kind = 0; kind < SCOPE_COUNT; kind++) {
		bool narrows = p->scope[kind].count > 0;
		for (size_t i = 0; narrows && i < p->scope[kind].count; i++)
			narrows = is_particular(kind, p->scope[kind].items[i]);
		if (narrows)
			return false;
	}
	return true;
}

/* ---- what is known of an attempt ---- */

struct attempt_source {
	struct probe_source probe;
	enum policy_point point;
	const struct attempt *attempt; /* NULL: nothing is known but where it is */
};

static struct value text_value(const char *text)
{
	return (struct value){.kind = VALUE_STR, .str = str_from(text)};
}

static struct value number_value(uint64_t number)
{
	return (struct value){.kind = VALUE_U64, .u64 = number};
}

static const char *base_name(const char *path)
{
	const char *slash = strrchr(path, '/');
	return slash ? slash + 1 : path;
}

/* The kernel's name of a process, cut as the kernel cuts it. */
static struct value process_name(const char *program)
{
	struct str name = str_from(base_name(program));
	name.length = MIN(name.length, 15u);
	return (struct value){.kind = VALUE_STR, .str = name};
}

/* What root has. */
static const char all_capabilities[] =
        "CAP_CHOWN CAP_DAC_OVERRIDE CAP_DAC_READ_SEARCH CAP_FOWNER CAP_FSETID CAP_KILL CAP_SETGID "
        "CAP_SETUID CAP_SETPCAP CAP_LINUX_IMMUTABLE CAP_NET_BIND_SERVICE CAP_NET_BROADCAST CAP_NET_ADMIN "
        "CAP_NET_RAW CAP_IPC_LOCK CAP_IPC_OWNER CAP_SYS_MODULE CAP_SYS_RAWIO CAP_SYS_CHROOT "
        "CAP_SYS_PTRACE CAP_SYS_PACCT CAP_SYS_ADMIN CAP_SYS_BOOT CAP_SYS_NICE CAP_SYS_RESOURCE "
        "CAP_SYS_TIME CAP_SYS_TTY_CONFIG CAP_MKNOD CAP_LEASE CAP_AUDIT_WRITE CAP_AUDIT_CONTROL "
        "CAP_SETFCAP CAP_MAC_OVERRIDE CAP_MAC_ADMIN CAP_SYSLOG CAP_WAKE_ALARM CAP_BLOCK_SUSPEND "
        "CAP_AUDIT_READ CAP_PERFMON CAP_BPF CAP_CHECKPOINT_RESTORE";

static bool of_process(const struct attempt *a, enum field_id id, struct value *ret_value)
{
	const struct actor *actor = &actors[a->actor];
	bool exec = a->point == POINT_EXEC;
	const char *program = exec ? a->object : actor->program;
	switch (id) {
	case FIELD_PROC_NAME:
		*ret_value = process_name(program);
		return true;
	case FIELD_PROC_EXE:
	case FIELD_PROC_EXEPATH:
		*ret_value = text_value(program);
		return true;
	case FIELD_PROC_PNAME:
		if (exec)
			*ret_value = process_name(actor->program);
		return exec;
	case FIELD_USER_UID:
	case FIELD_USER_RUID:
	case FIELD_USER_SUID:
	case FIELD_USER_FSUID:
	case FIELD_GROUP_GID:
		*ret_value = number_value(actor->uid == UINT32_MAX ? PERSON_UID : actor->uid);
		return true;
	case FIELD_USER_NAME:
		*ret_value = text_value(actor->user);
		return actor->uid != UINT32_MAX;
	case FIELD_THREAD_CAP_EFFECTIVE:
	case FIELD_THREAD_CAP_PERMITTED:
		*ret_value = text_value(actor->uid == 0 ? all_capabilities : "");
		return true;
	case FIELD_CONTAINER_ID:
	case FIELD_CONTAINER_NAME:
		*ret_value = text_value("host");
		return true;
	default:
		return false;
	}
}

static bool of_address(const struct attempt *a, enum field_id id, struct value *ret_value)
{
	bool bind = a->point == POINT_BIND;
	struct value ip = {.kind = VALUE_IP};
	if (ip_parse(str_from(a->object), &ip.ip) < 0)
		return false;
	switch (id) {
	case FIELD_FD_LIP:
	case FIELD_FD_LNET:
		*ret_value = ip;
		return bind;
	case FIELD_FD_LPORT:
		*ret_value = number_value(a->port);
		return bind;
	case FIELD_FD_SIP:
	case FIELD_FD_SNET:
	case FIELD_FD_IP:
	case FIELD_FD_NET:
	case FIELD_EVT_ADDR_IP:
	case FIELD_EVT_ADDR_NET:
		*ret_value = ip;
		return true;
	case FIELD_FD_RIP:
	case FIELD_FD_RNET:
		*ret_value = ip;
		return !bind;
	case FIELD_FD_SPORT:
	case FIELD_FD_PORT:
	case FIELD_EVT_ADDR_PORT:
		*ret_value = number_value(a->port);
		return true;
	case FIELD_FD_RPORT:
		*ret_value = number_value(a->port);
		return !bind;
	case FIELD_FD_L4PROTO:
		*ret_value = text_value(a->protocol);
		return true;
	case FIELD_FD_TYPECHAR:
		*ret_value = text_value("4");
		return true;
	case FIELD_FD_TYPE:
	case FIELD_EVT_ADDR_FAMILY:
		*ret_value = text_value("ipv4");
		return true;
	default:
		return false;
	}
}

static bool of_file(const struct attempt *a, enum field_id id, struct value *ret_value)
{
	struct str directory = str_make(a->object, (size_t)(base_name(a->object) - a->object));
	switch (id) {
	case FIELD_FD_NAME:
	case FIELD_FD_NAMERAW:
	case FIELD_FD_NAMES:
	case FIELD_FD_REALPATH:
	case FIELD_FS_PATH_NAME:
	case FIELD_FS_PATH_SOURCE:
	case FIELD_FS_PATH_TARGET:
	case FIELD_EVT_ABSPATH:
		*ret_value = text_value(a->object);
		return true;
	case FIELD_FD_FILENAME:
		*ret_value = text_value(base_name(a->object));
		return true;
	case FIELD_FD_DIRECTORY:
		directory.length -= directory.length > 1;
		*ret_value = (struct value){.kind = VALUE_STR, .str = directory};
		return true;
	case FIELD_FD_TYPECHAR:
		*ret_value = text_value("f");
		return true;
	case FIELD_EVT_IS_OPEN_READ:
		*ret_value = (struct value){.kind = VALUE_BOOL, .boolean = a->point != POINT_FILE_WRITE};
		return true;
	case FIELD_EVT_IS_OPEN_WRITE:
		*ret_value = (struct value){.kind = VALUE_BOOL, .boolean = a->point == POINT_FILE_WRITE};
		return true;
	default:
		return false;
	}
}

static struct value fixed_value(const struct field_ref *ref, const char *text)
{
	enum field_type type = field_ref_type(ref);
	if (type == FIELD_BOOL)
		return (struct value){.kind = VALUE_BOOL, .boolean = strcmp(text, "true") == 0};
	if (type == FIELD_S64 || type == FIELD_U64)
		return number_value(strtoull(text, NULL, 10));
	return text_value(text);
}

static bool known(const struct probe_source *source, const struct field_ref *ref, struct value *ret_value)
{
	const struct attempt_source *s = (const struct attempt_source *)source;
	const char *fixed = NULL;
	if (point_field(s->attempt ? s->attempt->point : s->point, ref, &fixed) == FIELD_FIXED && fixed) {
		*ret_value = fixed_value(ref, fixed);
		return true;
	}
	if (!s->attempt)
		return false;
	if (of_process(s->attempt, ref->id, ret_value))
		return true;
	if (s->attempt->protocol[0])
		return of_address(s->attempt, ref->id, ret_value);
	return s->attempt->point != POINT_EXEC && of_file(s->attempt, ref->id, ret_value);
}

/* ---- does it match? ---- */

struct breadth {
	const struct policy *policy;
	struct event_set events; /* that its condition can match */
	struct arena arena;
};

static bool matches_as(struct breadth *b, enum policy_point point, const struct attempt *a, enum probe probe)
{
	for (unsigned type = 1; type < EVENT_TYPE_MAX; type++) {
		struct attempt_source s = {.point = point, .attempt = a};
		if (!event_set_has(&b->events, type) || !event_type_info(type)->name ||
		    !policy_point_has_event(point, type))
			continue;
		probe_source_init(&s.probe, probe, (enum event_type)type);
		s.probe.known = known;
		bool matches = filter_match(b->policy->condition, &s.probe.source, &b->arena);
		arena_reset(&b->arena);
		if (matches)
			return true;
	}
	return false;
}

/* The devices of the table have the numbers that they have on every Linux. */
static bool names_device(const struct policy *p, const char *path)
{
	static const struct {
		const char *path;
		uint32_t major, minor;
	} rows[] = {{"/dev/null", 1, 3}, {"/dev/urandom", 1, 9}, {"/dev/tty", 5, 0}, {"/dev/ptmx", 5, 2}};
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		for (size_t k = 0; strcmp(path, rows[i].path) == 0 && k < p->device_count; k++) {
			const struct policy_device *d = &p->devices[k];
			if (d->kind != 'b' && (d->major == UINT32_MAX || d->major == rows[i].major) &&
			    (d->minor == UINT32_MAX || d->minor == rows[i].minor))
				return true;
		}
	}
	return false;
}

static bool matches(struct breadth *b, const struct attempt *a)
{
	if (!in_scope(b->policy, a))
		return false;
	if (b->policy->device_count)
		return names_device(b->policy, a->object);
	return !b->policy->condition || matches_as(b, a->point, a, PROBE_NOTHING) ||
	       matches_as(b, a->point, a, PROBE_FALSE);
}

/* Actions that follow on events follow on those of all points. */
static bool acts_at(const struct policy *p, enum policy_point point)
{
	return p->points & (1u << point | 1u << POINT_EVENT | 1u << POINT_NETWORK);
}

/* ---- telling ---- */

static void printf_like(3, 4) tell(const struct policy *p, struct diag_list *diags, const char *format, ...)
{
	char text[SENTENCE_MAX];
	va_list arguments;
	va_start(arguments, format);
	vsnprintf(text, sizeof(text), format, arguments);
	va_end(arguments);
	struct diag *d = diag_add(diags, DIAG_ERROR, "POLICY_ERR_BREADTH", p->file, p->line, 1,
	                          "the policy '%s' would %s %s", p->name, policy_action_name(p->action), text);
	diag_set_hint(d, "narrow its scope or its condition; docs/policies.md tells what no policy may stop");
}

static bool check_point(const struct policy *p, struct breadth *b, enum policy_point point, struct diag_list *diags)
{
	const char *where = policy_point_name(point);
	size_t matched = 0, usual = 0;
	for (size_t i = 0; i < ARRAY_SIZE(attempts); i++) {
		const struct attempt *a = &attempts[i];
		if (a->point != point)
			continue;
		usual += !a->vital;
		if (!matches(b, a))
			continue;
		if (a->vital) {
			tell(p, diags, "%s%s%s by %s: %s", where, a->object[0] ? " of " : "", a->object,
			     actors[a->actor].program, a->lost);
			return false;
		}
		matched++;
	}
	if (usual < USUAL_MIN)
		return true;
	if (2 * matched > usual) {
		tell(p, diags, "nearly every %s on the host: %zu of %zu usual ones match", where, matched, usual);
		return false;
	}
	if (p->condition && policy_is_everywhere(p) && matches_as(b, point, NULL, PROBE_NOTHING)) {
		tell(p, diags,
		     "each %s of which nothing is known: its condition holds unless something speaks against it",
		     where);
		return false;
	}
	return true;
}

/* Less than one a second is as good as none to what needs many. */
static bool stops(const struct policy *p)
{
	return p->action == ACTION_THROTTLE ? p->rate < p->rate_seconds : p->action != ACTION_ALERT;
}

static bool check_policy(const struct policy *p, struct diag_list *diags)
{
	struct breadth b = {.policy = p};
	bool good = true;
	if (!stops(p))
		return true;
	arena_init(&b.arena, SCRATCH_BYTES_MAX);
	if (p->condition)
		filter_events(p->condition, &b.events);
	for (enum policy_point point = 0; good && point < POINT_COUNT; point++)
		good = !acts_at(p, point) || check_point(p, &b, point, diags);
	arena_done(&b.arena);
	return good;
}

int policy_set_check_breadth(const struct policy_set *s, struct diag_list *reterr_diags)
{
	bool good = true;
	for (size_t i = 0; i < policy_set_count(s); i++)
		good = check_policy(policy_set_get(s, i), reterr_diags) && good;
	return good ? 0 : -EINVAL;
}
