/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
 *
 * What programs that observe the kernel share.
 */
#ifndef PROGRAMS_TRACE_H
#define PROGRAMS_TRACE_H

#define __VMLINUX_H__ /* bpf_tracing.h: registers by the kernel's names */
#include "kernel.h"
#include <bpf/bpf_core_read.h>
#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>
#include "judge.h"

char program_license[] SEC("license") = "GPL";

#define COMM_BYTES 16
#define MAP(map, map_type, entries, key_type, value_type) \
	struct { \
		__uint(type, map_type); \
		__uint(max_entries, entries); \
		__type(key, key_type); \
		__type(value, value_type); \
	} map SEC(".maps")
#define RING(map, bytes) \
	struct { \
		__uint(type, BPF_MAP_TYPE_RINGBUF); \
		__uint(max_entries, bytes); \
	} map SEC(".maps")

/* A record of a classic tracepoint: common fields, then the system call. */
struct syscall_enter {
	__u64 common;
	long id;
	unsigned long args[6];
};
struct syscall_exit {
	__u64 common;
	long id;
	long ret;
};

static __always_inline __u32 log2_of(__u64 v)
{
	__u32 r, shift;
	__u32 low = (__u32)v, high = v >> 32, base = 0;

	if (high) {
		low = high;
		base = 32;
	}
	r = (low > 0xffff) << 4;
	low >>= r;
	shift = (low > 0xff) << 3;
	low >>= shift;
	r |= shift;
	shift = (low > 0xf) << 2;
	low >>= shift;
	r |= shift;
	shift = (low > 3) << 1;
	low >>= shift;
	r |= shift;
	return base + (r | (low >> 1));
}

#endif
