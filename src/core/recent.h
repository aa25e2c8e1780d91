/* SPDX-License-Identifier: Apache-2.0
 *
 * The host's recent history: a ring of captures on disk, so that new content can be judged by what really happened here.
 * Each segment begins with all that is known of processes, users and containers, and can be replayed by itself; the oldest
 * goes when there is no room.
 *
 * What is kept: what the tables need and every exec, connection, credential and module event (ALWAYS); what writes or changes
 * files (WRITES); what the rules in force let pass anyway (PASSED); and all that there is for a short window now and then
 * (SAMPLE). Each kind has a rate, and what is over it is left out, counted, and no longer asked for from the kernel for a while.
 * A thread of its own compresses and writes: a slow or full disk never holds events up. Not thread-safe.
 */
#ifndef PICKET_CORE_RECENT_H
#define PICKET_CORE_RECENT_H

#include "base/json.h"
#include "core/live.h"

#define RECENT_BYTES_DEFAULT (64u << 20)
#define RECENT_BYTES_MIN (4u << 20)
#define RECENT_BYTES_MAX (64ull << 30)
#define RECENT_DIRECTORY "recent" /* in picket's state directory */

enum recent_kind { RECENT_ALWAYS, RECENT_WRITES, RECENT_PASSED, RECENT_SAMPLE, RECENT_KINDS };
const char *recent_kind_name(enum recent_kind kind); /* "always" … */

/* What a recorder says of a segment, as far as it got: counts since the segment began. */
#define RECENT_NOTE_VERSION 1
struct recent_note {
	uint64_t version;
	uint64_t watched_ns;             /* it was recorded */
	uint64_t window_ns;              /* of that, everything that happened */
	uint64_t shed_ns;                /* of that, without what is dear: too much of it happened */
	uint64_t windows, windows_cut;   /* cut: they had seen enough before their time */
	uint64_t recorded[RECENT_KINDS]; /* events */
	uint64_t left_out[RECENT_KINDS];
};

struct recent_options {
	const char *directory; /* is made, for its owner alone */
	uint64_t bytes_max;    /* of all segments together */
};

struct recent;
/* Touches no file yet. options are copied. Returns 0, -ENOMEM. */
int recent_new(const struct recent_options *options, struct recent **ret_recent) must_check;
void recent_free(struct recent *r); /* ends the segment; NULL is allowed */
/* All processes are known, no event was given yet. live, pipeline: borrowed. live NULL: nothing is asked for. */
void recent_start(struct recent *r, struct live *live, struct pipeline *pipeline);
/* The consumer's two calls, beside the judge's. */
void recent_event(struct recent *r, const struct enrich_view *view);
void recent_context(struct recent *r, const struct event *event);
/* Is an event of that kind asked for whatever rules want? Then that no rule matched it says nothing about its process. */
bool recent_wants(const struct recent *r, const struct event *event);
void recent_turn(struct recent *r, uint64_t boot_now_ns);     /* between events, at least ten times a second */
void recent_report(const struct recent *r, struct json *out); /* key "recent" of the object at hand */

/* ---- the segments, for who reads them ---- */

#define RECENT_SEGMENTS_MAX 1024
struct recent_segment {
	char name[64];   /* in the directory */
	uint64_t run_ns; /* when the recorder began that wrote it, since 1970 */
	uint64_t number; /* of the segments of that run */
	uint64_t bytes;
};
/* In the order of time; files of other names are not told. Returns 0; -ENOENT: there is no such directory; -errno.
 * ret_segments: free(). */
int recent_list(const char *directory, struct recent_segment **ret_segments, size_t *ret_count) must_check;
/* Returns whether text is a note that this picket understands. */
bool recent_read_note(struct str text, struct recent_note *ret_note);
void recent_note_add(struct recent_note *to, const struct recent_note *n);

#endif
