/* SPDX-License-Identifier: Apache-2.0
 *
 * One instruction too many, with the subprogram.
 */
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

__attribute__((noinline)) long last(void)
{
	return 0;
}

asm(".section test/large, \"ax\", @progbits\n"
    ".globl large\n"
    ".type large, @function\n"
    "large:\n"
    "call last\n"
    ".rept 1048573\n"
    "r0 += 1\n"
    ".endr\n"
    "exit\n"
    ".size large, . - large\n");
