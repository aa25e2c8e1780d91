/* SPDX-License-Identifier: Apache-2.0 */
#include "vm/map_int.h"
#include "vm/vm_int.h"

static bool holds(struct vm_window w, uint64_t address, uint64_t size)
{
	return size <= w.size && address - w.low <= w.size - size;
}

static bool find_in_record(const struct picket_run *run, uint64_t address, struct vm_window *ret_window)
{
	for (uint32_t i = 0; i < run->record_count; i++) {
		struct vm_window w = {(uintptr_t)run->records[i].data, run->records[i].size};
		if (run->records[i].data && holds(w, address, 1)) {
			*ret_window = w;
			return true;
		}
	}
	return false;
}

static bool find_lent(const struct picket_run *run, uint64_t address, uint64_t size, struct vm_window *ret_window)
{
	for (const struct vm_lent *lent = run->lent; lent; lent = lent->outer)
		if (holds(lent->window, address, size)) {
			*ret_window = lent->window;
			return true;
		}
	return false;
}

struct inner_search {
	uint64_t address;
	bool write;
	struct vm_window *ret_window;
};

static bool find_in_map(struct picket_map *m, const struct inner_search *s);

static int find_in_inner(struct picket_map *inner, void *user)
{
	return find_in_map(inner, user);
}

static bool find_in_map(struct picket_map *m, const struct inner_search *s)
{
	if (s->write ? m->readonly : m->writeonly)
		return false;
	if (m->ops->find && m->ops->find(m, s->address, s->ret_window))
		return true;
	return m->spec.inner && vm_map_each_inner(m, find_in_inner, (void *)s) < 0;
}

bool vm_memory_find(const struct picket_run *run, uint64_t address, uint64_t size, bool write,
                    struct vm_window *ret_window)
{
	const struct picket_call *call = run->call;
	const struct picket_program *p = run->program;
	struct vm_window w = {run->stack_low, run->frame - run->stack_low};
	struct inner_search search = {address, write, &w};

	if (run->checked && holds(w, address, size))
		goto found;
	w = (struct vm_window){run->data, run->length};
	if (holds(w, address, size))
		goto found;
	for (size_t i = 0; call && i < call->region_count; i++) {
		const struct picket_region *region = &call->regions[i];
		w = (struct vm_window){(uintptr_t)region->data, region->length};
		if (holds(w, address, size) && (region->writable || !write))
			goto found;
	}
	if (find_in_record(run, address, &w) && holds(w, address, size))
		goto found;
	if (!write && find_lent(run, address, size, &w))
		goto found;
	for (size_t i = 0; i < p->map_count; i++)
		if (find_in_map(p->maps[i], &search) && holds(w, address, size))
			goto found;
	return false;
found:
	*ret_window = w;
	return true;
}

bool vm_memory_is_map(const struct picket_run *run, uint64_t pointer)
{
	const struct picket_program *p = run->program;

	for (size_t i = 0; i < p->map_count; i++)
		if ((uintptr_t)p->maps[i] == pointer)
			return true;
	for (size_t i = 0; i < p->map_count; i++)
		if (p->maps[i]->spec.inner && vm_map_holds_map(p->maps[i], (const void *)(uintptr_t)pointer))
			return true;
	return false;
}

void vm_fault(struct picket_run *run, enum picket_fault_kind kind, uint64_t address, uint32_t size)
{
	if (run->fault.kind)
		return;
	run->fault.kind = kind;
	run->fault.address = address;
	run->fault.size = size;
}

void *picket_run_user(struct picket_run *run)
{
	return run->call ? run->call->user : NULL;
}

static bool may_access(struct picket_run *run, const void *memory, size_t length, bool write)
{
	struct vm_window w;

	return !run->checked || vm_memory_find(run, (uintptr_t)memory, length, write, &w);
}

bool picket_run_may_read(struct picket_run *run, const void *memory, size_t length)
{
	return may_access(run, memory, length, false);
}

bool picket_run_may_write(struct picket_run *run, void *memory, size_t length)
{
	return may_access(run, memory, length, true);
}
