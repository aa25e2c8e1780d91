/* SPDX-License-Identifier: Apache-2.0 */
#include "core/policies.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/clock.h"
#include "core/log.h"
#include "core/verdict.h"
#include "guard/table.h"

#define CODE "POLICY_ERR_RUN"
#define NAMES_BYTES_MAX (1u << 20)
#define SENTENCE_BYTES_MAX 4096
#define CGROUP_PATH_MAX 4096
/* Of one policy; more are counted, and told with the next alert. Who is denied may try 100,000 times a second. */
#define ALERTS_PER_SECOND 10
#define ALERTS_AT_ONCE 100

/* A policy in force: what is left of it when it is compiled. */
struct held {
	const char *name, *rule, *action; /* rule: NULL: it has its own condition, or none */
	uint32_t version;
	enum policy_mode mode; /* as its file says */
};

/* What one load came to. */
struct generation {
	struct arena names;
	struct held *held; /* as the guards count them */
	size_t count;
	struct guards *guards; /* NULL: disarmed */
};

struct policies {
	struct policies_options options;
	struct judge *judge; /* borrowed */
	struct policy_kernel kernel;
	char cgroup[CGROUP_PATH_MAX]; /* where guards of sockets are attached */
	struct alert_limiter *limiter;
	struct generation current, next;
	struct buf sentence;
	bool disarmed;     /* until picket starts again */
	bool lease_failed; /* and was told */
};

static void policy_set_freep(struct policy_set **s)
{
	policy_set_free(*s);
}

static void guard_table_freep(struct guard_table **t)
{
	guard_table_free(*t);
}

static void policies_freep(struct policies **p)
{
	policies_free(*p);
}

static void generation_done(struct generation *g)
{
	guards_free(g->guards);
	arena_done(&g->names);
	*g = (struct generation){.guards = NULL};
}

int policies_new(const struct policies_options *options, struct judge *judge, struct policies **ret_policies)
{
	_cleanup_(policies_freep) struct policies *p = calloc(1, sizeof(*p));
	struct guard_hook_report hooks[GUARD_HOOK_COUNT];
	if (!p)
		return -ENOMEM;
	p->options = *options;
	p->judge = judge;
	buf_init(&p->sentence, SENTENCE_BYTES_MAX);
	loader_probe_guards(hooks);
	for (size_t i = 0; i < GUARD_HOOK_COUNT; i++)
		p->kernel.has[i] = hooks[i].ok;
	if (options->cgroup)
		snprintf(p->cgroup, sizeof(p->cgroup), "%s", options->cgroup);
	else if (!guard_cgroup_root(p->cgroup, sizeof(p->cgroup)))
		p->cgroup[0] = '\0';
	const struct alert_limit_options limit = {.per_second = ALERTS_PER_SECOND, .burst = ALERTS_AT_ONCE};
	int r = alert_limiter_new(&limit, &p->limiter);
	if (r < 0)
		return r;
	*ret_policies = TAKE_PTR(p);
	return 0;
}

void policies_free(struct policies *p)
{
	if (!p)
		return;
	generation_done(&p->current);
	generation_done(&p->next);
	if (p->limiter)
		alert_limiter_free(p->limiter);
	buf_done(&p->sentence);
	free(p);
}

size_t policies_count(const struct policies *p)
{
	return p->current.count;
}

/* ---- loading ---- */

/* What would be promised and not kept is refused. */
static void refuse_unkept(const struct policy *policy, struct diag_list *diags)
{
	const char *what = policy->action == ACTION_ALERT ? "picket run raises no alerts of policies yet"
	                   : policy->persist_ns           ? "this build keeps no policy up without picket yet"
	                                                  : NULL;
	if (!what)
		return;
	struct diag *d = diag_add(diags, DIAG_ERROR, CODE, policy->file, policy->line, 1, "the policy '%s': %s",
	                          policy->name, what);
	diag_set_hint(d, policy->action == ACTION_ALERT ? "write a rule instead: it does the same"
	                                                : "leave 'persist' out");
}

static int read_policies(const struct policies *p, struct rule_set *rules, struct diag_list *diags,
                         struct policy_set **ret_set)
{
	_cleanup_(policy_set_freep) struct policy_set *set = NULL;
	size_t errors = diags->errors;
	int r = policy_set_new(rules, &set);
	for (size_t i = 0; i < p->options.path_count && r != -ENOMEM; i++)
		r = policy_set_add_path(set, p->options.paths[i], diags);
	if (r == -ENOMEM)
		return r;
	for (size_t i = 0; i < policy_set_count(set); i++)
		refuse_unkept(policy_set_get(set, i), diags);
	if (diags->errors > errors)
		return -EINVAL;
	*ret_set = TAKE_PTR(set);
	return 0;
}

static const char *keep_text(struct arena *arena, const char *text)
{
	return arena_str(arena, str_from(text)).data;
}

static int hold(struct generation *g, const struct guard_table *table)
{
	size_t count = guard_table_image(table)->policy_count;
	g->held = arena_array(&g->names, struct held, MAX(count, 1u));
	if (!g->held)
		return -ENOMEM;
	for (uint32_t i = 0; i < count; i++) {
		const struct policy *policy = guard_table_policy(table, i);
		struct held *h = &g->held[g->count++];
		*h = (struct held){.name = keep_text(&g->names, policy->name),
		                   .rule = policy->rule ? keep_text(&g->names, policy->rule->name) : NULL,
		                   .action = policy_action_name(policy->action),
		                   .version = policy->version,
		                   .mode = policy->mode};
		if (!h->name || (policy->rule && !h->rule))
			return -ENOMEM;
	}
	return 0;
}

int policies_load(struct policies *p, struct rule_set *rules, struct diag_list *reterr_diags,
                  struct loader_failure *reterr_failure)
{
	_cleanup_(policy_set_freep) struct policy_set *set = NULL;
	_cleanup_(guard_table_freep) struct guard_table *table = NULL;
	_cleanup_(generation_done) struct generation g = {.guards = NULL};
	const struct guard_table_options options = {.cgroup = p->options.cgroup};
	arena_init(&g.names, NAMES_BYTES_MAX);
	policies_renew(p); /* loading takes its time */
	int r = read_policies(p, rules, reterr_diags, &set);
	if (r == 0)
		r = guard_table_new(set, &p->kernel, &options, reterr_diags, &table);
	if (r == 0)
		r = hold(&g, table);
	if (r == 0 && !p->disarmed)
		r = guards_new(guard_table_image(table), &g.guards, reterr_failure);
	if (r < 0)
		return r;
	generation_done(&p->next);
	p->next = g;
	g = (struct generation){.guards = NULL};
	return 0;
}

/* ---- taking over ---- */

static const struct held *find(const struct generation *g, struct str name, uint32_t *ret_index)
{
	for (uint32_t i = 0; i < g->count; i++) {
		if (!str_equals(name, g->held[i].name))
			continue;
		*ret_index = i;
		return &g->held[i];
	}
	return NULL;
}

/* One that was lowered at runtime stays at most there: only an operator's word raises it. */
static uint32_t mode_after(enum policy_mode new_file, enum policy_mode old_file, uint32_t old_now)
{
	return old_now < old_file ? MIN((uint32_t)new_file, old_now) : new_file;
}

static int inherit(struct policies *p)
{
	int r = 0;
	for (uint32_t i = 0; i < p->next.count && p->current.guards && r == 0; i++) {
		const struct held *h = &p->next.held[i], *before;
		struct guard_state state;
		uint32_t index;
		before = find(&p->current, str_from(h->name), &index);
		if (!before)
			continue;
		r = guards_state(p->current.guards, index, &state);
		if (r < 0)
			break;
		state.mode = mode_after(h->mode, before->mode, state.mode);
		r = guards_set_state(p->next.guards, i, &state);
	}
	return r;
}

static int renew(struct guards *guards)
{
	return guards_renew(guards, clock_boot_ns() + POLICIES_LEASE_NS);
}

int policies_switch(struct policies *p, struct loader_failure *reterr_failure)
{
	int r = 0;
	if (p->next.guards) {
		r = inherit(p);
		if (r == 0)
			r = renew(p->next.guards);
		if (r == 0)
			r = guards_attach(p->next.guards, p->cgroup, reterr_failure);
	}
	if (r < 0) {
		generation_done(&p->next);
		return r;
	}
	/* For a moment both judge: that is told twice, but nothing passes between them. */
	policies_tell(p);
	generation_done(&p->current);
	p->current = p->next;
	p->next = (struct generation){.guards = NULL};
	return 0;
}

void policies_renew(struct policies *p)
{
	int r = p->current.guards ? renew(p->current.guards) : 0;
	if (r < 0 && !p->lease_failed)
		log_error("the lease of the guards cannot be renewed, so they only watch: %s", strerror(-r));
	p->lease_failed = r < 0;
}

/* ---- verdicts ---- */

static enum rule_priority priority_of(const struct guard_verdict *v)
{
	switch (v->kind) {
	case GUARD_TRIPPED:
		return PRIORITY_ERROR;
	case GUARD_ACTED:
		return PRIORITY_WARNING;
	case GUARD_WOULD_ACT:
		return PRIORITY_NOTICE;
	default:
		return PRIORITY_INFORMATIONAL;
	}
}

static void add_sentence(const struct held *h, const struct guard_verdict *v, struct buf *out)
{
	static const char *const what[] = {[GUARD_ACTED] = "acted on",
	                                   [GUARD_WOULD_ACT] = "would have acted on",
	                                   [GUARD_MATCHED] = "matched",
	                                   [GUARD_TRIPPED] =
	                                           "is over its budget, only tells from now on, and let pass"};
	buf_printf(out, "policy %s version %u (%s) %s ", h->name, v->version, h->action, what[v->kind]);
	verdict_add_deed(v, out);
}

#define VERDICT_FIELDS_MAX 11

static void add_field(struct alert *a, struct alert_field *fields, const char *name, const struct value *value)
{
	fields[a->field_count++] = (struct alert_field){.name = str_from(name), .value = *value};
}

static void add_text_field(struct alert *a, struct alert_field *fields, const char *name, struct str text)
{
	add_field(a, fields, name, &(struct value){.kind = VALUE_STR, .str = text});
}

static void add_number_field(struct alert *a, struct alert_field *fields, const char *name, uint64_t number)
{
	add_field(a, fields, name, &(struct value){.kind = VALUE_U64, .u64 = number});
}

static void add_fields(struct alert *a, const struct held *h, const struct guard_verdict *v, struct alert_field *fields)
{
	bool local = v->point == GUARD_AT_BIND;
	struct value address = {.kind = VALUE_IP};
	add_number_field(a, fields, "evt.time", a->real_ns);
	add_text_field(a, fields, "policy.name", str_from(h->name));
	add_number_field(a, fields, "policy.version", v->version);
	if (h->rule)
		add_text_field(a, fields, "policy.rule", str_from(h->rule));
	add_text_field(a, fields, "policy.action", str_from(h->action));
	add_text_field(a, fields, "policy.point", str_from(verdict_point_name(v->point)));
	add_text_field(a, fields, "policy.verdict", str_from(verdict_kind_name(v->kind)));
	add_text_field(a, fields, "proc.name", verdict_program(v));
	add_number_field(a, fields, "proc.pid", v->tgid);
	if (verdict_address(v, &address.ip)) {
		add_field(a, fields, local ? "fd.lip" : "fd.rip", &address);
		add_number_field(a, fields, local ? "fd.lport" : "fd.rport", v->port);
	}
	a->fields = fields;
}

static void tell(void *userdata, const struct guard_verdict *v)
{
	struct policies *p = userdata;
	struct alert_field fields[VERDICT_FIELDS_MAX];
	if (v->policy >= p->current.count || !verdict_kind_name(v->kind) || !verdict_point_name(v->point))
		return;
	const struct held *h = &p->current.held[v->policy];
	buf_clear(&p->sentence);
	add_sentence(h, v, &p->sentence);
	struct alert a = {
	        .real_ns = v->time_ns + clock_boot_offset_ns(),
	        .rule = h->name,
	        .priority = priority_of(v),
	        .priority_name = rule_priority_name(priority_of(v)),
	        .source = "policy",
	        .output = buf_str(&p->sentence),
	};
	/* That a breaker tripped is never held back. */
	if (!alert_limiter_pass(p->limiter, &a) && v->kind != GUARD_TRIPPED)
		return;
	add_fields(&a, h, v, fields);
	judge_put(p->judge, &a);
}

void policies_tell(struct policies *p)
{
	ssize_t got = p->current.guards ? guards_poll(p->current.guards, tell, p) : 0;
	if (got < 0)
		log_error("the verdicts of guards cannot be read: %s", strerror((int)-got));
}

/* ---- orders ---- */

static bool mode_parse(struct str name, enum policy_mode *ret_mode)
{
	for (enum policy_mode mode = 0; mode < POLICY_MODE_COUNT; mode++) {
		if (!str_equals(name, policy_mode_name(mode)))
			continue;
		*ret_mode = mode;
		return true;
	}
	return false;
}

static bool set_mode(struct policies *p, struct str mode_name, struct str name, struct buf *answer)
{
	enum policy_mode mode;
	struct guard_state state;
	uint32_t index = 0;
	if (!mode_parse(mode_name, &mode)) {
		buf_printf(answer, "there is no mode \"" STR_FMT "\"", STR_ARG(mode_name));
		return false;
	}
	if (p->disarmed) {
		buf_add_text(answer, "the guards are disarmed, until picket is started again");
		return false;
	}
	if (!find(&p->current, name, &index)) {
		buf_printf(answer, "there is no policy \"" STR_FMT "\"", STR_ARG(name));
		return false;
	}
	int r = guards_state(p->current.guards, index, &state);
	if (r == 0)
		r = guards_set_mode(p->current.guards, index, mode);
	if (r < 0) {
		buf_printf(answer, "the kernel does not take it: %s", strerror(-r));
		return false;
	}
	buf_printf(answer, STR_FMT ": %s, was %s%s", STR_ARG(name), policy_mode_name(mode),
	           policy_mode_name((enum policy_mode)state.mode), state.tripped ? "; its breaker is set back" : "");
	return true;
}

static void disarm(struct policies *p, struct buf *answer)
{
	policies_tell(p);
	guards_free(p->current.guards);
	p->current.guards = NULL;
	p->disarmed = true;
	buf_printf(answer, "disarmed: %zu polic%s nothing any more, until picket is started again", p->current.count,
	           p->current.count == 1 ? "y does" : "ies do");
}

bool policies_carry_out(struct policies *p, struct str order, struct buf *answer)
{
	struct str rest = order, verb = {0}, mode = {0}, name = {0};
	size_t begin = answer->length;
	bool done = false;
	str_next(&rest, ' ', &verb);
	if (str_equals(verb, "disarm")) {
		disarm(p, answer);
		done = true;
	} else if (str_equals(verb, "mode") && str_next(&rest, ' ', &mode) && str_next(&rest, ' ', &name)) {
		done = set_mode(p, mode, name, answer);
	} else {
		buf_add_text(answer, "this picket does not know this order");
	}
	if (done)
		log_notice("by order: " STR_FMT, (int)(answer->length - begin), answer->data + begin);
	return done;
}

/* ---- the status ---- */

static void report_state(struct json *out, const struct guard_state *s)
{
	static const char *const trips[] = {
	        [GUARD_TRIP_ACTIONS] = "actions", [GUARD_TRIP_PROCESSES] = "processes", [GUARD_TRIP_SHARE] = "share"};
	const struct {
		const char *key;
		uint64_t value;
	} counts[] = {{"acted", s->total_actions},
	              {"would_have_acted", s->total_would},
	              {"undecided", s->total_unknown},
	              {"verdicts_lost", s->verdicts_lost}};
	json_key(out, "mode");
	json_text(out, s->mode < POLICY_MODE_COUNT ? policy_mode_name((enum policy_mode)s->mode) : NULL);
	json_key(out, "over_budget");
	json_text(out, s->tripped < ARRAY_SIZE(trips) ? trips[s->tripped] : NULL);
	for (size_t i = 0; i < ARRAY_SIZE(counts); i++) {
		json_key(out, counts[i].key);
		json_u64(out, counts[i].value);
	}
}

static void report_policy(const struct policies *p, uint32_t index, struct json *out)
{
	const struct held *h = &p->current.held[index];
	struct guard_state state;
	json_begin_object(out);
	json_key(out, "name");
	json_text(out, h->name);
	json_key(out, "version");
	json_u64(out, h->version);
	json_key(out, "rule");
	json_text(out, h->rule);
	json_key(out, "action");
	json_text(out, h->action);
	json_key(out, "mode_of_file");
	json_text(out, policy_mode_name(h->mode));
	if (p->current.guards && guards_state(p->current.guards, index, &state) == 0)
		report_state(out, &state);
	json_end_object(out);
}

void policies_report(struct policies *p, struct json *out)
{
	json_key(out, "guards");
	json_begin_object(out);
	json_key(out, "armed");
	json_bool(out, p->current.guards);
	json_key(out, "lease_renewed");
	json_bool(out, p->current.guards && !p->lease_failed);
	json_key(out, "cgroup");
	json_text(out, p->cgroup);
	json_key(out, "alerts_held_back");
	json_u64(out, alert_limiter_held_back(p->limiter));
	json_end_object(out);
	json_key(out, "policies");
	json_begin_array(out);
	for (uint32_t i = 0; i < p->current.count; i++)
		report_policy(p, i, out);
	json_end_array(out);
}
