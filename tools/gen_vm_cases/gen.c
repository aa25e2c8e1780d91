/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tools/gen_vm_cases/gen.h"

const uint64_t values[VALUES] = {
        0,          1,          7,          31,        32,         63,           64,         INT32_MAX,
        0x80000000, UINT32_MAX, 1ull << 32, INT64_MAX, 1ull << 63, (uint64_t)-7, UINT64_MAX, 0x8877665544332211,
};
const int32_t imms[IMMS] = {0, 1, 2, -1, 7, -7, 31, 32, 63, 64, 65, 0x55555555, INT32_MAX, INT32_MIN};

/* ---- files ---- */
const char *directory;
static FILE *out;
static unsigned words_in_line;
unsigned checks;

void line(const char *format, ...)
{
	va_list args;

	va_start(args, format);
	vfprintf(out, format, args);
	va_end(args);
	fputc('\n', out);
}

void word(uint64_t value)
{
	fprintf(out, "%s0x%" PRIx64, words_in_line++ ? " " : "", value);
}

void words_end(void)
{
	words_in_line = 0;
	fputc('\n', out);
}

void file_begin(const char *name, const char *what)
{
	char path[4096];

	snprintf(path, sizeof(path), "%s/%s.data", directory, name);
	out = fopen(path, "w");
	if (!out) {
		fprintf(stderr, "gen_vm_cases: %s: %s\n", path, strerror(errno));
		exit(1);
	}
	checks = 0;
	line("# SPDX-License-Identifier: Apache-2.0");
	line("# Made by tools/gen_vm_cases.%s%s", what[0] ? " " : "", what);
}

void file_end(void)
{
	if (fclose(out) != 0) {
		fprintf(stderr, "gen_vm_cases: %s\n", strerror(errno));
		exit(1);
	}
}

void file_end_with(uint64_t result)
{
	line("-- result");
	line("0x%" PRIx64, result);
	file_end();
}

/* ---- tables: the program walks through rows in its memory ---- */
/* %r9: the row, %r8: the table's end, %r0: number of the check. Continues at %r9 where the table before it ended. */
void table_begin(const char *label, size_t rows, size_t words)
{
	if (checks == 0)
		line("mov %%r9, %%r1");
	line("mov %%r8, %%r9");
	line("add %%r8, %zu", rows * words * 8);
	line("mov %%r0, %u", checks);
	line("%s:", label);
}

void table_end(const char *label, size_t words)
{
	line("add %%r9, %zu", words * 8);
	line("jlt %%r9, %%r8, %s", label);
}

/* One check more; %r1 is what came out, the row's word at `offset` what should. */
void table_check(size_t offset)
{
	line("add %%r0, 1");
	line("ldxdw %%r3, [%%r9+%zu]", offset);
	line("jne %%r1, %%r3, fail");
}

/* ---- pairs: of all values with each other, and with all immediates ---- */
void pairs_begin(void)
{
	line("mov %%r9, %%r1");
	line("mov %%r8, %%r1");
	line("add %%r8, %d", VALUES * 8);
	line("mov %%r5, %%r8");
	line("mov %%r0, 0");
	line("mov %%r6, %%r9");
	line("first: mov %%r7, %%r9");
	line("second: ldxdw %%r1, [%%r6]");
	line("ldxdw %%r2, [%%r7]");
}

void pairs_check(void)
{
	line("add %%r0, 1");
	line("ldxdw %%r3, [%%r8]");
	line("jne %%r1, %%r3, fail");
	line("add %%r8, 8");
}

void pairs_then_imms(void)
{
	line("add %%r7, 8");
	line("jlt %%r7, %%r5, second");
	line("add %%r6, 8");
	line("jlt %%r6, %%r5, first");
	line("mov %%r6, %%r9");
	line("third:");
	checks += VALUES * VALUES;
}

void pairs_end(void)
{
	line("add %%r6, 8");
	line("jlt %%r6, %%r5, third");
	checks += VALUES * IMMS;
}

void pairs_memory(uint64_t (*result)(unsigned op, unsigned bits, uint64_t a, uint64_t b), unsigned op, unsigned bits)
{
	line("-- mem");
	for (size_t i = 0; i < VALUES; i++)
		word(values[i]);
	words_end();
	for (size_t i = 0; i < VALUES; i++) {
		for (size_t j = 0; j < VALUES; j++)
			word(result(op, bits, values[i], values[j]));
		words_end();
	}
	for (size_t i = 0; i < VALUES; i++) {
		for (size_t j = 0; j < IMMS; j++)
			word(result(op, bits, values[i], (uint64_t)(int64_t)imms[j]));
		words_end();
	}
}

/* ---- registers: the program stands in a line; every register keeps a value of its own, its home value ---- */
/* The number of a check goes where fail finds it; %r0 is one of those that are tested. */
void check_begin(void)
{
	line("stw [%%r10-4], %u", ++checks);
}

void homes_begin(void)
{
	for (unsigned i = 0; i < REGISTERS; i++)
		line("mov %%r%u, %d", i, HOME(i));
}

/* Nothing but what an instruction names was changed by it. */
void homes_check(void)
{
	check_begin();
	for (unsigned i = 0; i < REGISTERS; i++)
		line("jne %%r%u, %d, fail_at", i, HOME(i));
}

void load_value(unsigned reg, uint64_t value)
{
	if ((int64_t)value == (int32_t)value)
		line("mov %%r%u, %d", reg, (int32_t)value);
	else
		line("lddw %%r%u, 0x%" PRIx64, reg, value);
}

/* Fails unless reg holds value. not: a register that is in use; any other serves in between. */
void check_value(unsigned reg, uint64_t value, unsigned not )
{
	unsigned between = 0;

	if ((int64_t)value == (int32_t)value) {
		line("jne %%r%u, %d, fail_at", reg, (int32_t)value);
		return;
	}
	while (between == reg || between == not )
		between++;
	load_value(between, value);
	line("jne %%r%u, %%r%u, fail_at", reg, between);
	line("mov %%r%u, %d", between, HOME(between));
}

void go_home(unsigned reg)
{
	line("mov %%r%u, %d", reg, HOME(reg));
}

/* The end of a program with checks of both kinds. */
void program_end(void)
{
	line("mov %%r0, 0");
	line("exit");
	line("fail_at:");
	line("ldxw %%r0, [%%r10-4]");
	line("fail:");
	line("exit");
}

/* Which pairs: all, or those that are the same, neighbours, and far apart. */
bool pair_wanted(bool all, unsigned dst, unsigned src)
{
	return all || src == dst || src == (dst + 1) % REGISTERS || src == (dst + 5) % REGISTERS;
}
