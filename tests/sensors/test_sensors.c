/* SPDX-License-Identifier: Apache-2.0
 *
 * test_sensors [-v] [-k PATTERN] [-d DOER] [-c LAUNCHER] [-t SECONDS] [FILE.cases …]
 *
 * See sensors.h. Without files: all of tests/sensors. Needs root; without it, everything is skipped.
 */
#include <ctype.h>
#include <errno.h>
#include <fnmatch.h>
#include <glob.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/utsname.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "sensors.h"

#define IDLE_PAUSE_US 1000
#define SETTLE_NS (20 * NS_PER_MS) /* after the doer's end: for what comes with it */
#define GONE_NS (2 * NS_PER_S)     /* after it, if its end has not been seen yet */

bool verbose;
uint64_t wait_limit_ns = 20 * NS_PER_S;
static unsigned verdicts[3];
static const char *pattern;

void tell(enum verdict v, const char *name, const char *format, ...)
{
	static const char *const words[] = {"ok  ", "FAIL", "skip"};
	va_list args;

	verdicts[v]++;
	printf("%s %s", words[v], name);
	printf(": ");
	va_start(args, format);
	vprintf(format, args);
	va_end(args);
	putchar('\n');
	fflush(stdout);
}

static bool is_selected(const char *name)
{
	return !pattern || strstr(name, pattern) || fnmatch(pattern, name, 0) == 0;
}

/* ---- one case ---- */
static bool kernel_is_at_least(unsigned major, unsigned minor)
{
	struct utsname u;
	unsigned have_major = 0, have_minor = 0;

	uname(&u);
	sscanf(u.release, "%u.%u", &have_major, &have_minor);
	return have_major > major || (have_major == major && have_minor >= minor);
}

static bool cannot_run(const struct stage *s, const struct test_case *t)
{
	struct utsname u;
	bool contained = s->launcher[0];

	uname(&u);
	if ((contained && (t->only_host || t->preload)) || (!contained && t->only_container)) {
		tell(SKIPPED, t->name, "only %s a container", contained ? "outside of" : "in");
		return true;
	}
	if (t->machine && strcmp(t->machine, u.machine) != 0) {
		tell(SKIPPED, t->name, "only on %s", t->machine);
		return true;
	}
	if (!kernel_is_at_least(t->kernel_major, t->kernel_minor)) {
		tell(SKIPPED, t->name, "needs Linux %u.%u", t->kernel_major, t->kernel_minor);
		return true;
	}
	return false;
}

/* The doer's output: name=value lines are variables; the last line of another kind is why it could not. */
static void take_output(struct run *r, const struct doer *d, char *ret_reason, size_t size)
{
	struct str rest = buf_str(&d->output), line;

	ret_reason[0] = '\0';
	while (rest.length && str_next(&rest, '\n', &line)) {
		ssize_t equals = str_find_char(line, '=');
		if (equals > 0) {
			char name[64], value[8192];
			snprintf(name, sizeof(name), "%.*s", (int)equals, line.data);
			snprintf(value, sizeof(value), "%.*s", (int)(line.length - (size_t)equals - 1),
			         line.data + equals + 1);
			run_set(r, name, value);
		} else if (line.length) {
			snprintf(ret_reason, size, STR_FMT, STR_ARG(line));
		}
	}
}

/* Takes events until the doer's end has been seen. Returns false: it did not come in time. */
static bool collect(struct watch *w, struct doer *d)
{
	uint64_t begin = clock_monotonic_ns(), settled = 0;

	while (clock_monotonic_ns() - begin < wait_limit_ns) {
		ssize_t n = watch_poll(w);
		if (n < 0) {
			fprintf(stderr, "poll: %s\n", strerror((int)-n));
			return false;
		}
		doer_read(d);
		if (d->gone && !settled)
			settled = clock_monotonic_ns();
		if (settled && n == 0 && clock_monotonic_ns() - settled > (w->run->ended ? SETTLE_NS : GONE_NS))
			return w->run->ended;
		if (n == 0)
			usleep(IDLE_PAUSE_US);
	}
	return false;
}

/* Nothing may be lost or missing beyond what the case says. */
static unsigned judge_counters(const struct watch *w, const struct test_case *t, const uint64_t before[64], FILE *out)
{
	uint64_t after[64];
	unsigned wrong = 0;

	watch_counters(w, after);
	for (size_t i = 0; i < loader_counter_count(); i++) {
		bool grew = after[i] > before[i], must = t->counted >> i & 1, may = must || t->allowed >> i & 1;
		if (strcmp(loader_counter_name(i), "events") == 0)
			continue;
		if (grew && !may) {
			fprintf(out, "    counter %s grew by %llu\n", loader_counter_name(i),
			        (unsigned long long)(after[i] - before[i]));
			wrong++;
		}
		if (must && !grew) {
			fprintf(out, "    counter %s did not grow\n", loader_counter_name(i));
			wrong++;
		}
	}
	return wrong;
}

static void show_events(const struct run *r)
{
	for (size_t i = 0; i < r->event_count; i++)
		printf("    | %s\n", r->events[i].summary);
}

static void judge(struct watch *w, struct run *r, const struct doer *d, const uint64_t before[64], bool in_time)
{
	char reason[512], *report = NULL;
	size_t size;
	unsigned wrong = 0;
	FILE *out = open_memstream(&report, &size);

	take_output(r, d, reason, sizeof(reason));
	if (!out)
		return;
	if (d->gone && WIFEXITED(d->status) && WEXITSTATUS(d->status) == EXIT_SKIP) {
		fclose(out);
		tell(SKIPPED, r->test->name, "%s", reason);
		free(report);
		return;
	}
	if (!in_time) {
		fprintf(out, "    the doer's end was not seen in time\n");
		wrong++;
	}
	if (run_get(r, "failed")) {
		fprintf(out, "    the doer failed: %s\n", run_get(r, "failed"));
		wrong++;
	}
	if (!r->pid) {
		fprintf(out, "    the doer was not seen to start\n");
		wrong++;
	} else {
		wrong += run_judge(r, out);
	}
	wrong += judge_counters(w, r->test, before, out);
	fclose(out);
	tell(wrong ? FAILED : PASSED, r->test->name, "%zu events", r->event_count);
	if (verbose)
		show_events(r);
	if (wrong)
		fputs(report, stdout);
	free(report);
}

static int start_doer(const struct stage *s, const struct test_case *t, const char *directory, struct doer *ret_doer)
{
	char *args[CASE_ARGS_MAX + 5];
	size_t n = 0;

	if (s->launcher[0]) {
		args[n++] = (char *)s->launcher;
		args[n++] = (char *)s->cgroup;
		args[n++] = (char *)directory;
	}
	args[n++] = (char *)s->doer;
	for (size_t i = 0; t->args[i]; i++)
		args[n++] = t->args[i];
	args[n] = NULL;
	return doer_start(s, directory, args, ret_doer);
}

static void set_variables(struct run *r, const struct stage *s, const char *directory, int pid)
{
	if (!s->launcher[0])
		run_begin(r, (uint32_t)pid);
	run_set(r, "D", directory);
	run_set(r, "DOER", s->doer);
	run_set(r, "CGROUP", s->cgroup + strlen(s->cgroup_mount));
}

static void run_case(struct watch *shared, const struct stage *s, const struct test_case *t)
{
	struct watch own = {}, *w = t->preload ? &own : shared;
	struct run r = {.test = t, .doer = s->doer};
	char directory[512];
	uint64_t before[64] = {};
	struct doer d;
	int err;

	if (!is_selected(t->name) || cannot_run(s, t))
		return;
	while (watch_poll(shared) > 0) /* what is left of the case before */
		;
	err = stage_case_directory(s, t->name, directory, sizeof(directory));
	if (!err && !t->preload)
		watch_counters(w, before);
	w->run = &r;
	if (!err)
		err = start_doer(s, t, directory, &d);
	if (err) {
		tell(FAILED, t->name, "%s", strerror(-err));
		return;
	}
	set_variables(&r, s, directory, d.pid);
	if (t->preload) {
		usleep(300000); /* it prepares itself */
		err = watch_open(w, s, 0);
		if (!err && write(d.in_fd, "\n", 1) != 1)
			err = -errno;
	}
	if (err)
		tell(FAILED, t->name, "%s", strerror(-err));
	else
		judge(w, &r, &d, before, collect(w, &d));
	w->run = NULL;
	doer_stop(&d);
	run_done(&r);
	watch_close(&own);
}

/* ---- all ---- */
static int read_cases(int argc, char **argv, struct case_list *list)
{
	glob_t found;
	int err = 0;

	for (int i = 0; i < argc && !err; i++)
		err = cases_read(argv[i], list);
	if (argc > 0 || err)
		return err;
	if (glob("tests/sensors/*.cases", 0, NULL, &found)) {
		fprintf(stderr, "no tests/sensors/*.cases here: name the files\n");
		return -ENOENT;
	}
	for (size_t i = 0; i < found.gl_pathc && !err; i++)
		err = cases_read(found.gl_pathv[i], list);
	globfree(&found);
	return err;
}

static int finish(void)
{
	printf("%u passed, %u failed, %u skipped\n", verdicts[PASSED], verdicts[FAILED], verdicts[SKIPPED]);
	return verdicts[FAILED] ? 1 : 0;
}

static int run_all(struct stage *s, const struct case_list *list)
{
	struct watch w = {};
	int err = watch_open(&w, s, 0);

	if (err == -EOPNOTSUPP || err == -EPERM)
		tell(SKIPPED, "all", "the kernel does not take the sensors");
	else if (err)
		tell(FAILED, "load", "%s", strerror(-err));
	for (size_t i = 0; !err && i < list->count; i++)
		run_case(&w, s, &list->cases[i]);
	watch_close(&w);
	if (!err && !s->launcher[0] && is_selected("startup-storm"))
		test_storm(s);
	if (!err && !s->launcher[0] && is_selected("loss-exact"))
		test_loss(s);
	return finish();
}

int main(int argc, char **argv)
{
	const char *doer = "build/tests/doer", *launcher = NULL;
	struct case_list list = {};
	struct stage s;
	char reason[400];
	int option, status;

	while ((option = getopt(argc, argv, "vk:d:c:t:")) != -1) {
		switch (option) {
		case 'v':
			verbose = true;
			break;
		case 'k':
			pattern = optarg;
			break;
		case 'd':
			doer = optarg;
			break;
		case 'c':
			launcher = optarg;
			break;
		case 't':
			wait_limit_ns = strtoull(optarg, NULL, 10) * NS_PER_S;
			break;
		default:
			fprintf(stderr,
			        "usage: test_sensors [-v] [-k PATTERN] [-d DOER] [-c LAUNCHER] [-t SECONDS] [FILE.cases ...]\n");
			return 2;
		}
	}
	if (read_cases(argc - optind, argv + optind, &list))
		return 2;
	if (stage_open(&s, doer, launcher, reason, sizeof(reason))) {
		tell(SKIPPED, "all", "%s", reason);
		return finish();
	}
	status = run_all(&s, &list);
	stage_close(&s);
	cases_done(&list);
	return status;
}
