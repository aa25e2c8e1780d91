/* SPDX-License-Identifier: Apache-2.0
 *
 * Private to the room: how a capture stands in its file. All in the byte order of the machine that wrote it.
 *
 *	struct capture_header
 *	blocks, each struct capture_block and its payload (zstd); a BLOCK_INDEX stands once, after all others; what a
 *	BLOCK_NOTE holds is for who wrote it
 *	struct capture_trailer
 *
 * Raw payload of a BLOCK_EVENTS: records, each begun at a multiple of 8 bytes. Of a BLOCK_INDEX: struct
 * capture_index_entry. A block's header has a checksum of its own, so that a reader may trust the block's length while
 * it still doubts the payload: what is damaged is skipped in one step, and no input makes a reader go over bytes twice.
 */
#ifndef PICKET_EVENT_CAPTURE_INT_H
#define PICKET_EVENT_CAPTURE_INT_H

#include "event/capture.h"

#define CAPTURE_MAGIC 0x70616374656b6370ull /* "pcketcap", read as a number */
/* Blocks and trailers begin with the same byte in either byte order: what a search after damage looks for. */
#define MAGIC_BYTE 0xda
#define BLOCK_MAGIC 0xda6b636f6c62b1daull
#define TRAILER_MAGIC 0xda6c69617274b1daull
#define CAPTURE_VERSION 1
#define CAPTURE_BYTE_ORDER 0x01020304u

#define BLOCK_RAW_MAX (1024 * 1024)                            /* bytes before compression */
#define BLOCK_STORED_MAX (BLOCK_RAW_MAX + BLOCK_RAW_MAX / 128) /* bytes after it: above zstd's bound */
#define BLOCK_SPAN_NS 1000000000ull                            /* of event time in one block */
#define INDEX_ENTRIES_MAX 32768                                /* so that the index fits into one block */

struct capture_header {
	uint64_t magic;
	uint32_t version;
	uint32_t byte_order;
	uint64_t fingerprint;
	uint64_t checksum; /* of what stands before it */
};

enum { BLOCK_EVENTS = 1, BLOCK_INDEX = 2, BLOCK_NOTE = 3 };

struct capture_block {
	uint64_t magic;
	uint32_t kind;
	uint32_t stored;            /* bytes of the payload in the file */
	uint32_t raw;               /* bytes of it when unpacked */
	uint32_t count;             /* events, or entries */
	uint64_t first_ns, last_ns; /* earliest and latest event */
	uint64_t payload_checksum;
	uint64_t checksum; /* of what stands before it */
};

/* One block, or several that follow one another once there are too many. */
struct capture_index_entry {
	uint64_t offset; /* of the first block in the file */
	uint64_t first_ns, last_ns;
};

struct capture_trailer {
	uint64_t magic;
	uint64_t index_offset;
	uint64_t events;
	uint64_t checksum; /* of what stands before it */
};

uint64_t capture_checksum(const void *data, size_t length);
/* The checksum of a struct whose last member it is. */
#define capture_struct_checksum(s) capture_checksum((s), sizeof(*(s)) - sizeof(uint64_t))

#endif
