/* SPDX-License-Identifier: Apache-2.0 */
#include <inttypes.h>
#include <stdio.h>

#include "tools/gen_vm_cases/gen.h"

/* ---- arithmetic (RFC 9669, 4.1): imm is sign-extended; 32-bit results have 0 in the upper half ---- */
enum alu { ADD, SUB, MUL, DIV, SDIV, OR, AND, LSH, RSH, MOD, SMOD, XOR, MOV, ARSH, ALUS };
static const char *const alu_names[ALUS] = {"add", "sub", "mul", "div",  "sdiv", "or",  "and",
                                            "lsh", "rsh", "mod", "smod", "xor",  "mov", "arsh"};

static uint64_t alu64(enum alu op, uint64_t a, uint64_t b)
{
	int64_t sa = (int64_t)a, sb = (int64_t)b;

	switch (op) {
	case ADD:
		return a + b;
	case SUB:
		return a - b;
	case MUL:
		return a * b;
	case DIV:
		return b ? a / b : 0;
	case SDIV:
		return b == 0 ? 0 : sa == INT64_MIN && sb == -1 ? a : (uint64_t)(sa / sb);
	case OR:
		return a | b;
	case AND:
		return a & b;
	case LSH:
		return a << (b & 63);
	case RSH:
		return a >> (b & 63);
	case MOD:
		return b ? a % b : a;
	case SMOD:
		return b == 0 ? a : sb == -1 ? 0 : (uint64_t)(sa % sb);
	case XOR:
		return a ^ b;
	case MOV:
		return b;
	default: /* ARSH; gcc and clang shift signs in */
		return (uint64_t)(sa >> (b & 63));
	}
}

static uint64_t alu32(enum alu op, uint64_t a64, uint64_t b64)
{
	uint32_t a = (uint32_t)a64, b = (uint32_t)b64;
	int32_t sa = (int32_t)a, sb = (int32_t)b;

	switch (op) {
	case ADD:
		return (uint32_t)(a + b);
	case SUB:
		return (uint32_t)(a - b);
	case MUL:
		return (uint32_t)(a * b);
	case DIV:
		return b ? a / b : 0;
	case SDIV:
		return b == 0 ? 0 : sa == INT32_MIN && sb == -1 ? a : (uint32_t)(sa / sb);
	case OR:
		return a | b;
	case AND:
		return a & b;
	case LSH:
		return a << (b & 31);
	case RSH:
		return a >> (b & 31);
	case MOD:
		return b ? a % b : a;
	case SMOD:
		return b == 0 ? a : sb == -1 ? 0 : (uint32_t)(sa % sb);
	case XOR:
		return a ^ b;
	case MOV:
		return b;
	default:
		return (uint32_t)(sa >> (b & 31));
	}
}

/* One operand in, one out. movsx takes another register, the rest works in place. */
static uint64_t swap(uint64_t a, unsigned bits)
{
	uint64_t swapped = 0;

	for (unsigned i = 0; i < bits; i += 8)
		swapped |= (a >> i & 0xff) << (bits - 8 - i);
	return swapped;
}

struct unary {
	const char *name;
	uint64_t (*value)(uint64_t a);
	bool two_registers;
};
static uint64_t neg64(uint64_t a)
{
	return -a;
}
static uint64_t neg32(uint64_t a)
{
	return (uint32_t)-a;
}
static uint64_t movsx864(uint64_t a)
{
	return (uint64_t)(int64_t)(int8_t)a;
}
static uint64_t movsx1664(uint64_t a)
{
	return (uint64_t)(int64_t)(int16_t)a;
}
static uint64_t movsx3264(uint64_t a)
{
	return (uint64_t)(int64_t)(int32_t)a;
}
static uint64_t movsx832(uint64_t a)
{
	return (uint32_t)(int8_t)a;
}
static uint64_t movsx1632(uint64_t a)
{
	return (uint32_t)(int16_t)a;
}
/* Of a little-endian machine, as all cases are. */
static uint64_t le16(uint64_t a)
{
	return a & 0xffff;
}
static uint64_t le32(uint64_t a)
{
	return a & 0xffffffff;
}
static uint64_t le64(uint64_t a)
{
	return a;
}
static uint64_t swap16(uint64_t a)
{
	return swap(a, 16);
}
static uint64_t swap32(uint64_t a)
{
	return swap(a, 32);
}
static uint64_t swap64(uint64_t a)
{
	return swap(a, 64);
}
static const struct unary unaries[] = {
        {"neg", neg64, false},          {"neg32", neg32, false},        {"movsx864", movsx864, true},
        {"movsx1664", movsx1664, true}, {"movsx3264", movsx3264, true}, {"movsx832", movsx832, true},
        {"movsx1632", movsx1632, true}, {"le16", le16, false},          {"le32", le32, false},
        {"le64", le64, false},          {"be16", swap16, false},        {"be32", swap32, false},
        {"be64", swap64, false},        {"bswap16", swap16, false},     {"bswap32", swap32, false},
        {"bswap64", swap64, false},
};

/* ---- arithmetic cases ---- */
static uint64_t alu(unsigned op, unsigned bits, uint64_t a, uint64_t b)
{
	return bits == 64 ? alu64(op, a, b) : alu32(op, a, b);
}

static void alu_pairs(const char *name)
{
	pairs_begin();
	line("%s %%r1, %%r2", name);
	pairs_check();
	pairs_then_imms();
	for (size_t i = 0; i < IMMS; i++) {
		line("ldxdw %%r1, [%%r6]");
		line("%s %%r1, %d", name, imms[i]);
		pairs_check();
	}
	pairs_end();
}

static void alu_registers(enum alu op, unsigned bits, const char *name)
{
	/* Those that machines do in fixed registers. */
	bool fixed =
	        op == MUL || op == DIV || op == SDIV || op == MOD || op == SMOD || op == LSH || op == RSH || op == ARSH;
	uint64_t a = bits == 64 ? 1000003 : 0x5a5a5a5a000f4243, b = bits == 64 ? 7 : 0xa5a5a5a500000007;

	homes_begin();
	for (unsigned dst = 0; dst < REGISTERS; dst++) {
		for (unsigned src = 0; src < REGISTERS; src++) {
			if (!pair_wanted(fixed, dst, src))
				continue;
			check_begin();
			load_value(dst, a);
			if (src != dst)
				load_value(src, b);
			line("%s %%r%u, %%r%u", name, dst, src);
			check_value(dst, alu(op, bits, a, src == dst ? a : b), src);
			if (src != dst)
				check_value(src, b, dst);
			go_home(dst);
			go_home(src);
		}
		check_begin();
		load_value(dst, a);
		line("%s %%r%u, 7", name, dst);
		check_value(dst, alu(op, bits, a, 7), dst);
		go_home(dst);
		homes_check();
	}
}

static void write_alu(enum alu op, unsigned bits)
{
	char name[16], file[32];

	snprintf(name, sizeof(name), "%s%s", alu_names[op], bits == 64 ? "" : "32");
	snprintf(file, sizeof(file), "alu-%s%u", alu_names[op], bits);
	file_begin(file, "Values by register, values by immediate, registers.");
	line("-- asm");
	alu_pairs(name);
	alu_registers(op, bits, name);
	program_end();
	pairs_memory(alu, op, bits);
	file_end_with(0);
}

static void unary_insn(const struct unary *u, unsigned dst, unsigned src)
{
	if (u->two_registers)
		line("%s %%r%u, %%r%u", u->name, dst, src);
	else
		line("%s %%r%u", u->name, dst);
}

static void write_unary(const struct unary *u)
{
	char file[32];

	snprintf(file, sizeof(file), "unary-%s", u->name);
	file_begin(file, "Values, registers.");
	line("-- asm");
	table_begin("rows", VALUES, 2);
	line("ldxdw %%r%u, [%%r9]", u->two_registers ? 2 : 1);
	unary_insn(u, 1, 2);
	table_check(8);
	table_end("rows", 2);
	checks += VALUES;
	homes_begin();
	for (unsigned dst = 0; dst < REGISTERS; dst++) {
		for (unsigned src = 0; src < REGISTERS; src++) {
			uint64_t a = 0x1122334485868788;
			if (u->two_registers ? !pair_wanted(false, dst, src) : src != dst)
				continue;
			check_begin();
			load_value(src, a);
			unary_insn(u, dst, src);
			check_value(dst, u->value(a), src);
			if (src != dst)
				check_value(src, a, dst);
			go_home(dst);
			go_home(src);
		}
		homes_check();
	}
	program_end();
	line("-- mem");
	for (size_t i = 0; i < VALUES; i++)
		line("0x%" PRIx64 " 0x%" PRIx64, values[i], u->value(values[i]));
	file_end_with(0);
}

void write_alu_cases(void)
{
	for (unsigned op = 0; op < ALUS; op++) {
		write_alu(op, 64);
		write_alu(op, 32);
	}
	for (size_t i = 0; i < ARRAY_SIZE(unaries); i++)
		write_unary(&unaries[i]);
}
