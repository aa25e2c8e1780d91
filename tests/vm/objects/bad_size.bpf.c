/* SPDX-License-Identifier: Apache-2.0 */
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, int);
	__type(value, int);
	__uint(value_size, 8);
} torn SEC(".maps");

SEC("test") long reader(long *n)
{
	return bpf_map_lookup_elem(&torn, n) != 0;
}
