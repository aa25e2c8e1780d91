/* SPDX-License-Identifier: Apache-2.0
 *
 * test_evasions [-v] [-k PATTERN] [-p PICKET] [-r RULES]
 *
 * See evasions.h. Needs root; without it, everything is skipped.
 */
#include <errno.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "evasions.h"

enum verdict { PASSED, FAILED, SKIPPED };
static unsigned verdicts[3];
static volatile sig_atomic_t interrupted;

static const struct evasion *const subjects[] = {reach_evasions, name_evasions, bit_evasions,     place_evasions,
                                                 log_evasions,   run_evasions,  process_evasions, network_evasions};

printf_like(3, 4) static void tell(enum verdict v, const char *name, const char *format, ...)
{
	static const char *const words[] = {"ok  ", "FAIL", "skip"};
	va_list args;
	verdicts[v]++;
	printf("%s %s: ", words[v], name);
	va_start(args, format);
	vprintf(format, args);
	va_end(args);
	putchar('\n');
	fflush(stdout);
}

static void each_evasion(void (*visit)(const struct evasion *e, void *userdata), void *userdata)
{
	for (size_t i = 0; i < ARRAY_SIZE(subjects); i++)
		for (const struct evasion *e = subjects[i]; e->name && !interrupted; e++)
			if (evasion_is_selected(e))
				visit(e, userdata);
}

/* ---- one evasion ---- */

/* Returns false if the evasion is settled: the actor could not do its part. */
static bool perform(struct watch *w, const struct evasion *e, enum evasion_role role)
{
	char last[512] = "";
	int code = stage_act(w->stage, e->name, evasion_roles[role], last, sizeof(last));
	if (code == EXIT_SKIP)
		tell(SKIPPED, e->name, "%s", last);
	else if (code < 0)
		tell(FAILED, e->name, "the %s could not be made: %s", evasion_roles[role], strerror(-code));
	else if (code > 0)
		tell(FAILED, e->name, "the %s ended with code %d: %s", evasion_roles[role], code, last);
	if (code != 0)
		return false;
	int r = watch_collect(w);
	if (r < 0)
		tell(FAILED, e->name, "picket does not answer: %s", strerror(-r));
	if (evasion_options.verbose) {
		printf("    %s of %s:\n", evasion_roles[role], e->name);
		watch_show(w);
	}
	return r == 0;
}

static void tell_missing(const struct watch *w, const struct evasion *e)
{
	tell(FAILED, e->name, "no alert \"%s\" about: %s", e->rule, e->what);
	for (size_t i = 0; i < EXPECT_MAX && e->expect[i].field; i++)
		printf("    expected %s = %s\n", e->expect[i].field, e->expect[i].value);
	watch_show(w);
}

static void test_evasion(const struct evasion *e, void *userdata)
{
	struct watch *w = userdata;
	if (!perform(w, e, ATTEMPT))
		return;
	if (!watch_find(w, e)) {
		tell_missing(w, e);
		return;
	}
	if (!perform(w, e, TWIN))
		return;
	if (watch_find_rule(w, e->rule)) {
		tell(FAILED, e->name, "the harmless twin raised \"%s\" too", e->rule);
		watch_show(w);
		return;
	}
	tell(PASSED, e->name, "%s", e->what);
}

static void skip_evasion(const struct evasion *e, void *userdata)
{
	tell(SKIPPED, e->name, "%s", (const char *)userdata);
}

/* ---- all of them ---- */
static void test_all(const struct stage *s)
{
	struct watch w;
	char reason[4096] = "";
	int r = watch_open(&w, s, "picket", evasion_options.picket, evasion_options.rules, NULL, reason,
	                   sizeof(reason));
	if (r == -EOPNOTSUPP) {
		each_evasion(skip_evasion, reason);
	} else if (r < 0) {
		tell(FAILED, "start", "%s does not start\n%s", evasion_options.picket, reason);
	} else {
		each_evasion(test_evasion, &w);
		r = watch_end(&w, reason, sizeof(reason));
		if (r < 0)
			tell(FAILED, "losses", "%s\n%s", r == -ENODATA ? "events were lost" : strerror(-r), reason);
		else
			tell(PASSED, "losses", "no event was lost");
	}
	watch_close(&w);
}

static void interrupt(int signal)
{
	interrupted = signal;
}

static int run_tests(void)
{
	struct stage stage;
	char reason[512];
	signal(SIGINT, interrupt);
	signal(SIGTERM, interrupt);
	signal(SIGHUP, interrupt);
	if (stage_open(&stage, reason, sizeof(reason)) < 0) {
		each_evasion(skip_evasion, reason);
	} else {
		test_all(&stage);
		stage_close(&stage);
	}
	printf("%u passed, %u failed, %u skipped\n", verdicts[PASSED], verdicts[FAILED], verdicts[SKIPPED]);
	return verdicts[FAILED] || interrupted ? EXIT_FAILURE : EXIT_SUCCESS;
}

int main(int argc, char **argv)
{
	return evasion_main(argc, argv, subjects, ARRAY_SIZE(subjects), run_tests);
}
