/* SPDX-License-Identifier: Apache-2.0 */
#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/file.h"
#include "sensors.h"

#define FILE_BYTES_MAX (1u << 20)
#define SEPARATOR "; "

struct reader {
	const char *file;
	int line;
	struct case_list *list;
	struct test_case *test; /* being read */
};

static int mistake(const struct reader *r, const char *what, const char *text)
{
	fprintf(stderr, "%s:%d: %s: %s\n", r->file, r->line, what, text);
	return -EINVAL;
}

/* ---- conditions ---- */
static size_t find_operator(const char *text, enum operator* ret_operator, size_t *ret_length)
{
	static const struct {
		const char *text;
		enum operator op;
	} operators[] = {{"!=", OP_DIFFERENT}, {">=", OP_AT_LEAST}, {"<=", OP_AT_MOST}, {"=", OP_EQUAL},
	                 {"<", OP_LESS},       {">", OP_MORE},      {"~", OP_CONTAINS}};
	bool bracket = false;

	for (size_t at = 0; text[at]; at++) {
		bracket = text[at] == '[' || (bracket && text[at] != ']');
		for (size_t i = 0; !bracket && i < ARRAY_SIZE(operators); i++) {
			if (strncmp(text + at, operators[i].text, strlen(operators[i].text)) != 0)
				continue;
			*ret_operator = operators[i].op;
			*ret_length = strlen(operators[i].text);
			return at;
		}
	}
	return 0;
}

/* The field's argument in brackets, which field_parse_prefix() leaves. */
static int parse_bracket(const char *text, struct field_ref *ref)
{
	size_t length = strlen(text);
	uint64_t index;

	if (length == 0)
		return 0; /* no argument */
	if (length < 3 || text[0] != '[' || text[length - 1] != ']')
		return -EINVAL;
	struct str inner = str_make(text + 1, length - 2);
	if (str_to_u64(inner, &index) == 0) {
		ref->has_index = true;
		ref->index = (uint32_t)index;
	} else {
		ref->has_key = true;
		ref->key = inner;
	}
	return 0;
}

int field_read(const char *text, struct field_ref *ret_ref)
{
	size_t length;
	int err = field_parse_prefix(str_from(text), ret_ref, &length);

	return err ? err : parse_bracket(text + length, ret_ref);
}

static int find_slot(struct test_case *t, const struct field_ref *ref, size_t *ret_slot)
{
	for (size_t i = 0; i < t->field_count; i++) {
		const struct field_ref *f = &t->fields[i];
		if (f->id == ref->id && f->has_index == ref->has_index && f->has_key == ref->has_key &&
		    f->index == ref->index && str_equal(f->key, ref->key)) {
			*ret_slot = i;
			return 0;
		}
	}
	if (t->field_count == CASE_FIELDS_MAX)
		return -ENOSPC;
	t->fields[t->field_count] = *ref;
	*ret_slot = t->field_count++;
	return 0;
}

static int parse_condition(struct reader *r, char *text, struct condition *ret_condition)
{
	struct condition c = {};
	size_t length, at = find_operator(text, &c.op, &length);

	if (at == 0)
		return mistake(r, "no operator in", text);
	c.field = strndup(text, at);
	c.value = strdup(text + at + length);
	if (!c.field || !c.value)
		return -ENOMEM;
	if (field_read(c.field, &c.ref))
		return mistake(r, "no such field", c.field);
	if (find_slot(r->test, &c.ref, &c.slot))
		return mistake(r, "too many fields in this case", c.field);
	*ret_condition = c;
	return 0;
}

static int parse_expectation(struct reader *r, enum expectation_kind kind, char *text)
{
	struct test_case *t = r->test;
	struct expectation *e = reallocarray(t->expectations, t->count + 1, sizeof(*e));

	if (!e)
		return -ENOMEM;
	t->expectations = e;
	e += t->count++;
	*e = (struct expectation){.kind = kind, .line = r->line};
	while (text) {
		char *next = strstr(text, SEPARATOR);
		struct condition *c = reallocarray(e->conditions, e->count + 1, sizeof(*c));
		if (!c)
			return -ENOMEM;
		e->conditions = c;
		if (next) {
			*next = '\0';
			next += strlen(SEPARATOR);
		}
		int err = parse_condition(r, text, &c[e->count]);
		if (err)
			return err;
		if (strcmp(c[e->count++].field, "evt.incomplete") == 0)
			e->incomplete_allowed = true;
		text = next;
	}
	return 0;
}

/* ---- statements ---- */
static int parse_counters(struct reader *r, char *text, uint64_t *bits)
{
	for (char *word = strtok(text, " "); word; word = strtok(NULL, " ")) {
		int counter = counter_by_name(word);
		if (counter < 0)
			return mistake(r, "no such counter", word);
		*bits |= 1ull << counter;
	}
	return 0;
}

static int parse_run(struct reader *r, char *text)
{
	size_t n = 0;

	for (; r->test->args[n]; n++) {
		free(r->test->args[n]);
		r->test->args[n] = NULL;
	}
	n = 0;
	for (char *word = strtok(text, " "); word; word = strtok(NULL, " ")) {
		if (n == CASE_ARGS_MAX)
			return mistake(r, "too many arguments", word);
		r->test->args[n++] = strdup(word);
	}
	return 0;
}

static int begin_case(struct reader *r, const char *name)
{
	struct case_list *l = r->list;
	struct test_case *cases = reallocarray(l->cases, l->count + 1, sizeof(*cases));

	if (!cases)
		return -ENOMEM;
	l->cases = cases;
	r->test = &cases[l->count++];
	*r->test = (struct test_case){
	        .name = strdup(name), .file = strdup(r->file), .line = r->line, .args = {strdup(name)}};
	return r->test->name && r->test->file && r->test->args[0] ? 0 : -ENOMEM;
}

static int parse_statement(struct reader *r, char *word, char *rest)
{
	if (strcmp(word, "case") == 0)
		return begin_case(r, rest);
	if (!r->test)
		return mistake(r, "a case must begin before", word);
	if (strcmp(word, "run") == 0)
		return parse_run(r, rest);
	if (strcmp(word, "expect") == 0)
		return parse_expectation(r, EXPECT_ONE, rest);
	if (strcmp(word, "some") == 0)
		return parse_expectation(r, EXPECT_SOME, rest);
	if (strcmp(word, "none") == 0)
		return parse_expectation(r, EXPECT_NONE, rest);
	if (strcmp(word, "allow") == 0)
		return parse_counters(r, rest, &r->test->allowed);
	if (strcmp(word, "counts") == 0)
		return parse_counters(r, rest, &r->test->counted);
	if (strcmp(word, "preload") == 0) {
		r->test->preload = true;
		return 0;
	}
	if (strcmp(word, "host") == 0 || strcmp(word, "container") == 0) {
		r->test->only_host = word[0] == 'h';
		r->test->only_container = word[0] == 'c';
		return 0;
	}
	if (strcmp(word, "machine") == 0) {
		r->test->machine = strdup(rest);
		return r->test->machine ? 0 : -ENOMEM;
	}
	if (strcmp(word, "kernel") == 0 && sscanf(rest, "%u.%u", &r->test->kernel_major, &r->test->kernel_minor) == 2)
		return 0;
	return mistake(r, "what is", word);
}

static int parse_line(struct reader *r, struct str line)
{
	struct str trimmed = str_trim(line);

	if (trimmed.length == 0 || trimmed.data[0] == '#')
		return 0;
	_cleanup_(base_free_ptr) char *text = strndup(trimmed.data, trimmed.length);
	if (!text)
		return -ENOMEM;
	char *rest = text + strcspn(text, " \t");
	while (*rest == ' ' || *rest == '\t')
		*rest++ = '\0';
	return parse_statement(r, text, rest);
}

int cases_read(const char *file, struct case_list *list)
{
	struct reader r = {.file = file, .list = list};
	_cleanup_(buf_done) struct buf text;
	struct str rest, line;
	int err;

	buf_init(&text, FILE_BYTES_MAX);
	err = file_read(file, &text);
	if (err < 0) {
		fprintf(stderr, "%s: %s\n", file, strerror(-err));
		return err;
	}
	rest = buf_str(&text);
	while (str_next(&rest, '\n', &line)) {
		r.line++;
		err = parse_line(&r, line);
		if (err)
			return err;
	}
	return 0;
}

void cases_done(struct case_list *list)
{
	for (size_t i = 0; i < list->count; i++) {
		struct test_case *t = &list->cases[i];
		for (size_t e = 0; e < t->count; e++) {
			for (size_t c = 0; c < t->expectations[e].count; c++) {
				free(t->expectations[e].conditions[c].field);
				free(t->expectations[e].conditions[c].value);
			}
			free(t->expectations[e].conditions);
		}
		for (size_t a = 0; t->args[a]; a++)
			free(t->args[a]);
		free(t->expectations);
		free(t->machine);
		free(t->name);
		free(t->file);
	}
	free(list->cases);
	*list = (struct case_list){};
}
