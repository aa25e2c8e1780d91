/* SPDX-License-Identifier: Apache-2.0
 *
 * Loads and stores that are relocated: their offsets and their sizes. relocate_kernel.bpf.c has what they are relocated
 * against.
 */
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

struct leaf {
	int value;
} __attribute__((preserve_access_index));
struct thing {
	int first;
	unsigned short grows;
	short small;
	struct leaf leaves[2];
	int gone;
} __attribute__((preserve_access_index));

SEC("test") long read_first(struct thing *t)
{
	return t->first;
}

SEC("test") long read_grows(struct thing *t)
{
	return t->grows;
}

SEC("test") long read_small(struct thing *t)
{
	return t->small;
}

SEC("test") long read_leaf(struct thing *t)
{
	return t->leaves[1].value;
}

SEC("test") long write_first(struct thing *t)
{
	t->first = 5;
	return 0;
}

SEC("test") long read_gone(struct thing *t)
{
	return t->gone;
}
