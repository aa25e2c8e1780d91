/* SPDX-License-Identifier: Apache-2.0
 *
 * Which alerts are shown. Every alert held back is counted in exactly one place until it is told of: in the alert that
 * it repeats, or in its rule. Times are the alerts' own, so that a replay is limited as the live run was.
 */
#include "export/export.h"

#include "base/clock.h"
#include "base/map.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>

#define MEMORY_DEFAULT 4096
#define MEMORY_MAX (1u << 24)
#define RULES_MAX 32768 /* further ones share a limit */
#define NONE UINT32_MAX

struct limited_rule {
	char *name;
	double tokens;
	uint64_t refilled_ns;
	uint64_t held_back; /* by the rate, or repeats of alerts since forgotten; not told of */
	uint64_t untold;    /* held_back and that of all its alerts */
};

/* An alert that was shown. */
struct shown_alert {
	uint64_t key;
	uint64_t shown_ns;
	uint64_t held_back; /* repeats since, not told of */
	struct limited_rule *rule;
	uint32_t chain_next;
	uint32_t older, newer;
};

struct alert_limiter {
	double per_second, burst;
	uint64_t repeat_ns;
	uint64_t held_back; /* ever */
	struct map rules;   /* name → struct limited_rule, owned */
	struct limited_rule others;
	uint64_t seed;
	struct shown_alert *alerts;
	uint32_t *chains;
	uint32_t alert_count, alert_max, chain_count; /* chain_count: a power of two */
	uint32_t oldest, newest;
};

/* ---- making ---- */

static int memory_init(struct alert_limiter *l, size_t memory)
{
	l->alert_max = (uint32_t)(memory ? memory : MEMORY_DEFAULT);
	l->chain_count = 1;
	while (l->chain_count < l->alert_max)
		l->chain_count *= 2;
	l->alerts = calloc(l->alert_max, sizeof(*l->alerts));
	l->chains = malloc(l->chain_count * sizeof(*l->chains));
	if (!l->alerts || !l->chains)
		return -ENOMEM;
	memset(l->chains, 0xff, l->chain_count * sizeof(*l->chains));
	return 0;
}

static void rule_init(const struct alert_limiter *l, struct limited_rule *rule, char *name, uint64_t now_ns)
{
	*rule = (struct limited_rule){.name = name, .tokens = l->burst, .refilled_ns = now_ns};
}

int alert_limiter_new(const struct alert_limit_options *options, struct alert_limiter **ret_limiter)
{
	if (!isfinite(options->per_second) || options->per_second < 0 || options->memory > MEMORY_MAX)
		return -EINVAL;
	struct alert_limiter *l = calloc(1, sizeof(*l));
	if (!l)
		return -ENOMEM;
	l->per_second = options->per_second;
	l->burst = options->burst ? options->burst : MAX(10 * options->per_second, 1.0);
	l->repeat_ns = options->repeat_ns;
	l->seed = base_random_seed();
	l->oldest = l->newest = NONE;
	map_init(&l->rules, RULES_MAX);
	rule_init(l, &l->others, NULL, 0);
	int error = l->repeat_ns ? memory_init(l, options->memory) : 0;
	if (error) {
		alert_limiter_free(l);
		return error;
	}
	*ret_limiter = l;
	return 0;
}

void alert_limiter_free(struct alert_limiter *l)
{
	if (!l)
		return;
	size_t position = 0;
	void *value;
	while (map_next(&l->rules, &position, NULL, &value)) {
		free(((struct limited_rule *)value)->name);
		free(value);
	}
	map_done(&l->rules);
	free(l->alerts);
	free(l->chains);
	free(l);
}

/* ---- the rate of a rule ---- */

static struct limited_rule *rule_add(struct alert_limiter *l, const char *name, uint64_t now_ns)
{
	struct limited_rule *rule = malloc(sizeof(*rule));
	char *copy = strdup(name);
	if (rule && copy && map_put(&l->rules, str_from(name), rule, NULL) == 0) {
		rule_init(l, rule, copy, now_ns);
		return rule;
	}
	free(rule);
	free(copy);
	return &l->others;
}

static struct limited_rule *rule_get(struct alert_limiter *l, const char *name, uint64_t now_ns)
{
	struct limited_rule *rule = map_get(&l->rules, str_from(name));
	return rule ? rule : rule_add(l, name, now_ns);
}

static bool rule_take_token(const struct alert_limiter *l, struct limited_rule *rule, uint64_t now_ns)
{
	if (l->per_second == 0)
		return true;
	/* A clock that was set back gives nothing, and counts from there. */
	if (now_ns > rule->refilled_ns) {
		double elapsed = (double)(now_ns - rule->refilled_ns) / (double)NS_PER_S;
		rule->tokens = MIN(rule->tokens + elapsed * l->per_second, l->burst);
	}
	rule->refilled_ns = now_ns;
	if (rule->tokens < 1)
		return false;
	rule->tokens -= 1;
	return true;
}

/* ---- repeats: hash chains over an array, in order of use ---- */

static void alert_unlink(struct alert_limiter *l, uint32_t i)
{
	struct shown_alert *s = &l->alerts[i];
	*(s->older == NONE ? &l->oldest : &l->alerts[s->older].newer) = s->newer;
	*(s->newer == NONE ? &l->newest : &l->alerts[s->newer].older) = s->older;
}

static void alert_link_newest(struct alert_limiter *l, uint32_t i)
{
	l->alerts[i].older = l->newest;
	l->alerts[i].newer = NONE;
	*(l->newest == NONE ? &l->oldest : &l->alerts[l->newest].newer) = i;
	l->newest = i;
}

static uint32_t *chain_of(struct alert_limiter *l, uint64_t key)
{
	return &l->chains[key & (l->chain_count - 1)];
}

static struct shown_alert *alert_find(struct alert_limiter *l, uint64_t key)
{
	if (!l->alerts)
		return NULL;
	for (uint32_t i = *chain_of(l, key); i != NONE; i = l->alerts[i].chain_next) {
		if (l->alerts[i].key != key)
			continue;
		alert_unlink(l, i);
		alert_link_newest(l, i);
		return &l->alerts[i];
	}
	return NULL;
}

/* What is forgotten leaves its count with its rule. */
static uint32_t alert_forget_oldest(struct alert_limiter *l)
{
	uint32_t i = l->oldest;
	struct shown_alert *s = &l->alerts[i];
	uint32_t *link = chain_of(l, s->key);
	while (*link != i)
		link = &l->alerts[*link].chain_next;
	*link = s->chain_next;
	alert_unlink(l, i);
	s->rule->held_back += s->held_back;
	return i;
}

static void alert_remember(struct alert_limiter *l, uint64_t key, struct limited_rule *rule, uint64_t now_ns)
{
	if (!l->alerts)
		return;
	uint32_t i = l->alert_count < l->alert_max ? l->alert_count++ : alert_forget_oldest(l);
	uint32_t *chain = chain_of(l, key);
	l->alerts[i] = (struct shown_alert){.key = key, .shown_ns = now_ns, .rule = rule, .chain_next = *chain};
	*chain = i;
	alert_link_newest(l, i);
}

static bool alert_is_repeat(const struct alert_limiter *l, const struct shown_alert *s, uint64_t now_ns)
{
	/* Alerts may come a little out of order; a clock set back by more ends the time. */
	uint64_t apart = now_ns > s->shown_ns ? now_ns - s->shown_ns : s->shown_ns - now_ns;
	return apart < l->repeat_ns;
}

/* ---- */

static bool hold_back(struct alert_limiter *l, struct limited_rule *rule, uint64_t *count)
{
	(*count)++;
	rule->untold++;
	l->held_back++;
	return false;
}

static uint64_t take_count(struct limited_rule *rule, uint64_t *count)
{
	uint64_t taken = *count;
	*count = 0;
	rule->untold -= taken;
	return taken;
}

bool alert_limiter_pass(struct alert_limiter *l, struct alert *a)
{
	uint64_t now_ns = a->real_ns;
	struct limited_rule *rule = rule_get(l, a->rule, now_ns);
	uint64_t key =
	        base_hash_seeded(base_hash_seeded(l->seed, a->rule, strlen(a->rule)), a->output.data, a->output.length);
	struct shown_alert *same = alert_find(l, key);
	if (same && alert_is_repeat(l, same, now_ns))
		return hold_back(l, same->rule, &same->held_back);
	if (!rule_take_token(l, rule, now_ns))
		return hold_back(l, rule, &rule->held_back);
	a->held_back = take_count(rule, &rule->held_back);
	if (same) {
		a->held_back += take_count(same->rule, &same->held_back);
		same->shown_ns = now_ns;
	} else {
		alert_remember(l, key, rule, now_ns);
	}
	return true;
}

static void rule_report(struct limited_rule *rule, const char *name,
                        void (*call)(void *userdata, const char *rule, uint64_t held_back), void *userdata)
{
	uint64_t untold = rule->untold;
	rule->held_back = 0;
	rule->untold = 0;
	if (untold)
		call(userdata, name, untold);
}

void alert_limiter_report(struct alert_limiter *l, void (*call)(void *userdata, const char *rule, uint64_t held_back),
                          void *userdata)
{
	for (uint32_t i = 0; i < l->alert_count; i++)
		l->alerts[i].held_back = 0;
	size_t position = 0;
	void *value;
	while (map_next(&l->rules, &position, NULL, &value)) {
		struct limited_rule *rule = value;
		rule_report(rule, rule->name, call, userdata);
	}
	rule_report(&l->others, "other rules", call, userdata);
}

uint64_t alert_limiter_held_back(const struct alert_limiter *l)
{
	return l->held_back;
}
