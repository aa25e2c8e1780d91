/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
 *
 * Loops of all shapes: bounded by constants, by what was read, by masks; nested, with breaks, backwards, over stack and
 * maps; and the helper that loops.
 */
#include "trace.h"

MAP(numbers, BPF_MAP_TYPE_ARRAY, 256, __u32, __u64);
MAP(results, BPF_MAP_TYPE_ARRAY, 16, __u32, __u64);
struct table {
	__u32 count;
	__u32 values[100];
};
MAP(tables, BPF_MAP_TYPE_HASH, 16, __u32, struct table);

static __always_inline void result(__u32 key, __u64 value)
{
	bpf_map_update_elem(&results, &key, &value, BPF_ANY);
}

SEC("raw_tp/sys_enter")
int up_to_constant(void *ctx)
{
	__u64 sum = 0;

	for (__u32 i = 0; i < 256; i++) {
		__u64 *v = bpf_map_lookup_elem(&numbers, &i);
		if (v)
			sum += *v;
	}
	result(0, sum);
	return 0;
}

SEC("raw_tp/sys_enter")
int down_to_zero(void *ctx)
{
	__u64 sum = 0;

	for (__u32 i = 200; i > 0; i--) {
		__u32 key = i - 1;
		__u64 *v = bpf_map_lookup_elem(&numbers, &key);
		if (v)
			sum = sum * 31 + *v;
	}
	result(1, sum);
	return 0;
}

SEC("raw_tp/sys_enter")
int up_to_a_count(void *ctx)
{
	__u32 zero = 0, sum = 0;
	struct table *t = bpf_map_lookup_elem(&tables, &zero);

	if (!t)
		return 0;
	for (__u32 i = 0; i < 100; i++) {
		if (i >= t->count)
			break;
		sum += t->values[i];
	}
	result(2, sum);
	return 0;
}

SEC("raw_tp/sys_enter")
int insertion_sort(void *ctx)
{
	__u32 values[12];

	for (int i = 0; i < 12; i++)
		values[i] = bpf_get_prandom_u32();
	for (int i = 1; i < 12; i++) {
		__u32 v = values[i];
		int k = i;
		for (; k > 0 && k < 12; k--) {
			if (values[k - 1] <= v)
				break;
			values[k] = values[k - 1];
		}
		values[k & 7] = v;
	}
	result(3, values[0]);
	return 0;
}

SEC("raw_tp/sys_enter")
int matrix(void *ctx)
{
	__u32 a[4][4], b[4][4], trace = 0;

	for (int i = 0; i < 4; i++)
		for (int k = 0; k < 4; k++) {
			a[i][k] = bpf_get_prandom_u32();
			b[i][k] = i * k;
		}
	for (int i = 0; i < 4; i++)
		for (int k = 0; k < 4; k++) {
			__u32 sum = 0;
			for (int m = 0; m < 4; m++)
				sum += a[i][m] * b[m][k];
			if (i == k)
				trace += sum;
		}
	result(4, trace);
	return 0;
}

/* How many bits, by a loop that ends because the number shrinks. */
SEC("raw_tp/sys_enter")
int count_bits(void *ctx)
{
	__u32 v = bpf_get_prandom_u32() & 0xffff, bits = 0;

	for (int i = 0; i < 16 && v; i++) {
		bits += v & 1;
		v >>= 1;
	}
	result(5, bits);
	return 0;
}

SEC("raw_tp/sys_enter")
int binary_search(void *ctx)
{
	__u32 zero = 0, low = 0, high = 99, wanted = bpf_get_prandom_u32();
	struct table *t = bpf_map_lookup_elem(&tables, &zero);

	if (!t)
		return 0;
	for (int i = 0; i < 8 && low < high; i++) {
		__u32 middle = (low + high) / 2;
		if (middle >= 100)
			break;
		if (t->values[middle] < wanted)
			low = middle + 1;
		else
			high = middle;
	}
	result(6, low);
	return 0;
}

SEC("raw_tp/sys_enter")
int step_of_seven(void *ctx)
{
	__u64 sum = 0;

	for (__u32 i = 3; i < 250; i += 7) {
		__u64 *v = bpf_map_lookup_elem(&numbers, &i);
		if (!v)
			continue;
		if (*v == 0)
			break;
		sum ^= *v;
	}
	result(7, sum);
	return 0;
}

/* Open addressing in an array: probes until a free place. */
SEC("raw_tp/sys_enter")
int probe_table(void *ctx)
{
	__u64 id = bpf_get_current_pid_tgid();
	__u32 at = (__u32)(id * 2654435761u) >> 24;

	for (int i = 0; i < 16; i++) {
		__u32 key = (at + i) & 255;
		__u64 *v = bpf_map_lookup_elem(&numbers, &key);
		if (!v)
			return 0;
		if (*v == id)
			return 0;
		if (*v == 0) {
			*v = id;
			return 0;
		}
	}
	return 0;
}

/* A hash over bytes on the stack. */
SEC("raw_tp/sys_enter")
int hash_comm(void *ctx)
{
	char comm[COMM_BYTES];
	__u32 hash = 2166136261u;

	bpf_get_current_comm(comm, sizeof(comm));
	for (int i = 0; i < COMM_BYTES; i++) {
		if (!comm[i])
			break;
		hash = (hash ^ comm[i]) * 16777619u;
	}
	result(8, hash);
	return 0;
}

/* Copies what is longer than a register, by words. */
SEC("raw_tp/sys_enter")
int copy_table(void *ctx)
{
	__u32 zero = 0, one = 1;
	struct table *from = bpf_map_lookup_elem(&tables, &zero), *to = bpf_map_lookup_elem(&tables, &one);

	if (!from || !to)
		return 0;
	for (int i = 0; i < 100; i++)
		to->values[i] = from->values[i] + 1;
	to->count = from->count;
	return 0;
}

SEC("raw_tp/sys_enter")
int largest_of_table(void *ctx)
{
	__u32 zero = 0, most = 0, at = 0;
	struct table *t = bpf_map_lookup_elem(&tables, &zero);

	if (!t)
		return 0;
	for (__u32 i = 0; i < 100; i++)
		if (t->values[i] > most) {
			most = t->values[i];
			at = i;
		}
	result(9, (__u64)most << 32 | at);
	return 0;
}

SEC("raw_tp/sys_enter")
int ring_of_last_16(void *ctx)
{
	static __u32 next;
	__u32 key = next++ & 15;
	__u64 now = bpf_ktime_get_ns(), sum = 0;

	bpf_map_update_elem(&results, &key, &now, BPF_ANY);
	for (__u32 i = 0; i < 16; i++) {
		__u32 k = (key + i) % 16;
		__u64 *v = bpf_map_lookup_elem(&results, &k);
		sum += v ? *v : 0;
	}
	return sum == 0;
}

SEC("raw_tp/sys_enter")
int do_while(void *ctx)
{
	__u32 tries = 0;
	__u64 v;

	do {
		v = bpf_get_prandom_u32();
		tries++;
	} while (v > 1000 && tries < 50);
	result(10, tries);
	return 0;
}

SEC("raw_tp/sys_enter")
int two_exits(void *ctx)
{
	__u32 a = bpf_get_prandom_u32() & 63, b = bpf_get_prandom_u32() & 63;

	for (int i = 0; i < 64; i++) {
		if (a == b)
			break;
		if (a > b)
			a -= b ? b : 1;
		else
			b -= a ? a : 1;
	}
	result(11, a);
	return 0;
}

SEC("raw_tp/sys_enter")
int many_turns(void *ctx)
{
	__u64 sum = 0;

	for (__u32 i = 0; i < 20000; i++) {
		barrier_var(sum);
		sum += i;
	}
	result(12, sum);
	return 0;
}

/* ---- bpf_loop ---- */
struct scan {
	__u64 sum;
	__u32 limit, found;
};

static long scan_step(__u32 index, void *data)
{
	struct scan *s = data;
	__u32 key = index & 255;
	__u64 *v = bpf_map_lookup_elem(&numbers, &key);

	if (!v || index >= s->limit)
		return 1;
	s->sum += *v;
	s->found++;
	return 0;
}

SEC("raw_tp/sys_enter")
int loop_helper(void *ctx)
{
	struct scan s = {.limit = 10000};

	bpf_loop(1 << 20, scan_step, &s, 0);
	result(13, s.sum + s.found);
	return 0;
}

struct fill {
	__u32 at;
	char text[64];
};

static long fill_step(__u32 index, void *data)
{
	struct fill *f = data;

	if (f->at >= sizeof(f->text))
		return 1;
	f->text[f->at & 63] = 'a' + index % 26;
	f->at++;
	return 0;
}

SEC("raw_tp/sys_enter")
int loop_fills_stack(void *ctx)
{
	struct fill f = {};

	bpf_loop(64, fill_step, &f, 0);
	result(14, f.text[5]);
	return 0;
}

static long inner_step(__u32 index, void *data)
{
	__u64 *sum = data;

	*sum += index;
	return 0;
}

static long outer_step(__u32 index, void *data)
{
	bpf_loop(index & 15, inner_step, data, 0);
	return 0;
}

SEC("raw_tp/sys_enter")
int loop_in_loop(void *ctx)
{
	__u64 sum = 0;

	bpf_loop(100, outer_step, &sum, 0);
	result(15, sum);
	return 0;
}
