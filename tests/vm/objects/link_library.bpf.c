/* SPDX-License-Identifier: Apache-2.0
 *
 * To be joined with link_main.bpf.c by `bpftool gen object`.
 */
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 4);
	__type(key, __u32);
	__type(value, long);
} library_map SEC(".maps");

long library_calls;

static __attribute__((noinline)) long local(long n)
{
	asm volatile("");
	return n + 10;
}

__attribute__((noinline)) long library_add(long n)
{
	__u32 key = 7;

	library_calls++;
	bpf_map_update_elem(&library_map, &key, &n, BPF_ANY);
	return local(n);
}
