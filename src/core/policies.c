/* SPDX-License-Identifier: Apache-2.0 */
#include "core/policies_int.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/clock.h"
#include "core/log.h"
#include "loader/run_time.h"

#define SENTENCE_BYTES_MAX 4096
#define REPEATS_REMEMBERED 256
#define OUTPUT "%evt.type of %proc.name (%proc.cmdline) %fd.name" /* without numbers: 'repeat' goes by the text */
/* Of one policy; more are counted, and told with the next alert. Who is denied may try 100,000 times a second. */
#define ALERTS_PER_SECOND 10
#define ALERTS_AT_ONCE 100

static void guard_table_freep(struct guard_table **t)
{
	guard_table_free(*t);
}

static void alert_limiter_freep(struct alert_limiter **l)
{
	if (*l)
		alert_limiter_free(*l);
}

static void policies_freep(struct policies **p)
{
	policies_free(*p);
}

static void generation_done(struct generation *g)
{
	guards_free(g->guards);
	for (size_t i = 0; i < g->count; i++)
		alert_limiter_freep(&g->held[i].limiter);
	policies_free_filters(g->everything);
	policy_set_free(g->set);
	arena_done(&g->names);
	*g = (struct generation){.guards = NULL};
}

void policies_forget_before(struct policies *p)
{
	policies_free_filters(p->retired_everything);
	policy_set_free(p->retired);
	p->retired_everything = NULL;
	p->retired = NULL;
}

/* Where they act, as a path below the root of control groups. */
static int find_within(struct policies *p)
{
	_cleanup_(base_free_ptr) char *real = NULL;
	if (!guard_cgroup_root(p->root, sizeof(p->root)))
		p->root[0] = '\0';
	if (!p->options.cgroup || !p->root[0])
		return 0;
	real = realpath(p->options.cgroup, NULL);
	if (!real || !str_starts_with(str_from(real), str_from(p->root)))
		return 0; /* told when guards are attached */
	p->within = strdup(real + strlen(p->root));
	return p->within ? 0 : -ENOMEM;
}

static int make_output(struct policies *p)
{
	_cleanup_(diag_list_done) struct diag_list diags;
	diag_list_init(&diags, 1);
	return format_new(STR(OUTPUT), "policy", &diags, &p->output);
}

int policies_new(const struct policies_options *options, struct judge *judge, struct policies **ret_policies)
{
	_cleanup_(policies_freep) struct policies *p = calloc(1, sizeof(*p));
	struct guard_hook_report hooks[GUARD_HOOK_COUNT];
	if (!p)
		return -ENOMEM;
	p->options = *options;
	memset(p->protect_pidfds, -1, sizeof(p->protect_pidfds));
	p->judge = judge;
	map_init(&p->seen, GUARD_MEMBERS_MAX);
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
	if (r == 0)
		r = find_within(p);
	if (r == 0)
		r = make_output(p);
	if (r < 0)
		return r;
	judge_set_guests(judge, policies_matched, p);
	r = policies_name_protected(p);
	if (r == 0)
		r = policies_adopt(p);
	if (r < 0)
		return r;
	*ret_policies = TAKE_PTR(p);
	return 0;
}

void policies_free(struct policies *p)
{
	if (!p)
		return;
	policies_release_of(p, NULL);
	policies_leave(p);
	policies_forget_protected(p);
	generation_done(&p->current);
	generation_done(&p->next);
	policies_forget_before(p);
	policies_forget_groups(p);
	map_done(&p->seen);
	alert_limiter_freep(&p->limiter);
	format_free(p->output);
	free(p->within);
	buf_done(&p->sentence);
	free(p);
}

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

const struct held *policies_find(const struct policies *p, struct str name, uint32_t *ret_index)
{
	return find(&p->current, name, ret_index);
}

size_t policies_count(const struct policies *p)
{
	return p->current.count;
}

/* ---- loading ---- */

static const char *keep_text(struct arena *arena, const char *text)
{
	return arena_str(arena, str_from(text)).data;
}

/* An alert that is not to be repeated is limited by itself. */
static int make_limiter(struct held *h)
{
	const struct alert_limit_options limit = {.per_second = ALERTS_PER_SECOND,
	                                          .burst = ALERTS_AT_ONCE,
	                                          .repeat_ns = h->policy->repeat_ns,
	                                          .memory = REPEATS_REMEMBERED};
	return h->policy->repeat_ns ? alert_limiter_new(&limit, &h->limiter) : 0;
}

static int hold(struct generation *g, const struct guard_table *table)
{
	const struct guard_image *image = guard_table_image(table);
	g->held = arena_array(&g->names, struct held, MAX(image->policy_count, 1u));
	if (!g->held)
		return -ENOMEM;
	for (uint32_t i = 0; i < image->policy_count; i++) {
		const struct policy *policy = guard_table_policy(table, i);
		struct held *h = &g->held[g->count++];
		*h = (struct held){.name = keep_text(&g->names, policy->name),
		                   .rule = policy->rule ? keep_text(&g->names, policy->rule->name) : NULL,
		                   .action = policy_action_name(policy->action),
		                   .version = policy->version,
		                   .persist_ns = policy->persist_ns,
		                   .mode = policy->mode,
		                   .policy = policy,
		                   .scope = image->policies[i].scope,
		                   .reacts = guard_table_reacts(table, i)};
		if (!h->name || (policy->rule && !h->rule) || make_limiter(h) < 0)
			return -ENOMEM;
		g->looks_up |= h->scope.members;
	}
	return 0;
}

static int hold_bits(struct generation *g, const struct guard_table *table)
{
	size_t count;
	const struct cond_test *const *bits = guard_table_bits(table, &count);
	g->bits = arena_array(&g->names, const struct cond_test *, MAX(count, (size_t)1));
	if (!g->bits)
		return -ENOMEM;
	memcpy(g->bits, bits, count * sizeof(*g->bits));
	g->bit_count = count;
	return 0;
}

int policies_load(struct policies *p, struct rule_set *rules, struct policy_set **set, struct diag_list *reterr_diags,
                  struct loader_failure *reterr_failure)
{
	_cleanup_(guard_table_freep) struct guard_table *table = NULL;
	_cleanup_(generation_done) struct generation g = {.guards = NULL};
	const struct guard_table_options options = {.cgroup = p->options.cgroup, .judged = true};
	arena_init(&g.names, GENERATION_NAMES_MAX);
	policies_renew(p); /* loading takes its time */
	int r = p->options.cgroup ? 0 : policy_set_check_breadth(*set, reterr_diags);
	if (r == 0)
		r = guard_table_new(*set, &p->kernel, &options, reterr_diags, &table);
	if (r == 0)
		r = hold(&g, table);
	if (r == 0)
		r = hold_bits(&g, table);
	if (r == 0)
		r = policies_add_guests(&g, rules, reterr_diags);
	if (r == 0 && !p->disarmed && g.count > 0)
		r = guards_new(guard_table_image(table), p->options.instance, &g.guards, reterr_failure);
	if (r == 0 && g.guards)
		r = policies_protect_in(p, g.guards);
	if (r < 0)
		return r;
	generation_done(&p->next);
	p->next = g;
	p->next.set = TAKE_PTR(*set);
	g = (struct generation){.guards = NULL};
	return 0;
}

/* ---- taking over ---- */

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

static int renew(const struct policies *p, struct guards *guards)
{
	return guards_renew(guards, p->shed ? 0 : clock_boot_ns() + POLICIES_LEASE_NS);
}

void policies_disarm(struct policies *p)
{
	policies_tell(p);
	policies_release_of(p, NULL);
	guards_free(p->current.guards);
	p->current.guards = NULL;
	p->disarmed = true;
}

/* By `picket disarm`, which does not wait for us. */
static bool disarmed_from_outside(struct policies *p)
{
	if (!p->current.guards || !guards_disarmed(p->current.guards))
		return false;
	policies_disarm(p);
	log_notice("disarmed from outside: policies do nothing any more, until picket is started again");
	return true;
}

int policies_switch(struct policies *p, struct loader_failure *reterr_failure)
{
	int r = 0;
	if (disarmed_from_outside(p)) {
		guards_free(p->next.guards);
		p->next.guards = NULL;
	}
	if (p->next.guards) {
		r = inherit(p);
		if (r == 0)
			r = renew(p, p->next.guards);
		if (r == 0)
			r = guards_attach(p->next.guards, p->cgroup, reterr_failure);
		if (r == 0)
			r = policies_pin(p, &p->next, reterr_failure);
	}
	if (r < 0) {
		generation_done(&p->next);
		return r;
	}
	/* For a moment both judge: that is told twice, but nothing passes between them. */
	policies_tell(p);
	policies_forget_before(p);
	p->retired = TAKE_PTR(p->current.set);
	p->retired_everything = TAKE_PTR(p->current.everything);
	struct generation before = p->current;
	p->current = p->next;
	p->next = (struct generation){.guards = NULL};
	policies_requarantine(p);
	generation_done(&before);
	policies_see_all(p);
	policies_know_anew(p);
	policies_unpin_others(p->options.instance, p->current.guards);
	return 0;
}

void policies_renew(struct policies *p)
{
	if (disarmed_from_outside(p))
		return;
	int r = p->current.guards ? renew(p, p->current.guards) : 0;
	if (r < 0 && !p->lease_failed)
		log_error("the lease of the guards cannot be renewed, so they only watch: %s", strerror(-r));
	p->lease_failed = r < 0;
	policies_protect(p);
	policies_check_groups(p);
	policies_check_quarantines(p);
	policies_check_gate(p);
}

void policies_set_shed(struct policies *p, bool shed)
{
	if (p->shed == shed)
		return;
	p->shed = shed;
	policies_renew(p);
}

int policies_run_time(const struct policies *p, uint64_t *ret_ns)
{
	*ret_ns = 0;
	return p->current.guards ? guards_run_time(p->current.guards, ret_ns) : 0;
}
