/* SPDX-License-Identifier: Apache-2.0
 *
 * How the list of powers is made:
 *
 *   powers.c       the list itself: names, entries, order    powers_flow.c  what registers may hold where
 *   powers_find.c  what an instruction gives; power.def      powers_hook.c  what kind, section and result give
 *   powers_text.c  the text that is signed; comparing
 */
#ifndef PICKET_VERIFY_POWERS_INT_H
#define PICKET_VERIFY_POWERS_INT_H

#include "picket/verify_powers.h"
#include "verify/table_int.h"

/* ---- what a register may hold: a set of these ---- */
#define MAY_NUMBER 0x1
#define MAY_CONTEXT 0x2       /* its first byte */
#define MAY_CONTEXT_INNER 0x4 /* somewhere in it */
#define MAY_STACK 0x8
#define MAY_MAP 0x10
#define MAY_MAP_VALUE 0x20
#define MAY_PACKET 0x40
#define MAY_OBJECT 0x80  /* the kernel's */
#define MAY_FIELD 0x100  /* memory that a field of the context leads to: an option's value, flow keys */
#define MAY_MEMORY 0x200 /* the program's own: records, its objects */
#define MAY_FUNCTION 0x400
#define MAY_ANYTHING 0x7ff

#define POWER_NUMBERS_MAX 4
struct power_fact {
	uint16_t may;  /* MAY_*; 0: no path came here */
	uint8_t count; /* of numbers: if it is a number, map or function, it is one of these; 0: not known which */
	int32_t numbers[POWER_NUMBERS_MAX]; /* lower half; the index of a map or function */
};

struct power_program {
	const struct picket_image *image;
	const struct verify_kind *kind; /* NULL: not known */
	const char *section, *hook;     /* hook: "sched/sched_switch"; "" */
	const bool *symbols;            /* by instruction: it loads the address of a kernel variable */
	struct vm_ops code;
};

/* Calls visit for each op that some path may come to, once, with what its registers may hold before it. Programs that would
 * not verify may hold what is not said. -ENOMEM. */
int powers_flow(const struct power_program *p,
                int (*visit)(const struct power_program *p, const struct vm_op *op, const struct power_fact *registers,
                             void *user),
                void *user) must_check;
/* The helper or function of the kernel that is called; NULL: not known. ret_name: its name as it is in the tables, "" */
const struct verify_proto *power_callee(const struct power_program *p, const struct vm_op *op, const char **ret_name);
/* What a field of the context holds when it is read. */
uint16_t power_context_load(const struct power_program *p, int64_t offset, unsigned bytes);
const struct verify_field *power_context_field(const struct power_program *p, int64_t offset);
unsigned power_access_bytes(uint16_t opcode); /* of a load, store or atomic */

/* ---- the list ---- */
struct picket_powers {
	struct powers_program {
		char *name, *section;
		enum picket_kind kind;
	} * programs;
	size_t program_count;
	struct picket_power_entry *entries;
	size_t count, room;
	size_t first; /* entry of the program that is looked at; it is the last program */
};
int powers_new(size_t programs, struct picket_powers **ret_powers) must_check;
int powers_program_add(struct picket_powers *p, struct str name, struct str section, enum picket_kind kind) must_check;
/* To the last program; the first cause stays. detail may be NULL. */
int powers_add(struct picket_powers *p, enum picket_power power, const char *detail, uint32_t insn, const char *format,
               ...) printf_like(5, 6) must_check;
/* An empty one at the end, to be filled in; NULL: no memory. */
struct picket_power_entry *powers_entry_new(struct picket_powers *p) must_check;
int powers_sort(struct picket_powers *p) must_check;

int powers_find_all(struct picket_powers *list, const struct power_program *p) must_check;
/* What the program is for, before any instruction. */
int powers_of_hook(struct picket_powers *list, const struct power_program *p) must_check;
int powers_of_result(struct picket_powers *list, const struct power_program *p, const struct power_fact *r0,
                     uint32_t insn) must_check;

#endif
