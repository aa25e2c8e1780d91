/* SPDX-License-Identifier: Apache-2.0
 *
 * Any text as a condition. What is one is compiled: the program must say of random events what the reference evaluator says,
 * and picket's own verifier must take the sieves made of it.
 */
#include <errno.h>

#include "rule/rule.h"
#include "tests/compiled/random.h"

#define ARENA_BYTES (4u << 20)
#define TYPES_MAX 6
#define EVENTS_PER_TYPE 3

static void judge(const struct rule_set *set, struct rule_programs *programs, struct random_source *s,
                  enum event_type type)
{
	const struct rule *expected = NULL, *got = NULL;
	struct arena arena;
	arena_init(&arena, ARENA_BYTES);
	size_t should = rule_set_match(set, type, &s->source, &arena, MATCH_ALL, &expected, 1);
	size_t does = rule_programs_match(programs, type, &s->source, &arena, MATCH_ALL, &got, 1);
	if (should != does)
		__builtin_trap();
	arena_done(&arena);
}

static void sieve(const struct rule_programs *programs, enum event_type type)
{
	struct rule_sieve *made;
	if (rule_programs_sieve(programs, type, &made) < 0)
		return;
	if (rule_sieve_verify(made) == -EPERM)
		__builtin_trap();
	rule_sieve_free(made);
}

static void judge_types(const struct rule_set *set, struct rule_programs *programs, uint64_t seed)
{
	struct event_set events;
	struct random_source s;
	struct rng r = {.state = seed};
	unsigned types = 0;
	rule_set_events(set, &events);
	for (unsigned type = 1; type < EVENT_TYPE_MAX && types < TYPES_MAX; type++) {
		const char *name = event_type_info(type)->name;
		if (!name || !event_set_has(&events, type))
			continue;
		types++;
		for (unsigned i = 0; i < EVENTS_PER_TYPE; i++) {
			random_source_init(&s, name);
			s.event = rng_next(&r);
			s.process = rng_next(&r);
			s.source.note = i % 2 ? &s.note : NULL;
			judge(set, programs, &s, type);
		}
		sieve(programs, type);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct rule_programs *programs;
	struct rule_set *set;
	if (rule_set_from_condition(str_make((const char *)data, size), &set) < 0)
		return 0;
	if (rule_programs_new(set, &programs) == 0) {
		judge_types(set, programs, 0x9e3779b97f4a7c15ull * (size + 1));
		rule_programs_free(programs);
	}
	rule_set_free(set);
	return 0;
}
