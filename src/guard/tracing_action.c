/* SPDX-License-Identifier: Apache-2.0
 *
 * What a TracingPolicy does, as policies.
 */
#include "guard/tracing_int.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/clock.h"

enum action_kind { DO_POST, DO_NO_POST, DO_KILL, DO_SIGNAL, DO_OVERRIDE, DO_ENFORCER, DO_REFUSED };
static const struct action_row {
	const char *name;
	enum action_kind kind;
	const char *reason;
} rows[] = {
#define TRACING_ACTION(action, how, reason) {action, DO_##how, reason},
#include "schema/tracing.def"
};

/* ---- reading ---- */

static bool read_number(struct tracing *t, const struct doc_node *node, const char *key, bool needed, int64_t *number)
{
	const struct doc_node *value = tracing_scalar(t, node, key, needed);
	if (!value)
		return !doc_get(node, key) && !needed;
	if (tracing_number(value->text, number))
		return true;
	tracing_refuse(t, value, "'%.60s' is no number", value->text.data);
	return false;
}

static bool set_error(struct tracing *t, const struct doc_node *node, int64_t number, struct tracing_action *action)
{
	if (number > -1 || number < -4095 || !errno_name((int)-number)) {
		struct diag *d =
		        tracing_refuse(t, doc_get(node, "argError"), "a call can be refused with an error only");
		diag_set_hint(d, "argError is negative: -1 is EPERM, -13 EACCES");
		return false;
	}
	action->deny = true;
	action->error = (int)-number;
	return true;
}

static bool set_signal(struct tracing *t, const struct doc_node *node, int64_t number, struct tracing_action *action)
{
	if (number != SIGKILL) {
		tracing_refuse(t, doc_get(node, "argSig"), "picket sends no other signal than 9, SIGKILL");
		return false;
	}
	action->kill = true;
	return true;
}

static bool read_enforcer(struct tracing *t, const struct doc_node *node, struct tracing_action *action)
{
	int64_t error = 0, sig = 0;
	if (!tracing_sequence(t, t->spec, "enforcers", false)) {
		tracing_refuse(t, node, "NotifyEnforcer needs spec.enforcers, which says of which calls");
		return false;
	}
	if (!read_number(t, node, "argError", false, &error) || !read_number(t, node, "argSig", false, &sig))
		return false;
	if (!error && !sig) {
		tracing_refuse(t, node, "NotifyEnforcer needs argError or argSig");
		return false;
	}
	return (!error || set_error(t, node, error, action)) && (!sig || set_signal(t, node, sig, action));
}

static bool read_rate(struct tracing *t, const struct doc_node *node, struct tracing_action *action)
{
	const struct doc_node *rate = tracing_scalar(t, node, "rateLimit", false);
	uint64_t ns;
	if (!rate)
		return !doc_get(node, "rateLimit");
	if (clock_parse_duration(rate->text, &ns) < 0 || ns < NS_PER_S) {
		tracing_refuse(t, rate, "'%.60s' is no time: 30, 5m, 1h", rate->text.data);
		return false;
	}
	action->repeat = rate->text;
	tracing_note(t, rate, "picket shows the same alert once in %.60s, by its text, not once for each thread",
	             rate->text.data);
	return true;
}

static bool read_action(struct tracing *t, const struct doc_node *node, struct tracing_action *action, bool *no_post)
{
	const struct doc_node *name = tracing_scalar(t, node, "action", true);
	int64_t number = 0;
	size_t i = 0;
	if (!name)
		return false;
	while (i < ARRAY_SIZE(rows) && strcasecmp(name->text.data, rows[i].name) != 0)
		i++;
	if (i == ARRAY_SIZE(rows)) {
		tracing_refuse(t, name, "unknown action '%.60s'", name->text.data);
		return false;
	}
	switch (rows[i].kind) {
	case DO_POST:
		action->post = true;
		return read_rate(t, node, action);
	case DO_NO_POST:
		*no_post = true;
		return true;
	case DO_KILL:
		action->kill = true;
		return true;
	case DO_SIGNAL:
		return read_number(t, node, "argSig", true, &number) && set_signal(t, node, number, action);
	case DO_OVERRIDE:
		return read_number(t, node, "argError", true, &number) && set_error(t, node, number, action);
	case DO_ENFORCER:
		return read_enforcer(t, node, action);
	case DO_REFUSED:
		break;
	}
	diag_set_hint(tracing_refuse(t, name, "the action '%s' cannot be said in picket's words", rows[i].name), "%s",
	              rows[i].reason);
	return false;
}

static bool check_deny(struct tracing *t, const struct tracing_hook *hook, const struct doc_node *at)
{
	if (hook->point != POINT_EVENT)
		return true;
	struct diag *d = tracing_refuse(t, at, "what %s is about cannot be denied by picket", hook->text);
	diag_set_hint(d, "what can is %s", point_names(ACTION_DENY).text);
	return false;
}

bool tracing_actions(struct tracing *t, const struct tracing_hook *hook, const struct doc_node *selector,
                     struct tracing_action *ret_action)
{
	struct tracing_action action = {.error = EPERM, .point = hook->point};
	bool good = true, no_post = false;
	const struct doc_node *actions = tracing_sequence(t, selector, "matchActions", false);
	for (size_t i = 0; actions && i < actions->count; i++)
		good = tracing_keys(t, actions->items[i], LEVEL_ACTION, "an action") &&
		       read_action(t, actions->items[i], &action, &no_post) && good;
	bool acts = action.deny || action.kill;
	if (good && no_post && !acts) {
		struct diag *d = tracing_refuse(t, actions, "a selector that does nothing but NoPost only hides");
		diag_set_hint(d, "add what it excludes to the other selectors, by operators with Not");
		good = false;
	}
	if (good && no_post && acts)
		tracing_note(t, actions, "picket tells of each verdict, also with NoPost");
	if (good && action.deny)
		good = check_deny(t, hook, actions);
	action.post = !acts;
	*ret_action = action;
	return good && (actions || !doc_get(selector, "matchActions"));
}

/* ---- writing ---- */

static bool note_origins(struct tracing *t, size_t offset)
{
	struct tracing_text *out = t->out;
	size_t lines = 0;
	for (size_t i = 0; i < out->text.length; i++)
		lines += out->text.data[i] == '\n';
	if (lines > out->line_capacity) {
		size_t *origins = reallocarray(out->origins, lines * 2, sizeof(size_t));
		if (!origins) {
			t->error = -ENOMEM;
			return false;
		}
		out->origins = origins;
		out->line_capacity = lines * 2;
	}
	while (out->line_count < lines)
		out->origins[out->line_count++] = offset;
	return true;
}

static void add_desc(struct tracing *t, const struct tracing_hook *hook)
{
	_cleanup_(buf_done) struct buf desc;
	const struct doc_node *message = tracing_scalar(t, hook->node, "message", false);
	buf_init(&desc, 4096);
	if (message)
		buf_printf(&desc, STR_FMT "; ", STR_ARG(message->text));
	buf_printf(&desc, "from the TracingPolicy " STR_FMT ", %s", STR_ARG(t->name), hook->text);
	buf_add_text(&t->out->text, "  desc: ");
	yaml_add_text(&t->out->text, buf_str(&desc));
	buf_add_char(&t->out->text, '\n');
}

static void add_tags(struct tracing *t, const struct tracing_hook *hook)
{
	const struct doc_node *tags = tracing_sequence(t, hook->node, "tags", false);
	if (!tags || tags->count == 0)
		return;
	buf_add_text(&t->out->text, "  tags: [");
	for (size_t i = 0; i < tags->count; i++) {
		if (tags->items[i]->kind != DOC_SCALAR || tags->items[i]->text.length == 0) {
			tracing_refuse(t, tags->items[i], "a tag must be a word");
			return;
		}
		buf_add_text(&t->out->text, i ? ", " : "");
		yaml_add_text(&t->out->text, tags->items[i]->text);
	}
	buf_add_text(&t->out->text, "]\n");
}

static void add_policy(struct tracing *t, const struct tracing_hook *hook, struct str condition, const char *action,
                       const char *more)
{
	struct buf *out = &t->out->text;
	buf_printf(out, "- policy: " STR_FMT "-%u\n  version: 1\n", STR_ARG(t->name), ++t->policies);
	add_desc(t, hook);
	add_tags(t, hook);
	buf_add_text(out, "  condition: ");
	yaml_add_text(out, condition);
	buf_printf(out, "\n  action: %s\n%s  mode: %s\n", action, more, t->mode);
}

void tracing_write(struct tracing *t, const struct tracing_hook *hook, const struct tracing_action *action,
                   struct str condition, const struct doc_node *at)
{
	char more[256] = "";
	if (action->deny) {
		snprintf(more, sizeof(more), "  at: %s\n  error: %s\n", policy_point_name(action->point),
		         errno_name(action->error));
		add_policy(t, hook, condition, "deny", more);
	}
	if (action->kill) {
		bool exec = action->point == POINT_EXEC;
		snprintf(more, sizeof(more), "  at: %s\n", exec ? "exec" : "event");
		add_policy(t, hook, condition, "kill", more);
		if (!exec)
			tracing_note(t, at, "the process is killed after the call, which takes effect");
	}
	if (action->post) {
		if (action->repeat.length)
			snprintf(more, sizeof(more), "  repeat: %.60s\n", action->repeat.data);
		add_policy(t, hook, condition, "alert", more);
	}
	note_origins(t, at->start);
}
