/* SPDX-License-Identifier: Apache-2.0
 *
 * Ring buffer: many producers, one consumer, no locks. The data is mapped twice in a row, so that a record which goes
 * on at the start lies in one piece.
 *
 * As in the kernel's, a record takes its size and 8 bytes, rounded up to 8. The kernel keeps a header in those 8; here
 * the headers lie apart, one for each 8 bytes of data, so that a program that writes beyond its record cannot harm the
 * consumer.
 */
#include "vm/map_int.h"
#include "vm/map_kind.h"

#include <errno.h>
#include <linux/bpf.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#define GAP 8u /* before each record, where the kernel's have their header */

/* A header: 0 from the moment that its place is free, so that the consumer stops there; then the size with these. */
#define IN_USE (1u << 31)       /* there is a record */
#define BUSY (1u << 30)         /* not submitted yet */
#define DISCARD (1u << 29)      /* not to be handed out */
#define SIZE_MASK (DISCARD - 1) /* and the largest record */

struct ring {
	struct picket_map map;
	struct vm_area reserved; /* twice the size, and what faults around it */
	uint8_t *data;
	uint64_t size; /* of data; a power of two */
	struct vm_area headers;
	/* Bytes since the beginning; the place in data is the rest modulo size. */
	uint64_t consumed __attribute__((aligned(64)));
	uint64_t produced __attribute__((aligned(64)));
};

static struct ring *ring_of(struct picket_map *m)
{
	return (struct ring *)m;
}

/* Helpers are given any map. */
static bool is_ring(const struct picket_map *m)
{
	return m->spec.type == BPF_MAP_TYPE_RINGBUF;
}

static uint32_t *header_at(const struct ring *r, uint64_t position)
{
	return (uint32_t *)(void *)r->headers.data + (position & (r->size - 1)) / 8;
}

static uint64_t space_of(uint64_t size)
{
	return vm_round_up_8(size + GAP);
}

/* ---- producers ---- */

void *vm_ring_reserve(struct picket_map *m, uint64_t size)
{
	struct ring *r = ring_of(m);

	if (!is_ring(m) || size > SIZE_MASK || space_of(size) > r->size)
		return NULL;
	uint64_t space = space_of(size), at;
	do {
		/* In this order: less may seem to be consumed than is, never more. Its headers have been cleared. */
		uint64_t consumed = __atomic_load_n(&r->consumed, __ATOMIC_ACQUIRE);
		at = __atomic_load_n(&r->produced, __ATOMIC_RELAXED);
		if (at + space - consumed > r->size - 1)
			return NULL;
	} while (!__atomic_compare_exchange_n(&r->produced, &at, at + space, true, __ATOMIC_RELAXED, __ATOMIC_RELAXED));
	__atomic_store_n(header_at(r, at), IN_USE | BUSY | (uint32_t)size, __ATOMIC_RELEASE);
	return r->data + (at & (r->size - 1)) + GAP;
}

void vm_ring_submit(struct picket_map *m, void *data, bool discard)
{
	struct ring *r = ring_of(m);

	if (!is_ring(m))
		return;
	uint64_t at = (uint64_t)((uintptr_t)data - (uintptr_t)r->data) - GAP;
	if (at >= r->size || at % 8)
		return;
	uint32_t header = __atomic_load_n(header_at(r, at), __ATOMIC_RELAXED);
	if (header & BUSY)
		__atomic_store_n(header_at(r, at), (header & ~BUSY) | (discard ? DISCARD : 0), __ATOMIC_RELEASE);
}

uint64_t vm_ring_query(struct picket_map *m, uint64_t flag)
{
	struct ring *r = ring_of(m);

	if (!is_ring(m))
		return 0;
	uint64_t consumed = __atomic_load_n(&r->consumed, __ATOMIC_ACQUIRE);
	uint64_t produced = __atomic_load_n(&r->produced, __ATOMIC_ACQUIRE);
	switch (flag) {
	case BPF_RB_AVAIL_DATA:
		return produced - consumed;
	case BPF_RB_RING_SIZE:
		return r->size;
	case BPF_RB_CONS_POS:
		return consumed;
	case BPF_RB_PROD_POS:
		return produced;
	default:
		return 0;
	}
}

/* ---- the consumer ---- */

int64_t picket_map_ring_consume(struct picket_map *m, int (*consume)(const void *record, size_t length, void *user),
                                void *user, size_t limit)
{
	struct ring *r = ring_of(m);
	int64_t count = 0;
	bool stop = false;

	if (!is_ring(m))
		return -EINVAL;
	uint64_t at = __atomic_load_n(&r->consumed, __ATOMIC_RELAXED);
	while (!stop && (uint64_t)count < limit) {
		uint32_t header = __atomic_load_n(header_at(r, at), __ATOMIC_ACQUIRE);
		if (!(header & IN_USE) || header & BUSY)
			break;
		if (!(header & DISCARD)) {
			stop = consume(r->data + (at & (r->size - 1)) + GAP, header & SIZE_MASK, user);
			count++;
		}
		__atomic_store_n(header_at(r, at), 0, __ATOMIC_RELAXED);
		at += space_of(header & SIZE_MASK);
		__atomic_store_n(&r->consumed, at, __ATOMIC_RELEASE);
	}
	return count;
}

/* ---- making one ---- */

static int map_twice(struct ring *r)
{
	_cleanup_(base_close_fd) int fd = memfd_create("picket ring buffer", MFD_CLOEXEC);
	const int access = PROT_READ | PROT_WRITE, flags = MAP_SHARED | MAP_FIXED;

	if (fd < 0 || ftruncate(fd, (off_t)r->size))
		return -ENOMEM;
	int error = vm_area_map(&r->reserved, 2, r->size);
	if (error)
		return error;
	r->data = r->reserved.data;
	if (mmap(r->data, r->size, access, flags, fd, 0) == MAP_FAILED ||
	    mmap(r->data + r->size, r->size, access, flags, fd, 0) == MAP_FAILED)
		return -ENOMEM;
	return 0;
}

static void ring_done(struct picket_map *m)
{
	struct ring *r = ring_of(m);

	vm_area_unmap(&r->reserved);
	vm_area_unmap(&r->headers);
	free(r);
}

static const struct vm_map_ops ring_ops = {
        .done = ring_done,
};

int vm_ring_new(const struct picket_map_spec *spec, struct picket_map **ret_map)
{
	struct ring *r = aligned_alloc(_Alignof(struct ring), sizeof(*r));

	if (!r)
		return -ENOMEM;
	*r = (struct ring){.size = spec->max_entries};
	vm_map_init(&r->map, spec, &ring_ops);
	int error = vm_area_map(&r->headers, r->size / 8, sizeof(uint32_t));
	if (!error)
		error = map_twice(r);
	if (error) {
		ring_done(&r->map);
		return error;
	}
	r->map.memory = sizeof(*r) + r->size + r->headers.size;
	*ret_map = &r->map;
	return 0;
}
