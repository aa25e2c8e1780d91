/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
 *
 * Classic and raw tracepoints: system calls, paths, latencies, histograms, process lists.
 */
#include "trace.h"

#define PATH_BYTES 256

struct open_event {
	__u32 pid, uid;
	char comm[COMM_BYTES];
	__s32 flags, length;
	char path[PATH_BYTES];
};
RING(opens, 1 << 18);
MAP(watched, BPF_MAP_TYPE_HASH, 1024, __u32, __u8);

SEC("tracepoint/syscalls/sys_enter_openat")
int trace_openat(struct syscall_enter *ctx)
{
	__u32 pid = bpf_get_current_pid_tgid() >> 32;
	struct open_event *e;

	if (!bpf_map_lookup_elem(&watched, &pid))
		return 0;
	e = bpf_ringbuf_reserve(&opens, sizeof(*e), 0);
	if (!e)
		return 0;
	e->pid = pid;
	e->uid = bpf_get_current_uid_gid();
	e->flags = ctx->args[2];
	bpf_get_current_comm(e->comm, sizeof(e->comm));
	e->length = bpf_probe_read_user_str(e->path, sizeof(e->path), (void *)ctx->args[1]);
	if (e->length < 0) {
		bpf_ringbuf_discard(e, 0);
		return 0;
	}
	bpf_ringbuf_submit(e, 0);
	return 0;
}

#define ARGS_MAX 20
#define ARG_BYTES 64

struct exec_event {
	__u32 pid, count;
	char args[ARGS_MAX][ARG_BYTES];
};
MAP(exec_scratch, BPF_MAP_TYPE_PERCPU_ARRAY, 1, __u32, struct exec_event);
struct {
	__uint(type, BPF_MAP_TYPE_PERF_EVENT_ARRAY);
	__uint(key_size, 4);
	__uint(value_size, 4);
} execs SEC(".maps");

SEC("tracepoint/syscalls/sys_enter_execve")
int trace_execve(struct syscall_enter *ctx)
{
	const char *const *argv = (void *)ctx->args[1];
	struct exec_event *e;
	__u32 zero = 0;

	e = bpf_map_lookup_elem(&exec_scratch, &zero);
	if (!e)
		return 0;
	e->pid = bpf_get_current_pid_tgid() >> 32;
	e->count = 0;
	for (int i = 0; i < ARGS_MAX; i++) {
		const char *arg = NULL;
		if (bpf_probe_read_user(&arg, sizeof(arg), &argv[i]) || !arg)
			break;
		if (bpf_probe_read_user_str(e->args[i], ARG_BYTES, arg) < 0)
			break;
		e->count = i + 1;
	}
	bpf_perf_event_output(ctx, &execs, BPF_F_CURRENT_CPU, e, sizeof(*e));
	return 0;
}

/* All arguments one after another in one buffer, each as long as it is. */
struct packed_event {
	__u32 pid, length;
	char text[4096];
};
MAP(packed_scratch, BPF_MAP_TYPE_PERCPU_ARRAY, 1, __u32, struct packed_event);

SEC("tracepoint/syscalls/sys_enter_execveat")
int trace_packed_arguments(struct syscall_enter *ctx)
{
	const char *const *argv = (void *)ctx->args[2];
	struct packed_event *e;
	__u32 zero = 0, used = 0;

	e = bpf_map_lookup_elem(&packed_scratch, &zero);
	if (!e)
		return 0;
	for (int i = 0; i < ARGS_MAX; i++) {
		const char *arg = NULL;
		long n;
		if (bpf_probe_read_user(&arg, sizeof(arg), &argv[i]) || !arg)
			break;
		if (used > sizeof(e->text) - 128)
			break;
		n = bpf_probe_read_user_str(e->text + used, 128, arg);
		if (n < 0 || n > 128)
			break;
		used += n;
	}
	e->length = used;
	bpf_perf_event_output(ctx, &execs, BPF_F_CURRENT_CPU, e, 8 + (used & 4095));
	return 0;
}

MAP(started, BPF_MAP_TYPE_HASH, 10240, __u64, __u64);
MAP(latencies, BPF_MAP_TYPE_ARRAY, 64, __u32, __u64);

SEC("tracepoint/raw_syscalls/sys_enter")
int latency_begin(struct syscall_enter *ctx)
{
	__u64 id = bpf_get_current_pid_tgid(), now = bpf_ktime_get_ns();

	bpf_map_update_elem(&started, &id, &now, BPF_ANY);
	return 0;
}

SEC("tracepoint/raw_syscalls/sys_exit")
int latency_end(struct syscall_exit *ctx)
{
	__u64 id = bpf_get_current_pid_tgid(), *begin = bpf_map_lookup_elem(&started, &id), *slot;
	__u32 index;

	if (!begin)
		return 0;
	index = log2_of((bpf_ktime_get_ns() - *begin) / 1000);
	if (index > 63)
		index = 63;
	slot = bpf_map_lookup_elem(&latencies, &index);
	if (slot)
		__sync_fetch_and_add(slot, 1);
	bpf_map_delete_elem(&started, &id);
	return 0;
}

/* The same histogram in a value of its own: an array within it is indexed. */
struct histogram {
	__u32 slots[32];
	char comm[COMM_BYTES];
};
MAP(histograms, BPF_MAP_TYPE_HASH, 1024, __u32, struct histogram);
static struct histogram empty_histogram;

SEC("tracepoint/syscalls/sys_exit_read")
int read_sizes(struct syscall_exit *ctx)
{
	__u32 pid = bpf_get_current_pid_tgid() >> 32;
	struct histogram *h;
	__u32 slot;

	if (ctx->ret <= 0)
		return 0;
	h = bpf_map_lookup_elem(&histograms, &pid);
	if (!h) {
		bpf_map_update_elem(&histograms, &pid, &empty_histogram, BPF_NOEXIST);
		h = bpf_map_lookup_elem(&histograms, &pid);
		if (!h)
			return 0;
		bpf_get_current_comm(h->comm, sizeof(h->comm));
	}
	slot = log2_of(ctx->ret);
	if (slot >= 32)
		slot = 31;
	__sync_fetch_and_add(&h->slots[slot], 1);
	return 0;
}

struct kill_key {
	__u32 from, to;
	__s32 signal;
};
struct kill_value {
	__u64 count, last_ns;
	char comm[COMM_BYTES];
};
MAP(kills, BPF_MAP_TYPE_LRU_HASH, 4096, struct kill_key, struct kill_value);

SEC("tracepoint/syscalls/sys_enter_kill")
int trace_kill(struct syscall_enter *ctx)
{
	struct kill_key key = {.from = bpf_get_current_pid_tgid() >> 32, .to = ctx->args[0], .signal = ctx->args[1]};
	struct kill_value first = {.count = 1}, *v;

	if (!key.signal)
		return 0;
	v = bpf_map_lookup_elem(&kills, &key);
	if (v) {
		v->count++;
		v->last_ns = bpf_ktime_get_ns();
		return 0;
	}
	bpf_get_current_comm(first.comm, sizeof(first.comm));
	bpf_map_update_elem(&kills, &key, &first, BPF_ANY);
	return 0;
}

/* Is the path under /etc? Compared byte by byte. */
RING(alerts, 4096);

SEC("tracepoint/syscalls/sys_enter_unlinkat")
int guard_etc(struct syscall_enter *ctx)
{
	char path[64];
	__u64 *alert;

	if (bpf_probe_read_user_str(path, sizeof(path), (void *)ctx->args[1]) <= 5)
		return 0;
	if (path[0] != '/' || path[1] != 'e' || path[2] != 't' || path[3] != 'c' || path[4] != '/')
		return 0;
	alert = bpf_ringbuf_reserve(&alerts, sizeof(*alert), 0);
	if (!alert)
		return 0;
	*alert = bpf_get_current_pid_tgid();
	bpf_ringbuf_submit(alert, BPF_RB_FORCE_WAKEUP);
	return 0;
}

/* The last component of a path: a loop over its bytes that remembers the slash. */
MAP(names, BPF_MAP_TYPE_HASH, 1024, __u64, __u32);

SEC("tracepoint/syscalls/sys_enter_unlink")
int base_name(struct syscall_enter *ctx)
{
	char path[32];
	long length = bpf_probe_read_user_str(path, sizeof(path), (void *)ctx->args[0]);
	__u32 start = 0, count = 1;
	__u64 name = 0;

	if (length <= 0)
		return 0;
	for (__u32 i = 0; i < sizeof(path); i++) {
		if (i >= length)
			break;
		if (path[i] == '/')
			start = i + 1;
	}
	if (start <= sizeof(path) - 8)
		bpf_probe_read_kernel(&name, sizeof(name), path + start);
	bpf_map_update_elem(&names, &name, &count, BPF_ANY);
	return 0;
}

/* ---- by number: what each argument means depends on the call ---- */
SEC("raw_tracepoint/sys_enter")
int raw_enter(struct bpf_raw_tracepoint_args *ctx)
{
	struct pt_regs *regs = (void *)ctx->args[0];
	__u64 number = ctx->args[1], first;
	__u32 key = number & 511;
	__u64 *slot;

	if (bpf_probe_read_kernel(&first, sizeof(first), &regs->di))
		return 0;
	if (number == 59 || number == 322)
		bpf_printk("exec %llx", first);
	slot = bpf_map_lookup_elem(&latencies, &key);
	if (slot)
		*slot += 1;
	return 0;
}

SEC("raw_tracepoint/sys_exit")
int raw_exit(struct bpf_raw_tracepoint_args *ctx)
{
	long ret = ctx->args[1];
	__u32 key = ret < 0 ? -ret : 0;
	__u64 *slot = bpf_map_lookup_elem(&latencies, &key);

	if (slot)
		__sync_fetch_and_add(slot, 1);
	return 0;
}

SEC("raw_tracepoint/sched_switch")
int raw_switch(struct bpf_raw_tracepoint_args *ctx)
{
	struct task_struct *previous = (void *)ctx->args[1], *next = (void *)ctx->args[2];
	__u32 from = BPF_CORE_READ(previous, pid), to = BPF_CORE_READ(next, pid);
	__u64 now = bpf_ktime_get_ns(), key = (__u64)from << 32 | to;

	bpf_map_update_elem(&started, &key, &now, BPF_ANY);
	return 0;
}

struct fork_record {
	__u64 common;
	char parent_comm[16];
	__u32 parent_pid;
	char child_comm[16];
	__u32 child_pid;
};
MAP(parents, BPF_MAP_TYPE_LRU_HASH, 8192, __u32, __u32);

SEC("tracepoint/sched/sched_process_fork")
int remember_parent(struct fork_record *ctx)
{
	__u32 child = ctx->child_pid, parent = ctx->parent_pid;

	bpf_map_update_elem(&parents, &child, &parent, BPF_ANY);
	return 0;
}

SEC("tracepoint/sched/sched_process_exit")
int forget_parent(void *ctx)
{
	__u32 pid = bpf_get_current_pid_tgid();

	bpf_map_delete_elem(&parents, &pid);
	return 0;
}

/* Up the table of parents, at most 16 steps. */
SEC("tracepoint/syscalls/sys_enter_ptrace")
int ancestry(struct syscall_enter *ctx)
{
	__u32 pid = bpf_get_current_pid_tgid() >> 32, target = ctx->args[1];

	for (int depth = 0; depth < 16; depth++) {
		__u32 *parent = bpf_map_lookup_elem(&parents, &pid);
		if (!parent || *parent == pid)
			return 0;
		if (*parent == target)
			bpf_send_signal(19);
		pid = *parent;
	}
	return 0;
}
