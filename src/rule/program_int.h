/* SPDX-License-Identifier: Apache-2.0
 *
 * Private to program*.c: the memory that the programs of a set work in, and their helpers.
 */
#ifndef PICKET_RULE_PROGRAM_INT_H
#define PICKET_RULE_PROGRAM_INT_H

#include "rule/plan.h"

#define PROGRAM_TEXT_MAX 32768 /* bytes of a text that patterns are sought in; longer ones are left to the reference */

/* The value of map 0: what is decided about the event at hand. Offsets into it; bits in words of 8 bytes. */
struct program_layout {
	uint32_t known, results; /* by bit: is it decided, and how */
	uint32_t live;           /* by rule of the type: may it match, for all that is known of the process? */
	uint32_t matched;        /* by rule of the type: out */
	uint32_t first;          /* 8 bytes: not 0: the first match ends it */
	uint32_t states;         /* by number asked for: enum number_state, in 8 bytes */
	uint32_t numbers;        /* by number asked for: its value */
	uint32_t text;           /* the text at hand, with padding around it */
	uint32_t bytes;          /* of all */
};
enum number_state { NUMBER_UNKNOWN, NUMBER_KNOWN, NUMBER_NULL, NUMBER_OTHER /* the reference decides */ };
/* rules: the most of one type. Returns 0; -E2BIG. */
int program_layout(const struct plan *p, size_t rules, struct program_layout *ret_layout) must_check;

/* Helpers of the programs: src/verify/rule_helper.def has their ids and what they take and give. */
#define RULE_HELPER_TEXT PICKET_HELPER_OWN         /* r1: text. Puts it there; its length, or -1: all is decided */
#define RULE_HELPER_NUMBER (PICKET_HELPER_OWN + 1) /* r1: number. Puts it there; its state */
#define RULE_HELPER_TEST (PICKET_HELPER_OWN + 2)   /* r1: atom. Decides it; 0 or 1 */

/* A rule of a type, as its program is written. */
struct program_rule {
	const struct formula *formula;
};
/* The program for one type: each rule whose live bit is set is decided, and its matched bit set if it holds.
 * scans: by group, the map of its table. Returns 0; -errno of code_finish(). */
int program_write(const struct plan *p, const struct program_layout *layout, const struct program_rule *rules,
                  size_t rule_count, const struct scan *scans, const uint32_t *scan_maps, struct code *c) must_check;
/* The program that decides all that is of the process. */
int program_write_process(const struct plan *p, const struct program_layout *layout, const struct scan *scans,
                          const uint32_t *scan_maps, struct code *c) must_check;

#endif
