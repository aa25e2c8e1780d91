/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
 *
 * In the style of small tools: each answers one question about the machine.
 */
#include "trace.h"

#define SLOTS 27
struct histogram {
	__u32 slots[SLOTS];
};
static struct histogram zeros;
const volatile bool in_milliseconds = false, by_process = true;
const volatile __u32 target_pid = 0;
const volatile __u64 threshold_ns = 1000000;

static __always_inline void note(struct histogram *h, __u64 v)
{
	__u32 slot = log2_of(v);

	if (slot >= SLOTS)
		slot = SLOTS - 1;
	__sync_fetch_and_add(&h->slots[slot], 1);
}

/* ---- how long do block requests take? ---- */
struct request_key {
	__u32 device, pad;
	__u64 sector;
};
struct block_record {
	__u64 common;
	__u32 device, pad;
	__u64 sector;
	__u32 sectors, bytes;
	char what[8];
};
MAP(requests, BPF_MAP_TYPE_HASH, 10240, struct request_key, __u64);
MAP(disk_latency, BPF_MAP_TYPE_HASH, 256, __u32, struct histogram);

SEC("tracepoint/block/block_rq_issue")
int request_begin(struct block_record *ctx)
{
	struct request_key key = {.device = ctx->device, .sector = ctx->sector};
	__u64 now = bpf_ktime_get_ns();

	bpf_map_update_elem(&requests, &key, &now, BPF_ANY);
	return 0;
}

SEC("tracepoint/block/block_rq_complete")
int request_end(struct block_record *ctx)
{
	struct request_key key = {.device = ctx->device, .sector = ctx->sector};
	__u64 *begin = bpf_map_lookup_elem(&requests, &key), delta;
	struct histogram *h;
	__u32 device = key.device;

	if (!begin)
		return 0;
	delta = bpf_ktime_get_ns() - *begin;
	h = bpf_map_lookup_elem(&disk_latency, &device);
	if (!h) {
		bpf_map_update_elem(&disk_latency, &device, &zeros, BPF_NOEXIST);
		h = bpf_map_lookup_elem(&disk_latency, &device);
	}
	if (h)
		note(h, in_milliseconds ? delta / 1000000 : delta / 1000);
	bpf_map_delete_elem(&requests, &key);
	return 0;
}

/* ---- interrupts ---- */
struct softirq_record {
	__u64 common;
	__u32 vector;
};
MAP(softirq_begun, BPF_MAP_TYPE_PERCPU_ARRAY, 1, __u32, __u64);
MAP(softirq_times, BPF_MAP_TYPE_ARRAY, 16, __u32, struct histogram);

SEC("tracepoint/irq/softirq_entry")
int softirq_begin(struct softirq_record *ctx)
{
	__u64 now = bpf_ktime_get_ns();
	__u32 zero = 0;

	bpf_map_update_elem(&softirq_begun, &zero, &now, BPF_ANY);
	return 0;
}

SEC("tracepoint/irq/softirq_exit")
int softirq_end(struct softirq_record *ctx)
{
	__u32 zero = 0, vector = ctx->vector;
	__u64 *begin = bpf_map_lookup_elem(&softirq_begun, &zero);
	struct histogram *h;

	if (!begin || !*begin)
		return 0;
	h = bpf_map_lookup_elem(&softirq_times, &vector);
	if (h)
		note(h, bpf_ktime_get_ns() - *begin);
	*begin = 0;
	return 0;
}

/* ---- which process runs, and for how long? ---- */
MAP(on_cpu, BPF_MAP_TYPE_HASH, 10240, __u32, __u64);
MAP(run_times, BPF_MAP_TYPE_HASH, 10240, __u32, struct histogram);

SEC("tp_btf/sched_switch")
int BPF_PROG(run_time, bool preempt, struct task_struct *previous, struct task_struct *next)
{
	__u32 from = by_process ? previous->tgid : previous->pid, to = by_process ? next->tgid : next->pid;
	__u64 now = bpf_ktime_get_ns(), *since;
	struct histogram *h;

	if (target_pid && from != target_pid && to != target_pid)
		return 0;
	since = bpf_map_lookup_elem(&on_cpu, &from);
	if (since && now > *since) {
		h = bpf_map_lookup_elem(&run_times, &from);
		if (!h) {
			bpf_map_update_elem(&run_times, &from, &zeros, BPF_NOEXIST);
			h = bpf_map_lookup_elem(&run_times, &from);
		}
		if (h)
			note(h, (now - *since) / 1000);
	}
	bpf_map_update_elem(&on_cpu, &to, &now, BPF_ANY);
	return 0;
}

/* ---- which calls fail? ---- */
struct failure {
	__u32 pid, number, error;
	char comm[COMM_BYTES];
};
MAP(failures, BPF_MAP_TYPE_HASH, 4096, struct failure, __u64);

SEC("tracepoint/raw_syscalls/sys_exit")
int failed_calls(struct syscall_exit *ctx)
{
	struct failure key = {};
	__u64 one = 1, *n;

	if (ctx->ret >= 0 || ctx->ret < -4095)
		return 0;
	key.pid = bpf_get_current_pid_tgid() >> 32;
	key.number = ctx->id;
	key.error = -ctx->ret;
	bpf_get_current_comm(key.comm, sizeof(key.comm));
	n = bpf_map_lookup_elem(&failures, &key);
	if (n)
		__sync_fetch_and_add(n, 1);
	else
		bpf_map_update_elem(&failures, &key, &one, BPF_NOEXIST);
	return 0;
}

/* ---- what does a process map executable? ---- */
RING(mappings, 1 << 16);
struct mapping {
	__u64 address, length;
	__u32 pid, protection, flags;
	__s32 fd;
	char comm[COMM_BYTES];
};

SEC("tracepoint/syscalls/sys_enter_mmap")
int executable_mappings(struct syscall_enter *ctx)
{
	struct mapping *m;

	if (!(ctx->args[2] & 4) || (ctx->args[2] & 2) == 0)
		return 0;
	m = bpf_ringbuf_reserve(&mappings, sizeof(*m), 0);
	if (!m)
		return 0;
	m->address = ctx->args[0];
	m->length = ctx->args[1];
	m->protection = ctx->args[2];
	m->flags = ctx->args[3];
	m->fd = ctx->args[4];
	m->pid = bpf_get_current_pid_tgid() >> 32;
	bpf_get_current_comm(m->comm, sizeof(m->comm));
	bpf_ringbuf_submit(m, 0);
	return 0;
}

/* ---- a shell whose input is a socket ---- */
MAP(sockets_of, BPF_MAP_TYPE_LRU_HASH, 4096, __u64, __u8);

SEC("tracepoint/syscalls/sys_exit_socket")
int socket_made(struct syscall_exit *ctx)
{
	__u64 key = bpf_get_current_pid_tgid() >> 32 << 32;
	__u8 one = 1;

	if (ctx->ret < 0)
		return 0;
	key |= (__u32)ctx->ret;
	bpf_map_update_elem(&sockets_of, &key, &one, BPF_ANY);
	return 0;
}

SEC("tracepoint/syscalls/sys_enter_dup2")
int input_from_socket(struct syscall_enter *ctx)
{
	__u64 pid = bpf_get_current_pid_tgid() >> 32, key = pid << 32 | (__u32)ctx->args[0];
	__u8 *state = bpf_map_lookup_elem(&sockets_of, &key);

	if (!state || ctx->args[1] > 2)
		return 0;
	*state |= 2 << ctx->args[1];
	if ((*state & 14) == 14)
		bpf_send_signal(19);
	return 0;
}

/* ---- who changes credentials? ---- */
struct change {
	__u32 pid, before, after;
	__u64 capabilities;
};
RING(changes, 1 << 12);

SEC("tracepoint/syscalls/sys_enter_setuid")
int set_uid(struct syscall_enter *ctx)
{
	struct task_struct *task = (void *)bpf_get_current_task();
	struct change c = {};
	const struct cred *cred = BPF_CORE_READ(task, cred);

	c.pid = BPF_CORE_READ(task, tgid);
	c.before = BPF_CORE_READ(cred, uid.val);
	c.after = ctx->args[0];
	bpf_probe_read_kernel(&c.capabilities, sizeof(c.capabilities), &cred->cap_effective);
	if (c.before && !c.after)
		bpf_ringbuf_output(&changes, &c, sizeof(c), 0);
	return 0;
}

/* ---- long waits in the kernel, with the stack ---- */
struct wait {
	__u32 pid;
	int bytes;
	__u64 nanoseconds;
	__u64 frames[16];
};
MAP(wait_scratch, BPF_MAP_TYPE_PERCPU_ARRAY, 1, __u32, struct wait);
MAP(waiting, BPF_MAP_TYPE_LRU_HASH, 8192, __u32, __u64);
struct {
	__uint(type, BPF_MAP_TYPE_PERF_EVENT_ARRAY);
	__uint(key_size, 4);
	__uint(value_size, 4);
} waits SEC(".maps");

SEC("tp_btf/sched_switch")
int BPF_PROG(long_waits, bool preempt, struct task_struct *previous, struct task_struct *next)
{
	__u32 from = previous->pid, to = next->pid, zero = 0;
	__u64 now = bpf_ktime_get_ns(), *since;
	struct wait *w;

	if (from)
		bpf_map_update_elem(&waiting, &from, &now, BPF_ANY);
	since = bpf_map_lookup_elem(&waiting, &to);
	if (!since || now - *since < threshold_ns)
		return 0;
	w = bpf_map_lookup_elem(&wait_scratch, &zero);
	if (!w)
		return 0;
	w->pid = to;
	w->nanoseconds = now - *since;
	w->bytes = bpf_get_stack(ctx, w->frames, sizeof(w->frames), 0);
	bpf_perf_event_output(ctx, &waits, BPF_F_CURRENT_CPU, w, sizeof(*w));
	return 0;
}

/* ---- memory that is allocated and never freed ---- */
struct allocation {
	__u64 bytes, when_ns;
	int stack;
};
MAP(allocations, BPF_MAP_TYPE_LRU_HASH, 100000, __u64, struct allocation);
MAP(by_stack, BPF_MAP_TYPE_LRU_HASH, 10240, int, __u64);
struct {
	__uint(type, BPF_MAP_TYPE_STACK_TRACE);
	__uint(max_entries, 10240);
	__uint(key_size, 4);
	__uint(value_size, 8 * 127);
} stacks SEC(".maps");
struct kmalloc_record {
	__u64 common, call_site, pointer, asked, given;
};

SEC("tracepoint/kmem/kmalloc")
int allocated(struct kmalloc_record *ctx)
{
	struct allocation a = {.bytes = ctx->given, .when_ns = bpf_ktime_get_ns()};
	__u64 key = ctx->pointer, *sum;

	a.stack = bpf_get_stackid(ctx, &stacks, 0);
	bpf_map_update_elem(&allocations, &key, &a, BPF_ANY);
	if (a.stack < 0)
		return 0;
	sum = bpf_map_lookup_elem(&by_stack, &a.stack);
	if (sum)
		__sync_fetch_and_add(sum, a.bytes);
	else
		bpf_map_update_elem(&by_stack, &a.stack, &a.bytes, BPF_NOEXIST);
	return 0;
}

SEC("tracepoint/kmem/kfree")
int freed(struct kmalloc_record *ctx)
{
	__u64 key = ctx->pointer, *sum;
	struct allocation *a = bpf_map_lookup_elem(&allocations, &key);

	if (!a)
		return 0;
	sum = bpf_map_lookup_elem(&by_stack, &a->stack);
	if (sum)
		__sync_fetch_and_add(sum, -a->bytes);
	bpf_map_delete_elem(&allocations, &key);
	return 0;
}

/* ---- sockets' bytes, by group ---- */
struct group_bytes {
	__u64 sent, received;
};
MAP(groups, BPF_MAP_TYPE_PERCPU_HASH, 1024, __u64, struct group_bytes);

SEC("tracepoint/syscalls/sys_exit_sendto")
int bytes_sent(struct syscall_exit *ctx)
{
	__u64 id = bpf_get_current_cgroup_id();
	struct group_bytes first = {}, *g;

	if (ctx->ret <= 0)
		return 0;
	g = bpf_map_lookup_elem(&groups, &id);
	if (!g) {
		first.sent = ctx->ret;
		bpf_map_update_elem(&groups, &id, &first, BPF_NOEXIST);
		return 0;
	}
	g->sent += ctx->ret;
	return 0;
}

/* ---- what is the size of writes, by the first letters of the name? ---- */
struct prefix {
	char letters[4];
};
MAP(prefixes, BPF_MAP_TYPE_LRU_HASH, 512, struct prefix, struct histogram);

SEC("tracepoint/syscalls/sys_enter_write")
int sizes_by_prefix(struct syscall_enter *ctx)
{
	char comm[COMM_BYTES];
	struct prefix key;
	struct histogram *h;

	bpf_get_current_comm(comm, sizeof(comm));
	__builtin_memcpy(key.letters, comm, sizeof(key.letters));
	h = bpf_map_lookup_elem(&prefixes, &key);
	if (!h) {
		bpf_map_update_elem(&prefixes, &key, &zeros, BPF_NOEXIST);
		h = bpf_map_lookup_elem(&prefixes, &key);
		if (!h)
			return 0;
	}
	note(h, ctx->args[2]);
	return 0;
}
