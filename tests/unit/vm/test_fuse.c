/* SPDX-License-Identifier: Apache-2.0
 *
 * The optimiser: what it merges, what it must not, and that everything else that is known of the ops stays true.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdlib.h>
#include "vm/vm_int.h"

static void make_ops(const char *text, struct vm_ops *ret_ops)
{
	_cleanup_(base_free_ptr) struct picket_insn *insns = NULL;
	struct picket_error error = {0};
	size_t count;

	if (picket_assemble(text, strlen(text), &insns, &count, &error))
		fail_msg("%u:%u: %s", error.line, error.column, error.text);
	if (vm_decode(insns, count, NULL, ret_ops, &error))
		fail_msg("%s", error.text);
	assert_int_equal(vm_flow_live(ret_ops), 0);
}

static uint32_t count_slots(const struct vm_ops *o)
{
	uint32_t slots = 0;

	for (size_t i = 0; i < o->count; i++)
		slots += o->ops[i].slots;
	return slots;
}

static void assert_live_is_true(struct vm_ops *o)
{
	_cleanup_(base_free_ptr) uint16_t *kept = malloc(o->count * sizeof(*kept));

	memcpy(kept, o->live, o->count * sizeof(*kept));
	assert_int_equal(vm_flow_live(o), 0);
	assert_memory_equal(kept, o->live, o->count * sizeof(*kept));
}

/* expected: names of insn.def, with a blank after each. */
static void assert_fuses(const char *text, const char *expected)
{
	_cleanup_(vm_ops_done) struct vm_ops o = {0};
	char names[512] = "";
	uint32_t slots, last = 0;

	make_ops(text, &o);
	slots = count_slots(&o);
	vm_fuse(&o);
	for (size_t i = 0; i < o.count; i++) {
		strncat(names, vm_insns[o.ops[i].op].id, sizeof(names) - strlen(names) - 1);
		strncat(names, " ", sizeof(names) - strlen(names) - 1);
		assert_int_equal(vm_op_first_slot(&o.ops[i]), last);
		last += o.ops[i].slots;
	}
	assert_string_equal(names, expected);
	assert_int_equal(last, slots);
	assert_live_is_true(&o);
}

static void test_addresses(void **state)
{
	(void)state;
	assert_fuses("mov r3, r1\n add r3, 8\n exit", "LEA_IMM EXIT ");
	assert_fuses("mov r3, r1\n add r3, r2\n exit", "LEA_REG EXIT ");
	assert_fuses("mov r3, r1\n add r3, r3\n exit", "LEA_REG EXIT ");
	assert_fuses("mov r3, r1\n add r3, r2\n add r3, 4\n exit", "LEA_REG ADD64_IMM EXIT ");
	assert_fuses("mov r3, r1\n add32 r3, 8\n exit", "MOV64_REG ADD32_IMM EXIT ");
	assert_fuses("mov32 r3, r1\n add r3, 8\n exit", "MOV32_REG ADD64_IMM EXIT ");
	assert_fuses("mov r3, r1\n add r4, 8\n exit", "MOV64_REG ADD64_IMM EXIT ");
	assert_fuses("mov r3, 1\n add r3, 8\n exit", "MOV64_IMM ADD64_IMM EXIT ");
}

static void test_loads(void **state)
{
	(void)state;
	assert_fuses("mov r3, r1\n add r3, r2\n ldxb r3, [r3+4]\n exit", "LDXB_INDEXED EXIT ");
	assert_fuses("mov r3, r1\n add r3, r2\n ldxh r3, [r3]\n exit", "LDXH_INDEXED EXIT ");
	assert_fuses("add r1, r2\n ldxw r1, [r1]\n exit", "LDXW_INDEXED EXIT ");
	assert_fuses("add r1, r1\n ldxdw r1, [r1-8]\n exit", "LDXDW_INDEXED EXIT ");
	assert_fuses("mov r3, r1\n add r3, r2\n ldxsb r3, [r3]\n exit", "LEA_REG LDXSB EXIT ");
	/* the sum stands in r3 afterwards */
	assert_fuses("mov r3, r1\n add r3, r2\n ldxb r4, [r3]\n exit", "LEA_REG LDXB EXIT ");
	assert_fuses("mov r3, r1\n add r3, r2\n ldxb r3, [r4]\n exit", "LEA_REG LDXB EXIT ");
	assert_fuses("mov r3, r1\n add r3, 8\n ldxb r3, [r3]\n exit", "LEA_IMM LDXB EXIT ");
}

static void test_extensions(void **state)
{
	(void)state;
	assert_fuses("lsh r1, 32\n rsh r1, 32\n exit", "MOV32_REG EXIT ");
	assert_fuses("lsh r1, 32\n arsh r1, 32\n exit", "MOVSX32_64 EXIT ");
	assert_fuses("mov r0, r1\n lsh r0, 32\n rsh r0, 32\n exit", "MOV32_REG EXIT ");
	assert_fuses("mov r0, r1\n lsh r0, 32\n arsh r0, 32\n exit", "MOVSX32_64 EXIT ");
	assert_fuses("mov r0, r1\n mov32 r0, r0\n exit", "MOV32_REG EXIT ");
	assert_fuses("mov r0, r1\n mov32 r0, r2\n exit", "MOV64_REG MOV32_REG EXIT ");
	assert_fuses("lsh r1, 32\n rsh r1, 31\n exit", "LSH64_IMM RSH64_IMM EXIT ");
	assert_fuses("lsh r1, 31\n rsh r1, 32\n exit", "LSH64_IMM RSH64_IMM EXIT ");
	assert_fuses("lsh r1, 32\n rsh r2, 32\n exit", "LSH64_IMM RSH64_IMM EXIT ");
	assert_fuses("lsh32 r1, 32\n rsh r1, 32\n exit", "LSH32_IMM RSH64_IMM EXIT ");
}

static void test_fields_of_what_was_merged(void **state)
{
	_cleanup_(vm_ops_done) struct vm_ops o = {0};

	(void)state;
	make_ops("lddw r9, 1\n"
	         "mov r3, r1\n add r3, -8\n"
	         "mov r4, r1\n add r4, r2\n"
	         "mov r5, r1\n add r5, r5\n"
	         "mov r6, r1\n add r6, r2\n ldxh r6, [r6+6]\n"
	         "add r7, r8\n ldxw r7, [r7-4]\n"
	         "mov r0, r1\n lsh r0, 32\n rsh r0, 32\n"
	         "exit",
	         &o);
	vm_fuse(&o);
	const struct vm_op expected[] = {
	        {.op = VM_LEA_IMM, .dst = 3, .src = 1, .slots = 2, .insn = 3, .imm = -8},
	        {.op = VM_LEA_REG, .dst = 4, .src = 1, .index = 2, .slots = 2, .insn = 5},
	        {.op = VM_LEA_REG, .dst = 5, .src = 1, .index = 1, .slots = 2, .insn = 7},
	        {.op = VM_LDXH_INDEXED, .dst = 6, .src = 1, .index = 2, .slots = 3, .offset = 6, .insn = 10},
	        {.op = VM_LDXW_INDEXED, .dst = 7, .src = 7, .index = 8, .slots = 2, .offset = -4, .insn = 12},
	        {.op = VM_MOV32_REG, .dst = 0, .src = 1, .slots = 3, .insn = 15},
	};
	assert_int_equal(o.count, ARRAY_SIZE(expected) + 2);
	for (size_t i = 0; i < ARRAY_SIZE(expected); i++) {
		const struct vm_op *op = &o.ops[i + 1], *e = &expected[i];
		assert_int_equal(op->op, e->op);
		assert_int_equal(op->dst, e->dst);
		assert_int_equal(op->src, e->src);
		assert_int_equal(op->index, e->index);
		assert_int_equal(op->slots, e->slots);
		assert_int_equal(op->offset, e->offset);
		assert_int_equal(op->insn, e->insn);
		assert_int_equal(op->imm, e->imm);
	}
}

static void test_jumps_lead_where_they_led(void **state)
{
	_cleanup_(vm_ops_done) struct vm_ops o = {0};

	(void)state;
	/* into the middle of what could be merged: it stays apart */
	assert_fuses("jeq r1, 0, in\n mov r3, r1\n in: add r3, r2\n exit", "JEQ64_IMM MOV64_REG ADD64_REG EXIT ");
	assert_fuses("jeq r1, 0, in\n mov r3, r1\n add r3, r2\n in: ldxb r3, [r3]\n exit",
	             "JEQ64_IMM LEA_REG LDXB EXIT ");
	make_ops("mov r3, r1\n add r3, 1\n" /* 0 */
	         "again:\n"
	         "mov r4, r3\n add r4, r2\n ldxb r4, [r4]\n" /* 1 */
	         "jeq r4, 0, out\n"                          /* 2 */
	         "mov r3, r4\n add r3, 1\n"                  /* 3 */
	         "ja again\n"                                /* 4 */
	         "out:\n"
	         "call local f\n"                      /* 5 */
	         "lddw r1, function f\n"               /* 6 */
	         "exit\n"                              /* 7 */
	         "f:\n mov r0, r1\n add r0, 1\n exit", /* 8, 9 */
	         &o);
	vm_fuse(&o);
	assert_int_equal(o.count, 10);
	assert_int_equal(o.ops[2].target, 5);
	assert_int_equal(o.ops[4].target, 1);
	assert_int_equal(vm_jump_slots(&o, &o.ops[4]), 7);
	assert_true(o.ops[1].flags & VM_OP_LEADER);
	assert_int_equal(o.ops[5].target, 8);
	assert_int_equal(o.ops[6].target, 1); /* the function, not its op */
	assert_int_equal(o.functions[0].first, 0);
	assert_int_equal(o.functions[0].end, 8);
	assert_int_equal(o.functions[1].first, 8);
	assert_int_equal(o.functions[1].end, 10);
	assert_int_equal(o.functions[1].insn, o.ops[8].insn - 1);
	assert_live_is_true(&o);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(test_addresses),
	        cmocka_unit_test(test_loads),
	        cmocka_unit_test(test_extensions),
	        cmocka_unit_test(test_fields_of_what_was_merged),
	        cmocka_unit_test(test_jumps_lead_where_they_led),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
