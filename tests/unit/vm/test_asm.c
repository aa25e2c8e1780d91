/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <cmocka.h>

#include <errno.h>
#include <stdio.h>

#include "base/buf.h"
#include "vm/text_int.h"

static const int32_t imms[] = {0, 1, -1, 7, 255, -256, 0xffff, 0x10000, -0x10000, INT32_MAX, INT32_MIN};
static const uint8_t registers[] = {0, 1, 9, 10};
static const int16_t offsets[] = {0, 1, -1, 8, -8, INT16_MAX, INT16_MIN};

/* Assembles text that must be right. The caller frees. */
static struct picket_insn *assemble(const char *text, size_t *ret_count)
{
	struct picket_error error = {0};
	struct picket_insn *insns = NULL;
	int r = picket_assemble(text, strlen(text), &insns, ret_count, &error);

	if (r)
		fail_msg("\"%s\": %u:%u: %s", text, error.line, error.column, error.text);
	return insns;
}

static void assert_insn(const struct picket_insn *insn, uint8_t code, unsigned dst, unsigned src, int offset,
                        int32_t imm)
{
	assert_int_equal(insn->code, code);
	assert_int_equal(insn->dst, dst);
	assert_int_equal(insn->src, src);
	assert_int_equal(insn->offset, offset);
	assert_int_equal(insn->imm, imm);
}

/* ---- there and back ---- */
static void check_round_trip(const struct picket_insn *insns, size_t slots)
{
	char text[PICKET_TEXT_MAX];
	size_t count = 0;
	size_t taken = picket_disassemble(insns, slots, text, sizeof(text));
	_cleanup_(base_free_ptr) struct picket_insn *back = NULL;

	if (taken != slots)
		fail_msg("opcode 0x%02x: %s", insns->code, text);
	assert_true(strlen(text) + 1 < sizeof(text));
	back = assemble(text, &count);
	if (count != slots || memcmp(back, insns, slots * sizeof(*insns)) != 0)
		fail_msg("\"%s\" comes back as another instruction", text);
	assert_int_equal(picket_disassemble_c(insns, slots, text, sizeof(text)), slots);
	assert_true(text[0] != '\0' && strlen(text) + 1 < sizeof(text));
}

static bool has(const char *operands, const char *letters)
{
	return strpbrk(operands, letters) != NULL;
}

/* One row with all its registers and edge values. A field that it has not keeps one value. */
static size_t check_row(const struct vm_insn_info *info)
{
	const char *operands = vm_format_operands(info->format);
	size_t dsts = has(operands, "dm") ? ARRAY_SIZE(registers) : 1;
	size_t srcs = has(operands, "sl") ? ARRAY_SIZE(registers) : 1;
	size_t offset_count = has(operands, "lmo") ? ARRAY_SIZE(offsets) : 1;
	size_t imm_count = has(operands, "iwtfph") ? ARRAY_SIZE(imms) : 1;
	size_t seconds =
	        info->format == VM_FORMAT_WIDE || strcmp(info->id, "LDDW_MAP_VALUE") == 0 ? ARRAY_SIZE(imms) : 1;
	size_t checked = 0;

	for (size_t i = 0; i < dsts * srcs * offset_count * imm_count * seconds; i++) {
		struct picket_insn insns[2] = {vm_row_insn(info)};
		size_t rest = i;
		if (dsts > 1)
			insns[0].dst = registers[rest % dsts] & 0xf;
		rest /= dsts;
		if (srcs > 1)
			insns[0].src = registers[rest % srcs] & 0xf;
		rest /= srcs;
		if (offset_count > 1)
			insns[0].offset = offsets[rest % offset_count];
		rest /= offset_count;
		if (imm_count > 1)
			insns[0].imm = imms[rest % imm_count];
		rest /= imm_count;
		insns[1].imm = seconds > 1 ? imms[rest] : 0;
		check_round_trip(insns, vm_row_slots(info));
		checked++;
	}
	return checked;
}

static void test_every_row_comes_back(void **state)
{
	size_t rows = 0;
	(void)state;
	for (unsigned row = 0; row < VM_OPCODES; row++) {
		if (!vm_insns[row].mnemonic)
			continue;
		assert_true(check_row(&vm_insns[row]) > 0);
		rows++;
	}
	assert_true(rows > 150);
}

/* What has bits that no row knows of is refused, and said to be. */
static void test_no_other_instruction(void **state)
{
	static const struct {
		struct picket_insn insns[2];
		size_t count;
		const char *text;
	} cases[] = {
	        {{{0}}, 0, "invalid: no instruction"},
	        {{{.code = 0xff}}, 1, "invalid 0xff: no such instruction"},
	        {{{.code = 0x37, .offset = 2}}, 1, "invalid 0x37: no such instruction"},
	        {{{.code = 0xd4, .imm = 24}}, 1, "invalid 0xd4: no such instruction"},
	        {{{.code = 0x85, .src = 2}}, 1, "invalid 0x85: no such instruction"},
	        {{{.code = 0x07, .src = 1}}, 1, "invalid 0x07: a field that it does not have is not 0"},
	        {{{.code = 0x07, .offset = 1}}, 1, "invalid 0x07: a field that it does not have is not 0"},
	        {{{.code = 0x0f, .imm = 1}}, 1, "invalid 0x0f: a field that it does not have is not 0"},
	        {{{.code = 0x95, .dst = 1}}, 1, "invalid 0x95: a field that it does not have is not 0"},
	        {{{.code = 0x0f, .src = 11}}, 1, "invalid 0x0f: there are registers 0 to 10"},
	        {{{.code = 0x07, .dst = 15}}, 1, "invalid 0x07: there are registers 0 to 10"},
	        {{{.code = 0x18}}, 1, "invalid 0x18: its second half is missing"},
	        {{{.code = 0x18}, {.code = 0x95}}, 2, "invalid 0x18: its second half has more than an immediate"},
	        {{{.code = 0x18, .src = 5}, {.imm = 1}}, 2, "invalid 0x18: a field that it does not have is not 0"},
	};
	char text[PICKET_TEXT_MAX];
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		assert_int_equal(picket_disassemble(cases[i].insns, cases[i].count, text, sizeof(text)), 0);
		assert_string_equal(text, cases[i].text);
		assert_int_equal(picket_disassemble_c(cases[i].insns, cases[i].count, text, sizeof(text)), 0);
		assert_string_equal(text, cases[i].text);
	}
}

/* Whatever is taken for valid comes back as it was; nothing else does. */
static void test_random_instructions(void **state)
{
	uint64_t seed = 88172645463325252ull, valid = 0;
	(void)state;
	for (unsigned i = 0; i < 100000; i++) {
		struct picket_insn insns[2] = {0};
		char text[PICKET_TEXT_MAX];
		seed ^= seed << 13;
		seed ^= seed >> 7;
		seed ^= seed << 17;
		uint64_t sparse = i & 1 ? seed & 0x000000ff00000fffull : seed;
		memcpy(&insns[0], &sparse, sizeof(insns[0]));
		insns[1].imm = (int32_t)(seed >> 32);
		size_t slots = picket_disassemble(insns, 2, text, sizeof(text));
		if (slots)
			check_round_trip(insns, slots);
		else
			assert_memory_equal(text, "invalid 0x", 10);
		valid += slots > 0;
	}
	assert_true(valid > 1000);
}

static void test_short_text(void **state)
{
	static const struct picket_insn insn = {.code = 0x07, .dst = 10, .imm = 1};
	char text[16] = "untouched";
	(void)state;
	assert_int_equal(picket_disassemble(&insn, 1, text, 0), 1);
	assert_string_equal(text, "untouched");
	assert_int_equal(picket_disassemble(&insn, 1, text, 1), 1);
	assert_string_equal(text, "");
	assert_int_equal(picket_disassemble(&insn, 1, text, 9), 1);
	assert_string_equal(text, "add %r10");
}

/* ---- what text means ---- */
static void test_syntax(void **state)
{
	static const struct {
		const char *text;
		struct picket_insn insn;
		int32_t second;
	} cases[] = {
	        {"mov %r0, 1", {.code = 0xb7, .imm = 1}, 0},
	        {"  mov\tr9 ,r10\r\n", {.code = 0xbf, .dst = 9, .src = 10}, 0},
	        {"mov32 %r0, 0xffffffff", {.code = 0xb4, .imm = -1}, 0},
	        {"mov32 %r0, -0x80000000", {.code = 0xb4, .imm = INT32_MIN}, 0},
	        {"add %r1, +5 # five", {.code = 0x07, .dst = 1, .imm = 5}, 0},
	        {"ldxdw %r0, [%r1+2]", {.code = 0x79, .src = 1, .offset = 2}, 0},
	        {"ldxb %r0, [ r1 - 0x8000 ]", {.code = 0x71, .src = 1, .offset = INT16_MIN}, 0},
	        {"stw [%r10-4], 0xaa ; comment", {.code = 0x62, .dst = 10, .offset = -4, .imm = 0xaa}, 0},
	        {"stxdw [%r10], %r3 // comment", {.code = 0x7b, .dst = 10, .src = 3}, 0},
	        {"lock   fetch add [%r10-8], %r1", {.code = 0xdb, .dst = 10, .src = 1, .offset = -8, .imm = 1}, 0},
	        {"lock xor32 [%r2], %r1", {.code = 0xc3, .dst = 2, .src = 1, .imm = 0xa0}, 0},
	        {"swap16 %r1", {.code = 0xd7, .dst = 1, .imm = 16}, 0},
	        {"movsx832 %r1, %r2", {.code = 0xbc, .dst = 1, .src = 2, .offset = 8}, 0},
	        {"sdiv %r1, 3", {.code = 0x37, .dst = 1, .offset = 1, .imm = 3}, 0},
	        {"jslt32 %r1, -2, +7", {.code = 0xc6, .dst = 1, .offset = 7, .imm = -2}, 0},
	        {"ja32 -1", {.code = 0x06, .imm = -1}, 0},
	        {"call 5", {.code = 0x85, .imm = 5}, 0},
	        {"call local +9", {.code = 0x85, .src = 1, .imm = 9}, 0},
	        {"call %r2", {.code = 0x8d, .dst = 2}, 0},
	        {"ldabsw 14", {.code = 0x20, .imm = 14}, 0},
	        {"ldindh %r7, -1", {.code = 0x48, .src = 7, .imm = -1}, 0},
	        {"lddw %r1, 0x1122334455667788", {.code = 0x18, .dst = 1, .imm = 0x55667788}, 0x11223344},
	        {"lddw %r1, -1", {.code = 0x18, .dst = 1, .imm = -1}, -1},
	        {"lddw %r1, 18446744073709551615", {.code = 0x18, .dst = 1, .imm = -1}, -1},
	        {"lddw %r1, map[3]", {.code = 0x18, .dst = 1, .src = 5, .imm = 3}, 0},
	        {"lddw %r1, map_value[3]", {.code = 0x18, .dst = 1, .src = 6, .imm = 3}, 0},
	        {"lddw %r1, map_value[ 3 ] + 0x10", {.code = 0x18, .dst = 1, .src = 6, .imm = 3}, 16},
	        {"lddw %r1, function -4", {.code = 0x18, .dst = 1, .src = 4, .imm = -4}, 0},
	};
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		const struct picket_insn *want = &cases[i].insn;
		size_t count = 0;
		_cleanup_(base_free_ptr) struct picket_insn *insns = assemble(cases[i].text, &count);
		assert_int_equal(count, want->code == 0x18 ? 2 : 1);
		assert_insn(insns, want->code, want->dst, want->src, want->offset, want->imm);
		if (count == 2)
			assert_insn(&insns[1], 0, 0, 0, 0, cases[i].second);
	}
}

static void test_helper_names(void **state)
{
	char text[PICKET_TEXT_MAX];
	size_t named = 0;
	(void)state;
	for (int32_t id = 1; id < 256; id++) {
		const struct picket_insn insn = {.code = 0x85, .imm = id};
		assert_int_equal(picket_disassemble(&insn, 1, text, sizeof(text)), 1);
		named += text[5] < '0' || text[5] > '9';
		check_round_trip(&insn, 1);
	}
	assert_true(named > 5);
}

static void test_labels(void **state)
{
	static const char text[] = "start: again:\n"
	                           "  lddw %r2, function last\n"
	                           "  jeq %r1, 0, exit\n"
	                           "  call local last\n"
	                           "  ja32 start\n"
	                           "  jne %r1, %r2, again\n"
	                           "  exit\n"
	                           "last:\n"
	                           "  ja exit\n"
	                           "here: ja here\n"
	                           "  exit\n";
	size_t count = 0;
	_cleanup_(base_free_ptr) struct picket_insn *insns = assemble(text, &count);
	(void)state;
	assert_int_equal(count, 10);
	assert_insn(&insns[0], 0x18, 2, 4, 0, 6);
	assert_insn(&insns[2], 0x15, 1, 0, 3, 0);
	assert_insn(&insns[3], 0x85, 0, 1, 0, 3);
	assert_insn(&insns[4], 0x06, 0, 0, 0, -5);
	assert_insn(&insns[5], 0x5d, 1, 2, -6, 0);
	assert_insn(&insns[7], 0x05, 0, 0, 1, 0);
	assert_insn(&insns[8], 0x05, 0, 0, -1, 0);
}

static void test_targets(void **state)
{
	static const struct {
		struct picket_insn insn;
		bool leads;
		int64_t slots;
	} cases[] = {
	        {{.code = 0x05, .offset = -3}, true, -2},
	        {{.code = 0x06, .imm = 70000}, true, 70001},
	        {{.code = 0x1d, .offset = 4}, true, 5},
	        {{.code = 0x85, .src = 1, .imm = 9}, true, 10},
	        {{.code = 0x18, .src = 4, .imm = -4}, true, -3},
	        {{.code = 0x85, .imm = 9}, false, 0},
	        {{.code = 0x18, .imm = 9}, false, 0},
	        {{.code = 0x79, .offset = 9}, false, 0},
	        {{.code = 0xff}, false, 0},
	};
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		int64_t slots = 0;
		assert_int_equal(picket_insn_target(&cases[i].insn, &slots), cases[i].leads);
		assert_true(slots == cases[i].slots);
	}
}

static void test_as_c(void **state)
{
	static const struct {
		const char *text, *c;
	} cases[] = {
	        {"add %r1, -5", "r1 += -5"},
	        {"add32 %r1, %r2", "w1 += w2"},
	        {"arsh32 %r1, %r2", "w1 s>>= w2"},
	        {"sdiv %r1, %r2", "r1 s/= r2"},
	        {"smod32 %r1, 7", "w1 s%= 7"},
	        {"movsx864 %r1, %r2", "r1 = (s8)r2"},
	        {"neg32 %r4", "w4 = -w4"},
	        {"ldxsh %r1, [%r2-8]", "r1 = *(s16 *)(r2 - 8)"},
	        {"ldxw %r1, [%r2]", "w1 = *(u32 *)(r2 + 0)"},
	        {"stb [%r10-1], 9", "*(u8 *)(r10 - 1) = 9"},
	        {"stxb [%r10-1], %r9", "*(u8 *)(r10 - 1) = w9"},
	        {"lock or [%r10-8], %r2", "lock *(u64 *)(r10 - 8) |= r2"},
	        {"lock fetch add32 [%r1], %r2", "w2 = atomic_fetch_add((u32 *)(r1 + 0), w2)"},
	        {"lock cmpxchg [%r1], %r2", "r0 = cmpxchg_64((u64 *)(r1 + 0), r0, r2)"},
	        {"strelb [%r1+3], %r2", "store_release((u8 *)(r1 + 3), w2)"},
	        {"ldacqdw %r1, [%r2+3]", "r1 = load_acquire((u64 *)(r2 + 3))"},
	        {"jslt %r1, %r2, -3", "if r1 s< r2 goto -3"},
	        {"jsge32 %r1, 3, +3", "if w1 s>= 3 goto +3"},
	        {"ja32 +70000", "gotol +70000"},
	        {"call local -2", "call -2"},
	        {"call %r2", "callx r2"},
	        {"call 9999", "call 9999"},
	        {"lddw %r1, 0x8877665544332211", "r1 = 0x8877665544332211 ll"},
	        {"lddw %r1, map[2]", "r1 = map[2]"},
	        {"lddw %r1, map_value[2]+8", "r1 = map_value[2]+8"},
	        {"lddw %r1, function +1", "r1 = function +1"},
	        {"ldindw %r3, 4", "r0 = *(u32 *)skb[r3 + 4]"},
	        {"exit", "exit"},
	};
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		char c[PICKET_TEXT_MAX];
		size_t count = 0;
		_cleanup_(base_free_ptr) struct picket_insn *insns = assemble(cases[i].text, &count);
		assert_int_equal(picket_disassemble_c(insns, count, c, sizeof(c)), count);
		assert_string_equal(c, cases[i].c);
	}
}

/* ---- what is wrong ---- */
static void test_errors(void **state)
{
	static const struct {
		const char *text;
		unsigned line, column;
		const char *error;
	} cases[] = {
	        {"", 1, 1, "there is no instruction"},
	        {"# nothing\n", 1, 1, "there is no instruction"},
	        {"exit\n  ldxq %r0, %r1", 2, 3, "there is no instruction \"ldxq\""},
	        {"lock", 1, 1, "there is no instruction \"lock\"; expected \"lock add32\" or the like"},
	        {"!", 1, 1, "expected an instruction or a label, not \"!\""},
	        {"lddw %r0", 1, 1, "lddw takes 2 operands, not 1"},
	        {"exit %r0", 1, 1, "exit takes 0 operands, not 1"},
	        {"neg %r0, %r1, %r2, %r3, %r4", 1, 1, "neg takes 1 operand, not 5"},
	        {"lock or [%r10-8]", 1, 1, "lock or takes 2 operands, not 1"},
	        {"mov %r0,", 1, 9, "mov: operand 2 is to be a number or a register (%r0 to %r10), not \"\""},
	        {"mov %r0, [%r1]", 1, 10,
	         "mov: operand 2 is to be a number or a register (%r0 to %r10), not \"[%r1]\""},
	        {"ldxb %r0, %r1", 1, 11, "ldxb: operand 2 is to be memory ([%r1+8]), not \"%r1\""},
	        {"lddw %r0, label", 1, 11,
	         "lddw: operand 2 is to be a number or map[N] or map_value[N] or function LABEL, not \"label\""},
	        {"jeq %r0, 1, [%r1]", 1, 13, "jeq: operand 3 is to be a label or distance (+3), not \"[%r1]\""},
	        {"call [%r1]", 1, 6,
	         "call: operand 1 is to be a helper's name or number or a register (%r0 to %r10), not \"[%r1]\""},
	        {"or %r0, %r50", 1, 9, "there is no register \"%r50\"; they are %r0 to %r10"},
	        {"or %r0, r11", 1, 9, "there is no register \"r11\"; they are %r0 to %r10"},
	        {"or %r0, %x", 1, 9, "there is no register \"%x\"; they are %r0 to %r10"},
	        {"mov32 %r0, 2147483648", 1, 12, "2147483648 does not fit into 32 bits"},
	        {"mov32 %r0, -2147483649", 1, 12, "-2147483649 does not fit into 32 bits"},
	        {"mov32 %r0, 0x100000000", 1, 12, "0x100000000 does not fit into 32 bits"},
	        {"mov32 %r0, -0x80000001", 1, 12, "-0x80000001 does not fit into 32 bits"},
	        {"mov32 %r0, 12x", 1, 12, "\"12x\" is no number"},
	        {"mov32 %r0, -", 1, 12, "\"-\" is no number"},
	        {"lddw %r0, 0x10000000000000000", 1, 11, "0x10000000000000000 does not fit into 64 bits"},
	        {"lddw %r0, -9223372036854775809", 1, 11, "-9223372036854775809 does not fit into 64 bits"},
	        {"ldxb %r0, [%r1+0x10000]", 1, 15, "+0x10000 does not fit into 16 bits"},
	        {"ldxb %r0, [%r1+32768]", 1, 15, "+32768 does not fit into 16 bits"},
	        {"ldxb %r0, [%r1-32769]", 1, 15, "-32769 does not fit into 16 bits"},
	        {"ldxb %r0, [%r11]", 1, 12, "there is no register \"%r11\"; they are %r0 to %r10"},
	        {"ldxb %r0, [8]", 1, 11, "expected memory as in [%r1+8], not \"[8]\""},
	        {"ldxb %r0, [", 1, 11, "\"[\" lacks its \"]\""},
	        {"ldxb %r0, [%r1", 1, 11, "\"[%r1\" lacks its \"]\""},
	        {"lddw %r0, map[1", 1, 11, "\"map[1\" lacks its \"]\""},
	        {"lddw %r0, map[1]+8", 1, 17, "expected the end of the line, not \"+8\""},
	        {"lddw %r0, map_value[x]", 1, 21, "\"x\" is no number"},
	        {"lddw %r0, map[-1]", 1, 15, "\"-1\" is negative"},
	        {"ja +32768", 1, 4, "+32768 does not fit into 16 bits"},
	        {"ja 3", 1, 4, "expected a label, or a distance with its sign, as in +3, not \"3\""},
	        {"ja NOT_A_LABEL\nexit", 1, 4, "there is no label \"NOT_A_LABEL\""},
	        {"ja exit", 1, 4, "there is no label \"exit\""},
	        {"call no_such_helper", 1, 6,
	         "there is no helper \"no_such_helper\"; a function is called by call local"},
	        {"a: exit\na: exit", 2, 1, "the label \"a\" is there already"},
	        {"r1: exit", 1, 1, "a label cannot have a register's name, \"r1\""},
	};
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct picket_error error = {0};
		struct picket_insn *insns = NULL;
		size_t count = 0, length = strlen(cases[i].text);
		assert_int_equal(picket_assemble(cases[i].text, length, &insns, &count, &error), -EINVAL);
		assert_null(insns);
		assert_string_equal(error.text, cases[i].error);
		if (error.line != cases[i].line || error.column != cases[i].column)
			fail_msg("\"%s\": %u:%u", cases[i].text, error.line, error.column);
		assert_int_equal(picket_assemble(cases[i].text, length, &insns, &count, NULL), -EINVAL);
	}
}

/* A jump over more than 16 bits hold: only ja32 reaches. The text: jump, 40,000 times exit, far: exit. */
static void check_far(const char *jump, int want, struct picket_error *error)
{
	struct picket_insn *insns = NULL;
	size_t count = 0;
	struct buf text;
	buf_init(&text, 1u << 20);
	buf_add_text(&text, jump);
	for (unsigned i = 0; i < 40000; i++)
		buf_add_text(&text, "exit\n");
	buf_add_text(&text, "far: exit\n");
	assert_int_equal(buf_error(&text), 0);
	assert_int_equal(picket_assemble(text.data, text.length, &insns, &count, error), want);
	if (want == 0) {
		assert_int_equal(count, 40002);
		assert_int_equal(insns[0].imm, 40000);
	}
	free(insns);
	buf_done(&text);
}

static void test_far_label(void **state)
{
	struct picket_error error = {0};
	(void)state;
	check_far("ja32 far\n", 0, &error);
	check_far("ja far\n", -EINVAL, &error);
	assert_string_equal(error.text, "\"far\" is 40000 instructions away, too far for 16 bits: use ja32");
	assert_int_equal(error.line, 1);
	assert_int_equal(error.column, 4);
}

static void test_too_many(void **state)
{
	static const char line[] = "exit\n";
	size_t length = (PICKET_INSNS_MAX + 1) * (sizeof(line) - 1), count = 0;
	struct picket_error error = {0};
	struct picket_insn *insns = NULL;
	char *text = malloc(length);
	(void)state;
	assert_non_null(text);
	for (size_t i = 0; i < length; i++)
		text[i] = line[i % (sizeof(line) - 1)];
	assert_int_equal(picket_assemble(text, length, &insns, &count, &error), -E2BIG);
	assert_int_equal(error.line, PICKET_INSNS_MAX + 1);
	assert_int_equal(picket_assemble(text, length - 5, &insns, &count, &error), 0);
	assert_int_equal(count, PICKET_INSNS_MAX);
	free(insns);
	free(text);
}

/* Every cut of a text, and every byte of it as any other: an error or a program, never more. */
static void test_damaged_text(void **state)
{
	static const char text[] =
	        "l:lddw %r1,map_value[1]+8\nlock fetch or [%r1-2],r3;c\njeq %r1,-0x9,l\ncall local l\n";
	static const char bytes[] = "\0\n[],:%r+-0 x#/;a\xff";
	(void)state;
	for (size_t i = 0; i < sizeof(text); i++) {
		for (size_t j = 0; j < sizeof(bytes); j++) {
			size_t length = j ? sizeof(text) - 1 : i, count = 0;
			char *copy = malloc(length ? length : 1); /* so that a byte too far is seen */
			struct picket_insn *insns = NULL;
			assert_non_null(copy);
			memcpy(copy, text, length);
			if (j && i < length)
				copy[i] = bytes[j - 1];
			if (picket_assemble(copy, length, &insns, &count, NULL) == 0)
				assert_true(count > 0);
			free(insns);
			free(copy);
		}
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(test_every_row_comes_back),
	        cmocka_unit_test(test_no_other_instruction),
	        cmocka_unit_test(test_random_instructions),
	        cmocka_unit_test(test_short_text),
	        cmocka_unit_test(test_syntax),
	        cmocka_unit_test(test_helper_names),
	        cmocka_unit_test(test_labels),
	        cmocka_unit_test(test_targets),
	        cmocka_unit_test(test_as_c),
	        cmocka_unit_test(test_errors),
	        cmocka_unit_test(test_far_label),
	        cmocka_unit_test(test_too_many),
	        cmocka_unit_test(test_damaged_text),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
