/* SPDX-License-Identifier: Apache-2.0
 *
 * Private to the room: formulas as jumps, for whoever knows how an atom is decided.
 */
#ifndef PICKET_RULE_CODE_FORMULA_H
#define PICKET_RULE_CODE_FORMULA_H

#include "rule/plan.h"

/* Where a formula's answer leads. next: which of both stands right behind. */
struct exits {
	code_label yes, no, next;
};

/* write_atom: goes to e->yes or e->no; what stands right behind it is e->next. Recurses as deep as the formula is. */
void code_formula(struct code *c, const struct formula *f, const struct exits *e,
                  void (*write_atom)(void *userdata, uint32_t atom, const struct exits *e), void *userdata);
void code_jump_unless_next(struct code *c, code_label to, code_label next);
/* r1, a number, is compared with t's literals: to yes, if one holds; falls through. Changes r2. */
void code_compare_literals(struct code *c, const struct cond_test *t, code_label yes);

#endif
