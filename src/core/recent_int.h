/* SPDX-License-Identifier: Apache-2.0
 *
 * Between the recorder, which takes events, and its writer, which has a thread of its own.
 */
#ifndef PICKET_CORE_RECENT_INT_H
#define PICKET_CORE_RECENT_INT_H

#include "core/recent.h"

#define RECENT_SEGMENT_NAME "%016llx-%06llx.capture" /* of run and number: their order is that of time */
#define RECENT_SEGMENTS 16                           /* about so many make the ring */

/* Records on their way to the disk: each at a multiple of 8 bytes. */
struct recent_chunk {
	struct recent_chunk *next;
	struct buf records;
	uint64_t events;
	bool begins;             /* a segment, with a snapshot */
	uint64_t run_ns, number; /* of the segment, if it begins one */
	bool noted;
	struct recent_note note; /* of the segment up to here, if noted */
};
struct recent_chunk *recent_chunk_new(size_t bytes_max); /* NULL: no memory */
void recent_chunk_free(struct recent_chunk *c);          /* NULL is allowed */

struct recent_writer;
/* Starts its thread. Returns 0, -errno. */
int recent_writer_new(const char *directory, uint64_t bytes_max, struct recent_writer **ret_writer) must_check;
void recent_writer_free(struct recent_writer *w); /* writes what waits, ends the segment; NULL is allowed */
/* Takes the chunk over. Returns 0; -EAGAIN: too much is waiting, and it is dropped. */
int recent_writer_put(struct recent_writer *w, struct recent_chunk *c) must_check;

struct recent_written {
	int error; /* of the last segment that was put: what comes until another begins is not written; 0: all is well */
	uint64_t segment_bytes; /* of the present one */
	uint64_t bytes;         /* of all */
	uint64_t segments;      /* that are there */
	uint64_t events, not_written;
	uint64_t failures; /* segments that ended by an error */
};
void recent_writer_get(struct recent_writer *w, struct recent_written *ret_written);

#endif
