/* SPDX-License-Identifier: Apache-2.0
 *
 * Policies, asked about events that were recorded: what they would have done, counted as their breakers count.
 */
#include "core/rehearsal_int.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>

#include "base/clock.h"
#include "schema/guard.h"

#define DEED_BYTES TRIAL_EXAMPLE_BYTES
#define WARNINGS_MAX 10

int asked_policies_new(const struct policy_set *set, struct asked_policies *ret_asked)
{
	struct asked_policies a = {.items = NULL};
	size_t count = set ? policy_set_count(set) : 0;
	a.items = calloc(count + 1, sizeof(*a.items));
	if (!a.items)
		return -ENOMEM;
	for (size_t i = 0; i < count; i++) {
		const struct policy *p = policy_set_get(set, i);
		if (p->action == ACTION_ALERT)
			continue;
		a.items[a.count++] = (struct asked_policy){.policy = p, .tokens = p->burst};
	}
	*ret_asked = a;
	return 0;
}

void asked_policies_done(struct asked_policies *a)
{
	free(a->items);
	*a = (struct asked_policies){.items = NULL};
}

/* ---- what would have been done ---- */

static struct value field(const struct enrich_view *view, enum field_id id, struct arena *arena)
{
	struct field_ref ref = {.id = id};
	struct value v = {.kind = VALUE_NULL};
	view->source.get(&view->source, &ref, arena, &v);
	return v;
}

static struct str text_of(const struct enrich_view *view, enum field_id id, struct arena *arena)
{
	struct value v = field(view, id, arena);
	return v.kind == VALUE_STR ? v.str : STR("?");
}

/* What the attempt was for. */
static enum field_id object_of(enum policy_point point)
{
	switch (point) {
	case POINT_EXEC:
		return FIELD_PROC_EXEPATH;
	case POINT_CONNECT:
	case POINT_BIND:
	case POINT_SENDMSG:
		return FIELD_EVT_ADDR;
	case POINT_FILE_RENAME:
	case POINT_FILE_UNLINK:
	case POINT_MOUNT:
		return FIELD_EVT_ARGS;
	default:
		return FIELD_FD_NAME;
	}
}

/* "connect of curl[123]: 1.2.3.4:80" */
static void add_example(struct trial_examples *to, enum policy_point point, const struct enrich_view *view,
                        struct arena *arena)
{
	struct buf out;
	if (to->count == TRIAL_EXAMPLES_MAX)
		return;
	struct str name = text_of(view, FIELD_PROC_NAME, arena);
	struct str what = text_of(view, object_of(point), arena);
	buf_init(&out, DEED_BYTES);
	buf_printf(&out, "%s of %.*s[%u]: %.*s", policy_point_name(point), (int)MIN(name.length, (size_t)64), name.data,
	           view->event.header->pid, (int)MIN(what.length, (size_t)128), what.data);
	trial_example_add(to, trial_real_ns(view, arena), buf_str(&out));
	buf_done(&out);
}

static void begin_minute(struct asked_policy *a, uint64_t time_ns)
{
	uint64_t minute = time_ns / GUARD_MINUTE_NS;
	if (a->minute == minute)
		return;
	a->minute = minute;
	a->actions = a->minute_attempts = 0;
	a->process_count = 0;
}

static void count_process(struct asked_policy *a, const struct event_header *h)
{
	uint64_t key[2] = {h->pid, h->start_ns}, hash = base_hash(key, sizeof(key));
	for (size_t i = 0; i < a->process_count; i++)
		if (a->processes[i] == hash)
			return;
	if (a->process_count < REHEARSAL_PROCESSES_MAX)
		a->processes[a->process_count++] = hash;
	a->most_processes = MAX(a->most_processes, a->process_count);
}

/* Of what a throttle matches, the rate is let through. */
static bool is_let_through(struct asked_policy *a, uint64_t now)
{
	const struct policy *p = a->policy;
	if (p->action != ACTION_THROTTLE)
		return false;
	double rate = p->rate_seconds ? (double)p->rate / p->rate_seconds : 0;
	if (a->tokens_ns && now > a->tokens_ns)
		a->tokens = MIN(a->tokens + rate * (double)(now - a->tokens_ns) / (double)NS_PER_S, (double)p->burst);
	a->tokens_ns = now;
	if (a->tokens < 1)
		return false;
	a->tokens--;
	return true;
}

static void act(struct asked_policy *a, enum policy_point point, const struct enrich_view *view, struct arena *arena)
{
	const struct policy_budget *budget = &a->policy->budget;
	a->acted++;
	a->actions++;
	a->most_actions = MAX(a->most_actions, a->actions);
	count_process(a, view->event.header);
	a->over_share = a->over_share || (a->minute_attempts >= GUARD_SHARE_LEAST &&
	                                  a->actions * 100 > (uint64_t)budget->share * a->minute_attempts);
	add_example(&a->examples, point, view, arena);
}

static bool is_protected(const struct enrich_view *view, struct arena *arena)
{
	return view->event.header->pid == 1 || policy_protects(text_of(view, FIELD_PROC_EXEPATH, arena));
}

static void ask(struct asked_policy *a, struct enrich_view *view, struct arena *arena)
{
	enum policy_answer answer = POLICY_NOT_ASKED;
	enum policy_point point = POINT_EVENT;
	for (view->name_index = 0; view->name_index < MAX(view->name_count, 1u) && answer != POLICY_MATCHES;
	     view->name_index++) {
		enum policy_answer here = policy_ask(a->policy, view->event.header->type, &view->source, arena, &point);
		answer = MAX(answer, here);
	}
	view->name_index = 0;
	if (answer == POLICY_NOT_ASKED)
		return;
	uint64_t time_ns = view->event.header->time_ns;
	begin_minute(a, time_ns);
	a->attempts++;
	a->minute_attempts++;
	a->cannot_say += answer == POLICY_CANNOT_SAY;
	if (answer != POLICY_MATCHES)
		return;
	if (is_protected(view, arena)) {
		a->spared++;
		add_example(&a->spared_examples, point, view, arena);
	} else if (!is_let_through(a, time_ns)) {
		act(a, point, view, arena);
	}
}

void asked_policies_event(struct asked_policies *a, struct enrich_view *view, struct arena *arena)
{
	for (size_t i = 0; i < a->count; i++)
		ask(&a->items[i], view, arena);
}

/* ---- the verdict ---- */

static bool is_over(const struct asked_policy *a, struct buf *why)
{
	const struct policy *p = a->policy;
	const char *action = policy_action_name(p->action);
	if (a->spared)
		buf_printf(why,
		           "the policy \"%s\" would %s what protected programs do, %" PRIu64
		           " times: %s; no policy acts on "
		           "them, so it does not mean what it says",
		           p->name, action, a->spared, a->spared_examples.items[0].text);
	else if (a->most_actions > p->budget.actions)
		buf_printf(why,
		           "the policy \"%s\" would have acted (%s) %" PRIu64
		           " times in a minute, and its budget is %" PRIu32 "; the first: %s",
		           p->name, action, a->most_actions, p->budget.actions, a->examples.items[0].text);
	else if (a->most_processes > p->budget.processes)
		buf_printf(why,
		           "the policy \"%s\" would have acted (%s) on %" PRIu64
		           " processes in a minute, and its budget is %" PRIu32 "; the first: %s",
		           p->name, action, a->most_processes, p->budget.processes, a->examples.items[0].text);
	else if (a->over_share)
		buf_printf(why,
		           "the policy \"%s\" would have acted (%s) on more than %" PRIu32
		           " of a hundred attempts in a minute; the first: %s",
		           p->name, action, p->budget.share, a->examples.items[0].text);
	else
		return false;
	return true;
}

const struct asked_policy *asked_policies_verdict(const struct asked_policies *a, struct buf *why)
{
	for (size_t i = 0; i < a->count; i++)
		if (a->items[i].policy->mode == POLICY_ENFORCE && is_over(&a->items[i], why))
			return &a->items[i];
	return NULL;
}

uint64_t asked_policies_acted(const struct asked_policies *a)
{
	uint64_t acted = 0;
	for (size_t i = 0; i < a->count; i++)
		acted += a->items[i].acted;
	return acted;
}

/* ---- telling ---- */

void asked_policies_tell(const struct asked_policies *a, struct diag_list *diags)
{
	for (size_t i = 0; i < a->count && i < WARNINGS_MAX; i++) {
		const struct asked_policy *p = &a->items[i];
		if (p->acted)
			rehearsal_warn(diags, &p->examples,
			               "the policy \"%s\" (%s, mode %s) would have acted %" PRIu64 " time%s",
			               p->policy->name, policy_action_name(p->policy->action),
			               policy_mode_name(p->policy->mode), p->acted, p->acted == 1 ? "" : "s");
	}
}

static void add_u64(struct json *out, const char *key, uint64_t n)
{
	json_key(out, key);
	json_u64(out, n);
}

static void add_policy(const struct asked_policy *a, bool with_examples, struct json *out)
{
	const struct policy *p = a->policy;
	json_begin_object(out);
	json_key(out, "policy");
	json_text(out, p->name);
	json_key(out, "action");
	json_text(out, policy_action_name(p->action));
	json_key(out, "mode");
	json_text(out, policy_mode_name(p->mode));
	add_u64(out, "attempts", a->attempts);
	add_u64(out, "would_have_acted", a->acted);
	add_u64(out, "protected", a->spared);
	add_u64(out, "undecided", a->cannot_say);
	add_u64(out, "most_in_a_minute", a->most_actions);
	add_u64(out, "budget", p->budget.actions);
	if (with_examples)
		trial_add_examples(a->spared ? &a->spared_examples : &a->examples, out);
	json_end_object(out);
}

void asked_policies_add_json(const struct asked_policies *a, size_t bytes_max, struct json *out)
{
	size_t begin = out->out->length, shown = 0;
	json_key(out, "policies");
	json_begin_array(out);
	for (; shown < a->count && out->out->length - begin < bytes_max; shown++)
		add_policy(&a->items[shown], out->out->length - begin < bytes_max / 2, out);
	json_end_array(out);
	add_u64(out, "policies_left_out", a->count - shown);
}
