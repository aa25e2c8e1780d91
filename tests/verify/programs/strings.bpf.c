/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
 *
 * Text: numbers read and written, prefixes, patterns, tokens, paths put together in buffers.
 */
#include "trace.h"

#define BUFFER_BYTES 4096
struct buffer {
	__u32 length;
	char text[BUFFER_BYTES + 256];
};
MAP(buffers, BPF_MAP_TYPE_PERCPU_ARRAY, 2, __u32, struct buffer);
RING(lines, 1 << 18);

struct path_lpm {
	__u32 bits;
	char path[64];
};
struct {
	__uint(type, BPF_MAP_TYPE_LPM_TRIE);
	__uint(max_entries, 256);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, struct path_lpm);
	__type(value, __u32);
} prefixes SEC(".maps");
MAP(hits, BPF_MAP_TYPE_PERCPU_ARRAY, 64, __u32, __u64);

static __always_inline struct buffer *buffer_get(__u32 index)
{
	return bpf_map_lookup_elem(&buffers, &index);
}

static __always_inline void hit(__u32 index)
{
	__u64 *n = bpf_map_lookup_elem(&hits, &index);

	if (n)
		*n += 1;
}

SEC("tracepoint/syscalls/sys_enter_write")
int parse_number(struct syscall_enter *ctx)
{
	char text[16] = {};
	__u32 number = 0;
	int i;

	if (bpf_probe_read_user_str(text, sizeof(text), (void *)ctx->args[1]) < 0)
		return 0;
	for (i = 0; i < 10; i++) {
		if (text[i] < '0' || text[i] > '9')
			break;
		number = number * 10 + text[i] - '0';
	}
	hit(number & 63);
	return 0;
}

SEC("tracepoint/syscalls/sys_enter_write")
int print_hex(struct syscall_enter *ctx)
{
	char text[17], *digits = "0123456789abcdef";
	__u64 v = ctx->args[1];

	for (int i = 0; i < 16; i++) {
		__u32 d = v >> (60 - 4 * i) & 15;
		text[i] = d < 10 ? '0' + d : 'a' + d - 10;
	}
	text[16] = 0;
	bpf_ringbuf_output(&lines, text, sizeof(text), 0);
	return digits[0] != '0';
}

SEC("tracepoint/syscalls/sys_enter_write")
int print_decimal(struct syscall_enter *ctx)
{
	__u32 v = ctx->args[2];
	char text[12] = {};
	int at = 11;

	for (int i = 0; i < 10; i++) {
		at--;
		if (at < 0 || at > 10)
			break;
		text[at] = '0' + v % 10;
		v /= 10;
		if (!v)
			break;
	}
	bpf_ringbuf_output(&lines, text, sizeof(text), 0);
	return 0;
}

SEC("tracepoint/syscalls/sys_enter_openat")
int prefix_by_trie(struct syscall_enter *ctx)
{
	struct path_lpm key = {};
	__u32 *action;
	long n = bpf_probe_read_user_str(key.path, sizeof(key.path), (void *)ctx->args[1]);

	if (n <= 1)
		return 0;
	key.bits = (n - 1) * 8;
	action = bpf_map_lookup_elem(&prefixes, &key);
	if (action)
		hit(*action & 63);
	return 0;
}

const volatile struct {
	char text[16];
	__u32 length;
} commands[8] = {{"bash", 4}, {"sh", 2}, {"zsh", 3}, {"nc", 2}, {"python3", 7}};

SEC("tracepoint/syscalls/sys_enter_execve")
int comm_in_list(struct syscall_enter *ctx)
{
	char comm[COMM_BYTES];

	bpf_get_current_comm(comm, sizeof(comm));
	for (int i = 0; i < 8; i++) {
		bool same = true;
		for (int k = 0; k < COMM_BYTES; k++) {
			char c = commands[i].text[k];
			if (c != comm[k])
				same = false;
			if (!c || !same)
				break;
		}
		if (same && commands[i].length) {
			hit(i);
			break;
		}
	}
	return 0;
}

SEC("tracepoint/syscalls/sys_enter_execve")
int suffix(struct syscall_enter *ctx)
{
	char path[128];
	long n = bpf_probe_read_user_str(path, sizeof(path), (void *)ctx->args[0]);

	if (n < 5 || n > (long)sizeof(path))
		return 0;
	if (path[n - 4] == '.' && path[n - 3] == 's' && path[n - 2] == 'h')
		hit(1);
	return 0;
}

/* `*` and `?`, with one place to go back to. */
SEC("tracepoint/syscalls/sys_enter_execve")
int glob(struct syscall_enter *ctx)
{
	char text[16] = {}, pattern[8] = "/t*p/?*";
	__u32 t = 0, p = 0, back_t = 0, back_p = 255;

	if (bpf_probe_read_user_str(text, sizeof(text), (void *)ctx->args[0]) < 0)
		return 0;
	for (int i = 0; i < 64; i++) {
		char c;
		if (t >= 15 || !text[t & 15])
			break;
		c = pattern[p & 7];
		if (c == '*') {
			back_p = ++p;
			back_t = t;
		} else if (c == '?' || c == text[t & 15]) {
			p++;
			t++;
		} else if (back_p != 255) {
			p = back_p;
			t = ++back_t;
		} else {
			return 0;
		}
	}
	if (p >= 7)
		hit(2);
	return 0;
}

SEC("tracepoint/syscalls/sys_enter_execve")
int count_tokens(struct syscall_enter *ctx)
{
	char text[64] = {};
	__u32 tokens = 0;
	bool inside = false;

	if (bpf_probe_read_user_str(text, sizeof(text), (void *)ctx->args[0]) < 0)
		return 0;
	for (int i = 0; i < 64; i++) {
		if (!text[i])
			break;
		if (text[i] == '/') {
			inside = false;
		} else if (!inside) {
			inside = true;
			tokens++;
		}
	}
	hit(tokens & 63);
	return 0;
}

/* What is joined has the length that the reads had. */
SEC("tracepoint/syscalls/sys_enter_renameat2")
int join_two(struct syscall_enter *ctx)
{
	struct buffer *b = buffer_get(0);
	__u32 used;
	long n;

	if (!b)
		return 0;
	n = bpf_probe_read_user_str(b->text, 256, (void *)ctx->args[1]);
	if (n < 0)
		return 0;
	used = n & 0x1ff;
	n = bpf_probe_read_user_str(&b->text[used & (BUFFER_BYTES - 1)], 256, (void *)ctx->args[3]);
	if (n < 0)
		return 0;
	used += n & 0x1ff;
	b->length = used;
	bpf_ringbuf_output(&lines, b, 4 + (used & (BUFFER_BYTES - 1)), 0);
	return 0;
}

/* A path from its end: components are put before what is there. */
KERNEL_MAY_REJECT("by two shifts, as older instruction sets need them, it loses what was compared")
SEC("raw_tp/sched_process_exec")
int BPF_PROG(path_backwards, struct task_struct *task)
{
	struct dentry *dentry = BPF_CORE_READ(task, mm, exe_file, f_path.dentry);
	struct buffer *b = buffer_get(1);
	__u32 at = BUFFER_BYTES;

	if (!b)
		return 0;
	for (int i = 0; i < 16; i++) {
		struct dentry *parent = BPF_CORE_READ(dentry, d_parent);
		struct qstr name = BPF_CORE_READ(dentry, d_name);
		__u32 length = name.len;
		if (!parent || parent == dentry)
			break;
		if (length > 255 || at < 256)
			break;
		at -= length + 1;
		at &= BUFFER_BYTES - 1;
		b->text[at] = '/';
		bpf_probe_read_kernel(&b->text[(at + 1) & (BUFFER_BYTES - 1)], length & 255, name.name);
		dentry = parent;
	}
	b->length = BUFFER_BYTES - at;
	return 0;
}

struct scan {
	__u32 hash, length;
	char text[64];
};

static long hash_byte(__u32 i, void *data)
{
	struct scan *s = data;
	char c;

	if (i >= sizeof(s->text))
		return 1;
	c = s->text[i];
	if (!c)
		return 1;
	s->hash = (s->hash ^ c) * 16777619u;
	s->length = i + 1;
	return 0;
}

SEC("tracepoint/syscalls/sys_enter_unlink")
int hash_by_loop(struct syscall_enter *ctx)
{
	struct scan s = {.hash = 2166136261u};

	if (bpf_probe_read_user_str(s.text, sizeof(s.text), (void *)ctx->args[0]) < 0)
		return 0;
	bpf_loop(64, hash_byte, &s, 0);
	hit(s.hash & 63);
	return 0;
}

SEC("tracepoint/syscalls/sys_enter_unlink")
int formatted(struct syscall_enter *ctx)
{
	static const char format[] = "%d %s %llx";
	char comm[COMM_BYTES], text[64];
	__u64 values[3];
	long n;

	bpf_get_current_comm(comm, sizeof(comm));
	values[0] = bpf_get_current_pid_tgid() >> 32;
	values[1] = (__u64)comm;
	values[2] = ctx->args[0];
	n = bpf_snprintf(text, sizeof(text), format, values, sizeof(values));
	if (n > 0 && n <= (long)sizeof(text))
		bpf_ringbuf_output(&lines, text, sizeof(text), 0);
	return 0;
}

SEC("tracepoint/syscalls/sys_enter_unlink")
int compared_by_helper(struct syscall_enter *ctx)
{
	static const char wanted[] = "/etc/passwd";
	char path[16] = {};

	if (bpf_probe_read_user_str(path, sizeof(path), (void *)ctx->args[0]) < 0)
		return 0;
	if (!bpf_strncmp(path, sizeof(path), wanted))
		hit(3);
	return 0;
}

/* The environment: one string after another in the reader's memory. */
SEC("tracepoint/syscalls/sys_enter_execve")
int environment(struct syscall_enter *ctx)
{
	const char *const *envp = (void *)ctx->args[2];

	for (int i = 0; i < 24; i++) {
		const char *entry = NULL;
		char head[12] = {};
		if (bpf_probe_read_user(&entry, sizeof(entry), envp + i) || !entry)
			break;
		if (bpf_probe_read_user_str(head, sizeof(head), entry) < 11)
			continue;
		if (head[0] == 'L' && head[1] == 'D' && head[2] == '_' && head[3] == 'P' && head[4] == 'R') {
			hit(4);
			bpf_ringbuf_output(&lines, head, sizeof(head), 0);
			break;
		}
	}
	return 0;
}

/* Upper case into another buffer, and the first place where both differ. */
SEC("tracepoint/syscalls/sys_enter_mkdir")
int upper_case(struct syscall_enter *ctx)
{
	char text[32] = {}, upper[32];
	__u32 first = 32;

	if (bpf_probe_read_user_str(text, sizeof(text), (void *)ctx->args[0]) < 0)
		return 0;
	for (__u32 i = 0; i < 32; i++)
		upper[i] = text[i] >= 'a' && text[i] <= 'z' ? text[i] - 32 : text[i];
	for (__u32 i = 0; i < 32; i++)
		if (upper[i] != text[i]) {
			first = i;
			break;
		}
	hit(first);
	return 0;
}
