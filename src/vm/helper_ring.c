/* SPDX-License-Identifier: Apache-2.0
 *
 * Ring buffers: records that a run has reserved stand in its table, which is what a pointer to one is tested against.
 */
#include <errno.h>
#include <linux/bpf.h>
#include "vm/helper_int.h"

static bool is_ring(const struct picket_map *m)
{
	return m->spec.type == BPF_MAP_TYPE_RINGBUF;
}

int helper_record_reserve(struct picket_run *run, struct picket_map *ring, uint64_t size, void **ret_data)
{
	void *data;

	if (!is_ring(ring) || size > UINT32_MAX || run->record_count == VM_RECORDS_MAX)
		return -EAGAIN;
	data = vm_ring_reserve(ring, size);
	if (!data)
		return -EAGAIN;
	run->records[run->record_count++] = (struct vm_record){.map = ring, .data = data, .size = (uint32_t)size};
	*ret_data = data;
	return 0;
}

static uint32_t record_find(const struct picket_run *run, uint64_t data)
{
	uint32_t i = 0;

	while (i < run->record_count && (uintptr_t)run->records[i].data != data)
		i++;
	return i;
}

bool helper_record_exists(const struct picket_run *run, uint64_t data)
{
	return record_find(run, data) < run->record_count;
}

bool helper_record_end(struct picket_run *run, uint64_t data, bool discard)
{
	uint32_t i = record_find(run, data);
	struct vm_record record;

	if (i == run->record_count)
		return false;
	record = run->records[i];
	run->records[i] = run->records[--run->record_count];
	vm_ring_submit(record.map, record.data, discard);
	return true;
}

void vm_run_drop_records(struct picket_run *run)
{
	while (run->record_count) {
		const struct vm_record *record = &run->records[--run->record_count];
		vm_ring_submit(record->map, record->data, true);
	}
	helper_lock_drop(run);
}

/* ---- the helpers ---- */
uint64_t helper_ring_output(HELPER_PARAMETERS)
{
	struct picket_map *ring = helper_map(r1);
	void *data;

	if (!is_ring(ring) || r4 & ~(uint64_t)(BPF_RB_NO_WAKEUP | BPF_RB_FORCE_WAKEUP))
		return helper_error(-EINVAL);
	data = vm_ring_reserve(ring, r3);
	if (!data)
		return helper_error(-EAGAIN);
	if (r3)
		memcpy(data, helper_pointer(r2), r3);
	vm_ring_submit(ring, data, false);
	return 0;
}

uint64_t helper_ring_reserve(HELPER_PARAMETERS)
{
	void *data;

	if (r3 || helper_record_reserve(run, helper_map(r1), r2, &data))
		return 0;
	return (uintptr_t)data;
}

uint64_t helper_ring_submit(HELPER_PARAMETERS)
{
	helper_record_end(run, r1, false);
	return 0;
}

uint64_t helper_ring_discard(HELPER_PARAMETERS)
{
	helper_record_end(run, r1, true);
	return 0;
}

uint64_t helper_ring_query(HELPER_PARAMETERS)
{
	return is_ring(helper_map(r1)) ? vm_ring_query(helper_map(r1), r2) : 0;
}
