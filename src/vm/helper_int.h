/* SPDX-License-Identifier: Apache-2.0
 *
 * What the helpers share. In verified code the engine calls them directly: what vm_helper_call() tests has been proved there
 * from the types of their arguments, and nothing else has. In both modes other threads may write to the program's memory at
 * any time: what is tested and then used is read once.
 */
#ifndef PICKET_VM_HELPER_INT_H
#define PICKET_VM_HELPER_INT_H

#include "vm/map_int.h"
#include "vm/vm_int.h"

#define HELPER_TEXT_MAX 4096 /* PICKET_ARG_CONST_STR */

#define HELPER_UNUSED __attribute__((unused))
#define HELPER_PARAMETERS \
	uint64_t r1 HELPER_UNUSED, uint64_t r2 HELPER_UNUSED, uint64_t r3 HELPER_UNUSED, uint64_t r4 HELPER_UNUSED, \
	        uint64_t r5 HELPER_UNUSED, struct picket_run *run HELPER_UNUSED
#define HELPER(id, name, function, ...) uint64_t helper_##function(HELPER_PARAMETERS);
#include "vm/helper.def"

static inline void *helper_pointer(uint64_t r)
{
	return (void *)(uintptr_t)r;
}
static inline struct picket_map *helper_map(uint64_t r)
{
	return helper_pointer(r);
}
static inline uint64_t helper_error(int err)
{
	return (uint64_t)(int64_t)err;
}

/* May the program use that memory? Verified: true. As vm_memory_find(), quicker where it is mostly asked. */
bool helper_may_read(const struct picket_run *run, uint64_t address, uint64_t size);
bool helper_may_write(const struct picket_run *run, uint64_t address, uint64_t size);
/* For an address that nobody has proved: how many bytes from there on are the program's to read, `limit` at most. */
size_t helper_readable(const struct picket_run *run, uint64_t address, size_t limit);
/* The same for the helper's PICKET_ARG_CONST_STR, which ends there if it has lost its NUL meanwhile. */
size_t helper_text_readable(const struct picket_run *run, uint64_t address);

/* Records of ring buffers that the run has reserved. -EAGAIN: none is free, there or here. */
int helper_record_reserve(struct picket_run *run, struct picket_map *ring, uint64_t size, void **ret_data) must_check;
bool helper_record_exists(const struct picket_run *run, uint64_t data);
/* false: there is no such record. */
bool helper_record_end(struct picket_run *run, uint64_t data, bool discard);

/* Do these 16 bytes stand for a dynptr, be it a null one? They are readable. */
bool helper_dynptr_exists(const struct picket_run *run, uint64_t address);

/* Opens the lock that the run still holds. */
void helper_lock_drop(struct picket_run *run);

#endif
