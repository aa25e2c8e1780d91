/* SPDX-License-Identifier: Apache-2.0
 *
 * What judging costs: a capture is read and enriched, and each event judged by no rules, by the reference evaluator, and by
 * compiled rules, in turns. Processor time of the user half; medians; less the time without rules.
 *
 * usage: bench/rules [-l] [-n] CAPTURE PASSES RULES…
 *        -l: as one line of name=value, times in microseconds an event; -n: without the reference evaluator
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#include "core/pipeline.h"
#include "event/capture.h"
#include "rule/rule.h"

#define MATCHES_MAX 256
#define PASSES_MAX 99

enum mode { MODE_NONE, MODE_REFERENCE, MODE_COMPILED, MODES };
static const char *const mode_names[] = {"no rules", "reference evaluator", "compiled"};

struct bench {
	enum mode mode;
	struct rule_set *set;
	struct rule_programs *programs;
	double make_ms; /* compiling, verifying, loading */
	uint64_t events, matches;
	uint64_t opens, programs_started, connections; /* of the events */
};

static double user_seconds(void)
{
	struct rusage usage;
	getrusage(RUSAGE_SELF, &usage);
	return (double)usage.ru_utime.tv_sec + (double)usage.ru_utime.tv_usec / 1e6;
}

static void count_kind(struct bench *b, unsigned type)
{
	b->opens += type == EVENT_open || type == EVENT_openat || type == EVENT_openat2;
	b->programs_started += type == EVENT_execve;
	b->connections += type == EVENT_connect;
}

static int judge(void *userdata, struct enrich_view *view, struct arena *arena)
{
	struct bench *b = userdata;
	const struct rule *matched[MATCHES_MAX];
	unsigned names = MAX(view->name_count, 1u);
	b->events++;
	if (b->mode == MODE_NONE)
		count_kind(b, view->event.header->type);
	for (view->name_index = 0; b->mode != MODE_NONE && view->name_index < names; view->name_index++)
		b->matches += b->mode == MODE_REFERENCE
		                      ? rule_set_match(b->set, view->event.header->type, &view->source, arena,
		                                       MATCH_ALL, matched, MATCHES_MAX)
		                      : rule_programs_match(b->programs, view->event.header->type, &view->source, arena,
		                                            MATCH_ALL, matched, MATCHES_MAX);
	view->name_index = 0;
	return 0;
}

static int pass(struct bench *b, const char *path, double *ret_seconds)
{
	struct pipeline_options options = {.consumer = {.event = judge, .userdata = b}};
	struct capture_reader *reader;
	struct pipeline *pipeline;
	struct event event;
	const char *why = NULL;
	int r = pipeline_new(&options, &pipeline);
	if (r < 0)
		return r;
	r = capture_reader_new(path, &reader, &why);
	if (r < 0) {
		fprintf(stderr, "bench/rules: %s: %s\n", path, why ? why : strerror(-r));
		goto out;
	}
	b->events = b->matches = 0;
	if (b->mode == MODE_NONE)
		b->opens = b->programs_started = b->connections = 0;
	double begin = user_seconds();
	while ((r = capture_reader_next(reader, &event)) > 0)
		if (pipeline_put_event(pipeline, &event) < 0)
			break;
	*ret_seconds = user_seconds() - begin;
	capture_reader_free(reader);
out:
	pipeline_free(pipeline);
	return r;
}

static int by_value(const void *a, const void *b)
{
	double left = *(const double *)a, right = *(const double *)b;
	return (left > right) - (left < right);
}

static int load(struct bench *b, char **paths, int count)
{
	struct diag_list diags;
	diag_list_init(&diags, 100);
	int r = rule_set_new(&b->set);
	for (int i = 0; r == 0 && i < count; i++)
		r = rule_set_add_path(b->set, paths[i], &diags);
	if (r == 0)
		r = rule_set_compile(b->set, &diags);
	struct timespec begin, end;
	clock_gettime(CLOCK_MONOTONIC, &begin);
	if (r == 0)
		r = rule_programs_new(b->set, &b->programs);
	if (r == 0)
		r = rule_programs_make(b->programs);
	clock_gettime(CLOCK_MONOTONIC, &end);
	for (size_t i = 0; i < diags.count; i++)
		if (diags.items[i].level == DIAG_ERROR)
			fprintf(stderr, "%s\n", diags.items[i].text);
	for (size_t i = 0; r == 0 && i < rule_programs_problems(b->programs)->count; i++)
		fprintf(stderr, "%s\n", rule_programs_problems(b->programs)->items[i].text);
	diag_list_done(&diags);
	b->make_ms = (double)(end.tv_sec - begin.tv_sec) * 1e3 + (double)(end.tv_nsec - begin.tv_nsec) / 1e6;
	return r;
}

/* ---- what it came to ---- */
static double seconds[MODES][PASSES_MAX]; /* by mode and pass; after sort(), ascending */

static void sort(int passes)
{
	for (int mode = 0; mode < MODES; mode++)
		qsort(seconds[mode], (size_t)passes, sizeof(double), by_value);
}

/* Of judging alone, in microseconds an event. */
static double judging_us(const struct bench *b, int mode, int pass)
{
	return (seconds[mode][pass] - seconds[MODE_NONE][pass]) * 1e6 / (double)b->events;
}

static void print_line(const struct bench *b, int passes, bool reference)
{
	printf("events=%llu opens=%llu programs=%llu connections=%llu rules=%zu make_ms=%.1f read_us=%.3f",
	       (unsigned long long)b->events, (unsigned long long)b->opens, (unsigned long long)b->programs_started,
	       (unsigned long long)b->connections, rule_set_count(b->set), b->make_ms,
	       seconds[MODE_NONE][passes / 2] * 1e6 / (double)b->events);
	if (reference)
		printf(" reference_us=%.3f", judging_us(b, MODE_REFERENCE, passes / 2));
	printf(" compiled_us=%.3f least_us=%.3f matches=%llu\n", judging_us(b, MODE_COMPILED, passes / 2),
	       judging_us(b, MODE_COMPILED, 0), (unsigned long long)b->matches);
}

static void print_table(const struct bench *b, int passes, bool reference, const uint64_t *matches)
{
	printf("%zu rules; compiled, verified and loaded in %.1f ms\n", rule_set_count(b->set), b->make_ms);
	printf("%llu events, medians of %d passes, user time\n\n| judged by | s | µs an event | matches |\n|---|---:|---:|---:|\n",
	       (unsigned long long)b->events, passes);
	for (int mode = 0; mode < MODES; mode++)
		if (mode != MODE_REFERENCE || reference)
			printf("| %s | %.3f | %.3f | %llu |\n", mode_names[mode], seconds[mode][passes / 2],
			       mode ? judging_us(b, mode, passes / 2)
			            : seconds[mode][passes / 2] * 1e6 / (double)b->events,
			       (unsigned long long)matches[mode]);
}

static int run(struct bench *b, const char *capture, int passes, bool reference, bool line)
{
	uint64_t matches[MODES] = {0};
	for (int i = 0; i < passes; i++)
		for (b->mode = MODE_NONE; b->mode < MODES; b->mode++) {
			if (b->mode == MODE_REFERENCE && !reference)
				continue;
			if (pass(b, capture, &seconds[b->mode][i]) < 0)
				return 1;
			matches[b->mode] = b->matches;
		}
	sort(passes);
	if (line)
		print_line(b, passes, reference);
	else
		print_table(b, passes, reference, matches);
	return reference && matches[MODE_REFERENCE] != matches[MODE_COMPILED];
}

int main(int argc, char **argv)
{
	struct bench b = {0};
	bool line = false, reference = true, wrong = false;
	for (int option; (option = getopt(argc, argv, "ln")) != -1;) {
		line |= option == 'l';
		reference &= option != 'n';
		wrong |= option == '?';
	}
	if (wrong || argc - optind < 3) {
		fprintf(stderr, "usage: bench/rules [-l] [-n] CAPTURE PASSES RULES...\n");
		return 2;
	}
	unsigned long wanted = strtoul(argv[optind + 1], NULL, 10);
	int passes = (int)MAX(MIN(wanted, (unsigned long)PASSES_MAX), 1ul);
	int code =
	        load(&b, argv + optind + 2, argc - optind - 2) < 0 ? 1 : run(&b, argv[optind], passes, reference, line);
	rule_programs_free(b.programs);
	rule_set_free(b.set);
	return code;
}
