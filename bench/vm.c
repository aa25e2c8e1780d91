/* SPDX-License-Identifier: Apache-2.0
 *
 * How fast the sandbox is, against the machine's own code and the kernel's just-in-time compiler in the same run.
 *
 *   vm OBJECT [ROUNDS]     OBJECT: bench/vm.bpf.c, compiled
 *
 * Each figure is the least of ROUNDS (400) windows of about 100 microseconds (the kernel's: of an eighth of them), engines
 * in turns, less the same of an empty program. Without the right to load programs into the kernel, its column stays empty.
 */
#include <errno.h>
#include <limits.h>
#include <linux/bpf.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>
#include "bench/kernels.h"
#include "bench/vm_native.h"
#include "vm/vm_int.h"

#define WINDOW_NS 100000
#define COUNT_MAX 100000
#define LINUX_EACH 8 /* rounds: has one window */

static uint8_t input[KERNEL_INPUT_BYTES] __attribute__((aligned(64)));

static double now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC_RAW, &t);
	return (double)t.tv_sec * 1e9 + (double)t.tv_nsec;
}

static void die(const char *what, const char *why)
{
	fprintf(stderr, "bench/vm: %s: %s\n", what, why);
	exit(1);
}

/* ---- what is measured ---- */
struct subject {
	uint64_t (*run)(const struct subject *s, uint32_t count);  /* so often; returns the last result */
	double (*window)(const struct subject *s, uint32_t count); /* nanoseconds of one; NULL: by our clock */
	uint64_t (*function)(void *in, size_t length);
	struct picket_program *program;
	struct picket_slot *slot;
	int fd;
};

static uint64_t run_native(const struct subject *s, uint32_t count)
{
	uint64_t result = 0;

	while (count-- > 0)
		result = s->function(input, sizeof(input));
	return result;
}

static uint64_t run_call(const struct subject *s, uint32_t count)
{
	uint64_t result = 0;

	while (count-- > 0)
		result = picket_program_call(s->program, input, sizeof(input));
	return result;
}

static uint64_t run_run(const struct subject *s, uint32_t count)
{
	struct picket_call call = {.data = input, .length = sizeof(input)};

	while (count-- > 0)
		if (picket_program_run(s->program, &call))
			die("a program", picket_fault_name(call.fault.kind));
	return call.result;
}

static uint64_t run_slot(const struct subject *s, uint32_t count)
{
	struct picket_call call = {.data = input, .length = sizeof(input)};

	while (count-- > 0)
		if (picket_slot_run(s->slot, &call))
			die("a program in a slot", picket_fault_name(call.fault.kind));
	return call.result;
}

static union bpf_attr test_run(const struct subject *s, uint32_t count)
{
	union bpf_attr attr = {0};

	attr.test.prog_fd = (uint32_t)s->fd;
	attr.test.data_in = (uintptr_t)input;
	attr.test.data_size_in = sizeof(input);
	attr.test.repeat = count;
	if (syscall(SYS_bpf, BPF_PROG_TEST_RUN, &attr, sizeof(attr)) < 0)
		die("BPF_PROG_TEST_RUN", strerror(errno));
	return attr;
}

static uint64_t run_linux(const struct subject *s, uint32_t count)
{
	return test_run(s, count).test.retval;
}

/* The kernel's own clock, in whole nanoseconds: its call takes milliseconds before it runs anything. */
static double window_linux(const struct subject *s, uint32_t count)
{
	return test_run(s, count).test.duration;
}

static double window_ns(const struct subject *s, uint32_t count)
{
	double begin;

	if (s->window)
		return s->window(s, count);
	begin = now_ns();
	s->run(s, count);
	return (now_ns() - begin) / count;
}

/* ---- the five kernels in all engines ---- */
enum { NATIVE, LINUX, VERIFIED, CHECKED, INTERPRETER, ENGINES };
static const char *const engine_names[ENGINES] = {"gcc -O2", "Linux JIT", "verified", "checked", "interpreter"};
static const enum picket_engine picket_engines[ENGINES] = {
        [VERIFIED] = PICKET_VERIFIED, [CHECKED] = PICKET_CHECKED, [INTERPRETER] = PICKET_INTERPRETER};

struct bench {
	struct picket_object *objects[ENGINES];
	struct subject subjects[NATIVES][ENGINES];
	bool linux_works;
};

static struct picket_program *program_named(struct picket_object *o, const char *prefix, const char *name)
{
	char full[64];
	struct picket_program *p;

	snprintf(full, sizeof(full), "%s%s", prefix, name);
	p = picket_object_program(o, full);
	if (!p)
		die(full, "not in the object");
	return p;
}

static int load_linux(const struct picket_program *p)
{
	union bpf_attr attr = {0};
	size_t count;

	attr.prog_type = BPF_PROG_TYPE_XDP;
	attr.insns = (uintptr_t)picket_program_insns(p, &count);
	attr.insn_cnt = (uint32_t)count;
	attr.license = (uintptr_t) "GPL";
	return (int)syscall(SYS_bpf, BPF_PROG_LOAD, &attr, sizeof(attr));
}

static void open_objects(struct bench *b, const char *path)
{
	for (int e = VERIFIED; e < ENGINES; e++) {
		struct picket_options options = {.engine = picket_engines[e]};
		struct picket_error error = {0};
		if (picket_object_open_file(path, &options, &b->objects[e], &error))
			die(path, error.text);
	}
}

static void fill_subjects(struct bench *b)
{
	b->linux_works = true;
	for (int i = 0; i < NATIVES; i++) {
		struct subject *row = b->subjects[i];
		const char *name = natives[i].name;
		row[NATIVE] = (struct subject){.run = run_native, .function = natives[i].function};
		for (int e = VERIFIED; e < ENGINES; e++)
			row[e] = (struct subject){.run = e == VERIFIED ? run_call : run_run,
			                          .program = program_named(b->objects[e], "", name)};
		row[LINUX] = (struct subject){.run = run_linux,
		                              .window = window_linux,
		                              .fd = load_linux(program_named(b->objects[INTERPRETER], "xdp_", name))};
		if (row[LINUX].fd >= 0)
			continue;
		if (errno != EPERM)
			die("the kernel's verifier", strerror(errno));
		b->linux_works = false;
	}
}

static bool is_there(const struct bench *b, int engine)
{
	return engine != LINUX || b->linux_works;
}

static void check_results(const struct bench *b)
{
	for (int i = 0; i < NATIVES - 1; i++) {
		uint64_t expected = b->subjects[i][NATIVE].run(&b->subjects[i][NATIVE], 1);
		for (int e = LINUX; e < ENGINES; e++) {
			const struct subject *s = &b->subjects[i][e];
			uint64_t mask = e == LINUX ? UINT32_MAX : UINT64_MAX; /* it gives the lower half */
			if (is_there(b, e) && (s->run(s, 1) & mask) != (expected & mask))
				die(natives[i].name, "wrong result");
		}
	}
}

static uint32_t count_for(const struct subject *s)
{
	double ns = window_ns(s, 16), count = WINDOW_NS / (ns > 1 ? ns : 1);

	return count < 16 ? 16 : count > COUNT_MAX ? COUNT_MAX : (uint32_t)count;
}

/* Nanoseconds of one kernel in each engine. */
static void measure_kernel(const struct bench *b, int kernel, int rounds, double ret_ns[ENGINES])
{
	double best[ENGINES], empty[ENGINES];
	uint32_t counts[ENGINES];

	for (int e = 0; e < ENGINES; e++) {
		best[e] = empty[e] = 1e9;
		counts[e] = is_there(b, e) ? count_for(&b->subjects[kernel][e]) : 0;
	}
	for (int round = 0; round < rounds; round++) {
		for (int e = 0; e < ENGINES; e++) {
			double ns;
			if (!is_there(b, e) || (e == LINUX && round % LINUX_EACH))
				continue;
			ns = window_ns(&b->subjects[kernel][e], counts[e]);
			best[e] = ns < best[e] ? ns : best[e];
			ns = window_ns(&b->subjects[NATIVES - 1][e], counts[e]);
			empty[e] = ns < empty[e] ? ns : empty[e];
		}
	}
	for (int e = 0; e < ENGINES; e++)
		ret_ns[e] = best[e] - empty[e];
}

static void bench_kernels(const struct bench *b, int rounds)
{
	printf("\nNanoseconds a call: the least of %d windows, less an empty program's.\n\n| kernel  |", rounds);
	for (int e = 0; e < ENGINES; e++)
		printf(" %11s |", engine_names[e]);
	printf(" verified : Linux | checked : verified | interpreter : verified |\n|---------|");
	for (int e = 0; e < ENGINES; e++)
		printf("------------:|");
	printf("-----------------:|-------------------:|-----------------------:|\n");
	for (int i = 0; i < NATIVES - 1; i++) {
		double ns[ENGINES];
		measure_kernel(b, i, rounds, ns);
		printf("| %-7s |", natives[i].name);
		for (int e = 0; e < ENGINES; e++)
			is_there(b, e) ? printf(" %11.1f |", ns[e]) : printf(" %11s |", "-");
		is_there(b, LINUX) ? printf(" %16.2f |", ns[VERIFIED] / ns[LINUX]) : printf(" %16s |", "-");
		printf(" %18.2f | %22.1f |\n", ns[CHECKED] / ns[VERIFIED], ns[INTERPRETER] / ns[VERIFIED]);
	}
}

/* ---- calls ---- */
static void print_calls(const char *name, const struct subject *s, int rounds)
{
	double best = 1e9;

	for (int i = 0; i < rounds; i++) {
		double ns = window_ns(s, 10000);
		best = ns < best ? ns : best;
	}
	printf("| %-44s | %5.1f |\n", name, best);
}

static void bench_calls(struct bench *b, int rounds)
{
	const struct subject *row = b->subjects[NATIVES - 1];
	struct subject run = {.run = run_run, .program = row[VERIFIED].program};
	struct subject slot = {.run = run_slot};
	struct picket_insn insns[] = {{.code = 0xb7}, {.code = 0x95}}; /* r0 = 0; exit */
	struct picket_options options = {.engine = PICKET_VERIFIED};
	struct picket_program *p;

	if (picket_program_load(insns, 2, &options, &p, NULL) || picket_slot_new(&slot.slot))
		die("a program that returns 0", "does not load");
	picket_slot_replace(slot.slot, p);
	printf("\nNanoseconds from C into an empty program and back.\n\n| call%*s |  ns   |\n|%.46s|------:|\n", 40, "",
	       "--------------------------------------------------");
	print_calls("a function of C, not inlined", &row[NATIVE], rounds);
	print_calls("picket_program_call, verified", &row[VERIFIED], rounds);
	print_calls("picket_program_run, verified", &run, rounds);
	print_calls("picket_slot_run, verified", &slot, rounds);
	print_calls("picket_program_run, checked", &row[CHECKED], rounds);
	print_calls("picket_program_run, interpreter", &row[INTERPRETER], rounds);
	picket_slot_free(slot.slot);
}

/* ---- compiling ---- */
/* Straight code with a branch now and then, over all registers. */
static void make_program(struct picket_insn *insns, size_t count)
{
	for (size_t i = 0; i + 1 < count; i++) {
		uint8_t dst = i % 10, src = (uint8_t)(i / 3 % 10);
		int16_t place = (int16_t)(-8 - (int)(i % 50) * 8);
		const struct picket_insn choices[] = {
		        {.code = 0x0f, .dst = dst, .src = src},                                 /* add */
		        {.code = 0x7b, .dst = 10, .src = dst, .offset = place},                 /* store to the stack */
		        {.code = 0xb7, .dst = dst, .imm = (int32_t)i},                          /* mov */
		        {.code = 0x79, .dst = dst, .src = 10, .offset = place},                 /* load from it */
		        {.code = 0x55, .dst = dst, .offset = i + 4 < count ? 2 : 0, .imm = 77}, /* jne */
		        {.code = 0x2f, .dst = dst, .src = src},                                 /* mul */
		        {.code = 0x57, .dst = dst, .imm = 0xfff},                               /* and */
		        {.code = 0x7f, .dst = dst, .src = src},                                 /* rsh */
		};
		insns[i] = choices[i % ARRAY_SIZE(choices)];
	}
	insns[count - 1] = (struct picket_insn){.code = 0x95};
	for (uint8_t i = 0; i < 10 && i + 1u < count; i++) /* nothing is read that was not set */
		insns[i] = (struct picket_insn){.code = 0xb7, .dst = i, .imm = i};
}

static int rounds_for(size_t count)
{
	return count > 100000 ? 3 : count > 10000 ? 10 : count > 100 ? 300 : 10000;
}

static struct picket_program *load(const struct picket_insn *insns, size_t count, enum picket_engine engine)
{
	struct picket_options options = {.engine = engine};
	struct picket_program *p;
	struct picket_error error;

	if (picket_program_load(insns, count, &options, &p, &error))
		die("a long program", error.text);
	return p;
}

/* Microseconds of the fastest load. */
static double load_us(const struct picket_insn *insns, size_t count, enum picket_engine engine)
{
	double best = 1e12;

	for (int rounds = rounds_for(count); rounds > 0; rounds--) {
		double begin = now_ns(), ns;
		struct picket_program *p = load(insns, count, engine);
		ns = now_ns() - begin;
		picket_program_free(p);
		best = ns < best ? ns : best;
	}
	return best / 1000;
}

/* The same of the just-in-time compiler alone, from decoded instructions to code that may be run; ret_bytes: of that. */
static double compile_us(const struct picket_insn *insns, size_t count, size_t *ret_bytes)
{
	struct picket_program *p = load(insns, count, PICKET_VERIFIED);
	struct vm_ops ops = {0};
	double best = 1e12;

	if (vm_decode(insns, count, NULL, &ops, NULL) || vm_flow_live(&ops))
		die("a long program", "does not decode again");
	vm_fuse(&ops);
	for (int rounds = rounds_for(count); rounds > 0; rounds--) {
		double begin, ns;
		vm_code_unmap(p->code, p->code_mapped);
		p->code = NULL;
		begin = now_ns();
		if (vm_jit_compile(p, &ops))
			die("a long program", "does not compile again");
		ns = now_ns() - begin;
		best = ns < best ? ns : best;
	}
	*ret_bytes = p->code_size;
	vm_ops_done(&ops);
	picket_program_free(p);
	return best / 1000;
}

static void bench_loading(void)
{
	static const size_t counts[] = {100, 1000, 10000, 100000, 1000000};
	struct picket_insn *insns = calloc(1000000, sizeof(*insns));
	size_t bytes = 0;

	if (!insns)
		die("memory", strerror(errno));
	printf("\nMicroseconds to load a program (check, decode, compile), and of the compiler alone; the least.\n\n"
	       "| instructions | interpreter |    checked |   verified | ns an instruction | its compiler alone | bytes an "
	       "instruction |\n"
	       "|-------------:|------------:|-----------:|-----------:|------------------:|-------------------:|---------"
	       "------------:|\n");
	for (size_t i = 0; i < ARRAY_SIZE(counts); i++) {
		double interpreter, checked, verified, compiler;
		make_program(insns, counts[i]);
		interpreter = load_us(insns, counts[i], PICKET_INTERPRETER);
		checked = load_us(insns, counts[i], PICKET_CHECKED);
		verified = load_us(insns, counts[i], PICKET_VERIFIED);
		compiler = compile_us(insns, counts[i], &bytes);
		printf("| %12zu | %11.1f | %10.1f | %10.1f | %17.1f | %18.1f | %20.1f |\n", counts[i], interpreter,
		       checked, verified, verified * 1000 / (double)counts[i], compiler,
		       (double)bytes / (double)counts[i]);
	}
	free(insns);
}

/* ---- */
/* Events of all kinds, the second half as the first: the comparison goes on to the end. */
static void fill_input(void)
{
	static const struct kernel_event events[] = {
	        {59, 1000, 4711, 4710, 0, 12, "/tmp/x"},
	        {257, 1000, 4711, 4710, 0x241, 99999, "/home/u/notes"},
	        {42, 0, 4711, 4710, 4444, 0, ""},
	        {257, 0, 4711, 4710, 0, 77, "/etc/shadow"},
	        {322, 33, 4712, 4711, 0, 13, "/usr/bin/python3"},
	        {101, 1000, 4712, 4711, 16, 0, ""},
	        {0, 1000, 4712, 4711, 0, 0, "/lib"},
	        {313, 0, 1, 0, 0, 4, "/lib/modules/x.ko"},
	};

	memcpy(input, events, sizeof(events));
	memcpy(input + sizeof(events), events, sizeof(events));
}

/* What the caches hold is one processor's. */
static void stay_on_this_processor(void)
{
	cpu_set_t set;

	CPU_ZERO(&set);
	CPU_SET(sched_getcpu(), &set);
	sched_setaffinity(0, sizeof(set), &set);
}

int main(int argc, char **argv)
{
	static struct bench b;
	long rounds = argc > 2 ? strtol(argv[2], NULL, 10) : 400;

	if (argc < 2 || argc > 3 || rounds < 1 || rounds > INT_MAX) {
		fprintf(stderr, "usage: vm OBJECT [ROUNDS]\n");
		return 2;
	}
	stay_on_this_processor();
	fill_input();
	open_objects(&b, argv[1]);
	fill_subjects(&b);
	check_results(&b);
	bench_kernels(&b, (int)rounds);
	bench_calls(&b, (int)rounds);
	bench_loading();
	for (int e = VERIFIED; e < ENGINES; e++)
		picket_object_free(b.objects[e]);
	return 0;
}
