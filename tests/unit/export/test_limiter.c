/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/clock.h"
#include "export/export.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>

#define START_NS (1000 * NS_PER_S)

static struct alert_limiter *limiter_new(struct alert_limit_options options)
{
	struct alert_limiter *l = NULL;
	assert_int_equal(alert_limiter_new(&options, &l), 0);
	return l;
}

static void limiter_free(struct alert_limiter **l)
{
	alert_limiter_free(*l);
}

/* Shown: how many were held back before it. Not shown: -1. */
static int64_t pass(struct alert_limiter *l, const char *rule, const char *output, uint64_t after_ns)
{
	struct alert a = {.rule = rule, .output = str_from(output), .real_ns = START_NS + after_ns, .held_back = 99};
	return alert_limiter_pass(l, &a) ? (int64_t)a.held_back : -1;
}

struct told {
	uint64_t a, b, others, calls;
};

static void tell(void *userdata, const char *rule, uint64_t held_back)
{
	struct told *told = userdata;
	uint64_t *count = strcmp(rule, "a") == 0 ? &told->a : strcmp(rule, "b") == 0 ? &told->b : &told->others;
	*count += held_back;
	told->calls++;
}

static struct told report(struct alert_limiter *l)
{
	struct told told = {0};
	alert_limiter_report(l, tell, &told);
	return told;
}

static void test_no_limits(void **state)
{
	(void)state;
	_cleanup_(limiter_free) struct alert_limiter *l = limiter_new((struct alert_limit_options){0});
	for (int i = 0; i < 1000; i++)
		assert_int_equal(pass(l, "a", "x", 0), 0);
	assert_int_equal(alert_limiter_held_back(l), 0);
	assert_int_equal(report(l).calls, 0);
}

static void test_rate(void **state)
{
	(void)state;
	_cleanup_(limiter_free) struct alert_limiter *l =
	        limiter_new((struct alert_limit_options){.per_second = 2, .burst = 3});
	for (int i = 0; i < 3; i++)
		assert_int_equal(pass(l, "a", "x", 0), 0);
	for (int i = 0; i < 5; i++)
		assert_int_equal(pass(l, "a", "x", 0), -1);
	assert_int_equal(pass(l, "b", "x", 0), 0); /* each rule has its own */
	assert_int_equal(pass(l, "a", "x", NS_PER_S / 2 - 1), -1);
	assert_int_equal(pass(l, "a", "y", NS_PER_S / 2 + 1), 6);
	assert_int_equal(pass(l, "a", "y", NS_PER_S / 2 + 1), -1);
	/* However long it is quiet, no more than the burst is saved. */
	assert_int_equal(pass(l, "a", "x", 100 * NS_PER_S), 1);
	assert_int_equal(pass(l, "a", "x", 100 * NS_PER_S), 0);
	assert_int_equal(pass(l, "a", "x", 100 * NS_PER_S), 0);
	assert_int_equal(pass(l, "a", "x", 100 * NS_PER_S), -1);
	assert_int_equal(alert_limiter_held_back(l), 8);
}

static void test_burst_default(void **state)
{
	(void)state;
	static const struct {
		double per_second;
		int burst;
	} cases[] = {{0.01, 1}, {2, 20}};
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		_cleanup_(limiter_free) struct alert_limiter *l =
		        limiter_new((struct alert_limit_options){.per_second = cases[i].per_second});
		int shown = 0;
		while (shown < 100 && pass(l, "a", "x", 0) >= 0)
			shown++;
		assert_int_equal(shown, cases[i].burst);
	}
}

static void test_clock_set_back(void **state)
{
	(void)state;
	_cleanup_(limiter_free) struct alert_limiter *l =
	        limiter_new((struct alert_limit_options){.per_second = 1, .burst = 1, .repeat_ns = 10 * NS_PER_S});
	assert_int_equal(pass(l, "a", "x", 500 * NS_PER_S), 0);
	assert_int_equal(pass(l, "a", "y", 100 * NS_PER_S), -1);
	assert_int_equal(pass(l, "a", "y", 101 * NS_PER_S + 1), 1); /* not only in 400 seconds */
	assert_int_equal(pass(l, "a", "x", 103 * NS_PER_S), 0);     /* the time of "x" is over, too */
	assert_int_equal(pass(l, "a", "x", 102 * NS_PER_S), -1);    /* a little out of order is a repeat */
}

static void test_repeats(void **state)
{
	(void)state;
	_cleanup_(limiter_free) struct alert_limiter *l =
	        limiter_new((struct alert_limit_options){.repeat_ns = NS_PER_S});
	assert_int_equal(pass(l, "a", "x", 0), 0);
	assert_int_equal(pass(l, "a", "x", 0), -1);
	assert_int_equal(pass(l, "a", "x", NS_PER_S - 1), -1);
	assert_int_equal(pass(l, "a", "y", 0), 0);
	assert_int_equal(pass(l, "b", "x", 0), 0);
	assert_int_equal(pass(l, "a", "x", NS_PER_S), 2);
	assert_int_equal(pass(l, "a", "x", NS_PER_S + 1), -1); /* the time began anew */
	assert_int_equal(pass(l, "a", "y", 2 * NS_PER_S), 0);
	assert_int_equal(pass(l, "a", "x", 2 * NS_PER_S), 1);
	/* Rule and output are not run together. */
	assert_int_equal(pass(l, "b", "cx", 0), 0);
	assert_int_equal(pass(l, "bc", "x", 0), 0);
}

static void test_repeats_take_no_tokens(void **state)
{
	(void)state;
	_cleanup_(limiter_free) struct alert_limiter *l =
	        limiter_new((struct alert_limit_options){.per_second = 1, .burst = 2, .repeat_ns = NS_PER_S});
	assert_int_equal(pass(l, "a", "x", 0), 0);
	for (int i = 0; i < 10; i++)
		assert_int_equal(pass(l, "a", "x", 0), -1);
	assert_int_equal(pass(l, "a", "y", 0), 0);
	assert_int_equal(pass(l, "a", "z", 0), -1);
	/* What the rate held back was not shown, and so is no repeat later. */
	assert_int_equal(pass(l, "a", "z", NS_PER_S), 1);
	assert_int_equal(pass(l, "a", "x", 2 * NS_PER_S), 10);
}

static void test_report(void **state)
{
	(void)state;
	_cleanup_(limiter_free) struct alert_limiter *l =
	        limiter_new((struct alert_limit_options){.per_second = 1, .burst = 1, .repeat_ns = 5 * NS_PER_S});
	assert_int_equal(pass(l, "a", "x", 0), 0);
	assert_int_equal(pass(l, "a", "x", 0), -1);
	assert_int_equal(pass(l, "a", "y", 0), -1);
	assert_int_equal(pass(l, "b", "x", 0), 0);
	assert_int_equal(pass(l, "b", "x", 0), -1);
	struct told told = report(l);
	assert_int_equal(told.a, 2);
	assert_int_equal(told.b, 1);
	assert_int_equal(told.calls, 2);
	assert_int_equal(report(l).calls, 0);
	assert_int_equal(pass(l, "a", "x", 1), -1);
	assert_int_equal(pass(l, "a", "x", 10 * NS_PER_S), 1); /* what was told of is not told of again */
	assert_int_equal(report(l).calls, 0);
	assert_int_equal(alert_limiter_held_back(l), 4);
}

static void test_memory(void **state)
{
	(void)state;
	_cleanup_(limiter_free) struct alert_limiter *l =
	        limiter_new((struct alert_limit_options){.repeat_ns = NS_PER_S, .memory = 2});
	assert_int_equal(pass(l, "a", "x", 0), 0);
	assert_int_equal(pass(l, "a", "y", 0), 0);
	assert_int_equal(pass(l, "a", "x", 0), -1); /* now "y" is the one not seen for longest */
	assert_int_equal(pass(l, "a", "y", 0), -1);
	assert_int_equal(pass(l, "a", "x", 0), -1);
	assert_int_equal(pass(l, "a", "z", 0), 0); /* "y" is forgotten; its count stays with the rule */
	assert_int_equal(pass(l, "a", "x", 0), -1);
	assert_int_equal(pass(l, "a", "y", 0), 1);
	assert_int_equal(report(l).a, 3);
}

/* Shown, told of before one that was shown, and told of by a report: together all, each once. */
static void test_counts_are_exact(void **state)
{
	(void)state;
	enum { ALERTS = 50000 };
	_cleanup_(limiter_free) struct alert_limiter *l = limiter_new(
	        (struct alert_limit_options){.per_second = 20, .burst = 5, .repeat_ns = NS_PER_S / 10, .memory = 16});
	uint64_t shown = 0, told_before = 0, reported = 0, now = 0;
	unsigned random = 3;
	for (int i = 0; i < ALERTS; i++) {
		char output[16];
		random = random * 1664525u + 1013904223u;
		snprintf(output, sizeof(output), "%u", (random >> 8) % 40);
		now += (random >> 8) % (4 * NS_PER_MS);
		int64_t held_back = pass(l, random >> 31 ? "a" : "b", output, now);
		if (held_back >= 0) {
			shown++;
			told_before += (uint64_t)held_back;
		}
		if (i % 1000 == 0) {
			struct told told = report(l);
			reported += told.a + told.b;
		}
	}
	assert_int_equal(alert_limiter_held_back(l), ALERTS - shown);
	struct told told = report(l);
	reported += told.a + told.b;
	assert_int_equal(told_before + reported, ALERTS - shown);
	assert_true(shown > 100 && told_before > 100 && reported > 100);
}

static void test_many_rules(void **state)
{
	(void)state;
	_cleanup_(limiter_free) struct alert_limiter *l =
	        limiter_new((struct alert_limit_options){.per_second = 1, .burst = 1});
	char rule[24];
	int shown = 0;
	for (int i = 0; i < 32768 + 10; i++) {
		snprintf(rule, sizeof(rule), "rule %d", i);
		shown += pass(l, rule, "x", 0) >= 0;
	}
	assert_int_equal(shown, 32768 + 1); /* beyond the limit they share one */
	assert_int_equal(report(l).others, 9);
}

static void test_options(void **state)
{
	(void)state;
	struct alert_limiter *l = NULL;
	static const struct alert_limit_options wrong[] = {
	        {.per_second = -1}, {.per_second = NAN}, {.per_second = INFINITY}, {.memory = (1u << 24) + 1}};
	for (size_t i = 0; i < ARRAY_SIZE(wrong); i++)
		assert_int_equal(alert_limiter_new(&wrong[i], &l), -EINVAL);
	assert_null(l);
	alert_limiter_free(NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(test_no_limits),        cmocka_unit_test(test_rate),
	        cmocka_unit_test(test_burst_default),    cmocka_unit_test(test_clock_set_back),
	        cmocka_unit_test(test_repeats),          cmocka_unit_test(test_repeats_take_no_tokens),
	        cmocka_unit_test(test_report),           cmocka_unit_test(test_memory),
	        cmocka_unit_test(test_counts_are_exact), cmocka_unit_test(test_many_rules),
	        cmocka_unit_test(test_options),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
