/* SPDX-License-Identifier: Apache-2.0 */
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

static __attribute__((noinline)) long in_subprogram(long n)
{
	return bpf_override_return((void *)n, 0); /* the line that tests expect */
}

SEC("test") long reader(long *n)
{
	return in_subprogram(*n) + 1;
}
