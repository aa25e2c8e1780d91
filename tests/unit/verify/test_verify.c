/* SPDX-License-Identifier: Apache-2.0
 *
 * The verifier on small programs: what it accepts, and why it rejects the rest.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include "picket/verify.h"

#define ACCEPTED PICKET_ACCEPTED
#define REJECT(id) PICKET_REJECT_##id

struct sample {
	const char *name, *text;
	enum picket_category category;
	enum picket_kind kind; /* PICKET_KIND_AUTO: memory */
};

static const struct picket_map_spec maps[] = {
        {.name = "array", .type = 2, .key_size = 4, .value_size = 64, .max_entries = 4},
};

static struct picket_verdict *verify(const struct sample *s, const struct picket_verify_options *options)
{
	struct picket_verify_options o = options ? *options : (struct picket_verify_options){0};
	struct picket_verdict *v = NULL;
	struct picket_error error;
	struct picket_insn *insns;
	size_t count;

	if (picket_assemble(s->text, strlen(s->text), &insns, &count, &error))
		fail_msg("%s: %s", s->name, error.text);
	o.kind = s->kind == PICKET_KIND_AUTO ? PICKET_KIND_MEMORY : s->kind;
	assert_int_equal(picket_verify_insns(insns, count, maps, 1, &o, &v), 0);
	free(insns);
	return v;
}

static const struct sample samples[] = {
        {"a number", "mov r0, 1\nexit\n", ACCEPTED, 0},
        {"r0 unset", "exit\n", REJECT(UNINITIALISED), 0},
        {"a returned pointer", "mov r0, r1\nexit\n", REJECT(POINTER_LEAK), 0},
        {"a length compared", "mov r0, 0\njlt r2, 14, +1\nldxb r0, [r1+13]\nexit\n", ACCEPTED, 0},
        {"a length off by one", "mov r0, 0\njlt r2, 13, +1\nldxb r0, [r1+13]\nexit\n", REJECT(PACKET_BOUNDS), 0},
        {"an end compared",
         "mov r3, r1\nadd r3, r2\nmov r4, r1\nadd r4, 8\nmov r0, 0\njgt r4, r3, +1\nldxdw r0, [r1]\nexit\n", ACCEPTED,
         0},
        {"an end compared, one short",
         "mov r3, r1\nadd r3, r2\nmov r4, r1\nadd r4, 7\nmov r0, 0\njgt r4, r3, +1\nldxdw r0, [r1]\nexit\n",
         REJECT(PACKET_BOUNDS), 0},
        {"before the memory", "mov r0, 0\njlt r2, 8, +1\nldxb r0, [r1-1]\nexit\n", REJECT(PACKET_BOUNDS), 0},
        {"an index compared with the length",
         "mov r0, 0\nmov r3, 0\njge r3, r2, +6\nmov r4, r1\nadd r4, r3\nldxb r5, [r4]\nadd r0, r5\nadd r3, 1\nja -7\nexit\n",
         ACCEPTED, 0},
        {"an index that may equal the length",
         "mov r0, 0\nmov r3, 0\njgt r3, r2, +6\nmov r4, r1\nadd r4, r3\nldxb r5, [r4]\nadd r0, r5\nadd r3, 1\nja -7\nexit\n",
         REJECT(PACKET_BOUNDS), 0},
        {"a number followed", "mov r3, 8\nldxb r0, [r3]\nexit\n", REJECT(NOT_A_POINTER), 0},
        {"the stack", "stdw [r10-8], 5\nldxdw r0, [r10-8]\nexit\n", ACCEPTED, 0},
        {"the stack unset", "ldxdw r0, [r10-8]\nexit\n", REJECT(UNINITIALISED), 0},
        {"half of the stack unset", "stw [r10-8], 5\nldxdw r0, [r10-8]\nexit\n", REJECT(UNINITIALISED), 0},
        {"above the stack", "stdw [r10], 5\nmov r0, 0\nexit\n", REJECT(STACK_BOUNDS), 0},
        {"below the stack", "stdw [r10-520], 5\nmov r0, 0\nexit\n", REJECT(STACK_BOUNDS), 0},
        {"a pointer kept on the stack",
         "mov r0, 0\nstxdw [r10-8], r1\njlt r2, 1, +2\nldxdw r3, [r10-8]\nldxb r0, [r3]\nexit\n", ACCEPTED, 0},
        {"part of a pointer", "stxdw [r10-8], r1\nldxw r0, [r10-8]\nexit\n", REJECT(POINTER_LEAK), 0},
        {"a pointer stored outside", "mov r0, 0\njlt r2, 8, +1\nstxdw [r1], r10\nexit\n", REJECT(POINTER_LEAK), 0},
        {"pointers multiplied", "mul r1, 2\nmov r0, 0\nexit\n", REJECT(POINTER_ARITHMETIC), 0},
        {"a bound in a copy",
         "mov r0, 0\njlt r2, 64, +5\nldxb r3, [r1]\nmov r4, r3\njgt r4, 63, +2\nadd r1, r3\nldxb r0, [r1]\nexit\n",
         ACCEPTED, 0},
        {"a bound in the lower half of a copy, by shifts",
         "mov r0, 0\njlt r2, 64, +8\nldxb r3, [r1]\nsub r3, 5\nmov r4, r3\nlsh r4, 32\nrsh r4, 32\njgt r4, 63, +2\nadd r1, r3\nldxb r0, [r1]\nexit\n",
         ACCEPTED, 0},
        {"a bound in the lower half of a copy that has an upper one",
         "mov r0, 0\njlt r2, 64, +7\nldxdw r3, [r1]\nmov r4, r3\nlsh r4, 32\nrsh r4, 32\njgt r4, 63, +2\nadd r1, r3\nldxb r0, [r1]\nexit\n",
         REJECT(OUT_OF_BOUNDS), 0},
        {"a mask", "mov r0, 0\njlt r2, 16, +4\nldxb r3, [r1]\nand r3, 15\nadd r1, r3\nldxb r0, [r1]\nexit\n", ACCEPTED,
         0},
        {"a mask too wide", "mov r0, 0\njlt r2, 16, +4\nldxb r3, [r1]\nand r3, 31\nadd r1, r3\nldxb r0, [r1]\nexit\n",
         REJECT(PACKET_BOUNDS), 0},
        {"a signed bound forgotten",
         "mov r0, 0\njlt r2, 16, +5\nldxdw r3, [r1]\njsgt r3, 8, +3\nadd r1, r3\nldxb r0, [r1]\nja +0\nexit\n",
         REJECT(OUT_OF_BOUNDS), 0},
        {"pruning must see both indexes",
         "mov r0, 0\njlt r2, 16, +7\nldxb r3, [r1]\nmov r4, 8\njeq r3, 0, +1\nmov r4, 16\nadd r1, r4\nldxb r0, [r1]\nja +0\nexit\n",
         REJECT(PACKET_BOUNDS), 0},
        {"a loop that counts", "mov r0, 0\nmov r3, 0\nadd r0, r3\nadd r3, 1\njne r3, 100000, -3\nexit\n", ACCEPTED, 0},
        {"a loop that counts down", "mov r0, 0\nmov r3, 100000\nadd r0, r3\nsub r3, 1\njne r3, 0, -3\nexit\n", ACCEPTED,
         0},
        {"a loop that steps over its end", "mov r0, 0\nmov r3, 0\nadd r3, 2\njne r3, 1001, -2\nexit\n", REJECT(LIMIT),
         0},
        {"a loop that changes nothing", "mov r0, 0\nadd r0, 0\njlt r2, 5, -2\nexit\n", REJECT(INFINITE_LOOP), 0},
        {"a jump to itself", "mov r0, 0\njeq r2, 0, -1\nexit\n", REJECT(INFINITE_LOOP), 0},
        {"a counter on the stack",
         "mov r0, 0\nstdw [r10-8], 0\nldxdw r3, [r10-8]\nadd r3, 1\nstxdw [r10-8], r3\njlt r3, 50000, -4\nexit\n",
         ACCEPTED, 0},
        {"an index out of a loop",
         "stdw [r10-8], 0\nmov r3, 0\nmov r4, r10\nadd r4, r3\nldxb r0, [r4-8]\nadd r3, 1\njne r3, 9, -5\nexit\n",
         REJECT(STACK_BOUNDS), 0},
        {"an index inside of a loop",
         "stdw [r10-8], 0\nmov r3, 0\nmov r4, r10\nadd r4, r3\nldxb r0, [r4-8]\nadd r3, 1\njne r3, 8, -5\nexit\n",
         ACCEPTED, 0},
        {"code that nothing leads to", "mov r0, 0\nexit\nmov r0, 1\nexit\n", REJECT(UNREACHABLE), 0},
        {"a helper that is none", "mov r0, 0\ncall 60000\nexit\n", REJECT(HELPER), 0},
        {"a map's value",
         "stw [r10-4], 1\nlddw r1, map[0]\nmov r2, r10\nadd r2, -4\ncall map_lookup_elem\njeq r0, 0, +1\nldxdw r0, [r0+56]\nexit\n",
         ACCEPTED, PICKET_KIND_SOCKET_FILTER},
        {"a map's value unchecked",
         "stw [r10-4], 1\nlddw r1, map[0]\nmov r2, r10\nadd r2, -4\ncall map_lookup_elem\nldxdw r0, [r0]\nexit\n",
         REJECT(NULL_POINTER), PICKET_KIND_SOCKET_FILTER},
        {"behind a map's value",
         "stw [r10-4], 1\nlddw r1, map[0]\nmov r2, r10\nadd r2, -4\ncall map_lookup_elem\njeq r0, 0, +1\nldxdw r0, [r0+57]\nexit\n",
         REJECT(OUT_OF_BOUNDS), PICKET_KIND_SOCKET_FILTER},
        {"a map's key short",
         "stw [r10-4], 1\nlddw r1, map[0]\nmov r2, r10\nadd r2, -2\ncall map_lookup_elem\nmov r0, 0\nexit\n",
         REJECT(STACK_BOUNDS), PICKET_KIND_SOCKET_FILTER},
        {"registers after a call", "mov r6, r1\ncall ktime_get_ns\nmov r0, r1\nexit\n", REJECT(UNINITIALISED),
         PICKET_KIND_SOCKET_FILTER},
        {"a packet compared",
         "ldxw r2, [r1]\nldxw r3, [r1+4]\nmov r4, r2\nadd r4, 14\nmov r0, 2\njgt r4, r3, +1\nldxh r5, [r2+12]\nexit\n",
         ACCEPTED, PICKET_KIND_XDP},
        {"a packet behind what was compared",
         "ldxw r2, [r1]\nldxw r3, [r1+4]\nmov r4, r2\nadd r4, 13\nmov r0, 2\njgt r4, r3, +1\nldxh r5, [r2+12]\nexit\n",
         REJECT(PACKET_BOUNDS), PICKET_KIND_XDP},
        {"a field of the context that is none", "ldxw r0, [r1+100]\nexit\n", REJECT(CONTEXT), PICKET_KIND_XDP},
        {"a loop whose counter takes steps of eight",
         "mov r0, 0\nmov r3, 0\nadd r0, r3\nadd r3, 8\njne r3, 800000, -3\nexit\n", ACCEPTED, 0},
        {"a loop that is entered in its middle, with two ways back",
         "mov r0, 0\nmov r3, 0\nja +2\nadd r0, 1\nadd r3, 1\njge r3, 90000, +2\njset r3, 1, -4\nja -4\nexit\n",
         ACCEPTED, 0},
        {"a loop that ends around one that does not change anything else",
         "mov r0, 0\nmov r3, 0\nmov r4, 0\nadd r4, 1\njlt r4, 1000, -2\nadd r3, 1\njlt r3, 1000, -5\nexit\n", ACCEPTED,
         0},
        {"a loop without end around one that counts",
         "mov r0, 0\nmov r3, 0\nadd r3, 1\njlt r3, 1000, -2\njlt r2, 9, -4\nexit\n", REJECT(INFINITE_LOOP), 0},
        {"an index that two loops count, one too far",
         "stdw [r10-8], 0\nmov r3, 0\nmov r4, r10\nadd r4, r3\nldxb r0, [r4-8]\nadd r3, 1\njne r3, 8, -5\nmov r4, r10\nadd r4, r3\nldxb r0, [r4-8]\nexit\n",
         REJECT(STACK_BOUNDS), 0},
        {"bounds by a sum in 32 bits, of the other number",
         "mov r0, 0\njlt r2, 64, +6\nldxw r3, [r1]\nmov32 r4, r3\nadd32 r4, -10\njgt32 r4, 50, +2\nadd r1, r3\nldxb r0, [r1]\nexit\n",
         ACCEPTED, 0},
        {"bounds by a sum in 32 bits that say nothing of the upper ones",
         "mov r0, 0\njlt r2, 64, +6\nldxdw r3, [r1]\nmov32 r4, r3\nadd32 r4, -10\njgt32 r4, 50, +2\nadd r1, r3\nldxb r0, [r1]\nexit\n",
         REJECT(OUT_OF_BOUNDS), 0},
        {"bounds by a sum in 32 bits, one too many",
         "mov r0, 0\njlt r2, 64, +6\nldxw r3, [r1]\nmov32 r4, r3\nadd32 r4, -10\njgt32 r4, 54, +2\nadd r1, r3\nldxb r0, [r1]\nexit\n",
         REJECT(PACKET_BOUNDS), 0},
        {"pruning must see that a copy is one",
         "mov r0, 0\njlt r2, 64, +10\nldxb r3, [r1]\nldxb r4, [r1+1]\nldxb r5, [r1+2]\njeq r5, 7, +1\nmov r4, r3\nmov r5, 0\njgt r3, 50, +3\nadd r1, r4\nldxb r0, [r1]\nja +0\nexit\n",
         REJECT(PACKET_BOUNDS), 0},
        {"pointers subtracted in 32 bits, where they may be known",
         "ldxw r2, [r1]\nldxw r3, [r1+4]\nsub32 r3, r2\nmov r0, 2\njlt32 r3, 14, +1\nmov r0, 1\nexit\n", ACCEPTED,
         PICKET_KIND_XDP},
        {"pointers subtracted in 32 bits, where they may not", "sub32 r1, r10\nmov r0, 0\nexit\n",
         REJECT(POINTER_ARITHMETIC), 0},
        {"arguments that a helper does not take", "mov r6, r1\ncall ktime_get_ns\nmov r0, 0\nexit\n", ACCEPTED,
         PICKET_KIND_SOCKET_FILTER},
        {"an end compared twice",
         "ldxw r2, [r1]\nldxw r3, [r1+4]\nmov r4, r2\nadd r4, 14\nmov r0, 2\njgt r4, r3, +1\nmov r5, 1\njgt r4, r3, +1\nmov r0, r5\nexit\n",
         ACCEPTED, PICKET_KIND_XDP},
        {"an end compared twice, the second time less",
         "ldxw r2, [r1]\nldxw r3, [r1+4]\nmov r4, r2\nadd r4, 14\nmov r0, 2\njgt r4, r3, +1\nmov r5, 1\nadd r4, -1\njgt r4, r3, +1\nmov r0, r5\nexit\n",
         REJECT(UNINITIALISED), PICKET_KIND_XDP},
        {"an end compared twice, the second time with equality",
         "ldxw r2, [r1]\nldxw r3, [r1+4]\nmov r4, r2\nadd r4, 14\nmov r0, 2\njge r4, r3, +1\nmov r5, 1\njgt r4, r3, +1\nmov r0, r5\nexit\n",
         REJECT(UNINITIALISED), PICKET_KIND_XDP},
        {"what a function without arguments returns, as an index",
         "stdw [r10-8], 0\ncall local +4\nmov r4, r10\nadd r4, r0\nldxb r0, [r4-8]\nexit\ncall get_prandom_u32\nmov r6, 1\njset r0, 1, +2\nmov r6, 7\nja +0\nmov r0, r6\nexit\n",
         ACCEPTED, PICKET_KIND_SOCKET_FILTER},
        {"what a function without arguments returns on its second path, as an index",
         "stdw [r10-8], 0\ncall local +4\nmov r4, r10\nadd r4, r0\nldxb r0, [r4-8]\nexit\ncall get_prandom_u32\nmov r6, 1\njset r0, 1, +2\nmov r6, 9\nja +0\nmov r0, r6\nexit\n",
         REJECT(STACK_BOUNDS), PICKET_KIND_SOCKET_FILTER},
        {"a function that returns nothing", "call local +2\nmov r0, 0\nexit\nmov r1, 0\nexit\n", ACCEPTED, 0},
        {"what a function that returns nothing returns", "call local +1\nexit\nmov r1, 0\nexit\n",
         REJECT(UNINITIALISED), 0},
        {"a pointer that a function without arguments returns",
         "call local +2\nmov r0, 0\nexit\nlddw r0, map[0]\nexit\n", ACCEPTED, PICKET_KIND_SOCKET_FILTER},
        {"a function", "call local +1\nexit\nmov r0, 3\nexit\n", ACCEPTED, 0},
        {"a function that calls itself", "call local +1\nexit\ncall local -1\nexit\n", REJECT(RECURSION), 0},
        {"a pointer to a stack that is gone", "call local +2\nldxb r0, [r0-1]\nexit\nmov r0, r10\nexit\n",
         REJECT(STACK_BOUNDS), 0},
};

static void test_samples(void **state)
{
	unsigned failures = 0;

	(void)state;
	for (size_t i = 0; i < sizeof(samples) / sizeof(samples[0]); i++) {
		struct picket_verdict *v = verify(&samples[i], NULL);
		if (v->category != samples[i].category) {
			print_error("%s: %s instead of %s: %s\n", samples[i].name, picket_category_name(v->category),
			            picket_category_name(samples[i].category), v->reason);
			failures++;
		}
		assert_int_equal(v->accepted, v->category == PICKET_ACCEPTED);
		assert_true(v->accepted ? v->insn_bound > 0 : v->reason[0] != '\0');
		picket_verdict_free(v);
	}
	assert_int_equal(failures, 0);
}

/* 100,000 turns cost as much as 10, and the bound counts them. */
static void test_loops_cost_nothing(void **state)
{
	const struct sample small = {"10", "mov r0, 0\nmov r3, 0\nadd r0, r3\nadd r3, 1\njne r3, 10, -3\nexit\n",
	                             ACCEPTED, 0};
	const struct sample large = {
	        "100000", "mov r0, 0\nmov r3, 0\nadd r0, r3\nadd r3, 1\njne r3, 100000, -3\nexit\n", ACCEPTED, 0};
	struct picket_verdict *a = verify(&small, NULL), *b = verify(&large, NULL);

	(void)state;
	assert_true(a->insns_seen == b->insns_seen);
	assert_in_range(a->insn_bound, 33, 60);
	assert_in_range(b->insn_bound, 300003, 300060);
	picket_verdict_free(a);
	picket_verdict_free(b);
}

/* A function that takes nothing is looked at once, however often it is called; its instructions count each time. */
static void test_functions_cost_once(void **state)
{
	const struct sample once = {"once", "call local +1\nexit\nmov r0, 3\nmov r0, 3\nmov r0, 3\nexit\n", ACCEPTED,
	                            0};
	const struct sample often = {
	        "often",
	        "call local +4\ncall local +3\ncall local +2\ncall local +1\nexit\nmov r0, 3\nmov r0, 3\nmov r0, 3\nexit\n",
	        ACCEPTED, 0};
	struct picket_verdict *a = verify(&once, NULL), *b = verify(&often, NULL);

	(void)state;
	assert_int_equal(b->insns_seen, a->insns_seen + 3);
	assert_int_equal(a->insn_bound, 6);
	assert_int_equal(b->insn_bound, 21);
	picket_verdict_free(a);
	picket_verdict_free(b);
}

/* What decides may depend on as many others as a program has instructions: none of it is followed on the C stack. */
static void test_long_dependences(void **state)
{
	enum { TURNS = 200000 };
	const size_t count = 3 * TURNS + 8;
	struct picket_insn *insns = calloc(count, sizeof(*insns));
	const struct picket_verify_options o = {.kind = PICKET_KIND_MEMORY};
	struct picket_verdict *v = NULL;
	size_t n = 0;

	(void)state;
	assert_non_null(insns);
	insns[n++] = (struct picket_insn){.code = 0xb7, .dst = 3, .imm = 1}; /* r3 = 1 */
	for (unsigned i = 0; i < TURNS; i++) {
		insns[n++] = (struct picket_insn){.code = 0xb7, .dst = 4, .imm = 5};
		insns[n++] = (struct picket_insn){.code = 0x0f, .dst = 4, .src = 3};
		insns[n++] = (struct picket_insn){.code = 0xbf, .dst = 3, .src = 4};
	}
	insns[n++] = (struct picket_insn){.code = 0x57, .dst = 3, .imm = 7};               /* r3 &= 7 */
	insns[n++] = (struct picket_insn){.code = 0xbf, .dst = 2, .src = 10};              /* r2 = r10 */
	insns[n++] = (struct picket_insn){.code = 0x0f, .dst = 2, .src = 3};               /* r2 += r3 */
	insns[n++] = (struct picket_insn){.code = 0x72, .dst = 2, .offset = -8, .imm = 1}; /* *(u8 *)(r2 - 8) = 1 */
	insns[n++] = (struct picket_insn){.code = 0xb7, .dst = 0};                         /* r0 = 0 */
	insns[n++] = (struct picket_insn){.code = 0x95};                                   /* exit */
	assert_int_equal(picket_verify_insns(insns, n, NULL, 0, &o, &v), 0);
	assert_true(v->accepted);
	assert_true(v->memory_peak < 64 << 20);
	picket_verdict_free(v);
	free(insns);
}

static void test_limits(void **state)
{
	const struct sample s = {"unrolled", "mov r0, 0\nmov r3, 0\nadd r3, 2\njne r3, 1000001, -2\nexit\n",
	                         REJECT(LIMIT), 0};
	const struct picket_verify_options all[] = {{.insns_max = 1000}, {.states_max = 20}, {.memory_max = 1 << 16}};

	(void)state;
	for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++) {
		struct picket_verdict *v = verify(&s, &all[i]);
		assert_int_equal(v->category, PICKET_REJECT_LIMIT);
		if (all[i].memory_max)
			assert_true(v->memory_peak <= all[i].memory_max);
		picket_verdict_free(v);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(test_samples),
	        cmocka_unit_test(test_loops_cost_nothing),
	        cmocka_unit_test(test_functions_cost_once),
	        cmocka_unit_test(test_long_dependences),
	        cmocka_unit_test(test_limits),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
