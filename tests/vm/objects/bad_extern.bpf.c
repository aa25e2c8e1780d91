/* SPDX-License-Identifier: Apache-2.0 */
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

extern long nowhere;

SEC("test") long reader(long *n)
{
	return nowhere;
}
