/* SPDX-License-Identifier: Apache-2.0
 *
 * One item of a policy file.
 */
#include "guard/policy_int.h"

#include <errno.h>

#include "base/clock.h"

#define VERSION_MAX 1000000000u
#define BURST_MAX 1000000u
#define BUDGET_MAX 1000000u
#define PERSIST_MAX_NS (24 * 3600 * NS_PER_S)
#define REPEAT_MAX_NS (7 * 24 * 3600 * NS_PER_S)

/* ---- single keys ---- */

static bool is_name(struct str s)
{
	static const char first[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";
	static const char others[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._-";
	return s.length > 0 && s.length <= POLICY_NAME_MAX && strchr(first, s.data[0]) &&
	       strspn(s.data, others) == s.length;
}

static bool read_name(struct policy_reader *r, const struct doc_node *item, struct policy *p)
{
	const struct doc_node *node = get_scalar(r, item, "policy");
	if (!node)
		return false;
	if (!is_name(node->text)) {
		struct diag *d = policy_error(r, node, "'%.100s' is no name of a policy", node->text.data);
		diag_set_hint(d, "it has at most %d letters, digits, and . _ - after the first", POLICY_NAME_MAX);
		return false;
	}
	p->name = policy_keep(r, node->text);
	return p->name;
}

static bool read_desc(struct policy_reader *r, const struct doc_node *item, struct policy *p)
{
	const struct doc_node *node = get_scalar(r, item, "desc");
	p->desc = node ? policy_keep(r, node->text) : "";
	return p->desc && (node || !doc_get(item, "desc"));
}

static bool read_points(struct policy_reader *r, const struct doc_node *item, struct policy *p)
{
	struct policy_texts names = {NULL, 0};
	if (!doc_get(item, "at")) {
		if (!action_needs_point(p->action)) {
			p->points = 1u << action_point(p->action);
			return true;
		}
		struct diag *d = policy_error(r, doc_get(item, "action"), "the key 'at' is missing: where to %s?",
		                              policy_action_name(p->action));
		diag_set_hint(d, "it is one of %s, or a list of them", point_names(p->action).text);
		return false;
	}
	if (!get_texts(r, item, "at", NULL, &names))
		return false;
	for (size_t i = 0; i < names.count; i++) {
		int point = point_parse(str_from(names.items[i]));
		if (point >= 0 && action_takes_point(p->action, (enum policy_point)point)) {
			p->points |= 1u << point;
			continue;
		}
		struct diag *d = policy_error(r, doc_get(item, "at"), "%s is not possible at '%.100s'",
		                              policy_action_name(p->action), names.items[i]);
		diag_set_hint(d, "it is possible at %s", point_names(p->action).text);
		return false;
	}
	return true;
}

static bool read_reaction(struct policy_reader *r, const struct doc_node *item, struct policy *p)
{
	const struct doc_node *node = get_scalar(r, item, "reaction");
	if (!node)
		return !doc_get(item, "reaction");
	p->reaction = str_equals(node->text, "allowed");
	if (p->reaction || str_equals(node->text, "refused"))
		return true;
	policy_error(r, node, "the value of 'reaction' must be allowed or refused, not '%.100s'", node->text.data);
	return false;
}

static bool read_budget(struct policy_reader *r, const struct doc_node *item, struct policy *p)
{
	const struct doc_node *map = doc_get(item, "budget");
	p->budget = (struct policy_budget){.actions = 60, .processes = 20, .share = 100};
	if (!map)
		return true;
	if (map->kind != DOC_MAP || map->count == 0) {
		struct diag *d = policy_error(r, doc_is_null(map) ? doc_get_key(item, "budget") : map,
		                              "a budget must be a mapping of at least one key");
		diag_set_hint(d, "its keys are %s", key_names("budget").text);
		return false;
	}
	bool good = check_keys(r, map, "budget");
	good = get_count(r, map, "actions", BUDGET_MAX, &p->budget.actions) && good;
	good = get_count(r, map, "processes", BUDGET_MAX, &p->budget.processes) && good;
	return get_share(r, map, "share", &p->budget.share) && good;
}

/* ---- the condition ---- */

static bool find_rule(struct policy_reader *r, const struct doc_node *item, struct policy *p)
{
	const struct doc_node *node = get_scalar(r, item, "rule");
	if (!node)
		return false;
	p->rule = rule_set_find(r->rules, node->text);
	if (!p->rule) {
		struct diag *d = policy_error(r, node, "there is no rule '%.200s'", node->text.data);
		diag_set_hint(d, "picket rules list shows the rules; with --rules, those of other files");
		return false;
	}
	p->condition = p->rule->condition;
	if (!p->condition)
		policy_error(r, node, "the rule '%.200s' asks for a field that is not known here", node->text.data);
	return p->condition;
}

static bool own_condition(struct policy_reader *r, const struct doc_node *item, struct policy *p)
{
	const struct doc_node *node = get_scalar(r, item, "condition");
	struct filter *filter;
	if (!node)
		return false;
	int result = rule_set_condition(r->rules, r->file, node, r->diags, &filter);
	if (result == 0)
		p->condition = filter;
	else if (result == -ENOMEM)
		r->error = result;
	else if (result == -EINVAL)
		r->failed = true;
	else
		policy_error(r, node, "the rules cannot be asked for it: %s", strerror(-result));
	return result == 0;
}

static bool read_condition(struct policy_reader *r, const struct doc_node *item, struct policy *p)
{
	bool rule = doc_get(item, "rule"), condition = doc_get(item, "condition");
	if (rule && condition) {
		struct diag *d =
		        policy_error(r, doc_get_key(item, "condition"), "a policy has a rule or a condition, not both");
		diag_set_hint(d, "leave out one");
		return false;
	}
	return rule ? find_rule(r, item, p) : condition ? own_condition(r, item, p) : true;
}

/* ---- what fits together ---- */

/* Keys that only some actions have. */
static bool check_belongs(struct policy_reader *r, const struct doc_node *item, const struct policy *p)
{
	static const struct {
		const char *key;
		unsigned actions; /* bits */
		const char *whose;
	} rows[] = {
	        {"error", 1u << ACTION_DENY, "deny"},
	        {"devices", 1u << ACTION_DENY, "deny"},
	        {"rate", 1u << ACTION_THROTTLE, "throttle"},
	        {"burst", 1u << ACTION_THROTTLE, "throttle"},
	        {"repeat", 1u << ACTION_ALERT, "alert"},
	        {"reaction", 1u << ACTION_DENY | 1u << ACTION_THROTTLE, "deny and throttle"},
	        {"budget", ~(1u << ACTION_ALERT), "actions other than alert"},
	        {"persist", ~(1u << ACTION_ALERT), "actions other than alert"},
	};
	bool good = true;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		if (!doc_get(item, rows[i].key) || rows[i].actions & 1u << p->action)
			continue;
		policy_error(r, doc_get_key(item, rows[i].key), "'%s' is for %s, and this action is %s", rows[i].key,
		             rows[i].whose, policy_action_name(p->action));
		good = false;
	}
	return good;
}

static bool needs_condition(enum policy_action action)
{
	return action == ACTION_ALERT || action == ACTION_KILL || action == ACTION_QUARANTINE;
}

static bool check_whom(struct policy_reader *r, const struct doc_node *item, const struct policy *p)
{
	if (doc_get(item, "rule") || doc_get(item, "condition"))
		return true;
	struct diag *d = NULL;
	if (needs_condition(p->action)) {
		d = policy_error(r, item, "on what to %s? a rule or a condition is missing",
		                 policy_action_name(p->action));
		diag_set_hint(d, "add 'rule: NAME' or 'condition: …'");
	} else if (!doc_get(item, "scope") && !p->device_count) {
		d = policy_error(r, item, "this would %s everything on the host", policy_action_name(p->action));
		diag_set_hint(d, "add a rule, a condition or a scope");
	}
	return !d;
}

static bool check_devices(struct policy_reader *r, const struct doc_node *item, const struct policy *p)
{
	if (!p->device_count)
		return true;
	const struct doc_node *key = doc_get_key(item, "devices");
	if (p->condition)
		policy_error(r, key, "a policy has devices or a rule or condition, not both");
	else if (p->points != 1u << POINT_DEVICE)
		policy_error(r, key, "'devices' is for 'at: device' alone");
	else
		return true;
	return false;
}

static bool check_rate(struct policy_reader *r, const struct doc_node *item, struct policy *p)
{
	if (p->action != ACTION_THROTTLE)
		return true;
	if (!doc_get(item, "rate")) {
		struct diag *d =
		        policy_error(r, doc_get(item, "action"), "the key 'rate' is missing: throttle to what?");
		diag_set_hint(d, "as 'rate: 20/s'");
		return false;
	}
	if (p->burst && p->burst < p->rate && p->rate_seconds == 1) {
		policy_error(r, doc_get(item, "burst"),
		             "a burst below the rate of a second would never let the rate be");
		return false;
	}
	return true;
}

static bool check_persist(struct policy_reader *r, const struct doc_node *item, const struct policy *p)
{
	if (!p->persist_ns)
		return true;
	const struct doc_node *key = doc_get_key(item, "persist");
	if (p->mode == POLICY_WATCH)
		policy_error(r, key, "a policy that only watches has nothing to keep up without picket");
	else if (p->points & (1u << POINT_EVENT | 1u << POINT_NETWORK))
		policy_error(r, key,
		             "this action follows on events, which are judged by picket: it cannot be kept up "
		             "without it");
	else if (p->reaction)
		policy_error(r, key, "a reaction is picket's: it cannot be kept up without it");
	else
		return true;
	return false;
}

static bool check_together(struct policy_reader *r, const struct doc_node *item, struct policy *p)
{
	bool good = check_belongs(r, item, p);
	good = check_whom(r, item, p) && good;
	good = check_devices(r, item, p) && good;
	good = check_rate(r, item, p) && good;
	return check_persist(r, item, p) && good;
}

/* ---- the item ---- */

static bool read_values(struct policy_reader *r, const struct doc_node *item, struct policy *p)
{
	int mode = POLICY_WATCH;
	bool good = read_name(r, item, p);
	good = get_count(r, item, "version", VERSION_MAX, &p->version) && good;
	good = read_desc(r, item, p) && good;
	good = get_texts(r, item, "tags", NULL, &p->tags) && good;
	good = get_error(r, item, "error", &p->error) && good;
	good = get_rate(r, item, "rate", &p->rate, &p->rate_seconds) && good;
	good = get_count(r, item, "burst", BURST_MAX, &p->burst) && good;
	good = get_duration(r, item, "repeat", REPEAT_MAX_NS, &p->repeat_ns) && good;
	good = get_duration(r, item, "persist", PERSIST_MAX_NS, &p->persist_ns) && good;
	good = get_devices(r, item, p) && good;
	good = read_reaction(r, item, p) && good;
	good = read_budget(r, item, p) && good;
	good = scope_read(r, item, p) && good;
	good = get_word(r, item, "mode", mode_parse, mode_names, &mode) && good;
	p->mode = (enum policy_mode)mode;
	return good;
}

static bool check_needed(struct policy_reader *r, const struct doc_node *item)
{
	bool good = true;
	for (size_t i = 0; i < policy_key_count; i++) {
		const struct policy_key *key = &policy_keys[i];
		if (!key->needed || strcmp(key->where, "policy") != 0 || doc_get(item, key->name))
			continue;
		struct diag *d = policy_error(r, item, "the key '%s' is missing", key->name);
		diag_set_hint(d, "%s", key->doc);
		good = false;
	}
	return good;
}

bool policy_read(struct policy_reader *r, const struct doc_node *item, struct policy *ret_policy)
{
	struct policy p = {.error = EPERM, .rate_seconds = 1};
	int action = -1;
	bool good = check_keys(r, item, "policy");
	good = check_needed(r, item) && good;
	good = get_word(r, item, "action", action_parse, action_names, &action) && good;
	good = read_values(r, item, &p) && good;
	good = read_condition(r, item, &p) && good;
	p.file = policy_keep(r, str_from(r->file->name));
	p.line = doc_line(r->file, item->start);
	if (action >= 0) {
		p.action = (enum policy_action)action;
		good = read_points(r, item, &p) && good;
		good = check_together(r, item, &p) && good;
	}
	good = good && !r->error && policy_decide(r, item, &p) && policy_name_executables(r, &p);
	if (p.burst == 0)
		p.burst = p.rate;
	if (!good || r->error) {
		policy_done(&p);
		return false;
	}
	*ret_policy = p;
	return true;
}

void policy_done(struct policy *p)
{
	if (!p->rule)
		filter_free((struct filter *)p->condition);
	p->condition = NULL;
}
