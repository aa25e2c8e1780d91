/* SPDX-License-Identifier: Apache-2.0
 *
 * Programs that a verifier accepts if it is careless in one thing: each goes wrong on one path, and differs in one thing from
 * what is right on another, which is walked first. See tests/verify/mutations.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include "picket/verify.h"

#define MEMORY PICKET_KIND_MEMORY
#define XDP PICKET_KIND_XDP
#define REJECT(id) PICKET_REJECT_##id

/* What makes a place far enough from the last one for its state to be kept: ten instructions that change nothing else. */
#define FAR \
	"mov r9, 0\nmov r9, 0\nmov r9, 0\nmov r9, 0\nmov r9, 0\nmov r9, 0\nmov r9, 0\nmov r9, 0\nmov r9, 0\nmov r9, 0\n"

static const struct picket_map_spec maps[] = {
        {.name = "large", .type = 2, .key_size = 4, .value_size = 64, .max_entries = 1},
        {.name = "small", .type = 2, .key_size = 4, .value_size = 16, .max_entries = 1},
};

static const struct {
	const char *name, *text;
	enum picket_kind kind;
	enum picket_category category;
} samples[] = {
        {"a store at one of two places changes the one, too",
         "stdw [r10-8], 1\nstdw [r10-16], 1\nmov r0, 0\njlt r2, 16, +9\nldxb r3, [r1]\nand r3, 8\nmov r4, r10\n"
         "add r4, r3\nmov r5, 200\nstxdw [r4-16], r5\nldxdw r5, [r10-8]\nadd r1, r5\nldxb r0, [r1]\nexit\n",
         MEMORY, REJECT(OUT_OF_BOUNDS)},
        {"a store at one of two places writes only one",
         "mov r0, 0\njlt r2, 16, +6\nldxb r3, [r1]\nand r3, 8\nmov r4, r10\nadd r4, r3\nstdw [r4-16], 5\n"
         "ldxdw r0, [r10-8]\nexit\n",
         MEMORY, REJECT(UNINITIALISED)},
        {"a function leaves a pointer to its stack in its caller's",
         "mov r1, r10\nadd r1, -8\ncall local +3\nldxdw r1, [r10-8]\nldxdw r0, [r1-8]\nexit\n"
         "stdw [r10-8], 1\nstxdw [r1], r10\nmov r0, 0\nexit\n",
         MEMORY, REJECT(STACK_BOUNDS)},
        {"a callback's result of which the lower half alone is 0",
         "mov r1, 4\nlddw r2, function +6\nmov r3, 0\nmov r4, 0\ncall loop\nmov r0, 0\nexit\n"
         "lsh r1, 42\nmov r0, r1\nexit\n",
         MEMORY, REJECT(RETURN_VALUE)},
        {"recursion that ends",
         "mov r1, 1\ncall local +1\nexit\nmov r0, 0\njeq r1, 0, +2\nsub r1, 1\ncall local -4\nexit\n", MEMORY,
         REJECT(RECURSION)},
        {"an index that was compared with the length on one way only",
         "mov r0, 0\njlt r2, 1, +14\nldxb r3, [r1]\njge r3, r2, +10\n" FAR "add r1, r3\nldxb r0, [r1]\nexit\n", MEMORY,
         REJECT(PACKET_BOUNDS)},
        {"a length that was compared on one way only",
         "mov r0, 0\njlt r2, 8, +15\nldxb r3, [r1]\njeq r3, 7, +11\njlt r2, 64, +12\n" FAR
         "mov r9, 0\nldxb r0, [r1+63]\nexit\n",
         MEMORY, REJECT(PACKET_BOUNDS)},
        {"packet data that were compared with their end on one way only",
         "ldxw r2, [r1]\nldxw r3, [r1+4]\nldxw r5, [r1+12]\nmov r0, 0\njeq r5, 7, +13\nmov r4, r2\nadd r4, 14\n"
         "jgt r4, r3, +12\n" FAR "mov r9, 0\nldxb r0, [r2+13]\nexit\n",
         XDP, REJECT(PACKET_BOUNDS)},
        {"a value that was compared with NULL on one way only",
         "ldxw r6, [r1+12]\nstw [r10-4], 1\nlddw r1, map[0]\nmov r2, r10\nadd r2, -4\ncall map_lookup_elem\n"
         "jeq r6, 7, +11\njeq r0, 0, +12\n" FAR "mov r9, 0\nldxdw r0, [r0]\nexit\n",
         XDP, REJECT(NULL_POINTER)},
        {"NULL and some bytes is not NULL",
         "stw [r10-4], 1\nlddw r1, map[0]\nmov r2, r10\nadd r2, -4\ncall map_lookup_elem\nadd r0, 8\n"
         "jeq r0, 0, +1\nldxdw r0, [r0]\nexit\n",
         XDP, REJECT(NULL_POINTER)},
        {"the lower half of a number is not that number",
         "mov r0, 0\njlt r2, 16, +5\nldxdw r3, [r1]\nmov32 r4, r3\njgt r4, 15, +2\nadd r1, r3\nldxb r0, [r1]\nexit\n",
         MEMORY, REJECT(OUT_OF_BOUNDS)},
        {"a counter that goes both ways",
         "mov r6, 50\njlt r6, 1, +8\njgt r6, 98, +7\ncall get_prandom_u32\nand r0, 1\njeq r0, 0, +2\nadd r6, 1\n"
         "ja -7\nsub r6, 1\nja -9\nmov r0, 0\nexit\n",
         MEMORY, REJECT(INFINITE_LOOP)},
        {"a slot that a loop writes, if it turns at all",
         "mov r3, 0\njge r3, r2, +3\nstdw [r10-8], 1\nadd r3, 1\nja -4\nldxdw r0, [r10-8]\nexit\n", MEMORY,
         REJECT(UNINITIALISED)},
        {"packet data that a loop compares, if it turns at all",
         "ldxw r2, [r1]\nldxw r3, [r1+4]\nldxw r6, [r1+12]\nmov r5, 0\nmov r0, 0\njge r5, r6, +5\nmov r4, r2\n"
         "add r4, 14\njgt r4, r3, +3\nadd r5, 1\nja -6\nldxb r0, [r2+13]\nexit\n",
         XDP, REJECT(PACKET_BOUNDS)},
        {"two places of the stack",
         "mov r0, 0\njlt r2, 1, +16\nldxb r3, [r1]\nmov r4, r10\nadd r4, -512\njeq r3, 7, +11\nadd r4, 504\n" FAR
         "stdw [r4-8], 1\nexit\n",
         MEMORY, REJECT(STACK_BOUNDS)},
        {"two parts of a value",
         "mov r0, 0\njlt r2, 8, +19\nldxb r3, [r1]\nldxb r5, [r1+1]\nand r3, 127\nlddw r4, map_value[0]\n"
         "jeq r5, 7, +11\nand r3, 7\n" FAR "add r4, r3\nldxb r0, [r4]\nexit\n",
         MEMORY, REJECT(OUT_OF_BOUNDS)},
        {"two parts of a value, added before the ways meet",
         "mov r0, 0\njlt r2, 8, +23\nldxb r3, [r1]\nldxb r5, [r1+1]\nand r3, 127\nlddw r4, map_value[0]\n"
         "jeq r5, 7, +14\nand r3, 7\nadd r4, r3\nmov r3, 0\n" FAR "ja +2\nadd r4, r3\nmov r3, 0\nldxb r0, [r4]\nexit\n",
         MEMORY, REJECT(OUT_OF_BOUNDS)},
        {"values of two maps",
         "mov r0, 0\njlt r2, 8, +18\nldxb r3, [r1]\nlddw r4, map_value[1]\njeq r3, 7, +12\nlddw r4, map_value[0]\n" FAR
         "mov r9, 0\nldxb r0, [r4+60]\nexit\n",
         MEMORY, REJECT(OUT_OF_BOUNDS)},
        {"a copy on one way, another number on the other",
         "mov r0, 0\njlt r2, 16, +18\nldxb r3, [r1]\nldxb r5, [r1+1]\nmov r4, r5\njeq r5, 7, +11\nmov r4, r3\n" FAR
         "jgt r4, 15, +2\nadd r1, r3\nldxb r0, [r1]\nexit\n",
         MEMORY, REJECT(PACKET_BOUNDS)},
        {"what a way that was not walked again relies on",
         "mov r0, 0\njlt r2, 16, +51\nldxb r5, [r1]\n" FAR
         "jeq r5, 1, +3\njeq r5, 2, +4\nmov r4, 1\nja +24\nmov r4, 200\nja +12\nmov r4, 1\n" FAR "ja +0\n" FAR FAR
         "add r1, r4\nldxb r0, [r1]\nexit\n",
         MEMORY, REJECT(PACKET_BOUNDS)},
        {"a caller's number",
         "mov r0, 0\njlt r2, 16, +21\nldxb r5, [r1]\nmov r7, r1\nstdw [r10-8], 0\nmov r6, 200\njeq r5, 1, +1\n"
         "mov r6, 1\nmov r1, r10\nadd r1, -8\n" FAR "call local +3\nadd r7, r6\nldxb r0, [r7]\nexit\n" FAR
         "stdw [r1], 1\nmov r0, 0\nexit\n",
         MEMORY, REJECT(PACKET_BOUNDS)},
        {"as much less than another number, and by another constant",
         "mov r0, 0\njlt r2, 16, +19\nldxdw r3, [r1]\nldxb r5, [r1+8]\nmov r4, r3\njeq r5, 7, +11\n" FAR
         "ja +1\nsub r4, 60\njgt r4, 15, +2\nadd r1, r3\nldxb r0, [r1]\nexit\n",
         MEMORY, REJECT(PACKET_BOUNDS)},
        {"an index that may be the length",
         "mov r0, 0\njlt r2, 1, +4\nldxb r3, [r1]\njgt r3, r2, +2\nadd r1, r3\nldxb r0, [r1]\nexit\n", MEMORY,
         REJECT(PACKET_BOUNDS)},
        {"a number taken from a pointer",
         "mov r0, 0\njlt r2, 1, +6\nldxb r3, [r1]\nand r3, 15\nlddw r4, map_value[0]\nsub r4, r3\n"
         "ldxb r0, [r4]\nexit\n",
         MEMORY, REJECT(OUT_OF_BOUNDS)},
        {"a number that was less than the length, and then grew",
         "mov r0, 0\njlt r2, 1, +5\nldxb r3, [r1]\njge r3, r2, +3\nadd r3, 5\nadd r1, r3\nldxb r0, [r1]\nexit\n",
         MEMORY, REJECT(PACKET_BOUNDS)},
        {"a slot that was written on one way only",
         "mov r0, 0\njlt r2, 8, +15\nldxb r3, [r1]\njeq r3, 7, +11\nstdw [r10-8], 5\n" FAR
         "mov r9, 0\nldxdw r0, [r10-8]\nexit\n",
         MEMORY, REJECT(UNINITIALISED)},
        {"a number that decides where to go on",
         "mov r0, 0\njlt r2, 8, +16\nldxb r3, [r1]\nmov r4, 200\njeq r3, 7, +11\nmov r4, 1\n" FAR
         "jgt r4, 15, +2\nmov r0, 0\nexit\nmov r0, r1\nexit\n",
         MEMORY, REJECT(POINTER_LEAK)},
        {"the second of two numbers of a sum",
         "mov r0, 0\njlt r2, 16, +18\nldxb r3, [r1]\nmov r6, 200\njeq r3, 7, +11\nmov r6, 1\n" FAR
         "mov r4, 0\nadd r4, r6\nadd r1, r4\nldxb r0, [r1]\nexit\n",
         MEMORY, REJECT(PACKET_BOUNDS)},
        {"a place before the packet compared with its end",
         "ldxw r2, [r1]\nldxw r3, [r1+4]\nmov r0, 0\nmov r4, r2\nadd r4, -8\njgt r4, r3, +1\nldxb r0, [r2+100]\nexit\n",
         XDP, REJECT(PACKET_BOUNDS)},
        {"another place of the packet compared with its end",
         "ldxw r2, [r1]\nldxw r3, [r1+4]\nldxw r5, [r1+12]\nand r5, 255\nmov r0, 0\nmov r4, r2\nadd r4, r5\nmov r5, r2\n"
         "add r5, 8\njgt r5, r3, +1\nldxb r0, [r4+7]\nexit\n",
         XDP, REJECT(PACKET_BOUNDS)},
};

static void test_each_is_rejected(void **unused)
{
	(void)unused;
	for (size_t i = 0; i < sizeof(samples) / sizeof(samples[0]); i++) {
		const struct picket_verify_options options = {.kind = samples[i].kind};
		struct picket_verdict *verdict = NULL;
		struct picket_error error;
		struct picket_insn *insns;
		size_t count;

		if (picket_assemble(samples[i].text, strlen(samples[i].text), &insns, &count, &error))
			fail_msg("%s: line %u: %s", samples[i].name, error.line, error.text);
		assert_int_equal(picket_verify_insns(insns, count, maps, 2, &options, &verdict), 0);
		if (verdict->category != samples[i].category)
			print_message("%s: %s at %u: %s\n", samples[i].name, picket_category_name(verdict->category),
			              verdict->insn, verdict->reason);
		assert_int_equal(verdict->category, samples[i].category);
		picket_verdict_free(verdict);
		free(insns);
	}
}

/* ---- what a verdict promises ---- */
static struct picket_verdict *accept(const char *text)
{
	const struct picket_verify_options options = {.kind = MEMORY};
	struct picket_verdict *verdict = NULL;
	struct picket_insn *insns;
	size_t count;

	assert_int_equal(picket_assemble(text, strlen(text), &insns, &count, NULL), 0);
	assert_int_equal(picket_verify_insns(insns, count, maps, 2, &options, &verdict), 0);
	free(insns);
	assert_true(verdict->accepted);
	return verdict;
}

/* The depth is that of the lowest byte that may be meant. */
static void test_stack_bytes(void **unused)
{
	struct picket_verdict *verdict = accept("mov r0, 0\njlt r2, 1, +4\nldxb r3, [r1]\nmov r4, r10\nadd r4, r3\n"
	                                        "stb [r4-512], 1\nexit\n");

	(void)unused;
	assert_int_equal(verdict->stack_bytes, 512);
	picket_verdict_free(verdict);
}

/* No run is longer: of a loop, and of one whose steps are of two sizes, of which the smaller counts. */
static void test_insn_bound(void **unused)
{
	struct picket_verdict *one = accept("mov r0, 0\nmov r3, 0\nadd r3, 1\njlt r3, 5000, -2\nexit\n");
	struct picket_verdict *two = accept("mov r0, 0\njlt r2, 1, +6\nldxb r4, [r1]\nmov r3, 0\njeq r4, 7, +1\n"
	                                    "add r3, 1\nadd r3, 1\njlt r3, 5000, -4\nexit\n");

	(void)unused;
	assert_true(one->insn_bound >= 3 + 2 * 5000);
	assert_true(two->insn_bound >= 5 + 3 * 5000);
	picket_verdict_free(one);
	picket_verdict_free(two);
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(test_each_is_rejected), cmocka_unit_test(test_stack_bytes),
	                                   cmocka_unit_test(test_insn_bound)};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
