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

/* Also of rules that are off: they may be turned on. */
int gate_bound(struct passage *p)
{
	struct rule_programs *programs = NULL;
	struct diag_list *diags = &p->result->diags;
	gate_note_u64(p, "budget", p->options->budget);
	rule_set_enable_all(p->gate->rules);
	int r = rule_programs_new(p->gate->rules, &programs);
	if (r == -E2BIG)
		return gate_refuse(p, "the rules are too many, or too large, to be compiled");
	if (r < 0)
		return r;
	r = rule_programs_check(programs, p->options->budget, diags);
	rule_programs_free(programs);
	if (r == 0 && diags->count > diags->errors)
		return gate_refuse(p, "%s", diags->items[0].text);
	return r < 0 ? r : gate_pass(p, "an event takes %" PRIu64 " instructions at most", p->options->budget);
}

/* ---- supply: what samples have, events have ---- */

/* As the values of a live event are found: evt.arg[N] counts those that are listed. */
static bool type_supplies(unsigned type, const struct field_ref *ref)
{
	const struct event_info *info = event_type_info((enum event_type)type);
	if (!info->name)
		return false;
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

static void look_at_supply(struct passage *p, const struct rule *r, const struct rule_sample *sample)
{
	struct str name = sample_type(sample);
	enum event_type type = name.data ? event_type_by_name(name) : EVENT_NONE;
	for (size_t i = 0; i < sample->field_count; i++) {
		const struct rule_sample_field *f = &sample->fields[i];
		if (f->ref.id != FIELD_EVT_ARG && f->ref.id != FIELD_EVT_RAWARG)
			continue;
		if (name.data ? type_supplies(type, &f->ref) : any_supplies(r, &f->ref))
			continue;
		if (type != EVENT_NONE)
			tell_rule(p, r, sample->line,
			          "a sample has %s, and an event " STR_FMT " has %u arguments and not this one",
			          f->field, STR_ARG(name), event_type_info(type)->listed_count);
		else
			tell_rule(p, r, sample->line, "a sample has %s, and no event that the rule is about has it",
			          f->field);
	}
}

static void look_at_samples(struct passage *p, const struct rule *r)
{
	for (size_t i = 0; i < r->sample_count; i++)
		look_at_supply(p, r, &r->samples[i]);
}

int gate_supply(struct passage *p)
{
	int r = each_rule(p, look_at_samples);
	return r < 0 ? r : gate_pass(p, "all of them");
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

enum probe { PROBE_NOTHING, PROBE_TRUE, PROBE_FALSE, PROBES };

struct probe_source {
	struct field_source source;
	enum probe probe;
	const struct event_info *info;
};

/* Of what follows from an event's type, its value; else NULL. */
static const char *fixed_text(const struct event_info *info, enum field_id id)
{
	switch (id) {
	case FIELD_EVT_TYPE:
		return info->name;
	case FIELD_EVT_CATEGORY:
		return info->category;
	case FIELD_EVT_DIR:
		return "<";
	case FIELD_EVT_SOURCE:
		return "syscall";
	default:
		return NULL;
	}
}

static struct value ordinary(enum field_type type, bool boolean)
{
	switch (type) {
	case FIELD_STR:
		return (struct value){.kind = VALUE_STR, .str = STR("probe")};
	case FIELD_PATH:
		return (struct value){.kind = VALUE_STR, .str = STR("/probe/probe")};
	case FIELD_BYTES:
		return (struct value){.kind = VALUE_BYTES, .str = STR("probe")};
	case FIELD_BOOL:
		return (struct value){.kind = VALUE_BOOL, .boolean = boolean};
	case FIELD_S64:
		return (struct value){.kind = VALUE_S64, .s64 = 1000};
	case FIELD_DOUBLE:
		return (struct value){.kind = VALUE_DOUBLE, .number = 1000};
	case FIELD_IP:
	case FIELD_NET: /* of the network for documentation, RFC 5737 */
		return (struct value){.kind = VALUE_IP, .ip = {.family = 4, .prefix = 32, .bytes = {192, 0, 2, 1}}};
	case FIELD_U64:
	case FIELD_TIME:
	case FIELD_PORT:
		break;
	}
	return (struct value){.kind = VALUE_U64, .u64 = 1000};
}

static void probe_get(const struct field_source *source, const struct field_ref *ref, struct arena *arena,
                      struct value *ret_value)
{
	const struct probe_source *s = (const struct probe_source *)source;
	unsigned flags = field_get_info(ref->id)->flags;
	const char *fixed = fixed_text(s->info, ref->id);
	*ret_value =
	        fixed ? (struct value){.kind = VALUE_STR, .str = str_from(fixed)} : (struct value){.kind = VALUE_NULL};
	if (fixed || s->probe == PROBE_NOTHING || flags & FIELD_F_NULLED)
		return;
	struct value v = ordinary(field_ref_type(ref), s->probe == PROBE_TRUE);
	bool is_list =
	        flags & (FIELD_F_LIST | FIELD_F_ENDS) || (flags & FIELD_F_ANY && !ref->has_index && !ref->key.length);
	struct value *item = is_list ? arena_new(arena, struct value) : NULL;
	if (item) {
		*item = v;
		v = (struct value){.kind = VALUE_LIST, .list = {item, 1}};
	}
	if (item || !is_list)
		*ret_value = v;
}

static size_t types_matched(const struct rule *r, enum probe probe, struct arena *arena)
{
	size_t count = 0;
	for (unsigned type = 1; type < EVENT_TYPE_MAX; type++) {
		const struct event_info *info = event_type_info((enum event_type)type);
		if (!info->name || !event_set_has(&r->events, type))
			continue;
		struct probe_source s = {.source = {.get = probe_get}, .probe = probe, .info = info};
		count += filter_match(r->condition, &s.source, arena);
		arena_reset(arena);
	}
	return count;
}

static void look_at_breadth(struct passage *p, const struct rule *r)
{
	_cleanup_(arena_done) struct arena arena;
	size_t most = 0;
	arena_init(&arena, ARENA_BYTES_MAX);
	for (enum probe probe = 0; probe < PROBES; probe++) {
		size_t count = types_matched(r, probe, &arena);
		most = MAX(most, count);
	}
	if (most > GATE_BREADTH_MAX)
		tell_rule(
		        p, r, r->line,
		        "it matches any event of %zu types, whatever it holds; %d such types are the most that a rule may have",
		        most, GATE_BREADTH_MAX);
}

int gate_breadth(struct passage *p)
{
	gate_note_u64(p, "most", GATE_BREADTH_MAX);
	int r = each_rule(p, look_at_breadth);
	return r < 0 ? r : gate_pass(p, "none");
}
