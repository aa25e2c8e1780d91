/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
 *
 * Samples of performance counters.
 */
#include <linux/ptrace.h>
#include <linux/bpf.h>
#include <linux/bpf_perf_event.h>
#include <bpf/bpf_helpers.h>

char program_license[] SEC("license") = "GPL";

struct key {
	__u32 pid, cpu;
	int kernel, user;
	char comm[16];
};
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 40000);
	__type(key, struct key);
	__type(value, __u64);
} counts SEC(".maps");
struct {
	__uint(type, BPF_MAP_TYPE_STACK_TRACE);
	__uint(max_entries, 10000);
	__uint(key_size, 4);
	__uint(value_size, 8 * 127);
} stacks SEC(".maps");
struct {
	__uint(type, BPF_MAP_TYPE_PERF_EVENT_ARRAY);
	__uint(key_size, 4);
	__uint(value_size, 4);
} counters SEC(".maps");

SEC("perf_event")
int profile(struct bpf_perf_event_data *ctx)
{
	struct key key = {.pid = bpf_get_current_pid_tgid() >> 32, .cpu = bpf_get_smp_processor_id()};
	__u64 one = 1, *n;

	if (!key.pid)
		return 0;
	bpf_get_current_comm(key.comm, sizeof(key.comm));
	key.kernel = bpf_get_stackid(ctx, &stacks, 0);
	key.user = bpf_get_stackid(ctx, &stacks, BPF_F_USER_STACK);
	n = bpf_map_lookup_elem(&counts, &key);
	if (n)
		*n += 1;
	else
		bpf_map_update_elem(&counts, &key, &one, BPF_NOEXIST);
	return 0;
}

struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 10000);
	__type(key, __u64);
	__type(value, __u64);
} pages SEC(".maps");

SEC("perf_event")
int hot_pages(struct bpf_perf_event_data *ctx)
{
	__u64 page = ctx->addr >> 12, weight = ctx->sample_period, *n;

	n = bpf_map_lookup_elem(&pages, &page);
	if (n)
		__sync_fetch_and_add(n, weight);
	else
		bpf_map_update_elem(&pages, &page, &weight, BPF_ANY);
	return 0;
}

SEC("perf_event")
int instruction_pointers(struct bpf_perf_event_data *ctx)
{
	__u64 ip = ctx->regs.rip & ~63ull, one = 1, *n;

	n = bpf_map_lookup_elem(&pages, &ip);
	if (n)
		*n += one;
	else
		bpf_map_update_elem(&pages, &ip, &one, BPF_NOEXIST);
	return 0;
}

SEC("perf_event")
int read_counter(struct bpf_perf_event_data *ctx)
{
	struct bpf_perf_event_value v = {};

	if (bpf_perf_prog_read_value(ctx, &v, sizeof(v)))
		return 0;
	if (v.enabled && v.running * 2 < v.enabled)
		bpf_perf_event_output(ctx, &counters, BPF_F_CURRENT_CPU, &v, sizeof(v));
	return 0;
}

SEC("perf_event")
int branches(struct bpf_perf_event_data *ctx)
{
	struct perf_branch {
		__u64 from, to, flags;
	} records[4];
	long bytes = bpf_read_branch_records(ctx, records, sizeof(records), 0);
	__u64 sum = 0;

	for (int i = 0; i < 4; i++) {
		if (bytes < (long)((i + 1) * sizeof(records[0])))
			break;
		sum += records[i].to - records[i].from;
	}
	return sum == 0;
}
