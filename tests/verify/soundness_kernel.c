/* SPDX-License-Identifier: Apache-2.0
 *
 * The kernel's verifier reads the same random programs, of kinds that it loads here; nothing is attached. What it refuses
 * and we accept is counted by its reason, with an example of each; what we refuse and it accepts by ours.
 */
#include <ctype.h>
#include <errno.h>
#include <linux/bpf.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <unistd.h>
#include "tests/verify/soundness.h"

#define LOG_BYTES (1u << 20)
#define REASONS_MAX 256
#define REASON_BYTES 120

static const struct {
	enum picket_kind kind;
	enum bpf_prog_type type;
} kernel_kinds[] = {
        {PICKET_KIND_XDP, BPF_PROG_TYPE_XDP},
        {PICKET_KIND_SCHED_CLS, BPF_PROG_TYPE_SCHED_CLS},
        {PICKET_KIND_SOCKET_FILTER, BPF_PROG_TYPE_SOCKET_FILTER},
};

struct reason {
	char text[REASON_BYTES];
	char other[REASON_BYTES]; /* what the other side says, of the first */
	enum picket_kind kind;
	uint64_t seed, change; /* of the first */
	uint64_t count;
};

struct reasons {
	struct reason all[REASONS_MAX];
	size_t count;
};

struct comparison {
	int maps[SOUNDNESS_MAPS], inner;
	char *log;
	uint64_t both_accept, both_refuse, unknown;
	struct reasons kernels, ours; /* why only the one refuses */
};

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

static int make_maps(struct comparison *k)
{
	k->inner = make_map(soundness_maps[MAP_OUTER].inner, -1);
	if (k->inner < 0)
		return k->inner;
	for (size_t i = 0; i < SOUNDNESS_MAPS; i++) {
		k->maps[i] = make_map(&soundness_maps[i], k->inner);
		if (k->maps[i] < 0)
			return k->maps[i];
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
static int kernel_judges(struct comparison *k, const struct test_case *c, bool log)
{
	union bpf_attr attr = {0};
	int fd;

	attr.prog_type = type_of(c->kind);
	attr.insns = (uintptr_t)c->insns;
	attr.insn_cnt = (uint32_t)c->count;
	attr.license = (uintptr_t) "GPL";
	attr.fd_array = (uintptr_t)k->maps;
	if (log) {
		k->log[0] = '\0';
		attr.log_level = 1;
		attr.log_buf = (uintptr_t)k->log;
		attr.log_size = LOG_BYTES;
	}
	fd = bpf(BPF_PROG_LOAD, &attr);
	if (fd >= 0)
		close(fd);
	return MIN(fd, 0);
}

/* The line before "processed N insns". */
static void last_words(const char *log, char *ret_text)
{
	const char *end = strstr(log, "\nprocessed "), *start;

	ret_text[0] = '\0';
	if (!end)
		end = log + strlen(log);
	for (start = end; start > log && start[-1] != '\n'; start--)
		;
	snprintf(ret_text, REASON_BYTES, "%.*s", (int)(end - start), start);
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

static struct reason *reason_count(struct reasons *r, const char *text)
{
	for (size_t i = 0; i < r->count; i++)
		if (same_reason(r->all[i].text, text)) {
			r->all[i].count++;
			return NULL;
		}
	if (r->count == REASONS_MAX)
		return NULL;
	snprintf(r->all[r->count].text, REASON_BYTES, "%s", text);
	r->all[r->count].count = 1;
	return &r->all[r->count++];
}

static int more_often(const void *a, const void *b)
{
	const struct reason *x = a, *y = b;

	return x->count < y->count ? 1 : x->count > y->count ? -1 : 0;
}

static uint64_t reasons_print(struct reasons *r, const char *title)
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
	return sum;
}

/* ---- programs ---- */
/* The program of a seed, after so many changes. */
static void make(struct test_case *c, enum picket_kind kind, uint64_t seed, uint64_t change)
{
	struct chance chance = chance_from(seed * 31 + change);

	case_make(c, kind, seed, false);
	for (uint64_t i = 0; i < (change ? 1 + change % 2 : 0); i++)
		case_mutate(c, &chance);
}

static void compare(struct comparison *k, const struct test_case *c, uint64_t seed, uint64_t change, unsigned *examples)
{
	struct judgement judgement;
	int r = kernel_judges(k, c, false);
	char words[REASON_BYTES];
	struct reason *reason = NULL;

	case_judge(c, &judgement);
	k->both_accept += !r && judgement.accepted;
	k->both_refuse += r && !judgement.accepted;
	if (!r == judgement.accepted)
		return;
	if (r) {
		kernel_judges(k, c, true);
		last_words(k->log, words);
		if (!words[0])
			snprintf(words, sizeof(words), "%s", strerror(-r));
		reason = reason_count(&k->kernels, words);
	} else {
		snprintf(words, sizeof(words), "%s: %.90s", picket_category_name(judgement.category), judgement.reason);
		reason = reason_count(&k->ours, words);
	}
	if (!reason)
		return;
	reason->seed = seed;
	reason->change = change;
	reason->kind = c->kind;
	if (!*examples)
		return;
	--*examples;
	printf("only %s: %s\n", r ? "the kernel refuses" : "we refuse", words);
	case_print(c);
}

int soundness_kernel(uint64_t seed, uint64_t count, unsigned examples)
{
	static struct comparison k;
	static struct test_case c;
	int r = make_maps(&k);

	k.log = malloc(LOG_BYTES);
	if (r == -EPERM) {
		printf("ok - the kernel's opinion # SKIP it does not let us load programs\n");
		return 0;
	}
	if (r || !k.log) {
		fprintf(stderr, "verify_soundness: %s\n", r ? strerror(-r) : "out of memory");
		return 1;
	}
	for (uint64_t i = 0; i < count; i++)
		for (size_t kind = 0; kind < ARRAY_SIZE(kernel_kinds); kind++) {
			make(&c, kernel_kinds[kind].kind, seed + i / 4, i % 4);
			compare(&k, &c, seed + i / 4, i % 4, &examples);
		}
	printf("# both accept: %llu, both refuse: %llu\n", (unsigned long long)k.both_accept,
	       (unsigned long long)k.both_refuse);
	reasons_print(&k.ours, "only we refuse");
	reasons_print(&k.kernels, "only the kernel refuses");
	free(k.log);
	return 0;
}
