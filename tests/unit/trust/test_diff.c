/* SPDX-License-Identifier: Apache-2.0 */
#include "trust_helper.h"

#include "trust/diff.h"

#define BASE \
	"- list: shells\n  items: [sh, bash]\n" RULE_TEXT( \
	        "Kept", "evt.type in (open, openat) and proc.name in (shells) and fd.name = /etc/x", \
	        "WARNING") "  tags: [a]\n" \
	                   "  exceptions:\n" \
	                   "    - name: known\n" \
	                   "      fields: [proc.exepath]\n" \
	                   "      comps: [=]\n" \
	                   "      values: [[/usr/bin/a]]\n" RULE_TEXT("Other", "evt.type = connect and proc.name = x", \
	                                                              "INFO")

static void add_change(void *userdata, const struct bundle_change *c)
{
	buf_printf(userdata, "%s %s " STR_FMT ": " STR_FMT "\n", change_effect_name(c->effect), c->subject,
	           STR_ARG(c->name), STR_ARG(c->text));
}

static void changes_of(const char *before, const char *after, struct buf *out)
{
	_cleanup_(scratch_done) struct scratch dir;
	_cleanup_(diag_list_done) struct diag_list diags;
	_cleanup_(bundle_freep) struct bundle *a = NULL, *b = NULL;
	scratch_init(&dir);
	diag_list_init(&diags, 20);
	make_bundle(below(dir.path, "a"), "1", before);
	make_bundle(below(dir.path, "b"), "1", after);
	a = open_bundle(below(dir.path, "a"));
	b = open_bundle(below(dir.path, "b"));
	assert_int_equal(bundle_diff(a, b, NULL, add_change, out, &diags), 0);
	buf_add_text(out, "");
}

static void replace(const char *text, const char *old, const char *new, struct buf *out)
{
	const char *at = strstr(text, old);
	assert_non_null(at);
	buf_add(out, text, (size_t)(at - text));
	buf_add_text(out, new);
	buf_add_text(out, at + strlen(old));
}

static void assert_changes(const char *old, const char *new, const char *expected)
{
	_cleanup_(buf_done) struct buf after, changes;
	buf_init(&after, TEXT_BYTES_MAX);
	buf_init(&changes, TEXT_BYTES_MAX);
	replace(BASE, old, new, &after);
	changes_of(BASE, after.data, &changes);
	assert_string_equal(changes.data, expected);
}

static void test_rules(void **state)
{
	(void)state;
	assert_changes(RULE_TEXT("Other", "evt.type = connect and proc.name = x", "INFO"), "",
	               "less rule Other: is removed\n");
	assert_changes("- rule: Other", "- rule: Another",
	               "less rule Other: is removed\nmore rule Another: is added: Informational; covers connect\n");
	assert_changes("priority: INFO", "priority: ERROR",
	               "more rule Other: priority Informational \xe2\x86\x92 Error\n");
	assert_changes("priority: WARNING", "priority: DEBUG", "less rule Kept: priority Warning \xe2\x86\x92 Debug\n");
	assert_changes("tags: [a]", "tags: [a, b]", "other rule Kept: has other tags\n");
	assert_changes("output: o", "output: other", "other rule Kept: has another output\n");
	assert_changes("tags: [a]", "tags: [a]\n  enabled: false", "less rule Kept: is turned off\n");
}

static void test_events(void **state)
{
	(void)state;
	assert_changes("evt.type in (open, openat)", "evt.type in (open, openat2)",
	               "less rule Kept: no longer covers openat\n"
	               "more rule Kept: now covers openat2\n"
	               "other rule Kept: no longer asks: evt.type in (open, openat)\n"
	               "other rule Kept: now asks: evt.type in (open, openat2)\n");
}

static void test_lists_and_exceptions(void **state)
{
	(void)state;
	assert_changes("[sh, bash]", "[sh, zsh]",
	               "other rule Kept: no longer asks: proc.name in (sh, bash)\n"
	               "other rule Kept: now asks: proc.name in (sh, zsh)\n"
	               "other list shells: has also zsh\n"
	               "other list shells: has no longer bash\n");
	assert_changes("values: [[/usr/bin/a]]", "values: [[/usr/bin/a], [/usr/bin/b]]",
	               "other rule Kept: no longer asks: not proc.exepath = /usr/bin/a\n"
	               "other rule Kept: now asks: proc.exepath = /usr/bin/a\n"
	               "other rule Kept: now asks: proc.exepath = /usr/bin/b\n"
	               "less rule Kept: exception known takes out also [/usr/bin/b]\n");
}

static void test_nothing(void **state)
{
	(void)state;
	assert_changes("- list: shells", "# a comment\n- list: shells", "");
}

static void test_manifests(void **state)
{
	_cleanup_(scratch_done) struct scratch dir;
	_cleanup_(diag_list_done) struct diag_list diags;
	_cleanup_(bundle_freep) struct bundle *a = NULL, *b = NULL;
	_cleanup_(buf_done) struct buf changes;
	(void)state;
	scratch_init(&dir);
	diag_list_init(&diags, 20);
	buf_init(&changes, TEXT_BYTES_MAX);
	make_bundle(below(dir.path, "a"), "2", BASE);
	make_bundle(below(dir.path, "b"), "1", BASE);
	a = open_bundle(below(dir.path, "a"));
	b = open_bundle(below(dir.path, "b"));
	const struct str powers[] = {STR("kill")};
	b->manifest.powers = powers;
	b->manifest.power_count = 1;
	b->manifest.title = STR("u");
	b->manifest.schema = 8;
	b->manifest.expires_s++;
	assert_int_equal(bundle_diff(a, b, NULL, add_change, &changes, &diags), 0);
	assert_string_equal(
	        changes.data,
	        "less bundle web: version 2 \xe2\x86\x92 1: older\n"
	        "other bundle web: title: u\n"
	        "other bundle web: expires: 2030-01-01T00:00:00Z \xe2\x86\x92 2030-01-01T00:00:01Z\n"
	        "other bundle web: schema 0000000000000007 \xe2\x86\x92 0000000000000008: for another version of "
	        "picket\n"
	        "more power kill: is added\n");
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(test_rules), cmocka_unit_test(test_events),
	                                   cmocka_unit_test(test_lists_and_exceptions), cmocka_unit_test(test_nothing),
	                                   cmocka_unit_test(test_manifests)};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
