/* SPDX-License-Identifier: Apache-2.0
 *
 * As much of cmocka as the sandbox's unit tests use, so that they run where no cmocka is installed: cross-compiled.
 */
#ifndef PICKET_TESTS_ARM64_CMOCKA_H
#define PICKET_TESTS_ARM64_CMOCKA_H

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct CMUnitTest {
	const char *name;
	void (*test)(void **state);
	int (*setup)(void **state), (*teardown)(void **state);
	void *initial_state;
};

enum { CMOCKA_FAILED = 1, CMOCKA_SKIPPED };
static jmp_buf cmocka_out;

#define cmocka_unit_test(test) \
	{ \
#test, test, NULL, NULL, NULL \
	}
#define cmocka_unit_test_setup_teardown(test, setup, teardown) \
	{ \
#test, test, setup, teardown, NULL \
	}
#define cmocka_unit_test_prestate(test, state) \
	{ \
#test, test, NULL, NULL, state \
	}

static inline void __attribute__((noreturn, format(printf, 3, 4)))
cmocka_fail(const char *file, int line, const char *format, ...)
{
	va_list args;

	printf("# %s:%d: ", file, line);
	va_start(args, format);
	vprintf(format, args);
	va_end(args);
	printf("\n");
	longjmp(cmocka_out, CMOCKA_FAILED);
}
#define cmocka_check(condition, ...) ((condition) ? (void)0 : cmocka_fail(__FILE__, __LINE__, __VA_ARGS__))
#define cmocka_number(value) ((unsigned long long)(uintptr_t)(value))
#define cmocka_compare(a, op, b) \
	cmocka_check(cmocka_number(a) op cmocka_number(b), "%s is 0x%llx, %s is 0x%llx", #a, cmocka_number(a), #b, \
	             cmocka_number(b))

#define fail_msg(...) cmocka_fail(__FILE__, __LINE__, __VA_ARGS__)
#define fail() fail_msg("failed")
#define skip() longjmp(cmocka_out, CMOCKA_SKIPPED)
#define assert_true(condition) cmocka_check(condition, "not true: %s", #condition)
#define assert_false(condition) cmocka_check(!(condition), "not false: %s", #condition)
#define assert_null(pointer) cmocka_check((pointer) == NULL, "not NULL: %s", #pointer)
#define assert_non_null(pointer) cmocka_check((pointer) != NULL, "NULL: %s", #pointer)
#define assert_int_equal(a, b) cmocka_compare(a, ==, b)
#define assert_int_not_equal(a, b) cmocka_compare(a, !=, b)
#define assert_ptr_equal(a, b) cmocka_compare(a, ==, b)
#define assert_ptr_not_equal(a, b) cmocka_compare(a, !=, b)
#define assert_in_range(value, low, high) \
	cmocka_check(cmocka_number(value) - cmocka_number(low) <= cmocka_number(high) - cmocka_number(low), \
	             "%s is 0x%llx", #value, cmocka_number(value))
#define assert_string_equal(a, b) \
	cmocka_check(strcmp(a, b) == 0, "\"%s\" is not \"%s\"", (const char *)(a), (const char *)(b))
#define assert_memory_equal(a, b, size) cmocka_check(memcmp(a, b, size) == 0, "%s and %s differ", #a, #b)
#define assert_memory_not_equal(a, b, size) cmocka_check(memcmp(a, b, size) != 0, "%s and %s are the same", #a, #b)

static inline int cmocka_run(const struct CMUnitTest *t)
{
	void *state = t->initial_state;
	int result = setjmp(cmocka_out);

	if (!result) {
		if (t->setup && t->setup(&state))
			longjmp(cmocka_out, CMOCKA_FAILED);
		t->test(&state);
		if (t->teardown && t->teardown(&state))
			longjmp(cmocka_out, CMOCKA_FAILED);
	}
	printf("%s - %s%s\n", result == CMOCKA_FAILED ? "not ok" : "ok", t->name,
	       result == CMOCKA_SKIPPED ? " # SKIP" : "");
	fflush(stdout);
	return result == CMOCKA_FAILED;
}

static inline int cmocka_run_all(const struct CMUnitTest *tests, size_t count)
{
	int failed = 0;

	for (size_t i = 0; i < count; i++)
		failed += cmocka_run(&tests[i]);
	return failed;
}
#define _cmocka_run_group_tests(name, tests, count, setup, teardown) cmocka_run_all(tests, count)
#define cmocka_run_group_tests(tests, setup, teardown) cmocka_run_all(tests, sizeof(tests) / sizeof((tests)[0]))
#define print_message(...) printf("# " __VA_ARGS__)

#endif
