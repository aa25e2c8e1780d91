/* SPDX-License-Identifier: Apache-2.0
 *
 * Bytes as an object whose programs are verified, with everything on that tells why one is rejected. A verdict must come
 * within the limits, be whole, and be the same when the object is opened and verified once more. An input that is told to
 * go wrong must go wrong when it is run here; a program for the sandbox that is accepted must not, on any input.
 *
 * The bytes of ELF's header that nobody uses choose how: EI_PAD the kind, the next one flags, the next one the first program.
 */
#include <errno.h>
#include <linux/bpf.h>
#include <sys/mman.h>

#include "picket/verify.h"
#include "object_mutator.h"
#include "vm/image.h"

#define PROGRAMS_MAX 3 /* that are verified of one object */
#define MEMORY_MAX (4u << 20)
#define INSNS_SEEN_MAX 10000
#define TRACED_MAX 200
#define STATES_MAX 1024
#define TIME_MAX_NS 60000000000ull /* not to be reached: what is slow is found by the fuzzer's own limit */
#define MAPS_BYTES_MAX (1u << 20)
#define BUDGET 1000000
#define LOW 0x20000000ul /* where packets lie */
#define PACKET_MAX 4096

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t max_size, unsigned int seed);
size_t LLVMFuzzerCustomCrossOver(const uint8_t *data, size_t size, const uint8_t *other, size_t other_size,
                                 uint8_t *out, size_t max_size, unsigned int seed);

enum choice { STRICT = 1, NO_TYPES = 2, TYPES_AS_BYTES = 4, HELPERS = 8, TRACE = 16, RELOCATE = 32 };

struct subject {
	const uint8_t *data;
	size_t size;
	enum picket_kind kind;
	unsigned choices; /* enum choice */
	size_t first;
};

/* ---- an embedder's helpers ---- */
static uint64_t answer(uint64_t r1, uint64_t r2, uint64_t r3, uint64_t r4, uint64_t r5, struct picket_run *run)
{
	(void)r1, (void)r2, (void)r3, (void)r4, (void)r5, (void)run;
	return 0;
}

static const struct picket_helper helpers[] = {
        {PICKET_HELPER_OWN, "answer", PICKET_RETURN_NUMBER, {PICKET_ARG_ANY}, answer},
        {PICKET_HELPER_OWN + 1, "take", PICKET_RETURN_VOID, {PICKET_ARG_MEM, PICKET_ARG_SIZE}, answer},
        {PICKET_HELPER_OWN + 2,
         "find",
         PICKET_RETURN_MAP_VALUE_OR_NULL,
         {PICKET_ARG_MAP, PICKET_ARG_MAP_KEY, PICKET_ARG_LONG_OUT},
         answer},
};

/* ---- texts ---- */

/* For people: ended, UTF-8, nothing that a terminal obeys. */
static void check_text(const char *text, size_t size)
{
	size_t length = strnlen(text, size);

	CHECK(length < size);
	CHECK(str_is_utf8(str_make(text, length)));
	for (size_t i = 0; i < length; i++)
		CHECK((uint8_t)text[i] >= ' ' || text[i] == '\t');
}
#define CHECK_TEXT(array) check_text((array), sizeof(array))

static void check_place(const struct picket_place *p)
{
	CHECK_TEXT(p->file);
	CHECK_TEXT(p->text);
	CHECK(p->line || !p->text[0]);
}

static void trace(size_t insn, const char *state, void *user)
{
	CHECK(insn < *(const size_t *)user);
	check_text(state, 1024);
}

/* ---- verdicts ---- */
static void check_accepted(const struct picket_verdict *v)
{
	CHECK(v->category == PICKET_ACCEPTED);
	CHECK(v->insn_bound > 0 && v->insns_seen > 0);
	CHECK(v->stack_bytes <= PICKET_FRAMES_MAX * PICKET_STACK_BYTES);
	CHECK(!v->reason[0] && !v->detail[0] && !v->hint[0] && !v->example_text[0] && !v->example && !v->step_count);
}

static void check_rejected(const struct picket_verdict *v, size_t count)
{
	CHECK(v->category != PICKET_ACCEPTED && v->category < PICKET_CATEGORIES);
	CHECK(v->insn < count && v->step_count <= PICKET_STEPS_MAX);
	CHECK(v->reason[0]);
	CHECK_TEXT(v->text);
	CHECK_TEXT(v->function);
	CHECK_TEXT(v->reason);
	CHECK_TEXT(v->detail);
	CHECK_TEXT(v->hint);
	CHECK_TEXT(v->example_text);
	check_place(&v->place);
	for (size_t i = 0; i < v->step_count; i++) {
		CHECK(v->steps[i].insn < count && v->steps[i].text[0]);
		CHECK_TEXT(v->steps[i].text);
		check_place(&v->steps[i].place);
	}
	CHECK(!v->example || v->example_text[0]);
	CHECK(v->example || !v->example_length);
}

static struct picket_verdict *verify(const struct picket_image *image, size_t program,
                                     const struct picket_verify_options *options)
{
	struct picket_verdict *v = NULL;
	size_t count = 0;

	picket_image_insns(image, program, &count);
	CHECK(picket_verify(image, program, options, &v) == 0 && v);
	CHECK(v->memory_peak <= options->memory_max && v->states_peak <= options->states_max);
	if (v->accepted)
		check_accepted(v);
	else
		check_rejected(v, count);
	return v;
}

static bool same_place(const struct picket_place *a, const struct picket_place *b)
{
	return !strcmp(a->file, b->file) && !strcmp(a->text, b->text) && a->line == b->line && a->column == b->column;
}

static bool same_steps(const struct picket_verdict *a, const struct picket_verdict *b)
{
	bool same = a->step_count == b->step_count;

	for (size_t i = 0; same && i < a->step_count; i++)
		same = a->steps[i].insn == b->steps[i].insn && !strcmp(a->steps[i].text, b->steps[i].text) &&
		       same_place(&a->steps[i].place, &b->steps[i].place);
	return same;
}

static void check_same(const struct picket_verdict *a, const struct picket_verdict *b)
{
	CHECK(a->accepted == b->accepted && a->kind == b->kind && a->category == b->category && a->insn == b->insn);
	CHECK(a->insn_bound == b->insn_bound && a->stack_bytes == b->stack_bytes && a->insns_seen == b->insns_seen);
	CHECK(a->states_peak == b->states_peak && a->memory_peak == b->memory_peak);
	CHECK(!strcmp(a->reason, b->reason) && !strcmp(a->detail, b->detail) && !strcmp(a->hint, b->hint));
	CHECK(!strcmp(a->text, b->text) && !strcmp(a->function, b->function) && same_place(&a->place, &b->place));
	CHECK(same_steps(a, b));
	CHECK(!strcmp(a->example_text, b->example_text) && a->example_length == b->example_length);
	CHECK(!a->example_length || !memcmp(a->example, b->example, a->example_length));
}

/* ---- runs, in the interpreter ---- */
struct world {
	struct picket_map *maps[PICKET_MAPS_MAX];
	size_t map_count;
	struct picket_program *program;
};

static void world_done(struct world *w)
{
	picket_program_free(w->program);
	for (size_t i = 0; i < w->map_count; i++)
		picket_map_free(w->maps[i]);
}

static bool map_open(const struct picket_image *image, size_t index, struct picket_map **ret_map)
{
	struct picket_map_spec spec = *picket_image_map(image, index);
	struct picket_image_data data;

	spec.cpus = 1;
	if (spec.inner || (uint64_t)spec.max_entries * (1ull + spec.key_size + spec.value_size) > MAPS_BYTES_MAX ||
	    picket_map_new(&spec, ret_map, NULL))
		return false;
	if (picket_image_data(image, index, &data) && data.bytes)
		memcpy(picket_map_values(*ret_map), data.bytes, data.length);
	return true;
}

/* false: it needs what is not here. ret_world: world_done(), also then. */
static bool world_open(const struct picket_image *image, size_t program, struct world *ret_world)
{
	struct picket_options options = {
	        .plain = true, .maps = ret_world->maps, .helpers = helpers, .helper_count = ARRAY_SIZE(helpers)};
	size_t count;
	const struct picket_insn *insns = picket_image_insns(image, program, &count);

	while (ret_world->map_count < picket_image_map_count(image)) {
		if (!map_open(image, ret_world->map_count, &ret_world->maps[ret_world->map_count]))
			return false;
		ret_world->map_count++;
	}
	options.map_count = ret_world->map_count;
	return picket_program_load(insns, count, &options, &ret_world->program, NULL) == 0;
}

static int run_call(const struct world *w, struct picket_call *call)
{
	int r;

	call->budget = BUDGET;
	r = picket_program_run(w->program, call);
	call->data = NULL; /* they do not outlive the run */
	call->regions = NULL;
	CHECK(r == 0 || (r == -EFAULT && call->fault.kind != PICKET_FAULT_NONE));
	return r;
}

/* The memory has its exact length, so that what reaches behind it is seen. */
static int run_memory(const struct world *w, const uint8_t *memory, size_t length, struct picket_call *ret_call)
{
	uint8_t *copy = malloc(length ? length : 1);
	int r;

	CHECK(copy != NULL);
	memcpy(copy, memory, length);
	*ret_call = (struct picket_call){.data = copy, .length = length};
	r = run_call(w, ret_call);
	free(copy);
	return r;
}

/* A context of XDP holds 32-bit addresses. */
static uint8_t *packet_memory(void)
{
	static uint8_t *low;

	if (!low)
		low = mmap((void *)LOW, PACKET_MAX, PROT_READ | PROT_WRITE,
		           MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0);
	CHECK(low == (void *)LOW);
	return low;
}

static int run_packet(const struct world *w, const uint8_t *packet, size_t length, struct picket_call *ret_call)
{
	const struct picket_region region = {packet_memory(), length, true};
	struct xdp_md context = {
	        .data = (uint32_t)LOW, .data_end = (uint32_t)(LOW + length), .data_meta = (uint32_t)LOW};

	CHECK(length <= PACKET_MAX);
	memcpy(region.data, packet, length);
	*ret_call = (struct picket_call){
	        .data = &context, .length = sizeof(context), .regions = &region, .region_count = length > 0};
	return run_call(w, ret_call);
}

static int run(const struct world *w, const struct picket_verdict *v, const uint8_t *data, size_t length,
               struct picket_call *ret_call)
{
	return (v->kind == PICKET_KIND_XDP ? run_packet : run_memory)(w, data, length, ret_call);
}

/* Can what was verified run here? Relocated against types it was another program. */
static bool runs_here(const struct picket_image *image, size_t program, const struct picket_verdict *v)
{
	return v->kind == PICKET_KIND_MEMORY || (v->kind == PICKET_KIND_XDP && !image->programs[program].core_count);
}

/* What is proven holds of any memory, any packet. */
static void check_runs(const struct picket_image *image, size_t program, const struct picket_verdict *v)
{
	static const size_t lengths[] = {14, 15, 31, 34, 64, 255, 1500, 0, 1, 7};
	const size_t count = v->kind == PICKET_KIND_XDP ? 7 : ARRAY_SIZE(lengths);
	_cleanup_(world_done) struct world w = {.map_count = 0};
	uint8_t memory[1500];

	if (!world_open(image, program, &w))
		return;
	for (size_t i = 0; i < count; i++) {
		struct picket_call call;
		int r;
		for (size_t at = 0; at < lengths[i]; at++)
			memory[at] = (uint8_t)(i % 2 ? at * 37 : i * 51);
		r = run(&w, v, memory, lengths[i], &call);
		CHECK(!r || (call.fault.kind == PICKET_FAULT_BUDGET && v->insn_bound > BUDGET));
		CHECK(r || call.executed <= v->insn_bound);
	}
}

static bool faulted(const struct picket_verdict *v, int r, const struct picket_call *call)
{
	switch (v->category) {
	case PICKET_REJECT_INFINITE_LOOP:
		return r && call->fault.kind == PICKET_FAULT_BUDGET;
	case PICKET_REJECT_REFERENCE_LEAK:
	case PICKET_REJECT_LOCK:
		return !r;
	case PICKET_REJECT_OUT_OF_BOUNDS: /* a pointer is moved too far, and followed soon */
		return r && call->fault.insn >= v->insn && call->fault.insn <= v->insn + 4;
	default:
		return r && call->fault.insn == v->insn;
	}
}

/* An input that is memory, or a packet, and nothing besides. */
static void check_example(const struct picket_image *image, size_t program, const struct picket_verdict *v)
{
	_cleanup_(world_done) struct world w = {.map_count = 0};
	struct picket_call call;

	if (!v->example || strchr(v->example_text, ','))
		return;
	if (world_open(image, program, &w))
		CHECK(faulted(v, run(&w, v, v->example, v->example_length, &call), &call));
}

/* ---- an object ---- */
static void options_done(struct picket_verify_options *o)
{
	picket_types_free(o->types);
}

/* Its own types are the kernel's: they have what its programs ask for, until they are changed. */
static void options_init(const struct subject *s, const struct picket_image *image, struct picket_verify_options *o)
{
	size_t length = 0;
	const void *btf = picket_image_btf(image, &length);

	*o = (struct picket_verify_options){.kind = s->kind,
	                                    .insns_max = s->choices & TRACE ? TRACED_MAX : INSNS_SEEN_MAX,
	                                    .states_max = STATES_MAX,
	                                    .memory_max = MEMORY_MAX,
	                                    .time_max_ns = TIME_MAX_NS,
	                                    .strict_alignment = s->choices & STRICT,
	                                    .example = true};
	if (s->choices & HELPERS) {
		o->helpers = helpers;
		o->helper_count = ARRAY_SIZE(helpers);
	}
	if (!btf || s->choices & NO_TYPES)
		return;
	if (s->choices & TYPES_AS_BYTES) {
		o->btf = btf;
		o->btf_length = length;
	} else {
		(void)!picket_types_open(btf, length, &o->types, NULL);
	}
}

static struct picket_verdict *verify_program(const struct subject *s, const struct picket_image *image, size_t program)
{
	_cleanup_(options_done) struct picket_verify_options options;
	size_t count = 0;

	options_init(s, image, &options);
	picket_image_insns(image, program, &count);
	if (s->choices & TRACE) {
		options.trace = trace;
		options.user = &count;
	}
	return verify(image, program, &options);
}

static void relocate(const struct subject *s, struct picket_image *image)
{
	size_t length = 0;
	const void *btf = picket_image_btf(image, &length);
	struct picket_error error = {0};

	if (s->choices & RELOCATE && btf && picket_image_relocate(image, btf, length, &error))
		CHECK_TEXT(error.text);
}

static bool subject_open(const struct subject *s, struct picket_image **ret_image)
{
	struct picket_error error = {0};

	if (picket_image_open(s->data, s->size, ret_image, &error)) {
		CHECK(error.text[0]);
		CHECK_TEXT(error.text);
		CHECK_TEXT(error.section);
		return false;
	}
	relocate(s, *ret_image);
	return true;
}

static void check_program(const struct subject *s, const struct picket_image *image, const struct picket_image *again,
                          size_t program)
{
	struct picket_verdict *v = verify_program(s, image, program), *w = verify_program(s, again, program);

	check_same(v, w);
	if (runs_here(image, program, v))
		(v->accepted ? check_runs : check_example)(image, program, v);
	picket_verdict_free(v);
	picket_verdict_free(w);
}

static void check_object(const struct subject *s)
{
	struct picket_image *image, *again;
	size_t count;

	if (!subject_open(s, &image))
		return;
	CHECK(subject_open(s, &again));
	count = picket_image_program_count(image);
	CHECK(picket_image_program_count(again) == count);
	for (size_t i = 0; i < MIN(count, (size_t)PROGRAMS_MAX); i++)
		check_program(s, image, again, (s->first + i) % count);
	picket_image_free(image);
	picket_image_free(again);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct subject s = {.data = data, .size = size};

	if (size >= EI_NIDENT) {
		s.kind = (enum picket_kind)(data[EI_PAD] % PICKET_KINDS);
		s.choices = data[EI_PAD + 1];
		s.first = data[EI_PAD + 2];
	}
	check_object(&s);
	return 0;
}

size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t max_size, unsigned int seed)
{
	return object_mutate(data, size, max_size, seed);
}

size_t LLVMFuzzerCustomCrossOver(const uint8_t *data, size_t size, const uint8_t *other, size_t other_size,
                                 uint8_t *out, size_t max_size, unsigned int seed)
{
	return object_cross(data, size, other, other_size, out, max_size, seed);
}
