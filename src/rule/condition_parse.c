/* SPDX-License-Identifier: Apache-2.0
 *
 * The grammar of conditions:
 *	or    := and ("or" and)*
 *	and   := not ("and" not)*
 *	not   := "not"* ( "(" or ")" | test | MACRO )
 *	test  := left op right
 * by recursive descent. parser_enter() bounds the depth, and with it the stack.
 */
#include "rule/condition_int.h"

#include <errno.h>

/* ---- arguments and calls ---- */

static size_t call_name_length(struct str rest)
{
	size_t length = 0;
	while (length < rest.length && char_is_bare(rest.data[length]) && rest.data[length] != '.')
		length++;
	return length < rest.length && rest.data[length] == '(' ? length : 0;
}

bool parse_is_call(const struct parser *p)
{
	struct str rest = str_make(p->text.data + p->at, p->text.length - p->at);
	struct str name = str_make(rest.data, call_name_length(rest));
	return name.length && (str_equals(name, "val") || transform_find(name));
}

static struct expr *parse_argument(struct parser *p);

/* Behind the (: expressions up to the ). */
static bool parse_arguments(struct parser *p, struct expr *e, const char *what)
{
	size_t capacity = 0;
	do {
		parse_blanks(p);
		struct expr *arg = parse_argument(p);
		if (!arg)
			return false;
		if (e->arg_count == capacity) {
			struct expr **grown = parser_alloc(p, (capacity = capacity * 2 + 2) * sizeof(*grown));
			if (!grown)
				return false;
			for (size_t i = 0; i < e->arg_count; i++)
				grown[i] = e->args[i];
			e->args = grown;
		}
		e->args[e->arg_count++] = arg;
		parse_blanks(p);
	} while (parse_char(p, ','));
	return parse_expect(p, ')', what);
}

/* val(x) is x: it only says that a field is meant, where a bare string could stand. */
static struct expr *parse_val(struct parser *p, struct expr *e)
{
	if (!parse_arguments(p, e, "to close val("))
		return NULL;
	if (e->arg_count == 1 && (e->args[0]->kind == EXPR_FIELD || e->args[0]->kind == EXPR_CALL))
		return e->args[0];
	parser_fail(p, e->at, "val() takes one field");
	return NULL;
}

struct expr *parse_call(struct parser *p)
{
	size_t at = p->at;
	struct str rest = str_make(p->text.data + at, p->text.length - at);
	struct expr *e = parser_alloc(p, sizeof(*e));
	if (!e || !parser_enter(p, at))
		return NULL;
	*e = (struct expr){.kind = EXPR_CALL, .at = at, .name = str_make(rest.data, call_name_length(rest))};
	p->at += e->name.length + 1;
	if (str_equals(e->name, "val"))
		e = parse_val(p, e);
	else if (!parse_arguments(p, e, "to close the call of a transformer") || !parse_bracket(p, e))
		e = NULL;
	parser_leave(p);
	return e;
}

struct expr *parse_expression(struct parser *p)
{
	size_t at = p->at;
	if (parse_is_call(p)) {
		struct expr *e = parse_call(p);
		if (!e || e->at == at)
			return e;
		struct diag *d = parser_fail(p, at, "val() stands on the right of an operator");
		diag_set_hint(d, "elsewhere a field is written as it is");
		return NULL;
	}
	struct str name = parse_dotted_name(p);
	if (str_find_char(name, '.') >= 0)
		return parse_field(p, name, at);
	p->at = at;
	parser_expected(p, "a field or a transformer");
	return NULL;
}

static struct expr *parse_list_argument(struct parser *p)
{
	struct expr *e = parser_alloc(p, sizeof(*e));
	if (!e || !parser_enter(p, p->at))
		return NULL;
	*e = (struct expr){.kind = EXPR_LIST, .at = p->at++};
	bool ok = parse_arguments(p, e, "to close a list");
	parser_leave(p);
	return ok ? e : NULL;
}

/* Quoted text or a number. */
static struct expr *parse_constant(struct parser *p)
{
	struct expr *e = parser_alloc(p, sizeof(*e));
	struct literal l;
	char first = parse_peek(p);
	if (!e || !parse_string(p, &l, "a field, a quoted string, a number or a list in parentheses"))
		return NULL;
	*e = (struct expr){.kind = EXPR_TEXT, .at = l.at, .name = l.text};
	e->constant = (struct value){.kind = VALUE_STR, .str = l.text};
	if (first == '"' || first == '\'')
		return e;
	e->kind = EXPR_NUMBER;
	if (number_parse(l.text, &e->constant) == 0)
		return e;
	struct diag *d = parser_fail(p, l.at, "expected a field, a quoted string or a number, found '" STR_FMT "'",
	                             STR_ARG(l.text));
	diag_set_hint(d, "text among the arguments of a transformer is quoted");
	return NULL;
}

static struct expr *parse_argument(struct parser *p)
{
	if (parse_is_call(p))
		return parse_call(p);
	if (parse_peek(p) == '(')
		return parse_list_argument(p);
	size_t at = p->at;
	struct str name = parse_dotted_name(p);
	if (str_find_char(name, '.') >= 0)
		return parse_field(p, name, at);
	p->at = at;
	return parse_constant(p);
}

/* ---- tests ---- */

static void hint_operators(struct diag *d)
{
	struct buf names;
	buf_init(&names, 1024);
	cond_ops_write((1u << OP_COUNT) - 1, &names);
	if (buf_error(&names) == 0)
		diag_set_hint(d, "operators are: %s", names.data);
	buf_done(&names);
}

static const char *op_name_at(size_t i)
{
	return cond_op_info((enum cond_op)i)->name;
}

static bool fail_operator(struct parser *p, const struct expr *left)
{
	const char *near = nearest_name(parse_found(p), op_name_at, OP_COUNT);
	struct diag *d = parser_expected(p, "an operator after " STR_FMT, STR_ARG(left->name));
	if (near)
		diag_set_hint(d, "did you mean %s?", near);
	else
		hint_operators(d);
	return false;
}

static bool parse_operator(struct parser *p, struct cond_test *t)
{
	size_t length;
	parse_blanks(p);
	t->op_at = p->at;
	if (cond_op_parse(str_make(p->text.data + p->at, p->text.length - p->at), &t->op, &length) < 0)
		return fail_operator(p, t->left);
	p->at += length;
	if (!cond_op_info(t->op)->needs_blank || char_is_blank(parse_peek(p)))
		return true;
	parser_fail(p, p->at, "expected a blank after '%s'", cond_op_info(t->op)->name);
	return false;
}

static bool add_literal(struct parser *p, struct cond_test *t, size_t *capacity, struct literal l)
{
	if (t->literal_count == *capacity) {
		size_t room = *capacity ? *capacity * 2 : 1;
		struct literal *grown = parser_alloc(p, room * sizeof(*grown));
		if (!grown)
			return false;
		if (t->literal_count)
			memcpy(grown, t->literals, t->literal_count * sizeof(*grown));
		t->literals = grown;
		*capacity = room;
	}
	t->literals[t->literal_count++] = l;
	return true;
}

/* Behind the (. */
static bool parse_list(struct parser *p, struct cond_test *t)
{
	size_t capacity = 0;
	parse_blanks(p);
	if (parse_char(p, ')'))
		return true;
	do {
		struct literal l;
		parse_blanks(p);
		if (!parse_string(p, &l, "a value of the list") || !add_literal(p, t, &capacity, l))
			return false;
		parse_blanks(p);
	} while (parse_char(p, ','));
	return parse_expect(p, ')', "or a comma in the list of values");
}

/* A list without parentheses is the name of one that was not defined, or the only item of one that was. */
static bool parse_list_name(struct parser *p, struct cond_test *t)
{
	struct literal l = {.at = p->at};
	size_t capacity = 0;
	l.text = parse_name(p);
	if (l.text.length && !char_is_bare(parse_peek(p)) && parse_peek(p) != ',')
		return add_literal(p, t, &capacity, l);
	p->at = l.at;
	struct diag *d = parser_expected(p, "a list in parentheses after '%s%s%s'", cond_op_info(t->op)->name,
	                                 t->modifier ? " " : "", cond_modifier_name(t->modifier));
	diag_set_hint(d, "put the values, or the name of the list, in parentheses: (a, b)");
	return false;
}

static bool parse_list_operand(struct parser *p, struct cond_test *t)
{
	parse_blanks(p);
	if (parse_char(p, '('))
		return parse_list(p, t);
	return parse_list_name(p, t);
}

/* A modifier is one only if a list follows: "= anyof" compares with the text "anyof". */
static bool parse_modifier(struct parser *p, struct cond_test *t)
{
	size_t at = p->at;
	for (enum cond_modifier m = MODIFIER_ONEOF; m <= MODIFIER_ALLOF; m++) {
		if (!parse_keyword(p, cond_modifier_name(m)))
			continue;
		parse_blanks(p);
		size_t list_at = p->at;
		bool joins = parse_keyword(p, "and") || parse_keyword(p, "or");
		p->at = list_at;
		if (parse_peek(p) == '(' || (!joins && parse_name(p).length)) {
			p->at = list_at;
			t->modifier = m;
			return true;
		}
		p->at = at;
	}
	return false;
}

static bool parse_value(struct parser *p, struct cond_test *t)
{
	struct literal l;
	size_t capacity = 0;
	struct value number;
	bool is_number = cond_op_info(t->op)->operand == OPERAND_NUMBER;
	if (!parse_string(p, &l, is_number ? "a number" : "a value"))
		return false;
	if (is_number && number_parse(l.text, &number) == -EINVAL) {
		struct diag *d = parser_fail(p, l.at, "'%s' compares with a number, found '" STR_FMT "'",
		                             cond_op_info(t->op)->name, STR_ARG(l.text));
		diag_set_hint(d, "to compare with a field write val(" STR_FMT ")", STR_ARG(l.text));
		return false;
	}
	return add_literal(p, t, &capacity, l);
}

static bool parse_right(struct parser *p, struct cond_test *t)
{
	enum cond_operand operand = cond_op_info(t->op)->operand;
	if (operand == OPERAND_NONE)
		return true;
	parse_blanks(p);
	if (parse_is_call(p)) {
		t->right = parse_call(p);
		return t->right != NULL;
	}
	if (operand == OPERAND_LIST || (operand == OPERAND_STRING && parse_modifier(p, t)))
		return parse_list_operand(p, t);
	return parse_value(p, t);
}

static struct cond *cond_leaf(struct parser *p, enum cond_kind kind)
{
	struct cond *c = parser_alloc(p, sizeof(*c));
	if (c) {
		c->kind = kind;
		c->height = 1;
	}
	return c;
}

static struct cond *parse_test(struct parser *p, struct expr *left)
{
	struct cond_test *t = parser_alloc(p, sizeof(*t));
	struct cond *c = cond_leaf(p, COND_TEST);
	if (!t || !c)
		return NULL;
	t->source = p->source;
	t->at = left->at;
	t->left = left;
	c->test = t;
	return parse_operator(p, t) && parse_right(p, t) ? c : NULL;
}

/* ---- trees ---- */

static void fail_transform(struct parser *p, struct str name, size_t at)
{
	struct diag *d = parser_fail(p, at, "there is no transformer '" STR_FMT "'", STR_ARG(name));
	struct buf names;
	buf_init(&names, 1024);
	transform_names_write(&names);
	if (buf_error(&names) == 0)
		diag_set_hint(d, "transformers are: %s; if it is a macro, 'and' or 'or' is missing", names.data);
	buf_done(&names);
}

static bool operator_follows(const struct parser *p)
{
	struct parser ahead = *p;
	enum cond_op op;
	size_t length;
	parse_blanks(&ahead);
	return cond_op_parse(str_make(p->text.data + ahead.at, p->text.length - ahead.at), &op, &length) == 0;
}

static struct cond *parse_macro(struct parser *p, struct str name, size_t at)
{
	if (parse_peek(p) == '(') {
		fail_transform(p, name, at);
		return NULL;
	}
	if (operator_follows(p)) {
		struct diag *d = parser_fail(p, at, "'" STR_FMT "' is not a field", STR_ARG(name));
		diag_set_hint(d, "names of fields have a dot, such as proc.name");
		return NULL;
	}
	struct cond *c = cond_leaf(p, COND_MACRO);
	if (!c)
		return NULL;
	c->macro.name = name;
	c->macro.source = p->source;
	c->macro.at = at;
	return c;
}

static bool is_keyword(struct str name)
{
	return str_equals(name, "and") || str_equals(name, "or") || str_equals(name, "not");
}

static struct cond *fail_test(struct parser *p, size_t at)
{
	p->at = at;
	parser_expected(p, "a field, a macro or '('");
	return NULL;
}

static struct cond *parse_or(struct parser *p);

static struct cond *parse_group(struct parser *p, size_t at)
{
	if (!parser_enter(p, at))
		return NULL;
	struct cond *c = parse_or(p);
	parser_leave(p);
	return c && parse_expect(p, ')', "or 'and' or 'or'") ? c : NULL;
}

static struct cond *parse_check(struct parser *p)
{
	size_t at = p->at;
	if (parse_char(p, '('))
		return parse_group(p, at);
	bool is_call = parse_is_call(p);
	struct str name = parse_dotted_name(p);
	if (name.length == 0 || is_keyword(name))
		return fail_test(p, at);
	if (!is_call && str_find_char(name, '.') < 0)
		return parse_macro(p, name, at);
	p->at = at;
	struct expr *left = parse_expression(p);
	return left ? parse_test(p, left) : NULL;
}

static struct cond *parse_not(struct parser *p)
{
	bool negated = false;
	parse_blanks(p);
	while (parse_keyword(p, "not")) {
		negated = !negated;
		parse_blanks(p);
	}
	struct cond *inner = parse_check(p);
	struct cond *c = inner && negated ? cond_leaf(p, COND_NOT) : NULL;
	struct cond **items = c ? parser_alloc(p, sizeof(*items)) : NULL;
	if (!inner || !negated)
		return inner;
	if (!items)
		return NULL;
	items[0] = inner;
	c->items = items;
	c->count = 1;
	c->height = inner->height + 1;
	return c;
}

static struct cond *parse_chain(struct parser *p, enum cond_kind kind, const char *word,
                                struct cond *(*parse_item)(struct parser *p))
{
	struct cond *first = parse_item(p), *chain = NULL;
	size_t capacity = 0;
	parse_blanks(p);
	while (first && parse_keyword(p, word)) {
		struct cond *next = parse_item(p);
		if (!next)
			return NULL;
		if (!chain && !(chain = cond_leaf(p, kind)))
			return NULL;
		if (chain->count + 2 > capacity) {
			struct cond **grown = parser_alloc(p, (capacity = capacity * 2 + 4) * sizeof(*grown));
			if (!grown)
				return NULL;
			for (size_t i = 0; i < chain->count; i++)
				grown[i] = chain->items[i];
			chain->items = grown;
		}
		if (chain->count == 0)
			chain->items[chain->count++] = first;
		chain->items[chain->count++] = next;
		chain->height = MAX(chain->height, MAX(first->height, next->height) + 1);
		parse_blanks(p);
	}
	return chain ? chain : first;
}

static struct cond *parse_and(struct parser *p)
{
	return parse_chain(p, COND_AND, "and", parse_not);
}

static struct cond *parse_or(struct parser *p)
{
	return parse_chain(p, COND_OR, "or", parse_and);
}

int cond_parse(struct arena *a, const struct source_text *t, struct diag_list *reterr_diags, struct cond **ret_cond)
{
	struct parser p;
	parser_init(&p, a, t, 0, CODE_CONDITION, reterr_diags);
	struct cond *c = parse_or(&p);
	if (!c)
		return p.error;
	if (p.at < p.text.length) {
		parser_expected(&p, "'and', 'or' or the end");
		return p.error;
	}
	if (c->height > RULE_DEPTH_MAX) {
		parser_fail(&p, 0, "this is nested more than %d levels deep", RULE_DEPTH_MAX);
		return p.error;
	}
	*ret_cond = c;
	return 0;
}
