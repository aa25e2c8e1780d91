/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <linux/bpf.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include "tests/vm/world.h"

/* Every second page is nothing. */
#define WORLD_ADDRESS 0x200000000000
#define PAGE_BYTES ((size_t)0x10000) /* on any machine */
#define PAGES 7

/* ---- helpers ---- */
static uint64_t mix(uint64_t r1, uint64_t r2, uint64_t r3, uint64_t r4, uint64_t r5, struct picket_run *run)
{
	(void)run;
	return (r1 * 3 + r2) ^ (r3 * 5 + r4) ^ r5 << 7;
}

static uint64_t sum(uint64_t r1, uint64_t r2, uint64_t r3, uint64_t r4, uint64_t r5, struct picket_run *run)
{
	const uint8_t *bytes = (const void *)(uintptr_t)r1;
	uint64_t hash = r2;

	(void)r3, (void)r4, (void)r5, (void)run;
	/* A hostile program's size may be large, and is right then: the memory is there. */
	for (uint64_t i = 0; i < r2; i++)
		hash = hash * 31 + bytes[i];
	return hash;
}

static uint64_t fill(uint64_t r1, uint64_t r2, uint64_t r3, uint64_t r4, uint64_t r5, struct picket_run *run)
{
	uint8_t *bytes = (void *)(uintptr_t)r1;

	(void)r4, (void)r5, (void)run;
	for (uint64_t i = 0; i < r2; i++)
		bytes[i] = (uint8_t)(r3 + i);
	return r3 + r2;
}

const struct picket_helper world_helpers[WORLD_HELPERS] = {
        {WORLD_MIX,
         "mix",
         PICKET_RETURN_NUMBER,
         {PICKET_ARG_ANY, PICKET_ARG_ANY, PICKET_ARG_ANY, PICKET_ARG_ANY, PICKET_ARG_ANY},
         mix},
        {WORLD_SUM, "sum", PICKET_RETURN_NUMBER, {PICKET_ARG_MEM, PICKET_ARG_SIZE}, sum},
        {WORLD_FILL, "fill", PICKET_RETURN_NUMBER, {PICKET_ARG_MEM_OUT, PICKET_ARG_SIZE, PICKET_ARG_ANY}, fill},
};

/* ---- memory ---- */
static const struct picket_map_spec map_specs[WORLD_MAPS] = {
        [WORLD_VALUES] = {"values", BPF_MAP_TYPE_ARRAY, 4, WORLD_VALUES_BYTES, 1, 0, 0, NULL, 0},
        [WORLD_ARRAY] = {"array", BPF_MAP_TYPE_ARRAY, 4, WORLD_ARRAY_BYTES, WORLD_ARRAY_ENTRIES, 0, 0, NULL, 0},
        [WORLD_HASH] = {"hash", BPF_MAP_TYPE_HASH, 4, WORLD_HASH_BYTES, WORLD_HASH_ENTRIES, 0, 0, NULL, 0},
};

static void set_pointer(uint8_t *place, const uint8_t *target)
{
	uint64_t address = (uintptr_t)target;

	memcpy(place, &address, sizeof(address));
}

static int init_memory(struct world *w, unsigned number)
{
	void *want = (void *)(uintptr_t)(WORLD_ADDRESS + (uint64_t)number * 2 * PAGES * PAGE_BYTES);
	uint8_t *pages = mmap(want, PAGES * PAGE_BYTES, PROT_READ | PROT_WRITE,
	                      MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0);

	if (pages == MAP_FAILED)
		return -errno;
	w->pages = pages;
	w->packet = pages + 2 * PAGE_BYTES - WORLD_PACKET_BYTES - (size_t)number * 0x1238;
	w->region = pages + 3 * PAGE_BYTES;
	w->table = pages + 6 * PAGE_BYTES - WORLD_TABLE_BYTES;
	for (unsigned i = 0; i < WORLD_TABLE_BYTES; i++)
		w->table[i] = (uint8_t)(i * 37 + (i >> 3));
	set_pointer(w->table, w->region);
	for (unsigned i = 0; i < PAGES; i += 2)
		if (mprotect(pages + (size_t)i * PAGE_BYTES, PAGE_BYTES, PROT_NONE))
			return -errno;
	return mprotect(pages + 5 * PAGE_BYTES, PAGE_BYTES, PROT_READ) ? -errno : 0;
}

int world_init(struct world *w, unsigned number)
{
	int r;

	*w = (struct world){.hash_changed = true};
	r = init_memory(w, number);
	for (unsigned i = 0; i < WORLD_MAPS && !r; i++)
		r = picket_map_new(&map_specs[i], &w->maps[i], NULL);
	if (r)
		world_done(w);
	return r;
}

void world_done(struct world *w)
{
	for (unsigned i = 0; i < WORLD_MAPS; i++)
		picket_map_free(w->maps[i]);
	if (w->pages)
		munmap(w->pages, PAGES * PAGE_BYTES);
	*w = (struct world){0};
}

static void fill_random(uint8_t *bytes, size_t size, uint64_t *seed)
{
	for (size_t i = 0; i < size; i++) {
		*seed = *seed * 6364136223846793005ull + 1442695040888963407ull;
		bytes[i] = (uint8_t)(*seed >> 56);
		if (*seed >> 52 & 1) /* long runs of equal bits */
			bytes[i] = *seed >> 53 & 1 ? 0xff : 0;
	}
}

void world_seed(struct world *w, uint64_t seed, bool frame)
{
	static const uint8_t ethernet[] = {2, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 2, 0x88, 0xb5};
	struct world_memory *m = &w->before;

	fill_random(m->packet, sizeof(m->packet), &seed);
	fill_random(m->region, sizeof(m->region), &seed);
	fill_random(m->values, sizeof(m->values), &seed);
	fill_random(m->array, sizeof(m->array), &seed);
	set_pointer(m->region, w->table);
	if (frame) {
		memcpy(m->packet, ethernet, sizeof(ethernet));
	} else {
		set_pointer(m->packet, w->region);
		set_pointer(m->packet + 8, w->table);
	}
}

struct picket_options world_options(const struct world *w, enum picket_engine engine)
{
	return (struct picket_options){
	        .engine = engine,
	        .helpers = world_helpers,
	        .helper_count = WORLD_HELPERS,
	        .maps = w->maps,
	        .map_count = WORLD_MAPS,
	};
}

/* ---- runs ---- */
static void reset_hash(struct world *w)
{
	if (!w->hash_changed)
		return;
	for (uint32_t key = 0; key < WORLD_HASH_KEYS; key++)
		if (picket_map_delete(w->maps[WORLD_HASH], &key))
			continue; /* it was not there */
	w->hash_changed = false;
}

static void read_hash(struct world *w, struct world_memory *m)
{
	m->hash_keys = 0;
	for (uint32_t key = 0; key < WORLD_HASH_KEYS; key++) {
		uint8_t *value = &m->hash[key * WORLD_HASH_BYTES];
		if (picket_map_lookup(w->maps[WORLD_HASH], &key, value))
			memset(value, 0, WORLD_HASH_BYTES);
		else
			m->hash_keys |= (uint8_t)(1u << key);
	}
	w->hash_changed = m->hash_keys;
}

static void write_memory(struct world *w)
{
	const struct world_memory *m = &w->before;

	memcpy(w->packet, m->packet, sizeof(m->packet));
	memcpy(w->region, m->region, sizeof(m->region));
	memcpy(picket_map_values(w->maps[WORLD_VALUES]), m->values, sizeof(m->values));
	memcpy(picket_map_values(w->maps[WORLD_ARRAY]), m->array, sizeof(m->array));
	reset_hash(w);
}

static void read_memory(struct world *w, struct world_memory *m)
{
	memcpy(m->packet, w->packet, sizeof(m->packet));
	memcpy(m->region, w->region, sizeof(m->region));
	memcpy(m->values, picket_map_values(w->maps[WORLD_VALUES]), sizeof(m->values));
	memcpy(m->array, picket_map_values(w->maps[WORLD_ARRAY]), sizeof(m->array));
	read_hash(w, m);
}

void world_trace(struct world *w, const struct picket_program *p, uint64_t budget,
                 void (*trace)(const struct picket_program *p, size_t insn, const uint64_t registers[11], void *user),
                 void *user, struct outcome *ret_outcome)
{
	const struct picket_region regions[] = {
	        {w->region, WORLD_REGION_BYTES, true},
	        {w->table, WORLD_TABLE_BYTES, false},
	};
	struct picket_call call = {
	        .data = w->packet,
	        .length = WORLD_PACKET_BYTES,
	        .regions = regions,
	        .region_count = sizeof(regions) / sizeof(regions[0]),
	        .budget = budget,
	        .trace = trace,
	        .user = user,
	};

	write_memory(w);
	*ret_outcome = (struct outcome){0};
	if (picket_program_run(p, &call))
		ret_outcome->fault = call.fault;
	ret_outcome->result = call.result;
	read_memory(w, &ret_outcome->after);
}

void world_run(struct world *w, const struct picket_program *p, uint64_t budget, struct outcome *ret_outcome)
{
	world_trace(w, p, budget, NULL, NULL, ret_outcome);
}

/* ---- comparison ---- */
static bool bytes_differ(const char *name, const uint8_t *a, const uint8_t *b, size_t count, char *text, size_t size)
{
	for (size_t i = 0; i < count; i++) {
		if (a[i] == b[i])
			continue;
		snprintf(text, size, "%s[%zu]: %#x and %#x", name, i, a[i], b[i]);
		return true;
	}
	return false;
}

bool world_memory_differs(const struct world_memory *a, const struct world_memory *b, char *text, size_t size)
{
	return bytes_differ("packet", a->packet, b->packet, sizeof(a->packet), text, size) ||
	       bytes_differ("region", a->region, b->region, sizeof(a->region), text, size) ||
	       bytes_differ("values", a->values, b->values, sizeof(a->values), text, size) ||
	       bytes_differ("array", a->array, b->array, sizeof(a->array), text, size) ||
	       bytes_differ("keys of hash", &a->hash_keys, &b->hash_keys, 1, text, size) ||
	       bytes_differ("hash", a->hash, b->hash, sizeof(a->hash), text, size);
}

static bool number_differs(const char *name, uint64_t a, uint64_t b, char *text, size_t size)
{
	if (a != b)
		snprintf(text, size, "%s: %#llx and %#llx", name, (unsigned long long)a, (unsigned long long)b);
	return a != b;
}

bool outcome_differs(const struct outcome *a, const struct outcome *b, char *text, size_t size)
{
	const struct picket_fault *x = &a->fault, *y = &b->fault;
	char name[24];

	if (x->kind != y->kind) {
		snprintf(text, size, "%s at %u and %s at %u", x->kind ? picket_fault_name(x->kind) : "no fault",
		         x->insn, y->kind ? picket_fault_name(y->kind) : "no fault", y->insn);
		return true;
	}
	if (number_differs("fault's instruction", x->insn, y->insn, text, size) ||
	    number_differs("fault's address", x->address, y->address, text, size) ||
	    number_differs("fault's size", x->size, y->size, text, size))
		return true;
	for (unsigned i = 0; i < 11; i++) {
		snprintf(name, sizeof(name), "r%u at the fault", i);
		if (number_differs(name, x->registers[i], y->registers[i], text, size))
			return true;
	}
	return number_differs("result", a->result, b->result, text, size) ||
	       world_memory_differs(&a->after, &b->after, text, size);
}
