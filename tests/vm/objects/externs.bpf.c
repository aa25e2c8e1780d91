/* SPDX-License-Identifier: Apache-2.0
 *
 * What is declared and not defined: the kernel's configuration, its variables and functions, an embedder's helpers.
 */
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

struct input {
	long number;
};

extern int CONFIG_HZ __kconfig __weak;
extern const char CONFIG_LOCALVERSION[32] __kconfig __weak;
extern const int some_variable __ksym __weak;
extern long some_function(long n) __ksym __weak;
extern long embedder_add(long a, long b) __ksym;
extern long embedder_double(long a) __ksym __weak;

SEC("test") long read_config(struct input *in)
{
	return CONFIG_HZ + CONFIG_LOCALVERSION[in->number & 31];
}

SEC("test") long read_variable(struct input *in)
{
	return &some_variable ? some_variable : -1;
}

SEC("test") long call_if_there(struct input *in)
{
	return some_function ? some_function(1) : -1;
}

SEC("test") long call_anyway(struct input *in)
{
	return some_function(1);
}

SEC("test") long call_helper(struct input *in)
{
	return embedder_add(in->number, 5);
}

/* Given by the embedder, and asked for as what may be missing. */
SEC("test") long call_optional_helper(struct input *in)
{
	return embedder_double ? embedder_double(in->number) : -1;
}
