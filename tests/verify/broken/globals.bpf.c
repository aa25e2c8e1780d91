/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
 *
 * Mistakes with global functions, which are verified by their signature alone: what callers know does not help them.
 */
#include "trace.h"

struct pair {
	__u64 a, b;
};
RING(ring, 4096);
__u64 table[8];
const volatile struct pair fixed = {1, 2};

/* Its callers hand over something, but its signature allows NULL. */
__noinline __u64 sum_unchecked(struct pair *p)
{
	return p->a + p->b;
}

BROKEN("null-pointer")
SEC("tracepoint/raw_syscalls/sys_enter")
int parameter_unchecked(struct syscall_enter *ctx)
{
	struct pair p = {ctx->id, 1};

	return sum_unchecked(&p) > 5;
}

__noinline __u64 pick(__u32 index)
{
	return table[index];
}

BROKEN("out-of-bounds")
SEC("tracepoint/raw_syscalls/sys_enter")
int bound_only_in_caller(struct syscall_enter *ctx)
{
	__u32 index = ctx->id;

	return index < 8 ? pick(index) > 5 : 0;
}

__noinline __u64 sum_checked(struct pair *p)
{
	return p ? p->a + p->b : 0;
}

BROKEN("stack-bounds")
SEC("tracepoint/raw_syscalls/sys_enter")
int half_of_a_pair(struct syscall_enter *ctx)
{
	__u64 half[1] = {ctx->id};

	return sum_checked((struct pair *)half) > 5;
}

/* It could write to it. */
BROKEN("read-only")
SEC("tracepoint/raw_syscalls/sys_enter")
int constant_handed_over(struct syscall_enter *ctx)
{
	return sum_checked((struct pair *)&fixed) > 5;
}

__noinline int keep_record(__u64 number)
{
	__u64 *record = bpf_ringbuf_reserve(&ring, sizeof(*record), 0);

	if (!record)
		return 0;
	*record = number;
	if (number < 5)
		return 1;
	bpf_ringbuf_submit(record, 0);
	return 0;
}

BROKEN("reference-leak")
SEC("tracepoint/raw_syscalls/sys_enter")
int record_kept_in_function(struct syscall_enter *ctx)
{
	return keep_record(ctx->id);
}

__noinline int count_down(__u32 from);
__noinline int count_up(__u32 to)
{
	return to > 100 ? 0 : count_down(to + 2) + 1;
}

__noinline int count_down(__u32 from)
{
	return from == 0 ? 0 : count_up(from - 1) + 1;
}

BROKEN("recursion")
SEC("tracepoint/raw_syscalls/sys_enter")
int circle_of_two(struct syscall_enter *ctx)
{
	return count_up(ctx->id);
}

char LICENSE[] SEC("license") = "GPL";
