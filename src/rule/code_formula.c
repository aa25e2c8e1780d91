/* SPDX-License-Identifier: Apache-2.0 */
#include "rule/code_formula.h"

#include <linux/bpf.h>

void code_jump_unless_next(struct code *c, code_label to, code_label next)
{
	if (to != next)
		code_jump(c, to);
}

void code_formula(struct code *c, const struct formula *f, const struct exits *e,
                  void (*write_atom)(void *userdata, uint32_t atom, const struct exits *e), void *userdata)
{
	switch (f->kind) {
	case FORMULA_FALSE:
	case FORMULA_TRUE:
		code_jump_unless_next(c, f->kind == FORMULA_TRUE ? e->yes : e->no, e->next);
		break;
	case FORMULA_ATOM:
		write_atom(userdata, f->atom, e);
		break;
	case FORMULA_NOT:
		code_formula(c, f->items[0], &(struct exits){e->no, e->yes, e->next}, write_atom, userdata);
		break;
	case FORMULA_AND:
	case FORMULA_OR:
		for (size_t i = 0; i + 1 < f->count; i++) {
			code_label next = code_label_new(c);
			struct exits item = f->kind == FORMULA_AND ? (struct exits){next, e->no, next}
			                                           : (struct exits){e->yes, next, next};
			code_formula(c, f->items[i], &item, write_atom, userdata);
			code_bind(c, next);
		}
		code_formula(c, f->items[f->count - 1], e, write_atom, userdata);
		break;
	}
}

static uint8_t jump_of(enum cond_op op)
{
	switch (op) {
	case OP_NE:
		return BPF_JNE;
	case OP_LT:
		return BPF_JSLT;
	case OP_LE:
		return BPF_JSLE;
	case OP_GT:
		return BPF_JSGT;
	case OP_GE:
		return BPF_JSGE;
	default:
		return BPF_JEQ;
	}
}

void code_compare_literals(struct code *c, const struct cond_test *t, code_label yes)
{
	for (size_t i = 0; i < t->literal_count; i++) {
		int64_t number = 0;
		(void)literal_number(&t->operands[i].value, &number);
		if (number == (int32_t)number) {
			code_jump_if(c, jump_of(t->op), 1, (int32_t)number, yes);
			continue;
		}
		code_constant(c, 2, (uint64_t)number);
		code_jump_if_reg(c, jump_of(t->op), 1, 2, yes);
	}
}
