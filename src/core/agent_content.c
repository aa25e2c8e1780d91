/* SPDX-License-Identifier: Apache-2.0 */
#include "core/agent_int.h"

#include <errno.h>
#include <malloc.h>
#include <stdio.h>

#include "core/log.h"
#include "core/sieve.h"

static void say_failure(const struct loader_failure *failure, int error)
{
	log_error("%s%s%s", failure->what[0] ? failure->what : strerror(-error), failure->hint[0] ? "; " : "",
	          failure->hint);
}

static void say_mistakes(const struct diag_list *diags, const char *where)
{
	log_error("%zu mistake%s in the %s", diags->errors, diags->errors == 1 ? "" : "s", where);
}

/* ---- reading ---- */

static bool is_bundle(const struct agent *a, enum store_role role)
{
	return a->startup && a->startup->state.roles[role].version > 0;
}

static int tell_read(const struct agent *a, int r, const struct diag_list *diags, const char *what)
{
	a->options.tell(a->options.userdata, diags);
	if (r < 0 && diags->errors > 0)
		say_mistakes(diags, what);
	else if (r < 0)
		log_error("cannot load the %s: %s", what, strerror(-r));
	return r;
}

static int read_files(const struct agent *a, struct content *ret_content)
{
	_cleanup_(diag_list_done) struct diag_list diags;
	const struct content_files *files = &a->options.files;
	diag_list_init(&diags, AGENT_DIAGS_MAX);
	int r = content_read_files(files, &diags, ret_content);
	return tell_read(a, r, &diags, files->policy_path_count > 0 ? "rules or policies" : "rules");
}

int agent_read(const struct agent *a, enum store_role role, struct content *ret_content)
{
	_cleanup_(diag_list_done) struct diag_list diags;
	diag_list_init(&diags, AGENT_DIAGS_MAX);
	if (!is_bundle(a, role))
		return read_files(a, ret_content);
	int r = content_read_store(a->startup->path, role, &a->options.files.rules, &diags, ret_content);
	return tell_read(a, r, &diags, "bundle");
}

/* ---- into the kernel ---- */

/* Beside those in force. The set is taken over on success. */
static int load_policies(const struct agent *a, struct rule_set *rules, struct policy_set **set)
{
	_cleanup_(diag_list_done) struct diag_list diags;
	struct loader_failure failure = {"", ""};
	diag_list_init(&diags, AGENT_DIAGS_MAX);
	int r = a->policies ? policies_load(a->policies, rules, set, &diags, &failure) : 0;
	a->options.tell(a->options.userdata, &diags);
	if (r < 0 && diags.errors > 0)
		say_mistakes(&diags, "policies");
	else if (r < 0)
		say_failure(&failure, r);
	return r;
}

int agent_enforce(const struct agent *a)
{
	struct loader_failure failure = {"", ""};
	int r = a->policies ? policies_switch(a->policies, &failure) : 0;
	if (r < 0)
		say_failure(&failure, r);
	return r;
}

static int try_sensors(const struct agent *a)
{
	struct loader_options options = a->options.live.loader;
	struct loader_failure failure = {"", ""};
	struct loader *loader;
	options.attach_nothing = true;
	int r = loader_new(&options, &loader, &failure);
	if (r < 0)
		say_failure(&failure, r);
	else
		loader_free(loader);
	return r;
}

/* Without a sieve all events pass: that is dear, not wrong. */
static void warn_of_sieve(const struct rule_programs *programs)
{
	struct sieve_status sieve = {.count = 0};
	sieve_try(programs, &sieve);
	for (size_t i = 0; i < sieve.count; i++) {
		if (sieve.programs[i].why[0])
			log_warning("this kernel refuses a part of the sieve, so more events pass: %s",
			            sieve.programs[i].why);
	}
}

static int try_rules(const struct agent *a, const struct rule_set *rules)
{
	_cleanup_(diag_list_done) struct diag_list diags;
	uint64_t budget = a->options.files.rules.budget;
	struct rule_programs *programs;
	diag_list_init(&diags, AGENT_DIAGS_MAX);
	int r = rule_programs_new(rules, &programs);
	if (r == -E2BIG) /* then they are interpreted */
		return 0;
	if (r < 0)
		return r;
	r = rule_programs_check(programs, budget ? budget : RULE_BUDGET_DEFAULT, NULL, &diags);
	warn_of_sieve(programs);
	rule_programs_free(programs);
	a->options.tell(a->options.userdata, &diags);
	if (r < 0)
		say_mistakes(&diags, "programs of the rules");
	return r;
}

int agent_preflight(const struct agent *a, const struct rule_set *rules)
{
	int r = try_rules(a, rules);
	return r < 0 ? r : try_sensors(a);
}

/* ---- taking over ---- */

/* Makes the rules the ones that judge, and returns the events that they want. */
static void install_rules(struct agent *a, struct rule_set *rules, struct event_set *ret_events)
{
	struct enrich *enrich = pipeline_enrich(a->pipeline);
	struct rule_set *before = judge_replace_rules(a->judge, rules);
	/* Conditions of policies that were guests of these rules share tests with them: they go first. */
	if (a->policies)
		policies_forget_before(a->policies);
	rule_set_free(before);
	enrich_watch_clear(enrich);
	size_t unwatched = rules_watch_files(rules, enrich);
	if (unwatched > 0)
		log_warning("the rules name too many files: links to %zu of them are not recognised", unwatched);
	*ret_events = (struct event_set){0};
	rule_set_events(rules, ret_events);
}

void agent_install_sieve(const struct agent *a)
{
	live_set_sieve(a->live, a->options.no_sieve ? NULL : judge_programs(a->judge));
	malloc_trim(0); /* what reading and compiling took is more than what is left of it */
}

/* Rules that are taken over judge from now on. Between the old sieve and the new one all events pass: none is missing that
 * either rules could match. */
static void switch_rules(struct agent *a, struct rule_set *rules)
{
	struct event_set events;
	live_set_sieve(a->live, NULL);
	install_rules(a, rules, &events);
	int r = live_set_events(a->live, &events);
	if (r < 0)
		log_error("cannot switch on what the new rules need: %s", strerror(-r));
	agent_install_sieve(a);
	if (rules_want_environment(rules) && !a->environment)
		log_warning("the new rules look at environment variables, which are recorded only after a restart");
}

int agent_switch(struct agent *a, struct content *c)
{
	int r = load_policies(a, c->rules, &c->policies);
	if (r == 0)
		r = agent_enforce(a);
	if (r < 0)
		return r;
	switch_rules(a, TAKE_PTR(c->rules));
	return 0;
}

static void policy_set_freep(struct policy_set **s)
{
	policy_set_free(*s);
}

static int load_no_policies(const struct agent *a, struct rule_set *rules)
{
	_cleanup_(policy_set_freep) struct policy_set *none = NULL;
	int r = policy_set_new(rules, &none);
	return r < 0 ? r : load_policies(a, rules, &none);
}

void agent_drop_policies(const struct agent *a)
{
	struct rule_set *rules;
	if (!a->policies || rule_set_new(&rules) < 0)
		return;
	if (load_no_policies(a, rules) == 0)
		(void)!agent_enforce(a);
	rule_set_free(rules);
}

/* Where it only watches, policies are left out. */
static int load_allowed_policies(const struct agent *a, struct content *c)
{
	bool all = !a->startup || a->startup->rung == BOOT_NORMAL;
	return all ? load_policies(a, c->rules, &c->policies) : load_no_policies(a, c->rules);
}

/* Where it only watches and no bundle can be read, it watches by the rules of files: better than by none. */
static int read_first(const struct agent *a, struct content *ret_content)
{
	const struct startup *s = a->startup;
	int r = agent_read(a, s ? s->role : STORE_CURRENT, ret_content);
	if (r == 0 || !s || s->rung != BOOT_WATCH || !startup_is_bundle(s))
		return r;
	log_error("it watches by picket's own rules instead");
	return read_files(a, ret_content);
}

int agent_prepare(struct agent *a)
{
	_cleanup_(content_done) struct content c = {.rules = NULL};
	bool preflight = a->startup && startup_needs_preflight(a->startup);
	int r = read_first(a, &c);
	if (r == 0)
		r = load_allowed_policies(a, &c);
	if (r == 0 && preflight)
		r = agent_preflight(a, c.rules);
	if (r < 0)
		return r;
	if (preflight) {
		log_info(
		        "this content was not tried on this kernel before: it was loaded and verified, attached to nothing");
		startup_passed_preflight(a->startup);
	}
	a->environment = rules_want_environment(c.rules);
	install_rules(a, TAKE_PTR(c.rules), &a->options.live.events);
	return 0;
}
