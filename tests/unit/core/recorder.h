/* SPDX-License-Identifier: Apache-2.0
 *
 * For tests: a recorder on a built stream, in a directory of its own. Its clock is the stream's.
 */
#ifndef PICKET_TESTS_UNIT_CORE_RECORDER_H
#define PICKET_TESTS_UNIT_CORE_RECORDER_H

#include <dirent.h>
#include <fcntl.h>
#include <limits.h>
#include <unistd.h>

#include "core/recent.h"
#include "stream.h"

struct recorder {
	char directory[PATH_MAX];
	const char *name;      /* of process 100; NULL: cat */
	struct recent *recent; /* NULL: it has ended */
	struct stream stream;
};

static inline int recorder_event(void *userdata, struct enrich_view *view, struct arena *arena)
{
	struct recorder *r = userdata;
	(void)arena;
	if (r->recent)
		recent_event(r->recent, view);
	return 0;
}

static inline int recorder_context(void *userdata, const struct event *event)
{
	struct recorder *r = userdata;
	if (r->recent)
		recent_context(r->recent, event);
	return 0;
}

static inline void recorder_turn(struct recorder *r)
{
	recent_turn(r->recent, r->stream.time_ns);
}

static inline void recorder_wait(struct recorder *r, uint64_t ns)
{
	r->stream.time_ns += ns;
	recorder_turn(r);
}

/* Begins after 100 s, of which all processes are known: 100 is cat or as it is named, 101 dog. */
static inline void recorder_begin(struct recorder *r, uint64_t bytes_max)
{
	const struct recent_options options = {.directory = r->directory, .bytes_max = bytes_max};
	r->stream = (struct stream){.time_ns = 100 * NS_PER_S};
	must(pipeline_new(&(struct pipeline_options){.consumer = {recorder_event, recorder_context, r}},
	                  &r->stream.pipeline));
	must(recent_new(&options, &r->recent));
	stream_host(&r->stream);
	stream_process(&r->stream, 100, r->name ? r->name : "cat");
	stream_process(&r->stream, 101, "dog");
	recent_start(r->recent, NULL, r->stream.pipeline);
	recorder_turn(r);
}

static inline void recorder_end(struct recorder *r)
{
	recent_free(r->recent);
	r->recent = NULL;
	pipeline_free(r->stream.pipeline);
	r->stream.pipeline = NULL;
}

static inline void directory_make(char *path, size_t size)
{
	snprintf(path, size, "/tmp/picket-recent-XXXXXX");
	assert_non_null(mkdtemp(path));
}

static inline void directory_remove(const char *path)
{
	DIR *d = opendir(path);
	struct dirent *entry;
	while (d && (entry = readdir(d)))
		if (entry->d_name[0] != '.')
			unlinkat(dirfd(d), entry->d_name, 0);
	if (d)
		closedir(d);
	rmdir(path);
}

#endif
