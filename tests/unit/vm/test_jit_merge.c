/* SPDX-License-Identifier: Apache-2.0
 *
 * Neighbouring instructions that a compiler may make one of: all pairs of arithmetic, and chains around accesses to memory,
 * with what is read of the registers afterwards. Compared with the plain interpreter, which merges nothing.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>
#include "vm/vm_int.h"

#define WORDS 16
#define INSNS_MAX 32
#define LDDW 0x18

struct code {
	struct picket_insn insns[INSNS_MAX];
	size_t count;
};

static void add(struct code *c, uint8_t opcode, unsigned dst, unsigned src, int offset, int32_t imm)
{
	assert_true(c->count < INSNS_MAX);
	c->insns[c->count++] = (struct picket_insn){
	        .code = opcode, .dst = dst & 15, .src = src & 15, .offset = (int16_t)offset, .imm = imm};
}

/* r6: the context; r0 to r4: numbers whose halves and signs differ. */
static void begin(struct code *c)
{
	static const uint64_t numbers[] = {0x8000000000000001, 0xfffffffe7fffffff, 0x0123456789abcdef, 5,
	                                   0xffffffffffffffff};

	c->count = 0;
	add(c, 0xbf, 6, 1, 0, 0);
	for (unsigned r = 0; r < ARRAY_SIZE(numbers); r++) {
		add(c, LDDW, r, 0, 0, (int32_t)numbers[r]);
		add(c, 0, 0, 0, 0, (int32_t)(numbers[r] >> 32));
	}
}

/* Leaves those of r0 to r4 that are in the mask in the context. */
static void end(struct code *c, unsigned mask)
{
	for (unsigned r = 0; r <= 4; r++)
		if (mask & 1u << r)
			add(c, 0x7b, 6, r, (int)(8 * r), 0);
	add(c, 0xb7, 0, 0, 0, 0);
	add(c, 0x95, 0, 0, 0, 0);
}

static void print(const struct code *c)
{
	char line[128];

	for (size_t i = 0, slots; i < c->count; i += slots) {
		slots = picket_disassemble(&c->insns[i], c->count - i, line, sizeof(line));
		print_message("%s\n", line);
		slots += !slots;
	}
}

/* false: there is no such engine here. The context is at the same address each time. */
static bool run(const struct code *c, enum picket_engine engine, bool plain, bool blind, uint64_t ret_memory[WORDS])
{
	static uint64_t memory[WORDS];
	struct picket_options options = {.engine = engine, .plain = plain, .blind = blind};
	struct picket_call call = {.data = memory, .length = sizeof(memory)};
	struct picket_program *p = NULL;
	struct picket_error error;
	int r = picket_program_load(c->insns, c->count, &options, &p, &error);

	if (r == -EOPNOTSUPP)
		return false;
	if (r) {
		print(c);
		fail_msg("%s", error.text);
	}
	for (uint64_t i = 0; i < WORDS; i++)
		memory[i] = i * 0x9e3779b97f4a7c15;
	r = picket_program_run(p, &call);
	if (r) {
		print(c);
		fail_msg("engine %d: %s at %u", (int)engine, picket_fault_name(call.fault.kind), call.fault.insn);
	}
	picket_program_free(p);
	memcpy(ret_memory, memory, sizeof(memory));
	return true;
}

static void compare(const struct code *c)
{
	static const enum picket_engine engines[] = {PICKET_INTERPRETER, PICKET_CHECKED, PICKET_VERIFIED};
	uint64_t expected[WORDS], got[WORDS];

	run(c, PICKET_INTERPRETER, true, false, expected);
	for (size_t i = 0; i < 2 * ARRAY_SIZE(engines); i++) {
		if (!run(c, engines[i / 2], false, i % 2, got))
			continue;
		for (size_t w = 0; w < WORDS; w++) {
			if (got[w] == expected[w])
				continue;
			print(c);
			fail_msg("engine %zu leaves %llx at word %zu, not %llx", i / 2, (unsigned long long)got[w], w,
			         (unsigned long long)expected[w]);
		}
	}
}

/* ---- pairs of arithmetic ---- */
static const uint8_t registers[][4] = {
        /* dst and src of the first, then of the second */
        {1, 2, 1, 1}, {1, 2, 1, 2}, {1, 2, 1, 3}, {1, 2, 3, 1}, {1, 1, 1, 1}, {1, 1, 2, 1}, {1, 2, 2, 1}, {1, 10, 1, 3},
};

static bool is_arithmetic(const struct vm_insn_info *info)
{
	return info->mnemonic && (info->format == VM_FORMAT_DST || info->format == VM_FORMAT_DST_IMM ||
	                          info->format == VM_FORMAT_DST_SRC);
}

static void add_arithmetic(struct code *c, const struct vm_insn_info *info, unsigned dst, unsigned src)
{
	int32_t imm = info->select == VM_SELECT_IMM ? info->value : info->format == VM_FORMAT_DST_IMM ? 7 : 0;

	add(c, info->code, dst, info->format == VM_FORMAT_DST_SRC ? src : 0,
	    info->select == VM_SELECT_OFFSET ? info->value : 0, imm);
}

/* What r10 gives is an address, which differs from engine to engine: only its difference to r10 may be seen. */
static void end_without_address(struct code *c)
{
	add(c, 0x1f, 1, 10, 0, 0);
	end(c, 0x1f);
}

static void compare_pair(const struct vm_insn_info *first, const struct vm_insn_info *second, const uint8_t regs[4],
                         unsigned mask)
{
	struct code c;

	begin(&c);
	add_arithmetic(&c, first, regs[0], regs[1]);
	add_arithmetic(&c, second, regs[2], regs[3]);
	if (regs[1] == 10)
		end_without_address(&c);
	else
		end(&c, mask);
	compare(&c);
}

/* Moves, shifts and sums first; then all others. */
static void test_pairs(void **state)
{
	static const uint16_t firsts[] = {VM_MOV64_REG, VM_MOV32_REG, VM_MOV64_IMM, VM_LSH64_IMM,  VM_RSH64_IMM,
	                                  VM_ADD64_REG, VM_ADD64_IMM, VM_AND64_IMM, VM_MOVSX32_64, VM_BE16};

	(void)state;
	for (size_t first = 0; first < ARRAY_SIZE(firsts); first++)
		for (size_t second = 0; second < VM_OPCODES; second++) {
			if (!is_arithmetic(&vm_insns[second]))
				continue;
			for (size_t i = 0; i < ARRAY_SIZE(registers) - 1; i++)
				compare_pair(&vm_insns[firsts[first]], &vm_insns[second], registers[i],
				             i % 2 ? 0x1f : 1u << registers[i][2]);
		}
	compare_pair(&vm_insns[VM_MOV64_REG], &vm_insns[VM_ADD64_IMM], registers[7], 0);
	compare_pair(&vm_insns[VM_MOV64_REG], &vm_insns[VM_ADD64_REG], registers[7], 0);
}

/* ---- chains around memory ---- */
static int assemble(struct code *c, const char *text)
{
	struct picket_insn *insns;
	struct picket_error error;
	size_t count;
	int r = picket_assemble(text, strlen(text), &insns, &count, &error);

	if (r)
		fail_msg("%s: %s", text, error.text);
	for (size_t i = 0; i < count; i++) {
		assert_true(c->count < INSNS_MAX);
		c->insns[c->count++] = insns[i];
	}
	free(insns);
	return r;
}

static void test_accesses(void **state)
{
	/* r3: 5, r6: the context */
	static const char *const chains[] = {
	        "mov %r1, %r6\nadd %r1, %r3\nldxb %r2, [%r1+0]\n",
	        "mov %r1, %r6\nadd %r1, %r3\nldxb %r2, [%r1+7]\n",
	        "mov %r1, %r6\nadd %r1, %r3\nldxsb %r1, [%r1+0]\n",
	        "mov %r1, %r6\nadd %r1, %r3\nldxsw %r2, [%r1+0]\n",
	        "mov %r1, %r6\nadd %r1, %r3\nldxh %r3, [%r1+0]\n",
	        "mov %r1, %r6\nadd %r1, %r3\nldxdw %r3, [%r1+3]\n",
	        "mov %r1, %r6\nadd %r1, %r3\nstxdw [%r1+83], %r4\n",
	        "mov %r1, %r6\nadd %r1, 80\nadd %r1, %r3\nstxw [%r1+0], %r4\n",
	        "mov %r1, %r6\nadd %r1, 80\nadd %r1, %r3\nstxb [%r1+0], %r3\n",
	        "mov %r1, %r6\nadd %r1, 80\nadd %r1, %r3\nstxdw [%r1+0], %r1\nstdw [%r1+0], 1\n",
	        "lsh %r3, 3\nmov %r1, %r6\nadd %r1, %r3\nldxdw %r2, [%r1+0]\n",
	        "mov %r1, %r3\nlsh %r1, 3\nadd %r1, %r6\nldxdw %r1, [%r1+0]\n",
	        "ldxdw %r1, [%r6+8]\nldxdw %r2, [%r6+16]\n",
	        "ldxdw %r1, [%r6+16]\nldxdw %r2, [%r6+8]\n",
	        "ldxdw %r1, [%r6+16]\nldxdw %r1, [%r6+8]\n",
	        "ldxdw %r1, [%r6+17]\nldxdw %r2, [%r6+9]\n",
	        "mov %r1, %r6\nldxdw %r2, [%r1+8]\nldxdw %r1, [%r1+16]\n",
	        "mov %r1, %r6\nadd %r6, 8\nstxdw [%r6+0], %r1\nldxdw %r6, [%r6+0]\nldxdw %r2, [%r6+8]\nstdw [%r6+8], 3\n",
	        "stxdw [%r6+80], %r1\nstxdw [%r6+88], %r2\n",
	        "stxdw [%r6+88], %r1\nstxdw [%r6+80], %r2\n",
	        "stdw [%r6+88], 0\nstdw [%r6+80], 0\n",
	        "stdw [%r6+88], 0\nstdw [%r6+80], 1\n",
	        "stxdw [%r6+80], %r1\nstdw [%r6+88], 0\n",
	        "stxdw [%r6+80], %r1\nstxdw [%r6+80], %r2\n",
	        "stxdw [%r10-8], %r1\nstxdw [%r10-16], %r2\nldxdw %r3, [%r10-16]\nldxdw %r4, [%r10-8]\n",
	        "stxdw [%r10-512], %r1\nstxdw [%r10-504], %r2\nldxdw %r3, [%r10-512]\nldxdw %r4, [%r10-504]\n",
	        "stxdw [%r10-9], %r1\nstxdw [%r10-17], %r2\nldxdw %r3, [%r10-17]\nldxdw %r4, [%r10-9]\n",
	};
	struct code c;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(chains); i++)
		for (unsigned mask = 0; mask < 32; mask++) {
			begin(&c);
			assemble(&c, chains[i]);
			/* A chain may have moved r6, or have an address in r1. */
			end(&c, strstr(chains[i], "mov %r1, %r6") ? mask & ~2u : mask);
			compare(&c);
		}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(test_pairs),
	        cmocka_unit_test(test_accesses),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
