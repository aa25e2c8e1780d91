/* SPDX-License-Identifier: Apache-2.0
 *
 * Bloom filter: says of a value that it was never pushed, or that it probably was. Without locks.
 */
#include "vm/map_int.h"
#include "vm/map_kind.h"

#include <errno.h>
#include <linux/bpf.h>
#include <stdlib.h>

#define HASHES_DEFAULT 5
#define BITS_MAX (1ull << 32)

struct bloom {
	struct picket_map map;
	struct vm_area area;
	uint64_t seed;
	uint64_t bit_mask;
	uint32_t hashes;
};

static struct bloom *bloom_of(struct picket_map *m)
{
	return (struct bloom *)m;
}

/* Bits first, first + step, first + 2 step …: as good as independent hashes. */
struct bits {
	uint64_t at, step;
};

static struct bits bits_of(const struct bloom *b, const void *value)
{
	uint64_t hash = base_hash_seeded(b->seed, value, b->map.spec.value_size);
	uint64_t other = base_hash_seeded(~b->seed, &hash, sizeof(hash));

	return (struct bits){hash, other | 1};
}

static uint64_t *word_of(const struct bloom *b, struct bits bits)
{
	return (uint64_t *)(void *)b->area.data + (bits.at & b->bit_mask) / 64;
}

static uint64_t bit_of(struct bits bits)
{
	return 1ull << bits.at % 64;
}

static int bloom_push(struct picket_map *m, const void *value, uint64_t flags)
{
	struct bloom *b = bloom_of(m);

	if (flags != BPF_ANY)
		return -EINVAL;
	struct bits bits = bits_of(b, value);
	for (uint32_t i = 0; i < b->hashes; i++, bits.at += bits.step)
		__atomic_fetch_or(word_of(b, bits), bit_of(bits), __ATOMIC_RELAXED);
	return 0;
}

static int bloom_peek(struct picket_map *m, void *value)
{
	struct bloom *b = bloom_of(m);
	struct bits bits = bits_of(b, value);

	for (uint32_t i = 0; i < b->hashes; i++, bits.at += bits.step) {
		if (!(__atomic_load_n(word_of(b, bits), __ATOMIC_RELAXED) & bit_of(bits)))
			return -ENOENT;
	}
	return 0;
}

/* ---- from outside ---- */

static int bloom_read(struct picket_map *m, const void *key, void *value)
{
	(void)key;
	return bloom_peek(m, value);
}

static int bloom_write(struct picket_map *m, const void *key, const void *value, uint64_t flags)
{
	(void)key;
	return bloom_push(m, value, flags);
}

static void bloom_done(struct picket_map *m)
{
	vm_area_unmap(&bloom_of(m)->area);
	free(m);
}

static const struct vm_map_ops bloom_ops = {
        .push = bloom_push,
        .peek = bloom_peek,
        .read = bloom_read,
        .write = bloom_write,
        .done = bloom_done,
};

/* With n values and k hashes, n k / ln 2 bits are best: half of them are set then. A power of two, at least 64. */
static uint64_t bits_for(uint64_t values, uint64_t hashes)
{
	uint64_t wanted = values * hashes / 5 * 7, bits = 64;

	while (bits < wanted && bits < BITS_MAX)
		bits *= 2;
	return bits;
}

int vm_bloom_new(const struct picket_map_spec *spec, struct picket_map **ret_map)
{
	struct bloom *b = calloc(1, sizeof(*b));

	if (!b)
		return -ENOMEM;
	vm_map_init(&b->map, spec, &bloom_ops);
	b->seed = vm_map_seed(spec);
	b->hashes = spec->extra ? (uint32_t)spec->extra : HASHES_DEFAULT;
	b->bit_mask = bits_for(spec->max_entries, b->hashes) - 1;
	int r = vm_area_map(&b->area, (b->bit_mask + 1) / 8, 1);
	if (r) {
		free(b);
		return r;
	}
	b->map.memory = sizeof(*b) + b->area.size;
	*ret_map = &b->map;
	return 0;
}
