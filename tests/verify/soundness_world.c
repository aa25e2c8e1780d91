/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <linux/bpf.h>
#include <stdlib.h>
#include <sys/mman.h>
#include "tests/verify/soundness_monitor.h"
#include "verify/table_int.h"

#define PAGES_BYTES 8192
#define PLACE_BYTES 2048 /* of a packet: room before and behind it */
#define PLACES 2
#define SOCKET_PLACE (PLACES * PLACE_BYTES)
#define KEYS_MAX 8
#define FILL_MAX 4096

/* ---- chance ---- */
/* Streams of neighbouring seeds are not the same one, shifted. */
struct chance chance_from(uint64_t seed)
{
	struct chance c = {seed ^ 0x5851f42d4c957f2dull};

	return (struct chance){chance_next(&c) * 0x2545f4914f6cdd1dull};
}

uint64_t chance_next(struct chance *c)
{
	uint64_t z = c->state += 0x9e3779b97f4a7c15ull;

	z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9ull;
	z = (z ^ (z >> 27)) * 0x94d049bb133111ebull;
	return z ^ (z >> 31);
}

uint32_t chance_below(struct chance *c, uint32_t limit)
{
	return (uint32_t)((chance_next(c) >> 32) * limit >> 32);
}

bool chance_one_in(struct chance *c, uint32_t n)
{
	return chance_below(c, n) == 0;
}

uint64_t chance_extreme(struct chance *c)
{
	uint64_t bit = 1ull << chance_below(c, 64);

	switch (chance_below(c, 10)) {
	case 0:
		return 0;
	case 1:
		return UINT64_MAX;
	case 2:
		return bit;
	case 3:
		return bit - 1;
	case 4:
		return 0 - bit;
	case 5:
		return bit + 1;
	case 6:
		return chance_below(c, 16);
	case 7:
		return chance_below(c, 512);
	case 8:
		return (uint32_t)chance_next(c);
	default:
		return chance_next(c);
	}
}

/* ---- numbers ---- */
uint64_t world_number(struct soundness_world *w)
{
	uint64_t number;

	if (!w->pool_count || chance_one_in(&w->chance, 3))
		return chance_extreme(&w->chance);
	number = w->pool[chance_below(&w->chance, (uint32_t)w->pool_count)];
	switch (chance_below(&w->chance, 6)) {
	case 0:
		return number + 1;
	case 1:
		return number - 1;
	case 2:
		return __builtin_bswap64(number);
	default:
		return number;
	}
}

static void fill_numbers(struct soundness_world *w, uint8_t *to, size_t size)
{
	static const uint8_t widths[] = {1, 2, 4, 8};

	for (size_t at = 0; at < size;) {
		uint64_t number = world_number(w);
		size_t width = MIN(widths[chance_below(&w->chance, 4)], size - at);
		memcpy(to + at, &number, width);
		at += width;
	}
}

void world_fill(struct soundness_world *w, void *memory, size_t size)
{
	uint8_t *to = memory;

	size = MIN(size, FILL_MAX);
	switch (chance_below(&w->chance, 8)) {
	case 0:
		memset(to, 0, size);
		break;
	case 1:
		memset(to, 0xff, size);
		break;
	case 2:
		for (size_t i = 0; i < size; i++)
			to[i] = (uint8_t)chance_next(&w->chance);
		break;
	default:
		fill_numbers(w, to, size);
	}
}

/* ---- packets ---- */
static size_t packet_length(struct soundness_world *w)
{
	uint64_t number = world_number(w);

	switch (chance_below(&w->chance, 6)) {
	case 0:
		return 0;
	case 1:
		return 1;
	case 2:
		return PACKET_BYTES_MAX;
	case 3:
		return chance_below(&w->chance, 64);
	default:
		return number <= PACKET_BYTES_MAX ? number : chance_below(&w->chance, PACKET_BYTES_MAX);
	}
}

static void set_field(struct soundness_world *w, const struct verify_field *f, uint64_t number)
{
	memcpy(w->context + f->offset, &number, f->size);
}

static void set_context_pointers(struct soundness_world *w)
{
	uint64_t socket = (uintptr_t)w->regions[1].data;

	for (size_t i = 0; i < w->kind->field_count; i++) {
		const struct verify_field *f = &w->kind->fields[i];
		switch ((enum verify_field_type)f->type) {
		case FIELD_PACKET:
		case FIELD_MEMORY_RANGE:
			set_field(w, f, w->packet);
			break;
		case FIELD_PACKET_META:
			set_field(w, f, w->packet_meta);
			break;
		case FIELD_PACKET_END:
		case FIELD_MEMORY_END:
			set_field(w, f, w->packet_end);
			break;
		case FIELD_SOCKET_OR_NULL:
		case FIELD_SOCK_COMMON_OR_NULL:
			set_field(w, f, chance_one_in(&w->chance, 2) ? socket : 0);
			break;
		case FIELD_SOCKET:
		case FIELD_MEMORY:
		case FIELD_FLOW_KEYS:
			set_field(w, f, socket);
			break;
		default:
			break;
		}
	}
}

void world_move_packet(struct soundness_world *w)
{
	uint8_t *place = w->pages + (w->packet_place = (w->packet_place + 1) % PLACES) * PLACE_BYTES;
	size_t meta = 4 * chance_below(&w->chance, PACKET_META_BYTES / 4 + 1), length = packet_length(w);

	w->packet = (uintptr_t)place + PACKET_META_BYTES;
	w->packet_meta = w->packet - meta;
	w->packet_end = w->packet + length;
	world_fill(w, (void *)(uintptr_t)w->packet_meta, meta + length);
	w->regions[0] = (struct picket_region){(void *)(uintptr_t)w->packet_meta, meta + length, true};
	set_context_pointers(w);
}

/* ---- memory of the kernel ---- */
#define HEAP_ALIGNMENT 16

uint64_t world_allocate(struct soundness_world *w, uint64_t bytes)
{
	uint64_t at;

	bytes = MAX((bytes + HEAP_ALIGNMENT - 1) / HEAP_ALIGNMENT * HEAP_ALIGNMENT, HEAP_ALIGNMENT);
	if (bytes > HEAP_BYTES)
		return 0;
	if (bytes > HEAP_BYTES - w->heap_used)
		w->heap_used = 0;
	at = (uintptr_t)w->heap + w->heap_used;
	w->heap_used += (uint32_t)bytes;
	world_fill(w, (void *)(uintptr_t)at, bytes);
	return at;
}

/* ---- maps ---- */
static const struct picket_map_spec *spec_that_exists(const struct picket_map_spec *spec, struct picket_map_spec *other,
                                                      struct picket_map **ret_map)
{
	*other = *spec;
	other->max_entries = MIN(MAX(other->max_entries, 1), 64);
	if (spec->type == BPF_MAP_TYPE_RINGBUF)
		other->max_entries = 4096;
	other->flags &= BPF_F_RDONLY_PROG | BPF_F_WRONLY_PROG | BPF_F_NO_PREALLOC;
	if (spec->type != BPF_MAP_TYPE_HASH && spec->type != BPF_MAP_TYPE_LPM_TRIE)
		other->flags &= ~(uint32_t)BPF_F_NO_PREALLOC;
	if (picket_map_new(other, ret_map, NULL) == 0)
		return other;
	*other = (struct picket_map_spec){
	        .type = BPF_MAP_TYPE_ARRAY, .key_size = 4, .value_size = MAX(spec->value_size, 8), .max_entries = 4};
	if (spec->key_size > 4 || picket_map_new(other, ret_map, NULL))
		return NULL;
	return other;
}

/* What is found in these is no value. */
static bool holds_sockets(uint32_t type)
{
	return type == BPF_MAP_TYPE_SOCKMAP || type == BPF_MAP_TYPE_SOCKHASH || type == BPF_MAP_TYPE_XSKMAP;
}

/* Every other place leads to a program. */
static int set_programs(struct picket_map *map, const struct picket_program *other)
{
	int r = 0;

	for (uint32_t i = 0; !r && i < picket_map_spec(map)->max_entries; i += 2)
		r = picket_map_set_program(map, i, other);
	return r;
}

static int make_map(struct soundness_world *w, size_t index)
{
	struct picket_map_spec spec;
	uint32_t key = 0;

	if (holds_sockets(w->specs[index].type) || !spec_that_exists(&w->specs[index], &spec, &w->maps[index]))
		return -EOPNOTSUPP;
	if (spec.type == BPF_MAP_TYPE_PROG_ARRAY)
		return set_programs(w->maps[index], w->other);
	if (!spec.inner)
		return 0;
	if (picket_map_new(spec.inner, &w->inner[index], NULL))
		return -EOPNOTSUPP;
	return spec.key_size == sizeof(key) ? picket_map_update(w->maps[index], &key, &w->inner[index], 0) : 0;
}

static int load_other(struct picket_program **ret_other)
{
	const struct picket_insn insns[] = {insn_make(VM_CALL_HELPER, 0, 0, 0, another_program.id),
	                                    insn_make(VM_EXIT, 0, 0, 0, 0)};
	const struct picket_options options = {
	        .engine = PICKET_INTERPRETER, .plain = true, .helpers = &another_program, .helper_count = 1};

	return picket_program_load(insns, ARRAY_SIZE(insns), &options, ret_other, NULL);
}

int soundness_world_init(struct soundness_world *w, const struct picket_map_spec *specs, size_t count)
{
	void *pages;

	*w = (struct soundness_world){.specs = specs};
	if (count > WORLD_MAPS_MAX)
		return -E2BIG;
	w->context = calloc(1, CONTEXT_BYTES_MAX);
	pages = mmap(NULL, PAGES_BYTES, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_32BIT, -1, 0);
	w->heap = malloc(HEAP_BYTES);
	w->pages = pages == MAP_FAILED ? NULL : pages;
	if (!w->context || !w->heap || !w->pages || load_other(&w->other)) {
		soundness_world_done(w);
		return -ENOMEM;
	}
	for (; w->map_count < count; w->map_count++) {
		int r = make_map(w, w->map_count);
		if (r) {
			soundness_world_done(w);
			return r;
		}
	}
	return 0;
}

void soundness_world_done(struct soundness_world *w)
{
	for (size_t i = 0; i < WORLD_MAPS_MAX; i++) {
		picket_map_free(w->maps[i]);
		picket_map_free(w->inner[i]);
	}
	picket_program_free(w->other);
	if (w->pages)
		munmap(w->pages, PAGES_BYTES);
	free(w->heap);
	free(w->context);
	*w = (struct soundness_world){.map_count = 0};
}

bool world_has_map(const struct soundness_world *w, uint64_t pointer)
{
	for (size_t i = 0; i < w->map_count; i++)
		if ((uintptr_t)w->maps[i] == pointer || (w->inner[i] && (uintptr_t)w->inner[i] == pointer))
			return true;
	return false;
}

static void fill_array(struct soundness_world *w, struct picket_map *m, const uint8_t *constants)
{
	const struct picket_map_spec *spec = picket_map_spec(m);
	uint8_t *values = picket_map_values(m);

	if (!values)
		return;
	if (constants)
		memcpy(values, constants, spec->value_size);
	else
		world_fill(w, values, MIN((uint64_t)spec->value_size * spec->max_entries, FILL_MAX));
}

static int ignore_record(const void *record, size_t length, void *user)
{
	(void)record;
	(void)length;
	(void)user;
	return 0;
}

static void fill_maps(struct soundness_world *w)
{
	for (size_t i = 0; i < w->map_count; i++) {
		struct picket_map *m = w->maps[i];
		uint32_t type = picket_map_spec(m)->type;
		if (type == BPF_MAP_TYPE_ARRAY)
			fill_array(w, m, w->constants[i]);
		/* Sometimes it stays full. */
		else if (type == BPF_MAP_TYPE_RINGBUF && chance_one_in(&w->chance, 2))
			picket_map_ring_consume(m, ignore_record, NULL, SIZE_MAX);
		if (w->inner[i])
			fill_array(w, w->inner[i], NULL);
	}
}

void world_disturb(struct soundness_world *w)
{
	world_move_packet(w);
	fill_maps(w);
}

/* ---- a run's beginning ---- */
static void fill_context(struct soundness_world *w)
{
	bool memory = w->kind->flags & KIND_MEMORY_LENGTH;

	w->context_length = memory ? packet_length(w) : MIN(w->kind->context_size, CONTEXT_BYTES_MAX);
	world_fill(w, w->context, w->context_length);
}

static void world_begin(struct soundness_world *w, const struct runnable *r, uint64_t seed)
{
	w->chance = chance_from(seed);
	w->kind = verify_kind_find(r->kind);
	memcpy(w->pool, r->pool, sizeof(w->pool));
	w->pool_count = r->pool_count;
	w->calling = NULL;
	w->types = r->types;
	w->heap_used = 0;
	fill_context(w);
	w->regions[2] = (struct picket_region){w->heap, HEAP_BYTES, true};
	w->regions[1] = (struct picket_region){w->pages + SOCKET_PLACE, SOCKET_BYTES, true};
	world_fill(w, w->regions[1].data, SOCKET_BYTES);
	world_move_packet(w);
	fill_maps(w);
}

/* ---- programs ---- */
static void pool_add(struct runnable *r, uint64_t number)
{
	if (r->pool_count < POOL_NUMBERS)
		r->pool[r->pool_count++] = number;
}

static const struct helper_model *model_of(const struct runnable *r, uint32_t id, const char *kfunc)
{
	for (size_t i = 0; i < r->model_count; i++) {
		const struct helper_model *m = &r->models[i];
		if (m->id == id && (id || !strcmp(m->proto->name, kfunc)))
			return m;
	}
	return NULL;
}

/* id 0: a function of the kernel. */
static int add_model(struct runnable *r, uint32_t id, const char *kfunc, const struct helper_model **ret_model)
{
	struct helper_model *next = &r->models[r->model_count];

	*ret_model = model_of(r, id, kfunc);
	if (*ret_model)
		return 0;
	if (r->model_count == MODELS_MAX || !(id ? helper_model_make(r->kind, id, (unsigned)r->model_count, next)
	                                         : kfunc_model_make(r->kind, kfunc, (unsigned)r->model_count, next)))
		return -EOPNOTSUPP;
	r->model_count++;
	*ret_model = next;
	return 0;
}

static bool is_kfunc_call(const struct picket_insn *insn)
{
	return insn->code == vm_insns[VM_CALL_HELPER].code && insn->src == 2;
}

/* Calls of models get the numbers that the interpreter knows these by. */
static int take_call(struct runnable *r, const struct test_case *c, struct picket_insn *insn)
{
	const struct helper_model *model;
	bool kfunc = is_kfunc_call(insn);

	if ((!kfunc && insn->imm <= 0) ||
	    add_model(r, kfunc ? 0 : (uint32_t)insn->imm, kfunc ? case_kfunc(c, insn->imm) : "", &model))
		return -EOPNOTSUPP;
	*insn = insn_make(VM_CALL_HELPER, 0, 0, 0, (int32_t)model->row.id);
	return 0;
}

static int take_insns(struct runnable *r, const struct test_case *c, struct picket_insn *insns)
{
	memcpy(insns, c->insns, c->count * sizeof(*insns));
	for (size_t i = 0; i < c->count; i += insn_slots(&insns[i])) {
		bool call = insn_is(&insns[i], VM_CALL_HELPER) || is_kfunc_call(&insns[i]);
		int error = call ? take_call(r, c, &insns[i]) : 0;
		if (error)
			return error;
		if (!call && insns[i].imm)
			pool_add(r, (uint64_t)(int64_t)insns[i].imm);
	}
	return 0;
}

/* ---- what it uses ---- */
static uint32_t features_of_model(const struct helper_model *m)
{
	const struct verify_proto *p = m->proto;
	uint32_t features = 0;

	if (!m->id)
		features |= 1u << FEATURE_KFUNC;
	if (p->flags & PROTO_ACQUIRES)
		features |= 1u << FEATURE_REFERENCE;
	if (p->flags & (KFUNC_RCU_BEGIN | KFUNC_PREEMPT_BEGIN))
		features |= 1u << FEATURE_SECTION;
	if (p->flags & KFUNC_ITER_NEW)
		features |= 1u << FEATURE_ITERATOR;
	if (p->returns == VERIFY_RETURN_OBJECT)
		features |= 1u << FEATURE_OBJECT;
	if (p->returns == VERIFY_RETURN_RECORD)
		features |= 1u << FEATURE_RECORD;
	if (p->returns == VERIFY_RETURN_SOCKET || p->returns == VERIFY_RETURN_SOCK_COMMON)
		features |= 1u << FEATURE_SOCKET;
	for (unsigned i = 0; i < ARRAY_SIZE(p->args); i++) {
		if (p->args[i].base == VERIFY_ARG_OBJECT)
			features |= 1u << FEATURE_OBJECT;
		if (p->args[i].base == VERIFY_ARG_DYNPTR)
			features |= 1u << FEATURE_DYNPTR;
		if (p->args[i].base == VERIFY_ARG_SPIN_LOCK)
			features |= 1u << FEATURE_LOCK;
		if (p->args[i].base == VERIFY_ARG_FUNCTION)
			features |= 1u << FEATURE_CALLBACK;
		if (p->args[i].base == VERIFY_ARG_KEY)
			features |= 1u << FEATURE_LOOKUP;
	}
	return p->id == BPF_FUNC_tail_call ? 1u << FEATURE_TAIL_CALL : features;
}

static uint32_t features_of(const struct runnable *r)
{
	uint32_t features = 0;

	for (size_t i = 0; i < r->model_count; i++)
		features |= features_of_model(&r->models[i]);
	for (size_t i = 0; i < r->ops.count; i++) {
		if (r->ops.ops[i].op == VM_CALL_LOCAL)
			features |= 1u << FEATURE_CALL;
		if (r->ops.ops[i].op == VM_CALL_REG)
			features |= 1u << FEATURE_CALL_REGISTER;
	}
	return features;
}

static int load(struct runnable *r, const struct picket_insn *insns, size_t count, struct soundness_world *w)
{
	struct picket_helper own[MODELS_MAX];
	struct picket_options options = {.engine = PICKET_INTERPRETER,
	                                 .plain = true,
	                                 .budget = 1u << 14,
	                                 .helpers = own,
	                                 .maps = w->maps,
	                                 .map_count = w->map_count};
	int error;

	for (size_t i = 0; i < r->model_count; i++)
		if (!r->models[i].own)
			own[options.helper_count++] = r->models[i].row;
	error = picket_program_load(insns, count, &options, &r->program, NULL);
	if (!error)
		error = vm_decode(insns, count, &options, &r->ops, NULL);
	if (error)
		return error == -EINVAL ? -EOPNOTSUPP : error;
	r->by_insn = calloc(count, sizeof(struct vm_op *));
	if (!r->by_insn)
		return -ENOMEM;
	for (size_t i = 0; i < r->ops.count; i++)
		r->by_insn[r->ops.ops[i].insn] = &r->ops.ops[i];
	return 0;
}

int runnable_make(struct runnable *r, const struct test_case *c, const struct judgement *judgement,
                  struct soundness_world *w)
{
	static struct picket_insn insns[CASE_INSNS_MAX];
	int error;

	*r = (struct runnable){.kind = c->kind,
	                       .insn_bound = judgement->insn_bound,
	                       .stack_bytes = judgement->stack_bytes,
	                       .leaks = verify_kind_find(c->kind)->flags & KIND_PRIVILEGED,
	                       .sleeps = c->kind == PICKET_KIND_SYSCALL || (c->origin && c->origin->sleeps),
	                       .hook = c->origin ? c->origin->hook : "",
	                       .types = case_types(c) ? verify_types_of(case_types(c)) : NULL};
	error = take_insns(r, c, insns);
	if (!error)
		error = load(r, insns, c->count, w);
	if (error)
		runnable_done(r);
	else
		r->features = features_of(r);
	return error;
}

void runnable_done(struct runnable *r)
{
	picket_program_free(r->program);
	vm_ops_done(&r->ops);
	free(r->by_insn);
	r->program = NULL;
	r->by_insn = NULL;
}

const struct helper_model *runnable_model(const struct runnable *r, uint32_t id)
{
	for (size_t i = 0; i < r->model_count; i++)
		if (r->models[i].row.id == id)
			return &r->models[i];
	return NULL;
}

void runnable_run(struct runnable *r, struct soundness_world *w, uint64_t seed, struct finding *ret_finding)
{
	struct picket_call call = {
	        .regions = w->regions, .region_count = ARRAY_SIZE(w->regions), .user = w, .trace = monitor_trace};

	world_begin(w, r, seed);
	call.data = w->context;
	call.length = w->context_length;
	monitor_begin(r, w);
	picket_program_run(r->program, &call);
	monitor_end(&call, ret_finding);
	ret_finding->seed = seed;
}
