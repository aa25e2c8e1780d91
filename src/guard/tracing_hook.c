/* SPDX-License-Identifier: Apache-2.0
 *
 * Where a TracingPolicy hooks in, and what the arguments there are in picket's words.
 */
#include "guard/tracing_int.h"

#include <stdio.h>

#define TRACEPOINT_FIELDS 4 /* that each tracepoint begins with: type, flags, preempt count, pid */
#define FILL (-1)           /* of schema/event.def: not an argument of the call */

static const struct lsm_row {
	const char *hook, *condition;
	enum policy_point point;
} lsm_rows[] = {
#define TRACING_LSM(hook, point, condition) {hook, condition, POINT_##point},
#include "schema/tracing.def"
};

static const struct {
	const char *hook;
	unsigned index;
	enum tracing_kind kind;
	const char *field;
} lsm_args[] = {
#define TRACING_LSM_ARG(hook, index, kind, field) {hook, index, TRACING_##kind, field},
#include "schema/tracing.def"
};

static const struct {
	const char *subsystem, *event, *condition;
	enum policy_point point;
} tracepoints[] = {
#define TRACING_TRACEPOINT(subsystem, event, point, condition) {subsystem, event, condition, POINT_##point},
#include "schema/tracing.def"
};

static const struct {
	enum event_type event;
	unsigned index;
	const char *field;
} paths[] = {
#define TRACING_PATH(event, index, field) {EVENT_##event, index, field},
#include "schema/tracing.def"
};

static const struct call_arg {
	enum event_type event;
	const char *name;
	enum arg_type type;
	int index;
} call_args[] = {
#define ARG(event, name, type, aux, source, doc) {EVENT_##event, #name, ARG_##type, source},
#define OWN(event, name, type, aux, source, doc) {EVENT_##event, #name, ARG_##type, source},
#include "schema/event.def"
};

/* ---- calls ---- */

static bool add_call(struct tracing *t, const struct doc_node *at, struct str call, struct tracing_hook *hook)
{
	static const char *const prefixes[] = {"__x64_sys_", "__arm64_sys_", "sys_"};
	struct str name = call;
	for (size_t i = 0; i < ARRAY_SIZE(prefixes) && name.length == call.length; i++)
		if (str_starts_with(call, str_from(prefixes[i])))
			name = str_make(call.data + strlen(prefixes[i]), call.length - strlen(prefixes[i]));
	enum event_type type = name.length < call.length ? event_type_by_name(name) : EVENT_NONE;
	const struct event_info *info = event_type_info(type);
	if (type == EVENT_NONE || !info->name || info->own || !info->observed) {
		struct diag *d = tracing_refuse(t, at, "picket makes no events of '" STR_FMT "'", STR_ARG(call));
		diag_set_hint(d, "picket fields --events shows of which calls it does; another call or an LSM hook may "
		                 "do");
		return false;
	}
	if (hook->event_count == TRACING_EVENTS_MAX) {
		tracing_refuse(t, at, "a hook may have at most %d calls", TRACING_EVENTS_MAX);
		return false;
	}
	hook->events[hook->event_count++] = type;
	return true;
}

/* evt.type = X, or in (X, Y); and the point that all the calls have. */
static void describe_calls(struct tracing_hook *hook)
{
	size_t length = (size_t)snprintf(hook->condition, sizeof(hook->condition), "evt.type in (");
	for (size_t i = 0; i < hook->event_count && length < sizeof(hook->condition); i++)
		length += (size_t)snprintf(hook->condition + length, sizeof(hook->condition) - length, "%s%s",
		                           i ? ", " : "", event_type_info(hook->events[i])->name);
	if (length < sizeof(hook->condition))
		snprintf(hook->condition + length, sizeof(hook->condition) - length, ")");
	hook->point = POINT_EVENT;
	for (enum policy_point point = 0; point < POINT_COUNT && hook->point == POINT_EVENT; point++) {
		bool all = point != POINT_NETWORK && action_takes_point(ACTION_DENY, point);
		for (size_t i = 0; i < hook->event_count; i++)
			all = all && policy_point_has_event(point, hook->events[i]);
		if (all)
			hook->point = point;
	}
}

bool tracing_hook_calls(struct tracing *t, const struct doc_node *at, struct str call, struct tracing_hook *hook)
{
	static const struct str prefix = {"list:", 5};
	bool good = true;
	if (!str_starts_with(call, prefix)) {
		good = add_call(t, at, call, hook);
	} else {
		const struct doc_node *values =
		        tracing_list(t, at, str_make(call.data + prefix.length, call.length - prefix.length));
		for (size_t i = 0; values && i < values->count; i++)
			good = values->items[i]->kind == DOC_SCALAR &&
			       add_call(t, values->items[i], values->items[i]->text, hook) && good;
		good = good && values && values->count > 0;
	}
	if (good)
		describe_calls(hook);
	return good;
}

/* ---- the three sections ---- */

static bool read_lsm(struct tracing *t, const struct doc_node *at, struct str name, struct tracing_hook *hook)
{
	for (size_t i = 0; i < ARRAY_SIZE(lsm_rows); i++) {
		if (!str_equals(name, lsm_rows[i].hook))
			continue;
		hook->lsm = lsm_rows[i].hook;
		hook->point = lsm_rows[i].point;
		snprintf(hook->condition, sizeof(hook->condition), "%s", lsm_rows[i].condition);
		return true;
	}
	struct names known = {""};
	size_t length = 0;
	for (size_t i = 0; i < ARRAY_SIZE(lsm_rows) && length < sizeof(known.text); i++)
		length += (size_t)snprintf(known.text + length, sizeof(known.text) - length, "%s%s", i ? ", " : "",
		                           lsm_rows[i].hook);
	struct diag *d = tracing_refuse(t, at, "the security hook '" STR_FMT "' cannot be said in picket's words",
	                                STR_ARG(name));
	diag_set_hint(d, "those that can are %s", known.text);
	return false;
}

static bool read_kprobe(struct tracing *t, const struct doc_node *node, struct tracing_hook *hook)
{
	static const struct str security = {"security_", 9};
	const struct doc_node *call = tracing_scalar(t, node, "call", true);
	if (!call)
		return false;
	snprintf(hook->text, sizeof(hook->text), "kprobe %.100s", call->text.data);
	bool is_call = str_starts_with(call->text, STR("list:")) || str_starts_with(call->text, STR("sys_")) ||
	               str_starts_with(call->text, STR("__"));
	if (tracing_flag(t, node, "syscall", is_call) != is_call) {
		tracing_refuse(t, call, "'%.100s' and 'syscall' do not say the same: is it a system call?",
		               call->text.data);
		return false;
	}
	if (is_call)
		return tracing_hook_calls(t, call, call->text, hook);
	if (str_starts_with(call->text, security))
		return read_lsm(t, call,
		                str_make(call->text.data + security.length, call->text.length - security.length), hook);
	struct diag *d = tracing_refuse(t, call,
	                                "'%.100s' is a function of one kernel: it cannot be said in picket's "
	                                "words",
	                                call->text.data);
	diag_set_hint(d, "name the system call (sys_openat with syscall: true) or the LSM hook (file_open) instead");
	return false;
}

static bool read_syscall_tracepoint(struct tracing *t, const struct doc_node *event, struct tracing_hook *hook)
{
	static const struct str enter = {"sys_enter_", 10};
	if (!str_starts_with(event->text, enter)) {
		struct diag *d = tracing_refuse(t, event,
		                                "the tracepoint 'syscalls/%.80s' cannot be said in picket's "
		                                "words",
		                                event->text.data);
		diag_set_hint(d, "use sys_enter_…, with matchReturnArgs for the result");
		return false;
	}
	char call[128];
	snprintf(call, sizeof(call), "sys_%.100s", event->text.data + enter.length);
	hook->first_arg = TRACEPOINT_FIELDS + 1; /* after the number of the call */
	return tracing_hook_calls(t, event, str_from(call), hook);
}

static bool read_tracepoint(struct tracing *t, const struct doc_node *node, struct tracing_hook *hook)
{
	const struct doc_node *subsystem = tracing_scalar(t, node, "subsystem", true);
	const struct doc_node *event = tracing_scalar(t, node, "event", true);
	if (!subsystem || !event)
		return false;
	snprintf(hook->text, sizeof(hook->text), "tracepoint %.50s/%.50s", subsystem->text.data, event->text.data);
	if (str_equals(subsystem->text, "syscalls"))
		return read_syscall_tracepoint(t, event, hook);
	if (str_equals(subsystem->text, "raw_syscalls") && str_equals(event->text, "sys_enter")) {
		hook->by_list = true;
		return true;
	}
	for (size_t i = 0; i < ARRAY_SIZE(tracepoints); i++) {
		if (!str_equals(subsystem->text, tracepoints[i].subsystem) ||
		    !str_equals(event->text, tracepoints[i].event))
			continue;
		hook->point = tracepoints[i].point;
		hook->lsm = tracepoints[i].event;
		snprintf(hook->condition, sizeof(hook->condition), "%s", tracepoints[i].condition);
		return true;
	}
	struct diag *d = tracing_refuse(t, event, "the tracepoint '%.50s/%.80s' cannot be said in picket's words",
	                                subsystem->text.data, event->text.data);
	diag_set_hint(d, "those that can are syscalls/sys_enter_…, raw_syscalls/sys_enter, sched/sched_process_exec, "
	                 "sched_process_fork and sched_process_exit");
	return false;
}

static bool check_args(struct tracing *t, const struct doc_node *node)
{
	const struct doc_node *args = tracing_sequence(t, node, "args", false);
	bool good = true;
	for (size_t i = 0; args && i < args->count; i++)
		good = tracing_keys(t, args->items[i], LEVEL_ARG, "an argument") && good;
	return good && (args || !doc_get(node, "args"));
}

bool tracing_hook_read(struct tracing *t, const struct doc_node *node, const char *section,
                       struct tracing_hook *ret_hook)
{
	*ret_hook = (struct tracing_hook){.node = node, .point = POINT_EVENT};
	if (!tracing_keys(t, node, LEVEL_HOOK, "a hook") || !check_args(t, node))
		return false;
	if (strcmp(section, "kprobes") == 0)
		return read_kprobe(t, node, ret_hook);
	if (strcmp(section, "tracepoints") == 0)
		return read_tracepoint(t, node, ret_hook);
	const struct doc_node *hook = tracing_scalar(t, node, "hook", true);
	if (!hook)
		return false;
	snprintf(ret_hook->text, sizeof(ret_hook->text), "LSM hook %.100s", hook->text.data);
	return read_lsm(t, hook, hook->text, ret_hook);
}

/* ---- arguments ---- */

static const struct call_arg *find_call_arg(enum event_type event, unsigned index)
{
	for (size_t i = 0; i < ARRAY_SIZE(call_args); i++)
		if (call_args[i].event == event && call_args[i].index == (int)index)
			return &call_args[i];
	return NULL;
}

static const char *find_path(enum event_type event, unsigned index)
{
	for (size_t i = 0; i < ARRAY_SIZE(paths); i++)
		if (paths[i].event == event && paths[i].index == index)
			return paths[i].field;
	return NULL;
}

static void set_field(struct tracing_target *target, enum tracing_kind kind, const char *before, const char *field)
{
	target->kind = kind;
	snprintf(target->field, sizeof(target->field), "%s%s", before, field);
}

static enum name_table table_of(enum event_type event, const char *name)
{
	const struct arg_info *a = event_find_arg(event_type_info(event), str_from(name));
	return a && a->table >= 0 ? (enum name_table)a->table : NAMES_COUNT;
}

/* fd: the policy says that the descriptor stands for its file. False: this argument has no word. */
static bool call_target(enum event_type event, unsigned index, bool fd, struct tracing_target *target)
{
	const struct call_arg *a = find_call_arg(event, index);
	const char *path = find_path(event, index);
	target->table = NAMES_COUNT;
	if (path)
		set_field(target, TRACING_PATH, "", path);
	if (path || !a)
		return path;
	switch (a->type) {
	case ARG_SOCKADDR:
		set_field(target, TRACING_ADDRESS, "", "evt.addr");
		return true;
	case ARG_STR:
	case ARG_PATH:
		set_field(target, TRACING_TEXT, "evt.arg.", a->name);
		return true;
	case ARG_FLAGS:
	case ARG_MODE:
		set_field(target, TRACING_FLAGS, "evt.arg.", a->name);
		return true;
	case ARG_ENUM:
		set_field(target, TRACING_ENUM, "evt.arg.", a->name);
		target->table = table_of(event, a->name);
		return true;
	case ARG_BYTES:
	case ARG_ARGV:
	case ARG_TUPLE:
		return false;
	default:
		break;
	}
	if (fd && a->type == ARG_FD) {
		set_field(target, TRACING_PATH, "", "fd.name");
		return event_type_info(event)->fd_use == FD_USES && index == 0;
	}
	set_field(target, TRACING_NUMBER, "evt.rawarg.", a->name);
	return true;
}

static bool lsm_target(const struct tracing_hook *hook, unsigned index, struct tracing_target *target)
{
	for (size_t i = 0; i < ARRAY_SIZE(lsm_args); i++) {
		if (strcmp(lsm_args[i].hook, hook->lsm) != 0 || lsm_args[i].index != index)
			continue;
		set_field(target, lsm_args[i].kind, "", lsm_args[i].field);
		return true;
	}
	return false;
}

/* What args says of the argument's type; empty: nothing. */
static struct str arg_type(const struct tracing_hook *hook, unsigned index)
{
	const struct doc_node *args = doc_get(hook->node, "args");
	for (size_t i = 0; args && i < args->count; i++) {
		const struct doc_node *own = doc_get(args->items[i], "index"), *type = doc_get(args->items[i], "type");
		uint64_t number;
		if (own && type && own->kind == DOC_SCALAR && type->kind == DOC_SCALAR &&
		    str_to_u64(own->text, &number) == 0 && number == index)
			return type->text;
	}
	return str_make(NULL, 0);
}

static bool same_target(const struct tracing_target *a, const struct tracing_target *b)
{
	return a->kind == b->kind && strcmp(a->field, b->field) == 0 &&
	       (a->kind != TRACING_ENUM || a->table == b->table);
}

/* All the calls of a hook must mean the same by the argument. */
static bool calls_target(const struct tracing_hook *hook, unsigned index, bool fd, struct tracing_target *target)
{
	for (size_t i = 0; i < hook->event_count; i++) {
		struct tracing_target other = {.table = NAMES_COUNT};
		if (!call_target(hook->events[i], index, fd, i ? &other : target))
			return false;
		if (i && !same_target(target, &other))
			return false;
	}
	return hook->event_count > 0;
}

bool tracing_hook_target(struct tracing *t, const struct tracing_hook *hook, const struct doc_node *at, unsigned index,
                         struct tracing_target *ret_target)
{
	struct tracing_target target = {.table = NAMES_COUNT};
	struct str type = arg_type(hook, index);
	bool found = false;
	if (!type.data) {
		tracing_refuse(t, at, "argument %u is not among the args of the hook", index);
		return false;
	}
	if (hook->lsm)
		found = lsm_target(hook, index, &target);
	else if (index >= hook->first_arg && !hook->by_list)
		found = calls_target(hook, index - hook->first_arg, str_equals(type, "fd"), &target);
	if (!found) {
		struct diag *d = tracing_refuse(t, at, "argument %u of %s, as %.40s, has no word in picket's language",
		                                index, hook->text, type.data);
		diag_set_hint(d, "picket fields --events shows the arguments that its events have");
		return false;
	}
	*ret_target = target;
	return true;
}
