/* SPDX-License-Identifier: Apache-2.0
 *
 * Processes that come and go while picket starts, and events that do not fit.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "sensors.h"

#define PAUSE_US 1000

static int start(const struct stage *s, const char *name, const char *command, const char *argument,
                 struct doer *ret_doer)
{
	char directory[512];
	char *args[] = {(char *)s->doer, (char *)command, (char *)argument, NULL};
	int err = stage_case_directory(s, name, directory, sizeof(directory));

	return err ? err : doer_start(s, directory, args, ret_doer);
}

/* ---- a storm of processes during the start ---- */
#define LEAVES_MAX 100000
#define LEAVES_WANTED 200 /* after the start */

struct storm {
	char parent[16], directory[512];
	const struct stage *stage;
	unsigned char execs[LEAVES_MAX], opens[LEAVES_MAX], exits[LEAVES_MAX];
	unsigned misattributed, ended;
	char example[300];
};

static void storm_check(struct storm *t, const struct enrich_view *view, const char *field, const char *wanted)
{
	_cleanup_(base_free_ptr) char *text = view_text(view, field);

	/* What is not known may be missing if the event says so ("./" is an unknown working directory); it may never be
	 * another's. */
	if (text && (strcmp(text, wanted) == 0 || (view->incomplete && (!strcmp(text, "<NA>") || !strcmp(text, "./")))))
		return;
	if (!t->misattributed++)
		snprintf(t->example, sizeof(t->example), "%s is \"%.100s\" instead of \"%.100s\"%s", field,
		         text ? text : "", wanted, view->incomplete ? ", incomplete" : "");
}

static bool leaf_number(const char *text, const char *mark, unsigned *ret_number)
{
	const char *at = text ? strstr(text, mark) : NULL;

	return at && sscanf(at + strlen(mark), "%u", ret_number) == 1 && *ret_number < LEAVES_MAX;
}

static int storm_event(void *userdata, struct enrich_view *view)
{
	struct storm *t = userdata;
	_cleanup_(base_free_ptr) char *args = view_text(view, "proc.args"), *name = view_text(view, "fd.name");
	unsigned n;

	if (view->event.header->type == EVENT_openat && leaf_number(name, "/leaf-", &n)) {
		char wanted[64];
		snprintf(wanted, sizeof(wanted), "storm-leaf %u", n);
		t->opens[n]++;
		storm_check(t, view, "proc.args", wanted);
		storm_check(t, view, "proc.name", "doer");
		storm_check(t, view, "proc.exepath", t->stage->doer);
		storm_check(t, view, "proc.ppid", t->parent);
		storm_check(t, view, "proc.apid[1]", t->parent);
		storm_check(t, view, "proc.pname", "doer");
		storm_check(t, view, "proc.aargs[1]", "storm");
		storm_check(t, view, "proc.cwd", t->directory);
		storm_check(t, view, "user.uid", "0");
	}
	if (view->event.header->type == EVENT_execve && leaf_number(args, "storm-leaf ", &n))
		t->execs[n]++;
	if (view->event.header->type == EVENT_procexit && leaf_number(args, "storm-leaf ", &n)) {
		t->exits[n]++;
		t->ended++;
	}
	return 0;
}

static unsigned leaves_made(const struct storm *t)
{
	char path[600];
	unsigned n = 0;

	for (;; n++) {
		snprintf(path, sizeof(path), "%sleaf-%u", t->directory, n);
		if (access(path, F_OK))
			return n;
	}
}

/* Takes events until the doer has ended, or has made so many leaves. */
static int storm_collect(struct storm *t, struct watch *w, struct doer *d, unsigned leaves)
{
	uint64_t begin = clock_monotonic_ns();
	ssize_t n = 0;

	while (n > 0 || (!d->gone && t->ended < leaves && clock_monotonic_ns() - begin < wait_limit_ns)) {
		n = watch_poll(w);
		if (n < 0)
			return (int)n;
		doer_read(d);
		if (n == 0)
			usleep(PAUSE_US);
	}
	return 0;
}

static void storm_judge(const struct storm *t, const struct watch *w, unsigned first)
{
	unsigned last = leaves_made(t), missing = 0;

	for (unsigned n = first; n < last; n++)
		missing += t->execs[n] != 1 || t->opens[n] != 1 || t->exits[n] != 1;
	if (last < first + LEAVES_WANTED / 2)
		tell(FAILED, "startup-storm", "only %u processes after the start", last - first);
	else if (t->misattributed)
		tell(FAILED, "startup-storm", "%u times: %s", t->misattributed, t->example);
	else if (missing || w->malformed)
		tell(FAILED, "startup-storm", "%u of %u processes not seen whole, %lu malformed", missing, last - first,
		     w->malformed);
	else if (watch_counter(w, "ring_full"))
		tell(FAILED, "startup-storm", "the ring was full");
	else
		tell(PASSED, "startup-storm", "%u processes, %u of them before the start", last, first);
}

void test_storm(const struct stage *s)
{
	struct storm *t = calloc(1, sizeof(*t));
	struct watch w = {.on_event = storm_event, .userdata = t};
	struct doer d;
	unsigned first = 0;
	int err = t ? start(s, "startup-storm", "storm", NULL, &d) : -ENOMEM;

	if (err) {
		tell(FAILED, "startup-storm", "%s", strerror(-err));
		free(t);
		return;
	}
	t->stage = s;
	snprintf(t->parent, sizeof(t->parent), "%d", d.pid);
	snprintf(t->directory, sizeof(t->directory), "%s/startup-storm/", s->directory);
	usleep(50000);
	err = watch_open(&w, s, 0);
	first = leaves_made(t) + 1; /* the next may have been started before */
	if (!err)
		err = storm_collect(t, &w, &d, LEAVES_WANTED);
	if (!err && write(d.in_fd, "\n", 1) != 1)
		err = -errno;
	if (!err)
		err = storm_collect(t, &w, &d, LEAVES_MAX);
	if (err)
		tell(FAILED, "startup-storm", "%s", strerror(-err));
	else
		storm_judge(t, &w, first);
	doer_stop(&d);
	watch_close(&w);
	free(t);
}

/* ---- a ring that is too small ---- */
#define FLOOD "3000"
#define FLOOD_EVENTS 3000

/* Runs the flood without reading meanwhile. ret_made: events that the sensors made, lost ones too. */
static int flood(struct watch *w, const struct stage *s, const char *name, size_t ring_bytes, uint64_t *ret_written,
                 uint64_t *ret_lost)
{
	struct doer d;
	int err = watch_load(w, s, ring_bytes);

	if (!err)
		err = start(s, name, "flood", FLOOD, &d);
	if (err)
		return err;
	if (waitpid(d.pid, &d.status, 0) != d.pid)
		err = -errno;
	d.gone = true;
	doer_stop(&d);
	*ret_written = watch_counter(w, "events");
	*ret_lost = watch_counter(w, "ring_full");
	return err;
}

void test_loss(const struct stage *s)
{
	uint64_t all = 0, all_lost = 0, written = 0, lost = 0;
	struct watch big = {}, small = {};
	int err = flood(&big, s, "loss-big", 8u << 20, &all, &all_lost);

	if (!err)
		err = flood(&small, s, "loss-tny", 64u << 10, &written, &lost);
	while (!err && watch_poll(&small) > 0)
		;
	if (err)
		tell(FAILED, "loss-exact", "%s", strerror(-err));
	else if (all_lost || all < FLOOD_EVENTS)
		tell(FAILED, "loss-exact", "a large ring lost %llu of %llu", (unsigned long long)all_lost,
		     (unsigned long long)all);
	else if (!lost || written + lost != all || small.seen != written || small.malformed)
		tell(FAILED, "loss-exact",
		     "%llu made; a small ring has %llu, %llu counted lost; %lu read, %lu malformed",
		     (unsigned long long)all, (unsigned long long)written, (unsigned long long)lost, small.seen,
		     small.malformed);
	else
		tell(PASSED, "loss-exact", "%llu made = %lu read + %llu counted lost", (unsigned long long)all,
		     small.seen, (unsigned long long)lost);
	watch_close(&big);
	watch_close(&small);
}
