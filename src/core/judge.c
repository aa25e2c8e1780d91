/* SPDX-License-Identifier: Apache-2.0 */
#include "core/judge.h"

#include <errno.h>
#include <malloc.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/map.h"

#define OUTPUT_TEXT_BYTES_MAX (256u << 10)
#define HELD_BACK_REPORT_NS (60 * NS_PER_S)
#define EVIDENCE_FIELDS_MAX 3 /* that judge_raise() adds to what output and options name */
#define OWN_SOURCE "picket"

struct judge {
	struct judge_options options;
	struct rule_set *rules;
	struct rule_programs *programs; /* of rules; NULL: no memory for them, so the rules are interpreted */
	struct alert_limiter *limiter;
	struct export_output *outputs[JUDGE_OUTPUTS_MAX];
	size_t output_count;
	struct buf text;    /* of the alert being made */
	struct map by_rule; /* name → counted_rule */
	struct judge_stats stats;
	uint64_t last_real_ns;     /* of the last event that was judged */
	uint64_t schema;           /* fingerprint */
	char hostname[256];        /* as the stream says; our own notices carry it */
	uint64_t shadow_end_ns;    /* boot time: until then alerts may lack what was lost */
	const char *shed;          /* what is not watched for now; NULL: all is. Borrowed */
	uint64_t lost_untold;      /* events lost that no notice has told of */
	uint64_t last_notice_ns;   /* as judge_steady_now() */
	uint64_t last_report_ns;   /* boot time */
	uint64_t undecided_before; /* tests that rules of earlier sets could not decide */
	uint64_t undecided_told;
	uint64_t not_written_told;
	size_t problems_told;
	const struct rule *raised[JUDGE_MATCHES_MAX]; /* by the last event */
	size_t raised_count;
	bool matched; /* by a rule or a guest: the last event */
	void (*guest_matched)(void *userdata, const struct rule *guest, struct enrich_view *view, struct arena *arena);
	void *guest_userdata;
};

struct counted_rule {
	uint64_t alerts;
};

int judge_new(const struct judge_options *options, struct judge **ret_judge)
{
	_cleanup_(judge_freep) struct judge *j = calloc(1, sizeof(*j));
	if (!j)
		return -ENOMEM;
	j->options = *options;
	j->schema = event_schema_fingerprint();
	buf_init(&j->text, OUTPUT_TEXT_BYTES_MAX);
	map_init(&j->by_rule, RULE_COUNT_MAX);
	int r = alert_limiter_new(&options->limit, &j->limiter);
	if (r < 0)
		return r;
	*ret_judge = TAKE_PTR(j);
	return 0;
}

static void counted_rules_free(struct map *by_rule)
{
	size_t position = 0;
	struct str name;
	void *counted;
	while (map_next(by_rule, &position, &name, &counted))
		free(counted);
	map_done(by_rule);
}

void judge_free(struct judge *j)
{
	if (!j)
		return;
	for (size_t i = 0; i < j->output_count; i++)
		export_free(j->outputs[i]);
	if (j->limiter)
		alert_limiter_free(j->limiter);
	rule_programs_free(j->programs);
	if (j->rules)
		rule_set_free(j->rules);
	counted_rules_free(&j->by_rule);
	buf_done(&j->text);
	free(j);
}

void judge_freep(struct judge **j)
{
	judge_free(*j);
}

static uint64_t rules_undecided(const struct rule_set *rules)
{
	uint64_t undecided = 0;
	for (size_t i = 0; i < rule_set_count(rules); i++) {
		const struct rule *rule = rule_set_get(rules, i);
		if (rule->enabled && rule->condition)
			undecided += filter_undecided(rule->condition);
	}
	return undecided;
}

static uint64_t judge_undecided(const struct judge *j)
{
	return j->undecided_before + (j->rules ? rules_undecided(j->rules) : 0);
}

struct rule_set *judge_replace_rules(struct judge *j, struct rule_set *rules)
{
	struct rule_set *before = j->rules;
	j->undecided_before = judge_undecided(j);
	rule_programs_free(j->programs);
	j->rules = rules;
	j->programs = NULL;
	j->raised_count = 0;
	j->problems_told = 0;
	(void)!rule_programs_new(rules, &j->programs);
	rule_set_forget_files(rules);
	return before;
}

void judge_set_rules(struct judge *j, struct rule_set *rules)
{
	rule_set_free(judge_replace_rules(j, rules));
}

const struct rule_set *judge_rules(const struct judge *j)
{
	return j->rules;
}

bool judge_matched(const struct judge *j)
{
	return j->matched;
}

size_t judge_raised(const struct judge *j, const struct rule *const **ret_rules)
{
	*ret_rules = j->raised;
	return j->raised_count;
}

struct rule_programs *judge_programs(const struct judge *j)
{
	return j->programs;
}

void judge_set_guests(struct judge *j,
                      void (*matched)(void *userdata, const struct rule *guest, struct enrich_view *view,
                                      struct arena *arena),
                      void *userdata)
{
	j->guest_matched = matched;
	j->guest_userdata = userdata;
}

int judge_add_output(struct judge *j, struct export_output *output)
{
	if (j->output_count == JUDGE_OUTPUTS_MAX)
		return -ENOSPC;
	j->outputs[j->output_count++] = output;
	return 0;
}

/* ---- writing ---- */

static void alert_write(struct judge *j, const struct alert *a)
{
	if (j->options.before_output)
		j->options.before_output();
	for (size_t i = 0; i < j->output_count; i++)
		if (export_put(j->outputs[i], a) < 0)
			j->stats.not_written++;
}

static uint64_t judge_now(const struct judge *j)
{
	return j->options.live ? clock_real_ns() : j->last_real_ns;
}

/* For how long something is ago: of a live judge, a clock that nobody sets. */
static uint64_t judge_steady_now(const struct judge *j)
{
	return j->options.live ? clock_boot_ns() : j->last_real_ns;
}

void judge_put(struct judge *j, struct alert *a)
{
	if (!j->hostname[0] && gethostname(j->hostname, sizeof(j->hostname) - 1) < 0)
		j->hostname[0] = '\0';
	a->hostname = j->hostname;
	a->schema = j->schema;
	if (j->shed && !a->incomplete_why)
		a->incomplete_why = j->shed;
	a->incomplete = a->incomplete_why;
	j->stats.incomplete += a->incomplete;
	j->stats.alerts++;
	j->stats.by_priority[MIN(a->priority, PRIORITY_DEBUG)]++;
	alert_write(j, a);
}

/* An alert about picket itself: no rule turns it off, no limit holds it back. */
static void notice_write(struct judge *j, const char *name, enum rule_priority priority)
{
	struct alert a = {
	        .real_ns = judge_now(j),
	        .rule = name,
	        .priority = priority,
	        .priority_name = rule_priority_name(priority),
	        .source = OWN_SOURCE,
	        .hostname = j->hostname,
	        .output = buf_str(&j->text),
	        .schema = j->schema,
	};
	alert_write(j, &a);
}

void judge_set_shed(struct judge *j, const char *what, struct str notice)
{
	if (j->shed && !what)
		j->shadow_end_ns = clock_boot_ns() + JUDGE_LOSS_SHADOW_NS;
	j->shed = what;
	buf_clear(&j->text);
	buf_add_str(&j->text, notice);
	notice_write(j, "picket: CPU budget", PRIORITY_WARNING);
}

static void loss_tell(struct judge *j)
{
	uint64_t now = judge_steady_now(j);
	if (!j->lost_untold || (j->last_notice_ns && now < j->last_notice_ns + JUDGE_NOTICE_NS))
		return;
	buf_clear(&j->text);
	buf_printf(&j->text, "picket: %llu event%s lost: what happened then may have gone unseen",
	           (unsigned long long)j->lost_untold, j->lost_untold == 1 ? " was" : "s were");
	notice_write(j, "picket: events lost", PRIORITY_NOTICE);
	j->lost_untold = 0;
	j->last_notice_ns = MAX(now, 1);
}

/* A test that is given up counts as no match: then silence is not proof. */
static void undecided_tell(struct judge *j)
{
	uint64_t undecided = judge_undecided(j);
	if (undecided == j->undecided_told)
		return;
	buf_clear(&j->text);
	buf_printf(&j->text,
	           "picket: %llu tests of rules were given up (a regular expression at its limits, or no memory): "
	           "those rules may have missed something",
	           (unsigned long long)(undecided - j->undecided_told));
	notice_write(j, "picket: tests given up", PRIORITY_NOTICE);
	j->undecided_told = undecided;
}

/* Interpreted rules mean the same, but cost more than was promised. */
static void problems_tell(struct judge *j)
{
	const struct diag_list *problems = j->programs ? rule_programs_problems(j->programs) : NULL;
	for (; problems && j->problems_told < problems->count; j->problems_told++) {
		buf_clear(&j->text);
		buf_printf(&j->text, "picket: %s", problems->items[j->problems_told].text);
		notice_write(j, "picket: rules interpreted", PRIORITY_INFORMATIONAL);
	}
}

/* Said where it can be said: by an output that takes alerts again, or by another that took them all along. */
static void not_written_tell(struct judge *j)
{
	uint64_t missing = j->stats.not_written - j->not_written_told;
	if (missing == 0)
		return;
	buf_clear(&j->text);
	buf_printf(&j->text, "picket: %llu time%s an output did not take an alert: see the outputs in picket status",
	           (unsigned long long)missing, missing == 1 ? "" : "s");
	uint64_t before = j->stats.not_written;
	notice_write(j, "picket: alerts not written", PRIORITY_NOTICE);
	if (j->stats.not_written - before < j->output_count) /* some output took it */
		j->not_written_told = before;
	j->stats.not_written = before; /* this notice is no alert that is missing */
}

static void held_back_tell(void *userdata, const char *rule, uint64_t held_back)
{
	struct judge *j = userdata;
	buf_clear(&j->text);
	buf_printf(&j->text, "picket: %llu more alert%s of \"%s\" %s held back", (unsigned long long)held_back,
	           held_back == 1 ? "" : "s", rule, held_back == 1 ? "was" : "were");
	notice_write(j, "picket: alerts held back", PRIORITY_INFORMATIONAL);
}

/* ---- evidence ---- */

struct evidence {
	struct alert_field *fields;
	size_t count, capacity;
};

static bool evidence_has(const struct evidence *e, struct str name)
{
	for (size_t i = 0; i < e->count; i++)
		if (str_equal(e->fields[i].name, name))
			return true;
	return false;
}

static void evidence_add(struct evidence *e, struct str name, const struct value *value, enum value_print print)
{
	if (e->count < e->capacity && !evidence_has(e, name))
		e->fields[e->count++] = (struct alert_field){.name = name, .value = *value, .print = print};
}

static void field_value(const struct enrich_view *view, enum field_id id, struct arena *arena, struct value *ret_value)
{
	struct field_ref ref = {.id = id};
	view->source.get(&view->source, &ref, arena, ret_value);
}

static void evidence_add_field(struct evidence *e, enum field_id id, const struct enrich_view *view,
                               struct arena *arena)
{
	struct value value;
	field_value(view, id, arena, &value);
	if (value.kind != VALUE_NULL)
		evidence_add(e, str_from(field_get_info(id)->name), &value, PRINT_PLAIN);
}

/* Times that text shows as a date are nanoseconds since 1970 as evidence. */
static bool field_is_time_text(struct str name)
{
	return str_equals(name, "evt.time") || str_equals(name, "evt.time.iso8601") || str_equals(name, "evt.datetime");
}

static void evidence_add_format(struct evidence *e, const struct format *f, const struct enrich_view *view,
                                struct arena *arena, const struct value *time)
{
	size_t count = format_field_count(f);
	for (size_t i = 0; i < count; i++) {
		struct value value;
		struct str name = format_field_name(f, i);
		if (field_is_time_text(name))
			value = *time;
		else
			format_field_get(f, i, &view->source, arena, &value);
		evidence_add(e, name, &value, format_field_print(f, i));
	}
}

static int evidence_collect(struct judge *j, const struct judge_finding *f, const struct enrich_view *view,
                            struct arena *arena, struct evidence *ret_evidence)
{
	const struct format *output = f->rule->output, *more = j->options.add_fields;
	struct evidence e = {.capacity = f->field_count + format_field_count(output) + EVIDENCE_FIELDS_MAX};
	if (more)
		e.capacity += format_field_count(more);
	e.fields = arena_array(arena, struct alert_field, e.capacity);
	if (!e.fields)
		return -ENOMEM;
	struct value time = {.kind = VALUE_U64, .u64 = j->last_real_ns};
	evidence_add(&e, STR("evt.time"), &time, PRINT_PLAIN);
	for (size_t i = 0; i < f->field_count; i++)
		evidence_add(&e, f->fields[i].name, &f->fields[i].value, f->fields[i].print);
	evidence_add_format(&e, output, view, arena, &time);
	if (more)
		evidence_add_format(&e, more, view, arena, &time);
	if (view->name_count > 1) {
		evidence_add_field(&e, FIELD_FD_NAMES, view, arena);
		evidence_add_field(&e, FIELD_FD_REALPATH, view, arena);
	}
	*ret_evidence = e;
	return 0;
}

/* The names that the rule was not judged under, for the reader who would otherwise look for a path nobody asked for;
 * only where the output shows the one that it was judged under. */
static void other_names_add(struct buf *out, const struct enrich_view *view)
{
	bool any = false;
	if (!str_contains(buf_str(out), view->names[view->name_index]))
		return;
	for (unsigned i = 0; i < view->name_count; i++) {
		if (i == view->name_index || str_contains(buf_str(out), view->names[i]))
			continue;
		buf_add_text(out, any ? ", " : " [same file: ");
		value_add_printable(view->names[i], 0, out);
		any = true;
	}
	if (any)
		buf_add_char(out, ']');
}

static const char *incomplete_reason(const struct judge *j, const struct enrich_view *view, bool text_cut)
{
	unsigned flags = view->event.header->flags;
	if (j->shed)
		return j->shed;
	if (view->event.header->time_ns < j->shadow_end_ns)
		return "events were lost shortly before";
	if (flags & EVENT_F_MISSING)
		return "something could not be read";
	if (flags & EVENT_F_TRUNCATED)
		return "a text was cut";
	if (text_cut)
		return "the output was cut";
	return view->incomplete ? "the process was not fully known" : NULL;
}

/* ---- alerts ---- */

static void rule_count(struct judge *j, const char *rule)
{
	struct str name = str_from(rule);
	struct counted_rule *counted = map_get(&j->by_rule, name);
	if (!counted) {
		counted = calloc(1, sizeof(*counted));
		if (!counted)
			return;
		if (map_put(&j->by_rule, name, counted, NULL) < 0) {
			free(counted);
			return;
		}
	}
	counted->alerts++;
}

void judge_raise(struct judge *j, const struct judge_finding *f, struct enrich_view *view, struct arena *arena)
{
	const struct rule *rule = f->rule;
	struct evidence evidence;
	j->stats.alerts++;
	j->stats.by_priority[MIN(rule->priority, PRIORITY_DEBUG)]++;
	rule_count(j, rule->name);
	buf_clear(&j->text);
	buf_add(&j->text, f->prefix.data, f->prefix.length);
	format_write(rule->output, &view->source, arena, &j->text);
	if (view->name_count > 1)
		other_names_add(&j->text, view);
	struct alert a = {
	        .real_ns = j->last_real_ns,
	        .rule = rule->name,
	        .priority = rule->priority,
	        .priority_name = rule_priority_name(rule->priority),
	        .source = rule->source,
	        .hostname = j->hostname,
	        .output = buf_str(&j->text),
	        .tags = rule->tags,
	        .tag_count = rule->tag_count,
	        .event_id = view->number,
	        .incomplete_why = incomplete_reason(j, view, buf_error(&j->text) < 0),
	        .schema = j->schema,
	};
	a.incomplete = a.incomplete_why;
	j->stats.incomplete += a.incomplete;
	if (!alert_limiter_pass(f->limiter ? f->limiter : j->limiter, &a) && !f->always)
		return;
	/* The dear part: only for what is shown. */
	if (evidence_collect(j, f, view, arena, &evidence) < 0) {
		j->stats.no_memory++;
		evidence = (struct evidence){0};
	}
	a.fields = evidence.fields;
	a.field_count = evidence.count;
	alert_write(j, &a);
}

static void event_place(struct judge *j, const struct enrich_view *view, struct arena *arena)
{
	struct value value;
	field_value(view, FIELD_EVT_RAWTIME, arena, &value);
	if (value.kind == VALUE_U64)
		j->last_real_ns = value.u64;
	field_value(view, FIELD_EVT_HOSTNAME, arena, &value);
	if (value.kind == VALUE_STR) {
		size_t length = MIN(value.str.length, sizeof(j->hostname) - 1);
		memcpy(j->hostname, value.str.data, length);
		j->hostname[length] = '\0';
	}
}

static bool rules_have(const struct rule *const *rules, size_t count, const struct rule *rule)
{
	for (size_t i = 0; i < count; i++)
		if (rules[i] == rule)
			return true;
	return false;
}

/* Guests are asked whatever rule matched before them. */
static enum rule_matching matching_of(const struct judge *j)
{
	return rule_set_has_guests(j->rules) ? MATCH_ALL : j->options.matching;
}

static size_t rules_match(struct judge *j, const struct enrich_view *view, struct arena *arena,
                          const struct rule **ret_matched)
{
	enum event_type type = view->event.header->type;
	if (!j->programs)
		return rule_set_match(j->rules, type, &view->source, arena, matching_of(j), ret_matched,
		                      JUDGE_MATCHES_MAX);
	size_t made = rule_programs_made(j->programs);
	size_t matched = rule_programs_match(j->programs, type, &view->source, arena, matching_of(j), ret_matched,
	                                     JUDGE_MATCHES_MAX);
	if (made != rule_programs_made(j->programs))
		malloc_trim(0);
	return matched;
}

/* Those that an event matched under one of its names are not raised again under another. */
struct matched_rules {
	const struct rule **items; /* JUDGE_MATCHES_MAX */
	size_t *count;
};

static void match_take(struct judge *j, const struct rule *rule, struct matched_rules to, struct enrich_view *view,
                       struct arena *arena)
{
	if (rules_have(to.items, *to.count, rule))
		return;
	if (*to.count == JUDGE_MATCHES_MAX) {
		j->stats.over_limit++;
		return;
	}
	if (!j->matched)
		event_place(j, view, arena);
	j->matched = true;
	to.items[(*to.count)++] = rule;
	if (!rule->owner)
		judge_raise(j, &(struct judge_finding){.rule = rule}, view, arena);
	else if (j->guest_matched)
		j->guest_matched(j->guest_userdata, rule, view, arena);
}

/* The whole set is judged under each name of the file. */
int judge_event(void *judge, struct enrich_view *view, struct arena *arena)
{
	struct judge *j = judge;
	const struct rule *matched[JUDGE_MATCHES_MAX], *guests[JUDGE_MATCHES_MAX];
	size_t guest_count = 0;
	j->raised_count = 0;
	j->matched = false;
	if (!j->rules)
		return 0;
	unsigned names = MAX(view->name_count, 1u);
	for (view->name_index = 0; view->name_index < names; view->name_index++) {
		size_t count = rules_match(j, view, arena, matched);
		bool any = false; /* rule, under this name */
		for (size_t i = 0; i < MIN(count, (size_t)JUDGE_MATCHES_MAX); i++) {
			const struct rule *rule = matched[i];
			bool first = !any;
			any |= !rule->owner;
			if (rule->owner)
				match_take(j, rule, (struct matched_rules){guests, &guest_count}, view, arena);
			else if (first || j->options.matching == MATCH_ALL)
				match_take(j, rule, (struct matched_rules){j->raised, &j->raised_count}, view, arena);
		}
		if (count > JUDGE_MATCHES_MAX)
			j->stats.over_limit += count - JUDGE_MATCHES_MAX;
	}
	view->name_index = 0;
	return 0;
}

int judge_context(void *judge, const struct event *event)
{
	struct judge *j = judge;
	if (event->header->type != EVENT_loss)
		return 0;
	const struct arg_info *count = event_find_arg(event->info, STR("count"));
	j->lost_untold += count ? event_arg_number(event, count) : 0;
	j->shadow_end_ns = event->header->time_ns + JUDGE_LOSS_SHADOW_NS;
	loss_tell(j);
	return 0;
}

void judge_tick(struct judge *j)
{
	uint64_t now = clock_boot_ns();
	loss_tell(j);
	for (size_t i = 0; i < j->output_count; i++)
		(void)!export_flush(j->outputs[i]);
	if (now < j->last_report_ns + HELD_BACK_REPORT_NS)
		return;
	if (j->last_report_ns)
		alert_limiter_report(j->limiter, held_back_tell, j);
	undecided_tell(j);
	problems_tell(j);
	not_written_tell(j);
	j->last_report_ns = now;
}

void judge_finish(struct judge *j)
{
	j->last_notice_ns = 0;
	loss_tell(j);
	undecided_tell(j);
	problems_tell(j);
	not_written_tell(j);
	alert_limiter_report(j->limiter, held_back_tell, j);
	for (size_t i = 0; i < j->output_count; i++)
		if (export_flush(j->outputs[i]) < 0)
			j->stats.not_written++;
}

int judge_reopen(struct judge *j)
{
	int first = 0;
	for (size_t i = 0; i < j->output_count; i++) {
		int r = export_reopen(j->outputs[i]);
		if (r < 0 && first == 0)
			first = r;
	}
	return first;
}

void judge_get_stats(const struct judge *j, struct judge_stats *ret_stats)
{
	*ret_stats = j->stats;
	ret_stats->held_back = alert_limiter_held_back(j->limiter);
	ret_stats->undecided = judge_undecided(j);
}

size_t judge_output_count(const struct judge *j)
{
	return j->output_count;
}

const struct export_output *judge_output(const struct judge *j, size_t i)
{
	return j->outputs[i];
}

uint64_t judge_rule_alerts(const struct judge *j, const char *rule)
{
	const struct counted_rule *counted = map_get(&j->by_rule, str_from(rule));
	return counted ? counted->alerts : 0;
}
