/* SPDX-License-Identifier: Apache-2.0
 *
 * The gate's steps that look at rules. Each looks at every rule, and tells of all that are wrong.
 */
#include "trust/gate_int.h"

#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>

#include "event/event.h"
#include "rule/probe.h"

#define ARENA_BYTES_MAX (16u << 20)
#define TEXT_MAX 512

static void printf_like(4, 5) tell_rule(struct passage *p, const struct rule *r, unsigned line, const char *format, ...)
{
	char text[TEXT_MAX];
	va_list arguments;
	va_start(arguments, format);
	vsnprintf(text, sizeof(text), format, arguments);
	va_end(arguments);
	diag_add(&p->result->diags, DIAG_ERROR, GATE_CODE, r->file, line, 0, "rule \"%s\": %s", r->name, text);
}

/* Calls for each rule, then says whether any was told of. */
static int each_rule(struct passage *p, void (*call)(struct passage *p, const struct rule *r))
{
	for (size_t i = 0; i < rule_set_count(p->gate->rules); i++)
		call(p, rule_set_get(p->gate->rules, i));
	return p->result->diags.errors > 0 ? -EINVAL : 0;
}

/* ---- rules: understood ---- */

static bool is_observed(const struct rule *r)
{
	for (unsigned type = 1; type < EVENT_TYPE_MAX; type++) {
		if (event_set_has(&r->events, type) && event_type_info((enum event_type)type)->observed)
			return true;
	}
	return false;
}

static void look_at_fields(struct passage *p, const struct rule *r)
{
	if (!r->condition) {
		tell_rule(p, r, r->line, "it names a field that this picket does not have, and would never be judged");
		return;
	}
	for (enum field_id id = 0; id < FIELD_COUNT; id++) {
		if (field_get_info(id)->flags & FIELD_F_NULLED && filter_uses_field(r->condition, id))
			tell_rule(p, r, r->line, "it needs %s, which never has a value", field_get_info(id)->name);
	}
	if (!is_observed(r))
		tell_rule(p, r, r->line, "it is about events that picket never makes");
}

int gate_rules(struct passage *p)
{
	int r = bundle_load_rules(p->gate->bundle, NULL, NULL, &p->result->diags, &p->gate->rules);
	if (r < 0)
		return r;
	size_t count = rule_set_count(p->gate->rules);
	if (count == 0 && bundle_count(p->gate->bundle, BUNDLE_POLICIES) == 0)
		return gate_refuse(p, "there is neither a rule nor a policy in it");
	r = each_rule(p, look_at_fields);
	gate_note_u64(p, "rules", count);
	return r < 0 ? r : gate_pass(p, "%zu rule%s", count, count == 1 ? "" : "s");
}

/* ---- bound: verified, and cheap enough ---- */

static int say_bound(struct passage *p, const struct rule_cost *cost)
{
	if (cost->type == EVENT_NONE)
		return gate_pass(p, "there is no rule to judge by");
	gate_note_u64(p, "bound", cost->bound);
	gate_note_u64(p, "process", cost->process);
	return gate_pass(p,
	                 "judging one event takes %" PRIu64 " instructions at most (%s; %" PRIu64
	                 " of them about its process): proved; %" PRIu64 " are allowed",
	                 cost->bound, event_type_info(cost->type)->name, cost->process, p->options->budget);
}

/* Also of rules that are off: they may be turned on. */
int gate_bound(struct passage *p)
{
	struct rule_programs *programs = NULL;
	struct rule_cost cost;
	struct diag_list *diags = &p->result->diags;
	gate_note_u64(p, "budget", p->options->budget);
	rule_set_enable_all(p->gate->rules);
	int r = rule_programs_new(p->gate->rules, &programs);
	if (r == -E2BIG)
		return gate_refuse(p, "the rules are too many, or too large, to be compiled");
	if (r < 0)
		return r;
	r = rule_programs_check(programs, p->options->budget, &cost, diags);
	rule_programs_free(programs);
	if (r == 0 && diags->count > diags->errors)
		return gate_refuse(p, "%s", diags->items[0].text);
	return r < 0 ? r : say_bound(p, &cost);
}

/* ---- supply: what samples have, events have ---- */

static bool is_argument(const struct field_ref *ref)
{
	return ref->id == FIELD_EVT_ARG || ref->id == FIELD_EVT_RAWARG;
}

/* fd.names are the names of what a call is about, also where it has no descriptor. */
static bool is_of_descriptor(const struct field_ref *ref)
{
	return strncmp(field_get_info(ref->id)->name, "fd.", 3) == 0 && ref->id != FIELD_FD_NAMES;
}

/* As the values of a live event are found: evt.arg[N] counts those that are listed. */
static bool type_supplies(unsigned type, const struct field_ref *ref)
{
	const struct event_info *info = event_type_info((enum event_type)type);
	if (!info->name)
		return false;
	if (!is_argument(ref))
		return info->fd_use != FD_NO;
	return ref->has_index ? ref->index < info->listed_count : event_find_arg(info, ref->key) != NULL;
}

/* A sample that does not say its type may be of each that the rule is about. */
static bool any_supplies(const struct rule *r, const struct field_ref *ref)
{
	for (unsigned type = 1; type < EVENT_TYPE_MAX; type++) {
		if (event_set_has(&r->events, type) && type_supplies(type, ref))
			return true;
	}
	return false;
}

static struct str sample_type(const struct rule_sample *sample)
{
	for (size_t i = 0; i < sample->field_count; i++) {
		const struct rule_sample_field *f = &sample->fields[i];
		if (f->ref.id == FIELD_EVT_TYPE && f->value.kind == VALUE_STR)
			return f->value.str;
	}
	return str_make(NULL, 0);
}

static void tell_supply(struct passage *p, const struct rule *r, const struct rule_sample *sample,
                        const struct rule_sample_field *f, enum event_type type)
{
	const struct event_info *info = event_type_info(type);
	if (type == EVENT_NONE)
		tell_rule(p, r, sample->line, "a sample has %s, and no event that the rule is about has it", f->field);
	else if (is_argument(&f->ref))
		tell_rule(p, r, sample->line, "a sample has %s, and an event %s has %u arguments and not this one",
		          f->field, info->name, info->listed_count);
	else
		tell_rule(p, r, sample->line, "a sample has %s, and an event %s has no descriptor", f->field,
		          info->name);
}

/* ret_count: values that depend on the type are added to it. */
static void look_at_supply(struct passage *p, const struct rule *r, const struct rule_sample *sample, size_t *ret_count)
{
	struct str name = sample_type(sample);
	enum event_type type = name.data ? event_type_by_name(name) : EVENT_NONE;
	for (size_t i = 0; i < sample->field_count; i++) {
		const struct rule_sample_field *f = &sample->fields[i];
		/* What picket never makes supplies nothing, and a rule may say that it does not match it. */
		bool never_made = name.data && type == EVENT_NONE;
		if (!is_argument(&f->ref) && (never_made || !is_of_descriptor(&f->ref)))
			continue;
		++*ret_count;
		if (name.data ? !type_supplies(type, &f->ref) : !any_supplies(r, &f->ref))
			tell_supply(p, r, sample, f, type);
	}
}

int gate_supply(struct passage *p)
{
	size_t count = 0;
	for (size_t i = 0; i < rule_set_count(p->gate->rules); i++) {
		const struct rule *r = rule_set_get(p->gate->rules, i);
		for (size_t k = 0; k < r->sample_count; k++)
			look_at_supply(p, r, &r->samples[k], &count);
	}
	gate_note_u64(p, "values", count);
	if (p->result->diags.errors > 0)
		return -EINVAL;
	return count ? gate_pass(p, "%zu value%s of arguments and descriptors in samples, of events that have them",
	                         count, count == 1 ? "" : "s")
	             : gate_pass(p, "samples have neither arguments nor descriptors");
}

/* ---- samples ---- */

struct judging {
	struct passage *p;
	const struct rule *rule;
};

static void report_failure(void *userdata, const struct rule_sample *sample, const char *why)
{
	const struct judging *j = userdata;
	if (sample && sample->name)
		tell_rule(j->p, j->rule, sample->line, "sample \"%s\": %s", sample->name, why);
	else
		tell_rule(j->p, j->rule, sample ? sample->line : j->rule->line, "%s", why);
}

static void judge_samples(struct passage *p, const struct rule *r)
{
	struct judging j = {p, r};
	if (r->sample_count == 0)
		tell_rule(p, r, r->line, "it has no samples");
	else
		rule_test_samples(r, report_failure, &j);
}

int gate_samples(struct passage *p)
{
	size_t count = 0, rules = rule_set_count(p->gate->rules);
	int r = each_rule(p, judge_samples);
	for (size_t i = 0; i < rules; i++)
		count += rule_set_get(p->gate->rules, i)->sample_count;
	gate_note_u64(p, "samples", count);
	return r < 0 ? r : gate_pass(p, "%zu, of %zu rule%s", count, rules, rules == 1 ? "" : "s");
}

/* ---- breadth: events of which nothing is known, and ordinary ones ---- */

static size_t types_matched(const struct rule *r, enum probe probe, struct arena *arena)
{
	size_t count = 0;
	for (unsigned type = 1; type < EVENT_TYPE_MAX; type++) {
		const struct event_info *info = event_type_info((enum event_type)type);
		if (!info->name || !event_set_has(&r->events, type))
			continue;
		struct probe_source s;
		probe_source_init(&s, probe, (enum event_type)type);
		count += filter_match(r->condition, &s.source, arena);
		arena_reset(arena);
	}
	return count;
}

/* Of how many types it matches each event, whatever that holds. */
static size_t rule_breadth(const struct rule *r)
{
	_cleanup_(arena_done) struct arena arena;
	size_t most = 0;
	arena_init(&arena, ARENA_BYTES_MAX);
	for (enum probe probe = 0; probe < PROBES; probe++) {
		size_t count = types_matched(r, probe, &arena);
		most = MAX(most, count);
	}
	return most;
}

int gate_breadth(struct passage *p)
{
	const struct rule *broadest = NULL;
	size_t most = 0;
	for (size_t i = 0; i < rule_set_count(p->gate->rules); i++) {
		const struct rule *r = rule_set_get(p->gate->rules, i);
		size_t breadth = rule_breadth(r);
		if (breadth > GATE_BREADTH_MAX)
			tell_rule(p, r, r->line,
			          "it matches any event of %zu types, whatever it holds; %d such types are the most "
			          "that a rule may have",
			          breadth, GATE_BREADTH_MAX);
		if (breadth > most) {
			most = breadth;
			broadest = r;
		}
	}
	gate_note_u64(p, "broadest", most);
	gate_note_u64(p, "allowed", GATE_BREADTH_MAX);
	if (p->result->diags.errors > 0)
		return -EINVAL;
	return broadest ? gate_pass(p, "\"%s\" matches any event of %zu type%s, no rule of more; %d are allowed",
	                            broadest->name, most, most == 1 ? "" : "s", GATE_BREADTH_MAX)
	                : gate_pass(p, "no rule matches all events of a type");
}
