/* SPDX-License-Identifier: Apache-2.0
 *
 * Where the text of a YAML scalar stands in its file, whatever the scalar's style: each word of the value must be found
 * in the file at the line and column that its segment tells.
 */
#include "set_helper.h"

#include "rule/set_int.h"

struct placed {
	struct doc_file *file;
	const struct source_text *text;
};

static struct placed place_value(const char *yaml, size_t length)
{
	struct placed p;
	struct diag_list diags;
	diag_list_init(&diags, 10);
	int r = doc_file_new("f.yaml", str_make(yaml, length), &diags, &p.file);
	if (r < 0)
		print_diags(&diags);
	assert_int_equal(r, 0);
	assert_int_equal(diags.count, 0);
	assert_int_equal(p.file->root_count, 1);
	p.text = doc_source(p.file, doc_get(p.file->roots[0], "k"));
	assert_non_null(p.text);
	return p;
}

static const char *file_at(const struct placed *p, unsigned line, unsigned column)
{
	assert_in_range(line, 1, p->file->line_count);
	return p->file->text.data + p->file->lines[line - 1] + column - 1;
}

static void diag_of(const struct placed *p, size_t offset, unsigned *ret_line, unsigned *ret_column)
{
	struct diag_list diags;
	diag_list_init(&diags, 1);
	struct diag *d = source_text_diag(p->text, offset, &diags, DIAG_ERROR, "X", "here");
	*ret_line = d->line;
	*ret_column = d->column;
	diag_list_done(&diags);
}

/* Words are [a-z0-9.]+, so that escapes and quotes end them. Returns their number. */
static size_t check_words(const struct placed *p)
{
	static const char letters[] = "abcdefghijklmnopqrstuvwxyz0123456789.";
	const char *value = p->text->text.data;
	size_t words = 0;
	for (size_t i = strcspn(value, letters); value[i];) {
		unsigned line, column;
		size_t length = strspn(value + i, letters);
		diag_of(p, i, &line, &column);
		if (strncmp(file_at(p, line, column), value + i, length) != 0)
			fail_msg("'%.*s' is not at %u:%u of\n%s", (int)length, value + i, line, column,
			         p->file->text.data);
		words++;
		i += length;
		i += strcspn(value + i, letters);
	}
	return words;
}

static const struct {
	const char *name, *yaml, *value;
} scalars[] = {
        {"plain", "k: one two three\n", "one two three"},
        {"plain, folded", "k: one two\n   three\n     four\n\n   five\n", "one two three four\nfive"},
        {"plain in the next line", "k:\n  one two\n  three\n", "one two three"},
        {"plain, tabs between", "k: one\ttwo\n  \tthree\n", "one\ttwo three"},
        {"plain in a flow", "{k: one\n  two, j: x}\n", "one two"},
        {"plain, then a comment", "k: one two # comment one\n", "one two"},
        {"plain, anchor", "k: &a one two\n", "one two"},
        {"plain, tag", "k: !!str one two\n", "one two"},
        {"plain, wide characters before", "{\"\xc3\xa4\xe4\xb8\xad\xf0\x9f\x98\x80\": x, k: one \xe4\xb8\xad two}\n",
         "one \xe4\xb8\xad two"},
        {"repeated words", "k: a a\n  a a\n\n  a\n", "a a a a\na"},
        {"single quoted", "k: 'one  two'\n", "one  two"},
        {"single quoted, quotes", "k: 'it''s one ''two'' three'\n", "it's one 'two' three"},
        {"single quoted, folded", "k: '  one\n  two\n\n  three  '\n", "  one two\nthree  "},
        {"double quoted", "k: \"one two\"\n", "one two"},
        {"double quoted, escapes", "k: \"one \\\"two\\\" \\x41bc \\u00e4 th\\tree \\\\ end\"\n",
         "one \"two\" Abc \xc3\xa4 th\tree \\ end"},
        {"double quoted, folded", "k: \"one\n   two\n\n   three\"\n", "one two\nthree"},
        {"double quoted, line end escaped", "k: \"one \\\n   two \\\n   three\"\n", "one two three"},
        {"literal", "k: |\n  one two\n    three\n\n  four\n", "one two\n  three\n\nfour\n"},
        {"literal, strip", "k: |-\n  one\n  two\n\n\n", "one\ntwo"},
        {"literal, keep", "k: |+\n  one\n\n  two\n\n", "one\n\ntwo\n\n"},
        {"literal, indentation told", "k: |2\n    one\n  two\n", "  one\ntwo\n"},
        {"literal, comment in the header", "k: | # one two\n  one\n  two\n", "one\ntwo\n"},
        {"folded", "k: >\n  one two\n  three\n\n  four\n", "one two three\nfour\n"},
        {"folded, deeper lines", "k: >\n  one\n    two\n    three\n  four\n", "one\n  two\n  three\nfour\n"},
        {"folded, strip", "k: >-\n\n  one\n  two\n", "\none two"},
        {"folded, trailing blanks", "k: >\n  one  \n  two\n", "one   two\n"},
        {"folded, anchor", "k: &x >\n  one\n  two\n", "one two\n"},
        {"CR LF", "k: >\r\n  one\r\n  two\r\n", "one two\n"},
        {"byte order mark", "\xef\xbb\xbfk: one\n  two\n", "one two"},
        {"comments and blank lines before", "# c\n\n---\n# d\nk: one\n", "one"},
};

static void test_words_are_where_they_are_said_to_be(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(scalars); i++) {
		struct placed p = place_value(scalars[i].yaml, strlen(scalars[i].yaml));
		if (strcmp(p.text->text.data, scalars[i].value) != 0)
			fail_msg("%s: value '%s', not '%s'", scalars[i].name, p.text->text.data, scalars[i].value);
		assert_in_range(check_words(&p), 1, 100);
		assert_int_equal(p.text->segments[0].offset, 0);
		doc_file_free(p.file);
	}
}

/* A line end that only YAML knows: at least the scalar's beginning. */
static void test_odd_line_end_is_placed_at_the_start(void **state)
{
	(void)state;
	static const char yaml[] = "k: one\xc2\x85  two\n";
	struct placed p = place_value(yaml, sizeof(yaml) - 1);
	unsigned line, column;
	diag_of(&p, 4, &line, &column);
	assert_int_equal(line, 1);
	assert_in_range(column, 4, 8);
	doc_file_free(p.file);
}

static void test_end_of_text_is_behind_its_last_character(void **state)
{
	(void)state;
	static const char yaml[] = "k: >-\n  one\n  two\n";
	struct placed p = place_value(yaml, sizeof(yaml) - 1);
	unsigned line, column;
	diag_of(&p, p.text->text.length, &line, &column);
	assert_int_equal(line, 3);
	assert_int_equal(column, 6);
	doc_file_free(p.file);
}

static void test_joined_text_keeps_both_places(void **state)
{
	(void)state;
	static const char yaml[] = "k: one\n  two\n";
	struct placed p = place_value(yaml, sizeof(yaml) - 1);
	struct source_text joined, trimmed;
	assert_int_equal(text_join(&p.file->arena, p.text, p.text, &joined), 0);
	assert_string_equal(joined.text.data, "one two one two");
	struct placed both = {p.file, &joined};
	assert_int_equal(check_words(&both), 4);
	_cleanup_(text_builder_done) struct text_builder b;
	text_builder_init(&b, 100);
	text_builder_add_text(&b, "  \n", p.text, 0);
	text_builder_add(&b, p.text);
	text_builder_cut(&b, 8);
	struct source_text cut;
	assert_int_equal(text_builder_finish(&b, &p.file->arena, &cut), 0);
	assert_string_equal(cut.text.data, "  \none t");
	assert_int_equal(text_trim(&p.file->arena, &cut, &trimmed), 0);
	assert_string_equal(trimmed.text.data, "one t");
	struct placed third = {p.file, &trimmed};
	assert_int_equal(check_words(&third), 2);
	doc_file_free(p.file);
}

static void test_text_has_a_limit(void **state)
{
	(void)state;
	static const char yaml[] = "k: one two\n";
	struct placed p = place_value(yaml, sizeof(yaml) - 1);
	_cleanup_(text_builder_done) struct text_builder b;
	text_builder_init(&b, 10);
	text_builder_add(&b, p.text);
	text_builder_add(&b, p.text);
	struct source_text t;
	assert_int_equal(text_builder_finish(&b, &p.file->arena, &t), -ENOBUFS);
	doc_file_free(p.file);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(test_words_are_where_they_are_said_to_be),
	        cmocka_unit_test(test_odd_line_end_is_placed_at_the_start),
	        cmocka_unit_test(test_end_of_text_is_behind_its_last_character),
	        cmocka_unit_test(test_joined_text_keeps_both_places),
	        cmocka_unit_test(test_text_has_a_limit),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
