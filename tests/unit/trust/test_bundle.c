/* SPDX-License-Identifier: Apache-2.0 */
#include "trust_helper.h"

#define RULE RULE_TEXT("R", "evt.type = open and fd.name = /x", "INFO")

static void pack_to(const struct bundle *b, const char *path)
{
	_cleanup_(buf_done) struct buf out;
	buf_init(&out, TEXT_BYTES_MAX);
	bundle_pack(b, &out);
	assert_int_equal(buf_error(&out), 0);
	assert_int_equal(file_write_atomic(path, buf_str(&out), 0644), 0);
}

static int open_told(const char *path, const char *told)
{
	_cleanup_(diag_list_done) struct diag_list diags;
	_cleanup_(bundle_freep) struct bundle *b = NULL;
	diag_list_init(&diags, 20);
	int r = bundle_open(path, &diags, &b);
	assert_told(&diags, told);
	return r;
}

/* Directory → file → directory: the same bundle, byte for byte. */
static void test_both_forms(void **state)
{
	_cleanup_(scratch_done) struct scratch dir;
	_cleanup_(bundle_freep) struct bundle *first = NULL, *packed = NULL, *again = NULL;
	(void)state;
	scratch_init(&dir);
	make_bundle(below(dir.path, "a"), "1", RULE);
	first = open_bundle(below(dir.path, "a"));
	pack_to(first, below(dir.path, "a.bundle"));
	packed = open_bundle(below(dir.path, "a.bundle"));
	assert_true(digest_equal(&first->id, &packed->id));
	assert_int_equal(bundle_unpack(packed, below(dir.path, "b")), 0);
	assert_int_equal(bundle_unpack(packed, below(dir.path, "b")), -EEXIST);
	again = open_bundle(below(dir.path, "b"));
	assert_true(str_equal(first->manifest_text, again->manifest_text));
	assert_file(below(dir.path, "b/rules/web.yaml"), STR(RULE));
}

/* Building again changes nothing, and keeps the signatures; a changed file takes them away. */
static void test_complete(void **state)
{
	_cleanup_(scratch_done) struct scratch dir;
	_cleanup_(diag_list_done) struct diag_list diags;
	(void)state;
	scratch_init(&dir);
	diag_list_init(&diags, 20);
	char dir_path[PATH_MAX];
	snprintf(dir_path, sizeof(dir_path), "%s/a", dir.path);
	make_bundle(dir_path, "1", RULE);
	for (int changed = 0; changed < 2; changed++) {
		_cleanup_(bundle_freep) struct bundle *b = NULL;
		_cleanup_(bundle_freep) struct bundle *before = open_bundle(dir_path);
		write_text(below(dir_path, BUNDLE_SIGNATURES), "signed\n");
		if (changed)
			write_text(below(dir_path, "rules/web.yaml"), RULE RULE_TEXT("S", "evt.type = close", "INFO"));
		assert_int_equal(bundle_read(dir_path, &diags, &b), 0);
		assert_int_equal(bundle_parse(b, MANIFEST_HEAD, &diags), 0);
		assert_int_equal(bundle_complete(b, 7, 1795341700, &diags), 0);
		assert_int_equal(bundle_write_manifest(b), 0);
		assert_int_equal(digest_equal(&b->id, &before->id), !changed);
		assert_int_equal(access(below(dir_path, BUNDLE_SIGNATURES), F_OK) == 0, !changed);
		assert_int_equal(b->manifest.made_s, changed ? 1795341700 : 1795341600);
	}
}

static void test_directory_is_exact(void **state)
{
	_cleanup_(scratch_done) struct scratch dir;
	char a[PATH_MAX];
	(void)state;
	scratch_init(&dir);
	snprintf(a, sizeof(a), "%s/a", dir.path);
	make_bundle(a, "1", RULE);

	write_text(below(a, "README"), "x");
	assert_int_equal(open_told(a, "README: it has no place in a bundle"), -EINVAL);
	unlink(below(a, "README"));

	write_text(below(a, "rules/more.yaml"), RULE);
	assert_int_equal(open_told(a, "rules/more.yaml: the manifest does not name it"), -EINVAL);
	unlink(below(a, "rules/more.yaml"));

	write_text(below(a, "rules/.web.yaml.swp"), "x");
	assert_int_equal(open_told(a, "rules/.web.yaml.swp: after the folder stands one name"), -EINVAL);
	unlink(below(a, "rules/.web.yaml.swp"));

	assert_int_equal(symlink("/etc/passwd", below(a, "rules/more.yaml")), 0);
	assert_int_equal(open_told(a, "rules/more.yaml: a link; a bundle holds files"), -EINVAL);
	unlink(below(a, "rules/more.yaml"));

	assert_int_equal(mkfifo(below(a, "rules/more.yaml"), 0600), 0);
	assert_int_equal(open_told(a, "rules/more.yaml: this is not a plain file"), -EINVAL);
	unlink(below(a, "rules/more.yaml"));

	assert_int_equal(symlink("rules", below(a, "policies")), 0);
	assert_int_equal(open_told(a, "policies: this is not a directory"), -EINVAL);
	unlink(below(a, "policies"));

	write_text(below(a, "rules/web.yaml"), RULE " ");
	assert_int_equal(open_told(a, "rules/web.yaml: it has another size"), -EINVAL);
	unlink(below(a, "rules/web.yaml"));
	assert_int_equal(open_told(a, "rules/web.yaml: the manifest names it, and it is not there"), -EINVAL);
	unlink(below(a, "manifest"));
	assert_int_equal(open_told(a, "manifest: it is missing"), -EINVAL);
}

static void test_not_there(void **state)
{
	_cleanup_(scratch_done) struct scratch dir;
	(void)state;
	scratch_init(&dir);
	assert_int_equal(open_told(below(dir.path, "a"), "it cannot be read: No such file"), -ENOENT);
}

/* A bundle of one file gets signatures in place. */
static void test_signatures_in_file(void **state)
{
	_cleanup_(scratch_done) struct scratch dir;
	_cleanup_(bundle_freep) struct bundle *b = NULL, *again = NULL;
	(void)state;
	scratch_init(&dir);
	make_bundle(below(dir.path, "a"), "1", RULE);
	b = open_bundle(below(dir.path, "a"));
	pack_to(b, below(dir.path, "a.bundle"));
	bundle_free(b);
	char path[PATH_MAX];
	snprintf(path, sizeof(path), "%s/a.bundle", dir.path);
	b = open_bundle(path);
	assert_int_equal(bundle_write_signatures(b, STR("x\n")), 0);
	again = open_bundle(path);
	assert_true(str_equals(again->signature_text, "x\n"));
	assert_true(digest_equal(&b->id, &again->id));
}

/* Lists come first, samples last, whatever their names. */
static void test_order_of_content(void **state)
{
	_cleanup_(scratch_done) struct scratch dir;
	_cleanup_(diag_list_done) struct diag_list diags;
	_cleanup_(bundle_freep) struct bundle *b = NULL;
	struct rule_set *set = NULL;
	char a[PATH_MAX];
	(void)state;
	scratch_init(&dir);
	diag_list_init(&diags, 20);
	snprintf(a, sizeof(a), "%s/a", dir.path);
	make_bundle(a, "1", RULE_TEXT("R", "evt.type = open and fd.name in (names)", "INFO"));
	mkdir(below(a, "lists"), 0755);
	mkdir(below(a, "samples"), 0755);
	write_text(below(a, "lists/zz.yaml"), "- list: names\n  items: [/x]\n");
	write_text(below(a, "samples/aa.yaml"),
	           "- rule: R\n  samples: {match: [{evt.type: open, fd.name: /x}]}\n  override: {samples: append}\n");
	assert_int_equal(bundle_read(a, &diags, &b), 0);
	assert_int_equal(bundle_parse(b, MANIFEST_HEAD, &diags), 0);
	assert_int_equal(bundle_complete(b, 7, 1795341600, &diags), 0);
	assert_int_equal(bundle_load_rules(b, NULL, NULL, &diags, &set), 0);
	assert_int_equal(rule_set_count(set), 1);
	assert_int_equal(rule_set_get(set, 0)->sample_count, 1);
	rule_set_free(set);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(test_both_forms),         cmocka_unit_test(test_complete),
	        cmocka_unit_test(test_directory_is_exact), cmocka_unit_test(test_not_there),
	        cmocka_unit_test(test_signatures_in_file), cmocka_unit_test(test_order_of_content),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
