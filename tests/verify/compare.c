/* SPDX-License-Identifier: Apache-2.0
 *
 * Real programs before two judges: this machine's kernel (they are loaded, never attached) and picket's verifier. Prints
 * every disagreement with both reasons, a table of the verdicts, and the times of both over what both accept.
 *
 * usage: verify_compare [--repeat N] [--ratio-max N] [--times] [--all] FILE.o...
 *   --repeat  loads and verifications of each program, of which the fastest counts; 1
 *   --ratio-max
 *             fail if picket takes more than N times the kernel's time, at the median of the programs that both accept
 *   --times   a line for each program that both accept: kernel, picket, ratio
 *   --all     a line for each program, and what is only listed otherwise if it is no agreement
 *
 * A program with a mistake carries a BTF tag "expect:CATEGORY": it must be rejected, and for that reason. What the kernel
 * here cannot judge at all (kinds that it was built without) is judged by picket alone, and must be accepted if it has no
 * such tag; where the kernel gives up, because there is too much to look at, either is right. "kernel:WHY" is on a program
 * that some kernels reject: picket must accept it. Exit code 1: there was a disagreement.
 */
#include <bpf/bpf.h>
#include <bpf/btf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/base.h"
#include "base/buf.h"
#include "base/file.h"
#include "picket/verify.h"

#define KERNEL_BTF "/sys/kernel/btf/vmlinux"
#define KERNEL_BTF_MAX (64u << 20)
#define LOG_STATISTICS 4 /* the kernel's log level: reasons and figures, no trace */
#define LOG_BYTES (256u << 10)
#define PROG_TYPE_NETFILTER 32
#define ATTACH_NETFILTER 45
#define TAG_EXPECT "expect:"
#define TAG_KERNEL "kernel:"

enum answer { ACCEPTS, REJECTS, GIVES_UP, CANNOT_JUDGE, ANSWERS };
static const char *const answer_names[ANSWERS] = {"accepts", "rejects", "gives up", "cannot judge"};

struct opinion {
	enum answer answer;
	uint64_t time_ns;
	char reason[512];
	enum picket_category category;
	uint64_t insn_bound, memory;
};

struct timing {
	uint64_t kernel_ns, picket_ns;
	char name[128];
};

struct comparison {
	struct buf btf;
	struct picket_types *types;
	char *log;
	unsigned repeat;
	double ratio_max; /* 0: any */
	bool times, all;
	unsigned table[ANSWERS][ANSWERS]; /* kernel, picket */
	unsigned agreed, disagreed;
	uint64_t memory_max;
	struct timing *timings;
	size_t timing_count, timing_room;
};

/* ---- tags ---- */

/* The rest of the function's tag that begins with the prefix; NULL: it has none. The object's. */
static const char *find_tag(const struct btf *btf, const char *function, const char *prefix)
{
	for (uint32_t id = 1; btf && id < btf__type_cnt(btf); id++) {
		const struct btf_type *tag = btf__type_by_id(btf, id), *of;
		const char *text = btf__name_by_offset(btf, tag->name_off);

		if (!btf_is_decl_tag(tag) || strncmp(text, prefix, strlen(prefix)))
			continue;
		of = btf__type_by_id(btf, tag->type);
		if (btf_is_func(of) && !strcmp(btf__name_by_offset(btf, of->name_off), function))
			return text + strlen(prefix);
	}
	return NULL;
}

/* ---- the kernel's opinion ---- */

/* libbpf's first warning: what stopped a program that did not come as far as the kernel's verifier. */
static char libbpf_warning[256];

static printf_like(2, 0) int keep_warning(enum libbpf_print_level level, const char *format, va_list args)
{
	if (level == LIBBPF_WARN && !libbpf_warning[0]) {
		vsnprintf(libbpf_warning, sizeof(libbpf_warning), format, args);
		libbpf_warning[strcspn(libbpf_warning, "\n")] = '\0';
	}
	return 0;
}

static bool is_figure(const char *line)
{
	static const char *const figures[] = {"processed ", "verification time ", "stack depth "};

	for (size_t i = 0; i < ARRAY_SIZE(figures); i++)
		if (!strncmp(line, figures[i], strlen(figures[i])))
			return true;
	return false;
}

/* The last line that is no figure. */
static void log_reason(char *log, char *ret_text, size_t size)
{
	char *save = NULL;

	ret_text[0] = '\0';
	for (char *line = strtok_r(log, "\n", &save); line; line = strtok_r(NULL, "\n", &save))
		if (!is_figure(line))
			snprintf(ret_text, size, "%s", line);
}

static uint64_t log_time_ns(const char *log)
{
	const char *at = strstr(log, "verification time ");
	unsigned long usec;

	return at && sscanf(at, "verification time %lu usec", &usec) == 1 ? usec * 1000 : 0;
}

static bool is_too_much(const char *log)
{
	return strstr(log, "BPF program is too large") || strstr(log, "jumps is too complex");
}

/* Sections that an older libbpf does not know. */
static void set_type(struct bpf_program *p)
{
	if (!strcmp(bpf_program__section_name(p), "netfilter")) {
		bpf_program__set_type(p, (enum bpf_prog_type)PROG_TYPE_NETFILTER);
		bpf_program__set_expected_attach_type(p, (enum bpf_attach_type)ATTACH_NETFILTER);
	}
}

/* Loads the one program of the object. */
static int kernel_load(struct comparison *c, const char *path, const char *name, struct opinion *opinion)
{
	struct bpf_object *object = bpf_object__open_file(path, NULL);
	struct bpf_program *p;
	int r = 0;

	if (!object)
		return -errno;
	c->log[0] = libbpf_warning[0] = '\0';
	bpf_object__for_each_program(p, object)
	{
		bool this_one = !strcmp(bpf_program__name(p), name);
		bpf_program__set_autoload(p, this_one);
		if (this_one) {
			set_type(p);
			bpf_program__set_log_buf(p, c->log, LOG_BYTES);
			bpf_program__set_log_level(p, LOG_STATISTICS);
		}
	}
	r = bpf_object__load(object);
	bpf_object__close(object);
	if (!r) {
		uint64_t ns = log_time_ns(c->log);
		opinion->answer = ACCEPTS;
		opinion->time_ns = opinion->time_ns && opinion->time_ns < ns ? opinion->time_ns : ns;
		return 0;
	}
	opinion->answer = !strstr(c->log, "processed ") ? CANNOT_JUDGE : is_too_much(c->log) ? GIVES_UP : REJECTS;
	log_reason(c->log, opinion->reason, sizeof(opinion->reason));
	if (!opinion->reason[0])
		snprintf(opinion->reason, sizeof(opinion->reason), "%s",
		         libbpf_warning[0] ? libbpf_warning : strerror(-r));
	return 0;
}

static int kernel_judge(struct comparison *c, const char *path, const char *name, struct opinion *ret_opinion)
{
	*ret_opinion = (struct opinion){0};
	for (unsigned i = 0; i < c->repeat; i++) {
		int r = kernel_load(c, path, name, ret_opinion);
		if (r)
			return r;
		if (ret_opinion->answer != ACCEPTS)
			break;
	}
	return 0;
}

/* ---- picket's ---- */

static void describe(const struct picket_image *image, size_t program, const struct picket_verdict *v, char *ret_text,
                     size_t size)
{
	const char *file = "", *text = "";
	unsigned line = 0, column = 0;

	(void)picket_image_line(image, program, v->insn, &file, &line, &column, &text);
	snprintf(ret_text, size, "%s: %s (insn %u, line %u)", picket_category_name(v->category), v->reason, v->insn,
	         line);
}

static int picket_judge(struct comparison *c, const struct picket_image *image, size_t program,
                        struct opinion *ret_opinion)
{
	const struct picket_verify_options options = {.types = c->types};

	*ret_opinion = (struct opinion){0};
	for (unsigned i = 0; i < c->repeat; i++) {
		struct picket_verdict *v = NULL;
		int r = picket_verify(image, program, &options, &v);

		if (r)
			return r;
		ret_opinion->answer = v->accepted ? ACCEPTS : REJECTS;
		ret_opinion->category = v->category;
		ret_opinion->insn_bound = v->insn_bound;
		ret_opinion->memory = v->memory_peak;
		if (!i || v->time_ns < ret_opinion->time_ns)
			ret_opinion->time_ns = v->time_ns;
		if (!v->accepted)
			describe(image, program, v, ret_opinion->reason, sizeof(ret_opinion->reason));
		picket_verdict_free(v);
	}
	return 0;
}

/* ---- both ---- */

static void show(const char *path, const char *name, const struct opinion *kernel, const struct opinion *picket,
                 const char *word)
{
	printf("%s %s %s\n", word, path, name);
	printf("    kernel %s%s%s\n", answer_names[kernel->answer], kernel->reason[0] ? ": " : "", kernel->reason);
	printf("    picket %s%s%s (%.3f ms)\n", answer_names[picket->answer], picket->reason[0] ? ": " : "",
	       picket->reason, (double)picket->time_ns / 1e6);
}

static int remember_time(struct comparison *c, const char *path, const char *name, const struct opinion *kernel,
                         const struct opinion *picket)
{
	if (c->timing_count == c->timing_room) {
		size_t room = c->timing_room ? 2 * c->timing_room : 256;
		struct timing *grown = realloc(c->timings, room * sizeof(*grown));
		if (!grown)
			return -ENOMEM;
		c->timings = grown;
		c->timing_room = room;
	}
	c->timings[c->timing_count] = (struct timing){kernel->time_ns, picket->time_ns, ""};
	snprintf(c->timings[c->timing_count].name, sizeof(c->timings[0].name), "%s %s", path, name);
	c->timing_count++;
	return 0;
}

/* Is what picket says what it should be? What the tags do not say, the kernel says. */
static bool is_right(const struct opinion *kernel, const struct opinion *picket, const char *expected, bool disputed)
{
	if (expected)
		return picket->answer == REJECTS && !strcmp(expected, picket_category_name(picket->category)) &&
		       kernel->answer != ACCEPTS;
	if (disputed)
		return picket->answer == ACCEPTS;
	return kernel->answer == GIVES_UP || picket->answer == (kernel->answer == REJECTS ? REJECTS : ACCEPTS);
}

static int compare_program(struct comparison *c, const char *path, const struct picket_image *image, size_t program,
                           const struct btf *btf)
{
	const char *name = picket_image_name(image, program);
	const char *expected = find_tag(btf, name, TAG_EXPECT);
	struct opinion kernel, picket;
	bool right;
	int r = kernel_judge(c, path, name, &kernel);

	if (!r)
		r = picket_judge(c, image, program, &picket);
	if (r)
		return r;
	c->table[kernel.answer][picket.answer]++;
	right = is_right(&kernel, &picket, expected, find_tag(btf, name, TAG_KERNEL));
	*(right ? &c->agreed : &c->disagreed) += 1;
	if (c->all || !right)
		show(path, name, &kernel, &picket, right ? "ok" : "not ok");
	if (!right && expected)
		printf("    expected %s\n", expected);
	c->memory_max = MAX(c->memory_max, picket.memory);
	if (kernel.answer == ACCEPTS && picket.answer == ACCEPTS)
		return remember_time(c, path, name, &kernel, &picket);
	return 0;
}

static int compare_file(struct comparison *c, const char *path)
{
	struct picket_error error = {0};
	struct picket_image *image = NULL;
	struct bpf_object *object = bpf_object__open_file(path, NULL);
	int r = object ? 0 : -errno;

	if (!r)
		r = picket_image_open_file(path, &image, &error);
	if (!r)
		r = picket_image_relocate(image, c->btf.data, c->btf.length, &error);
	for (size_t i = 0; !r && i < picket_image_program_count(image); i++)
		r = compare_program(c, path, image, i, bpf_object__btf(object));
	if (r) {
		printf("not ok %s: %s\n", path, error.text[0] ? error.text : strerror(-r));
		c->disagreed++;
	}
	picket_image_free(image);
	bpf_object__close(object);
	return r == -ENOMEM ? r : 0; /* the other files can be compared */
}

/* ---- figures ---- */

static double ratio_of(const struct timing *t)
{
	return (double)t->picket_ns / (double)MAX(t->kernel_ns, 1000);
}

static int by_ratio(const void *a, const void *b)
{
	double x = ratio_of(a), y = ratio_of(b);

	return (x > y) - (x < y);
}

static int by_kernel(const void *a, const void *b)
{
	const struct timing *x = a, *y = b;

	return (x->kernel_ns > y->kernel_ns) - (x->kernel_ns < y->kernel_ns);
}

static int by_picket(const void *a, const void *b)
{
	const struct timing *x = a, *y = b;

	return (x->picket_ns > y->picket_ns) - (x->picket_ns < y->picket_ns);
}

static void print_times(struct comparison *c)
{
	struct timing *t = c->timings;
	size_t n = c->timing_count;
	double kernel, picket, kernel_sum = 0, picket_sum = 0;

	if (!n)
		return;
	qsort(t, n, sizeof(*t), by_kernel);
	kernel = (double)t[n / 2].kernel_ns / 1e6;
	qsort(t, n, sizeof(*t), by_picket);
	picket = (double)t[n / 2].picket_ns / 1e6;
	printf("slowest here: %.3f ms, %s\n", (double)t[n - 1].picket_ns / 1e6, t[n - 1].name);
	qsort(t, n, sizeof(*t), by_ratio);
	for (size_t i = 0; i < n; i++) {
		kernel_sum += (double)t[i].kernel_ns / 1e6;
		picket_sum += (double)t[i].picket_ns / 1e6;
		if (c->times)
			printf("%9.3f ms %9.3f ms %7.2f  %s\n", (double)t[i].kernel_ns / 1e6,
			       (double)t[i].picket_ns / 1e6, ratio_of(&t[i]), t[i].name);
	}
	printf("%zu programs that both accept: median %.3f ms by the kernel, %.3f ms by picket; sum %.1f and %.1f ms; "
	       "median of the ratios %.2f, 90th percentile %.2f, most %.2f\n",
	       n, kernel, picket, kernel_sum, picket_sum, ratio_of(&t[n / 2]), ratio_of(&t[n * 9 / 10]),
	       ratio_of(&t[n - 1]));
	if (c->ratio_max > 0 && ratio_of(&t[n / 2]) > c->ratio_max) {
		printf("not ok the median of the ratios is more than %.2f\n", c->ratio_max);
		c->disagreed++;
	}
}

static void print_table(const struct comparison *c)
{
	printf("%-20s %10s %10s\n", "", "picket", "");
	printf("%-20s %10s %10s\n", "", "accepts", "rejects");
	for (unsigned k = 0; k < ANSWERS; k++)
		printf("kernel %-13s %10u %10u\n", answer_names[k], c->table[k][ACCEPTS], c->table[k][REJECTS]);
	printf("most memory: %.1f MB\n", (double)c->memory_max / 1e6);
}

static int usage(void)
{
	fputs("usage: verify_compare [--repeat N] [--ratio-max N] [--times] [--all] FILE.o...\n", stderr);
	return 2;
}

int main(int argc, char **argv)
{
	struct comparison c = {.repeat = 1};
	int i = 1, r;

	for (; i < argc && argv[i][0] == '-'; i++) {
		if (!strcmp(argv[i], "--times"))
			c.times = true;
		else if (!strcmp(argv[i], "--all"))
			c.all = true;
		else if (!strcmp(argv[i], "--ratio-max") && i + 1 < argc)
			c.ratio_max = atof(argv[++i]);
		else if (!strcmp(argv[i], "--repeat") && i + 1 < argc)
			c.repeat = (unsigned)atoi(argv[++i]);
		else
			return usage();
	}
	if (i == argc || !c.repeat)
		return usage();
	c.log = malloc(LOG_BYTES);
	buf_init(&c.btf, KERNEL_BTF_MAX);
	r = c.log ? file_read(KERNEL_BTF, &c.btf) : -ENOMEM;
	if (!r)
		r = picket_types_open(c.btf.data, c.btf.length, &c.types, NULL);
	if (r) {
		fprintf(stderr, "verify_compare: %s: %s\n", KERNEL_BTF, strerror(-r));
		return 2;
	}
	libbpf_set_print(keep_warning);
	for (; i < argc && !r; i++)
		r = compare_file(&c, argv[i]);
	print_table(&c);
	print_times(&c);
	printf("%u passed, %u failed, 0 skipped\n", c.agreed, c.disagreed);
	free(c.log);
	free(c.timings);
	picket_types_free(c.types);
	buf_done(&c.btf);
	return r || c.disagreed ? 1 : 0;
}
