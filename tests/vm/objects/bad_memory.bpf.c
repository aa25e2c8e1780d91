/* SPDX-License-Identifier: Apache-2.0
 *
 * Maps that would each be possible, but not all of them.
 */
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

struct large {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 50 << 20);
	__type(key, int);
	__type(value, long);
};
struct large one SEC(".maps"), two SEC(".maps"), three SEC(".maps");

SEC("test") long reader(long *n)
{
	return bpf_map_lookup_elem(&one, n) != 0;
}
