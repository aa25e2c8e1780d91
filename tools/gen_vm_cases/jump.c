/* SPDX-License-Identifier: Apache-2.0 */
#include <inttypes.h>
#include <stdio.h>

#include "tools/gen_vm_cases/gen.h"

/* ---- jumps (RFC 9669, 4.3) ---- */
enum jump { JEQ, JGT, JGE, JSET, JNE, JSGT, JSGE, JLT, JLE, JSLT, JSLE, JUMPS };
static const char *const jump_names[JUMPS] = {"jeq",  "jgt", "jge", "jset", "jne", "jsgt",
                                              "jsge", "jlt", "jle", "jslt", "jsle"};

static bool jump64(enum jump op, uint64_t a, uint64_t b)
{
	int64_t sa = (int64_t)a, sb = (int64_t)b;

	switch (op) {
	case JEQ:
		return a == b;
	case JGT:
		return a > b;
	case JGE:
		return a >= b;
	case JSET:
		return (a & b) != 0;
	case JNE:
		return a != b;
	case JSGT:
		return sa > sb;
	case JSGE:
		return sa >= sb;
	case JLT:
		return a < b;
	case JLE:
		return a <= b;
	case JSLT:
		return sa < sb;
	default:
		return sa <= sb;
	}
}

static bool is_signed_jump(enum jump op)
{
	return op == JSGT || op == JSGE || op == JSLT || op == JSLE;
}

static bool jump_taken(enum jump op, unsigned bits, uint64_t a, uint64_t b)
{
	if (bits == 64)
		return jump64(op, a, b);
	if (is_signed_jump(op))
		return jump64(op, (uint64_t)(int64_t)(int32_t)a, (uint64_t)(int64_t)(int32_t)b);
	return jump64(op, (uint32_t)a, (uint32_t)b);
}

/* ---- jump cases ---- */
/* What to do when a jump is taken or not: %r1 becomes 1 or 0. */
static void jump_to_r1(const char *name, const char *operand, unsigned number)
{
	line("%s %%r1, %s, taken%u", name, operand, number);
	line("mov %%r1, 0");
	line("ja seen%u", number);
	line("taken%u:", number);
	line("mov %%r1, 1");
	line("seen%u:", number);
}

static void jump_pairs(const char *name)
{
	char operand[16];

	pairs_begin();
	jump_to_r1(name, "%r2", 0);
	pairs_check();
	pairs_then_imms();
	for (size_t i = 0; i < IMMS; i++) {
		snprintf(operand, sizeof(operand), "%d", imms[i]);
		line("ldxdw %%r1, [%%r6]");
		jump_to_r1(name, operand, (unsigned)i + 1);
		pairs_check();
	}
	pairs_end();
}

static uint64_t jump_result(unsigned op, unsigned bits, uint64_t a, uint64_t b)
{
	return jump_taken(op, bits, a, b);
}

/* Goes on behind it only if the jump does what it should; alternately a jump forward and one backward. */
static void jump_check(bool taken, const char *name, unsigned dst, const char *operand)
{
	check_begin();
	if (!taken) {
		line("%s %%r%u, %s, fail_at", name, dst, operand);
	} else if (checks % 2) {
		line("%s %%r%u, %s, +1", name, dst, operand);
		line("ja fail_at");
	} else {
		line("ja +1");
		line("ja +2");
		line("%s %%r%u, %s, -2", name, dst, operand);
		line("ja fail_at");
	}
}

static void jump_registers(enum jump op, unsigned bits, const char *name)
{
	/* Upper halves that turn the answer round if a jump of 32 bits looks at them. */
	static const uint64_t of64[] = {5, 9, UINT64_MAX - 3};
	static const uint64_t of32[] = {0x500000005, 0x400000009, 0xfffffffc};
	const uint64_t *sample = bits == 64 ? of64 : of32;
	char operand[16];

	homes_begin();
	for (unsigned dst = 0; dst < REGISTERS; dst++) {
		for (unsigned src = 0; src < REGISTERS; src++) {
			if (!pair_wanted(false, dst, src))
				continue;
			for (unsigned i = 0; i < 3; i++) {
				uint64_t a = sample[i], b = src == dst ? a : sample[(i + 1) % 3];
				load_value(dst, a);
				if (src != dst)
					load_value(src, b);
				snprintf(operand, sizeof(operand), "%%r%u", src);
				jump_check(jump_taken(op, bits, a, b), name, dst, operand);
			}
			go_home(dst);
			go_home(src);
		}
		for (unsigned i = 0; i < 3; i++) {
			load_value(dst, sample[i]);
			jump_check(jump_taken(op, bits, sample[i], 5), name, dst, "5");
		}
		go_home(dst);
		homes_check();
	}
}

static void write_jump(enum jump op, unsigned bits)
{
	char name[16], file[32];

	snprintf(name, sizeof(name), "%s%s", jump_names[op], bits == 64 ? "" : "32");
	snprintf(file, sizeof(file), "jump-%s%u", jump_names[op], bits);
	file_begin(file, "Values by register, values by immediate, registers, both directions.");
	line("-- asm");
	jump_pairs(name);
	jump_registers(op, bits, name);
	program_end();
	pairs_memory(jump_result, op, bits);
	file_end_with(0);
}

void write_jump_cases(void)
{
	for (unsigned op = 0; op < JUMPS; op++) {
		write_jump(op, 64);
		write_jump(op, 32);
	}
}
