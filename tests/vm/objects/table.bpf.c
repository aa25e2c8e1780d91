/* SPDX-License-Identifier: Apache-2.0
 *
 * Tables of functions for the kernel: which program is which of their members.
 */
#define SEC(name) __attribute__((section(name), used))

struct operations___short {
	int (*begin)(void *object);
	long number;
	int (*end)(void *object, int how);
};

SEC("struct_ops/begin") int begin_it(unsigned long long *arguments)
{
	return 1;
}

SEC("struct_ops") int end_it(unsigned long long *arguments)
{
	return (int)arguments[1];
}

SEC("struct_ops/none") int in_no_table(unsigned long long *arguments)
{
	return 3;
}

SEC(".struct_ops")
struct operations___short first = {
        .begin = (void *)begin_it,
        .number = 7,
};

SEC(".struct_ops.link")
struct operations___short second = {
        .end = (void *)end_it,
};
