/* SPDX-License-Identifier: Apache-2.0
 *
 * To be joined with link_library.bpf.c by `bpftool gen object`.
 */
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

struct input {
	long number;
};

extern long library_calls;
extern long library_add(long n);
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 4);
	__type(key, __u32);
	__type(value, long);
} main_map SEC(".maps");

static __attribute__((noinline)) long local(long n)
{
	asm volatile("");
	return n + 1;
}

SEC("test") long joined(struct input *in)
{
	__u32 key = 1;
	long value = library_add(local(in->number));

	bpf_map_update_elem(&main_map, &key, &value, BPF_ANY);
	return value + library_calls * 100;
}
