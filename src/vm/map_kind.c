/* SPDX-License-Identifier: Apache-2.0
 *
 * The kinds of maps, and which maps can be: the kernel's rules, and limits of our own.
 */
#include "vm/map_kind.h"

#include <errno.h>
#include <linux/bpf.h>
#include <unistd.h>

#define ACCESS_FLAGS (BPF_F_RDONLY | BPF_F_WRONLY | BPF_F_RDONLY_PROG | BPF_F_WRONLY_PROG)
#define HASH_FLAGS (BPF_F_NO_PREALLOC | BPF_F_NUMA_NODE | BPF_F_ZERO_SEED | ACCESS_FLAGS)
#define QUEUE_FLAGS (BPF_F_NUMA_NODE | ACCESS_FLAGS)
#define PER_CPU_VALUE_MAX 32768
#define LPM_DATA_MAX 256 /* bytes */
#define FREE 0           /* any size but 0 */
#define NOTHING UINT32_MAX

/* What is asked of each type, besides what needs a function of its own. */
static const struct kind {
	const char *name; /* with its article */
	int (*make)(const struct picket_map_spec *spec, struct picket_map **ret_map);
	uint32_t key_size, value_size; /* that it must have; FREE; NOTHING: 0 */
	uint32_t value_max;
	uint32_t flags; /* that it may have */
} kinds[] = {
        [BPF_MAP_TYPE_HASH] = {"a hash", vm_hash_new, FREE, FREE, VM_MAP_VALUE_MAX, HASH_FLAGS},
        [BPF_MAP_TYPE_ARRAY] = {"an array", vm_array_new, 4, FREE, INT32_MAX,
                                BPF_F_NUMA_NODE | BPF_F_MMAPABLE | BPF_F_INNER_MAP | ACCESS_FLAGS},
        [BPF_MAP_TYPE_PROG_ARRAY] = {"a prog array", vm_prog_array_new, 4, 4, 4,
                                     BPF_F_NUMA_NODE | BPF_F_RDONLY | BPF_F_WRONLY},
        [BPF_MAP_TYPE_PERCPU_HASH] = {"a per-CPU hash", vm_hash_new, FREE, FREE, PER_CPU_VALUE_MAX, HASH_FLAGS},
        [BPF_MAP_TYPE_PERCPU_ARRAY] = {"a per-CPU array", vm_array_new, 4, FREE, PER_CPU_VALUE_MAX, ACCESS_FLAGS},
        [BPF_MAP_TYPE_LRU_HASH] = {"an LRU hash", vm_hash_new, FREE, FREE, VM_MAP_VALUE_MAX,
                                   (HASH_FLAGS & ~BPF_F_NO_PREALLOC) | BPF_F_NO_COMMON_LRU},
        [BPF_MAP_TYPE_LRU_PERCPU_HASH] = {"an LRU per-CPU hash", vm_hash_new, FREE, FREE, PER_CPU_VALUE_MAX,
                                          (HASH_FLAGS & ~BPF_F_NO_PREALLOC) | BPF_F_NO_COMMON_LRU},
        [BPF_MAP_TYPE_LPM_TRIE] = {"an LPM trie", vm_lpm_new, FREE, FREE, VM_MAP_VALUE_MAX,
                                   BPF_F_NO_PREALLOC | BPF_F_NUMA_NODE | ACCESS_FLAGS},
        [BPF_MAP_TYPE_ARRAY_OF_MAPS] = {"an array of maps", vm_maps_new, 4, 4, 4,
                                        BPF_F_NUMA_NODE | BPF_F_RDONLY | BPF_F_WRONLY},
        [BPF_MAP_TYPE_HASH_OF_MAPS] = {"a hash of maps", vm_maps_new, FREE, 4, 4, HASH_FLAGS},
        [BPF_MAP_TYPE_QUEUE] = {"a queue", vm_queue_new, NOTHING, FREE, VM_MAP_VALUE_MAX, QUEUE_FLAGS},
        [BPF_MAP_TYPE_STACK] = {"a stack", vm_queue_new, NOTHING, FREE, VM_MAP_VALUE_MAX, QUEUE_FLAGS},
        [BPF_MAP_TYPE_RINGBUF] = {"a ring buffer", vm_ring_new, NOTHING, NOTHING, 0, BPF_F_NUMA_NODE},
        [BPF_MAP_TYPE_BLOOM_FILTER] = {"a bloom filter", vm_bloom_new, NOTHING, FREE, VM_MAP_VALUE_MAX,
                                       QUEUE_FLAGS | BPF_F_ZERO_SEED},
};

static const struct kind *kind_of(uint32_t type)
{
	return type < ARRAY_SIZE(kinds) && kinds[type].name ? &kinds[type] : NULL;
}

bool vm_map_is_per_cpu(uint32_t type)
{
	return type == BPF_MAP_TYPE_PERCPU_ARRAY || type == BPF_MAP_TYPE_PERCPU_HASH ||
	       type == BPF_MAP_TYPE_LRU_PERCPU_HASH;
}

static bool is_map_of_maps(uint32_t type)
{
	return type == BPF_MAP_TYPE_ARRAY_OF_MAPS || type == BPF_MAP_TYPE_HASH_OF_MAPS;
}

static int check_size(const struct kind *kind, const char *what, uint32_t size, uint32_t wanted, uint32_t max,
                      struct picket_error *reterr)
{
	if (wanted == NOTHING && size)
		return vm_error(reterr, -EINVAL, 0, "%s has no %s, so its size is 0, not %u", kind->name, what, size);
	if (wanted == FREE && !size)
		return vm_error(reterr, -EINVAL, 0, "the %s of %s needs a size", what, kind->name);
	if (wanted != NOTHING && wanted != FREE && size != wanted)
		return vm_error(reterr, -EINVAL, 0, "the %s of %s has %u bytes, not %u", what, kind->name, wanted,
		                size);
	if (size > max)
		return vm_error(reterr, -E2BIG, 0, "the %s of %s has at most %u bytes, not %u", what, kind->name, max,
		                size);
	return 0;
}

static bool has_both(uint32_t flags, uint32_t both)
{
	return (flags & both) == both;
}

static int check_flags(const struct kind *kind, uint32_t flags, struct picket_error *reterr)
{
	if (flags & ~kind->flags)
		return vm_error(reterr, -EINVAL, 0, "%s does not take the flags %#x", kind->name, flags & ~kind->flags);
	if (has_both(flags, BPF_F_RDONLY | BPF_F_WRONLY) || has_both(flags, BPF_F_RDONLY_PROG | BPF_F_WRONLY_PROG))
		return vm_error(reterr, -EINVAL, 0, "a map cannot be read-only and write-only");
	return 0;
}

static int check_lpm(const struct picket_map_spec *spec, struct picket_error *reterr)
{
	if (!(spec->flags & BPF_F_NO_PREALLOC))
		return vm_error(reterr, -EINVAL, 0, "an LPM trie needs the flag BPF_F_NO_PREALLOC");
	if (spec->key_size < 4 + 1 || spec->key_size > 4 + LPM_DATA_MAX)
		return vm_error(reterr, -EINVAL, 0, "the key of an LPM trie has 5 to %d bytes, not %u",
		                4 + LPM_DATA_MAX, spec->key_size);
	return 0;
}

static int check_ring(const struct picket_map_spec *spec, struct picket_error *reterr)
{
	const long page = sysconf(_SC_PAGESIZE);
	uint32_t size = spec->max_entries;

	if (size & (size - 1) || size % (uint64_t)page)
		return vm_error(reterr, -EINVAL, 0,
		                "the size of a ring buffer (max_entries) is a power of two and whole pages, not %u",
		                size);
	return 0;
}

static int check_inner(const struct picket_map_spec *spec, struct picket_error *reterr)
{
	if (!spec->inner)
		return vm_error(reterr, -EINVAL, 0, "a map of maps needs to know what maps it holds");
	if (is_map_of_maps(spec->inner->type) || spec->inner->type == BPF_MAP_TYPE_PROG_ARRAY)
		return vm_error(reterr, -EINVAL, 0, "a map of maps cannot hold %s", kind_of(spec->inner->type)->name);
	return vm_map_check_spec(spec->inner, reterr);
}

static int check_extra(const struct picket_map_spec *spec, struct picket_error *reterr)
{
	uint64_t max = spec->type == BPF_MAP_TYPE_BLOOM_FILTER ? 15 : 0;

	if (spec->extra > max)
		return vm_error(reterr, -EINVAL, 0, "map_extra is at most %lu for this type, not %llu",
		                (unsigned long)max, (unsigned long long)spec->extra);
	return 0;
}

int vm_map_check_spec(const struct picket_map_spec *spec, struct picket_error *reterr)
{
	const struct kind *kind = kind_of(spec->type);
	uint32_t key_max = spec->type == BPF_MAP_TYPE_LPM_TRIE ? UINT32_MAX : VM_MAP_KEY_MAX;

	if (!memchr(spec->name, 0, sizeof(spec->name)))
		return vm_error(reterr, -EINVAL, 0, "the map's name does not end");
	if (!kind)
		return vm_error(reterr, -EINVAL, 0, "maps of type %u are not supported", spec->type);
	if (!spec->max_entries)
		return vm_error(reterr, -EINVAL, 0, "max_entries is 0");
	if (spec->cpus > PICKET_CPUS_MAX)
		return vm_error(reterr, -E2BIG, 0, "a map can be for %d CPUs, not %u", PICKET_CPUS_MAX, spec->cpus);
	if (spec->inner && !is_map_of_maps(spec->type))
		return vm_error(reterr, -EINVAL, 0, "%s holds no maps", kind->name);
	int r = check_flags(kind, spec->flags, reterr);
	if (!r)
		r = check_size(kind, "key", spec->key_size, kind->key_size, key_max, reterr);
	if (!r)
		r = check_size(kind, "value", spec->value_size, kind->value_size, kind->value_max, reterr);
	if (!r)
		r = check_extra(spec, reterr);
	if (!r && spec->type == BPF_MAP_TYPE_LPM_TRIE)
		r = check_lpm(spec, reterr);
	if (!r && spec->type == BPF_MAP_TYPE_RINGBUF)
		r = check_ring(spec, reterr);
	if (!r && is_map_of_maps(spec->type))
		r = check_inner(spec, reterr);
	return r;
}

int vm_map_make(const struct picket_map_spec *spec, struct picket_map **ret_map)
{
	return kinds[spec->type].make(spec, ret_map);
}
