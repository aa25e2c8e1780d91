/* SPDX-License-Identifier: Apache-2.0
 *
 * The recorder: what is kept, how much of it, and when a segment begins.
 */
#include "core/recent_int.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/clock.h"
#include "core/log.h"

#define CHUNK_BYTES (256u << 10)
#define SNAPSHOT_BYTES_MAX (256u << 20)
#define HAND_OVER_NS (2 * NS_PER_S)
#define BETWEEN_SEGMENTS_NS (10 * NS_PER_S) /* at least, for a snapshot is dear */
#define RETRY_NS (30 * NS_PER_S)
#define WINDOW_NS (100 * NS_PER_MS)
#define WINDOW_EVERY_NS (10 * NS_PER_S)
#define SHED_NS (30 * NS_PER_S)
#define BYTES_A_SECOND (8u << 20) /* of records, before they are compressed */

/* Events a second; of SAMPLE, in a window. What is offered twice as often is not asked for for SHED_NS. */
static const uint64_t rates[RECENT_KINDS] = {
        [RECENT_ALWAYS] = 20000, [RECENT_WRITES] = 5000, [RECENT_PASSED] = 2000, [RECENT_SAMPLE] = 2000};

/* Beside those that the tables need. */
static const enum event_type always[] = {
        EVENT_execveat,
        EVENT_memfd_create,
        EVENT_connect,
        EVENT_accept,
        EVENT_accept4,
        EVENT_bind,
        EVENT_listen,
        EVENT_setgroups,
        EVENT_init_module,
        EVENT_finit_module,
        EVENT_delete_module,
        EVENT_kexec_load,
        EVENT_kexec_file_load,
        EVENT_bpf,
        EVENT_ptrace,
        EVENT_process_vm_readv,
        EVENT_process_vm_writev,
        EVENT_pidfd_getfd,
        EVENT_move_mount,
        EVENT_pivot_root,
        EVENT_umount,
        EVENT_umount2,
};
/* Beside opens for writing. */
static const enum event_type writes[] = {
        EVENT_creat,    EVENT_rename, EVENT_renameat, EVENT_renameat2, EVENT_link,     EVENT_linkat,    EVENT_unlink,
        EVENT_unlinkat, EVENT_rmdir,  EVENT_mknod,    EVENT_mknodat,   EVENT_truncate, EVENT_ftruncate,
};

struct recent {
	char directory[PATH_MAX];
	uint64_t bytes_max;
	struct live *live;
	struct pipeline *pipeline;     /* NULL: not started */
	uint64_t now_ns;               /* of the last turn */
	struct recent_writer *writer;  /* NULL: not yet */
	uint8_t kinds[EVENT_TYPE_MAX]; /* enum recent_kind; of opens for reading: PASSED */
	struct event_set types[2];     /* of ALWAYS and WRITES */
	struct live_wish all;          /* in a window */
	/* The segment. */
	uint64_t run_ns, number;
	bool open, dumping, torn; /* torn: what the tables need was left out */
	uint64_t begun_ns, retry_ns;
	struct recent_note note, before; /* before: of the segments before, together */
	struct recent_chunk *chunk;      /* NULL: nothing is kept now */
	uint64_t chunk_ns;
	/* What a second may hold. */
	uint64_t second_ns, left[RECENT_KINDS], left_bytes, over[RECENT_KINDS];
	uint64_t shed_until_ns, shed_from_ns; /* until 0: nothing is shed */
	/* The window: an event is in it by its own time. */
	uint64_t window_ns, window_end_ns; /* of the last one; end UINT64_MAX: it is open */
	uint64_t next_window_ns;
	int error, told; /* of the disk */
};

/* ---- kinds ---- */

static void set_kinds(struct recent *r)
{
	for (unsigned type = 1; type < EVENT_TYPE_MAX; type++) {
		const struct event_info *info = event_type_info((enum event_type)type);
		r->kinds[type] = info->state ? RECENT_ALWAYS : RECENT_PASSED;
		if (info->name && info->observed && !info->own)
			event_set_add(&r->all.events, type);
	}
	r->all.all = true;
	for (size_t i = 0; i < ARRAY_SIZE(always); i++) {
		r->kinds[always[i]] = RECENT_ALWAYS;
		event_set_add(&r->types[RECENT_ALWAYS], always[i]);
	}
	for (size_t i = 0; i < ARRAY_SIZE(writes); i++) {
		r->kinds[writes[i]] = RECENT_WRITES;
		event_set_add(&r->types[RECENT_WRITES], writes[i]);
	}
}

static enum recent_kind kind_of(const struct recent *r, const struct event *e)
{
	uint64_t flags, time_ns = e->header->time_ns;
	enum recent_kind kind = r->kinds[e->header->type];
	if (kind == RECENT_PASSED && event_open_flags(e, &flags) && flags & 3)
		return RECENT_WRITES;
	if (kind == RECENT_PASSED && time_ns >= r->window_ns && time_ns <= r->window_end_ns)
		return RECENT_SAMPLE;
	return kind;
}

bool recent_wants(const struct recent *r, const struct event *event)
{
	return r->open && kind_of(r, event) != RECENT_PASSED;
}

/* ---- chunks ---- */

static void drop_chunk(struct recent *r)
{
	recent_chunk_free(r->chunk);
	r->chunk = NULL;
}

/* How far the segment has got, windows and shedding that go on included. */
static struct recent_note note_now(const struct recent *r, uint64_t now)
{
	struct recent_note n = r->note;
	n.version = RECENT_NOTE_VERSION;
	n.watched_ns = now - r->begun_ns;
	if (r->window_end_ns == UINT64_MAX)
		n.window_ns += now - MAX(r->window_ns, r->begun_ns);
	if (r->shed_until_ns)
		n.shed_ns += now - MAX(r->shed_from_ns, r->begun_ns);
	return n;
}

static void hand_over(struct recent *r, uint64_t now, bool noted)
{
	struct recent_chunk *c = TAKE_PTR(r->chunk);
	if (!c)
		return;
	if (noted) {
		c->note = note_now(r, now);
		c->noted = true;
	}
	/* What the tables need may be among what found no room. */
	r->torn = recent_writer_put(r->writer, c) < 0 || r->torn;
	r->chunk = recent_chunk_new(CHUNK_BYTES + EVENT_RECORD_MAX);
	r->chunk_ns = now;
	if (!r->chunk)
		r->open = false;
}

static bool add_record(struct recent *r, const struct event *e)
{
	size_t length = e->header->length, padded = (length + 7) & ~(size_t)7;
	if (!r->dumping && r->chunk->records.length + padded > CHUNK_BYTES)
		hand_over(r, r->now_ns, false);
	char *place = r->chunk ? buf_reserve(&r->chunk->records, padded) : NULL;
	if (!place)
		return false;
	memcpy(place, e->header, length);
	memset(place + length, 0, padded - length);
	buf_commit(&r->chunk->records, padded);
	r->chunk->events++;
	return true;
}

/* ---- what is kept ---- */

static bool has_quota(struct recent *r, enum recent_kind kind, size_t length)
{
	if (r->left[kind] == 0 || r->left_bytes < length) {
		r->over[kind]++;
		return false;
	}
	r->left[kind]--;
	r->left_bytes -= length;
	return true;
}

void recent_event(struct recent *r, const struct enrich_view *view)
{
	const struct event *e = &view->event;
	if (!r->open)
		return;
	enum recent_kind kind = kind_of(r, e);
	if (has_quota(r, kind, e->header->length) && add_record(r, e)) {
		r->note.recorded[kind]++;
		return;
	}
	r->note.left_out[kind]++;
	r->torn = r->torn || e->info->state;
}

/* The tables' own records; few, and all of them are needed. */
void recent_context(struct recent *r, const struct event *event)
{
	if ((r->open || r->dumping) && !add_record(r, event))
		r->torn = true;
}

/* ---- segments ---- */

static void close_segment(struct recent *r, uint64_t now)
{
	struct recent_note last = note_now(r, now);
	if (!r->open)
		return;
	hand_over(r, now, true);
	recent_note_add(&r->before, &last);
	r->open = false;
}

static int dump(struct recent *r)
{
	r->dumping = true;
	int result = pipeline_dump(r->pipeline);
	r->dumping = false;
	if (result == 0)
		result = buf_error(&r->chunk->records);
	return result;
}

/* Whatever keeps it from beginning, it is tried again later. */
static void begin_segment(struct recent *r, uint64_t now)
{
	close_segment(r, now);
	drop_chunk(r);
	r->chunk = recent_chunk_new(SNAPSHOT_BYTES_MAX);
	int result = r->chunk ? 0 : -ENOMEM;
	if (result == 0) {
		r->chunk->begins = true;
		r->chunk->run_ns = r->run_ns;
		r->chunk->number = r->number++;
		result = dump(r);
	}
	if (result < 0) {
		drop_chunk(r);
		r->error = result;
		r->retry_ns = now + RETRY_NS;
		return;
	}
	r->torn = false;
	r->open = true;
	r->note = (struct recent_note){.version = 0};
	r->begun_ns = now;
	hand_over(r, now, false);
}

static void begin_run(struct recent *r, uint64_t now)
{
	r->run_ns = MAX(clock_real_ns(), r->run_ns + 1);
	r->number = 0;
	r->error = 0;
	begin_segment(r, now);
}

/* The disk failed: what comes now has nowhere to go. The next try is a run of its own, so that the gap is seen. */
static void stand_back(struct recent *r, uint64_t now, int error)
{
	if (error != r->told)
		log_warning("the recent history cannot be written to %s: %s; it is tried again every %llu s",
		            r->directory, strerror(-error), (unsigned long long)(RETRY_NS / NS_PER_S));
	struct recent_note last = note_now(r, now);
	r->told = r->error = error;
	recent_note_add(&r->before, &last);
	r->open = false;
	drop_chunk(r);
	r->retry_ns = now + RETRY_NS;
}

static void look_at_segment(struct recent *r, uint64_t now)
{
	struct recent_written written;
	recent_writer_get(r->writer, &written);
	if (r->open && written.error < 0)
		stand_back(r, now, written.error);
	else if (!r->open && now >= r->retry_ns)
		begin_run(r, now);
	else if (r->open && now >= r->begun_ns + BETWEEN_SEGMENTS_NS &&
	         (written.segment_bytes >= r->bytes_max / RECENT_SEGMENTS || r->torn))
		begin_segment(r, now);
	if (r->open && !r->error && written.segment_bytes > 0)
		r->told = 0;
}

/* ---- windows, and what is shed ---- */

static void wish(struct recent *r)
{
	struct live_wish w = {.writes = !r->shed_until_ns};
	for (size_t i = 0; i < ARRAY_SIZE(r->types) && !r->shed_until_ns; i++)
		event_set_add_all(&w.events, &r->types[i]);
	if (r->live)
		(void)!live_set_wish(r->live, LIVE_RECENT, r->open ? &w : NULL);
}

static void close_window(struct recent *r, uint64_t now)
{
	if (r->live)
		(void)!live_set_wish(r->live, LIVE_RECENT_WINDOW, NULL);
	r->window_end_ns = now;
	r->note.window_ns += now - MAX(r->window_ns, r->begun_ns);
	r->note.windows++;
	r->note.windows_cut += r->left[RECENT_SAMPLE] == 0;
	r->next_window_ns = r->window_ns + WINDOW_EVERY_NS;
}

static void look_at_window(struct recent *r, uint64_t now)
{
	bool is_open = r->window_end_ns == UINT64_MAX;
	if (is_open && (!r->open || now >= r->window_ns + WINDOW_NS || r->left[RECENT_SAMPLE] == 0)) {
		close_window(r, now);
		if (r->open)
			hand_over(r, now, true);
	} else if (!is_open && r->open && !r->shed_until_ns && now >= r->next_window_ns) {
		if (r->live && live_set_wish(r->live, LIVE_RECENT_WINDOW, &r->all) < 0)
			return;
		r->window_ns = now;
		r->window_end_ns = UINT64_MAX;
		r->left[RECENT_SAMPLE] = rates[RECENT_SAMPLE];
	}
}

/* Too much comes, or picket as a whole is over its budget: then this is the first that it does without. */
static bool is_flooded(const struct recent *r)
{
	return (r->live && live_is_shedding(r->live)) || r->over[RECENT_ALWAYS] > rates[RECENT_ALWAYS] ||
	       r->over[RECENT_WRITES] > rates[RECENT_WRITES];
}

/* A second's worth may come at once. */
static void refill(struct recent *r, uint64_t elapsed_ns)
{
	uint64_t ns = MIN(elapsed_ns, NS_PER_S);
	for (unsigned kind = 0; kind < RECENT_SAMPLE; kind++)
		r->left[kind] = MIN(r->left[kind] + rates[kind] * ns / NS_PER_S, rates[kind]);
	r->left_bytes = MIN(r->left_bytes + BYTES_A_SECOND * ns / NS_PER_S, (uint64_t)BYTES_A_SECOND);
}

static void begin_second(struct recent *r, uint64_t now)
{
	bool floods = is_flooded(r), shed = r->shed_until_ns > 0;
	memset(r->over, 0, sizeof(r->over));
	r->second_ns = now;
	if (floods && !shed)
		r->shed_from_ns = now;
	if (floods) {
		r->shed_until_ns = now + SHED_NS;
	} else if (shed && now >= r->shed_until_ns) {
		r->note.shed_ns += now - MAX(r->shed_from_ns, r->begun_ns);
		r->shed_until_ns = 0;
	}
	if (shed != (r->shed_until_ns > 0))
		wish(r);
}

void recent_turn(struct recent *r, uint64_t now)
{
	bool was_open = r->open;
	if (!r->pipeline)
		return;
	refill(r, now - r->now_ns);
	r->now_ns = now;
	/* Not before picket has given up its privileges: the thread has the same then. */
	if (!r->writer && now >= r->retry_ns && recent_writer_new(r->directory, r->bytes_max, &r->writer) < 0)
		r->retry_ns = now + RETRY_NS;
	if (!r->writer)
		return;
	if (now >= r->second_ns + NS_PER_S)
		begin_second(r, now);
	look_at_segment(r, now);
	if (was_open != r->open)
		wish(r);
	look_at_window(r, now);
	if (r->open && r->chunk->events > 0 && now >= r->chunk_ns + HAND_OVER_NS)
		hand_over(r, now, false);
}

/* ---- the object ---- */

int recent_new(const struct recent_options *options, struct recent **ret_recent)
{
	struct recent *r = calloc(1, sizeof(*r));
	if (!r)
		return -ENOMEM;
	snprintf(r->directory, sizeof(r->directory), "%s", options->directory);
	r->bytes_max = options->bytes_max;
	set_kinds(r);
	*ret_recent = r;
	return 0;
}

/* Runs that were, even of a clock that was ahead, stay before ours. */
void recent_start(struct recent *r, struct live *live, struct pipeline *pipeline)
{
	_cleanup_(base_free_ptr) struct recent_segment *list = NULL;
	size_t count = 0;
	if (recent_list(r->directory, &list, &count) == 0 && count > 0)
		r->run_ns = list[count - 1].run_ns;
	r->live = live;
	r->pipeline = pipeline;
}

void recent_free(struct recent *r)
{
	if (!r)
		return;
	if (r->writer)
		close_segment(r, r->now_ns);
	recent_writer_free(r->writer);
	drop_chunk(r);
	free(r);
}

/* ---- telling ---- */

static void add_u64(struct json *out, const char *key, uint64_t n)
{
	json_key(out, key);
	json_u64(out, n);
}

static void add_kinds(struct json *out, const char *key, const uint64_t counts[RECENT_KINDS])
{
	json_key(out, key);
	json_begin_object(out);
	for (enum recent_kind kind = 0; kind < RECENT_KINDS; kind++)
		add_u64(out, recent_kind_name(kind), counts[kind]);
	json_end_object(out);
}

void recent_report(const struct recent *r, struct json *out)
{
	struct recent_written written = {.error = 0};
	struct recent_note sum = r->before, last = note_now(r, r->now_ns);
	if (r->open)
		recent_note_add(&sum, &last);
	if (r->writer)
		recent_writer_get(r->writer, &written);
	json_key(out, "recent");
	json_begin_object(out);
	json_key(out, "directory");
	json_text(out, r->directory);
	json_key(out, "recording");
	json_bool(out, r->open);
	json_key(out, "error");
	json_text(out, r->error ? strerror(-r->error) : NULL);
	add_u64(out, "bytes", written.bytes);
	add_u64(out, "bytes_max", r->bytes_max);
	add_u64(out, "segments", written.segments);
	add_u64(out, "events", written.events);
	add_u64(out, "not_written", written.not_written);
	add_u64(out, "failures", written.failures);
	add_kinds(out, "recorded", sum.recorded);
	add_kinds(out, "left_out", sum.left_out);
	add_u64(out, "windows", sum.windows);
	json_key(out, "window_share");
	json_double(out, sum.watched_ns ? (double)sum.window_ns / (double)sum.watched_ns : 0);
	json_key(out, "shedding");
	json_bool(out, r->shed_until_ns > 0);
	json_end_object(out);
}
