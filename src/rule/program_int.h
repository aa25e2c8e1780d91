/* SPDX-License-Identifier: Apache-2.0
 *
 * Private to program*.c: the memory that the programs of a set work in, and their helpers.
 */
#ifndef PICKET_RULE_PROGRAM_INT_H
#define PICKET_RULE_PROGRAM_INT_H

#include "rule/plan.h"
#include "rule/set_int.h"

/* What the verifier may take for one program of very many rules: a tenth of it is usual for 1,000. */
#define PROGRAM_VERIFY_INSNS_MAX (16u << 20)
#define PROGRAM_VERIFY_STATES_MAX (1u << 20)
#define PROGRAM_VERIFY_MEMORY_MAX (1ull << 30)
#define PROGRAM_TEXT_MAX 32768 /* bytes of a text that patterns are sought in; longer ones are left to the reference */

/* The value of map 0: what is decided about the event at hand. Offsets into it; bits in words of 8 bytes. What an event
 * finds clear lies together: the results that are its own, states, text_there. The program itself clears matched, entered. */
struct program_layout {
	uint32_t known, results; /* by bit: is it decided, and how? */
	uint32_t states;         /* by number asked for: enum number_state, in 8 bytes */
	uint32_t text_there;     /* 8 bytes: the number of the text at hand, + 1; 0: none */
	uint32_t matched;        /* by rule of the type: out */
	uint32_t entered;        /* by rule of the type: may it match, for all that its index knows? */
	uint32_t left;           /* 8 bytes: by block of the index: as `blocks`, for all that is known of the event */
	uint32_t driven;         /* 8 bytes: by block: has something been found without which its rules cannot match? */
	uint32_t blocks;         /* 8 bytes: by block of the type's index: is a rule of it live? 0: nothing can match */
	uint32_t live;           /* by rule of the type: may it match, for all that is known of the process? */
	uint32_t first;          /* 8 bytes: not 0: the first match ends it */
	uint32_t numbers;        /* by number asked for: its value */
	uint32_t text_length;    /* 8 bytes: of the text at hand */
	uint32_t text;           /* itself, with padding around it */
	uint32_t bytes;          /* of all */
};
enum number_state { NUMBER_UNKNOWN, NUMBER_KNOWN, NUMBER_NULL, NUMBER_OTHER /* the reference decides */ };
/* rules: the most of one type. Returns 0; -E2BIG. */
int program_layout(const struct plan *p, size_t rules, struct program_layout *ret_layout) must_check;

/* Helpers of the programs. */
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

/* What the programs of a set are made of, for those who show, measure or write them. All of it is borrowed. */
struct program_parts {
	const struct rule_set *set;
	const struct plan *plan;
	const struct program_layout *layout;
	const struct scan *scans; /* by group */
	const uint32_t *scan_maps;
	struct picket_map *const *maps;
	const struct picket_map_spec *specs; /* of them */
	size_t map_count;
	const struct picket_helper *helpers;
	size_t helper_count;
};
/* RULE_HELPERS of them: to be described, run only by rule_programs_match(). */
const struct picket_helper *program_helpers(void);
void program_parts_get(const struct rule_programs *p, struct program_parts *ret_parts);
/* The rules of a type, and each one's formula. */
struct type_rules program_rules_get(const struct rule_programs *p, unsigned type,
                                    const struct program_rule **ret_formulas);

#endif
