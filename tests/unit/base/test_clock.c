/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/clock.h"

#include <errno.h>
#include <stdlib.h>
#include <time.h>

static void assert_printed(void (*add)(struct buf *, uint64_t), uint64_t real_ns, const char *expected)
{
	_cleanup_(buf_done) struct buf out;
	buf_init(&out, 100);
	add(&out, real_ns);
	assert_string_equal(out.data, expected);
}

static void add_time_ns(struct buf *out, uint64_t real_ns)
{
	clock_add_local_time(out, real_ns, true);
}

static void add_time(struct buf *out, uint64_t real_ns)
{
	clock_add_local_time(out, real_ns, false);
}

static void add_datetime_ns(struct buf *out, uint64_t real_ns)
{
	clock_add_local_datetime(out, real_ns, true);
}

static void add_datetime(struct buf *out, uint64_t real_ns)
{
	clock_add_local_datetime(out, real_ns, false);
}

static void test_print(void **state)
{
	(void)state;
	uint64_t t = 1795305378629547940u;
	setenv("TZ", "XYZ-5:30", 1);
	tzset();
	assert_printed(clock_add_iso8601, t, "2026-11-21T23:56:18.629547940Z");
	assert_printed(clock_add_offset, t, "2026-11-21T23:56:18.629547940+0000");
	assert_printed(add_time_ns, t, "05:26:18.629547940");
	assert_printed(add_time, t, "05:26:18");
	assert_printed(add_datetime_ns, t, "2026-11-22 05:26:18.629547940");
	assert_printed(add_datetime, t, "2026-11-22 05:26:18");
	assert_printed(clock_add_iso8601, 0, "1970-01-01T00:00:00.000000000Z");
	assert_printed(clock_add_iso8601, 1, "1970-01-01T00:00:00.000000001Z");
	assert_printed(clock_add_iso8601, UINT64_MAX, "2554-07-21T23:34:33.709551615Z");
}

static void assert_duration(struct str text, int error, uint64_t expected)
{
	uint64_t ns = 77;
	assert_int_equal(clock_parse_duration(text, &ns), error);
	assert_int_equal(ns, error ? 77 : expected);
}

static void test_duration(void **state)
{
	(void)state;
	assert_duration(STR("500ms"), 0, 500 * NS_PER_MS);
	assert_duration(STR("30s"), 0, 30 * NS_PER_S);
	assert_duration(STR("5m"), 0, 300 * NS_PER_S);
	assert_duration(STR("2h"), 0, 7200 * NS_PER_S);
	assert_duration(STR("1d"), 0, 86400 * NS_PER_S);
	assert_duration(STR("7"), 0, 7 * NS_PER_S);
	assert_duration(STR("0"), 0, 0);
	assert_duration(STR("18446744073s"), 0, 18446744073 * NS_PER_S);
	assert_duration(STR("18446744074s"), -ERANGE, 0);
	assert_duration(STR("213504d"), -ERANGE, 0);
	assert_duration(STR("99999999999999999999ms"), -ERANGE, 0);
	assert_duration(STR("99999999999999999999x"), -EINVAL, 0);
	assert_duration(STR(""), -EINVAL, 0);
	assert_duration(STR("s"), -EINVAL, 0);
	assert_duration(STR("0x1d"), -EINVAL, 0);
	assert_duration(STR("-1s"), -EINVAL, 0);
	assert_duration(STR("1 s"), -EINVAL, 0);
	assert_duration(STR("1S"), -EINVAL, 0);
	assert_duration(STR("1s\0"), -EINVAL, 0);
	assert_duration(STR("1h30m"), -EINVAL, 0);
}

static void test_clocks(void **state)
{
	(void)state;
	uint64_t boot = clock_boot_ns(), monotonic = clock_monotonic_ns();
	assert_true(boot > 0 && clock_boot_ns() >= boot && clock_monotonic_ns() >= monotonic);
	uint64_t real = clock_real_ns(), sum = clock_boot_ns() + clock_boot_offset_ns();
	int64_t difference = (int64_t)(sum - real);
	assert_true(llabs(difference) < (int64_t)NS_PER_S);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(test_print),
	        cmocka_unit_test(test_duration),
	        cmocka_unit_test(test_clocks),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
