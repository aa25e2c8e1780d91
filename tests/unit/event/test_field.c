/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include "event/event.h"
#include "event/field.h"

/* The text begins with the field; key NULL: none. rest: what is not taken. */
static void check_prefix(const char *text, enum field_id id, const char *key, const char *rest)
{
	struct field_ref ref;
	size_t length;

	assert_int_equal(field_parse_prefix(str_from(text), &ref, &length), 0);
	if (ref.id != id)
		fail_msg("%s: taken for %s", text, field_get_info(ref.id)->name);
	assert_string_equal(text + length, rest);
	assert_int_equal(ref.has_key, key != NULL);
	assert_false(ref.has_index || ref.output);
	if (key)
		assert_true(str_equals(ref.key, key));
}

static void check_unknown(const char *text)
{
	struct field_ref ref;
	size_t length = 77;

	if (field_parse_prefix(str_from(text), &ref, &length) != -ENOENT)
		fail_msg("%s: taken for %s", text, field_get_info(ref.id)->name);
	assert_int_equal(length, 77);
}

static void test_prefix(void **state)
{
	(void)state;
	check_prefix("proc.name", FIELD_PROC_NAME, NULL, "");
	check_prefix("proc.name = x", FIELD_PROC_NAME, NULL, " = x");
	check_prefix("proc.namespace", FIELD_PROC_NAME, NULL, "space");
	check_prefix("proc.aname[2]", FIELD_PROC_ANAME, NULL, "[2]");
	check_prefix("evt.type", FIELD_EVT_TYPE, NULL, "");
	check_prefix("fd.sip", FIELD_FD_SIP, NULL, "");
	check_unknown("");
	check_unknown("proc.nam");
	check_unknown("PROC.NAME");
	check_unknown(" proc.name");
}

static void test_arguments(void **state)
{
	(void)state;
	check_prefix("evt.arg.flags", FIELD_EVT_ARG, "flags", "");
	check_prefix("evt.arg.flags contains", FIELD_EVT_ARG, "flags", " contains");
	check_prefix("evt.arg[3]", FIELD_EVT_ARG, NULL, "[3]");
	check_prefix("evt.arg.oldpath", FIELD_EVT_ARG, "oldpath", "");
	check_prefix("evt.arg.resolve", FIELD_EVT_ARG, "resolve", ""); /* not res, olve */
	check_prefix("evt.arg.respect", FIELD_EVT_ARG, "res", "pect");
	check_prefix("evt.arg.val", FIELD_EVT_ARG, "val", ""); /* of an event that is not observed */
	check_unknown("evt.arg");
	check_unknown("evt.arg.");
	check_unknown("evt.arg.nothing");
	check_unknown("evt.arg flags");
}

/* Every field parses as itself, whatever others begin alike. */
static void test_every_field(void **state)
{
	(void)state;
	for (int id = 0; id < FIELD_COUNT; id++) {
		const struct field_info *info = field_get_info((enum field_id)id);

		assert_non_null(info->name);
		assert_true(strlen(info->doc) > 0);
		assert_string_equal(field_suggest(str_from(info->flags & FIELD_F_NULLED ? "fd.name" : info->name)),
		                    info->flags & FIELD_F_NULLED ? "fd.name" : info->name);
		if (info->arg != FIELD_ARG_NAME)
			check_prefix(info->name, (enum field_id)id, NULL, "");
	}
}

static enum field_id field_by_name(const char *name)
{
	for (int id = 0; id < FIELD_COUNT; id++)
		if (strcmp(field_get_info((enum field_id)id)->name, name) == 0)
			return (enum field_id)id;
	return FIELD_COUNT;
}

static void test_other_names(void **state)
{
	enum field_id cgroup = field_by_name("thread.cgroup");
	enum field_id type_is = field_by_name("evt.type.is");
	enum field_id raw = field_by_name("evt.rawarg");

	(void)state;
	if (cgroup == FIELD_COUNT || type_is == FIELD_COUNT || raw == FIELD_COUNT)
		skip();
	check_prefix("thread.cgroup.cpu", cgroup, "cpu", "");
	check_prefix("thread.cgroups", field_by_name("thread.cgroups"), NULL, "");
	check_unknown("thread.cgroup.");
	check_prefix("evt.type.is.openat2", type_is, "openat2", "");
	check_prefix("evt.type.is.nothing", FIELD_EVT_TYPE, NULL, ".is.nothing");
	check_prefix("evt.rawarg.mode", raw, "mode", "");
	check_unknown("evt.rawarg[1]");
}

static void test_types(void **state)
{
	enum field_id raw = field_by_name("evt.rawarg");
	struct field_ref ref = {.id = FIELD_EVT_ARG, .has_key = true, .key = STR("flags")};

	(void)state;
	assert_int_equal(field_ref_type(&ref), FIELD_STR);
	ref = (struct field_ref){.id = FIELD_FD_SIP};
	assert_int_equal(field_ref_type(&ref), FIELD_IP);
	if (raw == FIELD_COUNT)
		skip();
	ref = (struct field_ref){.id = raw, .has_key = true, .key = STR("flags")};
	assert_int_equal(field_ref_type(&ref), FIELD_U64);
	ref.key = STR("res");
	assert_int_equal(field_ref_type(&ref), FIELD_S64);
	ref.key = STR("mode");
	assert_int_equal(field_ref_type(&ref), FIELD_U64);
	ref.key = STR("uid"); /* a user of setuid, a signed number of chown: -1 must be comparable */
	assert_int_equal(field_ref_type(&ref), FIELD_S64);
	ref.key = STR("filename");
	assert_int_equal(field_ref_type(&ref), FIELD_STR);
	ref.key = STR("core");
	assert_int_equal(field_ref_type(&ref), FIELD_BOOL);
}

static void test_suggest(void **state)
{
	char longer[300];

	(void)state;
	assert_string_equal(field_suggest(STR("proc.nmae")), "proc.name");
	assert_string_equal(field_suggest(STR("evt.typ")), "evt.type");
	assert_string_equal(field_suggest(STR("fd.nam")), "fd.name");
	assert_null(field_suggest(STR("")));
	assert_null(field_suggest(STR("entirely.another.thing")));
	memset(longer, 'x', sizeof(longer));
	assert_null(field_suggest(str_make(longer, sizeof(longer))));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(test_prefix),      cmocka_unit_test(test_arguments),
	        cmocka_unit_test(test_every_field), cmocka_unit_test(test_other_names),
	        cmocka_unit_test(test_types),       cmocka_unit_test(test_suggest),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
