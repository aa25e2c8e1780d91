/* SPDX-License-Identifier: Apache-2.0
 *
 * What the kinds of maps share among themselves and with map.c.
 */
#ifndef PICKET_VM_MAP_KIND_H
#define PICKET_VM_MAP_KIND_H

#include "vm/map_area.h"
#include "vm/map_int.h"

#define VM_READ_MAX 4096 /* bytes of a value that are read from outside without a lock */

/* Can there be such a map? Returns 0; -EINVAL, -E2BIG: reterr says why. */
int vm_map_check_spec(const struct picket_map_spec *spec, struct picket_error *reterr) must_check;
/* Of whatever kind. spec has been checked, and has its cpus. -E2BIG, -ENOMEM. */
int vm_map_make(const struct picket_map_spec *spec, struct picket_map **ret_map) must_check;
/* Of what the kinds have in common. spec has been checked. */
void vm_map_init(struct picket_map *m, const struct picket_map_spec *spec, const struct vm_map_ops *ops);
bool vm_map_is_per_cpu(uint32_t type);
/* Of a per-CPU map: this thread's. false: it has none, for there are more threads than the map has CPUs. */
static inline bool vm_map_own_cpu(const struct picket_map *m, uint32_t *ret_cpu)
{
	int number = vm_thread_number();

	if (number < 0 || (uint32_t)number >= m->spec.cpus)
		return false;
	*ret_cpu = (uint32_t)number;
	return true;
}
/* 0 if the map asks for that, else random. */
uint64_t vm_map_seed(const struct picket_map_spec *spec);

/* As vm_map_make(), of their kinds. */
int vm_array_new(const struct picket_map_spec *spec, struct picket_map **ret_map) must_check;
int vm_prog_array_new(const struct picket_map_spec *spec, struct picket_map **ret_map) must_check;
int vm_hash_new(const struct picket_map_spec *spec, struct picket_map **ret_map) must_check;
int vm_maps_new(const struct picket_map_spec *spec, struct picket_map **ret_map) must_check; /* of maps */
int vm_lpm_new(const struct picket_map_spec *spec, struct picket_map **ret_map) must_check;
int vm_queue_new(const struct picket_map_spec *spec, struct picket_map **ret_map) must_check; /* and stack */
int vm_ring_new(const struct picket_map_spec *spec, struct picket_map **ret_map) must_check;
int vm_bloom_new(const struct picket_map_spec *spec, struct picket_map **ret_map) must_check;

/* What all arrays have in common. */
static inline uint32_t vm_array_index(const void *key)
{
	uint32_t index;
	memcpy(&index, key, sizeof(index));
	return index;
}
int vm_array_next_key(struct picket_map *m, const void *key, void *ret_key);
/* -EINVAL: no prog array; -E2BIG: index. */
int vm_prog_array_set(struct picket_map *m, uint32_t index, const struct picket_program *p) must_check;
/* The one element of an area, of `size` bytes at each `stride`, that holds address. */
bool vm_area_find(const struct vm_area *a, uint64_t used, uint64_t stride, uint64_t size, uint64_t address,
                  struct vm_window *ret_window);

#endif
