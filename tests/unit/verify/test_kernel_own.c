/* SPDX-License-Identifier: Apache-2.0
 *
 * Helpers of the embedder, and the kind that is for rules.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include "picket/verify.h"

#define OWN(n) (PICKET_HELPER_OWN + (n))

static const struct picket_map_spec maps[] = {
        {.name = "array", .type = 2, .key_size = 4, .value_size = 64, .max_entries = 4},
};

static const struct picket_helper helpers[] = {
        {.id = OWN(0), .name = "get_number", .returns = PICKET_RETURN_NUMBER, .args = {PICKET_ARG_ANY}},
        {.id = OWN(1),
         .name = "get_text",
         .returns = PICKET_RETURN_NUMBER,
         .args = {PICKET_ARG_MEM_OUT, PICKET_ARG_SIZE}},
        {.id = OWN(2), .name = "get_memory", .returns = PICKET_RETURN_MEM_OR_NULL, .args = {PICKET_ARG_ALLOC_SIZE}},
        {.id = OWN(3), .name = "say", .returns = PICKET_RETURN_VOID, .args = {PICKET_ARG_MEM, PICKET_ARG_SIZE}},
        {.id = OWN(4), .name = "get_long", .returns = PICKET_RETURN_NUMBER, .args = {PICKET_ARG_LONG_OUT}},
        {.id = OWN(5),
         .name = "element",
         .returns = PICKET_RETURN_MAP_VALUE_OR_NULL,
         .args = {PICKET_ARG_MAP, PICKET_ARG_MAP_KEY}},
};

static const struct sample {
	const char *name, *text;
	enum picket_kind kind;
	enum picket_category category;
} samples[] = {
        {"a rule that does nothing", "mov r0, 0\nexit\n", PICKET_KIND_RULE, PICKET_ACCEPTED},
        {"a rule returns 0 only", "mov r0, 1\nexit\n", PICKET_KIND_RULE, PICKET_REJECT_RETURN_VALUE},
        {"a rule has nothing in r1", "mov r2, r1\nmov r0, 0\nexit\n", PICKET_KIND_RULE, PICKET_REJECT_UNINITIALISED},
        {"nor in r2", "mov r3, r2\nmov r0, 0\nexit\n", PICKET_KIND_RULE, PICKET_REJECT_UNINITIALISED},
        {"a rule calls its helpers", "mov r1, 7\ncall 65536\nmov r0, 0\nexit\n", PICKET_KIND_RULE, PICKET_ACCEPTED},
        {"so does the sandbox", "mov r1, 7\ncall 65536\nmov r0, 0\nexit\n", PICKET_KIND_MEMORY, PICKET_ACCEPTED},
        {"the kernel has no such", "mov r1, 7\ncall 65536\nmov r0, 0\nexit\n", PICKET_KIND_XDP, PICKET_REJECT_HELPER},
        {"a helper that nobody brought", "mov r1, 7\ncall 65599\nmov r0, 0\nexit\n", PICKET_KIND_RULE,
         PICKET_REJECT_HELPER},
        {"an argument unset", "call 65536\nmov r0, 0\nexit\n", PICKET_KIND_RULE, PICKET_REJECT_UNINITIALISED},
        {"a pointer as a number", "mov r1, r10\ncall 65536\nmov r0, 0\nexit\n", PICKET_KIND_RULE,
         PICKET_REJECT_POINTER_LEAK},
        {"memory to be written",
         "mov r1, r10\nadd r1, -16\nmov r2, 16\ncall 65537\nldxb r1, [r10-1]\nmov r0, 0\nexit\n", PICKET_KIND_RULE,
         PICKET_ACCEPTED},
        {"one byte more", "mov r1, r10\nadd r1, -16\nmov r2, 17\ncall 65537\nmov r0, 0\nexit\n", PICKET_KIND_RULE,
         PICKET_REJECT_STACK_BOUNDS},
        {"memory to be read, unset", "mov r1, r10\nadd r1, -16\nmov r2, 16\ncall 65539\nmov r0, 0\nexit\n",
         PICKET_KIND_RULE, PICKET_REJECT_UNINITIALISED},
        {"memory that comes back", "mov r1, 8\ncall 65538\njeq r0, 0, +1\nldxdw r1, [r0]\nmov r0, 0\nexit\n",
         PICKET_KIND_RULE, PICKET_ACCEPTED},
        {"memory that may be NULL", "mov r1, 8\ncall 65538\nldxdw r1, [r0]\nmov r0, 0\nexit\n", PICKET_KIND_RULE,
         PICKET_REJECT_NULL_POINTER},
        {"behind memory that comes back", "mov r1, 8\ncall 65538\njeq r0, 0, +1\nldxdw r1, [r0+1]\nmov r0, 0\nexit\n",
         PICKET_KIND_RULE, PICKET_REJECT_OUT_OF_BOUNDS},
        {"nothing comes back", "stdw [r10-8], 0\nmov r1, r10\nadd r1, -8\nmov r2, 8\ncall 65539\nexit\n",
         PICKET_KIND_MEMORY, PICKET_REJECT_UNINITIALISED},
        {"8 bytes", "mov r1, r10\nadd r1, -8\ncall 65540\nldxdw r1, [r10-8]\nmov r0, 0\nexit\n", PICKET_KIND_RULE,
         PICKET_ACCEPTED},
        {"7 bytes", "mov r1, r10\nadd r1, -7\ncall 65540\nmov r0, 0\nexit\n", PICKET_KIND_RULE,
         PICKET_REJECT_STACK_BOUNDS},
        {"a map's value",
         "stw [r10-4], 0\nlddw r1, map[0]\nmov r2, r10\nadd r2, -4\ncall 65541\njeq r0, 0, +1\nldxdw r1, [r0+56]\nmov r0, 0\nexit\n",
         PICKET_KIND_RULE, PICKET_ACCEPTED},
        {"a rule looks up",
         "stw [r10-4], 0\nlddw r1, map[0]\nmov r2, r10\nadd r2, -4\ncall map_lookup_elem\nmov r0, 0\nexit\n",
         PICKET_KIND_RULE, PICKET_ACCEPTED},
        {"a rule does not delete",
         "stw [r10-4], 0\nlddw r1, map[0]\nmov r2, r10\nadd r2, -4\ncall map_delete_elem\nmov r0, 0\nexit\n",
         PICKET_KIND_RULE, PICKET_REJECT_HELPER},
        {"a rule does not ask for the time", "call ktime_get_ns\nmov r0, 0\nexit\n", PICKET_KIND_RULE,
         PICKET_REJECT_HELPER},
};

static struct picket_verdict *verify(const struct sample *s, const struct picket_helper *given, size_t given_count)
{
	const struct picket_verify_options o = {.kind = s->kind, .helpers = given, .helper_count = given_count};
	struct picket_verdict *v = NULL;
	struct picket_error error;
	struct picket_insn *insns;
	size_t count;

	if (picket_assemble(s->text, strlen(s->text), &insns, &count, &error))
		fail_msg("%s: %s", s->name, error.text);
	assert_int_equal(picket_verify_insns(insns, count, maps, 1, &o, &v), 0);
	free(insns);
	return v;
}

static void test_samples(void **state)
{
	unsigned failures = 0;

	(void)state;
	for (size_t i = 0; i < sizeof(samples) / sizeof(samples[0]); i++) {
		struct picket_verdict *v = verify(&samples[i], helpers, sizeof(helpers) / sizeof(helpers[0]));

		if (v->category != samples[i].category) {
			print_error("%s: %s instead of %s: %s\n", samples[i].name, picket_category_name(v->category),
			            picket_category_name(samples[i].category), v->reason);
			failures++;
		}
		picket_verdict_free(v);
	}
	assert_int_equal(failures, 0);
}

/* What an embedder says of its helpers must be what can be. */
static void test_wrong_descriptions(void **state)
{
	static const struct picket_helper wrong[] = {
	        {.id = 7, .name = "not its own", .returns = PICKET_RETURN_NUMBER},
	        {.id = OWN(0), .name = "no size", .returns = PICKET_RETURN_NUMBER, .args = {PICKET_ARG_MEM}},
	        {.id = OWN(0), .name = "no map", .returns = PICKET_RETURN_NUMBER, .args = {PICKET_ARG_MAP_KEY}},
	        {.id = OWN(0), .name = "no map", .returns = PICKET_RETURN_MAP_VALUE_OR_NULL},
	        {.id = OWN(0), .name = "no return", .returns = (enum picket_return)77},
	        {.id = OWN(0), .name = "no argument", .returns = PICKET_RETURN_NUMBER, .args = {(enum picket_arg)77}},
	        {.id = OWN(0),
	         .name = "last",
	         .args = {PICKET_ARG_ANY, PICKET_ARG_ANY, PICKET_ARG_ANY, PICKET_ARG_ANY, PICKET_ARG_MEM}},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
		struct picket_verdict *v = verify(&samples[0], &wrong[i], 1);

		assert_int_equal(v->category, PICKET_REJECT_HELPER);
		assert_true(v->reason[0]);
		picket_verdict_free(v);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(test_samples),
	        cmocka_unit_test(test_wrong_descriptions),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
