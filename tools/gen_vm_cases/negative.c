/* SPDX-License-Identifier: Apache-2.0
 *
 * What must be refused or end in a fault, with a part of the message.
 */
#include <inttypes.h>
#include <stdio.h>

#include "tools/gen_vm_cases/gen.h"

static void write_text(const char *name, const char *text, const char *error)
{
	char file[64];

	snprintf(file, sizeof(file), "negative/%s", name);
	file_begin(file, "");
	line("-- asm");
	line("%s", text);
	line("-- error");
	line("%s", error);
	file_end();
}

/* ---- refused when loaded ---- */
/* An instruction by its fields (RFC 9669, 3); what it must not have is set to another value than 0. */
struct fields {
	const char *name;
	uint8_t code, dst, src;
	uint16_t offset;
	uint32_t imm;
	const char *has; /* of dst, src, offset, imm: those that are the instruction's own: "dsoi" */
};

static const struct fields formats[] = {
        {"alu-imm", 0x07, 1, 0, 0, 5, "di"},
        {"alu-reg", 0x0f, 1, 2, 0, 0, "ds"},
        {"alu32-imm", 0x04, 1, 0, 0, 5, "di"},
        {"alu32-reg", 0x0c, 1, 2, 0, 0, "ds"},
        {"shift-imm", 0x67, 1, 0, 0, 5, "di"},
        {"shift32-reg", 0x6c, 1, 2, 0, 0, "ds"},
        {"neg", 0x87, 1, 0, 0, 0, "d"},
        {"neg32", 0x84, 1, 0, 0, 0, "d"},
        {"div-reg", 0x3f, 1, 2, 1, 0, "dso"},
        {"div-imm", 0x37, 1, 0, 1, 3, "dio"},
        {"mov-imm", 0xb7, 1, 0, 0, 5, "dio"},
        {"movsx", 0xbf, 1, 2, 8, 0, "dso"},
        {"le", 0xd4, 1, 0, 0, 16, "di"},
        {"be", 0xdc, 1, 0, 0, 64, "di"},
        {"bswap", 0xd7, 1, 0, 0, 32, "di"},
        {"load", 0x79, 1, 10, 0xfff8, 0, "dso"},
        {"load-signed", 0x91, 1, 10, 0xfff8, 0, "dso"},
        {"store-imm", 0x7a, 10, 0, 0xfff8, 1, "doi"},
        {"store-reg", 0x7b, 10, 1, 0xfff8, 0, "dso"},
        {"jump", 0x05, 0, 0, 0, 0, "o"},
        {"jump-long", 0x06, 0, 0, 0, 0, "i"},
        {"jump-imm", 0x15, 1, 0, 0, 5, "dio"},
        {"jump-reg", 0x1d, 1, 2, 0, 0, "dso"},
        {"jump32-imm", 0x16, 1, 0, 0, 5, "dio"},
        {"jump32-reg", 0x1e, 1, 2, 0, 0, "dso"},
        {"call", 0x85, 0, 0, 0, 5, "si"},
        {"call-local", 0x85, 0, 1, 0, 0, "si"},
        {"call-register", 0x8d, 1, 0, 0, 0, "d"},
        {"exit", 0x95, 0, 0, 0, 0, ""},
        {"lddw", 0x18, 1, 0, 0, 5, "dsi"},
        {"ldabs", 0x30, 0, 0, 0, 0, "i"},
        {"ldind", 0x50, 0, 1, 0, 0, "si"},
        {"atomic", 0xdb, 10, 1, 0xfff8, 0, "dsoi"},
};

static void raw_insn(const struct fields *f)
{
	line("0x%" PRIx64, (uint64_t)f->imm << 32 | (uint64_t)f->offset << 16 | (uint64_t)f->src << 12 |
	                           (uint64_t)f->dst << 8 | f->code);
}

static void write_raw(const char *name, const char *what, const struct fields *f, const char *error)
{
	char file[80];

	snprintf(file, sizeof(file), "negative/%s-%s", name, what);
	file_begin(file, "");
	line("-- raw");
	raw_insn(f);
	if (f->code == 0x18)
		line("0x0");
	line("0x95");
	line("-- error");
	line("%s", error);
	file_end();
}

static bool field_is_own(const struct fields *f, char field)
{
	for (const char *c = f->has; *c; c++)
		if (*c == field)
			return true;
	return false;
}

static void write_unused_fields(const struct fields *f)
{
	static const char error[] = "instruction 0: ";
	struct fields dst = *f, src = *f, offset = *f, imm = *f;

	dst.dst = 3;
	src.src = 3;
	offset.offset = 3;
	imm.imm = 3;
	if (!field_is_own(f, 'd'))
		write_raw(f->name, "dst", &dst, error);
	if (!field_is_own(f, 's'))
		write_raw(f->name, "src", &src, error);
	if (!field_is_own(f, 'o'))
		write_raw(f->name, "offset", &offset, error);
	if (!field_is_own(f, 'i'))
		write_raw(f->name, "imm", &imm, error);
}

static void write_bad_values(void)
{
	static const struct {
		const char *name, *what;
		struct fields fields;
		const char *error;
	} cases[] = {
	        {"opcode", "0", {.code = 0x00}, "unknown opcode"},
	        {"opcode", "ff", {.code = 0xff}, "unknown opcode"},
	        {"opcode", "e7", {.code = 0xe7}, "unknown opcode"},
	        {"register", "dst", {.code = 0xb7, .dst = 11}, "no register r11"},
	        {"register", "src", {.code = 0xbf, .src = 15}, "no register r15"},
	        {"register", "frame", {.code = 0xb7, .dst = 10}, "r10, the frame pointer"},
	        {"register", "frame-load", {.code = 0x79, .dst = 10, .src = 1}, "r10, the frame pointer"},
	        {"register",
	         "frame-fetch",
	         {.code = 0xdb, .dst = 10, .src = 10, .offset = 0xfff8, .imm = 1},
	         "r10, the frame pointer"},
	        {"movsx", "12", {.code = 0xbf, .dst = 1, .src = 2, .offset = 12}, "offset 12"},
	        {"movsx", "32-32", {.code = 0xbc, .dst = 1, .src = 2, .offset = 32}, "offset 32"},
	        {"div", "2", {.code = 0x3f, .dst = 1, .src = 2, .offset = 2}, "offset 2"},
	        {"swap", "24", {.code = 0xd7, .dst = 1, .imm = 24}, "immediate 24"},
	        {"atomic", "2", {.code = 0xdb, .dst = 10, .src = 1, .offset = 0xfff8, .imm = 2}, "immediate 2"},
	        {"atomic",
	         "cmpxchg-without-fetch",
	         {.code = 0xdb, .dst = 10, .src = 1, .offset = 0xfff8, .imm = 0xf0},
	         "immediate 240"},
	        {"atomic", "byte-add", {.code = 0xd3, .dst = 10, .src = 1, .offset = 0xfff8}, "immediate 0"},
	        {"call", "unknown-helper", {.code = 0x85, .imm = 60000}, "no helper 60000"},
	        {"call", "negative-helper", {.code = 0x85, .imm = 0xffffffff}, "no helper"},
	        {"call", "kernel-function", {.code = 0x85, .src = 2, .imm = 1}, "function of the kernel"},
	        {"call", "outside", {.code = 0x85, .src = 1, .imm = 1}, "outside of the program"},
	        {"call", "far-outside", {.code = 0x85, .src = 1, .imm = 0x7fffffff}, "outside of the program"},
	        {"lddw", "map-fd", {.code = 0x18, .dst = 1, .src = 1}, "file descriptor"},
	        {"lddw", "map", {.code = 0x18, .dst = 1, .src = 5}, "there is no map 0"},
	        {"lddw", "map-value", {.code = 0x18, .dst = 1, .src = 6, .imm = 7}, "there is no map 7"},
	        {"lddw", "function-outside", {.code = 0x18, .dst = 1, .src = 4, .imm = 9}, "outside of the program"},
	        {"jump", "outside", {.code = 0x05, .offset = 1}, "outside of the program"},
	        {"jump", "before", {.code = 0x05, .offset = 0xfffe}, "outside of the program"},
	        {"jump", "long-before", {.code = 0x06, .imm = 0x80000000}, "outside of the program"},
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++)
		write_raw(cases[i].name, cases[i].what, &cases[i].fields, cases[i].error);
}

static void write_bad_programs(void)
{
	write_text("end-missing", "mov %r0, 0", "runs off its end");
	write_text("end-jump-conditional", "mov %r0, 0\njeq %r0, 0, -1", "runs off its end");
	write_text("end-of-function", "call local +1\nexit\nmov %r0, 0", "runs off its end");
	write_text("end-between-functions", "call local f\nmov %r0, 0\nf: exit", "runs off its end");
	write_text("jump-into-lddw", "ja +1\nlddw %r0, 1\nexit", "into the middle of lddw");
	write_text("jump-into-function", "call local f\nja f\nf: exit", "into another function");
	write_text("call-into-lddw", "call local +2\nexit\nlddw %r0, 1\nexit", "into the middle of lddw");
}

/* ---- what the assembler refuses ---- */
static void write_bad_text(void)
{
	write_text("text-mnemonic", "ldxq %r0, %r1\nexit", "there is no instruction \"ldxq\"");
	write_text("text-register", "or %r0, %r50\nexit", "there is no register \"%r50\"");
	write_text("text-imm", "mov32 %r0, 2147483648\nexit", "does not fit into 32 bits");
	write_text("text-imm-hex", "mov32 %r0, 0x100000000\nexit", "does not fit into 32 bits");
	write_text("text-imm-wide", "lddw %r0, 0x10000000000000000\nexit", "does not fit into 64 bits");
	write_text("text-offset", "ldxb %r0, [%r1+0x10000]\nexit", "does not fit into 16 bits");
	write_text("text-memory", "ldxb %r0, %r1\nexit", "is to be memory");
	write_text("text-operands", "lddw %r0\nexit", "takes 2 operands, not 1");
	write_text("text-lock", "lock\nexit", "there is no instruction \"lock\"");
	write_text("text-label", "ja NOT_A_LABEL\nexit", "there is no label \"NOT_A_LABEL\"");
	write_text("text-label-twice", "a: exit\na: exit", "is there already");
	write_text("text-helper", "call no_such_helper\nexit", "there is no helper \"no_such_helper\"");
}

/* ---- faults ---- */
static void write_access(const char *kind, const char *name, const char *before, const char *insn, bool write)
{
	char file[64];

	snprintf(file, sizeof(file), "negative/%s-%s", kind, name);
	file_begin(file, "");
	line("-- asm");
	line("mov %%r0, 0");
	if (before[0])
		line("%s", before);
	line("%s", insn);
	line("mov %%r0, 0");
	line("exit");
	line("-- mem");
	line("00 01 02 03 04 05 06 07 08 09 0a 0b 0c 0d 0e 0f");
	line("-- error");
	line("out-of-bounds %s", write ? "write" : "read");
	file_end();
}

/* Just before and just behind the context of 16 bytes and the stack of 512, and where nothing is. */
static void write_edges(const char *suffix, unsigned bytes)
{
	static const struct {
		const char *name, *before, *base;
		int offset, less; /* offset - less * bytes */
	} places[] = {
	        {"context-before", "", "%r1", -1, 0},
	        {"context-behind", "", "%r1", 17, 1},
	        {"context-far", "add %r1, 0x10000000", "%r1", 0, 0},
	        {"stack-above", "", "%r10", 8 * 512, 0},
	        {"stack-below", "", "%r10", -513, 0},
	        {"null", "mov %r1, 0", "%r1", 0, 0},
	        {"top", "mov %r1, -1", "%r1", 0, 0},
	        {"noncanonical", "lddw %r1, 0x8000000000000000", "%r1", 0, 0},
	};

	for (size_t i = 0; i < ARRAY_SIZE(places); i++) {
		int offset = places[i].offset - places[i].less * (int)bytes;
		char insn[64], name[32];
		snprintf(name, sizeof(name), "ldx%s", suffix);
		snprintf(insn, sizeof(insn), "ldx%s %%r0, [%s%+d]", suffix, places[i].base, offset);
		write_access(places[i].name, name, places[i].before, insn, false);
		snprintf(name, sizeof(name), "stx%s", suffix);
		snprintf(insn, sizeof(insn), "stx%s [%s%+d], %%r0", suffix, places[i].base, offset);
		write_access(places[i].name, name, places[i].before, insn, true);
	}
}

static void write_faults(void)
{
	write_edges("b", 1);
	write_edges("dw", 8);
	write_access("context-behind", "ldxh", "", "ldxh %r0, [%r1+15]", false);
	write_access("context-behind", "ldxsw", "", "ldxsw %r0, [%r1+13]", false);
	write_access("context-behind", "stw", "", "stw [%r1+13], 1", true);
	write_access("context-behind", "atomic", "", "lock add32 [%r1+16], %r0", true);
	write_access("context-behind", "cmpxchg", "", "lock cmpxchg [%r1+16], %r2", true);
	write_access("context-behind", "acquire", "", "ldacqdw %r0, [%r1+16]", false);
	write_access("context-behind", "release", "", "streldw [%r1+16], %r0", true);
	write_access("wrap", "ldxdw", "mov %r1, -8", "ldxdw %r0, [%r1+8]", false);
	write_text("budget-ja", "mov %r0, 0\nloop: ja loop\nexit", "budget");
	write_text("budget-ja32", "mov %r0, 0\nloop: ja32 loop\nexit", "budget");
	write_text("budget-loop", "mov %r0, 0\nloop: add %r0, 1\njne %r0, 0, loop\nexit", "budget");
	write_text("budget-calls", "again: call local f\nja again\nf: mov %r0, 0\nexit", "budget");
	write_text("call-of-number", "mov %r1, 70000\ncall %r1\nexit", "call of what is no function");
	write_text("call-of-address", "mov %r1, %r10\ncall %r1\nexit", "call of what is no function");
	write_text("call-of-function-beyond", "lddw %r1, 0x7069636b00000009\ncall %r1\nexit",
	           "call of what is no function");
}

void write_negative_cases(void)
{
	for (size_t i = 0; i < ARRAY_SIZE(formats); i++)
		write_unused_fields(&formats[i]);
	write_bad_values();
	write_bad_programs();
	write_bad_text();
	write_faults();
}
