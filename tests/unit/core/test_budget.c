/* SPDX-License-Identifier: Apache-2.0
 *
 * What is given up when too much CPU is used, and when it comes back.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "core/budget.h"
#include "event/event.h"

/* Puts so many ticks; returns how many changes there were. */
static unsigned put(struct budget *b, double percent, unsigned ticks)
{
	unsigned changes = 0;
	for (unsigned i = 0; i < ticks; i++)
		changes += budget_put(b, percent) != BUDGET_STAYS;
	return changes;
}

static void test_sheds_in_order(void **state)
{
	struct budget b;
	(void)state;
	budget_init(&b, 10, true);
	assert_int_equal(put(&b, 11, BUDGET_TICKS - 1), 0);
	assert_int_equal(budget_put(&b, 11), BUDGET_SHEDS);
	assert_int_equal(b.steps, 1);
	assert_int_equal(put(&b, 11, BUDGET_TICKS - 1), 0); /* looked at anew after each step */
	assert_int_equal(put(&b, 11, 1), 1);
	assert_int_equal(put(&b, 90, 100), BUDGET_STEPS - 2);
	assert_int_equal(b.steps, BUDGET_STEPS);
	assert_int_equal(b.shed, BUDGET_STEPS);
}

static void test_without_policies(void **state)
{
	struct budget b;
	(void)state;
	budget_init(&b, 10, false);
	put(&b, 90, 100);
	assert_int_equal(b.steps, BUDGET_POLICIES);
}

static void test_without_limit(void **state)
{
	struct budget b;
	(void)state;
	budget_init(&b, 0, true);
	assert_int_equal(put(&b, 400, 1000), 0);
	assert_true(b.average == 400);
}

static void test_peaks_do_not_count(void **state)
{
	struct budget b;
	(void)state;
	budget_init(&b, 10, true);
	for (unsigned i = 0; i < 100; i++)
		assert_int_equal(budget_put(&b, i % BUDGET_TICKS ? 1 : 40), BUDGET_STAYS);
}

static void test_restores(void **state)
{
	struct budget b;
	(void)state;
	budget_init(&b, 10, true);
	put(&b, 20, 2 * BUDGET_TICKS);
	assert_int_equal(b.steps, 2);
	assert_int_equal(put(&b, 8, 1000), 0); /* between half and whole: as it is */
	assert_int_equal(put(&b, 4, BUDGET_CALM_TICKS + BUDGET_TICKS), 1);
	assert_int_equal(b.steps, 1);
	assert_int_equal(put(&b, 4, BUDGET_CALM_TICKS), 1);
	assert_int_equal(b.steps, 0);
	assert_int_equal(put(&b, 4, 1000), 0);
}

/* What had to be given up again soon comes back later each time, but not without end. */
static void test_flapping(void **state)
{
	struct budget b;
	unsigned waits = 0, waited = 0;
	(void)state;
	budget_init(&b, 10, true);
	for (unsigned round = 0; round < 8; round++) {
		put(&b, 20, BUDGET_TICKS);
		assert_int_equal(b.steps, 1);
		for (waited = 0; b.steps; waited++)
			budget_put(&b, 1);
		assert_true(waited >= waits);
		waits = waited;
	}
	assert_int_equal(waits, BUDGET_CALM_TICKS_MAX);
	put(&b, 1, BUDGET_CALM_TICKS_MAX); /* long calm: forgotten */
	put(&b, 20, BUDGET_TICKS);
	for (waited = 0; b.steps; waited++)
		budget_put(&b, 1);
	assert_true(waited < BUDGET_CALM_TICKS + BUDGET_TICKS);
}

static void test_events(void **state)
{
	struct event_set before = {0}, now;
	(void)state;
	for (unsigned steps = 0; steps <= BUDGET_STEPS; steps++) {
		budget_events(steps, &now);
		for (size_t i = 0; i < ARRAY_SIZE(now.bits); i++) {
			assert_int_equal(before.bits[i] & ~now.bits[i], 0);
			if (i == 0 && steps > 0 && steps <= BUDGET_REST + 1)
				assert_memory_not_equal(&before, &now, sizeof(now));
		}
		before = now;
	}
	budget_events(0, &now);
	assert_false(event_set_has(&now, EVENT_openat));
	budget_events(BUDGET_OPENS + 1, &now);
	assert_true(event_set_has(&now, EVENT_openat));
	assert_false(event_set_has(&now, EVENT_connect));
	budget_events(BUDGET_STEPS, &now);
	for (unsigned type = 1; type < EVENT_TYPE_MAX; type++)
		if (event_type_info(type)->name)
			assert_int_equal(event_set_has(&now, type), !event_type_info(type)->state);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(test_sheds_in_order), cmocka_unit_test(test_without_policies),
	        cmocka_unit_test(test_without_limit),  cmocka_unit_test(test_peaks_do_not_count),
	        cmocka_unit_test(test_restores),       cmocka_unit_test(test_flapping),
	        cmocka_unit_test(test_events),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
