/* SPDX-License-Identifier: Apache-2.0 */
#include "tools/gen_vm_cases/gen.h"

#define FRAMES 8 /* functions that may be active at once */

static void write_registers(void)
{
	file_begin("call-registers",
	           "r1 to r5 go in, r0 comes back, r6 to r9 are kept; each function has its own stack.");
	line("-- asm");
	homes_begin();
	line("stdw [%%r10-16], 77");
	check_begin();
	line("call local sum");
	line("jne %%r0, %d, fail_at", HOME(1) + HOME(2) + HOME(3) + HOME(4) + HOME(5));
	for (unsigned i = 6; i < REGISTERS; i++) {
		check_begin();
		line("jne %%r%u, %d, fail_at", i, HOME(i));
	}
	check_begin();
	line("ldxdw %%r1, [%%r10-16]");
	line("jne %%r1, 77, fail_at");
	check_begin();
	line("mov %%r1, %%r10");
	line("add %%r1, -16");
	line("mov %%r2, 78");
	line("call local put");
	line("ldxdw %%r1, [%%r10-16]");
	line("jne %%r1, 78, fail_at");
	check_begin();
	line("mov %%r1, %%r10");
	line("call local differs");
	line("jne %%r0, 1, fail_at");
	program_end();
	line("sum:");
	line("mov %%r0, 0");
	for (unsigned i = 1; i <= 5; i++)
		line("add %%r0, %%r%u", i);
	for (unsigned i = 1; i < REGISTERS; i++)
		line("mov %%r%u, -1", i);
	line("stdw [%%r10-16], -1");
	line("exit");
	line("put:");
	line("stxdw [%%r1], %%r2");
	line("exit");
	line("differs:");
	line("mov %%r0, 1");
	line("jne %%r1, %%r10, +1");
	line("mov %%r0, 0");
	line("exit");
	file_end_with(0);
}

/* Each function keeps its number in every place that it has, and finds it there when the next one is back. */
static void write_depth(void)
{
	file_begin("call-depth", "As many functions as may be active at once.");
	line("-- asm");
	line("mov %%r1, 1");
	for (unsigned i = 1; i <= FRAMES; i++) {
		if (i > 1)
			line("f%u:", i);
		for (unsigned reg = 6; reg < REGISTERS; reg++) {
			line("mov %%r%u, %%r1", reg);
			line("mul %%r%u, %u", reg, reg);
		}
		line("stxdw [%%r10-512], %%r1");
		line("stxdw [%%r10-8], %%r1");
		line("mov %%r0, 0");
		if (i < FRAMES) {
			line("add %%r1, 1");
			line("call local f%u", i + 1);
		}
		line("ldxdw %%r1, [%%r10-512]");
		line("jne %%r1, %u, wrong%u", i, i);
		line("ldxdw %%r1, [%%r10-8]");
		line("jne %%r1, %u, wrong%u", i, i);
		for (unsigned reg = 6; reg < REGISTERS; reg++)
			line("jne %%r%u, %u, wrong%u", reg, i * reg, i);
		line("add %%r0, 1");
		line("exit");
		line("wrong%u: mov %%r0, -1000", i);
		line("exit");
	}
	file_end_with(FRAMES);
}

/* f(n) calls itself n times; r1: n. */
static void add_recursive(void)
{
	line("f:");
	line("mov %%r0, 0");
	line("jeq %%r1, 0, +2");
	line("sub %%r1, 1");
	line("call local f");
	line("add %%r0, 1");
	line("exit");
}

static void write_recursion(void)
{
	file_begin("call-recursion", "A function that calls itself, many times after one another.");
	line("-- asm");
	line("mov %%r6, 0");
	line("mov %%r7, 0");
	line("more: mov %%r1, %d", FRAMES - 2);
	line("call local f");
	line("add %%r7, %%r0");
	line("add %%r6, 1");
	line("jlt %%r6, 100, more");
	line("mov %%r0, %%r7");
	line("exit");
	add_recursive();
	file_end_with(100 * (FRAMES - 1));

	file_begin("negative/call-too-deep", "One function more than may be active at once.");
	line("-- asm");
	line("mov %%r1, %d", FRAMES - 1);
	line("call local f");
	line("exit");
	add_recursive();
	line("-- error");
	line("calls too deep");
	file_end();
}

static void write_by_register(void)
{
	file_begin("call-register", "Functions and helpers by every register.");
	line("-- asm");
	homes_begin();
	for (unsigned reg = 0; reg < REGISTERS; reg++) {
		check_begin();
		line("mov %%r1, 40");
		line("mov %%r2, 2");
		line("lddw %%r%u, function f", reg);
		line("mov %%r9, %%r%u", reg);
		line("call %%r%u", reg);
		line("jeq %%r0, 0, fail_at");
		if (reg != 1 && reg != 2)
			line("jne %%r0, 42, fail_at");
		line("lddw %%r%u, function g", reg);
		line("call %%r%u", reg);
		line("jne %%r0, 7, fail_at");
		check_begin();
		line("mov %%r%u, 5", reg);
		line("call %%r%u", reg);
		line("jeq %%r0, 0, fail_at");
	}
	program_end();
	line("f: mov %%r0, %%r1");
	line("add %%r0, %%r2");
	line("exit");
	line("g: mov %%r0, 3");
	line("add %%r0, 4");
	line("exit");
	file_end_with(0);
}

static void write_order(void)
{
	file_begin("call-order",
	           "Functions that call those before and behind them; a function's address in one that is called.");
	line("-- asm");
	line("mov %%r1, 1");
	line("call local third");
	line("exit");
	line("first: mov %%r0, %%r1");
	line("mul %%r0, 10");
	line("add %%r0, 1");
	line("exit");
	line("second: call local first");
	line("mov %%r1, %%r0");
	line("mul %%r1, 10");
	line("add %%r1, 2");
	line("lddw %%r3, function fourth");
	line("call %%r3");
	line("exit");
	line("third: mul %%r1, 10");
	line("add %%r1, 3");
	line("call local second");
	line("exit");
	line("fourth: mov %%r0, %%r1");
	line("mul %%r0, 10");
	line("add %%r0, 4");
	line("exit");
	file_end_with(13124);
}

static void write_ja(void)
{
	file_begin("jump-ja", "Forward, backward, to the next instruction; both widths; more than one exit.");
	line("-- asm");
	line("mov %%r0, 0");
	line("ja +0");
	line("ja32 +0");
	line("ja down");
	line("up: add %%r0, 1");
	line("ja32 far");
	line("exit");
	line("down: add %%r0, 2");
	line("ja32 up");
	line("mov %%r0, 99");
	line("exit");
	line("back: add %%r0, 8");
	line("jne %%r0, 15, fail");
	line("mov %%r0, 42");
	line("exit");
	line("far: add %%r0, 4");
	line("ja back");
	line("fail: mov %%r0, 98");
	line("exit");
	file_end_with(42);
}

/* The sum of the first numbers, by loops of both kinds. */
static void write_loops(void)
{
	file_begin("loop", "Loops that turn at their end, at their head, and inside of one another.");
	line("-- asm");
	line("mov %%r0, 0");
	line("mov %%r1, 1000");
	line("a: add %%r0, %%r1");
	line("sub %%r1, 1");
	line("jne %%r1, 0, a");
	line("mov32 %%r1, 0");
	line("b: jsge32 %%r1, 1000, c");
	line("add32 %%r1, 1");
	line("add %%r0, %%r1");
	line("ja b");
	line("c: mov %%r2, 0");
	line("d: mov %%r3, 0");
	line("e: add %%r0, 1");
	line("add %%r3, 1");
	line("jlt %%r3, 30, e");
	line("add %%r2, 1");
	line("jlt32 %%r2, 20, d");
	line("exit");
	file_end_with(500500 + 500500 + 600);
}

void write_call_cases(void)
{
	write_registers();
	write_depth();
	write_recursion();
	write_by_register();
	write_order();
	write_ja();
	write_loops();
}
