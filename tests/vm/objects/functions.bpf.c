/* SPDX-License-Identifier: Apache-2.0
 *
 * Programs and subprograms, static and global, in .text and elsewhere.
 */
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

#define noinline __attribute__((noinline))

struct input {
	long number;
	long *outside;
};

static noinline long twice(long n)
{
	asm volatile("");
	return n * 2;
}

noinline long thrice(long n)
{
	asm volatile("");
	return n + twice(n);
}

noinline long factorial(long n);

/* A circle of two. */
noinline long factorial_times(long n)
{
	asm volatile("");
	return n * factorial(n - 1);
}

noinline long factorial(long n)
{
	asm volatile("");
	return n <= 1 ? 1 : factorial_times(n);
}

SEC("subprograms") noinline long in_own_section(long n)
{
	asm volatile("");
	return thrice(n) + 1;
}

static SEC("subprograms") noinline long static_in_own_section(long n)
{
	asm volatile("");
	return twice(n) + in_own_section(n);
}

static long add_index(__u32 index, long *sum)
{
	*sum += twice(index);
	return 0;
}

static long stop_at_five(__u32 index, long *sum)
{
	*sum += 1;
	return index == 4;
}

SEC("test/one") long call_static(struct input *in)
{
	return twice(in->number);
}

SEC("test/one") noinline long call_global(struct input *in)
{
	asm volatile("");
	return thrice(in->number) + thrice(1);
}

SEC("test/two") long call_circle(struct input *in)
{
	return factorial(in->number);
}

SEC("test/two") long call_section(struct input *in)
{
	return static_in_own_section(in->number);
}

SEC("test/two") long call_program(struct input *in)
{
	return call_global(in) + 1000;
}

SEC("test/three") long call_back(struct input *in)
{
	long sum = 0;

	bpf_loop(in->number, add_index, &sum, 0);
	bpf_loop(in->number, stop_at_five, &sum, 0);
	return sum;
}

SEC("test/three") long no_calls(struct input *in)
{
	return in->number;
}

/* Assembled: without lines. */
asm(".text\n"
    ".globl bare\n"
    ".type bare, @function\n"
    "bare:\n"
    "r0 = r1\n"
    "r0 += 1\n"
    "exit\n"
    ".size bare, . - bare\n");
long bare(long n);

SEC("test/three") long call_bare(struct input *in)
{
	return bare(in->number);
}

static noinline long read_outside(struct input *in)
{
	asm volatile("");
	return *in->outside; /* the line that tests expect in a fault */
}

SEC("test/fault") long fault(struct input *in)
{
	return read_outside(in) + 1;
}
