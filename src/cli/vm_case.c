/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/vm_case.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#define INSN_BYTES 8

/* ---- bytecode in files ---- */

int vm_insns_from_bytes(struct str bytes, struct picket_insn **ret_insns, size_t *ret_count)
{
	size_t count = bytes.length / INSN_BYTES;
	if (count == 0 || bytes.length % INSN_BYTES != 0)
		return -EINVAL;
	struct picket_insn *insns = calloc(count, sizeof(*insns));
	if (!insns)
		return -ENOMEM;
	for (size_t i = 0; i < count; i++) {
		const uint8_t *b = (const uint8_t *)bytes.data + i * INSN_BYTES;
		insns[i].code = b[0];
		insns[i].dst = b[1] & 0xf;
		insns[i].src = b[1] >> 4;
		insns[i].offset = (int16_t)(b[2] | b[3] << 8);
		insns[i].imm = (int32_t)(b[4] | b[5] << 8 | b[6] << 16 | (uint32_t)b[7] << 24);
	}
	*ret_insns = insns;
	*ret_count = count;
	return 0;
}

void vm_insns_to_bytes(const struct picket_insn *insns, size_t count, struct buf *out)
{
	for (size_t i = 0; i < count; i++) {
		uint16_t offset = (uint16_t)insns[i].offset;
		uint32_t imm = (uint32_t)insns[i].imm;
		uint8_t b[INSN_BYTES] = {
		        insns[i].code,        (uint8_t)(insns[i].dst | insns[i].src << 4),
		        (uint8_t)offset,      (uint8_t)(offset >> 8),
		        (uint8_t)imm,         (uint8_t)(imm >> 8),
		        (uint8_t)(imm >> 16), (uint8_t)(imm >> 24),
		};
		buf_add(out, b, sizeof(b));
	}
}

/* ---- sections ---- */

enum section {
	SECTION_ASM,
	SECTION_RAW,
	SECTION_MEM,
	SECTION_RESULT,
	SECTION_ERROR,
	SECTION_C,
	SECTION_NOTE,
	SECTIONS
};

static const char *const section_names[SECTIONS] = {
        [SECTION_ASM] = "asm",
        [SECTION_RAW] = "raw",
        [SECTION_MEM] = "mem",
        [SECTION_RESULT] = "result",
        [SECTION_ERROR] = "error",
        [SECTION_C] = "c",
        [SECTION_NOTE] = "no register offset",
};

struct sections {
	struct section_text {
		bool there;
		unsigned line; /* the header's, after which the text begins */
		struct str text;
	} of[SECTIONS];
	struct picket_error *reterr;
};

static int printf_like(3, 4) broken(struct picket_error *reterr, unsigned line, const char *format, ...)
{
	va_list args;
	if (!reterr)
		return -EINVAL;
	*reterr = (struct picket_error){.line = line};
	va_start(args, format);
	vsnprintf(reterr->text, sizeof(reterr->text), format, args);
	va_end(args);
	return -EINVAL;
}

static bool is_header(struct str line)
{
	return str_starts_with(line, STR("--")) && (line.length == 2 || line.data[2] == ' ');
}

static struct str without_comment(struct str line)
{
	ssize_t at = str_find_char(line, '#');
	return str_trim(at < 0 ? line : str_make(line.data, (size_t)at));
}

static int section_begin(struct sections *s, struct str line, unsigned number, struct section_text **ret_section)
{
	struct str name = str_trim(str_make(line.data + 2, line.length - 2));
	for (size_t i = 0; i < SECTIONS; i++) {
		if (!str_equals(name, section_names[i]))
			continue;
		if (s->of[i].there)
			return broken(s->reterr, number, "the section \"-- %s\" is there twice", section_names[i]);
		s->of[i] = (struct section_text){true, number, str_make(line.data + line.length, 0)};
		*ret_section = &s->of[i];
		return 0;
	}
	return broken(s->reterr, number, "there is no section \"-- " STR_FMT "\"", STR_ARG(name));
}

static int sections_find(struct sections *s, struct str text)
{
	struct section_text *now = NULL;
	struct str line;
	for (unsigned number = 1; str_next(&text, '\n', &line); number++) {
		int r = 0;
		if (is_header(line))
			r = section_begin(s, line, number, &now);
		else if (now)
			now->text.length = (size_t)(line.data + line.length - now->text.data);
		else if (without_comment(line).length > 0)
			r = broken(s->reterr, number, "expected a section such as \"-- asm\"");
		if (r < 0)
			return r;
	}
	return 0;
}

bool vm_case_is_like(struct str text)
{
	struct str line;
	while (str_next(&text, '\n', &line))
		if (is_header(line))
			return true;
	return false;
}

/* ---- what is in them ---- */

/* One word of a dump: "0a", or 64 bits in little-endian order: "0x5566778800000018". */
static int bytes_add_word(struct str word, struct buf *out)
{
	uint64_t number;
	bool wide = str_starts_with(word, STR("0x"));
	char digits[20];
	if (word.length > 18 || (!wide && word.length != 2))
		return -EINVAL;
	snprintf(digits, sizeof(digits), "%s" STR_FMT, wide ? "" : "0x", STR_ARG(word));
	if (str_to_u64(str_from(digits), &number) < 0)
		return -EINVAL;
	for (unsigned i = 0; i < (wide ? sizeof(number) : 1); i++)
		buf_add_char(out, (char)(number >> (8 * i)));
	return 0;
}

static bool word_take(struct str *line, struct str *ret_word)
{
	size_t length = 0;
	*line = str_trim(*line);
	while (length < line->length && line->data[length] != ' ' && line->data[length] != '\t')
		length++;
	*ret_word = str_make(line->data, length);
	*line = str_make(line->data + length, line->length - length);
	return length > 0;
}

static int parse_bytes(const struct sections *s, enum section which, struct buf *out)
{
	struct str text = s->of[which].text, line, word;
	for (unsigned number = s->of[which].line; str_next(&text, '\n', &line); number++) {
		line = without_comment(line);
		while (word_take(&line, &word))
			if (bytes_add_word(word, out) < 0)
				return broken(s->reterr, number,
				              "expected bytes such as \"0a ff\" or words such as 0x95, not \"" STR_FMT
				              "\"",
				              STR_ARG(word));
	}
	return buf_error(out);
}

static int parse_asm(const struct sections *s, struct vm_case *c)
{
	const struct section_text *section = &s->of[SECTION_ASM];
	int r = picket_assemble(section->text.data, section->text.length, &c->insns, &c->insn_count, &c->refused);
	if (r == -ENOMEM)
		return r;
	if (r < 0)
		c->refused.line += section->line - 1;
	return 0;
}

static int check_same(const struct sections *s, const struct vm_case *c, const struct buf *raw)
{
	_cleanup_(buf_done) struct buf assembled;
	buf_init(&assembled, VM_FILE_BYTES_MAX);
	vm_insns_to_bytes(c->insns, c->insn_count, &assembled);
	if (buf_error(&assembled) < 0 || str_equal(buf_str(&assembled), buf_str(raw)))
		return buf_error(&assembled);
	size_t at = 0, common = MIN(assembled.length, raw->length);
	while (at < common && assembled.data[at] == raw->data[at])
		at++;
	return broken(s->reterr, s->of[SECTION_RAW].line, "\"-- raw\" is not what \"-- asm\" gives: instruction %zu",
	              at / INSN_BYTES);
}

static int parse_program(const struct sections *s, struct vm_case *c)
{
	_cleanup_(buf_done) struct buf raw;
	int r = 0;
	buf_init(&raw, VM_FILE_BYTES_MAX);
	if (!s->of[SECTION_ASM].there && !s->of[SECTION_RAW].there)
		return broken(s->reterr, 0, "there is no program: \"-- asm\" or \"-- raw\"");
	if (s->of[SECTION_ASM].there)
		r = parse_asm(s, c);
	if (r == 0 && s->of[SECTION_RAW].there)
		r = parse_bytes(s, SECTION_RAW, &raw);
	if (r < 0 || !s->of[SECTION_RAW].there)
		return r;
	if (s->of[SECTION_ASM].there)
		return c->insns ? check_same(s, c, &raw) : 0;
	r = vm_insns_from_bytes(buf_str(&raw), &c->insns, &c->insn_count);
	if (r == -EINVAL)
		return broken(s->reterr, s->of[SECTION_RAW].line, "%zu bytes are no whole instructions", raw.length);
	return r;
}

static int parse_result(const struct sections *s, struct vm_case *c)
{
	struct str rest = s->of[SECTION_RESULT].text, line, number = {0};
	int64_t negative = 0;
	while (number.length == 0 && str_next(&rest, '\n', &line))
		number = without_comment(line);
	c->has_result = true;
	if (str_to_u64(number, &c->result) == 0)
		return 0;
	if (str_to_s64(number, &negative) < 0)
		return broken(s->reterr, s->of[SECTION_RESULT].line, "expected a number, not \"" STR_FMT "\"",
		              STR_ARG(number));
	c->result = (uint64_t)negative;
	return 0;
}

static int parse_error(const struct sections *s, struct vm_case *c)
{
	struct str text = str_trim(s->of[SECTION_ERROR].text);
	if (text.length >= sizeof(c->error) || str_find_char(text, '\n') >= 0)
		return broken(s->reterr, s->of[SECTION_ERROR].line, "an error is one line of at most %zu bytes",
		              sizeof(c->error) - 1);
	c->has_error = true;
	snprintf(c->error, sizeof(c->error), STR_FMT, STR_ARG(text));
	return 0;
}

int vm_case_parse(struct str text, struct vm_case *ret_case, struct picket_error *reterr)
{
	_cleanup_(vm_case_done) struct vm_case c = {0};
	struct sections s = {.reterr = reterr};
	buf_init(&c.memory, VM_FILE_BYTES_MAX);
	int r = sections_find(&s, text);
	if (r == 0)
		r = parse_program(&s, &c);
	if (r == 0 && s.of[SECTION_MEM].there)
		r = parse_bytes(&s, SECTION_MEM, &c.memory);
	if (r == 0 && s.of[SECTION_RESULT].there)
		r = parse_result(&s, &c);
	if (r == 0 && s.of[SECTION_ERROR].there)
		r = parse_error(&s, &c);
	if (r < 0)
		return r;
	*ret_case = c;
	c = (struct vm_case){0};
	return 0;
}

void vm_case_done(struct vm_case *c)
{
	free(c->insns);
	c->insns = NULL;
	buf_done(&c->memory);
}
