/* SPDX-License-Identifier: Apache-2.0 */
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, int);
	__type(value, int);
	__uint(max_entrys, 1);
} misspelt SEC(".maps");

SEC("test") long reader(long *n)
{
	return bpf_map_lookup_elem(&misspelt, n) != 0;
}
