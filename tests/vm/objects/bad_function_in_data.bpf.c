/* SPDX-License-Identifier: Apache-2.0 */
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

static __attribute__((noinline)) long one(long n)
{
	return n + 1;
}
static __attribute__((noinline)) long two(long n)
{
	return n + 2;
}
long (*const volatile operations[2])(long) = {one, two};

SEC("test") long reader(long *n)
{
	return operations[*n & 1] != one;
}
