/* SPDX-License-Identifier: Apache-2.0
 *
 * Which operators fit which types, and literals made into what they are compared as.
 */
#include "rule/condition_int.h"

#include <errno.h>

#include "rule/regex.h"

#define BIT(op) (1u << (op))
#define OPS_ALL (BIT(OP_EQ) | BIT(OP_NE) | BIT(OP_IN) | BIT(OP_INTERSECTS) | BIT(OP_EXISTS))
#define OPS_ORDER (BIT(OP_LT) | BIT(OP_LE) | BIT(OP_GT) | BIT(OP_GE))
#define OPS_PARTS (BIT(OP_CONTAINS) | BIT(OP_STARTSWITH) | BIT(OP_ENDSWITH))
#define OPS_LIST (BIT(OP_IN) | BIT(OP_INTERSECTS) | BIT(OP_EXISTS))
#define OPS_LITERAL (BIT(OP_REGEX) | BIT(OP_GLOB) | BIT(OP_IGLOB) | BIT(OP_BCONTAINS) | BIT(OP_BSTARTSWITH))

static const uint32_t class_ops[] = {
        [CLASS_NUMBER] = OPS_ALL | OPS_ORDER,
        [CLASS_BOOL] = OPS_ALL,
        [CLASS_TEXT] = OPS_ALL | OPS_ORDER | OPS_PARTS | BIT(OP_ICONTAINS) | BIT(OP_GLOB) | BIT(OP_IGLOB) |
                       BIT(OP_REGEX) | BIT(OP_PMATCH),
        [CLASS_BYTES] = OPS_ALL | OPS_PARTS | BIT(OP_BCONTAINS) | BIT(OP_BSTARTSWITH),
        [CLASS_ADDRESS] = OPS_ALL,
};

/* ---- types ---- */

static uint32_t expr_ops(const struct expr *e)
{
	return e->many == MANY_LIST ? OPS_LIST : class_ops[type_class(e->type)];
}

static bool check_operator(struct check *c, const struct cond_test *t)
{
	uint32_t allowed = expr_ops(t->left);
	if (allowed & BIT(t->op))
		return true;
	struct buf names;
	buf_init(&names, 1024);
	cond_ops_write(allowed, &names);
	struct diag *d = check_fail(c, t->op_at, "'%s' does not fit " STR_FMT ", which is %s",
	                            cond_op_info(t->op)->name, STR_ARG(t->left->name), expr_type_name(t->left));
	if (buf_error(&names) == 0 && names.data)
		diag_set_hint(d, "allowed are: %s", names.data);
	buf_done(&names);
	return false;
}

static bool check_right(struct check *c, const struct cond_test *t)
{
	const struct expr *r = t->right;
	if (OPS_LITERAL & BIT(t->op)) {
		check_fail(c, r->at, "'%s' takes its pattern as text, not from a field", cond_op_info(t->op)->name);
		return false;
	}
	if (r->kind == EXPR_FIELD && field_get_info(r->ref.id)->flags & FIELD_F_FILTER) {
		check_fail(c, r->at, STR_FMT " can only stand on the left of an operator", STR_ARG(r->name));
		return false;
	}
	if (r->many == MANY_LIST && cond_op_info(t->op)->operand != OPERAND_LIST) {
		check_fail(c, r->at, STR_FMT " is a list, '%s' compares with one value", STR_ARG(r->name),
		           cond_op_info(t->op)->name);
		return false;
	}
	if (type_class(t->left->type) != type_class(r->type)) {
		check_fail(c, r->at, STR_FMT " is %s and cannot be compared with " STR_FMT ", which is %s",
		           STR_ARG(r->name), expr_type_name(r), STR_ARG(t->left->name), expr_type_name(t->left));
		return false;
	}
	return true;
}

static bool compares_event_type(const struct cond_test *t)
{
	if (t->left->kind != EXPR_FIELD || (t->left->ref.id != FIELD_EVT_TYPE && t->left->ref.id != FIELD_SYSCALL_TYPE))
		return false;
	return t->op == OP_EQ || t->op == OP_NE || t->op == OP_IN || t->op == OP_INTERSECTS;
}

static const char *event_name_at(size_t i)
{
	const char *name = event_type_info((enum event_type)i)->name;
	return name ? name : "";
}

static bool check_event_types(struct check *c, const struct cond_test *t)
{
	bool known = true;
	for (size_t i = 0; compares_event_type(t) && i < t->literal_count; i++) {
		const struct literal *l = &t->literals[i];
		if (event_name_known(l->text))
			continue;
		const char *near = nearest_name(l->text, event_name_at, EVENT_TYPE_MAX);
		struct diag *d = check_fail_unknown(c, l->at, "unknown event type '" STR_FMT "'", STR_ARG(l->text));
		if (near)
			diag_set_hint(d, "did you mean %s?", near);
		known = false;
	}
	return known;
}

bool test_check(struct check *c, struct cond_test *t)
{
	bool left = expr_check(c, t->left);
	bool right = !t->right || expr_check(c, t->right);
	if (!left || !right || !check_operator(c, t))
		return false;
	return (!t->right || check_right(c, t)) && check_event_types(c, t);
}

/* ---- literals ---- */

static bool fail_literal(struct check *c, const struct literal *l, const struct expr *left, const char *wanted)
{
	check_fail(c, l->at, STR_FMT " is compared with %s, not with '" STR_FMT "'", STR_ARG(left->name), wanted,
	           STR_ARG(l->text));
	return false;
}

static bool no_memory(struct check *c)
{
	c->error = -ENOMEM;
	return false;
}

static bool number_fits(const struct value *v, enum field_type type)
{
	bool negative = v->kind == VALUE_S64 && v->s64 < 0;
	bool huge = v->kind == VALUE_U64;
	switch (type) {
	case FIELD_DOUBLE:
		return true;
	case FIELD_S64:
		return !huge && v->kind != VALUE_DOUBLE;
	case FIELD_PORT:
		return !huge && !negative && v->kind != VALUE_DOUBLE && v->s64 <= UINT16_MAX;
	default:
		return !negative && v->kind != VALUE_DOUBLE;
	}
}

static const char *number_wanted(enum field_type type)
{
	switch (type) {
	case FIELD_DOUBLE:
		return "a number";
	case FIELD_S64:
		return "a whole number of 64 bits";
	case FIELD_PORT:
		return "a port from 0 to 65535";
	default:
		return "a whole number from 0 on";
	}
}

static bool literal_number(struct check *c, const struct cond_test *t, const struct literal *l, struct value *ret_value)
{
	struct value v;
	if (number_parse(l->text, &v) < 0 || !number_fits(&v, t->left->type))
		return fail_literal(c, l, t->left, number_wanted(t->left->type));
	*ret_value = v;
	return true;
}

static bool literal_bool(struct check *c, const struct cond_test *t, const struct literal *l, struct value *ret_value)
{
	bool yes = str_equals(l->text, "true") || str_equals(l->text, "1");
	bool no = str_equals(l->text, "false") || str_equals(l->text, "0");
	if (!yes && !no)
		return fail_literal(c, l, t->left, "true or false");
	*ret_value = (struct value){.kind = VALUE_BOOL, .boolean = yes};
	return true;
}

static bool literal_address(struct check *c, const struct cond_test *t, const struct literal *l,
                            struct value *ret_value)
{
	struct value v = {.kind = VALUE_IP};
	if (ip_parse(l->text, &v.ip) < 0)
		return fail_literal(c, l, t->left, t->left->type == FIELD_NET ? "a network" : "an address");
	if (t->left->type == FIELD_IP && v.ip.prefix < (v.ip.family == 4 ? 32 : 128)) {
		struct diag *d =
		        check_fail(c, l->at, STR_FMT " is compared with an address, '" STR_FMT "' is a network",
		                   STR_ARG(t->left->name), STR_ARG(l->text));
		diag_set_hint(d, "fields whose names end in net compare with networks");
		return false;
	}
	*ret_value = v;
	return true;
}

static int hex_digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

static bool literal_hex(struct check *c, const struct cond_test *t, const struct literal *l, struct value *ret_value)
{
	size_t length = l->text.length / 2;
	char *bytes = arena_alloc(c->arena, length + 1);
	if (!bytes)
		return no_memory(c);
	bool right = l->text.length % 2 == 0;
	for (size_t i = 0; right && i < length; i++) {
		int high = hex_digit(l->text.data[2 * i]), low = hex_digit(l->text.data[2 * i + 1]);
		right = high >= 0 && low >= 0;
		bytes[i] = right ? (char)(high << 4 | low) : 0;
	}
	if (!right)
		return fail_literal(c, l, t->left, "an even number of hexadecimal digits");
	*ret_value = (struct value){.kind = VALUE_BYTES, .str = str_make(bytes, length)};
	return true;
}

static bool literal_glob(struct check *c, const struct literal *l, struct value *ret_value)
{
	struct value v = {.kind = VALUE_STR, .str = arena_str(c->arena, l->text)};
	if (!v.str.data)
		return no_memory(c);
	if (memchr(v.str.data, '\0', v.str.length)) {
		check_fail(c, l->at, "a pattern cannot hold a NUL");
		return false;
	}
	*ret_value = v;
	return true;
}

static bool literal_regex(struct check *c, const struct cond_test *t, const struct literal *l, struct operand *operand)
{
	char text[REGEX_ERROR_BYTES];
	size_t offset;
	int r = regex_new(l->text, &operand->regex, text, &offset);
	if (r == -ENOMEM)
		return no_memory(c);
	if (r == 0)
		return true;
	/* Where nothing was unescaped, the place inside the pattern is known. */
	bool verbatim =
	        l->text.data >= t->source->text.data && l->text.data < t->source->text.data + t->source->text.length;
	struct diag *d = check_fail(c, l->at + (verbatim ? offset : 0), "this regular expression is wrong: %s", text);
	diag_set_hint(d, "the syntax is POSIX extended; all of the text must match: .*x.* finds x anywhere");
	return false;
}

static bool literal_plain(struct check *c, const struct cond_test *t, const struct literal *l, struct value *ret_value)
{
	switch (type_class(t->left->type)) {
	case CLASS_NUMBER:
		return literal_number(c, t, l, ret_value);
	case CLASS_BOOL:
		return literal_bool(c, t, l, ret_value);
	case CLASS_ADDRESS:
		return literal_address(c, t, l, ret_value);
	case CLASS_TEXT:
	case CLASS_BYTES:
		*ret_value = (struct value){.kind = VALUE_STR, .str = l->text};
		return true;
	}
	return false;
}

static bool literal_prepare(struct check *c, const struct cond_test *t, const struct literal *l,
                            struct operand *operand)
{
	switch (t->op) {
	case OP_REGEX:
		return literal_regex(c, t, l, operand);
	case OP_BCONTAINS:
	case OP_BSTARTSWITH:
		return literal_hex(c, t, l, &operand->value);
	case OP_GLOB:
	case OP_IGLOB:
		return literal_glob(c, l, &operand->value);
	default:
		return literal_plain(c, t, l, &operand->value);
	}
}

static bool prepare_set(struct check *c, struct cond_test *t)
{
	t->set = literal_set_new(c->arena, t->literal_count);
	if (!t->set)
		return no_memory(c);
	for (size_t i = 0; i < t->literal_count; i++) {
		if (literal_set_add(t->set, c->arena, &t->operands[i].value) < 0)
			return no_memory(c);
	}
	return true;
}

static bool prepare_paths(struct check *c, struct cond_test *t)
{
	t->paths = path_set_new(c->arena, t->literal_count);
	if (!t->paths)
		return no_memory(c);
	for (size_t i = 0; i < t->literal_count; i++) {
		if (path_set_add(t->paths, c->arena, t->literals[i].text) < 0)
			return no_memory(c);
	}
	return true;
}

bool test_prepare(struct check *c, struct cond_test *t)
{
	bool right = true;
	t->operands = arena_array(c->arena, struct operand, t->literal_count);
	if (!t->operands)
		return no_memory(c);
	for (size_t i = 0; i < t->literal_count; i++)
		right = literal_prepare(c, t, &t->literals[i], &t->operands[i]) && right;
	if (right && (t->op == OP_IN || t->op == OP_INTERSECTS))
		right = prepare_set(c, t);
	if (right && t->op == OP_PMATCH)
		right = prepare_paths(c, t);
	if (!right)
		test_release(t);
	return right;
}

void test_release(struct cond_test *t)
{
	for (size_t i = 0; t->operands && i < t->literal_count; i++)
		regex_free(t->operands[i].regex);
	t->operands = NULL;
	t->set = NULL;
	t->paths = NULL;
}
