/* SPDX-License-Identifier: Apache-2.0
 *
 * The assembler: one pass over the lines, then labels are put in where they are used. Mnemonics and operands follow from
 * insn.def.
 */
#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include "base/buf.h"
#include "base/map.h"
#include "vm/text_int.h"

#define SLOT_BYTES sizeof(struct picket_insn)
#define OPERANDS_MAX 3
#define MNEMONIC_WORDS 3
#define MNEMONIC_BYTES 32
#define SHOWN_BYTES 40 /* of the user's text in a message */

enum operand_kind {
	OPERAND_BAD,
	OPERAND_REGISTER,
	OPERAND_NUMBER,
	OPERAND_MEMORY,
	OPERAND_NAME,
	OPERAND_MAP,
	OPERAND_FUNCTION,
};

struct operand {
	enum operand_kind kind;
	struct str text;
};

/* A label that is used: by the instruction at slot, in the field of an operand o, t or f. */
struct use {
	uint32_t slot;
	char operand;
	struct str label;
};

struct assembler {
	struct str text;
	struct picket_error *reterr;
	struct map mnemonics;      /* to the first row, plus 1 */
	uint16_t next[VM_OPCODES]; /* further rows of the same mnemonic, plus 1; 0: none */
	struct map labels;         /* to the slot, plus 1 */
	struct buf insns;          /* struct picket_insn */
	struct buf uses;           /* struct use */
};

/* ---- errors ---- */
static int set_place(struct assembler *a, const char *at, int err)
{
	if (!a->reterr)
		return err;
	a->reterr->line = a->reterr->column = 1;
	for (const char *c = a->text.data; c < at; c++) {
		a->reterr->column++;
		if (*c == '\n') {
			a->reterr->line++;
			a->reterr->column = 1;
		}
	}
	return err;
}

/* at: in the text. */
#define fail(a, at, ...) \
	set_place((a), (at), vm_error((a)->reterr, -EINVAL, (uint64_t)((at) - (a)->text.data), __VA_ARGS__))
#define SHOWN(s) (int)MIN((s).length, (size_t)SHOWN_BYTES), (s).data

/* ---- mnemonics ---- */
static uint16_t row_of(const void *value)
{
	return (uint16_t)((uintptr_t)value - 1);
}

static int index_mnemonics(struct assembler *a)
{
	for (uint16_t row = VM_OPCODES; row-- > 0;) {
		void *same = NULL;
		int r = 0;
		if (vm_insns[row].mnemonic)
			r = map_put(&a->mnemonics, str_from(vm_insns[row].mnemonic), (void *)(uintptr_t)(row + 1),
			            &same);
		if (r)
			return r;
		a->next[row] = (uint16_t)(uintptr_t)same;
	}
	return 0;
}

static bool is_name_start(char c)
{
	return isalpha((unsigned char)c) || c == '_' || c == '.';
}

static bool is_name_char(char c)
{
	return is_name_start(c) || isdigit((unsigned char)c) || c == '$';
}

static struct str name_at(struct str s)
{
	size_t length = 0;

	if (s.length && is_name_start(s.data[0]))
		while (length < s.length && is_name_char(s.data[length]))
			length++;
	return str_make(s.data, length);
}

static struct str after(struct str s, size_t length)
{
	return str_trim(str_make(s.data + length, s.length - length));
}

static void *mnemonic_get(const struct assembler *a, const char *name)
{
	char alias[MNEMONIC_BYTES + 1];
	void *row = map_get(&a->mnemonics, str_from(name));

	if (row || strncmp(name, "swap", 4) != 0)
		return row;
	snprintf(alias, sizeof(alias), "b%s", name); /* swap16, as ubpf says it */
	return map_get(&a->mnemonics, str_from(alias));
}

static int mnemonic_unknown(struct assembler *a, struct str word)
{
	for (unsigned row = 0; row < VM_OPCODES; row++) {
		const char *known = vm_insns[row].mnemonic;
		if (known && str_starts_with(str_from(known), word) && known[word.length] == ' ')
			return fail(a, word.data,
			            "there is no instruction \"" STR_FMT "\"; expected \"%s\" or the like", SHOWN(word),
			            known);
	}
	return fail(a, word.data, "there is no instruction \"" STR_FMT "\"", SHOWN(word));
}

/* The longest mnemonic that the statement begins with: "call", "call local". Its first row; operands is what follows. */
static int mnemonic_take(struct assembler *a, struct str statement, uint16_t *ret_row, struct str *ret_operands)
{
	char joined[MNEMONIC_BYTES] = "";
	size_t length = 0;
	struct str rest = statement, operands = statement;
	void *found = NULL;

	for (int words = 0; words < MNEMONIC_WORDS; words++) {
		struct str word = name_at(rest);
		if (!word.length || length + word.length + 2 > sizeof(joined))
			break;
		length += (size_t)snprintf(joined + length, sizeof(joined) - length, "%s" STR_FMT, words ? " " : "",
		                           STR_ARG(word));
		rest = after(rest, word.length);
		void *row = mnemonic_get(a, joined);
		if (row) {
			found = row;
			operands = rest;
		}
	}
	if (!found) {
		struct str word = name_at(statement);
		return word.length ? mnemonic_unknown(a, word)
		                   : fail(a, statement.data, "expected an instruction or a label, not \"" STR_FMT "\"",
		                          SHOWN(statement));
	}
	*ret_row = row_of(found);
	*ret_operands = operands;
	return 0;
}

/* ---- operands: what they look like ---- */
static bool is_register(struct str s)
{
	return s.length &&
	       (s.data[0] == '%' || (s.length > 1 && s.data[0] == 'r' && isdigit((unsigned char)s.data[1])));
}

static bool is_signed(struct str s)
{
	return s.length && (s.data[0] == '+' || s.data[0] == '-');
}

static bool is_function(struct str s)
{
	struct str name = name_at(s);

	return str_equals(name, "function") && name.length < s.length;
}

static enum operand_kind operand_kind(struct str s)
{
	struct str name = name_at(s);

	if (!s.length)
		return OPERAND_BAD;
	if (is_register(s))
		return OPERAND_REGISTER;
	if (is_signed(s) || isdigit((unsigned char)s.data[0]))
		return OPERAND_NUMBER;
	if (s.data[0] == '[')
		return OPERAND_MEMORY;
	if (is_function(s))
		return OPERAND_FUNCTION;
	if (name.length && name.length == s.length)
		return OPERAND_NAME;
	return name.length && s.data[name.length] == '[' ? OPERAND_MAP : OPERAND_BAD;
}

/* Returns their number, which may be more than OPERANDS_MAX: then the rest is left out. */
static size_t operands_split(struct str s, struct operand operands[OPERANDS_MAX])
{
	size_t count = 0;
	struct str part;

	if (!s.length)
		return 0;
	while (str_next(&s, ',', &part)) {
		part = str_trim(part);
		if (count < OPERANDS_MAX)
			operands[count] = (struct operand){operand_kind(part), part};
		count++;
	}
	return count;
}

/* ---- operands: which ones a row takes ---- */
static bool row_takes(uint16_t row, char operand, const struct operand *given)
{
	switch (operand) {
	case 'd':
	case 's':
		return given->kind == OPERAND_REGISTER;
	case 'i':
	case 'w':
		return given->kind == OPERAND_NUMBER;
	case 'l':
	case 'm':
		return given->kind == OPERAND_MEMORY;
	case 'o':
	case 't':
	case 'h':
		return given->kind == OPERAND_NUMBER || given->kind == OPERAND_NAME;
	case 'f':
		return given->kind == OPERAND_FUNCTION;
	default: /* p */
		return given->kind == OPERAND_MAP && str_equals(name_at(given->text), vm_map_keyword(row));
	}
}

static const char *operand_example(uint16_t row, char operand)
{
	switch (operand) {
	case 'd':
	case 's':
		return "a register (%r0 to %r10)";
	case 'i':
	case 'w':
		return "a number";
	case 'l':
	case 'm':
		return "memory ([%r1+8])";
	case 'o':
	case 't':
		return "a label or distance (+3)";
	case 'h':
		return "a helper's name or number";
	case 'f':
		return "function LABEL";
	default: /* p */
		return row == VM_LDDW_MAP ? "map[N]" : "map_value[N]";
	}
}

/* How many of the operands, from the first on, are what the row takes there. */
static size_t row_match(uint16_t row, const struct operand *operands, size_t count)
{
	const char *wanted = vm_format_operands(vm_insns[row].format);
	size_t matched = 0;

	while (matched < count && wanted[matched] && row_takes(row, wanted[matched], &operands[matched]))
		matched++;
	return matched;
}

/* No row takes the operand at index, though some take those before it. */
static int operand_unfit(struct assembler *a, uint16_t first, const struct operand *operands, size_t index)
{
	struct str given = operands[index].text;
	char expected[160] = "";

	for (uint16_t next = first + 1; next; next = a->next[next - 1]) {
		uint16_t row = next - 1;
		const char *wanted = vm_format_operands(vm_insns[row].format);
		const char *example = operand_example(row, wanted[index]);
		if (row_match(row, operands, index) < index || strstr(expected, example))
			continue;
		size_t length = strlen(expected);
		snprintf(expected + length, sizeof(expected) - length, "%s%s", length ? " or " : "", example);
	}
	return fail(a, given.data, "%s: operand %zu is to be %s, not \"" STR_FMT "\"", vm_insns[first].mnemonic,
	            index + 1, expected, SHOWN(given));
}

/* Of the rows of a mnemonic, which all have the same number of operands, the one that takes these. */
static int row_choose(struct assembler *a, struct str statement, uint16_t first, const struct operand *operands,
                      size_t count, uint16_t *ret_row)
{
	size_t wanted = strlen(vm_format_operands(vm_insns[first].format)), best = 0;

	if (count != wanted)
		return fail(a, statement.data, "%s takes %zu operand%s, not %zu", vm_insns[first].mnemonic, wanted,
		            wanted == 1 ? "" : "s", count);
	for (uint16_t next = first + 1; next; next = a->next[next - 1]) {
		size_t matched = row_match(next - 1, operands, count);
		if (matched == count) {
			*ret_row = next - 1;
			return 0;
		}
		best = MAX(best, matched);
	}
	return operand_unfit(a, first, operands, best);
}

/* ---- operands: what they mean ---- */
static int parse_register(struct assembler *a, struct str s, uint8_t *ret_register)
{
	struct str digits = s.data[0] == '%' ? after(s, 1) : s;
	uint64_t number = UINT64_MAX;

	if (digits.length < 2 || digits.data[0] != 'r' || digits.length > 3 ||
	    str_to_u64(str_make(digits.data + 1, digits.length - 1), &number) || number > 10)
		return fail(a, s.data, "there is no register \"" STR_FMT "\"; they are %%r0 to %%r10", SHOWN(s));
	*ret_register = (uint8_t)number;
	return 0;
}

/* A number between -2^(bits - 1) and most. In hexadecimal it may be up to most_hex, and means the same bits. */
static int parse_number(struct assembler *a, struct str s, unsigned bits, uint64_t most, uint64_t most_hex,
                        int64_t *ret_number)
{
	bool negative = s.length && s.data[0] == '-';
	struct str digits = is_signed(s) ? after(s, 1) : s;
	bool hex = str_starts_with(digits, STR("0x")) || str_starts_with(digits, STR("0X"));
	uint64_t magnitude;
	int r = str_to_u64(digits, &magnitude);

	if (r == -EINVAL)
		return fail(a, s.data, "\"" STR_FMT "\" is no number", SHOWN(s));
	if (r || magnitude > (negative ? 1ull << (bits - 1) : hex ? most_hex : most))
		return fail(a, s.data, STR_FMT " does not fit into %u bits", SHOWN(s), bits);
	*ret_number = (int64_t)(negative ? -magnitude : magnitude);
	return 0;
}

static int parse_imm(struct assembler *a, struct str s, struct picket_insn *insn)
{
	int64_t number;
	int r = parse_number(a, s, 32, INT32_MAX, UINT32_MAX, &number);

	if (!r)
		insn->imm = (int32_t)(uint32_t)number;
	return r;
}

/* Of a map, or into its value: never negative. */
static int parse_index(struct assembler *a, struct str s, struct picket_insn *insn)
{
	int64_t number;
	int r = parse_number(a, s, 32, UINT32_MAX, UINT32_MAX, &number);

	if (!r && number < 0)
		return fail(a, s.data, "\"" STR_FMT "\" is negative", SHOWN(s));
	if (!r)
		insn->imm = (int32_t)(uint32_t)number;
	return r;
}

static int parse_wide(struct assembler *a, struct str s, struct picket_insn insns[2])
{
	int64_t number;
	int r = parse_number(a, s, 64, UINT64_MAX, UINT64_MAX, &number);

	if (r)
		return r;
	insns[0].imm = (int32_t)(uint32_t)number;
	insns[1].imm = (int32_t)((uint64_t)number >> 32);
	return 0;
}

static int parse_offset(struct assembler *a, struct str s, struct picket_insn *insn)
{
	int64_t number;
	int r = parse_number(a, s, 16, INT16_MAX, INT16_MAX, &number);

	if (!r)
		insn->offset = (int16_t)number;
	return r;
}

/* [%r1], [%r1+8], [%r10 - 8] */
static int parse_memory(struct assembler *a, struct str s, uint8_t *ret_register, struct picket_insn *insn)
{
	struct str inside, base;
	size_t length = 0;
	int r;

	if (s.data[s.length - 1] != ']')
		return fail(a, s.data, "\"" STR_FMT "\" lacks its \"]\"", SHOWN(s));
	inside = str_trim(str_make(s.data + 1, s.length - 2));
	while (length < inside.length && !is_signed(str_make(inside.data + length, 1)))
		length++;
	base = str_trim(str_make(inside.data, length));
	if (!is_register(base))
		return fail(a, s.data, "expected memory as in [%%r1+8], not \"" STR_FMT "\"", SHOWN(s));
	r = parse_register(a, base, ret_register);
	if (r || length == inside.length)
		return r;
	return parse_offset(a, after(inside, length), insn);
}

/* map[2], map_value[2]+8 */
static int parse_map(struct assembler *a, uint16_t row, struct str s, struct picket_insn insns[2])
{
	struct str inside = after(s, strlen(vm_map_keyword(row)) + 1), rest;
	ssize_t close = str_find_char(inside, ']');
	int r;

	if (close < 0)
		return fail(a, s.data, "\"" STR_FMT "\" lacks its \"]\"", SHOWN(s));
	rest = after(inside, (size_t)close + 1);
	inside.length = (size_t)close;
	r = parse_index(a, str_trim(inside), &insns[0]);
	if (r || !rest.length)
		return r;
	if (row != VM_LDDW_MAP_VALUE || rest.data[0] != '+')
		return fail(a, rest.data, "expected the end of the line, not \"" STR_FMT "\"", SHOWN(rest));
	return parse_index(a, rest, &insns[1]);
}

static int parse_helper(struct assembler *a, const struct operand *given, struct picket_insn *insn)
{
	char name[64];
	const struct picket_helper *helper = NULL;

	if (given->kind == OPERAND_NUMBER)
		return parse_imm(a, given->text, insn);
	if (given->text.length < sizeof(name)) {
		snprintf(name, sizeof(name), STR_FMT, STR_ARG(given->text));
		helper = vm_helper_by_name(name);
	}
	if (!helper)
		return fail(a, given->text.data,
		            "there is no helper \"" STR_FMT "\"; a function is called by call local",
		            SHOWN(given->text));
	insn->imm = (int32_t)helper->id;
	return 0;
}

/* A distance with its sign, or a label, which is put in at the end. */
static int parse_place(struct assembler *a, char operand, struct str s, struct picket_insn *insn)
{
	struct use use = {(uint32_t)(a->insns.length / SLOT_BYTES), operand, s};

	if (operand_kind(s) == OPERAND_NAME) {
		buf_add(&a->uses, &use, sizeof(use));
		return 0;
	}
	if (!is_signed(s))
		return fail(a, s.data, "expected a label, or a distance with its sign, as in +3, not \"" STR_FMT "\"",
		            SHOWN(s));
	return operand == 'o' ? parse_offset(a, s, insn) : parse_imm(a, s, insn);
}

static int parse_operand(struct assembler *a, uint16_t row, char operand, const struct operand *given,
                         struct picket_insn insns[2])
{
	uint8_t reg = 0;
	int r;

	switch (operand) {
	case 'd':
		r = parse_register(a, given->text, &reg);
		insns[0].dst = reg & 0xf;
		return r;
	case 's':
		r = parse_register(a, given->text, &reg);
		insns[0].src = reg & 0xf;
		return r;
	case 'l':
		r = parse_memory(a, given->text, &reg, &insns[0]);
		insns[0].src = reg & 0xf;
		return r;
	case 'm':
		r = parse_memory(a, given->text, &reg, &insns[0]);
		insns[0].dst = reg & 0xf;
		return r;
	case 'i':
		return parse_imm(a, given->text, &insns[0]);
	case 'w':
		return parse_wide(a, given->text, insns);
	case 'h':
		return parse_helper(a, given, &insns[0]);
	case 'p':
		return parse_map(a, row, given->text, insns);
	case 'f':
		return parse_place(a, operand, after(given->text, strlen("function")), &insns[0]);
	default: /* o, t */
		return parse_place(a, operand, given->text, &insns[0]);
	}
}

/* ---- lines ---- */
static struct str without_comment(struct str line)
{
	for (size_t i = 0; i < line.length; i++)
		if (line.data[i] == '#' || line.data[i] == ';' ||
		    (line.data[i] == '/' && i + 1 < line.length && line.data[i + 1] == '/'))
			return str_make(line.data, i);
	return line;
}

/* Takes "name:" off the line's start. Returns 1 if it was there, 0 if not. */
static int label_take(struct assembler *a, struct str *line)
{
	struct str name = name_at(*line), rest = after(*line, name.length);
	size_t slot = a->insns.length / SLOT_BYTES;
	void *old = NULL;
	int r;

	if (!name.length || !rest.length || rest.data[0] != ':')
		return 0;
	if (is_register(name))
		return fail(a, name.data, "a label cannot have a register's name, \"" STR_FMT "\"", SHOWN(name));
	r = map_put(&a->labels, name, (void *)(uintptr_t)(slot + 1), &old);
	if (r == -ENOSPC)
		return set_place(a, name.data,
		                 vm_error(a->reterr, -E2BIG, 0, "there are more than %u labels", PICKET_INSNS_MAX));
	if (r)
		return r;
	if (old)
		return fail(a, name.data, "the label \"" STR_FMT "\" is there already", SHOWN(name));
	*line = after(rest, 1);
	return 1;
}

static int insn_add(struct assembler *a, struct str statement, const struct picket_insn *insns, size_t slots)
{
	buf_add(&a->insns, insns, slots * SLOT_BYTES);
	if (a->insns.error == -ENOBUFS)
		return set_place(
		        a, statement.data,
		        vm_error(a->reterr, -E2BIG, 0, "there are more than %u instructions", PICKET_INSNS_MAX));
	return a->insns.error ? a->insns.error : a->uses.error;
}

static int assemble_statement(struct assembler *a, struct str statement)
{
	struct picket_insn insns[2] = {0};
	struct operand operands[OPERANDS_MAX];
	struct str rest;
	uint16_t row = 0;
	int r = mnemonic_take(a, statement, &row, &rest);

	if (!r)
		r = row_choose(a, statement, row, operands, operands_split(rest, operands), &row);
	if (r)
		return r;
	insns[0] = vm_row_insn(&vm_insns[row]);
	const char *wanted = vm_format_operands(vm_insns[row].format);
	for (size_t i = 0; !r && wanted[i]; i++)
		r = parse_operand(a, row, wanted[i], &operands[i], insns);
	return r ? r : insn_add(a, statement, insns, vm_row_slots(&vm_insns[row]));
}

static int assemble_lines(struct assembler *a)
{
	struct str rest = a->text, line;

	while (str_next(&rest, '\n', &line)) {
		int r;
		line = str_trim(without_comment(line));
		do
			r = label_take(a, &line);
		while (r > 0);
		if (!r && line.length)
			r = assemble_statement(a, line);
		if (r)
			return r;
	}
	return 0;
}

/* ---- labels ---- */
/* The label "exit", where none is, is the next exit: *next_exit goes along with the uses, which are in order. */
static bool exit_after(const struct picket_insn *insns, size_t count, size_t slot, size_t *next_exit)
{
	while (*next_exit < count && (*next_exit <= slot || insns[*next_exit].code != vm_insns[VM_EXIT].code))
		++*next_exit;
	return *next_exit < count;
}

static int use_resolve(struct assembler *a, const struct use *use, size_t target, struct picket_insn *insn)
{
	int64_t distance = (int64_t)target - use->slot - 1;

	if (use->operand != 'o') {
		insn->imm = (int32_t)distance;
		return 0;
	}
	if (distance != (int16_t)distance)
		return fail(a, use->label.data,
		            "\"" STR_FMT "\" is %lld instructions away, too far for 16 bits: use %s", SHOWN(use->label),
		            (long long)distance, vm_insns[VM_JA32].mnemonic);
	insn->offset = (int16_t)distance;
	return 0;
}

static int resolve_uses(struct assembler *a)
{
	struct picket_insn *insns = (void *)a->insns.data;
	const struct use *uses = (const void *)a->uses.data;
	size_t count = a->insns.length / SLOT_BYTES, next_exit = 0;

	for (size_t i = 0; i < a->uses.length / sizeof(*uses); i++) {
		size_t target = (uintptr_t)map_get(&a->labels, uses[i].label);
		if (target)
			target--;
		else if (str_equals(uses[i].label, "exit") && exit_after(insns, count, uses[i].slot, &next_exit))
			target = next_exit;
		else
			return fail(a, uses[i].label.data, "there is no label \"" STR_FMT "\"", SHOWN(uses[i].label));
		int r = use_resolve(a, &uses[i], target, &insns[uses[i].slot]);
		if (r)
			return r;
	}
	return 0;
}

int picket_assemble(const char *text, size_t length, struct picket_insn **ret_insns, size_t *ret_count,
                    struct picket_error *reterr)
{
	struct assembler a = {.text = length ? str_make(text, length) : STR(""), .reterr = reterr};
	int r;

	map_init(&a.mnemonics, VM_OPCODES);
	map_init(&a.labels, PICKET_INSNS_MAX);
	buf_init(&a.insns, PICKET_INSNS_MAX * SLOT_BYTES);
	buf_init(&a.uses, PICKET_INSNS_MAX * sizeof(struct use));
	r = index_mnemonics(&a);
	if (!r)
		r = assemble_lines(&a);
	if (!r && !a.insns.length)
		r = fail(&a, a.text.data, "there is no instruction");
	if (!r)
		r = resolve_uses(&a);
	if (!r) {
		*ret_count = a.insns.length / SLOT_BYTES;
		*ret_insns = (struct picket_insn *)buf_take(&a.insns);
	}
	map_done(&a.mnemonics);
	map_done(&a.labels);
	buf_done(&a.insns);
	buf_done(&a.uses);
	return r;
}
