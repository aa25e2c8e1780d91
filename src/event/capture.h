/* SPDX-License-Identifier: Apache-2.0
 *
 * Captures: files of recorded events. A header with the schema's fingerprint, then blocks of records, each compressed by
 * itself (zstd) with its time span and checksum, then an index by time and a trailer. A reader that finds no trailer
 * (the writer died, the file was cut) walks the blocks and yields all that are whole. Not thread-safe.
 */
#ifndef PICKET_EVENT_CAPTURE_H
#define PICKET_EVENT_CAPTURE_H

#include "event/event.h"

struct capture_writer;
/* Creates the file (mode 0600, replaces none: -EEXIST unless force). Returns 0, -errno. */
int capture_writer_new(const char *path, bool force, struct capture_writer **ret_writer) must_check;
/* As above on an open descriptor (a pipe will do: nothing seeks). The writer owns fd. */
int capture_writer_new_fd(int fd, struct capture_writer **ret_writer) must_check;
int capture_writer_add(struct capture_writer *w, const struct event *event) must_check; /* 0, -errno of the write */
int capture_writer_flush(struct capture_writer *w) must_check; /* ends the block: what was added can be read now */
/* Bytes that say something about the recording, between events; a flush goes before it. At most CAPTURE_NOTE_MAX. */
#define CAPTURE_NOTE_MAX 4096
int capture_writer_note(struct capture_writer *w, const void *note, size_t length) must_check;
uint64_t capture_writer_events(const struct capture_writer *w);
uint64_t capture_writer_bytes(const struct capture_writer *w);   /* of the file, without what is not flushed */
int capture_writer_finish(struct capture_writer **w) must_check; /* index, trailer, fsync, close; frees in any case */
void capture_writer_free(struct capture_writer *w); /* without finishing; also for _cleanup_ by a wrapper */

struct capture_reader;
struct capture_info {
	uint64_t events;            /* 0 if not known (no index) */
	uint64_t bytes;             /* of the file; 0: not a regular file */
	uint64_t first_ns, last_ns; /* boot time of the recorded machine; 0 if not known */
	bool complete;              /* has its index and trailer */
};
/* Returns 0; -errno; -EBADMSG: not a capture; -EPROTO: of another schema or version. reterr_text: a sentence for the
 * user on any failure, static or NULL. */
int capture_reader_new(const char *path, struct capture_reader **ret_reader, const char **reterr_text) must_check;
void capture_reader_free(struct capture_reader *r);
void capture_reader_info(const struct capture_reader *r, struct capture_info *ret_info);
uint64_t capture_reader_position(const struct capture_reader *r); /* bytes of the file consumed */
/* The next event, borrowed until the next call. Returns 1; 0 at the end; -EBADMSG: a block is damaged (it is skipped
 * whole, the call after goes on with the next); -errno. */
int capture_reader_next(struct capture_reader *r, struct event *ret_event) must_check;
/* The last note that was gone by, borrowed until the next call; empty: none. */
struct str capture_reader_note(const struct capture_reader *r);
int capture_reader_seek(struct capture_reader *r, uint64_t time_ns) must_check; /* first block that may hold it */

#endif
