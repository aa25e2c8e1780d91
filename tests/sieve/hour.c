/* SPDX-License-Identifier: Apache-2.0
 *
 * test_sieve_hour [-v] [-p PICKET] [-r RULES]
 *
 * Diverse activity in a control group, watched at the same time by a picket with the sieve and by one without: all that
 * their alerts say must be the same, but for times. So for each set of rules: those of this test with RULES, and
 * PICKET_FALCO_RULES, if that is set. Actors act in lanes beside one another.
 *
 * SIEVE_SECONDS (20): how long. SIEVE_LOAD (100): percent of its time that a lane may spend at work. SIEVE_SEED (1).
 * Needs root; without it, all is skipped.
 */
#include <cjson/cJSON.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/clock.h"
#include "sieve.h"

#define LANES 4
#define BUSY_LANES 2              /* the others are for processes that stay, and for containers */
#define PERIOD_NS (10 * NS_PER_S) /* of work, and of collecting alerts */
#define RESIDENT_ACTS 3u /* one of so many in a lane that is not busy; the others are containers, which end at once */
#define LINES_BYTES_MAX (64u << 20)
#define PAIRS_MAX 2
#define RING "64M" /* all that several actors make while the machine is busy otherwise */

static const struct evasion *const subjects[] = {memory_cases, demo_cases,       reach_evasions, name_evasions,
                                                 bit_evasions, log_evasions,     place_evasions, process_evasions,
                                                 run_evasions, network_evasions, hour_cases};
static volatile sig_atomic_t interrupted;

struct lane {
	pid_t pid;                             /* 0: it has ended */
	unsigned acts, impossible, containers; /* written by the lane alone */
};
static struct lane *lanes; /* shared with them */

/* A picket, and what it told. */
struct side {
	struct buf lines; /* of alerts that the other side has not raised, or not yet */
	struct watch watch;
	unsigned long alerts;
	char report[4096];
};

/* One set of rules under two pickets: without the sieve, and with it. */
struct pair {
	const char *name;
	struct side sides[2];
};
static struct pair pairs[PAIRS_MAX];
static size_t pair_count;

static unsigned setting(const char *name, unsigned otherwise)
{
	const char *text = getenv(name);
	unsigned long value = text ? strtoul(text, NULL, 10) : 0;
	return value > 0 && value < UINT32_MAX ? (unsigned)value : otherwise;
}

/* ---- acts ---- */
static size_t others_count(void)
{
	size_t count = 0;
	for (size_t i = 0; subjects[i] != hour_cases; i++)
		for (const struct evasion *e = subjects[i]; e->name; e++)
			count++;
	return count;
}

static const struct evasion *other_any(void)
{
	size_t number = random_below((unsigned)others_count());
	for (size_t i = 0;; i++)
		for (const struct evasion *e = subjects[i]; e->name; e++)
			if (number-- == 0)
				return e;
}

static int act_with_number(struct stage *s, const char *name)
{
	char number[16], last[256];
	snprintf(number, sizeof(number), "%u", random_below(UINT32_MAX));
	s->argument = number;
	int code = stage_act(s, name, evasion_roles[ATTEMPT], last, sizeof(last));
	s->argument = NULL;
	return code;
}

static int act_any(struct stage *s)
{
	char last[256];
	unsigned kind = random_below(60);
	if (kind < 30)
		return act_with_number(s, HOUR_SCRIPT);
	if (kind < 31)
		return act_with_number(s, HOUR_RANDOM);
	const struct evasion *e = other_any();
	/* Lanes would change the one vault under one another, and each picket looks in its own time which file its name is of. */
	if (strstr(e->name, "hard-link"))
		return 0;
	enum evasion_role role = e->twin && random_below(2) ? TWIN : ATTEMPT;
	return stage_act(s, e->name, evasion_roles[role], last, sizeof(last));
}

/* As in a container: in a control group with the name that runtimes give. It stays until the end, and no runtime wrote anything about
 * it: so it does not matter when a picket looks for it.
 */
static int act_in_container(const struct stage *lane, unsigned number)
{
	struct stage s = *lane;
	int length = snprintf(s.cgroup, sizeof(s.cgroup), "%s/docker-%032x%032x.scope", lane->cgroup,
	                      (unsigned)getpid(), number);
	if (length >= (int)sizeof(s.cgroup) || mkdir(s.cgroup, 0755) < 0)
		return -errno;
	return act_with_number(&s, HOUR_CONTAINER);
}

static void sleep_ns(uint64_t ns)
{
	usleep((useconds_t)(ns / 1000));
}

/* So that SIEVE_LOAD holds; and in the second half of each period, in which what pickets told the kernel of the processes that stay
 * remains true: each process that comes into a control group makes it void.
 */
static void rest(uint64_t begin_ns, unsigned load, uint64_t end_ns)
{
	uint64_t now_ns = clock_monotonic_ns();
	uint64_t rest_ns = load < 100 ? (now_ns - begin_ns) * (100 - load) / load : 0;
	uint64_t in_period = (now_ns + rest_ns) % PERIOD_NS;
	if (in_period >= PERIOD_NS / 2)
		rest_ns += PERIOD_NS - in_period;
	if (now_ns < end_ns)
		sleep_ns(MIN(rest_ns, end_ns - now_ns));
}

static _Noreturn void live_in_lane(unsigned number, const struct stage *stage, uint64_t end_ns)
{
	unsigned load = setting("SIEVE_LOAD", 100);
	bool busy = number <= BUSY_LANES;
	struct lane *lane = &lanes[number - 1];
	struct stage s;
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	random_begin(setting("SIEVE_SEED", 1) * 100u + number);
	if (stage_lane(stage, number, &s) < 0)
		_exit(1);
	for (uint64_t begin; (begin = clock_monotonic_ns()) < end_ns;) {
		int code = busy ? act_any(&s)
		           : lane->acts % RESIDENT_ACTS == number - BUSY_LANES
		                   ? act_with_number(&s, HOUR_RESIDENT)
		                   : act_in_container(&s, lane->containers++);
		lane->acts++;
		lane->impossible += code != 0;
		if (busy)
			rest(begin, load, end_ns);
	}
	_exit(0);
}

static int start_lanes(const struct stage *stage, uint64_t end_ns)
{
	for (unsigned i = 0; i < LANES; i++) {
		pid_t pid = fork();
		if (pid < 0)
			return -errno;
		if (pid == 0)
			live_in_lane(i + 1, stage, end_ns);
		lanes[i].pid = pid;
	}
	return 0;
}

static bool some_lane_lives(void)
{
	bool lives = false;
	for (unsigned i = 0; i < LANES; i++) {
		if (lanes[i].pid > 0 && waitpid(lanes[i].pid, NULL, WNOHANG) == lanes[i].pid)
			lanes[i].pid = 0;
		lives |= lanes[i].pid > 0;
	}
	return lives;
}

/* What is left of them after an error: they would keep the stage. */
static void end_lanes(void)
{
	for (unsigned i = 0; i < LANES; i++)
		if (lanes[i].pid > 0 && kill(lanes[i].pid, SIGKILL) == 0)
			waitpid(lanes[i].pid, NULL, 0);
}

/* ---- alerts ---- */
/* Of its clock, its counts, and of the moment in which a picket looked for what it cannot have seen: ancestors that live outside
 * the control group. All else is the same for all that watch.
 */
static bool is_own(const char *field)
{
	static const char *const own[] = {"evt.time",      "evt.num",       "evt.datetime", "evt.rawtime",
	                                  "evt.latency",   "proc.duration", "proc.aname",   "proc.aexe",
	                                  "proc.acmdline", "proc.pname",    "proc.pexe",    "proc.pcmdline"};
	for (size_t i = 0; i < ARRAY_SIZE(own); i++)
		if (strncmp(field, own[i], strlen(own[i])) == 0)
			return true;
	return false;
}

static void add_alert(void *userdata, const cJSON *alert)
{
	struct side *side = userdata;
	const cJSON *fields = cJSON_GetObjectItemCaseSensitive(alert, "output_fields");
	side->alerts++;
	buf_add_text(&side->lines, cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(alert, "rule")));
	for (const cJSON *field = fields ? fields->child : NULL; field; field = field->next) {
		if (is_own(field->string))
			continue;
		char *value = cJSON_PrintUnformatted(field);
		buf_printf(&side->lines, " %s=%s", field->string, value ? value : "?");
		free(value);
	}
	buf_add_char(&side->lines, '\n');
}

static int collect(struct pair *p)
{
	int r = 0;
	for (int sieve = 0; sieve < 2 && r == 0; sieve++)
		r = watch_collect(&p->sides[sieve].watch);
	return r;
}

/* What one has alone may be what the other is about to report, while there is activity. */
static int collect_all(void)
{
	long left = 0;
	for (size_t i = 0; i < pair_count && left >= 0; i++) {
		left = collect(&pairs[i]);
		if (left == 0)
			left = lines_cancel(&pairs[i].sides[0].lines, &pairs[i].sides[1].lines);
	}
	return left < 0 ? (int)left : 0;
}

/* ---- the pickets ---- */
static int open_pair(const struct stage *s, const char *name, const char *rules, const char *more_rules,
                     char *ret_reason, size_t size)
{
	static const char *const suffixes[] = {"without", "with"};
	static char names[PAIRS_MAX][2][64];
	struct pair *p = &pairs[pair_count];
	*p = (struct pair){.name = name};
	for (int sieve = 0; sieve < 2; sieve++) {
		const char *more[] = {"--ring-size", RING, more_rules ? "-r" : NULL, more_rules, NULL, NULL};
		size_t count = more_rules ? 4 : 2;
		more[count] = sieve ? NULL : "--no-sieve";
		char *file = names[pair_count][sieve];
		snprintf(file, sizeof(names[0][0]), "%s-%s", name, suffixes[sieve]);
		buf_init(&p->sides[sieve].lines, LINES_BYTES_MAX);
		int r = watch_open(&p->sides[sieve].watch, s, file, evasion_options.picket, rules, more, ret_reason,
		                   size);
		if (r < 0) {
			for (int i = 0; i <= sieve; i++)
				watch_close(&p->sides[i].watch);
			return r;
		}
		p->sides[sieve].watch.take = add_alert;
		p->sides[sieve].watch.userdata = &p->sides[sieve];
	}
	pair_count++;
	return 0;
}

static int open_pairs(const struct stage *s, char *ret_reason, size_t size)
{
	const char *falco = getenv("PICKET_FALCO_RULES");
	int r = open_pair(s, "own", evasion_options.rules, "tests/sieve/rules.yaml", ret_reason, size);
	if (r == 0 && falco && *falco)
		r = open_pair(s, "falco", falco, NULL, ret_reason, size);
	return r;
}

/* Returns 0; -ENODATA: events were lost, by either. */
static int end_pair(struct pair *p)
{
	int r = 0;
	for (int sieve = 0; sieve < 2; sieve++) {
		int end = watch_end(&p->sides[sieve].watch, p->sides[sieve].report, sizeof(p->sides[sieve].report));
		r = r < 0 ? r : end;
	}
	return r;
}

/* ---- the test ---- */
static bool verdict(struct pair *p, int r)
{
	long differences = lines_cancel(&p->sides[0].lines, &p->sides[1].lines);
	bool good = false;
	printf("%s rules, without the sieve:\n%s\nwith it:\n%s\n", p->name, p->sides[0].report, p->sides[1].report);
	if (r < 0)
		printf("not ok %s: %s\n", p->name, r == -ENODATA ? "events were lost" : strerror(-r));
	else if (differences != 0)
		printf("not ok %s: of %lu alerts, %ld were raised by one alone\n", p->name, p->sides[1].alerts,
		       differences);
	else if (p->sides[1].alerts == 0)
		printf("not ok %s: no alerts to compare\n", p->name);
	else if (!strstr(p->sides[1].report, " sieved "))
		printf("not ok %s: nothing was sieved\n", p->name);
	else
		good = printf("ok %s: %lu alerts, the same without the sieve\n", p->name, p->sides[1].alerts) > 0;
	lines_show(&p->sides[0].lines, &p->sides[1].lines);
	return good;
}

static void report_activity(unsigned seconds)
{
	struct lane sum = {0};
	struct rusage children;
	for (unsigned i = 0; i < LANES; i++) {
		sum.acts += lanes[i].acts;
		sum.impossible += lanes[i].impossible;
		sum.containers += lanes[i].containers;
	}
	getrusage(RUSAGE_CHILDREN, &children);
	printf("%u s; %u acts in %d lanes, %u of them with an error; %u containers; processor time with the pickets' %ld s\n",
	       seconds, sum.acts, LANES, sum.impossible, sum.containers,
	       (long)(children.ru_utime.tv_sec + children.ru_stime.tv_sec));
}

static int act_and_compare(const struct stage *s, unsigned seconds)
{
	int r = start_lanes(s, clock_monotonic_ns() + seconds * NS_PER_S);
	while (r == 0 && some_lane_lives() && !interrupted) {
		uint64_t period = clock_monotonic_ns() / PERIOD_NS;
		while (clock_monotonic_ns() / PERIOD_NS == period && some_lane_lives() && !interrupted)
			usleep(100000);
		r = collect_all();
		if (evasion_options.verbose)
			printf("%lu alerts, %s\n", pairs[0].sides[1].alerts, r < 0 ? strerror(-r) : "compared");
	}
	/* Those of the last moments, in the order in which each has them. */
	return r < 0 ? r : collect_all();
}

static void interrupt(int signal)
{
	interrupted = signal;
}

static int test_with(const struct stage *s)
{
	unsigned seconds = setting("SIEVE_SECONDS", 20);
	char reason[4096] = "";
	bool good = true;
	int r = open_pairs(s, reason, sizeof(reason));
	if (r == -EOPNOTSUPP) {
		printf("skip sieve hour: %s\n", reason);
		return EXIT_SUCCESS;
	}
	if (r == 0)
		r = act_and_compare(s, seconds);
	end_lanes();
	if (r < 0)
		printf("not ok pickets: %s %s\n", strerror(-r), reason);
	for (size_t i = 0; i < pair_count; i++) {
		int end = end_pair(&pairs[i]);
		good = verdict(&pairs[i], end) && good;
		for (int sieve = 0; sieve < 2; sieve++) {
			watch_close(&pairs[i].sides[sieve].watch);
			buf_done(&pairs[i].sides[sieve].lines);
		}
	}
	report_activity(seconds);
	return r == 0 && good && !interrupted ? EXIT_SUCCESS : EXIT_FAILURE;
}

static int run_test(void)
{
	struct stage stage;
	char reason[512];
	setvbuf(stdout, NULL, _IOLBF, 0);
	signal(SIGINT, interrupt);
	signal(SIGTERM, interrupt);
	signal(SIGHUP, interrupt);
	lanes = mmap(NULL, LANES * sizeof(*lanes), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (lanes == MAP_FAILED || stage_open(&stage, reason, sizeof(reason)) < 0) {
		printf("skip sieve hour: %s\n", lanes == MAP_FAILED ? "no memory" : reason);
		return EXIT_SUCCESS;
	}
	int code = test_with(&stage);
	stage_close(&stage);
	return code;
}

int main(int argc, char **argv)
{
	return evasion_main(argc, argv, subjects, ARRAY_SIZE(subjects), run_test);
}
