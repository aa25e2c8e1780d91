/* SPDX-License-Identifier: Apache-2.0
 *
 * Rules on trial: they judge the events that the running rules judge too, their alerts go nowhere, and both are compared, event
 * by event: what is raised by both, only by the new ones, only by the running ones. Not thread-safe.
 */
#ifndef PICKET_CORE_TRIAL_H
#define PICKET_CORE_TRIAL_H

#include "base/json.h"
#include "core/judge.h"

#define TRIAL_EXAMPLES_MAX 3
#define TRIAL_EXAMPLE_BYTES 240

/* The most of something in a minute, by the events' own time. */
struct trial_minute {
	uint64_t minute, count, most;
};
void trial_minute_add(struct trial_minute *m, uint64_t time_ns);

struct trial_example {
	uint64_t real_ns;
	char text[TRIAL_EXAMPLE_BYTES]; /* any bytes but NUL */
};
struct trial_examples {
	struct trial_example items[TRIAL_EXAMPLES_MAX]; /* the first ones */
	size_t count;
};
/* ---- for who fills them ---- */
void trial_example_add(struct trial_examples *e, uint64_t real_ns, struct str text);
uint64_t trial_real_ns(const struct enrich_view *view, struct arena *arena); /* when the event happened; 0: not known */
void trial_add_examples(const struct trial_examples *e, struct json *out);   /* a key of the object at hand */

struct trial_rule {
	const char *name;
	uint64_t same, added, gone;          /* alerts of both; of the new rules only; of the running ones only */
	struct trial_minute staged, running; /* alerts of the rule on trial; of the one that runs */
	struct trial_examples examples;      /* of what is added */
};

struct trial;
/* rules: compiled; taken over on success. */
int trial_new(struct rule_set *rules, struct trial **ret_trial) must_check;
void trial_free(struct trial *t); /* NULL is allowed */
/* running judges the event, as always; then the rules on trial. NULL: nothing runs. Returns what running returned. */
int trial_event(struct trial *t, struct judge *running, struct enrich_view *view, struct arena *arena) must_check;

/* The events that follow are of another stream: what is known of processes is not theirs. */
void trial_forget(struct trial *t);

struct trial_stats {
	uint64_t events, same, added, gone;
	uint64_t timed;                 /* events of which the time was taken: one of some */
	uint64_t staged_ns, running_ns; /* that judging those took */
	uint64_t unkept;                /* alerts of rules that found no place among the counted ones */
};
void trial_get_stats(const struct trial *t, struct trial_stats *ret_stats);
const struct rule_set *trial_rules(const struct trial *t); /* borrowed */
/* Walks those that raised anything: start with position 0; NULL at the end. */
const struct trial_rule *trial_next(const struct trial *t, size_t *position);
/* The rule that has more alerts in a minute than most, and more than it has in the running content. NULL: none. */
const struct trial_rule *trial_too_loud(const struct trial *t, uint64_t most);
/* Key "rules": the loudest first, bytes_max of JSON about; and "rules_left_out". */
int trial_add_json(const struct trial *t, size_t bytes_max, struct json *out) must_check; /* 0, -ENOMEM */

#endif
