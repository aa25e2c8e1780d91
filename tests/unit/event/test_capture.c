/* SPDX-License-Identifier: Apache-2.0
 *
 * Captures: round trips, damage, full disks, pipes, seeking.
 * `test_capture --seeds DIRECTORY` writes small captures for the corpus of fuzz_event_capture instead.
 */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zstd.h>

#include "base/file.h"
#include "event/capture_int.h"

#define SECOND 1000000000ull

/* A small record that tells its number: unlink of "/file-N" at time_ns. */
static void add_event(struct capture_writer *w, unsigned n, uint64_t time_ns)
{
	struct event_builder b;
	struct event e;
	char path[64];

	snprintf(path, sizeof(path), "/file-%u", n);
	assert_int_equal(event_builder_init(&b, EVENT_unlink), 0);
	event_builder_header(&b)->time_ns = time_ns;
	event_builder_header(&b)->pid = n;
	assert_int_equal(event_builder_path(&b, "path", str_from(path), str_make(NULL, 0)), 0);
	assert_int_equal(event_builder_finish(&b, &e), 0);
	assert_int_equal(capture_writer_add(w, &e), 0);
	event_builder_done(&b);
}

/* The number of an event, after checking that all of it is there. */
static unsigned event_number(const struct event *e)
{
	struct str text, base;
	bool truncated;
	char path[64];

	assert_int_equal(e->header->type, EVENT_unlink);
	snprintf(path, sizeof(path), "/file-%u", e->header->pid);
	assert_true(event_arg_path(e, event_find_arg(e->info, STR("path")), &text, &base, &truncated));
	assert_true(str_equals(text, path));
	return e->header->pid;
}

/* A descriptor's file, readable by path. */
static const char *fd_path(int fd)
{
	static char path[64];

	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	return path;
}

static int new_file(void)
{
	int fd = memfd_create("capture", MFD_CLOEXEC);

	assert_true(fd >= 0);
	return fd;
}

static struct capture_writer *new_writer(int fd)
{
	struct capture_writer *w;
	int own = fcntl(fd, F_DUPFD_CLOEXEC, 0);

	assert_true(own >= 0);
	assert_int_equal(capture_writer_new_fd(own, &w), 0);
	return w;
}

static struct capture_reader *open_reader(const char *path)
{
	struct capture_reader *r;
	const char *text = NULL;

	if (capture_reader_new(path, &r, &text) != 0)
		fail_msg("%s", text ? text : "no text");
	return r;
}

/* A capture of count events, a tenth of a second apart, numbered from 1. */
static int write_capture(unsigned count)
{
	int fd = new_file();
	struct capture_writer *w = new_writer(fd);

	for (unsigned i = 1; i <= count; i++)
		add_event(w, i, i * SECOND / 10);
	assert_int_equal(capture_writer_events(w), count);
	assert_int_equal(capture_writer_finish(&w), 0);
	assert_null(w);
	return fd;
}

static off_t file_size(int fd)
{
	struct stat st;

	assert_int_equal(fstat(fd, &st), 0);
	return st.st_size;
}

struct outcome {
	unsigned events, damaged;
};

/* Reads to the end; events must be whole and in order, each at most once. */
static struct outcome read_all(struct capture_reader *r)
{
	struct outcome o = {0, 0};
	unsigned last = 0;
	struct event e;
	int n;

	while ((n = capture_reader_next(r, &e)) != 0) {
		if (n == -EBADMSG) {
			o.damaged++;
			continue;
		}
		assert_int_equal(n, 1);
		assert_true(event_number(&e) > last);
		last = event_number(&e);
		o.events++;
	}
	assert_int_equal(capture_reader_next(r, &e), 0);
	return o;
}

static void test_round_trip(void **state)
{
	int fd = write_capture(10000);
	struct capture_reader *r = open_reader(fd_path(fd));
	struct capture_info info;
	struct outcome o;

	(void)state;
	capture_reader_info(r, &info);
	assert_true(info.complete);
	assert_int_equal(info.events, 10000);
	assert_int_equal(info.first_ns, SECOND / 10);
	assert_int_equal(info.last_ns, 1000 * SECOND);
	assert_int_equal(info.bytes, file_size(fd));
	o = read_all(r);
	assert_int_equal(o.events, 10000);
	assert_int_equal(o.damaged, 0);
	assert_int_equal(capture_reader_position(r), file_size(fd));
	capture_reader_free(r);
	close(fd);
}

static void test_empty(void **state)
{
	int fd = write_capture(0);
	struct capture_reader *r = open_reader(fd_path(fd));
	struct capture_info info;
	struct outcome o = read_all(r);

	(void)state;
	capture_reader_info(r, &info);
	assert_true(info.complete);
	assert_int_equal(o.events + o.damaged, 0);
	capture_reader_free(r);
	close(fd);
}

/* The longest records, so that blocks fill by size and not by time. */
static void test_big_records(void **state)
{
	int fd = new_file();
	struct capture_writer *w = new_writer(fd);
	struct capture_reader *r;
	struct event_builder b;
	struct event e;
	char *text = malloc(EVENT_RECORD_MAX);
	unsigned seen = 0;

	(void)state;
	assert_int_equal(event_builder_init(&b, EVENT_container), 0);
	for (size_t i = 0; i < EVENT_RECORD_MAX; i++)
		text[i] = (char)((i * 2654435761u) >> 13); /* hardly to be compressed */
	assert_int_equal(event_builder_text(&b, "info", str_make(text, EVENT_RECORD_MAX - b.buf.length)), 0);
	assert_int_equal(event_builder_finish(&b, &e), 0);
	assert_int_equal(e.header->length, EVENT_RECORD_MAX);
	for (unsigned i = 0; i < 40; i++)
		assert_int_equal(capture_writer_add(w, &e), 0);
	assert_int_equal(capture_writer_finish(&w), 0);
	r = open_reader(fd_path(fd));
	for (struct event got; capture_reader_next(r, &got) == 1; seen++)
		assert_memory_equal(got.header, e.header, e.header->length);
	assert_int_equal(seen, 40);
	capture_reader_free(r);
	event_builder_done(&b);
	free(text);
	close(fd);
}

/* What was flushed can be read while the writer goes on, and after it died. */
static void test_flush(void **state)
{
	int fd = new_file();
	struct capture_writer *w = new_writer(fd);
	struct capture_reader *r;
	struct capture_info info;

	(void)state;
	for (unsigned i = 1; i <= 3; i++)
		add_event(w, i, i);
	r = open_reader(fd_path(fd));
	assert_int_equal(read_all(r).events, 0);
	capture_reader_free(r);
	assert_int_equal(capture_writer_flush(w), 0);
	assert_int_equal(capture_writer_flush(w), 0);
	add_event(w, 4, 4);
	capture_writer_free(w);
	r = open_reader(fd_path(fd));
	capture_reader_info(r, &info);
	assert_false(info.complete);
	assert_int_equal(info.events, 0);
	assert_int_equal(read_all(r).events, 3);
	capture_reader_free(r);
	close(fd);
}

/* ---- damage ---- */

static char *load(int fd, size_t *ret_length)
{
	size_t length = (size_t)file_size(fd);
	char *data = malloc(length);

	assert_non_null(data);
	assert_int_equal(pread(fd, data, length, 0), length);
	*ret_length = length;
	return data;
}

/* Where each block ends, the head of the file being the first. */
static size_t block_ends(const char *data, size_t length, size_t *ends, size_t max)
{
	size_t at = sizeof(struct capture_header), count = 0;

	ends[count++] = at;
	while (at + sizeof(struct capture_block) <= length && count < max) {
		struct capture_block block;

		memcpy(&block, data + at, sizeof(block));
		if (block.magic != BLOCK_MAGIC)
			break;
		at += sizeof(block) + block.stored;
		ends[count++] = at;
	}
	return count;
}

static void put(int fd, const char *data, size_t length)
{
	assert_int_equal(ftruncate(fd, 0), 0);
	assert_int_equal(pwrite(fd, data, length, 0), length);
}

static void test_every_truncation(void **state)
{
	int fd = write_capture(45); /* 4 full blocks of 10, and one of 5 */
	int cut = new_file();
	size_t length, ends[16], count;
	char *data = load(fd, &length);

	(void)state;
	count = block_ends(data, length, ends, ARRAY_SIZE(ends));
	assert_int_equal(count, 1 + 5 + 1);
	for (size_t n = 0; n < length; n++) {
		struct capture_reader *r;
		struct capture_info info;
		const char *text = NULL;
		struct outcome o;
		unsigned whole = 0, between = 0;

		put(cut, data, n);
		if (n < sizeof(struct capture_header)) {
			assert_int_equal(capture_reader_new(fd_path(cut), &r, &text), -EBADMSG);
			assert_non_null(text);
			continue;
		}
		for (size_t i = 0; i < count; i++) {
			whole += i > 0 && i <= 5 && ends[i] <= n ? (i == 5 ? 5 : 10) : 0;
			between += ends[i] == n;
		}
		r = open_reader(fd_path(cut));
		capture_reader_info(r, &info);
		assert_false(info.complete);
		o = read_all(r);
		assert_int_equal(o.events, whole);
		assert_int_equal(o.damaged, between ? 0 : 1);
		capture_reader_free(r);
	}
	free(data);
	close(fd);
	close(cut);
}

/* One byte changed anywhere: it is noticed, and no more than the block it stands in is lost. */
static void test_every_byte_flipped(void **state)
{
	int fd = write_capture(30);
	size_t length, ends[16], count;
	char *data = load(fd, &length);

	(void)state;
	count = block_ends(data, length, ends, ARRAY_SIZE(ends));
	assert_int_equal(count, 1 + 3 + 1);
	for (size_t n = 0; n < length; n++) {
		struct capture_reader *r;
		struct capture_info info;
		const char *text = NULL;
		char original = data[n], changed = (char)(original ^ (1 << (n % 8)));
		struct outcome o;
		int result;

		assert_int_equal(pwrite(fd, &changed, 1, (off_t)n), 1);
		result = capture_reader_new(fd_path(fd), &r, &text);
		if (n < sizeof(struct capture_header)) {
			assert_true(result == -EBADMSG || result == -EPROTO);
			assert_non_null(text);
		} else {
			assert_int_equal(result, 0);
			capture_reader_info(r, &info);
			o = read_all(r);
			if (n < ends[3]) { /* in a block of events: its ten are lost */
				assert_int_equal(o.events, 20);
				assert_int_equal(o.damaged, 1);
			} else {
				assert_int_equal(o.events, 30);
				assert_false(info.complete);
				assert_int_equal(o.damaged, 1);
			}
			capture_reader_free(r);
		}
		assert_int_equal(pwrite(fd, &original, 1, (off_t)n), 1);
	}
	free(data);
	close(fd);
}

/* A piece cut out or put in anywhere: the reader finds the next block. */
static void test_shifted(void **state)
{
	int fd = write_capture(30), other = new_file();
	size_t length;
	char *data = load(fd, &length);
	char *spoilt = malloc(length + 16);

	(void)state;
	for (size_t n = sizeof(struct capture_header); n < length - 16; n += 7) {
		struct capture_reader *r;
		struct outcome o;

		memcpy(spoilt, data, n);
		memcpy(spoilt + n, data + n + 3, length - n - 3);
		put(other, spoilt, length - 3);
		r = open_reader(fd_path(other));
		o = read_all(r);
		assert_in_range(o.events, 10, 30);
		assert_in_range(o.damaged, 1, 3);
		capture_reader_free(r);
		memset(spoilt + n, (char)MAGIC_BYTE, 11);
		memcpy(spoilt + n + 11, data + n, length - n);
		put(other, spoilt, length + 11);
		r = open_reader(fd_path(other));
		assert_in_range(read_all(r).events, 10, 30);
		capture_reader_free(r);
	}
	free(spoilt);
	free(data);
	close(fd);
	close(other);
}

/* Whole head and checksums, and a payload that unpacks to more than it says: refused, whatever it would become. */
static void test_bomb(void **state)
{
	int fd = write_capture(10);
	size_t length;
	char *data = load(fd, &length);
	struct capture_block block;
	const uint32_t sizes[] = {0, 8, 64, BLOCK_RAW_MAX + 1, UINT32_MAX};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(sizes); i++) {
		struct capture_reader *r;
		struct outcome o;

		memcpy(&block, data + sizeof(struct capture_header), sizeof(block));
		block.raw = sizes[i];
		block.checksum = capture_struct_checksum(&block);
		assert_int_equal(pwrite(fd, &block, sizeof(block), sizeof(struct capture_header)), sizeof(block));
		r = open_reader(fd_path(fd));
		o = read_all(r);
		assert_int_equal(o.events, 0);
		assert_int_equal(o.damaged, 1);
		capture_reader_free(r);
	}
	free(data);
	close(fd);
}

/* The same with a payload that truly becomes longer than any block may be. */
static void test_real_bomb(void **state)
{
	const size_t raw_bytes = 3 * BLOCK_RAW_MAX;
	struct capture_block block = {
	        .magic = BLOCK_MAGIC, .kind = BLOCK_EVENTS, .raw = (uint32_t)raw_bytes, .count = 1};
	char *raw = calloc(1, raw_bytes), payload[65536];
	struct capture_reader *r;
	struct event_builder b;
	struct event e;
	struct outcome o;
	int fd = write_capture(0);
	off_t at = sizeof(struct capture_header);

	(void)state;
	assert_int_equal(event_builder_init(&b, EVENT_unlink), 0);
	assert_int_equal(event_builder_finish(&b, &e), 0);
	for (size_t i = 0; i + e.header->length <= raw_bytes; i += e.header->length)
		memcpy(raw + i, e.header, e.header->length);
	event_builder_done(&b);
	block.stored = (uint32_t)ZSTD_compress(payload, sizeof(payload), raw, raw_bytes, 1);
	assert_in_range(block.stored, 1, sizeof(payload));
	block.payload_checksum = capture_checksum(payload, block.stored);
	block.checksum = capture_struct_checksum(&block);
	assert_int_equal(pwrite(fd, &block, sizeof(block), at), sizeof(block));
	assert_int_equal(pwrite(fd, payload, block.stored, at + (off_t)sizeof(block)), block.stored);
	r = open_reader(fd_path(fd));
	o = read_all(r);
	assert_int_equal(o.events, 0);
	assert_int_equal(o.damaged, 1);
	capture_reader_free(r);
	free(raw);
	close(fd);
}

static void check_refused(int fd, int expected, const char *part_of_text)
{
	struct capture_reader *r;
	const char *text = NULL;

	assert_int_equal(capture_reader_new(fd_path(fd), &r, &text), expected);
	assert_non_null(text);
	if (!strstr(text, part_of_text))
		fail_msg("\"%s\" does not say \"%s\"", text, part_of_text);
}

static void test_refused(void **state)
{
	int fd = write_capture(1);
	struct capture_header h, changed;
	struct capture_reader *r;
	const char *text = NULL;

	(void)state;
	assert_int_equal(pread(fd, &h, sizeof(h), 0), sizeof(h));
#define CHANGE(member, value) \
	do { \
		changed = h; \
		changed.member = (value); \
		changed.checksum = capture_struct_checksum(&changed); \
		assert_int_equal(pwrite(fd, &changed, sizeof(changed), 0), sizeof(changed)); \
	} while (0)
	CHANGE(fingerprint, h.fingerprint + 1);
	check_refused(fd, -EPROTO, "schema");
	CHANGE(version, CAPTURE_VERSION + 1);
	check_refused(fd, -EPROTO, "format");
	CHANGE(byte_order, 0x04030201);
	check_refused(fd, -EPROTO, "format");
	CHANGE(magic, __builtin_bswap64(CAPTURE_MAGIC));
	check_refused(fd, -EPROTO, "byte order");
	CHANGE(magic, 0);
	check_refused(fd, -EBADMSG, "not a capture");
#undef CHANGE
	put(fd, "", 0);
	check_refused(fd, -EBADMSG, "empty");
	close(fd);
	assert_int_equal(capture_reader_new("/nonexistent/file", &r, &text), -ENOENT);
	assert_non_null(text);
	assert_int_equal(capture_reader_new("/", &r, &text), -EISDIR);
	assert_int_equal(capture_reader_new("/dev/null", &r, &text), -EBADMSG);
}

/* ---- files and pipes ---- */

static void test_create(void **state)
{
	char directory[] = "/tmp/test_capture.XXXXXX", path[64];
	struct capture_writer *w;
	struct stat st;

	(void)state;
	assert_non_null(mkdtemp(directory));
	snprintf(path, sizeof(path), "%s/capture", directory);
	assert_int_equal(capture_writer_new(path, false, &w), 0);
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_mode & 07777, 0600);
	add_event(w, 1, 1);
	assert_int_equal(capture_writer_finish(&w), 0);
	assert_int_equal(capture_writer_new(path, false, &w), -EEXIST);
	assert_int_equal(chmod(path, 0644), 0);
	int reader = open(path, O_RDONLY | O_CLOEXEC); /* of the old file, by whoever may */
	assert_int_equal(fchmod(reader, 0666), 0);
	assert_int_equal(capture_writer_new(path, true, &w), 0);
	assert_int_equal(fstat(reader, &st), 0);
	assert_int_equal(st.st_nlink, 0); /* nothing goes into it */
	close(reader);
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_mode & 07777, 0600);
	assert_int_equal(st.st_size, sizeof(struct capture_header));
	capture_writer_free(w);
	assert_int_equal(unlink(path), 0);
	assert_int_equal(capture_writer_new("/nonexistent/file", false, &w), -ENOENT);
	assert_int_equal(rmdir(directory), 0);
	capture_writer_free(NULL);
	capture_reader_free(NULL);
}

static void test_full_disk(void **state)
{
	struct capture_writer *w;

	(void)state;
	if (access("/dev/full", W_OK) != 0)
		skip();
	assert_int_equal(capture_writer_new("/dev/full", true, &w), -ENOSPC);
}

/* A file that may not grow any more: the error comes back, stays, and what was written before can be read. */
static void test_limit(void **state)
{
	const struct rlimit small = {.rlim_cur = 20000, .rlim_max = RLIM_INFINITY};
	struct rlimit before;
	struct capture_writer *w;
	struct capture_reader *r;
	struct outcome o;
	int result = 0, fd = new_file();

	(void)state;
	assert_int_equal(getrlimit(RLIMIT_FSIZE, &before), 0);
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &small), 0);
	w = new_writer(fd);
	for (unsigned i = 1; i < 1000 && result == 0; i++) {
		add_event(w, i, i * SECOND);
		result = capture_writer_flush(w);
	}
	assert_int_equal(result, -EFBIG);
	assert_int_equal(capture_writer_flush(w), -EFBIG);
	assert_int_equal(capture_writer_finish(&w), -EFBIG);
	assert_null(w);
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &before), 0);
	r = open_reader(fd_path(fd));
	o = read_all(r);
	assert_in_range(o.events, 50, 300);
	assert_int_equal(o.damaged, 1);
	capture_reader_free(r);
	close(fd);
}

static void test_closed_pipe(void **state)
{
	struct capture_writer *w;
	int fds[2];

	(void)state;
	assert_int_equal(pipe2(fds, O_CLOEXEC), 0);
	assert_int_equal(capture_writer_new_fd(fds[1], &w), 0);
	add_event(w, 1, 1);
	close(fds[0]);
	assert_int_equal(capture_writer_flush(w), -EPIPE);
	assert_int_equal(capture_writer_flush(w), -EPIPE);
	assert_int_equal(capture_writer_finish(&w), -EPIPE);
}

static void *write_to_pipe(void *argument)
{
	struct capture_writer *w;

	assert_int_equal(capture_writer_new_fd(*(int *)argument, &w), 0);
	for (unsigned i = 1; i <= 2000; i++)
		add_event(w, i, i * SECOND / 10);
	assert_int_equal(capture_writer_finish(&w), 0);
	return NULL;
}

static void test_pipe(void **state)
{
	struct capture_reader *r;
	struct capture_info info;
	struct outcome o;
	pthread_t thread;
	int fds[2];

	(void)state;
	assert_int_equal(pipe2(fds, O_CLOEXEC), 0);
	assert_int_equal(pthread_create(&thread, NULL, write_to_pipe, &fds[1]), 0);
	r = open_reader(fd_path(fds[0]));
	capture_reader_info(r, &info);
	assert_false(info.complete);
	assert_int_equal(info.bytes, 0);
	o = read_all(r);
	assert_int_equal(o.events, 2000);
	assert_int_equal(o.damaged, 0);
	capture_reader_free(r);
	assert_int_equal(pthread_join(thread, NULL), 0);
	close(fds[0]);
}

/* ---- seeking ---- */

static unsigned first_after_seek(struct capture_reader *r, uint64_t time_ns)
{
	struct event e;

	assert_int_equal(capture_reader_seek(r, time_ns), 0);
	if (capture_reader_next(r, &e) == 0)
		return 0;
	return event_number(&e);
}

static void check_seeks(struct capture_reader *r)
{
	assert_int_equal(first_after_seek(r, 50 * SECOND), 491); /* the block from 49.1 s to 50 s */
	assert_int_equal(first_after_seek(r, 50 * SECOND + 1), 501);
	assert_int_equal(first_after_seek(r, 0), 1);
	assert_int_equal(first_after_seek(r, 100 * SECOND), 991);
	assert_int_equal(first_after_seek(r, 100 * SECOND + 1), 0);
	assert_int_equal(first_after_seek(r, UINT64_MAX), 0);
	assert_int_equal(first_after_seek(r, SECOND / 10), 1);
}

static void test_seek(void **state)
{
	int fd = write_capture(1000);
	struct capture_reader *r = open_reader(fd_path(fd));
	size_t trailer = sizeof(struct capture_trailer);

	(void)state;
	check_seeks(r);
	/* The index leads there at once. */
	assert_int_equal(capture_reader_seek(r, 90 * SECOND), 0);
	assert_in_range(capture_reader_position(r), file_size(fd) * 3 / 4, file_size(fd));
	capture_reader_free(r);
	/* The same without an index. */
	assert_int_equal(ftruncate(fd, file_size(fd) - (off_t)trailer), 0);
	r = open_reader(fd_path(fd));
	check_seeks(r);
	capture_reader_free(r);
	close(fd);
}

/* More blocks than the index may have entries: it grows coarser, and still leads to the right place. */
static void test_index_limit(void **state)
{
	const unsigned count = INDEX_ENTRIES_MAX * 2 + 101;
	int fd = new_file();
	struct capture_writer *w = new_writer(fd);
	struct capture_reader *r;
	struct capture_info info;
	struct event e;
	unsigned n;

	(void)state;
	for (unsigned i = 1; i <= count; i++)
		add_event(w, i, i * SECOND);
	assert_int_equal(capture_writer_finish(&w), 0);
	r = open_reader(fd_path(fd));
	capture_reader_info(r, &info);
	assert_true(info.complete);
	assert_int_equal(info.events, count);
	n = first_after_seek(r, 40000 * SECOND);
	assert_int_equal(n, 40000);
	assert_int_equal(capture_reader_next(r, &e), 1);
	assert_int_equal(event_number(&e), 40001);
	assert_int_equal(first_after_seek(r, count * SECOND), count);
	capture_reader_free(r);
	close(fd);
}

/* ---- notes ---- */

static void write_noted(struct capture_writer *w)
{
	for (unsigned i = 1; i <= 4; i++) {
		char note[8];

		add_event(w, i, i * SECOND / 10);
		snprintf(note, sizeof(note), "%u seen", i);
		if (i % 2 == 0)
			assert_int_equal(capture_writer_note(w, note, 6), 0);
	}
}

/* Wherever the file is cut, the note is one that was written after no more events than are read. */
static void test_notes(void **state)
{
	int fd = new_file(), cut = new_file();
	struct capture_writer *w = new_writer(fd);
	char big[CAPTURE_NOTE_MAX + 1] = {0};
	size_t length;
	char *data;

	(void)state;
	write_noted(w);
	assert_int_equal(capture_writer_note(w, big, sizeof(big)), -E2BIG);
	assert_int_equal(capture_writer_bytes(w), file_size(fd));
	assert_int_equal(capture_writer_finish(&w), 0);
	data = load(fd, &length);
	for (size_t n = sizeof(struct capture_header); n <= length; n++) {
		struct capture_reader *r;
		struct outcome o;

		put(cut, data, n);
		r = open_reader(fd_path(cut));
		assert_int_equal(capture_reader_note(r).length, 0);
		o = read_all(r);
		if (capture_reader_note(r).length > 0)
			assert_true((unsigned)(capture_reader_note(r).data[0] - '0') <= o.events);
		if (n == length)
			assert_true(str_equals(capture_reader_note(r), "4 seen"));
		capture_reader_free(r);
	}
	free(data);
	close(fd);
	close(cut);
}

/* ---- seeds ---- */

static int write_seed(const char *directory, const char *name, int fd, size_t length)
{
	char path[4096], data[65536];
	ssize_t n = pread(fd, data, MIN(sizeof(data), length), 0);

	snprintf(path, sizeof(path), "%s/%s", directory, name);
	return n < 0 ? -errno : file_write_atomic(path, str_make(data, (size_t)n), 0644);
}

static int write_noted_seed(const char *directory)
{
	int fd = new_file(), r;
	struct capture_writer *w = new_writer(fd);

	write_noted(w);
	assert_int_equal(capture_writer_finish(&w), 0);
	r = write_seed(directory, "notes", fd, SIZE_MAX);
	close(fd);
	return r;
}

static int write_seeds(const char *directory)
{
	static const struct {
		const char *name;
		unsigned events;
		size_t length;
	} seeds[] = {
	        {"empty", 0, SIZE_MAX}, {"one", 1, SIZE_MAX},   {"block", 8, SIZE_MAX},    {"blocks", 35, SIZE_MAX},
	        {"head", 0, 32},        {"cut-in-head", 1, 20}, {"cut-in-block", 25, 500}, {"cut-in-payload", 12, 150},
	        {"no-index", 1, 160},   {"no-trailer", 3, 256}, {"cut-at-start", 30, 64},  {"cut-late", 40, 1000},
	};

	for (size_t i = 0; i < ARRAY_SIZE(seeds); i++) {
		int fd = write_capture(seeds[i].events);
		int r = write_seed(directory, seeds[i].name, fd, seeds[i].length);

		close(fd);
		if (r < 0)
			return 1;
	}
	return write_noted_seed(directory) < 0;
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(test_round_trip),
	        cmocka_unit_test(test_empty),
	        cmocka_unit_test(test_big_records),
	        cmocka_unit_test(test_flush),
	        cmocka_unit_test(test_every_truncation),
	        cmocka_unit_test(test_every_byte_flipped),
	        cmocka_unit_test(test_shifted),
	        cmocka_unit_test(test_bomb),
	        cmocka_unit_test(test_real_bomb),
	        cmocka_unit_test(test_refused),
	        cmocka_unit_test(test_create),
	        cmocka_unit_test(test_full_disk),
	        cmocka_unit_test(test_limit),
	        cmocka_unit_test(test_closed_pipe),
	        cmocka_unit_test(test_pipe),
	        cmocka_unit_test(test_seek),
	        cmocka_unit_test(test_index_limit),
	        cmocka_unit_test(test_notes),
	};

	signal(SIGPIPE, SIG_IGN);
	signal(SIGXFSZ, SIG_IGN);
	if (argc == 3 && strcmp(argv[1], "--seeds") == 0)
		return write_seeds(argv[2]);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
