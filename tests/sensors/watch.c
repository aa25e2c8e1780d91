/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <stdio.h>

#include "sensors.h"

#define POLL_MAX 100000

int counter_by_name(const char *name)
{
	for (size_t i = 0; i < loader_counter_count(); i++)
		if (strcmp(loader_counter_name(i), name) == 0)
			return (int)i;
	return -1;
}

void watch_counters(const struct watch *w, uint64_t values[64])
{
	memset(values, 0, 64 * sizeof(*values));
	if (loader_counters(w->loader, values, 64))
		fprintf(stderr, "the counters cannot be read\n");
}

uint64_t watch_counter(const struct watch *w, const char *name)
{
	uint64_t values[64];
	int i = counter_by_name(name);

	watch_counters(w, values);
	return i < 0 ? 0 : values[i];
}

static int take(void *userdata, const void *record, size_t length)
{
	struct watch *w = userdata;
	struct enrich_view view;
	struct event event;
	int err = 0;

	if (event_decode(record, length, &event)) {
		w->malformed++;
		if (w->run)
			w->run->broken = true;
		return 0;
	}
	if (!w->enrich)
		return 0;
	err = enrich_event(w->enrich, &event, &view);
	if (err)
		return err;
	if (w->on_event)
		err = w->on_event(w->userdata, &view);
	if (w->run)
		run_take(w->run, &view);
	enrich_event_done(w->enrich, &view);
	return err;
}

static int take_from_ring(void *userdata, const void *record, size_t length)
{
	((struct watch *)userdata)->seen++;
	return take(userdata, record, length);
}

/* Processes that were there before are no events of a case. */
static int take_listed(void *userdata, const void *record, size_t length)
{
	struct watch *w = userdata;
	struct run *run = w->run;
	int err;

	w->run = NULL;
	err = take(w, record, length);
	w->run = run;
	return err;
}

int watch_load(struct watch *w, const struct stage *s, size_t ring_bytes)
{
	struct loader_options options = {
	        .ring_bytes = ring_bytes, .cgroup = s->cgroup, .environment = true, .verbose = verbose};
	const uint64_t all[4] = {UINT64_MAX, UINT64_MAX, UINT64_MAX, UINT64_MAX};
	struct loader_failure failure = {};
	int err = loader_new(&options, &w->loader, &failure);

	if (err) {
		fprintf(stderr, "%s\n%s\n", failure.what, failure.hint);
		return err;
	}
	return loader_set_events(w->loader, all, (const uint64_t[4]){0});
}

int watch_open(struct watch *w, const struct stage *s, size_t ring_bytes)
{
	struct enrich_options enrich = {.live = true};
	int err = watch_load(w, s, ring_bytes);

	if (!err)
		err = enrich_new(&enrich, &w->enrich);
	if (!err)
		err = loader_list_tasks(w->loader, take_listed, w);
	if (err)
		fprintf(stderr, "watch: %s\n", strerror(-err));
	return err;
}

void watch_close(struct watch *w)
{
	loader_free(w->loader);
	enrich_free(w->enrich);
	w->loader = NULL;
	w->enrich = NULL;
}

ssize_t watch_poll(struct watch *w)
{
	return loader_poll(w->loader, POLL_MAX, take_from_ring, w);
}
