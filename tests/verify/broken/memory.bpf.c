/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
 *
 * Mistakes with maps, stack and numbers: each program has one.
 */
#include "trace.h"

struct value {
	__u64 counters[8];
	__u32 length;
	char name[16];
};
MAP(values, BPF_MAP_TYPE_HASH, 16, __u32, struct value);
MAP(array, BPF_MAP_TYPE_ARRAY, 16, __u32, __u64);
RING(ring, 4096);
const volatile __u32 fixed[4] = {1, 2, 3, 4};
__u32 table[64];

BROKEN("null-pointer")
SEC("tracepoint/raw_syscalls/sys_enter")
int lookup_unchecked(struct syscall_enter *ctx)
{
	__u32 key = ctx->id;
	__u64 *v = bpf_map_lookup_elem(&array, &key);

	*v += 1;
	return 0;
}

/* The check is for another pointer. */
BROKEN("null-pointer")
SEC("tracepoint/raw_syscalls/sys_enter")
int wrong_one_checked(struct syscall_enter *ctx)
{
	__u32 a = ctx->id, b = ctx->args[0];
	__u64 *first = bpf_map_lookup_elem(&array, &a), *second = bpf_map_lookup_elem(&array, &b);

	if (!first)
		return 0;
	return *first == *second;
}

BROKEN("null-pointer")
SEC("tracepoint/raw_syscalls/sys_enter")
int record_unchecked(void *ctx)
{
	__u64 *record = bpf_ringbuf_reserve(&ring, 8, 0);

	*record = 1;
	bpf_ringbuf_submit(record, 0);
	return 0;
}

BROKEN("out-of-bounds")
SEC("tracepoint/raw_syscalls/sys_enter")
int index_unchecked(struct syscall_enter *ctx)
{
	__u32 key = 1;
	struct value *v = bpf_map_lookup_elem(&values, &key);

	if (v)
		v->counters[ctx->id & 15]++;
	return 0;
}

/* `<=` where `<` was meant. */
BROKEN("out-of-bounds")
SEC("tracepoint/raw_syscalls/sys_enter")
int one_too_many(struct syscall_enter *ctx)
{
	__u32 n = ctx->id;

	if (n <= 64)
		table[n]++;
	return 0;
}

/* Checked as signed from above only: it may be negative. */
BROKEN("out-of-bounds")
SEC("tracepoint/raw_syscalls/sys_enter")
int negative_index(struct syscall_enter *ctx)
{
	long n = ctx->id;

	if (n < 64)
		table[n]++;
	return 0;
}

/* The bound is read twice; the second may be another one. */
BROKEN("out-of-bounds")
SEC("tracepoint/raw_syscalls/sys_enter")
int read_twice(void *ctx)
{
	__u32 key = 1;
	volatile struct value *v = bpf_map_lookup_elem(&values, &key);

	if (!v || v->length >= sizeof(v->name))
		return 0;
	v->name[v->length] = 0;
	return 0;
}

BROKEN("out-of-bounds")
SEC("tracepoint/raw_syscalls/sys_enter")
int behind_record(void *ctx)
{
	__u64 *record = bpf_ringbuf_reserve(&ring, 16, 0);

	if (!record)
		return 0;
	record[2] = 1;
	bpf_ringbuf_submit(record, 0);
	return 0;
}

BROKEN("read-only")
SEC("tracepoint/raw_syscalls/sys_enter")
int write_constant(struct syscall_enter *ctx)
{
	*(volatile __u32 *)&fixed[ctx->id & 3] = 5;
	return 0;
}

/* ---- stack ---- */
BROKEN("stack-bounds")
SEC("tracepoint/raw_syscalls/sys_enter")
int stack_index(struct syscall_enter *ctx)
{
	volatile char bytes[32] = {};

	bytes[ctx->id & 63] = 1;
	return bytes[3];
}

BROKEN("stack-bounds")
SEC("tracepoint/raw_syscalls/sys_enter")
int stack_negative(struct syscall_enter *ctx)
{
	char path[32];
	long n = bpf_probe_read_user_str(path, sizeof(path), (void *)ctx->args[0]);

	return ((volatile char *)path)[n - 1] == '/';
}

/* The copy takes what the string's length says, unchecked: negative when it failed. */
BROKEN("argument")
SEC("tracepoint/raw_syscalls/sys_enter")
int length_of_failure(struct syscall_enter *ctx)
{
	char path[64];
	long n = bpf_probe_read_user_str(path, sizeof(path), (void *)ctx->args[0]);

	bpf_ringbuf_output(&ring, path, n, 0);
	return 0;
}

static __noinline int large(struct xdp_md *ctx)
{
	char bytes[300];

	return bpf_xdp_load_bytes(ctx, 0, bytes, sizeof(bytes)) ? 0 : bytes[5];
}

BROKEN("stack-depth")
SEC("xdp")
int deep_stack(struct xdp_md *ctx)
{
	char bytes[300];

	return large(ctx) && !bpf_xdp_load_bytes(ctx, 0, bytes, sizeof(bytes)) && bytes[7];
}

static __noinline int again(int n)
{
	if (n <= 0)
		return 0;
	barrier_var(n);
	return again(n - 1) * 3 + n;
}

BROKEN("recursion")
SEC("tracepoint/raw_syscalls/sys_enter")
int recursive(void *ctx)
{
	return again(4);
}

/* ---- not initialised ---- */
BROKEN("uninitialised")
SEC("tracepoint/raw_syscalls/sys_enter")
int register_unset(void *ctx)
{
	__u64 r;

	asm volatile("%0 = r7" : "=r"(r));
	return r;
}

BROKEN("uninitialised")
SEC("tracepoint/raw_syscalls/sys_enter")
int after_call(void *ctx)
{
	__u64 r;

	asm volatile("r1 = 1; call 5; %0 = r1" : "=r"(r) : : "r0", "r1", "r2", "r3", "r4", "r5");
	return r;
}

/* ---- pointers as numbers ---- */
BROKEN("not-a-pointer")
SEC("tracepoint/raw_syscalls/sys_enter")
int user_pointer(struct syscall_enter *ctx)
{
	return *(char *)ctx->args[0];
}

BROKEN("not-a-pointer")
SEC("kprobe/vfs_read")
int BPF_KPROBE(kernel_pointer, struct file *file)
{
	return *(volatile int *)file;
}

BROKEN("pointer-arithmetic")
SEC("tracepoint/raw_syscalls/sys_enter")
int multiplied(void *ctx)
{
	__u32 key = 1;
	__u64 *v = bpf_map_lookup_elem(&array, &key);
	__u64 n;

	if (!v)
		return 0;
	n = (__u64)v;
	asm volatile("%0 *= 8" : "+r"(n));
	return *(volatile __u64 *)n;
}

BROKEN("argument")
SEC("tracepoint/raw_syscalls/sys_enter")
int key_is_number(struct syscall_enter *ctx)
{
	return bpf_map_lookup_elem(&array, (void *)ctx->id) != NULL;
}

BROKEN("argument")
SEC("tracepoint/raw_syscalls/sys_enter")
int map_is_value(struct syscall_enter *ctx)
{
	__u32 key = 1;
	__u64 *v = bpf_map_lookup_elem(&array, &key);

	return v && bpf_map_lookup_elem(v, &key) != NULL;
}

/* The value that is put in has half the size that the map's values have. */
BROKEN("stack-bounds")
SEC("tracepoint/raw_syscalls/sys_enter")
int value_too_small(void *ctx)
{
	__u64 half[4] = {};
	__u32 key = 1;

	bpf_map_update_elem(&values, &key, half, BPF_ANY);
	return 0;
}

BROKEN("argument")
SEC("tracepoint/raw_syscalls/sys_enter")
int size_may_be_zero(struct syscall_enter *ctx)
{
	char bytes[8];

	bpf_get_current_comm(bytes, ctx->id & 7);
	return 0;
}

/* ---- loops ---- */
BROKEN("infinite-loop")
SEC("tracepoint/raw_syscalls/sys_enter")
int forever(void *ctx)
{
	for (;;)
		barrier();
	return 0;
}

BROKEN("infinite-loop")
SEC("tracepoint/raw_syscalls/sys_enter")
int until_told(void *ctx)
{
	__u32 key = 1;
	volatile __u64 *v = bpf_map_lookup_elem(&array, &key);

	if (!v)
		return 0;
	while (*v == 0)
		;
	return 0;
}

BROKEN("infinite-loop")
SEC("tracepoint/raw_syscalls/sys_enter")
int counter_forgotten(struct syscall_enter *ctx)
{
	__u32 i = ctx->id & 7, sum = 0;

	while (i < 10) {
		sum += table[i];
		barrier_var(i);
		if (sum == 100)
			i++;
	}
	return sum;
}

BROKEN("unreachable")
SEC("tracepoint/raw_syscalls/sys_enter")
int dead_code(void *ctx)
{
	asm volatile("r0 = 0; exit; r0 = 1;" : : : "r0");
	return 0;
}
