/* SPDX-License-Identifier: Apache-2.0
 *
 * The first line of a file: picket-history 1 NUMBER HASH, of the last line before it; 0 and zeros if there was none.
 * Each other: HASH NUMBER TIME WHAT EVIDENCE. The hash is over the hash of the line before it and all that follows HASH and
 * a blank, without the newline.
 */
#include "trust/store_int.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"

#define NOW "history"
#define BEFORE "history.1"
#define FIRST "picket-history 1 "
#define LINE_MAX_BYTES (HISTORY_EVIDENCE_MAX + 512)

static struct digest line_hash(const struct digest *before, struct str rest)
{
	return digest_of_two(str_make((const char *)before->bytes, sizeof(before->bytes)), rest);
}

/* ---- reading ---- */

static void take_prefix(struct str *s, struct str prefix)
{
	if (str_starts_with(*s, prefix))
		*s = str_make(s->data + prefix.length, s->length - prefix.length);
}

struct walk {
	struct history_end end;
	struct history_verdict verdict;
	const struct history_end *known;
	bool anchored; /* where the next file must begin is known */
	void (*call)(void *userdata, const struct history_line *line);
	void *userdata;
};

static int line_parse(struct str line, struct history_line *ret_line, struct str *ret_hashed)
{
	struct history_line l;
	struct str rest = line, hash, number, time;
	if (!word_next(&rest, &hash) || digest_parse(hash, &l.hash) < 0 || !rest.data)
		return -EINVAL;
	*ret_hashed = rest;
	if (!word_next(&rest, &number) || text_to_number(number, UINT64_MAX, &l.number) < 0 ||
	    !word_next(&rest, &time) || text_to_time(time, &l.time_s) < 0 || !word_next(&rest, &l.what) || !rest.data)
		return -EINVAL;
	l.evidence = rest;
	*ret_line = l;
	return 0;
}

static bool line_fits(const struct walk *w, const struct history_line *l, struct str hashed)
{
	struct digest hash = line_hash(&w->end.head, hashed);
	return l->number == w->end.count + 1 && digest_equal(&hash, &l->hash);
}

static bool is_what_is_known(const struct walk *w, const struct history_line *l)
{
	return l->number != w->known->count || digest_equal(&l->hash, &w->known->head);
}

static bool walk_line(struct walk *w, struct str line)
{
	struct history_line l;
	struct str hashed;
	if (line_parse(line, &l, &hashed) < 0 || !line_fits(w, &l, hashed) || !is_what_is_known(w, &l)) {
		w->verdict = (struct history_verdict){HISTORY_CHANGED, w->end.count + 1};
		return false;
	}
	w->end.count = l.number;
	w->end.head = l.hash;
	if (w->call)
		w->call(w->userdata, &l);
	return true;
}

/* The oldest file that is kept is believed where it begins: its first line must fit that, and so on to the state. */
static bool walk_first(struct walk *w, struct str line)
{
	struct history_end begin = {0};
	struct str rest = line, count, head;
	take_prefix(&rest, STR(FIRST));
	bool good = rest.length < line.length && word_next(&rest, &count) && word_next(&rest, &head) && !rest.data &&
	            text_to_number(count, UINT64_MAX, &begin.count) == 0 && digest_parse(head, &begin.head) == 0;
	if (good && w->anchored)
		good = begin.count == w->end.count && digest_equal(&begin.head, &w->end.head);
	if (!good) {
		w->verdict = (struct history_verdict){HISTORY_CHANGED, w->end.count + 1};
		return false;
	}
	w->end = begin;
	w->anchored = true;
	return true;
}

static void walk_text(struct walk *w, struct str text)
{
	struct str rest = text;
	bool first = true;
	size_t bytes = 0;
	while (rest.length > 0) {
		ssize_t end = str_find_char(rest, '\n');
		if (end < 0) {
			w->verdict = (struct history_verdict){HISTORY_CUT, w->end.count + 1};
			break;
		}
		struct str line = str_make(rest.data, (size_t)end);
		if (!(first ? walk_first(w, line) : walk_line(w, line)))
			break;
		first = false;
		bytes += line.length + 1;
		rest = str_make(rest.data + end + 1, rest.length - (size_t)end - 1);
	}
	w->end.bytes = bytes;
}

static int walk_file(struct walk *w, int dir, const char *name, bool *ret_there)
{
	_cleanup_(buf_done) struct buf text;
	buf_init(&text, HISTORY_BYTES_MAX + LINE_MAX_BYTES);
	int r = file_read_at(dir, name, &text);
	*ret_there = r == 0 && text.length > 0;
	if (r == -ENOENT)
		return 0;
	if (r == 0)
		walk_text(w, buf_str(&text));
	return r;
}

static void compare_with_known(struct walk *w)
{
	bool whole = w->verdict.kind == HISTORY_WHOLE || w->verdict.kind == HISTORY_CUT;
	if (whole && w->end.count < w->known->count)
		w->verdict = (struct history_verdict){HISTORY_SHORT, w->end.count + 1};
	else if (w->verdict.kind == HISTORY_WHOLE && w->end.count > w->known->count)
		w->verdict = (struct history_verdict){HISTORY_AHEAD, w->known->count};
}

int history_walk(int dir, const struct history_end *known,
                 void (*call)(void *userdata, const struct history_line *line), void *userdata,
                 struct history_verdict *ret_verdict, struct history_end *ret_end)
{
	struct walk w = {.known = known, .call = call, .userdata = userdata};
	bool before, now = false;
	int r = walk_file(&w, dir, BEFORE, &before);
	/* Without lines before them, those that are there must be the first ones. */
	w.anchored = w.anchored || !before;
	if (r == 0 && w.verdict.kind == HISTORY_WHOLE)
		r = walk_file(&w, dir, NOW, &now);
	if (r < 0)
		return r;
	if (!now)
		w.end.bytes = 0; /* what was counted is of the file before */
	compare_with_known(&w);
	*ret_verdict = w.verdict;
	*ret_end = w.end;
	return 0;
}

bool history_is_damaged(const struct history_verdict *v)
{
	return v->kind == HISTORY_SHORT || v->kind == HISTORY_CHANGED;
}

const char *history_verdict_text(const struct history_verdict *v)
{
	switch (v->kind) {
	case HISTORY_WHOLE:
		return "whole";
	case HISTORY_AHEAD:
		return "whole; of the last line, what it says was not finished";
	case HISTORY_CUT:
		return "the last line does not end: picket or the machine was stopped while it was written";
	case HISTORY_SHORT:
		return "lines are gone from its end, which were there";
	case HISTORY_CHANGED:
		break;
	}
	return "a line is not what it was when it was written";
}

/* ---- writing ---- */

static void write_first(const struct history_end *end, struct buf *out)
{
	buf_printf(out, FIRST "%" PRIu64 " ", end->count);
	digest_add(&end->head, DIGEST_HEX, out);
	buf_add_char(out, '\n');
}

static void write_line(const struct history_end *end, const char *what, uint64_t time_s, struct str evidence,
                       struct buf *out, struct digest *ret_hash)
{
	_cleanup_(buf_done) struct buf rest;
	buf_init(&rest, LINE_MAX_BYTES);
	buf_printf(&rest, "%" PRIu64 " ", end->count + 1);
	trust_add_time(time_s, &rest);
	buf_printf(&rest, " %s ", what);
	buf_add_str(&rest, evidence);
	*ret_hash = line_hash(&end->head, buf_str(&rest));
	digest_add(ret_hash, DIGEST_HEX, out);
	buf_add_char(out, ' ');
	buf_add_str(out, buf_str(&rest));
	buf_add_char(out, '\n');
	if (buf_error(&rest) < 0)
		out->error = buf_error(&rest);
}

/* A full file becomes the one before; the lines go on in a new one. */
static int make_room(int dir, struct history_end *end, size_t length)
{
	if (end->bytes + length <= HISTORY_BYTES_MAX)
		return 0;
	if (renameat(dir, NOW, dir, BEFORE) < 0)
		return -errno;
	end->bytes = 0;
	return 0;
}

static int append(int dir, size_t bytes, struct str line)
{
	_cleanup_(base_close_fd) int fd =
	        openat(dir, NOW, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (fd < 0)
		return -errno;
	int r = file_write_all(fd, line.data, line.length);
	if (r == 0 && fsync(fd) < 0)
		r = -errno;
	/* Also when the file was made just now: the directory, too. */
	if (r == 0 && fsync(dir) < 0)
		r = -errno;
	if (r < 0)
		(void)!ftruncate(fd, (off_t)bytes);
	return r;
}

int history_append(int dir, struct history_end *end, const char *what, uint64_t time_s, struct str evidence)
{
	_cleanup_(buf_done) struct buf line;
	struct history_end next = *end;
	buf_init(&line, LINE_MAX_BYTES);
	int r = make_room(dir, &next, evidence.length + LINE_MAX_BYTES - HISTORY_EVIDENCE_MAX);
	if (r < 0)
		return r;
	if (next.bytes == 0)
		write_first(end, &line);
	write_line(end, what, time_s, evidence, &line, &next.head);
	r = buf_error(&line);
	if (r == 0)
		r = append(dir, next.bytes, buf_str(&line));
	if (r < 0)
		return r;
	next.count++;
	next.bytes += line.length;
	*end = next;
	return 0;
}

int history_cut(int dir, const struct history_end *end)
{
	_cleanup_(base_close_fd) int fd = openat(dir, NOW, O_WRONLY | O_CLOEXEC | O_NOFOLLOW);
	if (fd < 0)
		return -errno;
	if (ftruncate(fd, (off_t)end->bytes) < 0 || fsync(fd) < 0)
		return -errno;
	return 0;
}
