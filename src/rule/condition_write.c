/* SPDX-License-Identifier: Apache-2.0
 *
 * Conditions as text that reads back as the same condition, and numbers for what has the same text.
 */
#include "rule/condition_int.h"

#include <errno.h>

#define INDENT "    "
#define TEXT_BYTES_MAX (64u << 20) /* of one test, with all its literals */

/* ---- strings ---- */

/* Would it be read as this one string, whatever stands before it? */
static bool is_plain(struct str s)
{
	for (size_t i = 0; i < s.length; i++) {
		if (!char_is_bare(s.data[i]))
			return false;
	}
	for (enum cond_modifier m = MODIFIER_ONEOF; m <= MODIFIER_ALLOF; m++) {
		if (str_equals(s, cond_modifier_name(m)))
			return false;
	}
	return s.length > 0;
}

static void write_quoted(struct str s, struct buf *out)
{
	static const char bytes[] = "\b\f\n\r\t\\\"", letters[] = "bfnrt\\\"";
	buf_add_char(out, '"');
	for (size_t i = 0; i < s.length; i++) {
		const char *at = s.data[i] ? strchr(bytes, s.data[i]) : NULL;
		if (at)
			buf_add_char(out, '\\');
		buf_add_char(out, at ? letters[at - bytes] : s.data[i]);
	}
	buf_add_char(out, '"');
}

static void write_string(struct str s, struct buf *out)
{
	if (is_plain(s))
		buf_add_str(out, s);
	else
		write_quoted(s, out);
}

/* ---- expressions ---- */

static bool is_plain_arg(struct str s)
{
	for (size_t i = 0; i < s.length; i++) {
		if (char_is_blank(s.data[i]) || s.data[i] == '\0' || strchr("[]\"'", s.data[i]))
			return false;
	}
	return s.length > 0;
}

static void write_arguments(const struct expr *e, struct buf *out)
{
	buf_add_char(out, '(');
	for (size_t i = 0; i < e->arg_count; i++) {
		buf_add_text(out, i ? ", " : "");
		expr_write(e->args[i], out);
	}
	buf_add_char(out, ')');
}

void expr_write(const struct expr *e, struct buf *out)
{
	if (e->kind == EXPR_TEXT)
		write_quoted(e->name, out);
	else
		buf_add_str(out, e->name);
	if (e->kind == EXPR_CALL || e->kind == EXPR_LIST)
		write_arguments(e, out);
	if (!e->has_arg)
		return;
	buf_add_char(out, '[');
	if (is_plain_arg(e->arg))
		buf_add_str(out, e->arg);
	else
		write_quoted(e->arg, out);
	buf_add_char(out, ']');
}

/* ---- tests ---- */

static void write_right(const struct expr *right, struct buf *out)
{
	buf_add_text(out, right->kind == EXPR_FIELD ? " val(" : " ");
	expr_write(right, out);
	buf_add_text(out, right->kind == EXPR_FIELD ? ")" : "");
}

static void write_list(const struct cond_test *t, struct buf *out)
{
	buf_add_text(out, " (");
	for (size_t i = 0; i < t->literal_count; i++) {
		buf_add_text(out, i ? ", " : "");
		write_string(t->literals[i].text, out);
	}
	buf_add_char(out, ')');
}

static void test_write(const struct cond_test *t, struct buf *out)
{
	const struct cond_op_info *op = cond_op_info(t->op);
	expr_write(t->left, out);
	buf_printf(out, " %s", op->name);
	if (t->modifier)
		buf_printf(out, " %s", cond_modifier_name(t->modifier));
	if (t->right) {
		write_right(t->right, out);
	} else if (op->operand == OPERAND_LIST || t->modifier) {
		write_list(t, out);
	} else if (op->operand != OPERAND_NONE) {
		buf_add_char(out, ' ');
		write_string(t->literals[0].text, out);
	}
}

/* ---- trees ---- */

static void write_indent(unsigned indent, struct buf *out)
{
	for (unsigned i = 0; i < indent; i++)
		buf_add_text(out, INDENT);
}

static void write_tree(const struct cond *c, unsigned indent, struct buf *out);

/* What stands in one place: a group gets parentheses. */
static void write_item(const struct cond *c, unsigned indent, struct buf *out)
{
	if (c->kind != COND_AND && c->kind != COND_OR) {
		write_tree(c, indent, out);
		return;
	}
	buf_add_text(out, "(\n");
	write_indent(indent + 1, out);
	write_tree(c, indent + 1, out);
	buf_add_char(out, '\n');
	write_indent(indent, out);
	buf_add_char(out, ')');
}

/* Begins in the line that out stands in, at indent; writes no end of line. */
static void write_tree(const struct cond *c, unsigned indent, struct buf *out)
{
	switch (c->kind) {
	case COND_AND:
	case COND_OR:
		for (size_t i = 0; i < c->count; i++) {
			if (i > 0) {
				buf_add_char(out, '\n');
				write_indent(indent, out);
				buf_add_text(out, c->kind == COND_AND ? "and " : "or ");
			}
			write_item(c->items[i], indent, out);
		}
		break;
	case COND_NOT:
		buf_add_text(out, "not ");
		write_item(c->items[0], indent, out);
		break;
	case COND_TEST:
		test_write(c->test, out);
		break;
	case COND_MACRO:
		buf_add_str(out, c->macro.name);
		break;
	}
}

void cond_explain(const struct cond *cond, unsigned indent, struct buf *out)
{
	write_indent(indent, out);
	write_tree(cond, indent, out);
	buf_add_char(out, '\n');
}

void cond_test_explain(const struct cond_test *test, struct buf *out)
{
	test_write(test, out);
}

/* ---- numbers ---- */

struct numbering {
	struct cond_numbers *numbers;
	struct buf text;
	int error;
};

void cond_numbers_init(struct cond_numbers *n)
{
	*n = (struct cond_numbers){0};
	map_init(&n->exprs, RULE_NODES_MAX);
	map_init(&n->tests, RULE_NODES_MAX);
}

void cond_numbers_done(struct cond_numbers *n)
{
	map_done(&n->exprs);
	map_done(&n->tests);
}

/* The number of the text; a new one gets the next. The map's value is the number itself. */
static size_t number_of(struct numbering *n, struct map *map, size_t *count)
{
	int r = buf_error(&n->text);
	if (r == 0) {
		void *known = map_get(map, buf_str(&n->text));
		if (known)
			return (size_t)(uintptr_t)known;
		r = map_put(map, buf_str(&n->text), (void *)(uintptr_t)(*count + 1), NULL);
	}
	if (r == 0)
		return ++*count;
	if (r == -ENOMEM)
		n->error = -ENOMEM;
	return 0; /* at a limit: it goes without */
}

static void number_expr(struct numbering *n, struct expr *e)
{
	for (size_t i = 0; i < e->arg_count; i++)
		number_expr(n, e->args[i]);
	if (e->kind != EXPR_FIELD && e->kind != EXPR_CALL)
		return;
	buf_clear(&n->text);
	expr_write(e, &n->text);
	e->number = number_of(n, &n->numbers->exprs, &n->numbers->expr_count);
}

static void number_test(void *userdata, struct cond_test *t)
{
	struct numbering *n = userdata;
	if (t->number)
		return;
	number_expr(n, t->left);
	if (t->right)
		number_expr(n, t->right);
	buf_clear(&n->text);
	test_write(t, &n->text);
	t->number = number_of(n, &n->numbers->tests, &n->numbers->test_count);
}

int cond_number(struct cond *cond, struct cond_numbers *n)
{
	struct numbering numbering = {.numbers = n};
	buf_init(&numbering.text, TEXT_BYTES_MAX);
	cond_each_test(cond, number_test, &numbering);
	buf_done(&numbering.text);
	return numbering.error;
}
