/* SPDX-License-Identifier: Apache-2.0
 *
 * Compiled rules against the reference evaluator: sets of random rules judge random events; both must name the same.
 *
 * usage: compiled_differential [--count PAIRS] [--seed N] [--rules N]
 * PAIRS of a rule and an event (1,000,000). Exit 1: a difference, which is shown, with the seed that makes it again.
 */
#include "random.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "rule/rule.h"

#define EVENT_BYTES_MAX (64u << 20)
#define EVENTS_PER_SET 400
#define PROCESSES 16
#define RULES_MAX 1024

static const enum event_type types[] = {EVENT_open, EVENT_openat, EVENT_connect, EVENT_execve, EVENT_unlink};

struct totals {
	uint64_t pairs, matches, sets, rules, refused, warnings;
};

static bool same(const struct rule **a, size_t a_count, const struct rule **b, size_t b_count)
{
	return a_count == b_count && memcmp(a, b, a_count * sizeof(*a)) == 0;
}

static void show(const char *who, const struct rule **rules, size_t count)
{
	printf("%s: %zu\n", who, count);
	for (size_t i = 0; i < count; i++)
		printf("  %s: %s\n", rules[i]->name, rules[i]->condition_text);
}

/* What matches must not count as what cannot. */
static bool all_live(const struct rule_set *set, const struct rule_programs *programs, const struct random_source *s,
                     enum event_type type, const struct rule **matched, size_t count)
{
	struct rule_live live;
	if (!s->source.note || !rule_programs_live(programs, s->source.note, &live))
		return true;
	bool all = count == 0 || live.types[type / 64] >> type % 64 & 1;
	for (size_t i = 0; i < MIN(rule_set_count(set), 64 * ARRAY_SIZE(live.rules)); i++)
		for (size_t k = 0; k < count; k++)
			all &= matched[k] != rule_set_get(set, i) || live.rules[i / 64] >> i % 64 & 1;
	return all;
}

static bool judge(struct rng *r, struct rule_set *set, struct rule_programs *programs, struct random_source *processes,
                  struct totals *totals)
{
	static const struct rule *expected[RULES_MAX], *got[RULES_MAX];
	struct random_source *s = &processes[rng_below(r, PROCESSES)];
	enum event_type type = types[rng_below(r, ARRAY_SIZE(types))];
	enum rule_matching how = rng_below(r, 2) ? MATCH_ALL : MATCH_FIRST;
	struct arena arena;
	arena_init(&arena, EVENT_BYTES_MAX);
	s->type = event_type_info(type)->name;
	s->event = rng_next(r);
	if (rng_below(r, 32) == 0) { /* it has become another */
		s->process = rng_next(r);
		s->source.version++;
	}
	s->source.note = rng_below(r, 16) ? &s->note : NULL;
	size_t expected_count = rule_set_match(set, type, &s->source, &arena, how, expected, RULES_MAX);
	size_t got_count = rule_programs_match(programs, type, &s->source, &arena, how, got, RULES_MAX);
	bool equal = same(expected, expected_count, got, got_count);
	if (rng_below(r, 8) == 0)
		rule_programs_settle(programs, &s->source, &arena);
	equal &= all_live(set, programs, s, type, expected, expected_count);
	if (!equal) {
		printf("%s, %s\n", s->type, how == MATCH_ALL ? "all" : "first");
		show("reference", expected, expected_count);
		show("compiled", got, got_count);
	}
	totals->matches += expected_count;
	arena_done(&arena);
	return equal;
}

static bool run_set(uint64_t seed, unsigned rules, struct totals *totals)
{
	struct rng r = {.state = seed * 0x9e3779b97f4a7c15ull + 1};
	struct random_source processes[PROCESSES];
	struct rule_programs *programs = NULL;
	struct rule_set *set;
	struct diag_list diags;
	bool equal = true;
	rng_next(&r);
	diag_list_init(&diags, 100);
	if (rule_set_new(&set) < 0)
		abort();
	unsigned made = random_rules(&r, rules, set);
	totals->rules += made;
	totals->refused += rules - made;
	if (rule_set_compile(set, &diags) < 0)
		abort();
	int result = rule_programs_new(set, &programs);
	if (result == 0)
		result = rule_programs_make(programs);
	for (size_t i = 0; programs && i < rule_programs_problems(programs)->count; i++) {
		printf("%s\n", rule_programs_problems(programs)->items[i].text);
		totals->warnings++;
	}
	if (result < 0) {
		printf("rule_programs_new: %s\n", strerror(-result));
		equal = false;
	}
	for (size_t i = 0; i < PROCESSES; i++) {
		random_source_init(&processes[i], "open");
		processes[i].process = rng_next(&r);
	}
	for (unsigned i = 0; equal && i < EVENTS_PER_SET; i++) {
		equal = judge(&r, set, programs, processes, totals);
		totals->pairs += rule_set_count(set);
	}
	diag_list_done(&diags);
	rule_programs_free(programs);
	rule_set_free(set);
	totals->sets++;
	return equal && totals->warnings == 0;
}

int main(int argc, char **argv)
{
	uint64_t count = 1000000, seed = 1;
	unsigned rules = 24;
	struct totals totals = {0};
	for (int i = 1; i + 1 < argc; i += 2) {
		if (strcmp(argv[i], "--count") == 0)
			count = strtoull(argv[i + 1], NULL, 0);
		else if (strcmp(argv[i], "--seed") == 0)
			seed = strtoull(argv[i + 1], NULL, 0);
		else if (strcmp(argv[i], "--rules") == 0)
			rules = (unsigned)MIN(strtoull(argv[i + 1], NULL, 0), (uint64_t)RULES_MAX);
	}
	for (; totals.pairs < count; seed++) {
		if (run_set(seed, rules, &totals))
			continue;
		printf("differs: --seed %" PRIu64 " --rules %u --count 1\n", seed, rules);
		return 1;
	}
	printf("%" PRIu64 " pairs of a rule and an event, %" PRIu64 " matches, %" PRIu64 " rules in %" PRIu64
	       " sets (%" PRIu64 " refused by the reader): no difference\n",
	       totals.pairs, totals.matches, totals.rules, totals.sets, totals.refused);
	return 0;
}
