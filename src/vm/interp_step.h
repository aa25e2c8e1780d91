/* SPDX-License-Identifier: Apache-2.0
 *
 * How instructions of each format lead to what comes next, inside a loop of interp_loop.h, which has m, c, budget, the
 * labels fault, over_budget and L_EXIT, and DISPATCH. `at` is the cell of the instruction, c or one of those behind it.
 */
#ifndef PICKET_VM_INTERP_STEP_H
#define PICKET_VM_INTERP_STEP_H

#include "vm/interp_op.h"

#define STEP_DO(id, at, dst, src) do_##id(m, at, dst, src)
#define STEP_MEMORY(id, at, dst, src) \
	do { \
		if (!do_##id(m, at, dst, src)) { \
			c = (at); \
			goto fault; \
		} \
	} while (0)
#define STEP_TO_TARGET(at) \
	do { \
		budget -= (at)->slots; \
		if (budget < 0) { \
			c = (at); \
			goto over_budget; \
		} \
		c = (const struct vm_cell *)((const char *)(at) + (at)->offset); \
		DISPATCH; \
	} while (0)
#define STEP_CONDITION(id, at, dst, src) \
	do { \
		if (taken_##id(m, at, dst, src)) \
			STEP_TO_TARGET(at); \
	} while (0)
#define STEP_PACKET(id, at, dst, src) \
	do { \
		if (!do_##id(m, at, dst, src)) { \
			m->r[0] = 0; \
			goto L_EXIT; \
		} \
	} while (0)

/* What needs the whole machine, its budget too. */
#define STEP_AWAY(result, expression) \
	do { \
		m->budget = budget; \
		(result) = (expression); \
		budget = m->budget; \
	} while (0)
/* To the cell that expression leads to, in this loop or the other, unless it is NULL: a fault. */
#define STEP_TO(expression) \
	do { \
		const struct vm_cell *next_; \
		STEP_AWAY(next_, expression); \
		if (!next_) \
			goto fault; \
		c = next_; \
		if (m->interp->plain != PLAIN) \
			return c; \
		DISPATCH; \
	} while (0)

#define STEP_DST STEP_DO
#define STEP_DST_IMM STEP_DO
#define STEP_DST_SRC STEP_DO
#define STEP_WIDE STEP_DO
#define STEP_WIDE_MAP STEP_DO
#define STEP_WIDE_FUNCTION STEP_DO
#define STEP_LEA_IMM STEP_DO
#define STEP_LEA_REG STEP_DO
#define STEP_LOAD STEP_MEMORY
#define STEP_LOAD_INDEXED STEP_MEMORY
#define STEP_STORE_IMM STEP_MEMORY
#define STEP_STORE_REG STEP_MEMORY
#define STEP_ATOMIC_REG STEP_MEMORY
#define STEP_JUMP(id, at, dst, src) STEP_TO_TARGET(at)
#define STEP_JUMP_LONG(id, at, dst, src) STEP_TO_TARGET(at)
#define STEP_JUMP_IMM STEP_CONDITION
#define STEP_JUMP_REG STEP_CONDITION
#define STEP_PACKET_IMM STEP_PACKET
#define STEP_PACKET_REG STEP_PACKET
#define STEP_CALL_ID(id, at, dst, src) \
	do { \
		bool called_; \
		STEP_AWAY(called_, machine_call_helper(m, machine_helper_of(at))); \
		if (!called_) \
			goto fault; \
	} while (0)
#define STEP_CALL_FUNCTION(id, at, dst, src) STEP_TO(machine_call(m, at, &m->interp->functions[(at)->imm]))
#define STEP_CALL_DST(id, at, dst, src) STEP_TO(machine_call_register(m, at))
#define STEP_NOTHING(id, at, dst, src) /* exit */ \
	do { \
		if (m->r[FRAME_POINTER] == m->base) { \
			m->budget = budget; \
			return NULL; \
		} \
		STEP_TO(machine_leave(m)); \
	} while (0)

/* In a sequence, a register that is the dst of an op before. */
#define LINKED_DST_NONE(at) (at)->dst
#define LINKED_DST_DST_0(at) dst0
#define LINKED_DST_SRC_0(at) (at)->dst
#define LINKED_DST_DST_1(at) dst1
#define LINKED_DST_SRC_1(at) (at)->dst
#define LINKED_SRC_NONE(at) (at)->src
#define LINKED_SRC_DST_0(at) (at)->src
#define LINKED_SRC_SRC_0(at) dst0
#define LINKED_SRC_DST_1(at) (at)->src
#define LINKED_SRC_SRC_1(at) dst1

#endif
