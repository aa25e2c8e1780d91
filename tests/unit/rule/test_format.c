/* SPDX-License-Identifier: Apache-2.0 */
#include "condition_helper.h"

static const struct value ancestors[] = {V_STR("bash"), V_STR("sshd")};
static const struct table_row rows[] = {
        {"evt.time", V_STR("12:00:00.000000000")},
        {"evt.rawtime", V_U64(1700000000000000001)},
        {"evt.rawtime.ns", V_U64(42)},
        {"evt.arg.path", V_STR("/etc/shadow")},
        {"evt.arg[0]", V_STR("3")},
        {"evt.buffer", V_BYTES("a\0b\xff")},
        {"evt.is_open_read", V_BOOL(true)},
        {"proc.name", V_STR("cat")},
        {"proc.cmdline", V_STR("cat \x1b[31m\n\xff\xc3\xa4")},
        {"proc.pid", V_S64(-5)},
        {"proc.aname", V_STR("bash sshd")},
        {"proc.aname[2]", V_STR("sshd")},
        {"proc.env[A]", V_STR("1")},
        {"fd.dev", V_U64(0xfd01)},
        {"fd.names", V_LIST(ancestors)},
        {"fd.sip", V_IP4(10, 0, 0, 1)},
        {"user.name", V_STR("\xc3\xa4\xc3\xb6\xc3\xbc")},
};
static const struct table_source event = TABLE_SOURCE(rows);

static struct format *format_make(const char *text)
{
	struct diag_list diags;
	struct format *f = NULL;
	diag_list_init(&diags, 10);
	if (format_new(str_from(text), "test", &diags, &f) < 0) {
		print_diags(&diags);
		diag_list_done(&diags);
		fail_msg("%s", text);
	}
	diag_list_done(&diags);
	return f;
}

static void test_write(void **state)
{
	(void)state;
	static const struct {
		const char *text, *written;
	} table[] = {
	        {"", ""},
	        {"plain", "plain"},
	        {"name=%proc.name.", "name=cat."},
	        {"%proc.name%proc.pid", "cat-5"},
	        {"%proc.namexyz", "catxyz"}, /* the longest field that is one */
	        {"%evt.arg.path/x", "/etc/shadow/x"},
	        {"%evt.arg[0]", "3"},
	        {"%proc.aname[2] %proc.aname", "sshd bash sshd"},
	        {"%proc.env[A]", "1"},
	        {"%proc.env['A']", "1"},
	        {"%proc.name[2]", "cat[2]"}, /* takes none: text */
	        {"%k8s.ns.name", "<NA>"},
	        {"100% of %proc.name", "100% of cat"},
	        {"100%", "100%"},
	        {"%%proc.name", "%cat"},
	        {"%5d", "%5d"},
	        {"%(proc.name)", "%(proc.name)"},
	        {"%tolower(proc.name)", "cat"},
	        {"%toupper(proc.name)!", "CAT!"},
	        {"%toupper( concat(proc.name, \"-\", proc.pid) )", "CAT--5"},
	        {"%toupper(proc.aname)", "BASH SSHD"},
	        {"%tolower(k8s.ns.name)", "<NA>"},
	        {"%len(proc.name)", "3"},
	        {"%5proc.name|", "cat  |"},
	        {"%2proc.name|", "ca|"},
	        {"%3proc.name|", "cat|"},
	        {"%2user.name|", "\xc3\xa4\xc3\xb6|"}, /* characters, not bytes */
	        {"%5user.name|", "\xc3\xa4\xc3\xb6\xc3\xbc  |"},
	        {"%6toupper(proc.name)|", "CAT   |"},
	        {"%10k8s.ns.name|", "<NA>      |"},
	        {"%0proc.name", "cat"},
	        {"%proc.cmdline", "cat \xef\xbf\xbd[31m\xef\xbf\xbd\xef\xbf\xbd\xc3\xa4"},
	        {"%evt.buffer", "a.b."},
	        {"%evt.is_open_read", "true"},
	        {"%fd.dev", "FD01"},
	        {"%evt.rawtime.ns", "000000042"},
	        {"%fd.names", "(bash,sshd)"},
	        {"%join(\"+\", fd.names)", "bash+sshd"},
	        {"%fd.sip", "10.0.0.1"},
	        {"%evt.time", "12:00:00.000000000"},
	        {"a%container.info|b", "a|b"},
	};
	for (size_t i = 0; i < ARRAY_SIZE(table); i++) {
		struct arena arena;
		struct buf out;
		struct format *f = format_make(table[i].text);
		arena_init(&arena, 1 << 20);
		buf_init(&out, 1 << 20);
		buf_add_text(&out, ">");
		format_write(f, &event.source, &arena, &out);
		if (strcmp(out.data + 1, table[i].written) != 0)
			fail_msg("%s: %s, expected %s", table[i].text, out.data + 1, table[i].written);
		buf_done(&out);
		arena_done(&arena);
		format_free(f);
	}
}

static void test_fields(void **state)
{
	(void)state;
	struct arena arena;
	arena_init(&arena, 1 << 20);
	struct format *f = format_make(
	        "%evt.time %5proc.name %proc.name %toupper(proc.pname) %proc.aname[2] %fd.dev %proc.pid %k8s.ns.name");
	static const char *const names[] = {"evt.time",   "proc.name",     "toupper(proc.pname)",
	                                    "proc.pname", "proc.aname[2]", "fd.dev",
	                                    "proc.pid",   "k8s.ns.name"};
	static const enum value_kind kinds[] = {VALUE_U64, VALUE_STR, VALUE_NULL, VALUE_NULL,
	                                        VALUE_STR, VALUE_U64, VALUE_S64,  VALUE_NULL};
	assert_int_equal(format_field_count(f), ARRAY_SIZE(names));
	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		struct value v;
		format_field_get(f, i, &event.source, &arena, &v);
		assert_true(str_equals(format_field_name(f, i), names[i]));
		assert_int_equal(v.kind, kinds[i]);
		assert_int_equal(format_field_print(f, i), i == 5 ? PRINT_HEX : PRINT_PLAIN);
		if (i == 0)
			assert_true(v.u64 == 1700000000000000001);
	}
	assert_true(format_uses_field(f, FIELD_PROC_PNAME));
	assert_false(format_uses_field(f, FIELD_FD_NAME));
	format_free(f);
	arena_done(&arena);
}

/* An output asks for the joined form of a list, but a transformer of lists for the list. */
static void joined_get(const struct field_source *source, const struct field_ref *ref, struct arena *arena,
                       struct value *ret_value)
{
	(void)source;
	(void)arena;
	static const struct value joined = V_STR("bash sshd"), list = V_LIST(ancestors);
	*ret_value = ref->output ? joined : list;
}

static void test_joined(void **state)
{
	(void)state;
	static const struct field_source source = {.get = joined_get};
	struct arena arena;
	struct buf out;
	struct value v;
	struct format *f = format_make("%proc.aname %join(\"+\", proc.aexe) %len(proc.aname)");
	arena_init(&arena, 1 << 20);
	buf_init(&out, 1000);
	format_write(f, &source, &arena, &out);
	assert_string_equal(out.data, "bash sshd bash+sshd 2");
	assert_true(str_equals(format_field_name(f, 2), "proc.aexe"));
	format_field_get(f, 2, &source, &arena, &v);
	assert_int_equal(v.kind, VALUE_STR);
	buf_done(&out);
	arena_done(&arena);
	format_free(f);
}

static void test_errors(void **state)
{
	(void)state;
	static const struct {
		const char *text;
		unsigned line, column;
		const char *says;
	} table[] = {
	        {"a %proc.nane b", 1, 4, "there is no field 'proc.nane'"},
	        {"a\nb %foo.bar", 2, 4, "there is no field 'foo.bar'"},
	        {"%evt.arg.nonsense", 1, 10, "no event has an argument 'nonsense'"},
	        {"%evt.arg x", 1, 9, "evt.arg needs a name after it"},
	        {"%proc.aname[x]", 1, 13, "expected a number in the brackets"},
	        {"%proc.aname[2", 1, 14, "expected ']'"},
	        {"%fd.ip", 1, 2, "fd.ip is for conditions only"},
	        {"%toupper(proc.nane)", 1, 10, "there is no field 'proc.nane'"},
	        {"%toupper(proc.name", 1, 19, "expected ')'"},
	        {"%lower(proc.name)", 1, 2, "there is no transformer 'lower'"},
	        {"%toupper(proc.pid)", 1, 10, "toupper() takes text"},
	        {"%1001proc.name", 1, 2, "at most 1000 columns"},
	        {"%99999999999999999999999999proc.name", 1, 2, "at most 1000 columns"},
	        {"%container.label", 1, 17, "needs an argument in brackets"},
	};
	for (size_t i = 0; i < ARRAY_SIZE(table); i++) {
		struct diag_list diags;
		struct format *f = NULL;
		diag_list_init(&diags, 10);
		int r = format_new(str_from(table[i].text), "test", &diags, &f);
		const struct diag *d = diags.items;
		if (r != -EINVAL || diags.count != 1 || d->line != table[i].line || d->column != table[i].column ||
		    !strstr(d->text, table[i].says)) {
			print_diags(&diags);
			fail_msg("%s: %d", table[i].text, r);
		}
		assert_string_equal(d->code, "LOAD_ERR_COMPILE_OUTPUT");
		diag_list_done(&diags);
	}
}

static void test_all_errors(void **state)
{
	(void)state;
	struct diag_list diags;
	struct format *f = NULL;
	static const char text[] = "%foo.bar %proc.name %bar.foo";
	struct text_segment segment = {.line = 3, .column = 9};
	const struct source_text t = {str_from(text), &segment, 1};
	diag_list_init(&diags, 10);
	assert_int_equal(format_from_text(&t, &diags, &f), -ENOENT);
	assert_int_equal(diags.count, 2);
	assert_int_equal(diags.items[1].line, 3);
	assert_int_equal(diags.items[1].column, 9 + 21);
	diag_list_done(&diags);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(test_write),  cmocka_unit_test(test_fields),     cmocka_unit_test(test_joined),
	        cmocka_unit_test(test_errors), cmocka_unit_test(test_all_errors),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
