/* SPDX-License-Identifier: Apache-2.0 */
#include "core/trial.h"

#include <errno.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/map.h"

#define MINUTE_NS (60 * NS_PER_S)
#define RULES_MAX (2 * RULE_COUNT_MAX)
#define TIMED_OF 16 /* events; the time of one of them is taken */
#define NOTE_SLOTS 4096
#define TEXT_BYTES_MAX (64u << 10)

/* What the rules on trial found out about a process. Its own note is the running rules'. */
struct note_slot {
	uint32_t pid;
	uint64_t start_ns;
	struct field_note note;
};

struct trial {
	struct judge *judge;
	struct map by_name; /* struct trial_rule */
	struct trial_stats stats;
	struct buf text;
	struct note_slot notes[NOTE_SLOTS]; /* by hash of the process */
};

void trial_minute_add(struct trial_minute *m, uint64_t time_ns)
{
	uint64_t minute = time_ns / MINUTE_NS;
	if (m->minute != minute)
		m->count = 0;
	m->minute = minute;
	m->count++;
	m->most = MAX(m->most, m->count);
}

void trial_example_add(struct trial_examples *e, uint64_t real_ns, struct str text)
{
	if (e->count == TRIAL_EXAMPLES_MAX)
		return;
	struct trial_example *x = &e->items[e->count++];
	size_t length = MIN(text.length, sizeof(x->text) - 1);
	/* Not within a character. */
	while (length < text.length && length > 0 && ((unsigned char)text.data[length] & 0xc0) == 0x80)
		length--;
	*x = (struct trial_example){.real_ns = real_ns};
	if (length)
		memcpy(x->text, text.data, length);
}

uint64_t trial_real_ns(const struct enrich_view *view, struct arena *arena)
{
	struct value value;
	struct field_ref ref = {.id = FIELD_EVT_RAWTIME};
	view->source.get(&view->source, &ref, arena, &value);
	return value.kind == VALUE_U64 ? value.u64 : 0;
}

int trial_new(struct rule_set *rules, struct trial **ret_trial)
{
	struct trial *t = calloc(1, sizeof(*t));
	const struct judge_options options = {.matching = MATCH_ALL};
	if (!t)
		return -ENOMEM;
	map_init(&t->by_name, RULES_MAX);
	buf_init(&t->text, TEXT_BYTES_MAX);
	int r = judge_new(&options, &t->judge);
	if (r < 0) {
		trial_free(t);
		return r;
	}
	judge_set_rules(t->judge, rules);
	*ret_trial = t;
	return 0;
}

void trial_free(struct trial *t)
{
	size_t position = 0;
	struct str name;
	void *rule;
	if (!t)
		return;
	while (map_next(&t->by_name, &position, &name, &rule))
		free(rule);
	map_done(&t->by_name);
	buf_done(&t->text);
	if (t->judge)
		judge_free(t->judge);
	free(t);
}

const struct rule_set *trial_rules(const struct trial *t)
{
	return judge_rules(t->judge);
}

/* ---- comparing ---- */

/* NULL: no memory, or too many. */
static struct trial_rule *counted(struct trial *t, const struct rule *rule)
{
	struct str name = str_from(rule->name);
	struct trial_rule *found = map_get(&t->by_name, name);
	if (found)
		return found;
	char *copy = NULL;
	found = calloc(1, sizeof(*found) + name.length + 1);
	if (found)
		copy = memcpy(found + 1, name.data, name.length);
	if (!found || map_put(&t->by_name, name, found, NULL) < 0) {
		free(found);
		t->stats.unkept++;
		return NULL;
	}
	found->name = copy;
	return found;
}

static bool is_among(const struct rule *const *rules, size_t count, const char *name)
{
	for (size_t i = 0; i < count; i++)
		if (strcmp(rules[i]->name, name) == 0)
			return true;
	return false;
}

static void add_example(struct trial *t, struct trial_rule *r, const struct rule *rule, const struct enrich_view *view,
                        struct arena *arena)
{
	if (r->examples.count == TRIAL_EXAMPLES_MAX)
		return;
	buf_clear(&t->text);
	format_write(rule->output, &view->source, arena, &t->text);
	trial_example_add(&r->examples, trial_real_ns(view, arena), buf_str(&t->text));
}

static void compare(struct trial *t, const struct judge *running, const struct enrich_view *view, struct arena *arena)
{
	const struct rule *const *staged, *const *present = NULL;
	size_t count = judge_raised(t->judge, &staged), presents = running ? judge_raised(running, &present) : 0;
	uint64_t time_ns = view->event.header->time_ns;
	for (size_t i = 0; i < count; i++) {
		bool same = is_among(present, presents, staged[i]->name);
		struct trial_rule *r = counted(t, staged[i]);
		t->stats.same += same;
		t->stats.added += !same;
		if (!r)
			continue;
		r->same += same;
		r->added += !same;
		trial_minute_add(&r->staged, time_ns);
		if (!same)
			add_example(t, r, staged[i], view, arena);
	}
	for (size_t i = 0; i < presents; i++) {
		bool gone = !is_among(staged, count, present[i]->name);
		struct trial_rule *r = counted(t, present[i]);
		t->stats.gone += gone;
		if (!r)
			continue;
		r->gone += gone;
		trial_minute_add(&r->running, time_ns);
	}
}

/* ---- judging ---- */

static struct field_note *own_note(struct trial *t, const struct event_header *h)
{
	struct note_slot *s = &t->notes[(h->pid * 2654435761u >> 16) % NOTE_SLOTS];
	if (s->pid != h->pid || s->start_ns != h->start_ns)
		*s = (struct note_slot){.pid = h->pid, .start_ns = h->start_ns};
	return &s->note;
}

static int judge_staged(struct trial *t, struct enrich_view *view, struct arena *arena)
{
	struct field_note *kept = view->source.note;
	if (kept)
		view->source.note = own_note(t, view->event.header);
	int r = judge_event(t->judge, view, arena);
	view->source.note = kept;
	return r;
}

static uint64_t now(bool timed)
{
	return timed ? clock_monotonic_ns() : 0;
}

int trial_event(struct trial *t, struct judge *running, struct enrich_view *view, struct arena *arena)
{
	bool timed = t->stats.events++ % TIMED_OF == 0;
	uint64_t begin = now(timed);
	int r = running ? judge_event(running, view, arena) : 0;
	uint64_t between = now(timed);
	(void)!judge_staged(t, view, arena); /* a judge without outputs has nothing that could fail */
	uint64_t end = now(timed);
	t->stats.timed += timed;
	t->stats.running_ns += between - begin;
	t->stats.staged_ns += end - between;
	compare(t, running, view, arena);
	return r;
}

void trial_forget(struct trial *t)
{
	memset(t->notes, 0, sizeof(t->notes));
}

/* ---- telling ---- */

void trial_get_stats(const struct trial *t, struct trial_stats *ret_stats)
{
	*ret_stats = t->stats;
}

const struct trial_rule *trial_next(const struct trial *t, size_t *position)
{
	struct str name;
	void *rule;
	return map_next(&t->by_name, position, &name, &rule) ? rule : NULL;
}

const struct trial_rule *trial_too_loud(const struct trial *t, uint64_t most)
{
	const struct trial_rule *r, *loudest = NULL;
	for (size_t position = 0; (r = trial_next(t, &position));)
		if (r->staged.most > most && r->staged.most > r->running.most &&
		    (!loudest || r->staged.most > loudest->staged.most))
			loudest = r;
	return loudest;
}

static void add_u64(struct json *out, const char *key, uint64_t n)
{
	json_key(out, key);
	json_u64(out, n);
}

void trial_add_examples(const struct trial_examples *e, struct json *out)
{
	json_key(out, "examples");
	json_begin_array(out);
	for (size_t i = 0; i < e->count; i++) {
		json_begin_object(out);
		add_u64(out, "time_ns", e->items[i].real_ns);
		json_key(out, "what");
		json_text(out, e->items[i].text);
		json_end_object(out);
	}
	json_end_array(out);
}

static void add_rule(const struct trial_rule *r, bool with_examples, struct json *out)
{
	json_begin_object(out);
	json_key(out, "rule");
	json_text(out, r->name);
	add_u64(out, "same", r->same);
	add_u64(out, "added", r->added);
	add_u64(out, "gone", r->gone);
	add_u64(out, "most_in_a_minute", r->staged.most);
	add_u64(out, "most_in_a_minute_now", r->running.most);
	if (with_examples)
		trial_add_examples(&r->examples, out);
	json_end_object(out);
}

/* What changes most stands first. */
static int by_change(const void *a, const void *b)
{
	const struct trial_rule *x = *(const struct trial_rule *const *)a, *y = *(const struct trial_rule *const *)b;
	uint64_t change_x = x->added + x->gone, change_y = y->added + y->gone;
	if (change_x != change_y)
		return change_x > change_y ? -1 : 1;
	if (x->same != y->same)
		return x->same > y->same ? -1 : 1;
	return strcmp(x->name, y->name);
}

int trial_add_json(const struct trial *t, size_t bytes_max, struct json *out)
{
	size_t count = 0, position = 0, shown = 0, begin = out->out->length;
	_cleanup_(base_free_ptr) const struct trial_rule **rules = calloc(t->by_name.count + 1, sizeof(*rules));
	if (!rules)
		return -ENOMEM;
	while (count < t->by_name.count && (rules[count] = trial_next(t, &position)))
		count++;
	qsort(rules, count, sizeof(*rules), by_change);
	json_key(out, "rules");
	json_begin_array(out);
	for (; shown < count && out->out->length - begin < bytes_max; shown++)
		add_rule(rules[shown], out->out->length - begin < bytes_max / 2, out);
	json_end_array(out);
	add_u64(out, "rules_left_out", count - shown);
	return 0;
}
