/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/json.h"

#include <errno.h>
#include <math.h>

static struct buf out;
static struct json json;

static int setup(void **state)
{
	(void)state;
	buf_init(&out, 1 << 20);
	json_init(&json, &out);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	buf_done(&out);
	return 0;
}

static void test_nesting(void **state)
{
	(void)state;
	json_begin_object(&json);
	json_key(&json, "a");
	json_begin_array(&json);
	json_u64(&json, UINT64_MAX);
	json_s64(&json, INT64_MIN);
	json_begin_object(&json);
	json_end_object(&json);
	json_begin_array(&json);
	json_end_array(&json);
	json_bool(&json, true);
	json_bool(&json, false);
	json_end_array(&json);
	json_key_str(&json, STR("b\"c"));
	json_null(&json);
	json_key(&json, "d");
	json_text(&json, NULL);
	json_key(&json, "e");
	json_text(&json, "f");
	json_end_object(&json);
	assert_string_equal(out.data, "{\"a\":[18446744073709551615,-9223372036854775808,{},[],true,false],"
	                              "\"b\\\"c\":null,\"d\":null,\"e\":\"f\"}");
	assert_int_equal(json.depth, 0);
}

static void assert_text(struct str text, const char *expected)
{
	buf_clear(&out);
	json_init(&json, &out);
	json_str(&json, text);
	assert_string_equal(out.data, expected);
}

static void test_escapes(void **state)
{
	(void)state;
	assert_text(STR(""), "\"\"");
	assert_text(str_make(NULL, 0), "\"\"");
	assert_text(STR("a\0b"), "\"a\\u0000b\"");
	assert_text(STR("\"\\/"), "\"\\\"\\\\/\"");
	assert_text(STR("\b\f\n\r\t"), "\"\\b\\f\\n\\r\\t\"");
	assert_text(STR("\x1b[31m\x1f\x7f"), "\"\\u001b[31m\\u001f\\u007f\"");
	assert_text(STR("\xc2\x9b"
	                "31m\xc2\xa0"),
	            "\"\\u009b31m\xc2\xa0\"");
	assert_text(STR("\xe2\x82\xac\xf0\x9f\x98\x80"), "\"\xe2\x82\xac\xf0\x9f\x98\x80\"");
	assert_text(STR("a\xff"
	                "b\xc3"),
	            "\"a\xef\xbf\xbd"
	            "b\xef\xbf\xbd\"");
	assert_text(STR("\xed\xa0\x80"), "\"\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\"");
}

static void assert_double(double n, const char *expected)
{
	buf_clear(&out);
	json_init(&json, &out);
	json_double(&json, n);
	assert_string_equal(out.data, expected);
}

static void test_doubles(void **state)
{
	(void)state;
	assert_double(0, "0");
	assert_double(0.1, "0.1");
	assert_double(-2.5, "-2.5");
	assert_double(1.0 / 3, "0.3333333333333333");
	assert_double(1e300, "1e+300");
	assert_double(NAN, "null");
	assert_double(-INFINITY, "null");
}

static void test_depth(void **state)
{
	(void)state;
	for (int i = 0; i < JSON_DEPTH_MAX - 1; i++)
		json_begin_array(&json);
	assert_int_equal(buf_error(&out), 0);
	for (int i = 0; i < 3; i++) {
		json_begin_array(&json);
		json_u64(&json, 1);
		json_u64(&json, 2);
	}
	assert_int_equal(buf_error(&out), -ENOBUFS);
	assert_int_equal(out.length, JSON_DEPTH_MAX - 1);
	for (int i = 0; i < JSON_DEPTH_MAX + 2; i++)
		json_end_array(&json);
	assert_int_equal(json.depth, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test_setup_teardown(test_nesting, setup, teardown),
	        cmocka_unit_test_setup_teardown(test_escapes, setup, teardown),
	        cmocka_unit_test_setup_teardown(test_doubles, setup, teardown),
	        cmocka_unit_test_setup_teardown(test_depth, setup, teardown),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
