/* SPDX-License-Identifier: Apache-2.0 */
#include "trust_helper.h"

#include "trust/manifest.h"

#define HEX "497308939c3ed1f0fcc8717eb4e128e786f7ea8369fb5d2ea91b1b0ca29f9c15"
#define HEAD_LINES "picket-bundle 1\nname web\nversion 12\ntitle A title, caf\xc3\xa9\n"
#define BUILT_LINES "schema 00000000000000ff\nmade 2026-11-22T10:00:00Z\n"
#define LAST_LINES "expires 2027-02-28T23:59:59Z\npower deny:connect\npower kill\n"
#define FILE_LINES "file lists/a.yaml 0 " HEX "\nfile rules/a.yaml 16777216 " HEX "\n"
#define WHOLE HEAD_LINES BUILT_LINES LAST_LINES FILE_LINES

struct parsed {
	struct arena arena;
	struct diag_list diags;
	struct manifest m;
	int r;
};

static struct parsed parse(const char *text, enum manifest_form form)
{
	struct parsed p = {0};
	arena_init(&p.arena, 1 << 20);
	diag_list_init(&p.diags, 10);
	p.r = manifest_parse(str_from(text), "manifest", form, &p.arena, &p.diags, &p.m);
	return p;
}

static void parsed_done(struct parsed *p)
{
	arena_done(&p->arena);
	diag_list_done(&p->diags);
}

static void assert_written(const struct manifest *m, enum manifest_form form, const char *expected)
{
	_cleanup_(buf_done) struct buf out;
	buf_init(&out, MANIFEST_BYTES_MAX);
	manifest_write(m, form, &out);
	assert_string_equal(out.data, expected);
}

static void test_read_and_written(void **state)
{
	struct parsed p = parse(WHOLE, MANIFEST_WHOLE);
	(void)state;
	assert_int_equal(p.r, 0);
	assert_true(str_equals(p.m.name, "web"));
	assert_int_equal(p.m.version, 12);
	assert_true(str_equals(p.m.title, "A title, caf\xc3\xa9"));
	assert_int_equal(p.m.schema, 255);
	assert_int_equal(p.m.made_s, 1795341600);
	assert_int_equal(p.m.expires_s, 1803859199);
	assert_int_equal(p.m.power_count, 2);
	assert_true(str_equals(p.m.powers[1], "kill"));
	assert_int_equal(p.m.file_count, 2);
	assert_int_equal(p.m.files[0].kind, BUNDLE_LISTS);
	assert_int_equal(p.m.files[1].kind, BUNDLE_RULES);
	assert_int_equal(p.m.files[1].size, 16777216);
	assert_written(&p.m, MANIFEST_WHOLE, WHOLE);
	assert_written(&p.m, MANIFEST_HEAD, HEAD_LINES LAST_LINES);
	parsed_done(&p);
}

static void test_head(void **state)
{
	struct parsed p = parse(HEAD_LINES LAST_LINES, MANIFEST_HEAD);
	(void)state;
	assert_int_equal(p.r, 0);
	assert_int_equal(p.m.file_count, 0);
	parsed_done(&p);
	p = parse(WHOLE, MANIFEST_HEAD);
	assert_int_equal(p.r, 0);
	assert_int_equal(p.m.file_count, 2);
	parsed_done(&p);
	p = parse(HEAD_LINES LAST_LINES, MANIFEST_WHOLE);
	assert_int_equal(p.r, -EINVAL);
	assert_told(&p.diags, "manifest:5:1: here must stand \"schema\"");
	parsed_done(&p);
}

/* What is wrong is told with its place. */
static void test_places(void **state)
{
	static const struct {
		const char *text, *told;
	} cases[] = {
	        {"picket-bundle 2\n", "manifest:1:15: this picket reads bundles of format 1 only"},
	        {HEAD_LINES "schema 00000000000000fg\n", "manifest:5:23: a fingerprint has digits"},
	        {HEAD_LINES BUILT_LINES LAST_LINES "file rules/a/b.yaml 0 " HEX "\n",
	         "manifest:10:13: after the folder"},
	        {HEAD_LINES BUILT_LINES LAST_LINES "file ../a.yaml 0 " HEX "\n", "manifest:10:6: a path begins with"},
	        {HEAD_LINES BUILT_LINES LAST_LINES "file rules/a.yaml 1x " HEX "\n", "manifest:10:19: a file's size"},
	        {"picket-bundle 1\nname web\nversion 12\ntitle a\x07\n",
	         "manifest:4:8: a byte that is no printable text: 0x07"},
	        {"picket-bundle 1\nname web", "manifest:2:9: the line does not end"},
	        {WHOLE "file rules/a.yaml 0 " HEX "\n", "manifest:12:6: files stand once each"},
	        {WHOLE "power x\n", "manifest:12:1: a line that has no place here"},
	};
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct parsed p = parse(cases[i].text, MANIFEST_WHOLE);
		assert_int_equal(p.r, -EINVAL);
		assert_told(&p.diags, cases[i].told);
		parsed_done(&p);
	}
}

static void test_times(void **state)
{
	static const struct {
		uint64_t time_s;
		const char *text;
	} cases[] = {{0, "1970-01-01T00:00:00Z"},
	             {951782400, "2000-02-29T00:00:00Z"},
	             {4107542399, "2100-02-28T23:59:59Z"},
	             {253402300799, "9999-12-31T23:59:59Z"}};
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		_cleanup_(buf_done) struct buf out;
		buf_init(&out, 64);
		trust_add_time(cases[i].time_s, &out);
		assert_string_equal(out.data, cases[i].text);
	}
}

/* The names are those of b2sum -l 256. */
static void test_digest(void **state)
{
	_cleanup_(buf_done) struct buf out;
	struct digest d = digest_of(STR("abc")), two = digest_of_two(STR("a"), STR("bc"));
	(void)state;
	buf_init(&out, 128);
	digest_add(&d, DIGEST_HEX, &out);
	assert_string_equal(out.data, "bddd813c634239723171ef3fee98579b94964e3bb1cb3e427262c8c068d52319");
	assert_true(digest_equal(&d, &two));
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(test_read_and_written), cmocka_unit_test(test_head),
	                                   cmocka_unit_test(test_places), cmocka_unit_test(test_times),
	                                   cmocka_unit_test(test_digest)};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
