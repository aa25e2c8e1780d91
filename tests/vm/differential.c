/* SPDX-License-Identifier: Apache-2.0
 *
 * Runs random programs in all engines and compares what they do.
 *
 *   vm_differential [--valid|--hostile|--kernel]… [--count N] [--seed N] [--print]
 *
 * --valid    plain interpreter, interpreter, checked and verified code, each fourth also blinded or plain; as text and back
 * --hostile  programs that fault, or never end, in those engines that check
 * --kernel   engines, and the kernel's own just-in-time compiler; needs root
 * --count    of programs of each kind (20,000); --seed: of the first; --print: shows that one, and no more
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

#define BATCH 50000 /* programs, in a process of their own */
#define PROGRESS_NS (20 * NS_PER_S)
#define COVERAGE_MIN 10000 /* programs that must have all opcodes */
#define REFUSED_MAX 20     /* of a hundred, by the kernel's verifier */

/* What the process at work tells the one that waits for it. */
struct report {
	uint64_t seed; /* at work on it */
	uint64_t refused, insns;
	bool failed;
	bool invalid; /* a program that should be valid is not: the generator's own mistake */
	bool no_jit;
	char text[COMPARE_TEXT_BYTES];
	bool seen[VM_OPCODES];
};

struct options {
	bool kinds[3];
	uint64_t count, seed;
	bool print;
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

/* ---- work ---- */
/* Programs seed to end - 1; ends at the first that fails. */
static void work(struct compare *c, struct report *report, uint64_t end)
{
	static struct random_program p;

	for (; report->seed < end; report->seed++) {
		random_program_make(&p, c->kind, report->seed);
		report->insns += p.count;
		if (report->seed % 64 == 0)
			count_opcodes(&p, report->seen);
		switch (compare_program(c, &p, report->text)) {
		case COMPARE_SAME:
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
	}
	report->no_jit = c->no_jit;
}

/* The same in a child, which may break. */
static void work_apart(struct compare *c, struct report *report, uint64_t end)
{
	size_t length;
	pid_t child;
	int status;

	fflush(stdout);
	child = fork();
	if (child == 0) {
		work(c, report, end);
		_exit(0);
	}
	while (child > 0 && waitpid(child, &status, 0) < 0)
		;
	if (child < 0 || WIFEXITED(status))
		return;
	report->failed = true;
	length = strnlen(report->text, sizeof(report->text) - 32);
	snprintf(report->text + length, 32, ": signal %d", WTERMSIG(status));
}

static void report_failure(struct compare *c, const struct report *report)
{
	static struct random_program p;

	random_program_make(&p, c->kind, report->seed);
	printf("not ok - %s program %" PRIu64 ": %s\n", kind_names[c->kind], report->seed, report->text);
	if (!report->invalid) {
		shrink_program(c, &p, report->text);
		printf("the smallest that fails:\n");
	}
	print_program(&p);
}

static void print_progress(uint64_t done, uint64_t all, uint64_t begin_ns)
{
	double seconds = (double)(clock_monotonic_ns() - begin_ns) / NS_PER_S;

	printf("# %" PRIu64 " of %" PRIu64 ", %.0f a second\n", done, all, (double)done / seconds);
}

static bool run_all(struct compare *c, const struct options *o, struct report *report)
{
	uint64_t begin = clock_monotonic_ns(), last = begin, end = o->seed + o->count;
	double seconds;

	report->seed = o->seed;
	while (report->seed < end && !report->failed) {
		work_apart(c, report, MIN(end, report->seed + BATCH));
		if (clock_monotonic_ns() - last < PROGRESS_NS)
			continue;
		last = clock_monotonic_ns();
		print_progress(report->seed - o->seed, o->count, begin);
	}
	if (report->failed) {
		report_failure(c, report);
		return false;
	}
	if (report->refused * 100 > o->count * REFUSED_MAX) {
		printf("not ok - the kernel refuses %" PRIu64 " programs of %" PRIu64 "\n", report->refused, o->count);
		return false;
	}
	if (o->count >= COVERAGE_MIN && c->kind != RANDOM_KERNEL && print_unseen(report)) {
		printf("not ok - %s programs lack opcodes\n", kind_names[c->kind]);
		return false;
	}
	seconds = (double)(clock_monotonic_ns() - begin) / NS_PER_S;
	printf("ok - %" PRIu64 " %s programs, %.0f instructions each, no difference; %.0f s, %.0f a second", o->count,
	       kind_names[c->kind], (double)report->insns / (double)o->count, seconds, (double)o->count / seconds);
	if (c->kind == RANDOM_KERNEL)
		printf("; %" PRIu64 " refused by the verifier", report->refused);
	printf("%s\n", report->no_jit ? "; there is no just-in-time compiler for this machine" : "");
	return true;
}

static bool run_kind(enum random_kind kind, const struct options *o)
{
	struct compare c;
	struct report *report = mmap(NULL, sizeof(*report), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	int r = report == MAP_FAILED ? -errno : compare_init(&c, kind);
	bool good;

	if (r == -EPERM && kind == RANDOM_KERNEL) {
		printf("ok - kernel programs # SKIP the kernel does not let us load programs\n");
		return true;
	}
	if (r) {
		printf("not ok - %s programs: %s\n", kind_names[kind], strerror(-r));
		return false;
	}
	good = run_all(&c, o, report);
	compare_done(&c);
	munmap(report, sizeof(*report));
	return good;
}

/* ---- command line ---- */
static int usage(void)
{
	fprintf(stderr, "usage: vm_differential [--valid|--hostile|--kernel]... [--count N] [--seed N] [--print]\n");
	return 2;
}

static bool parse(int argc, char **argv, struct options *o)
{
	for (int i = 1; i < argc; i++) {
		const char *arg = argv[i];
		uint64_t *number = !strcmp(arg, "--count") ? &o->count : !strcmp(arg, "--seed") ? &o->seed : NULL;
		if (!strcmp(arg, "--print"))
			o->print = true;
		else if (number && i + 1 < argc && str_to_u64(str_from(argv[i + 1]), number) == 0)
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
	return o->count > 0;
}

int main(int argc, char **argv)
{
	static struct random_program p;
	struct options o = {.count = 20000};
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
