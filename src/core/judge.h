/* SPDX-License-Identifier: Apache-2.0
 *
 * From events to alerts: the rules, under each name of the event's file; evidence; limits; outputs. A consumer of the
 * pipeline. Not thread-safe.
 */
#ifndef PICKET_CORE_JUDGE_H
#define PICKET_CORE_JUDGE_H

#include "core/pipeline.h"
#include "export/export.h"
#include "rule/rule.h"

#define JUDGE_OUTPUTS_MAX 8
#define JUDGE_MATCHES_MAX 256 /* rules that one event may raise; more are counted */
/* How long after a loss alerts say that events were lost shortly before. */
#define JUDGE_LOSS_SHADOW_NS (10 * 1000000000ull)
#define JUDGE_NOTICE_NS (10 * 1000000000ull) /* notices of picket's own, at most one in this time */

struct judge_options {
	bool live; /* false: replay; then the stream's clock is the clock */
	enum rule_matching matching;
	const struct format *add_fields; /* further fields of each alert; borrowed, or NULL */
	struct alert_limit_options limit;
	void (*before_output)(void); /* called before an alert is written, or NULL */
};

struct judge;
int judge_new(const struct judge_options *options, struct judge **ret_judge) must_check;
void judge_free(struct judge *j);
void judge_freep(struct judge **j); /* for _cleanup_ */
/* Takes the compiled set over, without its files, and frees the one before. */
void judge_set_rules(struct judge *j, struct rule_set *rules);
/* The same, but gives the set before to the caller; NULL: there was none. */
struct rule_set *judge_replace_rules(struct judge *j, struct rule_set *rules) must_check;
const struct rule_set *judge_rules(const struct judge *j); /* borrowed; NULL: none yet */
bool judge_matched(const struct judge *j);                 /* did a rule, or a guest, match the last event? */
/* The rules, without guests, that the last event raised. Borrowed until the next. Returns how many. */
size_t judge_raised(const struct judge *j, const struct rule *const **ret_rules);
struct rule_programs *judge_programs(const struct judge *j); /* of these rules; NULL: they are interpreted */
/* Takes the output over. Returns 0; -ENOSPC: there are JUDGE_OUTPUTS_MAX; then it is still the caller's. */
int judge_add_output(struct judge *j, struct export_output *output) must_check;
/* Whom to tell when a guest of the rules (rule_set_add_guests()) matches: once an event, under the first of the file's names. */
void judge_set_guests(struct judge *j,
                      void (*matched)(void *userdata, const struct rule *guest, struct enrich_view *view,
                                      struct arena *arena),
                      void *userdata);
/* A match that is no rule's of the set, raised as one. */
struct judge_finding {
	const struct rule *rule; /* name, priority, source, tags, output */
	struct str prefix;       /* before what the output says */
	const struct alert_field *fields;
	size_t field_count;            /* before those of the output */
	struct alert_limiter *limiter; /* NULL: that of rules */
	bool always;                   /* no limiter holds it back */
};
void judge_raise(struct judge *j, const struct judge_finding *f, struct enrich_view *view, struct arena *arena);
/* Writes an alert that no rule raised, such as a verdict of a guard; sets its hostname and schema. */
void judge_put(struct judge *j, struct alert *a);
/* What is not watched for now, as each alert from now on tells as a reason why its evidence is incomplete; borrowed. NULL: all
 * is, again. The change is told as a notice. */
void judge_set_shed(struct judge *j, const char *what, struct str notice);
/* The consumer's two calls; judge is a struct judge. */
int judge_event(void *judge, struct enrich_view *view, struct arena *arena) must_check;
int judge_context(void *judge, const struct event *event) must_check;
void judge_tick(struct judge *j);             /* once a second, live */
void judge_finish(struct judge *j);           /* tells what was held back, flushes outputs */
int judge_reopen(struct judge *j) must_check; /* all outputs; the first error, after trying each */

struct judge_stats {
	uint64_t alerts;     /* matches, shown or held back */
	uint64_t incomplete; /* of these, with incomplete evidence */
	uint64_t by_priority[PRIORITY_DEBUG + 1];
	uint64_t held_back;
	uint64_t over_limit;  /* matches of events that matched more than JUDGE_MATCHES_MAX rules */
	uint64_t not_written; /* by any output */
	uint64_t undecided;   /* tests of rules that were given up, and counted as no match */
	uint64_t no_memory;   /* alerts lost for want of memory */
};
void judge_get_stats(const struct judge *j, struct judge_stats *ret_stats);
size_t judge_output_count(const struct judge *j);
const struct export_output *judge_output(const struct judge *j, size_t i); /* borrowed */
uint64_t judge_rule_alerts(const struct judge *j, const char *rule); /* alerts of it since the start, over reloads */

#endif
