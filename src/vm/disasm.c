/* SPDX-License-Identifier: Apache-2.0 */
#include <ctype.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include "vm/text_int.h"

/* Numbers from here on are shown in hexadecimal. */
#define HEX_FROM 0x10000

const char *vm_format_operands(enum vm_format format)
{
	switch (format) {
	case VM_FORMAT_NOTHING:
		return "";
	case VM_FORMAT_DST:
	case VM_FORMAT_CALL_DST:
		return "d";
	case VM_FORMAT_DST_IMM:
		return "di";
	case VM_FORMAT_DST_SRC:
		return "ds";
	case VM_FORMAT_LOAD:
		return "dl";
	case VM_FORMAT_STORE_IMM:
		return "mi";
	case VM_FORMAT_STORE_REG:
	case VM_FORMAT_ATOMIC_REG:
		return "ms";
	case VM_FORMAT_JUMP:
		return "o";
	case VM_FORMAT_JUMP_LONG:
	case VM_FORMAT_CALL_FUNCTION:
		return "t";
	case VM_FORMAT_JUMP_IMM:
		return "dio";
	case VM_FORMAT_JUMP_REG:
		return "dso";
	case VM_FORMAT_CALL_ID:
		return "h";
	case VM_FORMAT_WIDE:
		return "dw";
	case VM_FORMAT_WIDE_MAP:
		return "dp";
	case VM_FORMAT_WIDE_FUNCTION:
		return "df";
	case VM_FORMAT_PACKET_IMM:
		return "i";
	case VM_FORMAT_PACKET_REG:
		return "si";
	case VM_FORMAT_LEA_IMM:
	case VM_FORMAT_LEA_REG:
	case VM_FORMAT_LOAD_INDEXED:
		return NULL;
	}
	return NULL;
}

const char *vm_map_keyword(enum vm_opcode row)
{
	return row == VM_LDDW_MAP_VALUE ? "map_value" : "map";
}

size_t vm_row_slots(const struct vm_insn_info *info)
{
	switch ((enum vm_format)info->format) {
	case VM_FORMAT_WIDE:
	case VM_FORMAT_WIDE_MAP:
	case VM_FORMAT_WIDE_FUNCTION:
		return 2;
	default:
		return 1;
	}
}

struct picket_insn vm_row_insn(const struct vm_insn_info *info)
{
	struct picket_insn insn = {.code = info->code};

	switch ((enum vm_select)info->select) {
	case VM_SELECT_OFFSET:
		insn.offset = info->value;
		break;
	case VM_SELECT_IMM:
		insn.imm = info->value;
		break;
	case VM_SELECT_SRC:
		insn.src = info->value & 0xf;
		break;
	case VM_SELECT_NONE:
		break;
	}
	return insn;
}

/* ---- a text of limited size ---- */
struct writer {
	char *text; /* terminated, if size is not 0 */
	size_t size, length;
};

static void printf_like(2, 3) put(struct writer *w, const char *format, ...)
{
	va_list args;
	size_t room = w->size - w->length;
	int added;

	if (!room)
		return;
	va_start(args, format);
	added = vsnprintf(w->text + w->length, room, format, args);
	va_end(args);
	if (added > 0)
		w->length += MIN((size_t)added, room - 1);
}

static void put_number(struct writer *w, int64_t number)
{
	uint64_t magnitude = number < 0 ? -(uint64_t)number : (uint64_t)number;

	put(w, magnitude < HEX_FROM ? "%s%" PRIu64 : "%s0x%" PRIx64, number < 0 ? "-" : "", magnitude);
}

/* ---- an instruction and its row ---- */
struct view {
	enum vm_opcode row;
	const struct vm_insn_info *info;
	const struct picket_insn *insn;
	int32_t second; /* imm of the second slot */
	size_t slots;
};

static bool row_find(const struct picket_insn *insn, struct view *ret_view)
{
	uint16_t row = vm_row_find(vm_row_index(), insn);

	if (row == VM_OPCODES)
		return false;
	*ret_view =
	        (struct view){.row = row, .info = &vm_insns[row], .insn = insn, .slots = vm_row_slots(&vm_insns[row])};
	return true;
}

/* Is everything 0 that is no operand? */
static bool fields_are_valid(const struct view *v)
{
	struct picket_insn allowed = vm_row_insn(v->info);

	for (const char *operand = vm_format_operands(v->info->format); *operand; operand++) {
		if (strchr("dm", *operand))
			allowed.dst = v->insn->dst;
		if (strchr("sl", *operand))
			allowed.src = v->insn->src;
		if (strchr("lmo", *operand))
			allowed.offset = v->insn->offset;
		if (strchr("iwtfph", *operand))
			allowed.imm = v->insn->imm;
	}
	if (v->second && (v->info->format == VM_FORMAT_WIDE_FUNCTION || v->row == VM_LDDW_MAP))
		return false;
	return allowed.dst == v->insn->dst && allowed.src == v->insn->src && allowed.offset == v->insn->offset &&
	       allowed.imm == v->insn->imm;
}

/* Returns what is wrong with the instruction, or NULL. */
static const char *view_init(const struct picket_insn *insn, size_t count, struct view *ret_view)
{
	if (!count)
		return "no instruction";
	if (!row_find(insn, ret_view))
		return "no such instruction";
	if (ret_view->slots == 2) {
		if (count < 2)
			return "its second half is missing";
		if (insn[1].code || insn[1].dst || insn[1].src || insn[1].offset)
			return "its second half has more than an immediate";
		ret_view->second = insn[1].imm;
	}
	if (insn->dst > 10 || (insn->src > 10 && ret_view->info->select != VM_SELECT_SRC))
		return "there are registers 0 to 10";
	if (!fields_are_valid(ret_view))
		return "a field that it does not have is not 0";
	return NULL;
}

static void put_invalid(struct writer *w, const struct picket_insn *insn, size_t count, const char *why)
{
	put(w, "invalid");
	if (count)
		put(w, " 0x%02x", insn->code);
	put(w, ": %s", why);
}

static int64_t imm_number(const struct view *v)
{
	switch ((enum vm_format)v->info->format) {
	case VM_FORMAT_WIDE:
		return (int64_t)((uint64_t)(uint32_t)v->second << 32 | (uint32_t)v->insn->imm);
	case VM_FORMAT_WIDE_MAP: /* an index */
		return (uint32_t)v->insn->imm;
	default:
		return v->insn->imm;
	}
}

static void put_helper(struct writer *w, const struct view *v)
{
	const struct picket_helper *helper = vm_helper_find((uint32_t)v->insn->imm, NULL, 0);

	if (helper)
		put(w, "%s", helper->name);
	else
		put_number(w, v->insn->imm);
}

static void put_imm(struct writer *w, const struct view *v)
{
	int64_t number = imm_number(v);

	if (v->info->format == VM_FORMAT_WIDE && number <= -HEX_FROM)
		put(w, "0x%" PRIx64, (uint64_t)number);
	else
		put_number(w, number);
}

static void put_value_offset(struct writer *w, const struct view *v)
{
	if (v->second)
		put(w, "+%" PRIu32, (uint32_t)v->second);
}

/* ---- as the assembler reads it ---- */
static void put_memory(struct writer *w, unsigned reg, int offset)
{
	put(w, "[%%r%u", reg);
	if (offset)
		put(w, "%+d", offset);
	put(w, "]");
}

static void put_operand(struct writer *w, const struct view *v, char operand)
{
	switch (operand) {
	case 'd':
		put(w, "%%r%u", v->insn->dst);
		break;
	case 's':
		put(w, "%%r%u", v->insn->src);
		break;
	case 'i':
	case 'w':
		put_imm(w, v);
		break;
	case 'l':
		put_memory(w, v->insn->src, v->insn->offset);
		break;
	case 'm':
		put_memory(w, v->insn->dst, v->insn->offset);
		break;
	case 'o':
		put(w, "%+d", v->insn->offset);
		break;
	case 't':
		put(w, "%+" PRId32, v->insn->imm);
		break;
	case 'f':
		put(w, "function %+" PRId32, v->insn->imm);
		break;
	case 'p':
		put(w, "%s[%" PRId64 "]", vm_map_keyword(v->row), imm_number(v));
		put_value_offset(w, v);
		break;
	case 'h':
		put_helper(w, v);
		break;
	}
}

size_t picket_disassemble(const struct picket_insn *insn, size_t count, char *text, size_t size)
{
	struct writer w = {.text = text, .size = size};
	const char *separator = " ";
	struct view v;
	const char *why = view_init(insn, count, &v);

	if (why) {
		put_invalid(&w, insn, count, why);
		return 0;
	}
	put(&w, "%s", v.info->mnemonic);
	for (const char *operand = vm_format_operands(v.info->format); *operand; operand++) {
		put(&w, "%s", separator);
		put_operand(&w, &v, *operand);
		separator = ", ";
	}
	return v.slots;
}

/* ---- as C ---- */
static void put_placeholder(struct writer *w, const struct view *v, char letter)
{
	switch (letter) {
	case 'D':
	case 'd':
		put(w, "%c%u", letter == 'D' ? 'r' : 'w', v->insn->dst);
		break;
	case 'S':
	case 's':
		put(w, "%c%u", letter == 'S' ? 'r' : 'w', v->insn->src);
		break;
	case 'O':
		put(w, "%c %d", v->insn->offset < 0 ? '-' : '+',
		    v->insn->offset < 0 ? -v->insn->offset : v->insn->offset);
		break;
	case 'J':
		put(w, "%+" PRId32, strchr(vm_format_operands(v->info->format), 'o') ? v->insn->offset : v->insn->imm);
		break;
	default: /* I */
		if (v->info->format == VM_FORMAT_CALL_ID)
			put_helper(w, v);
		else
			put_imm(w, v);
	}
}

static bool is_word_char(char c)
{
	return isalnum((unsigned char)c) || c == '_';
}

/* A letter that stands alone; but for the "s" of a signed operator: s>, s/=, s%=. */
static bool is_placeholder(const char *template, const char *at)
{
	bool alone = (at == template || !is_word_char(at[-1])) && !is_word_char(at[1]);

	return alone && strchr("DdSsIOJ", *at) && !(*at == 's' && at[1] && strchr("<>/%", at[1]));
}

size_t picket_disassemble_c(const struct picket_insn *insn, size_t count, char *text, size_t size)
{
	struct writer w = {.text = text, .size = size};
	struct view v;
	const char *why = view_init(insn, count, &v);

	if (why) {
		put_invalid(&w, insn, count, why);
		return 0;
	}
	for (const char *at = v.info->c; *at; at++) {
		if (is_placeholder(v.info->c, at))
			put_placeholder(&w, &v, *at);
		else
			put(&w, "%c", *at);
	}
	if (v.row == VM_LDDW_MAP_VALUE)
		put_value_offset(&w, &v);
	return v.slots;
}

bool picket_insn_target(const struct picket_insn *insn, int64_t *ret_slots)
{
	struct view v;

	if (!row_find(insn, &v))
		return false;
	for (const char *operand = vm_format_operands(v.info->format); *operand; operand++) {
		if (strchr("otf", *operand)) {
			*ret_slots = 1 + (int64_t)(*operand == 'o' ? v.insn->offset : v.insn->imm);
			return true;
		}
	}
	return false;
}
