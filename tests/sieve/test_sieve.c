/* SPDX-License-Identifier: Apache-2.0
 *
 * test_sieve [-v] [-k PATTERN] [-p PICKET] [-r RULES]
 *
 * See sieve.h. Needs root; without it, everything is skipped.
 */
#include "sieve.h"

#include <cjson/cJSON.h>
#include <ctype.h>
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/buf.h"

#define LINES_BYTES_MAX (64u << 20)
#define CASES_MAX 256

enum verdict { PASSED, FAILED, SKIPPED };
static unsigned verdicts[3];
static const char *const own_rules = "tests/sieve/rules.yaml";
static volatile sig_atomic_t interrupted;

static const struct evasion *const subjects[] = {memory_cases,   demo_cases,    random_cases,     connect_cases,
                                                 reach_evasions, name_evasions, bit_evasions,     log_evasions,
                                                 place_evasions, run_evasions,  process_evasions, network_evasions};

/* An actor's part, and the alerts that it raised, a line each: with the sieve, and without. */
struct part {
	const struct evasion *evasion;
	enum evasion_role role;
	int code[2]; /* of the actor, or -errno */
	bool expected[2];
	size_t alerts;
	char reason[256]; /* the last that it said */
	struct buf lines[2];
};
static struct part parts[CASES_MAX];
static size_t part_count;

static void tell(enum verdict v, const char *name, const char *role, const char *text)
{
	static const char *const words[] = {"ok  ", "FAIL", "skip"};
	verdicts[v]++;
	printf("%s %s %s: %s\n", words[v], name, role, text);
	fflush(stdout);
}

static void list_parts(void)
{
	for (size_t i = 0; i < ARRAY_SIZE(subjects); i++)
		for (const struct evasion *e = subjects[i]; e->name; e++)
			for (enum evasion_role role = ATTEMPT; role < EVASION_ROLES && part_count < CASES_MAX; role++) {
				if ((role == TWIN && !e->twin) || !evasion_is_selected(e))
					continue;
				struct part *p = &parts[part_count++];
				*p = (struct part){.evasion = e, .role = role};
				buf_init(&p->lines[0], LINES_BYTES_MAX);
				buf_init(&p->lines[1], LINES_BYTES_MAX);
			}
}

/* ---- what an alert says, apart from numbers, which differ from run to run ---- */

static void add_value(struct buf *out, const cJSON *value)
{
	const char *text = cJSON_GetStringValue(value);
	bool digit = false;
	for (; text && *text; text++) {
		if (!isdigit((unsigned char)*text))
			buf_add_char(out, *text);
		else if (!digit)
			buf_add_char(out, '#');
		digit = isdigit((unsigned char)*text);
	}
	if (cJSON_IsNumber(value))
		buf_printf(out, "%s", cJSON_GetNumberValue(value) < 0 ? "negative" : "number");
}

static void add_line(struct buf *out, const cJSON *alert)
{
	static const char *const fields[] = {"evt.type",    "evt.rawres",   "evt.res",   "fd.name",     "fd.nameraw",
	                                     "fd.filename", "fd.directory", "proc.name", "proc.exepath"};
	const cJSON *values = cJSON_GetObjectItemCaseSensitive(alert, "output_fields");
	add_value(out, cJSON_GetObjectItemCaseSensitive(alert, "rule"));
	for (size_t i = 0; i < ARRAY_SIZE(fields); i++) {
		buf_printf(out, " | ");
		add_value(out, cJSON_GetObjectItemCaseSensitive(values, fields[i]));
	}
	buf_add_char(out, '\n');
}

/* ---- one run of everything ---- */

static void perform(struct watch *w, struct part *p, bool sieve)
{
	char last[512] = "";
	int code = stage_act(w->stage, p->evasion->name, evasion_roles[p->role], last, sizeof(last));
	if (code == 0)
		code = watch_collect(w);
	p->code[sieve] = code;
	if (code != 0)
		snprintf(p->reason, sizeof(p->reason), "%s", code < 0 ? strerror(-code) : last);
	p->expected[sieve] = watch_find(w, p->evasion) != NULL;
	p->alerts = w->alert_count;
	for (size_t i = 0; i < w->alert_count; i++)
		add_line(&p->lines[sieve], w->alerts[i]);
	if (evasion_options.verbose) {
		printf("    %s of %s, %s: %zu alerts\n", evasion_roles[p->role], p->evasion->name,
		       sieve ? "sieve" : "no sieve", w->alert_count);
		watch_show(w);
	}
}

/* Returns 0; -EOPNOTSUPP: picket says that it cannot run here. */
static int perform_all(bool sieve, char *ret_reason, size_t size)
{
	const char *const more[] = {"-r", own_rules, sieve ? NULL : "--no-sieve", NULL};
	struct stage stage;
	struct watch w;
	int r = stage_open(&stage, ret_reason, size);
	if (r < 0)
		return -EOPNOTSUPP;
	r = watch_open(&w, &stage, "picket", evasion_options.picket, evasion_options.rules, more, ret_reason, size);
	for (size_t i = 0; i < part_count && r == 0 && !interrupted; i++)
		perform(&w, &parts[i], sieve);
	if (r == 0) {
		r = watch_end(&w, ret_reason, size);
		if (evasion_options.verbose || r < 0)
			printf("%s\n", ret_reason);
		if (r == 0 && sieve != (strstr(ret_reason, " sieved ") != NULL))
			tell(FAILED, "picket", sieve ? "sieve" : "no sieve",
			     sieve ? "nothing was sieved" : "something was sieved");
	}
	watch_close(&w);
	stage_close(&stage);
	return r;
}

/* ---- both compared ---- */

static void judge(struct part *p)
{
	const char *name = p->evasion->name, *role = evasion_roles[p->role];
	char text[128];
	if (p->code[0] == EXIT_SKIP && p->code[1] == EXIT_SKIP)
		tell(SKIPPED, name, role, p->reason);
	else if (p->code[0] || p->code[1])
		tell(FAILED, name, role, p->reason);
	else if (lines_cancel(&p->lines[0], &p->lines[1]) != 0) {
		tell(FAILED, name, role, "the alerts differ");
		lines_show(&p->lines[0], &p->lines[1]);
	} else if (!p->evasion->twin && !p->expected[1]) /* of the cases of this test */
		tell(FAILED, name, role, "the alert that it must raise is missing");
	else {
		snprintf(text, sizeof(text), "%zu alerts, the same without the sieve", p->alerts);
		tell(PASSED, name, role, text);
	}
}

static void interrupt(int signal)
{
	interrupted = signal;
}

static int run_tests(void)
{
	char reason[4096] = "";
	signal(SIGINT, interrupt);
	signal(SIGTERM, interrupt);
	signal(SIGHUP, interrupt);
	list_parts();
	int r = perform_all(false, reason, sizeof(reason));
	if (r == 0)
		r = perform_all(true, reason, sizeof(reason));
	if (r == -EOPNOTSUPP)
		tell(SKIPPED, "all", "", reason);
	else if (r < 0)
		tell(FAILED, "picket", "", r == -ENODATA ? "events were lost" : reason);
	for (size_t i = 0; i < part_count && r != -EOPNOTSUPP; i++)
		judge(&parts[i]);
	for (size_t i = 0; i < part_count; i++) {
		buf_done(&parts[i].lines[0]);
		buf_done(&parts[i].lines[1]);
	}
	printf("%u passed, %u failed, %u skipped\n", verdicts[PASSED], verdicts[FAILED], verdicts[SKIPPED]);
	return verdicts[FAILED] || interrupted ? EXIT_FAILURE : EXIT_SUCCESS;
}

int main(int argc, char **argv)
{
	return evasion_main(argc, argv, subjects, ARRAY_SIZE(subjects), run_tests);
}
