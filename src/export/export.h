/* SPDX-License-Identifier: Apache-2.0
 *
 * Alerts on their way out: text for a terminal, JSON lines, files with rotation, syslog; limits and de-duplication.
 * Not thread-safe.
 */
#ifndef PICKET_EXPORT_EXPORT_H
#define PICKET_EXPORT_EXPORT_H

#include "base/buf.h"
#include "event/value.h"

struct alert_field {
	struct str name;
	struct value value;
	enum value_print print;
};

/* An alert. All is borrowed for the call. */
struct alert {
	uint64_t real_ns;
	const char *rule;
	unsigned priority;         /* enum rule_priority: 0 Emergency … 7 Debug */
	const char *priority_name; /* "Warning" */
	const char *source;        /* "syscall" */
	const char *hostname;
	struct str output; /* formatted, without time and priority */
	const char *const *tags;
	size_t tag_count;
	const struct alert_field *fields;
	size_t field_count;
	uint64_t event_id;          /* evt.num */
	bool incomplete;            /* evidence was cut, missing or lost */
	const char *incomplete_why; /* or NULL */
	uint64_t schema;            /* fingerprint */
	uint64_t held_back;         /* alerts like it that were not shown before this one */
};

void alert_add_text(const struct alert *a, bool color, bool iso_time, struct buf *out); /* one line with its newline */
void alert_add_json(const struct alert *a, struct buf *out);                            /* one line with its newline */

/* ---- limits ---- */
struct alert_limiter; /* goes by the alerts' own time */
struct alert_limit_options {
	double per_second;  /* alerts of one rule a second, on average; 0: no limit */
	unsigned burst;     /* at once; 0: 10 × per_second, at least 1 */
	uint64_t repeat_ns; /* the same rule and output within this time is one alert; 0: all are shown */
	size_t memory; /* different alerts remembered, at most 2^24; 0: 4096. The one not seen for longest goes first */
};
int alert_limiter_new(const struct alert_limit_options *options, struct alert_limiter **ret_limiter) must_check;
void alert_limiter_free(struct alert_limiter *l);
/* May it be shown? If so sets a->held_back. */
bool alert_limiter_pass(struct alert_limiter *l, struct alert *a);
/* Those held back and not yet told of: calls once per rule, then forgets them. For the end, and once a minute. */
void alert_limiter_report(struct alert_limiter *l, void (*call)(void *userdata, const char *rule, uint64_t held_back),
                          void *userdata);
uint64_t alert_limiter_held_back(const struct alert_limiter *l);

/* ---- outputs ---- */
struct export_output;
enum export_format { EXPORT_TEXT, EXPORT_JSON };
struct export_file_options {
	enum export_format format;
	bool color, iso_time;
	uint64_t rotate_bytes; /* then FILE becomes FILE.1, FILE.1 FILE.2 …; 0: never */
	unsigned rotate_keep;  /* how many old files, at most 1000; 0: 5 */
	unsigned wait_ms;      /* how long the reader of a pipe or terminal may keep us waiting; 0: for ever */
};
/* path "-": standard output. A full disk or broken pipe loses that alert, is counted, and is tried again with the next;
 * SIGPIPE is to be ignored. A reader that lets a line wait for wait_ms loses it, and what follows until it reads again:
 * -EAGAIN. No part of a line stays in a regular file. A file that cannot be rotated grows on. A FIFO
 * that nobody reads is -ENXIO. */
int export_file_new(const char *path, const struct export_file_options *options, struct export_output **ret_output)
        must_check;
/* To /dev/log, which must be there. A daemon that does not read delays an alert by 0.1 s, then alerts are lost: -EAGAIN. */
int export_syslog_new(const char *ident, struct export_output **ret_output) must_check;
void export_free(struct export_output *o);
int export_put(struct export_output *o, const struct alert *a) must_check; /* 0, -errno: this alert was not written */
int export_reopen(struct export_output *o) must_check;                     /* SIGHUP: opens its file again by name */
int export_flush(struct export_output *o) must_check;
uint64_t export_failures(const struct export_output *o); /* alerts not written */
const char *export_name(const struct export_output *o);

#endif
