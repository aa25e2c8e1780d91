/* SPDX-License-Identifier: Apache-2.0 */
#include "event/capture_int.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zstd.h>

#include "base/file.h"

#define COMPRESSION_LEVEL 1

_Static_assert(ZSTD_COMPRESSBOUND(BLOCK_RAW_MAX) <= BLOCK_STORED_MAX, "a block always fits when compressed");
_Static_assert(EVENT_RECORD_MAX <= BLOCK_RAW_MAX, "a record always fits into an empty block");
_Static_assert(INDEX_ENTRIES_MAX % 2 == 0, "thin_index() takes pairs");
_Static_assert(INDEX_ENTRIES_MAX * sizeof(struct capture_index_entry) <= BLOCK_RAW_MAX, "the index is one block");

struct capture_writer {
	int fd;
	int error; /* first failure of a write: the file ends there, and everything after returns it */
	uint64_t offset;
	uint64_t events;
	ZSTD_CCtx *zstd;
	char *raw;    /* BLOCK_RAW_MAX */
	char *stored; /* struct capture_block, and BLOCK_STORED_MAX */
	size_t raw_bytes;
	struct capture_block block; /* the one that is being filled */
	struct capture_index_entry *index;
	size_t index_count, index_capacity;
	unsigned blocks_per_entry;
	unsigned blocks_in_last; /* blocks that the last entry stands for */
};

/* FNV-1a: each step is a bijection, so any one changed byte changes it. */
uint64_t capture_checksum(const void *data, size_t length)
{
	const uint8_t *bytes = data;
	uint64_t hash = 0xcbf29ce484222325ull;

	for (size_t i = 0; i < length; i++)
		hash = (hash ^ bytes[i]) * 0x100000001b3ull;
	return hash;
}

static int write_bytes(struct capture_writer *w, const void *data, size_t length)
{
	int r;

	if (w->error != 0)
		return w->error;
	r = file_write_all(w->fd, data, length);
	if (r < 0)
		w->error = r;
	else
		w->offset += length;
	return r;
}

static int write_header(struct capture_writer *w)
{
	struct capture_header h = {
	        .magic = CAPTURE_MAGIC,
	        .version = CAPTURE_VERSION,
	        .byte_order = CAPTURE_BYTE_ORDER,
	        .fingerprint = event_schema_fingerprint(),
	};

	h.checksum = capture_struct_checksum(&h);
	return write_bytes(w, &h, sizeof(h));
}

static void free_writer(struct capture_writer *w)
{
	ZSTD_freeCCtx(w->zstd);
	free(w->raw);
	free(w->stored);
	free(w->index);
	free(w);
}

int capture_writer_new_fd(int fd, struct capture_writer **ret_writer)
{
	struct capture_writer *w = calloc(1, sizeof(*w));
	int r;

	if (!w) {
		base_close_fd(&fd);
		return -ENOMEM;
	}
	w->fd = fd;
	w->blocks_per_entry = 1;
	w->zstd = ZSTD_createCCtx();
	w->raw = malloc(BLOCK_RAW_MAX);
	w->stored = malloc(sizeof(struct capture_block) + BLOCK_STORED_MAX);
	if (!w->zstd || !w->raw || !w->stored)
		r = -ENOMEM;
	else
		r = write_header(w);
	if (r < 0) {
		capture_writer_free(w);
		return r;
	}
	*ret_writer = w;
	return 0;
}

int capture_writer_new(const char *path, bool force, struct capture_writer **ret_writer)
{
	struct stat st;
	int fd;

	/* Events may hold secrets: a file that was there is not written into, for it may be another's, or open in another's
	 * hands. Pipes and devices are. */
	if (force && lstat(path, &st) == 0 && S_ISREG(st.st_mode)) {
		if (unlink(path) < 0)
			return -errno;
		force = false;
	}
	fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC | O_NOCTTY | (force ? O_TRUNC : O_EXCL), 0600);
	if (fd < 0)
		return -errno;
	return capture_writer_new_fd(fd, ret_writer);
}

/* Half as many entries, each for twice as many blocks. */
static void thin_index(struct capture_writer *w)
{
	for (size_t i = 0; i < w->index_count / 2; i++) {
		const struct capture_index_entry *a = &w->index[2 * i];
		const struct capture_index_entry *b = a + 1;

		w->index[i] = (struct capture_index_entry){
		        .offset = a->offset,
		        .first_ns = MIN(a->first_ns, b->first_ns),
		        .last_ns = MAX(a->last_ns, b->last_ns),
		};
	}
	w->index_count /= 2;
	w->blocks_per_entry *= 2;
	w->blocks_in_last = w->blocks_per_entry;
}

static int grow_index(struct capture_writer *w)
{
	size_t capacity = w->index_capacity ? MIN(w->index_capacity * 2, (size_t)INDEX_ENTRIES_MAX) : 64;
	struct capture_index_entry *index;

	if (w->index_count == INDEX_ENTRIES_MAX) {
		thin_index(w);
		return 0;
	}
	index = reallocarray(w->index, capacity, sizeof(*index));
	if (!index)
		return -ENOMEM;
	w->index = index;
	w->index_capacity = capacity;
	return 0;
}

static int add_to_index(struct capture_writer *w, const struct capture_block *block, uint64_t offset)
{
	struct capture_index_entry *last = w->index_count > 0 ? &w->index[w->index_count - 1] : NULL;
	int r;

	if (last && w->blocks_in_last < w->blocks_per_entry) {
		last->first_ns = MIN(last->first_ns, block->first_ns);
		last->last_ns = MAX(last->last_ns, block->last_ns);
		w->blocks_in_last++;
		return 0;
	}
	if (w->index_count == w->index_capacity) {
		r = grow_index(w);
		if (r < 0)
			return r;
	}
	w->index[w->index_count++] = (struct capture_index_entry){
	        .offset = offset,
	        .first_ns = block->first_ns,
	        .last_ns = block->last_ns,
	};
	w->blocks_in_last = 1;
	return 0;
}

/* block: kind, count and times are set. */
static int write_block(struct capture_writer *w, struct capture_block *block, const void *raw, size_t raw_bytes)
{
	char *payload = w->stored + sizeof(*block);
	size_t stored = ZSTD_compressCCtx(w->zstd, payload, BLOCK_STORED_MAX, raw, raw_bytes, COMPRESSION_LEVEL);

	if (ZSTD_isError(stored))
		return -ENOMEM; /* its only failure with room for the bound */
	block->magic = BLOCK_MAGIC;
	block->stored = (uint32_t)stored;
	block->raw = (uint32_t)raw_bytes;
	block->payload_checksum = capture_checksum(payload, stored);
	block->checksum = capture_struct_checksum(block);
	memcpy(w->stored, block, sizeof(*block));
	return write_bytes(w, w->stored, sizeof(*block) + stored);
}

int capture_writer_flush(struct capture_writer *w)
{
	uint64_t offset = w->offset;
	int r;

	if (w->error != 0 || w->raw_bytes == 0)
		return w->error;
	w->block.kind = BLOCK_EVENTS;
	r = write_block(w, &w->block, w->raw, w->raw_bytes);
	if (r == 0)
		r = add_to_index(w, &w->block, offset);
	if (r < 0)
		w->error = r;
	w->block = (struct capture_block){0};
	w->raw_bytes = 0;
	return r;
}

int capture_writer_note(struct capture_writer *w, const void *note, size_t length)
{
	struct capture_block block = {.kind = BLOCK_NOTE};
	int r = capture_writer_flush(w);

	if (length > CAPTURE_NOTE_MAX)
		return -E2BIG;
	return r < 0 ? r : write_block(w, &block, note, length);
}

/* Whether an event of this time would stretch the block too far; clocks of CPUs may be apart, so both ways count. */
static bool block_is_over(const struct capture_writer *w, uint64_t time_ns)
{
	if (w->block.count == 0)
		return false;
	return MAX(w->block.last_ns, time_ns) - MIN(w->block.first_ns, time_ns) >= BLOCK_SPAN_NS;
}

int capture_writer_add(struct capture_writer *w, const struct event *event)
{
	uint64_t time_ns = event->header->time_ns;
	size_t length = event->header->length;
	size_t padded = (length + 7) & ~(size_t)7;

	if (w->error != 0)
		return w->error;
	if (w->raw_bytes + padded > BLOCK_RAW_MAX || block_is_over(w, time_ns)) {
		int r = capture_writer_flush(w);

		if (r < 0)
			return r;
	}
	memcpy(w->raw + w->raw_bytes, event->header, length);
	memset(w->raw + w->raw_bytes + length, 0, padded - length);
	w->raw_bytes += padded;
	w->block.first_ns = w->block.count == 0 ? time_ns : MIN(w->block.first_ns, time_ns);
	w->block.last_ns = MAX(w->block.last_ns, time_ns);
	w->block.count++;
	w->events++;
	return 0;
}

uint64_t capture_writer_events(const struct capture_writer *w)
{
	return w->events;
}

uint64_t capture_writer_bytes(const struct capture_writer *w)
{
	return w->offset;
}

static int write_index(struct capture_writer *w)
{
	struct capture_trailer t = {.magic = TRAILER_MAGIC, .index_offset = w->offset, .events = w->events};
	struct capture_block block = {.kind = BLOCK_INDEX, .count = (uint32_t)w->index_count};
	int r;

	for (size_t i = 0; i < w->index_count; i++) {
		block.first_ns = i == 0 ? w->index[i].first_ns : MIN(block.first_ns, w->index[i].first_ns);
		block.last_ns = MAX(block.last_ns, w->index[i].last_ns);
	}
	r = write_block(w, &block, w->index, w->index_count * sizeof(*w->index));
	if (r < 0)
		return r;
	t.checksum = capture_struct_checksum(&t);
	return write_bytes(w, &t, sizeof(t));
}

int capture_writer_finish(struct capture_writer **writer)
{
	struct capture_writer *w = TAKE_PTR(*writer);
	int r = capture_writer_flush(w);

	if (r == 0)
		r = write_index(w);
	if (r == 0 && fsync(w->fd) < 0 && errno != EINVAL && errno != EROFS && errno != ENOTSUP)
		r = -errno;
	if (close(TAKE_FD(w->fd)) < 0 && r == 0 && errno != EINTR)
		r = -errno;
	free_writer(w);
	return r;
}

void capture_writer_free(struct capture_writer *w)
{
	if (!w)
		return;
	base_close_fd(&w->fd);
	free_writer(w);
}
