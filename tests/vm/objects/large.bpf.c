/* SPDX-License-Identifier: Apache-2.0
 *
 * A million instructions, and a hundred thousand calls that need a relocation each.
 */
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

asm(".section test/million, \"ax\", @progbits\n"
    ".globl million\n"
    ".type million, @function\n"
    "million:\n"
    "r0 = 0\n"
    ".rept 1000000\n"
    "r0 += 1\n"
    ".endr\n"
    "exit\n"
    ".size million, . - million\n");

long counter;

__attribute__((noinline)) long count(void)
{
	return ++counter;
}

asm(".section test/calls, \"ax\", @progbits\n"
    ".globl calls\n"
    ".type calls, @function\n"
    "calls:\n"
    ".rept 100000\n"
    "call count\n"
    ".endr\n"
    "exit\n"
    ".size calls, . - calls\n");
