/* SPDX-License-Identifier: Apache-2.0
 *
 * The kernel's verifier reads the same random programs, of kinds that it loads here; nothing is attached. What it refuses
 * and we accept is counted by its reason, if that is known (soundness_known.c); else it is a failure, and printed as small
 * as it gets. What we refuse and it accepts is counted by ours. With --examples each reason is printed so.
 */
#include <ctype.h>
#include <errno.h>
#include <inttypes.h>
#include <linux/bpf.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <unistd.h>
#include "tests/verify/soundness.h"

#define LOG_BYTES (1u << 20)
#define REASONS_MAX 256
#define EXIT_SKIPPED 77
#define EDGES 4
#define CHANGE_EDGES 4 /* a change's number that stands for them */

static const struct {
	enum picket_kind kind;
	enum bpf_prog_type type;
} kernel_kinds[] = {
        {PICKET_KIND_XDP, BPF_PROG_TYPE_XDP},
        {PICKET_KIND_SCHED_CLS, BPF_PROG_TYPE_SCHED_CLS},
        {PICKET_KIND_SOCKET_FILTER, BPF_PROG_TYPE_SOCKET_FILTER},
};

enum side { AGREED, KERNEL_KNOWN, KERNEL_UNKNOWN, OURS, SIDES };
static const char *const sides[SIDES] = {
        [KERNEL_KNOWN] = "only the kernel refuses, for reasons that are known",
        [KERNEL_UNKNOWN] = "only the kernel refuses, for no reason that is known",
        [OURS] = "only we refuse",
};

/* Who refuses a program, and why. */
struct opinion {
	enum side side;
	bool accepted;                 /* by both, if they agree */
	char text[KERNEL_WORDS_BYTES]; /* why, if they do not */
};

struct reason {
	char text[KERNEL_WORDS_BYTES];
	enum picket_kind kind;
	uint64_t seed, change; /* of the first */
	uint64_t count;
};

struct reasons {
	struct reason all[REASONS_MAX];
	size_t count;
};

struct comparison {
	uint64_t both_accept, both_refuse, one_refuses;
	struct reasons reasons[SIDES];
	bool examples;
};

static struct {
	int maps[SOUNDNESS_MAPS];
	char log[LOG_BYTES];
} kernel;

/* ---- bpf(2) ---- */
static int bpf(enum bpf_cmd command, union bpf_attr *attr)
{
	long r = syscall(SYS_bpf, command, attr, sizeof(*attr));

	return r < 0 ? -errno : (int)r;
}

static int make_map(const struct picket_map_spec *spec, int inner)
{
	union bpf_attr attr = {0};

	attr.map_type = spec->type;
	attr.key_size = spec->key_size;
	attr.value_size = spec->value_size;
	attr.max_entries = spec->max_entries;
	attr.map_flags = spec->flags;
	if (spec->inner)
		attr.inner_map_fd = (uint32_t)inner;
	return bpf(BPF_MAP_CREATE, &attr);
}

static int make_maps(void)
{
	int inner = make_map(soundness_maps[MAP_OUTER].inner, -1);

	if (inner < 0)
		return inner;
	for (size_t i = 0; i < SOUNDNESS_MAPS; i++) {
		kernel.maps[i] = make_map(&soundness_maps[i], inner);
		if (kernel.maps[i] < 0)
			return kernel.maps[i];
	}
	return 0;
}

static enum bpf_prog_type type_of(enum picket_kind kind)
{
	for (size_t i = 0; i < ARRAY_SIZE(kernel_kinds); i++)
		if (kernel_kinds[i].kind == kind)
			return kernel_kinds[i].type;
	return BPF_PROG_TYPE_UNSPEC;
}

/* 0: accepted. log: also what it says. */
static int kernel_judges(const struct test_case *c, bool log)
{
	union bpf_attr attr = {0};
	int fd;

	attr.prog_type = type_of(c->kind);
	attr.insns = (uintptr_t)c->insns;
	attr.insn_cnt = (uint32_t)c->count;
	attr.license = (uintptr_t) "GPL";
	attr.fd_array = (uintptr_t)kernel.maps;
	if (log) {
		kernel.log[0] = '\0';
		attr.log_level = 1;
		attr.log_buf = (uintptr_t)kernel.log;
		attr.log_size = LOG_BYTES;
	}
	fd = bpf(BPF_PROG_LOAD, &attr);
	if (fd >= 0)
		close(fd);
	return MIN(fd, 0);
}

/* The line before "processed N insns", and the last that is of an instruction: "12: (bf) r1 = r6 ..." */
static void last_words(const char *log, struct kernel_words *ret_words)
{
	const char *end = strstr(log, "\nprocessed "), *start;
	unsigned code;

	if (!end)
		end = log + strlen(log);
	for (start = end; start > log && start[-1] != '\n'; start--)
		;
	snprintf(ret_words->text, sizeof(ret_words->text), "%.*s", (int)(end - start), start);
	ret_words->insn = -1;
	while (sscanf(start, "%" SCNd64 ": (%2x)", &ret_words->insn, &code) != 2 && start > log)
		do
			start--;
		while (start > log && start[-1] != '\n');
}

bool kernel_accepts(const struct test_case *c, struct kernel_words *ret_words)
{
	int r = kernel_judges(c, false);

	if (!r || !ret_words)
		return !r;
	kernel_judges(c, true);
	last_words(kernel.log, ret_words);
	if (!ret_words->text[0])
		snprintf(ret_words->text, sizeof(ret_words->text), "%s", strerror(-r));
	return false;
}

/* With the limits that are usual, and the types of the kernel that is asked. */
void kernel_case_judge(const struct test_case *c, struct judgement *ret_judgement)
{
	const struct picket_verify_options options = {.kind = c->kind, .types = soundness_types_running()};
	struct picket_verdict *verdict;
	int r = picket_verify_insns(c->insns, c->count, c->maps, c->map_count, &options, &verdict);

	*ret_judgement = (struct judgement){.accepted = !r && verdict->accepted};
	if (r) {
		snprintf(ret_judgement->reason, sizeof(ret_judgement->reason), "%s", strerror(-r));
		return;
	}
	ret_judgement->category = verdict->category;
	memcpy(ret_judgement->reason, verdict->reason, sizeof(verdict->reason));
	picket_verdict_free(verdict);
}

/* ---- reasons ---- */
/* Numbers do not make reasons different. */
static bool same_reason(const char *a, const char *b)
{
	while (*a && *b) {
		if (isdigit((unsigned char)*a) && isdigit((unsigned char)*b)) {
			while (isdigit((unsigned char)*a))
				a++;
			while (isdigit((unsigned char)*b))
				b++;
		} else if (*a++ != *b++) {
			return false;
		}
	}
	return *a == *b;
}

/* Returns it if it is a new one. */
static struct reason *reason_count(struct reasons *r, const char *text)
{
	for (size_t i = 0; i < r->count; i++)
		if (same_reason(r->all[i].text, text)) {
			r->all[i].count++;
			return NULL;
		}
	if (r->count == REASONS_MAX)
		return NULL;
	snprintf(r->all[r->count].text, sizeof(r->all[0].text), "%s", text);
	r->all[r->count].count = 1;
	return &r->all[r->count++];
}

static int more_often(const void *a, const void *b)
{
	const struct reason *x = a, *y = b;

	return x->count < y->count ? 1 : x->count > y->count ? -1 : 0;
}

static void reasons_print(struct reasons *r, const char *title)
{
	uint64_t sum = 0;

	qsort(r->all, r->count, sizeof(r->all[0]), more_often);
	for (size_t i = 0; i < r->count; i++)
		sum += r->all[i].count;
	printf("# %s: %llu\n", title, (unsigned long long)sum);
	for (size_t i = 0; i < r->count; i++) {
		const struct reason *x = &r->all[i];
		printf("#   %6llu  %s\n", (unsigned long long)x->count, x->text);
		printf("#           first: %s, seed %llu, change %llu\n", picket_kind_name(x->kind),
		       (unsigned long long)x->seed, (unsigned long long)x->change);
	}
}

/* ---- programs ---- */
/* The program of a seed, after so many changes. */
static void make(struct test_case *c, enum picket_kind kind, uint64_t seed, uint64_t change)
{
	struct chance chance = chance_from(seed * 31 + change);

	case_make(c, kind, seed, true);
	for (uint64_t i = 0; i < (change ? 1 + change % 2 : 0); i++)
		case_mutate(c, &chance);
}

static void ask_both(const struct test_case *c, struct opinion *ret_opinion)
{
	struct opinion o = {.accepted = kernel_accepts(c, NULL)};
	struct kernel_words words = {.insn = -1};
	struct judgement judgement;
	const char *known;

	kernel_case_judge(c, &judgement);
	if (o.accepted && !judgement.accepted) {
		o.side = OURS;
		snprintf(o.text, sizeof(o.text), "%s: %.90s", picket_category_name(judgement.category),
		         judgement.reason);
	} else if (!o.accepted && judgement.accepted) {
		known = kernel_accepts(c, &words) ? NULL : known_reason_find(c, &words);
		o.side = known ? KERNEL_KNOWN : KERNEL_UNKNOWN;
		snprintf(o.text, sizeof(o.text), "%s", known ? known : words.text);
	}
	*ret_opinion = o;
}

static bool still_so(const struct test_case *c, void *user)
{
	const struct opinion *first = user;
	struct opinion o;

	ask_both(c, &o);
	return o.side == first->side && same_reason(o.text, first->text);
}

static void print_example(const struct test_case *c, struct opinion *o)
{
	static struct test_case small;

	small = *c;
	case_shrink_while(&small, still_so, o);
	case_print(&small);
}

static void compare(struct comparison *k, const struct test_case *c, uint64_t seed, uint64_t change)
{
	struct opinion o;
	struct reason *reason;

	ask_both(c, &o);
	if (o.side == AGREED) {
		k->both_accept += o.accepted;
		k->both_refuse += !o.accepted;
		return;
	}
	k->one_refuses++;
	reason = reason_count(&k->reasons[o.side], o.text);
	if (!reason)
		return;
	reason->seed = seed;
	reason->change = change;
	reason->kind = c->kind;
	if (!k->examples && o.side != KERNEL_UNKNOWN)
		return;
	printf("%s%s: %s (%s, seed %llu, change %llu)\n", o.side == KERNEL_UNKNOWN ? "not ok - " : "", sides[o.side],
	       o.text, picket_kind_name(c->kind), (unsigned long long)seed, (unsigned long long)change);
	print_example(c, &o);
}

/* As it is made, with changes; and moved to the edge of what we accept. */
static void compare_seed(struct comparison *k, enum picket_kind kind, uint64_t seed, uint64_t change)
{
	static struct test_case c;
	struct chance chance = chance_from(seed);
	struct judgement judgement;

	make(&c, kind, seed, change);
	compare(k, &c, seed, change);
	case_judge(&c, &judgement);
	if (change || !judgement.accepted)
		return;
	for (unsigned i = 0; i < EDGES; i++)
		case_sharpen(&c, &chance);
	compare(k, &c, seed, CHANGE_EDGES);
}

static int summarise(struct comparison *k)
{
	const uint64_t agreed = k->both_accept + k->both_refuse;

	printf("# both accept: %llu, both refuse: %llu\n", (unsigned long long)k->both_accept,
	       (unsigned long long)k->both_refuse);
	for (enum side side = KERNEL_KNOWN; side < SIDES; side++)
		reasons_print(&k->reasons[side], sides[side]);
	if (k->reasons[KERNEL_UNKNOWN].count)
		return 1;
	printf("ok - %llu programs shown to the kernel\n", (unsigned long long)(agreed + k->one_refuses));
	return 0;
}

int soundness_kernel(uint64_t seed, uint64_t count, bool examples)
{
	static struct comparison k;
	int r = make_maps();

	if (r == -EPERM) {
		printf("the kernel does not let us load programs\n");
		return EXIT_SKIPPED;
	}
	if (r) {
		fprintf(stderr, "verify_soundness: %s\n", strerror(-r));
		return 1;
	}
	k.examples = examples;
	for (uint64_t i = 0; i < count; i++)
		for (size_t kind = 0; kind < ARRAY_SIZE(kernel_kinds); kind++)
			compare_seed(&k, kernel_kinds[kind].kind, seed + i / 4, i % 4);
	return summarise(&k);
}
