/* SPDX-License-Identifier: Apache-2.0
 *
 * Runs random programs in all engines and compares what they do.
 *
 *   vm_differential [--valid|--hostile|--kernel]… [--count N] [--seconds N] [--seed N] [--jobs N] [--print]
 *
 * --valid    plain interpreter, interpreter, checked and verified code, each fourth also blinded or plain; as text and back
 * --hostile  programs that fault, or never end, in those engines that check
 * --kernel   engines, and the kernel's own just-in-time compiler; needs root
 * --count    of programs of each kind (20,000); --seconds: no more of each kind after so long (without --count: as many as
 *            can be); --seed: of the first; --jobs: processes at once (1); --print: shows the first, and no more
 *
 * Without a kind: valid and hostile. Prints a line a kind: "ok …" or "not ok …", the latter with the smallest program that
 * still fails. Exit code 1 if any failed.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>
#include "base/clock.h"
#include "tests/vm/shrink.h"
#include "vm/vm_int.h"

#define BATCH 20000 /* programs, in a process of their own */
#define COUNT_DEFAULT 20000
#define JOBS_MAX 64
#define PROGRESS_NS (20 * NS_PER_S)
#define COVERAGE_MIN 10000 /* programs that must have all opcodes */
#define REFUSED_MAX 20     /* of a hundred, by the kernel's verifier */

/* What a process at work tells the one that waits for it. */
struct report {
	uint64_t seed; /* at work on it */
	uint64_t done, refused, chance, insns;
	bool failed;
	bool invalid; /* a program that should be valid is not: the generator's own mistake */
	bool no_jit;
	char text[COMPARE_TEXT_BYTES];
	bool seen[VM_OPCODES];
};

struct options {
	bool kinds[3];
	uint64_t count, seconds, seed, jobs; /* count, seconds: 0 if not given */
	bool print;
};

struct job {
	pid_t pid; /* 0: none */
	struct report *report;
};

/* All programs of a kind. */
struct campaign {
	struct compare compare;
	const struct options *options;
	struct job jobs[JOBS_MAX];
	struct report *reports; /* shared with the jobs */
	uint64_t begin_ns, told_ns;
	uint64_t next, end; /* seeds */
	bool failed;
};

static const char *const kind_names[] = {"valid", "hostile", "kernel"};

/* ---- output ---- */
static void print_program(const struct random_program *p)
{
	char line[256];

	for (size_t at = 0, slots; at < p->count; at += slots) {
		slots = picket_disassemble(&p->insns[at], p->count - at, line, sizeof(line));
		printf("    %4zu: %s\n", at, line);
		slots += !slots;
	}
}

static void count_opcodes(const struct random_program *p, bool seen[VM_OPCODES])
{
	for (size_t at = 0; at < p->count; at++) {
		const struct picket_insn *insn = &p->insns[at];
		for (unsigned op = 0; op < VM_OPCODES; op++) {
			const struct vm_insn_info *info = &vm_insns[op];
			int value = info->select == VM_SELECT_OFFSET ? insn->offset
			            : info->select == VM_SELECT_IMM  ? insn->imm
			            : info->select == VM_SELECT_SRC  ? insn->src
			                                             : info->value;
			if (info->mnemonic && info->code == insn->code && info->value == value)
				seen[op] = true;
		}
		at += insn->code == vm_insns[VM_LDDW].code;
	}
}

static bool print_unseen(const struct report *r)
{
	bool any = false;

	for (unsigned op = 0; op < VM_OPCODES; op++) {
		if (r->seen[op] || !vm_insns[op].mnemonic)
			continue;
		printf("%s%s", any ? " " : "no program had: ", vm_insns[op].id);
		any = true;
	}
	if (any)
		printf("\n");
	return any;
}

/* ---- work, in a process of its own ---- */
static bool is_late(const struct campaign *a)
{
	uint64_t seconds = a->options->seconds;

	return seconds && clock_monotonic_ns() - a->begin_ns >= seconds * NS_PER_S;
}

/* Programs report->seed to end - 1; ends at the first that fails. */
static void work(struct campaign *a, struct report *report, uint64_t end)
{
	static struct random_program p;
	struct compare *c = &a->compare;

	for (; report->seed < end && !is_late(a); report->seed++) {
		random_program_make(&p, c->kind, report->seed);
		if (report->seed % 64 == 0)
			count_opcodes(&p, report->seen);
		switch (compare_program(c, &p, report->text)) {
		case COMPARE_SAME:
			break;
		case COMPARE_CHANCE:
			report->chance++;
			break;
		case COMPARE_REFUSED:
			report->refused++;
			break;
		case COMPARE_INVALID:
			report->invalid = true;
			report->failed = true;
			return;
		case COMPARE_DIFFERENT:
			report->failed = true;
			return;
		}
		report->insns += p.count;
		report->done++;
	}
	report->no_jit = c->no_jit;
}

static void work_in_child(struct campaign *a, struct report *report, uint64_t end)
{
	int r = compare_own_kernel(&a->compare);

	if (r) {
		snprintf(report->text, sizeof(report->text), "maps in the kernel: %s", strerror(-r));
		report->invalid = report->failed = true;
		_exit(0);
	}
	work(a, report, end);
	_exit(0);
}

/* ---- jobs ---- */
static int start_job(struct campaign *a, struct job *job)
{
	uint64_t end = a->next + MIN((uint64_t)BATCH, a->end - a->next);

	job->report->seed = a->next;
	fflush(stdout);
	job->pid = fork();
	if (job->pid == 0)
		work_in_child(a, job->report, end);
	if (job->pid < 0) {
		job->pid = 0;
		return -errno;
	}
	a->next = end;
	return 0;
}

static void end_job(struct campaign *a, struct job *job, int status)
{
	struct report *report = job->report;
	size_t length = strnlen(report->text, sizeof(report->text) - 32);

	job->pid = 0;
	if (WIFSIGNALED(status))
		snprintf(report->text + length, 32, ": signal %d", WTERMSIG(status));
	else if (WEXITSTATUS(status))
		snprintf(report->text + length, 32, ": exit code %d", WEXITSTATUS(status));
	report->failed |= status != 0;
	a->failed |= report->failed;
}

static void print_progress(struct campaign *a)
{
	uint64_t now = clock_monotonic_ns(), done = 0;

	if (now - a->told_ns < PROGRESS_NS)
		return;
	a->told_ns = now;
	for (size_t i = 0; i < a->options->jobs; i++)
		done += a->reports[i].done;
	printf("# %" PRIu64 " %s programs, %.0f a second\n", done, kind_names[a->compare.kind],
	       (double)done * NS_PER_S / (double)(now - a->begin_ns));
}

/* Until a job has ended. */
static void wait_for_job(struct campaign *a)
{
	int status;
	pid_t pid = waitpid(-1, &status, 0);

	for (size_t i = 0; i < a->options->jobs; i++)
		if (pid > 0 && a->jobs[i].pid == pid)
			end_job(a, &a->jobs[i], status);
	print_progress(a);
}

static size_t jobs_at_work(const struct campaign *a)
{
	size_t count = 0;

	for (size_t i = 0; i < a->options->jobs; i++)
		count += a->jobs[i].pid != 0;
	return count;
}

/* Batch after batch, until all are done, time is up, or one has failed; then those at work may finish theirs. */
static int run_jobs(struct campaign *a)
{
	int r = 0;

	do {
		for (size_t i = 0; i < a->options->jobs && !r && !a->failed; i++)
			if (!a->jobs[i].pid && a->next < a->end && !is_late(a))
				r = start_job(a, &a->jobs[i]);
		if (jobs_at_work(a))
			wait_for_job(a);
	} while (jobs_at_work(a) || (!r && !a->failed && a->next < a->end && !is_late(a)));
	return r;
}

/* ---- what came out ---- */
static void report_failure(struct campaign *a, const struct report *report)
{
	static struct random_program p;

	random_program_make(&p, a->compare.kind, report->seed);
	printf("not ok - %s program %" PRIu64 ": %s\n", kind_names[a->compare.kind], report->seed, report->text);
	if (!report->invalid) {
		shrink_program(&a->compare, &p, report->text);
		printf("the smallest that fails:\n");
	}
	print_program(&p);
}

static void add_report(struct report *all, const struct report *r)
{
	all->done += r->done;
	all->refused += r->refused;
	all->chance += r->chance;
	all->insns += r->insns;
	all->no_jit |= r->no_jit;
	for (unsigned op = 0; op < VM_OPCODES; op++)
		all->seen[op] |= r->seen[op];
}

static void print_success(const struct campaign *a, const struct report *all)
{
	double seconds = (double)(clock_monotonic_ns() - a->begin_ns) / NS_PER_S;

	printf("ok - %" PRIu64 " %s programs from %" PRIu64
	       " on, %.0f instructions each, no difference; %.0f s, %.0f a "
	       "second",
	       all->done, kind_names[a->compare.kind], a->options->seed, (double)all->insns / (double)all->done,
	       seconds, (double)all->done / seconds);
	if (a->compare.kind == RANDOM_KERNEL)
		printf("; %" PRIu64 " refused by the verifier", all->refused);
	if (all->chance)
		printf("; %" PRIu64 " differ by time or chance", all->chance);
	printf("%s\n", all->no_jit ? "; there is no just-in-time compiler for this machine" : "");
}

static bool judge(struct campaign *a)
{
	struct report all = {0};
	const char *kind = kind_names[a->compare.kind];

	for (size_t i = 0; i < a->options->jobs; i++) {
		if (a->reports[i].failed)
			report_failure(a, &a->reports[i]);
		add_report(&all, &a->reports[i]);
	}
	if (a->failed)
		return false;
	if (!all.done) {
		printf("not ok - no %s program was run\n", kind);
		return false;
	}
	if (all.refused * 100 > all.done * REFUSED_MAX) {
		printf("not ok - the kernel refuses %" PRIu64 " programs of %" PRIu64 "\n", all.refused, all.done);
		return false;
	}
	if (all.done >= COVERAGE_MIN && a->compare.kind != RANDOM_KERNEL && print_unseen(&all)) {
		printf("not ok - %s programs lack opcodes\n", kind);
		return false;
	}
	print_success(a, &all);
	return true;
}

static bool run_campaign(struct campaign *a)
{
	int r;

	a->begin_ns = a->told_ns = clock_monotonic_ns();
	a->next = a->options->seed;
	a->end = a->options->count > UINT64_MAX - a->next ? UINT64_MAX : a->next + a->options->count;
	for (size_t i = 0; i < a->options->jobs; i++)
		a->jobs[i].report = &a->reports[i];
	r = run_jobs(a);
	if (r)
		printf("not ok - %s programs: a process: %s\n", kind_names[a->compare.kind], strerror(-r));
	return judge(a) && !r;
}

static bool run_kind(enum random_kind kind, const struct options *o)
{
	static struct campaign a;
	size_t bytes = o->jobs * sizeof(*a.reports);
	bool good;
	int r;

	a = (struct campaign){.options = o};
	a.reports = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	r = a.reports == MAP_FAILED ? -errno : compare_init(&a.compare, kind);
	if (r == -EPERM && kind == RANDOM_KERNEL) {
		printf("ok - kernel programs # SKIP the kernel does not let us load programs\n");
		return true;
	}
	if (r) {
		printf("not ok - %s programs: %s\n", kind_names[kind], strerror(-r));
		return false;
	}
	good = run_campaign(&a);
	compare_done(&a.compare);
	munmap(a.reports, bytes);
	return good;
}

/* ---- command line ---- */
static int usage(void)
{
	fprintf(stderr, "usage: vm_differential [--valid|--hostile|--kernel]... [--count N] [--seconds N] [--seed N] "
	                "[--jobs N] [--print]\n");
	return 2;
}

static uint64_t *number_option(struct options *o, const char *arg)
{
	const struct {
		const char *name;
		uint64_t *number;
	} options[] = {{"--count", &o->count}, {"--seconds", &o->seconds}, {"--seed", &o->seed}, {"--jobs", &o->jobs}};

	for (size_t i = 0; i < ARRAY_SIZE(options); i++)
		if (strcmp(arg, options[i].name) == 0)
			return options[i].number;
	return NULL;
}

static bool parse(int argc, char **argv, struct options *o)
{
	for (int i = 1; i < argc; i++) {
		const char *arg = argv[i];
		uint64_t *number = number_option(o, arg);
		if (!strcmp(arg, "--print"))
			o->print = true;
		else if (number && i + 1 < argc && str_to_u64(str_from(argv[i + 1]), number) == 0 &&
		         (*number || number == &o->seed))
			i++;
		else if (!strcmp(arg, "--valid"))
			o->kinds[RANDOM_VALID] = true;
		else if (!strcmp(arg, "--hostile"))
			o->kinds[RANDOM_HOSTILE] = true;
		else if (!strcmp(arg, "--kernel"))
			o->kinds[RANDOM_KERNEL] = true;
		else
			return false;
	}
	if (!o->kinds[RANDOM_VALID] && !o->kinds[RANDOM_HOSTILE] && !o->kinds[RANDOM_KERNEL])
		o->kinds[RANDOM_VALID] = o->kinds[RANDOM_HOSTILE] = true;
	if (!o->count)
		o->count = o->seconds ? UINT64_MAX : COUNT_DEFAULT;
	return o->jobs <= JOBS_MAX;
}

int main(int argc, char **argv)
{
	static struct random_program p;
	struct options o = {.jobs = 1};
	bool good = true;

	if (!parse(argc, argv, &o))
		return usage();
	for (enum random_kind kind = RANDOM_VALID; kind <= RANDOM_KERNEL; kind++) {
		if (!o.kinds[kind])
			continue;
		if (o.print) {
			random_program_make(&p, kind, o.seed);
			print_program(&p);
		} else {
			good &= run_kind(kind, &o);
		}
	}
	return good ? 0 : 1;
}
