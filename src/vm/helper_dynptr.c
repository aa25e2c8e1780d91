/* SPDX-License-Identifier: Apache-2.0
 *
 * Dynptrs: the 16 bytes on the program's stack say only that something is there. What it is stands in the run's table, by
 * their address, and whether the program may still use that memory is asked each time. A program that writes over the bytes
 * loses its dynptr; it cannot make one.
 */
#include <errno.h>
#include <linux/bpf.h>
#include "vm/helper_int.h"

#define DYNPTR_BYTES sizeof(struct bpf_dynptr)
#define DYNPTR_SIZE_MAX ((1u << 24) - 1)

/* What the 16 bytes hold: a mark, and their own address, so that a copy is none. */
#define MARK_LIVE 0x6c69766500000001ull
#define MARK_NULL 0x6e756c6c00000002ull
struct mark {
	uint64_t kind, address;
};
_Static_assert(sizeof(struct mark) == DYNPTR_BYTES, "a mark takes a dynptr's place");

static void mark_write(uint64_t address, uint64_t kind)
{
	const struct mark mark = {kind, address};

	memcpy(helper_pointer(address), &mark, sizeof(mark));
}

static bool is_marked(uint64_t address, uint64_t kind)
{
	struct mark mark;

	memcpy(&mark, helper_pointer(address), sizeof(mark));
	return mark.kind == kind && mark.address == address;
}

/* ---- the table ---- */
static const struct vm_dynptr *dynptr_find(const struct picket_run *run, uint64_t address)
{
	for (uint32_t i = 0; i < run->dynptr_count; i++)
		if (run->dynptrs[i].address == address)
			return is_marked(address, MARK_LIVE) ? &run->dynptrs[i] : NULL;
	return NULL;
}

bool helper_dynptr_exists(const struct picket_run *run, uint64_t address)
{
	return is_marked(address, MARK_NULL) || dynptr_find(run, address);
}

static bool overlaps(uint64_t a, uint64_t b)
{
	return a - b < DYNPTR_BYTES || b - a < DYNPTR_BYTES;
}

/* Forgets those in whose place a new one comes, and, if `all`, those that were written over. */
static void dynptr_sweep(struct picket_run *run, uint64_t address, bool all)
{
	for (uint32_t i = run->dynptr_count; i-- > 0;) {
		struct vm_dynptr *d = &run->dynptrs[i];
		if (overlaps(d->address, address) || (all && !is_marked(d->address, MARK_LIVE)))
			*d = run->dynptrs[--run->dynptr_count];
	}
}

/* Room for one at address, which the caller fills. NULL: VM_DYNPTRS_MAX are in use. */
static struct vm_dynptr *dynptr_add(struct picket_run *run, uint64_t address)
{
	dynptr_sweep(run, address, false);
	if (run->dynptr_count == VM_DYNPTRS_MAX)
		dynptr_sweep(run, address, true);
	if (run->dynptr_count == VM_DYNPTRS_MAX)
		return NULL;
	return &run->dynptrs[run->dynptr_count++];
}

static int dynptr_set_null(struct picket_run *run, uint64_t address, int err)
{
	dynptr_sweep(run, address, false);
	mark_write(address, MARK_NULL);
	return err;
}

/* ---- of memory ---- */
static int dynptr_make(struct picket_run *run, uint64_t address, struct vm_dynptr made)
{
	struct vm_dynptr *d = dynptr_add(run, address);

	if (!d)
		return -ENOMEM;
	*d = made;
	d->address = address;
	mark_write(address, MARK_LIVE);
	return 0;
}

uint64_t helper_dynptr_from_mem(HELPER_PARAMETERS)
{
	int r = 0;

	if (r2 > DYNPTR_SIZE_MAX)
		r = -E2BIG;
	else if (r3)
		r = -EINVAL;
	else
		r = dynptr_make(run, r4, (struct vm_dynptr){.data = r1, .size = (uint32_t)r2});
	return helper_error(r ? dynptr_set_null(run, r4, r) : 0);
}

/* The memory at offset, or an error as the kernel gives it. */
static int dynptr_slice(struct picket_run *run, uint64_t address, uint64_t offset, uint64_t length, uint64_t *ret_data)
{
	const struct vm_dynptr *d = dynptr_find(run, address);

	if (!d)
		return -EINVAL;
	if (length > d->size || offset > d->size - length)
		return -E2BIG;
	if (length && !helper_may_write(run, d->data + offset, length))
		return -EINVAL;
	*ret_data = d->data + offset;
	return 0;
}

uint64_t helper_dynptr_read(HELPER_PARAMETERS)
{
	uint64_t from;
	int r = r5 ? -EINVAL : dynptr_slice(run, r3, r4, r2, &from);

	if (r || !r2)
		return helper_error(r);
	memmove(helper_pointer(r1), helper_pointer(from), r2);
	return 0;
}

uint64_t helper_dynptr_write(HELPER_PARAMETERS)
{
	uint64_t to;
	int r = dynptr_slice(run, r1, r2, r4, &to);

	if (!r && r5)
		r = -EINVAL;
	if (r || !r4)
		return helper_error(r);
	memmove(helper_pointer(to), helper_pointer(r3), r4);
	return 0;
}

uint64_t helper_dynptr_data(HELPER_PARAMETERS)
{
	uint64_t data;

	return dynptr_slice(run, r1, r2, r3, &data) ? 0 : data;
}

/* ---- of ring buffers ---- */
static int reserve(struct picket_run *run, struct picket_map *ring, uint64_t size, uint64_t address)
{
	void *data;
	int r = helper_record_reserve(run, ring, size, &data);

	if (r)
		return -EINVAL;
	r = dynptr_make(run, address,
	                (struct vm_dynptr){.data = (uintptr_t)data, .size = (uint32_t)size, .ring = true});
	if (r)
		helper_record_end(run, (uintptr_t)data, true);
	return r;
}

uint64_t helper_ring_reserve_dynptr(HELPER_PARAMETERS)
{
	int r;

	if (r3)
		r = -EINVAL;
	else if (r2 > DYNPTR_SIZE_MAX)
		r = -E2BIG;
	else
		r = reserve(run, helper_map(r1), r2, r4);
	return helper_error(r ? dynptr_set_null(run, r4, r) : 0);
}

/* A null one may be ended as well: reserving it failed. One of memory is the wrong argument. */
static void ring_end(struct picket_run *run, uint64_t address, bool discard)
{
	const struct vm_dynptr *d = dynptr_find(run, address);

	if (d && !d->ring) {
		vm_fault(run, PICKET_FAULT_ARGUMENT, 1, 0);
		return;
	}
	if (d)
		helper_record_end(run, d->data, discard);
	dynptr_sweep(run, address, false);
	mark_write(address, 0);
}

uint64_t helper_ring_submit_dynptr(HELPER_PARAMETERS)
{
	ring_end(run, r1, false);
	return 0;
}

uint64_t helper_ring_discard_dynptr(HELPER_PARAMETERS)
{
	ring_end(run, r1, true);
	return 0;
}
