/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <cmocka.h>

#include <errno.h>

#include "core/content_status.h"

static void test_staging(void **state)
{
	static const char json[] =
	        "{\"content\":{\"state\":\"/s\",\"rung\":\"normal\",\"staging\":{\"name\":\"web\",\"version\":7,"
	        "\"outcome\":\"going-on\",\"step\":\"shadow\",\"soak_s\":600,\"soaked_s\":12,"
	        "\"steps\":[{\"step\":\"load\",\"verdict\":\"passed\",\"reason\":\"r\"},"
	        "{\"step\":\"shadow\",\"verdict\":\"not-reached\",\"reason\":null}]}}}";
	struct content_status s;
	(void)state;
	assert_int_equal(content_status_parse(str_from(json), &s), 0);
	assert_string_equal(s.state, "/s");
	assert_string_equal(s.name, "web");
	assert_string_equal(s.outcome, "going-on");
	assert_int_equal(s.version, 7);
	assert_int_equal(s.step, STAGING_SHADOW);
	assert_int_equal(s.soak_s, 600);
	assert_int_equal(s.soaked_s, 12);
	assert_true(s.steps[STAGING_LOAD].passed && !s.steps[STAGING_LOAD].refused);
	assert_string_equal(s.steps[STAGING_LOAD].reason, "r");
	assert_false(s.steps[STAGING_SHADOW].passed || s.steps[STAGING_SHADOW].refused);
}

static void test_nothing_staged(void **state)
{
	struct content_status s;
	(void)state;
	assert_int_equal(content_status_parse(STR("{\"content\":{\"state\":\"/s\",\"rung\":\"off\"}}"), &s), 0);
	assert_true(s.off);
	assert_false(s.staged);
	assert_int_equal(content_status_parse(STR("{\"version\":\"1\"}"), &s), -ENOENT);
}

/* What answers may be anybody: nothing of it is believed to have a form. */
static void test_not_of_ours(void **state)
{
	static const char *const bad[] = {"", "{", "[]", "7", "null", "\"x\""};
	static const char *const odd[] = {
	        "{\"content\":{\"state\":7,\"rung\":[],\"staging\":{\"name\":null,\"version\":-1,\"outcome\":{},"
	        "\"step\":\"none\",\"soak_s\":1e300,\"steps\":[7,null,{\"step\":\"promoted\"},{\"verdict\":7}]}}}",
	        "{\"content\":{\"staging\":[1,2]}}",
	        "{\"content\":{\"staging\":{\"steps\":{\"step\":\"load\"}}}}",
	};
	struct content_status s;
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
		assert_int_equal(content_status_parse(str_from(bad[i]), &s), -EBADMSG);
	for (size_t i = 0; i < ARRAY_SIZE(odd); i++)
		assert_int_equal(content_status_parse(str_from(odd[i]), &s), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(test_staging),
	        cmocka_unit_test(test_nothing_staged),
	        cmocka_unit_test(test_not_of_ours),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
