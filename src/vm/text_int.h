/* SPDX-License-Identifier: Apache-2.0
 *
 * Instructions as text: what the assembler reads is what the disassembler writes.
 */
#ifndef PICKET_VM_TEXT_INT_H
#define PICKET_VM_TEXT_INT_H

#include "vm/vm_int.h"

/* An operand is a letter; the fields that it stands for:
 *   d  dst, a register: %r3
 *   s  src, a register
 *   i  imm, a number of 32 bits
 *   w  imm and the second slot's imm: a number of 64 bits
 *   l  src and offset: [%r1+8]
 *   m  dst and offset: [%r1+8]
 *   o  offset, a place to jump to: a label, or +3: slots from the next instruction
 *   t  imm, a place to jump to or to call
 *   f  imm, a function, its second slot's imm 0: function LABEL, function +3
 *   p  imm and the second slot's imm, a map or a place in its value: map[2], map_value[2]+8
 *   h  imm, a helper: its name or number */
/* The operands of an instruction of this format in the order that they are written in. NULL: of the optimiser. */
const char *vm_format_operands(enum vm_format format);

/* "map" or "map_value": how a row's operand p begins. */
const char *vm_map_keyword(enum vm_opcode row);
size_t vm_row_slots(const struct vm_insn_info *info); /* 1, or 2: lddw */
/* The instruction with only what tells its row apart: every field that is an operand is 0. */
struct picket_insn vm_row_insn(const struct vm_insn_info *info);

#endif
