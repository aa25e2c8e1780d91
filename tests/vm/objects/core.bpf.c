/* SPDX-License-Identifier: Apache-2.0
 *
 * CO-RE relocations of each kind: the answers are those of the types below.
 */
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_core_read.h>

enum color { RED = 3, BLUE = 9 };
struct thing {
	int first;
	struct {
		long inner[4];
	} deep;
	unsigned low : 3, middle : 9;
} __attribute__((preserve_access_index));

SEC("test") long read_field(struct thing *t)
{
	return t->deep.inner[2];
}

SEC("test") long read_bits(struct thing *t)
{
	return BPF_CORE_READ_BITFIELD(t, middle);
}

SEC("test") long ask(struct thing *t)
{
	return bpf_core_field_exists(t->deep) + bpf_core_field_size(t->deep) * 10 +
	       bpf_core_type_exists(struct thing) * 1000 + bpf_core_type_size(struct thing) * 10000 +
	       bpf_core_enum_value(enum color, BLUE) * 1000000 + bpf_core_field_offset(t->deep.inner[1]) * 100000000;
}
