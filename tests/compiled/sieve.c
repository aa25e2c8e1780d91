/* SPDX-License-Identifier: Apache-2.0
 *
 * The sieve against the reference evaluator: what a rule matches must pass. Programs are made of sets of random rules, and
 * decide about random events; those of some sets run in the kernel as well, attached to nothing.
 *
 * usage: sieve_differential [--count PAIRS] [--seed N] [--rules N] [--kernel N]
 * PAIRS of a rule and an event (1,000,000); every Nth set's program in the kernel (20; 0: none).
 * Exit 1: an event was dropped that a rule matches, or a program was refused, or means something else in the kernel. What
 * it was is shown, with the seed that makes it again.
 */
#include "sieve.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "rule/rule.h"

#define EVENT_BYTES_MAX (64u << 20)
#define EVENTS_PER_SET 150
#define RULES_MAX 64

#define OPENS (SIEVE_IN(OPENED) | SIEVE_IN(FAILED))
#define CALLS (SIEVE_IN(DONE) | SIEVE_IN(REFUSED))
static const struct sieved_type {
	enum event_type type;
	unsigned states; /* that its events may be in */
} types[] = {
        {EVENT_open, OPENS},
        {EVENT_openat, OPENS},
        {EVENT_openat2, OPENS},
        {EVENT_openat, OPENS},
        {EVENT_connect, CALLS | SIEVE_IN(CONNECTED)},
        {EVENT_accept4, CALLS | SIEVE_IN(CONNECTED)},
        {EVENT_creat, CALLS},
};
static const char *const type_names[] = {"open", "openat", "openat2", "creat", "connect", "accept4"};
static const enum field_id fields[] = {
        FIELD_FD_NAME,       FIELD_FD_NAME,           FIELD_FD_NAME,
        FIELD_FD_DIRECTORY,  FIELD_FD_DIRECTORY,      FIELD_FD_FILENAME,
        FIELD_FD_FILENAME,   FIELD_FD_NAMERAW,        FIELD_FD_NAMERAW,
        FIELD_FD_NUM,        FIELD_EVT_IS_OPEN_WRITE, FIELD_EVT_IS_OPEN_READ,
        FIELD_FD_IS_DEVICE,  FIELD_EVT_RAWRES,        FIELD_EVT_RAWRES,
        FIELD_EVT_RES,       FIELD_EVT_FAILED,        FIELD_EVT_IS_OPEN_CREATE,
        FIELD_FD_IS_CREATED, FIELD_FD_IS_DELETED,     FIELD_FD_TYPECHAR,
        FIELD_FD_TYPECHAR,   FIELD_FD_TYPE,           FIELD_FD_SOCKFAMILY,
        FIELD_FD_L4PROTO,    FIELD_FD_LPORT,          FIELD_FD_RPORT,
        FIELD_FD_CPORT,      FIELD_FD_SPORT,          FIELD_PROC_NAME,
        FIELD_USER_UID,
};
static const char *const texts[] = {"SUCCESS", "f", "4", "6", "ip", "ipv4", "ipv6", "tcp", "udp", "unix"};
static const struct taste taste = {fields, ARRAY_SIZE(fields), type_names, ARRAY_SIZE(type_names),
                                   texts,  ARRAY_SIZE(texts)};

struct totals {
	uint64_t pairs, sets, programs, pass_all, in_kernel, events_in_kernel;
	uint64_t matched, dropped, passed; /* events: a rule matches; none does, and they were dropped, or not */
	uint64_t longest;                  /* instructions of a run, as the verifier has it */
};

struct trial {
	struct rng r;
	struct rule_set *set;
	enum event_type type;
	unsigned states; /* of the type */
	struct sieve_machine *machine;
	bool kernel;
	struct totals *totals;
};

static bool is_live(const struct trial *t, const struct sieve_event *e, const struct rule *rule)
{
	for (size_t i = 0; i < MIN(rule_set_count(t->set), (size_t)SIEVE_RULES_MAX); i++)
		if (rule_set_get(t->set, i) == rule)
			return e->live[i / 64] >> i % 64 & 1;
	return true;
}

struct matches {
	const struct rule *any,
	        *live; /* one of the rules that match under any of the event's names; of those that are live */
};

static struct matches match(const struct trial *t, struct sieve_event *e)
{
	const struct rule *matched[RULES_MAX];
	struct matches found = {NULL, NULL};
	struct arena arena;
	arena_init(&arena, EVENT_BYTES_MAX);
	for (e->name = 0; e->name < e->name_count; e->name++) {
		size_t count = rule_set_match(t->set, t->type, &e->source, &arena, MATCH_ALL, matched, RULES_MAX);
		for (size_t i = 0; i < count; i++) {
			found.any = matched[i];
			if (is_live(t, e, matched[i]))
				found.live = matched[i];
		}
	}
	arena_done(&arena);
	return found;
}

/* What is dropped because of the file alone is so for all processes. */
static bool may_drop(const struct sieve_event *e, const struct matches *found, const struct sieve_input *in)
{
	return e->state != SIEVE_UNDECIDED && !found->live && !(in->by_file && found->any);
}

static bool judge(struct trial *t)
{
	const struct sieve_input *in = (const void *)sieve_machine_scratch(t->machine);
	struct sieve_event e;
	char why[512];
	bool passes;
	sieve_event_init(&e, &t->r, event_type_info(t->type)->name, t->states);
	sieve_event_tell(&e, &t->r, sieve_machine_scratch(t->machine));
	int r = sieve_machine_run(t->machine, &passes, why, sizeof(why));
	struct matches found = match(t, &e);
	if (r < 0 || (!passes && !may_drop(&e, &found, in))) {
		printf("%s: %s\n", event_type_info(t->type)->name, r < 0 ? why : "dropped");
		sieve_event_show(&e);
		if (found.any)
			printf("%s: %s\n", found.any->name, found.any->condition_text);
		return false;
	}
	t->totals->matched += found.live != NULL;
	t->totals->dropped += !passes;
	t->totals->passed += !found.live && passes;
	t->totals->events_in_kernel += t->kernel;
	return true;
}

/* Returns whether there is a program. */
static int make_program(struct trial *t, const struct rule_programs *programs, bool *ret_made)
{
	struct rule_sieve *sieve;
	char why[512];
	int r = rule_programs_sieve(programs, t->type, &sieve);
	*ret_made = r == 0;
	if (r == -EOPNOTSUPP) {
		t->totals->pass_all++;
		return 0;
	}
	if (r < 0) {
		printf("no program: %s\n", strerror(-r));
		return r;
	}
	r = sieve_machine_load(t->machine, sieve, t->kernel, why, sizeof(why));
	if (r < 0)
		printf("refused: %s (%s)\n", why, strerror(-r));
	t->totals->programs++;
	t->totals->in_kernel += t->kernel;
	t->totals->longest = MAX(t->totals->longest, sieve_machine_bound(t->machine));
	rule_sieve_free(sieve);
	return r;
}

static bool judge_events(struct trial *t)
{
	struct rule_programs *programs = NULL;
	bool made = false;
	int r = rule_programs_new(t->set, &programs);
	if (r == 0)
		r = make_program(t, programs, &made);
	rule_programs_free(programs);
	bool good = r == 0;
	for (unsigned i = 0; made && good && i < EVENTS_PER_SET; i++) {
		good = judge(t);
		t->totals->pairs += rule_set_count(t->set);
	}
	return good;
}

static bool run_set(uint64_t seed, unsigned rules, bool kernel, struct sieve_machine *machine, struct totals *totals)
{
	struct trial t = {.machine = machine, .kernel = kernel, .totals = totals};
	struct diag_list diags;
	t.r = (struct rng){.state = seed * 0x9e3779b97f4a7c15ull + 1, .taste = &taste};
	rng_next(&t.r);
	const struct sieved_type *type = &types[rng_below(&t.r, ARRAY_SIZE(types))];
	t.type = type->type;
	t.states = type->states;
	diag_list_init(&diags, 100);
	if (rule_set_new(&t.set) < 0)
		abort();
	random_rules(&t.r, 1 + rng_below(&t.r, rules), t.set);
	if (rule_set_compile(t.set, &diags) < 0)
		abort();
	bool good = judge_events(&t);
	diag_list_done(&diags);
	rule_set_free(t.set);
	totals->sets++;
	return good;
}

static void show_totals(const struct totals *t)
{
	uint64_t none = t->dropped + t->passed;
	printf("%" PRIu64 " pairs of a rule and an event; %" PRIu64 " programs of %" PRIu64 " sets, for %" PRIu64
	       " of which the kernel can decide nothing\n",
	       t->pairs, t->programs, t->sets, t->pass_all);
	printf("%" PRIu64 " events that a rule matches: none was dropped; of %" PRIu64 " others %.1f%% were\n",
	       t->matched, none, none ? 100.0 * (double)t->dropped / (double)none : 0.0);
	printf("%" PRIu64 " programs also in the kernel: %" PRIu64 " events, decided in the same way\n", t->in_kernel,
	       t->events_in_kernel);
	printf("no run takes more than %" PRIu64 " instructions\n", t->longest);
}

int main(int argc, char **argv)
{
	uint64_t count = 1000000, seed = 1, kernel = 20;
	unsigned rules = 6;
	struct sieve_machine *machine;
	struct totals totals = {0};
	for (int i = 1; i + 1 < argc; i += 2) {
		if (strcmp(argv[i], "--count") == 0)
			count = strtoull(argv[i + 1], NULL, 0);
		else if (strcmp(argv[i], "--seed") == 0)
			seed = strtoull(argv[i + 1], NULL, 0);
		else if (strcmp(argv[i], "--rules") == 0)
			rules = (unsigned)MIN(MAX(strtoull(argv[i + 1], NULL, 0), 1ull), (unsigned long long)RULES_MAX);
		else if (strcmp(argv[i], "--kernel") == 0)
			kernel = strtoull(argv[i + 1], NULL, 0);
	}
	int r = sieve_machine_new(kernel > 0, &machine);
	if (r == -EPERM && kernel > 0) {
		printf("the kernel loads no programs here: only in picket's sandbox\n");
		kernel = 0;
		r = sieve_machine_new(false, &machine);
	}
	if (r < 0) {
		printf("cannot begin: %s\n", strerror(-r));
		return 1;
	}
	for (; totals.pairs < count; seed++) {
		if (run_set(seed, rules, kernel && seed % kernel == 0, machine, &totals))
			continue;
		printf("to see it again: --seed %" PRIu64 " --rules %u --kernel %d --count 1\n", seed, rules,
		       kernel && seed % kernel == 0);
		return 1;
	}
	sieve_machine_free(machine);
	show_totals(&totals);
	if (totals.dropped > 0)
		return 0;
	printf("nothing was dropped: this shows nothing\n");
	return 1;
}
