/* SPDX-License-Identifier: Apache-2.0
 *
 * usage: verify_soundness [--runs N] [--seconds N] [--seed N] [--kind NAME] [--print] [--kernel [--examples]] [--judge]
 *        [OBJECT…]
 *
 * Programs at random, and those of objects, with small changes: what the verifier accepts is run, until N runs are done or
 * the time is over. A run that does what it may not ends the campaign: the program is made smaller and printed. --print:
 * the random program of the seed. --kernel: see soundness_kernel.c. --judge: only the verdicts on the objects' programs, as
 * they are.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include "tests/verify/soundness.h"

#define RUNS_OF_NEW 16     /* inputs for a program, */
#define RUNS_OF_CHANGED 12 /* and for each of its changed ones */
#define CHANGES 8          /* of an accepted program */
#define EDGES 3
#define SHRINK_TRIES 2000
#define SHRINK_EACH 200

struct options {
	uint64_t runs, seconds, seed;
	enum picket_kind kind;
	bool print, kernel, examples, judge;
};

struct campaign {
	const struct options *options;
	struct soundness_world world;
	struct object_program *objects;
	size_t object_count;
	uint64_t runs, unfinished, insns, programs, accepted, changed, changed_accepted, sharpened;
	uint64_t rejections[PICKET_CATEGORIES];
	uint64_t used[FEATURES], taken; /* accepted programs that were run, by what they use */
	uint64_t started_ns;
	bool found;
};

uint64_t judgements, happenings[HAPPENINGS];

/* ---- verification ---- */
#define JUDGE_MEMORY (16ull << 20)

static struct verify_program program_of(const struct test_case *c)
{
	struct verify_program program = {
	        .insns = c->insns, .count = c->count, .maps = c->maps, .map_count = c->map_count, .hook = ""};

	if (c->origin) {
		program.image = c->origin->image;
		program.index = c->origin->index;
		program.hook = c->origin->hook;
		program.sleeps = c->origin->sleeps;
	}
	return program;
}

void case_judge(const struct test_case *c, struct judgement *ret_judgement)
{
	const struct picket_verify_options options = {.kind = c->kind,
	                                              .types = case_types(c),
	                                              .insns_max = 1200,
	                                              .states_max = 512,
	                                              .memory_max = JUDGE_MEMORY,
	                                              .time_max_ns = 2000000000};
	struct picket_verdict *verdict = NULL;
	const struct verify_program program = program_of(c);
	int r = verify_run(&program, &options, &verdict);

	judgements++;
	if (r || verdict->memory_peak > JUDGE_MEMORY) {
		fprintf(stderr, "the verifier breaks its word: %s\n", r ? strerror(-r) : "memory");
		abort();
	}
	*ret_judgement = (struct judgement){.accepted = verdict->accepted,
	                                    .category = verdict->category,
	                                    .insn = verdict->insn,
	                                    .insn_bound = verdict->insn_bound,
	                                    .stack_bytes = verdict->stack_bytes};
	memcpy(ret_judgement->reason, verdict->reason, sizeof(verdict->reason));
	picket_verdict_free(verdict);
}

static uint64_t now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000000000ull + (uint64_t)t.tv_nsec;
}

static bool is_over(const struct campaign *s)
{
	const struct options *o = s->options;

	return s->found || s->runs >= o->runs || (o->seconds && now_ns() - s->started_ns > o->seconds * 1000000000ull);
}

/* ---- a finding ---- */
static void report(const struct test_case *c, struct soundness_world *w, const struct finding *finding,
                   const char *name)
{
	static struct test_case small;
	struct finding last = *finding;
	struct judgement judgement;
	struct runnable r;

	printf("not ok - %s: an accepted program goes wrong at instruction %u: %s\n", name, finding->insn,
	       finding->text);
	small = *c;
	case_shrink(&small, w, finding, SHRINK_EACH);
	case_judge(&small, &judgement);
	if (!runnable_make(&r, &small, &judgement, w)) {
		last.found = false;
		for (unsigned i = 0; i < SHRINK_TRIES && !last.found; i++)
			runnable_run(&r, w, finding->seed + i, &last);
		runnable_done(&r);
	}
	printf("  made smaller: at instruction %u: %s (input %llu)\n", last.insn, last.text,
	       (unsigned long long)last.seed);
	case_print(&small);
	printf("  the whole:\n");
	case_print(c);
}

/* ---- one program ---- */
static void run_case(struct campaign *s, const struct test_case *c, const struct judgement *judgement,
                     struct soundness_world *w, const char *name, unsigned runs, uint64_t seed)
{
	struct finding finding = {.found = false};
	struct runnable r;

	if (runnable_make(&r, c, judgement, w))
		return;
	s->taken++;
	for (unsigned i = 0; i < FEATURES; i++)
		s->used[i] += runnable_has(&r, i);
	for (unsigned i = 0; i < runs && !finding.found; i++) {
		runnable_run(&r, w, seed + i, &finding);
		s->runs++;
		s->unfinished += finding.unfinished;
		s->insns += finding.executed;
	}
	runnable_done(&r);
	if (finding.found) {
		s->found = true;
		report(c, w, &finding, name);
	}
}

static void try_changes(struct campaign *s, const struct test_case *c, struct soundness_world *w, const char *name,
                        struct chance *chance)
{
	static struct test_case changed;
	struct judgement judgement;

	for (unsigned i = 0; i < CHANGES + EDGES && !is_over(s); i++) {
		changed = *c;
		if (i < CHANGES) {
			s->changed++;
			for (unsigned n = 1 + (i % 3 == 0); n > 0; n--)
				case_mutate(&changed, chance);
		} else {
			s->sharpened++;
			case_sharpen(&changed, chance);
		}
		case_judge(&changed, &judgement);
		if (!judgement.accepted)
			continue;
		s->changed_accepted += i < CHANGES;
		run_case(s, &changed, &judgement, w, name, RUNS_OF_CHANGED, chance_next(chance));
	}
}

static void try_random(struct campaign *s, uint64_t seed)
{
	static struct test_case c;
	struct chance chance = chance_from(~seed);
	enum picket_kind kind = s->options->kind ? s->options->kind : soundness_kinds[seed % soundness_kind_count];
	struct judgement judgement;
	char name[64];

	case_make(&c, kind, seed, false);
	case_judge(&c, &judgement);
	s->programs++;
	s->accepted += judgement.accepted;
	s->rejections[judgement.category]++;
	snprintf(name, sizeof(name), "%s program %llu", picket_kind_name(kind), (unsigned long long)seed);
	/* Rejected as it is, it may be accepted with a change. */
	if (judgement.accepted)
		run_case(s, &c, &judgement, &s->world, name, RUNS_OF_NEW, seed);
	if (!s->found)
		try_changes(s, &c, &s->world, name, &chance);
}

static void try_object(struct campaign *s, uint64_t seed)
{
	struct chance chance = chance_from(~seed);
	const struct object_program *p = &s->objects[seed % s->object_count];
	struct judgement judgement;

	case_judge(p->program, &judgement);
	run_case(s, p->program, &judgement, p->world, p->name, 2, seed);
	if (!s->found)
		try_changes(s, p->program, p->world, p->name, &chance);
}

/* ---- the campaign ---- */
static double part(uint64_t a, uint64_t b)
{
	return b ? 100.0 * (double)a / (double)b : 0;
}

static void summarise_use(const struct campaign *s)
{
	static const char *const features[] = {
#define FEATURE(id, text) text,
#include "tests/verify/soundness_feature.h"
	};
	static const char *const happened[] = {
#define HAPPENING(id, text) text,
#include "tests/verify/soundness_feature.h"
	};

	printf("# %llu accepted programs were run; of them had\n", (unsigned long long)s->taken);
	for (unsigned i = 0; i < FEATURES; i++)
		printf("#   %8llu  %s\n", (unsigned long long)s->used[i], features[i]);
	printf("# in their runs there were\n");
	for (unsigned i = 0; i < HAPPENINGS; i++)
		printf("#   %8llu  %s\n", (unsigned long long)happenings[i], happened[i]);
}

static void summarise(const struct campaign *s)
{
	double seconds = (double)(now_ns() - s->started_ns) / 1e9;

	printf("# %llu random programs, %.0f %% accepted; %llu changed, %.0f %% accepted; %llu moved to an edge; %zu "
	       "programs of objects\n",
	       (unsigned long long)s->programs, part(s->accepted, s->programs), (unsigned long long)s->changed,
	       part(s->changed_accepted, s->changed), (unsigned long long)s->sharpened, s->object_count);
	printf("# %llu verifications, %llu runs of %llu instructions on average (%.1f %% not to their end), %.0f s: "
	       "%.0f runs/s\n",
	       (unsigned long long)judgements, (unsigned long long)s->runs,
	       (unsigned long long)(s->insns / MAX(s->runs, 1)), part(s->unfinished, s->runs), seconds,
	       (double)s->runs / seconds);
	summarise_use(s);
	for (unsigned i = 1; i < PICKET_CATEGORIES; i++)
		if (s->rejections[i])
			printf("# rejected as %s: %llu\n", picket_category_name((enum picket_category)i),
			       (unsigned long long)s->rejections[i]);
	if (!s->found)
		printf("ok - %llu accepted runs without a fault\n", (unsigned long long)s->runs);
}

static int run_campaign(struct campaign *s)
{
	int r = soundness_world_init(&s->world, soundness_maps, SOUNDNESS_MAPS);

	if (r) {
		fprintf(stderr, "verify_soundness: %s\n", strerror(-r));
		return 1;
	}
	s->started_ns = now_ns();
	for (uint64_t seed = s->options->seed; !is_over(s); seed++) {
		if (s->object_count && seed % 3 == 0)
			try_object(s, seed / 3);
		else
			try_random(s, seed);
	}
	summarise(s);
	soundness_world_done(&s->world);
	object_programs_free(s->objects, s->object_count);
	soundness_types_done();
	return s->found;
}

/* ---- command line ---- */
static int usage(void)
{
	fprintf(stderr,
	        "usage: verify_soundness [--runs N] [--seconds N] [--seed N] [--kind NAME] [--print] [--kernel [--examples]] "
	        "[--judge] [OBJECT…]\n");
	return 2;
}

static bool read_object(struct campaign *s, const char *path)
{
	int r = s->options->judge ? object_judge(path) : object_programs_read(path, &s->objects, &s->object_count);

	/* Some are there to be refused. */
	if (r == -ENOMEM || r == -ENOENT)
		fprintf(stderr, "verify_soundness: %s: %s\n", path, strerror(-r));
	return r != -ENOMEM && r != -ENOENT;
}

static bool parse(struct campaign *s, struct options *o, int argc, char **argv)
{
	for (int i = 1; i < argc; i++) {
		const char *arg = argv[i];
		uint64_t *number = !strcmp(arg, "--runs")      ? &o->runs
		                   : !strcmp(arg, "--seconds") ? &o->seconds
		                   : !strcmp(arg, "--seed")    ? &o->seed
		                                               : NULL;
		if (!strcmp(arg, "--print"))
			o->print = true;
		else if (!strcmp(arg, "--kernel"))
			o->kernel = true;
		else if (!strcmp(arg, "--examples"))
			o->examples = true;
		else if (!strcmp(arg, "--judge"))
			o->judge = true;
		else if (!strcmp(arg, "--kind") && i + 1 < argc && picket_kind_by_name(argv[i + 1]))
			o->kind = picket_kind_by_name(argv[++i]);
		else if (number && i + 1 < argc && str_to_u64(str_from(argv[i + 1]), number) == 0)
			i++;
		else if (arg[0] == '-' || !read_object(s, arg))
			return false;
	}
	return o->runs > 0;
}

int main(int argc, char **argv)
{
	static struct options options = {.runs = 100000, .seed = 1};
	static struct campaign campaign = {.options = &options};
	static struct test_case c;

	setvbuf(stdout, NULL, _IOLBF, 0);
	if (!parse(&campaign, &options, argc, argv))
		return usage();
	if (options.print) {
		case_make(&c, options.kind ? options.kind : soundness_kinds[options.seed % soundness_kind_count],
		          options.seed, options.kernel);
		case_print(&c);
		return 0;
	}
	if (options.judge)
		return 0;
	if (options.kernel)
		return soundness_kernel(options.seed, options.runs, options.examples);
	return run_campaign(&campaign);
}
