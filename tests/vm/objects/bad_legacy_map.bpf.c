/* SPDX-License-Identifier: Apache-2.0 */
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

struct {
	unsigned type, key_size, value_size, max_entries, map_flags;
} old SEC("maps") = {BPF_MAP_TYPE_ARRAY, 4, 4, 1, 0};

SEC("test") long reader(long *n)
{
	return bpf_map_lookup_elem(&old, n) != 0;
}
