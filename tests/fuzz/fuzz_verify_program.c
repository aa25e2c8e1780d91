/* SPDX-License-Identifier: Apache-2.0
 *
 * Bytes as a program: the first two choose the kind and how the others are meant, as they are, or each eight of them made
 * into some instruction with only the fields that it has. The verifier must come to a verdict within its limits, say why if
 * it rejects, and come to the same one again. What it accepts must load in the sandbox if that has what it calls.
 */
#include <errno.h>
#include <linux/bpf.h>
#include <stdlib.h>
#include "picket/verify.h"
#include "check.h"
#include "insns.h"

#define AS_THEY_ARE 0x80 /* of the second byte */
#define STRICT 0x40
#define MEMORY_MAX (4u << 20)
#define INSNS_SEEN_MAX 20000
#define STATES_MAX 2048
#define TIME_MAX_NS 5000000000ull

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const struct picket_map_spec inner = {
        .type = BPF_MAP_TYPE_ARRAY, .key_size = 4, .value_size = 24, .max_entries = 2};
static const struct picket_map_spec maps[] = {
        {.type = BPF_MAP_TYPE_ARRAY, .key_size = 4, .value_size = 48, .max_entries = 4},
        {.type = BPF_MAP_TYPE_HASH, .key_size = 8, .value_size = 16, .max_entries = 8},
        {.type = BPF_MAP_TYPE_RINGBUF, .max_entries = 4096},
        {.type = BPF_MAP_TYPE_ARRAY, .key_size = 4, .value_size = 16, .max_entries = 1, .flags = BPF_F_RDONLY_PROG},
        {.type = BPF_MAP_TYPE_ARRAY_OF_MAPS, .key_size = 4, .value_size = 4, .max_entries = 2, .inner = &inner},
        {.type = BPF_MAP_TYPE_PROG_ARRAY, .key_size = 4, .value_size = 4, .max_entries = 2},
        {.type = BPF_MAP_TYPE_SOCKHASH, .key_size = 4, .value_size = 4, .max_entries = 2},
        {.type = BPF_MAP_TYPE_QUEUE, .value_size = 8, .max_entries = 2},
};

/* ---- verdicts ---- */
static struct picket_verdict *verify(const struct picket_insn *insns, size_t count,
                                     const struct picket_verify_options *options)
{
	struct picket_verdict *verdict = NULL;
	int r = picket_verify_insns(insns, count, maps, ARRAY_SIZE(maps), options, &verdict);

	CHECK(r == 0 && verdict);
	CHECK(verdict->memory_peak <= options->memory_max && verdict->states_peak <= options->states_max);
	CHECK(verdict->accepted == (verdict->category == PICKET_ACCEPTED));
	CHECK(verdict->accepted || (verdict->reason[0] && verdict->category < PICKET_CATEGORIES));
	CHECK(verdict->accepted || !count || verdict->insn < count);
	CHECK(verdict->step_count <= PICKET_STEPS_MAX);
	for (size_t i = 0; i < verdict->step_count; i++)
		CHECK(verdict->steps[i].insn < count &&
		      memchr(verdict->steps[i].text, 0, sizeof(verdict->steps[i].text)));
	CHECK((verdict->example == NULL) <= (verdict->example_length == 0));
	return verdict;
}

static bool same(const struct picket_verdict *a, const struct picket_verdict *b)
{
	return a->category == b->category && a->insn == b->insn && a->insn_bound == b->insn_bound &&
	       a->stack_bytes == b->stack_bytes && !strcmp(a->reason, b->reason);
}

/* What is accepted is well formed, so that the sandbox takes it if it has its helpers. */
static void check_decodes(const struct picket_insn *insns, size_t count)
{
	struct vm_ops ops = {0};

	CHECK(vm_decode_foreign(insns, count, ARRAY_SIZE(maps), &ops, NULL) == 0);
	vm_ops_done(&ops);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct picket_insn insns[INSNS_MAX];
	struct picket_verify_options options = {.insns_max = INSNS_SEEN_MAX,
	                                        .states_max = STATES_MAX,
	                                        .memory_max = MEMORY_MAX,
	                                        .time_max_ns = TIME_MAX_NS};
	struct picket_verdict *first, *again;
	size_t count;

	if (size < 2)
		return 0;
	options.kind = (enum picket_kind)(1 + data[0] % (PICKET_KINDS - 1));
	options.strict_alignment = data[1] & STRICT;
	count = insns_read(data + 2, size - 2, data[1] & AS_THEY_ARE, ARRAY_SIZE(maps), insns);
	first = verify(insns, count, &options);
	again = verify(insns, count, &options);
	CHECK(same(first, again));
	if (first->accepted)
		check_decodes(insns, count);
	picket_verdict_free(first);
	picket_verdict_free(again);
	return 0;
}
