/* SPDX-License-Identifier: Apache-2.0 */
#include "event/capture_int.h"

#include <byteswap.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zstd.h>

#define INPUT_BYTES (sizeof(struct capture_block) + BLOCK_STORED_MAX + 65536)

struct capture_reader {
	int fd;
	bool regular;   /* a regular file: it can be sought in */
	bool in_damage; /* damage was reported, and no block has been found since */
	bool finished;  /* the trailer was reached, or the end of the file */
	char *input;    /* INPUT_BYTES of the file, from input_start what is not consumed */
	size_t input_start, input_end;
	uint64_t position; /* of input_start in the file */
	char *raw;         /* BLOCK_RAW_MAX: the block that is being read, unpacked */
	size_t raw_at, raw_bytes;
	ZSTD_DCtx *zstd;
	struct capture_index_entry *index; /* NULL: none */
	size_t index_count;
	uint64_t skip_before_ns; /* blocks that end before it are not unpacked */
	char note[CAPTURE_NOTE_MAX];
	size_t note_length;
	struct capture_info info;
};

/* ---- the file, as a stream ---- */

static ssize_t read_some(int fd, void *data, size_t length)
{
	ssize_t n;

	do
		n = read(fd, data, length);
	while (n < 0 && errno == EINTR);
	return n < 0 ? -errno : n;
}

/* Has wanted bytes (at most INPUT_BYTES) at input_start, or as many as the file still has. Returns their number. */
static ssize_t input_fill(struct capture_reader *r, size_t wanted)
{
	size_t have = r->input_end - r->input_start;

	if (have < wanted && r->input_start + wanted > INPUT_BYTES) {
		memmove(r->input, r->input + r->input_start, have);
		r->input_start = 0;
		r->input_end = have;
	}
	while (have < wanted) {
		ssize_t n = read_some(r->fd, r->input + r->input_end, INPUT_BYTES - r->input_end);

		if (n < 0)
			return n;
		if (n == 0)
			break;
		r->input_end += (size_t)n;
		have += (size_t)n;
	}
	return (ssize_t)have;
}

static const char *input_at(const struct capture_reader *r)
{
	return r->input + r->input_start;
}

static void input_consume(struct capture_reader *r, size_t length)
{
	r->input_start += length;
	r->position += length;
}

/* ---- blocks ---- */

static bool block_valid(const struct capture_block *block)
{
	return block->magic == BLOCK_MAGIC && block->checksum == capture_struct_checksum(block) &&
	       (block->kind == BLOCK_EVENTS || block->kind == BLOCK_INDEX || block->kind == BLOCK_NOTE) &&
	       block->stored <= BLOCK_STORED_MAX &&
	       block->raw <= (block->kind == BLOCK_NOTE ? CAPTURE_NOTE_MAX : BLOCK_RAW_MAX);
}

static bool trailer_valid(const struct capture_trailer *t)
{
	return t->magic == TRAILER_MAGIC && t->checksum == capture_struct_checksum(t);
}

/* Unpacks into r->raw, never more than the block says and BLOCK_RAW_MAX. */
static bool unpack(struct capture_reader *r, const struct capture_block *block, const char *payload)
{
	size_t n;

	if (capture_checksum(payload, block->stored) != block->payload_checksum)
		return false;
	n = ZSTD_decompressDCtx(r->zstd, r->raw, block->raw, payload, block->stored);
	return !ZSTD_isError(n) && n == block->raw;
}

/* Goes to the next byte that may begin a block or the trailer; all that is buffered if there is none. */
static void skip_damage(struct capture_reader *r)
{
	size_t have = r->input_end - r->input_start;
	const char *next = have > 1 ? memchr(input_at(r) + 1, MAGIC_BYTE, have - 1) : NULL;

	input_consume(r, next ? (size_t)(next - input_at(r)) : have);
}

/* Finds the next whole block header at or after the input's position. Returns 1; 0: the end; -EBADMSG: damage begins
 * here (said once); -errno. */
static int find_block(struct capture_reader *r, struct capture_block *ret_block)
{
	for (;;) {
		ssize_t have = input_fill(r, sizeof(*ret_block));
		struct capture_trailer trailer;

		if (have < 0)
			return (int)have;
		if (have == 0) {
			r->finished = true;
			return 0;
		}
		if ((size_t)have >= sizeof(trailer)) {
			memcpy(&trailer, input_at(r), sizeof(trailer));
			if (trailer_valid(&trailer)) {
				input_consume(r, sizeof(trailer));
				r->finished = true;
				return 0;
			}
		}
		if ((size_t)have >= sizeof(*ret_block)) {
			memcpy(ret_block, input_at(r), sizeof(*ret_block));
			if (block_valid(ret_block))
				return 1;
		}
		if (!r->in_damage) {
			r->in_damage = true;
			return -EBADMSG;
		}
		skip_damage(r);
	}
}

/* Unpacks the next block of events. Returns as find_block(). */
static int next_block(struct capture_reader *r)
{
	while (!r->finished) {
		struct capture_block block;
		ssize_t have;
		bool whole;
		int found = find_block(r, &block);

		if (found <= 0)
			return found;
		r->in_damage = false;
		have = input_fill(r, sizeof(block) + block.stored);
		if (have < 0)
			return (int)have;
		if ((size_t)have < sizeof(block) + block.stored) {
			input_consume(r, (size_t)have);
			r->finished = true;
			return -EBADMSG;
		}
		if (block.kind == BLOCK_EVENTS && block.last_ns < r->skip_before_ns) {
			input_consume(r, sizeof(block) + block.stored);
			continue;
		}
		whole = unpack(r, &block, input_at(r) + sizeof(block));
		input_consume(r, sizeof(block) + block.stored);
		if (!whole)
			return -EBADMSG;
		if (block.kind == BLOCK_NOTE) {
			memcpy(r->note, r->raw, block.raw);
			r->note_length = block.raw;
		}
		if (block.kind != BLOCK_EVENTS)
			continue;
		r->raw_at = 0;
		r->raw_bytes = block.raw;
		return 1;
	}
	return 0;
}

int capture_reader_next(struct capture_reader *r, struct event *ret_event)
{
	struct event event;

	while (r->raw_at >= r->raw_bytes) {
		int n = next_block(r);

		if (n <= 0)
			return n;
	}
	if (event_decode(r->raw + r->raw_at, r->raw_bytes - r->raw_at, &event) != 0) {
		r->raw_at = r->raw_bytes;
		return -EBADMSG;
	}
	r->raw_at += (event.header->length + 7) & ~(size_t)7;
	*ret_event = event;
	return 1;
}

/* ---- opening ---- */

static int check_header(const struct capture_header *h, const char **reterr_text)
{
	if (h->magic == bswap_64(CAPTURE_MAGIC)) {
		*reterr_text = "the capture comes from a machine of the other byte order";
		return -EPROTO;
	}
	if (h->magic != CAPTURE_MAGIC) {
		*reterr_text = "this is not a capture of picket";
		return -EBADMSG;
	}
	if (h->checksum != capture_struct_checksum(h)) {
		*reterr_text = "the head of the capture is damaged";
		return -EBADMSG;
	}
	if (h->version != CAPTURE_VERSION || h->byte_order != CAPTURE_BYTE_ORDER) {
		*reterr_text = "the capture has a file format that this version of picket does not read";
		return -EPROTO;
	}
	if (h->fingerprint != event_schema_fingerprint()) {
		*reterr_text = "the capture was written with another event schema: "
		               "replay it with the version of picket that recorded it";
		return -EPROTO;
	}
	return 0;
}

static int read_header(struct capture_reader *r, const char **reterr_text)
{
	struct capture_header h;
	ssize_t have = input_fill(r, sizeof(h));
	int result;

	if (have < 0) {
		*reterr_text = strerrordesc_np((int)-have);
		return (int)have;
	}
	if ((size_t)have < sizeof(h)) {
		*reterr_text = have == 0 ? "the file is empty" : "this is not a capture of picket";
		return -EBADMSG;
	}
	memcpy(&h, input_at(r), sizeof(h));
	result = check_header(&h, reterr_text);
	if (result == 0)
		input_consume(r, sizeof(h));
	return result;
}

static bool pread_all(int fd, void *data, size_t length, uint64_t offset)
{
	size_t done = 0;

	while (done < length) {
		ssize_t n = pread(fd, (char *)data + done, length - done, (off_t)(offset + done));

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return false;
		done += (size_t)n;
	}
	return true;
}

static bool index_valid(const struct capture_index_entry *index, size_t count, uint64_t end)
{
	uint64_t least = sizeof(struct capture_header);

	for (size_t i = 0; i < count; i++) {
		if (index[i].offset < least || index[i].offset >= end)
			return false;
		least = index[i].offset + sizeof(struct capture_block);
	}
	return true;
}

/* Looks for trailer and index at the file's end. Without them the blocks are walked; that is no error. */
static void read_index(struct capture_reader *r)
{
	struct capture_trailer trailer;
	struct capture_block block;
	uint64_t trailer_offset = r->info.bytes - sizeof(trailer);
	_cleanup_(base_free_ptr) char *payload = NULL;

	if (!r->regular || r->info.bytes < sizeof(struct capture_header) + sizeof(block) + sizeof(trailer))
		return;
	if (!pread_all(r->fd, &trailer, sizeof(trailer), trailer_offset) || !trailer_valid(&trailer))
		return;
	if (trailer.index_offset > trailer_offset - sizeof(block) ||
	    !pread_all(r->fd, &block, sizeof(block), trailer.index_offset))
		return;
	if (!block_valid(&block) || block.kind != BLOCK_INDEX ||
	    trailer.index_offset + sizeof(block) + block.stored != trailer_offset ||
	    block.raw != block.count * sizeof(*r->index))
		return;
	payload = malloc(block.stored + 1);
	if (!payload || !pread_all(r->fd, payload, block.stored, trailer.index_offset + sizeof(block)) ||
	    !unpack(r, &block, payload))
		return;
	if (!index_valid((const struct capture_index_entry *)r->raw, block.count, trailer.index_offset))
		return;
	r->index = malloc(block.raw + 1);
	if (!r->index)
		return;
	memcpy(r->index, r->raw, block.raw);
	r->index_count = block.count;
	r->info.events = trailer.events;
	r->info.first_ns = block.first_ns;
	r->info.last_ns = block.last_ns;
	r->info.complete = true;
}

static struct capture_reader *new_reader(int fd)
{
	struct capture_reader *r = calloc(1, sizeof(*r));

	if (!r) {
		base_close_fd(&fd);
		return NULL;
	}
	r->fd = fd;
	r->input = malloc(INPUT_BYTES);
	r->raw = malloc(BLOCK_RAW_MAX);
	r->zstd = ZSTD_createDCtx();
	if (!r->input || !r->raw || !r->zstd) {
		capture_reader_free(r);
		return NULL;
	}
	return r;
}

int capture_reader_new(const char *path, struct capture_reader **ret_reader, const char **reterr_text)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
	struct capture_reader *r;
	struct stat st;
	int result;

	if (fd < 0) {
		result = -errno;
		*reterr_text = strerrordesc_np(-result);
		return result;
	}
	r = new_reader(fd);
	if (!r) {
		*reterr_text = "not enough memory";
		return -ENOMEM;
	}
	if (fstat(fd, &st) == 0 && S_ISREG(st.st_mode)) {
		r->regular = true;
		r->info.bytes = (uint64_t)st.st_size;
	}
	result = read_header(r, reterr_text);
	if (result < 0) {
		capture_reader_free(r);
		return result;
	}
	read_index(r);
	*ret_reader = r;
	return 0;
}

void capture_reader_free(struct capture_reader *r)
{
	if (!r)
		return;
	base_close_fd(&r->fd);
	ZSTD_freeDCtx(r->zstd);
	free(r->input);
	free(r->raw);
	free(r->index);
	free(r);
}

void capture_reader_info(const struct capture_reader *r, struct capture_info *ret_info)
{
	*ret_info = r->info;
}

uint64_t capture_reader_position(const struct capture_reader *r)
{
	return r->position;
}

struct str capture_reader_note(const struct capture_reader *r)
{
	return str_make(r->note, r->note_length);
}

/* Where to begin in a file so as to meet all blocks that reach time_ns. */
static uint64_t seek_offset(const struct capture_reader *r, uint64_t time_ns)
{
	for (size_t i = 0; i < r->index_count; i++)
		if (r->index[i].last_ns >= time_ns)
			return r->index[i].offset;
	return r->info.complete ? r->info.bytes - sizeof(struct capture_trailer) : sizeof(struct capture_header);
}

/* A pipe goes on from where it is: what has gone by does not come back. */
int capture_reader_seek(struct capture_reader *r, uint64_t time_ns)
{
	uint64_t offset;

	r->skip_before_ns = time_ns;
	if (!r->regular)
		return 0;
	offset = seek_offset(r, time_ns);
	if (lseek(r->fd, (off_t)offset, SEEK_SET) < 0)
		return -errno;
	r->input_start = r->input_end = 0;
	r->raw_at = r->raw_bytes = 0;
	r->position = offset;
	r->in_damage = false;
	r->finished = false;
	return 0;
}
