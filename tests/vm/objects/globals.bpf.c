/* SPDX-License-Identifier: Apache-2.0
 *
 * Variables in all sections of data, and pointers from one to another.
 */
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

struct input {
	__u64 number;
};

int initialised = 42;
static long counter; /* .bss */
const volatile int limit = 7;
static const volatile int table[8] = {1, 1, 2, 3, 5, 8, 13, 21};
char name[16] = "picket";
int own SEC(".data.own") = 5;
const volatile int fixed SEC(".rodata.fixed") = 6;
int zeros[1000] SEC(".bss.zeros");

/* Addresses in data: of another section, of the middle of an array, of texts, of the section itself. */
static const volatile int *volatile middle = &table[4];
const char *const volatile words[3] = {"one", "two", "three"};
struct node {
	struct node *next;
	int value;
};
static struct node third = {0, 300};
static struct node second = {&third, 20};
struct node first = {&second, 1};

SEC("test") long read_globals(struct input *in)
{
	return initialised + limit + own + fixed;
}

SEC("test") long count_calls(struct input *in)
{
	return ++counter;
}

SEC("test") long read_table(struct input *in)
{
	return table[in->number & 7];
}

SEC("test") long read_middle(struct input *in)
{
	return *middle;
}

SEC("test") long read_word(struct input *in)
{
	__u64 index = in->number;

	return index < 3 ? words[index][1] : -1;
}

SEC("test") long sum_nodes(struct input *in)
{
	struct node *volatile at = &first;
	long sum = 0;

	for (int i = 0; i < 10 && at; i++) {
		sum += at->value;
		at = at->next;
	}
	return sum;
}

SEC("test") long write_name(struct input *in)
{
	name[in->number & 15] = 'X';
	zeros[in->number % 1000] = 9;
	return name[0];
}

SEC("test") long write_constant(struct input *in)
{
	*(volatile int *)&limit = 1;
	return 0;
}

char LICENSE[] SEC("license") = "Apache-2.0";
