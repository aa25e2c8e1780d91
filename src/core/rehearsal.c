/* SPDX-License-Identifier: Apache-2.0 */
#include "core/rehearsal.h"

#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/clock.h"
#include "core/rehearsal_int.h"
#include "event/capture.h"

#define CODE "REPLAY_LOOK"
#define WARNINGS_MAX 10
#define WARNING_BYTES 512
#define PROGRESS_EVENTS 4096
#define RULES_JSON_BYTES (5u << 10)
#define POLICIES_JSON_BYTES (4u << 10)

struct rehearsal {
	struct rehearsal_options options;
	struct judge *running; /* NULL: nothing runs */
	struct trial *trial;
	struct policy_set *policies; /* over the trial's rules */
	struct asked_policies asked;
	struct rehearsal_coverage coverage;
	uint64_t bytes, of_bytes;
	uint64_t real_offset_ns;    /* of the segment, to its events' time; 0: not known yet */
	uint64_t first_ns, last_ns; /* of the segment, since 1970 */
};

static void capture_reader_freep(struct capture_reader **r)
{
	if (*r)
		capture_reader_free(*r);
}

static void rehearsal_freep(struct rehearsal **r)
{
	rehearsal_free(*r);
}

/* ---- events ---- */

static int take(void *userdata, struct enrich_view *view, struct arena *arena)
{
	struct rehearsal *r = userdata;
	const struct event_header *h = view->event.header;
	if (!r->real_offset_ns)
		r->real_offset_ns = trial_real_ns(view, arena) - h->time_ns;
	uint64_t real_ns = h->time_ns + r->real_offset_ns;
	r->first_ns = r->first_ns ? MIN(r->first_ns, real_ns) : real_ns;
	r->last_ns = MAX(r->last_ns, real_ns);
	r->coverage.events++;
	r->coverage.events_of[h->type]++;
	asked_policies_event(&r->asked, view, arena);
	return trial_event(r->trial, r->running, view, arena);
}

static int read_events(struct rehearsal *r, struct capture_reader *reader, struct pipeline *pipeline)
{
	struct event event;
	int n;
	for (uint64_t count = 0; (n = capture_reader_next(reader, &event)) != 0; count++) {
		if (n == -EBADMSG) {
			r->coverage.damaged++;
			continue;
		}
		if (n < 0)
			return n;
		n = pipeline_put_event(pipeline, &event);
		if (n < 0)
			return n;
		if (r->options.progress && count % PROGRESS_EVENTS == 0)
			r->options.progress(r->options.userdata, r->bytes + capture_reader_position(reader),
			                    r->of_bytes, r->coverage.events);
	}
	return 0;
}

/* ---- segments: each with tables of its own, which its first records fill ---- */

static void take_note(struct rehearsal *r, const struct capture_reader *reader)
{
	struct recent_note *sum = &r->coverage.note, note;
	if (!recent_read_note(capture_reader_note(reader), &note)) {
		r->coverage.unnoted++;
		return;
	}
	recent_note_add(sum, &note);
}

static int read_segment(struct rehearsal *r, struct capture_reader *reader)
{
	_cleanup_(pipeline_freep) struct pipeline *pipeline = NULL;
	int result = pipeline_new(&(struct pipeline_options){.consumer = {take, NULL, r}}, &pipeline);
	if (result < 0)
		return result;
	(void)rules_watch_files(trial_rules(r->trial), pipeline_enrich(pipeline));
	trial_forget(r->trial);
	r->real_offset_ns = r->first_ns = r->last_ns = 0;
	result = read_events(r, reader, pipeline);
	r->coverage.lost += pipeline_get_stats(pipeline)->lost;
	take_note(r, reader);
	return result;
}

/* follows: the segment goes on where the one before ended. */
static void cover(struct rehearsal *r, bool follows)
{
	struct rehearsal_coverage *c = &r->coverage;
	if (!r->first_ns)
		return;
	if (c->to_ns && !follows) {
		c->gaps++;
		c->gap_ns += r->first_ns > c->to_ns ? r->first_ns - c->to_ns : 0;
	}
	c->from_ns = c->from_ns ? MIN(c->from_ns, r->first_ns) : r->first_ns;
	c->to_ns = MAX(c->to_ns, r->last_ns);
}

/* ret_read: something of it was. One that cannot be read, as it is of another version, or was just removed, is a gap. */
static int open_segment(struct rehearsal *r, const struct recent_segment *s, bool follows, bool *ret_read)
{
	_cleanup_(capture_reader_freep) struct capture_reader *reader = NULL;
	char path[PATH_MAX + sizeof(s->name)];
	const char *why = NULL;
	snprintf(path, sizeof(path), "%s/%s", r->options.directory, s->name);
	int result = capture_reader_new(path, &reader, &why);
	*ret_read = result == 0;
	if (result == -ENOMEM)
		return result;
	if (result < 0) {
		r->coverage.unreadable++;
		return 0;
	}
	r->coverage.segments++;
	result = read_segment(r, reader);
	if (result == 0)
		cover(r, follows);
	return result;
}

static int read_all(struct rehearsal *r)
{
	_cleanup_(base_free_ptr) struct recent_segment *list = NULL;
	const struct recent_segment *before = NULL;
	size_t count = 0;
	int result = recent_list(r->options.directory, &list, &count);
	if (result == -ENOENT)
		return 0;
	for (size_t i = 0; i < count && result == 0; i++)
		r->of_bytes += list[i].bytes;
	for (size_t i = 0; i < count && result == 0; i++) {
		const struct recent_segment *s = &list[i];
		bool follows = before && before->run_ns == s->run_ns && before->number + 1 == s->number, read = false;
		result = open_segment(r, s, follows, &read);
		before = read ? s : NULL;
		r->bytes += s->bytes;
	}
	return result;
}

/* ---- the object ---- */

/* rules: taken over on success. */
static int make_judge(struct rule_set *rules, struct judge **ret_judge)
{
	int r = judge_new(&(struct judge_options){.matching = MATCH_ALL}, ret_judge);
	if (r == 0)
		judge_set_rules(*ret_judge, rules);
	return r;
}

static int take_content(struct rehearsal *r, struct content *staged, struct content *running)
{
	int result = asked_policies_new(staged->policies, &r->asked);
	if (result == 0)
		result = trial_new(staged->rules, &r->trial);
	if (result < 0)
		return result;
	staged->rules = NULL;
	r->policies = TAKE_PTR(staged->policies);
	if (!running)
		return 0;
	result = make_judge(running->rules, &r->running);
	if (result == 0)
		running->rules = NULL;
	return result;
}

int rehearsal_run(const struct rehearsal_options *options, struct content *staged, struct content *running,
                  struct rehearsal **ret_rehearsal)
{
	_cleanup_(rehearsal_freep) struct rehearsal *r = calloc(1, sizeof(*r));
	if (!r)
		return -ENOMEM;
	r->options = *options;
	int result = take_content(r, staged, running);
	if (result == 0)
		result = read_all(r);
	if (result < 0)
		return result;
	*ret_rehearsal = TAKE_PTR(r);
	return 0;
}

void rehearsal_free(struct rehearsal *r)
{
	if (!r)
		return;
	asked_policies_done(&r->asked);
	policy_set_free(r->policies);
	trial_free(r->trial);
	if (r->running)
		judge_free(r->running);
	free(r);
}

const struct rehearsal_coverage *rehearsal_coverage(const struct rehearsal *r)
{
	return &r->coverage;
}

const struct trial *rehearsal_trial(const struct rehearsal *r)
{
	return r->trial;
}

/* ---- the verdict ---- */

static double share_sampled(const struct recent_note *n)
{
	return n->watched_ns ? (double)n->window_ns / (double)n->watched_ns : 0;
}

static void add_span(uint64_t ns, struct buf *out)
{
	uint64_t s = ns / NS_PER_S;
	if (s < 120)
		buf_printf(out, "%" PRIu64 " s", s);
	else if (s < 7200)
		buf_printf(out, "%" PRIu64 " min", s / 60);
	else
		buf_printf(out, "%" PRIu64 " h", s / 3600);
}

/* What was not seen is said in the same breath as what was. */
static void add_coverage(const struct rehearsal_coverage *c, struct buf *out)
{
	uint64_t left_out = 0;
	for (unsigned kind = 0; kind < RECENT_SAMPLE; kind++) /* a sample leaves out as it is meant to */
		left_out += c->note.left_out[kind];
	buf_printf(out, "%" PRIu64 " events of ", c->events);
	add_span(c->to_ns - c->from_ns, out);
	if (c->gaps) {
		buf_printf(out, " with %" PRIu64 " gap%s of ", c->gaps, c->gaps == 1 ? "" : "s");
		add_span(c->gap_ns, out);
	}
	if (c->lost || left_out || c->damaged)
		buf_printf(out, ", %" PRIu64 " lost, %" PRIu64 " left out, %" PRIu64 " places damaged", c->lost,
		           left_out, c->damaged);
	if (c->unreadable)
		buf_printf(out, ", %" PRIu64 " parts unreadable", c->unreadable);
	buf_printf(out, "; of reads and the like %.1f%%", 100 * share_sampled(&c->note));
}

static void add_findings(const struct rehearsal *r, struct buf *out)
{
	struct trial_stats stats;
	uint64_t acted = asked_policies_acted(&r->asked);
	trial_get_stats(r->trial, &stats);
	buf_printf(out, "; alerts: %" PRIu64 " the same, %" PRIu64 " more, %" PRIu64 " gone", stats.same, stats.added,
	           stats.gone);
	if (r->asked.count)
		buf_printf(out, "; policies would have acted %" PRIu64 " times", acted);
}

bool rehearsal_verdict(const struct rehearsal *r, struct buf *why)
{
	const struct trial_rule *loud = trial_too_loud(r->trial, r->options.alerts_a_minute);
	if (r->coverage.events == 0) {
		buf_add_text(why, "there is no recent history here: nothing was judged");
		return true;
	}
	if (asked_policies_verdict(&r->asked, why))
		return false;
	if (loud) {
		buf_printf(why,
		           "the rule \"%s\" would have raised %" PRIu64 " alerts in a minute; %" PRIu64
		           " may be; the first: %s",
		           loud->name, loud->staged.most, r->options.alerts_a_minute,
		           loud->examples.count ? loud->examples.items[0].text : "?");
		return false;
	}
	add_coverage(&r->coverage, why);
	add_findings(r, why);
	return true;
}

/* ---- what is worth a look ---- */

void rehearsal_warn(struct diag_list *diags, const struct trial_examples *examples, const char *format, ...)
{
	_cleanup_(buf_done) struct buf time;
	char text[WARNING_BYTES];
	va_list arguments;
	buf_init(&time, 64);
	va_start(arguments, format);
	vsnprintf(text, sizeof(text), format, arguments);
	va_end(arguments);
	struct diag *d = diag_add(diags, DIAG_WARNING, CODE, NULL, 0, 0, "%s", text);
	if (examples->count == 0)
		return;
	clock_add_local_datetime(&time, examples->items[0].real_ns, false);
	diag_set_hint(d, "the first, at %s: %s", time.data, examples->items[0].text);
}

void rehearsal_tell(const struct rehearsal *r, struct diag_list *diags)
{
	const struct trial_rule *rule;
	for (size_t position = 0; (rule = trial_next(r->trial, &position)) && diags->count < WARNINGS_MAX;)
		if (rule->added)
			rehearsal_warn(diags, &rule->examples,
			               "the rule \"%s\" would have raised %" PRIu64 " alert%s more than now",
			               rule->name, rule->added, rule->added == 1 ? "" : "s");
	asked_policies_tell(&r->asked, diags);
}

/* ---- the report ---- */

static void add_u64(struct json *out, const char *key, uint64_t n)
{
	json_key(out, key);
	json_u64(out, n);
}

static void add_time(struct json *out, const char *key, uint64_t real_ns)
{
	_cleanup_(buf_done) struct buf text;
	buf_init(&text, 64);
	clock_add_iso8601(&text, real_ns);
	json_key(out, key);
	if (real_ns)
		json_str(out, buf_str(&text));
	else
		json_null(out);
}

static void add_by_type(const struct rehearsal_coverage *c, struct json *out)
{
	json_key(out, "by_type");
	json_begin_object(out);
	for (unsigned type = 1; type < EVENT_TYPE_MAX; type++)
		if (c->events_of[type])
			add_u64(out, event_type_info((enum event_type)type)->name, c->events_of[type]);
	json_end_object(out);
}

static void add_kinds(const uint64_t counts[RECENT_KINDS], const char *key, struct json *out)
{
	json_key(out, key);
	json_begin_object(out);
	for (enum recent_kind kind = 0; kind < RECENT_KINDS; kind++)
		add_u64(out, recent_kind_name(kind), counts[kind]);
	json_end_object(out);
}

static void add_coverage_json(const struct rehearsal_coverage *c, struct json *out)
{
	json_key(out, "coverage");
	json_begin_object(out);
	add_time(out, "from", c->from_ns);
	add_time(out, "to", c->to_ns);
	add_u64(out, "segments", c->segments);
	add_u64(out, "unreadable", c->unreadable);
	add_u64(out, "damaged", c->damaged);
	add_u64(out, "unnoted", c->unnoted);
	add_u64(out, "gaps", c->gaps);
	add_u64(out, "gap_s", c->gap_ns / NS_PER_S);
	add_u64(out, "events", c->events);
	add_u64(out, "lost", c->lost);
	add_u64(out, "watched_s", c->note.watched_ns / NS_PER_S);
	add_u64(out, "shed_s", c->note.shed_ns / NS_PER_S);
	json_key(out, "sampled_share");
	json_double(out, share_sampled(&c->note));
	add_kinds(c->note.recorded, "recorded", out);
	add_kinds(c->note.left_out, "left_out", out);
	add_by_type(c, out);
	json_end_object(out);
}

int rehearsal_add_json(const struct rehearsal *r, struct json *out)
{
	struct trial_stats stats;
	trial_get_stats(r->trial, &stats);
	add_coverage_json(&r->coverage, out);
	add_u64(out, "same", stats.same);
	add_u64(out, "added", stats.added);
	add_u64(out, "gone", stats.gone);
	int result = trial_add_json(r->trial, RULES_JSON_BYTES, out);
	asked_policies_add_json(&r->asked, POLICIES_JSON_BYTES, out);
	return result;
}
