/* SPDX-License-Identifier: Apache-2.0
 *
 * Bytes as a program: the first two choose the kind and how the others are meant, as they are, or each eight of them made
 * into some instruction with only the fields that it has. The verifier must come to a verdict within its limits, say why if
 * it rejects, and come to the same one again. What it accepts must load in the sandbox if that has what it calls.
 */
#include <errno.h>
#include <linux/bpf.h>
#include <stdio.h>
#include <stdlib.h>
#include "picket/verify.h"
#include "vm/vm_int.h"

#define INSNS_MAX 512
#define AS_THEY_ARE 0x80 /* of the second byte */
#define STRICT 0x40
#define MEMORY_MAX (4u << 20)
#define INSNS_SEEN_MAX 20000
#define STATES_MAX 2048
#define TIME_MAX_NS 5000000000ull

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define CHECK(what) \
	do { \
		if (!(what)) { \
			fprintf(stderr, "%s does not hold\n", #what); \
			abort(); \
		} \
	} while (0)

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

/* ---- instructions from bytes ---- */
enum { DST = 1, SRC = 2, OFFSET = 4, IMM = 8, JUMP = 16, JUMP_LONG = 32 };
static const uint8_t fields[VM_FORMAT_LOAD_INDEXED + 1] = {
        [VM_FORMAT_DST] = DST,
        [VM_FORMAT_DST_IMM] = DST | IMM,
        [VM_FORMAT_DST_SRC] = DST | SRC,
        [VM_FORMAT_LOAD] = DST | SRC | OFFSET,
        [VM_FORMAT_STORE_IMM] = DST | OFFSET | IMM,
        [VM_FORMAT_STORE_REG] = DST | SRC | OFFSET,
        [VM_FORMAT_ATOMIC_REG] = DST | SRC | OFFSET,
        [VM_FORMAT_JUMP] = JUMP,
        [VM_FORMAT_JUMP_LONG] = JUMP_LONG,
        [VM_FORMAT_JUMP_IMM] = DST | IMM | JUMP,
        [VM_FORMAT_JUMP_REG] = DST | SRC | JUMP,
        [VM_FORMAT_CALL_ID] = IMM,
        [VM_FORMAT_CALL_FUNCTION] = JUMP_LONG,
        [VM_FORMAT_CALL_DST] = DST,
        [VM_FORMAT_WIDE] = DST | IMM,
        [VM_FORMAT_WIDE_MAP] = DST | IMM,
        [VM_FORMAT_WIDE_FUNCTION] = DST | JUMP_LONG,
        [VM_FORMAT_PACKET_IMM] = IMM,
        [VM_FORMAT_PACKET_REG] = SRC | IMM,
};

/* Some instruction with the fields that it has and no others; jumps stay inside. */
static struct picket_insn repair(struct picket_insn from, size_t at, size_t count)
{
	const struct vm_insn_info *info = &vm_insns[from.code % VM_OPCODES];
	unsigned has = fields[info->format];
	int32_t distance = (int32_t)((uint16_t)from.offset % count) - (int32_t)at - 1;
	struct picket_insn insn = {.code = info->code};

	if (!info->mnemonic)
		return (struct picket_insn){.code = vm_insns[VM_EXIT].code};
	insn.dst = has & DST ? from.dst % 11 : 0;
	insn.src = has & SRC ? from.src % 11 : 0;
	insn.offset = (int16_t)(has & OFFSET ? from.offset : has & JUMP ? distance : 0);
	insn.imm = has & IMM ? from.imm : has & JUMP_LONG ? distance : 0;
	if (info->format == VM_FORMAT_WIDE_MAP)
		insn.imm = (int32_t)((uint32_t)from.imm % ARRAY_SIZE(maps));
	if (info->format == VM_FORMAT_CALL_ID)
		insn.imm &= 0xff;
	if (info->select == VM_SELECT_OFFSET)
		insn.offset = info->value;
	if (info->select == VM_SELECT_IMM)
		insn.imm = info->value;
	if (info->select == VM_SELECT_SRC)
		insn.src = (uint8_t)info->value & 15;
	return insn;
}

static size_t read_insns(const uint8_t *data, size_t size, bool as_they_are, struct picket_insn *insns)
{
	size_t count = MIN(size / sizeof(*insns), INSNS_MAX - 2);

	memcpy(insns, data, count * sizeof(*insns));
	if (as_they_are)
		return count;
	for (size_t i = 0; i < count; i++) {
		insns[i] = repair(insns[i], i, count);
		if (insns[i].code != vm_insns[VM_LDDW].code)
			continue;
		i++;
		insns[i] = (struct picket_insn){.imm = insns[i - 1].src || i >= count ? 0 : insns[i].imm};
		count = MAX(count, i + 1);
	}
	insns[count++] = (struct picket_insn){.code = vm_insns[VM_EXIT].code};
	return count;
}

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
	count = read_insns(data + 2, size - 2, data[1] & AS_THEY_ARE, insns);
	first = verify(insns, count, &options);
	again = verify(insns, count, &options);
	CHECK(same(first, again));
	if (first->accepted)
		check_decodes(insns, count);
	picket_verdict_free(first);
	picket_verdict_free(again);
	return 0;
}
