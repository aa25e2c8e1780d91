/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <cmocka.h>

#include <errno.h>

#include "cli/vm_case.h"

static void test_whole_case(void **state)
{
	static const char text[] = "# what it is\n"
	                           "\n"
	                           "-- c\n"
	                           "int f(void) { return 1; }\n"
	                           "-- asm\n"
	                           "mov %r0, 1 # one\n"
	                           "exit\n"
	                           "-- raw\n"
	                           "b7 00 00 00 01 00 00 00 # one\n"
	                           "0x95\n"
	                           "-- mem\n"
	                           "00 7f\tff\n"
	                           " 0x0102030405060708 0x1\n"
	                           "-- no register offset\n"
	                           "call instruction\n"
	                           "-- result\n"
	                           "0x1 # one\n";
	static const uint8_t memory[] = {0, 0x7f, 0xff, 8, 7, 6, 5, 4, 3, 2, 1, 1, 0, 0, 0, 0, 0, 0, 0};
	_cleanup_(vm_case_done) struct vm_case c = {0};
	struct picket_error error = {0};
	(void)state;
	assert_int_equal(vm_case_parse(str_from(text), &c, &error), 0);
	assert_int_equal(c.insn_count, 2);
	assert_int_equal(c.insns[0].code, 0xb7);
	assert_int_equal(c.insns[0].imm, 1);
	assert_int_equal(c.memory.length, sizeof(memory));
	assert_memory_equal(c.memory.data, memory, sizeof(memory));
	assert_true(c.has_result && !c.has_error);
	assert_int_equal(c.result, 1);
}

static void test_results_and_errors(void **state)
{
	static const struct {
		const char *text;
		bool has_result, has_error;
		uint64_t result;
		const char *error;
	} cases[] = {
	        {"-- asm\nexit\n-- result\n0xffffffffffffffff", true, false, UINT64_MAX, ""},
	        {"-- asm\nexit\n-- result\n\n  # of\n -1\n", true, false, UINT64_MAX, ""},
	        {"-- asm\nexit\n-- result\n10", true, false, 10, ""},
	        {"-- asm\nexit\n-- error\n", false, true, 0, ""},
	        {"-- asm\nexit\n-- error\nout-of-bounds read\n", false, true, 0, "out-of-bounds read"},
	        {"-- asm\nexit\n", false, false, 0, ""},
	};
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		_cleanup_(vm_case_done) struct vm_case c = {0};
		struct picket_error error = {0};
		assert_int_equal(vm_case_parse(str_from(cases[i].text), &c, &error), 0);
		assert_int_equal(c.insn_count, 1);
		assert_int_equal(c.has_result, cases[i].has_result);
		assert_int_equal(c.has_error, cases[i].has_error);
		assert_true(c.result == cases[i].result);
		assert_string_equal(c.error, cases[i].error);
	}
}

/* What the assembler refuses is for the case to judge, with the place in the file. */
static void test_refused_by_assembler(void **state)
{
	_cleanup_(vm_case_done) struct vm_case c = {0};
	struct picket_error error = {0};
	(void)state;
	assert_int_equal(vm_case_parse(STR("# x\n-- asm\nexit\n ldxq\n-- error\nldxq\n"), &c, &error), 0);
	assert_null(c.insns);
	assert_int_equal(c.refused.line, 4);
	assert_int_equal(c.refused.column, 2);
	assert_string_equal(c.refused.text, "there is no instruction \"ldxq\"");
}

static void test_broken_cases(void **state)
{
	static const struct {
		const char *text;
		unsigned line;
		const char *error;
	} cases[] = {
	        {"", 0, "there is no program: \"-- asm\" or \"-- raw\""},
	        {"-- result\n0", 0, "there is no program: \"-- asm\" or \"-- raw\""},
	        {"mov %r0, 1\n", 1, "expected a section such as \"-- asm\""},
	        {"# a\n-- asm\n-- Unknown directive\n", 3, "there is no section \"-- Unknown directive\""},
	        {"-- asm\nexit\n-- asm\nexit\n", 3, "the section \"-- asm\" is there twice"},
	        {"-- raw\n95 0\n", 2, "expected bytes such as \"0a ff\" or words such as 0x95, not \"0\""},
	        {"-- raw\n\n0x12345678901234567\n", 3,
	         "expected bytes such as \"0a ff\" or words such as 0x95, not \"0x12345678901234567\""},
	        {"-- raw\nxy\n", 2, "expected bytes such as \"0a ff\" or words such as 0x95, not \"xy\""},
	        {"-- raw\n95 00\n", 1, "2 bytes are no whole instructions"},
	        {"-- raw\n", 1, "0 bytes are no whole instructions"},
	        {"-- asm\nexit\n-- raw\n95 00 00 00 00 00 00 01\n", 3,
	         "\"-- raw\" is not what \"-- asm\" gives: instruction 0"},
	        {"-- asm\nexit\n-- raw\n0x95 0x95\n", 3, "\"-- raw\" is not what \"-- asm\" gives: instruction 1"},
	        {"-- asm\nexit\n-- result\nseven\n", 3, "expected a number, not \"seven\""},
	        {"-- asm\nexit\n-- result\n", 3, "expected a number, not \"\""},
	        {"-- asm\nexit\n-- error\none\ntwo\n", 3, "an error is one line of at most 127 bytes"},
	};
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct vm_case c = {0};
		struct picket_error error = {0};
		assert_int_equal(vm_case_parse(str_from(cases[i].text), &c, &error), -EINVAL);
		assert_null(c.insns);
		assert_string_equal(error.text, cases[i].error);
		assert_int_equal(error.line, cases[i].line);
		assert_int_equal(vm_case_parse(str_from(cases[i].text), &c, NULL), -EINVAL);
	}
}

static void test_bytecode_in_files(void **state)
{
	static const uint8_t bytes[] = {0x7b, 0xa1, 0xfe, 0xff, 0x78, 0x56, 0x34, 0xf2};
	struct picket_insn *insns = NULL;
	size_t count = 0;
	struct buf out;
	(void)state;
	buf_init(&out, 64);
	assert_int_equal(vm_insns_from_bytes(str_make((const char *)bytes, 8), &insns, &count), 0);
	assert_int_equal(count, 1);
	assert_int_equal(insns->code, 0x7b);
	assert_int_equal(insns->dst, 1);
	assert_int_equal(insns->src, 10);
	assert_int_equal(insns->offset, -2);
	assert_int_equal(insns->imm, (int32_t)0xf2345678);
	vm_insns_to_bytes(insns, count, &out);
	assert_int_equal(out.length, 8);
	assert_memory_equal(out.data, bytes, 8);
	free(insns);
	insns = NULL;
	assert_int_equal(vm_insns_from_bytes(str_make((const char *)bytes, 7), &insns, &count), -EINVAL);
	assert_int_equal(vm_insns_from_bytes(str_make(NULL, 0), &insns, &count), -EINVAL);
	assert_null(insns);
	buf_done(&out);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(test_whole_case),           cmocka_unit_test(test_results_and_errors),
	        cmocka_unit_test(test_refused_by_assembler), cmocka_unit_test(test_broken_cases),
	        cmocka_unit_test(test_bytecode_in_files),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
