/* SPDX-License-Identifier: Apache-2.0
 *
 * CO-RE relocations of each kind, whose answers in relocate_kernel.bpf.c are others than here.
 */
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_core_read.h>

enum color { RED = 3, BLUE = 9, BLACK = 11 };
enum color___some { RED___some };
typedef unsigned int handle;
struct leaf {
	int value;
} __attribute__((preserve_access_index));
struct thing {
	int first;
	struct {
		long inner[4];
	} deep;
	unsigned low : 3, middle : 9;
	unsigned short grows;
	short small;
	struct leaf leaves[2];
	void *address;
	int qualified;
	int gone;
	long changed;
} __attribute__((preserve_access_index));
struct thing___flavour {
	int first;
	int missing;
} __attribute__((preserve_access_index));
struct nowhere {
	int value;
} __attribute__((preserve_access_index));
union either {
	int a;
} __attribute__((preserve_access_index));
struct bare {
	int value;
};
union either___other {
	struct bare *b;
} __attribute__((preserve_access_index));
union either___more {
	int a;
	int c;
} __attribute__((preserve_access_index));

/* clang 14 cannot ask whether types match: tests do it by these. */
union either an_either;
union either___other another;
union either___more one_more;

#define PROGRAM(name) SEC("socket") long name(struct thing *t)
#define THING ((struct thing *)0)
#define OFFSET(type, field) bpf_core_field_offset(((type *)0)->field)

PROGRAM(offset_plain)
{
	return OFFSET(struct thing, first);
}
PROGRAM(offset_array)
{
	return OFFSET(struct thing, deep.inner[3]);
}
PROGRAM(offset_second)
{
	return bpf_core_field_offset(THING[1].first);
}
PROGRAM(offset_leaf)
{
	return OFFSET(struct thing, leaves[1].value);
}
PROGRAM(offset_flavour)
{
	return OFFSET(struct thing___flavour, first);
}
PROGRAM(offset_qualified)
{
	return OFFSET(struct thing, qualified);
}
PROGRAM(size_grows)
{
	return bpf_core_field_size(THING->grows);
}
PROGRAM(size_deep)
{
	return bpf_core_field_size(THING->deep);
}
PROGRAM(exists_first)
{
	return bpf_core_field_exists(THING->first);
}
PROGRAM(exists_gone)
{
	return bpf_core_field_exists(THING->gone);
}
PROGRAM(exists_missing)
{
	return bpf_core_field_exists(((struct thing___flavour *)0)->missing);
}
PROGRAM(exists_nowhere)
{
	return bpf_core_field_exists(((struct nowhere *)0)->value);
}
PROGRAM(exists_changed)
{
	return bpf_core_field_exists(THING->changed);
}
PROGRAM(exists_address)
{
	return bpf_core_field_exists(THING->address);
}
PROGRAM(signed_small)
{
	return __builtin_preserve_field_info(THING->small, BPF_FIELD_SIGNED);
}
PROGRAM(signed_grows)
{
	return __builtin_preserve_field_info(THING->grows, BPF_FIELD_SIGNED);
}
PROGRAM(left_middle)
{
	return __builtin_preserve_field_info(THING->middle, BPF_FIELD_LSHIFT_U64);
}
PROGRAM(right_middle)
{
	return __builtin_preserve_field_info(THING->middle, BPF_FIELD_RSHIFT_U64);
}
PROGRAM(offset_middle)
{
	return __builtin_preserve_field_info(THING->middle, BPF_FIELD_BYTE_OFFSET);
}
PROGRAM(type_exists)
{
	return bpf_core_type_exists(struct thing) + 10 * bpf_core_type_exists(struct nowhere);
}
PROGRAM(type_exists_typedef)
{
	return bpf_core_type_exists(handle);
}
PROGRAM(type_size)
{
	return bpf_core_type_size(struct leaf);
}
PROGRAM(type_size_typedef)
{
	return bpf_core_type_size(handle);
}
PROGRAM(type_size_nowhere)
{
	return bpf_core_type_size(struct nowhere);
}
PROGRAM(type_id)
{
	return bpf_core_type_id_kernel(struct leaf) != 0;
}
PROGRAM(type_id_nowhere)
{
	return bpf_core_type_id_kernel(struct nowhere);
}
PROGRAM(enum_value)
{
	return bpf_core_enum_value(enum color, BLUE);
}
PROGRAM(enum_value_flavour)
{
	return bpf_core_enum_value(enum color___some, RED___some);
}
PROGRAM(enum_exists)
{
	return bpf_core_enum_value_exists(enum color, RED) + 10 * bpf_core_enum_value_exists(enum color, BLACK);
}

/* Behind a question whose answer is no: nobody gets there. */
PROGRAM(guarded)
{
	if (bpf_core_field_exists(THING->gone))
		return OFFSET(struct thing, gone);
	if (bpf_core_enum_value_exists(enum color, BLACK))
		return bpf_core_enum_value(enum color, BLACK);
	return 77;
}

char LICENSE[] SEC("license") = "GPL";
