/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include "event/value.h"

static void check_text(const struct value *v, enum value_print how, const char *expected)
{
	struct buf b;

	buf_init(&b, 4096);
	value_add_text(v, how, &b);
	assert_int_equal(buf_error(&b), 0);
	assert_string_equal(b.length > 0 ? b.data : "", expected);
	buf_done(&b);
}

static void check_json(const struct value *v, const char *expected)
{
	struct buf b;
	struct json j;

	buf_init(&b, 4096);
	json_init(&j, &b);
	value_add_json(v, &j);
	assert_int_equal(buf_error(&b), 0);
	assert_string_equal(b.data, expected);
	buf_done(&b);
}

#define S64(n) (&(struct value){.kind = VALUE_S64, .s64 = (n)})
#define U64(n) (&(struct value){.kind = VALUE_U64, .u64 = (n)})
#define TEXT(s) (&(struct value){.kind = VALUE_STR, .str = STR(s)})
#define BYTES(s) (&(struct value){.kind = VALUE_BYTES, .str = STR(s)})
#define BOOL(b) (&(struct value){.kind = VALUE_BOOL, .boolean = (b)})
#define DOUBLE(n) (&(struct value){.kind = VALUE_DOUBLE, .number = (n)})
#define NOTHING (&(struct value){.kind = VALUE_NULL})

static void test_text(void **state)
{
	(void)state;
	check_text(NOTHING, PRINT_PLAIN, "<NA>");
	check_text(TEXT(""), PRINT_PLAIN, "");
	check_text(TEXT("a\nb\tc"), PRINT_PLAIN,
	           "a\xef\xbf\xbd"
	           "b\xef\xbf\xbd"
	           "c");
	check_text(BYTES("a\0\xff~"), PRINT_PLAIN, "a..~");
	check_text(S64(-1), PRINT_PLAIN, "-1");
	check_text(S64(INT64_MIN), PRINT_PLAIN, "-9223372036854775808");
	check_text(S64(493), PRINT_OCT, "0755");
	check_text(S64(0), PRINT_OCT, "0");
	check_text(S64(493), PRINT_HEX, "1ED");
	check_text(S64(7), PRINT_PADDED9, "000000007");
	check_text(U64(UINT64_MAX), PRINT_PLAIN, "18446744073709551615");
	check_text(U64(UINT64_MAX), PRINT_HEX, "FFFFFFFFFFFFFFFF");
	check_text(U64(0), PRINT_HEX, "0");
	check_text(U64(0), PRINT_OCT, "0");
	check_text(U64(8), PRINT_OCT, "010");
	check_text(U64(629547940), PRINT_PADDED9, "629547940");
	check_text(U64(5), PRINT_PADDED9, "000000005");
	check_text(BOOL(true), PRINT_PLAIN, "true");
	check_text(BOOL(false), PRINT_PLAIN, "false");
	check_text(DOUBLE(12.5), PRINT_PLAIN, "12.5");
}

static void test_lists(void **state)
{
	const struct value items[] = {
	        {.kind = VALUE_STR, .str = STR("file")}, {.kind = VALUE_U64, .u64 = 7}, {.kind = VALUE_NULL}};
	const struct value list = {.kind = VALUE_LIST, .list = {items, 3}};
	const struct value empty = {.kind = VALUE_LIST, .list = {NULL, 0}};

	(void)state;
	check_text(&list, PRINT_PLAIN, "(file,7,<NA>)");
	check_text(&empty, PRINT_PLAIN, "()");
	check_json(&list, "[\"file\",7,null]");
	check_json(&empty, "[]");
}

static void test_json(void **state)
{
	const struct value ip = {.kind = VALUE_IP, .ip = {.family = 4, .prefix = 32, .bytes = {10, 0, 0, 1}}};

	(void)state;
	check_json(NOTHING, "null");
	check_json(TEXT("a\"b"), "\"a\\\"b\"");
	check_json(BYTES("\x01x"), "\".x\"");
	check_json(S64(-5), "-5");
	check_json(U64(UINT64_MAX), "18446744073709551615");
	check_json(BOOL(true), "true");
	check_json(&ip, "\"10.0.0.1\"");
}

static void check_printable(struct str s, char replacement, const char *expected)
{
	struct buf b;

	buf_init(&b, 4096);
	value_add_printable(s, replacement, &b);
	assert_string_equal(b.length > 0 ? b.data : "", expected);
	buf_done(&b);
}

#define R "\xef\xbf\xbd"
static void test_printable(void **state)
{
	(void)state;
	check_printable(STR(""), 0, "");
	check_printable(STR("plain"), 0, "plain");
	check_printable(STR("\x1b[31mred"), 0, R "[31mred");
	check_printable(STR("a\0b"), 0, "a" R "b");
	check_printable(STR("caf\xc3\xa9 \xe2\x82\xac \xf0\x9f\x98\x80"), 0,
	                "caf\xc3\xa9 \xe2\x82\xac \xf0\x9f\x98\x80");
	check_printable(STR("\xff\xfe"), 0, R R);
	check_printable(STR("x\xc3"), 0, "x" R);                /* cut in the middle */
	check_printable(STR("\xc0\xaf"), 0, R R);               /* overlong */
	check_printable(STR("\x7f\xc2\x85\xc2\x9b"), 0, R R R); /* DEL, NEL, CSI */
	check_printable(STR("a\xe2\x80\xae"
	                    "b"),
	                0, "a" R "b"); /* text that runs the other way */
	check_printable(STR("\xe2\x80\xa8\xef\xbb\xbf\xef\xbf\xbf"), 0, R R R);
	check_printable(STR("\xc2\xa0"), 0, "\xc2\xa0");
	check_printable(STR("a\n\xc3\xa9"), 1, "a...");
	check_printable(STR("a\nb"), '?', "a?b");
}

static void check_ip(const char *text, const char *expected)
{
	struct ip ip;
	struct buf b;

	assert_int_equal(ip_parse(str_from(text), &ip), 0);
	buf_init(&b, 128);
	ip_add_text(&ip, &b);
	assert_string_equal(b.data, expected);
	buf_done(&b);
}

static void test_ip_parse(void **state)
{
	static const char *const wrong[] = {"",          "1.2.3",        "1.2.3.4.5",  "256.1.1.1",    "1.2.3.4/33",
	                                    "1.2.3.4/",  "1.2.3.4/-1",   "1.2.3.4/ 8", "1.2.3.4/0008", "::1/129",
	                                    ":::",       "fe80::1%eth0", " 1.2.3.4",   "1.2.3.4 ",     "/8",
	                                    "localhost", "1.2.3.4/8/8"};
	struct ip ip = {.family = 9};

	(void)state;
	check_ip("10.0.0.1", "10.0.0.1");
	check_ip("10.0.0.1/32", "10.0.0.1");
	check_ip("10.0.0.0/8", "10.0.0.0/8");
	check_ip("0.0.0.0/0", "0.0.0.0/0");
	check_ip("::1", "::1");
	check_ip("FE80::1/64", "fe80::1/64");
	check_ip("::ffff:1.2.3.4", "::ffff:1.2.3.4");
	for (size_t i = 0; i < ARRAY_SIZE(wrong); i++)
		assert_int_equal(ip_parse(str_from(wrong[i]), &ip), -EINVAL);
	assert_int_equal(ip_parse(STR("1.2.3.4\0x"), &ip), -EINVAL);
	assert_int_equal(ip.family, 9); /* untouched */
}

static bool in_net(const char *address, const char *net)
{
	struct ip a, n;

	assert_int_equal(ip_parse(str_from(address), &a), 0);
	assert_int_equal(ip_parse(str_from(net), &n), 0);
	return ip_in_net(&a, &n);
}

static void test_ip_compare(void **state)
{
	struct ip a, b;

	(void)state;
	assert_true(in_net("10.1.2.3", "10.0.0.0/8"));
	assert_true(in_net("10.1.2.3", "10.9.9.9/8"));
	assert_false(in_net("11.1.2.3", "10.0.0.0/8"));
	assert_true(in_net("192.168.17.1", "192.168.16.0/20"));
	assert_false(in_net("192.168.32.1", "192.168.16.0/20"));
	assert_true(in_net("1.2.3.4", "0.0.0.0/0"));
	assert_true(in_net("1.2.3.4", "1.2.3.4"));
	assert_false(in_net("1.2.3.5", "1.2.3.4"));
	assert_true(in_net("fe80::1", "fe80::/10"));
	assert_true(in_net("febf::1", "fe80::/10"));
	assert_false(in_net("fec0::1", "fe80::/10"));
	assert_false(in_net("::1", "0.0.0.0/0"));
	assert_false(in_net("10.0.0.1", "::/0"));
	assert_true(in_net("::1", "::1"));
	assert_int_equal(ip_parse(STR("1.2.3.4"), &a), 0);
	assert_int_equal(ip_parse(STR("1.2.3.4"), &b), 0);
	assert_true(ip_equal(&a, &b));
	b.bytes[15] = 1; /* beyond an IPv4 address */
	assert_true(ip_equal(&a, &b));
	b.bytes[3] = 5;
	assert_false(ip_equal(&a, &b));
	assert_int_equal(ip_parse(STR("102:304::"), &b), 0);
	assert_false(ip_equal(&a, &b));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(test_text),      cmocka_unit_test(test_lists),    cmocka_unit_test(test_json),
	        cmocka_unit_test(test_printable), cmocka_unit_test(test_ip_parse), cmocka_unit_test(test_ip_compare),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
