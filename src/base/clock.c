/* SPDX-License-Identifier: Apache-2.0 */
#include "base/clock.h"

#include <errno.h>
#include <time.h>

static uint64_t clock_read(clockid_t id)
{
	struct timespec t;
	clock_gettime(id, &t);
	return (uint64_t)t.tv_sec * NS_PER_S + (uint64_t)t.tv_nsec;
}

uint64_t clock_boot_ns(void)
{
	return clock_read(CLOCK_BOOTTIME);
}

uint64_t clock_monotonic_ns(void)
{
	return clock_read(CLOCK_MONOTONIC);
}

uint64_t clock_real_ns(void)
{
	return clock_read(CLOCK_REALTIME);
}

uint64_t clock_boot_offset_ns(void)
{
	uint64_t offset = 0, shortest = UINT64_MAX;
	/* Preemption between two readings makes an error of its length: the tightest of a few is taken. */
	for (int i = 0; i < 5; i++) {
		uint64_t before = clock_boot_ns(), real = clock_real_ns(), after = clock_boot_ns();
		if (after - before < shortest) {
			shortest = after - before;
			offset = real - (before + shortest / 2);
		}
	}
	return offset;
}

static void add_date(struct buf *out, const struct tm *tm)
{
	buf_printf(out, "%04d-%02d-%02d", tm->tm_year + 1900, tm->tm_mon + 1, tm->tm_mday);
}

static void add_time(struct buf *out, const struct tm *tm, uint64_t real_ns, bool with_ns)
{
	buf_printf(out, "%02d:%02d:%02d", tm->tm_hour, tm->tm_min, tm->tm_sec);
	if (with_ns)
		buf_printf(out, ".%09u", (unsigned)(real_ns % NS_PER_S));
}

static void add_utc(struct buf *out, uint64_t real_ns, const char *zone)
{
	time_t seconds = (time_t)(real_ns / NS_PER_S);
	struct tm tm = {0};
	gmtime_r(&seconds, &tm);
	add_date(out, &tm);
	buf_add_char(out, 'T');
	add_time(out, &tm, real_ns, true);
	buf_add_text(out, zone);
}

void clock_add_iso8601(struct buf *out, uint64_t real_ns)
{
	add_utc(out, real_ns, "Z");
}

void clock_add_offset(struct buf *out, uint64_t real_ns)
{
	add_utc(out, real_ns, "+0000");
}

static struct tm local_time(uint64_t real_ns)
{
	time_t seconds = (time_t)(real_ns / NS_PER_S);
	struct tm tm = {0};
	localtime_r(&seconds, &tm);
	return tm;
}

void clock_add_local_time(struct buf *out, uint64_t real_ns, bool with_ns)
{
	struct tm tm = local_time(real_ns);
	add_time(out, &tm, real_ns, with_ns);
}

void clock_add_local_datetime(struct buf *out, uint64_t real_ns, bool with_ns)
{
	struct tm tm = local_time(real_ns);
	add_date(out, &tm);
	buf_add_char(out, ' ');
	add_time(out, &tm, real_ns, with_ns);
}

int clock_parse_duration(struct str s, uint64_t *ret_ns)
{
	static const struct {
		const char *name;
		uint64_t ns;
	} units[] = {{"", NS_PER_S},       {"s", NS_PER_S},        {"ms", NS_PER_MS},
	             {"m", 60 * NS_PER_S}, {"h", 3600 * NS_PER_S}, {"d", 86400 * NS_PER_S}};
	size_t digits = 0;
	while (digits < s.length && s.data[digits] >= '0' && s.data[digits] <= '9')
		digits++;
	uint64_t number;
	int error = str_to_u64(str_make(s.data, digits), &number);
	if (error == -EINVAL)
		return error;
	struct str unit = str_make(s.data + digits, s.length - digits);
	for (size_t i = 0; i < ARRAY_SIZE(units); i++) {
		uint64_t ns;
		if (!str_equals(unit, units[i].name))
			continue;
		if (error || __builtin_mul_overflow(number, units[i].ns, &ns))
			return -ERANGE;
		*ret_ns = ns;
		return 0;
	}
	return -EINVAL;
}
