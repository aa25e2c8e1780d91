/* SPDX-License-Identifier: Apache-2.0
 *
 * Bytes as a capture: read to the end, sought in, read again. Checksums would keep a fuzzer out, so those that stand in
 * block headers, trailer and file head are made right first: what is behind them must hold by itself.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "event/capture_int.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void mend_header(uint8_t *file, size_t size)
{
	struct capture_header h;

	if (size < sizeof(h))
		return;
	memcpy(&h, file, sizeof(h));
	h.magic = CAPTURE_MAGIC;
	h.version = CAPTURE_VERSION;
	h.byte_order = CAPTURE_BYTE_ORDER;
	h.fingerprint = event_schema_fingerprint();
	h.checksum = capture_struct_checksum(&h);
	memcpy(file, &h, sizeof(h));
}

static void mend_block(uint8_t *at, size_t left)
{
	struct capture_block block;

	if (left < sizeof(block))
		return;
	memcpy(&block, at, sizeof(block));
	if (block.stored <= left - sizeof(block))
		block.payload_checksum = capture_checksum(at + sizeof(block), block.stored);
	block.checksum = capture_struct_checksum(&block);
	memcpy(at, &block, sizeof(block));
}

static void mend_trailer(uint8_t *at, size_t left)
{
	struct capture_trailer trailer;

	if (left < sizeof(trailer))
		return;
	memcpy(&trailer, at, sizeof(trailer));
	trailer.checksum = capture_struct_checksum(&trailer);
	memcpy(at, &trailer, sizeof(trailer));
}

/* From the end, so that a block's checksum covers what was mended inside it. */
static void mend_checksums(uint8_t *file, size_t size)
{
	for (size_t at = size; at-- > 0;) {
		uint64_t magic;

		if (file[at] != MAGIC_BYTE || size - at < sizeof(magic))
			continue;
		memcpy(&magic, file + at, sizeof(magic));
		if (magic == BLOCK_MAGIC)
			mend_block(file + at, size - at);
		else if (magic == TRAILER_MAGIC)
			mend_trailer(file + at, size - at);
	}
}

/* Each damage is skipped and never met twice, so this ends: no more results than bytes. */
static void read_all(struct capture_reader *r, size_t size)
{
	size_t results = 0;
	struct event e;
	int n;

	while ((n = capture_reader_next(r, &e)) != 0) {
		if (n < 0 && n != -EBADMSG)
			abort();
		if (n == 1 && !e.info->name)
			abort();
		if (n < 0 && ++results > size)
			abort();
	}
	if (capture_reader_position(r) > size || capture_reader_note(r).length > CAPTURE_NOTE_MAX)
		abort();
}

static void read_file(int fd, size_t size)
{
	struct capture_reader *r;
	struct capture_info info;
	const char *text = NULL;
	char path[64];

	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	if (capture_reader_new(path, &r, &text) < 0) {
		if (!text)
			abort();
		return;
	}
	capture_reader_info(r, &info);
	read_all(r, size);
	if (capture_reader_seek(r, info.last_ns / 2) < 0)
		abort();
	read_all(r, size);
	capture_reader_free(r);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	uint8_t *file = malloc(size + 1);
	int fd = memfd_create("capture", MFD_CLOEXEC);

	if (file && fd >= 0) {
		memcpy(file, data, size);
		mend_header(file, size);
		mend_checksums(file, size);
		if (pwrite(fd, file, size, 0) == (ssize_t)size)
			read_file(fd, size);
	}
	if (fd >= 0)
		close(fd);
	free(file);
	return 0;
}
