/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <cmocka.h>

#include "base/clock.h"
#include "core/probation.h"

#define BEGIN_NS (1000 * NS_PER_S)
#define MIB (1ull << 20)

/* A minute before, at 10% of a processor, with one event of a thousand lost. */
static const struct probation_sample before = {
        .time_ns = BEGIN_NS - 60 * NS_PER_S, .cpu_ns = 0, .memory_bytes = 40 * MIB, .events = 0, .lost = 0};
static const struct probation_sample begin = {.time_ns = BEGIN_NS,
                                              .cpu_ns = 6 * NS_PER_S,
                                              .memory_bytes = 50 * MIB,
                                              .events = 9990,
                                              .lost = 10,
                                              .alerts = 7,
                                              .breakers = 1};

static struct probation_sample after(uint64_t seconds)
{
	struct probation_sample s = begin;
	s.time_ns += seconds * NS_PER_S;
	return s;
}

/* Looks at one sample; told: what stands in the reason; NULL: nothing is wrong with it. */
static void look(double foretold, const struct probation_sample *sample, const char *told)
{
	_cleanup_(buf_done) struct buf reason;
	struct probation p;
	buf_init(&reason, 1024);
	probation_begin(&p, &begin, 600 * NS_PER_S, &before, foretold);
	enum probation_verdict verdict = probation_look(&p, sample, &reason);
	assert_int_equal(verdict, told ? PROBATION_FAILED : PROBATION_GOES_ON);
	assert_int_equal(p.on, told == NULL);
	if (told && !str_contains(buf_str(&reason), str_from(told)))
		fail_msg("%s, and expected was: %s", reason.data, told);
}

static void test_alerts(void **state)
{
	struct probation_sample s = after(60);
	(void)state;
	s.alerts += 20;
	look(0, &s, NULL);
	s.alerts++;
	look(0, &s, "21 alerts in 1.0 minutes, and 0.0 a minute were foretold");
	look(1, &s, NULL);
	look(-1, &s, NULL);
	s.alerts += 1000;
	look(10, &s, "alerts");
	look(-1, &s, NULL);
}

static void test_memory(void **state)
{
	struct probation_sample s = after(1);
	(void)state;
	s.memory_bytes = 104 * MIB;
	look(0, &s, NULL);
	s.memory_bytes = 105 * MIB;
	look(0, &s, "105 MiB of memory, and took 40 before");
}

/* Not in the first seconds: to take over costs by itself. */
static void test_processor(void **state)
{
	struct probation_sample s = after(9);
	(void)state;
	s.cpu_ns += 9 * NS_PER_S;
	look(0, &s, NULL);
	s = after(100);
	s.cpu_ns += 25 * NS_PER_S;
	look(0, &s, NULL);
	s.cpu_ns += 1 * NS_PER_S;
	look(0, &s, "26% of a processor, and took 10% before");
}

static void test_loss(void **state)
{
	struct probation_sample s = after(100);
	(void)state;
	s.events += 900;
	s.lost += 100;
	look(0, &s, NULL); /* so few are no reason */
	s.lost++;
	look(0, &s, "10.1% of events are lost, and 0.1% were before");
	s.events += 100000;
	look(0, &s, NULL);
}

static void test_breakers(void **state)
{
	struct probation_sample s = after(1);
	(void)state;
	s.breakers = 0;
	look(0, &s, NULL);
	s.breakers = 3;
	look(0, &s, "2 policies are over their budget");
}

static void test_passes(void **state)
{
	_cleanup_(buf_done) struct buf reason;
	struct probation p;
	struct probation_sample s = after(599);
	(void)state;
	buf_init(&reason, 1024);
	probation_begin(&p, &begin, 600 * NS_PER_S, NULL, -1);
	assert_int_equal(probation_look(&p, &s, &reason), PROBATION_GOES_ON);
	s = after(600);
	assert_int_equal(probation_look(&p, &s, &reason), PROBATION_PASSED);
	assert_false(p.on);
	assert_int_equal(reason.length, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(test_alerts), cmocka_unit_test(test_memory),   cmocka_unit_test(test_processor),
	        cmocka_unit_test(test_loss),   cmocka_unit_test(test_breakers), cmocka_unit_test(test_passes),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
