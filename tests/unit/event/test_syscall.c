/* SPDX-License-Identifier: Apache-2.0
 *
 * schema/syscall.def against the C library's headers, read as text: one program cannot include all of them.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>

#include "base/file.h"
#include "event/event.h"

#define NUMBER_MAX 1024
#define HEADER_BYTES_MAX (1024 * 1024)

static const struct row {
	const char *event;
	int x86_64, i386, arm64, arm;
} rows[] = {
#define SYSCALL(event, x86_64, i386, arm64, arm) {#event, x86_64, i386, arm64, arm},
#include "schema/syscall.def"
};

/* Calls whose event has another name. */
static const struct alias {
	const char *call, *event;
} aliases[] = {
        {"prlimit64", "prlimit"},
        {"mmap2", "mmap"},
        {"truncate64", "truncate"},
        {"ftruncate64", "ftruncate"},
        {"recvmmsg_time64", "recvmmsg"},
        {"clock_settime64", "clock_settime"},
        {"chown32", "chown"},
        {"lchown32", "lchown"},
        {"fchown32", "fchown"},
        {"setuid32", "setuid"},
        {"setgid32", "setgid"},
        {"setreuid32", "setreuid"},
        {"setregid32", "setregid"},
        {"setresuid32", "setresuid"},
        {"setresgid32", "setresgid"},
        {"setfsuid32", "setfsuid"},
        {"setfsgid32", "setfsgid"},
        {"setgroups32", "setgroups"},
};

static bool is_event_of_call(const char *event, const char *call)
{
	for (size_t i = 0; i < ARRAY_SIZE(aliases); i++)
		if (strcmp(aliases[i].call, call) == 0)
			return strcmp(aliases[i].event, event) == 0;
	return strcmp(event, call) == 0;
}

/* "#define __NR_name 12" or "__NR3264_name": the name and the number. */
static bool parse_define(struct str line, struct str *ret_name, int *ret_number)
{
	static const char *const prefixes[] = {"#define __NR_", "#define __NR3264_"};

	for (size_t i = 0; i < ARRAY_SIZE(prefixes); i++) {
		struct str name, rest;
		uint64_t n;

		if (!str_starts_with(line, str_from(prefixes[i])))
			continue;
		rest = str_make(line.data + strlen(prefixes[i]), line.length - strlen(prefixes[i]));
		if (!str_next(&rest, ' ', &name) || !rest.data || str_to_u64(str_trim(rest), &n) != 0)
			return false;
		*ret_name = name;
		*ret_number = (int)n;
		return n < NUMBER_MAX;
	}
	return false;
}

/* Names by number; the caller frees each. Returns how many, 0: no such header here. */
static size_t read_header(const char *path, char *names[NUMBER_MAX])
{
	struct buf text;
	struct str rest, line, name;
	size_t count = 0;
	int number;

	buf_init(&text, HEADER_BYTES_MAX);
	if (file_read(path, &text) != 0) {
		buf_done(&text);
		return 0;
	}
	rest = buf_str(&text);
	while (str_next(&rest, '\n', &line)) {
		for (size_t i = 0; i < line.length; i++)
			if (line.data[i] == '\t')
				((char *)line.data)[i] = ' ';
		if (!parse_define(line, &name, &number) || str_equals(name, "syscalls"))
			continue;
		free(names[number]);
		names[number] = strndup(name.data, name.length);
		count++;
	}
	buf_done(&text);
	return count;
}

/* i386's first mmap, on purpose (see syscall.def); and what the generic header has for machines of 32 bits only. */
static bool is_left_out(size_t column, int number)
{
	if (column == offsetof(struct row, arm64))
		return number >= 403 && number <= 423;
	return column == offsetof(struct row, i386) && number == 90;
}

static void check_machine(const char *path, size_t column)
{
	char *names[NUMBER_MAX] = {NULL};
	size_t known = read_header(path, names);
	int highest = 0;

	if (known == 0)
		skip();
	for (int n = 0; n < NUMBER_MAX; n++)
		if (names[n])
			highest = n;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		int number = *(const int *)((const char *)&rows[i] + column);

		if (number < 0 || number > highest) /* newer than the header: not known here */
			continue;
		if (strcmp(rows[i].event, "umount") == 0 && names[number] && strcmp(names[number], "umount") == 0)
			continue;
		if (!names[number] || !is_event_of_call(rows[i].event, names[number]))
			fail_msg("%s: %d is %s, not %s", path, number, names[number] ? names[number] : "nothing",
			         rows[i].event);
	}
	/* What the machine has, the table has. */
	for (int n = 0; n <= highest; n++) {
		bool found = !names[n] || is_left_out(column, n);

		for (size_t i = 0; i < ARRAY_SIZE(rows) && !found; i++)
			found = *(const int *)((const char *)&rows[i] + column) == n;
		if (!found && event_type_by_name(str_from(names[n])) != EVENT_NONE)
			fail_msg("%s: %s (%d) is missing", path, names[n], n);
		for (size_t i = 0; i < ARRAY_SIZE(aliases) && !found; i++)
			if (strcmp(aliases[i].call, names[n]) == 0)
				fail_msg("%s: %s (%d) is missing", path, names[n], n);
	}
	for (int n = 0; n < NUMBER_MAX; n++)
		free(names[n]);
}

static void test_x86_64(void **state)
{
	(void)state;
	check_machine("/usr/include/x86_64-linux-gnu/asm/unistd_64.h", offsetof(struct row, x86_64));
}

static void test_i386(void **state)
{
	(void)state;
	check_machine("/usr/include/x86_64-linux-gnu/asm/unistd_32.h", offsetof(struct row, i386));
}

static void test_arm64(void **state)
{
	(void)state;
	check_machine("/usr/include/asm-generic/unistd.h", offsetof(struct row, arm64));
}

static void test_no_number_twice(void **state)
{
	static const size_t columns[] = {offsetof(struct row, x86_64), offsetof(struct row, i386),
	                                 offsetof(struct row, arm64), offsetof(struct row, arm)};

	(void)state;
	for (size_t c = 0; c < ARRAY_SIZE(columns); c++)
		for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
			for (size_t j = i + 1; j < ARRAY_SIZE(rows); j++) {
				int a = *(const int *)((const char *)&rows[i] + columns[c]);
				int b = *(const int *)((const char *)&rows[j] + columns[c]);

				if (a >= 0 && a == b)
					fail_msg("%s and %s: both %d", rows[i].event, rows[j].event, a);
			}
}

static void test_every_event(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
		assert_int_not_equal(event_type_by_name(str_from(rows[i].event)), EVENT_NONE);
	for (int type = 1; type < EVENT_TYPE_MAX; type++) {
		const struct event_info *info = event_type_info((enum event_type)type);
		bool found = false;

		if (!info->name || info->own || !info->observed)
			continue;
		for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
			found |= strcmp(rows[i].event, info->name) == 0;
		if (!found)
			fail_msg("%s has no row", info->name);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(test_x86_64),      cmocka_unit_test(test_i386),
	        cmocka_unit_test(test_arm64),       cmocka_unit_test(test_no_number_twice),
	        cmocka_unit_test(test_every_event),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
