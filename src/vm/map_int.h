/* SPDX-License-Identifier: Apache-2.0
 *
 * Maps as helpers, engines and the loader see them. Each kind is a file map_x.c with a struct vm_map_ops.
 *
 * Memory of a map is reserved when it is made and taken from the system as it is touched; it is never given back or
 * moved while the map lives, so a pointer to a value stays valid memory for a whole run whatever others do. Values lie
 * apart from what links them, with pages that fault around them: a program that writes outside of its value, but inside
 * its map, harms only that map's values.
 */
#ifndef PICKET_VM_MAP_INT_H
#define PICKET_VM_MAP_INT_H

#include "vm/vm_int.h"

#define VM_MAP_KEY_MAX 4096            /* bytes */
#define VM_MAP_VALUE_MAX (4u << 20)    /* bytes, of all kinds but arrays */
#define VM_MAP_MEMORY_MAX (1ull << 36) /* bytes of one map */

struct vm_map_ops {
	/* ---- for programs. Keys and values are readable memory of key_size and value_size bytes. A kind without an
	 * operation leaves its pointer NULL, and the call gives what the kernel gives. No locks in lookup ---- */
	void *(*lookup)(struct picket_map *m, const void *key); /* a map of maps: the inner struct picket_map */
	void *(*lookup_cpu)(struct picket_map *m, const void *key, uint32_t cpu);
	int (*update)(struct picket_map *m, const void *key, const void *value, uint64_t flags);
	int (*delete)(struct picket_map *m, const void *key);
	int (*push)(struct picket_map *m, const void *value, uint64_t flags);
	int (*pop)(struct picket_map *m, void *ret_value);  /* -ENOENT: the value is zeroed; peek too */
	int (*peek)(struct picket_map *m, void *ret_value); /* bloom filter: 0 or -ENOENT for the value given */
	/* Calls each element, at most once, until it returns non-zero; returns how many were called, or -ENOMEM, -EBUSY
	 * (per-CPU, and the thread has no number). key is a copy, in no memory of the program's; it lives as long as
	 * the call. element may change the map. */
	int64_t (*each)(struct picket_map *m, int (*element)(const void *key, void *value, void *user), void *user);
	/* The value that holds address: the one element, not its neighbours. false: not in this map. */
	bool (*find)(struct picket_map *m, uint64_t address, struct vm_window *ret_window);
	/* ---- from outside, as bpf(2): map.c has checked permissions and that there is a key, if the kind has keys.
	 * What is returned is untouched on failure. Per-CPU: the values of all CPUs; maps of maps: a struct
	 * picket_map * ---- */
	int (*read)(struct picket_map *m, const void *key, void *ret_value);
	int (*write)(struct picket_map *m, const void *key, const void *value, uint64_t flags);
	int (*remove)(struct picket_map *m, const void *key);
	int (*take)(struct picket_map *m, const void *key, void *ret_value); /* lookup and delete */
	int (*next_key)(struct picket_map *m, const void *key, void *ret_key);
	void (*done)(struct picket_map *m); /* frees m */
};

struct picket_map {
	struct picket_map_spec spec; /* spec.inner points to inner_spec */
	const struct vm_map_ops *ops;
	uint32_t refs;
	bool frozen;              /* for the outside */
	bool readonly, writeonly; /* for programs: BPF_F_RDONLY_PROG, BPF_F_WRONLY_PROG */
	/* array (and per-CPU array: cpu's values at values + cpu * cpu_stride): value i at values + i * stride. Engines
	 * look up BPF_MAP_TYPE_ARRAY in the machine's code by these three. */
	uint8_t *values;
	uint32_t stride;      /* value_size rounded up to 8 */
	uint32_t max_entries; /* as in spec */
	uint64_t cpu_stride;
	uint64_t memory; /* bytes, at most */
	struct picket_map_spec inner_spec;
};

/* Ring buffer, for helpers. data: 8-byte aligned memory for the record, or NULL: full, or m is none. */
void *vm_ring_reserve(struct picket_map *m, uint64_t size);
/* data: as reserve gave it; anything else, and what is not reserved any more, changes nothing. */
void vm_ring_submit(struct picket_map *m, void *data, bool discard);
uint64_t vm_ring_query(struct picket_map *m, uint64_t flag); /* BPF_RB_* */
/* Prog array: the program at index, or NULL. Inside an epoch. */
const struct picket_program *vm_prog_array_get(struct picket_map *m, uint32_t index);
/* Maps of maps: each inner map. Inside an epoch. */
bool vm_map_holds_map(struct picket_map *m, const struct picket_map *inner);
/* inner returns 1 to stop: then -1 comes back, else the number of maps. */
int64_t vm_map_each_inner(struct picket_map *m, int (*inner)(struct picket_map *inner, void *user), void *user);
/* Is this thread between vm_epoch_enter() and vm_epoch_leave()? */
bool vm_epoch_inside(void);

#endif
