/* SPDX-License-Identifier: Apache-2.0
 *
 * Private to the room: the programs of a set, written once more to be measured, shown or put into an object.
 */
#ifndef PICKET_RULE_BUDGET_INT_H
#define PICKET_RULE_BUDGET_INT_H

#include "picket/verify.h"
#include "rule/program_int.h"

/* The program of these rules of a type, with marks; rules NULL: the one of processes. Returns 0; -errno of code_finish().
 * ret_code: code_done(). */
int parts_write(const struct program_parts *parts, const struct program_rule *rules, size_t count,
                struct code *ret_code) must_check;
/* ret_verdict: picket_verdict_free(). Returns 0; -errno. */
int parts_verify(const struct program_parts *parts, const struct code *code, struct picket_verdict **ret_verdict)
        must_check;
/* What the verifier proves that a run takes, in instructions; 0: it refuses the program. */
int parts_bound(const struct program_parts *parts, const struct code *code, uint64_t *ret_bound) must_check;

/* What seeking a group's patterns may take, found when it is first asked for. */
struct group_bounds {
	const struct program_parts *parts;
	uint64_t *bounds; /* by function, as plan_functions(); 0: not asked for yet */
};
int group_bounds_init(struct group_bounds *g, const struct program_parts *parts) must_check;
void group_bounds_done(struct group_bounds *g); /* also for _cleanup_ */
/* Of all groups that a formula asks for, each once. */
int group_bounds_of_formula(struct group_bounds *g, const struct formula *f, uint64_t *ret_bound) must_check;

void verdict_freep(struct picket_verdict **v);

/* The instructions of a rule, by its index in its type. */
struct code_range {
	size_t first, end;
};
struct code_range code_of_rule(const struct code *c, uint32_t rule);

#endif
