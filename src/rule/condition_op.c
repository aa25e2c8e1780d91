/* SPDX-License-Identifier: Apache-2.0
 *
 * The operators and their names.
 */
#include "rule/condition_int.h"

#include <errno.h>

static const struct cond_op_info op_infos[OP_COUNT] = {
        [OP_EXISTS] = {"exists", OPERAND_NONE, .word = true},
        [OP_EQ] = {.name = "=", .operand = OPERAND_STRING},
        [OP_NE] = {.name = "!=", .operand = OPERAND_STRING},
        [OP_LT] = {.name = "<", .operand = OPERAND_NUMBER},
        [OP_LE] = {.name = "<=", .operand = OPERAND_NUMBER},
        [OP_GT] = {.name = ">", .operand = OPERAND_NUMBER},
        [OP_GE] = {.name = ">=", .operand = OPERAND_NUMBER},
        [OP_CONTAINS] = {"contains", OPERAND_STRING, .word = true, .needs_blank = true},
        [OP_ICONTAINS] = {"icontains", OPERAND_STRING, .word = true, .needs_blank = true},
        [OP_BCONTAINS] = {"bcontains", OPERAND_STRING, .word = true, .needs_blank = true},
        [OP_STARTSWITH] = {"startswith", OPERAND_STRING, .word = true, .needs_blank = true},
        [OP_BSTARTSWITH] = {"bstartswith", OPERAND_STRING, .word = true, .needs_blank = true},
        [OP_ENDSWITH] = {"endswith", OPERAND_STRING, .word = true, .needs_blank = true},
        [OP_GLOB] = {"glob", OPERAND_STRING, .word = true, .needs_blank = true},
        [OP_IGLOB] = {"iglob", OPERAND_STRING, .word = true, .needs_blank = true},
        [OP_REGEX] = {"regex", OPERAND_STRING, .word = true, .needs_blank = true},
        [OP_IN] = {"in", OPERAND_LIST, .word = true},
        [OP_INTERSECTS] = {"intersects", OPERAND_LIST, .word = true},
        [OP_PMATCH] = {"pmatch", OPERAND_LIST, .word = true},
};
static const char *const modifier_names[] = {
        [MODIFIER_NONE] = "", [MODIFIER_ONEOF] = "oneof", [MODIFIER_ANYOF] = "anyof", [MODIFIER_ALLOF] = "allof"};

const struct cond_op_info *cond_op_info(enum cond_op op)
{
	return &op_infos[op];
}

const char *cond_modifier_name(enum cond_modifier modifier)
{
	return modifier_names[modifier];
}

static bool is_word_char(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_';
}

int cond_op_parse(struct str text, enum cond_op *ret_op, size_t *ret_length)
{
	size_t longest = 0;
	for (enum cond_op op = 0; op < OP_COUNT; op++) {
		struct str name = str_from(op_infos[op].name);
		bool ends = !op_infos[op].word || text.length <= name.length || !is_word_char(text.data[name.length]);
		if (name.length > longest && ends && str_starts_with(text, name)) {
			*ret_op = op;
			*ret_length = longest = name.length;
		}
	}
	if (str_starts_with(text, STR("=="))) {
		*ret_op = OP_EQ;
		*ret_length = longest = 2;
	}
	return longest ? 0 : -ENOENT;
}

void cond_ops_write(uint32_t ops, struct buf *out)
{
	const char *between = "";
	for (enum cond_op op = OP_EQ; op <= OP_COUNT; op++) {
		enum cond_op shown = op == OP_COUNT ? OP_EXISTS : op;
		if (ops & 1u << shown) {
			buf_printf(out, "%s%s", between, op_infos[shown].name);
			between = " ";
		}
	}
}

bool cond_operator_known(struct str text, bool *ret_takes_list)
{
	enum cond_op op;
	size_t length;
	text = str_trim(text);
	if (cond_op_parse(text, &op, &length) < 0 || op == OP_EXISTS)
		return false;
	struct str modifier = str_trim(str_make(text.data + length, text.length - length));
	bool modified = false;
	for (size_t i = MODIFIER_ONEOF; i < ARRAY_SIZE(modifier_names); i++)
		modified = modified || str_equals(modifier, modifier_names[i]);
	if (modifier.length && (!modified || op_infos[op].operand != OPERAND_STRING))
		return false;
	*ret_takes_list = modified || op_infos[op].operand == OPERAND_LIST;
	return true;
}
