/* SPDX-License-Identifier: Apache-2.0
 *
 * Compiled code that is so long that short branches do not reach.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <cmocka.h>
#include "vm/vm_int.h"

#define INSN(opcode, d, s, o, i) \
	((struct picket_insn){.code = (opcode), .dst = (d), .src = (s), .offset = (o), .imm = (i)})
#define MOV_IMM(d, i) INSN(0xb7, d, 0, 0, i)
#define MOV_REG(d, s) INSN(0xbf, d, s, 0, 0)
#define ADD_IMM(d, i) INSN(0x07, d, 0, 0, i)
#define LDXDW(d, s, o) INSN(0x79, d, s, o, 0)
#define STXDW(d, s, o) INSN(0x7b, d, s, o, 0)
#define EXIT INSN(0x95, 0, 0, 0, 0)
#define JA INSN(0x05, 0, 0, 0, 0)
#define FILLERS 32000 /* a jump's offset has 16 bits */

/* The context of all programs: a pointer to itself, of which no compiler knows where it leads; then a number. */
struct context {
	struct context *self;
	uint64_t number;
	uint64_t counter;
};

struct code {
	struct picket_insn *insns;
	size_t count;
};

static void add(struct code *c, struct picket_insn insn)
{
	assert_true(c->count < PICKET_INSNS_MAX);
	c->insns[c->count++] = insn;
}

static size_t add_jump(struct code *c, struct picket_insn insn)
{
	add(c, insn);
	return c->count - 1;
}

static void lead(struct code *c, size_t jump, size_t to)
{
	c->insns[jump].offset = (int16_t)((int64_t)to - (int64_t)jump - 1);
}

/* Stores that are checked one by one: each counter[0] = r1. */
static void add_fillers(struct code *c, size_t count)
{
	for (size_t i = 0; i < count; i++)
		add(c, STXDW(6, 1, offsetof(struct context, counter)));
}

/* r1: the number; r6: the context. */
static void begin(struct code *c)
{
	c->count = 0;
	add(c, LDXDW(6, 1, 0));
	add(c, LDXDW(1, 6, offsetof(struct context, number)));
}

static struct picket_program *load(const struct code *c, enum picket_engine engine)
{
	struct picket_options options = {.engine = engine};
	struct picket_program *p = NULL;
	struct picket_error error;
	int r = picket_program_load(c->insns, c->count, &options, &p, &error);

	if (r == -EOPNOTSUPP)
		skip();
	if (r)
		fail_msg("%s", error.text);
	return p;
}

static uint64_t run(const struct picket_program *p, uint64_t number)
{
	struct context context = {.self = &context, .number = number};
	struct picket_call call = {.data = &context, .length = sizeof(context)};

	if (picket_program_run(p, &call))
		fail_msg("%s at %u", picket_fault_name(call.fault.kind), call.fault.insn);
	return call.result;
}

static const enum picket_engine engines[] = {PICKET_INTERPRETER, PICKET_CHECKED, PICKET_VERIFIED};

static void assert_result(const struct picket_program *p, uint64_t number, uint64_t result)
{
	uint64_t got = run(p, number);

	if (got != result)
		fail_msg("engine %d gives %llu, not %llu", picket_program_engine(p), (unsigned long long)got,
		         (unsigned long long)result);
}

static void assert_results(const struct code *c, uint64_t number1, uint64_t result1, uint64_t number2, uint64_t result2)
{
	for (size_t i = 0; i < ARRAY_SIZE(engines); i++) {
		struct picket_program *p = load(c, engines[i]);
		assert_result(p, number1, result1);
		assert_result(p, number2, result2);
		picket_program_free(p);
	}
}

/* Jumps of each kind that machines have: by comparison, with 0, by a bit; and a number with which each is taken. */
static const struct {
	struct picket_insn jump;
	uint64_t taken, passed;
} jumps[] = {
        {INSN(0x15, 1, 0, 0, 0), 0, 1},                  /* jeq r1, 0 */
        {INSN(0x56, 1, 0, 0, 0), 1, 1ull << 32},         /* jne32 r1, 0 */
        {INSN(0x2d, 1, 6, 0, 0), UINT64_MAX, 0},         /* jgt r1, r6 */
        {INSN(0xc5, 1, 0, 0, 0), 1ull << 63, INT64_MAX}, /* jslt r1, 0 */
        {INSN(0x45, 1, 0, 0, 16), 16, ~16ull},           /* jset r1, 16 */
        {INSN(0x45, 1, 0, 0, 5), 4, 10},                 /* jset r1, 5 */
};

static void test_forwards(void **state)
{
	struct code c = {.insns = calloc(PICKET_INSNS_MAX, sizeof(*c.insns))};

	(void)state;
	assert_non_null(c.insns);
	for (size_t i = 0; i < ARRAY_SIZE(jumps); i++) {
		size_t jump;
		begin(&c);
		jump = add_jump(&c, jumps[i].jump);
		add_fillers(&c, FILLERS);
		add(&c, MOV_IMM(0, 1));
		add(&c, EXIT);
		lead(&c, jump, c.count);
		add(&c, MOV_IMM(0, 2));
		add(&c, EXIT);
		assert_results(&c, jumps[i].taken, 2, jumps[i].passed, 1);
	}
	free(c.insns);
}

/* r0 counts rounds. The first leads to a second when the jump is taken; in that the number is one that is not. */
static void test_backwards(void **state)
{
	struct code c = {.insns = calloc(PICKET_INSNS_MAX, sizeof(*c.insns))};

	(void)state;
	assert_non_null(c.insns);
	for (size_t i = 0; i < ARRAY_SIZE(jumps); i++) {
		size_t top, jump, first;
		begin(&c);
		add(&c, MOV_IMM(0, 0));
		top = c.count;
		first = add_jump(&c, INSN(0x15, 0, 0, 0, 0)); /* jeq r0, 0 */
		add(&c, INSN(0x18, 1, 0, 0, (int32_t)jumps[i].passed));
		add(&c, INSN(0, 0, 0, 0, (int32_t)(jumps[i].passed >> 32)));
		lead(&c, first, c.count);
		add(&c, ADD_IMM(0, 1));
		add_fillers(&c, FILLERS);
		jump = add_jump(&c, jumps[i].jump);
		lead(&c, jump, top);
		add(&c, EXIT);
		assert_results(&c, jumps[i].taken, 2, jumps[i].passed, 1);
	}
	free(c.insns);
}

/* From one end of the longest program to the other by jumps, each as far as it goes, and back by calls. */
static void test_longest(void **state)
{
	struct code c = {.insns = calloc(PICKET_INSNS_MAX, sizeof(*c.insns))};
	size_t function, hop;
	uint64_t result;

	(void)state;
	assert_non_null(c.insns);
	begin(&c);
	add(&c, MOV_IMM(0, 0));
	do {
		add(&c, ADD_IMM(0, 1));
		hop = add_jump(&c, JA);
		add_fillers(&c, FILLERS);
		lead(&c, hop, c.count);
	} while (c.count + 2 * FILLERS < PICKET_INSNS_MAX);
	hop = c.count;
	add(&c, INSN(0x85, 0, 1, 0, 0)); /* call local */
	add(&c, EXIT);
	function = c.count;
	c.insns[hop].imm = (int32_t)(function - hop - 1);
	while (c.count < PICKET_INSNS_MAX - 2)
		add(&c, ADD_IMM(0, 1));
	add(&c, INSN(0x07, 0, 0, 0, 1000000));
	add(&c, EXIT);
	result = hop / (FILLERS + 2) + PICKET_INSNS_MAX - 2 - function + 1000000;
	assert_results(&c, 0, result, 0, result);
	free(c.insns);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(test_forwards),
	        cmocka_unit_test(test_backwards),
	        cmocka_unit_test(test_longest),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
