/* SPDX-License-Identifier: Apache-2.0
 *
 * Maps as BTF defines them: kinds, sizes by type and by number, static ones, maps of maps, prog arrays.
 */
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

/* A number that does not fit an array's length. */
#define __wide(name, value) enum { wide_##name = value } name

struct input {
	__u32 number;
};

struct point {
	int x, y;
};

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 8);
	__type(key, __u32);
	__type(value, struct point);
} points SEC(".maps");

static struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 100);
	__uint(key_size, 4);
	__uint(value_size, 8);
	__uint(map_flags, BPF_F_NO_PREALLOC);
} hidden SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, 5000);
} ring SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_BLOOM_FILTER);
	__uint(max_entries, 100);
	__type(value, __u64);
	__wide(map_extra, 3);
} seen SEC(".maps");

struct inner {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 2);
	__type(key, __u32);
	__type(value, __u64);
};
struct inner left SEC(".maps"), right SEC(".maps");
static struct inner quiet SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY_OF_MAPS);
	__uint(max_entries, 4);
	__type(key, __u32);
	__array(values, struct inner);
} both SEC(".maps") = {.values = {[1] = (void *)&left, [2] = (void *)&quiet, [3] = (void *)&right}};

struct {
	__uint(type, BPF_MAP_TYPE_HASH_OF_MAPS);
	__uint(max_entries, 4);
	__uint(key_size, 4);
	__array(
	        values, struct {
		        __uint(type, BPF_MAP_TYPE_ARRAY);
		        __uint(max_entries, 2);
		        __type(key, __u32);
		        __type(value, __u64);
	        });
} by_key SEC(".maps") = {.values = {(void *)&right, (void *)&left}};

long answer_one(struct input *in);
long answer_two(struct input *in);
struct {
	__uint(type, BPF_MAP_TYPE_PROG_ARRAY);
	__uint(max_entries, 8);
	__uint(key_size, sizeof(__u32));
	__array(values, long(struct input *));
} answers SEC(".maps") = {.values = {[1] = (void *)&answer_one, [6] = (void *)&answer_two}};

SEC("test") long put_point(struct input *in)
{
	struct point p = {3, 4};
	struct point *found;

	bpf_map_update_elem(&points, &in->number, &p, BPF_ANY);
	found = bpf_map_lookup_elem(&points, &in->number);
	return found ? found->x * 10 + found->y : -1;
}

SEC("test") long put_hidden(struct input *in)
{
	__u64 value = in->number + 1, *found;

	bpf_map_update_elem(&hidden, &in->number, &value, BPF_ANY);
	found = bpf_map_lookup_elem(&hidden, &in->number);
	return found ? *found : -1;
}

SEC("test") long put_inner(struct input *in)
{
	__u32 zero = 0;
	void *map = bpf_map_lookup_elem(&both, &in->number);
	__u64 *value;

	if (!map)
		return -1;
	value = bpf_map_lookup_elem(map, &zero);
	if (!value)
		return -2;
	*value += in->number;
	map = bpf_map_lookup_elem(&by_key, &zero);
	if (!map)
		return -3;
	value = bpf_map_lookup_elem(map, &zero);
	return value ? *value : -4;
}

SEC("test") long put_ring(struct input *in)
{
	return bpf_ringbuf_output(&ring, &in->number, sizeof(in->number), 0);
}

SEC("test") long put_seen(struct input *in)
{
	__u64 value = in->number;

	return bpf_map_push_elem(&seen, &value, 0) * 100 + bpf_map_peek_elem(&seen, &value);
}

SEC("test/jump") long jump(struct input *in)
{
	bpf_tail_call(in, &answers, in->number);
	return -1;
}

SEC("test/jump") long answer_one(struct input *in)
{
	return 11;
}

SEC("test/jump") long answer_two(struct input *in)
{
	return 22;
}
