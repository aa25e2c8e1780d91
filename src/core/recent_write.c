/* SPDX-License-Identifier: Apache-2.0
 *
 * The thread that writes. It alone touches files; what it shares with the recorder stands under the lock.
 */
#include "core/recent_int.h"

#include <errno.h>
#include <limits.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "event/capture.h"

#define QUEUE_BYTES_MAX (8u << 20) /* of records that wait; a snapshot always finds room */
/* What a file needs beside its records: heads, notes, trailer; and an index, which is smaller than its blocks. */
#define FRAME_BYTES 4096
#define INDEX_SHARE 8

struct recent_writer {
	char directory[PATH_MAX];
	uint64_t bytes_max;
	pthread_t thread;
	/* Of the thread alone. */
	struct capture_writer *capture; /* NULL: no segment is open */
	char path[PATH_MAX + 64];       /* of the open segment */
	uint64_t others;                /* bytes of the other segments */
	uint64_t others_count;
	/* Under the lock. */
	pthread_mutex_t lock;
	pthread_cond_t filled;
	struct recent_chunk *first, **last;
	size_t queued;
	bool ends;
	struct recent_written written;
};

struct recent_chunk *recent_chunk_new(size_t bytes_max)
{
	struct recent_chunk *c = calloc(1, sizeof(*c));
	if (c)
		buf_init(&c->records, bytes_max);
	return c;
}

void recent_chunk_free(struct recent_chunk *c)
{
	if (!c)
		return;
	buf_done(&c->records);
	free(c);
}

/* ---- room ---- */

/* The oldest segments go until there is room for that much. The open one is not among them: it is the newest. */
static int make_room(struct recent_writer *w, uint64_t wanted)
{
	_cleanup_(base_free_ptr) struct recent_segment *list = NULL;
	size_t count = 0;
	int r = recent_list(w->directory, &list, &count);
	const char *open = w->capture ? strrchr(w->path, '/') + 1 : "";
	if (r < 0)
		return r;
	w->others = w->others_count = 0;
	for (size_t i = 0; i < count; i++) {
		if (strcmp(list[i].name, open) == 0)
			continue;
		w->others += list[i].bytes;
		w->others_count++;
	}
	for (size_t i = 0; i < count && w->others + wanted > w->bytes_max; i++) {
		char path[PATH_MAX + 64];
		if (strcmp(list[i].name, open) == 0)
			continue;
		snprintf(path, sizeof(path), "%s/%s", w->directory, list[i].name);
		if (unlink(path) < 0 && errno != ENOENT)
			return -errno;
		w->others -= list[i].bytes;
		w->others_count--;
	}
	return w->others + wanted > w->bytes_max ? -ENOSPC : 0;
}

static uint64_t open_bytes(const struct recent_writer *w)
{
	return w->capture ? capture_writer_bytes(w->capture) : 0;
}

/* Records never grow by being written: a block that does not compress is a little larger, which the frame allows for. */
static int need_room(struct recent_writer *w, const struct recent_chunk *c)
{
	uint64_t records = open_bytes(w) + c->records.length;
	uint64_t wanted = records + records / INDEX_SHARE + FRAME_BYTES;
	return w->others + wanted > w->bytes_max ? make_room(w, wanted) : 0;
}

/* ---- segments ---- */

static int end_segment(struct recent_writer *w)
{
	return w->capture ? capture_writer_finish(&w->capture) : 0;
}

/* What could not be finished stays as far as it got; a file without any event does not. */
static void give_up_segment(struct recent_writer *w)
{
	bool empty = w->capture && capture_writer_events(w->capture) == 0;
	capture_writer_free(w->capture);
	w->capture = NULL;
	if (empty)
		(void)unlink(w->path);
}

static int begin_segment(struct recent_writer *w, const struct recent_chunk *c)
{
	int r = end_segment(w);
	if (r == 0)
		r = file_make_dirs(w->directory, 0700);
	if (r == 0)
		r = make_room(w, FRAME_BYTES);
	if (r < 0)
		return r;
	snprintf(w->path, sizeof(w->path), "%s/" RECENT_SEGMENT_NAME, w->directory, (unsigned long long)c->run_ns,
	         (unsigned long long)c->number);
	r = capture_writer_new(w->path, false, &w->capture);
	if (r < 0 && r != -EEXIST)
		(void)unlink(w->path);
	return r;
}

static int write_records(struct recent_writer *w, const struct recent_chunk *c)
{
	int r = 0;
	for (size_t at = 0; at < c->records.length && r == 0;) {
		struct event event;
		r = event_decode(c->records.data + at, c->records.length - at, &event);
		if (r == 0)
			r = capture_writer_add(w->capture, &event);
		at += r == 0 ? (event.header->length + 7) & ~(size_t)7 : 0;
	}
	return r;
}

static int write_chunk(struct recent_writer *w, const struct recent_chunk *c)
{
	int r = c->begins ? begin_segment(w, c) : w->capture ? 0 : -ENOTCONN;
	if (r == 0)
		r = need_room(w, c);
	if (r == 0)
		r = write_records(w, c);
	if (r == 0)
		r = capture_writer_flush(w->capture);
	if (r == 0 && c->noted)
		r = capture_writer_note(w->capture, &c->note, sizeof(c->note));
	if (r < 0)
		give_up_segment(w);
	return r;
}

/* ---- the thread ---- */

static struct recent_chunk *take_chunk(struct recent_writer *w)
{
	pthread_mutex_lock(&w->lock);
	while (!w->first && !w->ends)
		pthread_cond_wait(&w->filled, &w->lock);
	struct recent_chunk *c = w->first;
	if (c) {
		w->first = c->next;
		if (!w->first)
			w->last = &w->first;
		w->queued -= c->records.length;
	}
	pthread_mutex_unlock(&w->lock);
	return c;
}

static void tell_written(struct recent_writer *w, const struct recent_chunk *c, int error)
{
	struct recent_written *to = &w->written;
	pthread_mutex_lock(&w->lock);
	if (error != -ENOTCONN) { /* without a segment nothing new went wrong */
		to->failures += error < 0;
		to->error = error;
	}
	*(error < 0 ? &to->not_written : &to->events) += c->events;
	to->segment_bytes = open_bytes(w);
	to->bytes = w->others + to->segment_bytes;
	to->segments = w->others_count + (w->capture != NULL);
	pthread_mutex_unlock(&w->lock);
}

static void *run(void *userdata)
{
	struct recent_writer *w = userdata;
	struct recent_chunk *c;
	while ((c = take_chunk(w))) {
		tell_written(w, c, write_chunk(w, c));
		recent_chunk_free(c);
	}
	if (end_segment(w) < 0)
		give_up_segment(w);
	return NULL;
}

/* ---- the object ---- */

int recent_writer_new(const char *directory, uint64_t bytes_max, struct recent_writer **ret_writer)
{
	struct recent_writer *w = calloc(1, sizeof(*w));
	if (!w)
		return -ENOMEM;
	snprintf(w->directory, sizeof(w->directory), "%s", directory);
	w->bytes_max = bytes_max;
	w->last = &w->first;
	pthread_mutex_init(&w->lock, NULL);
	pthread_cond_init(&w->filled, NULL);
	int r = pthread_create(&w->thread, NULL, run, w);
	if (r != 0) {
		free(w);
		return -r;
	}
	*ret_writer = w;
	return 0;
}

void recent_writer_free(struct recent_writer *w)
{
	if (!w)
		return;
	pthread_mutex_lock(&w->lock);
	w->ends = true;
	pthread_cond_signal(&w->filled);
	pthread_mutex_unlock(&w->lock);
	pthread_join(w->thread, NULL);
	pthread_cond_destroy(&w->filled);
	pthread_mutex_destroy(&w->lock);
	free(w);
}

int recent_writer_put(struct recent_writer *w, struct recent_chunk *c)
{
	pthread_mutex_lock(&w->lock);
	bool fits = c->begins || w->queued + c->records.length <= QUEUE_BYTES_MAX;
	if (fits && c->begins)
		w->written.error = 0;
	if (fits) {
		*w->last = c;
		w->last = &c->next;
		w->queued += c->records.length;
		pthread_cond_signal(&w->filled);
	} else {
		w->written.not_written += c->events;
	}
	pthread_mutex_unlock(&w->lock);
	if (!fits)
		recent_chunk_free(c);
	return fits ? 0 : -EAGAIN;
}

void recent_writer_get(struct recent_writer *w, struct recent_written *ret_written)
{
	pthread_mutex_lock(&w->lock);
	*ret_written = w->written;
	pthread_mutex_unlock(&w->lock);
}
