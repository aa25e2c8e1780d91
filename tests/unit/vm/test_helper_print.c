/* SPDX-License-Identifier: Apache-2.0 */
#include "helper_fixture.h"

/* The buffer: 12 arguments, then what is printed, then texts that arguments point to. */
#define OUT 128
#define OUT_SIZE 512
#define TEXTS 640

/* snprintf(out, size, format, arguments, bytes of them), with texts at buffer + 640 for the arguments that ask for it. */
static const char snprintf_text[] = "lddw %%r6, map_value[0]\n"
                                    "%s"
                                    "mov %%r1, %%r6\n"
                                    "add %%r1, 128\n"
                                    "mov %%r2, %u\n"
                                    "lddw %%r3, map_value[1]\n"
                                    "mov %%r4, %%r6\n"
                                    "mov %%r5, %zu\n"
                                    "call snprintf\n"
                                    "exit\n";

struct argument {
	uint64_t number;
	const char *text; /* its address is the argument */
};
#define N(n) \
	{ \
		(uint64_t)(n), NULL \
	}
#define T(s) \
	{ \
		0, s \
	}

/* Puts texts into the buffer, and lets the program store their addresses where the arguments are. */
static void set_arguments(struct fixture *f, const struct argument *arguments, size_t count, char *code, size_t size)
{
	size_t at = TEXTS, written = 0;

	for (size_t i = 0; i < count; i++) {
		const struct argument *a = &arguments[i];
		memcpy(f->buffer + 8 * i, &a->number, 8);
		if (!a->text)
			continue;
		written += (size_t)snprintf(code + written, size - written,
		                            "mov %%r1, %%r6\nadd %%r1, %zu\nstxdw [%%r6+%zu], %%r1\n", at, 8 * i);
		memcpy(f->buffer + at, a->text, strlen(a->text) + 1);
		at += strlen(a->text) + 1;
	}
	assert_true(at <= FIXTURE_BUFFER);
	assert_true(written < size);
}

static void clear_addresses(struct fixture *f, const struct argument *arguments, size_t count)
{
	for (size_t i = 0; i < count; i++)
		if (arguments[i].text)
			memset(f->buffer + 8 * i, 0, 8);
}

enum where { HERE, AND_THERE };
#define UNLIKE_KERNEL 0xa5

/* Prints into `size` bytes. text NULL: only the result counts. */
static void check_size(enum where where, uint32_t size, const char *format, const struct argument *arguments,
                       size_t count, int result, const char *text)
{
	char set[1024] = "", code[2048], clear[1024] = "";
	struct fixture f;
	size_t written = 0;

	fixture_init(&f);
	fixture_add_text(&f, format);
	memset(f.buffer + OUT, UNLIKE_KERNEL, OUT_SIZE);
	set_arguments(&f, arguments, count, set, sizeof(set));
	snprintf(code, sizeof(code), snprintf_text, set, size, 8 * count);
	/* Addresses differ here and there: they go before the program ends. */
	for (size_t i = 0; i < count; i++)
		if (arguments[i].text)
			written += (size_t)snprintf(clear + written, sizeof(clear) - written, "stdw [%%r6+%zu], 0\n",
			                            8 * i);
	memcpy(code + strlen(code) - strlen("exit\n"), clear, strlen(clear) + 1);
	strcat(code, "exit\n");
	if (where == AND_THERE)
		assert_int_equal((int)fixture_as_kernel(&f, code), result);
	else
		assert_int_equal((int)fixture_result(&f, code), result);
	clear_addresses(&f, arguments, count);
	if (text)
		assert_string_equal((char *)f.buffer + OUT, text);
	else if (result < 0)
		assert_int_equal(f.buffer[OUT], UNLIKE_KERNEL);
	fixture_done(&f);
}

#define ARGS(...) \
	(const struct argument[]){__VA_ARGS__}, sizeof((const struct argument[]){__VA_ARGS__}) / sizeof(struct argument)
#define check(text, format, ...) check_size(AND_THERE, OUT_SIZE, format, ARGS(__VA_ARGS__), (int)strlen(text) + 1, text)
#define check_here(text, format, ...) check_size(HERE, OUT_SIZE, format, ARGS(__VA_ARGS__), (int)strlen(text) + 1, text)

/* The kernel tests a constant format when it loads the program, and others as they are used: trace_vprintk's. */
static void refuse(const char *format, size_t arguments)
{
	static const char code[] = "lddw %%r1, map_value[0]\n"
	                           "mov %%r2, %zu\n"
	                           "mov %%r3, %%r1\n"
	                           "add %%r3, 128\n"
	                           "mov %%r4, %zu\n"
	                           "call trace_vprintk\n"
	                           "exit\n";
	char text[256];
	struct fixture f;

	fixture_init(&f);
	memcpy(f.buffer, format, strlen(format) + 1);
	snprintf(text, sizeof(text), code, strlen(format) + 1, 8 * arguments);
	assert_int_equal((int)fixture_as_kernel(&f, text), -EINVAL);
	fixture_done(&f);
	/* Nothing is printed of what is wrong further on. */
	check_size(HERE, OUT_SIZE, format, (const struct argument[12]){{0}}, arguments, -EINVAL, NULL);
}

static void test_plain(void **state)
{
	(void)state;
	check("plain\ttext\n", "plain\ttext\n", N(0));
	check("", "", N(0));
	check("100% of %d", "100%% of %%d", N(1));
	check("%%", "%%%%", N(1));
}

static void test_integers(void **state)
{
	(void)state;
	check("-1 -1 4294967295", "%d %i %u", N(-1), N(-1), N(-1));
	check("-1 18446744073709551615", "%ld %lu", N(-1), N(-1));
	check("-9223372036854775808 9223372036854775808", "%lld %llu", N(INT64_MIN), N(INT64_MIN));
	check("-2147483648 -2147483648", "%d %i", N(INT32_MIN), N(0x1234567880000000));
	check("deadbeef DEADBEEF", "%x %X", N(0xfeeddeadbeef), N(0xfeeddeadbeef));
	check("feeddeadbeef FEEDDEADBEEF", "%lx %llX", N(0xfeeddeadbeef), N(0xfeeddeadbeef));
	check("0 0 0", "%d %x %u", N(0), N(0), N(0));
	check("ffffffffffffffff", "%llx", N(-1));
}

static void test_widths(void **state)
{
	(void)state;
	check("    7|7    |00007", "%5d|%-5d|%05d", N(7), N(7), N(7));
	check("   -7|-7   |-0007", "%5d|%-5d|%05d", N(-7), N(-7), N(-7));
	check("+7| 7|+7", "%+d|% d|%+ d", N(7), N(7), N(7));
	check("-7|-7|+0007|7    ", "%+d|% d|%+05d|%-05u", N(-7), N(-7), N(7), N(7));
	check("7|7", "%+u|% x", N(7), N(7));
	check("12345|12345", "%3d|%-3d", N(12345), N(12345));
	check("  ab|ab  |ab", "%4s|%-4s|%1s", T("ab"), T("ab"), T("ab"));
	check("  ab", "%04s", T("ab"));
	check("   c|c   |c", "%4c|%-4c|%c", N('c'), N('c'), N('c'));
	check("        ff|ff        |00000000ff", "%10x|%-10x|%010x", N(255), N(255), N(255));
	check_size(AND_THERE, 16, "%600d|", ARGS(N(1)), 602, "               ");
}

static void test_texts(void **state)
{
	(void)state;
	check("one, two; three", "%s, %s; %s", T("one"), T("two"), T("three"));
	check("[]", "[%s]", T(""));
	check("no text: []", "no text: [%s]", N(0));
	check("no text: []", "no text: [%s]", N(8));
	check_here("[]", "[%s]", N(UINT64_MAX));
	check("abc", "%pks", T("abc"));
	check("abc,def", "%pks,%s", T("abc"), T("def"));
}

/* Text without a NUL in what the program may read is as good as none. */
static void test_unterminated(void **state)
{
	static const char code[] = "lddw %r6, map_value[0]\n"
	                           "mov %r3, %r6\n"
	                           "add %r3, 1016\n"
	                           "mov %r1, %r6\n"
	                           "mov %r2, 5\n"
	                           "call trace_printk\n"
	                           "exit\n";
	struct fixture f;

	(void)state;
	fixture_init(&f);
	memcpy(f.buffer, "[%s]", 5);
	memset(f.buffer + 1016, 'x', 8);
	assert_int_equal(fixture_result(&f, code), 2);
	f.buffer[1023] = 0;
	assert_int_equal(fixture_result(&f, code), 9);
	fixture_done(&f);
}

static void test_pointers(void **state)
{
	(void)state;
	check("0000000012345678 ffffffffffffffff", "%px %px", N(0x12345678), N(-1));
	check("    12345678|12345678    |000012345678", "%12px|%-12px|%012px", N(0x12345678), N(0x12345678),
	      N(0x12345678));
	check("ff              |", "%-px|", N(0xff));
	check("0000000000000000", "%p", N(0));
	check_here("00000000000000ff,00000000000000ff", "%p,%pK", N(0xff), N(0xff));
	check("0x10 0x10", "%ps %pS", N(0x10), N(0x10));
	check("  0x10|0x10  |0x10", "%6ps|%-6pS|%9pB", N(0x10), N(0x10), N(0x10));
	check("0x0", "%ps", N(0));
}

static void test_addresses(void **state)
{
	(void)state;
	check("127.1.22.255|127.001.022.255", "%pI4|%pi4", T("\x7f\x01\x16\xff"), T("\x7f\x01\x16\xff"));
	check("0.0.0.0", "%pI4", N(0));
	check("2001:0db8:1111:2222:3333:4444:5555:6666", "%pI6",
	      T("\x20\x01\x0d\xb8\x11\x11\x22\x22\x33\x33\x44\x44\x55\x55\x66\x66"));
	check("20010db8111122223333444455556666", "%pi6",
	      T("\x20\x01\x0d\xb8\x11\x11\x22\x22\x33\x33\x44\x44\x55\x55\x66\x66"));
	check("[127.1.22.255]", "[%20pI4]", T("\x7f\x01\x16\xff"));
	check("127.1.22.255 x", "%pI4abc x", T("\x7f\x01\x16\xff")); /* letters behind a pointer are skipped */
}

static void test_refused(void **state)
{
	(void)state;
	refuse("%d %d", 1);
	refuse("%", 1);
	refuse("%5", 1);
	refuse("%l", 1);
	refuse("%ll", 1);
	refuse("%llld", 1);
	refuse("%n", 1);
	refuse("%hd", 1);
	refuse("%o", 1);
	refuse("%f", 1);
	refuse("%.3s", 1);
	refuse("%*d", 1);
	refuse("%#x", 1);
	refuse("%5%", 1);
	refuse("%sx", 1);
	refuse("%pksx", 1);
	refuse("%pk", 1);
	refuse("%px%", 1);
	refuse("%pq", 1);
	refuse("%pI", 1);
	refuse("%pI5", 1);
	refuse("%pi", 1);
	refuse("text %d\x01", 1);
	refuse("%d\x7f", 1);
}

/* The kernel keeps arguments in 512 bytes: numbers in 4 or 8, texts with their NUL. */
static void test_room(void **state)
{
	char text[300];
	struct argument twelve[12];

	(void)state;
	memset(text, 'x', 200);
	text[200] = 0;
	/* 3 * 201 is more than 512: the third has 109 bytes and a NUL, and for a fourth argument there is nothing. */
	for (size_t i = 0; i < ARRAY_SIZE(twelve); i++)
		twelve[i] = (struct argument){0, i ? NULL : text};
	check_size(AND_THERE, 8, "%s%d", twelve, 2, 202, "xxxxxxx");
	for (unsigned numbers = 0; numbers < 12; numbers++) {
		char format[64] = "%s";
		for (unsigned i = 0; i < numbers; i++)
			memcpy(format + 2 + 4 * i, "%lld", 5);
		check_size(AND_THERE, 8, format, twelve, numbers + 1, 201 + (int)numbers, "xxxxxxx");
	}
}

/* The buffer is not large enough for several long texts: the same one several times is. */
static void test_room_for_text(void **state)
{
	static const char code[] = "lddw %%r6, map_value[0]\n"
	                           "mov %%r1, %%r6\n"
	                           "add %%r1, 640\n"
	                           "stxdw [%%r6+0], %%r1\n"
	                           "stxdw [%%r6+8], %%r1\n"
	                           "stxdw [%%r6+16], %%r1\n"
	                           "stdw [%%r6+24], 123\n"
	                           "stdw [%%r6+32], 123\n"
	                           "stdw [%%r6+40], 123\n"
	                           "mov %%r1, %%r6\n"
	                           "add %%r1, 64\n"
	                           "mov %%r2, 572\n"
	                           "lddw %%r3, map_value[1]\n"
	                           "mov %%r4, %%r6\n"
	                           "mov %%r5, %d\n"
	                           "call snprintf\n"
	                           "stdw [%%r6+0], 0\n"
	                           "stdw [%%r6+8], 0\n"
	                           "stdw [%%r6+16], 0\n"
	                           "exit\n";
	static const struct {
		const char *format;
		int length, bytes, result;
	} cases[] = {
	        {"%s%s", 255, 16, 511},         {"%s%s", 256, 16, 511},
	        {"%s%s", 300, 16, 511},         {"%s%s%s", 300, 24, -ENOSPC},
	        {"%s%s%s", 255, 24, -ENOSPC},   {"%s%s%s", 254, 24, 510},
	        {"%s%s%s", 200, 24, 510},       {"%s%s%s%d", 200, 32, -ENOSPC},
	        {"%s%s%s%c", 168, 32, 506},     {"%s%s%s%d", 168, 32, 508},
	        {"%s%s%s%d", 169, 32, -ENOSPC}, {"%s%s%s%c", 169, 32, 509},
	        {"%s%s%s%lld", 167, 32, 505},   {"%s%s%s%lld", 168, 32, -ENOSPC},
	        {"%s%s%s%d%c%d", 165, 48, 503}, {"%s%s%s%d%c%d", 166, 48, -ENOSPC},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct fixture f;
		char text[1024];
		fixture_init(&f);
		fixture_add_text(&f, cases[i].format);
		memset(f.buffer + 640, 'x', (size_t)cases[i].length);
		snprintf(text, sizeof(text), code, cases[i].bytes);
		assert_int_equal((int)fixture_as_kernel(&f, text), cases[i].result);
		fixture_done(&f);
	}
}

static void test_cut(void **state)
{
	(void)state;
	check_size(AND_THERE, 5, "%s", ARGS(T("abcdef")), 7, "abcd");
	check_size(AND_THERE, 1, "%d", ARGS(N(12)), 3, "");
	check_size(AND_THERE, 7, "%s", ARGS(T("abcdef")), 7, "abcdef");
	check_size(AND_THERE, 2, "%5d", ARGS(N(1)), 6, " ");
	check_size(AND_THERE, 3, "a%%%%%%b", ARGS(N(1)), 6, "a%");
}

static void test_arguments(void **state)
{
	static const char code[] = "lddw %%r6, map_value[0]\n"
	                           "mov %%r1, %s\n"
	                           "mov %%r2, %d\n"
	                           "lddw %%r3, map_value[1]\n"
	                           "mov %%r4, %s\n"
	                           "mov %%r5, %d\n"
	                           "call snprintf\n"
	                           "exit\n";
	static const struct {
		const char *out;
		int size;
		const char *arguments;
		int bytes, result;
		bool here; /* the kernel does not even load it */
	} cases[] = {
	        {"0", 0, "0", 0, 5, false},          {"%r6", 0, "%r6", 8, 5, false},
	        {"%r6", 9, "%r6", 96, 5, false},     {"%r6", 9, "0", 0, 5, false},
	        {"%r6", 9, "%r6", 7, -EINVAL, true}, {"%r6", 9, "%r6", 104, -EINVAL, true},
	};
	struct fixture f;

	(void)state;
	fixture_init(&f);
	fixture_add_text(&f, "text");
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		char text[512];
		snprintf(text, sizeof(text), code, cases[i].out, cases[i].size, cases[i].arguments, cases[i].bytes);
		assert_int_equal((int)fixture_result_of(&f, text, !cases[i].here), cases[i].result);
	}
	fixture_done(&f);
}

/* ---- trace_printk ---- */
struct printed {
	char text[2048];
	size_t length, calls;
};

static void print(const char *text, size_t length, void *user)
{
	struct printed *p = user;

	memcpy(p->text, text, length);
	p->text[length] = 0;
	p->length = length;
	p->calls++;
}

static void check_trace(const char *format, size_t format_size, int result, const char *text)
{
	static const char code[] = "lddw %%r1, map_value[0]\n"
	                           "mov %%r2, %zu\n"
	                           "mov %%r3, -5\n"
	                           "mov %%r4, %%r1\n"
	                           "add %%r4, 512\n"
	                           "mov %%r5, 255\n"
	                           "call trace_printk\n"
	                           "exit\n";
	struct printed printed = {0};
	struct fixture f;
	char program[256];

	fixture_init(&f);
	memcpy(f.buffer, format, format_size);
	memcpy(f.buffer + 512, "words", 6);
	snprintf(program, sizeof(program), code, format_size);
	assert_int_equal((int)fixture_as_kernel(&f, program), result);
	f.call.print = print;
	f.call.user = &printed;
	assert_int_equal((int)fixture_result(&f, program), result);
	if (text) {
		assert_true(printed.calls > 0);
		assert_int_equal(printed.length, strlen(text));
		assert_string_equal(printed.text, text);
	} else {
		assert_int_equal(printed.calls, 0);
	}
	fixture_done(&f);
}

static void test_trace(void **state)
{
	(void)state;
	check_trace("n %d, s %s, x %x\n", 18, 20, "n -5, s words, x ff\n");
}

static void test_trace_edges(void **state)
{
	char full[1024];

	(void)state;
	check_trace("no NUL", 6, -EINVAL, NULL);
	check_trace("%d\0%d", 6, 2, "-5");
	check_trace("%d%s%d%d", 9, -EINVAL, NULL);
	memset(full, ' ', sizeof(full) - 1);
	full[1023] = 0;
	check_trace("%2000d", 7, 2000, full);
}

static void test_vprintk(void **state)
{
	static const char code[] = "lddw %r6, map_value[0]\n"
	                           "mov %r1, %r6\n"
	                           "add %r1, 128\n"
	                           "mov %r2, 16\n"
	                           "mov %r3, %r6\n"
	                           "mov %r4, 32\n"
	                           "call trace_vprintk\n"
	                           "exit\n";
	const uint64_t arguments[] = {1, 2, 3, 4};
	struct printed printed = {0};
	struct fixture f;

	(void)state;
	fixture_init(&f);
	memcpy(f.buffer, arguments, sizeof(arguments));
	memcpy(f.buffer + 128, "%d %d %d %d", 12);
	f.call.print = print;
	f.call.user = &printed;
	assert_int_equal((int)fixture_as_kernel(&f, code), 7);
	assert_string_equal(printed.text, "1 2 3 4");
	memcpy(f.buffer + 128, "%d %d %d %d %d", 15);
	assert_int_equal((int)fixture_as_kernel(&f, code), -EINVAL);
	fixture_done(&f);
}

/* Random formats: what is refused, and the length of the others. Arguments are no addresses, nor does the kernel hash them. */
static void test_random_formats(void **state)
{
	static const char code[] = "lddw %r6, map_value[0]\n"
	                           "mov %r1, %r6\n"
	                           "add %r1, 128\n"
	                           "ldxdw %r2, [%r6+64]\n"
	                           "and %r2, 31\n"
	                           "add %r2, 1\n"
	                           "mov %r3, %r6\n"
	                           "mov %r4, 40\n"
	                           "call trace_vprintk\n"
	                           "exit\n";
	static const char alphabet[] = "%%%%%%%%ddiuxXlllscppppxsSBksiI446600-+ 1297.,a";
	const uint64_t arguments[] = {0, (uint64_t)-1, (uint64_t)-4000, 0, (uint64_t)-1};
	uint32_t random = 1;
	struct fixture f;
	struct everywhere e;

	(void)state;
	need_kernel();
	fixture_init(&f);
	everywhere_open(&e, &f, code, true);
	memcpy(f.buffer, arguments, sizeof(arguments));
	for (unsigned i = 0; i < 5000; i++) {
		uint64_t last = i % 32;
		for (size_t j = 0; j < last; j++) {
			random = random * 1664525 + 1013904223;
			f.buffer[128 + j] = (uint8_t)alphabet[(random >> 8) % (sizeof(alphabet) - 1)];
		}
		f.buffer[128 + last] = 0;
		memcpy(f.buffer + 64, &last, 8);
		everywhere_run(&e, &f);
	}
	everywhere_close(&e);
	fixture_done(&f);
}

/* The program's stack, too, has text to print: in verified code it is the machine's. */
static void test_stack_text(void **state)
{
	static const char code[] = "stdw [%r10-8], 0x6261\n"
	                           "mov %r3, %r10\n"
	                           "add %r3, -8\n"
	                           "lddw %r1, map_value[0]\n"
	                           "mov %r2, 3\n"
	                           "call trace_printk\n"
	                           "exit\n";
	struct printed printed = {0};
	struct fixture f;

	(void)state;
	fixture_init(&f);
	memcpy(f.buffer, "%s", 3);
	f.call.print = print;
	f.call.user = &printed;
	assert_int_equal((int)fixture_result(&f, code), 2);
	assert_string_equal(printed.text, "ab");
	fixture_done(&f);
}

/* A format that is written over while it is printed, as only a program that nobody has verified does. */
static void test_over_itself(void **state)
{
	static const char code[] = "lddw %r1, map_value[0]\n"
	                           "mov %r2, 64\n"
	                           "mov %r3, %r1\n"
	                           "add %r3, 3\n"
	                           "mov %r4, %r1\n"
	                           "add %r4, 512\n"
	                           "mov %r5, 16\n"
	                           "call snprintf\n"
	                           "exit\n";
	struct fixture f;

	(void)state;
	fixture_init(&f);
	memcpy(f.buffer + 3, "%d%%text that is longer than its way%d", 39);
	assert_true((int)fixture_result(&f, code) > 0);
	fixture_done(&f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(test_plain),        cmocka_unit_test(test_integers),
	        cmocka_unit_test(test_widths),       cmocka_unit_test(test_texts),
	        cmocka_unit_test(test_unterminated), cmocka_unit_test(test_pointers),
	        cmocka_unit_test(test_addresses),    cmocka_unit_test(test_refused),
	        cmocka_unit_test(test_room),         cmocka_unit_test(test_room_for_text),
	        cmocka_unit_test(test_cut),          cmocka_unit_test(test_arguments),
	        cmocka_unit_test(test_trace),        cmocka_unit_test(test_trace_edges),
	        cmocka_unit_test(test_vprintk),      cmocka_unit_test(test_random_formats),
	        cmocka_unit_test(test_stack_text),   cmocka_unit_test(test_over_itself),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
