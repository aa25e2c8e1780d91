/* SPDX-License-Identifier: Apache-2.0
 *
 * The live test of the sensors: a case starts the doer in a control group of its own, takes all events that this makes
 * through the loader and src/enrich, and compares fields, as rule authors see them, with what the case expects.
 *
 * Files of cases (*.cases), a line a statement, # begins a comment:
 *
 *	case NAME             run COMMAND ARG…      what the doer does; the name alone if missing
 *	expect CONDITIONS     exactly one event is like this; each event counts for one expectation only
 *	some CONDITIONS       at least one
 *	none CONDITIONS       not one
 *	allow COUNTER …       counters of schema/errors.def that may grow meanwhile
 *	counts COUNTER …      that must
 *	kernel 6.6            skip on older kernels
 *	machine x86_64        skip on others
 *	preload               the doer starts first, picket after it; then the doer is told to go on
 *	host, container       only there
 *
 * CONDITIONS: field, operator (= != >= <= < > ~: contains), value; "; " between. An event that is compared must be
 * complete, unless a condition says otherwise about evt.incomplete. In values: $D the case's directory, $DOER the
 * doer's path, $PID its process, $CGROUP the control group's path, ${name} what the doer or a launcher printed as name=value.
 *
 * In a container: a launcher is started instead of the doer, with the control group's directory, the case's directory, the
 * doer and its arguments. It runs the doer in a container that sees these paths, with the host's process ids, and may print
 * values of its own. The doer's process is the one that is seen to execute it.
 */
#ifndef PICKET_TESTS_SENSORS_H
#define PICKET_TESTS_SENSORS_H

#include <stdio.h>

#include "base/buf.h"
#include "enrich/enrich.h"
#include "loader/loader.h"

#define EXIT_SKIP 77 /* of the doer: this cannot be done here; the reason is what it printed last */

/* ---- cases: case.c ---- */
enum operator{ OP_EQUAL, OP_DIFFERENT, OP_AT_LEAST, OP_AT_MOST, OP_LESS, OP_MORE, OP_CONTAINS };

struct condition {
	char *field; /* as written */
	struct field_ref ref;
	enum operator op;
	char *value; /* before $ is replaced */
	size_t slot; /* of the case's fields */
};

enum expectation_kind { EXPECT_ONE, EXPECT_SOME, EXPECT_NONE };

struct expectation {
	enum expectation_kind kind;
	int line;
	bool incomplete_allowed;
	struct condition *conditions;
	size_t count;
};

#define CASE_ARGS_MAX 16
#define CASE_FIELDS_MAX 96
struct test_case {
	char *name;
	char *file;
	int line;
	char *args[CASE_ARGS_MAX + 1]; /* for the doer, NULL at the end */
	uint64_t allowed, counted;     /* counters, a bit each */
	unsigned kernel_major, kernel_minor;
	char *machine;
	bool preload, only_host, only_container;
	struct expectation *expectations;
	size_t count;
	struct field_ref fields[CASE_FIELDS_MAX]; /* that its conditions name, each once */
	size_t field_count;
};

struct case_list {
	struct test_case *cases;
	size_t count;
};

/* Reads a file of cases and appends them. Returns 0, -errno; a mistake is shown on stderr. */
int cases_read(const char *file, struct case_list *list) must_check;
void cases_done(struct case_list *list);

/* A field with its argument, the whole of text. ret_ref borrows from it. Returns 0, -errno. */
int field_read(const char *text, struct field_ref *ret_ref) must_check;

/* ---- events as a case sees them: match.c ---- */
struct seen_event {
	char *values[CASE_FIELDS_MAX]; /* text of the case's fields */
	char *summary;                 /* for people */
	bool incomplete, matched;
};

struct variable {
	char *name, *value;
};

#define MEMBERS_MAX 1024
struct run {
	const struct test_case *test;
	const char *doer; /* path */
	struct seen_event *events;
	size_t event_count;
	struct variable *variables;
	size_t variable_count;
	uint32_t pid;                  /* of the doer; 0: not seen yet */
	uint32_t members[MEMBERS_MAX]; /* the doer and the processes that it made */
	size_t member_count;
	bool ended;  /* its last thread has */
	bool broken; /* a record was malformed, or memory short */
};

char *view_text(const struct enrich_view *view, const char *field); /* value of a field; the caller frees */
void run_begin(struct run *r, uint32_t pid);                        /* this process is the doer */
void run_take(struct run *r, struct enrich_view *view); /* keeps the event, if it is of the doer's processes */
void run_set(struct run *r, const char *name, const char *value);
const char *run_get(const struct run *r, const char *name); /* NULL: none */
unsigned run_judge(struct run *r, FILE *out);               /* number of failures, each told to out */
void run_done(struct run *r);

/* ---- where it happens: stage.c ---- */
struct stage {
	char cgroup[256];    /* directory */
	char directory[256]; /* scratch */
	char doer[256];
	char launcher[256];       /* of a container; empty: none */
	const char *cgroup_mount; /* prefix of cgroup to be cut: what remains is its path */
	int cleaner_fd;           /* when its last copy is closed, everything is removed */
	int cleaner_pid;
};

/* Makes them, and a process that removes them however this one ends. Returns 0, -errno; ret_reason says what is
 * missing. launcher: NULL: the doer is started as it is. */
int stage_open(struct stage *s, const char *doer, const char *launcher, char *ret_reason, size_t size) must_check;
void stage_close(struct stage *s);
int stage_case_directory(const struct stage *s, const char *name, char *ret_path, size_t size) must_check;

struct doer {
	int pid;
	int in_fd, out_fd; /* its standard input and output */
	struct buf output;
	bool gone;
	int status;
};
/* Starts the doer (or what command names) in the control group and directory. */
int doer_start(const struct stage *s, const char *directory, char *const args[], struct doer *ret_doer) must_check;
void doer_read(struct doer *d); /* what it has printed by now, and whether it has ended */
void doer_stop(struct doer *d); /* kills it if need be, waits for it */

/* ---- a loader and an enrich that belong together: watch.c ---- */
struct watch {
	struct loader *loader;
	struct enrich *enrich;
	struct run *run;    /* that takes the events; NULL: none */
	unsigned long seen; /* events from the ring */
	unsigned long malformed;
	int (*on_event)(void *userdata, struct enrich_view *view); /* instead of run; may be NULL */
	void *userdata;
};
int watch_load(struct watch *w, const struct stage *s, size_t ring_bytes) must_check; /* the loader alone */
int watch_open(struct watch *w, const struct stage *s, size_t ring_bytes) must_check; /* failure is told on stderr */
void watch_close(struct watch *w);
ssize_t watch_poll(struct watch *w) must_check; /* number of events */
void watch_counters(const struct watch *w, uint64_t values[64]);
uint64_t watch_counter(const struct watch *w, const char *name);
int counter_by_name(const char *name); /* -1: none */

/* ---- verdicts: test_sensors.c ---- */
extern bool verbose;
enum verdict { PASSED, FAILED, SKIPPED };
void tell(enum verdict v, const char *name, const char *format, ...) printf_like(3, 4);
extern uint64_t wait_limit_ns; /* longest time that a case may take */

/* ---- what cannot be said as a case: startup.c ---- */
void test_storm(const struct stage *s);
void test_loss(const struct stage *s);

#endif
