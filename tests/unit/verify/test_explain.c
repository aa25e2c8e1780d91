/* SPDX-License-Identifier: Apache-2.0
 *
 * Explaining: expressions found in lines of C, values followed back to the input, and examples that go wrong when run.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include "verify/example_int.h"

/* ---- lines of C ---- */

static void check(struct str found, const char *expected)
{
	char text[128];

	snprintf(text, sizeof(text), STR_FMT, STR_ARG(found));
	assert_string_equal(text, expected);
}

/* column: of the first `at` in the line. */
static void check_access(const char *line, const char *at, const char *whole, const char *base, const char *index,
                         bool through)
{
	struct source_access a;
	const char *place = strstr(line, at);

	assert_non_null(place);
	if (!source_access(str_from(line), (unsigned)(place - line) + 1, &a))
		fail_msg("%s: nothing found at %s", line, at);
	check(a.whole, whole);
	check(a.base, base);
	check(a.index, index);
	assert_int_equal(a.through, through);
}

static void test_access(void **state)
{
	(void)state;
	check_access("\tif (ip->protocol == 17)", "protocol", "ip->protocol", "ip", "", true);
	check_access("\treturn a->b->c;", "c;", "a->b->c", "a->b", "", true);
	check_access("\treturn a->b.c;", "c;", "a->b.c", "a", "", true);
	check_access("\t*packets += 1;", "+=", "*packets", "packets", "", true);
	check_access("\t(*packets)++;", "++", "*packets", "packets", "", true);
	check_access("\tsizes[bucket]++;", "sizes", "sizes[bucket]", "sizes", "bucket", false);
	check_access("\tx = value->slots[i & 7];", "slots", "value->slots[i & 7]", "value->slots", "i & 7", false);
	check_access("\tevent->length = skb->len;", "= skb", "event->length", "event", "", true);
	check_access("\tif (*(__u32 *)data == 4)", "*(__u32", "*(__u32 *)data", "data", "", true);
	check_access("\treturn *word == 0;", "*word", "*word", "word", "", true);
	check_access("\treturn f(a, b)->c;", "c;", "f(a, b)->c", "f(a, b)", "", true);
	check_access("\treturn ((char *)path)[n - 1];", "((char", "((char *)path)[n - 1]", "((char *)path)", "n - 1",
	             false);
	check_access("\tx = y; /* a->b */", "y", "y", "y", "", false);
}

static void test_access_not_found(void **state)
{
	struct source_access a;

	(void)state;
	assert_false(source_access(STR(""), 1, &a));
	assert_false(source_access(STR("x"), 0, &a));
	assert_false(source_access(STR("x"), 40, &a));
	assert_false(source_access(STR(")]"), 1, &a));
	assert_false(source_access(STR("]) = 1"), 4, &a));
	assert_false(source_access(STR("= ="), 1, &a));
	assert_false(source_access(STR("*"), 1, &a));
	assert_false(source_access(STR("x * 3"), 3, &a));
	assert_false(source_access(STR("\"a\\"), 1, &a));
}

static void test_argument(void **state)
{
	const struct str line = STR("\tx = bpf_lookup(&map, f(a, b), key[1, 2]);");
	struct str argument;

	(void)state;
	assert_true(source_argument(line, "bpf_lookup", 0, &argument));
	check(argument, "&map");
	assert_true(source_argument(line, "bpf_lookup", 1, &argument));
	check(argument, "f(a, b)");
	assert_true(source_argument(line, "bpf_lookup", 2, &argument));
	check(argument, "key[1, 2]");
	assert_false(source_argument(line, "bpf_lookup", 3, &argument));
	assert_false(source_argument(line, "lookup", 0, &argument));
	assert_false(source_argument(STR("f()"), "f", 0, &argument));
	assert_false(source_argument(STR("f(a,"), "f", 0, &argument));
}

static void test_assigned(void **state)
{
	struct str name;

	(void)state;
	assert_true(source_assigned(STR("struct iphdr *ip = data + 14;"), 0, &name));
	check(name, "ip");
	assert_true(source_assigned(STR("a->b[2] = c;"), 0, &name));
	check(name, "a->b[2]");
	assert_true(source_assigned(STR("while ((i = next(&it)))"), 0, &name));
	check(name, "i");
	assert_true(source_assigned(STR("void *a = c->data, *b = c->data_end;"), 28, &name));
	check(name, "b");
	assert_false(source_assigned(STR("void *a = c->data;"), 5, &name));
	assert_false(source_assigned(STR("if (a == b)"), 0, &name));
	assert_false(source_assigned(STR("register long f asm(\"r2\") = g;"), 0, &name));
}

/* ---- values as functions of the input ---- */

static void step(struct symbol *s, enum symbol_op op, enum scalar_op scalar, bool wide, uint64_t by)
{
	symbol_step(s, (struct symbol_step){(uint8_t)op, (uint8_t)scalar, wide, by});
}

static void test_symbol(void **state)
{
	struct symbol s = {.source = SYMBOL_CELL, .bytes = 2};
	uint64_t input;

	(void)state;
	step(&s, STEP_SWAP, 0, true, 16);
	step(&s, STEP_SCALAR, SCALAR_AND, true, 0xfff);
	step(&s, STEP_SCALAR, SCALAR_LSH, true, 2);
	step(&s, STEP_SCALAR, SCALAR_ADD, true, 100);
	assert_int_equal(symbol_value(&s, 0x3412), 100 + 0x234 * 4);
	assert_true(symbol_invert(&s, 0x3412, 100 + 8, &input));
	assert_int_equal(input, 0x0210); /* what is masked off stays */
	assert_false(symbol_invert(&s, 0, 101, &input));
	assert_false(symbol_invert(&s, 0, 100 + 0x1000 * 4, &input));
}

/* What the inverse gives is always right, whatever the steps. */
static void test_symbol_inverse(void **state)
{
	static const uint64_t numbers[] = {0, 1, 5, 31, 255, 0x8000, 0xffffffff, 0x100000000, UINT64_MAX};
	uint64_t input;

	(void)state;
	for (int op = SCALAR_ADD; op <= SCALAR_MOV; op++)
		for (size_t by = 0; by < ARRAY_SIZE(numbers); by++)
			for (size_t wanted = 0; wanted < ARRAY_SIZE(numbers); wanted++) {
				struct symbol s = {.source = SYMBOL_CELL, .bytes = 8};
				step(&s, STEP_SCALAR, (enum scalar_op)op, by % 2, numbers[by]);
				if (symbol_invert(&s, 77, numbers[wanted], &input))
					assert_int_equal(symbol_value(&s, input), numbers[wanted]);
			}
}

/* ---- examples ---- */

static const struct picket_map_spec maps[] = {
        {.name = "hash", .type = 1, .key_size = 4, .value_size = 8, .max_entries = 4},
        {.name = "array", .type = 2, .key_size = 4, .value_size = 64, .max_entries = 1},
};

static struct picket_verdict *verify(const char *text, enum picket_kind kind)
{
	const struct picket_verify_options options = {.kind = kind, .example = true};
	struct picket_verdict *v = NULL;
	struct picket_error error;
	struct picket_insn *insns;
	size_t count;

	if (picket_assemble(text, strlen(text), &insns, &count, &error))
		fail_msg("%s", error.text);
	assert_int_equal(picket_verify_insns(insns, count, maps, 2, &options, &v), 0);
	free(insns);
	assert_false(v->accepted);
	assert_string_not_equal(v->reason, "");
	return v;
}

static void check_example(const char *text, enum picket_kind kind, const char *example, const char *bytes,
                          size_t length)
{
	struct picket_verdict *v = verify(text, kind);

	assert_string_equal(v->example_text, example);
	assert_int_equal(v->example_length, length);
	if (length)
		assert_memory_equal(v->example, bytes, length);
	picket_verdict_free(v);
}

static void test_example_memory(void **state)
{
	(void)state;
	check_example("ldxb r0, [r1+3]\nexit\n", PICKET_KIND_MEMORY, "memory of 0 bytes", "", 0);
	/* the 4 bytes that are compared hold what the branch asks for */
	check_example("mov r0, 0\njlt r2, 4, +4\nldxw r3, [r1]\nsub r3, 1000\njne r3, 234, +1\nldxb r0, [r1+9]\nexit\n",
	              PICKET_KIND_MEMORY, "memory of 4 bytes", "\xd2\x04\0", 4);
	/* two bytes make the number */
	check_example(
	        "mov r0, 0\njlt r2, 2, +6\nldxb r3, [r1]\nldxb r4, [r1+1]\nlsh r3, 8\nor r3, r4\njne r3, 0x1234, +1\n"
	        "ldxb r0, [r1+2]\nexit\n",
	        PICKET_KIND_MEMORY, "memory of 2 bytes", "\x12\x34", 2);
	/* an index that nothing bounds */
	check_example("mov r0, 0\njlt r2, 1, +4\nldxb r3, [r1]\nand r3, 15\nadd r1, r3\nldxb r0, [r1]\nexit\n",
	              PICKET_KIND_MEMORY, "memory of 1 byte", "\x01", 1);
}

static void test_example_packet(void **state)
{
	(void)state;
	check_example("ldxw r2, [r1]\nldxw r3, [r1+4]\nmov r4, r2\nadd r4, 30\nmov r0, 2\njgt r4, r3, +1\n"
	              "ldxw r5, [r2+28]\nexit\n",
	              PICKET_KIND_XDP, "a packet of 30 bytes",
	              "\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0", 30);
}

static void test_example_maps(void **state)
{
	static const char lookup[] =
	        "stw [r10-4], 7\nlddw r1, map[%d]\nmov r2, r10\nadd r2, -4\ncall map_lookup_elem\n%s";
	char text[512];

	(void)state;
	snprintf(text, sizeof(text), lookup, 0, "ldxdw r0, [r0]\nexit\n");
	check_example(text, PICKET_KIND_SOCKET_FILTER, "no such element in map `hash`", NULL, 0);
	snprintf(text, sizeof(text), lookup, 0, "jeq r0, 0, +2\nmov r0, 9\nexit\nmov r0, 1\nexit\n");
	check_example(text, PICKET_KIND_CGROUP_SOCK, "an element in map `hash`, all zeros: it returns 9", NULL, 0);
}

static void test_example_results(void **state)
{
	(void)state;
	check_example("call get_prandom_u32\njne r0, 77, +2\nmov r0, 9\nexit\nmov r0, 1\nexit\n",
	              PICKET_KIND_CGROUP_SOCK, "bpf_get_prandom_u32() returning 77: it returns 9", NULL, 0);
	check_example("mov r0, 0\nadd r0, 0\njlt r2, 5, -2\nexit\n", PICKET_KIND_MEMORY,
	              "memory of 0 bytes: after more than 1000000 instructions it still runs", "", 0);
}

/* What only the verifier cannot see through does not go wrong: nothing is made up. */
static void test_no_example(void **state)
{
	struct picket_verdict *v =
	        verify("mov r0, 0\njlt r2, 8, +6\nldxdw r3, [r1]\nmov r4, r3\nmul r4, r3\nand r4, 2\n"
	               "add r1, r4\nldxdw r0, [r1]\nexit\n",
	               PICKET_KIND_MEMORY);

	(void)state;
	assert_int_equal(v->category, PICKET_REJECT_PACKET_BOUNDS);
	if (v->example_text[0]) /* squares have no such bit */
		fail_msg("%s", v->example_text);
	picket_verdict_free(v);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(test_access),         cmocka_unit_test(test_access_not_found),
	        cmocka_unit_test(test_argument),       cmocka_unit_test(test_assigned),
	        cmocka_unit_test(test_symbol),         cmocka_unit_test(test_symbol_inverse),
	        cmocka_unit_test(test_example_memory), cmocka_unit_test(test_example_packet),
	        cmocka_unit_test(test_example_maps),   cmocka_unit_test(test_example_results),
	        cmocka_unit_test(test_no_example),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
