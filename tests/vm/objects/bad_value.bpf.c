/* SPDX-License-Identifier: Apache-2.0 */
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

static __attribute__((used)) long no_program(long *n)
{
	return *n;
}

struct {
	__uint(type, BPF_MAP_TYPE_PROG_ARRAY);
	__uint(max_entries, 2);
	__uint(key_size, 4);
	__array(values, long(long *));
} jumps SEC(".maps") = {.values = {[1] = (void *)&no_program}};

SEC("test") long reader(long *n)
{
	bpf_tail_call(n, &jumps, 1);
	return 0;
}
