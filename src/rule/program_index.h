/* SPDX-License-Identifier: Apache-2.0
 *
 * Private to program*.c: which rules of a type need not be entered for an event. Rules are in blocks; all rules of a block
 * can match only if
 *	each guard of the block holds: a formula that they all have as a part, and that costs little; and
 *	some atom that drives them holds, if they have such: texts and numbers that are sought together with many others,
 *	so that finding none of them costs the logarithm of their number.
 */
#ifndef PICKET_RULE_PROGRAM_INDEX_H
#define PICKET_RULE_PROGRAM_INDEX_H

#include "rule/program_int.h"

#define INDEX_RULES_MIN 4   /* fewer are all in block 0, which has no guards and no drivers */
#define INDEX_BLOCKS_MAX 31 /* bits of an immediate that are not its sign */
#define INDEX_GUARDS_MAX 8

struct index_guard {
	const struct formula *formula;
	uint32_t rules;  /* that have it */
	uint32_t blocks; /* bits */
};

/* If the rule matches, one of its drivers' atoms holds. */
struct index_driver {
	uint32_t block, function, bit; /* of the atom's result */
	uint32_t rule;
};

struct program_index {
	uint8_t *block_of; /* by rule */
	uint32_t block_count;
	uint32_t undriven; /* blocks: bits */
	struct index_guard guards[INDEX_GUARDS_MAX];
	uint32_t guard_count;
	struct index_driver *drivers; /* in the order of their members */
	size_t driver_count;
	uint32_t *driven;  /* by function: blocks, bits */
	uint64_t *driving; /* by word of the results: atoms that drive rules */
};
/* Returns 0; -ENOMEM. */
int program_index_init(struct program_index *x, const struct plan *p, const struct program_rule *rules, size_t count)
        must_check;
void program_index_done(struct program_index *x); /* also for _cleanup_ */

#endif
