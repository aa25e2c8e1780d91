/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
 *
 * Probes of kernel and user functions, by registers.
 */
#include "trace.h"

struct iovec {
	void *iov_base;
	__u64 iov_len;
};

MAP(sizes, BPF_MAP_TYPE_HASH, 10240, __u64, __u64);
MAP(histogram, BPF_MAP_TYPE_ARRAY, 64, __u32, __u64);
RING(events, 1 << 16);

static __always_inline void add(__u64 v)
{
	__u32 slot = log2_of(v);
	__u64 *n;

	if (slot > 63)
		slot = 63;
	n = bpf_map_lookup_elem(&histogram, &slot);
	if (n)
		__sync_fetch_and_add(n, 1);
}

SEC("kprobe/vfs_read")
int BPF_KPROBE(read_begin, struct file *file, char *buffer, __u64 count)
{
	__u64 id = bpf_get_current_pid_tgid();

	bpf_map_update_elem(&sizes, &id, &count, BPF_ANY);
	return 0;
}

SEC("kretprobe/vfs_read")
int read_end(struct pt_regs *ctx)
{
	__u64 id = bpf_get_current_pid_tgid(), *asked = bpf_map_lookup_elem(&sizes, &id);

	if (!asked)
		return 0;
	add(*asked);
	bpf_map_delete_elem(&sizes, &id);
	return 0;
}

struct connect_event {
	__u64 cgroup;
	__be32 address;
	__be16 port;
	__u16 family;
	char comm[COMM_BYTES];
};

SEC("kprobe/tcp_v4_connect")
int BPF_KPROBE(connect_begin, struct sock *sk)
{
	struct connect_event *e = bpf_ringbuf_reserve(&events, sizeof(*e), 0);

	if (!e)
		return 0;
	e->cgroup = bpf_get_current_cgroup_id();
	e->family = BPF_CORE_READ(sk, __sk_common.skc_family);
	e->address = BPF_CORE_READ(sk, __sk_common.skc_daddr);
	e->port = BPF_CORE_READ(sk, __sk_common.skc_dport);
	bpf_get_current_comm(e->comm, sizeof(e->comm));
	bpf_ringbuf_submit(e, 0);
	return 0;
}

SEC("kprobe/do_unlinkat")
int BPF_KPROBE(unlink_name, int fd, struct filename *name)
{
	char path[128];
	long n = bpf_probe_read_kernel_str(path, sizeof(path), BPF_CORE_READ(name, name));

	if (n > 0)
		bpf_ringbuf_output(&events, path, n & (sizeof(path) - 1), 0);
	return 0;
}

struct {
	__uint(type, BPF_MAP_TYPE_STACK_TRACE);
	__uint(max_entries, 4096);
	__uint(key_size, 4);
	__uint(value_size, 8 * 127);
} traces SEC(".maps");
struct stack_key {
	__u32 pid;
	int kernel, user;
};
MAP(stacks, BPF_MAP_TYPE_HASH, 4096, struct stack_key, __u64);

SEC("kprobe/__x64_sys_nanosleep")
int sleep_stacks(struct pt_regs *ctx)
{
	struct stack_key key = {.pid = bpf_get_current_pid_tgid() >> 32};
	__u64 one = 1, *n;

	key.kernel = bpf_get_stackid(ctx, &traces, 0);
	key.user = bpf_get_stackid(ctx, &traces, BPF_F_USER_STACK);
	if (key.kernel < 0 && key.user < 0)
		return 0;
	n = bpf_map_lookup_elem(&stacks, &key);
	if (n)
		*n += 1;
	else
		bpf_map_update_elem(&stacks, &key, &one, BPF_NOEXIST);
	return 0;
}

struct stack_event {
	__u32 pid;
	int bytes;
	__u64 frames[32];
};

SEC("kprobe/do_exit")
int stack_to_ring(struct pt_regs *ctx)
{
	struct stack_event *e = bpf_ringbuf_reserve(&events, sizeof(*e), 0);

	if (!e)
		return 0;
	e->pid = bpf_get_current_pid_tgid();
	e->bytes = bpf_get_stack(ctx, e->frames, sizeof(e->frames), 0);
	bpf_ringbuf_submit(e, 0);
	return 0;
}

SEC("uprobe//bin/bash:readline")
int shell_line(struct pt_regs *ctx)
{
	char line[80];

	if (bpf_probe_read_user_str(line, sizeof(line), (void *)ctx->di) > 0)
		bpf_ringbuf_output(&events, line, sizeof(line), 0);
	return 0;
}

SEC("uretprobe/libc:malloc")
int allocation(struct pt_regs *ctx)
{
	__u64 cookie = bpf_get_attach_cookie(ctx);

	add(cookie);
	return 0;
}

SEC("kprobe/tcp_sendmsg")
int BPF_KPROBE(send_first_bytes, struct sock *sk, void *message)
{
	struct iovec vector = {};
	char bytes[16] = {};

	bpf_probe_read_kernel(&vector, sizeof(vector), message);
	if (vector.iov_len < sizeof(bytes))
		return 0;
	bpf_probe_read_user(bytes, sizeof(bytes), vector.iov_base);
	if (bytes[0] == 'G' && bytes[1] == 'E' && bytes[2] == 'T')
		add(vector.iov_len);
	return 0;
}

KERNEL_MAY_REJECT("only a kernel with CONFIG_BPF_KPROBE_OVERRIDE has the helper")
SEC("kprobe/should_failslab")
int BPF_KPROBE(fail_allocation, void *cache)
{
	if (bpf_get_prandom_u32() % 100 == 0)
		bpf_override_return(ctx, -12);
	return 0;
}

SEC("kprobe/__x64_sys_ptrace")
int stop_tracer(struct pt_regs *ctx)
{
	if (bpf_get_current_uid_gid() & 0xffffffff)
		bpf_send_signal(9);
	return 0;
}
