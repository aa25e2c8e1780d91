/* SPDX-License-Identifier: Apache-2.0
 *
 * Instructions from bytes: any eight of them made into one that exists, so that a fuzzer gets behind the decoder.
 */
#ifndef PICKET_FUZZ_INSNS_H
#define PICKET_FUZZ_INSNS_H

#include "vm/vm_int.h"

#define INSNS_MAX 512

enum insn_field { DST = 1, SRC = 2, OFFSET = 4, IMM = 8, JUMP = 16, JUMP_LONG = 32 };
static const uint8_t insn_fields[VM_FORMAT_LOAD_INDEXED + 1] = {
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

/* Some instruction, with the fields that it has and no others; jumps stay among the count, maps among map_count. */
static inline struct picket_insn insn_repair(struct picket_insn from, size_t at, size_t count, size_t map_count)
{
	const struct vm_insn_info *info = &vm_insns[from.code % VM_OPCODES];
	unsigned has = insn_fields[info->format];
	int32_t distance = (int32_t)((uint16_t)from.offset % count) - (int32_t)at - 1;
	struct picket_insn insn = {.code = info->code};

	if (!info->mnemonic)
		return (struct picket_insn){.code = vm_insns[VM_EXIT].code};
	insn.dst = has & DST ? from.dst % 11 : 0;
	insn.src = has & SRC ? from.src % 11 : 0;
	insn.offset = (int16_t)(has & OFFSET ? from.offset : has & JUMP ? distance : 0);
	insn.imm = has & IMM ? from.imm : has & JUMP_LONG ? distance : 0;
	if (info->format == VM_FORMAT_WIDE_MAP)
		insn.imm = (int32_t)((uint32_t)from.imm % map_count);
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

/* A program of the bytes, as they are or repaired and with an end. Returns the number of instructions. */
static inline size_t insns_read(const uint8_t *data, size_t size, bool as_they_are, size_t map_count,
                                struct picket_insn insns[INSNS_MAX])
{
	size_t count = MIN(size / sizeof(*insns), INSNS_MAX - 2);

	memcpy(insns, data, count * sizeof(*insns));
	if (as_they_are)
		return count;
	for (size_t i = 0; i < count; i++) {
		insns[i] = insn_repair(insns[i], i, count, map_count);
		if (insns[i].code != vm_insns[VM_LDDW].code)
			continue;
		i++;
		insns[i] = (struct picket_insn){.imm = insns[i - 1].src || i >= count ? 0 : insns[i].imm};
		count = MAX(count, i + 1);
	}
	insns[count++] = (struct picket_insn){.code = vm_insns[VM_EXIT].code};
	return count;
}

#endif
