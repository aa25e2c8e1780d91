/* SPDX-License-Identifier: Apache-2.0
 *
 * Samples of rules: how they are written, what they answer, what is said of a rule that fails them.
 */
#include "set_helper.h"

#define HEAD "- rule: R\n  desc: d\n  output: o\n  priority: notice\n  warn_evttypes: false\n"

static void assert_report(const char *text, const char *expected)
{
	struct loaded l = load_text(text);
	_cleanup_(buf_done) struct buf out;
	buf_init(&out, 1 << 16);
	assert_loaded(&l);
	samples_report(l.set, "R", &out);
	assert_string_equal(out.data ? out.data : "", expected);
	loaded_done(&l);
}

/* ---- judging ---- */

static void test_rule_that_passes(void **state)
{
	(void)state;
	assert_report(HEAD "  condition: evt.type = open and proc.name = x\n"
	                   "  samples:\n"
	                   "    match: [{evt.type: open, proc.name: x}]\n"
	                   "    nomatch: [{evt.type: open, proc.name: y}, {evt.type: open}]\n",
	              "");
}

static void test_rule_that_fails(void **state)
{
	(void)state;
	assert_report(HEAD "  condition: evt.type = open and proc.name = x\n"
	                   "  samples:\n"
	                   "    match:\n"
	                   "    - {name: wrong, evt.type: open, proc.name: y}\n"
	                   "    - {evt.type: open, proc.name: x}\n"
	                   "    nomatch:\n"
	                   "    - {name: also wrong, fields: {evt.type: open, proc.name: x}}\n",
	              "wrong: the rule does not match, and must\nalso wrong: the rule matches, and must not\n");
}

static void test_kind_of_sample_that_is_missing(void **state)
{
	(void)state;
	assert_report(HEAD "  condition: proc.name = x\n  samples: {match: [{proc.name: x}]}\n",
	              "rule: there is no sample that the rule must not match\n");
	assert_report(HEAD "  condition: proc.name = x\n  samples: {nomatch: [{proc.name: y}]}\n",
	              "rule: there is no sample that the rule must match\n");
	assert_report(HEAD "  condition: proc.name = x\n", "");
}

static void test_fields_that_are_never_exercised(void **state)
{
	(void)state;
	assert_report(
	        "- macro: never_true\n"
	        "  condition: (evt.num=0)\n"
	        "- macro: m\n"
	        "  condition: proc.aname[2] = a or proc.aname[3] = b or proc.env[X] = c\n" HEAD
	        "  condition: evt.type = open and (proc.name = x or m or never_true or evt.arg.flags contains y or m)\n"
	        "  samples:\n"
	        "    match: [{evt.type: open, proc.name: x, 'proc.aname[3]': ~}]\n"
	        "    nomatch: [{evt.type: open, proc.aname: z}]\n",
	        "rule: field proc.aname[2] is never exercised: no sample gives it a value\n"
	        "rule: field proc.aname[3] is never exercised: no sample gives it a value\n"
	        "rule: field proc.env[X] is never exercised: no sample gives it a value\n"
	        "rule: field evt.arg.flags is never exercised: no sample gives it a value\n");
}

/* The language knows "close", and no sensor makes such events: the rule would be silent for ever. */
static void test_type_that_is_never_seen(void **state)
{
	(void)state;
	assert_report(HEAD "  condition: evt.type in (close, open)\n"
	                   "  samples:\n"
	                   "    match: [{name: seen, evt.type: open}, {name: unseen, evt.type: close}]\n"
	                   "    nomatch: [{evt.type: mkdir}]\n",
	              "unseen: the condition matches, but picket has no event of this type for the rule\n");
}

static void test_keys_of_fields_are_told_apart(void **state)
{
	(void)state;
	assert_report(HEAD "  condition: proc.env[X] = a and proc.env[Y] = b\n  samples:\n"
	                   "    match: [{'proc.env[X]': a, 'proc.env[Y]': b}]\n"
	                   "    nomatch: [{'proc.env[X]': a}, {'proc.env[Y]': b}]\n",
	              "");
}

/* ---- writing ---- */

static struct value sample_value(const struct rule *r, size_t sample, const char *field)
{
	struct sample_source source;
	struct value v = {.kind = VALUE_NULL};
	_cleanup_(arena_done) struct arena arena;
	arena_init(&arena, 1 << 16);
	sample_source_init(&source, &r->samples[sample]);
	for (size_t i = 0; i < r->samples[sample].field_count; i++) {
		const struct rule_sample_field *f = &r->samples[sample].fields[i];
		if (strcmp(f->field, field) == 0)
			source.source.get(&source.source, &f->ref, &arena, &v);
	}
	return v;
}

static void test_values_have_their_fields_types(void **state)
{
	(void)state;
	struct loaded l = load_text(
	        HEAD
	        "  condition: evt.type = open\n  samples:\n    match:\n    - name: all kinds\n      fields:\n"
	        "        evt.type: open\n        evt.num: 7\n        evt.is_open_read: true\n        proc.pid: -1\n"
	        "        fd.name: 12\n"
	        "        fd.sip: 10.0.0.1\n"
	        "        fd.sport: 443\n"
	        "        fd.net: [10.0.0.1, '::1']\n"
	        "        proc.aname: sshd\n"
	        "        proc.aname[2]: init\n"
	        "        proc.exe: ~\n"
	        "        proc.cwd: '~'\n"
	        "        evt.rawarg.flags: 3\n");
	assert_loaded(&l);
	const struct rule *r = rule_set_get(l.set, 0);
	assert_int_equal(r->sample_count, 1);
	assert_string_equal(r->samples[0].name, "all kinds");
	assert_int_equal(r->samples[0].line, 9);
	assert_true(r->samples[0].must_match);
	assert_int_equal(sample_value(r, 0, "evt.num").kind, VALUE_U64);
	assert_int_equal(sample_value(r, 0, "evt.num").u64, 7);
	assert_int_equal(sample_value(r, 0, "evt.is_open_read").kind, VALUE_BOOL);
	assert_true(sample_value(r, 0, "evt.is_open_read").boolean);
	assert_int_equal(sample_value(r, 0, "proc.pid").s64, -1);
	assert_true(str_equals(sample_value(r, 0, "fd.name").str, "12"));
	assert_int_equal(sample_value(r, 0, "fd.sip").kind, VALUE_IP);
	assert_int_equal(sample_value(r, 0, "fd.sip").ip.bytes[0], 10);
	assert_int_equal(sample_value(r, 0, "fd.sport").u64, 443);
	struct value nets = sample_value(r, 0, "fd.net");
	assert_int_equal(nets.kind, VALUE_LIST);
	assert_int_equal(nets.list.count, 2);
	assert_int_equal(nets.list.items[1].ip.family, 6);
	struct value ancestors = sample_value(r, 0, "proc.aname");
	assert_int_equal(ancestors.kind, VALUE_LIST);
	assert_int_equal(ancestors.list.count, 1);
	assert_int_equal(sample_value(r, 0, "proc.aname[2]").kind, VALUE_STR);
	assert_int_equal(sample_value(r, 0, "proc.exe").kind, VALUE_NULL);
	assert_int_equal(sample_value(r, 0, "proc.cwd").kind, VALUE_STR);
	assert_int_equal(sample_value(r, 0, "evt.rawarg.flags").kind, VALUE_U64);
	loaded_done(&l);
}

static void test_source_tells_fields_apart_by_argument(void **state)
{
	(void)state;
	assert_report(HEAD "  condition: proc.aname[2] = a and not proc.aname[3] = a\n"
	                   "    and not proc.name exists and proc.aname in (b)\n"
	                   "  samples:\n"
	                   "    match: [{'proc.aname[2]': a, 'proc.aname[3]': b, proc.aname: b, proc.name: ~},\n"
	                   "      {'proc.aname[2]': a, proc.aname: b}]\n"
	                   "    nomatch: [{'proc.aname[3]': a, proc.aname: b}, {'proc.aname[2]': a, proc.aname: [a]},\n"
	                   "      {proc.name: x, 'proc.aname[2]': a, proc.aname: b}]\n",
	              "");
}

static void test_samples_are_appended_and_replaced(void **state)
{
	(void)state;
	const char *texts[] = {
	        HEAD "  condition: proc.name = x\n  samples: {match: [{name: one, proc.name: x}]}\n",
	        "- rule: R\n  samples: {nomatch: [{name: two, proc.name: y}]}\n  override: {samples: append}\n",
	        "- rule: R\n  samples: {match: [{name: three, proc.name: x}]}\n  override: {samples: replace}\n",
	};
	struct loaded l = load_texts(texts, 2), m = load_texts(texts, 3);
	assert_loaded(&l);
	assert_loaded(&m);
	assert_int_equal(rule_set_get(l.set, 0)->sample_count, 2);
	assert_string_equal(rule_set_get(l.set, 0)->samples[1].name, "two");
	assert_int_equal(rule_set_get(m.set, 0)->sample_count, 1);
	assert_string_equal(rule_set_get(m.set, 0)->samples[0].name, "three");
	loaded_done(&l);
	loaded_done(&m);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(test_rule_that_passes),
	        cmocka_unit_test(test_rule_that_fails),
	        cmocka_unit_test(test_kind_of_sample_that_is_missing),
	        cmocka_unit_test(test_fields_that_are_never_exercised),
	        cmocka_unit_test(test_keys_of_fields_are_told_apart),
	        cmocka_unit_test(test_type_that_is_never_seen),
	        cmocka_unit_test(test_values_have_their_fields_types),
	        cmocka_unit_test(test_source_tells_fields_apart_by_argument),
	        cmocka_unit_test(test_samples_are_appended_and_replaced),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
