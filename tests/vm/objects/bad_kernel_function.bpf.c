/* SPDX-License-Identifier: Apache-2.0 */
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

extern long bpf_kernel_only(long n) __ksym;

SEC("test") long caller(long *n)
{
	return bpf_kernel_only(*n);
}
