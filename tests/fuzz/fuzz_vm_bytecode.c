/* SPDX-License-Identifier: Apache-2.0
 *
 * Bytes as bytecode. The first says how they are meant: as they are, or each eight of them made into some instruction with
 * only the fields that it has. What loads must do the same in interpreter and checked code, and nothing outside.
 */
#include <errno.h>
#include <linux/bpf.h>
#include <stdlib.h>
#include <time.h>
#include "check.h"
#include "insns.h"

#define CONTEXT_BYTES 64
#define REGION_BYTES 48
#define VALUE_BYTES 16
#define KEY_BYTES 4
#define AS_THEY_ARE 0x80 /* of the first byte; the others: budget */

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* ---- what programs run in ---- */
enum { MAP_ARRAY, MAP_HASH, MAPS }; /* one element each: it is always at the same address */

static struct {
	struct picket_map *maps[MAPS];
	uint8_t *context, *region, *table;
} world;

static void world_open(void)
{
	static const struct picket_map_spec specs[MAPS] = {
	        {.type = BPF_MAP_TYPE_ARRAY, .key_size = KEY_BYTES, .value_size = VALUE_BYTES, .max_entries = 1},
	        {.type = BPF_MAP_TYPE_HASH, .key_size = KEY_BYTES, .value_size = VALUE_BYTES, .max_entries = 1},
	};

	if (world.context)
		return;
	for (unsigned i = 0; i < MAPS; i++)
		CHECK(picket_map_new(&specs[i], &world.maps[i], NULL) == 0);
	world.context = malloc(CONTEXT_BYTES);
	world.region = malloc(REGION_BYTES);
	world.table = malloc(REGION_BYTES);
	CHECK(world.context && world.region && world.table);
}

static void set_pointer(uint8_t *place, const void *target)
{
	uint64_t address = (uintptr_t)target;

	memcpy(place, &address, sizeof(address));
}

static void world_reset(void)
{
	uint8_t key[KEY_BYTES];

	for (unsigned i = 0; i < CONTEXT_BYTES; i++)
		world.context[i] = (uint8_t)(i * 29);
	set_pointer(world.context, world.region);
	set_pointer(world.context + 8, world.table);
	memset(world.region, 0x5a, REGION_BYTES);
	memset(world.table, 0xa5, REGION_BYTES);
	memset(picket_map_values(world.maps[MAP_ARRAY]), 7, VALUE_BYTES);
	while (picket_map_next_key(world.maps[MAP_HASH], NULL, key) == 0)
		CHECK(picket_map_delete(world.maps[MAP_HASH], key) == 0);
}

/* ---- runs ---- */
struct outcome {
	int r;
	uint64_t result;
	struct picket_fault fault;
	uint8_t context[CONTEXT_BYTES], region[REGION_BYTES], value[VALUE_BYTES];
};

static void run(const struct picket_program *p, uint64_t budget, struct outcome *ret_outcome)
{
	const struct picket_region regions[] = {{world.region, REGION_BYTES, true}, {world.table, REGION_BYTES, false}};
	struct picket_call call = {.data = world.context,
	                           .length = CONTEXT_BYTES,
	                           .regions = regions,
	                           .region_count = ARRAY_SIZE(regions),
	                           .budget = budget};

	world_reset();
	memset(ret_outcome, 0, sizeof(*ret_outcome));
	ret_outcome->r = picket_program_run(p, &call);
	ret_outcome->result = call.result;
	if (ret_outcome->r) {
		ret_outcome->fault = call.fault;
		ret_outcome->fault.program = NULL;
	}
	memcpy(ret_outcome->context, world.context, CONTEXT_BYTES);
	memcpy(ret_outcome->region, world.region, REGION_BYTES);
	memcpy(ret_outcome->value, picket_map_values(world.maps[MAP_ARRAY]), VALUE_BYTES);
	CHECK(ret_outcome->r == 0 || ret_outcome->r == -EFAULT);
	CHECK((ret_outcome->r == -EFAULT) == (ret_outcome->fault.kind != PICKET_FAULT_NONE));
	for (unsigned i = 0; i < REGION_BYTES; i++)
		CHECK(world.table[i] == 0xa5);
}

static bool same(const struct outcome *a, const struct outcome *b)
{
	const struct picket_fault *x = &a->fault, *y = &b->fault;

	return a->r == b->r && a->result == b->result && x->kind == y->kind && x->insn == y->insn &&
	       x->size == y->size && x->address == y->address &&
	       memcmp(x->registers, y->registers, sizeof(x->registers)) == 0 &&
	       memcmp(a->context, b->context, sizeof(a->context)) == 0 &&
	       memcmp(a->region, b->region, sizeof(a->region)) == 0 &&
	       memcmp(a->value, b->value, sizeof(a->value)) == 0;
}

/* NULL: it does not load. */
static struct picket_program *load(const struct picket_insn *insns, size_t count, enum picket_engine engine, bool plain,
                                   bool blind)
{
	struct picket_options options = {
	        .engine = engine, .plain = plain, .blind = blind, .maps = world.maps, .map_count = MAPS};
	struct picket_program *p = NULL;
	struct picket_error error = {0};
	int r = picket_program_load(insns, count, &options, &p, &error);

	CHECK((r == 0) == (p != NULL) && (r == 0 || error.text[0]));
	return p;
}

/* A clock, or chance, is in it if it is not always the same; the coarsest clock goes on every 10 ms. */
static bool is_by_chance(struct picket_program *p, uint64_t budget, const struct outcome *first)
{
	struct timespec begin, now;
	struct outcome again;

	clock_gettime(CLOCK_MONOTONIC, &begin);
	do {
		run(p, budget, &again);
		clock_gettime(CLOCK_MONOTONIC, &now);
	} while (same(first, &again) &&
	         (now.tv_sec - begin.tv_sec) * 1000 + (now.tv_nsec - begin.tv_nsec) / 1000000 < 50);
	return !same(first, &again);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const struct {
		enum picket_engine engine;
		bool plain, blind;
	} others[] = {{PICKET_INTERPRETER, false, false}, {PICKET_CHECKED, false, false}, {PICKET_CHECKED, true, true}};
	static struct picket_insn insns[INSNS_MAX];
	struct outcome first, other;
	struct picket_program *p;
	uint64_t budget;
	size_t count;

	if (!size)
		return 0;
	world_open();
	budget = 1 + (data[0] & 0x7f) * 16u;
	count = insns_read(data + 1, size - 1, data[0] & AS_THEY_ARE, MAPS, insns);
	p = load(insns, count, PICKET_INTERPRETER, true, false);
	if (p)
		run(p, budget, &first);
	for (unsigned i = 0; i < ARRAY_SIZE(others); i++) {
		struct picket_program *q = load(insns, count, others[i].engine, others[i].plain, others[i].blind);
		CHECK((p != NULL) == (q != NULL));
		if (!q)
			continue;
		run(q, budget, &other);
		CHECK(same(&first, &other) || is_by_chance(p, budget, &first));
		picket_program_free(q);
	}
	picket_program_free(p);
	return 0;
}
